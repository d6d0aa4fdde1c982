"""Carbon intensity: estimates counted, revisions kept, and what the plan denies."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_server_more import (
    DENIED,
    HTML,
    LIMITED,
    FeedServer,
    Told,
    after,
    carbon_hour,
    code_of,
    door,
    electricity_maps,
    in_json,
)

from tokenergy.errors import FindingsError
from tokenergy.feeds.electricity_maps import ElectricityMaps, FactorType
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries

NOW = datetime(2026, 8, 22, 20, tzinfo=UTC)
START = datetime(2026, 8, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAST = "/v4/carbon-intensity/past-range"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def hours(values: list[float | None], *, start: datetime = START) -> list[dict[str, Any]]:
    return [carbon_hour(start + index * HOUR, value) for index, value in enumerate(values)]


def fetch(
    server: FeedServer,
    *,
    zone: str = "DE",
    quantity: FeedQuantity = "carbon",
    start: datetime = START,
    count: int = 3,
    key: str | None = "sesame",
    factors: FactorType = "lifecycle",
) -> FeedSeries:
    with door(NOW) as http:
        feed = ElectricityMaps(http, base_url=server.url, key=key, factors=factors)
        return feed.fetch(Ask(zone=zone, quantity=quantity, start=start, end=start + count * HOUR))


def refused(server: FeedServer, **asked: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        fetch(server, **asked)
    assert "sesame" not in str(caught.value)
    return code_of(caught.value)


def test_an_hour_is_grams_per_kwh_with_its_publication(server: FeedServer) -> None:
    server.say(PAST, electricity_maps(hours([375, 380.5, 391])))
    series = fetch(server)
    assert [(row.start, row.step, row.value) for row in series.rows] == [
        (START, HOUR, 375.0),
        (START + HOUR, HOUR, 380.5),
        (START + 2 * HOUR, HOUR, 391.0),
    ]
    assert series.rows[0].published_at == datetime(2026, 8, 1, 2, 0, 0, 123000, tzinfo=UTC)
    assert (series.unit, series.column) == ("gCO2/kWh", "carbon_lifecycle_gco2_per_kwh")
    assert series.findings == ()
    assert "lifecycle" in series.source
    assert "sesame" not in repr(series)
    (asked,) = server.asked
    assert asked.query["disableCallerLookup"] == "true"


def test_direct_emissions_have_another_column(server: FeedServer) -> None:
    told = [carbon_hour(START, 310, emissionFactorType="direct")]
    server.say(PAST, electricity_maps(told))
    series = fetch(server, count=1, factors="direct")
    assert series.column == "carbon_direct_gco2_per_kwh"
    assert server.asked[0].query["emissionFactorType"] == "direct"


def test_another_kind_of_factors_or_of_hours_is_refused(server: FeedServer) -> None:
    server.say(PAST, electricity_maps([carbon_hour(START, 1, emissionFactorType="direct")]))
    assert refused(server) == "FEED_UNIT"
    server.say(PAST, electricity_maps([carbon_hour(START, 1, temporalGranularity="daily")]))
    assert refused(server) == "FEED_UNIT"


def test_estimated_hours_are_counted_by_method(server: FeedServer) -> None:
    told = hours([1, 2, 3, 4])
    for index in (1, 2):
        told[index] |= {"isEstimated": True, "estimationMethod": "TIME_SLICER_AVERAGE"}
    told[3] |= {"isEstimated": True, "estimationMethod": "FORECASTS_HIERARCHY"}
    server.say(PAST, electricity_maps(told))
    (finding,) = fetch(server, count=4).findings
    assert (finding.code, finding.value, finding.limit) == ("FEED_ESTIMATED", "3", "4")
    assert "FORECASTS_HIERARCHY 1, TIME_SLICER_AVERAGE 2" in finding.reason


def test_of_two_versions_of_an_hour_the_later_counts(server: FeedServer) -> None:
    """The estimate of 02:00 is replaced by the measurement, so no estimate is left to count."""
    old = carbon_hour(START, 100, isEstimated=True, estimationMethod="X")
    new = carbon_hour(START, 120, updatedAt="2026-08-03T00:00:00.000Z")
    server.say(PAST, electricity_maps([new, old]))
    series = fetch(server, count=1)
    assert [row.value for row in series.rows] == [120.0]
    assert "FEED_ESTIMATED" not in {finding.code for finding in series.findings}
    assert [finding.code for finding in series.findings] == ["FEED_REVISED"]


def test_a_long_span_is_asked_in_pieces_of_ten_days(server: FeedServer) -> None:
    start = datetime(2026, 3, 20, tzinfo=UTC)
    count = 21 * 24
    server.say(PAST, electricity_maps(hours([1.0] * (count + 5), start=start)))
    series = fetch(server, start=start, count=count)
    assert len(series.rows) == count
    assert len(server.asked) == 3
    assert series.findings == ()


@pytest.mark.parametrize(("start", "count"), [((2026, 3, 28, 23), 23), ((2025, 10, 25, 22), 25)])
def test_days_of_23_and_25_hours_are_whole(
    server: FeedServer, start: tuple[int, int, int, int], count: int
) -> None:
    """Stamps are UTC: the days on which Europe's clocks move have no hole and no hour twice."""
    first = datetime(*start, tzinfo=UTC)
    server.say(PAST, electricity_maps(hours([1.0] * 30, start=first)))
    series = fetch(server, start=first, count=count)
    assert len(series.rows) == count
    assert series.findings == ()


def test_a_plan_without_history_gives_the_last_day(server: FeedServer) -> None:
    first = NOW - 24 * HOUR
    told = {"zone": "DE", "history": hours([5.0] * 24, start=first)}
    server.say(PAST, DENIED)
    server.say("/v4/carbon-intensity/history", in_json(told))
    series = fetch(server, start=first, count=24)
    assert [row.value for row in series.rows] == [5.0] * 24
    assert [finding.code for finding in series.findings] == ["FEED_SHORT_HISTORY"]


def test_a_plan_without_history_gives_no_older_day(server: FeedServer) -> None:
    server.say(PAST, DENIED)
    assert refused(server) == "FEED_REFUSED"
    assert len(server.asked) == 1


def test_a_missing_hour_an_hour_twice_and_null_are_told(server: FeedServer) -> None:
    told = hours([1, 2, 3, None])
    server.say(PAST, electricity_maps([told[0], told[1], told[1], told[3]]))
    series = fetch(server, count=4)
    values = {row.start: row.value for row in series.rows}
    assert values[START + HOUR] == 2.0
    assert values.get(START + 2 * HOUR) is None
    assert values.get(START + 3 * HOUR) is None
    assert [finding.code for finding in series.findings] == ["FEED_DOUBLED", "FEED_GAP"]


def test_a_rate_limit_is_waited_for(server: FeedServer) -> None:
    server.say(PAST, after([LIMITED], electricity_maps(hours([1, 2, 3]))))
    assert len(fetch(server).rows) == 3


def test_without_a_key_nothing_is_asked(server: FeedServer) -> None:
    assert refused(server, key=None) == "FEED_NO_KEY"
    assert server.asked == []


NO_VALUE = {key: value for key, value in carbon_hour(START, 1).items() if key != "carbonIntensity"}


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (HTML, "FEED_NOT_JSON"),
        (Told(b'{"zone": "DE", "data": [{"dateti'), "FEED_NOT_JSON"),
        (in_json({"zone": "DE"}), "FEED_SHAPE"),
        (in_json({"data": []}), "FEED_SHAPE"),
        (in_json({"zone": "DK-DK2", "data": []}), "FEED_OTHER_ZONE"),
        (in_json({"zone": "DE", "data": [NO_VALUE]}), "FEED_SHAPE"),
        (in_json({"zone": "DE", "data": [7]}), "FEED_SHAPE"),
        (
            in_json({"zone": "DE", "data": [carbon_hour(START, 1) | {"datetime": "noon"}]}),
            "FEED_BAD_STAMP",
        ),
        (
            in_json({"zone": "DE", "data": [carbon_hour(START, "low")]}),
            "FEED_NOT_A_NUMBER",
        ),
    ],
)
def test_what_is_no_carbon_series_is_an_error(server: FeedServer, told: Told, code: str) -> None:
    server.say(PAST, told)
    assert refused(server) == code


def test_what_it_does_not_give_is_refused(server: FeedServer) -> None:
    assert refused(server, quantity="wind") == "FEED_NO_QUANTITY"

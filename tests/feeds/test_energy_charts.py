"""Energy-Charts: seconds of UTC, a step that nobody tells, a licence, and one unit."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_server import (
    LICENCE,
    FeedServer,
    Told,
    after,
    code_of,
    day_ahead,
    door,
    energy_charts,
    in_json,
    power_charts,
)
from feed_server_more import HTML, LIMITED

from tokenergy.errors import FindingsError
from tokenergy.feeds.energy_charts import EnergyCharts
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries

START = datetime(2026, 3, 1, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def fetch(
    server: FeedServer,
    *,
    start: datetime = START,
    hours: int = 3,
    zone: str = "DE-LU",
    quantity: FeedQuantity = "day_ahead_price",
) -> FeedSeries:
    ask = Ask(zone=zone, quantity=quantity, start=start, end=start + hours * HOUR)
    with door(NOW) as http:
        return EnergyCharts(http, base_url=server.url).fetch(ask)


def refused(server: FeedServer, **asked: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        fetch(server, **asked)
    return code_of(caught.value)


def test_a_price_is_eur_per_mwh_from_its_start(server: FeedServer) -> None:
    """The service gives the stamp at the end of the span too: that hour is not of the span."""
    server.say("/price", energy_charts(day_ahead(START, [80.5, -12.0, 0.0, 99.0])))
    series = fetch(server)
    assert [(row.start, row.step, row.value) for row in series.rows] == [
        (START, HOUR, 80.5),
        (START + HOUR, HOUR, -12.0),
        (START + 2 * HOUR, HOUR, 0.0),
    ]
    assert (series.unit, series.column) == ("EUR/MWh", "day_ahead_price_eur_per_mwh")
    assert LICENCE in series.source
    assert (series.findings, series.fetched_at) == ((), NOW)
    (asked,) = server.asked
    assert asked.query == {"bzn": "DE-LU", "start": "2026-03-01T23:00Z", "end": "2026-03-02T02:00Z"}


@pytest.mark.parametrize(
    ("start", "hours"),
    [(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)],
)
def test_days_of_23_and_25_hours_are_whole(server: FeedServer, start: datetime, hours: int) -> None:
    server.say("/price", energy_charts(day_ahead(start, range(4 * hours), step=QUARTER)))
    series = fetch(server, start=start, hours=hours)
    assert [row.value for row in series.rows] == list(range(4 * hours))
    assert series.findings == ()


def test_the_change_to_quarters_is_kept(server: FeedServer) -> None:
    change = datetime(2025, 9, 30, 22, tzinfo=UTC)
    values = day_ahead(change - 3 * HOUR, [1, 2, 3]) | day_ahead(change, range(8), step=QUARTER)
    server.say("/price", energy_charts(values))
    series = fetch(server, start=change - 3 * HOUR, hours=5)
    assert [row.step for row in series.rows] == [HOUR] * 3 + [QUARTER] * 8
    assert series.findings == ()


def test_a_long_span_is_asked_year_by_year_and_no_hour_comes_twice(server: FeedServer) -> None:
    count = 400 * 24
    server.say("/price", energy_charts(day_ahead(START, map(float, range(count + 1)))))
    series = fetch(server, hours=count)
    assert [row.value for row in series.rows] == list(range(count))
    assert (series.findings, len(server.asked)) == ((), 2)


def test_null_and_an_hour_missing_are_holes(server: FeedServer) -> None:
    values = day_ahead(START, [1, None, 3, 4, 5, 6])
    del values[START + 3 * HOUR]
    server.say("/price", energy_charts(values))
    series = fetch(server, hours=6)
    (finding,) = series.findings
    assert (finding.code, finding.value) == ("FEED_GAP", "2")
    assert {row.step for row in series.rows} == {HOUR}


def test_wind_is_the_sum_of_shore_and_sea(server: FeedServer) -> None:
    kinds = {
        "Wind offshore": day_ahead(START, [100, 200, None]),
        "Wind onshore": day_ahead(START, [1000, 1500, 1600]),
        "Solar": day_ahead(START, [0, 0, 5]),
        "Load": day_ahead(START, [50_000, 51_000, 52_000]),
    }
    server.say("/public_power", power_charts(kinds))
    series = fetch(server, quantity="wind")
    assert [row.value for row in series.rows] == [1100.0, 1700.0, None]
    assert (series.unit, series.column) == ("MW", "wind_mw")
    assert server.asked[0].query["country"] == "de"
    assert [row.value for row in fetch(server, quantity="solar").rows] == [0.0, 0.0, 5.0]
    assert fetch(server, quantity="load").rows[0].value == 50_000.0


def test_a_country_without_a_coast_has_the_wind_on_shore(server: FeedServer) -> None:
    kinds = {
        "Wind offshore": day_ahead(START, [None, None, None]),
        "Wind onshore": day_ahead(START, [1, 2, 3]),
    }
    server.say("/public_power", power_charts(kinds))
    assert [row.value for row in fetch(server, quantity="wind", zone="AT").rows] == [1, 2, 3]


def test_a_rate_limit_and_a_fault_are_waited_for(server: FeedServer) -> None:
    told = energy_charts(day_ahead(START, [1, 2, 3]))
    server.say("/price", after([LIMITED, Told(b"", status=503)], told))
    assert len(fetch(server).rows) == 3


def price(**changed: Any) -> Told:
    told = {
        "license_info": "x",
        "unix_seconds": [int((START + at * HOUR).timestamp()) for at in range(3)],
        "price": [1.0, 2.0, 3.0],
        "unit": "EUR / MWh",
    }
    return in_json({**told, **changed})


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (HTML, "FEED_NOT_JSON"),
        (Told(b'{"license_info": "CC BY'), "FEED_NOT_JSON"),
        (Told(b'{"license', cut=True), "FEED_UNREACHABLE"),
        (price(unit="EUR / kWh"), "FEED_UNIT"),
        (price(unit="GBP / MWh"), "FEED_UNIT"),
        (price(unit=None), "FEED_SHAPE"),
        (price(price=[1.0]), "FEED_SHAPE"),
        (price(price={"a": 1}), "FEED_SHAPE"),
        (price(price=[1.0, "n/a", 2.0]), "FEED_NOT_A_NUMBER"),
        (price(unix_seconds=["2026", 1, 2]), "FEED_BAD_STAMP"),
        (price(unix_seconds=[1e30, 1, 2]), "FEED_BAD_STAMP"),
        (price(unix_seconds=[], price=[]), "FEED_EMPTY"),
        (in_json([]), "FEED_SHAPE"),
        (in_json({"detail": "no content"}, status=404), "FEED_REFUSED"),
    ],
)
def test_what_is_no_series_is_refused(server: FeedServer, told: Told, code: str) -> None:
    server.say("/price", told)
    assert refused(server) == code


def test_an_hour_twice_with_two_values_has_none(server: FeedServer) -> None:
    seconds = [int((START + at * HOUR).timestamp()) for at in (0, 1, 1)]
    server.say("/price", price(unix_seconds=seconds, price=[1.0, 2.0, 9.0]))
    series = fetch(server, hours=2)
    assert [row.value for row in series.rows] == [1.0, None]


def test_other_quantities_and_parts_of_countries_are_refused(server: FeedServer) -> None:
    assert refused(server, quantity="carbon") == "FEED_NO_QUANTITY"
    assert refused(server, quantity="wind", zone="DK1") == "FEED_UNKNOWN_ZONE"
    assert refused(server, quantity="solar", zone="DE") == "FEED_REFUSED"  # nobody answers here
    server.say("/public_power", power_charts({"Load": day_ahead(START, [1, 2, 3])}))
    assert refused(server, quantity="wind") == "FEED_SHAPE"

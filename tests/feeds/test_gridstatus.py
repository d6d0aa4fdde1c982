"""North American prices: pages, steps, summer time, keys, and what is no series of prices."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from feed_server_more import (
    GRID_COLUMNS,
    HTML,
    LIMITED,
    FeedServer,
    Told,
    after,
    code_of,
    door,
    grid_rows,
    grid_status,
    in_json,
)

from tokenergy.errors import FindingsError
from tokenergy.feeds.gridstatus import Gridstatus, load_datasets
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries

NOW = datetime(2025, 6, 1, tzinfo=UTC)
START = datetime(2025, 3, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY_AHEAD = "/v1/datasets/ercot_spp_day_ahead_hourly/query"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def rows(values: list[float | None], *, start: datetime = START, step: timedelta = HOUR) -> Any:
    return grid_rows(start, values, location="HB_WEST", step=step)


def fetch(
    server: FeedServer,
    *,
    zone: str = "ercot/HB_WEST",
    quantity: FeedQuantity = "day_ahead_price",
    start: datetime = START,
    hours: int = 3,
    key: str | None = "sesame",
) -> FeedSeries:
    with door(NOW) as http:
        feed = Gridstatus(http, base_url=server.url, key=key)
        return feed.fetch(Ask(zone=zone, quantity=quantity, start=start, end=start + hours * HOUR))


def refused(server: FeedServer, **asked: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        fetch(server, **asked)
    assert "sesame" not in str(caught.value)
    return code_of(caught.value)


def test_a_day_ahead_price_is_hourly_usd_per_mwh(server: FeedServer) -> None:
    server.say(DAY_AHEAD, grid_status(rows([21.5, -3.0, 40.25])))
    series = fetch(server)
    assert [(row.start, row.step, row.value) for row in series.rows] == [
        (START, HOUR, 21.5),
        (START + HOUR, HOUR, -3.0),
        (START + 2 * HOUR, HOUR, 40.25),
    ]
    assert (series.unit, series.column) == ("USD/MWh", "day_ahead_price_usd_per_mwh")
    assert series.findings == ()
    assert series.fetched_at == NOW
    assert "ercot_spp_day_ahead_hourly" in series.source and "HB_WEST" in series.source
    assert "sesame" not in repr(series)


@pytest.mark.parametrize(
    ("zone", "dataset", "column", "step_min"),
    [
        ("ercot/HB_WEST", "ercot_spp_real_time_15_min", "spp", 15),
        ("pjm/DOM", "pjm_lmp_real_time_5_min", "lmp", 5),
        ("nyiso/N.Y.C.", "nyiso_lmp_real_time_5_min", "lmp", 5),
        ("CAISO/TH_NP15_GEN-APND", "caiso_lmp_real_time_5_min", "lmp", 5),
    ],
)
def test_a_real_time_price_keeps_its_native_step(
    server: FeedServer, zone: str, dataset: str, column: str, step_min: int
) -> None:
    step = timedelta(minutes=step_min)
    count = 60 // step_min
    told = grid_rows(START, list(range(count)), location=zone.split("/")[1], step=step)
    server.say(f"/v1/datasets/{dataset}/query", grid_status(told, column=column))
    series = fetch(server, zone=zone, quantity="real_time_price", hours=1)
    assert [row.start for row in series.rows] == [START + step * index for index in range(count)]
    assert {row.step for row in series.rows} == {step}


def test_pages_are_read_to_the_last(server: FeedServer) -> None:
    """10 hours in pages of 3 are 4 pages: cursors '', 3, 6 and 9."""
    server.say(DAY_AHEAD, grid_status(rows([float(hour) for hour in range(10)]), page=3))
    series = fetch(server, hours=10)
    assert [row.value for row in series.rows] == [float(hour) for hour in range(10)]
    assert [asked.query["cursor"] for asked in server.asked] == ["", "3", "6", "9"]
    assert [asked.query["page"] for asked in server.asked] == ["1", "2", "3", "4"]


def test_a_cursor_that_leads_in_circles_ends(server: FeedServer) -> None:
    server.say(
        DAY_AHEAD,
        in_json(
            {
                "data": [[*GRID_COLUMNS, "spp"]],
                "meta": {"hasNextPage": True, "cursor": "again"},
            }
        ),
    )
    assert refused(server) == "FEED_PAGES"
    assert len(server.asked) == 2


@pytest.mark.parametrize(("day", "hours"), [((2025, 3, 9), 23), ((2025, 11, 2), 25)])
def test_days_of_23_and_25_hours_are_whole(
    server: FeedServer, day: tuple[int, int, int], hours: int
) -> None:
    """Stamps are UTC: a local day in Texas has 23 or 25 of them, with no gap and none twice."""
    texas = ZoneInfo("America/Chicago")
    start = datetime(*day, tzinfo=texas).astimezone(UTC)
    end = (datetime(*day, tzinfo=texas) + timedelta(days=1)).astimezone(UTC)
    assert end - start == hours * HOUR
    server.say(DAY_AHEAD, grid_status(rows([1.0] * 30, start=start)))
    series = fetch(server, start=start, hours=hours)
    assert len(series.rows) == hours
    assert series.findings == ()


def test_of_two_versions_the_later_published_counts(server: FeedServer) -> None:
    first, second = rows([10.0, 20.0])
    told = [
        [*first, "2025-02-28T19:00:00+00:00"],
        [*second, "2025-02-28T19:00:00+00:00"],
        [*second[:-1], 25.0, "2025-03-01T09:00:00+00:00"],
    ]
    columns = [*GRID_COLUMNS, "spp", "publish_time_utc"]
    server.say(DAY_AHEAD, grid_status(told, columns=columns))
    series = fetch(server, hours=2)
    assert [row.value for row in series.rows] == [10.0, 25.0]
    assert series.rows[1].published_at == datetime(2025, 3, 1, 9, tzinfo=UTC)
    assert [finding.code for finding in series.findings] == ["FEED_REVISED"]


def test_a_missing_hour_and_an_hour_twice_are_told(server: FeedServer) -> None:
    told = rows([1.0, 2.0, 3.0, 4.0])
    server.say(DAY_AHEAD, grid_status([told[0], told[1], told[1], told[3]]))
    series = fetch(server, hours=4)
    values = {row.start: row.value for row in series.rows}
    assert values.get(START + 2 * HOUR) is None
    assert values[START + HOUR] == 2.0
    assert [finding.code for finding in series.findings] == ["FEED_DOUBLED", "FEED_GAP"]
    assert all(finding.severity == "warning" for finding in series.findings)


def test_a_price_of_null_is_a_hole_not_zero(server: FeedServer) -> None:
    server.say(DAY_AHEAD, grid_status(rows([1.0, None, 3.0])))
    series = fetch(server)
    assert [row.value for row in series.rows] == [1.0, None, 3.0]
    assert [finding.code for finding in series.findings] == ["FEED_GAP"]


def test_a_rate_limit_is_waited_for(server: FeedServer) -> None:
    server.say(DAY_AHEAD, after([LIMITED, LIMITED], grid_status(rows([1.0, 2.0, 3.0]))))
    assert len(fetch(server).rows) == 3
    assert len(server.asked) == 3


def test_a_rate_limit_that_stays_is_an_error(server: FeedServer) -> None:
    server.say(DAY_AHEAD, LIMITED)
    assert refused(server) == "FEED_RATE_LIMITED"


def test_a_silent_source_is_stood_in_for_by_a_copy_that_says_so(
    server: FeedServer, tmp_path: Path
) -> None:
    ask = Ask(zone="ercot/HB_WEST", quantity="day_ahead_price", start=START, end=START + HOUR)
    server.say(DAY_AHEAD, grid_status(rows([21.5])))
    with door(NOW, cache_dir=tmp_path) as http:
        fresh = Gridstatus(http, base_url=server.url, key="sesame").fetch(ask)
    assert not fresh.from_cache
    server.say(DAY_AHEAD, Told(b"", status=503))
    with door(NOW + 5 * HOUR, cache_dir=tmp_path) as http:
        old = Gridstatus(http, base_url=server.url, key="sesame").fetch(ask)
    assert old.rows == fresh.rows
    assert (old.from_cache, old.fetched_at) == (True, NOW)
    assert [finding.code for finding in old.findings] == ["FEED_STALE"]
    assert not any(b"sesame" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_without_a_key_nothing_is_asked(server: FeedServer) -> None:
    assert refused(server, key=None) == "FEED_NO_KEY"
    assert server.asked == []


def test_a_wrong_key_is_refused_and_never_shown(server: FeedServer) -> None:
    server.say(DAY_AHEAD, grid_status(rows([1.0])))
    with pytest.raises(FindingsError) as caught:
        fetch(server, key="open-barley")
    assert code_of(caught.value) == "FEED_REFUSED"
    assert "open-barley" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (HTML, "FEED_NOT_JSON"),
        (Told(b'{"status_code": 200, "data": [["interval_start'), "FEED_NOT_JSON"),
        (Told(b'{"status_code": 200', cut=True), "FEED_UNREACHABLE"),
        (in_json({"data": [], "meta": None}), "FEED_SHAPE"),
        (in_json({"data": {"spp": 1}, "meta": {"hasNextPage": False}}), "FEED_SHAPE"),
        (in_json([1, 2]), "FEED_SHAPE"),
        (in_json({"data": [[*GRID_COLUMNS, "spp"], [1]], "meta": {}}), "FEED_SHAPE"),
    ],
)
def test_what_is_no_page_of_prices_is_an_error(server: FeedServer, told: Told, code: str) -> None:
    server.say(DAY_AHEAD, told)
    assert refused(server) == code


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("spp", "n/a", "FEED_NOT_A_NUMBER"),
        ("spp", True, "FEED_NOT_A_NUMBER"),
        ("location", "HB_NORTH", "FEED_OTHER_ZONE"),
        ("interval_start_utc", "2025-03-01T06:00:00", "FEED_BAD_STAMP"),
        ("interval_start_utc", 1740808800, "FEED_BAD_STAMP"),
        ("interval_end_utc", "2025-03-01T06:15:00+00:00", "FEED_STEP"),
        ("interval_end_utc", "2025-03-01T05:00:00+00:00", "FEED_STEP"),
    ],
)
def test_a_wrong_cell_is_an_error(server: FeedServer, column: str, cell: object, code: str) -> None:
    columns = [*GRID_COLUMNS, "spp"]
    (row,) = rows([1.0])
    row[columns.index(column)] = cell
    page = {"data": [columns, row], "meta": {"hasNextPage": False, "cursor": None}}
    server.say(DAY_AHEAD, in_json(page))
    assert refused(server) == code


def test_a_missing_column_is_named(server: FeedServer) -> None:
    server.say(DAY_AHEAD, grid_status(rows([1.0]), column="lmp"))
    with pytest.raises(FindingsError, match="came without spp"):
        fetch(server)


@pytest.mark.parametrize("zone", ["HB_WEST", "ercot/", "ercot", "nordpool/DK1", ""])
def test_what_is_no_zone_is_told_with_the_markets(server: FeedServer, zone: str) -> None:
    with pytest.raises(FindingsError, match="caiso, ercot, isone, miso, nyiso, pjm, spp"):
        fetch(server, zone=zone)
    assert server.asked == []


def test_what_is_no_price_is_refused(server: FeedServer) -> None:
    assert refused(server, quantity="carbon") == "FEED_NO_QUANTITY"


def test_every_market_has_both_prices() -> None:
    datasets = load_datasets()
    assert len(datasets) == 14
    assert {quantity for _, quantity in datasets} == set(Gridstatus.quantities)
    for (market, quantity), dataset in datasets.items():
        assert dataset.name.startswith(f"{market}_")
        assert dataset.step in (HOUR, HOUR / 4, HOUR / 12)
        assert (dataset.step == HOUR) == (quantity == "day_ahead_price")

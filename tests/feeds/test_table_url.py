"""Any CSV or JSON address: semicolons, decimal commas, local clocks, ends of intervals, units."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_server import FeedServer, Told, code_of, door, in_csv, in_json
from feed_server_more import HTML
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries
from tokenergy.feeds.table_cells import at_path, number_of
from tokenergy.feeds.table_url import TableMapping, TableUrl

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAIN = TableMapping(url="", time="time", value="price", unit="EUR/MWh")


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def fetch(
    server: FeedServer,
    told: Told | str,
    *,
    start: datetime = START,
    hours: int = 3,
    quantity: FeedQuantity = "day_ahead_price",
    **mapped: Any,
) -> FeedSeries:
    server.say("/table", in_csv(told) if isinstance(told, str) else told)
    mapping = replace(PLAIN, **{"url": f"{server.url}/table", **mapped})
    ask = Ask(zone="home", quantity=quantity, start=start, end=start + hours * HOUR)
    with door(START) as http:
        return TableUrl(http, mapping=mapping).fetch(ask)


def refused(server: FeedServer, told: Told | str, **mapped: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        fetch(server, told, **mapped)
    return code_of(caught.value)


def values(series: FeedSeries) -> list[float | None]:
    return [row.value for row in series.rows]


ISO = "time,price\n2026-03-02T00:00Z,1.5\n2026-03-02T01:00Z,-2\n2026-03-02T02:00Z,3\n"


def test_a_plain_csv_is_read(server: FeedServer) -> None:
    series = fetch(server, ISO)
    assert [(row.start, row.step) for row in series.rows] == [
        (START + at * HOUR, HOUR) for at in range(3)
    ]
    assert values(series) == [1.5, -2.0, 3.0]
    assert (series.unit, series.column) == ("EUR/MWh", "day_ahead_price_eur_per_mwh")
    assert series.findings == ()


def test_semicolons_decimal_commas_and_a_byte_order_mark(server: FeedServer) -> None:
    """The German way: 1.234,5 is one thousand two hundred thirty-four and a half."""
    told = (
        "\ufeffDatum;Preis [EUR/MWh];x\n02.03.2026 01:00;1.234,5;a\n"
        "02.03.2026 02:00;-0,25;b\n\n02.03.2026 03:00;;c\n"
    )
    series = fetch(
        server,
        told,
        time="Datum",
        value="Preis [EUR/MWh]",
        time_format="%d.%m.%Y %H:%M",
        time_zone="Europe/Berlin",
        decimal=",",
    )
    assert values(series) == [1234.5, -0.25, None]
    assert series.rows[0].start == START


@pytest.mark.parametrize(
    ("stamps", "start", "hours"),
    [
        (["00", "01", "03", "04"], datetime(2026, 3, 28, 23, tzinfo=UTC), 4),
        (["00", "01", "02", "02", "03"], datetime(2026, 10, 24, 22, tzinfo=UTC), 5),
    ],
)
def test_local_clocks_of_spring_and_autumn(
    server: FeedServer, stamps: list[str], start: datetime, hours: int
) -> None:
    day = "2026-03-29" if start.month == 3 else "2026-10-25"
    told = "time,price\n" + "".join(f"{day} {hour}:00,{at}\n" for at, hour in enumerate(stamps))
    series = fetch(server, told, start=start, hours=hours, time_zone="Europe/Berlin")
    assert values(series) == list(range(hours))
    assert [row.start for row in series.rows] == [start + at * HOUR for at in range(hours)]
    assert series.findings == ()


def test_a_plain_day_in_autumn_is_told(server: FeedServer) -> None:
    told = "time,price\n" + "".join(f"2026-10-25 {hour:02}:00,{hour}\n" for hour in range(24))
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    series = fetch(server, told, start=start, hours=25, time_zone="Europe/Berlin")
    assert [item.code for item in series.findings] == ["FEED_DST_DAY", "FEED_GAP"]
    assert series.findings[1].value == "2"


def test_stamps_at_the_end_of_intervals_are_moved(server: FeedServer) -> None:
    """Hours end at 1, 2 and 3, quarters at 3:15 to 4:00: each is moved by its own length."""
    ends = ["01:00", "02:00", "03:00", "03:15", "03:30", "03:45", "04:00"]
    told = "time,price\n" + "".join(f"2026-03-02T{end}Z,{at}\n" for at, end in enumerate(ends))
    series = fetch(server, told, stamp="end", hours=4)
    assert [row.step for row in series.rows] == [HOUR] * 3 + [HOUR / 4] * 4
    assert series.rows[0].start == START
    assert series.rows[3].start == START + 3 * HOUR
    assert series.findings == ()


def test_a_stated_step_needs_no_guess(server: FeedServer) -> None:
    told = "time,price\n2026-03-02T00:00Z,1\n2026-03-02T00:30Z,2\n"
    series = fetch(server, told, hours=1, step_min=15)
    assert {row.step for row in series.rows} == {HOUR / 4}
    assert [item.code for item in series.findings] == ["FEED_GAP"]


def test_rows_of_json_are_read_by_paths(server: FeedServer) -> None:
    told = in_json(
        {
            "meta": {"unit": "EUR/MWh"},
            "data": {
                "rows": [
                    {"at": {"start": 1772409600}, "v": [9, 1.5], "told": "2026-03-01T12:00Z"},
                    {"at": {"start": 1772413200}, "v": [9, None], "told": None},
                ]
            },
        }
    )
    series = fetch(
        server,
        told,
        hours=2,
        rows="data.rows",
        time="at.start",
        value="v[1]",
        published="told",
        unit_at="meta.unit",
    )
    assert values(series) == [1.5, None]
    assert series.rows[0].published_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert series.rows[1].published_at is None


def test_two_lists_of_json_are_read(server: FeedServer) -> None:
    """Stamps in milliseconds."""
    told = in_json({"d": {"t": [1772409600000, 1772413200000], "p": ["1.5", "2"]}})
    series = fetch(server, told, hours=2, rows="d", time="t", value="p")
    assert values(series) == [1.5, 2.0]


def test_the_address_is_filled_in_and_shown_without_its_key(server: FeedServer) -> None:
    server.say("/table", in_csv(ISO))
    url = f"{server.url}/table/{{zone}}?from={{start}}&to={{end}}&token=sesame"
    mapping = replace(PLAIN, url=url)
    ask = Ask(zone="a/b", quantity="day_ahead_price", start=START, end=START + 3 * HOUR)
    with door(START) as http:
        series = TableUrl(http, mapping=mapping).fetch(ask)
    (asked,) = server.asked
    assert asked.path == "/table/a%2Fb"
    assert asked.query == {
        "from": "2026-03-02T00:00Z",
        "to": "2026-03-02T03:00Z",
        "token": "sesame",
    }
    assert "sesame" not in series.source


def test_other_quantities_have_one_unit(server: FeedServer) -> None:
    series = fetch(server, ISO, quantity="carbon", unit="gCO2 / kWh")
    assert (series.unit, series.column) == ("gCO2/kWh", "carbon_gco2_per_kwh")
    assert fetch(server, ISO, quantity="temperature", unit="degC").column == "temperature_degc"
    assert refused(server, ISO, quantity="carbon", unit="kg/MWh") == "FEED_UNIT"


@pytest.mark.parametrize("unit", ["EUR/kWh", "ct/kWh", "MWh", "", "XYZ/MWh", "EUR/MW"])
def test_a_price_in_another_unit_is_refused_with_the_expected_one(
    server: FeedServer, unit: str
) -> None:
    with pytest.raises(FindingsError) as caught:
        fetch(server, ISO, unit=unit)
    (finding,) = caught.value.findings
    assert finding.code == "FEED_UNIT" and "EUR/MWh" in finding.limit
    assert server.asked == []


def test_what_the_source_says_of_its_unit_is_held_against_it(server: FeedServer) -> None:
    told = "time,price,unit\n2026-03-02T00:00Z,1,EUR/MWh\n2026-03-02T01:00Z,1,GBP/MWh\n"
    assert refused(server, told, unit_at="unit") == "FEED_UNIT"
    named = ISO.replace("price", "price_eur_per_kwh")
    assert refused(server, named, value="price_eur_per_kwh") == "FEED_UNIT"
    assert refused(server, ISO, value="Price [GBP/MWh]") == "FEED_UNIT"
    assert values(fetch(server, ISO.replace("price", "eur_mwh"), value="eur_mwh"))[0] == 1.5


@pytest.mark.parametrize(
    ("told", "mapped", "code"),
    [
        (HTML, {}, "FEED_NOT_A_TABLE"),
        (Told(b"time,pri", cut=True), {}, "FEED_UNREACHABLE"),
        (Told(b"\xff\xfet\x00"), {}, "FEED_NOT_TEXT"),
        (Told(b'{"rows": [{"ti'), {}, "FEED_NOT_JSON"),
        ("", {}, "FEED_NO_COLUMN"),
        (ISO, {"value": "cost"}, "FEED_NO_COLUMN"),
        ("time,price,price\n2026-03-02T00:00Z,1,2\n", {}, "FEED_NO_COLUMN"),
        (ISO + "2026-03-02T03", {}, "FEED_SHAPE"),
        (ISO, {"delimiter": ";;"}, "FEED_BAD_MAPPING"),
        (ISO.replace("1.5", "1;5"), {}, "FEED_NOT_A_NUMBER"),
        (ISO.replace("1.5", "1_5"), {}, "FEED_NOT_A_NUMBER"),
        (ISO.replace("1.5", "inf"), {}, "FEED_NOT_A_NUMBER"),
        (ISO.replace("1.5", "12:30"), {}, "FEED_NOT_A_NUMBER"),
        (ISO.replace("00:00Z", "25:00Z"), {}, "FEED_BAD_STAMP"),
        (ISO.replace("Z", ""), {}, "FEED_NAIVE_STAMP"),
        (ISO, {"time_zone": "Europe/Berlni"}, "FEED_TIME_ZONE"),
        (ISO, {"time_format": "%d.%m.%Y"}, "FEED_BAD_STAMP"),
        ("time,price\n", {}, "FEED_EMPTY"),
        (in_json({"rows": 5}), {"rows": "rows"}, "FEED_NO_COLUMN"),
        (in_json([{"time": True, "price": 1}]), {}, "FEED_BAD_STAMP"),
        (in_json([{"time": 1e300, "price": 1}]), {}, "FEED_BAD_STAMP"),
        (in_json([{"time": "2026-03-02T00:00Z", "price": {}}]), {}, "FEED_NOT_A_NUMBER"),
        (in_json([7]), {}, "FEED_NO_COLUMN"),
        (in_json({"time": [1, 2], "price": [1]}), {}, "FEED_SHAPE"),
        (in_json({"time": 1, "price": [1]}), {}, "FEED_SHAPE"),
    ],
)
def test_what_is_no_series_is_refused(
    server: FeedServer, told: Told | str, mapped: dict[str, Any], code: str
) -> None:
    assert refused(server, told, **mapped) == code


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1.234,5", ",", 1234.5),
        ("1.234", ",", 1234.0),
        ("-12,75", ",", -12.75),
        ("1 234,5", ",", 1234.5),
        ("1,234.5", ".", 1234.5),
        ("1234.5", ".", 1234.5),
        ("1e3", ".", 1000.0),
        ("-", ".", None),
        ("NaN", ",", None),
    ],
)
def test_a_number_is_read_by_its_decimal_mark(text: str, decimal: Any, value: float) -> None:
    assert number_of(text, decimal, path="p") == value


@pytest.mark.parametrize(("text", "decimal"), [("1.5", ","), ("1,5", "."), ("1.23.4", ",")])
def test_a_number_with_two_readings_is_refused(text: str, decimal: Any) -> None:
    """1.5 under a decimal comma is 15 tenths to one and a thousands mark to another."""
    with pytest.raises(FindingsError, match="FEED_NOT_A_NUMBER"):
        number_of(text, decimal, path="p")


@given(st.integers(-(10**9), 10**9), st.booleans())
def test_commas_and_points_say_the_same(hundredths: int, grouped: bool) -> None:
    english = f"{hundredths / 100:,.2f}" if grouped else f"{hundredths / 100:.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert number_of(english, ".", path="p") == number_of(german, ",", path="p")
    assert number_of(english, ".", path="p") == pytest.approx(hundredths / 100)


def test_a_path_walks_objects_and_lists() -> None:
    told = {"a": [{"b": 1}, {"b": [2, 3]}]}
    assert at_path(told, "", path="p") is told
    assert at_path(told, "a[1].b.0", path="p") == 2
    with pytest.raises(FindingsError, match="FEED_NO_COLUMN"):
        at_path(told, "a[7]", path="p")


def test_a_decimal_comma_that_nobody_stated_is_told_as_one() -> None:
    with pytest.raises(FindingsError, match=r"decimal mark is a point.*--decimal ,"):
        number_of("50,5", ".", path="x")

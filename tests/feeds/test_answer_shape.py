"""Answers that are no series: an input error, never a crash and never a made-up number."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_server_more import GRID_COLUMNS, aemo_csv, carbon_hour
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds import aemo, electricity_maps, gridstatus, open_meteo
from tokenergy.feeds.answer_shape import moment, number, part
from tokenergy.feeds.series import Ask

START = datetime(2025, 1, 1, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
PRICE = Ask(zone="NSW1", quantity="real_time_price", start=START, end=START)
DATASET = gridstatus.load_datasets()["ercot", "day_ahead_price"]
READING = open_meteo.READINGS["solar"]


def read_grid(told: Any) -> object:
    return gridstatus.rows_of(told, dataset=DATASET, location="HB_WEST", path="p")


def read_carbon(told: Any) -> object:
    return electricity_maps.rows_of(told, zone="DE", factors="lifecycle", path="p")


def read_weather(told: Any) -> object:
    open_meteo.check_cell(told, latitude_deg=1.0, longitude_deg=1.0, path="p")
    return open_meteo.rows_of(told, reading=READING, variable="shortwave_radiation", path="p")


def read_summary(told: Any) -> object:
    return aemo.live_row(told, ask=PRICE, path="p")


GRID = {
    "data": [
        [*GRID_COLUMNS, "spp"],
        [START.isoformat(), (START + timedelta(hours=1)).isoformat(), "", "HB_WEST", "", 1.0],
    ],
    "meta": {"hasNextPage": False},
}
CARBON = {"zone": "DE", "data": [carbon_hour(START, 1.0)]}
WEATHER = {
    "latitude": 1.0,
    "longitude": 1.0,
    "utc_offset_seconds": 0,
    "hourly_units": {"shortwave_radiation": "W/m²"},
    "hourly": {"time": ["2025-01-01T00:00"], "shortwave_radiation": [1.0]},
}
SUMMARY = {
    "ELEC_NEM_SUMMARY": [
        {"REGIONID": "NSW1", "SETTLEMENTDATE": "2025-01-01T00:05:00", "PRICE_STATUS": "FIRM"}
    ],
    "ELEC_NEM_SUMMARY_PRICES": [{"REGIONID": "NSW1", "RRP": 1.0}],
}
SHAPES = [
    (read_grid, GRID),
    (read_carbon, CARBON),
    (read_weather, WEATHER),
    (read_summary, SUMMARY),
]


def broken(told: Any, path: list[int], other: Any) -> Any:
    """Return the answer with one part, deep or shallow, put out for another."""
    if not path or not isinstance(told, (dict, list)) or not told:
        return other
    names = list(told) if isinstance(told, dict) else list(range(len(told)))
    name = names[path[0] % len(names)]
    copy = dict(told) if isinstance(told, dict) else list(told)
    copy[name] = broken(told[name], path[1:], other)
    return copy


@pytest.mark.parametrize(("read", "told"), SHAPES)
def test_the_shape_itself_is_read(read: Callable[[Any], object], told: Any) -> None:
    assert read(told)


@pytest.mark.parametrize(("read", "told"), SHAPES)
@given(path=st.lists(st.integers(0, 9), max_size=5), other=JSON)
def test_a_broken_answer_is_read_or_refused(
    read: Callable[[Any], object], told: Any, path: list[int], other: Any
) -> None:
    try:
        read(broken(told, path, other))
    except FindingsError as error:
        assert all(finding.code.startswith("FEED_") for finding in error.findings)


@given(st.integers(0, 200), st.text(max_size=6))
def test_a_broken_report_is_read_or_refused(at: int, other: str) -> None:
    text = aemo_csv("2025/01/01 00:05:00", [1, 2, 3])
    try:
        aemo.rows_of(text[:at] + other + text[at + len(other) :], ask=PRICE, path="p")
    except FindingsError as error:
        assert all(finding.code.startswith("FEED_") for finding in error.findings)


@pytest.mark.parametrize("value", [True, "1_000", "n/a", "inf", float("inf"), 10**400, [], {}])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(FindingsError, match="FEED_NOT_A_NUMBER"):
        number(value, path="p")


@pytest.mark.parametrize(
    ("value", "read"), [(None, None), ("", None), (float("nan"), None), (" 1.5 ", 1.5), (-3, -3.0)]
)
def test_a_number_or_nothing(value: object, read: float | None) -> None:
    assert number(value, path="p") == read


@pytest.mark.parametrize("value", [None, 0, "noon", "2025-01-01T00:00", "0001-01-01T00:00Z"])
def test_what_is_no_moment(value: object) -> None:
    with pytest.raises(FindingsError, match="FEED_BAD_STAMP"):
        moment(value, path="p")


def test_a_moment_in_another_offset_is_brought_to_utc() -> None:
    assert moment("2025-01-01T10:00:00+10:00", path="p") == START
    assert moment("2025-01-01T10:00", path="p", zone_h=10.0) == START


def test_a_field_of_another_kind_is_told_with_what_is_there() -> None:
    with pytest.raises(FindingsError, match=r"no 'a' that is a list.*\['b'\]"):
        part({"b": 1}, "a", list, path="p")
    with pytest.raises(FindingsError, match="a whole number"):
        part({"a": True}, "a", int, path="p")

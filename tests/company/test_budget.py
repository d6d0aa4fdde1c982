"""A budget's windows by hand, in zones whose days are not all 24 hours long; its amount."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tokenergy.company.budget import Budget


def budget(**other: Any) -> Budget:
    stated = {"name": "b", "usd": 10.0, "window": "day", "time_zone": "UTC"} | other
    return Budget.model_validate(stated)


@pytest.mark.parametrize(
    ("window", "zone", "start", "end"),
    [
        # 29 March 2026 has 23 hours in Berlin: clocks go from 02:00 to 03:00.
        ("day", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("hour", "Europe/Berlin", "2026-03-29T12:00Z", "2026-03-29T13:00Z"),
        # Kolkata is 5 h 30 min ahead: its hours begin at half past.
        ("hour", "Asia/Kolkata", "2026-03-29T12:30Z", "2026-03-29T13:30Z"),
        ("week", "Europe/Berlin", "2026-03-22T23:00Z", "2026-03-29T22:00Z"),
        ("month", "Europe/Berlin", "2026-02-28T23:00Z", "2026-03-31T22:00Z"),
        ("month", "America/New_York", "2026-03-01T05:00Z", "2026-04-01T04:00Z"),
    ],
)
def test_the_window_of_a_moment(window: str, zone: str, start: str, end: str) -> None:
    found = budget(window=window, time_zone=zone).window_at(
        datetime(2026, 3, 29, 12, 45, tzinfo=UTC)
    )
    assert found == (datetime.fromisoformat(start), datetime.fromisoformat(end))


def test_the_month_after_december_is_of_the_next_year() -> None:
    found = budget(window="month").window_at(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert found == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["hour", "day", "week", "month"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Tokyo"]),
)
def test_windows_hold_their_moment_and_follow_without_a_gap(
    moment: datetime, window: str, zone: str
) -> None:
    one = budget(window=window, time_zone=zone)
    start, end = one.window_at(moment)
    assert start <= moment < end
    assert one.window_at(end)[0] == end
    assert one.window_at(start) == (start, end)
    assert one.window_at(end - timedelta(microseconds=1)) == (start, end)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        budget().window_at(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("amount", "unit", "quantity"),
    [
        ({"usd": 12.5}, "usd", 12.5),
        ({"usd": None, "mwh": 2.0}, "j", 7.2e9),
        ({"usd": None, "j": 3.0}, "j", 3.0),
    ],
)
def test_its_amount_in_its_unit(amount: dict[str, Any], unit: str, quantity: float) -> None:
    """1 MWh is 3.6e9 J."""
    one = budget(**amount)
    assert (one.unit, one.budget_quantity) == (unit, quantity)


@pytest.mark.parametrize("amount", [{"usd": None}, {"mwh": 1.0}, {"j": 1.0}, {"usd": 0.0}])
def test_exactly_one_amount_above_zero(amount: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        budget(**amount)

"""The calendar of synthetic hours against the standard library's."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.synthetic.hours import hours_from, split_by_year

STARTS = st.datetimes(
    min_value=datetime(1990, 1, 1), max_value=datetime(2060, 1, 1), timezones=st.just(UTC)
).map(lambda moment: moment.replace(minute=0, second=0, microsecond=0))


@given(STARTS, st.integers(-12, 14))
def test_clock_and_weekday_are_the_calendars(start: datetime, offset_h: int) -> None:
    hours = hours_from(start, hours_count=30)
    local = [start + timedelta(hours=step + offset_h) for step in range(30)]
    weekdays = hours.weekday(utc_offset_h=float(offset_h))
    np.testing.assert_array_equal(weekdays, [moment.weekday() for moment in local])
    clock_h = hours.clock_h(utc_offset_h=float(offset_h))
    np.testing.assert_allclose(clock_h, [moment.hour + 0.5 for moment in local])


@given(STARTS)
def test_the_day_of_the_year_is_the_calendars(start: datetime) -> None:
    """A year of 365.24 days drifts from the calendar by less than two days."""
    first = datetime(start.year, 1, 1, tzinfo=UTC)
    calendar_days = (start - first) / timedelta(days=1)
    own_days = float(hours_from(start, hours_count=1).day_of_year_days()[0])
    apart_days = (own_days - calendar_days + 182.0) % 365.2422 - 182.0
    assert abs(apart_days) < 2.0


@given(STARTS, st.integers(1, 30_000))
def test_years_are_cut_at_new_year(start: datetime, hours_count: int) -> None:
    parts = split_by_year(hours_from(start, hours_count=hours_count))
    assert sum(part.count for _, part in parts) == hours_count
    index = np.concatenate([part.index for _, part in parts])
    np.testing.assert_array_equal(np.diff(index), 1)
    for new_year, part in parts:
        assert new_year <= part.first
        assert part.first + part.count <= new_year + 366 * 24

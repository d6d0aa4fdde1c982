"""Windows of accounts are the windows of budgets."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.budget import Budget
from tokenergy.company.serving.window import window_of

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")


@given(
    st.sampled_from(["hour", "day", "week", "month"]),
    st.sampled_from(ZONES),
    st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2030, 1, 1)),
)
def test_a_window_is_the_one_that_the_budget_tells(window: str, zone: str, at: datetime) -> None:
    moment = at.replace(tzinfo=UTC)
    budget = Budget(name="b", usd=1.0, window=window, time_zone=zone)
    start, end = budget.window_at(moment)
    told = window_of(window, zone, moment.timestamp())
    assert told == (start.timestamp(), end.timestamp())
    assert told[0] <= moment.timestamp() < told[1]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_clocks_change(day: str, hours: int) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00:00Z").timestamp()
    start, end = window_of("day", "Europe/Berlin", noon)
    assert end - start == hours * 3600.0

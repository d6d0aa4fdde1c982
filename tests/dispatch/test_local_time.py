"""The calendar of a time zone: made once for the same hours, and the same as a reader's own."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tokenergy.dispatch.local_time import LocalTime

START = datetime(2025, 3, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_it_says_what_a_clock_on_the_wall_says_on_the_day_it_is_changed() -> None:
    """On 30 March 2025 at 01:00 UTC Berlin's clocks go from 2 to 3: no interval has hour 2."""
    local = LocalTime.of(START, 0.5, 48, BERLIN)
    walls = [(START + timedelta(hours=0.5 * at)).astimezone(BERLIN) for at in range(48)]
    assert local.hour.tolist() == [wall.hour for wall in walls]
    assert local.minute.tolist() == [wall.minute for wall in walls]
    assert local.day.tolist() == [(wall.date() - local.first_day).days for wall in walls]
    assert 2 not in local.hour.tolist()
    assert local.weekend[:44].all()
    assert not local.weekend[44:].any()


def test_the_same_hours_are_laid_out_once_and_nobody_can_change_them() -> None:
    local = LocalTime.of(START, 1.0, 24, BERLIN)
    assert LocalTime.of(START, 1.0, 24, BERLIN) is local
    for name in ("month", "month_of_year", "day", "hour", "minute", "weekend"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(local, name)[0] = 1


@pytest.mark.parametrize(
    "other",
    [
        (START + timedelta(hours=1), 1.0, 24, BERLIN),
        (START, 0.5, 24, BERLIN),
        (START, 1.0, 25, BERLIN),
        (START, 1.0, 24, UTC),
    ],
)
def test_other_hours_have_a_calendar_of_their_own(other: tuple[datetime, float, int, ZoneInfo]):
    assert LocalTime.of(*other) is not LocalTime.of(START, 1.0, 24, BERLIN)

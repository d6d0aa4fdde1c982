"""The calendar of a time zone, laid on the intervals of a world.

An interval belongs to the local month, day and hour that it starts in.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenergy.dispatch.supply import BoolArray, IntArray

MINUTES_PER_H = 60
KEPT_COUNT = 64
"""Calendars remembered: worlds are built again and again on the same hours."""
NEARLY_H = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalTime:
    """Local month, day and hour of each interval [T].

    Attributes:
        month: months since the first interval's month.
        month_names: name of each of them, e.g. `2025-07`.
        month_of_year: calendar month of each of them, 1 to 12.
        day: days since the first interval's day.
        hour: local hour, 0 to 23.
        minute: minutes since that hour began.
        weekend: whether it is a Saturday or a Sunday.
        first_day: local day of the first interval.
    """

    month: IntArray
    month_names: tuple[str, ...]
    month_of_year: IntArray
    day: IntArray
    hour: IntArray
    minute: IntArray
    weekend: BoolArray
    first_day: date

    @classmethod
    def of(cls, start: datetime, step_h: float, count: int, zone: tzinfo) -> "LocalTime":
        """Return the calendar of `count` intervals of `step_h` hours from `start` on (UTC).

        One that was made lately is given again: nobody can write into its arrays.
        """
        return _calendar(start, step_h, count, zone)

    @property
    def months_count(self) -> int:
        """Calendar months that are touched."""
        return len(self.month_names)

    def inside(self, start: date | None, end: date | None) -> BoolArray:
        """Return whether each interval lies in a term of local days `[start, end)` [T]."""
        within = np.ones(self.day.size, dtype=bool)
        if start is not None:
            within &= self.day >= (start - self.first_day).days
        if end is not None:
            within &= self.day < (end - self.first_day).days
        return within

    def in_hours(self, from_hour: int, to_hour: int, *, weekdays_only: bool) -> BoolArray:
        """Return whether each interval starts in local hours `[from_hour, to_hour)` [T]."""
        within: BoolArray = (self.hour >= from_hour) & (self.hour < to_hour)
        return within & ~self.weekend if weekdays_only else within


@lru_cache(maxsize=KEPT_COUNT)
def _calendar(start: datetime, step_h: float, count: int, zone: tzinfo) -> LocalTime:
    local = [(start + timedelta(hours=at * step_h)).astimezone(zone) for at in range(count)]
    first = local[0]
    month = _kept([12 * (each.year - first.year) + each.month - first.month for each in local])
    numbers = [first.month - 1 + each for each in range(int(month[-1]) + 1)]
    return LocalTime(
        month=month,
        month_names=tuple(f"{first.year + at // 12:04}-{at % 12 + 1:02}" for at in numbers),
        month_of_year=_kept([at % 12 + 1 for at in numbers]),
        day=_kept([each.toordinal() - first.toordinal() for each in local]),
        hour=_kept([each.hour for each in local]),
        minute=_kept([each.minute for each in local]),
        weekend=_kept([each.isoweekday() in (6, 7) for each in local]),
        first_day=first.date(),
    )


def _kept(values: list[Any]) -> NDArray[Any]:
    """Return an array that nobody can write into."""
    made = np.array(values)
    made.flags.writeable = False
    return made


def begins_of(local: LocalTime, step_h: float, every_h: float) -> BoolArray:
    """Return the intervals with which a meter that averages over `every_h` begins anew [T].

    The meter's intervals are a whole part of an hour, aligned to it; of intervals that are as
    long as the meter's, or longer, each begins one.
    """
    if step_h >= every_h - NEARLY_H:
        return np.ones(local.minute.size, dtype=bool)
    parts = round(1.0 / every_h)
    part = local.minute * parts // MINUTES_PER_H
    begins = np.empty(part.size, dtype=bool)
    begins[0] = local.minute[0] * parts % MINUTES_PER_H == 0
    begins[1:] = (part[1:] != part[:-1]) | (local.minute[1:] <= local.minute[:-1])
    return begins

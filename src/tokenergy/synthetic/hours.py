"""The hours of a synthetic window, counted so that every window counts them alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.errors import InputError

Floats = NDArray[np.float64]
HOURS_PER_DAY: Final = 24
DAYS_PER_YEAR_DAYS: Final = 365.2422
ORDINAL_2000: Final = datetime(2000, 1, 1).toordinal()
SUNDAY: Final = 6
SATURDAY: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """`count` hours from the absolute hour `first` (hours since the year 1, UTC)."""

    first: int
    count: int

    @property
    def index(self) -> NDArray[np.int64]:
        """Absolute hours, [hours]."""
        return np.arange(self.first, self.first + self.count, dtype=np.int64)

    def day_of_year_days(self) -> Floats:
        """Return days since the last 1 January at mid-hour, 0 to 365.24, [hours]."""
        days = (self.index + 0.5) / HOURS_PER_DAY - ORDINAL_2000
        return np.asarray(np.mod(days, DAYS_PER_YEAR_DAYS))

    def clock_h(self, *, utc_offset_h: float) -> Floats:
        """Return the local time of day at mid-hour, 0 to 24, [hours]."""
        return np.asarray(np.mod(self.index + 0.5 + utc_offset_h, float(HOURS_PER_DAY)))

    def weekday(self, *, utc_offset_h: float) -> NDArray[np.int64]:
        """Return the local day of the week at mid-hour, Monday 0 to Sunday 6, [hours]."""
        days = np.floor((self.index + 0.5 + utc_offset_h) / HOURS_PER_DAY).astype(np.int64)
        return (days - 1) % 7  # the year 1 began on a Monday

    def season(self, *, peak_day: int) -> Floats:
        """Return a yearly cosine that is 1 on day `peak_day` of the year, [hours]."""
        late_days = self.day_of_year_days() - peak_day
        return np.asarray(np.cos(2.0 * np.pi * late_days / DAYS_PER_YEAR_DAYS))


def hours_from(start: datetime, *, hours_count: int) -> Hours:
    """Return the window of `hours_count` hours from `start`.

    Raises:
        InputError: if `start` is no whole hour of UTC, or the window is empty.
    """
    if start.utcoffset() != timedelta(0):
        raise InputError(f"a synthetic series starts in UTC, not at {start.isoformat()!r}")
    if (start.minute, start.second, start.microsecond) != (0, 0, 0):
        raise InputError(f"a synthetic series starts on the hour, not {start.isoformat()!r}")
    if hours_count < 1:
        raise InputError(f"a synthetic series needs 1 hour or more, not {hours_count}")
    return Hours(first=start.toordinal() * HOURS_PER_DAY + start.hour, count=hours_count)


def split_by_year(hours: Hours) -> list[tuple[int, Hours]]:
    """Cut a window at New Year (UTC): pairs of the year's first absolute hour and its part."""
    parts = []
    first, end = hours.first, hours.first + hours.count
    while first < end:
        year = datetime.fromordinal(first // HOURS_PER_DAY).year
        new_year = datetime(year, 1, 1).toordinal() * HOURS_PER_DAY
        next_year = datetime(year + 1, 1, 1).toordinal() * HOURS_PER_DAY
        stop = min(end, next_year)
        parts.append((new_year, Hours(first=first, count=stop - first)))
        first = stop
    return parts

"""One grid of time for every series of a company, and what lies on it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.horizon import Horizon
from tokenergy.units import H_PER_DAY, S_PER_H

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
US_PER_S: Final = 1_000_000
US_PER_H: Final = round(S_PER_H) * US_PER_S
WEEK_US: Final = 7 * 24 * US_PER_H
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Equal intervals from the start of the history to the end of the horizon.

    Moments are microseconds since 1970 in UTC (`_us`), so that they compare exactly.
    """

    start_us: int
    step_us: int
    count: int
    history_count: int

    @property
    def end_us(self) -> int:
        """First moment after the grid."""
        return self.start_us + self.count * self.step_us

    @property
    def start(self) -> datetime:
        """First moment, in UTC."""
        return moment(self.start_us)

    def earlier(self, lead_us: int) -> "Grid":
        """Return the grid that begins `lead_us` earlier, a multiple of the step."""
        more = lead_us // self.step_us
        return Grid(
            start_us=self.start_us - more * self.step_us,
            step_us=self.step_us,
            count=self.count + more,
            history_count=self.history_count + more,
        )


def grid_of(horizon: Horizon, *, history_days: float) -> Grid:
    """Return the grid of a horizon with `history_days` before it."""
    step_us = round(horizon.step_h * US_PER_H)
    history_count = round(history_days * H_PER_DAY / horizon.step_h)
    return Grid(
        start_us=since_epoch_us(horizon.start) - history_count * step_us,
        step_us=step_us,
        count=history_count + horizon.intervals_count,
        history_count=history_count,
    )


def since_epoch_us(when: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (when - EPOCH) // timedelta(microseconds=1)


def moment(us: int) -> datetime:
    """Return microseconds since 1970 as a moment in UTC."""
    return EPOCH + timedelta(microseconds=us)


def stamp_text(us: int) -> str:
    """Write a moment as files do: `2026-03-02T00:00Z`, with seconds where there are any."""
    when = moment(us)
    if when.second or when.microsecond:
        return when.strftime("%Y-%m-%dT%H:%M:%SZ")
    return when.strftime("%Y-%m-%dT%H:%MZ")


def fits(grid: Grid, *, first_us: int, source_step_us: int) -> bool:
    """Tell whether a source's intervals nest in the grid's, or the grid's in them."""
    fine_us, coarse_us = sorted((grid.step_us, source_step_us))
    return coarse_us % fine_us == 0 and (first_us - grid.start_us) % fine_us == 0 and (
        source_step_us <= grid.step_us or (first_us - grid.start_us) % grid.step_us == 0
    )  # fmt: skip


def lay(stamps_us: IntArray, values: FloatArray, *, source_step_us: int, grid: Grid) -> FloatArray:
    """Lay values on the grid: the mean of finer ones, a coarser one held; NaN is missing.

    A grid interval with any missing part is missing. See `fits` for what may be laid.
    """
    if source_step_us > grid.step_us:
        return _held(stamps_us, values, source_step_us=source_step_us, grid=grid)
    per_interval = grid.step_us // source_step_us
    fine = np.full(grid.count * per_interval, np.nan)
    at = (stamps_us - grid.start_us) // source_step_us
    inside = (at >= 0) & (at < fine.size)
    fine[at[inside]] = values[inside]
    means: FloatArray = fine.reshape(grid.count, per_interval).mean(axis=1)
    return means


def _held(
    stamps_us: IntArray, values: FloatArray, *, source_step_us: int, grid: Grid
) -> FloatArray:
    """Return the value of the source's interval that each interval of the grid lies in."""
    starts_us = grid.start_us + np.arange(grid.count, dtype=np.int64) * grid.step_us
    at = np.searchsorted(stamps_us, starts_us, side="right") - 1
    covered = (at >= 0) & (starts_us < stamps_us[at] + source_step_us)
    return np.where(covered, values[at], np.nan)


def repeated(
    stamps_us: IntArray, values: FloatArray, *, source_step_us: int, grid: Grid
) -> tuple[IntArray, FloatArray]:
    """Repeat the span of a source, backwards and forwards, over the whole grid."""
    span_us = int(stamps_us[-1]) + source_step_us - int(stamps_us[0])
    first = (grid.start_us - int(stamps_us[0])) // span_us
    last = (grid.end_us - 1 - int(stamps_us[0])) // span_us
    shifts_us = np.arange(first, last + 1, dtype=np.int64) * span_us
    all_us = (shifts_us[:, None] + stamps_us[None, :]).ravel()
    return all_us, np.tile(values, shifts_us.size)


def filled_from_week_before(values: FloatArray, *, grid: Grid) -> FloatArray:
    """Put the value of the same interval one week before into each missing one, in order."""
    week = WEEK_US // grid.step_us
    filled = values.copy()
    for at in np.flatnonzero(np.isnan(values)):
        if at >= week:
            filled[at] = filled[at - week]
    return filled

"""The span of time that a question is about, cut into equal intervals."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from tokenergy.company.noun import Noun, UtcDatetime
from tokenergy.units import H_PER_DAY

FIVE_MINUTES_H: Final = 1.0 / 12.0
"""No decimal writes it: what is as near to it as 0.0833 is taken for it."""


def whole_minutes(step_h: float) -> float:
    """Return a length in hours, five whole minutes for what is as near to them as 0.0833."""
    return FIVE_MINUTES_H if abs(step_h - FIVE_MINUTES_H) < 1e-4 else step_h


StepH = Annotated[float, AfterValidator(whole_minutes)]


class Horizon(Noun):
    """From `start`, `days` days in intervals of `step_h`; intervals are `[start, end)` in UTC."""

    start: UtcDatetime
    """First moment, with its zone."""
    days: float = Field(gt=0.0, le=3660.0)
    """Length in days."""
    step_h: StepH = Field(default=1.0, ge=0.083, le=24.0)
    """Length of one interval in hours: 0.0833 (5 min), 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12 or 24."""

    @property
    def intervals_count(self) -> int:
        """Number of intervals."""
        return round(self.days * H_PER_DAY / self.step_h)

    @property
    def end(self) -> datetime:
        """First moment after the horizon."""
        return self.start + timedelta(hours=self.intervals_count * self.step_h)

    def interval(self, index: int) -> "Interval":
        """Return interval `index`; negative ones lie in the history before the horizon."""
        start = self.start + timedelta(hours=index * self.step_h)
        return Interval(start=start, end=start + timedelta(hours=self.step_h))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A half-open span `[start, end)` in UTC."""

    start: datetime
    end: datetime

    @property
    def length_h(self) -> float:
        """Length in hours."""
        return (self.end - self.start) / timedelta(hours=1)

    def label(self) -> str:
        """Return the start as people and files write it."""
        return self.start.strftime("%Y-%m-%dT%H:%MZ")

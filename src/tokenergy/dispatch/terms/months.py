"""The billing months of a tariff item, as the columns of a window see them.

A window touches few months; each has its place in a ring of as many, month `m` at `m mod size`,
so that nothing moves when the window does.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import BoolArray, FloatArray, IntArray

LEAST_MONTH_H = 28.0 * 24.0 - 1.0
"""The shortest month: February with a change of clocks."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Months:
    """Billing months over the world's intervals.

    Attributes:
        month: index of each interval's month [T].
        names: of each month, e.g. `2025-07`.
        touched: intervals of the tariff's term [T].
    """

    month: IntArray
    names: tuple[str, ...]
    touched: BoolArray

    def ring_size(self, window: Window, step_h: float) -> int:
        """Return how many months a window of this length can touch at most."""
        length_h = float(window.edges[-1] - window.edges[0]) * step_h
        return min(len(self.names), int(length_h / LEAST_MONTH_H) + 2)

    def inner(self, window: Window) -> IntArray:
        """Return the world's intervals within a window's live ones."""
        return np.arange(window.edges[0], min(window.live_end, self.month.size))

    def within(self, window: Window) -> list[int]:
        """Return the months that a window touches within the term, in the order of time."""
        inner = self.inner(window)
        return [int(each) for each in np.unique(self.month[inner[self.touched[inner]]])]

    def shares(self, window: Window, counted: BoolArray, size: int) -> FloatArray:
        """Return the part of each interval that is counted, by place in the ring [n, size]."""
        inner = self.inner(window)
        counts = np.diff(window.edges)
        of = np.repeat(np.arange(window.count), counts)[: inner.size]
        places = of * size + self.month[inner] % size
        weights = counted[inner].astype(float)
        sums = np.bincount(places, weights=weights, minlength=window.count * size)
        return np.asarray(sums.reshape(window.count, size) / counts[:, None])

    def span(self, month: int, *, first: int, last: int) -> tuple[int, int]:
        """Return the intervals `[begin, end)` of a month within a horizon `[first, last)`."""
        begin = int(np.searchsorted(self.month, month, side="left"))
        end = int(np.searchsorted(self.month, month, side="right"))
        return max(begin, first), min(end, last)

    def last_touched(self, *, first: int, last: int) -> dict[int, int]:
        """Return the last interval of each month touched within a horizon `[first, last)`."""
        inner = np.arange(first, last)[self.touched[first:last]]
        return {int(self.month[at]): int(at) for at in inner}


def month_number(name: str) -> int:
    """Return months since the year 0 of a month's name, e.g. `2025-07`."""
    year, month = name.split("-")
    return 12 * int(year) + int(month) - 1

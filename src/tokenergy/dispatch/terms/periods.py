"""Billing periods over a world's intervals: months, calendar years, contract years.

A window touches a few of them, the first one often begun before it. What a period has gathered
until then stands in the contract's state, under the period's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.supply import FloatArray, IntArray
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.units import H_PER_DAY

USUAL_DAYS = 7
"""Past days whose same hour says what is usual, as the forecaster counts them."""
NO_PERIOD = -1
"""Number of the period of an interval outside the contract's term."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Periods:
    """The periods of one contract.

    Attributes:
        index: number of the period of each interval [T], `NO_PERIOD` outside the term.
        names: of each period, in order, as states name it.
    """

    index: IntArray
    names: tuple[str, ...]

    @classmethod
    def of_labels(cls, labels: Sequence[str | None]) -> "Periods":
        """Number the labels of the intervals [T] in the order of time; None: outside the term."""
        names: list[str] = []
        index = np.full(len(labels), NO_PERIOD, dtype=np.int64)
        for at, label in enumerate(labels):
            if label is None:
                continue
            if not names or names[-1] != label:
                names.append(label)
            index[at] = len(names) - 1
        return cls(index=index, names=tuple(names))

    def most_in(self, window: Window) -> int:
        """Return the most periods that a window as long as this one can touch, at least 1."""
        span = int(window.edges[-1] - window.edges[0])
        inside = self.index[self.index >= 0]
        if not inside.size:
            return 1
        ends = inside[min(span, inside.size) - 1 :]
        return int((ends - inside[: ends.size]).max()) + 1

    def touched(self, window: Window) -> list[int]:
        """Return the numbers of the periods that the live part of a window touches, in order."""
        own = self._of_intervals(window)
        return sorted(set(own[own >= 0].tolist()))

    def parts(self, window: Window) -> FloatArray:
        """Return which intervals belong to each touched period, 1 or 0 [n, most_in]."""
        own, touched = self._of_intervals(window), self.touched(window)
        parts = np.zeros((window.count, self.most_in(window)))
        for column, number in enumerate(touched):
            parts[own == number, column] = 1.0
        return parts

    def goes_on(self, window: Window, world: World, number: int) -> bool:
        """Return whether a period has intervals of the horizon after the window."""
        return bool(np.any(self.index[window.live_end : world.last] == number))

    def before(self, state: State, owner: str, number: int) -> ContractState:
        """Return what a period has gathered before the window; nothing where it is another's."""
        past = state.contracts.get(owner)
        if past is None or past.period != self.names[number]:
            return ContractState()
        return past

    def sums(self, values: FloatArray, world: World) -> FloatArray:
        """Return a series of the horizon [T of it], summed by period [names]."""
        own = self.index[world.first : world.last]
        inside = own >= 0
        summed = np.bincount(own[inside], weights=values[inside], minlength=len(self.names))
        return summed.astype(np.float64)

    def booked(self, usd: FloatArray, world: World) -> FloatArray:
        """Return amounts of the periods [names] in each one's last interval of the horizon [T]."""
        booked = np.zeros(world.count)
        own = self.index[world.first : world.last]
        for number, amount_usd in enumerate(usd.tolist()):
            hits = (own == number).nonzero()[0]
            if hits.size:
                booked[hits[-1]] = amount_usd
        return booked

    def _of_intervals(self, window: Window) -> IntArray:
        """Return the number of each interval's period [n], `NO_PERIOD` where switched off."""
        own = self.index[np.minimum(window.edges[:-1], self.index.size - 1)]
        return np.where(window.live() > 0.0, own, NO_PERIOD)


def believed(values: FloatArray, window: Window, world: World) -> FloatArray:
    """Return a series of nature [T] as it is believed in a window [n].

    Where all is known, as it comes; else the present value, and the mean of the same hour of up
    to `USUAL_DAYS` past days after it.
    """
    now = window.known_at
    if now is None:
        return window.mean(values)
    day = max(1, round(H_PER_DAY / world.step_h))
    until = min(values.size, int(window.edges[-1]))  # nothing later is asked for
    later = np.arange(now + 1, until)
    hour = (later - now) % day
    days = [back for back in range(1, USUAL_DAYS + 1) if now - back * day >= 0]
    told = values.copy()
    if days:
        past = [values[now - back * day + hour] for back in days]
        told[now + 1 : until] = np.mean(past, axis=0)
    else:
        told[now + 1 : until] = values[now]
    return window.mean(told)

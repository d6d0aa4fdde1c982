"""How many retries are left: a small part of the requests of the last minute, and no more."""

from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 60
"""Whole seconds that are counted, the present one with them."""
LEAST_COUNT: Final = 3
"""Retries that a minute always has: a tenth of a few requests is none, and a gateway with little
to do could then never fail over. A guess of ours."""


class RetryBudget:
    """Grants retries up to a share of the requests of a sliding minute.

    Without a bound, retries multiply the load of whatever is already failing.
    """

    __slots__ = (
        "_asked", "_asked_count", "_clock", "_least_count", "_retried", "_retried_count", "_second",
        "_share",
    )  # fmt: skip

    def __init__(
        self, share: float, *, now: Callable[[], float], least_count: int = LEAST_COUNT
    ) -> None:
        """Begin with an empty minute.

        Args:
            share: of the requests, 0 to 1; 0 grants none at all.
            now: any clock in seconds that does not run backwards.
            least_count: retries that a minute has with whatever little traffic.
        """
        self._share, self._clock = share, now
        self._least_count = least_count if share > 0 else 0
        self._asked, self._retried = [0] * WINDOW_S, [0] * WINDOW_S
        self._asked_count = self._retried_count = 0
        self._second = int(now())

    def asked(self) -> None:
        """Count a request; a retry of it is none."""
        second = int(self._clock())
        if second != self._second:
            self._forget(second)
        self._asked[second % WINDOW_S] += 1
        self._asked_count += 1

    def take(self) -> bool:
        """Return whether one retry is granted, and count it if so."""
        second = int(self._clock())
        if second != self._second:
            self._forget(second)
        if self._retried_count >= max(self._least_count, int(self._share * self._asked_count)):
            return False
        self._retried[second % WINDOW_S] += 1
        self._retried_count += 1
        return True

    def _forget(self, second: int) -> None:
        """Empty the seconds that have passed since the last call."""
        if second < self._second:  # a clock that was set back: what it counted stays in its place
            self._second = second
            return
        for passed in range(max(self._second + 1, second - WINDOW_S + 1), second + 1):
            at = passed % WINDOW_S
            self._asked_count -= self._asked[at]
            self._retried_count -= self._retried[at]
            self._asked[at] = self._retried[at] = 0
        self._second = second

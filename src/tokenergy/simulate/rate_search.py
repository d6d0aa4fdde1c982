"""The largest arrival rate that keeps every limit, by bisection: pure, whatever simulates a rate.

The rate grows from a first guess, or shrinks, until one rate keeps the limits and another does
not; then the bracket is cut at its geometric middle. All requests come with the same
lengths and the same unit gaps at every rate, so what is measured moves smoothly with it.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tokenergy.errors import InputError

Broken = Literal["", "ttft", "tpot"]
"""The limit that is exceeded most; "" if every one is kept."""

WIDTH_SHARE: Final = 0.01
"""A bracket is narrow enough when its upper rate is at most this much above its lower."""

LEAST_RATE_PER_S: Final = 2.0**-12
"""About one request in 68 minutes: what fails there fails at any load."""

MOST_RATE_PER_S: Final = 2.0**20

QUIET_RATE_PER_S: Final = 1e-4
"""So few requests that nearly each is alone: one in three hours. Fewer would cost digits of time:
20,000 of them end after 2e8 s, which a float tells to 3e-8 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one replica does at one rate of arrivals, with one seed.

    Attributes:
        rate_per_s: requests per second.
        ttft_s, tpot_s: by class of request, at the percentile of the limits; NaN where no
            request of a class has such a time. The network is not in it.
        stable: whether completions keep up with arrivals.
        busy_share: part of the time in which an iteration runs.
        mean_batch_count: sequences in an iteration, averaged over that time.
        board_w: mean power of the boards, idle time included.
        prefill_w: the part of it for prefill beyond the energy benchmark's mix.
        full_batch_share: part of the busy time in which the batch is at its limit.
        cache_high_share: most of the cache that was ever in use, of what requests may fill.
        beyond_table_share: iterations outside the table of the law.
    """

    rate_per_s: float
    ttft_s: tuple[float, ...]
    tpot_s: tuple[float, ...]
    stable: bool
    busy_share: float
    mean_batch_count: float
    board_w: float
    prefill_w: float = 0.0
    full_batch_share: float = 0.0
    cache_high_share: float = 0.0
    beyond_table_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the requests of each class have to keep, at the percentile that a `Load` is told at.

    Attributes:
        ttft_limit_s: by class, what the network leaves of the tier's limit; may be negative.
        tpot_limit_s: by class.
    """

    ttft_limit_s: tuple[float, ...]
    tpot_limit_s: tuple[float, ...]

    def broken(self, load: Load) -> Broken:
        """Return the limit that a load exceeds most, relative to itself; "" if it keeps all.

        A load that is not stable breaks the time to the first token: it grows for ever.
        """
        first = _excess_share(load.ttft_s, self.ttft_limit_s)
        each = _excess_share(load.tpot_s, self.tpot_limit_s)
        if not load.stable and first <= 0.0:
            first = math.inf if each <= 0.0 else 0.0
        if max(first, each) <= 0.0:
            return ""
        return "tpot" if each >= first else "ttft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """The two loads between which a limit breaks; `within` is None if it breaks at any load.

    Attributes:
        within: the largest load found that keeps every limit.
        beyond: the smallest found that does not.
        broken: which limit `beyond` exceeds most.
    """

    within: Load | None
    beyond: Load
    broken: Broken

    @property
    def rate_per_s(self) -> float:
        """Return the largest rate that keeps the limits, 0 if none does."""
        return 0.0 if self.within is None else self.within.rate_per_s


Search = Generator[float, Load, Bracket]
"""Asks for a rate, is sent the load at that rate, and returns the bracket in the end."""

SimulateAll = Callable[[Sequence[tuple[int, float]]], Sequence[Load]]
"""Given pairs of seed index and rate, returns their loads in the same order."""


def rate_search(
    limits: Limits,
    *,
    width_share: float = WIDTH_SHARE,
    start_per_s: float = 1.0,
    first_ratio: float = 2.0,
) -> Search:
    """Search the largest rate that keeps the limits.

    Args:
        limits: what has to be kept.
        width_share: relative width at which the bracket is narrow enough.
        start_per_s: the first rate; searches that start alike share their simulations.
        first_ratio: the second rate over the first, or the first over the second. From there on
            the ratio is squared until it is 2: a start near the answer costs few simulations, and
            one far away not many more.

    Raises:
        InputError: if the limits are kept at more than a million requests per second.
    """
    load = yield start_per_s
    within, beyond = (None, load) if limits.broken(load) else (load, None)
    ratio = first_ratio
    while within is None or beyond is None:
        if within is None:
            assert beyond is not None  # one of the two is known
            rate_per_s = beyond.rate_per_s / ratio
            if rate_per_s < LEAST_RATE_PER_S:
                return Bracket(within=None, beyond=beyond, broken=limits.broken(beyond))
        else:
            rate_per_s = within.rate_per_s * ratio
            _refuse_endless(rate_per_s)
        load = yield rate_per_s
        if limits.broken(load):
            beyond = load
        else:
            within = load
        ratio = min(2.0, ratio * ratio)
    while beyond.rate_per_s > within.rate_per_s * (1.0 + width_share):
        load = yield math.sqrt(within.rate_per_s * beyond.rate_per_s)
        if limits.broken(load):
            beyond = load
        else:
            within = load
    return Bracket(within=within, beyond=beyond, broken=limits.broken(beyond))


def _refuse_endless(rate_per_s: float) -> None:
    if rate_per_s > MOST_RATE_PER_S:
        raise InputError(
            f"every limit is kept at nearly {rate_per_s:,.0f} requests/s on one replica: the law "
            "of the time of an iteration cannot be right"
        )


def searched(searches: Sequence[Search], simulate: SimulateAll) -> tuple[Bracket, ...]:
    """Run one search for each seed in step, so that their simulations share the cores."""
    brackets: dict[int, Bracket] = {}
    asked = {seed: next(search) for seed, search in enumerate(searches)}
    while asked:
        pairs = list(asked.items())
        asked = {}
        for (seed, _), load in zip(pairs, simulate(pairs), strict=True):
            try:
                asked[seed] = searches[seed].send(load)
            except StopIteration as ended:
                brackets[seed] = ended.value
    return tuple(brackets[seed] for seed in range(len(searches)))


def _excess_share(times_s: Sequence[float], limits_s: Sequence[float]) -> float:
    """Return by how much the worst class exceeds its limit; NaN times exceed nothing."""
    worst_share = -math.inf
    for time_s, limit_s in zip(times_s, limits_s, strict=True):
        if math.isnan(time_s):
            continue
        worst_share = max(worst_share, time_s / limit_s - 1.0 if limit_s > 0.0 else math.inf)
    return worst_share

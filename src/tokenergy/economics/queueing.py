"""How full a pool of slots may run: utilisation against waiting, by Erlang's formulas.

Economics sheet, section 6. Scope: planning intuition and the CFO's panel only. Servers that
batch are no M/M/c queue; dispatch uses operating points under a service level instead. Waits
are in mean service times, loads in Erlang: slots that would be busy if none ever waited.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tokenergy.errors import InputError

LATE_SHARE: Final = 0.05
"""Requests that may wait longer than promised, in the table of the sheet."""
SLOTS_COUNTS: Final = (1, 4, 16, 64, 256, 1024)
WAITS_RATIO: Final = (0.0, 0.1, 0.5, 2.0)
"""The slots, and the waits in service times, of the table of the sheet."""
HALVINGS_COUNT: Final = 60
"""Halvings of [0, 1] until nothing is left of it in a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """The most that a pool may be used under a promise about waiting.

    Attributes:
        slots_count: requests that it serves at once.
        wait_ratio: the promise, in mean service times.
        late_share: part of the requests that may wait longer.
        utilisation_share: the most utilisation at which no more of them do.
    """

    slots_count: int
    wait_ratio: float
    late_share: float
    utilisation_share: float

    @property
    def cost_ratio(self) -> float:
        """Cost of a request over its cost in a pool that is always full: 1 / utilisation."""
        return 1.0 / self.utilisation_share

    def to_dict(self) -> dict[str, Any]:
        """Return the cell as a JSON-ready mapping."""
        return asdict(self) | {"cost_ratio": self.cost_ratio}


def erlang_b_share(*, slots_count: int, load_ratio: float) -> float:
    """Return the part of the requests that find every slot busy and leave: Erlang B.

        B(0) = 1;  B(k) = a B(k-1) / (k + a B(k-1))

    by recursion, so that no factorial is ever formed.

    Args:
        slots_count: slots c.
        load_ratio: offered load a in Erlang: arrivals x mean service time.

    Raises:
        InputError: if there is no slot, or the load is negative or infinite.
    """
    _refuse(slots_count, load_ratio)
    blocked = 1.0
    for slots in range(1, slots_count + 1):
        blocked = load_ratio * blocked / (slots + load_ratio * blocked)
    return blocked


def erlang_c_share(*, slots_count: int, load_ratio: float) -> float:
    """Return the part of the requests that wait at all: Erlang C = B / (1 - rho (1 - B)).

    A pool whose load reaches its slots never catches up: everybody waits.

    Raises:
        InputError: if there is no slot, or the load is negative or infinite.
    """
    _refuse(slots_count, load_ratio)
    used_share = load_ratio / slots_count
    if used_share >= 1.0:
        return 1.0
    blocked = erlang_b_share(slots_count=slots_count, load_ratio=load_ratio)
    return blocked / (1.0 - used_share * (1.0 - blocked))


def late_share(*, slots_count: int, utilisation_share: float, wait_ratio: float) -> float:
    """Return P(wait > t) = C(c, a) exp(-c (1 - rho) t), t in service times, a = c rho.

    With one slot this is rho exp(-(1 - rho) t).

    Raises:
        InputError: if there is no slot, or the utilisation or the wait is negative.
    """
    if not wait_ratio >= 0.0:
        raise InputError(f"a wait of {wait_ratio:g} service times: 0 or more is needed")
    waits = erlang_c_share(slots_count=slots_count, load_ratio=slots_count * utilisation_share)
    if utilisation_share >= 1.0:
        return 1.0
    return waits * math.exp(-slots_count * (1.0 - utilisation_share) * wait_ratio)


def most_utilisation(
    *, slots_count: int, wait_ratio: float, late_most_share: float = LATE_SHARE
) -> Utilisation:
    """Return the most utilisation at which no more than a part of the requests waits longer.

    By bisection: P(wait > t) rises with utilisation, from 0 to 1.

    Raises:
        InputError: if the part is not strictly between 0 and 1, or as in `late_share`.
    """
    if not 0.0 < late_most_share < 1.0:
        raise InputError(f"late_most_share is {late_most_share:g}: above 0 and below 1 is needed")
    low, high = 0.0, 1.0
    for _ in range(HALVINGS_COUNT):
        middle = 0.5 * (low + high)
        late = late_share(slots_count=slots_count, utilisation_share=middle, wait_ratio=wait_ratio)
        low, high = (middle, high) if late <= late_most_share else (low, middle)
    return Utilisation(
        slots_count=slots_count,
        wait_ratio=wait_ratio,
        late_share=late_most_share,
        utilisation_share=low,
    )


def utilisation_table(
    slots: Sequence[int] = SLOTS_COUNTS, waits_ratio: Sequence[float] = WAITS_RATIO
) -> tuple[tuple[Utilisation, ...], ...]:
    """Return the most utilisation by slots (rows) and by wait in service times (columns)."""
    return tuple(
        tuple(most_utilisation(slots_count=count, wait_ratio=wait) for wait in waits_ratio)
        for count in slots
    )


def mean_wait_ratio(
    *,
    slots_count: int,
    utilisation_share: float,
    arrivals_scv_ratio: float = 1.0,
    service_scv_ratio: float = 1.0,
) -> float:
    """Return the mean wait in service times of a G/G/c queue, after Allen and Cunneen.

        C(c, a) / (c (1 - rho)) x (ca^2 + cs^2) / 2

    exact for M/M/c, where both squared coefficients of variation are 1, and for M/G/1; an
    approximation elsewhere. Infinite where the pool never catches up.

    Raises:
        InputError: if a variation is negative, or as in `erlang_c_share`.
    """
    if not min(arrivals_scv_ratio, service_scv_ratio) >= 0.0:
        raise InputError(
            f"squared variations of {arrivals_scv_ratio:g} (arrivals) and "
            f"{service_scv_ratio:g} (service): 0 or more is needed"
        )
    waits = erlang_c_share(slots_count=slots_count, load_ratio=slots_count * utilisation_share)
    if utilisation_share >= 1.0:
        return math.inf
    variation_ratio = 0.5 * (arrivals_scv_ratio + service_scv_ratio)
    return waits / (slots_count * (1.0 - utilisation_share)) * variation_ratio


def square_root_slots(*, load_ratio: float, beta_ratio: float) -> int:
    """Return the slots of square-root staffing: c = R + beta sqrt(R), rounded up.

    What a pool needs above its load grows with the root of the load only: pooling is worth more
    than any price of power.

    Args:
        load_ratio: offered load R in Erlang.
        beta_ratio: how many standard deviations of the load to keep free.

    Raises:
        InputError: if the load or beta is not above 0.
    """
    if not (0.0 < load_ratio < math.inf and 0.0 < beta_ratio < math.inf):
        raise InputError(
            f"a load of {load_ratio:g} Erlang and a beta of {beta_ratio:g}: both must exceed 0"
        )
    return math.ceil(load_ratio + beta_ratio * math.sqrt(load_ratio))


def _refuse(slots_count: int, load_ratio: float) -> None:
    if slots_count < 1:
        raise InputError(f"a pool of {slots_count} slots; it needs at least 1")
    if not 0.0 <= load_ratio < math.inf:
        raise InputError(f"a load of {load_ratio:g} Erlang: 0 or more is needed, and finite")

"""Why: the reason of a decision, one of the closed list, and what came second."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from tokenergy.company.decision import Reason
from tokenergy.routing.placing import Placed
from tokenergy.routing.restraint import DOWN, FULL, SLOW, UNAFFORDABLE, Ask, Key, Option

REMOVED: Final[dict[int, Reason]] = {
    FULL: "place_full",
    DOWN: "place_down",
    SLOW: "latency_class",
    UNAFFORDABLE: "budget_exhausted",
}
"""Why the place or rung that would have been taken was not."""
NOWHERE_REASONS: Final[tuple[tuple[int, Reason], ...]] = (
    (FULL, "overloaded"),
    (UNAFFORDABLE, "budget_exhausted"),
    (DOWN, "place_down"),
    (SLOW, "latency_class"),
)
"""Why there is no place at all: the one that passes first is told first."""


class Offers(NamedTuple):
    """The actions of a request that were not removed, and why others were.

    Attributes:
        now, later: best first.
        top_removed: why the best rung runs nowhere, or not at its cheapest place; 0: it does.
        removed: every reason, as bits.
    """

    now: list[Key]
    later: list[Key]
    top_removed: int
    removed: int


def why_now(ask: Ask, rungs: Sequence[int], offers: Offers, place: Placed) -> Reason:
    """Return why a request runs now, there, on that rung."""
    option, top = place.option, rungs[0]
    if option.score_usd < 0.0:
        if ask.load.must_serve:
            return "must_serve"
        if ask.stale:
            return "safe_mode"
    if option.rung != top:
        if all(-each[3] != top for each in offers.now):
            return REMOVED.get(offers.top_removed, "no_capable_deployment")
        rung = ask.load.rungs[option.rung]
        same = rung.model == ask.load.rungs[top].model
        if len(place.tied) > 1 and not same:
            return "tie_by_share"
        # the same model, uncapped and of less quality, is somebody else's: an external API
        return "cap_pays" if same and rung.cap_tokens is not None else "downgrade_pays"
    if place.by_affinity:
        return "affinity"
    if offers.top_removed:
        return REMOVED[offers.top_removed]
    return "tie_by_share" if len(place.tied) > 1 else "value_above_cost"


def why_later(offers: Offers) -> Reason:
    """Return why a request waits: for a better price, or for a place that is there."""
    if offers.now or not offers.removed:
        return "cheaper_interval"
    return next(REMOVED[bit] for bit, _ in NOWHERE_REASONS if offers.removed & bit)


def why_nowhere(offers: Offers) -> Reason:
    """Return why there is no place for a request, now or later."""
    for bit, reason in NOWHERE_REASONS:
        if offers.removed & bit:
            return reason
    return "no_capable_deployment"


def why_not(ask: Ask, options: Iterable[Option]) -> Reason:
    """Return why no action is worth it: would one be, were its budgets without a price?"""
    for option in options:
        shadow = (ask.spend_ratio - 1.0) * option.cost_usd + ask.joule_usd_per_j * option.use_j
        if shadow > 0.0 and option.score_usd + shadow >= 0.0:
            return "budget_pacing"
    return "marginal_cost_exceeds_value"


def runner_up(mine: list[Key], others: list[Key], *, may_refuse: bool) -> Key | None:
    """Return the best action but for the first of `mine`, which is chosen; None: to refuse."""
    best = mine[1] if len(mine) > 1 else None
    if others and (best is None or others[0] > best):
        best = others[0]
    return None if best is None or (may_refuse and best[0] < 0.0) else best

"""T11, duals are the price: route by shares and admit by dual, against a full re-solve.

Economics sheet, section 9. Three sites, chat of many values and batch work that waits. Request by
request `decide` sends each where the shares of the last plan say, refuses what its dual says is
not worth it, and lets batch wait for the planned hours; it knows a forecast. The rival solves the
whole program anew each hour, knowing what that hour brings. Cost is power and network and the
value of what was refused, so that serving less is no way to win. The refresh of one hour is the
claim; two and four hours show how prices age.

Before it passed it failed, by 4.9 %, and showed that time ties like space: batch work took an hour
that the plan had not meant for it. `decide` now keeps the pace of the plan (`waits`).

What the gap holds: that a plan knows classes of value, not requests; that loads are counted by
request; and the surprise of the hour. It holds no queues: replicas are not simulated here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tokenergy.thesis.dual_price_trace import (
    HISTORY_H,
    REQUESTS_PER_H,
    SURPRISE_SHARE,
    VALUE_OVER_COST_RATIO,
    VALUE_TOP_TENTH_SHARE,
    span_of,
)
from tokenergy.thesis.dual_price_trial import SPARE_SHARE, Spent, by_duals, by_resolve
from tokenergy.thesis.geography_weeks import layout_of
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.restraint_trial import CLASSES_COUNT
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.three_company import Layout, Terms
from tokenergy.thesis.three_sites import (
    Scene,
    findings_of,
    scene_of,
    spread_starts,
    too_short,
)
from tokenergy.thesis.thresholds import DUAL_GAP_MOST_SHARE

SPAN_H: Final = 48
SPANS_MOST_COUNT: Final = 4
REFRESHES_H: Final = (1, 2, 4)
OTHER_SURPRISES_SHARE: Final = (0.0, 0.10)
"""Of one span only: what the gap is with no surprise at all, and with a rough forecast."""
CLAIM: Final = "the program's duals are the price to route and admit by"
THRESHOLD: Final = f"cost gap to a full re-solve <= {DUAL_GAP_MOST_SHARE:.0%}, refreshed hourly"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Both sides over all spans.

    Attributes:
        resolve: the full re-solve, by span.
        duals: by hours between refreshes, and by span; other refreshes than the first have the
            first span only.
        decisions: which part of the decisions gave which reason, refreshed hourly.
        surprised: gap of the first span at other surprises of the hour, refreshed hourly.
    """

    resolve: tuple[Spent, ...]
    duals: dict[int, tuple[Spent, ...]]
    decisions: dict[str, float]
    surprised: dict[float, float]

    def gap_share(self, refresh_h: int) -> float:
        """Return how much more the duals cost, over the spans that have this refresh."""
        pairs = self._pairs(refresh_h)
        return sum(ours for ours, _ in pairs) / sum(theirs for _, theirs in pairs) - 1.0

    def gaps_share(self, refresh_h: int) -> list[float]:
        """Return the same by span."""
        return [ours / theirs - 1.0 for ours, theirs in self._pairs(refresh_h)]

    def _pairs(self, refresh_h: int) -> list[tuple[float, float]]:
        """Return what both sides cost in each span that has a refresh, USD."""
        ours = _usd(self.duals[refresh_h])
        return list(zip(ours, _usd(self.resolve[: len(ours)]), strict=True))


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Play the spans on both sides and hold the gap against the threshold.

    Raises:
        InputError: if there are not three zones with a price in every hour.
    """
    scene, terms = scene_of(inputs), Terms.base(inputs.ranges)
    starts = spread_starts(scene, span_h=SPAN_H, most_count=SPANS_MOST_COUNT, history_h=HISTORY_H)
    label = "sensitivity" if scene.synthetic else "evidence"
    if not starts:
        return too_short(
            scene,
            id="T11",
            claim=CLAIM,
            label="sensitivity" if scene.synthetic else "evidence",
            unit="share of cost",
            threshold=THRESHOLD,
            needs=f"{HISTORY_H} h of history and {SPAN_H} h to play are needed",
        )
    utilisation_share = inputs.ranges["utilisation_share"].base_quantity
    layout = layout_of(scene, utilisation_share=utilisation_share)
    compared = compare(scene, layout, terms, starts, seed=inputs.seed, told=told)
    gap = compared.gap_share(1)
    said = {"scene": scene.digest(), "layout": layout, "terms": terms, "starts": starts,
            "seed": inputs.seed, "span_h": SPAN_H, "surprise": SURPRISE_SHARE,
            "requests_per_h": REQUESTS_PER_H, "classes": CLASSES_COUNT}  # fmt: skip
    return Result(
        id="T11",
        claim=CLAIM,
        label="evidence" if label == "evidence" else "sensitivity",
        number=gap,
        unit="share of cost",
        threshold=THRESHOLD,
        verdict=verdict_of(gap <= DUAL_GAP_MOST_SHARE),
        says=_says(compared),
        inputs_hash=hash_of(said),
        figures=_figures(compared, starts, utilisation_share=utilisation_share),
        findings=tuple(finding.to_dict() for finding in findings_of(scene)),
    )


def compare(
    scene: Scene,
    layout: Layout,
    terms: Terms,
    starts: Sequence[int],
    *,
    seed: int,
    hours_count: int = SPAN_H,
    refreshes_h: Sequence[int] = REFRESHES_H,
    other_surprises_share: Sequence[float] = OTHER_SURPRISES_SHARE,
    told: Told | None = None,
) -> Compared:
    """Play spans of hours on both sides, the same requests on each."""
    resolve: list[Spent] = []
    duals: dict[int, list[Spent]] = {refresh_h: [] for refresh_h in refreshes_h}
    decisions: dict[str, float] = {}
    steps = len(starts) + len(other_surprises_share)
    for at, first in enumerate(starts):
        span = span_of(scene, layout, terms, first=first, hours_count=hours_count, seed=seed + at)
        resolve.append(by_resolve(span))
        for refresh_h in refreshes_h if at == 0 else refreshes_h[:1]:
            spent, reasons = by_duals(span, refresh_h=refresh_h)
            duals[refresh_h].append(spent)
            if refresh_h == refreshes_h[0]:
                for reason, share in reasons.items():
                    decisions[reason] = decisions.get(reason, 0.0) + share / len(starts)
        if told is not None:
            told(at + 1, steps)
    surprised: dict[float, float] = {}
    for share in other_surprises_share:
        span = span_of(
            scene,
            layout,
            terms,
            first=starts[0],
            hours_count=hours_count,
            seed=seed,
            surprise_share=share,
        )
        ours, _ = by_duals(span, refresh_h=refreshes_h[0])
        surprised[share] = sum(_usd([ours])) / sum(_usd([by_resolve(span)])) - 1.0
    return Compared(
        surprised=surprised,
        resolve=tuple(resolve),
        duals={refresh_h: tuple(each) for refresh_h, each in duals.items()},
        decisions=dict(sorted(decisions.items())),
    )


def _usd(spent: Sequence[Spent]) -> list[float]:
    return [float(each.total_usd().sum()) for each in spent]


def _says(compared: Compared) -> str:
    gaps = compared.gaps_share(1)
    aged = ", ".join(
        f"{compared.gap_share(refresh_h):.2%} at {refresh_h} h" for refresh_h in REFRESHES_H[1:]
    )
    rough = ", ".join(
        f"at {share:.0%} one span's gap is {gap:.2%}" for share, gap in compared.surprised.items()
    )
    ours, theirs = compared.duals[1], compared.resolve
    served = sum(float(each.served_mtok.sum()) for each in ours)
    other = sum(float(each.served_mtok.sum()) for each in theirs)
    return (
        f"Deciding request by request, by shares and duals of a forecast refreshed each hour, "
        f"costs {compared.gap_share(1):.2%} more than a full re-solve that knows each hour's "
        f"arrivals ({min(gaps):.2%} to {max(gaps):.2%} by span), value lost counted; it serves "
        f"{served / other - 1.0:+.2%} of the tokens. Prices that age, in the "
        f"span of {gaps[0]:.2%}: {aged}. An hour's arrivals are off "
        f"their forecast by {SURPRISE_SHARE:.0%}; {rough}. Replicas and queues are not "
        "simulated here."
    )


def _figures(
    compared: Compared, starts: Sequence[int], *, utilisation_share: float
) -> dict[str, Any]:
    def sums(spent: Sequence[Spent]) -> dict[str, float]:
        return {
            "total_usd": sum(_usd(spent)),
            "power_usd": float(sum(each.power_usd.sum() for each in spent)),
            "network_usd": float(sum(each.network_usd.sum() for each in spent)),
            "value_lost_usd": float(sum(each.lost_usd.sum() for each in spent)),
            "served_mtok": float(sum(each.served_mtok.sum() for each in spent)),
            "refused_mtok": float(sum(each.refused_mtok.sum() for each in spent)),
            "beyond_share": float(np.mean([each.beyond_share for each in spent])),
        }

    return {
        "gap_share": {f"{each}h": compared.gap_share(each) for each in compared.duals},
        "gap_share_by_span": {f"{each}h": compared.gaps_share(each) for each in compared.duals},
        "duals": {f"{each}h": sums(spent) for each, spent in compared.duals.items()},
        "resolve": sums(compared.resolve),
        "decisions_share": compared.decisions,
        "gap_share_by_surprise": {f"{s:.0%}": gap for s, gap in compared.surprised.items()},
        "starts": list(starts),
        "span_h": SPAN_H,
        "requests_per_h": REQUESTS_PER_H,
        "surprise_share": SURPRISE_SHARE,
        "spare_share": SPARE_SHARE,
        "classes_count": CLASSES_COUNT,
        "value_over_cost_ratio": VALUE_OVER_COST_RATIO,
        "value_top_tenth_share": VALUE_TOP_TENTH_SHARE,
        "utilisation_share": utilisation_share,
    }

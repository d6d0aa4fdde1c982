"""T9, flexibility: a load that may wait in part can be curtailed at system peaks almost for free.

Economics sheet, section 9. Three sites are dispatched week by week; then every site may draw 30 %
less than it would in the hours that are dearest in its own price zone, until 0.25, 0.5 or 1 % of
its energy is curtailed. Prices stand in for the load of the system: what is wanted is the hours in
which power is scarce. A part of the tokens may wait a day; the fleets are the same for every part,
sized for each region's busiest hour if nothing could wait, and room for 10 % more.

The claim holds if for some part up to 30 % less than 0.1 % of all value is lost and the priority
tier (chat) is served in full, at each of the three. What counts is what curtailment loses beyond
what is refused anyway where power costs more than a token is worth.

Cut is what a site would draw by itself. In its dearest hours that is little but chat: what may
wait has left them already, for the price alone, and cannot leave them twice. `unmoved` tells how
the same load does against the other baseline, what it would draw if nothing ever waited: then
what has left for the price counts as curtailed. The verdict is that of the first, which was run
first.

The weeks are known in full, curtailments too: they are announced a day ahead as a rule. What the
first seconds of one without notice take is the event path's (`dispatch/event_path`), and no part
of this. There are no batteries: they could only help.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from tokenergy.thesis.drawn_days import DRAWN
from tokenergy.thesis.flexibility_draws import OWN_RANGES, FlexibleDraws, drawn
from tokenergy.thesis.flexibility_weeks import WEEK_H, Curtailment, Weeks
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.three_company import PLACES, Terms
from tokenergy.thesis.three_sites import Scene, findings_of, scene_of, spread_starts, too_short
from tokenergy.thesis.thresholds import (
    CURTAILED_SHARES,
    DEFERRABLE_MOST_SHARE,
    DEFERRABLE_SHARES,
    DRAWS_COUNT,
    FLEXIBLE_LOST_MOST_SHARE,
    FLEXIBLE_PRIORITY_LEAST_SHARE,
)

WEEKS_MOST_COUNT: Final = 12
BASE_ROOM_SHARE: Final = 0.10
BASE_DEPTH_SHARE: Final = 0.30
"""How deep a site is cut; an assumption. Deeper cuts take fewer hours for the same energy."""
DEEP_SHARE: Final = 0.60
UNIT: Final = "share of value lost"
THRESHOLD: Final = (
    f"< {FLEXIBLE_LOST_MOST_SHARE:.1%} and the priority tier served in full, for some part <= "
    f"{DEFERRABLE_MOST_SHARE:.0%} that may wait, at each of "
    + ", ".join(f"{share:.2%}" for share in CURTAILED_SHARES)
    + " of energy curtailed"
)
CLAIM: Final = "a flexible load can be curtailed at system peaks almost for free"


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Curtail three sites at their peaks, with more and more work that may wait.

    Raises:
        InputError: if there are not three zones with a price in every hour.
    """
    scene, terms = scene_of(inputs), Terms.base(inputs.ranges)
    starts = spread_starts(scene, span_h=WEEK_H, most_count=WEEKS_MOST_COUNT, history_h=0)
    if not starts:
        return too_short(
            scene,
            id="T9",
            claim=CLAIM,
            label="sensitivity",
            unit=UNIT,
            threshold=THRESHOLD,
            needs=f"a week of {WEEK_H} h is needed",
        )
    steps = len(DEFERRABLE_SHARES) + 3

    def tell(done: int) -> None:
        if told is not None:
            told(done, steps)

    found: list[Curtailment] = []
    for done, part in enumerate(DEFERRABLE_SHARES, start=1):
        found += _weeks(scene, terms, starts, part, BASE_DEPTH_SHARE)
        tell(done)
    most, cut = DEFERRABLE_MOST_SHARE, BASE_DEPTH_SHARE
    deep = _weeks(scene, terms, starts, most, DEEP_SHARE)
    tell(steps - 2)
    unmoved = _weeks(scene, terms, starts, most, cut, unmoved=True)
    tell(steps - 1)
    draws = drawn(scene, terms, ranges=inputs.ranges, seed=inputs.seed, count=DRAWS_COUNT)
    tell(steps)
    return _result(inputs, scene, terms, starts, (found, deep, unmoved), draws)


def _weeks(
    scene: Scene,
    terms: Terms,
    starts: Sequence[int],
    deferrable_share: float,
    depth_share: float,
    *,
    unmoved: bool = False,
) -> list[Curtailment]:
    weeks = Weeks.of(
        scene,
        terms,
        starts,
        deferrable_share=deferrable_share,
        depth_share=depth_share,
        room_share=BASE_ROOM_SHARE,
    )
    baseline = weeks.unmoved_mw() if unmoved else None
    return [weeks.curtailed(share, baseline) for share in CURTAILED_SHARES]


def worst_of(found: Sequence[Curtailment], part_share: float) -> tuple[float, float]:
    """Return the largest lost share and the smallest priority share of one part that may wait."""
    mine = [each for each in found if each.deferrable_share == part_share]
    return max(each.lost_share for each in mine), min(each.priority_share for each in mine)


def needed_share(found: Sequence[Curtailment]) -> float | None:
    """Return the least part that may wait for which the claim holds; None: none of those tried."""
    for part in sorted({each.deferrable_share for each in found}):
        lost_share, priority_share = worst_of(found, part)
        kept = priority_share >= FLEXIBLE_PRIORITY_LEAST_SHARE
        if kept and lost_share < FLEXIBLE_LOST_MOST_SHARE:
            return part
    return None


def _result(
    inputs: ThesisInputs,
    scene: Scene,
    terms: Terms,
    starts: Sequence[int],
    cases: tuple[Sequence[Curtailment], Sequence[Curtailment], Sequence[Curtailment]],
    draws: FlexibleDraws,
) -> Result:
    found, deep, unmoved = cases
    needed = needed_share(found)
    allowed = [part for part in DEFERRABLE_SHARES if part <= DEFERRABLE_MOST_SHARE]
    said = {"scene": scene.digest(), "terms": terms, "starts": starts, "seed": inputs.seed,
            "drawn": {name: inputs.ranges[name] for name in DRAWN}}  # fmt: skip
    return Result(
        id="T9",
        claim=CLAIM,
        label="sensitivity",
        number=min(worst_of(found, part)[0] for part in allowed),
        unit=UNIT,
        threshold=THRESHOLD,
        verdict=verdict_of(needed is not None and needed <= DEFERRABLE_MOST_SHARE),
        says=_says(found, deep, unmoved, draws, needed),
        holds_share=draws.holds_share,
        draws_count=draws.count,
        inputs_hash=hash_of(said),
        figures={
            "zones": {p.name: zone for p, zone in zip(PLACES, scene.zones, strict=True)},
            "weeks_count": len(starts),
            "depth_share": BASE_DEPTH_SHARE,
            "room_share": BASE_ROOM_SHARE,
            "needed_deferrable_share": needed,
            "curtailments": [asdict(each) for each in found],
            "deep": {"depth_share": DEEP_SHARE, "curtailments": [asdict(each) for each in deep]},
            "unmoved": [asdict(each) for each in unmoved],
            "draws": draws.to_dict(),
            "own_ranges": {name: list(ends) for name, ends in OWN_RANGES.items()},
        },
        findings=tuple(finding.to_dict() for finding in findings_of(scene)),
    )


def _says(
    found: Sequence[Curtailment],
    deep: Sequence[Curtailment],
    unmoved: Sequence[Curtailment],
    draws: FlexibleDraws,
    needed_deferrable_share: float | None,
) -> str:
    parts = ", ".join(f"{part:.0%}: {worst_of(found, part)[0]:.3%}" for part in DEFERRABLE_SHARES)
    needs = "no part that was tried is enough"
    if needed_deferrable_share is not None:
        needs = f"{needed_deferrable_share:.0%} is enough"
    base, most = worst_of(found, DEFERRABLE_MOST_SHARE), f"{DEFERRABLE_MOST_SHARE:.0%}"
    mine = [each for each in found if each.deferrable_share == DEFERRABLE_MOST_SHARE]
    cost_share = max(each.cost_share for each in mine)
    return (
        f"Cut by {BASE_DEPTH_SHARE:.0%} in the dearest hours of its own zone (prices stand in for "
        f"system load) until {CURTAILED_SHARES[-1]:.0%} of its energy is curtailed, a company of "
        f"three sites loses this part of all value, by the part of its tokens that may wait a "
        f"day: {parts}; {needs}. With {most} the priority tier is served to {base[1]:.3%} (in the "
        f"dearest hours little else is left to cut: what may wait has left them for the price), "
        f"and power costs {cost_share:+.1%}. Cut below what it would draw if nothing ever waited, "
        f"it loses {worst_of(unmoved, DEFERRABLE_MOST_SHARE)[0]:.3%} and serves the priority tier "
        f"to {worst_of(unmoved, DEFERRABLE_MOST_SHARE)[1]:.3%}; cut twice as deep, "
        f"{worst_of(deep, DEFERRABLE_MOST_SHARE)[0]:.3%} and "
        f"{worst_of(deep, DEFERRABLE_MOST_SHARE)[1]:.3%}. The claim holds in "
        f"{draws.holds_share:.0%} of the drawn days, with cuts of 20 to 60 %."
    )

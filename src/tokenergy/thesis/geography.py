"""T7, decentralised geography: do three sites beat the best single one?

Economics sheet, section 9. Megawatts and GPUs are equal in total, so that only where they stand is
compared: a third at each of three sites, or all at one. GPUs are enough for the mean demand at the
base of `utilisation_share`; only their room lets work move to the cheaper site. Counted against
geography is what it costs more: the whole fixed load of every extra site, wakes, egress, and the
round trips that its chat may take. That a site's fixed load does not shrink with the site is the
hardest case; the saving before it, and the load at which nothing is left, are told beside it.
Facilities and GPUs cost the same on both sides.

Both sides run the same policy, model-predictive dispatch on what was public (`Mpc`), over whole
weeks spread over the series. The single site is the one of the three whose weeks cost least,
chosen with hindsight: the hardest rival. The one with the lowest average price stands beside it.

    saving         = single (mpc) - three (mpc)
    captured share = saving / (single (mpc) - three (foresight))

That is the scorecard's own share of the gap between a baseline and the bound, and never above 1.
Foresight on both sides, single (foresight) - three (foresight), is the kinder denominator, for
ignorance costs a single site too; but it may lie near 0, and the share anywhere. It is told too.

The draws ask less: is one day of three sites cheaper than the same day of one, with foresight,
where the price level of each zone is drawn on its own? The single site stands in the zone of the
lowest drawn level, and need not keep the drawn latency limit: the limit can only cost geography.
"""

from collections.abc import Sequence
from typing import Any, Final

from tokenergy.economics.bootstrap import Band, band
from tokenergy.economics.unit_cost import FullCost
from tokenergy.thesis.geography_draws import DRAWN, NETWORK_ROOM_MS, Draws, drawn
from tokenergy.thesis.geography_weeks import WEEK_H, Compared, compare, full_cost_of, layout_of
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.three_company import (
    FIXED_MW,
    HISTORY_H,
    PLACES,
    SITES_COUNT,
    Layout,
    Terms,
)
from tokenergy.thesis.three_sites import Scene, findings_of, scene_of, spread_starts, too_short
from tokenergy.thesis.thresholds import DRAWS_COUNT, GEOGRAPHY_CAPTURED_LEAST_SHARE

WEEKS_MOST_COUNT: Final = 12
"""Of a year every fourth week after the first four: all seasons, and no choice by result."""
THRESHOLD: Final = f"> 0 net, and >= {GEOGRAPHY_CAPTURED_LEAST_SHARE:.0%} of foresight's"
CLAIM: Final = "three sites beat the best single one, at equal MW and GPUs"


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Replay the weeks, draw the days, and hold the saving against the threshold.

    Raises:
        InputError: if there are not three zones with a price in every hour.
    """
    scene, terms = scene_of(inputs), Terms.base(inputs.ranges)
    starts = spread_starts(scene, span_h=WEEK_H, most_count=WEEKS_MOST_COUNT, history_h=HISTORY_H)
    if not starts:
        return too_short(
            scene,
            id="T7",
            claim=CLAIM,
            label="sensitivity" if scene.synthetic else "evidence",
            unit="share of dispatch cost",
            threshold=THRESHOLD,
            needs=f"{HISTORY_H} h of history and a week to dispatch are needed",
        )
    utilisation_share = inputs.ranges["utilisation_share"].base_quantity
    layout = layout_of(scene, utilisation_share=utilisation_share)
    steps = 2 * (1 + SITES_COUNT) + 1

    def on_step(done: int) -> None:
        if told is not None:
            told(done, steps)

    compared = compare(scene, layout, terms, starts, on_step)
    draws = drawn(
        scene,
        layout,
        terms,
        ranges=inputs.ranges,
        utilisation_share=utilisation_share,
        seed=inputs.seed,
        count=DRAWS_COUNT,
    )
    on_step(steps)
    return _result(inputs, scene, layout, terms, starts, compared, draws)


def _result(
    inputs: ThesisInputs,
    scene: Scene,
    layout: Layout,
    terms: Terms,
    starts: Sequence[int],
    compared: Compared,
    draws: Draws,
) -> Result:
    single = scene.gathered(layout, compared.best)
    full = {
        "three": full_cost_of(scene, layout, terms, compared.three),
        "single": full_cost_of(scene, single, terms, compared.single[compared.best]),
    }
    full_share = compared.saving_usd / full["single"].allocation_usd
    saved = compared.single[compared.best].hourly_usd - compared.three.hourly_usd
    sure = band(saved, step_h=1.0, seed=inputs.seed)
    said = {"scene": scene.digest(), "layout": layout, "terms": terms, "starts": starts,
            "seed": inputs.seed, "drawn": {n: inputs.ranges[n] for n in DRAWN}}  # fmt: skip
    return Result(
        id="T7",
        claim=CLAIM,
        label="sensitivity" if scene.synthetic else "evidence",
        number=compared.saving_share,
        unit="share of dispatch cost",
        threshold=THRESHOLD,
        verdict=verdict_of(compared.holds),
        says=_says(scene, compared, sure, draws, full_share=full_share),
        holds_share=draws.holds_share,
        draws_count=draws.count,
        inputs_hash=hash_of(said),
        figures=_figures(scene, layout, compared, full, sure)
        | {
            "weeks_count": len(starts),
            "full_cost_saving_share": full_share,
            "draws": draws.to_dict(),
        },
        findings=tuple(finding.to_dict() for finding in findings_of(scene)),
    )


def _says(
    scene: Scene, compared: Compared, sure: Band | None, draws: Draws, *, full_share: float
) -> str:
    captured, saves = compared.captured_share, compared.saving_usd > 0.0
    best = f"{PLACES[compared.best].name} ({scene.zones[compared.best]})"
    cost_usd = compared.single[compared.best].cost_usd
    part = "" if captured is None else f", {captured:.0%} of what foresight would save"
    weeks = ""
    if sure is not None:
        low, high = sure.low_usd / cost_usd, sure.high_usd / cost_usd
        weeks = f" (weeks drawn again: a saving of {low:.0%} to {high:.0%})"
    fixed_mw = compared.fixed_break_even_mw
    room = "no load is small enough" if fixed_mw is None else f"up to {fixed_mw:.2f} MW they save"
    before = compared.before_fixed_share
    rare = "" if saves == (draws.holds_share >= 0.5) else ": this series is the exception"
    return (
        f"With equal MW and GPUs three sites {'take' if saves else 'add'} "
        f"{abs(compared.saving_share):.1%} {'off' if saves else 'to'} the dispatch cost of the "
        f"best single site, {best}{weeks}{part}: {abs(full_share):.2%} of its full cost. That "
        f"rests on a fixed load of {FIXED_MW:.2f} MW at every site, an assumption: without it they "
        f"would {'save' if before > 0.0 else 'add'} {abs(before):.1%}, and {room}. In "
        f"{draws.holds_share:.0%} of the draws, where each zone has its own price level, a day of "
        f"three sites is the cheaper one{rare}; without fixed load in "
        f"{draws.before_fixed_holds_share:.0%}."
    )


def _figures(
    scene: Scene,
    layout: Layout,
    compared: Compared,
    full: dict[str, FullCost],
    sure: Band | None,
) -> dict[str, Any]:
    names = [place.name for place in PLACES]
    mean = scene.price_usd_per_mwh.mean(axis=1)
    known = [single.cost_usd for single in compared.single]
    foreseen = [single.cost_usd for single in compared.single_foresight]
    return {
        "zones": dict(zip(names, scene.zones, strict=True)),
        "mean_usd_per_mwh": dict(zip(names, mean.tolist(), strict=True)),
        "gpus_count": sum(layout.gpus_count),
        "import_limit_mw": sum(layout.import_limit_mw),
        "best_single": names[compared.best],
        "cheapest_on_average": names[compared.cheapest],
        "three_usd": compared.three.cost_usd,
        "three_foresight_usd": compared.three_foresight.cost_usd,
        "single_usd": dict(zip(names, known, strict=True)),
        "single_foresight_usd": dict(zip(names, foreseen, strict=True)),
        "saving_usd": compared.saving_usd,
        "saving_share": compared.saving_share,
        "saving_band": None if sure is None else sure.to_dict(),
        "cheapest_saving_share": compared.cheapest_saving_share,
        "captured_share": compared.captured_share,
        "captured_both_share": compared.captured_both_share,
        "before_fixed_share": compared.before_fixed_share,
        "extra_fixed_usd": compared.extra_fixed_usd,
        "fixed_load_mw": FIXED_MW,
        "fixed_break_even_mw": compared.fixed_break_even_mw,
        "three_rtt_ms": compared.three.rtt_ms,
        "single_rtt_ms": compared.single[compared.best].rtt_ms,
        "three_refused_mtok": compared.three.refused_mtok,
        "single_refused_mtok": compared.single[compared.best].refused_mtok,
        "full_cost": {name: cost.to_dict() for name, cost in full.items()},
        "network_room_ms": list(NETWORK_ROOM_MS),
    }

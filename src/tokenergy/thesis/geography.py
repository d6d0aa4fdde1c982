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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.lp_policies import Clairvoyant, Mpc
from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.economics.bootstrap import Band, band
from tokenergy.economics.unit_cost import FullCost, full_cost, gpu_used_share
from tokenergy.simulate.account import account, cost_usd_by_interval
from tokenergy.simulate.replay import replay
from tokenergy.thesis.geography_draws import DRAWN, NETWORK_ROOM_MS, Draws, drawn
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.three_company import (
    FIXED_MW,
    HISTORY_H,
    PLACES,
    PUE,
    SITES_COUNT,
    Layout,
    Terms,
)
from tokenergy.thesis.three_sites import Scene, findings_of, scene_of, spread_starts
from tokenergy.thesis.thresholds import DRAWS_COUNT, GEOGRAPHY_CAPTURED_LEAST_SHARE

WEEK_H: Final = 168
WEEKS_MOST_COUNT: Final = 12
"""Of a year every fourth week after the first four: all seasons, and no choice by result."""
THRESHOLD: Final = f"> 0 net, and >= {GEOGRAPHY_CAPTURED_LEAST_SHARE:.0%} of foresight's"
CLAIM: Final = "three sites beat the best single one, at equal MW and GPUs"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """What the sampled weeks of one layout come to under one policy.

    Attributes:
        hourly_usd: dispatch cost by hour, the weeks one after another [T].
        power_usd, network_usd: parts of it; the rest is the worth of refused work.
        served_mtok, refused_mtok: work.
        awake_gpu_h: by fleet.
        rtt_ms: mean round trip of the chat that was served.
    """

    hourly_usd: FloatArray
    power_usd: float
    network_usd: float
    served_mtok: float
    refused_mtok: float
    awake_gpu_h: tuple[float, ...]
    rtt_ms: float

    @property
    def cost_usd(self) -> float:
        """The dispatch cost of all weeks."""
        return float(self.hourly_usd.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Three sites against each single one, on the same weeks.

    Attributes:
        three, three_foresight: a third at each site.
        single, single_foresight: all at one, by place [3].
        best: the place whose weeks cost least.
        cheapest: the place with the lowest average price over the whole series.
        extra_fixed_usd: what the fixed load of the other two sites costs, and a single site's
            does not: part of the cost of the three.
    """

    three: Replayed
    three_foresight: Replayed
    single: tuple[Replayed, ...]
    single_foresight: tuple[Replayed, ...]
    best: int
    cheapest: int
    extra_fixed_usd: float

    @property
    def saving_usd(self) -> float:
        """What three sites cost less than the best single one."""
        return self.single[self.best].cost_usd - self.three.cost_usd

    @property
    def saving_share(self) -> float:
        """The saving over the dispatch cost of the best single site."""
        return self.saving_usd / self.single[self.best].cost_usd

    @property
    def captured_share(self) -> float | None:
        """The saving over that of three sites with foresight; None where that is not > 0."""
        return self._captured_share(self.single[self.best].cost_usd)

    @property
    def captured_both_share(self) -> float | None:
        """The saving over what it is with foresight on both sides; None where that is not > 0."""
        return self._captured_share(self.single_foresight[self.best].cost_usd)

    def _captured_share(self, baseline_usd: float) -> float | None:
        ideal_usd = baseline_usd - self.three_foresight.cost_usd
        return self.saving_usd / ideal_usd if ideal_usd > 0.0 else None

    @property
    def cheapest_saving_share(self) -> float:
        """The saving over the dispatch cost of the site that is cheapest on average."""
        cost_usd = self.single[self.cheapest].cost_usd
        return (cost_usd - self.three.cost_usd) / cost_usd

    @property
    def before_fixed_share(self) -> float:
        """The saving if an extra site had no fixed load, over the same cost."""
        return (self.saving_usd + self.extra_fixed_usd) / self.single[self.best].cost_usd

    @property
    def fixed_break_even_mw(self) -> float | None:
        """Fixed load of a site up to which three sites save; None where no load is small enough."""
        before_usd = self.saving_usd + self.extra_fixed_usd
        if before_usd <= 0.0 or self.extra_fixed_usd <= 0.0:
            return None
        return FIXED_MW * before_usd / self.extra_fixed_usd

    @property
    def holds(self) -> bool:
        """Whether something is saved, and at least the threshold of what foresight saves."""
        captured = self.captured_share
        enough = captured is not None and captured >= GEOGRAPHY_CAPTURED_LEAST_SHARE
        return self.saving_usd > 0.0 and enough


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Replay the weeks, draw the days, and hold the saving against the threshold.

    Raises:
        InputError: if there are not three zones with a price in every hour.
    """
    scene, terms = scene_of(inputs), Terms.base(inputs.ranges)
    starts = spread_starts(scene, span_h=WEEK_H, most_count=WEEKS_MOST_COUNT, history_h=HISTORY_H)
    if not starts:
        return _too_short(scene)
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


def layout_of(scene: Scene, *, utilisation_share: float) -> Layout:
    """Return three equal sites whose GPUs are busy for that share of the time on average."""
    needed = scene.gpus_by_hour().sum(axis=0).mean() / utilisation_share
    return scene.three(round(needed))


def compare(
    scene: Scene,
    layout: Layout,
    terms: Terms,
    starts: Sequence[int],
    on_step: Callable[[int], None] | None = None,
) -> Compared:
    """Replay the weeks of three sites and of each single one, without and with foresight."""
    layouts = [layout, *(scene.gathered(layout, at) for at in range(SITES_COUNT))]
    runs: dict[str, list[Replayed]] = {"mpc": [], "clairvoyant": []}
    made: tuple[Callable[[World], Policy], ...] = (Mpc, Clairvoyant)
    for done, each in enumerate(layouts):
        for at, (name, policy) in enumerate(zip(runs, made, strict=True)):
            runs[name].append(_replayed(scene, each, terms, starts, policy))
            if on_step is not None:
                on_step(2 * done + at + 1)
    known, foreseen = runs["mpc"], runs["clairvoyant"]
    best = int(np.argmin([single.cost_usd for single in known[1:]]))
    paid = sum(scene.price_usd_per_mwh[:, first : first + WEEK_H].sum(axis=1) for first in starts)
    fixed_usd = PUE * FIXED_MW * np.asarray(paid)
    return Compared(
        three=known[0],
        three_foresight=foreseen[0],
        single=tuple(known[1:]),
        single_foresight=tuple(foreseen[1:]),
        best=best,
        cheapest=int(np.argmin(scene.price_usd_per_mwh.mean(axis=1))),
        extra_fixed_usd=float(fixed_usd.sum() - fixed_usd[best]),
    )


def _replayed(
    scene: Scene,
    layout: Layout,
    terms: Terms,
    starts: Sequence[int],
    policy: Callable[[World], Policy],
) -> Replayed:
    """Walk a policy through each week, from a cold start, and add them up."""
    hourly: list[FloatArray] = []
    power = network = served = refused = trips_ms = chat_mtok = 0.0
    awake_gpu_h = np.zeros(len(layout.built()))
    for first in starts:
        world = scene.world(layout, terms, first=first, hours_count=WEEK_H)
        done = replay(world, policy(world))
        spent = account(world, done)
        hourly.append(cost_usd_by_interval(world, done))
        power += spent.bill_usd
        network += spent.network_usd
        refused += float(done.refused_mtok.sum())
        for route, mtok in zip(world.routes, done.serve_mtok.sum(axis=1), strict=True):
            served += float(mtok)
            if not world.workloads[route.workload].defer_count:
                chat_mtok += float(mtok)
                trips_ms += route.rtt_ms * float(mtok)
        for deployment, awake in zip(world.deployments, done.awake, strict=True):
            awake_gpu_h[deployment.fleet] += deployment.gpus_count * float(awake.sum())
    return Replayed(
        hourly_usd=np.concatenate(hourly),
        power_usd=power,
        network_usd=network,
        served_mtok=served,
        refused_mtok=refused,
        awake_gpu_h=tuple(awake_gpu_h.tolist()),
        rtt_ms=trips_ms / chat_mtok,
    )


def full_cost_of(scene: Scene, layout: Layout, terms: Terms, done: Replayed) -> FullCost:
    """Return the full cost of a layout's weeks: the bill, and GPUs and facilities behind it."""
    company = scene.world(layout, terms, first=HISTORY_H, hours_count=WEEK_H).company
    hours_h = float(done.hourly_usd.size)
    return full_cost(
        company,
        hours_h=hours_h,
        served_mtok=done.served_mtok,
        power_usd=done.power_usd,
        awake_lease_usd=0.0,
        api_usd=0.0,
        other_usd=done.network_usd,
        gpu_used_share=gpu_used_share(company, done.awake_gpu_h, hours_h=hours_h),
    )


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
        says=_says(scene, compared, sure, full_share=full_share, holds_share=draws.holds_share),
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
    scene: Scene, compared: Compared, sure: Band | None, *, full_share: float, holds_share: float
) -> str:
    captured, saves = compared.captured_share, compared.saving_usd > 0.0
    best = f"{PLACES[compared.best].name} ({scene.zones[compared.best]})"
    cost_usd = compared.single[compared.best].cost_usd
    part = "" if captured is None else f", {captured:.0%} of what foresight would save"
    weeks = ""
    if sure is not None:
        low, high = sure.low_usd / cost_usd, sure.high_usd / cost_usd
        weeks = f" (weeks drawn again: a saving of {low:.0%} to {high:.0%})"
    return (
        f"With equal MW and GPUs three sites {'take' if saves else 'add'} "
        f"{abs(compared.saving_share):.1%} {'off' if saves else 'to'} the dispatch cost of the "
        f"best single site, {best}{weeks}{part}: {abs(full_share):.2%} of its full cost. Before "
        f"the fixed load of two more sites it would be a saving of "
        f"{compared.before_fixed_share:.1%}. In {holds_share:.0%} of the draws, where each zone "
        "has its own price level, a day of three sites is the cheaper one."
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


def _too_short(scene: Scene) -> Result:
    return Result(
        id="T7",
        claim=CLAIM,
        label="sensitivity" if scene.synthetic else "evidence",
        number=None,
        unit="share of dispatch cost",
        threshold=THRESHOLD,
        verdict="NOT_APPLICABLE",
        says=f"{scene.hours_count} h of prices are too few: {HISTORY_H} h of history and a week "
        "to dispatch are needed.",
        inputs_hash=hash_of({"scene": scene.digest()}),
        figures={"hours_count": scene.hours_count},
        findings=tuple(finding.to_dict() for finding in findings_of(scene)),
    )

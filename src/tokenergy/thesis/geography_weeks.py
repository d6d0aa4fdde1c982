"""The weeks of T7: three sites and each single one, replayed without and with foresight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.dispatch.lp_policies import Clairvoyant, Mpc
from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.economics.unit_cost import FullCost, full_cost, gpu_used_share
from tokenergy.simulate.account import account, cost_usd_by_interval
from tokenergy.simulate.replay import replay
from tokenergy.thesis.three_company import FIXED_MW, HISTORY_H, PUE, SITES_COUNT, Layout, Terms
from tokenergy.thesis.three_sites import Scene
from tokenergy.thesis.thresholds import GEOGRAPHY_CAPTURED_LEAST_SHARE

WEEK_H: Final = 168


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
        weeks = [scene.world(each, terms, first=first, hours_count=WEEK_H) for first in starts]
        for at, (name, policy) in enumerate(zip(runs, made, strict=True)):
            runs[name].append(_replayed(weeks, policy))
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


def _replayed(weeks: Sequence[World], policy: Callable[[World], Policy]) -> Replayed:
    """Walk a policy through each week, from a cold start, and add them up."""
    hourly: list[FloatArray] = []
    power = network = served = refused = trips_ms = chat_mtok = 0.0
    awake_gpu_h = np.zeros(len(weeks[0].fleets))
    for world in weeks:
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

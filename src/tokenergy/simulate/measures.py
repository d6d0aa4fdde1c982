"""What is counted of a run beside its cost: the fate of work, energy, and fixed cost."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.simulate.run import Run
from tokenergy.simulate.uplift import marginal_usd_per_mwh

SAME_USD_PER_MWH = 1e-6
"""Prices this close are one price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of the work of a tier, Mtok; downgraded and deferred work was served."""

    served_mtok: float
    deferred_mtok: float
    downgraded_mtok: float
    refused_mtok: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmoved:
    """Cost that no decision moves: a large share of it makes every regret look small.

    Attributes:
        blocks_usd: block contracts.
        must_take_usd: as-produced power without the right to curtail, or paid anyway.
        fixed_load_usd: fixed load with its cooling, at the purchase price.
        sunk_usd: what contracts and tariffs charge whatever is done.
        share: all of them over the cost; null where the cost is <= 0.
    """

    blocks_usd: float
    must_take_usd: float
    fixed_load_usd: float
    sunk_usd: float
    share: float | None

    @property
    def total_usd(self) -> float:
        """All that no decision moves."""
        return self.blocks_usd + self.must_take_usd + self.fixed_load_usd + self.sunk_usd


def fates(world: World, run: Run) -> dict[str, Fate]:
    """Return what became of the work, by tier."""
    served = run.served_mtok(world).sum(axis=1)
    deferred = run.deferred_mtok(world).sum(axis=1)
    refused = run.refused_mtok.sum(axis=1)
    downgraded = np.zeros(len(world.workloads))
    for route, mtok in zip(world.routes, run.serve_mtok.sum(axis=1), strict=True):
        if route.quality_share < world.workloads[route.workload].asked_quality_share:
            downgraded[route.workload] += mtok
    found: dict[str, Fate] = {}
    for tier in dict.fromkeys(load.tier for load in world.workloads):
        at = [i for i, load in enumerate(world.workloads) if load.tier == tier]
        found[tier] = Fate(
            served_mtok=float(served[at].sum()),
            deferred_mtok=float(deferred[at].sum()),
            downgraded_mtok=float(downgraded[at].sum()),
            refused_mtok=float(refused[at].sum()),
        )
    return found


def own_mtok(world: World, run: Run) -> FloatArray:
    """Return what was served by route, 0 for external APIs [R, T]."""
    own = np.array([not world.deployments[r.deployment].external for r in world.routes], bool)
    made: FloatArray = run.serve_mtok * own[:, None]
    return made


def zero_price_share(world: World, made_mtok: FloatArray) -> float | None:
    """Return the part of tokens made where and while a MWh bought costs nothing or less."""
    span = slice(world.first, world.last)
    free = world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, span], span) <= 0.0
    sites = [max(0, world.deployments[r.deployment].site) for r in world.routes]
    total_mtok = float(made_mtok.sum())
    return float(made_mtok[free[sites]].sum()) / total_mtok if total_mtok > 0.0 else None


def value_usd(world: World, made_mtok: FloatArray) -> float:
    """Return the value of work, less that of lost quality, USD."""
    value = np.array([world.workloads[r.workload].value_usd_per_mtok for r in world.routes])
    return float((value - quality_loss_usd_per_mtok(world)) @ made_mtok.sum(axis=1))


def wake_mwh(world: World, run: Run) -> float:
    """Return the energy of waking replicas, at the meters."""
    pue = world.pue[:, world.first : world.last]
    return sum(
        float(pue[deployment.site] @ woken) * deployment.wake_mwh
        for deployment, woken in zip(world.deployments, run.drawing(world)[1], strict=True)
        if not deployment.external
    )


def unmoved(world: World, cost_usd: float) -> Unmoved:
    """Return the cost that no decision moves, and its share of a policy's cost."""
    span = slice(world.first, world.last)
    blocks_usd = sum(
        float(b.strike_usd_per_mwh[span] @ b.delivery_mw[span]) * world.step_h for b in world.blocks
    )
    must_take_usd = sum(
        float(np.sum(take.take_usd_per_mwh[span] * take.floor_mw[span] + take.sunk_usd_per_h[span]))
        * world.step_h
        for take in world.takes
    )
    fixed_mwh = world.pue[:, span] * world.fixed_mw[:, None] * world.step_h
    prices = world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, span], span)
    fixed_usd = float(np.sum(fixed_mwh * prices))
    found = Unmoved(
        blocks_usd=blocks_usd,
        must_take_usd=must_take_usd,
        fixed_load_usd=fixed_usd,
        sunk_usd=float(sum(each.usd[span].sum() for each in world.sunk)),
        share=None,
    )
    return replace(found, share=found.total_usd / cost_usd if cost_usd > 0.0 else None)


def fixed_price_sites(world: World, runs: Iterable[Run]) -> tuple[str, ...]:
    """Return the sites whose power costs the same at the margin in every interval of every run.

    Moving work to another hour saves nothing there, and what moves to or from them does so for
    the price of the others. Only sites that can do work count.
    """
    still = np.full(world.sites_count, world.count > 1)
    for run in runs:
        price = marginal_usd_per_mwh(world, run)
        still &= np.ptp(price, axis=1) <= SAME_USD_PER_MWH
    at_work = {world.deployments[route.deployment].site for route in world.routes}
    return tuple(name for at, name in enumerate(world.site_names) if still[at] and at in at_work)

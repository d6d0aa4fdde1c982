"""What a Mtok costs on every route now and in the intervals ahead: from duals, or a merit order.

A policy that solves a program leaves an `Optimum`: its duals price every route of every interval
of its window, and its primal values say where work is meant to go. A policy without one prices a
route by what its site pays for the next MWh, with the lease, as a merit order does; it looks at
the present alone.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from tokenergy.dispatch.columns import quality_loss_usd_per_mtok, serve_usd_per_mtok
from tokenergy.dispatch.duals import (
    Parts,
    PartsOfPrice,
    PriceBoard,
    asked_usd_per_mtok,
    is_in_use,
)
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.world import Action, BoolArray, FloatArray, IntArray, State, World
from tokenergy.errors import SolverFailure
from tokenergy.simulate.interval import Step

SHARE_MTOK = 1e-9
"""Work below this is rounding: no part of a workload goes there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriceSheet:
    """Prices of one interval and of those ahead, by route and workload.

    Attributes:
        begin: index of the interval in the world.
        edges: where each interval ahead begins, this one included, and where the last ends [n + 1].
        parts: parts of each route's price now.
        low_usd_per_mtok, high_usd_per_mtok: both ends of what one Mtok more of a workload costs
            now, wherever it is cheapest [W]; equal where only one was found.
        ahead_usd_per_mtok: price of each route in each interval, this one included [n, R].
        serve_mtok: where the plan sends work, by route [n, R].
        awake_count: replicas awake now [D].
        from_duals: whether duals stand behind it, or a merit order.
        in_use: whether one Mtok more of the route's workload would go there now [R].
        ahead_parts: parts of each interval, this one as `parts` [n].
        ends_missed_count: workloads whose two ends the solver did not tell apart.
    """

    begin: int
    edges: IntArray
    parts: Parts
    low_usd_per_mtok: FloatArray
    high_usd_per_mtok: FloatArray
    ahead_usd_per_mtok: FloatArray
    serve_mtok: FloatArray
    awake_count: FloatArray
    from_duals: bool
    in_use: BoolArray
    ahead_parts: tuple[Parts, ...]
    ends_missed_count: int = 0

    def shares(self, world: World) -> FloatArray:
        """Return the part of its workload that each route is meant to get now [R]."""
        loads = np.array([route.workload for route in world.routes], dtype=np.int64)
        sent = np.where(self.serve_mtok[0] > SHARE_MTOK, self.serve_mtok[0], 0.0)
        total = np.bincount(loads, weights=sent, minlength=len(world.workloads))[loads]
        return np.divide(sent, total, out=np.zeros_like(sent), where=total > 0.0)

    def release_mtok(self, world: World) -> FloatArray:
        """Return the work of each workload that the plan does in each interval [n, W]."""
        loads = [route.workload for route in world.routes]
        served = np.zeros((self.serve_mtok.shape[0], len(world.workloads)))
        np.add.at(served.T, loads, np.maximum(0.0, self.serve_mtok).T)
        return served


class _Ends(NamedTuple):
    """Both ends of every workload's price now [W], and its routes at the high one [R]."""

    low_usd_per_mtok: FloatArray
    high_usd_per_mtok: FloatArray
    parts: Parts
    in_use: BoolArray
    missed_count: int


class PriceSheets:
    """Makes the sheets of a world; holds what does not change between intervals."""

    def __init__(self, world: World) -> None:
        """Lay out the routes' own figures."""
        self._world = world
        self._parts = PartsOfPrice(world)
        self._priced: tuple[Optimum, PriceBoard] | None = None
        self._lost = quality_loss_usd_per_mtok(world)
        self._paid = serve_usd_per_mtok(world)
        made = [world.deployments[route.deployment] for route in world.routes]
        self._loads = np.array([route.workload for route in world.routes], dtype=np.int64)
        self._own = np.array([not d.external for d in made], dtype=bool)
        self._site = np.array([max(0, d.site) for d in made], dtype=np.int64)
        self._rate = np.array([route.rate_mtok_per_h for route in world.routes])
        self._marginal = np.array([route.marginal_mwh_per_mtok for route in world.routes])
        fleets = [world.fleets[max(0, d.fleet)] for d in made]
        asleep = [f.sleep_mw_per_gpu * d.gpus_count for f, d in zip(fleets, made, strict=True)]
        base = np.array([d.base_mw for d in made]) - np.array(asleep)
        self._base = np.where(self._own, base / self._rate, 0.0)
        lease = [f.lease_usd_per_gpu_hour * d.gpus_count for f, d in zip(fleets, made, strict=True)]
        self._lease = np.where(self._own, np.array(lease) / self._rate, 0.0)

    def of_optimum(
        self, optimum: Optimum, *, at: int = 0, model: tuple[World, State] | None = None
    ) -> PriceSheet:
        """Return the sheet of interval `at` of a solved window.

        Args:
            optimum: the window, solved.
            at: the interval of it that is now.
            model: the world that it was solved in, and the state in which it begins: given, both
                ends of each price are found by asking for a little more and a little less. None:
                a price is the dual alone.
        """
        world, window = self._world, optimum.window
        live = range(at, window.live_count)
        parts = [self._parts.at(optimum, each) for each in live]
        ends = self._ends(optimum, at, model, parts[0])
        awake = np.zeros(len(world.deployments))
        own = np.maximum(0.0, optimum.value("awake", at))
        awake[: own.size] = own
        return PriceSheet(
            begin=int(window.edges[at]),
            edges=window.edges[at : window.live_count + 1],
            parts=ends.parts,
            low_usd_per_mtok=ends.low_usd_per_mtok,
            high_usd_per_mtok=ends.high_usd_per_mtok,
            ahead_usd_per_mtok=np.array([each.total() for each in parts]),
            serve_mtok=optimum.value("serve", slice(at, window.live_count)),
            awake_count=awake,
            from_duals=True,
            in_use=ends.in_use,
            ahead_parts=(ends.parts, *parts[1:]),
            ends_missed_count=ends.missed_count,
        )

    def _ends(
        self, optimum: Optimum, at: int, model: tuple[World, State] | None, parts: Parts
    ) -> "_Ends":
        """Return both ends of every workload's price, and its routes at the high one.

        Each workload's routes are split at the optimum beyond its own high end; a miss is a
        workload whose ends the solver did not tell apart: the dual is a point between them.
        """
        world = self._world
        asked = asked_usd_per_mtok(world, optimum, at)
        served_mtok = optimum.value("serve", at)
        if model is None:
            return _Ends(asked, asked, parts, served_mtok > SHARE_MTOK, 0)
        if self._priced is None or self._priced[0] is not optimum:
            self._priced = optimum, PriceBoard(model[0], optimum.window, model[1])
        priced = self._priced[1]
        low, high, missed = asked.copy(), asked.copy(), 0
        in_use = served_mtok > SHARE_MTOK
        for workload in range(asked.size):
            try:
                ends = priced.ends(workload=workload, at=at)
            except SolverFailure:
                missed += 1
                continue
            high[workload] = ends.high_usd_per_mtok
            one = ends.low_usd_per_mtok
            low[workload] = high[workload] if one is None else min(one, high[workload])
            beyond, mine = self._parts.at(ends.beyond, at), self._loads == workload
            used = is_in_use(
                world,
                workload,
                high_usd_per_mtok=ends.high_usd_per_mtok,
                parts=beyond,
                beyond_mtok=ends.beyond.value("serve", at),
            )
            in_use = np.where(mine, used, in_use)
            parts = _with_rows(parts, beyond, mine)
        return _Ends(low, high, parts, in_use, missed)

    def of_merit(self, at: int, action: Action, step: Step) -> PriceSheet:
        """Return the sheet of an interval by what its sites pay for the next MWh.

        Rents are not known to a merit order: where megawatts or GPUs bind, its price is too low.

        Args:
            at: index of the interval.
            action: what the policy wants to do in it.
            step: what that does to the meters, before any request is decided.
        """
        world = self._world
        node = meter_usd_per_mwh(world, at, step)[self._site] * self._own
        pue = world.pue[:, at][self._site] * self._own
        energy_mwh = pue * (self._marginal + self._base)
        none = np.zeros(self._rate.size)
        network = np.array([route.network_usd_per_mtok for route in world.routes])
        api = np.array([route.api_usd_per_mtok for route in world.routes])
        parts = Parts(
            energy=energy_mwh * node,
            energy_marginal=pue * self._marginal * node,
            mw_rent=none,
            demand_peak_rent=none,
            cfe_rent=none,
            gpu_rent=self._lease + np.where(self._own, 0.0, api),
            wake=none,
            network=network,
            quality=self._lost,
            node_usd_per_mwh=node,
            energy_mwh_per_mtok=energy_mwh,
            marginal_mwh_per_mtok=pue * self._marginal,
        )
        price = parts.total()
        best = np.full(len(world.workloads), np.inf)
        np.minimum.at(best, [route.workload for route in world.routes], price)
        return PriceSheet(
            begin=at,
            edges=np.array([at, at + 1]),
            parts=parts,
            low_usd_per_mtok=best,
            high_usd_per_mtok=best,
            ahead_usd_per_mtok=price[None, :],
            serve_mtok=action.serve_mtok[None, :],
            awake_count=step.awake,
            from_duals=False,
            in_use=action.serve_mtok > SHARE_MTOK,
            ahead_parts=(parts,),
        )


def meter_usd_per_mwh(world: World, at: int, step: Step) -> FloatArray:
    """Return what a MWh more costs at each meter in an interval, by its side of the market [S]."""
    now = slice(at, at + 1)
    spot = world.spot_usd_per_mwh[:, now]
    bought, sold = world.buy_usd_per_mwh(spot, now)[:, 0], world.sell_usd_per_mwh(spot, now)[:, 0]
    price = np.where(step.sold_mwh > 0.0, sold, bought)
    for rate in world.rates:
        sends = step.export_mwh[rate.site] > 0.0
        usd_per_mwh = -rate.export_usd_per_mwh[at] if sends else rate.import_usd_per_mwh[at]
        price[rate.site] += usd_per_mwh
    return np.asarray(price)


def _with_rows(parts: Parts, other: Parts, mine: BoolArray) -> Parts:
    """Return the parts with those of some routes taken from another optimum."""
    names = [field.name for field in fields(Parts)]
    return Parts(**{n: np.where(mine, getattr(other, n), getattr(parts, n)) for n in names})

"""The marginal cost of a token: both ends of the dual, and its parts.

Stationarity of `serve` and `awake` in the program gives the price of a Mtok as a sum (dispatch
sheet, section 4), with E = pue (marginal + (base - sleep) / rate) in MWh per Mtok:

    price = network + API + lost quality - floor dual x (quality - floor)
          + E x node price
          + (lease + GPU rent) gpus / rate
          + (wake dual of t - that of t+1) / (h rate)

The sheet writes base for base - sleep; but a replica that wakes stops drawing its sleep power,
and only with that do the parts sum to the dual.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tokenergy.company.marginal import MarginalCost
from tokenergy.dispatch.columns import own_deployments, quality_loss_usd_per_mtok
from tokenergy.dispatch.route_cost import route_cost
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import Window, waiting_intervals
from tokenergy.dispatch.world import RATE_KINDS, BoolArray, FloatArray, State, World
from tokenergy.errors import SolverFailure

FIRST_STEP_SHARE = 1e-3
"""First perturbation, as a share of the workload's own demand."""
LEAST_STEP_SHARE = 1e-6
"""Least perturbation, as a share of all demand in an interval: the window's mean, at least."""
AGREEMENT_SHARE = 0.01
"""A dual and a quotient of optima that differ by more are not published as one price."""
KINK_SHARE = 0.001
"""Agreement at which no kink within the step can hide a move of 1 %."""
LEAST_USD_PER_MTOK = 1e-9
"""A price below this is 0."""
HALVINGS_MOST = 12
IN_USE_MTOK = 1e-9
SMALL_DEPLOYMENT_COUNT = 20
"""Below this many awake replicas the price within a replica is shown too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """Parts of the price of every route in one interval, USD/Mtok, each [R].

    `node_usd_per_mwh` and `energy_mwh_per_mtok` are what `energy` is made of; external APIs
    have neither, and their list price stands in `gpu_rent`: rent for somebody else's silicon.
    """

    energy: FloatArray
    energy_marginal: FloatArray
    mw_rent: FloatArray
    demand_peak_rent: FloatArray
    cfe_rent: FloatArray
    gpu_rent: FloatArray
    wake: FloatArray
    network: FloatArray
    quality: FloatArray
    node_usd_per_mwh: FloatArray
    energy_mwh_per_mtok: FloatArray
    marginal_mwh_per_mtok: FloatArray

    def total(self) -> FloatArray:
        """Return the sum of the parts [R]."""
        rents = self.mw_rent + self.demand_peak_rent + self.cfe_rent + self.gpu_rent
        return self.energy + rents + self.wake + self.network + self.quality


def asked_usd_per_mtok(world: World, optimum: Optimum, at: int) -> FloatArray:
    """Return what one Mtok more of each workload costs in interval `at` of a solved window [W].

    The dual of its demand, and for work that may wait also the rents of the limits that one Mtok
    more would widen: what may still wait at the end of each interval up to its deadline. Where
    the price is an interval this is a point of it; `PriceBoard.ends` tells both ends.
    """
    loads = range(len(world.workloads))
    return np.array([_asked_usd_per_mtok(world, optimum, at=at, workload=load) for load in loads])


def _asked_usd_per_mtok(world: World, optimum: Optimum, *, at: int, workload: int) -> float:
    """Return what one Mtok more costs: the dual of its row, less the worth of its waiting.

    Work that arrives now may itself wait: it widens the bound of each backlog until its
    deadline, and the (negative) reduced costs of those bounds are what that is worth.
    """
    dual = optimum.dual("demand", at)[workload]
    waits = waiting_intervals(world, optimum.window, at=at, workload=workload)
    bounds = optimum.reduced("backlog", slice(waits.start, waits.stop))[:, workload]
    return float(dual + np.minimum(0.0, bounds).sum())


class PartsOfPrice:
    """Splits the duals of a window into parts; holds what does not change between windows."""

    def __init__(self, world: World) -> None:
        """Lay out the routes' own figures as arrays [R]."""
        own = own_deployments(world)
        self._world = world
        deployments = [world.deployments[r.deployment] for r in world.routes]
        self._own = np.array([not d.external for d in deployments])
        self._at = np.array([min(r.deployment, own) for r in world.routes])
        self._site = np.array([max(0, d.site) for d in deployments])
        self._fleet = np.array([max(0, d.fleet) for d in deployments])
        self._gpus = np.array([float(d.gpus_count) for d in deployments])
        self._rate = np.array([r.rate_mtok_per_h for r in world.routes])
        self._marginal = np.array([r.marginal_mwh_per_mtok for r in world.routes])
        sleep = np.array([f.sleep_mw_per_gpu for f in world.fleets])[self._fleet]
        base = np.array([d.base_mw for d in deployments])
        self._base = np.where(self._own, (base - sleep * self._gpus) / self._rate, 0.0)
        lease = np.array([f.lease_usd_per_gpu_hour for f in world.fleets])[self._fleet]
        self._lease = np.where(self._own, lease, 0.0)
        self._api = np.array([r.api_usd_per_mtok for r in world.routes])
        self._network = np.array([r.network_usd_per_mtok for r in world.routes])
        self._lost = quality_loss_usd_per_mtok(world)
        self._floor_row, self._above = self._quality_floor()

    def _quality_floor(self) -> tuple[np.ndarray, FloatArray]:
        promised = [at for at, floor in enumerate(self._world.floor_share) if floor > 0.0]
        tiers = [self._world.workloads[r.workload].tier_index for r in self._world.routes]
        rows = np.array([promised.index(t) if t in promised else -1 for t in tiers])
        above = np.array(
            [
                r.quality_share - self._world.floor_share[t] if t in promised else 0.0
                for r, t in zip(self._world.routes, tiers, strict=True)
            ]
        )
        return rows, above

    def at(self, optimum: Optimum, interval: int) -> Parts:
        """Return the parts of every route in one interval of a solved window."""
        step_h = float(optimum.window.lengths_h[interval])
        node = optimum.dual("balance")[interval]
        rent = np.maximum(0.0, -optimum.reduced("meter_import")[interval]) + 0.0
        fleet = -optimum.dual("fleet")[interval] / step_h
        waking = optimum.dual("waking")
        # Beyond the window nothing is asked for: the wake dual after its end is 0.
        later = waking[interval + 1] if interval + 1 < waking.shape[0] else 0.0 * waking[0]
        wake = np.append((waking[interval] - later) / step_h, 0.0)  # no API is ever woken
        pue = optimum.window.pue[:, interval][self._site] * self._own
        energy_mwh = pue * (self._marginal + self._base)
        peak, clean, on_load = self._rents(optimum, interval)
        energy_usd_per_mwh = (node - rent - peak - clean)[self._site] * self._own
        floors = optimum.dual("quality")[interval]
        floor_dual = floors[self._floor_row] if floors.size else np.zeros_like(self._above)
        return Parts(
            energy=energy_mwh * energy_usd_per_mwh,
            energy_marginal=pue * self._marginal * energy_usd_per_mwh,
            mw_rent=energy_mwh * rent[self._site],
            demand_peak_rent=energy_mwh * peak[self._site],
            cfe_rent=energy_mwh * (clean + on_load)[self._site],
            gpu_rent=self._gpus * (self._lease + fleet[self._fleet] * self._own) / self._rate
            + self._api_with_rent(optimum, interval),
            wake=wake[self._at] / self._rate,
            network=self._network,
            quality=self._lost - np.where(self._floor_row >= 0, floor_dual, 0.0) * self._above,
            node_usd_per_mwh=(node + on_load)[self._site] * self._own,
            energy_mwh_per_mtok=energy_mwh,
            marginal_mwh_per_mtok=pue * self._marginal,
        )

    def _rents(self, optimum: Optimum, interval: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the rents of peaks and of clean power in the node price, and beside it [S].

        A rate on the meter is part of the node price only while the site imports.
        """
        rates = optimum.window.rate_usd_per_mwh
        imports = optimum.value("meter_import", interval) > 0.0
        peak = rates[RATE_KINDS.index("demand_peak"), :, interval] * imports
        clean = rates[RATE_KINDS.index("cfe"), :, interval] * imports
        peak = peak + optimum.rent_usd_per_mwh("demand_peak", interval, "meter_import")
        clean = clean + optimum.rent_usd_per_mwh("cfe", interval, "meter_import")
        buys = optimum.value("buy", interval) > 0.0
        clean = clean + optimum.rent_usd_per_mwh("cfe", interval, "buy") * (buys & imports)
        return peak, clean, optimum.rent_usd_per_mwh("cfe", interval, "it")

    def _api_with_rent(self, optimum: Optimum, interval: int) -> FloatArray:
        """Return list price and the rent of a rate limit for external APIs [R]."""
        limits = -optimum.dual("api")[interval]
        if not limits.size:
            return self._api
        own = own_deployments(self._world)
        at = np.array([max(0, r.deployment - own) for r in self._world.routes])
        return np.where(self._own, 0.0, self._api + limits[at])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriceEnds:
    """Both ends of one workload's price in one interval, and the optimum beyond the high end.

    `low` is None where nothing was asked for. `step_mtok` is the perturbation that was used.
    """

    low_usd_per_mtok: float | None
    high_usd_per_mtok: float
    step_mtok: float
    beyond: Optimum


class PriceBoard:
    """Prices of a solved window: what one Mtok more of each workload costs, and where."""

    def __init__(self, world: World, window: Window, state: State) -> None:
        """Solve the window once; every price starts from its basis."""
        self.world, self.window = world, window
        self._held = WindowModel(world, window, state)
        self.optimum = self._held.solved(window)
        # A price is that of the plants that run as the optimum has them run.
        if self.optimum.solution.integer:
            self._held.model.settle_integers(self.optimum.solution)
        self._basis = self._held.model.basis()
        self._parts = PartsOfPrice(world)

    def ends(self, *, workload: int, at: int) -> PriceEnds:
        """Return both ends of a price by re-solving with a little more and a little less.

        The step is halved until the dual agrees with the quotient of the two optima to 0.1 %.

        Raises:
            SolverFailure: if no step within reason gives an agreement.
        """
        asked = float(self.window.arrivals_mtok[workload, at])
        demand_mtok = self.window.arrivals_mtok[:, : self.window.live_count].sum(axis=0)
        # In an hour that asks for nothing a step of its own size would drown in rounding.
        least = LEAST_STEP_SHARE * float(max(demand_mtok[at], demand_mtok.mean()))
        first = max(FIRST_STEP_SHARE * asked, least, LEAST_STEP_SHARE)
        high, beyond, step = self._end(first, workload, at)
        low: float | None = None
        if asked > 0.0:
            low, _, _ = self._end(-min(first, 0.5 * asked), workload, at)
        return PriceEnds(
            low_usd_per_mtok=low, high_usd_per_mtok=high, step_mtok=step, beyond=beyond
        )

    def _end(self, first_mtok: float, workload: int, at: int) -> tuple[float, Optimum, float]:
        """Return the dual beyond a small step, and the step: halved until it is the quotient.

        A dual that equals the quotient of the two optima to 0.1 % saw no kink within the step
        that could move it by 1 %; if rounding forbids that, 1 % has to do.
        """
        model = self._held.model
        step_mtok, nearest = first_mtok, (float("inf"), 0.0, self.optimum, 0.0)
        for _ in range(HALVINGS_MOST):
            self._held.ask_more(self.window, at=at, workload=workload, more_mtok=step_mtok)
            try:
                model.restore(self._basis)
                beyond = self._held.solved(self.window)
            finally:
                self._held.ask_more(self.window, at=at, workload=workload, more_mtok=-step_mtok)
            dual = _asked_usd_per_mtok(self.world, beyond, at=at, workload=workload)
            quotient = (beyond.objective_usd - self.optimum.objective_usd) / step_mtok
            apart = abs(dual - quotient) / max(abs(dual), abs(quotient), LEAST_USD_PER_MTOK)
            nearest = min(nearest, (apart, dual, beyond, step_mtok), key=lambda found: found[0])
            if apart <= KINK_SHARE:
                break
            step_mtok /= 2.0
        apart, dual, beyond, step_mtok = nearest
        if apart <= AGREEMENT_SHARE:
            return dual, beyond, step_mtok
        raise SolverFailure(
            f"price of {self.world.workloads[workload].name!r} in interval {at}: the dual "
            f"{dual:.6g} USD/Mtok and the quotient of optima differ by {apart:.2%} at a step of "
            f"{step_mtok:.3g} Mtok"
        )

    def rows(
        self,
        intervals: range | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[MarginalCost]:
        """Yield the board: one row for each interval and route, priced at the high end."""
        span = range(self.window.live_count) if intervals is None else intervals
        loads = len(self.world.workloads)
        for done, at in enumerate(span):
            for workload in range(loads):
                ends = self.ends(workload=workload, at=at)
                yield from self._rows_of(workload, at, ends)
            if on_progress is not None:
                on_progress(done + 1, len(span))

    def _rows_of(self, workload: int, at: int, ends: PriceEnds) -> Iterator[MarginalCost]:
        parts = self._parts.at(ends.beyond, at)
        totals = parts.total()
        beyond_mtok = ends.beyond.value("serve")[at]
        served_mtok = self.optimum.value("serve")[at]
        awake = self.optimum.value("awake")[at]
        mine = [i for i, r in enumerate(self.world.routes) if r.workload == workload]
        sum_mtok = max(float(served_mtok[mine].sum()), 1e-300)
        used = is_in_use(
            self.world,
            workload,
            high_usd_per_mtok=ends.high_usd_per_mtok,
            parts=parts,
            beyond_mtok=beyond_mtok,
        )
        start = self.world.moment(int(self.window.edges[at]))
        for i in mine:
            share = float(served_mtok[i]) / sum_mtok if served_mtok[i] > IN_USE_MTOK else 0.0
            deployment = self.world.routes[i].deployment
            external = self.world.deployments[deployment].external
            yield route_cost(
                self.world,
                i,
                start=start,
                parts=parts,
                total_usd_per_mtok=float(totals[i]),
                low_usd_per_mtok=ends.low_usd_per_mtok,
                high_usd_per_mtok=ends.high_usd_per_mtok,
                in_use=bool(used[i]),
                share=share,
                small=not external and bool(awake[deployment] < SMALL_DEPLOYMENT_COUNT),
            )


def is_in_use(
    world: World, workload: int, *, high_usd_per_mtok: float, parts: Parts, beyond_mtok: FloatArray
) -> BoolArray:
    """Tell by route whether one Mtok more of a workload would go there [R]; of others: False.

    Older work may be served while a new Mtok is better left waiting: that is not its place.

    Args:
        world: the company as arrays.
        workload: which.
        high_usd_per_mtok: what one Mtok more of it costs.
        parts: of the optimum beyond that Mtok.
        beyond_mtok: what that optimum serves on each route.
    """
    totals = parts.total()
    found = np.array([route.workload == workload for route in world.routes]) & (
        beyond_mtok > IN_USE_MTOK
    )
    if world.workloads[workload].defer_count:
        found &= totals <= high_usd_per_mtok + 1e-6 * np.maximum(1.0, np.abs(totals))
    return found

"""One interval: what an action does to meters, batteries and waiting work, if it may be done."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tokenergy.dispatch.outages import alive, gpus_count
from tokenergy.dispatch.world import Action, FloatArray, State, World
from tokenergy.errors import UnexpectedError
from tokenergy.simulate.run import only_work_draws, sums_by

TOLERANCE_SHARE = 1e-6
"""How far an action may lie beyond a limit, relative to max(1, limit)."""


class LimitBroken(UnexpectedError):
    """A policy asked for more than a thing can give; the message names each of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """What happened in one interval; fields as in `Run`, without their last axis."""

    serve_mtok: FloatArray
    refused_mtok: FloatArray
    backlog_mtok: FloatArray
    awake: FloatArray
    wake: FloatArray
    take_mwh: FloatArray
    charge_mwh: FloatArray
    discharge_mwh: FloatArray
    energy_mwh: FloatArray
    it_mwh: FloatArray
    load_mwh: FloatArray
    import_mwh: FloatArray
    export_mwh: FloatArray
    bought_mwh: FloatArray
    sold_mwh: FloatArray
    generate_mwh: FloatArray
    after: State


@dataclass(slots=True)
class _Faults:
    """Gathers everything that an action may not do, so that it is told at once."""

    found: list[str] = field(default_factory=list)

    def most(
        self, names: Sequence[str], what: str, values: FloatArray, limits: FloatArray, unit: str
    ) -> None:
        """Note each value above its limit, and each that is no number."""
        within = values - limits <= TOLERANCE_SHARE * np.maximum(1.0, np.abs(limits))
        for at in (~within).nonzero()[0].tolist():
            self.found.append(
                f"{names[at]}: {what} {values[at]:.6g} {unit} exceeds {limits[at]:.6g} {unit}"
            )

    def least(
        self, names: Sequence[str], what: str, values: FloatArray, limits: FloatArray, unit: str
    ) -> None:
        """Note each value below its limit, and each that is no number."""
        within = limits - values <= TOLERANCE_SHARE * np.maximum(1.0, np.abs(limits))
        for at in (~within).nonzero()[0].tolist():
            self.found.append(
                f"{names[at]}: {what} {values[at]:.6g} {unit} is below {limits[at]:.6g} {unit}"
            )


class Mechanics:
    """The world's limits and balances, laid out once for all intervals.

    Written from the sheet (dispatch.md, section 3), not from the rows of the program: that an
    optimum passes here is a test of both.
    """

    def __init__(self, world: World, *, lenient: bool = False) -> None:
        """Lay out names, owners and coefficients.

        Args:
            world: the company as arrays.
            lenient: note what an action may not do in `broken` and do it all the same: requests
                are decided one by one, and may want more of a place than it can give.
        """
        self._world, self._lenient = world, lenient
        self.broken: list[tuple[int, str]] = []
        deployments, routes, fleets = world.deployments, world.routes, world.fleets
        self._load_of = np.array([r.workload for r in routes], dtype=np.int64)
        self._deployment_of = np.array([r.deployment for r in routes], dtype=np.int64)
        self._rate_mtok_per_h = np.array([r.rate_mtok_per_h for r in routes])
        self._marginal_mwh_per_mtok = np.array([r.marginal_mwh_per_mtok for r in routes])
        self._own = np.array([not d.external for d in deployments], dtype=bool)
        self._own_route = self._own[self._deployment_of]
        self._site_of = np.array([d.site for d in deployments], dtype=np.int64)
        self._fleet_of = np.array([d.fleet for d in deployments], dtype=np.int64)
        self._gpus_count = np.array([float(d.gpus_count) for d in deployments])
        self._base_mw = np.array([d.base_mw for d in deployments])
        self._wake_mwh = np.array([d.wake_mwh for d in deployments])
        self._wake_lost_h = np.array([min(d.wake_h, world.step_h) for d in deployments])
        self._api_mtok = np.array([d.limit_mtok_per_h for d in deployments]) * world.step_h
        span = np.arange(world.last)
        self._fleet_gpus_count = gpus_count(world, span)
        self._alive = alive(world, span)
        self._sleep_mw = np.array([fleet.sleep_mw_per_gpu for fleet in fleets])
        self._fleet_site = np.array([fleet.site for fleet in fleets], dtype=np.int64)
        self._quality = np.array([r.quality_share for r in routes])
        self._tier_of = np.array([world.workloads[r.workload].tier_index for r in routes], np.int64)
        self._floor = np.array(world.floor_share)
        self._defer = np.array([load.defer_count for load in world.workloads], dtype=np.int64)
        self._battery_site = np.array(world.battery_site, dtype=np.int64)
        self._power_mwh = np.array([b.power_mw for b in world.batteries]) * world.step_h
        self._capacity_mwh = np.array([b.capacity_mwh for b in world.batteries])
        self._in_share = np.array([b.charge_eff_share for b in world.batteries])
        self._out_share = np.array([b.discharge_eff_share for b in world.batteries])
        self._take_site = np.array([take.site for take in world.takes], dtype=np.int64)
        self._plant_site = np.array([plant.site for plant in world.generators], dtype=np.int64)
        self._take_behind = np.array([take.behind_the_meter for take in world.takes], dtype=bool)
        self._work_only = only_work_draws(world)
        self._grid_block_mw = world.block_delivery_mw(behind_the_meter=False)
        self._meter_block_mw = world.block_delivery_mw(behind_the_meter=True)
        self._sites = [f"site {name!r}" for name in world.site_names]
        self._batteries = [f"battery {b.name!r}" for b in world.batteries]
        self._deployments = [f"deployment {d.name!r}" for d in deployments]
        self._workloads = [f"workload {load.name!r}" for load in world.workloads]
        self._fleets = [f"fleet {fleet.name!r}" for fleet in fleets]
        tiers = {load.tier_index: load.tier for load in world.workloads}
        self._tiers = [f"tier {tiers.get(at, at)!r}" for at in range(self._floor.size)]
        self._routes = [
            f"workload {world.workloads[r.workload].name!r} on {deployments[r.deployment].name!r}"
            for r in routes
        ]

    def execute(self, at: int, state: State, action: Action) -> Step:
        """Return what an action does in interval `at`, and the state that it leaves.

        What lies beyond a limit by rounding (`TOLERANCE_SHARE`) is trimmed to it.

        Raises:
            LimitBroken: naming everything that the action asks for and cannot have.
        """
        faults = _Faults()
        serve, refused, left = self._work(at, state, action, faults)
        awake, wake, it_mwh = self._racks(at, state, action, serve, faults)
        charge, discharge, energy = self._storage(at, state, action, faults)
        take = self._taken(at, action, faults)
        load_mwh = self._world.pue[:, at] * it_mwh
        net = load_mwh - self._meter_block_mw[:, at] * self._world.step_h
        net += self._at_sites(charge - discharge, self._battery_site)
        net -= self._at_sites(take * self._take_behind, self._take_site)
        made = self._made(at, action, faults)
        net -= self._at_sites(made, self._plant_site)
        bought = net - self._grid_block_mw[:, at] * self._world.step_h
        bought -= self._at_sites(take * ~self._take_behind, self._take_site)
        self._meters(at, net, faults)
        if faults.found and self._lenient:
            self.broken += [(at, fault) for fault in faults.found]
        elif faults.found:
            moment = self._world.moment(at).strftime("%Y-%m-%dT%H:%MZ")
            raise LimitBroken(f"{action.source} at {moment}: " + "; ".join(faults.found))
        return Step(
            serve_mtok=serve,
            refused_mtok=refused,
            backlog_mtok=left.sum(axis=1),
            awake=awake,
            wake=wake,
            take_mwh=take,
            charge_mwh=charge,
            discharge_mwh=discharge,
            energy_mwh=energy,
            it_mwh=it_mwh,
            load_mwh=load_mwh,
            import_mwh=np.maximum(0.0, net),
            export_mwh=np.maximum(0.0, -net),
            bought_mwh=np.maximum(0.0, bought),
            sold_mwh=np.maximum(0.0, -bought),
            generate_mwh=made,
            after=State(
                awake=awake, energy_mwh=energy, backlog_mtok=left, contracts=state.contracts
            ),
        )

    def _work(
        self, at: int, state: State, action: Action, faults: _Faults
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Take what is served and refused out of the queue, the earliest due first.

        Returns:
            Served by route [R], refused by workload [W], and the queue it leaves [W, Q].
        """
        world, loads_count = self._world, len(self._workloads)
        none = np.zeros(len(self._routes))
        faults.least(self._routes, "served", action.serve_mtok, none, "Mtok")
        faults.least(self._workloads, "refused", action.refused_mtok, np.zeros(loads_count), "Mtok")
        serve = np.maximum(0.0, action.serve_mtok)
        refused = np.maximum(0.0, action.refused_mtok)
        queue = np.column_stack([state.backlog_mtok, np.zeros(loads_count)])
        queue[np.arange(loads_count), self._defer] += world.arrivals_mtok[:, at]
        asked = queue.sum(axis=1)
        served = sums_by(self._load_of, serve, count=loads_count)
        faults.most(self._workloads, "served and refused", served + refused, asked, "Mtok")
        if (excess := served + refused - asked).max(initial=0.0) > 0.0:
            refused -= np.minimum(refused, np.maximum(0.0, excess))
            share = np.minimum(1.0, asked / np.maximum(served, asked + (served == 0.0)))
            serve = serve * share[self._load_of]
            served = served * share
        rest = np.maximum(0.0, queue.cumsum(axis=1) - (served + refused)[:, None])
        queue = np.diff(rest, axis=1, prepend=0.0)
        if at + 1 == world.last:  # at the end everything is due: what waits was not served
            refused += rest[:, -1]
            return serve, refused, np.zeros_like(queue[:, 1:])
        late = queue[:, 0]
        late = np.where(late <= TOLERANCE_SHARE * asked, 0.0, late)
        none = np.zeros(loads_count)
        faults.most(self._workloads, "work past its deadline", late, none, "Mtok")
        return serve, refused + queue[:, 0], queue[:, 1:]

    def _racks(
        self, at: int, state: State, action: Action, serve: FloatArray, faults: _Faults
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return awake and woken replicas [D] and the load at the racks [S], MWh."""
        step_h, count = self._world.step_h, len(self._deployments)
        given = np.zeros(count)
        given[: action.awake.size] = action.awake
        faults.least(self._deployments, "awake", given, np.zeros(count), "replicas")
        awake = np.where(self._own, np.maximum(0.0, given), 0.0)
        wake = np.maximum(0.0, awake - state.awake)
        busy_h = self._replicas(awake, wake, serve, faults)
        own, site_of, there = self._own, self._site_of, self._fleet_gpus_count[:, at]
        gpus = (awake * self._gpus_count)[own]
        used = sums_by(self._fleet_of[own], gpus, there.size)
        faults.most(self._fleets, "awake", used, there, "GPUs")
        work_only = self._work_only[site_of, at]
        on = np.where(work_only, busy_h / step_h, awake)
        gpus = (on * self._gpus_count)[own]
        asleep_count = there - sums_by(self._fleet_of[own], gpus, there.size)
        it_mwh = self._world.fixed_mw * self._alive[:, at] * step_h
        it_mwh += self._at_sites(self._sleep_mw * asleep_count * step_h, self._fleet_site)
        drawn = on * self._base_mw * step_h + np.where(work_only, 0.0, wake * self._wake_mwh)
        it_mwh += self._at_sites(drawn[own], site_of[own])
        tokens = (serve * self._marginal_mwh_per_mtok)[self._own_route]
        route_site = self._site_of[self._deployment_of[self._own_route]]
        return awake, wake, it_mwh + self._at_sites(tokens, route_site)

    def _replicas(
        self, awake: FloatArray, wake: FloatArray, serve: FloatArray, faults: _Faults
    ) -> FloatArray:
        """Hold work against replicas, rate limits and the quality that a tier promises.

        Returns:
            Replica-hours at work [D].
        """
        count = len(self._deployments)
        busy = sums_by(self._deployment_of, serve / self._rate_mtok_per_h, count=count)
        room = awake * self._world.step_h - wake * self._wake_lost_h
        limit = np.where(self._own, room, np.inf)
        faults.most(self._deployments, "serving takes", busy, limit, "replica-hours")
        sent = sums_by(self._deployment_of, serve, count=count)
        limit = np.where(self._own, np.inf, self._api_mtok)
        faults.most(self._deployments, "served", sent, limit, "Mtok")
        above = sums_by(
            self._tier_of,
            serve * (self._quality - self._floor[self._tier_of]),
            count=self._floor.size,
        )
        above = np.where(self._floor > 0.0, above, 0.0)
        faults.least(self._tiers, "quality above its floor", above, np.zeros_like(above), "Mtok")
        return busy

    def _storage(
        self, at: int, state: State, action: Action, faults: _Faults
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return charge, discharge and stored energy [B], MWh, trimmed to what fits exactly."""
        names, none = self._batteries, np.zeros(len(self._batteries))
        charge = action.charge_mw * self._world.step_h
        discharge = action.discharge_mw * self._world.step_h
        faults.least(names, "charge", charge, none, "MWh")
        faults.least(names, "discharge", discharge, none, "MWh")
        charge, discharge = np.maximum(0.0, charge), np.maximum(0.0, discharge)
        used = charge + discharge
        power = self._power_mwh * self._alive[self._battery_site, at]
        faults.most(names, "charge and discharge together", used, power, "MWh")
        energy = state.energy_mwh + self._in_share * charge - discharge / self._out_share
        faults.most(names, "stored energy", energy, self._capacity_mwh, "MWh")
        faults.least(names, "stored energy", energy, none, "MWh")
        over = np.maximum(0.0, energy - self._capacity_mwh)
        charge = np.maximum(0.0, charge - over / self._in_share)
        short = np.maximum(0.0, -energy)
        discharge = np.maximum(0.0, discharge - short * self._out_share)
        energy = state.energy_mwh + self._in_share * charge - discharge / self._out_share
        return charge, discharge, np.clip(energy, 0.0, self._capacity_mwh)

    def _taken(self, at: int, action: Action, faults: _Faults) -> FloatArray:
        """Return what is taken of each as-produced contract [C], MWh."""
        takes, step_h = self._world.takes, self._world.step_h
        names = [f"contract {take.contract_id!r}" for take in takes]
        most = np.array([take.available_mw[at] for take in takes]) * step_h
        least = np.array([take.floor_mw[at] for take in takes]) * step_h
        take = action.take_mw * step_h
        faults.most(names, "taken", take, most, "MWh")
        faults.least(names, "taken", take, least, "MWh")
        return np.clip(take, least, most)

    def _made(self, at: int, action: Action, faults: _Faults) -> FloatArray:
        """Return what each plant on site makes [U], MWh: nothing, or from its least output on."""
        plants, step_h = self._world.generators, self._world.step_h
        names = [f"generator {plant.contract_id!r}" for plant in plants]
        most = np.array([plant.capacity_mw[at] for plant in plants]) * step_h
        least = np.array([plant.min_load_share for plant in plants]) * most
        given = action.generate_mw
        made = np.zeros(len(plants)) if given is None else given * step_h
        off = made <= TOLERANCE_SHARE * np.maximum(1.0, most)
        made = np.where(off, np.maximum(0.0, made), made)
        faults.most(names, "generated", made, most, "MWh")
        faults.least(names, "generated", made, np.where(off, 0.0, least), "MWh")
        return np.where(off, 0.0, np.clip(made, least, most))

    def _meters(self, at: int, net_mwh: FloatArray, faults: _Faults) -> None:
        """Hold net import and export against the connection, as powers."""
        net_mw, none = net_mwh / self._world.step_h, np.zeros_like(net_mwh)
        limit_mw = self._world.import_limit_mw[:, at]
        faults.most(self._sites, "import", np.maximum(net_mw, none), limit_mw, "MW")
        limit_mw = self._world.export_limit_mw[:, at]
        faults.most(self._sites, "export", np.maximum(-net_mw, none), limit_mw, "MW")

    def _at_sites(self, values: FloatArray, sites: np.ndarray) -> FloatArray:
        return sums_by(sites, values, count=self._world.sites_count)

"""One interval while its replicas are made whole: counts, work and loads, kept within limits."""

from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.outages import alive, gpus_count, standing_mw
from tokenergy.dispatch.world import Action, BoolArray, FloatArray, IntArray, State, World
from tokenergy.simulate.run import sums_by

ROUNDING = 1e-9
"""Replicas, Mtok or MWh below this are rounding: nothing is woken for them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizes:
    """What a world's deployments and routes are made of, in their order: D, R, S, F as in `World`.

    `net_mw` is what an awake replica draws more than its GPUs asleep; `fleet_gpus_count` [F, T],
    `standing_mw` and `meter_block_mw` [S, T] are what is there in each interval.
    """

    own: BoolArray
    fleet_of: IntArray
    site_of: IntArray
    gpus_count: FloatArray
    net_mw: FloatArray
    wake_mwh: FloatArray
    lost_h: FloatArray
    api_mtok: FloatArray
    load_of: IntArray
    deployment_of: IntArray
    route_site: IntArray
    own_route: BoolArray
    rate_mtok_per_h: FloatArray
    marginal_mwh_per_mtok: FloatArray
    value_usd_per_mtok: FloatArray
    tier_of: IntArray
    above_floor_share: FloatArray
    work_only: BoolArray
    fleet_gpus_count: FloatArray
    standing_mw: FloatArray
    meter_block_mw: FloatArray

    @classmethod
    def of(cls, world: World, work_only: BoolArray) -> "Sizes":
        """Lay a world out; `work_only` tells where only work draws power [S, T]."""
        made, routes, fleets = world.deployments, world.routes, world.fleets
        span = np.arange(world.last)
        there = gpus_count(world, span)
        own = np.array([not d.external for d in made], dtype=bool)
        sleep = [0.0 if d.external else fleets[d.fleet].sleep_mw_per_gpu for d in made]
        at = np.array([r.deployment for r in routes], dtype=np.int64)
        tiers = np.array([world.workloads[r.workload].tier_index for r in routes], dtype=np.int64)
        floors = np.array(world.floor_share)
        above = np.array([r.quality_share for r in routes]) - floors[tiers]
        return cls(
            own=own,
            fleet_of=np.array([d.fleet for d in made], dtype=np.int64),
            site_of=np.array([max(0, d.site) for d in made], dtype=np.int64),
            gpus_count=np.array([float(d.gpus_count) for d in made]),
            net_mw=np.array(
                [d.base_mw - mw * d.gpus_count for d, mw in zip(made, sleep, strict=True)]
            ),
            wake_mwh=np.array([d.wake_mwh for d in made]),
            lost_h=np.array([min(d.wake_h, world.step_h) for d in made]),
            api_mtok=np.array([d.limit_mtok_per_h for d in made]) * world.step_h,
            load_of=np.array([r.workload for r in routes], dtype=np.int64),
            deployment_of=at,
            route_site=np.array([max(0, made[d].site) for d in at], dtype=np.int64),
            own_route=own[at],
            rate_mtok_per_h=np.array([r.rate_mtok_per_h for r in routes]),
            marginal_mwh_per_mtok=np.array([r.marginal_mwh_per_mtok for r in routes]),
            value_usd_per_mtok=np.array(
                [world.workloads[r.workload].value_usd_per_mtok for r in routes]
            ),
            tier_of=tiers,
            above_floor_share=np.where(floors[tiers] > 0.0, above, np.inf),
            work_only=work_only,
            fleet_gpus_count=there,
            standing_mw=standing_mw(world, there, alive(world, span)),
            meter_block_mw=world.block_delivery_mw(behind_the_meter=True),
        )


class WholeInterval:
    """An action of one interval on its way to whole replicas.

    Attributes:
        awake_count: replicas awake by deployment [D].
        serve_mtok: work by route [R].
        displaced_mtok: work that lost its replica and has no other place yet, by workload [W].
        work_mtok: arrivals and backlog by workload [W].
        take_mw, charge_mw, discharge_mw: by as-produced contract and by battery.
    """

    def __init__(self, world: World, sizes: Sizes, at: int, state: State, action: Action) -> None:
        """Begin with the action as the policy has it, on the state as it is."""
        self._world, self._sizes, self._at = world, sizes, at
        self._step_h = world.step_h
        self._before = state.awake
        self._only_work = sizes.work_only[sizes.site_of, at]
        self.awake_count = np.zeros(sizes.own.size)
        self.awake_count[: action.awake.size] = action.awake
        self.awake_count = np.where(sizes.own, np.maximum(0.0, self.awake_count), 0.0)
        self.serve_mtok = np.maximum(0.0, action.serve_mtok)
        self.take_mw = action.take_mw.copy()
        self.charge_mw, self.discharge_mw = self._stored_mw(state, action)
        self.work_mtok = world.arrivals_mtok[:, at] + state.backlog_mtok.sum(axis=1)
        self.displaced_mtok = np.zeros(self.work_mtok.size)
        asked = sums_by(sizes.load_of, self.serve_mtok, count=self.work_mtok.size)
        share = np.minimum(1.0, self.work_mtok / np.maximum(asked, self.work_mtok + (asked == 0)))
        self.serve_mtok = self.serve_mtok * share[sizes.load_of]
        self._offset_mwh = self._behind_mwh(action)

    def owe(self, mtok: FloatArray) -> None:
        """Count work as displaced that must be done now and that the action forgets [W].

        So it is with a plan made once: earlier intervals left what it takes for done.
        """
        served = sums_by(self._sizes.load_of, self.serve_mtok, count=mtok.size)
        self.displaced_mtok += np.maximum(0.0, np.minimum(mtok, self.work_mtok) - served)

    def round_up(self) -> None:
        """Round every deployment up, and to what its work needs if that is more."""
        self.awake_count = np.ceil(self.awake_count - ROUNDING)
        short_h = self._busy_h() - self._room_h(self.awake_count)
        gained_h = self._step_h - self._sizes.lost_h
        can = self._sizes.own & (short_h > ROUNDING) & (gained_h > 0.0)
        more = np.ceil(np.where(can, short_h, 0.0) / np.where(can, gained_h, 1.0) - ROUNDING)
        self.awake_count = self.awake_count + np.maximum(0.0, more)
        for deployment in np.flatnonzero(self._sizes.own).tolist():
            self._trim(deployment)

    def fit_fleets(self) -> None:
        """Leave replicas out where a fleet has fewer GPUs."""
        for fleet, most in enumerate(self._sizes.fleet_gpus_count[:, self._at].tolist()):
            mine = np.flatnonzero(self._sizes.fleet_of == fleet)
            while self._gpus(mine) > most + ROUNDING:
                self._leave_out(self._least_missed(mine))

    def fit_sites(self) -> None:
        """Leave replicas out where a connection delivers less than they draw."""
        for site in range(self._world.sites_count):
            limit_mwh = float(self._world.import_limit_mw[site, self._at]) * self._step_h
            mine = np.flatnonzero(self._sizes.own & (self._sizes.site_of == site))
            while self._net_mwh()[site] > limit_mwh + ROUNDING * max(1.0, limit_mwh):
                if not mine.size or not self.awake_count[mine].any():
                    break
                self._leave_out(self._least_missed(mine))

    def put(self, route: int, *, more_replicas: bool) -> None:
        """Put displaced work of a route's workload on it, as far as there is room.

        With `more_replicas`, replicas are woken for it while GPUs and megawatts last.
        """
        sizes, load = self._sizes, int(self._sizes.load_of[route])
        deployment = int(sizes.deployment_of[route])
        while self.displaced_mtok[load] > ROUNDING:
            mtok = min(float(self.displaced_mtok[load]), self._room_mtok(route))
            if mtok > ROUNDING:
                self.serve_mtok[route] += mtok
                self.displaced_mtok[load] -= mtok
            elif not more_replicas or not self._wake_one(deployment, route):
                return

    def keep_floors(self) -> None:
        """Take back work of models below a tier's floor where the rest no longer carries it."""
        sizes = self._sizes
        held = np.isfinite(sizes.above_floor_share)
        for tier in np.unique(sizes.tier_of[held]).tolist():
            mine = np.flatnonzero(held & (sizes.tier_of == tier))
            short = -float(self.serve_mtok[mine] @ sizes.above_floor_share[mine])
            for route in mine[np.argsort(sizes.above_floor_share[mine], kind="stable")].tolist():
                below = -float(sizes.above_floor_share[route])
                if short <= ROUNDING or below <= 0.0:
                    break
                mtok = min(float(self.serve_mtok[route]), short / below)
                self.serve_mtok[route] -= mtok
                short -= mtok * below

    def fit_exports(self) -> None:
        """Discharge and take less where a site would send out more than its connection takes."""
        world = self._world
        over = -self._net_mwh() / self._step_h - world.export_limit_mw[:, self._at]
        for battery, site in enumerate(world.battery_site):
            less = min(max(0.0, float(over[site])), float(self.discharge_mw[battery]))
            self.discharge_mw[battery] -= less
            over[site] -= less
        for at, take in enumerate(world.takes):
            if take.behind_the_meter and over[take.site] > 0.0:
                spare = max(0.0, float(self.take_mw[at] - take.floor_mw[self._at]))
                less = min(float(over[take.site]), spare)
                self.take_mw[at] -= less
                over[take.site] -= less

    def _stored_mw(self, state: State, action: Action) -> tuple[FloatArray, FloatArray]:
        """Return charge and discharge [B] as far as what is stored allows both.

        A plan made once counts on what earlier intervals were to store or to give.
        """
        batteries = self._world.batteries
        in_share = np.array([battery.charge_eff_share for battery in batteries])
        out_share = np.array([battery.discharge_eff_share for battery in batteries])
        capacity_mwh = np.array([battery.capacity_mwh for battery in batteries])
        given = action.discharge_mw * self._step_h / out_share
        room_mwh = np.maximum(0.0, capacity_mwh - state.energy_mwh + given)
        charge_mw = np.minimum(action.charge_mw, room_mwh / (in_share * self._step_h))
        held_mwh = state.energy_mwh + in_share * charge_mw * self._step_h
        discharge_mw = np.minimum(action.discharge_mw, held_mwh * out_share / self._step_h)
        return charge_mw, discharge_mw

    def _behind_mwh(self, action: Action) -> FloatArray:
        """Return what a site's meter is spared by all that is not load [S], MWh; negative: added.

        Blocks and takes behind the meter, generators and batteries, as the action has them.
        """
        world, sites = self._world, self._world.sites_count
        spared_mw = self._sizes.meter_block_mw[:, self._at]
        batteries = np.array(world.battery_site, dtype=np.int64)
        spared_mw = spared_mw + sums_by(batteries, self.discharge_mw - self.charge_mw, sites)
        behind = np.array([take.behind_the_meter for take in world.takes], dtype=bool)
        places = np.array([take.site for take in world.takes], dtype=np.int64)
        spared_mw = spared_mw + sums_by(places, action.take_mw * behind, sites)
        if action.generate_mw is not None:
            homes = np.array([each.site for each in world.generators], dtype=np.int64)
            spared_mw = spared_mw + sums_by(homes, action.generate_mw, sites)
        return np.asarray(spared_mw * self._step_h)

    def _busy_h(self) -> FloatArray:
        """Return the replica-hours of work [D]."""
        hours = self.serve_mtok / self._sizes.rate_mtok_per_h
        return sums_by(self._sizes.deployment_of, hours, count=self._sizes.own.size)

    def _room_h(self, awake_count: FloatArray) -> FloatArray:
        """Return the replica-hours that replicas give, less those that wake first [D]."""
        woken = np.maximum(0.0, awake_count - self._before)
        return np.asarray(awake_count * self._step_h - woken * self._sizes.lost_h)

    def _gpus(self, deployments: IntArray) -> float:
        return float(self.awake_count[deployments] @ self._sizes.gpus_count[deployments])

    def _net_mwh(self) -> FloatArray:
        """Return import less export by site [S]."""
        world, sizes, sites = self._world, self._sizes, self._world.sites_count
        on = np.where(self._only_work, self._busy_h() / self._step_h, self.awake_count)
        woken = np.maximum(0.0, self.awake_count - self._before)
        drawn = on * sizes.net_mw * self._step_h
        drawn = drawn + np.where(self._only_work, 0.0, woken * sizes.wake_mwh)
        it_mwh = sizes.standing_mw[:, self._at] * self._step_h
        it_mwh = it_mwh + sums_by(sizes.site_of[sizes.own], drawn[sizes.own], sites)
        tokens = (self.serve_mtok * sizes.marginal_mwh_per_mtok)[sizes.own_route]
        it_mwh = it_mwh + sums_by(sizes.route_site[sizes.own_route], tokens, sites)
        return np.asarray(world.pue[:, self._at] * it_mwh - self._offset_mwh)

    def _least_missed(self, deployments: IntArray) -> int:
        """Return the deployment that would miss one of its replicas least, by value of work."""
        sizes, busy = self._sizes, self._busy_h()
        fewer = self._room_h(np.maximum(0.0, self.awake_count - 1.0))
        short_h = np.maximum(0.0, busy - fewer)
        worth = sums_by(
            sizes.deployment_of, self.serve_mtok * sizes.value_usd_per_mtok, count=busy.size
        )
        missed_usd = short_h * worth / np.where(busy > 0.0, busy, 1.0)
        held = deployments[self.awake_count[deployments] >= 1.0]
        return int(held[np.argmin(missed_usd[held])])

    def _leave_out(self, deployment: int) -> None:
        self.awake_count[deployment] -= 1.0
        self._trim(deployment)

    def _trim(self, deployment: int) -> None:
        """Displace what the deployment's replicas cannot do, the least worth first."""
        sizes = self._sizes
        over_h = float((self._busy_h() - self._room_h(self.awake_count))[deployment])
        mine = np.flatnonzero(sizes.deployment_of == deployment)
        worth = sizes.value_usd_per_mtok[mine] * sizes.rate_mtok_per_h[mine]
        for route in mine[np.argsort(worth, kind="stable")].tolist():
            if over_h <= 0.0:
                return
            rate = float(sizes.rate_mtok_per_h[route])
            mtok = min(float(self.serve_mtok[route]), over_h * rate)
            self.serve_mtok[route] -= mtok
            self.displaced_mtok[sizes.load_of[route]] += mtok
            over_h -= mtok / rate

    def _room_mtok(self, route: int) -> float:
        """Return how much more of its work a route can do with what is awake."""
        sizes, deployment = self._sizes, int(self._sizes.deployment_of[route])
        most = self._floor_mtok(route)
        if not sizes.own[deployment]:
            sent = float(self.serve_mtok[sizes.deployment_of == deployment].sum())
            return min(most, max(0.0, float(sizes.api_mtok[deployment]) - sent))
        spare_h = float((self._room_h(self.awake_count) - self._busy_h())[deployment])
        most = min(most, max(0.0, spare_h) * float(sizes.rate_mtok_per_h[route]))
        site = int(sizes.site_of[deployment])
        drawn = float(sizes.marginal_mwh_per_mtok[route])
        if self._only_work[deployment]:
            drawn += float(sizes.net_mw[deployment] / sizes.rate_mtok_per_h[route])
        drawn *= float(self._world.pue[site, self._at])
        room_mwh = self._spare_mwh(site)
        return min(most, room_mwh / drawn) if drawn > 0.0 else most

    def _floor_mtok(self, route: int) -> float:
        """Return how much more a route may do before its tier's quality falls below its floor."""
        sizes = self._sizes
        below = -float(sizes.above_floor_share[route])
        if below <= 0.0:
            return float("inf")
        mine = sizes.tier_of == sizes.tier_of[route]
        above = float(self.serve_mtok[mine] @ sizes.above_floor_share[mine])
        return max(0.0, above) / below

    def _spare_mwh(self, site: int) -> float:
        limit_mwh = float(self._world.import_limit_mw[site, self._at]) * self._step_h
        return max(0.0, limit_mwh - float(self._net_mwh()[site]))

    def _wake_one(self, deployment: int, route: int) -> bool:
        """Wake one more replica for a route, and tell whether it could and would serve."""
        sizes = self._sizes
        if not sizes.own[deployment] or self._floor_mtok(route) <= ROUNDING:
            return False
        if sizes.lost_h[deployment] >= self._step_h:
            return False  # it would be awake too late
        fleet = int(sizes.fleet_of[deployment])
        mine = np.flatnonzero(sizes.fleet_of == fleet)
        needed = self._gpus(mine) + float(sizes.gpus_count[deployment])
        if needed > float(sizes.fleet_gpus_count[fleet, self._at]) + ROUNDING:
            return False
        self.awake_count[deployment] += 1.0
        over = self._net_mwh()[sizes.site_of[deployment]] > self._limit_mwh(deployment)
        if over or self._room_mtok(route) <= ROUNDING:
            self.awake_count[deployment] -= 1.0
            return False
        return True

    def _limit_mwh(self, deployment: int) -> float:
        site = int(self._sizes.site_of[deployment])
        return float(self._world.import_limit_mw[site, self._at]) * self._step_h

"""One interval from end to end for policies without a program: begin it, fill it, close it.

Beginning fixes what no routing moves: prices, contracts, fixed load, batteries. Closing turns the
fill into an action that keeps every limit. Where a site's standing load exceeds what it can
import, or power that must be taken cannot leave it, the battery yields, whatever the policy had
in mind; only then is the company's file infeasible.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from tokenergy.dispatch.energy_cost import EnergyCosts, SiteCurve, tiny_mw
from tokenergy.dispatch.fill import Fill, Lane, Present, lanes_of, lost_share
from tokenergy.dispatch.outages import Limits, alive, gpus_count, standing_mw
from tokenergy.dispatch.plants import RunningPlant, running_plants
from tokenergy.dispatch.window import true_window, work_only
from tokenergy.dispatch.world import NOWHERE, Action, FloatArray, State, World
from tokenergy.errors import InfeasibleProgram

FORCED_USD_PER_MWH = -1e6
"""Price that draws work to power which would make the interval infeasible otherwise."""


class Intervals:
    """The intervals of a world, one at a time.

    Attributes:
        lanes: the routes of the world, multiplied out.
        by_load: the lanes of each workload.
        costs: the cost of load at each site.
        gpus_count: GPUs that are there [F, T].
        standing_mw: fixed load and sleep at the racks [S, T].
    """

    def __init__(self, world: World) -> None:
        """Spread once what every interval needs."""
        self.world = world
        self.lanes: tuple[Lane, ...] = lanes_of(world)
        by_load: list[list[Lane]] = [[] for _ in world.workloads]
        for lane in self.lanes:
            by_load[lane.workload].append(lane)
        self.by_load = tuple(tuple(mine) for mine in by_load)
        self.costs = EnergyCosts(world)
        span = np.arange(world.last)
        self.gpus_count = gpus_count(world, span)
        self.standing_mw = standing_mw(world, self.gpus_count, alive(world, span))
        self._work_only = work_only(world, true_window(world, begin=0, count=world.last))
        self._scarce = [self._scarce_usd_per_mwh(site) for site in range(world.sites_count)]
        self._slow = [lane for lane in self.lanes if lane.site != NOWHERE and lane.woken is None]

    def begin(
        self,
        at: int,
        state: State,
        *,
        battery_mw: Sequence[float] | None = None,
        it_usd_per_mwh: tuple[float, ...] | None = None,
        limits: Limits | None = None,
    ) -> tuple[Fill, list[float]]:
        """Return an empty fill, and the power of each battery: charge less discharge.

        Args:
            at: index of the interval.
            state: what the past left.
            battery_mw: power wanted of each battery; None: all rest.
            it_usd_per_mwh: price at the racks of each site, for policies that do not look at
                the site's own.
            limits: what is there in an event; None: what the world says.

        Raises:
            InfeasibleProgram: if a site's standing load exceeds what it can carry.
        """
        world, pue = self.world, self.world.pue[:, at].tolist()
        standing, gpus = self.standing_mw[:, at].tolist(), self.gpus_count[:, at].tolist()
        if limits is not None:
            gpus = limits.gpus_count.tolist()
            there = limits.gpus_count[:, None], limits.alive[:, None]
            standing = standing_mw(world, *there)[:, 0].tolist()
        resting = [ratio * mw for ratio, mw in zip(pue, standing, strict=True)]
        curves = self._curves(at, limits, state, resting)
        power_mw = [0.0] * len(world.batteries) if battery_mw is None else list(battery_mw)
        loads, surplus = [], []
        for site, curve in enumerate(curves):
            mine = self._batteries(site)
            load_mw = resting[site] + sum(power_mw[b] for b in mine)
            excess_mw = load_mw - curve.most_mw
            if excess_mw > tiny_mw(curve.most_mw):
                load_mw -= self._shift(power_mw, mine, state, lower_mw=excess_mw)
                self._fault_if(load_mw - curve.most_mw, site, at, "carry its standing load")
            loads.append(load_mw)
            surplus.append(self._surplus_usd_per_mwh(site, resting[site], curve, state))
        present = Present(
            step_h=world.step_h,
            work_mtok=tuple(self._work_mtok(at, state)),
            awake_count=tuple(state.awake.tolist()),
            pue=tuple(pue),
            gpus_count=tuple(gpus),
            load_mw=tuple(loads),
            surplus_usd_per_mwh=tuple(surplus),
            curves=curves,
            work_only=tuple(self._work_only[:, at].tolist()),
            it_usd_per_mwh=it_usd_per_mwh,
        )
        return Fill(world, self.lanes, present), power_mw

    def close(
        self,
        fill: Fill,
        power_mw: list[float],
        *,
        at: int,
        state: State,
        source: str,
        soon_mtok: Sequence[float] | None = None,
    ) -> Action:
        """Return the action of a filled interval.

        Args:
            fill: the interval, filled.
            power_mw: charge less discharge of each battery; changed where a limit asks for it.
            at: index of the interval.
            state: what the past left.
            source: the policy that decides.
            soon_mtok: work to wake replicas for that take the whole interval to wake, by
                workload; None: all that is left.

        Raises:
            InfeasibleProgram: if power that must be taken can neither leave a site nor be used.
        """
        self._wake_ahead(fill, fill.left_mtok if soon_mtok is None else soon_mtok)
        for site, curve in enumerate(fill.present.curves):
            self._absorb(fill, power_mw, site, curve, at=at, state=state)
        takes_mw = np.zeros(len(self.world.takes))
        generate_mw = np.zeros(len(self.world.generators))
        for curve, load_mw in zip(fill.present.curves, fill.load_mw, strict=True):
            for contract, taken_mw in curve.takes_mw(load_mw):
                takes_mw[contract] = taken_mw
            for plant, given_mw in curve.generates_mw(load_mw):
                generate_mw[plant] = given_mw
        power = np.array(power_mw)
        return Action(
            serve_mtok=np.array(fill.serve_mtok),
            refused_mtok=self._refused_mtok(fill, at, state),
            awake=np.array([fill.awake_count(d) for d in range(len(self.world.deployments))]),
            take_mw=takes_mw,
            charge_mw=power.clip(min=0.0),
            discharge_mw=(-power).clip(min=0.0),
            generate_mw=generate_mw,
            source=source,
        )

    def charge_limit_mw(self, battery: int, state: State) -> float:
        """Return the most power a battery can absorb for the interval."""
        spec = self.world.batteries[battery]
        room_mwh = max(0.0, spec.capacity_mwh - float(state.energy_mwh[battery]))
        return min(spec.power_mw, room_mwh / (spec.charge_eff_share * self.world.step_h))

    def discharge_limit_mw(self, battery: int, state: State) -> float:
        """Return the most power a battery can give for the interval."""
        spec = self.world.batteries[battery]
        stored_mwh = max(0.0, float(state.energy_mwh[battery]))
        return min(spec.power_mw, stored_mwh * spec.discharge_eff_share / self.world.step_h)

    def _curves(
        self, at: int, limits: Limits | None, state: State, resting_mw: Sequence[float]
    ) -> tuple[SiteCurve, ...]:
        """Return the cost of load at each site; `resting_mw` is its load before any work."""
        world, curves = self.world, []
        for site in range(world.sites_count):
            limit_mw = None if limits is None else float(limits.import_limit_mw[site])
            if not world.generators:
                curves.append(self.costs.curve(site, at, import_limit_mw=limit_mw))
                continue
            curve_of = partial(self._curve, site, at, limit_mw)
            running = running_plants(
                world,
                site,
                at,
                state,
                curve_of=curve_of,
                standing_mw=resting_mw[site],
                scarce_usd_per_mwh=self._scarce[site] / float(world.pue[site, at]),
            )
            curves.append(curve_of(running))
        return tuple(curves)

    def _curve(
        self, site: int, at: int, limit_mw: float | None, plants: Sequence[RunningPlant]
    ) -> SiteCurve:
        return self.costs.curve(site, at, import_limit_mw=limit_mw, plants=plants)

    def _surplus_usd_per_mwh(
        self, site: int, resting_mw: float, curve: SiteCurve, state: State
    ) -> float:
        """Return the price of power that cannot leave a site with batteries at rest.

        That of the first segment where only a battery's discharge makes it; nothing where the
        site is full of power already; and where batteries have no room for that, work has to
        come, whatever it costs: a replica without work draws nothing there (`work_only`).
        """
        first = curve.slopes_usd_per_mwh[0]
        short_mw = curve.least_mw - resting_mw
        if short_mw <= tiny_mw(curve.least_mw):
            return first
        short_mw -= sum(self.charge_limit_mw(b, state) for b in self._batteries(site))
        return min(0.0, first) if short_mw <= 0.0 else FORCED_USD_PER_MWH

    def _scarce_usd_per_mwh(self, site: int) -> float:
        """Return what a MWh at the racks is worth to the best work that a site can do."""
        worth = [
            (lane.value_usd_per_mtok - lane.paid_usd_per_mtok - lane.held.lease_usd_per_mtok)
            / lane.held.it_mwh_per_mtok
            for lane in self.lanes
            if lane.site == site and lane.held.it_mwh_per_mtok > 0.0
        ]
        return max(0.0, *worth) if worth else 0.0

    def _batteries(self, site: int) -> list[int]:
        return [at for at, home in enumerate(self.world.battery_site) if home == site]

    def _work_mtok(self, at: int, state: State) -> list[float]:
        backlog_mtok = state.backlog_mtok.sum(axis=1)
        present: list[float] = (self.world.arrivals_mtok[:, at] + backlog_mtok).tolist()
        return present

    def _refused_mtok(self, fill: Fill, at: int, state: State) -> FloatArray:
        """Return work that was not served and can wait no longer [W].

        What may still wait does: refusing it before it is due would lose its value for nothing.
        """
        left = np.array(fill.left_mtok)
        if at >= self.world.last - 1:
            return left
        served = np.array(fill.present.work_mtok) - left
        due = np.where(
            [load.defer_count > 0 for load in self.world.workloads],
            state.backlog_mtok[:, 0],
            fill.present.work_mtok,
        )
        refused: FloatArray = np.clip(due - served, 0.0, left)
        return refused

    def _shift(
        self, power_mw: list[float], mine: list[int], state: State, *, lower_mw: float
    ) -> float:
        """Lower the power of a site's batteries (raise, if negative); return by how much."""
        moved_mw = 0.0
        for battery in mine:
            wanted = power_mw[battery] - (lower_mw - moved_mw)
            least = -self.discharge_limit_mw(battery, state)
            changed = min(max(wanted, least), self.charge_limit_mw(battery, state))
            moved_mw += power_mw[battery] - changed
            power_mw[battery] = changed
        return moved_mw

    def _absorb(
        self,
        fill: Fill,
        power_mw: list[float],
        site: int,
        curve: SiteCurve,
        *,
        at: int,
        state: State,
    ) -> None:
        """Put what work left of power that must be taken and cannot leave into batteries."""
        short_mw = curve.least_mw - fill.load_mw[site]
        if short_mw <= tiny_mw(curve.least_mw):
            return
        fill.add_load(
            site, -self._shift(power_mw, self._batteries(site), state, lower_mw=-short_mw)
        )
        self._fault_if(curve.least_mw - fill.load_mw[site], site, at, "use power it must take")

    def _wake_ahead(self, fill: Fill, soon_mtok: Sequence[float]) -> None:
        """Wake replicas for work that comes soon, where a wake takes the whole interval.

        They serve nothing now and are awake for the next interval. A replica that wakes faster
        is woken when it is needed and served what it could already.
        """
        wanted = list(soon_mtok)
        for lane in sorted(self._slow, key=lambda lane: self._steady_usd_per_mtok(fill, lane)):
            target = self.world.deployments[lane.deployment]
            steady = self._steady_usd_per_mtok(fill, lane)
            if wanted[lane.workload] <= 0.0 or steady >= lane.value_usd_per_mtok:
                continue
            if lost_share(target, self.world.step_h) < 1.0 or lane.above_floor_share < 0.0:
                continue
            before = fill.present.awake_count[lane.deployment]
            idle = before - fill.needed_count[lane.deployment]
            if idle > 1e-9 * max(1.0, before):
                continue  # there was room: something else is short
            each_mw = fill.waking_mw(lane.deployment)
            count = min(
                wanted[lane.workload] * lane.replicas_per_mtok,
                fill.gpus_left_count[lane.fleet] / target.gpus_count,
                fill.room_mw(lane.site) / each_mw if each_mw > 0.0 else float("inf"),
            )
            fill.wake(lane.deployment, count)
            wanted[lane.workload] -= count / lane.replicas_per_mtok

    def _steady_usd_per_mtok(self, fill: Fill, lane: Lane) -> float:
        """Return what a Mtok costs on a replica that is awake, at the site's present price."""
        curve = fill.present.curves[lane.site]
        price = curve.slopes_usd_per_mwh[curve.segment_at(fill.load_mw[lane.site])]
        energy_mwh = lane.held.it_mwh_per_mtok * fill.present.pue[lane.site]
        return lane.paid_usd_per_mtok + lane.held.lease_usd_per_mtok + energy_mwh * price

    def _fault_if(self, over_mw: float, site: int, at: int, verb: str) -> None:
        if over_mw > 1e-9:
            raise InfeasibleProgram(
                f"site {self.world.site_names[site]!r} cannot {verb} at "
                f"{self.world.moment(at).isoformat()}: {over_mw:.3f} MW beyond its limits, "
                "contracts and battery"
            )

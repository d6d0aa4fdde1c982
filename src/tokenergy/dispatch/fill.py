"""One interval being filled with work, lane by lane, within every limit of the program.

A lane is a route with everything multiplied out for one interval. `Fill.offer` says what the
next Mtok on a lane costs and how far that cost holds: to the end of the demand, of the replicas
that are awake already, of the GPUs, of the segment of the site's energy, of the connection, of
the API's limit, of the quality above the tier's floor. `Fill.serve` takes it. In which order is
each policy's own affair.
"""

from collections.abc import Collection
from dataclasses import dataclass

from tokenergy.dispatch.columns import serve_usd_per_mtok
from tokenergy.dispatch.energy_cost import SiteCurve, tiny_mw
from tokenergy.dispatch.world import NOWHERE, Deployment, World

ROUNDING_SHARE = 1e-12
"""What is left of a quantity, as a share of the whole, when it counts as used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What one Mtok draws on a replica: energy at the racks above sleep, GPUs and lease."""

    it_mwh_per_mtok: float
    gpus_per_mtok: float
    lease_usd_per_mtok: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A route, multiplied out for one interval.

    Attributes:
        route: index of the route.
        fleet, site: `NOWHERE` on an external API.
        tier: index of the tier, or `NOWHERE` where the tier promises no quality.
        above_floor_share: quality less the tier's floor.
        paid_usd_per_mtok: network, API price and lost quality.
        replicas_per_mtok: replicas that serve 1 Mtok in one interval.
        held: draw on a replica that is awake already.
        woken: draw on one that has to be woken, None where waking takes the whole interval.
    """

    route: int
    workload: int
    deployment: int
    fleet: int
    site: int
    tier: int
    above_floor_share: float
    value_usd_per_mtok: float
    paid_usd_per_mtok: float
    replicas_per_mtok: float
    held: Draw
    woken: Draw | None


def lost_share(deployment: Deployment, step_h: float) -> float:
    """Return the part of an interval that a newly woken replica serves nothing."""
    return min(1.0, deployment.wake_h / step_h)


def lanes_of(world: World) -> tuple[Lane, ...]:
    """Multiply every route out, in the order of the routes."""
    paid = serve_usd_per_mtok(world)
    lanes = []
    for at, route in enumerate(world.routes):
        load, target = world.workloads[route.workload], world.deployments[route.deployment]
        floor_share = world.floor_share[load.tier_index]
        replicas_per_mtok = 1.0 / (route.rate_mtok_per_h * world.step_h)
        marginal = route.marginal_mwh_per_mtok
        held, woken = _draws(world, target, marginal, replicas_per_mtok)
        lanes.append(
            Lane(
                route=at,
                workload=route.workload,
                deployment=route.deployment,
                fleet=target.fleet,
                site=target.site,
                tier=load.tier_index if floor_share > 0.0 else NOWHERE,
                above_floor_share=route.quality_share - floor_share,
                value_usd_per_mtok=load.value_usd_per_mtok,
                paid_usd_per_mtok=float(paid[at]),
                replicas_per_mtok=replicas_per_mtok,
                held=held,
                woken=woken,
            )
        )
    return tuple(lanes)


def _draws(
    world: World, target: Deployment, marginal_mwh_per_mtok: float, replicas_per_mtok: float
) -> tuple[Draw, Draw | None]:
    """Return what a Mtok draws on a replica held awake, and on one that is woken for it.

    A woken replica serves only 1 - lost_share of the interval, so each Mtok needs more of them;
    it pays the wake's energy besides.
    """
    if target.external:
        return Draw(it_mwh_per_mtok=0.0, gpus_per_mtok=0.0, lease_usd_per_mtok=0.0), None
    fleet = world.fleets[target.fleet]
    asleep_mw = fleet.sleep_mw_per_gpu * target.gpus_count
    awake_mwh = (target.base_mw - asleep_mw) * world.step_h
    lease_usd = fleet.lease_usd_per_gpu_hour * target.gpus_count * world.step_h

    def draw(replicas_per_mtok: float, replica_mwh: float) -> Draw:
        return Draw(
            it_mwh_per_mtok=marginal_mwh_per_mtok + replica_mwh * replicas_per_mtok,
            gpus_per_mtok=target.gpus_count * replicas_per_mtok,
            lease_usd_per_mtok=lease_usd * replicas_per_mtok,
        )

    served_share = 1.0 - lost_share(target, world.step_h)
    held = draw(replicas_per_mtok, awake_mwh)
    if served_share <= 0.0:
        return held, None
    return held, draw(replicas_per_mtok / served_share, awake_mwh + target.wake_mwh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is settled in an interval before any work is placed.

    Attributes:
        work_mtok: arrivals and backlog by workload.
        awake_count: replicas awake before the interval, by deployment.
        gpus_count: GPUs that are there, by fleet.
        load_mw: fixed load, sleep and battery at the meter, by site.
        surplus_usd_per_mwh: worth of power that cannot leave a site at these loads, by site.
        work_only: whether only work draws power at a site, not replicas awake without any: so
            it is where a MWh may be worth less than nothing (`window.work_only`).
        it_usd_per_mwh: price of a MWh at the racks by site where a policy takes one from
            elsewhere; None: the site's own curve.
    """

    step_h: float
    work_mtok: tuple[float, ...]
    awake_count: tuple[float, ...]
    gpus_count: tuple[float, ...]
    pue: tuple[float, ...]
    load_mw: tuple[float, ...]
    surplus_usd_per_mwh: tuple[float, ...]
    curves: tuple[SiteCurve, ...]
    work_only: tuple[bool, ...]
    it_usd_per_mwh: tuple[float, ...] | None = None


class Fill:
    """The state of an interval while work is placed."""

    def __init__(self, world: World, lanes: tuple[Lane, ...], present: Present) -> None:
        """Begin with nothing served and every replica asleep."""
        self.world, self.lanes, self.present = world, lanes, present
        self.left_mtok = list(present.work_mtok)
        self.serve_mtok = [0.0] * len(lanes)
        self.load_mw = list(present.load_mw)
        self.needed_count = [0.0] * len(world.deployments)
        self.extra_count = [0.0] * len(world.deployments)
        self.gpus_left_count = list(present.gpus_count)
        self.api_left_mtok = [d.limit_mtok_per_h * present.step_h for d in world.deployments]
        self.credit_mtok = [0.0] * len(world.floor_share)
        self.paid_usd = 0.0
        self._segment = [
            curve.segment_at(load_mw)
            for curve, load_mw in zip(present.curves, present.load_mw, strict=True)
        ]

    def offer(self, lane: Lane) -> tuple[float, float]:
        """Return USD per Mtok of the next work on a lane, and the Mtok for which it holds.

        0 Mtok: the lane has no room, now or (but for quality) for good.
        """
        mtok = self.left_mtok[lane.workload]
        if mtok <= 0.0:
            return 0.0, 0.0
        if lane.tier != NOWHERE and lane.above_floor_share < 0.0:
            mtok = min(mtok, self.credit_mtok[lane.tier] / -lane.above_floor_share)
        if lane.site == NOWHERE:
            return lane.paid_usd_per_mtok, min(mtok, self.api_left_mtok[lane.deployment])
        draw, replicas = self._draw(lane)
        if draw is None:
            return 0.0, 0.0
        mtok = min(
            mtok,
            replicas / lane.replicas_per_mtok,
            self.gpus_left_count[lane.fleet] / draw.gpus_per_mtok,
        )
        energy_usd_per_mtok, room_mtok = self._energy(lane, draw)
        cost = lane.paid_usd_per_mtok + draw.lease_usd_per_mtok + energy_usd_per_mtok
        return cost, min(mtok, room_mtok)

    def serve(self, lane: Lane, mtok: float) -> None:
        """Place work that was offered on a lane."""
        work = lane.workload
        self.serve_mtok[lane.route] += mtok
        self.left_mtok[work] = _rest(
            self.left_mtok[work] - mtok, whole_count=self.present.work_mtok[work]
        )
        if lane.tier != NOWHERE:
            credit_mtok = self.credit_mtok[lane.tier] + mtok * lane.above_floor_share
            self.credit_mtok[lane.tier] = _rest(credit_mtok, whole_count=mtok)
        self.paid_usd += mtok * lane.paid_usd_per_mtok
        if lane.site == NOWHERE:
            limit_mtok = self.world.deployments[lane.deployment].limit_mtok_per_h
            self.api_left_mtok[lane.deployment] = _rest(
                self.api_left_mtok[lane.deployment] - mtok, whole_count=min(limit_mtok, mtok)
            )
            return
        draw, _ = self._draw(lane)
        if draw is None:
            return
        self.paid_usd += mtok * draw.lease_usd_per_mtok
        self.needed_count[lane.deployment] += mtok * lane.replicas_per_mtok
        self._use_gpus(lane.fleet, mtok * draw.gpus_per_mtok)
        self.add_load(lane.site, mtok * self._mwh_per_mtok(lane, draw) / self.present.step_h)

    def add_load(self, site: int, load_mw: float) -> None:
        """Add load at a site's meter."""
        self.load_mw[site] += load_mw
        self._segment[site] = self.present.curves[site].segment_at(self.load_mw[site])

    def wake(self, deployment: int, replicas_count: float) -> None:
        """Wake replicas beyond those that this interval's work needs."""
        self._add_extra(deployment, replicas_count, self.waking_mw(deployment))

    def hold(self, deployment: int, replicas_count: float) -> None:
        """Keep replicas awake that are so already and that this interval's work does not need."""
        self._add_extra(deployment, replicas_count, self.holding_mw(deployment))

    def _add_extra(self, deployment: int, replicas_count: float, each_mw: float) -> None:
        target = self.world.deployments[deployment]
        fleet = self.world.fleets[target.fleet]
        self.extra_count[deployment] += replicas_count
        self._use_gpus(target.fleet, replicas_count * target.gpus_count)
        lease = fleet.lease_usd_per_gpu_hour * target.gpus_count
        self.paid_usd += replicas_count * lease * self.present.step_h
        self.add_load(target.site, replicas_count * each_mw)

    def holding_mw(self, deployment: int) -> float:
        """Return the load at the meter of one replica that stays awake without work."""
        target = self.world.deployments[deployment]
        if self.present.work_only[target.site]:
            return 0.0
        sleep_mw = self.world.fleets[target.fleet].sleep_mw_per_gpu * target.gpus_count
        return (target.base_mw - sleep_mw) * self.present.pue[target.site]

    def waking_mw(self, deployment: int) -> float:
        """Return the load at the meter of one replica that wakes, its wake included."""
        target = self.world.deployments[deployment]
        if self.present.work_only[target.site]:
            return 0.0
        sleep_mw = self.world.fleets[target.fleet].sleep_mw_per_gpu * target.gpus_count
        wake_mw = target.wake_mwh / self.present.step_h
        return (target.base_mw - sleep_mw + wake_mw) * self.present.pue[target.site]

    def awake_count(self, deployment: int) -> float:
        """Return the replicas that must be awake, those lost to waking included."""
        before = self.present.awake_count[deployment]
        needed = self.needed_count[deployment]
        served_share = 1.0 - lost_share(self.world.deployments[deployment], self.present.step_h)
        if needed > before and served_share > 0.0:
            needed = before + (needed - before) / served_share
        return needed + self.extra_count[deployment]

    def room_mw(self, site: int) -> float:
        """Return how much more load a site can carry."""
        most_mw = self.present.curves[site].most_mw
        room_mw = most_mw - self.load_mw[site]
        return room_mw if room_mw > tiny_mw(most_mw) else 0.0

    def crowded_sites(self, workloads: Collection[int]) -> set[int]:
        """Return the sites without room at which some of these workloads could run."""
        return {
            lane.site
            for lane in self.lanes
            if lane.site != NOWHERE
            and lane.workload in workloads
            and self.room_mw(lane.site) <= 0.0
        }

    def usd(self) -> float:
        """Return the cost of the interval as it stands: to compare fills of one `Present`."""
        present = self.present
        if present.it_usd_per_mwh is None:
            sites = zip(present.curves, self.load_mw, strict=True)
            energy_usd_per_h = sum(curve.usd_per_h(load_mw) for curve, load_mw in sites)
        else:
            priced = zip(present.it_usd_per_mwh, self.load_mw, present.pue, strict=True)
            energy_usd_per_h = sum(price * load_mw / pue for price, load_mw, pue in priced)
        lost_usd = sum(
            load.value_usd_per_mtok * left
            for load, left in zip(self.world.workloads, self.left_mtok, strict=True)
        )
        return self.paid_usd + energy_usd_per_h * present.step_h + lost_usd

    def _draw(self, lane: Lane) -> tuple[Draw | None, float]:
        """Return the draw of the next Mtok, and the replicas for which it holds."""
        before = self.present.awake_count[lane.deployment]
        held = before - self.needed_count[lane.deployment]
        if held > ROUNDING_SHARE * max(1.0, before):
            return lane.held, held
        return lane.woken, float("inf")

    def _mwh_per_mtok(self, lane: Lane, draw: Draw) -> float:
        """Return what a Mtok draws at the meter."""
        drawn = lane.held if self.present.work_only[lane.site] else draw
        return drawn.it_mwh_per_mtok * self.present.pue[lane.site]

    def _energy(self, lane: Lane, draw: Draw) -> tuple[float, float]:
        """Return USD per Mtok of a lane's next energy, and the Mtok for which it holds."""
        present, site = self.present, lane.site
        curve, mwh_per_mtok = present.curves[site], self._mwh_per_mtok(lane, draw)
        load_mw, at = self.load_mw[site], self._segment[site]
        if present.it_usd_per_mwh is not None:
            price, room_mw = present.it_usd_per_mwh[site] / present.pue[site], self.room_mw(site)
        elif load_mw < curve.least_mw - tiny_mw(curve.least_mw):
            price, room_mw = present.surplus_usd_per_mwh[site], curve.least_mw - load_mw
        else:
            price, room_mw = curve.slopes_usd_per_mwh[at], curve.ends_mw[at] - load_mw
            room_mw = room_mw if room_mw > tiny_mw(curve.ends_mw[at]) else 0.0
        if mwh_per_mtok <= 0.0:  # a replica that draws less awake than asleep is never held up
            return mwh_per_mtok * price, float("inf")
        return mwh_per_mtok * price, room_mw * present.step_h / mwh_per_mtok

    def _use_gpus(self, fleet: int, gpus_count: float) -> None:
        left_count = self.gpus_left_count[fleet] - gpus_count
        whole_count = self.present.gpus_count[fleet]
        self.gpus_left_count[fleet] = _rest(left_count, whole_count=whole_count)


def _rest(left_count: float, *, whole_count: float) -> float:
    """Return what is left of a whole (of anything), 0 where it is only rounding."""
    return left_count if left_count > ROUNDING_SHARE * whole_count else 0.0

"""Rules that need no program: nearest, round robin, and two merit orders.

Each places every workload's present work, arrivals and backlog, deferrable or not, over its
lanes; no battery moves. They differ in the order of the lanes. Common to all: limits always
hold; a replica is awake only if the interval's work needs it; contracts are taken as far as
they pay; work that cannot be served now and may wait, waits; a model below its tier's quality
floor serves only what the tier's other work, already placed, leaves above the floor, so that
the mean quality never falls below it.
"""

import numpy as np

from tokenergy.dispatch.battery_rule import GreedyBattery
from tokenergy.dispatch.fill import Fill, Lane
from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.order import merit_order, serve_upto
from tokenergy.dispatch.world import NOWHERE, Action, State, World
from tokenergy.units import H_PER_DAY

__all__ = ["Greedy", "GreedyBattery", "Nearest", "RoundRobin", "Static"]

UNLIMITED_MTOK = 1e12
"""Capacity of an API without a limit, where capacities are compared."""
STATIC_DAYS = 28
"""Days of prices that `static` knows a site by (dispatch sheet, section 5)."""


class Nearest:
    """Each workload to the site nearest to its users; what does not fit goes to the next.

    Ties of distance go to the shorter round trip, then to the dearer workload, then to the
    better model, then to GPUs that need no lease. Somebody else's API comes last. It asks no
    prices and refuses nothing that it can serve: an operator without an energy desk.
    """

    name = "nearest"

    def __init__(self, world: World) -> None:
        """Sort the lanes by distance."""
        self._intervals = Intervals(world)

        def distance(lane: Lane) -> tuple[bool, float, float, float, float, float, int]:
            route = world.routes[lane.route]
            return (
                lane.site == NOWHERE,
                route.distance_km,
                route.rtt_ms,
                -lane.value_usd_per_mtok,
                -route.quality_share,
                lane.held.lease_usd_per_mtok,
                lane.route,
            )

        self._order = sorted(self._intervals.lanes, key=distance)

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`."""
        fill, power_mw = self._intervals.begin(at, state)
        for _ in range(2):  # the second time for lanes that the first had to hold to a floor
            for lane in self._order:
                serve_upto(fill, lane, float("inf"))
        return self._intervals.close(fill, power_mw, at=at, state=state, source=self.name)


class RoundRobin:
    """Each workload over every fleet in its latency class, in proportion to capacity.

    A fleet answers with the best model it has for the workload; lesser models and then external
    APIs take what is left. Dearer workloads go first. It asks no prices.
    """

    name = "round_robin"

    def __init__(self, world: World) -> None:
        """Sort each workload's lanes into those that share and those that take the rest."""
        self._intervals = Intervals(world)
        values = [load.value_usd_per_mtok for load in world.workloads]
        self._turns = sorted(range(len(values)), key=lambda work: (-values[work], work))
        self._groups = [_lane_groups(self._intervals.lanes, work) for work in self._turns]
        self._capacity_mtok = [_capacity_mtok(world, lane) for lane in self._intervals.lanes]

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`."""
        fill, power_mw = self._intervals.begin(at, state)
        for groups in self._groups:
            self._share_out(fill, groups[0])
        for groups in self._groups:
            for group in groups:
                while self._share_out(fill, group):
                    pass
        return self._intervals.close(fill, power_mw, at=at, state=state, source=self.name)

    def _share_out(self, fill: Fill, group: list[Lane]) -> bool:
        """Spread what is left of a workload in proportion to capacity; tell if any was served."""
        roomy = [lane for lane in group if fill.offer(lane)[1] > 0.0]
        if not roomy:
            return False
        whole_mtok = sum(self._capacity_mtok[lane.route] for lane in roomy)
        left_mtok = fill.left_mtok[roomy[0].workload]
        served_mtok = [
            serve_upto(fill, lane, left_mtok * self._capacity_mtok[lane.route] / whole_mtok)
            for lane in roomy
        ]
        return sum(served_mtok) > 0.0


class Greedy:
    """The cheapest work at the cheapest place first, at the present's full marginal cost.

    Work whose marginal cost exceeds its value is refused. The interval is filled twice, across
    all workloads and with dearer workloads first, and the better of both stands: an operator
    knows service classes, and a baseline that lets free work crowd out paid work is a straw man.
    """

    name = "greedy"

    def __init__(self, world: World) -> None:
        """Spread the world's routes and prices once."""
        self._intervals = Intervals(world)

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`."""
        fill, power_mw = self._intervals.begin(at, state)
        best = merit_order(fill)
        return self._intervals.close(best, power_mw, at=at, state=state, source=self.name)


class Static:
    """The merit order of the last 28 days' mean price x PUE, whatever the present costs.

    Where less of the past is known, what there is counts; where nothing is, the present does.
    """

    name = "static"

    def __init__(self, world: World) -> None:
        """Add up prices at the racks over time."""
        self._intervals = Intervals(world)
        paid = self._intervals.costs.buy_usd_per_mwh * world.pue
        self._present = paid
        self._summed = np.concatenate((np.zeros((len(paid), 1)), paid.cumsum(axis=1)), axis=1)
        self._count = round(STATIC_DAYS * H_PER_DAY / world.step_h)

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`."""
        begin = max(0, at - self._count)
        mean = (
            (self._summed[:, at] - self._summed[:, begin]) / (at - begin)
            if at
            else self._present[:, 0]
        )
        fill, power_mw = self._intervals.begin(
            at, state, it_usd_per_mwh=tuple(float(price) for price in mean)
        )
        best = merit_order(fill)
        return self._intervals.close(best, power_mw, at=at, state=state, source=self.name)


def _lane_groups(lanes: tuple[Lane, ...], work: int) -> list[list[Lane]]:
    """Return a workload's lanes: the best model of each fleet, the other models, the APIs."""
    mine = [lane for lane in lanes if lane.workload == work]
    best: dict[int, Lane] = {}
    for lane in mine:
        if lane.site == NOWHERE:
            continue
        known = best.get(lane.fleet)
        if known is None or lane.above_floor_share > known.above_floor_share:
            best[lane.fleet] = lane
    shared = list(best.values())
    apis = [lane for lane in mine if lane.site == NOWHERE]
    return [shared, [lane for lane in mine if lane not in shared and lane not in apis], apis]


def _capacity_mtok(world: World, lane: Lane) -> float:
    """Return what the whole fleet, or an API, could serve of one lane in an interval."""
    target = world.deployments[lane.deployment]
    if lane.site == NOWHERE:
        return min(UNLIMITED_MTOK, target.limit_mtok_per_h * world.step_h)
    replicas = world.fleets[lane.fleet].gpus_count / target.gpus_count
    return replicas / lane.replicas_per_mtok

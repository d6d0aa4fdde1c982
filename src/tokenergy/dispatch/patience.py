"""One interval of a policy without a program that lets work wait and moves batteries.

First what must run is placed by marginal cost, as `greedy` does; then work that may wait, as far
as running it now costs less than its policy's limit; then batteries move by what a stored MWh is
worth to the policy. Where work that must run finds no megawatts, batteries give what they can.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tokenergy.dispatch.energy_cost import SiteCurve
from tokenergy.dispatch.fill import Fill, Lane
from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.order import merit_order
from tokenergy.dispatch.storage import StoredWorth, charge_mw, discharge_mw
from tokenergy.dispatch.world import Action, FloatArray, State, World

Rule = Callable[..., float]
"""`charge_mw` or `discharge_mw`."""
TIE_SHARE = 1e-6
"""How close a price may lie to a worth and count as the same: what is planned decides then."""

PLANNED_SHARE = 0.1
"""How far the cost of waiting work may lie above its limit where it was planned to run.

A merit order pays for each wake at once and fills no two fleets at a time as a program does. At
0, 0.03, 0.1 and 0.3 the regret of `daily_duals` on Meridian's fortnight was 17.1, 11.4, 7.5, 7.1 %
with the operating points of the catalogue. With simulated ones it is 44, 43, 53 and 32 %: at 0.1
three quarters of that is the worth of films that find no room before their deadline.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Work that may run now or later, and the most that running it now may cost."""

    workload: int
    mtok: float
    most_usd_per_mtok: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wish:
    """What a policy wants of an interval beyond the work that must run.

    Attributes:
        waiting: work that may wait, in the order of its urgency: of a workload's parts, those that
            may cost most come first.
        stored: worth of a stored MWh, by battery.
        planned_mw: charge less discharge where cost and worth are equal, by battery [B].
        planned_mtok: waiting work to run also at `PLANNED_SHARE` above its limit, by workload [W].
    """

    waiting: tuple[Waiting, ...]
    stored: tuple[StoredWorth, ...]
    planned_mw: FloatArray
    planned_mtok: FloatArray


def due_mtok(world: World, at: int, state: State) -> FloatArray:
    """Return the work that must run in interval `at` or be lost [W]."""
    work_mtok = world.arrivals_mtok[:, at] + state.backlog_mtok.sum(axis=1)
    if at >= world.last - 1:
        return np.asarray(work_mtok)
    waits = np.array([load.defer_count > 0 for load in world.workloads], dtype=bool)
    return np.where(waits, state.backlog_mtok[:, 0], work_mtok)


def later_mtok(world: World, at: int, state: State) -> FloatArray:
    """Return the work that may wait beyond interval `at`, by its latest interval [W, Q + 1].

    Column i is due by the end of the i-th interval ahead; column 0 is empty: that work is due.
    """
    count = len(world.workloads)
    queue = np.column_stack([state.backlog_mtok, np.zeros(count)])
    waits = np.array([load.defer_count for load in world.workloads], dtype=np.int64)
    queue[np.arange(count), waits] += world.arrivals_mtok[:, at]
    queue[:, 0] = 0.0
    if at >= world.last - 1:
        queue[:] = 0.0
    return queue


class PatientIntervals:
    """The intervals of a world for policies that let work wait."""

    def __init__(self, world: World) -> None:
        """Spread once what every interval needs."""
        self._world = world
        self.intervals = Intervals(world)

    def decide(self, at: int, state: State, wish: Wish, *, source: str) -> Action:
        """Return the action of interval `at` that a policy's wish leads to.

        Raises:
            InfeasibleProgram: if standing load or power that must be taken breaks a limit
                whatever is done.
        """
        fill, power_mw = self.intervals.begin(at, state)
        best, lacking = self._filled(fill, at, state, wish)
        paying_mw = self._paying_mw(best, power_mw, state, wish)
        crowded = best.crowded_sites(lacking)
        given_mw = [
            self.intervals.discharge_limit_mw(battery, state)
            if site in crowded and power_mw[battery] == 0.0
            else paying_mw[battery]
            for battery, site in enumerate(self._world.battery_site)
        ]
        if any(given_mw):
            asked_mw = [power - given for power, given in zip(power_mw, given_mw, strict=True)]
            fill, power_mw = self.intervals.begin(at, state, battery_mw=asked_mw)
            best, _ = self._filled(fill, at, state, wish)
            self._take_back(best, power_mw, paying_mw)
        self._charge(best, power_mw, given_mw, state, wish)
        later = later_mtok(self._world, at, state)
        soon = np.array(best.left_mtok) - later[:, 2:].sum(axis=1)
        return self.intervals.close(
            best, power_mw, at=at, state=state, source=source, soon_mtok=soon.clip(min=0.0)
        )

    def _filled(self, fill: Fill, at: int, state: State, wish: Wish) -> tuple[Fill, frozenset[int]]:
        """Place what must run, then what may wait where that is cheap enough.

        Returns:
            The fill, and the workloads of which work is left that must run.
        """
        whole = fill.present
        due = tuple(due_mtok(self._world, at, state).tolist())
        best = merit_order(Fill(fill.world, fill.lanes, replace(whole, work_mtok=due)))
        best.present = whole
        lacking = frozenset(at for at, mtok in enumerate(best.left_mtok) if mtok > 0.0)
        stopped: set[int] = set()
        for part in wish.waiting:
            best.left_mtok[part.workload] += part.mtok
            if part.workload in stopped:
                continue
            before_mtok = best.left_mtok[part.workload]
            tie_usd_per_mtok = TIE_SHARE * max(1.0, abs(part.most_usd_per_mtok))
            lanes, most = self.intervals.by_load[part.workload], part.most_usd_per_mtok
            _serve_below(best, lanes, most - tie_usd_per_mtok, float("inf"))
            served_mtok = before_mtok - best.left_mtok[part.workload]
            rest_mtok = float(wish.planned_mtok[part.workload]) - served_mtok
            _serve_below(best, lanes, most + PLANNED_SHARE * abs(most), rest_mtok)
            if best.left_mtok[part.workload] > 0.0:
                stopped.add(part.workload)
        return best, lacking

    def _paying_mw(
        self, fill: Fill, power_mw: list[float], state: State, wish: Wish
    ) -> list[float]:
        """Return what each battery gives because that saves more than it is worth in store."""
        loads, paying = list(fill.load_mw), []
        for battery, site in enumerate(self._world.battery_site):
            given_mw = 0.0  # a battery that moves already does so for a limit's sake
            if power_mw[battery] == 0.0:
                given_mw = self._moved_mw(
                    discharge_mw,
                    battery,
                    fill.present.curves[site],
                    load_mw=loads[site],
                    limit_mw=self.intervals.discharge_limit_mw(battery, state),
                    planned_mw=-float(wish.planned_mw[battery]),
                    state=state,
                    wish=wish,
                )
            paying.append(given_mw)
            loads[site] -= given_mw
        return paying

    def _take_back(self, fill: Fill, power_mw: list[float], paying_mw: list[float]) -> None:
        """Hold what was given beyond what pays and what work did not need after all."""
        for battery, site in enumerate(self._world.battery_site):
            beyond_mw = -power_mw[battery] - paying_mw[battery]
            back_mw = min(beyond_mw, fill.room_mw(site))
            if back_mw > 0.0:
                power_mw[battery] += back_mw
                fill.add_load(site, back_mw)

    def _charge(
        self,
        fill: Fill,
        power_mw: list[float],
        given_mw: list[float],
        state: State,
        wish: Wish,
    ) -> None:
        """Charge the batteries that rest where that pays, in the room that work has left."""
        for battery, site in enumerate(self._world.battery_site):
            if power_mw[battery] != 0.0 or given_mw[battery] > 0.0:
                continue
            power_mw[battery] = self._moved_mw(
                charge_mw,
                battery,
                fill.present.curves[site],
                load_mw=fill.load_mw[site],
                limit_mw=self.intervals.charge_limit_mw(battery, state),
                planned_mw=float(wish.planned_mw[battery]),
                state=state,
                wish=wish,
            )
            fill.add_load(site, power_mw[battery])

    def _moved_mw(
        self,
        rule: Rule,
        battery: int,
        curve: SiteCurve,
        *,
        load_mw: float,
        limit_mw: float,
        planned_mw: float,
        state: State,
        wish: Wish,
    ) -> float:
        """Return what a battery moves: by its worth, and as planned where that is a tie."""
        worth = wish.stored[battery]
        ends_mw = [
            rule(
                self._world.batteries[battery],
                worth.shifted(sign * TIE_SHARE),
                curve,
                energy_mwh=float(state.energy_mwh[battery]),
                load_mw=load_mw,
                limit_mw=limit_mw,
                step_h=self._world.step_h,
            )
            for sign in (-1.0, 1.0)
        ]
        return min(max(planned_mw, min(ends_mw)), max(ends_mw))


def _serve_below(
    fill: Fill, lanes: Sequence[Lane], most_usd_per_mtok: float, limit_mtok: float
) -> None:
    """Serve on the cheapest of some lanes while that costs less than a limit."""
    while limit_mtok > 0.0:
        offers = [
            (cost, at, mtok)
            for at, lane in enumerate(lanes)
            for cost, mtok in (fill.offer(lane),)
            if mtok > 0.0 and cost < most_usd_per_mtok
        ]
        if not offers:
            return
        _, at, mtok = min(offers)
        fill.serve(lanes[at], min(mtok, limit_mtok))
        limit_mtok -= mtok

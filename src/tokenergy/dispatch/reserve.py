"""The safe mode: no forecast, no program; only the present and the week that has passed.

Work with k hours left runs if that costs less than the 1/(k+1) quantile of what it would have
cost last week at each hour's cheapest places: of k+1 like hours one is expected to lie below it.
Due work always runs. The worth of stored energy falls in a straight line with charge, between
dear and cheap prices of last week (simulator sheet, section 8). It is what the gateway, and a
policy whose program fails, fall back to: where one interval has a feasible action, it finds one.
"""

import numpy as np

from tokenergy.dispatch.last_week import LastWeek
from tokenergy.dispatch.patience import PatientIntervals, Waiting, Wish, later_mtok
from tokenergy.dispatch.storage import StoredWorth
from tokenergy.dispatch.world import Action, FloatArray, IntArray, State, World

DEAR_SHARE = 0.95
CHEAP_SHARE = 0.05
"""Quantiles of last week's prices at which an empty and a full battery value a MWh."""
FREE_SHARE = 0.1
"""Part of the free room that waiting work counts on later: other work may want it too.

Regret on two fortnights at 0.5, 0.25, 0.1 and 0: 26, 13.8, 10.9, 11.7 % and 370, 363, 363, 407 %.
"""


class Reserve:
    """Waiting work by quantiles of last week's costs, batteries by last week's prices."""

    name = "reserve"

    def __init__(self, world: World) -> None:
        """Spread the world's routes and last week's costs once."""
        self._world = world
        self.patient = PatientIntervals(world)
        self.week = LastWeek(self.patient.intervals)

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`.

        Raises:
            InfeasibleProgram: if standing load or power that must be taken breaks a limit
                whatever is done.
        """
        world = self._world
        wish = Wish(
            waiting=tuple(self._waiting(at, state)),
            stored=tuple(self._worth(battery, at) for battery in range(len(world.batteries))),
            planned_mw=np.zeros(len(world.batteries)),
            planned_mtok=np.zeros(len(world.workloads)),
        )
        return self.patient.decide(at, state, wish, source=self.name)

    def _waiting(self, at: int, state: State) -> list[Waiting]:
        """Return the work that may wait, the most it may cost falling with the time it has."""
        found = []
        queue = later_mtok(self._world, at, state)
        waiting = np.flatnonzero(queue.any(axis=1)).tolist()
        for workload in waiting:
            ahead = np.flatnonzero(queue[workload])
            # At the horizon's end everything is due.
            left = np.minimum(ahead, self._world.last - 1 - at)
            value = self._world.workloads[workload].value_usd_per_mtok
            costs = self.week.usd_per_mtok(workload, at)
            quantiles = 1.0 / (left * self._world.step_h + 1.0)
            limits = np.minimum(np.quantile(costs, quantiles), value)
            parts_mtok = queue[workload, ahead]
            pressing_mtok = self._pressing_mtok(workload, at, parts_mtok, left, len(waiting))
            for mtok, limit in zip(parts_mtok.tolist(), limits.tolist(), strict=True):
                urgent_mtok = min(mtok, pressing_mtok)
                pressing_mtok -= urgent_mtok
                for part_mtok, most in ((urgent_mtok, value), (mtok - urgent_mtok, limit)):
                    if part_mtok > 0.0:
                        part = Waiting(workload=workload, mtok=part_mtok, most_usd_per_mtok=most)
                        found.append(part)
        return found

    def _pressing_mtok(
        self, workload: int, at: int, parts_mtok: FloatArray, left: IntArray, sharing_count: int
    ) -> float:
        """Return the waiting work that would not fit in the intervals it has left.

        An interval has room for what arrives in one, and for `FREE_SHARE` of what is free beside
        that, shared with the other workloads that wait.
        """
        free_mtok = FREE_SHARE * self.week.free_mtok(workload, at) / sharing_count
        each_mtok = float(self._world.arrivals_mtok[workload, at]) + free_mtok
        return float((parts_mtok.cumsum() - left * each_mtok).max(initial=0.0))

    def _worth(self, battery: int, at: int) -> StoredWorth:
        """Return what a stored MWh is worth: dear prices when empty, cheap ones when full.

        At the horizon's end it is the end valuation, which is public by then.
        """
        world, spec = self._world, self._world.batteries[battery]
        if at >= world.last - 1:
            end = float(world.end_value_usd_per_mwh()[battery])
            return StoredWorth(empty_usd_per_mwh=end, full_usd_per_mwh=end)
        week = self.week.buy_usd_per_mwh(world.battery_site[battery], at)
        cheap, dear = np.quantile(week, (CHEAP_SHARE, DEAR_SHARE)).tolist()
        full = cheap / spec.charge_eff_share
        empty = (dear - spec.cycle_usd_per_mwh_discharged) * spec.discharge_eff_share
        if empty <= full:  # the week's prices did not pay for the losses of storing
            empty = full = 0.5 * (empty + full)
        return StoredWorth(empty_usd_per_mwh=empty, full_usd_per_mwh=full)

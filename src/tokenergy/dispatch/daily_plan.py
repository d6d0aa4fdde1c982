"""The plan of the next 48 h, made anew when a market has published its next day.

Each market publishes once a day at its own hour, 13:00 or so of its own time, and sites lie in
several markets: the plan follows each of them, at most as often a day as there are such hours.
Where no market publishes ahead, a day is as long as a plan stands. It tells what a stored MWh and
a waiting Mtok are worth from hour to hour, and what was planned where a price is just that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenergy.dispatch.coarse import growing_edges
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.targets import planned
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.units import H_PER_DAY

PLAN_H = 48.0
ARRAYS = ("stored_usd_per_mwh", "waiting_usd_per_mtok", "power_mw", "served_mtok")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """What a plan says of its live intervals.

    Attributes:
        begin: index of its first interval.
        stored_usd_per_mwh: worth of a MWh stored at the end of each interval [n, B].
        waiting_usd_per_mtok: cost of a Mtok that is left waiting at its end [n, W].
        power_mw: charge less discharge [n, B].
        served_mtok: work that the plan does [n, W].
    """

    begin: int
    stored_usd_per_mwh: FloatArray
    waiting_usd_per_mtok: FloatArray
    power_mw: FloatArray
    served_mtok: FloatArray

    @property
    def end(self) -> int:
        """Index after its last interval."""
        return self.begin + len(self.stored_usd_per_mwh)


class DailyPlan:
    """Keeps the present plan of a world, and makes it anew when there is something new."""

    def __init__(self, world: World, *, plan_h: float = PLAN_H) -> None:
        """Prepare the forecaster; the program is built with the first plan."""
        world = planned(world)
        self._world = world
        self._forecaster = Forecaster(world)
        self._plan_h = min(plan_h, world.count * world.step_h)
        self._day = max(1, round(H_PER_DAY / world.step_h))
        self._model: WindowModel | None = None
        self._planned: Planned | None = None
        self._loads = np.array([route.workload for route in world.routes], dtype=np.int64)

    def plan(self, at: int, state: State) -> Planned:
        """Return the plan that stands in interval `at`; `state` is where a new one begins.

        Raises:
            InfeasibleProgram: if what is believed, or what the past left, breaks a limit.
            SolverFailure: if the program was not solved.
        """
        held = self._planned
        if held is None or self._is_over(held, at):
            self._planned = None  # a plan that fails leaves none behind
            held = self._planned = self._made(at, state)
        return held

    def memory(self) -> Mapping[str, Any]:
        """Return the plan that stands, as a JSON-ready mapping; nothing where none does."""
        if self._planned is None:
            return {}
        arrays = {name: getattr(self._planned, name).tolist() for name in ARRAYS}
        return {
            "begin": self._planned.begin,
            "count": self._planned.end - self._planned.begin,
        } | arrays

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on with the plan that another one of the same world made."""
        if memory:
            count = int(memory["count"])
            arrays = {
                name: np.array(memory[name], np.float64).reshape(count, -1) for name in ARRAYS
            }
            self._planned = Planned(begin=int(memory["begin"]), **arrays)

    def _is_over(self, held: Planned, at: int) -> bool:
        if not held.begin <= at < min(held.begin + self._day, held.end):
            return True
        return at > held.begin and self._has_published(at)

    def _has_published(self, at: int) -> bool:
        """Tell whether a market has published more than one interval since the last one."""
        until = self._world.published_until
        return bool(np.any(until[:, at] - until[:, at - 1] > 1))

    def _made(self, at: int, state: State) -> Planned:
        world = self._world
        edges = growing_edges(at, end=world.last, step_h=world.step_h, window_h=self._plan_h)
        window = self._forecaster.window_on(at, edges)
        model, self._model = self._model, None  # one that fails is not used again
        if model is None:
            model = WindowModel(world, window, state)
            optimum = model.solved(window)
        else:
            optimum = model.solve(window, state)
        self._model = model
        live = slice(0, window.live_count)
        demand, stored = optimum.dual("demand", live), -optimum.dual("battery", live)
        served = np.zeros((window.live_count, len(world.workloads)))
        np.add.at(served.T, self._loads, optimum.value("serve", live).T)
        moved_mwh = optimum.value("charge", live) - optimum.value("discharge", live)
        # What is left at the end of an interval is worth what the next one would pay for it.
        later_usd_per_mwh = np.vstack((stored[1:], window.stored_usd_per_mwh))
        later_usd_per_mtok = np.vstack((demand[1:], demand[-1:]))
        counts = np.diff(edges)[live]
        return Planned(
            begin=at,
            stored_usd_per_mwh=later_usd_per_mwh.repeat(counts, axis=0),
            waiting_usd_per_mtok=later_usd_per_mtok.repeat(counts, axis=0),
            power_mw=(moved_mwh / window.lengths_h[live, None]).repeat(counts, axis=0),
            served_mtok=(served / counts[:, None]).repeat(counts, axis=0),
        )

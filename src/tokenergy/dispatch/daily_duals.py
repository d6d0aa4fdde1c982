"""A plan a day, and between plans a merit order against its duals: no program by the hour."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenergy.dispatch.daily_plan import DailyPlan, Planned
from tokenergy.dispatch.patience import Waiting, Wish, due_mtok, later_mtok
from tokenergy.dispatch.reserve import Reserve
from tokenergy.dispatch.storage import StoredWorth
from tokenergy.dispatch.world import Action, State, World
from tokenergy.errors import InfeasibleProgram, SolverFailure


class DailyDuals:
    """Waiting work and batteries by the duals of the last plan, at the present's prices.

    Work that may wait runs where it costs less than the plan's cost of leaving it waiting; a
    battery moves by the plan's worth of a stored MWh. Where a price equals such a worth (the
    vertex of the plan is one), as much as was planned is done. Without a plan it is `reserve`.
    """

    name = "daily_duals"

    def __init__(self, world: World) -> None:
        """Spread the world's routes once; the first plan is made at the first decision."""
        self._world = world
        self._plan = DailyPlan(world)
        self._reserve = Reserve(world)

    def decide(self, at: int, state: State) -> Action:
        """Return what to do in interval `at`.

        Raises:
            InfeasibleProgram: if no action of the interval keeps every limit.
        """
        try:
            planned = self._plan.plan(at, state)
        except (InfeasibleProgram, SolverFailure):
            return self._reserve.decide(at, state)
        wish = self._wish(at, state, planned)
        return self._reserve.patient.decide(at, state, wish, source=self.name)

    def memory(self) -> Mapping[str, Any]:
        """Return the plan that stands, as a JSON-ready mapping."""
        return self._plan.memory()

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on with the plan that an earlier one made."""
        self._plan.recall(memory)

    def _wish(self, at: int, state: State, planned: Planned) -> Wish:
        now = at - planned.begin
        waiting_mtok = later_mtok(self._world, at, state).sum(axis=1)
        rest_mtok = planned.served_mtok[now] - due_mtok(self._world, at, state)
        return Wish(
            waiting=tuple(
                Waiting(
                    workload=workload,
                    mtok=float(waiting_mtok[workload]),
                    most_usd_per_mtok=float(planned.waiting_usd_per_mtok[now, workload]),
                )
                for workload in np.flatnonzero(waiting_mtok > 0.0).tolist()
            ),
            stored=tuple(
                StoredWorth(empty_usd_per_mwh=worth, full_usd_per_mwh=worth)
                for worth in planned.stored_usd_per_mwh[now].tolist()
            ),
            planned_mw=planned.power_mw[now],
            planned_mtok=np.maximum(0.0, rest_mtok),
        )

"""Policy: do what a plan found, in the company that is built of it.

The plan's program is that of the largest company; what is not built is gone from the other. Routes,
deployments, contracts and batteries are found again by name. Where a horizon is too long to be
solved again, this is how a plan is run: meters, stores and bills are worked out as in any run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from tokenergy.api.plan_search import Found
from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.world import Action, FloatArray, IntArray, State, World
from tokenergy.lp.solution import Solution

CLAIRVOYANT: Final = "clairvoyant"


class CarriedOut:
    """Does in each interval what the plan's optimum does there.

    What no one can do by rounding is left to the mechanics; what is left over is refused.
    """

    name = CLAIRVOYANT
    plans_once = True

    def __init__(self, found: Found, solution: Solution, world: World) -> None:
        """Find everything of the built world in the plan's.

        Args:
            found: the plan.
            solution: the dispatch of exactly its sizes.
            world: the built company, on the same horizon.
        """
        plan = found.program
        self._world, self._plan_world = world, plan.world
        self._optimum: Optimum = plan.optimum(solution)
        self._routes = _places(_route_names(plan.world), _route_names(world))
        self._deployments = _places(
            [each.name for each in plan.world.deployments], [d.name for d in world.deployments]
        )
        self._takes = _places(
            [each.contract_id for each in plan.world.takes], [t.contract_id for t in world.takes]
        )
        self._batteries = _places(
            [each.name for each in plan.world.batteries], [b.name for b in world.batteries]
        )
        self._plants = _places(
            [each.contract_id for each in plan.world.generators],
            [plant.contract_id for plant in world.generators],
        )
        self._sites = _places(plan.world.site_names, world.site_names)

    def decide(self, at: int, state: State) -> Action:
        """Return what the plan does in interval `at`, with its prices."""
        inside = at - self._world.first
        all_of = self._optimum.action(inside, self.name)
        rents = np.maximum(0.0, -self._optimum.reduced("meter_import", inside))
        made = None if all_of.generate_mw is None else all_of.generate_mw[self._plants]
        return replace(
            all_of,
            serve_mtok=self._served(all_of, state, at),
            awake=all_of.awake[self._deployments],
            take_mw=all_of.take_mw[self._takes],
            charge_mw=all_of.charge_mw[self._batteries],
            discharge_mw=all_of.discharge_mw[self._batteries],
            generate_mw=made,
            asked_usd_per_mtok=asked_usd_per_mtok(self._plan_world, self._optimum, inside),
            mw_rent_usd_per_mwh=rents[self._sites],
        )

    def _served(self, all_of: Action, state: State, at: int) -> FloatArray:
        """Return the work by route, no more of a workload than is there."""
        served = all_of.serve_mtok[self._routes].copy()
        loads = np.array([route.workload for route in self._world.routes], dtype=np.int64)
        there = state.backlog_mtok.sum(axis=1) + self._world.arrivals_mtok[:, at]
        asked = np.bincount(loads, weights=served, minlength=there.size)
        share = np.minimum(1.0, there / np.maximum(asked, 1e-12))
        return np.asarray(served * share[loads])


def _route_names(world: World) -> list[tuple[str, str]]:
    return [
        (world.workloads[route.workload].name, world.deployments[route.deployment].name)
        for route in world.routes
    ]


def _places(among: Sequence[object], wanted: Sequence[object]) -> IntArray:
    """Return where each of some names stands among others."""
    at: Mapping[object, int] = {name: number for number, name in enumerate(among)}
    return np.array([at[name] for name in wanted], dtype=np.int64)

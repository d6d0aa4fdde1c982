"""The policies that solve the program: model-predictive dispatch, and the clairvoyant bound."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tokenergy.dispatch.coarse import growing_edges
from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.hedge import Hedge
from tokenergy.dispatch.reserve import Reserve
from tokenergy.dispatch.solve import Optimum, WindowModel, solve_horizon
from tokenergy.dispatch.targets import planned
from tokenergy.dispatch.world import Action, State, World
from tokenergy.errors import InfeasibleProgram, SolverFailure

WINDOW_H = 48.0
"""Longer is not better: regret 1.99 / 1.83 / 1.95 / 2.05 % at 24 / 48 / 72 / 120 h."""


class Mpc:
    """Solve the next 48 h on what is public now, do the first interval, move on.

    The program is built once; from then on it is changed in place and re-solved warm. Where the
    world's intervals are shorter than an hour they go an hour ahead, and whole hours follow.

    Energy left at the end of the window is worth its mean price: the duals of a plan of 96 h did
    no better (a fortnight of ten sites on real prices, windows of 24 and of 48 h: cost + 0.3 and
    + 0.15 %), nor did windows of 36 or 72 h.

    It is hedged where no contract charges by the month: while it has cost more than `greedy` would
    have, it does as `greedy` does. And where its program is not solved it does as `reserve` does.
    `Action.source` names who decided.
    """

    name = "mpc"

    def __init__(self, world: World, *, window_h: float = WINDOW_H, hedged: bool = True) -> None:
        """Prepare the forecaster; the program is built at the first decision."""
        world = planned(world)
        self._world = world
        self._forecaster = self._made_forecaster(world)
        self._window_h = min(window_h, world.count * world.step_h)
        self._model: WindowModel | None = None
        self._reserve = Reserve(world)
        # Its shadow knows no charges by the month: beside them mpc would look dear for every
        # MWh that it moves away from a peak.
        hedged = hedged and not world.terms
        self._hedge = Hedge(world, self._reserve.week) if hedged else None

    def _made_forecaster(self, world: World) -> Forecaster:
        return Forecaster(world)

    def decide(self, at: int, state: State) -> Action:
        """Return the first interval of the window's optimum and its prices, or a fallback's.

        Raises:
            InfeasibleProgram: if nothing keeps every limit, not even of this interval alone.
        """
        if self._hedge is None:
            return self._planned(at, state)
        behind = self._hedge.behind(at, state)
        action = self._as_shadow(at, state) if behind else self._planned(at, state)
        self._hedge.note(at, state, action)
        return action

    def memory(self) -> Mapping[str, Any]:
        """Return what its hedge remembers, as a JSON-ready mapping."""
        return {} if self._hedge is None else self._hedge.memory()

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on with what the hedge of an earlier one remembered."""
        if self._hedge is not None:
            self._hedge.recall(memory)

    def _as_shadow(self, at: int, state: State) -> Action:
        assert self._hedge is not None
        try:
            return self._hedge.shadow.decide(at, state)
        except InfeasibleProgram:
            return self._planned(at, state)

    def _planned(self, at: int, state: State) -> Action:
        try:
            return _priced(self._world, self.plan(at, state), 0, self.name)
        except (InfeasibleProgram, SolverFailure) as error:
            self._model = None  # whatever its basis was, it led nowhere
            try:
                return self._reserve.decide(at, state)
            except InfeasibleProgram:
                raise error from None

    def plan(self, at: int, state: State) -> Optimum:
        """Return the whole window's optimum, as believed at `at`.

        Raises:
            InfeasibleProgram: if what is believed, or what the past left, breaks a limit.
            SolverFailure: if the program was not solved.
        """
        world = self._world
        edges = growing_edges(at, end=world.last, step_h=world.step_h, window_h=self._window_h)
        window = self._forecaster.window_on(at, edges)
        try:
            if self._model is None:
                self._model = WindowModel(world, window, state)
                return self._model.solved(window)
            return self._model.solve(window, state)
        except InfeasibleProgram as error:
            raise InfeasibleProgram(
                f"nothing keeps every limit of the {window.live_h().sum():g} h from "
                f"{world.moment(at):%Y-%m-%dT%H:%MZ} on, as they are believed then"
            ) from error


class MpcPerfectDayAhead(Mpc):
    """`mpc` with true day-ahead prices and true demand through its window.

    Prices in real time stay as unknown as they are to `mpc`: what separates the two is what a
    better forecast could be worth at most, and what is left to the bound is surprise.
    """

    name = "mpc_perfect_day_ahead"

    def _made_forecaster(self, world: World) -> Forecaster:
        return Forecaster(world, perfect_day_ahead=True)


class Clairvoyant:
    """The optimum of the whole horizon with perfect foresight: the bound, not a policy to buy."""

    name = "clairvoyant"
    plans_once = True
    """A replay keeps it for the whole horizon (`policy.Policy`)."""

    def __init__(self, world: World, state: State | None = None) -> None:
        """Solve the horizon once, from `state`; None: from the world's own beginning."""
        self._world = world
        self.optimum = solve_horizon(world, state)

    def decide(self, at: int, state: State) -> Action:
        """Return what the bound does in interval `at`, and its prices."""
        return _priced(self._world, self.optimum, at - self._world.first, self.name)


def _priced(world: World, optimum: Optimum, at: int, source: str) -> Action:
    """Return what an optimum does in an interval, and its prices of a Mtok and of a megawatt."""
    return replace(
        optimum.action(at, source),
        asked_usd_per_mtok=asked_usd_per_mtok(world, optimum, at),
        mw_rent_usd_per_mwh=np.maximum(0.0, -optimum.reduced("meter_import", at)),
    )

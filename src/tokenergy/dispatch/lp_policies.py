"""The policies that solve the program: model-predictive dispatch, and the clairvoyant bound."""

from dataclasses import replace

import numpy as np

from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.solve import Optimum, WindowModel, solve_horizon
from tokenergy.dispatch.world import Action, State, World
from tokenergy.errors import InfeasibleProgram

WINDOW_H = 48.0
"""Longer is not better: regret 1.99 / 1.83 / 1.95 / 2.05 % at 24 / 48 / 72 / 120 h."""


class Mpc:
    """Solve the next 48 h on what is public now, do the first interval, move on.

    The program is built once; from then on it is changed in place and re-solved warm.
    """

    name = "mpc"

    def __init__(self, world: World, *, window_h: float = WINDOW_H) -> None:
        """Prepare the forecaster; the program is built at the first decision."""
        self._world = world
        self._forecaster = Forecaster(world)
        self._count = max(1, min(round(window_h / world.step_h), world.count))
        self._model: WindowModel | None = None

    def decide(self, at: int, state: State) -> Action:
        """Return the first interval of the window's optimum, and its prices."""
        return _priced(self._world, self.plan(at, state), 0, self.name)

    def plan(self, at: int, state: State) -> Optimum:
        """Return the whole window's optimum, as believed at `at`.

        Raises:
            InfeasibleProgram: if what is believed, or what the past left, breaks a limit.
        """
        window = self._forecaster.window(at, self._count)
        try:
            if self._model is None:
                self._model = WindowModel(self._world, window, state)
                return self._model.solved(window)
            return self._model.solve(window, state)
        except InfeasibleProgram as error:
            raise InfeasibleProgram(
                f"nothing keeps every limit of the {window.live_h().sum():g} h from "
                f"{self._world.moment(at):%Y-%m-%dT%H:%MZ} on, as they are believed then"
            ) from error


class Clairvoyant:
    """The optimum of the whole horizon with perfect foresight: the bound, not a policy to buy."""

    name = "clairvoyant"

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

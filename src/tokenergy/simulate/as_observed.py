"""What the company did, as a policy: work where it was served, awake what was awake.

Held by the same ruler as every other policy: its cost comes out of the same replay, contracts
and prices, so that "dispatch would have saved" compares like with like. Batteries rest, since
nobody observed them, unless their powers are given.
"""

import numpy as np

from tokenergy.dispatch.fill import Fill, Lane
from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.world import NOWHERE, Action, FloatArray, State, World
from tokenergy.errors import InputError

AS_OBSERVED = "as_observed"


class AsObserved:
    """Serves what was observed, where it was observed."""

    name = AS_OBSERVED

    def __init__(
        self,
        world: World,
        *,
        serve_mtok: FloatArray,
        awake: FloatArray,
        battery_mw: FloatArray | None = None,
    ) -> None:
        """Take what was served by route [R, T] and what was awake by deployment [D, T].

        T are the intervals of the horizon; `battery_mw` is charge less discharge by battery
        [B, T], None where all rest. More than `awake` is awake where the work needs it.

        Raises:
            InputError: if the arrays have other shapes, or hold what nobody can have observed.
        """
        shapes = {
            "serve_mtok": (serve_mtok, (len(world.routes), world.count)),
            "awake": (awake, (len(world.deployments), world.count)),
        }
        for name, (values, shape) in shapes.items():
            if values.shape != shape:
                raise InputError(f"{name} has shape {values.shape}; this world needs {shape}")
            if not np.isfinite(values).all() or (values < 0.0).any():
                raise InputError(f"{name} holds values that are negative or no numbers")
        self._world, self._serve, self._awake = world, serve_mtok, awake
        self._battery_mw = battery_mw
        self._intervals = Intervals(world)

    def decide(self, at: int, state: State) -> Action:
        """Return what was done in interval `at` of the world."""
        column = at - self._world.first
        charged = None if self._battery_mw is None else self._battery_mw[:, column].tolist()
        fill, power_mw = self._intervals.begin(at, state, battery_mw=charged)
        for lane in self._intervals.lanes:
            _serve(fill, lane, float(self._serve[lane.route, column]))
        for deployment, wanted in enumerate(self._awake[:, column].tolist()):
            if self._world.deployments[deployment].fleet != NOWHERE:
                self._hold(fill, deployment, wanted)
        return self._intervals.close(fill, power_mw, at=at, state=state, source=self.name)

    def _hold(self, fill: Fill, deployment: int, wanted_count: float) -> None:
        """Keep replicas awake beyond those that work: those that are awake are not woken again."""
        more_count = wanted_count - fill.awake_count(deployment)
        if more_count <= 0.0:
            return
        idle_count = fill.present.awake_count[deployment] - fill.needed_count[deployment]
        kept_count = min(more_count, max(0.0, idle_count))
        target = self._world.deployments[deployment]
        if kept_count > 0.0:
            fill.extra_count[deployment] += kept_count
            if not fill.present.work_only[target.site]:
                sleep_mw = self._world.fleets[target.fleet].sleep_mw_per_gpu * target.gpus_count
                held_mw = (target.base_mw - sleep_mw) * fill.present.pue[target.site]
                fill.add_load(target.site, kept_count * held_mw)
        if more_count > kept_count:
            fill.wake(deployment, more_count - kept_count)


def _serve(fill: Fill, lane: Lane, mtok: float) -> None:
    """Place work on a lane: first on replicas that are awake, the rest on others."""
    if mtok <= 0.0:
        return
    if lane.site != NOWHERE:
        held_count = fill.present.awake_count[lane.deployment] - fill.needed_count[lane.deployment]
        held_mtok = min(mtok, max(0.0, held_count) / lane.replicas_per_mtok)
        if held_mtok > 0.0:
            fill.serve(lane, held_mtok)
            mtok -= held_mtok
    if mtok > 0.0:
        fill.serve(lane, mtok)

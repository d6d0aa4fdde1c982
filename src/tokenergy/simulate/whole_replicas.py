"""Replicas are integers, the program's are not: an action with whole ones, within every limit.

What a policy wants awake is rounded up. Where GPUs or a connection do not carry that, replicas
whose work is worth least are left out, and their work goes where there is room, waits, or is
refused (dispatch sheet, section 4). The mechanics of a replay check what comes out.
"""

from dataclasses import replace

import numpy as np

from tokenergy.dispatch.columns import serve_usd_per_mtok
from tokenergy.dispatch.world import Action, FloatArray, State, World
from tokenergy.simulate.run import only_work_draws, sums_by
from tokenergy.simulate.whole_interval import ROUNDING, Sizes, WholeInterval

WHOLE = "+whole"
"""What the name of a policy ends in where its replicas are whole."""


class WholeReplicas:
    """Makes the replicas of actions whole, one interval after another."""

    def __init__(self, world: World) -> None:
        """Lay out the world's sizes once."""
        self._world = world
        self._sizes = Sizes.of(world, only_work_draws(world))
        self._cost = serve_usd_per_mtok(world)

    def made_whole(self, at: int, state: State, action: Action) -> Action:
        """Return an action of interval `at` with whole replicas."""
        held = WholeInterval(self._world, self._sizes, at, state, action)
        due = self._due_mtok(held, at, state)
        held.owe(due - action.refused_mtok)
        held.round_up()
        held.fit_fleets()
        held.fit_sites()
        self._place(held, at)
        held.keep_floors()
        held.fit_exports()
        return replace(
            action,
            serve_mtok=held.serve_mtok,
            refused_mtok=self._refused_mtok(held, due, action),
            awake=held.awake_count,
            take_mw=held.take_mw,
            charge_mw=held.charge_mw,
            discharge_mw=held.discharge_mw,
            source=action.source + WHOLE,
        )

    def _place(self, held: WholeInterval, at: int) -> None:
        """Put work that lost its replica where it costs least: on what is awake, then on more.

        The dearest work first. Where it would cost more than it is worth it is not put.
        """
        world, sizes = self._world, self._sizes
        now = slice(at, at + 1)
        price = world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, now], now)[:, 0] * world.pue[:, at]
        energy = np.where(sizes.own_route, sizes.marginal_mwh_per_mtok * price[sizes.route_site], 0)
        cost = self._cost + energy
        loads = np.flatnonzero(held.displaced_mtok > ROUNDING).tolist()
        for load in sorted(loads, key=lambda w: -world.workloads[w].value_usd_per_mtok):
            value = world.workloads[load].value_usd_per_mtok
            mine = np.flatnonzero((sizes.load_of == load) & (cost < value))
            order = mine[np.argsort(cost[mine], kind="stable")].tolist()
            for more in (False, True):
                for route in order:
                    held.put(route, more_replicas=more)

    def _due_mtok(self, held: WholeInterval, at: int, state: State) -> FloatArray:
        """Return the work that cannot wait [W]; at the horizon's end that is all of it."""
        if at + 1 == self._world.last:
            return np.asarray(held.work_mtok)
        waits = np.array([load.defer_count > 0 for load in self._world.workloads], dtype=bool)
        return np.asarray(np.where(waits, state.backlog_mtok[:, 0], held.work_mtok))

    def _refused_mtok(self, held: WholeInterval, due: FloatArray, action: Action) -> FloatArray:
        """Return what is refused: what the policy refused, and what is due and has no place."""
        served = sums_by(self._sizes.load_of, held.serve_mtok, count=held.work_mtok.size)
        left = np.maximum(0.0, held.work_mtok - served)
        return np.asarray(np.clip(np.maximum(action.refused_mtok, due - served), 0.0, left))

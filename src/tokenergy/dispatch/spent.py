"""What an action costs in its interval, and the state it leaves: a policy's own bookkeeping.

A hedge has to know what its decisions cost as time passes, and what another policy's would have
cost on its own path. Bills are settled elsewhere; here stands what moves from one decision to
another: energy at the site's prices and at the meter's rates, contracts taken, plants' fuel,
wear, leases, network, lost value. Charges over a whole month (peaks, targets) are left out.
"""

from dataclasses import replace

import numpy as np

from tokenergy.dispatch.columns import serve_usd_per_mtok
from tokenergy.dispatch.event_meter import ActionMeter
from tokenergy.dispatch.outages import limits_at
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import Action, State, World


class Books:
    """A world's prices and balances, laid out once for one interval after another."""

    def __init__(self, world: World) -> None:
        """Lay out who stands where and what each thing costs."""
        self._world = world
        whole = true_window(world, begin=0, count=world.last)
        self._meter = ActionMeter(world)
        self._buy_usd_per_mwh = whole.buy_usd_per_mwh
        self._sell_usd_per_mwh = whole.sell_usd_per_mwh
        self._rate_usd_per_mwh = whole.rate_usd_per_mwh.sum(axis=0)
        self._export_usd_per_mwh = whole.export_usd_per_mwh
        self._grid_block_mw = whole.grid_block_mw
        self._load_of = np.array([r.workload for r in world.routes], dtype=np.int64)
        self._own = np.array([not d.external for d in world.deployments], dtype=bool)
        self._serve_usd_per_mtok = serve_usd_per_mtok(world)
        self._lease_usd = world.step_h * np.array(
            [
                0.0 if d.external else world.fleets[d.fleet].lease_usd_per_gpu_hour * d.gpus_count
                for d in world.deployments
            ]
        )
        self._value_usd_per_mtok = np.array([load.value_usd_per_mtok for load in world.workloads])
        self._wear = np.array([b.cycle_usd_per_mwh_discharged for b in world.batteries])
        self._in_share = np.array([b.charge_eff_share for b in world.batteries])
        self._out_share = np.array([b.discharge_eff_share for b in world.batteries])
        self._capacity_mwh = np.array([b.capacity_mwh for b in world.batteries])
        self._defer = np.array([load.defer_count for load in world.workloads], dtype=np.int64)

    def usd(self, at: int, state: State, action: Action) -> float:
        """Return what an action costs in interval `at`, USD."""
        world = self._world
        spent_usd = float(self._serve_usd_per_mtok @ action.serve_mtok)
        spent_usd += float(self._value_usd_per_mtok @ action.refused_mtok)
        spent_usd += float(self._lease_usd @ action.awake)
        spent_usd += float(self._wear @ action.discharge_mw) * world.step_h
        net_mw = self._meter.import_mw(at, state, action, limits_at(world, at))
        position_mw = net_mw - self._grid_block_mw[:, at]
        for take, taken_mw in zip(world.takes, action.take_mw, strict=True):
            spent_usd += float(take.take_usd_per_mwh[at] * taken_mw) * world.step_h
            if not take.behind_the_meter:
                position_mw[take.site] -= taken_mw
        if action.generate_mw is not None:
            for plant, given_mw in zip(world.generators, action.generate_mw, strict=True):
                spent_usd += plant.decided_usd_per_mwh(at) * float(given_mw) * world.step_h
        usd_per_h = np.where(
            position_mw > 0.0,
            self._buy_usd_per_mwh[:, at] * position_mw,
            self._sell_usd_per_mwh[:, at] * position_mw,
        )
        usd_per_h += self._rate_usd_per_mwh[:, at] * np.maximum(0.0, net_mw)
        usd_per_h += self._export_usd_per_mwh[:, at] * np.maximum(0.0, -net_mw)
        return spent_usd + float(usd_per_h.sum()) * world.step_h

    def after(self, at: int, state: State, action: Action) -> State:
        """Return the state that an action leaves: the earliest due was done first.

        A light twin of `simulate/interval`: it stands below that room, holds nothing against
        limits and trims nothing, since its actions come from policies of this one. What
        contracts' past leaves stays as it is: settlement alone moves that on.
        """
        loads_count = len(self._world.workloads)
        queue = np.column_stack([state.backlog_mtok, np.zeros(loads_count)])
        queue[np.arange(loads_count), self._defer] += self._world.arrivals_mtok[:, at]
        served = np.bincount(self._load_of, action.serve_mtok, minlength=loads_count)
        done = served + action.refused_mtok
        rest = np.maximum(0.0, queue.cumsum(axis=1) - done[:, None])
        left = np.diff(rest, axis=1, prepend=0.0)[:, 1:]
        moved_mwh = self._in_share * action.charge_mw - action.discharge_mw / self._out_share
        energy = state.energy_mwh + moved_mwh * self._world.step_h
        return replace(
            state,
            awake=np.where(self._own, action.awake, 0.0),
            energy_mwh=np.clip(energy, 0.0, self._capacity_mwh),
            backlog_mtok=left,
        )

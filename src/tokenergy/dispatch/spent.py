"""What an action costs in its interval, and the state it leaves: a policy's own bookkeeping.

A hedge has to know what its decisions cost as time passes, and what another policy's would have
cost on its own path. Bills are settled elsewhere; here stands what moves from one decision to
another: energy at the site's prices and at the meter's rates, contracts taken, plants' fuel,
wear, leases, network, lost value. Charges over a whole month (peaks, targets) are left out.
"""

from dataclasses import replace

import numpy as np

from tokenergy.dispatch.columns import serve_usd_per_mtok
from tokenergy.dispatch.outages import standing_in
from tokenergy.dispatch.window import true_window, work_only
from tokenergy.dispatch.world import Action, FloatArray, State, World


class Books:
    """A world's prices and balances, laid out once for one interval after another."""

    def __init__(self, world: World) -> None:
        """Lay out who stands where and what each thing costs."""
        self._world = world
        whole = true_window(world, begin=0, count=world.last)
        self._work_only = work_only(world, whole)
        self._buy_usd_per_mwh = whole.buy_usd_per_mwh
        self._sell_usd_per_mwh = whole.sell_usd_per_mwh
        self._rate_usd_per_mwh = whole.rate_usd_per_mwh.sum(axis=0)
        self._export_usd_per_mwh = whole.export_usd_per_mwh
        self._grid_block_mw = whole.grid_block_mw
        self._meter_block_mw = whole.meter_block_mw
        self._standing_mw = standing_in(world, whole)
        self._load_of = np.array([r.workload for r in world.routes], dtype=np.int64)
        self._deployment_of = np.array([r.deployment for r in world.routes], dtype=np.int64)
        own = np.array([not d.external for d in world.deployments], dtype=bool)
        self._own = own
        self._site = np.array([max(0, d.site) for d in world.deployments], dtype=np.int64)
        sleep = [
            0.0 if d.external else world.fleets[d.fleet].sleep_mw_per_gpu * d.gpus_count
            for d in world.deployments
        ]
        self._net_mw = np.array([d.base_mw for d in world.deployments]) - np.array(sleep)
        self._wake_mwh = np.array([d.wake_mwh for d in world.deployments])
        self._rate_mtok_per_h = np.array([r.rate_mtok_per_h for r in world.routes])
        self._marginal_mwh = np.array([r.marginal_mwh_per_mtok for r in world.routes])
        self._serve_usd_per_mtok = serve_usd_per_mtok(world)
        self._lease_usd = world.step_h * np.array(
            [
                0.0 if d.external else world.fleets[d.fleet].lease_usd_per_gpu_hour * d.gpus_count
                for d in world.deployments
            ]
        )
        self._value_usd_per_mtok = np.array([load.value_usd_per_mtok for load in world.workloads])
        self._wear = np.array([b.cycle_usd_per_mwh_discharged for b in world.batteries])
        self._homes = np.array(world.battery_site, dtype=np.int64)
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
        net_mw = world.pue[:, at] * self._racks_mw(at, state, action)
        net_mw -= self._meter_block_mw[:, at]
        np.add.at(net_mw, self._homes, action.charge_mw - action.discharge_mw)
        position_mw = -self._grid_block_mw[:, at]
        for take, taken_mw in zip(world.takes, action.take_mw, strict=True):
            spent_usd += float(take.take_usd_per_mwh[at] * taken_mw) * world.step_h
            behind = net_mw if take.behind_the_meter else position_mw
            behind[take.site] -= taken_mw
        if action.generate_mw is not None:
            for plant, given_mw in zip(world.generators, action.generate_mw, strict=True):
                spent_usd += float(plant.usd_per_mwh[at] * given_mw) * world.step_h
                net_mw[plant.site] -= given_mw
        position_mw = position_mw + net_mw
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

        What contracts' past leaves stays as it is: settlement alone moves that on.
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

    def _racks_mw(self, at: int, state: State, action: Action) -> FloatArray:
        """Return the load at the racks by site [S]: what stands, awake replicas, work, wakes."""
        world, step_h, count = self._world, self._world.step_h, len(self._world.deployments)
        busy_h = action.serve_mtok / self._rate_mtok_per_h
        busy = np.bincount(self._deployment_of, busy_h, minlength=count) / step_h
        only = self._work_only[self._site, at]
        on = np.where(only, busy, action.awake)
        woken = np.where(only, 0.0, np.maximum(0.0, action.awake - state.awake))
        drawn_mw = np.where(self._own, self._net_mw * on + self._wake_mwh * woken / step_h, 0.0)
        work_mwh = np.bincount(
            self._deployment_of, self._marginal_mwh * action.serve_mtok, minlength=count
        )
        drawn_mw += np.where(self._own, work_mwh / step_h, 0.0)
        return self._standing_mw[:, at] + np.bincount(
            self._site, drawn_mw, minlength=world.sites_count
        ).astype(np.float64)

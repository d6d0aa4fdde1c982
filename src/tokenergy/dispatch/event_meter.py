"""What an action draws at each meter, and whether that fits into what is there."""

import numpy as np

from tokenergy.dispatch.outages import Limits, standing_mw
from tokenergy.dispatch.window import true_window, work_only
from tokenergy.dispatch.world import Action, BoolArray, FloatArray, State, World

FITS_SHARE = 1e-9
"""How far an action may lie beyond a limit and still count as within it."""


class ActionMeter:
    """Imports and GPUs of actions, laid out once for all intervals of a world."""

    def __init__(self, world: World) -> None:
        """Lay out owners and coefficients."""
        self._world = world
        self._work_only = work_only(world, true_window(world, begin=0, count=world.last))
        self._blocks_mw = world.block_delivery_mw(behind_the_meter=True)
        self._own = np.array([not d.external for d in world.deployments], dtype=bool)
        self._site = np.array([max(0, d.site) for d in world.deployments], dtype=np.int64)
        self._fleet = np.array([max(0, d.fleet) for d in world.deployments], dtype=np.int64)
        self._gpus = np.array([float(d.gpus_count) for d in world.deployments]) * self._own
        sleep_mw = np.array([fleet.sleep_mw_per_gpu for fleet in world.fleets])
        base_mw = np.array([d.base_mw for d in world.deployments])
        self._net_mw = np.where(self._own, base_mw - self._gpus * sleep_mw[self._fleet], 0.0)
        self._wake_mwh = np.array([d.wake_mwh for d in world.deployments])
        self._of = np.array([r.deployment for r in world.routes], dtype=np.int64)
        self._rate_mtok_per_h = np.array([r.rate_mtok_per_h for r in world.routes])
        self._marginal_mwh = np.array([r.marginal_mwh_per_mtok for r in world.routes])
        self._homes = np.array(world.battery_site, dtype=np.int64)

    def import_mw(self, at: int, state: State, action: Action, limits: Limits) -> FloatArray:
        """Return what an action draws over each connection, negative where it feeds in [S]."""
        world, step_h, count = self._world, self._world.step_h, len(self._world.deployments)
        busy_h = np.bincount(self._of, action.serve_mtok / self._rate_mtok_per_h, minlength=count)
        only = self._work_only[self._site, at]
        awake = _padded(action.awake, count)
        on = np.where(only, busy_h / step_h, awake)
        woken = np.where(only, 0.0, np.maximum(0.0, awake - state.awake))
        work_mwh = np.bincount(self._of, self._marginal_mwh * action.serve_mtok, minlength=count)
        drawn_mw = self._net_mw * on + self._own * (self._wake_mwh * woken + work_mwh) / step_h
        racks = standing_mw(world, limits.gpus_count[:, None], limits.alive[:, None])[:, 0]
        racks += np.bincount(self._site, drawn_mw, minlength=world.sites_count)
        net_mw = world.pue[:, at] * racks - self._blocks_mw[:, at] * limits.alive
        np.add.at(net_mw, self._homes, action.charge_mw - action.discharge_mw)
        for take, taken_mw in zip(world.takes, action.take_mw, strict=True):
            if take.behind_the_meter:
                net_mw[take.site] -= taken_mw
        if action.generate_mw is not None:
            for plant, made_mw in zip(world.generators, action.generate_mw, strict=True):
                net_mw[plant.site] -= made_mw
        return np.asarray(net_mw)

    def fits(self, at: int, state: State, action: Action, limits: Limits) -> bool:
        """Tell whether an action keeps import, export and GPUs, and leaves dark sites alone."""
        world = self._world
        net_mw = self.import_mw(at, state, action, limits)
        held = np.bincount(
            self._fleet,
            self._gpus * _padded(action.awake, self._gpus.size),
            minlength=len(world.fleets),
        )
        moved = np.bincount(
            self._homes, action.charge_mw + action.discharge_mw, minlength=world.sites_count
        )
        return bool(
            np.all(_within(net_mw, limits.import_limit_mw))
            and np.all(_within(-net_mw, world.export_limit_mw[:, at] * limits.alive))
            and np.all(_within(held.astype(np.float64), limits.gpus_count))
            and np.all(moved[~limits.alive] <= FITS_SHARE)
        )


def _padded(awake: FloatArray, count: int) -> FloatArray:
    """Return awake replicas of all deployments; external APIs have none."""
    whole = np.zeros(count)
    whole[: awake.size] = awake
    return whole


def _within(values: FloatArray, limits: FloatArray) -> BoolArray:
    return np.asarray(values - limits <= FITS_SHARE * np.maximum(1.0, np.abs(limits)))

"""One program for a company of any size: more users, capacity, contracts; every promise kept."""

from dataclasses import replace
from typing import Final

import numpy as np

from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import Deployment, FloatArray, Route, World

PROMISE_RATIO: Final = 10.0
"""A promise is worth this many times the most that keeping it could cost."""


def has_users(world: World) -> FloatArray:
    """Return 1 for the workloads whose tier names its users, 0 for those that stand [W]."""
    held = {tier.name for tier in world.company.tiers if tier.users is not None}
    return np.array([float(load.tier in held) for load in world.workloads])


def scaled_window(
    window: Window, *, arrivals_ratio: FloatArray, contracts_ratio: float = 1.0
) -> Window:
    """Return a window with other arrivals and contracts; the capacity stands.

    A company that is `k` times as large is `k` times this one with arrivals and contracts
    divided by `k`: so that one program, changed in place, answers for every size.

    Args:
        window: of the company as it is.
        arrivals_ratio: multiplies the arrivals of each workload [W].
        contracts_ratio: multiplies blocks and as-produced contracts.
    """
    return replace(
        window,
        arrivals_mtok=window.arrivals_mtok * arrivals_ratio[:, None],
        grid_block_mw=window.grid_block_mw * contracts_ratio,
        meter_block_mw=window.meter_block_mw * contracts_ratio,
        available_mw=window.available_mw * contracts_ratio,
        floor_mw=window.floor_mw * contracts_ratio,
    )


def at_any_price(world: World) -> World:
    """Return a world for the program alone, in which every promise is kept while anything can be.

    Work of a tier that must be served is otherwise refused when it is worth less than it costs.
    Here its value is raised above any cost, by one factor for all, so that what is short still
    goes to the most valuable first. What a lesser model loses stays as it was: it is moved into
    the cost of its routes. Money is counted in the world as it is, never in this one.
    """
    promised = [load for load in world.workloads if load.must_serve]
    if not promised:
        return world
    least_usd = min(load.value_usd_per_mtok for load in promised)
    most_usd = PROMISE_RATIO * dearest_usd_per_mtok(world)
    factor = max(1.0, most_usd / least_usd) if least_usd > 0.0 else 1.0
    lost = quality_loss_usd_per_mtok(world)
    offered = [
        min((r.quality_share for r in world.routes if r.workload == at), default=0.0)
        for at in range(len(world.workloads))
    ]
    loads = tuple(
        replace(
            load,
            value_usd_per_mtok=max(load.value_usd_per_mtok * factor, most_usd),
            asked_quality_share=min(load.asked_quality_share, least_share)
            or load.asked_quality_share,
        )
        if load.must_serve
        else load
        for load, least_share in zip(world.workloads, offered, strict=True)
    )
    routes = tuple(
        replace(route, network_usd_per_mtok=route.network_usd_per_mtok + float(lost_usd))
        if world.workloads[route.workload].must_serve
        else route
        for route, lost_usd in zip(world.routes, lost, strict=True)
    )
    return replace(world, workloads=loads, routes=routes)


def dearest_usd_per_mtok(world: World) -> float:
    """Return a bound on what a Mtok could cost, what its GPUs and power could else earn included.

    Each GPU-hour and each MWh is priced at the most that any work could be worth on it, and
    power at the dearest hour of the horizon besides.
    """
    span = slice(world.first, world.last)
    spot = world.spot_usd_per_mwh[:, span]
    power_usd_per_mwh = float(np.abs(world.buy_usd_per_mwh(spot, span)).max())
    values = [load.value_usd_per_mtok for load in world.workloads]
    gpu_usd = mwh_usd = 0.0
    needs = []
    for route in world.routes:
        target = world.deployments[route.deployment]
        direct_usd = route.network_usd_per_mtok + route.api_usd_per_mtok
        if target.external:
            needs.append((direct_usd, 0.0, 0.0))
            continue
        gpu_h, mwh = _draws(world, route, target)
        lease = world.fleets[target.fleet].lease_usd_per_gpu_hour
        needs.append((direct_usd + lease * gpu_h, gpu_h, mwh))
        worth = values[route.workload]
        gpu_usd = max(gpu_usd, worth / gpu_h)
        mwh_usd = max(mwh_usd, worth / mwh if mwh > 0.0 else 0.0)
    costs = [
        usd + gpu_h * gpu_usd + mwh * (mwh_usd + power_usd_per_mwh) for usd, gpu_h, mwh in needs
    ]
    return max([*costs, *values])


def _draws(world: World, route: Route, target: Deployment) -> tuple[float, float]:
    """Return GPU-hours and MWh at the meter of one Mtok on a route of our own."""
    sleep_mw = world.fleets[target.fleet].sleep_mw_per_gpu * target.gpus_count
    base_mwh = max(0.0, target.base_mw - sleep_mw) / route.rate_mtok_per_h
    pue = float(world.pue[target.site].max())
    return target.gpus_count / route.rate_mtok_per_h, pue * (route.marginal_mwh_per_mtok + base_mwh)

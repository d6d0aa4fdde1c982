"""What one Mtok more costs on one route: a row of the board, out of prices and their parts."""

from datetime import datetime
from typing import TYPE_CHECKING

from tokenergy.company.marginal import MarginalCost
from tokenergy.dispatch.world import World
from tokenergy.units import TOKENS_PER_MTOK

if TYPE_CHECKING:
    from tokenergy.dispatch.duals import Parts


def route_cost(
    world: World,
    i: int,
    *,
    start: datetime,
    parts: "Parts",
    total_usd_per_mtok: float,
    low_usd_per_mtok: float | None,
    high_usd_per_mtok: float,
    in_use: bool,
    share: float,
    small: bool,
) -> MarginalCost:
    """Return what one Mtok more costs on route `i` in the interval that `parts` are of.

    Args:
        world: the company as arrays.
        i: the route.
        start: of the interval.
        parts: of all routes, at the high end.
        total_usd_per_mtok: their sum on this route.
        low_usd_per_mtok: what the last Mtok cost; None: not known.
        high_usd_per_mtok: what one more costs, wherever it is cheapest.
        in_use: whether it would go there.
        share: part of the workload's tokens that goes there.
        small: whether so few replicas are awake that the price within one is told too.
    """
    route = world.routes[i]
    spec, deployment = world.workloads[route.workload], world.deployments[route.deployment]
    # Where the deployment is in use the price is the dual; what the parts miss is `other`.
    other = high_usd_per_mtok - total_usd_per_mtok if in_use else 0.0
    energy_only = parts.marginal_mwh_per_mtok[i] * parts.node_usd_per_mwh[i]
    within = float(energy_only + parts.network[i] + parts.quality[i])
    per_item, per_video_s = _by_item(world, route.workload, high_usd_per_mtok)
    return MarginalCost(
        workload=spec.name,
        site=deployment.name if deployment.external else world.site_names[deployment.site],
        accelerator=deployment.accelerator,
        model=deployment.model,
        start=start,
        in_use=in_use,
        share=share,
        **_by_part(parts, i),
        other_usd_per_mtok=other,
        total_usd_per_mtok=total_usd_per_mtok + other,
        low_usd_per_mtok=low_usd_per_mtok,
        high_usd_per_mtok=high_usd_per_mtok,
        energy_marginal_usd_per_mtok=float(parts.energy_marginal[i]),
        energy_base_usd_per_mtok=float(parts.energy[i] - parts.energy_marginal[i]),
        energy_mwh_per_mtok=float(parts.energy_mwh_per_mtok[i]),
        node_usd_per_mwh=float(parts.node_usd_per_mwh[i]),
        within_replica_usd_per_mtok=within if small else None,
        usd_per_item=per_item,
        usd_per_video_s=per_video_s,
        kappa_ratio=route.kappa_ratio,
        energy_tier=route.energy_tier,
        energy_low_share=route.energy_low_share,
        energy_high_share=route.energy_high_share,
    )


def _by_part(parts: "Parts", i: int) -> dict[str, float]:
    """Return every part of a route's price but what they miss."""
    return {
        "energy_usd_per_mtok": float(parts.energy[i]),
        "mw_rent_usd_per_mtok": float(parts.mw_rent[i]),
        "demand_peak_rent_usd_per_mtok": float(parts.demand_peak_rent[i]),
        "cfe_rent_usd_per_mtok": float(parts.cfe_rent[i]),
        "gpu_rent_usd_per_mtok": float(parts.gpu_rent[i]),
        "wake_usd_per_mtok": float(parts.wake[i]),
        "network_usd_per_mtok": float(parts.network[i]),
        "quality_usd_per_mtok": float(parts.quality[i]),
    }


def _by_item(
    world: World, workload: int, high_usd_per_mtok: float
) -> tuple[float | None, float | None]:
    """Return what one image or clip costs, and a second of video; None: it makes neither."""
    spec = world.workloads[workload]
    if spec.tokens_per_item_count is None:
        return None, None
    per_item = high_usd_per_mtok * spec.tokens_per_item_count / TOKENS_PER_MTOK
    return (
        per_item,
        per_item / spec.video_s_per_item if per_item and spec.video_s_per_item else None,
    )

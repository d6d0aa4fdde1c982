"""The merit order of tokens: what the next Mtok costs as more is asked for."""

from dataclasses import asdict, dataclass
from typing import Any

from tokenergy.dispatch.columns import own_deployments
from tokenergy.dispatch.world import Route, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of the supply curve: `capacity_mtok` at `usd_per_mtok`, ending at `cum_mtok`."""

    label: str
    site: str
    capacity_mtok: float
    cum_mtok: float
    usd_per_mtok: float
    energy_usd_per_mtok: float
    energy_kind: str

    def to_dict(self) -> dict[str, Any]:
        """Return the segment as a JSON-ready mapping."""
        return asdict(self)


def supply_curve(world: World, *, workload: int, at: int) -> tuple[Segment, ...]:
    """Return the merit order of one workload in one interval, at marginal cost.

    Every replica is taken to be awake already and nobody else to be served: the curve is what
    the workload would see alone. Power that contracts deliver anyway enters at its resale value
    (contracts sheet, section 2), the rest at the purchase price up to the import limit. Where
    models share a fleet, the one asked for stands on the curve.

    Args:
        world: the company as arrays.
        workload: index of the workload.
        at: index of the interval in the world.
    """
    asked = _asked_model(world, workload)
    own = own_deployments(world)
    pieces: list[tuple[float, float, float, str, str, str]] = []
    for site in range(world.sites_count):
        ladder = _energy_ladder(world, site, at)
        routes = [
            r
            for r in world.routes
            if r.workload == workload
            and r.deployment < own
            and world.deployments[r.deployment].site == site
            and world.deployments[r.deployment].model == asked
        ]
        for route in sorted(routes, key=lambda r: _energy_mwh_per_mtok(world, r, at)):
            pieces += _fleet_pieces(world, route, at, ladder)
    for route in world.routes:
        deployment = world.deployments[route.deployment]
        if route.workload == workload and deployment.external:
            limit = deployment.limit_mtok_per_h * world.step_h
            pieces.append((route.api_usd_per_mtok, limit, 0.0, deployment.name, "external", "none"))
    pieces.sort(key=lambda piece: (piece[0], piece[3]))
    cum, segments = 0.0, []
    for usd, mtok, energy_usd, label, site_name, kind in pieces:
        cum += mtok
        segments.append(
            Segment(
                label=label,
                site=site_name,
                capacity_mtok=mtok,
                cum_mtok=cum,
                usd_per_mtok=usd,
                energy_usd_per_mtok=energy_usd,
                energy_kind=kind,
            )
        )
    return tuple(segments)


def _asked_model(world: World, workload: int) -> str:
    """Return the model of the best quality that the workload reaches on own fleets."""
    own = own_deployments(world)
    mine = [r for r in world.routes if r.workload == workload and r.deployment < own]
    best = max(mine, key=lambda r: r.quality_share, default=None)
    return "" if best is None else world.deployments[best.deployment].model


def _energy_mwh_per_mtok(world: World, route: Route, at: int) -> float:
    """Return MWh at the meter for one Mtok of a full replica."""
    deployment = world.deployments[route.deployment]
    sleep_mw = world.fleets[deployment.fleet].sleep_mw_per_gpu * deployment.gpus_count
    racks = route.marginal_mwh_per_mtok + (deployment.base_mw - sleep_mw) / route.rate_mtok_per_h
    return float(world.pue[deployment.site, at]) * racks


def _energy_ladder(world: World, site: int, at: int) -> list[list[float | str]]:
    """Return [USD/MWh, MWh left, kind] of a site's power, cheapest use first."""
    spot = world.spot_usd_per_mwh[:, at : at + 1]
    buy = float(world.buy_usd_per_mwh(spot)[site, 0])
    sell = float(world.sell_usd_per_mwh(spot)[site, 0])
    grid_mw = meter_mw = 0.0
    for block in world.blocks:
        if block.site == site:
            grid_mw += block.delivery_mw[at] * (not block.behind_the_meter)
            meter_mw += block.delivery_mw[at] * block.behind_the_meter
    for take in world.takes:
        if take.site == site:
            grid_mw += take.available_mw[at] * (not take.behind_the_meter)
            meter_mw += take.available_mw[at] * take.behind_the_meter
    standing_mw = float(world.standing_mw()[site] * world.pue[site, at])
    limit_mw = float(world.import_limit_mw[site, at])
    behind_mw = max(0.0, meter_mw - standing_mw)
    import_room_mw = max(0.0, limit_mw - max(0.0, standing_mw - meter_mw))
    delivered_mw = min(import_room_mw, max(0.0, grid_mw - max(0.0, standing_mw - meter_mw)))
    step_h = world.step_h
    exports = float(world.export_limit_mw[site, at]) > 0.0
    return [
        [sell if exports else 0.0, behind_mw * step_h, "behind the meter"],
        [sell, delivered_mw * step_h, "contract"],
        [buy, (import_room_mw - delivered_mw) * step_h, "spot"],
    ]


def _fleet_pieces(
    world: World, route: Route, at: int, ladder: list[list[float | str]]
) -> list[tuple[float, float, float, str, str, str]]:
    """Use up a site's power with one deployment until its GPUs or the power run out."""
    deployment = world.deployments[route.deployment]
    fleet = world.fleets[deployment.fleet]
    left_mtok = fleet.gpus_count / deployment.gpus_count * route.rate_mtok_per_h * world.step_h
    energy = _energy_mwh_per_mtok(world, route, at)
    lease = deployment.gpus_count * fleet.lease_usd_per_gpu_hour / route.rate_mtok_per_h
    pieces = []
    for rung in ladder:
        price, room_mwh, kind = float(rung[0]), float(rung[1]), str(rung[2])
        mtok = min(left_mtok, room_mwh / energy if energy > 0.0 else left_mtok)
        if mtok <= 0.0:
            continue
        usd = energy * price + lease + route.network_usd_per_mtok
        site = world.site_names[deployment.site]
        pieces.append((usd, mtok, energy * price, deployment.name, site, kind))
        rung[1] = room_mwh - mtok * energy
        left_mtok -= mtok
    return pieces

"""The merit order of tokens: what the next Mtok costs as more is asked for."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from tokenergy.dispatch.columns import own_deployments, quality_loss_usd_per_mtok
from tokenergy.dispatch.energy_cost import FLOW, EnergyCosts, tiny_mw
from tokenergy.dispatch.world import Route, World

BEHIND: Final = "behind the meter"

_Piece = tuple[float, float, float, str, str, str]
"""USD/Mtok, Mtok, energy's part of the cost, label, site and kind of power."""


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
    the workload would see alone. Power enters as the site's own energy curve has it: what would
    be sold at its resale value, what would be curtailed at its strike, what contracts do not
    deliver at the purchase price up to the import limit (contracts sheet, section 2). Where
    models share a fleet, the best that the workload reaches stands on the curve.

    Args:
        world: the company as arrays.
        workload: index of the workload.
        at: index of the interval in the world.
    """
    asked, costs = _best_model(world, workload), EnergyCosts(world)
    lost_usd = quality_loss_usd_per_mtok(world)
    mine = [(r, float(usd)) for r, usd in zip(world.routes, lost_usd, strict=True)]
    mine = [(r, usd) for r, usd in mine if r.workload == workload]
    pieces: list[_Piece] = []
    for site in range(world.sites_count):
        here = [
            _Offer(world, route, at, lost)
            for route, lost in mine
            if world.deployments[route.deployment].site == site
            and world.deployments[route.deployment].model == asked
        ]
        for price, rung_mwh, kind in _energy_ladder(world, costs, site, at):
            room_mwh = rung_mwh
            for offer in sorted(here, key=lambda offer: offer.usd_per_mtok(price)):
                piece, room_mwh = offer.served(price, room_mwh, kind)
                pieces += [piece] if piece else []
    for route, lost in mine:
        deployment = world.deployments[route.deployment]
        if deployment.external:
            usd = route.api_usd_per_mtok + route.network_usd_per_mtok + lost
            limit = deployment.limit_mtok_per_h * world.step_h
            pieces.append((usd, limit, 0.0, deployment.name, "external", "none"))
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


def _best_model(world: World, workload: int) -> str:
    """Return the model of the best quality that the workload reaches on own fleets."""
    own = own_deployments(world)
    mine = [r for r in world.routes if r.workload == workload and r.deployment < own]
    best = max(mine, key=lambda r: r.quality_share, default=None)
    return "" if best is None else world.deployments[best.deployment].model


class _Offer:
    """A fleet's room on the curve: used up rung by rung of its site's power."""

    def __init__(self, world: World, route: Route, at: int, lost_usd_per_mtok: float) -> None:
        deployment = world.deployments[route.deployment]
        fleet, rate = world.fleets[deployment.fleet], route.rate_mtok_per_h
        racks_mw = deployment.base_mw - fleet.sleep_mw_per_gpu * deployment.gpus_count
        racks = route.marginal_mwh_per_mtok + racks_mw / rate
        self._mwh_per_mtok = float(world.pue[deployment.site, at]) * racks
        self._paid_usd = deployment.gpus_count * fleet.lease_usd_per_gpu_hour / rate
        self._paid_usd += route.network_usd_per_mtok + lost_usd_per_mtok
        self._left_mtok = fleet.gpus_count / deployment.gpus_count * rate * world.step_h
        self._names = (deployment.name, world.site_names[deployment.site])

    def usd_per_mtok(self, usd_per_mwh: float) -> float:
        """Return what a Mtok costs at a price of power."""
        return self._mwh_per_mtok * usd_per_mwh + self._paid_usd

    def served(self, usd_per_mwh: float, room_mwh: float, kind: str) -> tuple[_Piece | None, float]:
        """Return what a rung of power carries of this fleet, and what it leaves of the rung."""
        energy = self._mwh_per_mtok
        mtok = min(self._left_mtok, room_mwh / energy if energy > 0.0 else self._left_mtok)
        if mtok <= 0.0:
            return None, room_mwh
        self._left_mtok -= mtok
        usd = self.usd_per_mtok(usd_per_mwh)
        return (usd, mtok, energy * usd_per_mwh, *self._names, kind), room_mwh - mtok * energy


def _energy_ladder(
    world: World, costs: EnergyCosts, site: int, at: int
) -> Iterator[tuple[float, float, str]]:
    """Yield (USD/MWh, MWh, kind) of a site's power above its standing load, cheapest first.

    What cannot even leave the site is free. Power over the connection is from behind the meter
    as long as that only lessens the export, then a contract's, then the market's.
    """
    curve = costs.curve(site, at)
    load_mw = float(world.standing_mw()[site] * world.pue[site, at])
    if load_mw < curve.least_mw:
        yield 0.0, (curve.least_mw - load_mw) * world.step_h, BEHIND
    later = curve.grid_takes[curve.taken_first_count :]
    contracts_mw = curve.sure_mw + sum(take.free_mw for take in later)
    start_mw, flow_mw = curve.least_mw, -curve.export_mw
    segments = zip(curve.ends_mw, curve.slopes_usd_per_mwh, curve.sources, strict=True)
    for end_mw, price, source in segments:
        parts = [(end_mw - start_mw, BEHIND)]
        if source == FLOW:
            ends_mw = (0.0, contracts_mw, float("inf"))
            flow_end_mw, parts = flow_mw + end_mw - start_mw, []
            for until_mw, kind in zip(ends_mw, (BEHIND, "contract", "spot"), strict=True):
                part_mw = max(0.0, min(flow_end_mw, until_mw) - flow_mw)
                parts.append((part_mw, kind))
                flow_mw += part_mw
        for part_mw, kind in parts:
            room_mw = start_mw + part_mw - max(start_mw, load_mw)
            start_mw += part_mw
            if room_mw > tiny_mw(start_mw):
                yield price, room_mw * world.step_h, kind

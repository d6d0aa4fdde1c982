"""The five exposures of each contract of a plan: what it costs beside the power that it replaces.

A contract that delivers is held against buying the same megawatt-hours at its own site's price; one
that is money alone against having none. What it costs more is volume, price, shape, covariance and
basis (contracts sheet, section 8), which sum to it exactly. An offer whose parts cancel is noise;
one with a large negative sum is worth signing.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tokenergy.api.as_built import AsBuilt
from tokenergy.company.finding import Finding
from tokenergy.dispatch.world import FloatArray, IntArray, World
from tokenergy.economics.exposures import (
    Position,
    exposures,
    mean_price_usd_per_mwh,
    positions_of,
)
from tokenergy.plan.exposures import ContractFlow, flows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExposures:
    """What one contract costs more than its power at the price of its site, in five parts.

    Attributes:
        contract_id, site: the contract, and where it is delivered.
        volume_usd: its volume at its strike instead of the mean price that the company pays.
        price_usd: that its own market is cheaper or dearer than that mean.
        shape_usd: that it delivers when the usual price is low.
        covariance_usd: that it delivers more when the price is unusually low.
        basis_usd: that its settlement point pays otherwise than the site does.
        total_usd: the sum; below 0 the contract saves money.
        mwh: what it delivers or settles.
        strike_usd_per_mwh: what a MWh of it costs; None without any.
        capture_usd_per_mwh: what a MWh of it was worth at its settlement point; None likewise.
        hedge_share: what it delivers over the load of its site; None without load.
        overhedged_mwh: what it delivers beyond the load of its hour.
        findings: a warning where shape and covariance rest on too few samples.
    """

    contract_id: str
    site: str
    volume_usd: float
    price_usd: float
    shape_usd: float
    covariance_usd: float
    basis_usd: float
    total_usd: float
    mwh: float
    strike_usd_per_mwh: float | None
    capture_usd_per_mwh: float | None
    hedge_share: float | None
    overhedged_mwh: float
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the exposures as a JSON-ready mapping."""
        return asdict(self)


def contract_exposures(built: AsBuilt) -> Iterator[ContractExposures]:
    """Yield the exposures of every contract that delivers or settles, in the order of the file."""
    world = built.company.world
    cells = {at: _cells(world, at) for at in range(world.sites_count)}
    budget = mean_price_usd_per_mwh(positions_of(world, built.run))
    for flow in flows_of(world, built.run.take_mwh):
        yield of_flow(
            flow,
            site=world.site_names[flow.site],
            node_usd_per_mwh=world.spot_usd_per_mwh[flow.site, world.first : world.last],
            load_mwh=built.run.load_mwh[flow.site],
            cells=cells[flow.site],
            budget_usd_per_mwh=budget,
        )


def of_flow(
    flow: ContractFlow,
    *,
    site: str,
    node_usd_per_mwh: FloatArray,
    load_mwh: FloatArray,
    cells: IntArray,
    budget_usd_per_mwh: float,
) -> ContractExposures:
    """Return the exposures of one contract.

    Args:
        flow: what it delivers, and what is paid for it.
        site: name of its site.
        node_usd_per_mwh: the price at the site [T].
        load_mwh: load at the site's meter [T].
        cells: (month, hour of day) of each interval as one number [T].
        budget_usd_per_mwh: the price that volume is counted at.
    """
    held = exposures(
        [
            Position(
                load_mwh=np.zeros_like(flow.mwh),
                contracted_mwh=flow.mwh,
                contract_usd=flow.usd,
                zone_usd_per_mwh=node_usd_per_mwh,
                node_usd_per_mwh=node_usd_per_mwh,
                cells=cells,
            )
        ],
        budget_usd_per_mwh=budget_usd_per_mwh,
    )
    settled = flow.settled_usd_per_mwh
    basis_usd = float(flow.mwh @ (node_usd_per_mwh - settled))
    some = held.contracted_mwh > 0.0
    load = float(load_mwh.sum())
    return ContractExposures(
        contract_id=flow.contract_id,
        site=site,
        volume_usd=held.volume_usd,
        price_usd=held.price_usd,
        shape_usd=held.shape_usd,
        covariance_usd=held.covariance_usd,
        basis_usd=basis_usd,
        total_usd=held.total_usd + basis_usd,
        mwh=held.contracted_mwh,
        strike_usd_per_mwh=held.strike_usd_per_mwh,
        capture_usd_per_mwh=float(flow.mwh @ settled) / held.contracted_mwh if some else None,
        hedge_share=held.contracted_mwh / load if load > 0.0 else None,
        overhedged_mwh=float(np.maximum(0.0, flow.mwh - load_mwh).sum()),
        findings=held.findings,
    )


def _cells(world: World, site: int) -> IntArray:
    """Return month and hour of day of each interval on the market's own clock [T]."""
    zone = world.company.sites[site].market.tz
    local = [world.moment(at).astimezone(zone) for at in world.horizon_indices()]
    return np.array([24 * when.month + when.hour for when in local])

"""Whether everything that was invoiced was charged to somebody: panel 6 of the CFO page.

One side is written from the invoices: contracts, leases, APIs, capital, staff. The other is what
attribution made of them: tiers, unused capacity, fixed cost. What is left between the two is a
fault, and above 0.1 % of the invoices nothing built on them may be trusted (economics sheet,
section 7).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tokenergy.company.annuity import annuity_share
from tokenergy.company.finding import Finding
from tokenergy.dispatch.world import World
from tokenergy.economics.attribution import RunLike
from tokenergy.economics.margin import TierMargin
from tokenergy.economics.unit_cost import FullCost, gpu_rents_usd_per_h
from tokenergy.units import H_PER_YEAR, KW_PER_MW, KWH_PER_MWH

RESIDUAL_MOST_SHARE: Final = 0.001
"""Above this share of the invoices a residual is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What somebody charges for the span, or what standing capital costs in it.

    Attributes:
        kind: `power`, `gpu`, `facility`, `battery`, `api`, `network`, `wear`, `staff` or `tier`.
        of: the contract, fleet, site, battery, API or tier it is for.
    """

    kind: str
    of: str
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Invoices against what was attributed.

    Attributes:
        invoices: every one of them.
        invoiced_usd: their sum.
        tiers_usd: charged to tiers (basis: usage).
        unused_capacity_usd: shown as capacity that nothing used.
        fixed_usd: staff and what is fixed for tiers.
        residual_usd: invoiced and charged to nobody; below 0: charged and never invoiced.
        residual_share: the same over the sum of the invoices' sizes; None without invoices.
        findings: an error where the residual is above 0.1 %.
    """

    invoices: tuple[Invoice, ...]
    invoiced_usd: float
    tiers_usd: float
    unused_capacity_usd: float
    fixed_usd: float
    residual_usd: float
    residual_share: float | None
    findings: tuple[Finding, ...] = ()

    @property
    def allocated_share(self) -> float | None:
        """Part of the invoices that was charged to somebody, once; None without invoices."""
        return None if self.residual_share is None else 1.0 - abs(self.residual_share)

    def sentence(self) -> str:
        """Say how much of the invoices was allocated."""
        if self.allocated_share is None:
            return "There were no invoices to allocate."
        return (
            f"Allocated {self.allocated_share:.1%} of invoices: {self.invoiced_usd:,.2f} USD, "
            f"residual {self.residual_usd:z,.2f} USD."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the reconciliation as a JSON-ready mapping."""
        return asdict(self) | {"allocated_share": self.allocated_share}


def invoices_of(world: World, run: RunLike, power_usd: Mapping[str, float]) -> tuple[Invoice, ...]:
    """Return everything that a run is invoiced for, from its own figures and the company file.

    Nothing here is read off the full cost or its attribution: it is what they are held against.
    Invoices of 0 USD are left out.

    Args:
        world: the company as arrays, with its file.
        run: what happened.
        power_usd: the settled bill of each contract.
    """
    every = [
        *(Invoice(kind="power", of=name, usd=usd) for name, usd in power_usd.items()),
        *_work(world, run),
        *_gpus(world, run),
        *_standing(world),
    ]
    return tuple(invoice for invoice in every if invoice.usd)


def reconcile(
    invoices: Sequence[Invoice], full: FullCost, tiers: Sequence[TierMargin]
) -> Reconciliation:
    """Hold invoices against what was charged to tiers, to unused capacity and as fixed cost."""
    invoiced = math.fsum(invoice.usd for invoice in invoices)
    size = math.fsum(abs(invoice.usd) for invoice in invoices)
    charged = math.fsum(tier.usage_usd for tier in tiers)
    fixed = full.staff_usd + math.fsum(tier.tier_fixed_usd for tier in tiers)
    residual = invoiced - charged - fixed - full.unused_capacity_usd
    share = residual / size if size > 0.0 else None
    return Reconciliation(
        invoices=tuple(invoices),
        invoiced_usd=invoiced,
        tiers_usd=charged,
        unused_capacity_usd=full.unused_capacity_usd,
        fixed_usd=fixed,
        residual_usd=residual,
        residual_share=share,
        findings=tuple(_above_limit(residual, share)),
    )


def _above_limit(residual_usd: float, share: float | None) -> Iterator[Finding]:
    if (share is None and residual_usd) or (share is not None and abs(share) > RESIDUAL_MOST_SHARE):
        yield Finding(
            code="ALLOCATION_RESIDUAL",
            path="economics.reconciliation",
            value="no invoices" if share is None else f"{share:.4%}",
            limit=f"{RESIDUAL_MOST_SHARE:.1%}",
            unit="of invoices",
            reason=f"{residual_usd:,.2f} USD were invoiced and charged to nobody"
            if residual_usd > 0.0
            else f"{-residual_usd:,.2f} USD were charged and never invoiced",
            remedy="Compare the invoices with the tiers' parts; trust no margin until they tie",
        )


def _work(world: World, run: RunLike) -> Iterator[Invoice]:
    """Yield what tokens cost beside power and GPUs: network, APIs, wear of batteries."""
    served = run.serve_mtok.sum(axis=1).tolist()
    pairs = list(zip(world.routes, served, strict=True))
    network = sum(route.network_usd_per_mtok * mtok for route, mtok in pairs)
    yield Invoice(kind="network", of="egress and affinity", usd=network)
    for at, deployment in enumerate(world.deployments):
        usd = sum(r.api_usd_per_mtok * mtok for r, mtok in pairs if r.deployment == at)
        yield Invoice(kind="api", of=deployment.name, usd=usd)
    for battery, out in zip(world.batteries, run.discharge_mwh, strict=True):
        usd = battery.cycle_usd_per_mwh_discharged * float(out.sum())
        yield Invoice(kind="wear", of=battery.name, usd=usd)


def _gpus(world: World, run: RunLike) -> Iterator[Invoice]:
    """Yield what each fleet costs: bought and reserved GPUs by the hour, others while awake."""
    hours_h = world.count * world.step_h
    rents = gpu_rents_usd_per_h(world.company)
    for at, (fleet, rent) in enumerate(zip(world.company.fleets, rents, strict=True)):
        lease = fleet.lease
        by_hour = lease is not None and lease.kind != "reserved"
        paid = lease.usd_per_gpu_hour if lease is not None and by_hour else 0.0
        awake_gpu_h = sum(
            float(awake.sum()) * deployment.gpus_count * world.step_h
            for deployment, awake in zip(world.deployments, run.awake, strict=True)
            if deployment.fleet == at
        )
        usd = fleet.gpu_count * rent * hours_h + paid * awake_gpu_h
        yield Invoice(kind="gpu", of=fleet.name, usd=usd)


def _standing(world: World) -> Iterator[Invoice]:
    """Yield what stands whether anybody asks or not: facilities, batteries, staff."""
    company, hours_h = world.company, world.count * world.step_h
    wacc = company.money.wacc_share
    for site in company.sites:
        price_usd = (site.facility_usd_per_kw or 0.0) * site.import_limit_mw * KW_PER_MW
        share = annuity_share(wacc_share=wacc, life_y=site.facility_life_y)
        usd = price_usd * share / H_PER_YEAR * hours_h
        yield Invoice(kind="facility", of=site.name, usd=usd)
    for battery in company.batteries:
        price_usd = (battery.price_usd_per_kwh or 0.0) * battery.capacity_mwh * KWH_PER_MWH
        share = annuity_share(wacc_share=wacc, life_y=battery.life_y)
        usd = price_usd * share / H_PER_YEAR * hours_h
        yield Invoice(kind="battery", of=battery.name, usd=usd)
    staff_usd = company.money.staff_usd_per_year / H_PER_YEAR * hours_h
    yield Invoice(kind="staff", of=company.company, usd=staff_usd)
    for tier in company.tiers:
        usd = tier.fixed_usd_per_year / H_PER_YEAR * hours_h
        yield Invoice(kind="tier", of=tier.name, usd=usd)

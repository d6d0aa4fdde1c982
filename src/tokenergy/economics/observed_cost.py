"""What the tokens of a running engine cost in full, over one span: power, GPUs, hall, staff.

The allocation basis (economics sheet, section 2), for the GPUs that stand behind an engine. What
nobody's engine stands behind, GPUs and the site's standing load, is a line of the site's own.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tokenergy.company.annuity import annuity_share
from tokenergy.company.company import Company
from tokenergy.economics.unit_cost import gpu_rents_usd_per_h
from tokenergy.units import H_PER_YEAR, KW_PER_MW


@dataclass(frozen=True, slots=True, kw_only=True)
class FullParts:
    """Full cost of one span, in parts; a part that nobody can price is None.

    Attributes:
        energy_usd: power at the site's mean price of the hour, at the meter.
        gpu_usd: rent of the GPUs, awake or not: annuity, lease, or by the hour.
        facility_usd: hall, cooling and grid works, by the GPUs' part of the site's.
        staff_usd: by the GPUs' part of the company's.
        missing: prices that the company file does not state.
    """

    energy_usd: float | None
    gpu_usd: float
    facility_usd: float | None
    staff_usd: float
    missing: tuple[str, ...]

    @property
    def total_usd(self) -> float | None:
        """The sum of the parts; None without a price of energy: it would be too small."""
        if self.energy_usd is None:
            return None
        return self.energy_usd + self.gpu_usd + (self.facility_usd or 0.0) + self.staff_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as a JSON-ready mapping."""
        return asdict(self) | {"total_usd": self.total_usd}


def full_parts(
    company: Company,
    *,
    fleet: int,
    gpus_count: int,
    span_h: float,
    energy_mwh: float | None,
    usd_per_mwh: float | None,
) -> FullParts:
    """Return the full cost of some GPUs of a fleet over a span.

    By hand: 4 of 8 GPUs at 2 USD an hour for half an hour, 0.001 MWh at 60 USD, no hall:
    4 x 2 x 0.5 + 0.06 = 4.06 USD.

    Args:
        company: says what capital costs.
        fleet: index of the fleet.
        gpus_count: GPUs behind the engine.
        span_h: length of the span.
        energy_mwh: at the meter; None where nobody knows it.
        usd_per_mwh: mean price of the site's power; None where nobody knows it.
    """
    own = company.fleets[fleet]
    site = next(each for each in company.sites if each.name == own.site)
    missing: list[str] = []
    facility_usd: float | None = None
    if site.facility_usd_per_kw is None:
        missing.append(f"sites.{site.name}.facility_usd_per_kw")
    else:
        share = annuity_share(wacc_share=company.money.wacc_share, life_y=site.facility_life_y)
        price_usd = site.facility_usd_per_kw * site.import_limit_mw * KW_PER_MW
        there = sum(each.gpu_count for each in company.fleets if each.site == site.name)
        facility_usd = price_usd * share / H_PER_YEAR * span_h * gpus_count / there
    everywhere = sum(each.gpu_count for each in company.fleets)
    staff_usd_per_h = company.money.staff_usd_per_year / H_PER_YEAR
    return FullParts(
        energy_usd=None if energy_mwh is None or usd_per_mwh is None else energy_mwh * usd_per_mwh,
        gpu_usd=gpu_usd_per_h(company, fleet) * gpus_count * span_h,
        facility_usd=facility_usd,
        staff_usd=staff_usd_per_h * span_h * gpus_count / everywhere,
        missing=tuple(missing),
    )


def gpu_usd_per_h(company: Company, fleet: int) -> float:
    """Return what one GPU of a fleet costs an hour while an engine holds it."""
    own = company.fleets[fleet]
    if own.lease is not None and own.lease.kind != "reserved":
        return own.lease.usd_per_gpu_hour
    return gpu_rents_usd_per_h(company)[fleet]


def unused_gpu_usd_per_h(company: Company, held_count: Sequence[float], *, site: str) -> float:
    """Return the rent of a site's GPUs that no engine holds; those paid for awake cost nothing.

    Args:
        company: says what a GPU costs.
        held_count: GPUs behind engines by fleet, in the order of the file.
        site: name of the site.
    """
    rents = gpu_rents_usd_per_h(company)
    return sum(
        rent * max(0.0, own.gpu_count - held)
        for rent, own, held in zip(rents, company.fleets, held_count, strict=True)
        if own.site == site
    )

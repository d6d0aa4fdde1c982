"""The full cost of a token: the dispatch bill, and the capital that stands behind it.

Two bases, always both (economics sheet, section 2). `usage` charges what tokens used: energy,
and GPUs while awake. `allocation` spreads everything that is paid for. The difference is one
line, `unused_capacity_usd`, never smeared over users.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tokenergy.company.annuity import annuity_share
from tokenergy.company.company import Company
from tokenergy.units import H_PER_YEAR, KW_PER_MW, KWH_PER_MWH

NOT_MATERIAL_SHARE = 0.10
"""Below this share of full cost a saving on power alone is not material (sheet, section 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalRent:
    """What standing still costs per hour, by what it is for.

    `staff` is the company's, `tier_fixed` the staff and contracts of single tiers. `missing`
    names the prices that the company file does not state: they are left out of every figure, and
    said so.
    """

    gpu_usd_per_h: float
    facility_usd_per_h: float
    battery_usd_per_h: float
    staff_usd_per_h: float
    tier_fixed_usd_per_h: float
    missing: tuple[str, ...]

    @property
    def total_usd_per_h(self) -> float:
        """The sum of the parts."""
        return (
            self.gpu_usd_per_h
            + self.facility_usd_per_h
            + self.battery_usd_per_h
            + self.staff_usd_per_h
            + self.tier_fixed_usd_per_h
        )


def gpu_rents_usd_per_h(company: Company) -> tuple[float, ...]:
    """Return what one GPU of each fleet costs per hour, awake or not, in the order of the file.

    An owned one its annuity and its upkeep, a reserved one its lease; one that is paid for only
    while awake costs nothing else.
    """
    rents = []
    for fleet in company.fleets:
        rent = 0.0
        if fleet.owned is not None:
            share = annuity_share(wacc_share=company.money.wacc_share, life_y=fleet.owned.life_y)
            share += fleet.owned.ops_share_per_year
            rent = fleet.owned.usd_per_gpu * share / H_PER_YEAR
        elif fleet.lease is not None and fleet.lease.kind == "reserved":
            rent = fleet.lease.usd_per_gpu_hour
        rents.append(rent)
    return tuple(rents)


def gpu_used_share(company: Company, awake_gpu_h: Sequence[float], *, hours_h: float) -> float:
    """Return awake GPU-hours over all that are paid for, weighted by rent.

    GPUs in repair are paid for too; those that are paid for only while awake stand nowhere
    unused. Where nothing is paid for, each GPU counts as much as another.

    Args:
        company: says what a GPU costs.
        awake_gpu_h: awake GPU-hours by fleet, in the order of the file.
        hours_h: length of the span.
    """
    rents = gpu_rents_usd_per_h(company)
    weights = rents if any(rents) else (1.0,) * len(rents)
    pairs = list(zip(weights, company.fleets, awake_gpu_h, strict=True))
    used = sum(weight * awake_h for weight, _, awake_h in pairs)
    paid = sum(weight * fleet.gpu_count for weight, fleet, _ in pairs) * hours_h
    return min(1.0, used / paid)


def capital_rent(company: Company) -> CapitalRent:
    """Return annuities of GPUs, facilities and batteries, reserved leases, staff and tiers."""
    wacc = company.money.wacc_share
    missing: list[str] = []
    facility = battery_rent = 0.0
    rents = zip(company.fleets, gpu_rents_usd_per_h(company), strict=True)
    gpu = sum(fleet.gpu_count * rent for fleet, rent in rents)
    for site in company.sites:
        if site.facility_usd_per_kw is None:
            missing.append(f"sites.{site.name}.facility_usd_per_kw")
            continue
        share = annuity_share(wacc_share=wacc, life_y=site.facility_life_y)
        price_usd = site.facility_usd_per_kw * site.import_limit_mw * KW_PER_MW
        facility += price_usd * share / H_PER_YEAR
    for battery in company.batteries:
        if battery.price_usd_per_kwh is None:
            missing.append(f"batteries.{battery.name}.price_usd_per_kwh")
            continue
        share = annuity_share(wacc_share=wacc, life_y=battery.life_y)
        price_usd = battery.price_usd_per_kwh * battery.capacity_mwh * KWH_PER_MWH
        battery_rent += price_usd * share / H_PER_YEAR
    return CapitalRent(
        gpu_usd_per_h=gpu,
        facility_usd_per_h=facility,
        battery_usd_per_h=battery_rent,
        staff_usd_per_h=company.money.staff_usd_per_year / H_PER_YEAR,
        tier_fixed_usd_per_h=sum(t.fixed_usd_per_year for t in company.tiers) / H_PER_YEAR,
        missing=tuple(missing),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FullCost:
    """The full cost of the tokens of one span of time, on both bases.

    Shares are of the allocated total: `kwh_share` is the power bill, `powered_capacity_share`
    facilities, grid works and batteries, `silicon_share` GPUs owned or leased and external
    APIs; what is left is wear, network, staff and what is fixed for single tiers. `other_usd`
    holds the last four; `staff_usd` and `tier_fixed_usd` are of it.
    """

    hours_h: float
    served_mtok: float
    power_usd: float
    silicon_usd: float
    powered_capacity_usd: float
    other_usd: float
    staff_usd: float
    tier_fixed_usd: float
    allocation_usd: float
    usage_usd: float
    unused_capacity_usd: float
    allocation_usd_per_mtok: float | None
    usage_usd_per_mtok: float | None
    kwh_share: float | None
    powered_capacity_share: float | None
    silicon_share: float | None
    missing: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready mapping."""
        return asdict(self)

    def sentence(self, *, mw_binds_h: float, mw_rent_usd_per_mwh: float | None = None) -> str:
        """Say what power is worth here, honestly (economics sheet, section 1).

        Args:
            mw_binds_h: site-hours in which a connection is at its limit.
            mw_rent_usd_per_mwh: what one MWh more is worth there beside its price, on the mean;
                None: the policy does not tell.
        """
        if self.kwh_share is None or self.allocation_usd_per_mtok is None:
            return "No tokens were served: there is no cost of a token."
        kwh, mw = self.kwh_share, self.powered_capacity_share or 0.0
        text = (
            f"Of a full cost of {self.allocation_usd_per_mtok:.2f} USD/Mtok, kWh are {kwh:.1%}, "
            f"powered capacity {mw:.1%}, silicon {self.silicon_share or 0.0:.1%}. "
        )
        if mw_binds_h > 0.0:
            text += f"Megawatts bind in {mw_binds_h:.0f} site-hours: there MW rent decides"
            if mw_rent_usd_per_mwh is None:
                return f"{text}."
            return f"{text}, {mw_rent_usd_per_mwh:,.0f} USD/MWh beside the price of power."
        if kwh < NOT_MATERIAL_SHARE:
            return text + "No megawatt binds, so the price of power alone is a small lever here."
        return text + "No megawatt binds."


def full_cost(
    company: Company,
    *,
    hours_h: float,
    served_mtok: float,
    power_usd: float,
    awake_lease_usd: float,
    api_usd: float,
    other_usd: float,
    gpu_used_share: float,
) -> FullCost:
    """Join a dispatch bill with the capital behind it.

    Args:
        company: says what capital costs.
        hours_h: length of the span.
        served_mtok: tokens served in it.
        power_usd: the settled power bill.
        awake_lease_usd: on-demand and spot leases paid while awake.
        api_usd: list prices paid to external APIs.
        other_usd: wear of batteries and network.
        gpu_used_share: awake GPU-hours over all that are paid for (`gpu_used_share`).
    """
    rent = capital_rent(company)
    silicon = rent.gpu_usd_per_h * hours_h + awake_lease_usd + api_usd
    powered = (rent.facility_usd_per_h + rent.battery_usd_per_h) * hours_h
    staff, tier_fixed = rent.staff_usd_per_h * hours_h, rent.tier_fixed_usd_per_h * hours_h
    other = other_usd + staff + tier_fixed
    allocation = power_usd + silicon + powered + other
    idle_gpu = (1.0 - gpu_used_share) * rent.gpu_usd_per_h * hours_h
    idle_facility = (1.0 - gpu_used_share) * powered
    usage = allocation - idle_gpu - idle_facility
    some = served_mtok > 0.0 and allocation > 0.0
    return FullCost(
        hours_h=hours_h,
        served_mtok=served_mtok,
        power_usd=power_usd,
        silicon_usd=silicon,
        powered_capacity_usd=powered,
        other_usd=other,
        staff_usd=staff,
        tier_fixed_usd=tier_fixed,
        allocation_usd=allocation,
        usage_usd=usage,
        unused_capacity_usd=allocation - usage,
        allocation_usd_per_mtok=allocation / served_mtok if some else None,
        usage_usd_per_mtok=usage / served_mtok if some else None,
        kwh_share=power_usd / allocation if some else None,
        powered_capacity_share=powered / allocation if some else None,
        silicon_share=silicon / allocation if some else None,
        missing=rent.missing,
    )

"""What stands already costs a year: capital and leases of nouns whose size is not open."""

from collections.abc import Iterator, Sequence

from tokenergy.company.annuity import annuity_share
from tokenergy.company.company import Company
from tokenergy.company.contract import OnSite
from tokenergy.plan.candidates import Candidate, battery_usd, gpu_usd_per_year
from tokenergy.units import KW_PER_MW


def capital_usd_per_year(company: Company) -> dict[str, float]:
    """Return what every site, fleet, battery and plant costs a year, by `kind name`, used or not.

    Annuities at the company's cost of capital, upkeep, and leases that run anyway. A price that
    the file does not state is left out; `unpriced` names it.
    """
    return dict(_each(company))


def _each(company: Company) -> Iterator[tuple[str, float]]:
    wacc_share = company.money.wacc_share
    for site in company.sites:
        share = annuity_share(wacc_share=wacc_share, life_y=site.facility_life_y)
        price_usd = (site.facility_usd_per_kw or 0.0) * site.import_limit_mw * KW_PER_MW
        yield f"site {site.name}", price_usd * share
    for fleet in company.fleets:
        each_usd = gpu_usd_per_year(fleet, wacc_share=wacc_share)
        yield f"fleet {fleet.name}", fleet.gpu_count * each_usd
    for battery in company.batteries:
        share = annuity_share(wacc_share=wacc_share, life_y=battery.life_y)
        yield f"battery {battery.name}", battery_usd(battery) * share
    for contract in company.contracts:
        if isinstance(contract, OnSite):
            share = annuity_share(wacc_share=wacc_share, life_y=contract.life_y)
            price_usd = (contract.price_usd_per_kw or 0.0) * contract.capacity_mw * KW_PER_MW
            yield f"contract {contract.id}", price_usd * share


def unpriced(company: Company) -> tuple[str, ...]:
    """Return the prices that the file does not state, by path: they are in no figure."""
    sites = (f"sites.{s.name}.facility_usd_per_kw" for s in company.sites
             if s.facility_usd_per_kw is None)  # fmt: skip
    batteries = (f"batteries.{b.name}.price_usd_per_kwh" for b in company.batteries
                 if b.price_usd_per_kwh is None)  # fmt: skip
    plants = (f"contracts.{c.id}.price_usd_per_kw" for c in company.contracts
              if isinstance(c, OnSite) and c.price_usd_per_kw is None)  # fmt: skip
    return (*sites, *batteries, *plants)


def standing_usd_per_year(company: Company, candidates: Sequence[Candidate]) -> float:
    """Return the yearly cost of what is no candidate."""
    open_nouns = {f"{each.kind} {each.noun}" for each in candidates}
    yearly = capital_usd_per_year(company)
    return sum(usd for noun, usd in yearly.items() if noun not in open_nouns)

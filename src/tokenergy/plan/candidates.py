"""What a plan may build or sign: sizes of the company file's own nouns, and what a unit costs.

A candidate is a noun of the file whose size may be another one. Its unit costs what the noun says:
an annuity at the company's cost of capital over the noun's life, upkeep, or a lease that is paid
whether used or not. A contract costs nothing by the megawatt: what it charges is in the dispatch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tokenergy.company.annuity import annuity_share
from tokenergy.company.battery import Battery
from tokenergy.company.company import Company
from tokenergy.company.contract import (
    Block,
    Colocation,
    Contract,
    OnSite,
    PpaAsProduced,
    PpaBaseload,
    PpaVirtual,
)
from tokenergy.company.fleet import Fleet
from tokenergy.company.planning import SiteSize
from tokenergy.company.site import Site
from tokenergy.errors import InputError
from tokenergy.units import H_PER_YEAR, KW_PER_MW, KWH_PER_MWH

Kind = Literal["site", "fleet", "battery", "contract"]
Unit = Literal["MW", "GPU"]
QUEUE_MARK: Final = "#"
"""Between a site's name and the number of a step of its queue, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One size that a plan chooses.

    Attributes:
        name: the noun's name in the file; of a step of a queue `site#2`.
        kind: what it is.
        site: where it stands, or where its power is delivered.
        unit: of the size: megawatts at the meter, at a battery's terminals, of a project's
            output; or GPUs.
        least, most: between which its size lies.
        step: built in whole steps above `least`; None: in any size.
        nominal: the size that the file states.
        usd_per_unit_year: annuity, upkeep and lease of one unit.
        capital_usd_per_unit: what one unit takes of the budget.
        open_usd_per_year, open_capital_usd: what it costs to build any at all; 0: nothing.
    """

    name: str
    kind: Kind
    site: str
    unit: Unit
    least: float
    most: float
    step: float | None
    nominal: float
    usd_per_unit_year: float
    capital_usd_per_unit: float
    open_usd_per_year: float = 0.0
    open_capital_usd: float = 0.0

    @property
    def noun(self) -> str:
        """Name of the noun in the file, without the step of a queue."""
        return self.name.partition(QUEUE_MARK)[0]

    @property
    def opens(self) -> bool:
        """Whether building any at all costs something: a yes or no."""
        return self.open_usd_per_year > 0.0 or self.open_capital_usd > 0.0


def candidates_of(company: Company) -> tuple[Candidate, ...]:
    """Return every size that the company's `plan` section leaves open, in the order of the file.

    Raises:
        InputError: if there is no such section, or it leaves nothing open.
    """
    planning = company.plan
    if planning is None:
        raise InputError(
            "the company file has no section `plan`: it says which sites, fleets, batteries and "
            "contracts may have another size, e.g. plan: {sites: [{name: ..., most_mw: 100}]}"
        )
    found = (*_sites(company), *_fleets(company), *_batteries(company), *_contracts(company))
    if not found:
        raise InputError("plan: names no site, fleet, battery or contract whose size is open")
    return found


def _sites(company: Company) -> Iterator[Candidate]:
    assert company.plan is not None
    wacc_share = company.money.wacc_share
    by_name = {site.name: site for site in company.sites}
    for size in company.plan.sites:
        site = by_name[size.name]
        year_share = annuity_share(wacc_share=wacc_share, life_y=site.facility_life_y)
        opened_usd = size.open_usd or 0.0
        for name, most_mw, least_mw, usd_per_kw in _steps(size, site):
            yield Candidate(
                name=name,
                kind="site",
                site=site.name,
                unit="MW",
                least=least_mw,
                most=most_mw,
                step=size.step_mw,
                nominal=site.import_limit_mw,
                usd_per_unit_year=usd_per_kw * KW_PER_MW * year_share,
                capital_usd_per_unit=usd_per_kw * KW_PER_MW,
                open_usd_per_year=opened_usd * year_share,
                open_capital_usd=opened_usd,
            )
            opened_usd = 0.0  # the site opens with the first step of its queue


def _steps(size: SiteSize, site: Site) -> Iterator[tuple[str, float, float, float]]:
    """Yield (name, most MW, least MW, USD/kW) of a site, or of each step of its queue."""
    usd_per_kw = site.facility_usd_per_kw or 0.0
    if not size.queue:
        yield size.name, size.most_mw, size.least_mw, usd_per_kw
        return
    least_mw = size.least_mw
    for number, step in enumerate(size.queue, start=1):
        own = usd_per_kw if step.usd_per_kw is None else step.usd_per_kw
        name = f"{size.name}{QUEUE_MARK}{number}"
        yield name, step.mw, min(least_mw, step.mw), own
        least_mw = max(0.0, least_mw - step.mw)


def _fleets(company: Company) -> Iterator[Candidate]:
    assert company.plan is not None
    by_name = {fleet.name: fleet for fleet in company.fleets}
    for size in company.plan.fleets:
        fleet = by_name[size.name]
        yield Candidate(
            name=size.name,
            kind="fleet",
            site=fleet.site,
            unit="GPU",
            least=float(size.least_count),
            most=float(size.most_count),
            step=None if size.step_count is None else float(size.step_count),
            nominal=float(fleet.gpu_count),
            usd_per_unit_year=gpu_usd_per_year(fleet, wacc_share=company.money.wacc_share),
            capital_usd_per_unit=0.0 if fleet.owned is None else fleet.owned.usd_per_gpu,
        )


def gpu_usd_per_year(fleet: Fleet, *, wacc_share: float) -> float:
    """Return what a GPU costs a year whether it is awake or not; 0 where it is paid by the hour."""
    if fleet.owned is not None:
        share = annuity_share(wacc_share=wacc_share, life_y=fleet.owned.life_y)
        return fleet.owned.usd_per_gpu * (share + fleet.owned.ops_share_per_year)
    if fleet.lease is not None and fleet.lease.kind == "reserved":
        return fleet.lease.usd_per_gpu_hour * H_PER_YEAR
    return 0.0


def _batteries(company: Company) -> Iterator[Candidate]:
    assert company.plan is not None
    by_name = {battery.name: battery for battery in company.batteries}
    for size in company.plan.batteries:
        battery = by_name[size.name]
        capital_usd = battery_usd(battery) / battery.power_mw
        year_share = annuity_share(wacc_share=company.money.wacc_share, life_y=battery.life_y)
        yield Candidate(
            name=size.name,
            kind="battery",
            site=battery.site,
            unit="MW",
            least=size.least_mw,
            most=size.most_mw,
            step=size.step_mw,
            nominal=battery.power_mw,
            usd_per_unit_year=capital_usd * year_share,
            capital_usd_per_unit=capital_usd,
        )


def battery_usd(battery: Battery) -> float:
    """Return the purchase price of a battery as the file states it."""
    return (battery.price_usd_per_kwh or 0.0) * battery.capacity_mwh * KWH_PER_MWH


def _contracts(company: Company) -> Iterator[Candidate]:
    assert company.plan is not None
    by_id = {contract.id: contract for contract in company.contracts}
    for size in company.plan.contracts:
        contract = by_id[size.name]
        capital_usd = year_usd = 0.0
        if isinstance(contract, OnSite):
            capital_usd = (contract.price_usd_per_kw or 0.0) * KW_PER_MW
            share = annuity_share(wacc_share=company.money.wacc_share, life_y=contract.life_y)
            year_usd = capital_usd * share
        yield Candidate(
            name=size.name,
            kind="contract",
            site=contract.site,
            unit="MW",
            least=size.least_mw,
            most=size.most_mw,
            step=size.step_mw,
            nominal=signed_mw(contract),
            usd_per_unit_year=year_usd,
            capital_usd_per_unit=capital_usd,
        )


def signed_mw(contract: Contract) -> float:
    """Return the size of a contract: what the company has of a project's output, MW.

    Raises:
        InputError: if a contract of its kind has no size.
    """
    match contract:
        case PpaAsProduced() | PpaVirtual():
            return contract.project_mw * contract.share
        case Colocation():
            return contract.project_mw
        case Block() | PpaBaseload():
            return contract.contract_mw
        case OnSite():
            return contract.capacity_mw
        case _:
            raise InputError(f"contract {contract.id!r}: kind {contract.kind!r} has no size in MW")


def annual_usd(candidates: Sequence[Candidate], sizes: Mapping[str, float]) -> dict[str, float]:
    """Return what each candidate costs a year at its size; a site's opening with its first step."""
    opened = opened_nouns(candidates, sizes)
    return {
        each.name: sizes[each.name] * each.usd_per_unit_year
        + (each.open_usd_per_year if each.noun in opened else 0.0)
        for each in candidates
    }


def capital_usd(candidates: Sequence[Candidate], sizes: Mapping[str, float]) -> dict[str, float]:
    """Return what each candidate takes of the budget at its size, likewise."""
    opened = opened_nouns(candidates, sizes)
    return {
        each.name: sizes[each.name] * each.capital_usd_per_unit
        + (each.open_capital_usd if each.noun in opened else 0.0)
        for each in candidates
    }


def opened_nouns(candidates: Sequence[Candidate], sizes: Mapping[str, float]) -> frozenset[str]:
    """Return the sites of which anything is built."""
    return frozenset(
        each.noun for each in candidates if each.kind == "site" and sizes[each.name] > 0.0
    )

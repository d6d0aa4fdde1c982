"""A company whose open sizes are decided: the same file with other figures."""

from collections.abc import Mapping
from typing import Any, Final

from tokenergy.company.battery import Battery
from tokenergy.company.company import Company
from tokenergy.company.connection import RampStep
from tokenergy.company.contract import (
    Block,
    Cfe,
    Colocation,
    Contract,
    OnSite,
    PpaAsProduced,
    PpaBaseload,
    PpaVirtual,
    Rec,
)
from tokenergy.company.planning import SiteSize
from tokenergy.company.site import Site
from tokenergy.company.tariff import Tariff
from tokenergy.plan.candidates import QUEUE_MARK, signed_mw

LEAST_BUILT: Final = 5e-7
"""A size in MW or GPUs below which nothing is built: half a watt is rounding."""
LEAST_MW: Final = 1e-6
"""Connection of a site that stays for the sake of its contracts."""


def company_at(company: Company, sizes: Mapping[str, float]) -> Company:
    """Return the company with other sizes; what has none keeps its own.

    With a site grow and shrink its connection (import, export, firm and non-firm megawatts), its
    fixed load, and what its tariffs charge by the contracted megawatt or by the month. Nothing
    is validated and nothing dropped: a size may be 0, so that the arrays keep their shape.

    Args:
        company: what the file says, with its section `plan`.
        sizes: by name of a candidate, in its unit; a queue's steps one by one.
    """
    assert company.plan is not None  # sizes come from it
    totals_mw = {
        size.name: _total_mw(size, sizes)
        for size in company.plan.sites
        if any(name.partition(QUEUE_MARK)[0] == size.name for name in sizes)
    }
    ratios = {s.name: totals_mw[s.name] / s.import_limit_mw
              for s in company.sites if s.name in totals_mw}  # fmt: skip
    planned = {size.name: size for size in company.plan.sites}
    return company.model_copy(
        update={
            "sites": tuple(
                _site(site, planned[site.name], sizes, totals_mw[site.name])
                if site.name in ratios
                else site
                for site in company.sites
            ),
            "tariffs": tuple(
                _tariff(tariff, ratios[tariff.site]) if tariff.site in ratios else tariff
                for tariff in company.tariffs
            ),
            "fleets": tuple(
                fleet.model_copy(update={"gpu_count": sizes[fleet.name]})
                if fleet.name in sizes
                else fleet
                for fleet in company.fleets
            ),
            "batteries": tuple(
                _battery(battery, sizes[battery.name]) if battery.name in sizes else battery
                for battery in company.batteries
            ),
            "contracts": tuple(_contract(each, sizes, ratios) for each in company.contracts),
        }
    )


def _total_mw(size: SiteSize, sizes: Mapping[str, float]) -> float:
    if not size.queue:
        return sizes[size.name]
    return sum(sizes[f"{size.name}{QUEUE_MARK}{at + 1}"] for at in range(len(size.queue)))


def _site(site: Site, size: SiteSize, sizes: Mapping[str, float], total_mw: float) -> Site:
    ratio = total_mw / site.import_limit_mw
    update: dict[str, Any] = {
        "import_limit_mw": total_mw,
        "export_limit_mw": ratio * site.export_limit_mw,
        "fixed_load_mw": ratio * site.fixed_load_mw,
    }
    if site.non_firm is not None:
        update["non_firm"] = site.non_firm.model_copy(
            update={
                "firm_mw": ratio * site.non_firm.firm_mw,
                "nonfirm_mw": ratio * site.non_firm.nonfirm_mw,
            }
        )
    if size.queue:
        dated = sorted(
            (step.energised_on, sizes[f"{size.name}{QUEUE_MARK}{at}"])
            for at, step in enumerate(size.queue, start=1)
        )
        reached_mw, ramp = 0.0, dict[Any, float]()
        for start, mw in dated:
            reached_mw += mw
            ramp[start] = reached_mw
        update["ramp"] = tuple(RampStep.model_construct(start=s, mw=mw) for s, mw in ramp.items())
    elif site.energised_on is not None and not site.ramp:
        # so that nothing of a site that may be left out draws power before there is any
        update["ramp"] = (RampStep.model_construct(start=site.energised_on, mw=total_mw),)
    elif site.ramp:
        update["ramp"] = tuple(
            step.model_copy(update={"mw": ratio * step.mw}) for step in site.ramp
        )
    return site.model_copy(update=update)


def _tariff(tariff: Tariff, ratio: float) -> Tariff:
    update: dict[str, Any] = {
        "fixed_usd_per_month": ratio * tariff.fixed_usd_per_month,
        "minimum_usd_per_month": ratio * tariff.minimum_usd_per_month,
        "standby_mw": ratio * tariff.standby_mw,
        "demand": tuple(
            item
            if item.contract_mw is None
            else item.model_copy(update={"contract_mw": ratio * item.contract_mw})
            for item in tariff.demand
        ),
    }
    if tariff.large_load is not None:
        load = tariff.large_load
        update["large_load"] = load.model_copy(
            update={
                "contract_mw": ratio * load.contract_mw,
                "collateral_usd": ratio * load.collateral_usd,
                "exit_fee_usd": ratio * load.exit_fee_usd,
                "ramp": tuple(
                    step.model_copy(update={"mw": ratio * step.mw}) for step in load.ramp
                ),
            }
        )
    return tariff.model_copy(update=update)


def _battery(battery: Battery, power_mw: float) -> Battery:
    hours = battery.capacity_mwh / battery.power_mw
    return battery.model_copy(update={"power_mw": power_mw, "capacity_mwh": hours * power_mw})


def _contract(
    contract: Contract, sizes: Mapping[str, float], ratios: Mapping[str, float]
) -> Contract:
    update: dict[str, Any] = {}
    if isinstance(contract, Colocation) and contract.site in ratios:
        ratio = ratios[contract.site]  # what stands by is the site's connection
        update["standby_mw"] = ratio * contract.standby_mw
        update["export_limit_mw"] = ratio * contract.export_limit_mw
    if contract.id in sizes:
        mw = sizes[contract.id]
        match contract:
            case PpaAsProduced():
                update["project_mw"] = mw / contract.share
                if contract.annual_mwh is not None:
                    update["annual_mwh"] = contract.annual_mwh * mw / signed_mw(contract)
            case PpaVirtual():
                update["project_mw"] = mw / contract.share
            case Colocation():
                update["project_mw"] = mw
            case Block() | PpaBaseload():
                update["contract_mw"] = mw
            case OnSite():
                update["capacity_mw"] = mw
    return contract.model_copy(update=update) if update else contract


def built_company(company: Company, sizes: Mapping[str, float]) -> Company:
    """Return the company as it stands when the plan is carried out, checked as any file is.

    What has no size is left out, with all that hangs on it: a site's contracts, tariffs, batteries
    and fleets, measured round trips, outages, and a dropped contract's name among the sources of
    clean power. A site where nothing is built and power is signed all the same stays, with a
    connection of a watt: its contracts are settled there. GPUs are whole numbers. The section
    `plan` is gone: nothing is open any more.

    Raises:
        pydantic.ValidationError: if what is left is no company, e.g. without any site.
    """
    sized = company_at(company, _with_meters(company, sizes))
    sites = {site.name for site in sized.sites if site.import_limit_mw > LEAST_BUILT}
    fleets = tuple(
        fleet.model_copy(update={"gpu_count": round(fleet.gpu_count)})
        for fleet in sized.fleets
        if fleet.site in sites and round(fleet.gpu_count) >= 1
    )
    contracts = [
        each
        for each in sized.contracts
        if each.site in sites and sizes.get(each.id, 1.0) > LEAST_BUILT
    ]
    kept = {each.id for each in contracts}
    batteries = (b for b in sized.batteries if b.site in sites and b.power_mw > LEAST_BUILT)
    named = {fleet.name for fleet in fleets}
    left = sized.model_copy(
        update={
            "sites": tuple(site for site in sized.sites if site.name in sites),
            "tariffs": tuple(t for t in sized.tariffs if t.site in sites),
            "fleets": fleets,
            "batteries": tuple(batteries),
            "contracts": tuple(_sourced(each, kept) for each in contracts),
            "models": tuple(
                model
                if model.fleets is None
                else model.model_copy(
                    update={"fleets": tuple(name for name in model.fleets if name in named)}
                )
                for model in sized.models
            ),
            "network": sized.network.model_copy(
                update={"rtt": tuple(each for each in sized.network.rtt if each.site in sites)}
            ),
            "plan": None,
        }
    )
    return Company.model_validate(left.model_dump())


def _with_meters(company: Company, sizes: Mapping[str, float]) -> dict[str, float]:
    """Return sizes in which a site without any has a watt if power is signed there."""
    assert company.plan is not None
    found = dict(sizes)
    signed = {c.site for c in company.contracts if sizes.get(c.id, 0.0) > LEAST_BUILT}
    for size in company.plan.sites:
        if size.name in signed and _total_mw(size, sizes) <= LEAST_BUILT:
            found[f"{size.name}{QUEUE_MARK}1" if size.queue else size.name] = LEAST_MW
    return found


def _sourced(contract: Contract, kept: set[str]) -> Contract:
    """Return a contract that names only contracts that are left among its sources."""
    match contract:
        case Cfe():
            return contract.model_copy(
                update={"sources": tuple(name for name in contract.sources if name in kept)}
            )
        case Rec():
            return contract.model_copy(
                update={"bundled": tuple(name for name in contract.bundled if name in kept)}
            )
        case _:
            return contract

"""Which contracts leave something to the next interval, and what was left when it began."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from tokenergy.company.company import Company
from tokenergy.company.contract import (
    Cfe,
    Colocation,
    Contract,
    DemandResponse,
    OnSite,
    PpaAsProduced,
    Rec,
)
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.supply import contract_year
from tokenergy.company.settle.tariffs import state_keys
from tokenergy.company.tariff import DemandCharge, Tariff


def keeps_state(contract: Contract) -> bool:
    """Tell whether what a contract bills depends on earlier intervals."""
    match contract:
        case Cfe() | Rec() | OnSite() | DemandResponse():
            return True
        case Colocation():
            return contract.standby_usd_per_kw_month > 0.0
        case PpaAsProduced():
            return contract.min_take_share > 0.0
        case _:
            return False


def initial_states(company: Company) -> dict[str, ContractState]:
    """Return what the past left when the horizon began, as the file tells it.

    Keys are the ids of contracts, and of a tariff `<tariff>.<item>`, `<tariff>.tiers`,
    `<tariff>.fixed` and `<tariff>.minimum`; who keeps no state has none.
    """
    start = company.horizon.start
    zones = {site.name: site.market.tz for site in company.sites}
    states = {
        contract.id: _of_contract(contract, start.astimezone(zones[contract.site]))
        for contract in company.contracts
        if keeps_state(contract)
    }
    for tariff in company.tariffs:
        zone = zones[tariff.site] if tariff.time_zone is None else ZoneInfo(tariff.time_zone)
        states |= _of_tariff(tariff, start.astimezone(zone))
    return states


def _of_contract(contract: Contract, local: datetime) -> ContractState:
    match contract:
        case OnSite():
            return ContractState(
                period=f"{local.year:04d}",
                running_h=contract.hours_used_h,
                on=contract.initially_on,
            )
        case PpaAsProduced() if contract.start is not None and contract.start <= local.date():
            return ContractState(
                period=contract_year(contract.start, local.date()),
                taken_mwh=contract.taken_before_mwh,
            )
        case _:
            return ContractState()


def _of_tariff(tariff: Tariff, local: datetime) -> dict[str, ContractState]:
    month = f"{local.year:04d}-{local.month:02d}"
    states = {key: ContractState() for key in state_keys(tariff)}
    for item in tariff.demand:
        states[f"{tariff.id}.{item.name}"] = _of_history(item, month)
    return states


def _of_history(item: DemandCharge, month: str) -> ContractState:
    """Return the peaks before the horizon; one of the running month is its peak so far."""
    past, running = [], ContractState()
    for each in sorted(item.history or (), key=lambda peak: peak.month):
        billed_mw = each.peak_mw if each.billed_mw is None else each.billed_mw
        if each.month < month:
            past.append((each.month, each.peak_mw if item.ratchet_on == "peak" else billed_mw))
        elif each.month == month:
            running = ContractState(period=month, peak_mw=each.peak_mw, billed_mw=billed_mw)
    return replace(running, past_peaks=tuple(past))

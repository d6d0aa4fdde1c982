"""Bill of a contract of any kind, and what it delivers."""

from typing import Final

from tokenergy.company.contract import (
    Block,
    Cfe,
    Colocation,
    Contract,
    DemandResponse,
    OnSite,
    PpaAsProduced,
    PpaBaseload,
    PpaVirtual,
    Rec,
    Spot,
)
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.behind_meter import settle_colocation, settle_on_site
from tokenergy.company.settle.clean_power import settle_cfe, settle_rec
from tokenergy.company.settle.clock import in_term
from tokenergy.company.settle.demand_response import settle_demand_response
from tokenergy.company.settle.lines import Bill, Settlement
from tokenergy.company.settle.meter import MeterSeries
from tokenergy.company.settle.supply import (
    block_mwh,
    made_by,
    settle_as_produced,
    settle_baseload,
    settle_block,
    settle_spot,
    settle_virtual,
)
from tokenergy.errors import InputError

NOTHING_BEFORE: Final = ContractState()
"""The state of a contract without a past."""


def settle(
    contract: Contract, series: MeterSeries, state: ContractState = NOTHING_BEFORE
) -> Settlement:
    """Return the bill of one contract over the intervals of `series`.

    Lines of nothing are left out. Terms begin and end at midnight in the market's time zone; an
    interval belongs to the day and hour that it starts in. What is charged by the month is
    charged whole, for every month of the term that is touched. Settled in parts, each with the
    state that the one before left, the bill sums to that of the whole.

    Raises:
        InputError: if a series that the contract is settled on is missing, of another length, or
            no number somewhere.
        InfeasiblePower: if more (or, without the right to curtail, less) was taken than made.
    """
    bill = Bill(contract.id)
    match contract:
        case Spot():
            settle_spot(contract, series, bill)
        case Block():
            settle_block(contract, series, bill)
        case PpaAsProduced():
            state = settle_as_produced(contract, series, state, bill)
        case PpaBaseload():
            settle_baseload(contract, series, bill)
        case PpaVirtual():
            settle_virtual(contract, series, bill)
        case Colocation():
            state = settle_colocation(contract, series, state, bill)
        case OnSite():
            state = settle_on_site(contract, series, state, bill)
        case Cfe():
            state = settle_cfe(contract, series, state, bill)
        case Rec():
            state = settle_rec(contract, series, state, bill)
        case DemandResponse():
            state = settle_demand_response(contract, series, state, bill)
    return Settlement(contract_id=contract.id, lines=bill.lines(), state=state)


def delivered_mwh(contract: Contract, series: MeterSeries) -> list[float]:
    """Return what a contract delivers in each interval, as others of its site count it.

    Of a virtual contract that is the buyer's share of the output, wherever it goes.

    Raises:
        InputError: if the contract delivers nothing, or a series is missing.
    """
    match contract:
        case Block():
            return [block_mwh(contract, span) for span in series.spans()]
        case PpaAsProduced() | Colocation():
            return list(series.needed("taken_mwh", contract.id))
        case PpaBaseload():
            return _baseload_mwh(contract, series)
        case PpaVirtual():
            share = series.needed("profile_share", contract.id)
            return [made_by(contract, span, share[span.at]) for span in series.spans()]
        case OnSite():
            return list(series.needed("generate_mwh", contract.id))
        case _:
            raise InputError(f"contract {contract.id!r} ({contract.kind}) delivers nothing")


def _baseload_mwh(ppa: PpaBaseload, series: MeterSeries) -> list[float]:
    shape_share = series.own("shape", ppa.shape, ppa.id)
    missing_share = series.own("shortfall", ppa.shortfall, ppa.id)
    return [
        ppa.contract_mw * shape_share[span.at] * (1.0 - missing_share[span.at]) * span.length_h
        if in_term(ppa, span)
        else 0.0
        for span in series.spans()
    ]

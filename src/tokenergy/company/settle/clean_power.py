"""Bills of clean power: matched hour by hour, and certified by the year."""

from dataclasses import replace

from tokenergy.company.contract import Cfe, Rec
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.clock import in_term
from tokenergy.company.settle.lines import Bill, Charge
from tokenergy.company.settle.meter import MeterSeries, Span


def settle_cfe(cfe: Cfe, series: MeterSeries, state: ContractState, bill: Bill) -> ContractState:
    """Bill the premium on matched load up to the target, and what the target lacks.

    Matched in an interval is the lesser of load and clean power then. Both charges are of the
    period as a whole: an interval is billed what it changes, and what the target lacks so far
    may fall again. Where the contract has no price for a shortfall, the line says how much is
    missing at a rate of 0.

    Returns:
        The state: matched and load of the running period.
    """
    load_mwh = series.needed("load_mwh", cfe.id)
    clean_mwh = _clean_mwh(cfe, series)
    missing_usd = cfe.shortfall_usd_per_mwh or 0.0
    for span in series.spans():
        if not in_term(cfe, span):
            continue
        period = span.month if cfe.period == "month" else _year(span)
        if state.period != period:
            state = replace(state, period=period, matched_mwh=0.0, load_mwh=0.0)
        load = load_mwh[span.at]
        after = replace(
            state,
            matched_mwh=state.matched_mwh + min(load, clean_mwh[span.at]),
            load_mwh=state.load_mwh + load,
        )
        billed_mwh = _billed_mwh(cfe, after) - _billed_mwh(cfe, state)
        missing_mwh = _missing_mwh(cfe, after) - _missing_mwh(cfe, state)
        premium = Charge("premium", billed_mwh, "MWh", cfe.premium_usd_per_mwh, period)
        bill.add(span.start, span.end, premium)
        bill.add(span.start, span.end, Charge("shortfall", missing_mwh, "MWh", missing_usd, period))
        state = after
    return state


def _clean_mwh(cfe: Cfe, series: MeterSeries) -> list[float]:
    """Return the clean power of each interval: of its sources, and of what the grid brings."""
    clean_mwh = [0.0] * series.intervals_count
    for source in cfe.sources:
        for at, mwh in enumerate(series.delivered(source, cfe.id)):
            clean_mwh[at] += mwh
    if cfe.grid_cfe_share != 0.0:
        share = series.own("grid_cfe_share", cfe.grid_cfe_share, cfe.id)
        for at, mwh in enumerate(series.needed("bought_mwh", cfe.id)):
            clean_mwh[at] += share[at] * mwh
    return clean_mwh


def _billed_mwh(cfe: Cfe, state: ContractState) -> float:
    return min(state.matched_mwh, cfe.target_share * state.load_mwh)


def _missing_mwh(cfe: Cfe, state: ContractState) -> float:
    return max(0.0, cfe.target_share * state.load_mwh - state.matched_mwh)


def settle_rec(rec: Rec, series: MeterSeries, state: ContractState, bill: Bill) -> ContractState:
    """Bill the certificates that a calendar year's load needs beside the bundled ones.

    Returns:
        The state: load of the running year, and bundled certificates as `matched_mwh`.
    """
    load_mwh = series.needed("load_mwh", rec.id)
    bundled = [series.delivered(source, rec.id) for source in rec.bundled]
    for span in series.spans():
        if not in_term(rec, span):
            continue
        year = _year(span)
        if state.period != year:
            state = replace(state, period=year, matched_mwh=0.0, load_mwh=0.0)
        after = replace(
            state,
            matched_mwh=state.matched_mwh + sum(source[span.at] for source in bundled),
            load_mwh=state.load_mwh + load_mwh[span.at],
        )
        bought_mwh = _needed_mwh(rec, after) - _needed_mwh(rec, state)
        charge = Charge("certificates", bought_mwh, "MWh", rec.price_usd_per_mwh, year)
        bill.add(span.start, span.end, charge)
        state = after
    return state


def _needed_mwh(rec: Rec, state: ContractState) -> float:
    return max(0.0, rec.load_share * state.load_mwh - state.matched_mwh)


def _year(span: Span) -> str:
    return f"{span.local.year:04d}"

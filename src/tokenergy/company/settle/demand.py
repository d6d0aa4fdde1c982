"""What a demand charge bills: the month's peak, or what a ratchet or a minimum makes of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.clock import meter_parts
from tokenergy.company.settle.lines import Charge
from tokenergy.company.settle.meter import Span
from tokenergy.company.tariff import DemandCharge, LargeLoad
from tokenergy.units import KW_PER_MW

_LENGTH_TOLERANCE_H = 1e-9


def meet_demand(
    item: DemandCharge,
    large_load: LargeLoad | None,
    state: ContractState,
    span: Span,
    import_mwh: float,
) -> tuple[ContractState, Charge | None]:
    """Return the state after one interval, and what the month's billed demand grew by.

    The meter averages over its demand intervals; one that is not complete counts what it has
    drawn so far, so that a peak never falls. An interval of the series that is longer than a
    demand interval counts as its average x `peak_ratio`. Every month touched is billed at least
    what the ratchet and the minimum say; the minimum is a share of the most megawatts that were
    contracted on a day of the month so far. Months that the charge leaves out bill nothing, and
    their peaks are remembered.
    """
    before = state = _in_month(item, state, span.month)
    for part_state in _metered(item, state, span, import_mwh):
        state = _billed(item, large_load, part_state, span.local.date())
    grown_mw = state.billed_mw - before.billed_mw
    if span.local.month not in item.months:
        return state, None
    rate_usd = item.usd_per_kw_month * KW_PER_MW
    return state, Charge(item.name, grown_mw, "MW-month", rate_usd, span.month)


def _metered(
    item: DemandCharge, state: ContractState, span: Span, import_mwh: float
) -> Iterator[ContractState]:
    """Yield the state after each part of the interval that the meter tells apart."""
    every_h = item.demand_interval_h
    if span.length_h > every_h - _LENGTH_TOLERANCE_H:
        longer = span.length_h > every_h + _LENGTH_TOLERANCE_H
        mean_mw = import_mwh / span.length_h * (item.peak_ratio if longer else 1.0)
        if state.interval_h:
            state = replace(state, interval_mwh=0.0, interval_h=0.0)
        yield _peaked(item, state, span.local, mean_mw)
        return
    for part in meter_parts(span, every_h):
        if part.opens:
            state = replace(state, interval_mwh=0.0, interval_h=0.0)
        state = replace(
            state,
            interval_mwh=state.interval_mwh + import_mwh * part.length_h / span.length_h,
            interval_h=state.interval_h + part.length_h,
        )
        state = _peaked(item, state, part.local, state.interval_mwh / every_h)
        yield state


def _peaked(
    item: DemandCharge, state: ContractState, local: datetime, mean_mw: float
) -> ContractState:
    """Return the state with a higher peak, if this was one in the charge's hours."""
    if local.hour not in range(item.from_hour, item.to_hour) or mean_mw <= state.peak_mw:
        return state
    if item.weekdays_only and local.isoweekday() in (6, 7):
        return state
    return replace(state, peak_mw=mean_mw)


def _in_month(item: DemandCharge, state: ContractState, month: str) -> ContractState:
    """Return the state in a month: a new one begins at 0, and the one before is remembered."""
    if state.period == month:
        return state
    past = state.past_peaks
    if state.period:
        kept_mw = state.peak_mw if item.ratchet_on == "peak" else state.billed_mw
        past = (*past, (state.period, kept_mw))
    return replace(
        state,
        period=month,
        peak_mw=0.0,
        billed_mw=0.0,
        interval_mwh=0.0,
        interval_h=0.0,
        past_peaks=tuple(
            (name, mw) for name, mw in past if months_apart(name, month) <= item.lookback_months
        ),
    )


def _billed(
    item: DemandCharge, large_load: LargeLoad | None, state: ContractState, day: date
) -> ContractState:
    """Return the state with the demand that is billed for the month so far."""
    billed_mw = max(state.billed_mw, state.peak_mw)
    if item.ratchet_share:
        billed_mw = max(billed_mw, ratchet_mw(item, state))
    if int(state.period[5:]) in item.months:
        billed_mw = max(billed_mw, least_mw(item, large_load, day))
    return state if billed_mw == state.billed_mw else replace(state, billed_mw=billed_mw)


def ratchet_mw(item: DemandCharge, state: ContractState) -> float:
    """Return what past months oblige to: a share of the highest that is looked back on."""
    remembered_mw = [
        mw
        for name, mw in state.past_peaks
        if int(name[5:]) in item.lookback_season
        and 1 <= months_apart(name, state.period) <= item.lookback_months
    ]
    return item.ratchet_share * max(remembered_mw, default=0.0)


def least_mw(item: DemandCharge, large_load: LargeLoad | None, day: date) -> float:
    """Return the demand that is billed whatever is drawn, by what is contracted on a day."""
    large_mw = 0.0 if large_load is None else contracted_mw(large_load, day)
    own_mw = large_mw if item.contract_mw is None else item.contract_mw
    taken_mw = 0.0 if large_load is None else large_load.min_take_share * large_mw
    return max(item.min_bill_share * own_mw, taken_mw)


def contracted_mw(large_load: LargeLoad, day: date) -> float:
    """Return the megawatts that are contracted on a day: none before there is power."""
    if large_load.energised_on is not None and day < large_load.energised_on:
        return 0.0
    if not large_load.ramp:
        return large_load.contract_mw
    mw = 0.0
    for step in large_load.ramp:
        if step.start <= day:
            mw = step.mw
    return mw


def months_apart(earlier: str, later: str) -> int:
    """Return the months from one to another, each named as `2025-07`."""
    years = int(later[:4]) - int(earlier[:4])
    return 12 * years + int(later[5:]) - int(earlier[5:])

"""What a coincident charge bills: the own load at the system's highest peaks."""

import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.clock import meter_parts, overlap_h
from tokenergy.company.settle.lines import Charge
from tokenergy.company.settle.meter import Span
from tokenergy.company.tariff import CoincidentPeak
from tokenergy.units import KW_PER_MW

_LENGTH_TOLERANCE_H = 1e-9


def at_events(item: CoincidentPeak, span: Span, import_mwh: float) -> Iterator[Charge]:
    """Yield what an interval adds where the peaks are known: its part of each event."""
    for event in item.events:
        if hours_h := overlap_h(span, event.start, event.end):
            length_h = (event.end - event.start).total_seconds() / 3600.0
            own_mw = import_mwh * hours_h / span.length_h / length_h
            local = event.start.astimezone(span.local.tzinfo)
            yield _charge(item, own_mw, local.year, event.start.isoformat())


def at_system_peaks(
    item: CoincidentPeak, state: ContractState, span: Span, import_mwh: float, system_mw: float
) -> tuple[ContractState, list[Charge]]:
    """Return the state after one interval, and what it changes in what is booked.

    Which peak counts is known only when its month or season is over: until then the highest so
    far is booked, and a higher one changes it. Of two that are equal the first one counts.
    """
    charges = []
    for part, complete in _peak_intervals(item, state, span, import_mwh, system_mw):
        state = replace(
            state,
            interval_mwh=part.interval_mwh,
            interval_h=part.interval_h,
            system_mwh=part.system_mwh,
        )
        if complete is None or complete[0].month not in item.months:
            continue
        local, system, own = complete
        if item.one_a_month:
            month = f"{local.year:04d}-{local.month:02d}"
            state, grown_mw = _of_month(state, month, system, own)
            charges.append(_charge(item, grown_mw, local.year, month))
        else:
            state, grown_mw = _of_season(item, state, local, system, own)
            charges.append(_charge(item, grown_mw, local.year, f"{local.year:04d}"))
    return state, charges


_Complete = tuple[datetime, float, float]
"""A peak interval: its start, the system's mean load in it, and the own one."""


def _peak_intervals(
    item: CoincidentPeak, state: ContractState, span: Span, import_mwh: float, system_mw: float
) -> Iterator[tuple[ContractState, _Complete | None]]:
    """Yield the running sums after each part of the interval, and the peak interval it completes.

    Of the states only those sums are meant: what is booked is not followed here.
    """
    own_mw = import_mwh / span.length_h
    if span.length_h > item.interval_h - _LENGTH_TOLERANCE_H:
        if state.interval_h:
            state = replace(state, interval_mwh=0.0, interval_h=0.0, system_mwh=0.0)
        yield state, (span.local, system_mw, own_mw)
        return
    for part in meter_parts(span, item.interval_h):
        if part.opens:
            state = replace(state, interval_mwh=0.0, interval_h=0.0, system_mwh=0.0)
        state = replace(
            state,
            interval_mwh=state.interval_mwh + own_mw * part.length_h,
            interval_h=state.interval_h + part.length_h,
            system_mwh=state.system_mwh + system_mw * part.length_h,
        )
        yield state, _completed(state, part.local) if part.closes else None


def _completed(state: ContractState, local: datetime) -> _Complete:
    hours_h = state.interval_h
    return local, state.system_mwh / hours_h, state.interval_mwh / hours_h


def _of_month(
    state: ContractState, month: str, system_mw: float, own_mw: float
) -> tuple[ContractState, float]:
    """Return the state, and what the own load that counts for the month grew by."""
    if state.period != month:
        state = replace(state, period=month, system_peak_mw=system_mw, own_then_mw=own_mw)
        return state, own_mw
    if system_mw <= state.system_peak_mw:
        return state, 0.0
    grown_mw = own_mw - state.own_then_mw
    return replace(state, system_peak_mw=system_mw, own_then_mw=own_mw), grown_mw


def _of_season(
    item: CoincidentPeak, state: ContractState, local: datetime, system_mw: float, own_mw: float
) -> tuple[ContractState, float]:
    """Return the state, and what the own loads on the season's highest days grew by.

    The season is the charge's months of one calendar year.
    """
    year, day = f"{local.year:04d}", local.date().isoformat()
    held = state.system_peaks if state.period == year else ()
    days = {name: (system, own) for name, system, own in held}
    if day in days:
        if system_mw > days[day][0]:
            days[day] = (system_mw, own_mw)
    elif len(days) < item.n_count:
        days[day] = (system_mw, own_mw)
    else:
        lowest = min(reversed(days), key=lambda name: days[name][0])
        if system_mw > days[lowest][0]:
            del days[lowest]
            days[day] = (system_mw, own_mw)
    peaks = tuple((name, system, own) for name, (system, own) in days.items())
    grown_mw = sum(own for _, _, own in peaks) - sum(own for _, _, own in held)
    enough = len(peaks) == item.n_count
    return replace(
        state,
        period=year,
        system_peaks=peaks,
        system_peak_mw=min(system for _, system, _ in peaks) if enough else 0.0,
    ), grown_mw


def _charge(item: CoincidentPeak, own_mw: float, year: int, period: str) -> Charge:
    """Return what a change of the own load at one of the peaks is charged."""
    mw = item.scaling_ratio * own_mw / item.n_count
    billed = year + item.lag_years
    name = f"{item.name}.billed_{billed}" if item.lag_years else item.name
    return Charge(name, mw, "MW-year", _usd_per_mw_year(item, billed), period)


def _usd_per_mw_year(item: CoincidentPeak, year: int) -> float:
    """Return the rate of a year: a rate by the day counts the days that the year has."""
    if item.usd_per_mw_day is not None:
        return item.usd_per_mw_day * (366.0 if calendar.isleap(year) else 365.0)
    return (item.usd_per_kw_year or 0.0) * KW_PER_MW

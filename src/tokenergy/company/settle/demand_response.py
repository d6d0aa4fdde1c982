"""Bill of demand response: paid for standing ready and for drawing less, charged for failing."""

from dataclasses import replace
from datetime import tzinfo

from tokenergy.company.contract import DemandResponse
from tokenergy.company.contract_base import PowerEvent
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.clock import in_term, overlap_h
from tokenergy.company.settle.lines import Bill, Charge
from tokenergy.company.settle.meter import MeterSeries
from tokenergy.units import KW_PER_MW


def settle_demand_response(
    response: DemandResponse, series: MeterSeries, state: ContractState, bill: Bill
) -> ContractState:
    """Pay for each month of standing ready; settle each event interval against the baseline.

    Where an event covers a part of an interval, that part of its import and baseline counts.
    `short = max(0, metered - (baseline - committed))`, `delivered = committed - short`: drawing
    more than the baseline is a delivery below 0, and pays back.

    Returns:
        The state: the month that standing ready was paid for, events of the year begun so far.
    """
    import_mwh = series.needed("import_mwh", response.id)
    baseline_mw = series.own("baseline_mw", response.baseline_mw, response.id)
    binding = binding_events(response, series.time_zone)
    years = [event.start.astimezone(series.time_zone).year for event in binding]
    ready_usd = response.availability_usd_per_kw_month * KW_PER_MW
    for span in series.spans():
        if not in_term(response, span):
            continue
        if ready_usd:
            ready_mw = response.committed_mw if state.period != span.month else 0.0
            charge = Charge("availability", ready_mw, "MW-month", -ready_usd, span.month)
            bill.add(span.start, span.end, charge)
        begun_count = sum(
            event.start < span.end and year == span.local.year
            for event, year in zip(binding, years, strict=True)
        )
        state = replace(state, period=span.month, events_count=begun_count)
        for event in binding:
            hours_h = overlap_h(span, event.start, event.end)
            if not hours_h:
                continue
            metered_mwh = import_mwh[span.at] * hours_h / span.length_h
            owed_mwh = response.committed_mw * hours_h
            short_mwh = max(0.0, metered_mwh - (baseline_mw[span.at] * hours_h - owed_mwh))
            start, end = max(span.start, event.start), min(span.end, event.end)
            name, paid_usd = event.start.isoformat(), response.delivered_usd_per_mwh
            bill.add(start, end, Charge("reduced", owed_mwh - short_mwh, "MWh", -paid_usd, name))
            penalty_usd = response.penalty_usd_per_mwh
            bill.add(start, end, Charge("short", short_mwh, "MWh", penalty_usd, name))
    return state


def binding_events(response: DemandResponse, zone: tzinfo) -> tuple[PowerEvent, ...]:
    """Return the events that have to be answered: the first ones of each local calendar year."""
    counts: dict[int, int] = {}
    binding = []
    for event in sorted(response.events, key=lambda each: each.start):
        year = event.start.astimezone(zone).year
        counts[year] = counts.get(year, 0) + 1
        if response.events_most_count is None or counts[year] <= response.events_most_count:
            binding.append(event)
    return tuple(binding)

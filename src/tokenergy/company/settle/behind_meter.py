"""Bills of power behind the meter: the neighbour's generator, and a plant of one's own."""

from dataclasses import replace

from tokenergy.company.contract import Colocation, OnSite
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.clock import in_term
from tokenergy.company.settle.lines import Bill, Charge
from tokenergy.company.settle.meter import METER_TOLERANCE_SHARE, MeterSeries, Span
from tokenergy.company.settle.supply import check_taken, strike_usd_per_mwh
from tokenergy.errors import InfeasiblePower
from tokenergy.units import KW_PER_MW


def settle_colocation(
    colocation: Colocation, series: MeterSeries, state: ContractState, bill: Bill
) -> ContractState:
    """Bill the strike on output, standing by for each month touched, and backup on imports.

    Returns:
        The state: the month for which standing by was billed.
    """
    taken_mwh = series.needed("taken_mwh", colocation.id)
    profile_share = series.needed("profile_share", colocation.id)
    import_mwh = series.needed("import_mwh", colocation.id)
    standby_usd = colocation.standby_usd_per_kw_month * KW_PER_MW
    for span in series.spans():
        at, within = span.at, in_term(colocation, span)
        made_mwh = colocation.project_mw * profile_share[at] * span.length_h if within else 0.0
        check_taken(colocation.id, taken_mwh[at], made_mwh, span)
        if not within:
            continue
        rate = strike_usd_per_mwh(colocation, span)
        bill.add(span.start, span.end, Charge("delivery", taken_mwh[at], "MWh", rate))
        if colocation.take_or_pay:
            untaken_mwh = max(0.0, made_mwh - taken_mwh[at])
            bill.add(span.start, span.end, Charge("take_or_pay", untaken_mwh, "MWh", rate))
        if colocation.backup_adder_usd_per_mwh:
            rate = colocation.backup_adder_usd_per_mwh
            bill.add(span.start, span.end, Charge("backup", import_mwh[at], "MWh", rate))
        if standby_usd:
            standby_mw = colocation.standby_mw if state.period != span.month else 0.0
            charge = Charge("standby", standby_mw, "MW-month", standby_usd, span.month)
            bill.add(span.start, span.end, charge)
            state = replace(state, period=span.month)
    return state


def settle_on_site(
    plant: OnSite, series: MeterSeries, state: ContractState, bill: Bill
) -> ContractState:
    """Bill fuel, other running cost, and starts.

    A plant runs in an interval in which it makes more than rounding; that it did not run just
    before makes it a start.

    Returns:
        The state: whether it runs, and the hours of its permit used in the calendar year.

    Raises:
        InfeasiblePower: if it made more than its capacity, or anything out of its term.
    """
    generate_mwh = series.needed("generate_mwh", plant.id)
    fuel_usd_per_mmbtu = series.own("fuel_usd_per_mmbtu", plant.fuel_usd_per_mmbtu, plant.id)
    for span in series.spans():
        mwh = generate_mwh[span.at]
        most_mwh = plant.capacity_mw * span.length_h if in_term(plant, span) else 0.0
        if mwh > most_mwh + METER_TOLERANCE_SHARE * max(1.0, most_mwh):
            raise InfeasiblePower(
                f"contract {plant.id!r} at {span.start:%Y-%m-%dT%H:%MZ}: {mwh:.6g} MWh made, "
                f"its capacity gives {most_mwh:.6g} MWh"
            )
        runs = mwh > METER_TOLERANCE_SHARE * most_mwh
        fuel = Charge(
            "fuel", mwh * plant.heat_rate_mmbtu_per_mwh, "MMBtu", fuel_usd_per_mmbtu[span.at]
        )
        bill.add(span.start, span.end, fuel)
        if plant.vom_usd_per_mwh:
            charge = Charge("running", mwh, "MWh", plant.vom_usd_per_mwh)
            bill.add(span.start, span.end, charge)
        if plant.start_usd and runs and not state.on:
            bill.add(span.start, span.end, Charge("start", 1.0, "start", plant.start_usd))
        state = _after_running(plant, span, state, runs, mwh)
    return state


def _after_running(
    plant: OnSite, span: Span, state: ContractState, runs: bool, mwh: float
) -> ContractState:
    """Count the permit's hours: those it ran, or of full load where nothing makes it a yes or no.

    So has the contracts sheet, section 4: `sum h on`, relaxed `sum h g / C`.
    """
    year = f"{span.local.year:04d}"
    before_h = state.running_h if state.period == year else 0.0
    ran_h = (span.length_h if runs else 0.0) if plant.commits else mwh / plant.capacity_mw
    return replace(state, period=year, on=runs, running_h=before_h + ran_h)

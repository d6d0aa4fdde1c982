"""Bill of a tariff: every item of it, month by month."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle.clock import in_term
from tokenergy.company.settle.coincident import at_events, at_system_peaks
from tokenergy.company.settle.demand import meet_demand
from tokenergy.company.settle.lines import Bill, Charge, Settlement
from tokenergy.company.settle.meter import MeterSeries, Span
from tokenergy.company.tariff import EnergyRates, EnergyTiers, Tariff
from tokenergy.units import KW_PER_MW, MONTHS_PER_YEAR

COLLATERAL = "collateral"
"""Line that is the company's own cost, not a charge of the tariff: no part of its minimum."""


def settle_tariff(
    tariff: Tariff,
    series: MeterSeries,
    states: Mapping[str, ContractState],
    *,
    wacc_share: float = 0.0,
) -> Settlement:
    """Return the bill of one tariff over the intervals of `series`.

    Months, days and hours are those of the tariff's own time zone, else the market's; an interval
    belongs to those that it starts in. What is charged by the month is charged whole, for every
    month of the term that is touched. Each line says what these intervals add to what earlier
    ones, kept in `states`, were charged: so a month settled in parts sums to the month.

    Args:
        tariff: its words.
        series: of its meter: imports, where energy is charged exports, and the system's load
            (`<item>.system_load`) where peaks come from it.
        states: of its items, by key, as the settlement before left them; others are ignored.
        wacc_share: yearly cost of capital, charged on the collateral of a large load.

    Returns:
        The lines, and the states of all items that have one.

    Raises:
        InputError: if a series is missing, of another length, or no number somewhere.
    """
    zone = ZoneInfo(tariff.time_zone) if tariff.time_zone is not None else None
    import_mwh = series.needed("import_mwh", tariff.id)
    exports = tariff.energy is not None and tariff.energy.export_usd_per_mwh != 0.0
    export_mwh = series.needed("export_mwh", tariff.id) if exports else None
    items = _Items(tariff, series, states, wacc_share)
    bill = Bill(tariff.id)
    for span in series.spans(zone):
        if not in_term(tariff, span):
            continue
        exported_mwh = 0.0 if export_mwh is None else export_mwh[span.at]
        for charge in items.charged(span, import_mwh[span.at], exported_mwh):
            bill.add(span.start, span.end, charge)
    return Settlement(contract_id=tariff.id, lines=bill.lines(), states=items.states)


class _Items:
    """The items of a tariff, walked through the intervals; keeps their states."""

    def __init__(
        self,
        tariff: Tariff,
        series: MeterSeries,
        states: Mapping[str, ContractState],
        wacc_share: float,
    ) -> None:
        self._tariff = tariff
        self._monthly = tuple(_by_the_month(tariff, wacc_share))
        self._system_mw = {
            item.name: series.own(f"{item.name}.system_load", item.system_load, tariff.id)
            for item in tariff.coincident
            if not item.events
        }
        self.states = {key: states.get(key, ContractState()) for key in state_keys(tariff)}

    def charged(self, span: Span, import_mwh: float, export_mwh: float) -> Iterator[Charge]:
        """Yield what an interval is charged, the minimum of its month last."""
        charges = list(self._items(span, import_mwh, export_mwh))
        yield from charges
        if self._tariff.minimum_usd_per_month:
            yield from self._topped_up(span, charges)

    def _topped_up(self, span: Span, charges: list[Charge]) -> Iterator[Charge]:
        """Yield what the month's charges so far lack of the minimum, less what was booked.

        Coincident peaks are booked where they are caused and billed later: no part of it.
        """
        key, least_usd = f"{self._tariff.id}.minimum", self._tariff.minimum_usd_per_month
        state, booked_usd = self.states[key], 0.0
        if state.period == span.month:
            booked_usd = max(0.0, least_usd - state.charged_usd)
        else:
            state = replace(state, period=span.month, charged_usd=0.0)
        later = {COLLATERAL, *(item.name for item in self._tariff.coincident)}
        counted = (c for c in charges if c.component.partition(".billed_")[0] not in later)
        counts_usd = sum(c.amount_usd for c in counted)
        state = replace(state, charged_usd=state.charged_usd + counts_usd)
        self.states[key] = state
        lacks_usd = max(0.0, least_usd - state.charged_usd)
        yield Charge("minimum", lacks_usd - booked_usd, "USD", 1.0, span.month)

    def _items(self, span: Span, import_mwh: float, export_mwh: float) -> Iterator[Charge]:
        tariff = self._tariff
        if tariff.energy is not None:
            yield from _energy(tariff.energy, span, import_mwh, export_mwh)
        if tariff.tiers is not None:
            key = f"{tariff.id}.tiers"
            state = self.states[key]
            if state.period != span.month:
                state = replace(state, period=span.month, energy_mwh=0.0)
            yield from _tiers(tariff.tiers, span, state.energy_mwh, import_mwh)
            self.states[key] = replace(state, energy_mwh=state.energy_mwh + import_mwh)
        for charge_of in tariff.demand:
            key = f"{tariff.id}.{charge_of.name}"
            self.states[key], grown = meet_demand(
                charge_of, tariff.large_load, self.states[key], span, import_mwh
            )
            if grown is not None:
                yield grown
        for item in tariff.coincident:
            if item.events:
                yield from at_events(item, span, import_mwh)
                continue
            key, system_mw = f"{tariff.id}.{item.name}", self._system_mw[item.name][span.at]
            self.states[key], charges = at_system_peaks(
                item, self.states[key], span, import_mwh, system_mw
            )
            yield from charges
        if self._monthly:
            key = f"{tariff.id}.fixed"
            begins = self.states[key].period != span.month
            if begins:
                self.states[key] = replace(self.states[key], period=span.month)
            for charge in self._monthly:  # nothing more later on, but the line's span grows
                quantity = charge.quantity if begins else 0.0
                yield charge._replace(period=span.month, quantity=quantity)


def state_keys(tariff: Tariff) -> Iterator[str]:
    """Yield the keys of the states that a tariff leaves to the next interval."""
    if tariff.tiers is not None:
        yield f"{tariff.id}.tiers"
    for charge in tariff.demand:
        yield f"{tariff.id}.{charge.name}"
    for item in tariff.coincident:
        if not item.events:
            yield f"{tariff.id}.{item.name}"
    if any(_by_the_month(tariff, wacc_share=1.0)):
        yield f"{tariff.id}.fixed"
    if tariff.minimum_usd_per_month:
        yield f"{tariff.id}.minimum"


def _by_the_month(tariff: Tariff, wacc_share: float) -> Iterator[Charge]:
    """Yield what every calendar month that is touched is charged, whole."""
    if tariff.fixed_usd_per_month:
        yield Charge("fixed", 1.0, "month", tariff.fixed_usd_per_month)
    if tariff.standby_mw and tariff.standby_usd_per_kw_month:
        rate_usd = tariff.standby_usd_per_kw_month * KW_PER_MW
        yield Charge("standby", tariff.standby_mw, "MW-month", rate_usd)
    if tariff.large_load is not None and tariff.large_load.collateral_usd and wacc_share:
        rate_usd = tariff.large_load.collateral_usd * wacc_share / MONTHS_PER_YEAR
        yield Charge(COLLATERAL, 1.0, "month", rate_usd)


def _energy(
    energy: EnergyRates, span: Span, import_mwh: float, export_mwh: float
) -> Iterator[Charge]:
    """Yield the rate of the hour's period on imports, and what exports earn."""
    table = energy.weekday
    if span.local.isoweekday() in (6, 7) and energy.weekend is not None:
        table = energy.weekend
    number = 0 if table is None else table[span.local.month - 1][span.local.hour]
    period = energy.periods[number]
    yield Charge(f"energy.{period.name}", import_mwh, "MWh", period.usd_per_mwh, span.month)
    if energy.export_usd_per_mwh:
        yield Charge("export", export_mwh, "MWh", -energy.export_usd_per_mwh, span.month)


def _tiers(
    tiers: EnergyTiers, span: Span, before_mwh: float, import_mwh: float
) -> Iterator[Charge]:
    """Yield the part of an interval's import that lies in each tier of its month."""
    after_mwh, from_mwh = before_mwh + import_mwh, 0.0
    until = (*tiers.thresholds_mwh, float("inf"))
    for number, (until_mwh, usd) in enumerate(zip(until, tiers.usd_per_mwh, strict=True), start=1):
        mwh = min(after_mwh, until_mwh) - max(before_mwh, from_mwh)
        if mwh > 0.0:
            yield Charge(f"tier_{number}", mwh, "MWh", usd, span.month)
        from_mwh = until_mwh

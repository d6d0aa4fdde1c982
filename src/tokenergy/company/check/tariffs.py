"""Tariffs: tables that cover the year once, rates in their unit, peaks with their past."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final

from tokenergy.company.check.terms import clock_of
from tokenergy.company.finding import Finding
from tokenergy.company.horizon import Horizon
from tokenergy.company.parts import Parts
from tokenergy.company.tariff import CoincidentPeak, DemandCharge, EnergyRates, Tariff

MONTHS_COUNT: Final = 12
HOURS_COUNT: Final = 24
OWN_WORDS: Final = frozenset(
    {"energy", "export", "tiers", "minimum", "fixed", "standby", "collateral"}
)
"""Components of a tariff's bill that carry no name of their own in the file."""


def check_tariffs(parts: Parts) -> Iterator[Finding]:
    """Yield what is wrong within a tariff."""
    for path, tariff in parts.placed("tariffs"):
        if tariff.energy is not None:
            yield from _tables(f"{path}.energy", tariff.energy)
        if tariff.tiers is not None:
            yield from _tiers(f"{path}.tiers", tariff)
        for position, item in enumerate(tariff.demand):
            where = f"{path}.demand[{position}]"
            yield from _own_word(where, item.name)
            yield from _demand(where, tariff, item, parts)
        for position, peak in enumerate(tariff.coincident):
            where = f"{path}.coincident[{position}]"
            yield from _own_word(where, peak.name)
            yield from _coincident(where, peak, parts.horizon)
            yield from _too_many(where, peak, clock_of(tariff, parts))
        if tariff.reactive_usd_per_kvar_month is not None:
            yield Finding(
                code="REACTIVE_IGNORED",
                path=f"{path}.reactive_usd_per_kvar_month",
                value=f"{tariff.reactive_usd_per_kvar_month:g}",
                unit="USD/kvar-month",
                reason=f"tariff {tariff.id!r} charges reactive power, which no program and no "
                "bill of ours knows: its real bill is higher",
                remedy="Leave it out, and keep the power factor in its limits",
                severity="warning",
            )


def _own_word(path: str, name: str) -> Iterator[Finding]:
    if name in OWN_WORDS:
        yield Finding(
            code="DUPLICATE_NAME",
            path=f"{path}.name",
            value=name,
            limit=", ".join(sorted(OWN_WORDS)),
            reason=f"{name!r} names another line of a tariff's bill already",
            remedy="Rename the item",
        )


def _tables(path: str, energy: EnergyRates) -> Iterator[Finding]:
    """Hold the two tables against a year: 12 months of 24 hours, each hour with one rate."""
    names = [period.name for period in energy.periods]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding(
            code="DUPLICATE_NAME",
            path=f"{path}.periods",
            value=name,
            reason="two periods have one name",
            remedy="Rename one of the two",
        )
    tables = {"weekday": energy.weekday, "weekend": energy.weekend}
    used = {0} if energy.weekday is None else set[int]()
    for day, table in tables.items():
        if table is not None:
            yield from _shape(f"{path}.{day}", table)
            yield from _unknown_periods(f"{path}.{day}", table, len(names))
            used |= {index for row in table for index in row}
    for index, name in enumerate(names):
        if index not in used:
            yield Finding(
                code="PERIOD_UNUSED",
                path=f"{path}.periods[{index}]",
                value=name,
                reason="no hour of the tables has this period: its rate is never charged",
                remedy=f"Put {index} into weekday or weekend, or remove the period",
                severity="warning",
            )


def _shape(path: str, table: tuple[tuple[int, ...], ...]) -> Iterator[Finding]:
    """Tell hours without a rate, and hours with two."""
    counts = [(f"{path}", len(table), MONTHS_COUNT, "months")]
    counts += [(f"{path}[{at}]", len(row), HOURS_COUNT, "hours") for at, row in enumerate(table)]
    wrong = [each for each in counts if each[1] != each[2]]
    if not wrong:
        return
    where, count, whole, noun = wrong[0]
    gap = count < whole
    more = f"; {len(wrong) - 1} more rows are wrong" if len(wrong) > 1 else ""
    yield Finding(
        code="WINDOW_GAP" if gap else "WINDOW_OVERLAP",
        path=where,
        value=f"{count}",
        limit=f"{whole}",
        unit=noun,
        reason=f"the table has {'too few' if gap else 'too many'} {noun}: some hours of the year "
        f"would have {'no rate' if gap else 'two rates'}{more}",
        remedy="Write 12 rows (months) of 24 numbers (local hours)",
    )


def _unknown_periods(
    path: str, table: tuple[tuple[int, ...], ...], periods_count: int
) -> Iterator[Finding]:
    bad = [
        (month, hour, index)
        for month, row in enumerate(table)
        for hour, index in enumerate(row)
        if not 0 <= index < periods_count
    ]
    if bad:
        month, hour, index = bad[0]
        yield Finding(
            code="WINDOW_GAP",
            path=f"{path}[{month}][{hour}]",
            value=f"{index}",
            limit=f"0 to {periods_count - 1}",
            reason=f"hours of the table ({len(bad)}) name a period that is not there: they would "
            "have no rate",
            remedy="Periods count from 0, in the order of the list",
        )


def _tiers(path: str, tariff: Tariff) -> Iterator[Finding]:
    assert tariff.tiers is not None  # the caller's condition
    rates = tariff.tiers.usd_per_mwh
    for at, (rate, following) in enumerate(pairwise(rates)):
        if following < rate:
            yield Finding(
                code="FALLING_TIER_IN_LP",
                path=f"{path}.usd_per_mwh[{at + 1}]",
                value=f"{following:g}",
                limit=f">= {rate:g}",
                unit="USD/MWh",
                reason=f"the tiers of tariff {tariff.id!r} fall: the program would fill the cheap "
                "one first. Falling tiers need whole numbers, and come in a later version",
                remedy="Leave the tiers out for now, or state one rate in energy",
            )
            return


def _demand(path: str, tariff: Tariff, item: DemandCharge, parts: Parts) -> Iterator[Finding]:
    horizon = parts.horizon
    contracted = tariff.large_load is not None or item.contract_mw is not None
    if item.min_bill_share and not contracted:
        yield Finding(
            code="MINIMUM_OF_NOTHING",
            path=f"{path}.min_bill_share",
            value=f"{item.min_bill_share:g}",
            reason=f"{tariff.id}.{item.name} bills at least a share of contracted megawatts, and "
            "none are stated",
            remedy="State contract_mw, or large_load",
        )
    if item.ratchet_share and item.history is None:
        yield Finding(
            code="RATCHET_WITHOUT_HISTORY",
            path=f"{path}.history",
            value="null",
            reason=f"{tariff.id}.{item.name} bills at least {item.ratchet_share:.0%} of the "
            f"highest of {item.lookback_months} months before, and none of them is stated",
            remedy="State history: [{month: 2026-01, peak_mw: ...}, ...], or [] if there was no "
            "load before",
        )
    months = Counter(past.month for past in item.history or ())
    for month, count in sorted(months.items()):
        if count > 1:
            yield Finding(
                code="DUPLICATE_NAME",
                path=f"{path}.history",
                value=month,
                reason="one month has one peak, and this one is stated twice",
                remedy="Keep one of the two",
            )
    if horizon is None:
        return
    before = (horizon.start - timedelta(microseconds=1)).astimezone(clock_of(tariff, parts))
    late = sorted(month for month in months if month > f"{before:%Y-%m}")
    if late:
        yield Finding(
            code="PAST_PEAK_IN_HORIZON",
            path=f"{path}.history",
            value=late[0],
            limit=f"{before:%Y-%m}",
            reason="a past peak cannot be known in the horizon: its peaks are what is decided",
            remedy="State months that began before the horizon only",
        )
    yield from _coarse(path, "demand_interval_h", item.demand_interval_h, horizon, item.peak_ratio)


def _coincident(path: str, item: CoincidentPeak, horizon: Horizon | None) -> Iterator[Finding]:
    if item.system_load is None and not item.events:
        yield Finding(
            code="CP_WITHOUT_SYSTEM_SERIES",
            path=path,
            value=item.name,
            reason="a coincident peak is that of the system, and neither its load nor its peaks "
            "are stated",
            remedy="State system_load (a series in MW), or events, the peaks themselves",
        )
    if item.system_load is not None and item.events:
        yield Finding(
            code="CONTRADICTION",
            path=path,
            value=item.name,
            reason="the peaks come from system_load or from events, not from both",
            remedy="Keep one of the two",
        )
    if horizon is not None:
        yield from _coarse(path, "interval_h", item.interval_h, horizon, None)


def _too_many(path: str, item: CoincidentPeak, zone: tzinfo) -> Iterator[Finding]:
    """Tell peaks beyond the count of a year: each is billed at its part of the rate."""
    years = Counter(event.start.astimezone(zone).year for event in item.events)
    over = sorted(year for year, count in years.items() if count > item.n_count)
    if over:
        yield Finding(
            code="CONTRADICTION",
            path=f"{path}.events",
            value=f"{years[over[0]]} in {over[0]}",
            limit=f"{item.n_count}",
            unit="peaks a year",
            reason=f"{item.name!r} is charged on the mean of {item.n_count} peaks a year, and more "
            "are stated: the year would be billed more than its rate",
            remedy="State the peaks that count, each once, or raise n_count",
        )


def _coarse(
    path: str, field: str, meter_h: float, horizon: Horizon, peak_ratio: Any
) -> Iterator[Finding]:
    """Warn of a meter that sees what the horizon's intervals average away."""
    if horizon.step_h <= meter_h + 1e-9:
        return
    if peak_ratio is None:
        told = "the average of the longer one stands in for it"
    elif peak_ratio > 1.0:
        told = f"the average of the longer one x peak_ratio {peak_ratio:g} stands in for it"
    else:
        told = "peaks within it are not seen, and none are stated (peak_ratio is 1)"
    yield Finding(
        code="DEMAND_INTERVAL_COARSE",
        path=f"{path}.{field}",
        value=f"{horizon.step_h:g}",
        limit=f"{meter_h:g}",
        unit="h",
        reason=f"the meter averages over {meter_h:g} h, the horizon over {horizon.step_h:g} h: "
        f"{told}",
        remedy="Lower horizon.step_h, or state peak_ratio from meter data"
        if peak_ratio is not None
        else "Lower horizon.step_h",
        severity="warning",
    )

"""From the tariffs of a company file to arrays: rates, fixed charges, and terms of the program.

What is linear in each MWh becomes a rate; what no decision moves is booked in the first interval
of each calendar month; peaks, tiers and the least bill become terms (contracts sheet, section 5).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.company.tariff import DemandCharge, EnergyRates, LargeLoad, Tariff
from tokenergy.dispatch.coincident import coincident_rate
from tokenergy.dispatch.local_time import LocalTime, begins_of
from tokenergy.dispatch.supply import BoolArray, FloatArray, MeterRate, Sunk
from tokenergy.dispatch.terms.minimum import Minimum
from tokenergy.dispatch.terms.months import Months
from tokenergy.dispatch.terms.peak import Peak
from tokenergy.dispatch.terms.term import Term
from tokenergy.dispatch.terms.tier import Tier
from tokenergy.units import KW_PER_MW, MONTHS_PER_YEAR

ENERGY, EXPORT, TIERS, MINIMUM = "energy", "export", "tiers", "minimum"
FIXED, STANDBY, COLLATERAL = "fixed", "standby", "collateral"
"""Components of a tariff's bill that have no name of their own in the file."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TariffParts:
    """What the tariffs of a company are to a `World`; fields as there."""

    rates: tuple[MeterRate, ...]
    sunk: tuple[Sunk, ...]
    terms: tuple[Term, ...]
    supply_buy_usd_per_mwh: FloatArray | None
    supply_sell_usd_per_mwh: FloatArray | None


def tariff_parts(company: Company, inputs: Inputs, total_count: int) -> TariffParts:
    """Return rates, fixed charges, terms and supply prices of every tariff."""
    sites = {site.name: at for at, site in enumerate(company.sites)}
    clocks: dict[str, LocalTime] = {}
    rates: list[MeterRate] = []
    sunk: list[Sunk] = []
    terms: list[Term] = []
    supply = np.full((2, len(company.sites), total_count), np.nan)
    for tariff in company.tariffs:
        at = sites[tariff.site]
        zone = tariff.time_zone or company.sites[at].market.time_zone
        if zone not in clocks:
            clocks[zone] = LocalTime.of(inputs.start, inputs.step_h, total_count, ZoneInfo(zone))
        built = _Built(tariff, at, inputs, clocks[zone], company.money.wacc_share)
        rates += built.rates
        sunk += built.sunk
        terms += built.terms()
        supply[:, at] = np.where(np.isnan(built.supply), supply[:, at], built.supply)
    replaced = bool(np.isfinite(supply).any())
    return TariffParts(
        rates=tuple(rates),
        sunk=tuple(sunk),
        terms=tuple(terms),
        supply_buy_usd_per_mwh=supply[0] if replaced else None,
        supply_sell_usd_per_mwh=supply[1] if replaced else None,
    )


def supplied_throughout(
    supply_buy_usd_per_mwh: FloatArray | None, company: Company, first: int
) -> set[str]:
    """Return the sites that tariffs supply in every interval from `first` on."""
    if supply_buy_usd_per_mwh is None:
        return set()
    whole: BoolArray = np.all(np.isfinite(supply_buy_usd_per_mwh[:, first:]), axis=1)
    return {site.name for site, supplied in zip(company.sites, whole, strict=True) if supplied}


def first_of_months(inside: BoolArray, local: LocalTime, first: int) -> BoolArray:
    """Return the first interval of each calendar month that a term has within the horizon [T].

    Args:
        inside: intervals of the term [T].
        local: the calendar.
        first: index of the horizon's first interval.
    """
    counted = inside & (np.arange(inside.size) >= first)
    at = counted.nonzero()[0]
    _, firsts = np.unique(local.month[at], return_index=True)
    booked = np.zeros(inside.size, dtype=bool)
    booked[at[firsts]] = True
    return booked


def contracted_mw(load: LargeLoad, local: LocalTime) -> FloatArray:
    """Return the megawatts that are contracted by date [T]: by the ramp, else all of them.

    Before there is power none are.
    """
    mw = np.full(local.day.size, 0.0 if load.ramp else load.contract_mw)
    for step in load.ramp:
        mw[local.inside(step.start, None)] = step.mw
    return np.asarray(mw * local.inside(load.energised_on, None))


class _Built:
    """One tariff as arrays."""

    def __init__(
        self, tariff: Tariff, site: int, inputs: Inputs, local: LocalTime, wacc_share: float
    ) -> None:
        self._tariff, self._site, self._inputs, self._local = tariff, site, inputs, local
        self._inside = local.inside(tariff.start, tariff.end)
        self._count = self._inside.size
        self._months = Months(month=local.month, names=local.month_names, touched=self._inside)
        self.supply = np.full((2, self._count), np.nan)
        self.rates = tuple(self._rates())
        self.sunk = tuple(self._sunk(wacc_share))

    def _rates(self) -> Iterator[MeterRate]:
        """Yield what is charged on each MWh at the meter; a supply fills `supply` instead."""
        tariff = self._tariff
        if tariff.energy is not None:
            usd_per_mwh = _by_table(tariff.energy, self._local)
            export = np.full(self._count, tariff.energy.export_usd_per_mwh)
            if tariff.energy.settles == "supply":
                self.supply[0, self._inside] = usd_per_mwh[self._inside]
                self.supply[1, self._inside] = export[self._inside]
            else:
                yield MeterRate(
                    contract_id=tariff.id,
                    component=ENERGY,
                    site=self._site,
                    kind="energy",
                    import_usd_per_mwh=usd_per_mwh * self._inside,
                    export_usd_per_mwh=-export * self._inside,
                )
        for item in tariff.coincident:
            yield coincident_rate(
                tariff.id, self._site, item, self._inputs, self._local, self._inside
            )

    def _sunk(self, wacc_share: float) -> Iterator[Sunk]:
        """Yield what each calendar month costs, booked whole where it begins."""
        tariff = self._tariff
        booked = first_of_months(self._inside, self._local, self._inputs.history_count)
        posted_usd = tariff.large_load.collateral_usd if tariff.large_load else 0.0
        standby_usd = tariff.standby_mw * KW_PER_MW * tariff.standby_usd_per_kw_month
        for component, usd in (
            (FIXED, tariff.fixed_usd_per_month),
            (STANDBY, standby_usd),
            (COLLATERAL, posted_usd * wacc_share / MONTHS_PER_YEAR),
        ):
            if usd:
                yield Sunk(
                    contract_id=tariff.id, component=component, usd=np.where(booked, usd, 0.0)
                )

    def terms(self) -> list[Term]:
        """Return peaks, tiers and, after them, the least bill."""
        tariff = self._tariff
        peaks = tuple(self._peak(item) for item in tariff.demand)
        tiers: tuple[Tier, ...] = ()
        if tariff.tiers is not None:
            tiers = (
                Tier(
                    contract_id=tariff.id,
                    component=TIERS,
                    site=self._site,
                    months=self._months,
                    thresholds_mwh=tariff.tiers.thresholds_mwh,
                    usd_per_mwh=tariff.tiers.usd_per_mwh,
                ),
            )
        terms: list[Term] = [*peaks, *tiers]
        if tariff.minimum_usd_per_month:
            counted = [each.usd for each in self.sunk if each.component != COLLATERAL]
            terms.append(
                Minimum(
                    contract_id=tariff.id,
                    component=MINIMUM,
                    site=self._site,
                    months=self._months,
                    usd_per_month=tariff.minimum_usd_per_month,
                    rates=tuple(each for each in self.rates if each.kind == "energy"),
                    sunk_usd=np.sum(counted, axis=0) if counted else np.zeros(self._count),
                    supply_usd_per_mwh=np.nan_to_num(self.supply),
                    peaks=peaks,
                    tiers=tiers,
                )
            )
        return terms

    def _peak(self, item: DemandCharge) -> Peak:
        local = self._local
        hours = local.in_hours(item.from_hour, item.to_hour, weekdays_only=item.weekdays_only)
        return Peak(
            contract_id=self._tariff.id,
            component=item.name,
            site=self._site,
            months=self._months,
            counts=hours,
            begins=begins_of(local, self._inputs.step_h, item.demand_interval_h),
            charged=np.isin(local.month_of_year, item.months),
            floor_mw=self._floor_mw(item),
            season=item.lookback_season,
            target_mw=self._planned_mw(item),
            usd_per_kw_month=item.usd_per_kw_month,
            demand_interval_h=item.demand_interval_h,
            peak_ratio=item.peak_ratio,
            ratchet_share=item.ratchet_share,
            lookback_months=item.lookback_months,
            remembers_billed=item.ratchet_on == "billed",
        )

    def _floor_mw(self, item: DemandCharge) -> FloatArray:
        """Return what each month is billed at least for what is contracted in it [M]."""
        load = self._tariff.large_load
        by_date_mw = np.zeros(self._count)
        if load is not None:
            by_date_mw = contracted_mw(load, self._local)
        own_mw = by_date_mw if item.contract_mw is None else np.full(self._count, item.contract_mw)
        least_mw = item.min_bill_share * own_mw
        if load is not None:
            least_mw = np.maximum(least_mw, load.min_take_share * by_date_mw)
        counted = self._inside & (np.arange(self._count) >= self._inputs.history_count)
        floor_mw = np.zeros(self._local.months_count)
        np.maximum.at(floor_mw, self._local.month[counted], least_mw[counted])
        return floor_mw * np.isin(self._local.month_of_year, item.months)

    def _planned_mw(self, item: DemandCharge) -> FloatArray:
        """Return the peak that is planned for anyway, else the highest past one [M]."""
        planned_mw = item.planned_mw
        if planned_mw is None:
            planned_mw = max((past.peak_mw for past in item.history or ()), default=0.0)
        return np.full(self._local.months_count, planned_mw)


def _by_table(energy: EnergyRates, local: LocalTime) -> FloatArray:
    """Return the rate of each interval by month, hour and kind of day [T]."""
    rates = np.array([period.usd_per_mwh for period in energy.periods])
    month = local.month_of_year[local.month] - 1
    period = np.zeros(month.size, dtype=np.int64)
    if energy.weekday is not None:
        period = np.array(energy.weekday)[month, local.hour]
    if energy.weekend is not None:
        period = np.where(local.weekend, np.array(energy.weekend)[month, local.hour], period)
    return np.asarray(rates[period])

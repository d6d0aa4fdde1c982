"""What a grid company or a supplier charges at a meter, item by item, as on its paper tariff."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tokenergy.company.connection import RampStep
from tokenergy.company.contract_base import PowerEvent, Year
from tokenergy.company.horizon import whole_minutes
from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share
from tokenergy.company.series import SeriesSource
from tokenergy.company.site import ZoneName

Month = Annotated[int, Field(ge=1, le=12)]
ALL_YEAR: tuple[Month, ...] = tuple(range(1, 13))
MonthName = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
"""A billing month in the tariff's own time, e.g. `2025-07`."""
HourTable = tuple[tuple[int, ...], ...]
"""12 rows (months) of 24 numbers (hours): which period of the tariff's list holds, from 0."""


def _whole_part(interval_h: float) -> float:
    interval_h = whole_minutes(interval_h)
    parts = 1.0 / interval_h
    if abs(parts - round(parts)) > 1e-9:
        raise ValueError(f"{interval_h:g} h is no whole part of an hour")
    return interval_h


MeterH = Annotated[float, Field(gt=0.0, le=1.0), AfterValidator(_whole_part)]
"""Length in hours over which a meter averages: a whole part of an hour; 0.0833 is 5 minutes."""


class EnergyPeriod(Noun):
    """One rate of a time-of-use tariff."""

    name: Name
    usd_per_mwh: float
    """Charged on each MWh imported in the period."""


class EnergyRates(Noun):
    """Time of use: a rate for each hour of the year, by month, hour and kind of day."""

    settles: Literal["delivery", "supply"] = "delivery"
    """`delivery` comes on top of the site's spot contract; `supply` replaces it: then the site
    has none, and what it feeds in earns `export_usd_per_mwh`."""
    periods: tuple[EnergyPeriod, ...] = Field(min_length=1)
    weekday: HourTable | None = None
    """Periods by month and local hour on Monday to Friday; null: the first period, always."""
    weekend: HourTable | None = None
    """The same on Saturday and Sunday; null: as on weekdays."""
    export_usd_per_mwh: float = 0.0
    """What an exported MWh earns (`supply`), or earns beside its resale (`delivery`)."""


class EnergyTiers(Noun):
    """Rates by the month's energy: the first MWh at the first rate, and so on."""

    thresholds_mwh: tuple[Positive, ...] = Field(min_length=1)
    """Monthly energy at which each further rate begins."""
    usd_per_mwh: tuple[float, ...] = Field(min_length=2)
    """One rate more than thresholds. They must rise: falling ones need whole numbers."""

    @model_validator(mode="after")
    def _a_rate_for_each(self) -> Self:
        if len(self.usd_per_mwh) != len(self.thresholds_mwh) + 1:
            raise ValueError(
                f"{len(self.thresholds_mwh)} thresholds need "
                f"{len(self.thresholds_mwh) + 1} rates, not {len(self.usd_per_mwh)}"
            )
        if list(self.thresholds_mwh) != sorted(set(self.thresholds_mwh)):
            raise ValueError(f"thresholds_mwh must rise: {list(self.thresholds_mwh)}")
        return self


class PastPeak(Noun):
    """A billing month before the horizon."""

    month: MonthName
    peak_mw: NonNegative
    """Its highest average of a demand interval."""
    billed_mw: NonNegative | None = None
    """What was billed; null: the peak."""


class DemandCharge(Noun):
    """A rate on the highest average import of a month, with its ratchet and its minimum."""

    name: Name
    usd_per_kw_month: NonNegative
    months: tuple[Month, ...] = ALL_YEAR
    """Calendar months in which it is charged."""
    from_hour: int = Field(default=0, ge=0, le=23)
    """First local hour of the window in which peaks count."""
    to_hour: int = Field(default=24, ge=1, le=24)
    """First local hour after the window."""
    weekdays_only: bool = False
    """Whether Saturday and Sunday do not count."""
    demand_interval_h: MeterH = 0.25
    """Length over which the meter averages: a whole part of an hour."""
    peak_ratio: float = Field(default=1.0, ge=1.0, le=2.0)
    """Peak of a demand interval over the average of a longer interval of the horizon: applied
    where the horizon is coarser than the meter."""
    ratchet_share: Share = 0.0
    """Billed is at least this share of the highest past month that is looked back on."""
    lookback_months: int = Field(default=11, ge=1, le=36)
    """Months before the present one that the ratchet looks back on."""
    lookback_season: tuple[Month, ...] = ALL_YEAR
    """Calendar months whose peaks the ratchet remembers."""
    ratchet_on: Literal["peak", "billed"] = "peak"
    """What is remembered of a past month."""
    history: tuple[PastPeak, ...] | None = None
    """Months before the horizon; null with a ratchet is a finding, an empty list says none."""
    min_bill_share: Share = 0.0
    """Billed is at least this share of the contracted megawatts (`large_load`, or
    `contract_mw`)."""
    contract_mw: Positive | None = None
    """Contracted megawatts that the minimum is a share of."""
    planned_mw: NonNegative | None = None
    """Peak that is planned for anyway: up to it, dispatch treats power as free of this charge;
    null: the highest of the past months, else what the weeks before the horizon would have
    needed."""

    @model_validator(mode="after")
    def _some_hours(self) -> Self:
        if self.from_hour >= self.to_hour:
            raise ValueError(f"from_hour {self.from_hour} must lie before to_hour {self.to_hour}")
        if not self.months:
            raise ValueError("a demand charge without months charges nothing")
        return self


class CoincidentPeak(Noun):
    """A charge on the own load at the system's highest peaks, billed later."""

    name: Name
    usd_per_kw_year: NonNegative | None = None
    """Rate on the mean load at the peaks (n-CP transmission); or:"""
    usd_per_mw_day: NonNegative | None = None
    """Rate per MW of that mean and day of the year after (capacity, PLC); exactly one is given."""
    scaling_ratio: Positive = 1.0
    """Reserve margin and losses that the mean is multiplied by (capacity)."""
    months: tuple[Month, ...] = (6, 7, 8, 9)
    """Calendar months of which each has one peak; with `one_a_month` false, the season of all."""
    n_count: int = Field(default=4, ge=1, le=12)
    """Number of peaks a year."""
    one_a_month: bool = True
    """Whether each of the months has one peak (4CP, 12CP), or the season's highest count on
    different days (5CP)."""
    interval_h: MeterH = 0.25
    """Length of a peak interval: a whole part of an hour."""
    lag_years: int = Field(default=1, ge=0, le=3)
    """Years after which it is billed: the charge is booked where it is caused."""
    system_load: SeriesSource | None = None
    """Load of the system in MW, from which the peaks come; or:"""
    events: tuple[PowerEvent, ...] = ()
    """The peaks themselves, where they are known."""
    probability_share: Share = 0.5
    """Part of the rate that dispatch puts on an interval that is forecast above all of its month
    so far; 0.5 is an assumption."""

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if (self.usd_per_kw_year is None) == (self.usd_per_mw_day is None):
            raise ValueError("state exactly one of usd_per_kw_year and usd_per_mw_day")
        if self.one_a_month and self.n_count != len(self.months):
            raise ValueError(
                f"one peak a month in {len(self.months)} months is no {self.n_count} peaks"
            )
        return self


class LargeLoad(Noun):
    """The terms that grid companies ask of large loads: pay for what was reserved, for years."""

    contract_mw: Positive
    """Megawatts at the end of the ramp: the most that may be imported."""
    ramp: tuple[RampStep, ...] = ()
    """Megawatts by date until then; empty: all from the start."""
    min_take_share: Share = 0.0
    """Share of the contracted megawatts that every demand charge of the tariff bills at least."""
    energised_on: date | None = None
    """First day with power."""
    term_y: NonNegative = 0.0
    """Length of the commitment after the ramp; told, not charged."""
    collateral_usd: NonNegative = 0.0
    """Security to be posted; its yearly cost is the company's WACC on it."""
    exit_fee_usd: NonNegative = 0.0
    """Cost of leaving early; told, not charged."""
    reduction_right_share: Share = 0.0
    """Share of the megawatts that may be given back; told, not charged."""
    notice_months: NonNegative = 0.0
    """Notice for that."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        starts = [step.start for step in self.ramp]
        if starts != sorted(set(starts)):
            raise ValueError("ramp steps must rise in start, each date once")
        over = [step.mw for step in self.ramp if step.mw > self.contract_mw]
        if over:
            raise ValueError(
                f"ramp step of {over[0]:g} MW exceeds contract_mw {self.contract_mw:g}"
            )
        return self


class Tariff(Noun):
    """Everything that one paper tariff charges at one meter."""

    id: Name
    """Name of the tariff in bills and ledgers; its items are `id.name`."""
    site: Name
    """The site whose meter it is charged at."""
    start: date | None = None
    """First day; null: before the horizon."""
    end: date | None = None
    """First day after; null: after the horizon."""
    time_zone: ZoneName | None = None
    """IANA zone of its months, days and hours; null: the market's."""
    currency: str | None = None
    """Must be the company's own currency when given."""
    price_year: Year | None = None
    """Year in whose money the rates are, for the reader."""
    source: str = ""
    """Where the rates come from, with the date."""
    energy: EnergyRates | None = None
    tiers: EnergyTiers | None = None
    demand: tuple[DemandCharge, ...] = ()
    coincident: tuple[CoincidentPeak, ...] = ()
    fixed_usd_per_month: NonNegative = 0.0
    """Charged for each calendar month that is touched, whole."""
    minimum_usd_per_month: NonNegative = 0.0
    """The tariff's charges of a calendar month are at least this; coincident peaks, which are
    settled later, and the cost of collateral count for nothing."""
    standby_mw: NonNegative = 0.0
    """Megawatts that stand by."""
    standby_usd_per_kw_month: NonNegative = 0.0
    """What they cost per calendar month, whole."""
    reactive_usd_per_kvar_month: NonNegative | None = None
    """Not modelled: told as a finding."""
    large_load: LargeLoad | None = None

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"the term ends on {self.end}, not after its start {self.start}")
        names = [each.name for each in self.demand] + [each.name for each in self.coincident]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"items of one name: {', '.join(twice)}")
        return self

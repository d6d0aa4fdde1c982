"""What a plan may change: the sizes that sites, GPUs, batteries and contracts may have.

The things themselves stand in the rest of the file, with their prices; here stands how large each
may be, and which other worlds the plan is held against.
"""

from datetime import date
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share
from tokenergy.company.series import SeriesSource

PLANNED: Final = ("sites", "fleets", "batteries", "contracts", "scenarios")
"""The lists of the section `plan`, in the order of the file."""


class QueueStep(Noun):
    """One connection in a queue: megawatts that may be taken up, from a date on."""

    mw: Positive
    """Most that this step brings; what is built of it adds to what the others bring."""
    energised_on: date
    """First day on which it delivers."""
    usd_per_kw: NonNegative | None = None
    """Facility and grid works per kW of this step; null: the site's `facility_usd_per_kw`."""


class SiteSize(Noun):
    """Megawatts that a site may draw at its meter."""

    name: Name
    """The site."""
    most_mw: Positive
    """Most that it may be built to."""
    least_mw: NonNegative = 0.0
    """Least; 0: it may be left out."""
    step_mw: Positive | None = None
    """Built in whole steps of this size above the least; null: any size between."""
    open_usd: NonNegative | None = None
    """What opening the site costs once, however large it is; null: nothing, and no yes or no."""
    queue: tuple[QueueStep, ...] = ()
    """Connections one after another, each built or not; empty: the site's own `energised_on`."""

    @model_validator(mode="after")
    def _queue_in_order(self) -> Self:
        dates = [step.energised_on for step in self.queue]
        if dates != sorted(set(dates)):
            raise ValueError("steps of a queue must rise in energised_on, each date once")
        return self


class FleetSize(Noun):
    """GPUs that a fleet may have."""

    name: Name
    """The fleet."""
    most_count: int = Field(gt=0)
    """Most."""
    least_count: int = Field(default=0, ge=0)
    """Least; 0: it may be left out."""
    step_count: Annotated[int, Field(gt=0)] | None = None
    """Bought in whole steps, such as racks of 72; null: any size between, rounded by nobody."""


class BatterySize(Noun):
    """Megawatts that a battery may have; its hours of storage stay as the file has them."""

    name: Name
    """The battery."""
    most_mw: Positive
    """Most power."""
    least_mw: NonNegative = 0.0
    """Least; 0: it may be left out."""
    step_mw: Positive | None = None
    """Built in whole steps of this size; null: any size between."""


class ContractSize(Noun):
    """Megawatts that may be signed of a contract.

    Of a project its share (`project_mw` x `share`), else `contract_mw` or `capacity_mw`; what else
    the contract states in MW, MWh or USD a year moves with it.
    """

    name: Name
    """Id of the contract."""
    most_mw: Positive
    """Most that may be signed."""
    least_mw: NonNegative = 0.0
    """Least; 0: it may be left unsigned."""
    step_mw: Positive | None = None
    """Signed in whole steps of this size; null: any size between."""


class Scenario(Noun):
    """Another world that the plan is held against; one with a name alone is the file's own."""

    name: Name
    probability_share: Share | None = None
    """How likely it is; state it for every scenario or for none, and then all are alike."""
    price_ratio: NonNegative = 1.0
    """Spot prices of every site, times this."""
    price_shift_usd_per_mwh: float = 0.0
    """Spot prices of every site, plus this."""
    demand_ratio: Positive = 1.0
    """Arrivals of every workload, times this."""
    demand_growth_share_per_year: Annotated[float, Field(gt=-1.0)] = 0.0
    """Arrivals grow by this share each year from the start of the horizon on."""
    gpu_price_ratio: NonNegative = 1.0
    """What GPUs cost, owned or leased, times this."""
    gpu_life_y: Positive | None = None
    """Years over which owned GPUs are written off; null: as the file has them."""
    wacc_share: Share | None = None
    """Cost of capital per year; null: as the file has it."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """Seed of every synthetic series: other weather, other prices; null: the file's."""
    energised_on: dict[str, date] = Field(default_factory=dict)
    """By site: another first day of its connection; a queue moves as a whole, by as many days as
    its first step."""
    prices: dict[str, SeriesSource] = Field(default_factory=dict)
    """By site: another series of its spot price, before ratio and shift."""


class Planning(Noun):
    """What `plan` may build and sign, within which ranges, and at most for how much capital."""

    budget_usd: NonNegative | None = None
    """Most capital that the sizes of this section may take; null: no limit."""
    sites: tuple[SiteSize, ...] = ()
    fleets: tuple[FleetSize, ...] = ()
    batteries: tuple[BatterySize, ...] = ()
    contracts: tuple[ContractSize, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    """Worlds of `plan --scenarios`."""

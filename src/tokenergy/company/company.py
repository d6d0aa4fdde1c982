"""A company in one file: sites, power, GPUs, models, promises, demand."""

from pydantic import Field

from tokenergy.company.battery import Battery
from tokenergy.company.budget import Budget
from tokenergy.company.carbon import CarbonPrice
from tokenergy.company.contract import Contract
from tokenergy.company.fleet import ExternalApi, Fleet, Model
from tokenergy.company.growth import Growth
from tokenergy.company.horizon import Horizon
from tokenergy.company.noun import Name, Noun, Positive, Share
from tokenergy.company.observe import Observe
from tokenergy.company.outage import Outage
from tokenergy.company.planning import Planning
from tokenergy.company.restraint import Restraint
from tokenergy.company.serve import Serve
from tokenergy.company.site import Network, Region, Site
from tokenergy.company.tariff import Tariff
from tokenergy.company.tier import Tier, Workload


class Money(Noun):
    """What capital costs, and which money everything is in."""

    wacc_share: Share = 0.09
    """Weighted average cost of capital, per year; 9 % is an assumption."""
    staff_usd_per_year: float = Field(default=0.0, ge=0.0)
    """Staff and overhead, only in full cost."""


class Company(Noun):
    """Everything that the verbs need to know about a company."""

    company: str = Field(min_length=1)
    """Name of the company."""
    about: str = ""
    """A sentence for the reader."""
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """ISO code of all money in the file; names of fields say `usd` for it."""
    seed: int = Field(default=1, ge=0)
    """Seed of every synthetic series."""
    horizon: Horizon
    money: Money = Money()
    network: Network = Network()
    regions: tuple[Region, ...] = Field(min_length=1)
    sites: tuple[Site, ...] = Field(min_length=1)
    contracts: tuple[Contract, ...] = Field(min_length=1)
    tariffs: tuple[Tariff, ...] = ()
    """What grid companies charge at the meters, beside the contracts."""
    batteries: tuple[Battery, ...] = ()
    fleets: tuple[Fleet, ...] = Field(min_length=1)
    external_apis: tuple[ExternalApi, ...] = ()
    models: tuple[Model, ...] = Field(min_length=1)
    tiers: tuple[Tier, ...] = Field(min_length=1)
    workloads: tuple[Workload, ...] = Field(min_length=1)
    budgets: tuple[Budget, ...] = ()
    """What requests may use in a window, in money or energy; none: value and cost alone decide."""
    restraint: tuple[Restraint, ...] = ()
    """Limits that `economics` holds against what the tiers do today."""
    growth: Growth | None = None
    """The path of users; null: no path is drawn."""
    presets: tuple[Name, ...] = ()
    """Published figures of others to show beside our own, by name; never used as defaults."""
    observe: Observe | None = None
    """Engines to watch and live prices; null: only what the command line names is watched."""
    serve: Serve | None = None
    """The gateway; null: simulated servers, one tenant without a key, the tiers' own prices."""
    carbon_price: CarbonPrice | None = None
    """The company's own price of carbon; null: carbon is counted and moves nothing."""
    outages: tuple[Outage, ...] = ()
    """What breaks in a simulation."""
    plan: Planning | None = None
    """What `tokenergy plan` may build and sign; null: nothing."""
    operating_points: str | None = Field(default=None, min_length=1)
    """Path of the table that `tokenergy operating-points --out` wrote, relative to the company
    file: what one replica does within each tier's limits; null: computed from the catalogue."""
    calibration: str | None = Field(default=None, min_length=1)
    """Path of measured points that `tokenergy calibrate --out` wrote, relative to the company file:
    what was measured of your own replicas corrects what is predicted of them; null: no points."""
    history_days: Positive = 28.0
    """Days of series before the horizon that policies learn from; at least 7."""

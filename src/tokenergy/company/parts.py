"""What could be understood of a company file: all of it, or the rest beside the faults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tokenergy.company.battery import Battery
from tokenergy.company.budget import Budget
from tokenergy.company.carbon import CarbonPrice
from tokenergy.company.company import Company
from tokenergy.company.contract import Contract
from tokenergy.company.fleet import ExternalApi, Fleet, Model
from tokenergy.company.growth import Growth, MixStep
from tokenergy.company.horizon import Horizon
from tokenergy.company.observe import Observe
from tokenergy.company.outage import Outage
from tokenergy.company.planning import PLANNED, Planning
from tokenergy.company.restraint import Restraint
from tokenergy.company.serve import Serve
from tokenergy.company.site import Network, Region, Site
from tokenergy.company.tariff import Tariff
from tokenergy.company.tier import Tier, Workload

SECTIONS: Final = (
    "regions", "sites", "contracts", "tariffs", "batteries", "fleets", "external_apis", "models",
    "tiers", "workloads", "budgets",
)  # fmt: skip
"""The lists of a company file, each of things with a name."""
NAMELESS: Final = ("restraint", "presets", "outages")
"""Its lists of things that only refer to others."""
WITH_ID: Final = frozenset({"contracts", "tariffs"})
"""Sections whose things are called by an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The readable items of a company, where they stood, and the names of the unreadable ones.

    Attributes:
        horizon: None if it could not be read.
        positions: by section, where each kept item stood in the file.
        broken: by section and place, the words that could be read of each dropped item.
        growth: None if there is none, or if it could not be read.
        grows: whether the file states growth, readable or not.
        mix: steps of growth's model mix, each with its path: what could be read of them.
        observe: None if there is none, or if it could not be read.
        serve: None if there is none, or if it could not be read.
        carbon_price: None if there is none, or if it could not be read.
        plan: None if there is none, or if it could not be read.
        planned: sizes and scenarios of the plan, each with its path: what could be read of them.
        operating_points: path of the table, None if none is named.
        calibration: path of measured points, None if none is named.
        unread: sections that could not be read at all: nothing is said about their names.
    """

    currency: str
    seed: int
    history_days: float
    horizon: Horizon | None
    network: Network
    regions: tuple[Region, ...] = ()
    sites: tuple[Site, ...] = ()
    contracts: tuple[Contract, ...] = ()
    tariffs: tuple[Tariff, ...] = ()
    batteries: tuple[Battery, ...] = ()
    fleets: tuple[Fleet, ...] = ()
    external_apis: tuple[ExternalApi, ...] = ()
    models: tuple[Model, ...] = ()
    tiers: tuple[Tier, ...] = ()
    workloads: tuple[Workload, ...] = ()
    budgets: tuple[Budget, ...] = ()
    restraint: tuple[Restraint, ...] = ()
    presets: tuple[str, ...] = ()
    outages: tuple[Outage, ...] = ()
    growth: Growth | None = None
    grows: bool = False
    mix: tuple[tuple[str, MixStep], ...] = ()
    observe: Observe | None = None
    serve: Serve | None = None
    carbon_price: CarbonPrice | None = None
    plan: Planning | None = None
    planned: tuple[tuple[str, Any], ...] = ()
    operating_points: str | None = None
    calibration: str | None = None
    positions: Mapping[str, tuple[int, ...]]
    broken: Mapping[str, Mapping[int, Mapping[str, str]]]
    unread: frozenset[str]

    @classmethod
    def of(cls, company: Company) -> "Parts":
        """Return the parts of a company that was read whole."""
        sections: dict[str, Any] = {name: getattr(company, name) for name in (*SECTIONS, *NAMELESS)}
        growth = company.growth
        return cls(
            currency=company.currency,
            seed=company.seed,
            history_days=company.history_days,
            horizon=company.horizon,
            network=company.network,
            observe=company.observe,
            serve=company.serve,
            carbon_price=company.carbon_price,
            plan=company.plan,
            planned=tuple(
                (plan_path(section, at), item)
                for section in PLANNED
                for at, item in enumerate(getattr(company.plan, section, ()))
            ),
            operating_points=company.operating_points,
            calibration=company.calibration,
            growth=growth,
            grows=growth is not None,
            mix=tuple((mix_path(at), step) for at, step in enumerate(growth.model_mix))
            if growth
            else (),
            positions={name: tuple(range(len(items))) for name, items in sections.items()},
            broken={},
            unread=frozenset(),
            **sections,
        )

    def placed(self, section: str) -> Iterator[tuple[str, Any]]:
        """Yield the path and the item of everything kept in a section."""
        items = getattr(self, section)
        for position, item in zip(self.positions[section], items, strict=True):
            yield f"{section}[{position}]", item

    def open_sizes(self, section: str) -> Iterator[tuple[str, Any]]:
        """Yield the path and the item of everything that could be read of a list of the plan."""
        for path, item in self.planned:
            if path.startswith(f"plan.{section}["):
                yield path, item

    def lost(self, section: str) -> Mapping[int, Mapping[str, str]]:
        """Return the words of the dropped items of a section, by place."""
        return self.broken.get(section, {})

    def named(self, section: str) -> tuple[tuple[int, str], ...]:
        """Return place and name of every item whose name could be read, in order."""
        word = name_word(section)
        items = zip(self.positions[section], getattr(self, section), strict=True)
        found = [(position, name_of(item)) for position, item in items]
        found += [(at, words[word]) for at, words in self.lost(section).items() if word in words]
        return tuple(sorted(found))

    def names(self, section: str) -> tuple[str, ...]:
        """Return every name of a section that could be read, of dropped items too."""
        return tuple(name for _, name in self.named(section))

    def knows_all(self, section: str) -> bool:
        """Tell whether every name of a section could be read."""
        word = name_word(section)
        return section not in self.unread and all(
            word in words for words in self.lost(section).values()
        )

    def find(self, section: str, name: str) -> Any | None:
        """Return the first readable item of that name, or None."""
        return next((item for item in getattr(self, section) if name_of(item) == name), None)


def mix_path(position: int) -> str:
    """Return where a step of growth's model mix stands."""
    return f"growth.model_mix[{position}]"


def plan_path(section: str, position: int) -> str:
    """Return where an item of a list of the plan stands."""
    return f"plan.{section}[{position}]"


def name_word(section: str) -> str:
    """Return the key of a name: contracts and tariffs have an id, everything else a name."""
    return "id" if section in WITH_ID else "name"


def name_of(item: Any) -> str:
    """Return what an item is called."""
    return str(item.id if hasattr(item, "id") else item.name)

"""Which series a company names: where each stands, for whom it is, and of what."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tokenergy.company.parts import Parts
from tokenergy.files.plausible import Quantity

SERIES: Final = "series"
"""The field of `Inputs` for every series that has none of its own."""
OF_CONTRACT: Final[dict[str, tuple[tuple[str, Quantity], ...]]] = {
    "ppa_baseload": (("shape", "share"), ("shortfall", "share")),
    "ppa_virtual": (("hub_price", "price"),),
    "on_site": (("fuel_usd_per_mmbtu", "fuel"),),
    "cfe": (("grid_cfe_share", "share"),),
    "demand_response": (("baseline_mw", "load"),),
}
"""Series of a kind of contract beside its profile, and what they hold."""
WITH_PROFILE: Final = frozenset({"ppa_as_produced", "ppa_virtual", "colocation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One series that the company names.

    Attributes:
        path: where it stands in the file.
        owner: whose it is: the key in its field of `Inputs`.
        into: that field.
        source: a number, a column of a file, or the synthetic feed.
        quantity: what it holds.
        market: the market zone of a price, else "".
    """

    path: str
    owner: str
    into: str
    source: Any
    quantity: Quantity
    market: str = ""


def wanted_series(parts: Parts) -> Iterator[Wanted]:
    """Yield the series of sites, contracts and tariffs, and those that workloads follow."""
    for path, site in parts.placed("sites"):
        yield from _of_site(path, site)
    for path, contract in parts.placed("contracts"):
        yield from _of_contract(path, contract)
    for path, tariff in parts.placed("tariffs"):
        for position, item in enumerate(tariff.coincident):
            if item.system_load is not None:
                yield Wanted(
                    path=f"{path}.coincident[{position}].system_load",
                    owner=f"{tariff.id}.{item.name}.system_load",
                    into=SERIES,
                    source=item.system_load,
                    quantity="load",
                )
    for path, workload in parts.placed("workloads"):
        if workload.arrivals.series is not None:
            yield Wanted(
                path=f"{path}.arrivals.series",
                owner=workload.name,
                into="requests_per_s",
                source=workload.arrivals.series,
                quantity="rate" if workload.arrivals.mean_requests_per_s is None else "shape",
            )
    yield from _of_scenarios(parts)


def _of_scenarios(parts: Parts) -> Iterator[Wanted]:
    """Yield the prices that the plan's scenarios name, so that each covers the horizon."""
    for path, scenario in parts.open_sizes("scenarios"):
        for name, source in scenario.prices.items():
            site = parts.find("sites", name)
            yield Wanted(
                path=f"{path}.prices.{name}",
                owner=f"plan:{scenario.name}:{name}",
                into=SERIES,
                source=source,
                quantity="price",
                market="" if site is None else site.market.zone,
            )


def _of_site(path: str, site: Any) -> Iterator[Wanted]:
    yield Wanted(
        path=f"{path}.market.price",
        owner=site.name,
        into="price_usd_per_mwh",
        source=site.market.price,
        quantity="price",
        market=site.market.zone,
    )
    if site.outdoor_c is not None:
        yield Wanted(
            path=f"{path}.outdoor_c",
            owner=site.name,
            into="outdoor_c",
            source=site.outdoor_c,
            quantity="temperature",
        )
    for field in ("average_kg_per_mwh", "marginal_kg_per_mwh"):
        source = getattr(site.carbon, field, None)
        if source is not None:
            yield Wanted(
                path=f"{path}.carbon.{field}",
                owner=f"{site.name}.{field}",
                into=SERIES,
                source=source,
                quantity="carbon",
            )


def _of_contract(path: str, contract: Any) -> Iterator[Wanted]:
    if contract.kind in WITH_PROFILE:
        yield Wanted(
            path=f"{path}.profile",
            owner=contract.id,
            into="profile_share",
            source=contract.profile,
            quantity="profile",
        )
    for field, quantity in OF_CONTRACT.get(contract.kind, ()):
        yield Wanted(
            path=f"{path}.{field}",
            owner=f"{contract.id}.{field}",
            into=SERIES,
            source=getattr(contract, field),
            quantity=quantity,
        )

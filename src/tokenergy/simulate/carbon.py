"""The carbon of a run in three ledgers, side by side and never summed with each other.

`location`: import x the grid's average. `marginal`: import x what one MWh more emits.
`market`: what was imported less clean deliveries and certificates, at the residual mix, over the
whole horizon and never below zero. What a plant on site burns is the company's own (scope 1) and
stands beside each. A ledger that a site's file does not feed is unknown, for the whole company:
a part of a sum is not told as the sum.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tokenergy.company.carbon import CarbonLedger
from tokenergy.company.contract import Cfe, OnSite, Rec
from tokenergy.company.settle import delivered_mwh
from tokenergy.dispatch.carbon import grid_kg_per_mwh
from tokenergy.dispatch.world import World
from tokenergy.simulate.bill import Meters, company_of
from tokenergy.simulate.run import Run

LEDGERS: tuple[CarbonLedger, ...] = ("location", "market", "marginal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon:
    """Kilograms of CO2 equivalent of one run; None where the file does not say enough.

    Attributes:
        location_kg, market_kg, marginal_kg: of power from the grid, three ways to count it.
        on_site_kg: of fuel burnt on site; 0 without a plant.
        by_site: the same by site.
    """

    location_kg: float | None
    market_kg: float | None
    marginal_kg: float | None
    on_site_kg: float | None
    by_site: Mapping[str, Mapping[str, float | None]]

    def to_dict(self) -> dict[str, Any]:
        """Return the ledgers as a JSON-ready mapping."""
        return asdict(self)


def carbon(world: World, run: Run) -> Carbon | None:
    """Return the three ledgers of a run; None where no site states what its grid emits."""
    company = company_of(world)
    if company is None or all(site.carbon is None for site in company.sites):
        return None
    by_site = {
        site.name: {
            **{f"{ledger}_kg": _grid_kg(world, run, at, ledger) for ledger in LEDGERS},
            "on_site_kg": _on_site_kg(world, run, at),
        }
        for at, site in enumerate(company.sites)
    }
    total = {
        name: _sum_if_known([figures[name] for figures in by_site.values()])
        for name in (*(f"{ledger}_kg" for ledger in LEDGERS), "on_site_kg")
    }
    return Carbon(by_site=by_site, **total)


def _sum_if_known(parts_kg: list[float | None]) -> float | None:
    known = [kg for kg in parts_kg if kg is not None]
    return sum(known) if len(known) == len(parts_kg) else None


def _grid_kg(world: World, run: Run, site: int, ledger: CarbonLedger) -> float | None:
    rate = grid_kg_per_mwh(world.company.sites[site], world.inputs, ledger)
    if rate is None:
        return None
    kg_per_mwh = rate[world.first : world.last]
    drawn_kg = float(kg_per_mwh @ run.import_mwh[site])
    if ledger != "market":
        return drawn_kg
    drawn_mwh = float(run.import_mwh[site].sum())
    if drawn_mwh <= 0.0:
        return 0.0
    claimed_mwh = _claimed_mwh(world, run, site)
    return drawn_kg * max(0.0, 1.0 - claimed_mwh / drawn_mwh)


def _claimed_mwh(world: World, run: Run, site: int) -> float:
    """Return clean MWh that contracts and certificates claim at a site, each source once.

    Sources are what the site's `cfe` and `rec` contracts name as theirs; certificates beyond
    them are what a `rec` contract has to buy.
    """
    name = world.company.sites[site].name
    sources: set[str] = set()
    share = 0.0
    for contract in world.company.contracts:
        if contract.site == name and isinstance(contract, Cfe):
            sources |= set(contract.sources)
        elif contract.site == name and isinstance(contract, Rec):
            sources |= set(contract.bundled)
            share = max(share, contract.load_share)
    meters = Meters(world, run, begin=world.first)
    made_mwh = math.fsum(
        mwh
        for contract in world.company.contracts
        if contract.id in sources
        for mwh in delivered_mwh(contract, meters.of_contract(contract))
    )
    return max(made_mwh, share * float(run.load_mwh[site].sum()))


def _on_site_kg(world: World, run: Run, site: int) -> float | None:
    """Return what fuel burnt at a site emits; None where a plant does not state its fuel's."""
    plants = {c.id: c for c in world.company.contracts if isinstance(c, OnSite)}
    total_kg = 0.0
    for at, generator in enumerate(world.generators):
        if generator.site != site:
            continue
        plant = plants[generator.contract_id]
        if plant.fuel_kg_per_mmbtu is None:
            return None
        made_mwh = float(run.generate_mwh[at].sum())
        total_kg += made_mwh * plant.heat_rate_mmbtu_per_mwh * plant.fuel_kg_per_mmbtu
    return total_kg

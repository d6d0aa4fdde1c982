"""Where a plan's money goes: every dollar of the optimum at a site, a fleet, an API, or lost work.

The sum of all lines is the plan's cost. Power and what stands for it (connection, batteries,
contracts, plants) belong to sites; GPUs to fleets; network, lost quality and list prices to
deployments; refused work to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tokenergy.company.company import Company
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.columns import own_deployments
from tokenergy.dispatch.supply import FloatArray, IntArray
from tokenergy.dispatch.world import State, World
from tokenergy.lp.solution import Solution
from tokenergy.plan.candidates import annual_usd
from tokenergy.plan.capital import capital_usd_per_year
from tokenergy.plan.program import PlanProgram
from tokenergy.plan.sized_company import company_at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Money:
    """A plan's cost over its horizon by where it falls, USD.

    Attributes:
        power_usd: running cost of power by site [S]: bought less sold, contracts, tariffs, wear.
        works_usd: annuities of connections, batteries and plants by site [S].
        gpus_usd: annuities and reserved leases by fleet [F].
        running_usd: awake leases, network, lost quality and list prices by deployment [D].
        refused_usd: value of work that is refused.
        beside_usd: what belongs to no place: survival that cannot be kept, terms without a site.
    """

    power_usd: FloatArray
    works_usd: FloatArray
    gpus_usd: FloatArray
    running_usd: FloatArray
    refused_usd: float
    beside_usd: float

    @property
    def total_usd(self) -> float:
        """The plan's cost."""
        places = (self.power_usd, self.works_usd, self.gpus_usd, self.running_usd)
        return float(sum(each.sum() for each in places)) + self.refused_usd + self.beside_usd


def money_of(plan: PlanProgram, solution: Solution) -> Money:
    """Return where the money of an optimum goes."""
    world, company = plan.world, plan.company
    sizes = plan.sizes(solution.columns)
    sized = build_world(company_at(company, sizes), plan.inputs, plan.catalogue)
    paid = _Paid(plan, solution)
    power = _power_usd(plan, paid) + _fixed_usd(sized, plan)
    running = np.zeros(len(world.deployments))
    own = own_deployments(world)
    running[:own] += paid.block("awake")
    routes = np.array([route.deployment for route in world.routes], dtype=np.int64)
    np.add.at(running, routes, paid.block("serve"))
    works, gpus = _capital_usd(plan, sizes)
    refused = float(paid.block("refused").sum())
    told = float(power.sum() + works.sum() + gpus.sum() + running.sum()) + refused
    return Money(
        power_usd=power,
        works_usd=works,
        gpus_usd=gpus,
        running_usd=running,
        refused_usd=refused,
        beside_usd=solution.objective_usd - told,
    )


class _Paid:
    """What the columns of a block cost, summed over the horizon."""

    def __init__(self, plan: PlanProgram, solution: Solution) -> None:
        self._plan = plan
        self._usd = plan.numbers.costs * solution.columns

    def block(self, name: str) -> FloatArray:
        """Return USD by place of a block [m]."""
        program = self._plan.program
        block, beside = program.columns[name], program.slots_count * program.columns_per_slot
        if block.whole:
            return self._usd[beside:][block.span]
        by_slot = self._usd[:beside].reshape(program.slots_count, -1)
        return np.asarray(by_slot[:, block.span].sum(axis=0))


def _power_usd(plan: PlanProgram, paid: _Paid) -> FloatArray:
    """Return what the columns of power cost by site, those of terms included [S]."""
    world = plan.world
    every = np.arange(world.sites_count)
    places: dict[str, IntArray] = {
        **dict.fromkeys(("it", "meter_import", "meter_export", "buy", "sell"), every),
        **dict.fromkeys(
            ("charge", "discharge", "energy"), np.array(world.battery_site, dtype=np.int64)
        ),
        "take": np.array([take.site for take in world.takes], dtype=np.int64),
        "generate": np.array([plant.site for plant in world.generators], dtype=np.int64),
    }
    total = np.zeros(world.sites_count)
    for name, sites in places.items():
        np.add.at(total, sites, paid.block(name))
    owners = _sites_by_owner(plan.company, world)
    for term, added in plan.structure.terms.items():
        site = owners.get(term.contract_id, owners.get(term.contract_id.partition(".")[0]))
        if site is not None:
            total[site] += sum(float(paid.block(name).sum()) for name in added.columns)
    return total


def _sites_by_owner(company: Company, world: World) -> dict[str, int]:
    """Return the site of every contract and tariff, by the name in its bill."""
    found = {each.id: world.site_names.index(each.site) for each in company.contracts}
    return found | {each.id: world.site_names.index(each.site) for each in company.tariffs}


def _fixed_usd(sized: World, plan: PlanProgram) -> FloatArray:
    """Return by site what no decision moves, at the sizes of the plan [S].

    What belongs to no contract or tariff of a site is left to `beside_usd`.
    """
    span, total = slice(sized.first, sized.last), np.zeros(sized.sites_count)
    owners = _sites_by_owner(plan.company, sized)
    for block in sized.blocks:
        usd = block.strike_usd_per_mwh[span] @ block.delivery_mw[span]
        total[block.site] += float(usd) * sized.step_h
    for take in sized.takes:
        total[take.site] += float(take.sunk_usd_per_h[span].sum()) * sized.step_h
    for each in sized.sunk:
        if (site := owners.get(each.contract_id)) is not None:
            total[site] += float(each.usd[span].sum())
    alone = State.initial(sized)
    held = alone.energy_mwh * sized.end_value_usd_per_mwh()
    np.add.at(total, np.array(sized.battery_site, dtype=np.int64), held)
    return total


def _capital_usd(plan: PlanProgram, sizes: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
    """Return annuities over the horizon, by site [S] and by fleet [F]: chosen, then standing."""
    company, world = plan.company, plan.world
    works, gpus = np.zeros(world.sites_count), np.zeros(len(world.fleets))
    fleets = [each.name for each in world.fleets]

    def add(kind: str, name: str, site: str, usd_per_year: float) -> None:
        if kind == "fleet":
            gpus[fleets.index(name)] += usd_per_year * plan.years
        else:
            works[world.site_names.index(site)] += usd_per_year * plan.years

    yearly = annual_usd(plan.candidates, sizes)
    for each in plan.candidates:
        add(each.kind, each.noun, each.site, yearly[each.name])
    chosen = {f"{each.kind} {each.noun}" for each in plan.candidates}
    owners = {f"site {each.name}": each.name for each in company.sites}
    owners |= {f"battery {each.name}": each.site for each in company.batteries}
    owners |= {f"contract {each.id}": each.site for each in company.contracts}
    for noun, usd in capital_usd_per_year(company).items():
        if noun not in chosen:
            kind, _, name = noun.partition(" ")
            add(kind, name, owners.get(noun, ""), usd)
    return works, gpus

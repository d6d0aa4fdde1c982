"""A plan carried out: the company with its sizes, opened as from its file, and run with foresight.

The clairvoyant of that company, annuities beside it, has to come to what the plan said: two ways to
one figure, and the second is the one that `simulate` takes on the written file. Where the horizon
is too long to be solved again, the plan's own dispatch is run there instead (`carried_out`): its
meters and bills are worked out anew, its optimum is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import fsum
from typing import Any, Final

from tokenergy.api.carried_out import CLAIRVOYANT, CarriedOut
from tokenergy.api.earned import mean_marginal_usd_per_mtok
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.plan_search import Found
from tokenergy.api.simulating import run_full_cost, simulate
from tokenergy.company.company import Company
from tokenergy.economics.attribution import WorkloadCost, attribute, bill_by_site
from tokenergy.economics.unit_cost import FullCost, capital_rent
from tokenergy.files import company_file
from tokenergy.plan.sized_company import LEAST_BUILT, built_company, company_at
from tokenergy.simulate.account import Account, account
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run

AGAIN_ROWS: Final = 60_000
"""Rows of the plan's program up to which the built company is solved again: a minute or two."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AsBuilt:
    """What the planned company does over the horizon, with perfect foresight.

    Attributes:
        company: the planned company, opened.
        run: what it did, interval by interval.
        spent: what that cost, in parts and by line of the bill.
        solved_again: whether it is the clairvoyant's own run, or the plan's dispatch carried out.
        full: full cost of its tokens, with every annuity of the plan.
        workloads: what the tokens of each workload cost, on the usage basis and at the margin.
        marginal_usd_per_mtok: mean over the tokens of what one more cost when they came; None
            where none was served.
    """

    company: OpenCompany
    run: Run
    spent: Account
    solved_again: bool
    full: FullCost
    workloads: tuple[WorkloadCost, ...]
    marginal_usd_per_mtok: float | None

    @property
    def clairvoyant_usd(self) -> float:
        """What the run costs, capital aside, as `simulate` counts it."""
        return self.spent.cost_usd

    def bill(self) -> list[dict[str, Any]]:
        """Return the bill by contract and component, JSON-ready."""
        amounts: dict[tuple[str, str], list[float]] = {}
        for line in self.spent.lines:
            amounts.setdefault((line.contract_id, line.component), []).append(line.amount_usd)
        return [
            {"contract_id": contract_id, "component": component, "amount_usd": fsum(usd)}
            for (contract_id, component), usd in amounts.items()
        ]


def built_of(found: Found) -> Company | None:
    """Return the company that stands when a plan is carried out; None: it builds none at all."""
    company, sizes = found.program.company, found.sizes
    built = company_at(company, sizes)
    sites = {site.name for site in built.sites if site.import_limit_mw > LEAST_BUILT}
    if not any(fleet.site in sites and fleet.gpu_count >= 1 for fleet in built.fleets):
        return None
    return built_company(company, sizes)


def as_built(
    company: OpenCompany,
    found: Found,
    built: Company,
    *,
    on_progress: Progress | None = None,
) -> AsBuilt:
    """Run the company of a plan.

    Args:
        company: the company that was planned.
        found: the plan.
        built: what is built of it, on the horizon of the plan.
        on_progress: told of the intervals that are done.

    Raises:
        FindingsError: if what is built is no company that runs.
    """
    opened = open_built(company, built)
    world = opened.world
    again = found.held is None or found.program.program.rows_count <= AGAIN_ROWS
    if again:
        run = simulate(opened, policies=[CLAIRVOYANT], on_progress=on_progress).runs[CLAIRVOYANT]
    else:
        assert found.held is not None
        told = None if on_progress is None else partial(on_progress, "running the plan")
        run = replay(world, CarriedOut(found, found.held, world), on_progress=told)
    paid = run_full_cost(world, run)
    spent = account(world, run)
    by_site = bill_by_site(built, spent.power_usd)
    costs = attribute(world, run, paid, power_usd_by_site=by_site)
    full = with_annuity(paid, built, annuity_usd=found.annuity_usd)
    return AsBuilt(
        company=opened,
        run=run,
        spent=spent,
        solved_again=again,
        full=full,
        workloads=costs,
        marginal_usd_per_mtok=mean_marginal_usd_per_mtok(costs, full.served_mtok),
    )


def open_built(company: OpenCompany, built: Company) -> OpenCompany:
    """Return what is built of a company, its series read and everything checked again.

    Raises:
        FindingsError: with every error.
    """
    tree = built.model_dump(mode="json")

    def planned(_: Mapping[str, Any]) -> dict[str, Any]:
        return tree

    held, inputs, catalogue, warnings = company_file.load(
        company.path, allow_unverified=company.allow_unverified, edit=planned
    )
    return replace(company, company=held, inputs=inputs, catalogue=catalogue, warnings=warnings)


def with_annuity(full: FullCost, built: Company, *, annuity_usd: float) -> FullCost:
    """Return a full cost in which all capital costs what the plan says.

    The plan also knows what opening a site costs, what each step of a queue costs, and plants on
    site; what that adds is powered capacity.
    """
    rent = capital_rent(built)
    counted_usd = rent.gpu_usd_per_h + rent.facility_usd_per_h + rent.battery_usd_per_h
    more_usd = annuity_usd - counted_usd * full.hours_h
    whole_usd = full.allocation_usd + more_usd
    powered_usd = full.powered_capacity_usd + more_usd
    some = full.served_mtok > 0.0 and whole_usd > 0.0
    return replace(
        full,
        powered_capacity_usd=powered_usd,
        allocation_usd=whole_usd,
        usage_usd=full.usage_usd + more_usd,
        allocation_usd_per_mtok=whole_usd / full.served_mtok if some else None,
        usage_usd_per_mtok=(full.usage_usd + more_usd) / full.served_mtok if some else None,
        kwh_share=full.power_usd / whole_usd if some else None,
        powered_capacity_share=powered_usd / whole_usd if some else None,
        silicon_share=full.silicon_usd / whole_usd if some else None,
    )

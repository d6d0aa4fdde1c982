"""How wrong a plan can be: a plan for every world, and every plan held in every other world."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.plan_search import from_inside, search
from tokenergy.api.scenario_workers import Stopped, Told, Workers, workers
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.check import check_company
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.inputs import Inputs
from tokenergy.company.planning import Scenario
from tokenergy.errors import FindingsError, InfeasibleProgram, SolverFailure
from tokenergy.files import company_file
from tokenergy.files.series import read_inputs
from tokenergy.plan.program import PlanProgram, plan_program
from tokenergy.plan.regret import Regrets, Spread, regrets_of, spread_of
from tokenergy.plan.scenario import (
    is_as_written,
    probability_shares,
    reads_series,
    scenario_company,
    scenario_inputs,
    worlds_of,
)
from tokenergy.plan.whole import model_of

if TYPE_CHECKING:
    from tokenergy.plan.long import LongPlan

PLANNING: Final = "plans of scenarios"
HOLDING: Final = "plans in other worlds"
"""What `on_progress` is told of."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosedWorld:
    """One world as a worker gets it: everything that its plan needs, nothing to be read.

    Attributes:
        scenario: what is other in it.
        company, inputs, catalogue: of that world.
        hours_h: how much of the horizon; None: all of it.
        gap_share: bounds this close end a search.
    """

    scenario: Scenario
    company: Company
    inputs: Inputs
    catalogue: Catalogue
    hours_h: float | None
    gap_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPlan:
    """The plan that is made for one world.

    Attributes:
        name: of the world.
        sizes: every candidate's size, in its unit.
        cost_usd: what it costs in its own world, all capital in it.
        lower_usd: no sizes cost less there: proved.
        asked_mtok: tokens that are asked for in that world.
    """

    name: str
    sizes: Mapping[str, float]
    cost_usd: float
    lower_usd: float
    asked_mtok: float

    @property
    def gap_share(self) -> float:
        """How far the bounds lie apart, of the cost (of 1 USD where that is less)."""
        return max(0.0, self.cost_usd - self.lower_usd) / max(1.0, abs(self.cost_usd))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a JSON-ready mapping."""
        return {
            "name": self.name,
            "sizes": dict(self.sizes),
            "cost_usd": self.cost_usd,
            "lower_bound_usd": self.lower_usd,
            "gap_share": self.gap_share,
            "asked_mtok": self.asked_mtok,
            "usd_per_asked_mtok": self.cost_usd / self.asked_mtok if self.asked_mtok else None,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Fan:
    """Plans for many worlds, and what each costs in all of them.

    Attributes:
        scenarios: the worlds, the file's own first where no scenario is it.
        plans: the plan of each world.
        regrets: every plan in every world.
        foreseen: the spread of what each world's own plan costs there: what no plan beats that
            does not know which world comes.
    """

    scenarios: tuple[Scenario, ...]
    plans: tuple[WorldPlan, ...]
    regrets: Regrets
    foreseen: Spread

    def careful(self) -> WorldPlan | None:
        """Return the plan whose worst regret is least; None where every plan fails somewhere."""
        names = self.regrets.careful
        return next((plan for plan in self.plans if names and plan.name == names[0]), None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as one JSON-ready object; keys carry units."""
        return {
            "scenarios": [
                scenario.model_dump(mode="json", exclude_defaults=True)
                for scenario in self.scenarios
            ],
            "plans": [plan.to_dict() for plan in self.plans],
            "foreseen": {
                "mean_usd": self.foreseen.mean_usd,
                "p10_usd": self.foreseen.p10_usd,
                "p90_usd": self.foreseen.p90_usd,
                "cvar95_usd": self.foreseen.cvar95_usd,
                "worst_usd": self.foreseen.worst_usd,
            },
            "regrets": self.regrets.to_dict(),
        }


def run_scenarios(
    company: OpenCompany,
    *,
    hours: float | None = None,
    gap_share: float = 1e-3,
    processes: int | None = None,
    dask: str | None = None,
    stop: Callable[[], bool] | None = None,
    on_progress: Progress | None = None,
) -> Fan | None:
    """Plan for every world of the file's scenarios, and hold every plan in every world.

    What is held is sizes: GPUs, megawatts, contracts. Dispatch answers each world with foresight;
    the budget, which a plan kept in its own world, does not bind where prices turned out higher.

    Args:
        company: with a section `plan`; without scenarios its own world is the only one.
        hours: how much of the horizon; None: all of it.
        gap_share: bounds this close end each search.
        processes: of this machine; None: one per core, 1: none beside this one.
        dask: address of a running Dask cluster that does the work instead.
        stop: asked all along whether to give up.
        on_progress: told what is done of which part.

    Returns:
        The fan, or None if it was stopped before it was done: half a matrix tells nothing.

    Raises:
        FindingsError: with everything wrong with the scenarios, or those that have no plan.
        InputError: if there is nothing to plan, or no such workers.
    """
    worlds = posed_worlds(company, hours=hours, gap_share=gap_share)
    asked = stop or (lambda: False)
    try:
        with workers(processes=processes, dask=dask) as crew:
            found = crew(plan_world, worlds, stop=asked, told=_told(on_progress, PLANNING))
            plans = _all_planned(company, worlds, found)
            costs = _matrix(crew, worlds, plans, asked, _told(on_progress, HOLDING))
    except Stopped:
        return None
    scenarios = tuple(world.scenario for world in worlds)
    shares = probability_shares(scenarios)
    regrets = regrets_of([scenario.name for scenario in scenarios], costs, shares)
    return Fan(
        scenarios=scenarios,
        plans=plans,
        regrets=regrets,
        foreseen=spread_of(regrets.best_usd, shares),
    )


def posed_worlds(
    company: OpenCompany, *, hours: float | None, gap_share: float
) -> tuple[PosedWorld, ...]:
    """Return every world with its own company and series.

    Raises:
        FindingsError: with everything that keeps a scenario from being one, all at once.
    """
    planning = company.company.plan
    stated = () if planning is None else planning.scenarios
    worlds, findings = [], list[Finding]()
    for scenario in worlds_of(planning):
        made = scenario_company(company.company, scenario)
        inputs: Inputs | None = company.inputs
        if not is_as_written(scenario):
            found: tuple[Finding, ...] = tuple(check_company(made, company.catalogue))
            if reads_series(scenario) and not errors_of(found):
                inputs, found = read_inputs(made, folder=company.path.parent)
            at = stated.index(scenario)
            findings += [_of_scenario(finding, at, scenario) for finding in errors_of(found)]
        if inputs is None:
            continue
        worlds.append(
            PosedWorld(
                scenario=scenario,
                company=made,
                inputs=scenario_inputs(made, inputs, scenario),
                catalogue=company.catalogue,
                hours_h=hours,
                gap_share=gap_share,
            )
        )
    if findings:
        raise FindingsError(company_file.placed(findings, company.path))
    return tuple(worlds)


def _of_scenario(finding: Finding, at: int, scenario: Scenario) -> Finding:
    """Return a finding about a world as one about the scenario that makes it."""
    return replace(
        finding,
        path=f"plan.scenarios[{at}]",
        reason=f"scenario {scenario.name}: {finding.path}: {finding.reason}",
    )


def plan_world(world: PosedWorld) -> WorldPlan | None:
    """Return the plan of a world; None where its company has none (a worker calls this)."""
    program = plan_program(world.company, world.inputs, world.catalogue, hours=world.hours_h)
    try:
        found = search(program, gap_share=world.gap_share, clock=time.monotonic, processes=1)
    except InfeasibleProgram:
        return None
    return WorldPlan(
        name=world.scenario.name,
        sizes=dict(found.sizes),
        cost_usd=found.cost_usd,
        lower_usd=found.lower_usd,
        asked_mtok=float(program.window.arrivals_mtok.sum()),
    )


def hold_in_world(task: tuple[PosedWorld, tuple[Mapping[str, float], ...]]) -> list[float]:
    """Return what each of several sizes costs in a world, USD; infinite where they cannot carry it.

    A worker calls this.
    """
    world, several = task
    planning = world.company.plan
    assert planning is not None  # sizes come from it
    unlimited = planning.model_copy(update={"budget_usd": None})
    company = world.company.model_copy(update={"plan": unlimited})
    program = plan_program(company, world.inputs, world.catalogue, hours=world.hours_h)
    if from_inside(program):
        from tokenergy.plan.long import LongPlan

        laid = LongPlan(program)
        return [held_usd(laid, sizes) for sizes in several]
    return _held_as_one_usd(program, several)


def _held_as_one_usd(program: PlanProgram, several: Sequence[Mapping[str, float]]) -> list[float]:
    """Hold one plan after the other in the solver, each from the basis of the one before."""
    model, costs = None, list[float]()
    for sizes in several:
        lower, upper = program.held_at(sizes)
        held = replace(program.numbers, lower=lower, upper=upper)
        if model is None:
            model = model_of(replace(program, numbers=held))
        else:
            model.set_costs_and_bounds(held.costs, lower, upper)
        try:
            costs.append(model.solve().objective_usd)
        except InfeasibleProgram:
            costs.append(float("inf"))
            model = None  # the next begins anew, not from what was no answer
    return costs


def held_usd(laid: "LongPlan", sizes: Mapping[str, float]) -> float:
    """Return what a large world costs with every size held; infinite where they cannot carry it."""
    try:
        return laid.held(sizes).upper_usd
    except SolverFailure:
        return float("inf")


def _matrix(
    crew: Workers,
    worlds: tuple[PosedWorld, ...],
    plans: tuple[WorldPlan, ...],
    stop: Callable[[], bool],
    told: Told,
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return the cost of plan p in world w [P, W]; a world's own plan was solved already."""
    tasks = [
        (world, tuple(plan.sizes for at, plan in enumerate(plans) if at != own))
        for own, world in enumerate(worlds)
    ]
    columns = crew(hold_in_world, tasks, stop=stop, told=told)
    costs = np.empty((len(plans), len(worlds)))
    for own, (plan, column) in enumerate(zip(plans, columns, strict=True)):
        costs[:, own] = np.insert(np.array(column, dtype=float), own, plan.cost_usd)
    return costs


def _all_planned(
    company: OpenCompany, worlds: tuple[PosedWorld, ...], found: list[WorldPlan | None]
) -> tuple[WorldPlan, ...]:
    """Return the plans.

    Raises:
        FindingsError: naming every world that has none.
    """
    planning = company.company.plan
    stated = () if planning is None else planning.scenarios
    missing = [
        Finding(
            code="SCENARIO_WITHOUT_PLAN",
            path=f"plan.scenarios[{stated.index(world.scenario)}]"
            if world.scenario in stated
            else "plan",
            value=world.scenario.name,
            reason=f"no sizes within their ranges carry what the world {world.scenario.name} "
            "asks for",
            remedy="Allow more (most_mw, most_count, budget_usd), or let a tier be refused there",
        )
        for world, plan in zip(worlds, found, strict=True)
        if plan is None
    ]
    if missing:
        raise FindingsError(company_file.placed(missing, company.path))
    return tuple(plan for plan in found if plan is not None)


def _told(on_progress: Progress | None, what: str) -> Told:
    def told(done: int, of: int) -> None:
        if on_progress is not None:
            on_progress(what, done, of)

    return told

"""A plan solved as one program: its optimum, proved by its own duals, and its sizes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.solve import Optimum
from tokenergy.errors import InfeasibleProgram
from tokenergy.lp.certificate import Posed
from tokenergy.lp.check import activity_of
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import FloatArray
from tokenergy.lp.solution import Solution
from tokenergy.plan.branch import Told, choose_whole
from tokenergy.plan.program import PlanProgram

SIMPLEX_ROWS = 8_000
"""Rows above which a cold solve starts by interior point with crossover: 168 h of Meridian's plan
(17 k rows) take 6 s by it and 12 s by simplex."""
FREE_USD = 1e-9
"""What a unit of a size may cost over the horizon and be free."""
WHOLE_GAP_SHARE = 1e-4
"""How far whole steps may lie above their proved bound where nothing else is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholeAnswer:
    """The optimum of a plan, and the model that found it, kept for questions about it.

    Attributes:
        plan: the program.
        model: the solver's model, at the optimum's basis.
        solution: the optimum over all sizes.
        sizes: every candidate's size, in its unit: GPUs may be broken numbers.
        lower_usd: no sizes cost less: proved by duals, and by the tree where there are steps.
    """

    plan: PlanProgram
    model: LinearModel
    solution: Solution
    sizes: Mapping[str, float]
    lower_usd: float

    @property
    def optimum(self) -> Optimum:
        """The optimum in the order of time."""
        return self.plan.optimum(self.solution)


def solve_whole(
    plan: PlanProgram, *, gap_share: float = WHOLE_GAP_SHARE, told: Told | None = None
) -> WholeAnswer:
    """Solve a plan's program as one.

    Args:
        plan: the program.
        gap_share: how far whole steps may lie above what is proved; without steps the optimum is
            proved whatever this says.
        told: told (lower bound, best plan) while whole steps are chosen.

    Raises:
        InfeasibleProgram: if no sizes carry fixed load, contracts, targets and budget.
        UnboundedProgram: if some contract pays without end.
        SolverFailure: if no answer of the solver passes our check.
    """
    model, numbers = model_of(plan), plan.numbers
    if plan.integers.size and not _dispatch_is_whole(plan):
        branched = choose_whole(
            model,
            plan.integers,
            costs=numbers.costs,
            lower=numbers.lower,
            upper=numbers.upper,
            gap_share=gap_share,
            told=told,
        )
        solution, lower_usd = branched.solution, branched.lower_usd
    else:
        solution = model.solve()
        lower_usd = solution.objective_usd
    scale_usd = max(1.0, abs(solution.objective_usd))
    loose_share = max(solution.gap_share, solution.integer_gap_share)
    return WholeAnswer(
        plan=plan,
        model=model,
        solution=solution,
        sizes=plan.sizes(leanest(plan, model.posed(), solution.columns)),
        lower_usd=lower_usd - loose_share * scale_usd,
    )


def leanest(plan: PlanProgram, posed: Posed, columns: FloatArray) -> FloatArray:
    """Return an optimum without what costs nothing and is of no use, the sizes as small as can be.

    A contract that is paid only for what is taken is free to sign: of all sizes that cost the same
    the smallest is told. One after the other, each falls until a row holds it.
    """
    lean, at = columns.copy(), plan.columns_of("unbuilt")
    free = [k for k, usd in enumerate(posed.costs[at]) if abs(usd) <= FREE_USD]
    if not free:
        return lean
    activity = activity_of(posed.matrix, lean)
    starts = np.searchsorted(posed.matrix.columns, np.append(at, at[-1] + 1))
    for k in free:
        mine = slice(starts[k], starts[k + 1])
        rows, values = posed.matrix.rows[mine], posed.matrix.values[mine]
        bound = np.where(values > 0.0, posed.row_upper[rows], posed.row_lower[rows])
        with np.errstate(invalid="ignore", divide="ignore"):
            room = np.where(values != 0.0, (bound - activity[rows]) / values, np.inf)
        most = min(float(room.min(initial=np.inf)), float(posed.upper[at[k]] - lean[at[k]]))
        if most > 0.0:
            lean[at[k]] += most
            activity[rows] += values * most
    return lean


def _dispatch_is_whole(plan: PlanProgram) -> bool:
    """Tell whether plants that commit are in it: then the solver's own tree has to choose."""
    return plan.structure.integers() is not None


def model_of(plan: PlanProgram) -> LinearModel:
    """Return the solver's model of a plan."""
    numbers = plan.numbers
    rows_count = plan.program.rows_count
    return LinearModel(
        plan.program.matrix(),
        costs=numbers.costs,
        lower=numbers.lower,
        upper=numbers.upper,
        row_lower=numbers.row_lower,
        row_upper=numbers.row_upper,
        offset_usd=plan.offset_usd,
        solver="simplex" if rows_count < SIMPLEX_ROWS else "ipx",
        integers=plan.integers if _dispatch_is_whole(plan) else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settled:
    """Sizes that can be built, and the clairvoyant dispatch of that company.

    Attributes:
        sizes: whole GPUs; what is not built is 0.
        solution: the program with all of them held; its objective is what the plan costs.
    """

    sizes: Mapping[str, float]
    solution: Solution


def settle(answer: WholeAnswer) -> Settled:
    """Make GPUs whole, let everything else fit them again, and hold what comes out.

    GPUs are rounded up; down where a budget may bind. The other sizes are chosen anew around them,
    since at an optimum each size fits the others to the last watt.

    Raises:
        InfeasibleProgram: if whole GPUs cannot stand within what the file allows.
    """
    plan, model, numbers = answer.plan, answer.model, answer.plan.numbers
    sizes = rounded(plan, answer.sizes)
    lower, upper = plan.held_at(sizes)
    at = plan.columns_of("unbuilt")
    for k, each in enumerate(plan.candidates):
        if each.unit != "GPU" and each.step is None:
            lower[at[k]], upper[at[k]] = numbers.lower[at[k]], numbers.upper[at[k]]
    model.set_costs_and_bounds(numbers.costs, lower, upper)
    try:
        fitted = model.solve()
        columns = leanest(plan, model.posed(), fitted.columns)
    finally:
        model.set_costs_and_bounds(numbers.costs, numbers.lower, numbers.upper)
    sizes = rounded(plan, plan.sizes(columns) | _whole_gpus(plan, sizes))
    try:
        held = solve_held(answer, sizes)
    except InfeasibleProgram:  # what was rounding to us was not to the program
        sizes = plan.sizes(columns) | _whole_gpus(plan, sizes)
        held = solve_held(answer, sizes)
    return Settled(sizes=sizes, solution=held)


def _whole_gpus(plan: PlanProgram, sizes: Mapping[str, float]) -> dict[str, float]:
    return {each.name: sizes[each.name] for each in plan.candidates if each.unit == "GPU"}


def solve_held(answer: WholeAnswer, sizes: Mapping[str, float]) -> Solution:
    """Return the least cost with every size held: the clairvoyant dispatch of that company.

    Raises:
        InfeasibleProgram: if these sizes cannot carry fixed load, contracts or targets.
    """
    plan, model = answer.plan, answer.model
    numbers = plan.numbers
    lower, upper = plan.held_at(sizes)
    model.set_costs_and_bounds(numbers.costs, lower, upper)
    try:
        return model.solve()
    finally:
        model.set_costs_and_bounds(numbers.costs, numbers.lower, numbers.upper)


def rounded(plan: PlanProgram, sizes: Mapping[str, float]) -> dict[str, float]:
    """Return sizes that can be built: whole GPUs, up where the budget is open, else down.

    What is within rounding of a limit or of nothing is there.
    """
    assert plan.company.plan is not None
    capped = plan.company.plan.budget_usd is not None
    found = {}
    for each in plan.candidates:
        size = sizes[each.name]
        if each.unit == "GPU":
            whole = np.floor(size + 1e-6) if capped else np.ceil(size - 1e-6)
            size = float(whole)
        elif size <= 1e-6:
            size = 0.0
        elif each.most - size <= 1e-9 * each.most:
            size = each.most
        found[each.name] = min(each.most, max(each.least, size))
    return found

"""Why no plan is possible, in the planner's words: the budget, a clean target, or the limits.

Each is told by solving again without it: what the cheapest build takes, and the most of a target
that any mix reaches. What neither explains is a limit of the company itself, at every size's most.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from tokenergy.api.opened import OpenCompany, explained_horizon
from tokenergy.api.plan_search import SIMPLEX_MOST_ROWS
from tokenergy.company.finding import Finding
from tokenergy.dispatch.structure import Numbers
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.term import block_name
from tokenergy.errors import FindingsError, InfeasibleProgram, SolverFailure, TokenergyError
from tokenergy.files import company_file
from tokenergy.lp.solution import Solution
from tokenergy.plan.candidates import Candidate
from tokenergy.plan.program import PlanProgram, plan_program
from tokenergy.plan.sized_company import company_at
from tokenergy.plan.whole import model_of
from tokenergy.units import H_PER_DAY

MISSED_USD_PER_MWH: Final = 1e6
"""What a MWh short of a clean target costs while the most that is reachable is looked for."""
ASKED_ROWS: Final = 16_000
"""Rows of the program of the first days that is asked why a long one has no answer."""
NOTHING_MWH: Final = 1e-3
NAMED_COUNT: Final = 5
"""Steps that a finding names."""


def explained_plan(
    company: OpenCompany, program: PlanProgram, error: InfeasibleProgram
) -> FindingsError:
    """Return the error that says why a company has no plan at all."""
    found = (*_budget(program), *_clean_targets(program))
    if found:
        return FindingsError(company_file.placed(found, company.path))
    most = {each.name: each.most for each in program.candidates}
    largest = replace(company, company=company_at(program.company, most))
    return explained_horizon(largest, error)


def explained(
    company: OpenCompany, program: PlanProgram, failure: InfeasibleProgram | SolverFailure
) -> TokenergyError:
    """Return why a program has no answer.

    One that is too long for simplex is asked by its first days: where their plan has no answer
    either, that says why; else it is the failure.
    """
    rows_count = program.program.rows_count
    if isinstance(failure, InfeasibleProgram) and rows_count <= SIMPLEX_MOST_ROWS:
        return explained_plan(company, program, failure)
    days = max(1.0, program.hours_h * min(1.0, ASKED_ROWS / rows_count) // H_PER_DAY)
    short = plan_program(
        program.company,
        program.inputs,
        program.catalogue,
        hours=min(program.hours_h, days * H_PER_DAY),
    )
    try:
        model_of(short).solve()
    except InfeasibleProgram as error:
        return explained_plan(company, short, error)
    return failure


def _budget(program: PlanProgram) -> Iterator[Finding]:
    """Tell a budget below what the cheapest build takes that keeps every limit."""
    planning = program.company.plan
    if planning is None or planning.budget_usd is None:
        return
    least_usd = least_capital_usd(program)
    if least_usd is None or least_usd <= planning.budget_usd:
        return
    yield Finding(
        code="PLAN_BUDGET_TOO_SMALL",
        path="plan.budget_usd",
        value=f"{planning.budget_usd:,.0f}",
        limit=f"{least_usd:,.0f}",
        unit="USD",
        reason="the budget lies below the cheapest build that carries what must be served and "
        "signed",
        remedy="Raise it to the limit at least, lease instead of buying, or let a tier be refused "
        "(must_serve: false)",
    )


def least_capital_usd(program: PlanProgram) -> float | None:
    """Return the least capital of any feasible build without a budget; None: there is none."""
    numbers = program.numbers
    costs = np.zeros_like(numbers.costs)
    costs[program.columns_of("unbuilt")] = [-c.capital_usd_per_unit for c in program.candidates]
    most_usd = sum(each.most * each.capital_usd_per_unit for each in program.candidates)
    if "opened" in program.program.columns:
        opening = [each.open_capital_usd for each in program.candidates if each.opens]
        costs[program.columns_of("opened")] = opening
    loosened = replace(numbers, costs=costs)
    solution = _solved(program, _without_budget(program, loosened))
    return None if solution is None else most_usd + float(costs @ solution.columns)


def _without_budget(program: PlanProgram, numbers: Numbers) -> Numbers:
    """Return the numbers of a program in which no budget binds."""
    if "budget" not in program.program.rows:
        return numbers
    upper = numbers.row_upper.copy()
    beside = program.program.slots_count * program.program.rows_per_slot
    upper[beside:][program.program.rows["budget"].span] = np.inf
    return replace(numbers, row_upper=upper)


def _clean_targets(program: PlanProgram) -> Iterator[Finding]:
    """Tell every clean target that no mix of what is on offer meets, with the best reachable."""
    targets = [term for term in program.structure.terms if isinstance(term, Matching)]
    strict = [term for term in targets if term.shortfall_usd_per_mwh is None]
    if not strict:
        return
    costs, upper = program.numbers.costs.copy(), program.numbers.upper.copy()
    for term in strict:
        at = program.columns_of(block_name(term, "short"))
        costs[at], upper[at] = MISSED_USD_PER_MWH, np.inf
    loose = replace(program.numbers, costs=costs, upper=upper)
    solution = _solved(program, loose)
    if solution is None:
        return
    ids = [contract.id for contract in program.company.contracts]
    for term in strict:
        missed = solution.columns[program.columns_of(block_name(term, "short"))]
        billed = solution.columns[program.columns_of(block_name(term, "billed"))]
        if missed.sum() <= NOTHING_MWH:
            continue
        reached_share = term.target_share * float((billed / (billed + missed).clip(1e-9)).min())
        yield Finding(
            code="PLAN_CLEAN_TARGET_UNREACHABLE",
            path=f"contracts[{ids.index(term.contract_id)}].target_share",
            value=f"{term.target_share:.4g}",
            limit=f"{reached_share:.4f}",
            unit="share of the load",
            reason=f"{term.contract_id}: no mix of what the plan may sign and build matches so "
            "much of the load hour by hour; the limit is the best reachable, whatever it costs",
            remedy="Lower the target, offer more or other clean contracts under plan.contracts, "
            "more storage, or state shortfall_usd_per_mwh",
        )


def _solved(program: PlanProgram, numbers: Numbers) -> Solution | None:
    """Solve a program with other numbers; None where it is infeasible all the same."""
    try:
        return model_of(replace(program, numbers=numbers)).solve()
    except InfeasibleProgram:
        return None


def gap_findings(
    candidates: tuple[Candidate, ...], *, gap_share: float, asked_share: float
) -> Iterator[Finding]:
    """Warn where the bounds stayed apart: what is left, and which whole steps to relax."""
    if gap_share <= asked_share:
        return
    reason = "the search ended before the bounds were as close as was asked"
    remedy = "Ask for a wider --gap, or plan fewer --hours"
    stepped = [each for each in candidates if each.step is not None or each.opens]
    names = ", ".join(each.name for each in stepped[:NAMED_COUNT])
    if len(stepped) > NAMED_COUNT:
        names += f" and {len(stepped) - NAMED_COUNT} more"
    if stepped:
        reason += f"; {names} come in whole steps, or cost something to open"
        remedy += ", or leave out step_mw, step_count or open_usd where a size between is as good"
    yield Finding(
        code="PLAN_GAP_OPEN",
        path="plan",
        value=f"{gap_share:.3%}",
        limit=f"{asked_share:.3%}",
        unit="of the cost",
        severity="warning",
        reason=reason,
        remedy=f"{remedy}; both bounds hold as they are told",
    )


def nothing_built() -> Finding:
    """Return the warning that the cheapest plan serves nothing from its own sites."""
    return Finding(
        code="PLAN_BUILDS_NOTHING",
        path="plan",
        severity="warning",
        reason="the cheapest plan builds no site with GPUs: to refuse the work, or to buy it, "
        "costs less than to serve it, so there is no company to write or run",
        remedy="Raise what work is worth (value_usd_per_mtok, price), the budget, or the ranges "
        "under plan",
    )

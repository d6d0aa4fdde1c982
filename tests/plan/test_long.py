"""A plan from the inside: its bounds enclose simplex's optimum, whatever the method says."""

import numpy as np
import pytest
from plan.test_program import cost_by_dispatch_usd, richer
from plan.valued import CATALOGUE, company_to_plan, program_of

from tokenergy.errors import SolverFailure
from tokenergy.lp.interior import Interior, InteriorPoint
from tokenergy.plan.long import LongPlan, snapped
from tokenergy.plan.program import plan_program
from tokenergy.plan.whole import solve_whole


@pytest.mark.parametrize("seed", [3, 8])
def test_its_bounds_enclose_the_optimum(seed):
    plan = program_of(company_to_plan(), seed=seed)
    best_usd = solve_whole(plan).solution.objective_usd
    answer = LongPlan(plan).solve(gap_share=1e-4)
    assert answer.lower_usd <= best_usd * (1.0 + 1e-9)
    assert answer.upper_usd >= best_usd * (1.0 - 1e-9)
    assert answer.gap_share <= 1e-4


def test_contracts_tariffs_and_targets_are_no_other_case():
    company, inputs = richer()
    plan = plan_program(company, inputs, CATALOGUE)
    best_usd = solve_whole(plan).solution.objective_usd
    answer = LongPlan(plan).solve(gap_share=1e-3)
    assert answer.lower_usd <= best_usd * (1.0 + 1e-9) <= answer.upper_usd * (1.0 + 2e-9)
    assert answer.gap_share <= 1e-3


def test_no_duals_prove_more_than_the_optimum_whatever_is_contracted():
    """Peaks, targets and budgets are columns and rows beside the hours: each has its own end."""
    company, inputs = richer()
    plan = plan_program(company, inputs, CATALOGUE)
    solution = solve_whole(plan).solution
    laid, rng = LongPlan(plan), np.random.default_rng(2)
    best_usd = solution.objective_usd - plan.offset_usd
    proved = []
    for noise in (0.0, 1e-6, 1e-3, 0.1, 1.0, 30.0):
        for _ in range(5):
            duals = solution.row_duals + noise * rng.normal(size=solution.row_duals.size)
            proved.append(laid._proof.lower_usd(duals))
    assert max(proved) <= best_usd + 1e-6 * abs(best_usd)
    assert proved[0] == pytest.approx(best_usd, rel=1e-6)  # the optimum's own duals prove it
    whole = plan.columns_of("unbuilt")[0]
    caps, told = laid._proof.upper[whole:], solution.columns[whole:]
    assert np.all(told <= caps * (1.0 + 1e-9) + 1e-6)


def test_held_sizes_cost_what_their_dispatch_costs():
    plan = program_of(company_to_plan())
    laid = LongPlan(plan)
    sizes = snapped(plan, laid.solve(gap_share=1e-4).sizes)
    held = laid.held(sizes)
    assert held.upper_usd == pytest.approx(cost_by_dispatch_usd(plan, sizes), rel=1e-6)
    assert held.lower_usd <= held.upper_usd
    assert all(sizes[e.name] == round(sizes[e.name]) for e in plan.candidates if e.unit == "GPU")


def test_bounds_told_on_the_way_enclose_the_optimum():
    plan = program_of(company_to_plan())
    best_usd, told = solve_whole(plan).solution.objective_usd, []
    LongPlan(plan).solve(gap_share=1e-5, told=lambda low, high: told.append((low, high)) or True)
    assert len(told) > 2
    for lower_usd, upper_usd in told:
        assert lower_usd <= best_usd * (1.0 + 1e-9) and upper_usd >= best_usd * (1.0 - 1e-9)


def test_a_method_that_lies_is_caught(monkeypatch):
    """A point that breaks a limit is refused; duals that are made up prove little, never much."""
    plan = program_of(company_to_plan())
    best_usd = solve_whole(plan).solution.objective_usd
    true = Interior.solve

    def lying(self, **asked):
        found = true(self, **asked)
        return InteriorPoint(
            columns=0.5 * found.columns,
            row_duals=found.row_duals,
            steps_count=found.steps_count,
            gap_share=0.0,
            residual_share=0.0,
        )

    laid = LongPlan(plan)
    monkeypatch.setattr(
        Interior, "solve", lambda self, **asked: lying(self, **(asked | {"told": None}))
    )
    with pytest.raises(SolverFailure, match="no point keeps every limit"):
        laid.solve(gap_share=1e-4)

    def boasting(self, **asked):
        found = true(self, **(asked | {"told": None}))
        duals = found.row_duals + np.random.default_rng(1).normal(0.0, 5.0, found.row_duals.size)
        return InteriorPoint(columns=found.columns, row_duals=duals, steps_count=1, gap_share=0.0,
                             residual_share=0.0)  # fmt: skip

    monkeypatch.setattr(Interior, "solve", boasting)
    answer = laid.solve(gap_share=1e-4)
    assert answer.lower_usd <= best_usd
    assert answer.gap_share > 1e-4

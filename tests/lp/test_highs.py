"""The one door to the solver: signs, changes in place, refusals."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import InfeasibleProgram, SolverFailure
from tokenergy.lp import highs
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Matrix, Program

INF = float("inf")


def matrix_of(table) -> Matrix:
    table = np.asarray(table, float)
    columns, rows = np.nonzero(table.T)
    return Matrix(
        rows=rows,
        columns=columns,
        values=table[rows, columns],
        rows_count=table.shape[0],
        columns_count=table.shape[1],
    )


def model_of(table, *, costs, row_lower, row_upper, lower=None, upper=None, **options):
    size = len(costs)
    return LinearModel(
        matrix_of(table),
        costs=np.array(costs, float),
        lower=np.zeros(size) if lower is None else np.array(lower, float),
        upper=np.full(size, INF) if upper is None else np.array(upper, float),
        row_lower=np.array(row_lower, float),
        row_upper=np.array(row_upper, float),
        **options,
    )


def merit(**options) -> LinearModel:
    """Make two plants of 20 and 50 USD/MWh, 6 MWh and no limit, for a demand of 10 MWh."""
    return model_of(
        [[1.0, 1.0]], costs=[20, 50], upper=[6, INF], row_lower=[10], row_upper=[10], **options
    )


@pytest.mark.parametrize("solver", ["simplex", "ipx"])
def test_duals_and_reduced_costs_of_a_merit_order(solver):
    """6 x 20 + 4 x 50 = 320. One more MWh costs 50; one more of the cheap plant saves 30."""
    solution = merit(solver=solver).solve()
    assert solution.objective_usd == pytest.approx(320.0, abs=1e-9)
    assert solution.columns == pytest.approx([6.0, 4.0])
    assert solution.row_duals == pytest.approx([50.0])
    assert solution.reduced_costs == pytest.approx([-30.0, 0.0], abs=1e-9)
    assert solution.gap_share <= 1e-9


def test_a_column_that_stays_out_has_a_positive_reduced_cost():
    """At 3 MWh the cheap plant does it: the dual is 20, the dear one is 50 - 20 = 30 too dear."""
    model = merit()
    model.set_row_bounds(np.array([3.0]), np.array([3.0]))
    solution = model.solve()
    assert solution.row_duals == pytest.approx([20.0])
    assert solution.reduced_costs == pytest.approx([0.0, 30.0])


def test_an_upper_row_that_binds_has_a_negative_dual():
    """Earn 7 a unit, at most 5 units: the optimum is -35, and a unit of room changes it by -7."""
    model = model_of([[1.0]], costs=[-7], row_lower=[-INF], row_upper=[5])
    solution = model.solve()
    assert (solution.objective_usd, solution.row_duals[0]) == pytest.approx((-35.0, -7.0))


def test_a_constant_is_in_the_objective_and_not_in_the_duals():
    plain, offset = merit().solve(), merit(offset_usd=-1000.0).solve()
    assert offset.objective_usd == pytest.approx(plain.objective_usd - 1000.0)
    assert offset.row_duals == pytest.approx(plain.row_duals)


def test_shift_row_moves_the_optimum_by_its_dual_and_back():
    """2 MWh more at 50 USD/MWh: 320 + 100, and 320 again."""
    model = merit()
    first = model.solve().objective_usd
    model.shift_row(0, 2.0)
    assert model.solve().objective_usd == pytest.approx(first + 100.0)
    model.shift_row(0, -2.0)
    assert model.solve().objective_usd == pytest.approx(first)


def test_shift_upper_moves_the_optimum_by_its_reduced_cost():
    """1 MWh more of the cheap plant: 320 - 30."""
    model = merit()
    model.solve()
    model.shift_upper(np.array([0]), 1.0)
    assert model.solve().objective_usd == pytest.approx(290.0)
    model.shift_upper(np.zeros(0, dtype=np.int64), 1.0)
    model.shift_upper(np.array([0]), -1.0)
    assert model.solve().objective_usd == pytest.approx(320.0)


def test_restore_starts_from_the_given_basis():
    """Solved, disturbed, solved elsewhere: from the first basis no step is needed to return."""
    model = merit()
    model.solve()
    basis = model.basis()
    model.shift_row(0, -7.0)
    model.solve()
    model.shift_row(0, 7.0)
    model.restore(basis)
    solution = model.solve()
    assert solution.iterations_count == 0
    assert solution.objective_usd == pytest.approx(320.0)


def test_a_coefficient_changes_in_place_and_a_new_place_is_refused():
    """At half the yield, the dear plant makes 4 MWh from 8 units: 120 + 8 x 50 = 520."""
    model = merit()
    model.solve()
    model.set_coefficient(0, 1, 0.5)
    assert model.solve().objective_usd == pytest.approx(520.0)
    with pytest.raises(KeyError):
        model.set_coefficient(0, 2, 1.0)


def test_a_broken_link_can_be_closed_in_the_solver():
    """x0 >= 3, x1 - a x0 >= 0: costs 3 while a = 0, and 3 + 3 a afterwards."""
    program = Program(2)
    program.add_columns("x", 1)
    program.add_rows("r", 1)
    program.link("r", "x", values=1.0)
    program.link("r", "x", values=-1.0, lag=1)
    both = np.array([3.0, 0.0])
    model = LinearModel(
        program.matrix(break_slot=1),
        costs=np.ones(2),
        lower=both,
        upper=np.full(2, INF),
        row_lower=np.array([-INF, 0.0]),
        row_upper=np.full(2, INF),
    )
    assert model.solve().objective_usd == pytest.approx(3.0)
    model.set_coefficient(1, 0, -1.0)
    assert model.solve().objective_usd == pytest.approx(6.0)
    model.set_coefficient(1, 0, 0.0)
    assert model.solve().objective_usd == pytest.approx(3.0)


# ---- changed in place is made anew -------------------------------------------------------


def random_numbers(rng: np.random.Generator, table: np.ndarray) -> dict[str, np.ndarray]:
    """Make costs and bounds for which some point of the box satisfies every row."""
    size = table.shape[1]
    point = rng.uniform(0.0, 4.0, size)
    activity = table @ point
    equal = rng.random(table.shape[0]) < 0.3
    return {
        "costs": rng.normal(5.0, 10.0, size),
        "lower": np.zeros(size),
        "upper": point + rng.uniform(0.0, 5.0, size),
        "row_lower": np.where(equal, activity, activity - rng.uniform(0, 3, activity.size)),
        "row_upper": np.where(equal, activity, activity + rng.uniform(0, 3, activity.size)),
    }


@given(seed=st.integers(0, 10_000))
def test_a_model_changed_in_place_equals_a_new_one(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 6)), int(rng.integers(2, 8)))
    table = np.where(rng.random(shape) < 0.7, rng.normal(size=shape), 0.0)
    table[0, 0] = 1.0
    held = LinearModel(matrix_of(table), **random_numbers(rng, table))
    for _ in range(4):
        table = np.where(table != 0.0, rng.normal(size=shape), 0.0)
        table[0, 0] = 1.0
        numbers = random_numbers(rng, table)
        held.set_costs_and_bounds(numbers["costs"], numbers["lower"], numbers["upper"])
        held.set_row_bounds(numbers["row_lower"], numbers["row_upper"])
        for row, column in np.argwhere(table):
            held.set_coefficient(int(row), int(column), float(table[row, column]))
        fresh = LinearModel(matrix_of(table), **numbers).solve()
        assert held.solve().objective_usd == pytest.approx(fresh.objective_usd, rel=1e-9, abs=1e-9)


@given(seed=st.integers(0, 10_000))
def test_duals_and_reduced_costs_are_derivatives(seed):
    """Costs from a normal distribution: no ties, so a quotient over 1e-4 is the derivative."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(3, 5))
    numbers = random_numbers(rng, table)
    base = LinearModel(matrix_of(table), **numbers).solve()

    def quotient(which: tuple[str, ...], at: int) -> tuple[float, float]:
        ends = []
        for step in (1e-4, -1e-4):
            moved = dict(numbers)
            for name in which:
                moved[name] = numbers[name].copy()
                moved[name][at] += step
            try:
                ends.append(LinearModel(matrix_of(table), **moved).solve().objective_usd)
            except InfeasibleProgram:
                ends.append(np.inf)
        return (ends[0] - base.objective_usd) / 1e-4, (base.objective_usd - ends[1]) / 1e-4

    for row in range(3):
        high, low = quotient(("row_lower", "row_upper"), row)
        assert low - 1e-4 <= base.row_duals[row] <= high + 1e-4
    for column in range(5):
        more, less = quotient(("upper",), column)
        rent = min(0.0, base.reduced_costs[column])
        assert less - 1e-4 <= rent <= more + 1e-4


# ---- refusals ----------------------------------------------------------------------------


def test_an_infeasible_program_is_the_callers():
    model = model_of([[1.0]], costs=[1], upper=[1], row_lower=[2], row_upper=[INF])
    with pytest.raises(InfeasibleProgram, match="no point satisfies"):
        model.solve()
    model.set_row_bounds(np.array([0.5]), np.array([INF]))
    assert model.solve().objective_usd == pytest.approx(0.5)


def test_an_unbounded_program_is_ours():
    model = model_of([[1.0]], costs=[-1], row_lower=[0], row_upper=[INF])
    with pytest.raises(SolverFailure, match="Unbounded"):
        model.solve()


class Tampered:
    """A solver whose answers were changed on the way."""

    def __init__(self, real, change):
        self._real, self._change = real, change

    def __getattr__(self, name):
        return getattr(self._real, name)

    def getSolution(self):  # noqa: N802 (the solver's own name)
        answer = self._real.getSolution()
        return SimpleNamespace(
            **{
                "col_value": list(answer.col_value),
                "row_dual": list(answer.row_dual),
                **self._change(answer),
            }
        )


TAMPERING = {
    "a row missed by 1e-4": lambda a: {"col_value": [a.col_value[0], a.col_value[1] - 1e-4]},
    "a bound missed by 1e-4": lambda a: {
        "col_value": [a.col_value[0] + 1e-4, a.col_value[1] - 1e-4]
    },
    # 5e-4 x 20 = 2e-4 x 50: only the residual can tell
    "the right cost, but beyond a bound": lambda a: {
        "col_value": [a.col_value[0] + 5e-4, a.col_value[1] - 2e-4]
    },
    "a dual off by 1e-3": lambda a: {"row_dual": [a.row_dual[0] - 1e-3]},
    "a dual that nothing bounds": lambda a: {"row_dual": [a.row_dual[0] + 1.0]},
    "feasible, but not the best": lambda a: {"col_value": [5.0, 5.0]},
    "not a number": lambda a: {"col_value": [float("nan"), 4.0]},
}


@pytest.mark.parametrize("how", TAMPERING)
def test_a_tampered_answer_is_solved_again_cold(how):
    model = merit()
    model._highs = Tampered(model._highs, TAMPERING[how])
    assert model.solve().objective_usd == pytest.approx(320.0)
    assert not isinstance(model._highs, Tampered)


@pytest.mark.parametrize("how", TAMPERING)
def test_an_answer_tampered_twice_is_refused(how, monkeypatch):
    honest = highs._quiet_highs
    monkeypatch.setattr(
        highs, "_quiet_highs", lambda solver: Tampered(honest(solver), TAMPERING[how])
    )
    with pytest.raises(SolverFailure, match=r"answer refused twice: residual .*; residual"):
        merit().solve()


def test_a_solver_that_stops_early_is_not_believed(monkeypatch):
    honest = highs._quiet_highs

    def lazy(solver):
        made = honest(solver)
        made.setOptionValue("simplex_iteration_limit", 0)
        made.setOptionValue("presolve", "off")
        return made

    monkeypatch.setattr(highs, "_quiet_highs", lazy)
    with pytest.raises(SolverFailure, match="Iteration limit"):
        merit().solve()

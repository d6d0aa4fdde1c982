"""The one door to the solver: signs, changes in place, refusals."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lp.tables import INF, matrix_of

from tokenergy.errors import InfeasibleProgram, SolverFailure, UnboundedProgram
from tokenergy.lp import highs
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Program


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


def test_an_unbounded_program_is_ours_and_names_its_ray():
    """x1 - x2 = 1 holds along (1, 1), which earns 0.001 a unit; x0 stands still."""
    model = model_of(
        [[0.0, 1.0, -1.0]], costs=[1, -1.001, 1], row_lower=[1], row_upper=[1], upper=[9, INF, INF]
    )
    with pytest.raises(UnboundedProgram, match=r"without end along 2 columns \(1, 2\)") as raised:
        model.solve()
    assert isinstance(raised.value, SolverFailure)
    model.set_costs_and_bounds(np.array([1.0, -1.0, 1.0]), np.zeros(3), np.full(3, INF))
    assert model.solve().objective_usd == pytest.approx(-1.0)


def test_without_a_point_there_is_no_ray_to_follow():
    """The same loop of money beside a row that nothing meets: infeasible comes first."""
    model = model_of(
        [[0.0, 1.0, -1.0], [1.0, 0.0, 0.0]],
        costs=[1, -2, 1],
        row_lower=[1, 5],
        row_upper=[1, INF],
        upper=[4, INF, INF],
    )
    with pytest.raises(InfeasibleProgram):
        model.solve()


def test_a_basis_outlives_an_infeasible_solve():
    model = merit()
    model.solve()
    basis = model.basis()
    model.set_row_bounds(np.array([-2.0]), np.array([-1.0]))
    with pytest.raises(InfeasibleProgram):
        model.solve()
    model.set_row_bounds(np.array([10.0]), np.array([10.0]))
    model.restore(basis)
    assert model.solve().iterations_count == 0


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
def test_an_answer_tampered_on_every_rung_is_refused(how, monkeypatch):
    honest = highs._quiet_highs
    monkeypatch.setattr(
        highs, "_quiet_highs", lambda solver: Tampered(honest(solver), TAMPERING[how])
    )
    with pytest.raises(SolverFailure, match=r"warm: residual .*; anew: residual .*; interior: res"):
        merit().solve()


def test_a_solver_that_stops_early_is_not_believed(monkeypatch):
    honest = highs._quiet_highs

    def lazy(solver):
        made = honest(solver)
        made.setOptionValue("simplex_iteration_limit", 0)
        made.setOptionValue("ipm_iteration_limit", 0)
        made.setOptionValue("presolve", "off")
        return made

    monkeypatch.setattr(highs, "_quiet_highs", lazy)
    with pytest.raises(SolverFailure, match="Iteration limit"):
        merit().solve()


def test_a_model_that_failed_begins_anew(monkeypatch):
    model = merit()
    model._highs = Tampered(model._highs, TAMPERING["not a number"])
    monkeypatch.setattr(highs, "RUNGS", ())
    with pytest.raises(SolverFailure, match="warm: residual"):
        model.solve()
    assert model.solve().objective_usd == pytest.approx(320.0)


# ---- the ladder --------------------------------------------------------------------------


def wild(seed: int) -> tuple[LinearModel, float]:
    """Make a program of coefficients and bounds over twelve decades, and what a point costs."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(3, 30)), int(rng.integers(3, 40)))
    scale = 10 ** rng.uniform(-3, 3, (shape[0], 1)) * 10 ** rng.uniform(-3, 3, (1, shape[1]))
    table = np.where(rng.random(shape) < 0.3, rng.normal(size=shape) * scale, 0.0)
    point = rng.uniform(0, 4, shape[1]) * 10 ** rng.uniform(-2, 7, shape[1])
    activity = table @ point
    slack = np.maximum(1.0, np.abs(activity)) * rng.random(shape[0])
    room = np.where(rng.random(shape[0]) < 0.5, 0.0, slack)
    costs = rng.normal(5, 10, shape[1])
    model = LinearModel(
        matrix_of(table),
        costs=costs,
        lower=np.zeros(shape[1]),
        upper=point + 10 ** rng.uniform(-2, 3, shape[1]),
        row_lower=activity - room,
        row_upper=activity + room,
    )
    return model, float(costs @ point)


# With HiGHS 1.16 these end on the rungs scaled, unreduced, interior, primal and strict in turn.
# Without them it called five of six infeasible, though each was made around a point.
@pytest.mark.parametrize("seed", [1437, 5357, 2845, 332, 5454, 7634])
def test_a_sound_program_that_the_solver_gives_up_is_solved_on_a_later_rung(seed):
    model, known_usd = wild(seed)
    solution = model.solve()
    assert solution.objective_usd <= known_usd + 1e-6 * abs(known_usd)
    assert solution.gap_share <= highs.CHECK_TOLERANCE
    again = model.solve()
    assert again.objective_usd == pytest.approx(solution.objective_usd, rel=1e-9)
    assert again.iterations_count == 0


@pytest.mark.parametrize("rung", highs.RUNGS, ids=lambda rung: rung.name)
def test_a_model_stays_whole_on_every_rung(rung, monkeypatch):
    """A merit order of millions of MWh: 6e6 x 20 + 4e6 x 50 = 320e6, then changed in place."""
    monkeypatch.setattr(highs, "RUNGS", (rung,))
    million = 1e6
    model = model_of(
        [[1.0, 1.0]],
        costs=[20, 50],
        upper=[6 * million, INF],
        row_lower=[10 * million],
        row_upper=[10 * million],
    )
    changes = iter([TAMPERING["not a number"]])

    def once(answer):  # the rung `strict` goes on with this solver
        return next(changes, lambda _: {})(answer)

    model._highs = Tampered(model._highs, once)
    solution = model.solve()
    assert solution.columns == pytest.approx([6 * million, 4 * million])
    assert solution.row_duals == pytest.approx([50.0])
    assert model._bound_ratio == (2.0**-10 if rung.scaled else 1.0)
    assert model._highs.getOptionValue("solver")[1] == "simplex"
    basis = model.basis()
    model.shift_row(0, 2.0)
    model.shift_upper(np.array([0]), 1.0)
    assert model.solve().objective_usd == pytest.approx(320 * million + 70.0, abs=1e-3)
    model.set_coefficient(0, 1, 0.5)
    assert model.solve().row_duals == pytest.approx([100.0])
    model.set_coefficient(0, 1, 1.0)
    model.set_costs_and_bounds(np.array([20.0, 50.0]), np.zeros(2), np.array([6 * million, INF]))
    model.set_row_bounds(np.array([10 * million]), np.array([10 * million]))
    model.restore(basis)
    solution = model.solve()
    assert solution.objective_usd == pytest.approx(320 * million)
    assert solution.iterations_count == 0


@given(seed=st.integers(0, 10_000))
def test_a_contradiction_is_proved_whatever_its_size(seed):
    """Two rows alike, the one asking for more than the other allows."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 10)), int(rng.integers(2, 15)))
    table = np.where(rng.random(shape) < 0.5, rng.normal(size=shape), 0.0)
    table[0, 0] = 1.0
    table = np.vstack([table, (alike := rng.normal(size=shape[0]) @ table), alike])
    size = 10 ** rng.uniform(0.0, 7.0)
    point = rng.uniform(0.0, 4.0, shape[1]) * size
    activity = table @ point
    gap = 10 ** rng.uniform(-4.0, 0.0) * max(1.0, abs(activity[-1]))
    lower, upper = activity - size, activity + size
    lower[-2:] = activity[-1] + gap, -INF
    upper[-2:] = INF, activity[-1]
    model = model_of(
        table,
        costs=rng.normal(5, 10, shape[1]),
        upper=np.where(rng.random(shape[1]) < 0.5, INF, 2.0 * point),
        row_lower=lower,
        row_upper=upper,
    )
    with pytest.raises(InfeasibleProgram):
        model.solve()


class Prophet:
    """A solver that calls every program infeasible or unbounded, whatever it found."""

    def __init__(self, real, status):
        self._real, self._status = real, status

    def __getattr__(self, name):
        return getattr(self._real, name)

    def getModelStatus(self):  # noqa: N802 (the solver's own name)
        return self._status


@pytest.mark.parametrize("status", highs.VERDICTS, ids=str)
def test_a_verdict_without_a_proof_is_not_believed(status):
    model = merit()
    model._highs = Prophet(model._highs, status)
    assert model.solve().objective_usd == pytest.approx(320.0)
    assert not isinstance(model._highs, Prophet)


@pytest.mark.parametrize("status", highs.VERDICTS, ids=str)
def test_a_verdict_that_no_ray_proves_is_a_failure_of_the_solver(status, monkeypatch):
    honest = highs._quiet_highs
    monkeypatch.setattr(highs, "_quiet_highs", lambda solver: Prophet(honest(solver), status))
    with pytest.raises(SolverFailure, match=r"warm: .* without a proof; anew: ") as raised:
        merit().solve()
    assert not isinstance(raised.value, UnboundedProgram)

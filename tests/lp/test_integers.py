"""Programs with whole numbers: chosen, checked, and priced with the choice held."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from tokenergy.errors import InfeasibleProgram
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Matrix


def dense(rows) -> Matrix:
    """Return a dense matrix in coordinates, sorted by column."""
    values = np.asarray(rows, float)
    columns, places = np.divmod(np.arange(values.size), values.shape[0])
    return Matrix(
        rows=places,
        columns=columns,
        values=values.T.ravel(),
        rows_count=values.shape[0],
        columns_count=values.shape[1],
    )


def plant(demand=5.0, *, integers=(1,)) -> LinearModel:
    """Buy at 100, or run a plant of 4 to 10 at 20 that costs 30 to run: columns buy, on, make."""
    return LinearModel(
        dense([[1.0, 0.0, 1.0], [0.0, -10.0, 1.0], [0.0, 4.0, -1.0]]),
        costs=np.array([100.0, 30.0, 20.0]),
        lower=np.zeros(3),
        upper=np.array([np.inf, 1.0, np.inf]),
        row_lower=np.array([demand, -np.inf, -np.inf]),
        row_upper=np.array([demand, 0.0, 0.0]),
        integers=np.array(integers),
    )


def test_a_plant_by_hand() -> None:
    """5 units: 30 + 5 x 20 = 130 with the plant, 500 without; one unit more costs 20."""
    found = plant().solve()
    assert found.integer
    assert found.objective_usd == pytest.approx(130.0)
    assert found.columns[1] == pytest.approx(1.0, abs=1e-9)
    assert found.row_duals[0] == pytest.approx(20.0)  # the plant runs anyway
    assert found.integer_gap_share <= 1e-6
    assert found.gap_share <= 1e-6


def test_below_its_least_the_plant_stands_still() -> None:
    """Half a unit costs 50 to buy; the plant would make 4, which nobody takes."""
    found = plant(0.5).solve()
    assert found.objective_usd == pytest.approx(50.0)
    assert found.columns[1] == 0.0


def test_without_whole_numbers_half_a_plant_runs() -> None:
    """A tenth of the plant per unit: 5 x (20 + 3) = 115 < 130."""
    found = plant(integers=()).solve()
    assert not found.integer
    assert found.objective_usd == pytest.approx(115.0)


def test_a_choice_that_is_held_prices_what_it_left() -> None:
    """With the plant off, a unit more costs 100, though the plant would do it for less."""
    model = plant(0.5)
    model.settle_integers(model.solve())
    model.set_row_bounds(np.array([2.0, -np.inf, -np.inf]), np.array([2.0, 0.0, 0.0]))
    assert model.solve().objective_usd == pytest.approx(200.0)
    model.set_row_bounds(np.array([5.0, -np.inf, -np.inf]), np.array([5.0, 0.0, 0.0]))
    model.settle_integers(None)
    assert model.solve().objective_usd == pytest.approx(130.0)


def test_no_whole_number_fits() -> None:
    model = plant()
    model.set_costs_and_bounds(
        np.array([100.0, 30.0, 20.0]), np.array([0.0, 0.3, 0.0]), np.array([np.inf, 0.7, np.inf])
    )
    with pytest.raises(InfeasibleProgram, match="whole numbers"):
        model.solve()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_choice_is_as_good_as_another_code_path_finds(seed: int) -> None:
    """Random programs with 6 whole columns of 12, against scipy's own call of a MILP.

    The solver behind scipy is HiGHS too; what is tested is our passing, fixing and checking.
    """
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.0, 5.0, (4, 12))
    costs, need = rng.uniform(1.0, 9.0, 12), rng.uniform(3.0, 30.0, 4)
    upper = np.full(12, 4.0)
    if np.any(weights @ upper < need):
        return
    integers = np.arange(6)
    model = LinearModel(
        dense(weights),
        costs=costs,
        lower=np.zeros(12),
        upper=upper,
        row_lower=need,
        row_upper=np.full(4, np.inf),
        integers=integers,
    )
    found = model.solve()
    best = milp(
        costs,
        integrality=np.where(np.arange(12) < 6, 1, 0),
        bounds=(np.zeros(12), upper),
        constraints=LinearConstraint(weights, need),
        options={"mip_rel_gap": 0.0},
    )
    assert found.objective_usd == pytest.approx(best.fun, rel=2e-6)
    assert np.allclose(found.columns[:6], np.round(found.columns[:6]), atol=1e-9)
    assert np.all(weights @ found.columns >= need - 1e-6)
    assert found.objective_usd * (1.0 - found.integer_gap_share) <= best.fun * (1 + 1e-9)

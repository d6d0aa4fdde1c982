"""What any weights of the rows prove, by hand and against an independent solver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tokenergy.lp.certificate import Posed, bounded, proof
from tokenergy.lp.program import Matrix

INF = float("inf")


def posed(dense, *, costs, upper, row_lower, row_upper) -> Posed:
    values = np.asarray(dense, float)
    columns, rows = np.nonzero(np.ones_like(values).T)
    return Posed(
        matrix=Matrix(
            rows=rows,
            columns=columns,
            values=values[rows, columns],
            rows_count=values.shape[0],
            columns_count=values.shape[1],
        ),
        costs=np.asarray(costs, float),
        lower=np.zeros(values.shape[1]),
        upper=np.asarray(upper, float),
        row_lower=np.asarray(row_lower, float),
        row_upper=np.asarray(row_upper, float),
    )


def two_plants(*, upper=(INF, INF)) -> Posed:
    """10 x + 30 y, x + y >= 8, x <= 5 as a row: 5 of the cheap, 3 of the dear, 140 USD."""
    return posed(
        [[1.0, 1.0], [1.0, 0.0]],
        costs=(10.0, 30.0),
        upper=upper,
        row_lower=(8.0, -INF),
        row_upper=(INF, 5.0),
    )


def test_the_optimums_own_duals_prove_the_optimum() -> None:
    """Demand is worth 30, the limit -20: 30 x 8 - 20 x 5 = 140."""
    told = proof(two_plants(), np.array([30.0, -20.0]))
    assert told.lower_usd == pytest.approx(140.0)
    assert told.rows_usd.tolist() == [240.0, -100.0]
    assert told.reduced.tolist() == [0.0, 0.0]


def test_other_weights_prove_less() -> None:
    """At 10 for demand and nothing for the limit: 10 x 8 = 80, and y is dearer than that."""
    assert proof(two_plants(), np.array([10.0, 0.0])).lower_usd == pytest.approx(80.0)


def test_weights_that_ask_too_much_prove_nothing_without_a_bound_and_little_with_one() -> None:
    """At 31 each unit of y would earn 1: without end, or at most 9 units; 31 x 8 - 21 x 5 - 9."""
    weights = np.array([31.0, -21.0])
    assert proof(two_plants(), weights).lower_usd == -INF
    boxed = proof(two_plants(upper=(9.0, 9.0)), weights)
    assert boxed.lower_usd == pytest.approx(31.0 * 8.0 - 21.0 * 5.0 - 9.0)


def test_a_weight_on_a_side_that_a_row_does_not_bound_is_left_out() -> None:
    """x + y has no upper bound and x no lower one: of (-5, +3) nothing is left, 0 is proved."""
    assert proof(two_plants(), np.array([-5.0, 3.0])).lower_usd == 0.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_weights_prove_more_than_the_optimum(seed: int) -> None:
    """scipy finds the optimum of a random program; random weights stay below it."""
    rng = np.random.default_rng(seed)
    dense = rng.uniform(-1.0, 2.0, (4, 6))
    inside = rng.uniform(0.0, 3.0, 6)
    activity = dense @ inside
    asked = posed(
        dense,
        costs=rng.uniform(-2.0, 5.0, 6),
        upper=np.full(6, 4.0),
        row_lower=activity - rng.uniform(0.0, 1.0, 4),
        row_upper=activity + rng.uniform(0.0, 1.0, 4),
    )
    best = linprog(
        asked.costs,
        A_ub=np.vstack([dense, -dense]),
        b_ub=np.concatenate([asked.row_upper, -asked.row_lower]),
        bounds=[(0.0, 4.0)] * 6,
    )
    told = proof(asked, rng.normal(0.0, 2.0, 4))
    assert told.lower_usd <= best.fun + 1e-9
    assert asked.violation(best.x) <= 1e-9
    assert asked.violation(np.full(6, -1.0)) >= 1.0


def test_rows_imply_bounds_of_columns_one_from_another() -> None:
    """x <= 5 from its own row; y - 2 x <= 1, so y <= 11; x + y + z >= 8 bounds nothing above."""
    asked = posed(
        [[1.0, 0.0, 0.0], [-2.0, 1.0, 0.0], [1.0, 1.0, 1.0]],
        costs=(1.0, 1.0, 1.0),
        upper=(INF, INF, INF),
        row_lower=(-INF, -INF, 8.0),
        row_upper=(5.0, 1.0, INF),
    )
    assert bounded(asked).upper.tolist() == [5.0, 11.0, INF]


def test_an_equation_bounds_a_column_from_both_sides() -> None:
    """x - y = 2 with y <= 3 leaves x at most 5; with x <= 4 it leaves y at most 2."""
    for upper, both in (((INF, 3.0), [5.0, 3.0]), ((4.0, INF), [4.0, 2.0])):
        asked = posed(
            [[1.0, -1.0]], costs=(1.0, 1.0), upper=upper, row_lower=[2.0], row_upper=[2.0]
        )
        assert bounded(asked).upper.tolist() == both


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_point_exceeds_a_bound_that_the_rows_imply(seed: int) -> None:
    """scipy looks for the point of a random program at which each column is largest."""
    rng = np.random.default_rng(seed)
    dense = rng.uniform(-1.0, 2.0, (4, 4)) * rng.integers(0, 2, (4, 4))
    activity = dense @ rng.uniform(0.0, 3.0, 4)
    asked = posed(
        dense,
        costs=np.zeros(4),
        upper=np.where(rng.random(4) < 0.5, INF, 4.0),
        row_lower=np.where(rng.random(4) < 0.5, activity - 1.0, -INF),
        row_upper=np.where(rng.random(4) < 0.7, activity + 1.0, INF),
    )
    sides = [(dense[i], asked.row_upper[i]) for i in range(4)]
    sides += [(-dense[i], -asked.row_lower[i]) for i in range(4)]
    held = [(row, limit) for row, limit in sides if np.isfinite(limit)]
    most = bounded(asked).upper
    for column in range(4):
        if np.isinf(most[column]):
            continue
        largest = linprog(
            -np.eye(4)[column],
            A_ub=np.array([row for row, _ in held]) if held else None,
            b_ub=np.array([limit for _, limit in held]) if held else None,
            bounds=list(zip(asked.lower, asked.upper, strict=True)),
        )
        assert -largest.fun <= most[column] + 1e-7

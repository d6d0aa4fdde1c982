"""The interior point method against simplex, on chains with lags, whole rows and whole columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.lp.chain_bounds import ChainProof
from tokenergy.lp.chain_factor import ChainFactor, priced_into, times_of
from tokenergy.lp.chained import chained
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.interior import Interior
from tokenergy.lp.program import Program


def storage(slots: int, seed: int):
    """Make buying, a store with losses, a size of the store, a peak, and a budget of energy.

    balance: buy + out - in + short = load; store: level = level before + 0.9 in - out;
    level <= size; peak >= buy in every slot; sum of buy <= budget.
    """
    rng = np.random.default_rng(seed)
    program = Program(slots)
    for name in ("buy", "in", "out", "level", "short"):
        program.add_columns(name, 1)
    for name in ("size", "peak"):
        program.add_columns(name, 1, whole=True)
    for name in ("balance", "store", "room", "over"):
        program.add_rows(name, 1)
    program.add_rows("budget", 1, whole=True)
    program.add_rows("ties", 1, whole=True)
    program.link("balance", "buy", values=1.0)
    program.link("balance", "out", values=1.0)
    program.link("balance", "in", values=-1.0)
    program.link("balance", "short", values=1.0)
    program.link("store", "level", values=1.0)
    program.link("store", "level", values=-1.0, lag=1)
    program.link("store", "in", values=-0.9)
    program.link("store", "out", values=1.0)
    program.link("room", "level", values=1.0)
    program.link("room", "size", values=-1.0)
    program.link("over", "peak", values=1.0)
    program.link("over", "buy", values=-1.0)
    program.link("budget", "buy", values=1.0)
    program.link("ties", "size", values=1.0)
    program.link("ties", "peak", values=-0.5)
    load = rng.uniform(1.0, 5.0, slots)
    price = rng.uniform(-5.0, 60.0, slots)
    lower, upper = np.zeros((slots, 5)), np.full((slots, 5), np.inf)
    upper[:, 1:3] = 2.0
    costs = np.column_stack((price, np.full(slots, 0.1), np.zeros((slots, 2)),
                             np.full(slots, 500.0)))  # fmt: skip
    row_lower, row_upper = np.zeros((slots, 4)), np.zeros((slots, 4))
    row_lower[:, 0] = row_upper[:, 0] = load
    row_lower[0, 1] = row_upper[0, 1] = 0.5
    row_lower[:, 2] = -np.inf
    row_upper[:, 3] = np.inf
    return program, {
        "costs": np.append(costs.ravel(), [4.0 * slots**0.5, 15.0]),
        "lower": np.append(lower.ravel(), [0.0, 0.0]),
        "upper": np.append(upper.ravel(), [6.0, np.inf]),
        "row_lower": np.append(row_lower.ravel(), [-np.inf, -3.0]),
        "row_upper": np.append(row_upper.ravel(), [1.2 * load.sum(), np.inf]),
    }


def proof_of(program, numbers):
    return ChainProof(chained(program), **numbers)


@settings(max_examples=25, deadline=None)
@given(slots=st.integers(2, 40), seed=st.integers(0, 10_000))
def test_it_comes_to_the_optimum_of_simplex_and_proves_it(slots, seed):
    program, numbers = storage(slots, seed)
    best_usd = LinearModel(program.matrix(), **numbers).solve().objective_usd
    point = Interior(program).solve(**numbers, gap_share=1e-7)
    proof = proof_of(program, numbers)
    scale = max(1.0, abs(best_usd))
    assert proof.violation(point.columns, numbers["lower"], numbers["upper"]) <= 1e-6
    assert numbers["costs"] @ point.columns == pytest.approx(best_usd, abs=2e-6 * scale)
    lower_usd = proof.lower_usd(point.row_duals)
    assert lower_usd <= best_usd + 1e-7 * scale
    assert lower_usd == pytest.approx(best_usd, abs=1e-5 * scale)


def test_bounds_enclose_the_optimum_before_every_step():
    program, numbers = storage(30, 4)
    best_usd = LinearModel(program.matrix(), **numbers).solve().objective_usd
    proof, told = proof_of(program, numbers), []

    def seen(steps, now):
        columns, duals = now()
        held = np.clip(columns, numbers["lower"], numbers["upper"])
        feasible = proof.violation(held, numbers["lower"], numbers["upper"]) <= 1e-6
        upper_usd = numbers["costs"] @ held if feasible else np.inf
        told.append((proof.lower_usd(duals), upper_usd))
        return True

    Interior(program).solve(**numbers, gap_share=1e-8, told=seen)
    assert len(told) > 5
    for lower_usd, upper_usd in told:
        assert lower_usd <= best_usd + 1e-6
        assert upper_usd >= best_usd - 1e-4
    assert np.isfinite(told[-1][0]) and np.isfinite(told[-1][1])


def test_any_duals_prove_a_bound_and_none_proves_too_much():
    """Random weights, wrong signs included: the bound they prove never lies above the optimum."""
    program, numbers = storage(12, 7)
    best_usd = LinearModel(program.matrix(), **numbers).solve().objective_usd
    proof, rng = proof_of(program, numbers), np.random.default_rng(0)
    for _ in range(50):
        duals = rng.normal(0.0, 40.0, program.rows_count)
        assert proof.lower_usd(duals) <= best_usd + 1e-9


def test_it_stops_when_it_is_told_to():
    program, numbers = storage(10, 1)
    point = Interior(program).solve(**numbers, gap_share=1e-9, told=lambda steps, seen: steps < 3)
    assert point.steps_count == 3


def test_halves_side_by_side_give_the_same_numbers():
    from concurrent.futures import ThreadPoolExecutor

    program, numbers = storage(24, 3)
    alone = Interior(program).solve(**numbers, gap_share=1e-8)
    with ThreadPoolExecutor(2) as pool:
        shared = Interior(program, lambda f, items: list(pool.map(f, items))).solve(
            **numbers, gap_share=1e-8
        )
    assert np.array_equal(alone.columns, shared.columns)
    assert np.array_equal(alone.row_duals, shared.row_duals)


@settings(max_examples=20, deadline=None)
@given(slots=st.integers(2, 15), seed=st.integers(0, 1000))
def test_coefficients_by_slot_are_those_of_the_matrix(slots, seed):
    program, _ = storage(slots, seed)
    matrix, chain = program.matrix(), chained(program)
    dense = np.zeros((program.rows_count, program.columns_count))
    dense[matrix.rows, matrix.columns] = matrix.values
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=program.columns_count), rng.normal(size=program.rows_count)
    cut = slots * program.columns_per_slot
    rows, sums = times_of(chain, x[:cut].reshape(slots, -1), x[cut:])
    assert np.allclose(np.append(rows.ravel(), sums), dense @ x)
    cut = slots * program.rows_per_slot
    found = np.empty((slots, program.columns_per_slot))
    whole = priced_into(chain, y[:cut].reshape(slots, -1), y[cut:], found)
    assert np.allclose(np.append(found.ravel(), whole), dense.T @ y)


@settings(max_examples=20, deadline=None)
@given(slots=st.integers(2, 12), seed=st.integers(0, 1000))
def test_the_factors_solve_the_normal_equations(slots, seed):
    """Against numpy's dense solve of the same bordered system."""
    program, _ = storage(slots, seed)
    matrix, chain = program.matrix(), chained(program)
    dense = np.zeros((program.rows_count, program.columns_count))
    dense[matrix.rows, matrix.columns] = matrix.values
    rng = np.random.default_rng(seed)
    cut, rows = slots * program.columns_per_slot, slots * program.rows_per_slot
    theta = rng.uniform(0.1, 10.0, cut)
    slack = rng.uniform(0.0, 1.0, program.rows_count) + 1e-6
    inverse = rng.uniform(0.1, 2.0, program.columns_count - cut)
    factor = ChainFactor(chain)
    factor.factor(theta.reshape(slots, -1), slack[:rows].reshape(slots, -1), slack[rows:], inverse)
    asked, border = rng.normal(size=program.rows_count), rng.normal(size=inverse.size)
    y, whole_y, whole_x = factor.solve(asked[:rows].reshape(slots, -1), asked[rows:], border)
    system = np.block([
        [dense[:, :cut] @ np.diag(theta) @ dense[:, :cut].T + np.diag(slack), dense[:, cut:]],
        [dense[:, cut:].T, -np.diag(inverse)],
    ])  # fmt: skip
    expected = np.linalg.solve(system, np.append(asked, border))
    found = np.concatenate((y.ravel(), whole_y, whole_x))
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())

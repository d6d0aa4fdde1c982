"""Whole numbers by branching: against every choice tried, and against the solver's own tree."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.errors import InfeasibleProgram
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Program
from tokenergy.plan.branch import choose_whole


def knapsack(values, weights, room, *, most=2.0, least=0.0):
    """Minimise -values x and 50 a lacking unit: weights x <= room, x whole, and a cover row."""
    program = Program(1)
    program.add_columns("x", len(values))
    program.add_columns("lacking", 1)
    program.add_rows("room", 1)
    program.add_rows("cover", 1)
    program.link("room", "x", row_at=[0] * len(values), column_at=range(len(values)),
                 values=np.array(weights))  # fmt: skip
    program.link("cover", "x", row_at=[0] * len(values), column_at=range(len(values)), values=1.0)
    program.link("cover", "lacking", values=1.0)
    costs = np.append(-np.array(values, dtype=float), 50.0)
    lower = np.append(np.full(len(values), least), 0.0)
    upper = np.append(np.full(len(values), most), np.inf)
    model = LinearModel(
        program.matrix(),
        costs=costs,
        lower=lower,
        upper=upper,
        row_lower=np.array([-np.inf, 1.5]),
        row_upper=np.array([room, np.inf]),
    )
    integers = np.arange(len(values))
    return model, {"integers": integers, "costs": costs, "lower": lower, "upper": upper}


def best_of_all(values, weights, room):
    """Return the least cost over every choice of 0, 1 or 2 of each."""
    best = np.inf
    for choice in product(range(3), repeat=len(values)):
        picked = np.array(choice, dtype=float)
        if picked @ np.array(weights) <= room + 1e-12:
            lacking = max(0.0, 1.5 - picked.sum())
            best = min(best, -picked @ np.array(values) + 50.0 * lacking)
    return best


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(0.5, 9.0), min_size=3, max_size=4),
    seed=st.integers(0, 1000),
)
def test_it_finds_the_best_of_all_choices(values, seed):
    weights = np.random.default_rng(seed).uniform(0.3, 3.0, len(values)).round(2).tolist()
    room = 0.7 * sum(weights)
    model, told = knapsack(values, weights, room)
    found = choose_whole(model, gap_share=0.0, **told)
    best_usd = best_of_all(values, weights, room)
    assert found.solution.objective_usd == pytest.approx(best_usd, abs=1e-6)
    assert found.lower_usd <= best_usd + 1e-6
    assert found.lower_usd == pytest.approx(best_usd, abs=1e-5)


def test_bounds_enclose_the_best_at_every_branch():
    values, weights = [4.0, 5.0, 3.0, 7.0], [1.1, 1.7, 0.9, 2.3]
    model, told = knapsack(values, weights, 4.0)
    best_usd, seen = best_of_all(values, weights, 4.0), []
    choose_whole(model, gap_share=0.0, told=lambda low, high: seen.append((low, high)), **told)
    assert seen
    for lower_usd, upper_usd in seen:
        assert lower_usd - 1e-9 <= best_usd <= upper_usd + 1e-9


def test_a_count_of_branches_ends_it_and_the_gap_is_told():
    values, weights = [4.0, 5.0, 3.0, 7.0], [1.1, 1.7, 0.9, 2.3]
    model, told = knapsack(values, weights, 4.0)
    found = choose_whole(model, gap_share=0.0, most_branches=3, **told)
    best_usd = best_of_all(values, weights, 4.0)
    assert found.branches_count <= 5
    assert found.lower_usd <= best_usd <= found.solution.objective_usd + 1e-9


def test_no_whole_numbers_is_said():
    """Two of weight 2 in a room of 3.9, each at least 1: 1.95 a piece is the most, and 1 is room.

    With at least 0.4 and at most 0.6 of each there is room, and no whole number between.
    """
    model, told = knapsack([1.0, 1.0], [2.0, 2.0], 3.9, most=0.6, least=0.4)
    with pytest.raises(InfeasibleProgram, match="whole numbers"):
        choose_whole(model, gap_share=0.0, **told)


def test_the_model_has_its_own_bounds_again():
    model, told = knapsack([4.0, 5.0], [1.1, 1.7], 2.0)
    before = model.solve().objective_usd
    choose_whole(model, gap_share=0.0, **told)
    assert model.solve().objective_usd == pytest.approx(before, abs=1e-9)

"""A policy's own bookkeeping, against a second one that knows nothing of it."""

import numpy as np
import pytest
from action_check import after, check, wild_world
from worlds import random_case, random_state

from tokenergy.dispatch.lp_policies import Clairvoyant
from tokenergy.dispatch.merit import Greedy
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.spent import Books


@pytest.mark.parametrize("seed", range(12))
def test_an_action_costs_what_its_parts_cost(seed):
    """`action_check.check` adds up loads, balances and money afresh from an action."""
    made = wild_world(seed)
    state, books, policy = random_state(made, seed), Books(made), Greedy(made)
    for at in range(made.first, made.last - 1):
        action = policy.decide(at, state)
        assert books.usd(at, state, action) == pytest.approx(check(made, at, state, action))
        ours, theirs = books.after(at, state, action), after(made, at, state, action)
        for name in ("awake", "energy_mwh", "backlog_mtok"):
            assert np.allclose(getattr(ours, name), getattr(theirs, name), atol=1e-9), name
        state = theirs


@pytest.mark.parametrize("seed", range(4))
def test_the_costs_of_an_optimum_are_its_objective(seed):
    """All intervals of the clairvoyant's path, less the end value of what is stored."""
    made, state = random_case(seed, hours=12)
    books, policy = Books(made), Clairvoyant(made, state)
    least = solve_horizon(made, state).objective_usd
    spent = 0.0
    for at in made.horizon_indices():
        action = policy.decide(at, state)
        spent += books.usd(at, state, action)
        state = books.after(at, state, action)
    assert spent - made.end_value_usd_per_mwh() @ state.energy_mwh == pytest.approx(
        least, rel=1e-7, abs=1e-5
    )

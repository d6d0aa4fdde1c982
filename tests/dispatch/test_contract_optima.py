"""Optima with contracts: they settle at what the program says, and their prices are derivatives."""

import pytest
from contract_cases import KINDS, company_with
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.account import account, constant_usd
from tokenergy.simulate.replay import replay

SEEDS = st.integers(0, 2**32 - 1)


class Optimal:
    """Does what the program of the whole horizon does."""

    name = "clairvoyant"

    def __init__(self, world: World) -> None:
        self.world, self.optimum = world, solve_horizon(world)

    def decide(self, at: int, state: State) -> Action:
        return self.optimum.action(at - self.world.first, self.name)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4)
@given(seed=SEEDS)
def test_an_optimum_settles_at_what_the_program_says(kind: str, seed: int) -> None:
    _, _, world = company_with((kind,), seed, prices=(9.0, 120.0))
    policy = Optimal(world)
    found = account(world, replay(world, policy))
    expected_usd = policy.optimum.objective_usd + constant_usd(world)
    assert found.cost_usd == pytest.approx(expected_usd, rel=1e-6, abs=1e-3)

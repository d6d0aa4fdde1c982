"""The small company, opened and run once for all tests that only look."""

import pytest
from commands import SMALL

import tokenergy as te


@pytest.fixture(scope="session")
def small() -> te.OpenCompany:
    return te.load(SMALL)


@pytest.fixture(scope="session")
def board(small: te.OpenCompany) -> te.Board:
    return te.price(small, hours=6)


@pytest.fixture(scope="session")
def plan(small: te.OpenCompany) -> te.DispatchPlan:
    return te.dispatch(small, hours=48)


@pytest.fixture(scope="session")
def simulation(small: te.OpenCompany) -> te.Simulation:
    return te.simulate(small)

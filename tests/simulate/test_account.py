"""The bill settled twice, and the cost of an optimum twice."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate.played import Optimal, Refuser, random_company, roomy_case
from worlds import battery, block, fleet, plain, random_world, take

from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import World
from tokenergy.simulate.account import (
    BillsDiffer,
    account,
    constant_usd,
    cost_usd_by_interval,
)
from tokenergy.simulate.bill import settle_run
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run

SEEDS = st.integers(0, 400)
COMPANIES = st.integers(0, 24)
"""Seeds of companies whose runs are kept: what always holds is looked at in each of them once."""


def optimal(made: World) -> tuple[Run, float]:
    policy = Optimal(made)
    return replay(made, policy), policy.optimum.objective_usd


@cache
def played(seed: int) -> tuple[World, Run, float, Run]:
    """Return a random company, its optimum and what that cost, and a run that does nothing."""
    made = random_company(seed)
    return made, *optimal(made), replay(made, Refuser(made))


def ties(made: World, found: tuple[Run, float] | None = None) -> None:
    run, objective_usd = found or optimal(made)
    cost_usd = account(made, run).cost_usd
    assert cost_usd == pytest.approx(objective_usd + constant_usd(made), rel=1e-6, abs=1e-6)


@settings(max_examples=25)
@given(SEEDS)
def test_the_cost_of_an_optimum_is_its_objective_and_what_no_decision_moves(seed: int) -> None:
    ties(random_world(seed))


@settings(max_examples=25)
@given(SEEDS, st.sampled_from([0.25, 0.5, 1.0, 4.0]))
def test_that_holds_with_blocks_floors_apis_and_other_steps(seed: int, step_h: float) -> None:
    ties(roomy_case(seed, step_h=step_h))


@given(COMPANIES)
def test_that_holds_for_companies_with_sunk_contracts_and_history(seed: int) -> None:
    made, run, objective_usd, _ = played(seed)
    ties(made, (run, objective_usd))


@given(COMPANIES)
def test_contracts_settled_from_their_words_tie_to_the_bill(seed: int) -> None:
    """Every clause, term and time zone, for a run that does much and one that does nothing."""
    made, best, _, nothing = played(seed)
    for run in (best, nothing):
        spent = account(made, run)
        assert spent.lines == settle_run(made, run)
        scale_usd = sum(abs(line.amount_usd) for line in spent.lines)
        settled_usd = sum(line.amount_usd for line in spent.lines)
        assert settled_usd == pytest.approx(spent.bill_usd, abs=1e-6 * scale_usd)
        for name, usd in spent.power_usd.items():
            lines = [line.amount_usd for line in spent.lines if line.contract_id == name]
            assert sum(lines) == pytest.approx(usd, abs=1e-6 * max(1.0, scale_usd))


def test_random_companies_hold_every_component_and_part() -> None:
    """What the property above would prove of nothing, were it never there."""
    spent = []
    for seed in range(12):
        made, run, _, _ = played(seed)
        spent.append(account(made, run))
    components = {line.component for each in spent for line in each.lines}
    assert components == {"purchase", "resale", "delivery", "deemed_generation"}
    parts = {name for each in spent for name, usd in each.parts().items() if usd}
    assert parts >= {"power", "cycling", "lease", "network", "api", "downgraded", "end_valuation"}


def test_bills_that_differ_are_an_error_of_ours() -> None:
    made = random_company(0)
    run = optimal(made)[0]
    other = replace(made, spot_usd_per_mwh=made.spot_usd_per_mwh + 0.01)
    with pytest.raises(BillsDiffer, match=r"contract 'austin-spot': settled at .* USD, the disp"):
        account(other, run)


def test_each_part_by_hand() -> None:
    """Refuse 3 + 4 Mtok worth 50: 350. Block 2 x 2 h at 40: 160; sold at 48 - 2 and 58 - 2.

    The wind is paid for 10 + 20 USD whatever happens and 1 MWh is taken in each hour at 30: 90;
    all 3 + 3 MWh are sold: 3 x 46 + 3 x 56 = 306.
    """
    made = plain([[48.0, 58.0]], [[3.0, 4.0]], batteries=(battery(),), battery_site=(0,))
    wind = replace(take([1.0, 1.0], curtail=False), sunk_usd_per_h=np.array([10.0, 20.0]))
    made = replace(made, takes=(wind,), blocks=(block([2.0, 2.0]),))
    spent = account(made, replay(made, Refuser(made)))
    assert spent.refused_usd == pytest.approx(350.0)
    assert dict(spent.power_usd) == pytest.approx({"spot@s0": -306.0, "ppa": 90.0, "block": 160.0})
    assert spent.bill_usd == pytest.approx(-56.0)
    assert spent.end_valuation_usd == 0.0
    assert spent.cost_usd == pytest.approx(294.0)
    assert spent.cost_usd == sum(spent.parts().values())


def test_stored_energy_at_the_end_is_a_credit() -> None:
    """An hour at 0 USD charges 5 MW x 0.95; it is worth the mean price 50 x 0.95."""
    made = plain([[0.0, 100.0]], [[0.0, 0.0]], batteries=(battery(),), battery_site=(0,))
    made = replace(made, export_limit_mw=made.export_limit_mw * 0.0)
    run, _ = optimal(made)
    assert account(made, run).end_valuation_usd == pytest.approx(-4.75 * 50.0 * 0.95)


def test_leases_are_paid_by_the_awake_hour() -> None:
    """0.5 replicas of 1 GPU for half an hour at 3 USD: 0.75 USD an interval."""
    made = plain([[50.0] * 2], [[2.5] * 2], step_h=0.5)
    made = replace(made, fleets=(fleet(0, lease=3.0),))
    assert account(made, optimal(made)[0]).lease_usd == pytest.approx(1.5)


def test_no_policy_costs_less_than_the_clairvoyant() -> None:
    made = random_company(5)
    bound_usd = account(made, optimal(made)[0]).cost_usd
    for name in ("nearest", "static", "greedy", "greedy_battery", "mpc"):
        assert account(made, replay(made, make_policy(name, made))).cost_usd >= bound_usd - 1e-6


@given(COMPANIES)
def test_the_cost_by_interval_sums_to_the_cost(seed: int) -> None:
    made, best, _, nothing = played(seed)
    for run in (best, nothing):
        by_interval = cost_usd_by_interval(made, run)
        assert by_interval.shape == (made.count,)
        assert by_interval.sum() == pytest.approx(account(made, run).cost_usd, rel=1e-9, abs=1e-6)

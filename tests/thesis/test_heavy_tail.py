"""T10: a plan capped at break-even, by hand, and the ways in which it fails."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.hourly_prices import synthetic_hourly_prices
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.thesis.heavy_tail import Plan, run
from tokenergy.thesis.inputs import ThesisInputs

PLAN = Plan(
    usd_per_user_month=20.0,
    token_price_usd_per_mtok=2.0,
    cost_usd_per_mtok=1.0,
    top_tenth_share=0.8,
    churn_share=0.0,
)


@pytest.fixture(scope="module")
def inputs() -> ThesisInputs:
    return ThesisInputs(
        catalogue=load_catalogue(),
        presets=load_presets(),
        ranges=load_ranges(),
        prices=synthetic_hourly_prices(1),
        seed=1,
    )


def test_a_plan_by_hand() -> None:
    """20 USD at 2 USD/Mtok: mean usage 10 Mtok, at 1 USD/Mtok a cost of 10.

    It turns at 20 Mtok, twice the mean: the sheet keeps 40 % there, so a cost of 4, and a margin
    of 16 after 10.
    """
    assert PLAN.usage.mean_mtok == 10.0
    assert PLAN.break_even_mtok == 20.0
    assert PLAN.before.mean_usd_per_user == pytest.approx(10.0)
    assert PLAN.after.mean_usd_per_user == pytest.approx(20.0 - 10.0 * 0.396, abs=0.01)
    assert PLAN.after.unprofitable_share == 0.0
    assert PLAN.gain_usd_per_user_month == pytest.approx(6.04, abs=0.01)
    assert PLAN.holds
    churned = replace(PLAN, churn_share=0.25)
    assert churned.net_usd_per_user_month == pytest.approx(0.75 * 16.04, abs=0.01)


def test_a_plan_within_3_errors_of_users_one_by_one() -> None:
    random = np.random.default_rng(10)
    sigma = PLAN.usage.sigma_ratio
    x = 10.0 * np.exp(sigma * random.standard_normal(400_000) - 0.5 * sigma**2)
    stays = random.random(x.size) >= 0.05
    margins = stays * (20.0 - np.minimum(x, 20.0))
    error = margins.std() / math.sqrt(x.size)
    net = replace(PLAN, churn_share=0.05).net_usd_per_user_month
    assert abs(margins.mean() - net) <= 3.0 * error
    loses = 20.0 - x < 0.0
    share = PLAN.before.unprofitable_share
    assert abs(loses.mean() - share) <= 3.0 * math.sqrt(share * (1.0 - share) / x.size)


@given(st.floats(0.5, 5.0), st.floats(0.1, 5.0), st.floats(0.1, 0.95), st.floats(0.0, 0.99))
def test_the_most_churn_is_where_the_gain_turns(
    price: float, cost: float, tail: float, churn: float
) -> None:
    plan = Plan(
        usd_per_user_month=20.0,
        token_price_usd_per_mtok=price,
        cost_usd_per_mtok=cost,
        top_tenth_share=tail,
        churn_share=churn,
    )
    if abs(churn - plan.most_churn_share) > 1e-6 and plan.before.mean_usd_per_user > 0.0:
        assert (plan.gain_usd_per_user_month > 0.0) == (churn < plan.most_churn_share)
    # Without churn the cap saves exactly what heavy users lost: it cannot fail.
    saved = plan.after.mean_usd_per_user - plan.before.mean_usd_per_user
    assert saved == pytest.approx(plan.before.loss_usd_per_user, rel=1e-6, abs=1e-6)


def test_it_fails_where_few_lose_and_some_leave() -> None:
    """Tokens at a hundredth of their list price: the plan turns at a hundred times mean usage."""
    plan = replace(PLAN, cost_usd_per_mtok=0.02, churn_share=0.02)
    assert plan.before.unprofitable_share < 0.001
    assert plan.most_churn_share < 0.02
    assert not plan.holds
    assert replace(plan, churn_share=0.0).holds


def test_the_base_and_its_draws(inputs: ThesisInputs) -> None:
    result = run(inputs)
    figures = result.figures
    assert (result.id, result.label, result.draws_count) == ("T10", "sensitivity", 1000)
    # the sheet, section 1: 0.73 USD/Mtok; section 4: kept 40 % at twice the mean
    assert figures["full_usd_per_mtok"] == pytest.approx(0.73, abs=0.005)
    assert figures["cap"]["cap_ratio"] == pytest.approx(1.5 / 0.7314, rel=1e-3)
    assert figures["cap"]["tokens_dropped_share"] == pytest.approx(0.60, abs=0.01)
    assert figures["cap"]["unprofitable_share"] == 0.0
    assert figures["before"]["unprofitable_share"] == figures["cap"]["capped_share"] > 0.0
    lost = figures["cap"]["tokens_dropped_share"] * 20.0  # mean usage lists at the price
    assert figures["cap"]["value_lost_usd_per_user_month"] == pytest.approx(lost)
    assert result.number == figures["gain_usd_per_user_month"]
    assert (result.verdict == "PASS") == (result.number > 0.0)
    assert 0.0 < result.holds_share < 1.0
    assert "by construction" in result.says
    tails = {row["usage_top_tenth_share"]: row for row in figures["other_tails"]}
    base = tails[0.8]
    assert base["gain_usd_per_user_month"] == pytest.approx(result.number)
    assert run(inputs) == result
    assert run(replace(inputs, seed=2)).inputs_hash != result.inputs_hash


def test_a_churn_that_no_cap_pays_for_is_a_fail(inputs: ThesisInputs) -> None:
    churn = replace(
        inputs.ranges["churn_share"], low_quantity=0.5, base_quantity=0.6, high_quantity=0.7
    )
    result = run(replace(inputs, ranges={**inputs.ranges, "churn_share": churn}))
    assert result.verdict == "FAIL"
    assert result.number < 0.0

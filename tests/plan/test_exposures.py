"""What contracts deliver and cost in a plan, and how exposures spread over worlds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan.valued import CATALOGUE, HOURS, company_to_plan, inputs_to_plan, planned

from tokenergy.dispatch.build import build_world
from tokenergy.plan.exposures import flows_of, spreads
from tokenergy.plan.sized_company import company_at

SPOTS = [{"id": f"spot-{n}", "kind": "spot", "site": n} for n in ("windy", "metro", "far")]


def test_what_is_taken_is_paid_at_the_strike_at_the_size_of_the_plan():
    """A PPA of 2 MW at 22: at most 2 MW x the profile, 22 USD for each MWh taken."""
    made = planned()
    sized = build_world(company_at(made.plan.company, made.sizes), made.plan.inputs, CATALOGUE)
    take = made.optimum.value("take").T
    (flow,) = flows_of(sized, take)
    assert flow.contract_id == "wind"
    assert flow.mwh == pytest.approx(take[0])
    assert np.all(flow.mwh <= made.sizes["wind"] * made.plan.inputs.profile_share["wind"] + 1e-6)
    assert flow.usd == pytest.approx(22.0 * take[0])
    assert flow.settled_usd_per_mwh == pytest.approx(made.plan.inputs.price_usd_per_mwh["windy"])


def test_a_block_and_a_contract_for_difference_by_hand():
    """Block: 3 MW at 40 all hours. Virtual: half of 10 MW x profile, strike 30 against the hub.

    Hours with a hub below 0 are not settled; (strike - hub) x MWh + hub x MWh = strike x MWh.
    """
    company = company_to_plan(
        contracts=[
            *SPOTS,
            {"id": "base", "kind": "block", "site": "metro", "contract_mw": 3.0,
             "strike_usd_per_mwh": 40.0},
            {"id": "paper", "kind": "ppa_virtual", "site": "windy", "project_mw": 10.0,
             "share": 0.5, "profile": 0.5, "hub_price": 20.0, "strike_usd_per_mwh": 30.0,
             "zero_volume_below_usd_per_mwh": 0.0},
        ],
        plan={"sites": [{"name": "windy", "most_mw": 2.0}]},
    )  # fmt: skip
    profile = np.linspace(0.1, 0.9, HOURS)
    hub = np.where(np.arange(HOURS) % 6 == 0, -5.0, 20.0)
    inputs = inputs_to_plan(
        company, profile_share={"paper": profile}, series={"paper.hub_price": hub}
    )
    world = build_world(company, inputs, CATALOGUE)
    base, paper = flows_of(world, np.zeros((0, HOURS)))
    assert base.mwh == pytest.approx(np.full(HOURS, 3.0))
    assert base.usd == pytest.approx(np.full(HOURS, 120.0))
    settled = np.where(hub < 0.0, 0.0, 5.0 * profile)
    assert paper.mwh == pytest.approx(settled)
    assert paper.usd == pytest.approx(30.0 * settled)
    assert paper.settled_usd_per_mwh == pytest.approx(hub)


def test_spreads_by_hand():
    """Two lines over four worlds alike: totals 1 + 3, 2 + 3, 3 + 3, 10 + 3.

    The second line does not vary: all of the variance is the first one's.
    """
    found = {each.name: each for each in spreads({"a": [1.0, 2.0, 3.0, 10.0], "b": [3.0] * 4})}
    assert found["a"].mean_usd == pytest.approx(4.0)
    assert found["a"].p10_usd == 1.0
    assert found["a"].p90_usd == 10.0
    assert found["total"].tail_usd == pytest.approx(13.0)
    assert found["a"].deviation_usd == pytest.approx(np.std([1.0, 2.0, 3.0, 10.0]))
    assert found["a"].euler_share == pytest.approx(1.0)
    assert found["b"].euler_share == pytest.approx(0.0)
    assert found["total"].euler_share == pytest.approx(1.0)


def test_weights_move_the_mean_and_the_tail():
    """Worlds 0 and 100 with shares 0.97 and 0.03: mean 3; the worst 5 % hold 3 % of 100: 60."""
    (line, total) = spreads({"a": [0.0, 100.0]}, [0.97, 0.03])
    assert line.mean_usd == pytest.approx(3.0)
    assert line.tail_usd == pytest.approx(60.0)
    assert line.p90_usd == 0.0
    assert total.euler_share == pytest.approx(1.0)


def test_worlds_that_do_not_differ_have_no_shares():
    assert [each.euler_share for each in spreads({"a": [1.0], "b": [2.0]})] == [None] * 3


@pytest.mark.parametrize("bad", [{}, {"a": []}])
def test_no_world_is_refused(bad):
    with pytest.raises(ValueError, match="no world"):
        spreads(bad)


def test_weights_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        spreads({"a": [1.0, 2.0]}, [0.5, 0.6])


@given(st.integers(0, 500), st.integers(2, 12))
def test_shares_of_the_variance_sum_to_one(seed, worlds):
    rng = np.random.default_rng(seed)
    lines = {name: rng.normal(0.0, 1e6, worlds).tolist() for name in "abcde"}
    weights = rng.uniform(0.1, 1.0, worlds)
    found = spreads(lines, (weights / weights.sum()).tolist())
    shares = [each.euler_share for each in found[:-1]]
    assert None not in shares
    assert sum(shares) == pytest.approx(1.0)
    for each in found:
        assert each.p10_usd <= each.p90_usd <= each.tail_usd + 1e-6 * abs(each.tail_usd)

"""Policies side by side: ratios where they say something, null where they would not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from simulate.played import Optimal, Refuser, random_company
from worlds import deployment, fleet, plain, random_case, random_world, route, take, workload, world

from tokenergy.dispatch.policies import make_policy
from tokenergy.simulate.account import account
from tokenergy.simulate.replay import replay
from tokenergy.simulate.scorecard import scorecard

NAMES = ("static", "greedy_battery", "clairvoyant")


def runs(made, names=NAMES):
    return {name: replay(made, make_policy(name, made)) for name in names}


def test_ratios_against_the_baseline_and_the_bound() -> None:
    made = random_world(3)
    played = runs(made)
    card = scorecard(made, played)
    cost = {name: account(made, run).cost_usd for name, run in played.items()}
    best, today, fixed = cost["clairvoyant"], cost["greedy_battery"], cost["static"]
    assert best > 0
    score = card.policies["static"]
    assert score.cost_usd == fixed
    assert score.regret_share == pytest.approx(fixed / best - 1)
    assert score.captured_share == pytest.approx((today - fixed) / (today - best))
    assert score.saving_greedy_battery.usd == pytest.approx(today - fixed)
    assert score.saving_greedy_battery.share == pytest.approx(1 - fixed / today)
    assert card.policies["clairvoyant"].captured_share == pytest.approx(1.0)
    assert card.policies["clairvoyant"].regret_share == 0.0
    assert card.policies["greedy_battery"].captured_share == 0.0
    assert sum(score.parts.values()) == pytest.approx(score.cost_usd)
    assert (card.baseline, card.bound) == ("greedy_battery", "clairvoyant")


def test_a_policy_that_was_not_run_gives_null() -> None:
    made = random_case(3, hours=6)[0]
    card = scorecard(made, {"refuser": replay(made, Refuser(made))})
    score = card.policies["refuser"]
    assert (card.baseline, card.bound) == (None, None)
    assert (score.regret_share, score.regret_usd, score.captured_share) == (None, None, None)
    assert (score.saving_static, score.saving_greedy_battery) == (None, None)
    assert (score.j_per_token, score.zero_price_share, score.value_usd_per_kwh) == (None, None, 0.0)


def test_a_bound_that_costs_nothing_gives_dollars_and_no_ratio() -> None:
    """Power sold for more than all work costs: the best possible earns money."""
    made = plain([[90.0] * 3], [[1.0] * 3])
    made = replace(made, takes=(take([9.0] * 3, strike=5.0),))
    score = scorecard(made, runs(made)).policies["static"]
    assert score.cost_usd < 0
    assert score.regret_share is None
    assert score.regret_usd == pytest.approx(0.0, abs=1e-6)
    assert score.saving_static.share is None
    assert score.captured_share is None, "there is no gap to capture"
    assert score.unmoved.share is None


def test_fates_are_told_by_tier() -> None:
    """2 Mtok each: chat on the small model, batch one hour late, free refused."""
    loads = (
        workload("chat", tier_index=0),
        workload("batch", defer=1, tier_index=1),
        workload("free", tier_index=2, value=0.001, must_serve=False),
    )
    made = world(
        [[80.0, 1.0]],
        [[2.0, 0.0]] * 3,
        routes=(route(0, 0, quality=0.8), route(1, 0), route(2, 0)),
        deployments=(deployment(0),),
        fleets=(fleet(0),),
        workloads=loads,
        floors=(0.0,) * 3,
    )
    score = scorecard(made, {"clairvoyant": replay(made, Optimal(made))}).policies["clairvoyant"]
    fate = {name: tuple(vars_of(each)) for name, each in score.tiers.items()}
    assert fate["tier0"] == pytest.approx((2.0, 0.0, 2.0, 0.0))
    assert fate["tier1"] == pytest.approx((2.0, 2.0, 0.0, 0.0))
    assert fate["tier2"] == pytest.approx((0.0, 0.0, 0.0, 2.0))
    assert (score.served_mtok, score.refused_mtok) == pytest.approx((4.0, 2.0))
    assert score.must_serve_refused_mtok == 0.0


def vars_of(fate):
    return (fate.served_mtok, fate.deferred_mtok, fate.downgraded_mtok, fate.refused_mtok)


def test_energy_value_and_the_zero_price_share_by_hand() -> None:
    """10 Mtok at 50 USD/MWh and 30 at 0: 4 MWh x PUE 1.5 = 6 MWh; 75 % at price 0.

    Value 40 x 50 = 2,000 USD over 6,000 kWh; 6 MWh = 2.16e10 J over 4e7 tokens = 540 J.
    """
    made = plain([[50.0, 0.0]], [[10.0, 30.0]], pue=1.5)
    score = scorecard(made, {"x": replay(made, Optimal(made))}).policies["x"]
    assert score.energy_mwh == pytest.approx(6.0)
    assert score.zero_price_share == pytest.approx(0.75)
    assert score.value_usd_per_kwh == pytest.approx(2000 / 6000)
    assert score.j_per_token == pytest.approx(540.0)
    assert score.fallback_share == 0.0


def test_what_no_decision_moves_is_said() -> None:
    """Fixed 2 MW x PUE 1.5 at 40 and 60: 300 USD; must-take wind 1 MW at 30: 60."""
    made = plain([[40.0, 60.0]], [[10.0, 10.0]], pue=1.5, fixed=2.0)
    made = replace(made, takes=(take([1.0, 1.0], curtail=False),))
    score = scorecard(made, {"clairvoyant": replay(made, Optimal(made))}).policies["clairvoyant"]
    assert score.unmoved.fixed_load_usd == pytest.approx(300.0)
    assert score.unmoved.must_take_usd == pytest.approx(60.0)
    assert score.unmoved.share == pytest.approx(360.0 / score.cost_usd)


def test_wake_energy_is_counted_at_the_meter() -> None:
    """One wake of 0.5 replicas x 1 MW x 0.5 h x PUE 2; none where only work draws."""
    made = plain([[50.0, 50.0]], [[0.0, 5.0]], base_mw=1.0, pue=2.0)
    made = replace(made, deployments=(replace(made.deployments[0], wake_mwh=0.5),))
    card = scorecard(made, {"x": replay(made, Optimal(made))})
    assert card.policies["x"].wake_mwh == pytest.approx(0.5)
    made = replace(made, spot_usd_per_mwh=-made.spot_usd_per_mwh)
    card = scorecard(made, {"x": replay(made, Optimal(made))})
    assert card.policies["x"].wake_mwh == 0.0


def test_a_fallback_is_counted() -> None:
    class Half(Refuser):
        def decide(self, at, state):
            return replace(super().decide(at, state), source="greedy" if at % 2 else self.name)

    made = plain([[50.0] * 4], [[5.0] * 4])
    card = scorecard(made, {"refuser": replay(made, Half(made))})
    assert card.policies["refuser"].fallback_share == 0.5
    assert card.policies["refuser"].must_serve_refused_mtok == 20.0


def test_the_card_as_json() -> None:
    made = random_company(2)
    card = json.loads(json.dumps(scorecard(made, runs(made)).to_dict(), allow_nan=False))
    assert set(card) == {"policies", "baseline", "bound", "synthetic", "horizon"}
    assert list(card["policies"]) == list(NAMES)
    keys = {"cost_usd", "bill_usd", "regret_share", "captured_share", "served_mtok"}
    assert all(keys <= set(score) for score in card["policies"].values())
    assert card["synthetic"] == ["sites[0].market.price"]
    assert card["horizon"]["start"] == "2026-03-02T00:00Z"
    assert card["horizon"]["end"] == "2026-03-04T00:00Z"
    assert card["horizon"]["intervals_count"] == made.count
    assert set(card["policies"]["static"]["tiers"]) == {"paid", "later"}
    assert np.isfinite(card["policies"]["static"]["regret_share"])

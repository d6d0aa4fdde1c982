"""Policies side by side: ratios where they say something, null where they would not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from simulate.played import Optimal, Refuser, random_company
from worlds import (
    block,
    deployment,
    fleet,
    plain,
    random_case,
    random_world,
    route,
    take,
    workload,
    world,
)

from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import Sunk
from tokenergy.simulate.account import account
from tokenergy.simulate.best_possible import Foresight, horizon_rows, too_large
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
    bound = {"bound", "bound_method", "bound_usd", "bound_gap_share", "bound_rows_count"}
    assert set(card) == {"policies", "baseline", "synthetic", "horizon"} | bound | {
        "broken", "fixed_price_sites", "regret_denominator",
    }  # fmt: skip
    assert card["bound_method"] == "whole_horizon_program"
    assert card["bound_usd"] == card["policies"]["clairvoyant"]["cost_usd"]
    assert list(card["policies"]) == list(NAMES)
    keys = {"cost_usd", "bill_usd", "regret_share", "captured_share", "served_mtok"}
    assert all(keys <= set(score) for score in card["policies"].values())
    assert card["synthetic"] == ["sites[0].market.price"]
    assert card["horizon"]["start"] == "2026-03-02T00:00Z"
    assert card["horizon"]["end"] == "2026-03-04T00:00Z"
    assert card["horizon"]["intervals_count"] == made.count
    assert set(card["policies"]["static"]["tiers"]) == {"paid", "later"}
    assert np.isfinite(card["policies"]["static"]["regret_share"])


def test_a_bill_by_component_sums_to_that_of_each_contract() -> None:
    made = random_company(2)
    score = scorecard(made, runs(made, ("static",))).policies["static"]
    for contract_id, usd in score.power_usd.items():
        lines = [line for line in score.bill_lines if line.contract_id == contract_id]
        assert sum(line.amount_usd for line in lines) == pytest.approx(usd, abs=1e-6)
        assert len({line.component for line in lines}) == len(lines)


def test_regret_says_what_it_is_over() -> None:
    """A block of 5 x 40 an hour for 3 h, 1 MW of fixed load at 50, 30 of fixed charges: 780."""
    made = plain([[50.0] * 3], [[1.0] * 3])
    charge = Sunk(contract_id="grid", component="fixed", usd=np.array([30.0, 0.0, 0.0]))
    made = replace(made, blocks=(block([5.0] * 3),), fixed_mw=np.array([1.0]), sunk=(charge,))
    card = scorecard(made, runs(made))
    held = card.denominator
    assert held is not None
    assert (held.blocks_usd, held.fixed_load_usd, held.sunk_usd) == (600.0, 150.0, 30.0)
    assert held.share == pytest.approx(780.0 / card.policies["clairvoyant"].cost_usd)
    assert scorecard(made, runs(made, ("static",))).denominator is None


def test_sites_whose_power_never_moves_are_named() -> None:
    """s0 pays 50 throughout; s1 moves; s2 is as flat but long in the second hour: 50, then 48."""
    made = plain([[50.0, 50.0], [50.0, 60.0], [50.0, 50.0]], [[20.0] * 2])
    made = replace(made, takes=(take([0.0, 50.0], site=2, strike=1.0),))
    assert scorecard(made, runs(made)).fixed_price_sites == ("s0",)


def test_a_certified_bound_stands_below_what_windows_do() -> None:
    made = random_world(4, hours=96)
    windows = Foresight(made, commit_h=24.0, overlap_h=24.0)
    bound = windows.bound()
    played = runs(made, ("static", "greedy_battery")) | {"clairvoyant": replay(made, windows)}
    card = scorecard(made, played, bound=bound)
    solved = scorecard(made, runs(made))
    assert card.best is not None
    assert card.to_dict()["bound_method"] == "certified_lower_bound"
    lowest = solved.policies["clairvoyant"].cost_usd
    assert bound.lower_usd <= lowest * (1 + 1e-9)
    cost = card.policies["clairvoyant"].cost_usd
    assert cost == pytest.approx(bound.feasible_usd)
    assert cost >= lowest * (1 - 1e-9)
    regret = card.policies["static"].regret_usd
    assert regret == pytest.approx(card.policies["static"].cost_usd - bound.lower_usd)
    assert regret >= solved.policies["static"].regret_usd - 1e-6
    assert card.best.gap_share == pytest.approx(bound.gap_share)
    captured = card.policies["clairvoyant"].captured_share
    assert captured is not None
    assert captured < 1.0


def test_a_horizon_is_large_by_its_rows_unless_contracts_stand_over_all_of_it() -> None:
    made = random_world(4, hours=96)
    rows_count, coupled = horizon_rows(made)
    assert rows_count == solve_horizon(made).program.rows_count
    assert not coupled
    assert too_large(made, most_rows=rows_count - 1)
    assert not too_large(made, most_rows=rows_count)

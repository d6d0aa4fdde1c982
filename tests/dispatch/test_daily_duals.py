"""A plan a day, and a merit order against its duals between plans."""

import json
from dataclasses import replace

import numpy as np
import pytest
from action_check import after, check, wild_world
from worlds import battery, plain, random_case, random_state, workload

from tokenergy.dispatch.daily_duals import DailyDuals
from tokenergy.dispatch.daily_plan import DailyPlan
from tokenergy.dispatch.reserve import Reserve
from tokenergy.dispatch.world import State, World


def published_at(made: World, hours: tuple[int, ...]) -> World:
    """Publish at those hours of a day, one site each, all of the next day."""
    now = np.arange(made.pue.shape[1])
    rows = [(now // 24 + 1 + (now % 24 >= hour)) * 24 for hour in hours]
    return replace(made, published_until=np.array(rows))


def plans_begin(made: World) -> list[int]:
    """Return where the plans begin that a walk through the horizon makes."""
    plan, state, begins = DailyPlan(made), State.initial(made), []
    for at in made.horizon_indices():
        begin = plan.plan(at, state).begin
        if not begins or begin != begins[-1]:
            begins.append(begin)
    return begins


def test_a_plan_is_made_whenever_a_market_has_published():
    """Two markets, at 13:00 and at 20:00, over two and a half days from the 8th midnight on."""
    made = plain(np.full((2, 300), 20.0), np.ones((1, 300)), history=192)
    made = published_at(replace(made, count=60), (13, 20))
    assert plans_begin(made) == [192, 205, 212, 229, 236]


def test_without_a_day_ahead_market_a_plan_stands_for_a_day():
    made = plain([[20.0] * 300], np.ones((1, 300)), history=192)
    made = replace(made, count=60, published_until=np.arange(1, 301)[None, :])
    assert plans_begin(made) == [192, 216, 240]


def test_what_is_left_is_worth_what_the_next_interval_pays_for_it():
    """Power at 10, then 100: the work that waits costs 10 + network, a stored MWh saves 100 x 0.8.

    A Mtok draws 0.1 MWh; the battery of 4 MWh empties into 9 MW of fixed load in the dear hours.
    """
    made = plain(
        [[10.0] * 3 + [100.0] * 3],
        np.full((1, 6), 5.0),
        fixed=9.0,
        batteries=(battery(power=5.0, capacity=4.0, efficiency=0.8),),
        battery_site=(0,),
    )
    made = replace(made, workloads=(workload(defer=2),), published_until=np.full((1, 6), 6))
    planned = DailyPlan(made).plan(0, State.initial(made))
    assert planned.end == 6
    assert planned.stored_usd_per_mwh[2, 0] == pytest.approx(80.0)
    assert planned.waiting_usd_per_mtok[0, 0] == pytest.approx(1.0)
    assert planned.waiting_usd_per_mtok[3, 0] == pytest.approx(10.0)
    assert planned.served_mtok.sum() == pytest.approx(30.0)


def test_a_plan_in_five_minutes_says_the_same_of_every_part_of_an_hour():
    """The second hour on is planned as one interval: its 50 Mtok are 50 / 12 in each part."""
    total = 6 * 12
    made = plain([[20.0] * total], np.full((1, total), 50.0 / 12), step_h=1 / 12)
    planned = DailyPlan(made).plan(0, State.initial(made))
    assert planned.end == total
    assert planned.served_mtok[:, 0] == pytest.approx(np.full(total, 50.0 / 12))


def test_a_plan_that_is_remembered_is_the_same_plan():
    made, state = random_case(1, hours=60)
    held = DailyPlan(made)
    ours = held.plan(5, state)
    other = DailyPlan(made)
    other.recall(json.loads(json.dumps(held.memory())))
    theirs = other.plan(6, state)
    assert theirs.begin == 5
    for name in ("stored_usd_per_mwh", "waiting_usd_per_mtok", "power_mw", "served_mtok"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert DailyPlan(made).memory() == {}


def test_a_policy_that_is_made_afresh_goes_on_to_the_bit():
    made, state = random_case(2, hours=90)
    made = replace(made, first=48, count=42)
    walked, resumed = DailyDuals(made), DailyDuals(made)
    for at in range(48, 53):
        state = after(made, at, state, walked.decide(at, state))
    resumed.recall(json.loads(json.dumps(walked.memory())))
    ours, theirs = walked.decide(53, state), resumed.decide(53, state)
    assert np.array_equal(ours.serve_mtok, theirs.serve_mtok)
    assert np.array_equal(ours.charge_mw, theirs.charge_mw)


def test_between_plans_it_stores_and_waits_as_the_duals_say():
    """Published: 50, 10, 100, 100. Work that may wait runs at 10, not at 50.

    A stored MWh saves 90 USD in the dear hours and costs 55.6 at 50: 5 MW in both cheap hours,
    9 MWh in store; 5 MW come out for 5.56 of it, and the rest is 3.44 x 0.9 = 3.1 MWh.
    """
    made = plain(
        [[50.0, 10.0, 100.0, 100.0]],
        np.full((1, 4), 5.0),
        fixed=9.0,
        batteries=(battery(power=5.0, capacity=20.0, efficiency=0.9),),
        battery_site=(0,),
    )
    made = replace(made, workloads=(workload(defer=1),), published_until=np.full((1, 4), 4))
    state = replace(State.initial(made), energy_mwh=np.array([0.0]))
    policy, served, charged = DailyDuals(made), [], []
    for at in range(4):
        action = policy.decide(at, state)
        assert action.source == "daily_duals"
        check(made, at, state, action)
        served.append(float(action.serve_mtok.sum()))
        charged.append(float(action.charge_mw[0] - action.discharge_mw[0]))
        state = after(made, at, state, action)
    assert served[:2] == pytest.approx([0.0, 10.0])
    assert charged == pytest.approx([5.0, 5.0, -5.0, -3.1])


@pytest.mark.parametrize("seed", range(12))
def test_it_keeps_every_limit_in_wild_worlds(seed):
    made = wild_world(seed, hours=16)
    state, policy = random_state(made, seed), DailyDuals(made)
    for at in made.horizon_indices():
        action = policy.decide(at, state)
        check(made, at, state, action)
        state = after(made, at, state, action)


def test_without_a_plan_it_is_the_reserve():
    """From the third hour on fixed load exceeds the import limit: no plan holds, yet now does."""
    limits = np.full((1, 30), 5.0)
    limits[0, 3:] = 1.0
    made = plain([[20.0] * 30], np.ones((1, 30)), fixed=3.0, import_limit=limits)
    state = State.initial(made)
    ours, theirs = DailyDuals(made).decide(0, state), Reserve(made).decide(0, state)
    assert ours.source == "reserve"
    assert np.array_equal(ours.serve_mtok, theirs.serve_mtok)

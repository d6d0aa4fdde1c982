"""Boards out of solved windows and merit orders: prices in parts, shares, places, releases."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import promise, two_sites
from worlds import api, api_route, random_case, random_world, workload

from tokenergy.company.board import PART_NAMES
from tokenergy.company.board_findings import board_findings
from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.duals import PriceBoard
from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State
from tokenergy.simulate.boards import Boards
from tokenergy.simulate.interval import Mechanics
from tokenergy.simulate.price_sheets import PriceSheets


def promises_for(world):
    return tuple(promise(value_usd_per_mtok=load.value_usd_per_mtok) for load in world.workloads)


def board_of(world, state=None, *, ends=True, weight=None, **changes):
    state = State.initial(world) if state is None else state
    window = true_window(world, begin=world.first, count=world.count)
    optimum = WindowModel(world, window, state).solved(window)
    model = (world, state) if ends else None
    sheet = PriceSheets(world).of_optimum(optimum, model=model)
    boards = Boards(world, promises_for(world), **changes)
    return boards.board(sheet, policy="mpc", weight_ratio=weight), optimum, window, state


def candidates(load):
    return {one.deployment: one for rung in load.rungs for one in rung.candidates}


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 400))
def test_boards_of_random_worlds_are_whole(seed):
    """Shares sum to 1, parts to prices, nothing is missing: what the gateway checks on arrival."""
    world, state = random_case(seed, hours=6)
    board, optimum, _, _ = board_of(world, state)
    assert board_findings(board, deployments=[d.name for d in world.deployments]) == ()
    served = optimum.value("serve", 0)
    for at, spec in enumerate(world.workloads):
        load = board.by_name[spec.name]
        mine = [i for i, r in enumerate(world.routes) if r.workload == at]
        total = served[mine].sum()
        for rung in load.rungs:
            assert sorted(one.high_usd_per_mtok for one in rung.candidates) == [
                one.high_usd_per_mtok for one in rung.candidates
            ]
            for one in rung.candidates:
                assert one.low_usd_per_mtok <= one.high_usd_per_mtok + 1e-9
        if total > 1e-6:
            assert load.planned_mtok == pytest.approx(total)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 200))
def test_prices_are_those_of_the_price_board(seed):
    """The price of a place is that of `price`, less the worth of lost quality that it holds."""
    world, state = random_case(seed, hours=4)
    board, _, window, state = board_of(world, state)
    rows = list(PriceBoard(world, window, state).rows(range(1)))
    lost = quality_loss_usd_per_mtok(world)
    named = [world.deployments[r.deployment].name for r in world.routes]
    by_route = iter(rows)
    for workload_at, spec in enumerate(world.workloads):
        found = candidates(board.by_name[spec.name])
        for at, route in enumerate(world.routes):
            if route.workload != workload_at:
                continue
            row = next(by_route)
            one = found[named[at]]
            total = row.total_usd_per_mtok - row.other_usd_per_mtok - lost[at]
            assert one.high_usd_per_mtok == pytest.approx(total, abs=1e-6, rel=1e-6)


def test_a_merit_order_prices_by_hand():
    """0.1 MWh/Mtok at 10 and 30 USD/MWh: 1 and 3 USD/Mtok, and nothing is known of later."""
    world = two_sites()
    world.arrivals_mtok[:] = 5.0
    state = State.initial(world)
    action = make_policy("greedy", world).decide(0, state)
    step = Mechanics(world).execute(0, state, action)
    sheet = PriceSheets(world).of_merit(0, action, step)
    load = Boards(world, promises_for(world)).board(sheet, policy="greedy").by_name["chat"]
    (rung,) = load.rungs
    assert [one.high_usd_per_mtok for one in rung.candidates] == pytest.approx([1.0, 3.0])
    assert [one.share for one in rung.candidates] == [1.0, 0.0]
    assert rung.ahead_usd_per_mtok == pytest.approx((1.0,))
    assert load.release_mtok_per_h == ()
    first = rung.candidates[0]
    assert first.parts_usd_per_mtok[PART_NAMES.index("energy")] == pytest.approx(1.0)
    # 5 Mtok at 10 Mtok/h: half a replica, and eight requests at once in each.
    assert first.awake_count == pytest.approx(0.5)
    assert first.slots_count == pytest.approx(4.0)
    assert first.j_per_token == pytest.approx(0.1 * 3.6e9 / 1e6)


def test_prices_ahead_and_releases_follow_the_plan():
    """90, 90, 10 USD/MWh: all 6 Mtok are planned in the third hour, at 1 USD/Mtok there."""
    loads = (workload("chat", value=50.0, defer=2),)
    world = two_sites(prices=((90.0, 90.0, 10.0), (95.0, 95.0, 20.0)), workloads=loads)
    world.arrivals_mtok[0, 0] = 6.0
    board, _, _, _ = board_of(world)
    load = board.by_name["chat"]
    (rung,) = load.rungs
    assert rung.ahead_usd_per_mtok == pytest.approx((9.0, 9.0, 1.0))
    assert load.release_mtok_per_h == pytest.approx((0.0, 0.0, 6.0))
    assert load.planned_mtok == pytest.approx(0.0)


def test_a_samples_board_is_as_large_as_the_sample():
    """10 Mtok/h of 300 tokens: 33,333 requests a replica and hour, one in a hundred drawn."""
    world = two_sites()
    world.arrivals_mtok[:] = 5.0
    whole, _, _, _ = board_of(world)
    thin, _, _, _ = board_of(world, weight=np.array([100.0]), spare_share=0.0)
    one, other = (candidates(b.by_name["chat"])["m@f0"] for b in (whole, thin))
    assert one.batch_slo_count == 8.0
    assert other.batch_slo_count == pytest.approx(10e6 / 300 / 100)
    assert thin.by_name["chat"].planned_mtok == pytest.approx(5.0 / 100)
    assert one.high_usd_per_mtok == other.high_usd_per_mtok


def test_spare_capacity_shows_as_room_on_a_samples_board():
    world = two_sites()
    world.arrivals_mtok[:] = 5.0
    thin, _, _, _ = board_of(world, weight=np.array([1.0]), spare_share=0.5)
    one = candidates(thin.by_name["chat"])["m@f0"]
    assert one.rate_mtok_per_h == pytest.approx(20.0)
    assert one.batch_slo_count == pytest.approx(20e6 / 300)


def test_lesser_models_and_apis_are_rungs_of_their_own():
    """The worth of lost quality is no price: the decision counts it in the value."""
    world = two_sites()
    world.arrivals_mtok[:] = 5.0
    routes = (*world.routes, api_route(0, 2, usd_per_mtok=4.0, quality=0.5))
    world = replace(world, deployments=(*world.deployments, api(limit=30.0)), routes=routes)
    board, _, _, _ = board_of(world)
    load = board.by_name["chat"]
    assert [rung.quality_share for rung in load.rungs] == [1.0, 0.5]
    (bought,) = load.rungs[1].candidates
    assert bought.high_usd_per_mtok == pytest.approx(4.0)
    assert bought.site == ""


def test_context_limits_stand_on_the_board():
    world = two_sites()
    world.arrivals_mtok[:] = 5.0
    board, _, _, _ = board_of(world, context_tokens={0: 777})
    found = candidates(board.by_name["chat"])
    assert found["m@f0"].context_limit_tokens == 777
    assert found["m@f1"].context_limit_tokens > 10**6


def test_equal_content_has_an_equal_id_and_other_content_another():
    world = random_world(1, hours=4)
    one, other = board_of(world)[0], board_of(world)[0]
    assert one.board_id == other.board_id
    dearer = replace(world, spot_usd_per_mwh=world.spot_usd_per_mwh + 1.0)
    assert board_of(dearer)[0].board_id != one.board_id


def test_without_a_state_a_price_is_the_dual_alone():
    world = random_world(2, hours=4)
    board, _, _, _ = board_of(world, ends=False)
    for load in board.workloads:
        for rung in load.rungs:
            for one in rung.candidates:
                assert one.low_usd_per_mtok == one.high_usd_per_mtok

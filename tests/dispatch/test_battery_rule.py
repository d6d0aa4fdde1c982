"""Batteries run by price: by hand, against the whole program, and where they must yield."""

from dataclasses import replace

import numpy as np
import pytest
from action_check import after, check, run, wild_world
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import battery, deployment, fleet, random_world, route, workload, world

from tokenergy.dispatch.battery_rule import BatteryRule, GreedyBattery
from tokenergy.dispatch.energy_cost import EnergyCosts
from tokenergy.dispatch.merit import Greedy
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import State, World


def one_site(prices, work=20.0, *, store=None, value=50.0, **other) -> World:
    """One site; 1 Mtok draws 0.1 MWh, so 20 Mtok an hour hold the load at 2 MW."""
    hours = len(prices)
    return world(
        [prices],
        np.broadcast_to(work, (1, hours)),
        routes=(route(0, 0),),
        deployments=(deployment(0),),
        fleets=(fleet(0),),
        workloads=(workload(value=value),),
        batteries=(battery(power=1.0, capacity=4.0) if store is None else store,),
        battery_site=(0,),
        **other,
    )


def known_for(made: World, hours: int) -> World:
    """Return the world with prices public for so many hours, the present included."""
    total = made.pue.shape[1]
    ahead = (np.arange(total) + hours).clip(max=total)
    return replace(made, published_until=np.tile(ahead, (made.sites_count, 1)))


def powers(made: World) -> list[float]:
    """Play the horizon; return charge less discharge of the first battery."""
    rule, state, played = GreedyBattery(made), State.initial(made), []
    for at in made.horizon_indices():
        action = rule.decide(at, state)
        check(made, at, state, action)
        played.append(float(action.charge_mw[0] - action.discharge_mw[0]))
        state = after(made, at, state, action)
    return played


# ---- by hand -------------------------------------------------------------------------


def test_a_battery_buys_cheap_and_serves_the_dear_hour() -> None:
    """Empty, 1 MW, 0.95 each way; prices 10, 100, 10; the end values a MWh at 40 x 0.95 = 38.

    Hour 0: charge 1 MWh (10 USD), 0.95 stored. Hour 1: 0.9025 MWh out, worth 90 USD, where at
    the end they would be worth 36. Hour 2: charge again, 10 USD for 0.95 x 38 = 36.
    """
    empty = battery(power=1.0, capacity=4.0).model_copy(update={"initial_share": 0.0})
    made = one_site([10.0, 100.0, 10.0], store=empty)
    assert powers(made) == pytest.approx([1.0, -0.9025, 1.0])
    assert run(made, GreedyBattery(made)) == pytest.approx(solve_horizon(made).objective_usd)


def test_wear_can_make_rest_the_best() -> None:
    """A MWh charged at 60 gives 0.9025 MWh at 100: 90 USD, less 60 and a wear of 40 a MWh out.

    Nor does keeping it gain: the mean of 60, 100 and 0 is 53 USD/MWh.
    """
    tired = battery(power=1.0, capacity=4.0, wear=40.0).model_copy(update={"initial_share": 0.0})
    assert powers(one_site([60.0, 100.0, 0.0], store=tired))[:2] == [0.0, 0.0]


def test_what_is_left_is_worth_the_mean_of_what_is_known() -> None:
    """Half full, prices known for 2 hours only: 30 and 50, mean 40 x 0.95 = 38 a stored MWh.

    Discharging at 30 gains 30 x 0.95 = 28.5 a stored MWh, less than 38; charging costs 30 for
    0.95 stored, worth 36: it charges. At 50 it would discharge: 50 x 0.95 = 47.5 above 38.
    """
    made = known_for(one_site([30.0, 50.0, 500.0, 0.0, 0.0, 0.0]), 2)
    action = GreedyBattery(made).decide(0, State.initial(made))
    assert action.charge_mw.tolist() == pytest.approx([1.0])


def test_one_published_price_moves_nothing() -> None:
    """Without a day-ahead market only the present is known: no gain, so no move."""
    made = known_for(one_site([10.0, 100.0, 5.0, 70.0]), 1)
    assert powers(made)[:-1] == [0.0, 0.0, 0.0]


def test_discharge_saves_purchases_first_and_is_sold_only_for_the_resale_price() -> None:
    """2 MW of load at 100 USD, resale at 60; the end values a stored MWh at 76.

    Saving a purchase brings 95 a stored MWh, selling 57: a battery of 5 MW gives 2 and no more.
    """
    store = battery(power=5.0, capacity=20.0)
    made = one_site([100.0, 60.0], store=store, spread=40.0, export_limit=9.0)
    assert powers(made)[0] == pytest.approx(-2.0)


def test_nothing_is_pushed_out_where_no_export_is_allowed() -> None:
    """The same at a spread of 0: selling would gain 95 against 76, but nothing may leave."""
    store = battery(power=5.0, capacity=20.0)
    shut = one_site([100.0, 60.0], store=store, spread=0.0)
    assert powers(shut)[0] == pytest.approx(-2.0)
    open_ = one_site([100.0, 60.0], store=store, spread=0.0, export_limit=9.0)
    assert powers(open_)[0] == pytest.approx(-5.0)


def test_charging_leaves_room_for_work() -> None:
    """Import 2.5 MW, load 2: the battery charges 0.5 of the 1 MW that it would like."""
    assert powers(one_site([10.0, 100.0], import_limit=2.5))[0] == pytest.approx(0.5)


def test_charging_yields_where_routing_moves_work_to_the_site() -> None:
    """A GPU at each of two sites serves 10 Mtok an hour on 1 MW, of an import of 1.5 MW.

    All 20 Mtok are worth more than a charge: the battery has the other 0.5 MW.
    """
    made = world(
        [[10.0, 200.0], [10.0, 200.0]],
        [[20.0, 20.0]],
        routes=(route(0, 0), route(0, 1)),
        deployments=(deployment(0), deployment(1)),
        fleets=(fleet(0, gpus=1.0), fleet(1, gpus=1.0)),
        workloads=(workload(),),
        batteries=(battery(power=1.0, capacity=4.0),),
        battery_site=(0,),
        import_limit=1.5,
    )
    action = GreedyBattery(made).decide(0, State.initial(made))
    check(made, 0, State.initial(made), action)
    assert action.refused_mtok.tolist() == [0.0]
    assert action.charge_mw.tolist() == pytest.approx([0.5])


def test_a_second_battery_sees_what_the_first_one_plans() -> None:
    """2 MW of load, no export: two batteries of 1.5 MW discharge 1.5 and 0.5, not 3."""
    made = one_site([100.0, 50.0])
    stores = tuple(battery(f"b{at}", power=1.5, capacity=9.0) for at in range(2))
    made = replace(made, batteries=stores, battery_site=(0, 0))
    action = GreedyBattery(made).decide(0, State.initial(made))
    check(made, 0, State.initial(made), action)
    assert action.discharge_mw.tolist() == pytest.approx([1.5, 0.5])


def test_a_battery_carries_a_fixed_load_that_the_connection_cannot() -> None:
    """3 MW of fixed load on 2.5 MW: it gives 0.5 MW although it would rather charge."""
    made = one_site([10.0, 100.0], 0.0, fixed=3.0, import_limit=2.5)
    state = State.initial(made)
    for rule in (Greedy, GreedyBattery):
        action = rule(made).decide(0, state)
        check(made, 0, state, action)
        assert action.discharge_mw.tolist() == pytest.approx([0.5])


# ---- properties ----------------------------------------------------------------------


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_with_a_constant_load_and_known_prices_it_is_the_program(seed: int) -> None:
    """One site whose load never changes, every price public: the rule knows what is to know."""
    rng = np.random.default_rng(seed)
    store = battery(power=2.0, capacity=float(rng.uniform(2, 9)), wear=float(rng.uniform(0, 9)))
    made = one_site(
        rng.uniform(0, 150, 20).tolist(),
        store=store,
        spread=float(rng.uniform(0, 20)),
        import_limit=float(rng.uniform(2, 4)),
        export_limit=float(rng.choice([0.0, 1.0])),
        value=1000.0,
    )
    best_usd = solve_horizon(known_for(made, 20)).objective_usd
    assert run(known_for(made, 20), GreedyBattery(known_for(made, 20))) == pytest.approx(
        best_usd, abs=1e-3
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_kept_program_answers_like_a_fresh_one(seed: int) -> None:
    made = wild_world(seed)
    costs = EnergyCosts(made)
    rng = np.random.default_rng(seed)
    for store in range(len(made.batteries)):
        kept = BatteryRule(made, costs, store)
        for at in made.horizon_indices():
            energy, flow = rng.uniform(0, 6), rng.uniform(-1, 4)
            numbers = {"energy_mwh": energy, "flow_mw": flow, "position_mw": flow - 0.5}
            one = kept.plan_mw(at, **numbers)
            two = BatteryRule(made, costs, store).plan_mw(at, **numbers)
            np.testing.assert_allclose(one, two, atol=1e-6)


def test_batteries_pay_on_worlds_with_a_daily_swing() -> None:
    for seed in range(6):
        made = random_world(seed, hours=48)
        assert run(made, GreedyBattery(made)) < run(made, Greedy(made))

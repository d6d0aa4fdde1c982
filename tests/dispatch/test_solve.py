"""The program of a window in the solver: hand cases, and a ring that forgets nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    api,
    api_route,
    battery,
    block,
    deployment,
    fleet,
    plain,
    random_case,
    random_state,
    route,
    take,
    workload,
    world,
)

from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.solve import Optimum, WindowModel, solve_horizon
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World

# ---- hand cases --------------------------------------------------------------------------


def test_the_cheaper_site_first_to_its_limit():
    """0.1 MWh a Mtok, sites at 20 and 50 USD/MWh, 3 MW at the cheap one.

    30 Mtok there, 20 at the other: 3 x 20 + 2 x 50 = 160.
    """
    made = plain([[20.0], [50.0]], [[50.0]], import_limit=[[3.0], [100.0]])
    optimum = solve_horizon(made)
    assert optimum.objective_usd == pytest.approx(160.0)
    assert optimum.value("serve")[0] == pytest.approx([30.0, 20.0])
    assert optimum.reduced("meter_import")[0] == pytest.approx([-30.0, 0.0])


def test_work_that_costs_more_than_it_is_worth_is_refused():
    """0.1 MWh at 600 USD/MWh is 60 USD a Mtok, worth 50: 10 Mtok refused cost 500."""
    optimum = solve_horizon(plain([[600.0]], [[10.0]], value=50.0))
    assert optimum.objective_usd == pytest.approx(500.0)
    assert optimum.action(0, "me").refused_mtok == pytest.approx([10.0])


def test_half_an_hour_is_half_of_everything():
    """At 100 USD/MWh: 20 for the base, 50 for the tokens and 3 for the lease are 73.

    A replica of 10 Mtok/h makes 5 in half an hour and draws 0.5 x 0.4 = 0.2 MWh, its tokens
    0.5; its 2 GPUs at 3 USD an hour cost 3.
    """
    made = world(
        [[100.0]],
        [[5.0]],
        routes=(route(0, 0, rate=10.0, marginal=0.1),),
        deployments=(deployment(0, gpus=2, base_mw=0.4),),
        fleets=(fleet(0, lease=3.0),),
        workloads=(workload(),),
        step_h=0.5,
    )
    optimum = solve_horizon(made)
    assert optimum.objective_usd == pytest.approx(73.0)
    assert optimum.action(0, "me").awake == pytest.approx([1.0])


def test_sleeping_gpus_draw_power_until_they_wake():
    """4 GPUs sleep at 0.05 MW each; one replica of 2 wakes to 0.4: 0.4 + 2 x 0.05 = 0.5 MWh.

    With PUE 1.2 at 100 USD/MWh that is 60.
    """
    made = world(
        [[100.0]],
        [[10.0]],
        routes=(route(0, 0, rate=10.0, marginal=0.0),),
        deployments=(deployment(0, gpus=2, base_mw=0.4),),
        fleets=(fleet(0, gpus=4.0, sleep_mw=0.05),),
        workloads=(workload(),),
        pue=1.2,
    )
    assert solve_horizon(made).objective_usd == pytest.approx(60.0)


def waking_world(middle_usd: float) -> World:
    made = plain(
        [[100.0, middle_usd, 100.0]], [[8.0, 0.0, 10.0]], base_mw=0.5, marginal=0.0, value=1e3
    )
    return replace(made, deployments=(replace(made.deployments[0], wake_h=0.2, wake_mwh=0.1),))


def test_a_replica_sleeps_through_a_dear_hour():
    """Rate 10 Mtok/h, base 0.5 MW; a wake takes 0.2 h and 0.1 MWh.

    Hour 0: w replicas woken make 10 (1 - 0.2) w = 8: w = 1, 0.6 MWh, 60 USD. Hour 2 from asleep:
    w = 10 / 8 = 1.25, 0.75 MWh, 75 USD. Kept awake through hour 1 instead: 50 + 50. So 60 + 75 =
    135.
    """
    optimum = solve_horizon(waking_world(100.0))
    assert optimum.objective_usd == pytest.approx(135.0)
    assert optimum.value("awake")[:, 0] == pytest.approx([1.0, 0.0, 1.25])
    assert optimum.value("wake")[:, 0] == pytest.approx([1.0, 0.0, 1.25])


def test_a_replica_stays_awake_through_a_cheap_hour():
    """With hour 1 at 10 USD/MWh staying costs 5 and hour 2 then 50: 60 + 55 = 115 < 135."""
    optimum = solve_horizon(waking_world(10.0))
    assert optimum.objective_usd == pytest.approx(115.0)
    assert optimum.value("wake")[:, 0] == pytest.approx([1.0, 0.0, 0.0])


def test_whoever_is_awake_need_not_wake():
    """From one awake replica hour 0 needs 0.8 of it: 40 USD instead of 60."""
    made = replace(waking_world(100.0), count=1)
    awake = replace(State.initial(made), awake=np.array([1.0]))
    assert solve_horizon(made, awake).objective_usd == pytest.approx(40.0)


def test_nobody_is_paid_for_empty_replicas():
    """At -100 USD/MWh 10 Mtok on one replica draw base 0.5 + 1 MWh: -150.

    100 GPUs kept awake would have earned another 99 x 50.
    """
    made = plain([[-100.0]], [[10.0]], base_mw=0.5)
    assert solve_horizon(made).objective_usd == pytest.approx(-150.0)


def test_a_promised_mean_quality_mixes_two_models():
    """Good: quality 1, 3 USD a Mtok. Cheap: 0.6, 1 USD and 0.4 x 4 = 1.6 of lost value.

    Floor 0.9: x + 0.6 (1 - x) = 0.9, x = 0.75: of 10 Mtok 7.5 x 3 + 2.5 x 2.6 = 29.
    """
    made = world(
        [[0.0]],
        [[10.0]],
        routes=(
            route(0, 0, network=3.0),
            route(0, 1, network=1.0, quality=0.6),
        ),
        deployments=(deployment(0), deployment(0)),
        fleets=(fleet(0),),
        workloads=(workload(value=4.0),),
        floors=(0.9,),
    )
    optimum = solve_horizon(made)
    assert optimum.objective_usd == pytest.approx(29.0)
    assert optimum.value("serve")[0] == pytest.approx([7.5, 2.5])
    free = solve_horizon(replace(made, floor_share=(0.0,)))
    assert free.objective_usd == pytest.approx(26.0)


def test_an_external_api_caps_the_price_up_to_its_limit():
    """Own power at 50 USD a Mtok, an API at 12 for 4 Mtok/h: 4 x 12 + 6 x 50 = 348."""
    made = world(
        [[500.0]],
        [[10.0]],
        routes=(route(0, 0, marginal=0.1), api_route(0, 1, usd_per_mtok=12.0)),
        deployments=(deployment(0), api(limit=4.0)),
        fleets=(fleet(0),),
        workloads=(workload(value=1e3),),
    )
    optimum = solve_horizon(made)
    assert optimum.objective_usd == pytest.approx(348.0)
    assert optimum.dual("api")[0] == pytest.approx([-38.0])


def test_deferrable_work_waits_for_the_cheap_hour_within_its_deadline():
    """10 Mtok of 0.1 MWh at 90, 50, 10 USD/MWh. At once 90; one hour later 50; two hours 10."""
    for defer, usd in ((0, 90.0), (1, 50.0), (2, 10.0), (5, 10.0)):
        made = plain([[90.0, 50.0, 10.0]], [[10.0, 0.0, 0.0]])
        made = replace(made, workloads=(workload(defer=defer),))
        assert solve_horizon(made).objective_usd == pytest.approx(usd)


def test_work_carried_in_is_done_when_due():
    """4 Mtok due now (90) and 6 Mtok due an hour later (50): 0.4 x 90 + 0.6 x 50 = 66."""
    made = plain([[90.0, 50.0, 10.0]], np.zeros((1, 3)))
    made = replace(made, workloads=(workload(defer=2),))
    state = replace(State.initial(made), backlog_mtok=np.array([[4.0, 6.0]]))
    assert solve_horizon(made, state).objective_usd == pytest.approx(66.0)


def test_a_battery_carries_the_night_into_the_day():
    """Contracts sheet, section 4: 10 MW, 0.95 both ways, wear 8, prices 40 60 100.

    Charge 10 MWh (400), 9.5 stored, discharge 9.025 (902.50), wear 72.20: it gains 430.30.
    """
    night = replace_start(battery(power=10.0, capacity=9.5, wear=8.0), 0.0)
    bare = plain([[40.0, 60.0, 100.0]], np.zeros((1, 3)), fixed=20.0)
    made = replace(bare, batteries=(night,), battery_site=(0,))
    window = replace(true_window(made, begin=0, count=3), stored_usd_per_mwh=np.zeros(1))
    held = WindowModel(made, window, State.initial(made)).solved(window)
    assert solve_horizon(bare).objective_usd - held.objective_usd == pytest.approx(430.30)
    assert held.value("energy")[:, 0] == pytest.approx([9.5, 9.5, 0.0])
    assert held.action(2, "me").discharge_mw == pytest.approx([9.025])


def replace_start(spec, share: float):
    return spec.model_copy(update={"initial_share": share})


def test_a_battery_cannot_burn_energy_without_bound():
    """At -100 USD/MWh with 5 MW and 0.5 both ways.

    Full and with nothing to do but burn, let it charge c and discharge d in an hour: c + d <= 5
    and 0.5 c = 2 d give c = 4, d = 1: 3 MWh burnt, 300 USD, where c = 5 with d = 1.25 would burn
    3.75.
    """
    full = replace_start(battery(power=5.0, capacity=20.0, efficiency=0.5), 1.0)
    made = plain([[-100.0]], [[0.0]], batteries=(full,), battery_site=(0,))
    window = replace(true_window(made, begin=0, count=1), stored_usd_per_mwh=np.array([1e3]))
    optimum = WindowModel(made, window, State.initial(made)).solved(window)
    assert optimum.value("charge")[0, 0] == pytest.approx(4.0)
    assert optimum.objective_usd == pytest.approx(-300.0 - 20.0 * 1e3)


def test_a_contract_that_may_be_curtailed_is_taken_when_it_pays():
    """Strike 30, resale 2 below spot. 4 MW are resold at 48: -72; at a spot of 20 curtailed: 0."""
    for spot, usd in ((50.0, -72.0), (20.0, 0.0)):
        made = plain([[spot]], [[0.0]], takes=(take([4.0], strike=30.0),))
        assert solve_horizon(made).objective_usd == pytest.approx(usd)
    held = plain([[20.0]], [[0.0]], takes=(take([4.0], strike=30.0, curtail=False),))
    assert solve_horizon(held).objective_usd == pytest.approx(4 * 30.0 - 4 * 18.0)


@pytest.mark.parametrize(("behind", "usd"), [(True, -68.0), (False, -244.0)])
def test_behind_the_meter_needs_a_sink(behind, usd):
    """5 MW at 10 USD, 2 MW of load at a spot of 100, 1 MW of export, resale at 98.

    Behind the meter 3 MW are taken and one sold: 30 - 98 = -68. Over the grid all are taken and
    three sold, whatever the connection exports: 50 - 294 = -244.
    """
    contract = take([5.0], behind=behind, strike=10.0)
    made = plain([[100.0]], [[0.0]], fixed=2.0, export_limit=1.0, takes=(contract,))
    assert solve_horizon(made).objective_usd == pytest.approx(usd)


def test_the_worked_series_of_the_contracts_sheet():
    """Contracts sheet, section 3, series A.

    Load 10 20 30 20 (10 MW at PUE 1 2 3 2) at 40 60 100 -10 USD/MWh. Spot alone 4,400.
    As-produced 15 5 0 20 at 45: 5,500. A block of 15 at 55 with a spread of 3: 4,865, of which
    3,300 are the block's own, which no decision moves.
    """

    def series_a(spread=0.0, **changes) -> World:
        return plain(
            [[40.0, 60.0, 100.0, -10.0]],
            np.zeros((1, 4)),
            fixed=10.0,
            pue=[[1.0, 2.0, 3.0, 2.0]],
            spread=spread,
            **changes,
        )

    assert solve_horizon(series_a()).objective_usd == pytest.approx(4400.0)
    produced = take([15.0, 5.0, 0.0, 20.0], strike=45.0, curtail=False)
    assert solve_horizon(series_a(takes=(produced,))).objective_usd == pytest.approx(5500.0)
    blocked = replace(series_a(spread=3.0), blocks=(block([15.0] * 4),))
    assert solve_horizon(blocked).objective_usd == pytest.approx(4865.0 - 3300.0)


def test_a_block_counts_in_its_balance():
    """Load 3 MW at 50. A block of 2 MW over the grid leaves 1 to buy: 50. Behind the meter too."""
    for behind in (True, False):
        made = plain([[50.0]], [[0.0]], fixed=3.0)
        made = replace(made, blocks=(block([2.0], behind=behind),))
        assert solve_horizon(made).objective_usd == pytest.approx(50.0)


# ---- the action --------------------------------------------------------------------------


@given(seed=st.integers(0, 200))
@settings(max_examples=20)
def test_balances_hold_in_every_interval(seed):
    """From the action alone: load at the meter, the connection, the batteries, the fleets."""
    made, state = random_case(seed, hours=5)
    optimum = fresh(made, true_window(made, begin=0, count=5), state)
    energy = state.energy_mwh
    for at in range(5):
        act = optimum.action(at, "me")
        assert act.source == "me"
        assert act.awake.shape == (len(made.deployments),)
        used = np.zeros(len(made.fleets))
        for d, spec in enumerate(made.deployments):
            if not spec.external:
                used[spec.fleet] += act.awake[d] * spec.gpus_count
        assert np.all(used <= np.array([f.gpus_count for f in made.fleets]) + 1e-7)
        into = act.charge_mw * [b.charge_eff_share for b in made.batteries]
        energy = energy + into - act.discharge_mw / [b.discharge_eff_share for b in made.batteries]
        assert np.all(energy >= -1e-7)
        assert np.all(energy <= np.array([b.capacity_mwh for b in made.batteries]) + 1e-7)
        assert optimum.value("energy")[at] == pytest.approx(energy, abs=1e-7)
        served = np.zeros(len(made.workloads))
        for i, each in enumerate(made.routes):
            served[each.workload] += act.serve_mtok[i]
        strict = [w for w, load in enumerate(made.workloads) if not load.defer_count]
        assert (served + act.refused_mtok)[strict] == pytest.approx(
            made.arrivals_mtok[strict, at], abs=1e-7
        )


# ---- the ring ----------------------------------------------------------------------------


def fresh(made: World, window, state) -> Optimum:
    return WindowModel(made, window, state).solved(window)


def agree(held: Optimum, new: Optimum) -> None:
    """Objectives to 1e-9; the primal is checked by its own cost, since optima may tie."""
    scale = max(1.0, abs(new.objective_usd))
    assert abs(held.objective_usd - new.objective_usd) <= 1e-9 * scale


@given(seed=st.integers(0, 10_000), count=st.integers(1, 9))
@settings(max_examples=25)
def test_a_window_resolved_in_place_equals_a_new_one(seed, count):
    """A walk through 14 intervals, out over the horizon's end, with a new state at each step."""
    made, state = random_case(seed % 50, hours=14)
    held = WindowModel(made, true_window(made, begin=0, count=count), state)
    for at in range(14):
        window = true_window(made, begin=at, count=count)
        state = random_state(made, seed + at)
        agree(held.solve(window, state), fresh(made, window, state))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_windows_may_jump_and_the_world_may_change(seed):
    """Any order of beginnings; PUE, limits, prices, arrivals and contracts changed on the way."""
    rng = np.random.default_rng(seed)
    made, state = random_case(seed % 50, hours=12)
    held = WindowModel(made, true_window(made, begin=0, count=6), state)
    for step in range(6):
        window = true_window(made, begin=int(rng.integers(0, 12)), count=6)
        shape = window.pue.shape
        window = replace(
            window,
            pue=rng.uniform(1.0, 1.6, shape),
            import_limit_mw=rng.uniform(2.5, 12.0, shape),
            export_limit_mw=window.export_limit_mw + rng.uniform(0.0, 2.0, shape),
            buy_usd_per_mwh=window.buy_usd_per_mwh + (shift := rng.normal(0.0, 40.0, shape)),
            sell_usd_per_mwh=window.sell_usd_per_mwh + shift,
            arrivals_mtok=window.arrivals_mtok * rng.uniform(0.2, 1.5, (3, 6)),
            stored_usd_per_mwh=rng.uniform(0.0, 80.0, 2),
        )
        state = random_state(made, seed + step)
        agree(held.solve(window, state), fresh(made, window, state))


def test_some_intervals_are_read_as_they_stand_among_all():
    """The ring is broken within the window: interval 2 of it does not live in slot 2."""
    made, state = random_case(7, hours=14)
    optimum = fresh(made, true_window(made, begin=5, count=6), state)
    reads = {"serve": optimum.value, "backlog": optimum.reduced, "demand": optimum.dual}
    assert any(read(name).any() for name, read in reads.items())
    for name, read in reads.items():
        assert (read(name, 2) == read(name)[2]).all()
        assert (read(name, slice(1, 4)) == read(name)[1:4]).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_believed_windows_resolve_in_place_too(seed):
    """A forecaster's windows change everywhere at once, not only in their last slot."""
    made, state = random_case(seed % 50, hours=60)
    made = replace(made, first=30, count=30)
    forecaster = Forecaster(made)
    held = WindowModel(made, forecaster.window(30, 8), state)
    for at in range(30, 36):
        window = forecaster.window(at, 8)
        agree(held.solve(window, state), fresh(made, window, state))


def test_a_perturbation_leaves_nothing_behind():
    made, state = random_case(7, hours=6)
    window = true_window(made, begin=0, count=6)
    held = WindowModel(made, window, state)
    before = held.solved(window).objective_usd
    for at in range(6):
        held.ask_more(window, at=at, workload=1, more_mtok=0.3)
        held.solved(window)
        held.ask_more(window, at=at, workload=1, more_mtok=-0.3)
    assert held.solved(window).objective_usd == pytest.approx(before, rel=1e-12)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_asking_for_more_is_a_window_with_more(seed):
    rng = np.random.default_rng(seed)
    made, state = random_case(seed % 50, hours=7)
    window = true_window(made, begin=2, count=7)
    at, load = int(rng.integers(0, window.live_count)), int(rng.integers(0, 3))
    held = WindowModel(made, window, state)
    held.ask_more(window, at=at, workload=load, more_mtok=0.7)
    arrivals = window.arrivals_mtok.copy()
    arrivals[load, at] += 0.7
    agree(held.solved(window), fresh(made, replace(window, arrivals_mtok=arrivals), state))

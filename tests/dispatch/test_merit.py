"""The closed-form rules: by hand, against the program, and against every limit."""

from dataclasses import replace

import numpy as np
import pytest
from action_check import after, check, run, wild_world
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import battery, deployment, fleet, random_world, route, workload, world

from tokenergy.dispatch.merit import Greedy, GreedyBattery, Nearest, RoundRobin, Static
from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import FixedBlock, State, Take, World
from tokenergy.errors import InfeasibleProgram

EVERY_RULE = (Nearest, RoundRobin, Static, Greedy, GreedyBattery)


def simple(prices, arrivals, *, sites=None, value=50.0, gpus=100.0, waits=0, **other) -> World:
    """One workload, one site or more; 1 Mtok takes 0.1 MWh and 0.1 GPU-hours."""
    sites = len(prices) if sites is None else sites
    return world(
        prices,
        arrivals,
        routes=tuple(route(0, s) for s in range(sites)),
        deployments=tuple(deployment(s) for s in range(sites)),
        fleets=tuple(fleet(s, gpus=gpus) for s in range(sites)),
        workloads=(workload(value=value, defer=waits),),
        **other,
    )


def first_action(policy_of, made: World, state: State | None = None):
    state = State.initial(made) if state is None else state
    action = policy_of(made).decide(made.first, state)
    check(made, made.first, state, action)
    return action


# ---- greedy and the program ----------------------------------------------------------


@settings(max_examples=80)
@given(seed=st.integers(0, 2**32 - 1))
def test_greedy_equals_the_program_in_the_plain_world(seed: int) -> None:
    made = plain_world(seed)
    best_usd = solve_horizon(made).objective_usd
    # measured: 1e-13 at most over 3,000 worlds; the sheet asks for 1e-9
    assert run(made, Greedy(made)) == pytest.approx(best_usd, rel=1e-9, abs=1e-9)


def plain_world(seed: int) -> World:
    """One workload, one model, one SKU a site; nothing couples intervals or workloads."""
    rng = np.random.default_rng(seed)
    sites, hours = int(rng.integers(1, 5)), 4
    spread, adder = float(rng.uniform(0, 3)), rng.uniform(0, 10, sites)
    spot = rng.normal(20, 60, (sites, hours))
    made = world(
        spot,
        rng.uniform(0, 60, (1, hours)),
        routes=tuple(
            route(
                0,
                s,
                rate=float(rng.uniform(2, 9)),
                marginal=float(rng.uniform(0.01, 0.2)),
                network=float(rng.uniform(0, 2)),
            )
            for s in range(sites)
        ),
        deployments=tuple(
            deployment(s, gpus=2, base_mw=float(rng.uniform(0.001, 0.4))) for s in range(sites)
        ),
        fleets=tuple(
            fleet(
                s,
                gpus=float(rng.uniform(4, 24)),
                lease=float(rng.choice([0.0, rng.uniform(0, 3)])),
                sleep_mw=0.0005,
            )
            for s in range(sites)
        ),
        workloads=(workload(value=float(rng.uniform(1, 25))),),
        import_limit=rng.uniform(0.5, 6, (sites, hours)),
        export_limit=rng.choice([0.0, 2.0], (sites, 1)),
        spread=spread,
        pue=rng.uniform(1.05, 1.5, (sites, hours)),
        fixed=0.2,
    )
    blocks = tuple(
        FixedBlock(
            contract_id=f"block{s}",
            site=s,
            behind_the_meter=(behind := bool(rng.uniform() < 0.5)),
            # behind the meter it must find a load: the fixed one is 0.2 MW before PUE
            delivery_mw=rng.uniform(0, 0.2 if behind else 4.0, hours),
            strike_usd_per_mwh=np.full(hours, 40.0),
        )
        for s in range(sites)
        if rng.uniform() < 0.7
    )
    losses = np.where(spot.min(axis=1) > 0.0, 0.05, 0.0)  # below 0 they would make resale pay
    return replace(made, blocks=blocks, adder_usd_per_mwh=adder, loss_share=losses)


def test_greedy_takes_the_cheapest_place_where_the_program_sees_the_whole() -> None:
    """One Mtok each: w1 on A or B, w2 on A or C; a Mtok costs A 1, B 2, C 10 USD.

    A holds one Mtok. Greedy takes the cheapest pair first, and w1 comes first in the file:
    w1 on A, w2 on C: 1 + 10 = 11. The program leaves A to w2: w1 on B, w2 on A: 2 + 1 = 3.
    """
    made = world(
        [[0.0], [0.0], [0.0]],
        [[1.0], [1.0]],
        routes=(
            route(0, 0, rate=1.0, network=1.0),
            route(0, 1, rate=1.0, network=2.0),
            route(1, 0, rate=1.0, network=1.0),
            route(1, 2, rate=1.0, network=10.0),
        ),
        deployments=tuple(deployment(s) for s in range(3)),
        fleets=tuple(fleet(s, gpus=1.0) for s in range(3)),
        workloads=(workload("w1"), workload("w2", tier_index=1)),
        floors=(0.0, 0.0),
    )
    assert run(made, Greedy(made)) == pytest.approx(11.0, abs=1e-12)
    assert solve_horizon(made).objective_usd == pytest.approx(3.0, abs=1e-9)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_rule_beats_the_program_of_its_own_interval(seed: int) -> None:
    made = wild_world(seed, hours=6)
    state = State.initial(made)
    greedy = Greedy(made)
    for at in made.horizon_indices():
        window = true_window(made, begin=at, count=1)
        best_usd = WindowModel(made, window, state).solved(window).objective_usd
        for rule in EVERY_RULE:
            action = rule(made).decide(at, state)
            usd = check(made, at, state, action)
            left = after(made, at, state, action)
            # the program's window ends with the interval: nothing waits, energy has its worth
            values = [load.value_usd_per_mtok for load in made.workloads]
            usd += float(left.backlog_mtok.sum(axis=1) @ values)
            usd -= float(window.stored_usd_per_mwh @ left.energy_mwh)
            assert usd >= best_usd - 1e-6, rule.name
        state = after(made, at, state, greedy.decide(at, state))


# ---- every limit, always -------------------------------------------------------------


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_rule_keeps_every_limit_in_a_wild_world(seed: int) -> None:
    made = wild_world(seed)
    best_usd = solve_horizon(made).objective_usd
    for rule in EVERY_RULE:
        assert run(made, rule(made)) >= best_usd - 1e-6, rule.name


@pytest.mark.parametrize("seed", range(6))
def test_rules_rank_as_they_know_more(seed: int) -> None:
    made = random_world(seed)
    stores, greedy, static = (run(made, rule(made)) for rule in (GreedyBattery, Greedy, Static))
    assert solve_horizon(made).objective_usd <= stores <= greedy <= static


def test_rules_keep_no_memory_of_their_own() -> None:
    """A decision depends on interval and state alone: a run can be taken up anywhere."""
    made = wild_world(5)
    for rule in EVERY_RULE:
        walked, state = rule(made), State.initial(made)
        for at in made.horizon_indices():
            action = walked.decide(at, state)
            fresh = rule(made).decide(at, state)
            np.testing.assert_allclose(fresh.serve_mtok, action.serve_mtok, atol=1e-6)
            np.testing.assert_allclose(fresh.charge_mw, action.charge_mw, atol=1e-6)
            assert action.source == walked.name == rule.name
            state = after(made, at, state, action)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_rules_do_not_look_beyond_what_is_public(rule) -> None:
    made = wild_world(11, hours=16)
    ahead = np.tile(np.arange(16) + 4, (made.sites_count, 1)).clip(max=16)
    made = replace(made, published_until=ahead)
    at, state = made.first + 3, State.initial(made)
    hidden = made.spot_usd_per_mwh.copy()
    for site, until in enumerate(made.published_until[:, at]):
        hidden[site, until:] += 500.0
    arrivals, pue = made.arrivals_mtok.copy(), made.pue.copy()
    arrivals[:, at + 1 :] *= 9.0
    pue[:, at + 1 :] *= 1.5
    other = replace(made, spot_usd_per_mwh=hidden, arrivals_mtok=arrivals, pue=pue)
    one, two = rule(made).decide(at, state), rule(other).decide(at, state)
    for name in ("serve_mtok", "awake", "take_mw", "charge_mw", "discharge_mw"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


# ---- by hand: who goes where ---------------------------------------------------------


def test_greedy_uses_up_its_block_before_it_buys() -> None:
    """Site 0 holds a block of 1 MW worth its resale of 60 - 25 = 35; site 1 buys at 50.

    0.1 MWh a Mtok: 10 Mtok at 3.5 USD on the block, the other 5 at 5 USD at site 1, not at 6.
    """
    made = simple([[60.0], [50.0]], [[15.0]], spread=25.0)
    block = FixedBlock(
        contract_id="block",
        site=0,
        behind_the_meter=False,
        delivery_mw=np.ones(1),
        strike_usd_per_mwh=np.full(1, 45.0),
    )
    action = first_action(Greedy, replace(made, blocks=(block,)))
    np.testing.assert_allclose(action.serve_mtok, [10.0, 5.0], rtol=1e-12)


def test_greedy_refuses_work_that_costs_more_than_it_is_worth() -> None:
    """At 600 USD/MWh a Mtok costs 60 USD, at value 50 it is refused; at 400 it is served."""
    refused = first_action(Greedy, simple([[600.0]], [[3.0]]))
    assert refused.refused_mtok.tolist() == [3.0] and refused.awake.tolist() == [0.0]
    assert first_action(Greedy, simple([[400.0]], [[3.0]])).serve_mtok.tolist() == [3.0]
    for rule in (Nearest, RoundRobin):
        assert first_action(rule, simple([[600.0]], [[3.0]])).serve_mtok.tolist() == [3.0]


def test_greedy_does_not_let_cheap_work_crowd_out_dear_work() -> None:
    """A full fleet serves the workload worth 80, although the one worth 3 costs less."""
    made = world(
        [[10.0]],
        [[10.0], [10.0]],
        routes=(route(0, 0, network=0.0), route(1, 0, network=1.0)),
        deployments=(deployment(0),),
        fleets=(fleet(0, gpus=1.0),),
        workloads=(workload("free", value=3.0), workload("paid", value=80.0, tier_index=1)),
        floors=(0.0, 0.0),
    )
    assert first_action(Greedy, made).serve_mtok.tolist() == [0.0, 10.0]


def test_nearest_overflows_to_the_next_and_comes_to_the_api_last() -> None:
    """10 Mtok/h fit a GPU: 10 at the nearest, 10 at the next, 5 at the API, whatever it costs."""
    made = simple([[900.0], [1.0]], [[25.0]], gpus=1.0)
    api = replace(deployment(0), name="api", fleet=-1, site=-1)
    made = replace(
        made,
        deployments=(*made.deployments, api),
        routes=(
            replace(made.routes[0], distance_km=10.0),
            replace(made.routes[1], distance_km=20.0),
            replace(made.routes[0], deployment=2, distance_km=0.0, api_usd_per_mtok=99.0),
        ),
    )
    np.testing.assert_allclose(first_action(Nearest, made).serve_mtok, [10.0, 10.0, 5.0])


def test_nearest_breaks_ties_of_distance_by_round_trip() -> None:
    made = simple([[1.0], [900.0]], [[5.0]])
    near = (made.routes[0], replace(made.routes[1], rtt_ms=2.0))
    assert first_action(Nearest, replace(made, routes=near)).serve_mtok.tolist() == [0.0, 5.0]


def test_round_robin_shares_by_capacity_and_fills_up_what_is_left() -> None:
    """Fleets of 10 and 30 GPUs serve 100 and 300 Mtok/h: 40 Mtok split 10 to 30.

    With an import of 2 MW at the second site it holds 20 Mtok, and the first takes the rest.
    """
    made = simple([[900.0], [1.0]], [[40.0]])
    made = replace(made, fleets=(fleet(0, gpus=10.0), fleet(1, gpus=30.0)))
    np.testing.assert_allclose(first_action(RoundRobin, made).serve_mtok, [10.0, 30.0])
    tight = replace(made, import_limit_mw=np.array([[1e3], [2.0]]))
    np.testing.assert_allclose(first_action(RoundRobin, tight).serve_mtok, [20.0, 20.0])


def test_static_goes_by_the_last_28_days_alone() -> None:
    """Site 0 was dear 29 days ago, cheap since, and is dear now; PUE 1.2 against 1 counts.

    Over 28 days: site 0 costs 20 x 1.2 = 24, site 1 costs 25. Static serves at site 0.
    """
    days = 30
    prices = np.full((2, days), 20.0)
    prices[1] = 25.0
    prices[0, 0] = 1e4
    prices[0, -1] = 300.0
    made = simple(
        prices,
        np.ones((1, days)),
        history=29,
        step_h=24.0,
        pue=np.array([[1.2], [1.0]]),
    )
    assert first_action(Static, made).serve_mtok.tolist() == [1.0, 0.0]
    assert first_action(Greedy, made).serve_mtok.tolist() == [0.0, 1.0]
    late = replace(made, first=28, count=2)  # now the dear day is among the last 28
    assert first_action(Static, late).serve_mtok.tolist() == [0.0, 1.0]


def test_static_takes_what_there_is_of_the_past_and_else_the_present() -> None:
    prices = [[20.0, 90.0], [50.0, 50.0]]
    now = simple(prices, [[1.0, 1.0]])
    assert Static(now).decide(0, State.initial(now)).serve_mtok.tolist() == [1.0, 0.0]
    assert Static(now).decide(1, State.initial(now)).serve_mtok.tolist() == [1.0, 0.0]


# ---- by hand: waiting, waking, quality -----------------------------------------------


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_work_that_cannot_be_served_waits_until_it_is_due(rule) -> None:
    """One GPU does 10 Mtok/h. 25 Mtok may wait an hour: 10, then 10 of the 15 that are due."""
    made = simple([[5.0] * 3], [[25.0, 0.0, 0.0]], gpus=1.0, waits=1)
    policy, state = rule(made), State.initial(made)
    first = policy.decide(0, state)
    assert first.serve_mtok.tolist() == [10.0] and first.refused_mtok.tolist() == [0.0]
    second = policy.decide(1, after(made, 0, state, first))
    assert second.serve_mtok.tolist() == [10.0] and second.refused_mtok.tolist() == [5.0]


def test_everything_is_due_in_the_last_interval() -> None:
    made = simple([[5.0]], [[25.0]], gpus=1.0, waits=3)
    assert first_action(Greedy, made).refused_mtok.tolist() == [15.0]


def test_a_woken_replica_serves_the_rest_of_the_hour() -> None:
    """30 Mtok need 3 replicas; 1 is awake; waking takes 0.2 h: 1 + 2 / 0.8 = 3.5 are awake.

    With 3 GPUs, 1 + 2 x 0.8 = 2.6 replicas' worth is served: 26 Mtok.
    """
    made = simple([[5.0]], [[30.0]])
    made = replace(made, deployments=(deployment(0, wake_h=0.2),))
    state = replace(State.initial(made), awake=np.ones(1))
    np.testing.assert_allclose(first_action(Greedy, made, state).awake, [3.5])
    tight = replace(made, fleets=(fleet(0, gpus=3.0),))
    action = first_action(Greedy, tight, state)
    np.testing.assert_allclose(action.serve_mtok, [26.0])
    np.testing.assert_allclose(action.refused_mtok, [4.0])


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_what_wakes_too_slowly_is_woken_for_the_next_interval(rule) -> None:
    """A wake of 1.5 h in steps of 1 h: refused first, 2 replicas are awake for the next 20."""
    made = simple([[5.0] * 2], [[20.0, 20.0]])
    made = replace(made, deployments=(deployment(0, wake_h=1.5),))
    state = State.initial(made)
    first = rule(made).decide(0, state)
    check(made, 0, state, first)
    assert first.refused_mtok.tolist() == [20.0]
    np.testing.assert_allclose(first.awake, [2.0])
    second = rule(made).decide(1, after(made, 0, state, first))
    np.testing.assert_allclose(second.serve_mtok, [20.0])


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_quality_floor_is_never_broken(rule) -> None:
    """Floor 0.8. The cheap model of quality 0.6 may serve only what 1.0 leaves above it.

    The good model has 1 GPU: 10 Mtok x 0.2 above the floor allow 10 Mtok x 0.2 below it. Of 30
    Mtok 10 are refused.
    """
    made = world(
        [[10.0]],
        [[30.0]],
        routes=(route(0, 0, quality=0.6), route(0, 1, network=9.0)),
        deployments=(deployment(0, fleet=0), deployment(0, fleet=1)),
        fleets=(fleet(0), fleet(0, gpus=1.0)),
        workloads=(workload(value=100.0),),
        floors=(0.8,),
    )
    action = first_action(rule, made)
    np.testing.assert_allclose(action.serve_mtok, [10.0, 10.0])


# ---- by hand: contracts and surplus --------------------------------------------------


def take(*, available_mw, cost, behind=True, curtail=True) -> Take:
    available = np.array([float(available_mw)])
    return Take(
        contract_id="ppa",
        site=0,
        behind_the_meter=behind,
        available_mw=available,
        floor_mw=np.zeros(1) if curtail else available,
        take_usd_per_mwh=np.full(1, float(cost)),
        sunk_usd_per_h=np.zeros(1),
    )


@pytest.mark.parametrize(
    ("cost", "behind", "export", "taken"),
    [
        (40.0, True, 0.0, 2.0),  # cheaper than buying at 50: the load of 2 MW and no more
        (40.0, True, 9.0, 5.0),  # resale at 48 pays for the rest
        (40.0, True, 1.0, 3.0),  # as far as the connection lets it out
        (40.0, False, 0.0, 5.0),  # over the grid it is sold there, no export needed
        (49.0, True, 9.0, 2.0),  # dearer than resale: only what the load uses
        (49.0, False, 0.0, 2.0),
        (60.0, True, 9.0, 0.0),  # dearer than buying
        (60.0, False, 9.0, 0.0),
    ],
)
def test_contracts_are_taken_as_far_as_they_pay(cost, behind, export, taken) -> None:
    """20 Mtok draw 2 MW; 5 MW are on offer; spot 50, resale 48."""
    for rule in EVERY_RULE:
        made = simple([[50.0]], [[20.0]], export_limit=export)
        made = replace(made, takes=(take(available_mw=5, cost=cost, behind=behind),))
        np.testing.assert_allclose(first_action(rule, made).take_mw, [taken], atol=1e-12)


def test_power_that_cannot_leave_goes_to_the_battery_whatever_the_policy() -> None:
    """3 MW must be taken, none may be exported, work draws 1: the battery charges with 2."""
    made = simple([[50.0]], [[10.0]], batteries=(battery(),), battery_site=(0,))
    made = replace(made, takes=(take(available_mw=3, cost=0.0, curtail=False),))
    for rule in EVERY_RULE:
        np.testing.assert_allclose(first_action(rule, made).charge_mw, [2.0])
    weak = replace(made, batteries=(battery(power=0.5),))
    with pytest.raises(InfeasibleProgram, match=r"site 's0' cannot use power.*1\.500 MW"):
        Greedy(weak).decide(0, State.initial(weak))


def test_work_comes_to_power_that_nothing_else_can_use() -> None:
    """1 MW must be taken and may not leave: it draws 10 of 15 Mtok, at any cost.

    At -10 USD/MWh a Mtok at site 0 earns 1 USD of energy and costs 9 of network; elsewhere it
    costs 2. The other 5 Mtok go there.
    """
    made = simple([[-10.0], [20.0]], [[15.0]])
    made = replace(
        made,
        takes=(take(available_mw=1, cost=0.0, curtail=False),),
        routes=(route(0, 0, network=9.0), route(0, 1)),
    )
    np.testing.assert_allclose(first_action(Greedy, made).serve_mtok, [10.0, 5.0])


def test_a_fixed_load_beyond_the_connection_is_told() -> None:
    made = simple([[50.0]], [[10.0]], fixed=7.0, import_limit=4.0)
    with pytest.raises(InfeasibleProgram, match=r"site 's0' cannot carry.*3\.000 MW"):
        Greedy(made).decide(0, State.initial(made))

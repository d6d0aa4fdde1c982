"""The safe mode: by hand, on wild worlds, and blind to everything that is to come."""

from dataclasses import fields, replace

import numpy as np
import pytest
from action_check import after, check, wild_world
from contract_cases import rate
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    battery,
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

from tokenergy.dispatch.merit import Greedy
from tokenergy.dispatch.reserve import Reserve
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import State, World
from tokenergy.errors import InfeasibleProgram

WEEK = 168


def waiting_world(prices, *, defer=10, **changes) -> World:
    """Make one site and one workload that may wait, a week of history before the last interval.

    A Mtok draws 1 MWh. 100 GPUs serve 1,000 Mtok an hour: nothing is ever pressing.
    """
    made = plain([prices], np.ones((1, len(prices))), marginal=1.0, value=500.0, **changes)
    return replace(made, workloads=(workload(value=500.0, defer=defer),))


def queued(made: World, **due: float) -> State:
    """Return a state with Mtok due by the end of the i-th interval ahead: `in2=4.0`."""
    state = State.initial(made)
    for name, mtok in due.items():
        state.backlog_mtok[0, int(name.removeprefix("in"))] = mtok
    return state


def test_work_with_k_hours_left_runs_below_the_quantile_of_last_week():
    """Prices 1..168 last week; 1/(k+1) of them are cheaper than 84 for k = 1, 56 for k = 2 ...

    At 50 runs what has one or two hours left; what has four (34) or nine (17) waits, as do new
    arrivals with ten hours. At 90 all wait; at 16 only the new arrivals do: 1/11 is at 15.
    """
    week = np.random.default_rng(0).permutation(np.arange(1.0, 169.0))
    for present, served in ((90.0, 0.0), (50.0, 1.0 + 2.0), (16.0, 1.0 + 2.0 + 4.0 + 8.0)):
        made = waiting_world([*week[1:], present, *[50.0] * 20], history=167)
        state = queued(made, in1=1.0, in2=2.0, in4=4.0, in9=8.0)
        action = Reserve(made).decide(WEEK - 1, state)
        assert action.serve_mtok.sum() == pytest.approx(served)
        assert not action.refused_mtok.any()


def test_work_waits_for_the_cheap_hours_of_a_tariff():
    """The market says 20 always; the meter pays 40 more by day. An hour left: below the median.

    By night a MWh costs 20 of a week of 20 and 60: it runs. By day it waits.
    """
    rates = np.tile(np.repeat([0.0, 40.0], 12), 8)
    made = waiting_world([20.0] * rates.size, history=WEEK)
    made = replace(made, arrivals_mtok=np.zeros((1, rates.size)))
    made = replace(made, rates=(rate(made, 0, rates, 0.0),))
    for at, served in ((WEEK, 5.0), (WEEK + 12, 0.0)):
        action = Reserve(made).decide(at, queued(made, in1=5.0))
        assert action.serve_mtok.sum() == pytest.approx(served)


def test_what_is_due_runs_at_any_price():
    week = np.full(WEEK, 20.0)
    made = waiting_world([*week, 400.0, *week], history=WEEK)
    action = Reserve(made).decide(WEEK, queued(made, in0=7.0, in3=2.0))
    assert action.serve_mtok.sum() == pytest.approx(7.0)


def test_work_that_would_not_fit_later_runs_now():
    """One GPU serves 10 Mtok an hour, 1 of which is asked for anew each hour.

    At a price above all of last week's 55 Mtok are due in four hours. Four hours have room for
    4 x (1 + a tenth of the free 9) = 7.6 Mtok, so what exceeds that is pressing: all 10 of now.
    """
    week = np.full(WEEK, 20.0)
    made = waiting_world([*week, 100.0, *week], history=WEEK)
    made = replace(made, fleets=(fleet(0, gpus=1.0),))
    policy = Reserve(made)
    assert policy.decide(WEEK, queued(made, in4=55.0)).serve_mtok.sum() == pytest.approx(10.0)
    assert policy.decide(WEEK, queued(made, in4=7.5)).serve_mtok.sum() == 0.0
    assert policy.decide(WEEK, queued(made, in4=9.0)).serve_mtok.sum() == pytest.approx(1.4)


def test_nothing_is_left_at_the_horizons_end():
    """Every hour as dear as all the others: work waits, and yet all of it is done at the end."""
    made = waiting_world([20.0] * (WEEK + 30), history=WEEK)
    made = replace(made, fleets=(fleet(0, gpus=1.0),))
    state, policy = State.initial(made), Reserve(made)
    for at in made.horizon_indices():
        action = policy.decide(at, state)
        check(made, at, state, action)
        assert not action.refused_mtok.any()
        state = after(made, at, state, action)
    assert state.backlog_mtok.max() < 1e-9


def stored(present: float, level: float) -> tuple[float, float]:
    """Return charge and discharge of a battery in a site that draws 9 MW, at a price and charge.

    Last week 10, 50 and 90 USD/MWh; more than 5 % of the hours at either end. Efficiencies are
    0.8: an empty battery values a MWh at 90 x 0.8 = 72, a full one of 20 MWh at 10 / 0.8 = 12.5.
    """
    week = np.repeat([10.0, 50.0, 90.0, 50.0], 42)
    made = plain(
        [[*week, present, *week]],
        np.zeros((1, 2 * WEEK + 1)),
        history=WEEK,
        fixed=9.0,
        batteries=(battery(power=5.0, capacity=20.0, efficiency=0.8),),
        battery_site=(0,),
    )
    state = replace(State.initial(made), energy_mwh=np.array([level]))
    action = Reserve(made).decide(WEEK, state)
    return float(action.charge_mw[0]), float(action.discharge_mw[0])


def test_a_battery_fills_when_power_is_cheap_and_gives_when_it_is_dear():
    """Half full it values a MWh at 42.25: at 50 USD charging costs 62.5, discharging saves 40."""
    assert stored(1.0, 0.0) == (5.0, 0.0)
    assert stored(98.0, 20.0) == (0.0, 5.0)
    assert stored(50.0, 10.0) == (0.0, 0.0)


def test_the_fuller_a_battery_the_less_it_pays_for_more():
    """At 20 USD a stored MWh costs 25, its worth at (72 - 25) / 59.5 x 20 = 15.8 MWh.

    At 60 it saves 48, its worth at (72 - 48) / 59.5 x 20 = 8.07 MWh.
    """
    level = (72.0 - 25.0) / 59.5 * 20.0
    assert stored(20.0, 5.0) == (5.0, 0.0)
    assert stored(20.0, 14.0) == (pytest.approx((level - 14.0) / 0.8, rel=1e-3), 0.0)
    assert stored(20.0, 16.0) == (0.0, 0.0)
    level = (72.0 - 48.0) / 59.5 * 20.0
    assert stored(60.0, 9.0) == (0.0, pytest.approx((9.0 - level) * 0.8, rel=1e-3))
    assert stored(60.0, 8.0) == (0.0, 0.0)


def test_a_battery_gives_all_it_can_where_work_lacks_power():
    """5 MW of import; 10 Mtok of 1 MWh that must run are worth 500 USD each; power costs 20."""
    made = plain(
        [[20.0] * 40],
        np.full((1, 40), 10.0),
        marginal=1.0,
        value=500.0,
        import_limit=5.0,
        batteries=(battery(power=4.0, capacity=20.0, efficiency=0.8),),
        battery_site=(0,),
    )
    state = replace(State.initial(made), energy_mwh=np.array([20.0]))
    action = Reserve(made).decide(20, state)
    assert action.discharge_mw.tolist() == pytest.approx([4.0])
    assert action.serve_mtok.sum() == pytest.approx(9.0)
    few = replace(made, arrivals_mtok=np.full((1, 40), 6.0))
    action = Reserve(few).decide(20, state)
    assert action.discharge_mw.tolist() == pytest.approx([1.0])  # no more than work asks for


@pytest.mark.parametrize("seed", range(60))
def test_it_keeps_every_limit_in_wild_worlds(seed):
    """Two models a fleet, floors, slow wakes, contracts of every delivery, waiting work."""
    made = wild_world(seed, hours=16)
    state, policy = random_state(made, seed), Reserve(made)
    for at in made.horizon_indices():
        action = policy.decide(at, state)
        assert action.source == "reserve"
        check(made, at, state, action)
        state = after(made, at, state, action)


@pytest.mark.parametrize("seed", range(8))
def test_no_future_is_read(seed):
    """Everything after the present is changed, published or not: the same decision to the bit."""
    made, _ = random_case(seed, hours=240)
    made = replace(made, first=180, count=60)
    at, rng = 190 + seed, np.random.default_rng(seed)
    state = random_state(made, seed)
    later = np.arange(240) > at
    other = replace(
        made,
        spot_usd_per_mwh=np.where(later, rng.normal(300, 500, (3, 240)), made.spot_usd_per_mwh),
        arrivals_mtok=np.where(later, rng.uniform(0, 900, (3, 240)), made.arrivals_mtok),
        pue=np.where(later, 1.9, made.pue),
        import_limit_mw=np.where(later, 0.1, made.import_limit_mw),
        takes=tuple(
            replace(each, available_mw=each.available_mw * np.where(later, 9.0, 1.0))
            for each in made.takes
        ),
    )
    ours, theirs = Reserve(made).decide(at, state), Reserve(other).decide(at, state)
    for field in fields(ours):
        assert np.array_equal(getattr(ours, field.name), getattr(theirs, field.name)), field.name


@given(seed=st.integers(0, 10_000), energy_share=st.floats(0.0, 1.0))
@settings(max_examples=60)
def test_it_decides_wherever_an_interval_can_be_met(seed, energy_share):
    """Standing load above the import limit, power that must be taken beyond what may leave.

    Whether one interval has any action at all is asked of the program; the rule has to agree,
    but for power that a program burns in a battery by charging and discharging it at once.
    """
    rng = np.random.default_rng(seed)
    made = plain(
        [[float(rng.normal(30.0, 60.0))], [20.0]],
        [[float(rng.uniform(0.0, 8.0))]],
        fixed=float(rng.uniform(0.0, 4.0)),
        marginal=0.3,
        import_limit=float(rng.uniform(1.0, 5.0)),
        export_limit=float(rng.choice([0.0, 1.0])),
        takes=(take([float(rng.uniform(0.0, 6.0))], behind=True, curtail=False),),
        batteries=(battery(power=2.0, capacity=4.0),),
        battery_site=(0,),
    )
    state = replace(State.initial(made), energy_mwh=np.array([4.0 * energy_share]))
    try:
        optimum = solve_horizon(made, state)
        feasible = True
        if min(optimum.value("charge", 0)[0], optimum.value("discharge", 0)[0]) > 1e-9:
            return
    except InfeasibleProgram:
        feasible = False
    if feasible:
        check(made, 0, state, Reserve(made).decide(0, state))
    else:
        with pytest.raises(InfeasibleProgram):
            Reserve(made).decide(0, state)


def test_without_anything_that_waits_it_is_greedy():
    made, _ = random_case(3, hours=200)
    made = replace(
        made,
        first=180,
        count=20,
        batteries=(),
        battery_site=(),
        workloads=tuple(replace(load, defer_count=0) for load in made.workloads),
    )
    state = State.initial(made)
    for at in made.horizon_indices():
        ours, theirs = Reserve(made).decide(at, state), Greedy(made).decide(at, state)
        assert np.array_equal(ours.serve_mtok, theirs.serve_mtok)
        assert np.array_equal(ours.awake, theirs.awake)
        state = after(made, at, state, ours)


def test_a_workload_that_nothing_reaches_waits_and_is_refused_when_due():
    made = world(
        [[20.0] * 3],
        [[1.0] * 3],
        routes=(),
        deployments=(),
        fleets=(),
        workloads=(workload(defer=1),),
    )
    state, refused = State.initial(made), []
    for at in range(3):
        action = Reserve(made).decide(at, state)
        refused.append(float(action.refused_mtok[0]))
        state = after(made, at, state, action)
    assert refused == [0.0, 1.0, 2.0]


def test_one_route_and_no_history_do():
    made = world(
        [[20.0] * 3],
        [[1.0] * 3],
        routes=(route(0, 0),),
        deployments=(deployment(0),),
        fleets=(fleet(0),),
        workloads=(workload(defer=2),),
    )
    assert np.isfinite(Reserve(made).decide(0, State.initial(made)).serve_mtok).all()

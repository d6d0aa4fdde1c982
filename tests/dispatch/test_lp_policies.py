"""The policies that solve the program."""

from dataclasses import fields, replace

import numpy as np
import pytest
from worlds import battery, plain, random_case, random_state, random_world, workload

from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.lp_policies import WINDOW_H, Clairvoyant, Mpc
from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.world import State
from tokenergy.errors import InfeasibleProgram


def test_mpc_looks_48_hours_ahead_and_no_further_than_the_horizon():
    """Half hours: 2 for the first hour, then 47 whole ones. A horizon of 10 hours has 10."""
    assert WINDOW_H == 48.0
    for total, step_h, count in ((200, 1.0, 48), (200, 0.5, 49), (200, 2.0, 24), (10, 1.0, 10)):
        made = plain([[20.0] * total], np.ones((1, total)), step_h=step_h)
        assert Mpc(made).plan(0, State.initial(made)).window.count == count


@pytest.mark.parametrize("seed", range(4))
def test_mpc_resolved_in_place_decides_as_a_new_one(seed):
    """Twelve steps with a new state each, to the end of the horizon and its switched-off tail."""
    made, _ = random_case(seed, hours=40)
    made = replace(made, first=28, count=12)
    held, forecaster = Mpc(made, window_h=6.0), Forecaster(made)
    for at in range(28, 40):
        state = random_state(made, seed + at)
        window = forecaster.window(at, 6)
        new = WindowModel(made, window, state).solved(window)
        assert held.plan(at, state).objective_usd == pytest.approx(
            new.objective_usd, rel=1e-9, abs=1e-7
        )


def test_mpc_names_itself_and_does_the_first_interval():
    made = plain([[20.0] * 30], np.full((1, 30), 7.0))
    policy = Mpc(made)
    action = policy.decide(0, State.initial(made))
    assert action.source == policy.name == "mpc"
    assert action.serve_mtok == pytest.approx([7.0])


def test_mpc_with_everything_known_is_the_clairvoyant():
    """All prices published, the same demand every hour, a window over the whole horizon."""
    rng = np.random.default_rng(0)
    hours = 24
    made = plain(
        [rng.uniform(5.0, 90.0, hours)],
        np.full((1, hours), 6.0),
        base_mw=0.2,
        batteries=(battery(),),
        battery_site=(0,),
        export_limit=3.0,
    )
    made = replace(made, published_until=np.full((1, hours), hours), workloads=(workload(defer=2),))
    state = State.initial(made)
    assert Mpc(made).plan(0, state).objective_usd == pytest.approx(
        solve_horizon(made).objective_usd, rel=1e-9
    )


def test_mpc_buys_before_a_price_that_is_published_to_rise():
    """Published: 10 now, 100 next. Work that may wait an hour is done now; a battery fills."""
    made = plain(
        [[10.0, 100.0, 100.0]],
        [[5.0, 5.0, 5.0]],
        batteries=(battery(power=5.0, capacity=20.0, efficiency=1.0),),
        battery_site=(0,),
    )
    made = replace(made, workloads=(workload(defer=1),))
    action = Mpc(made).decide(0, State.initial(made))
    assert action.charge_mw == pytest.approx([5.0])
    assert action.serve_mtok == pytest.approx([5.0])
    falling = replace(made, spot_usd_per_mwh=np.array([[100.0, 10.0, 10.0]]))
    action = Mpc(falling).decide(0, State.initial(falling))
    assert action.serve_mtok == pytest.approx([0.0])


@pytest.mark.parametrize("seed", range(3))
def test_the_clairvoyant_does_what_its_optimum_says(seed):
    made = random_world(seed, hours=10)
    made = replace(made, first=4, count=6)
    policy = Clairvoyant(made)
    for at in range(4, 10):
        ours, theirs = policy.decide(at, State.initial(made)), policy.optimum.action(at - 4, "x")
        for field in fields(ours):
            if field.name not in ("source", "asked_usd_per_mtok", "mw_rent_usd_per_mwh"):
                assert np.array_equal(getattr(ours, field.name), getattr(theirs, field.name))
        assert ours.source == "clairvoyant"
        assert np.array_equal(
            ours.asked_usd_per_mtok, asked_usd_per_mtok(made, policy.optimum, at - 4)
        )
        rent = np.maximum(0.0, -policy.optimum.reduced("meter_import")[at - 4])
        assert np.array_equal(ours.mw_rent_usd_per_mwh, rent)


def test_a_company_that_cannot_run_is_told_so():
    made = plain([[20.0] * 5], np.zeros((1, 5)), fixed=9.0, import_limit=3.0)
    with pytest.raises(InfeasibleProgram):
        Mpc(made).decide(0, State.initial(made))
    with pytest.raises(InfeasibleProgram):
        Clairvoyant(made)


def test_mpc_says_when_nothing_keeps_the_limits():
    made = plain([[20.0] * 4], np.zeros((1, 4)), fixed=4.0, import_limit=1.0)
    with pytest.raises(InfeasibleProgram, match=r"4 h from 2026-03-02T00:00Z on, as they are"):
        Mpc(made).decide(0, State.initial(made))

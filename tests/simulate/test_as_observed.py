"""What was observed, replayed: it costs what it cost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import battery, deployment, fleet, random_world, route, workload, world

from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import State, Take
from tokenergy.errors import InputError
from tokenergy.simulate.account import account
from tokenergy.simulate.as_observed import AsObserved
from tokenergy.simulate.replay import replay


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 500), name=st.sampled_from(["greedy", "nearest", "static"]))
def test_a_run_observed_and_replayed_costs_the_same(seed, name):
    """The same work on the same replicas, batteries at rest in both: every part is equal."""
    made = random_world(seed, state=False)
    honest = replay(made, make_policy(name, made))
    again = replay(made, AsObserved(made, serve_mtok=honest.serve_mtok, awake=honest.awake))
    assert np.allclose(again.serve_mtok, honest.serve_mtok)
    assert np.allclose(again.awake, honest.awake)
    assert account(made, again).cost_usd == pytest.approx(account(made, honest).cost_usd, rel=1e-9)


def test_by_hand():
    """One replica of 0.4 MW awake for 2 h, 10 Mtok at 0.1 MWh: 0.8 + 1 MWh at 50 = 90 USD."""
    made = world(
        [[50.0, 50.0]],
        [[4.0, 6.0]],
        routes=(route(0, 0),),
        deployments=(deployment(0, base_mw=0.4),),
        fleets=(fleet(0),),
        workloads=(workload(),),
    )
    run = replay(
        made, AsObserved(made, serve_mtok=np.array([[4.0, 6.0]]), awake=np.array([[1.0, 1.0]]))
    )
    assert account(made, run).cost_usd == pytest.approx(90.0)
    assert run.sources == ("as_observed", "as_observed")


def test_replicas_awake_for_nobody_are_paid_for():
    """A second replica of 0.4 MW, idle for 2 h at 50 USD/MWh, costs 40 USD more."""
    made = world(
        [[50.0, 50.0]],
        [[4.0, 6.0]],
        routes=(route(0, 0),),
        deployments=(deployment(0, base_mw=0.4),),
        fleets=(fleet(0),),
        workloads=(workload(),),
    )
    served = np.array([[4.0, 6.0]])
    one, two = (
        account(made, replay(made, AsObserved(made, serve_mtok=served, awake=awake))).cost_usd
        for awake in (np.array([[1.0, 1.0]]), np.array([[2.0, 2.0]]))
    )
    assert two - one == pytest.approx(40.0)


def test_replicas_that_are_awake_already_are_not_woken():
    """2 of 0.4 MW awake before: 2 h of them at 50 USD are 80 USD, and no wake of half an hour."""
    made = world(
        [[50.0, 50.0]],
        [[0.0, 0.0]],
        routes=(route(0, 0),),
        deployments=(deployment(0, base_mw=0.4, wake_h=0.5),),
        fleets=(fleet(0),),
        workloads=(workload(),),
    )
    awake = np.full((1, 2), 2.0)
    policy = AsObserved(made, serve_mtok=np.zeros((1, 2)), awake=awake)
    before = replace(State.initial(made), awake=awake[:, 0])
    held = replay(made, policy, initial=before)
    assert account(made, held).cost_usd == pytest.approx(80.0)
    assert held.wake.sum() == 0.0
    woken = account(made, replay(made, policy)).cost_usd
    assert woken == pytest.approx(80.0 + 2 * 0.2 * 50.0)


def test_power_that_must_be_taken_is_not_taken_for_a_wake_that_never_was():
    """What a site draws is what it takes of its contract: 0.8 MW of 1, none of it for a wake."""
    take = Take(
        contract_id="sun", site=0, behind_the_meter=True, available_mw=np.ones(2),
        floor_mw=np.zeros(2), take_usd_per_mwh=np.zeros(2), sunk_usd_per_h=np.zeros(2),
    )  # fmt: skip
    made = world(
        [[50.0, 50.0]],
        [[0.0, 0.0]],
        routes=(route(0, 0),),
        deployments=(deployment(0, base_mw=0.4, wake_h=0.5),),
        fleets=(fleet(0),),
        workloads=(workload(),),
        takes=(take,),
    )
    awake = np.full((1, 2), 2.0)
    policy = AsObserved(made, serve_mtok=np.zeros((1, 2)), awake=awake)
    run = replay(made, policy, initial=replace(State.initial(made), awake=awake[:, 0]))
    assert run.take_mwh[0] == pytest.approx([0.8, 0.8])


def test_batteries_do_what_they_are_told():
    """Charge 2 MW at 10 and give them at 90: as told, and otherwise at rest."""
    made = world(
        [[10.0, 90.0]],
        [[4.0, 4.0]],
        routes=(route(0, 0, marginal=1.0),),
        deployments=(deployment(0),),
        fleets=(fleet(0),),
        workloads=(workload(),),
        batteries=(battery(),),
        battery_site=(0,),
    )
    served, awake = np.array([[4.0, 4.0]]), np.array([[1.0, 1.0]])
    rests = replay(made, AsObserved(made, serve_mtok=served, awake=awake))
    assert rests.charge_mwh.sum() == rests.discharge_mwh.sum() == 0.0
    told = np.array([[2.0, -1.5]])
    works = replay(made, AsObserved(made, serve_mtok=served, awake=awake, battery_mw=told))
    assert works.charge_mwh[0] == pytest.approx([2.0, 0.0])
    assert works.discharge_mwh[0] == pytest.approx([0.0, 1.5])


@pytest.mark.parametrize(
    ("served", "words"),
    [(np.zeros((1, 3)), "shape"), (np.array([[np.nan, 1.0]]), "no numbers")],
)
def test_what_nobody_observed_is_refused(served, words):
    made = world(
        [[50.0, 50.0]],
        [[4.0, 6.0]],
        routes=(route(0, 0),),
        deployments=(deployment(0),),
        fleets=(fleet(0),),
        workloads=(workload(),),
    )
    with pytest.raises(InputError, match=words):
        AsObserved(made, serve_mtok=served, awake=np.zeros((1, 2)))

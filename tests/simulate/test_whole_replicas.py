"""Replicas are whole: rounded up where limits allow it, and what they cost beside fractions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate.played import Scripted, roomy_case
from worlds import (
    api,
    api_route,
    battery,
    deployment,
    fleet,
    plain,
    random_world,
    route,
    workload,
    world,
)

from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import Action, World
from tokenergy.simulate.account import account
from tokenergy.simulate.renewed import renewed
from tokenergy.simulate.replay import replay
from tokenergy.simulate.scorecard import scorecard
from tokenergy.simulate.uplift import marginal_usd_per_mwh, uplift_usd


def action(serve, awake, *, refused=(0.0,), charge=(), discharge=()) -> Action:
    return Action(
        serve_mtok=np.array(serve, float),
        refused_mtok=np.array(refused, float),
        awake=np.array(awake, float),
        take_mw=np.zeros(0),
        charge_mw=np.array(charge, float),
        discharge_mw=np.array(discharge, float),
        source="scripted",
    )


def places(prices, arrivals, *, gpus=100.0, each=1, load=None, apis=(), **changes) -> World:
    """Make sites of one fleet each: 10 Mtok/h and 1 MW a replica, 0.1 MWh/Mtok; value 50."""
    sites = len(prices)
    own = tuple(deployment(at, gpus=each, base_mw=1.0) for at in range(sites))
    return world(
        prices,
        [arrivals],
        routes=(
            *(route(0, at) for at in range(sites)),
            *(api_route(0, sites + at, usd_per_mtok=usd) for at, usd in enumerate(apis)),
        ),
        deployments=(*own, *(api(f"api{at}") for at in range(len(apis)))),
        fleets=tuple(fleet(at, gpus=gpus) for at in range(sites)),
        workloads=(load or workload(),),
        **changes,
    )


def whole(made: World, *actions: Action):
    return replay(made, Scripted(*actions), whole_replicas=True)


def test_up_where_there_is_room() -> None:
    """8 Mtok on 0.8 replicas of 1 MW: one runs instead, 1 + 0.8 MWh for 0.8 + 0.8.

    At 50 USD/MWh 90 USD an hour for 80: a gap of 12.5 %.
    """
    made = places([[50.0] * 2], [8.0] * 2)
    run = whole(made, action([8.0], [0.8]), action([8.0], [0.8]))
    assert run.policy == "scripted+whole"
    assert run.awake.tolist() == [[1.0, 1.0]]
    assert run.load_mwh[0] == pytest.approx([1.8, 1.8])
    parts = replay(made, renewed(made, "greedy"))
    assert account(made, parts).cost_usd == pytest.approx(160.0)
    card = scorecard(made, {"greedy": parts}, whole={"greedy": run})
    score = card.to_dict()["policies"]["greedy"]
    assert score["whole"]["integrality_gap_share"] == pytest.approx(180.0 / 160.0 - 1.0)
    assert score["whole"]["cost_usd"] == pytest.approx(180.0)
    assert score["whole"]["uplift_usd"] is None


def test_a_whole_number_stays_what_it_is() -> None:
    """Rounding in the tenth digit wakes nobody."""
    made = places([[50.0]], [20.0])
    assert whole(made, action([20.0], [2.0 + 1e-10])).awake.tolist() == [[2.0]]


def test_a_fleet_has_no_half_replicas() -> None:
    """3 GPUs hold one replica of 2: 10 of 15 Mtok are served, 5 are refused at 50 USD.

    Power: (1 + 1) MWh x 50 = 100 USD.
    """
    made = places([[50.0]], [15.0], gpus=3.0, each=2)
    run = whole(made, action([15.0], [1.5]))
    assert run.awake.tolist() == [[1.0]]
    assert run.serve_mtok.tolist() == [[10.0]]
    assert account(made, run).cost_usd == pytest.approx(100.0 + 5 * 50.0)


def test_where_no_megawatts_are_left_the_work_goes_on() -> None:
    """2.5 MW carry 1.25 replicas at work (1 + 1 MW each); 2 would draw 2 + 1.25 MW.

    One is left out: 10 of its 12.5 Mtok stay, 2.5 go to the whole replica of the other site,
    which had 7.5.
    """
    made = places([[10.0], [100.0]], [20.0], import_limit=2.5)
    run = whole(made, action([12.5, 7.5], [1.25, 0.75]))
    assert run.awake.T.tolist() == [[1.0, 1.0]]
    assert run.serve_mtok.T[0] == pytest.approx([10.0, 10.0])
    assert run.refused_mtok.sum() == 0.0


def test_another_replica_is_woken_before_work_is_lost() -> None:
    """One GPU here, many there: 5 Mtok that lose their half replica wake one at the other site."""
    made = places([[10.0], [100.0]], [15.0])
    made = replace(made, fleets=(fleet(0, gpus=1.5), fleet(1)))
    run = whole(made, action([15.0, 0.0], [1.5, 0.0]))
    assert run.awake.T.tolist() == [[1.0, 1.0]]
    assert run.serve_mtok.T[0] == pytest.approx([10.0, 5.0])


@pytest.mark.parametrize(("usd", "bought"), [(40.0, 5.0), (60.0, 0.0)])
def test_somebody_elses_model_takes_it_if_it_is_worth_that(usd: float, bought: float) -> None:
    made = places([[10.0]], [15.0], gpus=1.5, apis=(usd,))
    run = whole(made, action([15.0, 0.0], [1.5]))
    assert run.serve_mtok.T[0] == pytest.approx([10.0, bought])
    assert run.refused_mtok.sum() == pytest.approx(5.0 - bought)


def test_work_that_may_wait_waits() -> None:
    """A plan made once forgets it then: what is due is done all the same."""
    made = places([[50.0] * 3], [15.0, 0.0, 0.0], gpus=3.0, each=2, load=workload(defer=1))
    idle = action([0.0], [0.0])
    run = whole(made, action([15.0], [1.5]), idle, idle)
    assert run.serve_mtok.tolist() == [[10.0, 5.0, 0.0]]
    assert run.refused_mtok.sum() == 0.0
    assert run.awake.tolist() == [[1.0, 1.0, 0.0]]


def test_a_floor_of_quality_holds() -> None:
    """The tier promises 0.8 on average: 10 Mtok of 1.0 carry at most 10 of 0.6.

    2.5 GPUs hold 1.5 replicas of the good model and one of the poor: only one good one is whole,
    and takes 10 of its 15 Mtok; of the poor one's 15 Mtok (15 x 0.2 = 15 x 0.2) 10 stay.
    """
    good, poor = route(0, 0, quality=1.0), route(0, 1, quality=0.6, rate=20.0)
    made = places([[50.0]], [30.0])
    made = replace(
        made,
        routes=(good, poor),
        deployments=(
            deployment(0, base_mw=1.0),
            replace(deployment(0, fleet=1, base_mw=1.0), name="poor"),
        ),
        fleets=(fleet(0, gpus=1.5), replace(fleet(0, gpus=1.0), name="g")),
        floor_share=(0.8,),
    )
    run = whole(made, action([15.0, 15.0], [1.5, 0.75]))
    assert run.serve_mtok.T[0] == pytest.approx([10.0, 10.0])
    assert run.refused_mtok.sum() == pytest.approx(10.0)


def test_a_plan_made_once_stores_no_more_than_fits() -> None:
    """The first discharge would send 2 MW out of a site that may send none: it is left out.

    Then the battery is full, and the charge that the plan had for it finds no room.
    """
    made = places(
        [[50.0] * 2], [0.0] * 2, batteries=(battery(efficiency=1.0, capacity=10.0),),
        battery_site=(0,),
    )  # fmt: skip
    full = made.batteries[0].model_copy(update={"initial_share": 1.0})
    made = replace(made, batteries=(full,))
    run = whole(
        made,
        action([0.0], [0.0], charge=[0.0], discharge=[2.0]),
        action([0.0], [0.0], charge=[2.0], discharge=[0.0]),
    )
    assert run.discharge_mwh.sum() == run.charge_mwh.sum() == 0.0


@settings(max_examples=15)
@given(
    st.integers(0, 500), st.sampled_from([random_world, roomy_case]),
    st.sampled_from(["greedy", "greedy_battery", "clairvoyant"]),
)  # fmt: skip
def test_every_count_is_whole_and_every_limit_holds(seed: int, make, name: str) -> None:
    """Replay itself refuses what exceeds a limit."""
    made = make(seed, hours=12)
    run = replay(made, renewed(made, name), whole_replicas=True)
    assert np.array_equal(run.awake, np.round(run.awake))
    asked = made.arrivals_mtok.sum()
    assert run.serve_mtok.sum() + run.refused_mtok.sum() == pytest.approx(asked)


# ---- uplift --------------------------------------------------------------------------------


def test_uplift_by_hand() -> None:
    """A Mtok costs 0.1 + 1/10 MWh at 50 = 10 USD at the margin, 8 of them 80.

    The whole replica costs 50 x (1 + 0.8) = 90: 10 USD an hour are left unpaid.
    """
    made = places([[50.0] * 2], [8.0] * 2)
    run = replay(made, renewed(made, "clairvoyant"), whole_replicas=True)
    assert run.asked_usd_per_mtok is not None
    assert run.asked_usd_per_mtok[0] == pytest.approx([10.0, 10.0])
    assert uplift_usd(made, run) == pytest.approx(20.0)


def test_a_price_that_covers_more_pays_no_other_hour() -> None:
    """Full replicas cost what the price pays; rents of the price are no uplift, nor negative.

    Two hours: at 10 Mtok/h of demand and one GPU, 12 Mtok are asked for in the second; the price
    is then the value of what is refused, 50, far above cost: it does not pay the first hour.
    """
    made = places([[50.0] * 2], [8.0, 12.0], gpus=1.0)
    run = replay(made, renewed(made, "clairvoyant"), whole_replicas=True)
    assert run.asked_usd_per_mtok is not None
    assert run.asked_usd_per_mtok[0] == pytest.approx([10.0, 50.0])
    assert uplift_usd(made, run) == pytest.approx(10.0)


def test_without_fractions_there_is_next_to_no_uplift() -> None:
    made = plain([[50.0, 20.0, 80.0]], [[5.0, 7.0, 3.0]])
    run = replay(made, make_policy("clairvoyant", made))
    assert uplift_usd(made, run) == pytest.approx(0.0, abs=1e-6)


def test_the_margin_is_the_side_of_the_market() -> None:
    """Short: the purchase price, 50. Long by a PPA of 9 MW: the resale price, 50 - 2."""
    from worlds import take

    made = replace(places([[50.0] * 2], [8.0] * 2), takes=(take([0.0, 9.0], strike=1.0),))
    run = replay(made, renewed(made, "clairvoyant"))
    assert marginal_usd_per_mwh(made, run).tolist() == [[50.0, 48.0]]

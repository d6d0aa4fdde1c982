"""A company of another size, and one that keeps its promises at any price."""

from dataclasses import replace

import numpy as np
import pytest
import worlds
from economics.crowd import crowd
from economics.enlarged import enlarged
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World
from tokenergy.economics.scaled import (
    at_any_price,
    dearest_usd_per_mtok,
    has_users,
    scaled_window,
)


def with_everything(seed: int, *, held=(True, True, True)) -> World:
    """Make a random world with every kind of thing in it; `held` says which tiers have users."""
    made, _ = worlds.random_case(seed, hours=8)
    tiers = [
        worlds.tier_dict(f"tier{at}", **({"users": {"count": 10}} if users else {}))
        for at, users in enumerate(held)
    ]
    return replace(made, company=worlds.company_of(tiers=tiers))


def cost_usd(world: World) -> float:
    """Return the optimum and what contracts cost in any case."""
    span = slice(world.first, world.last)
    signed = [float(b.strike_usd_per_mwh[span] @ b.delivery_mw[span]) for b in world.blocks]
    sunk = [float(take.sunk_usd_per_h[span].sum()) for take in world.takes]
    return solve_horizon(world).objective_usd + (sum(signed) + sum(sunk)) * world.step_h


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), ratio=st.floats(0.2, 20.0))
def test_a_company_that_is_larger_in_everything_costs_as_much_more(seed: int, ratio: float) -> None:
    world = with_everything(seed)
    larger = enlarged(world, users_ratio=ratio, capacity_ratio=ratio, contracts_ratio=ratio)
    assert cost_usd(larger) == pytest.approx(ratio * cost_usd(world), rel=1e-6, abs=1e-6)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    users=st.floats(0.3, 3.0),
    capacity=st.floats(0.5, 3.0),
    contracts=st.floats(0.3, 1.0),
)
def test_one_program_answers_for_every_size(
    seed: int, users: float, capacity: float, contracts: float
) -> None:
    """k times the program of a window with everything else over k, against a world made anew."""
    world = with_everything(seed, held=(True, False, True))
    made_anew = enlarged(
        world, users_ratio=users, capacity_ratio=capacity, contracts_ratio=contracts
    )
    window = true_window(world, begin=world.first, count=world.count)
    growth = np.where(has_users(world) > 0.0, users, 1.0)
    moved = scaled_window(
        window, arrivals_ratio=growth / capacity, contracts_ratio=contracts / capacity
    )
    optimum = WindowModel(world, moved, State.initial(world)).solved(moved)
    anew = solve_horizon(made_anew).objective_usd
    assert capacity * optimum.objective_usd == pytest.approx(anew, rel=1e-6, abs=1e-6)


def test_workloads_without_users_stand() -> None:
    world = with_everything(1, held=(True, False, False))
    grown = enlarged(world, users_ratio=3.0)
    assert has_users(world).tolist() == [1.0, 0.0, 0.0]
    assert grown.arrivals_mtok[0] == pytest.approx(3.0 * world.arrivals_mtok[0])
    assert grown.arrivals_mtok[1:].tolist() == world.arrivals_mtok[1:].tolist()


# ---- at any price --------------------------------------------------------------------------


def served(world: World) -> list[float]:
    """Return what the program serves of each workload, Mtok."""
    done = solve_horizon(world).value("serve").sum(axis=0)
    return [
        sum(float(done[i]) for i, r in enumerate(world.routes) if r.workload == at)
        for at in range(len(world.workloads))
    ]


def test_a_promise_worth_less_than_it_costs_is_refused_unless_kept_at_any_price() -> None:
    """A Mtok is worth 1 USD and costs 3 on reserved GPUs, 8 by the hour: nothing pays."""
    world = crowd(loads=(worlds.workload("chat", value=1.0),), arrivals=np.full((1, 8), 120.0))
    assert served(world) == [pytest.approx(0.0)]
    assert served(at_any_price(world)) == [pytest.approx(8 * 120.0)]


def test_work_that_may_be_refused_still_is() -> None:
    loads = (worlds.workload("free", value=1.0, must_serve=False),)
    world = crowd(loads=loads)
    assert at_any_price(world) is world


def test_what_is_short_goes_to_the_most_valuable_promise_first() -> None:
    """500 Mtok an hour at the most; 400 of each are asked for: the dearer one has all of its."""
    loads = (worlds.workload("cheap", value=1.0), worlds.workload("dear", value=2.0))
    world = crowd(loads=loads, arrivals=np.full((2, 8), 400.0))
    assert served(at_any_price(world)) == pytest.approx([8 * 100.0, 8 * 400.0])


@pytest.mark.parametrize(("lease", "small_share"), [(4.0, 0.0), (6.0, 1.0)])
def test_a_lesser_model_is_taken_where_it_saves_more_than_it_loses(
    lease: float, small_share: float
) -> None:
    """At any price alike.

    Of a value of 5 USD a lesser model loses a tenth, 0.50: it is taken against a lease of
    6 / 10 = 0.60 USD a Mtok, and not of 4 / 10 = 0.40.
    """
    world = worlds.world(
        [[30.0]],
        [[10.0]],
        routes=(worlds.route(0, 0, rate=10.0), worlds.route(0, 1, rate=10.0, quality=0.9)),
        deployments=(worlds.deployment(0, fleet=0), worlds.deployment(0, fleet=1)),
        fleets=(worlds.fleet(0, lease=lease), worlds.fleet(0)),
        workloads=(worlds.workload(value=5.0),),
    )
    for each in (world, at_any_price(world)):
        done = solve_horizon(each).value("serve")[0]
        assert done.tolist() == pytest.approx([10.0 * (1.0 - small_share), 10.0 * small_share])


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
@example(seed=8985)  # drew a site that earned by buying and selling the same MWh: see `worlds`
def test_no_higher_value_would_keep_more_of_the_promises(seed: int) -> None:
    """A thousand times the value of every promise serves no more of them, by their value."""
    world = at_any_price(worlds.random_case(seed, hours=6)[0])
    loads = world.workloads
    promised = np.array([load.value_usd_per_mtok * load.must_serve for load in loads])
    higher = replace(
        world,
        workloads=tuple(
            replace(load, value_usd_per_mtok=load.value_usd_per_mtok * 1e3)
            if load.must_serve
            else load
            for load in loads
        ),
    )
    left = [promised @ solve_horizon(each).value("refused").sum(axis=0) for each in (world, higher)]
    asked = promised @ world.arrivals_mtok.sum(axis=1)
    assert left[0] == pytest.approx(left[1], abs=1e-9 * asked)


def test_the_bound_holds_what_gpus_and_power_could_else_earn() -> None:
    """By the hour: 5 of lease + 0.1 x 60 + 0.1 x (60 + 30) = 20 USD.

    A Mtok takes 0.1 GPU-h and 0.1 MWh: its 6 USD make 60 USD a GPU-h and 60 USD a MWh.
    """
    assert dearest_usd_per_mtok(crowd()) == pytest.approx(20.0)


def test_the_bound_holds_the_base_power_of_a_replica() -> None:
    """1 MW a replica of 10 Mtok/h: 0.2 MWh a Mtok, 30 USD a MWh: 5 + 0.1 x 60 + 0.2 x 60 = 23."""
    world = crowd()
    based = tuple(replace(each, base_mw=1.0) for each in world.deployments)
    assert dearest_usd_per_mtok(replace(world, deployments=based)) == pytest.approx(23.0)

"""When a policy is held to have done worse than `greedy` would have."""

import json
from dataclasses import replace

import numpy as np
import pytest
from action_check import after, check
from action_check import run as cost_usd
from worlds import battery, plain, random_case, workload

from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.hedge import Hedge
from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.last_week import LastWeek
from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.dispatch.merit import Greedy
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import Action, State, World


def hedge_of(made: World, **changes) -> Hedge:
    return Hedge(made, LastWeek(Intervals(made)), **changes)


class Liar(Forecaster):
    """Believes that power costs nothing from the next hour on."""

    def window(self, at: int, count: int) -> Window:
        told = super().window(at, count)
        buy = told.buy_usd_per_mwh.copy()
        buy[:, 1:] = 0.0
        return replace(told, buy_usd_per_mwh=buy, sell_usd_per_mwh=buy - 2.0)


class Misled(Mpc):
    """`mpc` on the beliefs of the liar."""

    def _made_forecaster(self, world: World) -> Forecaster:
        return Liar(world)


def misleading(days: int = 5) -> World:
    """Make cheap nights and dear days, and work that comes by night and may wait half a day."""
    prices = np.tile(np.where(np.arange(24) < 12, 10.0, 90.0), days + 8)
    made = plain(
        [prices],
        [np.where(prices < 50.0, 50.0, 1.0)],
        history=8 * 24,
        export_limit=20.0,
        batteries=(battery(power=5.0, capacity=20.0, efficiency=0.8),),
        battery_site=(0,),
    )
    return replace(made, workloads=(workload(defer=12),))


def test_it_falls_back_where_forecasts_mislead_and_says_so():
    made = misleading()
    state, policy, sources = State.initial(made), Misled(made), []
    for at in made.horizon_indices():
        action = policy.decide(at, state)
        sources.append(action.source)
        check(made, at, state, action)
        state = after(made, at, state, action)
    assert set(sources) == {"mpc", "greedy"}
    assert sources[:24] == ["mpc"] * 24  # shorter than a day nothing is told
    hedged, bare = cost_usd(made, Misled(made)), cost_usd(made, Misled(made, hedged=False))
    shadow = cost_usd(made, Greedy(made))
    assert shadow < hedged < shadow + 0.6 * (bare - shadow)


def test_it_never_falls_back_where_forecasts_hold():
    made, _ = random_case(4, hours=24 * 9)
    made = replace(made, first=24 * 7, count=48)
    state, policy = State.initial(made), Mpc(made, window_h=12.0)
    for at in made.horizon_indices():
        action = policy.decide(at, state)
        assert action.source == "mpc"
        state = after(made, at, state, action)


def resting(made: World, *, serve: float, charge: float = 0.0) -> Action:
    return Action(
        serve_mtok=np.array([serve]),
        refused_mtok=np.zeros(1),
        awake=np.array([serve / 10.0]),
        take_mw=np.zeros(0),
        charge_mw=np.array([charge]),
        discharge_mw=np.zeros(1),
        source="other",
    )


def flat_world(**changes) -> World:
    made = plain(
        [[20.0] * 200],
        np.full((1, 200), 5.0),
        marginal=1.0,
        batteries=(battery(power=5.0, capacity=100.0, efficiency=1.0),),
        battery_site=(0,),
        **changes,
    )
    return replace(made, workloads=(workload(defer=100),))


@pytest.mark.parametrize(("waste", "behind"), [(0.0, False), (0.05, False), (0.2, True)])
def test_what_is_stored_and_what_waits_is_counted(waste, behind):
    """A policy that only stores and lets work wait costs less and more by turns: neither counts.

    Greedy pays 5 MWh x 20 = 100 USD an hour. Who buys 5 MWh for a battery instead and lets the
    work wait has as much in hand: even. Who burns 0.2 MWh an hour on top is 4 % behind, above the
    2 % allowed; at 0.05 MWh it is 1 %.
    """
    made = flat_world(fixed=0.0)
    hedge, books_state = hedge_of(made), State.initial(made)
    books_state = replace(books_state, energy_mwh=np.array([0.0]))
    said = []
    for at in range(15):
        said.append(hedge.behind(at, books_state))
        action = resting(made, serve=0.0, charge=5.0)
        hedge.note(at, books_state, action)
        books_state = after(made, at, books_state, action)
        books_state = replace(books_state, energy_mwh=books_state.energy_mwh - waste)
    assert not any(said)  # within a day nothing is told
    for at in range(15, 30):
        hedge.behind(at, books_state)
        hedge.note(at, books_state, resting(made, serve=5.0))
        books_state = after(made, at, books_state, resting(made, serve=5.0))
        books_state = replace(books_state, energy_mwh=books_state.energy_mwh - waste)
    assert hedge.behind(30, books_state) == behind


def test_a_walk_that_jumps_begins_anew():
    made = flat_world(fixed=0.0)
    hedge, state = hedge_of(made, allowance_share=-1.0), State.initial(made)
    for at in range(30):
        hedge.behind(at, state)
        hedge.note(at, state, resting(made, serve=5.0))
    assert hedge.behind(30, state)  # with less than nothing allowed it always is
    assert not hedge.behind(90, state)


def test_what_is_remembered_is_all_there_is():
    made = misleading(4)
    walked, state = Mpc(made), State.initial(made)
    for at in range(made.first, made.first + 40):
        state = after(made, at, state, walked.decide(at, state))
    resumed = Mpc(made)
    resumed.recall(json.loads(json.dumps(walked.memory())))
    assert resumed.memory() == walked.memory()
    at = made.first + 40
    assert resumed._hedge.behind(at, state) == walked._hedge.behind(at, state)
    assert Mpc(made).memory() == {}

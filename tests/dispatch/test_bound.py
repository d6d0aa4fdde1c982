"""The bound of a long horizon, on worlds small enough for the whole program to be solved too."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import battery, plain, random_case, random_world

from tokenergy.dispatch.bound import (
    HorizonIsCoupled,
    _refuse_coupled,
    clairvoyant_bound,
    foresight,
    state_after,
)
from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.account import account, constant_usd
from tokenergy.simulate.replay import replay

HALF_DAY_H = 12.0


def whole_usd(made: World, state: State | None = None) -> float:
    """Return what the best dispatch costs, as an account of a run counts it."""
    start = State.initial(made)
    held_mwh = (start if state is None else state).energy_mwh - start.energy_mwh
    held_usd = float(held_mwh @ made.end_value_usd_per_mwh())
    return solve_horizon(made, state).objective_usd + constant_usd(made) + held_usd


def random_pair(seed: int, hours: int) -> tuple[World, None]:
    return random_world(seed, hours=hours), None


class Foresight:
    """A policy that does what the windows of the bound do."""

    name = "foresight"

    def __init__(self, made: World) -> None:
        pieces = foresight(made, State.initial(made), commit_h=HALF_DAY_H, overlap_h=HALF_DAY_H)
        self._actions = [
            piece.optimum.action(at, self.name)
            for piece in pieces
            for at in range(piece.commit_count)
        ]
        self._first = made.first

    def decide(self, at: int, state: State) -> Action:
        return self._actions[at - self._first]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), hours=st.integers(20, 40), everything=st.booleans())
def test_the_optimum_lies_within_the_bound(seed: int, hours: int, everything: bool) -> None:
    """Prices without a pattern and windows that hardly overlap: the gap is wide, and holds."""
    made, state = random_case(seed, hours=hours) if everything else random_pair(seed, hours)
    bound = clairvoyant_bound(made, state, commit_h=HALF_DAY_H, overlap_h=6.0)
    best_usd = whole_usd(made, state)
    rounding_usd = 1e-9 * max(1.0, abs(best_usd))
    assert bound.lower_usd <= best_usd + rounding_usd
    assert best_usd <= bound.feasible_usd + rounding_usd
    apart_usd = bound.feasible_usd - bound.lower_usd
    assert bound.gap_share == pytest.approx(apart_usd / max(1.0, abs(bound.lower_usd)))


def test_one_window_proves_the_optimum() -> None:
    made, state = random_case(3, hours=30)
    bound = clairvoyant_bound(made, state, commit_h=30.0)
    assert bound.windows_count == 1
    assert bound.gap_share <= 1e-9
    assert bound.lower_usd == pytest.approx(whole_usd(made, state), rel=1e-9)


def test_where_nothing_couples_the_hours_any_windows_prove_the_optimum() -> None:
    rng = np.random.default_rng(5)
    made = plain(rng.normal(40.0, 20.0, (3, 60)), rng.uniform(10.0, 40.0, (1, 60)))
    bound = clairvoyant_bound(made, commit_h=HALF_DAY_H, overlap_h=2.0)
    assert bound.windows_count == 5
    assert bound.gap_share <= 1e-9
    assert bound.feasible_usd == pytest.approx(whole_usd(made), rel=1e-9)


def test_a_battery_that_cycles_every_day_leaves_no_gap() -> None:
    """Cheap nights and dear days: full at dawn, empty at night, whatever came before."""
    hours = np.arange(8 * 24)
    prices = 50.0 + 30.0 * np.sin(2 * np.pi * hours / 24)[None, :] + 0.01 * (hours % 7)
    made = plain(
        prices,
        np.full((1, hours.size), 30.0),
        batteries=(battery("b0", power=2.0, capacity=8.0, wear=3.0),),
        battery_site=(0,),
        export_limit=1.0,
    )
    bound = clairvoyant_bound(made, commit_h=48.0, overlap_h=24.0)
    assert bound.windows_count == 4
    assert bound.gap_share <= 1e-9
    assert bound.lower_usd == pytest.approx(whole_usd(made), rel=1e-9)


def test_seeing_further_narrows_the_gap() -> None:
    made = random_world(11, hours=96)
    gaps = [
        clairvoyant_bound(made, commit_h=HALF_DAY_H, overlap_h=overlap_h).gap_share
        for overlap_h in (2.0, 24.0, 60.0)
    ]
    assert gaps[0] > gaps[1] > gaps[2] >= -1e-9
    assert gaps[2] < 0.25 * gaps[0]


@pytest.mark.parametrize("seed", range(4))
def test_its_dispatch_can_be_done_and_costs_what_it_says(seed: int) -> None:
    """Replay holds every limit and settles each interval by itself; the account adds it up."""
    made = random_world(seed, hours=40)
    run = replay(made, Foresight(made))
    bound = clairvoyant_bound(made, commit_h=HALF_DAY_H, overlap_h=HALF_DAY_H)
    assert account(made, run).cost_usd == pytest.approx(bound.feasible_usd, rel=1e-7)


def test_what_waits_keeps_its_due_date_across_windows() -> None:
    """Two hours at most: 6 Mtok come an hour, none is served for two hours, 3 in the third.

    Carried in: 4 due now, 5 due an hour later. After two hours nothing carried may wait; of the
    6 + 6 that came, all 12 wait: 6 due in one hour, 6 in two. Were 8 left, the oldest went first:
    2 due in one hour, 6 in two.
    """
    made = random_world(0, hours=12)
    load = replace(made.workloads[1], defer_count=2)
    made = replace(made, workloads=(made.workloads[0], load, made.workloads[2]))
    state = replace(
        State.initial(made), backlog_mtok=np.array([[0.0, 0.0], [4.0, 5.0], [0.0, 0.0]])
    )
    window = true_window(made, begin=0, count=12)
    window = replace(window, arrivals_mtok=np.full((3, 12), 6.0))

    def told(waiting_mtok: float) -> Any:
        """Stand in for an optimum: only what it says about states is read."""
        values = {"backlog": [0.0, waiting_mtok, 0.0], "awake": [1.0] * 3, "energy": [1.0, 2.0]}
        return SimpleNamespace(window=window, value=lambda block, at: np.array(values[block]))

    for waiting_mtok, left in ((12.0, [6.0, 6.0]), (8.0, [2.0, 6.0]), (5.0, [0.0, 5.0])):
        after = state_after(made, told(waiting_mtok), state, 2)
        assert after.backlog_mtok[1].tolist() == left
    one_hour_on = state_after(made, told(9.0), state, 1)
    assert one_hour_on.backlog_mtok[1].tolist() == [3.0, 6.0]


def test_a_contract_over_the_whole_horizon_is_refused_by_name() -> None:
    made = random_world(1, hours=24)
    whole = WindowModel(made, true_window(made, begin=0, count=24), State.initial(made))
    whole.program.add_rows("texas.demand_charge.peak", 2, whole=True)
    with pytest.raises(HorizonIsCoupled, match=r"texas\.demand_charge\.peak.*whole horizon"):
        _refuse_coupled(whole)


def test_progress_is_told_window_by_window() -> None:
    told: list[tuple[int, int]] = []
    made = random_world(2, hours=48)
    bound = clairvoyant_bound(
        made,
        commit_h=HALF_DAY_H,
        overlap_h=HALF_DAY_H,
        on_progress=lambda done, count: told.append((done, count)),
    )
    assert told == [(at + 1, bound.windows_count) for at in range(bound.windows_count)]

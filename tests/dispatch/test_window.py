"""The numbers of a window, and what may wait within it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import battery, block, fleet, plain, random_world, take, workload, world

from tokenergy.dispatch.window import (
    backlog_limit_mtok,
    true_window,
    waiting_intervals,
    work_only,
)
from tokenergy.dispatch.world import State


def waiting(arrivals, *, defer: int, carried=(0.0,)):
    """Make a world of one deferrable workload without any deployment, and its state."""
    made = world(
        [[50.0] * len(arrivals)],
        [arrivals],
        routes=(),
        deployments=(),
        fleets=(),
        workloads=(workload(defer=defer),),
    )
    state = State(
        awake=np.zeros(0), energy_mwh=np.zeros(0), backlog_mtok=np.array([carried], float)
    )
    return made, state


def test_buying_and_selling_prices():
    """Spot 50, adder 4, loss 10 %, spread 3: buy 1.1 x 54 = 59.4, sell 47."""
    made = plain([[50.0]], [[1.0]], spread=3.0)
    made = replace(made, adder_usd_per_mwh=np.array([4.0]), loss_share=np.array([0.1]))
    window = true_window(made, begin=0, count=1)
    assert window.buy_usd_per_mwh == pytest.approx(np.array([[59.4]]))
    assert window.sell_usd_per_mwh == pytest.approx(np.array([[47.0]]))


def test_only_work_draws_power_where_a_sale_costs_money():
    """Spread 2: at a spot of 3 a MWh sold earns 1, at 2 nothing, at 1 it costs 1."""
    made = plain([[3.0, 2.0, 1.0]], np.zeros((1, 3)))
    assert work_only(made, true_window(made, begin=0, count=3)).tolist() == [[False, False, True]]


def test_only_work_draws_power_where_power_has_nowhere_to_go():
    """Behind the meter 2 MW of a block and 1, 2, 3 MW that must be taken.

    1.5 MW may leave and 2 MW of load and sleep stand there at PUE 1.25, 2.5 MW at the meter: 4
    MW are placed, 5 are not. What may be curtailed, or comes over the grid, is never stuck.
    """
    must = take([1.0, 2.0, 3.0], behind=True, curtail=False)
    may = take([9.0, 9.0, 9.0], behind=True)
    grid = take([9.0, 9.0, 9.0], curtail=False)
    made = plain(
        [[50.0] * 3],
        np.zeros((1, 3)),
        fixed=1.0,
        export_limit=1.5,
        pue=1.25,
        takes=(must, may, grid),
    )
    made = replace(
        made, blocks=(block([2.0] * 3, behind=True),), fleets=(fleet(0, gpus=100.0, sleep_mw=0.01),)
    )
    assert work_only(made, true_window(made, begin=0, count=3)).tolist() == [[False, False, True]]


def test_a_window_beyond_the_horizon_is_switched_off():
    made = plain([[10.0, 20.0, 30.0]], [[1.0, 2.0, 3.0]])
    window = true_window(made, begin=2, count=3)
    assert (window.live_count, window.count) == (1, 3)
    assert window.live().tolist() == [1.0, 0.0, 0.0]
    assert window.buy_usd_per_mwh.tolist() == [[30.0, 30.0, 30.0]]


def test_the_end_valuation_is_the_horizons_mean_at_its_end_and_the_windows_before():
    """Spot 10 20 60, adder 5, efficiency 0.8.

    At the end: mean spot 30 x 0.8 = 24, adder or not; before it the window's mean purchase price:
    (15 + 25) / 2 x 0.8 = 16.
    """
    made = plain(
        [[10.0, 20.0, 60.0]],
        np.zeros((1, 3)),
        batteries=(battery(efficiency=0.8),),
        battery_site=(0,),
    )
    made = replace(made, adder_usd_per_mwh=np.array([5.0]))
    assert true_window(made, begin=1, count=2).stored_usd_per_mwh == pytest.approx([24.0])
    assert true_window(made, begin=0, count=2).stored_usd_per_mwh == pytest.approx([16.0])


def test_the_end_valuation_leaves_the_history_out():
    made = plain(
        [[900.0, 10.0, 30.0]],
        np.zeros((1, 3)),
        history=1,
        batteries=(battery(efficiency=1.0),),
        battery_site=(0,),
    )
    assert made.end_value_usd_per_mwh() == pytest.approx([20.0])


def test_series_and_contracts_are_cut_to_the_window():
    made = plain(
        [[10.0, 20.0, 30.0]],
        [[1.0, 2.0, 3.0]],
        takes=(take([4.0, 5.0, 6.0], curtail=False),),
        pue=[[1.1, 1.2, 1.3]],
    )
    made = replace(made, blocks=(block([1.0, 2.0, 3.0]), block([7.0, 8.0, 9.0], behind=True)))
    window = true_window(made, begin=1, count=2)
    assert window.available_mw.tolist() == window.floor_mw.tolist() == [[5.0, 6.0]]
    assert window.grid_block_mw.tolist() == [[2.0, 3.0]]
    assert window.meter_block_mw.tolist() == [[8.0, 9.0]]
    assert window.pue.tolist() == [[1.2, 1.3]]
    assert window.arrivals_mtok.tolist() == [[2.0, 3.0]]


# ---- what may wait -----------------------------------------------------------------------


def test_strict_work_never_waits():
    made, state = waiting([5.0, 6.0, 7.0], defer=0)
    window = true_window(made, begin=0, count=3)
    assert not backlog_limit_mtok(made, window, state).any()


def test_what_arrived_within_the_deadline_may_wait():
    """Arrivals 1 2 4 8 with two intervals to wait.

    At the ends of 0..3 may remain 1, 1 + 2, 2 + 4, and nothing at the end of the window.
    """
    made, state = waiting([1.0, 2.0, 4.0, 8.0], defer=2)
    window = true_window(made, begin=0, count=4)
    assert backlog_limit_mtok(made, window, state).tolist() == [[1.0, 3.0, 6.0, 0.0]]


def test_what_was_carried_in_may_wait_until_it_is_due():
    """Carried 10 due in interval 0, 20 in 1, 40 in 2: after 0 may remain 60, after 1 40."""
    made, state = waiting([0.0, 0.0, 0.0, 0.0], defer=3, carried=(10.0, 20.0, 40.0))
    window = true_window(made, begin=0, count=4)
    assert backlog_limit_mtok(made, window, state).tolist() == [[60.0, 40.0, 0.0, 0.0]]


def test_what_is_due_beyond_the_window_is_done_within_it():
    made, state = waiting([1.0, 1.0], defer=4, carried=(1.0, 1.0, 1.0, 5.0))
    window = true_window(made, begin=0, count=2)
    assert backlog_limit_mtok(made, window, state).tolist() == [[8.0, 0.0]]


@given(seed=st.integers(0, 999), count=st.integers(1, 9), live=st.integers(1, 9))
def test_limits_agree_with_the_cumulative_rows(seed, count, live):
    """Most that may remain = arrived so far - due so far, counted one by one."""
    rng = np.random.default_rng(seed)
    defer = int(rng.integers(1, 6))
    live = min(live, count)
    made, state = waiting(rng.uniform(0, 9, live), defer=defer, carried=rng.uniform(0, 9, defer))
    window = true_window(made, begin=0, count=count)
    limits = backlog_limit_mtok(made, window, state)[0]
    for k in range(live):
        remains = sum(made.arrivals_mtok[0, j] for j in range(k + 1) if j + defer > k)
        remains += sum(state.backlog_mtok[0, i] for i in range(defer) if i > k)
        assert limits[k] == pytest.approx(remains if k < live - 1 else 0.0)


def test_a_new_mtok_widens_the_limits_it_may_wait_under():
    """One Mtok more at 1 changes the limits at the ends of 1 and 2, and not the window's last."""
    made, state = waiting([1.0] * 6, defer=2)
    before = backlog_limit_mtok(made, true_window(made, begin=0, count=6), state)
    for at in range(6):
        arrivals = made.arrivals_mtok.copy()
        arrivals[0, at] += 1.0
        more = replace(made, arrivals_mtok=arrivals)
        window = true_window(more, begin=0, count=6)
        widened = (backlog_limit_mtok(more, window, state) - before)[0].nonzero()[0]
        assert widened.tolist() == list(waiting_intervals(made, window, at=at, workload=0))


def test_strict_work_widens_nothing():
    made = random_world(0)
    window = true_window(made, begin=0, count=12)
    assert len(waiting_intervals(made, window, at=3, workload=0)) == 0

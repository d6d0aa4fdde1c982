"""Windows whose intervals grow with distance."""

from dataclasses import fields, replace

import numpy as np
import pytest
from action_check import after, check
from worlds import plain, random_case, random_state

from tokenergy.dispatch.coarse import coarsened, growing_edges
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import World

FINE = 12


def test_five_minutes_for_an_hour_and_then_whole_hours():
    """3 h of 5 min: 12 intervals of one, 2 of twelve."""
    edges = growing_edges(100, end=999, step_h=1 / 12, window_h=3.0)
    assert edges.tolist() == [*range(100, 113), 124, 136]


def test_hours_stay_hours():
    assert growing_edges(7, end=99, step_h=1.0, window_h=4.0).tolist() == [7, 8, 9, 10, 11]
    assert growing_edges(7, end=99, step_h=2.0, window_h=4.0).tolist() == [7, 8, 9]


@pytest.mark.parametrize("begin", range(60, 100))
def test_the_horizons_end_is_an_edge_and_the_number_of_intervals_never_changes(begin):
    edges = growing_edges(begin, end=100, step_h=0.25, window_h=6.0)
    assert edges.size == 4 + 5 + 1
    assert np.all(np.diff(edges) > 0)
    assert edges[-1] <= 100 or 100 in edges


def hourly_constant(made: World, seed: int) -> World:
    """Return a world of 5-min intervals in which every hour is the same throughout.

    Nobody wakes (half a wake in a 5-min interval is not half a wake in an hour), and work that
    may wait does so for whole hours.
    """
    held = np.arange(made.pue.shape[1]) // FINE * FINE
    takes = tuple(
        replace(
            take,
            available_mw=take.available_mw[held],
            floor_mw=take.floor_mw[held],
            take_usd_per_mwh=take.take_usd_per_mwh[held],
        )
        for take in made.takes
    )
    return replace(
        made,
        step_h=1 / FINE,
        spot_usd_per_mwh=made.spot_usd_per_mwh[:, held],
        pue=made.pue[:, held],
        import_limit_mw=made.import_limit_mw[:, held],
        export_limit_mw=made.export_limit_mw[:, held],
        arrivals_mtok=made.arrivals_mtok[:, held] / FINE,
        takes=takes,
        deployments=tuple(replace(d, wake_h=0.0, wake_mwh=0.0) for d in made.deployments),
        workloads=tuple(
            replace(load, defer_count=3 * FINE if load.defer_count else 0)
            for load in made.workloads
        ),
    )


@pytest.mark.parametrize("seed", range(3))
def test_an_hour_that_is_the_same_throughout_may_be_one_interval(seed):
    """The optimum of 6 h in 72 intervals and in 12 + 5, with batteries, waiting work, contracts.

    A coarse plan spread evenly is a fine one, and a fine one added up is a coarse one.
    """
    made, _ = random_case(seed, hours=6 * FINE)
    made = hourly_constant(made, seed)
    state = replace(random_state(made, seed), backlog_mtok=np.zeros((3, 3 * FINE)))
    fine = true_window(made, begin=0, count=6 * FINE)
    edges = growing_edges(0, end=made.last, step_h=made.step_h, window_h=6.0)
    coarse = coarsened(fine, edges)
    assert coarse.count == FINE + 5
    whole = WindowModel(made, fine, state).solved(fine).objective_usd
    assert WindowModel(made, coarse, state).solved(coarse).objective_usd == pytest.approx(
        whole, rel=1e-7
    )


def test_means_sums_and_leasts():
    """Quarters of an hour after a first one: price 1..4, arrivals 1..4, limit 4..1, PUE a mean."""
    row = np.array([9.0, 9.0, 9.0, 9.0, 1.0, 2.0, 3.0, 4.0])
    made = plain([row], [row], step_h=0.25, import_limit=row[::-1], pue=1.0 + row / 10.0)
    fine = true_window(made, begin=0, count=8)
    laid = coarsened(fine, growing_edges(0, end=8, step_h=0.25, window_h=2.0))
    assert laid.buy_usd_per_mwh[0].tolist() == [9.0, 9.0, 9.0, 9.0, 2.5]
    assert laid.arrivals_mtok[0].tolist() == [9.0, 9.0, 9.0, 9.0, 10.0]
    assert laid.import_limit_mw[0].tolist() == [4.0, 3.0, 2.0, 1.0, 9.0]
    assert laid.pue[0, -1] == pytest.approx(1.25)
    assert laid.lengths_h.tolist() == [0.25] * 4 + [1.0]


def test_a_window_can_only_be_laid_on_edges_of_its_own_span():
    made = plain([[1.0] * 8], np.ones((1, 8)), step_h=0.25)
    fine = true_window(made, begin=0, count=8)
    for edges in ([0, 1, 2], [1, 2, 8]):
        with pytest.raises(ValueError, match="same span"):
            coarsened(fine, np.array(edges))
    uneven = coarsened(fine, np.array([0, 1, 8]))
    with pytest.raises(ValueError, match="even window"):
        coarsened(uneven, np.array([0, 4, 8]))


def test_every_number_of_a_window_has_as_many_intervals():
    """Also those that a window may get one day: none is left at the fine length."""
    made, _ = random_case(1, hours=60, step_h=0.25)
    made = replace(made, first=20, count=40)
    fine = Forecaster(made).window(50, 16)  # its end lies beyond the horizon's
    laid = coarsened(fine, growing_edges(50, end=60, step_h=0.25, window_h=4.0))
    assert (laid.count, laid.live_count) == (7, 6)
    assert laid.live_end == 60
    for field in fields(laid):
        values = getattr(laid, field.name)
        if isinstance(values, np.ndarray) and field.name not in ("edges", "stored_usd_per_mwh"):
            assert values.shape[-1] == 7, field.name


def test_the_first_interval_of_an_uneven_window_can_be_done():
    """A day of quarters walked with all limits held, to the end of the horizon."""
    made, _ = random_case(2, hours=140, step_h=0.25)
    made = replace(made, first=100, count=40)
    state, policy = random_state(made, 2), Mpc(made, window_h=6.0, hedged=False)
    for at in made.horizon_indices():
        action = policy.decide(at, state)
        assert action.source == "mpc"
        check(made, at, state, action)
        state = after(made, at, state, action)

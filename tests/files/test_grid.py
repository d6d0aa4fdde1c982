"""Laying series on a grid: finer ones averaged, coarser ones held, nothing invented."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.horizon import Horizon
from tokenergy.files.grid import (
    US_PER_H,
    Grid,
    filled_from_week_before,
    fits,
    grid_of,
    lay,
    moment,
    repeated,
    since_epoch_us,
    stamp_text,
)

ZERO = since_epoch_us(datetime(2026, 3, 2, tzinfo=UTC))


def grid(count: int, *, step_h: float = 1.0) -> Grid:
    return Grid(start_us=ZERO, step_us=round(step_h * US_PER_H), count=count, history_count=0)


def hours(*at: float) -> np.ndarray:
    return np.array([ZERO + round(h * US_PER_H) for h in at], dtype=np.int64)


def test_the_grid_begins_with_the_history() -> None:
    horizon = Horizon(start=datetime(2026, 3, 2, tzinfo=UTC), days=14, step_h=0.5)
    made = grid_of(horizon, history_days=28)
    assert made.start == datetime(2026, 2, 2, tzinfo=UTC)
    assert (made.history_count, made.count) == (28 * 48, 42 * 48)
    assert moment(made.end_us) == horizon.end


def test_equal_steps_lie_as_they_are() -> None:
    laid = lay(hours(0, 1, 3), np.array([1.0, 2.0, 4.0]), source_step_us=US_PER_H, grid=grid(4))
    np.testing.assert_array_equal(laid, [1.0, 2.0, np.nan, 4.0])


def test_finer_is_averaged_and_a_missing_part_makes_it_missing() -> None:
    """Hour 0: (1 + 2 + 3 + 6) / 4 = 3; hour 1 lacks its last quarter."""
    stamps = hours(0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)
    values = np.array([1.0, 2.0, 3.0, 6.0, 5.0, 5.0, 5.0])
    laid = lay(stamps, values, source_step_us=US_PER_H // 4, grid=grid(2))
    np.testing.assert_array_equal(laid, [3.0, np.nan])


def test_coarser_is_held() -> None:
    laid = lay(hours(-2, 1), np.array([5.0, 7.0]), source_step_us=3 * US_PER_H, grid=grid(5))
    np.testing.assert_array_equal(laid, [5.0, 7.0, 7.0, 7.0, np.nan])


def test_what_lies_outside_the_grid_is_left_out() -> None:
    laid = lay(hours(-1, 0, 5), np.array([9.0, 1.0, 9.0]), source_step_us=US_PER_H, grid=grid(1))
    np.testing.assert_array_equal(laid, [1.0])


@pytest.mark.parametrize(
    ("first_h", "source_step_h", "step_h", "answer"),
    [
        (0.0, 1.0, 1.0, True),
        (-5.0, 1.0, 1.0, True),
        (0.5, 1.0, 1.0, False),  # stamps at half past on whole hours
        (0.25, 0.25, 1.0, True),  # starts within an hour: that hour is missing, no more
        (0.0, 1 / 6, 0.25, False),  # 10 minutes do not nest in 15
        (0.0, 3.0, 1.0, True),
        (2.0, 3.0, 1.0, True),
        (0.5, 3.0, 1.0, False),
        (0.0, 3.0, 2.0, False),
    ],
)
def test_intervals_nest_or_are_refused(
    first_h: float, source_step_h: float, step_h: float, answer: bool
) -> None:
    first_us = ZERO + round(first_h * US_PER_H)
    step_us = round(source_step_h * US_PER_H)
    assert fits(grid(8, step_h=step_h), first_us=first_us, source_step_us=step_us) is answer


def test_a_span_repeats_both_ways() -> None:
    stamps, values = repeated(
        hours(2, 3), np.array([1.0, 2.0]), source_step_us=US_PER_H, grid=grid(5)
    )
    laid = lay(stamps, values, source_step_us=US_PER_H, grid=grid(5))
    np.testing.assert_array_equal(laid, [1.0, 2.0, 1.0, 2.0, 1.0])


def test_a_missing_hour_takes_the_week_before_and_then_that_one() -> None:
    values = np.full(3 * 168, 1.0)
    values[5], values[168 + 5], values[2 * 168 + 5] = 7.0, np.nan, np.nan
    values[3] = np.nan
    filled = filled_from_week_before(values, grid=grid(3 * 168))
    assert filled[168 + 5] == filled[2 * 168 + 5] == 7.0
    assert np.isnan(filled[3])  # no week before it


def test_moments_are_written_as_files_write_them() -> None:
    assert stamp_text(ZERO) == "2026-03-02T00:00Z"
    assert stamp_text(ZERO + 1_000_000) == "2026-03-02T00:00:01Z"


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=40),
    per_hour=st.sampled_from([1, 2, 4]),
)
def test_the_mean_is_kept(values: list[float], per_hour: int) -> None:
    whole = np.array(values[: len(values) // per_hour * per_hour])
    stamps = ZERO + np.arange(whole.size, dtype=np.int64) * (US_PER_H // per_hour)
    laid = lay(
        stamps, whole, source_step_us=US_PER_H // per_hour, grid=grid(whole.size // per_hour)
    )
    assert laid.mean() == pytest.approx(whole.mean(), rel=1e-9, abs=1e-6)

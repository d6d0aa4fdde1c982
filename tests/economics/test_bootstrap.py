"""The band of a sum: against the normal limit, and what no draw can change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.economics.bootstrap import band


def test_weeks_are_drawn_where_there_are_four_of_them() -> None:
    found = band(np.ones(4 * 168), step_h=1.0, seed=1)
    assert found is not None
    assert found.by_week
    assert found.blocks_count == 4


def test_days_are_drawn_in_a_short_horizon_and_nothing_in_a_shorter() -> None:
    found = band(np.ones(14 * 24), step_h=1.0, seed=1)
    assert found is not None
    assert not found.by_week
    assert found.blocks_count == 14
    assert band(np.ones(3 * 24), step_h=1.0, seed=1) is None


def test_a_steady_sum_has_no_width_and_the_rest_of_a_week_stands() -> None:
    """4 weeks and 30 h at 2 USD an hour: 702 x 2 = 1,404 USD, whatever is drawn."""
    found = band(np.full(4 * 168 + 30, 2.0), step_h=1.0, seed=3)
    assert found is not None
    figures = (found.usd, found.low_usd, found.p10_usd, found.p90_usd, found.high_usd)
    assert figures == pytest.approx((1404.0,) * 5)


def test_independent_weeks_give_the_band_of_the_normal_law() -> None:
    """400 weeks of deviation s: the sum's deviation is s sqrt(400), its P5 to P95 3.29 of them."""
    rng = np.random.default_rng(5)
    weekly = rng.normal(100.0, 10.0, size=400)
    found = band(np.repeat(weekly / 168.0, 168), step_h=1.0, seed=7)
    assert found is not None
    width = 3.290 * weekly.std() * 20.0
    assert found.high_usd - found.low_usd == pytest.approx(width, rel=0.06)


@given(st.integers(0, 50), st.floats(-10.0, 10.0, allow_nan=False))
def test_a_constant_moves_the_band_and_a_factor_scales_it(seed: int, more: float) -> None:
    values = np.random.default_rng(seed).normal(size=28 * 24)
    one = band(values, step_h=1.0, seed=seed)
    moved = band(2.0 * values + more, step_h=1.0, seed=seed)
    assert one is not None
    assert moved is not None
    assert moved.low_usd == pytest.approx(2.0 * one.low_usd + more * values.size, abs=1e-6)
    assert one.low_usd <= one.p10_usd <= one.p90_usd <= one.high_usd


def test_half_hours_draw_the_same_blocks() -> None:
    """Each hour as two halves of it, over 40 days: five weeks are drawn, five days stand."""
    values = np.random.default_rng(11).normal(size=40 * 24)
    by_hour = band(values, step_h=1.0, seed=2)
    by_half = band(np.repeat(values / 2.0, 2), step_h=0.5, seed=2)
    assert by_hour is not None
    assert by_half is not None
    assert by_half.blocks_count == by_hour.blocks_count == 5
    assert by_half.to_dict() == pytest.approx(by_hour.to_dict())

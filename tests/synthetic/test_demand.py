"""The shape of requests: mean 1, its peak, its weekend, its growth, the same in any window."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.synthetic.demand import demand_shape

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def test_without_noise_the_mean_of_a_week_is_one() -> None:
    shape = demand_shape(start=MONDAY, hours_count=168, seed=1, utc_offset_h=0.0, noise_share=0.0)
    assert shape.mean() == pytest.approx(1.0)
    days = shape.reshape(7, 24).mean(axis=1)
    np.testing.assert_allclose(days[5:] / days[0], 0.75)
    np.testing.assert_allclose(days[:5], days[0])


def test_with_noise_the_mean_of_a_year_is_near_one() -> None:
    shape = demand_shape(start=MONDAY, hours_count=8736, seed=1, utc_offset_h=0.0)
    assert shape.mean() == pytest.approx(1.0, abs=0.01)
    assert (shape > 0.0).all()


@pytest.mark.parametrize("utc_offset_h", [-8.0, 0.0, 5.5, 9.0])
def test_the_peak_is_on_the_users_clock(utc_offset_h: float) -> None:
    shape = demand_shape(
        start=MONDAY, hours_count=96, seed=1, utc_offset_h=utc_offset_h, noise_share=0.0
    )
    peak_h = (float(np.argmax(shape[24:48])) + 0.5 + utc_offset_h) % 24.0
    assert 14.0 <= peak_h <= 17.0


def test_it_grows_by_the_year() -> None:
    """Growth of 50 % a year: one 8,736 h later (52 weeks) the level is 1.5^(8736/8760)."""
    shape = demand_shape(
        start=MONDAY,
        hours_count=8760,
        seed=1,
        utc_offset_h=0.0,
        noise_share=0.0,
        growth_per_year=0.5,
    )
    assert shape[8736] / shape[0] == pytest.approx(1.5 ** (8736 / 8760))


@settings(max_examples=20)
@given(
    back_count=st.integers(0, 9000),
    more_count=st.integers(0, 500),
    memory_h=st.floats(0.5, 200.0),
    seed=st.integers(0, 2**63),
)
def test_a_wider_window_changes_nothing(
    back_count: int, more_count: int, memory_h: float, seed: int
) -> None:
    settings_of_shape = {
        "seed": seed,
        "utc_offset_h": 1.0,
        "noise_memory_h": memory_h,
        "growth_per_year": 0.3,
        "grows_from": MONDAY,
    }
    start = MONDAY - timedelta(hours=12)
    narrow = demand_shape(start=start, hours_count=48, **settings_of_shape)
    wide = demand_shape(
        start=start - timedelta(hours=back_count),
        hours_count=back_count + 48 + more_count,
        **settings_of_shape,
    )
    np.testing.assert_allclose(wide[back_count : back_count + 48], narrow, rtol=1e-12)


def test_another_seed_is_another_noise() -> None:
    one, two = (
        demand_shape(start=MONDAY, hours_count=8760, seed=seed, utc_offset_h=0.0) for seed in (1, 2)
    )
    calm = demand_shape(start=MONDAY, hours_count=8760, seed=1, utc_offset_h=0.0, noise_share=0.0)
    noise_one, noise_two = np.log(one / calm), np.log(two / calm)
    assert noise_one.std() == pytest.approx(0.06, rel=0.15)
    assert abs(np.corrcoef(noise_one, noise_two)[0, 1]) < 0.15


def test_faults_are_told_together() -> None:
    with pytest.raises(InputError) as fault:
        demand_shape(
            start=MONDAY,
            hours_count=1,
            seed=-1,
            utc_offset_h=0.0,
            daily_share=1.0,
            weekend_share=-0.1,
            noise_share=-1.0,
            noise_memory_h=0.0,
            growth_per_year=-1.0,
        )
    for name in ("seed", "daily_share", "weekend_share", "noise_share", "memory", "growth"):
        assert name in str(fault.value)

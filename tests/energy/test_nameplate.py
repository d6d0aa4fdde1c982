"""Shares of a nameplate: the ends of the curves, one point by hand, and what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.nameplate import (
    CUT_IN_M_PER_S,
    CUT_OUT_M_PER_S,
    RATED_M_PER_S,
    solar_share,
    wind_share,
)

WINDS = st.floats(0.0, 60.0)


def test_a_turbine_stands_still_in_calm_and_in_storm() -> None:
    assert wind_share(0.0) == wind_share(CUT_IN_M_PER_S) == 0.0
    assert wind_share(CUT_OUT_M_PER_S) == wind_share(60.0) == 0.0


def test_a_turbine_is_full_from_rated_to_cut_out() -> None:
    assert wind_share(RATED_M_PER_S) == pytest.approx(1.0)
    assert wind_share(24.9) == 1.0


def test_a_turbine_at_8_m_per_s_by_hand() -> None:
    """(8^3 - 3^3) / (11.4^3 - 3^3) = (512 - 27) / (1481.544 - 27) = 485 / 1454.544 = 0.33344."""
    assert wind_share(8.0) == pytest.approx(0.33344, abs=1e-5)


def test_a_field_by_hand() -> None:
    """650 W/m2 over 1000 W/m2 x 0.86 = 0.559; night is 0; no more than the nameplate."""
    assert solar_share(650.0) == pytest.approx(0.559)
    assert solar_share(0.0) == solar_share(-2.0) == 0.0
    assert solar_share(1400.0) == 1.0


@given(WINDS, WINDS)
def test_more_wind_never_means_less_below_cut_out(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= wind_share(low) <= 1.0
    if high < CUT_OUT_M_PER_S:
        assert wind_share(low) <= wind_share(high)


@given(st.floats(-50.0, 2000.0), st.floats(-50.0, 2000.0))
def test_more_sun_never_means_less(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= solar_share(low) <= solar_share(high) <= 1.0

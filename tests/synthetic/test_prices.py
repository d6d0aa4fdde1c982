"""The supply curve and scarcity by hand, on a zone with everything else switched off."""

from dataclasses import fields
from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.synthetic.field import Channel
from tokenergy.synthetic.hours import hours_from
from tokenergy.synthetic.prices import PriceClimate, price_usd_per_mwh

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
PLAIN = {field.name: 0.0 for field in fields(PriceClimate)} | {
    "level_usd_per_mwh": 50.0,
    "season_peak_day": 0,
    "evening_width_h": 2.0,
    "convexity_ratio": 1.0,
    "surplus_usd_per_mwh": 10.0,
    "surplus_slope_ratio": 0.25,
    "floor_usd_per_mwh": -5.0,
    "spike_threshold_ratio": 99.0,
    "cap_usd_per_mwh": 1000.0,
}


def one_price(*, wind: float = 0.0, noise: dict[Channel, float] | None = None, **change):
    """Return the price of the first hour of a Monday in January, in USD/MWh."""
    drawn = np.zeros((len(Channel), 1))
    for channel, value in (noise or {}).items():
        drawn[channel] = value
    return float(
        price_usd_per_mwh(
            PriceClimate(**PLAIN | change),
            utc_offset_h=0.0,
            hours=hours_from(MONDAY, hours_count=1),
            temperature_c=np.array([-10.0]),
            solar_share=np.zeros(1),
            wind_share=np.array([wind]),
            noise=drawn,
        )[0]
    )


def test_at_ease_the_price_is_the_level() -> None:
    assert one_price() == pytest.approx(50.0)


def test_cold_climbs_the_convex_side() -> None:
    """20 C below the limit x 0.05 per C = 1 above ease: 50 x (1 + (e - 1)) = 135.91."""
    assert one_price(cold_per_c=0.05, cold_from_c=10.0) == pytest.approx(50.0 * np.e)


def test_wind_descends_the_straight_side() -> None:
    """Half of the wind x 0.8 = 0.4 below ease: 50 x 0.6 = 30."""
    assert one_price(wind=0.5, wind_effect_ratio=0.8) == pytest.approx(30.0)


def test_in_surplus_the_curve_is_flat_and_goes_below_zero() -> None:
    """All of the wind x 1.8: 50 x (1 - 1.8) = -40; flat: 10 + 0.25 x (-40 - 10) = -2.5."""
    assert one_price(wind=1.0, wind_effect_ratio=1.8) == pytest.approx(-2.5)


def test_the_floor_and_the_cap_hold() -> None:
    assert one_price(wind=1.0, wind_effect_ratio=9.0) == -5.0
    assert one_price(cold_per_c=9.0, cold_from_c=10.0) == 1000.0


def test_scarcity_adds_above_its_threshold() -> None:
    """Stress 0.8 x 2.5 + 0.6 x 0 = 2, half above 1.5: 100 x (exp(2 x 0.5) - 1) = 171.83."""
    spike = {
        "spike_threshold_ratio": 1.5,
        "spike_usd_per_mwh": 100.0,
        "spike_growth_ratio": 2.0,
    }
    price = one_price(noise={Channel.STRESS: 2.5}, **spike)
    assert price == pytest.approx(50.0 + 100.0 * (np.e - 1.0))
    assert one_price(noise={Channel.STRESS: 1.8}, **spike) == pytest.approx(50.0)


def test_the_weekend_is_cheaper() -> None:
    """Saturday falls by 0.6, Sunday by 1.0, of 0.2: 50 x .88 = 44 and 50 x .80 = 40."""
    hours = hours_from(MONDAY, hours_count=168)
    week = price_usd_per_mwh(
        PriceClimate(**PLAIN | {"weekend_ratio": 0.2}),
        utc_offset_h=0.0,
        hours=hours,
        temperature_c=np.zeros(168),
        solar_share=np.zeros(168),
        wind_share=np.zeros(168),
        noise=np.zeros((len(Channel), 168)),
    ).reshape(7, 24)
    np.testing.assert_allclose(week.mean(axis=1), [50.0] * 5 + [44.0, 40.0])

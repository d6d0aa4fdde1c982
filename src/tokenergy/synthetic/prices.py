"""Power prices of one zone: a supply curve met by the clock, the season and the weather.

The net load (a ratio, 1 where the zone is at ease) rises with the clock and with heat and cold
and falls with wind and sun. The price is the level of the season times a convex function of it;
below a few USD/MWh the curve is flat, because plants that must run give their energy away or
pay to be rid of it; above a threshold of stress scarcity adds to it, in clusters.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.synthetic.field import Channel
from tokenergy.synthetic.hours import SATURDAY, SUNDAY, Floats, Hours

MORNING_WIDTH_H: Final = 1.6
SATURDAY_SHARE: Final = 0.6
"""Saturday's fall of the net load over Sunday's."""
STRESS_SLOW_RATIO: Final = 0.8
STRESS_FAST_RATIO: Final = 0.6
"""Stress is 0.8 of a process of days and 0.6 of one of hours (squares sum to 1): clusters."""
LARGEST_EXPONENT_RATIO: Final = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceClimate:
    """What the prices of a zone are like; a `_ratio` is of the net load unless told."""

    level_usd_per_mwh: float
    """Price at a net load of 1, before the season and the slow noise."""
    season_ratio: float
    """Amplitude of the season in the logarithm of the level."""
    season_peak_day: int
    day_ratio: float
    day_peak_h: float
    morning_ratio: float
    morning_h: float
    evening_ratio: float
    evening_h: float
    evening_width_h: float
    weekend_ratio: float
    wind_effect_ratio: float
    """Fall of the net load from no wind to all wind."""
    solar_effect_ratio: float
    """Fall of the net load from no sun to all sun."""
    heat_per_c: float
    heat_from_c: float
    cold_per_c: float
    cold_from_c: float
    convexity_ratio: float
    """Curvature c of the supply curve: x below 1, and 1 + (exp(c (x - 1)) - 1) / c above."""
    hourly_noise_ratio: float
    daily_noise_ratio: float
    level_noise_ratio: float
    """Standard deviation of the slow noise in the logarithm of the level."""
    surplus_usd_per_mwh: float
    """Price below which the zone is in surplus."""
    surplus_slope_ratio: float
    """Slope of the supply curve in surplus over its slope above."""
    floor_usd_per_mwh: float
    spike_threshold_ratio: float
    """Stress, in standard deviations, above which a price spikes."""
    spike_load_ratio: float
    """Stress for one unit of net load."""
    spike_usd_per_mwh: float
    spike_growth_ratio: float
    """A spike is `spike_usd_per_mwh` x (exp(growth x excess stress) - 1)."""
    cap_usd_per_mwh: float


def _bump(distance_h: Floats, *, width_h: float) -> Floats:
    """Return a bell of height 1 about hour 0 of a 24-hour circle."""
    around_h = np.mod(distance_h + 12.0, 24.0) - 12.0
    return np.exp(-0.5 * (around_h / width_h) ** 2)


def _clock_load(climate: PriceClimate, *, utc_offset_h: float, hours: Hours) -> Floats:
    """Return the part of the net load that people and their clocks make, [hours]."""
    clock_h = hours.clock_h(utc_offset_h=utc_offset_h)
    weekday = hours.weekday(utc_offset_h=utc_offset_h)
    rest = np.where(weekday == SUNDAY, 1.0, np.where(weekday == SATURDAY, SATURDAY_SHARE, 0.0))
    evening = _bump(clock_h - climate.evening_h, width_h=climate.evening_width_h)
    return (
        climate.day_ratio * np.cos(2.0 * np.pi * (clock_h - climate.day_peak_h) / 24.0)
        + climate.morning_ratio * _bump(clock_h - climate.morning_h, width_h=MORNING_WIDTH_H)
        + climate.evening_ratio * evening
        - climate.weekend_ratio * rest
    )


def _weather_load(
    climate: PriceClimate, *, temperature_c: Floats, solar_share: Floats, wind_share: Floats
) -> Floats:
    """Return the part of the net load that the weather makes, [hours]."""
    return (
        climate.heat_per_c * np.maximum(temperature_c - climate.heat_from_c, 0.0)
        + climate.cold_per_c * np.maximum(climate.cold_from_c - temperature_c, 0.0)
        - climate.wind_effect_ratio * wind_share
        - climate.solar_effect_ratio * solar_share
    )


def _supply(climate: PriceClimate, *, load: Floats, level_usd_per_mwh: Floats) -> Floats:
    """Return the price on the supply curve, flat where the zone is in surplus, [hours]."""
    bend = climate.convexity_ratio
    exponent = np.clip(bend * (load - 1.0), 0.0, LARGEST_EXPONENT_RATIO)
    price = level_usd_per_mwh * (np.minimum(load, 1.0) + np.expm1(exponent) / bend)
    below = price - climate.surplus_usd_per_mwh
    flat = climate.surplus_usd_per_mwh + climate.surplus_slope_ratio * below
    return np.where(below < 0.0, flat, price)


def _scarcity(climate: PriceClimate, *, load: Floats, noise: Floats) -> Floats:
    """Return what scarcity adds to the price, [hours], in USD/MWh: nothing in most hours."""
    stress = (
        STRESS_SLOW_RATIO * noise[Channel.STRESS]
        + STRESS_FAST_RATIO * noise[Channel.JUMP]
        + climate.spike_load_ratio * (load - 1.0)
    )
    excess = np.maximum(stress - climate.spike_threshold_ratio, 0.0)
    exponent = np.minimum(climate.spike_growth_ratio * excess, LARGEST_EXPONENT_RATIO)
    return np.asarray(climate.spike_usd_per_mwh * np.expm1(exponent))


def price_usd_per_mwh(
    climate: PriceClimate,
    *,
    utc_offset_h: float,
    hours: Hours,
    temperature_c: Floats,
    solar_share: Floats,
    wind_share: Floats,
    noise: Floats,
) -> Floats:
    """Return the price, [hours], in USD/MWh; weather is [hours], `noise` [channels, hours]."""
    load = (
        1.0
        + _clock_load(climate, utc_offset_h=utc_offset_h, hours=hours)
        + _weather_load(
            climate, temperature_c=temperature_c, solar_share=solar_share, wind_share=wind_share
        )
        + climate.hourly_noise_ratio * noise[Channel.HOURLY]
        + climate.daily_noise_ratio * noise[Channel.DAILY]
    )
    level_usd_per_mwh = climate.level_usd_per_mwh * np.exp(
        climate.season_ratio * hours.season(peak_day=climate.season_peak_day)
        + climate.level_noise_ratio * noise[Channel.LEVEL]
    )
    price = _supply(climate, load=load, level_usd_per_mwh=level_usd_per_mwh)
    price = price + _scarcity(climate, load=load, noise=noise)
    return np.clip(price, climate.floor_usd_per_mwh, climate.cap_usd_per_mwh)

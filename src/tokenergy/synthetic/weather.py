"""Temperature, sun and wind of one zone, from its climate and the shared random fields."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.synthetic.field import Channel, Place
from tokenergy.synthetic.hours import DAYS_PER_YEAR_DAYS, Floats, Hours

OBLIQUITY_DEG: Final = 23.44
WARMEST_SOLAR_H: Final = 15.0
CLEAR_SKY_RATIO: Final = 1.098
"""Haurwitz (1945): clear-sky irradiance 1.098 kW/m2 x cos z x exp(-0.057 / cos z)."""
CLEAR_SKY_EXTINCTION_RATIO: Final = 0.057
CLOUD_DEPTH_SHARE: Final = 0.75
CLOUD_POWER_RATIO: Final = 3.4
"""Kasten and Czeplak (1980): irradiance falls by 0.75 N^3.4 under a cloud cover N."""
CLOUD_SPREAD_RATIO: Final = 1.6
CLOUD_FROM_WIND_RATIO: Final = 0.35
"""Correlation of the cloud process with the wind process: storms bring both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherClimate:
    """What the weather of a zone is like; amplitudes are half of peak to trough."""

    temperature_mean_c: float
    temperature_season_c: float
    temperature_day_c: float
    temperature_noise_c: float
    """Standard deviation of the weather about the season."""
    warmest_day: int
    """Day of the year, from 0."""
    cloud_median_share: float
    solar_peak_share: float
    """Output of the fleet over its nameplate at 1 kW/m2."""
    wind_median_share: float
    wind_spread_ratio: float
    """Standard deviation of the logit of the wind share."""
    wind_season_ratio: float
    windiest_day: int
    wind_day_ratio: float
    windiest_h: float
    """Local clock of the daily maximum."""


def _logit(share: float) -> float:
    return float(np.log(share / (1.0 - share)))


def _logistic(logit: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-logit))


def sine_of_elevation(hours: Hours, place: Place) -> Floats:
    """Return the sine of the sun's elevation at mid-hour, [hours], -1 to 1.

    Declination of one harmonic and the equation of time in the usual three terms: right to
    about a degree and a minute.
    """
    day = hours.day_of_year_days()
    declination_rad = -np.radians(OBLIQUITY_DEG) * np.cos(
        2.0 * np.pi * (day + 10.0) / DAYS_PER_YEAR_DAYS
    )
    angle_rad = 2.0 * np.pi * (day - 81.0) / DAYS_PER_YEAR_DAYS
    equation_h = (
        9.87 * np.sin(2.0 * angle_rad) - 7.53 * np.cos(angle_rad) - 1.5 * np.sin(angle_rad)
    ) / 60.0
    solar_h = hours.clock_h(utc_offset_h=place.longitude_deg / 15.0) + equation_h
    hour_angle_rad = 2.0 * np.pi * (solar_h - 12.0) / 24.0
    latitude_rad = np.radians(place.latitude_deg)
    return np.asarray(
        np.sin(latitude_rad) * np.sin(declination_rad)
        + np.cos(latitude_rad) * np.cos(declination_rad) * np.cos(hour_angle_rad)
    )


def temperature_c(climate: WeatherClimate, *, place: Place, hours: Hours, noise: Floats) -> Floats:
    """Return the air temperature, [hours], in Celsius; `noise` is [channels, hours]."""
    solar_h = hours.clock_h(utc_offset_h=place.longitude_deg / 15.0)
    day = np.cos(2.0 * np.pi * (solar_h - WARMEST_SOLAR_H) / 24.0)
    return np.asarray(
        climate.temperature_mean_c
        + climate.temperature_season_c * hours.season(peak_day=climate.warmest_day)
        + climate.temperature_day_c * day
        + climate.temperature_noise_c * noise[Channel.TEMPERATURE]
    )


def solar_share(climate: WeatherClimate, *, place: Place, hours: Hours, noise: Floats) -> Floats:
    """Return solar output over nameplate, [hours], 0 to 1 and exactly 0 below the horizon."""
    sine = sine_of_elevation(hours, place)
    risen = np.maximum(sine, 1e-3)
    clear = CLEAR_SKY_RATIO * risen * np.exp(-CLEAR_SKY_EXTINCTION_RATIO / risen)
    own = np.sqrt(1.0 - CLOUD_FROM_WIND_RATIO**2)
    cloud_noise = own * noise[Channel.CLOUD] + CLOUD_FROM_WIND_RATIO * noise[Channel.WIND]
    cover = _logistic(_logit(climate.cloud_median_share) + CLOUD_SPREAD_RATIO * cloud_noise)
    passed = 1.0 - CLOUD_DEPTH_SHARE * cover**CLOUD_POWER_RATIO
    share = np.clip(climate.solar_peak_share * clear * passed, 0.0, 1.0)
    return np.where(sine > 0.0, share, 0.0)


def wind_share(
    climate: WeatherClimate, *, utc_offset_h: float, hours: Hours, noise: Floats
) -> Floats:
    """Return wind output over nameplate, [hours], 0 to 1: a logistic fleet power curve."""
    clock_h = hours.clock_h(utc_offset_h=utc_offset_h)
    return _logistic(
        _logit(climate.wind_median_share)
        + climate.wind_spread_ratio * noise[Channel.WIND]
        + climate.wind_season_ratio * hours.season(peak_day=climate.windiest_day)
        + climate.wind_day_ratio * np.cos(2.0 * np.pi * (clock_h - climate.windiest_h) / 24.0)
    )

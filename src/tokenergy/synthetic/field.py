"""The noise behind every synthetic series: random fields over the globe, hour by hour.

White noise lives at fixed stations spread evenly over the globe, one generator for each
(seed, station, block of hours). A place hears the stations near it, weighted by distance, so
near places hear almost the same and far ones nothing in common; and what a place hears does not
depend on which other places are asked for. In time, each channel is an autoregression of second
order, started anew for every calendar year at a fixed lead before it, so that an hour has the
same value in every window that holds it. At New Year the two chains differ by
exp(-LEAD_HOURS / memory), at most 2 % of a standard deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from tokenergy.errors import InputError
from tokenergy.synthetic.hours import Floats, Hours, split_by_year
from tokenergy.units import EARTH_RADIUS_KM

STATIONS_COUNT: Final = 1024
"""Stations on a Fibonacci lattice: about 700 km from one to the next."""
REACH_KM: Final = 700.0
"""Weight exp(-(d/reach)^2): correlation of two places is exp(-(d/reach)^2 / 2)."""
HEARD_WITHIN_REACH_RATIO: Final = 2.0
BLOCK_HOURS: Final = 720
LEAD_HOURS: Final = 2160


class Channel(IntEnum):
    """One independent random process; the value is its place in the array."""

    WIND = 0
    CLOUD = 1
    TEMPERATURE = 2
    HOURLY = 3
    DAILY = 4
    LEVEL = 5
    STRESS = 6
    JUMP = 7


MEMORY_H: Final = {
    Channel.WIND: (20.0, 2.0),
    Channel.CLOUD: (9.0, 1.0),
    Channel.TEMPERATURE: (72.0, 3.0),
    Channel.HOURLY: (5.0, 0.0),
    Channel.DAILY: (60.0, 3.0),
    Channel.LEVEL: (500.0, 12.0),
    Channel.STRESS: (72.0, 2.0),
    Channel.JUMP: (2.0, 0.0),
}
"""Memory and smoothing of each channel in hours: the two roots of its autoregression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point on the globe."""

    latitude_deg: float
    longitude_deg: float


def _unit_vectors(latitude_deg: Floats, longitude_deg: Floats) -> Floats:
    """Return points of the unit sphere, [points, 3]."""
    latitude_rad, longitude_rad = np.radians(latitude_deg), np.radians(longitude_deg)
    return np.stack(
        [
            np.cos(latitude_rad) * np.cos(longitude_rad),
            np.cos(latitude_rad) * np.sin(longitude_rad),
            np.sin(latitude_rad),
        ],
        axis=-1,
    )


def _stations() -> Floats:
    """Return the stations as unit vectors on a Fibonacci lattice, [stations, 3]."""
    index = np.arange(STATIONS_COUNT)
    golden_deg = 180.0 * (3.0 - np.sqrt(5.0))
    latitude_deg = np.degrees(np.arcsin(1.0 - (2.0 * index + 1.0) / STATIONS_COUNT))
    return _unit_vectors(latitude_deg, np.mod(index * golden_deg, 360.0))


def station_weights(place: Place) -> tuple[tuple[int, float], ...]:
    """Return the stations that a place hears, with weights whose squares sum to 1."""
    here = _unit_vectors(np.array(place.latitude_deg), np.array(place.longitude_deg))
    cosine = np.clip((_stations() * here).sum(axis=1), -1.0, 1.0)
    distance_ratio = EARTH_RADIUS_KM * np.arccos(cosine) / REACH_KM
    heard = np.flatnonzero(distance_ratio < HEARD_WITHIN_REACH_RATIO)
    weights = np.exp(-(distance_ratio[heard] ** 2))
    weights /= np.sqrt(np.sum(weights**2))
    return tuple(zip(heard.tolist(), weights.tolist(), strict=True))


def _station_noise(station: int, *, seed: int, hours: Hours) -> Floats:
    """Return the white noise of one station, [hours, channels]."""
    first_block = hours.first // BLOCK_HOURS
    last_block = (hours.first + hours.count - 1) // BLOCK_HOURS
    blocks = [
        np.random.default_rng([seed, station, block]).standard_normal((BLOCK_HOURS, len(Channel)))
        for block in range(first_block, last_block + 1)
    ]
    offset = hours.first - first_block * BLOCK_HOURS
    return np.concatenate(blocks)[offset : offset + hours.count]


def _innovations(places: Sequence[Place], *, seed: int, hours: Hours) -> Floats:
    """Return unit white noise at each place, [hours, places, channels]."""
    noise: dict[int, Floats] = {}
    heard = np.zeros((hours.count, len(places), len(Channel)))
    for position, place in enumerate(places):
        for station, weight in station_weights(place):
            if station not in noise:
                noise[station] = _station_noise(station, seed=seed, hours=hours)
            heard[:, position] += weight * noise[station]
    return heard


def _roots() -> tuple[Floats, Floats]:
    """Return the two roots of every channel's autoregression, each [channels]."""
    memory_h = np.array([MEMORY_H[channel] for channel in Channel])
    slow = np.exp(-1.0 / memory_h[:, 0])
    fast = np.exp(-1.0 / np.maximum(memory_h[:, 1], 1e-9))
    return slow, fast


def _autoregression(innovations: Floats) -> Floats:
    """Return white noise filtered along its first axis to unit variance, of the same shape.

    x[t] = (r + s) x[t-1] - r s x[t-2] + e[t], with roots r and s of each channel; its variance
    is (1 + r s) / ((1 - r s)(1 - r^2)(1 - s^2)) (Box and Jenkins, AR(2)).
    """
    slow, fast = _roots()
    both = slow * fast
    variance = (1.0 + both) / ((1.0 - both) * (1.0 - slow**2) * (1.0 - fast**2))
    series = innovations / np.sqrt(variance)
    first, second = slow + fast, -both
    series[1] += first * series[0]
    for hour in range(2, len(series)):
        series[hour] += first * series[hour - 1] + second * series[hour - 2]
    return series


def field(places: Sequence[Place], *, seed: int, hours: Hours) -> Floats:
    """Return the random fields at each place, [places, channels, hours], unit variance.

    Raises:
        InputError: if the seed is negative.
    """
    if seed < 0:
        raise InputError(f"the seed of a synthetic series is 0 or more, not {seed}")
    parts = []
    for new_year, part in split_by_year(hours):
        first = new_year - LEAD_HOURS
        chain = Hours(first=first, count=part.first + part.count - first)
        series = _autoregression(_innovations(places, seed=seed, hours=chain))
        parts.append(series[part.first - first :])
    return np.ascontiguousarray(np.moveaxis(np.concatenate(parts), 0, -1))

"""The random fields: unit variance, the stated memory, and likeness that falls with distance."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.synthetic.field import (
    MEMORY_H,
    REACH_KM,
    Channel,
    Place,
    field,
    station_weights,
)
from tokenergy.synthetic.hours import hours_from

KM_PER_DEG = 6371.0 * np.pi / 180.0


def likeness(one: Place, two: Place) -> float:
    """Correlation of two places: the sum of products of their weights."""
    heard = dict(station_weights(one))
    return sum(heard.get(station, 0.0) * weight for station, weight in station_weights(two))


@given(st.floats(-90.0, 90.0), st.floats(-180.0, 180.0))
def test_every_place_hears_stations_with_unit_variance(latitude: float, longitude: float):
    weights = station_weights(Place(latitude_deg=latitude, longitude_deg=longitude))
    assert len(weights) >= 8
    assert sum(weight**2 for _, weight in weights) == pytest.approx(1.0)


@pytest.mark.parametrize("distance_km", [0.0, 200.0, 500.0, 1000.0, 3000.0])
def test_likeness_falls_with_distance(distance_km: float) -> None:
    """exp(-(d/reach)^2 / 2): 1, .96, .77, .36 and 0 at 0, 200, 500, 1000 and 3000 km."""
    expected = np.exp(-0.5 * (distance_km / REACH_KM) ** 2)
    for latitude, longitude in ((0.0, 0.0), (51.0, 10.0), (-33.0, 150.0), (40.0, -75.0)):
        one = Place(latitude_deg=latitude, longitude_deg=longitude)
        step_deg = distance_km / KM_PER_DEG
        two = Place(latitude_deg=latitude - step_deg, longitude_deg=longitude)
        assert likeness(one, two) == pytest.approx(expected, abs=0.12)


def test_variance_and_memory_are_as_stated() -> None:
    """A day later a first-order channel of memory m keeps exp(-24/m) of itself."""
    places = [
        Place(latitude_deg=latitude, longitude_deg=longitude)
        for latitude in (-60.0, -30.0, 0.0, 30.0, 60.0)
        for longitude in range(-180, 180, 45)
    ]
    hours = hours_from(datetime(2023, 3, 1, tzinfo=UTC), hours_count=2000)
    series = field(places, seed=5, hours=hours)
    assert series.shape == (40, len(Channel), 2000)
    for channel in Channel:
        values = series[:, channel]
        assert np.mean(values) == pytest.approx(0.0, abs=0.2)
        assert np.mean(values**2) == pytest.approx(1.0, abs=0.15)
    for channel in (Channel.HOURLY, Channel.JUMP):
        memory_h, _ = MEMORY_H[channel]
        values = series[:, channel]
        kept = np.mean(values[:, 2:] * values[:, :-2]) / np.mean(values**2)
        assert kept == pytest.approx(np.exp(-2.0 / memory_h), abs=0.03)


def test_new_year_is_no_break() -> None:
    """The slowest channel steps over New Year no further than over any other hour."""
    hours = hours_from(datetime(2022, 12, 1, tzinfo=UTC), hours_count=1500)
    series = field([Place(latitude_deg=51.0, longitude_deg=10.0)], seed=5, hours=hours)[0]
    steps = np.abs(np.diff(series, axis=1))
    for channel in Channel:
        assert steps[channel, 743] <= 1.5 * steps[channel].max()
    assert steps[Channel.LEVEL, 743] < 0.1

"""The sun against the almanac, and wind and warmth at their stated hours and days."""

from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.files.synthetic_zones import load_zones
from tokenergy.synthetic.field import Channel, Place
from tokenergy.synthetic.hours import hours_from
from tokenergy.synthetic.weather import (
    sine_of_elevation,
    solar_share,
    temperature_c,
    wind_share,
)

YEAR = hours_from(datetime(2023, 1, 1, tzinfo=UTC), hours_count=8760)
STILL = np.zeros((len(Channel), 8760))
GREENWICH = Place(latitude_deg=51.48, longitude_deg=0.0)


@pytest.mark.parametrize(
    ("month", "day", "highest_deg"),
    [(3, 20, 38.5), (6, 21, 62.0), (9, 23, 38.5), (12, 21, 15.1)],
)
def test_the_noon_sun_of_greenwich(month: int, day: int, highest_deg: float) -> None:
    """90 - 51.48 + declination (0, 23.44, 0, -23.44), within 1.5 degrees at mid-hour."""
    hours = hours_from(datetime(2023, month, day, tzinfo=UTC), hours_count=24)
    elevation_deg = np.degrees(np.arcsin(sine_of_elevation(hours, GREENWICH)))
    assert elevation_deg.max() == pytest.approx(highest_deg, abs=1.5)
    assert int(np.argmax(elevation_deg)) in (11, 12)


def test_the_sun_of_the_south_and_of_the_east() -> None:
    """At 150 degrees east noon is at 02 UTC, and December is summer."""
    sydney = Place(latitude_deg=-33.9, longitude_deg=150.0)
    hours = hours_from(datetime(2023, 12, 21, tzinfo=UTC), hours_count=24)
    elevation_deg = np.degrees(np.arcsin(sine_of_elevation(hours, sydney)))
    assert int(np.argmax(elevation_deg)) in (1, 2)
    assert elevation_deg.max() == pytest.approx(90.0 - 33.9 + 23.44, abs=3.0)


def test_days_are_long_in_summer() -> None:
    sine = sine_of_elevation(YEAR, GREENWICH).reshape(365, 24)
    daylight_h = (sine > 0.0).sum(axis=1)
    assert daylight_h[171] in (16, 17)
    assert daylight_h[354] in (7, 8)


def test_cloud_takes_light_away() -> None:
    zone = load_zones()["spain"]
    cloudy = STILL.copy()
    cloudy[Channel.CLOUD] = 2.0
    clear = solar_share(zone.weather, place=zone.place, hours=YEAR, noise=STILL)
    dull = solar_share(zone.weather, place=zone.place, hours=YEAR, noise=cloudy)
    assert (dull[clear > 0.0] < clear[clear > 0.0]).all()
    assert clear.max() < 1.0


def test_without_noise_the_weather_keeps_its_calendar() -> None:
    zone = load_zones()["texas"]
    air_c = temperature_c(zone.weather, place=zone.place, hours=YEAR, noise=STILL)
    assert air_c.mean() == pytest.approx(zone.weather.temperature_mean_c, abs=0.1)
    assert int(np.argmax(air_c)) // 24 == pytest.approx(zone.weather.warmest_day, abs=1)
    reach_c = zone.weather.temperature_season_c + zone.weather.temperature_day_c
    assert air_c.max() - air_c.mean() == pytest.approx(reach_c, abs=0.3)
    wind = wind_share(zone.weather, utc_offset_h=zone.utc_offset_h, hours=YEAR, noise=STILL)
    assert int(np.argmax(wind)) // 24 == pytest.approx(zone.weather.windiest_day, abs=1)

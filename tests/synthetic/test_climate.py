"""A climate is the same whichever window, and whichever company of zones, it is asked in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.files.synthetic_zones import load_zones
from tokenergy.synthetic.climate import Climate, climate
from tokenergy.synthetic.hours import hours_from
from tokenergy.synthetic.weather import sine_of_elevation

ZONES = tuple(load_zones().values())
SERIES = ("price_usd_per_mwh", "wind_share", "solar_share", "temperature_c")
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
YEAR_HOURS = 8760
ULPS_RELATIVE = 1e-12
"""Equal but for what a vector unit may round differently at the end of an array."""


@pytest.fixture(scope="module")
def year() -> Climate:
    return climate(ZONES, start=datetime(2023, 1, 1, tzinfo=UTC), hours_count=8760, seed=7)


def assert_equal(left: np.ndarray, right: np.ndarray) -> None:
    np.testing.assert_allclose(left, right, rtol=ULPS_RELATIVE, atol=1e-9)


def test_the_same_question_has_the_same_answer() -> None:
    first, second = (climate(ZONES, start=NEW_YEAR, hours_count=100, seed=3) for _ in range(2))
    for name in SERIES:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@settings(max_examples=15)
@given(
    back_count=st.integers(0, 3000),
    more_count=st.integers(0, 2000),
    seed=st.integers(0, 2**63),
    zone=st.sampled_from(ZONES),
)
def test_a_wider_window_changes_nothing_in_the_narrow_one(
    back_count: int, more_count: int, seed: int, zone
) -> None:
    """The narrow window lies across New Year, where the chains of noise are started anew."""
    start = NEW_YEAR - timedelta(hours=24)
    narrow = climate([zone], start=start, hours_count=72, seed=seed)
    wide = climate(
        [zone],
        start=start - timedelta(hours=back_count),
        hours_count=back_count + 72 + more_count,
        seed=seed,
    )
    for name in SERIES:
        within = getattr(wide, name)[:, back_count : back_count + 72]
        assert_equal(within, getattr(narrow, name))


@settings(max_examples=15)
@given(
    names=st.lists(st.sampled_from([zone.name for zone in ZONES]), min_size=1, unique=True),
    seed=st.integers(0, 1000),
)
def test_a_zone_does_not_depend_on_its_company(names: list[str], seed: int) -> None:
    zones = [load_zones()[name] for name in names]
    together = climate(zones, start=NEW_YEAR, hours_count=60, seed=seed)
    alone = climate(zones[-1:], start=NEW_YEAR, hours_count=60, seed=seed)
    for name in SERIES:
        assert_equal(getattr(together, name)[-1], getattr(alone, name)[0])


def test_another_seed_is_another_world(year: Climate) -> None:
    other = climate(ZONES, start=year.start, hours_count=8760, seed=8)
    for position in range(len(ZONES)):
        for name in ("price_usd_per_mwh", "wind_share"):
            one, two = getattr(year, name)[position], getattr(other, name)[position]
            assert np.mean(one != two) > 0.9


def test_every_value_is_possible(year: Climate) -> None:
    for name in SERIES:
        series = getattr(year, name)
        assert series.shape == (len(ZONES), YEAR_HOURS)
        assert np.isfinite(series).all()
        assert not series.flags.writeable
    for series in (year.wind_share, year.solar_share):
        assert series.min() >= 0.0
        assert series.max() <= 1.0
    for zone, price in zip(ZONES, year.price_usd_per_mwh, strict=True):
        assert price.min() >= zone.prices.floor_usd_per_mwh
        assert price.max() <= zone.prices.cap_usd_per_mwh


def test_the_sun_is_down_at_night(year: Climate) -> None:
    hours = hours_from(year.start, hours_count=YEAR_HOURS)
    for zone, solar in zip(ZONES, year.solar_share, strict=True):
        night = sine_of_elevation(hours, zone.place) <= 0.0
        assert 0.45 < night.mean() < 0.52
        assert (solar[night] == 0.0).all()
        assert (solar[~night] > 0.0).all()


def test_neighbours_share_weather_and_strangers_do_not(year: Climate) -> None:
    def correlation(series: np.ndarray, one: str, two: str) -> float:
        left, right = year.zones.index(one), year.zones.index(two)
        return float(np.corrcoef(series[left], series[right])[0, 1])

    for series in (year.wind_share, year.price_usd_per_mwh):
        near = correlation(series, "germany", "netherlands")
        middling = correlation(series, "germany", "spain")
        assert near > 0.6
        assert near > middling + 0.2
    far = correlation(year.wind_share, "germany", "new-south-wales")
    assert abs(far) < 0.2


def test_wind_and_sun_lower_prices_and_winter_is_cold(year: Climate) -> None:
    hours = hours_from(year.start, hours_count=YEAR_HOURS)
    for name in ("germany", "netherlands", "spain"):
        position = year.zones.index(name)
        price = year.price_usd_per_mwh[position]
        noon = hours.index % 24 == 11
        wind, sun = year.wind_share[position], year.solar_share[position]
        assert np.corrcoef(price, wind)[0, 1] < -0.15
        assert np.corrcoef(price[noon], sun[noon])[0, 1] < -0.1
    january, july = slice(0, 744), slice(4344, 5088)
    for zone, air_c in zip(ZONES, year.temperature_c, strict=True):
        if abs(zone.latitude_deg) > 20.0:
            northern = air_c[july].mean() > air_c[january].mean()
            assert northern == (zone.latitude_deg > 0.0)


def test_scarcity_comes_in_clusters(year: Climate) -> None:
    """An hour above the 99th percentile is followed by another far more often than 1 in 100."""
    for name in ("texas", "singapore", "new-south-wales"):
        price = year.price_usd_per_mwh[year.zones.index(name)]
        spike = price > np.percentile(price, 99.0)
        assert np.mean(spike[1:][spike[:-1]]) > 0.3
        assert np.mean(price) > np.median(price)


def test_it_says_that_it_is_synthetic(year: Climate) -> None:
    assert year.label == "synthetic (seed 7)"
    assert year.hours_count == YEAR_HOURS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": datetime(2024, 1, 1)}, "starts in UTC"),
        ({"start": datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, "starts in UTC"),
        ({"start": datetime(2024, 1, 1, 0, 30, tzinfo=UTC)}, "on the hour"),
        ({"hours_count": 0}, "1 hour or more, not 0"),
        ({"seed": -1}, "0 or more, not -1"),
        ({"zones": ()}, "one zone or more"),
        ({"zones": (ZONES[0], ZONES[0])}, "each zone once"),
    ],
)
def test_what_cannot_be_made_is_refused(change: dict, message: str) -> None:
    asked = {"zones": ZONES[:1], "start": NEW_YEAR, "hours_count": 24, "seed": 0} | change
    with pytest.raises(InputError, match=message):
        climate(asked.pop("zones"), **asked)


def test_a_zone_of_ones_own() -> None:
    """A zone with no noise, no clock and no weather has one price all year: its level."""
    quiet = load_zones()["germany"]
    still = {
        name: 0.0
        for name in quiet.prices.__dataclass_fields__
        if name.endswith(("_ratio", "_per_c"))
    }
    prices = replace(
        quiet.prices,
        **still | {"convexity_ratio": 1.0, "spike_threshold_ratio": 99.0},
        level_usd_per_mwh=80.0,
    )
    flat = climate([replace(quiet, prices=prices)], start=NEW_YEAR, hours_count=48, seed=1)
    np.testing.assert_allclose(flat.price_usd_per_mwh, 80.0)

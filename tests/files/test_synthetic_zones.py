"""The shipped zones: enough of them, far enough apart, each with its provenance."""

import math
from dataclasses import fields
from datetime import date

import pytest

from tokenergy.files.synthetic_zones import load_zones

NAMES = (
    "texas",
    "california",
    "virginia",
    "new-york",
    "ontario",
    "germany",
    "netherlands",
    "spain",
    "japan-tokyo",
    "singapore",
    "new-south-wales",
    "norway-like",
)


def test_the_zones_are_these() -> None:
    assert tuple(load_zones()) == NAMES
    assert load_zones() is load_zones()


@pytest.mark.parametrize("name", NAMES)
def test_a_zone_says_whence_it_comes(name: str) -> None:
    zone = load_zones()[name]
    assert zone.name == name
    assert zone.source_kind == "synthetic"
    assert zone.source.startswith("own parameters")
    if zone.currency not in ("USD", "NOK"):
        assert f"{zone.currency} at " in zone.source
    date.fromisoformat(zone.retrieved_on)


@pytest.mark.parametrize("name", NAMES)
def test_a_zone_is_plausible(name: str) -> None:
    zone = load_zones()[name]
    for part in (zone.weather, zone.prices):
        for field in fields(part):
            assert math.isfinite(getattr(part, field.name)), field.name
    assert -90.0 <= zone.latitude_deg <= 90.0
    # political clocks run up to two hours ahead of the sun (Spain in summer)
    assert abs(zone.utc_offset_h - zone.longitude_deg / 15.0) < 2.0
    assert zone.prices.floor_usd_per_mwh <= 0.1 < zone.prices.cap_usd_per_mwh
    for ratio in (zone.weather.wind_median_share, zone.weather.cloud_median_share):
        assert 0.0 < ratio < 1.0
    assert zone.prices.convexity_ratio > 0.0
    assert zone.prices.wind_effect_ratio > 0.0
    assert zone.prices.solar_effect_ratio > 0.0

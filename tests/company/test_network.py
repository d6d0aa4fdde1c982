"""Distances on the globe and round trips, by hand and by measurement."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.network import EARTH_RADIUS_KM, distance_km, rtt_ms
from tokenergy.company.site import Market, Network, Region, Rtt, Site

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)


def region(latitude_deg: float, longitude_deg: float) -> Region:
    return Region(name="home", latitude_deg=latitude_deg, longitude_deg=longitude_deg)


def site(latitude_deg: float, longitude_deg: float) -> Site:
    return Site(
        name="there",
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        market=Market(zone="Z", time_zone="UTC", price=50.0),
        import_limit_mw=10.0,
        pue=1.2,
    )


def test_a_quarter_of_the_globe() -> None:
    """From the equator to the pole: pi / 2 x 6371 km = 10,007.5 km."""
    assert distance_km(region(0, 0), site(90, 0)) == pytest.approx(math.pi / 2 * 6371)
    assert distance_km(region(0, 0), site(0, 90)) == pytest.approx(math.pi / 2 * 6371)


def test_round_the_back_of_the_globe() -> None:
    """One degree on either side of the date line is two degrees: 2 / 360 of the equator."""
    expected_km = 2.0 * math.pi * EARTH_RADIUS_KM * 2.0 / 360.0
    assert distance_km(region(0, 179), site(0, -179)) == pytest.approx(expected_km)


def test_paris_to_texas() -> None:
    """A published great circle from Paris to Dallas is about 7,900 km."""
    assert distance_km(region(48.9, 2.4), site(32.8, -96.8)) == pytest.approx(7_950, rel=0.01)


def test_the_formula_and_the_table() -> None:
    """10,007.5 km: 5 + 1.4 x 100.075 = 145.1 ms; a measured pair wins."""
    home, there = region(0, 0), site(0, 90)
    assert rtt_ms(Network(), home, there) == pytest.approx(145.105, abs=1e-3)
    measured = Network(
        rtt=(
            Rtt(region="home", site="other", rtt_ms=1),
            Rtt(region="home", site="there", rtt_ms=220),
        )
    )
    assert rtt_ms(measured, home, there) == 220


@given(a=LATITUDES, b=LONGITUDES, c=LATITUDES, d=LONGITUDES)
def test_no_distance_exceeds_half_the_globe(a: float, b: float, c: float, d: float) -> None:
    there = distance_km(region(a, b), site(c, d))
    back = distance_km(region(c, d), site(a, b))
    assert 0.0 <= there <= math.pi * EARTH_RADIUS_KM + 1e-6
    assert there == pytest.approx(back, abs=1e-6)

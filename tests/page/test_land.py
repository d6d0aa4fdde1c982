"""The mask of land, held against places that everybody knows and against the size of the land."""

import math

import pytest

from tokenergy.page.land import CELL_DEG, MASK, NORTH_DEG, SOUTH_DEG, is_land, land_runs

LAND = {
    "Paris": (48.9, 2.3),
    "Dallas": (32.8, -96.8),
    "the Sahara": (23.0, 10.0),
    "Ulaanbaatar": (47.9, 106.9),
    "Alice Springs": (-23.7, 133.9),
    "Brasilia": (-15.8, -47.9),
    "Chukotka, beyond the date line": (65.5, -178.0),
}
SEA = {
    "the North Atlantic": (35.0, -45.0),
    "the Pacific": (0.0, -150.0),
    "the Indian Ocean": (-30.0, 80.0),
    "the Caspian, a hole in the land": (41.0, 51.0),
    "south of the mask": (-80.0, 0.0),
    "north of the mask": (89.0, 0.0),
}
LAND_SHARE = (148.9 - 14.2) / 510.1
"""Land without Antarctica over the surface of the Earth, in millions of square kilometres."""


@pytest.mark.parametrize("place", LAND)
def test_what_is_land_is_land(place: str) -> None:
    assert is_land(*LAND[place])


@pytest.mark.parametrize("place", SEA)
def test_what_is_sea_is_not(place: str) -> None:
    assert not is_land(*SEA[place])


def test_the_land_is_as_large_as_it_is() -> None:
    """A cell between two parallels has the area (sin north - sin south) x its width / 4 pi."""
    area = 0.0
    for run in land_runs():
        north, south = (
            math.sin(math.radians(run.latitude_deg + side * CELL_DEG / 2)) for side in (1, -1)
        )
        width_rad = math.radians(run.east_deg - run.west_deg + CELL_DEG)
        area += (north - south) * width_rad / (4 * math.pi)
    assert area == pytest.approx(LAND_SHARE, abs=0.01)  # outlines this coarse leave out islands


def test_the_runs_are_the_mask() -> None:
    rows_count = round((NORTH_DEG - SOUTH_DEG) / CELL_DEG)
    assert len(MASK) == rows_count
    assert {len(row) * 4 for row in MASK} == {round(360.0 / CELL_DEG)}
    cells = sum(round((run.east_deg - run.west_deg) / CELL_DEG) + 1 for run in land_runs())
    assert cells == sum(int(row, 16).bit_count() for row in MASK)
    assert all(is_land(run.latitude_deg, run.west_deg) for run in land_runs())
    inner = [run for run in land_runs() if run.west_deg > -180.0 + CELL_DEG]
    assert not any(is_land(run.latitude_deg, run.west_deg - CELL_DEG) for run in inner)

"""Synthetic prices beside the real ones of 2023: they differ hour by hour and agree in sum.

Every figure is a mean over worlds of other seeds than the parameters were tuned on. Real series
are in local currency (see the data folder's README); the rates below are about the means of
2023, and are those of the `source` column of synthetic_zones.csv.
"""

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tokenergy.files.synthetic_zones import load_zones
from tokenergy.synthetic.climate import Climate, climate

COLUMN = {
    "texas": "US-TEX-ERCO",
    "california": "US-CAL-CISO",
    "virginia": "US-MIDA-PJM",
    "new-york": "US-NY-NYIS",
    "ontario": "CA-ON",
    "germany": "DE-LU",
    "netherlands": "NL",
    "spain": "ES",
    "japan-tokyo": "JP-TK",
    "singapore": "SG",
    "new-south-wales": "AU-NSW",
}
USD_PER_UNIT = {
    "CA-ON": 0.741,
    "DE-LU": 1.08,
    "NL": 1.08,
    "ES": 1.08,
    "JP-TK": 1.0 / 140.0,
    "SG": 0.745,
    "AU-NSW": 0.66,
}
SEEDS = tuple(range(1, 17))
YEAR_HOURS = 8760

MEAN_TOLERANCE = 0.15
DEVIATION_TOLERANCE = 0.35
NEGATIVE_TOLERANCE_POINTS = 0.02
NEGATIVE_TOLERANCE = 0.50
HIGH_PERCENTILE_TOLERANCE = 0.35
DAY_CORRELATION_LEAST = 0.80
DAY_ERROR_MOST = 0.20
"""Root mean square of the difference of the daily profiles over the real mean price."""
DAY_ERROR_MOST_WHERE_SPIKES_MAKE_THE_DAY = 0.40
"""Where a few evenings of scarcity carry the mean, one real year's profile is itself noise."""
SPIKY = frozenset({"texas", "singapore", "new-south-wales"})

Series = dict[str, np.ndarray]


def read_series(path: Path) -> Series:
    """Return the columns of a gzipped CSV by name; an empty cell is NaN."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        names = next(rows)[1:]
        cells = [[float(cell) if cell else np.nan for cell in row[1:]] for row in rows]
    return dict(zip(names, np.array(cells).T, strict=True))


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Series:
    series = read_series(shared_data / "prices_2023.csv.gz")
    return {zone: series[column] * USD_PER_UNIT.get(column, 1.0) for zone, column in COLUMN.items()}


@pytest.fixture(scope="module")
def worlds() -> list[Climate]:
    zones = [load_zones()[name] for name in COLUMN]
    start = datetime(2023, 1, 1, tzinfo=UTC)
    return [climate(zones, start=start, hours_count=YEAR_HOURS, seed=seed) for seed in SEEDS]


def prices_of(worlds: list[Climate], zone: str) -> np.ndarray:
    """Return the prices of one zone, [worlds, hours], in USD/MWh."""
    return np.array([world.price_usd_per_mwh[world.zones.index(zone)] for world in worlds])


def day_profile(price: np.ndarray) -> np.ndarray:
    """Return the mean price of each UTC hour of the day, [24]."""
    return np.nanmean(price.reshape(-1, 24), axis=0)


@pytest.mark.parametrize("zone", COLUMN)
def test_level_and_spread(real: Series, worlds: list[Climate], zone: str) -> None:
    made, seen = prices_of(worlds, zone), real[zone]
    assert made.mean() == pytest.approx(np.nanmean(seen), rel=MEAN_TOLERANCE)
    deviation = made.std(axis=1).mean()
    assert deviation == pytest.approx(np.nanstd(seen), rel=DEVIATION_TOLERANCE)


@pytest.mark.parametrize("zone", COLUMN)
def test_both_tails(real: Series, worlds: list[Climate], zone: str) -> None:
    made, seen = prices_of(worlds, zone), real[zone]
    negative_share = np.mean(seen[np.isfinite(seen)] < 0.0)
    assert np.mean(made < 0.0) == pytest.approx(
        negative_share, rel=NEGATIVE_TOLERANCE, abs=NEGATIVE_TOLERANCE_POINTS
    )
    high = np.percentile(made, 99.0, axis=1).mean()
    assert high == pytest.approx(np.nanpercentile(seen, 99.0), rel=HIGH_PERCENTILE_TOLERANCE)


@pytest.mark.parametrize("zone", COLUMN)
def test_the_shape_of_the_day(real: Series, worlds: list[Climate], zone: str) -> None:
    made, seen = day_profile(prices_of(worlds, zone)), day_profile(real[zone])
    assert np.corrcoef(made, seen)[0, 1] >= DAY_CORRELATION_LEAST
    error = np.sqrt(np.mean((made - seen) ** 2)) / np.nanmean(real[zone])
    spiky = zone in SPIKY
    assert error <= (DAY_ERROR_MOST_WHERE_SPIKES_MAKE_THE_DAY if spiky else DAY_ERROR_MOST)


@pytest.mark.parametrize("zone", ["germany", "california"])
def test_negative_hours_come_where_the_market_has_them(
    real: Series, worlds: list[Climate], zone: str
) -> None:
    """A tolerance of two points would let a zone have none: these must have some."""
    made = np.mean(prices_of(worlds, zone) < 0.0)
    assert made > 0.3 * np.mean(real[zone] < 0.0)


def ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)


@pytest.mark.parametrize(
    ("zone", "column", "authority", "hour_end"),
    [("texas", "US-TEX-ERCO", "ERCO", True), ("california", "US-CAL-CISO", "CISO", False)],
)
def test_wind_and_sun_pull_prices_the_way_they_did(
    shared_data: Path,
    worlds: list[Climate],
    zone: str,
    column: str,
    authority: str,
    hour_end: bool,
) -> None:
    """Rank correlations of 2022 and ours have one sign.

    Wind lowers the price in both. The sun goes with low prices in California and with high
    ones in Texas, whose prices peak on hot afternoons. ERCOT's stamps end the hour.
    """
    price = read_series(shared_data / "prices_2022.csv.gz")[column]
    generation = read_series(shared_data / "us_generation_2022.csv.gz")
    fuels = [generation[f"{authority}.{fuel}_mw"] for fuel in ("wind", "solar", "total")]
    if hour_end:
        price, fuels = price[:-1], [fuel[1:] for fuel in fuels]
    wind, solar, total = fuels
    known = (total > 0.0) & np.isfinite(price) & np.isfinite(wind) & np.isfinite(solar)
    for name, fuel in (("wind_share", wind), ("solar_share", solar)):
        seen = np.corrcoef(ranks(price[known]), ranks(fuel[known]))[0, 1]
        made = np.mean(
            [
                np.corrcoef(
                    ranks(world.price_usd_per_mwh[world.zones.index(zone)]),
                    ranks(getattr(world, name)[world.zones.index(zone)]),
                )[0, 1]
                for world in worlds
            ]
        )
        assert np.sign(made) == np.sign(seen), (name, made, seen)
        assert abs(made) > 0.02

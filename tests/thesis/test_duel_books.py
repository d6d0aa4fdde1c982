"""The companies of the duel stand on the bases of the sourced ranges, and on the given prices."""

from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_ranges
from tokenergy.thesis.duel_books import (
    DELAY_MONTHS,
    OWN_USD_PER_MWH,
    book_world,
    book_zone,
    grid_queue,
    own_power,
)
from tokenergy.thesis.duel_month import users_ratio
from tokenergy.thesis.inputs import HourlyPrices

CATALOGUE = load_catalogue()


def prices_of(hours=72, **zones) -> HourlyPrices:
    return HourlyPrices(
        start=datetime(2025, 1, 1, tzinfo=UTC),
        usd_per_mwh={zone: np.asarray(row, float) for zone, row in zones.items()}
        or {"texas": np.arange(float(hours))},
        source="by hand",
        synthetic=True,
    )


def test_what_has_a_range_is_its_base() -> None:
    base = {name: held.base_quantity for name, held in load_ranges().items()}
    company = grid_queue()
    owned, site = company.fleets[0].owned, company.sites[0]
    assert owned is not None
    assert base["own_usd_per_mwh"] == OWN_USD_PER_MWH
    assert base["mw_delay_months"] == DELAY_MONTHS
    assert owned.usd_per_gpu == base["usd_per_gpu"]
    assert owned.life_y == base["gpu_life_y"]
    assert owned.ops_share_per_year == base["ops_share_per_year"]
    assert site.facility_usd_per_kw == base["facility_usd_per_kw"]
    assert site.facility_life_y == base["facility_life_y"]
    assert site.pue == base["pue"]
    assert company.money.wacc_share == base["wacc_share"]
    assert company.tiers[0].price_usd_per_mtok == base["token_price_usd_per_mtok"]
    assert company.growth is not None
    assert company.growth.logistic is not None
    rate = company.growth.logistic.rate_share_per_year
    assert np.expm1(rate) == pytest.approx(base["demand_growth_share_per_year"], rel=1e-3)


def test_the_plant_is_large_enough_for_the_end_of_the_path() -> None:
    """10.97 MW today x 6.56 users: 71.9 MW of its 80."""
    growth = own_power().growth
    assert growth is not None
    assert users_ratio(growth, 60.0) == pytest.approx(6.56, abs=0.01)


def test_a_world_has_the_prices_of_its_zone_on_whole_days() -> None:
    world = book_world(grid_queue(), CATALOGUE, prices_of(hours=80))
    assert world.count == 72
    assert world.spot_usd_per_mwh[0].tolist() == list(range(72))
    assert world.arrivals_mtok[0].tolist() == [pytest.approx(38_880.0)] * 72
    assert world.inputs.synthetic == ("texas",)


def test_zones_are_chosen_by_name_else_the_first() -> None:
    flat = np.ones(24)
    assert book_zone(prices_of(**{"b": flat, "texas": flat})) == "texas"
    assert book_zone(prices_of(**{"texas": flat, "US-TEX-ERCO": flat})) == "US-TEX-ERCO"
    assert book_zone(prices_of(**{"b": flat, "a": flat})) == "b"


def test_demand_that_swings_keeps_its_mean_and_has_the_connection_for_its_peak() -> None:
    """A whole week of synthetic demand: mean 1."""
    prices = prices_of(texas=np.full(168, 30.0))
    level, swings = (book_world(own_power(), CATALOGUE, prices, swings=on) for on in (False, True))
    assert swings.arrivals_mtok.mean() == pytest.approx(level.arrivals_mtok.mean(), rel=1e-6)
    peak = swings.arrivals_mtok.max() / level.arrivals_mtok.mean()
    assert 1.2 < peak < 1.5
    assert swings.import_limit_mw.max() == pytest.approx(12.0 * peak, rel=1e-6)


def test_less_than_a_day_of_prices_is_refused() -> None:
    with pytest.raises(InputError, match="needs a day of prices, 20 h"):
        book_world(own_power(), CATALOGUE, prices_of(hours=20))

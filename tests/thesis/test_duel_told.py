"""What a duel says follows from its figures, also where megawatts do not decide."""

from typing import Any

import numpy as np
import pytest
from thesis.duelling import MONTH_H, grid, plant

from tokenergy.thesis.duel import duel
from tokenergy.thesis.duel_draws import unit_costs
from tokenergy.thesis.duel_told import (
    cheapest_grid_usd_per_mwh,
    duel_says,
    swing_figures,
    unused_plant_usd,
)

DRAWS = {
    "cost_every_month_share": 0.25,
    "stated_total_share": 0.75,
    "megawatts_decide_share": 0.5,
}


def says(**said: Any) -> str:
    fought = duel(plant(**said), grid(lead=2.0), delays_months=())
    return duel_says(fought, unit_costs(fought.path), DRAWS, fought.path, unused_usd=3e6)


def test_the_lever_that_decides_is_named_first() -> None:
    """Megawatts are worth 1,390 USD/h by hand; at a strike of -300 the kWh are worth 7,000."""
    assert says().startswith("The power book decides by its megawatts")
    assert says(strike=-300.0).startswith("The power book decides by its price of a kWh")


def test_the_months_without_a_gap_are_counted() -> None:
    assert "not above 0 in 0 of them" in says()
    assert "not above 0 in 2 of them" in says(strike=70.0)


def test_where_the_moat_stands_no_month_is_told() -> None:
    assert "the moat stands at the end of the path" in says()


def test_the_cheapest_month_of_the_grid_is_the_strike_at_which_the_claim_turns() -> None:
    """50 USD/MWh throughout: a plant at 49 is ahead in every month, one at 51 in none."""
    below, above = (
        duel(plant(strike=strike), grid(lead=2.0), delays_months=()).path for strike in (49.0, 51.0)
    )
    assert cheapest_grid_usd_per_mwh(below) == pytest.approx(50.0)
    assert below.least_usd("cost") > 0.0 > above.least_usd("cost")
    assert "a plant below 50.0 would be cheaper in each" in says(strike=51.0)
    now = duel(plant(), grid(), delays_months=()).path
    assert cheapest_grid_usd_per_mwh(now) is None


def test_a_plant_that_is_not_used_by_hand() -> None:
    """30 MW at 30 USD/MWh, of which 10 and 20 are used: 600 + 300 USD/h while the rival waits."""
    path = duel(plant(), grid(lead=2.0), delays_months=()).path
    unused = unused_plant_usd(path, plant_mw=30.0, strike_usd_per_mwh=30.0)
    assert unused == pytest.approx(900 * MONTH_H)
    assert unused_plant_usd(path, plant_mw=5.0, strike_usd_per_mwh=30.0) == 0.0
    assert "it would be 3.0 M$ less" in says()


def test_swings_tell_both_costs_of_the_last_month_of_waiting() -> None:
    turns = np.tile([50.0, 150.0], 24)
    path = duel(
        plant(strike=50.0, arrivals=turns), grid(arrivals=turns, lead=1.0), delays_months=()
    ).path
    figures = swing_figures(path)
    assert figures["waiting_rival_usd_per_mtok"] < figures["waiting_own_usd_per_mtok"]
    assert figures["waiting_own_usd_per_mtok"] == path.months[0].own.full_usd_per_mtok

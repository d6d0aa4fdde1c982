"""What a duel says follows from its figures, also where megawatts do not decide."""

from typing import Any

import numpy as np
from thesis.duelling import grid, plant

from tokenergy.files.presets import load_ranges
from tokenergy.thesis.duel import duel
from tokenergy.thesis.duel_draws import DRAWN, unit_costs
from tokenergy.thesis.duel_told import duel_says, swing_figures, unverified

DRAWS = {
    "cost_every_month_share": 0.25,
    "stated_total_share": 0.75,
    "megawatts_decide_share": 0.5,
}


def says(**said: Any) -> str:
    fought = duel(plant(**said), grid(lead=2.0), delays_months=())
    return duel_says(fought, unit_costs(fought.path), DRAWS, fought.path)


def test_the_lever_that_decides_is_named_first() -> None:
    """Megawatts are worth 1,390 USD/h by hand; at a strike of -300 the kWh are worth 7,000."""
    assert says().startswith("The power book decides by its megawatts")
    assert says(strike=-300.0).startswith("The power book decides by its price of a kWh")


def test_the_months_without_a_gap_are_counted() -> None:
    assert "not above 0 in 0 of them" in says()
    assert "not above 0 in 2 of them" in says(strike=70.0)


def test_where_the_moat_stands_no_month_is_told() -> None:
    assert "the moat stands at the end of the path" in says()


def test_swings_tell_both_costs_of_the_last_month_of_waiting() -> None:
    turns = np.tile([50.0, 150.0], 24)
    path = duel(
        plant(strike=50.0, arrivals=turns), grid(arrivals=turns, lead=1.0), delays_months=()
    ).path
    figures = swing_figures(path)
    assert figures["waiting_rival_usd_per_mtok"] < figures["waiting_own_usd_per_mtok"]
    assert figures["waiting_own_usd_per_mtok"] == path.months[0].own.full_usd_per_mtok


def test_ranges_that_nobody_verified_are_named() -> None:
    found = unverified(load_ranges(), DRAWN)
    assert found[0]["code"] == "PRESET_UNVERIFIED"
    assert "own_usd_per_mwh" in found[0]["value"]
    assert unverified(load_ranges(), ("facility_usd_per_kw",)) == ()

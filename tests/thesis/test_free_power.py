"""T14: the GPU price below which waiting for free power pays, against hours counted one by one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.hourly_prices import read_hourly_prices, synthetic_hourly_prices
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.thesis.free_power import BestHours, FreeHours, RunningGpu, run
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs

PRICES = st.lists(st.integers(-200, 500).map(float), min_size=2, max_size=40)
BASE = RunningGpu(
    kw_per_gpu=1.4,
    idle_share=0.35,
    pue=1.25,
    tokens_per_s_per_gpu=900.0,
    utilisation_share=0.6,
)


def inputs_of(prices: Mapping[str, list[float]], *, synthetic: bool = False) -> ThesisInputs:
    return ThesisInputs(
        catalogue=load_catalogue(),
        presets=load_presets(),
        ranges=load_ranges(),
        prices=HourlyPrices(
            start=datetime(2025, 1, 1, tzinfo=UTC),
            usd_per_mwh={zone: np.array(row) for zone, row in prices.items()},
            source="by hand",
            synthetic=synthetic,
        ),
        seed=1,
    )


# ---- by hand -----------------------------------------------------------------------------


def test_the_gpu_of_the_sheet() -> None:
    """Section 1: 1.4 kW x 1.25 x (0.35 + 0.65 x 0.6) = 1.295 kW; 540 tok/s, 2.40 J/token."""
    assert BASE.running_mw_per_gpu == pytest.approx(1.295e-3)
    assert BASE.running_mtok_per_h == pytest.approx(1.944)
    j_per_token = BASE.running_mw_per_gpu * 3.6e9 / (BASE.running_mtok_per_h * 1e6)
    assert j_per_token == pytest.approx(2.40, abs=0.005)
    assert BASE.standby_share == pytest.approx(0.35 / 0.74)


def test_the_break_even_by_hand() -> None:
    """Four hours at -20, 0, 60 and 100 USD/MWh, and a GPU that draws 1 kW = 0.001 MW.

    Free: two of four, f = 0.5, a = -10; others b = 80. g* = 0.001 (0.5 x 80 + 0.5 x 10) = 0.045.
    At 0.045 USD/h, with 1 Mtok in an hour that runs: through (0.045 + 0.001 x 35) / 1 = 0.08;
    free only (0.045 - 0.001 x 5) / 0.5 = 0.08.
    Drawing 0.3 of it while it waits: g* = 0.001 (0.2 x 80 + 5) = 0.021.
    """
    free = FreeHours.of("zone", np.array([-20.0, 0.0, 60.0, 100.0]))
    assert (free.free_count, free.free_usd_per_mwh, free.other_usd_per_mwh) == (2, -10.0, 80.0)
    assert free.mean_usd_per_mwh == 35.0
    number = free.break_even_usd_per_gpu_hour(running_mw_per_gpu=0.001)
    assert number == pytest.approx(0.045)
    idle = free.break_even_usd_per_gpu_hour(running_mw_per_gpu=0.001, standby_share=0.3)
    assert idle == pytest.approx(0.021)
    gpu = RunningGpu(
        kw_per_gpu=1.0,
        idle_share=0.3,
        pue=1.0,
        tokens_per_s_per_gpu=1e6 / 3600,
        utilisation_share=1.0,
    )
    through = free.through_usd_per_mtok(gpu, lease_usd_per_gpu_hour=0.045)
    only = free.free_only_usd_per_mtok(gpu, lease_usd_per_gpu_hour=0.045)
    assert (through, only) == (pytest.approx(0.08), pytest.approx(0.08))


@pytest.mark.parametrize("prices", [[10.0, 20.0], [-5.0, 0.0]])
def test_without_a_choice_there_is_no_break_even(prices: list[float]) -> None:
    free = FreeHours.of("zone", np.array(prices))
    assert free.break_even_usd_per_gpu_hour(running_mw_per_gpu=0.001) is None


def test_the_hours_to_pause_by_hand() -> None:
    """A GPU of 1 USD/h and 0.001 MW, hours at 0, 0, 0 and 9,000 USD/MWh.

    All four: (4 + 9) / 4 = 3.25 USD an hour; the three cheap ones: 4 / 3 = 1.333. So an hour is
    worth running up to 1,333 USD/MWh, one is paused, and 1 - 1.333 / 3.25 = 59 % are saved.
    """
    hours = BestHours.of(
        np.array([0.0, 9000.0, 0.0, 0.0]), lease_usd_per_gpu_hour=1.0, running_mw_per_gpu=0.001
    )
    assert hours.pause_above_usd_per_mwh == pytest.approx(4000.0 / 3.0)
    assert hours.paused_count == 1
    assert hours.saved_share == pytest.approx(1.0 - (4.0 / 3.0) / 3.25)


# ---- against hours counted one by one ----------------------------------------------------


def counted(prices: list[float], runs: list[bool], *, lease: float, standby: float) -> float:
    """Return USD per hour that runs, hour by hour, of a GPU of 0.0013 MW."""
    spent = sum(
        lease + 0.0013 * price * (1.0 if on else standby)
        for price, on in zip(prices, runs, strict=True)
    )
    return spent / sum(runs)


@given(prices=PRICES, standby=st.sampled_from([0.0, 0.2, 0.5]), off=st.sampled_from([0.9, 1.1]))
def test_free_only_is_cheaper_just_below_the_break_even_and_dearer_above(
    prices: list[float], standby: float, off: float
) -> None:
    free = FreeHours.of("zone", np.array(prices))
    number = free.break_even_usd_per_gpu_hour(running_mw_per_gpu=0.0013, standby_share=standby)
    runs = [price <= 0.0 for price in prices]
    if number is None:
        assert all(runs) or not any(runs)
        return
    lease = number + (off - 1.0) * 0.01
    only = counted(prices, runs, lease=lease, standby=standby)
    through = counted(prices, [True] * len(prices), lease=lease, standby=standby)
    assert (only < through) == (off < 1.0)


@given(prices=st.lists(st.integers(-50, 3000).map(float), min_size=1, max_size=7))
def test_no_other_choice_of_hours_is_cheaper(prices: list[float]) -> None:
    """Every subset of the hours, with a GPU switched off in the others."""
    lease = 1.0
    best = BestHours.of(np.array(prices), lease_usd_per_gpu_hour=lease, running_mw_per_gpu=0.0013)
    every = [
        counted(prices, [at in held for at in range(len(prices))], lease=lease, standby=0.0)
        for size in range(1, len(prices) + 1)
        for held in combinations(range(len(prices)), size)
    ]
    assert best.pause_above_usd_per_mwh * 0.0013 == pytest.approx(min(every))


# ---- the experiment ----------------------------------------------------------------------


def test_a_no_where_free_hours_are_few() -> None:
    """Half the hours free at 0, the others at 100: g* = 0.001295 x 50 = 0.065, below 2.00."""
    result = run(inputs_of({"a": [0.0, 100.0] * 100, "b": [50.0] * 200}))
    assert (result.id, result.label, result.verdict) == ("T14", "evidence", "FAIL")
    assert result.number == pytest.approx(0.06475)
    assert (result.holds_share, result.draws_count) == (0.0, 1000)
    assert "does not beat" in result.says
    assert "2.00" in result.says
    rows = {row["zone"]: row for row in result.figures["zones"]}
    assert rows["a"]["free_count"] == 100
    assert rows["b"]["break_even_usd_per_gpu_hour"] is None
    assert rows["b"]["free_only_usd_per_mtok"] is None


def test_a_yes_where_power_is_that_dear_otherwise() -> None:
    """Half free, half at 4,000 USD/MWh: g* = 0.001295 x 2,000 = 2.59 USD, above a lease."""
    result = run(inputs_of({"a": [0.0, 4000.0] * 100}))
    assert result.verdict == "PASS"
    assert result.number == pytest.approx(2.59)
    assert result.holds_share is not None
    assert 0.0 < result.holds_share < 1.0


def test_the_share_of_draws_by_hand() -> None:
    """The break-even is k f b, and leases are drawn between 1.5 and 4 USD/GPU-hour.

    k is at least 1.0 x 1.1 x (0.2 + 0.8 x 0.3) = 0.484 kW, and at most 2.0 x 1.5 x (0.5 + 0.5 x
    0.8) = 2.7 kW. With f b = 9,000 USD/MWh the least break-even is 4.36: it holds in all draws.
    With f b = 500 the most is 1.35: in none.
    """
    assert run(inputs_of({"a": [0.0, 18_000.0] * 100})).holds_share == 1.0
    assert run(inputs_of({"a": [0.0, 1_000.0] * 100})).holds_share == 0.0


def test_nowhere_any_free_hour() -> None:
    result = run(inputs_of({"a": [10.0] * 9, "b": [20.0] * 9}))
    assert (result.number, result.verdict, result.holds_share) == (None, "FAIL", 0.0)
    assert "nothing to follow" in result.says


def test_synthetic_prices_are_no_evidence_and_seeds_are_told_apart() -> None:
    results = [
        run(inputs_of({"a": [0.0, 90.0]}, synthetic=synthetic)) for synthetic in (True, False)
    ]
    assert [result.label for result in results] == ["sensitivity", "evidence"]
    assert run(inputs_of({"a": [0.0, 91.0]})).inputs_hash != results[1].inputs_hash


def test_a_synthetic_year_says_no() -> None:
    held = inputs_of({})
    inputs = ThesisInputs(
        catalogue=held.catalogue,
        presets=held.presets,
        ranges=held.ranges,
        prices=synthetic_hourly_prices(1),
        seed=1,
    )
    first, again = run(inputs), run(inputs)
    assert first == again
    assert (first.verdict, first.label) == ("FAIL", "sensitivity")


def test_real_prices_of_2023_say_no(shared_data: Path) -> None:
    """The best of six zones is Victoria: 2,037 of its hours at 0 or below, and 2.5 cents.

    Break-even in USD per GPU-hour, zone by zone; a lease is 2.00, eighty times the best.
    """
    read = read_hourly_prices(
        shared_data / "prices_2023.csv.gz",
        zones=["US-CAL-CISO", "US-NY-NYIS", "US-TEX-ERCO", "DE-LU", "AU-VIC", "AU-NSW"],
        usd_per_unit={"DE-LU": 1.08, "AU-VIC": 0.66, "AU-NSW": 0.66},
    )
    held = inputs_of({})
    result = run(
        ThesisInputs(
            catalogue=held.catalogue,
            presets=held.presets,
            ranges=held.ranges,
            prices=read.prices,
            seed=1,
        )
    )
    rows = {row["zone"]: row for row in result.figures["zones"]}
    assert (result.label, result.verdict, result.holds_share) == ("evidence", "FAIL", 0.0)
    free = {zone: row["free_count"] for zone, row in rows.items()}
    found = {zone: row["break_even_usd_per_gpu_hour"] for zone, row in rows.items()}
    assert free == {
        "US-CAL-CISO": 157,
        "US-NY-NYIS": 3,
        "US-TEX-ERCO": 1,
        "DE-LU": 324,
        "AU-VIC": 2037,
        "AU-NSW": 496,
    }
    bounds = {
        "US-CAL-CISO": (0.001, 0.003),
        "US-NY-NYIS": (0.0, 0.0001),
        "US-TEX-ERCO": (0.0, 0.0001),
        "DE-LU": (0.004, 0.008),
        "AU-VIC": (0.02, 0.03),
        "AU-NSW": (0.005, 0.009),
    }
    for zone, (low, high) in bounds.items():
        assert low < found[zone] < high, zone
        # a GPU that idles while it waits draws more than free hours save, everywhere
        assert rows[zone]["break_even_idle_usd_per_gpu_hour"] < 0.0
        assert rows[zone]["free_only_usd_per_mtok"] > 4.0 * rows[zone]["through_usd_per_mtok"]

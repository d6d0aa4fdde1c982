"""T4: the sheet's own figures, margins by hand, and that either half can be no."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.preset import Range
from tokenergy.economics.levers import gpu_levers
from tokenergy.thesis import levers
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.levers import bound_at, bound_levers, per_mw_is_first, price_is_last
from tokenergy.thesis.result import Result

RANGES = {
    "usd_per_gpu": (25_000, 33_000, 45_000),
    "gpu_life_y": (3, 5, 7),
    "wacc_share": (0.06, 0.09, 0.14),
    "ops_share_per_year": (0.02, 0.04, 0.08),
    "facility_usd_per_kw": (8_000, 12_000, 16_000),
    "facility_life_y": (10, 15, 20),
    "kw_per_gpu": (1.0, 1.4, 2.0),
    "idle_share": (0.2, 0.35, 0.5),
    "pue": (1.1, 1.25, 1.5),
    "tokens_per_s_per_gpu": (500, 900, 6_000),
    "utilisation_share": (0.3, 0.6, 0.8),
    "usd_per_mwh": (20, 50, 120),
    "token_price_usd_per_mtok": (0.5, 1.5, 5),
}


def inputs(seed: int = 1, status="published", **changes) -> ThesisInputs:
    prices = HourlyPrices(
        start=datetime(2026, 1, 1, tzinfo=UTC),
        usd_per_mwh={"Z": np.full(24, 50.0)},
        source="none",
        synthetic=True,
    )
    nothing = Catalogue(accelerators=(), models=(), media_models=(), coefficients=())
    ranges = {
        name: Range(
            name=name,
            low_quantity=low,
            base_quantity=base,
            high_quantity=high,
            unit="",
            source="by hand",
            status=status,
        )
        for name, (low, base, high) in (RANGES | changes).items()
    }
    return ThesisInputs(catalogue=nothing, presets=(), ranges=ranges, prices=prices, seed=seed)


def base():
    gpu, price = levers._base(inputs().ranges)
    return bound_at(gpu, price_usd_per_mtok=price)


@pytest.fixture(scope="module")
def told() -> Result:
    """Return the experiment at the sheet's figures, with all its draws."""
    return levers.run(inputs())


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw less often: for what hangs on the base, or on any draws."""
    monkeypatch.setattr(levers, "DRAWS_COUNT", 60)


def test_the_sheets_figures(told: Result) -> None:
    """Section 9, "Why the details matter"."""
    result = told
    assert (result.id, result.label, result.verdict) == ("T4", "sensitivity", "PASS")
    assert result.number == 0
    free = {row["name"]: row for row in result.figures["free"]}
    ends = {
        name: (100 * row["low_change_share"], 100 * row["high_change_share"])
        for name, row in free.items()
    }
    assert ends["power_price"] == pytest.approx((-2.3, 2.3), abs=0.06)
    assert ends["watts"] == pytest.approx((-2.3, 2.3), abs=0.06)
    assert ends["wacc"] == pytest.approx((-11.9, 12.8), abs=0.06)
    assert ends["hardware_price"] == pytest.approx((-39.4, 39.4), abs=0.06)
    assert ends["life"] == pytest.approx((54.9, -18.0), abs=0.06)
    assert ends["utilisation"] == pytest.approx((97.6, -32.5), abs=0.06)
    assert ends["throughput"] == pytest.approx((100, -33.3), abs=0.06)
    assert free["power_price"]["rank_count"] == free["watts"]["rank_count"] == 6


def test_the_bound_company_by_hand() -> None:
    """1.75 kW and 17,029.44 Mtok a GPU: 100 MW are 57,142.9 GPUs and 973.11 M Mtok asked for.

    70 MW make 681.18 M Mtok. A Mtok leaves 1.5 - 0.0333076 = 1.4666924: 999.08 MUSD a year. Half
    the throughput makes half the tokens at twice the power: 340.59 M x 1.4333848 = 488.19 MUSD.
    Half the megawatts: half of everything. After capital a Mtok leaves 1.5 - 0.731407.
    """
    company = base()
    assert company.asked_mtok == pytest.approx(973.111e6, rel=1e-6)
    assert company.served_mtok == pytest.approx(681.178e6, rel=1e-6)
    assert company.contribution_usd_per_year == pytest.approx(999.078e6, rel=1e-6)
    assert company.margin_usd_per_year == pytest.approx(681.178e6 * (1.5 - 0.731407), rel=1e-6)
    by_name = {each.name: each for each in bound_levers(company)}
    low_usd = by_name["throughput"].low_usd_per_mtok * company.asked_mtok
    assert low_usd == pytest.approx(488.195e6, rel=1e-5)
    assert by_name["megawatts"].low_change_share == pytest.approx(-0.5)
    assert by_name["megawatts"].high_change_share == pytest.approx(1 / 0.7 - 1)  # all is sold
    assert by_name["hardware_price"].swing_usd_per_mtok == 0.0  # sunk: no part of contribution


def test_more_megawatts_than_are_needed_bring_nothing() -> None:
    company = replace(base(), available_mw=200.0)
    (megawatts,) = (each for each in bound_levers(company) if each.name == "megawatts")
    assert megawatts.high_change_share == pytest.approx(0.0)
    assert megawatts.low_change_share == pytest.approx(0.0)
    assert company.served_mtok == company.asked_mtok


def test_the_rent_of_a_megawatt_hour_is_the_margin(told: Result) -> None:
    """1.4666924 x 3,600 / 3.2407 J = 1,629.3 a reserved MWh; after capital 0.768593 x 1,110.9."""
    rent = told.figures["rent"]
    assert rent["reserved_usd_per_mwh"] == pytest.approx(1_629.3, rel=1e-3)
    assert rent["reserved_after_capital_usd_per_mwh"] == pytest.approx(854.0, rel=1e-3)
    assert rent["consumed_usd_per_mwh"] > rent["reserved_usd_per_mwh"]


@pytest.mark.usefixtures("few")
def test_the_first_half_is_no_where_power_is_dear() -> None:
    """Power at 1,500 USD/MWh is 59 % of full cost: it moves it by 29 %, WACC by less."""
    result = levers.run(inputs(usd_per_mwh=(1_000, 1_500, 2_000)))
    assert not result.figures["free_holds"]
    assert result.verdict == "FAIL"
    assert result.number is not None
    assert result.number > 0
    assert "ahead of" in result.says
    assert result.holds_share is not None
    assert result.holds_share < 0.5


@pytest.mark.usefixtures("few")
def test_the_second_half_is_no_where_tokens_sell_below_their_power() -> None:
    """At 0.02 USD/Mtok a token loses money on power alone: more of them is no gain."""
    company = replace(base(), price_usd_per_mtok=0.02)
    assert not per_mw_is_first(company)
    assert per_mw_is_first(replace(company, price_usd_per_mtok=0.04))
    result = levers.run(inputs(token_price_usd_per_mtok=(0.01, 0.02, 0.03)))
    assert not result.figures["bound_holds"]
    assert result.figures["free_holds"]
    assert result.verdict == "FAIL"


def test_the_draws_are_counted_as_by_hand(told: Result) -> None:
    """Each half again, draw by draw; and both ends of every range are kept."""
    drawn = levers._drawn(inputs())
    result = told
    assert len(drawn) == result.draws_count == 1_000
    free = [price_is_last(gpu_levers(gpu, move_share=0.5)) for gpu, _ in drawn]
    bound = [per_mw_is_first(bound_at(gpu, price_usd_per_mtok=price)) for gpu, price in drawn]
    both = [one and other for one, other in zip(free, bound, strict=True)]
    assert result.holds_share == np.mean(both)
    assert result.figures["draws"]["free_share"] == np.mean(free)
    assert result.figures["draws"]["bound_share"] == np.mean(bound)
    for name in levers.GPU_NAMES:
        low, _, high = RANGES[name]
        values = [getattr(gpu, name) for gpu, _ in drawn]
        assert low <= min(values) < max(values) <= high


def test_wide_ranges_are_drawn_in_their_logarithm() -> None:
    """Half of 500 to 6,000 lies below sqrt(500 x 6,000) = 1,732, within three standard errors."""
    drawn = levers._drawn(inputs())
    below = np.mean([gpu.tokens_per_s_per_gpu < np.sqrt(500 * 6_000) for gpu, _ in drawn])
    narrow = np.mean([gpu.usd_per_gpu < 35_000 for gpu, _ in drawn])
    assert abs(below - 0.5) < 3 * 0.5 / np.sqrt(1_000)
    assert abs(narrow - 0.5) < 3 * 0.5 / np.sqrt(1_000)


def test_the_same_to_the_bit_and_ready_for_json(told: Result) -> None:
    assert json.dumps(levers.run(inputs()).to_dict()) == json.dumps(told.to_dict())


@pytest.mark.usefixtures("few")
def test_another_seed_is_another_input(told: Result) -> None:
    assert levers.run(inputs(seed=2)).inputs_hash != told.inputs_hash


@pytest.mark.usefixtures("few")
def test_unverified_ranges_are_told(told: Result) -> None:
    assert told.findings == ()
    (finding,) = levers.run(inputs(status="to_be_verified")).findings
    assert finding["code"] == "PRESET_UNVERIFIED"
    assert "usd_per_mwh" in finding["value"]


@pytest.mark.usefixtures("few")
def test_progress_is_told() -> None:
    heard: list[tuple[int, int]] = []
    levers.run(inputs(), lambda done, of: heard.append((done, of)))
    assert heard == [(done, 60) for done in range(1, 61)]

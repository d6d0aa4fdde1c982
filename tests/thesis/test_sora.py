"""T3 redoes other people's arithmetic, shows both estimates always, and judges only one."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.sora import Estimate, estimate_a, run
from tokenergy.thesis.thresholds import PACK_USD_PER_CLIP, PRODUCT_NEAR_SHARE

INPUTS = ThesisInputs(
    catalogue=load_catalogue(),
    presets=load_presets(),
    ranges=load_ranges(),
    prices=HourlyPrices(
        start=datetime(2026, 3, 2, tzinfo=UTC),
        usd_per_mwh={"zone": np.zeros(2)},
        source="not read here",
        synthetic=True,
    ),
)


def with_figure(name: str, fact: str, figure: float) -> ThesisInputs:
    """The inputs with one published figure changed."""
    return replace(
        INPUTS,
        presets=tuple(
            replace(row, quantity=figure) if (row.preset, row.fact) == (name, fact) else row
            for row in INPUTS.presets
        ),
    )


def test_estimate_a_by_hand() -> None:
    """4.5 M users x 0.25 x 10 = 11.25 M clips; x 1.30 = 14.625 M USD, 2.5 % under 15 M."""
    result = run(INPUTS)
    a = result.figures["a"]
    assert a["clips_per_day_count"] == pytest.approx(11.25e6)
    assert a["cost_usd_per_day"] == pytest.approx(14.625e6)
    assert result.figures["a_product_off_share"] == pytest.approx(-0.025)
    assert result.number == pytest.approx(1.30)
    assert (result.id, result.label, result.verdict) == ("T3", "identity", "PASS")


def test_the_loss_by_hand() -> None:
    """11.25 M x (1.30 - 0.40) = 10.125 M a day with every clip sold; all of it with none."""
    a = run(INPUTS).figures["a"]
    assert a["loss_all_free_usd_per_day"] == pytest.approx(14.625e6)
    assert a["loss_all_sold_usd_per_day"] == pytest.approx(10.125e6)


def test_estimate_b_is_a_range_without_a_verdict() -> None:
    """1 M USD over 2.5 M clips and over 1.25 M: 0.40 to 0.80 USD, whose low end is the pack's."""
    figures = run(INPUTS).figures
    assert figures["b_low_usd_per_clip"] == pytest.approx(0.40)
    assert figures["b_high_usd_per_clip"] == pytest.approx(0.80)
    assert figures["b_verdict"] is None
    assert figures["b_peak"]["loss_all_sold_usd_per_day"] == pytest.approx(0.0, abs=1e-6)
    assert figures["b_last"]["loss_all_sold_usd_per_day"] == pytest.approx(0.5e6)


def test_the_conflict_is_told_in_its_factors() -> None:
    """15 as published; 14.625 = 4.5 times the users x 3.25 times the cost of a clip."""
    conflict = run(INPUTS).figures["conflict"]
    assert conflict["printed_ratio"] == pytest.approx(15.0)
    assert conflict["of_it_users_ratio"] == pytest.approx(4.5)
    assert conflict["of_it_cost_of_a_clip_ratio"] == pytest.approx(3.25)
    assert conflict["product_ratio"] == pytest.approx(4.5 * 3.25)


def test_both_estimates_and_their_conflict_are_said_in_one_breath() -> None:
    says = run(INPUTS).says
    for piece in (
        "not evidence", "14.6 M USD", "1.30 USD", "0.40 to 0.80", "no verdict", "15-fold",
        "no official cause", "app closed on 2026-04-26", "API on 2026-09-24",
    ):  # fmt: skip
        assert piece in says


def test_estimate_b_decides_nothing() -> None:
    """Whatever B says, the verdict stays; only the range and the conflict move."""
    result = run(with_figure("sora_wsj", "usd_per_day", 30e6))
    assert result.verdict == "PASS"
    assert result.figures["b_low_usd_per_clip"] == pytest.approx(12.0)
    assert "no verdict" in result.says


@pytest.mark.parametrize(
    ("fact", "figure"),
    [("users_count", 4.0e6), ("usd_per_clip", 0.13), ("printed_usd_per_day", 1.5e6)],
)
def test_a_mistyped_input_fails(fact: str, figure: float) -> None:
    """4.0 M users: 13.0 M USD, 13 % off; a tenth of a cost or of a product: far off."""
    assert run(with_figure("sora_cantor", fact, figure)).verdict == "FAIL"


def test_a_clip_that_costs_less_than_the_pack_fails_however_well_the_product_fits() -> None:
    """0.39 USD: 4.3875 M a day, published as 4.4 M; but an extra clip would pay."""
    changed = with_figure("sora_cantor", "usd_per_clip", 0.39)
    printed = tuple(
        replace(row, quantity=4.4e6) if row.fact == "printed_usd_per_day" else row
        for row in changed.presets
    )
    result = run(replace(changed, presets=printed))
    assert abs(result.figures["a_product_off_share"]) < PRODUCT_NEAR_SHARE
    assert result.number == pytest.approx(0.39)
    assert result.verdict == "FAIL"


def test_the_findings_say_that_no_estimate_was_checked() -> None:
    found = {(finding["code"], finding["path"]) for finding in run(INPUTS).findings}
    assert {("PRESET_UNVERIFIED", name) for name in ("sora_cantor", "sora_wsj")} <= found


def test_old_figures_are_called_stale() -> None:
    later = replace(INPUTS, prices=replace(INPUTS.prices, start=datetime(2028, 6, 1, tzinfo=UTC)))
    codes = {finding["code"] for finding in run(later).findings}
    assert "PRESET_STALE" in codes


def test_a_rerun_is_identical_and_another_input_has_another_hash() -> None:
    assert run(INPUTS).to_dict() == run(INPUTS).to_dict()
    assert run(INPUTS).inputs_hash != run(with_figure("sora_wsj", "usd_per_day", 2e6)).inputs_hash


def test_the_pack_sells_at_the_threshold() -> None:
    assert estimate_a(INPUTS).pack_usd_per_clip == pytest.approx(PACK_USD_PER_CLIP)


@given(clips=st.floats(1.0, 1e9), cost_usd=st.floats(1.0, 1e9), pack_usd=st.floats(0.01, 1e3))
def test_at_the_break_even_price_the_day_loses_nothing(
    clips: float, cost_usd: float, pack_usd: float
) -> None:
    """With every clip sold at cost / clips, revenue is cost, whatever the pack sold for."""
    estimate = Estimate(
        estimate="any",
        users_count=1.0,
        clips_per_day_count=clips,
        cost_usd_per_day=cost_usd,
        pack_usd_per_clip=pack_usd,
    )
    sold = replace(estimate, pack_usd_per_clip=estimate.break_even_usd_per_clip)
    assert sold.loss_usd_per_day(sold_share=1.0) == pytest.approx(0.0, abs=1e-6 * cost_usd)
    assert estimate.loss_usd_per_day(sold_share=0.0) == cost_usd

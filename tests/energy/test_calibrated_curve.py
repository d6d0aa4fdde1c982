"""A replica that was measured: joules, power, line and band of its operating point."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.curve_point import CurvePoint
from tokenergy.energy.calibrated_curve import (
    CalibratedCurve,
    calibrated_curve,
    points_for,
    predicted_j_per_token,
)
from tokenergy.energy.operating_point import OperatingPoint, language_operating_point
from tokenergy.energy.predict import coefficients_for, language_band
from tokenergy.files.catalogue import load_catalogue
from tokenergy.units import J_PER_MWH, TOKENS_PER_MTOK, W_PER_MW

PLAIN = load_catalogue()
LLAMA = PLAIN.language_model("llama-3.1-8b")
H100 = PLAIN.accelerator("H100")
USUAL_W = coefficients_for(PLAIN, "H100").power_share * H100.tdp_w
CHAT: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "accelerator": "H100",
    "gpus_count": 1,
    "tpot_limit_s": 0.05,
    "input_tokens_count": 250.0,
    "output_tokens_count": 641.0,
    "batch_limit_count": 64,
}


def measured(batch: float, joules: float, **change: Any) -> CurvePoint:
    facts: dict[str, Any] = {
        "model": "llama-3.1-8b", "accelerator": "H100", "gpus_count": 1,
    }  # fmt: skip
    return CurvePoint(**(facts | change), batch_count=batch, j_per_token=joules)


def predicted(batch: float, **change: Any) -> float:
    return predicted_j_per_token(PLAIN, measured(batch, 1.0, **change))


def known(*points: CurvePoint) -> Catalogue:
    return replace(PLAIN, points=points)


def point(*points: CurvePoint, **change: Any) -> OperatingPoint:
    return language_operating_point(known(*points), **(CHAT | change))


def curve(*points: CurvePoint, **change: Any) -> CalibratedCurve:
    asked: dict[str, Any] = {
        "gpus_count": 1, "input_tokens_count": 250.0, "output_tokens_count": 641.0,
    }  # fmt: skip
    return calibrated_curve(known(*points), LLAMA, H100, **(asked | change))


def test_one_point_scales_joules_and_the_time_of_a_step() -> None:
    """Twice the joules at the usual power: a step takes twice as long, the rate is half."""
    before, after = point(), point(measured(64, 2.0 * predicted(64)))
    assert after.batch_count == before.batch_count == 64
    assert after.tpot_s == pytest.approx(2.0 * before.tpot_s)
    assert after.rate_mtok_per_h == pytest.approx(before.rate_mtok_per_h / 2.0)
    assert after.base_mw == pytest.approx(before.base_mw)
    assert after.marginal_mwh_per_mtok == pytest.approx(2.0 * before.marginal_mwh_per_mtok)
    assert (before.energy_tier, after.energy_tier) == ("modelled", "calibrated")
    assert (after.low_share, after.high_share) == (0.66, 1.20)
    assert "calibrated with 1 measured point at batch 64" in after.warnings


def test_measured_power_makes_step_and_line_by_hand() -> None:
    """At batch 32: 400 W over .2 J a token is 2,000 tokens/s, and at 64: 500 W over .125 is 4,000.

    The line between them has the slope 100 W / 2,000 tokens/s = .05 J a token; at the point
    4,000 tokens/s: base 500 - .05 x 4,000 = 300 W and 150 W of host.
    """
    found = point(
        measured(32, 0.2, avg_power_w_per_gpu=400.0), measured(64, 0.125, avg_power_w_per_gpu=500.0)
    )
    assert found.tpot_s == pytest.approx(64 / 4000.0)
    assert found.marginal_mwh_per_mtok == pytest.approx(0.05 * TOKENS_PER_MTOK / J_PER_MWH)
    assert found.base_mw * W_PER_MW == pytest.approx(300.0 + 150.0)
    assert (found.low_share, found.high_share) == (0.84, 1.34)


def test_power_that_falls_with_load_has_no_slope_below_nought() -> None:
    found = point(
        measured(32, 0.2, avg_power_w_per_gpu=500.0), measured(64, 0.12, avg_power_w_per_gpu=480.0)
    )
    assert found.marginal_mwh_per_mtok == 0.0
    assert found.base_mw * W_PER_MW == pytest.approx(480.0 + 150.0)


def test_points_of_something_else_change_nothing() -> None:
    wrong = (
        measured(64, 1.0, gpus_count=2),
        measured(64, 1.0, model="llama-3.1-70b"),
        measured(64, 1.0, accelerator="B200"),
        measured(64, 1.0, bytes_per_weight=1.0),
    )
    assert point(*wrong) == point()


def test_a_stated_stack_takes_its_own_points_only() -> None:
    ours = measured(64, 2.0 * predicted(64, stack="vllm 9.9"), stack="vllm 9.9")
    other = measured(64, 3.0 * predicted(64, stack="sglang 0.4"), stack="sglang 0.4")
    assert curve(ours, other, stack="vLLM 9.9").joules is not None
    assert curve(ours, other, stack="vLLM 9.9").factor_ratio(64) == pytest.approx(2.0)
    assert curve(ours).factor_ratio(64) == pytest.approx(2.0)
    assert curve(other, stack="vllm 9.9").joules is None


def test_points_under_several_stacks_are_not_mixed() -> None:
    found, notes = points_for(
        known(measured(64, 1.0, stack="a 1"), measured(64, 1.0, stack="b 2")),
        LLAMA, accelerator="H100", gpus_count=1, stack="",
    )  # fmt: skip
    assert found == ()
    assert "measured under a 1, b 2" in notes[0]


def test_a_stack_nobody_knows_has_a_wide_band_and_says_so() -> None:
    found = point(stack="made-up 1")
    assert found.low_share <= 0.5
    assert found.high_share >= 2.0
    assert any("nothing is known of the stack" in warning for warning in found.warnings)


def test_points_of_other_lengths_correct_but_do_not_narrow_the_band() -> None:
    """A context of 3,300 tokens against the workload's 570."""
    far = measured(64, 1.0, input_tokens=300.0, output_tokens=6000.0)
    modelled = language_band(LLAMA, fitted=True)
    found = curve(far)
    assert found.mix_apart
    low, high = found.band(modelled, batch_count=64)
    assert (low, high) == (min(0.66, modelled[0]), max(1.20, modelled[1]))
    near = measured(64, 2.0 * predicted(64), input_tokens=250.0, output_tokens=641.0)
    both = curve(near, far)
    assert not both.mix_apart
    assert both.factor_ratio(64) == pytest.approx(2.0)  # the near one alone


@given(st.floats(1.0, 500.0), st.floats(0.02, 5.0), st.floats(100.0, 700.0))
def test_a_point_is_reproduced_in_joules_power_and_time(
    batch: float, joules: float, watts: float
) -> None:
    own = measured(batch, joules, avg_power_w_per_gpu=watts)
    found = curve(own)
    assert found.average_j_per_token(batch) == pytest.approx(joules, rel=1e-9)
    assert found.board_w(batch, usual_w=USUAL_W) == pytest.approx(watts, rel=1e-9)
    rate = batch / found.step_s(batch, usual_w=USUAL_W)
    assert rate == pytest.approx(watts / joules, rel=1e-9)
    slope_j = found.marginal_j_per_token(batch, usual_w=USUAL_W, base_share=0.75)
    assert 0.0 <= slope_j <= joules * (1 + 1e-9)

"""One awake replica at its service level: capacity, power, wake, and what it refuses."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.media import item_j
from tokenergy.energy.operating_point import (
    OperatingPoint,
    language_operating_point,
    media_operating_point,
    sequences_in_memory,
)
from tokenergy.energy.predict import (
    coefficients_for,
    language_band,
    language_curve,
    prefill_j_per_token,
)
from tokenergy.errors import DoesNotFit, InputError, SloUnreachable, UnknownModel
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
CHAT: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "accelerator": "H100",
    "gpus_count": 1,
    "tpot_limit_s": 0.05,
    "input_tokens_count": 250.0,
    "output_tokens_count": 641.0,
}


def point(**change: Any) -> OperatingPoint:
    return language_operating_point(CATALOGUE, **(CHAT | change))


@pytest.mark.parametrize(
    ("model", "gpus", "batch", "step_ms", "tokens_per_s"),
    [("llama-3.1-8b", 1, 64, 12.5, 5100), ("llama-3.1-70b", 4, 128, 38, 3300)],
)
def test_sanity_of_the_sheet(
    model: str, gpus: int, batch: int, step_ms: float, tokens_per_s: float
) -> None:
    """At a share of .80 of 700 W: (a B + b) / (.80 n 700); the sheet's own fit, so within 10 %."""
    curve = language_curve(
        CATALOGUE.language_model(model),
        coefficients_for(CATALOGUE, "H100"),
        gpus_count=gpus,
        context_tokens_count=250 + 641 / 2,
    )
    step_s = curve.step_s(batch, power_w=0.80 * gpus * 700)
    assert 1e3 * step_s == pytest.approx(step_ms, rel=0.1)
    assert batch / step_s == pytest.approx(tokens_per_s, rel=0.1)


def test_a_point_by_hand() -> None:
    """Llama 3.1 8B, one H100, at most 64 sequences; e(64) and e_in as `predict` has them.

    64 e(64) J a step at 574 W = .82 x 700 (the share as fitted): tau = 64 e / 574, rate 64 / tau
    tokens/s. base .75 x 574 + 150 = 580.5 W; marginal .25 e J/token, 1 J/token = 1/3600 MWh/Mtok.
    ttft 250 e_in / 574; kappa e_in / e. wake 30 + 16.06 / 2 = 38.03 s = .01056389 h
    """
    fit = coefficients_for(CATALOGUE, "H100")
    facts = CATALOGUE.language_model("llama-3.1-8b")
    curve = language_curve(facts, fit, gpus_count=1, context_tokens_count=250 + 641 / 2)
    average_j, input_j = curve.average_j_per_token(64), prefill_j_per_token(facts, fit)
    power_w = fit.power_share * 700
    found = point(batch_limit_count=64)
    assert (found.batch_count, found.bound) == (64.0, "batch")
    assert found.tpot_s == pytest.approx(64 * average_j / power_w)
    assert found.rate_mtok_per_h == pytest.approx(power_w / average_j * 3600 / 1e6)
    assert found.base_mw == pytest.approx((0.75 * power_w + 150) / 1e6)
    assert found.marginal_mwh_per_mtok == pytest.approx(0.25 * average_j / 3600)
    assert found.unloaded_ttft_s == pytest.approx(250 * input_j / power_w)
    assert found.input_output_cost_ratio_share == pytest.approx(input_j / average_j)
    assert found.wake_h == pytest.approx(38.03 / 3600)
    assert found.wake_mwh == pytest.approx(found.base_mw * 38.03 / 3600)
    assert found.sleep_mw_per_gpu == pytest.approx(71.8e-6)
    assert (found.low_share, found.high_share) == language_band(facts, fitted=True)
    assert (found.energy_tier, found.tokens_per_item_count) == ("modelled", None)
    assert found.warnings == ()


@given(
    model=st.sampled_from(["llama-3.1-8b", "gpt-oss-120b", "gemma-3-27b", "qwen3-30b-a3b"]),
    accelerator=st.sampled_from(["H100", "B200", "MI300X"]),
    gpus=st.sampled_from([1, 2, 4, 8]),
    tpot_s=st.floats(0.03, 0.5),
    tokens_in=st.floats(0, 20_000),
    tokens_out=st.floats(1, 2_000),
    limit=st.integers(1, 512),
)
def test_the_line_passes_through_the_point_and_every_limit_holds(
    model: str,
    accelerator: str,
    gpus: int,
    tpot_s: float,
    tokens_in: float,
    tokens_out: float,
    limit: int,
) -> None:
    try:
        found = language_operating_point(
            CATALOGUE, model=model, accelerator=accelerator, gpus_count=gpus,
            tpot_limit_s=tpot_s, input_tokens_count=tokens_in, output_tokens_count=tokens_out,
            batch_limit_count=limit, host_w_per_gpu=0.0,
        )  # fmt: skip
    except (SloUnreachable, DoesNotFit):
        return
    sku = CATALOGUE.accelerator(accelerator)
    fit = coefficients_for(CATALOGUE, accelerator)
    power_mw = fit.power_share * gpus * sku.tdp_w / 1e6
    line_mw = found.base_mw + found.marginal_mwh_per_mtok * found.rate_mtok_per_h
    assert line_mw == pytest.approx(power_mw, rel=1e-9)
    assert found.base_mw == pytest.approx(0.75 * power_mw, rel=1e-9)
    assert 1 <= found.batch_count <= limit
    assert found.tpot_s <= tpot_s
    facts = CATALOGUE.language_model(model)
    used_gb = facts.weights_gb + found.batch_count * facts.kv_gb(tokens_in + tokens_out)
    assert used_gb <= 0.9 * gpus * sku.memory_gb * (1 + 1e-12)


def test_one_sequence_more_would_break_the_bound() -> None:
    """TPOT: the step of B + 1 is too long; KV: B + 1 caches do not fit."""
    slow = point(model="llama-3.1-70b", gpus_count=4, tpot_limit_s=0.03)
    assert slow.bound == "tpot"
    curve = language_curve(
        CATALOGUE.language_model("llama-3.1-70b"),
        coefficients_for(CATALOGUE, "H100"),
        gpus_count=4,
        context_tokens_count=250 + 641 / 2,
    )
    power_w = 0.82 * 4 * 700
    assert curve.step_s(slow.batch_count, power_w=power_w) <= 0.03
    assert curve.step_s(slow.batch_count + 1, power_w=power_w) > 0.03

    full = point(model="llama-3.1-70b", gpus_count=2)
    assert full.bound == "kv"
    facts = CATALOGUE.language_model("llama-3.1-70b")
    assert facts.weights_gb + (full.batch_count + 1) * facts.kv_gb(891) > 0.9 * 2 * 80


def test_a_host_is_base_power() -> None:
    with_host, without = point(host_w_per_gpu=150.0), point(host_w_per_gpu=0.0)
    assert with_host.base_mw - without.base_mw == pytest.approx(150e-6)
    assert with_host.marginal_mwh_per_mtok == without.marginal_mwh_per_mtok


def test_precision_can_be_overridden() -> None:
    """70B in FP8 is 70.55 GB: it fits one H100 in 72 GB, with almost no room for cache."""
    with pytest.raises(DoesNotFit):
        point(model="llama-3.1-70b")
    assert point(model="llama-3.1-70b", bytes_per_weight=1.0).bound == "kv"
    old = point(accelerator="A100-80GB", bytes_per_weight=1.0)
    assert any("no FP8" in warning for warning in old.warnings)


def test_weights_too_large_name_the_smallest_count_that_holds_them() -> None:
    """141.1 GB over .9 x 80 = 72 GB a GPU: 2 GPUs."""
    with pytest.raises(DoesNotFit, match=r"141\.1 GB exceed the 72\.0 GB .* 2 GPUs"):
        point(model="llama-3.1-70b")


def test_a_cache_too_large_names_the_sequence() -> None:
    """200,000 tokens of 131,072 bytes are 26.2 GB; with 16.1 GB of weights 42.3 GB."""
    with pytest.raises(DoesNotFit, match=r"one sequence of 200,000 tokens of 26\.2 GB"):
        point(accelerator="L4", input_tokens_count=199_000.0, output_tokens_count=1_000.0)


def test_a_model_without_a_cache_is_bound_by_nothing_in_memory() -> None:
    stateless = replace(CATALOGUE.language_model("llama-3.1-8b"), kv_full_bytes_per_token=0.0)
    board = CATALOGUE.accelerator("H100")
    assert sequences_in_memory(stateless, board, gpus_count=1, tokens_count=9e9) == float("inf")


def test_a_cache_with_fewer_heads_than_gpus_takes_more_room() -> None:
    """Qwen3-30B-A3B has 4 key and value heads: 8 GPUs keep each of them twice."""
    model, board = CATALOGUE.language_model("qwen3-30b-a3b"), CATALOGUE.accelerator("H100")
    room_gb = 8 * board.usable_gb - model.weights_gb
    fit_count = sequences_in_memory(model, board, gpus_count=8, tokens_count=10_000.0)
    assert fit_count == int(room_gb / (2 * 98_304e-9 * 10_000))


def test_a_hybrid_keeps_its_state_beside_its_cache() -> None:
    """Nemotron Nano 9B on one H100: 54.2 GB of room hold 339 sequences of 16.4 + 143.5 MB."""
    model, board = CATALOGUE.language_model("nemotron-nano-9b-v2"), CATALOGUE.accelerator("H100")
    assert sequences_in_memory(model, board, gpus_count=1, tokens_count=1000.0) == 339


def test_a_limit_below_one_sequence_alone_is_unreachable() -> None:
    """One alone takes e(1) / 574 W: some milliseconds, told beside a limit of 1 ms."""
    with pytest.raises(SloUnreachable, match=r"\d\.\d ms a token.* 1\.0 ms"):
        point(tpot_limit_s=0.001)


def test_warnings_are_values() -> None:
    few = point(tpot_limit_s=0.0056)
    assert few.batch_count < 8
    assert any("smallest measured" in warning for warning in few.warnings)
    assert any("data-sheet ratios" in text for text in point(accelerator="L40S").warnings)
    assert any("more than 8" in text for text in point(gpus_count=16).warnings)
    long = point(input_tokens_count=4000.0, output_tokens_count=200.0)
    assert any("prefill" in warning for warning in long.warnings)


def test_an_accelerator_without_a_fit_has_the_wide_band() -> None:
    found = point(accelerator="MI300X")
    assert (found.low_share, found.high_share) == (0.5, 2.0)


@pytest.mark.parametrize(
    "change",
    [
        {"gpus_count": 0},
        {"tpot_limit_s": 0.0},
        {"tpot_limit_s": float("nan")},
        {"input_tokens_count": -1.0},
        {"output_tokens_count": 0.0},
        {"batch_limit_count": 0},
        {"host_w_per_gpu": -1.0},
        {"bytes_per_weight": 0.0},
    ],
)
def test_bad_input_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        point(**change)


def test_a_media_model_is_no_language_model() -> None:
    with pytest.raises(UnknownModel, match="images"):
        point(model="flux.1-dev")


def test_a_video_point_by_hand() -> None:
    """Wan 2.1 14B on one H100: .90 x 700 = 630 W, all of it base, and 150 W of host.

    Some 300 kJ an item (as `media.item_j` has it) at 630 W last some 476 s; 32,760 tokens each.
    """
    facts, fit = CATALOGUE.media_model("wan2.1-14b"), coefficients_for(CATALOGUE, "H100")
    joules = item_j(
        facts, fit, gpus_count=1, height=480, width=832, frames=81, steps=facts.steps
    )  # fmt: skip
    power_w = fit.video_power_share * 700
    found = media_operating_point(CATALOGUE, model="wan2.1-14b", accelerator="H100", gpus_count=1)
    assert found.tokens_per_item_count == 32_760
    assert found.unloaded_ttft_s == pytest.approx(joules / power_w)
    assert found.base_mw == pytest.approx((power_w + 150) / 1e6)
    assert found.marginal_mwh_per_mtok == 0.0
    assert found.rate_mtok_per_h == pytest.approx(0.03276 * 3600 * power_w / joules)
    assert found.wake_h == pytest.approx((30 + facts.weights_gb / 2) / 3600)
    assert (found.bound, found.batch_count) == ("media", 1.0)
    assert found.tpot_s * found.tokens_per_item_count == pytest.approx(found.unloaded_ttft_s)
    assert found.warnings == ()


def test_an_item_costs_its_joules_whatever_the_unit() -> None:
    """Base power over rate, times tokens per item, is J per item: FLUX about 2 Wh without host."""
    facts = CATALOGUE.media_model("flux.1-dev")
    joules = item_j(
        facts, coefficients_for(CATALOGUE, "H100"), gpus_count=1,
        height=facts.height, width=facts.width, frames=facts.frames, steps=facts.steps,
    )  # fmt: skip
    found = media_operating_point(
        CATALOGUE, model="flux.1-dev", accelerator="H100", gpus_count=1, host_w_per_gpu=0.0
    )
    assert found.tokens_per_item_count is not None
    mwh_per_mtok = found.base_mw / found.rate_mtok_per_h
    assert mwh_per_mtok * found.tokens_per_item_count == pytest.approx(joules / 3600)


def test_another_shape_is_said_to_be_unmeasured() -> None:
    found = media_operating_point(
        CATALOGUE, model="wan2.1-14b", accelerator="B200", gpus_count=8, frames=161
    )
    assert found.tokens_per_item_count == 41 * 30 * 52
    assert any("not measured" in warning for warning in found.warnings)


def test_media_weights_are_on_every_gpu() -> None:
    """HunyuanVideo: 13 x 2 = 26 GB against .9 x 24 = 21.6 GB of an L4, however many."""
    with pytest.raises(DoesNotFit, match="more GPUs do not help"):
        media_operating_point(CATALOGUE, model="hunyuan-video", accelerator="L4", gpus_count=8)
    with pytest.raises(InputError):
        media_operating_point(CATALOGUE, model="wan2.1-14b", accelerator="H100", gpus_count=0)

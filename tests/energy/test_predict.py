"""The curve of a language model from its facts: by hand, and what must hold for any of them."""

import csv
import math
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.coefficients import LanguageCoefficients
from tokenergy.energy.predict import (
    BANDS,
    carried_over,
    coefficients_for,
    expert_read_gb,
    kv_copies_ratio,
    language_band,
    language_curve,
    language_terms,
    prefill_j_per_token,
    token_tflop,
)
from tokenergy.errors import InputError, UnknownAccelerator
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
LLAMA = replace(
    CATALOGUE.language_model("llama-3.1-8b"), total_b=8.0, active_b=8.0, embedding_b=0.5
)
"""32 layers of 131,072 bytes of cache in all; 7.5e9 parameters are read."""
MIXTRAL = replace(
    CATALOGUE.language_model("mixtral-8x7b"),
    total_b=46.7,
    active_b=13.0,
    routed_b=45.0,
    embedding_b=0.1,
    moe_layers=24,
)
"""32 layers, 24 of which route to 2 of 8 experts of 5.625e9; 12.9e9 parameters are read."""
H100 = replace(
    coefficients_for(CATALOGUE, "H100"),
    language=LanguageCoefficients(
        c_layer_j=0.03,
        c_w_j_per_gb=0.1,
        c_e_j_per_gb=0.2,
        c_f_j_per_tflop=2.0,
        c_kv_j_per_gb=0.2,
        x_moe_ratio=1.1,
        x_fp8moe_ratio=2.0,
        x_flop_moe_ratio=2.5,
        c_comm_ratio=0.1,
    ),
    c_pre_j_per_tflop=1.0,
)
"""Round numbers: a refit must not change what these tests say."""


def test_a_dense_model_by_hand() -> None:
    """Llama 3.1 8B, one H100, context 1,000 tokens, 0.4 input tokens for one of output.

    b = 1 x 32 x .03 + .1 x 7.5 x 2 = .96 + 1.5 = 2.46 J
    a = 2 x 2 x 7.5 / 1000 + .2 x 131072 x 1000 / 1e9 + .4 x 1.0 x 2 x 7.5 / 1000
      = .03 + .0262144 + .006 = .0622144 J
    """
    curve = language_curve(LLAMA, H100, gpus_count=1, context_tokens_count=1000, input_ratio=0.4)
    assert curve.shared_step_j == pytest.approx(2.46)
    assert curve.token_j == pytest.approx(0.0622144)
    assert curve.experts_step_j == 0.0


def test_a_mixture_by_hand() -> None:
    """Mixtral 8x7B, two H100, no context, 0.4 input tokens for one of output.

    w_1 = 45 / 8 = 5.625, shared 13 - 2 w_1 = 1.75, read of it 1.65
    layers (8 + 24 x 1.1) x 2 x .03 = 2.064 J, communication .1 log2 2 of it = .2064 J
    shared weights .1 x 1.65 x 2 = .33 J
    all experts .2 x 8 x 5.625 x 2 = 18 J
    a = (2 + .4 x 1.0) x .0258 x 2.5 = .1548 J
    """
    curve = language_curve(MIXTRAL, H100, gpus_count=2, context_tokens_count=0, input_ratio=0.4)
    assert curve.shared_step_j == pytest.approx(2.064 + 0.2064 + 0.33)
    assert curve.experts_step_j == pytest.approx(18.0)
    assert curve.token_j == pytest.approx(0.1548)
    assert curve.routed_share == 0.25


def test_experts_touched_at_the_ends() -> None:
    one_gb = MIXTRAL.expert_b * MIXTRAL.bytes_per_weight
    assert expert_read_gb(MIXTRAL, batch_count=0) == 0.0
    assert expert_read_gb(MIXTRAL, batch_count=1) == pytest.approx(2 * one_gb)
    assert expert_read_gb(MIXTRAL, batch_count=1e6) == pytest.approx(8 * one_gb)
    assert expert_read_gb(LLAMA, batch_count=64) == 0.0


@given(batch=st.floats(1.0, 4096.0), gpus=st.integers(1, 16), context=st.floats(0, 1e5))
def test_using_every_expert_agrees_with_dense(batch: float, gpus: int, context: float) -> None:
    every = replace(LLAMA, experts=8, topk=8, architecture="moe")
    curves = [
        language_curve(model, H100, gpus_count=gpus, context_tokens_count=context)
        for model in (LLAMA, every)
    ]
    assert curves[0].average_j_per_token(batch) == curves[1].average_j_per_token(batch)


@given(context=st.floats(0, 1e5), more=st.floats(1, 1e5))
def test_a_longer_context_costs_more(context: float, more: float) -> None:
    short, long = (
        language_curve(LLAMA, H100, gpus_count=1, context_tokens_count=tokens)
        for tokens in (context, context + more)
    )
    assert long.token_j > short.token_j


@given(
    batch=st.floats(1.0, 4096.0),
    output=st.floats(1.0, 1e4),
    uncached=st.floats(0.0, 1e5),
    ratios=st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 20.0)),
    name=st.sampled_from(["llama-3.1-8b", "deepseek-v3.1", "nemotron-nano-9b-v2"]),
)
def test_a_request_costs_the_same_whatever_mix_the_curve_holds(
    batch: float, output: float, uncached: float, ratios: tuple[float, float], name: str
) -> None:
    """J = e(B) out + e_in (uncached - ratio out), and never less than its prefill."""
    model = CATALOGUE.language_model(name)
    input_j = prefill_j_per_token(model, H100)
    costs = []
    for ratio in ratios:
        curve = language_curve(
            model, H100, gpus_count=8, context_tokens_count=500, input_ratio=ratio
        )
        average_j = curve.average_j_per_token(batch)
        costs.append(average_j * output + input_j * (uncached - ratio * output))
    assert costs[0] == pytest.approx(costs[1], rel=1e-9)
    assert costs[0] > input_j * uncached


def test_fp8_halves_arithmetic_but_mxfp4_does_not() -> None:
    """2 x 7.5 / 1000 = .015 TFLOP in BF16; of 1.2 bytes, 1.2 / 2 of it."""
    assert token_tflop(LLAMA) == pytest.approx(0.015)
    assert token_tflop(LLAMA.at_precision(1.0)) == pytest.approx(0.0075)
    assert token_tflop(LLAMA.at_precision(1.0), fp8_arithmetic=False) == pytest.approx(0.015)
    assert token_tflop(LLAMA.at_precision(0.55)) == pytest.approx(0.015)
    mixed = replace(LLAMA, bytes_per_weight=1.2, weight_format="fp8")
    assert token_tflop(mixed) == pytest.approx(0.009)


@pytest.mark.parametrize(
    ("weight_format", "wanted"),
    [("bf16", 1.1), ("mxfp4", 1.1), ("fp8", 1.1), ("fp8_block", 2.2), (None, 2.2)],
)
def test_experts_in_fp8_carry_their_own_overhead_where_it_has_a_scale_a_block(
    weight_format: str, wanted: float
) -> None:
    """Layers alone: (8 + 24 x wanted) x .03 J; FP8 of an unknown kind is taken as the dear one."""
    model = replace(MIXTRAL, weight_format=weight_format, bytes_per_weight=1.0)  # type: ignore[arg-type]
    layers, *_ = language_terms(model, H100, gpus_count=1, context_tokens_count=0)
    assert layers.name == "per-layer overhead"
    assert layers.shared_step_j == pytest.approx((8 + 24 * wanted) * 0.03)


def test_a_recurrent_state_is_read_and_written_for_every_token() -> None:
    """0.1 GB twice at .2 J/GB are .04 J more a token, at any context."""
    hybrid = replace(LLAMA, state_bytes=1e8, architecture="hybrid")
    for context in (0.0, 5000.0):
        more_j, less_j = (
            language_curve(model, H100, gpus_count=1, context_tokens_count=context).token_j
            for model in (hybrid, LLAMA)
        )
        assert more_j - less_j == pytest.approx(0.04)


def test_a_cache_with_few_heads_is_kept_more_than_once() -> None:
    """8 heads on 8 GPUs are one copy, 4 heads two; a latent cache (one head) is on every GPU."""
    heads = {8: 1.0, 4: 2.0, 1: 8.0, 16: 1.0, 0: 1.0}
    for count, copies in heads.items():
        model = replace(LLAMA, kv_heads=count)
        assert kv_copies_ratio(model, gpus_count=8) == copies
        curve = language_curve(model, H100, gpus_count=8, context_tokens_count=1000, input_ratio=0)
        assert curve.token_j == pytest.approx(0.03 + 0.0262144 * copies)


def test_an_accelerator_without_a_fit_takes_the_ratios_of_its_data_sheet() -> None:
    """Arithmetic with TDP over BF16 rate, reading with TDP over bandwidth, layers with TDP."""
    source, target = CATALOGUE.accelerator("H100"), CATALOGUE.accelerator("mi300x")
    reference, fit = coefficients_for(CATALOGUE, "H100"), coefficients_for(CATALOGUE, "mi300x")
    tdp = target.tdp_w / source.tdp_w
    read = tdp * source.bandwidth_gb_per_s / target.bandwidth_gb_per_s
    flop = tdp * source.bf16_tflop_per_s / target.bf16_tflop_per_s
    old, new = reference.language, fit.language
    assert not fit.fitted
    assert fit.accelerator == "MI300X"
    assert fit.power_share == 0.80
    assert new.c_w_j_per_gb == pytest.approx(old.c_w_j_per_gb * read)
    assert new.c_e_j_per_gb == pytest.approx(old.c_e_j_per_gb * read)
    assert new.c_kv_j_per_gb == pytest.approx(old.c_kv_j_per_gb * read)
    assert new.c_f_j_per_tflop == pytest.approx(old.c_f_j_per_tflop * flop)
    assert new.c_layer_j == pytest.approx(old.c_layer_j * tdp)
    assert new.x_moe_ratio == old.x_moe_ratio


def test_carrying_a_fit_to_itself_changes_no_joule() -> None:
    board = CATALOGUE.accelerator("H100")
    same = carried_over(H100, source=board, target=board)
    assert same.language == H100.language
    assert same.media_one_gpu == H100.media_one_gpu


def test_prefill_by_hand() -> None:
    """2 x 7.5 / 1000 TFLOP at 1.0 J/TFLOP; experts cost x_flop_moe times theirs."""
    assert prefill_j_per_token(LLAMA, H100) == pytest.approx(0.015)
    assert prefill_j_per_token(LLAMA.at_precision(1.0), H100) == pytest.approx(0.015)
    assert prefill_j_per_token(MIXTRAL, H100) == pytest.approx(0.0258 * 2.5)


def test_bands_widen_with_what_is_not_known() -> None:
    gpt_oss = CATALOGUE.language_model("gpt-oss-120b")
    assert language_band(LLAMA, fitted=True) == BANDS["dense"]
    assert language_band(gpt_oss, fitted=True) == BANDS["moe"]
    assert language_band(replace(LLAMA, architecture="hybrid"), fitted=True) == BANDS["hybrid"]
    assert language_band(LLAMA, fitted=False) == (0.5, 2.0)
    low, high = BANDS["moe"]
    assert language_band(MIXTRAL, fitted=True) == pytest.approx((low / 1.3, high * 1.3))


@pytest.mark.parametrize(
    ("gpus", "context", "ratio"),
    [(0, 1.0, 0.4), (1, -1.0, 0.4), (1, math.nan, 0.4), (1, 1.0, -0.1), (1, 1.0, math.inf)],
)
def test_bad_input_is_refused(gpus: int, context: float, ratio: float) -> None:
    with pytest.raises(InputError):
        language_curve(
            LLAMA, H100, gpus_count=gpus, context_tokens_count=context, input_ratio=ratio
        )


def test_an_unknown_accelerator_has_no_numbers() -> None:
    with pytest.raises(UnknownAccelerator):
        coefficients_for(CATALOGUE, "abacus")


def test_dense_curves_look_like_the_fitted_ones(shared_data: Path) -> None:
    """The two-point form a + b/B of each dense chat configuration, at both of its ends."""
    ratios = []
    with (shared_data / "energy" / "curves_a_plus_b_over_B.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["task"] == "lm-arena-chat"]
    for row in rows:
        model = CATALOGUE.language_model(row["model_id"])
        if model.architecture != "dense":
            continue
        curve = language_curve(
            model,
            coefficients_for(CATALOGUE, row["gpu"]),
            gpus_count=int(row["n_gpus"]),
            context_tokens_count=250 + 641 / 2,
        )
        for batch in (float(row["B_min"]), float(row["B_max"])):
            fitted_j = float(row["a_J_per_tok"]) + float(row["b_J_per_step"]) / batch
            ratios.append(curve.average_j_per_token(batch) / fitted_j)
    assert len(ratios) >= 20
    assert median(ratios) == pytest.approx(1.0, abs=0.1)
    assert median(abs(ratio - 1) for ratio in ratios) < 0.15


@pytest.mark.parametrize("bytes_per_weight", [0.98, 1.006, 1.078, 1.2])
def test_fp8_with_its_scales_is_fp8_too(bytes_per_weight: float) -> None:
    """The published FP8 files have 1.003 to 1.2 bytes a weight: no cliff at 1 exactly."""
    model = CATALOGUE.language_model("qwen3-235b-a22b")
    assert model.at_precision(bytes_per_weight).computes_in_fp8
    assert not model.at_precision(0.66).computes_in_fp8
    assert not model.at_precision(1.5).computes_in_fp8


def test_a_token_that_uses_all_experts_has_the_band_of_a_dense_model() -> None:
    plain = CATALOGUE.language_model("mixtral-8x7b")
    all_used = replace(plain, topk=plain.experts, active_b=plain.total_b)
    assert all_used.architecture == "moe"
    low, high = language_band(all_used, fitted=True)
    assert (low * 1.3, high / 1.3) == pytest.approx(BANDS["dense"])

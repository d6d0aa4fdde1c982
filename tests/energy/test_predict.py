"""The curve of a language model from its facts, and the fit it reproduces."""

import csv
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.coefficients import Coefficients
from tokenergy.company.model import LanguageModel
from tokenergy.energy.predict import (
    carried_over,
    coefficients_for,
    expert_read_gb,
    language_band,
    language_curve,
    prefill_j_per_token,
    token_tflop,
)
from tokenergy.errors import InputError, UnknownAccelerator
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
LLAMA = CATALOGUE.language_model("llama-3.1-8b")
MIXTRAL = CATALOGUE.language_model("mixtral-8x7b")
H100 = coefficients_for(CATALOGUE, "H100")

GUESSED_INPUT_TOKENS = {
    "gpqa": 300,
    "lm-arena-chat": 250,
    "sourcegraph-fim": 2000,
    "image-chat": 1500,
    "video-chat": 6000,
}
"""The data has no input lengths; these are the sheet's guesses (section 3)."""


def test_a_dense_model_by_hand() -> None:
    """Llama 3.1 8B, one H100, context 570.5 tokens.

    b = 1 x 32 x .0216 + .1424 x 8.03 x 2 = .6912 + 2.286944 = 2.978144 J
    a = 2.980 x 2 x 8.03 / 1000 + .1980 x 131072 x 570.5 / 1e9
      = .0478588 + .0148058 = .0626646 J
    """
    curve = language_curve(LLAMA, H100, gpus_count=1, context_tokens_count=570.5)
    assert curve.shared_step_j == pytest.approx(2.978144, abs=1e-6)
    assert curve.token_j == pytest.approx(0.0626646, abs=1e-6)
    assert curve.experts_step_j == 0.0


def test_a_mixture_by_hand() -> None:
    """Mixtral 8x7B (46.7, 12.88; 2 of 8), two H100, no context.

    w_1 = 33.82 / 6 = 5.636667, S = 12.88 - 2 w_1 = 1.606667
    layers 2 x 32 x .0216 x .6933 x (1 + .0470) = 1.003463 J
    shared .1424 x 3.213333 = .457579 J
    all experts .2299 x 8 x 5.636667 x 2 = 20.733916 J
    a = 2.980 x .02576 x 2.594 = .199127 J
    """
    curve = language_curve(MIXTRAL, H100, gpus_count=2, context_tokens_count=0)
    assert curve.shared_step_j == pytest.approx(1.003463 + 0.457579, abs=1e-5)
    assert curve.experts_step_j == pytest.approx(20.733916, abs=1e-5)
    assert curve.token_j == pytest.approx(0.199127, abs=1e-5)
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


def test_fp8_halves_arithmetic_but_mxfp4_does_not() -> None:
    """2 x 8.03 / 1000 = .01606 TFLOP in BF16."""
    assert token_tflop(LLAMA) == pytest.approx(0.01606)
    assert token_tflop(LLAMA.at_precision(1.0)) == pytest.approx(0.00803)
    assert token_tflop(LLAMA.at_precision(1.0), fp8_arithmetic=False) == pytest.approx(0.01606)
    assert token_tflop(LLAMA.at_precision(0.55)) == pytest.approx(0.01606)


def test_fp8_mixtures_carry_their_own_overhead_and_hybrids_theirs() -> None:
    """Overhead alone: weights of almost nothing leave 32 x .0216 x the multipliers."""
    plain = replace(LLAMA, total_b=1e-9, active_b=1e-9)
    hybrid = replace(plain, architecture="hybrid")
    fp8_moe = replace(plain, total_b=2e-9, experts=8, topk=1, bytes_per_weight=1.0)
    steps = [
        language_curve(model, H100, gpus_count=1, context_tokens_count=0).shared_step_j
        for model in (plain, hybrid, fp8_moe)
    ]
    layer_j = 32 * 0.0216
    wanted = [layer_j, layer_j * 2.394, layer_j * 0.6933 * 6.190]
    assert steps == pytest.approx(wanted, abs=1e-6)


def test_an_accelerator_without_a_fit_takes_the_ratios_of_its_data_sheet() -> None:
    """MI300X: TDP 750/700; bandwidth 5,300/3,350; BF16 1,307/989."""
    fit = coefficients_for(CATALOGUE, "mi300x")
    tdp = 750 / 700
    assert not fit.fitted
    assert fit.accelerator == "MI300X"
    assert fit.power_share == 0.80
    assert fit.language.c_w_j_per_gb == pytest.approx(0.1424 * tdp * 3350 / 5300)
    assert fit.language.c_e_j_per_gb == pytest.approx(0.2299 * tdp * 3350 / 5300)
    assert fit.language.c_kv_j_per_gb == pytest.approx(0.1980 * tdp * 3350 / 5300)
    assert fit.language.c_f_j_per_tflop == pytest.approx(2.980 * tdp * 989 / 1307)
    assert fit.language.c_layer_j == pytest.approx(0.0216 * tdp)
    assert fit.language.x_moe_ratio == H100.language.x_moe_ratio


def test_carrying_a_fit_to_itself_changes_no_joule() -> None:
    board = CATALOGUE.accelerator("H100")
    same = carried_over(H100, source=board, target=board)
    assert same.language == H100.language
    assert same.media_one_gpu == H100.media_one_gpu


def test_prefill_by_hand() -> None:
    """2 x 8.03 / 1000 TFLOP at 1.0 J/TFLOP is .01606 J; .92 on B200."""
    assert prefill_j_per_token(LLAMA, H100) == pytest.approx(0.01606)
    b200 = coefficients_for(CATALOGUE, "B200")
    assert prefill_j_per_token(LLAMA, b200) == pytest.approx(0.01606 * 0.92)


def test_bands_widen_with_what_is_not_known() -> None:
    gpt_oss = CATALOGUE.language_model("gpt-oss-120b")
    assert language_band(LLAMA, fitted=True) == (0.75, 1.36)
    assert language_band(gpt_oss, fitted=True) == (0.57, 2.08)
    assert language_band(replace(LLAMA, architecture="hybrid"), fitted=True) == (0.63, 2.07)
    assert language_band(LLAMA, fitted=False) == (0.5, 2.0)
    assert language_band(MIXTRAL, fitted=True) == pytest.approx((0.57 / 1.3, 2.08 * 1.3))


@pytest.mark.parametrize(("gpus", "context"), [(0, 1.0), (1, -1.0), (1, math.nan)])
def test_bad_input_is_refused(gpus: int, context: float) -> None:
    with pytest.raises(InputError):
        language_curve(LLAMA, H100, gpus_count=gpus, context_tokens_count=context)


def test_an_unknown_accelerator_has_no_numbers() -> None:
    with pytest.raises(UnknownAccelerator):
        coefficients_for(CATALOGUE, "TPU")


# ---- against the published measurements --------------------------------------------------


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _model(row: dict[str, str]) -> LanguageModel:
    return replace(
        LLAMA,
        model_id=row["model_id"],
        hub_id=row["model_id"],
        total_b=float(row["total_b"]),
        active_b=float(row["active_b"]),
        layers=int(row["layers"]),
        kv_full_bytes_per_token=float(row["kv_full_B"]),
        kv_slide_bytes_per_token=float(row["kv_slide_B"]),
        window_tokens=int(row["window"]),
        experts=int(row["experts"]),
        topk=int(row["topk"]),
        bytes_per_weight=float(row["bytes_per_weight"]),
        architecture=row["arch"],  # type: ignore[arg-type]
        retrieved_on=date(2026, 11, 24),
        source="shared data",
    )


def _fit(accelerator: str) -> Coefficients:
    return coefficients_for(CATALOGUE, accelerator)


def _measured_over_predicted(folder: Path) -> Iterator[tuple[LanguageModel, str, float]]:
    """Yield model, accelerator and measured/predicted of all 838 rows."""
    models = {row["model_id"]: _model(row) for row in _rows(folder / "models.csv")}
    for row in _rows(folder / "mlenergy_v3_llm.csv"):
        model, gpu = models[row["model_id"]], row["gpu_model"]
        context = GUESSED_INPUT_TOKENS[row["task"]] + float(row["avg_output_len"]) / 2
        curve = language_curve(
            model,
            _fit(gpu),
            gpus_count=int(row["num_gpus"]),
            context_tokens_count=context,
        )
        predicted_j = curve.average_j_per_token(float(row["avg_batch_size"]))
        yield model, gpu, float(row["energy_per_token_joules"]) / predicted_j


@pytest.mark.parametrize(("gpu", "count", "mape"), [("H100", 405, 15.4), ("B200", 433, 21.8)])
def test_the_fit_reproduces_its_own_error(
    shared_data: Path, gpu: str, count: int, mape: float
) -> None:
    errors = [
        abs(1 / ratio - 1)
        for _, name, ratio in _measured_over_predicted(shared_data / "energy")
        if name == gpu
    ]
    assert len(errors) == count
    assert 100 * mean(errors) == pytest.approx(mape, abs=0.1)


def test_the_bands_hold_most_measurements(shared_data: Path) -> None:
    """In-sample, so more than the nominal 90 % would be no surprise."""
    inside = []
    for model, _, ratio in _measured_over_predicted(shared_data / "energy"):
        low, high = language_band(model, fitted=True)
        inside.append(low <= ratio <= high)
    assert mean(inside) > 0.88


def test_dense_curves_look_like_the_fitted_ones(shared_data: Path) -> None:
    """The two-point form a + b/B of each dense chat configuration, at both of its ends."""
    folder = shared_data / "energy"
    models = {row["model_id"]: _model(row) for row in _rows(folder / "models.csv")}
    ratios = []
    for row in _rows(folder / "curves_a_plus_b_over_B.csv"):
        model = models[row["model_id"]]
        if row["task"] != "lm-arena-chat" or model.architecture != "dense":
            continue
        curve = language_curve(
            model,
            _fit(row["gpu"]),
            gpus_count=int(row["n_gpus"]),
            context_tokens_count=250 + 641 / 2,
        )
        for batch in (float(row["B_min"]), float(row["B_max"])):
            fitted_j = float(row["a_J_per_tok"]) + float(row["b_J_per_step"]) / batch
            ratios.append(curve.average_j_per_token(batch) / fitted_j)
    assert len(ratios) >= 20
    assert median(ratios) == pytest.approx(1.0, abs=0.1)
    assert median(abs(ratio - 1) for ratio in ratios) < 0.15

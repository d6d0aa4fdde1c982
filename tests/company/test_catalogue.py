"""Lookups in a catalogue, and what a row of it refuses to be."""

from dataclasses import replace
from datetime import date

import pytest

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.errors import InputError, UnknownAccelerator, UnknownModel

BOARD = Accelerator(
    accelerator="H100",
    tdp_w=700.0,
    idle_w=70.0,
    memory_gb=80.0,
    bandwidth_gb_per_s=3350.0,
    bf16_tflop_per_s=989.0,
    fp8_tflop_per_s=1979.0,
    price_usd=None,
    source="by hand",
    source_kind="recalled",
    retrieved_on=date(2026, 11, 24),
    verified=False,
)
MOE = LanguageModel(
    model_id="mixtral-8x7b",
    hub_id="mistralai/Mixtral-8x7B-Instruct-v0.1",
    total_b=46.7,
    active_b=12.9,
    layers=32,
    hidden=4096,
    kv_full_bytes_per_token=131072.0,
    kv_slide_bytes_per_token=0.0,
    window_tokens=0,
    experts=8,
    topk=2,
    bytes_per_weight=2.0,
    architecture="moe",
    family="mixtral",
    family_measured=False,
    source="by hand",
    source_kind="recalled",
    retrieved_on=date(2026, 11, 24),
    verified=False,
)
VIDEO = MediaModel(
    model_id="wan2.1-14b",
    hub_id="Wan-AI/Wan2.1-T2V-14B-Diffusers",
    kind="video_second",
    params_b=14.0,
    layers=40,
    hidden=5120,
    text_tokens=0,
    cfg_passes=2,
    full_attention=True,
    pixels_per_token=16,
    frames_per_latent=4,
    latents_per_token=1,
    fps=16.0,
    height=480,
    width=832,
    frames=81,
    steps=50,
    source="by hand",
    source_kind="recalled",
    retrieved_on=date(2026, 11, 24),
    verified=False,
)
CATALOGUE = Catalogue(accelerators=(BOARD,), models=(MOE,), media_models=(VIDEO,), coefficients=())


@pytest.mark.parametrize(
    "name", ["mixtral-8x7b", "MIXTRAL-8x7B", "mistralai/mixtral-8x7b-instruct-v0.1"]
)
def test_a_model_answers_to_either_name_in_any_case(name: str) -> None:
    assert CATALOGUE.model(name) is MOE
    assert CATALOGUE.language_model(name) is MOE


def test_an_accelerator_answers_in_any_case() -> None:
    assert CATALOGUE.accelerator("h100") is BOARD


def test_an_unknown_model_is_told_its_nearest() -> None:
    with pytest.raises(UnknownModel, match=r"'mixtrl-8x7b'.*'mixtral-8x7b'"):
        CATALOGUE.model("mixtrl-8x7b")


def test_an_unknown_accelerator_is_told_its_nearest_or_all() -> None:
    with pytest.raises(UnknownAccelerator, match="'H100'"):
        CATALOGUE.accelerator("H10")
    with pytest.raises(UnknownAccelerator, match="known are H100"):
        CATALOGUE.accelerator("zzz")


def test_a_model_of_the_other_kind_says_so() -> None:
    with pytest.raises(UnknownModel, match="video_seconds, not tokens"):
        CATALOGUE.language_model("wan2.1-14b")
    with pytest.raises(UnknownModel, match="makes tokens"):
        CATALOGUE.media_model("mixtral-8x7b")


def test_no_fit_is_none_not_an_error() -> None:
    assert CATALOGUE.fitted_coefficients("H100") is None


def test_parts_of_a_mixture() -> None:
    """(46.7 - 12.9) / (8 - 2) = 5.6333 per expert; 12.9 - 2 x 5.6333 = 1.6333 shared."""
    assert MOE.expert_b == pytest.approx(5.63333, abs=1e-5)
    assert MOE.shared_b == pytest.approx(1.63333, abs=1e-5)
    assert MOE.weights_gb == pytest.approx(93.4)
    assert MOE.at_precision(1.0).weights_gb == pytest.approx(46.7)
    assert MOE.kind == "token"


def test_a_model_that_uses_every_expert_is_dense() -> None:
    dense = replace(MOE, experts=8, topk=8, total_b=12.9)
    assert not dense.routes_experts
    assert (dense.expert_b, dense.shared_b) == (0.0, 12.9)


def test_the_window_bounds_the_sliding_cache() -> None:
    """100 x 10 + 50 x 4 = 1,200 bytes of a sequence of 10 tokens with a window of 4."""
    model = replace(
        MOE, kv_full_bytes_per_token=100.0, kv_slide_bytes_per_token=50.0, window_tokens=4
    )
    assert model.kv_gb(10) == pytest.approx(1.2e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"active_b": 47.0},
        {"active_b": 0.0},
        {"topk": 9},
        {"topk": 0},
        {"layers": 0},
        {"bytes_per_weight": 0.0},
        {"kv_full_bytes_per_token": -1.0},
        {"total_b": float("nan")},
    ],
)
def test_an_impossible_language_model_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match="mixtral-8x7b"):
        replace(MOE, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"fps": None}, {"kind": "image"}, {"steps": 0}])
def test_an_impossible_media_model_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"wan2\.1-14b"):
        replace(VIDEO, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"idle_w": 0.0}, {"idle_w": 701.0}, {"memory_gb": -1.0}])
def test_an_impossible_board_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match="H100"):
        replace(BOARD, **change)  # type: ignore[arg-type]

"""The shipped CSV files: every row loads, says where it comes from, and has no twin."""

import csv
from pathlib import Path

import pytest

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
ROWS: tuple[Accelerator | LanguageModel | MediaModel, ...] = (
    *CATALOGUE.accelerators,
    *CATALOGUE.models,
    *CATALOGUE.media_models,
)


def test_it_is_read_once() -> None:
    assert load_catalogue() is CATALOGUE


def test_it_holds_what_the_examples_name() -> None:
    boards = ("A100-80GB", "H100", "H200", "B200", "GB200", "MI300X", "MI325X", "L40S", "L4")
    models = ("llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "qwen3-32b", "gpt-oss-120b")
    for name in boards:
        assert CATALOGUE.accelerator(name).idle_w > 0
    for name in models:
        assert CATALOGUE.language_model(name).model_id == name
    assert len(CATALOGUE.media_models) == 12
    assert [row.accelerator for row in CATALOGUE.coefficients] == ["H100", "B200"]


def test_it_holds_what_the_small_language_model_runs_on() -> None:
    """Weights by the dimensions of its layers; 460.8 GB/s = 12 channels x 8 bytes x 4.8 GT/s."""
    layer = 2 * 576**2 + 2 * 576 * 192 + 3 * 576 * 1536 + 2 * 576
    model = CATALOGUE.language_model("smollm2-135m")
    assert model.total_b == pytest.approx((49152 * 576 + 30 * layer + 576) / 1e9, rel=1e-6)
    processor = CATALOGUE.accelerator("EPYC-9654")
    assert processor.tdp_w == 360
    assert processor.bandwidth_gb_per_s == pytest.approx(12 * 8 * 4.8)


def test_names_are_unique_across_kinds() -> None:
    names = [
        name.lower()
        for row in (*CATALOGUE.models, *CATALOGUE.media_models)
        for name in (row.model_id, row.hub_id)
    ]
    assert len(set(names)) == len(names)
    boards = [row.accelerator.lower() for row in CATALOGUE.accelerators]
    assert len(set(boards)) == len(boards)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: getattr(row, "model_id", "board"))
def test_a_row_says_where_it_comes_from(
    row: Accelerator | LanguageModel | MediaModel,
) -> None:
    assert row.source
    assert row.source_kind in {"config", "datasheet", "measured", "published", "recalled"}
    assert row.retrieved_on.isoformat() == "2026-11-24"
    assert not (row.verified and row.source_kind == "recalled")


def test_the_coefficients_are_those_of_the_sheet() -> None:
    h100 = CATALOGUE.fitted_coefficients("h100")
    assert h100 is not None
    assert h100.language.c_layer_j == 0.0216
    assert h100.language.x_fp8moe_ratio == 6.190
    assert h100.media(gpus_count=1).c_lin_j_per_tflop == 0.995
    assert h100.media(gpus_count=2).c_n_ratio == 0.155
    assert h100.power_share_of("token") == 0.82
    assert h100.power_share_of("image") == 0.73
    assert h100.power_share_of("video_second") == 0.90
    assert h100.blind_mape_share == 0.239


def test_the_facts_stay_close_to_the_rows_that_the_fit_used(shared_data: Path) -> None:
    """A corrected row changes the fit: until it is redone, 1 % is as far as they may part."""
    with (shared_data / "energy" / "models.csv").open(encoding="utf-8") as file:
        recalled = {row["model_id"]: row for row in csv.DictReader(file)}
    shared = [row for row in CATALOGUE.models if row.hub_id in recalled]
    assert len(shared) >= 20
    for row in shared:
        other = recalled[row.hub_id]
        assert row.total_b == pytest.approx(float(other["total_b"]), rel=0.01)
        assert row.active_b == pytest.approx(float(other["active_b"]), rel=0.01)
        assert row.bytes_per_weight == pytest.approx(float(other["bytes_per_weight"]), rel=0.02)
        assert row.kv_full_bytes_per_token == float(other["kv_full_B"])
        assert row.kv_slide_bytes_per_token == float(other["kv_slide_B"])
        assert (row.layers, row.experts, row.topk, row.window_tokens) == (
            int(other["layers"]),
            int(other["experts"]),
            int(other["topk"]),
            int(other["window"]),
        )
        assert row.architecture == other["arch"]


@pytest.mark.parametrize(
    ("name", "layers", "kv_heads", "head_size"),
    [
        ("llama-3.1-8b", 32, 8, 128),
        ("llama-3.1-70b", 80, 8, 128),
        ("llama-3.1-405b", 126, 8, 128),
        ("qwen3-30b-a3b", 48, 4, 128),
        ("qwen3-235b-a22b", 94, 4, 128),
        ("mixtral-8x7b", 32, 8, 128),
        ("smollm2-135m", 30, 3, 64),
    ],
)
def test_the_cache_is_keys_and_values_of_every_layer_in_bf16(
    name: str, layers: int, kv_heads: int, head_size: int
) -> None:
    """2 (key and value) x layers x heads x head size x 2 bytes."""
    model = CATALOGUE.language_model(name)
    assert model.kv_full_bytes_per_token == 2 * layers * kv_heads * head_size * 2

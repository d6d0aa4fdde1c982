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
    boards = ("A100-80GB", "H100", "H200", "B200", "GB200", "MI300X", "MI325X", "L40S", "L4",
              "TPU-v4", "EPYC-9654")  # fmt: skip
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


def test_rates_are_dense_and_a_missing_one_is_none() -> None:
    """FP8 is twice BF16 to rounding; sheets print the sparse rates, twice these."""
    for row in CATALOGUE.accelerators:
        if row.fp8_tflop_per_s is not None:
            assert row.fp8_tflop_per_s == pytest.approx(2 * row.bf16_tflop_per_s, rel=0.015)
    assert CATALOGUE.accelerator("A100-80GB").fp8_tflop_per_s is None
    assert CATALOGUE.accelerator("TPU-v4").memory_gb == pytest.approx(32 * 2**30 / 1e9, abs=0.01)


def test_a_process_on_a_board_costs_watts_where_they_were_measured() -> None:
    """71.8 + 49.9 W on an H100 (arXiv 2605.23918); idle alone where nobody measured it."""
    assert CATALOGUE.accelerator("H100").waiting_w == pytest.approx(121.7)
    h200 = CATALOGUE.accelerator("H200")
    assert h200.context_w is None
    assert h200.waiting_w == h200.idle_w


def test_the_reference_stack_is_one_and_an_unknown_stack_is_none() -> None:
    for board in ("H100", "B200", "MI300X"):
        row = CATALOGUE.stack("vLLM  0.11.1", accelerator=board)
        assert row is not None
        assert (row.scalar_ratio, row.band) == (1.0, (1.0, 1.0))
    fitted = CATALOGUE.stack("vllm 0.11.1", accelerator="h100")
    assert fitted is not None
    assert fitted.points_count == 405
    assert CATALOGUE.stack("vllm 0.5.4", accelerator="A100-80GB") is None
    assert CATALOGUE.stack("sglang 0.5.9", accelerator="H100") is None


def test_the_old_stack_states_what_its_one_number_is_made_of() -> None:
    """Predictions were 0.58 of what was measured: 1 / 0.58 = 1.724."""
    old = CATALOGUE.stack("vllm 0.5.4", accelerator="H100")
    assert old is not None
    assert old.scalar_ratio == pytest.approx(1 / 0.58, abs=0.005)
    assert "non-commercial" in old.source
    assert old.data_version.startswith("ML.ENERGY benchmark v2")


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
    assert row.retrieved_on.isoformat() >= "2026-11-24"
    assert not (row.verified and row.source_kind == "recalled")


def test_the_coefficients_are_plausible_and_say_how_good_they_are() -> None:
    """TDP over bandwidth is 0.21 J/GB on an H100: weights and cache cost about that much."""
    h100 = CATALOGUE.fitted_coefficients("h100")
    assert h100 is not None
    per_gb = 700 / 3_350
    assert 0.5 * per_gb < h100.language.c_w_j_per_gb < 2 * per_gb
    assert 0.5 * per_gb < h100.language.c_kv_j_per_gb < 2 * per_gb
    assert h100.language.c_layer_j > 0
    for gpus_count in (1, 2):
        assert 0.5 < h100.media(gpus_count=gpus_count).c_lin_j_per_tflop < 2
    assert h100.power_share_of("token") == 0.82
    assert h100.power_share_of("image") == 0.73
    assert h100.power_share_of("video_second") == 0.90
    assert h100.in_sample_mape_share is not None
    assert h100.blind_mape_share is not None
    assert h100.in_sample_mape_share < h100.blind_mape_share < 0.25


def test_the_facts_stay_close_to_the_rows_that_were_recalled(shared_data: Path) -> None:
    """What the check corrected: encoders are not active, and FP8 files are not all FP8."""
    with (shared_data / "energy" / "models.csv").open(encoding="utf-8") as file:
        recalled = {row["model_id"]: row for row in csv.DictReader(file)}
    shared = [row for row in CATALOGUE.models if row.hub_id in recalled]
    assert len(shared) >= 44
    for row in shared:
        other = recalled[row.hub_id]
        assert row.total_b == pytest.approx(float(other["total_b"]), rel=0.01)
        with_encoder_b = row.active_b + row.encoder_b
        nearest = min(
            (row.active_b, with_encoder_b), key=lambda b: abs(b - float(other["active_b"]))
        )
        assert nearest == pytest.approx(float(other["active_b"]), rel=0.16)
        assert row.bytes_per_weight == pytest.approx(float(other["bytes_per_weight"]), rel=0.21)
        if not row.model_id.startswith("phi-3"):
            assert row.kv_full_bytes_per_token == float(other["kv_full_B"])
            assert row.kv_slide_bytes_per_token == float(other["kv_slide_B"])
            assert row.window_tokens == int(other["window"])
        assert (row.layers, row.experts, row.topk) == (
            int(other["layers"]),
            int(other["experts"]),
            int(other["topk"]),
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

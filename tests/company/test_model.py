"""Each language model of the catalogue against the shape its publisher states.

The oracle is `model_shapes`: it counts the matrices of each layer and knows nothing of ours.
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_shape_table import MEASURED, OTHERS

from tokenergy.company.model import LanguageModel
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue

SHAPES = {**MEASURED, **OTHERS}
MODELS = {row.model_id: row for row in load_catalogue().models}
ROUNDED_B = 0.000501
"""Rows are rounded to a million parameters, below 10^9 to a thousand."""
INPUT_TABLE_LEFT_OUT = ("gpt-oss-120b", "gpt-oss-20b")
"""Whose publisher counts no input table among the active parameters."""

CHECKPOINTS = {
    "llama-3.1-405b-fp8": "fp8 perceptrons",
    "llama-4-maverick-fp8": "fp8 experts",
    "gpt-oss-120b": "mxfp4",
    "gpt-oss-20b": "mxfp4",
    **dict.fromkeys(
        [
            "qwen3-235b-a22b-fp8", "qwen3-235b-a22b-thinking-fp8", "qwen3-vl-235b-a22b-fp8",
            "qwen3-coder-480b-a35b-fp8", "deepseek-v3", "deepseek-v3.1", "deepseek-r1",
            "kimi-k2", "minimax-m2",
        ],
        "fp8 blocks",
    ),
}  # fmt: skip
"""How the weights of a model are stored, where not all of them in BF16."""

PUBLISHED_B = {
    "llama-3.1-8b": (8.03, 8.03),
    "llama-3.1-70b": (70.6, 70.6),
    "llama-3.1-405b": (405, 405),
    "llama-4-scout": (109, 17),
    "llama-4-maverick": (400, 17),
    "qwen3-32b": (32.8, 32.8),
    "qwen3-30b-a3b": (30.5, 3.3),
    "qwen3-235b-a22b": (235, 22),
    "qwen3-coder-480b-a35b": (480, 35),
    "gpt-oss-120b": (117, 5.1),
    "gpt-oss-20b": (21, 3.6),
    "deepseek-v3": (671, 37),
    "kimi-k2": (1000, 32),
    "minimax-m2": (230, 10),
    "glm-4.5": (355, 32),
    "glm-4.5-air": (106, 12),
    "gemma-3-27b": (27.4, 27),
    "nemotron-nano-9b-v2": (8.9, 8.9),
    "mixtral-8x7b": (46.7, 12.9),
    "mixtral-8x22b": (141, 39),
    "phi-4": (14.7, 14.7),
    "qwen2.5-72b": (72.7, 72.7),
    "smollm2-1.7b": (1.71, 1.71),
}
"""Total and active parameters as the model cards round them, 10^9."""

FOLDS = {
    "235B-A22B": "qwen3-235b-a22b",
    "480B-A35B": "qwen3-coder-480b-a35b",
    "30B-A3B": "qwen3-30b-a3b",
    "DeepSeek": "deepseek-v3",
    "gemma-3-12b": "gemma-3-12b",
    "gemma-3-27b": "gemma-3-27b",
    "70B": "llama-3-70b",
    "405B": "llama-3.1-405b",
    "3.1-8B": "llama-3.1-8b",
    "Scout": "llama-4-scout",
    "Maverick": "llama-4-maverick",
    "Nemotron-Nano-9B": "nemotron-nano-9b",
    "Nemotron-Nano-12B": "nemotron-nano-12b",
    "gpt-oss-120b": "gpt-oss-120b",
    "gpt-oss-20b": "gpt-oss-20b",
    "14B": "qwen3-14b",
    "32B": "qwen3-32b",
    "8B": "qwen3-8b",
}
"""The folds of energy.md section 3: the first part of a name that is found names the family."""


def test_there_are_at_least_forty_and_each_has_a_shape() -> None:
    assert len(MODELS) >= 40
    assert set(MODELS) == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_are_those_of_the_layers(name: str) -> None:
    row, shape = MODELS[name], SHAPES[name]
    left_out = name in INPUT_TABLE_LEFT_OUT
    own_table = 0 if left_out or shape.tied else shape.table
    counted = {
        "total_b": shape.total,
        "active_b": shape.read if left_out else shape.active,
        "routed_b": shape.routed,
        "shared_expert_b": shape.shared,
        "embedding_b": own_table,
        "encoder_b": shape.encoders,
    }
    for fact, count in counted.items():
        assert getattr(row, fact) == pytest.approx(count / 1e9, abs=ROUNDED_B), fact
    assert row.read_b == pytest.approx(shape.read / 1e9, abs=2 * ROUNDED_B)
    assert row.expert_b == pytest.approx(shape.moe_layers * shape.expert / 1e9, rel=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_dimensions_cache_and_widths_are_those_of_the_shape(name: str) -> None:
    row, shape = MODELS[name], SHAPES[name]
    assert (row.layers, row.hidden, row.kv_heads) == (shape.layers, shape.hidden, shape.kv_heads)
    assert (row.experts, row.topk, row.moe_layers) == (
        shape.experts, shape.topk, shape.moe_layers,
    )  # fmt: skip
    assert row.expert_hidden == shape.expert_inner
    assert row.attention_layers == shape.attending
    assert row.kv_full_bytes_per_token == shape.cache_full
    assert row.kv_slide_bytes_per_token == shape.cache_slide
    assert row.window_tokens == shape.window
    assert row.state_bytes == (shape.mamba.state_bytes if shape.mamba else 0)
    checkpoint = CHECKPOINTS.get(name, "bf16")
    assert row.bytes_per_weight == pytest.approx(shape.mean_bytes(checkpoint), rel=1e-3)
    assert row.weight_format == checkpoint.replace(" blocks", "_block").split()[0]
    kind = "hybrid" if shape.mamba else "moe" if shape.experts else "dense"
    assert row.architecture == kind


@pytest.mark.parametrize("name", PUBLISHED_B)
def test_the_count_agrees_with_the_publisher_as_far_as_it_is_rounded(name: str) -> None:
    """Kimi's 1 T is 1.026; DeepSeek's 37 and MiniMax's 10 leave out a table or both."""
    total_b, active_b = PUBLISHED_B[name]
    assert MODELS[name].total_b == pytest.approx(total_b, rel=0.03)
    assert MODELS[name].active_b == pytest.approx(active_b, rel=0.12)


def test_a_latent_cache_is_576_values_a_layer() -> None:
    """(512 + 64) values x 61 layers x 2 bytes; no second one for values."""
    assert MODELS["deepseek-v3"].kv_full_bytes_per_token == (512 + 64) * 61 * 2


def test_hybrids_keep_four_and_six_layers_of_cache() -> None:
    """9B: 27 Mamba + 4 attention + 25 perceptrons = 56; 12B: 28 + 6 + 28 = 62.

    State of a Mamba layer: 128 heads x 80 x 128 x 4 bytes, and 3 x (10240 + 2 x 8 x 128) x 2.
    """
    layer_bytes = 128 * 80 * 128 * 4 + 3 * (10240 + 2 * 8 * 128) * 2
    nine, twelve = MODELS["nemotron-nano-9b-v2"], MODELS["nemotron-nano-12b-v2"]
    assert (nine.layers, nine.attention_layers) == (56, 4)
    assert (twelve.layers, twelve.attention_layers) == (62, 6)
    assert nine.state_bytes == 27 * layer_bytes
    assert twelve.state_bytes == 28 * layer_bytes


def test_no_row_is_recalled_and_few_are_unverified() -> None:
    """What is left: how two checkpoints divide FP8 and BF16, and the width of one's states."""
    assert not [row.model_id for row in MODELS.values() if row.source_kind == "recalled"]
    unverified = {row.model_id for row in MODELS.values() if not row.verified}
    assert unverified <= {
        "llama-4-maverick-fp8", "qwen3-vl-235b-a22b-fp8", "qwen3-next-80b-a3b",
    }  # fmt: skip
    assert all("recalled" not in row.source for row in MODELS.values())


def test_a_measured_model_is_in_the_family_of_its_fold() -> None:
    for name in MEASURED:
        row = MODELS[name]
        short = row.hub_id.split("/")[1]
        assert row.family == next(fold for part, fold in FOLDS.items() if part in short)
        assert row.family_measured


def test_others_lean_on_measurements_only_in_the_same_shape() -> None:
    """A family is measured where one of its models is in the benchmark."""
    measured = {MODELS[name].family for name in MEASURED}
    for name in OTHERS:
        assert MODELS[name].family_measured == (MODELS[name].family in measured)


def test_all_of_the_benchmark_is_in_the_catalogue(shared_data: Path) -> None:
    with (shared_data / "energy" / "mlenergy_v3_llm.csv").open(encoding="utf-8") as file:
        hub_ids = {row["model_id"] for row in csv.DictReader(file)}
    assert hub_ids == {MODELS[name].hub_id for name in MEASURED}


@given(width=st.sampled_from([0.5, 0.55, 1.0, 2.0]), name=st.sampled_from(sorted(MODELS)))
def test_another_width_changes_memory_alone(width: float, name: str) -> None:
    row = MODELS[name]
    other = row.at_precision(width)
    assert other.weights_gb == pytest.approx(row.total_b * width)
    assert (other.read_b, other.expert_b) == (row.read_b, row.expert_b)
    assert other.computes_in_fp8 == (width == 1.0)


def test_its_own_width_is_no_change() -> None:
    """A mean of 1.006 bytes stays FP8 through a file that says no more than the width."""
    row = MODELS["qwen3-235b-a22b-fp8"]
    assert row.at_precision(row.bytes_per_weight) is row
    assert row.computes_in_fp8


def test_without_the_newer_facts_an_expert_is_total_less_active() -> None:
    """(46.7 - 12.9) / (8 - 2) = 5.633; shared 12.9 - 2 x 5.633 = 1.633."""
    row = bare(MODELS["mixtral-8x7b"], total_b=46.7, active_b=12.9)
    assert row.expert_b == pytest.approx(5.6333, rel=1e-4)
    assert row.shared_read_b == row.shared_b == pytest.approx(1.6333, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"embedding_b": 5.0}, "less than the embedding 5"),
        ({"shared_expert_b": -1.0}, "negative count of parameters"),
        ({"encoder_b": float("nan")}, "negative count of parameters"),
        ({"moe_layers": 33}, "33 MoE layers in 32 layers"),
        ({"attention_layers": 33}, "33 attention layers"),
        ({"total_b": 1.0}, "below active_b"),
        ({"topk": 9}, "uses 9 of 8 experts"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(MODELS["mixtral-8x7b"], **change)


def bare(row: LanguageModel, *, total_b: float, active_b: float) -> LanguageModel:
    """Return a row as older files have it."""
    return replace(
        row, total_b=total_b, active_b=active_b, routed_b=None, embedding_b=0.0, moe_layers=0
    )

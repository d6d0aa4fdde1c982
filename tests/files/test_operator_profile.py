"""Operator profiles: three small tables by hand, and what is wrong with others."""

from pathlib import Path

import numpy as np
import pytest

from tokenergy.errors import FindingsError
from tokenergy.files.operator_profile import ProfileFiles, read_operator_profile

OPERATORS = (
    "embedding", "final_layernorm", "layernorm", "qkv_proj", "rotary_emb", "o_proj",
    "gate_up_proj", "act_fn", "down_proj",
)  # fmt: skip
COLUMNS = (
    "accelerator", "prefill_chunk_tokens", "kv_prefill_tokens", "decode_count",
    "kv_decode_tokens", "time_us",
)  # fmt: skip
ROWS = """
card,0,0,1,16,10.0
card,0,0,2,16,11.0
card,16,0,0,0,20.0
card,24,0,0,0,25.0
card,16,0,1,16,30.0
other,0,0,1,16,99.0
"""


@pytest.fixture
def files(tmp_path: Path) -> ProfileFiles:
    dense = ["accelerator,operator,tokens,time_us"]
    dense += [f"card,{name},{n},{1000 * n}" for name in OPERATORS for n in (1, 8)]
    written = {
        "attention": ",".join(COLUMNS) + ROWS,
        "dense": "\n".join(dense),
        "per_sequence": "accelerator,operator,sequences,time_us\ncard,lm_head,1,500\n"
        "card,sampler,1,100\n",
    }
    for name, text in written.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return ProfileFiles(**{name: tmp_path / f"{name}.csv" for name in written})


def test_operators_run_as_often_as_a_transformer_runs_them(files) -> None:
    """10 layers: 2 once, layernorm 20 times, 6 others 10 times: 82 ms at 1 token, 656 at 8."""
    profile = read_operator_profile(files, accelerator="card", layers_count=10)
    assert profile.dense_tokens.tolist() == [1, 8]
    assert profile.dense_s == pytest.approx(np.array([0.082, 0.656]))
    assert profile.sequences_s == pytest.approx(np.array([600e-6]))
    assert profile.layers_count == 10


def test_nodes_are_the_powers_of_two_that_were_measured(files) -> None:
    profile = read_operator_profile(files, accelerator="card", layers_count=10)
    nodes = profile.nodes
    assert nodes.chunk_tokens.tolist() == [16]
    assert nodes.context_tokens.tolist() == [0]
    assert nodes.decodes_count.tolist() == [1]
    assert nodes.lone_decodes_count.tolist() == [1, 2]
    assert nodes.decode_context_tokens.tolist() == [16]
    assert profile.attention.attention_s == pytest.approx(np.array([10, 11, 20, 25, 30]) * 1e-6)


def test_an_accelerator_nobody_measured_is_refused(files) -> None:
    with pytest.raises(FindingsError, match="no row is of 'third', only of card, other"):
        read_operator_profile(files, accelerator="third", layers_count=10)


def test_operators_that_are_missing_unknown_or_ragged_are_told_at_once(files) -> None:
    text = files.dense.read_text(encoding="utf-8")
    text = text.replace("card,act_fn,8,8000\n", "").replace("down_proj", "down_projection")
    files.dense.write_text(text, encoding="utf-8")
    with pytest.raises(FindingsError) as told:
        read_operator_profile(files, accelerator="card", layers_count=10)
    assert [finding.path for finding in told.value.findings] == [
        "down_projection", "down_proj", "act_fn",
    ]  # fmt: skip


def test_a_missing_column_is_named(files) -> None:
    text = files.attention.read_text(encoding="utf-8").replace("kv_decode_tokens", "held")
    files.attention.write_text(text, encoding="utf-8")
    with pytest.raises(FindingsError, match="kv_decode_tokens"):
        read_operator_profile(files, accelerator="card", layers_count=10)

"""Benchmark rows as points of energy curves; made-up values in the true shape.

Shape: rows of the benchmarks API of SemiAnalysisAI/InferenceX (its test rows and the columns of
its PowerX export): figures under `metrics`, `power_valid` 1, 0 or absent, `avg_power_w` per GPU.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.files.curve_import import CurveImport
from tokenergy.files.inferencex import read_inferencex


def bench(conc: int = 16, **metrics: Any) -> dict[str, Any]:
    """8 GPUs x 500 W over 8 x 1,000 tokens/s = 0.5 J of any token; 9 in for 1 out: 5 J each."""
    return {
        "id": 1,
        "model": "m",
        "hardware": "h200",
        "framework": "sglang",
        "image": "sglang:v0.5",
        "precision": "fp8",
        "disagg": False,
        "num_prefill_gpu": 8,
        "num_decode_gpu": 8,
        "decode_num_workers": 0,
        "benchmark_type": "single_turn",
        "isl": 9000,
        "osl": 1000,
        "conc": conc,
        "date": "2026-03-02",
        "metrics": {
            "power_valid": 1,
            "power_metric_schema_version": 2,
            "avg_power_w": 500.0,
            "tput_per_gpu": 1000.0,
            "joules_per_total_token": 0.5,
            "joules_per_output_token": 5.0,
        }
        | metrics,
    }


def read(path: Path, *rows: dict[str, Any]) -> CurveImport:
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return read_inferencex(path)


def test_rows_are_points_of_a_curve(tmp_path: Path) -> None:
    found = read(tmp_path / "b.json", bench(4), bench(8), bench(16))
    assert not found.findings and not found.refused
    point = found.points[2]
    assert (point.model, point.accelerator, point.gpus_count) == ("m", "h200", 8)
    assert (point.batch_count, point.j_per_token, point.boundary) == (16.0, 5.0, "gpu")
    assert (point.stack, point.tier) == ("sglang sglang:v0.5 fp8", "calibrated")


def test_roles_on_gpus_of_their_own_are_added_and_workers_share_the_batch(tmp_path: Path) -> None:
    row = bench(64) | {"disagg": True, "decode_num_workers": 2}
    (point,) = read(tmp_path / "b.json", row).points
    assert (point.gpus_count, point.replicas_count, point.batch_count) == (16, 2, 32.0)


def test_replicas_that_do_not_share_the_gpus_evenly_leave_the_rest_alone(tmp_path: Path) -> None:
    """16 GPUs of 5 workers: that row is refused, and not the file."""
    odd = bench(64) | {"disagg": True, "decode_num_workers": 5}
    found = read(tmp_path / "b.json", bench(4), bench(8), odd)
    assert len(found.points) == 2
    assert found.refused_counts == {"REPLICAS_UNEVEN": 1}


@pytest.mark.parametrize(
    ("metrics", "code"),
    [
        ({"power_valid": 0}, "POWER_INVALID"),
        ({"power_valid": None}, "POWER_INVALID"),
        ({"power_metric_schema_version": 1}, "POWER_SCHEMA"),
        ({"power_metric_schema_version": None}, "POWER_SCHEMA"),
        ({"avg_power_w": 540.0}, "POWER_INCONSISTENT"),
        ({"joules_per_total_token": 0.4}, "POWER_INCONSISTENT"),
        ({"joules_per_output_token": 0.3}, "POWER_INCONSISTENT"),
        ({"joules_per_output_token": -5.0}, "POWER_INCONSISTENT"),
        ({"joules_per_output_token": None}, "JOULES_MISSING"),
    ],
)
def test_a_row_that_does_not_count_is_listed(
    tmp_path: Path, metrics: dict[str, Any], code: str
) -> None:
    found = read(tmp_path / "b.json", bench(), bench(**metrics))
    assert (len(found.points), [each.code for each in found.refused]) == (1, [code])
    with pytest.raises(FindingsError, match=code):
        read(tmp_path / "b.json", bench() | {"metrics": bench(**metrics)["metrics"]})


def test_agents_and_unchecked_and_few_points_are_told(tmp_path: Path) -> None:
    agents = bench() | {"benchmark_type": "agentic_traces"}
    found = read(tmp_path / "b.json", bench(tput_per_gpu=None), agents)
    told = [each.code for each in found.findings]
    assert told == ["POWER_UNCHECKED", "OTHER_BENCHMARK", "CURVE_FEW_POINTS"]


def test_the_export_says_the_same(tmp_path: Path) -> None:
    row = bench()
    flat = {k: v for k, v in row.items() if k != "metrics"} | row["metrics"]
    text = ",".join(flat) + "\n" + ",".join(str(value) for value in flat.values()) + "\n"
    (tmp_path / "b.csv").write_text(text)
    (point,) = read_inferencex(tmp_path / "b.csv").points
    assert (point.batch_count, point.j_per_token, point.gpus_count) == (16.0, 5.0, 8)


@given(st.floats(0.5, 2.0))
def test_five_per_cent_and_no_more(tmp_path_factory: pytest.TempPathFactory, off: float) -> None:
    path = tmp_path_factory.mktemp("b") / "b.json"
    if abs(off - 1.0) <= 0.0499:
        assert len(read(path, bench(avg_power_w=500.0 * off)).points) == 1
    elif abs(off - 1.0) >= 0.0501:
        with pytest.raises(FindingsError, match="POWER_INCONSISTENT"):
            read(path, bench(avg_power_w=500.0 * off))


def test_what_changes_the_joules_of_a_batch_is_part_of_the_stack(tmp_path: Path) -> None:
    """Drafted tokens and roles on GPUs of their own are other replicas than plain ones."""
    rows = [bench(4), bench(4) | {"spec_method": "mtp"}, bench(4) | {"disagg": True}]
    stacks = [point.stack for point in read(tmp_path / "b.json", *rows).points]
    assert stacks == [
        "sglang sglang:v0.5 fp8",
        "sglang sglang:v0.5 fp8 mtp",
        "sglang sglang:v0.5 fp8 disaggregated",
    ]


def test_keys_of_models_and_precisions_are_those_of_the_catalogue(tmp_path: Path) -> None:
    rows = [
        bench(4) | {"model": "llama70b"},
        bench(4) | {"model": "gptoss120b", "precision": "fp4"},
        bench(4) | {"model": "m", "precision": "new"},
    ]
    points = read(tmp_path / "b.json", *rows).points
    assert [point.model for point in points] == [
        "meta-llama/Llama-3.3-70B-Instruct", "openai/gpt-oss-120b", "m",
    ]  # fmt: skip
    assert [point.bytes_per_weight for point in points] == [1.0, 0.56, None]

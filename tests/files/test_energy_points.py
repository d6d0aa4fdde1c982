"""Files of measured points: read, named by the catalogue, refused with reasons, written, read."""

import json
from pathlib import Path

import pytest

from tokenergy.errors import FindingsError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.energy_points import (
    kind_of,
    read_calibration,
    read_measured_points,
    write_points,
)

CATALOGUE = load_catalogue()
HEADER = "model,accelerator,gpus_count,stack,batch_count,j_per_token,avg_power_w_per_gpu,boundary"
GOOD = "meta-llama/Llama-3.1-8B-Instruct,h100,1,vllm  0.11.1,64,0.11,520,gpu"


def points_file(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "points.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_point_gets_the_names_of_the_catalogue(tmp_path: Path) -> None:
    read = read_measured_points(points_file(tmp_path, GOOD), CATALOGUE)
    (point,) = read.points
    assert (point.model, point.accelerator, point.stack) == ("llama-3.1-8b", "H100", "vllm 0.11.1")
    assert (point.avg_power_w_per_gpu, point.bytes_per_weight) == (520.0, None)
    assert point.source == "points.csv:2"


def test_precision_of_the_published_weights_is_no_precision_of_its_own(tmp_path: Path) -> None:
    header = HEADER + ",precision"
    rows = (f"{GOOD},bf16", f"{GOOD},fp8")
    read = read_measured_points(points_file(tmp_path, *rows, header=header), CATALOGUE)
    assert [point.bytes_per_weight for point in read.points] == [None, 1.0]


def test_names_can_be_given(tmp_path: Path) -> None:
    path = points_file(tmp_path, "ours,big-gpu,1,,64,0.11,,gpu")
    read = read_measured_points(path, CATALOGUE, names={"ours": "qwen3-8b", "Big-GPU": "B200"})
    assert (read.points[0].model, read.points[0].accelerator) == ("qwen3-8b", "B200")


def test_an_unknown_name_is_told_once_with_the_nearest(tmp_path: Path) -> None:
    row = "llama-3.1-8c,H100,1,,64,0.11,,gpu"
    with pytest.raises(FindingsError) as caught:
        read_measured_points(points_file(tmp_path, row, row, GOOD), CATALOGUE)
    (finding,) = caught.value.findings
    assert finding.code == "POINT_NAME"
    assert "llama-3.1-8b" in finding.reason


@pytest.mark.parametrize("boundary", ["it", "facility"])
def test_another_boundary_is_an_error(tmp_path: Path, boundary: str) -> None:
    row = GOOD.replace(",gpu", f",{boundary}")
    with pytest.raises(FindingsError, match="POINT_BOUNDARY"):
        read_measured_points(points_file(tmp_path, GOOD, row), CATALOGUE)


def test_an_unstated_boundary_is_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="boundary"):
        read_measured_points(points_file(tmp_path, "a,H100,1,64,0.1", header="model,accelerator,"
                             "gpus_count,batch_count,j_per_token"), CATALOGUE)  # fmt: skip
    read = read_measured_points(points_file(tmp_path, GOOD, GOOD[:-3]), CATALOGUE)
    assert read.refused_counts == {"POINT_BOUNDARY_UNSTATED": 1}


def test_what_is_written_reads_the_same(tmp_path: Path) -> None:
    header = HEADER + ",input_tokens,output_tokens,replicas_count,bytes_per_weight,source"
    path = points_file(
        tmp_path,
        f"{GOOD},250,641.5,1,,load test",
        "qwen3-8b,B200,4,,8,0.4,,gpu,,,2,1,=cell",
        header=header,
    )
    read = read_measured_points(path, CATALOGUE)
    kept = tmp_path / "kept.csv"
    write_points(kept, read.points)
    again = read_measured_points(kept, CATALOGUE)
    assert again.points == read.points
    assert "'=cell" in kept.read_text(encoding="utf-8")  # no spreadsheet runs it


def test_a_kind_is_told_by_its_columns(tmp_path: Path) -> None:
    assert kind_of(points_file(tmp_path, GOOD)) == "points"
    header = "model_id,gpu_model,num_gpus,avg_batch_size,energy_per_token_joules"
    assert kind_of(points_file(tmp_path, "a,b,1,1,1", header=header)) == "mlenergy"
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"model": "m", "metrics": {"power_valid": 1}}]), encoding="utf-8")
    assert kind_of(rows) == "inferencex"


def test_a_company_takes_all_of_its_file_or_nothing(tmp_path: Path) -> None:
    points_file(tmp_path, GOOD, GOOD.replace("0.11,520", "-1,520"))
    points, findings = read_calibration(tmp_path, "points.csv", CATALOGUE)
    assert points is None
    assert [(each.path, each.severity) for each in findings] == [("calibration", "error")]
    assert "points.csv" in findings[0].reason
    missing, told = read_calibration(tmp_path, "none.csv", CATALOGUE)
    assert missing is None
    assert told[0].code == "IMPORT_FILE_MISSING"

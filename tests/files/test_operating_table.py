"""The table of operating points on disk: whole, exact, and every fault of it at once."""

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from operating_rows import TERMS, made_row, rows_for

from tokenergy.errors import InputError
from tokenergy.files.company_file import check_file
from tokenergy.files.operating_table import (
    BEGINNING,
    COLUMNS,
    read_operating_rows,
    write_operating_rows,
)

Write = Callable[[Any], Path]


def test_what_was_written_is_read_back_exactly(tmp_path: Path) -> None:
    missed = made_row(
        replace(TERMS, workload="strict", network_s=1.0 / 3.0),
        rate_per_s=0.0, power_w=math.nan, base_w=math.nan, busy_share=math.nan,
        mean_batch_count=math.nan, marginal_j_per_token=math.nan, notes=(),
    )  # fmt: skip
    rows = (made_row(), missed, made_row(replace(TERMS, also="strict"), mix_error_share=0.2))
    write_operating_rows(tmp_path / "points.csv", rows)
    read, findings = read_operating_rows(tmp_path, "points.csv")
    assert findings == ()
    assert read is not None
    assert [repr(row) for row in read] == [repr(row) for row in rows]
    assert (tmp_path / "points.csv").read_bytes().startswith(BEGINNING)
    assert [path.name for path in tmp_path.iterdir()] == ["points.csv"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write_operating_rows(tmp_path / "none" / "points.csv", [made_row()])


def edited(path: Path, **cells: str) -> None:
    """Change cells of the first row."""
    with path.open(encoding="utf-8", newline="") as held:
        rows = list(csv.DictReader(held))
    rows[0].update(cells)
    with path.open("w", encoding="utf-8", newline="") as held:
        writer = csv.DictWriter(held, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        ({"rate_per_s": "many"}, ["OPERATING_TABLE_CELL"]),
        ({"rate_per_s": "inf"}, ["OPERATING_TABLE_CELL"]),
        ({"rate_per_s": ""}, ["OPERATING_TABLE_CELL"]),
        ({"rate_per_s": "-1"}, ["OPERATING_TABLE_CELL"]),
        ({"base_w": "-1"}, ["OPERATING_TABLE_CELL"]),
        ({"power_w": "", "busy_share": "0"}, ["OPERATING_TABLE_CELL"] * 2),
        ({"bound": "luck", "gpus_count": "1.5", "model": ""}, ["OPERATING_TABLE_CELL"] * 3),
        ({"tpot_limit_s": "0.08"}, ["OPERATING_ROW_CHANGED"]),
        ({"digest": ""}, ["OPERATING_ROW_CHANGED"]),
        ({"unloaded_ttft_s": "0"}, ["OPERATING_TABLE_CELL"]),
    ],
)
def test_every_bad_cell_is_a_finding(
    tmp_path: Path, cells: dict[str, str], codes: list[str]
) -> None:
    path = tmp_path / "points.csv"
    write_operating_rows(path, [made_row(), made_row(replace(TERMS, workload="free"))])
    edited(path, **cells)
    rows, findings = read_operating_rows(tmp_path, "points.csv")
    assert rows is None
    assert [finding.code for finding in findings] == codes
    assert all("row 2 of points.csv" in finding.reason for finding in findings)


def test_two_rows_for_one_pair_are_one_too_many(tmp_path: Path) -> None:
    write_operating_rows(tmp_path / "points.csv", [made_row(), made_row(rate_per_s=6.0)])
    rows, findings = read_operating_rows(tmp_path, "points.csv")
    assert rows is None
    assert [finding.code for finding in findings] == ["OPERATING_ROW_TWICE"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"fleet,model\na,b\n", "OPERATING_TABLE_COLUMNS"),
        (b"", "OPERATING_TABLE_COLUMNS"),
        (b"\xff\xfe\x00", "OPERATING_TABLE_UNREADABLE"),
        (None, "OPERATING_TABLE_MISSING"),
    ],
)
def test_a_file_that_is_no_table_is_told(tmp_path: Path, content: bytes | None, code: str) -> None:
    if content is not None:
        (tmp_path / "points.csv").write_bytes(content)
    rows, findings = read_operating_rows(tmp_path, "points.csv")
    assert rows is None
    assert [finding.code for finding in findings] == [code]
    assert findings[0].path == "operating_points"


# ---- named by a company ------------------------------------------------------------------


def test_a_company_carries_the_rows_it_names(clean: dict[str, Any], write: Write) -> None:
    path = write(clean)
    write_operating_rows(path.parent / "points.csv", rows_for(path))
    checked = check_file(write({**clean, "operating_points": "points.csv"}))
    assert checked.findings == ()
    assert checked.inputs is not None
    assert checked.inputs.operating_rows is not None
    assert [row.terms.workload for row in checked.inputs.operating_rows] == ["chat"]
    assert checked.inputs.sources["operating_points"] == "points.csv"


def test_a_company_without_a_table_has_none(clean: dict[str, Any], write: Write) -> None:
    checked = check_file(write(clean))
    assert checked.inputs is not None
    assert checked.inputs.operating_rows is None


def test_a_missing_table_is_an_error_with_its_line(clean: dict[str, Any], write: Write) -> None:
    checked = check_file(write({**clean, "operating_points": "points.csv"}))
    (finding,) = checked.findings
    assert (finding.code, finding.severity) == ("OPERATING_TABLE_MISSING", "error")
    assert finding.line is not None
    assert checked.inputs is None


def test_a_faulty_table_is_found_beside_other_faults(clean: dict[str, Any], write: Write) -> None:
    clean["models"][0]["quality_share"] = 2
    checked = check_file(write({**clean, "operating_points": "points.csv"}))
    codes = {finding.code for finding in checked.errors}
    assert "OPERATING_TABLE_MISSING" in codes
    assert len(codes) > 1


def test_a_stale_row_says_what_differs(clean: dict[str, Any], write: Write) -> None:
    path = write(clean)
    write_operating_rows(path.parent / "points.csv", rows_for(path))
    clean["tiers"][0]["tpot_limit_s"] = 0.08
    clean["workloads"][0]["output_tokens"] = 300
    checked = check_file(write({**clean, "operating_points": "points.csv"}))
    (finding,) = checked.findings
    assert (finding.code, finding.severity) == ("OPERATING_ROW_STALE", "warning")
    assert "tpot_limit_s 0.05 instead of 0.08" in finding.reason
    assert "output_tokens 200 instead of 300" in finding.reason
    assert "chat with small on h100" in finding.reason


def test_a_missing_row_is_named(clean: dict[str, Any], write: Write) -> None:
    path = write(clean)
    write_operating_rows(path.parent / "points.csv", rows_for(path))
    clean["workloads"].append({**clean["workloads"][0], "name": "other"})
    checked = check_file(write({**clean, "operating_points": "points.csv"}))
    (finding,) = checked.findings
    assert (finding.code, finding.severity) == ("OPERATING_ROW_MISSING", "warning")
    assert "other with small on h100" in finding.reason


def test_a_model_too_large_for_its_gpus_misses_no_row(clean: dict[str, Any], write: Write) -> None:
    """70 billion weights of 2 bytes are 140 GB; one H100 has 80."""
    path = write(clean)
    write_operating_rows(path.parent / "points.csv", rows_for(path))
    clean["models"].append({"name": "large", "catalogue": "llama-3.1-70b", "quality_share": 1})
    clean["workloads"][0]["ladder"] = ["large", "small"]
    checked = check_file(write({**clean, "operating_points": "points.csv"}))
    assert not [finding for finding in checked.findings if finding.code.startswith("OPERATING")]

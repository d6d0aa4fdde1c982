"""FOCUS files: the same rows in three formats, whole or not at all."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import facts, two_hours

from tokenergy.errors import InputError, UnexpectedError
from tokenergy.files import focus_write
from tokenergy.files.focus import FocusStream
from tokenergy.files.focus_columns import focus_columns
from tokenergy.files.focus_read import read_focus
from tokenergy.files.focus_write import decimal_text, known_format, write_focus

COLUMNS = focus_columns("1.2")


def stream():
    return FocusStream(two_hours(), facts())


def test_three_formats_hold_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(focus_write, "BATCH_COUNT", 2)  # several batches and row groups
    monkeypatch.setattr(focus_write, "ROW_GROUP_COUNT", 4)
    found = {}
    for format in ("csv", "parquet", "jsonl"):
        out = tmp_path / f"f.{format}"
        assert write_focus(stream(), COLUMNS, out, format) == 11
        names, rows = read_focus(out, format)
        assert names == tuple(column.name for column in COLUMNS)
        numbers = {at for at, c in enumerate(COLUMNS) if c.type == "Decimal"}
        found[format] = [
            [
                float(cell) if at in numbers and cell is not None else cell
                for at, cell in enumerate(row)
            ]
            for row in rows
        ]
    assert found["csv"] == found["parquet"] == found["jsonl"]
    assert list(tmp_path.glob(".*")) == []
    schema = pl.read_parquet_schema(tmp_path / "f.parquet")
    assert schema["BilledCost"] == pl.Float64
    assert schema["ChargePeriodStart"] == pl.Datetime("us", "UTC")


def test_cells_as_focus_writes_them(tmp_path):
    out = tmp_path / "f.csv"
    write_focus(stream(), COLUMNS, out, "csv")
    with out.open(newline="") as held:
        rows = list(csv.DictReader(held))
    assert rows[0]["ChargePeriodStart"] == "2026-03-02T00:00:00Z"
    assert {row["ListUnitPrice"] for row in rows} >= {"8E-6", ""}
    write_focus(stream(), COLUMNS, tmp_path / "f.jsonl", "jsonl")
    first = json.loads((tmp_path / "f.jsonl").read_text().splitlines()[0])
    assert isinstance(first["BilledCost"], float) and first["InvoiceId"] is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_its_value(number):
    text = decimal_text(number)
    assert float(text) == number
    assert "+" not in text and "e" not in text


def test_a_number_that_is_none_is_our_fault():
    with pytest.raises(UnexpectedError, match="nan"):
        decimal_text(float("nan"))


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_a_row_that_fails_leaves_the_file_as_it_was(tmp_path, format):
    out = tmp_path / "f"
    out.write_text("before")

    def rows():
        yield from stream()
        raise InputError("the ledger broke")

    with pytest.raises(InputError, match="the ledger broke"):
        write_focus(rows(), COLUMNS, out, format)
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_no_rows_are_a_file_without_rows(tmp_path, format):
    out = tmp_path / "f"
    assert write_focus([], COLUMNS, out, format) == 0
    assert list(read_focus(out, format)[1]) == []


def test_no_place_and_no_format_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="cannot write"):
        write_focus([], COLUMNS, tmp_path / "missing" / "f.csv", "csv")
    with pytest.raises(InputError, match="csv, parquet, jsonl"):
        known_format("xlsx")


@pytest.mark.parametrize("format", ["parquet", "jsonl", "csv"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, format):
    out = tmp_path / "f"
    out.write_bytes(b"\xff\xfe not it")
    with pytest.raises(InputError, match="cannot be read"):
        read_focus(out, format)

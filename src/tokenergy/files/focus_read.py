"""A written FOCUS file, read back in batches as it stands, for the conformance check."""

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from tokenergy.errors import InputError
from tokenergy.files.focus_write import BATCH_COUNT, FocusFormat, stamp
from tokenergy.files.plain_cell import text_of_cell

Record = Sequence[Any]


def read_focus(path: Path, format: FocusFormat) -> tuple[tuple[str, ...], Iterator[Record]]:
    """Return the names of a file's columns and its rows.

    Cells are text or None in CSV, what JSON has in JSONL; in Parquet moments come as text.

    Raises:
        InputError: if it cannot be read as that format.
    """
    try:
        match format:
            case "csv":
                return _csv(path)
            case "jsonl":
                return _jsonl(path)
            case "parquet":
                return _parquet(path)
    except (OSError, ValueError, csv.Error, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} cannot be read as {format}: {error}") from error


def _csv(path: Path) -> tuple[tuple[str, ...], Iterator[Record]]:
    with path.open(encoding="utf-8", newline="") as held:
        names = tuple(next(csv.reader(held), ()))

    def rows() -> Iterator[Record]:
        with path.open(encoding="utf-8", newline="") as held:
            reader = csv.reader(held)
            next(reader, None)
            for row in reader:
                yield [text_of_cell(cell) if cell != "" else None for cell in row]

    return names, rows()


def _jsonl(path: Path) -> tuple[tuple[str, ...], Iterator[Record]]:
    with path.open(encoding="utf-8") as held:
        first = held.readline()
    names = tuple(json.loads(first)) if first else ()

    def rows() -> Iterator[Record]:
        with path.open(encoding="utf-8") as held:
            for line in held:
                record = json.loads(line)
                yield [record.get(name) for name in names]

    return names, rows()


def _parquet(path: Path) -> tuple[tuple[str, ...], Iterator[Record]]:
    scan = pl.scan_parquet(path)
    names = tuple(scan.collect_schema().names())
    height = scan.select(pl.len()).collect().item()

    def rows() -> Iterator[Record]:
        for begin in range(0, height, BATCH_COUNT * 4):
            for row in scan.slice(begin, BATCH_COUNT * 4).collect().iter_rows():
                yield [_cell(cell) for cell in row]

    return names, rows()


def _cell(cell: Any) -> Any:
    if not isinstance(cell, datetime):
        return cell
    return cell.isoformat() if cell.tzinfo is None else stamp(cell)

"""FOCUS rows into a file: CSV, Parquet or JSONL, in batches, whole or not at all."""

import csv
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import polars as pl

from tokenergy.errors import InputError, UnexpectedError
from tokenergy.files.focus_columns import FocusColumn
from tokenergy.files.plain_cell import plain_cell

FocusFormat = Literal["csv", "parquet", "jsonl"]
FORMATS: Final[tuple[FocusFormat, ...]] = ("csv", "parquet", "jsonl")
BATCH_COUNT: Final = 8_192
ROW_GROUP_COUNT: Final = 32_768
POLARS_TYPES: Final[dict[str, Any]] = {
    "String": pl.String,
    "JSON": pl.String,
    "Decimal": pl.Float64,
    "Date/Time": pl.Datetime("us", "UTC"),
}
Rows = Iterable[Sequence[Any]]


def known_format(name: str) -> FocusFormat:
    """Return the format as one that we write.

    Raises:
        InputError: if it is another.
    """
    if name not in FORMATS:
        raise InputError(f"no file of format {name!r}: choose {', '.join(FORMATS)}")
    return name


def write_focus(rows: Rows, columns: Sequence[FocusColumn], out: Path, format: FocusFormat) -> int:
    """Write rows as they come and return how many there were.

    The file takes its name once it is whole: where a row or the disk fails, `out` is as it was.

    Raises:
        InputError: if the file cannot be written.
    """
    write = {"csv": _write_csv, "parquet": _write_parquet, "jsonl": _write_jsonl}[format]
    return whole(out, lambda draft: write(rows, columns, draft))


def whole(out: Path, write: Callable[[Path], int]) -> int:
    """Let `write` make a file beside `out`, then give it that name.

    Raises:
        InputError: if the file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        os.close(handle)
        draft = Path(name)
        try:
            count = write(draft)
            draft.chmod(0o644)
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error
    return count


def _write_csv(rows: Rows, columns: Sequence[FocusColumn], out: Path) -> int:
    count = 0
    with out.open("w", encoding="utf-8", newline="") as held:
        writer = csv.writer(held, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        for row in rows:
            writer.writerow([_csv_cell(cell) for cell in row])
            count += 1
    return count


def _write_jsonl(rows: Rows, columns: Sequence[FocusColumn], out: Path) -> int:
    with out.open("w", encoding="utf-8", newline="") as held:
        return _jsonl(rows, [column.name for column in columns], held)


def _jsonl(rows: Rows, names: list[str], held: TextIO) -> int:
    count = 0
    for row in rows:
        cells = (stamp(cell) if isinstance(cell, datetime) else cell for cell in row)
        held.write(json.dumps(dict(zip(names, cells, strict=True)), allow_nan=False) + "\n")
        count += 1
    return count


def _write_parquet(rows: Rows, columns: Sequence[FocusColumn], out: Path) -> int:
    """Write row groups as rows come, each to a file of its own, then join them.

    A source of polars' streaming engine would spare the second copy, but it draws its rows in a
    thread of its own, where a ledger of SQLite may not be read.
    """
    schema = {column.name: POLARS_TYPES[column.type] for column in columns}
    count = 0
    with tempfile.TemporaryDirectory(prefix=".parts.", dir=out.parent) as folder:
        parts: list[Path] = []
        for frame in _row_groups(rows, schema):
            parts.append(Path(folder) / f"{len(parts):06d}.parquet")
            frame.write_parquet(parts[-1], compression="lz4")
            count += frame.height
        if not parts:
            pl.DataFrame(schema=schema).write_parquet(out)
        else:
            joined = pl.scan_parquet(parts, low_memory=True)
            joined.sink_parquet(out, row_group_size=ROW_GROUP_COUNT, engine="streaming")
    return count


def _row_groups(rows: Rows, schema: dict[str, Any]) -> Iterator[pl.DataFrame]:
    held: list[pl.DataFrame] = []
    for frame in batches(rows, schema):
        held.append(frame)
        if len(held) * BATCH_COUNT >= ROW_GROUP_COUNT:
            yield pl.concat(held)
            held.clear()
    if held:
        yield pl.concat(held)


def batches(rows: Rows, schema: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """Yield frames of some thousand rows."""
    drawn = iter(rows)
    while batch := list(islice(drawn, BATCH_COUNT)):
        cells = zip(*batch, strict=True)
        yield pl.DataFrame(
            [
                pl.Series(name, column, dtype=kind, strict=True)
                for (name, kind), column in zip(schema.items(), cells, strict=True)
            ]
        )


@lru_cache(maxsize=4096)
def stamp(moment: datetime) -> str:
    """Return a moment as FOCUS writes it: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal_text(number: float) -> str:
    """Return a number in the notation of FOCUS: no plus sign, `E` before an exponent.

    Raises:
        UnexpectedError: if it is no finite number.
    """
    if not math.isfinite(number):
        raise UnexpectedError(f"a cost or quantity became {number}")
    text = repr(number)
    if "e" not in text:
        return text
    digits, exponent = text.split("e")
    return f"{digits}E{int(exponent)}"


def _csv_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return stamp(cell)
    if isinstance(cell, float):
        return decimal_text(cell)
    return plain_cell(cell) if isinstance(cell, str) else str(cell)

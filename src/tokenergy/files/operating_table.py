"""The table of operating points: written whole or not at all, read with every fault at once."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, get_args

from tokenergy.company.finding import Finding
from tokenergy.company.operating_row import (
    OperatingRow,
    OperatingTerms,
    RowBound,
    RowTier,
)
from tokenergy.errors import InputError
from tokenergy.files.whole_file import write_whole_file

FIELD: Final = "operating_points"
"""The field of a company file that names the table."""
NOTES_APART: Final = " | "
BEGINNING: Final = b"fleet,model,workload,also,"
"""How a table that we wrote begins."""
_TERMS: Final = tuple(term.name for term in fields(OperatingTerms))
_TOLD: Final = tuple(part.name for part in fields(OperatingRow) if part.name != "terms")
_KINDS: Final = {part.name: part.type for part in (*fields(OperatingTerms), *fields(OperatingRow))}
COLUMNS: Final = (*_TERMS, "digest", "rate_mtok_per_h", *_TOLD)
_MAY_BE_EMPTY: Final = frozenset({"also", "lengths_digest", "notes", "stack"})
_MAY_BE_ABSENT: Final = frozenset({"stack"})
"""Columns that tables written before them do not have."""
_WORDS: Final = {"bound": get_args(RowBound), "tier": get_args(RowTier)}


def write_operating_rows(path: Path, rows: Sequence[OperatingRow]) -> None:
    """Write a table as CSV; a reader sees the old one or the new one, never half of one.

    Raises:
        InputError: if the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(row) for row in rows)
    try:
        write_whole_file(path, text.getvalue())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def read_operating_rows(
    folder: Path, file: str
) -> tuple[tuple[OperatingRow, ...] | None, tuple[Finding, ...]]:
    """Read the table that a company names.

    Args:
        folder: of the company file, which `file` is relative to.

    Returns:
        The rows, None if anything in the table is wrong; and all findings.
    """
    try:
        with (folder / file).open(encoding="utf-8-sig", newline="") as held:
            reader = csv.DictReader(held)
            columns = tuple(reader.fieldnames or ())
            raw = [dict(cells) for cells in reader]
    except FileNotFoundError:
        return None, (_fault("OPERATING_TABLE_MISSING", file, f"there is no file {file!r} beside "
            "the company file"),)  # fmt: skip
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = getattr(error, "strerror", None) or str(error)
        return None, (_fault("OPERATING_TABLE_UNREADABLE", file, f"{file} cannot be read: {said}"),)
    missing = [name for name in COLUMNS if name not in columns and name not in _MAY_BE_ABSENT]
    if missing:
        reason = f"{file} has no column {', '.join(map(repr, missing))}"
        return None, (_fault("OPERATING_TABLE_COLUMNS", file, reason),)
    findings: list[Finding] = []
    rows: list[OperatingRow] = []
    for at, cells in enumerate(raw, start=2):
        row, found = _row(cells, file=file, line=at)
        findings += found
        if row is not None:
            rows.append(row)
    findings += _twice(rows, file)
    return (None if findings else tuple(rows)), tuple(findings)


def _cells(row: OperatingRow) -> list[str]:
    """Write one row; a figure that does not exist is an empty cell."""
    known = row.to_dict() | {"notes": NOTES_APART.join(row.notes)}
    return ["" if (value := known[name]) is None else _cell(value) for name in COLUMNS]


def _cell(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _row(
    cells: Mapping[str | None, Any], *, file: str, line: int
) -> tuple[OperatingRow | None, list[Finding]]:
    """Return one row, or all that is wrong with it."""
    findings: list[Finding] = []
    values: dict[str, Any] = {}
    for name in (*_TERMS, *_TOLD):
        text = cells.get(name) or ""
        try:
            values[name] = _value(name, text)
        except ValueError as error:
            reason = f"row {line} of {file}, column {name}: {error}"
            findings.append(_fault("OPERATING_TABLE_CELL", text[:40], reason))
    if findings:
        return None, findings
    terms = OperatingTerms(**{name: values.pop(name) for name in _TERMS})
    row = OperatingRow(terms=terms, **values)
    if terms.digest != cells["digest"]:
        reason = f"row {line} of {file} was made for other terms than it states: its digest differs"
        return None, [_fault("OPERATING_ROW_CHANGED", str(cells["digest"])[:40], reason)]
    return row, [
        _fault("OPERATING_TABLE_CELL", "", f"row {line} of {file}: {wrong}")
        for wrong in _implausible(row)
    ]


def _value(name: str, text: str) -> Any:
    """Read a cell as its field's kind.

    Raises:
        ValueError: saying what is wrong with it.
    """
    kind = _KINDS[name]
    if name == "notes":
        return tuple(note for note in text.split(NOTES_APART) if note)
    if name in _WORDS and text not in _WORDS[name]:
        raise ValueError(f"it is none of {', '.join(_WORDS[name])}")
    if kind is int:
        return int(text)
    if kind is float:
        if not text and name not in _TERMS:
            return math.nan
        value = float(text)
        if not math.isfinite(value):
            raise ValueError("it is no finite number")
        return value
    if not text and name not in _MAY_BE_EMPTY:
        raise ValueError("it is empty")
    return text


def _implausible(row: OperatingRow) -> Iterable[str]:
    """Yield what no replica does."""
    positive = ("rate_per_s", "power_w", "busy_share", "mean_batch_count")
    if math.isnan(row.rate_per_s) or row.rate_per_s < 0.0:
        yield f"rate_per_s is {row.rate_per_s:g}; it must be 0 or more"
    elif row.reachable:
        for name in positive:
            if not getattr(row, name) > 0.0:
                yield f"{name} is {getattr(row, name):g}; it must be above 0"
        for name in ("base_w", "marginal_j_per_token"):
            if not getattr(row, name) >= 0.0:
                yield f"{name} is {getattr(row, name):g}; it must be 0 or more"
    if not row.unloaded_ttft_s > 0.0:
        yield f"unloaded_ttft_s is {row.unloaded_ttft_s:g}; it must be above 0"


def _twice(rows: Sequence[OperatingRow], file: str) -> Iterable[Finding]:
    seen: set[tuple[str, str, str, str]] = set()
    for row in rows:
        if row.terms.key in seen:
            fleet, model, workload, _ = row.terms.key
            reason = f"{file} has two rows for {workload} with {model}@{fleet}"
            yield _fault("OPERATING_ROW_TWICE", workload, reason)
        seen.add(row.terms.key)


def _fault(code: str, value: str, reason: str) -> Finding:
    return Finding(
        code=code,
        path=FIELD,
        value=value,
        reason=reason,
        remedy="Write it anew with `tokenergy operating-points COMPANY --out FILE`, or leave "
        f"{FIELD} out",
    )

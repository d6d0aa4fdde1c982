"""The cells of a CSV or JSON answer that a mapping names."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer
from tokenergy.feeds.answer_shape import YEARS, number

if TYPE_CHECKING:
    from tokenergy.feeds.table_url import TableMapping

DELIMITERS: Final = (";", "\t", ",")
MISSING: Final = ("", "-", "n/a", "N/A", "na", "NA", "nan", "NaN", "null", "None")
"""Texts that stand for no value."""
MILLISECONDS_FROM: Final = 1e11
"""A number of this size since 1970 is milliseconds: as seconds it lies in the year 5138."""
_LINE_CHARACTERS: Final = 100_000
_STEP: Final = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of the named columns, row by row; `units` is what the answer says of its unit."""

    times: Sequence[Any]
    values: Sequence[Any]
    published: Sequence[Any]
    units: tuple[str, ...]


def cells_of(answer: Answer, mapping: "TableMapping") -> Cells:
    """Return the cells that the mapping names.

    Raises:
        FindingsError: FEED_NO_COLUMN, FEED_SHAPE, FEED_NOT_JSON, FEED_NOT_A_TABLE.
    """
    text = answer.text()
    begin = text.lstrip()[:1]
    if begin == "<" or answer.content_type == "text/html":
        refuse(
            "FEED_NOT_A_TABLE",
            path=answer.url,
            value=" ".join(text[:80].split()),
            reason="the answer is a page, not a table",
            remedy="Check the address; a page often means a login, a proxy or a moved service",
        )
    kind = mapping.format or ("json" if begin in ("{", "[") else "csv")
    if kind == "json":
        return _json_cells(answer.json(), mapping, path=answer.url)
    return _csv_cells(text, mapping, path=answer.url)


def stamp_of(cell: Any, time_format: str | None, *, path: str) -> datetime:
    """Return a cell as a moment, naive if it carries no offset.

    Raises:
        FindingsError: FEED_BAD_STAMP.
    """
    try:
        when = _read_stamp(cell, time_format)
        if when.year in YEARS:
            return when
    except (ValueError, TypeError, OverflowError, OSError):
        pass
    refuse(
        "FEED_BAD_STAMP",
        path=path,
        value=f"{cell!r}"[:40],
        limit=time_format or "ISO 8601, or seconds since 1970",
        reason="the row has no time stamp that we can read",
        remedy="State the pattern of the stamps (time_format), or name another column",
    )


def number_of(cell: Any, decimal: Literal[".", ","], *, path: str) -> float | None:
    """Return a cell as a number, None where it is missing.

    With a decimal comma a point groups thousands, and the other way round; a number that has
    two readings is refused.

    Raises:
        FindingsError: FEED_NOT_A_NUMBER.
    """
    if isinstance(cell, str):
        text = "".join(cell.split())
        if decimal == ",":
            grouped = re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?", text)
            plain = re.fullmatch(r"[+-]?\d+(,\d*)?", text)
            if grouped or plain:
                text = text.replace(".", "").replace(",", ".")
            elif "." in text:
                text = f"no number: {text}"
        elif re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d+", text):
            text = text.replace(",", "")
        elif re.fullmatch(r"[+-]?\d*,\d+", text):
            refuse(
                "FEED_NOT_A_NUMBER",
                path=path,
                value=text[:80],
                reason="a number has a comma, and the decimal mark is a point",
                remedy="State a comma as the decimal mark (--decimal ,)",
            )
        elif "_" in text:  # Python would read 1_000
            text = f"no number: {text}"
        cell = text
    return number(cell, path=path, missing=MISSING)


def _read_stamp(cell: Any, time_format: str | None) -> datetime:
    if isinstance(cell, bool) or cell is None:
        raise TypeError
    if isinstance(cell, int | float):
        seconds = cell / 1000.0 if cell >= MILLISECONDS_FROM else cell
        return datetime.fromtimestamp(seconds, tz=UTC)
    text = str(cell).strip()
    if time_format is not None:
        return datetime.strptime(text, time_format)
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        return _read_stamp(float(text), None)
    return datetime.fromisoformat(text)


def _csv_cells(text: str, mapping: "TableMapping", *, path: str) -> Cells:
    lines = [line[:_LINE_CHARACTERS] for line in text.splitlines() if line.strip()]
    header = lines[0] if lines else ""
    delimiter = mapping.delimiter or next((mark for mark in DELIMITERS if mark in header), ",")
    if len(delimiter) != 1 or delimiter in '\r\n"':
        refuse(
            "FEED_BAD_MAPPING",
            path="delimiter",
            value=delimiter[:10],
            reason="a delimiter is one character",
            remedy="Leave it out, or state one of ; , and a tab",
        )
    reader = csv.reader(lines, delimiter=delimiter)
    names = [name.strip() for name in next(reader, [])]
    wanted = [mapping.time, mapping.value, mapping.published, mapping.unit_at]
    at = {name: _column(name, names, path=path) for name in wanted if name is not None}
    table = []
    for line, row in enumerate(reader, start=2):
        if len(row) != len(names):
            refuse(
                "FEED_SHAPE",
                path=f"{path} line {line}",
                value=delimiter.join(row)[:80],
                limit=f"{len(names)}",
                unit="cells",
                reason="a row does not have the cells of the header: half an answer, or another "
                "delimiter",
                remedy="Ask again, or state the delimiter",
            )
        table.append(row)
    units = {row[at[mapping.unit_at]].strip() for row in table} if mapping.unit_at else set()
    return Cells(
        times=[row[at[mapping.time]] for row in table],
        values=[row[at[mapping.value]] for row in table],
        published=[row[at[mapping.published]] if mapping.published else None for row in table],
        units=tuple(sorted(units)),
    )


def _column(name: str, names: list[str], *, path: str) -> int:
    if names.count(name) == 1:
        return names.index(name)
    near = ", ".join(nearest_names(name, names)) or ", ".join(names[:12])
    refuse(
        "FEED_NO_COLUMN",
        path=path,
        value=name[:60],
        reason="the table has this column twice"
        if name in names
        else "the table has no such column",
        remedy=f"Nearest: {near[:160]}",
    )


def _json_cells(told: Any, mapping: "TableMapping", *, path: str) -> Cells:
    """Read rows that are objects, or two lists of one length."""
    units: tuple[str, ...] = ()
    holder = at_path(told, mapping.rows, path=path)
    if isinstance(holder, list):
        times = [at_path(row, mapping.time, path=f"{path} [{at}]") for at, row in enumerate(holder)]
        values = [
            at_path(row, mapping.value, path=f"{path} [{at}]") for at, row in enumerate(holder)
        ]
        published = [
            at_path(row, mapping.published, path=f"{path} [{at}]") if mapping.published else None
            for at, row in enumerate(holder)
        ]
    else:
        times = _list(at_path(holder, mapping.time, path=path), mapping.time, path=path)
        values = _list(at_path(holder, mapping.value, path=path), mapping.value, path=path)
        published = [None] * len(times)
        if mapping.published:
            said = at_path(holder, mapping.published, path=path)
            published = said if isinstance(said, list) else [said] * len(times)
    if not len(times) == len(values) == len(published):
        refuse(
            "FEED_SHAPE",
            path=path,
            value=f"{len(values)}",
            limit=f"{len(times)}",
            unit="values",
            reason="the answer has another number of values than of stamps",
            remedy="Ask again, or check the paths",
        )
    if mapping.unit_at:
        units = (str(at_path(told, mapping.unit_at, path=path)),)
    return Cells(times=times, values=values, published=published, units=units)


def at_path(holder: Any, where: str, *, path: str) -> Any:
    """Return what stands at `a.b[0].c` of a JSON value; "" is the value itself.

    Raises:
        FindingsError: FEED_NO_COLUMN.
    """
    value = holder
    for name in _STEP.findall(where):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            known = sorted(map(str, value))[:12] if isinstance(value, dict) else []
            refuse(
                "FEED_NO_COLUMN",
                path=path,
                value=where[:60],
                reason=f"the answer has no {name[:40]!r} there",
                remedy=f"It has {', '.join(known)[:160]}" if known else "Check the path",
            )
    return value


def _list(value: Any, name: str, *, path: str) -> list[Any]:
    if not isinstance(value, list):
        refuse(
            "FEED_SHAPE",
            path=f"{path} {name}",
            value=f"{value!r}"[:40],
            reason="the answer has no list there",
            remedy="State the path of the list of rows (rows), or the paths of two lists",
        )
    return value

"""The records of a file of usage or invoices (CSV, JSON, JSONL, Parquet), one after another.

Packed (.gz) or not, in whatever text they were saved: what a file is, is read off its bytes,
never off its name, and what was found (a byte-order mark, semicolons, another encoding) is told.
Memory does not grow with the file.
"""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NoReturn, cast

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.errors import FindingsError
from tokenergy.files.cells import Mark, mark_of
from tokenergy.files.encoding import Text, text_of
from tokenergy.files.json_records import json_records
from tokenergy.files.refused import Refused

SAMPLE_COUNT: Final = 1_000
"""Records read ahead, to see what columns and what decimal mark there are."""
LINE_MOST_CHARACTERS_COUNT: Final = 16 * 2**20
DELIMITERS: Final = ",;\t|"
PARQUET: Final = b"PAR1"
GZIP: Final = b"\x1f\x8b"
BATCH_COUNT: Final = 50_000

Cells = Mapping[str, Any]
Numbered = tuple[int, Cells | Refused]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """A file's records, to be gone through once.

    Attributes:
        file: its name.
        columns: names in lower case, everything else than letters and digits as `_`.
        mark: the decimal mark, None where nothing in the file shows it.
        findings: what was noticed on opening, all warnings.
        rows: row numbers with cells by column, or why a row cannot be read.
    """

    file: str
    columns: tuple[str, ...]
    mark: Mark | None
    findings: tuple[Finding, ...]
    rows: Iterator[Numbered]


@contextmanager
def open_records(path: Path, *, mark: Mark | None = None) -> Iterator[Records]:
    """Open a file and see what it is; it is closed when the block ends.

    Args:
        path: the file.
        mark: its decimal mark, where it is known; None: what the file shows.

    Raises:
        FindingsError: if there is no such file, or it is no table; while its rows are read, if
            it ends in the middle.
    """
    if not path.is_file():
        refuse(
            "IMPORT_FILE_MISSING",
            path="file",
            value=str(path),
            reason="it is a folder, not a file" if path.is_dir() else "there is no such file",
            remedy="Name a CSV, JSON, JSONL or Parquet file (.gz too)",
        )
    if path.suffix.lower() in (".yaml", ".yml"):
        refuse(
            "IMPORT_FILE_FORMAT",
            path="file",
            value=path.name,
            reason="it is a YAML file, like a company's: no table of rows",
            remedy="Name the log or the invoices: CSV, JSON, JSONL or Parquet",
        )
    with ExitStack() as held:
        try:
            yield _opened(path, held, mark)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or type(error).__name__
            refuse(
                "IMPORT_FILE_UNREADABLE",
                path="file",
                value=path.name,
                reason=f"the file cannot be read to its end: {said}",
                remedy="Fetch or pack it again; nothing of it was taken",
            )


def _opened(path: Path, held: ExitStack, mark: Mark | None) -> Records:
    raw = held.enter_context(path.open("rb"))
    packed = raw.read(2) == GZIP
    raw.seek(0)
    stream: IO[bytes] = raw
    if packed:
        unpacked = gzip.GzipFile(fileobj=raw)
        held.callback(unpacked.close)
        stream = cast(IO[bytes], unpacked)
    head = stream.read(4)
    stream.seek(0)
    if head == PARQUET:
        return _parquet(path, packed)
    text = text_of(stream, path.name)
    held.enter_context(text.stream)
    if not text.first:
        _refuse_empty(path.name)
    if text.first.lstrip().startswith(("{", "[")):
        rows: Iterator[Numbered] = json_records(text.first, text.stream, path.name)
        columns: tuple[str, ...] | None = None
        delimiter = ""
    else:
        rows, columns, delimiter = _csv(text, path.name)
    findings = [*text.findings, *_delimited(path.name, delimiter)]
    ahead = list(itertools.islice(rows, SAMPLE_COUNT))
    if not ahead:
        _refuse_empty(path.name)
    if columns is None:
        cells = (row for _, row in ahead if not isinstance(row, Refused))
        columns = tuple(dict.fromkeys(name for row in cells for name in row))
    seen = mark or _mark(ahead, delimiter)
    return Records(
        file=path.name,
        columns=columns,
        mark=seen,
        findings=tuple(findings),
        rows=itertools.chain(ahead, rows),
    )


def refuse_missing(file: str, missing: Sequence[str], *, reason: str, remedy: str) -> None:
    """Refuse a file that lacks columns, all of them at once; nothing is missing: nothing happens.

    Raises:
        FindingsError: MISSING_COLUMN for each.
    """
    if missing:
        raise FindingsError(
            [
                Finding(
                    code="MISSING_COLUMN",
                    path=f"{file}.{name}",
                    value=name,
                    reason=reason,
                    remedy=remedy,
                )
                for name in missing
            ]
        )


def _refuse_empty(file: str) -> NoReturn:
    refuse(
        "IMPORT_EMPTY",
        path="file",
        value=file,
        reason="the file has no rows",
        remedy="Export it again for a span in which something was used",
    )


def _mark(ahead: list[Numbered], delimiter: str) -> Mark | None:
    """Return the decimal mark that the first records show."""
    if delimiter == ",":
        return "."  # a comma is taken: within a number it can only part thousands
    texts = (
        cell
        for _, row in ahead
        if not isinstance(row, Refused)
        for cell in row.values()
        if isinstance(cell, str)
    )
    return mark_of(texts)


def _delimited(file: str, delimiter: str) -> Iterator[Finding]:
    if delimiter not in ("", ","):
        name = {";": "semicolons", "\t": "tabs", "|": "bars"}[delimiter]
        yield Finding(
            code="IMPORT_DELIMITER",
            path=file,
            value=name,
            reason=f"the cells are parted by {name}",
            remedy="Nothing, if the counts are right; commas need no guess at decimal marks",
            severity="warning",
        )


def name_of(header: str) -> str:
    """Return a column's name in lower case, everything but letters and digits as `_`."""
    return re.sub(r"[^0-9a-z]+", "_", header.strip().lower()).strip("_")


def _lines(stream: io.TextIOBase, first: str) -> Iterator[str]:
    """Yield lines, none of which can fill the memory."""
    yield first
    while line := stream.readline(LINE_MOST_CHARACTERS_COUNT):
        if len(line) >= LINE_MOST_CHARACTERS_COUNT and not line.endswith("\n"):
            raise csv.Error("a line is longer than 16 Mi characters")
        yield line


def _csv(text: Text, file: str) -> tuple[Iterator[Numbered], tuple[str, ...], str]:
    """Return the records of a CSV file, its columns and its delimiter."""
    first, shift = text.first, 0
    if re.fullmatch(r"sep=(.)\s*", first, re.IGNORECASE):
        first, shift = text.stream.readline(), 1  # a spreadsheet's own line
    bare = re.sub(r'"[^"]*"', "", first)
    delimiter = max(DELIMITERS, key=bare.count)
    reader = csv.reader(_lines(text.stream, first), delimiter=delimiter, strict=True)
    try:
        columns = tuple(name_of(name) for name in next(reader, []))
    except csv.Error:
        columns = ()
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice or not any(columns):
        refuse(
            "IMPORT_COLUMNS",
            path=file,
            value=f"{len(columns)} columns, {len(twice)} names twice",
            reason="the first row is no header in which every column has a name of its own",
            remedy="Export the file with its header, or name each column once",
        )
    return _csv_rows(reader, columns, 2 + shift), columns, delimiter


def _csv_rows(reader: Any, columns: tuple[str, ...], first: int) -> Iterator[Numbered]:
    width = len(columns)
    for row in itertools.count(first):
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield row, Refused(row=row, code="ROW_UNREADABLE", reason=f"{error}")
            return  # where a quote is open, everything after it is in doubt
        if cells is None:
            return
        if len(cells) == width:
            yield row, dict(zip(columns, cells, strict=True))
        elif cells:
            reason = f"the row has {len(cells)} cells and the header {width}"
            yield row, Refused(row=row, code="ROW_WIDTH", reason=reason)


def _parquet(path: Path, packed: bool) -> Records:
    import polars as pl

    if packed:
        refuse(
            "IMPORT_FILE_FORMAT",
            path="file",
            value=path.name,
            reason="a Parquet file is packed in itself; this one was packed again",
            remedy="Unpack it first",
        )
    try:
        # Not globbed: a name may hold brackets.
        frame = pl.scan_parquet(path, glob=False)
        names = frame.collect_schema().names()
        count = int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise FindingsError([_unreadable(path.name, error)]) from None
    if not count:
        _refuse_empty(path.name)
    columns = tuple(name_of(name) for name in names)

    def rows() -> Iterator[Numbered]:
        for at in range(0, count, BATCH_COUNT):
            batch = frame.slice(at, BATCH_COUNT).collect()
            for row, cells in enumerate(batch.iter_rows(), start=at + 2):
                yield row, dict(zip(columns, cells, strict=True))

    return Records(file=path.name, columns=columns, mark=".", findings=(), rows=rows())


def _unreadable(file: str, error: Exception) -> Finding:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return Finding(
        code="IMPORT_FILE_UNREADABLE",
        path="file",
        value=file,
        reason=f"it begins like Parquet and cannot be read: {said[0][:160]}",
        remedy="Write or fetch it again",
    )

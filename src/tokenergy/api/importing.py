"""Usage logs, invoices and benchmark rows, read, checked, and written as one clean table."""

import csv
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_type_hints

from tokenergy.api.output import refuse_unwritable
from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.finding import Finding
from tokenergy.company.supplier_invoice import SupplierInvoice
from tokenergy.company.usage import UsageRow
from tokenergy.errors import InputError
from tokenergy.files.cells import Mark
from tokenergy.files.key_hash import FOLDER_OF_LEDGERS, key_hash
from tokenergy.files.plain_cell import plain_cell
from tokenergy.files.refused import Refused

ImportKind = Literal["openai", "litellm", "usage", "inferencex", "mlenergy", "invoices"]
REFUSED_SHOWN_COUNT: Final = 20
OUT_KINDS: Final = (".csv", ".parquet")
SUMMED: Final = (
    "input_tokens", "cached_input_tokens", "output_tokens", "requests_count", "spend_usd",
)  # fmt: skip
Row = UsageRow | CurvePoint | SupplierInvoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was taken from a file, and what was not.

    Attributes:
        kind: whose file it is.
        file: its name.
        rows_count: rows taken.
        refused_count: rows left out; `refused_counts` by code, `refused` the first 20.
        sums: totals of what was taken, by name with unit.
        findings: warnings.
        wrote: the table that was written, "" where none was asked for.
    """

    kind: str
    file: str
    rows_count: int
    refused_count: int
    refused_counts: Mapping[str, int]
    refused: tuple[Refused, ...]
    sums: Mapping[str, float]
    findings: tuple[Finding, ...]
    wrote: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as one JSON-ready object; keys carry units."""
        return asdict(self) | {
            "refused_counts": dict(self.refused_counts),
            "sums": dict(self.sums),
            "refused_not_listed_count": self.refused_count - len(self.refused),
        }

    def lines(self) -> Iterator[str]:
        """Yield what a terminal shows: sums, then every refusal that is listed, then warnings."""
        taken, left_out = f"{self.rows_count:,} rows of {self.kind}", f"{self.refused_count:,}"
        yield f"{self.file}: {taken}, {left_out} refused"
        for name, value in self.sums.items():
            yield f"  {name.replace('_', ' ')}: {value:,.10g}"
        for refused in self.refused:
            yield f"  row {refused.row}: {refused.code}: {refused.reason}"
        if self.refused_count > len(self.refused):
            codes = ", ".join(f"{code} {n:,}" for code, n in sorted(self.refused_counts.items()))
            yield f"  and {self.refused_count - len(self.refused):,} more; by code: {codes}"
        for finding in self.findings:
            if finding.code not in self.refused_counts:  # its rows stand above
                yield f"  {finding}"
        if self.wrote:
            yield f"wrote {self.wrote}"


def import_file(
    kind: ImportKind,
    path: str | Path,
    *,
    out: str | Path | None = None,
    time_zone: str | None = None,
    mark: Mark | None = None,
    currency: str = "USD",
    rates: Mapping[str, float] | None = None,
    now: datetime | None = None,
    salt_folder: str | Path = FOLDER_OF_LEDGERS,
) -> Imported:
    """Read a file and write what can be taken as one table; rows stream, none is held.

    Args:
        kind: `openai`, `litellm`, `usage`, `inferencex`, `mlenergy` or `invoices`.
        path: CSV, JSON, JSONL or Parquet, packed or not.
        out: a new .csv or .parquet file; None: the file is only checked.
        time_zone: IANA name of the zone of stamps that carry none.
        mark: the decimal mark; None: what the file shows.
        currency: the company's (invoices).
        rates: of another currency, what one unit is in the company's (invoices).
        now: the present; None: the clock.
        salt_folder: where the salt is that keys and users are hashed with.

    Raises:
        FindingsError: if the file cannot be read, or every row is refused.
        InputError: if `out` cannot be written.
    """
    where, file = None if out is None else Path(out), Path(path)
    if kind not in get_args(ImportKind):
        raise InputError(f"kind {kind!r}: it is one of {', '.join(get_args(ImportKind))}")
    if mark not in (None, ".", ","):
        raise InputError(f"decimal mark {mark!r}: it is '.' or ','")
    if where is not None:
        if where.suffix.lower() not in OUT_KINDS:
            raise InputError(f"cannot write {where}: name a .csv or .parquet file")
        refuse_unwritable(where)
    if kind == "inferencex" or kind == "mlenergy":
        return _import_points(kind, file, where, mark)
    if kind == "invoices":
        exact = {name: Decimal(str(rate)) for name, rate in (rates or {}).items()}
        return _import_invoices(file, where, currency, exact, time_zone, mark)
    return _import_usage(kind, file, where, time_zone, mark, now, Path(salt_folder))


def _import_usage(
    kind: Literal["openai", "litellm", "usage"],
    file: Path,
    out: Path | None,
    time_zone: str | None,
    mark: Mark | None,
    now: datetime | None,
    salt_folder: Path,
) -> Imported:
    from tokenergy.files.usage_files import stream_usage

    sums: dict[str, float] = {}

    def counted(rows: Iterable[UsageRow]) -> Iterator[UsageRow]:
        for row in rows:
            for name in SUMMED:
                value = getattr(row, name)
                if value is not None:  # a sum of nothing is not told as 0
                    sums[name] = sums.get(name, 0) + value
            yield row

    keys = key_hash(salt_folder)
    with stream_usage(file, kind, time_zone=time_zone, mark=mark, now=now, keys=keys) as stream:
        with _table(out, UsageRow) as write:
            for row in counted(stream.rows):
                write(row)
            findings = stream.told()  # before the table appears: it may refuse the file
        return _imported(
            kind,
            file,
            stream.taken_count,
            stream.refusals.counts,
            stream.refusals.listed,
            sums,
            findings,
            out,
        )


def _import_points(kind: str, file: Path, out: Path | None, mark: Mark | None) -> Imported:
    from tokenergy.files.inferencex import read_inferencex
    from tokenergy.files.mlenergy import read_mlenergy

    read = (read_inferencex if kind == "inferencex" else read_mlenergy)(file, mark=mark)
    with _table(out, CurvePoint) as write:
        for point in read.points:
            write(point)
    sums = {"models_count": len({point.model for point in read.points})}
    count = len(read.points)
    return _imported(kind, file, count, read.refused_counts, read.refused, sums, read.findings, out)


def _import_invoices(
    file: Path,
    out: Path | None,
    currency: str,
    rates: Mapping[str, Decimal],
    time_zone: str | None,
    mark: Mark | None,
) -> Imported:
    from tokenergy.files.invoices import read_invoices

    read = read_invoices(file, currency=currency, rates=rates, time_zone=time_zone, mark=mark)
    with _table(out, SupplierInvoice) as write:
        for invoice in read.invoices:
            write(invoice)
    total = sum(invoice.amount_nano_usd for invoice in read.invoices)
    sums = {f"invoiced_{currency.lower()}": total / 1e9}
    count = len(read.invoices)
    return _imported(
        "invoices", file, count, read.refused_counts, read.refused, sums, read.findings, out
    )


def _imported(
    kind: str,
    file: Path,
    rows_count: int,
    counts: Mapping[str, int],
    listed: Iterable[Refused],
    sums: Mapping[str, float],
    findings: tuple[Finding, ...],
    out: Path | None,
) -> Imported:
    return Imported(
        kind=kind,
        file=file.name,
        rows_count=rows_count,
        refused_count=sum(counts.values()),
        refused_counts=dict(counts),
        refused=tuple(listed)[:REFUSED_SHOWN_COUNT],
        sums=sums,
        findings=findings,
        wrote="" if out is None else str(out),
    )


@contextmanager
def _table(out: Path | None, noun: type[Row]) -> Iterator[Callable[[Row], None]]:
    """Give what writes a row; the table appears whole when the block ends, or not at all."""
    if out is None:
        yield lambda _: None
        return
    names = [field.name for field in fields(noun)]
    text = out.with_name(f".{out.name}.{secrets.token_hex(4)}.csv")
    packed = text.with_suffix(".parquet")
    try:
        with _writing(out):
            held = text.open("x", newline="", encoding="utf-8")
        with held:
            writer = csv.writer(held, lineterminator="\n")
            row_of = attrgetter(*names)
            cell_of = _csv_cell if out.suffix.lower() == ".csv" else _cell

            def write(row: Row) -> None:
                try:
                    writer.writerow(map(cell_of, row_of(row)))
                except OSError as error:
                    raise InputError(f"cannot write {out}: {error.strerror or error}") from error

            writer.writerow(names)
            yield write
            with _writing(out):
                held.flush()
        with _writing(out):
            if out.suffix.lower() == ".parquet":
                _pack(text, packed, noun)
                os.link(packed, out)
            else:
                os.link(text, out)  # unlike a rename it replaces nothing
    finally:
        text.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Tell a fault of the disk as one of the output; faults of the input are told elsewhere."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error


def _cell(cell: Any) -> Any:
    return f"{cell:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(cell, datetime) else cell


def _csv_cell(cell: Any) -> Any:
    return plain_cell(cell) if isinstance(cell, str) else _cell(cell)


def _pack(text: Path, packed: Path, noun: type[Row]) -> None:
    """Write a table as Parquet with the types of its noun, a part at a time."""
    import polars as pl

    hints = get_type_hints(noun)
    schema = {field.name: _kind_of(hints[field.name]) for field in fields(noun)}
    stamps = [name for name, kind in schema.items() if kind == "moment"]
    texts = [name for name, kind in schema.items() if kind == "text"]
    kinds = {"moment": pl.String(), "int": pl.Int64(), "float": pl.Float64(), "text": pl.String()}
    frame = pl.scan_csv(
        text, schema={name: kinds[kind] for name, kind in schema.items()}, glob=False
    )
    made = [pl.col(name).fill_null("") for name in texts]
    made += [
        pl.col(name)
        .str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us")
        .dt.replace_time_zone("UTC")
        for name in stamps
    ]
    frame.with_columns(made).sink_parquet(packed)


def _kind_of(hint: Any) -> str:
    """Return what a field of a noun is in a table: moment, int, float or text."""
    for kind, name in ((datetime, "moment"), (float, "float"), (int, "int")):
        if hint is kind or kind in get_args(hint):
            return name
    return "text"

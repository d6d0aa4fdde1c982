"""The loop that tables of measured joules share: rows in, points of energy curves out."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.finding import Finding, errors_of
from tokenergy.errors import FindingsError
from tokenergy.files.cells import Mark, Row
from tokenergy.files.records import open_records, refuse_missing
from tokenergy.files.refused import Refusals, Refused, RowRefused

POWER_APART_MOST_SHARE: Final = 0.05
"""How far watts over throughput and the stated joules may differ (economics sheet, 13)."""
FIT_LEAST_COUNT: Final = 3
"""Points of one curve from which it can be fitted; fewer only correct one."""
PRECISION_BYTES: Final = {
    "fp32": 4.0, "float32": 4.0, "bf16": 2.0, "bfloat16": 2.0, "fp16": 2.0, "float16": 2.0,
    "fp8": 1.0, "int8": 1.0, "mxfp4": 0.53, "nvfp4": 0.56, "fp4": 0.56, "int4": 0.56,
}  # fmt: skip
"""Bytes of one weight: 4-bit ones carry a scale per 16 (an eighth more) or 32 (a sixteenth)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveImport:
    """A file of benchmark rows, read; fields as of `UsageImport`."""

    points: tuple[CurvePoint, ...]
    refused: tuple[Refused, ...]
    refused_counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointTable:
    """How one kind of table is read.

    Attributes:
        columns: without which it is no such table.
        missing: why a file that lacks one is not taken, and what to do about it.
        point_of: a row as a point, from its cells and where it stands; it raises `RowRefused`.
        told_of: what a row makes one say once for the file; None: nothing.
    """

    columns: tuple[str, ...]
    missing: tuple[str, str]
    point_of: Callable[[Row, str], CurvePoint]
    told_of: Callable[[Row, str], Finding | None] = lambda row, file: None


def read_point_table(path: Path, table: PointTable, *, mark: Mark | None = None) -> CurveImport:
    """Read the points of a table; every other row is listed with its reason.

    Raises:
        FindingsError: if it is no such table, or all of its rows are refused.
    """
    refusals, points, told = Refusals(), [], dict[str, Finding]()
    with open_records(path, mark=mark) as records:
        absent = [name for name in table.columns if name not in records.columns]
        refuse_missing(path.name, absent, reason=table.missing[0], remedy=table.missing[1])
        for number, cells in records.rows:
            try:
                if isinstance(cells, Refused):
                    raise RowRefused(cells.code, cells.reason)
                row = Row(cells, records.mark, None)
                points.append(table.point_of(row, f"{path.name}:{number}"))
                if (said := table.told_of(row, path.name)) is not None:
                    told.setdefault(said.code, said)
            except RowRefused as refused:
                refusals.add(number, refused.code, refused.reason)
        left_out = refusals.findings(path.name, taken_count=len(points))
        if errors_of(left_out):
            raise FindingsError(left_out)
        return CurveImport(
            points=tuple(points),
            refused=tuple(refusals.listed),
            refused_counts=dict(refusals.counts),
            findings=(*records.findings, *told.values(), *left_out, *_few(path.name, points)),
            file=path.name,
        )


def positive(row: Row, name: str, *more: str) -> float | None:
    """Return a cell as a number above 0, None where it is empty.

    Raises:
        RowRefused: if it is none, or 0 or less.
    """
    value = row.amount(name, *more)
    if value is None:
        return None
    if value <= 0:
        raise RowRefused("POWER_INCONSISTENT", f"{name} is {value:g}; it lies above 0")
    return float(value)


def needed(row: Row, name: str, *more: str) -> float:
    """Return a cell that a point cannot do without.

    Raises:
        RowRefused: if it is empty, no number, or 0 or less.
    """
    value = positive(row, name, *more)
    if value is None:
        raise RowRefused("POINT_INCOMPLETE", f"{name} is empty")
    return value


def check_power(
    *, watts: float, tokens_per_s: float, j_per_token: float, what: str = "token"
) -> None:
    """Hold joules against watts over tokens per second.

    Raises:
        RowRefused: `POWER_INCONSISTENT` where they are more than 5 % apart.
    """
    found = watts / tokens_per_s
    apart = abs(found / j_per_token - 1.0)
    if apart > POWER_APART_MOST_SHARE:
        raise RowRefused(
            "POWER_INCONSISTENT",
            f"{watts:g} W over {tokens_per_s:g} tokens/s is {found:.4g} J/{what}, and "
            f"{j_per_token:g} is stated: {apart:.0%} apart, at most "
            f"{POWER_APART_MOST_SHARE:.0%} may be",
        )


def _few(file: str, points: Sequence[CurvePoint]) -> Iterator[Finding]:
    """Tell curves with too few points to be fitted."""
    curves: dict[tuple[str, str, int, str], set[float]] = defaultdict(set)
    for point in points:
        curves[point.model, point.accelerator, point.gpus_count, point.stack].add(point.batch_count)
    few = sum(len(batches) < FIT_LEAST_COUNT for batches in curves.values())
    if few:
        yield Finding(
            code="CURVE_FEW_POINTS",
            path=file,
            value=f"{few} of {len(curves)}",
            limit=f"{FIT_LEAST_COUNT} batches",
            unit="curves",
            reason="a curve of one or two batches cannot be fitted: it only corrects one",
            remedy="Add rows at other concurrencies",
            severity="warning",
        )

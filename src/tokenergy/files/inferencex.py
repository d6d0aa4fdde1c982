"""InferenceX rows: a benchmark's measured joules, taken as points of energy curves.

Shape: rows of its benchmarks API (JSON, figures under `metrics`) and the CSV export with the same
columns. Only rows count whose power window was validated (`power_valid`) under schema version 2,
in which unprefixed `joules_per_*` are the GPU energy of the whole deployment. The boundary is the
GPU boards: host and PUE are added by whoever uses a point, never here. None of its data is here.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from tokenergy.company.finding import Finding, errors_of
from tokenergy.energy.curve_point import CurvePoint
from tokenergy.errors import FindingsError
from tokenergy.files.cells import Mark, Row
from tokenergy.files.records import open_records, refuse_missing
from tokenergy.files.refused import Refusals, Refused, RowRefused

SCHEMA_VERSION: Final = 2
POWER_APART_MOST_SHARE: Final = 0.05
"""How far watts over throughput and the stated joules may differ (economics sheet, 13)."""
FIT_LEAST_COUNT: Final = 3
"""Points of one curve from which it can be fitted; fewer only correct one."""
COLUMNS: Final = ("model", "conc", "power_valid", "joules_per_output_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveImport:
    """A file of benchmark rows, read; fields as of `UsageImport`."""

    points: tuple[CurvePoint, ...]
    refused: tuple[Refused, ...]
    refused_counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    file: str


def read_inferencex(path: Path, *, mark: Mark | None = None) -> CurveImport:
    """Read the points of a benchmark's rows; every other row is listed with its reason.

    Raises:
        FindingsError: if it holds no such rows, or all of them are refused.
    """
    refusals, points, told = Refusals(), [], dict[str, Finding]()
    with open_records(path, mark=mark) as records:
        _check_columns(path.name, records.columns)
        for number, cells in records.rows:
            try:
                if isinstance(cells, Refused):
                    raise RowRefused(cells.code, cells.reason)
                row = Row(cells, records.mark, None)
                point = _point(row, f"{path.name}:{number}")
                if not _checked(row):
                    told.setdefault("POWER_UNCHECKED", _unchecked(path.name))
                points.append(point)
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


def _check_columns(file: str, columns: Sequence[str]) -> None:
    refuse_missing(
        file,
        [name for name in COLUMNS if name not in columns],
        reason="a file of InferenceX rows has this column, and it is not here",
        remedy="Export rows with measured power (PowerX)",
    )


def _point(row: Row, source: str) -> CurvePoint:
    """Return one row as a point of an energy curve.

    Raises:
        RowRefused: if its power is not valid, of another schema, or contradicts its joules.
    """
    if not row.flag("power_valid"):
        raise RowRefused("POWER_INVALID", "power_valid is not 1: its joules are not to be used")
    version = row.count("power_metric_schema_version")
    if version != SCHEMA_VERSION:
        raise RowRefused(
            "POWER_SCHEMA",
            f"power_metric_schema_version is {version}; only {SCHEMA_VERSION} counts the whole "
            "deployment",
        )
    if row.word("benchmark_type") not in ("", "single_turn"):
        raise RowRefused("OTHER_BENCHMARK", "its concurrency is no batch: only single turns are")
    joules = _positive(row, "joules_per_output_token")
    if joules is None:
        raise RowRefused("JOULES_MISSING", "joules_per_output_token is empty")
    conc, gpus = row.count("conc"), _gpus_count(row)
    if not conc or not gpus:
        raise RowRefused("LOAD_MISSING", "its concurrency or its number of GPUs is not said")
    model, accelerator = row.name("model"), row.name("hardware", "hw")
    if not model or not accelerator:
        raise RowRefused("LOAD_MISSING", "its model or its hardware is not said")
    _check_power(row, gpus, joules)
    replicas = row.count("decode_num_workers") or 1
    power = _positive(row, "avg_power_w")
    return CurvePoint(
        model=model,
        accelerator=accelerator,
        gpus_count=gpus,
        replicas_count=replicas,
        stack=" ".join(
            filter(None, (row.word("framework"), row.word("image"), row.word("precision")))
        ),
        batch_count=conc / replicas,
        j_per_token=float(joules),
        avg_power_w_per_gpu=None if power is None else float(power),
        input_tokens=row.count("isl") or 0,
        output_tokens=row.count("osl") or 0,
        source=source,
    )


def _positive(row: Row, name: str) -> Decimal | None:
    value = row.amount(name)
    if value is not None and value <= 0:
        raise RowRefused("POWER_INCONSISTENT", f"{name} is {value:g}; it lies above 0")
    return value


def _gpus_count(row: Row) -> int | None:
    """Return the GPUs of the deployment: roles that share GPUs name the same ones twice."""
    prefill, decode = row.count("num_prefill_gpu"), row.count("num_decode_gpu")
    if prefill and decode:
        return prefill + decode if row.flag("disagg") else max(prefill, decode)
    return prefill or decode or row.count("num_gpus", "tp")


def _checked(row: Row) -> bool:
    """Tell whether a row says enough to check its joules."""
    return all(
        row.cell(name) is not None
        for name in ("avg_power_w", "tput_per_gpu", "joules_per_total_token")
    )


def _check_power(row: Row, gpus_count: int, joules: Decimal) -> None:
    """Hold joules against watts: W x GPUs / (tokens/s of all GPUs) = J per token of any kind.

    Raises:
        RowRefused: `POWER_INCONSISTENT` beyond 5 %, or where an output token costs less than a
            token of any kind (it carries the prefill).
    """
    total = _positive(row, "joules_per_total_token")
    if total is not None and total > joules * (1 + Decimal(str(POWER_APART_MOST_SHARE))):
        raise RowRefused(
            "POWER_INCONSISTENT",
            f"an output token ({joules:g} J) carries the prefill, so it cannot cost less than a "
            f"token of any kind ({total:g} J)",
        )
    power, flow = _positive(row, "avg_power_w"), _positive(row, "tput_per_gpu")
    if total is None or power is None or flow is None:
        return
    # Both are means over the same GPUs, so their number cancels.
    found = power * gpus_count / (flow * gpus_count)
    apart = abs(float(found / total) - 1.0)
    if apart > POWER_APART_MOST_SHARE:
        raise RowRefused(
            "POWER_INCONSISTENT",
            f"{power:g} W over {flow:g} tokens/s per GPU is {found:.4g} J/token, and {total:g} "
            f"is stated: {apart:.0%} apart, at most {POWER_APART_MOST_SHARE:.0%} may be",
        )


def _unchecked(file: str) -> Finding:
    return Finding(
        code="POWER_UNCHECKED",
        path=file,
        reason="rows lack avg_power_w, tput_per_gpu or joules_per_total_token: their joules "
        "could not be held against watts",
        remedy="Export those columns too",
        severity="warning",
    )


def _few(file: str, points: Sequence[CurvePoint]) -> Iterator[Finding]:
    """Tell curves with too few points to be fitted."""
    curves: dict[tuple[str, str, str], set[float]] = defaultdict(set)
    for point in points:
        curves[point.model, point.accelerator, point.stack].add(point.batch_count)
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

"""A file of measured points: read from any table that holds some, named by the catalogue, kept.

A kept file is a points file like any other: a company file names it, and what its points make of
a prediction is worked out anew from whatever the catalogue predicts by then.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Literal, get_args

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.energy_words import Boundary
from tokenergy.company.finding import Finding, errors_of
from tokenergy.energy.calibrate import faults_of
from tokenergy.energy.calibrated_curve import known_point
from tokenergy.errors import FindingsError, InputError, UnknownName
from tokenergy.files.cells import Mark, Row
from tokenergy.files.curve_import import (
    PRECISION_BYTES,
    CurveImport,
    PointTable,
    needed,
    positive,
    read_point_table,
)
from tokenergy.files.inferencex import read_inferencex
from tokenergy.files.mlenergy import read_mlenergy
from tokenergy.files.plain_cell import plain_cell
from tokenergy.files.records import open_records
from tokenergy.files.refused import RowRefused
from tokenergy.files.whole_file import write_whole_file

PointsKind = Literal["points", "mlenergy", "inferencex"]
FIELD: Final = "calibration"
"""The field of a company file that names the points."""
COLUMNS: Final = ("model", "accelerator", "gpus_count", "batch_count", "j_per_token", "boundary")
"""Without these it is no file of points; the others of a point may be left out."""
KEPT: Final = tuple(part.name for part in fields(CurvePoint) if part.name != "tier")
BEGINNING: Final = ",".join(KEPT).encode()
"""How a file of points begins that we wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPoints:
    """Points under the names of the catalogue.

    Attributes:
        kind: what table they were in.
        points: in the order of the file.
        refused_counts: rows that were left out, by code.
        findings: warnings.
        file: its name.
    """

    kind: PointsKind
    points: tuple[CurvePoint, ...]
    refused_counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    file: str


def read_measured_points(
    path: Path,
    catalogue: Catalogue,
    *,
    names: Mapping[str, str] | None = None,
    mark: Mark | None = None,
) -> MeasuredPoints:
    """Read the points of a file of ours, an ML.ENERGY result table, or InferenceX rows.

    Args:
        names: what the file calls a model or an accelerator, and what the catalogue does.

    Raises:
        FindingsError: with everything wrong: no such table, rows of which all are refused, names
            that the catalogue does not know, a boundary other than the boards'.
    """
    kind = kind_of(path, mark=mark)
    readers = {"points": read_points, "mlenergy": read_mlenergy, "inferencex": read_inferencex}
    read = readers[kind](path, mark=mark)
    points, findings = named_points(read.points, catalogue, names=names or {})
    if findings:
        raise FindingsError(findings)
    return MeasuredPoints(
        kind=kind,
        points=points,
        refused_counts=read.refused_counts,
        findings=read.findings,
        file=path.name,
    )


def kind_of(path: Path, *, mark: Mark | None = None) -> PointsKind:
    """Tell from its columns what table of points a file is; `points` where nothing else fits."""
    with open_records(path, mark=mark) as records:
        columns = set(records.columns)
    if {"energy_per_token_joules", "model_id"} <= columns:
        return "mlenergy"
    if "joules_per_output_token" in columns or "metrics" in columns:
        return "inferencex"
    return "points"


def read_points(path: Path, *, mark: Mark | None = None) -> CurveImport:
    """Read a file of points; every row that is none is listed with its reason.

    Raises:
        FindingsError: if it is no such file, or all of its rows are refused.
    """
    table = PointTable(
        columns=COLUMNS,
        missing=(
            "a file of measured points has this column, and it is not here",
            f"Write {', '.join(COLUMNS)}; and stack, avg_power_w_per_gpu, input_tokens, "
            "output_tokens, precision where they are known",
        ),
        point_of=_point,
    )
    return read_point_table(path, table, mark=mark)


def named_points(
    points: Iterable[CurvePoint], catalogue: Catalogue, *, names: Mapping[str, str]
) -> tuple[tuple[CurvePoint, ...], tuple[Finding, ...]]:
    """Return the points under the catalogue's own names, and all that is wrong with them.

    A name that nobody knows is told once, however many points carry it.
    """
    known = {own.lower(): theirs for own, theirs in names.items()}
    good: list[CurvePoint] = []
    findings: list[Finding] = []
    unknown: dict[tuple[str, str], Finding] = {}
    for number, point in enumerate(points, start=1):
        place = point.source or f"point {number}"
        wrong = list(faults_of(point, point.j_per_token, place=place))
        findings += wrong
        try:
            model = catalogue.language_model(known.get(point.model.lower(), point.model))
            accelerator = known.get(point.accelerator.lower(), point.accelerator)
            sku = catalogue.accelerator(accelerator)
        except UnknownName as error:
            key = (point.model, point.accelerator)
            unknown.setdefault(key, _unknown(place, key, error))
            continue
        good.append(known_point(point, model=model, accelerator=sku))
    return tuple(good), (*findings, *unknown.values())


def read_calibration(
    folder: Path, file: str, catalogue: Catalogue
) -> tuple[tuple[CurvePoint, ...] | None, tuple[Finding, ...]]:
    """Read the points that a company names; here a single bad row is an error.

    Args:
        folder: of the company file, which `file` is relative to.

    Returns:
        The points, None if anything in the file is wrong; and all findings.
    """
    try:
        read = read_measured_points(folder / file, catalogue)
    except FindingsError as error:
        return None, tuple(_of_field(finding, file) for finding in error.findings)
    found = tuple(
        _of_field(replace(finding, severity="error"), file)
        if finding.code in read.refused_counts
        else _of_field(finding, file)
        for finding in read.findings
        if finding.code != "CURVE_FEW_POINTS"  # one point is a calibration too
    )
    return (None if errors_of(found) else read.points), found


def write_points(path: Path, points: Sequence[CurvePoint]) -> None:
    """Write points as CSV; a reader sees the old file or the new one, never half of one.

    Raises:
        InputError: if the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(KEPT)
    writer.writerows([_cell(getattr(point, name)) for name in KEPT] for point in points)
    try:
        write_whole_file(path, text.getvalue())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _point(row: Row, source: str) -> CurvePoint:
    model, accelerator = row.name("model"), row.name("accelerator")
    if not model or not accelerator:
        raise RowRefused("POINT_INCOMPLETE", "its model or its accelerator is not said")
    boundary = row.word("boundary").lower()
    if boundary not in get_args(Boundary):
        raise RowRefused(
            "POINT_BOUNDARY_UNSTATED",
            "its boundary says what was metered: gpu (boards alone), it or facility",
        )
    gpus = row.count("gpus_count")
    if not gpus:
        raise RowRefused("POINT_INCOMPLETE", "gpus_count is empty or 0")
    return CurvePoint(
        model=model,
        accelerator=accelerator,
        gpus_count=gpus,
        replicas_count=row.count("replicas_count") or 1,
        stack=row.word("stack"),
        batch_count=needed(row, "batch_count"),
        j_per_token=needed(row, "j_per_token"),
        avg_power_w_per_gpu=positive(row, "avg_power_w_per_gpu"),
        input_tokens=_length(row, "input_tokens"),
        output_tokens=_length(row, "output_tokens"),
        bytes_per_weight=positive(row, "bytes_per_weight")
        or PRECISION_BYTES.get(row.word("precision").lower()),
        boundary=boundary,  # type: ignore[arg-type]  # held against its words above
        source=row.word("source") or source,
    )


def _length(row: Row, name: str) -> float:
    """Return tokens of a request, 0 where they are not said."""
    return 0.0 if row.amount(name) == 0 else positive(row, name) or 0.0


def _cell(value: object) -> object:
    if value is None or value == 0.0:  # lengths that are not said
        return ""
    return plain_cell(value) if isinstance(value, str) else value


def _unknown(place: str, key: tuple[str, str], error: UnknownName) -> Finding:
    return Finding(
        code="POINT_NAME",
        path=place,
        value=" on ".join(key),
        reason=f"{error}",
        remedy="Write the catalogue's name, or say what it is there with --name THEIRS=OURS",
    )


def _of_field(finding: Finding, file: str) -> Finding:
    place = finding.path if finding.path.startswith(file) else f"{file}, {finding.path}"
    return replace(finding, path=FIELD, reason=f"{place}: {finding.reason}")

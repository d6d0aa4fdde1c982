"""Calibrate: what measured points make of the predictions, and the file that holds them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tokenergy.api.output import refuse_unwritable
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.check.calibration import check_calibration
from tokenergy.company.configuration import Configuration
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.energy.calibrate import Calibration, calibrated, calibrated_band
from tokenergy.energy.calibrated_curve import predicted_j_per_token
from tokenergy.energy.calibration_error import (
    ConfigurationError,
    configuration_errors,
    points_apart,
)
from tokenergy.errors import FindingsError, InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.cells import Mark
from tokenergy.files.company_file import read_company
from tokenergy.files.energy_points import (
    BEGINNING,
    MeasuredPoints,
    read_measured_points,
    write_points,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedRow:
    """One configuration: its points, and the errors of its predictions.

    Attributes:
        points_count: batches that calibrate it, 0 where none does.
        lowest_batch_count, highest_batch_count: of them; None where there are none.
        factor_low_ratio, factor_high_ratio: least and greatest measured over predicted of them.
        low_share, high_share: the band between them, measured over predicted.
        tested_count: points that the errors are of.
        before_mape_share: mean error of the catalogue's prediction at those points.
        after_mape_share: that of the corrected prediction; None where it cannot be told.
    """

    configuration: Configuration
    points_count: int
    lowest_batch_count: float | None
    highest_batch_count: float | None
    factor_low_ratio: float | None
    factor_high_ratio: float | None
    low_share: float | None
    high_share: float | None
    tested_count: int
    before_mape_share: float
    after_mape_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationMade:
    """What some points make of the predictions.

    Attributes:
        file: where they were read; `kind`: what table they were in.
        points_count: points that were taken, of so many configurations; `refused_counts`: rows
            that were not, by code.
        held_against: the file whose points the errors are of; "" for the points themselves, each
            predicted from those at other batches.
        rows: one for each configuration.
        tested_count: points with both errors; `before_mape_share`, `after_mape_share` over them.
        findings: warnings.
        wrote: the file that a company can name as `calibration`, "" where none was asked for.
    """

    file: str
    kind: str
    points_count: int
    configurations_count: int
    refused_counts: Mapping[str, int]
    held_against: str
    rows: tuple[CalibratedRow, ...]
    tested_count: int
    before_mape_share: float | None
    after_mape_share: float | None
    findings: tuple[Finding, ...]
    wrote: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as one JSON-ready object; keys carry units."""
        return asdict(self) | {"refused_counts": dict(self.refused_counts)}


def calibrate(
    points: str | Path,
    *,
    company: str | Path | None = None,
    against: str | Path | None = None,
    out: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    mark: Mark | None = None,
    catalogue: Catalogue | None = None,
) -> CalibrationMade:
    """Return what measured points make of the predictions of their own configurations.

    Args:
        points: a file of points, an ML.ENERGY result table, or InferenceX rows.
        company: a company file, to see which of its models the points are of.
        against: another such file, to hold the calibration against.
        out: a CSV to write; an older calibration is replaced, anything else is not.
        names: what the files call a model or an accelerator, and what the catalogue does.
        mark: the decimal mark; None: what the file shows.
        catalogue: of other facts than those that ship.

    Raises:
        FindingsError: with everything wrong with the points or the company file.
        InputError: if `out` cannot be written.
    """
    known = catalogue or load_catalogue()
    where = None if out is None else Path(out)
    if where is not None:
        if where.suffix.lower() != ".csv":
            raise InputError(f"cannot write {where}: name a .csv file")
        if where.exists() and where.samefile(points):
            raise InputError(f"{where} holds the points themselves: name another file")
        refuse_unwritable(where, replaces=BEGINNING)
    read = read_measured_points(Path(points), known, names=names, mark=mark)
    other = (
        None
        if against is None
        else read_measured_points(Path(against), known, names=names, mark=mark)
    )
    made = calibrated(read.points, lambda point: predicted_j_per_token(known, point))
    errors = configuration_errors(
        known, read.points, against=None if other is None else other.points
    )
    findings = [
        *read.findings,
        *(() if other is None else other.findings),
        *points_apart(known, read.points),
    ]
    if company is not None:
        findings += _of_company(company, known, read)
    if where is not None:
        write_points(where, read.points)
    return _made(read, made, errors, findings, against=other, wrote=where)


def _made(
    read: MeasuredPoints,
    made: Calibration,
    errors: Sequence[ConfigurationError],
    findings: Sequence[Finding],
    *,
    against: MeasuredPoints | None,
    wrote: Path | None,
) -> CalibrationMade:
    told = [each for own in errors for each in own.errors if each.after_share is not None]
    count = len(told)
    after = [each.after_share for each in told if each.after_share is not None]
    return CalibrationMade(
        file=read.file,
        kind=read.kind,
        points_count=len(read.points),
        configurations_count=len(made.configurations),
        refused_counts=read.refused_counts,
        held_against="" if against is None else against.file,
        rows=tuple(_row(own, made) for own in errors),
        tested_count=count,
        before_mape_share=math.fsum(each.before_share for each in told) / count if told else None,
        after_mape_share=math.fsum(after) / count if told else None,
        findings=tuple(dict.fromkeys(findings)),
        wrote="" if wrote is None else str(wrote),
    )


def _row(own: ConfigurationError, made: Calibration) -> CalibratedRow:
    held = made.corrections.get(own.configuration)
    band = None if held is None else calibrated_band(held.points_count)
    return CalibratedRow(
        configuration=own.configuration,
        points_count=own.points_count,
        lowest_batch_count=None if held is None else held.batches_count[0],
        highest_batch_count=None if held is None else held.batches_count[-1],
        factor_low_ratio=None if held is None else min(held.factors_ratio),
        factor_high_ratio=None if held is None else max(held.factors_ratio),
        low_share=None if band is None else band[0],
        high_share=None if band is None else band[1],
        tested_count=len(own.errors),
        before_mape_share=own.before_mape_share,
        after_mape_share=own.after_mape_share,
    )


def _of_company(
    company: str | Path, catalogue: Catalogue, read: MeasuredPoints
) -> tuple[Finding, ...]:
    """Return what the points leave to be said about a company's models."""
    found, findings = read_company(company, catalogue=catalogue)
    if found is None:
        raise FindingsError(findings)
    with_points = replace(catalogue, points=read.points)
    return tuple(check_calibration(Parts.of(found), with_points))

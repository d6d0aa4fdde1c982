"""Every series that a company names, read and laid on one grid of time."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.inputs import Inputs, Lengths
from tokenergy.company.operating_row import DIGEST_LENGTH, OperatingRow
from tokenergy.company.parts import Parts
from tokenergy.company.refusal import refuse
from tokenergy.company.series import FileSeries, LengthsFile, SyntheticSeries
from tokenergy.company.tier import Workload
from tokenergy.errors import FindingsError
from tokenergy.files.feed import Feed
from tokenergy.files.grid import FloatArray, Grid, grid_of
from tokenergy.files.operating_table import read_operating_rows
from tokenergy.files.plausible import check_values, clipped
from tokenergy.files.series_file import read_file_series
from tokenergy.files.tables import Tables, numbers_of
from tokenergy.files.wanted import SERIES, Wanted, wanted_series

END_WORDS = frozenset({"end", "ending", "ends", "ended", "he", "bis", "to", "until"})
"""Words in the name of a time column that speak of the end of an interval."""

OnProgress = Callable[[str, int, int], None]
"""Told the path of the next series, how many are read, and of how many."""


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What has been read so far."""

    grid: Grid
    tables: Tables
    feed: Feed
    laid: dict[str, dict[str, FloatArray]] = field(default_factory=dict)
    lengths: dict[str, Lengths] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    synthetic: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    operating_rows: tuple[OperatingRow, ...] | None = None


def read_inputs(
    company: Company | Parts, *, folder: Path, on_progress: OnProgress | None = None
) -> tuple[Inputs | None, tuple[Finding, ...]]:
    """Read every series onto the horizon's grid, with `history_days` before it.

    Args:
        company: A company, or what could be read of one.
        folder: The folder of the company file, that its files are relative to.
        on_progress: Told of each series before it is read.

    Returns:
        The inputs, or None if any finding is an error; and all findings, without lines.
    """
    parts = company if isinstance(company, Parts) else Parts.of(company)
    if parts.horizon is None:
        return None, ()
    grid = grid_of(parts.horizon, history_days=parts.history_days)
    wanted = list(wanted_series(parts))
    zones = [w.source.synthetic for w in wanted if isinstance(w.source, SyntheticSeries)]
    reading = _Reading(
        grid=grid,
        tables=Tables(folder=folder),
        feed=Feed.of(zones, grid=grid, seed=parts.seed),
    )
    for done, want in enumerate(wanted):
        if on_progress:
            on_progress(want.path, done, len(wanted))
        _read(want, reading)
    for path, workload in parts.placed("workloads"):
        _read_workload(path, workload, reading)
    if parts.operating_points is not None:
        reading.operating_rows, found = read_operating_rows(folder, parts.operating_points)
        reading.findings.extend(found)
        reading.sources["operating_points"] = parts.operating_points
    if parts.calibration is not None:  # read with the catalogue, which it corrects
        reading.sources["calibration"] = parts.calibration
    if on_progress:
        on_progress("", len(wanted), len(wanted))
    findings = tuple(reading.findings)
    if errors_of(findings) or not isinstance(company, Company):
        return None, findings
    return _inputs(company, reading), findings


def _read(want: Wanted, reading: _Reading) -> None:
    """Read one series; what is wrong with it ends this one only."""
    try:
        values = _values(want, reading)
    except FindingsError as error:
        reading.findings.extend(error.findings)
        return
    if want.market:
        reading.sources[want.path] += f", market zone {want.market}"
    constant = not isinstance(want.source, FileSeries | SyntheticSeries)
    reading.findings.extend(
        check_values(values, want.quantity, grid=reading.grid, path=want.path, constant=constant)
    )
    reading.laid.setdefault(want.into, {})[want.owner] = clipped(values, want.quantity)


def _values(want: Wanted, reading: _Reading) -> FloatArray:
    source = want.source
    if isinstance(source, SyntheticSeries):
        quantity = _synthetic_quantity(want, source)
        values = reading.feed.series(source.synthetic, quantity, path=want.path)
        reading.synthetic.append(want.path)
        reading.sources[want.path] = (
            f"synthetic {quantity} of zone {source.synthetic}, seed {reading.feed.seed}"
        )
        return values
    if isinstance(source, FileSeries):
        _check_options(want, source)
        laid = read_file_series(source, reading.tables, grid=reading.grid, path=want.path)
        reading.findings.extend(laid.warnings)
        reading.findings.extend(_end_unstated(want, source))
        reading.sources[want.path] = _told(source)
        if source.nameplate_mw is not None:
            return laid.values / source.nameplate_mw
        return laid.values * source.usd_per_unit
    reading.sources[want.path] = f"constant {source:g}"
    return np.full(reading.grid.count, float(source))


def _told(source: FileSeries) -> str:
    """Return where a series of a file comes from, with the rate that was put on it."""
    text = f"{source.file}, column {source.column}"
    if source.usd_per_unit != 1.0:
        text += f", {source.usd_per_unit:g} USD per unit"
    return f"{text} ({source.rate_note})" if source.rate_note else text


def _synthetic_quantity(want: Wanted, source: SyntheticSeries) -> Any:
    """Return what to take from a zone: what is stated, or what the place can only mean."""
    allowed: tuple[str, ...] = {
        "price": ("price",),
        "temperature": ("temperature",),
        "profile": ("wind", "solar"),
        "rate": ("price", "wind", "solar", "temperature"),
        "shape": ("price", "wind", "solar", "temperature"),
    }.get(want.quantity, ())
    if not allowed:
        refuse(
            "SYNTHETIC_QUANTITY",
            path=want.path,
            value=source.synthetic,
            reason="the synthetic feed makes prices, wind, sun and temperatures, and none of them "
            "can stand here",
            remedy="Name a number, or a column of a file",
        )
    if source.quantity is None and len(allowed) == 1:
        return allowed[0]
    if source.quantity not in allowed:
        refuse(
            "SYNTHETIC_QUANTITY",
            path=f"{want.path}.quantity",
            value=source.quantity or "",
            limit=" or ".join(allowed),
            reason="a zone has four series, and this place does not say which of them it takes"
            if source.quantity is None
            else f"this place takes no {source.quantity}",
            remedy=f"State quantity: {' or '.join(allowed)}",
        )
    return source.quantity


def _check_options(want: Wanted, source: FileSeries) -> None:
    """Refuse options that this quantity would leave unread."""
    unread = []
    if want.quantity not in ("price", "fuel") and source.usd_per_unit != 1.0:
        unread.append(("usd_per_unit", "prices"))
    if want.quantity != "profile" and source.nameplate_mw is not None:
        unread.append(("nameplate_mw", "profiles of wind and solar"))
    for option, use in unread:
        refuse(
            "SERIES_OPTION_UNUSED",
            path=f"{want.path}.{option}",
            value=f"{getattr(source, option):g}",
            reason=f"{option} is for {use}, and nothing would read it here",
            remedy=f"Remove {option}",
        )


def _end_unstated(want: Wanted, source: FileSeries) -> Iterator[Finding]:
    """Yield a warning where stamps are ends by the name of their column, and read as starts."""
    words = set(re.split(r"[^a-z]+", source.time_column.lower()))
    if "stamp" not in source.model_fields_set and words & END_WORDS:
        yield Finding(
            code="STAMP_UNSTATED",
            path=f"{want.path}.time_column",
            value=source.time_column,
            limit="stamp: start (default)",
            reason=f"the stamps of {source.file} are ends of their intervals by the name of their "
            "column, and are read as starts: all values would be an interval late",
            remedy="State stamp: end, or stamp: start if that is what they are",
            severity="warning",
        )


def _read_workload(path: str, workload: Workload, reading: _Reading) -> None:
    """Turn a workload's arrivals into rates, and its lengths into means."""
    try:
        rates = _rates(f"{path}.arrivals", workload, reading)
        if rates is not None:
            reading.laid.setdefault("requests_per_s", {})[workload.name] = rates
        if workload.lengths is not None:
            lengths = _trace_lengths(f"{path}.lengths", workload.lengths, reading.tables)
            reading.lengths[workload.name] = lengths
            reading.sources[f"{path}.lengths"] = f"{workload.lengths.file}, means"
        elif workload.input_tokens is not None and workload.output_tokens is not None:
            reading.lengths[workload.name] = Lengths(
                input_tokens=workload.input_tokens, output_tokens=workload.output_tokens
            )
    except FindingsError as error:
        reading.findings.extend(error.findings)


def _rates(path: str, workload: Workload, reading: _Reading) -> FloatArray | None:
    """Return requests per second by interval; None if their series could not be read."""
    arrivals = workload.arrivals
    mean_requests_per_s = arrivals.mean_requests_per_s
    if arrivals.series is not None:
        values = reading.laid.get("requests_per_s", {}).get(workload.name)
        if values is None or mean_requests_per_s is None:
            return values
        if values.mean() <= 0.0 or (values < 0.0).any():
            refuse(
                "ARRIVALS_WITHOUT_SHAPE",
                path=f"{path}.series",
                value=f"{values.mean():g}",
                limit="> 0",
                reason="a series that arrivals follow has a positive mean and nothing below 0",
                remedy="Name another series, or leave it out for constant arrivals",
            )
        return values * (mean_requests_per_s / float(values.mean()))
    assert mean_requests_per_s is not None  # the noun sees to it
    if arrivals.shape is None:
        reading.sources[path] = f"constant {mean_requests_per_s:g} requests/s"
        return np.full(reading.grid.count, mean_requests_per_s)
    shape = reading.feed.demand(arrivals.shape, workload=workload.name, path=path)
    reading.synthetic.append(path)
    reading.sources[path] = f"synthetic demand, seed {reading.feed.seed}"
    return shape * mean_requests_per_s


def trace_columns(path: str, source: LengthsFile, tables: Tables) -> tuple[FloatArray, FloatArray]:
    """Return input and output tokens of every row of a trace of lengths, [n] each.

    Raises:
        FindingsError: if there is no such file or column, or a cell is no count of tokens.
    """
    columns = []
    for option in ("input_column", "output_column"):
        name = getattr(source, option)
        values, bad = numbers_of(tables.column(source.file, name, path=path, option=option))
        if bad.any() or np.isnan(values).any() or (values < 0.0).any() or values.mean() <= 0.0:
            refuse(
                "BAD_LENGTHS",
                path=f"{path}.{option}",
                value=name,
                reason=f"column {name!r} of {source.file} has cells that are no count of tokens",
                remedy="Remove those rows from the trace",
            )
        columns.append(values)
    return columns[0], columns[1]


def _trace_lengths(path: str, source: LengthsFile, tables: Tables) -> Lengths:
    inputs, outputs = trace_columns(path, source, tables)
    return Lengths(
        input_tokens=float(inputs.mean()),
        output_tokens=float(outputs.mean()),
        digest=sha256(inputs.tobytes() + outputs.tobytes()).hexdigest()[:DIGEST_LENGTH],
    )


def _inputs(company: Company, reading: _Reading) -> Inputs:
    grid = reading.grid
    return Inputs(
        start=grid.start,
        step_h=company.horizon.step_h,
        history_count=grid.history_count,
        price_usd_per_mwh=reading.laid.get("price_usd_per_mwh", {}),
        outdoor_c=reading.laid.get("outdoor_c", {}),
        profile_share=reading.laid.get("profile_share", {}),
        requests_per_s=reading.laid.get("requests_per_s", {}),
        lengths=reading.lengths,
        synthetic=tuple(reading.synthetic),
        sources=reading.sources,
        series=reading.laid.get(SERIES, {}),
        operating_rows=reading.operating_rows,
    )

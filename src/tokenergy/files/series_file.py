"""A column of a file, laid on the grid as its source says; never filled in silence."""

from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.company.series import FileSeries
from tokenergy.files.grid import (
    US_PER_H,
    US_PER_S,
    WEEK_US,
    FloatArray,
    Grid,
    IntArray,
    filled_from_week_before,
    fits,
    lay,
    repeated,
    stamp_text,
)
from tokenergy.files.stamps import check_order, source_step_us, stamps_of
from tokenergy.files.tables import Tables, cells_of, numbers_of

FINEST_US: Final = US_PER_S
"""A trace of events is no series of intervals."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laid:
    """Values on the grid, one per interval, and what was said on the way (warnings)."""

    values: FloatArray
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """A column with its moments: intervals of `step_us` from each stamp; NaN is missing."""

    stamps_us: IntArray
    values: FloatArray
    step_us: int


def read_file_series(source: FileSeries, tables: Tables, *, grid: Grid, path: str) -> Laid:
    """Read a column and lay it on the grid.

    Raises:
        FindingsError: for whatever keeps it from filling the grid.
    """
    lead_us = WEEK_US if source.fill == "previous_week" else 0
    wide = grid.earlier(lead_us)
    rows = _rows(source, tables, grid=wide, path=path)
    if not fits(wide, first_us=int(rows.stamps_us[0]), source_step_us=rows.step_us):
        _refuse_misaligned(source, rows, grid=grid, path=path)
    if rows.step_us < FINEST_US:
        _refuse_too_fine(source, rows, path=path)
    if source.repeat:
        rows = _repeat(rows, grid=wide, path=path)
    _check_span(source, rows, grid=grid, path=path)
    values = lay(rows.stamps_us, rows.values, source_step_us=rows.step_us, grid=wide)
    return _without_gaps(values, source, grid=grid, wide=wide, path=path)


def _rows(source: FileSeries, tables: Tables, *, grid: Grid, path: str) -> _Rows:
    """Read the two columns, and move the stamps to the start of their intervals."""
    times = tables.column(source.file, source.time_column, path=path, option="time_column")
    column = tables.column(source.file, source.column, path=path, option="column")
    stamps_us = stamps_of(cells_of(times), source, path=path)
    check_order(stamps_us, path=path)
    step_us = source_step_us(stamps_us, default_us=grid.step_us)
    if source.stamp == "end":
        stamps_us = stamps_us - step_us
    stamps_us = stamps_us + round(source.shift_h * US_PER_H)
    values, bad = numbers_of(column)
    if not source.repeat:  # what lies outside the grid harms nobody
        bad &= (stamps_us > grid.start_us - step_us) & (stamps_us < grid.end_us)
    if bad.any():
        at = int(np.argmax(bad))
        refuse(
            "SERIES_NOT_A_NUMBER",
            path=path,
            value=str(column[at])[:40],
            reason=f"{int(bad.sum())} cells of column {source.column!r} of {source.file} are "
            f"no numbers, the first at {stamp_text(int(stamps_us[at]))}",
            remedy="Write numbers with a decimal point; leave a cell empty if nothing was recorded",
        )
    if source.zero_is_missing:
        values[values == 0.0] = np.nan
    if source.missing_if_zero_column is not None:
        name = source.missing_if_zero_column
        option = "missing_if_zero_column"
        other = tables.column(source.file, name, path=path, option=option)
        marks, _ = numbers_of(other)
        values[np.isnan(marks) | (marks == 0.0)] = np.nan
    return _Rows(stamps_us=stamps_us, values=values, step_us=step_us)


def _repeat(rows: _Rows, *, grid: Grid, path: str) -> _Rows:
    """Repeat the rows from the first recorded value to the last over the grid."""
    recorded = np.flatnonzero(~np.isnan(rows.values))
    if not recorded.size:
        return rows
    part = slice(int(recorded[0]), int(recorded[-1]) + 1)
    stamps_us, values = rows.stamps_us[part], rows.values[part]
    span_us = int(stamps_us[-1] - stamps_us[0]) + rows.step_us
    if span_us % (24 * US_PER_H):
        refuse(
            "REPEAT_NOT_WHOLE_DAYS",
            path=f"{path}.repeat",
            value=f"{span_us / US_PER_H:g}",
            limit="a multiple of 24",
            unit="h",
            reason="repeating this span would move the day around the clock",
            remedy="Cut the file to whole days",
        )
    stamps_us, values = repeated(stamps_us, values, source_step_us=rows.step_us, grid=grid)
    return _Rows(stamps_us=stamps_us, values=values, step_us=rows.step_us)


def _check_span(source: FileSeries, rows: _Rows, *, grid: Grid, path: str) -> None:
    first_us, end_us = int(rows.stamps_us[0]), int(rows.stamps_us[-1]) + rows.step_us
    late, early = first_us > grid.start_us, end_us < grid.end_us
    if late or early:
        horizon_us = grid.start_us + grid.history_count * grid.step_us
        if early:
            what, remedy = "ends before the horizon does", "Shorten or move the horizon"
        elif first_us > horizon_us:
            what, remedy = "begins after the horizon does", "Move the horizon"
        else:
            what = "lacks part of the history before the horizon that forecasts learn from"
            remedy = "Move horizon.start later, or lower history_days"
        refuse(
            "SERIES_SHORT",
            path=path,
            value=f"{stamp_text(first_us)} to {stamp_text(end_us)}",
            limit=f"{stamp_text(grid.start_us)} to {stamp_text(grid.end_us)}",
            reason=f"column {source.column!r} of {source.file} {what}",
            remedy=f"{remedy}, or name a longer file",
        )


def _without_gaps(
    values: FloatArray, source: FileSeries, *, grid: Grid, wide: Grid, path: str
) -> Laid:
    """Fill missing intervals as the source says, aloud, or refuse them."""
    lead = wide.count - grid.count
    missing = np.isnan(values[lead:])
    count = int(missing.sum())
    if not count:
        return Laid(values=values[lead:])
    share = count / grid.count
    first = stamp_text(grid.start_us + int(np.argmax(missing)) * grid.step_us)
    told = f"{count} of {grid.count} intervals of column {source.column!r} of {source.file} "
    allowed = source.fill != "none" and share <= source.missing_limit_share
    if allowed:
        zeros = np.where(np.isnan(values), 0.0, values)
        filled = zeros if source.fill == "zero" else filled_from_week_before(values, grid=wide)
        if not np.isnan(filled[lead:]).any():
            how = "0" if source.fill == "zero" else "the same interval of the week before"
            warning = Finding(
                code="SERIES_GAP",
                path=path,
                value=f"{count}",
                limit=f"{source.missing_limit_share:.2%} of {grid.count}",
                unit="intervals",
                reason=f"{told}are missing, the first at {first}: {how} stands in for them",
                remedy="Find the missing values if a result hangs on them",
                severity="warning",
            )
            return Laid(values=filled[lead:], warnings=(warning,))
    remedy = "Find the missing values, or state fill and a missing_limit_share that allows them"
    if allowed:
        remedy = "Find the missing values: the week before has none either"
    elif count == grid.count:
        remedy = f"Name another column than {source.column!r}: this one is empty all along"
    elif source.fill != "none":
        remedy = f"Find the missing values, or raise missing_limit_share above {share:.4f}"
    refuse(
        "SERIES_GAP",
        path=path,
        value=f"{count}",
        limit=f"{source.missing_limit_share:.2%} of {grid.count}",
        unit="intervals",
        reason=f"{told}are missing, the first at {first}; nothing is interpolated",
        remedy=remedy,
    )


def _refuse_misaligned(source: FileSeries, rows: _Rows, *, grid: Grid, path: str) -> NoReturn:
    refuse(
        "SERIES_MISALIGNED",
        path=path,
        value=f"{rows.step_us / US_PER_H:g} h from {stamp_text(int(rows.stamps_us[0]))}",
        limit=f"{grid.step_us / US_PER_H:g} h from {stamp_text(grid.start_us)}",
        reason=f"the intervals of {source.file} cut those of the horizon",
        remedy="Shift the stamps (shift_h), or choose a step_h that divides or is divided by "
        "the file's",
    )


def _refuse_too_fine(source: FileSeries, rows: _Rows, *, path: str) -> NoReturn:
    refuse(
        "SERIES_TOO_FINE",
        path=path,
        value=f"{rows.step_us / US_PER_S:g}",
        limit=f"{FINEST_US / US_PER_S:g}",
        unit="s",
        reason=f"the rows of {source.file} lie closer than intervals do: perhaps they are events",
        remedy="Count them by the minute or the hour first",
    )

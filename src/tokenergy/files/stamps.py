"""The time column of a table, as moments: zones, summer time, elapsed seconds."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

import numpy as np

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.company.series import FileSeries
from tokenergy.company.zones import known_zones
from tokenergy.files.faults import zones_of_city
from tokenergy.files.grid import US_PER_H, US_PER_S, IntArray, since_epoch_us, stamp_text

FIRST_ROW: Final = 2
"""Row of the first value in a spreadsheet, below the header."""
EARLIEST_YEAR: Final = 1900
LATEST_YEAR: Final = 2200


def stamps_of(cells: Iterable[Any], source: FileSeries, *, path: str) -> IntArray:
    """Return the time column as microseconds since 1970, as the source writes it.

    `stamp` and `shift_h` are not applied yet.

    Raises:
        FindingsError: for a cell that is no moment, or a naive one without a stated zone.
    """
    if source.elapsed_from is not None:
        return _elapsed(cells, source, path=path)
    zone = _zone(source, path=path)
    stamps: list[int] = []
    seen: set[datetime] = set()
    for row, cell in enumerate(cells, start=FIRST_ROW):
        when = _moment(cell, row=row, path=path)
        if when.tzinfo is None:
            if zone is None:
                _refuse_naive(source, row=row, cell=cell, path=path)
            local = when
            # Of two equal local stamps the second is the repeated hour of autumn.
            when = local.replace(tzinfo=zone, fold=1 if local in seen else 0)
            seen.add(local)
            if when.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
                _refuse_skipped(source, row=row, cell=cell, path=path)
        stamps.append(since_epoch_us(when.astimezone(UTC)))
    return np.array(stamps, dtype=np.int64)


def source_step_us(stamps_us: IntArray, *, default_us: int) -> int:
    """Return the usual distance of two stamps, or the default where there is only one."""
    if stamps_us.size < 2:
        return default_us
    steps, counts = np.unique(np.diff(stamps_us), return_counts=True)
    return int(steps[np.argmax(counts)])


def check_order(stamps_us: IntArray, *, path: str) -> None:
    """Refuse stamps that stand twice, go back, or do not keep one step.

    Raises:
        FindingsError: naming the first such stamp and how many there are.
    """
    steps = np.diff(stamps_us)
    if (steps == 0).any():
        at, count = int(np.argmax(steps == 0)) + 1, int((steps == 0).sum())
        refuse(
            "SERIES_DUPLICATE_STAMP",
            path=path,
            value=stamp_text(int(stamps_us[at])),
            reason=f"{count} stamps stand twice, the first in row {at + FIRST_ROW}",
            remedy="Remove the second of each; if clocks were set back there, state time_zone",
        )
    if (steps < 0).any():
        at, count = int(np.argmax(steps < 0)) + 1, int((steps < 0).sum())
        refuse(
            "SERIES_UNSORTED",
            path=path,
            value=stamp_text(int(stamps_us[at])),
            reason=f"time goes back {count} times, first in row {at + FIRST_ROW}",
            remedy="Sort the file by time",
        )
    step_us = source_step_us(stamps_us, default_us=US_PER_H)
    odd = steps % step_us != 0
    if odd.any():
        at = int(np.argmax(odd)) + 1
        refuse(
            "SERIES_MISALIGNED",
            path=path,
            value=stamp_text(int(stamps_us[at])),
            limit=f"{step_us / US_PER_H:g}",
            unit="h",
            reason=f"{int(odd.sum())} stamps do not keep the step of the file, the first in "
            f"row {at + FIRST_ROW}",
            remedy="Give the file equal intervals",
        )


def _zone(source: FileSeries, *, path: str) -> ZoneInfo | None:
    """Return the zone of stamps that carry none; None unless the company file states it."""
    if "time_zone" not in source.model_fields_set:
        return None
    if source.time_zone not in known_zones():
        city = zones_of_city(source.time_zone)
        near = ", ".join(city or nearest_names(source.time_zone, known_zones())) or "none"
        refuse(
            "ZONE_UNKNOWN",
            path=f"{path}.time_zone",
            value=source.time_zone,
            reason=f"{source.time_zone!r} is no IANA time zone",
            remedy=f"Nearest: {near}",
        )
    return ZoneInfo(source.time_zone)


def _moment(cell: Any, *, row: int, path: str) -> datetime:
    when: datetime | None = None
    if isinstance(cell, datetime):
        when = cell
    elif isinstance(cell, date):
        when = datetime(cell.year, cell.month, cell.day)
    elif isinstance(cell, str):
        try:
            when = datetime.fromisoformat(cell.strip())
        except ValueError:
            when = None
    if when is None or not EARLIEST_YEAR <= when.year <= LATEST_YEAR:
        refuse(
            "BAD_STAMP",
            path=path,
            value="" if cell is None else str(cell)[:40],
            reason=f"row {row} has no time stamp that we can read",
            remedy="Write stamps in ISO form like 2026-03-02T00:00Z (year, month, day), or state "
            "elapsed_from for seconds",
        )
    return when


def _elapsed(cells: Iterable[Any], source: FileSeries, *, path: str) -> IntArray:
    assert source.elapsed_from is not None
    zero_us = since_epoch_us(source.elapsed_from)
    stamps: list[int] = []
    for row, cell in enumerate(cells, start=FIRST_ROW):
        try:
            second_us = round(float(cell) * US_PER_S)
        except (TypeError, ValueError, OverflowError):
            second_us = -1
        if not 0 <= second_us <= 400 * 366 * 24 * US_PER_H:
            refuse(
                "BAD_STAMP",
                path=path,
                value="" if cell is None else str(cell)[:40],
                unit="s",
                reason=f"row {row} has no number of elapsed seconds",
                remedy="Correct the row, or leave elapsed_from out if the column holds dates",
            )
        stamps.append(zero_us + second_us)
    return np.array(stamps, dtype=np.int64)


def _refuse_naive(source: FileSeries, *, row: int, cell: Any, path: str) -> NoReturn:
    refuse(
        "NAIVE_TIMESTAMP",
        path=path,
        value=str(cell),
        reason=f"the stamps of {source.file} carry no time zone (row {row}), and the company "
        "file states none",
        remedy="State time_zone beside the column, UTC or an IANA name",
    )


def _refuse_skipped(source: FileSeries, *, row: int, cell: Any, path: str) -> NoReturn:
    refuse(
        "STAMP_NOT_IN_ZONE",
        path=path,
        value=str(cell),
        limit=source.time_zone,
        reason=f"row {row} names an hour that the clocks of {source.time_zone} skip in spring",
        remedy="State the zone that the stamps are really in"
        + (
            "; if a stamp is the local start plus a step, name the column of starts instead"
            if source.stamp == "end"
            else ", UTC for example; or remove that row"
        ),
    )

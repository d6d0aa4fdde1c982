"""Hourly prices of several zones, for the thesis: a table with a column by zone, or the feed."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.company.series import FileSeries
from tokenergy.errors import FindingsError
from tokenergy.files.grid import US_PER_H, FloatArray, Grid, IntArray, lay, stamp_text
from tokenergy.files.plausible import check_values
from tokenergy.files.stamps import check_order, source_step_us, stamps_of
from tokenergy.files.synthetic_zones import load_zones
from tokenergy.files.tables import Tables, cells_of, numbers_of
from tokenergy.synthetic.climate import climate
from tokenergy.thesis.inputs import HourlyPrices

TIME_COLUMN: Final = "utc"
ZONES_LEAST_COUNT: Final = 3
"""Geography compares three sites."""
HOURS_LEAST_COUNT: Final = 7 * 24
HOURS_MOST_COUNT: Final = 366 * 24
YEAR_HOURS_COUNT: Final = 365 * 24
SYNTHETIC_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
PATH: Final = "prices"
TWICE: Final = re.compile(r"(.+)_duplicated_\d+")
"""What polars calls a column whose name stands before it already."""


def synthetic_hourly_prices(seed: int) -> HourlyPrices:
    """Return a year of seeded prices in every zone of the feed: synthetic, never measured.

    Raises:
        InputError: if the seed is negative.
    """
    zones = list(load_zones().values())
    made = climate(zones, start=SYNTHETIC_START, hours_count=YEAR_HOURS_COUNT, seed=seed)
    return HourlyPrices(
        start=SYNTHETIC_START,
        usd_per_mwh=dict(zip(made.zones, made.price_usd_per_mwh, strict=True)),
        source=f"{made.label} prices of {len(zones)} zones, {YEAR_HOURS_COUNT} h",
        synthetic=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadPrices:
    """Prices as read, and what was said on the way (warnings)."""

    prices: HourlyPrices
    warnings: tuple[Finding, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Reading:
    """A table of prices on its way to becoming hourly prices, with its findings so far."""

    file: Path
    named: tuple[str, ...]
    """Zones that the caller named; empty: whatever can be read in USD."""
    rates: Mapping[str, float]
    """USD per unit of a column's currency, as stated."""
    tables: Tables
    grid: Grid
    stamps_us: IntArray
    step_us: int
    columns: tuple[str, ...]
    findings: list[Finding] = field(default_factory=list)

    def error(self, code: str, zone: str, *, reason: str, remedy: str, value: str = "") -> None:
        """Keep an error at a zone."""
        self.findings.append(
            Finding(code=code, path=_path(zone), value=value, reason=reason, remedy=remedy)
        )

    def warning(self, code: str, zone: str, *, reason: str, remedy: str, value: str = "") -> None:
        """Keep a warning at a zone, or at the file."""
        self.findings.append(
            Finding(
                code=code,
                path=_path(zone),
                value=value,
                reason=reason,
                remedy=remedy,
                severity="warning",
            )
        )


def read_hourly_prices(
    file: Path, *, zones: Sequence[str] = (), usd_per_unit: Mapping[str, float] | None = None
) -> ReadPrices:
    """Read a CSV (gzipped too) or Parquet table with a column `utc` and one column by zone.

    A column is in USD/MWh if its name begins with `US-` or has the word `usd` in it. Any other
    needs a stated rate; there is no hidden one. Nothing is filled: a zone with gaps is left out
    with a warning, or refused if it was named; where named zones begin later or end earlier, the
    span is cut to what all of them have.

    Args:
        file: the table; an hour or a part of it by row, stamps at the start in UTC.
        zones: the columns to take; empty: all that are in USD or have a rate.
        usd_per_unit: USD per unit of a column's currency, by column.

    Raises:
        FindingsError: with everything that keeps the table from being read, all at once.
    """
    reading = _open(file, tuple(dict.fromkeys(zones)), dict(usd_per_unit or {}))
    taken = _taken(reading)
    laid = {zone: values for zone in taken for values in _laid(reading, zone)}
    if reading.named and not errors_of(tuple(reading.findings)):
        laid = _cut(reading, laid)
    laid = {zone: values for zone, values in laid.items() if not _gap(reading, zone, values)}
    for zone, values in laid.items():
        reading.findings.extend(
            check_values(values, "price", grid=reading.grid, path=_path(zone), constant=False)
        )
    reading.findings.extend(_size(reading, len(laid)))
    found = tuple(reading.findings)
    if errors_of(found):
        raise FindingsError(errors_of(found))
    prices = HourlyPrices(
        start=reading.grid.start,
        usd_per_mwh=laid,
        source=_source(reading, laid),
        synthetic=False,
    )
    return ReadPrices(prices=prices, warnings=found)


def _path(zone: str) -> str:
    return f"{PATH}.{zone}" if zone else PATH


def _open(file: Path, named: tuple[str, ...], rates: dict[str, float]) -> _Reading:
    """Read the table and its time column, and lay out the hours between its ends."""
    if not file.is_file():
        refuse(
            "PRICES_FILE_MISSING",
            path=PATH,
            value=str(file),
            reason="there is no such file",
            remedy="Name a CSV, CSV.gz or Parquet file with a column `utc` and one by zone",
        )
    tables = Tables(folder=Path())
    try:
        times = tables.column(str(file), TIME_COLUMN, path=PATH, option="time_column")
    except FindingsError as error:
        raise FindingsError([_named_utc(finding) for finding in error.findings]) from None
    table = tables.read[str(file)]
    assert table is not None  # or the column would have been refused
    # The column is named for its zone: a stamp that says none is in UTC.
    source = FileSeries(file=file.name, column=TIME_COLUMN, time_zone="UTC")
    stamps_us = stamps_of(cells_of(times), source, path=PATH)
    check_order(stamps_us, path=PATH)
    step_us = source_step_us(stamps_us, default_us=US_PER_H)
    if step_us <= 0 or US_PER_H % step_us or int(stamps_us[0]) % step_us:
        refuse(
            "SERIES_MISALIGNED",
            path=PATH,
            value=f"{step_us / US_PER_H:g} h from {stamp_text(int(stamps_us[0]))}",
            limit="hours, or equal parts of them, from a whole one",
            reason=f"the rows of {file.name} do not nest in hours",
            remedy="Give one row for each hour, stamped at its start",
        )
    first_h = -(-int(stamps_us[0]) // US_PER_H)
    end_h = (int(stamps_us[-1]) + step_us) // US_PER_H
    count = max(end_h - first_h, 0)
    return _Reading(
        file=file,
        named=named,
        rates=rates,
        tables=tables,
        grid=Grid(start_us=first_h * US_PER_H, step_us=US_PER_H, count=count, history_count=0),
        stamps_us=stamps_us,
        step_us=step_us,
        columns=tuple(name for name in table.columns if name != TIME_COLUMN),
    )


def _named_utc(finding: Finding) -> Finding:
    """Say how to mend a table whose column of stamps has another name."""
    if finding.code != "UNKNOWN_COLUMN":
        return finding
    remedy = f"Give the column of stamps (UTC, starts of hours) the name {TIME_COLUMN!r}"
    return replace(finding, remedy=remedy)


def _in_usd(column: str) -> bool:
    """Tell whether a column says in its name that it is in USD."""
    return column.startswith("US-") or "usd" in re.split(r"[^a-z]+", column.lower())


def _refuse_twice(reading: _Reading) -> None:
    """Find the columns of one name: polars tells the later ones apart by a suffix of its own."""
    held = {TIME_COLUMN, *reading.columns}
    twice = (TWICE.fullmatch(name) for name in reading.columns)
    names = [found[1] for found in twice if found is not None and found[1] in held]
    for name in dict.fromkeys(names):
        reading.error(
            "DUPLICATE_NAME",
            name,
            value=name,
            reason=f"{reading.file.name} has {1 + names.count(name)} columns called {name!r}: "
            "they would count as as many zones",
            remedy="Keep one of them, or give each zone its own name",
        )


def _taken(reading: _Reading) -> tuple[str, ...]:
    """Return the columns to read; what is unknown, or in no known currency, is a finding."""
    for zone in (*reading.named, *reading.rates):
        if zone not in reading.columns:
            near = nearest_names(zone, reading.columns)
            reading.error(
                "UNKNOWN_COLUMN",
                zone,
                value=zone,
                reason=f"{reading.file.name} has no column {zone!r}",
                remedy=f"Did you mean {', '.join(map(repr, near))}?"
                if near
                else f"Its columns are {', '.join(map(repr, reading.columns[:20]))}",
            )
    _refuse_twice(reading)
    for zone, rate in reading.rates.items():
        if not (math.isfinite(rate) and rate > 0.0):
            reading.error(
                "BAD_RATE",
                zone,
                value=f"{rate:g}",
                reason="a rate of exchange is above 0",
                remedy="State USD per unit of the column's currency, e.g. 1.08",
            )
        if reading.named and zone not in reading.named:
            reading.error(
                "RATE_UNUSED",
                zone,
                reason="a rate is stated for a zone that is not among those to take",
                remedy="Name the zone too, or leave its rate out",
            )
    return _in_known_currency(reading)


def _in_known_currency(reading: _Reading) -> tuple[str, ...]:
    known = tuple(zone for zone in reading.columns if _in_usd(zone) or zone in reading.rates)
    if reading.named:
        for zone in reading.named:
            if zone in reading.columns and zone not in known:
                reading.error(
                    "CURRENCY_MIXED",
                    zone,
                    reason="neither its name nor a rate says that this column is in USD; there is "
                    "no hidden rate",
                    remedy=f"State its rate, e.g. --usd-per {zone}=1.08 (1 if it is in USD)",
                )
        return tuple(zone for zone in reading.named if zone in known)
    others = [zone for zone in reading.columns if zone not in known]
    if others and known:
        reading.warning(
            "CURRENCY_UNSTATED",
            "",
            value=", ".join(others),
            reason=f"{len(others)} columns of {reading.file.name} are left out: neither their "
            "names nor a rate say that they are in USD",
            remedy="State a rate for each that counts, e.g. --usd-per DE-LU=1.08",
        )
    elif others:
        reading.error(
            "CURRENCY_MIXED",
            "",
            value=", ".join(others),
            reason=f"no column of {reading.file.name} is in USD by its name, and no rate is stated",
            remedy="State a rate for each zone, e.g. --usd-per DE-LU=1.08 (1 if it is in USD)",
        )
    return known


def _laid(reading: _Reading, zone: str) -> Iterator[FloatArray]:
    """Yield the prices of a zone in USD/MWh by hour, NaN where a part is missing; or nothing."""
    column = reading.tables.column(str(reading.file), zone, path=PATH, option="zones")
    values, bad = numbers_of(column)
    if bad.any():
        at = int(np.argmax(bad))
        reading.error(
            "SERIES_NOT_A_NUMBER",
            zone,
            value=str(column[at])[:40],
            reason=f"{int(bad.sum())} cells are no numbers, the first at "
            f"{stamp_text(int(reading.stamps_us[at]))}",
            remedy="Write numbers with a decimal point; leave a cell empty if nothing was recorded",
        )
        return
    hourly = lay(reading.stamps_us, values, source_step_us=reading.step_us, grid=reading.grid)
    yield hourly * reading.rates.get(zone, 1.0)


def _cut(reading: _Reading, laid: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Cut named zones to the span in which all of them have begun and none has ended."""
    there = [np.flatnonzero(~np.isnan(values)) for values in laid.values()]
    if not there or not all(hours.size for hours in there):
        return laid
    first = max(int(hours[0]) for hours in there)
    end = min(int(hours[-1]) for hours in there) + 1
    lost = reading.grid.count - (end - first)
    if not lost or end <= first:
        return laid
    grid = Grid(
        start_us=reading.grid.start_us + first * US_PER_H,
        step_us=US_PER_H,
        count=end - first,
        history_count=0,
    )
    reading.grid = grid
    reading.warning(
        "PRICES_CUT",
        "",
        value=f"{lost} h",
        reason=f"{lost} h at the ends are cut: one of the zones has no price there; "
        f"{stamp_text(grid.start_us)} to {stamp_text(grid.end_us)} is left",
        remedy="Nothing, if they do not matter; else leave that zone out",
    )
    return {zone: values[first:end] for zone, values in laid.items()}


def _gap(reading: _Reading, zone: str, values: FloatArray) -> bool:
    """Tell whether hours are missing; a gap is told, and never filled."""
    missing = np.isnan(values)
    if not missing.any():
        return False
    count = int(missing.sum())
    first = stamp_text(reading.grid.start_us + int(np.argmax(missing)) * US_PER_H)
    reason = f"{count} of {values.size} h are missing, the first at {first}; nothing is filled"
    if reading.named:
        remedy = "Leave the zone out, or find the missing prices"
        reading.error("SERIES_GAP", zone, value=f"{count} h", reason=reason, remedy=remedy)
    else:
        reading.warning(
            "SERIES_GAP",
            zone,
            value=f"{count} h",
            reason=f"{reason}: the zone is left out",
            remedy="Name the zones to take: then hours missing at the ends are cut off",
        )
    return True


def _size(reading: _Reading, zones_count: int) -> Iterator[Finding]:
    """Yield what is wrong with the number of zones and of hours."""
    if not errors_of(tuple(reading.findings)) and zones_count < ZONES_LEAST_COUNT:
        yield Finding(
            code="ZONES_FEW",
            path=PATH,
            value=f"{zones_count}",
            limit=f"{ZONES_LEAST_COUNT}",
            unit="zones",
            reason="geography needs three zones whose prices are whole and in USD"
            + "".join(f"; {each.path}: {each.reason}" for each in reading.findings),
            remedy="Name more columns, or state their rates (--usd-per)",
        )
    count = reading.grid.count
    if not HOURS_LEAST_COUNT <= count <= HOURS_MOST_COUNT:
        yield Finding(
            code="PRICES_SPAN",
            path=PATH,
            value=f"{count}",
            limit=f"{HOURS_LEAST_COUNT} to {HOURS_MOST_COUNT}",
            unit="h",
            reason="the experiments take a week to a year of prices",
            remedy="Cut the file to a year" if count > HOURS_MOST_COUNT else "Give a longer file",
        )
    elif count < YEAR_HOURS_COUNT:
        yield Finding(
            code="PRICES_SHORT",
            path=PATH,
            value=f"{count}",
            limit=f"{YEAR_HOURS_COUNT}",
            unit="h",
            reason="less than a year of prices: seasons that are missing are in no result",
            remedy="Give a year if it is to be had",
            severity="warning",
        )


def _source(reading: _Reading, laid: Mapping[str, FloatArray]) -> str:
    """Return where the prices come from, with every rate that was put on them."""
    grid = reading.grid
    rates = [f"{zone} x {rate:g} USD" for zone, rate in reading.rates.items() if zone in laid]
    text = f"{reading.file.name}, {stamp_text(grid.start_us)} to {stamp_text(grid.end_us)}"
    return f"{text}, stated rates: {', '.join(rates)}" if rates else text

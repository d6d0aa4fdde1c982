"""A series in a Parquet file that a company file names: written whole or not at all, and merged."""

import contextlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.feeds.laid import repeated_days
from tokenergy.feeds.series import FeedRow, FeedSeries

if TYPE_CHECKING:
    import polars as pl

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
FIXED_COLUMNS: Final = (
    "utc",
    "step_min",
    "published_utc",
    "revision",
    "feed",
    "zone",
    "source",
    "fetched_utc",
)
"""Columns beside the value's; `utc` is the start of an interval of `step_min` minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a file holds after a series went into it.

    Attributes:
        rows_count: rows of the file.
        added_count: intervals that it did not have.
        revised_count: intervals whose value the newer answer changed.
        findings: FEED_REVISED, and days of the whole file that repeat the day before.
    """

    path: Path
    rows_count: int
    added_count: int
    revised_count: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A row of the file: an interval, and where its value comes from."""

    row: FeedRow
    source: str
    fetched_at: datetime


def write_series(series: FeedSeries, path: Path) -> Written:
    """Write a series, or merge it into a file of the same feed, zone and column; make its folder.

    Of two values of an interval the later revision or publication counts, else the later
    fetched. An interval without a value never erases one with a value.

    Raises:
        FindingsError: FEED_FILE where the file is not one of ours for this series, or cannot be
            written; FEED_STEP where intervals of the two overlap in part.
    """
    before = _held(series, path) if path.exists() else {}
    after = dict(before)
    changes: list[tuple[datetime, float]] = []
    for row in series.rows:
        new = _Kept(row=row, source=series.source, fetched_at=series.fetched_at)
        old = after.get(row.start)
        if old is not None and old.row.step != row.step:
            _refuse_step(old.row, row.step, path=str(path))
        if old is None or _counts_over(new, old):
            after[row.start] = new
            if old is not None and old.row.value is not None and row.value is not None:
                changes.append((row.start, row.value - old.row.value))
    changes = [(start, change) for start, change in changes if change != 0.0]
    kept = [after[start] for start in sorted(after)]
    place = series.name
    _check_steps(kept, path=str(path))
    _write(series, kept, path)
    repeated = repeated_days([item.row for item in kept], path=place) if before else ()
    known = {finding.code for finding in series.findings}
    return Written(
        path=path,
        rows_count=len(kept),
        added_count=len(after) - len(before),
        revised_count=len(changes),
        findings=(
            *_revisions(changes, series, path=place),
            *(finding for finding in repeated if finding.code not in known),
        ),
    )


def _counts_over(new: _Kept, old: _Kept) -> bool:
    if new.row.value is None or old.row.value is None:
        return old.row.value is None
    return _version(new) >= _version(old)


def _version(item: _Kept) -> tuple[int, datetime, datetime]:
    row = item.row
    return (
        -1 if row.revision is None else row.revision,
        LONG_AGO if row.published_at is None else row.published_at,
        item.fetched_at,
    )


def _revisions(
    changes: list[tuple[datetime, float]], series: FeedSeries, *, path: str
) -> Iterable[Finding]:
    if changes:
        start, largest = max(changes, key=lambda change: abs(change[1]))
        yield Finding(
            code="FEED_REVISED",
            path=path,
            value=f"{len(changes)}",
            unit="intervals",
            reason="values of the file were replaced by later ones; the largest change is "
            f"{largest:+.6g} {series.unit} at {start.isoformat()}",
            remedy="Rerun what was computed from the older values, if it hangs on them",
            severity="warning",
        )


def _check_steps(kept: list[_Kept], *, path: str) -> None:
    for item, after in pairwise(kept):
        if item.row.start + item.row.step > after.row.start:
            _refuse_step(item.row, after.row.start - item.row.start, path=path)


def _refuse_step(row: FeedRow, other: timedelta, *, path: str) -> NoReturn:
    refuse(
        "FEED_STEP",
        path=f"{path} {row.start.isoformat()}",
        value=f"{other.total_seconds() / 60:g}",
        limit=f"{row.step.total_seconds() / 60:g}",
        unit="min",
        reason="the file has intervals of another length there",
        remedy="Write to another file, or fetch the whole span anew",
    )


def _held(series: FeedSeries, path: Path) -> dict[datetime, _Kept]:
    """Return the rows of a file of ours; refuse any other."""
    table = _read(path)
    expected = {*FIXED_COLUMNS, series.column}
    if set(table.columns) != expected:
        strange = ", ".join(sorted(set(table.columns) ^ expected))
        _refuse_file(path, f"it is another table (columns {strange[:160]})")
    rows = table.to_dicts()
    for name, value in (("feed", series.feed), ("zone", series.zone)):
        others = sorted({str(row[name]) for row in rows} - {value})
        if others:
            _refuse_file(path, f"its {name} is {', '.join(others)[:80]}, not {value}")
    return {row["utc"]: _kept(row, series.column, path) for row in rows}


def _kept(row: dict[str, Any], column: str, path: Path) -> _Kept:
    when, fetched, step_min = row["utc"], row["fetched_utc"], row["step_min"]
    aware = isinstance(when, datetime) and when.tzinfo is not None
    if not aware or not isinstance(fetched, datetime) or not isinstance(step_min, int):
        _refuse_file(path, "its stamps are no UTC moments with a step in minutes")
    for name, kind in (
        (column, (int, float)),
        ("revision", int),
        ("published_utc", datetime),
        ("source", str),
    ):
        if row[name] is not None and not isinstance(row[name], kind):
            _refuse_file(path, f"its column {name} holds {type(row[name]).__name__}")
    return _Kept(
        row=FeedRow(
            start=when.astimezone(UTC),
            step=timedelta(minutes=step_min),
            value=row[column],
            published_at=row["published_utc"],
            revision=row["revision"],
        ),
        source=row["source"],
        fetched_at=fetched,
    )


def _read(path: Path) -> "pl.DataFrame":
    import polars as pl

    told = "it is a folder"
    if path.is_file():
        try:
            return pl.read_parquet(path)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
            told = "it is no Parquet file"
    _refuse_file(path, told)


def _write(series: FeedSeries, kept: list[_Kept], path: Path) -> None:
    """Write beside, then move into place."""
    table = _table(series, kept)
    told, beside = "", ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        table.write_parquet(beside)
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except OSError as error:
        told = error.strerror or type(error).__name__
        with contextlib.suppress(OSError):
            os.unlink(beside)
    if told:
        _refuse_file(path, told, verb="write")


def _table(series: FeedSeries, kept: list[_Kept]) -> "pl.DataFrame":
    import polars as pl

    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "utc": [item.row.start for item in kept],
            series.column: [item.row.value for item in kept],
            "step_min": [int(item.row.step / timedelta(minutes=1)) for item in kept],
            "published_utc": [item.row.published_at for item in kept],
            "revision": [item.row.revision for item in kept],
            "feed": [series.feed] * len(kept),
            "zone": [series.zone] * len(kept),
            "source": [item.source for item in kept],
            "fetched_utc": [item.fetched_at for item in kept],
        },
        schema={
            "utc": moment,
            series.column: pl.Float64,
            "step_min": pl.Int64,
            "published_utc": moment,
            "revision": pl.Int64,
            "feed": pl.String,
            "zone": pl.String,
            "source": pl.String,
            "fetched_utc": moment,
        },
    )


def _umask() -> int:
    """Return the mask of new files: a temporary one is made for its owner alone."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _refuse_file(path: Path, told: str, *, verb: Literal["extend", "write"] = "extend") -> NoReturn:
    refuse(
        "FEED_FILE",
        path="out",
        value=str(path),
        reason=f"we cannot {verb} {path.name}: {told}",
        remedy="Name another file; a file that we did not write is never replaced",
    )

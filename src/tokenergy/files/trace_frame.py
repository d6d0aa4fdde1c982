"""A table of requests on disk as a frame of polars, and its columns as numbers and seconds."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.files.cells import Mark, zone_named
from tokenergy.files.records import DELIMITERS, GZIP, name_of, open_records
from tokenergy.files.tables import numbers_of

if TYPE_CHECKING:
    import polars as pl

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SQLITE: Final = b"SQLite format 3\x00"
NS_PER_S: Final = 1_000_000_000
SECONDS_LEAST: Final = 10**9
MILLISECONDS_LEAST: Final = 10**12
"""Plain numbers from here on are milliseconds since 1970, from `SECONDS_LEAST` on seconds."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZONE: Final = r"(Z|z|[+-]\d{2}:?\d{2})$"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """What the beginning of a file shows.

    Attributes:
        columns: names in lower case, everything else than letters and digits as `_`.
        mark: the decimal mark, None where nothing shows it.
        is_json: whether its rows are JSON objects.
        findings: what was noticed, all warnings.
    """

    columns: tuple[str, ...]
    mark: Mark | None
    is_json: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """Arrivals as the file tells them.

    Attributes:
        nanoseconds: since 1970, [n]; where `is_bad`, 0.
        is_bad: rows with no moment that can be read, [n].
        is_naive: rows whose stamp has no zone, and that no stated zone helped, [n].
    """

    nanoseconds: IntArray
    is_bad: NDArray[np.bool_]
    is_naive: NDArray[np.bool_]


def is_sqlite(path: Path) -> bool:
    """Tell whether a file is a database of SQLite, as our ledgers are."""
    if not path.is_file():
        return False
    with path.open("rb") as held:
        return held.read(len(SQLITE)) == SQLITE


def head_of(path: Path) -> Head:
    """Return what the beginning of a file shows.

    Raises:
        FindingsError: if there is no such file, or it is no table.
    """
    with open_records(path) as records:
        return Head(
            columns=tuple(map(name_of, records.columns)),
            mark=records.mark,
            is_json=_first_byte(path) in b"{[",
            findings=records.findings,
        )


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as held:
        packed = held.read(2) == GZIP
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] or b"\x00"


def frame_of(path: Path, head: Head) -> "pl.DataFrame":
    """Return a file's rows; columns are called as in `Head`, cells of a CSV are text.

    Raises:
        FindingsError: if polars cannot read it to its end.
    """
    import polars as pl

    try:
        if head.is_json:
            frame = _json(path)
        elif _magic(path) == b"PAR1":
            frame = pl.read_parquet(path, glob=False)
        else:
            frame = pl.read_csv(path, infer_schema=False, separator=_delimiter(path), glob=False)
        return frame.rename({name: name_of(name) for name in frame.columns})
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        refuse(
            "TRACE_UNREADABLE",
            path="file",
            value=path.name,
            reason=f"the table cannot be read to its end: {said[:160]}",
            remedy="Write it again in UTF-8: CSV with a header, JSON lines or Parquet, .gz or not",
        )


def _json(path: Path) -> "pl.DataFrame":
    import polars as pl

    with path.open("rb") as held:
        packed = held.read(2) == GZIP
    raw = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    whole = raw.lstrip()
    if whole.startswith(b"["):
        return pl.read_json(whole, infer_schema_length=None)
    return pl.read_ndjson(whole, infer_schema_length=None)


def _magic(path: Path) -> bytes:
    with path.open("rb") as held:
        return held.read(4)


def _delimiter(path: Path) -> str:
    with path.open("rb") as held:
        packed = held.read(2) == GZIP
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        first = stream.readline(65_536).decode("utf-8", "replace")
    return max(DELIMITERS, key=first.count)


def numbers(
    frame: "pl.DataFrame", names: Sequence[str], *, mark: Mark | None, default: float = np.nan
) -> FloatArray:
    """Return the first of these columns as numbers, [n]; `default` where there is none of them.

    An empty cell, and one that is no number, is NaN.
    """
    name = next((each for each in names if each in frame.columns), None)
    if name is None:
        return np.full(frame.height, default)
    column = frame[name]
    if mark == "," and column.dtype.to_python() is str:
        column = column.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    values, bad = numbers_of(column)
    values[bad] = np.nan
    return values


def texts(frame: "pl.DataFrame", names: Sequence[str]) -> list[str] | None:
    """Return the first of these columns that is there as texts, "" for empty; None: none is."""
    import polars as pl

    name = next((each for each in names if each in frame.columns), None)
    if name is None:
        return None
    return frame[name].cast(pl.String).fill_null("").str.strip_chars().to_list()


def arrivals(frame: "pl.DataFrame", name: str, *, zone: str | None) -> Arrivals:
    """Return a column of moments: ISO stamps, or seconds or milliseconds since 1970.

    Raises:
        FindingsError: if the stated zone is none.
    """
    import polars as pl

    zone_named(zone)
    column = frame[name]
    if column.dtype.is_numeric():
        return _from_numbers(column.cast(pl.Float64))
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is not None:
            moments = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            return _told(moments, naive=pl.repeat(False, len(column), eager=True))
        return _local(column, zone=zone)
    stamps = column.cast(pl.String).str.strip_chars()
    plain = stamps.str.contains(r"^\d{10,13}(\.\d+)?$").fill_null(False)
    if plain.all() and len(plain):
        return _from_numbers(stamps.cast(pl.Float64, strict=False))
    suffix = stamps.str.extract(_ZONE, 1)
    bare = stamps.str.replace(_ZONE, "").str.strip_chars().str.replace(" ", "T", literal=True)
    moments = _parsed(bare)
    zoned = suffix.is_not_null()
    with_zone = _told(moments - _offset(suffix), naive=~zoned)
    if zoned.all():
        return with_zone
    local = _local(moments, zone=zone)
    own = zoned.to_numpy()
    return Arrivals(
        nanoseconds=np.where(own, with_zone.nanoseconds, local.nanoseconds),
        is_bad=np.where(own, with_zone.is_bad, local.is_bad),
        is_naive=~own & local.is_naive,
    )


def _parsed(bare: "pl.Series") -> "pl.Series":
    """Return stamps without a zone as moments of no zone, null where they are none."""
    import polars as pl

    kind = pl.Datetime("ns")
    found = bare.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ns", strict=False)
    for form in ("%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        if not found.is_null().any():
            break
        more = (
            bare.str.to_date(form, strict=False).cast(kind)
            if form == "%Y-%m-%d"
            else bare.str.to_datetime(form, time_unit="ns", strict=False)
        )
        found = found.fill_null(more)
    return found


def _offset(suffix: "pl.Series") -> "pl.Series":
    """Return `+02:00` as a duration, `Z` as none."""
    import polars as pl

    digits = suffix.str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.Series(np.where(digits.str.starts_with("-").fill_null(False).to_numpy(), -1, 1))
    return (sign * (hours * 60 + minutes) * 60 * NS_PER_S).cast(pl.Duration("ns"))


def _local(moments: "pl.Series", *, zone: str | None) -> Arrivals:
    """Return moments of no zone on the clocks of the stated one; an hour shown twice is bad."""
    import polars as pl

    if zone is None:
        return _told(moments, naive=pl.repeat(True, len(moments), eager=True))
    utc = (
        moments.cast(pl.Datetime("ns"))
        .dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
    )
    return _told(utc, naive=pl.repeat(False, len(moments), eager=True))


def _told(moments: "pl.Series", *, naive: "pl.Series") -> Arrivals:
    import polars as pl

    whole = moments.cast(pl.Datetime("ns")).cast(pl.Int64)
    return Arrivals(
        nanoseconds=whole.fill_null(0).to_numpy(),
        is_bad=whole.is_null().to_numpy(),
        is_naive=(naive & whole.is_not_null()).to_numpy(),
    )


def _from_numbers(column: "pl.Series") -> Arrivals:
    """Return seconds or milliseconds since 1970; smaller numbers are no moments."""
    values = column.fill_null(np.nan).to_numpy()
    bad = ~np.isfinite(values) | (values < SECONDS_LEAST) | (values >= 10 * MILLISECONDS_LEAST)
    seconds = np.where(values >= MILLISECONDS_LEAST, values / 1e3, values)
    whole = np.where(bad, 0.0, seconds)
    return Arrivals(
        nanoseconds=np.rint(whole * 1e6).astype(np.int64) * 1_000,
        is_bad=bad,
        is_naive=np.zeros(values.size, dtype=np.bool_),
    )


def moment_of_ns(nanoseconds: int) -> datetime:
    """Return a moment in UTC, down to its microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)


def ns_of_moment(moment: datetime) -> int:
    """Return the nanoseconds since 1970 of a moment with a zone."""
    return ((moment - _EPOCH) // timedelta(microseconds=1)) * 1_000

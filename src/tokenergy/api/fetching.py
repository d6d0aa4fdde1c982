"""A series out of a live feed, in a Parquet file that a company file can name."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, get_args

from tokenergy.api.output import refuse_unwritable
from tokenergy.company.finding import Finding
from tokenergy.errors import InputError
from tokenergy.feeds.http import Http
from tokenergy.feeds.known import TABLE, feed_of, known_feed
from tokenergy.feeds.laid import hourly_mean, laid
from tokenergy.feeds.parquet import Written, write_series
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries
from tokenergy.feeds.table_url import TableMapping

LONGEST: Final = timedelta(days=366 * 10)
"""Longest span of one fetch."""
PRICES: Final = ("day_ahead_price", "real_time_price")
DOLLARS: Final = "USD"
PARQUET: Final = b"PAR1"
"""How a Parquet file begins."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fetched:
    """What a feed gave, and the file that it went into.

    Attributes:
        series: the series of the span that was asked.
        written: the file, after the series went into it; None where none was named.
        start, end: the span that was asked, `[start, end)`.
        findings: gaps, revisions, staleness; all of them warnings.
        snippet: the lines of a company file that name the file; "" without a file.
    """

    series: FeedSeries
    written: Written | None
    start: datetime
    end: datetime
    findings: tuple[Finding, ...]
    snippet: str

    def __str__(self) -> str:
        """Say it line by line."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return what to print: the series, the file, its lines in a company file."""
        series = self.series
        known = [row.value for row in series.rows if row.value is not None]
        cached = f", from the cache of {_moment(series.fetched_at)}" if series.from_cache else ""
        told = [
            f"{series.name}: {len(series.rows)} intervals from "
            f"{_moment(self.start)} to {_moment(self.end)}{cached}",
            f"{min(known):g} to {max(known):g} {series.unit}, mean {sum(known) / len(known):g}",
            f"source: {series.source}",
        ]
        if self.written is not None:
            written = self.written
            told.append(
                f"wrote {written.path}: {written.rows_count} rows, {written.added_count} new, "
                f"{written.revised_count} revised"
            )
            told += self.snippet.splitlines()
        return told

    def to_dict(self) -> dict[str, Any]:
        """Return it as one JSON-ready object; keys carry units."""
        series, written = self.series, self.written
        return {
            "feed": series.feed,
            "zone": series.zone,
            "quantity": series.quantity,
            "unit": series.unit,
            "column": series.column,
            "start": _moment(self.start),
            "end": _moment(self.end),
            "source": series.source,
            "fetched_at": series.fetched_at.astimezone(UTC).isoformat(),
            "from_cache": series.from_cache,
            "rows_count": len(series.rows),
            "missing_count": sum(row.value is None for row in series.rows),
            "step_min": sorted({row.step / timedelta(minutes=1) for row in series.rows}),
            "file": None
            if written is None
            else {
                "path": str(written.path),
                "rows_count": written.rows_count,
                "added_count": written.added_count,
                "revised_count": written.revised_count,
            },
            "company_file": self.snippet,
            "findings": [finding.to_dict() for finding in self.findings],
        }


def fetch(
    feed: str,
    zone: str,
    start: datetime,
    end: datetime,
    *,
    quantity: FeedQuantity | None = None,
    out: Path | str | None = None,
    base_url: str | None = None,
    mapping: TableMapping | None = None,
    hourly: bool = False,
    cache: Path | str | None = None,
    cache_h: float = 1.0,
    http: Http | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Fetched:
    """Fetch a series from a live feed, and write it where `out` says.

    Args:
        feed: name of a feed, e.g. `energy-charts`; `table` needs a `mapping`.
        zone: the zone in the feed's own words.
        start, end: the span `[start, end)`, with time zones.
        quantity: what to fetch; None: what the feed is mostly asked for.
        out: a Parquet file; one that a fetch of the same series wrote is extended.
        base_url: another address than the real service's.
        mapping: where the feed `table` finds time and value.
        hourly: write the mean of each hour in place of the feed's own step.
        cache: folder of answers; a copy stands in for a source that fails, and is told.
        cache_h: age up to which an answer of the cache is not asked for again.
        http: another door to the outside; None: one is made, and closed at the end.
        environ: where keys are looked up.

    Raises:
        InputError: for a feed, zone or span that makes no sense, a missing key, a source that
            cannot be read, or a file that cannot be written. Nothing is half-written.
    """
    ask = _ask(feed, zone, start, end, quantity)
    file = None if out is None else Path(out)
    if file is not None:
        _refuse_out(file)
    folder = None if cache is None else Path(cache)
    with nullcontext(http) if http else Http(cache_dir=folder, cache_s=cache_h * 3600.0) as door:
        source = feed_of(feed, door, base_url=base_url, mapping=mapping, environ=environ)
        series = laid(source.fetch(ask), ask, now=door.now())
    return _kept(hourly_mean(series) if hourly else series, ask, file)


def _kept(series: FeedSeries, ask: Ask, file: Path | None) -> Fetched:
    """Write the series where a file is named, and tell what was found on the way."""
    written = None if file is None else write_series(series, file)
    findings = (*series.findings, *(() if written is None else written.findings))
    return Fetched(
        series=replace(series, findings=findings),
        written=written,
        start=ask.start,
        end=ask.end,
        findings=findings,
        snippet="" if file is None else snippet_of(series, file),
    )


def snippet_of(series: FeedSeries, file: Path) -> str:
    """Return the lines of a company file that name a written file, and what is left to state."""
    names = f"file: {file}, column: {series.column}"
    if series.quantity in PRICES:
        currency = series.unit.partition("/")[0]
        if currency == DOLLARS:
            return f"price: {{{names}}}"
        return (
            f"# state the rate: USD per {currency} in place of RATE, with its source and date\n"
            f'price: {{{names}, usd_per_unit: RATE, rate_note: "SOURCE, DATE"}}'
        )
    match series.quantity:
        case "temperature":
            return f"outdoor_c: {{{names}}}"
        case "wind" | "solar" if series.unit == "MW":
            return (
                "# state the installed MW of the zone in place of MW\n"
                f"profile: {{{names}, nameplate_mw: MW}}"
            )
        case "wind" | "solar":
            return f"profile: {{{names}}}"
        case _:
            return f"# no line of a company file takes {series.quantity} yet: {names}"


def _ask(
    feed: str, zone: str, start: datetime, end: datetime, quantity: FeedQuantity | None
) -> Ask:
    known = known_feed(feed)
    if quantity is not None and quantity not in get_args(FeedQuantity):
        raise InputError(
            f"{quantity!r} is no quantity: write one of {', '.join(get_args(FeedQuantity))}"
        )
    if not zone.strip() and feed != TABLE:
        raise InputError(f"no zone: name one in the words of {feed} (--zone), e.g. {known.example}")
    for name, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None:
            raise InputError(f"{name} {moment.isoformat()} has no time zone: add one, e.g. UTC")
    begin, until = start.astimezone(UTC), end.astimezone(UTC)
    if begin >= until:
        raise InputError(
            f"the span is empty: it begins {_moment(begin)} and ends {_moment(until)}, and the end "
            "(--to) comes after the start (--from)"
        )
    if until - begin > LONGEST:
        raise InputError(
            f"the span of {(until - begin).days} days is longer than {LONGEST.days}: fetch it in "
            "parts, into one file"
        )
    return Ask(zone=zone, quantity=quantity or known.quantity, start=begin, end=until)


def _refuse_out(file: Path) -> None:
    """Find out before anything is asked whether the file can be written."""
    if file.suffix not in (".parquet", ".pq"):
        raise InputError(f"{file} is no name of a Parquet file: let it end in .parquet")
    refuse_unwritable(file, replaces=PARQUET)


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%MZ}"

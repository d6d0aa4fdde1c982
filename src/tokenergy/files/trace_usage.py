"""Usage as requests: the rows of a log one by one, the sums of a bucket spread over its span."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.trace_findings import FIRST_ROWS_COUNT, naive_start
from tokenergy.company.usage import UsageRow
from tokenergy.errors import FindingsError
from tokenergy.files.trace_read import TraceColumns, TraceRead, TraceTerms, finished
from tokenergy.files.usage_files import UsageKind, read_usage

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
REQUESTS_MOST_COUNT: Final = 100_000_000
"""Requests of one trace: at 64 bytes each they fill 6.4 GB."""


def read_usage_trace(path: Path, kind: UsageKind, terms: TraceTerms) -> TraceRead:
    """Read a usage log or an export of buckets as requests, sorted by arrival.

    A row of LiteLLM's log is a request, which arrives at its start. Any other row is a bucket:
    it becomes as many requests as it counts, each with the mean of its tokens (sums are kept to
    the token), spread over its span at random or evenly. Neither lengths nor bursts within a
    bucket are known.

    Raises:
        FindingsError: with everything wrong with it.
    """
    read = read_usage(path, kind, time_zone=terms.zone, keys=terms.keys)
    found = [*read.findings, *_uncounted(read.rows, path.name)]
    if terms.start is not None and terms.start.tzinfo is None:
        raise FindingsError(
            [*errors_of(tuple(found)), naive_start("start", terms.start.isoformat())]
        )
    rows = [row for row in read.rows if row.requests_count]
    counts = np.array([row.requests_count for row in rows], dtype=np.int64)
    if counts.sum() > REQUESTS_MOST_COUNT:
        raise FindingsError([*errors_of(tuple(found)), _too_many(path.name, int(counts.sum()))])
    start = terms.start or min((row.start for row in rows), default=None)
    source = f"{path.name} ({kind} usage)"
    if kind != "litellm" and rows:
        found.append(_spread(path.name, len(rows), int(counts.sum()), terms))
        source += (
            f", the requests of each bucket spread over it ({terms.spread}, seed {terms.seed}), "
            "each with the bucket's mean lengths"
        )
    columns = TraceColumns(
        start=start,
        arrival_s=_arrivals_s(rows, counts, start, terms, in_log=kind == "litellm"),
        input_tokens=_split([row.input_tokens for row in rows], counts),
        output_tokens=_split([row.output_tokens for row in rows], counts),
        cached_tokens=_split([row.cached_input_tokens for row in rows], counts),
        row_numbers=np.repeat(np.array([_row_number(row) for row in rows], np.int64), counts),
        source=source,
        names={"tenant": [rows[at].tenant for at in np.repeat(np.arange(len(rows)), counts)]},
    )
    if start is not None and terms.span_s is None:
        end_s = max((_since_s(row.end, start) for row in rows), default=0.0)
        terms = replace(terms, span_s=end_s)
    in_order = columns.taken(np.argsort(columns.arrival_s, kind="stable"))
    return finished(in_order, terms, file=path.name, kind=kind, findings=found)


def _arrivals_s(
    rows: Sequence[UsageRow],
    counts: IntArray,
    start: datetime | None,
    terms: TraceTerms,
    *,
    in_log: bool,
) -> FloatArray:
    """Return the arrivals of every request of every row, row by row."""
    if start is None:
        return np.zeros(0)
    begins_s = np.array([_since_s(row.start, start) for row in rows])
    spans_s = np.array([(row.end - row.start).total_seconds() for row in rows])
    if in_log:
        return begins_s
    if terms.spread == "even":
        place = np.concatenate([(np.arange(count) + 0.5) / count for count in counts.tolist()])
    else:
        # Given how many they are, the arrivals of a Poisson process are independent and uniform.
        place = np.random.default_rng([terms.seed, 2]).random(int(counts.sum()))
    arrivals_s: FloatArray = np.repeat(begins_s, counts) + place * np.repeat(spans_s, counts)
    return arrivals_s


def _since_s(moment: datetime, start: datetime) -> float:
    return (moment - start).total_seconds()


def _split(sums: Sequence[int], counts: IntArray) -> FloatArray:
    """Return whole parts of sums, as even as can be, [requests]; each row's add up to its sum."""
    whole = np.array(sums, dtype=np.int64)
    part, rest = np.divmod(whole, np.maximum(counts, 1))
    number = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = np.repeat(part, counts) + (number < np.repeat(rest, counts))
    return parts.astype(np.float64)


def _row_number(row: UsageRow) -> int:
    return int(row.source.rpartition(":")[2])


def _uncounted(rows: Sequence[UsageRow], file: str) -> Iterator[Finding]:
    """Tell of rows that do not say how many requests they are, and of tokens without any."""
    untold = [_row_number(row) for row in rows if row.requests_count is None]
    if untold:
        yield Finding(
            code="USAGE_UNCOUNTED",
            path=f"{file}.requests_count",
            value=f"{len(untold):,}",
            limit="0",
            unit="rows",
            reason="rows do not say how many requests they are, so they cannot be told as "
            f"requests (the first: {', '.join(map(str, untold[:FIRST_ROWS_COUNT]))})",
            remedy="Export the number of requests too",
        )
    none = [row for row in rows if row.requests_count == 0 and row.input_tokens]
    if none:
        yield Finding(
            code="USAGE_WITHOUT_REQUESTS",
            path=f"{file}.requests_count",
            value=f"{len(none):,}",
            limit="0",
            unit="rows",
            reason=f"rows have tokens and no request, the first is {_row_number(none[0])}: they "
            "are left out",
            remedy="Correct their counts",
            severity="warning",
        )


def _spread(file: str, rows_count: int, requests_count: int, terms: TraceTerms) -> Finding:
    return Finding(
        code="USAGE_SPREAD",
        path=file,
        value=f"{requests_count:,}",
        unit="requests",
        reason=f"{rows_count:,} buckets were spread over their spans ({terms.spread}), each "
        "request with its bucket's mean lengths: bursts and long requests are lost, so waiting "
        "comes out too short",
        remedy="Give a log of single requests where one is kept",
        severity="warning",
    )


def _too_many(file: str, requests_count: int) -> Finding:
    return Finding(
        code="TRACE_TOO_LONG",
        path=file,
        value=f"{requests_count:,}",
        limit=f"{REQUESTS_MOST_COUNT:,}",
        unit="requests",
        reason="so many requests do not fit into memory",
        remedy="Give a shorter span of the usage",
    )

"""Everything wrong with the rows of a trace, at once: order, tokens, zone, repeated data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding
from tokenergy.units import S_PER_H

BoolArray = NDArray[np.bool_]
Numbers = NDArray[np.float64] | NDArray[np.int64]
FIRST_ROWS_COUNT: Final = 5
"""How many of many like rows a finding names."""
TOKENS_MOST_COUNT: Final = 100_000_000
"""Tokens of one request: ten times the longest context on offer, 10 million (a guess)."""
PERIOD_LEAST_COUNT: Final = 32
"""Fewer requests that come again are a pattern somebody wrote, not data somebody repeated."""
SAME_GAP_S: Final = 1e-6
"""Gaps that differ by less are the same: copies moved by whole hours differ by rounding."""
HEAD_COUNT: Final = 16
CANDIDATES_MOST_COUNT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowFault:
    """One kind of fault, and the rows that have it.

    Attributes:
        bad: which rows, [n].
        values: what stands in the column, [n].
    """

    code: str
    column: str
    bad: BoolArray
    values: Numbers
    limit: str
    unit: str
    what: str
    remedy: str

    def finding(self, *, path: str, row_numbers: NDArray[np.int64]) -> Finding:
        """Return all its rows as one finding: how many, the first few, the first value."""
        numbers = row_numbers[self.bad]
        named = ", ".join(map(str, numbers[:FIRST_ROWS_COUNT].tolist()))
        count = int(numbers.size)
        rows = f"row {named}" if count == 1 else f"{count:,} rows, the first {named}"
        return Finding(
            code=self.code,
            path=f"{path}.{self.column}",
            value=_told(self.values[self.bad][0]),
            limit=self.limit,
            unit=self.unit,
            reason=f"{self.what} ({rows})",
            remedy=self.remedy,
        )


def row_faults(
    *,
    arrival_s: Numbers,
    input_tokens: Numbers,
    output_tokens: Numbers,
    cached_tokens: Numbers | None = None,
    value_usd: Numbers | None = None,
    span_s: float | None = None,
) -> tuple[RowFault, ...]:
    """Return each kind of fault that some row has; a column may hold NaN where a cell is empty."""
    faults = [
        *_arrival_faults(arrival_s, span_s),
        *_token_faults("input_tokens", input_tokens, least_count=1),
        *_token_faults("output_tokens", output_tokens, least_count=1),
    ]
    if cached_tokens is not None:
        faults += _token_faults("cached_tokens", cached_tokens, least_count=0)
        faults.append(
            RowFault(
                code="TRACE_CACHED",
                column="cached_tokens",
                bad=cached_tokens > input_tokens,
                values=cached_tokens,
                limit="input_tokens of the row",
                unit="tokens",
                what="more tokens are said to be cached than the prompt has",
                remedy="Cached tokens are a part of input_tokens: correct either column",
            )
        )
    if value_usd is not None:
        faults.append(
            RowFault(
                code="TRACE_VALUE",
                column="value_usd",
                bad=(value_usd < 0.0) | np.isinf(value_usd),
                values=value_usd,
                limit=">= 0",
                unit="USD",
                what="serving a request is worth less than nothing, or without end",
                remedy="Leave the cell empty where the value is that of the tier",
            )
        )
    return tuple(fault for fault in faults if bool(fault.bad.any()))


def _arrival_faults(arrival_s: Numbers, span_s: float | None) -> Iterator[RowFault]:
    known = np.isfinite(arrival_s)
    yield RowFault(
        code="TRACE_ARRIVAL",
        column="arrival_s",
        bad=~known | (arrival_s < 0.0),
        values=arrival_s,
        limit=">= 0",
        unit="s",
        what="a request has no arrival that can be read, or arrives before the trace starts",
        remedy="Write moments like 2026-03-02T08:00:00Z (an hour that clocks show twice needs "
        "its offset), and state the start that seconds are counted from",
    )
    before = np.full(arrival_s.size, -np.inf)
    if arrival_s.size > 1:
        before[1:] = np.maximum.accumulate(np.where(known, arrival_s, -np.inf))[:-1]
    yield RowFault(
        code="TRACE_UNSORTED",
        column="arrival_s",
        bad=known & (arrival_s < before),
        values=arrival_s,
        limit="the latest arrival of the rows before it",
        unit="s",
        what="requests do not stand in the order in which they arrived",
        remedy="Sort the file by arrival (a log written when requests end is not), or have it "
        "sorted on reading",
    )
    if span_s is not None and np.isfinite(span_s):
        yield RowFault(
            code="TRACE_BEYOND_SPAN",
            column="arrival_s",
            bad=known & (arrival_s > span_s),
            values=arrival_s,
            limit=f"{span_s:g}",
            unit="s",
            what="requests arrive after the trace has ended",
            remedy="State a longer span, or leave the rows out",
        )


def _token_faults(column: str, tokens: Numbers, *, least_count: int) -> Iterator[RowFault]:
    known = np.isfinite(tokens)
    whole = np.equal(np.floor(np.where(known, tokens, 0.0)), np.where(known, tokens, 0.0))
    yield RowFault(
        code="TRACE_TOKENS",
        column=column,
        bad=~known | (tokens < least_count),
        values=tokens,
        limit=f">= {least_count}",
        unit="tokens",
        what="a request has no count here, or one that no served request has",
        remedy="Leave out requests that failed or were never answered, or correct the counts",
    )
    yield RowFault(
        code="TRACE_TOKENS_FRACTION",
        column=column,
        bad=known & ~whole,
        values=tokens,
        limit="whole numbers",
        unit="tokens",
        what="a request has a fraction of a token",
        remedy="Give counts of each request, not means over several",
    )
    yield RowFault(
        code="TRACE_TOKENS_ABSURD",
        column=column,
        bad=known & (tokens > TOKENS_MOST_COUNT),
        values=tokens,
        limit=f"{TOKENS_MOST_COUNT:,}",
        unit="tokens",
        what="a request has more tokens than any model takes",
        remedy="One row is one request: sums of many belong into a usage file",
    )


def trace_findings(
    *,
    arrival_s: Numbers,
    input_tokens: Numbers,
    output_tokens: Numbers,
    cached_tokens: Numbers | None = None,
    value_usd: Numbers | None = None,
    workload: NDArray[np.int64] | None = None,
    workloads_count: int = 1,
    tenant: NDArray[np.int64] | None = None,
    tenants_count: int = 1,
    start: datetime | None = None,
    span_s: float | None = None,
    path: str = "trace",
    row_numbers: NDArray[np.int64] | None = None,
) -> tuple[Finding, ...]:
    """Return everything wrong with the columns of a trace; like rows are one finding.

    Args:
        arrival_s: seconds from `start`, [n]; NaN where a cell was empty.
        input_tokens, output_tokens, cached_tokens: [n], NaN where a cell was empty.
        value_usd: [n]; NaN: the tier's.
        workload, tenant: indices into lists of so many names, [n].
        start: second 0; None: not to be checked.
        span_s: how long the trace lasts; None: not to be checked.
        path: what the trace is called, its file for example.
        row_numbers: what each row is called, [n]; None: 0, 1, 2, ...
    """
    numbers = np.arange(arrival_s.size) if row_numbers is None else row_numbers
    faults = row_faults(
        arrival_s=arrival_s,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached_tokens,
        value_usd=value_usd,
        span_s=span_s,
    )
    found = [
        *_whole(arrival_s, start=start, span_s=span_s, path=path),
        *(fault.finding(path=path, row_numbers=numbers) for fault in faults),
        *_indices("workload", workload, workloads_count, path),
        *_indices("tenant", tenant, tenants_count, path),
    ]
    if not faults:
        found += _repeated(arrival_s, input_tokens, output_tokens, path)
    return tuple(found)


def naive_start(path: str, value: str) -> Finding:
    """Return the finding that a trace does not say when its second 0 was."""
    return Finding(
        code="NAIVE_TIMESTAMP",
        path=path,
        value=value,
        limit="UTC, or an IANA name",
        reason="the times of the trace carry no time zone, so no price can be put beside them",
        remedy='State the zone that they are in, "UTC" for example',
    )


def _whole(
    arrival_s: Numbers, *, start: datetime | None, span_s: float | None, path: str
) -> Iterator[Finding]:
    if start is not None and start.tzinfo is None:
        yield naive_start(f"{path}.start", start.isoformat())
    if not arrival_s.size:
        yield Finding(
            code="TRACE_EMPTY",
            path=path,
            value="0",
            limit=">= 1",
            unit="requests",
            reason="there is no request in the trace",
            remedy="Give a longer span, a larger sample, or another file",
        )
    if span_s is not None and not (np.isfinite(span_s) and span_s > 0.0):
        yield Finding(
            code="TRACE_SPAN",
            path=f"{path}.span_s",
            value=_told(span_s),
            limit="> 0",
            unit="s",
            reason="a trace that lasts no time has no rate of arrivals",
            remedy="State how long it lasts, or give requests of more than one moment",
        )


def _indices(
    column: str, index: NDArray[np.int64] | None, names_count: int, path: str
) -> Iterator[Finding]:
    if index is None:
        return
    bad = (index < 0) | (index >= names_count)
    if bad.any():
        yield Finding(
            code="TRACE_NAME",
            path=f"{path}.{column}",
            value=_told(index[bad][0]),
            limit=f"0 to {names_count - 1}",
            reason=f"{int(bad.sum()):,} rows point to a name that is not in the list, the first "
            f"is row {int(np.argmax(bad))}",
            remedy="Name every workload and tenant that rows point to",
        )


def _repeated(
    arrival_s: Numbers, input_tokens: Numbers, output_tokens: Numbers, path: str
) -> Iterator[Finding]:
    """Tell where the data come again from the start: an hour that stands in for a day."""
    period_count = repeats_after(arrival_s, input_tokens, output_tokens)
    if period_count is None:
        return
    period_s = float(arrival_s[period_count] - arrival_s[0])
    yield Finding(
        code="TRACE_REPEATED",
        path=path,
        value=f"{period_s / S_PER_H:.4g}",
        limit=f"{float(arrival_s[-1] - arrival_s[0]) / S_PER_H:.4g}",
        unit="h",
        reason=f"from request {period_count:,} on the same gaps and lengths come again: it is "
        f"{arrival_s.size / period_count:.4g} times the same data, with no day in it and no "
        "other hour",
        remedy="Say so beside every figure, or give a trace that was recorded for as long",
        severity="warning",
    )


def repeats_after(arrival_s: Numbers, input_tokens: Numbers, output_tokens: Numbers) -> int | None:
    """Return after how many requests the data come again, to the end; None: they do not.

    Half of them at least must have come again, and `PERIOD_LEAST_COUNT` are needed.
    """
    count = arrival_s.size
    most_count = (count * 2) // 3
    if most_count < PERIOD_LEAST_COUNT:
        return None
    columns = (input_tokens, output_tokens)
    starts = np.arange(PERIOD_LEAST_COUNT, most_count + 1)
    starts = starts[starts + HEAD_COUNT <= count]
    for step in range(HEAD_COUNT):
        for column in columns:
            starts = starts[column[starts + step] == column[step]]
    gaps = np.diff(arrival_s)
    for start in starts[:CANDIDATES_MOST_COUNT].tolist():
        same = all(np.array_equal(column[start:], column[: count - start]) for column in columns)
        if same and np.all(np.abs(gaps[start:] - gaps[: count - 1 - start]) < SAME_GAP_S):
            # Equal rows at equal distances are a pattern too, however long it goes on.
            return None if _is_shorter_pattern(columns, gaps, start) else start
    return None


def _is_shorter_pattern(columns: tuple[Numbers, ...], gaps: Numbers, period_count: int) -> bool:
    """Tell whether a period is itself made of fewer rows than data would be."""
    for shorter in range(1, PERIOD_LEAST_COUNT):
        within = slice(shorter, period_count), slice(0, period_count - shorter)
        if all(np.array_equal(column[within[0]], column[within[1]]) for column in columns) and (
            np.all(np.abs(gaps[within[0]] - gaps[within[1]]) < SAME_GAP_S)
        ):
            return True
    return False


def _told(value: Any) -> str:
    number = float(value)
    return "empty" if np.isnan(number) else f"{number:.10g}"

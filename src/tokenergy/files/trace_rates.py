"""A table of rates (`second`, then requests per second by column), joined with stated lengths.

ServeGen's windows have this shape. Rates are no requests: those are drawn, and the lengths come
from elsewhere; both are said in the source of the trace, which is synthetic by that.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.noun import nearest_names
from tokenergy.company.trace import RequestTrace
from tokenergy.errors import FindingsError
from tokenergy.files.records import name_of
from tokenergy.files.trace_frame import Head, frame_of, numbers
from tokenergy.files.trace_read import RatesJoin, TraceRead, TraceTerms, start_findings
from tokenergy.synthetic.requests import RequestShape, Sampled, synthetic_requests

if TYPE_CHECKING:
    import polars as pl

FloatArray = NDArray[np.float64]
SECOND: Final = "second"
SAME_STEP_S: Final = 1e-6


def is_rates(columns: tuple[str, ...]) -> bool:
    """Tell whether columns are those of a table of rates."""
    return SECOND in columns and len(columns) > 1


def read_rates(path: Path, head: Head, terms: TraceTerms) -> TraceRead:
    """Draw requests at the rates of a table, with lengths that the caller states.

    Raises:
        FindingsError: with everything that is missing or wrong.
    """
    frame = frame_of(path, head)
    found = list(start_findings(
        terms, file=path.name, why="its weekday and its zone are not told: second 0 is no moment"
    ))  # fmt: skip
    join = terms.join
    if join is None:
        raise FindingsError([*found, _no_join(path.name, frame)])
    found += _join_findings(join, terms, path.name, frame)
    interval_s = _interval_s(frame, head, path.name, found)
    rates = {
        workload: numbers(frame, (name_of(column),), mark=head.mark)
        for workload, column in join.columns.items()
        if name_of(column) in frame.columns
    }
    rates = _cut(rates, path.name, found)
    if errors := errors_of(tuple(found)):
        raise FindingsError(errors)
    assert terms.start is not None and interval_s is not None
    shapes = [_shape(workload, rate, join) for workload, rate in rates.items()]
    sampled = synthetic_requests(shapes, start=terms.start, interval_s=interval_s, seed=terms.seed)
    trace = _with_lengths(sampled, join, terms)
    columns = ", ".join(f"{name} as {workload}" for workload, name in join.columns.items())
    joined = replace(
        trace,
        source=f"synthetic requests at the rates of {path.name} ({columns}), joined with lengths "
        f"that are not the file's; {trace.source}",
    )
    return TraceRead(
        trace=joined,
        sample_share=sampled.sample_share,
        findings=(*head.findings, *found, *joined.findings(path=path.name)),
        kind="rates",
        file=path.name,
    )


def _shape(workload: str, requests_per_s: FloatArray, join: RatesJoin) -> RequestShape:
    shape = replace(join.shapes[workload], workload=workload, requests_per_s=requests_per_s)
    return shape if join.lengths_from is None else replace(shape, conversations=None)


def _with_lengths(sampled: Sampled, join: RatesJoin, terms: TraceTerms) -> RequestTrace:
    """Return the trace with pairs of lengths from another trace, where one is given."""
    trace, other = sampled.trace, join.lengths_from
    if other is None:
        return trace
    rng = np.random.default_rng([terms.seed, 1])
    drawn = rng.integers(0, other.requests_count, trace.requests_count)
    return replace(
        trace,
        input_tokens=other.input_tokens[drawn],
        output_tokens=other.output_tokens[drawn],
        source=f"{trace.source}; pairs of lengths drawn from {other.source}",
    )


def _no_join(file: str, frame: "pl.DataFrame") -> Finding:
    rates = [name for name in frame.columns if name != SECOND]
    return Finding(
        code="TRACE_JOIN_UNSTATED",
        path=file,
        value=", ".join(rates),
        reason="it holds rates and no requests: it says neither how long requests are nor to "
        "which workload a column belongs",
        remedy="State a join: the column of each workload, and its lengths",
    )


def _join_findings(
    join: RatesJoin, terms: TraceTerms, file: str, frame: "pl.DataFrame"
) -> list[Finding]:
    found = []
    rates = [name for name in frame.columns if name != SECOND]
    for workload, column in join.columns.items():
        if name_of(column) not in rates:
            near = nearest_names(name_of(column), rates)
            found.append(
                Finding(
                    code="UNKNOWN_COLUMN",
                    path=f"{file}.{column}",
                    value=column,
                    limit=", ".join(rates),
                    reason=f"there is no such column of rates for workload {workload!r}",
                    remedy=f"Did you mean {near[0]!r}?" if near else "Name one of them",
                )
            )
        if workload not in terms.workloads or workload not in join.shapes:
            found.append(
                Finding(
                    code="TRACE_WORKLOAD_UNKNOWN",
                    path=f"join.columns.{workload}",
                    value=workload,
                    limit=", ".join(terms.workloads),
                    reason="the company has no such workload of a language model, or the join "
                    "states no lengths for it",
                    remedy="Name workloads of the company, each with its lengths",
                )
            )
    if join.lengths_from is not None and not join.lengths_from.requests_count:
        found.append(
            Finding(
                code="TRACE_EMPTY",
                path="join.lengths_from",
                value="0",
                limit=">= 1",
                unit="requests",
                reason="there are no lengths to draw from",
                remedy="Give a trace with requests",
            )
        )
    return found


def _interval_s(frame: "pl.DataFrame", head: Head, file: str, found: list[Finding]) -> float | None:
    """Return the one step of the table's seconds."""
    seconds = numbers(frame, (SECOND,), mark=head.mark)
    steps = np.diff(seconds)
    if steps.size and np.all(np.abs(steps - steps[0]) < SAME_STEP_S) and steps[0] > 0.0:
        return float(steps[0])
    odd = int(np.argmax(~(np.abs(steps - steps[0]) < SAME_STEP_S))) + 1 if steps.size else 0
    found.append(
        Finding(
            code="SERIES_MISALIGNED",
            path=f"{file}.{SECOND}",
            value=f"{steps[odd - 1]:g}" if steps.size else "",
            limit=f"{steps[0]:g}" if steps.size else "two rows",
            unit="s",
            reason="the seconds do not rise by one step, so windows have no length"
            + (f" (row {odd + 2})" if steps.size else ""),
            remedy="Give one row for each window, in order, none left out",
        )
    )
    return None


def _cut(rates: dict[str, FloatArray], file: str, found: list[Finding]) -> dict[str, FloatArray]:
    """Cut every column where the shortest ends; a gap before its end is an error."""
    lasting = {
        workload: int(np.flatnonzero(np.isfinite(rate)).max(initial=-1)) + 1
        for workload, rate in rates.items()
    }
    if not lasting:
        return rates
    count = min(lasting.values())
    for workload, rate in rates.items():
        bad = np.flatnonzero(~np.isfinite(rate[:count]) | ~(rate[:count] >= 0.0))
        if bad.size or not lasting[workload]:
            found.append(
                Finding(
                    code="TRACE_RATE",
                    path=f"{file}.{workload}",
                    value=f"{bad.size}",
                    limit="0",
                    unit="windows",
                    reason="windows have no rate, or one below 0"
                    + (f"; the first is row {int(bad[0]) + 2}" if bad.size else ", all of them"),
                    remedy="Fill them, or give a file without gaps",
                )
            )
    longest = max(lasting.values())
    if count < longest:
        short = min(lasting, key=lambda workload: lasting[workload])
        found.append(
            Finding(
                code="TRACE_CUT",
                path=f"{file}.{short}",
                value=f"{count}",
                limit=f"{longest}",
                unit="windows",
                reason=f"the rates of {short!r} end first, and every workload is cut there",
                remedy="Leave that workload out for the longer span",
                severity="warning",
            )
        )
    return {workload: rate[:count] for workload, rate in rates.items()}

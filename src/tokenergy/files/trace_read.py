"""A trace that was read: its columns become a RequestTrace, with every finding at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.noun import nearest_names
from tokenergy.company.trace import NO_SESSION, RequestTrace
from tokenergy.company.trace_findings import (
    FIRST_ROWS_COUNT,
    naive_start,
    row_faults,
    trace_findings,
)
from tokenergy.errors import FindingsError
from tokenergy.files.key_hash import KeyHash, key_hash
from tokenergy.synthetic.requests import RequestShape

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
TraceKind = Literal[
    "requests", "azure_llm", "mooncake", "rates", "openai", "litellm", "usage", "ledger"
]
Spread = Literal["poisson", "even"]
NAMES_SHOWN_COUNT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RatesJoin:
    """What a table of rates lacks: to whom each column belongs, and the lengths of requests.

    Attributes:
        columns: the column of each workload.
        shapes: how its requests look; the rates in it are replaced by the file's.
        lengths_from: a trace from which pairs of input and output are drawn with replacement,
            in place of the lengths of the shapes; those then have no conversations.
    """

    columns: Mapping[str, str]
    shapes: Mapping[str, RequestShape]
    lengths_from: RequestTrace | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceTerms:
    """What the caller states about a file, beside what stands in it.

    Attributes:
        workloads: the company's workloads of language models.
        workload: to which of them requests belong that do not say; None: the only one.
        zone: the zone of stamps that carry none, "UTC" or an IANA name.
        start: second 0 of a file that counts seconds; where stamps are moments, second 0 in
            place of the first arrival.
        span_s: how long the trace lasts; None: to its last arrival.
        sort: whether a file in another order is sorted; else it is refused.
        leave_out_bad: whether rows with faults are left out and counted; else refused.
        spread: how the requests of a bucket of usage stand within it.
        seed: of what is drawn.
        join: for a table of rates.
        keys: how keys and users are hashed; None: under the salt in `.tokenergy`.
    """

    workloads: tuple[str, ...]
    workload: str | None = None
    zone: str | None = None
    start: datetime | None = None
    span_s: float | None = None
    sort: bool = False
    leave_out_bad: bool = False
    spread: Spread = "poisson"
    seed: int = 0
    join: RatesJoin | None = None
    keys: KeyHash | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceRead:
    """A file of requests, read.

    Attributes:
        trace: the requests.
        sample_share: part of the real requests that each of its workloads shows.
        findings: warnings.
        kind: whose shape the file has.
        file: its name.
        left_out_count: rows with faults that are not in the trace.
    """

    trace: RequestTrace
    sample_share: tuple[float, ...]
    findings: tuple[Finding, ...]
    kind: TraceKind
    file: str
    left_out_count: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class TraceColumns:
    """The columns of a trace before they are believed; all [n], NaN where a cell is empty.

    Attributes:
        start: second 0; None where nothing tells (then a finding does).
        names: by column (`workload`, `tenant`, `session`) the text of each row, "" for none.
        row_numbers: what each row is called in its file.
        source: where they are from.
    """

    start: datetime | None
    arrival_s: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    cached_tokens: FloatArray
    row_numbers: IntArray
    source: str
    value_usd: FloatArray | None = None
    names: dict[str, Sequence[str]] = field(default_factory=dict)

    def taken(self, rows: NDArray[Any]) -> "TraceColumns":
        """Return these rows only (numbers in their order, or a mask)."""
        order = np.arange(self.arrival_s.size)[rows]
        return replace(
            self,
            arrival_s=self.arrival_s[order],
            input_tokens=self.input_tokens[order],
            output_tokens=self.output_tokens[order],
            cached_tokens=self.cached_tokens[order],
            row_numbers=self.row_numbers[order],
            value_usd=None if self.value_usd is None else self.value_usd[order],
            names={name: [texts[at] for at in order] for name, texts in self.names.items()},
        )


def finished(
    columns: TraceColumns,
    terms: TraceTerms,
    *,
    file: str,
    kind: TraceKind,
    findings: Iterable[Finding] = (),
) -> TraceRead:
    """Return the columns as a trace.

    Raises:
        FindingsError: with every error, those given among them.
    """
    found = list(findings)
    count = columns.arrival_s.size
    if terms.leave_out_bad:
        columns, told = _without_bad(columns, file)
        found += told
    left_out_count = count - columns.arrival_s.size
    if terms.sort:
        columns, told = _sorted(columns, file)
        found += told
    workload, told = _workloads(columns, terms, file)
    found += told
    known_s = columns.arrival_s[np.isfinite(columns.arrival_s)]
    span_s = float(known_s.max(initial=0.0)) if terms.span_s is None else terms.span_s
    found += trace_findings(
        arrival_s=columns.arrival_s,
        input_tokens=columns.input_tokens,
        output_tokens=columns.output_tokens,
        cached_tokens=columns.cached_tokens,
        value_usd=columns.value_usd,
        start=columns.start,
        span_s=span_s,
        path=file,
        row_numbers=columns.row_numbers,
    )
    if errors := errors_of(tuple(found)):
        raise FindingsError(errors)
    return TraceRead(
        trace=_trace(columns, terms, workload, span_s),
        sample_share=(1.0,) * len(terms.workloads),
        findings=tuple(found),
        kind=kind,
        file=file,
        left_out_count=left_out_count,
    )


def _trace(
    columns: TraceColumns, terms: TraceTerms, workload: IntArray, span_s: float
) -> RequestTrace:
    """Return columns without a fault as a trace."""
    assert columns.start is not None  # without one there is an error
    tenants, tenant = _tenants(columns, terms)
    return RequestTrace.of(
        start=columns.start.astimezone(UTC),
        span_s=span_s,
        source=columns.source,
        workloads=terms.workloads,
        arrival_s=columns.arrival_s,
        input_tokens=columns.input_tokens.astype(np.int64),
        output_tokens=columns.output_tokens.astype(np.int64),
        cached_tokens=columns.cached_tokens.astype(np.int64),
        workload=workload,
        session=_sessions(columns),
        tenants=tenants,
        tenant=tenant,
        value_usd=columns.value_usd,
    )


def start_findings(terms: TraceTerms, *, file: str, why: str) -> tuple[Finding, ...]:
    """Return what is wrong with the stated start of a file that has no moments of its own."""
    if terms.start is None:
        return (
            Finding(
                code="TRACE_START_UNSTATED",
                path=f"{file}.start",
                reason=f"{why}, so no price can be put beside its requests",
                remedy="State the start: the moment of its second 0, with a zone",
            ),
        )
    if terms.start.tzinfo is None:
        return (naive_start("start", terms.start.isoformat()),)
    return ()


def _without_bad(columns: TraceColumns, file: str) -> tuple[TraceColumns, list[Finding]]:
    """Leave out the rows with faults, but not those that only stand in another order."""
    faults = [
        fault
        for fault in row_faults(
            arrival_s=columns.arrival_s,
            input_tokens=columns.input_tokens,
            output_tokens=columns.output_tokens,
            cached_tokens=columns.cached_tokens,
            value_usd=columns.value_usd,
        )
        if fault.code != "TRACE_UNSORTED"
    ]
    if not faults:
        return columns, []
    told = [
        replace(
            fault.finding(path=file, row_numbers=columns.row_numbers),
            severity="warning",
            remedy="Nothing, if the trace is right without these rows: they are left out",
        )
        for fault in faults
    ]
    bad = np.logical_or.reduce([fault.bad for fault in faults])
    return columns.taken(~bad), told


def _sorted(columns: TraceColumns, file: str) -> tuple[TraceColumns, list[Finding]]:
    behind = columns.arrival_s[1:] < columns.arrival_s[:-1]
    if not behind.any():
        return columns, []
    moved = Finding(
        code="TRACE_SORTED",
        path=f"{file}.arrival_s",
        value=f"{int(behind.sum()):,}",
        unit="rows",
        reason="requests stood in another order than that of their arrivals, and were sorted; "
        "the first that came before its predecessor is row "
        f"{columns.row_numbers[1:][behind][0]}",
        remedy="Nothing, if the column is that of arrivals, not of ends",
        severity="warning",
    )
    return columns.taken(np.argsort(columns.arrival_s, kind="stable")), [moved]


def _workloads(
    columns: TraceColumns, terms: TraceTerms, file: str
) -> tuple[IntArray, list[Finding]]:
    """Return the index of each row's workload, or what stands in the way."""
    place = {name: at for at, name in enumerate(terms.workloads)}
    texts = columns.names.get("workload")
    count = columns.arrival_s.size
    rest, found = _rest(place, terms, file, needed=texts is None or "" in texts)
    if texts is None:
        return np.full(count, rest), found
    unknown: dict[str, list[int]] = {}
    index = np.full(count, rest)
    for at, text in enumerate(texts):
        if text in place:
            index[at] = place[text]
        elif text:
            unknown.setdefault(text, []).append(int(columns.row_numbers[at]))
    if unknown:
        rows_count = sum(map(len, unknown.values()))
        first = min(rows[0] for rows in unknown.values())
        names = list(unknown)[:NAMES_SHOWN_COUNT]
        near = nearest_names(names[0], terms.workloads)
        found.append(
            Finding(
                code="TRACE_WORKLOAD_UNKNOWN",
                path=f"{file}.workload",
                value=", ".join(names),
                limit=", ".join(terms.workloads),
                reason=f"{rows_count:,} rows, the first {first}, are of {len(unknown)} workloads "
                "that the company does not have among those of language models",
                remedy=f"Name them as the company file does{_meant(near)}",
            )
        )
    return index, found


def _rest(
    place: Mapping[str, int], terms: TraceTerms, file: str, *, needed: bool
) -> tuple[int, list[Finding]]:
    """Return the workload of rows that name none."""
    if terms.workload is not None:
        if terms.workload in place:
            return place[terms.workload], []
        near = nearest_names(terms.workload, terms.workloads)
        return 0, [
            Finding(
                code="TRACE_WORKLOAD_UNKNOWN",
                path="workload",
                value=terms.workload,
                limit=", ".join(terms.workloads),
                reason="the company has no such workload of a language model",
                remedy=f"Name one of them{_meant(near)}",
            )
        ]
    if len(place) == 1 or not needed:
        return 0, []
    return 0, [
        Finding(
            code="TRACE_WORKLOAD_UNSTATED",
            path=f"{file}.workload",
            value=f"{len(place)}",
            limit="1",
            unit="workloads",
            reason="requests do not say to which workload they belong, and the company has "
            f"{', '.join(terms.workloads) or 'none of a language model'}",
            remedy="State the workload, or give the file a column workload",
        )
    ]


def _meant(near: Sequence[str]) -> str:
    return f"; nearest is {near[0]!r}" if near else ""


def _tenants(columns: TraceColumns, terms: TraceTerms) -> tuple[tuple[str, ...], IntArray]:
    """Return the names of tenants, keys and users as hashes, and the index of each row's."""
    texts, hidden = columns.names.get("tenant"), columns.names.get("user")
    if texts is None and hidden is None:
        return ("",), np.zeros(columns.arrival_s.size, dtype=np.int64)
    keys = key_hash() if terms.keys is None else terms.keys
    names: dict[str, int] = {}
    shown: dict[tuple[str, bool], str] = {}
    index = np.zeros(columns.arrival_s.size, dtype=np.int64)
    for at in range(index.size):
        clear = "" if texts is None else texts[at]
        secret = "" if clear or hidden is None else hidden[at]
        said = (clear or secret, bool(secret))
        if said not in shown:
            shown[said] = keys.of(secret) if secret else keys.of_tenant(clear) if clear else ""
        index[at] = names.setdefault(shown[said], len(names))
    return tuple(names), index


def _sessions(columns: TraceColumns) -> IntArray:
    """Return a number for each conversation; what it was called is forgotten."""
    count = columns.arrival_s.size
    numbers: dict[str, int] = {"": NO_SESSION}
    texts = columns.names.get("session")
    if texts is None:
        return np.full(count, NO_SESSION, dtype=np.int64)
    return np.fromiter(
        (numbers.setdefault(text, len(numbers) - 1) for text in texts), np.int64, count
    )


def rows_named(row_numbers: IntArray) -> str:
    """Return how many rows there are and the first of them, for a sentence."""
    first = ", ".join(map(str, row_numbers[:FIRST_ROWS_COUNT].tolist()))
    return f"row {first}" if row_numbers.size == 1 else f"{row_numbers.size:,} rows, first {first}"

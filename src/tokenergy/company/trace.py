"""A trace: requests as they came, one beside another, in arrays that a simulator can read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.trace_findings import trace_findings
from tokenergy.errors import FindingsError, InputError, UnexpectedError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
NO_SESSION: Final = -1
REPEATS_MOST_COUNT: Final = 1_000_000
_ROWS: Final = (
    "arrival_s", "input_tokens", "output_tokens", "cached_tokens", "workload", "session",
    "tenant", "value_usd",
)  # fmt: skip
"""The arrays that hold one thing for each request."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestTrace:
    """Requests as arrays [n], sorted by arrival; two traces are the same if `same_as` says so.

    The arrays are not to be written to.

    Attributes:
        start: second 0 of the trace, in UTC.
        span_s: how long the trace lasts; no request arrives after it.
        source: where it is from; begins with "synthetic" where it was made.
        arrival_s: seconds from `start`, never falling.
        input_tokens: of the prompt, cached ones included; at least 1.
        output_tokens: that were made; at least 1.
        cached_tokens: of the input, known by the trace to lie in a prefix cache; else 0.
        workloads: the names that `workload` points into.
        workload: index into `workloads`.
        session: the conversation that a request belongs to, `NO_SESSION` where there is none.
        tenants: the names that `tenant` points into; a user's name is only here as a hash.
        tenant: index into `tenants`.
        value_usd: what serving is worth, NaN: as the tier says.
    """

    start: datetime
    span_s: float
    source: str
    arrival_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    cached_tokens: IntArray
    workloads: tuple[str, ...]
    workload: IntArray
    session: IntArray
    tenants: tuple[str, ...]
    tenant: IntArray
    value_usd: FloatArray

    def __post_init__(self) -> None:
        """Refuse arrays of unequal lengths: a fault of ours, as readers build them together.

        Raises:
            UnexpectedError: naming each array and its length.
        """
        counts = {name: getattr(self, name).shape for name in _ROWS}
        if len(set(counts.values())) > 1 or self.arrival_s.ndim != 1:
            told = ", ".join(f"{name} {shape}" for name, shape in counts.items())
            raise UnexpectedError(f"trace {self.source!r}: arrays differ in shape: {told}")

    @classmethod
    def of(
        cls,
        *,
        start: datetime,
        span_s: float,
        source: str,
        workloads: Sequence[str],
        arrival_s: FloatArray,
        input_tokens: IntArray,
        output_tokens: IntArray,
        cached_tokens: IntArray | None = None,
        workload: IntArray | None = None,
        session: IntArray | None = None,
        tenants: Sequence[str] = ("",),
        tenant: IntArray | None = None,
        value_usd: FloatArray | None = None,
    ) -> Self:
        """Return a trace in which what a source does not tell stands at its neutral value.

        Those are: nothing cached, the first workload, no session, the first tenant (of no
        name), worth what the tier says. Nothing is sorted or checked; see `checked`.
        """
        count = len(arrival_s)

        def filled(given: IntArray | None, neutral: int) -> IntArray:
            if given is None:
                return np.full(count, neutral, dtype=np.int64)
            return np.ascontiguousarray(given, dtype=np.int64)

        worth = np.full(count, np.nan) if value_usd is None else value_usd
        return cls(
            start=start,
            span_s=float(span_s),
            source=source,
            arrival_s=np.ascontiguousarray(arrival_s, dtype=np.float64),
            input_tokens=filled(input_tokens, 1),
            output_tokens=filled(output_tokens, 1),
            cached_tokens=filled(cached_tokens, 0),
            workloads=tuple(workloads),
            workload=filled(workload, 0),
            session=filled(session, NO_SESSION),
            tenants=tuple(tenants),
            tenant=filled(tenant, 0),
            value_usd=np.ascontiguousarray(worth, dtype=np.float64),
        )

    @property
    def requests_count(self) -> int:
        """Requests in the trace."""
        return int(self.arrival_s.size)

    @property
    def end(self) -> datetime:
        """The moment at which the trace ends, in UTC, to the microsecond."""
        return self.start + timedelta(seconds=self.span_s)

    @property
    def mean_requests_per_s(self) -> float:
        """Requests over the span; 0 for a trace of no length."""
        return self.requests_count / self.span_s if self.span_s > 0.0 else 0.0

    @property
    def is_synthetic(self) -> bool:
        """Whether it was made, not recorded."""
        return self.source.startswith("synthetic")

    def same_as(self, other: "RequestTrace") -> bool:
        """Tell whether two traces agree in every field, to the bit (NaN equals NaN)."""
        words = ("start", "span_s", "source", "workloads", "tenants")
        return all(getattr(self, name) == getattr(other, name) for name in words) and all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
            for name in _ROWS
        )

    def findings(self, *, path: str = "trace") -> tuple[Finding, ...]:
        """Return everything wrong with the trace, at once; rows are counted from 0.

        Args:
            path: what the trace is called in the findings, its file for example.
        """
        return trace_findings(
            arrival_s=self.arrival_s,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_tokens=self.cached_tokens,
            value_usd=self.value_usd,
            workload=self.workload,
            workloads_count=len(self.workloads),
            tenant=self.tenant,
            tenants_count=len(self.tenants),
            start=self.start,
            span_s=self.span_s,
            path=path,
        )

    def checked(self, *, path: str = "trace") -> Self:
        """Return the trace itself, after seeing that a simulator can take it.

        Raises:
            FindingsError: with every error at once.
        """
        errors = errors_of(self.findings(path=path))
        if errors:
            raise FindingsError(errors)
        return self

    def taken(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Return the trace with these rows only, in the order given (numbers, or a mask)."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ROWS})

    def by_arrival(self) -> Self:
        """Return the trace sorted by arrival; requests of one moment keep their order."""
        if bool(np.all(self.arrival_s[1:] >= self.arrival_s[:-1])):
            return self
        return self.taken(np.argsort(self.arrival_s, kind="stable"))

    def window(self, begin_s: float, end_s: float) -> Self:
        """Return what arrives in `[begin_s, end_s)`, with `begin_s` as its second 0.

        A window that ends where the trace ends holds the arrivals of that very moment too, so
        windows that meet hold every request once. `start` is told to the microsecond. What
        stands in a cache stays there, though the turns that put it there may lie before.

        Raises:
            InputError: if the window is empty or reaches beyond the trace.
        """
        if not 0.0 <= begin_s < end_s <= self.span_s:
            raise InputError(
                f"trace {self.source!r}: a window from {begin_s:g} s to {end_s:g} s does not lie "
                f"within 0 s to {self.span_s:g} s"
            )
        first = int(np.searchsorted(self.arrival_s, begin_s, side="left"))
        is_last = end_s == self.span_s
        last = int(np.searchsorted(self.arrival_s, end_s, side="right" if is_last else "left"))
        rows = {name: getattr(self, name)[first:last] for name in _ROWS}
        rows["arrival_s"] = rows["arrival_s"] - begin_s
        return replace(
            self,
            start=self.start + timedelta(seconds=begin_s),
            # Rounding may leave the last arrival a hair after the end of its window.
            span_s=max(end_s - begin_s, float(rows["arrival_s"].max(initial=0.0))),
            **rows,
        )

    def of_workload(self, *names: str) -> Self:
        """Return the requests of these workloads alone; `workloads` are then these, in order.

        Raises:
            InputError: if the trace knows one of them not.
        """
        unknown = [name for name in names if name not in self.workloads]
        if unknown or not names:
            raise InputError(
                f"trace {self.source!r} has no workload {', '.join(map(repr, unknown)) or '(none)'}"
                f"; it knows {', '.join(self.workloads)}"
            )
        renumbered = np.array(
            [names.index(name) if name in names else -1 for name in self.workloads]
        )
        where = renumbered[self.workload]
        kept = self.taken(where >= 0)
        return replace(kept, workloads=names, workload=where[where >= 0])

    def repeated(self, span_s: float) -> Self:
        """Return the trace said over and over until `span_s`, and cut there.

        Each time, sessions are new ones. The source says how often: an hour of data that is
        said 24 times is not a day, and every answer that comes of it has to tell.

        Raises:
            InputError: if the trace has no length, or would be said too often.
        """
        most_s = REPEATS_MOST_COUNT * self.span_s
        if not 0.0 < span_s <= most_s or self.span_s <= 0.0:
            raise InputError(
                f"trace {self.source!r} of {self.span_s:g} s cannot fill {span_s:g} s "
                f"(limit {most_s:g} s)"
            )
        if span_s <= self.span_s:
            return self.window(0.0, span_s)
        times = int(np.ceil(span_s / self.span_s))
        whole = self.taken(np.tile(np.arange(self.requests_count), times))
        turn = np.repeat(np.arange(times), self.requests_count)
        step = int(self.session.max(initial=NO_SESSION)) + 1
        told = replace(
            whole,
            span_s=times * self.span_s,
            # Where the last arrival is the end, rounding may put it after the next first one.
            arrival_s=np.maximum.accumulate(whole.arrival_s + turn * self.span_s),
            session=np.where(whole.session >= 0, whole.session + turn * step, NO_SESSION),
            source=f"{self.source}, {self.span_s:g} s repeated {span_s / self.span_s:.4g} times",
        )
        return told.window(0.0, span_s)


def merged(traces: Sequence[RequestTrace], *, source: str) -> RequestTrace:
    """Return several traces as one, sorted by arrival; it spans them all.

    Workloads and tenants of one name become one; sessions stay apart. Of equal arrivals the
    earlier trace's come first. Starts may differ: the earliest is second 0.

    Raises:
        InputError: if there is none.
    """
    if not traces:
        raise InputError(f"trace {source!r}: there is nothing to merge")
    start = min(trace.start for trace in traces)
    workloads = tuple(dict.fromkeys(name for trace in traces for name in trace.workloads))
    tenants = tuple(dict.fromkeys(name for trace in traces for name in trace.tenants))
    rows: dict[str, list[Any]] = {name: [] for name in _ROWS}
    ends_s, sessions_count = [], 0
    for trace in traces:
        later_s = (trace.start - start).total_seconds()
        ends_s.append(later_s + trace.span_s)
        spot = np.array([workloads.index(name) for name in trace.workloads], dtype=np.int64)
        place = {name: at for at, name in enumerate(tenants)}
        owner = np.array([place[name] for name in trace.tenants], dtype=np.int64)
        own: dict[str, Any] = {name: getattr(trace, name) for name in _ROWS}
        own["arrival_s"] = trace.arrival_s + later_s
        own["workload"] = spot[trace.workload]
        own["tenant"] = owner[trace.tenant]
        own["session"] = np.where(trace.session >= 0, trace.session + sessions_count, NO_SESSION)
        sessions_count += int(trace.session.max(initial=NO_SESSION)) + 1
        for name in _ROWS:
            rows[name].append(own[name])
    whole: dict[str, Any] = {name: np.concatenate(parts) for name, parts in rows.items()}
    joined = RequestTrace(
        start=start.astimezone(UTC),
        span_s=max(ends_s),
        source=source,
        workloads=workloads,
        tenants=tenants,
        **whole,
    )
    return joined.by_arrival()

"""Rows of our own ledger as requests: what the gateway or a simulation wrote of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding
from tokenergy.company.ledger import LedgerEntry
from tokenergy.company.trace_findings import naive_start
from tokenergy.errors import FindingsError
from tokenergy.files.trace_read import TraceColumns, TraceRead, TraceTerms, finished
from tokenergy.simulate.request_entries import stands_for
from tokenergy.units import TOKENS_PER_MTOK

FloatArray = NDArray[np.float64]
OUTPUT: Final = "serve"
INPUT: Final = "input"
CACHED: Final = "cached_input"
"""Components of a request's rows that count its tokens, in Mtok."""
COUNTED: Final = (OUTPUT, INPUT, CACHED)
UNIT: Final = "Mtok"


@dataclass(slots=True, kw_only=True)
class _Told:
    """What the rows of one request say."""

    start: datetime
    row: int
    workload: str
    tenant: str
    tokens: dict[str, float]


def read_ledger_trace(entries: Iterable[LedgerEntry], file: str, terms: TraceTerms) -> TraceRead:
    """Return the requests of a ledger, sorted by arrival.

    A request's rows of components `serve`, `input` and `cached_input` count its tokens. Rows of
    intervals are sums, and rows of `observe` are of a tenant's usage: neither are requests. A row
    of a sample stands for many, and is taken for the one that was drawn.

    Raises:
        FindingsError: if it holds no requests, or they lack what a trace needs.
    """
    seen: dict[tuple[str, str], _Told] = {}
    others: dict[str, int] = {}
    for number, entry in enumerate(entries, start=1):
        if entry.kind != "request":
            others[entry.kind] = others.get(entry.kind, 0) + 1
        elif entry.source == "observe":
            others["usage"] = others.get("usage", 0) + 1
        elif entry.component in COUNTED and entry.unit == UNIT:
            told = seen.setdefault(
                (entry.run_id, entry.request_id),
                _Told(
                    start=entry.start,
                    row=number,
                    workload=entry.workload,
                    tenant=entry.tenant,
                    tokens={},
                ),
            )
            told.start = min(told.start, entry.start)
            own = entry.quantity / stands_for(entry.part) * TOKENS_PER_MTOK
            tokens = told.tokens.get(entry.component, 0.0) + own
            told.tokens[entry.component] = tokens
    found = list(_findings(seen, others, file))
    if terms.start is not None and terms.start.tzinfo is None:
        found.append(naive_start("start", terms.start.isoformat()))
    if found:
        raise FindingsError(found)
    return finished(_columns(seen, file, terms), terms, file=file, kind="ledger")


def _findings(
    seen: dict[tuple[str, str], _Told], others: dict[str, int], file: str
) -> Iterator[Finding]:
    runs = {run for run, _ in seen}
    if not seen:
        told = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(others.items()))
        yield Finding(
            code="LEDGER_NO_REQUESTS",
            path=file,
            value=told or "no row",
            limit="rows of kind request, of simulate or serve",
            reason="the ledger holds sums over intervals or usage, and a sum cannot be taken "
            "apart into requests",
            remedy="Simulate with requests, or give the log that the usage came from",
        )
    if len(runs) > 1:
        yield Finding(
            code="LEDGER_RUNS",
            path=file,
            value=", ".join(sorted(runs)[:5]),
            limit="1",
            unit="run",
            reason=f"the ledger holds the requests of {len(runs)} runs, which are the same ones "
            "under several policies, or of several times",
            remedy="Name one of them",
        )
    lacking = [told.row for told in seen.values() if INPUT not in told.tokens]
    if lacking:
        yield Finding(
            code="LEDGER_INPUT_MISSING",
            path=f"{file}.component",
            value=f"{len(lacking):,}",
            limit="0",
            unit="requests",
            reason="requests have no row of component input, so the length of their prompts is "
            f"not known (the first in row {lacking[0]})",
            remedy="Give a ledger whose requests tell their input tokens",
        )


def _columns(seen: dict[tuple[str, str], _Told], file: str, terms: TraceTerms) -> TraceColumns:
    told = sorted(seen.values(), key=lambda each: each.start)
    start = told[0].start if terms.start is None else terms.start

    def tokens(component: str) -> FloatArray:
        # A token is the millionth of a Mtok: the product is off by rounding alone.
        whole: FloatArray = np.rint([each.tokens.get(component, 0.0) for each in told])
        return whole

    return TraceColumns(
        start=start,
        arrival_s=np.array([(each.start - start).total_seconds() for each in told]),
        input_tokens=tokens(INPUT),
        output_tokens=tokens(OUTPUT),
        cached_tokens=tokens(CACHED),
        row_numbers=np.array([each.row for each in told], dtype=np.int64),
        source=f"{file} (ledger, run {next(iter(seen))[0]})",
        names={
            "workload": [each.workload for each in told],
            "tenant": [each.tenant for each in told],
        },
    )

"""A file of requests, or a ledger that holds some, as a trace of a company's workloads."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tokenergy.company.company import Company
from tokenergy.company.ledger import LedgerEntry
from tokenergy.files.request_traces import RatesJoin, TraceRead, language_workloads, read_trace
from tokenergy.files.trace_read import Spread
from tokenergy.store.sqlite import SqliteLedger


def read_requests(
    path: str | Path,
    company: Company,
    *,
    workload: str | None = None,
    zone: str | None = None,
    start: datetime | None = None,
    span_s: float | None = None,
    sort: bool = False,
    leave_out_bad: bool = False,
    spread: Spread = "poisson",
    seed: int = 0,
    join: RatesJoin | None = None,
    run_id: str | None = None,
) -> TraceRead:
    """Read requests for a company from a file of any known shape, or from a ledger.

    Arguments are those of `files.request_traces.read_trace`; `run_id` names the run of a ledger
    that holds several.

    Raises:
        FindingsError: with everything that is wrong with it, at once.
        InputError: if the ledger cannot be read, or the span is no time.
    """

    @contextmanager
    def entries(ledger: Path) -> Iterator[Iterable[LedgerEntry]]:
        with SqliteLedger(ledger, read_only=True) as held:
            yield held.entries(run_id=run_id)

    return read_trace(
        Path(path),
        workloads=language_workloads(company),
        workload=workload,
        zone=zone,
        start=start,
        span_s=span_s,
        sort=sort,
        leave_out_bad=leave_out_bad,
        spread=spread,
        seed=seed,
        join=join,
        open_ledger=entries,
    )

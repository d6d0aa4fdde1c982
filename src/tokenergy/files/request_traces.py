"""The one door for files of requests: what a file is, is read off its header, never its name."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Final

from tokenergy.company.company import Company
from tokenergy.company.ledger import LedgerEntry
from tokenergy.company.refusal import refuse
from tokenergy.errors import InputError
from tokenergy.files.key_hash import KeyHash
from tokenergy.files.openai_usage import INPUT, OUTPUT
from tokenergy.files.trace_frame import Head, head_of, is_sqlite
from tokenergy.files.trace_ledger import read_ledger_trace
from tokenergy.files.trace_rates import is_rates, read_rates
from tokenergy.files.trace_read import RatesJoin, Spread, TraceRead, TraceTerms
from tokenergy.files.trace_table import (
    AZURE,
    MOMENT,
    MOONCAKE,
    SECONDS,
    is_requests,
    read_azure,
    read_mooncake,
    read_requests_table,
)
from tokenergy.files.trace_usage import read_usage_trace
from tokenergy.files.usage_files import KINDS, UsageKind

__all__ = ["RatesJoin", "TraceRead", "language_workloads", "read_trace"]

OpenLedger = Callable[[Path], AbstractContextManager[Iterable[LedgerEntry]]]
"""How a ledger is opened: given by who knows the store, which is not ours to know."""

SHAPES: Final = (
    f"requests: {' or '.join((*MOMENT, *SECONDS))}; {' or '.join(INPUT)}; {' or '.join(OUTPUT)}",
    "Azure LLM inference: TIMESTAMP, ContextTokens, GeneratedTokens",
    "Mooncake (JSON lines): timestamp, input_length, output_length, hash_ids",
    "rates: second, and requests per second by column, with a stated join",
    "OpenAI usage: start_time, end_time, input_tokens, output_tokens, num_model_requests",
    "LiteLLM spend logs",
    "usage: start and end, model, input_tokens, output_tokens, requests_count",
    "our own ledger, of a run with requests",
)
"""The shapes that are known, in words."""


def read_trace(
    path: Path,
    *,
    workloads: Sequence[str],
    workload: str | None = None,
    zone: str | None = None,
    start: datetime | None = None,
    span_s: float | None = None,
    sort: bool = False,
    leave_out_bad: bool = False,
    spread: Spread = "poisson",
    seed: int = 0,
    join: RatesJoin | None = None,
    keys: KeyHash | None = None,
    open_ledger: OpenLedger | None = None,
) -> TraceRead:
    """Read a file of requests, whatever known shape it has: CSV, JSON lines, Parquet, .gz or not.

    Args:
        path: the file.
        workloads: the company's workloads of language models, see `language_workloads`.
        workload: whose requests they are where the file does not say; None: the only one's.
        zone: of stamps that carry none, "UTC" or an IANA name; None: such a file is refused.
        start: second 0 of a file that counts seconds; of moments, in place of the first.
        span_s: how long the trace lasts; None: to its last arrival (a bucket's end).
        sort: sort a file that is in another order; False: it is refused.
        leave_out_bad: leave out rows with faults, and warn; False: it is refused.
        spread: how the requests of a bucket of usage stand in it, `poisson` or `even`.
        seed: of what is drawn: places in a bucket, requests at a table's rates.
        join: what a table of rates lacks.
        keys: how keys and users are hashed; None: under the salt in `.tokenergy`.
        open_ledger: how our own ledger is opened; None: it is refused here.

    Raises:
        FindingsError: with everything that is wrong with it, at once.
        InputError: if the span is no time.
    """
    if span_s is not None and not span_s > 0.0:
        raise InputError(f"span_s is {span_s:g}, above 0 s is needed")
    terms = TraceTerms(
        workloads=tuple(workloads),
        workload=workload,
        zone=zone,
        start=start,
        span_s=span_s,
        sort=sort,
        leave_out_bad=leave_out_bad,
        spread=spread,
        seed=seed,
        join=join,
        keys=keys,
    )
    return _read(path, terms, open_ledger)


def _read(path: Path, terms: TraceTerms, open_ledger: OpenLedger | None) -> TraceRead:
    """Read a file by the shape that its header shows."""
    if is_sqlite(path):
        return _of_ledger(path, terms, open_ledger)
    head = head_of(path)
    known = set(head.columns)
    if known >= set(AZURE):
        return read_azure(path, head, terms)
    if known >= set(MOONCAKE):
        return read_mooncake(path, head, terms)
    if is_requests(head.columns):
        return read_requests_table(path, head, terms)
    usage = _usage_kind(known)
    if usage is not None:
        return read_usage_trace(path, usage, terms)
    if is_rates(head.columns):
        return read_rates(path, head, terms)
    return _refuse_unknown(path, head)


def language_workloads(company: Company) -> tuple[str, ...]:
    """Return the workloads that have lengths in tokens: those of language models."""
    return tuple(
        workload.name
        for workload in company.workloads
        if workload.input_tokens is not None or workload.lengths is not None
    )


def _of_ledger(path: Path, terms: TraceTerms, open_ledger: OpenLedger | None) -> TraceRead:
    if open_ledger is None:
        refuse(
            "TRACE_IS_LEDGER",
            path="file",
            value=path.name,
            reason="it is a database, as our ledgers are, and no table",
            remedy="Give it where ledgers are read, or a file of requests",
        )
    with open_ledger(path) as entries:
        return read_ledger_trace(entries, path.name, terms)


def _usage_kind(known: set[str]) -> UsageKind | None:
    """Return whose usage the columns are, None for nobody's."""
    kinds: tuple[UsageKind, ...] = ("litellm", "openai", "usage")
    fits = (kind for kind in kinds if all(known & set(group) for group in KINDS[kind][1]))
    return next(fits, None)


def _refuse_unknown(path: Path, head: Head) -> TraceRead:
    refuse(
        "TRACE_KIND_UNKNOWN",
        path="file",
        value=f"{path.name}: {', '.join(head.columns[:20])}",
        limit="; ".join(SHAPES),
        reason="its columns are those of no file of requests that we know",
        remedy="Rename columns as in one of the shapes",
    )

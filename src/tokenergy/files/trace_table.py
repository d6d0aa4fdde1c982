"""Tables with one request a row: ours, Azure's, and Mooncake's with hashes of prefix blocks."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding
from tokenergy.company.trace_findings import naive_start
from tokenergy.files.openai_usage import INPUT, OUTPUT
from tokenergy.files.trace_frame import (
    NS_PER_S,
    Head,
    arrivals,
    frame_of,
    moment_of_ns,
    ns_of_moment,
    numbers,
    texts,
)
from tokenergy.files.trace_read import (
    TraceColumns,
    TraceKind,
    TraceRead,
    TraceTerms,
    finished,
    rows_named,
    start_findings,
)
from tokenergy.units import MS_PER_S

if TYPE_CHECKING:
    import polars as pl

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MOMENT: Final = ("arrival", "arrival_time", "arrived_at", "timestamp", "created_at")
SECONDS: Final = ("arrival_s", "arrival_seconds")
CACHED: Final = ("cached_tokens", "cached_input_tokens", "input_cached_tokens")
NAMES: Final = {
    "workload": ("workload",),
    "session": ("session", "session_id", "conversation", "conversation_id"),
    "tenant": ("tenant", "project_id", "project", "team"),
    "user": ("user", "user_id", "api_key", "key"),
}
VALUE: Final = ("value_usd",)
AZURE: Final = ("timestamp", "contexttokens", "generatedtokens")
MOONCAKE: Final = ("timestamp", "input_length", "output_length")
BLOCK_TOKENS: Final = 512
"""Tokens that one of Mooncake's hashes stands for; the last one may stand for fewer."""


def is_requests(columns: tuple[str, ...]) -> bool:
    """Tell whether columns are those of the general table."""
    known = set(columns)
    return all(known & set(group) for group in ((*MOMENT, *SECONDS), INPUT, OUTPUT))


def read_requests_table(path: Path, head: Head, terms: TraceTerms) -> TraceRead:
    """Read the general table: an arrival, input and output tokens, and what else it may tell.

    Raises:
        FindingsError: with everything wrong with it.
    """
    frame = frame_of(path, head)
    if any(name in frame.columns for name in MOMENT):
        return _of_moments(path, head, terms, frame, kind="requests", tokens=(INPUT, OUTPUT))
    columns = _columns(frame, head, tokens=(INPUT, OUTPUT), source=f"{path.name} (requests)")
    columns.arrival_s = numbers(frame, SECONDS, mark=head.mark)
    columns.start = terms.start
    found = start_findings(terms, file=path.name, why="it counts seconds from a moment untold")
    return finished(
        columns, terms, file=path.name, kind="requests", findings=(*head.findings, *found)
    )


def read_azure(path: Path, head: Head, terms: TraceTerms) -> TraceRead:
    """Read a trace of Azure's LLM inference (TIMESTAMP, ContextTokens, GeneratedTokens).

    Raises:
        FindingsError: with everything wrong with it; its stamps have no zone, so one is stated.
    """
    frame = frame_of(path, head)
    tokens = (("contexttokens",), ("generatedtokens",))
    return _of_moments(path, head, terms, frame, kind="azure_llm", tokens=tokens)


def read_mooncake(path: Path, head: Head, terms: TraceTerms) -> TraceRead:
    """Read a trace of Mooncake's shape: milliseconds, lengths, and a hash for each block.

    Cached are the blocks at the head of a prompt whose hashes stand in some row before it, as
    if one cache without end held them all: the most that any real one could find.

    Raises:
        FindingsError: with everything wrong with it.
    """
    frame = frame_of(path, head)
    tokens = (("input_length",), ("output_length",))
    columns = _columns(frame, head, tokens=tokens, source=f"{path.name} (Mooncake's shape)")
    columns.arrival_s = numbers(frame, ("timestamp",), mark=head.mark) / MS_PER_S
    columns.start = terms.start
    columns.row_numbers = np.arange(1, frame.height + 1)  # lines: there is no header
    found = list(start_findings(terms, file=path.name, why="its milliseconds count from nothing"))
    hashes = _hashes(frame, path.name, found)
    if hashes is not None:
        order = np.argsort(columns.arrival_s, kind="stable")
        blocks = np.zeros(frame.height, dtype=np.int64)
        blocks[order] = _known_blocks(hashes[order])
        columns.cached_tokens = np.fmin(blocks * float(BLOCK_TOKENS), columns.input_tokens)
        columns.source += (
            f", cached as if one cache without end held every block of {BLOCK_TOKENS} tokens"
        )
        found.append(_endless_cache(path.name, columns))
    return finished(
        columns, terms, file=path.name, kind="mooncake", findings=(*head.findings, *found)
    )


def _columns(
    frame: "pl.DataFrame",
    head: Head,
    *,
    tokens: tuple[tuple[str, ...], tuple[str, ...]],
    source: str,
) -> TraceColumns:
    """Return what a table tells beside its arrivals."""
    given = {name: texts(frame, columns) for name, columns in NAMES.items()}
    worth = numbers(frame, VALUE, mark=head.mark) if VALUE[0] in frame.columns else None
    cached = numbers(frame, CACHED, mark=head.mark, default=0.0)
    if any(name in frame.columns for name in CACHED):
        said = texts(frame, CACHED) or []
        cached[np.array([not text for text in said], dtype=np.bool_)] = 0.0
    return TraceColumns(
        start=None,
        arrival_s=np.full(frame.height, np.nan),
        input_tokens=numbers(frame, tokens[0], mark=head.mark),
        output_tokens=numbers(frame, tokens[1], mark=head.mark),
        cached_tokens=cached,
        row_numbers=np.arange(frame.height) + (1 if head.is_json else 2),
        source=source,
        value_usd=worth,
        names={name: column for name, column in given.items() if column is not None},
    )


def _of_moments(
    path: Path,
    head: Head,
    terms: TraceTerms,
    frame: "pl.DataFrame",
    *,
    kind: TraceKind,
    tokens: tuple[tuple[str, ...], tuple[str, ...]],
) -> TraceRead:
    """Read a table whose arrivals are moments; second 0 is the first, or the stated start."""
    source = path.name + (f", its stamps taken for {terms.zone}" if terms.zone else "")
    columns = _columns(frame, head, tokens=tokens, source=source)
    name = next(each for each in MOMENT if each in frame.columns)
    told = arrivals(frame, name, zone=terms.zone)
    found: list[Finding] = list(head.findings)
    if told.is_naive.any():
        rows = columns.row_numbers[told.is_naive]
        stamp = texts(frame, (name,)) or []
        bare = naive_start(f"{path.name}.{name}", stamp[int(np.argmax(told.is_naive))])
        found.append(
            Finding(
                code=bare.code,
                path=bare.path,
                value=bare.value,
                limit=bare.limit,
                reason=f"{bare.reason} ({rows_named(rows)})",
                remedy=bare.remedy,
            )
        )
    known = told.nanoseconds[~told.is_bad]
    if terms.start is not None and terms.start.tzinfo is None:
        found.append(naive_start("start", terms.start.isoformat()))
    elif terms.start is not None:
        columns.start = terms.start
    elif known.size:
        columns.start = moment_of_ns(int(known.min()))
    if columns.start is not None:
        since_ns = told.nanoseconds - ns_of_moment(columns.start)
        columns.arrival_s = np.where(told.is_bad, np.nan, since_ns / NS_PER_S)
    return finished(columns, terms, file=path.name, kind=kind, findings=found)


def _hashes(frame: "pl.DataFrame", file: str, found: list[Finding]) -> "pl.Series | None":
    """Return the hashes of each prompt's blocks, None where there are none to read."""
    import polars as pl

    if "hash_ids" not in frame.columns:
        return None
    column = frame["hash_ids"]
    if isinstance(column.dtype, pl.List):
        return column
    found.append(
        Finding(
            code="TRACE_HASHES",
            path=f"{file}.hash_ids",
            value=f"{column.dtype}",
            limit="a list of whole numbers",
            reason="the hashes of a prompt's blocks are no list",
            remedy="Write JSON lines, hash_ids as [0, 1, 2], or leave the column out",
        )
    )
    return None


def _known_blocks(hashes: "pl.Series") -> IntArray:
    """Return how many blocks at the head of each prompt stood in a row before it, [n]."""
    counts = hashes.list.len().fill_null(0).to_numpy().astype(np.int64)
    flat = hashes.filter(counts > 0).explode().to_numpy()
    if not flat.size:
        return np.zeros(counts.size, dtype=np.int64)
    row = np.repeat(np.arange(counts.size), counts)
    _, first, inverse = np.unique(flat, return_index=True, return_inverse=True)
    is_new = row[first][inverse] == row
    # How far the first new block of a row is from the row's beginning; all of it if none is.
    begins = np.cumsum(counts) - counts
    news = np.flatnonzero(is_new)
    at = np.searchsorted(news, begins)
    end = np.append(news, flat.size)[at]
    held: IntArray = np.minimum(end - begins, counts)
    return held


def _endless_cache(file: str, columns: TraceColumns) -> Finding:
    share = np.nansum(columns.cached_tokens) / max(1.0, float(np.nansum(columns.input_tokens)))
    return Finding(
        code="TRACE_CACHE_ENDLESS",
        path=f"{file}.hash_ids",
        value=f"{share:.4g}",
        unit="of the input tokens",
        reason="cached tokens are those that one cache without end would find: blocks that "
        "stood at the head of an earlier prompt",
        remedy="Read them as a most: a real cache forgets, and is one for each replica",
        severity="warning",
    )

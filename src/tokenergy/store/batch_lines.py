"""Lines of batches in the database: claimed by lease, answered once, put back, freed."""

import heapq
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tokenergy.company.serving.batch import Allowance, BatchLine, Claimed, LineAnswer

LEASE_S: Final = 60.0
"""How long a worker may be silent before its lines are somebody else's."""
UNPLANNED: Final = "unplanned"
"""Why a line is open for a claim though no plan has a place for it: its window is nearly over."""


class Open:
    """A batch that lines can be claimed of now: `takes` tells of which workloads."""

    def __init__(self, row: sqlite3.Row, *, now_s: float, rush_share: float) -> None:
        """Take a row of the table of batches."""
        self.number: int = row["number"]
        self.batch_id: str = row["batch_id"]
        window_s = row["expires_s"] - row["created_s"]
        self.rushes: bool = row["expires_s"] - now_s <= rush_share * window_s


def claimed_lines(
    file: sqlite3.Connection,
    owner: str,
    *,
    limit_count: int,
    now_s: float,
    allowances: Mapping[str, Allowance | None],
    rush_share: float,
) -> tuple[Claimed, ...]:
    """Claim lines, of the batches with the fewest running ones first; within a transaction."""
    free_lost(file, now_s=now_s)
    rows = file.execute(
        "SELECT number, batch_id, created_s, expires_s,"
        " (SELECT count(*) FROM line WHERE batch = batch.number AND state = 'running') AS running"
        " FROM batch WHERE status = 'in_progress' AND ending = '' AND pause_s <= ?",
        (now_s,),
    ).fetchall()
    left = {name: _left(file, name, one) for name, one in allowances.items()}
    turns = []
    for row in rows:
        batch = Open(row, now_s=now_s, rush_share=rush_share)
        lines = _queued(file, batch, allowances, limit_count=limit_count, now_s=now_s)
        turns.append((row["running"], row["expires_s"], batch.number, batch, lines))
    heapq.heapify(turns)
    found: list[Claimed] = []
    while turns and len(found) < limit_count:
        running, expires_s, number, batch, lines = heapq.heappop(turns)
        row = next((row for row in lines if batch.rushes or left[row["workload"]] > 0.0), None)
        if row is None:
            continue
        left[row["workload"]] -= row["output_tokens"]
        found.append(_claim(file, batch, row, owner, allowances, now_s=now_s))
        heapq.heappush(turns, (running + 1, expires_s, number, batch, lines))
    return tuple(found)


def _left(file: sqlite3.Connection, workload: str, allowance: Allowance | None) -> float:
    """Return the tokens that a workload may still use of its interval up to now."""
    if allowance is None:
        return float("inf")
    row = file.execute(
        "SELECT tokens FROM pace WHERE workload = ? AND start_s = ?",
        (workload, allowance.start_s),
    ).fetchone()
    return allowance.tokens - (0.0 if row is None else row["tokens"])


def _queued(
    file: sqlite3.Connection,
    batch: Open,
    allowances: Mapping[str, Allowance | None],
    *,
    limit_count: int,
    now_s: float,
) -> Iterator[sqlite3.Row]:
    """Return the first lines of a batch that wait, each workload's by itself."""
    rows: list[sqlite3.Row] = []
    for workload in allowances:
        rows += file.execute(
            "SELECT * FROM line WHERE batch = ? AND workload = ? AND state = 'queued'"
            " AND not_before_s <= ? ORDER BY number LIMIT ?",
            (batch.number, workload, now_s, limit_count),
        ).fetchall()
    return iter(sorted(rows, key=lambda row: int(row["number"])))


def _claim(
    file: sqlite3.Connection,
    batch: Open,
    row: sqlite3.Row,
    owner: str,
    allowances: Mapping[str, Allowance | None],
    *,
    now_s: float,
) -> Claimed:
    """Mark a line as running, and its tokens as taken of its interval."""
    allowance = allowances[row["workload"]]
    pace_s = None if allowance is None else allowance.start_s
    file.execute(
        "UPDATE line SET state = 'running', owner = ?, epoch = epoch + 1, lease_s = ?,"
        " pace_s = ? WHERE batch = ? AND number = ?",
        (owner, now_s + LEASE_S, pace_s, batch.number, row["number"]),
    )
    add_pace(file, row["workload"], pace_s, row["output_tokens"])
    line = BatchLine(
        row["number"], row["custom_id"], row["offset_bytes"], row["length_bytes"],
        row["workload"], row["output_tokens"],
    )  # fmt: skip
    return Claimed(batch.batch_id, line, row["epoch"] + 1, row["faults_count"], pace_s)


def add_pace(file: sqlite3.Connection, workload: str, start_s: float | None, tokens: float) -> None:
    """Count tokens as taken of an interval, or given back to it."""
    if start_s is not None and tokens:
        file.execute(
            "INSERT INTO pace VALUES (?, ?, ?) ON CONFLICT (workload, start_s)"
            " DO UPDATE SET tokens = tokens + excluded.tokens",
            (workload, start_s, tokens),
        )


def free_lost(file: sqlite3.Connection, *, now_s: float) -> int:
    """Free the lines whose holders were silent for too long, and return how many those were."""
    return _freed(file, "lease_s <= ?", now_s)


def free_owned(file: sqlite3.Connection, owner: str) -> int:
    """Free the lines of a worker that runs no more, and return how many those were."""
    return _freed(file, "owner = ?", owner)


def _freed(file: sqlite3.Connection, where: str, value: str | float) -> int:
    """Queue running lines again; what was cancelled or expired meanwhile ends so."""
    return file.execute(
        "UPDATE line SET owner = '', state = (SELECT CASE ending WHEN '' THEN 'queued'"
        " ELSE ending END FROM batch WHERE number = line.batch)"
        f" WHERE state = 'running' AND {where}",
        (value,),
    ).rowcount


def answered(file: sqlite3.Connection, claimed: Claimed, answer: LineAnswer) -> bool:
    """Keep what a line came to, if its claim still holds; within a transaction."""
    line = claimed.line
    state = "done" if answer.good else "failed"
    if not _moved(file, claimed, "state = ?, answer = ?, owner = ''", (state, answer.text)):
        return False
    used = answer.tokens
    file.execute(
        "UPDATE batch SET completed_count = completed_count + ?, failed_count = failed_count + ?,"
        " input_tokens = input_tokens + ?, cached_tokens = cached_tokens + ?,"
        " output_tokens = output_tokens + ?, reasoning_tokens = reasoning_tokens + ?"
        " WHERE batch_id = ?",
        (
            int(answer.good), int(not answer.good), used.input_tokens, used.cached_tokens,
            used.output_tokens, used.reasoning_tokens, claimed.batch_id,
        ),
    )  # fmt: skip
    add_pace(file, line.workload, claimed.pace_s, used.output_tokens - line.output_tokens)
    return True


def returned(
    file: sqlite3.Connection, claimed: Claimed, *, not_before_s: float, faulty: bool
) -> bool:
    """Give a line back, if its claim still holds; its tokens go back to their interval."""
    state = (
        "state = (SELECT CASE ending WHEN '' THEN 'queued' ELSE ending END FROM batch"
        " WHERE number = line.batch), owner = '', not_before_s = ?,"
        " faults_count = faults_count + ?"
    )
    if not _moved(file, claimed, state, (not_before_s, int(faulty))):
        return False
    add_pace(file, claimed.line.workload, claimed.pace_s, -claimed.line.output_tokens)
    return True


def _moved(
    file: sqlite3.Connection, claimed: Claimed, change: str, values: Sequence[str | bytes | float]
) -> bool:
    """Change a running line, and tell whether its claim still held."""
    return (
        file.execute(
            f"UPDATE line SET {change} WHERE number = ? AND epoch = ? AND state = 'running'"
            " AND batch = (SELECT number FROM batch WHERE batch_id = ?)",
            (*values, claimed.line.number, claimed.epoch, claimed.batch_id),
        ).rowcount
        > 0
    )

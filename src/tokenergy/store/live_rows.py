"""Reads the ledger of a gateway for its live page: the newest decisions, and sums of a day.

Every question opens the file for itself, to read alone; no writer waits for it. The number of a
row is the cursor: rows are only ever added. A day is added up once, and from then on what is new.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any, Final

import msgspec

from tokenergy.company.serving.live import (
    NEWEST_COUNT,
    LiveDecision,
    LiveDecisions,
    LiveRefused,
    LiveSum,
    LiveSums,
)
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Refused
from tokenergy.store.kept_request import KeptRequest, kept_request
from tokenergy.store.served_usage import TOKENS
from tokenergy.store.sqlite import stamp
from tokenergy.units import H_PER_DAY, MICROJOULES_PER_J, NANO_USD_PER_USD, S_PER_H

WAIT_S: Final = 1.0
LOOK_BACK_COUNT: Final = 200_000
"""Rows that are looked through for the newest decisions, at most."""
SUM_BACK_COUNT: Final = 1_000_000
"""Rows that are added up at once, at most: of a busier day the sums begin later, and say so."""
DAY_S: Final = H_PER_DAY * S_PER_H
BUCKET_CHARS_COUNT: Final = 15
"""Begin of a moment's text that ten minutes share."""
HEAD: Final = (
    "source = 'serve' AND kind = 'request' AND unit = 'Mtok'"
    " AND component NOT IN ('input', 'cached_input')"
)
"""The one row of each request that tells what was decided."""
BROKEN_OFF: Final = frozenset({"cancelled", "drained", "failed", "interrupted", "left_the_hold"})
BUCKET: Final = f'substr("start", 1, {BUCKET_CHARS_COUNT})'
SERVED_SUMS: Final = f"""
    SELECT {BUCKET}, tenant, tier, model, site,
        sum({HEAD}),
        sum(CASE WHEN kind = 'request' AND component = 'input' THEN {TOKENS} ELSE 0 END),
        sum(CASE WHEN kind = 'request' AND component = 'serve' THEN {TOKENS} ELSE 0 END),
        sum(CASE WHEN kind = 'request' THEN amount_nano_usd ELSE 0 END),
        sum(CASE WHEN kind = 'settlement' THEN -amount_nano_usd ELSE 0 END),
        sum(CASE WHEN kind = 'request' THEN energy_microjoules ELSE 0 END),
        sum(CASE WHEN kind = 'meter' THEN energy_microjoules ELSE 0 END),
        sum(kind = 'meter')
    FROM ledger WHERE rowid > ? AND rowid <= ? AND "start" >= ? AND source = 'serve'
        AND (kind IN ('request', 'settlement') AND component <> 'refused'
            OR kind = 'meter' AND component = 'request')
    GROUP BY 1, 2, 3, 4, 5"""
REFUSED_SUMS: Final = f"""
    SELECT {BUCKET}, tenant, tier, reason, count(*)
    FROM ledger WHERE rowid > ? AND rowid <= ? AND "start" >= ? AND source = 'serve'
        AND kind = 'request' AND component = 'refused'
    GROUP BY 1, 2, 3, 4"""
Row = tuple[Any, ...]
Key = tuple[str, ...]


class SqliteLiveRows:
    """Keeps the promises of `company.serving.live.LiveRows` over one ledger file."""

    def __init__(self, path: Path) -> None:
        """Take the file; it need not be there yet."""
        self._path = path
        self._added_to = 0
        self._since = ""
        self._sums: dict[str, dict[Key, list[int]]] = {}
        self._asked: set[sqlite3.Connection] = set()
        self._was_there = False

    def decisions(self, after: int | None) -> LiveDecisions:
        """Return the decisions after a cursor; None, or one of another ledger: the newest."""
        with self._open() as file:
            top = _top(file)
            known = after is not None and 0 <= after <= top
            first = max(after if known and after is not None else 0, top - LOOK_BACK_COUNT)
            heads = file.execute(
                "SELECT rowid, run_id, request_id, component, quantity, amount_nano_usd,"
                " energy_microjoules, energy_tier, tenant, tier, workload, model, site, decision,"
                ' reason, policy, "start" FROM ledger'
                f" WHERE rowid > ? AND rowid <= ? AND {HEAD} ORDER BY rowid DESC LIMIT ?",
                (first, top, NEWEST_COUNT),
            ).fetchall()
            left_out = 0
            if known and len(heads) == NEWEST_COUNT:
                counted = f"SELECT count(*) FROM ledger WHERE rowid > ? AND rowid < ? AND {HEAD}"
                left_out = file.execute(counted, (first, heads[-1][0])).fetchone()[0]
            beside = _beside(file, heads)
            kept = _kept(file, heads)
        told = [_decision(head, beside.get(head[1:3], []), kept.get(head[1:3])) for head in heads]
        return LiveDecisions(tuple(reversed(told)), top, left_out)

    def sums(self, *, now_s: float) -> LiveSums:
        """Return the sums of the last 24 h up to a moment of company time."""
        floor = stamp(datetime.fromtimestamp(now_s - DAY_S, UTC))[:BUCKET_CHARS_COUNT]
        with self._open() as file:
            top = _top(file)
            if top < self._added_to:  # another file lies there now
                self._added_to, self._sums, self._since = 0, {}, ""
            first = max(self._added_to, top - SUM_BACK_COUNT)
            if first > self._added_to:  # the day holds more than is added up: it begins later
                self._sums, self._since = {}, _start_after(file, first)
            begin = max(floor, self._since)
            span = (first, top, begin)
            served = file.execute(SERVED_SUMS, span).fetchall()
            refused = file.execute(REFUSED_SUMS, span).fetchall()
        for bucket, *rest in served:
            self._add(bucket, tuple(rest[:4]), rest[4:])
        for bucket, tenant, tier, reason, count in refused:
            self._add(bucket, (tenant, tier, reason), [count])
        self._added_to = top
        self._sums = {name: held for name, held in self._sums.items() if name >= floor}
        return self._told(f"{floor}0:00Z" if begin == floor else begin)

    def interrupt(self) -> None:
        """End the questions under way in other threads, by a StoreFault there."""
        for file in list(self._asked):
            with suppress(sqlite3.Error):  # it ended by itself
                file.interrupt()

    def _add(self, bucket: str, key: Key, counts: Sequence[int]) -> None:
        held = self._sums.setdefault(bucket, {}).setdefault(key, [0] * len(counts))
        for at, count in enumerate(counts):
            held[at] += count

    def _told(self, since: str) -> LiveSums:
        total: dict[Key, list[int]] = {}
        for bucket in self._sums.values():
            for key, counts in bucket.items():
                held = total.setdefault(key, [0] * len(counts))
                for at, count in enumerate(counts):
                    held[at] += count
        rows, refused = [], []
        for key, counts in sorted(total.items()):
            if len(counts) == 1:
                tenant, tier, reason = key
                refused.append(LiveRefused(tenant, tier, reason, counts[0]))
                continue
            tenant, tier, model, site = key
            requests, read, written, cost, charged, joules, measured, windows = counts
            rows.append(
                LiveSum(
                    tenant=tenant,
                    tier=tier,
                    model=model,
                    site=site,
                    requests_count=requests,
                    input_tokens=read,
                    output_tokens=written,
                    cost_usd=cost / NANO_USD_PER_USD,
                    charged_usd=charged / NANO_USD_PER_USD,
                    use_j=joules / MICROJOULES_PER_J,
                    measured_j=measured / MICROJOULES_PER_J if windows else None,
                )
            )
        return LiveSums(since, tuple(rows), tuple(refused))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the ledger to read it alone; one that is not there yet is an empty one.

        Raises:
            StoreFault: if it cannot be read, or was there and is gone: that is no empty one.
        """
        there = self._path.exists()
        if self._was_there and not there:
            raise StoreFault("ledger: its file is gone")
        self._was_there = there
        address = f"{self._path.absolute().as_uri()}?mode=ro" if there else ":memory:"
        try:
            with closing(sqlite3.connect(address, uri=there, timeout=WAIT_S)) as file:
                self._asked.add(file)
                try:
                    if not _has(file, "ledger"):
                        file.execute(EMPTY)
                    yield file
                finally:
                    self._asked.discard(file)
        except sqlite3.Error as fault:
            raise StoreFault(f"ledger: {fault}") from fault


EMPTY: Final = (
    "CREATE TEMP TABLE ledger AS SELECT '' AS run_id, '' AS source, '' AS kind, '' AS request_id,"
    " '' AS \"start\", '' AS tenant, '' AS tier, '' AS workload, '' AS site, '' AS model,"
    " '' AS component, 0.0 AS quantity, '' AS unit, 0 AS amount_nano_usd,"
    " 0 AS energy_microjoules, '' AS energy_tier, '' AS decision, '' AS reason, '' AS policy"
    " WHERE 0"
)
"""Stands in for the table of a ledger that nobody has made yet."""


def _has(file: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return file.execute(query, (table,)).fetchone() is not None


def _top(file: sqlite3.Connection) -> int:
    return int(file.execute("SELECT max(rowid) FROM ledger").fetchone()[0] or 0)


def _start_after(file: sqlite3.Connection, row: int) -> str:
    """Return when the first request after a row began."""
    query = f'SELECT "start" FROM ledger WHERE rowid > ? AND {HEAD} ORDER BY rowid LIMIT 1'
    found = file.execute(query, (row,)).fetchone()
    return "" if found is None else str(found[0])


def _by_run(heads: Iterable[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for head in heads:
        found.setdefault(head[1], []).append(head[2])
    return found


def _beside(file: sqlite3.Connection, heads: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return the other rows of some requests: kind, component, quantity, amount."""
    found: dict[tuple[str, str], list[Row]] = {}
    for run, ids in _by_run(heads).items():
        for kind in ("request", "settlement"):
            query = (
                "SELECT request_id, kind, component, quantity, amount_nano_usd FROM ledger"
                f" WHERE run_id = ? AND kind = ? AND request_id IN ({_marks(ids)})"
            )
            for request_id, *row in file.execute(query, (run, kind, *ids)):
                found.setdefault((run, request_id), []).append(tuple(row))
    return found


def _kept(file: sqlite3.Connection, heads: Sequence[Row]) -> dict[tuple[str, str], KeptRequest]:
    """Return the records of some requests, of those that are kept in full."""
    found: dict[tuple[str, str], KeptRequest] = {}
    if not heads or not _has(file, "request"):
        return found
    for run, ids in _by_run(heads).items():
        query = f"SELECT request_id, body FROM request WHERE request_id IN ({_marks(ids)})"
        for request_id, body in file.execute(f"{query} AND run_id = ?", (*ids, run)):
            try:
                found[run, request_id] = kept_request(body)
            except msgspec.DecodeError:
                continue  # of another release: what the ledger says is told without it
    return found


def _marks(ids: Sequence[str]) -> str:
    return ", ".join("?" * len(ids))


def _decision(head: Row, beside: Sequence[Row], kept: KeptRequest | None) -> LiveDecision:
    (
        cursor, _run, request_id, component, quantity, amount, microjoules, energy_tier, tenant,
        tier, workload, model, site, decision, reason, policy, start,
    ) = head  # fmt: skip
    names = {row[1] for row in beside if row[0] == "request"}
    outcome = "completed" if component == "serve" else component
    outcome = next(iter(names & BROKEN_OFF), outcome)
    read = sum(row[2] for row in beside if row[:2] == ("request", "input"))
    cost, value, rate, admitted = _behind(kept)
    refused = component == "refused"
    return LiveDecision(
        cursor=cursor,
        request_id=request_id,
        at=start,
        tenant=tenant,
        tier=tier,
        workload=workload,
        model=model,
        site=site,
        decision=decision,
        reason=reason,
        outcome=outcome,
        input_tokens=round(read * 1e6),
        output_tokens=0 if refused else round(quantity * 1e6),
        cost_usd=cost if refused else amount / NANO_USD_PER_USD,
        charged_usd=-sum(row[3] for row in beside if row[0] == "settlement") / NANO_USD_PER_USD,
        use_j=0.0 if refused else microjoules / MICROJOULES_PER_J,
        energy_tier=energy_tier,
        marginal_usd_per_mtok=rate,
        value_usd=value,
        next_admitted_s=admitted,
        policy=policy,
    )


def _behind(
    kept: KeptRequest | None,
) -> tuple[float | None, float | None, float | None, float | None]:
    """Return expected cost, value, price and the next admitted moment; None: not known."""
    if kept is None:
        return None, None, None, None
    begun = kept.ended if isinstance(kept.ended, Refused) else kept.opened
    decided = None if begun is None else begun.decided
    if decided is None:
        return None, None, None, None
    no_place = isinstance(kept.ended, Refused) and decided.cost_usd == 0.0  # a record has no nan
    return (
        None if no_place else _number(decided.cost_usd),
        _number(decided.value_usd),
        _number(decided.rates[0]) if decided.deployment else None,
        decided.next_admitted_s,
    )


def _number(value: float) -> float | None:
    return value if isfinite(value) else None

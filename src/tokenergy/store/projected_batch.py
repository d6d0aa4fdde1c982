"""One transaction of the projector: records of one worker in, rows of the ledger out."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from tokenergy.company.finding import Finding
from tokenergy.company.serving.record import (
    Closed,
    Marked,
    Metered,
    Opened,
    Record,
    Refused,
)
from tokenergy.metering.served_entries import (
    Row,
    closed_rows,
    finding_row,
    interrupted,
    metered_rows,
    moment_text,
    refused_rows,
    uses,
)
from tokenergy.store.kept_request import kept_body
from tokenergy.store.segment_read import Entry
from tokenergy.store.served_tables import (
    ADD_USE,
    DROP_OPEN,
    INSERT_REQUEST,
    INSERT_ROW,
    INSERT_ROWS,
    KEEP_MARK,
    KEEP_OPEN,
    ROWS_COUNT,
)
from tokenergy.store.served_terms import ServedTerms

Hear = Callable[[Sequence[Record]], None]
"""Told the records of requests as they are taken; of those settled from a MARK, OPEN and CLOSE."""

_RECORD = msgspec.msgpack.Decoder(Record)
_WRITER = msgspec.msgpack.Encoder()


class _Running(NamedTuple):
    """A request with an OPEN: the record, its bytes, and its last MARK with its bytes."""

    opened: Opened
    body: bytes
    marked: Marked | None
    mark_body: bytes | None


class ProjectedBatch:
    """Takes the records of one life of a worker; `keep` writes what came of them.

    Attributes:
        latest_s: moment of the latest record.
        settled_count: requests that were settled from their last MARK.
    """

    def __init__(
        self,
        held: sqlite3.Connection,
        terms: ServedTerms,
        *,
        worker: int,
        epoch: int,
        at_s: float,
        hear: Hear | None = None,
    ) -> None:
        """Begin with nothing; the caller has begun the transaction.

        Args:
            held: the ledger's database.
            terms: prices and units.
            worker, epoch: whose records.
            at_s: moment of the latest record before.
            hear: told records beside; some twice where a transaction fails.
        """
        self._hear = hear
        self._held, self._terms = held, terms
        self._life = (worker, epoch)
        query = "SELECT request_id FROM open_request WHERE worker = ? AND epoch = ?"
        self._kept = {row[0] for row in held.execute(query, self._life)}
        self._fresh: dict[str, _Running] = {}
        self._marks: dict[str, bytes] = {}
        self._gone: list[str] = []
        self._rows: list[Row] = []
        self._uses: Counter[tuple[str, float]] = Counter()
        self.latest_s = at_s
        self.settled_count = 0

    def take(self, entries: Sequence[Entry]) -> None:
        """Take records in the order in which they were written."""
        for entry in entries:
            record, body = entry.record, entry.body
            if isinstance(record, Closed):
                self._close(record, body)
            elif isinstance(record, Opened):
                self._fresh[record.request_id] = _Running(record, body, None, None)
                self._marks.pop(record.request_id, None)
            elif isinstance(record, Marked):
                self._mark(record, body)
            elif isinstance(record, Refused):
                self._refuse(record, body)
            elif isinstance(record, Metered):
                self._rows += metered_rows(self._terms.run_id, record)
        if entries:
            self.latest_s = max(self.latest_s, _moment(entries[-1].record))
            if self._hear is not None:
                self._hear([entry.record for entry in entries])

    def settle_open(self) -> None:
        """End every request that has no CLOSE: its worker has written its last record."""
        for request_id in sorted({*self._fresh, *self._kept}):
            running = self._running(request_id)
            if running is None:
                continue
            opened = running.opened
            version = opened.price_version
            closed = interrupted(
                opened,
                running.marked,
                price=self._terms.price(
                    self._held, version, model=opened.decided.model, tier=opened.tier
                ),
                units=self._terms.units(self._held, version),
            )
            self._close(closed, _WRITER.encode(closed))
            self.settled_count += 1
            if self._hear is not None:
                self._hear((opened, closed))

    def tell(self, finding: Finding) -> None:
        """Put a finding into the ledger."""
        self._rows.append(finding_row(self._terms.run_id, finding, at_s=self.latest_s))

    def keep(self) -> None:
        """Write all that came of the records."""
        held, life, rows = self._held, self._life, self._rows
        many = len(rows) // ROWS_COUNT * ROWS_COUNT
        held.executemany(
            INSERT_ROWS,
            (
                tuple(chain.from_iterable(rows[at : at + ROWS_COUNT]))
                for at in range(0, many, ROWS_COUNT)
            ),
        )
        held.executemany(INSERT_ROW, rows[many:])
        held.executemany(DROP_OPEN, ((*life, request_id) for request_id in self._gone))
        held.executemany(
            KEEP_OPEN,
            (
                (*life, request_id, running.body, running.mark_body)
                for request_id, running in self._fresh.items()
            ),
        )
        held.executemany(
            KEEP_MARK,
            ((body, *life, request_id) for request_id, body in self._marks.items()),
        )
        held.executemany(
            ADD_USE, ((*life, *account, used) for account, used in self._uses.items() if used)
        )

    def _mark(self, record: Marked, body: bytes) -> None:
        request_id = record.request_id
        running = self._fresh.get(request_id)
        if running is not None:
            self._fresh[request_id] = running._replace(marked=record, mark_body=body)
        elif request_id in self._kept:
            self._marks[request_id] = body

    def _close(self, closed: Closed, body: bytes) -> None:
        running = self._running(closed.request_id)
        run_id = self._terms.run_id
        if running is None:
            if not self._is_known(closed.request_id):
                self.latest_s = max(self.latest_s, closed.at_s)
                self.tell(_without_open(closed))
            return
        self._drop(closed.request_id)
        opened = running.opened
        row = (
            closed.request_id, run_id, opened.tenant, moment_text(opened.at_s), opened.key_id,
            opened.user_hash, opened.batch, kept_body(running.body, body),
        )  # fmt: skip
        if not self._held.execute(INSERT_REQUEST, row).rowcount:
            return  # a journal that is read again
        price = self._terms.price(
            self._held, opened.price_version, model=closed.model, tier=opened.tier
        )
        rows, finding = closed_rows(run_id, opened, closed, price)
        self._rows += rows
        if finding is not None:
            self._rows.append(finding_row(run_id, finding, at_s=closed.at_s))
        for account, used in uses(opened, closed):
            self._uses[account] += used

    def _refuse(self, refused: Refused, body: bytes) -> None:
        run_id = self._terms.run_id
        row = (
            refused.request_id, run_id, refused.tenant, moment_text(refused.at_s),
            refused.key_id, "", refused.batch, kept_body(None, body),
        )  # fmt: skip
        if self._held.execute(INSERT_REQUEST, row).rowcount:
            self._rows += refused_rows(run_id, refused)

    def _running(self, request_id: str) -> _Running | None:
        """Return a request that has an OPEN and no CLOSE."""
        running = self._fresh.get(request_id)
        if running is not None or request_id not in self._kept:
            return running
        body, mark_body = self._held.execute(
            "SELECT opened, marked FROM open_request "
            "WHERE worker = ? AND epoch = ? AND request_id = ?",
            (*self._life, request_id),
        ).fetchone()
        mark_body = self._marks.get(request_id, mark_body)
        opened = _RECORD.decode(body)
        marked = None if mark_body is None else _RECORD.decode(mark_body)
        if not isinstance(opened, Opened) or not isinstance(marked, Marked | None):
            return None
        return _Running(opened, body, marked, mark_body)

    def _drop(self, request_id: str) -> None:
        self._fresh.pop(request_id, None)
        self._marks.pop(request_id, None)
        if request_id in self._kept:
            self._kept.discard(request_id)
            self._gone.append(request_id)

    def _is_known(self, request_id: str) -> bool:
        query = "SELECT 1 FROM request WHERE request_id = ? AND run_id = ?"
        return self._held.execute(query, (request_id, self._terms.run_id)).fetchone() is not None


def _moment(record: Record) -> float:
    return record.end_s if isinstance(record, Metered) else record.at_s


def _without_open(closed: Closed) -> Finding:
    return Finding(
        code="CLOSE_WITHOUT_OPEN",
        path=f"requests/{closed.request_id}",
        value=str(closed.charge_nano_usd),
        unit="nano_usd",
        reason="the journal has the end of a request and not its beginning: nobody is charged",
        remedy="Look for a finding about the segment before; what it held is lost.",
    )

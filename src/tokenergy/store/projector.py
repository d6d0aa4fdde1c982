"""From the workers' journals into the ledger: every record once, whoever dies in between.

Rows and the place up to which a segment was read are written in one transaction. A segment is
removed when all of it is in the ledger and nothing more is written to it. When a worker has died,
which its lock tells, what it had open is settled from its last MARK, and its leases are told what
it really used. Everything may be done twice.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.serving.ports import StoreFault
from tokenergy.metering.served_entries import finding_row, moment_text
from tokenergy.store.idempotency import SqliteIdempotency
from tokenergy.store.lease_file import LeaseFile
from tokenergy.store.projected_batch import Hear
from tokenergy.store.projected_life import Journal, ProjectedLife
from tokenergy.store.segments import is_alive
from tokenergy.store.served_tables import INSERT_ROW, opened_ledger
from tokenergy.store.served_terms import ServedTerms
from tokenergy.units import H_PER_DAY, S_PER_H

KEEP_S: Final = 7.0 * H_PER_DAY * S_PER_H
"""How long requests are kept in full."""
PRUNE_S: Final = S_PER_H
PRUNE_COUNT: Final = 1_000
"""Requests that are looked at together when old ones are let go."""
LEASE_WAIT_S: Final = 1.0
FINDINGS_COUNT: Final = 100
"""Findings remembered for whoever asks; all of them are in the ledger."""


class Projector:
    """Projects one gateway's journals into one ledger; lives in one thread. `close` it.

    Attributes:
        findings: what was wrong with journals, the newest last.
        settled_count: requests settled from their last MARK.
        behind: whether the last step left records that were written before it.
    """

    def __init__(self, folder: Path, ledger: Path, *, hear: Hear | None = None) -> None:
        """Open the ledger.

        Args:
            folder: of the gateway: plan, boards, journals, leases.
            ledger: the SQLite file.
            hear: told every record of a request, some twice where a step fails.

        Raises:
            StoreFault: if the ledger cannot be opened.
        """
        self._folder, self._path = folder, ledger
        self._terms = ServedTerms(folder)
        self._held = opened_ledger(ledger)
        self._journals: dict[int, Journal] = {}
        self._pruned_s = self._latest_s = 0.0
        self.findings: list[Finding] = []
        self.settled_count = 0
        self.behind = False
        self._hear = hear

    def step(self) -> int:
        """Project what is new, and return how many records it was.

        Raises:
            StoreFault: if the ledger, a segment or the leases cannot be used now: call it again.
        """
        self.behind = False
        with self._words_for_faults():
            if texts := self._terms.changed():
                with self._writing():
                    self._terms.keep(self._held, texts)
            done = sum(self._project(worker) for worker in self._workers())
            self._end_lives()
            self._prune()
        return done

    def settle_dead(self, worker: int | None = None) -> int:
        """Read the journals of workers that died to their end, and settle what they had open.

        Args:
            worker: one of them; None: all.

        Returns:
            How many requests were settled from their last MARK.

        Raises:
            StoreFault: as `step` does.
        """
        before = self.settled_count
        with self._words_for_faults():
            for each in self._workers() if worker is None else (worker,):
                while self._project(each):
                    pass
            self._end_lives()
        return self.settled_count - before

    def lag_bytes(self) -> int:
        """Return how much of the segments is not in the ledger yet.

        Raises:
            StoreFault: if the ledger cannot be read.
        """
        with self._words_for_faults():
            rows = self._held.execute("SELECT worker, segment, end_bytes FROM projected")
            done: dict[int, dict[int, int]] = {}
            for worker, segment, end in rows:
                done.setdefault(worker, {})[segment] = end
            return sum(
                self._journal(worker).lag_bytes(done.get(worker, {})) for worker in self._workers()
            )

    def close(self) -> None:
        """Close the ledger."""
        self._held.close()

    def _workers(self) -> tuple[int, ...]:
        try:
            names = [path.name for path in (self._folder / "journal").iterdir()]
        except FileNotFoundError:
            return ()
        return tuple(sorted(int(name) for name in names if name.isdecimal()))

    def _journal(self, worker: int) -> Journal:
        found = self._journals.get(worker)
        if found is None:
            found = Journal(self._folder / "journal" / str(worker))
            self._journals[worker] = found
        return found

    def _project(self, worker: int) -> int:
        """Project what is new of one worker; settle its lives that are over and read to the end.

        The order matters: a life that had segments before its lock was looked at, and does not
        hold the lock, has written its last record; so what is listed after is all of it.
        """
        journal = self._journal(worker)
        before = set(journal.by_epoch())
        living = is_alive(journal.folder)
        dead = before - {living}
        segments = journal.by_epoch()
        if not journal.has_grown() and not self._unsettled(worker, dead):
            return 0
        count = settled = 0
        done: list[int] = []
        ends: dict[int, int] = {}
        stopped: set[int] = set()
        findings: list[Finding] = []
        latest_s = self._latest_s
        with self._writing():
            for finding, at_s in journal.wrong:
                findings.append(finding)
                self._held.execute(INSERT_ROW, finding_row(self._terms.run_id, finding, at_s=at_s))
            for epoch, numbers in segments.items():
                life = ProjectedLife(
                    self._held, self._terms, journal, worker=worker, epoch=epoch, at_s=latest_s,
                    hear=self._hear,
                )  # fmt: skip
                count += life.read(numbers, over=epoch in dead)
                life.keep()
                self.behind = self.behind or life.behind
                settled += life.batch.settled_count
                latest_s = max(latest_s, life.batch.latest_s)
                done += life.done
                ends |= life.ends
                stopped |= life.stopped
                findings += life.findings
        self._latest_s = latest_s
        self.settled_count += settled
        self.findings = [*self.findings, *findings][-FINDINGS_COUNT:]
        journal.read_upto(ends, stopped)
        for number in done:
            journal.remove(number)
        return count

    def _unsettled(self, worker: int, dead: set[int]) -> bool:
        """Tell whether a life is over and what it had open is not settled."""
        query = "SELECT epoch FROM life WHERE worker = ? AND state <> 'lives'"
        known = {row[0] for row in self._held.execute(query, (worker,))}
        return not dead <= known

    def _end_lives(self) -> None:
        """Tell leases and idempotency keys of lives that are settled; then they are over."""
        query = "SELECT worker, epoch FROM life WHERE state = 'settled'"
        for worker, epoch in self._held.execute(query).fetchall():
            rows = self._held.execute(
                "SELECT name, window_s, quantity FROM account_use WHERE worker = ? AND epoch = ?",
                (worker, epoch),
            )
            used = {(name, window_s): quantity for name, window_s, quantity in rows}
            leases = LeaseFile(
                self._folder / "leases.sqlite", worker=worker, epoch=epoch, wait_s=LEASE_WAIT_S
            )
            keys = SqliteIdempotency(
                self._folder / "idempotency.sqlite", worker=worker, epoch=epoch
            )
            try:
                leases.replayed(worker, epoch, used)
                leases.copy_log()
                keys.release_life(worker, epoch)
            finally:
                leases.close()
                keys.close()
            with self._writing():
                for statement in _OVER:
                    self._held.execute(statement, (worker, epoch))

    def _prune(self) -> None:
        """Let go of requests and boards that are older than a week."""
        if self._latest_s - self._pruned_s < PRUNE_S:
            return
        self._pruned_s = self._latest_s
        until_s = self._latest_s - KEEP_S
        rows = self._held.execute("SELECT worker, segment, epoch FROM projected").fetchall()
        gone = [row for row in rows if not self._journal(row[0]).has(row[1])]
        with self._writing():
            self._held.executemany(_FORGET_SEGMENT, gone)
            self._prune_requests(moment_text(until_s))
            for statement in _PRUNE_BOARDS:
                self._held.execute(statement, (until_s,))

    def _prune_requests(self, until: str) -> None:
        """Let go of requests that began before a moment.

        Ids begin with the time: they are looked through in their order until there are no old
        ones any more. One that was held for long before it began is met again later.
        """
        after = ""
        while True:
            last = self._held.execute(_LAST_OF_SOME, (after, PRUNE_COUNT)).fetchone()[0]
            if last is None:
                return
            gone = self._held.execute(_PRUNE_REQUESTS, (after, last, until)).rowcount
            if not gone:
                return
            after = last

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Give a transaction: all of it is kept, or nothing."""
        self._held.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._held.execute("COMMIT")
        finally:
            if self._held.in_transaction:
                self._held.execute("ROLLBACK")

    @contextmanager
    def _words_for_faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._terms.forget()
            raise StoreFault(f"ledger {self._path}: {error}") from error


_OVER: Final = (
    "UPDATE life SET state = 'over' WHERE worker = ? AND epoch = ?",
    "DELETE FROM account_use WHERE worker = ? AND epoch = ?",
)
_LAST_OF_SOME: Final = (
    "SELECT max(request_id) FROM "
    "(SELECT request_id FROM request WHERE request_id > ? ORDER BY request_id LIMIT ?)"
)
_PRUNE_REQUESTS: Final = (
    'DELETE FROM request WHERE request_id > ? AND request_id <= ? AND "start" < ?'
)
_FORGET_SEGMENT: Final = "DELETE FROM projected WHERE worker = ? AND segment = ? AND epoch = ?"
_PRUNE_BOARDS: Final = (
    "DELETE FROM board WHERE board_id IN (SELECT board_id FROM served_board WHERE made_at_s < ?)",
    "DELETE FROM served_board WHERE made_at_s < ?",
)

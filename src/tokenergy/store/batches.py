"""Batches in one SQLite file: made, checked, run line by line, cancelled, expired, finished."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tokenergy.company.serving.batch import (
    Allowance,
    BatchFacts,
    BatchLine,
    Claimed,
    FileFacts,
    LineAnswer,
    LineFault,
)
from tokenergy.store import batch_lines
from tokenergy.store.batch_database import BatchDatabase, told
from tokenergy.store.batch_files import SqliteFiles, as_file
from tokenergy.store.batch_finish import finished
from tokenergy.store.batch_lines import LEASE_S
from tokenergy.store.batch_rows import MADE, as_batch, number_of
from tokenergy.store.videos import SqliteVideos

PACE_KEPT_S: Final = 86_400.0


class SqliteBatches:
    """Keeps the promises of `company.serving.batch.Batches`."""

    def __init__(self, path: Path, files_folder: Path) -> None:
        """Open the database, and make it where it is missing.

        Raises:
            StoreFault: if it cannot be opened.
        """
        self._database = BatchDatabase(path)
        self.files = SqliteFiles(self._database, files_folder)
        self.videos = SqliteVideos(self._database)

    @told
    def add(self, facts: BatchFacts) -> None:
        """Keep a new batch, in state `validating`."""
        made = msgspec.json.encode({name: getattr(facts, name) for name in MADE})
        with self._database.writing() as file:
            file.execute(
                "INSERT INTO batch (batch_id, tenant, made, input_file_id, status, created_s,"
                " expires_s) VALUES (?, ?, ?, ?, 'validating', ?, ?)",
                (
                    facts.batch_id, facts.tenant, made, facts.input_file_id, facts.created_s,
                    facts.expires_s,
                ),
            )  # fmt: skip

    @told
    def find(self, tenant: str, batch_id: str) -> BatchFacts | None:
        """Return a batch of a tenant as it stands, or None."""
        with self._database.reading() as file:
            row = file.execute(
                "SELECT * FROM batch WHERE batch_id = ? AND tenant = ?", (batch_id, tenant)
            ).fetchone()
        return None if row is None else as_batch(row)

    @told
    def listed(self, tenant: str, *, after: str | None, limit_count: int) -> tuple[BatchFacts, ...]:
        """Return batches, the newest first, from behind `after` on."""
        query, values = "SELECT * FROM batch WHERE tenant = ?", [tenant]
        if after is not None:
            query += " AND number < (SELECT number FROM batch WHERE batch_id = ?)"
            values.append(after)
        with self._database.reading() as file:
            rows = file.execute(
                f"{query} ORDER BY number DESC LIMIT ?", (*values, limit_count)
            ).fetchall()
        return tuple(as_batch(row) for row in rows)

    @told
    def cancel(self, tenant: str, batch_id: str, *, now_s: float) -> BatchFacts | None:
        """Cancel what has not begun of a batch and return it; one that has ended stays as it is."""
        with self._database.writing() as file:
            number = number_of(file, batch_id, tenant=tenant)
            if number is None:
                return None
            file.execute(
                "UPDATE batch SET status = 'cancelling', cancelling_s = ?, ending = 'cancelled'"
                " WHERE number = ? AND status IN ('validating', 'in_progress')",
                (int(now_s), number),
            )
            _end_queued(file, number)
        return self.find(tenant, batch_id)

    @told
    def input_of(self, batch: BatchFacts) -> FileFacts | None:
        """Return the file of a batch, also one that its tenant has deleted since."""
        with self._database.reading() as file:
            row = file.execute(
                "SELECT * FROM file WHERE file_id = ? AND tenant = ?",
                (batch.input_file_id, batch.tenant),
            ).fetchone()
        return None if row is None else as_file(row)

    @told
    def take_unchecked(self, owner: str, *, now_s: float) -> BatchFacts | None:
        """Take a batch whose file is to be checked, by lease."""
        return self._taken(owner, "status = 'validating'", now_s=now_s)

    def _taken(self, owner: str, where: str, *, now_s: float) -> BatchFacts | None:
        """Take the lease of the first batch for which that is so, and that nobody holds."""
        with self._database.reading() as file:
            if _first(file, where, now_s) is None:
                return None
        with self._database.writing() as file:
            row = _first(file, where, now_s)
            if row is None:
                return None
            file.execute(
                "UPDATE batch SET owner = ?, epoch = epoch + 1, lease_s = ? WHERE number = ?",
                (owner, now_s + LEASE_S, row["number"]),
            )
            row = file.execute("SELECT * FROM batch WHERE number = ?", (row["number"],)).fetchone()
        return as_batch(row)

    @told
    def check_passed(
        self, batch: BatchFacts, lines: Sequence[BatchLine], *, model: str, now_s: float
    ) -> bool:
        """Put the lines in the queue; False: somebody else holds the batch, or it was cancelled."""
        with self._database.writing() as file:
            number = number_of(file, batch.batch_id, epoch=batch.epoch, status="validating")
            if number is None:
                return False
            file.executemany(
                "INSERT INTO line (batch, number, custom_id, offset_bytes, length_bytes, workload,"
                f" output_tokens) VALUES ({number}, ?, ?, ?, ?, ?, ?)",
                lines,
            )
            workloads = msgspec.json.encode(sorted({line.workload for line in lines}))
            file.execute(
                "UPDATE batch SET status = 'in_progress', in_progress_s = ?, total_count = ?,"
                " model = ?, workloads = ?, owner = '', lease_s = 0 WHERE number = ?",
                (int(now_s), len(lines), model, workloads, number),
            )
        return True

    @told
    def check_failed(
        self, batch: BatchFacts, faults: Sequence[LineFault], *, total_count: int, now_s: float
    ) -> bool:
        """Let the batch fail with everything that is wrong with its file; False as above."""
        with self._database.writing() as file:
            number = number_of(file, batch.batch_id, epoch=batch.epoch, status="validating")
            if number is None:
                return False
            file.execute(
                "UPDATE batch SET status = 'failed', failed_s = ?, total_count = ?, faults = ?,"
                " ending = 'failed', owner = '', lease_s = 0 WHERE number = ?",
                (int(now_s), total_count, msgspec.json.encode(faults), number),
            )
        return True

    @told
    def waiting_workloads(self, *, now_s: float) -> tuple[str, ...]:
        """Return the workloads of which lines could run now."""
        with self._database.reading() as file:
            rows = file.execute(
                "SELECT workloads FROM batch WHERE status = 'in_progress' AND ending = ''"
                " AND pause_s <= ? AND (EXISTS (SELECT 1 FROM line WHERE batch = batch.number"
                " AND state = 'queued') OR EXISTS (SELECT 1 FROM line WHERE batch = batch.number"
                " AND state = 'running' AND line.lease_s <= ?))",
                (now_s, now_s),
            ).fetchall()
        return tuple(sorted({name for row in rows for name in msgspec.json.decode(row[0])}))

    @told
    def claim(
        self,
        owner: str,
        *,
        limit_count: int,
        now_s: float,
        allowances: Mapping[str, Allowance | None],
        rush_share: float,
    ) -> tuple[tuple[BatchFacts, Claimed], ...]:
        """Take lines of those workloads, of the batches with the fewest running ones first."""
        with self._database.writing() as file:
            found = batch_lines.claimed_lines(
                file, owner, limit_count=limit_count, now_s=now_s, allowances=allowances,
                rush_share=rush_share,
            )  # fmt: skip
            batches = {
                one.batch_id: as_batch(
                    file.execute(
                        "SELECT * FROM batch WHERE batch_id = ?", (one.batch_id,)
                    ).fetchone()
                )
                for one in found
            }
        return tuple((batches[one.batch_id], one) for one in found)

    @told
    def renew(self, owner: str, *, now_s: float) -> int:
        """Prolong all leases of an owner and return how many lines it holds."""
        with self._database.writing() as file:
            file.execute("UPDATE batch SET lease_s = ? WHERE owner = ?", (now_s + LEASE_S, owner))
            return file.execute(
                "UPDATE line SET lease_s = ? WHERE state = 'running' AND owner = ?",
                (now_s + LEASE_S, owner),
            ).rowcount

    @told
    def answer(self, claimed: Claimed, answer: LineAnswer) -> bool:
        """Keep what a line came to; False: the line is not the holder's any more."""
        with self._database.writing() as file:
            return batch_lines.answered(file, claimed, answer)

    @told
    def put_back(
        self, claimed: Claimed, *, not_before_s: float, faulty: bool, pause_s: float | None
    ) -> bool:
        """Give a line back to be tried again later."""
        with self._database.writing() as file:
            if pause_s is not None:
                file.execute(
                    "UPDATE batch SET pause_s = max(pause_s, ?) WHERE batch_id = ?",
                    (pause_s, claimed.batch_id),
                )
            return batch_lines.returned(file, claimed, not_before_s=not_before_s, faulty=faulty)

    @told
    def free(self, owner: str) -> int:
        """Free what a worker held that runs no more, and return how many lines that were."""
        with self._database.writing() as file:
            file.execute("UPDATE batch SET owner = '', lease_s = 0 WHERE owner = ?", (owner,))
            return batch_lines.free_owned(file, owner)

    @told
    def expire(self, *, now_s: float) -> int:
        """End the batches whose window is over, once what runs has ended; return how many."""
        over = "status IN ('validating', 'in_progress') AND expires_s <= ?"
        with self._database.reading() as file:
            if file.execute(f"SELECT 1 FROM batch WHERE {over}", (now_s,)).fetchone() is None:
                return 0
        with self._database.writing() as file:
            rows = file.execute(f"SELECT number FROM batch WHERE {over}", (now_s,)).fetchall()
            for row in rows:
                file.execute(
                    "UPDATE batch SET status = 'finalizing', finalizing_s = ?, ending = 'expired'"
                    " WHERE number = ?",
                    (int(now_s), row["number"]),
                )
                _end_queued(file, row["number"])
        return len(rows)

    @told
    def take_finished(self, owner: str, *, now_s: float) -> BatchFacts | None:
        """Take a batch of which nothing is left to run, by lease."""
        idle = (
            "status IN ('in_progress', 'finalizing', 'cancelling') AND NOT EXISTS (SELECT 1 FROM"
            " line WHERE batch = batch.number AND state = 'running' AND lease_s > :now_s)"
            " AND (ending <> '' OR NOT EXISTS (SELECT 1 FROM line WHERE batch = batch.number"
            " AND state = 'queued') AND NOT EXISTS (SELECT 1 FROM line"
            " WHERE batch = batch.number AND state = 'running'))"
        )
        batch = self._taken(owner, idle, now_s=now_s)
        if batch is None:
            return None
        with self._database.writing() as file:
            batch_lines.free_lost(file, now_s=now_s)
            file.execute("DELETE FROM pace WHERE start_s < ?", (now_s - PACE_KEPT_S,))
            file.execute(
                "UPDATE batch SET status = 'finalizing', finalizing_s = ?, ending = 'completed'"
                " WHERE batch_id = ? AND epoch = ? AND status = 'in_progress'",
                (int(now_s), batch.batch_id, batch.epoch),
            )
        return self.find(batch.tenant, batch.batch_id)

    @told
    def finish(self, batch: BatchFacts, *, now_s: float) -> bool:
        """Write its output and error files, and end it; False: somebody else holds it."""
        return finished(self._database, self.files, batch, now_s=now_s)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def _first(file: sqlite3.Connection, where: str, now_s: float) -> sqlite3.Row | None:
    found: sqlite3.Row | None = file.execute(
        f"SELECT number FROM batch WHERE {where} AND lease_s <= :now_s ORDER BY number LIMIT 1",
        {"now_s": now_s},
    ).fetchone()
    return found


def _end_queued(file: sqlite3.Connection, number: int) -> None:
    """Let the lines of a batch that ends early end as it does, but those that run."""
    file.execute(
        "UPDATE line SET state = (SELECT ending FROM batch WHERE number = line.batch)"
        " WHERE batch = ? AND state = 'queued'"
        " AND (SELECT ending FROM batch WHERE number = line.batch) <> ''",
        (number,),
    )

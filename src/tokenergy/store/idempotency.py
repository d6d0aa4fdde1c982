"""Outcomes by idempotency key: one request for each key of a tenant, whichever worker has it.

The file has the answers of requests that came with a key, for as long as keys are kept: whoever
asks again is given the same answer. Keys themselves are kept as hashes.
"""

import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Final

from tokenergy.company.serving.ports import Claim, Remembered
from tokenergy.store.shared_file import SharedFile

VERSION: Final = 1
KEEP_S: Final = 86_400.0
WAIT_S: Final = 0.05
PRUNE_EVERY_COUNT: Final = 256
"""Claims between two looks for keys that are too old."""
PRUNED_COUNT: Final = 500
"""Keys let go of at once."""
CHECKPOINT_PAGES_COUNT: Final = 1_000
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS claim (tenant TEXT, key BLOB, digest TEXT NOT NULL, "
    "at_s REAL NOT NULL, worker INTEGER NOT NULL, epoch INTEGER NOT NULL, status INTEGER, "
    "content_type TEXT, body BLOB, request_id TEXT, PRIMARY KEY (tenant, key))",
    "CREATE INDEX IF NOT EXISTS claim_at ON claim (at_s)",
    "CREATE INDEX IF NOT EXISTS claim_life ON claim (worker, epoch) WHERE status IS NULL",
)


class SqliteIdempotency:
    """Keeps the promise of `Idempotency`; lives in one thread. `close` it."""

    def __init__(
        self,
        path: Path,
        *,
        worker: int,
        epoch: int,
        keep_s: float = KEEP_S,
        wait_s: float = WAIT_S,
    ) -> None:
        """Keep where it is: it is opened, and made, when it is first asked.

        Args:
            path: the SQLite file that all workers share.
            worker, epoch: who claims; when this life is over its claims without an outcome are
                free again.
            keep_s: how long an outcome is kept.
            wait_s: how long to wait for another worker's transaction.
        """
        self._worker, self._epoch, self._keep_s = worker, epoch, keep_s
        self._file = SharedFile(
            path, _TABLES, version=VERSION, wait_s=wait_s,
            checkpoint_pages_count=CHECKPOINT_PAGES_COUNT,
        )  # fmt: skip
        self._claims_count = 0

    def claim(self, tenant: str, key: str, *, digest: str, now_s: float) -> Claim:
        """Claim a key for this request.

        Args:
            tenant: whose key.
            key: as the client wrote it.
            digest: of the request's body and endpoint.
            now_s: company time.

        Returns:
            Whether it is this request's; if not, whether the first one was the same, and its
            outcome if it has ended.

        Raises:
            StoreFault: if the file cannot be asked.
        """
        mark = _mark(key)
        with self._file.writing() as held:
            self._prune(held, now_s)
            row = held.execute(
                "SELECT digest, at_s, status, content_type, body, request_id FROM claim "
                "WHERE tenant = ? AND key = ?",
                (tenant, mark),
            ).fetchone()
            if row is None or now_s - row[1] >= self._keep_s:
                held.execute(
                    "INSERT OR REPLACE INTO claim (tenant, key, digest, at_s, worker, epoch) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (tenant, mark, digest, now_s, self._worker, self._epoch),
                )
                return Claim(mine=True, same=True, outcome=None)
        told, _, status, content_type, body, request_id = row
        outcome = None
        if status is not None:
            outcome = Remembered(status, content_type, body, request_id)
        return Claim(mine=False, same=told == digest, outcome=outcome)

    def keep(self, tenant: str, key: str, outcome: Remembered) -> None:
        """Keep the outcome for whoever asks with the key again.

        Raises:
            StoreFault: if the file cannot be written.
        """
        with self._file.writing() as held:
            held.execute(
                "UPDATE claim SET status = ?, content_type = ?, body = ?, request_id = ? "
                "WHERE tenant = ? AND key = ? AND worker = ? AND epoch = ?",
                (*outcome, tenant, _mark(key), self._worker, self._epoch),
            )

    def release(self, tenant: str, key: str) -> None:
        """Give the key back: nothing came of the request, and it may be tried again.

        Raises:
            StoreFault: if the file cannot be written.
        """
        with self._file.writing() as held:
            held.execute(
                "DELETE FROM claim WHERE tenant = ? AND key = ? AND worker = ? AND epoch = ? "
                "AND status IS NULL",
                (tenant, _mark(key), self._worker, self._epoch),
            )

    def release_life(self, worker: int, epoch: int) -> int:
        """Give back every key whose request ended with its worker; return how many.

        Raises:
            StoreFault: if the file cannot be written.
        """
        with self._file.writing() as held:
            return held.execute(
                "DELETE FROM claim WHERE worker = ? AND epoch = ? AND status IS NULL",
                (worker, epoch),
            ).rowcount

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _prune(self, held: sqlite3.Connection, now_s: float) -> None:
        self._claims_count += 1
        if self._claims_count % PRUNE_EVERY_COUNT == 1:
            held.execute(
                "DELETE FROM claim WHERE rowid IN "
                "(SELECT rowid FROM claim WHERE at_s <= ? ORDER BY at_s LIMIT ?)",
                (now_s - self._keep_s, PRUNED_COUNT),
            )


def _mark(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()

"""A small database of the gateway's own that several processes write in short transactions."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tokenergy.company.serving.ports import StoreFault

PAUSE_S: Final = 0.000_1
OPEN_WAIT_S: Final = 1.0
"""How long whoever opens a file waits for another one who makes it."""


class SharedFile:
    """One connection to such a file, for one thread; it is opened, and made, when first asked."""

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        *,
        version: int,
        wait_s: float,
        checkpoint_pages_count: int,
    ) -> None:
        """Open nothing yet.

        Args:
            path: the SQLite file, which nobody but its owner may read.
            tables: statements that make an empty one.
            version: of the tables; a file of another one is refused.
            wait_s: how long to wait for another process's transaction.
            checkpoint_pages_count: pages of the log after which it is copied into the file.
        """
        self._path, self._tables, self._version = path, tables, version
        self._wait_s, self._checkpoint_pages_count = wait_s, checkpoint_pages_count
        self._held: sqlite3.Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction that is begun; all of it is kept, or nothing.

        Raises:
            StoreFault: if it cannot be begun in time, or kept.
        """
        with self.reading() as held:
            self._begin(held)
            try:
                yield held
                held.execute("COMMIT")
            finally:
                if held.in_transaction:
                    held.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the open file.

        Raises:
            StoreFault: if it cannot be opened, or asked.
        """
        try:
            if self._held is None:
                self._held = self._opened()
            yield self._held
        except (OSError, sqlite3.Error) as error:
            raise StoreFault(f"{self._path.name} cannot be asked: {error}") from error

    def close(self) -> None:
        """Close the file."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def _begin(self, held: sqlite3.Connection) -> None:
        """Begin; SQLite's own wait sleeps for milliseconds, this one for fractions of one."""
        until_s = time.monotonic() + self._wait_s
        while True:
            try:
                held.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() >= until_s:
                    raise
                time.sleep(PAUSE_S)
            else:
                return

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        held = sqlite3.connect(
            self._path, timeout=OPEN_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            held.execute("PRAGMA journal_mode = WAL")
            held.execute("PRAGMA synchronous = NORMAL")
            held.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages_count}")
            said = held.execute("PRAGMA user_version").fetchone()[0]
            if said not in (0, self._version):
                raise StoreFault(
                    f"{self._path.name} is of version {said}, this release reads {self._version}"
                )
            if said == 0:
                held.execute("BEGIN IMMEDIATE")
                for statement in self._tables:
                    held.execute(statement)
                held.execute(f"PRAGMA user_version = {self._version}")
                held.execute("COMMIT")
            held.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            held.close()
            raise
        return held

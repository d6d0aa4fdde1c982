"""The database of files, batches and video jobs: its schema, a connection, its faults in words."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from tokenergy.company.serving.ports import StoreFault

VERSION: Final = 1
WAIT_S: Final = 10.0
"""How long a writer waits for another worker's."""
TRIES_COUNT: Final = 100
SCHEMA: Final = (
    """CREATE TABLE file (
        number INTEGER PRIMARY KEY AUTOINCREMENT, file_id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL, purpose TEXT NOT NULL, name TEXT NOT NULL,
        bytes_count INTEGER NOT NULL, created_s INTEGER NOT NULL, expires_s INTEGER,
        gone INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX file_tenant ON file (tenant, number)",
    """CREATE TABLE batch (
        number INTEGER PRIMARY KEY AUTOINCREMENT, batch_id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL, made BLOB NOT NULL, input_file_id TEXT NOT NULL,
        status TEXT NOT NULL, ending TEXT NOT NULL DEFAULT '',
        created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, in_progress_s INTEGER,
        finalizing_s INTEGER, completed_s INTEGER, failed_s INTEGER, expired_s INTEGER,
        cancelling_s INTEGER, cancelled_s INTEGER,
        total_count INTEGER NOT NULL DEFAULT 0, completed_count INTEGER NOT NULL DEFAULT 0,
        failed_count INTEGER NOT NULL DEFAULT 0, model TEXT NOT NULL DEFAULT '',
        faults BLOB NOT NULL DEFAULT '[]', workloads BLOB NOT NULL DEFAULT '[]',
        input_tokens INTEGER NOT NULL DEFAULT 0, cached_tokens INTEGER NOT NULL DEFAULT 0,
        output_tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0,
        output_file_id TEXT, error_file_id TEXT,
        owner TEXT NOT NULL DEFAULT '', epoch INTEGER NOT NULL DEFAULT 0,
        lease_s REAL NOT NULL DEFAULT 0, pause_s REAL NOT NULL DEFAULT 0)""",
    "CREATE INDEX batch_tenant ON batch (tenant, number)",
    """CREATE INDEX batch_alive ON batch (status)
        WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling')""",
    """CREATE TABLE line (
        batch INTEGER NOT NULL, number INTEGER NOT NULL, custom_id TEXT NOT NULL,
        offset_bytes INTEGER NOT NULL, length_bytes INTEGER NOT NULL,
        workload TEXT NOT NULL, output_tokens INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued', owner TEXT NOT NULL DEFAULT '',
        epoch INTEGER NOT NULL DEFAULT 0, lease_s REAL NOT NULL DEFAULT 0,
        not_before_s REAL NOT NULL DEFAULT 0, faults_count INTEGER NOT NULL DEFAULT 0,
        pace_s REAL, answer BLOB, PRIMARY KEY (batch, number)) WITHOUT ROWID""",
    "CREATE INDEX line_queued ON line (batch, workload, number) WHERE state = 'queued'",
    "CREATE INDEX line_running ON line (batch) WHERE state = 'running'",
    """CREATE TABLE pace (
        workload TEXT NOT NULL, start_s REAL NOT NULL, tokens REAL NOT NULL,
        PRIMARY KEY (workload, start_s)) WITHOUT ROWID""",
    """CREATE TABLE video (
        number INTEGER PRIMARY KEY AUTOINCREMENT, video_id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL, owner TEXT NOT NULL, status TEXT NOT NULL, expires_s REAL,
        body BLOB NOT NULL)""",
    "CREATE INDEX video_tenant ON video (tenant, number)",
    f"PRAGMA user_version = {VERSION}",
)
_Self = TypeVar("_Self")
_Args = ParamSpec("_Args")
_Told = TypeVar("_Told")


class BatchDatabase:
    """One SQLite file that several workers write; threads of one take turns."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it where it is missing.

        Raises:
            StoreFault: if it cannot be opened, or is of another version.
        """
        self._lock = threading.RLock()
        try:
            self.file = sqlite3.connect(
                path, timeout=WAIT_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as fault:
            raise StoreFault(f"batches: {fault}") from fault
        self.file.row_factory = sqlite3.Row
        try:
            self._write_ahead()
            self.file.execute("PRAGMA synchronous = NORMAL")
            with self.writing():
                self._prepare()
        except (sqlite3.Error, StoreFault) as fault:
            self.file.close()
            raise StoreFault(f"batches: {fault}") from fault

    def _write_ahead(self) -> None:
        """Turn the write-ahead log on; SQLite does not wait for others by itself who do so too."""
        for left_count in range(TRIES_COUNT, -1, -1):
            try:
                self.file.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if not left_count:
                    raise
                time.sleep(WAIT_S / TRIES_COUNT)

    def _prepare(self) -> None:
        version = self.file.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in SCHEMA:
                self.file.execute(statement)
        elif version != VERSION:
            raise StoreFault(f"the database is of version {version}, not {VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of what is written within, and nobody else in between."""
        with self._lock:
            self.file.execute("BEGIN IMMEDIATE")
            try:
                yield self.file
                self.file.execute("COMMIT")
            finally:
                if self.file.in_transaction:
                    self.file.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """What is read within is of one moment."""
        with self._lock:
            self.file.execute("BEGIN")
            try:
                yield self.file
            finally:
                self.file.execute("ROLLBACK")

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self.file.close()


def told(
    method: Callable[Concatenate[_Self, _Args], _Told],
) -> Callable[Concatenate[_Self, _Args], _Told]:
    """Let a method tell the faults of database and disk as what they are to its caller."""

    @wraps(method)
    def call(self: _Self, /, *args: _Args.args, **named: _Args.kwargs) -> _Told:
        try:
            return method(self, *args, **named)
        except (sqlite3.Error, OSError) as fault:
            words = fault.strerror if isinstance(fault, OSError) else str(fault)
            raise StoreFault(f"batches: {words}") from fault

    return call

"""Tenants' files: their facts in the database, their bytes beside it, a folder for each tenant."""

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from tokenergy.company.serving.batch import FileFacts
from tokenergy.store.batch_database import BatchDatabase, told

CHUNK_BYTES: Final = 1_048_576
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
STRAY_S: Final = 86_400.0
OUTPUT: Final = "batch_output"
"""Purpose of the files that batches write."""


class SqliteFiles:
    """Files of all tenants under one folder."""

    def __init__(self, database: BatchDatabase, folder: Path) -> None:
        """Take where their facts and their bytes are kept."""
        self._database, self._folder = database, folder

    @told
    def upload(self, tenant: str) -> "FileUpload":
        """Begin a file."""
        return FileUpload(self._database, self.folder_of(tenant))

    @told
    def find(self, tenant: str, file_id: str, *, now_s: float) -> FileFacts | None:
        """Return a file of a tenant; None: there is none, or none any more."""
        with self._database.reading() as file:
            row = file.execute(
                "SELECT * FROM file WHERE file_id = ? AND tenant = ? AND NOT gone"
                " AND (expires_s IS NULL OR expires_s > ?)",
                (file_id, tenant, now_s),
            ).fetchone()
        return None if row is None else as_file(row)

    @told
    def listed(
        self,
        tenant: str,
        *,
        now_s: float,
        purpose: str | None,
        after: str | None,
        limit_count: int,
        newest_first: bool,
    ) -> tuple[FileFacts, ...]:
        """Return files in the order of their making, from behind `after` on."""
        order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
        query = (
            "SELECT * FROM file WHERE tenant = ? AND NOT gone"
            " AND (expires_s IS NULL OR expires_s > ?)"
        )
        values: list[str | int | float] = [tenant, now_s]
        if purpose is not None:
            query += " AND purpose = ?"
            values.append(purpose)
        if after is not None:
            query += f" AND number {beyond} (SELECT number FROM file WHERE file_id = ?)"
            values.append(after)
        with self._database.reading() as file:
            rows = file.execute(
                f"{query} ORDER BY number {order} LIMIT ?", (*values, limit_count)
            ).fetchall()
        return tuple(as_file(row) for row in rows)

    def path(self, facts: FileFacts) -> str:
        """Return where its bytes are."""
        return str(self._folder / folder_name(facts.tenant) / facts.file_id)

    @told
    def read(self, facts: FileFacts, *, offset_bytes: int, length_bytes: int) -> bytes:
        """Return some of its bytes."""
        with open(self.path(facts), "rb") as file:
            file.seek(offset_bytes)
            return file.read(length_bytes)

    def lines(self, facts: FileFacts, *, most_bytes: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield offset, length and text of each line; of one that is too long only its begin.

        Raises:
            OSError: if the file is gone or cannot be read.
        """
        with open(self.path(facts), "rb") as file:
            offset = 0
            while text := file.readline(most_bytes + 1):
                length = len(text)
                whole = text
                while not whole.endswith(b"\n") and (whole := file.readline(CHUNK_BYTES)):
                    length += len(whole)
                yield offset, length, text
                offset += length

    @told
    def drop(self, tenant: str, file_id: str) -> bool:
        """Delete a file and tell whether there was one; a batch under way reads it to its end."""
        with self._database.writing() as file:
            found = file.execute(
                "UPDATE file SET gone = 1 WHERE file_id = ? AND tenant = ? AND NOT gone",
                (file_id, tenant),
            ).rowcount
        self._unlink_unused()
        return found > 0

    @told
    def stored_bytes(self, tenant: str) -> int:
        """Return how much a tenant keeps."""
        with self._database.reading() as file:
            row = file.execute(
                "SELECT coalesce(sum(bytes_count), 0) FROM file WHERE tenant = ?", (tenant,)
            ).fetchone()
        return int(row[0])

    @told
    def sweep(self, *, now_s: float) -> int:
        """Delete what has expired and return how many files that were."""
        with self._database.writing() as file:
            count = file.execute(
                "UPDATE file SET gone = 1 WHERE NOT gone AND expires_s <= ?", (now_s,)
            ).rowcount
        self._unlink_unused()
        self._unlink_strays()
        return count

    def folder_of(self, tenant: str) -> Path:
        """Return a tenant's folder, made where it is missing."""
        folder = self._folder / folder_name(tenant)
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        return folder

    def _unlink_unused(self) -> None:
        """Delete the bytes of deleted files that no batch under way reads."""
        with self._database.writing() as file:
            rows = file.execute(
                "SELECT * FROM file WHERE gone AND file_id NOT IN (SELECT input_file_id FROM batch"
                " WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling'))"
            ).fetchall()
            for row in rows:
                Path(self.path(as_file(row))).unlink(missing_ok=True)
                file.execute("DELETE FROM file WHERE number = ?", (row["number"],))

    def _unlink_strays(self) -> None:
        """Delete old bytes that no row tells of: an upload or a batch was stopped within."""
        oldest_s = time.time() - STRAY_S
        with self._database.reading() as file:
            known = {row["file_id"] for row in file.execute("SELECT file_id FROM file")}
        for path in self._folder.glob("*/*"):
            if path.name not in known and path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)


class FileUpload:
    """A file that is on its way in; nothing is seen of it before `keep`."""

    def __init__(self, database: BatchDatabase, folder: Path) -> None:
        """Open a file of its own in the tenant's folder."""
        self._database = database
        self._path = folder / f".upload-{secrets.token_hex(12)}"
        self._bytes_count = 0
        self._kept = False
        self._out = os.fdopen(
            os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb"
        )

    @told
    def write(self, chunk: bytes) -> None:
        """Take more of it."""
        self._out.write(chunk)
        self._bytes_count += len(chunk)

    @told
    def keep(self, facts: FileFacts) -> FileFacts:
        """Keep it under these facts, with its true length."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        kept = msgspec.structs.replace(facts, bytes_count=self._bytes_count)
        with self._database.writing() as file:
            insert_file(file, kept)
            self._path.rename(self._path.with_name(facts.file_id))
        self._kept = True
        return kept

    def drop(self) -> None:
        """Forget it; after `keep` nothing happens."""
        if not self._kept:
            try:
                self._out.close()
            finally:  # what a full disk does not take is dropped with the file
                self._path.unlink(missing_ok=True)


def folder_name(tenant: str) -> str:
    """Return the name of a tenant's folder: no name leads out of the folder of all."""
    return quote(tenant, safe="").replace(".", "%2E")


def insert_file(file: sqlite3.Connection, facts: FileFacts) -> None:
    """Write the facts of a file whose bytes are there, or are about to be."""
    file.execute(
        "INSERT OR IGNORE INTO file (file_id, tenant, purpose, name, bytes_count, created_s,"
        " expires_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            facts.file_id, facts.tenant, facts.purpose, facts.name, facts.bytes_count,
            facts.created_s, facts.expires_s,
        ),
    )  # fmt: skip


def as_file(row: sqlite3.Row) -> FileFacts:
    """Return a row of the table of files."""
    return FileFacts(
        file_id=row["file_id"],
        tenant=row["tenant"],
        purpose=row["purpose"],
        name=row["name"],
        bytes_count=row["bytes_count"],
        created_s=row["created_s"],
        expires_s=row["expires_s"],
    )

"""The end of a batch: its output and error files are written, and come with its last state."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from tokenergy.company.serving.batch import BatchFacts, FileFacts
from tokenergy.store.batch_database import BatchDatabase
from tokenergy.store.batch_files import FILE_MODE, OUTPUT, SqliteFiles, insert_file
from tokenergy.store.batch_rows import number_of

UNRUN: Final = {
    "expired": ("batch_expired", "the line was not run before the batch's window ended"),
    "cancelled": ("batch_cancelled", "the batch was cancelled before the line was run"),
}
"""What the error file says of lines that never ran, by their state."""
PAGE_COUNT: Final = 200
"""Answers in memory at once while a file is written."""


def finished(
    database: BatchDatabase, files: SqliteFiles, batch: BatchFacts, *, now_s: float
) -> bool:
    """Write its output and error files, and end it; False: somebody else holds it."""
    with database.reading() as file:
        number = number_of(file, batch.batch_id, epoch=batch.epoch)
    if number is None:
        return False
    output = _written(
        files, batch, _answers(database, number, good=True), now_s=now_s, kind="output"
    )
    errors = _written(
        files, batch, _answers(database, number, good=False), now_s=now_s, kind="error"
    )
    with database.writing() as file:
        row = file.execute(
            "SELECT ending FROM batch WHERE number = ? AND epoch = ? AND status IN"
            " ('finalizing', 'cancelling')",
            (number, batch.epoch),
        ).fetchone()
        if row is None:
            return False
        for facts in (output, errors):
            if facts is not None:
                insert_file(file, facts)
        ending = row["ending"]
        file.execute(
            f"UPDATE batch SET status = ending, {ending}_s = ?, output_file_id = ?,"
            " error_file_id = ?, owner = '', lease_s = 0 WHERE number = ?",
            (
                int(now_s), None if output is None else output.file_id,
                None if errors is None else errors.file_id, number,
            ),
        )  # fmt: skip
        file.execute("DELETE FROM line WHERE batch = ?", (number,))
    return True


def _answers(database: BatchDatabase, number: int, *, good: bool) -> Iterator[bytes]:
    """Yield the lines of an output or error file, in the order of the input."""
    last, which = 0, "state = 'done'" if good else "state <> 'done'"
    while True:
        with database.reading() as file:
            rows = file.execute(
                f"SELECT * FROM line WHERE batch = ? AND number > ? AND {which}"
                " ORDER BY number LIMIT ?",
                (number, last, PAGE_COUNT),
            ).fetchall()
        yield from map(_as_text, rows)
        if len(rows) < PAGE_COUNT:
            return
        last = rows[-1]["number"]


def _written(
    files: SqliteFiles, batch: BatchFacts, texts: Iterator[bytes], *, now_s: float, kind: str
) -> FileFacts | None:
    """Write one file of a batch and return its facts; None: it would be empty."""
    first = next(texts, None)
    if first is None:
        return None
    file_id = f"file-{secrets.token_hex(12)}"
    place = files.folder_of(batch.tenant) / file_id
    unready = place.with_name(f".upload-{file_id}")
    bytes_count = 0
    with os.fdopen(os.open(unready, os.O_WRONLY | os.O_CREAT, FILE_MODE), "wb") as out:
        for text in chain((first,), texts):
            bytes_count += out.write(text)
        out.flush()
        os.fsync(out.fileno())
    unready.rename(place)
    expires_s = None
    if batch.output_expires_s is not None:
        expires_s = int(now_s) + batch.output_expires_s
    return FileFacts(
        file_id=file_id, tenant=batch.tenant, purpose=OUTPUT,
        name=f"{batch.batch_id}_{kind}.jsonl", bytes_count=bytes_count,
        created_s=int(now_s), expires_s=expires_s,
    )  # fmt: skip


def _as_text(row: sqlite3.Row) -> bytes:
    """Return a line of an output or error file."""
    if row["state"] not in UNRUN:
        return bytes(row["answer"]) + b"\n"
    code, message = UNRUN[row["state"]]
    told = {
        "id": f"batch_req_{secrets.token_hex(12)}",
        "custom_id": row["custom_id"],
        "response": None,
        "error": {"code": code, "message": message},
    }
    return msgspec.json.encode(told) + b"\n"

"""One request as the ledger keeps it for a week: its records, for whoever asks why."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tokenergy.company.serving.record import Closed, Opened, Refused
from tokenergy.errors import InputError


class KeptRequest(NamedTuple):
    """What the journal said about a request.

    Attributes:
        opened: its last OPEN; None where it was refused.
        ended: how it ended.
    """

    opened: Opened | None
    ended: Closed | Refused


class KeptRows(NamedTuple):
    """What a ledger has of a request.

    Attributes:
        kept: its records.
        board: the board that it was decided by, as the control process wrote it; None: it is not
            kept.
    """

    kept: KeptRequest
    board: str | None


_WRITER: Final = msgspec.msgpack.Encoder()
_READER: Final = msgspec.msgpack.Decoder(tuple[Opened | None, Closed | Refused])


def kept_body(opened: bytes | None, ended: bytes) -> bytes:
    """Return the records of a request, each as it was written, as one text."""
    first = None if opened is None else msgspec.Raw(opened)
    return _WRITER.encode((first, msgspec.Raw(ended)))


def kept_request(body: bytes) -> KeptRequest:
    """Return the records again.

    Raises:
        msgspec.DecodeError: if they are of another release.
    """
    return KeptRequest(*_READER.decode(body))


def kept_rows(ledger: Path, request_id: str) -> KeptRows | None:
    """Return what a ledger has of a request, or None.

    Raises:
        InputError: if the file cannot be read, or the request was kept by another release.
    """
    query = "SELECT name FROM sqlite_schema WHERE name = 'request'"
    address = f"{ledger.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=5.0)) as held:
            if held.execute(query).fetchone() is None:
                return None
            found = "SELECT body FROM request WHERE request_id = ? LIMIT 1"
            row = held.execute(found, (request_id,)).fetchone()
            if row is None:
                return None
            kept = kept_request(row[0])
            begun = kept.ended if kept.opened is None else kept.opened
            board_id = "" if isinstance(begun, Closed) else begun.board_id
            board = held.execute(
                "SELECT body FROM board WHERE board_id = ?", (board_id,)
            ).fetchone()
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise InputError(f"ledger {ledger} cannot be read: {error}") from error
    return KeptRows(kept, None if board is None else board[0])

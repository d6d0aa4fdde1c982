"""Records of requests that a ledger has already, for whoever begins to listen later."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Record
from tokenergy.store.kept_request import kept_request

WAIT_S: Final = 5.0
MS_PER_S: Final = 1_000
_RECORD: Final = msgspec.msgpack.Decoder(Record)


def kept_records(ledger: Path, *, since_s: float) -> Iterator[Record]:
    """Yield OPEN, MARK and CLOSE of requests that came since a moment, or that are open.

    Of the MARKs a ledger keeps the last one of an open request alone.

    Args:
        ledger: the SQLite file; nothing where there is none.
        since_s: begin, seconds since the Unix epoch by the company's clock.

    Raises:
        StoreFault: if the ledger cannot be read, or was written by another release.
    """
    if not ledger.is_file():
        return
    address = f"{ledger.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=WAIT_S)) as held:
            names = {row[0] for row in held.execute("SELECT name FROM sqlite_schema")}
            if not {"request", "open_request"} <= names:
                return
            for opened, marked in held.execute("SELECT opened, marked FROM open_request"):
                yield _RECORD.decode(opened)
                if marked is not None:
                    yield _RECORD.decode(marked)
            query = "SELECT body FROM request WHERE request_id >= ?"
            for (body,) in held.execute(query, (request_id_at(since_s),)):
                kept = kept_request(body)
                if kept.opened is not None:
                    yield kept.opened
                    yield kept.ended
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise StoreFault(f"ledger {ledger} cannot be read: {error}") from error


def request_id_at(at_s: float) -> str:
    """Return how the ids of requests begin that came at a moment: in their order, by time."""
    return f"req-{int(at_s * MS_PER_S):011x}"

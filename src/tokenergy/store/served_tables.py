"""What the projector keeps in the ledger's database beside the ledger itself."""

import sqlite3
from pathlib import Path
from typing import Final

from tokenergy.company.ledger import COLUMNS
from tokenergy.company.serving.ports import StoreFault
from tokenergy.errors import InputError
from tokenergy.store.sqlite import SqliteLedger

WAIT_S: Final = 5.0
"""How long the projector waits for another writer; its records wait in the journal."""
TABLES: Final = (
    # how far each segment is in the ledger; `stopped`: a finding says why no further
    "CREATE TABLE IF NOT EXISTS projected (worker INTEGER, segment INTEGER, epoch INTEGER, "
    "end_bytes INTEGER NOT NULL, next_number INTEGER NOT NULL, stopped INTEGER NOT NULL, "
    "PRIMARY KEY (worker, segment, epoch)) WITHOUT ROWID",
    # the lives of workers; `state`: lives, settled (leases are to be told), over
    "CREATE TABLE IF NOT EXISTS life (worker INTEGER, epoch INTEGER, next_number INTEGER NOT NULL, "
    "state TEXT NOT NULL, PRIMARY KEY (worker, epoch)) WITHOUT ROWID",
    # requests with an OPEN and no CLOSE so far
    "CREATE TABLE IF NOT EXISTS open_request (worker INTEGER, epoch INTEGER, request_id TEXT, "
    "opened BLOB NOT NULL, marked BLOB, PRIMARY KEY (worker, epoch, request_id)) WITHOUT ROWID",
    # what each life has used of accounts, until its leases are settled by it
    "CREATE TABLE IF NOT EXISTS account_use (worker INTEGER, epoch INTEGER, name TEXT, "
    "window_s REAL, quantity INTEGER NOT NULL, "
    "PRIMARY KEY (worker, epoch, name, window_s)) WITHOUT ROWID",
    # requests in full, for a week
    "CREATE TABLE IF NOT EXISTS request (request_id TEXT, run_id TEXT, tenant TEXT NOT NULL, "
    '"start" TEXT NOT NULL, key_id TEXT NOT NULL, user_hash TEXT NOT NULL, batch TEXT NOT NULL, '
    "body BLOB NOT NULL, PRIMARY KEY (request_id, run_id)) WITHOUT ROWID",
    # of an earlier release; ids begin with the time, and pruning goes by them
    "DROP INDEX IF EXISTS request_start",
    # prices by their version, for ever: bills are worked out again from them
    "CREATE TABLE IF NOT EXISTS price_sheet (price_version TEXT PRIMARY KEY, body BLOB NOT NULL)",
    # boards that are kept as long as requests are
    "CREATE TABLE IF NOT EXISTS served_board (board_id TEXT PRIMARY KEY, made_at_s REAL NOT NULL)",
)
_NAMES: Final = ", ".join(f'"{name}"' for name in COLUMNS)
_MARKS: Final = ", ".join("?" * len(COLUMNS))
INSERT_ROW: Final = f"INSERT OR IGNORE INTO ledger ({_NAMES}) VALUES ({_MARKS})"
ROWS_COUNT: Final = 16
_MORE: Final = f", ({_MARKS})" * (ROWS_COUNT - 1)
INSERT_ROWS: Final = INSERT_ROW + _MORE
"""The same for so many rows at once, which costs a sixth less."""
INSERT_REQUEST: Final = "INSERT OR IGNORE INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
KEEP_OPEN: Final = (
    "INSERT INTO open_request VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "opened = excluded.opened, marked = excluded.marked"
)
KEEP_MARK: Final = (
    "UPDATE open_request SET marked = ? WHERE worker = ? AND epoch = ? AND request_id = ?"
)
DROP_OPEN: Final = "DELETE FROM open_request WHERE worker = ? AND epoch = ? AND request_id = ?"
ADD_USE: Final = (
    "INSERT INTO account_use VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "quantity = quantity + excluded.quantity"
)
KEEP_PROJECTED: Final = (
    "INSERT INTO projected VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "end_bytes = excluded.end_bytes, next_number = excluded.next_number, "
    "stopped = excluded.stopped"
)
KEEP_LIFE: Final = (
    "INSERT INTO life VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "next_number = excluded.next_number, state = excluded.state"
)


def opened_ledger(path: Path) -> sqlite3.Connection:
    """Open a ledger for the projector, and make what is missing.

    A commit is on the disk when it returns: segments are removed after it.

    Raises:
        StoreFault: if it cannot be opened, made, or is no ledger.
    """
    try:
        SqliteLedger(path).close()
    except InputError as error:
        raise StoreFault(str(error)) from error
    held = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        held.execute("PRAGMA synchronous = FULL")
        held.execute("PRAGMA cache_size = -65536")
        for statement in TABLES:
            held.execute(statement)
    except sqlite3.Error as error:
        held.close()
        raise StoreFault(f"ledger {path} cannot be prepared: {error}") from error
    return held

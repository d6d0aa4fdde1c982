"""The file of leases: what is spent and leased of each account, changed in short transactions.

    spent + leased <= limit      at all times, whoever dies when

`spent` is what was settled and told here; `leased` is what workers may spend on their own word. A
lease is never taken back on suspicion: only once the journal of the worker that held it was read
to its end does the projector put the truth in its place (`replayed`), and fence that life of the
worker out.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from tokenergy.company.serving.ports import StoreFault
from tokenergy.store.shared_file import SharedFile

VERSION: Final = 1
MOST_QUANTITY: Final = 2**62
"""Largest limit that the file holds; a larger one is held as this one."""
WAIT_S: Final = 0.02
"""How long a worker's loop may wait for another one's transaction."""
CHECKPOINT_PAGES_COUNT: Final = 10_000
"""Pages of the log after which a worker itself copies it; the projector does so much earlier."""
STEP_MS: Final = 1_000
RATE_UNIT: Final = 60_000
"""A rate's level counts 60,000ths: so many milliseconds are in the minute that limits are of."""
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS account (name TEXT, window_s REAL, most INTEGER NOT NULL, "
    "spent INTEGER NOT NULL, leased INTEGER NOT NULL, PRIMARY KEY (name, window_s)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS lease (worker INTEGER, epoch INTEGER, name TEXT, window_s REAL, "
    "leased INTEGER NOT NULL, flushed INTEGER NOT NULL, expires_s REAL NOT NULL, "
    "PRIMARY KEY (worker, epoch, name, window_s)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ended (worker INTEGER, epoch INTEGER, "
    "PRIMARY KEY (worker, epoch)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS rate (tenant TEXT, kind TEXT, level INTEGER NOT NULL, "
    "at_ms INTEGER NOT NULL, PRIMARY KEY (tenant, kind)) WITHOUT ROWID",
)


class Account(NamedTuple):
    """One window of an account as a worker asks for it."""

    name: str
    window_s: float
    limit: int


class Change(NamedTuple):
    """What a worker tells and asks of one account.

    Attributes:
        account: which.
        used: settled since it last told.
        returned: of its lease, which it does not need.
        needed: least that it must have more; 0: nothing.
        wished: what it would like to have at most, if there is so much.
        share: part of what remains that it may have beyond what it needs.
        overdrawn: how much of `used` no lease covers: more was used than was reserved.
    """

    account: Account
    used: int = 0
    returned: int = 0
    needed: int = 0
    wished: int = 0
    share: float = 0.0
    overdrawn: int = 0


class Granted(NamedTuple):
    """What came of a change.

    Attributes:
        granted: leased more; 0 where `needed` was not there.
        spent: settled of the account, by all workers, as far as they told.
        remains: neither spent nor leased.
    """

    granted: int
    spent: int
    remains: int


class Drawn(NamedTuple):
    """What came of drawing on a rate: what was granted, what the bucket still holds."""

    granted: int
    level: int


class Fenced(StoreFault):
    """This life of the worker was declared over: it may lease nothing any more."""


class LeaseFile:
    """One connection to the file, for one thread; `close` it."""

    def __init__(self, path: Path, *, worker: int, epoch: int, wait_s: float = WAIT_S) -> None:
        """Keep where it is: it is opened, and made, when it is first asked.

        Args:
            path: the SQLite file.
            worker, epoch: whose leases; of the projector: any.
            wait_s: how long to wait for another one's transaction.
        """
        self._worker, self._epoch = worker, epoch
        self._file = SharedFile(
            path, _TABLES, version=VERSION, wait_s=wait_s,
            checkpoint_pages_count=CHECKPOINT_PAGES_COUNT,
        )  # fmt: skip

    def change(
        self, changes: Iterable[Change], *, now_s: float, expires_s: float
    ) -> tuple[Granted, ...]:
        """Tell and ask several accounts in one transaction, in the order of their names.

        Raises:
            StoreFault: if the file cannot be written in time; nothing is changed then.
        """
        wanted = tuple(changes)
        found: dict[int, Granted] = {}
        with self._file.writing() as held:
            self._check_life(held)
            for at in sorted(range(len(wanted)), key=lambda at: wanted[at].account[:2]):
                found[at] = self._changed(held, wanted[at], expires_s)
        return tuple(found[at] for at in range(len(wanted)))

    def _changed(self, held: sqlite3.Connection, change: Change, expires_s: float) -> Granted:
        name, window_s, limit = change.account
        most = min(limit, MOST_QUANTITY)
        held.execute(
            "INSERT INTO account VALUES (?, ?, ?, 0, 0) ON CONFLICT DO UPDATE SET most = ? "
            "WHERE most <> ?",
            (name, window_s, most, most, most),
        )
        let_go = change.used - change.overdrawn + change.returned
        spent, leased = held.execute(
            "UPDATE account SET spent = spent + ?, leased = leased - ? "
            "WHERE name = ? AND window_s = ? RETURNING spent, leased",
            (change.used, let_go, name, window_s),
        ).fetchone()
        remains = most - spent - leased
        granted = 0
        if 0 < change.needed <= remains:
            granted = min(remains, max(change.needed, change.wished, int(remains * change.share)))
            held.execute(
                "UPDATE account SET leased = leased + ? WHERE name = ? AND window_s = ? "
                "AND spent + leased + ? <= most",
                (granted, name, window_s, granted),
            )
        held.execute(
            "INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "leased = leased + excluded.leased, flushed = flushed + excluded.flushed, "
            "expires_s = excluded.expires_s",
            (
                self._worker, self._epoch, name, window_s, granted - let_go, change.used, expires_s
            ),
        )  # fmt: skip
        return Granted(granted, spent, remains - granted)

    def draw(
        self, tenant: str, kind: str, *, limit_per_min: int, needed: int, mine: int, now_s: float
    ) -> Drawn:
        """Take from a tenant's rate: what is needed and a hundredth of the limit, or nothing.

        The bucket holds a minute's worth, less what is `mine` already. What is given back is a
        need below 0.

        Raises:
            StoreFault: if the file cannot be written in time.
        """
        at_ms, most = int(now_s * 1e3), limit_per_min * RATE_UNIT
        with self._file.writing() as held:
            row = held.execute(
                "SELECT level, at_ms FROM rate WHERE tenant = ? AND kind = ?", (tenant, kind)
            ).fetchone()
            level, since_ms = row or (most, at_ms)
            if since_ms - STEP_MS < at_ms < since_ms:
                at_ms = since_ms  # another worker's clock is a little ahead
            passed_ms = min(RATE_UNIT, max(0, at_ms - since_ms))
            level = min(most - mine * RATE_UNIT, level + passed_ms * limit_per_min)
            granted = needed
            if needed > 0:
                there = level // RATE_UNIT
                granted = min(there, needed + limit_per_min // 100) if there >= needed else 0
            level = min(most, level - granted * RATE_UNIT)
            held.execute(
                "INSERT INTO rate VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "level = excluded.level, at_ms = excluded.at_ms",
                (tenant, kind, level, at_ms),
            )
        return Drawn(granted, level)

    def replayed(
        self, worker: int, epoch: int, used: Mapping[tuple[str, float], int]
    ) -> dict[tuple[str, float], int]:
        """End a life: what its journal says it used is spent, what it leased besides is free.

        Calling it again changes nothing.

        Args:
            worker: its number.
            epoch: which life of it.
            used: all that it used, by account and window, over its whole life.

        Returns:
            What was spent more than it had told itself, by account and window.

        Raises:
            StoreFault: if the file cannot be written in time.
        """
        found: dict[tuple[str, float], int] = {}
        with self._file.writing() as held:
            if self._has_ended(held, worker, epoch):
                return found
            life = (worker, epoch)
            rows = held.execute(
                "SELECT name, window_s, leased, flushed FROM lease WHERE worker = ? AND epoch = ?",
                life,
            ).fetchall()
            leases = {(name, window_s): (leased, told) for name, window_s, leased, told in rows}
            for key in sorted({*leases, *used}):
                leased, told = leases.get(key, (0, 0))
                more = used.get(key, 0) - told
                held.execute("INSERT OR IGNORE INTO account VALUES (?, ?, 0, 0, 0)", key)
                held.execute(
                    "UPDATE account SET spent = spent + ?, leased = leased - ? "
                    "WHERE name = ? AND window_s = ?",
                    (more, leased, *key),
                )
                found[key] = more
            held.execute("DELETE FROM lease WHERE worker = ? AND epoch = ?", life)
            held.execute("INSERT INTO ended VALUES (?, ?)", life)
        return found

    def spent(self) -> dict[tuple[str, float], tuple[int, int]]:
        """Return what is spent and leased of each window of each account.

        Raises:
            StoreFault: if the file cannot be read.
        """
        with self._file.reading() as held:
            rows = held.execute("SELECT name, window_s, spent, leased FROM account")
            return {(name, window_s): (spent, leased) for name, window_s, spent, leased in rows}

    def spent_of(self, account: Account) -> int:
        """Return what is spent of one window.

        Raises:
            StoreFault: if the file cannot be read.
        """
        query = "SELECT spent FROM account WHERE name = ? AND window_s = ?"
        with self._file.reading() as held:
            row = held.execute(query, account[:2]).fetchone()
        return 0 if row is None else int(row[0])

    def is_open(self) -> bool:
        """Open the file, where it can be, before anybody waits for it; tell whether it is."""
        try:
            with self._file.reading():
                return True
        except StoreFault:
            return False

    def copy_log(self) -> None:
        """Copy the log of changes into the file as far as nobody is in the way."""
        with suppress(StoreFault), self._file.reading() as held:
            held.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_life(self, held: sqlite3.Connection) -> None:
        if self._has_ended(held, self._worker, self._epoch):
            raise Fenced(f"worker {self._worker}: this life of it was declared over")

    @staticmethod
    def _has_ended(held: sqlite3.Connection, worker: int, epoch: int) -> bool:
        found = held.execute(
            "SELECT 1 FROM ended WHERE worker = ? AND epoch = ?", (worker, epoch)
        ).fetchone()
        return found is not None

"""Keys of tenants in one SQLite file: made, listed, replaced, revoked, looked up.

A key is 256 random bits, told once and kept nowhere: the file has its HMAC-SHA-256 under a secret
that lies beside it, so that a copy of the file alone lets nobody in and lets nobody try keys out.
No slow hash is needed, for nobody guesses 256 bits. A wrong key is looked up as a right one is.
"""

import hmac
import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from tokenergy.company.serving.ports import KeyFacts, StoreFault
from tokenergy.errors import InputError
from tokenergy.store.transaction import Transaction

KEY_PREFIX: Final = "tk-"
KEY_BYTES_COUNT: Final = 32
SECRET_BYTES_COUNT: Final = 32
SCOPES: Final = ("inference", "batches", "usage", "admin", "value")
"""What a key may be for; `usage` reads usage and costs, `value` says what requests are worth."""
USUAL_SCOPES: Final = ("inference", "batches")
KEYS_FILE: Final = "keys.sqlite"
SECRET_FILE: Final = "keys.secret"
VERSION: Final = 1
WAIT_S: Final = 0.25
"""How long a look-up waits for whoever writes; writers never block readers for longer."""
_LABEL: Final = b"tokenergy key\0"
"""Keeps these hashes apart from others under the same secret."""
_COLUMNS: Final = "key_id, tenant, tiers, scopes, note, created_s, expires_s, revoked_s"
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS key (key_id TEXT PRIMARY KEY, mac BLOB NOT NULL UNIQUE, "
    "tenant TEXT NOT NULL, tiers TEXT NOT NULL, scopes TEXT NOT NULL, note TEXT NOT NULL, "
    "created_s REAL NOT NULL, expires_s REAL, revoked_s REAL)"
)


class KeyRecord(NamedTuple):
    """What is known of a key; the key itself is nowhere.

    Attributes:
        facts: what it is allowed.
        note: words of whoever made it.
        created_s, expires_s, revoked_s: seconds since the Unix epoch; None: not so.
    """

    facts: KeyFacts
    note: str
    created_s: float
    expires_s: float | None
    revoked_s: float | None

    def is_active(self, now_s: float) -> bool:
        """Tell whether it opens the door now."""
        return self.revoked_s is None and (self.expires_s is None or now_s < self.expires_s)


class NewKey(NamedTuple):
    """A key that was just made: the only time that its text is told."""

    key: str
    record: KeyRecord

    def __repr__(self) -> str:
        """Say whose it is, and not what it is."""
        return f"NewKey({self.record!r})"


class SqliteKeys:
    """One file of keys; `close` it, or use it as a context manager. Keeps the promise of `Keys`."""

    def __init__(
        self, path: Path, secret: bytes, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep where the keys are; the file is opened, and made, when it is first asked.

        Args:
            path: the SQLite file.
            secret: what hashes are keyed with.
            clock: seconds since the Unix epoch.

        Raises:
            InputError: if the secret is too short to be one.
        """
        if len(secret) < SECRET_BYTES_COUNT:
            raise InputError(
                f"the secret of the keys has {len(secret)} bytes; it needs {SECRET_BYTES_COUNT}"
            )
        self.path, self._secret, self._clock = path, secret, clock
        self._file: sqlite3.Connection | None = None

    @classmethod
    def in_folder(cls, folder: Path, *, clock: Callable[[], float] = time.time) -> Self:
        """Return the keys of a gateway's data folder; the secret is made where there is none.

        Raises:
            InputError: if the folder or the secret cannot be made, read, or is open to others.
        """
        return cls(folder / KEYS_FILE, secret_in(folder), clock=clock)

    def find(self, key: bytes) -> KeyFacts | None:
        """Return what a key is allowed, or None: unknown, revoked or expired.

        Raises:
            StoreFault: if the file cannot be read.
        """
        mac = self._mac(key)
        query = f"SELECT {_COLUMNS}, mac FROM key WHERE mac = ?"
        try:
            row = self._opened().execute(query, (mac,)).fetchone()
        except (sqlite3.Error, OSError) as fault:
            self.close()  # the next look-up opens it anew
            raise StoreFault(f"the keys cannot be read: {type(fault).__name__}") from fault
        held = bytes(SECRET_BYTES_COUNT) if row is None else bytes(row[-1])
        same = hmac.compare_digest(held, mac)
        if row is None or not same:
            return None
        record = _record(row)
        return record.facts if record.is_active(self._clock()) else None

    def create(
        self,
        *,
        tenant: str,
        tiers: Iterable[str] = (),
        scopes: Iterable[str] = USUAL_SCOPES,
        expires_s: float | None = None,
        note: str = "",
    ) -> NewKey:
        """Make a key; its text is told here and never again.

        Args:
            tenant: whose it is.
            tiers: tiers that it may ask for; none: all of its tenant's.
            scopes: what it is for, of `SCOPES`.
            expires_s: moment of its end, seconds since the Unix epoch; None: it has none.
            note: words for lists.

        Raises:
            InputError: if there is no such scope, or the file cannot be written.
        """
        asked = frozenset(scopes)
        if not asked or not asked.issubset(SCOPES):
            named = ", ".join(sorted(asked.difference(SCOPES))) or "none"
            raise InputError(f"a key has scopes of {', '.join(SCOPES)}; this one: {named}")
        facts = KeyFacts(f"key_{secrets.token_hex(5)}", tenant, tuple(tiers), asked)
        made = KeyRecord(facts, note, self._clock(), expires_s, None)
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES_COUNT)
        self._write([_insert(made, self._mac(key.encode()))])
        return NewKey(key, made)

    def listed(self) -> tuple[KeyRecord, ...]:
        """Return every key that was ever made, the oldest first.

        Raises:
            InputError: if the file cannot be read.
        """
        query = f"SELECT {_COLUMNS} FROM key ORDER BY created_s, rowid"
        try:
            return tuple(map(_record, self._opened().execute(query).fetchall()))
        except (sqlite3.Error, OSError) as fault:
            self.close()
            raise InputError(f"keys {self.path} cannot be read: {fault}") from fault

    def revoke(self, key_id: str) -> KeyRecord:
        """End a key; workers that have it in memory take it for at most a minute more.

        Raises:
            InputError: if there is no such key, or it is revoked already.
        """
        record = self._active(key_id)
        now_s = self._clock()
        self._write([("UPDATE key SET revoked_s = ? WHERE key_id = ?", (now_s, key_id))])
        return record._replace(revoked_s=now_s)

    def rotate(self, key_id: str, *, grace_s: float) -> NewKey:
        """Make a key like another one, which ends after a grace, or with it.

        Raises:
            InputError: if there is no such key, or it is revoked already.
        """
        old, now_s = self._active(key_id), self._clock()
        ends_s = now_s + grace_s if old.expires_s is None else min(old.expires_s, now_s + grace_s)
        facts = old.facts._replace(key_id=f"key_{secrets.token_hex(5)}")
        made = KeyRecord(facts, old.note, now_s, old.expires_s, None)
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES_COUNT)
        end = ("UPDATE key SET expires_s = ? WHERE key_id = ?", (ends_s, key_id))
        self._write([_insert(made, self._mac(key.encode())), end])
        return NewKey(key, made)

    def close(self) -> None:
        """Close the file; it is opened again when it is asked."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def _mac(self, key: bytes) -> bytes:
        return hmac.digest(self._secret, _LABEL + key, "sha256")

    def _active(self, key_id: str) -> KeyRecord:
        known = {record.facts.key_id: record for record in self.listed()}
        record = known.get(key_id)
        if record is None:
            raise InputError(f"there is no key {key_id!r}; `tokenergy keys COMPANY list` names all")
        if not record.is_active(self._clock()):
            raise InputError(f"key {key_id!r} has ended already")
        return record

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            if not self.path.exists():
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            file = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
            try:
                _prepare(file, self.path)
            except BaseException:
                file.close()
                raise
            self._file = file
        return self._file

    def _write(self, statements: Iterable[tuple[str, tuple[object, ...]]]) -> None:
        """Do all of the statements or none, and wait for the disk.

        Raises:
            InputError: if the file cannot be written.
        """
        try:
            file = self._opened()
            with Transaction(file):
                for statement, values in statements:
                    file.execute(statement, values)
        except (sqlite3.Error, OSError) as fault:
            self.close()
            raise InputError(f"keys {self.path} cannot be written: {fault}") from fault


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    """Lay the table out where the file is new.

    Raises:
        sqlite3.DatabaseError: if the file is of another release, or something else.
    """
    if _version(file, path) == VERSION:
        return
    file.execute("PRAGMA journal_mode = WAL")
    with Transaction(file):
        if _version(file, path) != VERSION:  # somebody else may have been quicker
            file.execute(_TABLE)
            file.execute(f"PRAGMA user_version = {VERSION}")


def _version(file: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file, 0 for a new one."""
    version, tables = file.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
    ).fetchone()
    if version != VERSION and (version or tables):
        raise sqlite3.DatabaseError(
            f"{path.name} holds no keys of version {VERSION} (it says {version}, {tables} tables)"
        )
    return int(version)


def _insert(record: KeyRecord, mac: bytes) -> tuple[str, tuple[object, ...]]:
    facts = record.facts
    words = (facts.key_id, facts.tenant, " ".join(facts.tiers), " ".join(sorted(facts.scopes)))
    times = (record.created_s, record.expires_s, record.revoked_s)
    marks = "?, ?, ?, ?, ?, ?, ?, ?, ?"
    return f"INSERT INTO key ({_COLUMNS}, mac) VALUES ({marks})", (*words, record.note, *times, mac)


def _record(row: tuple[object, ...]) -> KeyRecord:
    key_id, tenant, tiers, scopes, note, created_s, expires_s, revoked_s = row[:8]
    facts = KeyFacts(
        str(key_id), str(tenant), tuple(str(tiers).split()), frozenset(str(scopes).split())
    )
    created = _moment(created_s) or 0.0
    return KeyRecord(facts, str(note), created, _moment(expires_s), _moment(revoked_s))


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


# ---- the secret ------------------------------------------------------------------------


def secret_in(folder: Path) -> bytes:
    """Return the secret of a data folder; folder (0700) and secret (0600) are made where missing.

    Raises:
        InputError: if it cannot be made or read, is short, or others may read it.
    """
    where = folder / SECRET_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not where.exists():
            _make_secret(where)
        with where.open("rb") as held:
            mode = stat.S_IMODE(os.fstat(held.fileno()).st_mode)
            secret = held.read(SECRET_BYTES_COUNT + 1)
    except OSError as fault:
        raise InputError(f"the secret {where} cannot be made or read: {fault.strerror}") from fault
    if os.name == "posix" and mode & 0o077:
        raise InputError(
            f"the secret {where} has mode {mode:04o}, and others may read it: chmod 600"
        )
    if len(secret) != SECRET_BYTES_COUNT:
        raise InputError(
            f"the secret {where} has not {SECRET_BYTES_COUNT} bytes: restore it; without it no key "
            "that was made fits any more"
        )
    return secret


def _make_secret(where: Path) -> None:
    """Write a whole secret or none; where two make one at once, the first stays."""
    own = where.with_name(f"{where.name}.{secrets.token_hex(4)}")
    handle = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as held:
            held.write(secrets.token_bytes(SECRET_BYTES_COUNT))
            held.flush()
            os.fsync(held.fileno())
        with suppress(FileExistsError):
            os.link(own, where)  # unlike a rename it replaces nothing
    finally:
        own.unlink()

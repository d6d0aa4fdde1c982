"""A key or a user's name as a short hash, keyed with a salt that never leaves this machine.

Usage files name API keys and people. Neither is needed to price a token: rows are told apart by
`k_` and 12 hexadecimal digits (48 bits of keyed BLAKE2b: among 10,000 names two collide once in
about 5 million files). The salt lies beside the ledger, so one key has one hash in one ledger
and another in the next.
"""

import hashlib
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tokenergy.company.refusal import refuse

SALT_FILE: Final = "salt"
SALT_BYTES_COUNT: Final = 32
HASH_BYTES_COUNT: Final = 6
FOLDER_OF_LEDGERS: Final = Path(".tokenergy")

_NUMBER_LIKE: Final = re.compile(r"[\d.,:+\-'TZ%eE \u00a0\u202f]{1,40}")
_KEY_LIKE: Final = re.compile(
    r"(?:^|[^A-Za-z0-9])(?:sk|pk|rk|api|key)[-_][A-Za-z0-9_\-]{6,}|bearer\s|@", re.IGNORECASE
)
_LONG_WORD: Final = re.compile(r"(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{24,}")


@dataclass(frozen=True, slots=True)
class KeyHash:
    """Hashes of names under one salt; the salt is in no repr."""

    salt: bytes = field(repr=False)

    def of(self, text: str) -> str:
        """Return `k_` and 12 hexadecimal digits for a key or a name."""
        keyed = hashlib.blake2b(
            text.strip().encode("utf-8", "surrogatepass"),
            key=self.salt,
            digest_size=HASH_BYTES_COUNT,
        )
        return f"k_{keyed.hexdigest()}"

    def of_tenant(self, text: str) -> str:
        """Return a tenant as it is, or its hash where it looks like a key or an address."""
        return self.of(text) if looks_like_key(text) else text


def key_hash(folder: Path = FOLDER_OF_LEDGERS) -> KeyHash:
    """Return the hash of a folder of ledgers; its salt is made on first use, with mode 0600.

    Raises:
        FindingsError: if the salt cannot be made or read, is short, or others may read it.
    """
    where = folder / SALT_FILE
    try:
        if not where.exists():
            _make(where)
        with where.open("rb") as held:
            mode = os.fstat(held.fileno()).st_mode
            salt = held.read(SALT_BYTES_COUNT + 1)
    except OSError as error:
        refuse(
            "SALT_UNREADABLE",
            path="salt",
            value=str(where),
            reason=f"keys cannot be hashed without a salt: {error.strerror or error}",
            remedy="Make its folder writable, or work in one that is",
        )
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        refuse(
            "SALT_OPEN",
            path="salt",
            value=f"{where} has mode {stat.S_IMODE(mode):04o}",
            limit="0600",
            reason="who reads the salt can try out keys until a hash fits",
            remedy="Take the rights of others away: chmod 600",
        )
    if len(salt) != SALT_BYTES_COUNT:
        refuse(
            "SALT_BAD",
            path="salt",
            value=f"{where}, {len(salt)}",
            limit=f"{SALT_BYTES_COUNT}",
            unit="bytes",
            reason="the salt was cut or replaced",
            remedy="Restore it; if you remove it, the same keys get other hashes from then on",
        )
    return KeyHash(salt)


def _make(where: Path) -> None:
    """Write a whole salt or none; where two make one at once, the first stays."""
    where.parent.mkdir(parents=True, exist_ok=True)
    own = where.with_name(f"{SALT_FILE}.{secrets.token_hex(4)}")
    handle = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as held:
            held.write(secrets.token_bytes(SALT_BYTES_COUNT))
        with suppress(FileExistsError):
            os.link(own, where)  # unlike a rename it replaces nothing
    finally:
        own.unlink()


def looks_like_key(text: str) -> bool:
    """Tell whether a text may be a key or somebody's address, and so is hashed or hidden."""
    return bool(_KEY_LIKE.search(text) or _LONG_WORD.search(text))


def shown(cell: object) -> str:
    """Return a cell for an error: numbers and stamps as they are, of a text only its length.

    A row whose columns have moved has a key where a count should be; no error repeats it.
    """
    text = str(cell).strip()
    if not text:
        return "empty"
    if _NUMBER_LIKE.fullmatch(text):
        return text
    return f"a text of {len(text)} characters"

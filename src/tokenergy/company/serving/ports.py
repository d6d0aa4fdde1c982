"""What the gateway asks of the world around it; `store` keeps these promises, `api` joins them.

Nothing here waits for longer than a local file takes, but where a method is `async`.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tokenergy.company.serving.record import Holding, Record


class KeyFacts(NamedTuple):
    """What a key is allowed; the key itself is nowhere.

    Attributes:
        key_id: shown in lists and ledgers.
        tenant: whose it is.
        tiers: tiers that it may ask for; (): all of its tenant's.
        scopes: `inference`, `batches`, `usage` (read-only usage and costs), `admin`, `value`.
    """

    key_id: str
    tenant: str
    tiers: tuple[str, ...]
    scopes: frozenset[str]


class StoreFault(Exception):
    """A store cannot be asked or written now; its text has no secret in it."""


class JournalFull(StoreFault):
    """The journal has grown to its bound, or the disk takes no more: new work is refused."""


class Keys(Protocol):
    """Looks keys up."""

    def find(self, key: bytes) -> KeyFacts | None:
        """Return what a key is allowed, or None: unknown, revoked or expired.

        Raises:
            StoreFault: if the store cannot be asked.
        """
        ...


class Journal(Protocol):
    """One worker's journal: whoever is killed after `write` has lost nothing of it."""

    def write(self, record: Record) -> int:
        """Append a record and return its number; it survives this process from now on.

        Raises:
            JournalFull: if nothing more can be written.
        """
        ...

    async def synced(self, number: int) -> None:
        """Wait until the disk has the record (`durability: strict`)."""
        ...

    @property
    def bytes_count(self) -> int:
        """Bytes that are not projected yet."""
        ...


class Leases(Protocol):
    """Reserves what requests may use, so that no account is ever exceeded by any worker."""

    def reserve(self, wants: Sequence[tuple[str, int]], *, now_s: float) -> "Reserved":
        """Reserve of several accounts, of all or of none.

        Raises:
            StoreFault: if more must be leased and the store cannot be asked.
        """
        ...

    def settle(self, holdings: Sequence[Holding], actual: Sequence[int]) -> None:
        """Put what was really used in the place of what was reserved."""
        ...

    def take(
        self, tenant: str, *, requests_count: int, tokens_count: int, now_s: float
    ) -> "RateTold":
        """Take from a tenant's rate limits, of both or of none; without limits it is always taken.

        Raises:
            StoreFault: if the store cannot be asked.
        """
        ...

    def spent(self, account: str, *, now_s: float) -> int:
        """Return what is settled of an account's window, as far as this worker knows."""
        ...


class Reserved(NamedTuple):
    """What came of a reservation.

    Attributes:
        holdings: one for each want, in order; () where an account lacks.
        lacking: name of the first account that could not hold its part, or "".
    """

    holdings: tuple[Holding, ...]
    lacking: str


class RateTold(NamedTuple):
    """What came of asking a tenant's rate limits.

    Attributes:
        taken: whether both were granted.
        limit_requests, left_requests, limit_tokens, left_tokens: as this worker sees them; None:
            there is no such limit.
        wait_s: when it could be granted at the earliest; 0 if it was.
    """

    taken: bool
    limit_requests: int | None
    left_requests: int | None
    limit_tokens: int | None
    left_tokens: int | None
    wait_s: float


class Remembered(NamedTuple):
    """An outcome kept under an idempotency key."""

    status: int
    content_type: str
    body: bytes
    request_id: str


class Idempotency(Protocol):
    """One request for each (tenant, key): the second one is given the first one's outcome."""

    def claim(self, tenant: str, key: str, *, digest: str, now_s: float) -> "Claim":
        """Claim a key for this request.

        Raises:
            StoreFault: if the store cannot be asked.
        """
        ...

    def keep(self, tenant: str, key: str, outcome: Remembered) -> None:
        """Keep the outcome for whoever asks with the key again."""
        ...

    def release(self, tenant: str, key: str) -> None:
        """Give the key back: nothing came of the request, and it may be tried again."""
        ...


class Claim(NamedTuple):
    """What a key stands for.

    Attributes:
        mine: whether this request is the one to run.
        same: whether the body is that of the first request.
        outcome: of the first one, once it has ended.
    """

    mine: bool
    same: bool
    outcome: Remembered | None

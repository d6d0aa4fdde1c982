"""Heads of requests, read once: a client sends the same one again and again, but for its length."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.headers import INWARDS, Head, Header, read_head

KNOWN_COUNT: Final = 512
"""Heads that are kept; one more, and all are read anew."""
VARYING: Final = INWARDS | {b"idempotency-key", b"transfer-encoding"}
"""Headers that differ from request to request: a head with one of them is not kept."""
LENGTH: Final = b"content-length"


class HeadRead(NamedTuple):
    """A head, and how long the body is.

    Attributes:
        head: all but the length, which is that of the first request that had this head.
        content_length: bytes to come; None: not told.
    """

    head: Head
    content_length: int | None


class Heads:
    """Reads heads, and knows those that came before."""

    def __init__(self, limits: LimitsPlan) -> None:
        """Know none yet."""
        self._limits = limits
        self._known: dict[tuple[Header, ...], Head] = {}

    def read(self, headers: Sequence[Header]) -> HeadRead:
        """Return what the headers of a request say.

        Raises:
            ApiError: as `read_head`.
        """
        length: bytes | None = None
        for at, (name, value) in enumerate(headers):
            if name == LENGTH:
                length = value
                rest = (*headers[:at], *headers[at + 1 :])
                known = self._known.get(rest)
                if known is not None and value.isdigit() and len(value) < 9:
                    count = int(value)
                    if count <= self._limits.body_bytes:
                        return HeadRead(known, count)
                break
        head = read_head(headers, self._limits)
        if length is not None and not any(name in VARYING for name, _ in headers):
            if len(self._known) >= KNOWN_COUNT:
                self._known.clear()
            self._known[rest] = head
        return HeadRead(head, head.content_length)

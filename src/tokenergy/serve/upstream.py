"""The way to a model server: what is sent, what comes back, and how it can fail.

Five methods, so that any client can stand behind them: `open` sends a call and returns once the
head of the answer is there, `chunk` gives the next bytes of its body, `pump` hands them over as
they come, `close` ends an exchange early or late, `aclose` ends the client. `upstream_fast` (plain
HTTP, kept alive), `upstream_aiohttp` (TLS, names, everything else) and `upstream_simulated` keep
the same contract.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

Sink = Callable[[bytes], bool]
"""Takes bytes of a body at once; False: no more for now. It does not raise."""
FaultKind = Literal["refused", "connect_timeout", "reset", "timeout", "garbage", "closed"]
"""Closed list: the address took no connection; it took none in time; the connection broke; silence
beyond the limit; what came is no HTTP; the client was closed by us."""


class UpstreamFault(Exception):
    """An upstream failed below HTTP.

    Attributes:
        kind: how.
        sent: whether any byte of the call may have reached it.
    """

    def __init__(self, kind: FaultKind, *, sent: bool) -> None:
        """Keep how it failed; the text names no address and no content."""
        super().__init__(f"the upstream failed: {kind}")
        self.kind, self.sent = kind, sent


class Call(NamedTuple):
    """A request to an upstream.

    Attributes:
        method: `GET`, `POST` or `DELETE`.
        path: path with query, e.g. `/v1/chat/completions`; the client knows the rest.
        headers: names in lower case; neither host nor content-length, which the client adds.
        body: whole.
        whole: whether the answer's body is wanted at once: then `open` returns when all of it is
            there, in `Exchange.body`.
        first_byte_s: longest wait for the head of the answer.
        between_s: longest silence inside it.
    """

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    whole: bool
    first_byte_s: float
    between_s: float


class Exchange(Protocol):
    """An answer that has begun."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case."""
    body: bytes | None
    """All of it where the call asked for the whole; else None."""

    async def chunk(self) -> bytes:
        """Return the next bytes of the body as they came; b"" at its end.

        Nothing is read ahead by more than 32 KiB while nobody asks (back-pressure).

        Raises:
            UpstreamFault: where it breaks or falls silent; so does a body that ends too early.
        """
        ...

    async def pump(self, sink: Sink) -> None:
        """Give what comes to `sink` as it comes, until that says no more, or until the end.

        What is left is asked for by `chunk`, its faults too. A client that cannot do better than
        `chunk` returns at once.
        """
        ...

    def close(self) -> None:
        """End it; where the body was not read to its end, the connection goes too, at once."""
        ...


class UpstreamClient(Protocol):
    """A client of one upstream, with connections of its own; it lives in one event loop."""

    async def open(self, call: Call) -> Exchange:
        """Send a call and wait for the head of its answer.

        A kept connection that turns out to be dead before any byte of the answer came, and that
        was idle before, is replaced once: the server had closed it before the call.

        Raises:
            UpstreamFault: if no head comes.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...

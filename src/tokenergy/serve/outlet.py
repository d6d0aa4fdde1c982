"""Where an answer goes: a client's connection, or memory for a line of a batch."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from tokenergy.serve.cycle import Cycle

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]


class Outlet(Protocol):
    """Takes one answer: whole, or its head and then piece by piece.

    Attributes:
        began: whether a head went out: from then on the status cannot change.
        ended: whether nothing more can be sent.
    """

    began: bool
    ended: bool

    async def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a whole answer."""
        ...

    async def head(self, status: int, headers: HeaderList) -> None:
        """Send the head of a stream."""
        ...

    async def write(self, data: bytes) -> None:
        """Send a piece; it waits while the client's buffer is full."""
        ...

    async def end(self, data: bytes) -> None:
        """Send the last piece."""
        ...


class AsgiOutlet:
    """A client's connection: by the short way where the server has one, else through ASGI."""

    __slots__ = ("_direct", "_send", "began", "ended")

    def __init__(self, send: Send) -> None:
        """Take where messages go."""
        self._send = send
        self.began = self.ended = False
        cycle = getattr(send, "__self__", None)
        self._direct = cycle if isinstance(cycle, Cycle) and cycle.is_direct else None

    async def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a whole answer."""
        self.began = self.ended = True
        if self._direct is not None:
            await self._direct.whole(status, headers, body)
            return
        headers.append((b"content-length", b"%d" % len(body)))
        send = self._send
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def now(self) -> Callable[[bytes], bool] | None:
        """Return what sends a piece without waiting, and says whether there is room for more.

        None: this connection has no such way.
        """
        return None if self._direct is None else self._direct.chunk_now

    async def head(self, status: int, headers: HeaderList) -> None:
        """Send the head of a stream."""
        self.began = True
        if self._direct is not None:
            await self._direct.head(status, headers)
            return
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """Send a piece."""
        if self._direct is not None:
            await self._direct.chunk(data)
            return
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes) -> None:
        """Send the last piece."""
        self.ended = True
        if self._direct is not None:
            await self._direct.end(data)
            return
        await self._send({"type": "http.response.body", "body": data, "more_body": False})


class MemoryOutlet:
    """Keeps a whole answer, for who asks from within.

    Attributes:
        status: 0 until the answer is there.
        body: its bytes.
        content_type: of the body.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.began = self.ended = False
        self.status = 0
        self.body = b""
        self.content_type = "application/json"

    async def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Keep a whole answer."""
        self.began = self.ended = True
        self.status, self.body = status, body
        self._note(headers)

    async def head(self, status: int, headers: HeaderList) -> None:
        """Keep the head of a stream."""
        self.began = True
        self.status = status
        self._note(headers)

    async def write(self, data: bytes) -> None:
        """Keep a piece."""
        self.body += data

    async def end(self, data: bytes) -> None:
        """Keep the last piece."""
        self.ended = True
        self.body += data

    def _note(self, headers: HeaderList) -> None:
        for name, value in headers:
            if name == b"content-type":
                self.content_type = value.decode("latin-1")


class CopyingOutlet(MemoryOutlet):
    """Sends on, and keeps a copy for whoever asks again with the same idempotency key.

    Attributes:
        too_long: whether the copy was given up because the answer is longer than the limit.
    """

    def __init__(self, outlet: Outlet, *, limit_bytes: int) -> None:
        """Take where it goes."""
        super().__init__()
        self._outlet, self._limit_bytes = outlet, limit_bytes
        self.too_long = False

    async def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a whole answer, and keep it."""
        await super().whole(status, headers, body)
        await self._outlet.whole(status, headers, body)

    async def head(self, status: int, headers: HeaderList) -> None:
        """Send the head of a stream, and keep it."""
        await super().head(status, headers)
        await self._outlet.head(status, headers)

    async def write(self, data: bytes) -> None:
        """Send a piece, and keep it."""
        self._keep(data)
        await self._outlet.write(data)

    async def end(self, data: bytes) -> None:
        """Send the last piece, and keep it."""
        self._keep(data)
        self.ended = True
        await self._outlet.end(data)

    def _keep(self, data: bytes) -> None:
        if len(self.body) + len(data) > self._limit_bytes:
            self.too_long, self.body = True, b""
        elif not self.too_long:
            self.body += data

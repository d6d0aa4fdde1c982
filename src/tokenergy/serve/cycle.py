"""One request and its answer on a connection: uvicorn's, with a shorter way for our own answers.

ASGI checks every header that an application sends by two regular expressions, and takes a head and
a body as two messages. Our heads are made of names and figures of our own, so the door hands them
over as they are (`whole`, `head`, `chunk`), and a short answer is one write. Everything else, such
as the applications beside the hot path, sends ASGI messages as usual.
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

HeaderList = list[tuple[bytes, bytes]]
JOINED_BYTES = 65_536
"""Bodies up to this go out in one piece with their head."""
LENGTH = b"content-length: %d\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
CLOSE = b"connection: close\r\n"
LAST = b"0\r\n\r\n"


class Cycle(RequestResponseCycle):
    """A request being answered.

    Attributes:
        stalls: cycles that wait for their clients to read, by the time since when.
        loop_time: the loop's clock.
    """

    stalls: dict["Cycle", float]
    loop_time: Callable[[], float]

    @property
    def is_direct(self) -> bool:
        """Whether an answer may begin by the short way: nobody has begun it by the other."""
        return not self.response_started and self.scope["method"] != "HEAD"

    async def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a whole answer."""
        if self.flow.write_paused and not self.disconnected:
            await self._drained()
        if self.disconnected:
            return
        parts = self._head(status, headers)
        parts.append(LENGTH % len(body))
        if len(body) <= JOINED_BYTES:
            parts.append(body)
            self.transport.write(b"".join(parts))
        else:
            self.transport.write(b"".join(parts))
            self.transport.write(body)
        self._complete()

    async def head(self, status: int, headers: HeaderList) -> None:
        """Send the head of an answer whose length nobody knows."""
        if self.disconnected:
            return
        parts = self._head(status, headers)
        self.chunked_encoding = self.scope["http_version"] != "1.0"  # there the end is the close
        parts.append(CHUNKED if self.chunked_encoding else b"\r\n")
        self.transport.write(b"".join(parts))

    async def chunk(self, data: bytes) -> None:
        """Send a piece; it waits while the client's buffer is full."""
        if self.flow.write_paused and not self.disconnected:
            await self._drained()
        if data and not self.disconnected:
            self.transport.write(self._framed(data))

    def chunk_now(self, data: bytes) -> bool:
        """Send a piece without waiting; return whether the client's buffer has room for more."""
        if self.disconnected:
            return False
        self.transport.write(self._framed(data))
        return not self.flow.write_paused

    async def end(self, data: bytes) -> None:
        """Send the last piece."""
        if self.flow.write_paused and not self.disconnected:
            await self._drained()
        if self.disconnected:
            return
        last = self._framed(data) if data else b""
        self.transport.write(last + LAST if self.chunked_encoding else last)
        self._complete()

    def _framed(self, data: bytes) -> bytes:
        """Return a piece as it travels: HTTP/1.0 knows no chunks."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self.chunked_encoding else data

    async def _drained(self) -> None:
        """Wait until the client has taken enough of what is on its way to it."""
        self.stalls[self] = self.loop_time()
        try:
            await self.flow.drain()
        finally:
            self.stalls.pop(self, None)

    def _head(self, status: int, headers: HeaderList) -> list[bytes]:
        self.response_started = True
        # Who waits for `100 Continue` may never send its body: what follows would be read as one.
        closes = not self.keep_alive or self.waiting_for_100_continue
        self.waiting_for_100_continue = False
        parts: list[bytes] = [STATUS_LINE[status]]
        for name, value in headers:
            if name == b"connection":
                closes = closes or value == b"close"
            else:
                parts += (name, b": ", value, b"\r\n")
        if closes:
            self.keep_alive = False
            parts.append(CLOSE)
        return parts

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        done: Any = self.on_response
        done()

"""One kept connection of the fast client, and the answer that comes on it."""

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from tokenergy.serve.upstream import FaultKind, Sink, UpstreamFault

if TYPE_CHECKING:
    from tokenergy.serve.upstream_fast import FastClient

READ_BYTES: Final = 8_192
"""Most bytes of one read from a socket."""
PAUSE_BYTES: Final = 4_096
"""Bytes that nobody has asked for above which reading stops; one more read makes 12 KiB."""
CHUNK_BYTES: Final = 8_192
"""About so much is given at once where more is there."""
HEAD_BYTES: Final = 65_536
"""Longest head of an answer."""
WHOLE_BYTES: Final = 268_435_456
"""Longest answer that is collected whole."""
STALE_S: Final = 1.0
"""A kept connection that breaks later than this after a call was sent did not break before it."""
_VIEW: Final = memoryview(bytearray(READ_BYTES))
"""Every read of every connection goes here: what is read is parsed before anything else is."""
_NOTHING: Final[tuple[tuple[bytes, bytes], ...]] = ()


class FastExchange:
    """An answer that has begun; see `Exchange`.

    Attributes:
        waiter: done when the head is there (`whole`: all of it), later when there is news.
        fault: how it has failed; None as long as it has not.
        stale: whether it failed as a connection does that the server had ended before the call.
        began_s, until_s: loop's time when it was sent, and until when silence is borne.
    """

    # defaults stand at the class: a call then sets only what differs
    status = 0
    headers = _NOTHING
    body: bytes | None = None
    fault: FaultKind | None = None
    stale = ended = False
    began_s: float = 0.0
    until_s: float = inf
    _held_bytes = 0
    _sink: Sink | None = None

    def __init__(
        self,
        connection: "Connection",
        waiter: asyncio.Future[None],
        whole: bool,
        between_s: float,
    ) -> None:
        """Wait for a head."""
        self._connection: Connection | None = connection
        self.waiter: asyncio.Future[None] | None = waiter
        self.whole, self._between_s = whole, between_s
        self._pieces: list[bytes] = []

    async def chunk(self) -> bytes:
        """Return the next bytes of the body, or b"" at its end; see `Exchange`."""
        while not self._pieces:
            if self.ended:
                return b""
            connection = self._connection
            if connection is None:
                raise UpstreamFault(self.fault or "closed", sent=True)
            if connection.paused:  # `_some` may have given the last pieces there were
                connection.resume()
            loop = connection.loop
            self.waiter = waiter = loop.create_future()
            self.until_s = loop.time() + self._between_s
            try:
                await waiter
            finally:
                self.waiter, self.until_s = None, inf
        pieces = self._pieces
        if self._held_bytes > CHUNK_BYTES and len(pieces) > 1:
            return self._some(pieces)
        self._pieces, self._held_bytes = [], 0
        connection = self._connection
        if connection is not None and connection.paused:
            connection.resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _some(self, pieces: list[bytes]) -> bytes:
        """Return the first of many pieces: all of them at once would go through several hands."""
        count = size = 0
        for piece in pieces:
            size += len(piece)
            count += 1
            if size >= CHUNK_BYTES:
                break
        given = b"".join(pieces[:count])
        del pieces[:count]
        self._held_bytes -= size
        return given

    async def pump(self, sink: Sink) -> None:
        """Give what comes to `sink` in the turn of the loop in which it comes; see `Exchange`.

        Nobody is woken for it: a task that waits seven calls deep costs more than an event does.
        """
        connection = self._connection
        if self._pieces or self.ended or connection is None:
            return
        loop = connection.loop
        self.waiter = waiter = loop.create_future()
        self._sink, self.until_s = sink, loop.time() + self._between_s
        if connection.paused:
            connection.resume()
        try:
            await waiter
        finally:
            self.waiter, self._sink, self.until_s = None, None, inf

    def close(self) -> None:
        """End it, and at once with its connection where it is not read to its end."""
        connection = self._connection
        if connection is not None:
            connection.end("closed")
        self._pieces.clear()

    # ---- what its connection tells it ----

    def took(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(piece)
        self._held_bytes += len(piece)

    def news(self) -> None:
        """Act on what one read has brought, while the answer goes on."""
        connection = self._connection
        if connection is None or not self.status:
            return
        if self.whole:
            if self._held_bytes > WHOLE_BYTES:
                connection.end("garbage")
            else:
                self.until_s = connection.loop.time() + self._between_s
            return
        sink = self._sink
        if sink is not None and self._pieces:
            pieces = self._pieces
            self._pieces, self._held_bytes = [], 0
            self.until_s = connection.loop.time() + self._between_s
            if sink(pieces[0] if len(pieces) == 1 else b"".join(pieces)):
                return
            self._sink = None
            self._wake()
            return
        if sink is not None:
            return
        self._wake()
        if self._held_bytes > PAUSE_BYTES:
            connection.pause()

    def complete(self) -> None:
        """End well: everything has come."""
        self.ended, self._connection = True, None
        if self.whole:
            pieces = self._pieces
            self.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._pieces = []
        self._wake()

    def failed(self, fault: FaultKind) -> None:
        """End badly; what has come before can still be read."""
        connection = self._connection
        if connection is not None and fault == "reset" and not connection.answered:
            self.stale = connection.loop.time() - self.began_s < STALE_S
        self.fault, self._connection = fault, None
        self._wake()

    def _wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter, self.until_s = None, inf
            if not waiter.done():
                waiter.set_result(None)


class Connection(asyncio.BufferedProtocol):
    """One connection; it carries one exchange at a time.

    Attributes:
        exchange: that one; None while nobody uses it.
        answered: whether any byte of an answer to the present call came.
        paused: whether reading has been stopped.
        idle_since_s: loop's time since which nobody uses it.
    """

    __slots__ = (
        "_client", "_complete", "_feed", "_head_bytes", "_headers", "_in_head", "_keep", "_parser",
        "_to_end", "answered", "exchange", "idle_since_s", "loop", "paused", "transport",
    )  # fmt: skip
    transport: asyncio.Transport

    def __init__(self, client: "FastClient", loop: asyncio.AbstractEventLoop) -> None:
        """Begin without a transport; the loop brings one."""
        self._client, self.loop = client, loop
        self.exchange: FastExchange | None = None
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._feed = self._parser.feed_data
        self._headers: list[tuple[bytes, bytes]] = []
        self._complete = self._to_end = self.paused = self.answered = self._keep = False
        self._in_head = True
        self._head_bytes = 0
        self.idle_since_s = loop.time()

    def end(self, fault: FaultKind) -> None:
        """Close it at once; an exchange on it fails so."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.failed(fault)
        self._client.lost(self)
        self.transport.abort()

    def pause(self) -> None:
        """Stop reading: nobody asks for what comes."""
        if not self.paused:
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self.paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    # ---- what the loop tells it ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; both loops have set TCP_NODELAY on it."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an answer without a length ends so by right, unless the connection broke."""
        if exc is None:
            self._at_end()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.failed("reset")
        self._client.lost(self)
        self._parser = None  # it holds methods of ours
        self._feed = _dead

    def eof_received(self) -> bool:
        """Take no more calls; the transport closes by itself."""
        self._at_end()
        self._client.lost(self)
        return False

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read to."""
        return _VIEW

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what was read."""
        exchange = self.exchange
        if exchange is None:  # nobody has asked: whatever it is, the next answer would be wrong
            self.end("garbage")
            return
        self.answered = True
        try:
            self._feed(_VIEW[:nbytes])
        except (HttpParserError, HttpParserUpgrade):
            if not self._complete:
                self.end("garbage")
                return
            self._keep = False
        if self._complete:
            self._finish(exchange)
            return
        if self._in_head:
            self._head_bytes += nbytes
            if self._head_bytes > HEAD_BYTES:
                self.end("garbage")
            return
        exchange.news()

    def _finish(self, exchange: FastExchange) -> None:
        """Hand a whole answer over, and take the next call or end."""
        self.exchange = None
        self._complete = self.answered = False
        self._in_head = True
        self._head_bytes = 0
        if self.paused:
            self.resume()
        if self._keep and not self.transport.get_write_buffer_size():
            self.idle_since_s = self.loop.time()
            self._client.idle.append(self)
        else:
            self._client.lost(self)
            self.transport.abort()
        exchange.complete()

    def _at_end(self) -> None:
        exchange = self.exchange
        if exchange is not None and self._to_end and not self._in_head:
            self._keep = False
            self._finish(exchange)

    # ---- what the parser tells it; names are the parser's ----

    def on_message_begin(self) -> None:
        """Begin an answer; a second one to the same call is none."""
        if self._complete:
            raise ValueError("bytes after the answer")
        self._to_end = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, and see whether the answer says where it ends."""
        if not self._in_head:
            return  # a trailer: nothing of ours
        name = name.lower()
        if name == b"content-length" or name == b"transfer-encoding":
            self._to_end = False
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """End the head, unless it is one of an interim answer."""
        parser, exchange = self._parser, self.exchange
        status = 0 if parser is None else parser.get_status_code()
        headers, self._headers = tuple(self._headers), []
        if exchange is None or status < 200:
            return
        exchange.status, exchange.headers = status, headers
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        exchange = self.exchange
        if exchange is not None:
            exchange.took(body)

    def on_message_complete(self) -> None:
        """End the answer, unless it was an interim one."""
        parser = self._parser
        if not self._in_head and parser is not None:
            self._complete = True
            self._keep = parser.should_keep_alive()


def _dead(data: object) -> None:
    """Parse nothing: the connection has ended."""

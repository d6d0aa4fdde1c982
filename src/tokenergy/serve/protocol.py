"""uvicorn's HTTP protocol with what it does not bound itself: slow heads, large heads, idle hands.

uvicorn waits for ever for the end of a request's head, and takes a head of any size. Here a head
has so many bytes and seconds; and whoever answers is told at once when the client has left, by
`on_gone` in the scope, without a task that listens for it.
"""

import asyncio
import re
from typing import Any, ClassVar, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.cycle import Cycle

PLAIN_PATH: Final = re.compile(rb"^/[A-Za-z0-9_/.\-]*$")
"""A target that is a path and nothing else: what nearly all are."""
UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
PIPELINED_COUNT: Final = 4
"""Requests that may wait behind the one that is answered; then nothing more is read."""
ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
ON_GONE: Final = "tokenergy.on_gone"
"""Key of the scope under which an application leaves what is called when its client leaves."""
BUFFERED_BYTES: Final = 4_096
"""What waits in our hands for a client to read, at most, before its upstream is made to wait."""
KEEP_ALIVE_S: Final = 75.0
"""How long a connection may wait for another request: longer than clients and proxies keep one."""
TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
)
TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
)
BROKEN: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
)
ERROR: Final = b'{"error":{"message":"%s","type":"invalid_request_error","param":null,"code":"%s"}}'


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a client."""

    limits: ClassVar[LimitsPlan] = LimitsPlan()
    waiting: ClassVar[dict["GuardedProtocol", float]] = {}
    """Connections whose head is not complete, by the loop's time at which it began."""
    idle: ClassVar[dict["GuardedProtocol", float]] = {}
    """Connections that wait for another request, by the loop's time at which they began to."""
    stalls: ClassVar[dict[Cycle, float]] = {}
    """Answers that wait for a client to read, by the loop's time since when."""
    by_address: ClassVar[dict[str, int]] = {}
    refused_count: ClassVar[int] = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head; turn away an address with too many connections."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=BUFFERED_BYTES)
        self._head_bytes, self._tail = 0, b""
        self._in_head = True
        self._answering: Cycle | None = None
        self.waiting[self] = self.loop.time()
        most = self.limits.connections_per_address_count
        if most:
            address = self._address()
            held = self.by_address.get(address, 0) + 1
            self.by_address[address] = held
            if held > most:
                type(self).refused_count += 1
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever answers that nobody listens any more."""
        self.waiting.pop(self, None)
        self.idle.pop(self, None)
        if self.limits.connections_per_address_count:
            address = self._address()
            held = self.by_address.get(address, 1) - 1
            if held > 0:
                self.by_address[address] = held
            else:
                self.by_address.pop(address, None)
        # Not `self.cycle`: where requests are pipelined that is the last one, which has not begun.
        one = self._answering
        if one is not None:
            self.stalls.pop(one, None)
            if not one.response_complete:
                one.disconnected = True
                one.message_event.set()
        super().connection_lost(exc)
        if one is not None and not one.response_complete:
            scope: Any = one.scope
            gone: Any = scope.get(ON_GONE)
            if gone is not None:
                gone()

    def _address(self) -> str:
        client: Any = self.client
        return "" if client is None else str(client[0])

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head beyond its limit ends the connection."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes and self._head_too_large(data):
                return
            if b"pgrade" in data:  # in its head, or in its body
                data = _without_upgrade(data)
        try:
            self.parser.feed_data(data)
            if self._head_bytes:
                self._tail = data[-3:]
        except httptools.HttpParserUpgrade:
            self._stay()
        except (httptools.HttpParserError, UnicodeDecodeError):
            self._end(BROKEN, b"the request is no HTTP that can be read", b"invalid_http")

    def _head_too_large(self, data: bytes) -> bool:
        """End the connection where the head has no end within its limit."""
        joined = self._tail + data  # an end may come in two pieces
        end = joined.find(b"\r\n\r\n")
        before = self._head_bytes - len(joined)
        if end >= 0 and before + end <= self.limits.head_bytes:
            return False
        text = b"the head is longer than %d bytes" % self.limits.head_bytes
        self._end(TOO_LARGE, text, b"head_too_large")
        return True

    def _stay(self) -> None:
        """Answer by HTTP/1.1 whoever would rather speak another protocol, as many clients offer."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.close()
        else:
            cycle.keep_alive = False

    def _end(self, form: bytes, message: bytes, code: bytes) -> None:
        """Answer in OpenAI's shape, if nothing is being answered, and close."""
        if not self.transport.is_closing():
            cycle: Any = self.cycle
            if cycle is None or cycle.response_complete:
                body = ERROR % (message, code)
                self.transport.write(form % (len(body), body))
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        scope: Any = {
            "type": "http",
            "asgi": ASGI,
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": {},
        }
        self.scope = scope
        self._in_head = True
        self.idle.pop(self, None)
        self.waiting.setdefault(self, self.loop.time())

    def on_headers_complete(self) -> None:
        """End a head, and let the application begin: as uvicorn does, with a cycle of ours."""
        self._in_head = False
        self._head_bytes, self._tail = 0, b""
        self.waiting.pop(self, None)
        version, scope = self.parser.get_http_version(), self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        raw_path, query = self.url, b""
        if not PLAIN_PATH.match(raw_path):
            parsed = httptools.parse_url(raw_path)
            raw_path, query = parsed.path, parsed.query or b""
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"], scope["query_string"] = raw_path, query
        before: Any = self.cycle
        self.cycle = cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.stalls, cycle.loop_time = self.stalls, self.loop.time
        if before is None or before.response_complete:
            self._answering = cycle
            self._start_asgi_task(cycle, self.app)
        else:  # pipelined: it waits for its turn; while we read on we see whether the client leaves
            if len(self.pipeline) >= PIPELINED_COUNT:
                self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_message_complete(self) -> None:
        """Be ready for the next head, whose time begins with its first byte."""
        super().on_message_complete()
        self._in_head = True
        cycle = self.cycle
        if cycle.response_complete and cycle.more_body:  # it was answered before its end
            cycle.more_body = False
            self.waiting.pop(self, None)
            self.idle[self] = self.loop.time()

    def on_response_complete(self) -> None:
        """Go on with the next request, or be idle: without a timer for each."""
        self.server_state.total_requests += 1
        now_s = self.loop.time()
        if self.transport.is_closing():
            if self._answering is not None and self.transport.get_write_buffer_size():
                self.stalls[self._answering] = now_s  # it closes once the client has read
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._answering = cast(Cycle, cycle)
            self._start_asgi_task(cycle, app)
        elif self.cycle.more_body:  # what is left of its body is waited for, not for long
            self.waiting[self] = now_s
        else:
            self.idle[self] = now_s

    @property
    def is_answered(self) -> bool:
        """Whether an answer is out and the rest of its request's body has not come."""
        cycle: Any = self.cycle
        return cycle is not None and cycle.response_complete and cycle.more_body

    @classmethod
    def sweep(cls, now_s: float) -> None:
        """End connections that are slow or long idle; called about once a second."""
        stalled_s = now_s - cls.limits.write_stall_s
        for cycle in [one for one, since_s in cls.stalls.items() if since_s < stalled_s]:
            cls.stalls.pop(cycle, None)
            cycle.transport.abort()
        long_s = now_s - KEEP_ALIVE_S
        for held in [one for one, since_s in cls.idle.items() if since_s < long_s]:
            cls.idle.pop(held, None)
            unread = held.transport.get_write_buffer_size()
            held.transport.abort() if unread else held.transport.close()
        edge_s = now_s - cls.limits.head_s
        for slow in [one for one, began_s in cls.waiting.items() if began_s < edge_s]:
            cls.waiting.pop(slow, None)
            if slow.is_answered:
                slow.transport.close()
                continue
            text = b"the head did not come within %d s" % round(cls.limits.head_s)
            slow._end(TOO_SLOW, text, b"request_timeout")


def _without_upgrade(data: bytes) -> bytes:
    """Return the begin of a request without its offer of another protocol.

    Clients such as Java's offer h2c with every first request. Who does not take it up may pass it
    over, but the parser would end such a request behind its head and lose the body.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return UPGRADE.sub(b"\r\nx-grade:", data)
    return UPGRADE.sub(b"\r\nx-grade:", data[:end]) + data[end:]


def guarded(limits: LimitsPlan) -> type[GuardedProtocol]:
    """Return the protocol with these limits, and with connections of its own."""
    made: dict[str, Any] = {
        "limits": limits,
        "waiting": {},
        "idle": {},
        "stalls": {},
        "by_address": {},
        "refused_count": 0,
    }
    return type("GuardedProtocol", (GuardedProtocol,), made)

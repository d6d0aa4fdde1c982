"""A client of model servers near by: plain HTTP/1.1, connections kept alive, little between.

One write and one future a call, no task and no timer of its own: one sweep over all connections
of a client ends what has been silent for too long.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from tokenergy.serve.upstream import Call, UpstreamFault
from tokenergy.serve.upstream_connection import Connection, FastExchange

KEEP_IDLE_S: Final = 4.0
"""How long an unused connection is kept: uvicorn, and with it vLLM and SGLang, ends them after 5 s,
llama.cpp too. A guess of ours below that."""
SWEEP_S: Final = 0.1
"""How often waits are looked at, so how late a time-out can be."""
JOINED_BYTES: Final = 65_536
"""Up to here a head and its body are joined into one piece of memory."""
KNOWN_COUNT: Final = 64
"""First lines of calls that are kept ready."""
_LINE: Final = b": ".join
"""Makes a line of a name and a value."""


class FastClient:
    """The client of one upstream, by plain HTTP; an `UpstreamClient`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        base_path: str = "",
        connect_s: float,
        addresses: tuple[str, ...] = (),
        allowed: Callable[[str], bool] | None = None,
    ) -> None:
        """Connect nowhere yet.

        Args:
            host: a name or an address.
            port: where it listens.
            base_path: what stands before the path of each call, without a slash at its end.
            connect_s: longest wait for a connection.
            addresses: what the name stands for, where it was looked up already.
            allowed: tells whether an address that the name stands for may be connected to.
        """
        shown = f"[{host}]" if ":" in host else host
        self._host, self._port = host, port
        self._shown = (shown if port == 80 else f"{shown}:{port}").encode()
        self._base_path, self._connect_s = base_path, connect_s
        self.addresses, self._allowed = addresses, allowed
        self._firsts: dict[tuple[str, str], bytes] = {}
        self.idle: list[Connection] = []
        self.connections: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, call: Call) -> FastExchange:
        """Send a call and wait for the head of its answer; see `UpstreamClient`."""
        method, path, headers, body, whole, first_byte_s, between_s = call
        first = self._firsts.get((method, path)) or self._first(method, path)
        head = _head(first, headers, len(body))
        idle = self.idle
        fresh = False
        while True:
            # connections that wait are of this loop, and there are none once the client is closed
            if idle and not fresh:
                connection = idle.pop()
            else:
                fresh, connection = True, await self._connected()
            loop = connection.loop
            waiter: asyncio.Future[None] = loop.create_future()
            exchange = FastExchange(connection, waiter, whole, between_s)
            exchange.began_s = began_s = loop.time()
            exchange.until_s = began_s + first_byte_s
            connection.exchange = exchange
            if len(body) <= JOINED_BYTES:
                connection.transport.write(head + body)
            else:
                connection.transport.writelines((head, body))
            try:
                await waiter
            except BaseException:  # the task was cancelled: whoever asked has gone
                exchange.close()
                raise
            if exchange.fault is None:
                return exchange
            if fresh or not exchange.stale:
                raise UpstreamFault(exchange.fault, sent=True)
            fresh = True

    async def aclose(self) -> None:
        """Close all connections; exchanges under way end with the fault `closed`."""
        self._closed = True
        for connection in tuple(self.connections):
            connection.end("closed")
        self.idle.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await asyncio.sleep(0)  # the loop takes sockets away in its next turn

    def lost(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)

    def _first(self, method: str, path: str) -> bytes:
        """Return the beginning of a head, and keep it for the next call."""
        target = (self._base_path + path).encode("ascii")
        if not target.startswith(b"/") or any(byte <= 32 or byte == 127 for byte in target):
            raise ValueError("a path for the upstream begins with / and has no spaces")
        first = b"%b %b HTTP/1.1\r\nhost: %b\r\ncontent-length: " % (
            method.encode("ascii"), target, self._shown,
        )  # fmt: skip
        if len(self._firsts) < KNOWN_COUNT:
            self._firsts[method, path] = first
        return first

    async def _connected(self) -> Connection:
        """Return a new connection.

        Raises:
            UpstreamFault: refused, connect_timeout or closed; nothing was sent.
        """
        if self._closed:
            raise UpstreamFault("closed", sent=False)
        try:
            async with asyncio.timeout(self._connect_s):
                connection = await self._connect()
        except TimeoutError:
            self._forget_addresses()
            raise UpstreamFault("connect_timeout", sent=False) from None
        except OSError:
            self._forget_addresses()
            raise UpstreamFault("refused", sent=False) from None
        if connection not in self.connections:  # the client was closed meanwhile
            raise UpstreamFault("closed", sent=False)
        return connection

    async def _connect(self) -> Connection:
        loop = self._loop = asyncio.get_running_loop()
        if not self.addresses:
            self.addresses = await self._looked_up(loop)
        fault: OSError = OSError("no address that may be connected to")
        for address in self.addresses:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(self, loop), address, self._port
                )
            except OSError as error:
                fault = error
                continue
            if self._closed:
                connection.end("closed")
                return connection
            self.connections.add(connection)
            if self._sweeper is None:
                self._sweeper = loop.call_later(SWEEP_S, self._sweep)
            return connection
        raise fault

    async def _looked_up(self, loop: asyncio.AbstractEventLoop) -> tuple[str, ...]:
        """Return the addresses that the host's name stands for now, and may be connected to."""
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        return tuple(
            address for address in addresses if self._allowed is None or self._allowed(address)
        )

    def _forget_addresses(self) -> None:
        """Look the name up again next time: the server may have moved."""
        self.addresses = ()

    def _sweep(self) -> None:
        """End what has been silent for too long, and connections that nobody uses."""
        loop = self._loop
        if loop is None or not self.connections:
            self._sweeper = None
            return
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)
        now_s = loop.time()
        for connection in tuple(self.connections):
            exchange = connection.exchange
            if exchange is None:
                if now_s - connection.idle_since_s > KEEP_IDLE_S:
                    connection.end("closed")
            elif exchange.until_s < now_s:
                connection.end("timeout")


def _head(first: bytes, headers: tuple[tuple[bytes, bytes], ...], length_bytes: int) -> bytes:
    """Return everything of a call before its body.

    Raises:
        ValueError: if a header holds a line break: it would be another header.
    """
    lines = b"\r\n".join(map(_LINE, headers))
    if not lines:
        return b"%b%d\r\n\r\n" % (first, length_bytes)
    count = len(headers) - 1
    if lines.count(b"\n") != count or lines.count(b"\r") != count or b"\x00" in lines:
        raise ValueError("a header for the upstream holds a line break or a zero byte")
    return b"%b%d\r\n%b\r\n\r\n" % (first, length_bytes, lines)

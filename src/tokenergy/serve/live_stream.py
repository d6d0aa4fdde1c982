"""One listener of the live page: a stream of server-sent events that ends when it is told to."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from tokenergy.company.serving.ports import StoreFault
from tokenergy.serve.live_hub import LiveHub
from tokenergy.serve.outlet import Outlet

RETRY_MS: Final = 2_000
HEARTBEAT_S: Final = 10.0
"""Longest silence: proxies cut off what says nothing for longer."""
PIECE_BYTES: Final = 65_536
"""A face goes out in such pieces, so that no more of it waits in our hands for a slow reader."""
HEAD: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
OVER: Final = {
    "stopping": "This gateway is about to end.",
    "key": "The key of this stream is not good any more.",
}
"""Why we end a stream ourselves."""
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Listener:
    """Sends what is newer than what it has sent, as fast as its client reads."""

    def __init__(
        self, hub: LiveHub, outlet: Outlet, *, allowed: Callable[[], bool], after: int | None
    ) -> None:
        """Take where events come from and go to.

        Args:
            hub: looks for all listeners.
            outlet: the client's connection.
            allowed: tells whether the client may still listen; asked at every look.
            after: where an earlier stream was cut off; None: it is the first.
        """
        self._hub, self._outlet, self._allowed = hub, outlet, allowed
        self._after, self._cursor = after, 0
        self._face = ""
        self._standing = self._sums = b""
        self._ledger_number = hub.ledger_number
        self._gone = False

    async def run(self, receive: Receive) -> None:
        """Send until the client leaves, may not listen any more, or the worker ends."""
        hub = self._hub
        watches = asyncio.create_task(self._watch(receive))
        hub.enter()
        try:
            await self._outlet.head(200, list(HEAD))
            await self._outlet.write(b"retry: %d\n\n" % RETRY_MS)
            begun = hub.version
            while hub.version == begun and not self._ends:
                await self._wait()
            await self._begin()
            while not self._ends:
                await self._send_news()
                await self._wait()
            await self._end()
        finally:
            hub.leave()
            watches.cancel()

    @property
    def _ends(self) -> bool:
        return self._gone or self._hub.stopping or not self._allowed()

    async def _watch(self, receive: Receive) -> None:
        """Note when the client leaves."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._hub.wake()

    async def _wait(self) -> None:
        """Wait for the next look; say something where it does not come."""
        if not await self._hub.changed(within_s=HEARTBEAT_S) and not self._gone:
            await self._outlet.write(b": still here\n\n")

    async def _begin(self) -> None:
        """Send how it stands first, then what was missed, or the newest."""
        if self._ends:
            return
        await self._send_news(decisions=False)
        try:
            told = await self._hub.decided_from(self._after)
        except StoreFault:
            return  # the standing says so; the looks tell the newest once it can be read
        self._cursor = told.cursor
        await self._send("decisions", _listed(told.texts))

    async def _send_news(self, *, decisions: bool = True) -> None:
        hub = self._hub
        if hub.standing is not self._standing:
            self._standing = hub.standing
            await self._send("standing", self._standing)
        if hub.face is not None and hub.face.mark != self._face:
            self._face = hub.face.mark
            await self._send("face", hub.face.text)
        if decisions:
            if hub.ledger_number != self._ledger_number:
                self._ledger_number, self._cursor = hub.ledger_number, 0
            told = hub.decided_after(self._cursor)
            self._cursor = told.cursor
            if told.texts:
                await self._send("decisions", _listed(told.texts))
        if hub.sums is not self._sums:
            self._sums = hub.sums
            await self._send("sums", self._sums)

    async def _send(self, event: str, text: bytes) -> None:
        """Send an event; it waits while the client's buffer is full."""
        told = b"event: %b\nid: %d\ndata: %b\n\n" % (event.encode(), self._cursor, text)
        for at in range(0, len(told), PIECE_BYTES):
            if self._gone:
                return
            await self._outlet.write(told[at : at + PIECE_BYTES])

    async def _end(self) -> None:
        """End the stream as a whole answer, and say why, where the client is still there."""
        if self._gone:
            return
        reason = "stopping" if self._hub.stopping else "key"
        await self._send("over", msgspec.json.encode({"reason": reason, "text": OVER[reason]}))
        await self._outlet.end(b"")


def _listed(texts: list[bytes]) -> bytes:
    return b"[" + b",".join(texts) + b"]"

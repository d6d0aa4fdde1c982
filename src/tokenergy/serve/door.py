"""The door: raw ASGI for the requests that matter, everything else behind it.

A key is asked for before a body is read: an unknown one never makes us take ten megabytes.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from tokenergy.serve import openai_error
from tokenergy.serve.asked import ENDPOINT_PATHS
from tokenergy.serve.flight import Flight
from tokenergy.serve.gateway import Gateway
from tokenergy.serve.headers import require_json
from tokenergy.serve.heads import Heads
from tokenergy.serve.idempotent import Repeats
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.outlet import AsgiOutlet, Send
from tokenergy.serve.passing import may_pass
from tokenergy.serve.protocol import ON_GONE
from tokenergy.serve.side_app import is_side_path

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
SWEEP_S: Final = 1.0


class _Reading:
    """A body that is being read: since when, and how much of it is there."""

    __slots__ = ("began_s", "got_bytes", "slow", "task")

    def __init__(self, began_s: float, task: "asyncio.Task[Any] | None") -> None:
        self.began_s, self.task = began_s, task
        self.got_bytes = 0
        self.slow = False


class _ClientLeft(Exception):
    """The client left before its request was there."""


class Door:
    """The ASGI application of one worker."""

    def __init__(self, gateway: Gateway, side: AsgiApp) -> None:
        """Take who answers what.

        Args:
            gateway: answers completions, chats, responses and embeddings.
            side: answers everything else.
        """
        self.gateway, self._side = gateway, side
        self._repeats = Repeats(gateway)
        self._heads = Heads(gateway.plan.limits)
        self._reading: set[_Reading] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        endpoint: str | None = ENDPOINT_PATHS.get(path)
        if endpoint is None:
            if scope["method"] != "POST" or is_side_path(path) or not may_pass(path):
                await self._side(scope, receive, send)
                return
            endpoint = path
        gateway, outlet = self.gateway, AsgiOutlet(send)
        try:
            if scope["method"] != "POST":
                raise openai_error.method_not_allowed(scope["method"], "POST")
            head, length = self._heads.read(scope["headers"])
            caller = gateway.caller_of(head.key, scope="inference")
            require_json(head)
            body = await self._body(receive, length)
            began_tick_s = gateway.tick_s()
            flight = Flight(
                gateway, outlet, caller=caller, endpoint=endpoint, body=body,
                wishes=head.wishes, inwards=head.inwards, request_id=gateway.new_id(),
                began_tick_s=began_tick_s,
            )  # fmt: skip
        except ApiError as error:
            gateway.tally.add("tokenergy_errors", (str(error.status), error.code or ""))
            await outlet.whole(error.status, error.head(), error.body())
            return
        except _ClientLeft:
            return
        if head.idempotency_key:
            await self._repeats.answer(flight, outlet, head.idempotency_key, scope)
            return
        scope[ON_GONE] = flight.left
        try:
            await gateway.run(flight)
        finally:
            del scope[ON_GONE]  # else they hold each other, and a long body with them

    async def _body(self, receive: Receive, length: int | None) -> bytes:
        """Return the whole body.

        Raises:
            ApiError: 413 as soon as it is known to be too long; 408 where it comes too slowly.
        """
        limit = self.gateway.plan.limits.body_bytes
        if length is not None and length > limit:
            raise openai_error.too_large(limit)
        reading = _Reading(self.gateway.tick_s(), asyncio.current_task())
        self._reading.add(reading)
        try:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            body: bytes = message.get("body", b"")
            if not message.get("more_body", False):
                if len(body) > limit:
                    raise openai_error.too_large(limit)
                return body
            parts = [body]
            reading.got_bytes = len(body)
            while message.get("more_body", False):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _ClientLeft
                part: bytes = message.get("body", b"")
                reading.got_bytes += len(part)
                if reading.got_bytes > limit:
                    raise openai_error.too_large(limit)
                parts.append(part)
            return b"".join(parts)
        except asyncio.CancelledError:
            if reading.slow:
                raise openai_error.too_slow("body") from None
            raise
        finally:
            self._reading.discard(reading)

    def sweep(self) -> None:
        """End bodies that come too slowly; called about once a second."""
        limits, now_s = self.gateway.plan.limits, self.gateway.tick_s()
        for reading in list(self._reading):
            since_s = now_s - reading.began_s
            if since_s < limits.body_grace_s or reading.slow:
                continue
            if reading.got_bytes < limits.body_bytes_per_s * since_s and reading.task is not None:
                reading.slow = True
                reading.task.cancel()

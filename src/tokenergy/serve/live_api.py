"""The live page: its shell at `/`, and the stream that fills it, for operators alone.

The shell knows no company, so it needs no key; the stream wants one with scope `admin`. While the
door is open (this machine alone, and no key was ever made) the stream wants none; then only names
of this machine are answered, so that no other name that leads here (DNS rebinding) reads anything.
"""

import asyncio
import re
import time
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.serve.live_hub import MOST_LISTENERS_COUNT, LiveHub
from tokenergy.serve.live_stream import Listener, Receive
from tokenergy.serve.observe_app import HEADERS, NAMES
from tokenergy.serve.openai_error import ApiError, forbidden, unavailable
from tokenergy.serve.outlet import AsgiOutlet, Send
from tokenergy.serve.side import Side
from tokenergy.serve.side_http import guarded

SCOPE: Final = "admin"
PAGE: Final = "/"
STREAM: Final = "/v1/tokenergy/live"
RECHECK_S: Final = 5.0
"""How often it is looked whether a listener's key is still good."""
HEAD: Final = (*HEADERS, (b"content-security-policy", b"frame-ancestors 'none'"))
NOT_YET: Final = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">'
    '<meta name="color-scheme" content="light dark"><title>Tokenergy</title>'
    "<p>The page is being made, which takes seconds, and comes by itself. If it does not, the log "
    "of <code>tokenergy serve</code> says why.</p></html>"
)
RETRY_S: Final = 1.0
OWN_NAME: Final = re.compile(
    f"({'|'.join(re.escape(name) for name in (*NAMES, '[::1]'))})(:[0-9]{{1,5}})?"
)
"""Under which this machine is answered: a name of its own, and a port."""


class LiveApi:
    """The page and its stream."""

    def __init__(
        self, side: Side, hub: LiveHub, *, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the gateway, and who looks for all listeners."""
        self._side, self._hub, self._ticks = side, hub, ticks

    def routes(self) -> list[Route]:
        """Return the routes; the stream's answers GET by `stream`, which goes before them."""
        return [
            Route(PAGE, guarded(self.page), methods=["GET"]),
            Route(STREAM, guarded(self.nothing), methods=["GET"]),
        ]

    def is_stream(self, scope: MutableMapping[str, Any]) -> bool:
        """Tell whether a request is for `stream`."""
        return (
            scope["type"] == "http" and scope["method"] == "GET" and bool(scope["path"] == STREAM)
        )

    async def page(self, request: Request) -> Response:
        """Answer the shell; 503 until it is made."""
        self._check_host(request.headers.raw)
        faces = self._hub.faces
        if self._side.plan.open_door:
            faces.ask()  # else who may look is known by the stream alone: nobody draws for others
        page = await asyncio.to_thread(faces.page)
        if page is None:
            told = Response(NOT_YET, 503, media_type="text/html")
            told.headers["retry-after"] = f"{RETRY_S:.0f}"
        else:
            mark = f'"{page.mark}"'
            known = mark in request.headers.get("if-none-match", "")
            told = Response(
                b"" if known else page.body, 304 if known else 200, media_type="text/html"
            )
            told.headers["etag"] = mark
        told.raw_headers += list(HEAD)
        return told

    async def nothing(self, request: Request) -> Response:
        """Answer HEAD: who may listen is told by the status."""
        self._check(request.headers.raw)
        return Response(media_type="text/event-stream")

    async def stream(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Send events until the client leaves or the worker ends."""
        outlet, headers, hub = AsgiOutlet(send), scope["headers"], self._hub
        try:
            self._check(headers)
            if hub.stopping:
                raise unavailable("stopping", "This gateway is about to end.")
            if hub.listeners_count >= MOST_LISTENERS_COUNT:
                raise unavailable(
                    "too_many_listeners",
                    f"{MOST_LISTENERS_COUNT} listen to this worker already, its limit.",
                    retry_s=RETRY_S,
                )
        except ApiError as error:
            await outlet.whole(error.status, error.head(), error.body())
            return
        listener = Listener(hub, outlet, allowed=self._still_allowed(headers), after=_after(scope))
        await listener.run(receive)

    def _check(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Let operators in.

        Raises:
            ApiError: 401, 403 or 503.
        """
        self._check_host(headers)
        self._side.caller(headers, scope=SCOPE)

    def _check_host(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Answer under this machine's own names alone, while nobody needs a key.

        Raises:
            ApiError: 403.
        """
        if not self._side.plan.open_door:
            return
        host = next((value for name, value in headers if name == b"host"), b"")
        if OWN_NAME.fullmatch(host.decode("latin-1").lower()) is None:
            raise forbidden("Without keys this page is for this machine alone.", code="wrong_host")

    def _still_allowed(self, headers: Sequence[tuple[bytes, bytes]]) -> Callable[[], bool]:
        """Return what tells, every few seconds, whether a listener's key is still good."""
        checked_s, good = self._ticks(), True

        def allowed() -> bool:
            nonlocal checked_s, good
            if good and self._ticks() - checked_s >= RECHECK_S:
                checked_s = self._ticks()
                try:
                    self._check(headers)
                except ApiError as error:
                    good = error.status >= 500  # keys that cannot be asked now: as before
            return good

        return allowed


def _after(scope: MutableMapping[str, Any]) -> int | None:
    """Return where an earlier stream was cut off: `Last-Event-ID`, or `after` of the query."""
    found = next((value for name, value in scope["headers"] if name == b"last-event-id"), b"")
    for part in bytes(scope.get("query_string", b"")).split(b"&"):
        name, _, value = part.partition(b"=")
        if name == b"after" and value:
            found = value
    return int(found) if found.isdigit() and len(found) < 19 else None

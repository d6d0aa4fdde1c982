"""The page of a watch, its JSON and its metrics, served to this machine alone."""

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tokenergy.errors import InputError
from tokenergy.serve.exposition import CONTENT_TYPE, Exposition
from tokenergy.serve.figures import Figures
from tokenergy.serve.live_window import LiveWindow, LiveWindows

LOOPBACK: Final = "127.0.0.1"
"""Where it listens: who may see a company's costs from elsewhere is for a proxy to decide."""
NAMES: Final = (LOOPBACK, "localhost")
"""Names under which it answers; another name that leads here (DNS rebinding) gets nothing."""
HEADERS: Final = (
    (b"cache-control", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
BARE: Final = b"default-src 'none'; frame-ancestors 'none'"
"""Of an answer that is no page; the page brings its own policy, and no frame may hold it."""
GRACE_S: Final = 1
NOT_YET: Final = "no window has ended yet"

Draw = Callable[[LiveWindow | None, str], str]
"""Draws the page of a window, or of none yet, and of why the window after it failed."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Guarded:
    """Adds to every answer the headers that keep a browser from misusing it."""

    def __init__(self, app: App) -> None:
        """Take the application that answers."""
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer, with the headers."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                page = any(
                    name == b"content-type" and value.startswith(b"text/html")
                    for name, value in message["headers"]
                )
                policy = b"frame-ancestors 'none'" if page else BARE
                message["headers"] = [
                    *message["headers"],
                    *HEADERS,
                    (b"content-security-policy", policy),
                ]
            await send(message)

        await self._app(scope, receive, told)


class ObserveApp:
    """Answers from the last window; draws its page once, when somebody asks for it."""

    def __init__(self, windows: LiveWindows, *, draw: Draw) -> None:
        """Take who holds the windows, and who draws them."""
        self._windows, self._draw = windows, draw
        self._lock = threading.Lock()
        self._drawn: tuple[tuple[str, str], str] | None = None
        self._exposition = Exposition(self._figures)

    def app(self) -> App:
        """Return the application: four addresses to read, and nothing to write."""
        routes = [
            Route("/", self.page),
            Route("/observation.json", self.observation),
            Route("/metrics", self.metrics),
            Route("/healthz", self.health),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(NAMES), www_redirect=False)
        return Guarded(Starlette(routes=routes, middleware=[hosts]))

    def page(self, _: Request) -> Response:
        """Answer the page; two that ask at once wait for one drawing."""
        with self._lock:
            window, fault = self._windows.last()
            key = ("" if window is None else window.mark, fault)
            if self._drawn is None or self._drawn[0] != key:
                self._drawn = (key, self._draw(window, fault))
            return HTMLResponse(self._drawn[1])

    def observation(self, request: Request) -> Response:
        """Answer the observation; whoever has it already is told so in no bytes."""
        window, _ = self._windows.last()
        if window is None:
            return JSONResponse({"error": NOT_YET}, 503, headers=self._later())
        mark = {"etag": window.mark}
        if window.mark in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=mark)
        return Response(window.body, media_type="application/json", headers=mark)

    def metrics(self, _: Request) -> Response:
        """Answer Prometheus; an old window's prices are not told as those of now."""
        window, _fault = self._windows.last()
        if window is None or self._windows.old():
            text = NOT_YET if window is None else f"the last window is {self._age()} old"
            return PlainTextResponse(f"{text}\n", 503, headers=self._later())
        with self._lock:
            return Response(self._exposition.text(), headers={"content-type": CONTENT_TYPE})

    def health(self, _: Request) -> Response:
        """Answer whether windows still end: 503 once the last one is older than three."""
        window, fault = self._windows.last()
        old = self._windows.old()
        status = "old" if old else "waiting" if window is None else "ok"
        told = {
            "status": status,
            "age_s": round(self._windows.age_s(), 3),
            "window_s": self._windows.window_s,
            "windows_count": 0 if window is None else window.number,
            "last_window_end": None if window is None else window.observation["end"],
            "fault": fault or None,
        }
        return JSONResponse(told, 503 if old else 200)

    def _figures(self) -> Figures:
        window, _ = self._windows.last()
        return Figures() if window is None else window.figures

    def _later(self) -> dict[str, str]:
        return {"retry-after": str(max(1, round(self._windows.window_s)))}

    def _age(self) -> str:
        return f"{self._windows.age_s():.0f} s"


def listen(port: int) -> socket.socket:
    """Return a socket that listens on this machine alone; a port of 0 is a free one.

    Raises:
        InputError: if the port is no port, is taken, or may not be used.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"port {port}: a port is a number from 0 to 65535")
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((LOOPBACK, port))
        door.listen()
    except OSError as error:
        door.close()
        raise InputError(
            f"cannot listen on {LOOPBACK}:{port}: {error.strerror or error}; is another "
            "`tokenergy observe` running? Choose another port with --port"
        ) from error
    return door


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, and ends once `stop` is set."""

    def __init__(self, app: App, *, stop: threading.Event) -> None:
        """Take the application, and what ends it."""
        self._stop = stop
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal: whoever runs this sets `stop`."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Tell ten times a second whether to end."""
        return await super().on_tick(counter) or self._stop.is_set()

"""A stand-in for the gateway's stream: says to a page what a test wants, and can fall silent.

    with LiveStand(page=live_html()) as stand:
        stand.say("face", face_of(outlook_of()))
        looked.page.goto(stand.url)
        stand.drop()  # ends every stream; `deaf = True` refuses new ones

What it says is arithmetic, not the gateway's: the tests of a real gateway stand beside these.
"""

import contextlib
import json
import re
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from browsing import Looked
from live_outlook import outlook_of

from tokenergy.page.live import face_of
from tokenergy.page.rows import Row

NAMES = ("face", "standing", "sums")
"""What a new listener is told at once is the last of each; of decisions it is told all."""
ALARM = {
    "code": "MW_BINDS", "severity": "warning", "about": "texas",
    "text": "texas: 5.09 USD/MWh, limit 15 MW.",
}  # fmt: skip
WORN = "document.documentElement.dataset.board"
TEXT_OF = "(id) => document.getElementById(id).innerText"
SHOWN = "[...document.querySelectorAll('#decisions-rows tbody tr')].map((row) => row.dataset.id)"


class LiveStand:
    """A server on this machine with one page and one stream.

    Attributes:
        deaf: new listeners get 503 and a reason.
        key: what a listener must bring; "" asks for none.
        asked: headers of each stream that was asked for.
    """

    def __init__(self, *, page: str) -> None:
        self.page, self.deaf, self.key = page.encode(), False, ""
        self.asked: list[dict[str, str]] = []
        self._told: list[tuple[int, str, str]] = []
        self._listeners: list[Queue[tuple[int, str, str] | None]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.drop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def say(self, name: str, value: Any) -> None:
        """Tell every listener, and those that come."""
        with self._lock:
            event = (len(self._told) + 1, name, json.dumps(value))
            self._told.append(event)
            for listener in self._listeners:
                listener.put(event)

    def drop(self) -> None:
        """End every stream."""
        with self._lock:
            for listener in self._listeners:
                listener.put(None)
            self._listeners.clear()

    def listen(self, after: int) -> "Queue[tuple[int, str, str] | None]":
        """Return what a listener hears that has heard everything up to `after`."""
        heard: Queue[tuple[int, str, str] | None] = Queue()
        with self._lock:
            last = {name: cursor for cursor, name, _ in self._told if name in NAMES}
            for event in self._told:
                new = event[0] > after and event[1] not in NAMES
                if new or last.get(event[1]) == event[0]:
                    heard.put(event)
            self._listeners.append(heard)
        return heard


def _handler(stand: LiveStand) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(200, "text/html; charset=utf-8", stand.page)
            elif self.path.startswith("/v1/tokenergy/live"):
                self._stream()
            else:
                self._answer(404, "text/plain", b"not here")

        def _stream(self) -> None:
            stand.asked.append(dict(self.headers.items()))
            if stand.key and self.headers.get("Authorization") != f"Bearer {stand.key}":
                said = {"error": {"message": "no key with scope admin"}}
                self._answer(401, "application/json", json.dumps(said).encode())
                return
            if stand.deaf:
                self._answer(503, "text/plain", b"32 listeners are the most")
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            heard = stand.listen(int(self.headers.get("Last-Event-ID") or 0))
            self.wfile.write(b"retry: 2000\n\n: hello\n\n")
            with contextlib.suppress(OSError):  # the page went away
                self._tell(heard)

        def _tell(self, heard: "Queue[tuple[int, str, str] | None]") -> None:
            while True:
                try:
                    event = heard.get(timeout=5.0)
                except Empty:
                    self.wfile.write(b": still here\n\n")
                    continue
                if event is None:
                    return
                cursor, name, data = event
                text = f"event: {name}\nid: {cursor}\ndata: {data}\n\n"
                self.wfile.write(text.encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def standing_of(**changes: Any) -> dict[str, Any]:
    """Return how a gateway stands, as the stream says it, with some of it changed."""
    return {
        "now": "2026-03-02T18:03:12Z",
        "company": "Example",
        "currency": "USD",
        "board_id": "board-0",
        "policy": "daily_lp",
        "stale": False,
        "safe_mode": False,
        "in_flight_count": 3,
        "held": {"batch": 2},
        "checks": [{"name": "board", "status": "ok", "reason": ""}],
        "alarms": [],
        "budgets": [
            {"name": "power", "unit": "USD", "limit": 1000.0, "spent": 420.0, "left": 580.0}
            | {"window_start": "2026-03-01T00:00Z", "window_end": "2026-04-01T00:00Z"}
            | {"elapsed_share": 0.3, "spent_share": 0.42, "lambda_ratio": 0.08}
        ],
        "limits": [
            {"tenant": "acme", "unit": "USD", "limit": 50.0, "spent": 12.5}
            | {"window_end": "2026-04-01T00:00Z"}
        ],
        "left_out_count": 0,
    } | changes


def decision_of(number: int, **changes: Any) -> dict[str, Any]:
    """Return one decision, as the stream says it, with some of it changed."""
    return {
        "id": f"req-{number}",
        "at": f"2026-03-02T18:{number // 60 % 60:02}:{number % 60:02}Z",
        "tenant": "acme",
        "tier": "chat",
        "workload": "chat-america",
        "model": "large",
        "site": "texas",
        "decision": "serve",
        "reason": "value_above_cost",
        "words": "Served: it is worth 0.50 USD and costs 0.04 USD.",
        "input_tokens": 1000,
        "output_tokens": 250,
        "cost_usd": 0.00012,
        "charged_usd": 0.002,
        "joules": 120.5,
        "energy_tier": "modelled",
        "marginal_usd_per_mtok": 0.036,
        "outcome": "completed",
    } | changes


def sums_of() -> dict[str, Any]:
    """Return sums of a day: 300 served for 1.50 USD, 20 of them refused."""
    row = {"tenant": "acme", "tier": "chat", "model": "large", "site": "texas"}
    figures = {"requests_count": 200, "input_tokens": 200_000, "output_tokens": 50_000}
    figures |= {"cost_usd": 1.0, "charged_usd": 4.0, "joules": 24_000.0}
    other = {"requests_count": 100, "cost_usd": 0.5, "joules": 12_000.0, "measured_joules": None}
    return {
        "since": "2026-03-01T18:00Z",
        "rows": [
            row | figures | {"measured_joules": 23_000.0},
            row | figures | other | {"tenant": "beta", "site": "virginia"},
        ],
        "refused": [
            {"tenant": "beta", "tier": "chat", "reason": "budget_exhausted", "requests_count": 20}
        ],
    }


def text_of(looked: Looked, anchor: str) -> str:
    return re.sub(r"[ \n\t]+", " ", str(looked.page.evaluate(TEXT_OF, anchor)))


def opened(looked: Looked, stand: LiveStand) -> None:
    """Show the page and wait until its board stands and is drawn."""
    looked.page.goto(stand.url)
    looked.until(WORN)
    looked.drawn()


def told(stand: LiveStand, face: Row) -> None:
    """Say everything once."""
    stand.say("standing", standing_of(alarms=[ALARM]))
    stand.say("face", face)
    stand.say("decisions", [decision_of(number) for number in range(3)])
    stand.say("sums", sums_of())


@cache
def first_face() -> Row:
    """Return the face of the first board, drawn once for all who ask."""
    return face_of(outlook_of())

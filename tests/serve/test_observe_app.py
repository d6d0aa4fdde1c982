"""The page of a watch as it is served: by a real server on loopback, to a real client."""

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from seen_by_hand import observation

from tokenergy.errors import InputError
from tokenergy.page.observed import history_rows, observed_html, waiting_html
from tokenergy.serve.exposition import CONTENT_TYPE
from tokenergy.serve.figures import Figures, PowerFigure, PriceFigure, TokenFigure
from tokenergy.serve.live_window import HISTORY_COUNT, LiveWindow, LiveWindows
from tokenergy.serve.observe_app import ObserveApp, Server, listen

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class Ticks:
    """A clock that goes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 5000.0

    def __call__(self) -> float:
        return self.now_s


class Client:
    """Asks one server, and counts what was drawn for it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=4, retries=False)
        self.drawn: list[tuple[int, str]] = []

    def __call__(self, path: str, *, method: str = "GET", **headers: str):
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._pool.request(method, path, headers=told, timeout=10.0)

    def close(self) -> None:
        self._pool.close()


@contextmanager
def served(windows: LiveWindows) -> Iterator[Client]:
    """Serve the windows until the end of the block."""
    stop = threading.Event()
    with listen(0) as door:
        client = Client(door.getsockname()[1])

        def draw(window: LiveWindow | None, fault: str) -> str:
            client.drawn.append((0 if window is None else window.number, fault))
            if window is None:
                return waiting_html(window_s=windows.window_s, fault=fault)
            return observed_html(
                window.observation, window.history, follow_every_s=windows.window_s, fault=fault
            )

        server = Server(ObserveApp(windows, draw=draw).app(), stop=stop)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            yield client
        finally:
            client.close()
            stop.set()
            thread.join(10.0)
    assert not thread.is_alive()


def figures() -> Figures:
    return Figures(
        tokens=(TokenFigure(site="paris", model="small", token_type="output", tokens=18_007),),
        prices=(PriceFigure(site="paris", model="small", token_type="output", component="energy",
                            usd_per_mtok=0.0213),),
        power=(PowerFigure(site="paris", usd_per_mwh=81.375),
               PowerFigure(site="oslo", usd_per_mwh=None)),
    )  # fmt: skip


def put(windows: LiveWindows, at: int = 0, **changes) -> dict:
    seen = observation(window=at, **changes)
    windows.put(seen, rows=history_rows(seen), figures=figures())
    return seen


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def windows(ticks: Ticks) -> LiveWindows:
    return LiveWindows(window_s=60.0, ticks=ticks)


def test_the_page_is_the_observation_drawn_once_for_each_window(windows: LiveWindows) -> None:
    seen = put(windows)
    with served(windows) as ask:
        first, again = ask("/"), ask("/")
        assert first.status == 200
        assert first.headers["content-type"] == "text/html; charset=utf-8"
        assert first.data == again.data
        assert ask.drawn == [(1, "")]
        text = first.data.decode()
        assert str(seen["company"]) in text and "12:10:00 to 12:11:00 UTC" in text
        put(windows, 1)
        assert "12:11:00 to 12:12:00 UTC" in ask("/").data.decode()
        windows.fail("no <file>")
        assert "no &lt;file&gt;" in ask("/").data.decode()
        assert ask.drawn == [(1, ""), (2, ""), (2, "no <file>")]


def test_many_that_ask_at_once_wait_for_one_drawing(windows: LiveWindows) -> None:
    put(windows)
    with served(windows) as ask:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(ask("/").status)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20.0)
        assert statuses == [200] * 6
        assert ask.drawn == [(1, "")]


def test_the_json_is_the_observation_to_the_last_digit(windows: LiveWindows) -> None:
    seen = put(windows)
    with served(windows) as ask:
        answer = ask("/observation.json")
        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.data) == seen
        mark = answer.headers["etag"]
        known = ask("/observation.json", if_none_match=mark)
        assert (known.status, known.data, known.headers["etag"]) == (304, b"", mark)
        put(windows, 1)
        assert ask("/observation.json", if_none_match=mark).status == 200
    other = LiveWindows(window_s=60.0)
    put(other)
    assert other.last()[0].mark != mark, "another run's first window is another window"


def test_the_metrics_are_read_by_prometheus_own_parser(windows: LiveWindows) -> None:
    put(windows)
    with served(windows) as ask:
        answer = ask("/metrics")
    assert answer.headers["content-type"] == CONTENT_TYPE
    samples = {
        (sample.name, sample.labels.get("site")): sample.value
        for family in text_string_to_metric_families(answer.data.decode())
        for sample in family.samples
    }
    assert samples["tokenergy_tokens_total", "paris"] == 18_007
    assert samples["tokenergy_power_price_usd_per_mwh", "paris"] == 81.375
    assert ("tokenergy_power_price_usd_per_mwh", "oslo") not in samples


def test_before_the_first_window_it_waits_and_says_so(windows: LiveWindows, ticks: Ticks) -> None:
    with served(windows) as ask:
        page = ask("/")
        assert page.status == 200
        assert "The first window of 60 s has not ended yet" in page.data.decode()
        for path in ("/observation.json", "/metrics"):
            answer = ask(path)
            assert (answer.status, answer.headers["retry-after"]) == (503, "60")
            assert b"no window has ended yet" in answer.data
        health = json.loads(ask("/healthz").data)
        assert (health["status"], health["windows_count"]) == ("waiting", 0)
        ticks.now_s += 181.0
        assert ask("/healthz").status == 503


def test_health_and_metrics_end_after_three_windows(windows: LiveWindows, ticks: Ticks) -> None:
    """180 s of 60 s windows are three; a second later the last one is old, and its prices too."""
    seen = put(windows)
    with served(windows) as ask:
        ticks.now_s += 180.0
        fine = ask("/healthz")
        told = json.loads(fine.data)
        assert (fine.status, told["status"], told["age_s"]) == (200, "ok", 180.0)
        assert told["last_window_end"] == seen["end"]
        ticks.now_s += 1.0
        late = ask("/healthz")
        assert (late.status, json.loads(late.data)["status"]) == (503, "old")
        assert ask("/metrics").status == 503
        assert b"181 s old" in ask("/metrics").data
        assert ask("/").status == 200  # the page stays, and its script says that it is old
        windows.fail("the engine is gone")
        assert json.loads(ask("/healthz").data)["fault"] == "the engine is gone"
        put(windows, 1)
        assert json.loads(ask("/healthz").data)["fault"] is None


@pytest.mark.parametrize("path", ["/", "/observation.json", "/metrics", "/healthz"])
def test_it_is_read_only(windows: LiveWindows, path: str) -> None:
    put(windows)
    with served(windows) as ask:
        assert ask(path, method="HEAD").status == 200
        assert ask(path, method="HEAD").data == b""
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert ask(path, method=method).status == 405


@pytest.mark.parametrize(
    "path", ["/favicon.ico", "/observation", "/static/report.css", "/../etc/passwd", "/%2e%2e/x"]
)
def test_everything_else_is_not_found(windows: LiveWindows, path: str) -> None:
    put(windows)
    with served(windows) as ask:
        assert ask(path).status == 404


def test_every_answer_carries_the_headers(windows: LiveWindows) -> None:
    put(windows)
    with served(windows) as ask:
        for path, method in (("/", "GET"), ("/observation.json", "GET"), ("/metrics", "GET"),
                             ("/healthz", "GET"), ("/nothing", "GET"), ("/", "POST")):  # fmt: skip
            headers = ask(path, method=method).headers
            assert {name: headers[name] for name in SECURITY} == SECURITY
            policy = headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy
            assert ("default-src 'none'" in policy) == ((path, method) != ("/", "GET"))
            assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_another_name_that_leads_here_gets_nothing(windows: LiveWindows, host: str) -> None:
    """A page elsewhere may point its own name at 127.0.0.1 and ask: DNS rebinding."""
    put(windows)
    with served(windows) as ask:
        answer = ask("/observation.json", host=host)
        assert answer.status == 400
        assert b"paris" not in answer.data
        assert ask("/observation.json", host=f"localhost:{ask.port}").status == 200


def test_it_listens_on_this_machine_alone_and_a_taken_port_is_refused() -> None:
    with listen(0) as door:
        host, port = door.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(InputError, match=rf"127\.0\.0\.1:{port}.*--port"):
            listen(port)
    with listen(port) as again:  # free at once
        assert again.getsockname() == (host, port)
    with pytest.raises(InputError, match="65536"):
        listen(65_536)


def test_it_ends_while_a_client_still_holds_a_connection(windows: LiveWindows) -> None:
    put(windows)
    with served(windows) as ask, socket.create_connection(("127.0.0.1", ask.port), 5) as held:
        held.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert held.recv(15).startswith(b"HTTP/1.1 200")


# ---- windows ----


def test_a_day_is_remembered_and_no_more(ticks: Ticks) -> None:
    windows = LiveWindows(window_s=3600.0, ticks=ticks)
    for at in range(30):
        windows.put(observation(), rows=[{"at": at}], figures=Figures())
        ticks.now_s += 3600.0
    window, _ = windows.last()
    assert window is not None and window.number == 30
    assert [row["at"] for row in window.history] == list(range(6, 30))


def test_of_short_windows_the_last_are_remembered(ticks: Ticks) -> None:
    windows = LiveWindows(window_s=1.0, ticks=ticks)
    for at in range(HISTORY_COUNT + 5):
        windows.put({}, rows=[{"at": at}], figures=Figures())
    window, _ = windows.last()
    assert window is not None
    assert [row["at"] for row in window.history] == list(range(5, HISTORY_COUNT + 5))


def test_what_is_no_json_is_a_fault_of_ours_and_changes_nothing(windows: LiveWindows) -> None:
    put(windows)
    with pytest.raises(ValueError, match="JSON"):
        put(windows, 1, span_s=float("nan"))
    window, _ = windows.last()
    assert window is not None and window.number == 1


# ---- in a browser ----


def browsed(folder: Path, *, after_page: str) -> tuple[str, list[str], list[str]]:
    """Return what a browser shows in the end, what it asked of the server, and its console.

    After the first page there is a new window (`after_page` is `window`), or no server (`gone`).
    """
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    windows, stop = LiveWindows(window_s=1.0), threading.Event()
    put(windows)
    asked: list[str] = []

    class Listened(ObserveApp):
        def page(self, request):
            asked.append(request.url.path)
            answer = super().page(request)
            if after_page == "gone":
                stop.set()
            elif len(asked) == 1:
                put(windows, 1)
            return answer

        def observation(self, request):
            asked.append(request.url.path)
            return super().observation(request)

    def draw(window: LiveWindow | None, fault: str) -> str:
        assert window is not None
        return observed_html(window.observation, window.history, follow_every_s=1.0, fault=fault)

    with listen(0) as door:
        address = f"http://127.0.0.1:{door.getsockname()[1]}/"
        server = Server(Listened(windows, draw=draw).app(), stop=stop)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            answer = subprocess.run(
                [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                 "--no-first-run", "--disable-background-networking", "--disable-sync",
                 "--disable-component-update", "--enable-logging=stderr", "--dump-dom",
                 "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                 "--virtual-time-budget=8000", f"--user-data-dir={folder / 'profile'}", address],
                capture_output=True, text=True, check=True, timeout=180,
            )  # fmt: skip
        finally:
            stop.set()
            thread.join(10.0)
    return answer.stdout, asked, re.findall(r"^.*CONSOLE.*$", answer.stderr, re.MULTILINE)


@pytest.mark.slow
def test_a_browser_follows_the_windows_and_asks_nobody_else(tmp_path: Path) -> None:
    dom, asked, console = browsed(tmp_path, after_page="window")
    assert "12:11:00 to 12:12:00 UTC" in dom, asked
    assert console == []
    assert set(asked) == {"/", "/observation.json"}
    assert dom.count('data-state="drawn"') == 2
    assert asked.count("/") == 2, "it is read anew for a new window only"


@pytest.mark.slow
def test_a_page_whose_server_is_gone_says_that_it_is_old(tmp_path: Path) -> None:
    dom, asked, _ = browsed(tmp_path, after_page="gone")
    assert asked[0] == "/"
    assert "12:10:00 to 12:11:00 UTC" in dom
    assert re.search(r'id="silence"[^>]*>Nobody answers at 127\.0\.0\.1:\d+ any more', dom)
    assert not re.search(r'id="silence"[^>]* hidden', dom)

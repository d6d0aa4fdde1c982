"""A browser that looks at pages: Debian's Chromium, driven by Playwright, asking nobody outside.

    with browsing(width=390, dark=True) as looked:
        looked.page.goto(path.as_uri())
        assert looked.console == []

One browser serves a whole session of tests; each block has a context of its own. The network is
off but for 127.0.0.1. Without Chromium or Playwright the tests that are marked `needs_browser`
skip, with the reason; where TOKENERGY_BROWSER_MUST_RUN is set they fail instead.
"""

import asyncio
import importlib.util
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

MUST_RUN = "TOKENERGY_BROWSER_MUST_RUN"
"""Set where the browser was installed for the tests: then a test that skips would be a lie."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
AXE = Path(__file__).resolve().parents[1] / ".browser/node_modules/axe-core/axe.min.js"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
WAITS_MS, LOOKS_MS = 90_000, 50
LONG_MS = 50
"""A task that is longer keeps a reader waiting: the Long Tasks API of W3C says from where on."""
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
"""
GRAVE = ("serious", "critical")


def missing_browser() -> str:
    """Return why no browser can be driven here; "" if one can."""
    if CHROMIUM is None:
        return "no chromium here: apt-get install chromium"
    if importlib.util.find_spec("playwright") is None:
        return "no playwright here: it is in requirements.txt"
    return ""


def missing_axe() -> str:
    """Return why axe-core cannot be asked here; "" if it can."""
    return "" if AXE.is_file() else "no axe-core here: npm install --prefix .browser axe-core"


needs_browser = pytest.mark.skipif(
    bool(missing_browser()) and not os.environ.get(MUST_RUN), reason=missing_browser()
)
"""A test so marked skips without a browser, unless it is said that there is one."""


@dataclass(frozen=True, kw_only=True)
class LongTasks:
    """How often, and how long at worst, a page kept its reader waiting."""

    count: int
    longest_ms: float
    total_ms: float


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A page that is looked at: what the console said, and whom the page asked."""

    page: Any
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, path: Path) -> None:
        """Show a file and wait until its charts are drawn, where it has any."""
        self.page.goto(path.as_uri())
        self.drawn()

    def drawn(self) -> None:
        """Wait until every chart of the page is drawn, where it has any."""
        self.until("!window.tokenergy || document.documentElement.dataset.charts === 'done'")

    def until(self, true: str) -> None:
        """Wait until an expression of JavaScript holds.

        Playwright's `wait_for_function` compiles a text within the page, whose policy refuses it.

        Raises:
            TimeoutError: if it does not hold within `WAITS_MS`.
        """
        end = time.monotonic() + WAITS_MS / 1000
        while not self.page.evaluate(f"Boolean({true})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{true!r} does not hold after {WAITS_MS} ms: {self.console}")
            self.page.wait_for_timeout(LOOKS_MS)

    def long_tasks(self) -> LongTasks:
        """Return the tasks over 50 ms since the page was opened."""
        lasted: list[float] = self.page.evaluate("window.longTasks")
        return LongTasks(
            count=len(lasted), longest_ms=max(lasted, default=0.0), total_ms=sum(lasted)
        )

    def too_wide(self) -> list[str]:
        """Return how much wider than its window the page is, and what stands out; [] if nothing."""
        return list(self.page.evaluate(TOO_WIDE))

    def axe(self) -> list[str]:
        """Return the serious and critical findings of axe-core, each with where it is.

        Without axe-core the test skips here: ask last.
        """
        if reason := missing_axe():
            _fail_or_skip(reason)
        session = self.page.context.new_cdp_session(self.page)
        # straight into the page: its own policy would refuse a script element, and rightly
        session.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        answer = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{found['impact']} {found['id']}: {found['help']} at {node['target']}"
            for found in answer["violations"]
            if found["impact"] in GRAVE
            for node in found["nodes"]
        ]


TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const widest = document.documentElement.scrollWidth;
  if (widest <= width) return [];
  const inFrame = (each) => each.closest(".scroll, .chart, nav ul");
  const out = [...document.body.querySelectorAll("*")].filter(
    (each) => !inFrame(each) && each.getBoundingClientRect().right > width + 1
  );
  const named = out.map((each) => each.tagName + "." + each.className + "#" + each.id);
  return [`${widest} px in a window of ${width} px`, ...named];
}"""


@dataclass(frozen=True, kw_only=True)
class _Browser:
    """The session's browser, its driver, and the event loop that the driver keeps."""

    driver: Any
    browser: Any
    loop: Any


_open: list[_Browser] = []


@contextmanager
def browsing(
    width: int = 1440,
    height: int = 1000,
    *,
    dark: bool = False,
    reduced_motion: bool = False,
    scripts: bool = True,
) -> Iterator[Looked]:
    """Open a page of a browser of this size until the block ends.

    Args:
        width, height: of the window, px.
        dark: the reader prefers dark pages.
        reduced_motion: the reader asks for no motion.
        scripts: whether the browser runs scripts at all.
    """
    if reason := missing_browser():
        _fail_or_skip(reason)
    held = _session_browser()
    with _loop_of(held):
        context = held.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if reduced_motion else "no-preference",
            java_script_enabled=scripts,
        )
        try:
            context.set_default_timeout(WAITS_MS)
            context.add_init_script(WATCH)
            page = context.new_page()
            looked = Looked(page=page)
            page.on("console", lambda said: _note(looked, said))
            page.on("pageerror", lambda error: looked.console.append(f"error: {error}"))
            page.on("websocket", lambda socket: looked.asked.append(socket.url))
            context.on("request", lambda request: _ask(looked, request.url))
            yield looked
        finally:
            context.close()


def close_browser() -> None:
    """End the session's browser, if there is one."""
    while _open:
        held = _open.pop()
        asyncio._set_running_loop(held.loop)
        held.browser.close()
        held.driver.stop()


def _fail_or_skip(reason: str) -> None:
    if os.environ.get(MUST_RUN):
        pytest.fail(f"{MUST_RUN} is set, but {reason}")
    pytest.skip(reason)


def _note(looked: Looked, said: Any) -> None:
    if said.type in ("error", "warning"):
        looked.console.append(f"{said.type}: {said.text}")


def _ask(looked: Looked, url: str) -> None:
    if not url.startswith(("file:", "data:", "about:", "blob:")):
        looked.asked.append(url)


def _session_browser() -> _Browser:
    if not _open:
        from playwright.sync_api import sync_playwright

        driver = sync_playwright().start()
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        _open.append(_Browser(driver=driver, browser=browser, loop=asyncio._get_running_loop()))
        asyncio._set_running_loop(None)
    return _open[0]


@contextmanager
def _loop_of(held: _Browser) -> Iterator[None]:
    """Let the driver's event loop count as running in this block, and only there.

    Playwright's loop is asleep between its calls, yet asyncio takes it for running: every
    other test of this thread that says `asyncio.run` would be refused.
    """
    before = asyncio._get_running_loop()
    asyncio._set_running_loop(held.loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(before)

"""Observe until somebody stops it: a window after another, and a page that shows the last one."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from tokenergy.api.observed.figures import LiveFigures
from tokenergy.api.observed.observation import Observation
from tokenergy.api.observing import Ask, Observer
from tokenergy.errors import TokenergyError
from tokenergy.feeds.http import Http
from tokenergy.page.observed import history_rows, observed_html, waiting_html
from tokenergy.serve.live_window import LiveWindow, LiveWindows
from tokenergy.serve.observe_app import LOOPBACK, ObserveApp, Server, listen
from tokenergy.serve.telemetry import Telemetry

ENDS_WITHIN_S: Final = 2.0
"""A window that is being reckoned when the watch ends has so long to notice it."""


class _Stopped(Exception):
    """The watch was ended while a window was reckoned."""


def watch_live(
    ask: Ask,
    *,
    port: int,
    otlp: str | None = None,
    stop: threading.Event | None = None,
    http: Http | None = None,
    on_address: Callable[[str], None] | None = None,
    on_window: Callable[[Observation], None] | None = None,
    on_fault: Callable[[str], None] | None = None,
) -> bool:
    """Watch and serve until `stop` is set, or until Ctrl-C or SIGTERM in the main thread.

    Args:
        ask: what to observe.
        port: of the page on this machine; 0 is a free one.
        stop: ends the watch once it is set.
        otlp: address of an OpenTelemetry collector that each window is sent to; None: none.
        http: how to ask feeds; None: with a cache in `.tokenergy/feeds`.
        on_address: told the address of the page once, before the first window.
        on_window: told each window as it ends, in a thread of its own.
        on_fault: told why a window could not be told; the next one goes on.

    Returns:
        Whether everything has ended: False where a solver is still at work in its thread.

    Raises:
        InputError: if the port cannot be used; nothing was watched then.
        FindingsError: with everything wrong with the file, the addresses and the meters.
    """
    ends = stop or threading.Event()
    with listen(port) as door:
        observer = Observer(ask, http=http, on_progress=_ended_by(ends))
        collector = None if otlp is None else Telemetry(otlp, provider_name=ask.company.stem)
        windows = LiveWindows(window_s=observer.window_s)
        watch = _Watch(
            observer,
            windows,
            ends,
            collector,
            on_window=on_window or _quiet,
            on_fault=on_fault or _quiet,
        )
        app = ObserveApp(windows, draw=_draw(observer.window_s)).app()
        with _signals_end(ends):
            watch.start()
            try:
                if on_address is not None:
                    on_address(_address(door))
                Server(app, stop=ends).run(sockets=[door])
            finally:
                ends.set()
                watch.join(ENDS_WITHIN_S)
    if watch.fault is not None:
        raise watch.fault
    return not watch.is_alive()


class _Watch(threading.Thread):
    """Ends a window whenever one is due, and shows it; a fault of one is told, and no end."""

    def __init__(
        self,
        observer: Observer,
        windows: LiveWindows,
        stop: threading.Event,
        collector: Telemetry | None,
        *,
        on_window: Callable[[Observation], None],
        on_fault: Callable[[str], None],
    ) -> None:
        super().__init__(name="tokenergy-watch", daemon=True)
        self._observer, self._windows, self._ends = observer, windows, stop
        self._collector = collector
        self._told, self._failed = on_window, on_fault
        self._figures = LiveFigures()
        self.fault: BaseException | None = None

    def run(self) -> None:
        """Watch until the end; what nobody expected ends the watch, and is raised by its caller."""
        try:
            with self._observer:
                self._watch()
        except _Stopped:
            pass
        except BaseException as fault:
            self.fault = fault
        finally:
            self._ends.set()
            if self._collector is not None:
                self._collector.close()

    def _watch(self) -> None:
        every_s = self._observer.window_s
        due_s = time.monotonic() + every_s
        while not self._ends.wait(max(0.0, due_s - time.monotonic())):
            try:
                seen = self._observer.observe()
            except TokenergyError as error:
                self._windows.fail(str(error))
                self._failed(str(error))
            else:
                self._show(seen)
            # a window that took longer to reckon than to watch begins its successor at once
            due_s = max(due_s + every_s, time.monotonic())

    def _show(self, seen: Observation) -> None:
        told, figures = seen.to_dict(), self._figures.add(seen)
        self._windows.put(told, rows=history_rows(told), figures=figures)
        self._told(seen)
        if self._collector is not None and not self._collector.send(figures):
            self._failed("the OpenTelemetry collector did not take this window")


def _draw(window_s: float) -> Callable[[LiveWindow | None, str], str]:
    """Return what draws the page of a window."""

    def draw(window: LiveWindow | None, fault: str) -> str:
        if window is None:
            return waiting_html(window_s=window_s, fault=fault)
        return observed_html(
            window.observation, window.history, follow_every_s=window_s, fault=fault
        )

    return draw


def _ended_by(stop: threading.Event) -> Callable[[str, int, int], None]:
    """Return a callback of progress that ends what reports to it, once it should end."""

    def told(_what: str, _done: int, _of: int) -> None:
        if stop.is_set():
            raise _Stopped

    return told


@contextmanager
def _signals_end(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end the watch; a second one does what it always does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _address(door: socket.socket) -> str:
    return f"http://{LOOPBACK}:{door.getsockname()[1]}/"


def _quiet(_: object) -> None:
    """Say nothing."""

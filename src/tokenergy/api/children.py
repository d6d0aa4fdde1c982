"""Processes that control keeps alive: started, watched, started again, ended.

One that ends is started again at once; one that keeps ending at its start, before it served, waits
twice as long each time, so that a fault at start does not burn a core. A pipe whose other end only
control holds tells every child when control is gone, however it went.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Self

SOON_S: Final = 10.0
"""A process that lived shorter has failed at its start, if nobody knows better."""
SERVED_S: Final = 1.0
"""One that served has not, if it lived so long: it was killed, or a request brought it down."""
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 30.0
KILL_S: Final = 2.0


class Lifeline:
    """A pipe: children hold its reading end, which ends when control does."""

    def __init__(self) -> None:
        """Open it; its writing end stays with this process."""
        self.reading, self._writing = os.pipe()

    def cut(self) -> None:
        """Close the writing end: whoever reads notices, now and later."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        os.close(self.reading)


class Child:
    """One process that is kept running.

    Attributes:
        name: in messages.
        starts_count: how often it was started.
        failed_count: how often in a row it ended at its start.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        fds: Sequence[int],
        on_end: Callable[["Child", int], None],
        served: Callable[["Child"], bool] = lambda _: False,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know how to start it; nothing runs yet.

        Args:
            name: in messages.
            command: to run.
            fds: that it inherits under their own numbers.
            on_end: told of every end that nobody asked for, with its exit status, before the next
                start.
            served: tells, when it has ended, whether it came to serve.
            ticks: a clock that only goes forward.
        """
        self.name, self._command, self._fds = name, list(command), tuple(fds)
        self._on_end, self._served, self._ticks = on_end, served, ticks
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = self._due_s = 0.0
        self._ends = False
        self.starts_count = self.failed_count = 0

    @property
    def pid(self) -> int | None:
        """Its process, or None while none runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it now."""
        self._process = subprocess.Popen(
            self._command,
            pass_fds=self._fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # Ctrl-C is for control alone, which then ends its children in order.
            start_new_session=True,
        )
        self._started_s = self._ticks()
        self.starts_count += 1

    def start_in(self, wait_s: float) -> None:
        """Let `look` start it so many seconds later."""
        self._due_s = self._ticks() + wait_s

    def look(self) -> None:
        """Start it again if it has ended and its wait is over."""
        if self._process is not None and self._process.poll() is not None:
            self._ended(self._process)
        if self._process is None and not self._ends and self._ticks() >= self._due_s:
            self.start()

    def end(self) -> None:
        """Ask it to end, for good."""
        self._ends = True
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, for good."""
        self._ends = True
        self._send(signal.SIGKILL)

    def close(self) -> None:
        """End it at once and wait for that, which takes a moment."""
        self.kill()
        if self._process is not None:
            self._process.wait()

    def has_ended(self) -> bool:
        """Tell whether nothing runs any more."""
        return self._process is None or self._process.poll() is not None

    def _ended(self, process: "subprocess.Popen[bytes]") -> None:
        lived_s = self._ticks() - self._started_s
        status = process.returncode
        self._process = None
        if self._ends:
            return
        began = lived_s >= SOON_S or (lived_s >= SERVED_S and self._served(self))
        self.failed_count = 0 if began else self.failed_count + 1
        wait_s = 0.0
        if self.failed_count > 1:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (self.failed_count - 1))
        self._due_s = self._ticks() + wait_s
        self._on_end(self, status)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def end_all(children: Sequence[Child], *, within_s: float, hurry: Callable[[], bool]) -> list[str]:
    """End processes in order and return the names of those that had to be killed.

    Args:
        children: asked to end at the same time.
        within_s: they have so long.
        hurry: tells whether nobody wants to wait any more.
    """
    for child in children:
        child.end()
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s and not hurry():
        if all(child.has_ended() for child in children):
            return []
        time.sleep(0.02)
    late = [child for child in children if not child.has_ended()]
    for child in late:
        child.kill()
    until_s = time.monotonic() + KILL_S
    while time.monotonic() < until_s and not all(child.has_ended() for child in late):
        time.sleep(0.02)
    return [child.name for child in late]


def end_with(lifeline: int, end: Callable[[], object]) -> None:
    """Call `end` once nobody holds the other end of a pipe any more, from a thread."""

    def wait() -> None:
        ended_by(lifeline)
        end()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def ended_by(pipe: int) -> None:
    """Wait until nobody can write into a pipe any more."""
    with contextlib.suppress(OSError):
        while os.read(pipe, 1):
            pass

"""The last window that was observed, and those before it: written by a watch, read by a server."""

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tokenergy.serve.figures import Figures

HISTORY_S: Final = 86_400.0
HISTORY_COUNT: Final = 1_440
"""No more windows are remembered: a day of minutes, or two hours of 5 s."""
OLD_WINDOWS: Final = 3.0
"""A last window that is older than so many windows is no news any more."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWindow:
    """One window, and what is told of it.

    Attributes:
        number: 1 for the first.
        body: the observation as JSON.
        mark: of this body and no other, for whoever has it already.
        history: rows of the windows so far, this one last.
        figures: counters since the watch began, and prices of now.
        ended_s: when it was told, by the clock of the watch.
    """

    number: int
    observation: Mapping[str, Any]
    body: bytes
    mark: str
    history: tuple[Row, ...]
    figures: Figures
    ended_s: float


class LiveWindows:
    """Holds the last window for many readers; every method may be called from any thread."""

    def __init__(self, *, window_s: float, ticks: Callable[[], float] = time.monotonic) -> None:
        """Begin to wait for the first window."""
        self.window_s = window_s
        self._ticks = ticks
        self._lock = threading.Lock()
        self._last: LiveWindow | None = None
        self._fault = ""
        self._began_s = ticks()
        self._run = secrets.token_hex(4)
        self._history: deque[tuple[float, tuple[Row, ...]]] = deque(maxlen=HISTORY_COUNT)

    def put(
        self, observation: Mapping[str, Any], *, rows: Iterable[Row], figures: Figures
    ) -> LiveWindow:
        """Keep a window, and return it; a fault of the one before is over.

        Args:
            observation: JSON-ready.
            rows: what the history keeps of it.
            figures: counters since the watch began, and prices of now.
        """
        body = json.dumps(observation, allow_nan=False, separators=(",", ":")).encode()
        with self._lock:
            now_s = self._ticks()
            self._history.append((now_s, tuple(rows)))
            while self._history[0][0] <= now_s - HISTORY_S:
                self._history.popleft()
            number = 1 if self._last is None else self._last.number + 1
            self._last = LiveWindow(
                number=number,
                observation=observation,
                body=body,
                mark=f'"{self._run}-{number}"',
                history=tuple(row for _, rows in self._history for row in rows),
                figures=figures,
                ended_s=now_s,
            )
            self._fault = ""
            return self._last

    def fail(self, fault: str) -> None:
        """Keep why a window could not be told; the one before it stays."""
        with self._lock:
            self._fault = fault

    def last(self) -> tuple[LiveWindow | None, str]:
        """Return the last window, and why the one after it could not be told, or ""."""
        with self._lock:
            return self._last, self._fault

    def age_s(self) -> float:
        """Return the seconds since the last window, or since the watch began."""
        with self._lock:
            last_s = self._began_s if self._last is None else self._last.ended_s
        return max(0.0, self._ticks() - last_s)

    def old(self) -> bool:
        """Tell whether a window should have ended long ago."""
        return self.age_s() > OLD_WINDOWS * self.window_s

"""Many engines watched at once: each at its own beat, one request in flight for each."""

import heapq
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, Self

from tokenergy.company.observe import Engine
from tokenergy.errors import InputError
from tokenergy.feeds.engine_scrape import EngineScraper
from tokenergy.feeds.http import Http, utc_now
from tokenergy.feeds.prometheus_api import PrometheusSampler
from tokenergy.metering.sample import EngineSample

THREADS_COUNT: Final = 8
BACK_OFF_LIMIT_S: Final = 60.0
"""Longest wait for an engine that is down; an `every_s` above it stays as it is."""
SLOW_SHARE: Final = 0.5
"""Share of the threads that engines which were slow or down last time may hold."""


class Sampler(Protocol):
    """One engine that can be read."""

    def sample(self) -> EngineSample:
        """Return what it counts now.

        Raises:
            InputError: if it cannot be read.
        """
        ...


OnSample = Callable[[str, EngineSample], None]
OnError = Callable[[str, InputError], None]


def sampler_of(
    http: Http,
    engine: Engine,
    *,
    clock: Callable[[], datetime] = utc_now,
    ticks: Callable[[], float] = time.monotonic,
    served_model: str | None = None,
) -> Sampler:
    """Return how to read an engine: its own page, or a Prometheus server with a selector."""
    kind = EngineScraper if engine.selector is None else PrometheusSampler
    return kind(http, engine, clock, ticks, served_model=served_model)


@dataclass(order=True, slots=True)
class _Turn:
    """When an engine is read next; compared by its due time, then by its place."""

    due_s: float
    place: int
    name: str = field(compare=False)
    failures_count: int = field(default=0, compare=False)
    slow: bool = field(default=False, compare=False)


class Watch:
    """Reads engines until it is stopped; what it reads goes to two callbacks.

    The callbacks are called one at a time, from the watch's threads. What one of them raises
    ends the watch and comes out of `stop`. Use it as a context manager.
    """

    def __init__(
        self,
        samplers: Mapping[str, Sampler],
        *,
        every_s: float,
        on_sample: OnSample,
        on_error: OnError,
        threads_count: int = THREADS_COUNT,
        seed: int | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            samplers: by the engine's name.
            every_s: seconds between two readings of an engine, counted from its own start.
            on_sample, on_error: are told the engine's name, and the sample or the error.
            threads_count: readings in flight at most.
            seed: of the spread of first readings over one beat; None: another each time.
        """
        self._samplers = dict(samplers)
        self._every_s = every_s
        self._on_sample = on_sample
        self._on_error = on_error
        self._jitter = random.Random(seed)
        count = max(1, min(threads_count, len(self._samplers)))
        # One thread more than engines that are slow may hold, so that others are read on time.
        self._slow_limit = max(1, min(int(count * SLOW_SHARE), count - 1)) if count > 1 else 1
        self._slow_count = 0
        self._turns: list[_Turn] = []
        self._changed = threading.Condition()
        self._telling = threading.Lock()
        self._stopping = False
        self._fault: BaseException | None = None
        self._threads = tuple(
            threading.Thread(target=self._work, name=f"watch-{at}", daemon=True)
            for at in range(count)
        )

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait for the readings in flight."""
        self.stop()

    def start(self) -> None:
        """Begin to read: the first readings are spread over one beat."""
        now_s = time.monotonic()
        with self._changed:
            for place, name in enumerate(self._samplers):
                due_s = now_s + self._jitter.random() * self._every_s
                heapq.heappush(self._turns, _Turn(due_s, place, name))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop and join every thread: no callback comes after this returns.

        A reading in flight is waited for: the port's time-out bounds it.

        Raises:
            BaseException: what a callback raised.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _work(self) -> None:
        try:
            while (turn := self._next()) is not None:
                self._read(turn)
        except BaseException as fault:
            with self._changed:
                self._fault = self._fault or fault
                self._stopping = True
                self._changed.notify_all()

    def _next(self) -> _Turn | None:
        """Wait for the engine whose turn it is, and take it out; None once stopped."""
        with self._changed:
            while not self._stopping:
                turn = self._due()
                now_s = time.monotonic()
                if turn is not None and turn.due_s <= now_s:
                    self._turns.remove(turn)
                    heapq.heapify(self._turns)
                    self._slow_count += turn.slow
                    return turn
                self._changed.wait(None if turn is None else turn.due_s - now_s)
        return None

    def _due(self) -> _Turn | None:
        """Return the earliest turn, leaving out slow engines while enough of them are read."""
        if not self._turns or self._slow_count < self._slow_limit or not self._turns[0].slow:
            return self._turns[0] if self._turns else None
        return min((turn for turn in self._turns if not turn.slow), default=None)

    def _read(self, turn: _Turn) -> None:
        """Read one engine, tell, and set its next turn."""
        began_s = time.monotonic()
        sample: EngineSample | None = None
        try:
            sample = self._samplers[turn.name].sample()
        except InputError as error:
            self._tell(lambda told=error: self._on_error(turn.name, told))  # type: ignore[misc]
        if sample is not None:
            self._tell(lambda told=sample: self._on_sample(turn.name, told))  # type: ignore[misc]
        with self._changed:
            self._slow_count -= turn.slow
            heapq.heappush(self._turns, self._following(turn, began_s, down=sample is None))
            self._changed.notify()

    def _following(self, turn: _Turn, began_s: float, *, down: bool) -> _Turn:
        """Return the next turn: on the engine's own beat, or later while it is down."""
        now_s = time.monotonic()
        failures_count = turn.failures_count + 1 if down else 0
        if down:
            limit_s = max(BACK_OFF_LIMIT_S, self._every_s)
            wait_s = min(self._every_s * 2.0 ** min(failures_count - 1, 16), limit_s)
            due_s = began_s + wait_s
        else:
            missed = int((now_s - turn.due_s) / self._every_s)
            due_s = turn.due_s + (missed + 1) * self._every_s
        slow = down or now_s - began_s > self._every_s
        return _Turn(max(due_s, now_s), turn.place, turn.name, failures_count, slow)

    def _tell(self, call: Callable[[], None]) -> None:
        with self._telling:
            if not self._stopping:
                call()

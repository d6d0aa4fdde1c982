"""One worker: uvicorn around the door, and the small tasks that keep it informed.

It ends on SIGTERM: it stops to accept, lets what runs come to its end for as long as the plan says,
and writes the rest down as interrupted.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import uvicorn

from tokenergy.serve.door import AsgiApp, Door
from tokenergy.serve.ending import log_fault
from tokenergy.serve.gateway import Gateway
from tokenergy.serve.gauges import gauge
from tokenergy.serve.metrics_files import take_over, write_counts
from tokenergy.serve.protocol import GuardedProtocol, guarded

YOUNG_COUNT: Final = 20_000
"""Objects made until the collector looks for circles: a request makes some hundreds, and none."""
TICK_S: Final = 0.1
TELL_S: Final = 2.0
STILL_S: Final = 0.5
"""What is stopped at the end of the drain has so long to write itself down."""


class Keeper(Protocol):
    """What wants to be looked after once a second: leases, journal."""

    def keep_up(self, *, now_s: float) -> object:
        """Renew, flush, give back."""
        ...


class _Server(uvicorn.Server):
    """A server that leaves signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Take no signal."""
        yield


class Worker:
    """Runs one gateway until it is told to end."""

    def __init__(
        self,
        gateway: Gateway,
        side: AsgiApp,
        *,
        sockets: Sequence[socket.socket],
        keepers: Sequence[Keeper] = (),
        tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        stops: Sequence[Callable[[], None]] = (),
        metrics_file: Path | None = None,
        admin: tuple[AsgiApp, socket.socket] | None = None,
        takes_signals: bool = True,
    ) -> None:
        """Take the parts.

        Args:
            gateway: answers.
            side: the APIs beside the hot path.
            sockets: that listen already.
            keepers: looked after once a second.
            tasks: run beside the server until it ends, e.g. batches.
            stops: called when it begins to end, so that they begin nothing more.
            metrics_file: where counts are written every two seconds.
            admin: the application of another port, and its socket.
            takes_signals: whether SIGTERM and SIGINT end it; else only `end` does.
        """
        self.gateway, self._sockets = gateway, list(sockets)
        self.door = Door(gateway, side)
        self._keepers, self._tasks, self._metrics_file = keepers, tasks, metrics_file
        self._stops = stops
        self._admin, self._takes_signals = admin, takes_signals
        self._ends = asyncio.Event()
        self._protocol: type[GuardedProtocol] = guarded(gateway.plan.limits)
        self._admin_protocol: type[GuardedProtocol] = guarded(gateway.plan.limits)

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or `end`."""
        if self._takes_signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.end)
        if self._metrics_file is not None:
            take_over(self._metrics_file, self.gateway.tally)
        self.gateway.tick()
        gc.collect()
        gc.freeze()  # what stands now stays: it need not be looked at again
        gc.set_threshold(YOUNG_COUNT, 20, 50)
        servers = [self._server(self.door, self._protocol)]
        doors: list[list[socket.socket]] = [self._sockets]
        if self._admin is not None:
            servers.append(self._server(self._admin[0], self._admin_protocol))
            doors.append([self._admin[1]])
        beside = [asyncio.create_task(self._look()), asyncio.create_task(self._sweep())]
        beside += [asyncio.create_task(task()) for task in self._tasks]
        serving = [
            asyncio.create_task(server.serve(sockets=held))
            for server, held in zip(servers, doors, strict=True)
        ]
        ends = asyncio.create_task(self._ends.wait())
        await asyncio.wait([ends, *serving], return_when=asyncio.FIRST_COMPLETED)
        ends.cancel()
        await self._drain(servers, serving)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        self._step(self._tell)
        await self.gateway.pool.aclose()

    def end(self) -> None:
        """Begin to end: nothing more is accepted."""
        self._ends.set()

    async def _drain(
        self, servers: Sequence[uvicorn.Server], serving: "Sequence[asyncio.Task[None]]"
    ) -> None:
        """Stop to accept, wait for what runs, and stop what is left."""
        for stop in self._stops:
            stop()
        for server in servers:
            server.should_exit = True
        until_s = time.monotonic() + self.gateway.plan.limits.drain_s
        while self.gateway.flights and time.monotonic() < until_s:
            await asyncio.sleep(0.02)
        self.gateway.stopping = True
        for flight in list(self.gateway.flights):
            flight.stop()
        until_s = time.monotonic() + STILL_S
        while self.gateway.flights and time.monotonic() < until_s:
            await asyncio.sleep(0.01)
        for server in servers:
            server.force_exit = True
        await asyncio.wait(list(serving), timeout=STILL_S)

    async def _look(self) -> None:
        """Look around ten times a second, and tell how late that was."""
        due_s = time.monotonic() + TICK_S
        while True:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            late_s = time.monotonic() - due_s
            due_s += TICK_S
            if late_s > TICK_S:
                due_s = time.monotonic() + TICK_S
            self.gateway.tally.set("tokenergy_gateway_loop_lag_seconds", (), max(0.0, late_s))
            if self.gateway.watch.has_news():
                await asyncio.to_thread(self._step, self.gateway.watch.read_ahead)
            self._step(self.gateway.tick)

    async def _sweep(self) -> None:
        """Once a second: slow clients, leases; every two the counts."""
        told_s = 0.0
        while True:
            await asyncio.sleep(1.0)
            loop_s, now_s = asyncio.get_running_loop().time(), self.gateway.now_s()
            for protocol in (self._protocol, self._admin_protocol):
                self._step(partial(protocol.sweep, loop_s))
            self._step(self.door.sweep)
            self._step(self.gateway.overdue)
            for keeper in self._keepers:
                self._step(partial(keeper.keep_up, now_s=now_s))
            if time.monotonic() - told_s >= TELL_S:
                told_s = time.monotonic()
                self._step(self._tell)

    def _step(self, step: Callable[[], object]) -> None:
        """Take a step of those that come again; one that fails, e.g. on a full disk, ends no loop.

        Nobody would renew leases any more, or look for a new board.
        """
        try:
            step()
        except Exception as fault:
            self.gateway.tally.add("tokenergy_errors", ("500", type(fault).__name__))
            log_fault("worker", fault)

    def _tell(self) -> None:
        """Write the counts where whoever merges them looks."""
        if self._metrics_file is None:
            return
        gauge(self.gateway)
        write_counts(self._metrics_file, self.gateway.tally)

    def _server(self, app: AsgiApp, protocol: type[GuardedProtocol]) -> _Server:
        return _Server(
            uvicorn.Config(
                app,
                http=protocol,
                loop="none",
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                backlog=2048,
                timeout_graceful_shutdown=None,
            )
        )

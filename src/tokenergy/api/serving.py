"""Control: starts the gateway's processes, keeps them alive, and ends them in order.

    control ─┬─ worker 1..N      answer requests, each at a listening socket of its own
             ├─ board maker      what a token costs, every few minutes
             ├─ projector        journals into the ledger            (a thread of control)
             └─ scraper          what runs and waits in the engines  (a thread of control)

It holds the sockets, so that a connection made while a worker is started again waits for it and is
not refused. It knows no company file itself where the plan of an earlier start still holds.
"""

import contextlib
import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

import msgspec

from tokenergy.api.beside import Beside
from tokenergy.api.children import Child, Lifeline, end_all
from tokenergy.api.listening import address_of, listening
from tokenergy.api.serving_plan import PACERS, PLAN, Prepared, prepared, write_whole
from tokenergy.api.serving_words import board_line, start_facts, start_lines
from tokenergy.company.serving.plan import WorkerPlan, decoded_plan
from tokenergy.errors import InputError
from tokenergy.serve.board_watch import BoardWatch
from tokenergy.serve.budget_owner import EVERY_S, BudgetOwner
from tokenergy.serve.counts import SharedCounts, budget_names
from tokenergy.store.keys import SqliteKeys

COUNTS: Final = "counts.bin"
LOCK: Final = "lock"
LOOK_S: Final = 0.05
KEEP_S: Final = 5.0
"""How often shadow prices are kept."""
BOARD_WAITS_S: Final = 2.0
"""How long the board maker stands back at a start with a board that still holds."""
PAST_DRAIN_S: Final = 3.0
"""What workers get beyond their own drain before they are killed."""
MOST_FAILED_COUNT: Final = 8
"""A worker that failed at its start so often in a row will not start: control gives up."""
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True)
class ServeAsk:
    """What is served, and where.

    Attributes:
        company: the company file.
        data: folder of the gateway: its plan, boards, journals, keys.
        ledger: the SQLite file that requests are booked in.
        host, port: where it listens; port 0 is a free one.
        workers_count: processes that answer.
        admin_port: of metrics and details, on the same host; None: none; 0 is a free one.
        at: moment of the recorded horizon that is played from; None: the present.
        worker: command that a worker is started with, before folder, number and sockets; (): ours.
    """

    company: Path
    data: Path
    ledger: Path
    host: str = "127.0.0.1"
    port: int = 8088
    workers_count: int = 1
    admin_port: int | None = None
    at: datetime | None = None
    worker: tuple[str, ...] = ()


def serve(
    ask: ServeAsk,
    *,
    tell: Callable[[str], None],
    stop: threading.Event | None = None,
    on_start: Callable[[dict[str, Any]], None] | None = None,
) -> int:
    """Serve until SIGTERM, Ctrl-C, or until `stop` is set; return the exit status.

    Args:
        ask: what and where.
        tell: told lines for whoever started it.
        stop: ends it once it is set.
        on_start: told once, for a script: the addresses, and where things are kept.

    Raises:
        InputError: if the folder or a port is in use.
        FindingsError: with every error of the company file and of its gateway.
    """
    ends = stop or threading.Event()
    with ExitStack() as held:
        held.enter_context(_folder(ask.data))
        doors = held.enter_context(listening(ask.host, ask.port, ask.workers_count))
        admin = None
        if ask.admin_port is not None:
            admin = held.enter_context(listening(ask.host, ask.admin_port, 1))[0]
        hurry = held.enter_context(_signals(ends))
        lifeline, begins = held.enter_context(Lifeline()), held.enter_context(Lifeline())
        # It imports what it needs while the company is opened here.
        maker = _maker(ask, lifeline, begins, tell)
        held.callback(maker.close)
        if _has_board(ask):
            maker.start_in(BOARD_WAITS_S)  # workers first: they have what they need
        else:
            maker.start()
        with SqliteKeys.in_folder(ask.data) as keys:
            keys_count = len(keys.listed())
        ready = prepared(
            ask.company, ask.data, workers_count=ask.workers_count, at=ask.at,
            loopback=ask.host in LOOPBACK, keys_count=keys_count,
        )  # fmt: skip
        begins.cut()
        control = held.enter_context(_Control(ask, ready, doors, admin, maker, lifeline, tell))
        address, admin_at = address_of(doors[0]), None if admin is None else address_of(admin)
        if on_start is not None:
            on_start(start_facts(ready.plan, address, admin_at, data=ask.data, ledger=ask.ledger))
        lines = start_lines(
            ready.plan,
            address=address,
            admin=admin_at,
            company=ask.company,
            data=ask.data,
            ledger=ask.ledger,
            workers_count=ask.workers_count,
            keys_count=keys_count,
        )
        for line in (*lines, *ready.findings):
            tell(line)
        return control.run(ends, hurry)


class _Control:
    """What control holds while it runs."""

    def __init__(
        self,
        ask: ServeAsk,
        ready: Prepared,
        doors: Sequence[socket.socket],
        admin: socket.socket | None,
        maker: Child,
        lifeline: Lifeline,
        tell: Callable[[str], None],
    ) -> None:
        self._ask, self._plan, self._tell = ask, ready.plan, tell
        self._names = budget_names(self._plan)
        self._lifeline = lifeline
        self._counts = SharedCounts.create(
            ask.data / COUNTS, ask.workers_count, self._plan.deployments, self._names
        )
        self._watch = BoardWatch(ask.data, deployments=self._plan.deployments)
        self._owner = BudgetOwner(self._counts, self._names, kept=_kept(ask.data / PACERS))
        self._workers = [
            Child(
                f"worker {number}",
                self._command(number, doors[number - 1], admin if number == 1 else None),
                fds=[
                    doors[number - 1].fileno(),
                    self._lifeline.reading,
                    *([admin.fileno()] if admin is not None and number == 1 else []),
                ],
                on_end=self._worker_ended,
                served=lambda child: self._counts.served(self._workers.index(child) + 1),
            )
            for number in range(1, ask.workers_count + 1)
        ]
        self._maker = maker
        self._beside = Beside(ask.data, ask.ledger, self._plan, self._counts, tell)
        self._beat_s = self._kept_s = 0.0
        self._board_id = ""

    def __enter__(self) -> "_Control":
        for worker in self._workers:
            worker.start()
        self._beside.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()
        self._beside.end()
        self._counts.close()

    def run(self, ends: threading.Event, hurry: Callable[[], bool]) -> int:
        """Look after everything until the end; return the exit status."""
        status = 0
        while not ends.wait(LOOK_S):
            for child in (*self._workers, self._maker):
                child.look()
            self._second()
            given_up = [w for w in self._workers if w.failed_count >= MOST_FAILED_COUNT]
            if given_up:
                self._tell(f"{given_up[0].name} does not start: what it said stands above")
                status = 3
                break
        drain_s = self._plan.limits.drain_s + PAST_DRAIN_S
        killed = end_all(self._workers, within_s=drain_s, hurry=hurry)
        killed += end_all([self._maker], within_s=PAST_DRAIN_S, hurry=hurry)
        for name in killed:
            self._tell(f"{name} did not end by itself and was killed")
        self._keep()
        self._beside.end()
        return status

    def _second(self) -> None:
        """Once a second: heartbeat, budgets, the board; every few the rest."""
        tick_s = time.monotonic()
        if tick_s - self._beat_s < EVERY_S:
            return
        self._beat_s = tick_s
        now_s = time.time() + self._plan.clock_offset_s
        self._counts.beat(now_s)
        self._watch.poll(now_s)
        board = self._watch.board
        if board is not None and board.board_id != self._board_id:
            first = not self._board_id
            self._board_id = board.board_id
            self._owner.refreshed(self._watch.pacings)
            if first:
                self._tell(board_line(board, self._watch.maker, now_s=now_s))
        self._owner.step(now_s)
        if tick_s - self._kept_s >= KEEP_S:
            self._kept_s = tick_s
            self._keep()

    def _keep(self) -> None:
        """Keep the shadow prices of budgets over a restart."""
        if self._names:
            with contextlib.suppress(InputError):  # a full disk: the next time is soon
                write_whole(self._ask.data / PACERS, self._owner.words())

    def _worker_ended(self, child: Child, status: int) -> None:
        number = self._workers.index(child) + 1
        self._counts.retire(number)
        self._tell(f"{child.name} ended with status {status}; it is started again")

    def _command(self, number: int, door: socket.socket, admin: socket.socket | None) -> list[str]:
        begin = self._ask.worker or (sys.executable, "-m", "tokenergy.api.worker")
        words = [*begin, str(self._ask.data), str(number), str(door.fileno())]
        words += ["--lifeline", str(self._lifeline.reading), "--ledger", str(self._ask.ledger)]
        return words if admin is None else [*words, "--admin", str(admin.fileno())]


def _has_board(ask: ServeAsk) -> bool:
    """Tell whether a board of an earlier start holds now."""
    if ask.at is not None:
        return False
    try:
        deployments = plan_of(ask.data).deployments
    except InputError:
        return False
    watch = BoardWatch(ask.data, deployments=deployments)
    now_s = time.time()
    watch.poll(now_s)
    return watch.board is not None and not watch.board.is_stale(now_s)


def _maker(
    ask: ServeAsk, lifeline: Lifeline, begins: Lifeline, tell: Callable[[str], None]
) -> Child:
    """Return the process that makes boards; it begins when `begins` is cut."""
    words = [sys.executable, "-m", "tokenergy", "board-maker", str(ask.company), str(ask.data)]
    words += ["--lifeline", str(lifeline.reading), "--begins", str(begins.reading)]
    if ask.at is not None:
        words.append("--recorded")
    return Child(
        "board maker",
        words,
        fds=[lifeline.reading, begins.reading],
        on_end=lambda child, status: tell(
            f"{child.name} ended with status {status}; it is started again"
        ),
    )


@contextlib.contextmanager
def _folder(data: Path) -> Iterator[None]:
    """Make the gateway's folder, for its owner alone, and hold its lock.

    Raises:
        InputError: if it cannot be made, or another gateway has it.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        data.chmod(0o700)
        lock = (data / LOCK).open("a+")
    except OSError as error:
        raise InputError(f"cannot use the folder {data}: {error.strerror or error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"another gateway (process {_owner_of(lock)}) uses the folder {data}: "
                "end it, or name another folder with --data"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _owner_of(lock: TextIO) -> str:
    lock.seek(0)
    return lock.read().strip() or "unknown"


@contextlib.contextmanager
def _signals(ends: threading.Event) -> Iterator[Callable[[], bool]]:
    """Let the first SIGTERM or Ctrl-C begin the end, and a second one hurry it.

    Yields what tells whether somebody is in a hurry.
    """
    came = 0

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came += 1
        ends.set()

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before: dict[signal.Signals, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield lambda: came > 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _kept(path: Path) -> bytes | None:
    """Return what was kept of shadow prices; what cannot be read is begun anew."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def plan_of(data: Path) -> WorkerPlan:
    """Return the plan that a gateway runs by.

    Raises:
        InputError: if there is none.
    """
    try:
        return decoded_plan((data / PLAN).read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{data} holds no plan of a gateway: {error}") from error

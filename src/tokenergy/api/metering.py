"""Meters into the journal: windows read, divided among their requests, told once.

    read      every few seconds, in this thread; the difference is kept at once
    wait      until the journals are read past the window's end and its requests have ended, or
              for a minute: of what runs on then the MARKs tell, or an estimate does
    divide    in whole microjoules, kept whole
    tell      METER records into a journal of control's own, which the projector reads as others

What is kept survives whoever is killed (`store.meter_windows`). While nobody reads a meter its
joules are nobody's: a row says from when to when.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tokenergy.api.meter_counts import MeterCounts
from tokenergy.api.metered_servers import (
    MeteredServers,
    OpenMeter,
    WindowMeter,
    overlapping,
    unread,
)
from tokenergy.company.observe import Engine
from tokenergy.company.serving.plan import MeterPlan, WorkerPlan
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Metered, Record
from tokenergy.errors import InputError
from tokenergy.metering.reading import Reading
from tokenergy.metering.request_life import RequestLife
from tokenergy.metering.request_lives import RequestLives
from tokenergy.metering.shared_window import MeteredPlace, MeteredWindow, metered_records
from tokenergy.store.kept_lives import kept_records
from tokenergy.store.meter_windows import MeterWindows
from tokenergy.store.segments import SegmentJournal

JOURNAL: Final = 0
"""Number of control's own journal; workers begin with 1."""
BEAT_S: Final = 1.0
WAIT_S: Final = 60.0
"""How long a window waits for its requests to end."""
SLACK_S: Final = 1.0
"""Between a record's moment and its being written, at most."""
REOPEN_S: Final = 60.0
LAST_WINDOW_S: Final = 2.0
"""How long the end of the gateway waits for a last window that is long enough to be read."""
PROJECTED_WITHIN_S: Final = 8.0
"""How long the end of the gateway waits for the last records of its workers."""
GAP_LEAST_S: Final = 0.05
NOT_RUNNING: Final = "nobody read it: the gateway did not run"
REFUSED: Final = "nobody read it: it could not be opened"


class Metering:
    """Reads the meters of a plan and divides what they say; `run` is for a thread of its own."""

    def __init__(
        self,
        data: Path,
        ledger: Path,
        plan: WorkerPlan,
        tell: Callable[[str], None],
        *,
        open_meter: OpenMeter | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        """Open nothing yet.

        Args:
            data: folder of the gateway.
            ledger: where earlier requests are.
            plan: with `meters`.
            tell: told what went wrong.
            open_meter: None: the real ones.
            wait_s: how long a window waits for its requests to end.
        """
        self._data, self._ledger, self._plan, self._tell = data, ledger, plan, tell
        self._open_meter = _opened if open_meter is None else open_meter
        self._wait_s = wait_s
        self._heard: deque[Sequence[Record]] = deque()
        self._known_s = 0.0
        self._lives = RequestLives({name for plan in plan.meters for name in plan.upstreams})
        self._places = {each.name: _place(each, plan) for each in plan.meters}
        self._servers: list[MeteredServers] = []
        self._pending: list[MeteredWindow] = []
        self._unkept: deque[tuple[MeterPlan, Reading]] = deque()
        self._told: set[str] = set()
        self._refusing: set[str] = set()
        self._opened_s = 0.0
        self._due_s: dict[str, float] = {}
        self._began_s: dict[str, float] = {}
        self._since_s: dict[str, float] = {}
        """Begin of the window that runs, of meters that are read."""
        self._longest_s = plan.limits.total_s + plan.limits.hold_s
        self._counts = MeterCounts(data / "metrics")
        self.ended = threading.Event()

    # ---- what the projector's thread says ------------------------------------------------

    def hear(self, records: Sequence[Record]) -> None:
        """Take records of requests; some may come twice."""
        if not self.ended.is_set():
            self._heard.append(records)

    def known_until(self, at_s: float) -> None:
        """Be told that all records written before a moment (of this machine's) were heard."""
        self._known_s = at_s - SLACK_S + self._plan.clock_offset_s

    # ---- the thread ----------------------------------------------------------------------

    def run(self, ends: threading.Event, projected: threading.Event) -> None:
        """Read and divide until the end, and then all that is left.

        Args:
            ends: set once no worker runs any more.
            projected: set once all that they wrote was heard.
        """
        try:
            with ExitStack() as held:
                windows = MeterWindows(self._data)
                held.callback(windows.close)
                folder = self._data / "journal" / str(JOURNAL)
                journal = held.enter_context(
                    SegmentJournal(
                        folder, worker=JOURNAL, limit_bytes=self._plan.limits.journal_bytes
                    )
                )
                held.callback(self._close)
                self._recover(windows)
                while not ends.wait(self._until_beat_s()):
                    self._guarded(lambda: self._beat(windows, journal))
                self._guarded(lambda: self._finish(windows, journal, projected))
        except StoreFault as error:
            self._say(f"meters are not read: {error}")
        finally:
            self.ended.set()

    def _until_beat_s(self) -> float:
        return BEAT_S - time.monotonic() % BEAT_S

    def _guarded(self, do: Callable[[], None]) -> None:
        """Do it; a store that cannot is told once, and what was kept is gone on with later."""
        try:
            do()
        except StoreFault as error:
            self._say(f"meters wait: {error}")
        except Exception as error:  # one fault of ours must not end all readings
            self._say(f"meters: a fault of ours, tried again: {_worded(error)}")

    def _say(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)

    def _recover(self, windows: MeterWindows) -> None:
        """Take up the windows of an earlier life, and the requests that ran in them."""
        left = windows.undivided()
        if not left:
            return
        since_s = min(each.start_s for each in left) - self._longest_s
        try:
            self._lives.take(kept_records(self._ledger, since_s=since_s))
        except StoreFault as error:
            self._say(f"{len(left)} windows of meters wait for the next start: {error}")
        else:
            self._pending = list(left)

    def _beat(self, windows: MeterWindows, journal: SegmentJournal) -> None:
        """Once a second: open what is not open, read what is due, divide and tell what can be."""
        self._listen()  # first: what is heard grows while a store refuses all that comes after
        self._open(windows)
        self._read(windows, all_of_them=False)
        self._divide(windows, at_once=False)
        self._write(windows, journal)
        self._counts.write()

    def _finish(
        self, windows: MeterWindows, journal: SegmentJournal, projected: threading.Event
    ) -> None:
        """Read the last window, and divide all once everything was heard."""
        now_s = time.monotonic()
        lacks_s = [
            each.least_span_s - (now_s - self._began_s[each.plan.name]) for each in self._servers
        ]
        time.sleep(max((each for each in lacks_s if 0.0 < each <= LAST_WINDOW_S), default=0.0))
        self._read(windows, all_of_them=True)
        for each in self._servers:
            for reading in each.rest():
                self._unkept.append((each.plan, reading))
        self._keep(windows)
        if projected.wait(PROJECTED_WITHIN_S):
            self._divide(windows, at_once=True)
        self._write(windows, journal)
        self._counts.write()

    def _close(self) -> None:
        for each in self._servers:
            each.close()

    # ---- reading -------------------------------------------------------------------------

    def _open(self, windows: MeterWindows) -> None:
        """Open the meters that are not; what refuses is tried again every minute."""
        if len(self._servers) == len(self._plan.meters):
            return
        now_s = time.monotonic()
        if self._opened_s and now_s - self._opened_s < REOPEN_S:
            return
        self._opened_s = now_s
        known = {each.plan.name for each in self._servers}
        for plan in self._plan.meters:
            if plan.name not in known:
                self._open_one(windows, plan)
        self._keep(windows)

    def _open_one(self, windows: MeterWindows, plan: MeterPlan) -> None:
        last_s = windows.last_end_s(plan.name)
        try:
            made = MeteredServers(plan, self._open_meter)
        except InputError as error:
            self._refused(plan, last_s, str(error))
            return
        except Exception as error:  # of a vendor's library: the other meters are opened
            self._refused(plan, last_s, _worded(error))
            return
        if twice := overlapping(self._servers, made):
            made.close()
            self._refused(plan, last_s, twice)
            return
        now = datetime.now(UTC)
        self._gap(plan, last_s, now)
        self._begins(made, at=now, ticks_s=time.monotonic())
        made.begin()
        self._servers.append(made)

    def _refused(self, plan: MeterPlan, last_s: float | None, why: str) -> None:
        line = f"meter {plan.name}: {why}; joules of its requests are modelled"
        if line not in self._told:
            now = datetime.now(UTC)
            self._gap(plan, last_s, now)
            self._unkept.append((plan, unread(plan.name, now, now, why)))
        self._refusing.add(plan.name)
        self._say(line)

    def _gap(self, plan: MeterPlan, last_s: float | None, now: datetime) -> None:
        """Tell that nobody read a meter since its last window, if it had one."""
        if last_s is None:
            return
        last = datetime.fromtimestamp(last_s - self._plan.clock_offset_s, tz=UTC)
        if (now - last).total_seconds() > GAP_LEAST_S:
            why = REFUSED if plan.name in self._refusing else NOT_RUNNING
            self._unkept.append((plan, unread(plan.name, last, now, why)))

    def _begins(self, servers: MeteredServers, *, at: datetime, ticks_s: float) -> None:
        """Note that a window begins; it lasts as long as its meter needs at least."""
        name, least_s = servers.plan.name, servers.least_span_s
        self._began_s[name] = ticks_s
        self._due_s[name] = ticks_s + max(servers.plan.every_s, least_s + BEAT_S if least_s else 0)
        self._since_s[name] = at.timestamp() + self._plan.clock_offset_s

    def _read(self, windows: MeterWindows, *, all_of_them: bool) -> None:
        """End the windows that are long enough; take a sample of the others."""
        soon_s = time.monotonic() + BEAT_S / 2.0
        due = [
            each for each in self._servers if all_of_them or self._due_s[each.plan.name] <= soon_s
        ]
        for each in self._servers:
            if each not in due:
                self._looked(each)
        if due:
            now, ticks_s = datetime.now(UTC), time.monotonic()
            with ThreadPoolExecutor(len(due), thread_name_prefix="meter") as pool:
                told = list(pool.map(self._read_one, due))
            for servers, readings in zip(due, told, strict=True):
                self._unkept.extend((servers.plan, reading) for reading in readings)
                self._begins(servers, at=now, ticks_s=ticks_s)
        self._keep(windows)

    def _looked(self, servers: MeteredServers) -> None:
        try:
            servers.look()
        except Exception as error:  # of a vendor's library: the other meters are read
            self._say(f"meter {servers.plan.name}: it could not be read: {_worded(error)}")

    def _read_one(self, servers: MeteredServers) -> tuple[Reading, ...]:
        """Return what a meter tells; one that fails, as none should, has no reading."""
        name = servers.plan.name
        try:
            return servers.read()
        except Exception as error:  # of a vendor's library: the other meters are read
            why = f"it could not be read: {_worded(error)}"
            self._say(f"meter {name}: {why}")
            began_s = self._since_s[name] - self._plan.clock_offset_s
            began = datetime.fromtimestamp(began_s, tz=UTC)
            return (unread(name, began, datetime.now(UTC), why),)

    def _keep(self, windows: MeterWindows) -> None:
        """Keep what was read; what the store refuses now is kept at a later beat."""
        while self._unkept:
            plan, reading = self._unkept[0]
            window = windows.add(plan.name, reading, offset_s=self._plan.clock_offset_s)
            self._unkept.popleft()
            self._counts.window(plan, window)
            self._pending.append(window)

    # ---- dividing ------------------------------------------------------------------------

    def _listen(self) -> float:
        """Take what was heard; return until when all that was written is known."""
        known_s = self._known_s
        while self._heard:
            self._lives.take(self._heard.popleft())
        return known_s

    def _divide(self, windows: MeterWindows, *, at_once: bool) -> None:
        """Divide the windows whose requests are known; at the end all of them."""
        known_s = self._listen()
        left: list[MeteredWindow] = []
        for window in self._pending:
            ready = at_once or window.microjoules is None
            if not ready and known_s < window.end_s:
                left.append(window)
                continue
            # the company file may have no such meter any more
            place = self._places.get(window.meter) or _no_place(window)
            upstreams = self._upstreams(window.meter)
            lives = tuple(self._lives.within(upstreams, window.start_s, window.end_s))
            late = known_s >= window.end_s + self._wait_s
            if ready or late or all(life.closed_s is not None for life in lives):
                records = self._records(window, lives, place)
                windows.divide(window.number, records)
                self._counts.divided(records)
            else:
                left.append(window)
        self._pending = left
        for plan in self._plan.meters:
            starts = [each.start_s for each in left if each.meter == plan.name]
            starts.append(self._since_s.get(plan.name, known_s))
            self._lives.forget(plan.upstreams, min([*starts, known_s]), longest_s=self._longest_s)

    def _records(
        self, window: MeteredWindow, lives: Sequence[RequestLife], place: MeteredPlace
    ) -> Sequence[Metered]:
        """Return a window's records; one that cannot be divided is nobody's, and says so."""
        try:
            return metered_records(window, lives, place)
        except InputError as error:  # it must not keep the windows after it from being divided
            self._say(f"meter {window.meter}: {error}")
            return metered_records(replace(window, reason=f"not divided: {error}"), (), place)

    def _upstreams(self, meter: str) -> tuple[str, ...]:
        return next((each.upstreams for each in self._plan.meters if each.name == meter), ())

    def _write(self, windows: MeterWindows, journal: SegmentJournal) -> None:
        """Write what is divided into the journal."""
        for number, records in windows.untold():
            for record in records:
                journal.write(record)
            windows.tell(number)


def _worded(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _place(meter: MeterPlan, plan: WorkerPlan) -> MeteredPlace:
    return MeteredPlace(
        site=meter.site,
        model=meter.model,
        accelerator=meter.accelerator,
        idle_w=meter.idle_w,
        idle=meter.idle,
        reserved=tuple(
            (tenant.name, tenant.reserved_share)
            for tenant in plan.tenants
            if tenant.reserved_share > 0.0
        ),
    )


def _no_place(window: MeteredWindow) -> MeteredPlace:
    return MeteredPlace(site="", model=window.meter, accelerator="", idle_w=0.0)


def _opened(engine: Engine, every_s: float) -> WindowMeter:
    from tokenergy.feeds.meters.open_meter import open_meter

    return open_meter(engine, every_s=every_s)

"""What all listeners of one worker share: one look a second at ledger and files, while any listens.

A listener keeps what it has sent and takes what is newer whenever its client can read more, so
that a slow one skips what is past and grows no queue.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from tokenergy.company.serving.live import (
    NEWEST_COUNT,
    LiveDecisions,
    LiveFace,
    LiveFaces,
    LiveRows,
    LiveSums,
)
from tokenergy.company.serving.ports import StoreFault
from tokenergy.serve.ending import log_fault
from tokenergy.serve.gateway_metrics import Told
from tokenergy.serve.live_standing import Elsewhere, Standing
from tokenergy.serve.live_words import decision_told
from tokenergy.serve.side import Side

MOST_LISTENERS_COUNT: Final = 32
LOOK_S: Final = 1.0
STANDING_S: Final = 2.0
SUMS_S: Final = 5.0
KEPT_COUNT: Final = 4 * NEWEST_COUNT
"""Decisions that are kept for listeners who read slowly."""
KEYS: Final = {"use_j": "joules", "measured_j": "measured_joules"}
"""Names of the stream that differ from ours."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Decided:
    """Decisions as they go out, and the row of the ledger that they reach to."""

    __slots__ = ("cursor", "texts")

    def __init__(self, texts: list[bytes], cursor: int) -> None:
        self.texts, self.cursor = texts, cursor


class _Seen(NamedTuple):
    """What a look found.

    Attributes:
        page: mark of the shell; "": it is not there.
        told: decisions; None: they cannot be read.
        texts: the same as they go out.
        fault: why they cannot be read.
    """

    face: LiveFace | None
    page: str
    counts: Told | None
    told: LiveDecisions | None
    texts: tuple[bytes, ...]
    fault: str


class LiveHub:
    """Looks, once for all listeners of a worker.

    Attributes:
        listeners_count: who listens now.
        stopping: whether the worker is about to end: listeners end first.
        face: the newest; None: none was drawn yet.
        standing: JSON of the newest.
        sums: JSON of the newest; b"": none yet.
        version: counted up with every look.
        ledger_number: counted up where another ledger lies in the place of the old one.
    """

    def __init__(
        self,
        side: Side,
        *,
        standing: Standing,
        faces: LiveFaces,
        rows: LiveRows | None = None,
        counts: Callable[[], Told | None] = lambda: None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; nothing is looked at before somebody listens.

        Args:
            side: this worker's gateway.
            standing: tells how it stands.
            faces: what the board maker drew.
            rows: reads the ledger; None: there is none.
            counts: reads the counts of all workers; it may wait for the disk.
            ticks: a clock that only goes forward.
        """
        self._side, self._standing, self._rows = side, standing, rows
        self.faces, self._counts, self._ticks = faces, counts, ticks
        self.listeners_count = 0
        self.stopping = False
        self.face: LiveFace | None = None
        self.standing = self.sums = b""
        self.version = self.ledger_number = 0
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=KEPT_COUNT)
        self._cursor: int | None = None
        self._left_out_count = 0
        self._due_s = dict.fromkeys(("standing", "sums"), float("-inf"))
        self._task: asyncio.Task[None] | None = None
        self._adding: asyncio.Task[None] | None = None
        self._fresh = asyncio.Event()

    # ---- listeners --------------------------------------------------------------------

    def enter(self) -> None:
        """Count a listener in; the first one begins the looking."""
        self.listeners_count += 1
        if self._task is None or self._task.done():
            self._cursor = None  # what came while nobody listened is not told as new
            self._kept.clear()
            self._left_out_count = 0
            self._due_s = dict.fromkeys(self._due_s, float("-inf"))
            self._task = asyncio.create_task(self._look_on())

    def leave(self) -> None:
        """Count it off; the looking ends with the last one."""
        self.listeners_count -= 1

    def stop(self) -> None:
        """Let every listener end: the worker does, and it waits for no ledger."""
        self.stopping = True
        if self._rows is not None:
            self._rows.interrupt()
        self.wake()

    def wake(self) -> None:
        """Let every listener look at what there is."""
        self._fresh.set()
        self._fresh = asyncio.Event()

    async def changed(self, *, within_s: float) -> bool:
        """Wait for the next look; return whether it came in time, or none will come any more."""
        if self.stopping:
            return True
        try:
            await asyncio.wait_for(self._fresh.wait(), within_s)
        except TimeoutError:
            return False
        return True

    async def decided_from(self, after: int | None) -> Decided:
        """Return what a listener begins with: what it has missed, or the newest.

        Raises:
            StoreFault: if the ledger cannot be read now.
        """
        if self._rows is None:
            return Decided([], 0)
        told = await asyncio.to_thread(self._rows.decisions, after)
        return Decided(list(self._texts(told)), told.cursor)

    def decided_after(self, cursor: int) -> Decided:
        """Return what the looks since a cursor found."""
        texts = [text for row, text in self._kept if row > cursor]
        return Decided(texts[-NEWEST_COUNT:], max(cursor, self._cursor or 0))

    # ---- looking ----------------------------------------------------------------------

    async def _look_on(self) -> None:
        """Look once a second until nobody listens; what fails is told, and tried again."""
        while self.listeners_count and not self.stopping:
            begun_s = self._ticks()
            try:
                await self._look()
            except Exception as fault:  # of ours: the page goes on without this look
                log_fault("live page", fault)
            await asyncio.sleep(max(0.05, begun_s + LOOK_S - self._ticks()))
        self._task = None

    async def _look(self) -> None:
        now_s, ticks_s = self._side.now_s(), self._ticks()
        due = {name: ticks_s >= at_s for name, at_s in self._due_s.items()}
        seen = await asyncio.to_thread(self._seen, due["standing"], self._cursor)
        self._take(seen)
        self.faces.ask()
        if due["sums"] and (self._adding is None or self._adding.done()):
            self._due_s["sums"] = ticks_s + SUMS_S
            self._adding = asyncio.create_task(self._add_up(now_s))
        if due["standing"]:
            self._due_s["standing"] = ticks_s + STANDING_S
            elsewhere = Elsewhere(
                seen.counts, self.face, seen.page, seen.fault, self._left_out_count
            )
            self.standing = _encode(self._standing.told(elsewhere))
        self.version += 1
        self.wake()

    def _seen(self, standing_is_due: bool, cursor: int | None) -> _Seen:
        """Read files and decisions, in a thread: what came of it is taken over in the loop."""
        face, page, counts = self.faces.face(), self.faces.page(), None
        mark = "" if page is None else page.mark
        if standing_is_due:
            with suppress(OSError, msgspec.MsgspecError):
                counts = self._counts()
        if self._rows is None:
            return _Seen(face, mark, counts, None, (), "")
        try:
            told = self._rows.decisions(cursor)
        except StoreFault as fault:
            return _Seen(face, mark, counts, None, (), str(fault))
        return _Seen(face, mark, counts, told, tuple(self._texts(told)), "")

    def _take(self, seen: _Seen) -> None:
        self.face, told = seen.face, seen.told
        if told is None:
            return
        if self._cursor is not None and told.cursor < self._cursor:
            self._kept.clear()
            self.ledger_number += 1
        for one, text in zip(told.decisions, seen.texts, strict=True):
            self._kept.append((one.cursor, text))
        self._cursor = told.cursor
        self._left_out_count += told.left_out_count

    def _texts(self, told: LiveDecisions) -> Iterator[bytes]:
        currency = self._side.plan.currency
        for one in told.decisions:
            yield _encode(decision_told(one, currency=currency))

    async def _add_up(self, now_s: float) -> None:
        """Add the day up: of a large ledger that takes seconds once, and nobody waits for it."""
        if self._rows is None:
            return
        try:
            text = _sums_told(await asyncio.to_thread(self._rows.sums, now_s=now_s))
        except StoreFault:
            return  # the looks at the decisions tell it
        except Exception as fault:
            log_fault("live page", fault)
            return
        if text != self.sums:
            self.sums = text
            self.wake()


def _sums_told(sums: LiveSums) -> bytes:
    return _encode(
        {
            "since": sums.since,
            "rows": [
                {KEYS.get(name, name): value for name, value in row._asdict().items()}
                for row in sums.rows
            ],
            "refused": [row._asdict() for row in sums.refused],
        }
    )

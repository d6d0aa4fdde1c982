"""One worker's journal: whoever is killed after `write` has lost nothing of it.

A record is copied into a file that is mapped: the system has it then, and keeps it when the
process dies; a thread puts groups of them onto the disk, which keeps them when the machine does.
A file is made whole, of zeros, before a record goes into it: what the disk does not give is known
before anything is begun. Files grow with use, up to 16 MiB.
"""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from zlib import crc32

import msgspec

from tokenergy.company.serving.ports import JournalFull, StoreFault
from tokenergy.company.serving.record import Opened, Record, Refused
from tokenergy.store.group_sync import GroupSync
from tokenergy.store.segment_file import (
    NEW_SUFFIX,
    Fill,
    SegmentAhead,
    SegmentFile,
    zeros_written,
)
from tokenergy.store.segment_form import (
    ALIVE_NAME,
    CHECKED_HEAD,
    NUMBER,
    NUMBER_AT,
    RECORD,
    SegmentHead,
    head_bytes,
    segment_numbers,
    segment_path,
)
from tokenergy.store.segment_read import written_bytes

SEGMENT_BYTES: Final = 16 * 1024 * 1024
FIRST_BYTES: Final = 1024 * 1024
"""Size of a worker's first segment, whose zeros are written while its first record waits."""
LEAST_BYTES: Final = 64 * 1024
"""Size of a segment that is still tried where the disk does not give more."""
GROWTH_COUNT: Final = 4
"""The next segment is so many times as large, or as small, as the one before."""
FOR_CLOSING_SHARE: Final = 0.125
"""End of a segment that takes no new work: it is for what was begun, if there is no next one."""
SYNC_EVERY_S: Final = 0.010
SYNC_EVERY_COUNT: Final = 100
LOOK_AGAIN_S: Final = 0.1
"""How often a full journal looks whether segments were projected and removed."""
LOCK_TRIES_COUNT: Final = 20
LOCK_WAIT_S: Final = 0.01
AFTER_FAULT_S: Final = 1.0
"""How long nothing new is taken after the disk refused to keep what was written."""
_HEAD_BYTES: Final = RECORD.size
_NEW: Final = (Opened, Refused)
"""Records of new work; the others are of work that was begun."""


class SegmentJournal:
    """Keeps the promise of `Journal` in a folder of segments; `close` it.

    Attributes:
        worker: number of the worker.
        epoch: this life of the worker; leases are taken under the same one.
        faults_count: how often the system or the disk refused something.
    """

    def __init__(
        self,
        folder: Path,
        *,
        worker: int,
        limit_bytes: int,
        epoch: int | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        fill: Fill = zeros_written,
        fdatasync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """Take the folder; a file is made by the first record.

        Args:
            folder: of this worker alone; it is made.
            worker: its number.
            limit_bytes: bound of what is not projected yet; new work is refused beyond it, but
                work that was begun may be closed.
            epoch: None: this moment in nanoseconds.
            segment_bytes: most that a segment holds; at most a quarter of the bound.
            fill, fdatasync: give a file its zeros, and put it onto the disk; a test puts a full
                disk here.

        Raises:
            StoreFault: if another process writes there, or the folder cannot be made.
        """
        self._folder, self.worker = folder, worker
        self.epoch = time.time_ns() if epoch is None else epoch
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(CHECKED_HEAD.size, min(segment_bytes, limit_bytes // 4))
        self._size_bytes = min(self._segment_bytes, FIRST_BYTES)
        self._fill = fill
        self._ahead = SegmentAhead(folder, fill)
        self._encode = msgspec.msgpack.Encoder().encode_into
        self._buffer = bytearray(4096)
        self._alive = self._claimed()
        self._left_bytes = _left_in(folder)
        self._segment_number = max(self._left_bytes, default=-1)
        self._number = 0
        self._segment: SegmentFile | None = None
        self._look_at_bytes = 0
        self._kept_bytes = sum(self._left_bytes.values())
        self._looked_at_s = 0.0
        self.faults_count = 0
        self._sync = GroupSync(
            every_s=SYNC_EVERY_S, every_count=SYNC_EVERY_COUNT, fdatasync=fdatasync
        )

    def _claimed(self) -> int:
        """Return the file whose lock says that this worker lives; the system frees it at death."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = os.open(self._folder / ALIVE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreFault(f"journal {self._folder}: {error.strerror}") from error
        try:
            _locked(held)
            os.pwrite(held, NUMBER.pack(self.epoch), 0)
        except OSError as error:
            os.close(held)
            raise StoreFault(
                f"journal {self._folder}: another process writes there, or none may: "
                f"{error.strerror}"
            ) from error
        return held

    def write(self, record: Record) -> int:
        """Append a record and return its number; it survives this process from now on.

        Raises:
            JournalFull: if nothing more can be written; of begun work only if the disk says so.
        """
        if self._kept_bytes >= self._limit_bytes or self._sync.fault:
            self._refuse(record)
        buffer = self._buffer
        self._encode(record, buffer, _HEAD_BYTES)
        number = self._number + 1
        NUMBER.pack_into(buffer, NUMBER_AT, number)
        checked = crc32(memoryview(buffer)[NUMBER_AT:])
        RECORD.pack_into(buffer, 0, len(buffer) - _HEAD_BYTES, checked, number)
        segment = self._segment
        if segment is None or segment.written_bytes + len(buffer) > self._look_at_bytes:
            segment = self._room_for(record, len(buffer))
        segment.put(buffer)
        self._kept_bytes += len(buffer)
        self._number = number
        self._sync.wrote(number)
        return number

    async def synced(self, number: int) -> None:
        """Wait until the disk has the record.

        Raises:
            StoreFault: if it refuses it.
        """
        await self._sync.reached(number)

    @property
    def bytes_count(self) -> int:
        """Bytes written to the segments that are still there; the last one is until it is left.

        Whoever projects removes segments.
        """
        there = set(segment_numbers(self._folder))
        self._left_bytes = {
            number: size for number, size in self._left_bytes.items() if number in there
        }
        self._kept_bytes = sum(self._left_bytes.values())
        if self._segment is not None and self._segment_number in there:
            self._kept_bytes += self._segment.written_bytes
        return self._kept_bytes

    def _refuse(self, record: Record) -> None:
        """Refuse new work while the journal is at its bound, or the disk refused to keep it.

        Raises:
            JournalFull: if so.
        """
        if not isinstance(record, _NEW):
            return
        now_s = time.monotonic()
        if self._sync.fault:
            if now_s - self._sync.fault_at_s < AFTER_FAULT_S:
                raise JournalFull(f"the disk refuses the journal: {self._sync.fault}")
            self._sync.fault = ""
            self._leave()  # the next record begins a new segment
        if self._kept_bytes < self._limit_bytes:
            return
        if now_s - self._looked_at_s >= LOOK_AGAIN_S:
            self._looked_at_s = now_s
            if self.bytes_count < self._limit_bytes:
                return
        raise JournalFull(
            f"the journal of worker {self.worker} holds {self._kept_bytes} bytes that are not "
            f"projected yet; its bound is {self._limit_bytes} bytes"
        )

    def _room_for(self, record: Record, wide_bytes: int) -> SegmentFile:
        """Return the segment that takes a record: this one, or the next one, which is begun.

        Raises:
            JournalFull: if the disk does not give the next one; this one is kept for smaller
                records, and its end for work that was begun.
        """
        segment = self._segment
        if segment is None:
            return self._begun(wide_bytes)
        size_bytes, end_bytes = segment.size_bytes, segment.written_bytes + wide_bytes
        until_bytes = int(size_bytes * (1.0 - FOR_CLOSING_SHARE))
        if end_bytes > size_bytes or (end_bytes > until_bytes and isinstance(record, _NEW)):
            return self._begun(wide_bytes)
        if self._look_at_bytes < until_bytes:
            self._look_at_bytes = until_bytes
            self._ahead.ask(self._size_bytes)
        return segment

    def _begun(self, wide_bytes: int) -> SegmentFile:
        """Begin the next segment; the one before is closed by the sync."""
        if self._alive < 0:
            raise JournalFull(f"the journal of worker {self.worker} is closed")
        number = self._segment_number + 1
        head = head_bytes(SegmentHead(self.worker, self.epoch, self._number + 1))
        try:
            made = self._made(len(head) + wide_bytes, number)
            try:
                file = made.begin(head, segment_path(self._folder, number))
            except OSError:
                made.discard()
                raise
        except OSError as error:
            raise self._full(error) from error
        self._leave()
        self._segment, self._segment_number = made, number
        self._look_at_bytes = made.size_bytes // 2
        self._size_bytes = min(self._segment_bytes, made.size_bytes * GROWTH_COUNT)
        self._kept_bytes += made.written_bytes
        self._sync.opened(file, self._folder)
        return made

    def _made(self, least_bytes: int, number: int) -> SegmentFile:
        """Return a file of zeros: the one made ahead, or one made now, as large as there is room.

        Raises:
            OSError: if the disk gives none.
        """
        ahead = self._ahead.take(least_bytes)
        if ahead is not None:
            return ahead
        path = self._folder / f"{number:08d}{NEW_SUFFIX}"
        while True:
            try:
                return SegmentFile(path, max(least_bytes, self._size_bytes), fill=self._fill)
            except OSError:
                if self._size_bytes <= LEAST_BYTES:
                    raise
                self._size_bytes = max(LEAST_BYTES, self._size_bytes // GROWTH_COUNT)

    def _leave(self) -> None:
        """Write no more to the segment; the sync puts it onto the disk and closes it."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self._left_bytes[self._segment_number] = segment.leave()
            self._sync.left(segment.written_bytes)

    def _full(self, error: OSError) -> JournalFull:
        self.faults_count += 1
        return JournalFull(
            f"the journal of worker {self.worker} cannot be written: {error.strerror or error}"
        )

    def close(self) -> None:
        """Put everything onto the disk and let go of the folder."""
        self._leave()
        self._sync.close()
        self._ahead.close()
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _locked(held: int) -> None:
    """Lock a file; whoever only looks whether somebody lives holds it for a moment.

    Raises:
        BlockingIOError: if it stays another's.
    """
    for _ in range(LOCK_TRIES_COUNT):
        with suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(LOCK_WAIT_S)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_alive(folder: Path) -> int | None:
    """Return the epoch of the worker that holds this folder now, or None: nobody does.

    Whoever lived when segments were listed, and does not now, has written its last record.
    """
    try:
        held = os.open(folder / ALIVE_NAME, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(held, NUMBER.size, 0)
        return int(NUMBER.unpack(said)[0]) if len(said) == NUMBER.size else 0
    else:
        return None
    finally:
        os.close(held)


def _left_in(folder: Path) -> dict[int, int]:
    """Return what former lives wrote, by segment, and remove files that did not become one."""
    for path in folder.glob(f"*{NEW_SUFFIX}"):
        path.unlink(missing_ok=True)
    found = {}
    for number in segment_numbers(folder):
        with suppress(FileNotFoundError):  # it was projected and removed since
            found[number] = written_bytes(segment_path(folder, number))
    return found

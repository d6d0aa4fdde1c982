"""One worker's journal: whoever is killed after `write` has lost nothing of it.

A record is one `write` to the system, which keeps it when the process dies; a thread puts groups
of them onto the disk, which keeps them when the machine does. What the system could not take
whole is cut off again, so that a segment never has half a record before a whole one.
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

SEGMENT_BYTES: Final = 16 * 1024 * 1024
SYNC_EVERY_S: Final = 0.010
SYNC_EVERY_COUNT: Final = 100
LOOK_AGAIN_S: Final = 0.1
"""How often a full journal looks whether segments were projected and removed."""
LOCK_TRIES_COUNT: Final = 20
LOCK_WAIT_S: Final = 0.01
AFTER_FAULT_S: Final = 1.0
"""How long nothing new is taken after the disk refused to keep what was written."""
_HEAD_BYTES: Final = RECORD.size


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
        write: Callable[[int, bytearray], int] = os.write,
        fdatasync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """Take the folder; a file is made by the first record.

        Args:
            folder: of this worker alone; it is made.
            worker: its number.
            limit_bytes: bound of what is not projected yet; new work is refused beyond it, but
                work that was begun may be closed.
            epoch: None: this moment in nanoseconds.
            segment_bytes: size from which a new segment is begun; at most a quarter of the bound.
            write, fdatasync: of the system; a test puts a full disk here.

        Raises:
            StoreFault: if another process writes there, or the folder cannot be made.
        """
        self._folder, self.worker = folder, worker
        self.epoch = time.time_ns() if epoch is None else epoch
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(CHECKED_HEAD.size, min(segment_bytes, limit_bytes // 4))
        self._write = write
        self._encode = msgspec.msgpack.Encoder().encode_into
        self._buffer = bytearray(4096)
        self._alive = self._claimed()
        numbers = segment_numbers(folder)
        self._segment_number = numbers[-1] if numbers else -1
        self._number = 0
        self._offset_bytes = 0
        self._file: int | None = None
        self._kept_bytes = _bytes_in(folder)
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
        if self._file is None or self._offset_bytes >= self._segment_bytes:
            self._begin_segment()
        self._put(buffer)
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
        """Bytes of the segments that are still there: the last one counts whole until it is left.

        Whoever projects removes segments.
        """
        self._kept_bytes = _bytes_in(self._folder)
        return self._kept_bytes

    def _refuse(self, record: Record) -> None:
        """Refuse new work while the journal is at its bound, or the disk refused to keep it.

        Raises:
            JournalFull: if so.
        """
        if not isinstance(record, Opened | Refused):
            return
        now_s = time.monotonic()
        if self._sync.fault:
            if now_s - self._sync.fault_at_s < AFTER_FAULT_S:
                raise JournalFull(f"the disk refuses the journal: {self._sync.fault}")
            self._sync.fault = ""
            self._file = None  # the next record begins a new segment
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

    def _begin_segment(self) -> None:
        """Open the next segment with its head; the one before is closed by the sync."""
        number = self._segment_number + 1
        path = segment_path(self._folder, number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        try:
            file = os.open(path, flags, 0o600)
        except OSError as error:
            raise self._full(error) from error
        self._file, self._offset_bytes = file, 0
        try:
            self._put(bytearray(head_bytes(SegmentHead(self.worker, self.epoch, self._number + 1))))
        except JournalFull:
            self._file = None
            os.close(file)
            with suppress(OSError):
                path.unlink()
            raise
        self._segment_number = number
        self._sync.opened(file, self._folder)

    def _put(self, data: bytearray) -> None:
        """Write all of it at the end of the segment, or nothing."""
        file = self._file
        if file is None:
            raise JournalFull("the journal has no segment to write to")
        try:
            written = self._write(file, data)
        except OSError as error:
            self._cut(file)
            raise self._full(error) from error
        if written != len(data):
            self._cut(file)
            raise self._full(OSError(28, "only a part of the record was taken"))
        self._offset_bytes += written
        self._kept_bytes += written

    def _cut(self, file: int) -> None:
        """Cut off what is torn; a segment that cannot be cut is left behind."""
        try:
            os.ftruncate(file, self._offset_bytes)
        except OSError:
            self.faults_count += 1
            self._file = None

    def _full(self, error: OSError) -> JournalFull:
        self.faults_count += 1
        return JournalFull(
            f"the journal of worker {self.worker} cannot be written: {error.strerror or error}"
        )

    def close(self) -> None:
        """Put everything onto the disk and let go of the folder."""
        self._sync.close()
        self._file = None
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


def _bytes_in(folder: Path) -> int:
    """Return the bytes of all segments in a folder."""
    found = 0
    for number in segment_numbers(folder):
        try:
            found += segment_path(folder, number).stat().st_size
        except FileNotFoundError:  # it was projected and removed since
            continue
    return found

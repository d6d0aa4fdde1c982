"""Puts written records onto the disk in groups, in a thread of its own, off the event loop."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from tokenergy.company.serving.ports import StoreFault

Waiter = tuple[int, asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class GroupSync:
    """Calls `fdatasync` every so many milliseconds or records, whichever comes first.

    It owns the files that it is given: a file that is left is closed, in the thread, once all of it
    is on the disk, and cut to what was written to it. What was copied into a map of a file is put
    onto the disk by a sync of the file, as what was written to it is. While nothing is written the
    thread sleeps.

    Attributes:
        synced_number: number of the last record that the disk has.
        fault: what the disk said when it last refused; None: it takes all.
        fault_at_s: when that was, by the monotonic clock.
    """

    def __init__(
        self,
        *,
        every_s: float,
        every_count: int,
        fdatasync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """Start no thread yet: the first file does."""
        self._every_s, self._every_count, self._fdatasync = every_s, every_count, fdatasync
        self.synced_number, self.fault, self.fault_at_s = 0, "", 0.0
        self._written_number = 0
        self._refused = range(0)
        self._file: int | None = None
        self._left: list[tuple[int, int]] = []
        self._new_folders: set[Path] = set()
        self._waiters: list[Waiter] = []
        self._lock = Lock()
        self._wake, self._early = Event(), Event()
        self._parked = self._ended = False
        self._thread: Thread | None = None

    def opened(self, file: int, folder: Path) -> None:
        """Take a new file that records go to from now on, in a folder that has its name new."""
        with self._lock:
            self._file = file
            self._new_folders.add(folder)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="journal-sync", daemon=True)
            self._thread.start()

    def left(self, written_bytes: int) -> None:
        """Note that no more is written to the file, and how much was."""
        with self._lock:
            if self._file is not None:
                self._left.append((self._file, written_bytes))
                self._file = None
        self._wake.set()

    def wrote(self, number: int) -> None:
        """Note that a record was written; its file is the one that was opened last."""
        self._written_number = number
        if self._parked:
            self._wake.set()
        elif number - self.synced_number >= self._every_count and not self._early.is_set():
            self._early.set()

    async def reached(self, number: int) -> None:
        """Wait until the disk has a record.

        Raises:
            StoreFault: if the disk refuses it.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if number in self._refused:
                raise StoreFault("the disk refused this record of the journal")
            if number <= self.synced_number:
                return
            if self._ended:
                raise StoreFault("the journal is closed")
            self._waiters.append((number, loop, future))
        await future

    def close(self) -> None:
        """Put everything onto the disk, close the files and end the thread."""
        self._ended = True
        self._early.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if not self._has_work():
                self._parked = True
                if not self._has_work() and not self._ended:
                    self._wake.wait()
                self._parked = False
            if not self._ended:
                self._early.wait(self._every_s)
            self._early.clear()
            ends = self._ended
            self._sync()
            if ends:
                break
        self._tell(StoreFault("the journal is closed"))

    def _has_work(self) -> bool:
        return self._written_number > self.synced_number or bool(self._left)

    def _sync(self) -> None:
        """Sync what was written so far; of files that were left, the last time."""
        with self._lock:
            number, file, left = self._written_number, self._file, self._left
            folders, self._left, self._new_folders = self._new_folders, [], set()
        try:
            for folder in folders:
                _sync_folder(folder)
            for each, _ in left:
                self._fdatasync(each)
            if file is not None:
                self._fdatasync(file)
        except OSError as error:
            self.fault = error.strerror or str(error)
            self.fault_at_s = time.monotonic()
            fault: StoreFault | None = StoreFault(f"the disk refuses the journal: {self.fault}")
        else:
            self.fault, fault = "", None
        for each, written_bytes in left:
            with suppress(OSError):  # zeros behind the last record are an end as well
                os.ftruncate(each, written_bytes)
            os.close(each)
        with self._lock:
            # What a disk refused once is not asked for again: the next sync may lie about it.
            if fault is not None:
                self._refused = range(self.synced_number + 1, number + 1)
            self.synced_number = number
        self._tell(fault, upto=number)

    def _tell(self, fault: StoreFault | None, *, upto: int | None = None) -> None:
        """Wake whoever waits for these records."""
        with self._lock:
            ready = [one for one in self._waiters if upto is None or one[0] <= upto]
            self._waiters = [one for one in self._waiters if one not in ready]
        for _, loop, future in ready:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_end, future, fault)


def _end(future: "asyncio.Future[None]", fault: StoreFault | None) -> None:
    if future.done():
        return
    if fault is None:
        future.set_result(None)
    else:
        future.set_exception(fault)


def _sync_folder(folder: Path) -> None:
    """Put the names of new files onto the disk."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)

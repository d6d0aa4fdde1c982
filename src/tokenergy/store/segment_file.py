"""A segment's file while it is written: zeros of fixed size, mapped, filled from the front.

Its blocks are there before the first record is, so that a full disk is told then and not in the
middle of a record, and a record changes nothing but bytes. What is copied into the map is the
system's at once, which keeps it when the process dies, as it keeps what is written to a file.
"""

import errno
import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Final

Fill = Callable[[int, int], None]
"""Makes a new file (its descriptor) as long as that many bytes, all zero; OSError if it cannot."""
FILL_BYTES: Final = 16 * 1024
"""Zeros of one write: the system may take them as one piece, and puts a piece whole onto the disk
whenever a byte of it has changed."""
LET_GO_BYTES: Final = 1024 * 1024
"""How much of a map is kept in the memory of this process behind the last record, at most."""
HEADER_BYTES: Final = 8
"""Begin of a record that is copied last: its length and CRC."""
NEW_SUFFIX: Final = ".new"
"""Ends the name of a file that is not a segment yet; whoever takes the folder removes it."""


def zeros_written(file: int, size_bytes: int) -> None:
    """Write zeros to a new file, not a hole: its blocks are the disk's to give now.

    Raises:
        OSError: if it does not.
    """
    zeros = memoryview(bytes(min(FILL_BYTES, size_bytes)))
    left = size_bytes
    while left > 0:
        left -= os.write(file, zeros[:left])


class SegmentFile:
    """One file that takes records until it is full; `leave` it, or `discard` it.

    Attributes:
        path: where it lies; it is renamed when it becomes a segment.
        size_bytes: most that it takes.
        written_bytes: what it has taken.
    """

    def __init__(self, path: Path, size_bytes: int, *, fill: Fill = zeros_written) -> None:
        """Make the file, or nothing at all.

        Raises:
            OSError: if the disk does not give its bytes.
        """
        self.path, self.size_bytes, self.written_bytes = path, size_bytes, 0
        self._let_go_bytes = 0
        self._let_go_at_bytes = LET_GO_BYTES
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fill(self._file, size_bytes)
            if os.fstat(self._file).st_size < size_bytes:
                raise OSError(errno.ENOSPC, "only a part of the segment was taken")
            self._map = mmap.mmap(self._file, size_bytes, mmap.MAP_SHARED)
        except OSError:
            os.close(self._file)
            with suppress(OSError):
                path.unlink()
            raise

    def begin(self, head: bytes, path: Path) -> int:
        """Become the segment of that name, with its head; return its file.

        Raises:
            OSError: if it cannot be renamed.
        """
        self._map[: len(head)] = head
        self.path.rename(path)
        self.path, self.written_bytes = path, len(head)
        return self._file

    def put(self, record: bytearray) -> None:
        """Take a record, for which there is room; its length and CRC last.

        Whoever is killed in the middle leaves zeros where the record would begin.
        """
        at = self.written_bytes
        end = at + len(record)
        with memoryview(record) as whole:
            self._map[at + HEADER_BYTES : end] = whole[HEADER_BYTES:]
            self._map[at : at + HEADER_BYTES] = whole[:HEADER_BYTES]
        self.written_bytes = end
        if end >= self._let_go_at_bytes:
            self._let_go()

    def _let_go(self) -> None:
        """Give back the memory of what was written: it is in the system's, dirty as it is."""
        end = self.written_bytes // mmap.PAGESIZE * mmap.PAGESIZE
        begin, self._let_go_bytes = self._let_go_bytes, end
        self._let_go_at_bytes = end + LET_GO_BYTES
        self._map.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def kept(self) -> None:
        """Put the whole file onto the disk: then a later sync has only records to write.

        Raises:
            OSError: if the disk refuses.
        """
        os.fdatasync(self._file)

    def leave(self) -> int:
        """Let go of the map and return how much was written; the file is another's to close."""
        self._map.close()
        return self.written_bytes

    def discard(self) -> None:
        """Remove a file that did not become a segment."""
        self._map.close()
        os.close(self._file)
        with suppress(OSError):
            self.path.unlink()


class SegmentAhead:
    """Makes the next file in a thread of its own, so that nobody waits for its zeros."""

    def __init__(self, folder: Path, fill: Fill) -> None:
        """Make nothing yet."""
        self._path, self._fill = folder / f"ahead{NEW_SUFFIX}", fill
        self._lock = Lock()
        self._made: SegmentFile | None = None
        self._thread: Thread | None = None

    def ask(self, size_bytes: int) -> None:
        """Have a file made, if there is none and none is being made."""
        if self._made is None and (self._thread is None or not self._thread.is_alive()):
            self._thread = Thread(
                target=self._make, args=(size_bytes,), name="journal-ahead", daemon=True
            )
            self._thread.start()

    def take(self, least_bytes: int) -> SegmentFile | None:
        """Return the file if it is ready and holds that much; it is the caller's now."""
        if self._made is None or self._made.size_bytes < least_bytes:
            return None
        with self._lock:
            made, self._made = self._made, None
        return made

    def close(self) -> None:
        """Wait for the thread, and remove what nobody took."""
        if self._thread is not None:
            self._thread.join()
        made = self.take(0)
        if made is not None:
            made.discard()

    def _make(self, size_bytes: int) -> None:
        """Make a file; if the disk does not give it, whoever needs one asks again and is told."""
        try:
            made = SegmentFile(self._path, size_bytes, fill=self._fill)
        except OSError:
            return
        try:
            made.kept()
        except OSError:
            made.discard()
        else:
            with self._lock:
                self._made = made

"""Reads a segment back: every whole record once, in order, and nothing else.

The end of a segment may be torn: the writer was killed, or is at it now. What is torn there is no
record yet. A bad record with whole ones after it is something else: nothing of that segment is
read from there on, and a finding says so.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from tokenergy.company.finding import Finding
from tokenergy.company.serving.record import RECORD_VERSION, Record
from tokenergy.store.segment_form import (
    CHECKED_HEAD,
    NUMBER,
    NUMBER_AT,
    RECORD,
    SegmentHead,
    head_of,
)

CHUNK_BYTES: Final = 4 * 1024 * 1024
LOOK_AHEAD_COUNT: Final = 64
"""How many record numbers after a bad one are looked for, to tell a torn end from a bad middle."""
REMEDY: Final = (
    "What was written before is in the ledger. Keep the file, compare it with the engines' "
    "counters, and remove it once what it held is settled."
)
_DECODER: Final = msgspec.msgpack.Decoder(Record)


class Entry(NamedTuple):
    """One record as it was read.

    Attributes:
        number: of the record.
        end_bytes: where the next one begins.
        record: what it says.
        body: the same, as it was written.
    """

    number: int
    end_bytes: int
    record: Record
    body: bytes


class SegmentRead(NamedTuple):
    """What a segment had from some place on.

    Attributes:
        head: None where the file has no whole head yet.
        entries: whole records in order.
        end_bytes: end of the last one: where to go on.
        torn_bytes: of what stands after it; 0 at a clean end.
        more: whether there may be whole records after it that were not asked for.
        finding: what is wrong; None: nothing.
    """

    head: SegmentHead | None
    entries: tuple[Entry, ...]
    end_bytes: int
    torn_bytes: int
    more: bool
    finding: Finding | None


def read_head(path: Path) -> tuple[SegmentHead | None, Finding | None]:
    """Return the head of a segment, None while it is not whole; and what is wrong with it.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb", buffering=0) as held:
        return _head(path, held.read(CHECKED_HEAD.size))


def _head(path: Path, data: bytes) -> tuple[SegmentHead | None, Finding | None]:
    head = head_of(data)
    if head is not None or len(data) < CHECKED_HEAD.size:
        return head, None
    words = f"it does not begin as a segment of version {RECORD_VERSION}"
    return None, _finding(path, 0, words, code="SEGMENT_HEAD")


def read_segment(
    path: Path,
    *,
    from_bytes: int = 0,
    next_number: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> SegmentRead:
    """Return the whole records of a segment from some place on.

    Args:
        path: the segment.
        from_bytes: end of a record that was read before; 0: from the beginning.
        next_number: number of the record that is due there; None: as the head says.
        chunk_bytes: about how much is read at once.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb", buffering=0) as held:
        begin = held.read(CHECKED_HEAD.size)
        head, wrong = _head(path, begin)
        if head is None:
            return SegmentRead(None, (), 0, len(begin), more=False, finding=wrong)
        start = max(from_bytes, CHECKED_HEAD.size)
        size = os.fstat(held.fileno()).st_size
        data = os.pread(held.fileno(), chunk_bytes, start)
        read = _read(path, head, data, start, next_number, cut=start + len(data) < size)
        if read.more and not read.entries and read.finding is None:  # one record of that size
            data = os.pread(held.fileno(), size - start, start)
            read = _read(path, head, data, start, next_number, cut=False)
        return read


def _read(
    path: Path, head: SegmentHead, data: bytes, start: int, due: int | None, *, cut: bool
) -> SegmentRead:
    """Return the records of `data`, which begins at byte `start`.

    Args:
        path: for a finding.
        head: of the segment.
        data: what was read.
        start: where it begins.
        due: number of the first record.
        cut: whether the file goes on after `data`.
    """
    number = head.first_number if due is None else due
    entries: list[Entry] = []
    at, size, width = 0, len(data), RECORD.size
    words = ""
    while size - at >= width:
        length, checked, said = RECORD.unpack_from(data, at)
        end = at + width + length
        if end > size:
            words = "a record is longer than what is left of the segment"
            break
        if said != number or checked != crc32(data[at + NUMBER_AT : end]):
            words = f"record {number} does not have its checksum or its number"
            break
        body = data[at + width : end]
        try:
            record = _DECODER.decode(body)
        except (msgspec.DecodeError, RecursionError):
            finding = _finding(path, start + at, f"record {number} is of another form")
            return SegmentRead(head, tuple(entries), start + at, size - at, False, finding)
        entries.append(Entry(number, start + end, record, body))
        number, at = number + 1, end
    left = size - at
    if cut:
        return SegmentRead(head, tuple(entries), start + at, 0, more=True, finding=None)
    bad = words if words and _goes_on(data, at, number) else ""
    return SegmentRead(
        head, tuple(entries), start + at, left, more=False,
        finding=_finding(path, start + at, bad) if bad else None,
    )  # fmt: skip


def _goes_on(data: bytes, at: int, number: int) -> bool:
    """Tell whether a whole record of a later number stands anywhere after a bad one."""
    for later in range(number, number + LOOK_AHEAD_COUNT + 1):
        mark = NUMBER.pack(later)
        place = data.find(mark, at + 1 + NUMBER_AT)
        while place >= 0:
            begin = place - NUMBER_AT
            length, checked, _ = RECORD.unpack_from(data, begin)
            end = begin + RECORD.size + length
            if end <= len(data) and checked == crc32(data[place:end]):
                return True
            place = data.find(mark, place + 1)
    return False


def _finding(path: Path, at: int, words: str, *, code: str = "SEGMENT_BAD_RECORD") -> Finding:
    return Finding(
        code=code,
        path=f"journal/{path.parent.name}/{path.name}",
        value=str(at),
        unit="byte",
        reason=f"from byte {at} on the segment is not read: {words}",
        remedy=REMEDY,
    )

"""Reads a segment back: every whole record once, in order, and nothing else.

A segment ends where zeros stand in the place of a record, or where the file does. Its end may be
torn: the writer was killed, or is at it now. What is torn there is no record yet. A bad record with
whole ones after it is something else: nothing of that segment is read from there on, and a finding
says so.
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
PIECE_BYTES: Final = 64 * 1024
ZEROS_BYTES: Final = 64
"""So many zeros at the end of a file are no end of a record: it was not cut to what was written."""
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
        torn_bytes: of what stands after it, zeros at the end left out; 0 at a clean end.
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
        return _head(path, held.fileno())


def _head(path: Path, file: int) -> tuple[SegmentHead | None, Finding | None]:
    data = os.pread(file, CHECKED_HEAD.size, 0)
    head = head_of(data)
    if head is not None or len(data) < CHECKED_HEAD.size:
        return head, None
    if _is_nothing(_rest(file, CHECKED_HEAD.size)):
        return None, None  # no record is lost
    words = f"it does not begin as a segment of version {RECORD_VERSION}"
    return None, _finding(path, 0, words, code="SEGMENT_HEAD")


def has_more(path: Path, from_bytes: int) -> bool:
    """Tell whether anything is written to a segment where the last reading of it ended.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb", buffering=0) as held:
        place = max(from_bytes, CHECKED_HEAD.size)
        return not _is_nothing(os.pread(held.fileno(), NUMBER_AT, place))


def written_bytes(path: Path, from_bytes: int = 0) -> int:
    """Return where the last record of a segment ends, without a look at what it says.

    Args:
        path: the segment.
        from_bytes: end of a record.

    Raises:
        OSError: if the file cannot be read.
    """
    at = max(from_bytes, CHECKED_HEAD.size)
    with path.open("rb", buffering=0) as held:
        file = held.fileno()
        size = os.fstat(file).st_size
        if not _is_nothing(os.pread(file, ZEROS_BYTES, max(0, size - ZEROS_BYTES))):
            return size  # it was cut to what was written
        data, begin = b"", at
        while at < size:
            if at + RECORD.size > begin + len(data):
                data, begin = os.pread(file, PIECE_BYTES, at), at
                if len(data) < RECORD.size:
                    break
            length, checked, _ = RECORD.unpack_from(data, at - begin)
            if not length and not checked:
                break
            at += RECORD.size + length
    return min(at, size)


def read_segment(
    path: Path,
    *,
    from_bytes: int = 0,
    next_number: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    ended: bool = False,
) -> SegmentRead:
    """Return the whole records of a segment from some place on.

    Args:
        path: the segment.
        from_bytes: end of a record that was read before; 0: from the beginning.
        next_number: number of the record that is due there; None: as the head says.
        chunk_bytes: about how much is read at once.
        ended: whether its writer is known to write no more: then all that is left is looked at
            before its end is believed.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb", buffering=0) as held:
        file = held.fileno()
        head, wrong = _head(path, file)
        if head is None:
            torn = 0 if wrong is None else os.fstat(file).st_size
            return SegmentRead(None, (), 0, torn, more=False, finding=wrong)
        start = max(from_bytes, CHECKED_HEAD.size)
        number = head.first_number if next_number is None else next_number
        place = _Place(path, file, head, start, number)
        read = _read(place, chunk_bytes, ended=ended)
        # Its writer may have written the bad one while the whole ones after it were read: what is
        # bad is so when it is read again.
        while read.finding is not None:
            again = _read(place, chunk_bytes, ended=ended)
            if again.finding is None or again.end_bytes == read.end_bytes:
                return again
            read = again
        return read


class _Place(NamedTuple):
    """Where reading begins: at byte `start` of a file, with the record of that number."""

    path: Path
    file: int
    head: SegmentHead
    start: int
    number: int


def _read(place: _Place, chunk_bytes: int, *, ended: bool) -> SegmentRead:
    """Read about so much; more, where one record or what stands behind the end needs it."""
    size = os.fstat(place.file).st_size
    data = _some(place.file, place.start, chunk_bytes)
    cut = place.start + len(data) < size
    read = _records(place, data, cut=cut)
    whole = cut and read.finding is None and (ended if not read.more else not read.entries)
    return _records(place, _rest(place.file, place.start), cut=False) if whole else read


def _records(place: _Place, data: bytes, *, cut: bool) -> SegmentRead:
    """Return the records of `data`; `cut` tells whether the file goes on after it."""
    path, _, head, start, number = place
    entries: list[Entry] = []
    at, size, width = 0, len(data), RECORD.size
    words, is_end = "", False
    while size - at >= width:
        length, checked, said = RECORD.unpack_from(data, at)
        if not length and not checked:
            words, is_end = f"record {number} is not there", True
            break
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
    if cut and not is_end:
        return SegmentRead(head, tuple(entries), start + at, 0, more=True, finding=None)
    rest = data[at:]
    if _is_nothing(rest):
        return SegmentRead(head, tuple(entries), start + at, 0, more=False, finding=None)
    torn = len(rest.rstrip(b"\0"))
    bad = words if words and _goes_on(rest, number, torn) else ""
    return SegmentRead(
        head, tuple(entries), start + at, torn, more=False,
        finding=_finding(path, start + at, bad) if bad else None,
    )  # fmt: skip


def _some(file: int, at: int, most_bytes: int) -> bytes:
    """Return a part of a file, up to where zeros begin, about."""
    parts: list[bytes] = []
    while most_bytes > 0:
        part = os.pread(file, min(PIECE_BYTES, most_bytes), at)
        parts.append(part)
        at, most_bytes = at + len(part), most_bytes - len(part)
        if len(part) < PIECE_BYTES or _is_nothing(part[-ZEROS_BYTES:]):
            break
    return b"".join(parts)


def _rest(file: int, at: int) -> bytes:
    """Return all of a file from a place on."""
    return os.pread(file, max(0, os.fstat(file).st_size - at), at)


def _is_nothing(data: bytes) -> bool:
    """Tell whether there are zeros only."""
    return data == bytes(len(data))


def _goes_on(data: bytes, number: int, torn_bytes: int) -> bool:
    """Tell whether a whole record of a later number stands anywhere after a bad one.

    Args:
        data: from the bad one on.
        number: of the bad one.
        torn_bytes: from where on there are zeros only.
    """
    until = torn_bytes + NUMBER.size
    for later in range(number, number + LOOK_AHEAD_COUNT + 1):
        mark = NUMBER.pack(later)
        place = data.find(mark, 1 + NUMBER_AT, until)
        while place >= 0:
            begin = place - NUMBER_AT
            length, checked, _ = RECORD.unpack_from(data, begin)
            end = begin + RECORD.size + length
            if length and end <= len(data) and checked == crc32(data[place:end]):
                return True
            place = data.find(mark, place + 1, until)
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

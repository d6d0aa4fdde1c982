"""A segment: one file of a worker's journal, byte by byte.

    head      magic, version of the records, worker, epoch, number of the first record, CRC-32
    record    length u32 · CRC-32 u32 · number u64 · body (MessagePack), one after the other
    zeros     up to the size that the file was made with; cut off when the segment is left

No record has length 0: zeros in the place of length and CRC are the end of what was written.
All little-endian. The CRC of a record is that of its number and body. An epoch is one life of a
worker's process: a worker that is started again writes new segments under another epoch.
"""

import re
import struct
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from tokenergy.company.serving.record import RECORD_VERSION

MAGIC: Final = b"TKJ1"
HEAD: Final = struct.Struct("<4sHHIQQ")
CHECKED_HEAD: Final = struct.Struct("<4sHHIQQI")
RECORD: Final = struct.Struct("<IIQ")
NUMBER: Final = struct.Struct("<Q")
NUMBER_AT: Final = 8
"""Where in a record its number begins: from there on the CRC counts. Before it, length and CRC."""
SEGMENT_NAME: Final = re.compile(r"(\d{8,})\.seg")
ALIVE_NAME: Final = "alive"
"""The file whose lock a worker holds while it lives; in it, its epoch."""


class SegmentHead(NamedTuple):
    """What a segment says of itself.

    Attributes:
        worker: number of the worker that wrote it.
        epoch: the life of that worker.
        first_number: number of its first record; numbers go on from segment to segment.
    """

    worker: int
    epoch: int
    first_number: int


def head_bytes(head: SegmentHead) -> bytes:
    """Return a head as it is written."""
    plain = HEAD.pack(MAGIC, RECORD_VERSION, 0, *head)
    return plain + struct.pack("<I", crc32(plain))


def head_of(data: bytes) -> SegmentHead | None:
    """Return the head that a segment begins with, or None: it is none of this version."""
    if len(data) < CHECKED_HEAD.size:
        return None
    magic, version, _, worker, epoch, first, checked = CHECKED_HEAD.unpack_from(data)
    if magic != MAGIC or version != RECORD_VERSION or checked != crc32(data[: HEAD.size]):
        return None
    return SegmentHead(worker, epoch, first)


def segment_path(folder: Path, number: int) -> Path:
    """Return where a segment lies."""
    return folder / f"{number:08d}.seg"


def segment_numbers(folder: Path) -> tuple[int, ...]:
    """Return the numbers of a worker's segments, in their order; () where there is no folder."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return ()
    found = (SEGMENT_NAME.fullmatch(name) for name in names)
    return tuple(sorted(int(match[1]) for match in found if match))

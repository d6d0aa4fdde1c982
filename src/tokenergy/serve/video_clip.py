"""What a simulated video is: an MP4 file without a picture, which says what it is."""

import struct
from typing import Final

WORDS: Final = "simulated by tokenergy: no video was made"
TIMESCALE: Final = 1_000
_IDENTITY: Final = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def simulated_clip(*, video_id: str, model: str) -> bytes:
    """Return a valid MP4 file with no track in it, and words in its `free` box."""
    words = f"{WORDS}; id={video_id}; model={model}".encode()
    header = struct.pack(
        ">IIIII ih 10x 9i 24x I", 0, 0, 0, TIMESCALE, 0, 0x10000, 0x100, *_IDENTITY, 1
    )
    return (
        _box(b"ftyp", b"isom" + struct.pack(">I", 0x200) + b"isomiso2mp41")
        + _box(b"moov", _box(b"mvhd", header))
        + _box(b"free", words)
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content

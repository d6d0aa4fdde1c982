"""The file of a segment: whole or not at all, its records' headers last, its memory given back."""

import mmap
import os
from pathlib import Path

import pytest

from tokenergy.store.segment_file import LET_GO_BYTES, SegmentFile, zeros_written


def test_a_file_is_made_whole(tmp_path: Path) -> None:
    """Zeros are written, so that its blocks are there: a hole would have none."""
    made = SegmentFile(tmp_path / "a.new", 100_000)
    facts = (tmp_path / "a.new").stat()
    assert facts.st_size == 100_000 <= facts.st_blocks * 512
    made.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_too_short_is_not_made(tmp_path: Path) -> None:
    """Bytes past the end of a mapped file would kill who writes them."""
    with pytest.raises(OSError, match="only a part"):
        SegmentFile(tmp_path / "a.new", 10_000, fill=lambda file, _: zeros_written(file, 9_999))
    assert list(tmp_path.iterdir()) == []


def test_its_records_are_there_at_once(tmp_path: Path) -> None:
    made = SegmentFile(tmp_path / "a.new", 1_000)
    file = made.begin(b"head", tmp_path / "a.seg")
    made.put(bytearray(b"8 bytes.and the rest"))
    made.put(bytearray(b"and moreand more"))
    assert (tmp_path / "a.seg").read_bytes().rstrip(b"\0") == (
        b"head8 bytes.and the restand moreand more"
    )
    assert made.leave() == 4 + 20 + 16
    os.close(file)


class Watched(bytearray):
    """A map that notes where it is written to."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.places: list[tuple[int, int]] = []

    def __setitem__(self, place, value) -> None:
        self.places.append((place.start, place.stop))
        super().__setitem__(place, value)


def test_length_and_crc_are_copied_last(tmp_path: Path) -> None:
    """Whoever is killed in between leaves zeros there: no record."""
    made = SegmentFile(tmp_path / "a.new", 1_000)
    real, made._map = made._map, Watched(1_000)
    made.put(bytearray(range(1, 101)))
    assert made._map.places == [(8, 100), (0, 8)]
    made._map = real
    made.discard()


def test_memory_behind_the_last_record_is_given_back(tmp_path: Path) -> None:
    """Three times what is kept of it is written, and all of it is in the file."""
    made = SegmentFile(tmp_path / "a.new", 4 * LET_GO_BYTES)
    record = bytearray(os.urandom(10_000))
    whole = b""
    file = made.begin(b"head", tmp_path / "a.seg")
    while made.written_bytes < 3 * LET_GO_BYTES:
        made.put(record)
        whole += record
    assert made._let_go_bytes >= 2 * LET_GO_BYTES
    assert made._let_go_bytes % mmap.PAGESIZE == 0
    assert (tmp_path / "a.seg").read_bytes().rstrip(b"\0") == b"head" + whole.rstrip(b"\0")
    made.leave()
    os.close(file)

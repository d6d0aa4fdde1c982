"""The journal: what was written is read back, also after a kill, a full disk, a torn end."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served_records import closed, marked, metered, opened, refused

from tokenergy.company.serving.ports import JournalFull, StoreFault
from tokenergy.store.segment_form import CHECKED_HEAD, RECORD, segment_numbers, segment_path
from tokenergy.store.segment_read import read_segment
from tokenergy.store.segments import SegmentJournal, is_alive

RECORDS = (
    opened("r1"), marked("r1"), refused("x1"), opened("r2", stream=False), closed("r2"),
    marked("r1", 20), closed("r1"), metered("r1"),
)  # fmt: skip
LIMIT = 10_000_000


def journal(folder: Path, **more) -> SegmentJournal:
    return SegmentJournal(folder, **{"worker": 1, "limit_bytes": LIMIT, "epoch": 7} | more)


def written(folder: Path, records=RECORDS, **more) -> Path:
    """Write records into one segment and return it."""
    with journal(folder, **more) as held:
        for record in records:
            held.write(record)
    return segment_path(folder, segment_numbers(folder)[-1])


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    read = read_segment(written(tmp_path / "1"))
    assert read.head == (1, 7, 1)
    assert tuple(entry.record for entry in read.entries) == RECORDS
    assert [entry.number for entry in read.entries] == list(range(1, len(RECORDS) + 1))
    assert (read.torn_bytes, read.more, read.finding) == (0, False, None)


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = written(tmp_path / "1")
    first = read_segment(path, chunk_bytes=700)
    assert first.more and 0 < len(first.entries) < len(RECORDS)
    found, at, number = list(first.entries), first.end_bytes, len(first.entries) + 1
    while True:
        read = read_segment(path, from_bytes=at, next_number=number, chunk_bytes=10)
        found += read.entries
        at, number = read.end_bytes, number + len(read.entries)
        if not read.more:
            break
    assert tuple(entry.record for entry in found) == RECORDS


def test_a_segment_cut_at_every_byte_gives_its_whole_records_and_nothing_else(
    tmp_path: Path,
) -> None:
    """Sheet, section 11, test 4: never a wrong or double record; only what was cut is lost."""
    records = (RECORDS[0], RECORDS[1], RECORDS[4], RECORDS[5])
    data = written(tmp_path / "1", records).read_bytes()
    ends = [CHECKED_HEAD.size]
    while ends[-1] < len(data):
        ends.append(ends[-1] + RECORD.size + RECORD.unpack_from(data, ends[-1])[0])
    assert ends[-1] == len(data) and len(ends) == len(records) + 1
    cut = tmp_path / "cut.seg"
    for size in range(len(data) + 1):
        cut.write_bytes(data[:size])
        read = read_segment(cut)
        whole = sum(end <= size for end in ends[1:])
        assert tuple(entry.record for entry in read.entries) == records[:whole]
        assert read.finding is None
        torn = size - ends[whole] if size >= CHECKED_HEAD.size else size
        assert read.torn_bytes == torn


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_byte_never_gives_a_wrong_record(data: st.DataObject) -> None:
    """A record is read as it was written or not at all; a bad middle is told, and stops it."""
    whole = _whole()
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    path = _FOLDER / "changed.seg"
    path.write_bytes(changed)
    read = read_segment(path)
    found = tuple(entry.record for entry in read.entries)
    assert found == RECORDS[: len(found)] and len(found) < len(RECORDS)
    last = len(whole) - (RECORD.size + len(_last_body(whole)))
    if at < last:  # whole records come after it
        assert read.finding is not None
        assert read.finding.code in ("SEGMENT_BAD_RECORD", "SEGMENT_HEAD")


_FOLDER = Path(os.environ.get("TMPDIR", "/tmp")) / f"segments-{os.getpid()}"
_MADE: list[bytes] = []


def _whole() -> bytes:
    if not _MADE:
        _MADE.append(written(_FOLDER / "1").read_bytes())
    return _MADE[0]


def _last_body(data: bytes) -> bytes:
    at = CHECKED_HEAD.size
    while (end := at + RECORD.size + RECORD.unpack_from(data, at)[0]) < len(data):
        at = end
    return data[at + RECORD.size :]


@pytest.fixture(scope="module", autouse=True)
def _folder_is_removed():
    import shutil

    yield
    shutil.rmtree(_FOLDER, ignore_errors=True)


def test_a_double_record_is_not_read_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "1", RECORDS[:1])
    data = path.read_bytes()
    path.write_bytes(data + data[CHECKED_HEAD.size :])
    assert len(read_segment(path).entries) == 1


def test_a_segment_of_another_form_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "1" / "00000000.seg"
    path.parent.mkdir()
    path.write_bytes(b"something else altogether, and long enough to be a head")
    read = read_segment(path)
    assert read.head is None and read.finding is not None
    assert read.finding.code == "SEGMENT_HEAD" and read.finding.path == "journal/1/00000000.seg"


def test_new_segments_begin_at_their_size_and_numbers_go_on(tmp_path: Path) -> None:
    with journal(tmp_path, segment_bytes=1_000) as held:
        numbers = [held.write(opened(f"r{at}")) for at in range(20)]
        assert held.bytes_count == sum(path.stat().st_size for path in tmp_path.glob("*.seg"))
    assert numbers == list(range(1, 21))
    found, due = [], 1
    for number in segment_numbers(tmp_path):
        read = read_segment(segment_path(tmp_path, number))
        assert read.head is not None and read.head.first_number == due
        found += [entry.record.request_id for entry in read.entries]
        due += len(read.entries)
    assert found == [f"r{at}" for at in range(20)]
    assert len(segment_numbers(tmp_path)) > 5


def test_a_worker_started_again_leaves_a_torn_segment_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    torn = path.read_bytes()[:-3]
    path.write_bytes(torn)
    other = written(tmp_path, epoch=8)
    assert other != path and path.read_bytes() == torn
    head = read_segment(other).head
    assert head is not None and (head.epoch, head.first_number) == (8, 1)


def test_only_one_process_writes_and_its_life_is_seen(tmp_path: Path) -> None:
    assert is_alive(tmp_path) is None
    with journal(tmp_path):
        assert is_alive(tmp_path) == 7
        with pytest.raises(StoreFault, match="another process"):
            journal(tmp_path, epoch=8)
        assert is_alive(tmp_path) == 7
    assert is_alive(tmp_path) is None


def test_at_its_bound_new_work_is_refused_and_begun_work_is_closed(tmp_path: Path) -> None:
    with journal(tmp_path, limit_bytes=5_000) as held:
        with pytest.raises(JournalFull, match="its bound is 5000 bytes"):
            for at in range(100):
                held.write(opened(f"r{at}"))
        with pytest.raises(JournalFull):
            held.write(refused())
        before = held.bytes_count
        held.write(marked())
        held.write(closed())
        assert held.bytes_count > before
        # What was projected is removed, and new work is taken again.
        for number in segment_numbers(tmp_path)[:-1]:
            segment_path(tmp_path, number).unlink()
        held._looked_at_s = 0.0
        held.write(opened("later"))


class Disk:
    """A disk with so many bytes left; what does not fit is taken in part, or not at all."""

    def __init__(self, left: int, *, partly: bool) -> None:
        self.left, self.partly = left, partly

    def write(self, file: int, data: bytearray) -> int:
        if len(data) <= self.left:
            self.left -= len(data)
            return os.write(file, data)
        if not self.partly:
            raise OSError(28, "No space left on device")
        taken, self.left = self.left, 0
        return os.write(file, data[:taken])


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("left", [10, 40, 700, 1_000])
def test_a_full_disk_leaves_no_half_record(tmp_path: Path, left: int, *, partly: bool) -> None:
    disk = Disk(left, partly=partly)
    kept = []
    with journal(tmp_path, write=disk.write) as held:
        for at in range(8):
            if at == 5:
                disk.left = 10_000  # somebody made room
            try:
                held.write(opened(f"r{at}"))
                kept.append(f"r{at}")
            except JournalFull as fault:
                assert "cannot be written" in str(fault)
        assert held.faults_count > 0
    found = []
    for number in segment_numbers(tmp_path):
        read = read_segment(segment_path(tmp_path, number))
        assert read.torn_bytes == 0 and read.finding is None and read.head is not None
        found += [entry.record.request_id for entry in read.entries]
    assert found == kept and kept[-3:] == ["r5", "r6", "r7"]
    assert len(segment_numbers(tmp_path)) == 1


def test_a_disk_that_does_not_keep_takes_no_new_work(tmp_path: Path) -> None:
    broken = True

    def fdatasync(file: int) -> None:
        if broken:
            raise OSError(5, "Input/output error")
        os.fdatasync(file)

    async def play() -> None:
        nonlocal broken
        with journal(tmp_path, fdatasync=fdatasync) as held:
            number = held.write(opened())
            with pytest.raises(StoreFault, match="Input/output error"):
                await held.synced(number)
            with pytest.raises(StoreFault):
                await held.synced(number)
            with pytest.raises(JournalFull, match="Input/output error"):
                held.write(opened("r2"))
            held.write(closed())  # what was begun is closed
            broken = False
            held._sync.fault_at_s = -10.0
            await held.synced(held.write(opened("r3")))
            await held.synced(number + 2)

    asyncio.run(play())
    found = [
        entry.record.request_id
        for number in segment_numbers(tmp_path)
        for entry in read_segment(segment_path(tmp_path, number)).entries
    ]
    assert found == ["r1", "r1", "r3"]


def test_the_disk_is_asked_for_groups(tmp_path: Path) -> None:
    calls: list[int] = []

    def fdatasync(file: int) -> None:
        calls.append(file)
        os.fdatasync(file)

    async def play() -> None:
        with journal(tmp_path, fdatasync=fdatasync) as held:
            for at in range(50):
                number = held.write(marked("r", at))
            await held.synced(number)
            await held.synced(1)

    asyncio.run(play())
    assert 1 <= len(calls) < 50


WRITER = """
    import sys
    from pathlib import Path
    from served_records import opened
    from tokenergy.store.segments import SegmentJournal
    held = SegmentJournal(Path(sys.argv[1]), worker=1, limit_bytes=10**9, segment_bytes=100_000)
    at = 0
    while True:
        held.write(opened(f"r{at}"))
        print(at, flush=True)
        at += 1
"""


def test_what_was_written_before_a_kill_is_there(tmp_path: Path) -> None:
    """Sheet, section 11, test 2: answered less recorded is 0, for each of three kills."""
    here = Path(__file__).resolve().parents[1]
    for round_at in range(3):
        folder = tmp_path / str(round_at)
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(here)},
        )
        assert child.stdout is not None
        answered = 0
        for line in child.stdout:
            answered = int(line)
            if answered >= 200 + 70 * round_at:
                break
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split(b"\n")
        child.wait()
        child.stdout.close()
        answered = max([answered, *(int(one) for one in rest[:-1] if one)])
        assert is_alive(folder) is None
        found = [
            entry.record.request_id
            for number in segment_numbers(folder)
            for entry in read_segment(segment_path(folder, number)).entries
        ]
        assert found == [f"r{at}" for at in range(len(found))]
        assert len(found) >= answered + 1

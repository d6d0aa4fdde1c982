"""The journal: what was written is read back, also after a kill, a full disk, a torn end."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served_records import closed, marked, metered, opened, refused

from tokenergy.company.serving.ports import JournalFull, StoreFault
from tokenergy.store.segment_file import zeros_written
from tokenergy.store.segment_form import CHECKED_HEAD, RECORD, segment_numbers, segment_path
from tokenergy.store.segment_read import has_more, read_segment, written_bytes
from tokenergy.store.segments import FIRST_BYTES, SegmentJournal, is_alive

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


def ends_of(data: bytes) -> list[int]:
    """Return where the head and each record of a segment end."""
    ends = [CHECKED_HEAD.size]
    while ends[-1] < len(data):
        ends.append(ends[-1] + RECORD.size + RECORD.unpack_from(data, ends[-1])[0])
    return ends


@pytest.mark.parametrize("zeros", [0, 1, 5_000])
def test_a_segment_cut_at_every_byte_gives_its_whole_records_and_nothing_else(
    tmp_path: Path, zeros: int
) -> None:
    """Sheet, section 11, test 4: never a wrong or double record; only what was cut is lost.

    What is cut off is gone with the file's end, or zeros stand in its place and behind it.
    """
    records = (RECORDS[0], RECORDS[1], RECORDS[4], RECORDS[5])
    data = written(tmp_path / "1", records).read_bytes()
    ends = ends_of(data)
    assert ends[-1] == len(data) and len(ends) == len(records) + 1
    path = tmp_path / "cut.seg"
    for size in range(len(data) + 1):
        cut = data[:size] + bytes(zeros and len(data) - size + zeros)
        path.write_bytes(cut)
        whole = sum(cut[:end] == data[:end] for end in ends[1:])
        for ended in (False, True):
            read = read_segment(path, ended=ended)
            assert tuple(entry.record for entry in read.entries) == records[:whole]
            assert read.finding is None and not read.more
            if read.head is not None:
                assert read.end_bytes == ends[whole]
                assert read.torn_bytes == len(cut[ends[whole] :].rstrip(b"\0"))
                assert written_bytes(path) >= min(ends[whole], len(cut))
                assert has_more(path, ends[whole]) == any(cut[ends[whole] :][:8])


def test_whoever_is_killed_within_a_record_leaves_none(tmp_path: Path) -> None:
    """The parts of a record in the order in which they are copied, cut at each of its bytes."""
    data = written(tmp_path / "1", RECORDS[:2]).read_bytes()
    end = ends_of(data)[1]
    path = tmp_path / "cut.seg"
    for size in range(8, len(data) - end):
        path.write_bytes(data[:end] + bytes(8) + data[end + 8 : end + size] + bytes(3_000))
        read = read_segment(path, ended=True)
        assert tuple(entry.record for entry in read.entries) == RECORDS[:1]
        assert (read.finding, read.more, written_bytes(path)) == (None, False, end)
        assert not has_more(path, end)


@pytest.mark.parametrize("chunk_bytes", [10, 700, 10_000])
def test_a_record_that_is_missing_before_others_is_told(tmp_path: Path, chunk_bytes: int) -> None:
    """A machine that lost power may have kept a later page and not an earlier one."""
    data = bytearray(written(tmp_path / "1").read_bytes())
    ends = ends_of(data)
    data[ends[2] : ends[6]] = bytes(ends[6] - ends[2])
    path = tmp_path / "lost.seg"
    path.write_bytes(data + bytes(4_000))
    at, due, count = 0, None, 0
    while True:
        read = read_segment(
            path, from_bytes=at, next_number=due, chunk_bytes=chunk_bytes, ended=True
        )
        at, count = read.end_bytes, count + len(read.entries)
        due = count + 1
        if not read.more:
            break
    assert count == 2 and read.finding is not None
    assert read.finding.reason.endswith("record 3 is not there")


def test_a_record_that_was_written_while_it_was_read_is_not_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first bytes were read before they were there, the whole records after it when they were.

    It takes three readings: in the second one the same befalls a later record.
    """
    path = written(tmp_path / "1")
    data = path.read_bytes()
    ends = ends_of(data)
    read_so_far: list[int] = []

    def pread(file: int, size: int, at: int) -> bytes:
        found = bytearray(_pread(file, size, at))
        if at >= CHECKED_HEAD.size and len(found) > 100:
            missing = {0: 2, 1: 4}.get(len(read_so_far))
            read_so_far.append(at)
            if missing is not None:
                found[ends[missing] - at : ends[missing] - at + 8] = bytes(8)
        return bytes(found)

    _pread = os.pread
    monkeypatch.setattr("tokenergy.store.segment_read.os.pread", pread)
    read = read_segment(path)
    assert tuple(entry.record for entry in read.entries) == RECORDS and read.finding is None
    assert len(read_so_far) == 3


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


def test_a_segment_that_is_all_zeros_has_no_record_and_nothing_is_wrong(tmp_path: Path) -> None:
    """A machine that lost power may have kept a file's name and none of its bytes."""
    path = tmp_path / "00000000.seg"
    path.write_bytes(bytes(5_000))
    assert read_segment(path) == (None, (), 0, 0, False, None)
    path.write_bytes(bytes(4_000) + b"!")
    assert read_segment(path).finding.code == "SEGMENT_HEAD"


def test_new_segments_begin_at_their_size_and_numbers_go_on(tmp_path: Path) -> None:
    with journal(tmp_path, segment_bytes=1_000) as held:
        numbers = [held.write(opened(f"r{at}")) for at in range(20)]
        bytes_count = held.bytes_count
    # What is left is cut to what was written.
    assert bytes_count == sum(path.stat().st_size for path in tmp_path.glob("*.seg"))
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
    """A disk with so many bytes left; of what does not fit it takes a part, or nothing."""

    def __init__(self, left: int, *, partly: bool) -> None:
        self.left, self.partly = left, partly
        self.threads: list[str] = []

    def fill(self, file: int, size: int) -> None:
        self.threads.append(threading.current_thread().name)
        if size > self.left:
            if self.partly:
                os.write(file, bytes(self.left))
            raise OSError(28, "No space left on device")
        self.left -= size
        zeros_written(file, size)


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("left", [10, 700, 1_700, 2_500])
def test_a_full_disk_leaves_no_half_record(tmp_path: Path, left: int, *, partly: bool) -> None:
    disk = Disk(left, partly=partly)
    kept = []
    with journal(tmp_path, fill=disk.fill, segment_bytes=1_000) as held:
        for at in range(8):
            if at == 5:
                disk.left = 10_000  # somebody made room
            try:
                held.write(opened(f"r{at}"))
                kept.append(f"r{at}")
            except JournalFull as fault:
                assert "cannot be written: No space left" in str(fault)
        assert held.faults_count > 0
    found = []
    for number in segment_numbers(tmp_path):
        read = read_segment(segment_path(tmp_path, number))
        assert read.torn_bytes == 0 and read.finding is None and read.head is not None
        found += [entry.record.request_id for entry in read.entries]
    assert found == kept and kept[-3:] == ["r5", "r6", "r7"]
    assert {path.suffix for path in tmp_path.iterdir()} == {"", ".seg"}


def test_a_disk_that_gives_less_takes_smaller_segments(tmp_path: Path) -> None:
    """1 MiB is asked for first, then a quarter of it, then 64 KiB; and more again afterwards."""
    disk = Disk(100_000, partly=False)
    with journal(tmp_path, fill=disk.fill) as held:
        held.write(opened())
        assert segment_path(tmp_path, 0).stat().st_size == 65_536
        disk.left = 10**6
        for at in range(400):
            held.write(opened(f"r{at}"))
        held._ahead._thread.join()
        sizes = {path.stat().st_size for path in tmp_path.iterdir()}
    assert 4 * 65_536 in sizes


def test_on_a_full_disk_what_was_begun_is_closed(tmp_path: Path) -> None:
    """The end of a segment takes no new work where there is no next one."""
    disk = Disk(10_000, partly=False)
    with journal(tmp_path, fill=disk.fill, segment_bytes=10_000) as held:
        begun = 0
        with pytest.raises(JournalFull, match="No space left"):
            while True:
                held.write(opened(f"r{begun}"))
                begun += 1
        with pytest.raises(JournalFull):
            held.write(refused())
        closes = 0
        with pytest.raises(JournalFull):
            while True:
                held.write(closed(f"r{closes}"))
                closes += 1
    assert begun > 15 and closes > 5
    read = read_segment(segment_path(tmp_path, 0))
    assert len(read.entries) == begun + closes and segment_numbers(tmp_path) == (0,)


def test_the_next_segment_is_made_ahead(tmp_path: Path) -> None:
    disk = Disk(10**8, partly=False)
    with journal(tmp_path, fill=disk.fill, segment_bytes=50_000) as held:
        at = 0
        for round_at in range(4):
            while len(segment_numbers(tmp_path)) < round_at + 1:
                held.write(opened(f"r{at}"))
                at += 1
                if held._ahead._thread is not None:
                    held._ahead._thread.join()
    assert disk.threads[:4] == ["MainThread", *["journal-ahead"] * 3]
    assert {path.suffix for path in tmp_path.iterdir()} == {"", ".seg"}
    found = [
        entry.record.request_id
        for number in segment_numbers(tmp_path)
        for entry in read_segment(segment_path(tmp_path, number)).entries
    ]
    assert found == [f"r{number}" for number in range(at)]


def test_a_life_that_was_killed_is_counted_as_written(tmp_path: Path) -> None:
    """Its last segment is as long as it was made, and a file that became none lies about."""
    path = written(tmp_path, RECORDS)
    data = path.read_bytes()
    path.write_bytes(data + bytes(FIRST_BYTES - len(data)))
    (tmp_path / "ahead.new").write_bytes(bytes(1_000))
    (tmp_path / "00000001.new").write_bytes(b"")
    with journal(tmp_path, epoch=8) as held:
        assert held.bytes_count == len(data)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["00000000.seg", "alive"]
        held.write(opened())
        assert segment_path(tmp_path, 1).stat().st_size == FIRST_BYTES
        assert len(data) < held.bytes_count < 2 * len(data)
    assert segment_path(tmp_path, 1).stat().st_size < 1_000


def test_a_journal_that_is_closed_takes_nothing(tmp_path: Path) -> None:
    held = journal(tmp_path)
    held.write(opened())
    held.close()
    with pytest.raises(JournalFull, match="is closed"):
        held.write(opened("r2"))


def test_more_than_is_kept_in_memory_is_there(tmp_path: Path) -> None:
    with journal(tmp_path) as held:
        for at in range(8_000):
            held.write(opened(f"r{at}"))
        assert held.bytes_count > 2 * 1024 * 1024
    found = []
    for number in segment_numbers(tmp_path):
        read = read_segment(segment_path(tmp_path, number))
        assert not read.more and read.finding is None
        found += [entry.record.request_id for entry in read.entries]
    assert found == [f"r{at}" for at in range(8_000)]


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


def test_a_segment_is_read_while_it_is_written(tmp_path: Path) -> None:
    """Never half a record, never a finding, and none missing."""
    here = Path(__file__).resolve().parents[1]
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(here)},
    )
    count, number, at = 0, 0, 0
    try:
        while count < 4_000:
            numbers = segment_numbers(tmp_path)
            if number not in numbers:
                continue
            read = read_segment(
                segment_path(tmp_path, number), from_bytes=at, next_number=count + 1
            )
            assert read.finding is None
            found = [entry.record.request_id for entry in read.entries]
            assert found == [f"r{count + one}" for one in range(len(found))]
            at, count = read.end_bytes, count + len(found)
            if numbers[-1] > number and not read.more:
                number, at = number + 1, 0
    finally:
        child.kill()
        child.wait()

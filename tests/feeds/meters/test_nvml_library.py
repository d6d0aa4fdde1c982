"""NVIDIA boards through the real bindings and a shared library that is loaded as NVIDIA's is."""

import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest
from nvml_stand_in import COMPILER, StandInBoard, compiled, stand_in

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler for the stand-in library")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


def test_two_boards_are_added_up_to_the_millijoule(library: Path, tmp_path: Path) -> None:
    """1,234,567 - 1,000,000 mJ and 1,000,001 - 1,000,000 mJ: 234,568 mJ."""
    first, second = StandInBoard("GPU-a"), StandInBoard("GPU-b")
    with stand_in(library, tmp_path, first, second) as held:
        assert held.ask(devices=["0", "GPU-b"]) == {"claims": ["nvml:GPU-a", "nvml:GPU-b"]}
        begun = held.read(0.0)
        assert (begun["microjoules"], begun["span_s"]) == (None, 0.0)
        first.millijoules, second.millijoules = 1_234_567, 1_000_001
        assert held.read(5.0) == {
            "microjoules": 234_568_000,
            "tier": "measured",
            "reason": "",
            "span_s": 5.0,
        }


def test_windows_add_up_to_the_difference_of_the_counter(library: Path, tmp_path: Path) -> None:
    board = StandInBoard("GPU-a", millijoules=7)
    with stand_in(library, tmp_path, board) as held:
        held.ask(devices=["GPU-a"])
        held.read(0.0)
        total = 0
        for at, gained in enumerate((1, 99_999, 123_456, 700_000), 1):
            board.millijoules += gained
            total += held.read(2.0 * at)["microjoules"]
    assert total == (1 + 99_999 + 123_456 + 700_000) * 1000


def test_a_driver_that_was_reloaded_is_another_counter_although_it_grew(
    library: Path, tmp_path: Path
) -> None:
    """1,000 J; reloaded, and 5,000 J since: 4,000 J would be a lie. The next window counts."""
    board = StandInBoard("GPU-a")
    with stand_in(library, tmp_path, board) as held:
        held.ask(devices=["0"])
        held.read(0.0)
        held.epoch, board.millijoules = 2, 4_000_000
        gone = held.read(5.0)
        assert gone["microjoules"] is None
        assert "Unknown Error" in gone["reason"]
        board.millijoules = 5_000_000
        after = held.read(10.0)
        assert after["microjoules"] is None
        board.millijoules = 5_000_500
        assert held.read(15.0)["microjoules"] == 500_000


def test_a_driver_that_is_unloaded_and_comes_back(library: Path, tmp_path: Path) -> None:
    board = StandInBoard("GPU-a")
    with stand_in(library, tmp_path, board) as held:
        held.ask(devices=["0"])
        held.read(0.0)
        held.epoch = -1
        for at in (5.0, 10.0, 15.0):
            told = held.read(at)
            assert told["microjoules"] is None
            assert "Driver Not Loaded" in told["reason"]
        held.epoch, board.millijoules = 3, 20
        assert held.read(20.0)["microjoules"] is None
        board.millijoules = 1_020
        assert held.read(25.0)["microjoules"] == 1_000_000
        assert held.ask(close=True) == {}


def test_an_index_that_is_another_board_after_a_loss_is_another_counter(
    library: Path, tmp_path: Path
) -> None:
    """Board 0 is lost and leaves the bus: index 0 is the other board now, further along."""
    lost, other = StandInBoard("GPU-a"), StandInBoard("GPU-b", millijoules=3_000_000)
    with stand_in(library, tmp_path, lost, other) as held:
        held.ask(devices=["0"])
        held.read(0.0)
        lost.state = "lost"
        told = held.read(5.0)
        assert told["microjoules"] is None
        assert "GPU is lost" in told["reason"]
        held.boards = [other]
        assert held.read(10.0)["microjoules"] is None
        other.millijoules += 2_000
        assert held.read(15.0)["microjoules"] == 2_000_000


SILENT = (
    (StandInBoard("GPU-a", state="denied"), "Insufficient Permissions"),
    (StandInBoard("GPU-a", millijoules=-2), "no value of its counter"),
    (StandInBoard("GPU-a", millijoules=-1, milliwatts=-1), "Not Supported"),
    (StandInBoard("GPU-a", millijoules=-1, milliwatts=-2), "is no power"),
    (StandInBoard("GPU-a", millijoules=-1, milliwatts=0), "0 mW is no power"),
    (StandInBoard("GPU-a", mig=1), "MIG divides it"),
    (StandInBoard("GPU-a"), "stood still"),
    (StandInBoard("GPU-a", millijoules=0), "stood still"),
)


def test_a_counter_that_tells_nothing_never_reads_0(library: Path, tmp_path: Path) -> None:
    with stand_in(library, tmp_path) as held:
        for board, told in SILENT:
            held.boards = [board]
            assert held.ask(devices=["0"])["claims"] == ["nvml:GPU-a"]
            readings = [held.read(at) for at in (0.0, 5.0, 10.0)]
            assert [each["microjoules"] for each in readings] == [None] * 3
            assert told in readings[-1]["reason"]
            held.ask(close=True)


def test_a_board_before_volta_is_a_line_through_samples(library: Path, tmp_path: Path) -> None:
    """(250 + 150) / 2 W for 5 s."""
    board = StandInBoard("GPU-a", millijoules=-1)
    with stand_in(library, tmp_path, board) as held:
        held.ask(devices=["0"])
        held.read(0.0)
        board.milliwatts = 150_000
        told = held.read(5.0)
    assert told["microjoules"] == 1_000_000_000
    assert "power samples" in told["reason"]


def test_an_old_driver_lacks_functions_and_is_read_by_power(tmp_path: Path) -> None:
    old = compiled(tmp_path / "old", "-DOLD_DRIVER")
    board = StandInBoard("GPU-a")
    with stand_in(old, tmp_path, board) as held:
        held.ask(devices=["0"])
        held.read(0.0)
        told = held.read(5.0)
    assert told["microjoules"] == 1_250_000_000
    assert "power samples" in told["reason"]


def test_a_board_of_two_programs_is_marked_and_one_of_a_family_is_not(
    library: Path, tmp_path: Path
) -> None:
    """A shell that starts two programs, as against one program that starts its worker."""
    board = StandInBoard("GPU-a")
    nap = f"{sys.executable} -c 'import time; time.sleep(60)'"
    shell = f"{nap} & echo $!; {nap} & echo $!; wait"
    with subprocess.Popen(["sh", "-c", shell], stdout=subprocess.PIPE, text=True) as both:
        assert both.stdout is not None
        pids = [int(both.stdout.readline()) for _ in range(2)]
        try:
            with stand_in(library, tmp_path, board) as held:
                held.ask(devices=["0"])
                held.read(0.0)
                board.millijoules += 1_000
                board.pids = (pids[0],)
                alone = held.read(5.0)
                board.millijoules += 1_000
                board.pids = tuple(pids)
                shared = held.read(10.0)
        finally:
            for pid in pids:
                subprocess.run(["kill", str(pid)], check=False)
            both.kill()
    assert (alone["tier"], alone["reason"]) == ("measured", "")
    assert (shared["microjoules"], shared["tier"]) == (1_000_000, "modelled")
    assert "2 programs work on it" in shared["reason"]


def test_what_the_file_must_say_otherwise_is_refused(library: Path, tmp_path: Path) -> None:
    with stand_in(library, tmp_path, StandInBoard("GPU-a")) as held:
        for devices, code in (
            (["1"], "METER_DEVICE_UNKNOWN"),
            (["GPU-z"], "METER_DEVICE_UNKNOWN"),
            (["0", "GPU-a"], "METER_DOUBLE_COUNT"),
            (["MIG-1234"], "METER_DIVIDED"),
        ):
            assert held.ask(devices=devices)["codes"] == [code]
        held.epoch = -1
        told = held.ask(devices=["0"])
        assert told["codes"] == ["METER_UNAVAILABLE"]
        assert "Driver Not Loaded" in told["reason"]
        held.epoch = 2
        assert held.ask(devices=["0"]) == {"claims": ["nvml:GPU-a"]}


def test_without_the_shared_library_it_is_unavailable(tmp_path: Path) -> None:
    """An empty folder on the loader's way: as on a machine without NVIDIA's driver."""
    if find_library("nvidia-ml"):
        pytest.skip("NVIDIA's own library is on this machine")
    with stand_in(tmp_path, tmp_path, StandInBoard("GPU-a")) as held:
        told = held.ask(devices=["0"])
        assert told["codes"] == ["METER_UNAVAILABLE"]
        assert "Shared Library Not Found" in told["reason"]

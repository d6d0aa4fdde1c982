"""NVIDIA and AMD boards: the stand-in modules have the names of the real ones; neither is here."""

import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import pytest
from board_libraries import Nvml, NvmlBoard, Smi, SmiBoard

from tokenergy.errors import FindingsError
from tokenergy.feeds.meters.amd import AmdBoards
from tokenergy.feeds.meters.nvml import NvidiaBoards
from tokenergy.feeds.meters.open_meter import Counts, OpenMeter
from tokenergy.metering.reading import Reading

PATH = "observe.engines.e.meter"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.second = 0.0

    def meter(self, counts: Counts) -> OpenMeter:
        return OpenMeter(
            counts, lambda: NOON + timedelta(seconds=self.second), lambda: 50.0 + self.second
        )


def code_of(caught: pytest.ExceptionInfo[FindingsError]) -> str:
    (finding,) = caught.value.findings
    assert finding.path.startswith(PATH)
    assert finding.reason
    assert finding.remedy
    return finding.code


def nvml_reading(library: Nvml, devices: tuple[str, ...], *later: tuple[int, ...]) -> Reading:
    """Read now and after each later state of the counters, 5 s apart."""
    hand = Hand()
    meter = hand.meter(NvidiaBoards(devices, path=PATH, library=library))
    samples = [meter.read()]
    for counters in later:
        hand.second += 5.0
        for board, millijoules in zip(library.boards, counters, strict=True):
            board.millijoules = millijoules
        samples.append(meter.read())
    meter.close()
    return meter.reading(samples)


# ---- NVIDIA ------------------------------------------------------------------------------


def test_the_boards_of_a_replica_are_added_up_in_joules() -> None:
    """1,000,000 to 1,000,500 mJ and to 1,002,000 mJ: 0.5 + 2 J."""
    library = Nvml([NvmlBoard("GPU-a"), NvmlBoard("GPU-b")])
    reading = nvml_reading(library, ("0", "GPU-b"), (1_000_500, 1_002_000))
    assert (reading.energy_j, reading.tier, reading.reason) == (2.5, "measured", "")
    assert library.opened_count == 0


def test_a_driver_that_was_reloaded_leaves_no_reading() -> None:
    reading = nvml_reading(Nvml([NvmlBoard("GPU-a")]), ("0",), (20,), (900,))
    assert reading.energy_microjoules is None
    assert reading.energy_j is None
    assert "reset" in reading.reason


def test_under_a_second_the_counter_is_too_coarse() -> None:
    hand, library = Hand(), Nvml([NvmlBoard("GPU-a")])
    meter = hand.meter(NvidiaBoards(("0",), path=PATH, library=library))
    first = meter.read()
    hand.second = 0.9
    reading = meter.reading([first, meter.read()])
    assert reading.energy_j is None
    assert "shorter than 1 s" in reading.reason


def test_a_board_before_volta_is_read_by_its_power() -> None:
    """250 W for 5 s: 1,250 J."""
    hand, library = Hand(), Nvml([NvmlBoard("GPU-a", millijoules=None)])
    meter = hand.meter(NvidiaBoards(("0",), path=PATH, library=library))
    first = meter.read()
    hand.second = 5.0
    reading = meter.reading([first, meter.read()])
    assert reading.energy_j == 1250.0
    assert "power samples" in reading.reason


def test_a_board_that_mig_divides_has_no_figure_of_one_instance() -> None:
    reading = nvml_reading(Nvml([NvmlBoard("GPU-a", divided=True)]), ("0",), (2_000_000,))
    assert reading.energy_j is None
    assert "MIG" in reading.reason
    instance = Nvml([NvmlBoard("MIG-1234", divided=False)])
    with pytest.raises(FindingsError, match="MIG divides") as caught:
        NvidiaBoards(("MIG-1234",), path=PATH, library=instance)
    assert code_of(caught) == "METER_DIVIDED"
    assert instance.opened_count == 0
    whole = nvml_reading(Nvml([NvmlBoard("GPU-a", divided=False)]), ("0",), (1_001_000,))
    assert whole.energy_j == 1.0


def test_a_board_that_is_lost_is_a_reason_and_is_found_again() -> None:
    library = Nvml([NvmlBoard("GPU-a")])
    hand = Hand()
    meter = hand.meter(NvidiaBoards(("GPU-a",), path=PATH, library=library))
    samples = [meter.read()]
    for lost in (True, False):
        library.boards[0].lost = lost
        hand.second += 5.0
        samples.append(meter.read())
    lost_reading = meter.reading(samples)
    assert lost_reading.energy_j is None
    assert "GPU is lost" in lost_reading.reason
    hand.second += 5.0
    library.boards[0].millijoules = 1_003_000
    assert meter.reading([samples[-1], meter.read()]).energy_j == 3.0


def test_readings_on_both_sides_of_a_reload_are_of_two_counters() -> None:
    """Whoever drops the reading that failed between them gets no 5,000 J for it."""
    library = Nvml([NvmlBoard("GPU-a")])
    hand = Hand()
    meter = hand.meter(NvidiaBoards(("0",), path=PATH, library=library))
    before = meter.read()
    library.boards[0].lost = True
    hand.second = 5.0
    meter.read()
    library.boards[0].lost, library.boards[0].millijoules = False, 6_000_000
    hand.second = 10.0
    reading = meter.reading([before, meter.read()])
    assert reading.energy_j is None
    assert "another counter" in reading.reason
    meter.close()
    assert library.opened_count == 0


def test_an_index_that_is_another_board_is_another_counter() -> None:
    """Board 0 falls off the bus beside one that goes on; what is board 0 now is further along."""
    library = Nvml([NvmlBoard("GPU-a"), NvmlBoard("GPU-b", millijoules=5)])
    hand = Hand()
    meter = hand.meter(NvidiaBoards(("0", "1"), path=PATH, library=library))
    before = meter.read()
    library.boards[0].lost = True
    hand.second = 5.0
    meter.read()
    library.boards[0] = NvmlBoard("GPU-c", millijoules=9_000_000)
    library.boards[1].millijoules = 500
    hand.second = 10.0
    reading = meter.reading([before, meter.read()])
    assert reading.energy_j is None
    assert "GPU-a #1, now GPU-c #1" in reading.reason


def test_a_library_that_fails_for_good_is_opened_no_more_often_than_it_is_closed() -> None:
    library = Nvml([NvmlBoard("GPU-a", lost=True)])
    counts = NvidiaBoards(("0",), path=PATH, library=library)
    for _ in range(5):
        (count,) = counts.counts()
        assert count.energy_microjoules is None
        assert library.opened_count <= 1
    counts.close()
    counts.close()
    assert library.opened_count == 0


def test_a_board_that_is_not_there_or_is_named_twice_is_refused() -> None:
    library = Nvml([NvmlBoard("GPU-a")])
    for device in ("1", "GPU-z"):
        with pytest.raises(FindingsError) as caught:
            NvidiaBoards((device,), path=PATH, library=library)
        assert code_of(caught) == "METER_DEVICE_UNKNOWN"
    with pytest.raises(FindingsError) as caught:
        NvidiaBoards(("0", "GPU-a"), path=PATH, library=library)
    assert code_of(caught) == "METER_DOUBLE_COUNT"
    with pytest.raises(FindingsError) as caught:
        NvidiaBoards(("0",), path=PATH, library=Nvml([], has_driver=False))
    assert code_of(caught) == "METER_UNAVAILABLE"
    assert library.opened_count == 0


# ---- AMD ---------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulator", ["energy_accumulator", "power"])
def test_an_accumulator_counts_its_resolution(accumulator: str) -> None:
    """200,000 counts of 15.25 uJ: 3.05 J; a binary fraction, so that it is exact."""
    board = SmiBoard("a-1", resolution=15.25, accumulator=accumulator)
    hand, library = Hand(), Smi([board])
    meter = hand.meter(AmdBoards(("A-1",), path=PATH, library=library))
    first = meter.read()
    hand.second = 5.0
    board.ticks = 1_200_000
    reading = meter.reading([first, meter.read()])
    assert (reading.energy_j, reading.tier, reading.reason) == (3.05, "measured", "")
    meter.close()
    assert library.opened_count == 0


def test_without_an_accumulator_power_and_without_both_a_reason() -> None:
    """240 W for 5 s: 1,200 J; "N/A" is no power."""
    powers = {"current_socket_power": 240, "average_socket_power": "N/A"}
    hand = Hand()
    meter = hand.meter(
        AmdBoards(("0",), path=PATH, library=Smi([SmiBoard("a", ticks=None, powers=powers)]))
    )
    first = meter.read()
    hand.second = 5.0
    reading = meter.reading([first, meter.read()])
    assert reading.energy_j == 1200.0
    assert "power samples" in reading.reason
    silent = AmdBoards(("0",), path=PATH, library=Smi([SmiBoard("a", ticks=None)]))
    (count,) = silent.counts()
    assert (count.energy_microjoules, count.power_w) == (None, None)
    assert "neither counter nor power" in count.reason


def test_an_amd_board_that_is_not_there_or_is_named_twice_is_refused() -> None:
    library = Smi([SmiBoard("a")])
    for devices, code in (
        (("1",), "METER_DEVICE_UNKNOWN"),
        (("zz",), "METER_DEVICE_UNKNOWN"),
        (("0", "a"), "METER_DOUBLE_COUNT"),
    ):
        with pytest.raises(FindingsError) as caught:
            AmdBoards(devices, path=PATH, library=library)
        assert code_of(caught) == code
    with pytest.raises(FindingsError) as caught:
        AmdBoards(("0",), path=PATH, library=Smi([], has_driver=False))
    assert code_of(caught) == "METER_UNAVAILABLE"
    assert library.opened_count == 0


@pytest.mark.parametrize(
    ("board", "told"),
    [
        (SmiBoard("a", ticks=2**64 - 1), "not available"),
        (SmiBoard("a", ticks=2**64 - 1, powers={"current_socket_power": 65535}), "not available"),
        (SmiBoard("a", resolution=0.0), "a tick of its accumulator has 0 uJ"),
        (SmiBoard("a", resolution=float("nan")), "nan uJ"),
        (SmiBoard("a"), "stood still"),
        (SmiBoard("a", partition="CPX"), "CPX divides it"),
        (SmiBoard("a", ticks=None, powers={"socket_power": 0}), "neither counter nor power"),
    ],
)
def test_an_amd_counter_that_tells_nothing_never_reads_0(board: SmiBoard, told: str) -> None:
    hand = Hand()
    meter = hand.meter(AmdBoards(("0",), path=PATH, library=Smi([board])))
    samples = [meter.read()]
    hand.second = 5.0
    samples.append(meter.read())
    reading = meter.reading(samples)
    assert reading.energy_j is None
    assert told in reading.reason


def test_an_accumulator_is_exact_after_years() -> None:
    """16 x 10^15 uJ are 500 W for a year: floats have steps of 2 there, and 61 uJ stay 61."""
    board = SmiBoard("a", ticks=2**50, resolution=15.25)
    meter = AmdBoards(("0",), path=PATH, library=Smi([board]))
    (before,) = meter.counts()
    board.ticks = 2**50 + 4
    (after,) = meter.counts()
    assert (after.energy_microjoules or 0) - (before.energy_microjoules or 0) == 61


def test_a_whole_amd_board_is_one_partition() -> None:
    (count,) = AmdBoards(("0",), path=PATH, library=Smi([SmiBoard("a", partition="SPX")])).counts()
    assert count.energy_microjoules is not None


# ---- neither library ---------------------------------------------------------------------


def test_without_the_library_of_nvidia_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(FindingsError, match=r"pip install 'tokenergy\[nvml\]'") as caught:
        NvidiaBoards(("0",), path=PATH)
    assert code_of(caught) == "METER_LIBRARY_MISSING"


@pytest.mark.skipif(find_spec("amdsmi") is not None, reason="amdsmi is installed here")
def test_without_the_library_of_amd_it_says_where_it_comes_from() -> None:
    with pytest.raises(FindingsError, match="ROCm") as caught:
        AmdBoards(("0",), path=PATH)
    assert code_of(caught) == "METER_LIBRARY_MISSING"

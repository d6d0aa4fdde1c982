from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tokenergy.metering.meter import DeviceCount, MeterRule, MeterSample
from tokenergy.metering.metered import metered

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RULE = MeterRule(tier="measured", boundary="gpu", every_s=5.0)


def sample(second: float, *devices: DeviceCount, clock_s: float | None = None) -> MeterSample:
    at = NOON + timedelta(seconds=second if clock_s is None else clock_s)
    return MeterSample(at=at, ticks_s=1000.0 + second, devices=devices)


def joules(figure: int, device: str = "0") -> DeviceCount:
    return DeviceCount(device=device, energy_microjoules=figure * 1_000_000)


def watts(figure: float, device: str = "0") -> DeviceCount:
    return DeviceCount(device=device, power_w=figure)


def test_boards_are_added_up_first() -> None:
    """(150 - 100) + (40 - 20) = 70 J."""
    reading = metered(
        [sample(0, joules(100), joules(20, "1")), sample(5, joules(150), joules(40, "1"))], RULE
    )
    assert reading.energy_j == 70.0
    assert (reading.tier, reading.boundary, reading.reason) == ("measured", "gpu", "")
    assert (reading.start, reading.span_s) == (NOON, 5.0)


def test_one_missing_board_leaves_the_window_without_a_figure() -> None:
    silent = DeviceCount(device="1", reason="board 1: GPU is lost")
    reading = metered(
        [sample(0, joules(100), joules(20, "1")), sample(5, joules(150), silent)], RULE
    )
    assert reading.energy_j is None
    assert reading.reason == "board 1: GPU is lost"


def test_a_reset_within_the_window_is_not_hidden_by_its_ends() -> None:
    """100, 5, 120: the ends differ by 20 J, and 115 J were drawn at least."""
    reading = metered([sample(0, joules(100)), sample(5, joules(5)), sample(10, joules(120))], RULE)
    assert reading.energy_j is None
    assert "reset" in reading.reason


def test_power_without_a_counter_is_marked() -> None:
    """0 to 5 s at 100 to 200 W: 750 J; 5 to 10 s at 200 to 100 W: 750 J."""
    reading = metered([sample(0, watts(100)), sample(5, watts(200)), sample(10, watts(100))], RULE)
    assert reading.energy_j == 1500.0
    assert reading.tier == "measured"
    assert "power samples" in reading.reason


def test_a_counter_at_one_end_and_power_at_the_other_do_not_mix() -> None:
    assert metered([sample(0, joules(1)), sample(5, watts(100))], RULE).energy_j is None


def test_a_machine_that_slept_has_no_figure() -> None:
    """The clock went on by an hour, the monotonic ticks by 5 s."""
    reading = metered([sample(0, joules(1)), sample(5, joules(2), clock_s=3605.0)], RULE)
    assert reading.energy_j is None
    assert "slept" in reading.reason


def test_a_window_shorter_than_the_counters_steps_has_no_figure() -> None:
    nvml = MeterRule(tier="measured", boundary="gpu", least_span_s=1.0)
    reading = metered([sample(0, joules(1)), sample(0.5, joules(2))], nvml)
    assert reading.energy_j is None
    assert "shorter than 1 s" in reading.reason
    # many short looks within a long window are no short window
    many = [sample(at / 4, joules(at)) for at in range(9)]
    assert metered(many, nvml).energy_j == 8.0


def test_one_sample_is_no_window() -> None:
    reading = metered([sample(0, joules(1))], RULE)
    assert reading.energy_j is None
    assert "only once" in reading.reason


def test_other_devices_than_before_have_no_difference() -> None:
    assert metered([sample(0, joules(1)), sample(5, joules(2, "1"))], RULE).energy_j is None


@given(
    gains=st.lists(st.integers(0, 10**6), min_size=1, max_size=20),
    cut=st.integers(0, 19),
)
def test_windows_that_meet_add_up(gains: list[int], cut: int) -> None:
    samples = [sample(0, joules(7))]
    for at, gain in enumerate(gains, 1):
        before = samples[-1].devices[0].energy_microjoules or 0
        samples.append(sample(5.0 * at, joules(before // 1_000_000 + gain)))
    at = min(cut, len(samples) - 2) + 1
    whole = metered(samples, RULE).energy_j
    first = metered(samples[: at + 1], RULE).energy_j
    rest = samples[at:]
    second = metered(rest, RULE).energy_j if len(rest) > 1 else 0.0
    assert whole == float(sum(gains))
    assert first is not None
    assert second is not None
    assert first + second == whole


def test_a_board_of_two_programs_is_counted_and_modelled() -> None:
    """What the board drew is measured; what the engine drew of it is not."""
    shared = DeviceCount(device="0", energy_microjoules=5_000_000, shared_by="2 programs")
    reading = metered([sample(0, joules(1)), sample(5, shared)], RULE)
    assert (reading.energy_j, reading.tier, reading.reason) == (4.0, "modelled", "0: 2 programs")


def test_a_reading_has_whole_microjoules() -> None:
    """2^50 uJ are 1.1 GJ: what a float of joules still gives back to the microjoule."""
    for microjoules in (0, 1, 7, 123_456_789, 2**50 - 1, 2**50 + 1):
        counts = [DeviceCount(device="0", energy_microjoules=each) for each in (3, 3 + microjoules)]
        reading = metered([sample(0, counts[0]), sample(5, counts[1])], RULE)
        assert reading.energy_microjoules == microjoules
    assert metered([sample(0, joules(1))], RULE).energy_microjoules is None


def test_a_board_that_stands_still_beside_one_that_counts_leaves_no_sum() -> None:
    """The second die of a twin board, listed by mistake."""

    def on(figure: int, device: str) -> DeviceCount:
        return DeviceCount(device=device, energy_microjoules=figure, still_s=1.0)

    reading = metered([sample(0, on(1, "0"), on(9, "1")), sample(5, on(5, "0"), on(9, "1"))], RULE)
    assert reading.energy_j is None
    assert "1: its counter stood still" in reading.reason


def test_a_meter_without_devices_has_no_0() -> None:
    assert metered([sample(0), sample(5)], RULE).energy_j is None


def test_why_a_source_fell_silent_is_told_and_not_that_its_boards_went() -> None:
    silent = DeviceCount(device="page", reason="page: connection refused")
    for samples in ([joules(1), silent], [silent, joules(1)]):
        reading = metered([sample(5 * at, each) for at, each in enumerate(samples)], RULE)
        assert reading.energy_j is None
        assert reading.reason == "page: connection refused"

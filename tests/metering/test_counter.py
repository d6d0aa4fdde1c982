from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.metering.counter import difference, trapezoid, uncounted
from tokenergy.metering.meter import DeviceCount


def count(microjoules: int | None, **more: object) -> DeviceCount:
    return DeviceCount(device="d", energy_microjoules=microjoules, **more)  # type: ignore[arg-type]


def rapl(microjoules: int, limit_w: float | None = 100.0) -> DeviceCount:
    """A counter that goes round at 1,000 J: in 10 s at 100 W."""
    return count(microjoules, wraps_at_microjoules=1_000_000_000, limit_w=limit_w)


def test_a_difference_is_one_and_0_is_a_figure() -> None:
    assert difference(count(5), count(12), span_s=1.0).microjoules == 7
    still = difference(count(5), count(5), span_s=1.0)
    assert (still.microjoules, still.reason) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "span_s", "told"),
    [
        (count(9), count(3), 1.0, "reset"),
        (count(None, reason="no permission"), count(3), 1.0, "no permission"),
        (count(3), count(None), 1.0, "no counter"),
        (count(3), count(4), 0.0, "no time passed"),
        (count(3), count(4), -2.0, "no time passed"),
        (count(3), count(4), float("nan"), "no time passed"),
        (count(3, identity="pid 1"), count(4, identity="pid 2"), 1.0, "another counter"),
    ],
)
def test_a_missing_difference_says_why(
    before: DeviceCount, after: DeviceCount, span_s: float, told: str
) -> None:
    found = difference(before, after, span_s=span_s)
    assert found.microjoules is None
    assert told in found.reason


def test_a_span_too_short_for_the_counters_steps_is_refused() -> None:
    short = difference(count(1), count(2), span_s=0.999, least_span_s=1.0)
    assert short.microjoules is None
    assert "shorter than 1 s" in short.reason
    assert difference(count(1), count(2), span_s=1.0, least_span_s=1.0).microjoules == 1


def test_a_poller_that_slept_is_a_gap() -> None:
    assert difference(count(1), count(2), span_s=50.0, every_s=5.0).microjoules == 1
    slept = difference(count(1), count(2), span_s=50.1, every_s=5.0)
    assert slept.microjoules is None
    assert "gap of 50.1 s" in slept.reason


def test_a_wrap_is_added_back_once() -> None:
    """990 J, then 40 J: 40 - 990 + 1,000 = 50 J in 1 s is below 2 x 100 W."""
    found = difference(rapl(990_000_000), rapl(40_000_000), span_s=1.0)
    assert found.microjoules == 50_000_000


def test_a_wrap_that_may_have_been_two_is_none() -> None:
    """1,000 J at 100 W take 10 s: at 10 s nobody knows, whichever way the counter went."""
    for new in (40_000_000, 995_000_000):
        found = difference(rapl(990_000_000), rapl(new), span_s=10.0)
        assert found.microjoules is None
        assert "goes round in 10.0 s" in found.reason
    # at 50 W the same counter takes 20 s
    assert difference(rapl(990_000_000, 50.0), rapl(40_000_000, 50.0), span_s=10.0).microjoules


def test_a_wrap_without_a_limit_of_power_is_none() -> None:
    found = difference(rapl(990_000_000, None), rapl(40_000_000, None), span_s=1.0)
    assert found.microjoules is None
    assert "nobody knows how often" in found.reason
    assert difference(rapl(1, None), rapl(2, None), span_s=1.0).microjoules == 1


def test_a_reset_does_not_pass_for_a_wrap() -> None:
    """500 J, then 0: as a wrap 500 J in 1 s, five times the limit: it began anew."""
    found = difference(rapl(500_000_000), rapl(0), span_s=1.0)
    assert found.microjoules is None
    assert "began anew" in found.reason


def test_a_counter_beyond_its_own_maximum_is_none() -> None:
    assert difference(rapl(1), rapl(1_000_000_001), span_s=1.0).microjoules is None


@given(
    start=st.integers(0, 10**9),
    gained=st.integers(0, 10**8),
    span_s=st.floats(1.0, 9.9),
)
def test_wrapping_or_not_the_difference_is_what_was_gained(
    start: int, gained: int, span_s: float
) -> None:
    """Up to 100 J in 1 s or more, whatever the counter stood at; the maximum itself reads 0."""
    after = start + gained
    new = after if after <= 10**9 else after - 10**9
    assert difference(rapl(start), rapl(new), span_s=span_s).microjoules == gained


def test_power_is_joined_by_a_straight_line() -> None:
    """(100 + 300) / 2 W x 4 s = 800 J."""
    low, high = DeviceCount(device="d", power_w=100.0), DeviceCount(device="d", power_w=300.0)
    assert trapezoid(low, high, span_s=4.0).microjoules == 800_000_000
    gap = trapezoid(low, high, span_s=15.1, every_s=5.0)
    assert gap.microjoules is None
    assert "gap" in gap.reason
    assert "nothing" in trapezoid(DeviceCount(device="d", reason="nothing"), high, span_s=1).reason


@pytest.mark.parametrize("bad_w", [float("nan"), float("inf"), -1.0])
def test_what_is_no_power_is_no_energy(bad_w: float) -> None:
    good, bad = DeviceCount(device="d", power_w=100.0), DeviceCount(device="d", power_w=bad_w)
    for before, after in ((good, bad), (bad, good)):
        found = trapezoid(before, after, span_s=1.0)
        assert found.microjoules is None
        assert "is no power" in found.reason


def test_power_of_another_board_is_not_joined() -> None:
    one = DeviceCount(device="0", identity="GPU-a", power_w=100.0)
    other = DeviceCount(device="0", identity="GPU-b", power_w=100.0)
    assert "another counter" in trapezoid(one, other, span_s=1.0).reason


def test_a_counter_below_0_is_none() -> None:
    found = difference(count(-5), count(7), span_s=1.0)
    assert found.microjoules is None
    assert "below 0" in found.reason


def test_a_source_whose_own_clock_went_back_was_started_again() -> None:
    found = difference(count(5, renewed_s=100.0), count(12, renewed_s=3.0), span_s=1.0)
    assert found.microjoules is None
    assert "started again" in found.reason


def test_a_counter_that_goes_round_elsewhere_now_is_none() -> None:
    assert difference(count(5), rapl(12), span_s=1.0).microjoules is None


def board(microjoules: int, still_s: float | None = 1.0, **more: object) -> DeviceCount:
    return count(microjoules, still_s=still_s, **more)


def test_what_is_on_and_does_not_move_counts_nothing() -> None:
    assert "stood still for 5.0 s" in uncounted([board(7), board(7)], [0.0, 5.0])
    assert uncounted([board(7), board(8)], [0.0, 5.0]) == ""
    assert uncounted([board(7, None), board(7, None)], [0.0, 5.0]) == ""


def test_a_counter_that_freezes_within_the_window_is_seen() -> None:
    """It moved in the first 5 s and then no more: the rest of the window is missing."""
    frozen = [board(7), board(9), board(9), board(9)]
    assert "stood still for 10.0 s" in uncounted(frozen, [0.0, 5.0, 10.0, 15.0])


def test_looks_faster_than_the_counters_steps_are_no_standstill() -> None:
    """NVIDIA's is written every 20 to 100 ms; a source that looks every 30 s may rest for 60."""
    quick = [board(each) for each in (1, 1, 2, 2, 3, 3)]
    assert uncounted(quick, [at / 20 for at in range(6)]) == ""
    assert uncounted([board(1), board(1)], [0.0, 0.05]) == ""
    slow = [board(each, 60.0) for each in (1, 1, 1, 9, 9, 9)]
    assert uncounted(slow, [at * 10.0 for at in range(6)]) == ""
    assert "stood still" in uncounted([board(1, 60.0)] * 6, [at * 10.0 for at in range(6)])


def test_a_figure_of_another_span_is_not_the_windows() -> None:
    """Half to twice the window is its own jitter; 30 s of joules in a window of 10 are not."""
    for covered_s, fits in ((10.0, True), (5.0, True), (20.0, True), (30.0, False), (4.0, False)):
        told = uncounted(
            [board(1, renewed_s=0.0), board(9, renewed_s=covered_s)],
            [0.0, 10.0],
        )
        assert (told == "") == fits
    assert "not looked again" in uncounted(
        [board(1, renewed_s=3.0), board(9, renewed_s=3.0)], [0.0, 10.0]
    )


FAULTS = ("none", "reset", "gone", "frozen", "other")


@given(
    gains=st.lists(st.integers(1, 10**6), min_size=2, max_size=8),
    fault=st.sampled_from(FAULTS),
    at=st.integers(0, 7),
)
def test_a_fault_never_reads_0_and_never_less_than_was_drawn(
    gains: list[int], fault: str, at: int
) -> None:
    """Readings 5 s apart of a counter that gains; at one of them it fails in some way."""
    at = min(at, len(gains) - 1)
    true, shown, readings = 10**9, 10**9, [board(10**9, identity="a")]
    identity = "a"
    for place, gain in enumerate(gains):
        true += gain
        shown += gain
        if place == at and fault == "reset":
            shown = gain
        if place == at and fault == "other":
            identity = "b"
        now = board(shown, identity=identity)
        if place == at and fault == "gone":
            now = DeviceCount(device="d", reason="gone")
        if place == at and fault == "frozen":
            now = replace(readings[-1])
        readings.append(now)
    found = [difference(a, b, span_s=5.0) for a, b in pairwise(readings)]
    told = uncounted(readings, [5.0 * each for each in range(len(readings))])
    if fault == "none":
        assert not told
        assert sum(each.microjoules or 0 for each in found) == true - 10**9
    else:
        assert told or any(each.microjoules is None and each.reason for each in found)

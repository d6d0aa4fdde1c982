import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.metering.counter import difference, trapezoid
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

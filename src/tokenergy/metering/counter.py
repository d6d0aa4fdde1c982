"""The difference of two readings of a counter, or the reason why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tokenergy.metering.meter import DeviceCount
from tokenergy.units import MICROJOULES_PER_J

GAP_TIMES: Final = 10.0
"""A span so many times the one asked for is a poller that slept: a counter may have begun anew
and grown past its old value in that time, and nobody would see it."""
POWER_GAP_TIMES: Final = 3.0
"""Likewise for samples of power: between them a straight line is assumed."""
LIMIT_SLACK_RATIO: Final = 2.0
"""A package may exceed its long-term limit for a while (RAPL's short-term constraint)."""
COARSE_MICROJOULES: Final = 1_000_000
"""Room for the counter's own steps in a very short span."""
STILL_S: Final = 1.0
"""Over so long a counter that is read from its device has moved, while that is on: the slowest
that we know, NVIDIA's, is written every 20 to 100 ms (energy sheet, section 10)."""
COVERED_RATIO: Final = 2.0
"""A source that looks seldom counts over another span than the window: so many times longer or
shorter, and its figure is not the window's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Microjoules between two moments; None with the reason, never 0 for nothing."""

    microjoules: int | None
    reason: str = ""


def difference(
    before: DeviceCount,
    after: DeviceCount,
    *,
    span_s: float,
    least_span_s: float = 0.0,
    every_s: float | None = None,
) -> Difference:
    """Return what a counter counted in a span.

    A counter that went backwards began anew, and nothing is known of the span; unless it has a
    known maximum, which is added back once. That holds only while it cannot have gone round
    twice: the span must be shorter than its maximum takes at the most power that the device
    draws. Without a stated limit nobody knows how often it went round.

    Args:
        before, after: the same device at both ends.
        span_s: seconds between them, by a monotonic clock.
        least_span_s: below this the counter's own steps are too coarse.
        every_s: seconds between two readings as asked for; None: no gap is told.
    """
    old, new = before.energy_microjoules, after.energy_microjoules
    if old is None or new is None:
        return _unknown((before if old is None else after).reason or f"{after.device}: no counter")
    told = _unfit_span(after.device, span_s, least_span_s=least_span_s, every_s=every_s)
    told = told or _another(before, after)
    if told:
        return _unknown(told)
    if after.wraps_at_microjoules != before.wraps_at_microjoules:
        return _unknown(f"{after.device}: its counter goes round elsewhere than before")
    if after.wraps_at_microjoules is not None:
        return _wrapping(after, old, new, span_s)
    if old < 0 or new < 0:
        return _unknown(f"{after.device}: its counter is below 0 ({min(old, new)} uJ)")
    if new < old:
        return _unknown(f"{after.device}: its counter went back from {old} to {new} uJ: reset")
    return Difference(microjoules=new - old)


def trapezoid(
    before: DeviceCount, after: DeviceCount, *, span_s: float, every_s: float | None = None
) -> Difference:
    """Return the energy between two samples of power, on a straight line between them."""
    old_w, new_w = before.power_w, after.power_w
    if old_w is None or new_w is None:
        silent = before if old_w is None else after
        return _unknown(silent.reason or f"{after.device}: neither counter nor power")
    told = _unfit_span(after.device, span_s, every_s=every_s, gap_times_count=POWER_GAP_TIMES)
    told = told or _another(before, after)
    if told:
        return _unknown(told)
    for power_w in (old_w, new_w):
        if not (math.isfinite(power_w) and power_w >= 0.0):
            return _unknown(f"{after.device}: {power_w:g} W is no power")
    return Difference(microjoules=round((old_w + new_w) / 2.0 * span_s * MICROJOULES_PER_J))


def uncounted(readings: Sequence[DeviceCount], ticks_s: Sequence[float]) -> str:
    """Say why a whole window has no figure although every pair of its readings has one.

    A board that is on draws power, so a counter that stands still is one that counts nothing: a
    driver without support, the second half of a twin board, a source that has died and is
    remembered. And a source that looks seldom has counted over another span than the window's.

    Args:
        readings: of one device, in order of time.
        ticks_s: when each was read, by a monotonic clock.

    Returns:
        "" where nothing is against the figure.
    """
    first, last = readings[0], readings[-1]
    span_s = ticks_s[-1] - ticks_s[0]
    if last.renewed_s is not None and first.renewed_s is not None:
        covered_s = last.renewed_s - first.renewed_s
        if covered_s <= 0.0:
            return f"{last.device}: its source has not looked again in {span_s:.1f} s"
        if not span_s / COVERED_RATIO <= covered_s <= span_s * COVERED_RATIO:
            return (
                f"{last.device}: its source counted over {covered_s:.1f} s, and the window has "
                f"{span_s:.1f} s: ask for longer windows"
            )
    if last.still_s is None or last.energy_microjoules is None:
        return ""
    stood_s = _stood_s([each.energy_microjoules for each in readings], ticks_s)
    if stood_s < min(last.still_s, span_s) or stood_s < STILL_S:
        return ""
    return (
        f"{last.device}: its counter stood still for {stood_s:.1f} s, and what is on draws power: "
        "it counts nothing, or its source has not looked again"
    )


def _stood_s(counts: Sequence[int | None], ticks_s: Sequence[float]) -> float:
    """Return the longest time over which a counter said the same."""
    longest_s, since_s = 0.0, ticks_s[0]
    for (old, new), at_s in zip(pairwise(counts), ticks_s[1:], strict=True):
        if new != old:
            since_s = at_s
        longest_s = max(longest_s, at_s - since_s)
    return longest_s


def _wrapping(after: DeviceCount, old: int, new: int, span_s: float) -> Difference:
    most = after.wraps_at_microjoules or 0
    if not 0 <= old <= most or not 0 <= new <= most:
        return _unknown(f"{after.device}: its counter is outside 0 to {most} uJ")
    if after.limit_w is None:
        if new < old:
            return _unknown(
                f"{after.device}: its counter went round or began anew, and without a stated "
                "limit of its power nobody knows how often"
            )
        return Difference(microjoules=new - old)
    wrap_s = most / MICROJOULES_PER_J / after.limit_w
    if span_s >= wrap_s:
        return _unknown(
            f"{after.device}: {span_s:.1f} s between two readings, and at {after.limit_w:g} W "
            f"its counter goes round in {wrap_s:.1f} s"
        )
    gained = new - old if new >= old else new - old + most
    if gained > after.limit_w * span_s * MICROJOULES_PER_J * LIMIT_SLACK_RATIO + COARSE_MICROJOULES:
        return _unknown(
            f"{after.device}: {gained / MICROJOULES_PER_J:.1f} J in {span_s:.1f} s is above its "
            f"limit of {after.limit_w:g} W: the counter began anew"
        )
    return Difference(microjoules=gained)


def _another(before: DeviceCount, after: DeviceCount) -> str:
    """Say what makes two readings those of different counters; "" if nothing does."""
    if before.identity != after.identity:
        return (
            f"{after.device}: another counter than before ({before.identity or 'unnamed'}, now "
            f"{after.identity or 'unnamed'})"
        )
    old_s, new_s = before.renewed_s, after.renewed_s
    if old_s is not None and new_s is not None and new_s < old_s:
        return f"{after.device}: the clock of its source went back: it was started again"
    return ""


def _unfit_span(
    device: str,
    span_s: float,
    *,
    least_span_s: float = 0.0,
    every_s: float | None = None,
    gap_times_count: float = GAP_TIMES,
) -> str:
    """Say why a span is none to read a counter over; "" if it is one."""
    if not (span_s > 0.0 and math.isfinite(span_s)):
        return f"{device}: no time passed between two readings ({span_s:.3f} s)"
    if span_s < least_span_s:
        return (
            f"{device}: {span_s:.3f} s is shorter than {least_span_s:g} s, below which the steps "
            "of its counter are too coarse"
        )
    if every_s is not None and span_s > gap_times_count * every_s:
        return (
            f"{device}: a gap of {span_s:.1f} s where readings were asked for every {every_s:g} s"
        )
    return ""


def _unknown(reason: str) -> Difference:
    return Difference(microjoules=None, reason=reason)

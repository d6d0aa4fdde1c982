"""The difference of two readings of a counter, or the reason why there is none."""

from dataclasses import dataclass
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
    if told:
        return _unknown(told)
    if before.identity != after.identity:
        return _unknown(
            f"{after.device}: another counter than before ({before.identity or 'unnamed'}, now "
            f"{after.identity or 'unnamed'})"
        )
    if after.wraps_at_microjoules is None:
        if new < old:
            return _unknown(f"{after.device}: its counter went back from {old} to {new} uJ: reset")
        return Difference(microjoules=new - old)
    return _wrapping(after, old, new, span_s)


def trapezoid(
    before: DeviceCount, after: DeviceCount, *, span_s: float, every_s: float | None = None
) -> Difference:
    """Return the energy between two samples of power, on a straight line between them."""
    old_w, new_w = before.power_w, after.power_w
    if old_w is None or new_w is None:
        silent = before if old_w is None else after
        return _unknown(silent.reason or f"{after.device}: neither counter nor power")
    told = _unfit_span(after.device, span_s, every_s=every_s, gap_times_count=POWER_GAP_TIMES)
    if told:
        return _unknown(told)
    return Difference(microjoules=round((old_w + new_w) / 2.0 * span_s * MICROJOULES_PER_J))


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


def _unfit_span(
    device: str,
    span_s: float,
    *,
    least_span_s: float = 0.0,
    every_s: float | None = None,
    gap_times_count: float = GAP_TIMES,
) -> str:
    """Say why a span is none to read a counter over; "" if it is one."""
    if not span_s > 0.0:
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

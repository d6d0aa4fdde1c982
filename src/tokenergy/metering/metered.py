"""Samples of a meter to one reading: devices added up first, None as soon as one is missing."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from tokenergy.metering.counter import Difference, difference, trapezoid, uncounted
from tokenergy.metering.meter import DeviceCount, MeterRule, MeterSample
from tokenergy.metering.reading import Reading
from tokenergy.units import MICROJOULES_PER_J

SLEEP_LIMIT_S: Final = 2.0
"""Seconds by which our two clocks may differ over a span: more is a machine that slept, or a
clock that was set."""


def metered(samples: Sequence[MeterSample], rule: MeterRule) -> Reading:
    """Return what a meter counted between its first and its last sample.

    Every pair of neighbours is held against resets, wraps and gaps on its own, so that a fault
    within the window is not hidden by its ends; the sum is the difference of the ends. A device
    that somebody else draws on as well leaves the sum as it is, as what the device drew, and
    makes it `modelled` as what the engine drew.

    Args:
        samples: in order of time, at least one.
        rule: of this meter.
    """
    first, last = samples[0], samples[-1]
    span_s = last.ticks_s - first.ticks_s
    reasons: list[str] = []
    notes = [rule.note]
    total = 0
    if len(samples) < 2:
        reasons.append("the meter was read only once")
    elif 0.0 < span_s < rule.least_span_s:
        reasons.append(
            f"{span_s:.3f} s is shorter than {rule.least_span_s:g} s, below which the steps of "
            "the counter are too coarse"
        )
    elif not last.devices:
        reasons.append("the meter has no device")
    else:
        for before, after in pairwise(samples):
            reasons += _asleep(before, after)
            for each in _differences(before, after, rule):
                total += each.microjoules or 0
                (notes if each.microjoules is not None else reasons).append(each.reason)
        if not any(reasons):
            reasons += _uncounted(samples)
    shared = dict.fromkeys(
        f"{device.device}: {device.shared_by}"
        for sample in samples
        for device in sample.devices
        if device.shared_by
    )
    told = [reason for reason in dict.fromkeys(reasons) if reason]
    said = told or [note for note in dict.fromkeys((*notes, *shared)) if note]
    return Reading(
        start=first.at,
        end=max(first.at, last.at),
        energy_j=None if told else total / MICROJOULES_PER_J,
        tier="modelled" if shared else rule.tier,
        boundary=rule.boundary,
        reason="; ".join(said),
    )


def _differences(before: MeterSample, after: MeterSample, rule: MeterRule) -> list[Difference]:
    if [each.device for each in before.devices] != [each.device for each in after.devices]:
        return [Difference(microjoules=None, reason=_changed(before, after))]
    span_s = after.ticks_s - before.ticks_s
    return [
        _one(old, new, span_s, rule) for old, new in zip(before.devices, after.devices, strict=True)
    ]


def _changed(before: MeterSample, after: MeterSample) -> str:
    """Say which devices changed; or why, where one reading says that itself."""
    old, new = ({each.device: each for each in sample.devices} for sample in (before, after))
    gone = [name for name in old if name not in new]
    come = [name for name in new if name not in old]
    faults = [old[name].reason for name in gone] + [new[name].reason for name in come]
    if any(faults):
        return "; ".join(fault for fault in faults if fault)
    told = [f"{', '.join(gone)} went"] * bool(gone) + [f"{', '.join(come)} came"] * bool(come)
    return f"the meter's devices changed: {' and '.join(told) or 'another order'}"


def _one(old: DeviceCount, new: DeviceCount, span_s: float, rule: MeterRule) -> Difference:
    """A counter where there is one at both ends, else power on a straight line."""
    counters = old.energy_microjoules is not None or new.energy_microjoules is not None
    if counters or (old.power_w is None and new.power_w is None):
        return difference(old, new, span_s=span_s, every_s=rule.every_s)
    found = trapezoid(old, new, span_s=span_s, every_s=rule.every_s)
    if found.microjoules is None:
        return found
    return Difference(
        microjoules=found.microjoules,
        reason=f"{new.device}: power samples joined by straight lines, not a counter",
    )


def _uncounted(samples: Sequence[MeterSample]) -> list[str]:
    ticks_s = [sample.ticks_s for sample in samples]
    each_device = zip(*(sample.devices for sample in samples), strict=True)
    return [uncounted(readings, ticks_s) for readings in each_device]


def _asleep(before: MeterSample, after: MeterSample) -> list[str]:
    """Say whether the machine slept: its monotonic clock stands still then, the other does not."""
    by_clock_s = (after.at - before.at).total_seconds()
    by_ticks_s = after.ticks_s - before.ticks_s
    if abs(by_clock_s - by_ticks_s) <= SLEEP_LIMIT_S:
        return []
    return [
        f"{by_clock_s:.1f} s by the clock and {by_ticks_s:.1f} s by the ticks: the machine slept "
        "or its clock was set"
    ]

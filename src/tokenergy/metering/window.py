"""What an engine did between two samples: differences of counters, and why one is unknown."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from tokenergy.metering.sample import EngineSample, EngineWindow

CLOCK_LIMIT_S: Final = 2.0
"""Seconds by which two clocks may differ before it is said."""
DATE_STEP_S: Final = 1.0
"""A Date header has whole seconds, rounded down."""

COUNTERS: Final = ("prompt_tokens", "cached_tokens", "output_tokens", "requests")


def window(
    before: EngineSample, after: EngineSample, between: Sequence[EngineSample] = ()
) -> EngineWindow:
    """Return what happened in `[before.at, after.at)`.

    Counters give their difference, or None with the reason: they reset, the engine or its
    version changed, no time passed, or one of the samples lacks them. A reset makes every
    counter of its window unknown, because those that grew past their old value would pass for
    true. Gauges are averaged over time, straight lines between samples.

    Args:
        before, after: the samples at both ends.
        between: samples in between, in order: for the gauges only.
    """
    span_s = after.ticks_s - before.ticks_s
    stopped = _no_time(span_s)
    reset = "" if stopped else _reset(before, after, between)
    lost = stopped or _changed(before, after) or reset
    counts = {name: None if lost else _difference(before, after, name) for name in COUNTERS}
    # Cached tokens are a part of the prompt: more of them than it has is a torn reading.
    prompt, cached = counts["prompt_tokens"], counts["cached_tokens"]
    if prompt is not None and cached is not None and cached > prompt:
        counts["cached_tokens"] = None
        torn = f"cached_tokens: {cached} is more than the {prompt} tokens of the prompts"
    else:
        torn = ""
    reasons = [lost, torn, *_clocks(before, after, span_s)]
    if not lost:
        reasons += _gaps(before, after)
    samples = () if stopped else (before, *between, after)
    return EngineWindow(
        start=before.at,
        end=_end(before, after, span_s),
        span_s=max(span_s, 0.0),
        prompt_tokens=counts["prompt_tokens"],
        cached_tokens=counts["cached_tokens"],
        output_tokens=counts["output_tokens"],
        requests=counts["requests"],
        running_count=_mean([(s.ticks_s, s.running_count) for s in samples]),
        waiting_count=_mean([(s.ticks_s, s.waiting_count) for s in samples]),
        reset=bool(reset),
        reason="; ".join(dict.fromkeys(reason for reason in reasons if reason)),
    )


def _end(before: EngineSample, after: EngineSample, span_s: float) -> datetime:
    """Our clock at the end, unless it was set back: then the monotonic clock tells."""
    if after.at > before.at:
        return after.at
    return before.at + timedelta(seconds=max(span_s, 0.0))


def _no_time(span_s: float) -> str:
    if span_s < 0.0:
        return f"the second sample was read {-span_s:.3f} s before the first"
    return "no time passed between the samples" if span_s == 0.0 else ""


def _changed(before: EngineSample, after: EngineSample) -> str:
    """Say what makes two samples those of different things; "" if nothing does."""
    for what, old, new in (
        ("engine", before.engine, after.engine),
        ("version", before.version, after.version),
    ):
        if old != new:
            return f"the {what} changed from {old!r} to {new!r}"
    if before.model_names and after.model_names and before.model_names != after.model_names:
        old, new = ", ".join(before.model_names), ", ".join(after.model_names)
        return f"the model changed from {old!r} to {new!r}"
    return ""


def _reset(before: EngineSample, after: EngineSample, between: Sequence[EngineSample]) -> str:
    """Say which counter began anew on the way from sample to sample; "" if none did."""
    for old, new in pairwise((before, *between, after)):
        fallen = [name for name in COUNTERS if (_difference(old, new, name) or 0) < 0]
        if fallen:
            return f"{', '.join(fallen)} fell: the engine restarted"
        if (
            old.started_at is not None
            and new.started_at is not None
            and old.started_at != new.started_at
        ):
            return f"the engine restarted at {new.started_at:%Y-%m-%dT%H:%M:%SZ}"
        part = _fallen_part(old, new)
        if part:
            return f"{part} fell: a part of the engine restarted"
    return ""


def _fallen_part(old: EngineSample, new: EngineSample) -> str:
    """Return a series that fell or went, of a quantity that the newer sample still tells."""
    newer = dict(new.parts)
    told = {part.partition("{")[0] for part in newer}
    return next(
        (
            part
            for part, count in old.parts
            if part.partition("{")[0] in told and newer.get(part, -1) < count
        ),
        "",
    )


def _difference(before: EngineSample, after: EngineSample, name: str) -> int | None:
    old, new = getattr(before, name), getattr(after, name)
    return None if old is None or new is None else new - old


def _gaps(before: EngineSample, after: EngineSample) -> list[str]:
    """Say which counters one of the samples lacks, in the words of its notes."""
    reasons = []
    for name in COUNTERS:
        if _difference(before, after, name) is None:
            told = [note for note in (*before.notes, *after.notes) if note.startswith(name)]
            reasons += told or [f"{name}: the engine does not tell"]
    return reasons


def _clocks(before: EngineSample, after: EngineSample, span_s: float) -> list[str]:
    """Say which clocks disagree; the counts stay true, for spans go by the monotonic clock."""
    said = []
    moved_s = (after.at - before.at).total_seconds() - span_s
    if abs(moved_s) > CLOCK_LIMIT_S:
        said.append(f"our clock was set {'on' if moved_s > 0 else 'back'} by {abs(moved_s):.0f} s")
    if after.engine_at is not None:
        ahead_s = (after.engine_at - after.at).total_seconds()
        if ahead_s > CLOCK_LIMIT_S:
            said.append(f"the engine's clock is {ahead_s:.0f} s ahead of ours")
        elif ahead_s < -CLOCK_LIMIT_S - DATE_STEP_S:
            said.append(f"the engine's clock is {-ahead_s - DATE_STEP_S:.0f} s behind ours")
    return said


def _mean(points: Sequence[tuple[float, float | None]]) -> float | None:
    """Return the mean over time of a gauge; None unless both ends know it."""
    known = [(at_s, count) for at_s, count in points if count is not None]
    if not known or points[0][1] is None or points[-1][1] is None:
        return None
    span_s = known[-1][0] - known[0][0]
    area = sum((b_s - a_s) * (a + b) / 2.0 for (a_s, a), (b_s, b) in pairwise(known))
    return area / span_s

"""What an engine's counters said at one moment."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSample:
    """Counters since the engine began, and gauges now; None where it tells nothing.

    Attributes:
        at: when it was read, by our clock.
        ticks_s: our monotonic clock at that moment: spans are measured with it.
        engine: `vllm`, `sglang` or `llama.cpp`.
        version: the row of the table of names that fits, e.g. `>=0.8`.
        model_names: what the engine calls its model, where its labels say so.
        prompt_tokens: all input tokens taken in.
        cached_tokens: those of them that the prefix cache answered.
        output_tokens: tokens generated.
        requests: requests that ended, well or not.
        running_count, waiting_count: requests in work and in the queue.
        engine_at: the engine's own clock where its answer has a Date, for clocks that differ.
        parts: each counter series by name and labels: one that fell is a restart, although
            the sum over all of them may have grown.
        started_at: when the engine's process began, where it tells.
        notes: why a field is None, and what a figure leaves out.
    """

    at: datetime
    ticks_s: float
    engine: str
    version: str
    model_names: tuple[str, ...]
    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    requests: int | None
    running_count: float | None
    waiting_count: float | None
    engine_at: datetime | None = None
    parts: tuple[tuple[str, int], ...] = ()
    started_at: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWindow:
    """What an engine did in `[start, end)`: differences of its counters; None is unknown.

    Attributes:
        running_count: mean of the gauge over the samples in the window.
        reset: whether a counter began anew, so that nothing is known of the window.
        reason: why something is None.
    """

    start: datetime
    end: datetime
    span_s: float
    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    requests: int | None
    running_count: float | None
    waiting_count: float | None
    reset: bool = False
    reason: str = ""

"""Series of an engine added up to one sample: over its ranks, reasons and models."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tokenergy.company.refusal import refuse
from tokenergy.feeds.engine_names import STARTED, EngineVersion, NameRow, Quantity
from tokenergy.feeds.engine_text import Labels, Series
from tokenergy.metering.sample import EngineSample

BLOCKS_OR_TOKENS: Final = (
    "its HELP line is missing, so nobody knows whether it counts blocks or tokens"
)
EXACT_LIMIT: Final = 2.0**53
"""Above it a float leaves out whole numbers, and differences are no longer exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When an answer was true: our clock, our monotonic clock, and the engine's clock."""

    at: datetime
    ticks_s: float
    engine_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class _Sums:
    """What has been added up so far, and why something is missing."""

    by_quantity: dict[Quantity, float] = field(default_factory=dict)
    parts: list[tuple[str, int]] = field(default_factory=list)
    models: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def sample_of(
    version: EngineVersion,
    series: Mapping[str, tuple[Series, ...]],
    *,
    moment: Moment,
    helps: Mapping[str, str] | None = None,
    served_model: str | None = None,
    path: str = "",
) -> EngineSample:
    """Return one sample: counters and gauges summed over every label set.

    Args:
        version: the names, as `recognise` found them.
        series: by name.
        helps: HELP texts by name; None where the source has none.
        served_model: only the series of this model (in the engine's words); None: all.
        path: the address, for errors.

    Raises:
        FindingsError: ENGINE_MODEL_UNKNOWN if `served_model` is none of the engine's.
    """
    sums = _Sums()
    for row, name in version.names:
        if row.note:
            sums.notes.append(f"{name}: {row.note}")
        if row.void_if_help and _void(row, name, helps, sums):
            continue
        _add(row, name, series.get(name, ()), served_model, sums)
    if served_model is not None and served_model not in sums.models:
        known = ", ".join(map(repr, sums.models)) or "none that its labels name"
        refuse(
            "ENGINE_MODEL_UNKNOWN",
            path=path,
            value=served_model,
            reason=f"the engine counts for {known}, not for {served_model!r}",
            remedy="Name one of those, or none to take them all together",
        )
    held = sums.by_quantity
    return EngineSample(
        at=moment.at,
        ticks_s=moment.ticks_s,
        engine=version.engine,
        version=version.version,
        model_names=(served_model,) if served_model is not None else tuple(sorted(sums.models)),
        prompt_tokens=_prompt_tokens(version, held),
        cached_tokens=_whole(held.get("cached_tokens")),
        output_tokens=_whole(held.get("output_tokens")),
        requests=_whole(held.get("requests")),
        running_count=held.get("running"),
        waiting_count=held.get("waiting"),
        engine_at=moment.engine_at,
        parts=tuple(sorted(sums.parts)),
        started_at=_started(series.get(STARTED, ())),
        notes=tuple(sums.notes),
    )


def _prompt_tokens(version: EngineVersion, held: Mapping[Quantity, float]) -> int | None:
    """All input tokens; where the engine tells cached and computed ones apart, their sum."""
    if "prompt_tokens" in held:
        return _whole(held["prompt_tokens"])
    if "uncached_prompt_tokens" not in held:
        return None
    uncached, cached = held["uncached_prompt_tokens"], held.get("cached_tokens")
    if all(row.quantity != "cached_tokens" for row, _ in version.names):
        return _whole(uncached)
    return None if cached is None else _whole(uncached + cached)


def _void(row: NameRow, name: str, helps: Mapping[str, str] | None, sums: _Sums) -> bool:
    """Tell whether a figure is not what its name promises, or nobody knows whether it is."""
    told = (helps or {}).get(name)
    if told is None:
        sums.notes.append(f"{row.quantity}: {name} is left out: {BLOCKS_OR_TOKENS}")
        return True
    if row.void_if_help in told.lower():
        sums.notes.append(f"{row.quantity}: {name} is left out: it counts {row.void_if_help}")
        return True
    return False


def _add(
    row: NameRow, name: str, found: tuple[Series, ...], served_model: str | None, sums: _Sums
) -> None:
    """Add the series of one name to its quantity; one that is no number makes it unknown."""
    if not found:
        sums.notes.append(f"{row.quantity}: {name} is declared and has no value yet")
        return
    largest: dict[Labels, float] = {}
    mine = 0
    for one in found:
        model = next((value for key, value in one.labels if key == row.model_label), None)
        if model is not None:
            sums.models[model] = None
        if served_model is not None and model != served_model:
            continue
        mine += 1
        fault = _fault(row, one.value)
        if fault:
            sums.parts = [part for part in sums.parts if not part[0].startswith(row.quantity)]
            sums.notes.append(f"{row.quantity}: a series of {name} {fault}")
            return
        assert one.value is not None
        kept = tuple(pair for pair in one.labels if pair[0] not in row.copy_labels)
        largest[kept] = max(one.value, largest.get(kept, -math.inf))
        if row.kind == "counter":
            sums.parts.append((f"{row.quantity}{dict(one.labels)}", int(one.value)))
    if mine:
        sums.by_quantity[row.quantity] = math.fsum(largest.values())


def _fault(row: NameRow, value: float | None) -> str:
    """Say why a value cannot be counted; "" where it can."""
    if value is None:
        return "says NaN or Inf"
    if value < 0.0:
        return f"is negative: {value:g}"
    if row.kind == "counter" and not value.is_integer():
        return f"is no whole number: {value:g}"
    if row.kind == "counter" and value >= EXACT_LIMIT:
        return f"is too large to be exact: {value:g}"
    return ""


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _started(found: tuple[Series, ...]) -> datetime | None:
    """The start of the process, to the second; several processes tell nothing."""
    if len(found) != 1 or found[0].value is None or not 0.0 < found[0].value < 4e9:
        return None
    return datetime.fromtimestamp(int(found[0].value), tz=UTC)

"""One window of a meter, divided among the requests that ran in it: METER records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tokenergy.company.energy_words import Boundary, EnergyTier
from tokenergy.company.serving.plan import IdlePolicy
from tokenergy.company.serving.record import Metered
from tokenergy.metering.attribute import (
    Part,
    PartEnergy,
    TokenWeights,
    Waiting,
    attribute,
    divide,
)
from tokenergy.metering.reading import Reading
from tokenergy.metering.request_life import RequestLife, tokens_within
from tokenergy.units import MICROJOULES_PER_J

PLAIN_WEIGHTS: Final = TokenWeights(decode_j_per_token=1.0, prefill_j_per_token=1.0)
"""Of parts without weights of their own: those that are divided by time."""
MS_PER_S: Final = 1_000
SHARES_UNIT_COUNT: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredWindow:
    """What a meter counted in `[start, end)`, seconds since the Unix epoch by the company's clock.

    Attributes:
        number: never given twice in a gateway's folder.
        meter: name of its `MeterPlan`.
        microjoules: None with the reason: never 0 for nothing.
    """

    number: int
    meter: str
    start_s: float
    end_s: float
    microjoules: int | None
    tier: EnergyTier
    boundary: Boundary
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredPlace:
    """Whose joules a meter shows, and who pays for those of waiting.

    Attributes:
        model: "" where several models share the meter.
        idle_w: of all of it while no request runs.
        reserved: tenants and the parts of it that are held for them.
    """

    site: str
    model: str
    accelerator: str
    idle_w: float
    idle: IdlePolicy = "unallocated"
    reserved: tuple[tuple[str, float], ...] = ()


def metered_records(
    window: MeteredWindow, lives: Iterable[RequestLife], place: MeteredPlace
) -> tuple[Metered, ...]:
    """Return a window's records: they add up to its reading to the microjoule.

    One for each request that took joules, in the order of their ids, and one or more without a
    request: what was drawn while nobody ran. Where requests ran and none of their tokens was whole
    in the window, the time in which they ran tells. A window without a reading is one record that
    says so.
    """
    if window.microjoules is None:
        return (_idle_record(window, place, "", None, window.reason or "the meter told nothing"),)
    held = sorted(lives, key=lambda life: life.request_id)
    guessed = [life for life in held if not life.is_known_at(window.end_s)]
    parts = _parts(window, held, place)
    notes = [window.reason] if window.reason else []
    if not parts and (parts := _by_time(window, held)):
        notes.append("no token was whole in the window: by the time that requests ran")
    divided = attribute(
        _reading(window),
        parts,
        weights=PLAIN_WEIGHTS,
        waiting=Waiting(
            idle_w=place.idle_w,
            idle_share=idle_share(held, window.start_s, window.end_s),
            policy="by_tokens" if place.idle == "by_tokens" else "unallocated",
        ),
    )
    if guessed:
        notes.append(
            f"{len(guessed)} of {len(held)} requests had not ended: their tokens are estimated"
        )
    note = "; ".join(notes)
    by_id = {life.request_id: life for life in held}
    records = [
        _record(window, by_id[part.part_id], part, note)
        for part in divided.parts
        if part.total_microjoules
    ]
    return (*records, *_idle_records(window, place, divided.idle_microjoules or 0, note))


def idle_share(lives: Sequence[RequestLife], start_s: float, end_s: float) -> float:
    """Return the share of a window in which none of some requests ran."""
    spans = sorted(
        (max(start_s, life.opened_s), end_s if life.closed_s is None else min(end_s, life.closed_s))
        for life in lives
    )
    busy_s, until_s = 0.0, start_s
    for begin_s, ended_s in spans:
        if ended_s > until_s:
            busy_s += ended_s - max(begin_s, until_s)
            until_s = ended_s
    span_s = end_s - start_s
    return 1.0 if span_s <= 0.0 else min(1.0, max(0.0, 1.0 - busy_s / span_s))


def _parts(
    window: MeteredWindow, lives: Sequence[RequestLife], place: MeteredPlace
) -> tuple[Part, ...]:
    start_s, end_s = window.start_s, window.end_s
    tokens_per_s = 1.0
    if not all(life.is_known_at(end_s) for life in lives):
        tokens_per_s = _mean_tokens_per_s(lives, start_s, end_s)
    of_one_model = bool(place.model)
    weights: dict[tuple[float, float, float], TokenWeights] = {}
    found = []
    for life in lives:
        output, read = tokens_within(life, start_s, end_s, tokens_per_s=tokens_per_s)
        if output or (read and life.kappa_ratio > 0.0):
            key = (life.kappa_ratio, life.rho_ratio, life.j_per_token)
            if key not in weights:
                weights[key] = life.weights(of_one_model=of_one_model)
            found.append(
                Part(
                    part_id=life.request_id,
                    output_tokens=output,
                    uncached_input_tokens=read,
                    failed=life.outcome not in ("", "completed"),
                    weights=weights[key],
                )
            )
    return tuple(found)


def _by_time(window: MeteredWindow, lives: Sequence[RequestLife]) -> tuple[Part, ...]:
    """Return requests by the milliseconds in which they ran; not those that never had a token."""
    found = []
    for life in lives:
        closed_s = window.end_s if life.closed_s is None else min(window.end_s, life.closed_s)
        ran_s = closed_s - max(window.start_s, life.opened_s)
        if life.closed_s is None or life.output_tokens or life.input_tokens:
            found.append(
                Part(
                    part_id=life.request_id,
                    output_tokens=max(0, round(ran_s * MS_PER_S)),
                    uncached_input_tokens=0,
                    failed=life.outcome not in ("", "completed"),
                )
            )
    return tuple(found)


def _mean_tokens_per_s(lives: Sequence[RequestLife], start_s: float, end_s: float) -> float:
    """Return the mean rate of the requests of which it is known, or 1: any will do for all."""
    tokens, ran_s = 0, 0.0
    for life in lives:
        if life.closed_s is not None:
            tokens += tokens_within(life, start_s, end_s)[0]
            ran_s += max(0.0, min(end_s, life.closed_s) - max(start_s, life.opened_s))
    return tokens / ran_s if tokens and ran_s > 0.0 else 1.0


def _reading(window: MeteredWindow) -> Reading:
    return Reading(
        start=datetime.fromtimestamp(window.start_s, tz=UTC),
        end=datetime.fromtimestamp(window.end_s, tz=UTC),
        energy_j=(window.microjoules or 0) / MICROJOULES_PER_J,
        tier=window.tier,
        boundary=window.boundary,
        reason=window.reason,
    )


def _record(window: MeteredWindow, life: RequestLife, part: PartEnergy, note: str) -> Metered:
    total = part.total_microjoules
    leaning = (
        part.work_microjoules,
        part.prefill_halved_microjoules,
        part.prefill_doubled_microjoules,
    )
    low, high = (part.idle_microjoules + each for each in (min(leaning), max(leaning)))
    certain = low == high
    return Metered(
        request_id=life.request_id, window=window.number, start_s=window.start_s,
        end_s=window.end_s, tenant=life.tenant, tier=life.tier, workload=life.workload,
        site=life.site, model=life.model, accelerator=life.accelerator, microjoules=total,
        energy_tier=window.tier, boundary=window.boundary,
        outcome=life.outcome if part.failed else "",
        low_microjoules=None if certain else low, high_microjoules=None if certain else high,
        reason=note,
    )  # fmt: skip


def _idle_records(
    window: MeteredWindow, place: MeteredPlace, microjoules: int, note: str
) -> list[Metered]:
    """Return who pays for what no work took; nobody's line is always there."""
    if place.idle != "by_reservation" or not place.reserved:
        return [_idle_record(window, place, "", microjoules, note)]
    held = [round(share * SHARES_UNIT_COUNT) for _, share in place.reserved]
    free = max(0, SHARES_UNIT_COUNT - sum(held))
    *paid, left = divide(microjoules, [*held, free])
    return [
        *(
            _idle_record(window, place, tenant, each, note)
            for (tenant, _), each in zip(place.reserved, paid, strict=True)
            if each
        ),
        _idle_record(window, place, "", left, note),
    ]


def _idle_record(
    window: MeteredWindow, place: MeteredPlace, tenant: str, microjoules: int | None, note: str
) -> Metered:
    return Metered(
        request_id="", window=window.number, start_s=window.start_s, end_s=window.end_s,
        tenant=tenant, tier="", workload="", site=place.site, model=place.model,
        accelerator=place.accelerator, microjoules=microjoules, energy_tier=window.tier,
        boundary=window.boundary, reason=note,
    )  # fmt: skip

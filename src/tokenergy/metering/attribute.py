"""Joules of a device to whom they are for: in whole microjoules, and not one is lost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tokenergy.company.serving.plan import IdlePolicy
from tokenergy.errors import InputError
from tokenergy.metering.reading import Boundary, EnergyTier, Reading
from tokenergy.units import MICROJOULES_PER_J

RESERVED_SLACK_SHARE: Final = 1e-9
PREFILL_RATIOS: Final = (Fraction(1), Fraction(1, 2), Fraction(2))
"""Joules of prefill as the model says, half and twice them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWeights:
    """Joules of one token by the model: only their ratio is used, the level is the meter's."""

    decode_j_per_token: float
    prefill_j_per_token: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A request, or a tenant's requests for one model, in the window.

    Attributes:
        part_id: unique in the window; ties go by it.
        output_tokens: made in the window.
        uncached_input_tokens: prefilled in the window; what a cache answered is left out.
        reserved_share: of the device, committed to it; only `by_reservation` reads it.
        failed: it ended in an error: it pays for what it took all the same.
        weights: of its own tokens, where they differ from those of the window.
    """

    part_id: str
    output_tokens: int
    uncached_input_tokens: int
    reserved_share: float = 0.0
    failed: bool = False
    weights: TokenWeights | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The device while no request runs.

    Attributes:
        idle_w: its power then, all boards of the replica together.
        idle_share: of the window in which no request ran.
        policy: who pays for it.
    """

    idle_w: float
    idle_share: float
    policy: IdlePolicy = "unallocated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEnergy:
    """What one part pays for.

    Attributes:
        work_microjoules: for its tokens.
        idle_microjoules: of the device while it waited, by the policy.
        prefill_halved_microjoules, prefill_doubled_microjoules: its work if the model's joules
            of prefill were half and twice what they are: how far the figure leans on them.
    """

    part_id: str
    work_microjoules: int
    idle_microjoules: int
    prefill_halved_microjoules: int
    prefill_doubled_microjoules: int
    failed: bool

    @property
    def total_microjoules(self) -> int:
        """Return work and idle together."""
        return self.work_microjoules + self.idle_microjoules


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """A window, divided: the parts and the idle line add up to the reading to the microjoule.

    Attributes:
        microjoules: of the reading, rounded once; None where it has none, and then no part has.
        parts: in order of their ids.
        idle_microjoules: what no part pays for.
    """

    microjoules: int | None
    parts: tuple[PartEnergy, ...]
    idle_microjoules: int | None
    tier: EnergyTier
    boundary: Boundary
    reason: str


def attribute(
    reading: Reading, parts: Sequence[Part], *, weights: TokenWeights, waiting: Waiting
) -> Attribution:
    """Divide a reading among the parts of its window (energy sheet, section 10).

        idle   = min(E, idle_w x span x idle_share); all of E where no part took a token
        work_i = (E - idle) x w_i / sum w,  w_i = e_dec out_i + e_in uncached_in_i

    Args:
        reading: of the device; boards of one replica added up first.
        parts: in any order.
        weights: of a token of a part that has none of its own.
        waiting: the device without requests.

    Raises:
        InputError: if a figure is negative or not a number, an id stands twice, or more than
            the whole device is reserved.
    """
    _check(reading, parts, weights, waiting)
    if reading.energy_j is None:
        return Attribution(
            microjoules=None,
            parts=(),
            idle_microjoules=None,
            tier=reading.tier,
            boundary=reading.boundary,
            reason=reading.reason,
        )
    whole = round(reading.energy_j * MICROJOULES_PER_J)
    ordered = sorted(parts, key=lambda part: part.part_id)
    weighed, half, twice = _weights(ordered, weights)
    idle = whole if not sum(weighed) else min(whole, _idle_microjoules(reading, waiting))
    work = whole - idle
    works = divide(work, weighed)
    halved, doubled = divide(work, half), divide(work, twice)
    idles = _idle_of(ordered, idle, waiting.policy)
    return Attribution(
        microjoules=whole,
        parts=tuple(
            PartEnergy(
                part_id=part.part_id,
                work_microjoules=works[at],
                idle_microjoules=idles[at],
                prefill_halved_microjoules=halved[at],
                prefill_doubled_microjoules=doubled[at],
                failed=part.failed,
            )
            for at, part in enumerate(ordered)
        ),
        idle_microjoules=idle - sum(idles),
        tier=reading.tier,
        boundary=reading.boundary,
        reason=reading.reason,
    )


def divide(whole: int, weights: Sequence[int]) -> list[int]:
    """Return whole shares of a whole number by weight: largest remainder, ties in order.

    They add up to it; all are 0 where no weight is.
    """
    total = sum(weights)
    if not total:
        return [0 for _ in weights]
    shares, remainders = [], []
    for weight in weights:
        share, remainder = divmod(whole * weight, total)
        shares.append(share)
        remainders.append(-remainder)
    left = whole - sum(shares)
    for at in sorted(range(len(shares)), key=remainders.__getitem__)[:left]:
        shares[at] += 1
    return shares


def _weights(parts: Sequence[Part], weights: TokenWeights) -> tuple[list[int], ...]:
    """Return each part's predicted joules for each of `PREFILL_RATIOS`.

    They are whole numbers of one unit: exact, in any order.
    """
    kinds = {weights, *(part.weights for part in parts if part.weights is not None)}
    decode = {kind: Fraction(kind.decode_j_per_token) for kind in kinds}
    prefill = {kind: Fraction(kind.prefill_j_per_token) for kind in kinds}
    # denominators of floats are powers of two: the largest one holds them all
    unit = 2 * max(each.denominator for each in (*decode.values(), *prefill.values()))
    units = {
        kind: (int(decode[kind] * unit), *(int(prefill[kind] * r * unit) for r in PREFILL_RATIOS))
        for kind in kinds
    }
    found: tuple[list[int], ...] = tuple([] for _ in PREFILL_RATIOS)
    for part in parts:
        out, *puts = units[part.weights or weights]
        written, read = out * part.output_tokens, part.uncached_input_tokens
        for one, put in zip(found, puts, strict=True):
            one.append(written + put * read)
    return found


def _idle_microjoules(reading: Reading, waiting: Waiting) -> int:
    idle_j = waiting.idle_w * reading.span_s * waiting.idle_share
    return round(idle_j * MICROJOULES_PER_J)


def _idle_of(parts: Sequence[Part], idle: int, policy: IdlePolicy) -> list[int]:
    """Return what each part pays of the idle joules; the rest is the idle line."""
    match policy:
        case "unallocated":
            return [0 for _ in parts]
        case "by_tokens":
            return divide(idle, [part.output_tokens + part.uncached_input_tokens for part in parts])
        case "by_reservation":
            reserved = [Fraction(part.reserved_share) for part in parts]
            free = max(Fraction(0), 1 - sum(reserved))
            shares = [*reserved, free]
            unit = max(share.denominator for share in shares)  # floats: powers of two
            return divide(idle, [int(share * unit) for share in shares])[:-1]


def _is_right(part: Part) -> bool:
    """Tell whether every figure of a part is a number of at least 0."""
    weights = part.weights
    return (
        0.0 <= part.reserved_share < math.inf
        and part.output_tokens >= 0
        and part.uncached_input_tokens >= 0
        and (
            weights is None
            or (
                0.0 <= weights.decode_j_per_token < math.inf
                and 0.0 <= weights.prefill_j_per_token < math.inf
            )
        )
    )


def _check(
    reading: Reading, parts: Sequence[Part], weights: TokenWeights, waiting: Waiting
) -> None:
    window = f"window {reading.start:%Y-%m-%dT%H:%M:%SZ} of {reading.span_s:g} s"
    figures = [
        ("energy_j", 0.0 if reading.energy_j is None else reading.energy_j),
        ("decode_j_per_token", weights.decode_j_per_token),
        ("prefill_j_per_token", weights.prefill_j_per_token),
        ("idle_w", waiting.idle_w),
        ("idle_share", waiting.idle_share),
    ]
    for part in parts:
        if _is_right(part):
            continue
        figures += [
            (f"reserved_share of {part.part_id!r}", part.reserved_share),
            (f"output_tokens of {part.part_id!r}", part.output_tokens),
            (f"input tokens of {part.part_id!r}", part.uncached_input_tokens),
        ]
        if part.weights is not None:
            figures += [
                (f"decode_j_per_token of {part.part_id!r}", part.weights.decode_j_per_token),
                (f"prefill_j_per_token of {part.part_id!r}", part.weights.prefill_j_per_token),
            ]
    for name, figure in figures:
        if not 0.0 <= figure < math.inf:
            raise InputError(f"{window}: {name} is {figure}, must be a number of at least 0")
    if waiting.idle_share > 1.0:
        raise InputError(f"{window}: idle_share is {waiting.idle_share}, at most 1")
    if len({part.part_id for part in parts}) != len(parts):
        ids = [part.part_id for part in parts]
        twice = next(each for each in ids if ids.count(each) > 1)
        raise InputError(f"{window}: part {twice!r} stands twice; add its tokens up first")
    reserved_share = sum(part.reserved_share for part in parts)
    if waiting.policy == "by_reservation" and reserved_share > 1.0 + RESERVED_SLACK_SHARE:
        raise InputError(
            f"{window}: {reserved_share:g} of the device is reserved, at most 1 can be"
        )

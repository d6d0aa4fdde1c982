"""Explain an estimate: rows of joules that add up to it, each with the arithmetic behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from tokenergy.company.coefficients import Coefficients, MediaCoefficients
from tokenergy.company.model import LanguageModel
from tokenergy.energy.facility import FacilityParts
from tokenergy.energy.media import MediaWork
from tokenergy.energy.predict import prefill_j_per_token
from tokenergy.energy.query import MIX_RATIO, EnergyQuery
from tokenergy.energy.terms import CurveTerm

Part = Literal["gpu", "host", "idle", "overhead"]

ATTENTION_J_PER_TFLOP: Final = 2.26
"""Of causal attention in a prefill: that of the diffusion fit, never held against a prefill."""

CLIP_SHARE: Final = 0.03
"""What decoding costs at least, of what the curve says, whatever prefill is taken out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRow:
    """One line of the sum: terms of a fit, not measured causes.

    Attributes:
        part: which of the four numbers it is in.
        name: what it stands for.
        how: the arithmetic in words and figures.
        energy_j: joules; may be negative, as a correction is.
    """

    part: Part
    name: str
    how: str
    energy_j: float

    def to_dict(self) -> dict[str, Any]:
        """Return the row as a JSON-ready mapping."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill:
    """Joules of reading an input that no cache holds.

    Attributes:
        linear_j: of the weights' arithmetic, by token.
        attention_j: of causal attention, by the square of the length.
    """

    linear_j: float
    attention_j: float

    @property
    def total_j(self) -> float:
        """Return the sum."""
        return self.linear_j + self.attention_j


def prefill(
    model: LanguageModel,
    coefficients: Coefficients,
    *,
    input_tokens_count: float,
    cached_tokens_count: float = 0.0,
) -> Prefill:
    """Return the joules of a prefill, compute-bound.

    Attention of the tokens that are not cached on all before them: 2 layers hidden (in^2 -
    cached^2) operations. By hand, Llama 3.1 8B (32 layers of 4,096) on H100, 10,000 tokens:
    2 x 32 x 4096 x 1e8 = 26.2 TFLOP at 2.26 are 59 J, beside 161 J of weights.
    """
    squares_count = input_tokens_count**2 - cached_tokens_count**2
    attention_tflop = 2.0 * model.layers * model.hidden * squares_count / 1e12
    return Prefill(
        linear_j=prefill_j_per_token(model, coefficients)
        * (input_tokens_count - cached_tokens_count),
        attention_j=ATTENTION_J_PER_TFLOP * attention_tflop,
    )


def language_rows(
    query: EnergyQuery,
    terms: Sequence[CurveTerm],
    *,
    routed_share: float,
    stack_ratio: float,
    stack: str,
    calibration_ratio: float,
    points_count: int,
    own: Prefill,
    mix: Prefill,
) -> Iterator[ExplainRow]:
    """Yield the rows of the boards: e(B) by term, its factors, and the prefill beyond its mix.

        J = s c (e(B) out + prefill(in, cached) - prefill(rho out))

    and never below the prefill itself and a few per cent of the decoding. The factors are on the
    prefill too: they are of points that hold that of their own requests, which come out exactly.

    Args:
        terms: of the curve.
        own: prefill of the request.
        mix: prefill of the benchmark's mix, which e(B) holds already.
    """
    decode_j = 0.0
    for term in terms:
        term_j = query.output_tokens * term.average_j_per_token(
            query.batch_count, routed_share=routed_share
        )
        decode_j += term_j
        yield _gpu(term.name, term.how, term_j)
    yield _gpu("stack scalar", f"x {stack_ratio:.4g}, {stack}", (stack_ratio - 1.0) * decode_j)
    decode_j *= stack_ratio
    points = f"x {calibration_ratio:.4g}, from {points_count} measured points"
    yield _gpu(
        "calibration",
        points if points_count else "no measured point of this configuration",
        (calibration_ratio - 1.0) * decode_j,
    )
    decode_j *= calibration_ratio
    yield from _prefill_rows(
        query, decode_j, ratio=stack_ratio * calibration_ratio, own=own, mix=mix
    )


def _prefill_rows(
    query: EnergyQuery, decode_j: float, *, ratio: float, own: Prefill, mix: Prefill
) -> Iterator[ExplainRow]:
    """Yield the rows of the prefill beyond the mix, of which `ratio` is what the factors make."""
    scaled = "" if ratio == 1.0 else f", x {ratio:.4g}"
    beyond_count = query.uncached_input_tokens - MIX_RATIO * query.output_tokens
    yield _gpu(
        "prefill",
        f"{query.uncached_input_tokens:,.0f} uncached tokens, {beyond_count:+,.0f} beyond the mix "
        f"of the data{scaled}",
        ratio * (own.linear_j - mix.linear_j),
    )
    yield _gpu(
        "prefill attention",
        f"of {query.all_input_tokens:,.0f} tokens, beyond the mix{scaled}",
        ratio * (own.attention_j - mix.attention_j),
    )
    floor_j = ratio * own.total_j + CLIP_SHARE * decode_j
    missing_j = floor_j - (decode_j + ratio * (own.total_j - mix.total_j))
    yield _gpu(
        "clip",
        f"up to the prefill and {CLIP_SHARE:.0%} of decoding" if missing_j > 0.0 else "none",
        max(0.0, missing_j),
    )


def media_rows(
    work: MediaWork,
    fit: MediaCoefficients,
    *,
    items_count: int,
    stack_ratio: float,
    stack: str,
) -> Iterator[ExplainRow]:
    """Yield the rows of the boards for some images or clips."""
    alone = (
        (
            "arithmetic",
            f"{_round(work.linear_tflop)} TFLOP",
            fit.c_lin_j_per_tflop * work.linear_tflop,
        ),
        (
            "attention",
            f"{_round(work.attention_tflop)} TFLOP, by the square of the length",
            fit.c_att_j_per_tflop * work.attention_tflop,
        ),
        (
            "decoding",
            f"{_round(work.decoded_mpx)} Mpx of all frames",
            fit.c_px_j_per_mpx * work.decoded_mpx,
        ),
    )
    alone_j = sum(term_j for _, _, term_j in alone)
    shared_j = work.item_j(fit) - alone_j - fit.c_s_j * work.exchanges_count
    several = (
        ("communication", f"an item on {work.gpus_count} x GPU", shared_j),
        (
            "exchange",
            f"{_round(work.exchanges_count)} layer passes of further GPUs",
            fit.c_s_j * work.exchanges_count,
        ),
    )
    total_j = 0.0
    for name, how, term_j in (*alone, *several):
        total_j += items_count * term_j
        yield _gpu(name, how, items_count * term_j)
    yield _gpu("stack scalar", f"x {stack_ratio:.4g}, {stack}", (stack_ratio - 1.0) * total_j)


def facility_rows(parts: FacilityParts) -> Iterator[ExplainRow]:
    """Yield the rows beyond the boards."""
    yield ExplainRow(part="host", name="host", how=parts.host_how, energy_j=parts.host_j)
    yield ExplainRow(part="idle", name="idle boards", how=parts.idle_how, energy_j=parts.idle_j)
    yield ExplainRow(
        part="overhead", name="overhead", how=parts.overhead_how, energy_j=parts.overhead_j
    )


def _round(figure_quantity: float) -> str:
    return f"{figure_quantity:,.0f}" if figure_quantity >= 1000.0 else f"{figure_quantity:.4g}"


def _gpu(name: str, how: str, energy_j: float) -> ExplainRow:
    return ExplainRow(part="gpu", name=name, how=how, energy_j=energy_j)

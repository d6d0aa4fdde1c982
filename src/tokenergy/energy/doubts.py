"""What makes an estimate less sure than its band says: each doubt in one sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.energy.curve import SMALLEST_MEASURED_BATCH_COUNT
from tokenergy.energy.estimate import EnergyEstimate
from tokenergy.energy.media import latent_tokens
from tokenergy.energy.operating_point import MOST_MEASURED_GPUS
from tokenergy.energy.predict import REFERENCE_ACCELERATOR
from tokenergy.energy.query import EnergyQuery, MediaQuery
from tokenergy.units import J_PER_WH

LARGEST_MEASURED_BATCH_COUNT: Final = 4095.0
"""The largest mean batch of the ML.ENERGY benchmark v3; above it everything is extrapolated."""

LONG_INPUT_TOKENS: Final = 8192
"""Beyond it the attention of the prefill matters, whose coefficient is a guess."""

MOSTLY_SHARE: Final = 0.5
"""Of the boards' joules in prefill, above which a figure rests on what nobody measured."""

ANSWER_TOKENS: Final = 400
ANSWER_LEAST_WH: Final = 0.01
ANSWER_MOST_WH: Final = 5.0
"""What a chat answer of that length costs at a facility, within every published figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """What the making of an estimate showed.

    Attributes:
        fitted: whether anything was measured on the accelerator.
        stack_known: whether the catalogue knows the serving stack.
        prefill_share: of the boards' joules, in the prefill.
        clipped: whether less was left than the prefill and some decoding.
        fitting_count: sequences whose cache fits beside the weights.
    """

    fitted: bool
    stack_known: bool
    prefill_share: float = 0.0
    clipped: bool = False
    fitting_count: float = 0.0

    @property
    def mostly_prefill(self) -> bool:
        """Tell whether most joules are prefill."""
        return self.prefill_share > MOSTLY_SHARE


def language_doubts(
    query: EnergyQuery,
    estimate: EnergyEstimate,
    model: LanguageModel,
    accelerator: Accelerator,
    doubts: Doubts,
) -> Iterator[str]:
    """Yield what has to be said of a request's estimate."""
    yield from _scope(estimate, accelerator, doubts)
    yield from _recalled(model, accelerator)
    yield from _batch(query, doubts)
    if not model.family_measured and not estimate.calibration_points_count:
        yield f"no relative of {model.model_id} was measured: the band is wider by a guess"
    if model.computes_in_fp8 and accelerator.fp8_tflop_per_s is None:
        yield f"{accelerator.accelerator} has no FP8 arithmetic: FP8 saves memory only"
    if doubts.mostly_prefill:
        yield (
            f"{doubts.prefill_share:.0%} is prefill, whose coefficient was held against no "
            "measurement: the band is wider"
        )
    if query.uncached_input_tokens > LONG_INPUT_TOKENS:
        yield (
            f"an input of {query.uncached_input_tokens:,.0f} tokens: the attention of its prefill "
            "is a guess"
        )
    if doubts.clipped:
        yield (
            "clipped: the prefill of the data's mix is larger than all else, and prefill and a few "
            "per cent of decoding are left"
        )
    yield from _plausible(estimate, doubts)


def media_doubts(
    query: MediaQuery,
    estimate: EnergyEstimate,
    model: MediaModel,
    accelerator: Accelerator,
    doubts: Doubts,
    *,
    shape: tuple[int, int, int],
) -> Iterator[str]:
    """Yield what has to be said of an estimate of images or video.

    Args:
        shape: frames, height and width of an item.
    """
    yield from _scope(estimate, accelerator, doubts)
    yield from _recalled(model, accelerator)
    if not doubts.stack_known:
        yield f"nothing is known of the stack {estimate.stack!r}: the band is wide"
    frames, height, width = shape
    same = (height, width) == (model.height, model.width)
    asked_tokens = latent_tokens(model, height=height, width=width, frames=frames)
    measured_tokens = latent_tokens(
        model, height=model.height, width=model.width, frames=model.frames
    )
    if not (same and asked_tokens == measured_tokens):
        yield (
            f"not measured: of {model.model_id} one shape was, {model.frames} frames of "
            f"{model.height} x {model.width}"
        )
    if query.duration_s is not None and model.fps is not None:
        played_s = shape[0] / model.fps
        if abs(played_s - query.duration_s) > 0.5 / model.fps + 1e-9:
            yield f"{shape[0]} frames play for {played_s:g} s, not {query.duration_s:g}"


def _scope(estimate: EnergyEstimate, accelerator: Accelerator, doubts: Doubts) -> Iterator[str]:
    if not doubts.fitted:
        yield (
            f"no measurements on {accelerator.accelerator}: the fit of {REFERENCE_ACCELERATOR} "
            "carried over by data-sheet ratios"
        )
    if estimate.gpus_count > MOST_MEASURED_GPUS:
        yield (
            f"{estimate.gpus_count} GPUs are more than {MOST_MEASURED_GPUS}, the most measured: "
            "extrapolated"
        )


def _recalled(model: LanguageModel | MediaModel, accelerator: Accelerator) -> Iterator[str]:
    for row, name in ((model, model.model_id), (accelerator, accelerator.accelerator)):
        if row.source_kind == "recalled":
            yield f"the facts of {name} are recalled: nobody has checked them at their source"


def _batch(query: EnergyQuery, doubts: Doubts) -> Iterator[str]:
    if query.batch_count < SMALLEST_MEASURED_BATCH_COUNT:
        yield (
            f"the batch is below {SMALLEST_MEASURED_BATCH_COUNT}, the smallest measured: "
            "extrapolated"
        )
    if query.batch_count > LARGEST_MEASURED_BATCH_COUNT:
        yield (
            f"the batch is above {LARGEST_MEASURED_BATCH_COUNT:,.0f}, the largest measured: "
            "extrapolated"
        )
    if query.batch_count > doubts.fitting_count:
        yield (
            "the batch does not fit in memory: beside the weights there is room for "
            f"{doubts.fitting_count:,.0f} sequences of "
            f"{query.all_input_tokens + query.output_tokens:,.0f} tokens"
        )


def _plausible(estimate: EnergyEstimate, doubts: Doubts) -> Iterator[str]:
    """Hold a short answer against every published figure; long inputs have none."""
    if estimate.boundary != "facility" or doubts.mostly_prefill:
        return
    answer_wh = estimate.unit_j * ANSWER_TOKENS / J_PER_WH
    if not ANSWER_LEAST_WH <= answer_wh <= ANSWER_MOST_WH:
        yield (
            f"not plausible: an answer of {ANSWER_TOKENS} tokens would cost {answer_wh:.3g} Wh at "
            f"the facility, outside {ANSWER_LEAST_WH:g} to {ANSWER_MOST_WH:g} Wh"
        )

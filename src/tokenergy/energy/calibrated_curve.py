"""The curve of a model on a replica, corrected by what its company measured of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.configuration import precision_of, stack_of
from tokenergy.company.model import LanguageModel
from tokenergy.company.stack import UNKNOWN_STACK_BAND
from tokenergy.energy.calibrate import (
    Configuration,
    Correction,
    CurvePoint,
    calibrated,
)
from tokenergy.energy.curve import EnergyCurve
from tokenergy.energy.explain import prefill
from tokenergy.energy.predict import coefficients_for, language_curve
from tokenergy.energy.query import MIX_RATIO

UNSTATED_INPUT_TOKENS: Final = 250.0
UNSTATED_OUTPUT_TOKENS: Final = 641.0
"""Of a point that does not say its lengths: the chat mix of the ML.ENERGY benchmark v3 (input
length guessed)."""

MIX_APART_MOST_RATIO: Final = 2.0
"""Up to this factor between their contexts a point speaks for a workload; beyond it a chat point
corrects long answers hardly better than none (24 % against 25 %: energy sheet, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedCurve:
    """`factor(B) e(B)`, at `power(B)` times the usual board power; no points: both are 1.

    Attributes:
        curve: as predicted from the catalogue.
        stack_ratio: what the serving stack does to every prediction; it cancels where points
            correct it.
        joules: measured over predicted joules per token; None: nothing was measured.
        power: measured over usual board power; None: no point says its power.
        points: what was measured, by rising batch.
        mix_apart: whether the points were measured at other lengths than those asked for.
        notes: what has to be said.
    """

    curve: EnergyCurve
    stack_ratio: float = 1.0
    joules: Correction | None = None
    power: Correction | None = None
    points: tuple[CurvePoint, ...] = ()
    mix_apart: bool = False
    notes: tuple[str, ...] = ()

    def factor_ratio(self, batch_count: float) -> float:
        """Return what the prediction is multiplied with: stack and points."""
        own = 1.0 if self.joules is None else self.joules.ratio(batch_count)
        return self.stack_ratio * own

    def average_j_per_token(self, batch_count: float) -> float:
        """Return joules per output token, J.

        Raises:
            InputError: if the batch is not a positive number.
        """
        return self.factor_ratio(batch_count) * self.curve.average_j_per_token(batch_count)

    def board_w(self, batch_count: float, *, usual_w: float) -> float:
        """Return the power of all boards at a batch, where `usual_w` is what is usual."""
        return usual_w if self.power is None else usual_w * self.power.ratio(batch_count)

    def step_s(self, batch_count: float, *, usual_w: float) -> float:
        """Return how long a step lasts: its joules over the power of the boards, s."""
        step_j = self.average_j_per_token(batch_count) * batch_count
        return step_j / self.board_w(batch_count, usual_w=usual_w)

    def step_j(self, batch_count: float) -> float:
        """Return all joules of a step, its tokens' own included, J."""
        return self.average_j_per_token(batch_count) * batch_count

    def measured_at(self, batch_count: float) -> bool:
        """Tell whether a batch lies within the company's own points."""
        return self.joules is not None and self.joules.between(batch_count)

    def band(self, modelled: tuple[float, float], *, batch_count: float) -> tuple[float, float]:
        """Return measured over predicted: that of the points, no narrower where lengths differ.

        Args:
            modelled: the band without any points.
        """
        if self.joules is None:
            return modelled
        low, high = self.joules.band(batch_count)
        if self.mix_apart:
            return min(low, modelled[0]), max(high, modelled[1])
        return low, high

    def marginal_j_per_token(
        self, batch_count: float, *, usual_w: float, base_share: float
    ) -> float:
        """Return the slope of power over rate of a replica that stays awake, J per token.

        The least squares line of relative errors through the points up to that batch that say
        their power (the chord to the operating point where there is only one), at least 0 and at
        most the average; without any, the usual share of the average.

        Args:
            base_share: of the power at the operating point, there at any load.
        """
        average_j = self.average_j_per_token(batch_count)
        pairs = [
            (watts / point.j_per_token, watts)
            for point in self.points
            if point.batch_count <= batch_count and (watts := replica_w(point)) is not None
        ]
        if len({rate for rate, _ in pairs}) == 1:
            board_w = self.board_w(batch_count, usual_w=usual_w)
            pairs = [pairs[0], (board_w / average_j, board_w)]
        slope_j = _slope(pairs)
        if slope_j is None:
            return (1.0 - base_share) * average_j
        return min(max(slope_j, 0.0), average_j)


def calibrated_curve(
    catalogue: Catalogue,
    model: LanguageModel,
    accelerator: Accelerator,
    *,
    gpus_count: int,
    input_tokens_count: float,
    output_tokens_count: float,
    stack: str = "",
) -> CalibratedCurve:
    """Return the curve of a model on a replica, with the company's points in the catalogue.

    Args:
        model: at the precision that is asked for.
        stack: engine and version; "": the one that the points were measured under, if all were
            measured under one.

    Raises:
        InputError: if there is no GPU, or a length is no number.
    """
    fit = coefficients_for(catalogue, accelerator.accelerator)
    context_tokens_count = input_tokens_count + output_tokens_count / 2.0
    curve = language_curve(
        model,
        fit,
        gpus_count=gpus_count,
        context_tokens_count=context_tokens_count,
        fp8_arithmetic=accelerator.fp8_tflop_per_s is not None,
    )
    points, notes = points_for(
        catalogue, model, accelerator=accelerator.accelerator, gpus_count=gpus_count, stack=stack
    )
    scalar_ratio = stack_ratio(
        catalogue, points[0].stack if points else stack, accelerator=accelerator.accelerator
    )
    plain = CalibratedCurve(curve=curve, stack_ratio=scalar_ratio, notes=notes)
    if not points:
        return replace(plain, notes=(*notes, *_unknown(catalogue, stack, accelerator.accelerator)))
    points, apart = near(points, context_tokens_count)
    own = points[0].configuration
    joules = calibrated(points, lambda point: predicted_j_per_token(catalogue, point))
    usual_w = fit.power_share * gpus_count * accelerator.tdp_w
    powered = [point for point in points if replica_w(point) is not None]
    power = calibrated(powered, lambda _: usual_w, measured=lambda point: replica_w(point) or 0.0)
    said = [context_of(point) for point in points]
    found = joules.corrections[own]
    return replace(
        plain,
        joules=found,
        power=power.corrections.get(own),
        points=points,
        mix_apart=apart,
        notes=(*notes, *_told(own, found, said, context_tokens_count, apart=apart)),
    )


def known_point(point: CurvePoint, *, model: LanguageModel, accelerator: Accelerator) -> CurvePoint:
    """Return a point as the catalogue names it: only so does it answer to its configuration."""
    return replace(
        point,
        model=model.model_id,
        accelerator=accelerator.accelerator,
        bytes_per_weight=precision_of(
            point.bytes_per_weight, published_bytes_per_weight=model.bytes_per_weight
        ),
        stack=stack_of(point.stack),
    )


def points_for(
    catalogue: Catalogue, model: LanguageModel, *, accelerator: str, gpus_count: int, stack: str
) -> tuple[tuple[CurvePoint, ...], tuple[str, ...]]:
    """Return the points of one configuration by rising batch, and what has to be said.

    None where the stack is not stated and the points were measured under several.
    """
    published = catalogue.language_model(model.model_id).bytes_per_weight
    own = Configuration(
        model=model.model_id,
        accelerator=accelerator,
        gpus_count=gpus_count,
        bytes_per_weight=precision_of(model.bytes_per_weight, published_bytes_per_weight=published),
    )
    found = [
        replace(point, stack=stack_of(point.stack))
        for point in catalogue.points
        if replace(point.configuration, stack="") == own
    ]
    if stack:
        found = [point for point in found if point.stack == stack_of(stack)]
    stacks = sorted({point.stack for point in found})
    if len(stacks) > 1:
        listed = ", ".join(each or "no stated stack" for each in stacks)
        return (), (
            f"points of {own} were measured under {listed}: none is used until the model states "
            "its stack",
        )
    return tuple(sorted(found, key=lambda point: point.batch_count)), ()


def near(
    points: tuple[CurvePoint, ...], context_tokens_count: float
) -> tuple[tuple[CurvePoint, ...], bool]:
    """Return the points whose lengths are near to those asked for; all of them if none is.

    Returns:
        The points, and whether they are all apart.
    """
    most = MIX_APART_MOST_RATIO
    found = tuple(
        point
        for point in points
        if context_of(point) / most <= context_tokens_count <= context_of(point) * most
    )
    return (found, False) if found else (points, True)


def predicted_j_per_token(catalogue: Catalogue, point: CurvePoint) -> float:
    """Return what the catalogue predicts at a point, J per output token.

    Its stack and the prefill of its own requests are in it.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
    """
    own = point.configuration
    facts = catalogue.language_model(own.model)
    if own.bytes_per_weight is not None:
        facts = facts.at_precision(own.bytes_per_weight)
    sku = catalogue.accelerator(own.accelerator)
    fit = coefficients_for(catalogue, sku.accelerator)
    input_tokens, output_tokens = _lengths(point)
    attention_j = (
        prefill(facts, fit, input_tokens_count=input_tokens).attention_j
        - prefill(facts, fit, input_tokens_count=MIX_RATIO * output_tokens).attention_j
    )
    curve = language_curve(
        facts,
        fit,
        gpus_count=own.gpus_count,
        context_tokens_count=context_of(point),
        fp8_arithmetic=sku.fp8_tflop_per_s is not None,
        input_ratio=input_tokens / output_tokens,
    )
    scalar_ratio = stack_ratio(catalogue, own.stack, accelerator=sku.accelerator)
    request_j = curve.average_j_per_token(point.batch_count) + attention_j / output_tokens
    return scalar_ratio * request_j


def stack_ratio(catalogue: Catalogue, stack: str, *, accelerator: str) -> float:
    """Return what a serving stack does to the joules of the reference stack: 1 if not known."""
    if not stack:
        return 1.0
    row = catalogue.stack(stack, accelerator=accelerator)
    return 1.0 if row is None else row.scalar_ratio


def stacked_band(
    modelled: tuple[float, float], catalogue: Catalogue, stack: str, *, accelerator: str
) -> tuple[float, float]:
    """Return a band with what a serving stack adds; a stack nobody knows makes it wide."""
    low, high = modelled
    if not stack:
        return modelled
    row = catalogue.stack(stack, accelerator=accelerator)
    if row is None:
        return min(low, UNKNOWN_STACK_BAND[0]), max(high, UNKNOWN_STACK_BAND[1])
    return low * row.band[0], high * row.band[1]


def replica_w(point: CurvePoint) -> float | None:
    """Return the power of all boards of one replica, W; None where the point does not say it."""
    if point.avg_power_w_per_gpu is None:
        return None
    return point.avg_power_w_per_gpu * point.configuration.gpus_count


def context_of(point: CurvePoint) -> float:
    """Return the mean context while decoding, tokens."""
    input_tokens, output_tokens = _lengths(point)
    return input_tokens + output_tokens / 2.0


def _lengths(point: CurvePoint) -> tuple[float, float]:
    """Return input and output of one request; what is not said is that of the chat mix."""
    return (
        point.input_tokens or UNSTATED_INPUT_TOKENS,
        point.output_tokens or UNSTATED_OUTPUT_TOKENS,
    )


def _unknown(catalogue: Catalogue, stack: str, accelerator: str) -> tuple[str, ...]:
    if not stack or catalogue.stack(stack, accelerator=accelerator) is not None:
        return ()
    return (f"nothing is known of the stack {stack!r}: taken as the reference, with a wide band",)


def _slope(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of watts over tokens/s, weighed by 1/W^2; None with under two rates."""
    if len({rate for rate, _ in pairs}) < 2:
        return None
    weights = [1.0 / watts**2 for _, watts in pairs]
    total = math.fsum(weights)
    rate_mean = math.fsum(w * r for w, (r, _) in zip(weights, pairs, strict=True)) / total
    watts_mean = math.fsum(w * p for w, (_, p) in zip(weights, pairs, strict=True)) / total
    across = math.fsum(
        w * (r - rate_mean) * (p - watts_mean) for w, (r, p) in zip(weights, pairs, strict=True)
    )
    spread = math.fsum(w * (r - rate_mean) ** 2 for w, (r, _) in zip(weights, pairs, strict=True))
    return across / spread


def _told(
    own: Configuration,
    joules: Correction,
    contexts_tokens: Sequence[float],
    context_tokens_count: float,
    *,
    apart: bool,
) -> tuple[str, ...]:
    count = joules.points_count
    batches = f"batch {joules.batches_count[0]:g}"
    if count > 1:
        batches = f"batches {joules.batches_count[0]:g} to {joules.batches_count[-1]:g}"
    said = f"calibrated with {count} measured point{'s' if count > 1 else ''} at {batches}"
    told = [said + (f" under {own.stack}" if own.stack else "")]
    if apart:
        told.append(
            f"the points have contexts of {min(contexts_tokens):,.0f} to "
            f"{max(contexts_tokens):,.0f} tokens and the workload {context_tokens_count:,.0f}: "
            "the band is not narrowed"
        )
    return tuple(told)

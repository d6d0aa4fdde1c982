"""The operating point of one awake replica: what the dispatch program takes as capacity."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.coefficients import Coefficients
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.energy.calibrated_curve import CalibratedCurve, calibrated_curve, stacked_band
from tokenergy.energy.curve import SMALLEST_MEASURED_BATCH_COUNT
from tokenergy.energy.media import item_j, latent_tokens, media_band
from tokenergy.energy.predict import (
    REFERENCE_ACCELERATOR,
    coefficients_for,
    kv_copies_ratio,
    language_band,
    prefill_j_per_token,
)
from tokenergy.errors import DoesNotFit, InputError, SloUnreachable
from tokenergy.units import J_PER_MWH, MS_PER_S, S_PER_H, TOKENS_PER_MTOK, W_PER_MW

Bound = Literal["ttft", "tpot", "kv", "batch", "media"]
"""What keeps the load from growing: latency, cache, the engine's own limit, or nothing. `ttft`
only where requests were simulated."""

BASE_SHARE: Final = 0.75
"""Of the power at the operating point, there at any load: the median of 103 configurations of the
ML.ENERGY benchmark v3, board power against output rate; 10 % of them lie below 0.61."""

CONTAINER_START_S: Final = 30.0
"""Time to start a container before weights are read: a guess, of the order of read times."""

WEIGHT_READ_GB_PER_S: Final = 2.0
"""Read rate of weights per GPU, a guess: the low end of 2 to 5 GB/s."""

HOST_W_PER_GPU: Final = 150.0
"""Host power while awake: 1.2 kW for 8 GPUs (EcoLogits)."""

MOST_MEASURED_GPUS: Final = 8
"""GPUs of the largest replica in the benchmark; above it everything is extrapolated."""

MEASURED_INPUT_RATIO: Final = 250.0 / 641.0
"""Input per output token of the chat benchmark inside the fit (input length guessed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """One awake replica of a model at its service-level operating point.

    Power at a rate r up to `rate_mtok_per_h` is `base_mw + marginal_mwh_per_mtok * r`, boards
    and host, before PUE. Work is counted in output tokens; for media in latent tokens.
    """

    model: str
    accelerator: str
    gpus_count: int
    batch_count: float
    """Sequences in a step at the point (media: 1)."""
    tokens_per_item_count: int | None
    """Latent tokens of one image or clip; None for a language model."""
    rate_mtok_per_h: float
    base_mw: float
    marginal_mwh_per_mtok: float
    sleep_mw_per_gpu: float
    """Idle power of the board, where no sleep figure is known; never 0."""
    tpot_s: float
    unloaded_ttft_s: float
    """Time to the first token of one request alone (media: to the whole item)."""
    wake_h: float
    wake_mwh: float
    input_output_cost_ratio_share: float
    """Kappa: joules of an input token over joules of an output token at the point."""
    bound: Bound
    energy_tier: str
    low_share: float
    high_share: float
    """The band: measured over predicted, 5th and 95th percentile."""
    warnings: tuple[str, ...]


def language_operating_point(
    catalogue: Catalogue,
    *,
    model: str,
    accelerator: str,
    gpus_count: int,
    tpot_limit_s: float,
    input_tokens_count: float,
    output_tokens_count: float,
    bytes_per_weight: float | None = None,
    host_w_per_gpu: float = HOST_W_PER_GPU,
    batch_limit_count: int = 256,
    stack: str = "",
) -> OperatingPoint:
    """Return the point of a language model on a replica of that many GPUs.

    The largest batch whose step keeps the TPOT limit and whose cache fits; power there is a
    median share of TDP, three quarters of it base. The company's own points (the catalogue's)
    correct both. Prefill beyond the benchmark's mix is not in the figures: a warning tells it.

    Args:
        input_tokens_count: mean uncached input of the workload, tokens.
        output_tokens_count: its mean output, tokens.
        bytes_per_weight: overrides the catalogue's precision (2 BF16, 1 FP8).
        batch_limit_count: the most sequences the engine puts into one step.
        stack: engine and version; "": the points' own, else the reference stack.

    Raises:
        InputError: if a count or a limit is not a positive number; UnknownModel or
            UnknownAccelerator, naming the nearest; DoesNotFit, if weights and one sequence exceed
            the memory; SloUnreachable, if one sequence alone misses the TPOT limit.
    """
    _refuse_below_one(gpus_count=gpus_count, batch_limit_count=batch_limit_count)
    _refuse_not_positive(tpot_limit_s=tpot_limit_s, output_tokens_count=output_tokens_count)
    _refuse_negative(input_tokens_count=input_tokens_count, host_w_per_gpu=host_w_per_gpu)
    facts = catalogue.language_model(model)
    if bytes_per_weight is not None:
        facts = facts.at_precision(bytes_per_weight)
    sku = catalogue.accelerator(accelerator)
    fit = coefficients_for(catalogue, sku.accelerator)
    curve = calibrated_curve(
        catalogue, facts, sku, gpus_count=gpus_count, stack=stack,
        input_tokens_count=input_tokens_count, output_tokens_count=output_tokens_count,
    )  # fmt: skip
    power_w = fit.power_share * gpus_count * sku.tdp_w
    cached_count = sequences_in_memory(
        facts, sku, gpus_count=gpus_count, tokens_count=input_tokens_count + output_tokens_count
    )
    batch, bound = _largest_batch(
        curve, power_w=power_w, tpot_limit_s=tpot_limit_s,
        cached_count=cached_count, limit_count=batch_limit_count,
        where=f"model {facts.model_id!r} on {gpus_count} x {sku.accelerator}",
    )  # fmt: skip
    return _language_point(
        facts, sku, fit, curve, gpus_count=gpus_count, batch=batch, bound=bound,
        input_tokens_count=input_tokens_count, output_tokens_count=output_tokens_count,
        host_w=host_w_per_gpu * gpus_count,
        modelled=_modelled_band(catalogue, facts, fit, stack),
    )  # fmt: skip


def media_operating_point(
    catalogue: Catalogue,
    *,
    model: str,
    accelerator: str,
    gpus_count: int,
    height: int | None = None,
    width: int | None = None,
    frames: int | None = None,
    steps: int | None = None,
    host_w_per_gpu: float = HOST_W_PER_GPU,
) -> OperatingPoint:
    """Return the point of an image or video model; a shape left out is the measured one.

    Power is a median share of TDP, all base, since batch hardly matters; every GPU holds all
    weights (sequence parallelism).

    Raises:
        InputError: an UnknownModel or UnknownAccelerator; a DoesNotFit, if the diffusion
            transformer exceeds one GPU; or a size that is not positive.
    """
    _refuse_negative(host_w_per_gpu=host_w_per_gpu)
    facts = catalogue.media_model(model)
    sku = catalogue.accelerator(accelerator)
    fit = coefficients_for(catalogue, sku.accelerator)
    refuse_media_too_large(facts, sku)
    height, width = _or(height, facts.height), _or(width, facts.width)
    frames, steps = _or(frames, facts.frames), _or(steps, facts.steps)
    tokens_count = latent_tokens(facts, height=height, width=width, frames=frames)
    energy_j = item_j(
        facts, fit,
        gpus_count=gpus_count, height=height, width=width, frames=frames, steps=steps,
    )  # fmt: skip
    power_w = fit.power_share_of(facts.kind) * gpus_count * sku.tdp_w
    item_s = energy_j / power_w
    base_mw = (power_w + host_w_per_gpu * gpus_count) / W_PER_MW
    low_share, high_share = media_band(facts, fitted=fit.fitted)
    warnings = _scope_warnings(fit, sku, gpus_count=gpus_count)
    warnings += _shape_warnings(facts, height=height, width=width, frames=frames)
    return OperatingPoint(
        model=facts.model_id,
        accelerator=sku.accelerator,
        gpus_count=gpus_count,
        batch_count=1.0,
        tokens_per_item_count=tokens_count,
        rate_mtok_per_h=tokens_count / item_s * S_PER_H / TOKENS_PER_MTOK,
        base_mw=base_mw,
        marginal_mwh_per_mtok=0.0,
        sleep_mw_per_gpu=sku.idle_w / W_PER_MW,
        tpot_s=item_s / tokens_count,
        unloaded_ttft_s=item_s,
        wake_h=start_h(facts.weights_gb),
        wake_mwh=base_mw * start_h(facts.weights_gb),
        input_output_cost_ratio_share=0.0,
        bound="media",
        energy_tier="modelled",
        low_share=low_share,
        high_share=high_share,
        warnings=warnings,
    )


def sequences_in_memory(
    model: LanguageModel, accelerator: Accelerator, *, gpus_count: int, tokens_count: float
) -> float:
    """Return how many sequences of that length fit beside the weights (inf without a cache).

    A cache with fewer heads than GPUs is kept more than once; a hybrid keeps its state beside it,
    however short the sequence.

    Raises:
        DoesNotFit: if not even one does; it names the smallest count of GPUs that would do.
    """
    usable_gb = accelerator.usable_gb
    copies_ratio = kv_copies_ratio(model, gpus_count=gpus_count)
    sequence_gb = model.kv_gb(tokens_count) * copies_ratio + model.state_gb
    room_gb = gpus_count * usable_gb - model.weights_gb
    if room_gb < sequence_gb:
        need_gb = model.weights_gb + sequence_gb
        what = f"weights of {model.weights_gb:.1f} GB"
        if room_gb >= 0:
            what += f" and one sequence of {tokens_count:,.0f} tokens of {sequence_gb:.1f} GB"
        enough = math.ceil(need_gb / usable_gb)
        raise DoesNotFit(
            f"model {model.model_id!r}: {what} exceed the {gpus_count * usable_gb:.1f} GB "
            f"usable on {gpus_count} x {accelerator.accelerator}; {enough} GPUs hold them"
        )
    return math.floor(room_gb / sequence_gb) if sequence_gb > 0 else math.inf


def _modelled_band(
    catalogue: Catalogue, model: LanguageModel, fit: Coefficients, stack: str
) -> tuple[float, float]:
    band = language_band(model, fitted=fit.fitted)
    return stacked_band(band, catalogue, stack, accelerator=fit.accelerator)


def _largest_batch(
    curve: CalibratedCurve,
    *,
    power_w: float,
    tpot_limit_s: float,
    cached_count: float,
    limit_count: int,
    where: str,
) -> tuple[int, Bound]:
    """Return the largest whole batch within every limit, and which limit stopped it."""
    alone_s = curve.step_s(1, usual_w=power_w)
    if alone_s > tpot_limit_s:
        raise SloUnreachable(
            f"{where}: one sequence alone takes {alone_s * MS_PER_S:.1f} ms a token, above the "
            f"TPOT limit of {tpot_limit_s * MS_PER_S:.1f} ms"
        )
    most = int(min(cached_count, limit_count))
    within, beyond = 1, most + 1  # a step only grows with its batch
    while beyond - within > 1:
        middle = (within + beyond) // 2
        if curve.step_s(middle, usual_w=power_w) <= tpot_limit_s:
            within = middle
        else:
            beyond = middle
    if within < most:
        return within, "tpot"
    return within, "kv" if cached_count <= limit_count else "batch"


def _language_point(
    model: LanguageModel,
    accelerator: Accelerator,
    fit: Coefficients,
    curve: CalibratedCurve,
    *,
    gpus_count: int,
    batch: int,
    bound: Bound,
    input_tokens_count: float,
    output_tokens_count: float,
    host_w: float,
    modelled: tuple[float, float],
) -> OperatingPoint:
    usual_w = fit.power_share * gpus_count * accelerator.tdp_w
    power_w = curve.board_w(batch, usual_w=usual_w)
    average_j = curve.average_j_per_token(batch)
    input_j = prefill_j_per_token(model, fit)
    tpot_s = curve.step_s(batch, usual_w=usual_w)
    marginal_j = curve.marginal_j_per_token(batch, usual_w=usual_w, base_share=BASE_SHARE)
    base_mw = (max(0.0, power_w - marginal_j * batch / tpot_s) + host_w) / W_PER_MW
    wake_h = start_h(model.weights_gb / gpus_count)
    low_share, high_share = curve.band(modelled, batch_count=batch)
    warnings = _scope_warnings(fit, accelerator, gpus_count=gpus_count) + curve.notes
    if batch < SMALLEST_MEASURED_BATCH_COUNT and not curve.measured_at(batch):
        warnings += (
            f"batch {batch} is below {SMALLEST_MEASURED_BATCH_COUNT}, the smallest measured: "
            "extrapolated",
        )
    if model.computes_in_fp8 and accelerator.fp8_tflop_per_s is None:
        warnings += (f"{accelerator.accelerator} has no FP8 arithmetic: weights only",)
    unseen_count = input_tokens_count - MEASURED_INPUT_RATIO * output_tokens_count
    unseen_share = input_j * unseen_count / (average_j * output_tokens_count)
    if unseen_share > 0.1:
        warnings += (
            f"prefill beyond the benchmark's mix would add about {unseen_share:.0%} to the "
            "energy of an output token: it is not in the figures",
        )
    return OperatingPoint(
        model=model.model_id,
        accelerator=accelerator.accelerator,
        gpus_count=gpus_count,
        batch_count=float(batch),
        tokens_per_item_count=None,
        rate_mtok_per_h=batch / tpot_s * S_PER_H / TOKENS_PER_MTOK,
        base_mw=base_mw,
        marginal_mwh_per_mtok=marginal_j * TOKENS_PER_MTOK / J_PER_MWH,
        sleep_mw_per_gpu=accelerator.idle_w / W_PER_MW,
        tpot_s=tpot_s,
        unloaded_ttft_s=input_j * input_tokens_count / power_w,
        wake_h=wake_h,
        wake_mwh=base_mw * wake_h,
        input_output_cost_ratio_share=input_j / average_j,
        bound=bound,
        energy_tier="modelled" if curve.joules is None else "calibrated",
        low_share=low_share,
        high_share=high_share,
        warnings=warnings,
    )


def start_h(read_gb: float) -> float:
    """Return how long a replica takes from asleep to serving, by the weights each GPU reads."""
    return (CONTAINER_START_S + read_gb / WEIGHT_READ_GB_PER_S) / S_PER_H


def _scope_warnings(
    fit: Coefficients, accelerator: Accelerator, *, gpus_count: int
) -> tuple[str, ...]:
    warnings: list[str] = []
    if not fit.fitted:
        warnings.append(
            f"no measurements on {accelerator.accelerator}: the fit of {REFERENCE_ACCELERATOR} "
            "carried over by data-sheet ratios"
        )
    if gpus_count > MOST_MEASURED_GPUS:
        warnings.append(
            f"{gpus_count} GPUs are more than {MOST_MEASURED_GPUS}, the most measured: extrapolated"
        )
    return tuple(warnings)


def _shape_warnings(model: MediaModel, *, height: int, width: int, frames: int) -> tuple[str, ...]:
    if (height, width, frames) == (model.height, model.width, model.frames):
        return ()
    return (
        f"{frames} x {height} x {width} was not measured: one shape per model, here "
        f"{model.frames} x {model.height} x {model.width}",
    )


def refuse_media_too_large(model: MediaModel, accelerator: Accelerator) -> None:
    """Refuse a diffusion transformer larger than one GPU: every GPU of a replica holds all of it.

    Raises:
        DoesNotFit: with both sizes.
    """
    usable_gb = accelerator.usable_gb
    if model.weights_gb > usable_gb:
        raise DoesNotFit(
            f"model {model.model_id!r}: weights of {model.weights_gb:.1f} GB exceed the "
            f"{usable_gb:.1f} GB usable on one {accelerator.accelerator}; every GPU holds all "
            "of them, so more GPUs do not help"
        )


def _or(given: int | None, measured: int) -> int:
    return measured if given is None else given


def _refuse_below_one(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; it must be at least 1")


def _refuse_not_positive(**figures: float) -> None:
    for name, figure in figures.items():
        if not (figure > 0 and math.isfinite(figure)):
            raise InputError(f"{name} is {figure:g}; it must be above 0 and finite")


def _refuse_negative(**figures: float) -> None:
    for name, figure in figures.items():
        if not (figure >= 0 and math.isfinite(figure)):
            raise InputError(f"{name} is {figure:g}; it cannot be negative or infinite")

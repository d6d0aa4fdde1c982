"""The energy curve of a language model, from the facts of the catalogue alone."""

import math
from dataclasses import replace

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.coefficients import Coefficients, MediaCoefficients
from tokenergy.company.model import LanguageModel
from tokenergy.energy.curve import EnergyCurve
from tokenergy.errors import InputError

REFERENCE_ACCELERATOR = "H100"
"""Whose fit is carried over, by data-sheet ratios, to an accelerator without one."""

UNFITTED_POWER_SHARE = 0.80
"""Board power over TDP under a language load where nothing was measured."""

FP8_BYTES_PER_WEIGHT = 1.0


def coefficients_for(catalogue: Catalogue, accelerator: str) -> Coefficients:
    """Return the fit of that accelerator, or the reference's carried over to it.

    Raises:
        UnknownAccelerator: if the catalogue does not hold it.
    """
    target = catalogue.accelerator(accelerator)
    fitted = catalogue.fitted_coefficients(target.accelerator)
    if fitted is not None:
        return fitted
    reference = catalogue.fitted_coefficients(REFERENCE_ACCELERATOR)
    if reference is None:
        raise InputError(
            f"no coefficients for {target.accelerator!r}, and none of {REFERENCE_ACCELERATOR!r}"
        )
    return carried_over(
        reference, source=catalogue.accelerator(REFERENCE_ACCELERATOR), target=target
    )


def carried_over(
    reference: Coefficients, *, source: Accelerator, target: Accelerator
) -> Coefficients:
    """Return one accelerator's numbers scaled to another by data-sheet ratios.

    Weights, experts and cache scale with TDP over bandwidth, arithmetic with TDP over dense
    BF16 rate, the overhead of a layer with TDP; prefill and media are arithmetic too. A rule of
    our own that nothing was measured against.
    """
    tdp_ratio = target.tdp_w / source.tdp_w
    read_ratio = tdp_ratio * source.bandwidth_gb_per_s / target.bandwidth_gb_per_s
    flop_ratio = tdp_ratio * source.bf16_tflop_per_s / target.bf16_tflop_per_s

    def media(fit: MediaCoefficients) -> MediaCoefficients:
        return replace(
            fit,
            c_lin_j_per_tflop=fit.c_lin_j_per_tflop * flop_ratio,
            c_att_j_per_tflop=fit.c_att_j_per_tflop * flop_ratio,
            c_px_j_per_mpx=fit.c_px_j_per_mpx * flop_ratio,
            c_s_j=fit.c_s_j * tdp_ratio,
        )

    language = reference.language
    return replace(
        reference,
        accelerator=target.accelerator,
        language=replace(
            language,
            c_layer_j=language.c_layer_j * tdp_ratio,
            c_w_j_per_gb=language.c_w_j_per_gb * read_ratio,
            c_e_j_per_gb=language.c_e_j_per_gb * read_ratio,
            c_kv_j_per_gb=language.c_kv_j_per_gb * read_ratio,
            c_f_j_per_tflop=language.c_f_j_per_tflop * flop_ratio,
        ),
        media_one_gpu=media(reference.media_one_gpu),
        media_many_gpus=media(reference.media_many_gpus),
        c_pre_j_per_tflop=reference.c_pre_j_per_tflop * flop_ratio,
        power_share=UNFITTED_POWER_SHARE,
        in_sample_mape_share=None,
        blind_mape_share=None,
        fitted=False,
    )


def language_curve(
    model: LanguageModel,
    coefficients: Coefficients,
    *,
    gpus_count: int,
    context_tokens_count: float,
    fp8_arithmetic: bool = True,
) -> EnergyCurve:
    """Return the curve of a model on a replica of n GPUs.

        b(B) = n layers c_layer overhead (1 + c_comm log2 n) + c_w W_shared + c_e W_experts(B)
        a = c_f TFLOP x_flop_moe + c_kv KV

    with weights and cache in GB; `overhead` is the product of x_moe, x_hybrid and x_fp8moe where
    they apply.

    Args:
        context_tokens_count: mean context while decoding, input + output/2, tokens.
        fp8_arithmetic: whether the accelerator computes in FP8; without it FP8 weights
            save reading but no arithmetic.

    Raises:
        InputError: if there is no GPU, or the context is negative or not a number.
    """
    if gpus_count < 1:
        raise InputError(f"a replica of {gpus_count} GPUs; it needs at least 1")
    if not (context_tokens_count >= 0 and math.isfinite(context_tokens_count)):
        raise InputError(f"a context of {context_tokens_count} tokens; it cannot be negative")
    fit = coefficients.language
    moe = model.routes_experts
    overhead_ratio = _overhead_ratio(model, coefficients)
    comm_ratio = 1.0 + fit.c_comm_ratio * math.log2(gpus_count)
    layers_j = gpus_count * model.layers * fit.c_layer_j * overhead_ratio * comm_ratio
    flop_ratio = fit.x_flop_moe_ratio if moe else 1.0
    flop_tflop = token_tflop(model, fp8_arithmetic=fp8_arithmetic)
    return EnergyCurve(
        token_j=fit.c_f_j_per_tflop * flop_tflop * flop_ratio
        + fit.c_kv_j_per_gb * model.kv_gb(context_tokens_count),
        shared_step_j=layers_j + fit.c_w_j_per_gb * model.shared_b * model.bytes_per_weight,
        experts_step_j=fit.c_e_j_per_gb * expert_read_gb(model, batch_count=math.inf),
        routed_share=model.topk / model.experts if moe else 0.0,
    )


def token_tflop(model: LanguageModel, *, fp8_arithmetic: bool = True) -> float:
    """Return the arithmetic of one output token in TFLOP, halved in FP8 only (not MXFP4)."""
    flop_tflop = 2.0 * model.active_b / 1000.0
    in_fp8 = model.bytes_per_weight == FP8_BYTES_PER_WEIGHT and fp8_arithmetic
    return flop_tflop / 2.0 if in_fp8 else flop_tflop


def expert_read_gb(model: LanguageModel, *, batch_count: float) -> float:
    """Return W_ex(B): the expert weights that B tokens of one step touch on average, GB."""
    if not model.routes_experts:
        return 0.0
    untouched_share = math.pow(1.0 - model.topk / model.experts, batch_count)
    return model.experts * model.expert_b * (1.0 - untouched_share) * model.bytes_per_weight


def prefill_j_per_token(model: LanguageModel, coefficients: Coefficients) -> float:
    """Return e_in: joules of one uncached input token, J.

    Compute-bound, with the coefficient of the diffusion fit; not validated against any
    measurement of prefill.
    """
    return token_tflop(model, fp8_arithmetic=False) * coefficients.c_pre_j_per_tflop


def language_band(model: LanguageModel, *, fitted: bool) -> tuple[float, float]:
    """Return the 5th and 95th percentile of measured over predicted.

    Of the ML.ENERGY benchmark v3 by kind of model, one family of models held out at a time. A
    model without measured relatives is wider by 1.3, an accelerator without a fit at least half
    to double: both are guesses, and said to be.
    """
    low_share, high_share = 0.75, 1.36
    if model.architecture == "hybrid":
        low_share, high_share = 0.63, 2.07
    elif model.routes_experts:
        low_share, high_share = 0.57, 2.08
    if not model.family_measured:
        low_share, high_share = low_share / 1.3, high_share * 1.3
    if not fitted:
        low_share, high_share = min(low_share, 0.5), max(high_share, 2.0)
    return low_share, high_share


def _overhead_ratio(model: LanguageModel, coefficients: Coefficients) -> float:
    fit = coefficients.language
    overhead_ratio = 1.0
    if model.routes_experts:
        overhead_ratio *= fit.x_moe_ratio
        if model.bytes_per_weight == FP8_BYTES_PER_WEIGHT:
            overhead_ratio *= fit.x_fp8moe_ratio
    if model.architecture == "hybrid":
        overhead_ratio *= fit.x_hybrid_ratio
    return overhead_ratio

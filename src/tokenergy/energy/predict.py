"""The energy curve of a language model, from the facts of the catalogue alone."""

import math
from dataclasses import replace

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.coefficients import Coefficients, MediaCoefficients
from tokenergy.company.model import LanguageModel
from tokenergy.energy.curve import EnergyCurve
from tokenergy.energy.terms import CurveTerm, curve_of
from tokenergy.errors import InputError

REFERENCE_ACCELERATOR = "H100"
"""Whose fit is carried over, by data-sheet ratios, to an accelerator without one."""

UNFITTED_POWER_SHARE = 0.80
"""Board power over TDP under a language load where nothing was measured."""

BF16_BYTES_PER_WEIGHT = 2.0

BANDS = {"dense": (0.72, 1.30), "moe": (0.69, 1.96), "hybrid": (0.72, 1.30)}
"""5th and 95th percentile of measured over predicted, by kind (`benchmarks/bench_energy.py`).

The measured hybrids are near twins, which would make it .77 to 1.25: they get the dense band.
"""

CHAT_INPUT_RATIO = 250.0 / 641.0
"""Input tokens per output token of the chat in the data (its input lengths are guesses)."""


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
    input_ratio: float = CHAT_INPUT_RATIO,
) -> EnergyCurve:
    """Return the curve of a model on a replica of n GPUs.

        b(B) = n (plain layers + routing layers x_moe x_fp8moe) c_layer (1 + c_comm log2 n)
               + c_w W_shared + c_e W_experts(B)
        a = c_f TFLOP x_flop_moe + c_kv (copies KV + 2 state) + e_in input_ratio

    with weights, cache and recurrent state in GB, and e_in of `prefill_j_per_token`: so

        J(request) = e(B) out + e_in (uncached_in - input_ratio out)

    is the same for every `input_ratio`, and never below its prefill. `x_fp8moe` is for experts in
    FP8 with a scale a block, or in FP8 of a kind that nobody told. Own form, fitted to the
    ML.ENERGY benchmark v3; `benchmarks/energy_form.py` has its reasons and the forms tried.

    Args:
        context_tokens_count: mean context while decoding, input + output/2, tokens.
        fp8_arithmetic: whether the accelerator computes in FP8; without it FP8 weights
            save reading but no arithmetic.
        input_ratio: uncached input tokens per output token whose prefill e(B) holds.

    Raises:
        InputError: if there is no GPU, or context or ratio are negative or not numbers.
    """
    return curve_of(
        language_terms(
            model,
            coefficients,
            gpus_count=gpus_count,
            context_tokens_count=context_tokens_count,
            fp8_arithmetic=fp8_arithmetic,
            input_ratio=input_ratio,
        ),
        routed_share=routed_share(model),
    )


def routed_share(model: LanguageModel) -> float:
    """Return which share of the experts one token touches: 0 for a dense model."""
    return model.topk / model.experts if model.routes_experts else 0.0


def language_terms(
    model: LanguageModel,
    coefficients: Coefficients,
    *,
    gpus_count: int,
    context_tokens_count: float,
    fp8_arithmetic: bool = True,
    input_ratio: float = CHAT_INPUT_RATIO,
) -> tuple[CurveTerm, ...]:
    """Return the terms of `language_curve`, which is their sum.

    They are terms of a fit, some of them collinear: none is a measured cause.

    Raises:
        InputError: if there is no GPU, or context or ratio are negative or not numbers.
    """
    if gpus_count < 1:
        raise InputError(f"a replica of {gpus_count} GPUs; it needs at least 1")
    if not (context_tokens_count >= 0 and math.isfinite(context_tokens_count)):
        raise InputError(f"a context of {context_tokens_count} tokens; it cannot be negative")
    if not (input_ratio >= 0 and math.isfinite(input_ratio)):
        raise InputError(f"{input_ratio} input tokens per output token; it cannot be negative")
    return (
        *_step_terms(model, coefficients, gpus_count=gpus_count),
        *_token_terms(
            model,
            coefficients,
            gpus_count=gpus_count,
            context_tokens_count=context_tokens_count,
            fp8_arithmetic=fp8_arithmetic,
        ),
        CurveTerm(
            name="prefill of the mix",
            how=f"{input_ratio:.3g} input tokens for one of output",
            token_j=prefill_j_per_token(model, coefficients) * input_ratio,
        ),
    )


def _step_terms(
    model: LanguageModel, coefficients: Coefficients, *, gpus_count: int
) -> tuple[CurveTerm, ...]:
    """Return what a step costs, whoever is in it."""
    fit = coefficients.language
    layers_count = _weighed_layers(model, coefficients)
    layers_j = gpus_count * layers_count * fit.c_layer_j
    comm_ratio = fit.c_comm_ratio * math.log2(gpus_count)
    shared_gb = model.shared_read_b * model.bytes_per_weight
    all_gb = expert_read_gb(model, batch_count=math.inf)
    return (
        CurveTerm(
            name="per-layer overhead",
            how=f"{model.layers} layers, weighed {layers_count:.4g}, on {gpus_count} GPUs, a step",
            shared_step_j=layers_j,
        ),
        CurveTerm(
            name="communication",
            how=f"{comm_ratio:.1%} of the overhead, for {gpus_count} GPUs, a step",
            shared_step_j=layers_j * comm_ratio,
        ),
        CurveTerm(
            name="shared weights",
            how=f"{shared_gb:.4g} GB read a step",
            shared_step_j=fit.c_w_j_per_gb * shared_gb,
        ),
        CurveTerm(
            name="experts",
            how=f"of {all_gb:.4g} GB, those that the batch touches, a step"
            if model.routes_experts
            else "none",
            experts_step_j=fit.c_e_j_per_gb * all_gb,
        ),
    )


def _token_terms(
    model: LanguageModel,
    coefficients: Coefficients,
    *,
    gpus_count: int,
    context_tokens_count: float,
    fp8_arithmetic: bool,
) -> tuple[CurveTerm, ...]:
    """Return what each token pays for itself while it is decoded."""
    fit = coefficients.language
    flop_tflop = token_tflop(model, fp8_arithmetic=fp8_arithmetic)
    copies_ratio = kv_copies_ratio(model, gpus_count=gpus_count)
    kv_gb = model.kv_gb(context_tokens_count) * copies_ratio
    state_gb = 2.0 * model.state_gb
    copies = f", {copies_ratio:.3g} copies" if copies_ratio > 1.0 else ""
    return (
        CurveTerm(
            name="arithmetic",
            how=f"{flop_tflop * 1000.0:.4g} GFLOP a token",
            token_j=fit.c_f_j_per_tflop * flop_tflop * _flop_ratio(model, coefficients),
        ),
        CurveTerm(
            name="KV cache",
            how=f"{kv_gb:.4g} GB read a token, context {context_tokens_count:,.0f}{copies}",
            token_j=fit.c_kv_j_per_gb * kv_gb,
        ),
        CurveTerm(
            name="recurrent state",
            how=f"{state_gb:.4g} GB read and written a token" if state_gb else "none",
            token_j=fit.c_kv_j_per_gb * state_gb,
        ),
    )


def token_tflop(model: LanguageModel, *, fp8_arithmetic: bool = True) -> float:
    """Return the arithmetic of one output token in TFLOP.

    Halved in FP8 only (not MXFP4), and by as much less as weights are left in BF16.
    """
    flop_tflop = 2.0 * model.read_b / 1000.0
    if model.computes_in_fp8 and fp8_arithmetic:
        return flop_tflop * model.bytes_per_weight / BF16_BYTES_PER_WEIGHT
    return flop_tflop


def kv_copies_ratio(model: LanguageModel, *, gpus_count: int) -> float:
    """Return how often a replica keeps, and reads, the cache: once for each GPU beyond its heads.

    Tensor parallelism shares the cache out by heads: what has fewer heads than GPUs is kept more
    than once, and a latent cache (MLA, one head) by every GPU. 1 where the heads are not known.
    """
    return max(1.0, gpus_count / model.kv_heads) if model.kv_heads else 1.0


def expert_read_gb(model: LanguageModel, *, batch_count: float) -> float:
    """Return W_ex(B): the expert weights that B tokens of one step touch on average, GB."""
    if not model.routes_experts:
        return 0.0
    untouched_share = math.pow(1.0 - model.topk / model.experts, batch_count)
    return model.experts * model.expert_b * (1.0 - untouched_share) * model.bytes_per_weight


def prefill_j_per_token(model: LanguageModel, coefficients: Coefficients) -> float:
    """Return e_in: joules of one uncached input token, J.

    Compute-bound, with the coefficient of the diffusion fit, and for experts the ratio of
    decoding. Not validated against any measurement of prefill: left free in fits of decoding the
    coefficient came out from .74 to 1.08 J/TFLOP on H100 (1.0 here), .50 to 1.32 on B200 (.92).
    """
    flop_tflop = token_tflop(model, fp8_arithmetic=False)
    return flop_tflop * coefficients.c_pre_j_per_tflop * _flop_ratio(model, coefficients)


def language_band(model: LanguageModel, *, fitted: bool) -> tuple[float, float]:
    """Return the 5th and 95th percentile of measured over predicted.

    Of the ML.ENERGY benchmark v3 by kind of model, one family of models held out at a time: they
    hold 88 % of its rows, but under half of Qwen3-Coder-480B, which ran data-parallel. A model
    without measured relatives is wider by 1.3, an accelerator without a fit at least half to
    double: both are guesses, and said to be.
    """
    kind = "hybrid" if model.architecture == "hybrid" else "dense"
    if model.routes_experts:
        kind = "moe"
    low_share, high_share = BANDS[kind]
    if not model.family_measured:
        low_share, high_share = low_share / 1.3, high_share * 1.3
    if not fitted:
        low_share, high_share = min(low_share, 0.5), max(high_share, 2.0)
    return low_share, high_share


def _weighed_layers(model: LanguageModel, coefficients: Coefficients) -> float:
    """Return how many plain layers its layers cost as much as."""
    if not model.routes_experts:
        return float(model.layers)
    fit = coefficients.language
    routing_count = model.moe_layers or model.layers
    routing_ratio = fit.x_moe_ratio
    if model.computes_in_fp8 and model.weight_format != "fp8":
        routing_ratio *= fit.x_fp8moe_ratio
    return model.layers - routing_count + routing_count * routing_ratio


def _flop_ratio(model: LanguageModel, coefficients: Coefficients) -> float:
    return coefficients.language.x_flop_moe_ratio if model.routes_experts else 1.0

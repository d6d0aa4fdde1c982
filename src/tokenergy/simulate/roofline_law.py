"""The roofline law: the time of an iteration from a data sheet, where nothing was measured."""

import math
from dataclasses import dataclass
from typing import Final

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.finding import Finding
from tokenergy.company.model import LanguageModel
from tokenergy.simulate.constant_law import unused_law
from tokenergy.simulate.law import ROOFLINE, KeyedLaw, LawKey, TimeLaw
from tokenergy.simulate.law_tables import refuse, size_findings
from tokenergy.units import BYTES_PER_GB

FLOP_PER_TFLOP: Final = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class RooflineFit:
    """What share of a data sheet's rates an engine reaches, and what each layer costs on top."""

    arithmetic_share: float
    """eta_f: of the dense BF16 (or FP8) rate."""
    bandwidth_share: float
    """eta_m: of the memory bandwidth."""
    layer_s: float
    """Small operators and launches, each layer of each iteration: t_host of the sheet by layer."""
    source: str
    link_layer_s: float = 0.0
    """What GPUs tell each other, each layer, times log2 of their number."""
    sequence_s: float = 0.0
    """Sampling and the host, for each decode of an iteration."""


FITTED: Final = RooflineFit(
    arithmetic_share=0.891,
    bandwidth_share=0.969,
    layer_s=88.3e-6,
    source="three shares fitted by Tokenergy on operator profiles of Llama-3.1-8B, BF16, vLLM "
    "0.19.0, on an RTX 4090 and an RTX PRO 6000 (casys-kaist/LLMServingSim at 5daddb2)",
)
"""Least squares of the logarithm of the time of 447 batches that the joint law gives on the two
cards, decodes alone, prefills alone and both weighing the same; data sheets recalled (165 TFLOP/s
and 1,008 GB/s; 504 and 1,597). Mean error in sample 13 % (decodes alone 11 %, 8 and 10 % too slow;
mixed batches of the PRO 6000 19 % too fast). One model of one size on two cards without NVLink:
for any other this is an extrapolation that nothing has measured, hence `tier="modelled"`."""


def roofline_law(
    model: LanguageModel,
    accelerator: Accelerator,
    *,
    gpus_count: int,
    bucket_tokens: int = 64,
    fit: RooflineFit = FITTED,
) -> TimeLaw:
    """Return a law from the facts of the catalogue.

    max( 2 P_active n / (FLOP/s eta_f), weights read(n) / (bandwidth eta_m) )
    + cache read / (bandwidth eta_m) + 4 hidden layers (attended pairs) / (FLOP/s eta_f)
    + layers (t_layer + t_link log2 GPUs) + d t_sequence, n the tokens of the batch and d its
    decodes. Weights read grow with n by the experts that n tokens touch, E (1 - (1 - k/E)^n) of
    them (energy sheet, section 2). The rates are those of all GPUs together. The cache stands
    beside the maximum and not in it: attention runs in kernels of its own (in it, the same fit
    is 18 % off on average instead of 15, every batch weighing the same).

    Not in it: experts or layers split unevenly, and heads whose sizes do not add up to `hidden`
    (the catalogue does not hold them). For a hybrid model the attention of prompts is an upper
    bound: every layer is taken to attend.

    Raises:
        FindingsError: if a count is not positive, or the fit is not within (0, 1].
    """
    refuse(
        (
            *size_findings(gpus_count=gpus_count, bucket_tokens=bucket_tokens),
            *fit_findings(fit),
        )
    )
    rate_tflop_per_s = accelerator.bf16_tflop_per_s
    if model.computes_in_fp8 and accelerator.fp8_tflop_per_s:
        rate_tflop_per_s = accelerator.fp8_tflop_per_s
    tflop_per_s = gpus_count * fit.arithmetic_share * rate_tflop_per_s
    # Attention works on BF16 values whatever the weights are.
    attention_tflop_per_s = gpus_count * fit.arithmetic_share * accelerator.bf16_tflop_per_s
    gb_per_s = gpus_count * fit.bandwidth_share * accelerator.bandwidth_gb_per_s
    cache_bytes = model.kv_full_bytes_per_token + model.kv_slide_bytes_per_token
    window_share = model.kv_slide_bytes_per_token / cache_bytes if cache_bytes else 0.0
    pair_s = 4.0 * model.hidden * model.layers / FLOP_PER_TFLOP / attention_tflop_per_s
    return unused_law(bucket_tokens)._replace(
        kind=ROOFLINE,
        fixed_s=model.layers * (fit.layer_s + fit.link_layer_s * math.log2(gpus_count)),
        sequence_s=float(fit.sequence_s),
        # 10^9 parameters, two operations each: 2e-3 TFLOP
        token_s=2e-3 * model.active_b / tflop_per_s,
        weights_s=model.shared_b * model.bytes_per_weight / gb_per_s,
        experts_s=model.experts * model.expert_b * model.bytes_per_weight / gb_per_s,
        missed_share=1.0 - model.topk / model.experts if model.routes_experts else 0.0,
        cache_s=model.kv_full_bytes_per_token / BYTES_PER_GB / gb_per_s,
        window_cache_s=model.kv_slide_bytes_per_token / BYTES_PER_GB / gb_per_s,
        window_tokens=int(model.window_tokens),
        pair_s=(1.0 - window_share) * pair_s,
        window_pair_s=window_share * pair_s,
    )


def modelled_law(
    model: LanguageModel,
    accelerator: Accelerator,
    *,
    gpus_count: int,
    precision: str,
    engine: str,
    version: str,
    bucket_tokens: int = 64,
    fit: RooflineFit = FITTED,
) -> KeyedLaw:
    """Return the roofline law for one deployment, labelled as what it is: modelled.

    Raises:
        FindingsError: as `roofline_law`.
    """
    return KeyedLaw(
        key=LawKey(
            model=model.model_id,
            accelerator=accelerator.accelerator,
            gpus_count=gpus_count,
            precision=precision,
            engine=engine,
            version=version,
        ),
        law=roofline_law(
            model, accelerator, gpus_count=gpus_count, bucket_tokens=bucket_tokens, fit=fit
        ),
        tier="modelled",
        source=fit.source,
    )


def fit_findings(fit: RooflineFit) -> tuple[Finding, ...]:
    """Find the shares outside (0, 1] and a time of a layer below 0."""
    shares = {
        "arithmetic_share": fit.arithmetic_share,
        "bandwidth_share": fit.bandwidth_share,
    }
    findings = tuple(
        Finding(
            code="ROOFLINE_SHARE",
            path=name,
            value=f"{share:g}",
            limit="above 0, at most 1",
            reason="an engine reaches a share of the data sheet's rate",
            remedy="State the share that was measured.",
        )
        for name, share in shares.items()
        if not 0.0 < share <= 1.0
    )
    if math.isfinite(fit.layer_s) and fit.layer_s >= 0.0:
        return findings
    return (
        *findings,
        Finding(
            code="ROOFLINE_LAYER",
            path="layer_s",
            value=f"{fit.layer_s:g}",
            limit="0",
            unit="s",
            reason="a layer cannot take less than nothing",
            remedy="State the time that each layer takes on top of its work.",
        ),
    )

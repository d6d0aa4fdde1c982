"""The operating point of a replica that somebody measured, in the place of the catalogue's."""

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.measured import MeasuredReplica
from tokenergy.energy.operating_point import (
    HOST_W_PER_GPU,
    OperatingPoint,
    start_h,
)
from tokenergy.energy.predict import coefficients_for, prefill_j_per_token
from tokenergy.units import J_PER_MWH, S_PER_H, TOKENS_PER_MTOK, W_PER_MW

MEASURED_LOW_SHARE = 0.95
MEASURED_HIGH_SHARE = 1.05
"""Of a counter against a wall meter: a guess (energy sheet, section 8)."""

TWO_POINTS_LOW_SHARE = 0.84
TWO_POINTS_HIGH_SHARE = 1.34
"""Of a line through two measurements, wherever between them the load lies: it is calibrated, and
only what a meter counts is measured (energy sheet, section 8)."""


def measured_operating_point(
    catalogue: Catalogue,
    measured: MeasuredReplica,
    *,
    model: str,
    accelerator: str,
    gpus_count: int,
    bytes_per_weight: float | None = None,
    host_w_per_gpu: float = HOST_W_PER_GPU,
    batch_count: float = 1.0,
) -> OperatingPoint:
    """Return the point of a language model whose replica was measured.

    The line through both measurements: `base_w` without tokens, `full_w` at the stated rate. By
    hand: 480 W at 100 tokens/s and 360 W without are 1.2 J a token more.

    `batch_count` sequences at once share the measured rate.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
    """
    facts = catalogue.language_model(model)
    if bytes_per_weight is not None:
        facts = facts.at_precision(bytes_per_weight)
    sku = catalogue.accelerator(accelerator)
    marginal_j = (measured.full_w - measured.base_w) / measured.output_tokens_per_s
    average_j = measured.full_w / measured.output_tokens_per_s
    base_mw = (measured.base_w + host_w_per_gpu * gpus_count) / W_PER_MW
    wake_h = start_h(facts.weights_gb / gpus_count)
    return OperatingPoint(
        model=facts.model_id,
        accelerator=sku.accelerator,
        gpus_count=gpus_count,
        batch_count=batch_count,
        tokens_per_item_count=None,
        rate_mtok_per_h=measured.output_tokens_per_s * S_PER_H / TOKENS_PER_MTOK,
        base_mw=base_mw,
        marginal_mwh_per_mtok=marginal_j * TOKENS_PER_MTOK / J_PER_MWH,
        sleep_mw_per_gpu=sku.idle_w / W_PER_MW,
        tpot_s=batch_count / measured.output_tokens_per_s,
        unloaded_ttft_s=measured.ttft_s,
        wake_h=wake_h,
        wake_mwh=base_mw * wake_h,
        input_output_cost_ratio_share=prefill_j_per_token(
            facts, coefficients_for(catalogue, sku.accelerator)
        )
        / average_j,
        bound="batch",
        energy_tier="calibrated",
        low_share=TWO_POINTS_LOW_SHARE,
        high_share=TWO_POINTS_HIGH_SHARE,
        warnings=(f"measured by the company: {measured.note}",),
    )

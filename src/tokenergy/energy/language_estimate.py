"""Estimate a request to a language model: its four numbers, its band, and the rows behind them."""

import math
from dataclasses import replace
from typing import Final

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.coefficients import Coefficients
from tokenergy.company.model import LanguageModel
from tokenergy.energy.calibrated_curve import CalibratedCurve, calibrated_curve, stacked_band
from tokenergy.energy.doubts import Doubts, language_doubts
from tokenergy.energy.estimate import EnergyEstimate
from tokenergy.energy.explain import ExplainRow, Prefill, facility_rows, language_rows, prefill
from tokenergy.energy.facility import FacilityParts, facility_parts
from tokenergy.energy.operating_point import sequences_in_memory
from tokenergy.energy.predict import (
    coefficients_for,
    language_band,
    language_terms,
    routed_share,
)
from tokenergy.energy.query import MIX_RATIO, EnergyQuery

REFERENCE_STACK: Final = "vllm 0.11.1"
"""Under which the coefficients were fitted: what a query that names no stack is answered for."""

PREFILL_WIDER_RATIO: Final = 1.3
"""How much wider a band is where most joules are prefill, which nobody measured: a guess."""


def language_estimate(
    catalogue: Catalogue, query: EnergyQuery
) -> tuple[EnergyEstimate, tuple[ExplainRow, ...]]:
    """Return what a request costs, and the rows that add up to it.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
        DoesNotFit: if weights and one sequence exceed the memory of the replica.
    """
    model, accelerator = named(catalogue, query)
    fit = coefficients_for(catalogue, accelerator.accelerator)
    fitting_count = sequences_in_memory(
        model,
        accelerator,
        gpus_count=query.gpus_count,
        tokens_count=query.all_input_tokens + query.output_tokens,
    )
    joules = joules_of(catalogue, query, model, accelerator)
    stack = query.stack or (joules.points[0].stack if joules.points else "") or REFERENCE_STACK
    own, mix = _prefills(query, model, fit)
    boards = _boards(query, model, accelerator, fit, joules, stack=stack, own=own, mix=mix)
    gpu_j = math.fsum(row.energy_j for row in boards)
    known = catalogue.stack(stack, accelerator=accelerator.accelerator)
    doubts = Doubts(
        fitted=fit.fitted,
        stack_known=known is not None or stack == REFERENCE_STACK,
        prefill_share=joules.factor_ratio(query.batch_count) * own.total_j / gpu_j,
        clipped=any(row.name == "clip" and row.energy_j > 0.0 for row in boards),
        fitting_count=fitting_count,
    )
    usual_w = fit.power_share * query.gpus_count * accelerator.tdp_w
    parts = facility_parts(
        gpu_j,
        query.facility,
        boundary=query.boundary,
        board_w=joules.board_w(query.batch_count, usual_w=usual_w),
    )
    low_share, high_share = _band(catalogue, query, joules, fit, doubts, model=model, stack=stack)
    estimate = _estimate(query, parts, joules, model, accelerator, fit)
    estimate = replace(
        estimate,
        low_j=low_share * parts.total_j,
        high_j=high_share * parts.total_j,
        stack=stack,
        stack_known=doubts.stack_known,
        assumed=_assumed(query, joules, stack),
    )
    doubted = (*language_doubts(query, estimate, model, accelerator, doubts),)
    if joules.points:
        estimate = replace(estimate, notes=joules.notes)
    else:  # then they say why no point is used
        doubted += joules.notes
    return estimate.doubted(doubted), (*boards, *facility_rows(parts))


def named(catalogue: Catalogue, query: EnergyQuery) -> tuple[LanguageModel, Accelerator]:
    """Return the model, at the precision that is asked for, and the accelerator of a query.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
    """
    model = catalogue.language_model(query.model)
    if query.bytes_per_weight is not None:
        model = model.at_precision(query.bytes_per_weight)
    return model, catalogue.accelerator(query.accelerator)


def joules_of(
    catalogue: Catalogue, query: EnergyQuery, model: LanguageModel, accelerator: Accelerator
) -> CalibratedCurve:
    """Return the curve of a query's replica, at its context, with the points that it has."""
    return calibrated_curve(
        catalogue,
        model,
        accelerator,
        gpus_count=query.gpus_count,
        input_tokens_count=query.context_tokens,  # of the two, only the context is asked for
        output_tokens_count=0.0,
        stack=query.stack or "",
    )


def _prefills(
    query: EnergyQuery, model: LanguageModel, fit: Coefficients
) -> tuple[Prefill, Prefill]:
    """Return the prefill of the request, and that of the mix in the data."""
    return (
        prefill(
            model,
            fit,
            input_tokens_count=query.all_input_tokens,
            cached_tokens_count=query.cached_input_tokens,
        ),
        prefill(model, fit, input_tokens_count=MIX_RATIO * query.output_tokens),
    )


def _boards(
    query: EnergyQuery,
    model: LanguageModel,
    accelerator: Accelerator,
    fit: Coefficients,
    joules: CalibratedCurve,
    *,
    stack: str,
    own: Prefill,
    mix: Prefill,
) -> tuple[ExplainRow, ...]:
    terms = language_terms(
        model,
        fit,
        gpus_count=query.gpus_count,
        context_tokens_count=query.context_tokens,
        fp8_arithmetic=accelerator.fp8_tflop_per_s is not None,
    )
    return tuple(
        language_rows(
            query,
            terms,
            routed_share=routed_share(model),
            stack_ratio=joules.stack_ratio,
            stack=stack,
            calibration_ratio=joules.factor_ratio(query.batch_count) / joules.stack_ratio,
            points_count=_points_count(joules),
            own=own,
            mix=mix,
        )
    )


def _points_count(joules: CalibratedCurve) -> int:
    return 0 if joules.joules is None else joules.joules.points_count


def _band(
    catalogue: Catalogue,
    query: EnergyQuery,
    joules: CalibratedCurve,
    fit: Coefficients,
    doubts: Doubts,
    *,
    model: LanguageModel,
    stack: str,
) -> tuple[float, float]:
    """Return measured over predicted, 5th and 95th percentile."""
    modelled = stacked_band(
        language_band(model, fitted=fit.fitted),
        catalogue,
        stack if query.stack is not None or joules.points else "",
        accelerator=fit.accelerator,
    )
    low_share, high_share = joules.band(modelled, batch_count=query.batch_count)
    if doubts.mostly_prefill:
        return low_share / PREFILL_WIDER_RATIO, high_share * PREFILL_WIDER_RATIO
    return low_share, high_share


def _estimate(
    query: EnergyQuery,
    parts: FacilityParts,
    joules: CalibratedCurve,
    model: LanguageModel,
    accelerator: Accelerator,
    fit: Coefficients,
) -> EnergyEstimate:
    return EnergyEstimate(
        model=model.model_id,
        accelerator=accelerator.accelerator,
        gpus_count=query.gpus_count,
        batch_count=query.batch_count,
        unit="token",
        units_count=float(query.output_tokens),
        gpu_j=parts.gpu_j,
        host_j=parts.host_j,
        idle_j=parts.idle_j,
        overhead_j=parts.overhead_j,
        low_j=parts.total_j,
        high_j=parts.total_j,
        tier="modelled" if joules.joules is None else "calibrated",
        boundary=query.boundary,
        data_version=fit.data_version,
        stack="",
        input_tokens_count=query.all_input_tokens,
        cached_input_tokens_count=float(query.cached_input_tokens),
        calibration_points_count=_points_count(joules),
    )


def _assumed(query: EnergyQuery, joules: CalibratedCurve, stack: str) -> tuple[str, ...]:
    """Return what the query left out, with what stands in."""
    said = []
    if query.input_tokens is None:
        said.append(
            f"input {query.all_input_tokens:,.0f} tokens, the chat mix of the data "
            f"({MIX_RATIO:.2f} a token of output)"
        )
    if query.stack is None:
        why = "of the measured points" if joules.points and joules.points[0].stack else "reference"
        said.append(f"stack {stack} ({why})")
    return (*said, *query.facility.assumed(query.boundary))

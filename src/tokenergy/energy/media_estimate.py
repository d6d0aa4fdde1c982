"""Estimate some images or clips: their four numbers, their band, and the rows behind them."""

import math
from dataclasses import replace
from typing import Final

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.model import MediaModel
from tokenergy.energy.calibrated_curve import stack_ratio, stacked_band
from tokenergy.energy.doubts import Doubts, media_doubts
from tokenergy.energy.estimate import EnergyEstimate
from tokenergy.energy.explain import ExplainRow, facility_rows, media_rows
from tokenergy.energy.facility import FacilityParts, facility_parts
from tokenergy.energy.media import MediaWork, media_band, media_work
from tokenergy.energy.operating_point import refuse_media_too_large
from tokenergy.energy.predict import coefficients_for
from tokenergy.energy.query import MediaQuery
from tokenergy.errors import InputError

MEDIA_REFERENCE_STACK: Final = "xdit 0.4.5"
"""Under which the media coefficients were fitted."""


def media_estimate(
    catalogue: Catalogue, query: MediaQuery
) -> tuple[EnergyEstimate, tuple[ExplainRow, ...]]:
    """Return what some images or clips cost, and the rows that add up to it.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
        DoesNotFit: if the diffusion transformer exceeds one GPU.
        InputError: if a length in seconds is asked of an image.
    """
    model = catalogue.media_model(query.model)
    accelerator = catalogue.accelerator(query.accelerator)
    refuse_media_too_large(model, accelerator)
    fit = coefficients_for(catalogue, accelerator.accelerator)
    shape = shape_of(model, query)
    stack = query.stack or MEDIA_REFERENCE_STACK
    known = catalogue.stack(stack, accelerator=accelerator.accelerator)
    doubts = Doubts(
        fitted=fit.fitted,
        stack_known=known is not None or stack == MEDIA_REFERENCE_STACK,
    )
    boards = tuple(
        media_rows(
            _work(model, query, shape),
            fit.media(gpus_count=query.gpus_count),
            items_count=query.items_count,
            stack_ratio=stack_ratio(catalogue, stack, accelerator=accelerator.accelerator),
            stack=stack,
        )
    )
    low_share, high_share = stacked_band(
        media_band(model, fitted=fit.fitted),
        catalogue,
        query.stack or "",
        accelerator=accelerator.accelerator,
    )
    parts = facility_parts(
        math.fsum(row.energy_j for row in boards),
        query.facility,
        boundary=query.boundary,
        board_w=fit.power_share_of(model.kind) * query.gpus_count * accelerator.tdp_w,
    )
    played_count = 1.0 if model.fps is None else shape[0] / model.fps
    plain = replace(
        _of_parts(query, parts, model=model, units_count=query.items_count * played_count),
        accelerator=accelerator.accelerator,
        low_j=low_share * parts.total_j,
        high_j=high_share * parts.total_j,
        data_version=fit.media_data_version or fit.data_version,
        stack=stack,
        stack_known=doubts.stack_known,
        assumed=(
            *(() if query.stack else (f"stack {stack} (reference)",)),
            *query.facility.assumed(query.boundary),
        ),
    )
    said = media_doubts(query, plain, model, accelerator, doubts, shape=shape)
    return plain.doubted(said), (*boards, *facility_rows(parts))


def shape_of(model: MediaModel, query: MediaQuery) -> tuple[int, int, int]:
    """Return frames, height and width of an item: asked for, or those that were measured.

    Raises:
        InputError: if a length in seconds is asked of an image.
    """
    frames = query.frames or model.frames
    if query.duration_s is not None:
        if model.fps is None:
            raise InputError(f"model {model.model_id!r} makes images, not seconds of video")
        frames = max(1, round(model.fps * query.duration_s))
    return frames, query.height or model.height, query.width or model.width


def _work(model: MediaModel, query: MediaQuery, shape: tuple[int, int, int]) -> MediaWork:
    frames, height, width = shape
    return media_work(
        model,
        gpus_count=query.gpus_count,
        height=height,
        width=width,
        frames=frames,
        steps=query.steps or model.steps,
        items_per_batch=query.items_per_batch,
    )


def _of_parts(
    query: MediaQuery, parts: FacilityParts, *, model: MediaModel, units_count: float
) -> EnergyEstimate:
    """Return an estimate of these joules, without its band and provenance."""
    return EnergyEstimate(
        model=model.model_id,
        accelerator=query.accelerator,
        gpus_count=query.gpus_count,
        batch_count=float(query.items_per_batch),
        unit=model.kind,
        units_count=units_count,
        gpu_j=parts.gpu_j,
        host_j=parts.host_j,
        idle_j=parts.idle_j,
        overhead_j=parts.overhead_j,
        low_j=parts.total_j,
        high_j=parts.total_j,
        tier="modelled",
        boundary=query.boundary,
        data_version="",
        stack="",
    )

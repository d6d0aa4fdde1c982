"""What one replica of a model does on a fleet: measured, else simulated, else as predicted."""

from dataclasses import replace

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.fleet import Fleet, Model
from tokenergy.company.inputs import Lengths
from tokenergy.company.measured import MeasuredReplica
from tokenergy.company.operating_row import Misfit, OperatingRow
from tokenergy.company.site import Site
from tokenergy.company.tier import Tier
from tokenergy.energy.measured_point import measured_operating_point
from tokenergy.energy.operating_point import (
    OperatingPoint,
    language_operating_point,
    media_operating_point,
)
from tokenergy.energy.row_point import row_operating_point
from tokenergy.errors import SloUnreachable


def operating_point(
    catalogue: Catalogue,
    *,
    tier: Tier,
    model: Model,
    fleet: Fleet,
    site: Site,
    lengths: Lengths | None,
    row: OperatingRow | Misfit | None = None,
) -> OperatingPoint:
    """Return the operating point of one replica; `lengths` is None for a media model.

    A replica that the company measured wins; then the row of the table of operating points;
    else it is computed from the catalogue, and where a table is named the point says why.

    Args:
        row: the row for exactly this pair, or why none stands; None: no table is named.

    Raises:
        DoesNotFit: if the model is too large for the replica's GPUs.
        SloUnreachable: if one sequence alone misses the tier's limit.
    """
    if lengths is None:
        return _media_point(catalogue, model, fleet, site)
    own = next((each for each in model.measured if each.fleet == fleet.name), None)
    if own is not None:
        return measured_operating_point(
            catalogue,
            own,
            model=model.catalogue,
            accelerator=fleet.accelerator,
            gpus_count=model.gpus_per_replica,
            bytes_per_weight=model.bytes_per_weight,
            host_w_per_gpu=site.host_w_per_gpu,
            batch_count=_measured_batch_count(own, tier, model),
        )
    if isinstance(row, OperatingRow):
        return _row_point(catalogue, row)
    point = language_operating_point(
        catalogue,
        model=model.catalogue,
        accelerator=fleet.accelerator,
        gpus_count=model.gpus_per_replica,
        bytes_per_weight=model.bytes_per_weight,
        tpot_limit_s=tier.tpot_limit_s,
        input_tokens_count=lengths.input_tokens,
        output_tokens_count=lengths.output_tokens,
        host_w_per_gpu=site.host_w_per_gpu,
        batch_limit_count=model.batch_limit,
        stack=model.stack or "",
    )
    if row is None:
        return point
    return replace(point, warnings=(*point.warnings, f"{row}; computed from the catalogue instead"))


def _row_point(catalogue: Catalogue, row: OperatingRow) -> OperatingPoint:
    if not row.reachable:
        terms = row.terms
        why = "; ".join(row.notes) or f"one request alone misses its {row.bound} limit"
        raise SloUnreachable(f"model {terms.model!r} on {terms.fleet!r}, simulated: {why}")
    return row_operating_point(catalogue, row)


def _media_point(catalogue: Catalogue, model: Model, fleet: Fleet, site: Site) -> OperatingPoint:
    assert model.shape is not None  # the noun sees to it
    return media_operating_point(
        catalogue,
        model=model.catalogue,
        accelerator=fleet.accelerator,
        gpus_count=model.gpus_per_replica,
        height=model.shape.height,
        width=model.shape.width,
        frames=model.shape.frames,
        steps=model.shape.steps,
        host_w_per_gpu=site.host_w_per_gpu,
    )


def _measured_batch_count(measured: MeasuredReplica, tier: Tier, model: Model) -> float:
    """Return the most sequences at once at which the measured rate keeps the tier's pace."""
    paced_count = measured.output_tokens_per_s * tier.tpot_limit_s
    return max(1.0, min(float(model.batch_limit), paced_count))

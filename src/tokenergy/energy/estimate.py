"""Joules that the energy model expects, in four parts, with how far to trust them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tokenergy.company.energy_words import Boundary, EnergyTier, worst_tier
from tokenergy.company.model import WorkUnit
from tokenergy.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyEstimate:
    """What one request, or some items, cost in joules at a boundary.

    Attributes:
        model, accelerator, gpus_count: whose.
        batch_count: sequences of a step, or items made together.
        unit: output tokens, images or seconds of video.
        units_count: how many of them.
        gpu_j: boards at work.
        host_j: processors, memory, fans.
        idle_j: boards that were awake and had nothing to do.
        overhead_j: cooling and losses.
        low_j, high_j: the band of the sum: 5th and 95th percentile.
        tier: how it is known.
        boundary: what is in it; a part outside is 0.
        data_version: the measurements behind the coefficients.
        stack: the serving stack that it holds for.
        stack_known: whether the catalogue knows that stack.
        input_tokens_count, cached_input_tokens_count: of a request; None for media.
        calibration_points_count: measured points of this configuration behind it.
        assumed: what the query left out, with what stands in.
        notes: what stands behind it beside the catalogue: measured points.
        warnings: what makes it less sure than its band says.
    """

    model: str
    accelerator: str
    gpus_count: int
    batch_count: float
    unit: WorkUnit
    units_count: float
    gpu_j: float
    host_j: float
    idle_j: float
    overhead_j: float
    low_j: float
    high_j: float
    tier: EnergyTier
    boundary: Boundary
    data_version: str
    stack: str
    stack_known: bool = True
    input_tokens_count: float | None = None
    cached_input_tokens_count: float | None = None
    calibration_points_count: int = 0
    assumed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def total_j(self) -> float:
        """Return the sum of the four parts."""
        return self.gpu_j + self.host_j + self.idle_j + self.overhead_j

    @property
    def unit_j(self) -> float:
        """Return joules of one unit of work: an output token, an image, a second of video."""
        return self.total_j / self.units_count

    def doubted(self, warnings: Iterable[str]) -> "EnergyEstimate":
        """Return the estimate with these warnings."""
        return replace(self, warnings=tuple(warnings))

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as a JSON-ready mapping."""
        return asdict(self) | {
            "total_j": self.total_j,
            f"j_per_{_PER[self.unit]}": self.unit_j,
            "gpu_j_per_" + _PER[self.unit]: self.gpu_j / self.units_count,
            "assumed": list(self.assumed),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


_PER = {"token": "token", "image": "image", "video_second": "video_s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateSum:
    """Estimates added up.

    Errors within a model are taken as fully correlated, so its bands add; across models as
    independent, so their half-widths add in squares.
    """

    gpu_j: float
    host_j: float
    idle_j: float
    overhead_j: float
    low_j: float
    high_j: float
    tier: EnergyTier
    boundary: Boundary
    estimates_count: int
    warnings: tuple[str, ...]

    @property
    def total_j(self) -> float:
        """Return the sum of the four parts."""
        return self.gpu_j + self.host_j + self.idle_j + self.overhead_j


def estimate_sum(estimates: Sequence[EnergyEstimate]) -> EstimateSum:
    """Return the sum of some estimates, with its band and the worst of their tiers.

    Raises:
        InputError: if there are none, or if they have different boundaries.
    """
    boundaries = sorted({estimate.boundary for estimate in estimates})
    if len(boundaries) != 1:
        what = f"of boundaries {', '.join(boundaries)}" if boundaries else "of which there are none"
        raise InputError(f"estimates {what} cannot be added: ask for them at one boundary")
    by_model: dict[str, list[EnergyEstimate]] = {}
    for estimate in estimates:
        by_model.setdefault(estimate.model, []).append(estimate)
    total_j = math.fsum(estimate.total_j for estimate in estimates)
    below_j = math.hypot(*(sum(e.total_j - e.low_j for e in own) for own in by_model.values()))
    above_j = math.hypot(*(sum(e.high_j - e.total_j for e in own) for own in by_model.values()))
    return EstimateSum(
        gpu_j=math.fsum(estimate.gpu_j for estimate in estimates),
        host_j=math.fsum(estimate.host_j for estimate in estimates),
        idle_j=math.fsum(estimate.idle_j for estimate in estimates),
        overhead_j=math.fsum(estimate.overhead_j for estimate in estimates),
        low_j=total_j - below_j,
        high_j=total_j + above_j,
        tier=worst_tier(estimate.tier for estimate in estimates),
        boundary=estimates[0].boundary,
        estimates_count=len(estimates),
        warnings=tuple(dict.fromkeys(told for e in estimates for told in e.warnings)),
    )

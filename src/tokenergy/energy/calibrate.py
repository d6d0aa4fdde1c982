"""Calibrate: measured points correct the prediction of their own configuration, and no other.

A correction is measured over predicted. One point makes it a constant; two or more make its
logarithm a straight line between them in the logarithm of the batch, flat beyond the ends. What
is predicted in the first place is whoever's who calls: the form of `energy.predict` or another.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tokenergy.company.configuration import Configuration
from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.finding import Finding
from tokenergy.errors import FindingsError, InputError

__all__ = [
    "POINT_BANDS",
    "Calibration",
    "Configuration",
    "Correction",
    "CurvePoint",
    "calibrated",
    "calibrated_band",
]

POINT_BANDS: Final = ((0.66, 1.20), (0.84, 1.34), (0.85, 1.16))
"""Measured over predicted, 5th and 95th percentile, after 1, 2, and 3 or more points (energy
sheet, section 8: 489 points of 94 configurations of the ML.ENERGY benchmark v3)."""

END_TOLERANCE_RATIO: Final = 1.01
"""A batch counts as between the points up to this factor beyond the outermost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What to multiply a prediction with, at any batch, by the points of one configuration.

    Attributes:
        batches_count: batches that were measured, rising, each once; at least one.
        factors_ratio: measured over predicted at each.
    """

    batches_count: tuple[float, ...]
    factors_ratio: tuple[float, ...]

    def ratio(self, batch_count: float) -> float:
        """Return measured over predicted at a batch: ln against ln, flat beyond the ends.

        By hand: factors 1 at a batch of 8 and 4 at 32 are 2 at 16.

        Raises:
            InputError: if the batch is not a positive number.
        """
        if not (batch_count > 0 and math.isfinite(batch_count)):
            raise InputError(f"a batch of {batch_count} sequences; it must be above 0 and finite")
        batches, factors = self.batches_count, self.factors_ratio
        if batch_count <= batches[0]:
            return factors[0]
        if batch_count >= batches[-1]:
            return factors[-1]
        above = next(at for at, batch in enumerate(batches) if batch >= batch_count)
        if batches[above] == batch_count:
            return factors[above]
        low, high = math.log(batches[above - 1]), math.log(batches[above])
        share = (math.log(batch_count) - low) / (high - low)
        return math.exp(
            (1.0 - share) * math.log(factors[above - 1]) + share * math.log(factors[above])
        )

    def between(self, batch_count: float) -> bool:
        """Tell whether a batch lies within the measured ones, or next to them."""
        lowest = self.batches_count[0] / END_TOLERANCE_RATIO
        return lowest <= batch_count <= self.batches_count[-1] * END_TOLERANCE_RATIO

    @property
    def points_count(self) -> int:
        """Batches that were measured; several points at one batch count once."""
        return len(self.batches_count)

    def band(self, batch_count: float) -> tuple[float, float]:
        """Return measured over the corrected prediction, 5th and 95th percentile.

        Beyond the outermost points the correction is a constant, so the band is that of one.
        """
        return calibrated_band(self.points_count if self.between(batch_count) else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The corrections of every configuration that has been measured; empty by default."""

    corrections: Mapping[Configuration, Correction] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def factor_ratio(self, configuration: Configuration, batch_count: float) -> float:
        """Return what to multiply the prediction with: 1 where nothing was measured.

        Raises:
            InputError: if the batch is not a positive number.
        """
        own = self.corrections.get(configuration)
        return 1.0 if own is None else own.ratio(batch_count)

    def points_count(self, configuration: Configuration) -> int:
        """Return how many batches of a configuration were measured, 0 where none was."""
        own = self.corrections.get(configuration)
        return 0 if own is None else own.points_count

    def band(self, configuration: Configuration, batch_count: float) -> tuple[float, float] | None:
        """Return the band of the corrected prediction; None where nothing was measured."""
        own = self.corrections.get(configuration)
        return None if own is None else own.band(batch_count)

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """What was measured, in the order of the points."""
        return tuple(self.corrections)


def calibrated(
    points: Iterable[CurvePoint],
    predict: Callable[[CurvePoint], float],
    *,
    measured: Callable[[CurvePoint], float] = lambda point: point.j_per_token,
) -> Calibration:
    """Return the calibration that some points make of a prediction.

    Points that repeat a batch of their configuration count as one, at the geometric mean of
    their factors.

    Args:
        points: measured, in any order, of any number of configurations.
        predict: what is predicted at a point, without any calibration, in the unit of `measured`.
        measured: what was measured there: joules per output token, unless told otherwise.

    Raises:
        FindingsError: with all points that cannot be used: a boundary other than the boards'; a
            batch, a measurement or a prediction that is not positive and finite; a deployment
            whose GPUs do not divide into its replicas.
        InputError: whatever `predict` raises, such as an UnknownModel.
    """
    logs: dict[Configuration, dict[float, list[float]]] = {}
    findings: list[Finding] = []
    for number, point in enumerate(points, start=1):
        wrong = list(faults_of(point, measured(point), place=point.source or f"point {number}"))
        findings += wrong
        if wrong:
            continue
        predicted = predict(point)
        if not _positive(predicted):
            findings.append(_fault(point.source or f"point {number}", "prediction", predicted))
            continue
        batches = logs.setdefault(point.configuration, {})
        batches.setdefault(point.batch_count, []).append(math.log(measured(point) / predicted))
    if findings:
        raise FindingsError(findings)
    return Calibration(
        corrections=MappingProxyType({own: _correction(found) for own, found in logs.items()})
    )


def calibrated_band(points_count: int) -> tuple[float, float]:
    """Return measured over predicted, 5th and 95th percentile, after that many points.

    Raises:
        InputError: if there are none: the band is that of the model's kind then.
    """
    if points_count < 1:
        raise InputError(f"{points_count} measured points have no band; it takes at least 1")
    return POINT_BANDS[min(points_count, len(POINT_BANDS)) - 1]


def faults_of(point: CurvePoint, quantity: float, *, place: str) -> Iterator[Finding]:
    """Yield everything for which a point cannot calibrate anything.

    Args:
        quantity: the figure that is to be used of it.
        place: where it stands.
    """
    if point.boundary != "gpu":
        yield Finding(
            code="POINT_BOUNDARY",
            path=place,
            value=point.boundary,
            limit="gpu",
            reason="what is corrected is the energy of GPU boards; host, idle and cooling are "
            "added afterwards, so a point that holds them would count them twice",
            remedy="Measure the boards, or take host and cooling off first",
        )
    if not _positive(quantity):
        yield _fault(place, "measurement", quantity)
    if not _positive(point.batch_count):
        yield _fault(place, "batch", point.batch_count)
    if min(point.gpus_count, point.replicas_count) < 1 or point.gpus_count % point.replicas_count:
        yield Finding(
            code="POINT_GPUS",
            path=place,
            value=f"{point.gpus_count} GPUs of {point.replicas_count} replicas",
            reason="every replica has the same whole number of GPUs, at least 1",
            remedy="State the GPUs of the whole deployment and how many replicas it has",
        )


def _correction(logs: Mapping[float, list[float]]) -> Correction:
    batches = tuple(sorted(logs))
    return Correction(
        batches_count=batches,
        factors_ratio=tuple(
            math.exp(math.fsum(logs[batch]) / len(logs[batch])) for batch in batches
        ),
    )


def _positive(quantity: float) -> bool:
    return quantity > 0 and math.isfinite(quantity)


def _fault(place: str, what: str, quantity: float) -> Finding:
    return Finding(
        code="POINT_FIGURE",
        path=place,
        value=f"{quantity:g}",
        limit="> 0",
        reason=f"its {what} is {quantity:g}; it must be above 0 and finite",
        remedy="Correct the figure, or leave the point out",
    )

"""How far predictions lie from measured points, without the points of a company and with them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding
from tokenergy.energy.calibrate import Configuration, CurvePoint, calibrated
from tokenergy.energy.calibrated_curve import context_of, near, predicted_j_per_token

APART_RATIO: Final = 1.5
"""Two points at nearly the same batch whose factors differ by more than this are of two things."""
NEAR_BATCH_RATIO: Final = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PointError:
    """One measured point, and what is predicted there.

    Attributes:
        batch_count: sequences in a step.
        measured_j, before_j: measured, and predicted by the catalogue alone, J per output token.
        after_j: predicted with other points of the same configuration; None where there are too
            few of them.
    """

    batch_count: float
    measured_j: float
    before_j: float
    after_j: float | None

    @property
    def before_share(self) -> float:
        """Return how far the catalogue's prediction is off, of what was measured."""
        return abs(self.before_j / self.measured_j - 1.0)

    @property
    def after_share(self) -> float | None:
        """Return how far the corrected prediction is off."""
        return None if self.after_j is None else abs(self.after_j / self.measured_j - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationError:
    """The points of one configuration, with their errors; `points_count` calibrate it."""

    configuration: Configuration
    points_count: int
    errors: tuple[PointError, ...]

    @property
    def before_mape_share(self) -> float:
        """Return the mean error of the catalogue over the points that have both errors, or all."""
        held = [each for each in self.errors if each.after_j is not None] or self.errors
        return math.fsum(each.before_share for each in held) / len(held)

    @property
    def after_mape_share(self) -> float | None:
        """Return the mean error of the corrected predictions; None where there are none."""
        held = [each.after_share for each in self.errors if each.after_share is not None]
        return math.fsum(held) / len(held) if held else None


def configuration_errors(
    catalogue: Catalogue,
    points: Sequence[CurvePoint],
    *,
    against: Sequence[CurvePoint] | None = None,
) -> tuple[ConfigurationError, ...]:
    """Return the errors of every configuration, before and after calibration.

    A correction takes the points with lengths near to those of the point that it predicts, as an
    operating point does.

    Args:
        points: that calibrate.
        against: other points to hold the calibration against; those that calibrate it themselves
            are left out. None: the points themselves, each predicted from those at other batches,
            where there are three or more.

    Raises:
        FindingsError: with all points that cannot be used.
        UnknownModel, UnknownAccelerator: naming the nearest entries.
    """
    calibrated((*points, *(against or ())), lambda _: 1.0)  # all faults of all points at once
    pools = _by_configuration(points)
    tests = pools if against is None else _by_configuration(against)
    found = []
    for own, tested in tests.items():
        pool = pools.get(own, [])
        errors = [
            _error(catalogue, point, pool, leave_out=against is None)
            for point in tested
            if against is None or not _calibrates(point, pool)
        ]
        if errors:
            batches = len({point.batch_count for point in pool})
            found.append(
                ConfigurationError(configuration=own, points_count=batches, errors=tuple(errors))
            )
    return tuple(found)


def points_apart(catalogue: Catalogue, points: Sequence[CurvePoint]) -> Iterator[Finding]:
    """Yield configurations whose points disagree at nearly the same batch and lengths."""
    told: set[Configuration] = set()
    factors = [point.j_per_token / predicted_j_per_token(catalogue, point) for point in points]
    order = sorted(range(len(points)), key=lambda at: points[at].batch_count)
    for rank, low in enumerate(order):
        one, own = points[low], points[low].configuration
        for high in order[rank + 1 :]:
            other = points[high]
            if other.batch_count > one.batch_count * NEAR_BATCH_RATIO:
                break
            if own in told or other.configuration != own:
                continue
            ratio = max(factors[low], factors[high]) / min(factors[low], factors[high])
            if ratio > APART_RATIO and not near((other,), context_of(one))[1]:
                told.add(own)
                yield _disagreeing(own, one, other, ratio)


def _disagreeing(own: Configuration, one: CurvePoint, other: CurvePoint, ratio: float) -> Finding:
    return Finding(
        code="POINTS_APART",
        path=f"{one.source or own}",
        value=f"{ratio:.2f}",
        limit=f"{APART_RATIO:g}",
        unit="times",
        reason=f"points of {own} at batches {one.batch_count:g} and {other.batch_count:g} differ "
        f"by a factor of {ratio:.2f}: they were not measured under the same load",
        remedy="State input_tokens and output_tokens, or the stack, of each",
        severity="warning",
    )


def _by_configuration(points: Iterable[CurvePoint]) -> dict[Configuration, list[CurvePoint]]:
    pools: dict[Configuration, list[CurvePoint]] = {}
    for point in points:
        pools.setdefault(point.configuration, []).append(point)
    return pools


def _calibrates(point: CurvePoint, pool: Iterable[CurvePoint]) -> bool:
    return any(
        own.batch_count == point.batch_count and own.j_per_token == point.j_per_token
        for own in pool
    )


def _error(
    catalogue: Catalogue, point: CurvePoint, pool: Sequence[CurvePoint], *, leave_out: bool
) -> PointError:
    before_j = predicted_j_per_token(catalogue, point)
    others, apart = near(tuple(pool), context_of(point)) if pool else ((), False)
    after_j: float | None = None
    if leave_out:
        others = tuple(own for own in others if own.batch_count != point.batch_count)
        usable = not apart and len({own.batch_count for own in others}) > 1
    else:
        usable = bool(others)
        after_j = before_j  # nobody measured it: unchanged
    if usable:
        made = calibrated(others, lambda own: predicted_j_per_token(catalogue, own))
        after_j = before_j * made.factor_ratio(point.configuration, point.batch_count)
    return PointError(
        batch_count=point.batch_count,
        measured_j=point.j_per_token,
        before_j=before_j,
        after_j=after_j,
    )

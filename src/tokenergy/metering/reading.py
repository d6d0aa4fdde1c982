"""Joules of one span of time, or the reason why nobody knows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tokenergy.company.energy_words import WORST_LAST, Boundary, EnergyTier
from tokenergy.units import MICROJOULES_PER_J

__all__ = ["WORST_LAST", "Boundary", "EnergyTier", "Reading", "ReadingSum", "total"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a meter said about `[start, end)`; a missing counter is None, never 0.

    Attributes:
        energy_j: joules, or None.
        tier: how they are known.
        boundary: what they include: boards alone, the rack (`it`), or the facility.
        reason: why there are none, or what they rest on; "" where nothing is to be said.
    """

    start: datetime
    end: datetime
    energy_j: float | None
    tier: EnergyTier
    boundary: Boundary
    reason: str = ""

    @property
    def energy_microjoules(self) -> int | None:
        """Joules in whole microjoules, as counters have them: exact below 2 GJ; None as above."""
        return None if self.energy_j is None else round(self.energy_j * MICROJOULES_PER_J)

    @property
    def span_s(self) -> float:
        """Length of the span."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSum:
    """Readings added up: None as soon as one of them is missing, and how many are."""

    energy_j: float | None
    known_j: float
    tier: EnergyTier
    boundary: Boundary
    windows_count: int
    missing_count: int
    reasons: tuple[str, ...]


def total(readings: Iterable[Reading]) -> ReadingSum:
    """Return the sum of some readings.

    Raises:
        ValueError: if there are none, or if they have different boundaries.
    """
    held = tuple(readings)
    boundaries = {reading.boundary for reading in held}
    if len(boundaries) != 1:
        raise ValueError(f"readings of boundaries {sorted(boundaries)} cannot be added")
    known = [reading.energy_j for reading in held if reading.energy_j is not None]
    missing_count = len(held) - len(known)
    return ReadingSum(
        energy_j=None if missing_count else sum(known),
        known_j=sum(known),
        tier=max((reading.tier for reading in held), key=WORST_LAST.index),
        boundary=boundaries.pop(),
        windows_count=len(held),
        missing_count=missing_count,
        reasons=tuple(dict.fromkeys(r.reason for r in held if r.energy_j is None and r.reason)),
    )

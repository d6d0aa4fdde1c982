"""A meter that is open: its devices read together, with the moment of the reading."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from tokenergy.metering.meter import DeviceCount, MeterRule, MeterSample
from tokenergy.metering.metered import metered
from tokenergy.metering.reading import Reading


class Counts(Protocol):
    """The devices of one meter: what each kind of meter must do.

    Attributes:
        rule: how its samples become a reading.
        claims: what it counts, named so that two meters of one thing are seen.
    """

    rule: MeterRule
    claims: frozenset[str]

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return every device now; a fault is a reason, never an error."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class OpenMeter:
    """A meter that is read on a beat; reading never fails, it says why nothing is known."""

    def __init__(
        self, counts: Counts, clock: Callable[[], datetime], ticks: Callable[[], float]
    ) -> None:
        """Read nothing yet."""
        self._counts = counts
        self._clock = clock
        self._ticks = ticks

    @property
    def rule(self) -> MeterRule:
        """How its samples become a reading."""
        return self._counts.rule

    @property
    def claims(self) -> frozenset[str]:
        """What it counts, for `overlaps`."""
        return self._counts.claims

    def read(self) -> MeterSample:
        """Return what every device says now; the moment is the middle of the reading."""
        began_at, began_s = self._clock(), self._ticks()
        devices = self._counts.counts()
        half_s = max(self._ticks() - began_s, 0.0) / 2.0
        at = began_at + (self._clock() - began_at) / 2
        return MeterSample(at=at, ticks_s=began_s + half_s, devices=devices)

    def reading(self, samples: Sequence[MeterSample]) -> Reading:
        """Return the joules between the first and the last of some samples (pure)."""
        return metered(samples, self._counts.rule)

    def close(self) -> None:
        """Give back what the meter holds."""
        self._counts.close()

"""Readings of several meters over one window, as one reading; None as soon as one has none."""

from collections.abc import Sequence

from tokenergy.company.energy_words import WORST_LAST
from tokenergy.metering.reading import Reading
from tokenergy.units import MICROJOULES_PER_J


def together(readings: Sequence[Reading]) -> Reading:
    """Return what some meters read at about the same time, added up in whole microjoules.

    It begins with the first of them and ends with the last: their edges lie milliseconds apart.

    Args:
        readings: at least one; those of one boundary alone can be added.
    """
    boundaries = sorted({reading.boundary for reading in readings})
    counted = [reading.energy_microjoules for reading in readings]
    known = [each for each in counted if each is not None]
    whole = len(known) == len(readings) and len(boundaries) == 1
    told = [reading.reason for reading in readings if whole or reading.energy_j is None]
    if len(boundaries) > 1:
        told.append(f"meters of boundaries {' and '.join(boundaries)} cannot be added")
    return Reading(
        start=min(reading.start for reading in readings),
        end=max(reading.end for reading in readings),
        energy_j=sum(known) / MICROJOULES_PER_J if whole else None,
        tier=max((reading.tier for reading in readings), key=WORST_LAST.index),
        boundary=readings[0].boundary,
        reason="; ".join(dict.fromkeys(reason for reason in told if reason)),
    )

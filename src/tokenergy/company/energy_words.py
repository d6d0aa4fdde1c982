"""How an energy is known, and what it includes: the words that every joule carries."""

from collections.abc import Iterable
from typing import Final, Literal

EnergyTier = Literal["measured", "calibrated", "modelled"]
"""`measured`: by a counter; `calibrated`: predicted and held against measured points of the same
configuration; `modelled`: from the facts of the catalogue alone."""

Boundary = Literal["gpu", "it", "facility"]
"""Boards alone; boards and hosts, as a rack's meter counts; the whole building, cooling included.
Figures of different boundaries never meet in a sum."""

WORST_LAST: Final[tuple[EnergyTier, ...]] = ("measured", "calibrated", "modelled")
"""A sum is known as well as its least known part."""


def worst_tier(tiers: Iterable[EnergyTier]) -> EnergyTier:
    """Return the least known of some tiers: that of their sum.

    Raises:
        ValueError: if there are none.
    """
    return max(tiers, key=WORST_LAST.index)

"""Draws from the sourced ranges, each input apart from the others."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.finding import Finding
from tokenergy.company.preset import VERIFIED, Range

FloatArray = NDArray[np.float64]
LOG_RATIO: Final = 3.0
"""A range whose ends lie further apart than this is drawn uniform in its logarithm."""


def between(
    random: np.random.Generator,
    *,
    low_quantity: float,
    high_quantity: float,
    count: int | tuple[int, ...],
) -> FloatArray:
    """Return draws between two ends: uniform, in the logarithm where they lie far apart."""
    if high_quantity > LOG_RATIO * low_quantity > 0.0:
        low, high = math.log(low_quantity), math.log(high_quantity)
        return np.asarray(np.exp(random.uniform(low, high, count)))
    return np.asarray(random.uniform(low_quantity, high_quantity, count))


def within(random: np.random.Generator, held: Range, *, count: int | tuple[int, ...]) -> FloatArray:
    """Return draws of one range [count]."""
    low, high = held.low_quantity, held.high_quantity
    return between(random, low_quantity=low, high_quantity=high, count=count)


def drawn(
    random: np.random.Generator, ranges: Mapping[str, Range], names: Sequence[str], *, count: int
) -> dict[str, FloatArray]:
    """Return draws of the named ranges [count], in the order of the names."""
    return {name: within(random, ranges[name], count=count) for name in names}


def unverified(ranges: Mapping[str, Range], names: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """Return the finding that says which of the named ranges nobody has verified, if any."""
    found = [name for name in names if ranges[name].status not in VERIFIED]
    if not found:
        return ()
    return (
        Finding(
            code="PRESET_UNVERIFIED",
            path="catalogue.ranges",
            value=", ".join(found),
            limit=", ".join(VERIFIED),
            severity="warning",
            reason="nobody has verified these ranges, and the experiment stands on them",
            remedy="Read their sources before quoting the figures",
        ).to_dict(),
    )

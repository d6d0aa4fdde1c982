"""The time between two tokens of one request, as weighted pairs and as their quantiles.

A run has too many tokens to keep the time before each. They are counted in bins of 2.2 % width,
and each bin keeps the sum of its times, so that a pair is the mean of a bin, and how many tokens
had it. A quantile of pairs is off by less than a bin's width.
"""

import math
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike

from tokenergy.compiled import compiled_part
from tokenergy.errors import InputError
from tokenergy.simulate.replica import FloatArray, IntArray, ReplicaRuns

_LEAST_OCTAVE: Final = -14
_MOST_OCTAVE: Final = 8
_BINS_PER_OCTAVE: Final = 32
GAP_BINS: Final = (_MOST_OCTAVE - _LEAST_OCTAVE) * _BINS_PER_OCTAVE
"""From 2^-14 s (61 microseconds) to 2^8 s; what lies outside is in the first and the last bin."""


class GapBin(Protocol):
    """The tokens of one bin, and the sum of the times before them."""

    tokens_count: int
    total_s: float


GapBins = Sequence[GapBin]
GAP_BIN: Final = np.dtype([("tokens_count", np.int64), ("total_s", np.float64)])


@compiled_part
def add_gaps(gaps: GapBins, gap_s: float, tokens_count: int) -> None:
    """Count tokens that came `gap_s` seconds after the one before them."""
    if tokens_count > 0:
        place = math.floor((math.log2(gap_s) - _LEAST_OCTAVE) * _BINS_PER_OCTAVE)
        gap = gaps[min(max(place, 0), GAP_BINS - 1)]
        gap.tokens_count += tokens_count
        gap.total_s += tokens_count * gap_s


def gap_pairs(runs: ReplicaRuns) -> tuple[FloatArray, IntArray]:
    """Return times between tokens over all replicas, rising, and how many tokens had each.

    Returns:
        duration_s [m] and tokens_count [m], of the bins that hold any. The tokens of finished
        requests add up to `output_tokens - 1` each.
    """
    tokens_count = runs.gap_tokens_count.sum(axis=0)
    filled = tokens_count > 0
    duration_s: FloatArray = runs.gap_total_s.sum(axis=0)[filled] / tokens_count[filled]
    return duration_s, tokens_count[filled]


def weighted_quantile(values: ArrayLike, weights: ArrayLike, q_share: float) -> float:
    """Return the least value with at least a share q of all weight at or below it.

    Args:
        values: [m] in any order and unit; the result has the same unit.
        weights: [m] none negative.
        q_share: 0..1.

    Returns:
        NaN where there is no weight.

    Raises:
        InputError: unless q is in 0..1, and values and weights are finite and side by side.
    """
    value = np.asarray(values, dtype=np.float64)
    weight = np.asarray(weights, dtype=np.float64)
    if not 0.0 <= q_share <= 1.0:
        raise InputError(f"a quantile of {q_share}: it must lie in 0..1")
    if value.shape != weight.shape or value.ndim != 1:
        raise InputError(f"{value.shape} values with {weight.shape} weights: one weight for each")
    if not np.all(np.isfinite(value)) or not np.all(np.isfinite(weight)) or np.any(weight < 0.0):
        raise InputError("a weighted quantile needs finite values and finite weights of 0 or more")
    value, weight = value[weight > 0.0], weight[weight > 0.0]
    if value.size == 0:
        return math.nan
    order = np.argsort(value, kind="stable")
    reached = np.cumsum(weight[order])
    # 1e-12: a share such as 0.9 of ten equal weights is nine of them, whatever the rounding
    place = int(np.searchsorted(reached, q_share * reached[-1] * (1.0 - 1e-12)))
    return float(value[order[min(place, value.size - 1)]])

"""Requests for one replica, drawn once: lengths, classes and unit gaps, the same at every rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.inputs import Lengths
from tokenergy.errors import InputError
from tokenergy.synthetic.request_lengths import (
    AZURE_INPUT_SIGMA_RATIO,
    AZURE_OUTPUT_SIGMA_RATIO,
    RequestLengths,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

INPUT_MOST_RATIO: Final = 12.0
OUTPUT_MOST_RATIO: Final = 5.0
"""Longest length over the mean where only means are stated: those of the public trace that the
spreads are from (azure_llm_2023_conv: 14,050 of 1,155 tokens in, 1,000 of 211 out)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthPairs:
    """Lengths of real requests, row by row.

    Attributes:
        input_tokens, output_tokens: [n], whole numbers of at least 1.
    """

    input_tokens: IntArray
    output_tokens: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixPart:
    """One class of requests: how long they are, and how many of a hundred they are.

    Attributes:
        lengths: mean tokens.
        pairs: rows to draw from; None: a lognormal around the means.
        weight_share: part of the requests.
    """

    lengths: Lengths
    pairs: LengthPairs | None = None
    weight_share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnRequests:
    """Requests of one seed, to be spread over time at any rate.

    Attributes:
        unit_arrival_s: [n] arrival times at a rate of 1 per second; their gaps are exponential
            and have a mean of exactly 1.
        input_tokens, output_tokens: [n].
        part: [n] index of the class.
    """

    unit_arrival_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    part: IntArray

    @property
    def count(self) -> int:
        """Return how many requests there are."""
        return len(self.unit_arrival_s)


def draw_requests(parts: Sequence[MixPart], *, count: int, seed: int) -> DrawnRequests:
    """Draw requests of a mix.

    Raises:
        InputError: if the weights do not add up to 1, or there are no requests.
    """
    weights = np.array([part.weight_share for part in parts])
    if count < 1 or not math.isclose(float(weights.sum()), 1.0, rel_tol=1e-9):
        raise InputError(
            f"{count} requests in classes of {weights.tolist()}: there must be at least one, and "
            "the classes must add up to 1"
        )
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(size=count)
    chosen = rng.choice(len(parts), size=count, p=weights / weights.sum())
    input_tokens = np.ones(count, dtype=np.int64)
    output_tokens = np.ones(count, dtype=np.int64)
    for at, part in enumerate(parts):
        mine = chosen == at
        drawn = _drawn_lengths(part, int(mine.sum()), rng)
        input_tokens[mine], output_tokens[mine] = drawn
    return DrawnRequests(
        unit_arrival_s=np.cumsum(gaps * (count / gaps.sum())),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        part=chosen.astype(np.int64),
    )


def told_lengths(parts: Sequence[MixPart]) -> str:
    """Return the distribution of the lengths of a mix in words."""
    if all(part.pairs is not None for part in parts):
        return "rows of the trace that the workload names"
    told = (
        f"lognormal around the means, sigma {AZURE_INPUT_SIGMA_RATIO:g} in and "
        f"{AZURE_OUTPUT_SIGMA_RATIO:g} out, at most {INPUT_MOST_RATIO:g} and "
        f"{OUTPUT_MOST_RATIO:g} times the mean"
    )
    mixed = any(part.pairs is not None for part in parts)
    return f"{told}; rows of a trace where one is named" if mixed else told


def _drawn_lengths(
    part: MixPart, count: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    if part.pairs is not None:
        rows = rng.integers(len(part.pairs.input_tokens), size=count)
        return part.pairs.input_tokens[rows], part.pairs.output_tokens[rows]
    return (
        _lognormal(
            part.lengths.input_tokens, AZURE_INPUT_SIGMA_RATIO, INPUT_MOST_RATIO, count, rng
        ),
        _lognormal(
            part.lengths.output_tokens, AZURE_OUTPUT_SIGMA_RATIO, OUTPUT_MOST_RATIO, count, rng
        ),
    )


def _lognormal(
    mean_tokens: float,
    sigma_ratio: float,
    most_ratio: float,
    count: int,
    rng: np.random.Generator,
) -> IntArray:
    return RequestLengths(
        mean_tokens=max(1.0, mean_tokens),
        sigma_ratio=sigma_ratio,
        most_tokens=max(1, math.ceil(most_ratio * mean_tokens)),
    ).drawn(rng, count)

"""Lengths of prompts and answers: a lognormal between 1 and a most, whose mean is as stated."""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.errors import InputError

IntArray = NDArray[np.int64]
AZURE_INPUT_SIGMA_RATIO: Final = 0.81
AZURE_OUTPUT_SIGMA_RATIO: Final = 0.68
"""Ours, from the Azure LLM inference trace 2023 (conversations, 19,366 requests, CC BY 4.0): the
lognormal that has the data's ratio of standard deviation to mean, 0.960 and 0.771. That ratio is
what queues feel. The standard deviation of the logarithms is larger, 0.985 and 0.859: the data
are skewed to the left of a lognormal, and its tail by that figure would be too heavy."""
_NORMAL: Final = NormalDist()
_HALVINGS_COUNT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLengths:
    """Whole numbers of tokens: lognormal, held between 1 and `most_tokens`, with a stated mean.

    What would lie outside stands at the bound; the median is chosen so that the mean is exact
    all the same. A length is rounded up or down at random, in proportion, so that rounding does
    not move the mean either.

    Attributes:
        mean_tokens: mean length, from 1 to `most_tokens`.
        sigma_ratio: standard deviation of the logarithm; 0: every length is the mean.
        most_tokens: no length is above it.
    """

    mean_tokens: float
    sigma_ratio: float
    most_tokens: int

    def __post_init__(self) -> None:
        """Refuse lengths that nothing has.

        Raises:
            InputError: naming every figure that is out of its range.
        """
        faults = []
        if self.most_tokens < 1:
            faults.append(f"most_tokens is {self.most_tokens}, 1 token or more is needed")
        if not 1.0 <= self.mean_tokens <= self.most_tokens:
            faults.append(
                f"mean_tokens is {self.mean_tokens:g}, not from 1 to {self.most_tokens} tokens"
            )
        if not 0.0 <= self.sigma_ratio <= 5.0:
            faults.append(f"sigma_ratio is {self.sigma_ratio:g}, not from 0 to 5")
        if faults:
            raise InputError(f"lengths of requests: {'; '.join(faults)}")

    @property
    def median_tokens(self) -> float:
        """The median before it is held between the bounds."""
        return _median_tokens(self.mean_tokens, self.sigma_ratio, self.most_tokens)

    def drawn(self, rng: np.random.Generator, count: int) -> IntArray:
        """Return so many lengths, [count]."""
        scatter = np.exp(self.sigma_ratio * rng.standard_normal(count))
        exact = np.clip(self.median_tokens * scatter, 1.0, float(self.most_tokens))
        return np.floor(exact + rng.random(count)).astype(np.int64)


@lru_cache(maxsize=256)
def _median_tokens(mean_tokens: float, sigma_ratio: float, most_tokens: int) -> float:
    """Return the median at which the held lognormal has this mean."""
    if sigma_ratio == 0.0 or mean_tokens in (1.0, float(most_tokens)):
        return mean_tokens if sigma_ratio == 0.0 else _beyond(mean_tokens, most_tokens)
    low, high = -40.0 * sigma_ratio, math.log(most_tokens) + 40.0 * sigma_ratio
    for _ in range(_HALVINGS_COUNT):
        middle = 0.5 * (low + high)
        if _held_mean_tokens(middle, sigma_ratio, most_tokens) < mean_tokens:
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high))


def _beyond(mean_tokens: float, most_tokens: int) -> float:
    """Return a median so far outside that every length stands at the bound that is the mean."""
    return 1e-300 if mean_tokens == 1.0 else most_tokens * 1e300


def _held_mean_tokens(mu_ratio: float, sigma_ratio: float, most_tokens: int) -> float:
    """Return E[min(max(Y, 1), most)] of the lognormal Y = exp(mu + sigma Z)."""
    low = -mu_ratio / sigma_ratio
    high = (math.log(most_tokens) - mu_ratio) / sigma_ratio
    within = _NORMAL.cdf(high - sigma_ratio) - _NORMAL.cdf(low - sigma_ratio)
    inner = math.exp(min(700.0, mu_ratio + 0.5 * sigma_ratio**2)) * within if within > 0 else 0.0
    return _NORMAL.cdf(low) + inner + most_tokens * (1.0 - _NORMAL.cdf(high))

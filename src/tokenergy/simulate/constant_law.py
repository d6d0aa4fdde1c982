"""The law that takes the same time for every batch: what queueing theory can check."""

import math
from typing import Final

import numpy as np

from tokenergy.errors import InputError
from tokenergy.simulate.law import CONSTANT, FloatArray, IntArray, Places, TimeLaw

_LEAST_TABLE: Final = 1
"""Length of an axis that a form does not use: compiled code wants arrays of every dimension."""


def constant_law(duration_s: float) -> TimeLaw:
    """Return a law that takes `duration_s` seconds for every iteration.

    Raises:
        InputError: unless the duration is a positive number.
    """
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise InputError(f"an iteration of {duration_s} s: it must take more than 0 s")
    return unused_law()._replace(kind=CONSTANT, fixed_s=float(duration_s))


def unused_law(bucket_tokens: int = 64) -> TimeLaw:
    """Return a law whose every field is empty or 0, for a form to fill in what it uses."""
    return TimeLaw(
        kind=CONSTANT,
        bucket_tokens=bucket_tokens,
        dense_s=_nothing(1),
        sequences_s=_nothing(1),
        decode_s=_nothing(2),
        prefill_s=_nothing(2),
        prefills_extra_share=0.0,
        mixed_s=_nothing(4),
        chunk_places=_nowhere(),
        context_places=_nowhere(),
        decodes_places=_nowhere(),
        bucket_places=_nowhere(),
        fixed_s=0.0,
        token_s=0.0,
        weights_s=0.0,
        experts_s=0.0,
        missed_share=0.0,
        cache_s=0.0,
        window_cache_s=0.0,
        window_tokens=0,
        pair_s=0.0,
        window_pair_s=0.0,
        sequence_s=0.0,
    )


def _nothing(dimensions_count: int) -> FloatArray:
    return np.zeros((_LEAST_TABLE,) * dimensions_count)


def _nowhere() -> Places:
    lower: IntArray = np.zeros(_LEAST_TABLE, dtype=np.int64)
    return Places(lower, np.zeros(_LEAST_TABLE))

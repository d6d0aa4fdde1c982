"""The time of one iteration of an engine: four forms of law behind one compiled function.

A batch is d decodes that hold K tokens in all, and p prefills with chunks c_i over contexts k_i
(tokens of the same prompt processed before). Every form reads the decode context as a bucket:
b = ceil(floor(K / d) / g) for buckets of g tokens, so that a batch of decodes alone takes the
same time until its mean context leaves the bucket. `leap` depends on it.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenergy.compiled import compiled_lean
from tokenergy.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ADDITIVE: Final = 0
"""Operators by tokens, decode attention and prefill attention, one after the other."""
JOINT: Final = 1
"""Operators by tokens and by sequences, and one attention time for the whole batch."""
ROOFLINE: Final = 2
"""The slower of arithmetic and memory traffic, from a data sheet."""
CONSTANT: Final = 3
"""The same time whatever the batch: for queueing oracles."""


class Places(NamedTuple):
    """Where each whole number lies on the nodes of a table's axis.

    `lower[x]` is the node at or below x (never the last one), and `weight[x]` in 0..1 how far x
    lies towards the next. The arrays end at the last node: what is beyond has no place.
    """

    lower: IntArray
    weight: FloatArray


class TimeLaw(NamedTuple):
    """A law as arrays and numbers of fixed types, so that compiled code takes any of them.

    Made by `additive_law`, `joint_law`, `roofline_law` and `constant_law`; a field that a form
    does not use is empty or 0. All times are seconds of the whole model, layers included.
    """

    kind: int
    """ADDITIVE, JOINT, ROOFLINE or CONSTANT."""
    bucket_tokens: int
    """g: tokens of one bucket of context."""
    dense_s: FloatArray
    """[n] operators by the n tokens of the batch (additive, joint)."""
    sequences_s: FloatArray
    """[d + p] operators by sequences: the output head and the sampler (joint)."""
    decode_s: FloatArray
    """[d, b] attention of decodes alone (additive: with its overhead; joint)."""
    prefill_s: FloatArray
    """[sum of ceil(k_i / g), round(sqrt(sum of c_i^2))] attention of prefills (additive)."""
    prefills_extra_share: float
    """What more than one prefill adds to their attention, a share (additive)."""
    mixed_s: FloatArray
    """[chunk, context, decodes, decode context] attention of a mixed batch at nodes (joint)."""
    chunk_places: Places
    context_places: Places
    decodes_places: Places
    bucket_places: Places
    """Of bucket numbers on the axis of decode context."""
    fixed_s: float
    """What every iteration takes (roofline: launches and host; constant: all of it)."""
    token_s: float
    """Arithmetic of one token through the weights (roofline)."""
    weights_s: float
    """Reading the weights that every token touches (roofline)."""
    experts_s: float
    """Reading all routed experts (roofline; 0 if dense)."""
    missed_share: float
    """Chance that one token leaves a given expert untouched (roofline)."""
    cache_s: float
    """Reading one token of cache in the layers that attend to everything (roofline)."""
    window_cache_s: float
    """Reading one token of cache in the layers with a sliding window (roofline)."""
    window_tokens: int
    pair_s: float
    """Arithmetic of one token attending to one other, layers that attend to everything."""
    window_pair_s: float
    """The same in the layers with a sliding window."""
    sequence_s: float
    """Sampling and the host for one decode (roofline)."""


@compiled_lean
def _within(index_count: int, length_count: int) -> tuple[int, int]:
    """Return the last index a table has at most, and 1 if the one asked for is beyond it."""
    if index_count < length_count:
        return index_count, 0
    return length_count - 1, 1


@compiled_lean
def _additive_s(
    law: TimeLaw,
    decodes_count: int,
    bucket_count: int,
    prefills_count: int,
    chunk_tokens_count: int,
    chunk_tokens_square_sum: int,
    context_buckets_sum: int,
) -> tuple[float, int]:
    """Add operators, decode attention and prefill attention (Vidur's form)."""
    tokens, beyond = _within(decodes_count + chunk_tokens_count, law.dense_s.shape[0])
    duration_s = law.dense_s[tokens]
    if decodes_count > 0:
        row, far = _within(decodes_count, law.decode_s.shape[0])
        column, wide = _within(bucket_count, law.decode_s.shape[1])
        duration_s += law.decode_s[row, column]
        beyond |= far | wide
    if prefills_count > 0:
        side_count = int(math.sqrt(chunk_tokens_square_sum) + 0.5)
        row, far = _within(context_buckets_sum, law.prefill_s.shape[0])
        column, wide = _within(side_count, law.prefill_s.shape[1])
        prefill_s = law.prefill_s[row, column]
        if prefills_count > 1:
            prefill_s *= 1.0 + law.prefills_extra_share
        duration_s += prefill_s
        beyond |= far | wide
    return duration_s, beyond


@compiled_lean
def _joint_s(
    law: TimeLaw,
    decodes_count: int,
    bucket_count: int,
    prefills_count: int,
    chunk_tokens_count: int,
    attended_tokens_count: float,
) -> tuple[float, int]:
    """Add operators by tokens, operators by sequences, and one attention for all."""
    tokens, beyond = _within(decodes_count + chunk_tokens_count, law.dense_s.shape[0])
    sequences, far = _within(decodes_count + prefills_count, law.sequences_s.shape[0])
    beyond |= far
    duration_s = law.dense_s[tokens] + law.sequences_s[sequences]
    if prefills_count == 0:
        row, far = _within(decodes_count, law.decode_s.shape[0])
        column, wide = _within(bucket_count, law.decode_s.shape[1])
        return duration_s + law.decode_s[row, column], beyond | far | wide
    attention_s, far = _mixed_s(
        law, decodes_count, bucket_count, chunk_tokens_count, attended_tokens_count
    )
    return duration_s + attention_s, beyond | far


@compiled_lean
def _mixed_s(
    law: TimeLaw,
    decodes_count: int,
    bucket_count: int,
    chunk_tokens_count: int,
    attended_tokens_count: float,
) -> tuple[float, int]:
    """Return the attention of a mixed batch, multilinear between the table's nodes.

    The table was measured with one prefill. Several are read as the one that attends to as many
    pairs of tokens with as many tokens: context k = pairs / c - c / 2. Where that is below 0
    (short prompts side by side), as the one without context that has as many pairs.
    """
    chunk_count = chunk_tokens_count
    context = attended_tokens_count / chunk_tokens_count - 0.5 * chunk_tokens_count
    if context < 0.0:
        context = 0.0
        chunk_count = int(math.sqrt(2.0 * attended_tokens_count) + 0.5)
    chunk, far = _within(chunk_count, law.chunk_places.lower.shape[0])
    beyond = far
    before, far = _within(int(context + 0.5), law.context_places.lower.shape[0])
    beyond |= far
    decodes, far = _within(decodes_count, law.decodes_places.lower.shape[0])
    beyond |= far
    bucket, far = _within(bucket_count, law.bucket_places.lower.shape[0])
    beyond |= far
    i = law.chunk_places.lower[chunk]
    j = law.context_places.lower[before]
    k = law.decodes_places.lower[decodes]
    m = law.bucket_places.lower[bucket]
    wi = law.chunk_places.weight[chunk]
    wj = law.context_places.weight[before]
    wk = law.decodes_places.weight[decodes]
    wm = law.bucket_places.weight[bucket]
    total_s = 0.0
    for corner in range(16):
        a = corner & 1
        b = (corner >> 1) & 1
        c = (corner >> 2) & 1
        e = (corner >> 3) & 1
        weight = (
            (wi if a else 1.0 - wi)
            * (wj if b else 1.0 - wj)
            * (wk if c else 1.0 - wk)
            * (wm if e else 1.0 - wm)
        )
        total_s += weight * law.mixed_s[i + a, j + b, k + c, m + e]
    return total_s, beyond


@compiled_lean
def _roofline_s(
    law: TimeLaw,
    decodes_count: int,
    bucket_count: int,
    chunk_tokens_count: int,
    context_tokens_sum: int,
    attended_tokens_count: float,
) -> float:
    """Return the slower of arithmetic and weights, plus attention and what is fixed."""
    tokens_count = decodes_count + chunk_tokens_count
    # the middle of the bucket: contexts (b - 1) g + 1 to b g
    held = max(0.0, (bucket_count - 0.5) * law.bucket_tokens + 0.5)
    windowed = min(held, float(law.window_tokens))
    touched_share = 1.0 - law.missed_share**tokens_count
    weights_s = law.weights_s + law.experts_s * touched_share
    duration_s = max(law.token_s * tokens_count, weights_s) + law.fixed_s
    duration_s += law.sequence_s * decodes_count
    # Attention runs in kernels of its own, after those of the weights: its time is on top.
    duration_s += law.cache_s * (decodes_count * held + context_tokens_sum)
    duration_s += law.window_cache_s * decodes_count * windowed
    if chunk_tokens_count > 0:
        pairs = attended_tokens_count
        near = min(pairs, float(chunk_tokens_count * law.window_tokens))
        duration_s += law.pair_s * pairs + law.window_pair_s * near
    return duration_s


@compiled_lean
def iteration_s(
    law: TimeLaw,
    decodes_count: int,
    decode_tokens_count: int,
    prefills_count: int,
    chunk_tokens_count: int,
    chunk_tokens_square_sum: int,
    context_tokens_sum: int,
    context_buckets_sum: int,
    attended_tokens_count: float,
) -> tuple[float, int]:
    """Return the seconds of one iteration, and 1 where it lay beyond a table's edge, else 0.

    Args:
        law: of any form.
        decodes_count: d, sequences that decode one token each.
        decode_tokens_count: K, the tokens that they hold in all (their context).
        prefills_count: p, sequences that process a chunk of their prompt.
        chunk_tokens_count: sum of c_i.
        chunk_tokens_square_sum: sum of c_i^2.
        context_tokens_sum: sum of k_i, tokens of a prompt processed before its chunk.
        context_buckets_sum: sum of ceil(k_i / g).
        attended_tokens_count: sum of c_i (k_i + c_i / 2), pairs of tokens that attend.
    """
    bucket_count = 0
    if decodes_count > 0:
        bucket_count = (decode_tokens_count // decodes_count + law.bucket_tokens - 1) // (
            law.bucket_tokens
        )
    if law.kind == JOINT:
        return _joint_s(
            law, decodes_count, bucket_count, prefills_count, chunk_tokens_count,
            attended_tokens_count,
        )  # fmt: skip
    if law.kind == ADDITIVE:
        return _additive_s(
            law, decodes_count, bucket_count, prefills_count, chunk_tokens_count,
            chunk_tokens_square_sum, context_buckets_sum,
        )  # fmt: skip
    if law.kind == ROOFLINE:
        duration_s = _roofline_s(
            law, decodes_count, bucket_count, chunk_tokens_count, context_tokens_sum,
            attended_tokens_count,
        )  # fmt: skip
        return duration_s, 0
    return law.fixed_s, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LawKey:
    """What a law was measured or modelled for; a deployment that differs must not use it."""

    model: str
    accelerator: str
    gpus_count: int
    precision: str
    """Of the weights, e.g. `bf16` or `fp8`."""
    engine: str
    """Such as `vllm`."""
    version: str
    """Of the engine, e.g. `0.19.0`."""

    def __str__(self) -> str:
        """Name the key in one phrase."""
        return (
            f"{self.model} {self.precision} on {self.gpus_count} x {self.accelerator}, "
            f"{self.engine} {self.version}"
        )


LawTier = Literal["measured", "modelled"]
"""`measured`: from an operator profile; `modelled`: from a data sheet."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyedLaw:
    """A law, what it holds for, how well it is known, and where it is from."""

    key: LawKey
    law: TimeLaw
    tier: LawTier
    source: str

    def law_for(self, key: LawKey) -> TimeLaw:
        """Return the law for a deployment.

        Raises:
            InputError: naming each part of the key that differs; a law for another model,
                accelerator, number of GPUs, precision, engine or version is no fallback.
        """
        names = ("model", "accelerator", "gpus_count", "precision", "engine", "version")
        differing = [name for name in names if getattr(self.key, name) != getattr(key, name)]
        if differing:
            parts = ", ".join(
                f"{name} {getattr(self.key, name)} instead of {getattr(key, name)}"
                for name in differing
            )
            raise InputError(f"a law for {self.key} does not time {key}: {parts}")
        return self.law

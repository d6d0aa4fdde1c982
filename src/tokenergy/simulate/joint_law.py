"""The joint law: operators by tokens and by sequences, and one attention time for a mixed batch."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.simulate.constant_law import unused_law
from tokenergy.simulate.law import JOINT, FloatArray, IntArray, TimeLaw
from tokenergy.simulate.law_tables import (
    cell_findings,
    drawn_between,
    places,
    refuse,
    share_findings,
    size_findings,
)

LONE_SKEW_SHARE: Final = 0.049
"""How much longer decodes of unlike contexts take than as many of their mean context, without a
prefill beside them: the mean over all 654 shots of the skew sweeps of an RTX 4090 (5.9 %) and an
RTX PRO 6000 (3.8 %), Llama-3.1-8B, vLLM 0.19.0 (casys-kaist/LLMServingSim at 5daddb2, MIT,
`profiler/perf/*/meta-llama/Llama-3.1-8B/bf16/tp1/skew.csv`). By batch it is uneven: about 0 up to
16 decodes, 17 % (RTX 4090) or 3 % at 32, 10 % at 64, 5 % at 128, 2 % at 256."""

MIXED_SKEW_SHARE: Final = 0.102
"""The same with a prefill beside them: the mean over all 25,364 shots (9.9 and 10.5 %)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionTimes:
    """Measured times of one layer's attention, one entry a batch, each array [rows].

    A batch is one prefill of `chunk_tokens` over `context_tokens` (0 and 0: none) beside
    `decodes_count` decodes that hold `decode_context_tokens` each (0 and 0: none).
    """

    chunk_tokens: IntArray
    context_tokens: IntArray
    decodes_count: IntArray
    decode_context_tokens: IntArray
    attention_s: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionNodes:
    """The axes of the four-way table, rising: every combination must have been measured.

    Decodes alone may have been measured for more sequences than mixed batches: their own axis.
    """

    chunk_tokens: IntArray
    context_tokens: IntArray
    decodes_count: IntArray
    """Of mixed batches, from 1."""
    decode_context_tokens: IntArray
    lone_decodes_count: IntArray
    """Of batches without a prefill, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OperatorProfile:
    """What an operator profiler measured of one model on one accelerator."""

    layers_count: int
    dense_tokens: IntArray
    """[T] rising token counts of `dense_s`."""
    dense_s: FloatArray
    """[T] all operators by tokens, whole model, seconds."""
    sequences_count: IntArray
    """[S] rising sequence counts of `sequences_s`."""
    sequences_s: FloatArray
    """[S] output head and sampler, seconds."""
    attention: AttentionTimes
    nodes: AttentionNodes
    lone_skew_share: float = LONE_SKEW_SHARE
    """What two or more decodes of unlike contexts add to the attention of decodes alone; the
    profile was measured with equal ones. 0 for batches whose contexts are equal."""
    mixed_skew_share: float = MIXED_SKEW_SHARE
    """The same beside a prefill."""


def joint_law(profile: OperatorProfile, *, bucket_tokens: int = 64) -> TimeLaw:
    """Return the law that reads one attention time for prefills and decodes together.

    One iteration takes dense[n] + sequences[d + p] + L attention[c, k, d, K / d], in straight
    lines between the nodes; from two decodes on, attention is longer by the profile's share for
    unlike contexts. The decode context is read at the middle of its bucket of g tokens,
    so that a batch of decodes is constant while it stays there; a chunk shorter than the first
    node takes that node's time.

    Raises:
        FindingsError: naming all cells that are missing or negative, and bad sizes and axes.
    """
    findings = (
        *size_findings(layers_count=profile.layers_count, bucket_tokens=bucket_tokens),
        *share_findings(
            lone_skew_share=profile.lone_skew_share, mixed_skew_share=profile.mixed_skew_share
        ),
        *axis_findings(profile),
        *cell_findings("dense_s", profile.dense_s),
        *cell_findings("sequences_s", profile.sequences_s),
    )
    refuse(findings)
    nodes = profile.nodes
    lone_s, mixed_s = _tables(profile)
    refuse((*cell_findings("lone_decodes_s", lone_s), *cell_findings("mixed_s", mixed_s)))
    decodes = np.concatenate(([0], nodes.decodes_count))
    last_bucket = int(nodes.decode_context_tokens[-1]) // bucket_tokens
    # Bucket b holds contexts (b - 1) g + 1 to b g; its middle stands for all of them.
    middles: FloatArray = (np.arange(last_bucket + 1.0) - 0.5) * bucket_tokens + 0.5
    buckets = places(nodes.decode_context_tokens, middles)
    alone_s = _lone_decodes(nodes, lone_s, middles)
    alone_s[2:] *= 1.0 + profile.lone_skew_share
    mixed_s[:, :, decodes >= 2] *= 1.0 + profile.mixed_skew_share
    return unused_law(bucket_tokens)._replace(
        kind=JOINT,
        dense_s=drawn_between(profile.dense_tokens, profile.dense_s, first_count=1),
        sequences_s=drawn_between(profile.sequences_count, profile.sequences_s, first_count=1),
        decode_s=profile.layers_count * alone_s,
        mixed_s=profile.layers_count * mixed_s,
        chunk_places=places(nodes.chunk_tokens, np.arange(nodes.chunk_tokens[-1] + 1.0)),
        context_places=places(nodes.context_tokens, np.arange(nodes.context_tokens[-1] + 1.0)),
        decodes_places=places(decodes, np.arange(decodes[-1] + 1.0)),
        bucket_places=buckets,
    )


def axis_findings(profile: OperatorProfile) -> tuple[Finding, ...]:
    """Find the axes that do not rise, that miss their start, or whose times do not match."""
    nodes = profile.nodes
    axes = {
        "dense_tokens": (profile.dense_tokens, 1),
        "sequences_count": (profile.sequences_count, 1),
        "chunk_tokens": (nodes.chunk_tokens, 1),
        "context_tokens": (nodes.context_tokens, 0),
        "decodes_count": (nodes.decodes_count, 1),
        "decode_context_tokens": (nodes.decode_context_tokens, 1),
        "lone_decodes_count": (nodes.lone_decodes_count, 1),
    }
    faults = [
        (name, "its nodes must rise, from a first one of at least " + str(least))
        for name, (axis, least) in axes.items()
        if len(axis) == 0 or axis[0] < least or bool((np.diff(axis) <= 0).any())
    ]
    exact = {"context_tokens": 0, "decodes_count": 1, "lone_decodes_count": 1}
    faults += [
        (name, f"its first node must be {first}: what lies below has no time")
        for name, first in exact.items()
        if len(axes[name][0]) and axes[name][0][0] != first
    ]
    lengths = {
        "dense_s": len(profile.dense_s) - len(profile.dense_tokens),
        "sequences_s": len(profile.sequences_s) - len(profile.sequences_count),
    }
    faults += [(name, "it must have a time for each node") for name, gap in lengths.items() if gap]
    return tuple(
        Finding(
            code="LAW_AXIS",
            path=name,
            reason=reason,
            remedy="Give the nodes that were measured, in rising order.",
        )
        for name, reason in faults
    )


def _tables(profile: OperatorProfile) -> tuple[FloatArray, FloatArray]:
    """Return lone decodes [d, x] and mixed batches [c, k, 0 and d, x]; NaN where not measured."""
    nodes, rows = profile.nodes, profile.attention
    at = [
        _index(nodes.chunk_tokens, rows.chunk_tokens),
        _index(nodes.context_tokens, rows.context_tokens),
        _index(nodes.decodes_count, rows.decodes_count),
        _index(nodes.decode_context_tokens, rows.decode_context_tokens),
    ]
    lone = _index(nodes.lone_decodes_count, rows.decodes_count)
    lone_s = np.full((len(nodes.lone_decodes_count), len(nodes.decode_context_tokens)), np.nan)
    here = (rows.chunk_tokens == 0) & (lone >= 0) & (at[3] >= 0)
    lone_s[lone[here], at[3][here]] = rows.attention_s[here]
    shape = (
        len(nodes.chunk_tokens),
        len(nodes.context_tokens),
        1 + len(nodes.decodes_count),
        len(nodes.decode_context_tokens),
    )
    mixed_s = np.full(shape, np.nan)
    prefill = (at[0] >= 0) & (at[1] >= 0)
    # without decodes their context says nothing: the same time all along that axis
    here = prefill & (rows.decodes_count == 0)
    mixed_s[at[0][here], at[1][here], 0, :] = rows.attention_s[here, None]
    here = prefill & (at[2] >= 0) & (at[3] >= 0)
    mixed_s[at[0][here], at[1][here], 1 + at[2][here], at[3][here]] = rows.attention_s[here]
    return lone_s, mixed_s


def _index(nodes: IntArray, values: IntArray) -> IntArray:
    """Return the place of each value among the nodes, -1 where it is none of them."""
    place = np.clip(np.searchsorted(nodes, values), 0, len(nodes) - 1)
    return np.where(nodes[place] == values, place, -1)


def _lone_decodes(nodes: AttentionNodes, lone_s: FloatArray, middles: FloatArray) -> FloatArray:
    """Resample [d, x] to every number of decodes and every bucket: one look-up in a leap."""
    counts = nodes.lone_decodes_count
    by_bucket = np.stack([np.interp(middles, nodes.decode_context_tokens, row) for row in lone_s])
    every = np.arange(int(counts[-1]) + 1.0)
    columns = [np.interp(every, counts, column) for column in by_bucket.T]
    table = np.ascontiguousarray(np.stack(columns, axis=1))
    table[0] = 0.0
    return table

"""An operator profile: three tables of measured times, read into what a joint law is made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.errors import FindingsError
from tokenergy.simulate.joint_law import AttentionNodes, AttentionTimes, OperatorProfile
from tokenergy.simulate.law import FloatArray, IntArray

if TYPE_CHECKING:
    import polars as pl

S_PER_US: Final = 1e-6

ONCE: Final = frozenset({"embedding", "final_layernorm"})
"""Operators that run once an iteration; the others run in every layer."""
TWICE_A_LAYER: Final = frozenset({"layernorm"})
"""Before attention and before the feed-forward part."""
ONCE_A_LAYER: Final = frozenset(
    {"qkv_proj", "rotary_emb", "o_proj", "gate_up_proj", "act_fn", "down_proj"}
)
BY_SEQUENCE: Final = frozenset({"lm_head", "sampler"})

ATTENTION_COLUMNS: Final = (
    "prefill_chunk_tokens", "kv_prefill_tokens", "decode_count", "kv_decode_tokens", "time_us",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFiles:
    """Three CSV files (`.gz` too), each with a column `accelerator`.

    `attention`: one layer's attention, us, by prefill chunk and context, decodes and context.
    `dense`: one call of an operator, us, by tokens in the batch.
    `per_sequence`: output head and sampler, us, by sequences.
    """

    attention: Path
    dense: Path
    per_sequence: Path


def read_operator_profile(
    files: ProfileFiles, *, accelerator: str, layers_count: int
) -> OperatorProfile:
    """Read what was measured on one accelerator.

    The table of attention has its nodes at 0 and the powers of two that were measured, the grid
    that profilers fill. Other rows stay in the profile, as a test of the lines between nodes.

    Raises:
        FindingsError: all of: a missing column, no row for the accelerator, an operator that is
            unknown or measured at other sizes than its fellows.
    """
    attention = _table(files.attention, accelerator, ATTENTION_COLUMNS)
    dense = _table(files.dense, accelerator, ("operator", "tokens", "time_us"))
    heads = _table(files.per_sequence, accelerator, ("operator", "sequences", "time_us"))
    calls = {
        **dict.fromkeys(ONCE, 1),
        **dict.fromkeys(TWICE_A_LAYER, 2 * layers_count),
        **dict.fromkeys(ONCE_A_LAYER, layers_count),
    }
    dense_tokens, dense_s = _summed(files.dense, dense, "tokens", calls)
    sequences_count, sequences_s = _summed(
        files.per_sequence, heads, "sequences", dict.fromkeys(BY_SEQUENCE, 1)
    )
    times = AttentionTimes(
        chunk_tokens=_whole(attention, "prefill_chunk_tokens"),
        context_tokens=_whole(attention, "kv_prefill_tokens"),
        decodes_count=_whole(attention, "decode_count"),
        decode_context_tokens=_whole(attention, "kv_decode_tokens"),
        attention_s=attention["time_us"].to_numpy() * S_PER_US,
    )
    return OperatorProfile(
        layers_count=layers_count,
        dense_tokens=dense_tokens,
        dense_s=dense_s,
        sequences_count=sequences_count,
        sequences_s=sequences_s,
        attention=times,
        nodes=nodes_at_powers_of_two(times),
    )


def nodes_at_powers_of_two(times: AttentionTimes) -> AttentionNodes:
    """Return the axes that were measured at 0 and powers of two."""
    beside_prefill = times.chunk_tokens > 0
    return AttentionNodes(
        chunk_tokens=_powers(times.chunk_tokens),
        context_tokens=np.concatenate(([0], _powers(times.context_tokens))),
        decodes_count=_powers(times.decodes_count[beside_prefill]),
        decode_context_tokens=_powers(times.decode_context_tokens),
        lone_decodes_count=_powers(times.decodes_count[~beside_prefill]),
    )


def _powers(values: IntArray) -> IntArray:
    different = np.unique(values[values > 0])
    powers: IntArray = different[(different & (different - 1)) == 0].astype(np.int64)
    return powers


def _whole(table: "pl.DataFrame", column: str) -> IntArray:
    return table[column].to_numpy().astype(np.int64)


def _table(file: Path, accelerator: str, columns: tuple[str, ...]) -> "pl.DataFrame":
    """Return the rows of one accelerator.

    Raises:
        FindingsError: naming the missing columns, or that there is no such row.
    """
    import polars as pl

    table = pl.read_csv(file)
    missing = [name for name in ("accelerator", *columns) if name not in table.columns]
    if missing:
        raise FindingsError(
            [
                _finding(file, name, "the table has no such column", "Add it to the table.")
                for name in missing
            ]
        )
    rows = table.filter(pl.col("accelerator") == accelerator)
    if rows.is_empty():
        known = ", ".join(sorted(table["accelerator"].unique().to_list()))
        reason = f"no row is of {accelerator!r}, only of {known}"
        raise FindingsError(
            [_finding(file, "accelerator", reason, "Profile this accelerator, or name another.")]
        )
    return rows


def _summed(
    file: Path, table: "pl.DataFrame", size: str, calls: dict[str, int]
) -> tuple[IntArray, FloatArray]:
    """Return sizes, and the seconds of all operators together at each.

    Raises:
        FindingsError: operators that are unknown, absent, or not measured at every size.
    """
    sizes = np.unique(_whole(table, size))
    found = {
        str(name): rows.sort(size)
        for (name,), rows in table.group_by("operator", maintain_order=True)
    }
    findings = [
        _finding(file, name, "nobody knows how often this operator runs", "Leave it out.")
        for name in sorted(set(found) - set(calls))
    ]
    findings += [
        _finding(file, name, "the operator was not measured", "Measure it.")
        for name in sorted(set(calls) - set(found))
    ]
    findings += [
        _finding(
            file, name, "it was not measured once at each size of its fellows", "Measure it there."
        )
        for name, rows in sorted(found.items())
        if not np.array_equal(_whole(rows, size), sizes)
    ]
    if findings:
        raise FindingsError(findings)
    total_s = np.zeros(len(sizes))
    for name, rows in sorted(found.items()):
        total_s += calls[name] * S_PER_US * rows["time_us"].to_numpy()
    return sizes, total_s


def _finding(file: Path, path: str, reason: str, remedy: str) -> Finding:
    return Finding(code="OPERATOR_PROFILE", path=path, reason=reason, remedy=remedy, file=str(file))

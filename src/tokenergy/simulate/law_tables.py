"""Laws from measured tables: the additive form, and how tables become arrays for compiled code."""

from typing import Final

import numpy as np

from tokenergy.company.finding import Finding, errors_of
from tokenergy.errors import FindingsError
from tokenergy.simulate.constant_law import unused_law
from tokenergy.simulate.law import ADDITIVE, FloatArray, IntArray, Places, TimeLaw

OPERATOR_TOKENS: Final = 8
"""Vidur's operators were measured at multiples of 8 tokens; a batch takes the next one up."""

BEYOND_TABLE_SHARE: Final = 0.001
"""Iterations beyond a table's edge that a result may hold without a word."""


def additive_law(
    *,
    layers_count: int,
    linear_s: FloatArray,
    cache_save_s: FloatArray,
    decode_s: FloatArray,
    prefill_s: FloatArray,
    decodes_extra_share: float = 0.1,
    prefills_extra_share: float = 0.1,
    bucket_tokens: int = 64,
) -> TimeLaw:
    """Return the law that adds operators, decode attention and prefill attention (Vidur's form).

    One iteration takes `layers_count` times
    linear[8 ceil(n / 8)] + cache_save[n] + decode[d, b] (1 + f_d if d > 1)
    + prefill[sum of ceil(k_i / g), round(sqrt(sum of c_i^2))] (1 + f_p if p > 1),
    with n tokens, d decodes of mean context bucket b, and p prefills with chunk c_i over k_i.

    Args:
        layers_count: of the model.
        linear_s: [tokens] seconds of one layer's operators; only multiples of 8 are read.
        cache_save_s: [tokens] seconds to write one layer's keys and values.
        decode_s: [decodes, buckets of context] seconds of one layer's decode attention.
        prefill_s: [buckets of context, tokens] seconds of one layer's prefill attention.
        decodes_extra_share: f_d, what more than one decode adds.
        prefills_extra_share: f_p, what more than one prefill adds.
        bucket_tokens: g.

    Raises:
        FindingsError: all cells that are negative or missing, and sizes that are not positive.
    """
    findings = (
        *size_findings(layers_count=layers_count, bucket_tokens=bucket_tokens),
        *share_findings(
            decodes_extra_share=decodes_extra_share, prefills_extra_share=prefills_extra_share
        ),
        *cell_findings("linear_s", linear_s[::OPERATOR_TOKENS]),
        *cell_findings("cache_save_s", cache_save_s),
        *cell_findings("decode_s", decode_s),
        *cell_findings("prefill_s", prefill_s),
    )
    refuse(findings)
    last = min((len(linear_s) - 1) // OPERATOR_TOKENS * OPERATOR_TOKENS, len(cache_save_s) - 1)
    tokens = np.arange(last + 1)
    padded = -(-tokens // OPERATOR_TOKENS) * OPERATOR_TOKENS
    decodes = np.array(decode_s, dtype=np.float64)
    decodes[2:] *= 1.0 + decodes_extra_share
    return unused_law(bucket_tokens)._replace(
        kind=ADDITIVE,
        dense_s=layers_count * (linear_s[padded] + cache_save_s[tokens]),
        decode_s=layers_count * decodes,
        prefill_s=layers_count * np.ascontiguousarray(prefill_s, dtype=np.float64),
        prefills_extra_share=float(prefills_extra_share),
    )


def places(nodes: IntArray, values: FloatArray) -> Places:
    """Return where each value lies between the nodes of an axis, for straight lines between.

    Args:
        nodes: [>= 1] rising numbers that the axis was measured at.
        values: none above the last node; one below the first lies on the first.

    A straight line and not one over log2: on 10,721 measured attention times of an RTX PRO 6000
    that lie between the nodes, lines over log2 are 4.1 % too slow on average (a chord above a
    curve that grows in proportion), straight ones 0.06 % too fast (data/serving).
    """
    if len(nodes) == 1:
        return Places(np.zeros(len(values), dtype=np.int64), np.zeros(len(values)))
    lower = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    width = nodes[lower + 1] - nodes[lower]
    weight = np.clip((values - nodes[lower]) / width, 0.0, 1.0)
    return Places(lower.astype(np.int64), weight.astype(np.float64))


def drawn_between(nodes: IntArray, values_s: FloatArray, *, first_count: int = 0) -> FloatArray:
    """Return [0..last node] seconds, straight lines between measured nodes.

    Below the first node stands its own value, and `first_count` entries at the front are 0.
    """
    drawn = np.interp(np.arange(int(nodes[-1]) + 1), nodes, values_s)
    drawn[:first_count] = 0.0
    return np.ascontiguousarray(drawn, dtype=np.float64)


def cell_findings(name: str, table_s: FloatArray) -> tuple[Finding, ...]:
    """Find the cells of a table that are missing (NaN), infinite or negative."""
    table = np.asarray(table_s, dtype=np.float64)
    if table.size == 0:
        return (
            Finding(
                code="LAW_TABLE_EMPTY",
                path=name,
                reason="the table has no cells",
                remedy="Give the measured times.",
            ),
        )
    bad = ~np.isfinite(table) | (table < 0.0)
    if not bad.any():
        return ()
    first = tuple(int(index) for index in np.argwhere(bad)[0])
    return (
        Finding(
            code="LAW_CELL_UNUSABLE",
            path=f"{name}[{', '.join(map(str, first))}]",
            value=f"{table[first]:g}",
            limit="0",
            unit="s",
            reason=f"{int(bad.sum())} of {table.size} cells are missing or negative, "
            "this one first",
            remedy="Measure them, or leave out the node that they belong to.",
        ),
    )


def beyond_findings(
    beyond_count: int, iterations_count: int, *, path: str = "law"
) -> tuple[Finding, ...]:
    """Find a run of which more than 0.1 % of the iterations lay beyond a table's edge.

    There the law reads the last cell, which is too fast for what is larger.
    """
    if beyond_count <= BEYOND_TABLE_SHARE * iterations_count:
        return ()
    return (
        Finding(
            code="LAW_BEYOND_TABLE",
            path=path,
            value=f"{100.0 * beyond_count / iterations_count:.2f}",
            limit=f"{100.0 * BEYOND_TABLE_SHARE:g}",
            unit="% of iterations",
            reason=f"{beyond_count} of {iterations_count} iterations were larger than anything "
            "that was measured, and took the time of the largest",
            remedy="Measure larger batches and contexts, or limit them in the engine.",
            severity="warning",
        ),
    )


def size_findings(**sizes: int) -> tuple[Finding, ...]:
    """Find the sizes that are not whole numbers of 1 or more."""
    return tuple(
        Finding(
            code="LAW_SIZE",
            path=name,
            value=str(size),
            limit="1",
            reason="it must be a whole number of 1 or more",
            remedy="State what the model or the engine has.",
        )
        for name, size in sizes.items()
        if isinstance(size, bool) or size != int(size) or size < 1
    )


def share_findings(**shares: float) -> tuple[Finding, ...]:
    """Find the shares that are negative or no number."""
    return tuple(
        Finding(
            code="LAW_SHARE",
            path=name,
            value=f"{share:g}",
            limit="0",
            reason="it must be a number of 0 or more",
            remedy="State the overhead as a share, such as 0.1.",
        )
        for name, share in shares.items()
        if not (np.isfinite(share) and share >= 0.0)
    )


def refuse(findings: tuple[Finding, ...]) -> None:
    """Stop at findings of severity error.

    Raises:
        FindingsError: with all of them.
    """
    if errors := errors_of(findings):
        raise FindingsError(errors)

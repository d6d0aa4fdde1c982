"""The compiled time of an iteration against plain Python that was written from the design."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.simulate.constant_law import constant_law
from tokenergy.simulate.joint_law import (
    AttentionNodes,
    AttentionTimes,
    OperatorProfile,
    joint_law,
)
from tokenergy.simulate.law import KeyedLaw, LawKey, TimeLaw, iteration_s
from tokenergy.simulate.law_tables import additive_law

G = 16
LAYERS = 3
RNG = np.random.default_rng(7)
TABLES: dict[str, Any] = {
    "linear_s": RNG.uniform(1e-4, 2e-4, 129),
    "cache_save_s": RNG.uniform(1e-6, 2e-6, 129),
    "decode_s": RNG.uniform(1e-5, 2e-5, (9, 20)),
    "prefill_s": RNG.uniform(1e-5, 3e-5, (12, 121)),
}
ADDITIVE_LAW = additive_law(layers_count=LAYERS, bucket_tokens=G, **TABLES)

CHUNKS, CONTEXTS = np.array([16, 32, 64]), np.array([0, 16, 64])
DECODES, HELD = np.array([1, 2, 4]), np.array([16, 64, 256])
LONE = np.array([1, 2, 4, 8])


def profile_of(attention, *, lone_skew_share=0.0, mixed_skew_share=0.0) -> OperatorProfile:
    """Every cell of the axes above, timed by `attention(c, k, d, x)` in seconds."""
    rows = [(0, 0, d, x) for d in LONE for x in HELD]
    rows += [(c, k, 0, 0) for c in CHUNKS for k in CONTEXTS]
    rows += [(c, k, d, x) for c in CHUNKS for k in CONTEXTS for d in DECODES for x in HELD]
    columns = np.array(rows).T
    return OperatorProfile(
        layers_count=LAYERS,
        dense_tokens=np.array([1, 8, 72]),
        dense_s=np.array([1e-3, 2e-3, 6e-3]),
        sequences_count=np.array([1, 9]),
        sequences_s=np.array([1e-4, 5e-4]),
        attention=AttentionTimes(
            chunk_tokens=columns[0],
            context_tokens=columns[1],
            decodes_count=columns[2],
            decode_context_tokens=columns[3],
            attention_s=np.array([attention(*row) for row in rows]),
        ),
        nodes=AttentionNodes(
            chunk_tokens=CHUNKS,
            context_tokens=CONTEXTS,
            decodes_count=DECODES,
            decode_context_tokens=HELD,
            lone_decodes_count=LONE,
        ),
        lone_skew_share=lone_skew_share,
        mixed_skew_share=mixed_skew_share,
    )


def uneven_s(c: int, k: int, d: int, x: int) -> float:
    """No straight line in any direction, so that a node read in the wrong place shows."""
    return 1e-6 * (1 + c**1.3 + 0.01 * c * k + d * x**0.9 + math.sqrt(c * d))


def timed(law: TimeLaw, decodes=(), prefills=()) -> tuple[float, int]:
    """Time a batch of decode contexts and of (chunk, context) pairs."""
    g = law.bucket_tokens
    return iteration_s(
        law, len(decodes), sum(decodes), len(prefills), sum(c for c, _ in prefills),
        sum(c * c for c, _ in prefills), sum(k for _, k in prefills),
        sum(-(-k // g) for _, k in prefills), float(sum(c * (k + c / 2) for c, k in prefills)),
    )  # fmt: skip


def additive_by_hand_s(decodes, prefills) -> float:
    """Section 2 of the simulator sheet, term by term."""
    n = len(decodes) + sum(c for c, _ in prefills)
    total_s = TABLES["linear_s"][8 * math.ceil(n / 8)] + TABLES["cache_save_s"][n]
    if decodes:
        bucket = math.ceil(math.floor(sum(decodes) / len(decodes)) / G)
        extra = 1.1 if len(decodes) > 1 else 1.0
        total_s += extra * TABLES["decode_s"][len(decodes), bucket]
    if prefills:
        row = sum(math.ceil(k / G) for _, k in prefills)
        column = round(math.sqrt(sum(c * c for c, _ in prefills)))
        extra = 1.1 if len(prefills) > 1 else 1.0
        total_s += extra * TABLES["prefill_s"][row, column]
    return LAYERS * total_s


decode_lists = st.lists(st.integers(1, 300), max_size=8)
prefill_lists = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 48)), max_size=3)


@settings(max_examples=60)
@given(decodes=decode_lists, prefills=prefill_lists)
def test_additive_is_the_sheet_term_by_term(decodes, prefills) -> None:
    if not decodes and not prefills:
        return
    ours_s, beyond = timed(ADDITIVE_LAW, decodes, prefills)
    assert ours_s == pytest.approx(additive_by_hand_s(decodes, prefills), rel=1e-12)
    assert beyond == 0


def between(nodes, x) -> list[tuple[int, float]]:
    """The nodes around x on a straight line, and their weights."""
    low = max((i for i in range(len(nodes) - 1) if nodes[i] <= x), default=0)
    w = min(1.0, max(0.0, (x - nodes[low]) / (nodes[low + 1] - nodes[low])))
    return [(int(nodes[low]), 1 - w), (int(nodes[low + 1]), w)]


def joint_by_hand_s(decodes, prefills, *, lone=0.0, mixed=0.0) -> float:
    n = len(decodes) + sum(c for c, _ in prefills)
    sequences = len(decodes) + len(prefills)
    dense_s = np.interp(n, [1, 8, 72], [1e-3, 2e-3, 6e-3])
    head_s = np.interp(sequences, [1, 9], [1e-4, 5e-4])
    middle = 0.0
    if decodes:
        bucket = math.ceil(sum(decodes) // len(decodes) / G)
        middle = (bucket - 0.5) * G + 0.5
    if not prefills:
        attention_s = sum(
            wd * wx * uneven_s(0, 0, d, x)
            for d, wd in between(LONE, len(decodes))
            for x, wx in between(HELD, middle)
        ) * (1 + lone if len(decodes) > 1 else 1)
        return dense_s + head_s + LAYERS * attention_s
    # one prefill of as many tokens with as many pairs that attend
    c = sum(chunk for chunk, _ in prefills)
    pairs = sum(chunk * (k + chunk / 2) for chunk, k in prefills)
    k = pairs / c - c / 2
    if k < 0:
        c, k = int(math.sqrt(2 * pairs) + 0.5), 0.0
    k = int(k + 0.5)
    attention_s = 0.0
    for cn, wc in between(CHUNKS, c):
        for kn, wk in between(CONTEXTS, k):
            for dn, wd in between([0, *DECODES], len(decodes)):
                for xn, wx in between(HELD, middle):
                    cell_s = uneven_s(cn, kn, dn, xn if dn else 0) * (1 + mixed * (dn > 1))
                    attention_s += wc * wk * wd * wx * cell_s
    return dense_s + head_s + LAYERS * attention_s


@settings(max_examples=60)
@given(
    decodes=st.lists(st.integers(1, 250), max_size=4),
    prefills=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 60)), max_size=3),
)
def test_joint_is_straight_lines_between_nodes(decodes, prefills) -> None:
    if not decodes and not prefills:
        return
    law = joint_law(
        profile_of(uneven_s, lone_skew_share=0.05, mixed_skew_share=0.1), bucket_tokens=G
    )
    ours_s, _ = timed(law, decodes, prefills)
    by_hand_s = joint_by_hand_s(decodes, prefills, lone=0.05, mixed=0.1)
    assert ours_s == pytest.approx(by_hand_s, rel=1e-12)


def test_joint_is_exact_at_every_node() -> None:
    """With a bucket of one token a node's context is its own, and no share is added."""
    law = joint_law(profile_of(uneven_s), bucket_tokens=1)
    rest_s = law.dense_s[:, None] + law.sequences_s[None, :]
    for d in LONE:
        for x in HELD:
            ours_s, beyond = timed(law, [int(x)] * int(d))
            expected_s = rest_s[d, d] + LAYERS * uneven_s(0, 0, int(d), int(x))
            assert (ours_s, beyond) == (pytest.approx(expected_s, rel=1e-13), 0)
    for c in CHUNKS:
        for k in CONTEXTS:
            for d in (0, *DECODES):
                for x in HELD if d else (0,):
                    ours_s, beyond = timed(law, [int(x)] * int(d), [(int(c), int(k))])
                    cell_s = uneven_s(int(c), int(k), int(d), int(x))
                    expected_s = rest_s[d + c, d + 1] + LAYERS * cell_s
                    assert (ours_s, beyond) == (pytest.approx(expected_s, rel=1e-13), 0)


@pytest.mark.parametrize("law", [ADDITIVE_LAW, joint_law(profile_of(uneven_s), bucket_tokens=G)])
@pytest.mark.parametrize("decodes", [1, 3, 8])
def test_decodes_alone_take_one_time_in_a_bucket(law, decodes) -> None:
    """`leap` jumps over all of ((b - 1) g, b g] at once: every K with floor(K / d) in it."""
    for bucket in (1, 2, 7):
        first, last = (bucket - 1) * G + 1, bucket * G
        held = range(first * decodes, (last + 1) * decodes)
        times = {iteration_s(law, decodes, k, 0, 0, 0, 0, 0, 0.0) for k in held}
        assert len(times) == 1
        after = iteration_s(law, decodes, (last + 1) * decodes, 0, 0, 0, 0, 0, 0.0)
        assert after not in times


@pytest.mark.parametrize(
    ("decodes", "prefills"),
    [
        ([16] * 9, []),  # more decodes than the table has
        ([300], []),  # a longer context
        ([], [(40, 0), (40, 0)]),  # more tokens than the operators were measured with
        ([], [(64, 70)]),  # a longer context before the chunk
        ([16] * 6, [(16, 0)]),  # more decodes beside a prefill: 4 were measured
    ],
)
def test_what_is_beyond_the_table_is_counted(decodes, prefills) -> None:
    law = joint_law(profile_of(uneven_s), bucket_tokens=G)
    duration_s, beyond = timed(law, decodes, prefills)
    assert beyond == 1
    assert math.isfinite(duration_s) and duration_s > 0


def test_what_is_beyond_the_additive_table_is_counted() -> None:
    assert timed(ADDITIVE_LAW, [16] * 9)[1] == 1
    assert timed(ADDITIVE_LAW, [320])[1] == 1
    assert timed(ADDITIVE_LAW, [], [(129, 0)])[1] == 1
    assert timed(ADDITIVE_LAW, [], [(8, 200)])[1] == 1
    assert timed(ADDITIVE_LAW, [300] * 8, [(100, 170)])[1] == 0


def test_short_prompts_side_by_side_attend_less_than_one_long_prompt() -> None:
    """Two of 16 tokens attend to 2 x 16 x 8 = 256 pairs, one of 32 to 512.

    256 pairs are those of a chunk of sqrt(512) = 22.6, read as 23.
    """
    law = joint_law(profile_of(uneven_s), bucket_tokens=G)
    two_s, _ = timed(law, [], [(16, 0), (16, 0)])
    weight = (23 - 16) / 16
    attention_s = (1 - weight) * uneven_s(16, 0, 0, 0) + weight * uneven_s(32, 0, 0, 0)
    assert two_s == pytest.approx(law.dense_s[32] + law.sequences_s[2] + LAYERS * attention_s)


def test_constant_takes_its_time() -> None:
    assert timed(constant_law(0.25), [7] * 400, [(5000, 90000)]) == (0.25, 0)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, math.nan, math.inf])
def test_constant_needs_a_time(duration_s) -> None:
    with pytest.raises(InputError, match="more than 0 s"):
        constant_law(duration_s)


KEY = LawKey(
    model="llama-3.1-8b",
    accelerator="H100",
    gpus_count=2,
    precision="bf16",
    engine="vllm",
    version="0.19.0",
)


def test_a_key_that_does_not_match_is_an_error() -> None:
    keyed = KeyedLaw(key=KEY, law=constant_law(1.0), tier="measured", source="by hand")
    assert keyed.law_for(KEY) is keyed.law
    other = LawKey(
        model="llama-3.1-8b",
        accelerator="H200",
        gpus_count=1,
        precision="bf16",
        engine="vllm",
        version="0.19.0",
    )
    with pytest.raises(InputError) as told:
        keyed.law_for(other)
    assert "accelerator H100 instead of H200" in str(told.value)
    assert "gpus_count 2 instead of 1" in str(told.value)
    assert "version" not in str(told.value).split(": ", 1)[1]

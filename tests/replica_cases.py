"""Replicas and requests for tests of the engines: laws by hand, and cases made to be nasty."""

from functools import lru_cache

import numpy as np
from hypothesis import strategies as st

from tokenergy.simulate.constant_law import constant_law, unused_law
from tokenergy.simulate.law import ROOFLINE, TimeLaw
from tokenergy.simulate.law_tables import additive_law
from tokenergy.simulate.replica import ReplicaRequests, ReplicaRuns, ReplicaSpec, StepEnergy

Row = tuple[float, int, int, int, int]
"""(arrival, input, output, cached, previous)"""


def energy(max_batch_count: int) -> StepEnergy:
    """Return joules that differ for every batch, so that a wrong one shows."""
    sizes = np.arange(max_batch_count + 1, dtype=np.float64)
    return StepEnergy(base_j=10.0 + 3.0 * np.sqrt(sizes), decode_j=0.5, prefill_j=0.25, idle_w=7.0)


def spec(**changes: object) -> ReplicaSpec:
    """Return a small replica: 1 s an iteration, blocks of 4 tokens, unless told otherwise."""
    values: dict[str, object] = {
        "law": constant_law(1.0), "kv_blocks_count": 1_000, "watermark_blocks_count": 0,
        "block_tokens": 4, "max_batch_count": 8, "max_batch_tokens": 64,
    }  # fmt: skip
    values |= changes
    values.setdefault("energy", energy(int(values["max_batch_count"])))  # type: ignore[call-overload]
    return ReplicaSpec(**values)  # type: ignore[arg-type]


def requests(*replicas: list[Row]) -> ReplicaRequests:
    """Return requests of one or more replicas; `previous` counts from the replica's first."""
    offsets = np.cumsum([0, *(len(rows) for rows in replicas)])
    rows = [
        (*row[:4], row[4] + int(first) if row[4] >= 0 else -1)
        for first, part in zip(offsets, replicas, strict=False)
        for row in part
    ]
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return ReplicaRequests(
        arrival_s=np.array(columns[0], dtype=np.float64),
        input_tokens=np.array(columns[1], dtype=np.int64),
        output_tokens=np.array(columns[2], dtype=np.int64),
        cached_tokens=np.array(columns[3], dtype=np.int64),
        previous=np.array(columns[4], dtype=np.int64),
        offsets=offsets.astype(np.int64),
    )


@lru_cache
def table_law(seed: int, *, round_to_s: float) -> TimeLaw:
    """Return an additive law with a number of its own in every cell that tests reach.

    Multiples of `round_to_s` make ends of iterations fall on round moments, as arrivals do.
    """
    draw = np.random.default_rng(seed)

    def table(*shape: int) -> np.ndarray:
        return draw.integers(1, 9, shape) * round_to_s

    return additive_law(
        layers_count=1, linear_s=table(2_000), cache_save_s=table(2_000), decode_s=table(64, 130),
        prefill_s=table(600, 900), decodes_extra_share=0.0, prefills_extra_share=1.0,
        bucket_tokens=8,
    )  # fmt: skip


def roofline() -> TimeLaw:
    """Return a law that reads every sum over the prefills that a table does not."""
    return unused_law(bucket_tokens=8)._replace(
        kind=ROOFLINE, fixed_s=0.01, token_s=1e-4, weights_s=0.02, cache_s=1e-5,
        window_tokens=100, pair_s=1e-7,
    )  # fmt: skip


@st.composite
def small_cases(draw: st.DrawFn, *, longest: int = 40) -> tuple[ReplicaSpec, list[Row]]:
    """Draw a replica and its requests: bursts, gaps, arrivals on boundaries, tight pools."""
    law = draw(
        st.one_of(
            st.sampled_from([0.1, 0.5, 1.0]).map(constant_law),
            st.builds(table_law, st.integers(0, 3), round_to_s=st.sampled_from([0.1, 0.25])),
            st.just(roofline()),
        )
    )
    length = st.one_of(st.just(1), st.integers(1, 6), st.integers(1, longest))
    gap_s = st.sampled_from([0.0, 0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 40.0, 1_000.0])
    count = draw(st.integers(1, 14))
    arrival_s = 0.0
    rows: list[Row] = []
    for place in range(count):
        arrival_s = round(arrival_s + draw(gap_s), 6)
        tokens = draw(length)
        cached = draw(st.sampled_from([0, 0, tokens // 2, tokens]))
        previous = draw(st.integers(-1, place - 1)) if draw(st.booleans()) else -1
        rows.append((arrival_s, tokens, draw(length), cached, previous))
    block_tokens = draw(st.sampled_from([1, 3, 4, 16]))
    watermark = draw(st.sampled_from([0, 0, 1, 3]))
    largest = max(-(-(row[1] + row[2]) // block_tokens) for row in rows)
    slack = draw(st.one_of(st.integers(0, 4), st.integers(0, 60)))
    return spec(
        law=law,
        kv_blocks_count=largest + watermark + slack,
        watermark_blocks_count=watermark,
        block_tokens=block_tokens,
        max_batch_count=draw(st.sampled_from([1, 2, 3, 6, 16])),
        max_batch_tokens=draw(st.sampled_from([1, 2, 5, 16, 200])),
        reuses_blocks=draw(st.booleans()),
    ), rows


def assert_same(one: ReplicaRuns, other: ReplicaRuns) -> None:
    """Hold two runs of the same requests to be equal: counts exactly, times to 1e-9 s."""
    for name in ("admitted_s", "first_token_s", "last_token_s", "queue_s", "busy_s", "span_s",
                 "batch_s"):  # fmt: skip
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-13, atol=1e-9, err_msg=name
        )
    for name in ("energy_j", "busy_energy_j", "idle_energy_j", "gap_total_s"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-9, err_msg=name
        )
    for name in ("restarts_count", "computed_tokens", "iterations_count", "kv_high_blocks_count",
                 "kv_left_blocks_count", "beyond_table_count", "batch_iterations_count",
                 "gap_tokens_count"):  # fmt: skip
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)

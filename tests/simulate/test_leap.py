"""The fast engine gives the answer of the reference, also where that is hard."""

import math
import operator
from functools import reduce

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replica_cases import Row, assert_same, requests, small_cases, spec, table_law

from tokenergy.simulate.boundary import has_come
from tokenergy.simulate.constant_law import constant_law
from tokenergy.simulate.replica import ReplicaRequests, ReplicaSpec
from tokenergy.simulate.replicas import simulate_replicas

COMPILES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@settings(COMPILES, max_examples=250)
@given(small_cases(longest=400))
def test_it_is_step(case: tuple[ReplicaSpec, list[Row]]) -> None:
    one, rows = case
    leap = simulate_replicas(one, requests(rows))
    step = simulate_replicas(one, requests(rows), engine="step")
    assert_same(leap, step)
    assert leap.kv_left_blocks_count[0] == 0
    assert 0 < leap.kv_high_blocks_count[0] <= one.kv_blocks_count
    assert leap.finished.all()
    # without an eviction it never needs the other engine, and says so
    handed = leap.engine[0] == "leap+step"
    assert handed == bool(leap.restarts_count.any()) == math.isfinite(leap.handed_over_s[0])


@settings(COMPILES, max_examples=100)
@given(small_cases(longest=120), st.floats(0.0, 300.0))
def test_it_stops_where_step_stops(case: tuple[ReplicaSpec, list[Row]], until_s: float) -> None:
    one, rows = case
    leap = simulate_replicas(one, requests(rows), until_s=until_s)
    step = simulate_replicas(one, requests(rows), engine="step", until_s=until_s)
    assert_same(leap, step)
    whole = simulate_replicas(one, requests(rows), engine="step")
    assert leap.span_s[0] >= until_s
    # an iteration that had begun is finished, and what was done by then stays done
    done = leap.finished
    np.testing.assert_allclose(leap.last_token_s[done], whole.last_token_s[done], atol=1e-9)
    assert (whole.last_token_s[~done] > until_s - 1e-9).all()


@pytest.mark.parametrize("seed", range(6))
def test_it_is_step_over_many_requests(seed: int) -> None:
    """3,000 requests of 1 to 400 tokens, from idle to four times what the replica can do."""
    draw = np.random.default_rng(seed)
    n = 3_000
    arrival_s = np.cumsum(draw.exponential(draw.uniform(0.2, 6.0), n))
    if seed % 2:
        arrival_s = np.floor(arrival_s)  # on boundaries: the law's times are quarters of a second
    asked = ReplicaRequests(
        arrival_s=arrival_s,
        input_tokens=draw.integers(1, 400, n),
        output_tokens=draw.integers(1, 400, n),
        cached_tokens=np.zeros(n, dtype=np.int64),
        offsets=np.array([0, n]),
    )
    one = spec(
        law=table_law(seed, round_to_s=0.25 / 8), block_tokens=16, kv_blocks_count=55 + 60 * seed,
        watermark_blocks_count=2, max_batch_count=32, max_batch_tokens=(8, 64, 512)[seed % 3],
    )  # fmt: skip
    leap, step = (simulate_replicas(one, asked, engine=name) for name in ("leap", "step"))
    assert_same(leap, step)
    if seed == 0:
        assert leap.restarts_count.sum() > 100


def test_half_a_million_additions_do_not_move_a_tie() -> None:
    """Ten iterations of 0.1 s make a second, and requests come on the second, for a long time.

    One replica is busy for 40,000 s without a pause: the sum of 400,000 tenths, plainly added, is
    too low by 3e-7 s by then, seven times what the tie rule allows, and would miss an arrival on
    the boundary. Each of the requests of one token must be served in the very iteration that
    begins when it comes.
    """
    seconds = 40_000
    plainly_s = reduce(operator.add, [0.1] * (10 * seconds))
    assert plainly_s == pytest.approx(seconds - 3e-7, abs=1e-7)
    rows: list[Row] = [(0.0, 1, 10 * seconds, 0, -1)]
    rows += [(float(k), 1, 1, 0, -1) for k in range(1, seconds, 7)]
    one = spec(law=constant_law(0.1), kv_blocks_count=150_000)
    for engine in ("leap", "step"):
        runs = simulate_replicas(one, requests(rows), engine=engine)
        np.testing.assert_allclose(runs.queue_s[1:], 0.0, atol=1e-9)
        np.testing.assert_allclose(runs.ttft_s[1:], 0.1, atol=1e-9)
        assert runs.last_token_s[0] == pytest.approx(seconds, abs=1e-9)


def test_a_head_without_blocks_waits_for_an_end() -> None:
    """A long decode, and prompts of 75 blocks of which only one fits beside it, all waiting.

    12 blocks stay free at an admission, and a prompt and its 10 tokens last 30 iterations, in
    which the two grow by 11 blocks at most: no eviction, so `leap` alone.
    """
    rows: list[Row] = [(0.0, 40, 300, 0, -1)]
    rows += [(0.5 * k, 300, 10, 0, -1) for k in range(1, 60)]
    one = spec(
        law=constant_law(0.05), kv_blocks_count=150, watermark_blocks_count=12, max_batch_tokens=16
    )
    leap, step = (simulate_replicas(one, requests(rows), engine=name) for name in ("leap", "step"))
    assert_same(leap, step)
    assert leap.engine == ("leap",)
    assert leap.queue_s.max() > 30.0


def test_the_tie_rule() -> None:
    """One part in 10^12: at 1,000 s a nanosecond late counts as there, two do not."""
    rule = has_come.py_func  # type: ignore[attr-defined]
    assert rule(1_000.0, 1_000.0)
    assert rule(1_000.0 + 0.9e-9, 1_000.0)
    assert not rule(1_000.0 + 2e-9, 1_000.0)
    assert not rule(math.inf, 1e12)

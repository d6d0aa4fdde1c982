"""The reference engine against the rules told slowly, against queueing theory, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replica_cases import Row, requests, small_cases, spec, table_law
from replica_oracle import Asking, OracleReplica

from tokenergy.simulate.constant_law import constant_law
from tokenergy.simulate.gaps import gap_pairs
from tokenergy.simulate.law import TimeLaw, iteration_s
from tokenergy.simulate.replica import ReplicaRequests, ReplicaRuns, ReplicaSpec
from tokenergy.simulate.replicas import simulate_replicas

COMPILES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def oracle_of(one: ReplicaSpec) -> OracleReplica:
    """Return the oracle for a replica; its law gets lists, and sums them in its own way."""
    law: TimeLaw = one.law

    def seconds(contexts: list[int], prefills: list[tuple[int, int]]) -> float:
        duration_s, _ = iteration_s(
            law,
            len(contexts),
            sum(contexts),
            len(prefills),
            sum(chunk for chunk, _ in prefills),
            sum(chunk**2 for chunk, _ in prefills),
            sum(before for _, before in prefills),
            sum(math.ceil(before / law.bucket_tokens) for _, before in prefills),
            float(sum(chunk * (before + chunk / 2) for chunk, before in prefills)),
        )
        return duration_s

    return OracleReplica(
        law=seconds, blocks=one.kv_blocks_count, block_tokens=one.block_tokens,
        watermark=one.watermark_blocks_count, batch=one.max_batch_count,
        tokens=one.max_batch_tokens, base_j=[float(x) for x in one.energy.base_j],
        decode_j=one.energy.decode_j, prefill_j=one.energy.prefill_j, reuses=one.reuses_blocks,
    )  # fmt: skip


def assert_as_told(oracle: OracleReplica, told: list[Asking], runs: ReplicaRuns) -> None:
    def close(ours: object, theirs: list[object]) -> None:
        np.testing.assert_allclose(ours, [float(x) for x in theirs], rtol=1e-12, atol=1e-9)

    close(runs.admitted_s, [who.admitted for who in told])
    close(runs.first_token_s, [who.token_times[0] for who in told])
    close(runs.last_token_s, [who.token_times[-1] for who in told])
    close(runs.queue_s, [who.queue for who in told])
    close(runs.energy_j, [who.joules for who in told])
    assert runs.restarts_count.tolist() == [who.evictions for who in told]
    assert runs.computed_tokens.tolist() == [who.computed for who in told]
    assert runs.iterations_count.tolist() == [oracle.iterations]
    assert runs.kv_high_blocks_count.tolist() == [oracle.most_used]
    close(runs.busy_s, [oracle.busy])
    close(runs.busy_energy_j, [oracle.energy])
    sizes = np.flatnonzero(runs.batch_iterations_count[0])
    assert {int(b): int(runs.batch_iterations_count[0, b]) for b in sizes} == oracle.batches
    gaps = [
        float(later - sooner)
        for who in told
        for sooner, later in zip(who.token_times, who.token_times[1:], strict=False)
    ]
    assert int(runs.gap_tokens_count.sum()) == len(gaps)
    assert runs.gap_total_s.sum() == pytest.approx(sum(gaps), rel=1e-12)


@settings(COMPILES, max_examples=150)
@given(small_cases())
def test_it_does_what_the_rules_say(case: tuple[ReplicaSpec, list[Row]]) -> None:
    one, rows = case
    oracle = oracle_of(one)
    told = oracle.run(rows)
    assert_as_told(oracle, told, simulate_replicas(one, requests(rows), engine="step"))


def test_one_request_alone_by_hand() -> None:
    """10 prompt tokens in chunks of 4, 4, 2, then 3 decodes, with n, d, b read off the tables.

    Chunk 4 over 0, 4 over 4 (1 bucket of 8), 2 over 8 (1 bucket), then one decode with 11, 12 and
    13 tokens: bucket 2. Linear is read at the next multiple of 8 tokens: 8.
    """
    law = table_law(7, round_to_s=0.25)
    one = spec(law=law, max_batch_tokens=4)
    dense, decode, prefill = law.dense_s, law.decode_s, law.prefill_s
    first_s = 3.0 + dense[4] + prefill[0, 4] + dense[4] + prefill[1, 4] + dense[2] + prefill[1, 2]
    last_s = first_s + 3 * (dense[1] + decode[1, 2])
    runs = simulate_replicas(one, requests([(3.0, 10, 4, 0, -1)]), engine="step")
    assert runs.ttft_s[0] == pytest.approx(first_s - 3.0, abs=1e-12)
    assert runs.e2e_s[0] == pytest.approx(last_s - 3.0, abs=1e-12)
    assert runs.tpot_s[0] == pytest.approx(dense[1] + decode[1, 2], abs=1e-12)
    # six iterations of one sequence at 13 J, 3 decodes at 0.5 J and 10 prompt tokens at 0.25 J
    assert runs.energy_j[0] == pytest.approx(6 * 13.0 + 3 * 0.5 + 10 * 0.25, rel=1e-12)
    assert runs.idle_energy_j[0] == pytest.approx(7.0 * 3.0, rel=1e-12)
    assert runs.kv_high_blocks_count[0] == 4  # the cache holds 13 tokens at the end, 4 a block


def test_a_cached_prefix_needs_no_computing_but_its_blocks() -> None:
    """8 of 10 prompt tokens are cached: one iteration of 2 instead of two of 5; 3 blocks."""
    one = spec(max_batch_tokens=5)
    plain = simulate_replicas(one, requests([(0.0, 10, 1, 0, -1)]), engine="step")
    known = simulate_replicas(one, requests([(0.0, 10, 1, 8, -1)]), engine="step")
    assert (plain.ttft_s[0], known.ttft_s[0]) == (2.0, 1.0)
    assert (plain.computed_tokens[0], known.computed_tokens[0]) == (10, 2)
    assert known.kv_high_blocks_count[0] == plain.kv_high_blocks_count[0] == 3


def test_the_youngest_is_evicted_and_keeps_its_first_token() -> None:
    """Two prompts of 4 in 4 blocks of 4; each needs a second block, then a third, at once.

    Iteration 1 reads both prompts (first tokens at 1 s). Iteration 2: both take a block, none is
    left. 4 tokens fit it, so iterations 2 to 5 pass. At 5 s both hold 8 tokens and need a third:
    the younger goes, with 4 + 5 = 9 tokens to read again, in 3 blocks; it waits until the older
    is done. The older has 9 of its 12 output tokens after iteration 9, and needs a fourth block
    then: it has it. It ends after iteration 12. The younger reads 9 tokens in iteration 13, which
    gives token 6, and ends after six more.
    """
    one = spec(kv_blocks_count=4, max_batch_tokens=64)
    runs = simulate_replicas(
        one, requests([(0.0, 4, 12, 0, -1), (0.0, 4, 12, 0, -1)]), engine="step"
    )
    assert runs.first_token_s.tolist() == [1.0, 1.0]
    assert runs.last_token_s.tolist() == [12.0, 19.0]
    assert runs.restarts_count.tolist() == [0, 1]
    assert runs.queue_s.tolist() == [0.0, 7.0]
    assert runs.computed_tokens.tolist() == [4, 13]
    duration_s, tokens_count = gap_pairs(runs)
    # one gap of 8 s, from 5 s to 13 s; the other 21 tokens came a second after the one before
    assert dict(zip(duration_s.tolist(), tokens_count.tolist(), strict=True)) == {1.0: 21, 8.0: 1}


def test_evicted_blocks_that_nobody_took_are_found_again() -> None:
    """As above, with freed blocks that keep what they hold until they are taken.

    When the younger goes at 5 s, two full blocks of it are free. The older takes the last one at
    once (its third), and the first at 9 s (its fourth): by 12 s nothing is left to be found. If
    each asks for 8 tokens only, the older ends at 8 s with three blocks, and the younger finds
    its first block again: 4 of the 9 tokens to read need no computing.
    """
    one = spec(kv_blocks_count=4, reuses_blocks=True)
    long = [(0.0, 4, 12, 0, -1), (0.0, 4, 12, 0, -1)]
    none_left = simulate_replicas(one, requests(long), engine="step")
    assert none_left.computed_tokens.tolist() == [4, 4 + 9]
    short = [(0.0, 4, 8, 0, -1), (0.0, 4, 8, 0, -1)]
    one_left = simulate_replicas(one, requests(short), engine="step")
    assert one_left.computed_tokens.tolist() == [4, 4 + 9 - 4]


def test_the_next_turn_finds_the_blocks_of_the_turn_before() -> None:
    """A turn of 8 + 5 tokens leaves 12 read, 3 full blocks; the next prompt begins with them."""
    rows = [(0.0, 8, 5, 0, -1), (100.0, 20, 2, 0, 0)]
    runs = simulate_replicas(spec(reuses_blocks=True), requests(rows), engine="step")
    assert runs.computed_tokens.tolist() == [8, 20 - 12]
    assert simulate_replicas(spec(), requests(rows)).computed_tokens.tolist() == [8, 20]


@pytest.mark.parametrize("rho_share", [0.3, 0.6, 0.9])
def test_md1(rho_share: float) -> None:
    """Batch 1, one iteration of S = 1 s each: mean wait rho S / (2 (1 - rho)).

    An arrival inside an iteration is served at its end, as in the queue. Mean and standard error
    over 200 replicas of 2,000 requests, the first 1,000 left out as the queue warms up.
    """
    draw = np.random.default_rng(11)
    replicas, each = 200, 2_000
    arrival_s = np.cumsum(draw.exponential(1.0 / rho_share, (replicas, each)), axis=1)
    ones = np.ones(replicas * each, dtype=np.int64)
    asked = ReplicaRequests(
        arrival_s=arrival_s.ravel(), input_tokens=ones, output_tokens=ones,
        cached_tokens=0 * ones, offsets=np.arange(replicas + 1) * each,
    )  # fmt: skip
    one = spec(max_batch_count=1)
    waits = simulate_replicas(one, asked, engine="step").queue_s.reshape(replicas, each)
    means = waits[:, each // 2 :].mean(axis=1)
    error_s = means.std(ddof=1) / math.sqrt(replicas)
    expected_s = rho_share / (2.0 * (1.0 - rho_share))
    assert abs(means.mean() - expected_s) < 3.0 * error_s
    assert error_s < 0.1 * expected_s


def test_an_overloaded_queue_grows_as_it_must() -> None:
    """rho = 1.25 for 10,000 requests: (rho - 1) / rho of them, 2,000, wait as the last arrives."""
    arrival_s = np.arange(1, 10_001) * 0.8
    ones = np.ones(10_000, dtype=np.int64)
    asked = ReplicaRequests(
        arrival_s=arrival_s, input_tokens=ones, output_tokens=ones, cached_tokens=0 * ones,
        offsets=np.array([0, 10_000]),
    )  # fmt: skip
    runs = simulate_replicas(spec(max_batch_count=1), asked, engine="step")
    waiting = int((runs.admitted_s > arrival_s[-1]).sum())
    assert waiting == pytest.approx(2_000, abs=2)


@settings(COMPILES, max_examples=60)
@given(small_cases(), st.integers(1, 13))
def test_a_request_never_depends_on_later_arrivals(
    case: tuple[ReplicaSpec, list[Row]], cut: int
) -> None:
    """All that happens before the first request that was cut off arrives happens without it too.

    After that it shares iterations with the others, and their times may move.
    """
    one, rows = case
    if cut >= len(rows):
        return
    whole = simulate_replicas(one, requests(rows), engine="step")
    part = simulate_replicas(one, requests(rows[:cut]), engine="step")
    until_s = rows[cut][0]
    for name in ("admitted_s", "first_token_s", "last_token_s"):
        before = getattr(part, name)
        early = before < until_s * (1.0 - 1e-9)
        np.testing.assert_array_equal(getattr(whole, name)[:cut][early], before[early])


def test_with_a_batch_of_one_later_arrivals_change_nothing_at_all() -> None:
    draw = np.random.default_rng(5)
    rows = [
        (float(k), int(draw.integers(1, 30)), int(draw.integers(1, 30)), 0, -1) for k in range(60)
    ]
    one = spec(law=constant_law(0.125), max_batch_count=1)
    whole = simulate_replicas(one, requests(rows), engine="step")
    part = simulate_replicas(one, requests(rows[:30]), engine="step")
    for name in ("admitted_s", "first_token_s", "last_token_s", "energy_j"):
        np.testing.assert_array_equal(getattr(whole, name)[:30], getattr(part, name))

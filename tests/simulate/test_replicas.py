"""Many replicas: nobody's results depend on the others, on threads, or on how they are cut."""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields

import numpy as np
import pytest
from replica_cases import Row, assert_same, requests, roofline, spec, table_law

from tokenergy.api.threads import over_threads
from tokenergy.errors import FindingsError, InputError
from tokenergy.simulate.constant_law import constant_law
from tokenergy.simulate.replica import ReplicaRequests, ReplicaRuns
from tokenergy.simulate.replicas import simulate_replicas

ENGINES = ("leap", "step")


def crowd(seed: int, replicas: int, each: int, *, rate_per_s: float) -> ReplicaRequests:
    """Return requests of 1 to 100 tokens, every replica with another number of them."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, each, replicas)
    counts[0] = 0  # one has nothing to do
    n = int(counts.sum())
    arrival_s = [np.cumsum(draw.exponential(1.0 / rate_per_s, count)) for count in counts]
    return ReplicaRequests(
        arrival_s=np.concatenate(arrival_s),
        input_tokens=draw.integers(1, 100, n),
        output_tokens=draw.integers(1, 100, n),
        cached_tokens=np.zeros(n, dtype=np.int64),
        offsets=np.concatenate(([0], np.cumsum(counts))),
    )


def bits(runs: ReplicaRuns) -> dict[str, bytes]:
    return {
        one.name: value.tobytes()
        for one in fields(runs)
        if isinstance(value := getattr(runs, one.name), np.ndarray)
    }


def backwards(
    function: Callable[[tuple[int, int]], None], parts: Iterable[tuple[int, int]], /
) -> list[None]:
    """Do the last replica first, and one replica at a time."""
    single = [(one, one + 1) for first, last in parts for one in range(first, last)]
    return [function(part) for part in reversed(single)]


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_and_order_change_no_bit(engine: str) -> None:
    asked = crowd(3, 90, 60, rate_per_s=2.0)
    one = spec(law=roofline(), kv_blocks_count=90, watermark_blocks_count=1)
    plain = simulate_replicas(one, asked, engine=engine)
    assert plain.restarts_count.sum() > 50
    for spread in (over_threads, backwards):
        assert bits(simulate_replicas(one, asked, engine=engine, spread=spread)) == bits(plain)


def test_a_replica_alone_does_what_it_does_among_others() -> None:
    asked = crowd(4, 12, 80, rate_per_s=1.0)
    one = spec(law=roofline(), kv_blocks_count=80)
    runs = simulate_replicas(one, asked)
    for replica in range(asked.replicas_count):
        own = asked.of_replica(replica)
        rows: list[Row] = [
            (float(asked.arrival_s[k]), int(asked.input_tokens[k]), int(asked.output_tokens[k]),
             0, -1)
            for k in range(own.start, own.stop)
        ]  # fmt: skip
        alone = simulate_replicas(one, requests(rows))
        np.testing.assert_array_equal(alone.last_token_s, runs.last_token_s[own])
        np.testing.assert_array_equal(alone.energy_j, runs.energy_j[own])
        assert alone.engine[0] == runs.engine[replica]
        assert alone.busy_s[0] == runs.busy_s[replica]


@pytest.mark.parametrize("engine", ENGINES)
def test_joules_close(engine: str) -> None:
    """What requests receive and what the replica draws idle is what it draws, to 1e-9."""
    asked = crowd(5, 40, 200, rate_per_s=1.0)
    one = spec(law=roofline(), kv_blocks_count=120)
    runs = simulate_replicas(one, asked, engine=engine)
    received = np.add.reduceat(
        np.append(runs.energy_j, 0.0), np.minimum(asked.offsets[:-1], len(runs.energy_j))
    )
    received[np.diff(asked.offsets) == 0] = 0.0
    np.testing.assert_allclose(received, runs.busy_energy_j, rtol=1e-9)
    np.testing.assert_allclose(runs.idle_energy_j, 7.0 * (runs.span_s - runs.busy_s), rtol=1e-12)
    # by batch: every iteration of B sequences draws its base, and each token its own
    base_j = runs.batch_iterations_count @ one.energy.base_j
    tokens_j = 0.25 * np.add.reduceat(
        np.append(runs.computed_tokens, 0), np.minimum(asked.offsets[:-1], len(runs.energy_j))
    )
    decodes = runs.gap_tokens_count.sum(axis=1)
    full = (np.diff(asked.offsets) > 0) & (np.array(runs.engine) != "leap+step")
    calm = full & (runs.handed_over_s != runs.handed_over_s)
    if engine == "leap":
        expected_j = (base_j + tokens_j + 0.5 * decodes)[calm]
        np.testing.assert_allclose(runs.busy_energy_j[calm], expected_j, rtol=1e-9)
        assert calm.sum() > 3


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("blocks_count", [60, 5_000])
def test_little(engine: str, blocks_count: int) -> None:
    """From empty to empty: running requests over time, and waiting ones, are sums of times."""
    asked = crowd(6, 20, 150, rate_per_s=1.5)
    one = spec(law=table_law(1, round_to_s=0.01), kv_blocks_count=blocks_count)
    runs = simulate_replicas(one, asked, engine=engine)
    running_s = runs.batch_s @ np.arange(runs.batch_s.shape[1])
    assert (runs.restarts_count.sum() > 0) == (blocks_count == 60)
    evicted_s = runs.queue_s - (runs.admitted_s - asked.arrival_s)
    lived_s = runs.last_token_s - runs.admitted_s - evicted_s
    for replica in range(asked.replicas_count):
        own = asked.of_replica(replica)
        assert running_s[replica] == pytest.approx(lived_s[own].sum(), rel=1e-9)
        # who is in the system at each moment, counted from arrivals and ends alone
        moments = np.concatenate((asked.arrival_s[own], runs.last_token_s[own]))
        signs = np.concatenate((np.ones(len(moments) // 2), -np.ones(len(moments) // 2)))
        order = np.argsort(moments, kind="stable")
        present = np.cumsum(signs[order])[:-1] @ np.diff(moments[order])
        waiting_s = runs.queue_s[own].sum()
        assert present == pytest.approx(running_s[replica] + waiting_s, rel=1e-9, abs=1e-9)


def test_tokens_and_blocks_are_all_accounted_for() -> None:
    asked = crowd(7, 30, 100, rate_per_s=2.0)
    runs = simulate_replicas(spec(law=roofline(), kv_blocks_count=70), asked)
    assert runs.finished.all()
    assert runs.gap_tokens_count.sum() == (asked.output_tokens - 1).sum()
    assert (runs.kv_left_blocks_count == 0).all()
    assert (runs.kv_high_blocks_count <= 70).all()
    assert (runs.busy_s <= runs.span_s + 1e-9).all()
    assert (runs.computed_tokens[runs.restarts_count == 0]
            == asked.input_tokens[runs.restarts_count == 0]).all()  # fmt: skip
    np.testing.assert_array_equal(runs.batch_iterations_count.sum(axis=1), runs.iterations_count)
    np.testing.assert_allclose(runs.batch_s.sum(axis=1), runs.busy_s, rtol=1e-12, atol=1e-12)
    assert set(runs.engine) == {"leap", "leap+step"}
    later = (asked.output_tokens - 1)[asked.output_tokens > 1]
    np.testing.assert_allclose(
        runs.tpot_s[asked.output_tokens > 1] * later,
        (runs.last_token_s - runs.first_token_s)[asked.output_tokens > 1],
    )
    assert np.isnan(runs.tpot_s[asked.output_tokens == 1]).all()


def test_more_blocks_and_a_faster_law_serve_sooner_on_average() -> None:
    """As a rule, over many requests: a single one may well come out later."""
    asked = crowd(8, 30, 150, rate_per_s=1.5)
    means = [
        simulate_replicas(
            spec(law=constant_law(second), kv_blocks_count=blocks), asked
        ).e2e_s.mean()
        for second, blocks in ((0.1, 60), (0.1, 200), (0.05, 200))
    ]
    assert means == sorted(means, reverse=True)


def test_a_stopped_run_tells_what_had_happened() -> None:
    """1 s an iteration: at 4.5 s the iteration that began at 4 s is done, and no other begins.

    The first has 5 of its 9 tokens, the second came too late, and the third was never there.
    """
    asked = requests([(0.0, 4, 9, 0, -1), (4.2, 4, 1, 0, -1), (60.0, 1, 1, 0, -1)], [])
    for engine in ENGINES:
        runs = simulate_replicas(spec(), asked, engine=engine, until_s=4.5)
        assert runs.iterations_count.tolist() == [5, 0]
        assert runs.first_token_s[0] == 1.0
        assert np.isnan(runs.last_token_s).all()
        assert np.isnan(runs.admitted_s[1:]).all()
        assert runs.span_s.tolist() == [5.0, 4.5]
        assert runs.idle_energy_j.tolist() == [0.0, 7.0 * 4.5]
        assert runs.energy_j[0] == pytest.approx(5 * 13.0 + 4 * 0.5 + 4 * 0.25)
        assert runs.busy_energy_j[0] == pytest.approx(runs.energy_j[0])
        assert runs.kv_left_blocks_count.tolist() == [2, 0]


def test_nothing_asked() -> None:
    runs = simulate_replicas(spec(), requests([], []))
    assert runs.span_s.tolist() == [0.0, 0.0]
    assert runs.iterations_count.tolist() == [0, 0]
    assert np.isnan(runs.mean_batch_count).all()


def test_what_could_never_be_served_is_refused_before_anything_runs() -> None:
    """20 blocks of 4, 2 kept free: 72 tokens fit and 73 do not. All faults are told at once."""
    one = spec(kv_blocks_count=20, watermark_blocks_count=2)
    assert simulate_replicas(one, requests([(0.0, 70, 2, 0, -1)])).finished.all()
    rows: list[Row] = [(0.0, 70, 3, 0, -1), (-1.0, 0, 1, 5, 0), (math.nan, 80, 1, 0, 2)]
    with pytest.raises(FindingsError) as caught:
        simulate_replicas(one, requests(rows))
    told = {finding.path: finding for finding in caught.value.findings}
    never = told["requests[0].input_tokens + output_tokens"]
    assert (never.code, never.value, never.limit, never.unit) == (
        "REQUEST_NEVER_FITS", "19", "18", "blocks",
    )  # fmt: skip
    assert "(and 1 more)" in never.reason
    assert set(told) == {
        "requests[0].input_tokens + output_tokens", "requests[1].arrival_s",
        "requests[1].input_tokens", "requests[1].cached_tokens", "requests[2].previous",
    }  # fmt: skip


def test_a_replica_that_cannot_be_is_refused() -> None:
    broken = spec(
        kv_blocks_count=0, max_batch_tokens=0, energy=spec(max_batch_count=4).energy._replace(
            idle_w=-1.0
        ),
    )  # fmt: skip
    with pytest.raises(FindingsError) as caught:
        simulate_replicas(broken, requests([]))
    assert {finding.path for finding in caught.value.findings} == {
        "replica.kv_blocks_count", "replica.max_batch_tokens", "replica.energy.base_j",
        "replica.energy.idle_w",
    }  # fmt: skip


def test_rows_that_are_not_side_by_side_are_refused() -> None:
    asked = requests([(0.0, 1, 1, 0, -1), (1.0, 1, 1, 0, -1)])
    lopsided = ReplicaRequests(
        arrival_s=asked.arrival_s, input_tokens=asked.input_tokens[:1],
        output_tokens=asked.output_tokens + 0.5,  # type: ignore[arg-type]
        cached_tokens=asked.cached_tokens, offsets=np.array([0, 3]),
    )  # fmt: skip
    with pytest.raises(FindingsError) as caught:
        simulate_replicas(spec(), lopsided)
    assert {finding.code for finding in caught.value.findings} == {
        "REQUESTS_SHAPE", "REQUESTS_TYPE", "REQUESTS_OFFSETS",
    }  # fmt: skip
    with pytest.raises(InputError, match="until -1"):
        simulate_replicas(spec(), asked, until_s=-1.0)
    falling = requests([(1.0, 1, 1, 0, -1), (0.0, 1, 1, 0, -1)])
    with pytest.raises(FindingsError, match="behind one that arrives later"):
        simulate_replicas(spec(), falling)
    # two replicas may each begin at 0
    assert_same(
        simulate_replicas(spec(), requests([(1.0, 1, 1, 0, -1)], [(0.0, 1, 1, 0, -1)])),
        simulate_replicas(
            spec(), requests([(1.0, 1, 1, 0, -1)], [(0.0, 1, 1, 0, -1)]), engine="step"
        ),
    )

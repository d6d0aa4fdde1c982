"""What is derived from a run: latencies, the mean batch, and the time between tokens."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replica_cases import requests, spec

from tokenergy.errors import InputError
from tokenergy.simulate.gaps import gap_pairs, weighted_quantile
from tokenergy.simulate.replicas import simulate_replicas


def test_latencies_and_the_mean_batch_by_hand() -> None:
    """1 s an iteration. The first runs from 2 s to 5 s, the second, here at 2.5 s, from 3 s to 5 s.

    One busy second with one sequence and two with two: mean batch 5 / 3.
    """
    runs = simulate_replicas(spec(), requests([(2.0, 4, 3, 0, -1), (2.5, 4, 2, 0, -1)]))
    assert runs.ttft_s.tolist() == [1.0, 1.5]
    assert runs.e2e_s.tolist() == [3.0, 2.5]
    assert runs.tpot_s.tolist() == [1.0, 1.0]
    assert runs.queue_s.tolist() == [0.0, 0.5]
    assert runs.mean_batch_count[0] == pytest.approx(5 / 3)
    base_1_j, base_2_j = 10.0 + 3.0, 10.0 + 3.0 * math.sqrt(2.0)
    assert runs.busy_energy_j[0] == pytest.approx(base_1_j + 2 * base_2_j + 3 * 0.5 + 8 * 0.25)
    assert runs.energy_total_j[0] == pytest.approx(runs.busy_energy_j[0] + 2.0 * 7.0)
    # the first: alone in one iteration, half of two more, its two decodes and four prompt tokens
    assert runs.energy_j[0] == pytest.approx(base_1_j + base_2_j + 2 * 0.5 + 4 * 0.25)


def test_gaps_are_kept_to_a_bin() -> None:
    runs = simulate_replicas(spec(), requests([(0.0, 4, 11, 0, -1)]))
    duration_s, tokens_count = gap_pairs(runs)
    assert (duration_s.tolist(), tokens_count.tolist()) == ([1.0], [10])


def test_a_weighted_quantile_by_hand() -> None:
    """Weights 1, 2, 7 of 10: the first tenth is 3 s, up to three tenths 4 s, the rest 5 s."""
    values, weights = [5.0, 3.0, 4.0], [7, 1, 2]
    assert [weighted_quantile(values, weights, q) for q in (0.0, 0.1, 0.11, 0.3, 0.31, 1.0)] == [
        3.0, 3.0, 4.0, 4.0, 5.0, 5.0,
    ]  # fmt: skip
    assert math.isnan(weighted_quantile([], [], 0.5))
    assert math.isnan(weighted_quantile([1.0], [0], 0.5))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5)), min_size=1), st.floats(0, 1))
def test_a_weighted_quantile_is_that_of_the_values_one_by_one(
    pairs: list[tuple[int, int]], q_share: float
) -> None:
    """By the definition: the least value with a share q at or below it, counted one by one."""
    long = sorted(value for value, weight in pairs for _ in range(weight))
    needed = max(1, math.ceil(q_share * len(long) * (1.0 - 1e-12)))
    assert weighted_quantile(*np.array(pairs).T, q_share) == long[needed - 1]


@pytest.mark.parametrize(
    ("values", "weights", "q_share", "words"),
    [
        ([1.0], [1.0], 1.5, "0..1"),
        ([1.0], [1.0, 2.0], 0.5, "one weight for each"),
        ([math.nan], [1.0], 0.5, "finite"),
        ([1.0], [-1.0], 0.5, "0 or more"),
    ],
)
def test_a_quantile_of_nonsense_is_refused(
    values: list[float], weights: list[float], q_share: float, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        weighted_quantile(values, weights, q_share)

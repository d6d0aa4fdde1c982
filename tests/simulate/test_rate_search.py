"""The search for the largest rate, against queues whose answer is known on paper."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.simulate.rate_search import (
    LEAST_RATE_PER_S,
    Limits,
    Load,
    rate_search,
    searched,
)


def load(rate_per_s: float, ttft_s: float, tpot_s: float = 0.01, *, stable: bool = True) -> Load:
    return Load(
        rate_per_s=rate_per_s,
        ttft_s=(ttft_s,),
        tpot_s=(tpot_s,),
        stable=stable,
        busy_share=0.5,
        mean_batch_count=1.0,
        board_w=100.0,
    )


class Queue:
    """An M/M/1 queue that serves `served_per_s`.

    The 99th percentile of waiting and service is ln(100) / (served - rate); a rate at or above
    `served_per_s` is not stable.
    """

    def __init__(self, *served_per_s: float) -> None:
        self.served_per_s = served_per_s
        self.asked: list[float] = []

    def __call__(self, pairs: Sequence[tuple[int, float]]) -> list[Load]:
        self.asked += [rate for _, rate in pairs]
        return [self.load(self.served_per_s[seed], rate) for seed, rate in pairs]

    @staticmethod
    def load(served_per_s: float, rate_per_s: float) -> Load:
        if rate_per_s >= served_per_s:
            return load(rate_per_s, 1e9, stable=False)
        return load(rate_per_s, math.log(100.0) / (served_per_s - rate_per_s))


def limits(ttft_s: float, tpot_s: float = 1.0) -> Limits:
    return Limits(ttft_limit_s=(ttft_s,), tpot_limit_s=(tpot_s,))


def test_the_largest_rate_of_a_queue_is_the_one_on_paper() -> None:
    """Served 10/s, limit 2 s: ln(100) / (10 - r) = 2 gives r = 10 - 4.6052 / 2 = 7.6974."""
    (bracket,) = searched([rate_search(limits(2.0))], Queue(10.0))
    assert bracket.rate_per_s <= 7.6974 < bracket.beyond.rate_per_s
    assert bracket.beyond.rate_per_s / bracket.rate_per_s <= 1.01
    assert bracket.broken == "ttft"


@given(
    served_per_s=st.floats(0.01, 5000.0),
    # what the limit leaves: from nearly nothing to nearly all of the served rate
    left_share=st.floats(0.05, 0.95),
)
def test_the_bracket_always_holds_the_answer(served_per_s: float, left_share: float) -> None:
    wanted_per_s = served_per_s * left_share
    limit_s = math.log(100.0) / (served_per_s - wanted_per_s)
    queue = Queue(served_per_s)
    (bracket,) = searched([rate_search(limits(limit_s))], queue)
    assert bracket.rate_per_s <= wanted_per_s * (1 + 1e-9)
    assert bracket.beyond.rate_per_s >= wanted_per_s * (1 - 1e-9)
    assert bracket.beyond.rate_per_s <= 1.01 * bracket.rate_per_s
    assert len(queue.asked) == len(set(queue.asked))  # no rate is simulated twice


def test_each_seed_has_its_own_answer_and_one_start() -> None:
    queue = Queue(10.0, 8.0, 12.0)
    brackets = searched([rate_search(limits(2.0)) for _ in range(3)], queue)
    for bracket, served in zip(brackets, (10.0, 8.0, 12.0), strict=True):
        assert bracket.rate_per_s == pytest.approx(served - math.log(100.0) / 2.0, rel=0.011)
    assert queue.asked[:3] == [1.0, 1.0, 1.0]


def test_what_fails_at_any_load_has_no_rate() -> None:
    """Alone, the queue of 10/s takes ln(100) / 10 = 0.46 s: a limit of 0.4 s is out of reach."""
    (bracket,) = searched([rate_search(limits(0.4))], Queue(10.0))
    assert bracket.within is None
    assert bracket.rate_per_s == 0.0
    assert bracket.beyond.rate_per_s <= 2.0 * LEAST_RATE_PER_S


def test_a_rate_without_end_is_a_fault_of_the_law() -> None:
    with pytest.raises(InputError, match="on one replica"):
        searched([rate_search(limits(2.0))], lambda pairs: [load(rate, 0.1) for _, rate in pairs])


@pytest.mark.parametrize(
    ("ttft_s", "tpot_s", "stable", "broken"),
    [
        (0.5, 0.01, True, ""),
        (1.5, 0.01, True, "ttft"),
        (0.5, 0.03, True, "tpot"),
        (1.5, 0.025, True, "ttft"),  # by half against a quarter
        (1.5, 0.04, True, "tpot"),  # by half against twice
        (0.5, 0.01, False, "ttft"),
        (0.5, 0.03, False, "tpot"),
        (math.nan, math.nan, True, ""),
        (1.0, 0.02, True, ""),  # exactly at both
    ],
)
def test_the_limit_that_is_exceeded_most_is_named(
    ttft_s: float, tpot_s: float, stable: bool, broken: str
) -> None:
    held = limits(1.0, 0.02)
    assert held.broken(load(1.0, ttft_s, tpot_s, stable=stable)) == broken


def test_a_network_longer_than_the_limit_leaves_nothing() -> None:
    assert limits(-0.1).broken(load(1.0, 0.001)) == "ttft"


def test_each_class_has_its_own_limits() -> None:
    """0.5 s is well for the second class (2 s), and too long for the first (0.3 s)."""
    both = Limits(ttft_limit_s=(0.3, 2.0), tpot_limit_s=(1.0, 1.0))
    shown = Load(
        rate_per_s=1.0, ttft_s=(0.2, 0.5), tpot_s=(0.01, 0.01), stable=True, busy_share=1.0,
        mean_batch_count=1.0, board_w=1.0,
    )  # fmt: skip
    swapped = Load(
        rate_per_s=1.0, ttft_s=(0.5, 0.2), tpot_s=(0.01, 0.01), stable=True, busy_share=1.0,
        mean_batch_count=1.0, board_w=1.0,
    )  # fmt: skip
    assert both.broken(shown) == ""
    assert both.broken(swapped) == "ttft"

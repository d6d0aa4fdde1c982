"""Regret, spread and tail by hand, ties, worlds that no size can carry, and what always holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.plan.regret import quantile, regrets_of, spread_of, tail_mean

ALIKE = np.full(3, 1 / 3)
NAMES = ("calm", "dear", "growth")


def test_regret_by_hand() -> None:
    """Three plans in three worlds; the best of each world is on the diagonal.

    costs   calm dear growth        regret  calm dear growth   worst   mean cost
    calm     100  180  300          calm       0   30    80      80       193.3
    dear     110  150  280          dear      10    0    60      60       180.0
    growth   140  190  220          growth    40   40     0      40       183.3

    `dear` is cheapest on average; `growth` regrets least at worst.
    """
    costs = np.array([[100, 180, 300], [110, 150, 280], [140, 190, 220]], dtype=float)
    found = regrets_of(NAMES, costs, ALIKE)
    assert found.best_usd.tolist() == [100, 150, 220]
    assert found.regret_usd.tolist() == [[0, 30, 80], [10, 0, 60], [40, 40, 0]]
    assert found.worst_regret_usd.tolist() == [80, 60, 40]
    assert found.mean_regret_usd.tolist() == pytest.approx([110 / 3, 70 / 3, 80 / 3])
    assert found.careful == ("growth",)
    assert found.cheapest == ("dear",)
    told = found.to_dict()
    assert told["plans"][1]["mean_usd"] == pytest.approx(180)
    assert told["plans"][2]["worst_regret_usd"] == 40


def test_how_likely_a_world_is_moves_the_mean_and_not_the_worst() -> None:
    """calm is nearly sure: 0.98 x 100 + 0.01 x 180 + 0.01 x 300 = 102.8 against 112.1."""
    costs = np.array([[100, 180, 300], [110, 150, 280], [140, 190, 220]], dtype=float)
    found = regrets_of(NAMES, costs, np.array([0.98, 0.01, 0.01]))
    assert [each.mean_usd for each in found.spreads] == pytest.approx([102.8, 112.1, 141.3])
    assert found.cheapest == ("calm",)
    assert found.careful == ("growth",)


def test_ties_are_all_named_and_the_one_of_least_mean_cost_comes_first() -> None:
    """Worst regrets 20, 20 and 60; means 130 and 123.3: the second of the tied comes first."""
    costs = np.array([[100, 120, 170], [120, 100, 150], [160, 160, 180]], dtype=float)
    found = regrets_of(NAMES, costs, ALIKE)
    assert found.worst_regret_usd.tolist() == [20, 20, 60]
    assert found.careful == ("dear", "calm")
    same = regrets_of(("a", "b"), np.array([[5.0, 5.0], [5.0, 5.0]]), np.full(2, 0.5))
    assert same.careful == same.cheapest == ("a", "b")


def test_a_better_plan_of_another_world_within_the_gap_is_the_best_known() -> None:
    """The plan of `b` costs 99 in `a`, whose own costs 100: regret is never below 0."""
    found = regrets_of(("a", "b"), np.array([[100.0, 60.0], [99.0, 50.0]]), np.full(2, 0.5))
    assert found.best_usd.tolist() == [99.0, 50.0]
    assert found.regret_usd.tolist() == [[1.0, 10.0], [0.0, 0.0]]


def test_sizes_that_cannot_carry_a_world() -> None:
    costs = np.array([[100.0, np.inf], [110.0, 150.0]])
    found = regrets_of(("small", "large"), costs, np.full(2, 0.5))
    assert found.careful == found.cheapest == ("large",)
    told = found.to_dict()
    assert told["plans"][0]["costs_usd"] == [100.0, None]
    assert told["plans"][0]["worst_regret_usd"] is None
    assert told["plans"][0]["cvar95_usd"] is None
    assert told["plans"][0]["p10_usd"] == 100.0
    each_fails = np.array([[1.0, np.inf], [np.inf, 1.0]])
    assert regrets_of(("a", "b"), each_fails, np.full(2, 0.5)).careful == ()


def test_a_world_that_nobody_holds_for_possible_leaves_the_mean_alone() -> None:
    found = regrets_of(("a", "b"), np.array([[1.0, np.inf], [2.0, 3.0]]), np.array([1.0, 0.0]))
    assert found.spreads[0].mean_usd == 1.0
    assert found.spreads[0].worst_usd == np.inf
    assert found.mean_regret_usd.tolist() == [0.0, 1.0]
    assert found.careful == ("b",)


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        (np.ones((2, 3)), "3 x 3"),
        (np.full((3, 3), np.nan), "no number"),
        (np.array([[1, 2, np.inf]] * 3), "carry the world growth"),
    ],
)
def test_what_is_refused(costs: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        regrets_of(NAMES, costs, ALIKE)


def test_quantiles_by_hand() -> None:
    """Ten worlds alike, 1 to 10: P10 is 1, P90 is 9; with 0.05, 0.85, 0.10 P10 is the middle."""
    ten = np.arange(1.0, 11.0)
    alike = np.full(10, 0.1)
    assert quantile(ten[::-1], alike, 0.1) == 1.0
    assert quantile(ten, alike, 0.9) == 9.0
    assert quantile(ten, alike, 1.0) == 10.0
    three, shares = np.array([30.0, 10.0, 20.0]), np.array([0.10, 0.05, 0.85])
    assert quantile(three, shares, 0.1) == 20.0
    assert quantile(three, shares, 0.9) == 20.0
    assert quantile(three, shares, 0.91) == 30.0


def test_the_tail_by_hand() -> None:
    """Twenty alike: the worst. Forty: the worst two. Eight: 1/8 covers the tail: the worst.

    At 0.02, 0.04, 0.94 the tail of 0.05 takes all of 0.02 and 0.03 of 0.04:
    (0.02 x 500 + 0.03 x 100) / 0.05 = 260.
    """
    assert tail_mean(np.arange(20.0), np.full(20, 0.05)) == pytest.approx(19.0)
    assert tail_mean(np.arange(40.0), np.full(40, 0.025)) == pytest.approx(38.5)
    assert tail_mean(np.arange(8.0), np.full(8, 0.125)) == pytest.approx(7.0)
    values, shares = np.array([500.0, 1.0, 100.0]), np.array([0.02, 0.94, 0.04])
    assert tail_mean(values, shares) == pytest.approx(260.0)
    assert tail_mean(values, shares, 0.0) == pytest.approx(10.0 + 0.94 + 4.0)


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_the_spread_is_in_order(values: list[float], seed: int) -> None:
    """least <= P10 <= P90 <= CVaR of the top tenth; mean <= CVaR95 <= worst; order is nothing."""
    costs = np.array(values)
    shares = np.random.default_rng(seed).dirichlet(np.ones(costs.size))
    spread = spread_of(costs, shares)
    near = 1e-9 * max(1.0, float(np.abs(costs).max()))
    assert costs.min() <= spread.p10_usd <= spread.p90_usd <= spread.worst_usd == costs.max()
    assert spread.mean_usd <= spread.cvar95_usd + near
    assert spread.cvar95_usd <= spread.worst_usd + near
    turned = spread_of(costs[::-1], shares[::-1])
    assert turned.cvar95_usd == pytest.approx(spread.cvar95_usd, abs=near)
    assert spread_of(costs + 7.0, shares).cvar95_usd == pytest.approx(
        spread.cvar95_usd + 7.0, abs=near + 1e-6
    )


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_regret_is_never_negative_and_every_world_has_a_plan_without(n: int, seed: int) -> None:
    costs = np.random.default_rng(seed).uniform(0, 1000, (n, n))
    found = regrets_of([str(at) for at in range(n)], costs, np.full(n, 1 / n))
    assert (found.regret_usd >= 0).all()
    assert (found.regret_usd.min(axis=0) == 0).all()
    least = found.worst_regret_usd.min()
    chosen = int(found.careful[0])
    assert found.worst_regret_usd[chosen] <= least + 1e-3
    assert str(int(found.worst_regret_usd.argmin())) in found.careful

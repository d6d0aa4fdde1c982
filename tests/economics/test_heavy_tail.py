"""Heavy tails against the sheet's table, scipy, Monte Carlo and sums by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tokenergy.economics.heavy_tail import (
    Empirical,
    Lognormal,
    UsageDistribution,
    sigma_of,
    value_classes,
)
from tokenergy.errors import InputError

TAILS = st.floats(0.1, 0.97)
USERS = st.lists(st.floats(0.0, 1e3), min_size=1, max_size=30).filter(lambda xs: max(xs) > 0.01)
SAMPLES_COUNT = 200_000


def tail(share: float, mean_mtok: float = 1.0) -> Lognormal:
    return Lognormal.from_top_tenth_share(share, mean_mtok=mean_mtok)


def of_scipy(held: Lognormal):
    scale = held.mean_mtok * math.exp(-0.5 * held.sigma_ratio**2)
    return stats.lognorm(s=held.sigma_ratio, scale=scale)


def sampled(held: Lognormal, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(SAMPLES_COUNT)
    return held.mean_mtok * np.exp(held.sigma_ratio * z - 0.5 * held.sigma_ratio**2)


def within_3_errors(values: np.ndarray, told: float) -> bool:
    return bool(abs(values.mean() - told) <= 3.0 * values.std() / math.sqrt(values.size))


# ---- the sheet's table, section 4 --------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "sigma", "median", "above", "kept"),
    [
        (0.50, 1.28, 0.44, 0.26, (0.52, 0.70, 0.88)),
        (0.65, 1.67, 0.25, 0.20, (0.40, 0.55, 0.73)),
        (0.80, 2.12, 0.10, 0.14, (0.29, 0.40, 0.55)),
        (0.90, 2.56, 0.04, 0.10, (0.20, 0.28, 0.40)),
    ],
)
def test_the_table_of_the_sheet(
    share: float, sigma: float, median: float, above: float, kept: tuple[float, ...]
) -> None:
    held = tail(share, mean_mtok=7.0)
    assert held.sigma_ratio == pytest.approx(sigma, abs=0.005)
    assert held.median_mtok / 7.0 == pytest.approx(median, abs=0.005)
    assert held.share_above(7.0) == pytest.approx(above, abs=0.005)
    for ratio, told in zip((1.0, 2.0, 5.0), kept, strict=True):
        assert held.kept_share(7.0 * ratio) == pytest.approx(told, abs=0.005)
    assert held.top_tenth_share == pytest.approx(share, abs=1e-12)


# ---- the lognormal against scipy and Monte Carlo -----------------------------------------


@given(TAILS.filter(lambda share: share > 0.11), st.floats(0.01, 30.0))
def test_shares_and_quantiles_are_those_of_scipy(share: float, ratio: float) -> None:
    held = tail(share, mean_mtok=3.0)
    other = of_scipy(held)
    assert held.mean_mtok == pytest.approx(other.mean(), rel=1e-9)
    assert held.median_mtok == pytest.approx(other.median(), rel=1e-9)
    assert held.share_above(3.0 * ratio) == pytest.approx(other.sf(3.0 * ratio), rel=1e-7)
    below = held.share_above(3.0 * ratio)
    if 1e-6 < below < 1.0 - 1e-6:
        assert held.quantile_mtok(1.0 - below) == pytest.approx(3.0 * ratio, rel=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_expectations_are_those_of_scipys_integrals(share: float) -> None:
    held = tail(share, mean_mtok=2.0)
    other = of_scipy(held)
    above = other.expect(lambda x: x, lb=3.0, limit=200)
    assert held.tokens_above_share(3.0) == pytest.approx(above / 2.0, rel=1e-6)
    below = other.expect(lambda x: x, lb=0.0, ub=3.0)
    assert held.kept_share(3.0) == pytest.approx((below + 3.0 * other.sf(3.0)) / 2.0, rel=1e-6)


@pytest.mark.parametrize(("share", "seed"), [(0.3, 1), (0.5, 2), (0.8, 3)])
def test_closed_forms_lie_within_3_errors_of_monte_carlo(share: float, seed: int) -> None:
    held = tail(share)
    x = sampled(held, seed)
    assert within_3_errors(np.minimum(x, 2.0), held.kept_share(2.0))
    assert within_3_errors(np.where(x <= 2.0, x, 0.0), 1.0 - held.tokens_above_share(2.0))
    assert within_3_errors((x > 2.0).astype(float), held.share_above(2.0))
    for cap in (1.5, 3.0, 8.0):
        margin = 1.2 - 0.6 * np.minimum(x, cap)  # turns at 2
        split = held.margin(fixed_usd=1.2, usd_per_mtok=0.6, cap_mtok=cap)
        assert within_3_errors(np.maximum(0.0, -margin), split.loss_usd_per_user)
        assert within_3_errors(np.maximum(0.0, margin), split.gain_usd_per_user)
        assert within_3_errors((margin < 0.0).astype(float), split.unprofitable_share)


def test_a_margin_without_a_cap_is_the_mean_price_less_the_mean_cost() -> None:
    split = tail(0.8, mean_mtok=10.0).margin(fixed_usd=20.0, usd_per_mtok=0.7)
    assert split.mean_usd_per_user == pytest.approx(20.0 - 7.0, rel=1e-12)


def test_even_usage_is_everyones() -> None:
    """A top tenth of a tenth: all use 4 Mtok. At 0.6 USD/Mtok they cost 2.4 each."""
    held = tail(0.1, mean_mtok=4.0)
    assert held.sigma_ratio == 0.0
    assert (held.median_mtok, held.quantile_mtok(0.99), held.top_tenth_share) == (
        4.0,
        4.0,
        pytest.approx(0.1),
    )
    assert (held.share_above(3.9), held.share_above(4.0)) == (1.0, 0.0)
    assert (held.tokens_above_share(3.9), held.tokens_above_share(4.0)) == (1.0, 0.0)
    assert (held.kept_share(1.0), held.kept_share(4.0), held.kept_share(9.0)) == (0.25, 1.0, 1.0)
    assert held.lorenz_share(0.3) == 0.3
    poor, rich = (held.margin(fixed_usd=usd, usd_per_mtok=0.6) for usd in (2.0, 3.0))
    assert (poor.unprofitable_share, poor.gain_usd_per_user) == (1.0, 0.0)
    assert poor.loss_usd_per_user == pytest.approx(0.4)
    assert (rich.unprofitable_share, rich.loss_usd_per_user) == (0.0, 0.0)


# ---- a ledger's users, by hand -----------------------------------------------------------


def test_four_users_by_hand() -> None:
    """1, 2, 3 and 10 Mtok: 16 in all, mean 4, median 2.5.

    Above 2: two users with 13 of 16. Capped at 3: 1 + 2 + 3 + 3 = 9 of 16. The lightest half asks
    for 3 of 16; the heaviest tenth is 0.4 of the last user: 4 of 16.
    A price of 6 at 2 USD/Mtok turns at 3: margins 4, 2, 0 and -14.
    """
    held = Empirical((10.0, 1.0, 3.0, 2.0))
    assert (held.users_count, held.mean_mtok, held.median_mtok) == (4, 4.0, 2.5)
    assert (held.share_above(2.0), held.tokens_above_share(2.0)) == (0.5, 13 / 16)
    assert (held.kept_share(3.0), held.lorenz_share(0.5)) == (9 / 16, 3 / 16)
    assert held.top_tenth_share == pytest.approx(4 / 16)
    assert [held.quantile_mtok(p) for p in (0.25, 0.26, 0.5, 1.0)] == [1.0, 2.0, 2.0, 10.0]
    split = held.margin(fixed_usd=6.0, usd_per_mtok=2.0)
    assert (split.unprofitable_share, split.loss_usd_per_user, split.gain_usd_per_user) == (
        0.25,
        14 / 4,
        6 / 4,
    )
    capped = held.margin(fixed_usd=6.0, usd_per_mtok=2.0, cap_mtok=3.0)
    assert (capped.unprofitable_share, capped.loss_usd_per_user) == (0.0, 0.0)
    assert capped.mean_usd_per_user == 6 / 4


@given(USERS, st.floats(0.0, 50.0), st.floats(0.0, 5.0), st.floats(0.0, 500.0))
def test_a_margin_is_the_sum_over_users(
    users: list[float], fixed: float, cost: float, cap: float
) -> None:
    margins = [fixed - cost * min(x, cap) for x in users]
    split = Empirical(tuple(users)).margin(fixed_usd=fixed, usd_per_mtok=cost, cap_mtok=cap)
    loss, gain = sum(-m for m in margins if m < 0), sum(m for m in margins if m > 0)
    near = {"rel": 1e-9, "abs": 1e-9}
    assert split.loss_usd_per_user == pytest.approx(loss / len(users), **near)
    assert split.gain_usd_per_user == pytest.approx(gain / len(users), **near)


@given(USERS, st.randoms(use_true_random=False), st.floats(0.0, 500.0))
def test_the_order_of_users_means_nothing(users: list[float], shuffle, mtok: float) -> None:
    other = list(users)
    shuffle.shuffle(other)
    one, two = Empirical(tuple(users)), Empirical(np.array(other))
    for ask in (
        lambda d: (d.mean_mtok, d.median_mtok, d.top_tenth_share),
        lambda d: (d.share_above(mtok), d.tokens_above_share(mtok), d.kept_share(mtok)),
        lambda d: (d.lorenz_share(0.37), d.quantile_mtok(0.37)),
        lambda d: d.margin(fixed_usd=3.0, usd_per_mtok=0.7, cap_mtok=mtok),
    ):
        assert ask(one) == ask(two)


def test_many_users_of_a_lognormal_look_like_it() -> None:
    held, users = tail(0.5), Empirical(sampled(tail(0.5), 4))
    assert users.top_tenth_share == pytest.approx(held.top_tenth_share, abs=0.01)
    assert users.kept_share(2.0) == pytest.approx(held.kept_share(2.0), abs=0.01)
    assert users.median_mtok == pytest.approx(held.median_mtok, rel=0.01)
    assert users.lorenz_share(0.7) == pytest.approx(held.lorenz_share(0.7), abs=0.01)


# ---- what holds for both -----------------------------------------------------------------


@st.composite
def distributions(draw) -> UsageDistribution:
    if draw(st.booleans()):
        return Empirical(tuple(draw(USERS)))
    return tail(draw(TAILS), draw(st.floats(0.1, 100.0)))


@given(distributions(), st.floats(0.0, 300.0), st.floats(0.0, 300.0))
def test_a_higher_bar_leaves_fewer_above_and_a_higher_cap_keeps_more(
    held: UsageDistribution, one: float, two: float
) -> None:
    low, high = sorted((one, two))
    assert held.share_above(low) >= held.share_above(high)
    assert held.tokens_above_share(low) >= held.tokens_above_share(high)
    assert held.kept_share(low) <= held.kept_share(high) + 1e-12
    assert held.kept_share(high) <= min(1.0, high / held.mean_mtok) + 1e-12


@given(distributions(), st.floats(0.0, 300.0))
def test_what_a_cap_keeps_is_the_light_ones_and_the_cap_of_the_others(
    held: UsageDistribution, cap: float
) -> None:
    light = 1.0 - held.tokens_above_share(cap)
    others = held.share_above(cap) * cap / held.mean_mtok
    assert held.kept_share(cap) == pytest.approx(light + others, rel=1e-9, abs=1e-12)


@given(distributions(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_lorenz_lies_below_the_diagonal_and_rises(
    held: UsageDistribution, one: float, two: float
) -> None:
    low, high = sorted((one, two))
    assert held.lorenz_share(low) <= low + 1e-12
    assert held.lorenz_share(low) <= held.lorenz_share(high) + 1e-12
    assert (held.lorenz_share(0.0), held.lorenz_share(1.0)) == (0.0, 1.0)


@given(distributions(), st.floats(0.0, 100.0), st.floats(1e-6, 10.0))
def test_nobody_loses_whom_a_cap_keeps_at_break_even(
    held: UsageDistribution, price: float, cost: float
) -> None:
    before = held.margin(fixed_usd=price, usd_per_mtok=cost)
    after = held.margin(fixed_usd=price, usd_per_mtok=cost, cap_mtok=price / cost)
    assert after.unprofitable_share == 0.0
    assert after.loss_usd_per_user == pytest.approx(0.0, abs=1e-9 * (1.0 + price))
    # Capped users bring nothing: what the cap saves is what they lost.
    near = {"rel": 1e-6, "abs": 1e-9 * (1.0 + price)}
    saved = after.mean_usd_per_user - before.mean_usd_per_user
    assert saved == pytest.approx(before.loss_usd_per_user, **near)


def test_a_price_below_nothing_loses_on_everyone() -> None:
    for held in (tail(0.8), Empirical((1.0, 2.0))):
        split = held.margin(fixed_usd=-1.0, usd_per_mtok=0.5)
        assert (split.unprofitable_share, split.gain_usd_per_user) == (1.0, 0.0)
        free = held.margin(fixed_usd=1.0, usd_per_mtok=0.0)
        assert (free.unprofitable_share, free.mean_usd_per_user) == (0.0, 1.0)


# ---- classes of value --------------------------------------------------------------------


@given(TAILS, st.integers(1, 40), st.integers(1, 12))
def test_classes_have_a_mean_of_1_and_rise(share: float, count: int, tail_count: int) -> None:
    classes = value_classes(share, count, tail_count=tail_count)
    assert len(classes) == count + tail_count - 1
    assert math.fsum(c.requests_share for c in classes) == pytest.approx(1.0, abs=1e-14)
    mean = math.fsum(c.requests_share * c.value_ratio for c in classes)
    assert mean == pytest.approx(1.0, abs=1e-14)
    ratios = [c.value_ratio for c in classes]
    assert all(a <= b + 1e-9 for a, b in pairwise(ratios))


def test_classes_are_worth_their_conditional_means() -> None:
    """Fifths of a sorted sample, and its last fifth halved, against the closed form."""
    x = np.sort(sampled(tail(0.5), 5))
    classes = value_classes(0.5, 5, tail_count=2)
    assert [c.requests_share for c in classes] == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.1, 0.1])
    ends = (SAMPLES_COUNT * np.cumsum([0.0, *(c.requests_share for c in classes)])).round()
    for each, first, last in zip(classes, ends[:-1], ends[1:], strict=True):
        part = x[int(first) : int(last)]
        assert each.value_ratio == pytest.approx(part.mean(), rel=0.02)
    assert classes[-1].value_ratio * 0.1 == pytest.approx(0.5, abs=1e-12)  # the top tenth's half


def test_a_fine_tail_holds_the_spread_of_the_values() -> None:
    """Var X / mean^2 = exp(sigma^2) - 1 = 4.17 at a top tenth of a half."""
    spread = math.expm1(sigma_of(0.5) ** 2)
    assert spread == pytest.approx(4.17, abs=0.01)
    held = [
        math.fsum(c.requests_share * c.value_ratio**2 for c in value_classes(0.5, 20, tail_count=n))
        - 1.0
        for n in (1, 12)
    ]
    assert held[0] < 0.6 * spread
    assert 0.9 * spread < held[1] < spread


def test_even_values_are_all_1() -> None:
    assert {c.value_ratio for c in value_classes(0.1, 7, tail_count=3)} == {1.0}


# ---- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.09, 1.0, math.nan])
def test_a_top_tenth_holds_from_a_tenth_to_below_all(share: float) -> None:
    with pytest.raises(InputError, match="top tenth holds from"):
        tail(share)


def test_faults_of_a_lognormal_are_told_at_once() -> None:
    with pytest.raises(InputError, match=r"mean_mtok is 0 Mtok.*sigma_ratio is -1"):
        Lognormal(mean_mtok=0.0, sigma_ratio=-1.0)


@pytest.mark.parametrize("users", [(), (0.0, 0.0), (1.0, -1.0), (1.0, math.nan), (math.inf,)])
def test_users_without_usage_are_refused(users: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="give at least one user with tokens"):
        Empirical(users)


def test_shares_caps_and_costs_out_of_range_are_refused() -> None:
    for held in (tail(0.5), Empirical((1.0, 2.0))):
        with pytest.raises(InputError, match="lies from 0 to 1"):
            held.quantile_mtok(1.1)
        with pytest.raises(InputError, match="lies from 0 to 1"):
            held.lorenz_share(-0.1)
        with pytest.raises(InputError, match="a cap of -1 Mtok"):
            held.kept_share(-1.0)
        with pytest.raises(InputError, match="a cost of -1 USD/Mtok"):
            held.margin(fixed_usd=1.0, usd_per_mtok=-1.0)
    with pytest.raises(InputError, match="0 classes"):
        value_classes(0.5, 0)

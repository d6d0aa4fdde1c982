"""Negative scale: the economics sheet's own toy, break-even by hand, and what must never move."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.economics.negative_scale import (
    TOY_AI,
    TOY_SAAS,
    Audience,
    PowerBlock,
    Scale,
    ToyCompany,
    break_even_conversion,
    marginal_usd_per_user_year,
    scale_at,
)

NOBODY = Audience(paid_share=0.0, price_usd_per_user_year=0.0, free_usd_per_user_year=0.0)

money = st.floats(0, 1e3, allow_subnormal=False)


@st.composite
def toys(draw):
    prices = sorted(draw(st.lists(st.floats(1, 300), min_size=1, max_size=4)))
    sizes = [draw(st.floats(0.1, 50)) for _ in prices[1:]] + [math.inf]
    return ToyCompany(
        fixed_usd_per_year=draw(st.floats(0, 1e7)),
        other_usd_per_user_year=draw(st.floats(0.01, 10)),
        mwh_per_mtok=draw(st.floats(1e-4, 1e-2)),
        mtok_per_user_month=draw(st.floats(0.01, 3)),
        blocks=tuple(
            PowerBlock(size_mw=size, usd_per_mwh=price)
            for size, price in zip(sizes, prices, strict=True)
        ),
    )


@pytest.mark.parametrize(
    ("toy", "users", "average", "elasticity"),
    [
        (TOY_SAAS, 1e5, 50.0, 0.00),
        (TOY_SAAS, 1e6, 5.0, 0.00),
        (TOY_SAAS, 1e7, 0.52, 0.04),
        (TOY_SAAS, 1e8, 0.07, 0.29),
        (TOY_AI, 1e5, 52.6, 0.05),
        (TOY_AI, 1e6, 7.6, 0.35),
        (TOY_AI, 1e7, 3.14, 0.84),
        (TOY_AI, 1e8, 2.72, 1.00),
    ],
)
def test_the_table(toy: ToyCompany, users: float, average: float, elasticity: float) -> None:
    at = scale_at(toy.cost_usd_per_year, NOBODY, users)
    digits = 1 if average > 4 else 2
    assert at.average_usd_per_user_year == pytest.approx(average, abs=0.6 * 10**-digits)
    assert at.elasticity_ratio == pytest.approx(elasticity, abs=0.0051)


def test_ten_million_users_by_hand() -> None:
    """A user asks for 3.6 Mtok a year: 2.52 USD of GPU, 3.6 / 1100 MWh at 35 are 0.114545.

    MC 2.634545; AC that and 5e6 / 1e7 = 3.134545; eps 0.84049. SaaS: 0.02 / 0.52 = 0.03846.
    """
    ai = scale_at(TOY_AI.cost_usd_per_year, NOBODY, 1e7)
    assert ai.marginal_usd_per_user_year == pytest.approx(2.634545, abs=1e-6)
    assert ai.elasticity_ratio == pytest.approx(0.84049, abs=1e-5)
    saas = scale_at(TOY_SAAS.cost_usd_per_year, NOBODY, 1e7)
    assert saas.elasticity_ratio == pytest.approx(0.03846, abs=1e-5)


def test_a_block_ends_where_its_megawatts_do() -> None:
    """20 MW x 8760 h / (3.6 / 1100 MWh) = 53.53 M users; then a user costs 60 instead of 35."""
    edge = TOY_AI.edges_count[0]
    assert edge == pytest.approx(53.533e6, rel=1e-5)
    step = TOY_AI.next_usd_per_user_year(edge) - TOY_AI.next_usd_per_user_year(edge, fewer=True)
    assert step == pytest.approx(25 * 3.6 / 1100)
    assert TOY_SAAS.next_usd_per_user_year(1e6) == 0.02
    assert TOY_AI.next_usd_per_user_year(1e12) == pytest.approx(2.52 + 160 * 3.6 / 1100)


@pytest.mark.parametrize(
    ("brings", "fixed", "negative", "diseconomies"),
    [(3.0, 5e6, False, False), (1.0, 5e6, True, False), (3.0, 0.0, False, True),
     (1.0, 0.0, True, True)],
)  # fmt: skip
def test_both_questions_have_their_own_answer(
    brings: float, fixed: float, negative: bool, diseconomies: bool
) -> None:
    """At 60 M users power is on its second block: without fixed cost AC lies below MC."""
    toy = replace(TOY_AI, fixed_usd_per_year=fixed)
    at = scale_at(toy.cost_usd_per_year, replace(NOBODY, free_usd_per_user_year=brings), 6e7)
    assert (at.negative_scale, at.diseconomies) == (negative, diseconomies)
    assert ("more than it brings: growth makes the loss larger" in at.sentence()) == negative
    assert ("does not rise" in at.sentence()) != diseconomies
    assert at.to_dict()["negative_scale"] is negative


def test_growth_may_take_from_a_profit_too() -> None:
    """A user costs 2 and brings 1, while the company earns 7e6: there is no loss to grow."""
    at = Scale(
        users_count=1e6,
        average_usd_per_user_year=1.0,
        marginal_usd_per_user_year=2.0,
        revenue_usd_per_user_year=1.0,
        profit_usd_per_year=7e6,
    )
    assert at.negative_scale
    assert "growth takes from the profit" in at.sentence()


def test_rounding_below_nothing_is_told_as_nothing() -> None:
    """Where the next user is refused, its cost is the rounding of a difference: 0.00, not -0.00."""
    at = Scale(
        users_count=1e6,
        average_usd_per_user_year=2.0,
        marginal_usd_per_user_year=-3e-12,
        revenue_usd_per_user_year=-1e-12,
        profit_usd_per_year=-2e6,
    )
    assert "costs 0.00 USD a year and brings 0.00," in at.sentence()
    even = break_even_conversion(
        price_usd_per_user=5.0,
        free_revenue_usd_per_user=2.0,
        paid_cost_usd_per_user=1.0,
        free_cost_usd_per_user=2.0,
    )
    assert "a free one 0.00" in even.sentence


def test_profit_is_revenue_less_cost() -> None:
    """1e6 users, 5 % at 240, the rest at 0.5: 12.475 a user; cost 5e6 + 2.634545e6."""
    who = Audience(paid_share=0.05, price_usd_per_user_year=240, free_usd_per_user_year=0.5)
    at = scale_at(TOY_AI.cost_usd_per_year, who, 1e6)
    assert at.profit_usd_per_year == pytest.approx(12.475e6 - 7.634545e6, abs=1)


def test_break_even_by_hand() -> None:
    """(2.64 - 0.5) / (240 - 0.5) = 0.893 %; a payer who costs 40: 2.14 / (200 + 2.14) = 1.059 %."""
    figures = {"price_usd_per_user": 240, "free_revenue_usd_per_user": 0.5}
    same = break_even_conversion(
        **figures, paid_cost_usd_per_user=2.64, free_cost_usd_per_user=2.64
    )
    assert same.case == "breaks_even"
    assert same.conversion_share == pytest.approx(2.14 / 239.5)
    assert same.finding is None
    assert "0.89%" in same.sentence
    dear = break_even_conversion(**figures, paid_cost_usd_per_user=40, free_cost_usd_per_user=2.64)
    assert dear.conversion_share == pytest.approx(2.14 / 202.14)


@pytest.mark.parametrize(
    ("price", "free", "paid_cost", "free_cost", "case", "words"),
    [
        (10, 3, 2, 2, "always_profitable", "at any conversion"),
        (10, 0, 12, 5, "none_suffices", "not even if everybody paid"),
        (10, 0, 40, 5, "none_helps", "both lose"),
        (10, 3, 9, 1, "none_helps", "both pay for themselves"),
        (10, 3, 30, 1, "none_helps", "the paying users are the loss"),
        (5, 5, 7, 7, "none_helps", "both lose"),  # p = a, equal costs: the sheet's NO_BREAKEVEN
    ],
)
def test_no_share_where_none_breaks_even(
    price: float, free: float, paid_cost: float, free_cost: float, case: str, words: str
) -> None:
    answer = break_even_conversion(
        price_usd_per_user=price,
        free_revenue_usd_per_user=free,
        paid_cost_usd_per_user=paid_cost,
        free_cost_usd_per_user=free_cost,
    )
    assert answer.case == case
    assert answer.conversion_share is None
    assert words in answer.sentence
    assert (answer.finding is None) == (case == "always_profitable")
    if answer.finding is not None:
        assert answer.finding.code == "NO_BREAKEVEN"


@given(price=money, free=money, paid_cost=money, free_cost=money)
def test_each_case_is_what_it_says(
    price: float, free: float, paid_cost: float, free_cost: float
) -> None:
    """Held against the profit of a user itself, at conversions from none to all."""
    answer = break_even_conversion(
        price_usd_per_user=price,
        free_revenue_usd_per_user=free,
        paid_cost_usd_per_user=paid_cost,
        free_cost_usd_per_user=free_cost,
    )

    def profit(share: float) -> float:
        return share * (price - paid_cost) + (1 - share) * (free - free_cost)

    every = [profit(at / 20) for at in range(21)]
    match answer.case:
        case "breaks_even":
            assert answer.conversion_share is not None
            assert 0 < answer.conversion_share <= 1
            assert profit(answer.conversion_share) == pytest.approx(0, abs=1e-9)
        case "always_profitable":
            assert min(every) >= 0
            assert answer.formula_ratio is not None
            assert answer.formula_ratio <= 0
        case "none_suffices":
            assert max(every) < 0
            assert answer.formula_ratio is not None
            assert answer.formula_ratio >= 1
        case "none_helps":
            assert profit(1) <= profit(0) + 1e-9


@given(toy=toys(), users=st.floats(1e3, 1e9), factor=st.floats(0.01, 100))
def test_cost_is_homogeneous_in_money(toy: ToyCompany, users: float, factor: float) -> None:
    dearer = replace(
        toy,
        fixed_usd_per_year=factor * toy.fixed_usd_per_year,
        other_usd_per_user_year=factor * toy.other_usd_per_user_year,
        blocks=tuple(replace(b, usd_per_mwh=factor * b.usd_per_mwh) for b in toy.blocks),
    )
    cost = toy.cost_usd_per_year(users)
    assert dearer.cost_usd_per_year(users) == pytest.approx(factor * cost)
    before = scale_at(toy.cost_usd_per_year, NOBODY, users).elasticity_ratio
    after = scale_at(dearer.cost_usd_per_year, NOBODY, users).elasticity_ratio
    assert after == pytest.approx(before, rel=1e-6)


@given(toy=toys(), users=st.floats(1e3, 1e9))
def test_twice_of_everything_costs_the_same_per_user(toy: ToyCompany, users: float) -> None:
    """Users, blocks and what is fixed doubled."""
    double = replace(
        toy,
        fixed_usd_per_year=2 * toy.fixed_usd_per_year,
        blocks=tuple(replace(b, size_mw=2 * b.size_mw) for b in toy.blocks),
    )
    average = toy.cost_usd_per_year(users) / users
    assert double.cost_usd_per_year(2 * users) / (2 * users) == pytest.approx(average)


@given(toy=toys(), users=st.floats(1e3, 1e9), more=st.floats(0, 500), at=st.integers(0, 3))
def test_a_dearer_block_never_lowers_cost(
    toy: ToyCompany, users: float, more: float, at: int
) -> None:
    """Blocks are taken in the order in which they stand: a dearer one costs no less."""
    blocks = tuple(
        replace(b, usd_per_mwh=b.usd_per_mwh + (more if i == at else 0.0))
        for i, b in enumerate(toy.blocks)
    )
    dearer = replace(toy, blocks=blocks).cost_usd_per_year(users)
    assert dearer >= toy.cost_usd_per_year(users) * (1 - 1e-12)


@given(toy=toys(), users=st.floats(1e3, 1e8))
def test_the_difference_lies_between_the_last_user_and_the_next(
    toy: ToyCompany, users: float
) -> None:
    """The central difference is the mean of the marginal cost over 1 % on either side."""
    least = toy.next_usd_per_user_year(0.99 * users, fewer=True)
    most = toy.next_usd_per_user_year(1.01 * users)
    slope = marginal_usd_per_user_year(toy.cost_usd_per_year, users)
    room = 1e-9 * toy.cost_usd_per_year(users) / (0.02 * users) + 1e-9
    assert least - room <= slope <= most + room

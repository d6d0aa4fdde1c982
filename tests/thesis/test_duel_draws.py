"""The duel's draws: the formula against a loop, and the spread of what is drawn."""

import numpy as np
import pytest

from tokenergy.company.annuity import annuity_share
from tokenergy.files.presets import load_ranges
from tokenergy.thesis.duel_books import grid_queue
from tokenergy.thesis.duel_draws import DRAWN, Gaps, Terms, UnitCosts, drawn_terms, gaps_of, held

COSTS = UnitCosts(
    used_mwh_per_mtok=0.001,
    gpu_usd_per_mtok=0.4,
    facility_usd_per_mtok=0.05,
    asked_mtok=1000.0,
    most_mtok=1100.0,
    grid_ratio=np.linspace(0.5, 1.5, 12),
    own_usd_per_mwh=40.0,
    grid_usd_per_mwh=50.0,
)


def terms(**drawn: float) -> Terms:
    base = {name: held.base_quantity for name, held in load_ranges().items() if name in DRAWN}
    return Terms(**{name: np.array([value]) for name, value in (base | drawn).items()})


def test_the_gap_of_a_month_by_hand() -> None:
    """At the terms of the file a Mtok costs 0.45 of capital; month 0 is half the grid's mean.

    The owner pays 0.04, the rival 0.025 a Mtok: it is ahead by 0.015 x 1,000 = 15 USD.
    """
    gaps = gaps_of(terms(), COSTS, grid_queue())
    assert gaps.cost_usd[0, 0] == pytest.approx(-15.0)
    assert gaps.stated_usd[0, 0] == pytest.approx(-15.0)
    assert gaps.megawatts_usd[0, 0] == 0.0
    assert gaps.before.sum() == 36


def test_the_formula_is_the_loop() -> None:
    """Month by month in plain words, for 25 draws; the parts and what both made are the gap."""
    company = grid_queue()
    drawn = drawn_terms(load_ranges(), seed=3, count=25)
    gaps = gaps_of(drawn, COSTS, company)
    for at in range(25):
        wacc = float(drawn.wacc_share[at])
        gpu = drawn.usd_per_gpu[at] * (annuity_share(wacc_share=wacc, life_y=5) + 0.04)
        gpu /= 33_000 * (annuity_share(wacc_share=0.09, life_y=5) + 0.04)
        hall = annuity_share(wacc_share=wacc, life_y=15) / annuity_share(wacc_share=0.09, life_y=15)
        capital = 0.4 * gpu + 0.05 * hall
        for month in (0, 7, 35, 59):
            rate = np.log(1.0 + drawn.demand_growth_share_per_year[at])
            users = 8.0 / (1.0 + 7.0 * np.exp(-rate * month / 12.0))
            own_cost = capital + 0.001 * drawn.own_usd_per_mwh[at]
            paid = drawn.usd_per_mwh[at] * np.linspace(0.5, 1.5, 12)[month % 12]
            rival_cost = capital + 0.001 * paid
            own, rival = 1000.0 * users, 1000.0 * users
            if month < drawn.mw_delay_months[at]:
                rival = min(rival, 1100.0)
            price = drawn.token_price_usd_per_mtok[at]
            stated = (price - own_cost) * own - (price - rival_cost) * rival
            higher = max(own_cost, rival_cost)
            cost = (higher - own_cost) * own - (higher - rival_cost) * rival
            assert gaps.stated_usd[at, month] == pytest.approx(stated, rel=1e-9, abs=1e-9)
            assert gaps.cost_usd[at, month] == pytest.approx(cost, rel=1e-9, abs=1e-9)
            both = (rival_cost - own_cost) * (own - rival)
            parts = gaps.kwh_usd[at, month] + gaps.megawatts_usd[at, month] + both
            assert parts == pytest.approx(stated, rel=1e-9, abs=1e-9)


def test_draws_lie_in_their_ranges_and_wide_ones_are_even_in_the_logarithm() -> None:
    """A thousand draws: means within 4 standard errors of the middle."""
    ranges = load_ranges()
    drawn = drawn_terms(ranges, seed=1, count=1000)
    for name in DRAWN:
        low, high = ranges[name].low_quantity, ranges[name].high_quantity
        values = getattr(drawn, name)
        assert low <= values.min() < values.max() <= high
        if high > 3.0 * low:
            low, high, values = np.log(low), np.log(high), np.log(values)
        middle, error = (low + high) / 2.0, (high - low) / np.sqrt(12.0 * 1000)
        assert abs(values.mean() - middle) < 4.0 * error, name


def test_shares_are_counted_over_the_months_of_waiting() -> None:
    """One draw far ahead, one ahead, one behind: grids at 60, 50 and 30 against a plant at 40."""
    company, flat = grid_queue(), np.ones(12)
    level = UnitCosts(
        **{name: getattr(COSTS, name) for name in COSTS.__dataclass_fields__} | {"grid_ratio": flat}
    )
    three = [terms(usd_per_mwh=usd) for usd in (60.0, 50.0, 30.0)]
    drawn = Terms(**{name: np.concatenate([getattr(t, name) for t in three]) for name in DRAWN})
    found = held(gaps_of(drawn, level, company))
    assert found["cost_every_month_share"] == pytest.approx(2 / 3)
    assert found["stated_total_share"] == 1.0
    assert found["megawatts_decide_share"] == 1.0


def test_what_comes_after_the_megawatts_does_not_count_against_waiting() -> None:
    """Ahead in both months of waiting and behind in the third; and behind in the second."""
    ahead = np.array([[5.0, 3.0, -9.0], [5.0, -1.0, 9.0]])
    waits = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    found = held(
        Gaps(before=waits, cost_usd=ahead, stated_usd=ahead, kwh_usd=ahead, megawatts_usd=2 * ahead)
    )
    assert found["cost_every_month_share"] == found["stated_every_month_share"] == 0.5
    assert found["cost_total_share"] == 0.5
    assert found["megawatts_decide_share"] == 1.0

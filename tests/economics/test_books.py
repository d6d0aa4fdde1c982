"""The books of a year at any size: counted on paper, and against the program's own optimum."""

from dataclasses import replace

import numpy as np
import pytest
import worlds
from economics.crowd import CAPITAL_USD, HOURS, MTOK_PER_USER_YEAR, crowd
from economics.enlarged import enlarged
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.dispatch.solve import solve_horizon
from tokenergy.economics.books import BookKeeper, Size
from tokenergy.units import H_PER_YEAR


def test_a_year_on_paper() -> None:
    """At 1.5 times the users 120 Mtok/h: 100 reserved, 20 by the hour.

    Power 120 x 8,760 x 3 USD; leases 20 x 8,760 x 5 USD; 1,500 users bring 3,600 USD each.
    """
    books = BookKeeper(crowd()).books(Size(users_ratio=1.5))
    assert books.users_count == 1500.0
    assert books.power_usd_per_year == pytest.approx(120 * 8760 * 3.0)
    assert books.lease_usd_per_year == pytest.approx(20 * 8760 * 5.0)
    assert books.capital_usd_per_year == pytest.approx(CAPITAL_USD)
    assert books.revenue_usd_per_year == pytest.approx(1500 * 3600.0)
    assert books.profit_usd_per_year == pytest.approx(
        1500 * 3600.0 - 120 * 8760 * 3.0 - 20 * 8760 * 5.0 - CAPITAL_USD
    )
    assert books.energy_share == pytest.approx(
        120 * 8760 * 3.0 / (120 * 8760 * 3.0 + 20 * 8760 * 5.0 + CAPITAL_USD)
    )
    assert (books.served_share, books.lost_value_usd_per_year) == (pytest.approx(1.0), 0.0)
    assert books.gpus_bound_share == 0.5
    assert books.mw_bound_share == 0.0


def test_who_is_not_served_pays_nothing_and_loses_value() -> None:
    """160 Mtok/h against 100: 5/8 are served, 60 Mtok/h of 6 USD are lost."""
    books = BookKeeper(crowd(by_the_hour=0.0)).books(Size(users_ratio=2.0))
    (tier,) = books.tiers
    assert tier.served_share == pytest.approx(0.625)
    assert tier.refused_share == pytest.approx(0.375)
    assert tier.revenue_usd_per_year == pytest.approx(2000 * 3600.0 * 0.625)
    assert books.lost_value_usd_per_year == pytest.approx(60 * 8760 * 6.0)
    assert tier.asked_mtok_per_year == pytest.approx(2000 * MTOK_PER_USER_YEAR)


def test_use_is_paid_as_served_and_conversions_are_no_revenue() -> None:
    """7 USD a Mtok by use; a free tier of 40 Mtok/h is worth 6 USD a Mtok in conversions."""
    paid, free = (
        worlds.workload("paid", value=7.0, must_serve=False),
        replace(worlds.workload("free", value=6.0, tier_index=1), price_usd_per_mtok=0.0),
    )
    tiers = [
        worlds.tier_dict("tier0", price_usd_per_mtok=7.0),
        worlds.tier_dict(
            "tier1",
            price_usd_per_mtok=0.0,
            value=None,
            from_conversion={"uplift_share": 0.01, "ltv_usd": 10.0},
            users={"count": 500, "other_usd_per_user_month": 2.0},
        ),
    ]
    asked = np.vstack([np.full(HOURS, 30.0), np.full(HOURS, 40.0)])
    world = crowd(loads=(paid, free), arrivals=asked, tiers=tiers)
    books = BookKeeper(world).books(Size())
    by_use, for_free = books.tiers
    assert by_use.revenue_usd_per_year == pytest.approx(30 * 8760 * 7.0)
    assert by_use.users_count is None
    assert for_free.revenue_usd_per_year == pytest.approx(500 * 2.0 * 12.0)
    assert books.conversions_usd_per_year == pytest.approx(40 * 8760 * 6.0)
    more = BookKeeper(world).books(Size(users_ratio=2.0)).tiers
    assert [tier.asked_mtok_per_year for tier in more] == pytest.approx([30 * 8760, 80 * 8760])


def test_a_lesser_model_brings_fewer_subscriptions_to_come() -> None:
    """40 Mtok/h worth 6 USD, all answered by a model of half the quality asked for: 3 USD each."""
    free = replace(worlds.workload("free", value=6.0), price_usd_per_mtok=0.0)
    tier = worlds.tier_dict(
        "tier0",
        price_usd_per_mtok=0.0,
        value=None,
        from_conversion={"uplift_share": 0.01, "ltv_usd": 10.0},
        users={"count": 500},
    )
    world = crowd(loads=(free,), arrivals=[np.full(HOURS, 40.0)], tiers=[tier])
    lesser = replace(
        world, routes=tuple(replace(route, quality_share=0.5) for route in world.routes)
    )
    asked_for, half = (BookKeeper(each).books(Size()) for each in (world, lesser))
    assert half.served_share == pytest.approx(1.0)
    assert asked_for.conversions_usd_per_year == pytest.approx(40 * 8760 * 6.0)
    assert half.conversions_usd_per_year == pytest.approx(40 * 8760 * 3.0)
    shares = [books.tiers[0].downgraded_share for books in (asked_for, half)]
    assert shares == pytest.approx([0.0, 1.0])


def test_users_who_ask_for_more_pay_no_more() -> None:
    """Half as much again: 120 Mtok/h of 1,000 subscriptions."""
    books = BookKeeper(crowd()).books(Size(tokens_ratio=1.5))
    assert books.users_count == 1000.0
    assert books.tiers[0].asked_mtok_per_year == pytest.approx(1500 * MTOK_PER_USER_YEAR)
    assert books.power_usd_per_year == pytest.approx(120 * 8760 * 3.0)
    assert books.revenue_usd_per_year == pytest.approx(1000 * 3600.0)


def test_half_hours_make_the_same_year() -> None:
    """The same four hours in steps of one and of half an hour: 40 Mtok asked for in each half."""
    by_hour = crowd(hours=4)
    by_half = crowd(hours=8, arrivals=np.full((1, 8), 40.0))
    by_half = replace(by_half, step_h=0.5)
    size = Size(users_ratio=1.5)  # beyond the reserved GPUs: leases by the hour are paid too
    one, other = (BookKeeper(each).books(size).to_dict() for each in (by_hour, by_half))
    assert one.pop("tiers")[0] == pytest.approx(other.pop("tiers")[0])
    assert one == pytest.approx(other)
    assert one["lease_usd_per_year"] > 0.0


def test_a_window_stands_for_the_mean_demand_of_the_horizon() -> None:
    """Four hours of 120 and four of 40: the first four stand for 80 Mtok/h."""
    asked = np.array([[120.0] * 4 + [40.0] * 4])
    books = BookKeeper(crowd(arrivals=asked), window_h=4.0).books(Size())
    assert books.tiers[0].asked_mtok_per_year == pytest.approx(80 * 8760)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 10_000),
    users=st.floats(0.3, 3.0),
    capacity=st.floats(1.0, 3.0),
    window_h=st.sampled_from([8.0, 48.0]),
)
def test_the_books_sum_to_the_optimum(
    seed: int, users: float, capacity: float, window_h: float
) -> None:
    """Cash, lost value and lost quality of a world made anew are its objective and contracts."""
    made, _ = worlds.random_case(seed, hours=8)
    loads = tuple(replace(load, must_serve=False) for load in made.workloads)
    tiers = [worlds.tier_dict(f"tier{at}", users={"count": 10}) for at in range(3)]
    world = replace(made, workloads=loads, company=worlds.company_of(tiers=tiers))
    books = BookKeeper(world, window_h=window_h).books(
        Size(users_ratio=users, capacity_ratio=capacity)
    )
    anew = enlarged(world, users_ratio=users, capacity_ratio=capacity)
    optimum = solve_horizon(anew)
    signed = sum(float(b.strike_usd_per_mwh @ b.delivery_mw) for b in anew.blocks)
    signed += sum(float(take.sunk_usd_per_h.sum()) for take in anew.takes)
    stored_mwh = np.array([b.initial_share * b.capacity_mwh for b in anew.batteries])
    held = float(stored_mwh @ optimum.window.stored_usd_per_mwh)
    done = optimum.value("serve").sum(axis=0)
    lost_quality = sum(
        float(mtok) * loads[r.workload].value_usd_per_mtok * max(0.0, 1.0 - r.quality_share)
        for mtok, r in zip(done, anew.routes, strict=True)
    )
    spent = (books.dispatch_usd_per_year + books.lost_value_usd_per_year) * 8.0 / H_PER_YEAR
    assert spent + lost_quality == pytest.approx(
        optimum.objective_usd + signed + held, rel=1e-6, abs=1e-4
    )


def test_the_books_are_json_with_their_sums() -> None:
    told = BookKeeper(crowd()).books(Size()).to_dict()
    assert told["profit_usd_per_year"] == pytest.approx(
        told["revenue_usd_per_year"] - told["cost_usd_per_year"]
    )
    assert told["tiers"][0]["tier"] == "tier0"

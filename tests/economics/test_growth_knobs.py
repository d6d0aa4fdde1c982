"""Growth and its knobs month by month, by their formulas."""

import math
from dataclasses import replace

import numpy as np
import pytest
import worlds
from economics.crowd import crowd
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.growth import Growth
from tokenergy.dispatch.world import World
from tokenergy.economics.growth_knobs import (
    at_price,
    capacity_ratio_at,
    price_ratio_at,
    standing_knobs,
    tokens_ratio_at,
    users_ratio_at,
)


def growth(**changes) -> Growth:
    path = {"users": [{"month": 0, "users_ratio": 1.0}, {"month": 12, "users_ratio": 4.0}]}
    return Growth.model_validate(
        {"months": 24, **(changes if "logistic" in changes else path | changes)}
    )


@given(limit=st.floats(0.2, 50.0), rate=st.floats(0.1, 5.0), month=st.floats(0.0, 120.0))
def test_logistic_growth_solves_its_own_equation(limit: float, rate: float, month: float) -> None:
    """dN/dt = rate N (1 - N / limit), from 1: by a small step in time, against the formula."""
    path = growth(logistic={"limit_ratio": limit, "rate_share_per_year": rate})
    assert users_ratio_at(path, 0.0) == pytest.approx(1.0)
    step_y = 1e-5
    here = users_ratio_at(path, month)
    later = users_ratio_at(path, month + 12.0 * step_y)
    assert (later - here) / step_y == pytest.approx(
        rate * here * (1.0 - here / limit), rel=2e-3, abs=1e-6 * limit
    )


def test_points_are_joined_by_lines_and_flat_outside() -> None:
    assert [users_ratio_at(growth(), month) for month in (0, 4, 12, 20)] == [1.0, 2.0, 4.0, 4.0]


def test_capacity_follows_by_its_lead_and_is_never_taken_down() -> None:
    """Users 1, 4 at month 12, 1 at month 20: capacity six months behind, and never below."""
    users = [{"month": m, "users_ratio": r} for m, r in ((0, 1.0), (12, 4.0), (20, 1.0))]
    path = growth(users=users, lead_time_months=6)
    assert [capacity_ratio_at(path, m) for m in (0, 6, 10, 18, 23)] == pytest.approx(
        [1.0, 1.0, 2.0, 4.0, 4.0]
    )
    assert capacity_ratio_at(growth(capacity="stands"), 24) == 1.0


def test_capacity_is_never_below_todays_where_users_only_leave() -> None:
    path = growth(users=[{"month": 0, "users_ratio": 1.0}, {"month": 6, "users_ratio": 0.2}])
    assert capacity_ratio_at(path, 6) == 1.0


def test_price_and_tokens_move_by_the_year() -> None:
    path = growth(token_price_decline_share_per_year=0.5, tokens_per_user_growth_share_per_year=0.3)
    assert price_ratio_at(path, 24) == pytest.approx(0.25)
    assert tokens_ratio_at(path, 6) == pytest.approx(math.sqrt(1.3))


# ---- what another price changes ------------------------------------------------------------


def three_prices() -> World:
    """Make a subscription, a price by use worth what is paid, and one worth 9 in any case."""
    tiers = [
        worlds.tier_dict("tier0", users={"count": 9}, price_usd_per_mtok=None,
                         price_usd_per_user_month=3.0),
        worlds.tier_dict("tier1", price_usd_per_mtok=6.0),
        worlds.tier_dict("tier2", price_usd_per_mtok=6.0, value=None, value_usd_per_mtok=9.0),
    ]  # fmt: skip
    loads = tuple(
        replace(worlds.workload(f"w{at}", value=value, tier_index=at), price_usd_per_mtok=6.0)
        for at, value in enumerate((6.0, 6.0, 9.0))
    )
    return crowd(loads=loads, tiers=tiers)


def test_a_lower_price_reaches_what_is_paid_by_use_and_what_is_bought() -> None:
    world = three_prices()
    bought = replace(world.routes[0], api_usd_per_mtok=4.0)
    cheap = at_price(replace(world, routes=(bought, *world.routes[1:])), 0.5, 0.0)
    assert [load.price_usd_per_mtok for load in cheap.workloads] == [6.0, 3.0, 3.0]
    assert [load.value_usd_per_mtok for load in cheap.workloads] == [6.0, 3.0, 9.0]
    assert cheap.routes[0].api_usd_per_mtok == 2.0
    assert np.array_equal(cheap.arrivals_mtok, world.arrivals_mtok)


def test_demand_answers_a_price_only_where_it_is_paid_and_only_by_the_elasticity() -> None:
    """At half the price and an elasticity of 2, four times as much is asked for."""
    world = three_prices()
    asked = at_price(world, 0.5, 2.0).arrivals_mtok / world.arrivals_mtok
    assert asked[:, 0] == pytest.approx([1.0, 4.0, 4.0])


def test_the_same_price_is_the_same_world() -> None:
    world = three_prices()
    assert at_price(world, 1.0, 2.0) is world


def test_what_stands_still_is_named() -> None:
    still = standing_knobs(growth())
    assert "demand does not answer prices: elasticity 0" in still
    assert "what a token sells for" in still
    moving = growth(
        token_price_decline_share_per_year=0.1,
        tokens_per_user_growth_share_per_year=0.1,
        price_elasticity_ratio=1.0,
        model_mix=[{"month": 3, "workload": "w", "ladder": ["m"]}],
    )
    assert standing_knobs(moving) == ()

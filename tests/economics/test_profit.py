"""Profit against users: turns and zeros that can be worked out on paper (see `crowd`)."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import worlds
from economics.crowd import (
    BRINGS_USD_PER_USER,
    BY_THE_HOUR_USD_PER_USER,
    CAPITAL_USD,
    FULL_USERS,
    RESERVED_USD_PER_USER,
    crowd,
)

from tokenergy.dispatch.world import World
from tokenergy.economics.profit import RATIOS, paid_share, profit_at, profit_curve
from tokenergy.errors import InputError


def profit_usd(users: float) -> float:
    """Return the profit of the company on paper."""
    cost = RESERVED_USD_PER_USER * min(users, FULL_USERS)
    cost += BY_THE_HOUR_USD_PER_USER * max(0.0, users - FULL_USERS)
    return BRINGS_USD_PER_USER * users - cost - CAPITAL_USD


def test_every_point_is_the_one_on_paper() -> None:
    curve = profit_curve(crowd(by_the_hour=1e4))
    assert [point.users_ratio for point in curve.points] == list(RATIOS)
    for point in curve.points:
        users = point.books.users_count
        assert users == pytest.approx(1000.0 * point.users_ratio)
        assert point.books.profit_usd_per_year == pytest.approx(profit_usd(users), abs=1.0)
        full = users > FULL_USERS
        marginal = BY_THE_HOUR_USD_PER_USER if full else RESERVED_USD_PER_USER
        assert point.scale.marginal_usd_per_user_year == pytest.approx(marginal)
        assert point.scale.revenue_usd_per_user_year == pytest.approx(BRINGS_USD_PER_USER)
        assert point.scale.negative_scale == full
        average = point.books.cost_usd_per_year / users
        assert point.scale.elasticity_ratio == pytest.approx(marginal / average)


def test_it_turns_where_the_reserved_gpus_are_full_and_breaks_even_twice() -> None:
    """A turn at 1,250 users, and a profit between 117.0 and 2,095.7.

    Pi = 0 at 175,200 / 1,497.6 = 117.0 and, from Pi(1,250) = 1,696,800 USD down at 2,006.4 USD a
    user, at 1,250 + 845.7 users. All are found to 0.1 %, n* to the 1 % of the difference.
    """
    curve = profit_curve(crowd(by_the_hour=1e4))
    (turn,) = curve.turns
    assert not turn.rises
    assert turn.users_count == pytest.approx(FULL_USERS, rel=0.011)
    assert turn.served_share == pytest.approx(1.0)
    assert turn.profit_usd_per_year == pytest.approx(profit_usd(turn.users_count), abs=1.0)
    first, second = curve.zeros
    assert (first.rises, second.rises) == (True, False)
    assert first.users_count == pytest.approx(175_200 / 1_497.6, rel=1e-3)
    assert second.users_count == pytest.approx(1_250 + 1_696_800 / 2_006.4, rel=1e-3)


def test_it_says_where_the_profit_begins_and_ends() -> None:
    """A loss up to 117 users, a profit up to 2,096, a loss beyond: no sign is left out."""
    said = " ".join(profit_curve(crowd(by_the_hour=1e4)).says())
    assert "makes a loss up to 117, a profit up to 2,09" in said
    assert "users, a loss beyond." in said
    assert "times 1,000) one more user begins to lose" in said
    assert "oday" not in said  # a curve under restraint is not about today


def test_more_users_than_pay_take_from_a_profit_and_enlarge_a_loss() -> None:
    """At 1,300 users Pi > 0 and each costs 5,606 for 3,600; at 3,000 the company loses."""
    for ratio, words in ((1.3, "takes from the profit"), (3.0, "makes the loss larger")):
        point = profit_at(crowd(by_the_hour=1e4), users_ratio=ratio)
        assert words in point.scale.sentence()


def test_beyond_a_full_fleet_nothing_changes_and_that_is_no_turn() -> None:
    """Nothing by the hour: who comes beyond 1,250 users is not served, and does not pay."""
    curve = profit_curve(crowd(by_the_hour=0.0))
    assert curve.turns == ()
    assert curve.points[-1].slope_usd_per_user_year == 0.0
    assert curve.points[-1].books.profit_usd_per_year == pytest.approx(profit_usd(FULL_USERS))
    assert curve.points[-1].books.served_share == pytest.approx(0.125)


def two_kinds(*, free_asks=40.0, paid_asks=40.0, paid_usd=2_000.0) -> World:
    """Make 100 paying and 900 free users that ask for as much in total; free ones bring 1 USD."""
    tiers = [
        worlds.tier_dict(
            "tier0",
            users={"count": 100},
            price_usd_per_mtok=None,
            price_usd_per_user_month=paid_usd,
            must_serve=True,
        ),
        worlds.tier_dict(
            "tier1",
            users={"count": 900, "other_usd_per_user_month": 1.0},
            price_usd_per_mtok=0.0,
            value=None,
            value_usd_per_mtok=6.0,
            must_serve=True,
        ),
    ]
    free = replace(worlds.workload("free", value=6.0, tier_index=1), price_usd_per_mtok=0.0)
    loads = (worlds.workload("paid", value=9.0), free)
    asked = np.vstack([np.full(8, paid_asks), np.full(8, free_asks)])
    return crowd(loads=loads, arrivals=asked, tiers=tiers, by_the_hour=1e4)


def test_the_conversion_that_breaks_even_is_the_one_of_the_formula() -> None:
    """Within the reserved GPUs, phi* = 1,156 / (13,488 + 1,156) = 7.894 %.

    A paying user costs 40 x 8,760 x 3 / 100 = 10,512 USD and brings 24,000; a free one costs
    1,168 and brings 12.
    """
    curve = profit_curve(two_kinds())
    assert paid_share(two_kinds()) == 0.1
    assert curve.break_even is not None
    assert curve.break_even.conversion_share == pytest.approx(1_156 / (13_488 + 1_156))


def test_where_all_pay_there_is_no_conversion() -> None:
    curve = profit_curve(crowd())
    assert (curve.break_even, curve.paid_share) == (None, 1.0)
    assert any("all pay" in line for line in curve.says())


def test_beyond_a_full_fleet_a_paying_user_pushes_out_a_free_one_and_growth_pays_again() -> None:
    """150 Mtok/h in all: free users lose by the hour, then GPUs are short and go to who pays.

    From 150 / 80 = 1.875 times the users on, one more pays its subscription, nothing more is
    rented, and a free one goes unserved: with 100 of 1,000 paying, +2,400 - 0.9 x 12 USD a user.
    """
    world = two_kinds()
    short = crowd(
        loads=world.workloads,
        arrivals=world.arrivals_mtok,
        tiers=[tier.model_dump(mode="json") for tier in world.company.tiers],
        by_the_hour=5.0,
    )
    curve = profit_curve(short)
    down, up = curve.turns
    assert (down.rises, up.rises) == (False, True)
    assert down.users_ratio == pytest.approx(1.25, rel=0.011)
    assert up.users_ratio == pytest.approx(1.875, rel=0.011)
    assert up.gpus_bound_share == 1.0


# ---- capacity ------------------------------------------------------------------------------


def test_where_capacity_follows_cost_per_user_stands_from_today_on() -> None:
    """Everything grows with the users: AC and MC at 2 and 10 times are those of today."""
    curve = profit_curve(crowd(), capacity="follows", at_ratio=(0.5, 1.0, 2.0, 10.0))
    half, today, *more = curve.points
    per_user = RESERVED_USD_PER_USER + CAPITAL_USD / 1000.0
    assert half.capacity_ratio == 1.0
    assert half.scale.marginal_usd_per_user_year == pytest.approx(RESERVED_USD_PER_USER)
    for point in (today, *more):
        assert point.capacity_ratio == point.users_ratio
        assert point.scale.average_usd_per_user_year == pytest.approx(per_user)
        assert point.scale.marginal_usd_per_user_year == pytest.approx(per_user)


def test_one_point_is_the_same_as_in_the_curve() -> None:
    curve = profit_curve(crowd(), at_ratio=(1.0, 2.0))
    alone = profit_at(crowd(), users_ratio=2.0)
    assert alone.books == curve.points[1].books
    assert asdict(alone.scale) == pytest.approx(asdict(curve.points[1].scale))


# ---- what is refused, and what is told -----------------------------------------------------


def test_a_company_without_users_is_refused_with_the_remedy() -> None:
    tiers = [worlds.tier_dict("tier0")]
    with pytest.raises(InputError, match=r"users of no tier.*users\.count"):
        profit_curve(crowd(tiers=tiers))


def test_no_users_at_all_is_no_size() -> None:
    with pytest.raises(InputError, match="must be above 0"):
        profit_at(crowd(), users_ratio=0.0)


def test_the_curve_is_json_and_says_what_it_shows() -> None:
    told = []
    curve = profit_curve(
        crowd(by_the_hour=1e4), on_progress=lambda done, of: told.append((done, of))
    )
    held = json.loads(json.dumps(curve.to_dict()))
    assert held["n_star_count"] == list(curve.n_star_count)
    assert told[-1] == (len(RATIOS), len(RATIOS))
    assert any("one more user begins to lose" in line for line in held["says"])
    assert "48 h" not in held["basis"] and "first 8 h" in held["basis"]

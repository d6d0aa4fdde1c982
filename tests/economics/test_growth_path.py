"""A path of growth whose months can be worked out on paper (see `crowd`)."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import worlds
from economics.crowd import (
    BRINGS_USD_PER_USER,
    BY_THE_HOUR_USD_PER_USER,
    CAPITAL_USD,
    RESERVED_USD_PER_USER,
    crowd,
)

from tokenergy.company.company import Company
from tokenergy.dispatch.world import World
from tokenergy.economics.growth_path import growth_path
from tokenergy.errors import InputError


def growing(*, months=13, to_ratio=3.0, by_the_hour=1e4, **changes) -> World:
    """Make the crowd that grows in a line to `to_ratio` at month 12."""
    users = [{"month": 0, "users_ratio": 1.0}, {"month": 12, "users_ratio": to_ratio}]
    path = {"months": months, "users": users, "capacity": "stands", **changes}
    return crowd(growth=path, by_the_hour=by_the_hour)


def profit_usd(users: float, *, full: float = 1_250.0) -> float:
    """Return the profit of a month on paper."""
    cost = RESERVED_USD_PER_USER * min(users, full)
    cost += BY_THE_HOUR_USD_PER_USER * max(0.0, users - full)
    return (BRINGS_USD_PER_USER * users - cost - CAPITAL_USD) / 12.0


def test_every_month_is_the_one_on_paper() -> None:
    path = growth_path(growing(), every_months=1)
    assert [point.month for point in path.points] == list(range(13))
    for point in path.points:
        assert point.users_count == pytest.approx(1000.0 * (1.0 + point.month / 6.0))
        assert point.profit_usd_per_month == pytest.approx(profit_usd(point.users_count), abs=0.1)
        assert point.solved
    profits = [profit_usd(1000.0 * (1.0 + month / 6.0)) for month in range(13)]
    assert path.cumulative_usd == pytest.approx(sum(profits))
    assert path.burn_usd == pytest.approx(-sum(min(0.0, usd) for usd in profits))
    assert path.first_profitable == 0
    assert path.gpus_bound() == tuple(range(2, 13))
    assert path.mw_bound() == ()


def test_it_turns_between_the_months_on_whose_sides_1250_users_lie() -> None:
    path = growth_path(growing(), every_months=1)
    (turn,) = path.turns
    assert not turn.rises
    assert 1.0 < turn.month < 2.0
    assert turn.users_count == pytest.approx(1000.0 * (1.0 + turn.month / 6.0))
    assert any("one more begins to lose" in line for line in path.says())


def test_a_path_that_begins_elsewhere_counts_from_the_users_of_the_file() -> None:
    """From twice the users down to half of them: 2,000, 1,875, ...; below 1,250 one more pays."""
    users = [{"month": 0, "users_ratio": 2.0}, {"month": 12, "users_ratio": 0.5}]
    path = growth_path(growing(users=users), every_months=1)
    for point in path.points:
        assert point.users_count == pytest.approx(2000.0 - 125.0 * point.month)
        assert point.profit_usd_per_month == pytest.approx(profit_usd(point.users_count), abs=0.1)
    (turn,) = path.turns
    assert turn.rises
    assert 5.0 < turn.month < 7.0
    assert turn.users_count == pytest.approx(2000.0 - 125.0 * turn.month)
    assert any("one more begins to pay" in line for line in path.says())


def test_months_between_solved_ones_lie_on_a_line() -> None:
    every, third = growth_path(growing(), every_months=1), growth_path(growing(), every_months=3)
    assert [p.month for p in third.points if p.solved] == [0, 3, 6, 9, 12]
    assert "One month in 3 is solved" in " ".join(third.says())
    for one, other in zip(every.points, third.points, strict=True):
        if other.solved:
            assert one.profit_usd_per_month == pytest.approx(other.profit_usd_per_month)
    before, between, after = (third.points[at].profit_usd_per_month for at in (3, 4, 6))
    assert between == pytest.approx(before + (after - before) / 3.0)


def test_a_company_that_begins_with_a_loss_burns_until_it_does_not() -> None:
    """117 users are needed: from 50 to 200 in 12 months, that is month 5.36: month 6 is first."""
    world = growing(to_ratio=4.0)
    small = replace(
        world,
        arrivals_mtok=world.arrivals_mtok / 20.0,
        company=world.company.model_copy(
            update={
                "tiers": tuple(
                    tier.model_copy(update={"users": tier.users.model_copy(update={"count": 50})})
                    for tier in world.company.tiers
                )
            }
        ),
    )
    path = growth_path(small, every_months=1)
    assert path.first_profitable == 6
    losses = [-p.profit_usd_per_month for p in path.points if p.profit_usd_per_month < 0.0]
    assert len(losses) == 6
    assert path.burn_usd == pytest.approx(sum(losses))
    assert path.deepest_usd == pytest.approx(sum(losses))
    raised = f"{path.deepest_usd:,.0f} have to have been raised"
    assert raised in path.says()[0]


def test_a_path_without_a_loss_says_so_and_burns_nothing() -> None:
    path = growth_path(growing(to_ratio=1.2), every_months=3)
    assert (path.burn_usd, path.deepest_usd) == (0.0, 0.0)
    assert path.says()[0].endswith("and no month has a loss.")


# ---- capacity and the knobs ----------------------------------------------------------------


def test_capacity_that_lags_leaves_work_unserved_until_it_is_there() -> None:
    """Nothing by the hour. Users double at month 6 and stand; capacity is there from month 12.

    Six months later 100 Mtok/h face 160: 37.5 % are refused. Then nothing is.
    """
    users = [{"month": 0, "users_ratio": 1.0}, {"month": 6, "users_ratio": 2.0}]
    world = growing(months=18, users=users, capacity="follows", lead_time_months=6, by_the_hour=0.0)
    path = growth_path(world, every_months=1)
    assert path.points[6].unserved_share == pytest.approx(0.375)
    assert path.points[6].capacity_ratio == 1.0
    assert path.points[12].capacity_ratio == 2.0
    assert path.points[12].unserved_share == pytest.approx(0.0, abs=1e-9)
    assert path.points[12].cost_usd_per_month == pytest.approx(
        (2000 * RESERVED_USD_PER_USER + 2.0 * CAPITAL_USD) / 12.0
    )
    rented = [point.gpus_bound_share > 0.0 for point in path.points]
    assert rented[6] and rented[8] and not rented[12]
    assert any("Most is refused in month" in line for line in path.says())


def test_users_who_ask_for_more_cost_more_and_bring_the_same() -> None:
    """1.25 times the tokens after a year: 100 Mtok/h of the same 1,000 subscribers."""
    path = growth_path(
        growing(to_ratio=1.0, tokens_per_user_growth_share_per_year=0.25), every_months=12
    )
    last = path.points[12]
    assert last.tokens_ratio == pytest.approx(1.25)
    assert last.revenue_usd_per_month == pytest.approx(1000 * 300.0)
    assert last.cost_usd_per_month == pytest.approx(
        (1.25 * 1000 * RESERVED_USD_PER_USER + CAPITAL_USD) / 12.0
    )


def test_a_price_that_halves_halves_the_revenue_and_costs_what_it_did() -> None:
    """By use at 9 USD a Mtok, then 4.5: still above the 3 USD that it costs."""
    tier = worlds.tier_dict("tier0", users={"count": 1000}, price_usd_per_mtok=9.0)
    users = [{"month": 0, "users_ratio": 1.0}]
    path = {"months": 13, "users": users, "token_price_decline_share_per_year": 0.5}
    loads = (worlds.workload("chat", value=9.0, must_serve=False),)
    made = growth_path(crowd(loads=loads, tiers=[tier], growth=path), every_months=12)
    first, last = made.points[0], made.points[12]
    assert first.revenue_usd_per_month == pytest.approx(80 * 730 * 9.0)
    assert last.revenue_usd_per_month == pytest.approx(80 * 730 * 4.5)
    assert last.cost_usd_per_month == pytest.approx(first.cost_usd_per_month)
    assert "what a token sells for" not in made.standing


def test_another_model_from_a_month_on_is_another_world() -> None:
    """From month 5 on a smaller model draws a tenth of the power: 0.3 for 3 USD a Mtok."""
    world = growing(to_ratio=1.0, model_mix=[{"month": 5, "workload": "chat", "ladder": ["small"]}])
    asked: list[Company] = []

    def rebuild(company: Company) -> World:
        asked.append(company)
        frugal = tuple(replace(r, marginal_mwh_per_mtok=0.01) for r in world.routes)
        return replace(world, company=company, routes=frugal)

    path = growth_path(world, rebuild=rebuild, every_months=12)
    assert [company.workloads[0].ladder for company in asked] == [("small",)]
    assert [p.month for p in path.points if p.solved] == [0, 4, 5, 12]
    costs = [p.cost_usd_per_month for p in path.points]
    large, small = 80 * 730 * 3.0, 80 * 730 * 0.3
    assert costs[4] == pytest.approx(large + CAPITAL_USD / 12.0)
    assert costs[5] == pytest.approx(small + CAPITAL_USD / 12.0)


def test_a_mix_without_a_way_to_build_it_is_refused() -> None:
    world = growing(model_mix=[{"month": 5, "workload": "chat", "ladder": ["small"]}])
    with pytest.raises(InputError, match="pass rebuild"):
        growth_path(world)


@pytest.mark.parametrize("tiers", [[worlds.tier_dict("tier0")], None])
def test_no_users_and_no_path_are_refused(tiers) -> None:
    users = [{"month": 0, "users_ratio": 1.0}]
    changes = {"growth": {"users": users}, "tiers": tiers} if tiers else {}
    with pytest.raises(InputError, match="users of no tier" if tiers else "states no growth"):
        growth_path(crowd(**changes))


def test_the_path_is_json_and_reports_its_progress() -> None:
    told = []
    path = growth_path(growing(), on_progress=lambda done, of: told.append((done, of)))
    held = json.loads(json.dumps(path.to_dict()))
    assert told == [(at, 5) for at in range(1, 6)]
    assert held["n_star_count"] == list(path.n_star_count)
    assert all(b["month"] == a["month"] + 1 for a, b in pairwise(held["points"]))
    assert any("elasticity 0" in line for line in held["says"])

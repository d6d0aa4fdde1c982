"""One month of one company, against arithmetic and against the full cost of `economics`."""

from dataclasses import replace

import numpy as np
import pytest
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from thesis.duelling import HOURS, MONTH_H, company, grid, plant

from tokenergy.company.growth import Growth
from tokenergy.company.users import Logistic
from tokenergy.economics.unit_cost import full_cost
from tokenergy.errors import InputError
from tokenergy.thesis.duel_month import (
    MonthBook,
    Months,
    Queue,
    arrival_month,
    asked_ratio,
    users_ratio,
)


def book(world, month=0, **queue) -> MonthBook:
    months = Months(world)
    return months.book(month, months.carried_mw(month, Queue(**queue)))


def test_a_month_by_hand() -> None:
    """100 Mtok/h x 730 h; power 10 MW x 50, GPUs 10 x 1, halls 10 MW x 10: 610 USD/h, 6.1/Mtok."""
    made = book(grid())
    assert made.served_mtok == made.asked_mtok == pytest.approx(100 * MONTH_H)
    assert made.power_usd == pytest.approx(500 * MONTH_H)
    assert made.gpu_usd == pytest.approx(10 * MONTH_H)
    assert made.facility_usd == pytest.approx(100 * MONTH_H)
    assert made.full_usd_per_mtok == pytest.approx(6.1)
    assert made.revenue_usd == pytest.approx(20 * 100 * MONTH_H)
    assert (made.gpus_count, made.peak_mw) == pytest.approx((10, 10))


def test_the_full_cost_is_that_of_economics_where_the_file_stands_as_it_is() -> None:
    """10 GPUs and 10 MW are what the busiest hour uses: nothing of the file is left unused."""
    world = grid()
    made = book(world)
    stated = full_cost(
        world.company,
        hours_h=MONTH_H,
        served_mtok=made.served_mtok,
        power_usd=made.power_usd,
        awake_lease_usd=0.0,
        api_usd=0.0,
        other_usd=0.0,
        gpu_used_share=1.0,
    )
    assert made.cost_usd == pytest.approx(stated.allocation_usd)


def test_megawatts_that_are_not_there_serve_nothing_and_cost_nothing() -> None:
    """Twice the users on 10 MW: half is served, on as many GPUs as before, at the same 6.1."""
    made = book(grid(lead=5.0), month=1)
    assert made.asked_mtok == pytest.approx(200 * MONTH_H)
    assert made.served_mtok == pytest.approx(100 * MONTH_H)
    assert made.full_usd_per_mtok == pytest.approx(6.1)
    assert made.gpus_count == pytest.approx(10)


def test_gpus_are_those_of_the_busiest_hour() -> None:
    """50 Mtok/h by half the hours and 100 by the other: 10 GPUs for 75 Mtok/h."""
    arrivals = np.tile([50.0, 100.0], HOURS // 2)
    made = book(grid(arrivals=arrivals))
    assert made.served_mtok == pytest.approx(75 * MONTH_H)
    assert made.gpus_count == pytest.approx(10)
    assert made.facility_usd == pytest.approx(100 * MONTH_H)


def test_gpus_in_repair_are_paid_for() -> None:
    fleet = company().fleets[0].model_dump() | {"available_share": 0.8}
    made = book(grid(fleets=[fleet]))
    assert made.gpu_usd == pytest.approx(10 / 0.8 * MONTH_H)


def test_a_block_is_paid_whole_and_the_rest_is_bought() -> None:
    """4 MW x 40 over the grid and 6 MW x 50: 460 USD/h. Behind the meter: the same bill."""
    for behind in (False, True):
        block = worlds.block(np.full(HOURS, 4.0), behind=behind, strike=40.0)
        made = book(replace(grid(), blocks=(block,)))
        assert made.power_usd == pytest.approx(460 * MONTH_H)


def test_a_battery_that_is_left_emptier_is_paid_for() -> None:
    """5 MW for a day at 20 and a day at 80 USD/MWh, and a store with 10 of its 20 MWh.

    Load 12,000; 10 MWh bought at 20 and 20 sold to the load at 80: 1,400 less; 10 MWh that are
    missing at the end, at the mean price of 50: 500 more. 11,100 USD in 48 h.
    """
    price = np.repeat([20.0, 80.0], 24)
    store = worlds.battery(efficiency=1.0)
    world = grid(price=price, arrivals=50.0)
    made = book(replace(world, batteries=(store,), battery_site=(0,)))
    assert made.power_usd == pytest.approx(11_100 / 48 * MONTH_H)


def test_fixed_costs_leases_and_network_are_in() -> None:
    """8,760 USD/y of staff and as much of a tier: 2 USD/h; lease 2 x 10; network 0.5 x 100."""
    tier = company().tiers[0].model_dump(exclude_none=True) | {"fixed_usd_per_year": 8760.0}
    world = grid(money={"wacc_share": 0.0, "staff_usd_per_year": 8760.0}, tiers=[tier])
    world = replace(
        world,
        fleets=(worlds.fleet(0, lease=2.0),),
        routes=(worlds.route(0, 0, network=0.5),),
    )
    made = book(world)
    assert made.fixed_usd == pytest.approx(2 * MONTH_H)
    assert made.hourly_usd == pytest.approx((20 + 50) * MONTH_H)


def test_less_than_the_plant_delivers_cuts_the_plant() -> None:
    """Of 30 MW behind the meter 8 are left: 80 Mtok/h, all at the strike of 30."""
    months = Months(plant())
    made = months.book(0, np.full((1, HOURS), 8.0))
    assert made.served_mtok == pytest.approx(80 * MONTH_H)
    assert made.power_usd == pytest.approx(8 * 30 * MONTH_H)


# ---- megawatts ---------------------------------------------------------------------------


def test_a_connection_follows_its_users_after_the_queue() -> None:
    """Users 1, 2, 3: 10 MW until month 2, then 30 at once, or 10 x those of two months before."""
    rising = {"points": ((0, 1.0), (1, 2.0), (2, 3.0)), "months": 4, "lead": 2.0}
    months = Months(grid(**rising))
    at_once = [months.carried_mw(at, Queue()).max() for at in range(4)]
    as_needed = [months.carried_mw(at, Queue(asked="as_needed")).max() for at in range(4)]
    sooner = [months.carried_mw(at, Queue(delay_months=1.0)).max() for at in range(4)]
    assert at_once == pytest.approx([10, 10, 30, 30])
    assert as_needed == pytest.approx([10, 10, 10, 20])
    assert sooner == pytest.approx([10, 20, 30, 30])
    assert arrival_month(months.world.company, Queue()) == 2.0


def test_a_site_imports_nothing_before_it_is_energised() -> None:
    """2 March to 15 June are 105 days: 3.45 months of 730 h. No fixed load is asked of it."""
    site = company().sites[0].model_dump() | {"energised_on": "2026-06-15"}
    world = grid(
        sites=[site], months=6, points=((0, 1.0),), growth={"capacity": "stands"},
        world={"fixed": 0.5},
    )  # fmt: skip
    months = Months(world)
    assert arrival_month(world.company, Queue()) == pytest.approx(105 * 24 / 730)
    served = [book(world, at).served_mtok for at in range(6)]
    assert served[:4] == [0.0] * 4
    assert min(served[4:]) > 0.0
    assert months.book(0, months.carried_mw(0, Queue())).full_usd_per_mtok is None
    assert book(world, 2, delay_months=2.0).served_mtok > 0.0


def test_a_ramp_delivers_step_by_step() -> None:
    """10 MW in all, 4 from the horizon's start, the rest from 105 days = month 3.45 on."""
    ramp = [{"start": "2026-01-01", "mw": 4}, {"start": "2026-06-15", "mw": 10}]
    site = company().sites[0].model_dump() | {"import_limit_mw": 10, "ramp": ramp}
    world = grid(sites=[site], months=6, points=((0, 1.0),), growth={"capacity": "stands"})
    months = Months(world)
    carried = [months.carried_mw(at, Queue()).max() for at in range(6)]
    assert carried == pytest.approx([4, 4, 4, 4, 10, 10])


# ---- users -------------------------------------------------------------------------------


@given(st.floats(1.5, 50.0), st.floats(0.05, 2.0), st.floats(0.0, 200.0))
def test_the_logistic_solves_its_equation(limit: float, rate: float, month: float) -> None:
    """dN/dt = rate N (1 - N / limit) per year, from N(0) = 1."""
    growth = Growth(logistic=Logistic(limit_ratio=limit, rate_share_per_year=rate))
    assert users_ratio(growth, 0.0) == pytest.approx(1.0)
    step = 0.01
    now = users_ratio(growth, month + step)
    slope = (users_ratio(growth, month + 2 * step) - users_ratio(growth, month)) / (2 * step / 12)
    assert slope == pytest.approx(rate * now * (1.0 - now / limit), rel=1e-4, abs=1e-7)


def test_users_by_points_are_linear_between_and_flat_outside() -> None:
    growth = company(points=((2, 1.0), (4, 3.0))).growth
    assert [users_ratio(growth, at) for at in (0, 2, 3, 4, 9)] == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_tokens_of_a_user_and_prices_of_tokens_move_apart() -> None:
    """After a year twice the tokens, at three quarters of the price."""
    knobs = {
        "tokens_per_user_growth_share_per_year": 1.0,
        "token_price_decline_share_per_year": 0.25,
    }
    world = grid(points=((0, 1.0),), months=13, growth=knobs)
    assert asked_ratio(world.company.growth, 12) == pytest.approx(2.0)
    made = book(world, 12)
    assert made.served_mtok == pytest.approx(200 * MONTH_H)
    assert made.revenue_usd == pytest.approx(200 * 15 * MONTH_H)


def test_without_a_path_of_users_there_is_no_month() -> None:
    world = grid()
    with pytest.raises(InputError, match="has no growth"):
        Months(replace(world, company=world.company.model_copy(update={"growth": None})))
    tier = world.company.tiers[0].model_copy(update={"users": None})
    with pytest.raises(InputError, match="no tier with users"):
        Months(replace(world, company=world.company.model_copy(update={"tiers": (tier,)})))


# ---- windows -----------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_windows_lie_in_their_parts_and_near_their_means(seed: int) -> None:
    """No other window of whole days in the part is nearer to its mean price (demand is level)."""
    rng = np.random.default_rng(seed)
    hours = 12 * 240
    price = rng.normal(50.0, 30.0, hours).cumsum() / 20.0 + 60.0
    world = replace(worlds.plain([price], [np.full(hours, 100.0)]), company=company())
    months = Months(world)
    for part in range(12):
        first, end = part * 240, (part + 1) * 240
        begin = months._window(part).begin
        assert first <= begin <= end - 48
        mean = price[first:end].mean()
        others = [abs(price[at : at + 48].mean() - mean) for at in range(first, end - 47, 24)]
        assert abs(price[begin : begin + 48].mean() - mean) == pytest.approx(min(others))

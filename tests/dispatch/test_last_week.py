"""What the week before an interval cost at its cheap places."""

from dataclasses import replace

import numpy as np
import pytest
from contract_cases import rate
from worlds import api, api_route, fleet, plain

from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.last_week import LastWeek
from tokenergy.dispatch.world import Loss, World


def week_of(made: World) -> LastWeek:
    return LastWeek(Intervals(made))


def three_sites(arrivals) -> World:
    """Make sites of 10, 30, 20 USD/MWh, each with room for 10 Mtok of 1 MWh."""
    prices = [[10.0] * 4, [30.0] * 4, [20.0] * 4]
    made = plain(prices, [arrivals], rate=10.0, marginal=1.0)
    return replace(made, fleets=tuple(fleet(s, gpus=1.0) for s in range(3)))


def test_the_cheap_places_are_as_many_as_the_work_needs():
    """5 Mtok fit the cheapest site, 15 need two, 25 and 100 all three."""
    week = week_of(three_sites([5.0, 15.0, 25.0, 100.0]))
    assert week.usd_per_mtok(0, 3).tolist() == [10.0, 20.0, 30.0, 30.0]
    assert [week.free_mtok(0, at) for at in range(4)] == pytest.approx([25.0, 15.0, 5.0, 0.0])


def test_no_place_counts_for_more_than_its_import_limit():
    """With 4 MW each 5 Mtok need two sites."""
    made = three_sites([5.0] * 4)
    week = week_of(replace(made, import_limit_mw=np.full((3, 4), 4.0)))
    assert week.usd_per_mtok(0, 3).tolist() == [20.0] * 4


def test_a_week_is_a_week_and_ends_with_the_present():
    prices = np.arange(400.0)
    made = plain([prices], np.ones((1, 400)), marginal=1.0)
    week = week_of(made)
    assert week.usd_per_mtok(0, 300).tolist() == prices[133:301].tolist()
    assert week.buy_usd_per_mwh(0, 3).tolist() == prices[:4].tolist()
    halves = week_of(replace(made, step_h=0.5))
    assert halves.buy_usd_per_mwh(0, 399).size == 336


def test_work_that_only_others_can_do_is_worth_its_value():
    made = plain([[20.0] * 4], np.ones((1, 4)), value=50.0)
    made = replace(
        made,
        deployments=(*made.deployments, api()),
        routes=(api_route(0, 1, usd_per_mtok=12.0),),
    )
    week = week_of(made)
    assert week.usd_per_mtok(0, 3).tolist() == [50.0] * 4
    assert week.free_mtok(0, 3) == 0.0


def test_rates_on_the_meter_are_part_of_what_power_cost():
    """20 USD/MWh and a tariff of 0 by night and 40 by day; a Mtok draws 1 MWh."""
    made = plain([[20.0] * 4], np.ones((1, 4)), marginal=1.0)
    week = week_of(replace(made, rates=(rate(made, 0, [0.0, 40.0, 0.0, 40.0], 0.0),)))
    assert week.buy_usd_per_mwh(0, 3).tolist() == [20.0, 60.0, 20.0, 60.0]
    assert week.usd_per_mtok(0, 3).tolist() == [20.0, 60.0, 20.0, 60.0]


def test_gpus_that_were_gone_made_no_cheap_place():
    """The cheapest site's GPUs are gone in the second hour: 5 Mtok go to the next one then."""
    made = three_sites([5.0] * 4)
    gone = Loss(
        name="fleet",
        site=None,
        fleet=0,
        begin=1,
        end=2,
        announced=1,
        left_share=0.0,
        export_mw=np.zeros(1),
        block_mw=np.zeros(1),
    )
    week = week_of(replace(made, losses=(gone,)))
    assert week.usd_per_mtok(0, 3).tolist() == [10.0, 20.0, 10.0, 10.0]
    assert [week.free_mtok(0, at) for at in (0, 1)] == pytest.approx([25.0, 15.0])

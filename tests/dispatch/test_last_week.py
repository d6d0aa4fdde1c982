"""What the week before an interval cost at its cheap places."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import api, api_route, fleet, plain

from tokenergy.dispatch.fill import lanes_of
from tokenergy.dispatch.last_week import LastWeek
from tokenergy.dispatch.world import World


def week_of(made: World) -> LastWeek:
    lanes = lanes_of(made)
    return LastWeek(
        made, [[x for x in lanes if x.workload == w] for w in range(len(made.workloads))]
    )


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

"""What a clean MWh is planned to be worth, where nothing says so and a target must be kept.

A window of two days sees little of the year over which a share of the load is matched. A hard
target then acts through a price (`terms/matching`): the file's, else the dual of the target over
the weeks before the horizon, solved with hindsight (contracts sheet, section 6). Beyond what the
best work is worth no price does more, so that is the most it can be.
"""

from dataclasses import replace

import numpy as np

from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.term import block_name
from tokenergy.dispatch.world import State, World
from tokenergy.units import H_PER_WEEK

HISTORY_H = 4.0 * H_PER_WEEK
LEAST_HISTORY_H = H_PER_WEEK
"""A history shorter than a week says nothing about the share of a month or a year."""


def with_clean_prices(world: World) -> World:
    """Return the world with a planned price for every hard target that has none.

    Nothing changes where there is none, or where the history is too short to say.
    """
    first = max(0, world.first - round(HISTORY_H / world.step_h))
    open_targets = [term for term in world.terms if _is_open(term)]
    if not open_targets or (world.first - first) * world.step_h < LEAST_HISTORY_H:
        return world
    found = {term: _hindsight_usd_per_mwh(world, term, first) for term in open_targets}
    return replace(
        world,
        terms=tuple(
            replace(term, planned_usd_per_mwh=found[term])
            if isinstance(term, Matching) and term in found
            else term
            for term in world.terms
        ),
    )


def _is_open(term: object) -> bool:
    return (
        isinstance(term, Matching)
        and term.shortfall_usd_per_mwh is None
        and term.planned_usd_per_mwh is None
    )


def _hindsight_usd_per_mwh(world: World, term: object, first: int) -> float:
    """Return the dual of a target over the weeks before the horizon, as one period."""
    assert isinstance(term, Matching)  # an open target is one
    whole = Periods.of_labels(["history"] * int(world.pue.shape[1]))
    most = max(term.premium_usd_per_mwh, _most_usd_per_mwh(world, term.site))
    kept = replace(term, periods=whole, shortfall_usd_per_mwh=most)
    before = replace(
        world, first=first, count=world.first - first, terms=(kept,), sunk=(), losses=(), cuts=()
    )
    start = replace(State.initial(before), contracts={})
    optimum = solve_horizon(before, start)
    return max(0.0, float(optimum.dual(block_name(kept, "target"))[0]))


def _most_usd_per_mwh(world: World, site: int) -> float:
    """Return what a MWh at the meter is worth to the best work that a site can do."""
    pue = float(np.max(world.pue[site]))
    worth = [0.0]
    for route in world.routes:
        target = world.deployments[route.deployment]
        mwh_per_mtok = route.marginal_mwh_per_mtok + target.base_mw / route.rate_mtok_per_h
        if not target.external and target.site == site and mwh_per_mtok > 0.0:
            value = world.workloads[route.workload].value_usd_per_mtok
            worth.append(value / (mwh_per_mtok * pue))
    return max(worth)

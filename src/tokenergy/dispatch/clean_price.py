"""What a clean MWh is planned to be worth, where nothing says so and a target must be kept.

A window of two days sees little of the year over which a share of the load is matched. A hard
target then acts through a price (`terms/matching`): the file's, else the dual of the target over
the weeks before the horizon, solved with hindsight (contracts sheet, section 6). Beyond what the
best work is worth no price does more, so that is the most it can be.
"""

from dataclasses import replace

import numpy as np

from tokenergy.dispatch.solve import Optimum, solve_horizon
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.term import Term, block_name
from tokenergy.dispatch.world import State, World
from tokenergy.units import H_PER_WEEK

HISTORY_H = 4.0 * H_PER_WEEK
LEAST_HISTORY_H = H_PER_WEEK
"""A history shorter than a week says nothing about a month or a year."""


def with_clean_prices(world: World) -> World:
    """Return the world with a planned price for every hard target that has none.

    Nothing changes where there is none, or where the history is too short to say.
    """
    found: dict[Term, Term] = {}
    for term in world.terms:
        if isinstance(term, Matching) and _is_open(term):
            if (price := _hindsight_usd_per_mwh(world, term)) is None:
                return world
            found[term] = replace(term, planned_usd_per_mwh=price)
    return replace(world, terms=tuple(found.get(t, t) for t in world.terms)) if found else world


def with_hindsight(world: World, terms: tuple[Term, ...]) -> Optimum | None:
    """Solve the weeks before the horizon with these terms alone, from an untouched past.

    None where the history is too short to say anything.
    """
    first = max(0, world.first - round(HISTORY_H / world.step_h))
    if (world.first - first) * world.step_h < LEAST_HISTORY_H:
        return None
    later = tuple(loss for loss in world.losses if loss.comes)
    before = replace(
        world, first=first, count=world.first - first, terms=terms, sunk=(), losses=later, cuts=()
    )
    return solve_horizon(before, replace(State.initial(before), contracts={}))


def _is_open(term: Matching) -> bool:
    return term.shortfall_usd_per_mwh is None and term.planned_usd_per_mwh is None


def _hindsight_usd_per_mwh(world: World, term: Matching) -> float | None:
    """Return the dual of a target over the weeks before the horizon, as one period."""
    whole = Periods.of_labels(["history"] * int(world.pue.shape[1]))
    most = max(term.premium_usd_per_mwh, _most_usd_per_mwh(world, term.site))
    kept = replace(term, periods=whole, shortfall_usd_per_mwh=most)
    optimum = with_hindsight(world, (kept,))
    if optimum is None:
        return None
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

"""Restraint of a company's own tier, request by request: its hours, its prices, its program.

The price of an hour is what one Mtok more of the tier costs in the company's program; what served
tokens cost is the difference that they make to that program's optimum, work of others that they
push aside included.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.errors import InputError
from tokenergy.thesis.restraint_requests import (
    REQUESTS_COUNT,
    SEEDS_COUNT,
    RequestTier,
    RestraintRequests,
    restraint_requests,
)

BUDGET_SHARE: Final = 0.35
"""The budget in parts of what serving all would use, as in the controllers' own world."""
SIZE_SIGMA_RATIO: Final = 0.8
"""Standard deviation of the logarithm of a request's tokens: an assumption."""
REFUSES_NOTHING_RATIO: Final = 1e4
"""Worth of a Mtok that must be served, in multiples of the dearest of the company."""


def restraint_of_world(
    world: World,
    tier: str,
    *,
    value_top_tenth_share: float,
    budget_share: float = BUDGET_SHARE,
    size_sigma_ratio: float = SIZE_SIGMA_RATIO,
    seed: int = 1,
    seeds_count: int = SEEDS_COUNT,
    requests_count: int = REQUESTS_COUNT,
) -> RestraintRequests:
    """Hold seven ways of restraint of one tier against each other, at equal tokens.

    Args:
        world: the company over its horizon; a day or two, for its program is solved ten times.
        tier: a tier of one workload that the company may refuse and that does not wait.
        value_top_tenth_share: part of the tier's value that a tenth of its requests holds.
        budget_share: the budget in parts of what serving all would use.
        size_sigma_ratio: standard deviation of the logarithm of a request's tokens.
        seed: of every draw.
        seeds_count: draws.
        requests_count: requests of each.

    Raises:
        InputError: if the tier has no workload, or several, or one that must be served or waits.
    """
    at = _workload(world, tier)
    load, span = world.workloads[at], slice(world.first, world.last)
    optimum = solve_horizon(world)
    prices = [asked_usd_per_mtok(world, optimum, each)[at] for each in range(world.count)]
    told = RequestTier(
        name=tier,
        arrivals_mtok=world.arrivals_mtok[at, span].copy(),
        price_usd_per_mtok=np.array(prices),
        step_h=world.step_h,
        value_usd_per_mtok=load.value_usd_per_mtok,
        value_top_tenth_share=value_top_tenth_share,
        size_sigma_ratio=size_sigma_ratio,
        budget_share=budget_share,
        seed=seed,
    )
    without_usd = _cost_usd(world, at, np.zeros(world.count))
    return restraint_requests(
        told,
        lambda served_mtok: _cost_usd(world, at, served_mtok) - without_usd,
        seeds_count=seeds_count,
        requests_count=requests_count,
    )


def _workload(world: World, tier: str) -> int:
    found = [at for at, load in enumerate(world.workloads) if load.tier == tier]
    if len(found) != 1:
        names = ", ".join(world.workloads[at].name for at in found) or "none"
        raise InputError(f"tier {tier!r} has workloads {names}; exactly one is needed")
    load = world.workloads[found[0]]
    if load.must_serve or load.defer_count:
        why = "must be served" if load.must_serve else "may wait"
        raise InputError(f"workload {load.name!r} of tier {tier!r} {why}: nothing is held back")
    return found[0]


def _cost_usd(world: World, at: int, served_mtok: FloatArray) -> float:
    """Return what the program costs if it has to serve these Mtok of one workload [T]."""
    dearest = max(load.value_usd_per_mtok for load in world.workloads)
    loads = list(world.workloads)
    loads[at] = replace(loads[at], value_usd_per_mtok=REFUSES_NOTHING_RATIO * dearest)
    arrivals = world.arrivals_mtok.copy()
    arrivals[at, world.first : world.last] = served_mtok
    asked = replace(world, workloads=tuple(loads), arrivals_mtok=arrivals)
    return solve_horizon(asked).objective_usd

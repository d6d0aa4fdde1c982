"""Where growth and its knobs stand in a month: users, capacity, prices, tokens of a user.

Economics sheet, section 5: what a token sells for, how many a user asks for and which models
answer move apart from each other, and none of them is "the price decline".
"""

import math
from dataclasses import replace

import numpy as np

from tokenergy.company.growth import Growth
from tokenergy.company.tier import Tier
from tokenergy.dispatch.world import WorkloadSpec, World
from tokenergy.units import MONTHS_PER_YEAR


def users_ratio_at(growth: Growth, month: float) -> float:
    """Return users over today's: `limit / (1 + (limit - 1) exp(-rate t))`, or the points."""
    if growth.logistic is not None:
        limit, years = growth.logistic.limit_ratio, month / MONTHS_PER_YEAR
        fall = math.exp(-growth.logistic.rate_share_per_year * years)
        return limit / (1.0 + (limit - 1.0) * fall)
    points = growth.users or ()
    return float(np.interp(month, [p.month for p in points], [p.users_ratio for p in points]))


def capacity_ratio_at(growth: Growth, month: float) -> float:
    """Return capacity over today's: the most users there were a lead time ago, never below 1."""
    seen = month - growth.lead_time_months
    if growth.capacity == "stands" or seen <= 0.0:
        return 1.0
    past = [point.month for point in growth.users or () if point.month <= seen]
    return max(1.0, *(users_ratio_at(growth, at) for at in (*past, seen)))


def price_ratio_at(growth: Growth, month: float) -> float:
    """Return what a token sells for over what it does today."""
    years = month / MONTHS_PER_YEAR
    return float((1.0 - growth.token_price_decline_share_per_year) ** years)


def tokens_ratio_at(growth: Growth, month: float) -> float:
    """Return what a user asks for over what one does today."""
    years = month / MONTHS_PER_YEAR
    return float((1.0 + growth.tokens_per_user_growth_share_per_year) ** years)


def at_price(world: World, price_ratio: float, price_elasticity_ratio: float) -> World:
    """Return a world in which tokens sell for another price.

    Prices by use and the list prices of external APIs are multiplied, and so is the value of
    what is worth what is paid for it; subscriptions stay. Where tokens are paid for by use,
    demand is multiplied by `price_ratio ^ -elasticity`.
    """
    if price_ratio == 1.0:
        return world
    tiers = world.company.tiers
    answer = price_ratio**-price_elasticity_ratio
    asked = [answer if _by_use(tiers[load.tier_index]) else 1.0 for load in world.workloads]
    return replace(
        world,
        workloads=tuple(
            _cheaper(load, tiers[load.tier_index], price_ratio) for load in world.workloads
        ),
        routes=tuple(
            replace(route, api_usd_per_mtok=route.api_usd_per_mtok * price_ratio)
            for route in world.routes
        ),
        arrivals_mtok=world.arrivals_mtok * np.array(asked)[:, None],
    )


def standing_knobs(growth: Growth) -> tuple[str, ...]:
    """Return the knobs that stand still, in words."""
    still = []
    if growth.token_price_decline_share_per_year == 0.0:
        still.append("what a token sells for")
    if growth.tokens_per_user_growth_share_per_year == 0.0:
        still.append("what a user asks for")
    if not growth.model_mix:
        still.append("the models that answer")
    if growth.price_elasticity_ratio == 0.0:
        still.append("demand does not answer prices: elasticity 0")
    if growth.capacity == "stands":
        still.append("capacity")
    return tuple(still)


def _by_use(tier: Tier) -> bool:
    return bool(tier.price_usd_per_mtok) or bool(tier.price_usd_per_request)


def _cheaper(load: WorkloadSpec, tier: Tier, price_ratio: float) -> WorkloadSpec:
    if not _by_use(tier):
        return load
    value = load.value_usd_per_mtok * (price_ratio if tier.value == "from_price" else 1.0)
    price = load.price_usd_per_mtok * price_ratio
    return replace(load, price_usd_per_mtok=price, value_usd_per_mtok=value)

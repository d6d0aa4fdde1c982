"""Companies whose users pay in every form there is, and what their runs cost."""

from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import strategies as st
from simulate.played import Refuser, random_company
from worlds import company_of, plain, workload, workload_dict

from tokenergy.api.simulating import run_full_cost
from tokenergy.company.company import Company
from tokenergy.company.fleet import GpuOwnership
from tokenergy.company.users import Users
from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import World
from tokenergy.economics.attribution import WorkloadCost, attribute, bill_by_site
from tokenergy.economics.margin import TierMargin, margin_by_tier
from tokenergy.economics.unit_cost import FullCost, full_cost
from tokenergy.simulate.account import account
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run
from tokenergy.units import H_PER_MONTH

POLICIES = ("greedy", "clairvoyant", "refuser")
SEEDS = st.integers(0, 11)
"""Of companies: few, so that tests of what always holds share the runs, which are kept."""


def with_prices(company: Company, seed: int) -> Company:
    """Return a company with capital, staff, users and a price of each form."""
    rng = np.random.default_rng(seed)
    draw = lambda low, high: float(rng.uniform(low, high))  # noqa: E731
    owned = GpuOwnership(usd_per_gpu=draw(2e4, 4e4), life_y=draw(3.0, 7.0))
    fleets = [
        f.model_copy(update={"owned": owned, "lease": None}) if at == 1 else f
        for at, f in enumerate(company.fleets)
    ]
    sites = [s.model_copy(update={"facility_usd_per_kw": draw(8e3, 16e3)}) for s in company.sites]
    batteries = [b.model_copy(update={"price_usd_per_kwh": 240.0}) for b in company.batteries]
    forms = ("price_usd_per_mtok", "price_usd_per_request", "price_usd_per_user_month")
    limits = {"price_usd_per_mtok": 9.0, "price_usd_per_request": 0.01}
    tiers = []
    for tier in company.tiers:
        form = forms[int(rng.integers(3))]
        prices = {name: None for name in forms} | {form: draw(0.0, limits.get(form, 60.0))}
        users = Users(
            count=int(rng.integers(1, 5000)),
            top_tenth_share=draw(0.2, 0.9),
            other_usd_per_user_month=draw(0.0, 3.0),
            churn_share_per_month=draw(0.0, 0.2),
            acquisition_usd_per_user=draw(1.0, 50.0),
        )
        tiers.append(
            tier.model_copy(update=prices | {"users": users, "fixed_usd_per_year": draw(0.0, 1e6)})
        )
    money = company.money.model_copy(update={"staff_usd_per_year": draw(0.0, 5e6)})
    changed = {"fleets": tuple(fleets), "sites": tuple(sites), "batteries": tuple(batteries)}
    return company.model_copy(update=changed | {"tiers": tuple(tiers), "money": money})


@cache
def paid(seed: int, policy: str) -> tuple[World, Run, FullCost, tuple[WorkloadCost, ...]]:
    """Return a random company, what a policy did, its full cost, and whom it is for."""
    world = random_company(seed)
    world = replace(world, company=with_prices(world.company, seed))
    decides = Refuser(world) if policy == "refuser" else make_policy(policy, world)
    run = replay(world, decides)
    return world, run, *costed(world, run)


def costed(world: World, run: Run) -> tuple[FullCost, tuple[WorkloadCost, ...]]:
    """Return the full cost of a run, and whom it is for."""
    full = run_full_cost(world, run)
    bills = bill_by_site(world.company, account(world, run).power_usd)
    return full, attribute(world, run, full, power_usd_by_site=bills)


def margins(seed: int, policy: str) -> tuple[FullCost, tuple[TierMargin, ...]]:
    """Return the full cost of a run, and the margins of its tiers."""
    world, _, full, costs = paid(seed, policy)
    return full, margin_by_tier(world, full, costs)


# ---- tiers by hand -----------------------------------------------------------------------


def cost(name="chat-us", *, tier="chat", served=100.0, **changes) -> WorkloadCost:
    """Return a cost of 100 Mtok: 40 power, 60 silicon, 20 capacity, 5 network; 90 marginal."""
    figures = {
        "served_mtok": served, "refused_mtok": 10.0, "energy_mwh": 2.0, "power_usd": 40.0,
        "gpu_rent_usd": 30.0, "gpu_lease_usd": 20.0, "api_usd": 10.0, "powered_capacity_usd": 20.0,
        "network_usd": 4.0, "wear_usd": 1.0, "marginal_usd": 90.0, "meter_tier": "modelled",
        "energy_low_share": 0.75, "energy_high_share": 1.5,
    }  # fmt: skip
    return WorkloadCost(workload=name, tier=tier, **figures | changes)


def tiers_of(*tiers: dict, costs=None, months=2.0) -> tuple[FullCost, tuple[TierMargin, ...]]:
    """Return the margins of tiers with one workload each, over two months."""
    names = [tier["name"] for tier in tiers]
    owner = company_of(
        tiers=list(tiers), workloads=[workload_dict(f"{name}-us", tier=name) for name in names]
    )
    loads = tuple(replace(workload(f"{name}-us"), tier=name) for name in names)
    made = replace(plain([[30.0]], [[1.0]] * len(loads)), company=owner, workloads=loads)
    costs = tuple(cost(f"{name}-us", tier=name) for name in names) if costs is None else costs
    full = full_cost(
        owner,
        hours_h=months * H_PER_MONTH,
        served_mtok=sum(each.served_mtok for each in costs),
        power_usd=sum(each.power_usd for each in costs),
        awake_lease_usd=0.0,
        api_usd=0.0,
        other_usd=0.0,
        gpu_used_share=0.5,
    )
    return full, margin_by_tier(made, full, costs)


def margin(tier: dict, **changes) -> TierMargin:
    return tiers_of(tier, **changes)[1][0]

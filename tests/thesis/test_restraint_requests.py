"""Restraint request by request: tokens are equal, and who gets them decides what is kept."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from commands import MERIDIAN

import tokenergy as te
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import World
from tokenergy.economics.heavy_tail import sigma_of
from tokenergy.errors import InputError
from tokenergy.simulate.controllers import CONTROLLERS
from tokenergy.thesis.restraint_requests import RequestTier, RestraintRequests, restraint_requests
from tokenergy.thesis.restraint_world import restraint_of_world

HOURS = 24
ARRIVALS = 100.0 + 80.0 * np.sin(np.arange(HOURS) / HOURS * 2.0 * np.pi)
PRICES = np.where(np.arange(HOURS) < 12, 0.1, 0.4)


def tier(**other: object) -> RequestTier:
    stated: dict[str, object] = {
        "name": "free",
        "arrivals_mtok": ARRIVALS,
        "price_usd_per_mtok": PRICES,
        "step_h": 1.0,
        "value_usd_per_mtok": 1.0,
        "value_top_tenth_share": 0.5,
        "size_sigma_ratio": 0.0,
        "budget_share": 0.35,
        "seed": 1,
    } | other
    return RequestTier(**stated)  # type: ignore[arg-type]


def cost_usd(served: np.ndarray) -> float:
    return float(served @ PRICES)


@pytest.fixture(scope="module")
def found() -> RestraintRequests:
    return restraint_requests(tier(), cost_usd, seeds_count=3, requests_count=20_000)


def test_tokens_are_equal_but_for_unlimited(found: RestraintRequests) -> None:
    """Only a fixed price may leave some: nobody knows beforehand what today will ask for."""
    assert tuple(policy.policy for policy in found.policies) == CONTROLLERS
    for policy in found.policies:
        if policy.policy == "unlimited":
            assert policy.tokens_share == pytest.approx(1.0, rel=1e-9)
            assert policy.value_kept_share == 1.0
        else:
            near = 0.03 if policy.policy == "yesterdays_price" else 0.005
            assert policy.tokens_off_share == pytest.approx(0.0, abs=near)
            assert policy.tokens_share <= 0.35 + 1e-9


def test_what_chance_and_knowledge_keep(found: RestraintRequests) -> None:
    """Requests of one size: chance keeps its share of the tokens, t.

    Knowledge keeps at most the upper t of a lognormal, Phi(sigma - z), z the 1 - t quantile; with
    sigma = 1.28 of values of which half lie in a tenth, that is 0.81 at t = 0.34. Costs shift some.
    """
    t = found.policy("paced").tokens_share
    normal = NormalDist()
    best = normal.cdf(sigma_of(0.5) - normal.inv_cdf(1.0 - t))
    for name in ("random_drop", "first_come"):
        assert found.policy(name).value_kept_share == pytest.approx(t, abs=0.03)
    assert best - 0.04 < found.value_kept_share <= best + 0.01
    assert found.beats_random
    assert 0.95 < found.clairvoyant_share <= 1.0


def test_cost_is_asked_of_the_served_profile(found: RestraintRequests) -> None:
    """All: sum of arrivals x price. First come serves the first hours alone, at 0.1 USD/Mtok."""
    assert found.policy("unlimited").cost_usd == pytest.approx(float(ARRIVALS @ PRICES), rel=1e-9)
    first = found.policy("first_come")
    assert first.cost_usd == pytest.approx(0.1 * first.tokens_share * ARRIVALS.sum(), rel=1e-3)
    ours = found.policy("paced")
    assert ours.margin_usd == ours.value_usd - ours.cost_usd
    told = found.to_dict()
    assert told["margin_up_share"] == found.margin_up_share
    assert told["policies"][-1]["words"] == "paced (ours)"
    low, high = found.random_low_usd, found.random_high_usd
    assert low < found.policy("random_drop").margin_usd < high


def test_even_values_leave_nothing_to_choose() -> None:
    """Every request worth the same, every hour at one price: nobody keeps more than chance."""
    even = tier(value_top_tenth_share=0.1, price_usd_per_mtok=np.full(HOURS, 0.1))
    found = restraint_requests(even, cost_usd, seeds_count=1, requests_count=5_000)
    for policy in found.policies[1:]:
        assert policy.value_kept_share == pytest.approx(policy.tokens_share, abs=0.01)


def test_nothing_is_worth_making() -> None:
    """At a price above every value pacing serves nothing, and the others get as much."""
    dear = tier(price_usd_per_mtok=np.full(HOURS, 1e6))
    found = restraint_requests(dear, cost_usd, seeds_count=1, requests_count=2_000)
    for policy in found.policies[1:]:
        assert policy.tokens_share == pytest.approx(0.0, abs=1e-6)
        assert policy.tokens_off_share == pytest.approx(0.0, abs=1e-6) or policy.tokens_share == 0.0


def test_the_same_seed_gives_the_same(found: RestraintRequests) -> None:
    assert restraint_requests(tier(), cost_usd, seeds_count=3, requests_count=20_000) == found


# ---- a company's own tier ------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> World:
    return te.load(MERIDIAN, days=1).world


def test_the_free_tier_of_the_example(world: World) -> None:
    """A third of its tokens: chance keeps a third of the value, pacing four fifths or more.

    Serving nothing of it costs what the program costs without it: the difference is 0.
    """
    found = restraint_of_world(
        world, "free", value_top_tenth_share=0.5, seeds_count=1, requests_count=10_000
    )
    ours, chance = found.policy("paced"), found.policy("random_drop")
    assert 0.30 < ours.tokens_share <= 0.35
    assert ours.value_kept_share > 0.8 > 0.4 > chance.value_kept_share
    assert found.policy("rate_limit").value_kept_share < 0.75
    whole = found.policy("unlimited")
    assert 0.0 < ours.cost_usd < 0.6 * whole.cost_usd
    span = slice(world.first, world.last)
    at = [load.tier for load in world.workloads].index("free")
    all_usd = float(world.arrivals_mtok[at, span].sum()) * world.workloads[at].value_usd_per_mtok
    assert whole.value_usd == pytest.approx(all_usd, rel=0.05)
    # today's dispatch serves all of it already: what it costs is in the optimum as it stands
    gone = world.arrivals_mtok.copy()
    gone[at, span] = 0.0
    without_usd = solve_horizon(replace(world, arrivals_mtok=gone)).objective_usd
    with_usd = solve_horizon(world).objective_usd
    assert whole.cost_usd == pytest.approx(with_usd - without_usd, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "why"),
    [("chat", "exactly one is needed"), ("none", "workloads none"), ("nightly", "may wait")],
)
def test_a_tier_that_holds_nothing_back_is_refused(world: World, name: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        restraint_of_world(world, name, value_top_tenth_share=0.5)

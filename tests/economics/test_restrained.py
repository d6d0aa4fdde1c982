"""A company under its own restraint: what changes, what is left, and what that is worth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import worlds
from economics.crowd import crowd
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.api.opened import OpenCompany, load
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import World
from tokenergy.economics.profit import profit_at, profit_curve
from tokenergy.economics.restrained import restrained, value_classes
from tokenergy.errors import InputError

SORA = Path(__file__).resolve().parents[2] / "examples" / "sora_like.yaml"


def limited(*, tail=0.8, restraint=None, **tier) -> worlds.Company:
    """Return a company of one tier with 1,000 users and one restraint."""
    held = {"count": 1000, "top_tenth_share": tail} if tail else {"count": 1000}
    limits = {"tier": "chat", "must_serve": False} if restraint is None else restraint
    return worlds.company_of(
        tiers=[worlds.tier_dict(users=held, must_serve=True, **tier)], restraint=[limits]
    )


# ---- what a file's words change ------------------------------------------------------------


def test_promise_deadline_and_ladder_are_the_restrained_ones() -> None:
    limits = {"tier": "chat", "must_serve": False, "deadline_s": 7200, "ladder": ["tiny"]}
    made = restrained(limited(restraint=limits)).company
    assert (made.tiers[0].must_serve, made.tiers[0].deadline_s) == (False, 7200.0)
    assert made.workloads[0].ladder == ("tiny",)
    assert made.tiers[0].users.count == 1000


def test_a_tier_without_restraint_is_as_before() -> None:
    company = worlds.company_of(
        tiers=[worlds.tier_dict(), worlds.tier_dict("free", users={"count": 10})],
        workloads=[worlds.workload_dict(), worlds.workload_dict("w", tier="free")],
        restraint=[{"tier": "free", "must_serve": False, "ladder": ["tiny"]}],
    )
    made = restrained(company).company
    assert (made.tiers[0], made.workloads[0]) == (company.tiers[0], company.workloads[0])
    assert made.workloads[1].ladder == ("tiny",)


@pytest.mark.parametrize(
    ("tail", "cap", "kept"),
    [(0.5, 1.0, 0.52), (0.65, 2.0, 0.55), (0.8, 2.0, 0.40), (0.9, 5.0, 0.40)],
)
def test_a_cap_leaves_what_the_published_table_says(tail: float, cap: float, kept: float) -> None:
    """Economics sheet, section 4: kept share of a lognormal capped at k times its mean."""
    made = restrained(limited(tail=tail, restraint={"tier": "chat", "cap_ratio": cap}))
    assert made.kept[0].tokens_share == pytest.approx(kept, abs=0.006)


def test_a_cap_leaves_what_users_drawn_at_random_keep() -> None:
    """Monte Carlo with sigma = z_0.9 + z_0.8 = 1.2816 + 0.8416, within 3 standard errors."""
    sigma = 1.2815515655446004 + 0.8416212335729143
    drawn = np.exp(sigma * np.random.default_rng(5).standard_normal(400_000) - sigma**2 / 2.0)
    capped = np.minimum(drawn, 3.0)
    made = restrained(limited(restraint={"tier": "chat", "cap_ratio": 3.0}))
    error = capped.std() / np.sqrt(capped.size)
    assert abs(capped.mean() - made.kept[0].tokens_share) < 3.0 * error


def test_those_who_leave_take_their_arrivals_along() -> None:
    """A cap at 2 times leaves 40 %, a quarter leaves: 0.75 x 0.40 of the arrivals, 750 users."""
    limits = {"tier": "tier0", "cap_ratio": 2.0, "churn_share": 0.25}
    world = crowd(restraint=[limits])
    made = restrained(world.company)
    less = made.world(replace(world, company=made.company))
    assert made.company.tiers[0].users.count == 750
    assert less.arrivals_mtok / world.arrivals_mtok == pytest.approx(
        0.75 * made.kept[0].tokens_share
    )
    assert profit_at(less).books.revenue_usd_per_year == pytest.approx(750 * 3600.0)
    assert "25.0% of its users leave" in made.says()[0]


def test_a_subscription_is_spread_over_the_tokens_that_are_left() -> None:
    """Half the tokens of as many subscribers: each is paid double; of one in two, as before."""
    limits = {"tier": "tier0", "cap_ratio": 1.0}
    world = crowd(restraint=[limits])
    made = restrained(world.company)
    less = made.world(replace(world, company=made.company))
    share = made.kept[0].arrivals_share
    spread = world.workloads[0].price_usd_per_mtok / share
    assert less.workloads[0].price_usd_per_mtok == pytest.approx(spread)
    assert less.workloads[0].value_usd_per_mtok == pytest.approx(spread)  # value: from_price


def test_a_price_by_use_is_not_spread() -> None:
    """Half the tokens at 7 USD each are still 7 USD each."""
    tier = worlds.tier_dict(
        "tier0", users={"count": 1000, "top_tenth_share": 0.8}, price_usd_per_mtok=7.0
    )
    world = crowd(tiers=[tier], restraint=[{"tier": "tier0", "cap_ratio": 1.0}])
    made = restrained(world.company)
    less = made.world(replace(world, company=made.company))
    assert made.kept[0].arrivals_share < 1.0
    assert less.workloads == world.workloads


def test_who_leaves_a_tier_that_names_no_users_takes_arrivals_along() -> None:
    tier = worlds.tier_dict("tier0", price_usd_per_mtok=7.0)
    limits = {"tier": "tier0", "must_serve": False, "churn_share": 0.25}
    world = crowd(tiers=[tier], restraint=[limits])
    made = restrained(world.company)
    assert made.company.tiers[0].users is None
    less = made.world(replace(world, company=made.company))
    assert less.arrivals_mtok == pytest.approx(0.75 * world.arrivals_mtok)


def test_no_restraint_and_a_cap_without_a_tail_are_refused() -> None:
    with pytest.raises(InputError, match="states no restraint"):
        restrained(worlds.company_of())
    with pytest.raises(InputError, match="top_tenth_share"):
        restrained(limited(tail=None, restraint={"tier": "chat", "cap_ratio": 2.0}))


# ---- classes of value ----------------------------------------------------------------------


def unequal(*, must_serve=False, top_tenth=0.6, value=6.0) -> World:
    """Make the crowd with requests of unequal value, which may be refused."""
    tier = worlds.tier_dict(
        "tier0",
        users={"count": 1000},
        price_usd_per_mtok=0.0,
        value=None,
        value_usd_per_mtok=value,
        value_top_tenth_share=top_tenth,
        must_serve=must_serve,
    )
    loads = (worlds.workload("free", value=value, must_serve=must_serve),)
    return crowd(loads=loads, tiers=[tier], by_the_hour=1e4)


@given(top_tenth=st.floats(0.1, 0.95), value=st.floats(0.1, 100.0))
def test_classes_hold_the_same_requests_and_the_same_value(top_tenth: float, value: float) -> None:
    world = unequal(top_tenth=top_tenth, value=value)
    split = value_classes(world)
    worth = np.array([load.value_usd_per_mtok for load in split.workloads])
    assert split.arrivals_mtok.sum(axis=0) == pytest.approx(world.arrivals_mtok[0])
    assert worth @ split.arrivals_mtok == pytest.approx(value * world.arrivals_mtok[0])
    assert (np.diff(worth) >= -1e-9 * value).all()
    assert [load.name for load in split.workloads[:2]] == ["free~1", "free~2"]
    assert len(split.routes) == len(split.workloads) * len(world.routes)


def test_the_program_refuses_what_is_worth_less_than_it_costs() -> None:
    """By the hour a Mtok costs 8 USD, on reserved GPUs 3.

    Each class above 8 is served whole, each below 3 not at all, and what lies between fills what
    the others leave of the reserved GPUs.
    """
    world = value_classes(replace(unequal(), arrivals_mtok=np.full((1, 8), 400.0)))
    optimum = solve_horizon(world)
    refused = optimum.value("refused").sum(axis=0) / world.arrivals_mtok.sum(axis=1)
    worth = np.array([load.value_usd_per_mtok for load in world.workloads])
    assert refused[worth > 8.0] == pytest.approx(0.0)
    assert refused[worth < 3.0] == pytest.approx(1.0)
    assert (worth > 8.0).any() and (worth < 3.0).any()


def test_promised_work_and_classes_are_not_cut() -> None:
    assert value_classes(unequal(must_serve=True)).workloads == unequal(must_serve=True).workloads
    once = value_classes(unequal())
    assert value_classes(once).workloads == once.workloads


# ---- the example ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sora() -> OpenCompany:
    return load(SORA)


def under_restraint(opened: OpenCompany) -> World:
    made = restrained(opened.company)
    return made.world(build_world(made.company, opened.inputs, opened.catalogue))


def gpu_hours_per_request(world: World, *, workload: str, model: str) -> float:
    at = [load.name for load in world.workloads].index(workload)
    route = next(
        r
        for r in world.routes
        if r.workload == at
        and (d := world.deployments[r.deployment]).model == model
        and d.accelerator == "H100"
    )
    mtok = world.workloads[at].tokens_per_request_count / 1e6
    return world.deployments[route.deployment].gpus_count * mtok / route.rate_mtok_per_h


def test_a_shorter_and_smaller_clip_answers_one_request_and_costs_less(sora: OpenCompany) -> None:
    """Tokens of a 10-s clip at 480 x 832: 41 x 30 x 52 = 63,960; of 5 s at 320 x 576: 15,120.

    As a rung of the ladder the short clip answers the same request in its own, shorter time: as
    long as in a company that offers nothing else. Less than 15,120 / 63,960 of the GPU-hours,
    since attention grows with the square of the tokens.
    """
    ladder = under_restraint(sora)
    alone = sora.company.model_copy(
        update={
            "workloads": tuple(
                w.model_copy(update={"ladder": ("short",)}) for w in sora.company.workloads
            )
        }
    )
    only = build_world(alone, sora.inputs, sora.catalogue)
    at = [load.name for load in only.workloads].index("free-europe")
    assert only.workloads[at].tokens_per_request_count == 15_120
    assert ladder.workloads[at].tokens_per_request_count == 63_960
    clip = gpu_hours_per_request(ladder, workload="free-europe", model="clip")
    short = gpu_hours_per_request(ladder, workload="free-europe", model="short")
    assert short == pytest.approx(
        gpu_hours_per_request(only, workload="free-europe", model="short")
    )
    assert short < clip * 15_120 / 63_960
    requests = [w.arrivals_mtok[at, -1] / w.workloads[at].tokens_per_request_count
                for w in (sora.world, only)]  # fmt: skip
    assert requests[0] == pytest.approx(requests[1])


def test_the_example_loses_more_as_it_grows_and_less_under_restraint(sora: OpenCompany) -> None:
    """Today every user adds to the loss, since half of today's users; under restraint none does."""
    curve = profit_curve(sora.world, at_ratio=(0.2, 0.5, 1.0, 2.0))
    assert [turn.rises for turn in curve.turns] == [False]
    assert 0.1 < curve.turns[0].users_ratio < 1.0
    assert curve.today.scale.negative_scale
    assert curve.today.books.profit_usd_per_year < 0.0
    assert curve.today.books.served_share == pytest.approx(1.0)
    held = profit_at(under_restraint(sora))
    assert not held.scale.negative_scale
    assert held.books.profit_usd_per_year > curve.today.books.profit_usd_per_year

"""How concentrated a plan is, and what surviving the loss of a site costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan.valued import CATALOGUE, company_to_plan, inputs_to_plan, planned
from worlds import tier_dict

from tokenergy.plan.program import plan_program
from tokenergy.plan.resilience import (
    Concentration,
    Placed,
    concentration_of,
    effective_count,
    placed_of,
    power_alike,
    survival_premium_of,
    without_contracts,
    without_latency_limits,
)
from tokenergy.plan.whole import solve_whole


def test_the_effective_number_by_hand():
    """Halves count 2; 3/4 and 1/4: 1 / (9/16 + 1/16) = 1.6; one has all: 1; nobody: 0."""
    assert effective_count((5.0, 5.0)) == pytest.approx(2.0)
    assert effective_count((3.0, 1.0)) == pytest.approx(1.6)
    assert effective_count((7.0, 0.0, 0.0)) == pytest.approx(1.0)
    assert effective_count(()) == effective_count((0.0, -1e-12)) == 0.0


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8), st.floats(1e-3, 1e3))
def test_the_effective_number_lies_between_one_and_all_whatever_the_unit(amounts, unit):
    found = effective_count(amounts)
    assert 1.0 - 1e-9 <= found <= len(amounts) + 1e-9
    assert effective_count([unit * each for each in amounts]) == pytest.approx(found)


def placed(variant: str, *mtok: float, cost: float = 100.0) -> Placed:
    return Placed(
        variant=variant,
        cost_usd=cost,
        served_mtok={f"s{at}": each for at, each in enumerate(mtok)},
        built_mw={f"s{at}": each for at, each in enumerate(mtok)},
    )


def test_what_is_said_follows_from_the_numbers():
    """Alike power would spread the work over 2 sites: its prices gather it at 1, and so on."""
    found = Concentration(
        placed=(
            placed("as planned", 4.0, 0.0),
            placed("power alike", 2.0, 2.0, cost=120.0),
            placed("without contracts", 4.0, 0.0, cost=130.0),
        )
    )
    said = list(found.sentences())
    assert "1.00 effective sites" in said[0]
    assert "cheaper in some places concentrates work" in said[1]
    assert "20 USD higher" in said[1]
    assert "contracts offer changes little" in said[2]
    spread = Concentration(placed=(placed("as planned", 2.0, 2.0), placed("power alike", 4.0)))
    assert "decentralises work" in list(spread.sentences())[1]
    assert list(Concentration(placed=()).sentences()) == []
    assert found.to_dict()["variants"][1]["served_sites_count"] == pytest.approx(2.0)


def test_a_plan_is_placed_where_its_work_is_served():
    made = planned(requests=9000.0)
    found = placed_of(made, "as planned")
    served = made.optimum.value("serve").sum()
    assert sum(found.served_mtok.values()) == pytest.approx(served)
    assert found.served_mtok["metro"] == pytest.approx(0.0, abs=1e-6)
    assert found.built_mw["windy"] == pytest.approx(made.sizes["windy"])
    assert 1.5 < found.served_sites_count < 2.0


def test_variants_change_what_they_say_and_cost_no_less_or_no_more():
    """Without what may be signed a plan costs no less; without limits of latency no more."""
    company = company_to_plan(tiers=[tier_dict(value=None, value_usd_per_mtok=40.0,
                                               ttft_limit_s=0.12),
                                     tier_dict("bulk", ttft_limit_s=60.0, deadline_s=14400.0,
                                               value=None, value_usd_per_mtok=30.0)])  # fmt: skip
    made = planned(company, requests=9000.0)
    assert {r.workload for r in made.plan.world.routes if r.deployment == 2} == {1}
    found = concentration_of(made)
    cost = {each.variant: each.cost_usd for each in found.placed}
    assert len(cost) == 4
    tiny = 1e-6 * abs(cost["as planned"])
    assert cost["without contracts"] >= cost["as planned"] - tiny
    assert cost["without latency limits"] <= cost["as planned"] + tiny
    assert len(list(found.sentences())) == 4


def test_worlds_without_contracts_or_limits_keep_the_rest():
    company = company_to_plan()
    bare = without_contracts(company)
    assert {each.kind for each in bare.contracts} == {"spot"}
    assert bare.plan.contracts == ()
    assert bare.plan.sites == company.plan.sites
    assert all(tier.ttft_limit_s >= 3600.0 for tier in without_latency_limits(company).tiers)
    inputs = inputs_to_plan(company)
    alike = power_alike(inputs).price_usd_per_mwh
    mean = np.mean(list(inputs.price_usd_per_mwh.values()), axis=0)
    assert all(each == pytest.approx(mean) for each in alike.values())


def test_the_premium_of_surviving_is_what_two_plans_differ_by():
    """A promise builds GPUs at a second site; it never saves money."""
    tiers = [tier_dict(value=None, value_usd_per_mtok=40.0, survives="any_one_site")]
    loads = [
        {"name": "chat-us", "tier": "chat", "origin": "us", "input_tokens": 500.0,
         "output_tokens": 250.0, "ladder": ["small"], "arrivals": {"mean_requests_per_s": 2.0}},
    ]  # fmt: skip
    company = company_to_plan(tiers=tiers, workloads=loads)
    inputs = inputs_to_plan(company, requests=1000.0)
    promised, free = (
        solve_whole(plan_program(company, inputs, CATALOGUE, survives=each))
        for each in (True, False)
    )
    found = survival_premium_of(promised, free)
    assert found is not None
    assert found.short_mtok == 0.0
    assert found.premium_usd > 0.0
    both = promised.solution.objective_usd - free.solution.objective_usd
    assert found.premium_usd == pytest.approx(both)
    built = [name for name in promised.sizes if name.startswith("gpus-")]
    assert sum(promised.sizes[name] > 1.0 for name in built) >= 2
    assert found.more
    assert "can be served with any one site dark costs" in found.sentence()
    assert survival_premium_of(free, free) is None


def test_nobody_promised_nothing_is_paid():
    made = planned()
    assert survival_premium_of(made, made) is None

"""The plan's program is the dispatch program of whatever is built, and says what that costs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan.valued import CATALOGUE, company_to_plan, inputs_to_plan, program_of

from tokenergy.dispatch.bound import fixed_usd
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import State
from tokenergy.errors import InfeasibleProgram, InputError
from tokenergy.plan.candidates import annual_usd
from tokenergy.plan.capital import standing_usd_per_year
from tokenergy.plan.effects import PlanNotLinear
from tokenergy.plan.program import plan_program
from tokenergy.plan.sized_company import built_company, company_at
from tokenergy.plan.whole import model_of, rounded, settle, solve_held, solve_whole

MUST_TAKE = {
    "id": "must", "kind": "ppa_as_produced", "site": "metro", "project_mw": 3.0,
    "profile": 0.4, "strike_usd_per_mwh": 60.0,
}  # fmt: skip
DEMAND = {
    "id": "grid", "site": "windy", "fixed_usd_per_month": 900.0,
    "demand": [{"name": "peak", "usd_per_kw_month": 8.0, "contract_mw": 2.0,
                "min_bill_share": 0.5}],
}  # fmt: skip


def richer():
    """Return the company with contracts and a tariff whose every figure hangs on a size."""
    company = company_to_plan()
    told = company.model_dump(mode="json")
    told["sites"][0]["fixed_load_mw"] = 0.05
    told["contracts"] += [
        MUST_TAKE,
        {"id": "base", "kind": "block", "site": "far", "contract_mw": 1.0,
         "strike_usd_per_mwh": 30.0, "from_hour": 6, "to_hour": 20},
        {"id": "paper", "kind": "ppa_virtual", "site": "metro", "project_mw": 2.0, "share": 0.5,
         "profile": 0.5, "strike_usd_per_mwh": 70.0, "hub_price": 65.0},
        {"id": "turbine", "kind": "on_site", "site": "metro", "capacity_mw": 1.0,
         "heat_rate_mmbtu_per_mwh": 9.0, "fuel_usd_per_mmbtu": 4.0, "price_usd_per_kw": 900.0,
         "permit_h_per_year": 20.0},
        {"id": "clean", "kind": "cfe", "site": "metro", "target_share": 0.2,
         "sources": ["must"], "shortfall_usd_per_mwh": 25.0},
    ]  # fmt: skip
    told["tariffs"] = [DEMAND]
    told["plan"]["contracts"] += [
        {"name": "must", "most_mw": 3.0},
        {"name": "base", "most_mw": 1.0},
        {"name": "paper", "most_mw": 1.0},
        {"name": "turbine", "most_mw": 1.0},
    ]
    company = type(company).model_validate(told)
    inputs = inputs_to_plan(company)
    flat = np.full(company.horizon.intervals_count, 1.0)
    profiles = {**inputs.profile_share, "must": 0.4 * flat, "paper": 0.5 * flat}
    series = {
        **inputs.series,
        "paper.hub_price": 65.0 * flat,
        "turbine.fuel_usd_per_mmbtu": 4.0 * flat,
    }
    return company, replace(inputs, profile_share=profiles, series=series)


def cost_by_dispatch_usd(plan, sizes):
    """Return what the sized company's clairvoyant dispatch costs, and its annuities."""
    world = build_world(company_at(plan.company, sizes), plan.inputs, plan.catalogue)
    dispatch_usd = solve_horizon(world).objective_usd + fixed_usd(world, State.initial(world))
    yearly = sum(annual_usd(plan.candidates, sizes).values())
    yearly += standing_usd_per_year(plan.company, plan.candidates)
    return dispatch_usd + yearly * plan.years


@pytest.fixture(scope="module")
def rich():
    company, inputs = richer()
    plan = plan_program(company, inputs, CATALOGUE)
    return plan, solve_whole(plan)


@settings(max_examples=12, deadline=None)
@given(shares=st.lists(st.integers(0, 40), min_size=16, max_size=16))
def test_held_sizes_are_the_clairvoyant_dispatch_of_that_company(rich, shares):
    """In fortieths of the range: nobody builds 1e-200 MW, at which no solver can prove anything."""
    plan, answer = rich
    sizes = {
        each.name: each.least + share / 40.0 * (each.most - each.least)
        for each, share in zip(plan.candidates, shares, strict=False)
    }
    try:
        by_dispatch_usd = cost_by_dispatch_usd(plan, sizes)
    except InfeasibleProgram:  # GPUs that sleep need more than these megawatts
        with pytest.raises(InfeasibleProgram):
            solve_held(answer, sizes)
        return
    assert solve_held(answer, sizes).objective_usd == pytest.approx(by_dispatch_usd, rel=1e-8)


def test_no_sizes_are_cheaper_than_the_plans_own(rich):
    plan, answer = rich
    rng = np.random.default_rng(5)
    for _ in range(8):
        sizes = {
            each.name: rng.uniform(each.least, each.most) if rng.random() < 0.6 else
            min(each.most, max(each.least, answer.sizes[each.name] * rng.uniform(0.8, 1.2)))
            for each in plan.candidates
        }  # fmt: skip
        try:
            assert cost_by_dispatch_usd(plan, sizes) >= answer.lower_usd * (1.0 - 1e-9)
        except InfeasibleProgram:
            continue


def test_what_is_written_costs_what_was_planned(rich):
    """Whole GPUs, what is not built dropped: the file's own clairvoyant comes to the plan's."""
    plan, answer = rich
    settled = settle(answer)
    sizes, held_usd = settled.sizes, settled.solution.objective_usd
    assert answer.lower_usd <= held_usd <= answer.lower_usd * 1.01
    built = built_company(plan.company, sizes)
    assert built.plan is None
    assert all(isinstance(fleet.gpu_count, int) for fleet in built.fleets)
    world = build_world(built, plan.inputs, plan.catalogue)
    dispatch_usd = solve_horizon(world).objective_usd + fixed_usd(world, State.initial(world))
    yearly = sum(annual_usd(plan.candidates, sizes).values())
    yearly += standing_usd_per_year(plan.company, plan.candidates)
    assert dispatch_usd + yearly * plan.years == pytest.approx(held_usd, rel=1e-6)


def test_a_must_take_contract_that_is_too_dear_is_not_signed(rich):
    """60 USD/MWh where power costs 75 on average by day and 25 less by night: some is worth it.

    With a strike of 500 none is, though the largest company has to take all of it.
    """
    company, inputs = richer()
    told = company.model_dump(mode="json")
    next(c for c in told["contracts"] if c["id"] == "must")["strike_usd_per_mwh"] = 500.0
    plan = plan_program(type(company).model_validate(told), inputs, CATALOGUE)
    assert solve_whole(plan).sizes["must"] == pytest.approx(0.0, abs=1e-6)


def test_a_free_contract_that_is_of_no_use_is_not_signed():
    """A contract that is paid only for what is taken costs nothing: the smallest is told."""
    told = company_to_plan().model_dump(mode="json")
    told["contracts"][-1]["strike_usd_per_mwh"] = 400.0
    plan = program_of(type(company_to_plan()).model_validate(told))
    assert solve_whole(plan).sizes["wind"] == 0.0


def test_doubling_demand_and_all_limits_doubles_sizes_and_cost():
    company = company_to_plan()
    told = company.model_dump(mode="json")
    for size in told["plan"]["sites"]:
        size["most_mw"] *= 2.0
    for size in told["plan"]["fleets"]:
        size["most_count"] *= 2
    for size in [*told["plan"]["batteries"], *told["plan"]["contracts"]]:
        size["most_mw"] *= 2.0
    double = type(company).model_validate(told)
    one = solve_whole(program_of(company))
    two = solve_whole(plan_program(double, inputs_to_plan(company, requests=4000.0), CATALOGUE))
    # the noise of the requests is not doubled: hold arrivals themselves
    arrivals = two.plan.world.arrivals_mtok
    inputs = one.plan.inputs
    doubled = replace(
        inputs, requests_per_s={name: 2.0 * v for name, v in inputs.requests_per_s.items()}
    )
    two = solve_whole(plan_program(double, doubled, CATALOGUE))
    assert np.allclose(two.plan.world.arrivals_mtok, 2.0 * one.plan.world.arrivals_mtok)
    assert arrivals.shape == two.plan.world.arrivals_mtok.shape
    assert two.lower_usd == pytest.approx(2.0 * one.lower_usd, rel=1e-7)


def test_another_option_never_raises_the_cost():
    company = company_to_plan()
    told = company.model_dump(mode="json")
    told["plan"]["contracts"], told["contracts"] = [], told["contracts"][:-1]
    fewer = type(company).model_validate(told)
    assert solve_whole(program_of(company)).lower_usd <= solve_whole(
        program_of(fewer)
    ).solution.objective_usd * (1.0 + 1e-9)


def test_a_queue_adds_up_and_waits_for_its_dates():
    """Two steps at one site, the second a day later: before that day the first alone delivers."""
    told = company_to_plan().model_dump(mode="json")
    told["plan"]["sites"][0] = {
        "name": "windy",
        "most_mw": 2.0,
        "queue": [
            {"mw": 0.5, "energised_on": "2026-03-01"},
            {"mw": 1.5, "energised_on": "2026-03-03", "usd_per_kw": 100.0},
        ],
    }
    plan = program_of(type(company_to_plan()).model_validate(told))
    assert [each.name for each in plan.candidates[:2]] == ["windy#1", "windy#2"]
    answer = solve_whole(plan)
    imports_mw = answer.optimum.value("meter_import")[:, 0]
    local = np.arange(48) - 6  # Chicago is six hours behind
    first = answer.sizes["windy#1"]
    both = first + answer.sizes["windy#2"]
    assert imports_mw[local < 24].max() <= first + 1e-6
    assert imports_mw.max() <= both + 1e-6


def test_steps_are_whole_and_opening_is_paid_once():
    told = company_to_plan().model_dump(mode="json")
    told["plan"]["sites"] = [
        {"name": "windy", "most_mw": 2.0, "step_mw": 0.5, "open_usd": 40000.0},
        {"name": "metro", "most_mw": 2.0, "open_usd": 1e12},
        {"name": "far", "most_mw": 2.0, "least_mw": 0.25},
    ]
    plan = program_of(type(company_to_plan()).model_validate(told))
    answer = solve_whole(plan, gap_share=0.0)
    steps = answer.sizes["windy"] / 0.5
    assert steps == pytest.approx(round(steps), abs=1e-6)
    assert answer.sizes["metro"] == pytest.approx(0.0, abs=1e-6)
    assert answer.sizes["far"] >= 0.25
    assert answer.solution.objective_usd == pytest.approx(
        cost_by_dispatch_usd(plan, answer.sizes), rel=1e-7
    )


def test_the_budget_binds():
    told = company_to_plan().model_dump(mode="json")
    free = solve_whole(program_of(company_to_plan()))
    spent_usd = sum(each.capital_usd_per_unit * free.sizes[each.name]
                    for each in free.plan.candidates)  # fmt: skip
    told["plan"]["budget_usd"] = 0.6 * spent_usd
    plan = program_of(type(company_to_plan()).model_validate(told))
    answer = solve_whole(plan)
    within = sum(each.capital_usd_per_unit * answer.sizes[each.name] for each in plan.candidates)
    assert within <= 0.6 * spent_usd * (1.0 + 1e-9)
    assert answer.solution.objective_usd >= free.solution.objective_usd


def test_hours_beyond_the_horizon_are_refused():
    company = company_to_plan()
    with pytest.raises(InputError, match=r"hours is 96; it must lie between 1 and .* 48 h"):
        plan_program(company, inputs_to_plan(company), CATALOGUE, hours=96)
    with pytest.raises(InputError, match=r"hours is 10.5; it must be a whole number of 1 h steps"):
        plan_program(company, inputs_to_plan(company), CATALOGUE, hours=10.5)


def test_power_stuck_behind_an_open_meter_is_refused():
    """What must be taken behind the meter changes what a replica draws: no straight line."""
    told = company_to_plan().model_dump(mode="json")
    told["contracts"][-1] |= {"may_curtail": False, "delivery": "behind_the_meter"}
    told["sites"][0]["export_limit_mw"] = 0.3
    company = type(company_to_plan()).model_validate(told)
    with pytest.raises(PlanNotLinear, match=r"wind|windy"):
        program_of(company)


def test_the_relaxation_of_a_coarse_grid_bounds_nothing_but_itself():
    """The model keeps its bounds after sizes were held: the next solve is the plan again."""
    plan = program_of(company_to_plan())
    answer = solve_whole(plan)
    solve_held(answer, rounded(plan, answer.sizes))
    again = answer.model.solve()
    assert again.objective_usd == pytest.approx(answer.solution.objective_usd, rel=1e-9)
    assert model_of(plan).solve().objective_usd == pytest.approx(again.objective_usd, rel=1e-9)

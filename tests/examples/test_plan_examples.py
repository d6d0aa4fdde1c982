"""The two examples with a section `plan` are what they say, and their plans are decisions."""

from pathlib import Path

import pytest
from commands import ROOT

import tokenergy as te
from tokenergy.company.company import Company
from tokenergy.company.planning import Planning
from tokenergy.plan.program import plan_program
from tokenergy.plan.whole import WholeAnswer, solve_whole

HYPERSCALER = ROOT / "examples" / "hyperscaler.yaml"
STARTUP = ROOT / "examples" / "startup.yaml"


def planned(path: Path, *, hours: float) -> WholeAnswer:
    opened = te.load(path, days=hours / 24.0)
    return solve_whole(plan_program(opened.company, opened.inputs, opened.catalogue))


def open_sizes(company: Company) -> Planning:
    assert company.plan is not None
    return company.plan


# ---- hyperscaler ---------------------------------------------------------------------------------


def test_the_hyperscaler_is_the_company_of_the_issue() -> None:
    """Six sites, a queue with dates, GPUs owned and leased, offers of several kinds, two years."""
    company = te.load(HYPERSCALER, days=14).company
    plan = open_sizes(company)
    assert len(company.sites) == 6
    assert {size.name for size in plan.sites} == {site.name for site in company.sites}
    assert any(len(size.queue) > 1 for size in plan.sites)
    assert any(size.open_usd for size in plan.sites)
    assert {fleet.lease is None for fleet in company.fleets} == {True, False}
    assert len({fleet.accelerator for fleet in company.fleets}) > 1
    kinds = {contract.id: contract.kind for contract in company.contracts}
    offered = {kinds[size.name] for size in plan.contracts}
    assert offered == {"ppa_as_produced", "ppa_baseload", "ppa_virtual", "colocation"}
    assert plan.batteries and plan.scenarios and plan.budget_usd


def test_the_hyperscaler_fits_on_a_few_screens_and_marks_its_guesses() -> None:
    text = HYPERSCALER.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 150
    assert "days: 728" in text
    assert sum("guess" in line for line in lines) >= 10
    assert sum(any(f"20{year}" in line for year in range(22, 27)) for line in lines) >= 10


@pytest.mark.slow  # a plan of six sites over a week: some seconds of one core
def test_the_hyperscalers_week_is_a_decision() -> None:
    """Voice forces both metropolitan sites; no site is dominant, and not every offer is signed."""
    answer = planned(HYPERSCALER, hours=168)
    sizes = answer.sizes
    assert sizes["frankfurt"] > 1.0 and sizes["ashburn"] + sizes["susquehanna"] > 1.0
    built_mw = {
        site: sum(mw for name, mw in sizes.items() if name.partition("#")[0] == site)
        for site in answer.plan.world.site_names
    }
    assert sum(mw > 1.0 for mw in built_mw.values()) >= 4
    assert max(built_mw.values()) < 0.5 * sum(built_mw.values())
    signed = [sizes[size.name] > 0.1 for size in open_sizes(answer.plan.company).contracts]
    assert any(signed) and not all(signed)
    assert answer.lower_usd == pytest.approx(answer.solution.objective_usd, rel=1e-3)


# ---- startup -------------------------------------------------------------------------------------


def test_the_startup_can_be_said_in_the_components_of_pypsa() -> None:
    """No wakes, no floors, no promise over hours, peaks of the horizon's own step, no price < 0."""
    opened = te.load(STARTUP)
    company, world = opened.company, opened.world
    assert len(company.sites) == 1
    assert all(model.wake_s == 0.0 for model in company.models)
    assert all(tier.quality_floor_share == 0.0 and not tier.survives for tier in company.tiers)
    assert any(tier.deadline_s > 0.0 for tier in company.tiers)
    assert {contract.kind for contract in company.contracts} == {"spot", "ppa_as_produced"}
    charges = [charge for tariff in company.tariffs for charge in tariff.demand]
    assert charges and all(charge.demand_interval_h == 1.0 for charge in charges)
    assert world.spot_usd_per_mwh.min() >= 0.0
    assert all(battery.initial_share == 0.0 for battery in company.batteries)


def test_the_startup_owns_its_base_and_rents_its_peaks() -> None:
    """A week: GPUs of its own for what runs all day, GPUs by the hour and the API for the rest."""
    answer = planned(STARTUP, hours=168)
    sizes = answer.sizes
    assert sizes["own"] > sizes["rented"] > 0.0
    assert 0.0 < sizes["dallas"] < 0.5

"""Sites ranked by what they add, and what the runner-up needs: held against whole plans."""

from datetime import date

import pytest
from plan.valued import CATALOGUE, HOURS, company_to_plan, inputs_to_plan, planned

from tokenergy.plan.priced import plan_worths
from tokenergy.plan.program import plan_program
from tokenergy.plan.ranking import Ranking, ranking
from tokenergy.plan.whole import WholeAnswer, solve_whole
from tokenergy.units import H_PER_YEAR

YEARS = HOURS / H_PER_YEAR


@pytest.fixture(scope="module")
def answer() -> WholeAnswer:
    return planned()


@pytest.fixture(scope="module")
def ranked(answer) -> Ranking:
    return ranking(answer, plan_worths(answer, standing=False))


def test_what_a_site_adds_is_what_a_plan_without_it_costs_more(ranked):
    """Without windy: its sizes, and the wind that is delivered there, at 0 in the file itself."""
    company = company_to_plan()
    gone = {"windy", "gpus-windy", "store", "wind"}
    planning = company.plan
    without = planning.model_copy(
        update={
            kind: tuple(each for each in getattr(planning, kind) if each.name not in gone)
            for kind in ("sites", "fleets", "batteries", "contracts")
        }
    )
    other = company.model_copy(
        update={
            "plan": without,
            "sites": tuple(s for s in company.sites if s.name != "windy"),
            "fleets": tuple(f for f in company.fleets if f.site != "windy"),
            "batteries": (),
            "contracts": tuple(c for c in company.contracts if c.site != "windy"),
        }
    )
    inputs = inputs_to_plan(company)
    least = solve_whole(plan_program(other, inputs, CATALOGUE)).solution.objective_usd
    best = planned().solution.objective_usd
    first = ranked.sites[0]
    assert first.name == "windy"
    assert first.built
    assert first.adds_usd_per_year == pytest.approx((least - best) / YEARS, rel=1e-6)


def test_sites_stand_in_order_with_the_reason(ranked):
    assert [each.rank_count for each in ranked.sites] == [1, 2, 3]
    assert [each.name for each in ranked.sites] == ["windy", "far", "metro"]
    assert ranked.sites[1].short_share < ranked.sites[2].short_share
    assert ranked.sites[0].reason.startswith("cheapest power at 24.0 USD/MWh")
    assert "dearest power" in ranked.sites[2].reason
    assert "a first GPU of gpus-far is worth" in ranked.sites[1].reason
    assert ranked.runner_up == "far"
    assert ranked.to_dict()["wins_when"] == "far is built"


def facility_at(ratio: float) -> WholeAnswer:
    company = company_to_plan()
    sites = tuple(
        s.model_copy(update={"facility_usd_per_kw": ratio * s.facility_usd_per_kw})
        if s.name == "far"
        else s
        for s in company.sites
    )
    return planned(company.model_copy(update={"sites": sites}))


def power_less(usd_per_mwh: float) -> WholeAnswer:
    company = company_to_plan()
    prices = dict(inputs_to_plan(company).price_usd_per_mwh)
    prices["far"] = prices["far"] - usd_per_mwh
    return planned(company, price_usd_per_mwh=prices)


def test_what_the_runner_up_needs_is_enough_in_a_plan_laid_out_anew_and_no_more(ranked):
    """At the figure far is built; with 1 % of it less, it is not."""
    needed = {each.lever: each for each in ranked.needed}
    facility = needed["facility cost of far"]
    assert facility.needed_quantity is not None
    assert facility.displaced == ("windy",)
    assert facility_at(facility.needed_quantity).sizes["far"] > 0.0
    assert facility_at(facility.needed_quantity + 0.01).sizes["far"] == 0.0
    power = needed["price of power at far"]
    assert power.needed_quantity is not None
    less = power.stated_quantity - power.needed_quantity
    assert power_less(less).sizes["far"] > 0.0
    assert power_less(0.97 * less).sizes["far"] == 0.0
    assert power.sentence().startswith("price of power at far: ")
    assert power.change_share == pytest.approx(power.needed_quantity / power.stated_quantity - 1.0)


def test_what_is_not_enough_is_said():
    """Metro's power alone does not bring it in where its GPUs cost four times as much."""
    company = company_to_plan()
    dear = {"usd_per_gpu": 120000.0}
    fleets = tuple(
        f.model_copy(update={"owned": f.owned.model_copy(update=dear)}) if f.site != "windy" else f
        for f in company.fleets
    )
    made = planned(company.model_copy(update={"fleets": fleets}))
    found = ranking(made, plan_worths(made, standing=False))
    power = next(each for each in found.needed if each.lever.startswith("price of power"))
    assert power.needed_quantity is None
    assert power.change_share is None
    assert "not by this alone" in power.sentence()
    assert any("its GPUs cost" in each.reason for each in found.sites)


def test_a_later_connection_asks_for_its_date():
    """Windy and far alone: windy wins from the start, but is connected a day after the horizon."""
    company = company_to_plan()
    planning = company.plan
    kept = ("windy", "far")
    sites = tuple(
        s.model_copy(update={"energised_on": date(2026, 3, 5)}) if s.name == "windy" else s
        for s in company.sites
        if s.name in kept
    )
    late = company.model_copy(
        update={
            "sites": sites,
            "fleets": tuple(f for f in company.fleets if f.site in kept),
            "contracts": tuple(c for c in company.contracts if c.site in kept and c.id != "wind"),
            "plan": planning.model_copy(
                update={
                    "sites": planning.sites[::2],
                    "fleets": planning.fleets[::2],
                    "contracts": (),
                }
            ),
        }
    )
    inputs = inputs_to_plan(company)

    def replan(other):
        return solve_whole(plan_program(other, inputs, CATALOGUE))

    made = replan(late)
    found = ranking(made, plan_worths(made, standing=False), replan=replan)
    assert found.runner_up == "windy"
    dated = next(each for each in found.needed if "first day" in each.lever)
    assert dated.stated_quantity == 3.0
    assert dated.needed_quantity is not None
    assert 0.0 <= dated.needed_quantity < 3.0
    reason = next(each.reason for each in found.sites if each.name == "windy")
    assert "connected from 2026-03-05 on" in reason


def test_where_all_are_built_the_second_has_to_serve_more_than_the_first():
    made = planned(requests=9000.0)
    found = ranking(made, plan_worths(made, standing=False))
    built = [each for each in found.sites if each.built]
    assert len(built) == 2
    assert all(each.adds_usd_per_year > 0.0 for each in built)
    assert found.runner_up == "metro"

"""The supply curve of a plan: it sums to the plan's cost, and its margins are those of dispatch."""

import numpy as np
import pytest
from plan.valued import company_to_plan, planned

from tokenergy.company.fleet import ExternalApi
from tokenergy.dispatch.duals import PartsOfPrice
from tokenergy.plan.curve import plan_curve
from tokenergy.plan.money import money_of
from tokenergy.plan.whole import WholeAnswer


@pytest.fixture(scope="module")
def answer() -> WholeAnswer:
    return planned(requests=9000.0)


def with_api(price: float = 0.06, **changes):
    company = company_to_plan(**changes)
    api = ExternalApi(name="rented", model="small", usd_per_mtok=price, quality_share=0.8)
    return company.model_copy(update={"external_apis": (api,)})


def test_the_money_of_all_places_is_the_cost_of_the_plan(answer):
    for made in (answer, planned(with_api(), requests=9000.0), planned(requests=60.0)):
        money = money_of(made.plan, made.solution)
        assert money.total_usd == pytest.approx(made.solution.objective_usd, rel=1e-9)
        assert abs(money.beside_usd) <= 1e-6 * abs(made.solution.objective_usd)


def test_the_money_with_tariffs_and_other_contracts_is_all_at_a_place():
    """A demand charge, a block and a queue of connections: nothing stands beside the places."""
    company = company_to_plan(
        contracts=[
            *({"id": f"spot-{n}", "kind": "spot", "site": n} for n in ("windy", "metro", "far")),
            {"id": "base", "kind": "block", "site": "windy", "contract_mw": 0.1,
             "strike_usd_per_mwh": 20.0},
        ],
        tariffs=[
            {"id": "grid", "site": "windy", "time_zone": "America/Chicago",
             "fixed_usd_per_month": 10.0,
             "demand": [{"name": "peak", "usd_per_kw_month": 1.0}]},
        ],
        plan={
            "sites": [
                {"name": "windy", "most_mw": 0.5, "open_usd": 1000.0,
                 "queue": [{"mw": 0.2, "energised_on": "2026-03-01"},
                           {"mw": 0.3, "energised_on": "2026-03-02", "usd_per_kw": 4000.0}]},
            ],
            "fleets": [{"name": "gpus-windy", "most_count": 400}],
            "contracts": [{"name": "base", "most_mw": 0.2}],
        },
    )  # fmt: skip
    made = planned(company)
    money = money_of(made.plan, made.solution)
    assert abs(money.beside_usd) <= 1e-6 * abs(made.solution.objective_usd)


def test_full_cost_times_work_is_the_cost_of_the_plan(answer):
    for made in (answer, planned(with_api(), requests=9000.0)):
        curve = plan_curve(made)
        told = sum(
            each.full_usd_per_mtok * each.served_mtok_per_h * curve.hours_h
            for each in curve.segments
            if each.full_usd_per_mtok is not None
        )
        total = told + curve.unused_usd + curve.refused_usd
        assert total == pytest.approx(made.solution.objective_usd, rel=1e-9)
        asked = float(made.plan.window.arrivals_mtok.sum())
        assert curve.served_mtok == pytest.approx(asked, rel=1e-6)
        assert curve.full_usd_per_mtok > curve.marginal_usd_per_mtok


def test_marginal_is_dispatch_s_price_without_its_rents(answer):
    """The parts of a price that are no rent of GPUs, megawatts or waking, where it is served."""
    curve, plan, optimum = plan_curve(answer), answer.plan, answer.optimum
    parts, rent = PartsOfPrice(plan.world), -optimum.dual("meter_import.most")
    own = [each for each in curve.segments if each.site == "far"]
    assert len(own) == 1
    at = plan.world.site_names.index("far")
    weighed = np.zeros(2)
    for interval in range(plan.window.count):
        found = parts.at(optimum, interval)
        for i, route in enumerate(plan.world.routes):
            if plan.world.deployments[route.deployment].site != at:
                continue
            mtok = max(0.0, float(optimum.value("serve", interval)[i]))
            energy = found.energy[i] - found.energy_mwh_per_mtok[i] * rent[interval, at]
            weighed += mtok * np.array([energy + found.network[i] + found.quality[i], 1.0])
    assert own[0].marginal_usd_per_mtok == pytest.approx(weighed[0] / weighed[1], rel=1e-6)


def test_points_rise_on_both_bases_and_end_at_all_capacity(answer):
    curve = plan_curve(answer)
    for basis in ("marginal", "full"):
        points = curve.points(basis)
        assert list(points) == sorted(points)
        prices = [usd for _, usd in points]
        assert prices == sorted(prices)
        total = sum(each.capacity_mtok_per_h for each in curve.segments)
        assert points[-1][0] == pytest.approx(total)
    assert set(curve.to_dict()) >= {"segments", "marginal_points", "full_points"}


def test_an_api_without_a_limit_stands_at_its_list_price():
    made = planned(with_api(0.01), requests=9000.0)
    curve = plan_curve(made)
    bought = next(each for each in curve.segments if each.site == "external")
    assert bought.capacity_mtok_per_h is None
    assert bought.marginal_usd_per_mtok == pytest.approx(0.01)
    assert bought.full_usd_per_mtok == pytest.approx(0.01)


def test_capacity_by_hand():
    """GPUs / GPUs of a replica x its rate at the mix, within what the connection carries."""
    made = planned(requests=2000.0)
    segment = plan_curve(made).segments[0]
    served = made.optimum.value("serve").sum(axis=0)
    routes = [r for r in made.plan.world.routes if r.deployment == 0]
    mine = [float(served[made.plan.world.routes.index(r)]) for r in routes]
    hours = sum(mtok / r.rate_mtok_per_h for mtok, r in zip(mine, routes, strict=True))
    rate = sum(mine) / hours
    by_gpus = made.sizes["gpus-windy"] / made.plan.world.deployments[0].gpus_count * rate
    assert segment.capacity_mtok_per_h <= by_gpus * (1.0 + 1e-9)
    assert segment.capacity_mtok_per_h >= segment.served_mtok_per_h * (1.0 - 1e-9)


def test_a_site_without_gpus_is_not_on_the_curve():
    company = company_to_plan()
    curve = plan_curve(planned(company))
    assert {each.site for each in curve.segments} == {"windy"}

"""What a scenario moves and what it leaves alone, by hand; likelihoods; the file's own world."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import company_of, inputs_of, site_dict

from tokenergy.company.company import Company
from tokenergy.company.planning import Planning, Scenario
from tokenergy.files.catalogue import load_catalogue
from tokenergy.plan.program import plan_program
from tokenergy.plan.scenario import (
    AS_WRITTEN,
    is_as_written,
    probability_shares,
    reads_series,
    scenario_company,
    scenario_inputs,
    worlds_of,
)
from tokenergy.plan.whole import solve_whole

PLAN = {
    "sites": [{"name": "texas", "most_mw": 50}],
    "fleets": [{"name": "h100", "most_count": 128}],
    "scenarios": [{"name": "dear", "price_ratio": 2}],
}


def planned(**changes) -> Company:
    return company_of(
        **{
            "sites": [site_dict(facility_usd_per_kw=12000.0)],
            "plan": PLAN,
            **changes,
        }
    )


def scenario(**changes) -> Scenario:
    return Scenario(name="other", **changes)


def test_the_files_own_world_comes_first_where_no_scenario_is_it() -> None:
    stated = (scenario(price_ratio=2.0), Scenario(name="third", seed=4))
    worlds = worlds_of(Planning(scenarios=stated))
    assert [world.name for world in worlds] == [AS_WRITTEN, "other", "third"]
    own = Scenario(name="today", probability_share=0.5)
    assert worlds_of(Planning(scenarios=(*stated, own))) == (*stated, own)
    assert [world.name for world in worlds_of(None)] == [AS_WRITTEN]
    taken = Planning(scenarios=(Scenario(name=AS_WRITTEN, seed=2),))
    assert len({world.name for world in worlds_of(taken)}) == 2
    assert [world.name for world in worlds_of(Planning())] == [AS_WRITTEN]


def test_a_name_and_a_likelihood_change_nothing() -> None:
    assert is_as_written(scenario(probability_share=0.3))
    for changes in ({"price_ratio": 1.1}, {"seed": 1}, {"wacc_share": 0.09}, {"demand_ratio": 2}):
        assert not is_as_written(scenario(**changes))


def test_likelihoods_are_alike_or_as_stated() -> None:
    """Without shares thirds; with 0.2 and 0.8 the world as written, which has none, has 0."""
    stated = (scenario(price_ratio=2.0), Scenario(name="third", seed=4))
    assert probability_shares(worlds_of(Planning(scenarios=stated))).tolist() == [1 / 3] * 3
    likely = tuple(
        each.model_copy(update={"probability_share": share})
        for each, share in zip(stated, (0.2, 0.8), strict=True)
    )
    shares = probability_shares(worlds_of(Planning(scenarios=likely)))
    assert shares.tolist() == pytest.approx([0.0, 0.2, 0.8])


def test_money_moves() -> None:
    made = scenario_company(
        planned(), scenario(gpu_price_ratio=0.7, gpu_life_y=4.0, wacc_share=0.11)
    )
    owned = made.fleets[0].owned
    assert owned is not None
    assert (owned.usd_per_gpu, owned.life_y) == (pytest.approx(21000.0), 4.0)
    assert made.money.wacc_share == 0.11
    assert made.plan is not None
    assert made.plan.scenarios == ()
    assert made.plan.sites == planned().plan.sites  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["on_demand", "reserved"])
def test_leases_move_with_the_price_of_gpus(kind: str) -> None:
    fleet = {"name": "h100", "site": "texas", "accelerator": "H100", "gpu_count": 64,
             "lease": {"kind": kind, "usd_per_gpu_hour": 2.0}}  # fmt: skip
    made = scenario_company(planned(fleets=[fleet]), scenario(gpu_price_ratio=1.5))
    assert made.fleets[0].lease is not None
    assert made.fleets[0].lease.usd_per_gpu_hour == pytest.approx(3.0)


def test_seed_and_sources_are_those_of_the_scenario_and_series_are_read_again() -> None:
    other = scenario(seed=9, prices={"texas": {"synthetic": "texas"}})
    made = scenario_company(planned(), other)
    assert made.seed == 9
    assert made.sites[0].market.price.synthetic == "texas"  # type: ignore[union-attr]
    assert reads_series(other)
    assert reads_series(scenario(prices={"texas": 40.0}))
    assert not reads_series(scenario(price_ratio=2.0, demand_ratio=3.0))
    assert scenario_company(planned(), scenario(price_ratio=2.0)).seed == planned().seed


def test_a_late_connection_becomes_a_ramp_of_one_step() -> None:
    made = scenario_company(
        planned(sites=[site_dict(energised_on="2026-03-02")]),
        scenario(energised_on={"texas": date(2026, 3, 3)}),
    )
    site = made.sites[0]
    assert site.energised_on is None
    assert [(step.start, step.mw) for step in site.ramp] == [(date(2026, 3, 3), 50.0)]


def test_a_ramp_and_a_queue_move_as_a_whole() -> None:
    """The first step moves from 2 to 12 March, ten days: so do all others."""
    ramp = [{"start": "2026-03-02", "mw": 20}, {"start": "2026-04-01", "mw": 50}]
    queue = [{"mw": 20, "energised_on": "2026-03-02"}, {"mw": 30, "energised_on": "2026-05-20"}]
    made = scenario_company(
        planned(
            sites=[site_dict(ramp=ramp, energised_on="2026-02-20")],
            plan=PLAN | {"sites": [{"name": "texas", "most_mw": 50, "queue": queue}]},
        ),
        scenario(energised_on={"texas": date(2026, 3, 12)}),
    )
    site = made.sites[0]
    assert [step.start for step in site.ramp] == [date(2026, 3, 12), date(2026, 4, 11)]
    assert site.energised_on == date(2026, 3, 2)
    assert made.plan is not None
    assert [step.energised_on for step in made.plan.sites[0].queue] == [
        date(2026, 3, 12),
        date(2026, 5, 30),
    ]


def test_prices_and_arrivals_by_hand() -> None:
    """30 x 1.5 + 4 = 49 USD/MWh; arrivals of 2 a second x 3, and 44 % more a year.

    After half a year 2 x 3 x 1.2 = 7.2; half a year before the horizon 2 x 3 / 1.2 = 5.
    """
    company = planned(horizon={"start": "2026-03-02T00:00:00Z", "days": 365})
    inputs = inputs_of(company, history=4380)
    moved = scenario_inputs(
        company,
        inputs,
        scenario(
            price_ratio=1.5,
            price_shift_usd_per_mwh=4.0,
            demand_ratio=3.0,
            demand_growth_share_per_year=0.44,
        ),
    )
    assert moved.price_usd_per_mwh["texas"] == pytest.approx(np.full(4380 + 8760, 49.0))
    arrivals = moved.requests_per_s["chat-us"]
    assert arrivals[[0, 4380, 8760]].tolist() == pytest.approx([5.0, 6.0, 7.2])
    assert moved.profile_share == inputs.profile_share
    assert moved.outdoor_c == inputs.outdoor_c


def test_a_virtual_contracts_hub_moves_with_the_market_and_its_strike_does_not() -> None:
    virtual = {"kind": "ppa_virtual", "id": "far", "site": "texas", "project_mw": 10,
               "profile": 0.4, "hub_price": 25.0, "strike_usd_per_mwh": 30.0}  # fmt: skip
    company = planned(contracts=[{"id": "spot-texas", "kind": "spot", "site": "texas"}, virtual])
    inputs = inputs_of(company, series={"far.hub_price": np.full(48, 25.0), "x": np.ones(48)})
    moved = scenario_inputs(company, inputs, scenario(price_ratio=2.0))
    assert moved.series["far.hub_price"].tolist() == [50.0] * 48
    assert moved.series["x"].tolist() == [1.0] * 48


@given(
    ratio=st.floats(0.0, 10.0),
    shift=st.floats(-100.0, 100.0),
    demand=st.floats(0.01, 100.0),
)
def test_what_is_at_its_default_leaves_series_alone(
    ratio: float, shift: float, demand: float
) -> None:
    company = planned()
    inputs = inputs_of(company)
    same = scenario_inputs(company, inputs, scenario())
    assert same.price_usd_per_mwh["texas"].tolist() == inputs.price_usd_per_mwh["texas"].tolist()
    assert same.requests_per_s["chat-us"].tolist() == inputs.requests_per_s["chat-us"].tolist()
    moved = scenario_inputs(
        company,
        inputs,
        scenario(price_ratio=ratio, price_shift_usd_per_mwh=shift, demand_ratio=demand),
    )
    assert moved.price_usd_per_mwh["texas"] == pytest.approx(np.full(48, 30 * ratio + shift))
    assert moved.requests_per_s["chat-us"] == pytest.approx(np.full(48, 2 * demand))


def test_a_world_of_twice_the_work_needs_twice_of_everything() -> None:
    """No fixed load, nothing whole: twice the arrivals, twice the sizes and twice the cost."""
    company, catalogue = planned(), load_catalogue()
    inputs = inputs_of(company, requests_per_s={"chat-us": np.full(48, 20.0)})
    base = solve_whole(plan_program(company, inputs, catalogue))
    double = scenario(demand_ratio=2.0)
    other = solve_whole(
        plan_program(
            scenario_company(company, double), scenario_inputs(company, inputs, double), catalogue
        )
    )
    assert base.sizes["h100"] > 0.0
    for name, size in base.sizes.items():
        assert other.sizes[name] == pytest.approx(2.0 * size, rel=1e-6)
    assert other.solution.objective_usd == pytest.approx(2.0 * base.solution.objective_usd)

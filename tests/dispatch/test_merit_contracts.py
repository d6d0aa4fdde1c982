"""Rules without a program know what contracts charge at the meter, and the plants behind it."""

from dataclasses import replace

import numpy as np
import pytest
from contract_cases import plant, rate, with_plants
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    block,
    company_of,
    deployment,
    fleet,
    inputs_of,
    plain,
    route,
    site_dict,
    take,
    workload,
    world,
)

from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.energy_cost import EnergyCosts
from tokenergy.dispatch.lp_policies import Clairvoyant
from tokenergy.dispatch.merit import Greedy, GreedyBattery, Nearest, RoundRobin, Static
from tokenergy.dispatch.reserve import Reserve
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.terms.steps import PriceSteps
from tokenergy.dispatch.world import World
from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.account import account, constant_usd
from tokenergy.simulate.replay import replay

SEEDS = st.integers(0, 2**32 - 1)
EVERY_RULE = (Nearest, RoundRobin, Static, Greedy, GreedyBattery, Reserve)


def test_a_curve_with_rates_steps_and_a_plant_by_hand() -> None:
    """Buy 50 up to 1 MW, 58 up to 1.5 MW, 70 beyond; resale 48; block of 0.5 MW over the grid.

    A MWh exported earns 3 besides, one imported pays 7; a plant gives 0.6 MW at 60; 1 MW may
    leave. From full export: 1 MW of sales given up at 48 + 3; 0.5 MW more of the block, now
    imported, at 48 + 7; 1 MW bought at 50 + 7; the plant at 60; 0.5 MW at 58 + 7; then 70 + 7 up
    to an import of 4 MW.
    """
    made = plain([[50.0]], [[0.0]], export_limit=1.0, import_limit=4.0)
    steps = PriceSteps(
        contract_id="spot@s0",
        site=0,
        widths_mw=(1.0, 0.5, np.inf),
        adder_usd_per_mwh=(0.0, 8.0, 20.0),
    )
    made = replace(made, blocks=(block([0.5]),), terms=(steps,), rates=(rate(made, 0, 7.0, -3.0),))
    made = with_plants(made, plant(made, capacity=0.6, usd=60.0))
    costs = EnergyCosts(made)
    curve = costs.curve(0, 0)
    assert curve.slopes_usd_per_mwh == (51.0, 55.0, 57.0, 60.0, 65.0, 77.0)
    assert curve.ends_mw == pytest.approx((0.0, 0.5, 1.5, 2.1, 2.6, 4.6))
    assert curve.least_mw == -1.0
    assert curve.generates_mw(2.0) == [(0, pytest.approx(0.5))]
    assert curve.flow_mw(2.3) == pytest.approx(1.7)
    assert curve.position_mw(2.3) == pytest.approx(1.2)
    assert curve.takes_mw(2.3) == []
    assert costs.buy_usd_per_mwh[0, 0] == pytest.approx(57.0)
    assert costs.sell_usd_per_mwh[0, 0] == pytest.approx(51.0)


def test_a_contract_between_two_steps_is_taken_between_them() -> None:
    """1 MW bought at 50, then 1 MW of a contract at 60, then the market's second step at 70."""
    made = plain([[50.0]], [[0.0]], import_limit=4.0)
    steps = PriceSteps(
        contract_id="spot@s0", site=0, widths_mw=(1.0, np.inf), adder_usd_per_mwh=(0.0, 20.0)
    )

    made = replace(made, terms=(steps,), takes=(take([1.0], strike=60.0),))
    curve = EnergyCosts(made).curve(0, 0)
    assert curve.slopes_usd_per_mwh == (50.0, 60.0, 70.0)
    taken = {load_mw: curve.takes_mw(load_mw)[0][1] for load_mw in (0.5, 1.5, 2.5)}
    assert taken == {0.5: 0.0, 1.5: pytest.approx(0.5), 2.5: pytest.approx(1.0)}
    assert curve.position_mw(2.5) == pytest.approx(1.5)


def plain_world(seed: int) -> World:
    """One workload, one model at each site; at the meter everything that a contract may charge."""
    rng = np.random.default_rng(seed)
    sites, hours = int(rng.integers(1, 4)), 4
    made = world(
        rng.normal(30, 60, (sites, hours)),
        rng.uniform(0, 60, (1, hours)),
        routes=tuple(
            route(0, s, rate=6.0, marginal=float(rng.uniform(0.02, 0.2))) for s in range(sites)
        ),
        deployments=tuple(_deployment(s, rng) for s in range(sites)),
        fleets=tuple(fleet(s, gpus=float(rng.uniform(4, 24)), sleep_mw=5e-4) for s in range(sites)),
        workloads=(workload(value=float(rng.uniform(2, 25))),),
        import_limit=rng.uniform(0.5, 6, (sites, hours)),
        export_limit=rng.choice([0.0, 2.0], (sites, 1)),
        pue=rng.uniform(1.05, 1.5, (sites, hours)),
        fixed=0.2,
    )
    rates, terms, plants = [], [], []
    for site in range(sites):
        if rng.uniform() < 0.8:
            imported = rng.uniform(0, 30, hours)
            rates.append(rate(made, site, imported, rng.uniform(-1, 1, hours) * imported))
        if rng.uniform() < 0.6:
            widths = (*rng.uniform(0.2, 1.5, 2).tolist(), np.inf)
            adders = tuple(np.sort(rng.uniform(0, 40, 3)).tolist())
            terms.append(
                PriceSteps(
                    contract_id=f"spot@s{site}",
                    site=site,
                    widths_mw=widths,
                    adder_usd_per_mwh=adders,
                )
            )
        if rng.uniform() < 0.6:
            plants.append(plant(made, site, capacity=1.5, usd=float(rng.uniform(10, 90))))
    blocks = tuple(
        replace(block(rng.uniform(0, 4, hours), site=s), contract_id=f"block{s}")
        for s in range(sites)
        if rng.uniform() < 0.6
    )
    made = replace(made, rates=tuple(rates), terms=tuple(terms), blocks=blocks)
    return with_plants(made, *plants)


def _deployment(site: int, rng: np.random.Generator):

    return deployment(site, gpus=2, base_mw=float(rng.uniform(0.001, 0.4)))


@settings(max_examples=60)
@given(seed=SEEDS)
def test_greedy_equals_the_program_whatever_the_meter_is_charged(seed: int) -> None:
    made = plain_world(seed)
    best_usd = solve_horizon(made).objective_usd + constant_usd(made)
    found_usd = account(made, replay(made, Greedy(made))).cost_usd
    assert found_usd == pytest.approx(best_usd, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("rule", EVERY_RULE)
@settings(max_examples=15)
@given(seed=SEEDS)
def test_no_rule_beats_the_program_or_breaks_a_plants_limits(rule, seed: int) -> None:
    """With plants that commit: the replay itself refuses what a plant cannot do."""
    made = plain_world(seed)
    rng = np.random.default_rng(seed + 1)
    plants = [
        plant(
            made,
            site,
            capacity=float(rng.uniform(0.3, 3.0)),
            usd=float(rng.uniform(0, 60)),
            least=float(rng.choice([0.0, 0.05, 0.4])),
            start=float(rng.choice([0.0, 20.0])),
        )
        for site in range(made.sites_count)
    ]
    made = with_plants(replace(made, generators=()), *plants)
    best_usd = solve_horizon(made).objective_usd + constant_usd(made)
    run = replay(made, rule(made))
    assert account(made, run).cost_usd >= best_usd - 1e-6 * max(1.0, abs(best_usd))
    for row, spec in zip(run.generate_mwh, plants, strict=True):
        on = row > 1e-6 * spec.capacity_mw
        assert np.all(row[on] >= spec.min_load_share * spec.capacity_mw[on] - 1e-9)


@pytest.mark.parametrize("least_share", [0.0, 0.2])
def test_a_permit_ends_all_running(least_share: float) -> None:
    """Power costs 300 in every hour, the plant 42: it runs for the 5.5 h that are left of 8,000.

    One that commits runs whole hours only: five of them.
    """
    gas = {
        "id": "gas",
        "kind": "on_site",
        "site": "texas",
        "capacity_mw": 6.0,
        "heat_rate_mmbtu_per_mwh": 9.5,
        "fuel_usd_per_mmbtu": 4.0,
        "vom_usd_per_mwh": 4.0,
        "min_load_share": least_share,
        "permit_h_per_year": 8000.0,
        "hours_used_h": 7994.5,
    }
    spot = {"id": "spot-texas", "kind": "spot", "site": "texas"}
    company = company_of(contracts=[spot, gas], sites=[site_dict(fixed_load_mw=8.0)])
    fuel = {"gas.fuel_usd_per_mmbtu": np.full(48, 4.0)}
    prices = {"texas": np.full(48, 300.0)}
    inputs = inputs_of(company, series=fuel, price_usd_per_mwh=prices)
    made = build_world(company, inputs, load_catalogue())
    for policy in (Greedy(made), Reserve(made), Clairvoyant(made)):
        given_mwh = replay(made, policy).generate_mwh[0]
        hours = given_mwh.sum() / 6.0
        assert hours == pytest.approx(5.0 if least_share else 5.5)


def test_a_plant_starts_only_where_a_start_pays() -> None:
    """Full load for an hour saves 20 x (100 - 42) = 1,160 USD: more than 500, less than 2,000."""
    for start_usd, runs in ((500.0, True), (2000.0, False)):
        made = plain([[100.0]], [[0.0]], fixed=20.0)
        made = with_plants(made, plant(made, capacity=20.0, usd=42.0, least=0.4, start=start_usd))
        action = replay(made, Greedy(made))
        assert bool(action.generate_mwh[0, 0] > 0.0) is runs


def test_a_plant_whose_least_finds_no_load_stands_still() -> None:
    """At least 8 MW, and 5 MW of standing load behind a meter that exports nothing."""
    made = plain([[100.0]], [[0.0]], fixed=5.0)
    made = with_plants(made, plant(made, capacity=20.0, usd=1.0, least=0.4))
    assert replay(made, Greedy(made)).generate_mwh[0, 0] == 0.0


def test_a_plant_runs_where_the_connection_cannot_carry_what_stands() -> None:
    """9 MW stand at the site, 6 come in: the plant gives the other 3, though it costs 500."""
    made = plain([[20.0]], [[0.0]], fixed=9.0, import_limit=6.0)
    made = with_plants(made, plant(made, capacity=4.0, usd=500.0, least=0.5, start=100.0))
    run = replay(made, Greedy(made))
    assert run.generate_mwh[0, 0] == pytest.approx(3.0)
    assert run.import_mwh[0, 0] == pytest.approx(6.0)

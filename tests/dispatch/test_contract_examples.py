"""The worked examples of the contracts sheet as optima, and what no contract may do."""

from dataclasses import replace

import numpy as np
import pytest
from contract_cases import plant, rate, with_plants
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import battery, block, plain, random_case, take

from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.supply import Sunk
from tokenergy.dispatch.terms.certificate import Certificates
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.response import AskedSpan, Response
from tokenergy.dispatch.terms.steps import PriceSteps
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World
from tokenergy.simulate.account import constant_usd

SEEDS = st.integers(0, 2**32 - 1)
LOAD = (10.0, 20.0, 30.0, 20.0)
PRICE = (40.0, 60.0, 100.0, -10.0)


def series_a(**changes) -> World:
    """Four hours of the sheet's series A: load 10 20 30 20 MW at 40 60 100 -10 USD/MWh."""
    shared = {"marginal": 1.0, "rate": 10.0, "value": 5000.0, "spread": 0.0}
    return plain([PRICE], [LOAD], **shared, **changes)


def cost_usd(made: World) -> float:
    """Return what the optimum costs, constants included, and what is stored at the end apart."""
    return solve_horizon(made).objective_usd + constant_usd(made)


def test_spot_alone() -> None:
    """10 x 40 + 20 x 60 + 30 x 100 - 20 x 10 = 4,400 USD."""
    assert cost_usd(series_a()) == pytest.approx(4400.0)


def test_a_battery_by_hand() -> None:
    """Charge 10 MWh at 40 (400), hold 9.5, give 9.025 at 100 (902.50), wear 72.20: 430.30.

    The first three hours: at -10 it would earn more. Its size is the 9.5 MWh of the example.
    """
    made = plain([PRICE[:3]], [LOAD[:3]], marginal=1.0, value=5000.0, spread=0.0)
    empty = {"initial_share": 0.0}
    store = battery(power=10.0, capacity=9.5, wear=8.0).model_copy(update=empty)
    stored = replace(made, batteries=(store,), battery_site=(0,))
    assert cost_usd(made) - cost_usd(stored) == pytest.approx(430.30)


def test_a_gas_plant_by_hand() -> None:
    """20 MW at 42 in hours 2 and 3 and one start: 2,180 instead of 3,200, a gain of 1,020."""
    made = series_a()
    gas = plant(made, capacity=20.0, usd=42.0, least=0.5, start=500.0)
    optimum = solve_horizon(with_plants(made, gas))
    assert optimum.value("generate")[:, 0] == pytest.approx([0.0, 20.0, 20.0, 0.0])
    assert optimum.value("gas0.start.on")[:, 0] == pytest.approx([0.0, 1.0, 1.0, 0.0])
    assert 4400.0 - optimum.objective_usd == pytest.approx(1020.0)
    assert optimum.solution.integer


def test_co_location_by_hand() -> None:
    """Generator 25 25 25 0 at 50, all paid: 3,750. Exports 10 and 5 MWh: 700 earned.

    Backup of 5 and 20 MWh at 20 above the price: 800. Together 3,850; standing by 160,000.
    """
    made = series_a(import_limit=20.0, export_limit=10.0)
    available = np.array([25.0, 25.0, 25.0, 0.0])
    neighbour = replace(take(available, behind=True, strike=0.0), sunk_usd_per_h=50.0 * available)
    standby = Sunk(contract_id="ppa", component="standby", usd=np.array([160e3, 0.0, 0.0, 0.0]))
    made = replace(made, takes=(neighbour,), rates=(rate(made, 0, 20.0, 0.0),))
    assert cost_usd(made) == pytest.approx(3850.0)
    assert cost_usd(replace(made, sunk=(standby,))) == pytest.approx(163850.0)
    optimum = solve_horizon(made)
    assert optimum.value("take")[:, 0] == pytest.approx([20.0, 25.0, 25.0, 0.0])


def response(made: World, *, hour: int, baseline: float, penalty=500.0) -> Response:
    total = made.pue.shape[1]
    return Response(
        contract_id="dr",
        site=0,
        committed_mw=5.0,
        baseline_mw=np.full(total, baseline),
        delivered_usd_per_mwh=200.0,
        penalty_usd_per_mwh=penalty,
        spans=(AskedSpan(begin=hour, announced=0, share=np.ones(1)),),
    )


def test_demand_response_by_hand() -> None:
    """Metered 27 of a baseline of 30: 3 MWh delivered, 2 short: -25,000 - 600 + 1,000 = -24,600.

    Work that is worth 5,000 a MWh is not cut for 700; were it worth 600, it would be.
    """
    ready = Sunk(contract_id="dr", component="availability", usd=np.array([-25e3, 0.0, 0.0, 0.0]))
    for value, metered_mwh, bill_usd in ((5000.0, 27.0, -24600.0), (600.0, 25.0, -26000.0)):
        made = plain([PRICE], [(10.0, 20.0, 27.0, 20.0)], marginal=1.0, value=value, spread=0.0)
        asked = replace(made, terms=(response(made, hour=2, baseline=30.0),), sunk=(ready,))
        optimum = solve_horizon(asked)
        assert optimum.value("meter_import")[2, 0] == pytest.approx(metered_mwh)
        refused_usd = value * (27.0 - metered_mwh)
        power_usd = cost_usd(asked) - refused_usd - (1400.0 + 100.0 * metered_mwh)
        assert power_usd == pytest.approx(bill_usd)


def test_the_dual_of_a_response_is_the_worth_of_a_curtailed_mwh() -> None:
    """One MWh less of import in the event saves 100 of power, 200 of lost pay, 500 of penalty."""
    made = plain([PRICE], [(10.0, 20.0, 27.0, 20.0)], marginal=1.0, value=5000.0, spread=0.0)
    optimum = solve_horizon(replace(made, terms=(response(made, hour=2, baseline=30.0),)))
    assert optimum.dual("dr.response.event")[:, 0] == pytest.approx([0.0, 0.0, -700.0, 0.0])
    assert optimum.dual("balance")[2, 0] == pytest.approx(800.0)


def test_an_event_is_not_known_before_it_is_announced() -> None:
    """The same event, announced an hour before: a window at the first hour does not see it."""
    made = plain([PRICE], [(10.0, 20.0, 27.0, 20.0)], marginal=1.0, value=5000.0, spread=0.0)
    late = replace(response(made, hour=2, baseline=30.0))
    late = replace(late, spans=(replace(late.spans[0], announced=1),))
    window = true_window(made, begin=0, count=4)
    assert late.asked_share(replace(window, known_at=0)).tolist() == [0.0, 0.0, 0.0, 0.0]
    assert late.asked_share(replace(window, known_at=1)).tolist() == [0.0, 0.0, 1.0, 0.0]


def matching(made: World, *, target: float, premium=12.0, short=None, clean=(), **changes):
    total = made.pue.shape[1]
    return Matching(
        contract_id="cfe",
        site=0,
        target_share=target,
        premium_usd_per_mwh=premium,
        shortfall_usd_per_mwh=short,
        planned_usd_per_mwh=None,
        periods=Periods.of_labels(["2026"] * total),
        takes=(),
        clean_mw=np.asarray(clean, float),
        grid_share=np.zeros(total),
        **changes,
    )


def test_clean_power_by_the_hour_by_hand() -> None:
    """15 5 0 20 MW against a load of 10 20 30 20: 35 of 80 MWh, 43.75 %; half of it lacks 5.

    At 100 a missing MWh: premium 12 x 35 = 420 and 500. An hour with more load than clean power
    pays half of the 100 more, one with more clean power half less: theta x mu, (theta - 1) x mu.
    """
    made = series_a()
    target = matching(made, target=0.5, short=100.0, clean=(15.0, 5.0, 0.0, 20.5))
    optimum = solve_horizon(replace(made, terms=(target,)))
    assert optimum.objective_usd == pytest.approx(4400.0 + 420.0 + 500.0)
    mu = 100.0
    on_load = [optimum.rent_usd_per_mwh("cfe", at, "it")[0] for at in range(4)]
    matched = 0.5 * mu - (mu - 12.0)  # its own premium is paid, too
    assert on_load == pytest.approx([matched, 0.5 * mu, 0.5 * mu, matched])


def test_a_hard_target_refuses_work_rather_than_missing_it() -> None:
    """Clean power 15 5 0 0: of 35 MWh matched at most... all work in hour 1, 5 + 5 in hour 2.

    Matched 10 + 5 = 15 MWh carry a load of 30 at one half: 15 of the 50 MWh of hours 2 and 4 run,
    the cheapest at -10, and hour 3 is refused.
    """
    made = series_a()
    target = matching(made, target=0.5, clean=(15.0, 5.0, 0.0, 0.0), premium=0.0)
    optimum = solve_horizon(replace(made, terms=(target,)))
    load = optimum.value("it")[:, 0]
    assert load.sum() == pytest.approx(30.0)
    assert load[0] == pytest.approx(10.0)
    assert load[3] == pytest.approx(15.0)
    assert load[1] == pytest.approx(5.0)


def test_a_window_within_a_period_follows_the_planned_price_alone() -> None:
    """Half of the load at mu = 30: a MWh that no clean power matches costs 15 more, be it late.

    The period's past says nothing: state and target act through mu until the end is in sight.
    """
    made = series_a()
    target = replace(
        matching(made, target=0.5, premium=0.0, clean=(15.0, 5.0, 0.0, 20.5)),
        planned_usd_per_mwh=30.0,
    )
    made = replace(made, terms=(target,))
    window = replace(true_window(made, begin=0, count=2), known_at=0)
    optimum = WindowModel(made, window, State.initial(made)).solved(window)
    rents = [optimum.rent_usd_per_mwh("cfe", at, "it")[0] for at in range(2)]
    assert rents == pytest.approx([-15.0, 15.0])
    assert optimum.dual("cfe.matched.target")[0] == pytest.approx(30.0)
    ends = replace(true_window(made, begin=0, count=4), known_at=0)
    last = WindowModel(made, ends, State.initial(made)).solved(ends)
    assert last.value("cfe.matched.short")[0] == pytest.approx(0.0, abs=1e-6)


def test_certificates_cost_their_price_and_raise_no_hourly_score() -> None:
    """Half of 80 MWh less 35 that come with theirs: 5 at 3 USD; each MWh of load costs 1.5 more."""
    made = series_a()
    term = Certificates(
        contract_id="rec",
        site=0,
        price_usd_per_mwh=3.0,
        load_share=0.5,
        years=Periods.of_labels(["2026"] * 4),
        takes=(),
        bundled_mw=np.array([10.0, 5.0, 0.0, 20.0]),
    )
    optimum = solve_horizon(replace(made, terms=(term,)))
    assert optimum.objective_usd == pytest.approx(4400.0 + 15.0)
    assert optimum.dual("rec.certificates.year")[0] == pytest.approx(3.0)
    assert optimum.rent_usd_per_mwh("cfe", 0, "it")[0] == pytest.approx(1.5)


# ---- what holds for every world ------------------------------------------------------


def contracted(seed: int) -> tuple[World, State]:
    """Make a random world of six hours with a term of every kind at its first site."""
    made, state = random_case(seed, hours=6)
    rng = np.random.default_rng(seed + 7)
    steps = PriceSteps(
        contract_id="spot@s0",
        site=0,
        widths_mw=(float(rng.uniform(0.5, 4)), np.inf),
        adder_usd_per_mwh=(0.0, float(rng.uniform(0, 30))),
    )
    target = matching(made, target=0.5, short=60.0, clean=rng.uniform(0, 5, 6))
    asked = response(made, hour=int(rng.integers(6)), baseline=float(rng.uniform(5, 10)))
    made = replace(
        made,
        terms=(steps, target, asked),
        rates=(rate(made, 0, rng.uniform(0, 20, 6), rng.uniform(0, 5, 6)),),
    )
    return with_plants(made, plant(made, capacity=2.0, usd=60.0)), state


def best_usd(made: World, state: State) -> float:
    return solve_horizon(made, state).objective_usd + constant_usd(made)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_better_terms_never_cost_more(seed: int) -> None:
    """Lower rates and penalties, higher limits, a larger plant or battery, one option more."""
    made, state = contracted(seed)
    steps, target, asked = made.terms
    (gas,) = made.generators
    cheaper = replace(steps, adder_usd_per_mwh=(0.0, 0.5 * steps.adder_usd_per_mwh[1]))
    larger = tuple(
        each.model_copy(update={"power_mw": 1.5 * each.power_mw}) for each in made.batteries
    )
    half = made.rates[0].import_usd_per_mwh / 2.0
    better = [
        replace(made, import_limit_mw=made.import_limit_mw + 1.0),
        replace(made, terms=(cheaper, target, asked)),
        replace(made, terms=(steps, replace(target, shortfall_usd_per_mwh=20.0), asked)),
        replace(made, terms=(steps, target, replace(asked, penalty_usd_per_mwh=100.0))),
        replace(made, rates=(replace(made.rates[0], import_usd_per_mwh=half),)),
        replace(made, generators=(replace(gas, usd_per_mwh=gas.usd_per_mwh - 20.0),)),
        replace(made, batteries=larger),
        replace(made, takes=(*made.takes, take(np.full(6, 2.0), strike=25.0))),
        with_plants(made, gas, plant(made, 1, usd=30.0, least=0.3, start=10.0)),
    ]
    before_usd = best_usd(made, state)
    for each in better:
        assert best_usd(each, state) <= before_usd + 1e-6 * max(1.0, abs(before_usd))


@settings(max_examples=15)
@given(seed=SEEDS, hour=st.integers(0, 5))
def test_a_dual_lies_between_the_quotients_of_optima(seed: int, hour: int) -> None:
    """One kWh more and less of load at the first site, in an hour of one with every term."""
    made, state = contracted(seed)
    window = true_window(made, begin=made.first, count=made.count)
    held = WindowModel(made, window, state)
    optimum = held.solved(window)
    row = held.program.row_number(held.program.rows["racks"], int(optimum.slots[hour]), 0)
    quotients = []
    for step_mwh in (-1e-3, 1e-3):
        held.model.shift_row(row, step_mwh)
        moved = held.solved(window).objective_usd
        held.model.shift_row(row, -step_mwh)
        quotients.append((moved - optimum.objective_usd) / step_mwh)
    dual = float(optimum.dual("racks", hour)[0])
    slack = 1e-4 * max(1.0, abs(dual))
    assert quotients[0] - slack <= dual <= quotients[1] + slack


@settings(max_examples=15)
@given(seed=SEEDS)
def test_the_price_at_a_meter_is_the_sum_of_its_parts(seed: int) -> None:
    """lambda = what is bought at + rates on imports + rents of terms, where imports have room.

    And what is bought costs the market's price, the adder and the rent of its step.
    """
    made, state = contracted(seed)
    optimum = solve_horizon(made, state)
    window = optimum.window
    for at in range(window.count):
        imports = optimum.value("meter_import", at)[0]
        bought = optimum.value("buy", at)[0]
        if not 1e-6 < imports < window.import_limit_mw[0, at] - 1e-6:
            continue
        rents = sum(
            optimum.rent_usd_per_mwh(kind, at, "meter_import")[0]
            for kind in ("energy", "demand_peak", "cfe")
        )
        market = optimum.dual("commercial", at)[0]
        rates = window.rate_usd_per_mwh[:, 0, at].sum()
        node = optimum.dual("balance", at)[0]
        assert node == pytest.approx(market + rates + rents, rel=1e-6, abs=1e-6)
        if bought > 1e-6:
            step = sum(optimum.rent_usd_per_mwh(kind, at, "buy")[0] for kind in ("energy", "cfe"))
            price = window.buy_usd_per_mwh[0, at] + step
            assert market == pytest.approx(price, rel=1e-6, abs=1e-6)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_power_over_the_grid_never_lowers_the_rent_of_a_megawatt(seed: int) -> None:
    """A PPA larger than the connection comes through it: the connection is as scarce as before."""
    rng = np.random.default_rng(seed)
    made = plain([rng.uniform(10, 90, 4)], [rng.uniform(40, 60, 4)], import_limit=3.0, value=30.0)
    large = replace(made, takes=(take(np.full(4, 300.0), strike=5.0),), blocks=(block([50.0] * 4),))
    before, after = (-solve_horizon(each).reduced("meter_import")[:, 0] for each in (made, large))
    assert np.all(before > 0.0)
    assert np.all(after >= before - 1e-6)

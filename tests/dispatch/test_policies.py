"""Every policy that ships: never better than the bound, within every limit, blind to the future."""

from dataclasses import fields, replace

import numpy as np
import pytest
from action_check import run as cost_usd
from worlds import (
    battery,
    deployment,
    fleet,
    plain,
    random_case,
    random_state,
    route,
    workload,
    world,
)

from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.dispatch.policies import POLICIES, make_policy
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import State, World
from tokenergy.errors import InfeasibleProgram, SolverFailure, UnknownName

RULES = [name for name in POLICIES if name != "clairvoyant"]
HISTORY = 24


def test_they_stand_from_thoughtless_to_best():
    assert list(POLICIES) == [
        "nearest",
        "round_robin",
        "static",
        "greedy",
        "greedy_battery",
        "reserve",
        "daily_duals",
        "mpc",
        "mpc_perfect_day_ahead",
        "clairvoyant",
    ]


def test_each_goes_by_its_name():
    made = plain([[20.0] * 30], np.full((1, 30), 7.0))
    for name in POLICIES:
        policy = make_policy(name, made)
        assert policy.name == name
        assert policy.decide(0, State.initial(made)).source == name
    with pytest.raises(UnknownName, match="daily_duals"):
        make_policy("daily_dual", made)


# ---- never better than the bound ---------------------------------------------------------


def regrets(seed: int) -> dict[str, float]:
    """Return each policy's cost above the bound, over max(1, |bound|), in a random world.

    The end valuation is in both; every action is held against the limits on the way.
    """
    made, _ = random_case(seed, hours=HISTORY + 10)
    made = replace(made, first=HISTORY, count=10)
    least = solve_horizon(made).objective_usd
    scale = max(1.0, abs(least))
    return {name: (cost_usd(made, make_policy(name, made)) - least) / scale for name in RULES}


def hold_above_the_bound(seed: int) -> None:
    for name, regret in regrets(seed).items():
        assert regret >= -1e-9, name


@pytest.mark.parametrize("seed", range(10))
def test_no_policy_beats_the_bound(seed):
    hold_above_the_bound(seed)


@pytest.mark.slow  # 190 more worlds: a minute and a half
@pytest.mark.parametrize("seed", range(10, 200))
def test_no_policy_beats_the_bound_in_any_of_200_worlds(seed):
    hold_above_the_bound(seed)


def test_what_is_known_is_worth_something():
    """Over six worlds the order of the sheet: greedy, then duals, then mpc, then the bound."""
    sums = {name: 0.0 for name in RULES}
    for seed in range(6):
        for name, regret in regrets(seed).items():
            sums[name] += regret
    assert sums["nearest"] > sums["greedy"] > sums["daily_duals"] > sums["mpc"]
    assert sums["mpc"] >= sums["mpc_perfect_day_ahead"]


def test_the_program_beats_greedy_where_workloads_share_deployments():
    """Dispatch sheet, section 7: A 1, B 2, C 10 USD, one unit each; w1 on A or B, w2 on A or C.

    Cheapest first gives w1 A (1) and w2 C (10): 11. The program: w1 B (2), w2 A (1): 3.
    """
    made = world(
        [[1.0], [2.0], [10.0]],
        [[1.0], [1.0]],
        routes=(
            route(0, 0, rate=1.0, marginal=1.0),
            route(0, 1, rate=1.0, marginal=1.0),
            route(1, 0, rate=1.0, marginal=1.0),
            route(1, 2, rate=1.0, marginal=1.0),
        ),
        deployments=tuple(deployment(s) for s in range(3)),
        fleets=tuple(fleet(s, gpus=1.0) for s in range(3)),
        workloads=(workload("w1"), workload("w2", tier_index=1)),
        floors=(0.0, 0.0),
    )
    assert cost_usd(made, make_policy("greedy", made)) == pytest.approx(11.0)
    assert cost_usd(made, make_policy("mpc", made)) == pytest.approx(3.0)


# ---- a second method ---------------------------------------------------------------------


def least_by_steps(prices, *, end_usd: float) -> float:
    """Return the least cost of a battery of 5 MW and 20 MWh beside 2 MW of load, half full.

    Dynamic programming over steps of 0.25 MWh in store; 0.8 each way, so that all kinks are
    steps: 5 MW in are 4 MWh, 5 MW out are 6.25 MWh, 2 MW of load 2.5. A sale earns 10 USD less.
    """
    levels = np.arange(0.0, 20.0 + 1e-9, 0.25)
    change = levels[None, :] - levels[:, None]
    site_mwh = np.where(change > 0, change / 0.8, change * 0.8)
    value = -end_usd * levels
    for price in prices[::-1]:
        net = 2.0 + site_mwh
        cost = np.where(net > 0, price * net, (price - 10.0) * net)
        cost = np.where(np.abs(site_mwh) <= 5.0 + 1e-9, cost, np.inf)
        value = (cost + value[None, :]).min(axis=1)
    return float(value[40])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["mpc", "mpc_perfect_day_ahead", "clairvoyant"])
def test_a_battery_is_run_as_dynamic_programming_runs_it(seed, name):
    """All prices are published, so that nothing is believed and all three have to find the best."""
    prices = np.random.default_rng(seed).uniform(5.0, 120.0, 24)
    made = plain(
        [prices],
        np.zeros((1, 24)),
        fixed=2.0,
        spread=10.0,
        export_limit=100.0,
        batteries=(battery(power=5.0, capacity=20.0, efficiency=0.8),),
        battery_site=(0,),
    )
    made = replace(made, published_until=np.full((1, 24), 24))
    end_usd = float(made.end_value_usd_per_mwh()[0])
    least = least_by_steps(prices, end_usd=end_usd)
    assert cost_usd(made, make_policy(name, made)) == pytest.approx(least, rel=1e-9)
    for rule in ("greedy_battery", "reserve", "daily_duals"):
        assert cost_usd(made, make_policy(rule, made)) >= least - 1e-6


# ---- blind to what is to come ------------------------------------------------------------


def otherwise(made: World, at: int, seed: int, *, demand: bool = True) -> World:
    """Change what is not public at `at`: prices, arrivals (`demand`), output of contracts."""
    rng = np.random.default_rng(seed)
    later = np.arange(made.pue.shape[1]) > at
    spot = made.spot_usd_per_mwh.copy()
    for site in range(made.sites_count):
        known = max(at + 1, int(made.published_until[site, at]))
        spot[site, known:] = rng.normal(300.0, 500.0, spot[site, known:].size)
    arrivals = rng.uniform(0, 900, made.arrivals_mtok.shape)
    scale = np.where(later, rng.uniform(0.1, 9.0, later.size), 1.0)
    return replace(
        made,
        spot_usd_per_mwh=spot,
        arrivals_mtok=np.where(later & demand, arrivals, made.arrivals_mtok),
        takes=tuple(
            replace(take, available_mw=take.available_mw * scale, floor_mw=take.floor_mw * scale)
            for take in made.takes
        ),
    )


def half_known(seed: int) -> World:
    """Make eight days and a horizon of three; a day ahead, two hours ahead, in real time.

    The horizon is longer than the window: in its last one the end valuation is a rule of the game.
    """
    made, _ = random_case(seed, hours=24 * 11)
    until = np.tile(np.arange(24 * 11) + 1, (3, 1)) + np.array([[23], [1], [0]])
    return replace(made, first=24 * 8, count=72, published_until=until)


@pytest.mark.parametrize("name", ["reserve", "daily_duals", "mpc", "greedy_battery"])
@pytest.mark.parametrize("seed", range(4))
def test_no_policy_sees_the_future(name, seed):
    """Six steps to an interval, and the decision there: the same to the bit in both worlds.

    Until then nothing differs, so that plans, fits and a hedge's shadow have the same past.
    """
    made = half_known(seed)
    at, state = made.first + 5, random_state(made, seed)
    policies = [make_policy(name, each) for each in (made, otherwise(made, at, seed))]
    for step in range(made.first, at + 1):
        ours, theirs = (policy.decide(step, state) for policy in policies)
        for field in fields(ours):
            left, right = getattr(ours, field.name), getattr(theirs, field.name)
            assert np.array_equal(left, right), (step, field.name)


def test_perfect_means_day_ahead_prices_and_demand_and_no_more():
    """What is settled in real time, and what wind brings, is as unknown as ever."""
    made = half_known(1)
    at, state = made.first + 5, random_state(made, 1)

    def decided(each: World):
        return make_policy("mpc_perfect_day_ahead", each).decide(at, state)

    surprise = otherwise(made, at, 1, demand=False)
    spot = made.spot_usd_per_mwh.copy()
    spot[2] = surprise.spot_usd_per_mwh[2]
    ours, theirs = decided(made), decided(replace(surprise, spot_usd_per_mwh=spot))
    assert np.array_equal(ours.serve_mtok, theirs.serve_mtok)
    demand = replace(made, arrivals_mtok=otherwise(made, at, 1).arrivals_mtok)
    assert not np.array_equal(ours.serve_mtok, decided(demand).serve_mtok)


# ---- when the program is not solved ------------------------------------------------------


def test_mpc_does_as_the_reserve_where_what_it_believes_cannot_be_met():
    """From the third hour on fixed load exceeds the import limit; the hours before can be run."""
    limits = np.full((1, 30), 5.0)
    limits[0, 3:] = 1.0
    made = plain([[20.0] * 30], np.ones((1, 30)), fixed=3.0, import_limit=limits)
    state = State.initial(made)
    action = Mpc(made).decide(0, state)
    assert action.source == "reserve"
    assert action.serve_mtok == pytest.approx([1.0])
    with pytest.raises(InfeasibleProgram, match="as they are believed then"):
        Mpc(made).decide(3, state)


@pytest.mark.parametrize("name", ["mpc", "mpc_perfect_day_ahead", "daily_duals"])
def test_a_solver_that_fails_is_no_crash(name, monkeypatch):
    made, _ = random_case(5, hours=60)
    made = replace(made, first=48, count=12)
    state, policy = random_state(made, 5), make_policy(name, made)

    def failing(*_):
        raise SolverFailure("residual 1, duality gap 1")

    with monkeypatch.context() as broken:
        broken.setattr("tokenergy.lp.highs.LinearModel.solve", failing)
        assert policy.decide(48, state).source == "reserve"
    assert policy.decide(48, state).source == name  # and it recovers

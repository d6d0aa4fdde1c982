"""The program against other ways to the same number: another solver, another method.

`sheet_optimum` is a second writing of dispatch sheet section 3, made from its formulas and not
from `rows.py`: one variable per interval, deferrable work as cumulative rows (`served + refused
so far` between `due so far` and `arrived so far`) and no backlog. PuLP hands it to CBC.
"""

import warnings
from dataclasses import replace

import numpy as np
import pulp
import pytest
from worlds import (
    battery,
    deployment,
    fleet,
    plain,
    random_case,
    random_world,
    route,
    workload,
    world,
)

from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import State, World


def ours(made: World, window: Window, state: State) -> float:
    return WindowModel(made, window, state).solved(window).objective_usd


# ---- a second solver ---------------------------------------------------------------------


class Sheet:
    """Dispatch sheet, section 3, over the live intervals of a window, row by row."""

    def __init__(self, made: World, window: Window, state: State) -> None:
        self.w, self.x, self.state = made, window, state
        self.n, self.h = window.live_count, float(window.lengths_h[0])
        self.lp = pulp.LpProblem("sheet", pulp.LpMinimize)
        self.own = [i for i, d in enumerate(made.deployments) if not d.external]
        self.cost: list = []
        t = range(self.n)
        self.serve = self.grid("serve", len(made.routes))
        self.refused = self.grid("refused", len(made.workloads))
        self.awake = self.grid("awake", len(made.deployments))
        self.wake = self.grid("wake", len(made.deployments))
        self.buy, self.sell = (
            self.grid("buy", made.sites_count),
            self.grid("sell", made.sites_count),
        )
        self.imp, self.exp = self.grid("imp", made.sites_count), self.grid("exp", made.sites_count)
        self.take = self.grid("take", len(made.takes))
        self.charge = self.grid("charge", len(made.batteries))
        self.discharge = self.grid("discharge", len(made.batteries))
        self.energy = self.grid("energy", len(made.batteries))
        for k in t:
            self.power(k)
            self.replicas(k)
            self.batteries(k)
            self.promises(k)
        self.work()

    def grid(self, name: str, size: int) -> list[list[pulp.LpVariable]]:
        return [
            [pulp.LpVariable(f"{name}_{i}_{k}", lowBound=0) for k in range(self.n)]
            for i in range(size)
        ]

    def hold(self, row) -> None:
        self.lp += row

    def power(self, k: int) -> None:
        made, x, h = self.w, self.x, self.h
        for s in range(made.sites_count):
            buy_usd = (1 + made.loss_share[s]) * (self.spot(s, k) + made.adder_usd_per_mwh[s])
            sell_usd = self.spot(s, k) - made.resale_spread_usd_per_mwh[s]
            self.cost += [buy_usd * self.buy[s][k], -sell_usd * self.sell[s][k]]
            self.hold(self.imp[s][k] <= x.import_limit_mw[s, k] * h)
            self.hold(self.exp[s][k] <= x.export_limit_mw[s, k] * h)
            contracts = {True: [], False: []}
            for c, contract in enumerate(made.takes):
                if contract.site == s:
                    contracts[contract.behind_the_meter].append(self.take[c][k])
            stores = [b for b, at in enumerate(made.battery_site) if at == s]
            self.hold(
                self.imp[s][k]
                + pulp.lpSum(contracts[True])
                + x.meter_block_mw[s, k] * h
                + pulp.lpSum(self.discharge[b][k] for b in stores)
                == x.pue[s, k] * self.racks(s, k, paid=sell_usd < 0 or self.stuck(s, k))
                + pulp.lpSum(self.charge[b][k] for b in stores)
                + self.exp[s][k]
            )
            self.hold(
                self.buy[s][k] + pulp.lpSum(contracts[False]) + x.grid_block_mw[s, k] * h
                == self.sell[s][k] + self.imp[s][k] - self.exp[s][k]
            )
        for c in range(len(made.takes)):
            self.hold(self.take[c][k] >= x.floor_mw[c, k] * h)
            self.hold(self.take[c][k] <= x.available_mw[c, k] * h)
            self.cost.append(x.take_usd_per_mwh[c, k] * self.take[c][k])

    def spot(self, s: int, k: int) -> float:
        return float(self.w.spot_usd_per_mwh[s, self.x.begin + k])

    def stuck(self, s: int, k: int) -> bool:
        """Tell whether more must be taken behind the meter than may leave or stands there."""
        made, x = self.w, self.x
        must_mw = x.meter_block_mw[s, k]
        for c, contract in enumerate(made.takes):
            if contract.behind_the_meter and contract.site == s:
                must_mw += x.floor_mw[c, k]
        asleep_mw = sum(f.sleep_mw_per_gpu * f.gpus_count for f in made.fleets if f.site == s)
        return must_mw > x.export_limit_mw[s, k] + x.pue[s, k] * (made.fixed_mw[s] + asleep_mw)

    def racks(self, s: int, k: int, *, paid: bool):
        """Return the load at the racks; where burning would pay (`paid`) only work draws power."""
        made, h = self.w, self.h
        load = [made.fixed_mw[s] * h]
        for f, gpus in enumerate(made.fleets):
            if gpus.site == s:
                load.append(gpus.sleep_mw_per_gpu * gpus.gpus_count * h)
                for d in self.own:
                    spec = made.deployments[d]
                    if spec.fleet != f:
                        continue
                    up_mw = spec.base_mw - gpus.sleep_mw_per_gpu * spec.gpus_count
                    jobs = [(i, r) for i, r in enumerate(made.routes) if r.deployment == d]
                    load += [r.marginal_mwh_per_mtok * self.serve[i][k] for i, r in jobs]
                    if paid:
                        load += [up_mw / r.rate_mtok_per_h * self.serve[i][k] for i, r in jobs]
                    else:
                        load += [up_mw * h * self.awake[d][k], spec.wake_mwh * self.wake[d][k]]
        return pulp.lpSum(load)

    def replicas(self, k: int) -> None:
        made, h = self.w, self.h
        for d, spec in enumerate(made.deployments):
            jobs = [(i, r) for i, r in enumerate(made.routes) if r.deployment == d]
            if spec.external:
                limit = spec.limit_mtok_per_h * h
                if np.isfinite(limit):
                    self.hold(pulp.lpSum(self.serve[i][k] for i, _ in jobs) <= limit)
                continue
            hours = pulp.lpSum(self.serve[i][k] * (1 / r.rate_mtok_per_h) for i, r in jobs)
            lost_h = min(h, spec.wake_h)
            self.hold(hours <= h * self.awake[d][k] - lost_h * self.wake[d][k])
            before = self.awake[d][k - 1] if k else self.state.awake[d]
            self.hold(self.wake[d][k] >= self.awake[d][k] - before)
            lease = made.fleets[spec.fleet].lease_usd_per_gpu_hour
            self.cost.append(lease * spec.gpus_count * h * self.awake[d][k])
        for f, gpus in enumerate(made.fleets):
            used = [d for d in self.own if made.deployments[d].fleet == f]
            self.hold(
                pulp.lpSum(made.deployments[d].gpus_count * self.awake[d][k] for d in used)
                <= gpus.gpus_count
            )

    def batteries(self, k: int) -> None:
        for b, spec in enumerate(self.w.batteries):
            before = self.energy[b][k - 1] if k else self.state.energy_mwh[b]
            into, out = self.charge[b][k], self.discharge[b][k]
            self.hold(
                self.energy[b][k]
                == before + spec.charge_eff_share * into - out * (1 / spec.discharge_eff_share)
            )
            self.hold(self.energy[b][k] <= spec.capacity_mwh)
            self.hold(into + out <= spec.power_mw * self.h)
            self.cost.append(spec.cycle_usd_per_mwh_discharged * out)
            if k == self.n - 1:
                self.cost.append(-self.x.stored_usd_per_mwh[b] * self.energy[b][k])

    def promises(self, k: int) -> None:
        made = self.w
        for tier, floor in enumerate(made.floor_share):
            jobs = [
                (i, r)
                for i, r in enumerate(made.routes)
                if made.workloads[r.workload].tier_index == tier
            ]
            if floor > 0:
                over = [(r.quality_share - floor) * self.serve[i][k] for i, r in jobs]
                self.hold(pulp.lpSum(over) >= 0)
        for i, r in enumerate(made.routes):
            load = made.workloads[r.workload]
            lost = max(0.0, 1 - r.quality_share / load.asked_quality_share)
            usd = r.network_usd_per_mtok + r.api_usd_per_mtok + load.value_usd_per_mtok * lost
            self.cost.append(usd * self.serve[i][k])
        for w, load in enumerate(made.workloads):
            self.cost.append(load.value_usd_per_mtok * self.refused[w][k])

    def work(self) -> None:
        made, arrivals = self.w, self.x.arrivals_mtok
        for w, load in enumerate(made.workloads):
            jobs = [i for i, r in enumerate(made.routes) if r.workload == w]
            carried = self.state.backlog_mtok[w]
            for k in range(self.n):
                done = pulp.lpSum(
                    [self.serve[i][j] for i in jobs for j in range(k + 1)]
                    + [self.refused[w][j] for j in range(k + 1)]
                )
                arrived = carried.sum() + arrivals[w, : k + 1].sum()
                old = max(0, k + 1 - load.defer_count)
                due = carried[: k + 1].sum() + arrivals[w, :old].sum()
                if not load.defer_count or k == self.n - 1:
                    due = arrived
                self.hold(done <= arrived)
                self.hold(done >= due)

    def optimum_usd(self) -> float:
        self.lp += pulp.lpSum(self.cost)
        assert self.lp.solve(pulp.PULP_CBC_CMD(msg=False)) == pulp.LpStatusOptimal
        return float(pulp.value(self.lp.objective))


def sheet_optimum(made: World, window: Window, state: State) -> float:
    with warnings.catch_warnings():  # PuLP 3 announces the names of PuLP 4
        warnings.simplefilter("ignore", DeprecationWarning)
        return Sheet(made, window, state).optimum_usd()


@pytest.mark.parametrize("seed", range(24))
def test_a_second_solver_finds_the_same_optimum(seed):
    """Three to eight intervals of 1, 0.5 or 2 h, with everything that the program knows."""
    hours = 3 + seed % 6
    made, state = random_case(seed, hours=hours, step_h=(1.0, 0.5, 2.0)[seed % 3])
    window = true_window(made, begin=0, count=hours)
    assert ours(made, window, state) == pytest.approx(
        sheet_optimum(made, window, state), rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_second_solver_agrees_on_a_window_with_a_switched_off_tail(seed):
    made, state = random_case(seed, hours=6)
    window = true_window(made, begin=3, count=6)
    assert window.live_count == 3
    assert ours(made, window, state) == pytest.approx(
        sheet_optimum(made, window, state), rel=1e-6, abs=1e-6
    )


def test_the_second_writing_can_disagree():
    """A test of the test: with the wakes of one deployment dearer, the sheet's optimum rises."""
    made, state = random_case(1, hours=4)
    window = true_window(made, begin=0, count=4)
    dearer = tuple(replace(d, wake_mwh=d.wake_mwh + 1.0) for d in made.deployments)
    spot = np.abs(made.spot_usd_per_mwh) + 10.0
    made = replace(made, spot_usd_per_mwh=spot)
    window = true_window(made, begin=0, count=4)
    asleep = replace(state, awake=np.zeros(state.awake.size))
    more = sheet_optimum(replace(made, deployments=dearer), window, asleep)
    assert more > ours(made, window, asleep) + 1.0


# ---- where nothing couples intervals -----------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_a_window_without_coupling_is_the_sum_of_its_intervals(seed):
    """No battery, no deferral, no wake: whoever was awake before does not matter."""
    made = random_world(seed, hours=6, state=False)
    start = State.initial(made)
    whole = solve_horizon(made)
    alone = [
        WindowModel(made, window, start).solved(window)
        for window in (true_window(made, begin=at, count=1) for at in range(6))
    ]
    assert whole.objective_usd == pytest.approx(sum(a.objective_usd for a in alone), rel=1e-9)


def test_greedy_is_beaten_where_workloads_share_deployments():
    """Dispatch sheet, section 7: A 1, B 2, C 10 USD, one unit each; w1 on A or B, w2 on A or C.

    Cheapest first gives w1 A (1) and w2 C (10): 11. The program: w1 B (2), w2 A (1): 3.
    """
    routes = (
        route(0, 0, rate=1.0, marginal=1.0),
        route(0, 1, rate=1.0, marginal=1.0),
        route(1, 0, rate=1.0, marginal=1.0),
        route(1, 2, rate=1.0, marginal=1.0),
    )
    made = world(
        [[1.0], [2.0], [10.0]],
        [[1.0], [1.0]],
        routes=routes,
        deployments=tuple(deployment(s) for s in range(3)),
        fleets=tuple(fleet(s, gpus=1.0) for s in range(3)),
        workloads=(workload("w1"), workload("w2", tier_index=1)),
        floors=(0.0, 0.0),
    )
    assert solve_horizon(made).objective_usd == pytest.approx(3.0)


# ---- dynamic programming on a discretised battery ----------------------------------------

GRID_MWH = 0.25


def dynamic_programme(prices, *, load_mwh, spread, end_usd, grid_mwh=GRID_MWH) -> float:
    """Return the least cost of a site with a battery of 5 MW, 20 MWh and 0.8 both ways.

    A step of the store is e MWh up (e / 0.8 from the site) or down (0.8 e to the site). Buying
    costs the price, selling earns the price less the spread.
    """
    levels = np.arange(0.0, 20.0 + 1e-9, grid_mwh)
    change = levels[None, :] - levels[:, None]  # from row to column
    site_mwh = np.where(change > 0, change / 0.8, change * 0.8)
    allowed = np.abs(site_mwh) <= 5.0 + 1e-9
    value = -end_usd * levels
    for price in prices[::-1]:
        net = load_mwh + site_mwh
        cost = np.where(net > 0, price * net, (price - spread) * net)
        value = np.where(allowed, cost + value[None, :], np.inf).min(axis=1)
    return float(value[np.argmin(np.abs(levels - 10.0))])


def store_world(prices, spread):
    """Make a site with a fixed load of 2 MW and the battery of `dynamic_programme`, half full."""
    return plain(
        [prices],
        np.zeros((1, len(prices))),
        fixed=2.0,
        spread=spread,
        export_limit=100.0,
        batteries=(battery(power=5.0, capacity=20.0, efficiency=0.8),),
        battery_site=(0,),
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_battery_is_as_good_as_dynamic_programming(seed):
    """On a grid of 0.25 MWh all kinks are grid points, so that both are exact.

    5 MW into the store are 4 MWh, out of it 6.25; a load of 2 MWh takes 2.5: multiples of 0.25.
    """
    rng = np.random.default_rng(seed)
    prices = rng.uniform(5.0, 120.0, 24)
    spread = float(rng.uniform(0.0, 4.0))
    made = store_world(prices, spread)
    end_usd = float(made.end_value_usd_per_mwh()[0])
    exact = dynamic_programme(prices, load_mwh=2.0, spread=spread, end_usd=end_usd)
    coarse = dynamic_programme(prices, load_mwh=2.0, spread=spread, end_usd=end_usd, grid_mwh=2.0)
    optimum = solve_horizon(made).objective_usd
    assert optimum == pytest.approx(exact, rel=1e-9)
    assert optimum <= coarse + 1e-9


# ---- more of anything never costs more ---------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_more_room_never_raises_the_clairvoyant_cost(seed):
    """Batteries, windows of deferral, limits and GPUs: each only adds to what can be done."""
    made = random_world(seed, hours=16)
    least = solve_horizon(made).objective_usd
    # a larger battery that starts with the same energy, valued the same at the end
    larger = tuple(
        replace_battery(
            b, power_mw=b.power_mw * 2, capacity_mwh=b.capacity_mwh * 2, initial_share=0.25
        )
        for b in made.batteries
    )
    further = tuple(
        replace(load, defer_count=load.defer_count + 3) if load.defer_count else load
        for load in made.workloads
    )
    richer = tuple(
        replace(f, gpus_count=f.gpus_count * 1.5, sleep_mw_per_gpu=0.0) for f in made.fleets
    )
    poorer = tuple(replace(f, sleep_mw_per_gpu=0.0) for f in made.fleets)
    for wider in (
        replace(made, batteries=larger),
        replace(made, workloads=further),
        replace(made, import_limit_mw=made.import_limit_mw * 1.3),
        replace(made, export_limit_mw=made.export_limit_mw + 1.0),
    ):
        assert solve_horizon(wider).objective_usd <= least + 1e-7 * abs(least)
    least = solve_horizon(replace(made, fleets=poorer)).objective_usd
    more = solve_horizon(replace(made, fleets=richer)).objective_usd
    assert more <= least + 1e-7 * abs(least)


def replace_battery(spec, **changes):
    return spec.model_copy(update=changes)


@pytest.mark.parametrize("seed", range(5))
def test_one_site_more_never_raises_the_clairvoyant_cost(seed):
    """The last site brings its own fixed load and sleep: set to 0, it can only help."""
    made = random_world(seed, hours=12)
    quiet = tuple(replace(f, sleep_mw_per_gpu=0.0) for f in made.fleets)
    made = replace(made, fleets=quiet, fixed_mw=np.array([0.3, 0.3, 0.0]))
    fewer = replace(made, routes=tuple(r for r in made.routes if r.deployment != 2))
    assert solve_horizon(made).objective_usd <= solve_horizon(fewer).objective_usd + 1e-7

"""The companies that the benchmarks solve: made of formulas, the same on every machine.

Noise comes from `random.Random.random`, whose sequence Python keeps between releases; every
series is rounded, so that the last bit of a cosine changes nothing.
"""

import math
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from worlds import battery, deployment, fleet, route, workload, world

from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import (
    NOWHERE,
    Deployment,
    FixedBlock,
    FloatArray,
    State,
    Take,
    World,
)

DAY_H = 24
HISTORY_H = 28 * DAY_H


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A company, and what the past leaves to its first interval."""

    name: str
    says: str
    world: World
    state: State

    @property
    def window(self) -> Window:
        """The whole horizon as one window."""
        return true_window(self.world, begin=self.world.first, count=self.world.count)


def small_cases() -> tuple[Case, ...]:
    """Return the three small companies that a peer solves too."""
    return plain(), stored(), contracted()


def plain() -> Case:
    """Make three sites, two workloads and limits on power and GPUs; nothing couples the hours."""
    hours = 24
    loads = (
        workload("chat", value=60.0),
        workload("free", value=6.0, tier_index=1, must_serve=False),
    )
    sites = range(3)
    made = world(
        [_series(hours, mean=m, day=d, noise=12.0, seed=s) for m, d, s in _PRICES],
        [
            _series(hours, mean=60.0, day=25.0, noise=4.0, seed=11, least=0.0),
            _series(hours, mean=30.0, day=10.0, noise=3.0, seed=12, least=0.0),
        ],
        routes=tuple(
            route(w, s, rate=8.0 - s, marginal=0.03 + 0.01 * s, network=0.2 * s + 0.1 * w)
            for w in range(2)
            for s in sites
        ),
        deployments=tuple(deployment(s, gpus=2, base_mw=0.25) for s in sites),
        fleets=tuple(fleet(s, gpus=14.0, lease=0.4 * s, sleep_mw=0.004) for s in sites),
        workloads=loads,
        import_limit=np.array([[3.0], [2.5], [6.0]]),
        pue=[_series(hours, mean=1.2, day=0.05, noise=0.0, seed=1)] * 3,
        fixed=0.3,
        floors=(0.0, 0.0),
    )
    return _case("plain", "3 sites x 24 h; limits on MW and GPUs, leases, sleep, refusals", made)


def stored() -> Case:
    """Make batteries, deferral and wakes, with negative prices and work left from yesterday."""
    hours = 36
    loads = (
        workload("chat", value=80.0),
        workload("batch", value=30.0, defer=6, tier_index=1, must_serve=False),
    )
    sites = range(3)
    packs = (
        battery("b0", power=3.0, capacity=9.0, wear=2.0),
        battery("b1", power=2.0, capacity=8.0).model_copy(update={"discharge_eff_share": 0.9}),
    )
    made = world(
        [
            _series(hours, mean=m - 30.0, day=2.0 * d, noise=25.0, seed=20 + s)
            for m, d, s in _PRICES
        ],
        [
            _series(hours, mean=45.0, day=18.0, noise=4.0, seed=31, least=0.0),
            _series(hours, mean=40.0, day=5.0, noise=9.0, seed=32, least=0.0),
        ],
        routes=tuple(
            route(w, s, rate=7.0 - 0.5 * s, marginal=0.03 + 0.008 * s, network=0.15 * s)
            for w in range(2)
            for s in sites
        ),
        deployments=tuple(deployment(s, gpus=2, base_mw=0.3, wake_h=0.25) for s in sites),
        fleets=tuple(fleet(s, gpus=16.0, sleep_mw=0.003) for s in sites),
        workloads=loads,
        batteries=packs,
        battery_site=(0, 2),
        import_limit=np.array([[7.0], [6.0], [14.0]]),
        export_limit=2.0,
        pue=[
            _series(hours, mean=1.15 + 0.05 * s, day=0.04, noise=0.02, seed=40 + s) for s in sites
        ],
        fixed=0.2,
        floors=(0.0, 0.0),
    )
    state = State(
        awake=np.array([3.0, 2.0, 0.0]),
        energy_mwh=np.array([4.5, 1.0]),
        backlog_mtok=np.array([[0.0] * 6, [6.0, 0.0, 4.0, 3.0, 0.0, 5.0]]),
    )
    says = "3 sites x 36 h; 2 batteries, 6 h deferral, wakes, negative prices, a backlog"
    return _case("stored", says, made, state)


def contracted() -> Case:
    """Make contracts on both sides of the meter, an API and quality floors, by half hours."""
    steps = 48
    loads = (
        workload("chat", value=22.0),
        workload("agent", value=45.0, tier_index=1),
        workload("batch", value=25.0, defer=8, tier_index=2, must_serve=False),
    )
    own = (
        *(deployment(s, gpus=2, base_mw=0.35, wake_h=0.2) for s in range(3)),
        replace(deployment(0, gpus=1, base_mw=0.12, wake_h=0.1), name="small@f0", model="small"),
    )
    api = Deployment(
        name="api",
        model="theirs",
        accelerator="",
        fleet=NOWHERE,
        site=NOWHERE,
        gpus_count=0,
        base_mw=0.0,
        wake_h=0.0,
        wake_mwh=0.0,
        limit_mtok_per_h=4.0,
    )
    routes = [
        route(w, d, rate=rate, marginal=marginal, network=0.1 * d, quality=quality)
        for w in range(3)
        for d, (rate, marginal, quality) in enumerate(
            ((6.0, 0.03, 1.0), (7.0, 0.04, 1.0), (8.0, 0.05, 1.0), (9.0, 0.01, 0.9))
        )
        if (w, d) != (0, 2)
    ]
    routes += [
        replace(route(w, 4, quality=0.95, network=0.05), api_usd_per_mtok=6.0) for w in (0, 1)
    ]
    made = world(
        [_series(steps, mean=m, day=1.5 * d, noise=20.0, seed=50 + s) for m, d, s in _PRICES],
        [
            _series(steps, mean=24.0, day=9.0, noise=3.0, seed=61, least=0.0),
            _series(steps, mean=14.0, day=4.0, noise=2.0, seed=62, least=0.0),
            _series(steps, mean=10.0, day=2.0, noise=4.0, seed=63, least=0.0),
        ],
        routes=tuple(routes),
        deployments=(*own, api),
        fleets=tuple(fleet(s, gpus=15.0, lease=0.3, sleep_mw=0.004) for s in range(3)),
        workloads=loads,
        takes=_takes(steps),
        batteries=(battery("b0", power=2.0, capacity=6.0, wear=1.0),),
        battery_site=(1,),
        import_limit=[_series(steps, mean=5.0, day=1.0, noise=0.0, seed=1)] * 3,
        export_limit=3.0,
        spread=4.0,
        pue=[_series(steps, mean=1.2, day=0.06, noise=0.02, seed=70 + s) for s in range(3)],
        fixed=0.25,
        step_h=0.5,
        floors=(0.95, 0.98, 0.0),
    )
    made = replace(
        made,
        blocks=(_block(steps, site=0, mw=0.5, behind=True), _block(steps, site=2, mw=0.8)),
        loss_share=np.array([0.02, 0.0, 0.03]),
        adder_usd_per_mwh=np.array([5.0, 8.0, 3.0]),
    )
    state = replace(State.initial(made), awake=np.array([2.0, 0.0, 4.0, 1.0, 0.0]))
    says = (
        "3 sites x 48 half hours; takes and blocks, limits, resale, wakes, an API, quality floors"
    )
    return _case("contracted", says, made, state)


def ten_sites(hours: int) -> World:
    """Make ten sites: the company of most benchmarks."""
    return many_sites(hours, sites_count=10)


def many_sites(hours: int, *, sites_count: int) -> World:
    """Make sites with a battery of 25 MW / 100 MWh each; 30 % of the work may wait a day.

    A site holds 20,000 GPUs in replicas of 8 (4 kW awake, 10 kW at full rate) behind 40 MW.
    Of ten markets six publish the next day at 13:00; four are real-time only. 28 days of history.
    """
    sites, total = range(sites_count), HISTORY_H + hours
    asked_mtok = 26_000.0 * sites_count
    made = world(
        [_market(total, site) for site in sites],
        [
            _asked(total, mean=0.7 * asked_mtok, day=0.3, seed=201),
            _asked(total, mean=0.3 * asked_mtok, day=0.1, seed=202),
        ],
        routes=tuple(
            route(w, s, rate=20.0, marginal=0.0003, network=0.001 * ((3 * s + w) % 7))
            for w in range(2)
            for s in sites
        ),
        deployments=tuple(deployment(s, gpus=8, base_mw=0.004, wake_h=0.1) for s in sites),
        fleets=tuple(fleet(s, gpus=20_000.0, sleep_mw=7e-5) for s in sites),
        workloads=(
            workload("chat", value=2.0),
            workload("batch", value=0.5, defer=DAY_H, tier_index=1, must_serve=False),
        ),
        batteries=tuple(battery(f"b{s}", power=25.0, capacity=100.0, wear=2.0) for s in sites),
        battery_site=tuple(sites),
        import_limit=40.0,
        export_limit=20.0,
        pue=[
            _series(total, mean=1.15 + 0.02 * (s % 10), day=0.04, noise=0.02, seed=300 + s)
            for s in sites
        ],
        fixed=1.0,
        history=HISTORY_H,
        floors=(0.0, 0.0),
    )
    now = np.arange(total)
    ahead = (now // DAY_H + 1 + (now % DAY_H >= 13)) * DAY_H
    published = np.array([np.minimum(ahead, total) if s % 10 < 6 else now for s in sites])
    return replace(made, published_until=published)


def moved_on(world: World, optimum: Optimum, state: State) -> State:
    """Return the state after the first interval of a window's optimum; oldest work goes first."""
    action = optimum.action(0, "benchmark")
    waits = [load.defer_count for load in world.workloads]
    backlog = np.zeros_like(state.backlog_mtok)
    for at, wait in enumerate(waits):
        left = np.append(state.backlog_mtok[at], 0.0)
        left[wait] += optimum.window.arrivals_mtok[at, 0]
        routes = [i for i, r in enumerate(world.routes) if r.workload == at]
        done = float(action.serve_mtok[routes].sum() + action.refused_mtok[at])
        gone = np.minimum(left, np.maximum(0.0, done - (np.cumsum(left) - left)))
        backlog[at] = (left - gone)[1:]
    energy = np.clip(optimum.value("energy")[0], 0.0, [b.capacity_mwh for b in world.batteries])
    return State(awake=action.awake, energy_mwh=energy, backlog_mtok=backlog)


_PRICES = ((42.0, 14.0, 1), (55.0, 22.0, 2), (35.0, 9.0, 3))


def _case(name: str, says: str, made: World, state: State | None = None) -> Case:
    return Case(name=name, says=says, world=made, state=state or State.initial(made))


def _takes(steps: int) -> tuple[Take, ...]:
    """A curtailable wind farm behind the meter and a sun that must be taken over the grid."""
    wind = _series(steps, mean=2.0, day=-0.5, noise=1.5, seed=81, least=0.0)
    sun = np.maximum(0.0, _series(steps, mean=0.2, day=2.5, noise=0.3, seed=82))
    still = np.zeros(steps)
    return (
        Take(
            contract_id="wind",
            site=1,
            behind_the_meter=True,
            available_mw=wind,
            floor_mw=still,
            take_usd_per_mwh=np.full(steps, 31.0),
            sunk_usd_per_h=still,
        ),
        Take(
            contract_id="sun",
            site=2,
            behind_the_meter=False,
            available_mw=sun,
            floor_mw=sun,
            take_usd_per_mwh=np.full(steps, 28.0),
            sunk_usd_per_h=still,
        ),
    )


def _block(steps: int, *, site: int, mw: float, behind: bool = False) -> FixedBlock:
    return FixedBlock(
        contract_id=f"block{site}",
        site=site,
        behind_the_meter=behind,
        delivery_mw=np.full(steps, mw),
        strike_usd_per_mwh=np.full(steps, 40.0),
    )


def _series(
    count: int, *, mean: float, day: float, noise: float, seed: int, least: float = -1e9
) -> FloatArray:
    """Return a mean, a day that peaks at 18 h and a bell of noise (sum of three throws) [count]."""
    throw = random.Random(seed)
    values = [
        mean
        + day * math.cos(2.0 * math.pi * (at - 18) / DAY_H)
        + noise * (sum(throw.random() for _ in range(3)) * 2.0 - 3.0)
        for at in range(count)
    ]
    return np.maximum(least, np.round(values, 4))


def _market(total: int, site: int) -> FloatArray:
    """Return a market's prices: two peaks a day, weather of days, sun at noon, rare spikes."""
    throw, weather = random.Random(100 + site), 0.0
    site, prices = site % 10, []
    for at in range(total):
        weather = 0.97 * weather + 3.0 * (throw.random() - 0.5)
        hour = (at + 2 * site) % DAY_H
        evening = 18.0 * math.exp(-(((hour - 19) / 2.5) ** 2))
        morning = 9.0 * math.exp(-(((hour - 8) / 2.0) ** 2))
        noon = -(4.0 + 3.0 * site) * math.exp(-(((hour - 13) / 3.0) ** 2))
        spike = 150.0 * throw.random() if throw.random() < 0.004 else 0.0
        rough = 6.0 * (throw.random() - 0.5)
        prices.append(28.0 + 3.0 * site + evening + morning + noon + 3.0 * weather + spike + rough)
    return np.round(prices, 2)


def _asked(total: int, *, mean: float, day: float, seed: int) -> FloatArray:
    """Return arrivals with a day, a quieter weekend and noise that lasts for hours, Mtok."""
    throw, drift = random.Random(seed), 0.0
    asked = []
    for at in range(total):
        drift = 0.8 * drift + 0.08 * (throw.random() - 0.5)
        weekend = 0.85 if at // DAY_H % 7 >= 5 else 1.0
        wave = 1.0 + day * math.cos(2.0 * math.pi * (at - 15) / DAY_H)
        asked.append(mean * weekend * wave * (1.0 + drift))
    return np.round(asked, 1)

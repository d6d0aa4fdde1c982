"""An action held against the world's limits, with nothing of the policies' own arithmetic.

Loads, balances, energies and money are computed afresh from an `Action`; `check` returns the
cost of the interval as the program counts it, so that it can stand beside an optimum.
"""

from dataclasses import replace

import numpy as np
from worlds import battery, deployment, fleet, route, workload, world

from tokenergy.dispatch.columns import serve_usd_per_mtok
from tokenergy.dispatch.world import Action, FixedBlock, State, Take, World

NEAR = 1e-7


def check(world: World, at: int, state: State, action: Action) -> float:
    """Assert that an action keeps every limit; return its cost in USD, stored energy apart."""
    h, loads = world.step_h, world.workloads
    own = [d for d in world.deployments if not d.external]
    arrays = (action.serve_mtok, action.refused_mtok, action.awake, action.take_mw)
    assert all(np.all(np.isfinite(a)) and np.all(a >= -NEAR) for a in arrays)
    assert np.all(action.charge_mw >= 0) and np.all(action.discharge_mw >= 0)
    served = np.zeros(len(loads))
    used = np.zeros(len(world.deployments))
    rack_mwh = world.fixed_mw * h
    usd = float(serve_usd_per_mtok(world) @ action.serve_mtok)
    for lane, mtok in zip(world.routes, action.serve_mtok, strict=True):
        served[lane.workload] += mtok
        target = world.deployments[lane.deployment]
        if target.external:
            used[lane.deployment] += mtok
        else:
            used[lane.deployment] += mtok / lane.rate_mtok_per_h
            rack_mwh[target.site] += lane.marginal_mwh_per_mtok * mtok
    work = world.arrivals_mtok[:, at] + state.backlog_mtok.sum(axis=1)
    waiting = work - served - action.refused_mtok
    assert np.all(waiting >= -NEAR)
    last = at == world.last - 1
    for w, load in enumerate(loads):
        due = state.backlog_mtok[w, 0] if load.defer_count and not last else work[w]
        assert served[w] + action.refused_mtok[w] >= due - NEAR
        usd += load.value_usd_per_mtok * action.refused_mtok[w]
    gpus_awake, gpus_on = np.zeros(len(world.fleets)), np.zeros(len(world.fleets))
    spot = world.spot_usd_per_mwh[:, at : at + 1]
    worthless = world.sell_usd_per_mwh(spot)[:, 0] < 0.0
    worthless |= _stuck_mw(world, at) > 0.0  # there only work draws power
    for d, target in enumerate(own):
        awake = action.awake[d]
        wake = max(0.0, awake - state.awake[d])
        lost = min(1.0, target.wake_h / h) * wake
        assert used[d] <= h * (awake - lost) + NEAR
        gpus_awake[target.fleet] += awake * target.gpus_count
        on = used[d] / h if worthless[target.site] else awake
        gpus_on[target.fleet] += on * target.gpus_count
        rack_mwh[target.site] += target.base_mw * on * h
        rack_mwh[target.site] += target.wake_mwh * wake * (not worthless[target.site])
    for d, target in enumerate(world.deployments):
        if target.external:
            assert used[d] <= target.limit_mtok_per_h * h + NEAR
    for f, hall in enumerate(world.fleets):
        assert gpus_awake[f] <= hall.gpus_count + NEAR
        rack_mwh[hall.site] += hall.sleep_mw_per_gpu * (hall.gpus_count - gpus_on[f]) * h
        usd += hall.lease_usd_per_gpu_hour * gpus_awake[f] * h
    usd += _energy_usd(world, at, action, rack_mwh / h)
    _check_batteries(world, state, action)
    wear = np.array([b.cycle_usd_per_mwh_discharged for b in world.batteries])
    usd += float(wear @ action.discharge_mw) * h if len(wear) else 0.0
    for tier, floor in enumerate(world.floor_share):
        if floor > 0.0:
            mine = [
                r
                for r, route in enumerate(world.routes)
                if loads[route.workload].tier_index == tier
            ]
            above = sum(
                action.serve_mtok[r] * (world.routes[r].quality_share - floor) for r in mine
            )
            assert above >= -NEAR
    return usd


def _stuck_mw(world: World, at: int) -> np.ndarray:
    """Return power behind the meter that must be taken, beyond standing load and export [S]."""
    stuck_mw = world.block_delivery_mw(behind_the_meter=True)[:, at]
    for take in world.takes:
        if take.behind_the_meter:
            stuck_mw[take.site] += take.floor_mw[at]
    standing_mw = world.fixed_mw.copy()
    for hall in world.fleets:
        standing_mw[hall.site] += hall.sleep_mw_per_gpu * hall.gpus_count
    return stuck_mw - world.export_limit_mw[:, at] - world.pue[:, at] * standing_mw


def _energy_usd(world: World, at: int, action: Action, rack_mw) -> float:
    net_mw = world.pue[:, at] * rack_mw - world.block_delivery_mw(behind_the_meter=True)[:, at]
    for b, site in enumerate(world.battery_site):
        net_mw[site] += action.charge_mw[b] - action.discharge_mw[b]
    usd = 0.0
    over_grid_mw = world.block_delivery_mw(behind_the_meter=False)[:, at].copy()
    for c, take in enumerate(world.takes):
        taken = action.take_mw[c]
        assert take.floor_mw[at] - NEAR <= taken <= take.available_mw[at] + NEAR
        usd += take.take_usd_per_mwh[at] * taken * world.step_h
        if take.behind_the_meter:
            net_mw[take.site] -= taken
        else:
            over_grid_mw[take.site] += taken
    assert np.all(net_mw <= world.import_limit_mw[:, at] + NEAR)
    assert np.all(net_mw >= -world.export_limit_mw[:, at] - NEAR)
    position_mw = net_mw - over_grid_mw
    spot = world.spot_usd_per_mwh[:, at : at + 1]
    buy = world.buy_usd_per_mwh(spot)[:, 0]
    sell = world.sell_usd_per_mwh(spot)[:, 0]
    paid = np.where(position_mw > 0, buy * position_mw, sell * position_mw)
    return usd + float(paid.sum()) * world.step_h


def _check_batteries(world: World, state: State, action: Action) -> None:
    for b, store in enumerate(world.batteries):
        charge, discharge = action.charge_mw[b], action.discharge_mw[b]
        assert min(charge, discharge) == 0.0
        assert max(charge, discharge) <= store.power_mw + NEAR
        energy = stored_mwh(world, b, state, action)
        assert -NEAR <= energy <= store.capacity_mwh + NEAR


def stored_mwh(world: World, b: int, state: State, action: Action) -> float:
    store = world.batteries[b]
    gained = store.charge_eff_share * action.charge_mw[b]
    lost = action.discharge_mw[b] / store.discharge_eff_share
    return float(state.energy_mwh[b] + world.step_h * (gained - lost))


def after(world: World, at: int, state: State, action: Action) -> State:
    """Return the state after an interval: the work that is due first was done first."""
    served = np.zeros(len(world.workloads))
    for lane, mtok in zip(world.routes, action.serve_mtok, strict=True):
        served[lane.workload] += mtok
    backlog = np.zeros_like(state.backlog_mtok)
    for w, load in enumerate(world.workloads):
        if not load.defer_count:
            continue
        queue = np.append(state.backlog_mtok[w], 0.0)
        queue[load.defer_count] += world.arrivals_mtok[w, at]
        done = served[w] + action.refused_mtok[w]
        for i, mtok in enumerate(queue):
            part = min(done, mtok)
            queue[i] -= part
            done -= part
        assert queue[0] <= NEAR, "work past its deadline"
        backlog[w] = np.maximum(0.0, queue[1:])
    energy = [stored_mwh(world, b, state, action) for b in range(len(world.batteries))]
    return State(
        awake=action.awake,
        energy_mwh=np.clip(energy, 0.0, [b.capacity_mwh for b in world.batteries]),
        backlog_mtok=backlog,
    )


def run(world: World, policy) -> float:
    """Play a policy over the horizon, each action checked; return cost less end value, USD."""
    state, usd = State.initial(world), 0.0
    for at in world.horizon_indices():
        action = policy.decide(at, state)
        usd += check(world, at, state, action)
        state = after(world, at, state, action)
    return usd - float(world.end_value_usd_per_mwh() @ state.energy_mwh)


def wild_world(seed: int, *, hours=12, sites=3) -> World:
    """Make a world with everything at once.

    Two models a fleet, an API, floors, slow wakes, contracts of every delivery, three batteries
    (two at one site), waiting work, tight limits.
    """
    rng = np.random.default_rng(seed)
    slow = float(rng.choice([0.0, 0.3, 0.95, 1.0, 1.7]))
    fleets = tuple(
        fleet(s, gpus=float(rng.uniform(6, 16)), lease=float(rng.choice([0, 0.3])), sleep_mw=1e-3)
        for s in range(sites)
    )
    own = [
        replace(
            deployment(s, gpus=1 + m, base_mw=0.1 + 0.2 * m, wake_h=slow * (1 - 0.5 * m)),
            name=f"m{m}@f{s}",
            model=f"m{m}",
        )
        for s in range(sites)
        for m in range(2)
    ]
    api = replace(own[0], name="api", fleet=-1, site=-1, limit_mtok_per_h=float(rng.uniform(0, 20)))
    deployments = (*own, api)
    loads = tuple(
        workload(
            f"w{w}",
            value=float(rng.choice([80.0, 30.0, 3.0])),
            defer=int(rng.integers(0, 5)) if w else 0,
            tier_index=w % 2,
        )
        for w in range(4)
    )
    routes = tuple(
        replace(
            route(
                w,
                d,
                rate=float(rng.uniform(2, 8)),
                marginal=float(rng.uniform(0.01, 0.06)),
                network=float(rng.uniform(0, 0.3)),
                quality=float(rng.choice([1.0, 0.9, 0.6])),
            ),
            distance_km=float(rng.uniform(0, 9000)),
            api_usd_per_mtok=25.0 if target.external else 0.0,
        )
        for w in range(4)
        for d, target in enumerate(deployments)
        if rng.uniform() < 0.8
    )
    spot = rng.normal(40, 40, (sites, hours))
    takes = tuple(_wild_take(rng, c, int(rng.integers(sites)), hours) for c in range(4))
    batteries = tuple(
        battery(f"b{b}", power=2.0, capacity=6.0, wear=float(rng.choice([0.0, 3.0])))
        for b in range(3)
    )
    made = world(
        spot,
        rng.uniform(0, 25, (4, hours)),
        routes=routes,
        deployments=deployments,
        fleets=fleets,
        workloads=loads,
        takes=takes,
        batteries=batteries,
        battery_site=(0, 0, 1),
        import_limit=rng.uniform(2, 8, (sites, 1)),
        # no rule looks ahead for power that it must take: it finds fixed load or a way out
        export_limit=np.array([rng.choice([0.0, 3.0]), 1.0, 0.0, 0.0])[:sites, None],
        pue=rng.uniform(1.05, 1.4, (sites, hours)),
        fixed=0.3,
        floors=(float(rng.choice([0.0, 0.85])), float(rng.choice([0.0, 0.7]))),
        history=2,
    )
    until = np.minimum(np.arange(hours) + rng.integers(1, 9, (sites, hours)), hours)
    blocks = tuple(
        FixedBlock(
            contract_id=f"block{at}",
            site=at,
            behind_the_meter=bool(at),
            delivery_mw=rng.uniform(0, 0.6, hours) if at else rng.uniform(0, 4, hours),
            strike_usd_per_mwh=np.full(hours, 40.0),
        )
        for at in range(2)
    )
    return replace(made, published_until=until, blocks=blocks)


def _wild_take(rng, at: int, site: int, hours: int) -> Take:
    behind = bool(rng.uniform() < 0.5)
    available = rng.uniform(0, 3, hours)
    return Take(
        contract_id=f"ppa{at}",
        site=site,
        behind_the_meter=behind,
        available_mw=available,
        floor_mw=available * 0.02 if behind else available * float(rng.choice([0.0, 1.0])),
        take_usd_per_mwh=np.full(hours, float(rng.choice([0.0, 35.0, 39.0]))),
        sunk_usd_per_h=np.zeros(hours),
    )

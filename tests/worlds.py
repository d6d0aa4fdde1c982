"""Small worlds made of arrays, for tests: every figure is chosen by the test that uses it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np

from tokenergy.company.battery import Battery
from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.world import (
    NOWHERE,
    Deployment,
    FixedBlock,
    FleetSpec,
    Route,
    State,
    Take,
    WorkloadSpec,
    World,
)

START = datetime(2026, 3, 2, tzinfo=UTC)


def workload(name="chat", *, value=50.0, defer=0, tier_index=0, must_serve=True) -> WorkloadSpec:
    return WorkloadSpec(
        name=name,
        tier=f"tier{tier_index}",
        tier_index=tier_index,
        origin="here",
        defer_count=defer,
        value_usd_per_mtok=value,
        price_usd_per_mtok=value,
        asked_quality_share=1.0,
        must_serve=must_serve,
        tokens_per_request_count=300.0,
        tokens_per_item_count=None,
        video_s_per_item=None,
    )


def deployment(
    site: int, *, fleet: int | None = None, gpus=1, base_mw=0.0, wake_h=0.0
) -> Deployment:
    return Deployment(
        name=f"m@f{site}",
        model="m",
        accelerator="X",
        fleet=site if fleet is None else fleet,
        site=site,
        gpus_count=gpus,
        base_mw=base_mw,
        wake_h=wake_h,
        wake_mwh=base_mw * wake_h,
    )


def route(
    workload_at: int, deployment_at: int, *, rate=10.0, marginal=0.1, network=0.0, quality=1.0
):
    return Route(
        workload=workload_at,
        deployment=deployment_at,
        rate_mtok_per_h=rate,
        marginal_mwh_per_mtok=marginal,
        quality_share=quality,
        network_usd_per_mtok=network,
        api_usd_per_mtok=0.0,
        rtt_ms=10.0,
        distance_km=100.0,
        kappa_ratio=0.1,
    )


def world(
    prices,
    arrivals,
    *,
    routes,
    deployments,
    fleets,
    workloads,
    takes: tuple[Take, ...] = (),
    batteries: tuple[Battery, ...] = (),
    battery_site=(),
    import_limit=1e3,
    export_limit=0.0,
    spread=2.0,
    pue=1.0,
    fixed=0.0,
    step_h=1.0,
    history=0,
    floors=(0.0,),
) -> World:
    """Make a world: `prices` [S, T], `arrivals` [W, T]; scalars spread over sites and time."""
    spot = np.asarray(prices, float)
    sites, total = spot.shape
    full = lambda value: np.broadcast_to(np.asarray(value, float), (sites, total)).copy()  # noqa: E731
    return World(
        company=cast(Company, None),
        inputs=cast(Inputs, None),
        start=START,
        first=history,
        count=total - history,
        step_h=step_h,
        site_names=tuple(f"s{at}" for at in range(sites)),
        import_limit_mw=full(import_limit),
        export_limit_mw=full(export_limit),
        pue=full(pue),
        fixed_mw=np.full(sites, fixed),
        spot_usd_per_mwh=spot,
        loss_share=np.zeros(sites),
        adder_usd_per_mwh=np.zeros(sites),
        resale_spread_usd_per_mwh=np.full(sites, spread),
        published_until=np.tile(np.minimum(np.arange(total) + 24, total), (sites, 1)),
        arrivals_mtok=np.asarray(arrivals, float),
        floor_share=tuple(floors),
        takes=takes,
        blocks=(),
        batteries=batteries,
        battery_site=tuple(battery_site),
        fleets=fleets,
        deployments=deployments,
        routes=routes,
        workloads=workloads,
    )


def fleet(site: int, *, gpus=100.0, lease=0.0, sleep_mw=0.0) -> FleetSpec:
    return FleetSpec(
        name=f"f{site}",
        site=site,
        accelerator="X",
        gpus_count=gpus,
        lease_usd_per_gpu_hour=lease,
        sleep_mw_per_gpu=sleep_mw,
    )


def battery(name="b", *, power=5.0, capacity=20.0, wear=0.0, efficiency=0.95) -> Battery:
    return Battery(
        name=name,
        site="s0",
        power_mw=power,
        capacity_mwh=capacity,
        charge_eff_share=efficiency,
        discharge_eff_share=efficiency,
        cycle_usd_per_mwh_discharged=wear,
        initial_share=0.5,
    )


def random_world(seed: int, *, hours=24, sites=3, state=True) -> World:
    """Make a random world with batteries, deferral, wake, takes and several workloads."""
    rng = np.random.default_rng(seed)
    prices = rng.normal(50, 35, (sites, hours))
    names = ["chat", "batch", "free"]
    loads = (
        workload(names[0], value=80.0),
        workload(names[1], value=30.0, defer=int(rng.integers(2, 8)) if state else 0, tier_index=1),
        workload(names[2], value=4.0, tier_index=2, must_serve=False),
    )
    fleets = tuple(
        fleet(
            s, gpus=float(rng.uniform(8, 20)), lease=float(rng.choice([0.0, 0.2])), sleep_mw=0.0001
        )
        for s in range(sites)
    )
    deployments = tuple(
        deployment(s, gpus=2, base_mw=0.4, wake_h=0.2 if state else 0.0) for s in range(sites)
    )
    routes = tuple(
        route(
            w,
            s,
            rate=float(rng.uniform(4, 8)),
            marginal=float(rng.uniform(0.02, 0.06)),
            network=float(rng.uniform(0, 0.3)),
        )
        for w in range(3)
        for s in range(sites)
        if w != 0 or s != sites - 1
    )
    arrivals = rng.uniform(5, 25, (3, hours))
    profile = np.clip(rng.normal(2, 1.5, hours), 0, 5)
    takes = (
        Take(
            contract_id="wind",
            site=0,
            behind_the_meter=True,
            available_mw=profile,
            floor_mw=np.zeros(hours),
            take_usd_per_mwh=np.full(hours, 35.0),
            sunk_usd_per_h=np.zeros(hours),
        ),
    )
    made = world(
        prices,
        arrivals,
        routes=routes,
        deployments=deployments,
        fleets=fleets,
        workloads=loads,
        takes=takes if state else (),
        batteries=(battery("b0"), battery("b1", wear=3.0)) if state else (),
        battery_site=(0, 1) if state else (),
        import_limit=rng.uniform(4, 12, (sites, 1)),
        export_limit=2.0,
        pue=rng.uniform(1.05, 1.4, (sites, hours)),
        fixed=0.3,
        floors=(0.0, 0.0, 0.0),
    )
    return replace(made, start=START)


def api(name="api", *, limit=float("inf")) -> Deployment:
    """Make somebody else's model; it must come after the company's own deployments."""
    return Deployment(
        name=name,
        model="m",
        accelerator="external",
        fleet=NOWHERE,
        site=NOWHERE,
        gpus_count=0,
        base_mw=0.0,
        wake_h=0.0,
        wake_mwh=0.0,
        limit_mtok_per_h=limit,
    )


def api_route(workload_at: int, deployment_at: int, *, usd_per_mtok: float, quality=1.0) -> Route:
    made = route(workload_at, deployment_at, rate=1.0, marginal=0.0, quality=quality)
    return replace(made, api_usd_per_mtok=usd_per_mtok)


def take(available, *, site=0, behind=False, strike=30.0, curtail=True) -> Take:
    """Make an as-produced contract whose buyer may curtail, or must take everything."""
    made_mw = np.asarray(available, float)
    return Take(
        contract_id="ppa",
        site=site,
        behind_the_meter=behind,
        available_mw=made_mw,
        floor_mw=np.zeros_like(made_mw) if curtail else made_mw,
        take_usd_per_mwh=np.full(made_mw.size, strike),
        sunk_usd_per_h=np.zeros(made_mw.size),
    )


def block(delivery, *, site=0, behind=False, strike=40.0) -> FixedBlock:
    delivery_mw = np.asarray(delivery, float)
    return FixedBlock(
        contract_id="block",
        site=site,
        behind_the_meter=behind,
        delivery_mw=delivery_mw,
        strike_usd_per_mwh=np.full(delivery_mw.size, strike),
    )


def plain(
    prices, arrivals, *, rate=10.0, marginal=0.1, base_mw=0.0, value=50.0, **changes
) -> World:
    """Make a world of one workload and one model at every site."""
    sites = np.asarray(prices).shape[0]
    return world(
        prices,
        arrivals,
        routes=tuple(route(0, s, rate=rate, marginal=marginal) for s in range(sites)),
        deployments=tuple(deployment(s, base_mw=base_mw) for s in range(sites)),
        fleets=tuple(fleet(s) for s in range(sites)),
        workloads=(workload(value=value),),
        **changes,
    )


def random_state(made: World, seed: int) -> State:
    """Make a state that the past may have left: awake replicas, stored energy, waiting work."""
    rng = np.random.default_rng(seed)
    start = State.initial(made)
    waits = np.array([load.defer_count for load in made.workloads])
    width = start.backlog_mtok.shape[1]
    waiting = rng.uniform(0.0, 4.0, start.backlog_mtok.shape)
    own = np.array([0.0 if d.external else 1.0 for d in made.deployments])
    return State(
        awake=rng.uniform(0.0, 4.0, own.size) * own,
        energy_mwh=np.array([rng.uniform(0.0, b.capacity_mwh) for b in made.batteries]),
        backlog_mtok=np.where(np.arange(width)[None, :] < waits[:, None], waiting, 0.0),
    )


def least_adder_usd_per_mwh(made: World, loss_share) -> np.ndarray:
    """Return the adder from which on no site earns by buying and selling the same MWh [S].

    With losses it would where a price is negative enough; such a company is refused
    (`market_findings`) and its program has no bound. About one seed in 10,000 would draw one.
    """
    sold = made.sell_usd_per_mwh(made.spot_usd_per_mwh)
    least = sold / (1.0 + loss_share[:, None]) - made.spot_usd_per_mwh
    return least.max(axis=1) + 0.01


def random_case(seed: int, *, hours: int, step_h=1.0) -> tuple[World, State]:
    """Make a random world with everything in it, and a state: APIs, floors, blocks, leases."""
    rng = np.random.default_rng(seed + 10_000)
    made = random_world(seed, hours=hours)
    own = len(made.deployments)
    cheap = tuple(replace(d, name=f"small@f{d.site}", model="small") for d in made.deployments[:2])
    deployments = (*made.deployments, *cheap, api(limit=float(rng.uniform(2.0, 6.0))))
    routes = (
        *made.routes,
        *(
            route(w, own + d, rate=9.0, marginal=0.02, quality=float(rng.uniform(0.5, 0.9)))
            for w in range(3)
            for d in range(2)
        ),
        api_route(0, own + 2, usd_per_mtok=12.0),
        api_route(2, own + 2, usd_per_mtok=3.0, quality=0.8),
    )
    must_take = take(rng.uniform(0.0, 1.0, hours), site=1, behind=True, curtail=False)
    grid_take = take(rng.uniform(0.0, 4.0, hours), site=2, strike=20.0)
    export_limit_mw = made.export_limit_mw + 1.0
    import_limit_mw = made.import_limit_mw * rng.uniform(0.6, 1.0, made.pue.shape)
    loss_share = rng.uniform(0.0, 0.03, made.sites_count)
    adder = rng.uniform(0.0, 6.0, made.sites_count)
    cased = replace(
        made,
        step_h=step_h,
        deployments=deployments,
        routes=routes,
        floor_share=(0.9, 0.0, 0.6),
        takes=(*made.takes, must_take, grid_take),
        blocks=(block(np.full(hours, 1.5)), block(np.full(hours, 0.4), site=2, behind=True)),
        export_limit_mw=export_limit_mw,
        import_limit_mw=import_limit_mw,
        loss_share=loss_share,
        adder_usd_per_mwh=np.maximum(adder, least_adder_usd_per_mwh(made, loss_share)),
    )
    return cased, random_state(cased, seed)


# ---- companies: a whole company file in one site, to be changed by the test that uses it -----


def site_dict(name="texas", **changes) -> dict[str, Any]:
    return {
        "name": name,
        "latitude_deg": 32.0,
        "longitude_deg": -97.0,
        "market": {
            "zone": "ERCOT",
            "time_zone": "America/Chicago",
            "price": 30.0,
            "day_ahead_at": "13:00",
        },
        "import_limit_mw": 50.0,
        "pue": 1.2,
        **changes,
    }


def company_dict(**changes) -> dict[str, Any]:
    """Return a company file: one site, 64 owned H100, an 8B model, one strict tier."""
    return {
        "company": "test",
        "horizon": {"start": "2026-03-02T00:00:00Z", "days": 2.0},
        "history_days": 1.0,
        "regions": [{"name": "us", "latitude_deg": 32.0, "longitude_deg": -97.0}],
        "sites": [site_dict()],
        "contracts": [{"id": "spot-texas", "kind": "spot", "site": "texas"}],
        "fleets": [
            {
                "name": "h100",
                "site": "texas",
                "accelerator": "H100",
                "gpu_count": 64,
                "owned": {"usd_per_gpu": 30000.0},
            }
        ],
        "models": [
            {"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 0.8},
        ],
        "tiers": [tier_dict()],
        "workloads": [workload_dict()],
        **changes,
    }


def tier_dict(name="chat", **changes) -> dict[str, Any]:
    made = {
        "name": name,
        "service_tier": "default",
        "ttft_limit_s": 1.0,
        "tpot_limit_s": 0.05,
        "price_usd_per_mtok": 2.0,
        "value": "from_price",
        **changes,
    }
    return {key: value for key, value in made.items() if value is not None}


def workload_dict(name="chat-us", **changes) -> dict[str, Any]:
    return {
        "name": name,
        "tier": "chat",
        "origin": "us",
        "arrivals": {"mean_requests_per_s": 2.0},
        "input_tokens": 500.0,
        "output_tokens": 250.0,
        "ladder": ["small"],
        **changes,
    }


def company_of(**changes) -> Company:
    return Company.model_validate(company_dict(**changes))


def inputs_of(made: Company, *, history=0, **changes) -> Inputs:
    """Return flat series: 30 USD/MWh, 20 degrees, half output, 2 requests a second."""
    total = history + made.horizon.intervals_count
    flat = lambda names, value: {name: np.full(total, value) for name in names}  # noqa: E731
    series: dict[str, Any] = {
        "start": made.horizon.start - timedelta(hours=history * made.horizon.step_h),
        "step_h": made.horizon.step_h,
        "history_count": history,
        "price_usd_per_mwh": flat([s.name for s in made.sites], 30.0),
        "outdoor_c": flat([s.name for s in made.sites], 20.0),
        "profile_share": flat([c.id for c in made.contracts], 0.5),
        "requests_per_s": flat([w.name for w in made.workloads], 2.0),
        "lengths": {},
        "synthetic": (),
        "sources": {},
    }
    return Inputs(**{**series, **changes})

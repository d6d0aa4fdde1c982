"""Policies and companies made for the tests of this room."""

from dataclasses import replace

import numpy as np
from worlds import START, random_case

from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import Action, State, World
from tokenergy.files.catalogue import load_catalogue


def roomy_case(seed: int, *, hours=12, step_h=1.0) -> World:
    """Make a world with everything in it, in which a MWh more is never worth less than nothing.

    Where a surplus cannot leave, or is sold below 0 while purchases still cost money, the
    program burns it by waking replicas that it does not need, which an `Action` cannot say.
    """
    made, _ = random_case(seed, hours=hours, step_h=step_h)
    return replace(
        made,
        export_limit_mw=made.export_limit_mw + 20.0,
        spot_usd_per_mwh=_clear_of_0(made.spot_usd_per_mwh),
    )


def _clear_of_0(prices):
    """Move prices out of the band in which a sale costs money and so does a purchase."""
    return np.where((prices > -12.0) & (prices < 9.0), 9.0, prices)


class Refuser:
    """Refuses everything at once, takes what it must, leaves the batteries alone."""

    name = "refuser"

    def __init__(self, world: World) -> None:
        self.world = world

    def decide(self, at: int, state: State) -> Action:
        world = self.world
        return Action(
            serve_mtok=np.zeros(len(world.routes)),
            refused_mtok=world.arrivals_mtok[:, at] + state.backlog_mtok.sum(axis=1),
            awake=np.zeros(len(world.deployments)),
            take_mw=np.array([take.floor_mw[at] for take in world.takes]),
            charge_mw=np.zeros(len(world.batteries)),
            discharge_mw=np.zeros(len(world.batteries)),
            source=self.name,
        )


class Optimal:
    """Does what the program of the whole horizon does."""

    name = "clairvoyant"

    def __init__(self, world: World) -> None:
        self.world, self.optimum = world, solve_horizon(world)

    def decide(self, at: int, state: State) -> Action:
        return self.optimum.action(at - self.world.first, self.name)


class Scripted:
    """Does what it was told, interval by interval."""

    name = "scripted"

    def __init__(self, *actions: Action) -> None:
        self.actions = actions

    def decide(self, at: int, state: State) -> Action:
        return self.actions[at]


def random_company(seed: int, *, days=2, history_days=1) -> World:
    """Make a random company file with every clause of its contracts, resolved into a world."""
    rng = np.random.default_rng(seed)
    pick = lambda *options: options[int(rng.integers(len(options)))]  # noqa: E731
    step_h = pick(0.5, 1.0, 2.0)
    sites = ("austin", "berlin")
    zones = ("America/Chicago", "Europe/Berlin")
    contracts = [
        {
            "kind": "spot", "id": f"{site}-spot", "site": site,
            "adder_usd_per_mwh": float(rng.uniform(3, 9)),
            "loss_share": float(rng.uniform(0, 0.03)),
            "resale_spread_usd_per_mwh": float(rng.uniform(4, 8)),
        }
        for site in sites
    ]  # fmt: skip
    for at in range(3):
        contracts.append(
            {
                "kind": "ppa_as_produced", "id": f"ppa{at}", "site": pick(*sites),
                "project_mw": float(rng.uniform(1, 4)), "share": float(rng.uniform(0.2, 1)),
                "profile": 0.5, "strike_usd_per_mwh": float(rng.uniform(20, 60)),
                "delivery": pick("grid", "behind_the_meter"), "may_curtail": pick(True, False),
                "deemed_generation": pick(True, False),
                "negative_price_clause": pick("none", "pay", "no_pay"),
                "start": pick("2024-03-02", "2024-03-03", "2026-03-03"),
                "end": pick(None, "2026-03-03", "2026-03-04") if at else None,
                "escalator_share_per_year": float(rng.uniform(-0.1, 0.1)),
            }
        )  # fmt: skip
        if contracts[-1]["end"] == contracts[-1]["start"]:
            contracts[-1]["end"] = None
        contracts.append(
            {
                "kind": "block", "id": f"block{at}", "site": pick(*sites),
                "contract_mw": float(rng.uniform(0.2, 1.5)),
                "strike_usd_per_mwh": float(rng.uniform(20, 70)), "delivery": "grid",
                "from_hour": int(rng.integers(0, 12)), "to_hour": int(rng.integers(13, 25)),
                "weekdays_only": pick(True, False), "start": pick("2024-03-02", "2025-03-03"),
                "end": pick(None, "2026-03-03"),
                "escalator_share_per_year": float(rng.uniform(-0.1, 0.1)),
            }
        )  # fmt: skip
    company = Company.model_validate(
        {
            "company": "Random", "horizon": {"start": START, "days": days, "step_h": step_h},
            "history_days": history_days,
            "network": {"egress_usd_per_gb": 0.05},
            "regions": [{"name": "here", "latitude_deg": 40, "longitude_deg": -50}],
            "sites": [
                {
                    "name": site, "latitude_deg": 40, "longitude_deg": -50, "import_limit_mw": 8,
                    "export_limit_mw": 20, "pue": 1.2, "fixed_load_mw": 0.5,
                    "market": {"zone": site, "time_zone": zone, "price": 50},
                }
                for site, zone in zip(sites, zones, strict=True)
            ],
            "contracts": contracts,
            "batteries": [
                {
                    "name": "bat", "site": "austin", "power_mw": 2, "capacity_mwh": 6,
                    "cycle_usd_per_mwh_discharged": 4,
                }
            ],
            "fleets": [
                {
                    "name": f"{site}-{kind}", "site": site, "accelerator": "H100",
                    "gpu_count": 24,
                    "lease": {"kind": kind, "usd_per_gpu_hour": 1.1},
                }
                for site in sites
                for kind in ("on_demand", "reserved")
            ],
            "external_apis": [
                {"name": "other", "model": "big", "usd_per_mtok": 1.5, "quality_share": 0.9,
                 "limit_mtok_per_h": 40}
            ],
            "models": [
                {
                    "name": "big", "catalogue": "llama-3.1-70b", "gpus_per_replica": 4,
                    "quality_share": 1,
                },
                {"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 0.7},
            ],
            "tiers": [
                {
                    "name": "paid", "service_tier": "default", "ttft_limit_s": 5,
                    "tpot_limit_s": 0.2, "must_serve": True, "price_usd_per_mtok": 9,
                    "value": "from_price",
                },
                {
                    "name": "later", "service_tier": "batch", "ttft_limit_s": 60,
                    "tpot_limit_s": 1, "deadline_s": 21600, "price_usd_per_mtok": 4,
                    "value_usd_per_mtok": 6,
                },
            ],
            "workloads": [
                {
                    "name": name, "tier": tier, "origin": "here", "input_tokens": 600,
                    "output_tokens": 200, "ladder": ["big", "small"],
                    "arrivals": {"mean_requests_per_s": 1.0},
                }
                for name, tier in (("chat", "paid"), ("bulk", "later"))
            ],
        }
    )  # fmt: skip
    count = round((days + history_days) * 24 / step_h)
    ppas = [c["id"] for c in contracts if c["kind"] == "ppa_as_produced"]
    inputs = Inputs(
        start=START.replace(day=START.day - history_days),
        step_h=step_h,
        history_count=round(history_days * 24 / step_h),
        price_usd_per_mwh={site: _clear_of_0(rng.normal(30, 40, count)) for site in sites},
        outdoor_c={},
        profile_share={name: rng.uniform(0, 1, count) for name in ppas},
        requests_per_s={name: rng.uniform(50, 1200, count) for name in ("chat", "bulk")},
        lengths={},
        synthetic=("sites[0].market.price",),
        sources={},
    )
    return build_world(company, inputs, load_catalogue())

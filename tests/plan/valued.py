"""A small company that plans: three sites, GPUs, a battery, wind, and an API beside them."""

from typing import Any

import numpy as np
from worlds import company_of, inputs_of, site_dict, tier_dict, workload_dict

from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.files.catalogue import load_catalogue
from tokenergy.plan.program import PlanProgram, plan_program
from tokenergy.plan.whole import WholeAnswer, solve_whole

CATALOGUE = load_catalogue()
HOURS = 48


def fleet_dict(site: str, **changes) -> dict[str, Any]:
    return {
        "name": f"gpus-{site}",
        "site": site,
        "accelerator": "H100",
        "gpu_count": 400,
        "owned": {"usd_per_gpu": 30000.0},
        **changes,
    }


def company_to_plan(**changes) -> Company:
    """Return it: windy is cheap and uneven, metro is dear and near, far is cheap and far away."""
    at = {"windy": (35.0, -101.0), "metro": (40.7, -74.0), "far": (-33.0, 151.0)}
    sites = [
        site_dict(
            name,
            latitude_deg=latitude,
            longitude_deg=longitude,
            import_limit_mw=2.0,
            export_limit_mw=1.0,
            facility_usd_per_kw=9000.0,
        )
        for name, (latitude, longitude) in at.items()
    ]
    made: dict[str, Any] = {
        "horizon": {"start": "2026-03-02T00:00:00Z", "days": HOURS / 24},
        "sites": sites,
        "contracts": [
            *({"id": f"spot-{name}", "kind": "spot", "site": name,
               "resale_spread_usd_per_mwh": 2.0} for name in at),
            {
                "id": "wind", "kind": "ppa_as_produced", "site": "windy", "project_mw": 4.0,
                "share": 0.5, "profile": 0.5, "strike_usd_per_mwh": 22.0, "may_curtail": True,
            },
        ],
        "fleets": [fleet_dict(name) for name in at],
        "batteries": [
            {
                "name": "store", "site": "windy", "power_mw": 0.5, "capacity_mwh": 2.0,
                "price_usd_per_kwh": 20.0, "initial_share": 0.0,
            }
        ],
        "tiers": [
            tier_dict(value=None, value_usd_per_mtok=40.0),
            tier_dict("bulk", service_tier="batch", ttft_limit_s=60.0, deadline_s=4 * 3600.0,
                      value=None, value_usd_per_mtok=30.0),
        ],
        "workloads": [
            workload_dict(),
            workload_dict("bulk-us", tier="bulk"),
        ],
        "plan": {
            "sites": [{"name": name, "most_mw": 2.0} for name in at],
            "fleets": [{"name": f"gpus-{name}", "most_count": 400} for name in at],
            "batteries": [{"name": "store", "most_mw": 0.5}],
            "contracts": [{"name": "wind", "most_mw": 2.0}],
        },
    }  # fmt: skip
    return company_of(**{**made, **changes})


def inputs_to_plan(company: Company, *, seed=3, requests=2000.0, **changes) -> Inputs:
    """Return its series: power swings by day, wind by the hour, demand by day."""
    rng = np.random.default_rng(seed)
    hours = np.arange(company.horizon.intervals_count)
    day = np.sin(2.0 * np.pi * (hours - 9.0) / 24.0)
    prices = {"windy": 24.0 + 20.0 * day, "metro": 75.0 + 25.0 * day, "far": 28.0 - 8.0 * day}
    made: dict[str, Any] = {
        "price_usd_per_mwh": {
            site.name: prices[site.name] + rng.normal(0.0, 4.0, hours.size)
            for site in company.sites
        },
        "profile_share": {
            each.id: rng.uniform(0.05, 0.95, hours.size)
            for each in company.contracts
            if each.kind == "ppa_as_produced"
        },
        "requests_per_s": {
            load.name: requests * (1.0 + 0.4 * day + rng.uniform(0.0, 0.1, hours.size))
            for load in company.workloads
        },
    }
    return inputs_of(company, **{**made, **changes})


def program_of(company: Company, **changes) -> PlanProgram:
    return plan_program(company, inputs_to_plan(company, **changes), CATALOGUE)


def planned(company: Company | None = None, **changes) -> WholeAnswer:
    return solve_whole(program_of(company_to_plan() if company is None else company, **changes))

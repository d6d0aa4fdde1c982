"""A company with users whose every figure can be worked out on paper.

Ten reserved GPUs in `s0`, each good for 10 Mtok an hour, and GPUs by the hour in `s1` at 50 USD,
which is 5 USD a Mtok. A Mtok draws 0.1 MWh of power at 30 USD/MWh: 3 USD. 1,000 users ask for
80 Mtok an hour, day and night, and pay 300 USD a month: 3,600 USD a year each.

    a user asks for 80 x 8,760 / 1,000          = 700.8 Mtok a year
    a user on reserved GPUs costs 3 x 700.8     = 2,102.4 USD a year
    a user on GPUs by the hour 8 x 700.8        = 5,606.4 USD a year
    the reserved GPUs cost 10 x 2 x 8,760       = 175,200 USD a year
    and are full at 100 Mtok an hour            = 1,250 users
"""

from dataclasses import replace
from typing import Any

import numpy as np
import worlds

from tokenergy.company.company import Company
from tokenergy.dispatch.world import World

MTOK_PER_USER_YEAR = 700.8
RESERVED_USD_PER_USER = 2_102.4
BY_THE_HOUR_USD_PER_USER = 5_606.4
BRINGS_USD_PER_USER = 3_600.0
CAPITAL_USD = 175_200.0
FULL_USERS = 1_250.0
HOURS = 8


def company_dict(**changes: Any) -> dict[str, Any]:
    """Return the company file behind the arrays: reserved GPUs, GPUs by the hour, one tier."""
    tier = {
        "users": {"count": 1000, "top_tenth_share": 0.8},
        "price_usd_per_mtok": None,
        "price_usd_per_user_month": 300.0,
        "must_serve": True,
    }
    lease = {"kind": "reserved", "usd_per_gpu_hour": 2.0}
    fleets = [
        {"name": "f0", "site": "s0", "accelerator": "H100", "gpu_count": 10, "lease": lease},
        {
            "name": "f1",
            "site": "s1",
            "accelerator": "H100",
            "gpu_count": 40,
            "lease": {"kind": "on_demand", "usd_per_gpu_hour": 50.0},
        },
    ]
    sites = [
        worlds.site_dict(name, import_limit_mw=1e3, facility_usd_per_kw=0.0)
        for name in ("s0", "s1")
    ]
    return worlds.company_dict(
        **{
            "sites": sites,
            "fleets": fleets,
            "tiers": [worlds.tier_dict("tier0", **tier)],
            "workloads": [worlds.workload_dict("chat", tier="tier0")],
            **changes,
        }
    )


def crowd(*, by_the_hour=40.0, loads=None, arrivals=None, hours=HOURS, **changes: Any) -> World:
    """Make the company; `loads` and `arrivals` stand in for the one workload of 80 Mtok/h."""
    company = Company.model_validate(company_dict(**changes))
    loads = loads or (worlds.workload("chat", value=6.0),)
    asked = np.full((len(loads), hours), 80.0) if arrivals is None else np.asarray(arrivals)
    made = worlds.world(
        np.full((2, hours), 30.0),
        asked,
        routes=tuple(
            worlds.route(at, site, rate=10.0, marginal=0.1)
            for at in range(len(loads))
            for site in (0, 1)
        ),
        deployments=(worlds.deployment(0), worlds.deployment(1)),
        fleets=(worlds.fleet(0, gpus=10.0), worlds.fleet(1, gpus=by_the_hour, lease=50.0)),
        workloads=loads,
        floors=tuple(0.0 for _ in company.tiers),
    )
    return replace(made, company=company)

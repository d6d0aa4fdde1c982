"""Two small companies for duels, with figures that fit on the back of an envelope.

A replica is one GPU that makes 10 Mtok/h and draws 1 MW (0.1 MWh/Mtok). A GPU costs 1 USD/h
(87,600 USD over 10 years without interest), a hall 10 USD per MW and hour (876 USD/kW), so a
Mtok costs 0.1 u + 0.1 + 1 at u USD/MWh. Today 100 Mtok/h are asked for: 10 GPUs, 10 MW.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import worlds

from tokenergy.dispatch.world import World

HOURS = 48
MONTH_H = 730.0


def company(*, points=((0, 1.0), (1, 2.0)), months=2, lead=0.0, **changes: Any) -> Any:
    growth = {
        "months": months,
        "users": [{"month": month, "users_ratio": ratio} for month, ratio in points],
        "lead_time_months": lead,
        **changes.pop("growth", {}),
    }
    said = {
        "money": {"wacc_share": 0.0},
        "sites": [
            worlds.site_dict(
                "s0", import_limit_mw=10.0, pue=1.0, facility_usd_per_kw=876.0, facility_life_y=10.0
            )
        ],
        "contracts": [{"id": "grid", "kind": "spot", "site": "s0"}],
        "fleets": [
            {
                "name": "f0",
                "site": "s0",
                "accelerator": "H100",
                "gpu_count": 10,
                "owned": {"usd_per_gpu": 87_600.0, "life_y": 10.0, "ops_share_per_year": 0.0},
            }
        ],
        "tiers": [worlds.tier_dict("tier0", users={"count": 1000})],
        "workloads": [worlds.workload_dict(tier="tier0")],
        "growth": growth,
    }
    return worlds.company_of(**(said | changes))


def grid(*, price=50.0, token=20.0, arrivals=100.0, world: Any = None, **said: Any) -> World:
    """Make a company on the grid; `said` is what its file says."""
    made = worlds.plain(
        [np.broadcast_to(price, HOURS)],
        [np.broadcast_to(arrivals, HOURS)],
        value=token,
        **(world or {}),
    )
    return replace(made, company=company(**said))


def plant(*, strike=30.0, mw=30.0, **said: Any) -> World:
    """Make the same with a plant behind the meter, and standby power at 100 USD/MWh more."""
    take = worlds.take(np.full(HOURS, mw), behind=True, strike=strike)
    return replace(grid(world={"takes": (take,)}, **said), adder_usd_per_mwh=np.array([100.0]))

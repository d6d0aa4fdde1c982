"""The companies that the benchmark of the plan builds: N sites, everything open, of formulas.

Every site leaves open its connection, its GPUs, a battery and a power purchase agreement (sun and
wind by turns). Where there are up to three sites each has a demand charge by the month; many sites
with one would be hundreds of columns, each of which ties a whole month. Two kinds of work come from
everywhere: chats that must be answered at once, and work that may wait a day. Costs are of the
order of 2025: GPUs 33 kUSD over 5 years, halls 9 to 13 kUSD/kW, batteries 200 USD/kWh, wind and sun
near the mean spot price of their site, 35 to 80 USD/MWh. Prices stay above the spread of a resale,
so that nobody is paid for burning power: PyPSA's components can then say the whole program.

Noise comes from `random.Random.random`, whose sequence Python keeps between releases.
"""

import math
import random
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs, Lengths
from tokenergy.dispatch.world import FloatArray
from tokenergy.files.catalogue import load_catalogue
from tokenergy.plan.program import PlanProgram, plan_program

START = datetime(2027, 1, 1, tzinfo=UTC)
DAY_H = 24
YEAR_H = 8760
WIRED_SITES = 3
"""Companies of at most so many sites pay a demand charge at each."""
LEAST_USD_PER_MWH = 3.0
"""No price is below it: above the spread of a resale."""


def plan_case(sites: int, hours: int, *, waits: bool = True) -> PlanProgram:
    """Lay out the plan of a company of `sites` sites over `hours` hours."""
    company = Company.model_validate(company_of(sites, hours, waits=waits))
    return plan_program(company, inputs_of(company, hours), load_catalogue())


def company_of(sites: int, hours: int, *, waits: bool = True) -> dict[str, Any]:
    """Return the company as a company file would say it."""
    names = [f"s{at:02d}" for at in range(sites)]
    return {
        "company": f"{sites} sites",
        "horizon": {"start": START, "days": hours / DAY_H, "step_h": 1},
        "money": {"wacc_share": 0.09},
        "regions": [{"name": "here", "latitude_deg": 40.0, "longitude_deg": -95.0}],
        "sites": [_site(at, name) for at, name in enumerate(names)],
        "contracts": [each for at, name in enumerate(names) for each in _contracts(at, name)],
        "tariffs": [
            {
                "id": f"{name}-wires",
                "site": name,
                "source": "of the order of transmission charges",
                "demand": [
                    {
                        "name": "peak",
                        "usd_per_kw_month": 3.0 + 1.5 * (at % 5),
                        "demand_interval_h": 1,
                        "planned_mw": 0.0,
                    }
                ],
            }
            for at, name in enumerate(names)
            if sites <= WIRED_SITES
        ],
        "batteries": [
            {
                "name": f"{name}-battery",
                "site": name,
                "power_mw": 5.0,
                "capacity_mwh": 20.0,
                "cycle_usd_per_mwh_discharged": 4.0,
                "price_usd_per_kwh": 200.0,
                "initial_share": 0.0,
            }
            for name in names
        ],
        "fleets": [
            {
                "name": f"{name}-h100",
                "site": name,
                "accelerator": "H100",
                "gpu_count": 8000,
                "owned": {"usd_per_gpu": 33000.0},
            }
            for name in names
        ],
        "models": [
            {
                "name": "large",
                "catalogue": "llama-3.1-70b",
                "gpus_per_replica": 4,
                "quality_share": 1.0,
                "wake_s": 0.0,
            }
        ],
        "tiers": [_tier("now", 8.0), _tier("later", 3.0, deadline_s=86400.0 if waits else None)],
        "workloads": [_workload("chats", "now"), _workload("nightly", "later")],
        "plan": {
            "sites": [{"name": name, "most_mw": 20.0} for name in names],
            "fleets": [{"name": f"{name}-h100", "most_count": 25000} for name in names],
            "batteries": [{"name": f"{name}-battery", "most_mw": 20.0} for name in names],
            "contracts": [{"name": f"{name}-ppa", "most_mw": 30.0} for name in names],
        },
    }


def _site(at: int, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "latitude_deg": 32.0 + at % 12,
        "longitude_deg": -115.0 + 2.0 * at,
        "market": {
            "zone": f"Z{at:02d}",
            "time_zone": "UTC",
            "price": {"synthetic": "texas"},  # replaced: see `inputs_of`
            "day_ahead_at": "13:00",
        },
        "import_limit_mw": 20.0,
        "pue": 1.12 + 0.03 * (at % 6),
        "facility_usd_per_kw": 9000.0 + 800.0 * (at % 6),
    }


def _contracts(at: int, name: str) -> list[dict[str, Any]]:
    return [
        {
            "kind": "spot",
            "id": f"{name}-spot",
            "site": name,
            "adder_usd_per_mwh": 6.0,
            "resale_spread_usd_per_mwh": 2.0,
        },
        {
            "kind": "ppa_as_produced",
            "id": f"{name}-ppa",
            "site": name,
            "project_mw": 10.0,
            "profile": {"synthetic": "texas", "quantity": "wind"},  # replaced likewise
            "strike_usd_per_mwh": 35.0 + 9.0 * (at % 6) + (-3.0 if at % 2 else 2.0),
            "may_curtail": True,
            "deemed_generation": True,
        },
    ]


def _tier(name: str, usd_per_mtok: float, *, deadline_s: float | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "service_tier": "priority" if name == "now" else "batch",
        "ttft_limit_s": 2.0 if name == "now" else 60.0,
        "tpot_limit_s": 0.05 if name == "now" else 0.2,
        "must_serve": True,
        "price_usd_per_mtok": usd_per_mtok,
        "value": "from_price",
    } | ({} if deadline_s is None else {"deadline_s": deadline_s})


def _workload(name: str, tier: str) -> dict[str, Any]:
    return {
        "name": name,
        "tier": tier,
        "origin": "here",
        "ladder": ["large"],
        "input_tokens": 900,
        "output_tokens": 300,
        "arrivals": {"mean_requests_per_s": 1000.0},
    }


def inputs_of(company: Company, hours: int) -> Inputs:
    """Return every series of the company, made of formulas."""
    history = int(company.history_days * DAY_H)
    total = history + hours
    begin = START.timestamp() - history * 3600.0
    count = len(company.sites)
    return Inputs(
        start=datetime.fromtimestamp(begin, UTC),
        step_h=1.0,
        history_count=history,
        price_usd_per_mwh={site.name: prices(at, total) for at, site in enumerate(company.sites)},
        outdoor_c={},
        profile_share={
            f"{site.name}-ppa": output(at, total) for at, site in enumerate(company.sites)
        },
        requests_per_s={
            "chats": demand(total, mean=27000.0 * count, day=0.35, seed=1),
            "nightly": demand(total, mean=12000.0 * count, day=0.1, seed=2),
        },
        lengths={
            name: Lengths(input_tokens=900.0, output_tokens=300.0) for name in ("chats", "nightly")
        },
        synthetic=(),
        sources={},
    )


def prices(at: int, total: int) -> FloatArray:
    """Return a site's spot price: its level, a day, a year, weather that lasts, and spikes."""
    draw = random.Random(100 + at)
    level, weather = 35.0 + 9.0 * (at % 6), 0.0
    values = np.empty(total)
    for hour in range(total):
        weather = 0.97 * weather + (draw.random() - 0.5) * 0.22
        day = math.cos(2.0 * math.pi * (hour - 18.0 - at % 4) / DAY_H)
        dip = math.cos(2.0 * math.pi * (hour - 12.0) / DAY_H)
        year = math.cos(2.0 * math.pi * hour / YEAR_H)
        spike = 150.0 * draw.random() if draw.random() < 0.004 else 0.0
        shape = 1.0 + 0.35 * day - (0.25 if at % 2 else 0.05) * max(0.0, dip) + 0.12 * year
        values[hour] = round(max(LEAST_USD_PER_MWH, level * (shape + weather) + spike), 2)
    return values


def output(at: int, total: int) -> FloatArray:
    """Return what a project gives of its size: sun at odd sites, wind at even ones."""
    draw = random.Random(500 + at)
    values, wind = np.empty(total), 0.0
    for hour in range(total):
        if at % 2:
            sun = math.cos(2.0 * math.pi * (hour - 12.0) / DAY_H)
            season = 0.75 - 0.2 * math.cos(2.0 * math.pi * hour / YEAR_H)
            value = max(0.0, sun) * season * (0.55 + 0.45 * draw.random())
        else:
            wind = 0.95 * wind + (draw.random() - 0.5) * 0.35
            value = min(1.0, max(0.0, 0.36 + wind))
        values[hour] = round(value, 4)
    return values


def demand(total: int, *, mean: float, day: float, seed: int) -> FloatArray:
    """Return arrivals: a day, a week, growth of 20 % a year, noise."""
    draw = random.Random(900 + seed)
    return np.array(
        [
            round(
                mean
                * (1.0 + day * math.cos(2.0 * math.pi * (hour - 15.0) / DAY_H))
                * (0.9 if hour // DAY_H % 7 >= 5 else 1.04)
                * (1.0 + 0.2 * hour / YEAR_H)
                * (0.97 + 0.06 * draw.random()),
                2,
            )
            for hour in range(total)
        ]
    )

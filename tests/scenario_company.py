"""A company file of one site and four worlds, small enough to plan in a blink."""

from pathlib import Path
from typing import Any

import yaml
from worlds import company_dict, site_dict, workload_dict

import tokenergy as te
from tokenergy.api.opened import OpenCompany

SCENARIOS: list[dict[str, Any]] = [
    {"name": "dear-power", "price_ratio": 3.0, "price_shift_usd_per_mwh": 10},
    {"name": "growth", "demand_ratio": 2.0, "demand_growth_share_per_year": 0.5},
    {"name": "other-weather", "seed": 9},
]


def scenario_tree(**changes: Any) -> dict[str, Any]:
    """Return the tree of the file: 24 h, a PPA and GPUs to size, prices of the synthetic feed."""
    market = site_dict()["market"] | {"price": {"synthetic": "texas"}}
    site = site_dict(market=market, facility_usd_per_kw=12000.0)
    return company_dict(
        horizon={"start": "2026-03-02T00:00:00Z", "days": 1.0},
        history_days=7.0,
        sites=[site],
        contracts=[
            {"id": "spot-texas", "kind": "spot", "site": "texas", "resale_spread_usd_per_mwh": 2.0},
            {"id": "flat", "kind": "ppa_baseload", "site": "texas", "contract_mw": 0.05,
             "strike_usd_per_mwh": 30.0},
        ],
        workloads=[workload_dict(arrivals={"mean_requests_per_s": 3000.0})],
        plan={
            "sites": [{"name": "texas", "most_mw": 5}],
            "fleets": [{"name": "h100", "most_count": 256}],
            "contracts": [{"name": "flat", "most_mw": 0.1}],
            "scenarios": SCENARIOS,
            **changes,
        },
    )  # fmt: skip


def opened(folder: Path, **changes: Any) -> OpenCompany:
    path = folder / "company.yaml"
    path.write_text(yaml.safe_dump(scenario_tree(**changes)), encoding="utf-8")
    return te.load(path)

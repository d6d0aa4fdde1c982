"""A small company that checks clean, to break in one place at a time."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

CLEAN: dict[str, Any] = {
    "company": "Test",
    "history_days": 7,
    "horizon": {"start": "2026-03-02T00:00:00Z", "days": 2, "step_h": 1},
    "regions": [{"name": "home", "latitude_deg": 40.0, "longitude_deg": -75.0}],
    "sites": [
        {
            "name": "virginia",
            "latitude_deg": 39.0,
            "longitude_deg": -77.5,
            "market": {"zone": "PJM", "time_zone": "America/New_York", "price": 45},
            "import_limit_mw": 10,
            "pue": 1.2,
        }
    ],
    "contracts": [{"kind": "spot", "id": "spot", "site": "virginia"}],
    "fleets": [
        {
            "name": "h100",
            "site": "virginia",
            "accelerator": "H100",
            "gpu_count": 1000,
            "owned": {"usd_per_gpu": 33000},
        }
    ],
    "models": [{"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 1}],
    "tiers": [
        {
            "name": "chat",
            "service_tier": "priority",
            "ttft_limit_s": 1,
            "tpot_limit_s": 0.05,
            "price_usd_per_mtok": 3,
            "value": "from_price",
        }
    ],
    "workloads": [
        {
            "name": "chat",
            "tier": "chat",
            "origin": "home",
            "ladder": ["small"],
            "input_tokens": 500,
            "output_tokens": 200,
            "arrivals": {"mean_requests_per_s": 100},
        }
    ],
}


@pytest.fixture
def clean() -> dict[str, Any]:
    """Return the company as a tree of its own, to change at will."""
    return deepcopy(CLEAN)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Return a function that writes a tree, or a text, as a company file."""

    def to_file(content: Any) -> Path:
        path = tmp_path / "company.yaml"
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    return to_file

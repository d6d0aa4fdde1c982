"""The small company with a gateway, changed by a test and opened."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from commands import SMALL

TENANT = {"name": "acme", "tiers": ["chat", "nightly"], "origin": "america"}
Change = Callable[[dict[str, Any]], None]


def written(folder: Path, change: Change | None = None, **serve: Any) -> Path:
    """Write tests/small.yaml with a `serve:` of one tenant, and what a test puts into either."""
    tree = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    tree["serve"] = {"tenants": [deepcopy(TENANT)], **serve}
    if change is not None:
        change(tree)
    path = folder / "serving.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path

"""What a promise to survive the loss of a site costs, told where the window is dispatched."""

from pathlib import Path

import pytest
import yaml

import tokenergy as te

SMALL = Path(__file__).parents[1] / "small.yaml"


def test_dispatch_tells_what_survival_costs_and_where_it_cannot_be_had(tmp_path: Path) -> None:
    words = yaml.safe_load(SMALL.read_text())
    for tier in words["tiers"]:
        if tier["service_tier"] == "priority" or tier is words["tiers"][0]:
            tier["survives"] = "any_one_site"
    file = tmp_path / "company.yaml"
    file.write_text(yaml.safe_dump(words))
    plan = te.dispatch(te.load(file), hours=6)
    assert plan.survival is not None
    told = plan.to_dict()["survival"]
    assert told["premium_usd"] == pytest.approx(told["with_usd"] - told["without_usd"])
    assert told["premium_usd"] >= -1e-6 * abs(told["without_usd"])
    warned = {w["code"] for w in plan.to_dict()["warnings"]}
    assert ("SURVIVAL_IMPOSSIBLE" in warned) == bool(told["findings"])


def test_where_nothing_is_promised_nothing_is_told() -> None:
    assert te.dispatch(te.load(SMALL), hours=2).to_dict()["survival"] is None

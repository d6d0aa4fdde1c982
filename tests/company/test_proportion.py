"""Proportion: figures that are plausible alone and not beside their neighbours."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from tests.company.test_check import CLEAN

from tokenergy.company.check.proportion import check_proportion
from tokenergy.company.company import Company
from tokenergy.company.parts import Parts

Tree = dict[str, Any]
PPA = {"kind": "ppa_as_produced", "id": "wind", "site": "virginia", "profile": 0.4}


def told(change: Callable[[Tree], object]) -> list[tuple[str, str, str]]:
    tree = deepcopy(CLEAN)
    change(tree)
    found = check_proportion(Parts.of(Company.model_validate(tree)))
    return [(finding.code, finding.path, finding.severity) for finding in found]


def test_a_clean_company_is_in_proportion() -> None:
    assert told(lambda tree: None) == []


@pytest.mark.parametrize(
    ("change", "path", "severity"),
    [
        (
            lambda tree: tree["batteries"][0].update(power_mw=3000, capacity_mwh=12000),
            "batteries[0].power_mw",
            "error",
        ),
        (
            lambda tree: tree["contracts"].append(
                {"kind": "block", "id": "b", "site": "virginia", "contract_mw": 2000}
                | {"strike_usd_per_mwh": 50}
            ),
            "contracts[1].contract_mw",
            "error",
        ),
        (
            lambda tree: tree["contracts"].append(
                PPA | {"project_mw": 8000, "share": 0.25, "strike_usd_per_mwh": 30}
            ),
            "contracts[1].project_mw",
            "error",
        ),
        (
            lambda tree: tree["sites"][0].update(import_limit_mw=2500),
            "sites[0].import_limit_mw",
            "warning",
        ),
        (
            lambda tree: tree["tiers"][0].update(ttft_limit_s=1500),
            "tiers[0].ttft_limit_s",
            "warning",
        ),
    ],
)
def test_kw_for_mw_and_ms_for_s_are_told(
    change: Callable[[Tree], object], path: str, severity: str
) -> None:
    assert told(change) == [("UNIT_SLIP", path, severity)]


def test_a_market_on_the_other_side_of_the_earth_is_told() -> None:
    code = ("ZONE_FAR_FROM_SITE", "sites[0].market.time_zone", "warning")
    assert told(lambda tree: tree["sites"][0]["market"].update(time_zone="Asia/Tokyo")) == [code]


@pytest.mark.parametrize(
    ("zone", "longitude_deg"),
    [("Asia/Shanghai", 76.0), ("Pacific/Kiritimati", -157.4), ("Pacific/Auckland", 174.8)],
)
def test_clocks_that_follow_their_capital_are_not(zone: str, longitude_deg: float) -> None:
    def change(tree: Tree) -> None:
        tree["sites"][0]["longitude_deg"] = longitude_deg
        tree["sites"][0]["market"]["time_zone"] = zone

    assert told(change) == []

"""Contracts of open size against the prices they are settled on: money for nothing is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenergy.files.company_file import check_file, load

Tree = dict[str, Any]
Write = Callable[[Any], Path]


def offered(clean: Tree, *, price: Any = 45, size: bool = True, **terms: Any) -> Tree:
    """Offer a wind project at virginia, of open size or as it stands."""
    wind = {"kind": "ppa_as_produced", "id": "wind", "site": "virginia", "project_mw": 0.1,
            "profile": 0.4, "strike_usd_per_mwh": 40}  # fmt: skip
    clean["sites"][0]["market"]["price"] = price
    clean["contracts"].append({**wind, **terms})
    if size:
        clean["plan"] = {"contracts": [{"name": "wind", "most_mw": 50}]}
    return clean


def told(path: Path) -> list[tuple[str, str, str]]:
    mine = ("CONTRACT_BELOW_ZERO", "CONTRACT_ALWAYS_EARNS")
    return [(f.code, f.value, f.limit) for f in check_file(path).findings if f.code in mine]


def test_an_offer_below_every_price_is_signed_to_the_most(clean: Tree, write: Write) -> None:
    """Resale at 45 always pays for 40: a warning."""
    assert told(write(offered(clean))) == [("CONTRACT_ALWAYS_EARNS", "40", "45")]


def test_an_offer_that_some_hour_undercuts_is_none(clean: Tree, write: Write) -> None:
    assert told(write(offered(clean, price={"synthetic": "texas"}))) == []


def test_the_spread_of_resale_counts(clean: Tree, write: Write) -> None:
    """45 - 6 = 39 < 40."""
    clean["contracts"][0]["resale_spread_usd_per_mwh"] = 6
    assert told(write(offered(clean))) == []


def test_who_is_paid_for_taking_takes_without_end(clean: Tree, write: Write) -> None:
    """A negative strike, and resale that never costs: an error, at the plan's own line."""
    path = write(offered(clean, strike_usd_per_mwh=-5))
    assert told(path) == [("CONTRACT_BELOW_ZERO", "-5", "0")]
    (finding,) = check_file(path).errors
    assert finding.path == "plan.contracts[0].name"
    assert finding.line


def test_a_rising_strike_counts_as_it_is_at_the_end(clean: Tree, write: Write) -> None:
    """40 USD since 2020 and 3 % a year: 40 x 1.03^6 = 47.8 > 45."""
    rising = {"start": "2020-01-01", "escalator_share_per_year": 0.03}
    assert told(write(offered(clean, **rising))) == []


def test_what_the_plan_does_not_choose_may_earn(clean: Tree, write: Write) -> None:
    assert told(write(offered(clean, size=False))) == []


@pytest.mark.parametrize(("floor", "expected"), [(None, []), (41, ["CONTRACT_ALWAYS_EARNS"])])
def test_a_contract_for_difference_is_settled_at_its_hub(
    clean: Tree, write: Write, floor: float | None, expected: list[str]
) -> None:
    """A hub at 38 pays 2 to the seller, unless hub prices below 41 count as 41."""
    tree = offered(clean, size=True, kind="ppa_virtual", hub_price=38, floor_usd_per_mwh=floor)
    assert [code for code, _, _ in told(write(tree))] == expected


def test_the_prices_of_a_scenario_are_read_with_the_company(clean: Tree, write: Write) -> None:
    clean["plan"] = {
        "scenarios": [
            {"name": "same"},
            {"name": "year-b", "prices": {"virginia": 61, "ohio": {"synthetic": "texas"}}},
        ]
    }
    found = check_file(write(clean)).errors
    assert [f.path for f in found] == ["plan.scenarios[1].prices.ohio"]
    del clean["plan"]["scenarios"][1]["prices"]["ohio"]
    _, inputs, _, _ = load(write(clean))
    assert set(inputs.series["plan:year-b:virginia"]) == {61.0}

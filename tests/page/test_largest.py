"""All sites as one place, and the few that are shown beside it."""

from typing import Any

import pytest

from tokenergy.page.largest import (
    FLEET,
    by_site,
    fleet_rows,
    largest_sites,
    shown_words,
    with_fleet,
)


def row(site: str, load: float, price: float, *, start: str = "2026-03-02T00:00Z", **more: float):
    """Return a row of a balance: the load is imported, unless told otherwise."""
    powers: dict[str, Any] = dict.fromkeys(
        ("export_mw", "take_mw", "charge_mw", "discharge_mw", "stored_mwh"), 0.0
    )
    powers |= {"load_mw": load, "import_mw": load, "import_limit_mw": 10.0} | more
    return {"start": start, "site": site, "buy_usd_per_mwh": price} | powers


def test_the_largest_stand_in_the_order_of_the_balance():
    balance = [row("a", 1.0, 0.0), row("b", 3.0, 0.0), row("c", 2.0, 0.0), row("d", 0.5, 0.0)]
    assert largest_sites(balance, 2) == ["b", "c"]
    assert largest_sites(balance, 4) == ["a", "b", "c", "d"]
    assert shown_words(balance, ["a", "b", "c", "d"]) == ""
    said = shown_words(balance, ["b", "c"])  # 5 of 6.5 MW
    assert said.startswith("Of 4 sites the 2 that draw most are shown by themselves, 77")


def test_the_price_of_all_sites_is_weighted_by_load():
    """3 MW at 10 and 1 MW at 50 USD/MWh: (30 + 50) / 4 = 20; limits add up to 20 MW."""
    (found,) = fleet_rows([row("a", 3.0, 10.0), row("b", 1.0, 50.0)])
    assert (found["site"], found["load_mw"], found["import_limit_mw"]) == (FLEET, 4.0, 20.0)
    assert found["buy_usd_per_mwh"] == 20.0


def test_where_nobody_draws_the_price_is_the_plain_mean():
    (found,) = fleet_rows([row("a", 0.0, 10.0), row("b", 0.0, 50.0)])
    assert found["buy_usd_per_mwh"] == 30.0


def test_a_contract_of_one_site_covers_no_import_of_another():
    """a takes 5 MW and imports 2, all covered; b imports 4 without a contract: 2 covered, 4 not.

    Of the sums alone 6 MW of import and 5 of take, 5 would seem covered.
    """
    balance = [
        row("a", 5.0, 10.0, import_mw=2.0, take_mw=5.0),  # 3 MW come from behind the meter
        row("b", 4.0, 10.0),
    ]
    (found,) = fleet_rows(balance, sources=True)
    assert found["behind_the_meter_mw"] == 3.0
    assert (found["import_contract_mw"], found["import_rest_mw"]) == (2.0, 4.0)
    assert "import_rest_mw" not in fleet_rows(balance)[0]


def test_one_site_is_no_fleet():
    one, two = [row("a", 1.0, 1.0)], [row("a", 1.0, 1.0), row("b", 1.0, 1.0)]
    assert [each["site"] for each in with_fleet(one, ["a"])] == ["a"]
    assert [each["site"] for each in with_fleet(two, ["b"])] == [FLEET, "b"]
    assert list(by_site(two)) == ["a", "b"]
    assert with_fleet([], []) == []


@pytest.mark.parametrize("count", [1, 3])
def test_ties_are_broken_the_same_way(count: int):
    balance = [row(name, 1.0, 1.0) for name in "abcd"]
    assert largest_sites(balance, count) == ["a", "b", "c"][:count]

"""Money of price files: who says nothing about the rate is told, who does is believed."""

from copy import deepcopy
from typing import Any

import pytest
from tests.company.test_check import CLEAN

from tokenergy.company.check.money import check_money, money_of
from tokenergy.company.company import Company
from tokenergy.company.parts import Parts

FILE = {"file": "prices.csv", "column": "da"}


def told(
    price: Any, *, zone: str = "America/New_York", currency: str = "USD"
) -> list[tuple[str, str]]:
    tree = deepcopy(CLEAN) | {"currency": currency}
    tree["sites"][0]["market"] |= {"price": price, "time_zone": zone}
    found = check_money(Parts.of(Company.model_validate(tree)))
    return [(finding.code, finding.severity) for finding in found]


@pytest.mark.parametrize("names", [{"column": "eur_per_mwh"}, {"file": "de lu EUR.csv"}])
def test_a_column_in_euros_without_a_rate_is_an_error(names: dict[str, str]) -> None:
    assert told(FILE | names) == [("CURRENCY_WITHOUT_RATE", "error")]
    assert told(FILE | names | {"usd_per_unit": 1.08}) == []
    assert told(FILE | names | {"usd_per_unit": 1}) == []
    assert told(FILE | names, currency="EUR") == []


def test_the_market_of_another_money_is_a_warning_until_the_rate_is_stated() -> None:
    assert told(FILE, zone="Europe/Berlin") == [("CURRENCY_UNSTATED", "warning")]
    assert told(FILE | {"usd_per_unit": 1}, zone="Europe/Berlin") == []
    assert told(FILE | {"column": "usd_per_mwh"}, zone="Europe/Berlin") == []
    assert told(FILE, zone="Europe/Berlin", currency="EUR") == []
    assert told(FILE) == []


def test_a_rate_on_the_companys_own_money_is_a_warning() -> None:
    price = FILE | {"column": "eur_per_mwh", "usd_per_unit": 1.08}
    assert told(price, zone="Europe/Berlin", currency="EUR") == [("CURRENCY_TWICE", "warning")]
    assert told(price | {"usd_per_unit": 1000}, zone="Europe/Berlin", currency="EUR") == []


def test_synthetic_prices_are_no_yen() -> None:
    price = {"synthetic": "japan-tokyo"}
    assert told(price, zone="Asia/Tokyo", currency="JPY") == [("SYNTHETIC_IN_USD", "warning")]
    assert told(price, zone="Asia/Tokyo") == []


def test_a_zone_that_we_do_not_know_has_no_money() -> None:
    assert money_of("Asia/Kathmandu") is None
    assert (money_of("Europe/Oslo"), money_of("Europe/London")) == ("EUR", "GBP")
    assert told(FILE, zone="Asia/Kathmandu") == []

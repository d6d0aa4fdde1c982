"""Sentences of the core say USD for the company's own money: its reader is told its name."""

from tokenergy.company.currency import all_in_currency, in_currency


def test_the_companys_own_money_is_told_by_its_name() -> None:
    assert in_currency("1.5 USD a Mtok, 40 USD/MWh", "EUR") == "1.5 EUR a Mtok, 40 EUR/MWh"
    assert in_currency("1.5 USD a Mtok", "USD") == "1.5 USD a Mtok"


def test_a_name_that_holds_the_word_is_none() -> None:
    assert in_currency("USDX, fleet_USD", "EUR") == "USDX, fleet_USD"


def test_sentences_within_a_result_are_told_and_its_keys_stay() -> None:
    told = {"says": ["1 USD", {"usd": 1.0}], "unit USD": None, "of": ("2 USD",)}
    assert all_in_currency(told, "EUR") == {
        "says": ["1 EUR", {"usd": 1.0}], "unit USD": None, "of": ["2 EUR"],
    }  # fmt: skip

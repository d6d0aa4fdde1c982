import math

import pytest

from tokenergy.page.number import amount, cell, money, percent, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.4234567, "1.42"),
        (0.01234567, "0.0123"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (0.99951, "1.00"),
        (9.996, "10.0"),
        (-0.5, "−0.500"),
        (1e-12, "0.000000000"),
        (-1e-12, "0.000000000"),
    ],
)
def test_three_significant_digits_and_never_a_power_of_ten(value: float, text: str) -> None:
    assert significant(value) == text


def test_money_has_cents_below_a_thousand_only() -> None:
    assert [money(x) for x in (0.5, 999.0, 1000.4, -2_031_346.2)] == [
        "0.50", "999.00", "1,000", "−2,031,346",
    ]  # fmt: skip


def test_a_share_and_a_quantity() -> None:
    assert percent(0.0134, 2) == "1.34\N{NO-BREAK SPACE}%"
    assert percent(-0.0001) == "0.0\N{NO-BREAK SPACE}%"
    assert [amount(x) for x in (61_234_567.0, 45.678, 3e-9)] == ["61,234,567", "45.7", "0"]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "text", True])
def test_what_is_no_figure_is_never_written_as_one(value: object) -> None:
    assert "<data" not in cell(value)


def test_a_cell_keeps_every_digit() -> None:
    assert cell(1.4234567891234) == '<data value="1.4234567891234">1.42</data>'

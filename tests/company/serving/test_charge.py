"""A bill in whole nano-dollars: its lines, their rounding, their sum."""

from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.serving.charge import charge_lines, charge_nano_usd
from tokenergy.company.serving.plan import PricePlan

RATES = st.integers(0, 10**12)


def price(read: int, cached: int, written: int, each: int = 0) -> PricePlan:
    return PricePlan(
        model="m", tier="t", input_nano_usd_per_mtok=read, cached_input_nano_usd_per_mtok=cached,
        output_nano_usd_per_mtok=written, nano_usd_per_request=each,
    )  # fmt: skip


def test_a_bill_by_hand() -> None:
    """80 x 0.15 + 20 x 0.075 + 50 x 0.60 USD/Mtok = 12,000 + 1,500 + 30,000 nano-dollars."""
    lines = charge_lines(
        price(150_000_000, 75_000_000, 600_000_000, 1_000),
        input_tokens=100,
        cached_tokens=20,
        output_tokens=50,
    )
    assert lines == (
        ("charge_input", 80, 150_000_000, 12_000),
        ("charge_cached_input", 20, 75_000_000, 1_500),
        ("charge_output", 50, 600_000_000, 30_000),
        ("charge_request", 1, 1_000, 1_000),
    )


def test_half_a_nano_dollar_goes_up_and_nothing_costs_nothing() -> None:
    """One token at 0.5 nano-dollars; at 0.499999."""
    half, less = price(500_000, 0, 0), price(499_999, 0, 0)
    one = {"input_tokens": 1, "cached_tokens": 0, "output_tokens": 0}
    assert charge_nano_usd(half, **one) == 1 and charge_nano_usd(less, **one) == 0
    none = {"input_tokens": 0, "cached_tokens": 0, "output_tokens": 0}
    assert charge_lines(half, **none) == () and charge_nano_usd(half, **none) == 0


@given(
    RATES, RATES, RATES, RATES, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7)
)
def test_the_sum_is_that_of_the_lines_rounded_exactly(
    read: int, cached: int, written: int, each: int, first: int, other: int, output: int
) -> None:
    usage = {
        "input_tokens": first + other, "cached_tokens": other, "output_tokens": output,
    }  # fmt: skip
    mine = price(read, cached, written, each)
    pairs = ((first, read), (other, cached), (output, written))
    exact = [floor(Fraction(n * rate, 10**6) + Fraction(1, 2)) for n, rate in pairs]
    assert charge_nano_usd(mine, **usage) == sum(exact) + each
    assert sum(line.nano_usd for line in charge_lines(mine, **usage)) == sum(exact) + each

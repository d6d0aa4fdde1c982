"""The annuity: what a dollar of capital costs per year, by hand and at its edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.annuity import annuity_share


def test_by_hand() -> None:
    """0.09 / (1 - 1.09^-5) = 0.09 / (1 - 0.649931) = 0.257092; without interest 1 / 5."""
    assert annuity_share(wacc_share=0.09, life_y=5) == pytest.approx(0.257092, rel=1e-5)
    assert annuity_share(wacc_share=0.0, life_y=5) == 0.2


@given(st.floats(0.001, 0.5), st.floats(1.0, 40.0))
def test_the_payments_are_worth_the_capital(wacc: float, life: float) -> None:
    """The present value of the payments of n whole years is the dollar that was borrowed."""
    years = round(life)
    paid = annuity_share(wacc_share=wacc, life_y=years)
    worth = sum(paid / (1.0 + wacc) ** year for year in range(1, years + 1))
    assert worth == pytest.approx(1.0, rel=1e-9)
    assert annuity_share(wacc_share=wacc, life_y=years + 1) < paid

"""What a chart states beside its numbers; a cost per Mtok states which cost it is."""

import pytest

from tokenergy.errors import UnexpectedError
from tokenergy.page.stated import Stated

STATED = Stated(currency="EUR", period="a day", synthetic=True)


def test_a_subtitle_states_unit_period_basis_and_origin() -> None:
    told = STATED.subtitle("EUR/Mtok", "marginal: cheapest in use")
    assert told == "EUR/Mtok · a day · marginal: cheapest in use · includes synthetic series"


def test_a_cost_per_mtok_without_its_basis_is_refused() -> None:
    with pytest.raises(UnexpectedError, match="BASIS_UNSTATED"):
        STATED.subtitle("EUR/Mtok", "mean over the hours")


def test_power_needs_no_basis() -> None:
    assert STATED.subtitle("MW", "mean over the hours").startswith("MW · a day")

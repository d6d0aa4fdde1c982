"""The words of an energy: how it is known, and what it includes."""

from typing import get_args

import pytest

from tokenergy.company.energy_words import WORST_LAST, EnergyTier, worst_tier


def test_a_sum_is_known_as_well_as_its_least_known_part() -> None:
    assert worst_tier(["measured", "modelled", "calibrated"]) == "modelled"
    assert worst_tier(["measured", "calibrated"]) == "calibrated"
    assert worst_tier(["measured"]) == "measured"


def test_the_order_names_every_tier() -> None:
    assert get_args(EnergyTier) == WORST_LAST


def test_no_tier_has_no_worst() -> None:
    with pytest.raises(ValueError, match="empty"):
        worst_tier([])

"""T1: the elasticities by hand, and that the verdict can be no."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.company.catalogue import Catalogue
from tokenergy.economics.negative_scale import TOY_AI
from tokenergy.thesis import user_scale
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs


def inputs() -> ThesisInputs:
    prices = HourlyPrices(
        start=datetime(2026, 1, 1, tzinfo=UTC),
        usd_per_mwh={"Z": np.full(24, 50.0)},
        source="none",
        synthetic=True,
    )
    nothing = Catalogue(accelerators=(), models=(), media_models=(), coefficients=())
    return ThesisInputs(catalogue=nothing, presets=(), ranges={}, prices=prices)


def test_the_claim_by_hand() -> None:
    """Software 0.02 / 0.52 = 0.0385; tokens 2.634545 / 3.134545 = 0.8405; 50.02 / 0.07 = 715."""
    result = user_scale.run(inputs())
    assert (result.id, result.label, result.verdict) == ("T1", "identity", "PASS")
    assert result.number == pytest.approx(0.84049, abs=1e-5)
    assert result.figures["saas_elasticity_ratio"] == pytest.approx(0.038462, abs=1e-6)
    assert "715-fold for software and 19-fold for tokens" in result.says
    assert "does not rise" in result.says


def test_the_table_of_the_sheet() -> None:
    figures = user_scale.run(inputs()).figures
    saas = [row["average_usd_per_user_year"] for row in figures["saas"]]
    ai = [row["average_usd_per_user_year"] for row in figures["ai"]]
    assert saas == pytest.approx([50.0, 5.0, 0.52, 0.07], rel=0.005)
    assert ai == pytest.approx([52.6, 7.6, 3.14, 2.72], rel=0.005)


def test_it_fails_where_users_cost_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens at a hundredth of their price: AI scales like software, and the answer is no."""
    cheap = replace(TOY_AI, other_usd_per_user_year=0.0252, mwh_per_mtok=0.01 / 1100)
    monkeypatch.setattr(user_scale, "TOY_AI", cheap)
    result = user_scale.run(inputs())
    assert result.verdict == "FAIL"
    assert result.number == pytest.approx(0.0263 / 0.5263, rel=0.01)


def test_the_same_to_the_bit() -> None:
    assert user_scale.run(inputs()).to_dict() == user_scale.run(inputs()).to_dict()


def test_both_halves_hold_in_a_band_of_users_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """v N / (5e6 + v N) by hand, v of a user beside what is fixed, within the first block.

    Tokens, v = 2.634545: 0.8 at 4 x 5e6 / v = 7.59 M. Software, v = 0.02: 0.05 at 5e6 / 19 / v =
    13.16 M. Ten times the cost of software's users: 1.3 M, and nowhere do both hold.
    """
    result = user_scale.run(inputs())
    assert result.figures["holds_from_users_count"] == pytest.approx(2e7 / 2.6345454545, rel=1e-6)
    assert result.figures["holds_to_users_count"] == pytest.approx(5e6 / 19 / 0.02, rel=1e-6)
    assert "between 7.6 and 13.2 million users" in result.says
    dear = replace(user_scale.TOY_SAAS, other_usd_per_user_year=0.2)
    monkeypatch.setattr(user_scale, "TOY_SAAS", dear)
    result = user_scale.run(inputs())
    assert (result.verdict, result.figures["holds_from_users_count"]) == ("FAIL", None)
    assert "at no number of users" in result.says

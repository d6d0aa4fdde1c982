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

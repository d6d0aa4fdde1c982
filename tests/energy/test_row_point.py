"""The operating point of a row of the table, by hand."""

import pytest
from operating_rows import TERMS, made_row

from tokenergy.energy.predict import coefficients_for, prefill_j_per_token
from tokenergy.energy.row_point import row_operating_point
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def test_the_point_is_the_row_in_the_units_of_dispatch():
    """5/s of 200 tokens: 1,000 tokens/s, 3.6 Mtok/h; 0.15 J a token: 41.67 kWh/Mtok; 650 W."""
    point = row_operating_point(CATALOGUE, made_row())
    assert point.rate_mtok_per_h == pytest.approx(3.6)
    assert point.base_mw == pytest.approx(650e-6)
    assert point.marginal_mwh_per_mtok == pytest.approx(0.15e6 / 3.6e9)
    assert (point.batch_count, point.bound, point.energy_tier) == (41.5, "ttft", "modelled")
    assert (point.unloaded_ttft_s, point.tpot_s) == (0.04, 0.03)
    assert point.tokens_per_item_count is None
    watts = (point.base_mw + point.marginal_mwh_per_mtok * point.rate_mtok_per_h) * 1e6
    assert watts == pytest.approx(800.0)


def test_the_price_of_an_input_token_is_held_against_the_boards_alone():
    """800 W less 150 W of host over 1,000 tokens/s: 0.65 J of the boards a token."""
    facts = CATALOGUE.language_model("llama-3.1-8b")
    input_j = prefill_j_per_token(facts, coefficients_for(CATALOGUE, "H100"))
    point = row_operating_point(CATALOGUE, made_row())
    assert point.input_output_cost_ratio_share == pytest.approx(input_j / 0.65)


def test_waking_costs_what_the_catalogue_says():
    """Weights of 16.06 GB at 2 GB/s after 30 s of container start; the base meanwhile."""
    point = row_operating_point(CATALOGUE, made_row())
    weights_gb = CATALOGUE.language_model(TERMS.catalogue_model).weights_gb
    assert point.wake_h * 3600.0 == pytest.approx(30.0 + weights_gb / 2.0)
    assert point.wake_mwh == pytest.approx(650e-6 * point.wake_h)


def test_what_was_assumed_is_told():
    notes = row_operating_point(CATALOGUE, made_row()).warnings
    assert notes == ("simulated: roofline 1, made up for a test", "made up", "for a test")

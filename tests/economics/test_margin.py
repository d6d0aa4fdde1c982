"""Margin by tier: each form of revenue by hand, both bases, and the ties that always hold."""

from dataclasses import replace

import pytest
from economics.paying import POLICIES, SEEDS, cost, margin, margins, paid, tiers_of
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import tier_dict

from tokenergy.economics.margin import company_margin, margin_by_tier

CONVERSION = {"uplift_share": 1e-4, "ltv_usd": 80.0}
USERS = {
    "count": 1000,
    "other_usd_per_user_month": 0.5,
    "churn_share_per_month": 0.05,
    "acquisition_usd_per_user": 12.0,
}


def test_a_price_by_mtok_by_hand():
    """100 Mtok at 2 USD are 200; less 90 at the margin, less 125 used and 2 x 10 fixed.

    Used: 40 + 60 + 20 + 4 + 1 = 125; of it 75 dispatch (all but 30 and 20 of capital). Fixed 120
    USD a year for two months: 20. 100 Mtok of 300 tokens are 333,333 requests.
    """
    found = margin(tier_dict(fixed_usd_per_year=120.0))
    assert (found.token_revenue_usd, found.revenue_usd) == (200.0, 200.0)
    assert found.served_requests_count == pytest.approx(1e8 / 300)
    assert found.contribution_usd == 110.0
    assert (found.usage_usd, found.dispatch_usd) == (125.0, 75.0)
    assert (found.surplus_usd, found.tier_fixed_usd) == (15.0, pytest.approx(20.0))
    assert found.full_margin_usd == pytest.approx(55.0)
    assert found.gross_margin_share == 0.375
    per_mtok = (found.price_usd_per_mtok, found.marginal_usd_per_mtok, found.usage_usd_per_mtok)
    assert per_mtok == (2.0, 0.9, 1.25)
    assert (found.basis_of_contribution, found.basis_of_full_margin) == ("marginal", "usage")
    assert (found.meter_tier, found.refused_mtok) == ("modelled", 10.0)


def test_a_price_by_request_by_hand():
    """333,333 requests at 0.3 cents are 1,000 USD, as 100 Mtok at 10 USD are."""
    found = margin(tier_dict(price_usd_per_mtok=None, price_usd_per_request=0.003))
    assert found.request_revenue_usd == pytest.approx(1000.0)
    assert found.revenue_usd == pytest.approx(1000.0)


def test_a_subscription_is_earned_whatever_is_served():
    """1,000 users x 2 months x 20 USD, and 0.50 of advertising each: 40,000 + 1,000 USD."""
    tier = tier_dict(price_usd_per_mtok=None, price_usd_per_user_month=20.0, users=USERS)
    nothing = (cost(served=0.0),)
    for found in (margin(tier), margin(tier, costs=nothing)):
        assert found.subscription_revenue_usd == pytest.approx(40_000.0)
        assert found.other_revenue_usd == pytest.approx(1_000.0)
        assert (found.variable_revenue_usd, found.token_revenue_usd) == (0.0, 0.0)
    assert margin(tier, costs=nothing).usage_usd_per_mtok is None


def test_conversions_are_expected_and_never_cash():
    """333,333 free requests x 0.0001 x 80 USD: 2,667 USD that no margin holds."""
    free = tier_dict(price_usd_per_mtok=0.0, value=None, from_conversion=CONVERSION)
    full, tiers = tiers_of(free)
    assert tiers[0].conversion_value_usd == pytest.approx(1e8 / 300 * 0.008)
    assert (tiers[0].revenue_usd, tiers[0].contribution_usd) == (0.0, -90.0)
    assert tiers[0].gross_margin_share is None
    whole = company_margin(full, tiers)
    assert whole.conversion_value_usd == tiers[0].conversion_value_usd
    assert whole.revenue_usd == 0.0
    assert margin(tier_dict()).conversion_value_usd is None


def test_a_users_worth_by_hand():
    """Revenue 200 + 1,000, less 90: 1,110 over 2,000 user-months is m = 0.555 USD.

    LTV = 0.555 / 0.05 = 11.10; payback = 12 / 0.555 = 21.62 months; LTV/CAC = 0.925.
    """
    found = margin(tier_dict(users=USERS))
    assert found.contribution_usd_per_user_month == pytest.approx(0.555)
    assert found.lifetime_usd_per_user == pytest.approx(11.1)
    assert found.payback_months == pytest.approx(12 / 0.555)
    assert found.lifetime_over_acquisition_ratio == pytest.approx(0.925)


@pytest.mark.parametrize(
    ("users", "unknown"),
    [
        ({"count": 10}, {"lifetime_usd_per_user", "payback_months"}),
        ({"count": 10, "churn_share_per_month": 0.0}, {"lifetime_usd_per_user"}),
        ({"count": 10, "acquisition_usd_per_user": 5.0}, {"lifetime_usd_per_user"}),
    ],
)
def test_what_the_file_does_not_say_is_not_told(users, unknown):
    found = margin(tier_dict(users=users))
    assert {name for name in unknown if getattr(found, name) is None} == unknown
    assert found.lifetime_over_acquisition_ratio is None
    assert found.contribution_usd_per_user_month is not None
    assert margin(tier_dict()).contribution_usd_per_user_month is None


def test_a_user_who_costs_more_than_he_pays_never_pays_back():
    users = USERS | {"other_usd_per_user_month": 0.0}
    found = margin(tier_dict(price_usd_per_mtok=0.1, users=users))
    assert found.payback_months is None
    assert found.lifetime_usd_per_user == pytest.approx((10.0 - 90.0) / 2000 / 0.05)


def test_without_prices_nothing_is_said_about_the_margin():
    full, tiers = tiers_of(tier_dict(users=USERS), costs=(cost(marginal_usd=None),))
    assert tiers[0].contribution_usd is None
    assert tiers[0].surplus_usd is None
    assert tiers[0].contribution_usd_per_user_month is None
    whole = company_margin(full, tiers)
    assert (whole.contribution_usd, whole.surplus_usd) == (None, None)
    assert tiers[0].full_margin_usd == 200.0 + 1000.0 - 125.0


def test_the_band_of_the_joules_moves_the_margin():
    """Power of 40 USD at 1.5 and 0.75 times the joules: 20 USD worse, 10 better."""
    found = margin(tier_dict())
    assert (found.full_margin_low_usd, found.full_margin_high_usd) == (55.0, 85.0)
    paid_for_load = margin(tier_dict(), costs=(cost(power_usd=-40.0),))
    assert paid_for_load.full_margin_low_usd < paid_for_load.full_margin_high_usd
    api_only = cost(energy_mwh=0.0, meter_tier=None, energy_low_share=None, energy_high_share=None)
    unknown = margin(tier_dict(), costs=(api_only,))
    assert unknown.meter_tier is None
    assert unknown.full_margin_low_usd == unknown.full_margin_usd == unknown.full_margin_high_usd


def test_growth_and_burn_by_hand():
    """A loss of 40 in two months burns 240 a year; growth that adds 120 a year: 2 times."""
    full, tiers = tiers_of(tier_dict())
    full = replace(full, allocation_usd=240.0)
    whole = company_margin(full, tiers, new_revenue_usd_per_year=120.0)
    assert whole.margin_usd == -40.0
    assert whole.burn_usd_per_year == pytest.approx(240.0)
    assert whole.burn_multiple_ratio == pytest.approx(2.0)
    assert company_margin(full, tiers).burn_multiple_ratio is None
    assert company_margin(full, tiers, new_revenue_usd_per_year=0.0).burn_multiple_ratio is None
    earns = company_margin(replace(full, allocation_usd=100.0), tiers)
    assert (earns.margin_usd, earns.burn_usd_per_year) == (100.0, 0.0)


def test_every_row_names_its_basis():
    full, tiers = tiers_of(tier_dict(users=USERS))
    row = tiers[0].to_dict()
    assert (row["basis_of_contribution"], row["basis_of_full_margin"]) == ("marginal", "usage")
    assert row["full_margin_usd"] == tiers[0].full_margin_usd
    assert company_margin(full, tiers).to_dict()["basis"] == "allocation"


# ---- what always holds -------------------------------------------------------------------


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(POLICIES))
def test_the_companys_margin_is_that_of_its_tiers(seed, policy):
    """Sum of full margins - unused - staff = revenue - allocation, to 1e-6."""
    full, tiers = margins(seed, policy)
    whole = company_margin(full, tiers)
    size = full.allocation_usd + whole.revenue_usd
    left = sum(tier.full_margin_usd for tier in tiers) - full.unused_capacity_usd - full.staff_usd
    assert left == pytest.approx(whole.margin_usd, abs=1e-6 * size)
    assert left == pytest.approx(whole.margin_usd, abs=1e-11 * size), "by construction far closer"
    assert whole.tiers_margin_usd == sum(tier.full_margin_usd for tier in tiers)
    assert whole.gross_margin_share is not None
    gross_usd = whole.margin_usd + whole.staff_usd + whole.tier_fixed_usd
    assert whole.gross_margin_share * whole.revenue_usd == pytest.approx(gross_usd, abs=1e-9 * size)


@given(SEEDS)
def test_contribution_and_surplus_tie_to_the_margin(seed):
    """Margin = contribution + surplus - capital - fixed: rents pay for assets, or do not."""
    full, tiers = margins(seed, "clairvoyant")
    whole = company_margin(full, tiers)
    tied = whole.contribution_usd + whole.surplus_usd - whole.capital_usd
    tied -= whole.staff_usd + whole.tier_fixed_usd
    size = full.allocation_usd + whole.revenue_usd
    assert tied == pytest.approx(whole.margin_usd, abs=1e-9 * size)
    capital = full.allocation_usd - whole.dispatch_usd - full.staff_usd - full.tier_fixed_usd
    assert whole.capital_usd == pytest.approx(capital, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_workloads_and_tiers_changes_nothing(seed):
    made, _, full, costs = paid(seed, "clairvoyant")
    turned = made.company.model_copy(update={"tiers": made.company.tiers[::-1]})
    other = replace(made, company=turned, workloads=made.workloads[::-1])
    mine, theirs = margin_by_tier(made, full, costs), margin_by_tier(other, full, costs[::-1])
    assert [tier.to_dict() for tier in mine] == [tier.to_dict() for tier in theirs[::-1]]

"""Margins by user: by hand, against a count of users and Monte Carlo, and what always holds."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from economics.paying import POLICIES, SEEDS, cost, margin, margins, paid, tiers_of
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import company_of, tier_dict, workload_dict

from tokenergy.economics.margin import Basis, TierMargin, company_margin
from tokenergy.economics.users import (
    UserMargins,
    margin_line,
    user_margins,
)

FREE = {"price_usd_per_mtok": 0.0, "value": None, "value_usd_per_mtok": 1.0}
HEAVY = {"count": 20, "top_tenth_share": 0.8}


def margins_of_users_usd(
    margin: TierMargin, basis: Basis, users_mtok: Sequence[float]
) -> np.ndarray | None:
    """Return what each user of a ledger earned over the span [users]; None without prices.

    Each stands for as many users as there are in the tier for one in the ledger, so that they
    sum to the tier's margin.

    Args:
        margin: of the tier.
        basis: what tokens cost.
        users_mtok: tokens of each user, over any span: only their proportions count.
    """
    mtok = np.asarray(users_mtok, dtype=np.float64)
    line = margin_line(margin, basis, margin.users_count or mtok.size)
    if line is None or line.flat_usd_per_user_month is None:
        return None
    weight_months = (margin.users_count or mtok.size) / mtok.size * margin.months
    total = mtok.sum()
    shares = mtok / total if total > 0.0 else np.full(mtok.size, 1.0 / mtok.size)
    flat_usd = line.flat_usd_per_user_month * weight_months
    earned: np.ndarray = flat_usd + line.slope_usd_per_mtok * margin.served_mtok * shares
    return earned


def subscription(usd=20.0, **users) -> dict:
    """Return a tier of users that pay by the month."""
    changes = {"price_usd_per_mtok": None, "price_usd_per_user_month": usd}
    return tier_dict(users={"count": 4, **users}, **changes)


def costing(usd_per_mtok: float, *, mtok=100.0, name="chat", marginal=None, **changes):
    """Return the cost of a workload whose Mtok cost so much by use, all of it silicon."""
    nothing = dict.fromkeys(
        ("power_usd", "gpu_lease_usd", "api_usd", "powered_capacity_usd", "network_usd"), 0.0
    )
    figures = nothing | {"wear_usd": 0.0, "gpu_rent_usd": usd_per_mtok * mtok}
    at_margin = usd_per_mtok if marginal is None else marginal
    figures |= {"marginal_usd": at_margin * mtok, "served_mtok": mtok}
    return cost(f"{name}-us", tier=name, **figures | changes)


def users_of(*tiers: dict, costs=None, ledger=None, months=2.0) -> UserMargins:
    names = [tier["name"] for tier in tiers]
    owner = company_of(
        tiers=list(tiers), workloads=[workload_dict(f"{name}-us", tier=name) for name in names]
    )
    _, found = tiers_of(*tiers, costs=costs, months=months)
    return user_margins(owner, found, {} if ledger is None else ledger)


# ---- by hand -----------------------------------------------------------------------------


def test_subscribers_of_a_ledger_by_hand():
    """Four pay 20 USD a month; they use 1, 2, 3 and 14 Mtok at 4 USD: break-even at 5 Mtok.

    Margins 16, 12, 8 and -36 USD a month: one in four loses 36, over two months 72; all together
    earn nothing. At the margin a Mtok costs 1 USD: break-even 20 Mtok, nobody loses.
    """
    spent = costing(4.0, mtok=40.0, marginal=1.0)
    seen = (1.0, 2.0, 3.0, 14.0)
    found = users_of(subscription(), costs=(spent,), ledger={"chat": seen})
    (tier,) = found.tiers
    assert (tier.source, tier.users_count, tier.observed_count) == ("ledger", 4, 4)
    assert tier.mean_mtok_per_user_month == 5.0
    line = tier.usage.line
    assert (line.flat_usd_per_user_month, line.slope_usd_per_mtok) == (20.0, -4.0)
    assert (line.break_even_mtok_per_user_month, line.losers) == (5.0, "heavy")
    assert (tier.usage.share, tier.usage.loss_usd) == (0.25, pytest.approx(72.0))
    assert tier.marginal.line.break_even_mtok_per_user_month == 20.0
    assert (tier.marginal.share, tier.marginal.loss_usd) == (0.0, 0.0)
    assert (found.unprofitable_share, found.marginal_unprofitable_share) == (0.25, 0.0)
    by_user = margins_of_users_usd(margin(subscription(), costs=(spent,)), "usage", seen)
    assert by_user == pytest.approx([32.0, 24.0, 16.0, -72.0])
    lorenz = {point.users_share: point.margin_usd for point in tier.usage.lorenz}
    assert (lorenz[0.0], lorenz[0.25], lorenz[0.5]) == pytest.approx((0.0, -72.0, -56.0))
    assert lorenz[1.0] == pytest.approx(0.0, abs=1e-9)
    below = [b for b in tier.usage.histogram if (b.high_usd_per_user_month or 0.0) <= 0.0]
    assert sum(b.users_share for b in below if b.high_usd_per_user_month is not None) == 0.25


def test_the_lognormal_tail_of_the_sheet_by_hand():
    """A tenth of the users asks for 80 %: sigma 2.12. At break-even = the mean, 14 % lose.

    Sheet, section 4: above the mean 14 %, kept at 1 x 29 %. Price 20, mean 5 Mtok at 4 USD:
    they lose 71 % of the cost of 20 USD a month, times 20 users and two months: 566 USD.
    """
    found = users_of(
        subscription(**HEAVY), costs=(costing(4.0, mtok=200.0),)
    ).tiers[0]  # fmt: skip
    assert found.source == "lognormal"
    assert found.usage.line.break_even_mtok_per_user_month == pytest.approx(5.0)
    assert found.usage.share == pytest.approx(0.14, abs=0.005)
    assert found.usage.loss_usd == pytest.approx((1 - 0.29) * 20.0 * 40.0, rel=0.01)


@pytest.mark.parametrize(("fixed", "each", "share"), [(0.0, 20.0, 0.0), (12_000.0, -30.0, 1.0)])
def test_tokens_that_cost_nothing_leave_all_users_alike(fixed, each, share):
    """Each of 20 users brings 20 USD a month; 12,000 a year of fixed cost are 50 of each."""
    tier = subscription(**HEAVY) | {"fixed_usd_per_year": fixed}
    (found,) = users_of(tier, costs=(costing(0.0, mtok=200.0),)).tiers
    assert found.source == "lognormal"
    assert (found.usage.line.slope_usd_per_mtok, found.usage.share) == (0.0, share)
    assert found.usage.loss_usd == pytest.approx(1_200.0 * share)
    (only,) = found.usage.histogram
    ends = (only.low_usd_per_user_month, only.high_usd_per_user_month)
    assert ends == pytest.approx((each, each))
    assert only.users_share == 1.0
    assert found.usage.lorenz[-1].margin_usd == pytest.approx(each * 40.0)


@pytest.mark.parametrize(
    ("price", "usd_per_mtok", "losers", "share"),
    [(2.0, 1.25, "none", 0.0), (1.0, 1.25, "all", 1.0), (1.25, 1.25, "none", 0.0)],
)
def test_who_pays_by_the_token_has_the_sign_of_all(price, usd_per_mtok, losers, share):
    """Without users, or a tail: the price of a Mtok less its cost decides for everybody."""
    tier = tier_dict(price_usd_per_mtok=price)
    (found,) = users_of(tier, costs=(costing(usd_per_mtok),)).tiers
    assert (found.users_count, found.source) == (None, None)
    assert (found.usage.line.losers, found.usage.share) == (losers, share)
    assert found.usage.loss_usd == pytest.approx(100.0 * max(0.0, usd_per_mtok - price))
    assert found.usage.line.break_even_mtok_per_user_month is None
    assert found.usage.histogram == ()


def test_a_free_tier_loses_on_every_user_whatever_the_tail():
    found = users_of(tier_dict(users={"count": 9}, **FREE), costs=(costing(2.0),))
    assert (found.tiers[0].usage.line.losers, found.unprofitable_share) == ("all", 1.0)
    assert found.tiers[0].usage.loss_usd == pytest.approx(200.0)
    assert [finding.code for finding in found.findings] == ["USAGE_UNKNOWN"], "no histogram"


def test_light_users_lose_where_a_fixed_cost_is_shared():
    """4 users, 2 USD earned on each Mtok, 48 USD fixed in two months: 6 a user and month.

    Break-even at 3 Mtok: users of 1 and 2 lose 4 and 2 a month, 12 in two months.
    """
    users = {"count": 4, "top_tenth_share": 0.5}
    tier = tier_dict(price_usd_per_mtok=6.0, users=users, fixed_usd_per_year=288.0)
    seen = {"chat": (1.0, 2.0, 4.0, 13.0)}
    (found,) = users_of(tier, costs=(costing(4.0, mtok=40.0),), ledger=seen).tiers
    assert found.usage.line.break_even_mtok_per_user_month == pytest.approx(3.0)
    assert (found.usage.line.losers, found.usage.share) == ("light", 0.5)
    assert found.usage.loss_usd == pytest.approx(12.0)
    worst = {point.users_share: point.margin_usd for point in found.usage.lorenz}
    assert worst[0.5] == pytest.approx(-12.0)
    assert found.marginal.share == 0.0, "what is fixed is in no contribution"


def test_what_is_not_known_is_not_told():
    found = users_of(subscription(), costs=(costing(4.0, mtok=4.0),))
    (tier,) = found.tiers
    assert (tier.source, tier.usage.share, tier.usage.loss_usd) == (None, None, None)
    assert tier.usage.line.break_even_mtok_per_user_month == 5.0, "it needs no tail"
    assert (found.unprofitable_share, found.marginal_unprofitable_share) == (None, None)
    (finding,) = found.findings
    assert (finding.code, finding.severity) == ("USAGE_UNKNOWN", "warning")
    assert finding.path == "tiers.chat.users.top_tenth_share"
    assert "ledger" in finding.remedy
    fixed = users_of(tier_dict(fixed_usd_per_year=1.0)).tiers[0]
    assert (fixed.usage.line.losers, fixed.usage.share) == (None, None), "shared by how many?"
    assert fixed.marginal.share == 0.0


def test_without_prices_only_the_usage_basis_is_told():
    spent = cost(marginal_usd=None)
    found = users_of(subscription(**HEAVY), costs=(spent,))
    assert found.tiers[0].marginal is None
    assert found.marginal_unprofitable_share is None
    assert found.unprofitable_share is not None
    assert margins_of_users_usd(margin(subscription(), costs=(spent,)), "marginal", (1,)) is None


def test_where_nothing_was_served_users_share_what_it_cost():
    """Four subscribers at 20 USD for two months; 40 USD are paid for nothing: 15 a month each."""
    spent = costing(0.0, mtok=0.0, gpu_rent_usd=40.0)
    line = margin_line(margin(subscription(), costs=(spent,)), "usage", 4)
    assert (line.flat_usd_per_user_month, line.slope_usd_per_mtok) == (15.0, 0.0)
    (tier,) = users_of(subscription(), costs=(spent,)).tiers
    assert (tier.usage.share, tier.mean_mtok_per_user_month) == (0.0, 0.0)


def test_a_ledger_is_preferred_and_only_its_proportions_count():
    """Half the users of the ledger, and a hundred times their tokens: the same shares."""
    spent = (costing(4.0, mtok=40.0),)
    tier = subscription(top_tenth_share=0.5)
    every = users_of(tier, costs=spent, ledger={"chat": (1.0, 1.0, 9.0, 9.0)}).tiers[0]
    half = users_of(tier, costs=spent, ledger={"chat": (100.0, 900.0)}).tiers[0]
    assert (half.source, half.observed_count, half.users_count) == ("ledger", 2, 4)
    assert (every.usage.share, every.usage.loss_usd) == (half.usage.share, half.usage.loss_usd)
    empty = users_of(tier, costs=spent, ledger={"chat": (0.0, 0.0)}).tiers[0]
    assert (empty.source, empty.observed_count) == ("lognormal", None)


def test_a_ledger_counts_users_that_the_file_does_not():
    tier = tier_dict(price_usd_per_mtok=1.0)
    found = users_of(tier, costs=(costing(2.0),), ledger={"chat": (1.0, 2.0, 3.0)})
    assert (found.tiers[0].users_count, found.unprofitable_share) == (3, 1.0)
    assert found.findings == ()


def test_tiers_are_weighted_by_their_users():
    """One in four of 4 subscribers, and all of 12 free users: 13 of 16; a tier without none."""
    tiers = (
        subscription(),
        tier_dict("free", users={"count": 12}, **FREE),
        tier_dict("api", price_usd_per_mtok=0.5),
    )
    names = ("chat", "free", "api")
    spent = tuple(costing(4.0, mtok=40.0, name=name) for name in names)
    ledger = {"chat": (1.0, 2.0, 3.0, 14.0)}
    found = users_of(*tiers, costs=spent, ledger=ledger)
    assert found.unprofitable_share == pytest.approx(13 / 16)
    assert [tier.usage.share for tier in found.tiers] == [0.25, 1.0, 1.0]


# ---- against Monte Carlo, and what always holds --------------------------------------------


@pytest.mark.parametrize("top_tenth_share", [0.5, 0.8])
@pytest.mark.parametrize(
    ("flat", "price", "usd_per_mtok"), [(20.0, 0.0, 3.0), (5.0, 1.0, 4.0), (-6.0, 6.0, 4.0)]
)
def test_shares_and_losses_against_monte_carlo(top_tenth_share, flat, price, usd_per_mtok):
    """A million users drawn from the lognormal: within 3 standard errors."""
    users = {"count": 10, "top_tenth_share": top_tenth_share}
    fixed = max(0.0, -flat) * 10 * 12
    users |= {"other_usd_per_user_month": max(0.0, flat)}
    tier = tier_dict(price_usd_per_mtok=price, users=users, fixed_usd_per_year=fixed)
    found = users_of(tier, costs=(costing(usd_per_mtok),)).tiers[0].usage  # mean 5 Mtok
    sigma = 1.2815515655446004 + {0.5: 0.0, 0.8: 0.8416212335729143}[top_tenth_share]
    normal = np.random.default_rng(7).standard_normal(1_000_000)
    usage = 5.0 * np.exp(sigma * normal - sigma**2 / 2)
    earned = flat + (price - usd_per_mtok) * usage
    lost, losses = earned < 0.0, np.maximum(0.0, -earned)
    error = 3.0 / math.sqrt(earned.size)
    assert found.share == pytest.approx(float(lost.mean()), abs=error * float(lost.std()))
    loss = found.loss_usd / (10 * 2.0)
    assert loss == pytest.approx(float(losses.mean()), abs=error * float(losses.std()))


def seen(seed: int) -> tuple[float, ...]:
    """Return the tokens of some users, one of whom may have asked for nothing."""
    rng = np.random.default_rng(seed)
    drawn = rng.lognormal(0.0, 1.5, int(rng.integers(2, 300)))
    return tuple(np.append(drawn, rng.choice([0.0, 1.0])).tolist())


@settings(max_examples=40)
@given(SEEDS, st.sampled_from(POLICIES))
def test_margins_of_users_sum_to_their_tier_and_to_the_company(seed, policy):
    """Sum over users - unused capacity - staff = company margin, on the usage basis, to 1e-6."""
    full, tiers = margins(seed, policy)
    whole = company_margin(full, tiers)
    size = full.allocation_usd + whole.revenue_usd
    total = -full.unused_capacity_usd - full.staff_usd
    for at, tier in enumerate(tiers):
        mtok = seen(seed + at)
        earned = margins_of_users_usd(tier, "usage", mtok)
        assert earned.sum() == pytest.approx(tier.full_margin_usd, abs=1e-9 * size)
        total += earned.sum()
        at_margin = margins_of_users_usd(tier, "marginal", mtok)
        assert (at_margin is None) == (tier.contribution_usd is None)
        if at_margin is not None:
            assert at_margin.sum() == pytest.approx(tier.contribution_usd, abs=1e-9 * size)
    assert total == pytest.approx(whole.margin_usd, abs=1e-6 * size)


@settings(max_examples=40)
@given(SEEDS, st.integers(0, 10**6))
def test_shares_losses_and_curves_are_those_of_a_count(company_seed, seed):
    """Counted user by user: who is below 0, by how much, and the worst of them added up."""
    _, tiers = margins(company_seed, "clairvoyant")
    company = paid(company_seed, "clairvoyant")[0].company
    ledger = {tier.tier: seen(seed + at) for at, tier in enumerate(tiers)}
    found = user_margins(company, tiers, ledger)
    for tier, users in zip(tiers, found.tiers, strict=True):
        for basis, told in (("usage", users.usage), ("marginal", users.marginal)):
            earned = margins_of_users_usd(tier, basis, ledger[tier.tier])
            size = float(np.abs(earned).sum())
            clear = np.abs(earned) > 1e-9 * size / earned.size
            assert told.share == pytest.approx(
                float((earned < 0.0).mean()), abs=float((~clear).mean()) + 1e-12
            )
            lost = float(-earned[earned < 0.0].sum())
            assert told.loss_usd == pytest.approx(lost, abs=1e-9 * size)
            worst = np.append(0.0, np.sort(earned).cumsum())
            places = np.linspace(0.0, earned.size, len(told.lorenz))
            curve = np.interp(places, np.arange(earned.size + 1), worst)
            mine = [point.margin_usd for point in told.lorenz]
            assert mine == pytest.approx(curve, abs=1e-8 * size)
            assert mine[-1] == pytest.approx(told.line.margin_usd, abs=1e-9 * size)
            assert sum(each.users_share for each in told.histogram) == pytest.approx(1.0)
            below = [b for b in told.histogram if (b.high_usd_per_user_month or 1.0) <= 0.0]
            if told.line.losers in ("heavy", "light"):
                below += [b for b in told.histogram if b.high_usd_per_user_month == 0.0]
                held = sum(b.users_share for b in below)
                assert held == pytest.approx(told.share, abs=float((~clear).mean()) + 1e-12)


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_users_changes_nothing(seed, random):
    mtok = list(seen(seed))
    _, tiers = margins(3, "clairvoyant")
    company = paid(3, "clairvoyant")[0].company
    before = user_margins(company, tiers, {tiers[0].tier: tuple(mtok)})
    random.shuffle(mtok)
    after = user_margins(company, tiers, {tiers[0].tier: tuple(mtok)})
    for one, other in zip(before.tiers, after.tiers, strict=True):
        assert one.usage.share == pytest.approx(other.usage.share, rel=1e-12)
        assert one.usage.loss_usd == pytest.approx(other.usage.loss_usd, rel=1e-9)


def test_the_answer_is_ready_for_json():
    found = users_of(subscription(**HEAVY), costs=(costing(4.0, mtok=200.0),)).to_dict()
    usage = found["tiers"][0]["usage"]
    assert usage["basis"] == "usage"
    assert usage["break_even_mtok_per_user_month"] == pytest.approx(5.0)
    assert found["share_unprofitable"] == usage["share"]
    assert len(usage["lorenz"]) == 101
    ends = [each["low_usd_per_user_month"] for each in usage["histogram"]]
    assert ends[0] is None
    assert ends[1:] == sorted(ends[1:])
    assert usage["histogram"][-1]["high_usd_per_user_month"] is None

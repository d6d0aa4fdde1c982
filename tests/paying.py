"""What `economics` prints of a company that loses money, by hand: no figure of it was computed.

The parts are the real ones, filled in by hand, so that their keys are those of the printed object.
A subscription whose heavy users lose, tokens by use, a free tier whose users all lose, and films.
"""

from dataclasses import replace
from typing import Any

from tokenergy.company.finding import Finding
from tokenergy.economics.books import Books, TierBooks
from tokenergy.economics.bootstrap import Band
from tokenergy.economics.exposures import Exposures
from tokenergy.economics.growth_path import GrowthPath, PathPoint, PathTurn
from tokenergy.economics.levers import Lever, lever
from tokenergy.economics.margin import TierMargin, company_margin
from tokenergy.economics.negative_scale import Scale, break_even_conversion
from tokenergy.economics.profit import ProfitCurve, ProfitPoint, Turn
from tokenergy.economics.queueing import most_utilisation
from tokenergy.economics.reconcile import Invoice, Reconciliation
from tokenergy.economics.tonight import Option, says
from tokenergy.economics.unit_cost import FullCost
from tokenergy.economics.users import (
    LorenzPoint,
    MarginBin,
    MarginLine,
    TierUsers,
    Unprofitable,
    UserMargins,
)
from tokenergy.economics.waterfall import waterfalls

HOURS_H = 336.0
WORKLOADS = {"chat-america": "plus", "agents-america": "api", "free-australia": "free"}
TIERS = {  # users, Mtok, subscriptions, tokens paid for, marginal, power, GPUs, facility
    "plus": (2_000_000, 24e6, 18.0e6, 0.0, 9.1e6, 1.9e6, 21.0e6, 4.9e6),
    "api": (None, 18e6, 0.0, 48.0e6, 6.2e6, 1.2e6, 15.5e6, 3.6e6),
    "free": (31_000_000, 19e6, 0.0, 0.0, 7.4e6, 1.4e6, 16.4e6, 3.9e6),
    "studio": (None, 0.2e6, 0.0, 1.6e6, 0.4e6, 0.1e6, 0.9e6, 0.2e6),
}

TONIGHT = (
    Option(
        choice="go on",
        profit_usd_per_year=-9.5e7,
        conversions_usd_per_year=1.8e8,
        free_served_share=1.0,
    ),
    Option(
        choice="suspend",
        profit_usd_per_year=-5.3e7,
        conversions_usd_per_year=0.0,
        free_served_share=0.0,
    ),
)


def tier_margin(tier: str) -> TierMargin:
    users, served, flat, by_use, marginal, power, silicon, powered = TIERS[tier]
    return TierMargin(
        tier=tier, users_count=users, months=HOURS_H / 730.0, served_mtok=served,
        refused_mtok=0.01 * served, served_requests_count=served * 1_000.0,
        token_revenue_usd=by_use, request_revenue_usd=0.0, subscription_revenue_usd=flat,
        other_revenue_usd=0.0, conversion_value_usd=None, marginal_usd=marginal,
        energy_mwh=power / 50.0, power_usd=power, silicon_usd=silicon,
        powered_capacity_usd=powered, network_usd=0.02e6, wear_usd=0.0, dispatch_usd=power,
        tier_fixed_usd=0.1e6 if tier == "plus" else 0.0, churn_per_month=0.05 if users else None,
        acquisition_usd_per_user=12.0 if tier == "plus" else None, meter_tier="modelled",
        energy_low_share=0.75, energy_high_share=1.4,
    )  # fmt: skip


MARGINS = tuple(tier_margin(tier) for tier in TIERS)
USED_USD = sum(tier.usage_usd for tier in MARGINS)
FIXED_USD = sum(tier.tier_fixed_usd for tier in MARGINS)
UNUSED_USD, STAFF_USD = 33.8e6, 3.1e6
PAID_USD = USED_USD + FIXED_USD + UNUSED_USD + STAFF_USD
SERVED_MTOK = sum(tier.served_mtok for tier in MARGINS)
FULL = FullCost(
    hours_h=HOURS_H, served_mtok=SERVED_MTOK, power_usd=4.6e6, silicon_usd=87.6e6,
    powered_capacity_usd=12.6e6 + 0.1 * UNUSED_USD, other_usd=STAFF_USD + FIXED_USD + 0.08e6,
    staff_usd=STAFF_USD, tier_fixed_usd=FIXED_USD, allocation_usd=PAID_USD,
    usage_usd=PAID_USD - UNUSED_USD, unused_capacity_usd=UNUSED_USD,
    allocation_usd_per_mtok=PAID_USD / SERVED_MTOK,
    usage_usd_per_mtok=(PAID_USD - UNUSED_USD) / SERVED_MTOK,
    kwh_share=4.6e6 / PAID_USD, powered_capacity_share=16e6 / PAID_USD,
    silicon_share=87.6e6 / PAID_USD, missing=("sites.ontario.facility_usd_per_kw",),
)  # fmt: skip


def user_line(basis: Any, flat: float, slope: float, *, losers_share: float) -> Unprofitable:
    """A third of the way falls, two thirds rise; 20 closed bins between two open ones."""
    ends = [flat + slope * at / 20.0 for at in range(21)]
    edges = sorted({*ends, 0.0} if min(ends) < 0.0 < max(ends) else ends)
    shares = [0.5 ** min(at + 1, 9) for at in range(len(edges) + 1)][::-1]
    top = None if flat > 0.0 else 0.0  # nobody leaves more than nothing where nothing is paid
    pairs = list(zip((None, *edges), (*edges, top), shares, strict=True))
    turn_at = 17.0 if basis == "usage" else 6.0
    return Unprofitable(
        line=MarginLine(
            basis=basis, flat_usd_per_user_month=flat, slope_usd_per_mtok=slope, margin_usd=-1e6
        ),
        share=losers_share,
        loss_usd=2.4e6,
        lorenz=tuple(
            LorenzPoint(users_share=at / 50, margin_usd=1e5 * ((at - turn_at) ** 2 - turn_at**2))
            for at in range(51)
        ),
        histogram=tuple(
            MarginBin(low_usd_per_user_month=low, high_usd_per_user_month=high, users_share=part)
            for low, high, part in pairs
            if low is None or low != high
        ),
    )


def tier_users(tier: str, flat: float, slope: float, share: float) -> TierUsers:
    marginal = user_line("marginal", flat, 0.3 * slope, losers_share=0.6 * share)
    usage = user_line("usage", flat, slope, losers_share=share)
    return TierUsers(
        tier=tier, users_count=TIERS[tier][0], observed_count=None, source="lognormal",
        mean_mtok_per_user_month=0.4, marginal=marginal, usage=usage,
    )  # fmt: skip


NOBODY = Unprofitable(
    line=MarginLine(
        basis="usage", flat_usd_per_user_month=0.0, slope_usd_per_mtok=1.5, margin_usd=2e7
    ),
    share=0.0,
    loss_usd=0.0,
)
USERS = UserMargins(
    tiers=(
        tier_users("plus", 20.0, -30.0, 0.21),
        TierUsers(
            tier="api", users_count=None, observed_count=None, source=None,
            mean_mtok_per_user_month=None, marginal=None, usage=NOBODY,
        ),
        tier_users("free", 0.0, -0.9, 1.0),
    ),
    unprofitable_share=0.952,
    marginal_unprofitable_share=0.948,
    findings=(),
)  # fmt: skip


def profit_point(ratio: float, *, kept: float) -> ProfitPoint:
    """Above 1.4 times today's users the GPUs are short; `kept` is left of the free tokens."""
    short = max(0.0, ratio - 1.4) / ratio
    served = 1.0 - short
    tiers = tuple(
        TierBooks(
            tier=tier, users_count=None if users is None else users * ratio,
            asked_mtok_per_year=mtok * 26.0 * (ratio if users else 1.0),
            served_share=served, refused_share=short, downgraded_share=0.02 * (1.0 - kept),
            revenue_usd_per_year=26.0 * (flat * ratio + by_use) * served,
            conversions_usd_per_year=4e6 if tier == "free" else 0.0,
            lost_value_usd_per_year=3e7 * short + 1e6 * (1.0 - kept),
        )
        for tier, (users, mtok, flat, by_use, *_) in TIERS.items()
    )  # fmt: skip
    books = Books(
        tiers=tiers, power_usd_per_year=1.2e8 * ratio * (0.6 + 0.4 * kept) * (1.0 + short),
        lease_usd_per_year=2.6e8 * (0.4 + 0.6 * kept) * ratio**1.5, api_usd_per_year=0.0,
        network_usd_per_year=2e6, wear_usd_per_year=0.0, capital_usd_per_year=9e8,
        fixed_usd_per_year=8e7, mw_bound_share=0.1 * ratio, gpus_bound_share=min(1.0, 0.5 * ratio),
    )  # fmt: skip
    scale = Scale(
        users_count=books.users_count,
        average_usd_per_user_year=books.cost_usd_per_year / books.users_count,
        marginal_usd_per_user_year=29.0 * (0.4 + 0.6 * kept) * ratio**0.3,
        revenue_usd_per_user_year=14.2,
        profit_usd_per_year=books.profit_usd_per_year,
    )
    return ProfitPoint(users_ratio=ratio, capacity_ratio=1.0, books=books, scale=scale)


def turn(ratio: float, *, kept: float, rises: bool) -> Turn:
    books = profit_point(ratio, kept=kept).books
    return Turn(
        users_count=books.users_count, users_ratio=ratio, rises=rises,
        profit_usd_per_year=books.profit_usd_per_year, served_share=books.served_share,
        gpus_bound_share=books.gpus_bound_share,
    )  # fmt: skip


def curve(*, kept: float) -> ProfitCurve:
    points = tuple(profit_point(10 ** (at / 6 - 1), kept=kept) for at in range(13))
    turns = (turn(0.8, kept=kept, rises=False), turn(6.0, kept=kept, rises=True))
    even = break_even_conversion(
        price_usd_per_user=234.0, free_revenue_usd_per_user=0.0, paid_cost_usd_per_user=96.0,
        free_cost_usd_per_user=24.0 * kept,
    )  # fmt: skip
    return ProfitCurve(
        capacity="stands", window_h=48.0, basis="The first 48 h stand for the year.",
        points=points, today=points[6], turns=turns if kept == 1.0 else turns[:1],
        zeros=(turn(2.1, kept=kept, rises=False),), paid_share=0.06, break_even=even, missing=(),
    )  # fmt: skip


def path() -> GrowthPath:
    points = []
    for month in range(36):
        profit = -6e7 + 3.1e6 * month
        points.append(
            PathPoint(
                month=month, solved=month % 3 == 0, users_count=33e6 * 1.03**month,
                users_ratio=1.03**month, capacity_ratio=1.0, price_ratio=0.98**month,
                tokens_ratio=1.02**month, revenue_usd_per_month=1.4e8,
                cost_usd_per_month=1.4e8 - profit, profit_usd_per_month=profit,
                cumulative_usd=sum(-6e7 + 3.1e6 * at for at in range(month + 1)),
                slope_usd_per_user_year=-15.0 + month, unserved_share=0.001 * month,
                mw_bound_share=0.1, gpus_bound_share=0.4,
            )
        )  # fmt: skip
    return GrowthPath(
        basis="The first 48 h stand for a month.", window_h=48.0, every_months=3,
        points=tuple(points), turns=(PathTurn(month=15.0, users_count=5.1e7, rises=True),),
        standing=("the models that answer",), missing=(),
    )  # fmt: skip


def moved(name: str, low: float, high: float, **more: Any) -> Lever:
    base = 0.4 if more.get("metric") == "margin" else FULL.allocation_usd_per_mtok
    assert base is not None
    return lever(name, low_usd_per_mtok=base + low, base_usd_per_mtok=base,
                 high_usd_per_mtok=base + high, move_share=0.5, **more)  # fmt: skip


LEVERS = (
    moved("throughput", 1.71, -0.57),
    moved("utilisation", 1.62, -0.41, capped=True),
    moved("hardware_price", -0.68, 0.68),
    moved("token_price", -0.55, 0.55, metric="margin"),
    moved("life", 0.6, -0.2),
    moved("wacc", -0.12, 0.13),
    moved("power_price", -0.04, 0.04),
    moved("watts", -0.04, 0.04),
)
INVOICES = (
    Invoice(kind="power", of="texas-spot", usd=4.1e6),
    Invoice(kind="power", of="texas-wind", usd=0.5e6),
    Invoice(kind="gpu", of="texas-b200", usd=PAID_USD - 7.8e6),
    Invoice(kind="staff", of="Meridian", usd=STAFF_USD),
)
BILLS = Reconciliation(
    invoices=INVOICES, invoiced_usd=PAID_USD - 0.1e6, tiers_usd=USED_USD,
    unused_capacity_usd=UNUSED_USD, fixed_usd=STAFF_USD + FIXED_USD, residual_usd=-0.1e6,
    residual_share=-0.1e6 / PAID_USD,
)  # fmt: skip
EXPOSURES = Exposures(
    volume_usd=3.9e6, price_usd=0.3e6, shape_usd=-0.2e6, covariance_usd=0.12e6, basis_usd=0.0,
    total_usd=4.12e6, charges_usd=0.48e6, budget_usd_per_mwh=46.0, load_mwh=92_000.0,
    contracted_mwh=31_000.0, hedge_share=0.337, overhedged_mwh=450.0, capture_usd_per_mwh=38.4,
    strike_usd_per_mwh=34.5,
)  # fmt: skip
BAND = Band(usd=55_000.0, low_usd=-8_000.0, high_usd=121_000.0, p10_usd=4_000.0, p90_usd=99_000.0,
            block_h=24.0, blocks_count=14)  # fmt: skip
SAVINGS = {
    "policy": "mpc", "baseline": "greedy_battery", "saving": BAND.to_dict(),
    "saving_usd": 55_000.0, "of_cost_share": 0.081, "of_full_share": 0.00037, "regret_usd": 8_000.0,
    "regret_share": 0.0134,
}  # fmt: skip
SHORT = Finding(code="BOOTSTRAP_SHORT", path="horizon.days", reason="bands need four weeks",
                remedy="Lengthen the horizon", severity="warning")  # fmt: skip


def economics(**changes: Any) -> dict[str, Any]:
    """Return the object; `changes` replace panels."""
    margin = company_margin(FULL, MARGINS)
    today = curve(kept=1.0)
    scale = {
        "capacity": "stands", "paid_share": 0.06, "break_even_share": 0.148,
        "n_star_count": list(today.n_star_count), "today": today.to_dict(),
        "restrained": curve(kept=0.47).to_dict(),
        "following": profit_point(1.0, kept=1.0).to_dict() | {"marginal_usd_per_user_year": 41.0},
        "restraint": ["free: caps a user at 3 times the mean; nobody is taken to leave."],
        "growth": path().to_dict(), "growth_restrained": path().to_dict(),
        "tonight": [option.to_dict() for option in TONIGHT],
        "tonight_says": list(says(TONIGHT, currency="USD")),
    }  # fmt: skip
    panels = {
        "currency": "USD", "policy": "mpc", "hours_h": HOURS_H,
        "usd_per_mtok_full": FULL.allocation_usd_per_mtok,
        "usd_per_mtok_usage": FULL.usage_usd_per_mtok, "usd_per_mtok_marginal": 0.377,
        "usd_per_mtok_price": margin.revenue_usd / SERVED_MTOK, "share_kwh": FULL.kwh_share,
        "message": "", "mw_binds_h": 22.0, "mw_rent_usd_per_mwh": 61.0, "gpu_used_share": 0.7,
        "utilisation_slo": [
            most_utilisation(slots_count=slots, wait_ratio=wait).to_dict()
            for slots in (4, 64) for wait in (0.0, 2.0)
        ],
        "burn_says": "Today 1 USD are burnt in a year.",
        "margin_usd": margin.margin_usd,
        "margin_by_tier": [tier.to_dict() for tier in MARGINS],
        "unused_capacity_usd": UNUSED_USD, "full_cost": FULL.to_dict(), "scale": scale,
        "break_even_usage": {"case": "none_suffices", "conversion_share": None},
        "presets": [], "findings": [SHORT.to_dict()],
        "answer": [
            "A Mtok costs 1.93 in full.", "The company loses 51.2 M of 67.6 M in revenue.",
            "One more user loses; it turns twice.", "Throughput moves most.", "Dispatch saves.",
        ],
        "company_margin": margin.to_dict(),
        "cost_by_workload": [
            {"workload": name, "tier": tier} for name, tier in WORKLOADS.items()
        ] + [{"workload": "films", "tier": "studio"}],
        "waterfalls": [each.to_dict() for each in waterfalls(FULL, MARGINS)],
        "users": USERS.to_dict(), "levers": [each.to_dict() for each in LEVERS],
        "reconciliation": BILLS.to_dict(), "savings": SAVINGS,
        "cost_band": replace(BAND, usd=492e3, low_usd=41e4, high_usd=57e4, p10_usd=43e4,
                             p90_usd=55e4).to_dict(),
        "exposures": EXPOSURES.to_dict(),
    }  # fmt: skip
    return panels | changes

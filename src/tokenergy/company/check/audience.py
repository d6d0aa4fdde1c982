"""Who holds a tier, how it grows, what others published: what the numbers leave untold."""

from collections.abc import Iterator
from typing import Final

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.preset import select
from tokenergy.company.tier import Tier
from tokenergy.company.users import Users
from tokenergy.units import H_PER_DAY, H_PER_MONTH, S_PER_H

MOST_REQUESTS_PER_DAY_COUNT: Final = 1e4
"""More than any user asks for in a day: one every nine seconds, day and night."""
LEAST_REQUESTS_PER_DAY_COUNT: Final = 1e-4
"""Less than any user asks for in a day: one in 27 years."""
MOST_NEW_SHARE_PER_MONTH: Final = 0.5
"""At half of all that pay, every month, a year would make more than a hundred of each."""
PRESET_MONEY: Final = "USD"


def check_audience(
    parts: Parts, catalogue: Catalogue, *, allow_unverified: bool = False
) -> Iterator[Finding]:
    """Yield what users, growth and presets leave untold, or contradict.

    `allow_unverified`: a preset of which nobody has checked any figure is no error.
    """
    for path, tier in parts.placed("tiers"):
        if tier.users is not None:
            yield from _rate(path, tier, tier.users, parts)
            yield from _lifetime(path, tier, tier.users)
            yield from _conversion(path, tier, tier.users, parts)
    yield from _nobody_pays(parts)
    yield from _nobody_grows(parts)
    yield from _mix(parts)
    yield from _presets(parts, catalogue, allow_unverified=allow_unverified)


# ---- users ---------------------------------------------------------------------------------


def _rate(path: str, tier: Tier, users: Users, parts: Parts) -> Iterator[Finding]:
    """Compare the users of a tier with what arrives of it."""
    rates_per_s = _arrivals_per_s(tier, parts)
    if rates_per_s is None:
        return
    day_s = H_PER_DAY * S_PER_H
    per_day_count = rates_per_s * day_s / users.count
    if not LEAST_REQUESTS_PER_DAY_COUNT <= per_day_count <= MOST_REQUESTS_PER_DAY_COUNT:
        most = per_day_count > MOST_REQUESTS_PER_DAY_COUNT
        limit_count = MOST_REQUESTS_PER_DAY_COUNT if most else LEAST_REQUESTS_PER_DAY_COUNT
        fitting = f"{rates_per_s * day_s:.3g} requests a day arrive in all"
        yield Finding(
            code="USERS_IMPLAUSIBLE",
            path=f"{path}.users.count",
            value=f"{per_day_count:.3g}",
            limit=f"{limit_count:g}",
            unit="requests per user and day",
            reason=f"the {users.count:,} users of tier {tier.name!r} would each ask for so "
            f"{'much' if most else 'little'}: {fitting}",
            remedy="Correct users.count (users, not thousands of them), or the arrivals "
            "(requests per second) of the tier's workloads",
            severity="warning",
        )


def _conversion(path: str, tier: Tier, users: Users, parts: Parts) -> Iterator[Finding]:
    """Compare the subscribers that a tier is believed to bring with those that there are."""
    rates_per_s, belief = _arrivals_per_s(tier, parts), tier.from_conversion
    if rates_per_s is None or belief is None or parts.lost("tiers") or "tiers" in parts.unread:
        return
    month_s = H_PER_MONTH * S_PER_H
    new_count = rates_per_s * month_s * belief.uplift_share
    paying = [t.users.count for t in parts.tiers if t.users is not None and not t.is_free]
    of_count = sum(paying) or users.count
    if new_count <= MOST_NEW_SHARE_PER_MONTH * of_count:
        return
    whom = f"the {of_count:,} that pay" if paying else f"its own {of_count:,}"
    fitting_share = belief.uplift_share * MOST_NEW_SHARE_PER_MONTH * of_count / new_count
    yield Finding(
        code="CONVERSION_IMPLAUSIBLE",
        path=f"{path}.from_conversion.uplift_share",
        value=f"{new_count / of_count:.2f}",
        limit=f"{MOST_NEW_SHARE_PER_MONTH:g}",
        unit="new subscribers a month over users",
        reason=f"by this belief the requests of tier {tier.name!r} bring {new_count:,.0f} new "
        f"subscribers a month, against {whom}",
        remedy="uplift_share is of one request, not of a user: state how many of them bring a "
        f"subscriber, below {fitting_share:.2g}, or correct the users or the arrivals",
        severity="warning",
    )


def _arrivals_per_s(tier: Tier, parts: Parts) -> float | None:
    """Return the mean arrivals of a tier, None where a workload tells no mean or is unreadable."""
    if parts.lost("workloads") or "workloads" in parts.unread:
        return None
    means = [w.arrivals.mean_requests_per_s for w in parts.workloads if w.tier == tier.name]
    if any(mean is None for mean in means):
        return None
    return sum(mean for mean in means if mean is not None)


def _lifetime(path: str, tier: Tier, users: Users) -> Iterator[Finding]:
    """Say which of lifetime value, payback and their ratio cannot be told."""
    churn_path = f"{path}.users.churn_share_per_month"
    if users.churn_share_per_month == 0.0:
        yield Finding(
            code="LIFETIME_ENDLESS",
            path=churn_path,
            value="0",
            limit="> 0",
            unit="per month",
            reason=f"nobody ever leaves tier {tier.name!r}: the lifetime value of a user, "
            "margin over churn, has no end",
            remedy="State the share of users that leaves in a month, or leave it out",
            severity="warning",
        )
    if users.acquisition_usd_per_user is not None and users.churn_share_per_month is None:
        yield Finding(
            code="LIFETIME_UNTOLD",
            path=f"{path}.users.acquisition_usd_per_user",
            value=f"{users.acquisition_usd_per_user:g}",
            unit="USD/user",
            reason=f"what a user of tier {tier.name!r} costs to win is stated, and how long one "
            "stays is not: payback can be told, lifetime value over it cannot",
            remedy="State churn_share_per_month beside it",
            severity="warning",
        )


def _nobody_pays(parts: Parts) -> Iterator[Finding]:
    """Say that conversion cannot be told: it is the share of users in a tier that pays."""
    if parts.lost("tiers") or "tiers" in parts.unread:
        return
    held = [(path, tier) for path, tier in parts.placed("tiers") if tier.users is not None]
    if held and all(tier.is_free for _, tier in held):
        yield Finding(
            code="NO_PAYING_USERS",
            path=held[0][0],
            value="0",
            limit="1 or more",
            unit="tiers with users that pay",
            reason="every tier with users is free: no share of users pays, so neither the "
            "conversion nor the one that would break even can be told",
            remedy="Add users: {count: ...} to the tier that a free user may change to",
            severity="warning",
        )


# ---- growth --------------------------------------------------------------------------------


def _nobody_grows(parts: Parts) -> Iterator[Finding]:
    told = not parts.lost("tiers") and "tiers" not in parts.unread
    if parts.grows and told and not any(tier.users for tier in parts.tiers):
        yield Finding(
            code="GROWTH_WITHOUT_USERS",
            path="growth",
            value="0",
            limit="1 or more",
            unit="tiers with users",
            reason="growth multiplies users, and no tier says how many it has",
            remedy="Add users: {count: ...} to each tier that grows, or leave growth out",
        )


def _mix(parts: Parts) -> Iterator[Finding]:
    """Yield steps of the model mix that stand twice, or after the end of the path."""
    first: dict[tuple[str, float], str] = {}
    for path, step in parts.mix:
        key = (step.workload, step.month)
        if key in first:
            yield Finding(
                code="MIX_TWICE",
                path=path,
                value=f"{step.workload} from month {step.month:g}",
                reason=f"{first[key]} says which models answer {step.workload!r} from that month "
                "on already",
                remedy="Keep one of the two, or give them different months",
            )
        first.setdefault(key, path)
        if parts.growth is not None and step.month >= parts.growth.months:
            yield Finding(
                code="MIX_AFTER_PATH",
                path=f"{path}.month",
                value=f"{step.month:g}",
                limit=f"< {parts.growth.months}",
                unit="months",
                reason=f"the models of {step.workload!r} would change after the path has ended",
                remedy="Lengthen growth.months, or leave the step out",
                severity="warning",
            )


# ---- presets -------------------------------------------------------------------------------


def _presets(parts: Parts, catalogue: Catalogue, *, allow_unverified: bool) -> Iterator[Finding]:
    """Look up the presets that a company names; theirs is US money, and nothing converts it."""
    placed = tuple(parts.placed("presets"))
    names = [name for _, name in placed]
    loaded, findings = select(
        catalogue.presets,
        names,
        at=parts.horizon.start if parts.horizon is not None else None,
        allow_unverified=allow_unverified,
        paths=[path for path, _ in placed],
    )
    yield from findings
    if parts.currency == PRESET_MONEY:
        return
    money = {row.preset for row in loaded if row.is_money}
    for path, name in placed:
        if name in money:
            yield Finding(
                code="CURRENCY_MIXED",
                path=path,
                value=PRESET_MONEY,
                limit=parts.currency,
                reason=f"preset {name!r} is in {PRESET_MONEY}, the company's money is "
                f"{parts.currency}, and no rate of exchange is known here",
                remedy=f"Leave it out, or state the company in {PRESET_MONEY}",
            )

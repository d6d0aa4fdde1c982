"""The tables of users: who loses money, what restraint changes, and the path of growth."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenergy.page.html import Column, Line, lines_table, table
from tokenergy.page.number import amount, known, money, percent, significant
from tokenergy.page.pay_rows import TODAY, fate_of, heaviest_tenth_share, lines_of_users
from tokenergy.page.rows import Given, Row, unique
from tokenergy.page.stated import Stated

EVERY_MONTHS = 6
"""Months from one row of the path of growth to the next."""
NO_BREAK_EVEN = {
    "always_profitable": "any",
    "none_suffices": "none suffices",
    "none_helps": "none helps",
}
"""What stands for a break-even conversion where there is none."""
FATE = (
    "users_count", "asked_mtok_per_year", "served_share", "downgraded_share",
    "revenue_usd_per_year", "lost_value_usd_per_year",
)  # fmt: skip
"""What a restraint may change of a tier's work."""
MOVED_SHARE = 1e-4
"""A figure that moves less than this share of itself is the same."""
LOSERS = {
    "none": "nobody",
    "all": "everybody",
    "heavy": "who asks for more",
    "light": "who asks for less",
}


def users_table(economics: Given, stated: Stated) -> str:
    """Return who loses money in each tier, on both bases."""
    rows: list[Row] = []
    for tier, basis, figures in lines_of_users(economics):
        even = figures["break_even_mtok_per_user_month"]
        losers = LOSERS.get(str(figures["losers"]), "not known")
        rows.append(
            {
                "tier": f"{tier['tier']}, {basis}",
                "users": tier["users_count"],
                "mean": tier["mean_mtok_per_user_month"],
                "tenth": heaviest_tenth_share(tier),
                "even": even,
                "losers": losers,
                "share": figures["share"],
                "loss": figures["loss_usd"],
                "source": tier["source"] or "not known",
            }
        )
    columns = [
        Column(title="Tier, basis", name="tier"),
        Column(title="Users", name="users", write=amount),
        Column(title="Mean, Mtok a month", name="mean", write=significant),
        Column(title="Heaviest tenth asks for", name="tenth", write=percent),
        Column(title="Break-even, Mtok a month", name="even", write=significant),
        Column(title="Who loses", name="losers"),
        Column(title="Users that lose", name="share", write=percent),
        Column(title=f"Their loss, {stated.currency}", name="loss", write=money),
        Column(title="Usage from", name="source"),
    ]
    basis = "marginal: tokens at the margin; usage: all they used, and what is fixed for the tier"
    return table(
        "Users that cost more than they bring",
        stated.subtitle(stated.currency, basis),
        columns,
        rows,
    )


def today_table(
    curves: Mapping[str, Given], stated: Stated, *, following: Given | None, by_use: Given | None
) -> str:
    """Return the year at today's users, as it is and under restraint.

    Args:
        curves: by case.
        stated: what the table states.
        following: the point of today at which capacity is bought for one user more.
        by_use: the break-even conversion where a user costs what its tokens use.
    """
    points = {case: curve["today"] for case, curve in curves.items()}
    fates = {case: fate_of(point) for case, point in points.items()}

    def of(name: str) -> list[Any]:
        return [point.get(name) for point in points.values()]

    turns = [
        ", ".join(amount(users) for users in curve["n_star_count"]) for curve in curves.values()
    ]
    evens = [_break_even(curve.get("break_even")) for curve in curves.values()]
    bought = (following or {}).get("marginal_usd_per_user_year")
    paid = [curve.get("paid_share") for curve in curves.values()]
    lines: list[Line] = [
        ("Profit", money, of("profit_usd_per_year")),
        ("Revenue", money, of("revenue_usd_per_year")),
        ("Cost", money, of("cost_usd_per_year")),
        ("of it power", percent, of("energy_share")),
        ("Users", amount, of("users_count")),
        ("Asked for, Mtok", amount, [fate["asked_mtok_per_year"] for fate in fates.values()]),
        ("Served", percent, [fate["served_share"] for fate in fates.values()]),
        ("Refused", percent, [fate["refused_share"] for fate in fates.values()]),
        ("Downgraded", percent, [fate["downgraded_share"] for fate in fates.values()]),
        ("Value lost", money, of("lost_value_usd_per_year")),
        ("Value of conversions, in no profit", money, of("conversions_usd_per_year")),
        ("Hours at a GPU limit", percent, of("gpus_bound_share")),
        ("Hours at a MW limit", percent, of("mw_bound_share")),
        ("One more user costs", significant, of("marginal_usd_per_user_year")),
        ("the same, capacity bought along", significant, _only(curves, bought)),
        ("One more user brings", significant, of("revenue_usd_per_user_year")),
        ("Elasticity of cost", significant, of("elasticity_ratio")),
        ("Users at which growth turns", amount, [turn or "nowhere" for turn in turns]),
        ("Break-even conversion, one more user", _conversion, evens),
        ("Break-even conversion, by what is used", _conversion, _only(curves, _break_even(by_use))),
        ("Users that pay", _conversion, paid),
    ]
    return lines_table(
        "A year at the users of the file",
        stated.subtitle(f"{stated.currency} a year", "everything that is paid, capital included"),
        ["", *curves],
        lines,
        shown="Profit",
    )


def tonight_table(options: Sequence[Given], stated: Stated) -> str:
    """Return what going on, restraining and suspending the free tiers comes to, in a year."""
    columns = [
        Column(title="What to do", name="choice"),
        Column(title=f"Profit, {stated.currency}", name="profit_usd_per_year", write=money),
        Column(
            title="Subscriptions to come, believed", name="conversions_usd_per_year", write=money
        ),
        Column(title="Both", name="believed_usd_per_year", write=money),
        Column(title="Free work made", name="free_served_share", write=percent),
    ]
    return table(
        "The free tiers tonight",
        stated.subtitle(stated.currency, "cash, and what the file believes conversions are worth"),
        columns,
        options,
    )


def fate_table(curves: Mapping[str, Given], stated: Stated) -> str:
    """Return what becomes of each tier's work, today and under restraint."""
    rows: list[Row] = []
    for case, curve in curves.items():
        for tier in curve["today"]["tiers"]:
            before = next((row for row in rows if row["tier"] == tier["tier"]), None)
            if before is None or any(_moved(before[name], tier[name]) for name in FATE):
                rows.append(dict(tier) | {"of": f"{tier['tier']}, {case}"})
    order = unique(row["tier"] for row in rows)
    rows.sort(key=lambda row: order.index(row["tier"]))
    columns = [
        Column(title="Tier", name="of"),
        Column(title="Users", name="users_count", write=amount),
        Column(title="Asked for, Mtok", name="asked_mtok_per_year", write=amount),
        Column(title="Served", name="served_share", write=percent),
        Column(title="Refused", name="refused_share", write=percent),
        Column(title="Downgraded", name="downgraded_share", write=percent),
        Column(title="Revenue", name="revenue_usd_per_year", write=money),
        Column(title="Value lost", name="lost_value_usd_per_year", write=money),
    ]
    unit = f"{stated.currency} a year"
    return table(
        "What becomes of each tier's work",
        stated.subtitle(unit, "tiers that restraint leaves alone have one row"),
        columns,
        rows,
    )


def _moved(before: float | None, after: float | None) -> bool:
    """Tell whether two figures differ by more than rounding."""
    if not known(before) or not known(after):
        return before is not after
    return abs(after - before) > MOVED_SHARE * max(abs(before), abs(after))


def growth_table(points: Sequence[Given], stated: Stated, *, under: str = "") -> str:
    """Return the path of growth, one row in so many months, and the last.

    Args:
        points: month by month.
        stated: what the table states.
        under: what the company is under on this path, for the caption.
    """
    last = points[-1]["month"]
    rows = [point for point in points if point["month"] % EVERY_MONTHS == 0 or point is points[-1]]
    columns = [
        Column(title="Month", name="month"),
        Column(title="Users", name="users_count", write=amount),
        Column(title="Capacity, of today's", name="capacity_ratio", write=significant),
        Column(title="Tokens a user, of today's", name="tokens_ratio", write=significant),
        Column(title="Price of a token, of today's", name="price_ratio", write=significant),
        Column(title="Profit of the month", name="profit_usd_per_month", write=money),
        Column(title="Since the start", name="cumulative_usd", write=money),
        Column(title="Not served", name="unserved_share", write=percent),
        Column(title="Hours at a GPU limit", name="gpus_bound_share", write=percent),
        Column(title="Hours at a MW limit", name="mw_bound_share", write=percent),
    ]
    return table(
        f"The path of growth{f' {under}' if under else ''}, every {EVERY_MONTHS} months to month "
        f"{last}",
        stated.subtitle(f"{stated.currency} a month", "everything that is paid"),
        columns,
        rows,
    )


def _only(curves: Mapping[str, Given], figure: Any) -> list[Any]:
    """Return a figure that is known of today's case alone."""
    return [figure if case == TODAY else None for case in curves]


def _break_even(found: Given | None) -> float | str | None:
    """Return the conversion at which a user brings what it costs, or why there is none."""
    if found is None:
        return None
    share: float | None = found.get("conversion_share")
    return NO_BREAK_EVEN.get(str(found.get("case"))) if share is None else share


def _conversion(share: float) -> str:
    return percent(share, 2)

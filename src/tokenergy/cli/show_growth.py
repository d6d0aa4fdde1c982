"""The panel of growth: profit against users and along a path, today and under restraint."""

from tokenergy.api.earning import Economics
from tokenergy.cli.columns import console, figure, percent, put, say
from tokenergy.economics.growth_path import GrowthPath
from tokenergy.economics.profit import ProfitPoint

EVERY_MONTHS = 6
"""Months from one row of the path of growth to the next."""


def scale(result: Economics) -> None:
    """Panel 4: profit against users, today and under restraint, with every turn."""
    grown = result.grown
    if grown is None:
        say("4  Profit against users: no tier has users, so there is none")
        return
    today, limited = grown.today, grown.restrained
    rows = []
    for at, point in enumerate(today.points):
        row = [figure(point.books.users_count, 0), *_curve_cells(point)]
        if limited is not None:
            row += _curve_cells(limited.points[at])
        rows.append(row)
    right = ["profit", "next user", "served", "to come"]
    if limited is not None:
        right += ["restrained", "next user", "served", "to come"]
    put(
        "4  Profit against users on the capacity that stands, thousand USD a year",
        rows,
        left=("users",),
        right=right,
    )
    say("next user: USD that one more user adds to the profit of a year; served: of what is asked")
    if any(point.books.conversions_usd_per_year for point in today.points):
        say("to come: subscriptions that free work is believed to bring; no cash, in no profit")
    if limited is not None:
        stay, of = limited.today.books.users_count, today.today.books.users_count
        if stay < of:
            say(
                f"restrained: the same row once some have left; of {of:,.0f} users {stay:,.0f} stay"
            )
    say(today.basis)
    say(grown.line())
    for line in grown.says():
        say(line)


def _curve_cells(point: ProfitPoint) -> list[str]:
    books = point.books
    return [
        _thousands(books.profit_usd_per_year),
        figure(point.slope_usd_per_user_year, 2),
        percent(books.served_share, 1),
        _thousands(books.conversions_usd_per_year),
    ]


def _thousands(usd: float) -> str:
    return figure(usd / 1e3, 0 if abs(usd) >= 1e5 else 1)


def path(result: Economics) -> None:
    """Print the path of growth, where the file has one, and the same under its restraint."""
    grown = result.grown
    if grown is None or grown.path is None:
        return
    _path("   Along the path of growth", grown.path)
    if (burn := result.burn_line()) is not None:
        say(burn)
    if grown.restrained_path is not None:
        console.print()
        _path("   The same path with restraint", grown.restrained_path)


def _path(title: str, drawn: GrowthPath) -> None:
    prices = [point.price_ratio for point in drawn.points]
    tokens = [point.tokens_ratio for point in drawn.points]
    put(
        title,
        [
            [
                f"{point.month:g}",
                figure(point.users_count, 0),
                f"{point.capacity_ratio:.2f}",
                f"{point.price_ratio:.2f}" if min(prices) < max(prices) else "-",
                f"{point.tokens_ratio:.2f}" if min(tokens) < max(tokens) else "-",
                figure(point.profit_usd_per_month, 0),
                figure(point.cumulative_usd, 0),
                percent(1.0 - point.unserved_share, 1),
                percent(point.mw_bound_share, 0),
                percent(point.gpus_bound_share, 0),
            ]
            for point in drawn.points
            if point.month % EVERY_MONTHS == 0 or point is drawn.points[-1]
        ],
        left=("month",),
        right=(
            "users", "capacity x", "price x", "tokens x", "USD/month", "since start", "served",
            "MW bind", "GPUs bind",
        ),
    )  # fmt: skip
    say("x: times today's; MW bind: of the site-hours; GPUs bind: of the fleet-hours")
    for line in drawn.says():
        say(line)

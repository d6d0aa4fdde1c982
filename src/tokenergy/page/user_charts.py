"""The charts of users: what they earn together and one by one, and what growth does to profit."""

from typing import Any

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import WIDTH_PX, Rows, dashes, legend, panels, shapes, titled, with_rows
from tokenergy.page.stated import Stated

DASHES = {"marginal": (5, 3), "usage": (1, 0), "today": (1, 0), "with restraint": (7, 4)}
BAR_SHARE = 0.6
"""Width of a month's bar, of the month."""
_SHARE = alt.Axis(format="~%", tickCount=5)
MARKS = {"users of the file": "circle", "growth turns": "triangle-down", "breaks even": "cross"}
_BASES = "marginal: tokens at the margin; usage: all they used"


def whale_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what the users of each tier earn together, from the worst user on.

    Args:
        rows: `page.pay_rows.whale_rows`.
        stated: what the chart states.
    """
    bases = [basis for basis in palette.BASES if _any(rows, "basis", basis)]
    zero = alt.Chart().mark_rule(style="zero", aria=False).encode(y=alt.datum(0.0))
    lines = (
        alt.Chart()
        .mark_line(strokeWidth=2.5, aria=False)
        .encode(
            x=alt.X("users_share:Q", title="users, from the worst on", axis=_SHARE),
            y=alt.Y(
                "margin_usd:Q",
                title=f"earned together, {stated.currency}",
                axis=alt.Axis(format="~s", tickCount=5, minExtent=46),
            ),
            color=legend("basis", palette.BASES, bases, of_lines=True),
            strokeDash=dashes("basis", DASHES, bases),
            tooltip=[
                alt.Tooltip("tier:N"),
                alt.Tooltip("basis:N"),
                alt.Tooltip("users_share:Q", title="worst users", format=".0%"),
                alt.Tooltip(
                    "margin_usd:Q", title=f"earn together, {stated.currency}", format=",.0f"
                ),
            ],
        )
    )
    layers = alt.layer(zero, lines, data=alt.NamedData(name="whale"))
    chart = panels(
        layers.properties(width=WIDTH_PX / 2 - 60, height=170),
        by="tier",
        names=[row["tier"] for row in rows],
        title=titled(
            "What users earn together, from the worst on",
            stated.subtitle(stated.currency, _BASES),
        ),
        spacing=alt.RowColnumber(row=84, column=84),
    )
    return with_rows(chart, whale=rows)


def histogram_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show how many users leave how much in a month, by tier and basis.

    Args:
        rows: `page.pay_rows.histogram_rows`.
        stated: what the chart states.
    """
    unit = f"{stated.currency} a user and month"
    results = [result for result in palette.RESULTS if _any(rows, "result", result)]
    bars = (
        alt.Chart()
        .mark_rect(aria=False)
        .encode(
            x=alt.X(
                "from_usd:Q",
                title=unit,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(format=",~r", grid=False, tickCount=5),
            ),
            x2="to_usd:Q",
            y=alt.Y(
                "height_share:Q",
                title="share of users",
                axis=alt.Axis(format="~%", tickCount=4, minExtent=46),
            ),
            y2=alt.datum(0.0),
            color=legend("result", palette.RESULTS, results),
            tooltip=[
                alt.Tooltip("panel:N", title="tier, basis"),
                alt.Tooltip("range:N", title=unit),
                alt.Tooltip("users_share:Q", title="users", format=".2%"),
            ],
        )
    )
    layers = alt.layer(bars, data=alt.NamedData(name="histogram"))
    chart = panels(
        layers.properties(width=WIDTH_PX / 2 - 60, height=130),
        by="panel",
        names=[row["panel"] for row in rows],
        title=titled(
            "How much a user leaves in a month",
            stated.subtitle(unit, _BASES),
        ),
        spacing=alt.RowColnumber(row=84, column=84),
        scales=("x", "y"),
    )
    return with_rows(chart, histogram=rows)


def profit_chart(
    rows: Rows, marks: Rows, *, stated: Stated, capacity: str, keyed: bool = False
) -> Any:
    """Show profit against users, today and with restraint, and where growth turns.

    Args:
        rows, marks: `page.pay_rows.profit_rows`, `page.pay_rows.profit_marks`.
        stated: what the chart states.
        capacity: whether it stands or follows.
        keyed: whether what the marks mean stands beside the chart already.
    """
    unit = f"{stated.currency} a year"
    log = alt.Scale(type="log", nice=False, padding=14)
    axis = alt.Axis(format="~s", tickCount=6, grid=False)
    users = alt.X("users_count:Q", title="users, logarithmic", scale=log, axis=axis)
    axis = alt.Axis(format="~s", tickCount=6, minExtent=46)
    money = alt.Y("profit_usd_per_year:Q", title=f"profit, {unit}", axis=axis)
    tips = [
        alt.Tooltip("case:N"),
        alt.Tooltip("users_count:Q", title="users", format=",.4~s"),
        alt.Tooltip("profit_usd_per_year:Q", title=f"profit, {unit}", format=",.4~s"),
    ]
    basis = f"capacity {capacity}; everything that is paid, no conversions"
    chart = alt.layer(*_profit_lines(rows, users, money, tips)).properties(
        width=WIDTH_PX - 110,
        height=300,
        title=titled("Profit against users", stated.subtitle(unit, basis)),
    )
    places = shapes("what", MARKS, list(MARKS))
    found = alt.Chart(alt.NamedData(name="profit_marks")).mark_point(
        filled=True, size=150, opacity=1.0, style="ink-fill", aria=False
    )
    found = found.encode(
        x=users,
        y=money,
        shape=places.legend(None) if keyed else places,
        tooltip=[alt.Tooltip("what:N"), *tips],
    )
    return with_rows(chart + found, profit=rows, profit_marks=marks)


def _profit_lines(rows: Rows, users: alt.X, money: alt.Y, tips: list[alt.Tooltip]) -> list[Any]:
    """Return zero, and the lines of the cases."""
    base = alt.Chart(alt.NamedData(name="profit"))
    zero = base.mark_rule(style="zero", aria=False).encode(y=alt.datum(0.0))
    points = alt.OverlayMarkDef(size=26, filled=True)
    cases = [case for case in palette.CASES if _any(rows, "case", case)]
    more = [
        alt.Tooltip("served_share:Q", title="served of what is asked", format=".1%"),
        alt.Tooltip("adds_usd_per_user_year:Q", title="one more adds", format=",.3~r"),
    ]
    lines = base.mark_line(strokeWidth=2.5, point=points, aria=False).encode(
        x=users,
        y=money,
        color=legend("case", palette.CASES, cases, of_lines=True),
        strokeDash=dashes("case", DASHES, cases),
        tooltip=[*tips, *more],
    )
    return [zero, lines]


def growth_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show profit by month along the path of users, and the users above it.

    Args:
        rows: month, users_count, profit_usd_per_month, result.
        stated: what the chart states.
    """
    unit = f"{stated.currency} a month"
    base = alt.Chart(alt.NamedData(name="growth")).transform_calculate(
        begins=f"datum.month - {BAR_SHARE / 2}", ends=f"datum.month + {BAR_SHARE / 2}"
    )
    tips = [
        alt.Tooltip("month:Q"),
        alt.Tooltip("users_count:Q", title="users", format=",.4~s"),
        alt.Tooltip("profit_usd_per_month:Q", title=unit, format=",.4~s"),
    ]

    def month(field: str, title: str | None) -> alt.X:
        axis = alt.Axis(grid=False, tickMinStep=1, title=title)
        return alt.X(f"{field}:Q", axis=axis, scale=alt.Scale(nice=False, zero=False, padding=10))

    users = base.mark_line(color=palette.BLUE, strokeWidth=2.5, aria=False).encode(
        x=month("month", None),
        y=alt.Y(
            "users_count:Q", title="users", axis=alt.Axis(format="~s", tickCount=4, minExtent=46)
        ),
        tooltip=tips,
    )
    results = [result for result in palette.RESULTS if _any(rows, "result", result)]
    profit = base.mark_rect(aria=False).encode(
        x=month("begins", "months from the start of the horizon"),
        x2="ends:Q",
        y=alt.Y(
            "profit_usd_per_month:Q",
            title=unit,
            axis=alt.Axis(format="~s", tickCount=5, minExtent=46),
        ),
        y2=alt.datum(0.0),
        color=legend("result", palette.RESULTS, results),
        tooltip=tips,
    )
    size = {"width": WIDTH_PX - 110}
    chart = alt.vconcat(
        users.properties(height=90, **size), profit.properties(height=190, **size), spacing=22
    ).properties(
        title=titled(
            "Along the path of growth",
            stated.subtitle(unit, "users as the file says; everything that is paid"),
        )
    )
    return with_rows(chart, growth=rows)


def _any(rows: Rows, field: str, value: str) -> bool:
    return any(row[field] == value for row in rows)

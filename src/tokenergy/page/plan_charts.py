"""The charts of a plan: what is built of the most, worth beside cost, bounds, exposures, regret."""

from typing import Any, Final

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import WIDTH_PX, Rows, legend, titled, with_rows
from tokenergy.page.rows import unique
from tokenergy.page.stated import Stated

_NAMES: Final = alt.Axis(labelLimit=260, ticks=False, domain=False, labelPadding=8)


def built_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show how much of the most of every candidate is built.

    Args:
        rows: name, kind, built_share, size_text, most_text.
        stated: what the chart states.
    """
    order = [row["name"] for row in rows]
    kinds = [kind for kind in palette.NOUNS if any(row["kind"] == kind for row in rows)]
    base = alt.Chart().encode(y=alt.Y("name:N", title=None, sort=order, axis=_NAMES))
    tips = [
        alt.Tooltip("name:N"),
        alt.Tooltip("size_text:N", title="built"),
        alt.Tooltip("most_text:N", title="most"),
    ]
    room = base.mark_bar(height={"band": 0.7}, opacity=0.16, color=palette.GREY, aria=False)
    room = room.encode(x=alt.datum(1.0))
    bars = base.mark_bar(height={"band": 0.7}, aria=False).encode(
        x=alt.X(
            "built_share:Q",
            title="built, of the most that may be",
            scale=alt.Scale(domain=[0.0, 1.25]),
            axis=alt.Axis(format=".0%", values=[0.0, 0.25, 0.5, 0.75, 1.0]),
        ),
        color=legend("kind", palette.NOUNS, kinds),
        tooltip=tips,
    )
    words = base.mark_text(align="left", dx=6, aria=False).encode(x=alt.datum(1.0), text="words:N")
    chart = alt.layer(room, bars, words, data=alt.NamedData(name="built")).properties(
        width=WIDTH_PX - 200,
        height=alt.Step(26),
        title=titled(
            "What to build and what to sign",
            stated.subtitle("share of the most", "sizes of the plan"),
        ),
    )
    return with_rows(chart, built=rows)


def worth_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what one more unit and the last one are worth, over what a unit costs.

    Args:
        rows: name, kind, low_ratio, high_ratio (None where only one end is known).
        stated: what the chart states.
    """
    order = [row["name"] for row in rows]
    kinds = [kind for kind in palette.NOUNS if any(row["kind"] == kind for row in rows)]
    base = alt.Chart().encode(y=alt.Y("name:N", title=None, sort=order, axis=_NAMES))
    scale = alt.Scale(domain=[0.0, min(3.0, max([1.2, *_ends(rows)]))], clamp=True)
    axis = alt.Axis(format=".0%", tickCount=6)
    tips = [
        alt.Tooltip("name:N"),
        alt.Tooltip("low_ratio:Q", title="one more, of its cost", format=".1%"),
        alt.Tooltip("high_ratio:Q", title="the last one, of its cost", format=".1%"),
    ]
    low = alt.X("low_ratio:Q", title="worth of a unit, of what it costs", scale=scale, axis=axis)
    bars = base.transform_filter("isValid(datum.high_ratio)").mark_bar(
        height={"band": 0.4}, opacity=0.55, aria=False
    )
    bars = bars.encode(x=low, x2="high_ratio:Q", color=legend("kind", palette.NOUNS, kinds))
    ends = [
        base.mark_tick(style="ink-fill", thickness=2, size=14, aria=False).encode(
            x=alt.X(f"{end}:Q", scale=scale), tooltip=tips
        )
        for end in ("low_ratio", "high_ratio")
    ]
    even = alt.Chart().mark_rule(style="zero", strokeDash=[4, 3], aria=False)
    even = even.encode(x=alt.datum(1.0))
    chart = alt.layer(bars, *ends, even, data=alt.NamedData(name="worth")).properties(
        width=WIDTH_PX - 200,
        height=alt.Step(26),
        title=titled(
            "What a unit is worth, beside what it costs",
            stated.subtitle("share of its annuity", "low: one more; high: the last one"),
        ),
    )
    return with_rows(chart, worth=rows)


def _ends(rows: Rows) -> list[float]:
    return [
        float(row[end])
        for row in rows
        for end in ("low_ratio", "high_ratio")
        if row[end] is not None
    ]


def bounds_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show both bounds of the cost as the search closed them.

    Args:
        rows: iteration, bound, usd.
        stated: what the chart states.
    """
    names = {"a plan that works": palette.VERMILLION, "no plan costs less": palette.BLUE}
    base = alt.Chart().encode(
        x=alt.X(
            "iteration:Q", title="step of the search", axis=alt.Axis(tickMinStep=1, grid=False)
        ),
        y=alt.Y(
            "usd:Q",
            title=stated.currency,
            scale=alt.Scale(zero=False),
            axis=alt.Axis(format="~s", tickCount=5),
        ),
        color=legend("bound", names, list(names), of_lines=True),
        tooltip=[
            alt.Tooltip("iteration:Q"),
            alt.Tooltip("bound:N"),
            alt.Tooltip("usd:Q", title=stated.currency, format=",.0f"),
        ],
    )
    chart = alt.layer(
        base.mark_line(aria=False), base.mark_point(aria=False), data=alt.NamedData(name="bounds")
    ).properties(
        width=WIDTH_PX - 120,
        height=200,
        title=titled(
            "Between which bounds the cost lies",
            stated.subtitle(stated.currency, "cost over the horizon; both bounds are proved"),
        ),
    )
    return with_rows(chart, bounds=rows)


def exposures_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show the five exposures of each contract, and their sum.

    Args:
        rows: contract_id, exposure, usd, total_usd.
        stated: what the chart states.
    """
    order = unique(row["contract_id"] for row in rows)
    names = list(palette.FIVE)
    place = alt.Y("contract_id:N", title=None, sort=order, axis=_NAMES)
    bars = (
        alt.Chart()
        .transform_calculate(rank=f"indexof({names}, datum.exposure)")
        .mark_bar(height={"band": 0.7}, aria=False)
        .encode(
            x=alt.X("usd:Q", title=stated.currency, axis=alt.Axis(format="~s", tickCount=6)),
            y=place,
            color=legend("exposure", palette.FIVE, names),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("contract_id:N"),
                alt.Tooltip("exposure:N"),
                alt.Tooltip("usd:Q", title=stated.currency, format=",.0f"),
                alt.Tooltip("total_usd:Q", title="sum", format=",.0f"),
            ],
        )
    )
    sums = alt.Chart().mark_tick(style="ink-fill", thickness=3, size=18, aria=False)
    sums = sums.encode(x="total_usd:Q", y=place)
    zero = alt.Chart().mark_rule(style="zero", aria=False).encode(x=alt.datum(0.0))
    chart = alt.layer(bars, sums, zero, data=alt.NamedData(name="contract_five")).properties(
        width=WIDTH_PX - 200,
        height=alt.Step(30),
        title=titled(
            "What each contract costs more than its power at the site's price",
            stated.subtitle(
                stated.currency, "five exposures; the tick is their sum; below 0 saves"
            ),
        ),
    )
    return with_rows(chart, contract_five=rows)


def regret_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what each plan costs more in each world than the best one there.

    Args:
        rows: plan, world, regret_usd (None: its sizes cannot carry that world), words.
        stated: what the chart states.
    """
    plans, worlds = unique(r["plan"] for r in rows), unique(r["world"] for r in rows)
    base = alt.Chart(alt.NamedData(name="regret")).encode(
        x=alt.X("world:N", title="world", sort=worlds, axis=alt.Axis(labelAngle=-20)),
        y=alt.Y("plan:N", title="plan made for", sort=plans),
    )
    cells = base.mark_rect(aria=False).encode(
        color=alt.Color(
            "regret_usd:Q",
            title=f"regret, {stated.currency}",
            scale=alt.Scale(range=["#F3F3F6", palette.VERMILLION], domainMin=0.0),
            legend=alt.Legend(orient="right", format="~s"),
        ),
        tooltip=[
            alt.Tooltip("plan:N"),
            alt.Tooltip("world:N"),
            alt.Tooltip("regret_usd:Q", title=f"regret, {stated.currency}", format=",.0f"),
        ],
    )
    words = base.mark_text(fontSize=11, color="#1B1B22", aria=False).encode(text="words:N")
    chart = alt.layer(cells, words).properties(
        width=WIDTH_PX - 320,
        height=alt.Step(30),
        title=titled(
            "Regret of each plan in each world",
            stated.subtitle(stated.currency, "cost beyond the best plan of that world"),
        ),
    )
    return with_rows(chart, regret=rows)


def curve_chart(rows: Rows, *, served_mtok_per_h: float, stated: Stated) -> Any:
    """Show the token supply curve of a plan: running cost strong, full cost pale.

    Args:
        rows: `page.plan_rows.curve_rows`.
        served_mtok_per_h: what the plan serves on the mean.
        stated: what the chart states.
    """
    unit = f"{stated.currency}/Mtok"
    steps = alt.Chart().encode(
        x=alt.X("from_mtok:Q", title="Mtok/h that can be served", axis=alt.Axis(grid=False)),
        x2="to_mtok:Q",
        color=legend("site", _colours(rows), unique(row["site"] for row in rows)),
        tooltip=[
            alt.Tooltip("label:N"),
            alt.Tooltip("site:N"),
            alt.Tooltip("running:Q", title=f"running, {unit}", format=",.4~f"),
            alt.Tooltip("full:Q", title=f"full, {unit}", format=",.4~f"),
            alt.Tooltip("served_mtok_per_h:Q", title="served, Mtok/h", format=",.4~f"),
        ],
    )
    ground, height = alt.datum(0.0), alt.Y("full:Q", title=unit)
    pale = steps.transform_filter("isValid(datum.full)").mark_rect(opacity=0.3, aria=False)
    strong = steps.mark_rect(aria=False).encode(y="running:Q", y2=ground)
    line = alt.Chart().mark_rule(
        color=palette.VERMILLION, strokeWidth=2, strokeDash=[5, 3], aria=False
    )
    layers = alt.layer(
        pale.encode(y=height, y2=ground),
        strong,
        line.encode(x=alt.datum(served_mtok_per_h)),
        data=alt.NamedData(name="plan_curve"),
    )
    chart = layers.properties(
        width=WIDTH_PX - 120,
        height=240,
        title=titled(
            "Token supply curve of the plan",
            stated.subtitle(unit, "strong: running, marginal without rents; pale: full"),
        ),
    )
    return with_rows(chart, plan_curve=rows)


def _colours(rows: Rows) -> dict[str, str]:
    """Return a colour for each site, in the order of the curve."""
    hues = (palette.SKY, palette.ORANGE, palette.GREEN, palette.PURPLE, palette.BLUE,
            palette.YELLOW, palette.GREY)  # fmt: skip
    sites = unique(row["site"] for row in rows)
    return {site: hues[at % len(hues)] for at, site in enumerate(sites)}

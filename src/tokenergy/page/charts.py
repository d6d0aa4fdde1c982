"""The charts, one definition each: a function from rows to an altair chart.

Each reads named rows that it carries along, so that the same chart is a picture by itself and a
view of the report's one set of numbers.
"""

from typing import Any

import altair as alt

from tokenergy.page import palette
from tokenergy.page.balance import balance_chart
from tokenergy.page.drawing import (
    WIDTH_PX,
    Rows,
    hours_axis,
    legend,
    moment_tip,
    panels,
    titled,
    usd_axis,
    with_rows,
)
from tokenergy.page.number import known
from tokenergy.page.picture import chart_png, chart_svg
from tokenergy.page.rows import unique, used_parts
from tokenergy.page.stated import Stated
from tokenergy.page.supply import supply_chart

__all__ = [
    "balance_chart",
    "chart_png",
    "chart_svg",
    "full_cost_chart",
    "price_parts_chart",
    "ranked_chart",
    "split_chart",
    "supply_chart",
]


def price_parts_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show the marginal cost of each workload over the hours, stacked by part, low to high."""
    unit = f"{stated.currency}/Mtok"
    base = alt.Chart().transform_calculate(
        place="datum.model + ' on ' + datum.accelerator + ', ' + datum.site"
        " + (datum.in_use ? '' : ' (not in use)')"
    )
    tips = [
        alt.Tooltip("workload:N"),
        moment_tip("start", "interval, UTC"),
        alt.Tooltip("place:N", title="where"),
    ]
    ends = [
        alt.Tooltip(f"{end}_usd_per_mtok:Q", title=f"{end}, {unit}", format=",.4~f")
        for end in ("low", "high")
    ]
    middle = alt.X("middle:T", scale=alt.Scale(type="utc"))
    band = (
        base.transform_calculate(  # without a band it has no length: a scale needs a row
            low="isValid(datum.low_usd_per_mtok) ? datum.low_usd_per_mtok : datum.high_usd_per_mtok"
        )
        .mark_rule(style="ink", aria=False)
        .encode(x=middle, y="low:Q", y2="high_usd_per_mtok:Q", tooltip=[*tips, *ends])
    )
    tick = base.mark_tick(style="ink-fill", thickness=2, width=6, orient="horizontal", aria=False)
    tick = tick.encode(x=middle, y="high_usd_per_mtok:Q", tooltip=[*tips, *ends])
    bars = _stacked_parts(base, rows, unit, tips)
    layers = alt.layer(bars, band, tick, data=alt.NamedData(name="price_hours"))
    chart = panels(
        layers.properties(width=WIDTH_PX / 2 - 60, height=130),
        by="workload",
        names=[row["workload"] for row in rows],
        title=titled(
            "Marginal cost over the hours, by part",
            stated.over(rows).subtitle(unit, "marginal: cheapest deployment in use"),
        ),
        spacing=alt.RowColnumber(row=56, column=84),
    )
    return with_rows(chart, price_hours=rows)


def _stacked_parts(base: Any, rows: Rows, unit: str, tips: list[alt.Tooltip]) -> Any:
    """Return one bar for each interval, stacked by the parts that are anywhere not 0."""
    parts = used_parts(rows) or ["energy"]
    fields = [f"{part}_usd_per_mtok" for part in parts]
    names = {part.replace("_", " "): colour for part, colour in palette.PARTS.items()}
    return (
        base.transform_fold(fields, as_=["field", "usd"])
        .transform_calculate(
            part="replace(replace(datum.field, '_usd_per_mtok', ''), /_/g, ' ')",
            rank=f"indexof({fields}, datum.field)",
        )
        .mark_bar(binSpacing=0, orient="vertical", aria=False)
        .encode(
            x=hours_axis(rows),
            x2="end:T",
            y=alt.Y("usd:Q", title=unit, axis=usd_axis()),
            color=legend("part", names, [part.replace("_", " ") for part in parts]),
            order=alt.Order("rank:Q"),
            opacity=alt.condition("datum.in_use", alt.value(1.0), alt.value(0.35)),
            tooltip=[
                *tips,
                alt.Tooltip("part:N"),
                alt.Tooltip("usd:Q", title=unit, format=",.4~f"),
            ],
        )
    )


FULL_AND_MARGINAL = "full: allocation; marginal: mean over the board's hours"


def full_cost_chart(
    rows: Rows, *, stated: Stated, name: str = "full_cost", basis: str = FULL_AND_MARGINAL
) -> Any:
    """Show the full cost by kind, and beside it the marginal cost of each workload.

    Args:
        rows: bar, kind, usd_per_mtok, share.
        stated: what the chart states.
        name: of its numbers in the document.
        basis: what the bars are.
    """
    unit = f"{stated.currency}/Mtok"
    kinds = [kind for kind in palette.CAPITAL if any(row["kind"] == kind for row in rows)]
    order = unique(row["bar"] for row in rows)
    axis = alt.Axis(labelLimit=260, ticks=False, domain=False, labelPadding=8)
    bar = alt.Y("bar:N", title=None, sort=order, axis=axis)
    bars = (
        alt.Chart()
        .transform_calculate(rank=f"indexof({kinds}, datum.kind)")
        .mark_bar(aria=False)
        .encode(
            x=alt.X("usd_per_mtok:Q", title=unit, axis=alt.Axis(tickCount=6, format=",~r")),
            y=bar,
            color=legend("kind", palette.CAPITAL, kinds),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("bar:N", title="cost"),
                alt.Tooltip("kind:N"),
                alt.Tooltip("usd_per_mtok:Q", title=unit, format=",.4~f"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
    )
    sums = (
        alt.Chart()
        .mark_text(align="left", dx=5, aria=False)
        .encode(
            x=alt.X("sum(usd_per_mtok):Q", title=unit),
            y=bar,
            text=alt.Text("sum(usd_per_mtok):Q", format=",.3~r"),
        )
    )
    chart = alt.layer(bars, sums, data=alt.NamedData(name=name)).properties(
        width=WIDTH_PX - 180,
        height=alt.Step(28),
        title=titled("Cost of a Mtok by kind", stated.subtitle(unit, basis)),
    )
    return with_rows(chart, **{name: rows})


def ranked_chart(policies: Rows, spending: Rows, *, stated: Stated) -> Any:
    """Show the cost of each policy by part, and beside it regret and captured share."""
    spent = unique(row["part"] for row in spending if row["usd"] != 0.0)
    parts = [part for part in palette.SPENDING if part in spent]
    parts += [part for part in spent if part not in parts]  # grey, but there: bars sum to the cost
    names = {part.replace("_", " "): colour for part, colour in palette.SPENDING.items()}
    order = [row["label"] for row in policies]
    faint = alt.condition("datum.role == 'no headline'", alt.value(0.45), alt.value(1.0))
    shares = [
        _share_bars(field, title, colour, order, faint)
        for field, title, colour in (
            ("regret_share", "regret against the bound", palette.VERMILLION),
            ("captured_share", "captured of the gap", palette.GREEN),
        )
        if any(known(row[field]) for row in policies)
    ]
    axis = alt.Axis(labelLimit=220, ticks=False, domain=False, labelPadding=8)
    cost = (
        alt.Chart(alt.NamedData(name="spending"))
        .transform_calculate(
            rank=f"indexof({parts}, datum.part)", name="replace(datum.part, /_/g, ' ')"
        )
        .mark_bar(aria=False)
        .encode(
            x=alt.X(
                "usd:Q",
                title=f"cost, {stated.currency}",
                axis=alt.Axis(format=",~r", tickCount=4),
            ),
            y=alt.Y("label:N", title=None, sort=order, axis=axis),
            color=legend("name", names, [part.replace("_", " ") for part in parts]),
            order=alt.Order("rank:Q"),
            opacity=faint,
            tooltip=[
                alt.Tooltip("label:N", title="policy"),
                alt.Tooltip("name:N", title="part"),
                alt.Tooltip("usd:Q", title=stated.currency, format=",.0f"),
            ],
        )
        .transform_filter(alt.FieldOneOfPredicate(field="part", oneOf=parts))
        .properties(width=WIDTH_PX - 292 - 164 * len(shares), height=alt.Step(30))
    )
    chart = alt.hconcat(cost, *shares, spacing=24).properties(
        title=titled(
            "Policies: cost, regret, captured share" if shares else "Policies: cost",
            stated.subtitle(
                stated.currency,
                "cost over the horizon" + ("; the bound knows the future" if shares else ""),
            ),
        )
    )
    return with_rows(chart, spending=spending, policies=policies)


def _share_bars(field: str, title: str, colour: str, order: list[str], faint: Any) -> Any:
    """Return one narrow panel of shares; labels stand at the end of the bars."""
    base = (
        alt.Chart(alt.NamedData(name="policies"))
        .transform_filter(f"isValid(datum.{field})")
        .encode(
            x=alt.X(f"{field}:Q", title=title, axis=alt.Axis(format="~%", tickCount=3)),
            y=alt.Y("label:N", sort=order, axis=None, scale=alt.Scale(domain=order)),
            opacity=faint,
            tooltip=[
                alt.Tooltip("label:N", title="policy"),
                alt.Tooltip(f"{field}:Q", title=title, format=".2%"),
            ],
        )
    )
    bars = base.mark_bar(color=colour, height=12, aria=False)
    # a label of a negative share stands right of zero, where nothing is drawn
    words = (
        base.transform_calculate(at=f"max(0, datum.{field})")
        .mark_text(align="left", dx=4, aria=False)
        .encode(x=alt.X("at:Q", title=title), text=alt.Text(f"{field}:Q", format=".1%"))
    )
    return alt.layer(bars, words).properties(width=140, height=alt.Step(30))


def split_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what geography, the hour, waiting and storage save, in both orders."""
    base = alt.Chart(alt.NamedData(name="split")).encode(
        y=alt.Y("part:N", title=None, sort=unique(row["part"] for row in rows)),
        yOffset=alt.YOffset("order:N", sort=unique(row["order"] for row in rows)),
    )
    colours = {"deferral first": palette.SKY, "storage first": palette.ORANGE}
    chart = base.mark_bar(aria=False).encode(
        x=alt.X(
            "usd:Q", title=f"saved, {stated.currency}", axis=alt.Axis(format=",~r", tickCount=6)
        ),
        color=legend("order", colours, list(colours)),
        tooltip=[
            alt.Tooltip("part:N"),
            alt.Tooltip("order:N"),
            alt.Tooltip("usd:Q", title=f"saved, {stated.currency}", format=",.0f"),
            alt.Tooltip("share:Q", title="of nearest's cost", format=".2%"),
        ],
    )
    chart = chart.properties(
        width=WIDTH_PX - 160,
        height=alt.Step(16),
        title=titled(
            "Saving by part, in both orders",
            stated.subtitle(stated.currency, "from nearest to clairvoyant"),
        ),
    )
    return with_rows(chart, split=rows)

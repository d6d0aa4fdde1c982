"""The charts of the question whether it pays: margin, cost beside price, levers, saving, risk."""

from typing import Any, Literal

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import WIDTH_PX, Rows, legend, shapes, titled, with_rows
from tokenergy.page.rows import unique
from tokenergy.page.stated import Stated

_NAMES = alt.Axis(labelLimit=240, ticks=False, domain=False, labelPadding=8)
SHAPES = {"marginal": "circle", "usage": "square", "full": "diamond", "price": "triangle-up"}
LABEL_PX = 42
"""Room at either end for the figure of the longest bar."""


def waterfall_chart(rows: Rows, *, stated: Stated, joules: str) -> Any:
    """Show the way from revenue to margin, step by step.

    Args:
        rows: `page.pay_rows.waterfall_rows`.
        stated: what the chart states.
        joules: how they are known.
    """
    order = [row["step"] for row in rows]
    base = alt.Chart().encode(y=alt.Y("step:N", title=None, sort=order, axis=_NAMES))
    money = alt.X(
        "from_usd:Q",
        title=stated.currency,
        axis=alt.Axis(format="~s", tickCount=6),
    )
    tips = [alt.Tooltip("step:N"), alt.Tooltip("usd:Q", title=stated.currency, format=",.0f")]
    kinds = [kind for kind in palette.STEPS if _any(rows, "kind", kind)]
    bars = base.mark_bar(height={"band": 0.72}, aria=False).encode(
        x=money, x2="to_usd:Q", color=legend("kind", palette.STEPS, kinds), tooltip=tips
    )
    zero = alt.Chart().mark_rule(style="zero", aria=False).encode(x=alt.datum(0.0))
    words = (
        base.transform_calculate(at="max(datum.from_usd, datum.to_usd)")
        .mark_text(align="left", dx=5, aria=False)
        .encode(x=alt.X("at:Q"), text=alt.Text("usd:Q", format=",.3~s"))
    )
    layers = alt.layer(bars, zero, words, data=alt.NamedData(name="waterfall"))
    basis = f"allocation: what tokens used, unused capacity apart; joules {joules}"
    chart = layers.properties(
        width=WIDTH_PX - 160,
        height=alt.Step(27),
        title=titled("From revenue to margin", stated.subtitle(stated.currency, basis)),
    )
    return with_rows(chart, waterfall=rows)


def unit_chart(points: Rows, gaps: Rows, *, stated: Stated) -> Any:
    """Show what a Mtok costs on each basis beside what it brings, for the company and its tiers.

    Args:
        points, gaps: `page.pay_rows.unit_points`, `page.pay_rows.unit_gaps`.
        stated: what the chart states.
    """
    unit = f"{stated.currency}/Mtok"
    order = unique(row["who"] for row in points)
    who = alt.Y("who:N", title=None, sort=order, axis=_NAMES)
    axis = alt.Axis(format=",~r", tickCount=6)
    band = (
        alt.Chart(alt.NamedData(name="unit_gaps"))
        .mark_rule(strokeWidth=9, opacity=0.28, aria=False)
        .encode(
            y=who,
            x=alt.X("from:Q", title=unit, axis=axis),
            x2="to:Q",
            color=alt.condition(
                "datum.result == 'earns'",
                alt.value(palette.RESULTS["earns"]),
                alt.value(palette.RESULTS["loses"]),
            ),
        )
    )
    bases = [basis for basis in palette.BASES if _any(points, "basis", basis)]
    marks = (
        alt.Chart(alt.NamedData(name="unit"))
        .mark_point(filled=True, size=130, opacity=1.0, aria=False)
        .encode(
            y=who,
            x=alt.X("usd_per_mtok:Q", title=unit, axis=axis),
            color=legend("basis", palette.BASES, bases),
            shape=shapes("basis", SHAPES, bases),
            tooltip=[
                alt.Tooltip("who:N", title="of"),
                alt.Tooltip("basis:N"),
                alt.Tooltip("usd_per_mtok:Q", title=unit, format=",.4~r"),
            ],
        )
    )
    chart = alt.layer(band, marks).properties(
        width=WIDTH_PX - 160,
        height=alt.Step(30),
        title=titled(
            "What a Mtok costs and what it brings",
            stated.subtitle(unit, "marginal, usage and full cost; price: revenue over tokens"),
        ),
    )
    return with_rows(chart, unit=points, unit_gaps=gaps)


def levers_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what each lever moves, the strongest first.

    Args:
        rows: `page.pay_rows.lever_rows`.
        stated: what the chart states.
    """
    order, ends = (unique(row[name] for row in rows) for name in ("lever", "end"))
    colours = dict(zip(ends, palette.ENDS, strict=False))
    base = alt.Chart().encode(y=alt.Y("lever:N", title=None, sort=order, axis=_NAMES))
    bars = base.mark_bar(height={"band": 0.72}, aria=False).encode(
        x=alt.X(
            "change_share:Q",
            title="change of full cost",
            axis=alt.Axis(format="+~%", tickCount=7),
            scale=alt.Scale(padding=LABEL_PX),
            stack=None,
        ),
        color=legend("end", colours, ends),
        tooltip=[
            alt.Tooltip("lever:N"),
            alt.Tooltip("end:N"),
            alt.Tooltip("change_share:Q", title="full cost", format="+.1%"),
            alt.Tooltip("change_usd_per_mtok:Q", title=f"{stated.currency}/Mtok", format="+,.3~r"),
        ],
    )
    sides: tuple[tuple[str, Literal["left", "right"], int], ...]
    sides = ((">", "left", 4), ("<", "right", -4))
    figures = [
        base.transform_filter(f"datum.change_share {sign} 0")
        .mark_text(align=side, dx=shift, fontSize=11, aria=False)
        .encode(
            x=alt.X("change_share:Q", stack=None), text=alt.Text("change_share:Q", format="+.1%")
        )
        for sign, side, shift in sides
    ]
    zero = alt.Chart().mark_rule(style="zero", aria=False).encode(x=alt.datum(0.0))
    layers = alt.layer(bars, zero, *figures, data=alt.NamedData(name="levers"))
    unit = f"change of a full cost in {stated.currency}/Mtok"
    chart = layers.properties(
        width=WIDTH_PX - 200,
        height=alt.Step(28),
        title=titled(
            "What moves the full cost of a Mtok",
            stated.subtitle(unit, "allocation; each lever alone, down and up"),
        ),
    )
    return with_rows(chart, levers=rows)


def saving_chart(rows: Rows, *, stated: Stated, against: str, banded: bool) -> Any:
    """Show a saving with its band, beside what nobody could save beyond it.

    Args:
        rows: what, usd, low_usd, high_usd; the last two are None without a band.
        stated: what the chart states.
        against: the baseline.
        banded: whether there is a band.
    """
    order = [row["what"] for row in rows]
    base = alt.Chart().encode(y=alt.Y("what:N", title=None, sort=order, axis=_NAMES))
    money = alt.X(
        "usd:Q",
        title=stated.currency,
        axis=alt.Axis(format="~s", tickCount=6),
    )
    tips = [
        alt.Tooltip("what:N"),
        alt.Tooltip("usd:Q", title=stated.currency, format=",.0f"),
        alt.Tooltip("low_usd:Q", title="from", format=",.0f"),
        alt.Tooltip("high_usd:Q", title="to", format=",.0f"),
    ]
    bars = base.mark_bar(color=palette.SKY, height={"band": 0.6}, aria=False).encode(
        x=money, tooltip=tips
    )
    known = base.transform_filter("isValid(datum.low_usd)")
    band = known.mark_rule(style="ink", strokeWidth=2, aria=False).encode(
        x=alt.X("low_usd:Q"), x2="high_usd:Q", tooltip=tips
    )
    ends = [
        known.mark_tick(style="ink-fill", thickness=2, size=12, aria=False).encode(x=f"{end}:Q")
        for end in ("low_usd", "high_usd")
    ]
    zero = alt.Chart().mark_rule(style="zero", aria=False).encode(x=alt.datum(0.0))
    words = (
        base.transform_calculate(
            at="max(0, datum.usd, isValid(datum.high_usd) ? datum.high_usd : 0)"
        )
        .mark_text(align="left", dx=6, aria=False)
        .encode(x="at:Q", text=alt.Text("usd:Q", format=",.3~s"))
    )
    banding = [band, *ends] if banded else []
    layers = alt.layer(bars, zero, *banding, words, data=alt.NamedData(name="saving"))
    drawn = "line: middle 90 % of weeks or days drawn again" if banded else "no band"
    basis = f"against {against}; {drawn}"
    chart = layers.properties(
        width=WIDTH_PX - 150,
        height=alt.Step(30),
        title=titled(
            "What dispatch saves, and what is left to save",
            stated.subtitle(stated.currency, basis),
        ),
    )
    return with_rows(chart, saving=rows)


def exposures_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what the cost of power is exposed to, and the bill that it adds up to.

    Args:
        rows: `page.pay_rows.exposure_rows`.
        stated: what the chart states.
    """
    order = [row["exposure"] for row in rows]
    base = alt.Chart().encode(y=alt.Y("exposure:N", title=None, sort=order, axis=_NAMES))
    kinds = list(palette.EXPOSURES)
    bars = base.mark_bar(height={"band": 0.72}, aria=False).encode(
        x=alt.X(
            "usd:Q",
            title=stated.currency,
            axis=alt.Axis(format="~s", tickCount=6),
        ),
        color=legend("kind", palette.EXPOSURES, kinds),
        tooltip=[
            alt.Tooltip("exposure:N"),
            alt.Tooltip("usd:Q", title=stated.currency, format=",.0f"),
        ],
    )
    zero = alt.Chart().mark_rule(style="zero", aria=False).encode(x=alt.datum(0.0))
    words = (
        base.transform_calculate(at="max(0, datum.usd)")
        .mark_text(align="left", dx=5, aria=False)
        .encode(x="at:Q", text=alt.Text("usd:Q", format=",.3~s"))
    )
    chart = alt.layer(bars, zero, words, data=alt.NamedData(name="exposures")).properties(
        width=WIDTH_PX - 160,
        height=alt.Step(26),
        title=titled(
            "What the cost of power is exposed to",
            stated.subtitle(stated.currency, "contracts and market at the meter; exact parts"),
        ),
    )
    return with_rows(chart, exposures=rows)


def _any(rows: Rows, field: str, value: str) -> bool:
    return any(row[field] == value for row in rows)

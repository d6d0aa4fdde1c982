"""The token supply curve: what the next Mtok costs as more is asked for."""

from typing import Any

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import WIDTH_PX, Rows, legend, panels, titled, usd_axis, with_rows
from tokenergy.page.rows import unique
from tokenergy.page.stated import Stated


def supply_chart(rows: Rows, demand: Rows, *, stated: Stated) -> Any:
    """Show each workload's supply curve as steps, with the demand it meets.

    Args:
        rows: `page.rows.supply_rows`.
        demand: `page.rows.demand_rows`.
        stated: what the chart states.
    """
    unit = f"{stated.currency}/Mtok"
    layers = alt.layer(
        *_steps(rows, unit), *_demand(unit), _names(), data=alt.NamedData(name="supply")
    )
    chart = panels(
        layers.properties(width=WIDTH_PX / 2 - 60, height=150),
        by="workload",
        names=[row["workload"] for row in rows],
        title=titled(
            "Merit order of tokens, with demand",
            stated.subtitle(unit, "marginal: each workload alone, replicas awake"),
        ),
        spacing=alt.RowColnumber(row=76, column=84),
        scales=("x", "y"),
    )
    return with_rows(chart, supply=[*rows, *demand])


def _steps(rows: Rows, unit: str) -> list[Any]:
    """Return the steps: energy strong, the whole price pale, its top a line."""
    found = unique(row["energy_kind"] for row in rows)
    kinds = [kind for kind in palette.POWER_KINDS if kind in found]
    kinds += [kind for kind in found if kind not in kinds]
    colour = legend("energy_kind", palette.POWER_KINDS, kinds)
    axis = alt.Axis(grid=False, tickCount=5, labelOverlap="greedy", labelSeparation=10)
    steps = (
        alt.Chart()
        .transform_filter("isValid(datum.to_mtok)")
        .encode(
            x=alt.X("from_mtok:Q", title="Mtok in the interval", axis=axis),
            x2="to_mtok:Q",
            tooltip=[
                alt.Tooltip("workload:N"),
                alt.Tooltip("segment:N"),
                alt.Tooltip("energy_kind:N", title="power"),
                alt.Tooltip("from_mtok:Q", title="from, Mtok", format=",.3~f"),
                alt.Tooltip("to_mtok:Q", title="to, Mtok", format=",.3~f"),
                alt.Tooltip("usd_per_mtok:Q", title=unit, format=",.4~f"),
                alt.Tooltip("energy_usd_per_mtok:Q", title=f"energy, {unit}", format=",.4~f"),
            ],
        )
    )
    height = alt.Y("usd_per_mtok:Q", title=unit, axis=usd_axis())
    ground = alt.datum(0.0)
    pale = steps.mark_rect(opacity=0.35, aria=False).encode(y=height, y2=ground, color=colour)
    energy = steps.mark_rect(aria=False).encode(y="energy_usd_per_mtok:Q", y2=ground, color=colour)
    tops = steps.mark_rule(style="ink", strokeWidth=2, aria=False).encode(y=height)
    return [pale, energy, tops]


def _names() -> Any:
    """Return the name of each step that is wide enough for one."""
    mark = alt.Chart().transform_filter("isValid(datum.to_mtok)")
    words = mark.mark_text(align="left", baseline="bottom", dx=3, dy=-4, fontSize=11, aria=False)
    return words.encode(x="from_mtok:Q", y="usd_per_mtok:Q", text="name:N")


def _demand(unit: str) -> list[Any]:
    """Return the line of the demand, and from where it meets the curve one to the price."""
    tips = [
        alt.Tooltip("workload:N"),
        alt.Tooltip("demand_mtok:Q", title="demand, Mtok", format=",.4~f"),
        alt.Tooltip("reached_usd_per_mtok:Q", title=f"reaches, {unit}", format=",.4~g"),
    ]
    look: dict[str, Any] = {"color": palette.VERMILLION, "strokeDash": [5, 3], "aria": False}
    asked = alt.Chart().transform_filter("isValid(datum.demand_mtok)")
    line = asked.mark_rule(strokeWidth=2, **look).encode(x="demand_mtok:Q", tooltip=tips)
    # a demand of nothing reaches no price: its marks are hidden and stay, for a panel without
    # any has no extent, of which Vega warns
    met = asked.transform_calculate(
        from_mtok="0",
        height="isValid(datum.reached_usd_per_mtok) ? datum.reached_usd_per_mtok : 0",
        said="isValid(datum.reached) ? datum.reached : ''",
    )
    height = alt.Y("height:Q")
    seen = alt.condition("isValid(datum.reached_usd_per_mtok)", alt.value(1.0), alt.value(0.0))
    level = met.mark_rule(strokeWidth=1.2, **look).encode(
        x="from_mtok:Q", x2="demand_mtok:Q", y=height, opacity=seen, tooltip=tips
    )
    point = met.mark_point(
        filled=True, shape="diamond", size=70, color=palette.VERMILLION, aria=False
    ).encode(x="demand_mtok:Q", y=height, opacity=seen, tooltip=tips)
    words = [
        met.mark_text(style=style, align="left", dx=7, fontWeight=600, aria=False).encode(
            x="demand_mtok:Q", y=alt.value(7), text="said:N"
        )
        for style in ("halo", "ink-fill")
    ]
    return [line, level, point, *words]

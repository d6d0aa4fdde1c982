"""Charts of the next hours that the report has not: where it runs, what is stored, what waits."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import (
    WIDTH_PX,
    Rows,
    hours_axis,
    legend,
    moment_tip,
    panels,
    titled,
    with_rows,
)
from tokenergy.page.live_rows import OTHERS
from tokenergy.page.rows import unique
from tokenergy.page.stated import Stated

HUES: Final = (
    palette.BLUE, palette.ORANGE, palette.GREEN, palette.SKY, palette.VERMILLION, palette.PURPLE,
    palette.YELLOW, palette.PALE,
)  # fmt: skip
STORES: Final = {"charge": palette.SKY, "discharge": palette.ORANGE}
WORK: Final = {"served": palette.SKY, "waiting": palette.PURPLE}


def shares_chart(rows: Rows, sites: Sequence[str], *, stated: Stated) -> Any:
    """Show where each workload runs, hour by hour: one bar an interval, stacked by site.

    Args:
        rows: `page.live_rows.share_rows`.
        sites: those that have a colour, the largest first.
        stated: what the chart states.
    """
    names = [*sites, *([OTHERS] if any(row["site"] == OTHERS for row in rows) else [])]
    colours = dict(zip(sites, HUES, strict=False)) | {OTHERS: palette.GREY}
    bars = (
        alt.Chart(alt.NamedData(name="share_hours"))
        .transform_calculate(rank=f"indexof({names}, datum.site)")
        .mark_bar(binSpacing=0, orient="vertical", aria=False)
        .encode(
            x=hours_axis(rows),
            x2="end:T",
            y=alt.Y(
                "share:Q",
                title="share",
                scale=alt.Scale(domain=[0.0, 1.0], nice=False, clamp=True),
                axis=alt.Axis(format="~%", tickCount=3, minExtent=46),
            ),
            color=legend("site", colours, names),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("workload:N"),
                moment_tip("start", "interval, UTC"),
                alt.Tooltip("site:N"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
    )
    chart = panels(
        bars.properties(width=WIDTH_PX / 2 - 60, height=90),
        by="workload",
        names=[row["workload"] for row in rows],
        title=titled(
            "Where it runs, hour by hour",
            stated.subtitle("share of a workload's tokens", "as dispatched"),
        ),
        spacing=alt.RowColnumber(row=56, column=84),
    )
    return with_rows(chart, share_hours=rows)


def stored_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what each battery charges and discharges, and the energy that it holds.

    Args:
        rows: `page.live_rows.stored_rows`.
        stated: what the chart states.
    """
    base = alt.Chart().encode(x=hours_axis(rows))
    bars = (
        base.transform_fold(["charge_mw", "discharge_mw"], as_=["field", "value"])
        .transform_calculate(
            flow="replace(datum.field, '_mw', '')",
            mw="datum.field === 'charge_mw' ? -datum.value : datum.value",
        )
        .mark_bar(binSpacing=0, orient="vertical", aria=False)
        .encode(
            x2="end:T",
            y=alt.Y("mw:Q", title="MW", axis=alt.Axis(tickCount=4, minExtent=46)),
            color=legend("flow", STORES, list(STORES)),
            tooltip=[
                alt.Tooltip("site:N"),
                moment_tip("start", "interval, UTC"),
                alt.Tooltip("flow:N"),
                alt.Tooltip("value:Q", title="MW", format=",.2f"),
                alt.Tooltip("stored_mwh:Q", title="stored at the end, MWh", format=",.2f"),
            ],
        )
    )
    axis = alt.Axis(title="MWh", orient="right", grid=False, tickCount=4, minExtent=30)
    held = base.mark_line(style="ink", interpolate="step-after", strokeWidth=1.6, aria=False)
    layers = alt.layer(
        bars,
        held.encode(y=alt.Y("stored_mwh:Q", axis=axis)),
        data=alt.NamedData(name="stored"),
    )
    chart = panels(
        layers.resolve_scale(y="independent").properties(width=WIDTH_PX / 2 - 100, height=110),
        by="site",
        names=[row["site"] for row in rows],
        title=titled(
            "Charge, discharge and stored energy",
            stated.subtitle("MW at the meter, MWh stored", "mean of each interval; stored: end"),
        ),
        spacing=alt.RowColnumber(row=56, column=130),
    )
    return with_rows(chart, stored=rows)


def queue_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what each workload brings, what of it is served, and what waits.

    Args:
        rows: `queues` of an outlook.
        stated: what the chart states.
    """
    base = alt.Chart().encode(x=hours_axis(rows))
    tips = [
        alt.Tooltip("workload:N"),
        moment_tip("start", "interval, UTC"),
        *(
            alt.Tooltip(f"{name}_mtok:Q", title=f"{name}, Mtok", format=",.4~g")
            for name in ("arrivals", "served", "backlog")
        ),
    ]
    amount = alt.Y("served_mtok:Q", title="Mtok", axis=alt.Axis(tickCount=4, minExtent=46))
    served = base.transform_calculate(kind="'served'").mark_bar(
        binSpacing=0, orient="vertical", opacity=0.75, aria=False
    )
    waiting = base.transform_calculate(kind="'waiting'").mark_line(
        interpolate="step-after", strokeWidth=2, aria=False
    )
    arrives = base.mark_line(style="ink", interpolate="step-after", strokeWidth=1.2, aria=False)
    colour = legend("kind", WORK, unique(WORK))
    layers = alt.layer(
        served.encode(x2="end:T", y=amount, color=colour, tooltip=tips),
        arrives.encode(y=alt.Y("arrivals_mtok:Q")),
        waiting.encode(y=alt.Y("backlog_mtok:Q"), color=colour),
        data=alt.NamedData(name="queues"),
    )
    chart = panels(
        layers.properties(width=WIDTH_PX / 2 - 60, height=100),
        by="workload",
        names=[row["workload"] for row in rows],
        title=titled(
            "Work that arrives, is served and waits",
            stated.subtitle("Mtok in an interval; waiting: Mtok at its end", "forecast"),
        ),
        spacing=alt.RowColnumber(row=56, column=84),
    )
    return with_rows(chart, queues=rows)

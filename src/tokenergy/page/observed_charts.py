"""Charts of what was observed: USD/Mtok in full and at the margin, and tokens/s, by window."""

from datetime import timedelta
from typing import Any, Final

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import (
    WIDTH_PX,
    Rows,
    legend,
    moment_tip,
    panels,
    titled,
    usd_axis,
    with_rows,
)
from tokenergy.page.number import known
from tokenergy.page.rows import moment
from tokenergy.page.stated import Stated

SHOWN: Final = ("full", "marginal")
DRAWN_COUNT: Final = 8
"""So many models are drawn: more lines could not be told apart by colour. The tables have all."""
LINES: Final = (
    palette.BLUE, palette.ORANGE, palette.GREEN, palette.VERMILLION, palette.PURPLE, palette.SKY,
    palette.YELLOW, palette.GREY,
)  # fmt: skip
BASIS: Final = "full (allocation) beside marginal, of output tokens"
FEW_POINTS_COUNT: Final = 40
MINUTES_BEYOND: Final = timedelta(minutes=12)
DAY_BEYOND: Final = timedelta(hours=20)


def costs_chart(rows: Rows, *, names: list[str], stated: Stated) -> Any:
    """Show what a Mtok costs, a row of panels for each model: in full, and at the margin.

    The two stand side by side with scales of their own: a marginal cost may be a thousandth of
    the full one, and would be a line on the ground.
    """
    unit = f"{stated.currency}/Mtok"
    held = [row for row in rows if row["name"] in names]
    shown = panels_of(rows, names=names)
    costs = [
        {
            "end": row["end"],
            "name": row["name"],
            "basis": basis,
            "panel": f"{row['name']}: {basis}",
            "usd": row[f"usd_per_mtok_{basis}"],
        }
        for row in held
        for basis in SHOWN
        if f"{row['name']}: {basis}" in shown
    ]
    lines = (
        alt.Chart()
        .mark_line(point=_point(rows), aria=False)
        .encode(
            x=_time(rows),
            y=alt.Y("usd:Q", title=unit, axis=usd_axis(), scale=alt.Scale(zero=True)),
            color=legend("basis", palette.BASES, SHOWN, of_lines=True),
            tooltip=[
                alt.Tooltip("name:N", title="model"),
                moment_tip("end", "window ends, UTC"),
                alt.Tooltip("basis:N"),
                alt.Tooltip("usd:Q", title=unit, format=",.4~f"),
            ],
        )
    )
    chart = panels(
        alt.layer(lines, data=alt.NamedData(name="window_costs")).properties(
            width=WIDTH_PX / 2 - 60, height=110
        ),
        by="panel",
        names=shown,
        title=titled("What a Mtok cost, window by window", stated.subtitle(unit, BASIS)),
        spacing=alt.RowColnumber(row=56, column=84),
    )
    return with_rows(chart, window_costs=costs)


def panels_of(rows: Rows, *, names: list[str]) -> list[str]:
    """Return the panels that have anything to show: a model and a basis."""
    return [
        f"{name}: {basis}"
        for name in names
        for basis in SHOWN
        if any(row["name"] == name and known(row[f"usd_per_mtok_{basis}"]) for row in rows)
    ]


def tokens_chart(rows: Rows, *, names: list[str], stated: Stated) -> Any:
    """Show output tokens a second, a line for each model."""
    colours = dict(zip(names, LINES, strict=False))
    chart = (
        alt.Chart(alt.NamedData(name="windows"))
        .mark_line(point=_point(rows), aria=False)
        .encode(
            x=_time(rows),
            y=alt.Y("tokens_per_s:Q", title="tokens/s", axis=usd_axis()),
            color=legend("name", colours, names, of_lines=True),
            tooltip=[
                alt.Tooltip("name:N", title="model"),
                moment_tip("end", "window ends, UTC"),
                alt.Tooltip("tokens_per_s:Q", title="tokens/s", format=",.4~f"),
            ],
        )
        .properties(
            width=WIDTH_PX,
            height=170,
            title=titled(
                "Output tokens a second", stated.subtitle("tokens/s", "as the engines count")
            ),
        )
    )
    return with_rows(chart, windows=[row for row in rows if row["name"] in names])


def _point(rows: Rows) -> Any:
    """Return dots where there are few: a window alone between two gaps would not be seen."""
    few = len({row["end"] for row in rows}) <= FEW_POINTS_COUNT
    return alt.OverlayMarkDef(size=24 if few else 6, filled=True)


def _time(rows: Rows) -> alt.X:
    """Return an axis of UTC time, by the seconds, minutes or days that the windows span."""
    ends = [moment(str(row["end"])) for row in rows]
    span = max(ends) - min(ends) if ends else timedelta(0)
    clock = "%H:%M" if span > MINUTES_BEYOND else "%H:%M:%S"
    label = f"utcFormat(datum.value, '{clock}')"
    if span > DAY_BEYOND:
        label = f"utchours(datum.value) == 0 ? utcFormat(datum.value, '%-d %b') : {label}"
    axis = alt.Axis(title=None, labelExpr=label, labelOverlap="greedy", grid=False, tickCount=8)
    return alt.X("end:T", scale=alt.Scale(type="utc"), axis=axis)

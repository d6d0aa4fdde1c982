"""What charts share: their rows, titles, time axis, colours, and panels side by side."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import altair as alt

from tokenergy.page import palette
from tokenergy.page.rows import moment, unique

Rows = Sequence[Mapping[str, Any]]
WIDTH_PX = 1000
DAYS_BEYOND, WEEKS_BEYOND, MONTHS_BEYOND = (timedelta(days=count) for count in (3, 45, 120))
"""Width of a chart across the page; the page fits it to what it has."""


def with_rows(chart: Any, **rows: Rows) -> Any:
    """Return the chart with its named rows; altair's limit of 5,000 does not hold for these."""
    chart.datasets = {name: [dict(row) for row in given] for name, given in rows.items()}
    return chart


def titled(text: str, subtitle: str) -> alt.TitleParams:
    """Return a chart's title with the line of what it states."""
    return alt.TitleParams(text, subtitle=[subtitle])


def hours_axis(rows: Rows) -> alt.X:
    """Return an axis of UTC time: ticks are hours, days, weeks or months by what the rows span."""
    starts = [moment(row["start"]) for row in rows]
    span = max(starts) - min(starts) if starts else timedelta(0)
    step: Literal["month", "week", "day"] = "day"
    if span > MONTHS_BEYOND:
        step = "month"
    elif span > WEEKS_BEYOND:
        step = "week"
    label = (
        "utchours(datum.value) + utcminutes(datum.value) == 0 ? utcFormat(datum.value, '%-d %b')"
        " : utcFormat(datum.value, '%H:%M')"
    )
    axis = alt.Axis(
        title=None,
        labelExpr=label,
        labelOverlap="greedy",
        grid=False,
        tickCount=alt.TimeIntervalStep(interval=step, step=1) if span > DAYS_BEYOND else 8,
    )
    return alt.X("start:T", scale=alt.Scale(type="utc"), axis=axis)


def moment_tip(field: str, title: str) -> alt.Tooltip:
    """Return a line of a tooltip with a moment: where its field is an axis, too, it is a number."""
    return alt.Tooltip(f"{field}:T", title=title, timeUnit="binnedutcyearmonthdatehoursminutes")


def names_of(palette_of: Mapping[str, str], names: Sequence[str]) -> alt.Scale:
    """Return the scale that gives each name its colour."""
    return alt.Scale(
        domain=list(names), range=[palette_of.get(name, palette.GREY) for name in names]
    )


def legend(
    field: str,
    palette_of: Mapping[str, str],
    names: Sequence[str],
    *,
    of_lines: bool = False,
) -> alt.Color:
    """Return colours by name, with their legend above the chart."""
    above = _of_lines() if of_lines else alt.Legend(orient="top", symbolOpacity=1.0)
    return alt.Color(f"{field}:N", title=None, scale=names_of(palette_of, names), legend=above)


def dashes(
    field: str, dash_of: Mapping[str, Sequence[int]], names: Sequence[str]
) -> alt.StrokeDash:
    """Return dashes by name, to stand in one legend with the colours of the same lines."""
    scale = alt.Scale(domain=list(names), range=[list(dash_of[name]) for name in names])
    return alt.StrokeDash(f"{field}:N", title=None, scale=scale, legend=_of_lines())


def _of_lines() -> alt.Legend:
    return alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=3.0)


def shapes(field: str, shape_of: Mapping[str, str], names: Sequence[str]) -> alt.Shape:
    """Return shapes by name, with their legend above the chart."""
    scale = alt.Scale(domain=list(names), range=[shape_of.get(name, "circle") for name in names])
    above = alt.Legend(orient="top", symbolOpacity=1.0)
    return alt.Shape(f"{field}:N", title=None, scale=scale, legend=above)


def usd_axis() -> alt.Axis:
    """Return an axis of prices that takes the same room in every panel."""
    return alt.Axis(tickCount=4, format=",~r", minExtent=46)


def panels(
    layers: Any,
    *,
    by: str,
    names: Sequence[Any],
    title: alt.TitleParams,
    spacing: alt.RowColnumber,
    columns: int = 2,
    scales: Sequence[str] = ("y",),
) -> Any:
    """Return one panel for each name, in order, each with its own axes.

    Args:
        layers: what a panel shows; its size is that of a panel.
        by: the field that parts the rows.
        names: values of the field.
        title: of the whole.
        spacing: room between plots, their axes and headings included, px.
        columns: how many panels stand side by side.
        scales: what each panel measures by itself; axes are drawn in every panel.
    """
    header = alt.Header(labelAnchor="start", labelOrient="top")
    chart = layers.facet(
        facet=alt.Facet(f"{by}:N", title=None, sort=unique(names), header=header),
        columns=columns,
        bounds="flush",
        spacing=spacing,
        title=title,
    )
    # each call of resolve_* replaces what the last one said
    chart = chart.resolve_scale(**dict.fromkeys(scales, "independent"))
    return chart.resolve_axis(x="independent", y="independent")

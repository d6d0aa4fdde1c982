"""The chart of a carpet: days from left to right, hours from top to bottom, a colour for each."""

from typing import Any, Final

import altair as alt

from tokenergy.page import palette
from tokenergy.page.carpet_rows import ends_of, hour_fields
from tokenergy.page.drawing import WIDTH_PX, Rows, panels, with_rows
from tokenergy.page.rows import unique
from tokenergy.units import H_PER_DAY

HEIGHT_PX: Final = 150
MOST_PANELS_COUNT: Final = 4
"""All places together and three by themselves: a year of hours of each is 8,760 cells."""
OVERLAP_RATIO: Final = 1.06
"""A cell reaches a little under its neighbours: on a canvas the ground would shine between them."""
WEEK_DAYS: Final = 10
"""Up to so many days each is named."""
DAY_MS: Final = 86_400_000


def carpet_chart(
    rows: Rows,
    *,
    name: str,
    unit: str,
    title: alt.TitleParams,
    clock_words: str,
    step_h: float,
    relative: bool = False,
) -> Any:
    """Show figures by hour and day, a panel for each place.

    Args:
        rows: `page.carpet_rows.carpet_rows`, or `relative` of them.
        name: of the rows in the document.
        unit: of the figures; of what a ratio is over where they are `relative`.
        title: of the whole.
        clock_words: what the axis of hours is called.
        step_h: length of an interval.
        relative: whether a figure is a ratio to the `mean` of its panel.
    """
    cell_h = max(1.0, step_h)
    layers = alt.layer(_cells(rows, unit, cell_h, clock_words, relative), data=alt.NamedData(name))
    found = unique(row["panel"] for row in rows)
    several = len(found) > 1
    chart = panels(
        layers.properties(width=WIDTH_PX / 2 - 60 if several else WIDTH_PX - 60, height=HEIGHT_PX),
        by="panel",
        names=found,
        title=title,
        spacing=alt.RowColnumber(row=60, column=70),
        columns=2 if several else 1,
        scales=("x", "y"),
    )
    chart.usermeta = {"renderer": "canvas"}
    return with_rows(chart, **{name: rows})


def _cells(rows: Rows, unit: str, cell_h: float, clock_words: str, relative: bool) -> Any:
    """Return the cells: the hours of a row unfolded, those without a figure left open."""
    folded = alt.Chart().transform_fold([*hour_fields(rows)], as_=["field", "value"])
    cells = folded.transform_filter("isValid(datum.value)").transform_calculate(
        hour="toNumber(slice(datum.field, 1))",
        until=f"min({H_PER_DAY}, datum.hour + {cell_h} * {OVERLAP_RATIO})",
        next=f"toDate(datum.day) + {OVERLAP_RATIO} * {DAY_MS}",
        when=f"datum.day + ' ' + format(datum.hour, '02d') + ':00, {cell_h:g} h'",
        figure="datum.value * datum.mean" if relative else "datum.value",
    )
    tips = [
        alt.Tooltip("panel:N", title="place" if not relative else "workload"),
        alt.Tooltip("when:N", title="day and hour"),
        alt.Tooltip("figure:Q", title=unit, format=",.4~g"),
    ]
    if relative:
        tips.append(alt.Tooltip("value:Q", title="over its mean", format=".2f"))
    return cells.mark_rect(clip=True, aria=False).encode(
        x=_days(rows),
        x2="next:T",
        y=alt.Y(
            "hour:Q",
            title=clock_words,
            scale=alt.Scale(domain=[0, H_PER_DAY], nice=False, reverse=True),
            axis=alt.Axis(values=[0, 6, 12, 18, 24], format="02d", grid=False, minExtent=20),
        ),
        y2="until:Q",
        color=_colour(rows, unit, relative),
        tooltip=tips,
    )


def _days(rows: Rows) -> alt.X:
    """Return the axis of days, from the first to the end of the last."""
    days = sorted({row["day"] for row in rows})
    few = len(days) <= WEEK_DAYS
    axis = alt.Axis(
        title=None,
        format="%-d %b",
        grid=False,
        labelOverlap="greedy",
        labelSeparation=8,
        tickCount=alt.TimeIntervalStep(interval="day", step=1) if few else 6,
    )
    # a day is drawn from its start to the next one's: the axis must reach there
    end = alt.ExprRef(expr=f"toDate('{days[-1]}') + {DAY_MS}")
    begin = alt.ExprRef(expr=f"toDate('{days[0]}') + 0")
    scale = alt.Scale(type="utc", nice=False, domainMin=begin, domainMax=end)
    return alt.X("day:T", scale=scale, axis=axis)


def _colour(rows: Rows, unit: str, relative: bool) -> alt.Color:
    """Return one scale for all panels: the darker the lower, ends as `ends_of` has them."""
    low, high = ends_of(rows)
    return alt.Color(
        "value:Q",
        title="over its mean" if relative else unit,
        scale=alt.Scale(scheme=palette.CARPET, domain=[low, high], clamp=True, nice=False),
        legend=alt.Legend(
            orient="top",
            gradientLength=180,
            gradientThickness=10,
            titleOrient="top",
            tickCount=4,
            format=".2~f" if relative else ",.3~g",
        ),
    )

"""The balance of each site over time: sources above, other uses below, the price on the right."""

from datetime import timedelta
from typing import Any

import altair as alt

from tokenergy.page import palette
from tokenergy.page.drawing import (
    WIDTH_PX,
    Rows,
    hours_axis,
    moment_tip,
    panels,
    titled,
    with_rows,
)
from tokenergy.page.rows import moment, unique
from tokenergy.page.stated import Stated

SOURCES = ("behind_the_meter_mw", "import_contract_mw", "import_rest_mw", "discharge_mw")
USES = ("charge_mw", "export_mw")
FLOW_OF = {
    "behind_the_meter_mw": "behind the meter",
    "import_contract_mw": "import, contract",
    "import_rest_mw": "import, rest",
    "discharge_mw": "battery",
    "charge_mw": "battery",
    "export_mw": "export",
}
"""Which colour of `palette.FLOWS` a source or a use has."""
HEADROOM_RATIO = 1.08
DAY = timedelta(days=1)
NEAR_RATIO = 1.5
"""An import limit further than so many times the highest stack is left out of its panel."""


def balance_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show what each site takes, stores, uses and gives, with the price of power.

    Args:
        rows: `page.rows.balance_rows`, the closing ones included.
        stated: what the chart states.
    """
    base = alt.Chart().encode(x=hours_axis(rows))
    zero = alt.Chart().mark_rule(style="zero", aria=False).encode(y=alt.datum(0.0))
    power = [*_areas(base, rows), _line(base, "load_mw", strokeWidth=1.4), _limit(base), zero]
    left = alt.layer(*power, _reach("low_mw", "high_mw"), _hover(base, stated))
    right = alt.layer(_price(base, stated), _reach("low_usd_per_mwh", "high_usd_per_mwh"))
    layers = alt.layer(left, right, data=alt.NamedData(name="balance"))
    unit = f"MW at the meter, {stated.currency}/MWh"
    chart = panels(
        layers.resolve_scale(y="independent").properties(width=WIDTH_PX - 110, height=130),
        by="site",
        names=[row["site"] for row in rows],
        title=titled(
            "Power by source and use, with its price",
            stated.over(rows).subtitle(unit, f"mean of each {grain(rows)}"),
        ),
        spacing=alt.RowColnumber(row=52),
        columns=1,
    )
    return with_rows(chart, balance=reaching(rows))


def grain(rows: Rows) -> str:
    """Return what a row is the mean of: `page.rows.balance_rows` takes days over long horizons."""
    first = next(iter(rows), None)
    if first is None:
        return "interval"
    return "day" if moment(first["end"]) - moment(first["start"]) >= DAY else "interval"


def reaching(rows: Rows) -> list[dict[str, Any]]:
    """Return the rows with how far each site's axes reach, and its limit where that is near."""
    found: dict[str, dict[str, Any]] = {}
    for site in unique(row["site"] for row in rows):
        mine = [row for row in rows if row["site"] == site]
        up = max(max(sum(row[name] for name in SOURCES), row["load_mw"]) for row in mine)
        limit = max(row["import_limit_mw"] for row in mine)
        near = limit <= NEAR_RATIO * up
        power, price = aligned(
            up=max(up, limit if near else 0.0),
            down=max(row["charge_mw"] + row["export_mw"] for row in mine),
            dear=max(row["buy_usd_per_mwh"] for row in mine),
            cheap=-min(row["buy_usd_per_mwh"] for row in mine),
        )
        found[site] = {"near": near, "low_mw": power[0], "high_mw": power[1]}
        found[site] |= {"low_usd_per_mwh": price[0], "high_usd_per_mwh": price[1]}
    reach = []
    for row in rows:
        site = dict(found[row["site"]])
        limit_mw = row["import_limit_mw"] if site.pop("near") else None
        reach.append(dict(row) | site | {"near_limit_mw": limit_mw})
    return reach


def _reach(low: str, high: str) -> Any:
    """Return a mark that is not seen and makes an axis reach from low to high.

    A facet gives every panel its own axes but no domains of its own; the data do.
    """
    mark = alt.Chart().mark_rule(opacity=0.0, aria=False, tooltip=None)
    return mark.encode(y=alt.Y(f"min({low}):Q", scale=alt.Scale(nice=False)), y2=f"max({high}):Q")


def _areas(base: Any, rows: Rows) -> list[Any]:
    """Return the stacks: sources above zero, charge and export below it, if there is any.

    What happens for each row of each field is little, because a browser does it for all of
    them before it shows anything: colours and the legend's words go by the name of the field.
    """
    used = [name for name in FLOW_OF if any(row[name] > 0.0 for row in rows)]
    colour = _flows_legend(used)
    areas = []
    for fields, sign in ((SOURCES, ""), (USES, "-")):
        mine = [name for name in fields if name in used]
        if not mine:
            continue
        folded = base.transform_fold(mine, as_=["field", "value"]).transform_calculate(
            rank=f"indexof('{' '.join(mine)}', datum.field)"
        )
        signed = folded.transform_calculate(mw=f"{sign}datum.value") if sign else folded
        areas.append(
            signed.mark_area(interpolate="step-after", aria=False).encode(
                y=alt.Y(
                    "mw:Q" if sign else "value:Q",
                    title="MW",
                    scale=alt.Scale(nice=False),
                    axis=alt.Axis(tickCount=4, minExtent=30),
                    stack="zero",
                ),
                color=colour,
                order=alt.Order("rank:Q"),
            )
        )
    return areas


def _flows_legend(fields: list[str]) -> alt.Color:
    """Return the colours of the fields; one that shares its colour stands in the legend once."""
    once = {FLOW_OF[name]: name for name in reversed(fields)}
    shown = [name for name in fields if once[FLOW_OF[name]] == name]
    scale = alt.Scale(domain=fields, range=[palette.FLOWS[FLOW_OF[name]] for name in fields])
    words = alt.Legend(
        orient="top", symbolOpacity=1.0, values=shown, labelExpr=f"{FLOW_OF}[datum.value]"
    )
    return alt.Color("field:N", title=None, scale=scale, legend=words)


def _line(base: Any, field: str, **look: Any) -> Any:
    mark = base.mark_line(style="ink", interpolate="step-after", aria=False, **look)
    return mark.encode(y=alt.Y(f"{field}:Q", scale=alt.Scale(nice=False)))


def _limit(base: Any) -> Any:
    """Return the import limit, unseen where it is too far from the power to be drawn."""
    limit = base.transform_calculate(
        limit_mw="isValid(datum.near_limit_mw) ? datum.near_limit_mw : datum.high_mw"
    )
    near = alt.condition("isValid(datum.near_limit_mw)", alt.value(1.0), alt.value(0.0))
    return _line(limit.encode(opacity=near), "limit_mw", strokeDash=[2, 3], strokeWidth=1.0)


def _price(base: Any, stated: Stated) -> Any:
    """Return the price of power on the right axis."""
    axis = alt.Axis(
        title=f"{stated.currency}/MWh",
        titleColor=palette.VERMILLION,
        orient="right",
        grid=False,
        tickCount=4,
        minExtent=30,
    )
    line = base.mark_line(
        color=palette.VERMILLION, interpolate="step-after", strokeWidth=1.2, aria=False
    )
    return line.encode(y=alt.Y("buy_usd_per_mwh:Q", scale=alt.Scale(nice=False), axis=axis))


def _hover(base: Any, stated: Stated) -> Any:
    """Return an unseen bar for each interval that says its figures when pointed at."""
    titles = {
        "load_mw": "load, MW",
        "import_mw": "import, MW",
        "take_mw": "contract take, MW",
        "behind_the_meter_mw": "behind the meter, MW",
        "discharge_mw": "discharge, MW",
        "charge_mw": "charge, MW",
        "export_mw": "export, MW",
        "stored_mwh": "stored, MWh",
        "buy_usd_per_mwh": f"price, {stated.currency}/MWh",
    }
    tips = [
        alt.Tooltip(f"{field}:Q", title=title, format=",.2f") for field, title in titles.items()
    ]
    return base.mark_rect(opacity=0.0, aria=False).encode(
        x2="end:T",
        tooltip=[
            alt.Tooltip("site:N"),
            moment_tip("start", "start, UTC"),
            *tips,
        ],
    )


def aligned(
    *, up: float, down: float, dear: float, cheap: float
) -> tuple[list[float], list[float]]:
    """Return the domains of power and price so that their zeros stand at the same height.

    Args:
        up: the highest power above zero.
        down: the highest power below it.
        dear: the highest price.
        cheap: minus the lowest price; above 0 where prices go below zero.
    """
    up, dear = max(up, 1e-3) * HEADROOM_RATIO, max(dear, 1.0) * HEADROOM_RATIO
    below = max(0.0, down * HEADROOM_RATIO / up, cheap * HEADROOM_RATIO / dear)
    return [-below * up, up], [-below * dear, dear]

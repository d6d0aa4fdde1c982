"""Load duration curves: for how much of the time a site draws how much, against its connection."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

from tokenergy.page import palette
from tokenergy.page.data import ReportData
from tokenergy.page.drawing import WIDTH_PX, Rows, dashes, legend, panels, titled, with_rows
from tokenergy.page.html import Column, Section, figure, paragraph, table
from tokenergy.page.largest import FLEET, by_site, largest_sites, shown_words, with_fleet
from tokenergy.page.number import amount, percent
from tokenergy.page.rows import Given, Row, unique
from tokenergy.page.stated import Stated, stated

TITLE: Final = "How hard the connections work"
MOST_SITES_COUNT: Final = 5
POINTS_COUNT: Final = 160
"""A curve is drawn through so many points at most: it is monotone, and a screen has no more."""
NEAR_RATIO: Final = 1.5
"""A limit further than so many times the highest power is told in the table only."""
AT_LIMIT_SHARE: Final = 1e-6
"""An import this close to its limit is at it."""
DASHES: Final = {"load": (1, 0), "import": (6, 3)}
BASE_SHARE: Final = 0.95
"""The share of the time that the table tells a power for."""


def duration(data: ReportData) -> Section:
    """Return the load and the import of the largest sites, sorted, against the import limit."""
    charts: dict[str, Any] = {}
    if not data.balance:
        body = paragraph("No dispatch was computed, so that there is no load to sort.")
        return Section(anchor="duration", link="Load duration", title=TITLE, body=body)
    step_h = float((data.heading.get("horizon") or {}).get("step_h") or 1.0)
    shown = largest_sites(data.balance, MOST_SITES_COUNT)
    every = by_site(with_fleet(data.balance, unique(row["site"] for row in data.balance)))
    drawn = {site: rows for site, rows in every.items() if site in (FLEET, *shown)}
    charts["duration"] = duration_chart(duration_rows(drawn), stated=stated(data))
    body = paragraph(
        "The hours of the horizon sorted by power, highest first: where a curve is flat at the "
        "limit, the connection is what holds the site back, and one MW more would be used for as "
        "long as the flat part is. The load is what is used at the site, the import what comes "
        f"over the grid. {shown_words(data.balance, shown)}"
    )
    body += figure(
        "duration",
        charts["duration"],
        words="Falling curves of load and import against the share of the time, one panel for "
        f"each of {', '.join(map(str, drawn))}. The table below "
        "has peaks, means and hours at the limit.",
        lines=[("dotted", "highest import limit, where near")],
    )
    body += duration_table(data, every, step_h=step_h)
    return Section(anchor="duration", link="Load duration", title=TITLE, body=body, charts=charts)


def duration_rows(sites: Mapping[str, Sequence[Given]]) -> list[Row]:
    """Return the points of the curves of each site by power, and its limit where that is near.

    A point at a share of the time is the power that is reached or passed for so long.
    """
    rows: list[Row] = []
    for site, mine in sites.items():
        limit = max(row["import_limit_mw"] for row in mine)
        top = max(max(row["load_mw"], row["import_mw"]) for row in mine)
        near = limit <= NEAR_RATIO * top
        for power in DASHES:
            ranked = sorted((row[f"{power}_mw"] for row in mine), reverse=True)
            rows += [
                {"site": site, "power": power, "share": round(share, 5), "mw": mw}
                | {"limit_mw": limit if near else None}
                for share, mw in _points(ranked)
            ]
    return rows


def _points(ranked: Sequence[float]) -> list[tuple[float, float]]:
    """Return (share of the time, power) along a curve, the first and the last among them."""
    last = len(ranked)
    count = min(last, POINTS_COUNT)
    ranks = [round(at * (last - 1) / max(1, count - 1)) for at in range(count)]
    points = [(rank / last, ranked[rank]) for rank in ranks]
    return [*points, (1.0, ranked[-1])]  # the last interval lasts to the end of the time


def duration_chart(rows: Rows, *, stated: Stated) -> Any:
    """Show how long which power is passed, a panel for each site.

    Args:
        rows: `duration_rows`.
        stated: what the chart states.
    """
    kinds = list(DASHES)
    axis = alt.Axis(format="~%", tickCount=5, grid=False)
    place = alt.X("share:Q", title="share of the time", axis=axis, scale=alt.Scale(domain=[0, 1]))
    curves = (
        alt.Chart()
        .mark_line(interpolate="step-after", strokeWidth=2, aria=False)
        .encode(
            x=place,
            y=alt.Y("mw:Q", title="MW", axis=alt.Axis(tickCount=4, minExtent=30)),
            color=legend("power", palette.DURATIONS, kinds, of_lines=True),
            strokeDash=dashes("power", DASHES, kinds),
            tooltip=[
                alt.Tooltip("site:N"),
                alt.Tooltip("power:N"),
                alt.Tooltip("share:Q", title="share of the time", format=".1%"),
                alt.Tooltip("mw:Q", title="passed, MW", format=",.3~f"),
            ],
        )
    )
    limit = (
        alt.Chart()
        .transform_calculate(level_mw="isValid(datum.limit_mw) ? datum.limit_mw : datum.mw")
        .mark_line(style="ink", strokeDash=[2, 3], strokeWidth=1.2, aria=False)
        .encode(
            x=place,
            y="level_mw:Q",
            detail="power:N",
            opacity=alt.condition("isValid(datum.limit_mw)", alt.value(1.0), alt.value(0.0)),
        )
    )
    layers = alt.layer(curves, limit, data=alt.NamedData(name="duration"))
    sites = [row["site"] for row in rows]
    chart = panels(
        layers.properties(width=WIDTH_PX / 2 - 60, height=150),
        by="site",
        names=sites,
        title=titled(
            "Load and import, sorted",
            stated.subtitle("MW at the meter", "mean of each interval, highest first"),
        ),
        spacing=alt.RowColnumber(row=76, column=84),
        columns=2,
    )
    return with_rows(chart, duration=rows)


def load_rows(sites: Mapping[str, Sequence[Given]], *, step_h: float) -> list[Row]:
    """Return for each site its peak, what is passed nearly always, load factor, hours at the limit.

    The load factor is the mean over the peak; hours at the limit are those in which the import is
    as high as that interval's limit; a site without a limit above 0 has none.
    """
    found = []
    for site, mine in sites.items():
        load = sorted((row["load_mw"] for row in mine), reverse=True)
        mean = sum(load) / len(load)
        limits = [row["import_limit_mw"] for row in mine]
        bound = sum(
            limit > 0.0 and row["import_mw"] >= limit * (1.0 - AT_LIMIT_SHARE)
            for row, limit in zip(mine, limits, strict=True)
        )
        limited = site != FLEET  # no connection joins all sites
        found.append(
            {
                "site": site,
                "peak_mw": load[0],
                "mean_mw": mean,
                "base_mw": load[min(len(load) - 1, int(BASE_SHARE * len(load)))],
                "load_factor_share": mean / load[0] if load[0] > 0.0 else None,
                "peak_import_mw": max(row["import_mw"] for row in mine),
                "limit_mw": max(limits),
                "at_limit_h": bound * step_h if limited else None,
                "at_limit_share": bound / len(mine) if limited else None,
            }
        )
    return found


def duration_table(data: ReportData, sites: Mapping[str, Sequence[Given]], *, step_h: float) -> str:
    """Return the figures of every site, those without a curve of their own among them."""
    columns = [
        Column(title="Site", name="site"),
        Column(title="Peak load, MW", name="peak_mw", write=amount),
        Column(title="Mean, MW", name="mean_mw", write=amount),
        Column(title="Passed 95\N{NO-BREAK SPACE}% of the time, MW", name="base_mw", write=amount),
        Column(title="Load factor", name="load_factor_share", write=percent),
        Column(title="Peak import, MW", name="peak_import_mw", write=amount),
        Column(title="Highest import limit, MW", name="limit_mw", write=amount),
        Column(title="At the limit, h", name="at_limit_h", write=amount),
        Column(title="of the time", name="at_limit_share", write=percent),
    ]
    return table(
        "Load duration in numbers",
        stated(data).subtitle("MW at the meter, h", f"under {data.policy}; mean of each interval"),
        columns,
        load_rows(sites, step_h=step_h),
    )

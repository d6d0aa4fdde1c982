"""The section of carpets: when power, a token and carbon are cheap, hour by hour and day by day."""

from collections.abc import Sequence
from typing import Any

from tokenergy.page import carpet_rows as made
from tokenergy.page.carpet_charts import MOST_PANELS_COUNT, carpet_chart
from tokenergy.page.data import ReportData
from tokenergy.page.drawing import titled
from tokenergy.page.html import Column, Section, figure, paragraph, table
from tokenergy.page.largest import largest_sites, shown_words, with_fleet
from tokenergy.page.number import amount, significant
from tokenergy.page.rows import Given, Row, unique
from tokenergy.page.stated import stated
from tokenergy.units import H_PER_DAY

LEDGERS = {
    "location": "average of the grid where power is drawn",
    "market": "residual mix, what contracts leave unclaimed",
    "marginal": "what one MWh more makes the grid emit",
}
"""What a kilogram of each ledger is."""
TITLE = "When it is cheap: carpets of hours"


def carpets(data: ReportData) -> Section:
    """Return the carpets of the price of power, the marginal cost of a token, and carbon."""
    step_h = float((data.heading.get("horizon") or {}).get("step_h") or 1.0)
    charts: dict[str, Any] = {}
    if not data.balance:
        body = paragraph("No dispatch was computed, so that there are no hours to show.")
    elif step_h >= H_PER_DAY:
        body = paragraph(
            f"Intervals of {step_h:g} h have no hours of the day, so that there is no carpet."
        )
    else:
        clock = made.clock_of(data.places)
        body = paragraph(_how_to_read(data, clock))
        for part in (_power, _token, _carbon):
            body += part(data, step_h, clock, charts)
    return Section(anchor="carpets", link="Carpets", title=TITLE, body=body, charts=charts)


def shown_sites(data: ReportData) -> list[str]:
    """Return the sites that have a carpet of their own beside that of all together."""
    sites = len({row["site"] for row in data.balance})
    return largest_sites(data.balance, MOST_PANELS_COUNT - (1 if sites > 1 else 0))


def _how_to_read(data: ReportData, clock: made.Clock) -> str:
    """Say what a carpet is, in whose hours it is read, and which sites have one."""
    zone = (
        "Days and hours are UTC, so that sites round the world can be compared."
        if clock.zone == "UTC"
        else f"Every site keeps the time of {clock.zone}: days and hours are local."
    )
    parts = [
        "Each column is a day, each row an hour of the day; the lighter, the higher. A pattern "
        "that comes back every day is worth a schedule, a lone bright cell is worth a battery.",
        zone,
        shown_words(data.balance, shown_sites(data)),
    ]
    return " ".join(part for part in parts if part)


def _power(data: ReportData, step_h: float, clock: made.Clock, charts: dict[str, Any]) -> str:
    points = made.price_points(with_fleet(data.balance, shown_sites(data)))
    rows = made.carpet_rows(points, step_h=step_h, clock=clock)
    unit = f"{data.currency}/MWh"
    basis = "purchase price at the meter; all sites weighted by load"
    charts["carpet_power"] = carpet_chart(
        rows,
        name="carpet_power",
        unit=unit,
        title=titled("Price of power", stated(data).subtitle(unit, basis)),
        clock_words=clock.words,
        step_h=step_h,
    )
    body = figure("carpet_power", charts["carpet_power"], words=_words(rows, "price of power"))
    body += paragraph(_ends(rows, f" {unit}"))
    return body + _table(data, rows, "The price of power by hour", unit, basis, step_h, True)


def _token(data: ReportData, step_h: float, clock: made.Clock, charts: dict[str, Any]) -> str:
    points = made.asked_points(data.asked, MOST_PANELS_COUNT - 1)
    absolute = made.carpet_rows(points, step_h=step_h, clock=clock)
    rows = made.relative(absolute)
    if not rows:
        return paragraph(_no_token(data, absolute))
    every = made.units_of(data.asked, data.currency)
    panels = unique(row["panel"] for row in absolute)
    units = {panel: every.get(panel, f"{data.currency}/Mtok") for panel in panels}
    unit = " or ".join(unique(units.values()))
    ratio = f"over each panel's mean of {unit}"
    basis = f"marginal: one Mtok more when it came, as {data.policy} saw it"
    charts["carpet_token"] = carpet_chart(
        rows,
        name="carpet_token",
        unit=unit,
        title=titled("Marginal cost of a token", stated(data).subtitle(ratio, basis)),
        clock_words=clock.words,
        step_h=step_h,
        relative=True,
    )
    words = _words(rows, "marginal cost of a token over its mean")
    body = figure("carpet_token", charts["carpet_token"], words=words)
    body += paragraph(_token_words(data, rows, absolute))
    title = "The marginal cost of a token by hour"
    absolute = [row | {"unit": units[row["panel"]]} for row in absolute]
    return body + _table(data, absolute, title, unit, basis, step_h, False)


def _no_token(data: ReportData, absolute: Sequence[Given]) -> str:
    """Say why there is no carpet of the marginal cost of a token."""
    if absolute:
        return (
            "There is no carpet of the marginal cost of a token: no workload has a mean above 0, "
            "so that nothing can be set against it."
        )
    if data.policy in data.scorecard.get("policies", {}):
        return (
            f"There is no carpet of the marginal cost of a token: {data.policy} prices nothing "
            "while it decides. Simulate mpc to have one."
        )
    return "There is no carpet of the marginal cost of a token: no run told it."


def _token_words(data: ReportData, rows: Sequence[Given], absolute: Sequence[Given]) -> str:
    """Say what the panels are, and which workloads are not among them."""
    workloads = unique(row["workload"] for row in data.asked)
    shown = unique(row["panel"] for row in rows)
    parts = [
        "A cell is the cost over the mean of its own panel: 2 is twice as dear as usual. The "
        "figures themselves stand in the table and when a cell is pointed at."
    ]
    parts.append(_ends(rows, " times the mean"))
    if made.ALL_TEXT in shown:
        parts.append("All text workloads are weighted by the tokens that were asked for.")
    if len(workloads) > MOST_PANELS_COUNT - 1:
        parts.append(
            f"Of {len(workloads)} workloads the {MOST_PANELS_COUNT - 1} that cost most are shown "
            "by themselves."
        )
    if flat := [panel for panel in unique(r["panel"] for r in absolute) if panel not in shown]:
        parts.append(f"Not drawn, for its mean is 0 or below: {', '.join(map(str, flat))}.")
    return " ".join(parts)


def _carbon(data: ReportData, step_h: float, clock: made.Clock, charts: dict[str, Any]) -> str:
    if not data.hours:
        return paragraph(
            "There is no carpet of carbon: no site of the company file states what its grid "
            "emits (sites[].carbon), in the ledger that carbon is counted through. A missing "
            "figure is not 0."
        )
    points = made.carbon_points(data.hours, data.balance, shown_sites(data))
    rows = made.told_panels(made.carpet_rows(points, step_h=step_h, clock=clock))
    if not rows:
        return paragraph(
            "There is no carpet of carbon: none of the sites shown states what its grid emits in "
            "any of these hours."
        )
    unit, ledger = "kg/MWh", str(data.hours[0]["carbon_ledger"])
    basis = f"carbon, {ledger}: {LEDGERS.get(ledger, ledger)}; all sites weighted by load"
    charts["carpet_carbon"] = carpet_chart(
        rows,
        name="carpet_carbon",
        unit=unit,
        title=titled("Carbon of power from the grid", stated(data).subtitle(unit, basis)),
        clock_words=clock.words,
        step_h=step_h,
    )
    body = figure("carpet_carbon", charts["carpet_carbon"], words=_words(rows, "carbon"))
    body += paragraph(_ends(rows, f" {unit}"))
    if silent := made.missing_sites(data.hours, data.balance):
        body += paragraph(
            f"Nothing is stated of {len(silent)} of "
            f"{len({row['site'] for row in data.balance})} sites, which are in no mean: "
            f"{', '.join(map(str, silent[:MOST_PANELS_COUNT]))}"
            f"{', …' if len(silent) > MOST_PANELS_COUNT else ''}."
        )
    return body + _table(data, rows, "Carbon by hour", unit, basis, step_h, False)


def _ends(rows: Sequence[Given], unit: str) -> str:
    """Say where the colours end."""
    low, high = made.ends_of(rows)
    return (
        f"Colours end at the first and the last hundredth of the hours, {significant(low)} and "
        f"{significant(high)}{unit}: what lies beyond them has the colour of the end."
    )


def _words(rows: Sequence[Given], what: str) -> str:
    names = ", ".join(map(str, unique(row["panel"] for row in rows)))
    return (
        f"A carpet of the {what}: days across, hours of the day down, one panel for each of "
        f"{names}. The table below has means, ends, and the cheapest and the dearest hour."
    )


def _table(
    data: ReportData,
    rows: Sequence[Row],
    title: str,
    unit: str,
    basis: str,
    step_h: float,
    at_zero: bool,
) -> str:
    columns = [
        Column(title="Panel", name="panel"),
        *([Column(title="Unit", name="unit")] if "unit" in rows[0] else ()),
        Column(title="Mean", name="mean", write=significant),
        Column(title="Lowest", name="lowest", write=significant),
        Column(title="Highest", name="highest", write=significant),
        Column(title="Lowest hour of the day", name="low_hour"),
        Column(title="its mean", name="low_mean", write=significant),
        Column(title="Highest hour of the day", name="high_hour"),
        Column(title="its mean", name="high_mean", write=significant),
    ]
    if at_zero:
        columns.append(Column(title="At or below 0, h", name="at_or_below_zero_h", write=amount))
    units = {row["panel"]: row.get("unit") for row in rows}
    found = [row | {"unit": units[row["panel"]]} for row in made.summary_rows(rows, step_h=step_h)]
    return table(title, stated(data).subtitle(unit, basis), columns, found)

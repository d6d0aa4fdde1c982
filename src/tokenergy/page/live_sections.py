"""The sections that a board fills: the first look, the map, the next hours, what was found."""

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from tokenergy.company.currency import in_currency
from tokenergy.page import live_tables as tables
from tokenergy.page.balance import balance_chart
from tokenergy.page.charts import price_parts_chart
from tokenergy.page.findings import finding_html
from tokenergy.page.html import Section, figure, folded, paragraph
from tokenergy.page.live_charts import queue_chart, shares_chart, stored_chart
from tokenergy.page.live_rows import (
    DRAWN_COUNT,
    ahead_rows,
    flow_rows,
    largest_sites,
    largest_workloads,
    named_sites,
    place_rows,
    power_rows,
    price_rows,
    share_rows,
    site_power_rows,
    stated_now,
    stated_of,
    stored_rows,
)
from tokenergy.page.number import amount, cell, known, significant
from tokenergy.page.rows import Given
from tokenergy.page.tiles import Tile
from tokenergy.page.world_map import map_chart

OPEN_FINDINGS_COUNT: Final = 8
"""So many findings stand open; the rest are folded."""
TILED_WORKLOADS_COUNT: Final = 3
"""So many workloads have a figure of the first look, those with most tokens."""


def first_look(outlook: Given) -> str:
    """Return the sentence on what power is worth, what is made up, and the first figures."""
    currency = str(outlook["currency"])
    said = escape(in_currency(str(outlook.get("message") or ""), currency))
    banner, paths = "", [str(path) for path in outlook.get("synthetic") or ()]
    if paths:
        items = "".join(f"<li><code>{escape(path)}</code></li>" for path in paths)
        banner = (
            '<div class="banner" role="note"><details class="plain"><summary><strong>SYNTHETIC '
            f"SERIES</strong> {len(paths)} of its series are made up by a seeded feed, not "
            "measured: figures that rest on them are illustrations.</summary>"
            f"<ul>{items}</ul></details>"
            "</div>"
        )
    shown = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{value}</dd></div>" for term, value in _tiles(outlook)
    )
    return (
        f'<div id="look" class="look"><p class="message">{said}</p>\n{banner}\n'
        f'<dl class="tiles wide">{shown}</dl></div>'
    )


def _tiles(outlook: Given) -> Iterator[Tile]:
    """Yield marginal prices now, the full cost, and power against its limit.

    The last two, what was spent and what is in flight, are filled by the stream.
    """
    currency = escape(str(outlook["currency"]))
    for workload in largest_workloads(outlook)[:TILED_WORKLOADS_COUNT]:
        used = [row for row in price_rows(outlook, workload) if row["in_use"]]
        priced = used or price_rows(outlook, workload)[:1]
        where = f"{len(used)} places" if len(used) > 1 else str(priced[0]["site"])
        text = tables.lowest_and_highest(priced)
        yield f"{workload} now, marginal", f"{text} <small>{currency}/Mtok, {escape(where)}</small>"
    full = (outlook.get("full_cost") or {}).get("allocation_usd_per_mtok")
    yield "Full cost, allocation", f"{cell(full)} <small>{currency}/Mtok, with capital</small>"
    sites = site_power_rows(outlook)
    if sites:
        load = sum(row["now_load_mw"] for row in sites)
        limit = sum(row["import_limit_mw"] for row in sites)
        of = f"MW of {amount(limit)} MW limit"
        yield "Load now", f"{cell(load, amount)} <small>{of}</small>"
        yield "Highest MW rent now", _rent(sites, currency)
    yield "Spent in 24 h", '<span data-live="spent">…</span>'
    yield "Requests in flight", '<span data-live="in_flight">…</span>'


def _rent(sites: Sequence[Given], currency: str) -> str:
    """Return the highest rent of a megawatt and where it is, if any is known."""
    known_rents = [row for row in sites if known(row["now_rent_usd_per_mwh"])]
    if not known_rents:
        return f"{cell(None)} <small>{currency}/MWh</small>"
    rent = max(known_rents, key=lambda row: row["now_rent_usd_per_mwh"])
    place = f", {escape(str(rent['site']))}" if rent["now_rent_usd_per_mwh"] > 0.0 else ""
    text = cell(rent["now_rent_usd_per_mwh"], significant)
    return f"{text} <small>{currency}/MWh{place}</small>"


def where_now(outlook: Given) -> Section:
    """Return the map with its table: the price of each workload at each site, in parts."""
    title, names = "What a token costs here and there, now", largest_workloads(outlook)
    if not names or not outlook["sites"]:
        body = paragraph("This board has no prices: there is no workload or no site.")
        return Section(anchor="map", link="Map", title=title, body=body)
    chart = map_chart(place_rows(outlook), flow_rows(outlook), stated=stated_now(outlook))
    drawn = figure(
        "places",
        chart,
        words="Map of the world with the sites: colour and label say the price of one more Mtok "
        "of the chosen workload, size how much of it runs there. The table beside it has the "
        "numbers.",
        lines=[("site-used", "serves it"), ("site-unused", "does not"), ("origin", "asks for it")],
    )
    lists = "".join(_of_workload(name, tables.sites_table(outlook, name)) for name in names)
    every = "".join(_of_workload(name, tables.parts_table(outlook, name)) for name in names)
    body = (
        f'<div class="controls">{_choice("map-workload", "Workload", names)}</div>'
        f'<div class="atlas">{drawn}<div class="beside">{lists}'
        '<div id="chosen" class="chosen"></div></div></div>'
        + folded("Every site in parts, as a table", every)
    )
    return Section(anchor="map", link="Map", title=title, body=body, charts={"places": chart})


def _of_workload(name: str, body: str) -> str:
    return f'<div data-workload="{escape(name)}" data-key="{escape(name)}">{body}</div>'


def _choice(anchor: str, label: str, names: Sequence[str], *, every: str = "") -> str:
    """Return a choice of one name; `every` is what stands for those that are drawn unasked."""
    held = [f'<option value="">{escape(every)}</option>'] if every else []
    held += [f'<option value="{escape(name)}">{escape(name)}</option>' for name in names]
    drawn = escape(json.dumps(names[:DRAWN_COUNT]))
    return (
        f'<label for="{anchor}">{escape(label)}</label> '
        f'<select id="{anchor}" data-drawn="{drawn}">{"".join(held)}</select>'
    )


def _all_or_largest(names: Sequence[str], what: str) -> str:
    if len(names) <= DRAWN_COUNT:
        return f"all {what}"
    return f"the {DRAWN_COUNT} largest of {len(names)} {what}"


def next_hours(outlook: Given) -> Section:
    """Return the board: price in parts, where it runs, power and stores, and what waits."""
    hours = f"{float(outlook['hours_h']):g}"
    title = f"The next {hours} hours"
    if not outlook["ahead"] or not outlook["balance"]:
        body = paragraph("This board says nothing about the hours ahead.")
        return Section(anchor="board", link=f"Next {hours} h", title=title, body=body)
    workloads, sites = largest_workloads(outlook), largest_sites(outlook)
    charts, parts = _board_charts(outlook), []
    parts.append(
        '<div class="controls">'
        + _choice(
            "board-workload", "Workloads", workloads, every=_all_or_largest(workloads, "workloads")
        )
        + _choice("board-site", "Sites", sites, every=_all_or_largest(sites, "sites"))
        + "</div>"
    )
    for name, chart in charts.items():
        words, lines = WORDS[name]
        parts.append(figure(name, chart, words=words, lines=lines))
        parts.append(AFTER[name](outlook))
    return Section(
        anchor="board", link=f"Next {hours} h", title=title, body="".join(parts), charts=charts
    )


def _board_charts(outlook: Given) -> dict[str, Any]:
    """Return the charts of the board that have something to show, in order."""
    stated = stated_of(outlook)
    found = {"price_parts": price_parts_chart(ahead_rows(outlook), stated=stated)}
    shares = share_rows(outlook)
    if shares:
        found["shares"] = shares_chart(shares, named_sites(outlook), stated=stated)
    found["balance"] = balance_chart(power_rows(outlook), stated=stated)
    stored = stored_rows(outlook)
    if stored:
        found["stored"] = stored_chart(stored, stated=stated)
    if outlook["queues"]:
        found["queues"] = queue_chart(outlook["queues"], stated=stated)
    return found


WORDS: Final[dict[str, tuple[str, list[tuple[str, str]]]]] = {
    "price_parts": (
        "Stacked bars of the price over the hours of the board, a panel for each workload. The "
        "table below has the prices.",
        [("band", "low to high of the price")],
    ),
    "shares": (
        "Stacked bars of the share of each site in a workload's tokens over the hours, a panel "
        "for each workload. The table below has the shares.",
        [],
    ),
    "balance": (
        "Stacked areas of power over the hours with the price of power and the import limit, a "
        "panel for each site. The table below has the figures.",
        [
            ("load", "load"),
            ("dotted", "import limit, where near"),
            ("price", "purchase price, right axis"),
        ],
    ),
    "stored": (
        "Bars of charge below zero and discharge above it, a line of the stored energy, a panel "
        "for each site with a store. The table of power has the figures.",
        [("load", "stored energy, right axis")],
    ),
    "queues": (
        "Bars of the work that is served, lines of what arrives and of what waits, a panel for "
        "each workload. The table below has the sums.",
        [("load", "arrives")],
    ),
}
"""What each chart shows, for a reader who cannot see it, and its lines without a legend."""

AFTER: Final[dict[str, Any]] = {
    "price_parts": lambda outlook: folded("The prices as a table", tables.ahead_table(outlook)),
    "shares": lambda outlook: folded("The shares as a table", tables.shares_table(outlook)),
    "balance": tables.power_table,
    "stored": lambda outlook: "",
    "queues": tables.queues_table,
}
"""The table that stands under each chart."""


def found(outlook: Given) -> Section:
    """Return what was found in the company file and its series."""
    lines = [finding_html(each) for each in outlook.get("findings") or ()]
    body = "".join(lines[:OPEN_FINDINGS_COUNT]) or paragraph("None.")
    if lines[OPEN_FINDINGS_COUNT:]:
        rest = lines[OPEN_FINDINGS_COUNT:]
        body += folded(f"{len(rest)} more", "".join(rest))
    return Section(
        anchor="findings", link="Findings", title="What was found in the input", body=body
    )

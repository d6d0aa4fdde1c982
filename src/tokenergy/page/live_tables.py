"""Tables of the live page's board: prices by site and in parts, prices ahead, power, queues."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from tokenergy.page.html import Column, framed, table
from tokenergy.page.live_rows import (
    ROUNDING_USD_PER_MTOK,
    mean_share_rows,
    price_rows,
    queue_sums,
    site_power_rows,
    stated_now,
    stated_of,
    workloads_of,
)
from tokenergy.page.number import amount, cell, known, percent, significant
from tokenergy.page.rows import PARTS, Given, Row, unique
from tokenergy.page.tables import SAME_SHARE

BASIS: Final = "marginal: cheapest deployment of each site"
CUT_RATIO: Final = 2.5
"""A bar is cut off where it would be so many times as long as that of the middle site."""
AHEAD_BASIS: Final = "marginal: cheapest deployment in use"


def sites_table(outlook: Given, workload: str) -> str:
    """Return the price of a workload at each site with a bar of its parts, to stand by the map.

    The name of a site is a button that chooses it; the bar repeats figures that stand in the
    table of parts.
    """
    rows = price_rows(outlook, workload)
    most = longest([_positive(row) for row in rows])
    unit = f"{outlook['currency']}/Mtok"
    body = "\n".join(_site_row(row, most) for row in rows)
    head = (
        '<tr><th scope="col">Site</th><th scope="col">Price</th>'
        '<th scope="col" class="words">In parts</th><th scope="col">Runs here</th></tr>'
    )
    return framed(
        f"{workload} now", stated_now(outlook).subtitle(unit, BASIS), head, body, kind="sites"
    )


def _site_row(row: Row, most: float) -> str:
    site = escape(str(row["site"]))
    used = bool(row["in_use"])
    mark = '<span aria-hidden="true">● </span>' if used else ""
    share = cell(row.get("site_share"), _whole_percent)
    kind = ' class="used"' if used else ""
    return (
        f'<tr data-key="site {site}"{kind}>'
        f'<th scope="row"><button type="button" class="pick" aria-pressed="false" '
        f'data-site="{site}">{site}</button></th>'
        f"<td>{mark}{cell(row.get('total_usd_per_mtok'))}{_unit_price(row)}</td>"
        f"<td>{stack(row, most)}</td><td>{share}</td></tr>"
    )


def _whole_percent(share: float) -> str:
    return percent(share, 0)


def _unit_price(row: Given) -> str:
    """Return what an image or a second of video costs, where the workload makes those.

    It is that of the cheapest place, so a place that is not in use says none.
    """
    lines = [
        f'<span class="where">{cell(row[name])} {escape(unit)}</span>'
        for name, unit in (("usd_per_item", "an item"), ("usd_per_video_s", "a second"))
        if row["in_use"] and known(row.get(name))
    ]
    return "".join(lines)


def _positive(row: Given) -> float:
    return sum(max(0.0, row.get(f"{part}_usd_per_mtok") or 0.0) for part in PARTS)


def longest(prices: Sequence[float]) -> float:
    """Return the price whose bar is as long as there is room; a far dearer one is cut off.

    Otherwise one site that is out of use would make stubs of all others.
    """
    priced = sorted(price for price in prices if price > 0.0)
    if not priced:
        return 0.0
    return min(priced[-1], CUT_RATIO * priced[len(priced) // 2])


def stack(row: Given, most: float) -> str:
    """Return a bar of the parts, as long as they sum to of `most`; the table has the figures."""
    if most <= 0.0:
        return ""
    pieces = []
    cut = " cut" if _positive(row) > most * (1.0 + 1e-9) else ""
    for part in PARTS:
        usd = row.get(f"{part}_usd_per_mtok") or 0.0
        width = 100.0 * max(0.0, usd) / most
        if width >= 0.05:
            pieces.append(f'<i class="part-{part}" style="width:{width:.2f}%"></i>')
    return f'<span class="stack{cut}" aria-hidden="true">{"".join(pieces)}</span>'


def parts_table(outlook: Given, workload: str) -> str:
    """Return the price of a workload at each site, part by part."""
    rows = price_rows(outlook, workload)
    parts = [part for part in PARTS if any(_has(row, part) for row in rows)]
    columns = [
        Column(title="site", name="site"),
        Column(title="all of it", name="total_usd_per_mtok", write=significant),
        *(
            Column(title=part.replace("_", " "), name=f"{part}_usd_per_mtok", write=significant)
            for part in parts
        ),
        Column(title="low", name="low_usd_per_mtok", write=significant),
        Column(title="high", name="high_usd_per_mtok", write=significant),
        Column(title="share", name="site_share", write=percent),
        Column(title="made by", name="made_by"),
    ]
    unit = f"{outlook['currency']}/Mtok"
    return table(
        f"{workload} now, in parts",
        stated_now(outlook).subtitle(unit, BASIS),
        columns,
        [row | {"made_by": made_by(row)} for row in rows],
    )


def _has(row: Given, part: str) -> bool:
    usd_per_mtok = row.get(f"{part}_usd_per_mtok")
    return known(usd_per_mtok) and abs(usd_per_mtok) > ROUNDING_USD_PER_MTOK


def made_by(row: Given) -> str:
    """Return what makes the tokens, or that nothing can here."""
    if not row.get("model"):
        return "cannot be served here"
    on = f" on {row['accelerator']}" if row.get("accelerator") else ""
    return f"{row['model']}{on}" + ("" if row["in_use"] else ", not in use")


def ahead_table(outlook: Given) -> str:
    """Return the price of each workload in each interval of the board."""
    names = workloads_of(outlook)
    found: dict[str, dict[str, Any]] = {}
    for row in outlook["ahead"]:
        held = found.setdefault(str(row["start"]), {"start": row["start"]})
        held[f"usd {row['workload']}"] = row["total_usd_per_mtok"]
    columns = [Column(title="interval", name="start")]
    columns += [Column(title=name, name=f"usd {name}", write=significant) for name in names]
    unit = f"{outlook['currency']}/Mtok"
    caption = "The price of one more Mtok, interval by interval"
    return table(
        caption, stated_of(outlook).subtitle(unit, AHEAD_BASIS), columns, list(found.values())
    )


def shares_table(outlook: Given) -> str:
    """Return where each workload runs, now and over the hours of the board."""
    rows = mean_share_rows(outlook)
    sites = [str(site) for site in unique(row["site"] for row in rows)]
    found = []
    for workload in unique(row["workload"] for row in rows):
        mine = {row["site"]: row for row in rows if row["workload"] == workload}
        for when, name in (("now", "now_share"), ("mean", "mean_share")):
            shares = {f"share {site}": row[name] for site, row in mine.items()}
            found.append({"workload": workload, "when": when} | shares)
    return table(
        "Where each workload runs",
        stated_of(outlook).subtitle("share of its tokens", "now, and mean of the board"),
        [
            Column(title="workload", name="workload"),
            Column(title="when", name="when"),
            *(Column(title=site, name=f"share {site}", write=percent) for site in sites),
        ],
        found,
    )


def power_table(outlook: Given) -> str:
    """Return load against the limit of each site, what a MW is worth there, and its store."""
    usd = f"{outlook['currency']}/MWh"
    return table(
        "Power at each site",
        stated_of(outlook).subtitle(
            f"MW, MWh, {usd}", "now: first interval; most: of the board; rent: of one MW more"
        ),
        [
            Column(title="site", name="site"),
            Column(title="load now, MW", name="now_load_mw", write=amount),
            Column(title="most load, MW", name="most_load_mw", write=amount),
            Column(title="import limit, MW", name="import_limit_mw", write=amount),
            Column(title="of limit now", name="now_limit_share", write=percent),
            Column(title="hours at limit", name="at_limit_h", write=amount),
            Column(title=f"MW rent now, {usd}", name="now_rent_usd_per_mwh", write=significant),
            Column(title=f"most MW rent, {usd}", name="most_rent_usd_per_mwh", write=significant),
            Column(title=f"power now, {usd}", name="now_usd_per_mwh", write=significant),
            Column(title=f"lowest, {usd}", name="lowest_usd_per_mwh", write=significant),
            Column(title=f"highest, {usd}", name="highest_usd_per_mwh", write=significant),
            Column(title="stored now, MWh", name="now_stored_mwh", write=amount),
            Column(title="most stored, MWh", name="most_stored_mwh", write=amount),
        ],
        site_power_rows(outlook),
    )


def queues_table(outlook: Given) -> str:
    """Return what each workload brings, what is served of it, and what waits."""
    return table(
        "What arrives, is served and waits",
        stated_of(outlook).subtitle("Mtok over the board", "forecast, as dispatched"),
        [
            Column(title="workload", name="workload"),
            Column(title="arrives", name="arrivals_mtok", write=amount),
            Column(title="is served", name="served_mtok", write=amount),
            Column(title="waits after now", name="now_backlog_mtok", write=amount),
            Column(title="waits at most", name="most_backlog_mtok", write=amount),
            Column(title="at", name="most_at"),
            Column(title="waits at the end", name="last_backlog_mtok", write=amount),
        ],
        queue_sums(outlook),
    )


def lowest_and_highest(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the lowest and the highest price of the rows, once where they are the same."""
    prices = [row["total_usd_per_mtok"] for row in rows if known(row.get("total_usd_per_mtok"))]
    if not prices:
        return cell(None)
    low, high = min(prices), max(prices)
    if high - low <= SAME_SHARE * abs(high):
        return cell(low)
    return f"{cell(low)} to {cell(high)}"

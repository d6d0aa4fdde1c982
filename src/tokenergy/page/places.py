"""Where tokens come from and where they are made: the map with its flows, and the table of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokenergy.page.data import ReportData
from tokenergy.page.html import Column, Section, figure, folded, paragraph, table
from tokenergy.page.number import amount, known, percent, significant
from tokenergy.page.rows import Given, Row, site_rows
from tokenergy.page.stated import stated
from tokenergy.page.world_map import MOST_FLOWS_COUNT, bows, labelled, map_chart, shown_share

TITLE: Final = "Where tokens come from and where they are made"
ELSEWHERE: Final = "others' servers"
OPEN_FLOWS_COUNT: Final = 12
"""So many flows stand open in the table; the rest are folded."""
BASIS: Final = "purchase price, weighted by load; size: share of the tokens over the horizon"


def places(data: ReportData) -> Section:
    """Return the map of sites and origins with the flows of tokens, and their table."""
    charts: dict[str, Any] = {}
    sites = [row for row in data.places if row["kind"] == "site"]
    if not sites:
        body = paragraph("Nobody said where the sites stand, so that there is no map.")
        return Section(anchor="places", link="Map", title=TITLE, body=body)
    flows = drawn_flows(data)
    step_h = float((data.heading.get("horizon") or {}).get("step_h") or 1.0)
    placed = place_rows(data, step_h=step_h)
    charts["places"] = map_chart(
        labelled(placed, figure="usd_per_mwh"),
        bows(flows),
        stated=stated(data),
        title="Price of power at each site, and the flows of tokens",
        basis=BASIS,
        name="map_places",
        figure="usd_per_mwh",
        per="MWh",
    )
    body = paragraph(_words(data, flows))
    body += figure(
        "places",
        charts["places"],
        words=f"A map of the world with {len(sites)} sites, coloured by the price of their power, "
        "and lines from the regions that ask to the sites that answer. The tables below have "
        "every site and every flow.",
    )
    body += sites_table(data, placed) + flows_table(data)
    return Section(anchor="places", link="Map", title=TITLE, body=body, charts=charts)


def _words(data: ReportData, flows: Sequence[Given]) -> str:
    """Say how the map is read, what is not on it, and where tokens travel."""
    text = (
        f"Under {data.policy}. Squares are where requests come from, circles are sites: the "
        "larger, the more tokens are made there. A line is as wide as the tokens it carries."
    )
    if not data.flows:
        return f"{text} No token was served, so that there are no flows."
    drawn = shown_share(flows)
    if drawn < 1.0:
        text += (
            f" The {MOST_FLOWS_COUNT} widest lines are drawn, {percent(drawn, 0)} of the tokens "
            "on the map."
        )
    whole = sum(row["served_mtok"] for row in data.flows)
    away = sum(row["served_mtok"] for row in data.flows if not row["site"])
    if away > 0.0 and whole > 0.0:
        text += f" {percent(away / whole)} go to others' servers, which no map shows."
    return text


def place_rows(data: ReportData, *, step_h: float) -> list[Row]:
    """Return the places with the price of power, and the share of all tokens that is made there."""
    price = {
        row["site"]: row["load_weighted_usd_per_mwh"] or row["mean_usd_per_mwh"]
        for row in site_rows(data.balance, step_h=step_h)
    }
    made = _by(data.flows, "site")
    whole = sum(made.values())
    rows = []
    for place in data.places:
        site = place["kind"] == "site"
        mtok = made.get(place["name"], 0.0) if site else 0.0
        rows.append(
            {
                "kind": place["kind"],
                "name": place["name"],
                "latitude_deg": place["latitude_deg"],
                "longitude_deg": place["longitude_deg"],
                "usd_per_mwh": price.get(place["name"]) if site else None,
                "share": (mtok / whole if whole > 0.0 else 0.0) if site else None,
                "in_use": mtok > 0.0,
            }
        )
    return rows


def _by(flows: Sequence[Given], name: str) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for row in flows:
        sums[row[name]] += row["served_mtok"]
    return sums


def drawn_flows(data: ReportData) -> list[Row]:
    """Return tokens by origin and site, with the degrees of both; those beyond the map left out."""
    at: dict[tuple[str, str], Given] = {(row["kind"], row["name"]): row for row in data.places}
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for row in data.flows:
        sums[(row["origin"], row["site"])] += row["served_mtok"]
    rows = []
    for (origin, site), mtok in sums.items():
        begin, end = at.get(("origin", origin)), at.get(("site", site))
        if begin is None or end is None:
            continue
        rows.append(
            {"source": origin, "site": site, "mtok": mtok}
            | _degrees("from", begin)
            | _degrees("to", end)
        )
    return rows


def _degrees(way: str, place: Mapping[str, Any]) -> Row:
    return {f"{way}_{name}": place[name] for name in ("latitude_deg", "longitude_deg")}


def sites_table(data: ReportData, placed: Sequence[Given]) -> str:
    """Return the sites of the map in numbers: tokens made, and what power costs."""
    made, mean_ms = _by(data.flows, "site"), _mean_by_site(data.flows, "rtt_ms")
    rows = [
        {
            "name": place["name"],
            "where": _coordinates(place),
            "mtok": made.get(place["name"], 0.0),
            "share": place["share"],
            "usd_per_mwh": place["usd_per_mwh"],
            "rtt_ms": mean_ms.get(place["name"]),
        }
        for place in placed
        if place["kind"] == "site"
    ]
    if made.get(""):
        whole = sum(made.values())
        rows.append(
            {"name": ELSEWHERE, "where": "not known", "mtok": made[""]}
            | {"share": made[""] / whole, "usd_per_mwh": None, "rtt_ms": None}
        )
    columns = [
        Column(title="Site", name="name"),
        Column(title="Where", name="where"),
        Column(title="Served, Mtok", name="mtok", write=amount),
        Column(title="Share of the tokens", name="share", write=percent),
        Column(title=f"Price of power, {data.currency}/MWh", name="usd_per_mwh", write=significant),
        Column(title="Mean round trip, ms", name="rtt_ms", write=amount),
    ]
    unit = f"Mtok, {data.currency}/MWh, ms"
    basis = f"under {data.policy}; prices weighted by load, round trips by token"
    return table("The map in numbers", stated(data).subtitle(unit, basis), columns, rows)


def _coordinates(place: Given) -> str:
    """Write where a place is for people, e.g. `32.4° N, 99.7° W`."""
    latitude, longitude = place["latitude_deg"], place["longitude_deg"]
    words = (
        f"{abs(latitude):.1f}° {'N' if latitude >= 0.0 else 'S'}, "
        f"{abs(longitude):.1f}° {'E' if longitude >= 0.0 else 'W'}"
    )
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def _mean_by_site(flows: Sequence[Given], name: str) -> dict[str, float]:
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in flows:
        if known(row[name]):
            sums[row["site"]][0] += row[name] * row["served_mtok"]
            sums[row["site"]][1] += row["served_mtok"]
    return {site: total / mtok for site, (total, mtok) in sums.items() if mtok > 0.0}


def flows_table(data: ReportData) -> str:
    """Return every flow, largest first; beyond the first dozen they are folded."""
    rows = [
        dict(row) | {"site": row["site"] or ELSEWHERE}
        for row in sorted(data.flows, key=lambda row: -row["served_mtok"])
    ]
    if not rows:
        return ""
    columns = [
        Column(title="Workload", name="workload"),
        Column(title="From", name="origin"),
        Column(title="To", name="site"),
        Column(title="Served, Mtok", name="served_mtok", write=amount),
        Column(title="of the workload", name="share", write=percent),
        Column(title="Distance, km", name="distance_km", write=amount),
        Column(title="Round trip, ms", name="rtt_ms", write=amount),
        Column(
            title=f"Network, {data.currency}/Mtok", name="network_usd_per_mtok", write=significant
        ),
    ]
    basis = f"usage: means by token over the horizon under {data.policy}"
    states = stated(data).subtitle(f"Mtok, km, ms, {data.currency}/Mtok", basis)
    first = table("The flows in numbers", states, columns, rows[:OPEN_FLOWS_COUNT])
    rest = rows[OPEN_FLOWS_COUNT:]
    if not rest:
        return first
    return first + folded(
        f"{len(rest)} smaller flows", table("The smaller flows", states, columns, rest)
    )

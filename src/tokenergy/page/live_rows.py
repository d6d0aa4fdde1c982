"""The rows that the live page draws and writes, made of an outlook."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from tokenergy.page.number import known
from tokenergy.page.rows import (
    PARTS,
    Given,
    Row,
    balance_rows,
    hours_of,
    moment,
    now_rows,
    site_rows,
    stamp,
    unique,
)
from tokenergy.page.stated import Stated, span
from tokenergy.page.world_map import bows, labelled

DRAWN_COUNT: Final = 6
"""So many sites or workloads have panels until the reader chooses one."""
NAMED_SITES_COUNT: Final = 7
"""So many sites of a workload's shares have a colour; the others are one."""
ROUNDING_USD_PER_MTOK: Final = 1e-12
"""A part of a price below this is arithmetic's."""
OTHERS: Final = "other sites"


def stated_of(outlook: Given) -> Stated:
    """Return what the charts of a board state, over its hours."""
    start = moment(str(outlook["start"]))
    end = start + timedelta(hours=float(outlook["hours_h"]))
    return Stated(
        currency=str(outlook.get("currency") or "USD"),
        period=span(stamp(start), stamp(end)),
        synthetic=bool(outlook.get("synthetic")),
    )


def stated_now(outlook: Given) -> Stated:
    """Return what the figures of a board's first interval state."""
    start = moment(str(outlook["start"]))
    end = start + timedelta(hours=float(outlook["step_h"]))
    return stated_of(outlook).over([{"start": stamp(start), "end": stamp(end)}])


def workloads_of(outlook: Given) -> list[str]:
    """Return the workloads that have a price, in the board's order."""
    return [str(name) for name in unique(row["workload"] for row in outlook["now"])]


def price_rows(outlook: Given, workload: str) -> list[Row]:
    """Return the price of a workload at every site, best first; a site that cannot has none.

    Each row has the keys of `now`, with `site_share` (of the workload's tokens at the site) and
    `zone`; where the site has no deployment for the workload the figures are None.
    """
    mine = {row["site"]: row for row in now_rows(outlook["now"]) if row["workload"] == workload}
    rows = []
    for site in (*outlook["sites"], *_elsewhere(outlook, list(mine))):
        unpriced = {"workload": workload, "site": site["site"], "in_use": False, "model": ""}
        row = dict(mine.get(site["site"]) or unpriced)
        rows.append(row | {"zone": site.get("zone") or ""})
    return sorted(rows, key=_best)


def _elsewhere(outlook: Given, names: Sequence[str]) -> list[Row]:
    """Return those of some places that are no sites: APIs of others, which stand on no map."""
    own = {site["site"] for site in outlook["sites"]}
    return [{"site": name} for name in names if name not in own]


def _best(row: Given) -> tuple[Any, ...]:
    price = row.get("total_usd_per_mtok")
    if not known(price):
        return (2, 0.0, str(row["site"]))
    return (int(not row["in_use"]), price, str(row["site"]))


def part_rows(outlook: Given) -> list[Row]:
    """Return what the reader may choose: the parts of the price by workload and site."""
    names = ["workload", "site", "model", "accelerator", "in_use", "site_share"]
    names += ["total_usd_per_mtok", "low_usd_per_mtok", "high_usd_per_mtok"]
    names += [f"{part}_usd_per_mtok" for part in PARTS]
    names += ["usd_per_item", "usd_per_video_s"]
    return [
        {name: row.get(name) for name in names}
        for workload in workloads_of(outlook)
        for row in price_rows(outlook, workload)
    ]


def place_rows(outlook: Given) -> list[Row]:
    """Return the places of the map for each workload: the sites, and where it comes from."""
    rows: list[Row] = []
    where = {row["site"]: row for row in outlook["sites"]}
    for workload in workloads_of(outlook):
        sites = [
            _place(where[row["site"]], name=row["site"], kind="site")
            | {"usd_per_mtok": row.get("total_usd_per_mtok"), "in_use": bool(row["in_use"])}
            | {"share": row.get("site_share")}
            for row in price_rows(outlook, workload)
            if row["site"] in where
        ]
        origins = [
            _place(row, name=_origin(row), kind="origin")
            | {"usd_per_mtok": None, "in_use": False, "share": None}
            for row in outlook["origins"]
            if row["workload"] == workload
        ]
        placed = [row for row in (*sites, *origins) if known(row["latitude_deg"])]
        rows += [row | {"workload": workload} for row in labelled(placed)]
    return rows


def _place(row: Given, *, name: str, kind: str) -> Row:
    place = {end: row.get(end) for end in ("latitude_deg", "longitude_deg")}
    return {"name": name, "kind": kind} | place


def _origin(row: Given) -> str:
    region = row.get("region")
    return f"{row['workload']} ({region})" if region else str(row["workload"])


def flow_rows(outlook: Given) -> list[Row]:
    """Return where each workload's tokens go now, from where it comes, as bows."""
    where = {row["site"]: row for row in outlook["sites"]}
    rows: list[Row] = []
    for origin in outlook["origins"]:
        flows = [
            {"workload": origin["workload"], "source": _origin(origin), "site": row["site"]}
            | {"share": row["site_share"]}
            | _ends(origin, where[row["site"]])
            for row in now_rows(outlook["now"])
            if row["workload"] == origin["workload"] and row["in_use"] and row["site"] in where
        ]
        rows += bows([flow for flow in flows if all(map(known, _degrees(flow)))])
    return rows


def _ends(origin: Given, site: Given) -> Row:
    return {
        f"{end}_{name}": row.get(name)
        for end, row in (("from", origin), ("to", site))
        for name in ("latitude_deg", "longitude_deg")
    }


def _degrees(flow: Given) -> list[Any]:
    return [value for name, value in flow.items() if name.endswith("_deg")]


def ahead_rows(outlook: Given) -> list[Row]:
    """Return the price ahead by workload and interval, with the middle that its band stands at."""
    names = ["workload", "site", "accelerator", "model", "start", "end", "in_use"]
    names += [f"{end}_usd_per_mtok" for end in ("total", "low", "high")]
    return [
        {name: row[name] for name in names}
        | {f"{part}_usd_per_mtok": _said(row[f"{part}_usd_per_mtok"]) for part in PARTS}
        | {"middle": stamp(moment(row["start"]) + (moment(row["end"]) - moment(row["start"])) / 2)}
        for row in outlook["ahead"]
    ]


def _said(usd_per_mtok: float) -> float:
    """Return a part of a price; what is left of a subtraction of floats is 0."""
    return usd_per_mtok if abs(usd_per_mtok) > ROUNDING_USD_PER_MTOK else 0.0


def share_rows(outlook: Given) -> list[Row]:
    """Return where each workload runs, by interval; the sites that matter least are one."""
    named = named_sites(outlook)
    sums: dict[tuple[str, str, str, str], float] = {}
    for row in outlook["shares"]:
        site = str(row["site"]) if row["site"] in named else OTHERS
        key = (str(row["workload"]), str(row["start"]), str(row["end"]), site)
        sums[key] = sums.get(key, 0.0) + row["share"]
    return [
        {"workload": workload, "start": start, "end": end, "site": site, "share": share}
        for (workload, start, end, site), share in sums.items()
    ]


def named_sites(outlook: Given) -> list[str]:
    """Return the sites that have a colour: those with the largest shares over all workloads."""
    sums: dict[str, float] = {}
    for row in outlook["shares"]:
        sums[str(row["site"])] = sums.get(str(row["site"]), 0.0) + row["share"]
    order = sorted(sums, key=lambda site: (-sums[site], site))
    return order if len(order) <= NAMED_SITES_COUNT + 1 else order[:NAMED_SITES_COUNT]


def mean_share_rows(outlook: Given) -> list[Row]:
    """Return by workload and site the share now and over the hours of the board."""
    step_h, hours_h = float(outlook["step_h"]), float(outlook["hours_h"])
    found: dict[tuple[str, str], Row] = {}
    for row in outlook["shares"]:
        key = (str(row["workload"]), str(row["site"]))
        mine = found.setdefault(
            key, {"workload": key[0], "site": key[1], "now_share": 0.0, "mean_share": 0.0}
        )
        mine["mean_share"] += row["share"] * hours_of(row, step_h) / hours_h
        if row["start"] == outlook["start"]:
            mine["now_share"] += row["share"]
    return list(found.values())


def power_rows(outlook: Given) -> list[Row]:
    """Return the balance of the sites, ready to be drawn."""
    return balance_rows(outlook["balance"], step_h=float(outlook["step_h"]))


def stored_rows(outlook: Given) -> list[Row]:
    """Return what the sites that store anything charge, discharge and hold, by interval."""
    stores = {row["site"] for row in outlook["balance"] if _stores(row)}
    names = ("site", "start", "end", "charge_mw", "discharge_mw", "stored_mwh")
    return [
        {name: row[name] for name in names} for row in outlook["balance"] if row["site"] in stores
    ]


def _stores(row: Given) -> bool:
    return any(row[name] > 1e-6 for name in ("charge_mw", "discharge_mw", "stored_mwh"))


def site_power_rows(outlook: Given) -> list[Row]:
    """Return one row per site: load against the limit, the rent of a MW, prices and the store."""
    balance = outlook["balance"]
    first: dict[str, Given] = {}
    for row in balance:
        first.setdefault(row["site"], row)
    rows = []
    for summed in site_rows(balance, step_h=float(outlook["step_h"])):
        mine = [row for row in balance if row["site"] == summed["site"]]
        rents = [rent for row in mine if known(rent := row["mw_rent_usd_per_mwh"])]
        now = first[summed["site"]]
        limit_mw = now["import_limit_mw"]
        rows.append(
            summed
            | {
                "now_load_mw": now["load_mw"],
                "import_limit_mw": limit_mw,
                "most_load_mw": max(row["load_mw"] for row in mine),
                "now_limit_share": now["import_mw"] / limit_mw if limit_mw > 0.0 else None,
                "now_rent_usd_per_mwh": now["mw_rent_usd_per_mwh"],
                "most_rent_usd_per_mwh": max(rents, default=None),
                "now_usd_per_mwh": now["buy_usd_per_mwh"],
                "now_stored_mwh": now["stored_mwh"],
                "most_stored_mwh": max(row["stored_mwh"] for row in mine),
                "stores": any(map(_stores, mine)),
            }
        )
    return rows


def queue_sums(outlook: Given) -> list[Row]:
    """Return one row per workload: what arrives, what is served, what waits at most and at last."""
    rows = []
    for workload in unique(row["workload"] for row in outlook["queues"]):
        mine = [row for row in outlook["queues"] if row["workload"] == workload]
        waits = [row for row in mine if known(row["backlog_mtok"])]
        most: Given = max(waits, key=lambda row: row["backlog_mtok"], default={})
        rows.append(
            {
                "workload": workload,
                "arrivals_mtok": sum(row["arrivals_mtok"] for row in mine),
                "served_mtok": sum(row["served_mtok"] for row in mine),
                "now_backlog_mtok": mine[0]["backlog_mtok"],
                "most_backlog_mtok": most.get("backlog_mtok"),
                "most_at": most["start"] if most.get("backlog_mtok", 0.0) > 0.0 else "",
                "last_backlog_mtok": mine[-1]["backlog_mtok"],
            }
        )
    return rows


def largest_sites(outlook: Given) -> list[str]:
    """Return the sites by load over the board, the largest first."""
    return _largest(outlook["balance"], "site", "load_mw")


def largest_workloads(outlook: Given) -> list[str]:
    """Return the workloads that run now by what arrives over the board, then the others."""
    names = workloads_of(outlook)
    sized = _largest(outlook["queues"], "workload", "arrivals_mtok")
    order = [name for name in sized if name in names]
    order += [name for name in names if name not in order]
    used = {str(row["workload"]) for row in outlook["now"] if row["in_use"]}
    return sorted(order, key=lambda name: name not in used)


def _largest(rows: Sequence[Mapping[str, Any]], by: str, figure: str) -> list[str]:
    sums: dict[str, float] = {}
    for row in rows:
        sums[str(row[by])] = sums.get(str(row[by]), 0.0) + row[figure]
    return sorted(sums, key=lambda name: (-sums[name], name))

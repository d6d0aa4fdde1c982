"""The tables of the report: what a token costs now, the scorecard, full cost, sites, supply."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tokenergy.page.data import ReportData
from tokenergy.page.html import Column, framed, table
from tokenergy.page.number import MISSING, amount, cell, known, money, percent, significant
from tokenergy.page.rows import (
    Row,
    full_cost_rows,
    now_rows,
    policy_rows,
    reached,
    site_rows,
    unique,
)
from tokenergy.page.stated import Stated

HEAT_SHARE = 0.5
"""How strong the dearest cell of a row is coloured."""
SAME_SHARE = 0.005
"""Ends of a price that lie closer together than this are shown as one."""


def price_now_table(data: ReportData, stated: Stated) -> str:
    """Return the price of each workload at each site in the first interval of the board."""
    rows = now_rows(data.prices)
    sites = unique(row["site"] for row in rows)
    head = '<th scope="col">Workload</th>' + "".join(
        f'<th scope="col">{escape(str(site))}</th>' for site in sites
    )
    body = []
    for workload in unique(row["workload"] for row in rows):
        mine = {row["site"]: row for row in rows if row["workload"] == workload}
        prices = [row["total_usd_per_mtok"] for row in mine.values()]
        cells = [_price_cell(mine.get(site), prices) for site in sites]
        body.append(f'<tr><th scope="row">{escape(str(workload))}</th>{"".join(cells)}</tr>')
    unit = f"{stated.currency}/Mtok"
    return framed(
        "Price of one more Mtok now",
        stated.subtitle(unit, "marginal: cheapest deployment of each site; low to high if apart"),
        f"<tr>{head}</tr>",
        "\n".join(body),
        kind="heat",
    )


def _price_cell(row: Mapping[str, Any] | None, prices: Sequence[float]) -> str:
    """Return one price with where it is made; darker is dearer within the workload."""
    if row is None:
        return f'<td><span class="missing" title="cannot be served here">{MISSING}</span></td>'
    least, most = min(prices), max(prices)
    level = heat_share(row["total_usd_per_mtok"], least, most)
    used = bool(row["in_use"])
    place = f"{row['model']} on {row['accelerator']}"
    lines = [place if row["accelerator"] else str(row["model"])]
    low, high = row["low_usd_per_mtok"], row["high_usd_per_mtok"]
    if used and known(low) and high - low > SAME_SHARE * abs(high):
        lines.insert(0, f"{significant(low)} to {significant(high)}")
    for name, unit in (("usd_per_item", "an item"), ("usd_per_video_s", "a second")):
        if known(row[name]) and high:
            here = row[name] / high * row["total_usd_per_mtok"]  # given at the workload's price
            lines.append(f"{significant(here)} {unit}")
    if used:
        lines.insert(0, f"in use, {percent(row['site_share'], 0)}")
    where = "".join(f'<span class="where">{escape(line)}</span>' for line in lines)
    mark = '<span aria-hidden="true">● </span>' if used else ""
    kind = ' class="used"' if used else ""
    style = f' style="--level:{HEAT_SHARE * level:.2f}"'
    return f"<td{kind}{style}>{mark}{cell(row['total_usd_per_mtok'])}{where}</td>"


def heat_share(price: float, least: float, most: float) -> float:
    """Return where a price stands between two, by ratio where all are above zero."""
    if most <= least:
        return 0.0
    if least > 0.0:
        return math.log(price / least) / math.log(most / least)
    return (price - least) / (most - least)


def scorecard_table(data: ReportData, stated: Stated) -> str:
    """Return the policies side by side; `nearest` stands last and is no headline."""
    ranked = policy_rows(data.scorecard, headline=data.policy)
    rows, kinds = [], {}
    for at, policy in enumerate(ranked):
        score = data.scorecard["policies"][policy["policy"]]
        saving = score.get("saving_greedy_battery") or {}
        rows.append(dict(score) | policy | {"saving_share": saving.get("share")})
        kinds[at] = {"shown": "shown", "no headline": "faint"}.get(policy["role"], "")
    columns = [
        Column(title="Policy", name="label"),
        Column(title=f"Cost, {stated.currency}", name="cost_usd", write=money),
        Column(title=f"Power bill, {stated.currency}", name="bill_usd", write=money),
        Column(title="Regret", name="regret_share", write=lambda x: percent(x, 2)),
        Column(title="Captured", name="captured_share", write=percent),
        Column(title="Saving on baseline", name="saving_share", write=percent),
        Column(title="Served, Mtok", name="served_mtok", write=amount),
        Column(title="Refused, Mtok", name="refused_mtok", write=amount),
        Column(title="Made at ≤\N{NO-BREAK SPACE}0", name="zero_price_share", write=percent),
        Column(title="J/token", name="j_per_token", write=significant),
    ]
    basis = "cost = bill + wear + leases + network + lost value + end valuation"
    return table(
        "Scorecard",
        stated.subtitle(stated.currency, basis),
        columns,
        rows,
        kinds=kinds,
    )


def tiers_table(data: ReportData, stated: Stated) -> str:
    """Return what became of each tier's work, and what another value of it would change."""
    tiers = (data.scorecard["policies"].get(data.policy) or {}).get("tiers") or {}
    changes = {(row["tier"], row["factor_ratio"]): row for row in data.value_changes}
    rows = []
    for tier, fate in tiers.items():
        row = {"tier": tier} | dict(fate)
        for factor, name in ((0.5, "half"), (2.0, "double")):
            change = changes.get((tier, factor))
            row[name] = MISSING if change is None else _change_words(change)
        rows.append(row)
    columns = [
        Column(title="Tier", name="tier"),
        Column(title="Served", name="served_mtok", write=amount),
        Column(title="Deferred", name="deferred_mtok", write=amount),
        Column(title="Downgraded", name="downgraded_mtok", write=amount),
        Column(title="Refused", name="refused_mtok", write=amount),
        Column(title="At half its value", name="half"),
        Column(title="At double its value", name="double"),
    ]
    basis = f"under {data.policy}; the last two columns over the board's hours"
    return table("What became of the work", stated.subtitle("Mtok", basis), columns, rows)


def _change_words(change: Mapping[str, Any]) -> str:
    """Say what another value would change; below a millionth of the work it is nothing."""
    least = 1e-6 * max(1.0, change["own_served_mtok"] + change["own_refused_mtok"])
    said = []
    for name, word in (("refused_mtok", "refused"), ("downgraded_mtok", "downgraded")):
        more = change[name] - change[f"own_{name}"]
        if abs(more) > least:
            said.append(f"{amount(abs(more))} {'more' if more > 0 else 'less'} {word}")
    return ", ".join(said) or "nothing changes"


def full_cost_table(data: ReportData, stated: Stated, *, step_h: float) -> str:
    """Return the full cost by kind, in money and per Mtok, with both bases under it."""
    full = data.full_cost
    found = full_cost_rows(full, [], step_h=step_h)
    sums = {
        "kWh": full["power_usd"],
        "powered capacity": full["powered_capacity_usd"],
        "silicon": full["silicon_usd"],
        "other": full["other_usd"],
    }
    rows: list[Row] = [
        {"kind": row["kind"], "usd": sums[row["kind"]]}
        | {"per": row["usd_per_mtok"], "share": row["share"]}
        for row in found
    ]
    rows.append(
        {"kind": "all, allocation", "usd": full["allocation_usd"], "share": 1.0 if found else None}
        | {"per": full["allocation_usd_per_mtok"]}
    )
    used = full["usage_usd"], full["usage_usd_per_mtok"]
    whole = full["allocation_usd"] or None
    rows.append(
        {"kind": "of it used", "usd": used[0], "per": used[1]}
        | {"share": used[0] / whole if whole else None}
    )
    idle = full["unused_capacity_usd"]
    unused = full["allocation_usd_per_mtok"] - used[1] if found else None
    rows.append(
        {"kind": "of it unused capacity", "usd": idle, "per": unused}
        | {"share": idle / whole if whole else None}
    )
    columns = [
        Column(title="Full cost", name="kind"),
        Column(title=stated.currency, name="usd", write=money),
        Column(title=f"{stated.currency}/Mtok", name="per", write=significant),
        Column(title="Share", name="share", write=percent),
    ]
    return table(
        "Full cost in numbers",
        stated.subtitle(stated.currency, "allocation: all that is paid, over the tokens served"),
        columns,
        rows,
        kinds={len(rows) - 3: "shown"},
    )


def sites_table(data: ReportData, stated: Stated, *, step_h: float) -> str:
    """Return what each site did over the horizon: the balance in words of numbers."""
    money_per = f"{stated.currency}/MWh"
    columns = [
        Column(title="Site", name="site"),
        Column(title="Load, MWh", name="load_mwh", write=amount),
        Column(title="Import, MWh", name="import_mwh", write=amount),
        Column(title="Contract take, MWh", name="take_mwh", write=amount),
        Column(title="Export, MWh", name="export_mwh", write=amount),
        Column(title="Discharge, MWh", name="discharge_mwh", write=amount),
        Column(title=f"Mean price, {money_per}", name="mean_usd_per_mwh", write=significant),
        Column(title="Load-weighted", name="load_weighted_usd_per_mwh", write=significant),
        Column(title="Lowest", name="lowest_usd_per_mwh", write=significant),
        Column(title="Highest", name="highest_usd_per_mwh", write=significant),
        Column(title="At import limit, h", name="at_limit_h", write=amount),
    ]
    return table(
        "The sites in numbers",
        stated.subtitle(f"MWh at the meter, {money_per}", f"sums under {data.policy}"),
        columns,
        site_rows(data.balance, step_h=step_h),
    )


def supply_table(data: ReportData, stated: Stated) -> str:
    """Return where each workload's demand meets its supply curve."""
    rows: list[Row] = []
    for workload, segments in data.supply.items():
        demand = data.demand_mtok.get(workload, 0.0)
        found = reached(segments, demand)
        whole = segments[-1]["cum_mtok"] if segments else 0.0
        rows.append(
            {
                "workload": workload,
                "demand": demand,
                "capacity": whole,
                "usd": found["usd_per_mtok"] if found else None,
                "segment": found["label"] if found else "beyond all segments",
                "power": found["energy_kind"] if found else "",
            }
        )
    columns = [
        Column(title="Workload", name="workload"),
        Column(title="Demand, Mtok", name="demand", write=amount),
        Column(title="Supply, Mtok", name="capacity", write=amount),
        Column(title=f"Price reached, {stated.currency}/Mtok", name="usd", write=significant),
        Column(title="Segment reached", name="segment"),
        Column(title="Its power", name="power"),
    ]
    basis = "marginal: each workload alone, replicas awake"
    return table(
        "Where demand meets supply",
        stated.subtitle(f"{stated.currency}/Mtok", basis),
        columns,
        rows,
    )


def split_table(rows: Sequence[Row], stated: Stated) -> str:
    """Return the parts of the saving in both orders."""
    found: dict[str, Row] = {}
    for row in rows:
        short = "first" if row["order"].startswith("deferral") else "second"
        found.setdefault(row["part"], {"part": row["part"]}).update(
            {f"{short}_usd": row["usd"], f"{short}_share": row["share"]}
        )
    columns = [
        Column(title="Part", name="part"),
        Column(title=f"Deferral first, {stated.currency}", name="first_usd", write=money),
        Column(title="of nearest's cost", name="first_share", write=percent),
        Column(title=f"Storage first, {stated.currency}", name="second_usd", write=money),
        Column(title="of nearest's cost", name="second_share", write=percent),
    ]
    return table(
        "The saving in numbers",
        stated.subtitle(stated.currency, "from nearest to clairvoyant, in both orders"),
        columns,
        list(found.values()),
    )

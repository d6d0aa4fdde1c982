"""The rows that charts and tables read, made of what the verbs print."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import mul
from typing import Any, Final

from tokenergy.page.number import known, significant

Row = dict[str, Any]
Given = Mapping[str, Any]

PARTS: Final = (
    "energy", "mw_rent", "demand_peak_rent", "cfe_rent", "gpu_rent", "wake", "network", "quality",
    "other",
)  # fmt: skip
"""Parts of a marginal cost in the order of `company.marginal.PARTS` (held equal by a test)."""

SOURCES: Final = ("behind_the_meter_mw", "import_contract_mw", "import_rest_mw")
"""Where the power of a site comes from beside its battery, as `sources_of` tells it."""

LONGEST_BY_INTERVAL: Final = timedelta(days=45)
"""A longer balance is drawn by the day: more hours than pixels are a smear."""

SHOWN_DEMANDS_RATIO: Final = 4.0
"""A supply curve is drawn up to so many times the demand: far beyond it nobody looks."""

DWARFS_RATIO: Final = 1.6
"""A policy that costs so many times the dearest of the others would flatten their bars."""

BELONGS: Final = {
    "kWh": ("energy", "cfe_rent"),
    "powered capacity": ("mw_rent", "demand_peak_rent"),
    "silicon": ("gpu_rent", "wake"),
    "other": ("network", "quality", "other"),
}
"""Which parts of a marginal cost stand against which share of the full cost."""


def moment(text: str) -> datetime:
    """Return the moment that an ISO text names."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def stamp(at: datetime) -> str:
    """Return a moment as the verbs print it."""
    return at.strftime("%Y-%m-%dT%H:%MZ")


def unique(values: Iterable[Any]) -> list[Any]:
    """Return each value once, in order of appearance."""
    return list(dict.fromkeys(values))


def balance_rows(balance: Sequence[Given], *, step_h: float) -> list[Row]:
    """Return the balance with what it leaves unsaid, and a last row that closes each site.

    Sources equal uses: behind the meter + import + discharge = load + charge + export. What is
    taken beyond the power from behind the meter comes over the grid: it covers that part of
    the import, and the rest of the import is a block or the market. Over a horizon longer than
    `LONGEST_BY_INTERVAL` the rows are the means of days.
    """
    rows: list[Row] = []
    for given in balance:
        row = dict(given)
        row["end"] = stamp(moment(row["start"]) + timedelta(hours=hours_of(row, step_h)))
        if "import_rest_mw" not in row:  # a sum of sites has it
            row |= sources_of(row)
        rows.append(row)
    if rows and moment(rows[-1]["end"]) - moment(rows[0]["start"]) > LONGEST_BY_INTERVAL:
        rows = day_means(rows)
    last = {row["site"]: row for row in rows}
    return rows + [row | {"start": row["end"]} for row in last.values()]


def hours_of(row: Given, step_h: float) -> float:
    """Return the length of a row's interval: its own where it says one, else `step_h`.

    The hours of a live board are whole ones further on, whatever the company's step is.
    """
    if "end" not in row:
        return step_h
    return (moment(row["end"]) - moment(row["start"])) / timedelta(hours=1)


def sources_of(row: Given) -> Row:
    """Return what a row of the balance leaves unsaid of where its power comes from."""
    uses = row["load_mw"] + row["charge_mw"] + row["export_mw"]
    behind = max(0.0, uses - row["import_mw"] - row["discharge_mw"])
    behind = 0.0 if behind < 1e-3 else behind
    covered = min(row["import_mw"], max(0.0, row["take_mw"] - behind))
    powers = (behind, covered, row["import_mw"] - covered)
    return {name: round(mw, 4) for name, mw in zip(SOURCES, powers, strict=True)}


def day_means(rows: Sequence[Row]) -> list[Row]:
    """Return one row per site and day of UTC: the mean of each figure, from first to last."""
    days: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        days.setdefault((row["site"], row["start"][:10]), []).append(row)
    found = []
    for mine in days.values():
        figures = [name for name, value in mine[0].items() if isinstance(value, int | float)]
        means = {name: sum(row[name] for row in mine) / len(mine) for name in figures}
        rounded = {name: round(mean, 4) for name, mean in means.items()}
        found.append(mine[0] | rounded | {"end": mine[-1]["end"]})
    return found


def site_rows(balance: Sequence[Given], *, step_h: float) -> list[Row]:
    """Return one row per site: energy over the horizon, price, and hours at the import limit."""
    found: list[Row] = []
    sites: dict[str, list[Given]] = {}
    for row in balance:
        sites.setdefault(row["site"], []).append(row)
    for site, mine in sites.items():
        prices = [row["buy_usd_per_mwh"] for row in mine]
        hours = [hours_of(row, step_h) for row in mine]
        names = ("load", "import", "export", "take", "discharge")
        mwh = {
            f"{name}_mwh": sum(row[f"{name}_mw"] * h for row, h in zip(mine, hours, strict=True))
            for name in names
        }
        load_mwh = mwh["load_mwh"]
        full = [row["import_mw"] >= row["import_limit_mw"] * (1 - 1e-6) for row in mine]
        spent = zip(mine, hours, prices, strict=True)
        paid = sum(row["load_mw"] * h * price for row, h, price in spent)
        found.append(
            {
                "site": site,
                **mwh,
                "mean_usd_per_mwh": sum(map(mul, prices, hours)) / sum(hours),
                "load_weighted_usd_per_mwh": paid / load_mwh if load_mwh > 0.0 else None,
                "lowest_usd_per_mwh": min(prices),
                "highest_usd_per_mwh": max(prices),
                "at_limit_h": sum(map(mul, full, hours)),
            }
        )
    return found


def cheapest_rows(prices: Sequence[Given], *, step_h: float) -> list[Row]:
    """Return one row per workload and interval: the cheapest deployment that is in use.

    Where none is in use, the cheapest of all stands in, and `in_use` says so.
    """
    groups: dict[tuple[str, str], list[Given]] = {}
    for row in prices:
        groups.setdefault((row["workload"], row["start"]), []).append(row)
    rows: list[Row] = []
    names = ("workload", "site", "accelerator", "model", "start", "in_use")
    ends = ("total_usd_per_mtok", "low_usd_per_mtok", "high_usd_per_mtok")
    for group in groups.values():
        best = sorted(group, key=_cheapest)[0]
        begin = moment(best["start"])
        rows.append(
            {name: best[name] for name in names}
            | {name: best[name] for name in ends}
            | {f"{part}_usd_per_mtok": best[f"{part}_usd_per_mtok"] for part in PARTS}
            | {
                "middle": stamp(begin + timedelta(hours=step_h / 2)),
                "end": stamp(begin + timedelta(hours=step_h)),
            }
        )
    return rows


def _cheapest(row: Given) -> tuple[Any, ...]:
    where = (row["site"], row["accelerator"], row["model"])
    return (not row["in_use"], row["total_usd_per_mtok"], -row["share"], *where)


def now_rows(prices: Sequence[Given]) -> list[Row]:
    """Return, at the first interval, the best deployment of each workload at each site."""
    first = min((row["start"] for row in prices), default="")
    groups: dict[tuple[str, str], list[Given]] = {}
    for row in prices:
        if row["start"] == first:
            groups.setdefault((row["workload"], row["site"]), []).append(row)
    return [
        dict(sorted(group, key=_cheapest)[0]) | {"site_share": sum(row["share"] for row in group)}
        for group in groups.values()
    ]


def used_parts(rows: Sequence[Given], parts: Sequence[str] = PARTS) -> list[str]:
    """Return the parts that are not 0 everywhere: a legend names nothing that is not there."""
    return [
        part for part in parts if any(abs(row[f"{part}_usd_per_mtok"] or 0.0) > 0.0 for row in rows)
    ]


def is_media(row: Given) -> bool:
    """Tell whether a price is of images or video, which are not read per Mtok."""
    return row.get("usd_per_item") is not None or row.get("usd_per_video_s") is not None


def full_cost_rows(full: Given, prices: Sequence[Given], *, step_h: float) -> list[Row]:
    """Return the full cost by kind on both bases, and the marginal cost of each text workload.

    A marginal cost is the mean over the hours of the board of the cheapest deployment in use.
    """
    rows: list[Row] = []
    total = full.get("allocation_usd_per_mtok")
    if known(total):
        shares = {
            "kWh": full["kwh_share"],
            "powered capacity": full["powered_capacity_share"],
            "silicon": full["silicon_share"],
        }
        shares["other"] = 1.0 - sum(shares.values())
        for kind, share in shares.items():
            rows.append(_kind("full cost", "full", kind, share * total, share))
    media = {row["workload"] for row in prices if is_media(row)}
    chosen = [row for row in cheapest_rows(prices, step_h=step_h) if row["in_use"]]
    for workload in unique(row["workload"] for row in chosen):
        mine = [row for row in chosen if row["workload"] == workload]
        if workload in media:
            continue
        mean = {
            kind: sum(row[f"{part}_usd_per_mtok"] for row in mine for part in parts) / len(mine)
            for kind, parts in BELONGS.items()
        }
        whole = sum(mean.values())
        for kind, usd in mean.items():
            share = usd / whole if whole > 0.0 else None
            rows.append(_kind(f"marginal, {workload}", "marginal", kind, usd, share))
    return rows


def _kind(bar: str, basis: str, kind: str, usd_per_mtok: float, share: float | None) -> Row:
    return {
        "bar": bar,
        "basis": basis,
        "kind": kind,
        "usd_per_mtok": usd_per_mtok,
        "share": share,
    }


def policy_rows(card: Given, *, headline: str) -> list[Row]:
    """Return one row per policy: cost, regret, captured share, and what it is here for."""
    rows = []
    for name, score in card["policies"].items():
        role = ""
        if name == card.get("bound"):
            role = "bound"
        elif name == card.get("baseline"):
            role = "baseline"
        elif name == headline:
            role = "shown"
        elif name == "nearest":
            role = "no headline"
        rows.append(
            {
                "policy": name,
                "label": f"{name} ({role})"
                if role in ("bound", "baseline", "no headline")
                else name,
                "role": role,
                "cost_usd": score["cost_usd"],
                "regret_share": score.get("regret_share"),
                "captured_share": score.get("captured_share"),
            }
        )
    return sorted(rows, key=lambda row: row["policy"] == "nearest")


def drawn_policies(policies: Sequence[Row]) -> list[Row]:
    """Return the policies without `nearest` where its cost would dwarf all others."""
    others = [row["cost_usd"] for row in policies if row["policy"] != "nearest"]
    most = max(others, default=math.inf)
    return [
        row
        for row in policies
        if row["policy"] != "nearest" or row["cost_usd"] <= DWARFS_RATIO * most
    ]


def spending_rows(card: Given, policies: Sequence[Given]) -> list[Row]:
    """Return the cost of each policy by part."""
    return [
        {"label": row["label"], "role": row["role"], "part": part, "usd": usd}
        for row in policies
        for part, usd in card["policies"][row["policy"]].get("parts", {}).items()
    ]


def supply_rows(
    supply: Mapping[str, Sequence[Given]], demand_mtok: Mapping[str, float]
) -> list[Row]:
    """Return the steps of each workload's supply curve, cut where nobody looks any more."""
    rows: list[Row] = []
    for workload, segments in supply.items():
        finite = [row["cum_mtok"] for row in segments if known(row["cum_mtok"])]
        most = max(finite, default=0.0)
        demand = demand_mtok.get(workload, 0.0)
        end = min(most, SHOWN_DEMANDS_RATIO * demand) if demand > 0.0 else most
        begin = 0.0
        for row in segments:
            stop = min(row["cum_mtok"], end) if known(row["cum_mtok"]) else end
            if stop <= begin:
                break
            wide = stop - begin >= 0.14 * end
            rows.append(
                {
                    "workload": workload,
                    "from_mtok": begin,
                    "to_mtok": stop,
                    "usd_per_mtok": row["usd_per_mtok"],
                    "energy_usd_per_mtok": row["energy_usd_per_mtok"],
                    "energy_kind": row["energy_kind"],
                    "segment": row["label"],
                    "name": (row["site"] or row["label"]) if wide else "",
                }
            )
            begin = stop
    return rows


def demand_rows(
    supply: Mapping[str, Sequence[Given]], demand_mtok: Mapping[str, float]
) -> list[Row]:
    """Return the demand of each workload that has a supply curve, and the price it reaches there.

    A demand beyond all segments reaches none.
    """
    rows: list[Row] = []
    for workload, segments in supply.items():
        if not segments or workload not in demand_mtok:
            continue
        mtok = demand_mtok[workload]
        found = reached(segments, mtok) if mtok > 0.0 else None
        rows.append(
            {
                "workload": workload,
                "demand_mtok": mtok,
                "reached_usd_per_mtok": None if found is None else found["usd_per_mtok"],
                "reached": "" if found is None else significant(found["usd_per_mtok"]),
            }
        )
    return rows


def reached(segments: Sequence[Given], demand_mtok: float) -> Given | None:
    """Return the segment that a demand reaches, None where it exceeds all of them."""
    return next((row for row in segments if row["cum_mtok"] >= demand_mtok), None)


def split_rows(split: Given) -> list[Row]:
    """Return what each part of the saving is worth, in both orders."""
    parts = split["deferral_first"]["steps"]
    return [
        {
            "part": part,
            "order": order.replace("_", " "),
            "usd": split[order]["saving_usd"][part],
            "share": split[order]["saving_share"][part],
        }
        for part in parts
        for order in ("deferral_first", "storage_first")
    ]


def columns_of(rows: Sequence[Given]) -> dict[str, Any]:
    """Return rows as columns, small: a page holds each number once.

    A column is `{"same": value}`, `{"of": values, "at": indices}` where values come back, or
    the list of its values. Numbers keep every digit; what is not finite becomes null.
    """
    names = unique(name for row in rows for name in row)
    return {
        "count": len(rows),
        "columns": {name: _column([_plain(row.get(name)) for row in rows]) for name in names},
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not known(value) else value


def _column(values: list[Any]) -> Any:
    kinds = unique((type(value).__name__, value) for value in values)
    if len(kinds) == 1:
        return {"same": values[0]}
    if len(kinds) <= len(values) / 4:
        index = {kind: at for at, kind in enumerate(kinds)}
        at = [index[(type(value).__name__, value)] for value in values]
        return {"of": [value for _, value in kinds], "at": at}
    return values

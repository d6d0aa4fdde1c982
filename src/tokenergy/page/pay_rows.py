"""The rows behind the question whether it pays, made of what `economics` prints."""

from collections.abc import Mapping, Sequence
from typing import Final

from tokenergy.company.currency import in_currency
from tokenergy.page.data import ReportData
from tokenergy.page.number import cents, known, percent, significant
from tokenergy.page.rows import Given, Row, is_media

STEPS: Final = {
    "revenue": "revenue",
    "energy": "energy",
    "gpu": "GPUs",
    "facility": "facility",
    "battery_wear": "battery wear",
    "network": "network",
    "unused_capacity": "unused capacity",
    "staff": "staff",
    "margin": "margin",
}
"""How the steps of a waterfall are called on the page."""

LEVERS: Final = {"wacc": "cost of capital"}
"""Levers whose name is no word for a reader."""

BASES: Final = ("marginal", "usage", "full", "price")
"""What a Mtok costs, and brings, in the order of the page."""

GROWTH_LINE, LEVERS_LINE, SAVING_LINE = 2, 3, 4
"""Places in the answer of `economics`, which has five lines."""

TODAY: Final = "today"
RESTRAINED: Final = "with restraint"
LEAST_WIDTH_SHARE: Final = 0.05
"""Where all users leave the same, it is drawn so wide on either side, as a part of it."""
FAR_WIDTHS_RATIO: Final = 8.0
"""A bin so many times as wide as the others ends the picture: beyond it stands nearly nobody."""


def answer_lines(data: ReportData) -> list[str]:
    """Return the answer of `economics`, line by line, in the company's money."""
    return [
        in_currency(str(line), data.currency) for line in (data.economics or {}).get("answer") or ()
    ]


def answer_line(data: ReportData, place: int) -> str:
    """Return one line of the answer; empty where it has fewer."""
    lines = answer_lines(data)
    return lines[place] if place < len(lines) else ""


def step_name(name: str) -> str:
    """Return what a step is called on the page."""
    return STEPS.get(name, name.replace("_", " "))


def waterfall_rows(waterfall: Given) -> list[Row]:
    """Return the steps as bars between two levels; what costs nothing is no step."""
    rows: list[Row] = []
    for step in waterfall["steps"]:
        name, usd = step["name"], step["usd"]
        if usd == 0.0 and name not in ("revenue", "margin"):
            continue
        ends = {"from_usd": step["start_usd"], "to_usd": step["end_usd"]}
        if name == "margin":
            usd, ends = step["end_usd"], {"from_usd": 0.0, "to_usd": step["end_usd"]}
        kind = {"revenue": "revenue", "margin": "margin", "unused_capacity": "unused"}.get(name)
        rows.append({"step": step_name(name), "kind": kind or "cost", "usd": usd} | ends)
    return rows


def company_waterfall(economics: Given) -> Given | None:
    """Return the waterfall of the whole company."""
    return next((each for each in economics.get("waterfalls") or () if each["is_company"]), None)


def media_tiers(economics: Given, prices: Sequence[Given]) -> tuple[str, ...]:
    """Return the tiers that make nothing but images and video: these are not read per Mtok."""
    media = {row["workload"] for row in prices if is_media(row)}
    found: dict[str, bool] = {}
    for cost in economics.get("cost_by_workload") or ():
        found[cost["tier"]] = found.get(cost["tier"], True) and cost["workload"] in media
    return tuple(tier for tier, only in found.items() if only)


def unit_rows(economics: Given, *, leaving: Sequence[str] = ()) -> list[Row]:
    """Return what a Mtok costs on each basis and what it brings: the company, then its tiers.

    Args:
        economics: as printed.
        leaving: tiers that are left out.
    """
    rows: list[Row] = [
        {"who": "company", "served_mtok": (economics.get("full_cost") or {}).get("served_mtok")}
        | {basis: economics.get(f"usd_per_mtok_{basis}") for basis in BASES}
    ]
    rows += [
        {
            "who": tier["tier"],
            "served_mtok": tier["served_mtok"],
            "marginal": tier["marginal_usd_per_mtok"],
            "usage": tier["usage_usd_per_mtok"],
            "full": None,
            "price": tier["price_usd_per_mtok"],
        }
        for tier in economics.get("margin_by_tier") or ()
        if tier["tier"] not in leaving
    ]
    return rows


def unit_points(rows: Sequence[Given]) -> list[Row]:
    """Return one row for each figure of `unit_rows` that is known."""
    return [
        {"who": row["who"], "basis": basis, "usd_per_mtok": row[basis]}
        for row in rows
        for basis in BASES
        if known(row[basis])
    ]


def unit_gaps(rows: Sequence[Given]) -> list[Row]:
    """Return from what a Mtok costs, all that is known of it, to what it brings."""
    gaps: list[Row] = []
    for row in rows:
        cost = row["full"] if known(row["full"]) else row["usage"]
        if known(cost) and known(row["price"]):
            word = "earns" if row["price"] >= cost else "loses"
            gaps.append({"who": row["who"], "from": cost, "to": row["price"], "result": word})
    return gaps


def lines_of_users(economics: Given) -> list[tuple[Given, str, Given]]:
    """Return (tier, basis, figures) of each tier with users on each basis that is known."""
    tiers = (economics.get("users") or {}).get("tiers") or ()
    return [
        (tier, basis, tier[basis])
        for tier in tiers
        if known(tier.get("users_count"))
        for basis in ("marginal", "usage")
        if tier.get(basis) is not None
    ]


def heaviest_tenth_share(tier: Given) -> float | None:
    """Return what part of its tokens the heaviest tenth of a tier's users asks for.

    A user's margin is a line in usage, so that the tokens of the worst tenth follow from what it
    earns; None where the worst users are not the heaviest, or usage is not known.
    """
    line = tier["usage"]
    flat, mean = line["flat_usd_per_user_month"], tier["mean_mtok_per_user_month"]
    at = {point["users_share"]: point["margin_usd"] for point in line["lorenz"]}
    if not (0.1 in at and known(flat) and known(mean)) or line["slope_usd_per_mtok"] >= 0.0:
        return None
    tokens_usd = line["slope_usd_per_mtok"] * mean
    user_months = at[1.0] / (flat + tokens_usd) if flat + tokens_usd else 0.0
    return (at[0.1] / user_months - 0.1 * flat) / tokens_usd if user_months else None


def whale_rows(economics: Given) -> list[Row]:
    """Return what the users earn together, from the worst on, by tier and basis."""
    return [
        {
            "tier": tier["tier"],
            "basis": basis,
            "users_share": point["users_share"],
            "margin_usd": point["margin_usd"],
        }
        for tier, basis, figures in lines_of_users(economics)
        for point in figures.get("lorenz") or ()
    ]


def histogram_rows(economics: Given) -> list[Row]:
    """Return the users by what each leaves in a month, as bars of the width of most bins.

    An open bin is drawn so wide; a wider one as high as its part of the users would be if it were.
    """
    return [
        row | {"panel": f"{tier['tier']}, {basis}"}
        for tier, basis, figures in lines_of_users(economics)
        for row in _bars(figures.get("histogram") or (), str(figures["losers"]))
    ]


def _bars(bins: Sequence[Given], losers: str) -> list[Row]:
    """Return the bars of one histogram, without those that stand far from the others."""
    widths = sorted(high - low for low, high in map(_closed, bins) if high > low)
    width = widths[len(widths) // 2] if widths else _size(bins)
    rows: list[Row] = []
    for each in bins:
        low, high = each["low_usd_per_user_month"], each["high_usd_per_user_month"]
        if known(low) and known(high):
            if low == high:
                half = LEAST_WIDTH_SHARE * width
                low, high = low - half, high + half
        elif known(high):
            low = high - width
        elif known(low):
            high = low + width
        else:
            continue
        closed = _closed(each)
        part = width / (closed[1] - closed[0]) if closed[1] > closed[0] else 1.0
        loses = losers == "all" or (losers != "none" and high <= 0.0)
        if low < 0.0 < high:  # drawn across zero, where nobody of them is
            low, high = (low, 0.0) if loses else (0.0, high)
        rows.append(
            {
                "from_usd": low,
                "to_usd": high,
                "range": _range(each),
                "users_share": each["users_share"],
                "height_share": each["users_share"] * min(1.0, part),
                "result": "loses" if loses else "earns",
            }
        )
    return [row for row in _near(rows, width) if row["users_share"] > 0.0]


def _size(bins: Sequence[Given]) -> float:
    """Return how far from zero the edges of bins lie, 1 where all lie at it."""
    edges = [each[f"{end}_usd_per_user_month"] for each in bins for end in ("low", "high")]
    return max((abs(edge) for edge in edges if known(edge)), default=0.0) or 1.0


def _closed(each: Given) -> tuple[float, float]:
    """Return both ends of a bin; the same twice where one is open."""
    low, high = each["low_usd_per_user_month"], each["high_usd_per_user_month"]
    return (low, high) if known(low) and known(high) else (0.0, 0.0)


def _near(rows: Sequence[Row], width_usd: float) -> list[Row]:
    """Return the bars around the middle; one that reaches far is cut short and ends the picture."""
    far = FAR_WIDTHS_RATIO * width_usd
    wide = [at for at, row in enumerate(rows) if row["to_usd"] - row["from_usd"] > far > 0.0]
    middle = len(rows) // 2
    first = max((at for at in wide if at < middle), default=0)
    last = min((at for at in wide if at >= middle), default=len(rows) - 1)
    near = [dict(row) for row in rows[first : last + 1]]
    for at, row in enumerate(rows[first : last + 1], start=first):
        if at in wide:
            ends = {"from_usd": row["to_usd"] - width_usd}
            if at >= middle:
                ends = {"to_usd": row["from_usd"] + width_usd}
            near[at - first] = row | ends | {"height_share": row["users_share"]}
    return near


def _range(each: Given) -> str:
    """Say what a bin holds."""
    low, high = each["low_usd_per_user_month"], each["high_usd_per_user_month"]
    if known(low) and known(high):
        return f"{significant(low)} to {significant(high)}" if low != high else significant(low)
    return f"below {significant(high)}" if known(high) else f"above {significant(low)}"


def curves_of(economics: Given) -> dict[str, Given]:
    """Return the curves of profit against users by case."""
    scale = economics.get("scale") or {}
    pairs = ((TODAY, scale.get("today")), (RESTRAINED, scale.get("restrained")))
    return {case: curve for case, curve in pairs if curve}


def profit_rows(curves: Mapping[str, Given]) -> list[Row]:
    """Return profit against users by case: the points that were solved, turns among them."""
    rows: list[Row] = []
    for case, curve in curves.items():
        found = [
            {
                "users_count": point["users_count"],
                "profit_usd_per_year": point["profit_usd_per_year"],
            }
            | {"served_share": point["served_share"]}
            | {"adds_usd_per_user_year": point["marginal_profit_usd_per_user_year"]}
            for point in curve["points"]
        ]
        found += [
            {name: turn[name] for name in ("users_count", "profit_usd_per_year", "served_share")}
            | {"adds_usd_per_user_year": None}
            for turn in (*curve["turns"], *curve["zeros"])
        ]
        found.sort(key=lambda row: float(row["users_count"]))
        rows += [{"case": case} | row for row in found]
    return rows


def profit_marks(curves: Mapping[str, Given]) -> list[Row]:
    """Return what is marked on the curves: today's users, and where a sign changes."""
    return [
        {"case": case, "what": what}
        | {name: at[name] for name in ("users_count", "profit_usd_per_year")}
        for case, curve in curves.items()
        for what, places in (
            ("users of the file", [curve["today"]]),
            ("growth turns", curve["turns"]),
            ("breaks even", curve["zeros"]),
        )
        for at in places
    ]


def fate_of(point: Given) -> dict[str, float | None]:
    """Return what became of what was asked for at one number of users."""
    tiers = point.get("tiers") or ()
    asked = sum(tier["asked_mtok_per_year"] for tier in tiers)

    def part(name: str) -> float | None:
        if not asked:
            return None
        return float(sum(tier["asked_mtok_per_year"] * tier[name] for tier in tiers) / asked)

    names = ("served_share", "refused_share", "downgraded_share")
    return {"asked_mtok_per_year": asked} | {name: part(name) for name in names}


def lever_name(lever: Given) -> str:
    """Return what a lever is called on the page."""
    name = LEVERS.get(lever["name"], lever["name"].replace("_", " "))
    return f"{name}, capped" if lever["capped"] else name


def lever_rows(levers: Sequence[Given]) -> list[Row]:
    """Return both ends of each lever as a change of the full cost, the strongest lever first.

    What a lever adds to the margin it takes off the cost: a dollar is a dollar.
    """
    costs = [lever["base_usd_per_mtok"] for lever in levers if lever["metric"] == "full_cost"]
    size = abs(costs[0]) if costs else 0.0
    rows: list[Row] = []
    for lever in levers:
        sign = 1.0 if lever["metric"] == "full_cost" else -1.0
        for end, word in (("low", "down"), ("high", "up")):
            usd = sign * (lever[f"{end}_usd_per_mtok"] - lever["base_usd_per_mtok"])
            share = usd / size if size > 0.0 else None
            rows.append(
                {
                    "lever": lever_name(lever),
                    "end": f"{word} {percent(lever['move_share'], 0)}",
                    "change_usd_per_mtok": usd,
                    "change_share": share,
                }
            )
    return rows


def exposure_rows(exposures: Given) -> list[Row]:
    """Return the five exposures, what the bill holds beside them, and the bill."""
    names = ("volume", "price", "shape", "covariance", "basis")
    rows: list[Row] = [
        {"exposure": name, "kind": "exposure", "usd": cents(exposures[f"{name}_usd"])}
        for name in names
    ]
    rows.append({"exposure": "charges", "kind": "charges", "usd": exposures["charges_usd"]})
    whole = exposures["total_usd"] + exposures["charges_usd"]
    return [*rows, {"exposure": "power bill", "kind": "bill", "usd": whole}]


def invoice_rows(reconciliation: Given) -> list[Row]:
    """Return the invoices by kind, with how many there are."""
    found: dict[str, Row] = {}
    for invoice in reconciliation.get("invoices") or ():
        row = found.setdefault(
            invoice["kind"], {"kind": invoice["kind"], "invoices_count": 0, "usd": 0.0}
        )
        row["invoices_count"] += 1
        row["usd"] += invoice["usd"]
    return list(found.values())

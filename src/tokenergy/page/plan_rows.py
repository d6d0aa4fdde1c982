"""The rows that charts and tables of a plan read, made of what `plan` prints."""

from collections.abc import Iterator
from typing import Final

from tokenergy.page.number import MISSING, amount, known, money
from tokenergy.page.rows import Given, Row

FIVE: Final = ("volume", "price", "shape", "covariance", "basis")
"""The exposures of a contract, in the order of the contracts sheet."""
KINDS: Final = ("site", "fleet", "battery", "contract")
LEAST_USD: Final = 0.5
"""Lines of a bill below this are not shown."""


def size_text(size: float, unit: str) -> str:
    """Write a size with its unit."""
    return f"{amount(size)} {'GPUs' if unit == 'GPU' else unit}"


def built_rows(plan: Given) -> list[Row]:
    """Return every candidate with the share of its most that is built, kind by kind."""
    return [
        {
            "name": row["name"],
            "kind": row["kind"],
            "built_share": row["size"] / row["most"],
            "size_text": size_text(row["size"], row["unit"]),
            "most_text": size_text(row["most"], row["unit"]),
            "words": f"{size_text(row['size'], row['unit'])} of {amount(row['most'])}",
        }
        for kind in KINDS
        for row in plan["capacities"]
        if row["kind"] == kind
    ]


def worth_rows(plan: Given) -> list[Row]:
    """Return worth over cost of every size that costs something; what is worth nothing is 0."""
    rows = []
    for each in plan["values"]:
        costs = each.get("annuity_usd_per_unit_year")
        if not known(costs) or costs <= 0.0:
            continue
        low, high = (each.get(f"{end}_usd_per_unit_year") for end in ("low", "high"))
        rows.append(
            {
                "name": each["name"],
                "kind": each["kind"],
                "low_ratio": max(0.0, low / costs) if known(low) else None,
                "high_ratio": max(0.0, high / costs) if known(high) else None,
            }
        )
    return rows


def bounds_rows(plan: Given) -> list[Row]:
    """Return both bounds after each step of the search; none where it took one step."""
    steps = plan["iterations"]
    if len(steps) < 2:
        return []
    return [
        {"iteration": at, "bound": name, "usd": step[key]}
        for at, step in enumerate(steps, start=1)
        for name, key in (("a plan that works", "upper_usd"), ("no plan costs less", "lower_usd"))
        if known(step[key])
    ]


def cost_rows(plan: Given) -> list[Row]:
    """Return the full cost of a Mtok by kind; none where no tokens were served."""
    built = plan.get("as_built")
    if built is None:
        return []
    full, served = built["full_cost"], built["full_cost"]["served_mtok"]
    whole = full["allocation_usd"]
    if served <= 0.0 or whole <= 0.0:
        return []
    kinds = {
        "kWh": full["power_usd"],
        "powered capacity": full["powered_capacity_usd"],
        "silicon": full["silicon_usd"],
        "other": full["other_usd"],
    }
    return [
        {
            "bar": "full (allocation)",
            "kind": kind,
            "usd_per_mtok": usd / served,
            "share": usd / whole,
        }
        for kind, usd in kinds.items()
        if usd
    ]


def bill_rows(plan: Given) -> list[Row]:
    """Return what is paid by line, capital first, each with its share of the full cost."""
    built = plan["as_built"]
    full = built["full_cost"]
    whole = full["allocation_usd"]
    lines: list[tuple[str, str, float]] = [
        (row["name"], "capital", row["annuity_usd"]) for row in plan["capacities"]
    ]
    lines += [
        (row["noun"], "capital, size not open", row["annuity_usd"]) for row in plan["standing"]
    ]
    lines += [
        (line["contract_id"], str(line["component"]).replace("_", " "), line["amount_usd"])
        for line in built["bill"]
    ]
    staff = full["staff_usd"] + full["tier_fixed_usd"]
    lines.append(("staff and tiers", "fixed", staff))
    return [
        {"to": to, "for": what, "usd": usd, "share": usd / whole if whole else None}
        for to, what, usd in lines
        if abs(usd) >= LEAST_USD
    ]


def exposure_rows(plan: Given) -> list[Row]:
    """Return the five exposures of each contract, one row each."""
    return [
        {
            "contract_id": each["contract_id"],
            "exposure": name,
            "usd": each[f"{name}_usd"],
            "total_usd": each["total_usd"],
        }
        for each in plan["exposures"]
        for name in FIVE
    ]


def regret_rows(fan: Given) -> Iterator[Row]:
    """Yield what each plan costs more in each world than the best one there."""
    worlds = fan["regrets"]["worlds"]
    for each in fan["regrets"]["plans"]:
        for world, usd in zip(worlds, each["regret_usd"], strict=True):
            yield {
                "plan": each["plan"],
                "world": world,
                "regret_usd": usd,
                "words": money(usd) if known(usd) else f"{MISSING} cannot carry it",
            }


def curve_rows(curve: Given) -> list[Row]:
    """Return the segments of a supply curve side by side, the cheapest to run first.

    A segment whose capacity nobody knows is as wide as what it serves.
    """
    rows, from_mtok = [], 0.0
    for each in sorted(curve["segments"], key=lambda one: one["marginal_usd_per_mtok"]):
        width = each["capacity_mtok_per_h"]
        to_mtok = from_mtok + (each["served_mtok_per_h"] if width is None else width)
        rows.append(
            {
                "label": each["label"],
                "site": each["site"],
                "from_mtok": from_mtok,
                "to_mtok": to_mtok,
                "served_mtok_per_h": each["served_mtok_per_h"],
                "running": each["marginal_usd_per_mtok"],
                "full": each["full_usd_per_mtok"],
            }
        )
        from_mtok = to_mtok
    return rows

"""The tables of the question whether it pays: tiers, levers, saving, bills, hedges, presets."""

from collections.abc import Sequence
from datetime import date

from tokenergy.page.html import Column, Line, lines_table, table
from tokenergy.page.number import amount, money, percent, significant
from tokenergy.page.pay_rows import STEPS, exposure_rows, invoice_rows, lever_name, step_name
from tokenergy.page.rows import Given, Row, unique
from tokenergy.page.stated import Stated


def waterfall_table(waterfalls: Sequence[Given], stated: Stated) -> str:
    """Return the steps from revenue to margin, the company and every tier side by side."""
    found = {step["name"] for each in waterfalls for step in each["steps"] if step["usd"]}
    names = [name for name in STEPS if name in found or name == "margin"]
    lines: list[Line] = []
    for name in names:
        figures: list[float | None] = []
        for each in waterfalls:
            step = next((step for step in each["steps"] if step["name"] == name), None)
            if step is None:
                figures.append(None)
            else:
                figures.append(step["end_usd"] if name == "margin" else step["usd"])
        lines.append((step_name(name), money, figures))
    basis = "company: allocation; tiers: usage, so that unused capacity is no tier's"
    return lines_table(
        "From revenue to margin, by tier",
        stated.subtitle(stated.currency, basis),
        ["Step", *(str(each["of"]) for each in waterfalls)],
        lines,
        shown="margin",
    )


def tiers_table(tiers: Sequence[Given], stated: Stated) -> str:
    """Return what each tier earns on both bases, and what a user of it is worth."""
    unit = stated.currency
    columns = [
        Column(title="Tier", name="tier"),
        Column(title="Users", name="users_count", write=amount),
        Column(title=f"Revenue, {unit}", name="revenue_usd", write=money),
        Column(title="Contribution (marginal)", name="contribution_usd", write=money),
        Column(title="Full margin (usage)", name="full_margin_usd", write=money),
        Column(title="low", name="full_margin_low_usd", write=money),
        Column(title="high", name="full_margin_high_usd", write=money),
        Column(title="Gross margin", name="gross_margin_share", write=percent),
        Column(title="Lifetime value of a user", name="lifetime_usd_per_user", write=significant),
        Column(title="Payback, months", name="payback_months", write=significant),
        Column(title="Joules", name="joules"),
    ]
    rows = [dict(tier) | {"joules": tier.get("meter_tier") or "none"} for tier in tiers]
    basis = "marginal: what one more token cost; usage: what tokens used; low, high: of the joules"
    return table("What each tier earns", stated.subtitle(unit, basis), columns, rows)


def unit_table(rows: Sequence[Given], stated: Stated) -> str:
    """Return what a Mtok costs on each basis, and what it brings."""
    unit = f"{stated.currency}/Mtok"
    columns = [
        Column(title="Of", name="who"),
        Column(title="Served, Mtok", name="served_mtok", write=amount),
        Column(title="Full (allocation)", name="full", write=significant),
        Column(title="Usage", name="usage", write=significant),
        Column(title="Marginal", name="marginal", write=significant),
        Column(title="Price", name="price", write=significant),
    ]
    basis = "full: all that is paid; usage: what tokens used; marginal: one more; price: revenue"
    return table(
        "What a Mtok costs and brings, in numbers",
        stated.subtitle(unit, basis),
        columns,
        rows,
        kinds={0: "shown"},
    )


def requests_table(tiers: Sequence[Given], stated: Stated) -> str:
    """Return what a request costs and brings, for tiers that are not read per Mtok."""
    columns = [
        Column(title="Tier", name="tier"),
        Column(title="Requests", name="served_requests_count", write=amount),
        Column(title="Usage", name="usage", write=significant),
        Column(title="Marginal", name="marginal", write=significant),
        Column(title="Price", name="price", write=significant),
    ]
    rows = []
    for tier in tiers:
        count = tier["served_requests_count"]
        named = (("usage", "usage_usd"), ("marginal", "marginal_usd"), ("price", "revenue_usd"))
        each = {
            name: tier[of] / count if count and tier[of] is not None else None for name, of in named
        }
        rows.append(dict(tier) | each)
    unit = f"{stated.currency} a request"
    basis = "usage: what it used; marginal: one more; price: revenue"
    return table("Images and video, by request", stated.subtitle(unit, basis), columns, rows)


def levers_table(levers: Sequence[Given], stated: Stated) -> str:
    """Return both ends of each lever, in money and as a share."""
    rows = [dict(lever) | {"lever": lever_name(lever)} for lever in levers]
    rows = [row | {"metric": row["metric"].replace("_", " ")} for row in rows]
    columns = [
        Column(title="Lever", name="lever"),
        Column(title="Moves", name="metric"),
        Column(title="Down", name="low_usd_per_mtok", write=significant),
        Column(title="As it is", name="base_usd_per_mtok", write=significant),
        Column(title="Up", name="high_usd_per_mtok", write=significant),
        Column(title="Change, down", name="low_change_share", write=percent),
        Column(title="Change, up", name="high_change_share", write=percent),
    ]
    unit = f"{stated.currency}/Mtok"
    basis = "allocation: full cost, or revenue less full cost; capped: stopped at a limit"
    return table("The levers in numbers", stated.subtitle(unit, basis), columns, rows)


def savings_table(savings: Given, stated: Stated) -> str:
    """Return the saving with its band, its shares, and what is left to the bound."""
    band, unit = savings.get("saving"), stated.currency
    lines: list[Line] = [
        (f"Saving of {savings['policy']}, {unit}", money, [savings["saving_usd"]]),
        ("of the baseline's cost", _fine, [savings["of_cost_share"]]),
        ("of full cost", _fine, [savings["of_full_share"]]),
        (f"Left to clairvoyant, {unit}", money, [savings["regret_usd"]]),
        ("of clairvoyant's cost", _fine, [savings["regret_share"]]),
    ]
    if band:
        drawn = f"{band['blocks_count']} blocks of {plain(band['block_h'])} h"
        lines[1:1] = [
            (f"90 % band, from, {unit}", money, [band["low_usd"]]),
            (f"90 % band, to, {unit}", money, [band["high_usd"]]),
            ("drawn from", money, [drawn]),
        ]
    return lines_table(
        "The saving, and how sure it is",
        stated.subtitle(unit, f"against {savings['baseline']}: bill, wear, leases, lost value"),
        ["", f"against {savings['baseline']}"],
        lines,
    )


def bills_table(reconciliation: Given, stated: Stated) -> str:
    """Return the invoices by kind against what they were charged to."""
    rows: list[Row] = [
        {"of": f"{row['kind']} ({row['invoices_count']})", "usd": row["usd"]}
        for row in invoice_rows(reconciliation)
    ]
    size = sum(abs(row["usd"]) for row in rows)
    shown = len(rows)
    parts = (
        ("all invoices", "invoiced_usd"),
        ("charged to tiers", "tiers_usd"),
        ("unused capacity", "unused_capacity_usd"),
        ("staff and what is fixed", "fixed_usd"),
        ("residual", "residual_usd"),
    )
    rows += [{"of": name, "usd": reconciliation[figure]} for name, figure in parts]
    columns = [
        Column(title="Invoices", name="of"),
        Column(title=stated.currency, name="usd", write=money),
        Column(title="of all invoices", name="share", write=_fine),
    ]
    basis = "allocation: settled bills, capital and staff; how many of each in brackets"
    return table(
        "Invoices, and what they were charged to",
        stated.subtitle(stated.currency, basis),
        columns,
        [row | {"share": row["usd"] / size if size else None} for row in rows],
        kinds={shown: "shown"},
    )


def exposures_table(exposures: Given, stated: Stated) -> str:
    """Return the five exposures and the rest of the bill in numbers."""
    rows = exposure_rows(exposures)
    columns = [
        Column(title="Exposure", name="exposure"),
        Column(title=stated.currency, name="usd", write=money),
        Column(title="of the power bill", name="share", write=percent),
    ]
    bill = rows[-1]["usd"]
    return table(
        "The exposures in numbers",
        stated.subtitle(stated.currency, "exact parts; charges: adders, losses, storage"),
        columns,
        [row | {"share": row["usd"] / bill if bill else None} for row in rows],
        kinds={len(rows) - 1: "shown"},
    )


def risk_table(exposures: Given, band: Given | None, stated: Stated) -> str:
    """Return how much is hedged, at what price, and between what the cost lies."""
    per = f"{stated.currency}/MWh"
    lines: list[Line] = [
        ("Hedge ratio: contracted over load", percent, [exposures["hedge_share"]]),
        ("Load, MWh", amount, [exposures["load_mwh"]]),
        ("Contracted, MWh", amount, [exposures["contracted_mwh"]]),
        ("beyond the load of its hour, MWh", amount, [exposures["overhedged_mwh"]]),
        (f"Contracts: worth when taken, {per}", significant, [exposures["capture_usd_per_mwh"]]),
        (f"Contracts: strike paid, {per}", significant, [exposures["strike_usd_per_mwh"]]),
        (f"Budget price, {per}", significant, [exposures["budget_usd_per_mwh"]]),
    ]
    if band:
        lines += [
            (f"Cost of the run, {stated.currency}", money, [band["usd"]]),
            (f"P10 of it, {stated.currency}", money, [band["p10_usd"]]),
            (f"P90 of it, {stated.currency}", money, [band["p90_usd"]]),
        ]
    return lines_table(
        "Hedge, contracts and the band of the cost",
        stated.subtitle(f"MWh at the meter, {per}", "P10, P90: weeks or days drawn again"),
        ["", "all sites"],
        lines,
    )


def pools_table(economics: Given) -> str:
    """Return how full a pool of slots may run under a promise about waiting; nothing without it."""
    cells = economics.get("utilisation_slo") or ()
    if not cells:
        return ""
    waits = unique(cell["wait_ratio"] for cell in cells)
    lines: list[Line] = [
        (
            f"{slots:,} slots",
            percent,
            [_full(cell["utilisation_share"]) for cell in cells if cell["slots_count"] == slots],
        )
        for slots in unique(cell["slots_count"] for cell in cells)
    ]
    used, late = economics.get("gpu_used_share"), cells[0]["late_share"]
    here = "" if used is None else f"; here {percent(used)} of the paid GPUs are awake, by rent"
    return lines_table(
        "How full a pool may run, and what that costs",
        f"most utilisation, and cost of a request over a full pool's; {percent(late)} may wait "
        f"longer; waits in mean times of service; Erlang's formula, for intuition only{here}",
        ["Pool", *("no wait" if wait == 0.0 else f"wait {plain(wait)}" for wait in waits)],
        lines,
    )


def _full(share: float) -> str:
    return f"{percent(share, 1)} ({1.0 / share:.1f} x)"


def presets_table(presets: Sequence[Given], period: str) -> str:
    """Return published figures as they were published, with status, source and date."""
    rows = [
        {
            "figure": f"{preset['preset']}: {preset['fact'].replace('_', ' ')}",
            "quantity": preset["quantity"],
            "unit": preset["unit"],
            "as_of": _day(preset["as_of"]),
            "status": preset["status"].replace("_", " "),
            "source": preset["source"],
            "note": preset["note"],
        }
        for preset in presets
    ]
    columns = [
        Column(title="Figure", name="figure"),
        Column(title="Quantity", name="quantity", write=plain),
        Column(title="Unit", name="unit"),
        Column(title="As of", name="as_of"),
        Column(title="Status", name="status"),
        Column(title="Source", name="source", wide=True),
        Column(title="Note", name="note", wide=True),
    ]
    states = f"each in its own unit · as of its own day · {period} · published, not of this company"
    return table("Published figures", states, columns, rows)


def plain(quantity: float) -> str:
    """Write a published figure as it was published."""
    return f"{quantity:,.10g}".replace("-", "−")


def _day(text: str) -> str:
    """Write a day so that it stays on one line."""
    at = date.fromisoformat(text)
    return f"{at.day} {at:%b} {at.year}".replace(" ", "\N{NO-BREAK SPACE}")


def _fine(share: float) -> str:
    return percent(share, 2)

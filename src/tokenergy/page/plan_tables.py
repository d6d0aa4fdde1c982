"""The tables of a plan: sizes, what is paid, worths, exposures, and plans in other worlds."""

from tokenergy.page.html import Column, table
from tokenergy.page.number import amount, money, percent, significant
from tokenergy.page.plan_rows import FIVE, bill_rows
from tokenergy.page.rows import Given
from tokenergy.page.stated import Stated


def capacities_table(plan: Given, stated: Stated) -> str:
    """Return every size that was open: what is built, between what, and what it costs."""
    unit = stated.currency
    columns = [
        Column(title="What", name="name"),
        Column(title="Kind", name="kind"),
        Column(title="Site", name="site"),
        Column(title="In", name="unit"),
        Column(title="Build or sign", name="size", write=amount),
        Column(title="Least", name="least", write=amount),
        Column(title="Most", name="most", write=amount),
        Column(title="The file has", name="as_written", write=amount),
        Column(title=f"Capital, {unit}", name="capital_usd", write=money),
        Column(title=f"Annuity over the horizon, {unit}", name="annuity_usd", write=money),
    ]
    kinds = {at: "" if row["built"] else "faint" for at, row in enumerate(plan["capacities"])}
    basis = "sizes of the plan; annuities with upkeep and leases"
    return table(
        "What to build and what to sign",
        stated.subtitle(unit, basis),
        columns,
        plan["capacities"],
        kinds=kinds,
    )


def bill_table(plan: Given, stated: Stated) -> str:
    """Return what is paid by line, and which part of the full cost that is."""
    columns = [
        Column(title="To", name="to"),
        Column(title="For", name="for"),
        Column(title=stated.currency, name="usd", write=money),
        Column(title="Of full cost", name="share", write=percent),
    ]
    basis = "full cost: every line, capital included"
    return table(
        "What is paid, by line", stated.subtitle(stated.currency, basis), columns, bill_rows(plan)
    )


def worth_table(plan: Given, stated: Stated) -> str:
    """Return what one more unit and the last one are worth, what one costs, and the rent."""
    unit = f"{stated.currency} a unit and year"
    columns = [
        Column(title="What", name="name"),
        Column(title="Kind", name="kind"),
        Column(title="Site", name="site"),
        Column(title="In", name="unit"),
        Column(title="Size", name="size_quantity", write=amount),
        Column(title="Low: one more", name="low_usd_per_unit_year", write=money),
        Column(title="High: the last one", name="high_usd_per_unit_year", write=money),
        Column(title="Costs", name="annuity_usd_per_unit_year", write=money),
        Column(title="Rent of its limit", name="rent_usd_per_unit_year", write=money),
        Column(title="Found by", name="basis"),
    ]
    return table(
        "What one unit is worth",
        stated.subtitle(unit, "by solving again a step away, up and down"),
        columns,
        plan["values"],
    )


def exposures_table(plan: Given, stated: Stated) -> str:
    """Return the five exposures of each contract, and what its power was worth."""
    unit = stated.currency
    columns = [
        Column(title="Contract", name="contract_id"),
        Column(title="Site", name="site"),
        Column(title="MWh", name="mwh", write=amount),
        Column(title=f"Costs, {unit}/MWh", name="strike_usd_per_mwh", write=significant),
        Column(title=f"Worth, {unit}/MWh", name="capture_usd_per_mwh", write=significant),
        *(Column(title=name.capitalize(), name=f"{name}_usd", write=money) for name in FIVE),
        Column(title="Sum", name="total_usd", write=money),
    ]
    basis = "beside buying the same power at the site's price; below 0 the contract saves"
    return table(
        "The five exposures of each contract",
        stated.subtitle(unit, basis),
        columns,
        plan["exposures"],
    )


def fan_table(fan: Given, stated: Stated) -> str:
    """Return the plan of each world, its spread over all of them, and its worst regret."""
    unit = stated.currency
    careful = fan["regrets"]["careful"]
    columns = [
        Column(title="Plan made for", name="plan"),
        Column(title="Mean cost", name="mean_usd", write=money),
        Column(title="P10", name="p10_usd", write=money),
        Column(title="P90", name="p90_usd", write=money),
        Column(title="CVaR 95 %", name="cvar95_usd", write=money),
        Column(title="Mean regret", name="mean_regret_usd", write=money),
        Column(title="Worst regret", name="worst_regret_usd", write=money),
    ]
    rows = fan["regrets"]["plans"]
    kinds = {at: "shown" for at, row in enumerate(rows) if row["plan"] in careful}
    basis = "over all worlds; marked: the plan whose worst regret is least"
    return table(
        "Each plan in every world", stated.subtitle(unit, basis), columns, rows, kinds=kinds
    )


def sites_table(ranking: Given, stated: Stated) -> str:
    """Return the sites in order, what each adds, and the reason in words."""
    unit = stated.currency
    columns = [
        Column(title="Site", name="name"),
        Column(title="Rank", name="rank_count", write=amount),
        Column(title="MW", name="built_mw", write=amount),
        Column(title="of", name="most_mw", write=amount),
        Column(title="GPUs", name="gpus_count", write=amount),
        Column(title="Mtok served", name="served_mtok", write=amount),
        Column(title=f"Without it, {unit} more a year", name="adds_usd_per_year", write=money),
        Column(title="Its price is too high by", name="short_share", write=percent),
        Column(title="Why", name="reason", wide=True),
    ]
    rows = ranking["sites"]
    kinds = {at: "" if row["built"] else "faint" for at, row in enumerate(rows)}
    return table(
        "The sites in order",
        stated.subtitle(unit, "by what the plan would cost more without each, solved again"),
        columns,
        rows,
        kinds=kinds,
    )


def spread_table(held: Given, stated: Stated) -> str:
    """Return the effective number of sites of the plan, and without contracts or latency."""
    columns = [
        Column(title="Plan", name="variant"),
        Column(title="Effective sites by work", name="served_sites_count", write=significant),
        Column(title="by megawatts", name="built_sites_count", write=significant),
        Column(title=f"Cost, {stated.currency}", name="cost_usd", write=money),
    ]
    return table(
        "Does cheap power spread work or gather it",
        stated.subtitle(stated.currency, "effective number: 1 / sum of squared shares"),
        columns,
        held["variants"],
    )


def curve_table(curve: Given, stated: Stated) -> str:
    """Return the segments of the supply curve: what each can serve, and what that costs."""
    unit = f"{stated.currency}/Mtok"
    columns = [
        Column(title="Deployment", name="label"),
        Column(title="Site", name="site"),
        Column(title="Can serve, Mtok/h", name="capacity_mtok_per_h", write=amount),
        Column(title="Serves, Mtok/h", name="served_mtok_per_h", write=amount),
        Column(title=f"Running, {unit}", name="marginal_usd_per_mtok", write=significant),
        Column(title=f"Full, {unit}", name="full_usd_per_mtok", write=significant),
    ]
    return table(
        "What each deployment can serve, and at what cost",
        stated.subtitle(unit, "running: marginal without rents; full: all that falls on it"),
        columns,
        sorted(curve["segments"], key=lambda each: each["marginal_usd_per_mtok"]),
    )

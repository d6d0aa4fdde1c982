"""The sections of a plan, in the order in which a board asks: what, at what cost, worth what."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from tokenergy.company.currency import in_currency
from tokenergy.page import plan_charts, plan_rows, plan_tables
from tokenergy.page.charts import full_cost_chart
from tokenergy.page.findings import finding_html
from tokenergy.page.html import Section, figure, folded, paragraph
from tokenergy.page.number import cell, money, percent, significant
from tokenergy.page.rows import Given
from tokenergy.page.stated import Stated, span


def plan_sections(plan: Given) -> list[Section]:
    """Return the sections that a plan can fill.

    Args:
        plan: `Planned.to_dict()`.
    """
    when = stated_of(plan)
    found = [build(plan, when), cost(plan, when), worth(plan, when)]
    if plan.get("curve"):
        found.append(curve(plan["curve"], when))
    if plan.get("ranking"):
        found.append(sites(plan, when))
    if plan.get("exposures"):
        found.append(contracts(plan, when))
    if any(plan.get(name) for name in ("concentration", "premium", "make_or_buy")):
        found.append(spread(plan, when))
    if plan.get("scenarios"):
        found.append(worlds(plan["scenarios"], when))
    return [*found, search(plan, when)]


def stated_of(plan: Given) -> Stated:
    """Return what every chart and table of a plan states: currency, horizon, origin."""
    horizon = plan.get("horizon") or {}
    known = horizon.get("start") and horizon.get("end")
    return Stated(
        currency=str(plan.get("currency") or "USD"),
        period=span(horizon["start"], horizon["end"]) if known else "period not stated",
        synthetic=bool(plan.get("synthetic")),
    )


def build(plan: Given, when: Stated) -> Section:
    """Return what to build and what to sign."""
    rows = plan_rows.built_rows(plan)
    chart = plan_charts.built_chart(rows, stated=when)
    body = figure(
        "plan_built",
        chart,
        words="Bars: how much of the most of each site, fleet, battery and contract is built. The "
        "table below has the sizes.",
    )
    body += plan_tables.capacities_table(plan, when)
    if plan.get("budget_usd") is not None:
        body += (
            f"<p>Capital {cell(plan['capital_usd'], money)} of a budget of "
            f"{cell(plan['budget_usd'], money)} {escape(when.currency)}.</p>"
        )
    return Section(
        anchor="build",
        link="Build and sign",
        title="What to build and what to sign",
        body=body,
        charts={"plan_built": chart},
    )


def cost(plan: Given, when: Stated) -> Section:
    """Return the full cost of a Mtok by kind, the marginal cost beside it, and the bill."""
    title = "What a token costs with these sizes"
    rows = plan_rows.cost_rows(plan)
    if not rows:
        body = paragraph("No tokens were served, or the search was stopped: no cost is told.")
        return Section(anchor="cost", link="Cost", title=title, body=body)
    chart = full_cost_chart(rows, stated=when, name="plan_cost", basis="full: allocation")
    full, marginal = plan.get("usd_per_mtok_full"), plan.get("usd_per_mtok_marginal")
    share = plan["as_built"].get("share_kwh")
    unit = escape(f"{when.currency}/Mtok")
    body = (
        f"<p>Full cost {cell(full, significant)} {unit}: all that is paid, capital in it, over all "
        f"tokens. Energy is {cell(share, percent)} of it. Marginal cost "
        f"{cell(marginal, significant)} {unit}: what one Mtok more costs with these sizes, on "
        "the mean. The two do not add up: the first has to be earned over the years, the second "
        "decides from hour to hour.</p>"
    )
    body += figure(
        "plan_cost", chart, words="A bar: full cost of a Mtok by kind. The bill is below."
    )
    body += plan_tables.bill_table(plan, when)
    return Section(anchor="cost", link="Cost", title=title, body=body, charts={"plan_cost": chart})


def worth(plan: Given, when: Stated) -> Section:
    """Return what one unit of each size is worth, low and high."""
    title = "What one more megawatt, GPU or contract is worth"
    if not plan["values"]:
        body = paragraph("No worths were told.")
        return Section(anchor="worth", link="Worth", title=title, body=body)
    body = paragraph(
        "Low is what one more unit saves in a year, high what the last one saved. Where low lies "
        "above its cost a limit stops the plan, and the difference is the rent of that limit. What "
        "is not built enters when a unit costs no more than low."
    )
    rows, charts = plan_rows.worth_rows(plan), {}
    if rows:
        charts["plan_worth"] = plan_charts.worth_chart(rows, stated=when)
        body += figure(
            "plan_worth",
            charts["plan_worth"],
            words="Bars from the worth of one more unit to that of the last one, as a share of "
            "what a unit costs. The table below has the figures.",
            lines=[("dotted", "worth just what it costs")],
        )
    body += plan_tables.worth_table(plan, when)
    notes = [each for each in plan["values"] if each.get("note")]
    if notes:
        items = "".join(
            f"<li>{escape(str(each['name']))}: {escape(str(each['note']))}</li>" for each in notes
        )
        body += folded("How sure these are", f"<ul>{items}</ul>")
    return Section(anchor="worth", link="Worth", title=title, body=body, charts=charts)


def curve(held: Given, when: Stated) -> Section:
    """Return the token supply curve of the plan, running and full."""
    served = held["served_mtok"] / held["hours_h"] if held["hours_h"] else 0.0
    chart = plan_charts.curve_chart(
        plan_rows.curve_rows(held), served_mtok_per_h=served, stated=when
    )
    body = paragraph(
        "What each deployment can serve. Running cost is what its next Mtok takes with everything "
        "built and nothing scarce; the marginal cost above has the rents of what is scarce in it. "
        "Full is all that falls on it over what it serves."
    ) + figure(
        "plan_curve",
        chart,
        words="Steps by deployment: running cost strong, full cost pale. The table below has them.",
        lines=[("dashed", "served on the mean")],
    )
    body += plan_tables.curve_table(held, when)
    return Section(
        anchor="curve",
        link="Supply curve",
        title="The token supply curve of the plan",
        body=body,
        charts={"plan_curve": chart},
    )


def sites(plan: Given, when: Stated) -> Section:
    """Return the sites in order with their reasons, and what the runner-up would need."""
    ranking = plan["ranking"]
    body = plan_tables.sites_table(ranking, when)
    if ranking.get("runner_up"):
        body += f"<h3>What would have to change: {escape(str(ranking['wins_when']))} when</h3>"
        body += _list((str(each["sentence"]) for each in ranking["needed"]), when)
    return Section(anchor="sites", link="Sites", title="Which site, and why", body=body)


def contracts(plan: Given, when: Stated) -> Section:
    """Return the five exposures of each contract."""
    chart = plan_charts.exposures_chart(plan_rows.exposure_rows(plan), stated=when)
    body = figure(
        "plan_contracts",
        chart,
        words="Stacked bars of volume, price, shape, covariance and basis by contract. The table "
        "below has the figures.",
    )
    body += plan_tables.exposures_table(plan, when)
    return Section(
        anchor="contracts",
        link="Contracts",
        title="What each contract is exposed to",
        body=body,
        charts={"plan_contracts": chart},
    )


def spread(plan: Given, when: Stated) -> Section:
    """Return whether cheap power spreads work or gathers it, and what surviving a site costs."""
    held, body = plan.get("concentration"), ""
    if held:
        body += _list(map(str, held["sentences"]), when)
        body += plan_tables.spread_table(held, when)
    if plan.get("premium"):
        body += f"<p>{escape(in_currency(str(plan['premium']['sentence']), when.currency))}</p>"
    bought = (plan.get("make_or_buy") or {}).get("bought") or ()
    if bought:
        body += "<h3>Make or buy</h3>" + _list((str(each["sentence"]) for each in bought), when)
    return Section(
        anchor="spread", link="Concentration", title="Where the work is, and if a site fails",
        body=body,
    )  # fmt: skip


def worlds(fan: Given, when: Stated) -> Section:
    """Return what every plan costs in every other world, and the careful one."""
    chart = plan_charts.regret_chart(list(plan_rows.regret_rows(fan)), stated=when)
    careful = ", ".join(map(str, fan["regrets"]["careful"])) or "none: each fails in some world"
    body = paragraph(
        f"The plan whose worst regret is least is the one made for: {careful}. Regret is what a "
        "plan costs in a world beyond the best plan of that world."
    )
    body += figure(
        "plan_regret",
        chart,
        words="A grid: regret of each plan in each world. The table below has spread and regret.",
    )
    body += plan_tables.fan_table(fan, when)
    return Section(
        anchor="worlds",
        link="Scenarios",
        title="How wrong this can be",
        body=body,
        charts={"plan_regret": chart},
    )


def search(plan: Given, when: Stated) -> Section:
    """Return between which bounds the cost lies, how that was found, and the findings."""
    currency = escape(when.currency)
    how = {"whole": "by simplex", "interior": "by interior points, bounds proved on the way"}
    body = (
        f"<p>These sizes cost {cell(plan['cost_usd'], money)} {currency} over "
        f"{cell(plan['hours_h'], significant)} h; no sizes cost less than "
        f"{cell(plan['lower_bound_usd'], money)} {currency}: a gap of "
        f"{cell(plan['gap_share'], lambda share: percent(share, 3))}, proved by duality. Solved "
        f"{escape(how.get(str(plan['method']), str(plan['method'])))}.</p>"
    )
    if plan.get("stopped"):
        body += paragraph("The search was stopped: cheaper sizes may exist within that gap.")
    built: Mapping[str, Any] | None = plan.get("as_built")
    if built is not None:
        share = cell(built["difference_share"], lambda x: f"{x:.1e}")
        who = "its clairvoyant" if built.get("solved_again") else "the plan's own dispatch"
        body += (
            f"<p>Run as a company of its own, {who} and its annuities come to the same, "
            f"to {share} of it.</p>"
        )
    rows, charts = plan_rows.bounds_rows(plan), {}
    if rows:
        charts["plan_bounds"] = plan_charts.bounds_chart(rows, stated=when)
        body += figure(
            "plan_bounds", charts["plan_bounds"], words="Two lines that close on each other."
        )
    findings = [*(plan.get("warnings") or ()), *(plan.get("findings") or ())]
    body += "".join(finding_html(finding) for finding in findings)
    return Section(
        anchor="search", link="Bounds", title="How sure this is", body=body, charts=charts
    )


def _list(lines: Iterator[str], when: Stated) -> str:
    items = "".join(f"<li>{escape(in_currency(line, when.currency))}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""

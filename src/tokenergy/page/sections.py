"""The sections of the report, in the order of reading; each takes the data and makes its part."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from html import escape
from typing import Any

from tokenergy.company.currency import in_currency
from tokenergy.page import charts, tables
from tokenergy.page.about import about
from tokenergy.page.balance import grain
from tokenergy.page.carpets import carpets
from tokenergy.page.claims import claims
from tokenergy.page.data import ReportData
from tokenergy.page.decisions import decisions
from tokenergy.page.duration import duration
from tokenergy.page.failed import failed
from tokenergy.page.findings import finding_html
from tokenergy.page.html import Section, figure, folded, paragraph
from tokenergy.page.invoice_flow import invoice_flow
from tokenergy.page.largest import largest_sites, shown_words, with_fleet
from tokenergy.page.media import media
from tokenergy.page.navigation import (
    DAY,
    ECONOMICS,
    NOTES,
    PLAN,
    SCORECARD,
    THESIS,
    of_part,
)
from tokenergy.page.panels import panels
from tokenergy.page.pay import pay_sections
from tokenergy.page.places import places
from tokenergy.page.plan_sections import plan_sections
from tokenergy.page.rows import (
    balance_rows,
    cheapest_rows,
    demand_rows,
    drawn_policies,
    full_cost_rows,
    is_media,
    moment,
    now_rows,
    policy_rows,
    spending_rows,
    split_rows,
    stamp,
    supply_rows,
    unique,
)
from tokenergy.page.settlement import settlement
from tokenergy.page.stated import Stated, stated
from tokenergy.units import H_PER_DAY

OPEN_FINDINGS_COUNT = 12
"""So many warnings stand open; the rest are folded."""

BALANCES_COUNT = 8
"""The balance of so many sites is drawn; a drawing of sixty keeps a reader waiting."""


def sections(data: ReportData) -> list[Section]:
    """Return the sections that the data can fill, part by part, in the order of reading."""
    return [
        *([failed(data)] if data.failed is not None else ()),
        *of_part(DAY, day_sections(data)),
        *of_part(PLAN, [] if data.plan is None else plan_parts(data.plan)),
        *of_part(ECONOMICS, economics_sections(data)),
        *of_part(THESIS, [] if data.thesis is None else [claims(data.thesis)]),
        *of_part(SCORECARD, scorecard_sections(data)),
        *of_part(NOTES, [warnings(data), about(data)]),
    ]


def day_sections(data: ReportData) -> list[Section]:
    """Return what a token costs, where it is made, and what the sites do."""
    if data.failed is not None and not data.prices:
        return []
    found = [price_now(data), price_parts(data)]
    if data.media:
        found.append(media(data))
    day = [balance(data), carpets(data), duration(data), supply(data), places(data)]
    return [*found, *day, decisions(data)]


def economics_sections(data: ReportData) -> list[Section]:
    """Return whether it pays: nine panels on one screen, each in full, and the bills behind."""
    if data.failed is not None and not data.full_cost:
        return []
    found = [] if data.economics is None else [panels(data, data.economics)]
    found += [*pay_sections(data), full_cost(data)]
    if data.invoice:
        found.append(invoice_flow(data))
    if data.settlement is not None:
        found.append(settlement(data))
    return found


def scorecard_sections(data: ReportData) -> list[Section]:
    """Return the policies against what is done today and the best possible."""
    if data.failed is not None and not data.scorecard.get("policies"):
        return []
    return [scorecard(data), *([] if data.split is None else [split(data)])]


def plan_parts(plan: Mapping[str, Any]) -> list[Section]:
    """Return the sections of a plan under anchors of their own, and headings under the part's."""
    return [
        replace(
            part,
            anchor=f"plan-{part.anchor}",
            body=part.body.replace("<h3>", "<h4>").replace("</h3>", "</h4>"),
        )
        for part in plan_sections(plan)
    ]


def step_h_of(data: ReportData) -> float:
    """Return the length of an interval."""
    return float((data.heading.get("horizon") or {}).get("step_h") or 1.0)


def price_now(data: ReportData) -> Section:
    """Return the price of a token now, by workload and site."""
    rows = now_rows(data.prices)
    step_h = step_h_of(data)
    if not rows:
        body = paragraph("No prices were computed.")
    else:
        first = cheapest_rows(rows, step_h=step_h)
        body = paragraph(
            "What one more Mtok costs in the first interval of the board. A filled circle marks "
            "where the optimum serves the workload now, with its part of the tokens; elsewhere "
            "the figure is what it would cost there. Darker is dearer within a row."
        ) + tables.price_now_table(data, stated(data).over(first))
    return Section(anchor="now", link="Price now", title="What a token costs now", body=body)


def price_parts(data: ReportData) -> Section:
    """Return the marginal cost over the hours of the board, by part."""
    rows = cheapest_rows(data.prices, step_h=step_h_of(data))
    title = "Why it costs that, hour by hour"
    if not rows:
        return Section(
            anchor="parts", link="Parts", title=title, body=paragraph("No prices were computed.")
        )
    chart = charts.price_parts_chart(rows, stated=stated(data))
    names = ", ".join(str(name) for name in unique(row["workload"] for row in rows))
    body = paragraph(
        "The cost of one more Mtok at the cheapest deployment in use, hour by hour. A wake part "
        "may lie below zero. Faint bars: nothing was in use, the cheapest deployment stands in."
    ) + figure(
        "price_parts",
        chart,
        words=f"Stacked bars over the hours of the board, one panel for each workload: {names}. "
        "The prices of the first hour stand in the table above.",
        lines=[("band", "low to high of the price")],
    )
    return Section(
        anchor="parts", link="Parts", title=title, body=body, charts={"price_parts": chart}
    )


def full_cost(data: ReportData) -> Section:
    """Return the full cost in three shares, and the marginal costs beside it."""
    step_h, title = step_h_of(data), "Full cost beside marginal cost"
    rows = full_cost_rows(data.full_cost, data.prices, step_h=step_h)
    when = full_cost_stated(data)
    body = paragraph(in_currency(data.message, data.currency))
    shown: dict[str, Any] = {}
    if rows:
        chart = charts.full_cost_chart(rows, stated=when)
        shown["full_cost"] = chart
        body += figure(
            "full_cost",
            chart,
            words="Bars of the full cost by kWh, powered capacity and silicon, and of the "
            "marginal cost of each workload by the same kinds. The table below has the numbers.",
        )
        notes = (
            "In a marginal cost, powered capacity is the rent of megawatts and of demand peaks, "
            "silicon the rent of GPUs and waking them: what one more token displaces, not what "
            "was paid for them. The two bases do not add up."
        )
        if any(is_media(row) for row in data.prices):
            notes += " Images and video are left out: they are not read per Mtok."
        body += paragraph(notes)
    body += tables.full_cost_table(data, when, step_h=step_h)
    missing = data.full_cost.get("missing") or ()
    if missing:
        names = ", ".join(f"<code>{escape(str(name))}</code>" for name in missing)
        body += (
            f"<p>Left out of every figure, because the company file states no price: {names}.</p>"
        )
    return Section(anchor="full", link="Full cost", title=title, body=body, charts=shown)


def full_cost_stated(data: ReportData) -> Stated:
    """Return what the full cost states: its own hours, from the start of the board."""
    hours_h, starts = data.full_cost.get("hours_h"), [row["start"] for row in data.prices]
    if not starts or not hours_h:
        return stated(data)
    first = min(starts)
    end = stamp(moment(first) + timedelta(hours=float(hours_h)))
    return stated(data).over([{"start": first, "end": end}])


def scorecard(data: ReportData) -> Section:
    """Return the policies against what is done today and the best possible."""
    card = data.scorecard
    policies = policy_rows(card, headline=data.policy)
    if not policies:
        return Section(
            anchor="scorecard",
            link="Scorecard",
            title="Scorecard",
            body=paragraph("No policy was simulated."),
        )
    drawn = drawn_policies(policies)
    chart = charts.ranked_chart(drawn, spending_rows(card, drawn), stated=stated(data))
    baseline = card.get("baseline")
    bound = card.get("bound")
    text = (
        f"The baseline is {baseline}: what a site operator does today. "
        if baseline
        else "The baseline greedy_battery was not run: nothing is said about savings. "
    )
    text += (
        f"The bound is {bound}: it knows the future, so nobody can reach it. Regret is cost above "
        "the bound; captured is the part of the gap from baseline to bound that a policy closes. "
        if bound
        else "The bound clairvoyant was not run: nothing is said about regret. "
    )
    if "nearest" in card["policies"]:
        text += "A saving on nearest is no headline: most of it needs no forecast and no program."
    if len(drawn) < len(policies):
        text += " It would dwarf the others in the chart and stands in the table only."
    body = paragraph(text)
    body += figure(
        "scorecard",
        chart,
        words="Bars of the cost of each policy by part, with its regret and the share it "
        "captured. The table below has the numbers.",
    )
    body += tables.scorecard_table(data, stated(data))
    body += tables.tiers_table(data, stated(data))
    return Section(
        anchor="scorecard",
        link="Scorecard",
        title="Scorecard",
        body=body,
        charts={"scorecard": chart},
    )


def balance(data: ReportData) -> Section:
    """Return the balance of each site over time with its price."""
    step_h, title = step_h_of(data), "Balance of each site"
    if not data.balance:
        return Section(
            anchor="balance",
            link="Balance",
            title=title,
            body=paragraph("No dispatch was computed."),
        )
    shown = largest_sites(data.balance, BALANCES_COUNT)
    rows = balance_rows(with_fleet(data.balance, shown, sources=True), step_h=step_h)
    chart = charts.balance_chart(rows, stated=stated(data))
    sites = ", ".join(str(site) for site in unique(row["site"] for row in rows))
    body = paragraph(
        f"Under {data.policy}. Sources stand above zero: power from behind the meter, the import "
        "(what a contract covers of it, and the rest: block or market), discharge. Charge and "
        "export stand below. Zero of the price is at the same height as zero of the power; the "
        "price of all sites is weighted by load."
        + (
            " Over so many days each point is the mean of a day; peaks, hours at the limit and "
            "the dearest hour stand in the table, and every hour in the ledger of a simulation."
            if grain(rows) == "day" and step_h < H_PER_DAY
            else ""
        )
    )
    if said := shown_words(data.balance, shown):
        body += paragraph(f"{said} The table has them all.")
    body += figure(
        "balance",
        chart,
        words=f"Stacked areas of power over time with the price of power, one panel for each "
        f"site: {sites}. The table below has sums and prices.",
        lines=[
            ("load", "load"),
            ("dotted", "import limit, where near"),
            ("price", f"purchase price, {data.currency}/MWh, right axis"),
        ],
    )
    body += tables.sites_table(data, stated(data), step_h=step_h)
    return Section(
        anchor="balance", link="Balance", title=title, body=body, charts={"balance": chart}
    )


def supply(data: ReportData) -> Section:
    """Return the merit order of tokens, by workload."""
    title = "Token supply curve"
    rows = supply_rows(data.supply, data.demand_mtok)
    if not rows:
        return Section(
            anchor="supply",
            link="Supply curve",
            title=title,
            body=paragraph("No supply curve was made."),
        )
    first = cheapest_rows(now_rows(data.prices), step_h=step_h_of(data))
    when = stated(data).over(first) if first else stated(data)
    demand = demand_rows(data.supply, data.demand_mtok)
    chart = charts.supply_chart(rows, demand, stated=when)
    body = paragraph(
        "What the next Mtok costs as more is asked for, cheapest first: each step is a deployment "
        "on one kind of power. The strong part of a step is energy, the pale part the rest. The "
        "curve is cut at four times the demand."
    )
    body += figure(
        "supply",
        chart,
        words="Steps of rising price over the quantity of tokens, one panel for each workload, "
        "with its demand. The table below says where they meet.",
        lines=[
            ("load", "price of a step"),
            ("dashed", "demand of the interval, and the price that it reaches"),
        ],
    )
    body += tables.supply_table(data, when)
    return Section(
        anchor="supply", link="Supply curve", title=title, body=body, charts={"supply": chart}
    )


def split(data: ReportData) -> Section:
    """Return where the saving comes from."""
    given: Mapping[str, Any] = data.split or {}
    rows = split_rows(given)
    chart = charts.split_chart(rows, stated=stated(data))
    body = paragraph(
        "From nearest to clairvoyant, step by step. What waiting and storage are worth depends "
        "on which comes first, so both orders are shown."
    )
    body += figure("split", chart, words="Bars of the saving by part, in both orders.")
    body += tables.split_table(rows, stated(data))
    title = "Where the saving comes from"
    link = "Saving" if data.economics is None else "Saving by part"
    return Section(anchor="split", link=link, title=title, body=body, charts={"split": chart})


def warnings(data: ReportData) -> Section:
    """Return what was found in the input and does not stop a run."""
    found = [finding_html(finding) for finding in data.heading.get("warnings") or ()]
    more = [finding_html(finding) for finding in (data.economics or {}).get("findings") or ()]
    found += [finding for finding in unique(more) if finding not in found]
    body = "".join(found[:OPEN_FINDINGS_COUNT]) or paragraph("None.")
    rest = found[OPEN_FINDINGS_COUNT:]
    if rest:
        body += folded(f"{len(rest)} more", "".join(rest))
    return Section(anchor="warnings", link="Warnings", title="Warnings", body=body)

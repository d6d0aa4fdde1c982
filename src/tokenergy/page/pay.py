"""The sections that say whether the company pays, in the order in which a treasurer asks.

Nine panels (economics sheet, section 7), then the published figures that the company names.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from tokenergy.company.currency import in_currency
from tokenergy.economics.reconcile import RESIDUAL_MOST_SHARE
from tokenergy.page import pay_charts, pay_rows, pay_tables, users
from tokenergy.page.data import ReportData
from tokenergy.page.html import Section, figure, paragraph
from tokenergy.page.number import cell, cents, known, money, percent, significant
from tokenergy.page.rows import Given, Row, unique
from tokenergy.page.stated import stated


def pay_sections(data: ReportData) -> list[Section]:
    """Return the panels, none where economics was not asked for."""
    if data.economics is None:
        return []
    found = [
        margin(data, data.economics),
        unit(data, data.economics),
        users.users(data, data.economics),
        users.growth(data, data.economics),
        levers(data, data.economics),
        saving(data, data.economics),
        risk(data, data.economics),
        bills(data, data.economics),
    ]
    if data.economics.get("presets"):
        found.append(published(data, data.economics))
    return found


def margin(data: ReportData, economics: Given) -> Section:
    """Return panels 1 and 8: from revenue to margin, and the capacity that nothing used."""
    when, tiers = stated(data), economics.get("margin_by_tier") or ()
    whole = pay_rows.company_waterfall(economics)
    body = paragraph(
        "What users bring, and what is left of it after everything that is paid. The company "
        "bears what nobody used; a tier bears what its own tokens used."
    )
    charts: dict[str, Any] = {}
    if whole is None:
        body += paragraph("No waterfall was made.")
    else:
        meters = unique(tier["meter_tier"] for tier in tiers if tier.get("meter_tier"))
        charts["waterfall"] = pay_charts.waterfall_chart(
            pay_rows.waterfall_rows(whole), stated=when, joules=", ".join(meters) or "of no tier"
        )
        body += figure(
            "waterfall",
            charts["waterfall"],
            words="Bars from revenue down through each kind of cost to the margin. The table "
            "below has the numbers, the company's and each tier's.",
        )
        body += pay_tables.waterfall_table(economics["waterfalls"], when)
    if tiers:
        body += pay_tables.tiers_table(tiers, when)
    body += _unused(data, economics)
    missing = (economics.get("company_margin") or {}).get("missing") or ()
    if missing:
        names = ", ".join(f"<code>{escape(str(name))}</code>" for name in missing)
        body += f"<p>The margin is too good by what the file states no price for: {names}.</p>"
    return Section(anchor="pay", link="Margin", title="Does it pay?", body=body, charts=charts)


def _unused(data: ReportData, economics: Given) -> str:
    """Return what was paid for and stood unused: charged to nobody, and never smeared."""
    full = economics.get("full_cost") or {}
    idle, whole = economics.get("unused_capacity_usd"), full.get("allocation_usd")
    share = idle / whole if known(idle) and whole else None
    return (
        '<h4 id="unused">Unused capacity</h4>'
        f"<p>{cell(idle, money)} {escape(data.currency)}, {cell(share, percent)} of all that is "
        "paid, went into GPUs and powered capacity that nothing used. It is charged to "
        "no tier and no user: it is the difference between the full cost and what tokens used.</p>"
        + pay_tables.pools_table(economics)
    )


def unit(data: ReportData, economics: Given) -> Section:
    """Return panel 2: what a Mtok costs on each basis beside what it brings."""
    when, title = stated(data), "What a token costs and brings"
    leaving = pay_rows.media_tiers(economics, data.prices)
    rows = pay_rows.unit_rows(economics, leaving=leaving)
    points = pay_rows.unit_points(rows)
    body = paragraph(in_currency(str(economics.get("message") or ""), data.currency))
    charts: dict[str, Any] = {}
    if points:
        charts["unit"] = pay_charts.unit_chart(points, pay_rows.unit_gaps(rows), stated=when)
        body += figure(
            "unit",
            charts["unit"],
            words="For the company and each tier, marks for the marginal, usage and full cost of "
            "a Mtok and for its price. The table below has the numbers.",
            lines=[("earns", "brings more than it costs"), ("loses", "brings less")],
        )
        body += pay_tables.unit_table(rows, when)
    else:
        body += paragraph("No token was served, so that none has a cost.")
    media = [tier for tier in economics.get("margin_by_tier") or () if tier["tier"] in leaving]
    if media:
        body += pay_tables.requests_table(media, when)
    return Section(anchor="unit", link="Cost and price", title=title, body=body, charts=charts)


def levers(data: ReportData, economics: Given) -> Section:
    """Return panel 5: the tornado."""
    when, title = stated(data), "What would change it"
    held = economics.get("levers") or ()
    rows = [row for row in pay_rows.lever_rows(held) if known(row["change_share"])]
    if not rows:
        text = "No token was served, so that nothing moves its cost."
        return Section(anchor="levers", link="Levers", title=title, body=paragraph(text))
    chart = pay_charts.levers_chart(rows, stated=when)
    body = paragraph(pay_rows.answer_line(data, pay_rows.LEVERS_LINE)) + figure(
        "levers",
        chart,
        words="Bars of how far each lever moves the full cost of a Mtok, the strongest first. "
        "The table below has the numbers.",
    )
    body += paragraph(
        "Each lever alone, everything else as it stands. Watts are at fixed throughput, "
        "throughput at fixed watts. The price of a token moves the margin; a dollar of margin is "
        "drawn as a dollar of cost less."
    )
    body += pay_tables.levers_table(held, when)
    return Section(anchor="levers", link="Levers", title=title, body=body, charts={"levers": chart})


def saving(data: ReportData, economics: Given) -> Section:
    """Return panel 7: the saving, against whom, how sure, of how much, and what is left."""
    when, title = stated(data), "What dispatch saves"
    held = economics.get("savings")
    if held is None:
        text = "No baseline was run, so that no saving is told."
        return Section(anchor="saving", link="Saving", title=title, body=paragraph(text))
    band = held.get("saving")
    rows: list[Row] = [
        {"what": "saving", "usd": cents(held["saving_usd"])}
        | {f"{end}_usd": cents(band[f"{end}_usd"]) if band else None for end in ("low", "high")}
    ]
    if known(held.get("regret_usd")):
        left = {"what": "left to clairvoyant", "usd": cents(held["regret_usd"])}
        rows.append(left | {"low_usd": None, "high_usd": None})
    chart = pay_charts.saving_chart(
        rows, stated=when, against=str(held["baseline"]), banded=bool(band)
    )
    body = paragraph(pay_rows.answer_line(data, pay_rows.SAVING_LINE))
    if not band:
        body += paragraph("The horizon is too short for a band: take the saving as one draw of it.")
    body += figure(
        "saving",
        chart,
        words="Bars of what dispatch saves against its baseline, with its band, and of what is "
        "left to the best possible. The table below has the numbers.",
    )
    body += pay_tables.savings_table(held, when)
    if data.split is not None:
        body += (
            "<p>Where it comes from, by place, hour, waiting and storage, stands "
            '<a href="#split">below</a>.</p>'
        )
    return Section(anchor="saving", link="Saving", title=title, body=body, charts={"saving": chart})


def risk(data: ReportData, economics: Given) -> Section:
    """Return panel 9: how much is hedged, between what the cost lies, and the five exposures."""
    when, title = stated(data), "How sure the cost of power is"
    held = economics.get("exposures")
    if not held:
        text = "No exposure was computed."
        return Section(anchor="risk", link="Risk", title=title, body=paragraph(text))
    unit = escape(f"{data.currency}/MWh")
    worth, cost = held.get("capture_usd_per_mwh"), held.get("strike_usd_per_mwh")
    body = paragraph("No power is contracted: all of the load is exposed.")
    if known(worth):
        body = (
            f"<p>{cell(held.get('hedge_share'), percent)} of the load is contracted. Contracted "
            f"power was worth {cell(worth, significant)} {unit} when it came and cost "
            f"{cell(cost, significant)}.</p>"
        )
    chart = pay_charts.exposures_chart(pay_rows.exposure_rows(held), stated=when)
    body += figure(
        "exposures",
        chart,
        words="Bars of the five exposures, of the other charges, and of the power bill that they "
        "add up to. The table below has hedge, contracts and band.",
    )
    body += paragraph(
        "Volume: contracts at their strike, the rest at the budget price. Price: what the mean "
        "price departs from it. Shape: open volume at hours that are usually dear. Covariance: "
        "open volume when the price is unusual. Basis: the node against the zone."
    )
    band = economics.get("cost_band")
    if band is None:
        body += paragraph("The horizon is too short to say between what the cost lies.")
    body += pay_tables.exposures_table(held, when) + pay_tables.risk_table(held, band, when)
    return Section(anchor="risk", link="Risk", title=title, body=body, charts={"exposures": chart})


def bills(data: ReportData, economics: Given) -> Section:
    """Return panel 6: whether every invoice was charged to somebody, once."""
    title, held = "Whether the books tie", economics.get("reconciliation")
    if not held or not known(held.get("allocated_share")):
        text = "There were no invoices to allocate."
        return Section(anchor="bills", link="Bills", title=title, body=paragraph(text))
    unit = escape(data.currency)
    body = (
        f'<p class="message">Allocated {cell(held["allocated_share"], percent)} of invoices: '
        f"{cell(held['invoiced_usd'], money)} {unit}, residual "
        f"{cell(held['residual_usd'], money)} {unit}.</p>"
    )
    if abs(held.get("residual_share") or 0.0) > RESIDUAL_MOST_SHARE:
        limit = percent(RESIDUAL_MOST_SHARE)
        text = (
            f"A residual above {limit} is a fault: trust no margin of this page until it is gone."
        )
        body += f'<div class="banner" role="note"><p>{escape(text)}</p></div>'
    body += pay_tables.bills_table(held, stated(data))
    return Section(anchor="bills", link="Bills", title=title, body=body)


def published(data: ReportData, economics: Given) -> Section:
    """Return the published figures that the company names, with their status, source and date."""
    presets = economics["presets"]
    body = paragraph(
        "Figures of others as they were published, for comparison. None of them enters a figure "
        "of this company."
    )
    conflict = sora_conflict(presets)
    if conflict:
        body += f'<div class="banner" role="note"><p>{escape(conflict)}</p></div>'
    body += pay_tables.presets_table(presets, f"shown beside {stated(data).period}")
    return Section(anchor="published", link="Published", title="Published figures", body=body)


def sora_conflict(presets: Sequence[Given]) -> str:
    """Say how far the two estimates of Sora's cost lie apart; empty where they are not named."""
    found = {(preset["preset"], preset["fact"]): preset for preset in presets}
    high = found.get(("sora_cantor", "printed_usd_per_day"))
    low = found.get(("sora_wsj", "usd_per_day"))
    if high is None or low is None:
        return ""
    sides = [
        f"{pay_tables.plain(each['quantity'])} {each['unit']} ({each['source']}; "
        f"{each['status'].replace('_', ' ')})"
        for each in (high, low)
    ]
    text = f"Two published estimates of what Sora cost lie far apart: {sides[0]}, and {sides[1]}."
    ratio = found.get(("sora_conflict", "usd_per_day_ratio"))
    if ratio is not None:
        text += f" They differ {pay_tables.plain(ratio['quantity'])}-fold: {ratio['note']}."
    return text

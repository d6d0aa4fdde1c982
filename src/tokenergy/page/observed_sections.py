"""The sections of an observation's page, each with its table; nothing that is missing is hidden."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Any, Final

from tokenergy.company.currency import in_currency
from tokenergy.page import observed_charts as charts
from tokenergy.page import observed_tables as tables
from tokenergy.page.findings import finding_html
from tokenergy.page.html import Section, figure, paragraph
from tokenergy.page.number import known
from tokenergy.page.observed_rows import (
    POINTS_COUNT,
    busiest,
    joined,
    model_rows,
    site_rows,
    tenant_rows,
)
from tokenergy.page.rows import Given, Row, moment
from tokenergy.page.stated import Stated

SYNTHETIC: Final = "synthetic"
NO_SAVING: Final = (
    "No saving is told: it was left out, or there is no price or no demand to tell it from. The "
    "findings below say which."
)


def observed_sections(observation: Given, history: Sequence[Given]) -> list[Section]:
    """Return every section; what was not observed says so instead of going missing."""
    stated = stated_of(observation)
    models = model_rows(observation)
    found = [
        _now(models, stated),
        _work(models, stated),
        _power(observation, stated),
        _windows(history, observation, stated),
        _saving(observation, stated),
        *_tenants(observation, stated),
        *_invoices(observation, stated),
        _findings(observation),
    ]
    return found


def stated_of(observation: Given) -> Stated:
    """Return what every table states, over the window."""
    prices = [str(site.get("price_source") or "") for site in observation.get("sites") or ()]
    return Stated(
        currency=str(observation.get("currency") or "USD"),
        period=period(str(observation["start"]), str(observation["end"])),
        synthetic=any(source.startswith(SYNTHETIC) for source in prices),
    )


def period(start: str, end: str) -> str:
    """Write a period for people to the second, in UTC."""
    first, last = moment(start), moment(end)
    same = first.date() == last.date()
    until = f"{last:%H:%M:%S}" if same else f"{last.day} {last:%b %Y %H:%M:%S}"
    return f"{first.day} {first:%b %Y %H:%M:%S} to {until} UTC"


def _now(rows: Sequence[Row], stated: Stated) -> Section:
    if rows:
        silent = [row["name"] for row in rows if not row.get("gpus_count")]
        body = "".join(
            paragraph(f"No engine of {name} answered within the window.") for name in silent
        )
        body += tables.costs_table(rows, stated) + tables.elsewhere_table(rows, stated)
        body += paragraph(
            "Full is all that these GPUs, their hall, their power and their people cost, over the "
            "tokens that they made. Marginal is what one Mtok more would cost: power, and the "
            "rent of whatever is scarce in this hour."
        )
    else:
        body = paragraph("No engine is known: nothing is priced. The findings below say why.")
    return Section(anchor="now", link="Token", title="What a token costs here and now", body=body)


def _work(rows: Sequence[Row], stated: Stated) -> Section:
    body = paragraph("No engine answered.")
    if rows:
        body = tables.work_table(rows, stated) + tables.joules_table(rows, stated)
    title = "What ran, and its joules"
    return Section(anchor="work", link="Tokens and joules", title=title, body=body)


def _power(observation: Given, stated: Stated) -> Section:
    rows = site_rows(observation)
    body = "".join(
        paragraph(f"{row['site']}: no price of power is known now ({row['price_source']}).")
        for row in rows
        if row.get("price_usd_per_mwh") is None
    )
    body += tables.power_table(rows, stated) if rows else paragraph("No site has an engine.")
    return Section(anchor="power", link="Power", title="What power costs", body=body)


def _windows(history: Sequence[Given], observation: Given, stated: Stated) -> Section:
    """Return the charts over the windows that this page remembers, and the last ones as rows."""
    drawn: dict[str, Any] = {}
    title, link = "Window by window", "Windows"
    ends = {row["end"] for row in history}
    if not ends:
        body = paragraph("No window is remembered yet.")
        return Section(anchor="windows", link=link, title=title, body=body)
    shown = busiest(history, most_count=charts.DRAWN_COUNT)
    rows = [row for row in joined(history) if row["name"] in shown]
    over = Stated(
        currency=stated.currency,
        period=period(min(str(row["start"]) for row in rows), max(str(row["end"]) for row in rows)),
        synthetic=stated.synthetic,
    )
    if charts.panels_of(rows, names=shown):
        drawn["window-costs"] = charts.costs_chart(rows, names=shown, stated=over)
    if any(known(row["tokens_per_s"]) for row in rows):
        drawn["window-tokens"] = charts.tokens_chart(rows, names=shown, stated=over)
    words = {
        "window-costs": "Lines of full and marginal cost of a Mtok over the windows, by model.",
        "window-tokens": "Lines of output tokens a second over the windows, by model.",
    }
    body = _drawn_of(history, drawn_count=len(shown))
    body += "".join(figure(name, drawn[name], words=words[name]) for name in drawn)
    body += tables.windows_table(history, stated)
    return Section(anchor="windows", link=link, title=title, body=body, charts=drawn)


def _drawn_of(history: Sequence[Given], *, drawn_count: int) -> str:
    """Say how much of the windows and models is drawn."""
    ends = {str(row["end"]) for row in history}
    text = f"{len(ends):,} {'window is' if len(ends) == 1 else 'windows are'} remembered"
    if len(ends) > POINTS_COUNT:
        span = moment(max(ends)) - moment(min(str(row["start"]) for row in history))
        seconds = span / timedelta(seconds=1) / POINTS_COUNT
        text += f", drawn as means of {seconds:,.0f} s"
    models = len({row["name"] for row in history})
    if models > drawn_count:
        text += f"; of {models} models the {drawn_count} with the most tokens are drawn"
    return paragraph(f"{text}.")


def _saving(observation: Given, stated: Stated) -> Section:
    saving = observation.get("saving")
    if saving is None:
        body = paragraph(NO_SAVING)
    else:
        span = Stated(
            currency=stated.currency,
            period=period(str(saving["start"]), str(saving["end"])),
            synthetic=stated.synthetic,
        )
        body = paragraph(in_currency(str(saving["says"]), stated.currency))
        body += tables.against_table(saving, span) + tables.made_of_table(saving, span)
    title = "What dispatch would have saved"
    return Section(anchor="saving", link="Saving", title=title, body=body)


def _tenants(observation: Given, stated: Stated) -> list[Section]:
    rows = tenant_rows(observation)
    if not rows:
        return []
    body = tables.tenants_table(rows, stated)
    return [Section(anchor="tenants", link="Tenants", title="Who used it", body=body)]


def _invoices(observation: Given, stated: Stated) -> list[Section]:
    allocated = observation.get("allocated")
    if allocated is None:
        return []
    body = paragraph(in_currency(str(allocated.get("says", "")), stated.currency))
    body += tables.invoices_tables(allocated, stated)
    return [Section(anchor="invoices", link="Invoices", title="Invoices to tokens", body=body)]


def _findings(observation: Given) -> Section:
    """Return all findings, open: errors first."""
    found = list(observation.get("findings") or ())
    found.sort(key=lambda finding: finding.get("severity") != "error")
    body = "".join(finding_html(finding) for finding in found) or paragraph("None.")
    title = f"Findings: {len(found):,}" if found else "Findings"
    return Section(anchor="findings", link=escape(title), title=title, body=body)

"""The front of a report: whose, the answer in a sentence, what is made up, by whom and when."""

from collections.abc import Iterator
from html import escape

from tokenergy.company.currency import in_currency
from tokenergy.page.data import ReportData
from tokenergy.page.html import folded
from tokenergy.page.pay_rows import answer_lines
from tokenergy.page.stated import day, stated
from tokenergy.page.tiles import tiles


def title(data: ReportData) -> str:
    """Return what the page answers, as plain text."""
    name = str(data.heading.get("company") or "a company")
    if data.failed is not None:
        return f"{name}: this run failed"
    more = "" if data.economics is None else ", and whether it pays"
    return f"{name}: what a token costs{more}"


def heading(data: ReportData) -> str:
    """Return name, answer, what is made up, and the first figures, as HTML."""
    pieces = [
        f"<h1>{escape(title(data))}</h1>",
        _about(data),
        f'<p class="facts">{escape(" · ".join(_facts(data)))}</p>',
        _said(data),
        _banner(data),
        _tiles(data),
    ]
    return "\n".join(piece for piece in pieces if piece)


def _about(data: ReportData) -> str:
    """Return what the company is, in its own words."""
    about = str(data.heading.get("about") or "")
    return f'<p class="about">{escape(about)}</p>' if about else ""


def _facts(data: ReportData) -> Iterator[str]:
    """Yield the period, the file and the money, then who made the page and when."""
    yield stated(data).period
    if data.heading.get("file"):
        yield f"file {data.heading['file']}"
    yield data.currency
    made = data.made or {}
    if made.get("version"):
        at = f" on {day(str(made['at']))} UTC" if made.get("at") else ""
        yield f"made by Tokenergy {made['version']}{at}"


def _said(data: ReportData) -> str:
    """Return the answer: its first sentence as what to take away, the others under it."""
    message = in_currency(data.message, data.currency)
    lines = answer_lines(data)
    if not lines:
        return f'<p class="message">{escape(message)}</p>' if message else ""
    first, *more = lines
    said = f'<p class="lead">{escape(first)}</p>'
    if more:
        said += f'<ul class="answer">{"".join(f"<li>{escape(line)}</li>" for line in more)}</ul>'
    return said + (f'<p class="message">{escape(message)}</p>' if message else "")


def _banner(data: ReportData) -> str:
    """Return what of the series is made up; empty where nothing is."""
    if not data.synthetic:
        return ""
    items = "".join(f"<li><code>{escape(path)}</code></li>" for path in data.synthetic)
    return (
        '<div class="banner" role="note"><p><strong>SYNTHETIC SERIES</strong> '
        f"{len(data.synthetic)} series of this report are made up by a seeded feed, not "
        "measured. Figures that rest on them are illustrations.</p>"
        f"{folded('Which series', f'<ul>{items}</ul>')}</div>"
    )


def _tiles(data: ReportData) -> str:
    """Return the figures of the first look."""
    shown = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{value}</dd></div>" for term, value in tiles(data)
    )
    kind = "tiles" if data.economics is None else "tiles wide"
    return f'<dl class="{kind}">{shown}</dl>' if shown else ""


def foot(data: ReportData) -> str:
    """Return what the page is and how its figures are written."""
    made = data.made or {}
    version = f" {made['version']}" if made.get("version") else ""
    return (
        f"<p>Made by Tokenergy{escape(version)} from "
        f"{escape(str(data.heading.get('file', 'a company file')))}. "
        "This page holds its numbers and loads nothing from anywhere. Figures are rounded for "
        "reading; the exact value stands in the <code>data</code> element of each and in the JSON "
        "named <code>numbers</code>. Times are UTC, an interval is named by its start.</p>"
    )

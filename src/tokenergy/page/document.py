"""The document: sections, one set of numbers, the charts that read it, and what draws them.

A policy in the page forbids every request, and every script but the three that are named by
their digest: what a name in the company file may hold, it cannot run.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from altair import Undefined

from tokenergy.company.currency import in_currency
from tokenergy.page import palette
from tokenergy.page.data import ReportData
from tokenergy.page.drawing import WIDTH_PX
from tokenergy.page.html import Section
from tokenergy.page.pay_rows import answer_lines
from tokenergy.page.picture import bundled_version
from tokenergy.page.rows import columns_of
from tokenergy.page.sections import sections
from tokenergy.page.stated import stated
from tokenergy.page.tiles import tiles


def document(data: ReportData) -> str:
    """Return the whole page."""
    name = str(data.heading.get("company") or "a company")
    return page_of(
        sections(data),
        title=_title(data, name),
        called="report",
        heading=_heading(data, name),
        foot=_foot(data),
    )


def page_of(parts: list[Section], *, title: str, called: str, heading: str, foot: str) -> str:
    """Return a document of sections with their numbers, their charts and what draws them.

    Args:
        parts: the sections, in order.
        title: of the document, as plain text.
        called: what the document is, in a word.
        heading: what stands above the sections, as HTML.
        foot: what stands below them, as HTML.
    """
    specs, numbers = views(parts)
    looks = {"light": palette.config(dark=False), "dark": palette.config(dark=True)}
    scripts = [bundle(), static("report.js")] if specs else []
    links = "".join(f'<li><a href="#{p.anchor}">{escape(p.link)}</a></li>' for p in parts)
    body = "\n".join(part.html() for part in parts)
    inline = "\n".join(f"<script>{script}</script>" for script in scripts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy(scripts)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Tokenergy">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{static("report.css")}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the {called}</a>
<header>
{heading}
</header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main id="main">
<noscript><p class="banner">The charts need JavaScript; the tables do not.</p></noscript>
{body}
</main>
<footer>
{foot}
</footer>
<script type="application/json" id="numbers">{safe_json(numbers)}</script>
<script type="application/json" id="charts">{safe_json({"charts": specs, "looks": looks})}</script>
{inline}
</body>
</html>
"""


def views(parts: list[Section]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the specifications without numbers and titles, and the numbers, once, by name."""
    specs: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for part in parts:
        for name, chart in part.charts.items():
            bare = chart.copy(deep=False)
            held, bare.datasets = chart.datasets, Undefined  # numbers are nothing to validate
            spec = bare.to_dict()
            for unwanted in ("title", "config", "$schema"):
                spec.pop(unwanted, None)
            spec["usermeta"] = {"rows": sorted(held), "width_px": WIDTH_PX}
            specs[name] = spec
            numbers |= {each: columns_of(rows) for each, rows in held.items()}
    return specs, numbers


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as the installed vl-convert holds them."""
    import vl_convert

    # the stub of vl-convert asks for a snippet, vl-convert itself does not
    make: Callable[..., str] = vl_convert.javascript_bundle
    script = make(vl_version=bundled_version())
    return "(() => {" + script.replace("</script", "<\\/script") + "\n})();"


@cache
def static(name: str) -> str:
    """Return a file of page/static."""
    return files("tokenergy.page").joinpath("static", name).read_text(encoding="utf-8")


def policy(scripts: list[str], *, connect: str = "") -> str:
    """Return what the page may do: run these scripts, and ask `connect`, or nobody."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in scripts]
    allowed = " ".join(f"'sha256-{digest.decode()}'" for digest in digests) or "'none'"
    asks = f"connect-src {connect}; " if connect else ""
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        f"{asks}base-uri 'none'; form-action 'none'"
    )


def safe_json(value: Any) -> str:
    """Return JSON that cannot end the script that holds it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _heading(data: ReportData, name: str) -> str:
    """Return name, period, the answer, the banner of synthetic series and the first figures."""
    facts = f"{stated(data).period} · file {data.heading.get('file', '')} · {data.currency}"
    banner = ""
    if data.synthetic:
        items = "".join(f"<li><code>{escape(path)}</code></li>" for path in data.synthetic)
        banner = (
            '<div class="banner" role="note"><p><strong>SYNTHETIC SERIES</strong> '
            f"{len(data.synthetic)} series of this report are made up by a seeded feed, not "
            f"measured. Figures that rest on them are illustrations.</p>"
            f"<details><summary>Which series</summary><ul>{items}</ul></details></div>"
        )
    shown = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{value}</dd></div>" for term, value in tiles(data)
    )
    kind = "tiles" if data.economics is None else "tiles wide"
    lines = answer_lines(data)
    said = f'<p class="message">{escape(in_currency(data.message, data.currency))}</p>'
    if lines:
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        said = f'<ul class="answer">{items}</ul>\n{said}'
    return (
        f"<h1>{escape(_title(data, name))}</h1>\n"
        f'<p class="facts">{escape(facts)}</p>\n{said}\n'
        f'{banner}\n<dl class="{kind}">{shown}</dl>'
    )


def _title(data: ReportData, name: str) -> str:
    """Return what the page answers."""
    more = "" if data.economics is None else ", and whether it pays"
    return f"{name}: what a token costs{more}"


def _foot(data: ReportData) -> str:
    """Return what the page is and how its figures are written."""
    return (
        f"<p>Made by Tokenergy from {escape(str(data.heading.get('file', 'a company file')))}. "
        "This page holds its numbers and loads nothing from anywhere. Figures are rounded for "
        "reading; the exact value stands in the <code>data</code> element of each and in the JSON "
        "named <code>numbers</code>. Times are UTC, an interval is named by its start.</p>"
    )

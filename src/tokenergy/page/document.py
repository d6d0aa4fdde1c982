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

from tokenergy.page import front, palette
from tokenergy.page.data import ReportData
from tokenergy.page.drawing import WIDTH_PX
from tokenergy.page.html import Section
from tokenergy.page.navigation import body, navigation
from tokenergy.page.picture import bundled_version
from tokenergy.page.rows import columns_of
from tokenergy.page.sections import sections


def document(data: ReportData) -> str:
    """Return the whole page."""
    return page_of(
        sections(data),
        title=front.title(data),
        called="report",
        heading=front.heading(data),
        foot=front.foot(data),
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
    scripts = [*drawing_scripts(), static("report.js")] if specs else []
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
{navigation(parts)}
<main id="main" tabindex="-1">
<noscript><p class="banner">The charts need JavaScript; the tables do not.</p></noscript>
{body(parts)}
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
            said = spec.get("usermeta", {})  # a chart of many marks asks for a canvas
            spec["usermeta"] = said | {"rows": sorted(held), "width_px": WIDTH_PX}
            specs[name] = spec
            numbers |= {each: columns_of(rows) for each, rows in held.items()}
    return specs, numbers


def drawing_scripts() -> list[str]:
    """Return what a page runs to draw charts: the libraries, then `window.tokenergy`."""
    return [bundle(), static("picture.js") + static("draw.js")]


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

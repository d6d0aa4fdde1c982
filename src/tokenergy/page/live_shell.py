"""The shell of the live page: headings, tables that the stream fills, scripts; no company."""

from collections.abc import Sequence
from html import escape
from typing import Final

from tokenergy.page import palette
from tokenergy.page.document import drawing_scripts, policy, static

SCRIPTS: Final = (
    "live_write.js", "live_stream.js", "live_face.js", "live_decisions.js", "live.js",
)  # fmt: skip
"""What the page runs beside the libraries that draw, in order."""
LINKS: Final = (
    ("map", "Map"),
    ("board", "Next hours"),
    ("decisions", "Decisions"),
    ("budgets", "Budgets"),
    ("spend", "Spend"),
    ("findings", "Findings"),
)
ACTIONS: Final = ("serve", "cap", "downgrade", "defer", "refuse")
"""What may be done about a request, in the order of `company.decision.RequestAction`."""


DECIDED: Final = (
    "at", "decision*", "why*", "tenant, tier*", "workload*", "made by*", "tokens in", "out", "cost",
    "charged", "J",
)  # fmt: skip
"""Columns of the decisions; a head that ends in `*` is one of words."""


def live_html() -> str:
    """Return the shell: it asks its own host for the stream, and nobody else for anything."""
    scripts = [*drawing_scripts(), *map(static, SCRIPTS)]
    inline = "\n".join(f"<script>{script}</script>" for script in scripts)
    links = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name in LINKS)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy(scripts, connect="'self'")}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Tokenergy">
<title>Tokenergy: what a token costs now</title>
<link rel="icon" href="data:,">
<style>
{static("report.css")}{static("live.css")}{_colours()}</style>
</head>
<body class="live">
<a class="skip" href="#main">Skip to the figures</a>
<header>
{_heading()}
</header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main id="main" tabindex="-1">
<div id="face"></div>
{_decisions()}
{_budgets()}
{_spend()}
<div id="face-end"></div>
</main>
<footer>
<p>Made by Tokenergy. This page asks its own gateway for a stream of figures, and nobody else for
anything. Figures are rounded for reading; the exact value stands in the <code>data</code> element
of each. “–” stands where nobody knows a figure: it is never 0. Times are UTC, an interval is named
by its start. The same figures as JSON: <code>tokenergy price --json</code>,
<code>tokenergy ledger --json</code>, <code>tokenergy explain REQUEST</code>.</p>
</footer>
{inline}
</body>
</html>
"""


def _colours() -> str:
    """Return the colour of each part of a price as a class, from the one palette."""
    return "\n".join(
        f".part-{name} {{ background: {colour}; }}" for name, colour in palette.PARTS.items()
    )


def _heading() -> str:
    """Return the name, what is known at a glance, the alarms, and how the connection stands."""
    return """<h1 id="company">Tokenergy: what a token costs now</h1>
<p id="facts" class="facts"></p>
<p id="link" class="link" role="status"></p>
<p id="alarm" class="unseen" role="alert"></p>
<div id="alarms" class="alarms" hidden><h2 id="alarms-title"></h2>
<ul tabindex="0" aria-labelledby="alarms-title"></ul></div>
<details id="checks" class="checks" hidden><summary></summary><ul></ul></details>
<form id="key" class="banner" hidden>
<p id="key-why"></p>
<p><label for="key-value">Key with scope <code>admin</code></label>
<input id="key-value" type="password" autocomplete="off" spellcheck="false" required
aria-describedby="key-why"> <button>Show the page</button></p>
<p class="facts">The key stays in this tab and is forgotten with it. <code>tokenergy keys</code>
makes one.</p>
</form>
<noscript><p class="banner">This page follows a stream, which needs JavaScript.
<code>tokenergy price</code> has the same figures.</p></noscript>"""


def _section(anchor: str, title: str, body: str) -> str:
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">'
        f'<h2 id="{anchor}-title">{escape(title)}</h2>\n{body}\n</section>'
    )


def _frame(anchor: str, caption: str, states: str, heads: Sequence[str], empty: str) -> str:
    """Return a table that the stream fills; a head that ends in `*` is one of words.

    Args:
        anchor: of the table.
        caption, states: what it shows, and with which units.
        heads: titles of its columns, that of the rows' names first.
        empty: what stands there until there is a row.
    """
    cells = "".join(
        f'<th scope="col"{" class=" + chr(34) + "words" + chr(34) if head.endswith("*") else ""}>'
        f"{escape(head.rstrip('*'))}</th>"
        for head in heads
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f'<table id="{anchor}"><caption>{escape(caption)}<span class="states">{escape(states)}'
        f"</span></caption><thead><tr>{cells}</tr></thead><tbody></tbody></table>"
        f'<p class="empty">{escape(empty)}</p></div>'
    )


def _decisions() -> str:
    """Return the stream of decisions with what chooses among them."""
    kinds = "".join(
        f'<label><input type="checkbox" value="{kind}" checked> {name} '
        f'<span class="count" data-count="{kind}"></span></label>'
        for kind, name in (*zip(ACTIONS, ACTIONS, strict=True), ("broken", "broken off"))
    )
    table = _frame(
        "decisions-rows",
        "Decisions, newest first",
        "cost, charge and J of each request; marginal cost, of a refused one what it would have "
        "cost; as booked by the ledger, times in UTC",
        DECIDED,
        "No request was decided yet.",
    )
    body = f"""<div class="controls">
<button type="button" id="pause" aria-pressed="false">Pause</button>
<fieldset id="kinds"><legend>Show</legend>{kinds}</fieldset>
<label for="find">Find</label> <input id="find" type="search" placeholder="tenant, model, request"
autocomplete="off" spellcheck="false">
</div>
<p id="decisions-said" class="unseen" aria-live="polite"></p>
<p id="decisions-note" class="facts"></p>
{table}"""
    return _section("decisions", "What was decided, and why", body)


def _budgets() -> str:
    """Return budgets with their pace, and the limits of tenants."""
    budgets = _frame(
        "budgets-rows",
        "Budgets and their pace",
        "money and J of the current window; the bar is what is spent, its mark the elapsed time",
        ("budget", "spent and elapsed*", "spent", "limit", "left", "share spent", "time elapsed",
         "shadow price", "window ends*"),
        "This company file sets no budget.",
    )  # fmt: skip
    limits = _frame(
        "limits-rows",
        "Limits of tenants",
        "spent of each limit in its current window, the nearest to its end first",
        ("tenant", "spent*", "spent", "limit", "share spent", "window ends*"),
        "No tenant has a limit, or none has spent yet.",
    )
    return _section("budgets", "Budgets and pacing", f"{budgets}\n{limits}")


def _spend() -> str:
    """Return spend and joules by tenant and by model, and what was refused."""
    heads = (
        "requests", "input", "output", "cost", "by length*", "charged", "J", "J/token", "J metered",
    )  # fmt: skip
    states = "of the last 24 h; cost: marginal; J: modelled at the meter, tokens: counts"
    tenants = _frame(
        "tenants-rows", "By tenant", states, ("tenant", *heads), "Nothing was served yet."
    )
    models = _frame(
        "models-rows", "By model and site", states, ("model", *heads), "Nothing was served yet."
    )
    refused = _frame(
        "refused-rows",
        "Refused, by tenant and reason",
        "requests of the last 24 h",
        ("tenant", "tier*", "reason*", "requests"),
        "Nothing was refused.",
    )
    return _section(
        "spend",
        "Spend and joules",
        f'<p id="since" class="facts"></p>{tenants}\n{models}\n{refused}',
    )

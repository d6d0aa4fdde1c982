"""The page of an observation: one document that holds its numbers; live, it follows its server."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from tokenergy.company.currency import in_currency
from tokenergy.page import palette
from tokenergy.page.document import drawing_scripts, policy, safe_json, static, views
from tokenergy.page.number import MISSING, cell, money, percent, significant
from tokenergy.page.observed_rows import history_rows, lowest_and_highest, model_rows, total
from tokenergy.page.observed_sections import observed_sections, stated_of
from tokenergy.page.observed_tables import whole
from tokenergy.page.rows import Given, Row
from tokenergy.page.tiles import Tile

__all__ = ["history_rows", "observed_html", "waiting_html"]

SAME_ORIGIN: Final = "'self'"
SOON_S: Final = 2.0
"""A page that waits for its first window looks again so soon."""


def observed_html(
    observation: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] = (),
    *,
    follow_every_s: float | None = None,
    fault: str = "",
) -> str:
    """Return the page of an observation.

    Args:
        observation: `Observation.to_dict()`.
        history: rows of `history_rows`, of the windows so far.
        follow_every_s: a live page asks its own server so often for a newer window; None: the
            page asks nobody, ever.
        fault: why the window after this one could not be told; "" if it could.
    """
    parts = observed_sections(observation, history)
    specs, numbers = views(parts)
    looks = {"light": palette.config(dark=False), "dark": palette.config(dark=True)}
    scripts = [*drawing_scripts(), static("report.js")] if specs else []
    if follow_every_s is not None:
        scripts.append(static("observed.js"))
    links = "".join(f'<li><a href="#{p.anchor}">{p.link}</a></li>' for p in parts)
    body = "\n".join(part.html() for part in parts)
    return _page(
        title=_title(observation),
        scripts=scripts,
        follow_every_s=follow_every_s,
        end=str(observation["end"]),
        body=f"""<a class="skip" href="#main">Skip to the observation</a>
<header>
{_heading(observation, fault)}
</header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main id="main" tabindex="-1">
<noscript><p class="banner">The charts need JavaScript; the tables do not.</p></noscript>
{body}
</main>
<footer>
{_foot(observation, live=follow_every_s is not None)}
</footer>
<script type="application/json" id="numbers">{safe_json(numbers)}</script>
<script type="application/json" id="charts">{safe_json({"charts": specs, "looks": looks})}</script>
""",
    )


def waiting_html(*, window_s: float, fault: str = "") -> str:
    """Return the live page before its first window has ended."""
    said = f"The first window of {window_s:g} s has not ended yet: this page looks again by itself."
    if fault:
        said = "The first window could not be told; the next one is being watched."
    return _page(
        title="Tokenergy observes",
        scripts=[static("observed.js")],
        follow_every_s=min(SOON_S, window_s),
        end="",
        body=f"""<header>
<h1>Tokenergy observes</h1>
<p class="message">{escape(said)}</p>
{_faulty(fault)}{_silence()}
</header>
""",
    )


def _page(
    *, title: str, scripts: list[str], follow_every_s: float | None, end: str, body: str
) -> str:
    inline = "\n".join(f"<script>{script}</script>" for script in scripts)
    allowed, follow, again = policy(scripts), "", ""
    if follow_every_s is not None:
        allowed = policy(scripts, connect=SAME_ORIGIN)
        follow = f' data-follow-every-s="{follow_every_s:g}" data-end="{escape(end)}"'
        # without scripts a live page reads itself anew; a browser reads whole seconds only
        refresh = f'<meta http-equiv="refresh" content="{max(1, round(follow_every_s))}">'
        again = f"<noscript>{refresh}</noscript>\n"
    return f"""<!DOCTYPE html>
<html lang="en"{follow}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{allowed}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Tokenergy">
{again}<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{static("report.css")}</style>
</head>
<body>
{body}{inline}
</body>
</html>
"""


def _title(observation: Given) -> str:
    return f"{observation.get('company') or 'A company'}: what a token costs here and now"


def _heading(observation: Given, fault: str) -> str:
    """Return name, window, the saving in a sentence, what is wrong, and the first figures."""
    stated = stated_of(observation)
    facts = f"{stated.period} · file {observation.get('file', '')} · {stated.currency} · read only"
    saving = observation.get("saving") or {}
    said = in_currency(str(saving.get("says") or ""), stated.currency)
    message = f'<p class="message">{escape(said)}</p>\n' if said else ""
    count = len(observation.get("findings") or ())
    banner = ""
    if count:
        word = "finding" if count == 1 else "findings"
        banner = (
            f'<div class="banner" role="note"><p><a href="#findings"><strong>{count:,} {word}'
            "</strong></a> to know before relying on a figure.</p></div>\n"
        )
    if stated.synthetic:
        banner += (
            '<div class="banner" role="note"><p><strong>SYNTHETIC PRICES</strong> Some prices of '
            "power are made up by a seeded feed, not read from a market: costs and savings that "
            "rest on them are illustrations.</p></div>\n"
        )
    shown = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{value}</dd></div>" for term, value in _tiles(observation)
    )
    return (
        f"<h1>{escape(_title(observation))}</h1>\n"
        f'<p class="facts">{escape(facts)}</p>\n{message}{_faulty(fault)}{_silence()}{banner}'
        f'<dl class="tiles wide">{shown}</dl>'
    )


def _faulty(fault: str) -> str:
    if not fault:
        return ""
    return (
        '<div class="banner" role="alert"><p><strong>The last window could not be told.</strong> '
        f"{escape(fault)} The figures are those of the window before.</p></div>\n"
    )


def _silence() -> str:
    """Return where the page's script says that its server has fallen silent."""
    return '<p id="silence" class="banner" role="status" hidden></p>\n'


def _tiles(observation: Given) -> Iterator[Tile]:
    """Yield the figures of the first look, over all models: lowest to highest, or the sum."""
    stated, rows = stated_of(observation), model_rows(observation)
    per = f" <small>{escape(stated.currency)}/Mtok</small>"
    yield "Full cost, allocation", _ends(rows, "usd_per_mtok_full") + per
    yield "Marginal cost", _ends(rows, "usd_per_mtok_marginal") + per
    tiers = ", ".join(dict.fromkeys(str(row.get("joules_tier")) for row in rows))
    yield "Energy of a token", _ends(rows, "j_per_token") + f" <small>J, {escape(tiers)}</small>"
    yield "In use", _ends(rows, "utilisation_share", percent)
    yield "Idle replicas cost", _sum(rows, "idle_usd_per_h", money, f"{stated.currency}/h")
    yield "Output in the window", _sum(rows, "output_tokens", whole, "tokens")
    price = _ends(list(observation.get("sites") or ()), "price_usd_per_mwh")
    yield "Spot price of power", price + f" <small>{escape(stated.currency)}/MWh</small>"
    yield "Dispatch would have saved", _saved(observation.get("saving"), stated.currency)


def _ends(rows: Sequence[Row], name: str, write: Any = significant) -> str:
    """Return one figure, or the lowest and the highest of several."""
    found = lowest_and_highest(row.get(name) for row in rows)
    if found is None:
        return cell(None)
    low, high = found
    text = cell(low, write)
    return text if write(low) == write(high) else f"{text} to {cell(high, write)}"


def _sum(rows: Sequence[Row], name: str, write: Any, unit: str) -> str:
    return cell(total(row.get(name) for row in rows), write) + f" <small>{escape(unit)}</small>"


def _saved(saving: Given | None, currency: str) -> str:
    if saving is None:
        return f'{cell(None)} <small><a href="#saving">why</a></small>'
    text = f"{cell(saving.get('usd'), money)} <small>{escape(currency)} against what you did"
    low, high = saving.get("low_usd"), saving.get("high_usd")
    if low is not None and high is not None:
        text += f", {cell(low, money)} to {cell(high, money)}"
    return f"{text}</small>"


def _foot(observation: Given, *, live: bool) -> str:
    """Return what the page is, how its figures are written, and what it asks of whom."""
    asks = "This page holds its numbers and loads nothing from anywhere."
    if live:
        asks = (
            "This page holds its numbers; it asks its own server for the next window, and nobody "
            "else. Saved as a file it asks nobody."
        )
    ledger = observation.get("ledger")
    kept = f"The windows are kept in {ledger}. " if ledger else ""
    file = escape(str(observation.get("file", "a company file")))
    return (
        f"<p>Made by Tokenergy from {file}; it only reads. {escape(kept)}{asks} Figures are "
        "rounded for reading; the exact value stands in the <code>data</code> element of each. "
        f"“{MISSING}” stands where nobody knows a figure: it is never 0. Times are UTC.</p>"
    )

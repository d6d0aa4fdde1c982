"""The page of a plan: one document that holds its numbers, its charts and what draws them."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from tokenergy.page.document import page_of
from tokenergy.page.number import cell, money, percent, significant
from tokenergy.page.picture import write_whole
from tokenergy.page.plan_sections import plan_sections, stated_of
from tokenergy.page.rows import Given
from tokenergy.page.tiles import Tile


def write_plan(plan: Given, out: Path) -> Path:
    """Write the page of a plan, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    return write_whole(out, plan_html(plan).encode())


def plan_html(plan: Given) -> str:
    """Return the page of a plan, the same for the same plan.

    Args:
        plan: `Planned.to_dict()`.
    """
    return page_of(
        plan_sections(plan),
        title=_title(plan),
        called="plan",
        heading=_heading(plan),
        foot=_foot(plan),
    )


def _title(plan: Given) -> str:
    return f"{plan.get('company') or 'A company'}: what to build and what to sign"


def _heading(plan: Given) -> str:
    """Return name, period, the answer, the banner of synthetic series and the first figures."""
    when = stated_of(plan)
    facts = f"{when.period} · file {plan.get('file', '')} · {when.currency}"
    lines = "".join(f"<li>{escape(str(line))}</li>" for line in plan["answer"])
    banner = ""
    if when.synthetic:
        items = "".join(f"<li><code>{escape(str(p))}</code></li>" for p in plan["synthetic"])
        banner = (
            '<div class="banner" role="note"><p><strong>SYNTHETIC SERIES</strong> '
            f"{len(plan['synthetic'])} series of this plan are made up by a seeded feed, not "
            "measured. Figures that rest on them are illustrations.</p>"
            f"<details><summary>Which series</summary><ul>{items}</ul></details></div>"
        )
    shown = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{value}</dd></div>" for term, value in _tiles(plan)
    )
    return (
        f"<h1>{escape(_title(plan))}</h1>\n"
        f'<p class="facts">{escape(facts)}</p>\n<ul class="answer">{lines}</ul>\n'
        f'{banner}\n<dl class="tiles wide">{shown}</dl>'
    )


def _tiles(plan: Given) -> Iterator[Tile]:
    """Yield cost with its bounds, both costs of a token, the part of energy, and the build."""
    currency = escape(str(plan.get("currency") or "USD"))
    per = f" <small>{currency}/Mtok</small>"
    gap = cell(plan["gap_share"], lambda share: percent(share, 3))
    yield (
        "Cost of the plan",
        (
            f"{cell(plan['cost_usd'], money)} <small>{currency}, at least "
            f"{cell(plan['lower_bound_usd'], money)}; gap {gap}</small>"
        ),
    )
    yield "Full cost, allocation", cell(plan.get("usd_per_mtok_full"), significant) + per
    yield "Marginal cost", cell(plan.get("usd_per_mtok_marginal"), significant) + per
    built = plan.get("as_built") or {}
    yield "kWh in full cost", cell(built.get("share_kwh"), percent)
    budget = plan.get("budget_usd")
    of = "" if budget is None else f" of {cell(budget, money)}"
    yield (
        "Capital of the build",
        (f"{cell(plan['capital_usd'], money)} <small>{currency}{of}</small>"),
    )
    held = [row for row in plan["capacities"] if row["built"]]
    sites = {row["site"] for row in held if row["kind"] == "site"}
    signed = [row for row in held if row["kind"] == "contract"]
    yield "Sites and contracts", f"{cell(len(sites), _whole)} and {cell(len(signed), _whole)}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _foot(plan: Given) -> str:
    file = escape(str(plan.get("file", "a company file")))
    written = plan.get("written")
    kept = f"The company file of the plan is {escape(str(written))}. " if written else ""
    return (
        f"<p>Made by Tokenergy from {file}. {kept}This page holds its numbers and loads nothing "
        "from anywhere. Figures are rounded for reading; the exact value stands in the "
        "<code>data</code> element of each. Times are UTC.</p>"
    )

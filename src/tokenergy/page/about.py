"""How a report is to be read: whose figures, on which bases, and what was not asked for."""

from collections.abc import Iterator
from html import escape

from tokenergy.page.data import ReportData
from tokenergy.page.html import Section, folded

BASES = (
    ("marginal", "what one more Mtok costs: what routing and admission go by"),
    ("usage", "what the tokens of a tier used, capital in it"),
    ("full, or allocation", "all that is paid, over the tokens served: unused capacity too"),
    ("price", "what users pay for a Mtok"),
)


def about(data: ReportData) -> Section:
    """Return who made the page of what, what its words mean, and what is not in it."""
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in _facts(data)
    )
    bases = "".join(f"<li><strong>{name}</strong>: {text}.</li>" for name, text in BASES)
    left = "".join(f"<li>{line}</li>" for line in _left_out(data))
    body = (
        f'<dl class="about-list">{facts}</dl>'
        f"<p>A cost of a token means nothing without its basis:</p><ul>{bases}</ul>"
    )
    if left and data.failed is None:
        body += f"<p>Not asked for, and so not in this report:</p><ul>{left}</ul>"
    return Section(anchor="about", link="About this page", title="How to read this", body=body)


def _facts(data: ReportData) -> Iterator[tuple[str, str]]:
    made = data.made or {}
    file = escape(str(data.heading.get("file") or "not stated"))
    digest = f" <small>sha256 {escape(str(made['digest']))}</small>" if made.get("digest") else ""
    yield "Company file", f"<code>{file}</code>{digest}"
    if made.get("version"):
        yield "Made by", f"Tokenergy {escape(str(made['version']))}"
    if made.get("at"):
        yield "Made on", escape(str(made["at"]).replace("T", " ").replace("Z", " UTC"))
    yield "Policy shown", escape(data.policy or "none ran")
    yield "Money", escape(data.currency)
    yield "Series", _series(data)


def _series(data: ReportData) -> str:
    """Return where the series come from: made up, recorded, or each of them with its source."""
    sources = data.heading.get("sources") or {}
    count = len(data.synthetic)
    said = f"{count} made up by a seeded feed" if count else "none is made up"
    if not sources:
        return said
    items = "".join(
        f"<li><code>{escape(str(path))}</code>: {escape(str(source))}</li>"
        for path, source in sources.items()
    )
    return f"{said}; {len(sources)} in all" + folded("Where each comes from", f"<ul>{items}</ul>")


def _left_out(data: ReportData) -> Iterator[str]:
    file = escape(str(data.heading.get("file") or "COMPANY"))
    if data.plan is None:
        yield f"what to build and what to sign: <code>tokenergy report {file} --plan</code>"
    if data.thesis is None:
        yield f"whether the claims hold: <code>tokenergy report {file} --thesis</code>"
    if data.split is None:
        yield f"the saving by part: <code>tokenergy simulate {file} --split</code>"
    yield f"every chart as a picture: <code>tokenergy report {file} --charts FOLDER</code>"

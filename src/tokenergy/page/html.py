"""Pieces of HTML: a table with its scopes, a figure with its words; every text is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from tokenergy.page.number import cell

FEW_COUNT = 2
"""A table of so few columns of figures is no wider than they need."""
Line = tuple[str, Any, Sequence[Any]]
"""What a row of unlike figures is called, how its figures are written, and the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a page: an anchor, a heading, what stands under it, and its charts.

    `part` names the part of the page that it stands in, whose heading is above its own; "" on a
    page without parts.
    """

    anchor: str
    link: str
    title: str
    body: str
    charts: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""

    def html(self) -> str:
        """Return the section; its heading names it for a reader who cannot see it."""
        level = "h3" if self.part else "h2"
        head = f'<{level} id="{self.anchor}-title">{escape(self.title)}</{level}>'
        return (
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-title">'
            f"{head}\n{self.body}\n</section>"
        )


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def figure(name: str, chart: Any, *, words: str, lines: Sequence[tuple[str, str]] = ()) -> str:
    """Return a figure that the page's script fills.

    Args:
        name: of the chart in the page.
        chart: the altair chart; its title and subtitle become the caption.
        words: what the chart shows, for a reader who cannot see it.
        lines: (class of its sample, meaning) of each line that has no legend.
    """
    title, subtitle = chart.title.text, chart.title.subtitle[0]
    samples = "".join(
        f'<span><i class="{escape(kind)}"></i>{escape(meaning)}</span>' for kind, meaning in lines
    )
    key = f'<span class="lines">{samples}</span>' if samples else ""
    return (
        f'<figure data-chart="{escape(name)}"><figcaption>{escape(title)}'
        f'<span class="states">{escape(subtitle)}</span>{key}</figcaption>'
        f'<div class="chart" role="img" aria-label="{escape(words)}"></div></figure>'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: its title, the field it reads, how that is written; `wide` is prose."""

    title: str
    name: str
    write: Any = None
    wide: bool = False


def table(
    caption: str,
    states: str,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    *,
    kinds: Mapping[int, str] | None = None,
) -> str:
    """Return a table whose first column names its rows.

    Args:
        caption: what the table shows.
        states: unit, period, basis, synthetic or real.
        columns: the first is the heading of each row; those without `write` are words.
        rows: what the columns read.
        kinds: CSS class of a row, by its place.
    """
    head = "".join(
        f'<th scope="col"{_words_class(column)}>{escape(column.title)}</th>' for column in columns
    )
    body = []
    for at, row in enumerate(rows):
        kind = (kinds or {}).get(at, "")
        cells = [f'<th scope="row">{escape(str(row[columns[0].name]))}</th>']
        for column in columns[1:]:
            value = row.get(column.name)
            if column.write is None:
                cells.append(f"<td{_words_class(column)}>{escape(str(value))}</td>")
            else:
                cells.append(f"<td>{cell(value, column.write)}</td>")
        opening = f'<tr class="{kind}">' if kind else "<tr>"
        body.append(opening + "".join(cells) + "</tr>")
    return framed(caption, states, f"<tr>{head}</tr>", "\n".join(body))


def lines_table(
    caption: str, states: str, heads: Sequence[str], lines: Sequence[Line], *, shown: str = ""
) -> str:
    """Return a table in which each row has a unit of its own.

    Args:
        caption, states: as in `table`.
        heads: titles of the columns, that of the names first.
        lines: the rows; figures that are text stand as they are.
        shown: name of the row that stands out.
    """
    first, *rest = heads
    head = f'<th scope="col">{escape(first)}</th>' + "".join(
        f'<th scope="col">{escape(title)}</th>' for title in rest
    )
    body = []
    for name, write, figures in lines:
        cells = "".join(
            f"<td>{escape(value) if isinstance(value, str) else cell(value, write)}</td>"
            for value in figures
        )
        opening = '<tr class="shown">' if name == shown else "<tr>"
        body.append(f'{opening}<th scope="row">{escape(name)}</th>{cells}</tr>')
    return framed(
        caption,
        states,
        f"<tr>{head}</tr>",
        "\n".join(body),
        kind="tall" if len(rest) <= FEW_COUNT else "",
    )


def _words_class(column: Column) -> str:
    if column.write is not None:
        return ""
    return ' class="words wide"' if column.wide else ' class="words"'


def framed(caption: str, states: str, head: str, body: str, *, kind: str = "") -> str:
    """Return a table in a frame that scrolls, by keyboard too, where the page is narrow."""
    words = f'{escape(caption)}<span class="states">{escape(states)}</span>'
    opening = f'<table class="{kind}">' if kind else "<table>"
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">{opening}'
        f"<caption>{words}</caption><thead>{head}</thead>\n<tbody>{body}</tbody></table></div>"
    )


def folded(summary: str, body: str) -> str:
    """Return what is there to be opened by who asks."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"

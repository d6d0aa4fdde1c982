"""The way through a page: its parts in the order of reading, and the sections of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Final

from tokenergy.page.html import Section

DAY, PLAN, ECONOMICS = "Day", "Plan", "Economics"
THESIS, SCORECARD, NOTES = "Thesis", "Scorecard", "Notes"
ANSWERS: Final[Mapping[str, str]] = {
    DAY: "What a token costs, where it is made, and what the sites do.",
    PLAN: "What to build, where, and what to sign.",
    ECONOMICS: "Whether it pays: nine panels, the full cost, and the bills behind them.",
    THESIS: "Claims about power and tokens, each held against a threshold.",
    SCORECARD: "What dispatch brings, against what is done today and against the best possible.",
    NOTES: "What was found in the input, and how this page is to be read.",
}
"""The parts of a report in the order of reading, and what each of them answers."""


def of_part(name: str, sections: Sequence[Section]) -> list[Section]:
    """Return the sections as those of a part of the page."""
    return [replace(each, part=name) for each in sections]


def parts_of(sections: Sequence[Section]) -> list[tuple[str, list[Section]]]:
    """Return the parts of a page with their sections, in order; "" for a page without parts."""
    found: dict[str, list[Section]] = {}
    for each in sections:
        found.setdefault(each.part, []).append(each)
    return list(found.items())


def navigation(sections: Sequence[Section]) -> str:
    """Return the links that stay on top: to the parts, or to the sections where there are none."""
    links = [
        (f"#{_anchor(name)}", name) if name else (f"#{each.anchor}", each.link)
        for name, held in parts_of(sections)
        for each in (held[:1] if name else held)
    ]
    items = "".join(f'<li><a href="{to}">{escape(text)}</a></li>' for to, text in links)
    return f'<nav aria-label="Sections"><ul>{items}</ul></nav>'


def body(sections: Sequence[Section]) -> str:
    """Return the sections, each part of the page under its name with links to what is in it."""
    return "\n".join(_body(sections))


def _body(sections: Sequence[Section]) -> Iterator[str]:
    for name, held in parts_of(sections):
        if name:
            yield _band(name, held)
        yield from (each.html() for each in held)


def _band(name: str, held: Sequence[Section]) -> str:
    """Return the head of a part: its name, what it answers, and its sections."""
    links = "".join(f'<li><a href="#{each.anchor}">{escape(each.link)}</a></li>' for each in held)
    answer = f"<p>{escape(ANSWERS[name])}</p>" if name in ANSWERS else ""
    return (
        f'<div class="part" id="{_anchor(name)}"><h2>{escape(name)}</h2>{answer}'
        f'<nav aria-label="{escape(name)}"><ul>{links}</ul></nav></div>'
    )


def _anchor(name: str) -> str:
    return f"part-{name.lower()}"

"""The thesis: each claim with its number, its threshold, and whether it holds."""

from collections.abc import Mapping
from html import escape
from typing import Final

from tokenergy.page.html import Section, folded, framed, paragraph
from tokenergy.page.number import cell, percent, significant
from tokenergy.page.rows import Given

VERDICTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "PASS": ("✓", "PASS", "holds"),
    "FAIL": ("✗", "FAIL", "does not hold"),
    "NOT_APPLICABLE": ("–", "NOT APPLICABLE", "cannot be told yet"),
}
"""By verdict its sign, its word, and the word in a sentence: colour alone says nothing."""
LABELS: Final[Mapping[str, str]] = {
    "identity": "arithmetic: true by construction",
    "sensitivity": "sensitivity: a yes or a no for these inputs",
    "evidence": "evidence: on real series",
}


def claims(thesis: Given) -> Section:
    """Return the claims with their verdicts, most of all those that do not hold.

    Args:
        thesis: `Thesis.to_dict()`.
    """
    lines = "".join(f"<li>{escape(str(line))}</li>" for line in thesis["summary"])
    body = (
        f'<ul class="answer">{lines}</ul>'
        + paragraph(
            "The claims are about companies of the essay and the prices named at the table, not "
            "about the company of this report. Every threshold stands in the source and was set "
            "before the first run; a claim that does not hold is an answer, and stands here like "
            "the others."
        )
        + verdicts_table(thesis)
        + _answers(thesis)
    )
    return Section(anchor="claims", link="Claims", title="Do the claims hold?", body=body)


def verdicts_table(thesis: Given) -> str:
    """Return one row for each claim: number, threshold, verdict, and in how many draws it holds."""
    heads = ("Id", "Claim", "Verdict", "Number", "Threshold", "Holds in draws", "Kind of answer")
    words = {"Claim", "Threshold", "Verdict", "Kind of answer"}
    head = "".join(
        f'<th scope="col"{_words_class(title, words)}>{escape(title)}</th>' for title in heads
    )
    body = "\n".join(_row(result) for result in thesis["results"])
    origin = "synthetic prices" if thesis["synthetic"] else "recorded prices"
    states = (
        f"each in its own unit · {thesis['hours_count']:,} hours of "
        f"{len(thesis['zones'])} zones · {thesis['prices_source']} · seed {thesis['seed']} · "
        f"{origin}"
    )
    return framed("The claims, each held against its threshold", states, f"<tr>{head}</tr>", body)


def _words_class(title: str, words: set[str]) -> str:
    return ' class="words"' if title in words else ""


def _row(result: Given) -> str:
    sign, word, _ = VERDICTS[result["verdict"]]
    number = cell(result["number"], significant)
    if result["number"] is not None:
        number += f" <small>{escape(str(result['unit']))}</small>"
    cells = (
        f'<td class="words wide">{escape(str(result["claim"]))}</td>',
        f'<td class="words"><span class="verdict {word.split()[0].lower()}">'
        f'<span aria-hidden="true">{sign} </span>{word}</span></td>',
        f"<td>{number}</td>",
        f'<td class="words wide">{escape(_signs(str(result["threshold"])))}</td>',
        f"<td>{cell(result['holds_share'], lambda share: percent(share, 0))}</td>",
        f'<td class="words">{escape(str(result["label"]))}</td>',
    )
    return f'<tr><th scope="row">{escape(str(result["id"]))}</th>{"".join(cells)}</tr>'


def _signs(text: str) -> str:
    """Return a threshold with the signs of arithmetic in the place of those of a program."""
    return text.replace(">=", "≥").replace("<=", "≤").replace("+-", "±")


def _answers(thesis: Given) -> str:
    """Return every answer in a sentence or two; those that are no stand open, others folded."""
    noes = [result for result in thesis["results"] if result["verdict"] != "PASS"]
    others = [result for result in thesis["results"] if result["verdict"] == "PASS"]
    body = "".join(map(_answer, noes))
    if others:
        body += folded(f"What the {len(others)} that hold say", "".join(map(_answer, others)))
    kinds = dict.fromkeys(str(result["label"]) for result in thesis["results"])
    told = "; ".join(LABELS[kind] for kind in kinds if kind in LABELS)
    return body + (paragraph(f"{told}.".capitalize()) if told else "")


def _answer(result: Given) -> str:
    _, _, said = VERDICTS[result["verdict"]]
    return (
        f"<p><strong>{escape(str(result['id']))} {said}.</strong> {escape(str(result['says']))}</p>"
    )

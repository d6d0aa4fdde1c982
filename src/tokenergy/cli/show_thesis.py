"""The essay's claims as a table for people, and how a rate is written."""

import math
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from tokenergy.api import Thesis
from tokenergy.api.experimenting import rarely
from tokenergy.cli.columns import console, money_in, percent, put, say
from tokenergy.cli.show import WIDE_COLUMNS
from tokenergy.company.currency import CORE
from tokenergy.errors import InputError
from tokenergy.thesis.result import Result

VERDICTS: Mapping[str, str] = {"NOT_APPLICABLE": "n/a"}
"""Words for the table; the others stand as they are."""
LABELS: Mapping[str, str] = {
    "identity": "arithmetic, true by construction",
    "sensitivity": "a yes or a no for these inputs",
    "evidence": "on real series",
}
OTHERS_WIDTH = 60
"""Of the columns beside claim and threshold, with their gaps."""
NUMBER_WIDTH, NARROW_NUMBER_WIDTH = 18, 14
LEAST_WORDS_WIDTH = 16
STYLES: Mapping[str, str] = {"PASS": "green", "FAIL": "bold red", "NOT_APPLICABLE": "dim"}


def rates(texts: Sequence[str]) -> dict[str, float]:
    """Read rates of exchange such as `DE-LU=1.08`.

    Raises:
        InputError: naming every text that is none, or that states a zone's rate again.
    """
    read: dict[str, float] = {}
    faults = []
    for text in texts:
        zone, _, rate = (part.strip() for part in text.rpartition("="))
        try:
            value = float(rate)
        except ValueError:
            zone = ""
        if not zone or zone in read:
            faults.append(repr(text))
        else:
            read[zone] = value
    if faults:
        raise InputError(
            f"--usd-per {', '.join(faults)}: write ZONE=RATE, each zone once, e.g. DE-LU=1.08"
        )
    return read


def thesis(found: Thesis) -> None:
    """Print where prices are from, the claims, and what the answers mean."""
    money_in(CORE)
    synthetic = "SYNTHETIC prices, so nothing on them is evidence: " if found.synthetic else ""
    say(f"{synthetic}{found.prices.source}", style="bold")
    for warning in found.warnings:
        say(f"warning {warning.code} {warning.path}: {warning.reason}", style="yellow")
    put(
        "The essay's claims, each held against its threshold",
        [_row(result) for result in found.results],
        left=("id", "claim", "label", "number", "threshold", "verdict"),
        right=("draws",),
    )
    for line in _legend(found.results):
        say(line)
    console.print()
    for result in found.results:
        if result.verdict != "PASS" or rarely(result):
            word = VERDICTS.get(result.verdict, result.verdict)
            say(f"{result.id} {word}: {result.says}", style=STYLES[result.verdict])
    for id, finding in found.findings():
        say(
            f"{id} {finding['severity']} {finding['code']} {finding['path']}: {finding['reason']}",
            style="yellow",
        )
    console.print()
    for line in found.lines():
        say(line, style="bold")


def _row(result: Result) -> list[str]:
    width = max(LEAST_WORDS_WIDTH, (console.width - OTHERS_WIDTH) // 2)
    number = "-" if result.number is None else f"{significant(result.number)} {result.unit}"
    return [
        result.id,
        _broken(result.claim, width),
        result.label,
        _broken(number, NUMBER_WIDTH if console.width >= WIDE_COLUMNS else NARROW_NUMBER_WIDTH),
        _broken(result.threshold, width),
        VERDICTS.get(result.verdict, result.verdict),
        percent(result.holds_share, 0),
    ]


def significant(number: float) -> str:
    """Return a number with three digits that mean something, and thousands apart."""
    if number == 0.0 or not math.isfinite(number):
        return f"{number:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:,.{decimals}f}"


def _broken(text: str, width: int) -> str:
    """Break a text between words."""
    return "\n".join(wrap(text, width, break_long_words=False, break_on_hyphens=False))


def _legend(results: Sequence[Result]) -> Iterator[str]:
    """Yield what the words of the table mean, for those that stand in it."""
    labels = {result.label for result in results}
    said = "; ".join(f"{label}: {text}" for label, text in LABELS.items() if label in labels)
    yield said
    counts = {result.draws_count for result in results if result.draws_count is not None}
    if counts:
        most = f"{max(counts):,}"
        yield f"draws: part of {most} draws of inputs from their ranges in which the claim holds"

"""Tables and sentences for a terminal: nothing is cut off, no word is broken, no zeros in a row."""

import math
import os
import sys
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tokenergy.company.currency import CORE, in_currency

PLAIN_WIDTH: Final = 120
"""Columns of a table that goes to a file or a pipe, where nobody says how wide it is."""
DECIMALS_LEAST, DECIMALS_MOST = 2, 6
EMPTY: Final = frozenset({"", "0", "-"})
"""Cells that say nothing: a column of them alone is left out."""


def width_to_fill() -> int | None:
    """Return the width to fill; None lets the terminal, or COLUMNS, say it."""
    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return None if told else PLAIN_WIDTH


class Printed(Console):
    """A console whose reader may leave before the end."""

    def on_broken_pipe(self) -> None:
        """Let the command end as with every other output that nobody reads."""
        raise  # noqa: PLE0704  # rich calls this while it handles the error


console = Printed(highlight=False, width=width_to_fill())


_MONEY: Final = {"currency": CORE}
"""What the amounts of the company that is shown are in."""


def money_in(currency: str) -> None:
    """Tell amounts in this money from now on, wherever the core says USD for the company's own."""
    _MONEY["currency"] = currency


def say(text: str, *, style: str = "", indent: int = 0, as_is: bool = False) -> None:
    """Print a sentence, broken between words at the width of the terminal, whole in a pipe.

    `as_is`: its USD are USD, as in a finding that compares currencies.
    """
    if not as_is:
        text = in_currency(text, _MONEY["currency"])
    lines = [text]
    if width_to_fill() is None:
        lines = wrap(
            text, console.width - indent, break_long_words=False, break_on_hyphens=False
        ) or [""]
    for line in lines:
        console.print(" " * indent + line, style=style, soft_wrap=True, markup=False)


def put(
    title: str,
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[str],
    right: Sequence[str],
) -> None:
    """Print a table: words stand left, figures right; columns of nothing but zeros are left out.

    Args:
        title: what the figures are, with their unit.
        rows: cells, those of `left` first; a row with cells only there heads those after it.
        left: names of the columns of words.
        right: names of the columns of figures.
    """
    if title:
        say(title, style="bold")
    names = [in_currency(name, _MONEY["currency"]) for name in (*left, *right)]
    shown = [
        at
        for at in range(len(names))
        if at < len(left) or any(row[at] not in EMPTY for row in rows if len(row) > at)
    ]
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for at in shown:
        made.add_column(
            Text(names[at]),
            justify="left" if at < len(left) else "right",
            no_wrap=True,
            min_width=_longest([names[at], *(row[at] for row in rows if len(row) > at)]),
        )
    for row in rows:
        made.add_row(*(Text(row[at]) if at < len(row) else "" for at in shown))
    _fit(made)
    console.print(made, crop=False, soft_wrap=False)


def _longest(cells: Iterable[str]) -> int:
    return max(cell_len(line) for cell in cells for line in cell.split("\n"))


def _fit(table: Table) -> None:
    """Set columns closer if the terminal is narrow; make the table wider rather than cut it."""
    boundless = console.options.update(max_width=10_000)
    for gap_count in (2, 1, 0):
        table.padding = (0, gap_count, 0, 0)
        least = table.__rich_measure__(console, boundless).minimum
        if least <= console.width:
            return
    table.width = least


def decimals_for(prices: Iterable[float]) -> int:
    """Return decimals with which the smallest price still has two digits that mean something."""
    sizes = [abs(price) for price in prices if abs(price) > 1e-9]
    if not sizes:
        return DECIMALS_LEAST
    wanted = 1 - math.floor(math.log10(min(sizes)))
    return max(DECIMALS_LEAST, min(DECIMALS_MOST, wanted))


def figure(value: float | None, decimals: int) -> str:
    """Return a number with thousands apart; what would round to nothing is 0, never -0."""
    if value is None:
        return "-"
    text = f"{value:,.{decimals}f}"
    return text if text.strip("-0.,") else "0"


def percent(share: float | None, decimals: int = 2) -> str:
    """Return a share as per cent; what lies far below zero is only told to be so."""
    if share is None:
        return "-"
    return f"{share:z.{decimals}%}" if share >= -1.0 else "< -100%"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the right form."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

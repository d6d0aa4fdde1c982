"""A text in a CSV cell that no spreadsheet takes for a formula, and back again.

A name out of a log may begin like `=HYPERLINK(...)`, and a spreadsheet would run it. A single
quote before it makes it text everywhere; our own reading takes the quote off again.
"""

from typing import Final

QUOTE: Final = "'"
_BEGINNINGS: Final = ("=", "+", "-", "@", "\t", "\r")


def plain_cell(text: str) -> str:
    """Return a text with a quote before it where a spreadsheet would compute it."""
    begins = text.lstrip(QUOTE) if text.startswith(QUOTE) else text
    return QUOTE + text if begins.startswith(_BEGINNINGS) else text


def text_of_cell(cell: str) -> str:
    """Return the text that `plain_cell` made a cell of."""
    plain = cell.startswith(QUOTE) and cell.lstrip(QUOTE).startswith(_BEGINNINGS)
    return cell[1:] if plain else cell

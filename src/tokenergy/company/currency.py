"""The company's own money in a sentence: the core says USD for it, its reader is told its name."""

import re
from collections.abc import Mapping
from typing import Any, Final

CORE: Final = "USD"
_WORD: Final = re.compile(rf"\b{CORE}\b")


def in_currency(text: str, currency: str) -> str:
    """Return a sentence of the core in the money of the company."""
    return text if currency == CORE else _WORD.sub(currency, text)


def all_in_currency(value: Any, currency: str) -> Any:
    """Return a JSON-ready value whose sentences are in the money of the company; keys stay."""
    if isinstance(value, str):
        return in_currency(value, currency)
    if isinstance(value, Mapping):
        return {key: all_in_currency(inner, currency) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [all_in_currency(inner, currency) for inner in value]
    return value

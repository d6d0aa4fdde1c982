"""The basis of a cost per Mtok: without it the figure says nothing, and is refused."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.errors import UnexpectedError

BASES: Final = ("marginal", "usage", "allocation", "full", "price")
"""What one more Mtok costs; what the tokens used; all that is paid, over them (two words); what
the user pays (economics sheet, sections 1 and 2)."""

_PER_MTOK: Final = re.compile(r"(?:\b[A-Z]{3}|\$) ?(?:/|per) ?Mtok\b|usd_per_mtok")
_WORDS: Final = re.compile(r"[a-z]+")


def is_per_mtok(text: str) -> bool:
    """Tell whether a unit, a heading or a key speaks of money per Mtok."""
    return _PER_MTOK.search(text) is not None


def bases_in(text: str) -> tuple[str, ...]:
    """Return the bases that a text names, as words of their own."""
    words = set(_WORDS.findall(text.lower()))
    return tuple(basis for basis in BASES if basis in words)


def state_basis(unit: str, basis: str) -> str:
    """Return the basis of a figure, after seeing that a figure per Mtok has one.

    Raises:
        UnexpectedError: if the unit is money per Mtok and `basis` names none of `BASES`: a
            fault of ours, who write both.
    """
    if is_per_mtok(unit) and not bases_in(basis):
        raise UnexpectedError(
            f"BASIS_UNSTATED: a figure in {unit} states {basis!r}, which names none of "
            f"{', '.join(BASES)}"
        )
    return basis


def refuse_unstated(figures: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return `BASIS_UNSTATED` for each key per Mtok that says nowhere which cost it is.

    Args:
        figures: JSON-ready; a basis stands in the key itself, in a key around it, or as the
            text of a key `basis` beside it or around it.
    """
    return tuple(
        Finding(
            code="BASIS_UNSTATED",
            path=path,
            limit=", ".join(BASES),
            unit="USD/Mtok",
            reason="a cost per Mtok that does not say which cost it is",
            remedy="Put the basis into the key, or a key `basis` beside it",
        )
        for path in _unstated(figures, "", stated=False)
    )


def _unstated(value: Any, path: str, *, stated: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        stated = stated or bool(bases_in(str(value.get("basis", ""))))
        for key, inner in value.items():
            place = f"{path}.{key}" if path else str(key)
            known = stated or bool(bases_in(str(key)))
            if is_per_mtok(str(key)) and not known:
                yield place
            else:
                yield from _unstated(inner, place, stated=known)
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from _unstated(inner, f"{path}[{position}]", stated=stated)

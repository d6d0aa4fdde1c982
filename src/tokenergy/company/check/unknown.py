"""A name that finds nothing: what is told about it."""

from collections.abc import Sequence

from tokenergy.company.finding import Finding
from tokenergy.company.noun import nearest_names


def unknown_name(path: str, noun: str, name: str, known: Sequence[str]) -> Finding:
    """Return the finding that there is no such thing, with the names that come nearest."""
    near = nearest_names(name, known)
    remedy = (
        "Did you mean " + ", ".join(repr(hit) for hit in near) + "?"
        if near
        else f"Known are {', '.join(sorted(known)) or 'none'}"
    )
    return Finding(
        code="UNKNOWN_NAME",
        path=path,
        value=name,
        reason=f"there is no {noun} called {name!r}",
        remedy=remedy,
    )

"""A vendor's library of boards: imported late, refused in plain words where it is missing."""

from importlib import import_module
from typing import Any

from tokenergy.company.refusal import refuse


def library_of(name: str, *, path: str, install: str) -> Any:
    """Return a module that is no dependency of ours.

    Args:
        name: of the module.
        path: of the meter in the company file.
        install: what to do to have it, as a sentence.

    Raises:
        FindingsError: METER_LIBRARY_MISSING.
    """
    try:
        return import_module(name)
    except (ImportError, OSError, KeyError) as error:
        # amdsmi loads its C library while it is imported: OSError without it, and KeyError where
        # it looks for ROCm's folder in the environment
        refuse(
            "METER_LIBRARY_MISSING",
            path=path,
            value=name,
            reason=f"the library {name!r} cannot be imported here "
            f"({type(error).__name__}: {str(error)[:120]})",
            remedy=install,
        )


def said(error: Exception) -> str:
    """Return what a library's error says, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]

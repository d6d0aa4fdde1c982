"""Whether a place can be written to: found out before a minute of work, not after it."""

import tempfile
from pathlib import Path
from typing import Final

from tokenergy.errors import InputError

REPORT: Final = b"<!doctype html"
"""How a report begins: an older one may be replaced, nothing else may."""
SCHEMA: Final = b'{\n  "$schema"'
"""How a schema that we wrote begins."""


def refuse_unwritable(out: Path, *, replaces: bytes | None = None) -> None:
    """Refuse a file that could not be written, or that would replace something of another kind.

    Args:
        out: the file to be written, in a folder that exists.
        replaces: how a file begins that may be replaced; None: nothing may.

    Raises:
        InputError: saying what is in the way.
    """
    if out.is_dir():
        raise InputError(f"cannot write {out}: it is a folder; name a file in it")
    if not out.parent.is_dir():
        raise InputError(f"cannot write {out}: there is no folder {out.parent}; make it first")
    if out.exists() and not _begins(out, replaces):
        raise InputError(f"{out} exists already: choose another name, or remove it first")
    _try_folder(out.parent, out)


def refuse_no_ledger(file: Path) -> None:
    """Refuse a ledger that could not be opened or made; what is missing is not made yet.

    Raises:
        InputError: saying what is in the way.
    """
    from tokenergy.store.sqlite import SqliteLedger

    if file.is_dir():
        raise InputError(f"ledger {file}: it is a folder; name a file in it")
    if file.exists():
        with SqliteLedger(file):
            return
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    _try_folder(folder, file)


def _begins(file: Path, beginning: bytes | None) -> bool:
    if beginning is None or not file.is_file():
        return False
    try:
        with file.open("rb") as held:
            return held.read(len(beginning)).lower() == beginning.lower()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error


def _try_folder(folder: Path, file: Path) -> None:
    """Make a file without a name in a folder, and let go of it."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise InputError(f"cannot write {file}: {folder}: {error.strerror or error}") from error

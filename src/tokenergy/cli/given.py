"""What the command line was given: times, names, ledgers and files to write."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tokenergy.errors import InputError


def default_ledger(company: Path) -> Path:
    """Return where a company's ledger lives when nobody says otherwise."""
    return Path(".tokenergy") / f"{company.stem}.sqlite"


def default_data(company: Path) -> Path:
    """Return the folder of a company's gateway where nobody says otherwise."""
    return Path(".tokenergy") / "serve" / company.stem


def usage_of(company: Path, named: Path | None) -> Path | None:
    """Return the ledger to read users from: the one that was named, or the company's own, if any.

    Raises:
        InputError: if the named one is no file.
    """
    if named is not None and named.is_dir():
        raise InputError(f"{named} is a folder: name the SQLite file of a ledger")
    if named is not None and not named.is_file():
        raise InputError(f"there is no ledger {named}; `serve` and `observe` write one")
    own = default_ledger(company)
    return named or (own if own.is_file() else None)


def moment(text: str | None) -> datetime | None:
    """Read a time stamp with a zone.

    Raises:
        InputError: if it is not ISO 8601, or has no zone.
    """
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not a time: write e.g. 2026-03-02T18:00Z") from None
    if value.tzinfo is None:
        raise InputError(f"the time {text!r} has no zone: write e.g. {value.isoformat()}Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InputError(f"the time {text!r} lies outside the calendar") from None


def one_of(word: str, known: Sequence[str], noun: str) -> None:
    """Refuse a word that is none of those that are known.

    Raises:
        InputError: naming the nearest, and all of them.
    """
    if word not in known:
        from difflib import get_close_matches

        near = get_close_matches(word, known, n=1)
        meant = f": did you mean {near[0]!r}?" if near else "."
        raise InputError(f"there is no {noun} {word!r}{meant} There are {', '.join(known)}")


def names(text: str | None) -> list[str] | None:
    """Return the names of a comma-separated list."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def some_names(text: str | None, option: str) -> list[str] | None:
    """Return the names of a comma-separated list that an option was given.

    Raises:
        InputError: if it was given and names nothing: that is not the same as leaving it out.
    """
    found = names(text)
    if found is not None and not found:
        raise InputError(f"{option} {text!r} names nothing: name one or more, or leave it out")
    return found


@contextmanager
def report_of(company: Path, out: Path | None) -> Iterator[Path]:
    """Give the file of a report; where nobody named it, its folder is made, and kept if used.

    Raises:
        InputError: if the folder cannot be made.
    """
    if out is not None:
        yield out
        return
    folder = Path("out")
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    try:
        yield folder / f"{company.stem}.html"
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()

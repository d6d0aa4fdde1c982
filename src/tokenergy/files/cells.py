"""What the cells of one row say: counts, amounts, moments, words; what cannot be is refused."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.company.zones import known_zones
from tokenergy.files.key_hash import looks_like_key, shown
from tokenergy.files.plain_cell import text_of_cell
from tokenergy.files.refused import RowRefused

Mark = Literal[".", ","]
"""What parts the whole from its decimals."""

COUNT_MOST: Final = 10**15
"""Tokens of one row: above what every accelerator ever made could give in a month."""
AMOUNT_MOST: Final = Decimal(10) ** 12
EARLIEST: Final = datetime(2015, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Stamps outside are slips of a date; an end of "never" is written 9999."""
SECONDS_LEAST: Final = 10**9
MILLISECONDS_LEAST: Final = 10**12
"""Whole numbers from here on are milliseconds since 1970, below seconds."""

_PARTED: Final = re.compile(
    r"[+-]?[1-9]\d{0,2}(?P<by>[.,' ])\d{3}(?:(?P=by)\d{3})*(?P<rest>[.,]\d+)?"
)
_ONCE: Final = re.compile(r"[+-]?\d*(?P<mark>[.,])\d+")
_AMBIGUOUS: Final = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_SPACES: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2019": "'", "\u2212": "-"})
_TRUE: Final = {"true", "t", "1", "yes"}
_FALSE: Final = {"false", "f", "0", "no", "none", "null", ""}


def mark_of(texts: Iterable[str]) -> Mark | None:
    """Return the decimal mark that the cells of a file show, or None where none does, or both.

    `1,5` shows a comma, and so do `1.234,5` and `1.234.567`; `1,234` may be either.
    """
    seen: set[Mark] = set()
    for text in texts:
        if "." not in text and "," not in text:
            continue
        told = _mark(text.strip().translate(_SPACES))
        if told:
            seen.add(told)
        if len(seen) == 2:
            return None
    return seen.pop() if seen else None


def _mark(text: str) -> Mark | None:
    """Return the decimal mark that one cell shows."""
    if _AMBIGUOUS.fullmatch(text):
        return None
    if found := _PARTED.fullmatch(text):
        by, rest = found["by"], found["rest"]
        if rest:
            return "," if rest[0] == "," else "."
        return None if by not in ".," else ("," if by == "." else ".")
    if found := _ONCE.fullmatch(text):
        return "," if found["mark"] == "," else "."
    return None


def number_of(cell: object, name: str, mark: Mark | None) -> Decimal:
    """Return a cell as a number, exactly as it is written.

    Raises:
        RowRefused: if it is none, or may be two.
    """
    if isinstance(cell, bool) or cell is None:
        raise RowRefused("BAD_NUMBER", f"{name} is {shown(cell)}, not a number")
    if isinstance(cell, int | Decimal):
        return Decimal(cell)
    text = str(cell).strip().translate(_SPACES)
    if isinstance(cell, float) or not text.strip("+-0123456789"):
        return _decimal(text, name)
    if mark is None and _AMBIGUOUS.fullmatch(text):
        raise RowRefused(
            "AMBIGUOUS_NUMBER",
            f"{name} is {text}: a thousand times too much or too little, as nothing in the file "
            "shows which mark parts decimals; state the decimal mark (--decimal)",
        )
    own = mark or _mark(text) or "."
    parts = "," if own == "." else "."
    if found := _PARTED.fullmatch(text):
        by, rest = found["by"], found["rest"] or ""
        if by != own and (not rest or rest[0] == own):
            bare = text[: len(text) - len(rest)].replace(by, "")
            return _decimal(bare + rest.replace(own, "."), name)
    if parts in text:
        raise RowRefused("BAD_NUMBER", f"{name} is {shown(cell)}, not a number")
    return _decimal(text.replace(own, "."), name)


def _decimal(text: str, name: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise RowRefused("BAD_NUMBER", f"{name} is {shown(text)}, not a number")
    return value


@lru_cache(maxsize=8_192)
def moment_of(text: str, zone: ZoneInfo | None) -> datetime:
    """Return a stamp in UTC: ISO 8601, or seconds or milliseconds since 1970.

    Raises:
        RowRefused: if it is none, or has no zone and none is stated, or names an hour that the
            clocks of its zone show twice or never.
    """
    if text.isascii() and text.isdigit() and len(text) >= 10:
        number = int(text[:20])
        if number >= 10 * MILLISECONDS_LEAST:
            raise RowRefused("BAD_STAMP", f"the stamp {shown(text)} lies outside the calendar")
        seconds, rest = divmod(number, 1_000) if number >= MILLISECONDS_LEAST else (number, 0)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, milliseconds=rest)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        reason = f"the stamp is {shown(text)}; write ISO form, like 2026-03-02T00:00Z"
        raise RowRefused("BAD_STAMP", reason) from None
    try:
        return when.astimezone(UTC) if when.tzinfo else _local(when, zone)
    except OverflowError:
        raise RowRefused("BAD_STAMP", f"the stamp {text} lies outside the calendar") from None


def _local(when: datetime, zone: ZoneInfo | None) -> datetime:
    if zone is None:
        reason = f"the stamp {when.isoformat()} has no zone; state the file's (--time-zone)"
        raise RowRefused("NAIVE_TIMESTAMP", reason)
    first, second = when.replace(tzinfo=zone), when.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    skipped = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != when
    word = "never" if skipped else "twice"
    reason = f"the clocks of {zone.key} show {when.isoformat()} {word}; write its offset"
    raise RowRefused("STAMP_NOT_IN_ZONE" if skipped else "STAMP_TWICE", reason)


def zone_named(name: str | None) -> ZoneInfo | None:
    """Return the zone that stamps without one are in.

    Raises:
        FindingsError: if there is no such zone.
    """
    if name is None:
        return None
    if name not in known_zones():
        refuse(
            "ZONE_UNKNOWN",
            path="time_zone",
            value=name,
            reason=f"{name!r} is no IANA time zone",
            remedy=f"Nearest: {', '.join(nearest_names(name, known_zones())) or 'none'}",
        )
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, asked for by the names that a column may have.

    Each answer is None where no such column has anything in it.
    """

    cells: Mapping[str, Any]
    mark: Mark | None
    zone: ZoneInfo | None

    def cell(self, *names: str) -> Any:
        """Return the first cell under these names that is not empty."""
        for name in names:
            value = self.cells.get(name)
            if value is not None and value != "":
                return value
        return None

    def word(self, *names: str) -> str:
        """Return a text without spaces around it, "" where there is none."""
        value = self.cell(*names)
        return "" if value is None else text_of_cell(str(value).strip())

    def name(self, *names: str) -> str:
        """Return a name that is shown as it is, so it may be no key.

        Raises:
            RowRefused: if it looks like one: the columns have moved.
        """
        text = self.word(*names)
        if looks_like_key(text) and not _is_model(text):
            raise RowRefused("KEY_IN_NAME", f"{names[0]} holds what looks like a key")
        return text

    def count(self, *names: str) -> int | None:
        """Return a whole number from 0 to `COUNT_MOST`."""
        value = self.cell(*names)
        if value is None:
            return None
        if type(value) is int:
            count = value
        elif isinstance(value, str) and value.isascii() and value.isdigit():
            count = int(value) if len(value) < 30 else COUNT_MOST + 1
        else:
            number = number_of(value, names[0], self.mark)
            if abs(number) > COUNT_MOST:
                raise RowRefused("ABSURD_COUNT", f"{names[0]} is beyond {COUNT_MOST:,}")
            if number != number.to_integral_value():
                reason = f"{names[0]} is {shown(value)}, not a whole number"
                raise RowRefused("BAD_COUNT", reason)
            if isinstance(value, str) and "e" in value.lower():
                reason = f"{names[0]} is {shown(value)}: its digits were rounded away"
                raise RowRefused("BAD_COUNT", reason)
            count = int(number)
        if count < 0:
            raise RowRefused("NEGATIVE_COUNT", f"{names[0]} is {count}, below 0")
        if count > COUNT_MOST:
            raise RowRefused("ABSURD_COUNT", f"{names[0]} is beyond {COUNT_MOST:,}")
        return count

    def amount(self, *names: str) -> Decimal | None:
        """Return a number, of either sign, exactly as it is written."""
        value = self.cell(*names)
        if value is None or not str(value).strip():
            return None
        number = number_of(value, names[0], self.mark)
        if abs(number) > AMOUNT_MOST:
            raise RowRefused("ABSURD_AMOUNT", f"{names[0]} is beyond {AMOUNT_MOST:,}")
        return number

    def flag(self, *names: str) -> bool | None:
        """Return a yes or no; an empty cell is None."""
        value = self.cell(*names)
        if value is None or isinstance(value, bool):
            return value
        text = str(value).strip().lower().removesuffix(".0")
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise RowRefused("BAD_FLAG", f"{names[0]} is {shown(value)}; write true or false")

    def moment(self, *names: str) -> datetime | None:
        """Return a moment in UTC, from 2015 to 2199."""
        value = self.cell(*names)
        if value is None:
            return None
        if isinstance(value, date):  # a datetime is one too
            value = value.isoformat()
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        when = moment_of(str(value).strip(), self.zone)
        if not EARLIEST <= when < LATEST:
            reason = f"{names[0]} is {when:%Y-%m-%d}, not from {EARLIEST:%Y} to {LATEST.year - 1}"
            raise RowRefused("BAD_STAMP", reason)
        return when


def _is_model(text: str) -> bool:
    """Tell whether a name that has an @ or a long word is still no key: a path of a model."""
    return "/" in text and "@" not in text and not re.search(r"\b[sprk]k-", text)

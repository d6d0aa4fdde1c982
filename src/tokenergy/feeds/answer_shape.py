"""What an answer must hold: a field of the right kind, a number or nothing, a moment in UTC."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypeVar

from tokenergy.company.refusal import refuse

Kind = TypeVar("Kind")

YEARS: Final = range(1900, 2200)
"""Years of power prices and weather; outside them a stamp is a slip."""

_WORDS: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    bool: "true or false",
}


def part(holder: Any, name: str, kind: type[Kind], *, path: str) -> Kind:
    """Return the field `name` of a JSON object.

    Raises:
        FindingsError: FEED_SHAPE, if it is not there or of another kind.
    """
    value = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    held = sorted(holder)[:12] if isinstance(holder, dict) else type(holder).__name__
    refuse(
        "FEED_SHAPE",
        path=f"{path} {name}",
        value=f"{held}" if value is None else f"{value!r}"[:80],
        reason=f"the answer has no {name!r} that is {_WORDS.get(kind, kind.__name__)}",
        remedy="The service may have changed its answers: look at it in a browser, and tell us",
    )


def number(value: Any, *, path: str, missing: tuple[str, ...] = ("",)) -> float | None:
    """Return a finite number, or None where the source writes that it has none.

    Args:
        value: a JSON number, null, or the text of a cell.
        path: where it stands.
        missing: the texts that stand for no value.

    Raises:
        FindingsError: FEED_NOT_A_NUMBER.
    """
    if value is None or (isinstance(value, str) and value.strip() in missing):
        return None
    try:
        slips = isinstance(value, bool) or (isinstance(value, str) and "_" in value)
        read = math.inf if slips else float(value)
    except (TypeError, ValueError, OverflowError):
        read = math.inf
    if math.isnan(read):
        return None
    if math.isinf(read):
        refuse(
            "FEED_NOT_A_NUMBER",
            path=path,
            value=f"{value!r}"[:80],
            reason="the answer has something else where a number should stand",
            remedy="Ask for another span; if it stays, the service has changed its answers",
        )
    return read


def moment(value: Any, *, path: str, zone_h: float | None = None) -> datetime:
    """Return an ISO 8601 moment in UTC.

    Args:
        value: the text.
        path: where it stands.
        zone_h: hours ahead of UTC of a text without an offset; None refuses such a text.

    Raises:
        FindingsError: FEED_BAD_STAMP.
    """
    try:
        read = datetime.fromisoformat(value)
        if read.tzinfo is None and zone_h is not None:
            read = read.replace(tzinfo=timezone(timedelta(hours=zone_h)))
        if read.tzinfo is not None and read.year in YEARS:
            return read.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    refuse(
        "FEED_BAD_STAMP",
        path=path,
        value=f"{value!r}"[:80],
        limit=f"{YEARS.start} to {YEARS.stop - 1}",
        unit="years",
        reason="the answer has no moment, or one without its offset from UTC, as a time stamp",
        remedy="Ask for another span; if it stays, the service has changed its answers",
    )

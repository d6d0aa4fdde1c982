"""The base of everything that a company file can say."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

NAME_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class Noun(BaseModel):
    """Frozen, and closed: a key that nobody reads is an error, never ignored.

    The text below a field is its description in the schema: `files.field_texts` reads it.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
    )


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A time stamp with a zone, kept in UTC; a naive one is an error."""

Name = Annotated[str, Field(pattern=NAME_PATTERN.pattern, max_length=64)]
"""Letters, digits, `.`, `_` and `-`: names appear in ledgers, metrics and file names."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
LatitudeDeg = Annotated[float, Field(ge=-90.0, le=90.0)]
LongitudeDeg = Annotated[float, Field(ge=-180.0, le=180.0)]


def midnight_utc(day: date) -> datetime:
    """Return the first moment of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def nearest_names(name: str, known: Iterable[str], *, count: int = 3) -> tuple[str, ...]:
    """Return the known names that look most like `name`, best first."""
    from difflib import get_close_matches

    by_lower = {item.lower(): item for item in known}
    hits = get_close_matches(name.lower(), list(by_lower), n=count, cutoff=0.4)
    return tuple(by_lower[hit] for hit in hits)

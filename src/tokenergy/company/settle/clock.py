"""Local dates: terms, contract years, overlaps, and the intervals that a meter averages over."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple, Protocol

from tokenergy.company.settle.meter import Span

_HOUR = timedelta(hours=1)
_US_PER_HOUR = 3_600_000_000


class HasTerm(Protocol):
    """What begins and ends: a contract, a tariff."""

    @property
    def start(self) -> date | None:
        """First day."""
        ...

    @property
    def end(self) -> date | None:
        """First day after."""
        ...


def in_term(owner: HasTerm, span: Span) -> bool:
    """Tell whether an interval is within a term: `[start, end)` in local days of its start."""
    day = span.local.date()
    if owner.start is not None and day < owner.start:
        return False
    return owner.end is None or day < owner.end


def anniversary(start: date, years: int) -> date:
    """Return the same day that many years later; of 29 February it is 1 March."""
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return date(start.year + years, 3, 1)


def full_years(start: date | None, day: date) -> int:
    """Return the full contract years by a day; a contract without a start has none."""
    if start is None or day < start:
        return 0
    years = day.year - start.year
    return years if anniversary(start, years) <= day else years - 1


def overlap_h(span: Span, start: datetime, end: datetime) -> float:
    """Return the hours of an interval that lie in `[start, end)`."""
    within = min(span.end, end) - max(span.start, start)
    return max(0.0, within / _HOUR)


class Part(NamedTuple):
    """The part of an interval that lies in one interval of a meter.

    Attributes:
        local: its start on the contract's clock.
        length_h: its length.
        opens, closes: whether the meter's interval begins, and ends, with it.
    """

    local: datetime
    length_h: float
    opens: bool
    closes: bool


def meter_parts(span: Span, every_h: float) -> Iterator[Part]:
    """Cut an interval where a meter that averages over `every_h` begins anew.

    The meter's intervals are aligned to the local hour and are a whole part of it; so they are
    in hours that a clock change repeats.
    """
    parts_count = round(1.0 / every_h)
    at = span.start
    while at < span.end:
        local = at.astimezone(span.local.tzinfo)
        into_us = (local.minute * 60 + local.second) * 1_000_000 + local.microsecond
        number = into_us * parts_count // _US_PER_HOUR
        begun_us, due_us = _due_us(number, parts_count), _due_us(number + 1, parts_count)
        due = at + timedelta(microseconds=due_us - into_us)
        until = min(due, span.end)
        yield Part(local, (until - at) / _HOUR, begun_us == into_us, until == due)
        at = until


def _due_us(number: int, parts_count: int) -> int:
    """Return where part `number` of an hour begins, rounded up to a microsecond."""
    return -(-number * _US_PER_HOUR // parts_count)

"""What a feed is asked, and what it answers: a series with its unit, its source and its holes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse

FeedQuantity = Literal[
    "day_ahead_price", "real_time_price", "carbon", "temperature", "wind", "solar", "load"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A span of one quantity of one zone, `[start, end)` in UTC."""

    zone: str
    quantity: FeedQuantity
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """One interval: `[start, start + step)` in UTC; value None where the source has none.

    Attributes:
        published_at: when the source published the value; None where it does not say.
        revision: the source's number of this version of the value; None likewise.
    """

    start: datetime
    step: timedelta
    value: float | None
    published_at: datetime | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSeries:
    """What a feed answered, in order of time, each interval once.

    Attributes:
        feed, zone, quantity: what was asked, of whom.
        unit: unit of the values, e.g. `EUR/MWh`, `gCO2/kWh`, `degC`, `share`.
        column: name of the value's column in a written table, unit included, e.g.
            `day_ahead_price_eur_per_mwh`.
        rows: the intervals.
        source: what to cite: the service, and the address without any key.
        fetched_at: when it was read (or read into the cache).
        from_cache: whether the answer came from the disk.
        findings: gaps, doubled hours, revisions, staleness.
    """

    feed: str
    zone: str
    quantity: FeedQuantity
    unit: str
    column: str
    rows: tuple[FeedRow, ...]
    source: str
    fetched_at: datetime
    from_cache: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """What findings and a terminal call it: feed, zone, quantity."""
        return series_name(self.feed, self.zone, self.quantity)


def series_name(feed: str, zone: str, quantity: str) -> str:
    """Return what a series is called; the feed `table` may have no zone."""
    return " ".join(filter(None, (feed, zone, quantity)))


class Feed(Protocol):
    """A source of series; one class each, made with an `Http` and, where needed, a key."""

    name: str
    quantities: tuple[FeedQuantity, ...]

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return the series asked for.

        Raises:
            InputError: if the source cannot be reached, refuses, or answers what is no series.
        """
        ...


def check_quantity(quantity: str, *, feed: str, known: tuple[str, ...]) -> None:
    """Refuse a quantity that a feed does not give.

    Raises:
        FindingsError: FEED_NO_QUANTITY.
    """
    if quantity not in known:
        refuse(
            "FEED_NO_QUANTITY",
            path="quantity",
            value=quantity,
            reason=f"{feed} gives no {quantity} here",
            remedy=f"Ask for one of {', '.join(known)}",
        )

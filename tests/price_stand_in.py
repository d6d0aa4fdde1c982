"""A stand-in of Energy-Charts with prices of its own, for the examples of pages."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from feed_server import Asked, FeedServer, Told, energy_charts

HOUR = timedelta(hours=1)


@contextmanager
def price_stand_in() -> Iterator[str]:
    """Serve until the block ends; gives the base address."""
    with FeedServer() as server:
        server.say("/price", _tell)
        yield server.url


def _tell(asked: Asked) -> Told:
    """Answer whatever span is asked: a wave of a day and a slower one, made up."""
    start, end = (datetime.fromisoformat(asked.query[name]) for name in ("start", "end"))
    count = (end - start) // HOUR + 1
    values = {start + at * HOUR: _eur_per_mwh(start + at * HOUR) for at in range(count)}
    return energy_charts(values)(asked)


def _eur_per_mwh(moment: datetime) -> float:
    hour = moment.timestamp() / 3600.0
    daily, slow = math.cos(2.0 * math.pi * hour / 24.0), math.cos(2.0 * math.pi * hour / 171.0)
    return round(70.0 + 25.0 * daily + 10.0 * slow, 2)

"""The names of the world's time zones."""

from functools import cache
from zoneinfo import available_timezones


@cache
def known_zones() -> frozenset[str]:
    """Return the names of all IANA time zones.

    They are looked up once: that walks through a tree of folders, for longer than a company file
    takes to read.
    """
    return frozenset(available_timezones())

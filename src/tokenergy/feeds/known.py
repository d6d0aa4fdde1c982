"""The feeds by name, and how each is made; the only place that reads keys from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol, cast

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.feeds.http import Http
from tokenergy.feeds.series import Feed, FeedQuantity
from tokenergy.feeds.table_url import TableMapping, TableUrl

TABLE: Final = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFeed:
    """How a feed is made, and what of it is asked where nobody says.

    Attributes:
        module, class_name: where its class is; imported when it is first asked for.
        key_name: the variable of the environment with its key; "" where it needs none.
        quantity: what is meant where no quantity is named.
        example: a zone in the feed's own words.
    """

    module: str
    class_name: str
    quantity: FeedQuantity
    key_name: str = ""
    example: str = ""


KNOWN: Final[Mapping[str, KnownFeed]] = MappingProxyType(
    {
        "energy-charts": KnownFeed(
            module="energy_charts",
            class_name="EnergyCharts",
            quantity="day_ahead_price",
            example="DE-LU",
        ),
        "entsoe": KnownFeed(
            module="entsoe",
            class_name="Entsoe",
            quantity="day_ahead_price",
            key_name="ENTSOE_API_KEY",
            example="DE-LU",
        ),
        "gridstatus": KnownFeed(
            module="gridstatus",
            class_name="Gridstatus",
            quantity="day_ahead_price",
            key_name="GRIDSTATUS_API_KEY",
            example="ercot/HB_WEST",
        ),
        "aemo": KnownFeed(
            module="aemo", class_name="Aemo", quantity="real_time_price", example="NSW1"
        ),
        "open-meteo": KnownFeed(
            module="open_meteo",
            class_name="OpenMeteo",
            quantity="temperature",
            example="52.52,13.41",
        ),
        "electricity-maps": KnownFeed(
            module="electricity_maps",
            class_name="ElectricityMaps",
            quantity="carbon",
            key_name="ELECTRICITYMAPS_API_KEY",
            example="DE",
        ),
        TABLE: KnownFeed(module="table_url", class_name="TableUrl", quantity="day_ahead_price"),
    }
)


class _MakesFeed(Protocol):
    """A feed's class: made with a door, and with what differs from the real service."""

    def __call__(self, http: Http, **options: str | None) -> Feed: ...


def known_feed(name: str) -> KnownFeed:
    """Return what is known of a feed.

    Raises:
        FindingsError: FEED_UNKNOWN.
    """
    if name not in KNOWN:
        near = ", ".join(nearest_names(name, KNOWN)) or ", ".join(KNOWN)
        refuse(
            "FEED_UNKNOWN",
            path="feed",
            value=name[:40],
            reason="there is no feed of this name",
            remedy=f"Nearest: {near}; all: {', '.join(KNOWN)}",
        )
    return KNOWN[name]


def feed_of(
    name: str,
    http: Http,
    *,
    base_url: str | None = None,
    mapping: TableMapping | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Feed:
    """Return a feed, with its key out of the environment; nothing is asked yet.

    Args:
        name: one of `KNOWN`.
        http: the door to the outside, ended by its owner.
        base_url: another address than the real service's.
        mapping: what the feed `table` reads; other feeds take none.
        environ: where keys are looked up.

    Raises:
        FindingsError: FEED_UNKNOWN, FEED_NO_KEY, FEED_BAD_MAPPING.
    """
    known = known_feed(name)
    if (mapping is not None) != (name == TABLE):
        refuse(
            "FEED_BAD_MAPPING",
            path="feed",
            value=name,
            reason="the feed `table` needs a mapping, and no other feed takes one",
            remedy="Name url, time, value and unit for `table`; leave them out elsewhere",
        )
    if mapping is not None:
        return TableUrl(http, mapping=mapping)
    options: dict[str, str | None] = {} if base_url is None else {"base_url": base_url}
    if known.key_name:
        key = environ.get(known.key_name, "").strip()
        if not key:
            refuse(
                "FEED_NO_KEY",
                path=name,
                value="",
                limit=known.key_name,
                reason=f"{name} answers only with a key, and {known.key_name} is not set",
                remedy=f"Set {known.key_name} in the environment; nothing was asked",
            )
        options["key"] = key
    return _class_of(known)(http, **options)


def price_quantity(feed: Feed) -> FeedQuantity:
    """Return which price of power a feed gives: the day-ahead one where it has both.

    Raises:
        FindingsError: FEED_NO_QUANTITY for a feed without prices.
    """
    prices: tuple[FeedQuantity, ...] = ("day_ahead_price", "real_time_price")
    for quantity in prices:
        if quantity in feed.quantities:
            return quantity
    refuse(
        "FEED_NO_QUANTITY",
        path="feed",
        value=feed.name,
        reason=f"{feed.name} gives no price of power",
        remedy="Name a feed of prices, e.g. energy-charts, entsoe, gridstatus or aemo",
    )


def _class_of(known: KnownFeed) -> _MakesFeed:
    """Import late: a command that fetches one feed need not read them all."""
    from importlib import import_module

    module = import_module(f"tokenergy.feeds.{known.module}")
    return cast(_MakesFeed, getattr(module, known.class_name))

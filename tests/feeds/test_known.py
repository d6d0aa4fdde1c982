"""The feeds by name: made without asking anything, and refused by name without a key."""

from datetime import UTC, datetime

import pytest
from feed_server import code_of, door

from tokenergy.errors import FindingsError
from tokenergy.feeds.known import KNOWN, TABLE, feed_of, price_quantity
from tokenergy.feeds.table_url import TableMapping

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = {known.key_name: " sesame\n" for known in KNOWN.values() if known.key_name}
MAPPING = TableMapping(url="http://host/", time="t", value="v", unit="EUR/MWh")
WITH_KEY = [name for name, known in KNOWN.items() if known.key_name]


@pytest.mark.parametrize("name", list(KNOWN))
def test_each_feed_is_made_and_gives_what_it_is_asked_for(name: str) -> None:
    mapping = MAPPING if name == TABLE else None
    with door(NOW) as http:
        feed = feed_of(name, http, base_url="http://host", mapping=mapping, environ=KEYS)
    assert feed.name == name
    assert KNOWN[name].quantity in feed.quantities
    assert "sesame" not in repr(feed)


@pytest.mark.parametrize("name", WITH_KEY)
@pytest.mark.parametrize("environ", [{}, {"ENTSOE_API_KEY": " "}])
def test_a_missing_key_is_refused_by_its_name(name: str, environ: dict[str, str]) -> None:
    with door(NOW) as http, pytest.raises(FindingsError) as caught:
        feed_of(name, http, environ=environ)
    assert code_of(caught.value) == "FEED_NO_KEY"
    assert KNOWN[name].key_name in str(caught.value)


def test_an_unknown_feed_and_a_mapping_in_the_wrong_place_are_refused() -> None:
    with door(NOW) as http:
        for name, mapping, code in (
            ("entso", None, "FEED_UNKNOWN"),
            (TABLE, None, "FEED_BAD_MAPPING"),
            ("aemo", MAPPING, "FEED_BAD_MAPPING"),
        ):
            with pytest.raises(FindingsError) as caught:
                feed_of(name, http, mapping=mapping, environ=KEYS)
            assert code_of(caught.value) == code


def test_the_price_of_a_feed_is_day_ahead_where_there_are_two() -> None:
    with door(NOW) as http:
        made = {name: feed_of(name, http, environ=KEYS) for name in KNOWN if name != TABLE}
    assert price_quantity(made["gridstatus"]) == "day_ahead_price"
    assert price_quantity(made["aemo"]) == "real_time_price"
    with pytest.raises(FindingsError, match="FEED_NO_QUANTITY"):
        price_quantity(made["open-meteo"])

"""Live prices of sites, through a stand-in of their service."""

from datetime import timedelta

import polars as pl
import pytest
from feed_server import FeedServer, Told, day_ahead, door, energy_charts
from observed import NOON

from tokenergy.api.observed.prices import live_prices
from tokenergy.company.observe import Observe, PriceFeed

HOUR = timedelta(hours=1)
NOW = NOON.replace(minute=0)
START, END = NOW - 48 * HOUR, NOW + HOUR


def feed(url, **more):
    given = {"site": "oslo", "feed": "energy-charts", "zone": "NO1", "base_url": url}
    return PriceFeed(**given | {"usd_per_unit": 1.1} | more)


def asked(feeds, folder, *, currency="USD"):
    with door(NOON) as http:
        return live_prices(
            Observe(price_feeds=tuple(feeds)),
            http,
            start=START,
            end=END,
            currency=currency,
            folder=folder,
        )


@pytest.fixture
def server():
    with FeedServer() as held:
        held.say("/price", energy_charts(day_ahead(START, [float(at) for at in range(60)])))
        yield held


def test_a_price_is_named_as_a_company_file_would(tmp_path, server):
    found, findings = asked([feed(server.url, rate_note="ECB 2026-11-23")], tmp_path)
    price = found["oslo"]
    table = pl.read_parquet(price["file"])
    assert price["usd_per_unit"] == 1.1
    assert price["rate_note"] == "ECB 2026-11-23"
    assert table[price["column"]].to_list()[:3] == [0.0, 1.0, 2.0]
    assert [each.code for each in findings if each.severity == "error"] == []


def test_another_money_needs_a_rate(tmp_path, server):
    """EUR of the feed are no USD: without a rate they are not used; a EUR company needs none."""
    unstated = PriceFeed(site="oslo", feed="energy-charts", zone="NO1", base_url=server.url)
    found, findings = asked([unstated], tmp_path)
    assert found == {}
    (finding,) = (each for each in findings if each.code == "CURRENCY_WITHOUT_RATE")
    assert (finding.value, finding.limit) == ("EUR", "USD")
    found, findings = asked([unstated], tmp_path, currency="EUR")
    assert found["oslo"]["usd_per_unit"] == 1.0


def test_a_feed_that_fails_is_a_warning_and_the_other_goes_on(tmp_path, server):
    feeds = [
        feed(server.url, site="paris", feed="nobody"),
        feed(server.url),
    ]
    found, findings = asked(feeds, tmp_path)
    assert list(found) == ["oslo"]
    assert {each.severity for each in findings} == {"warning"}
    assert findings[0].path.startswith("observe.price_feeds[0]")


def test_a_server_that_is_down_invents_nothing(tmp_path, server):
    server.say("/price", Told(b"down", status=503))
    found, findings = asked([feed(server.url)], tmp_path)
    assert found == {}
    assert findings and all(each.severity == "warning" for each in findings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("hours", "stale"), [(60, False), (47, False), (46, True), (20, True)])
def test_a_price_is_stale_beyond_two_hours(tmp_path, server, hours, stale):
    """Hours up to 49 are asked for; 47 of them end 2 h before the end, 46 end 3 h before."""
    server.say("/price", energy_charts(day_ahead(START, [50.0 + at % 7 for at in range(hours)])))
    _, findings = asked([feed(server.url)], tmp_path)
    assert ("PRICE_STALE" in [each.code for each in findings]) is stale

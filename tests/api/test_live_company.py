"""A company opened around the present: the same hours at the same places, feeds in their place."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from feed_server import FeedServer, day_ahead, door, energy_charts

from tokenergy.api.live_company import LIVE_DAYS, NO_PRICE, live_company, recorded_company, week_of
from tokenergy.errors import FindingsError, InputError

SMALL = Path(__file__).parents[1] / "small.yaml"
NOW = datetime(2026, 11, 26, 14, 20, tzinfo=UTC)  # a Thursday
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


def with_feed(tmp_path: Path, url: str) -> Path:
    tree = yaml.safe_load(SMALL.read_text())
    tree["observe"] = {
        "price_feeds": [
            {
                "site": "texas",
                "feed": "energy-charts",
                "zone": "DE-LU",
                "base_url": url,
                "usd_per_unit": 2.0,
                "rate_note": "made up",
            }
        ]
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def test_the_horizon_begins_with_the_week_and_holds_the_present(tmp_path) -> None:
    live = live_company(SMALL, now=NOW, folder=tmp_path)
    world = live.opened.world
    assert world.moment(world.first) == MONDAY
    assert live.opened.company.horizon.days == LIVE_DAYS
    at = live.index_at(NOW.timestamp())
    assert world.moment(at) == NOW.replace(minute=0)
    assert at - world.first == 3 * 24 + 14
    with pytest.raises(InputError, match="lies outside the horizon"):
        live.index_at((NOW + timedelta(days=30)).timestamp())


def test_a_week_later_the_same_hours_cost_the_same(tmp_path) -> None:
    """A horizon that moves on does not change what it already had."""
    one = live_company(SMALL, now=NOW, folder=tmp_path).opened.world
    two = live_company(SMALL, now=NOW + timedelta(days=4), folder=tmp_path).opened.world
    assert two.moment(two.first) == MONDAY + timedelta(days=7)
    begin = one.index_at(MONDAY + timedelta(days=7))
    same = two.spot_usd_per_mwh[:, two.first : two.first + 3 * 24]
    assert np.array_equal(one.spot_usd_per_mwh[:, begin : begin + 3 * 24], same)


@pytest.mark.parametrize(
    ("moment", "monday"),
    [
        (datetime(2026, 11, 23, tzinfo=UTC), MONDAY),
        (datetime(2026, 11, 29, 23, 59, tzinfo=UTC), MONDAY),
        (datetime(2026, 11, 30, tzinfo=UTC), MONDAY + timedelta(days=7)),
    ],
)
def test_weeks_begin_on_monday(moment, monday) -> None:
    company = recorded_company(SMALL).opened.company
    assert week_of(company, moment) == monday


def test_a_feed_stands_in_the_place_of_the_files_price(tmp_path) -> None:
    """2 USD/EUR: hour k of the feed costs 2 k USD/MWh; beyond its end last week stands in."""
    start = MONDAY - timedelta(days=7)
    hours = round((NOW.replace(minute=0) - start) / HOUR) + 10
    with FeedServer() as server, door(NOW) as http:
        server.say("/price", energy_charts(day_ahead(start, [float(k) for k in range(hours)])))
        path = with_feed(tmp_path, server.url)
        live = live_company(path, now=NOW, http=http, folder=tmp_path / "data")
    world = live.opened.world
    at = live.index_at(NOW.timestamp())
    texas = world.site_names.index("texas")
    k = hours - 10
    assert world.spot_usd_per_mwh[texas, at] == pytest.approx(2.0 * k)
    assert world.spot_usd_per_mwh[texas, at + 9] == pytest.approx(2.0 * (k + 9))
    assert world.spot_usd_per_mwh[texas, at + 10] == pytest.approx(2.0 * (k + 10 - 7 * 24))
    assert not live.lacks_price
    assert "PRICE_ASSUMED" in {finding.code for finding in live.findings}


def test_a_feed_that_falls_silent_is_told_and_what_it_said_stands(tmp_path) -> None:
    start = MONDAY - timedelta(days=7)
    hours = round((NOW.replace(minute=0) - start) / HOUR) + 2
    with FeedServer() as server, door(NOW) as http:
        server.say("/price", energy_charts(day_ahead(start, [50.0] * hours)))
        path = with_feed(tmp_path, server.url)
        assert not live_company(path, now=NOW, http=http, folder=tmp_path / "data").lacks_price
    later = live_company(path, now=NOW + HOUR, folder=tmp_path / "data")
    assert not later.lacks_price
    silent = live_company(path, now=NOW + 2 * HOUR, folder=tmp_path / "data")
    assert silent.lacks_price
    (told,) = (finding for finding in silent.findings if finding.code == NO_PRICE)
    assert "texas" in told.path


def test_a_file_that_ended_is_told_with_what_to_do(tmp_path) -> None:
    tree = yaml.safe_load(SMALL.read_text())
    (tmp_path / "old.csv").write_text(
        "utc,usd_per_mwh\n"
        + "".join(
            f"{datetime(2026, 2, 20, tzinfo=UTC) + at * HOUR:%Y-%m-%dT%H:%MZ},50\n"
            for at in range(24 * 16)
        )
    )
    tree["sites"][0]["market"]["price"] = {"file": "old.csv", "column": "usd_per_mwh"}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(tree))
    assert recorded_company(path).opened.world.count == 48
    with pytest.raises(FindingsError) as caught:
        live_company(path, now=NOW, folder=tmp_path / "data")
    (finding,) = caught.value.findings
    assert finding.code == "SERIES_NOT_CURRENT"
    assert "--at" in finding.remedy


def test_outages_of_the_recorded_days_are_no_part_of_the_present(tmp_path) -> None:
    tree = yaml.safe_load(SMALL.read_text())
    tree["outages"] = [
        {"what": "site", "name": "texas", "start": "2026-03-02T06:00:00Z", "length_h": 6}
    ]
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(tree))
    live = live_company(path, now=NOW, folder=tmp_path / "data")
    assert live.opened.world.losses == ()
    assert "DATED_LEFT_OUT" in {finding.code for finding in live.findings}

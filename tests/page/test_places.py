"""The map with flows: what is on it, what is not, and the tables beside it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tokenergy.page.places import drawn_flows, place_rows, places
from tokenergy.page.report import ReportData
from tokenergy.page.rows import site_rows


def test_places_have_the_price_of_their_power_and_their_share_of_the_tokens(
    data: ReportData,
) -> None:
    """Of 100 Mtok texas makes 60 and tokyo 30; the rest is made at nobody's site."""
    found = {row["name"]: row for row in place_rows(data, step_h=1.0)}
    assert (found["texas"]["share"], found["tokyo"]["share"]) == pytest.approx((0.6, 0.3))
    assert (found["sydney"]["share"], found["sydney"]["in_use"]) == (0.0, False)
    assert (found["japan"]["share"], found["japan"]["usd_per_mwh"]) == (None, None)
    first = site_rows(data.balance, step_h=1.0)[0]
    assert found["texas"]["usd_per_mwh"] == first["load_weighted_usd_per_mwh"]


def test_only_what_has_two_ends_is_drawn(data: ReportData) -> None:
    flows = drawn_flows(data)
    assert [(row["source"], row["site"], row["mtok"]) for row in flows] == [
        ("us-east", "texas", 60.0), ("japan", "tokyo", 30.0),
    ]  # fmt: skip
    assert flows[0]["to_latitude_deg"] == 32.4


def test_the_section_tells_what_no_map_shows(data: ReportData) -> None:
    part = places(data)
    assert part.charts["places"].to_dict(validate=True)["datasets"].keys() == {
        "map_places", "map_places_flows", "land",
    }  # fmt: skip
    assert "10.0\N{NO-BREAK SPACE}% go to others" in part.body
    assert part.body.count("others&#x27; servers</t") == 2  # a row of either table
    assert "99.7°\N{NO-BREAK SPACE}W" in part.body


def test_without_traffic_there_are_places_and_no_flows(data: ReportData) -> None:
    part = places(replace(data, flows=()))
    assert "No token was served" in part.body
    assert "map_places_flows" not in part.charts["places"].datasets


def test_without_places_there_is_no_map(make_data: Callable[..., ReportData]) -> None:
    part = places(make_data(places=()))
    assert not part.charts
    assert "there is no map" in part.body

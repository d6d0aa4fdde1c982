"""The section of carpets: which there are, and the reason for each that there is not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from report_views import asked, hours

from tokenergy.page.carpets import carpets
from tokenergy.page.report import ReportData


@pytest.fixture(scope="module")
def full(data: ReportData) -> Any:
    return carpets(data)


def with_step(data: ReportData, step_h: float, **changes: Any) -> ReportData:
    """Return the report on another step."""
    horizon = dict(data.heading["horizon"]) | {"step_h": step_h}
    return replace(data, heading=dict(data.heading) | {"horizon": horizon}, **changes)


def test_each_carpet_is_drawn_on_a_canvas_from_a_row_for_each_day(full: Any) -> None:
    assert list(full.charts) == ["carpet_power", "carpet_token", "carpet_carbon"]
    for name, chart in full.charts.items():
        spec = chart.to_dict(validate=True)
        assert spec["usermeta"] == {"renderer": "canvas"}
        panels = {row["panel"] for row in spec["datasets"][name]}
        assert len(spec["datasets"][name]) == 14 * len(panels)
    rows = full.charts["carpet_power"].datasets["carpet_power"]
    assert {row["panel"] for row in rows} >= {"all sites", "texas"}
    assert len({row["panel"] for row in rows}) == 4


def test_the_token_carpet_is_a_ratio_and_its_table_is_money(full: Any) -> None:
    """Chat costs 3 by day and 1 by night: 1.5 and 0.5 of its mean of 2 USD/Mtok."""
    rows = full.charts["carpet_token"].datasets["carpet_token"]
    chat = next(row for row in rows if row["panel"] == "chat")
    assert (chat["h03"], chat["h09"], chat["mean"]) == (0.5, 1.5, 2.0)
    assert "over each panel's mean of USD/Mtok or USD an item" in full.body.replace("&#x27;", "'")
    assert '<td class="words">USD an item</td>' in full.body


def test_sites_that_say_nothing_of_carbon_are_named(full: Any) -> None:
    assert "Nothing is stated of 4 of 6 sites" in full.body
    assert "average of the grid where power is drawn" in full.body


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("hours", "no site of the company file states what its grid emits"),
        ("asked", "mpc prices nothing while it decides"),
    ],
)
def test_a_carpet_that_is_not_there_says_why(data: ReportData, field: str, reason: str) -> None:
    part = carpets(replace(data, **{field: ()}))
    assert reason in part.body
    assert len(part.charts) == 2


def test_days_have_no_hours(data: ReportData) -> None:
    part = carpets(with_step(data, 24.0))
    assert not part.charts
    assert "Intervals of 24 h have no hours of the day" in part.body


def test_a_run_of_one_hour_of_one_site(data: ReportData) -> None:
    """Its clock is the site's own: 00:00Z is 18 h in Chicago the day before."""
    start = str(data.balance[0]["start"])
    one = replace(
        data,
        balance=[row for row in data.balance if row["start"] == start and row["site"] == "texas"],
        hours=[row for row in hours([start]) if row["site"] == "texas"],
        asked=asked([start])[:1],
        places=[
            dict(row) | {"time_zone": "America/Chicago"}
            for row in data.places
            if row["name"] == "texas"
        ],
    )
    part = carpets(one)
    assert list(part.charts) == ["carpet_power", "carpet_token", "carpet_carbon"]
    for name, chart in part.charts.items():
        (row,) = chart.to_dict(validate=True)["datasets"][name]
        assert (row["day"], "h18" in row) == ("2026-03-01", True)
    assert "days and hours are local" in part.body


def test_without_a_dispatch_there_are_no_hours(make_data: Callable[..., ReportData]) -> None:
    part = carpets(make_data(balance=[]))
    assert not part.charts
    assert "No dispatch was computed" in part.body

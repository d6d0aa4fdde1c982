"""Rows of carpets by hand: hours side by side, clocks that change, cells without a figure."""

from datetime import UTC, datetime, timedelta

import pytest
from report_views import asked, hours

from tokenergy.page import carpet_rows as made

UTC_CLOCK = made.Clock()


def starts(first: str, count: int, step_h: float = 1.0) -> list[str]:
    """Return the starts of so many intervals."""
    at = datetime.fromisoformat(first).replace(tzinfo=UTC)
    return [
        (at + timedelta(hours=step_h * each)).strftime("%Y-%m-%dT%H:%MZ") for each in range(count)
    ]


def test_a_day_is_a_row_and_an_hour_a_column():
    points = [("a", start, float(at)) for at, start in enumerate(starts("2026-03-02T22:00", 4))]
    assert made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK) == [
        {"panel": "a", "day": "2026-03-02", "h00": None, "h01": None, "h22": 0.0, "h23": 1.0},
        {"panel": "a", "day": "2026-03-03", "h00": 2.0, "h01": 3.0, "h22": None, "h23": None},
    ]


def test_quarters_are_averaged_to_hours():
    """Four quarters of 1, 2, 3 and 6: the hour has 3."""
    times = starts("2026-03-02T05:00", 4, step_h=0.25)
    points = [("a", start, value) for start, value in zip(times, (1.0, 2.0, 3.0, 6.0), strict=True)]
    (row,) = made.carpet_rows(points, step_h=0.25, clock=UTC_CLOCK)
    assert row == {"panel": "a", "day": "2026-03-02", "h05": 3.0}


def test_the_hour_that_a_clock_repeats_is_averaged_and_the_one_it_leaves_out_is_open():
    """In Berlin 01:00Z of 25 October 2026 is 02:00 again; 01:00Z of 29 March is 03:00."""
    clock = made.Clock(zone="Europe/Berlin")
    points = [("a", start, float(at)) for at, start in enumerate(starts("2026-10-25T00:00", 3))]
    (row,) = made.carpet_rows(points, step_h=1.0, clock=clock)
    assert row == {"panel": "a", "day": "2026-10-25", "h02": 0.5, "h03": 2.0}
    points = [("a", start, float(at)) for at, start in enumerate(starts("2026-03-29T00:00", 2))]
    (row,) = made.carpet_rows(points, step_h=1.0, clock=clock)
    assert row == {"panel": "a", "day": "2026-03-29", "h01": 0.0, "h03": 1.0}


def test_what_is_not_known_has_no_cell_and_no_part_in_any_mean():
    values = (None, float("nan"), 4.0, 8.0)
    points = list(zip("aaaa", starts("2026-03-02T00:00", 4), values, strict=True))
    rows = made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK)
    assert (rows[0]["h00"], rows[0]["h01"]) == (None, None)
    assert made.mean_by_panel(rows) == {"a": 6.0}
    assert [row["h03"] for row in made.relative(rows)] == [pytest.approx(8.0 / 6.0, rel=1e-3)]


def test_a_panel_without_any_figure_is_left_out():
    points = [("all", "2026-03-02T00:00Z", None), ("texas", "2026-03-02T00:00Z", 0.0)]
    rows = made.told_panels(made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK))
    assert [row["panel"] for row in rows] == ["texas"]
    assert made.told_panels(made.carpet_rows(points[:1], step_h=1.0, clock=UTC_CLOCK)) == []


def test_a_day_long_interval_has_no_hour():
    with pytest.raises(ValueError, match="no hour of the day"):
        made.carpet_rows([("a", "2026-03-02T00:00Z", 1.0)], step_h=24.0, clock=UTC_CLOCK)


def test_a_panel_whose_mean_is_nothing_has_no_ratio():
    points = [("a", at, 0.0) for at in starts("2026-03-02T00:00", 2)]
    assert made.relative(made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK)) == []


def test_colours_end_where_a_spike_cannot_reach():
    """Of 200 hours 1 to 199 and a spike of 5,000: they end at 3 (rank 2) and 199 (rank 198)."""
    values = [*map(float, range(1, 200)), 5000.0]
    points = list(zip(["a"] * 200, starts("2026-03-02T00:00", 200), values, strict=True))
    rows = made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK)
    assert made.ends_of(rows) == (3.0, 199.0)


@pytest.mark.parametrize("value", [0.0, -7.0, 42.0])
def test_equal_figures_still_have_two_ends(value: float):
    points = [("a", "2026-03-02T00:00Z", value)]
    low, high = made.ends_of(made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK))
    assert low == value < high
    assert made.ends_of([]) == (0.0, 1.0)


def test_a_summary_names_the_hours_of_the_day():
    """Two days: hour 0 has 1 and 3, hour 1 has 10 and -10, hour 2 has 5 and 6."""
    values = (1.0, 10.0, 5.0, 3.0, -10.0, 6.0)
    times = [*starts("2026-03-02T00:00", 3), *starts("2026-03-03T00:00", 3)]
    points = list(zip("aaaaaa", times, values, strict=True))
    rows = made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK)
    (found,) = made.summary_rows(rows, step_h=1.0)
    assert (found["mean"], found["lowest"], found["highest"]) == (2.5, -10.0, 10.0)
    assert found["low_hour"].replace("\N{NO-BREAK SPACE}", " ") == "01 to 02 h"
    assert found["high_hour"].replace("\N{NO-BREAK SPACE}", " ") == "02 to 03 h"
    assert (found["low_mean"], found["high_mean"]) == (0.0, 5.5)
    assert found["at_or_below_zero_h"] == 1.0


def test_where_all_hours_are_alike_none_is_the_lowest():
    points = [("a", start, 7.0) for start in starts("2026-03-02T00:00", 30)]
    rows = made.carpet_rows(points, step_h=1.0, clock=UTC_CLOCK)
    (found,) = made.summary_rows(rows, step_h=1.0)
    assert (found["low_hour"], found["high_hour"]) == ("every hour", "every hour")


def test_the_carbon_of_all_is_weighted_by_load_and_knows_only_who_says():
    """At night texas has 200 and tokyo 500 kg/MWh: of 3 and 1 MW the mean is 275."""
    start = "2026-03-02T00:00Z"
    balance = [
        {"site": site, "start": start, "load_mw": mw}
        for site, mw in (("texas", 3.0), ("tokyo", 1.0), ("sydney", 9.0))
    ]
    points = made.carbon_points(hours([start]), balance, ["texas", "sydney"])
    assert points == [("all sites", start, 275.0), ("texas", start, 200.0)]
    assert made.missing_sites(hours([start]), balance) == ["sydney"]
    idle = [row | {"load_mw": 0.0} for row in balance]
    assert made.carbon_points(hours([start]), idle, [])[0] == ("all sites", start, None)


def test_the_price_of_asking_keeps_media_apart():
    """At night chat costs 1 and free 0.5 USD/Mtok, as much of each: 0.75; a film 0.2 USD."""
    start = "2026-03-02T00:00Z"
    points = made.asked_points(asked([start]), 2)
    assert points == [(made.ALL_TEXT, start, 0.75), ("chat", start, 1.0), ("films", start, 0.2)]
    units = made.units_of(asked([start]), "EUR")
    assert units == {"chat": "EUR/Mtok", "free": "EUR/Mtok", "films": "EUR an item"}
    only = [row for row in asked([start]) if row["workload"] == "films"]
    assert made.asked_points(only, 2) == [("films", start, 0.2)]


def test_a_clock_is_local_only_where_all_sites_share_it():
    site = {"kind": "site", "time_zone": "Europe/Paris"}
    origin = {"kind": "origin", "time_zone": None}
    assert made.clock_of([site, site, origin]).zone == "Europe/Paris"
    assert made.clock_of([site, site | {"time_zone": "Asia/Tokyo"}]).zone == "UTC"
    assert made.clock_of([]).words == "hour, UTC"

"""Load duration by hand: curves that fall, limits that are near, hours at them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tokenergy.page.duration import POINTS_COUNT, duration, duration_rows, load_rows
from tokenergy.page.largest import FLEET
from tokenergy.page.report import ReportData


def site(*pairs: tuple[float, float], limit: float = 5.0) -> list[dict[str, Any]]:
    """Return rows of (load, import), MW."""
    return [
        {"load_mw": load, "import_mw": imported, "import_limit_mw": limit}
        for load, imported in pairs
    ]


def test_a_curve_falls_to_the_end_of_the_time():
    """Of four intervals with 1, 4, 2 and 3 MW: 4 from 0 %, 3 from 25 %, 2, then 1 to 100 %."""
    rows = duration_rows({"a": site((1, 0), (4, 5), (2, 0), (3, 2))})
    load = [(row["share"], row["mw"]) for row in rows if row["power"] == "load"]
    assert load == [(0.0, 4), (0.25, 3), (0.5, 2), (0.75, 1), (1.0, 1)]
    assert {row["limit_mw"] for row in rows} == {5.0}


def test_a_limit_that_nothing_comes_near_is_not_drawn():
    rows = duration_rows({"a": site((1, 1), limit=100.0)})
    assert {row["limit_mw"] for row in rows} == {None}


def test_a_year_is_drawn_with_few_points_that_hold_its_ends():
    many = site(*((float(at), 0.0) for at in range(8760)))
    load = [row for row in duration_rows({"a": many}) if row["power"] == "load"]
    assert len(load) == POINTS_COUNT + 1
    assert (load[0]["mw"], load[-1]["mw"]) == (8759.0, 0.0)
    assert all(before["mw"] >= after["mw"] for before, after in pairwise(load))


def test_the_table_by_hand():
    """Loads 1 to 4: peak 4, mean 2.5, load factor 62.5 %; the import is at 5 MW twice of half h."""
    rows = {"a": site((1, 5), (4, 5), (2, 0), (3, 2))}
    (found,) = load_rows(rows, step_h=0.5)
    assert (found["peak_mw"], found["mean_mw"], found["base_mw"]) == (4, 2.5, 1)
    assert found["load_factor_share"] == 0.625
    assert (found["at_limit_h"], found["at_limit_share"]) == (1.0, 0.5)


def test_what_draws_nothing_has_no_load_factor_and_a_dark_site_is_at_no_limit():
    (dark,) = load_rows({"a": site((0, 0), limit=0.0)}, step_h=1.0)
    assert dark["load_factor_share"] is None
    assert dark["at_limit_h"] == 0.0
    (fleet,) = load_rows({FLEET: site((1, 5))}, step_h=1.0)
    assert fleet["at_limit_h"] is None


def test_the_section_draws_the_largest_and_tells_every_site(data: ReportData) -> None:
    part = duration(data)
    rows = part.charts["duration"].to_dict(validate=True)["datasets"]["duration"]
    assert len({row["site"] for row in rows}) == 6  # all sites, and five of six
    assert all(f">{row['site']}</th>" in part.body for row in data.balance[:6])
    assert "Of 6 sites the 5 that draw most" in part.body


def test_one_hour_and_no_hour(data: ReportData, make_data: Callable[..., ReportData]) -> None:
    one = replace(data, balance=data.balance[:6])
    assert duration(one).charts["duration"].to_dict(validate=True)
    assert "no load to sort" in duration(make_data(balance=[])).body


@pytest.mark.parametrize("sites", [{}, {"a": site((2, 2))}])
def test_rows_of_few(sites: dict[str, Any]) -> None:
    assert len(duration_rows(sites)) == 4 * len(sites)  # two powers of two points

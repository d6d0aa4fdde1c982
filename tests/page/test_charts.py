"""Every chart is valid, says what it shows, and makes a picture by itself."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tokenergy.errors import InputError
from tokenergy.page.charts import chart_png, chart_svg
from tokenergy.page.report import ReportData
from tokenergy.page.rows import moment, stamp
from tokenergy.page.sections import balance, scorecard, sections

NAMES = (
    "price_parts", "balance", "carpet_power", "carpet_token", "carpet_carbon", "duration", "supply",
    "places", "waterfall", "unit", "whale", "histogram", "profit", "growth", "levers", "saving",
    "exposures", "full_cost", "money", "scorecard", "split",
)  # fmt: skip


@pytest.fixture(scope="module")
def charts(data: ReportData) -> Iterator[dict[str, Any]]:
    yield {name: chart for part in sections(data) for name, chart in part.charts.items()}


def test_these_are_the_charts(charts: dict[str, Any]) -> None:
    assert tuple(charts) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_is_valid_and_carries_its_rows(charts: dict[str, Any], name: str) -> None:
    spec = charts[name].to_dict(validate=True)
    assert spec["datasets"]
    assert all(spec["datasets"].values())


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_states_unit_period_basis_and_origin(charts: dict[str, Any], name: str) -> None:
    unit, period, basis, origin = charts[name].title.subtitle[0].split(" · ")
    assert "USD" in unit or unit in ("kg/MWh", "MW at the meter")
    assert period.endswith("UTC")
    assert basis
    assert origin == "includes synthetic series"


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_makes_a_picture(charts: dict[str, Any], name: str, tmp_path: Path) -> None:
    path = chart_svg(charts[name], tmp_path / "a.svg")
    assert path.read_text(encoding="utf-8").startswith("<svg")
    assert "Infinity" not in path.read_text(encoding="utf-8")


def test_a_picture_in_dots(charts: dict[str, Any], tmp_path: Path) -> None:
    path = chart_png(charts["full_cost"], tmp_path / "a.png", dark=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_that_cannot_be_written_says_so(charts: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*a\.png"):
        chart_png(charts["split"], tmp_path / "missing" / "a.png")


def test_a_chart_of_more_rows_than_altair_allows(
    make_data: Callable[..., ReportData], data: ReportData
) -> None:
    """Six weeks of six sites: 6,048 rows, 1,008 of all together, and one that closes each."""
    many = [
        dict(row) | {"start": stamp(moment(row["start"]) + timedelta(weeks=weeks))}
        for weeks in (0, 2, 4)
        for row in data.balance
    ]
    assert len(many) > 5000
    part = balance(make_data(balance=many))
    assert len(part.charts["balance"].to_dict()["datasets"]["balance"]) == len(many) + 1008 + 7


def test_a_part_without_a_colour_is_still_drawn(make_data: Callable[..., ReportData]) -> None:
    data = make_data()
    policies = {
        name: dict(score) | {"parts": dict(score["parts"]) | {"demand_peak": 5.0}}
        for name, score in data.scorecard["policies"].items()
    }
    part = scorecard(make_data(scorecard=dict(data.scorecard) | {"policies": policies}))
    spec = part.charts["scorecard"].to_dict()["hconcat"][0]
    assert "demand peak" in spec["encoding"]["color"]["scale"]["domain"]
    assert "demand_peak" in json.dumps(spec["transform"])


def test_without_a_bound_no_empty_panel_is_drawn(make_data: Callable[..., ReportData]) -> None:
    data = make_data()
    policies = {
        name: dict(score) | {"regret_share": None, "captured_share": None}
        for name, score in data.scorecard["policies"].items()
    }
    card = dict(data.scorecard) | {"policies": policies, "bound": None}
    chart = scorecard(make_data(scorecard=card)).charts["scorecard"]
    assert len(chart.to_dict()["hconcat"]) == 1
    assert "regret" not in str(chart.title)


@pytest.mark.parametrize(
    ("name", "scales"), [("price_parts", "y"), ("balance", "y"), ("supply", "xy")]
)
def test_each_panel_has_its_own_scale_and_axes(
    charts: dict[str, Any], name: str, scales: str
) -> None:
    resolve = charts[name].to_dict()["resolve"]
    assert resolve["scale"] == dict.fromkeys(scales, "independent")
    assert resolve["axis"] == {"x": "independent", "y": "independent"}

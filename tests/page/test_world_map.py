"""The world map: where places stand, labels that do not lie on each other, flows that bend."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tokenergy.page.picture import chart_svg
from tokenergy.page.stated import Stated
from tokenergy.page.world_map import (
    EAST_DEG,
    GAP_PX,
    HEIGHT_RATIO,
    LETTER_PX,
    LINE_PX,
    MOST_FLOWS_COUNT,
    POINTS_COUNT,
    WEST_DEG,
    WIDTHS_PX,
    bows,
    labelled,
    map_chart,
    screen,
    shown_share,
    wrapped,
)

STATED = Stated(currency="EUR", period="one hour", synthetic=True)


def place(name: str, north: float, east: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "site",
        "latitude_deg": north,
        "longitude_deg": east,
        "usd_per_mtok": 0.05,
        "share": 0.0,
        "in_use": False,
    } | more


def flow(west: float, east: float, **more: Any) -> dict[str, Any]:
    ends = {"from_latitude_deg": 35.0, "to_latitude_deg": 45.0}
    return {"from_longitude_deg": west, "to_longitude_deg": east} | ends | more


def test_a_place_stands_where_it_is() -> None:
    """A map 360 px wide has a pixel for each degree: 10 E is 180 px from 170 W.

    From 78 N to 56 S are 134 degrees over 158.4 px: 11 N is half the way down.
    """
    assert screen(11.0, 10.0, 360.0) == pytest.approx((180.0, HEIGHT_RATIO * 180.0))
    assert wrapped(-175.0) == 185.0  # Chukotka stands right of Kamchatka
    assert wrapped(190.0 - 360.0) == WEST_DEG


@pytest.mark.parametrize("size", WIDTHS_PX)
def test_labels_do_not_lie_on_each_other(size: str) -> None:
    """Thirty sites around Frankfurt: some have no room, those that have stand clear."""
    crowd = [place(f"site-{at}", 48.0 + at % 6, 4.0 + at // 6) for at in range(30)]
    rows = labelled([*crowd, place("lone", -33.9, 151.2, share=1.0)])
    shown = [row for row in rows if row[f"{size}_label"]]
    assert 1 < len(shown) < len(rows)
    boxes = []
    for row in shown:
        x, y = screen(row["latitude_deg"], row["longitude_deg"], WIDTHS_PX[size])
        long = LETTER_PX * len(row["label"])
        left = x + row[f"{size}_dx"]
        left -= {"left": 0.0, "right": long, "center": long / 2}[row[f"{size}_align"]]
        boxes.append((left, y + row[f"{size}_dy"] - LINE_PX / 2, long))
    for (left, top, long), (other_left, other_top, other_long) in combinations(boxes, 2):
        apart = left >= other_left + other_long or other_left >= left + long
        assert apart or abs(top - other_top) >= LINE_PX - 1e-9
    assert all(left >= 0.0 and left + long <= WIDTHS_PX[size] for left, _, long in boxes)


def test_who_serves_most_is_named_first() -> None:
    """Two sites at one spot have room for both labels only beside each other, the larger right."""
    rows = labelled([place("small", 50.0, 8.0), place("large", 50.0, 8.0, share=0.9)])
    assert [row["wide_align"] for row in rows][1] == "left"
    assert rows[1]["wide_dx"] > GAP_PX
    assert rows[1]["label"] == "large 0.0500"


def test_a_place_without_a_price_has_its_name_and_an_origin_nothing() -> None:
    rows = labelled([place("dark", 1.0, 1.0, usd_per_mtok=None), place("us", 40.0, -74.0)])
    assert rows[0]["label"] == "dark"
    assert labelled([place("us-east", 40.0, -74.0, kind="origin")])[0]["label"] == ""
    assert labelled([]) == []


def test_a_flow_goes_the_short_way_round_and_leaves_the_map_where_it_must() -> None:
    """From Tokyo (140 E) to Oregon (120 W) are 100 degrees over the Pacific: two pieces."""
    rows = bows([flow(140.0, -120.0, share=0.5)])
    assert len(rows) == 2 * POINTS_COUNT
    first = [row["longitude_deg"] for row in rows if row["flow"] == "0 0"]
    second = [row["longitude_deg"] for row in rows if row["flow"] == "0 1"]
    assert (first[0], first[-1]) == (140.0, 240.0)
    assert (second[0], second[-1]) == (-220.0, -120.0)
    assert first[-1] > EAST_DEG and second[0] < WEST_DEG
    straight = bows([flow(8.0, -77.0, share=0.5)])
    assert len(straight) == POINTS_COUNT
    assert max(row["latitude_deg"] for row in straight) > 45.0  # it bends to the north


def test_only_the_largest_flows_are_drawn_and_the_share_of_them_is_said() -> None:
    """A hundred flows of 1..100: the largest eighty are 21..100, 4,840 of 5,050."""
    flows = [flow(10.0, 20.0, mtok=float(at), source=f"w{at}") for at in range(1, 101)]
    rows = bows(flows)
    assert len({row["source"] for row in rows}) == MOST_FLOWS_COUNT
    assert {row["source"] for row in rows} == {f"w{at}" for at in range(21, 101)}
    assert max(row["weight"] for row in rows) == 1.0
    assert shown_share(flows) == pytest.approx(4840 / 5050)
    assert bows([flow(10.0, 20.0, share=0.0), flow(10.0, 20.0, share=None)]) == []
    assert shown_share([]) == 1.0


def test_the_map_is_one_picture_whose_names_are_text(tmp_path: Path) -> None:
    evil = "<b>frankfurt</b>"
    rows = labelled(
        [
            place("texas", 32.8, -97.0, share=0.7, in_use=True),
            place(evil, 50.1, 8.7),
            place("japan", 35.0, 139.0, kind="origin"),
        ]
    )
    chart = map_chart(rows, bows([flow(139.0, -97.0, share=0.7)]), stated=STATED)
    assert chart.title.subtitle == [
        "EUR/Mtok · one hour · marginal: cheapest deployment of each site · "
        "includes synthetic series"
    ]
    svg = chart_svg(chart, tmp_path / "map.svg").read_text(encoding="utf-8")
    assert ">texas 0.0500</text>" in svg
    assert "&lt;b&gt;frankfurt&lt;/b&gt; 0.0500" in svg
    assert "<b>" not in svg
    assert len(re.findall(r"stroke-dasharray", svg)) > 300  # the land, a line to a run of cells


def test_an_empty_map_is_a_map(tmp_path: Path) -> None:
    assert chart_svg(map_chart([], stated=STATED), tmp_path / "map.svg").stat().st_size > 10_000

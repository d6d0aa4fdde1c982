"""The geometry of money by hand: nothing overlaps, what goes in comes out."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.page.sankey import GAP_PX, HEIGHT_PX, POINTS_COUNT, Flow, layout, links_of

FLOWS = [
    Flow(stops=("power", "a", "x"), usd=60.0),
    Flow(stops=("power", "b", "x"), usd=20.0),
    Flow(stops=("gpu", "a", "y"), usd=20.0),
]


def test_the_geometry_by_hand():
    """100 USD in 460 px less one gap of 19: 4.41 px each. a holds 80, so it ends at 352.8."""
    nodes, ribbons = layout(FLOWS)
    px = (HEIGHT_PX - GAP_PX) / 100.0
    place = {(node.column, node.name): node for node in nodes}
    assert (place[0, "power"].top_px, place[0, "power"].bottom_px) == (0.0, pytest.approx(80 * px))
    assert place[0, "gpu"].top_px == pytest.approx(80 * px + GAP_PX)
    assert place[0, "gpu"].bottom_px == pytest.approx(HEIGHT_PX)
    assert place[1, "a"].bottom_px == pytest.approx(352.8)
    assert [(node.name, node.usd) for node in nodes if node.column == 2] == [("x", 80), ("y", 20)]
    first = next(each for each in ribbons if each.source == "power" and each.target == "a")
    assert first.from_bottom_px - first.from_top_px == pytest.approx(60 * px)
    points = first.points()
    assert len(points) == POINTS_COUNT
    assert (points[0][0], points[-1][0]) == (0.0, 1.0)
    assert points[-1][1:] == pytest.approx((first.to_top_px, first.to_bottom_px))


def test_a_ribbon_keeps_its_kind():
    """Column 1 to 2: power goes by a to x with 60, and by b with 20."""
    assert links_of(FLOWS, 1) == {
        ("power", "a", "x"): 60.0, ("power", "b", "x"): 20.0, ("gpu", "a", "y"): 20.0,
    }  # fmt: skip


def test_who_stands_last_stands_last_whatever_its_size():
    nodes, _ = layout(FLOWS, last=lambda name: name == "x")
    assert [node.name for node in nodes if node.column == 2] == ["y", "x"]


def test_what_is_earned_has_no_width():
    """A sale of 30 at b leaves -10 there: no ribbon; the rest is drawn as if alone."""
    nodes, ribbons = layout([*FLOWS, Flow(stops=("power", "b", "x"), usd=-30.0)])
    assert ("power", "b") not in {(each.source, each.target) for each in ribbons}
    assert "b" not in {node.name for node in nodes}


@pytest.mark.parametrize("flows", [[], [Flow(stops=("a", "b"), usd=0.0)]])
def test_no_money_has_no_geometry(flows: list[Flow]):
    assert layout(flows) == ([], [])


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from("pq"), st.sampled_from("abc"), st.sampled_from("xyz")),
        min_size=1,
        max_size=12,
    )
)
def test_ribbons_fill_their_nodes_and_nodes_do_not_overlap(stops: list[tuple[str, str, str]]):
    """Every flow is 1 to 12 USD: in each column the nodes hold all money, one under the other."""
    flows = [Flow(stops=each, usd=float(at + 1)) for at, each in enumerate(stops)]
    whole = sum(flow.usd for flow in flows)
    nodes, ribbons = layout(flows)
    for column in range(3):
        mine = [node for node in nodes if node.column == column]
        assert sum(node.usd for node in mine) == pytest.approx(whole)
        for above, below in pairwise(mine):
            assert below.top_px - above.bottom_px == pytest.approx(GAP_PX)
        assert mine[-1].bottom_px <= HEIGHT_PX + 1e-6
    for node in nodes:
        out = [e for e in ribbons if (e.column, e.source) == (node.column, node.name)]
        into = [e for e in ribbons if (e.column + 1, e.target) == (node.column, node.name)]
        for held in filter(None, (out, into)):
            assert sum(each.usd for each in held) == pytest.approx(node.usd)

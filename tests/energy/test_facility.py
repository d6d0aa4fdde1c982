"""From boards to the facility: four numbers, always apart."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.facility import (
    FacilityTerms,
    HostByPower,
    HostByShare,
    facility_parts,
)
from tokenergy.units import J_PER_WH


def test_a_median_prompt_of_a_published_fleet() -> None:
    """Boards .139 Wh: (.139 x 1.43 + .139 x .17) x 1.09 = .2424 Wh; published .24 (2508.15734)."""
    terms = FacilityTerms(host=HostByShare(host_share=0.43), idle_share=0.17, pue_ratio=1.09)
    parts = facility_parts(0.139 * J_PER_WH, terms, boundary="facility", board_w=700.0)
    assert parts.total_j / J_PER_WH == pytest.approx(0.2424, abs=1e-4)
    assert parts.total_j / J_PER_WH == pytest.approx(0.24, rel=0.03)
    # what nobody says is the same fleet, so its shares are 58, 25, 10 and 8 %
    plain = facility_parts(58.0, FacilityTerms(), boundary="facility", board_w=700.0)
    figures = (plain.gpu_j, plain.host_j, plain.idle_j, plain.overhead_j)
    assert figures == pytest.approx((58.0, 25.0, 10.0, 8.0), abs=0.5)


def test_watts_of_a_host_last_as_long_as_the_boards_work() -> None:
    """1,120 J at 560 W are 2 s; a host of 150 W then draws 300 J; PUE 1.5: half of it all again."""
    terms = FacilityTerms(host=HostByPower(host_w=150.0), idle_share=0.0, pue_ratio=1.5)
    parts = facility_parts(1120.0, terms, boundary="facility", board_w=560.0)
    figures = (parts.gpu_j, parts.host_j, parts.idle_j, parts.overhead_j)
    assert figures == pytest.approx((1120.0, 300.0, 0.0, 710.0))


@given(
    gpu_j=st.floats(0.0, 1e9),
    host=st.floats(0.0, 3.0),
    idle=st.floats(0.0, 3.0),
    pue=st.floats(1.0, 3.0),
)
def test_a_wider_boundary_holds_no_less(gpu_j: float, host: float, idle: float, pue: float) -> None:
    terms = FacilityTerms(host=HostByShare(host_share=host), idle_share=idle, pue_ratio=pue)
    gpu, it, facility = (
        facility_parts(gpu_j, terms, boundary=boundary, board_w=700.0)
        for boundary in ("gpu", "it", "facility")
    )
    assert gpu.total_j <= it.total_j <= facility.total_j
    assert gpu.total_j == gpu.gpu_j == it.gpu_j == facility.gpu_j == gpu_j
    assert it.overhead_j == 0.0 and "outside" in it.overhead_how
    assert facility.total_j == pytest.approx(pue * (gpu_j * (1 + host) + gpu_j * idle))


def test_what_nobody_said_is_named_within_the_boundary() -> None:
    assert FacilityTerms().assumed("gpu") == ()
    assert [told.split()[0] for told in FacilityTerms().assumed("it")] == ["host", "idle"]
    assert len(FacilityTerms().assumed("facility")) == 3
    said = FacilityTerms(host=HostByShare(), idle_share=0.0, pue_ratio=1.2)
    assert said.assumed("facility") == ()


@pytest.mark.parametrize(
    ("terms", "path"),
    [
        (FacilityTerms(pue_ratio=0.99), "pue"),
        (FacilityTerms(pue_ratio=math.nan), "pue"),
        (FacilityTerms(pue_ratio=math.inf), "pue"),
        (FacilityTerms(idle_share=-0.1), "idle_share"),
        (FacilityTerms(host=HostByShare(host_share=-1.0)), "host_share"),
        (FacilityTerms(host=HostByPower(host_w=math.nan)), "host_w"),
    ],
)
def test_what_no_facility_has_is_found(terms: FacilityTerms, path: str) -> None:
    assert [finding.path for finding in terms.findings()] == [path]

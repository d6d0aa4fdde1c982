from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.metering.boundary import HostByPower, HostByShare, at_facility
from tokenergy.metering.reading import Boundary, Reading

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def reading(energy_j: float | None, boundary: Boundary = "gpu", span_s: float = 10.0) -> Reading:
    return Reading(
        start=NOON,
        end=NOON + timedelta(seconds=span_s),
        energy_j=energy_j,
        tier="measured",
        boundary=boundary,
        reason="" if energy_j is not None else "reset",
    )


def test_a_median_prompt_of_gemini() -> None:
    """arXiv 2508.15734: 0.24 Wh, 58/25/10/8 %. 0.139 x (1 + 25/58 + 10/58) x 1.09 = 0.2429 Wh."""
    gpu_j = 0.139 * 3600.0
    idle_j = 10.0 / 58.0 * gpu_j
    found = at_facility(reading(gpu_j + idle_j), idle_j=idle_j, pue_ratio=1.09, host=HostByShare())
    assert found.total_j is not None
    assert found.total_j / 3600.0 == pytest.approx(0.243, abs=0.0005)
    assert found.total_j / 3600.0 == pytest.approx(0.24, rel=0.03)
    parts = (found.gpu_j, found.host_j, found.idle_j, found.overhead_j)
    shares = [(part or 0.0) / found.total_j for part in parts]
    assert shares == pytest.approx([0.58, 0.25, 0.10, 0.08], abs=0.01)
    assert found.boundary == "facility"


def test_a_host_in_watts_draws_them_over_the_whole_span() -> None:
    """900 J at work, 100 J idle, 150 W x 10 s; PUE 1.2: 0.2 x 2,500 J = 500 J."""
    found = at_facility(reading(1000.0), idle_j=100.0, pue_ratio=1.2, host=HostByPower(host_w=150))
    assert (found.gpu_j, found.host_j, found.idle_j) == (900.0, 1500.0, 100.0)
    assert found.overhead_j == pytest.approx(500.0)
    assert found.total_j == pytest.approx(3000.0)
    assert found.reason == "host modelled: 150 W; overhead modelled: PUE 1.2"


def test_a_rack_has_its_host_in_it() -> None:
    found = at_facility(reading(1000.0, "it"), idle_j=100.0, pue_ratio=1.2, host=None)
    assert (found.gpu_j, found.host_j, found.idle_j) == (900.0, None, 100.0)
    assert found.total_j == pytest.approx(1200.0)
    assert "host is in the reading" in found.reason


def test_nothing_is_made_of_nothing() -> None:
    found = at_facility(reading(None), idle_j=0.0, pue_ratio=1.2, host=HostByShare())
    assert (found.gpu_j, found.host_j, found.total_j, found.reason) == (None, None, None, "reset")


@pytest.mark.parametrize(
    ("boundary", "idle_j", "pue_ratio", "host", "told"),
    [
        ("gpu", 0.0, 0.99, HostByShare(), "at least 1"),
        ("gpu", 0.0, float("nan"), HostByShare(), "at least 1"),
        ("gpu", 0.0, 1.1, None, "state one"),
        ("it", 0.0, 1.1, HostByShare(), "state no host"),
        ("facility", 0.0, 1.1, None, "facility's own"),
        ("gpu", 11.0, 1.1, HostByShare(), "between 0 and"),
        ("gpu", -1.0, 1.1, HostByShare(), "between 0 and"),
        ("gpu", 0.0, 1.1, HostByPower(host_w=-5.0), "cannot be negative"),
    ],
)
def test_what_cannot_be_is_refused(
    boundary: Boundary, idle_j: float, pue_ratio: float, host: HostByShare | None, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        at_facility(reading(10.0, boundary), idle_j=idle_j, pue_ratio=pue_ratio, host=host)


@given(
    energy_j=st.floats(0.0, 1e9),
    idle_part=st.floats(0.0, 1.0),
    pue_ratio=st.floats(1.0, 3.0),
    host_share=st.floats(0.0, 2.0),
)
def test_it_is_the_formula_of_the_sheet(
    energy_j: float, idle_part: float, pue_ratio: float, host_share: float
) -> None:
    idle_j = energy_j * idle_part
    found = at_facility(
        reading(energy_j),
        idle_j=idle_j,
        pue_ratio=pue_ratio,
        host=HostByShare(host_share=host_share),
    )
    gpu_j = energy_j - idle_j
    assert found.total_j == pytest.approx(pue_ratio * (gpu_j * (1 + host_share) + idle_j))

"""Circuits: when they open, and what closes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve.breaker import Circuit, Verdict, verdict_of_status


def opened(now_s: float = 100.0) -> Circuit:
    circuit = Circuit(failures_count=3, open_s=10.0)
    for _ in range(3):
        circuit.judge("fault", probe=False, now_s=now_s)
    return circuit


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "ok"), (400, "ok"), (404, "ok"), (429, "ok"), (499, "ok"), (501, "ok"),
     (500, "fault"), (502, "fault"), (503, "fault"), (504, "fault"), (529, "fault")],
)  # fmt: skip
def test_no_status_below_500_is_a_fault(status: int, verdict: Verdict) -> None:
    assert verdict_of_status(status) == verdict


def test_it_opens_after_faults_in_a_row() -> None:
    circuit = Circuit(failures_count=3, open_s=10.0)
    for verdict in ("fault", "fault", "ok", "fault", "left", "fault"):
        circuit.judge(verdict, probe=False, now_s=0.0)
        assert circuit.closed
    circuit.judge("fault", probe=False, now_s=5.0)
    assert not circuit.closed
    assert (circuit.until_s, circuit.state(5.0)) == (15.0, "open")


def test_one_request_tries_a_half_open_circuit() -> None:
    circuit = opened()
    assert not circuit.allows(109.9)
    assert circuit.allows(110.0)
    assert circuit.state(110.0) == "half_open"
    assert circuit.enter()
    assert not circuit.allows(200.0)
    circuit.judge("ok", probe=True, now_s=200.0)
    assert circuit.closed
    assert circuit.allows(200.0)
    assert not circuit.enter()


def test_a_probe_that_fails_opens_it_anew_and_one_that_left_frees_the_try() -> None:
    circuit = opened()
    circuit.enter()
    circuit.judge("left", probe=True, now_s=111.0)
    assert circuit.allows(111.0)
    circuit.enter()
    circuit.judge("fault", probe=True, now_s=112.0)
    assert not circuit.allows(121.9)
    assert circuit.allows(122.0)


def test_late_words_change_nothing() -> None:
    """Requests that began before it opened neither close it nor keep it open."""
    circuit = opened()
    circuit.judge("ok", probe=False, now_s=101.0)
    circuit.judge("fault", probe=False, now_s=109.0)
    assert circuit.until_s == 110.0


@given(st.lists(st.sampled_from([200, 400, 401, 404, 408, 413, 422, 429, 499, 501])))
def test_a_flood_of_4xx_never_opens_it(statuses: list[int]) -> None:
    circuit = Circuit(failures_count=1, open_s=10.0)
    for status in statuses:
        circuit.judge(verdict_of_status(status), probe=False, now_s=0.0)
    assert circuit.closed

"""Traces: windows, sessions, mergers, and every fault of section 11 told at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.company.trace import NO_SESSION, RequestTrace, merged
from tokenergy.company.trace_findings import repeats_after, trace_findings
from tokenergy.errors import FindingsError, InputError, UnexpectedError

START = datetime(2026, 3, 2, tzinfo=UTC)


def trace_of(arrival_s, *, span_s=100.0, workload=None, session=None, **more):
    count = len(arrival_s)
    given = {
        "input_tokens": np.arange(1, count + 1) * 10,
        "output_tokens": np.arange(1, count + 1),
        "workloads": ("chat", "batch"),
    } | more
    return RequestTrace.of(
        start=START,
        span_s=span_s,
        source="by hand",
        arrival_s=np.array(arrival_s, dtype=float),
        workload=None if workload is None else np.array(workload),
        session=None if session is None else np.array(session),
        **given,
    )


def drawn_trace(seed, count, span_s=1000.0):
    rng = np.random.default_rng(seed)
    return RequestTrace.of(
        start=START,
        span_s=span_s,
        source=f"drawn {seed}",
        workloads=("chat", "batch"),
        arrival_s=np.sort(rng.random(count)) * span_s,
        input_tokens=rng.integers(1, 5000, count),
        output_tokens=rng.integers(1, 500, count),
        workload=rng.integers(0, 2, count),
        session=rng.integers(-1, 5, count),
        tenants=("a", "b", "c"),
        tenant=rng.integers(0, 3, count),
    )


# ---- the noun ------------------------------------------------------------------------------


def test_what_a_source_does_not_tell_is_neutral() -> None:
    trace = trace_of([0.0, 1.0])
    assert trace.cached_tokens.tolist() == [0, 0]
    assert trace.session.tolist() == [NO_SESSION, NO_SESSION]
    assert trace.tenants == ("",) and trace.tenant.tolist() == [0, 0]
    assert np.isnan(trace.value_usd).all()
    assert trace.mean_requests_per_s == pytest.approx(0.02)
    assert trace.end == START + timedelta(seconds=100)
    assert not trace.is_synthetic


def test_arrays_of_unequal_length_are_our_fault() -> None:
    with pytest.raises(UnexpectedError, match=r"input_tokens \(3,\)"):
        trace_of([0.0, 1.0], input_tokens=np.array([1, 2, 3]))


def test_a_window_holds_its_begin_and_not_its_end() -> None:
    """Arrivals at 0, 10, 20, 20, 30 s; [10, 20) holds one; [20, 100) holds 20, 20 and 30."""
    trace = trace_of([0, 10, 20, 20, 30])
    first, second = trace.window(10, 20), trace.window(20, 100)
    assert first.arrival_s.tolist() == [0.0]
    assert first.input_tokens.tolist() == [20]
    assert first.start == START + timedelta(seconds=10)
    assert second.arrival_s.tolist() == [0.0, 0.0, 10.0]
    assert second.span_s == 80.0


def test_the_last_window_holds_the_arrivals_of_the_last_moment() -> None:
    trace = trace_of([0, 50, 100])
    assert trace.window(50, 100).requests_count == 2
    assert trace.window(0, 100).same_as(trace)


@pytest.mark.parametrize(("begin_s", "end_s"), [(-1, 5), (5, 5), (9, 3), (0, 101)])
def test_a_window_outside_of_the_trace_is_refused(begin_s, end_s) -> None:
    with pytest.raises(InputError, match="does not lie within 0 s to 100 s"):
        trace_of([0, 1]).window(begin_s, end_s)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 60),
    cuts=st.lists(st.integers(1, 999), max_size=6, unique=True),
)
def test_windows_that_meet_hold_every_request_once(seed, count, cuts) -> None:
    trace = drawn_trace(seed, count)
    edges = [0, *sorted(cuts), 1000]
    windows = [trace.window(a, b) for a, b in pairwise(edges)]
    whole = merged(windows, source=trace.source)
    assert np.allclose(whole.arrival_s, trace.arrival_s, atol=1e-9)
    for name in ("input_tokens", "output_tokens", "workload", "tenant"):
        assert np.array_equal(getattr(whole, name), getattr(trace, name)), name
    assert whole.span_s == pytest.approx(1000.0)
    for window in windows:
        assert not [f for f in window.findings() if f.code not in ("TRACE_EMPTY",)]


def test_of_workload_keeps_its_requests_and_its_name() -> None:
    trace = trace_of([0, 1, 2, 3], workload=[0, 1, 1, 0])
    batch = trace.of_workload("batch")
    assert batch.workloads == ("batch",)
    assert batch.workload.tolist() == [0, 0]
    assert batch.arrival_s.tolist() == [1.0, 2.0]
    both = trace.of_workload("batch", "chat")
    assert both.workload.tolist() == [1, 0, 0, 1]
    with pytest.raises(InputError, match="no workload 'films'; it knows chat, batch"):
        trace.of_workload("films")


def test_sorting_keeps_the_order_of_equal_arrivals() -> None:
    trace = trace_of([5, 1, 5, 0]).by_arrival()
    assert trace.input_tokens.tolist() == [40, 20, 10, 30]
    assert trace.by_arrival() is trace


def test_merged_traces_share_names_and_keep_sessions_apart() -> None:
    """The second starts 10 s later: its arrival of 1 s is 11 s after the first one's start."""
    one = trace_of([0, 12], workload=[0, 1], session=[0, NO_SESSION], tenants=("a",))
    two = replace(
        trace_of([1, 2], workload=[0, 0], session=[0, 1], tenants=("b", "a")),
        start=START + timedelta(seconds=10),
        workloads=("batch", "code"),
    )
    both = merged([one, two], source="both")
    assert both.arrival_s.tolist() == [0.0, 11.0, 12.0, 12.0]
    assert both.workloads == ("chat", "batch", "code")
    assert both.workload.tolist() == [0, 1, 1, 1]
    assert both.session.tolist() == [0, 1, NO_SESSION, 2]
    assert [both.tenants[at] for at in both.tenant] == ["a", "b", "a", "b"]
    assert both.span_s == 110.0
    with pytest.raises(InputError, match="nothing to merge"):
        merged([], source="none")


# ---- repeated data -------------------------------------------------------------------------


def test_an_hour_repeated_as_a_day_says_so() -> None:
    hour = drawn_trace(1, 200, span_s=3600.0)
    day = hour.repeated(24 * 3600.0)
    assert day.requests_count == 24 * 200
    assert "3600 s repeated 24 times" in day.source
    (finding,) = day.findings()
    assert (finding.code, finding.severity) == ("TRACE_REPEATED", "warning")
    assert float(finding.value) == pytest.approx(1.0)
    assert "24 times the same data" in finding.reason
    # Conversations of one hour are not those of the next.
    assert (
        np.unique(day.session[day.session >= 0]).size
        == 24 * np.unique(hour.session[hour.session >= 0]).size
    )
    assert day.checked() is day


def test_repeating_for_less_than_the_trace_is_a_window() -> None:
    trace = trace_of([0, 50, 99])
    assert trace.repeated(60.0).same_as(trace.window(0.0, 60.0))
    assert trace.repeated(150.0).arrival_s.tolist() == [0, 50, 99, 100]
    with pytest.raises(InputError, match="cannot fill"):
        trace.repeated(0.0)


@pytest.mark.parametrize("times", [1.7, 2.0, 3.7, 24.0])
def test_repetition_is_found_after_the_first_copy(times) -> None:
    trace = drawn_trace(3, 100)
    told = trace.repeated(1000.0 * times)
    assert repeats_after(told.arrival_s, told.input_tokens, told.output_tokens) == 100


def test_what_is_not_repeated_is_not_said_to_be() -> None:
    trace = drawn_trace(4, 500)
    assert repeats_after(trace.arrival_s, trace.input_tokens, trace.output_tokens) is None
    other = trace.repeated(2000.0)
    changed = other.output_tokens.copy()
    changed[-1] += 1
    assert repeats_after(other.arrival_s, other.input_tokens, changed) is None
    # Equal requests at equal distances are a pattern that somebody wrote.
    same = np.full(500, 7)
    assert repeats_after(np.arange(500.0), same, same) is None


# ---- findings ------------------------------------------------------------------------------


def test_a_good_trace_has_none() -> None:
    assert trace_of([0, 1, 1, 2]).findings() == ()


def test_every_fault_is_told_at_once() -> None:
    """Every fault of section 11 that a column can have, in six rows.

    Two rows of zero output, one negative input, one fraction, one NaN arrival, one unsorted, two
    with more cached than there is, one worth less than nothing, a start without a zone.
    """
    found = trace_findings(
        arrival_s=np.array([0.0, 5.0, 3.0, np.nan, 6.0, 7.0]),
        input_tokens=np.array([100.0, -4.0, 10.5, 10.0, 10.0, 10.0]),
        output_tokens=np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
        cached_tokens=np.array([0.0, 0.0, 0.0, 0.0, 11.0, 0.0]),
        value_usd=np.array([np.nan, 1.0, -0.5, 0.0, 1.0, 1.0]),
        start=datetime(2026, 3, 2),
        span_s=6.5,
        path="log.csv",
        row_numbers=np.arange(2, 8),
    )
    told = {(f.code, f.path): f for f in found}
    assert set(told) == {
        ("NAIVE_TIMESTAMP", "log.csv.start"),
        ("TRACE_ARRIVAL", "log.csv.arrival_s"),
        ("TRACE_UNSORTED", "log.csv.arrival_s"),
        ("TRACE_BEYOND_SPAN", "log.csv.arrival_s"),
        ("TRACE_TOKENS", "log.csv.input_tokens"),
        ("TRACE_TOKENS_FRACTION", "log.csv.input_tokens"),
        ("TRACE_TOKENS", "log.csv.output_tokens"),
        ("TRACE_CACHED", "log.csv.cached_tokens"),
        ("TRACE_CACHED", "log.csv.cached_tokens"),
        ("TRACE_VALUE", "log.csv.value_usd"),
    }
    zero = told["TRACE_TOKENS", "log.csv.output_tokens"]
    assert (zero.value, zero.limit, zero.unit) == ("0", ">= 1", "tokens")
    assert "2 rows, the first 2, 5" in zero.reason
    assert told["TRACE_TOKENS_FRACTION", "log.csv.input_tokens"].value == "10.5"
    unsorted = told["TRACE_UNSORTED", "log.csv.arrival_s"]
    assert unsorted.value == "3" and "(row 4)" in unsorted.reason
    assert all(f.severity == "error" and f.remedy for f in found)


def test_a_million_like_rows_are_one_finding() -> None:
    count = 1_000_000
    (found,) = trace_findings(
        arrival_s=np.arange(count, dtype=float),
        input_tokens=np.zeros(count, dtype=np.int64),
        output_tokens=np.ones(count, dtype=np.int64),
    )
    assert "1,000,000 rows, the first 0, 1, 2, 3, 4" in found.reason


def test_infinite_and_negative_arrivals_are_told() -> None:
    (found,) = trace_findings(
        arrival_s=np.array([-1.0, np.inf]), input_tokens=np.ones(2), output_tokens=np.ones(2)
    )
    assert found.code == "TRACE_ARRIVAL" and "2 rows" in found.reason and found.value == "-1"


def test_an_empty_trace_and_one_of_no_length_are_told() -> None:
    codes = [f.code for f in trace_of([], span_s=0.0).findings()]
    assert codes == ["TRACE_EMPTY", "TRACE_SPAN"]
    assert [f.code for f in trace_of([0.0], span_s=float("nan")).findings()] == ["TRACE_SPAN"]


def test_an_index_beyond_its_names_is_told() -> None:
    (found,) = trace_of([0, 1], workload=[0, 2]).findings()
    assert (found.code, found.value, found.limit) == ("TRACE_NAME", "2", "0 to 1")


def test_absurd_counts_are_told() -> None:
    trace = trace_of([0], input_tokens=np.array([10**9]), output_tokens=np.array([1]))
    with pytest.raises(FindingsError, match=r"TRACE_TOKENS_ABSURD at a\.csv\.input_tokens"):
        trace.checked(path="a.csv")

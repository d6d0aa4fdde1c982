"""Synthetic requests against known moments: seeds are fixed, bounds are 4 standard errors."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.synthetic.requests import (
    Conversations,
    RequestLengths,
    RequestShape,
    day_rates_per_s,
    synthetic_requests,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
ROWS = (
    "arrival_s", "input_tokens", "output_tokens", "cached_tokens", "workload", "session",
    "tenant", "value_usd",
)  # fmt: skip


def shape_of(rates, **more):
    shape = RequestShape.of_means(
        "chat", requests_per_s=np.array(rates, dtype=float), input_tokens=300, output_tokens=100
    )
    return replace(shape, **more)


def alone(rates, **more):
    return shape_of(rates, conversations=None, **more)


def made(*shapes, seed=1, interval_s=3600.0):
    return synthetic_requests(shapes, start=START, interval_s=interval_s, seed=seed)


# ---- arrivals ------------------------------------------------------------------------------


def test_without_bursts_counts_are_poisson() -> None:
    """3,600 slots of 1 s at 20/s: mean 20 +- 4 x sqrt(20/3600) = 0.30.

    The index of dispersion is 1 +- 4 x sqrt(2/3599) = 0.094.
    """
    trace = made(alone([20.0], burst_ratio=0.0)).trace
    counts = np.bincount(trace.arrival_s.astype(int), minlength=3600)
    assert abs(counts.mean() - 20.0) < 0.30
    assert abs(counts.var(ddof=1) / counts.mean() - 1.0) < 0.094
    assert trace.checked() is trace


def test_bursts_have_the_stated_dispersion() -> None:
    """In a slot of 10 s at 10/s: mean 100, variance 100 + 100^2 x 0.5^2 = 2,600.

    Over 8,640 slots the mean has a standard error of sqrt(2600/8640) = 0.55, and the variance
    (a negative binomial with r = 4: excess kurtosis 6/4 + 1/2600) one of
    2600 x sqrt(3.5/8640) = 52.3.
    """
    trace = made(alone([10.0] * 24, burst_ratio=0.5, burst_s=10.0)).trace
    counts = np.bincount((trace.arrival_s // 10).astype(int), minlength=8640)
    assert abs(counts.mean() - 100.0) < 4 * 0.55
    assert abs(counts.var(ddof=1) - 2_600.0) < 4 * 52.3


def test_a_day_has_its_hours() -> None:
    """Each hour's count within 4 standard errors of rate x 3600, sd^2 = m + (m x 0.14)^2 / 360."""
    rates = day_rates_per_s(5.0, start=START, hours_count=48, seed=3, utc_offset_h=-5.0)
    trace = made(alone(rates)).trace
    counts = np.bincount((trace.arrival_s // 3600).astype(int), minlength=48)
    mean = rates * 3600
    assert (np.abs(counts - mean) < 4 * np.sqrt(mean + (mean * 0.14) ** 2 / 360)).all()
    assert rates.max() > 1.5 * rates.min()


def test_an_hour_without_requests_has_none() -> None:
    trace = made(alone([1.0, 0.0, 1.0])).trace
    assert not ((trace.arrival_s >= 3600) & (trace.arrival_s < 7200)).any()


def test_a_sample_is_thinned_and_says_its_weight() -> None:
    """150,000/s x 3,600 s x 1e-4 = 54,000, sd below sqrt(54000 + (54000 x 0.14)^2 / 360) = 462."""
    sampled = made(alone([150_000.0], sample_share=1e-4))
    assert sampled.sample_share == (1e-4,)
    assert abs(sampled.trace.requests_count - 54_000) < 4 * 462
    assert sampled.weight_ratio.tolist() == pytest.approx([1e4])
    assert sampled.request_weight_ratio.sum() == pytest.approx(5.4e8, rel=0.04)
    assert "0.0001 of the requests sampled" in sampled.trace.source
    to = alone([150_000.0]).sampled_to(54_000, interval_s=3600.0)
    assert to.sample_share == pytest.approx(1e-4)


# ---- lengths and conversations -------------------------------------------------------------


def test_lengths_have_their_means_and_nothing_is_cached_of_single_requests() -> None:
    trace = made(alone([20.0])).trace
    for tokens, mean in ((trace.input_tokens, 300.0), (trace.output_tokens, 100.0)):
        assert abs(tokens.mean() - mean) < 4 * tokens.std() / math.sqrt(tokens.size)
    assert not trace.cached_tokens.any()
    assert (trace.session == -1).all()


def turns_of(trace):
    """The rows of each conversation in order, by session."""
    order = np.lexsort((trace.arrival_s, trace.session))
    edges = np.flatnonzero(np.diff(trace.session[order])) + 1
    return np.split(order, edges)


def test_the_next_turn_finds_all_that_was_said_cached() -> None:
    talk = Conversations(mean_turns_count=3.0, think_s=20.0)
    trace = made(shape_of([2.0], conversations=talk)).trace
    long = [rows for rows in turns_of(trace) if rows.size > 1]
    assert len(long) > 500
    for rows in long:
        before, after = rows[:-1], rows[1:]
        said = trace.input_tokens[before] + trace.output_tokens[before]
        assert np.array_equal(trace.cached_tokens[after], said)
        assert (trace.input_tokens[after] > said).all()
        waited_s = trace.arrival_s[after] - trace.arrival_s[before]
        assert (waited_s >= 0.02 * trace.output_tokens[before]).all()
        assert np.unique(trace.tenant[rows]).size == 1


def test_new_tokens_and_rate_are_as_stated_with_conversations() -> None:
    """Conversations open at 6/3 = 2/s, and 518,400 requests come in 24 h on average.

    The variance of their number is that of clusters, openings x E[T^2] = 172,800 x 15 = 2.6
    million (a geometric of mean 3 has E[T^2] = 2 x 9 - 3), and bursts add
    (518,400 x 0.14)^2 / 8640 = 0.6 million: sd 1,790.
    """
    trace = made(shape_of([6.0] * 24, conversations=Conversations(mean_turns_count=3.0))).trace
    assert abs(trace.requests_count - 518_400) < 4 * 1_790
    new = trace.input_tokens - trace.cached_tokens
    assert abs(new.mean() - 300.0) < 4 * new.std() / math.sqrt(new.size)
    out = trace.output_tokens
    assert abs(out.mean() - 100.0) < 4 * out.std() / math.sqrt(out.size)
    # The first hour is not short of later turns: conversations began before second 0.
    hours = np.bincount((trace.arrival_s // 3600).astype(int), minlength=24)
    assert abs(hours[0] - 21_600) < 4 * 1_790 / math.sqrt(24)


def test_whole_prompts_have_the_stated_mean_where_that_is_what_it_counts() -> None:
    """With 2 turns on average a request is turn E[T(T+1)/2]/E[T] = 2 of its conversation.

    (A geometric with p = 1/2: E[T^2] = 6, and (6 + 2)/2/2 = 2.) New tokens: (1000 - 100) / 2 =
    450. Prompts of one conversation are not independent: the variance is taken three times.
    """
    shape = replace(
        RequestShape.of_means(
            "chat", requests_per_s=np.full(24, 6.0), input_tokens=1000, output_tokens=100
        ),
        input_counts="all",
    )
    assert shape.conversations.mean_turn_count == pytest.approx(2.0, abs=1e-6)
    assert shape.new_tokens == pytest.approx(450.0, abs=1e-3)
    tokens = made(shape).trace.input_tokens
    assert abs(tokens.mean() - 1000.0) < 4 * math.sqrt(3 * tokens.var() / tokens.size)


@pytest.mark.parametrize(("mean", "most"), [(1.0, 50), (2.0, 50), (4.0, 5), (5.0, 5), (9.0, 1000)])
def test_turns_have_the_stated_mean(mean, most) -> None:
    share = Conversations(mean_turns_count=mean, most_turns_count=most).turns_share()
    assert share.sum() == pytest.approx(1.0)
    assert (share * np.arange(1, most + 1)).sum() == pytest.approx(mean, rel=1e-9)


def test_a_prompt_never_passes_the_most_and_drops_what_was_said() -> None:
    talk = Conversations(mean_turns_count=30.0, think_s=1.0)
    lengths = RequestLengths(mean_tokens=300, sigma_ratio=0.8, most_tokens=2000)
    trace = made(shape_of([2.0], conversations=talk, input_lengths=lengths)).trace
    assert trace.input_tokens.max() <= 2000
    dropped = [rows for rows in turns_of(trace) if (trace.cached_tokens[rows[1:]] == 0).any()]
    assert len(dropped) > 50
    new = trace.input_tokens - trace.cached_tokens
    assert abs(new.mean() - 300.0) < 4 * new.std() / math.sqrt(new.size)


# ---- users and worth -----------------------------------------------------------------------


def test_the_heaviest_tenth_of_users_asks_for_its_share() -> None:
    """A binomial share of 72,000 requests: 0.6 +- 4 x sqrt(0.24 / 72000) = 0.0073."""
    trace = made(alone([20.0], users_count=100, top_tenth_share=0.6)).trace
    counts = np.bincount(trace.tenant, minlength=100)
    assert abs(counts[:10].sum() / counts.sum() - 0.6) < 0.0073
    assert trace.tenants[0] == "chat-user-1" and len(trace.tenants) == 100


def test_worth_is_heavy_tailed_where_it_is_stated() -> None:
    """The top tenth of a lognormal of 0.5 has sigma 1.2816 and a mean of 0.02 USD."""
    trace = made(alone([20.0], value_usd=0.02, value_top_tenth_share=0.5)).trace
    worth = trace.value_usd
    assert abs(worth.mean() - 0.02) < 4 * worth.std() / math.sqrt(worth.size)
    top = np.sort(worth)[-worth.size // 10 :]
    assert top.sum() / worth.sum() == pytest.approx(0.5, abs=0.02)
    assert np.isnan(made(alone([1.0])).trace.value_usd).all()


# ---- seeds ---------------------------------------------------------------------------------


def test_a_seed_gives_the_same_trace_to_the_bit() -> None:
    shape = shape_of([0.3] * 3)
    assert made(shape).trace.same_as(made(shape).trace)
    assert not np.array_equal(made(shape).trace.arrival_s, made(shape, seed=2).trace.arrival_s)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    hours=st.integers(1, 4),
    more=st.integers(1, 4),
    turns=st.floats(1.0, 4.0),
)
def test_a_longer_span_begins_with_the_same_requests(seed, hours, more, turns) -> None:
    talk = Conversations(mean_turns_count=turns)
    shapes = [
        shape_of([0.05] * (hours + more), conversations=talk),
        replace(alone([0.02] * (hours + more)), workload="batch"),
    ]
    cut = [replace(shape, requests_per_s=shape.requests_per_s[:hours]) for shape in shapes]
    short, long = made(*cut, seed=seed).trace, made(*shapes, seed=seed).trace
    count = int(np.searchsorted(long.arrival_s, hours * 3600.0))
    assert short.requests_count == count
    for name in ROWS:
        assert np.array_equal(getattr(short, name), getattr(long, name)[:count], equal_nan=True), (
            name
        )


def test_a_workload_does_not_depend_on_its_neighbours() -> None:
    chat, other = shape_of([0.5] * 2), replace(shape_of([1.0] * 2), workload="other")
    both = made(other, chat).trace.of_workload("chat")
    own = made(chat).trace
    for name in ("arrival_s", "input_tokens", "output_tokens", "cached_tokens"):
        assert np.array_equal(getattr(both, name), getattr(own, name)), name
    # Conversations of the two are told apart.
    whole = made(other, chat).trace
    assert not set(whole.of_workload("chat").session) & set(whole.of_workload("other").session)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    burst=st.floats(0.0, 3.0),
    turns=st.floats(1.0, 20.0),
    share=st.floats(0.05, 1.0),
)
def test_every_trace_is_clean_and_synthetic(seed, burst, turns, share) -> None:
    talk = Conversations(mean_turns_count=turns, think_s=5.0)
    shape = shape_of([0.2, 0.1], conversations=talk, burst_ratio=burst, sample_share=share)
    trace = made(shape, seed=seed).trace
    assert trace.source.startswith("synthetic")
    assert {f.code for f in trace.findings()} <= {"TRACE_EMPTY"}
    assert trace.span_s == 7200.0


# ---- faults --------------------------------------------------------------------------------


def test_every_figure_out_of_range_is_named_at_once() -> None:
    bad = shape_of(
        [1.0, -2.0],
        sample_share=0.0,
        burst_s=0.0,
        conversations=Conversations(mean_turns_count=0.5, think_s=-1.0),
    )
    with pytest.raises(InputError) as caught:
        synthetic_requests([bad], start=datetime(2026, 3, 2, tzinfo=UTC), interval_s=0.0, seed=-1)
    for word in ("requests_per_s", "sample_share is 0", "burst_s is 0", "mean_turns_count is 0.5",
                 "think_s is -1", "interval_s is 0", "seed -1"):  # fmt: skip
        assert word in str(caught.value)


def test_too_many_requests_are_refused_before_they_are_made() -> None:
    with pytest.raises(InputError, match="about 540,000,000 requests would be made"):
        made(alone([150_000.0]))


def test_workloads_of_unequal_spans_or_one_name_are_refused() -> None:
    with pytest.raises(InputError, match=r"each is stated once.*different numbers"):
        made(alone([1.0]), alone([1.0, 1.0]))


def test_a_prompt_that_leaves_no_new_token_is_refused() -> None:
    shape = shape_of([1.0], input_counts="all", conversations=Conversations(mean_turns_count=20.0))
    with pytest.raises(InputError, match=r"leaves .* new ones a turn"):
        made(shape)

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.metering.sample import EngineSample
from tokenergy.metering.window import COUNTERS, window

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def sample(after_s: float = 0.0, count: int | None = 0, **fields: object) -> EngineSample:
    """A sample `after_s` after noon whose four counters all say `count`."""
    made = EngineSample(
        at=NOON + timedelta(seconds=after_s),
        ticks_s=100.0 + after_s,
        engine="vllm",
        version="since 2026-02",
        model_names=("m",),
        prompt_tokens=count,
        cached_tokens=count,
        output_tokens=count,
        requests=count,
        running_count=1.0,
        waiting_count=0.0,
    )
    return replace(made, **fields)


def counts(made: object) -> list[int | None]:
    return [getattr(made, name) for name in COUNTERS]


def test_a_window_is_the_difference_of_its_ends() -> None:
    """100 to 160 tokens is 60; a gauge of 1, after 20 s 3, after 60 s 1 is 2 on the mean.

    (20 s x (1 + 3) / 2 + 40 s x (3 + 1) / 2) / 60 s = 2.
    """
    middle = sample(20, 120, running_count=3.0)
    made = window(sample(0, 100), sample(60, 160), (middle,))
    assert counts(made) == [60, 60, 60, 60]
    assert (made.start, made.end, made.span_s) == (NOON, NOON + timedelta(seconds=60), 60.0)
    assert made.running_count == pytest.approx(2.0)
    assert (made.reset, made.reason) == (False, "")


def test_one_counter_that_falls_makes_the_whole_window_unknown() -> None:
    """The others may have passed their old value since the restart: they are not known."""
    made = window(sample(0, 100), sample(60, 500, requests=3))
    assert counts(made) == [None] * 4
    assert made.reset
    assert made.reason == "requests fell: the engine restarted"


def test_a_reset_between_is_seen_although_the_ends_rose() -> None:
    made = window(sample(0, 100), sample(60, 500), (sample(30, 2),))
    assert made.reset
    assert counts(made) == [None] * 4


def test_a_restart_of_one_of_several_engines_is_seen_although_the_sum_rose() -> None:
    """100 + 100 became 10 + 400: the sum rose by 210, and nobody knows the truth."""
    before = sample(
        0, 200, parts=(("prompt_tokens{'engine': '0'}", 100), ("prompt_tokens{'engine': '1'}", 100))
    )
    after = sample(
        60, 410, parts=(("prompt_tokens{'engine': '0'}", 10), ("prompt_tokens{'engine': '1'}", 400))
    )
    made = window(before, after)
    assert made.reset
    assert "'0'" in made.reason
    gone = window(before, replace(after, parts=after.parts[1:]))
    assert gone.reset


def test_a_quantity_that_is_not_told_for_once_is_no_restart() -> None:
    before = sample(0, 100, parts=(("cached_tokens{}", 5), ("prompt_tokens{}", 100)))
    after = sample(60, 150, cached_tokens=None, parts=(("prompt_tokens{}", 150),))
    made = window(before, after)
    assert counts(made) == [50, None, 50, 50]
    assert not made.reset


def test_a_process_that_began_anew_is_a_reset_whatever_its_counters_say() -> None:
    later = NOON + timedelta(seconds=30)
    made = window(sample(0, 100, started_at=NOON), sample(60, 500, started_at=later))
    assert made.reset
    assert "restarted at 2026-11-24T12:00:30Z" in made.reason


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"engine": "sglang"}, "the engine changed from 'vllm' to 'sglang'"),
        ({"version": "0.8 (V1)"}, "the version changed"),
        ({"model_names": ("n",)}, "the model changed from 'm' to 'n'"),
    ],
)
def test_samples_of_different_things_have_no_difference(
    fields: dict[str, object], told: str
) -> None:
    made = window(sample(0, 100), sample(60, 160, **fields))
    assert counts(made) == [None] * 4
    assert told in made.reason
    assert not made.reset


def test_a_model_that_is_named_only_later_is_no_change() -> None:
    assert counts(window(sample(0, 100, model_names=()), sample(60, 160))) == [60] * 4


@pytest.mark.parametrize("after_s", [0.0, -5.0])
def test_no_time_is_no_window(after_s: float) -> None:
    made = window(sample(0, 100), sample(after_s, 160))
    assert counts(made) == [None] * 4
    assert made.running_count is None
    assert made.span_s == 0.0
    assert "no time passed" in made.reason or "before the first" in made.reason
    assert made.end >= made.start


def test_a_clock_that_was_set_back_changes_neither_span_nor_tokens() -> None:
    """Our clock went back by an hour; the monotonic clock says 60 s."""
    after = replace(sample(60, 160), at=NOON - timedelta(hours=1))
    made = window(sample(0, 100), after)
    assert counts(made) == [60] * 4
    assert made.span_s == 60.0
    assert made.end == NOON + timedelta(seconds=60)
    assert made.reason == "our clock was set back by 3660 s"


@pytest.mark.parametrize(
    ("off_s", "told"),
    [
        (2.0, ""),
        (-2.9, ""),  # a Date header is up to a second old by itself
        (3.0, "the engine's clock is 3 s ahead of ours"),
        (-61.0, "the engine's clock is 60 s behind ours"),
    ],
)
def test_an_engine_whose_clock_is_off_is_told_and_counted(off_s: float, told: str) -> None:
    after = sample(60, 160)
    made = window(sample(0, 100), replace(after, engine_at=after.at + timedelta(seconds=off_s)))
    assert made.reason == told
    assert counts(made) == [60] * 4


def test_a_counter_that_is_missing_is_unknown_with_the_reason() -> None:
    before = sample(0, 100, cached_tokens=None, notes=("cached_tokens: it counts blocks",))
    made = window(before, sample(60, 160, requests=None))
    assert counts(made) == [60, None, 60, None]
    assert made.reason == "cached_tokens: it counts blocks; requests: the engine does not tell"


def test_more_cached_tokens_than_the_prompts_have_are_unknown() -> None:
    made = window(sample(0, 0), sample(60, 50, cached_tokens=60))
    assert made.cached_tokens is None
    assert made.prompt_tokens == 50
    assert "60 is more than the 50" in made.reason


def test_a_gauge_that_an_end_lacks_has_no_mean() -> None:
    made = window(sample(0, 1), sample(60, 2, running_count=None), (sample(30, 1),))
    assert made.running_count is None
    assert made.waiting_count == 0.0


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.integers(1, 10**5),
            st.floats(0, 256, allow_nan=False),
        ),
        min_size=2,
        max_size=8,
    ),
    at=st.integers(0, 5),
)
def test_the_windows_of_a_split_add_up_to_the_whole(
    steps: list[tuple[int, int, float]], at: int
) -> None:
    samples, count, moment_s = [sample(0, 0)], 0, 0.0
    for tokens, span_s, running in steps:
        count, moment_s = count + tokens, moment_s + span_s
        samples.append(sample(moment_s, count, running_count=running))
    cut = 1 + at % (len(samples) - 2)
    whole = window(samples[0], samples[-1], samples[1:-1])
    first = window(samples[0], samples[cut], samples[1:cut])
    second = window(samples[cut], samples[-1], samples[cut + 1 : -1])
    assert [a + b for a, b in zip(counts(first), counts(second), strict=True)] == counts(whole)  # type: ignore[operator]
    assert first.end == second.start
    assert first.span_s + second.span_s == pytest.approx(whole.span_s)
    halves = [(half.running_count or 0.0) * half.span_s for half in (first, second)]
    assert sum(halves) == pytest.approx((whole.running_count or 0.0) * whole.span_s, abs=1e-6)


@given(
    grown=st.lists(st.integers(0, 1000), min_size=3, max_size=12),
    reset=st.integers(1, 11),
)
def test_a_reset_loses_only_its_own_window(grown: list[int], reset: int) -> None:
    """Counters grow by `grown`; before the reading at `reset` the engine begins anew at 0."""
    reset = min(reset, len(grown) - 1)
    samples, count = [sample(0, 10_000)], 10_000
    for at, tokens in enumerate(grown, start=1):
        count = tokens if at == reset else count + tokens
        samples.append(sample(60.0 * at, count))
    windows = [window(a, b) for a, b in pairwise(samples)]
    for at, made in enumerate(windows, start=1):
        assert made.output_tokens == (None if at == reset else grown[at - 1])
        assert made.reset == (at == reset)

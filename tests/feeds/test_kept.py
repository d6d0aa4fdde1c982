"""What is kept of the rows: the span, in order, each interval once; the rest is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds.answer import Answer
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.series import Ask, FeedRow, FeedSeries

START = datetime(2025, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANSWER = Answer(status=200, body=b"", headers={}, fetched_at=START, url="http://source")
DESCRIBED = Described(feed="f", unit="EUR/MWh", column="c", source="s", step=HOUR)


def row(hour: int, value: float | None, *, day: int | None = None, **more: Any) -> FeedRow:
    published = None if day is None else START - timedelta(days=day)
    return FeedRow(
        start=START + hour * HOUR, step=HOUR, value=value, published_at=published, **more
    )


def series(rows: list[FeedRow], *, hours: int = 4, answers: Any = (ANSWER,)) -> FeedSeries:
    ask = Ask(zone="z", quantity="load", start=START, end=START + hours * HOUR)
    return series_of(ask, DESCRIBED, rows=rows, answers=answers)


def codes(told: FeedSeries) -> dict[str, str]:
    return {finding.code: finding.value for finding in told.findings}


def test_only_the_span_is_kept_in_order() -> None:
    told = series([row(3, 3.0), row(4, 4.0), row(-1, 9.0), row(0, 0.0), row(2, 2.0), row(1, 1.0)])
    assert [kept.value for kept in told.rows] == [0.0, 1.0, 2.0, 3.0]
    assert told.findings == ()


def test_a_whole_series_has_no_findings_and_holes_are_counted() -> None:
    """Of four hours, 0 is absent, 2 came empty and 3 is absent: three holes, the first at 0."""
    told = series([row(1, 1.0), row(2, None)])
    assert codes(told) == {"FEED_GAP": "3"}
    assert START.isoformat() in told.findings[0].reason


def test_the_later_published_version_counts_wherever_it_stands() -> None:
    told = series([row(0, 5.0, day=1), row(0, 7.0, day=3), row(1, 1.0)], hours=2)
    assert told.rows[0].value == 5.0
    assert codes(told) == {"FEED_REVISED": "1"}


def test_a_revision_number_goes_before_the_time() -> None:
    told = series([row(0, 5.0, revision=2), row(0, 7.0, revision=1)], hours=1)
    assert told.rows[0].value == 5.0


def test_a_version_withdrawn_is_a_hole() -> None:
    told = series([row(0, None, day=1), row(0, 7.0, day=3), row(1, 1.0)], hours=2)
    assert told.rows[0].value is None
    assert codes(told) == {"FEED_REVISED": "1", "FEED_GAP": "1"}


def test_two_values_that_nothing_tells_apart_leave_a_hole() -> None:
    told = series([row(0, 5.0), row(0, 7.0), row(1, 1.0)], hours=2)
    assert [kept.value for kept in told.rows] == [None, 1.0]
    assert codes(told) == {"FEED_TWO_VALUES": "1", "FEED_GAP": "1"}


def test_an_hour_twice_with_one_value_is_told_only() -> None:
    told = series([row(0, 5.0), row(0, 5.0), row(1, 1.0)], hours=2)
    assert [kept.value for kept in told.rows] == [5.0, 1.0]
    assert codes(told) == {"FEED_DOUBLED": "1"}


def test_steps_may_change_but_not_overlap() -> None:
    quarter = FeedRow(start=START + HOUR, step=HOUR / 4, value=1.0)
    told = series([row(0, 0.0), quarter], hours=2)
    assert codes(told) == {"FEED_GAP": "3"}
    inside = FeedRow(start=START + HOUR / 2, step=HOUR / 4, value=1.0)
    with pytest.raises(FindingsError, match="FEED_STEP"):
        series([row(0, 0.0), inside])


@pytest.mark.parametrize("rows", [[], [row(0, None)], [row(9, 1.0)]])
def test_nothing_is_an_error(rows: list[FeedRow]) -> None:
    with pytest.raises(FindingsError, match="FEED_EMPTY"):
        series(rows)


def test_a_copy_that_stands_in_is_told() -> None:
    old = Answer(
        status=200,
        body=b"",
        headers={},
        fetched_at=START - HOUR,
        from_cache=True,
        failed="it answers 503",
        url="http://source",
    )
    told = series([row(0, 1.0)], hours=1, answers=(ANSWER, old))
    assert (told.fetched_at, told.from_cache) == (START - HOUR, True)
    assert list(codes(told)) == ["FEED_STALE"]
    assert "it answers 503" in told.findings[0].reason


ROWS = st.lists(
    st.builds(
        row,
        st.integers(-2, 8),
        st.none() | st.integers(0, 3).map(float),
        day=st.none() | st.integers(0, 3),
    ),
    max_size=25,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_rows_are_in_order_once_and_never_made_up(rows: list[FeedRow], luck: Any) -> None:
    whole = [*rows, row(0, 1.0, day=-9)]
    told = series(whole, hours=6)
    starts = [kept.start for kept in told.rows]
    assert starts == sorted(set(starts))
    assert all(START <= start < START + 6 * HOUR for start in starts)
    came = {(one.start, one.value) for one in whole}
    assert all(kept.value is None or (kept.start, kept.value) in came for kept in told.rows)
    known = sum(kept.value is not None for kept in told.rows)
    assert int(codes(told).get("FEED_GAP", "0")) == 6 - known
    shuffled = list(whole)
    luck.shuffle(shuffled)
    again = series(shuffled, hours=6)
    assert [(one.start, one.value) for one in again.rows] == [
        (one.start, one.value) for one in told.rows
    ]


def test_a_revision_tells_the_largest_change_within_one_answer() -> None:
    """Hour 0 goes from 7 to 5, hour 1 from 1 to 4.5: the largest is +3.5 at hour 1."""
    rows = [
        row(0, 7.0, day=3),
        row(0, 5.0, day=1),
        row(1, 4.5, day=1),
        row(1, 1.0, day=2),
        row(1, None, day=4),
    ]
    (finding,) = series(rows, hours=2).findings
    assert (finding.code, finding.value) == ("FEED_REVISED", "2")
    assert f"largest change is +3.5 EUR/MWh at {(START + HOUR).isoformat()}" in finding.reason


def test_a_value_that_came_late_is_no_change() -> None:
    (finding,) = series([row(0, None, day=3), row(0, 5.0, day=1)], hours=1).findings
    assert finding.code == "FEED_REVISED" and "largest" not in finding.reason

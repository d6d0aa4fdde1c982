"""How a series lies in time: days of 23 and 25 hours, steps, holes, and a day told twice."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds.laid import (
    HOUR,
    check_unit,
    hourly_mean,
    laid,
    pieces,
    repeated_days,
    steps_of,
    utc_of,
    with_holes,
)
from tokenergy.feeds.series import Ask, FeedRow, FeedSeries

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 2, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def rows(values: Sequence[float | None], *, step: timedelta = HOUR) -> list[FeedRow]:
    return [FeedRow(start=START + at * step, step=step, value=v) for at, v in enumerate(values)]


def series(held: Sequence[FeedRow]) -> FeedSeries:
    return FeedSeries(
        feed="f",
        zone="z",
        quantity="day_ahead_price",
        unit="EUR/MWh",
        column="c",
        rows=tuple(held),
        source="s",
        fetched_at=START,
    )


def codes(told: FeedSeries) -> list[str]:
    return [finding.code for finding in told.findings]


# ---- local stamps ---------------------------------------------------------------------------


def local_day(year: int, month: int, day: int, step: timedelta) -> list[datetime]:
    """Return the local stamps of a day in Berlin as a right source writes them."""
    at = datetime(year, month, day, tzinfo=BERLIN).astimezone(UTC)
    end = (datetime(year, month, day) + timedelta(days=1)).replace(tzinfo=BERLIN).astimezone(UTC)
    stamps = []
    while at < end:
        stamps.append(at.astimezone(BERLIN).replace(tzinfo=None))
        at += step
    return stamps


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
@pytest.mark.parametrize("step", [HOUR, QUARTER])
@pytest.mark.parametrize("backwards", [False, True])
def test_both_hours_of_autumn_are_told_apart_and_spring_has_none(
    day: tuple[int, int, int], hours: int, step: timedelta, backwards: bool
) -> None:
    """Local stamps of a day, the newest first too, become its 23 or 25 hours of UTC in order."""
    stamps = local_day(*day, step)
    moments, findings = utc_of(stamps[::-1] if backwards else stamps, BERLIN, path="p")
    first = datetime(*day, tzinfo=BERLIN).astimezone(UTC)
    expected = [first + at * step for at in range(round(hours * HOUR / step))]
    assert moments == (expected[::-1] if backwards else expected)
    assert findings == ()


def test_an_autumn_day_of_24_rows_leaves_the_hour_that_may_be_either_out() -> None:
    plain = [datetime(2026, 10, 25, hour) for hour in range(24)]
    moments, (finding,) = utc_of(plain, BERLIN, path="p")
    assert moments[2] is None
    assert moments[1] == datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert moments[3] == datetime(2026, 10, 25, 2, tzinfo=UTC)
    assert (finding.code, finding.value, finding.severity) == ("FEED_DST_DAY", "1", "warning")
    assert "2026-10-25" in finding.reason


def test_a_spring_day_of_24_rows_leaves_the_skipped_hour_out() -> None:
    plain = [datetime(2026, 3, 29, hour) for hour in range(24)]
    moments, (finding,) = utc_of(plain, BERLIN, path="p")
    assert [at for at, when in enumerate(moments) if when is None] == [2]
    assert moments[3] == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert finding.code == "FEED_DST_DAY"


def test_stamps_with_an_offset_need_no_zone() -> None:
    stamp = datetime.fromisoformat("2026-10-25T02:00+01:00")
    assert utc_of([stamp], BERLIN, path="p") == ([datetime(2026, 10, 25, 1, tzinfo=UTC)], ())


@given(st.integers(0, 366 * 24), st.integers(1, 24 * 40), st.sampled_from([1, 2, 4]))
def test_a_right_source_is_read_right_over_any_span(first: int, count: int, parts: int) -> None:
    """UTC -> local without offset -> UTC is the same, unless the span cuts the repeated hour."""
    step = HOUR / parts
    begin = datetime(2025, 12, 31, tzinfo=UTC) + first * HOUR
    whole = [begin + at * step for at in range(count * parts)]
    cut = {datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)}
    hours = {when.replace(minute=0) for when in whole}
    if len(cut & hours) == 1:
        return
    stamps = [when.astimezone(BERLIN).replace(tzinfo=None) for when in whole]
    assert utc_of(stamps, BERLIN, path="p") == (whole, ())


# ---- steps ----------------------------------------------------------------------------------


def test_a_step_that_changes_within_the_span_is_kept() -> None:
    """As on 2025-10-01 (22:00 UTC of the day before): hours, then quarters."""
    change = datetime(2025, 9, 30, 22, tzinfo=UTC)
    starts = [change - at * HOUR for at in (3, 2, 1)] + [change + at * QUARTER for at in range(4)]
    assert steps_of(starts) == [HOUR] * 3 + [QUARTER] * 4


@pytest.mark.parametrize("sequence", [[60] * 5 + [15] * 9, [15] * 9 + [60] * 5, [15] * 3 + [5] * 9])
def test_a_change_is_seen_in_both_directions(sequence: list[int]) -> None:
    lengths = [timedelta(minutes=minutes) for minutes in sequence]
    starts = [START + sum(lengths[:at], timedelta()) for at in range(len(lengths))]
    assert steps_of(starts) == lengths


@given(st.sets(st.integers(0, 60), max_size=3))
def test_quarters_with_a_few_holes_stay_quarters(holes: set[int]) -> None:
    starts = [START + at * QUARTER for at in range(-3, 64) if at not in holes]
    assert steps_of(starts) == [QUARTER] * len(starts)


def test_a_hole_makes_no_interval_longer() -> None:
    """Of 12 quarters, the 5th and then the 8th to 10th are absent: all others stay quarters."""
    starts = [START + at * QUARTER for at in range(12) if at not in (4, 7, 8, 9)]
    assert steps_of(starts) == [QUARTER] * 8


@given(st.sets(st.integers(0, 60), min_size=4), st.sampled_from([5, 15, 60]))
def test_intervals_never_overlap(places: set[int], minutes: int) -> None:
    step = timedelta(minutes=minutes)
    starts = [START + at * step for at in sorted(places)]
    lengths = steps_of(starts)
    assert len(lengths) == len(starts)
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    assert all(end <= after for end, after in zip(ends, starts[1:], strict=False))


def test_one_stamp_has_the_default_step() -> None:
    assert steps_of([START], default=QUARTER) == [QUARTER]
    assert steps_of([]) == []


# ---- holes and staleness --------------------------------------------------------------------


def test_holes_become_rows_without_a_value() -> None:
    held = [row for row in rows([0, 1, 2, 3]) if row.value in (1, 3)]
    filled = list(with_holes(held, start=START, end=START + 6 * HOUR))
    assert [row.value for row in filled] == [None, 1, None, 3, None, None]
    assert [row.start for row in filled] == [START + at * HOUR for at in range(6)]


def test_a_hole_before_a_change_of_step_has_the_later_step() -> None:
    held = [*rows([5.0]), FeedRow(start=START + 2 * HOUR, step=QUARTER, value=1.0)]
    filled = list(with_holes(held, start=START, end=START + 2 * HOUR))
    assert [row.step for row in filled] == [HOUR, *[QUARTER] * 5]


@given(st.lists(st.integers(0, 40), unique=True), st.integers(0, 50))
def test_with_holes_tiles_the_span_and_keeps_every_row(places: list[int], end: int) -> None:
    held = [FeedRow(start=START + at * HOUR, step=HOUR, value=1.0) for at in sorted(places)]
    filled = list(with_holes(held, start=START, end=START + end * HOUR))
    assert [row.start for row in filled] == [START + at * HOUR for at in range(len(filled))]
    assert [row for row in filled if row.value is not None] == held
    assert len(filled) == max([end, *(at + 1 for at in places)])


def test_an_answer_that_ends_too_early_is_stale_up_to_now_only() -> None:
    """Ten hours are asked, it is 6 o'clock, and the source ends at 3: three rows are holes."""
    ask = Ask(zone="z", quantity="load", start=START, end=START + 10 * HOUR)
    told = laid(series(rows([1.0, 2.0, 3.0])), ask, now=START + 6 * HOUR)
    assert [row.value for row in told.rows] == [1.0, 2.0, 3.0, None, None, None]
    (finding,) = told.findings
    assert (finding.code, finding.limit) == ("FEED_STALE", (START + 6 * HOUR).isoformat())
    assert codes(laid(series(rows([1.0, 2.0, 3.0])), ask, now=START + 3 * HOUR)) == []


def test_yesterday_again_is_told() -> None:
    """Day 2 repeats day 1 value for value, day 3 in all but one hour."""
    day = [float(hour % 7) for hour in range(24)]
    (finding,) = repeated_days(rows([*day, *day, *day[:-1], 99.0]), path="p")
    assert (finding.code, finding.value) == ("FEED_STALE", "2026-03-03")


@pytest.mark.parametrize("second", [[1.0] * 24, [1.0, 2.0] * 12, [float(h) for h in range(6)]])
def test_calm_days_and_parts_of_days_may_repeat(second: list[float]) -> None:
    first = second + [0.0] * (24 - len(second))
    assert list(repeated_days(rows([*first, *second]), path="p")) == []


# ---- means of hours -------------------------------------------------------------------------


def test_quarters_become_the_mean_of_their_hour() -> None:
    """(10 + 20 + 30 + 40) / 4 = 25; an hour with a hole, or with three quarters, has none."""
    quarters = rows([10, 20, 30, 40, 1, None, 1, 1, 5, 5, 5], step=QUARTER)
    told = hourly_mean(series(quarters))
    assert [row.value for row in told.rows] == [25.0, None, None]
    assert {row.step for row in told.rows} == {HOUR}
    assert told.source == "s (means of each hour)"


def test_a_mean_weighs_by_length_and_keeps_the_newest_version() -> None:
    """Half an hour of 10 and two quarters of 20 and 40: 5 + 5 + 10 = 20."""
    parts = [
        FeedRow(start=START, step=2 * QUARTER, value=10.0, published_at=START, revision=1),
        FeedRow(start=START + 2 * QUARTER, step=QUARTER, value=20.0, revision=3),
        FeedRow(start=START + 3 * QUARTER, step=QUARTER, value=40.0, published_at=START + HOUR),
    ]
    (row,) = hourly_mean(series(parts)).rows
    assert (row.value, row.published_at, row.revision) == (20.0, START + HOUR, 3)


def test_hours_stay_as_they_are_and_longer_ones_are_refused() -> None:
    whole = series(rows([1.0, 2.0]))
    assert hourly_mean(whole) is whole
    long = [FeedRow(start=START, step=2 * HOUR, value=1.0)]
    with pytest.raises(FindingsError, match="FEED_STEP"):
        hourly_mean(series(long))


def test_a_change_of_step_is_told_and_gone_with_the_means() -> None:
    held = [*rows([5.0]), *(FeedRow(start=START + HOUR + at * QUARTER, step=QUARTER, value=1.0)
                            for at in range(4))]  # fmt: skip
    ask = Ask(zone="z", quantity="load", start=START, end=START + 2 * HOUR)
    told = laid(series(held), ask, now=START + 9 * HOUR)
    assert codes(told) == ["FEED_STEP_CHANGES"]
    assert told.findings[0].value == "15, 60"
    assert codes(hourly_mean(told)) == []


# ---- units and pieces -----------------------------------------------------------------------


@pytest.mark.parametrize("told", ["EUR / MWh", "eur/mwh", "€/MWh", " EUR/ MWh "])
def test_spellings_of_one_unit_are_one(told: str) -> None:
    check_unit(told, expected="EUR/MWh", path="p")


@pytest.mark.parametrize("told", ["EUR/kWh", "ct/kWh", "GBP/MWh", "", "EUR"])
def test_another_unit_is_refused_with_the_expected_one(told: str) -> None:
    with pytest.raises(FindingsError) as caught:
        check_unit(told, expected="EUR/MWh", path="p")
    (finding,) = caught.value.findings
    assert (finding.code, finding.limit) == ("FEED_UNIT", "EUR/MWh")


def test_pieces_tile_a_span() -> None:
    cut = list(pieces(START, START + 5 * HOUR, limit=2 * HOUR))
    assert [(end - begin) / HOUR for begin, end in cut] == [2, 2, 1]
    assert cut[0][0] == START and cut[-1][1] == START + 5 * HOUR

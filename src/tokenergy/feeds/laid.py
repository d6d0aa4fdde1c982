"""How a series lies in time: local stamps made UTC, steps, holes as rows, and a day told twice."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Final
from zoneinfo import ZoneInfo

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.feeds.series import Ask, FeedRow, FeedSeries

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
STEPS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 10, 15, 20, 30, 60))
"""Lengths of interval that markets and engines use."""
FEWEST_COUNT: Final = 4
"""Fewer equal distances in a row, amid others, are holes and no length of interval."""
FEWEST_AT_AN_END_COUNT: Final = 2
"""The same at the beginning or the end of a span."""
WHOLE_DAY_SHARE: Final = 0.8
"""A day is compared with the day before if this share of it has values on both."""
FEWEST_VALUES_COUNT: Final = 3
"""A day of fewer different values may well repeat: calm weather, a fixed tariff."""


def utc_of(
    stamps: Sequence[datetime], zone: ZoneInfo, *, path: str
) -> tuple[list[datetime | None], tuple[Finding, ...]]:
    """Return local stamps, in the order of the source, as moments in UTC.

    In autumn the first of two equal stamps is summer time, the second is winter time. A stamp
    that stands once though its hour comes twice (a source of 24 rows a day) may be either: it
    becomes None, as does a stamp in the hour that spring skips. Both are told as FEED_DST_DAY.
    A source that begins with the newest is read from its end. A stamp with an offset needs no
    zone.
    """
    bare = [stamp for stamp in stamps if stamp.tzinfo is None]
    if bare and bare[0] > bare[-1]:
        backwards, findings = utc_of(stamps[::-1], zone, path=path)
        return backwards[::-1], findings
    times = Counter(bare)
    seen: set[datetime] = set()
    moments: list[datetime | None] = []
    unsure: list[datetime] = []
    for stamp in stamps:
        if stamp.tzinfo is not None:
            moments.append(stamp.astimezone(UTC))
            continue
        first = stamp.replace(tzinfo=zone, fold=0)
        second = stamp.replace(tzinfo=zone, fold=1)
        skipped = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != stamp
        twice = first.utcoffset() != second.utcoffset() and not skipped
        if skipped or (twice and times[stamp] == 1):
            unsure.append(stamp)
            moments.append(None)
            continue
        moments.append((second if stamp in seen and twice else first).astimezone(UTC))
        seen.add(stamp)
    if not unsure:
        return moments, ()
    days = sorted({f"{stamp:%Y-%m-%d}" for stamp in unsure})
    finding = Finding(
        code="FEED_DST_DAY",
        path=path,
        value=f"{len(unsure)}",
        limit="23 or 25 hours on a day on which clocks move",
        unit="rows",
        reason=f"the source gives a plain day where the clocks of {zone.key} move "
        f"({', '.join(days[:5])}): which hour those rows belong to is not known, so they are left "
        "out",
        remedy="Ask a source that stamps in UTC, or state the zone that its stamps are really in",
        severity="warning",
    )
    return moments, (finding,)


def steps_of(starts: Sequence[datetime], *, default: timedelta = HOUR) -> list[timedelta]:
    """Return the length of the interval that begins at each of sorted, different stamps.

    A source that gives starts only may change its step within a span (day-ahead prices of
    Europe went from 60 to 15 minutes on 2025-10-01), and may leave intervals out. So a length
    is the distance to the next stamp where several in a row have it; a few longer distances are
    holes, and their intervals are as long as their neighbours.
    """
    if len(starts) < 2:
        return [default] * len(starts)
    gaps = [after - before for before, after in pairwise(starts)]
    runs = [
        (gap if gap in STEPS else None, len(list(run)))
        for gap, run in groupby(gap if gap in STEPS else None for gap in gaps)
    ]
    firm = [
        step
        if count >= (FEWEST_COUNT if 0 < at < len(runs) - 1 else FEWEST_AT_AN_END_COUNT)
        else None
        for at, (step, count) in enumerate(runs)
    ]
    usual = min((step for step, _ in runs if step is not None), default=default)
    steps: list[timedelta] = []
    for at, (step, count) in enumerate(runs):
        before = next((one for one in firm[at::-1] if one is not None), None)
        after = next((one for one in firm[at:] if one is not None), None)
        near = [one for one in (before, after) if one is not None] or [usual]
        steps += [min(near) if step is None else min(step, *near)] * count
    steps.append(steps[-1])
    return [min(step, gap) for step, gap in zip(steps, [*gaps, steps[-1]], strict=True)]


def laid(series: FeedSeries, ask: Ask, *, now: datetime) -> FeedSeries:
    """Return the series with a row for every hole up to now, and with what its values betray.

    Tells FEED_STALE where the newest interval is older than was asked, or where a day repeats
    the day before, and FEED_STEP_CHANGES where intervals differ in length.
    """
    path = series.name
    rows = tuple(with_holes(series.rows, start=ask.start, end=min(ask.end, now)))
    told = (*_behind(series.rows, ask, now=now, path=path), *repeated_days(rows, path=path))
    return replace(
        series,
        rows=rows,
        findings=(*series.findings, *told, *_step_changes(rows, path=path)),
    )


def with_holes(rows: Sequence[FeedRow], *, start: datetime, end: datetime) -> Iterator[FeedRow]:
    """Yield the rows, and a row of value None for each interval without one in `[start, end)`."""
    at = start
    for row in rows:
        if row.start > at:
            # The hole before a row has that row's step, and is counted back from its start.
            count = (row.start - at) // row.step
            for back in range(count, 0, -1):
                yield FeedRow(start=row.start - back * row.step, step=row.step, value=None)
        yield row
        at = row.start + row.step
    step = rows[-1].step if rows else HOUR
    while at + step <= end:
        yield FeedRow(start=at, step=step, value=None)
        at += step


def repeated_days(rows: Sequence[FeedRow], *, path: str) -> Iterator[Finding]:
    """Tell the days (of UTC) that repeat the day before value for value: an old answer again."""
    values = {row.start: row.value for row in rows if row.value is not None}
    days: list[str] = []
    for day, group in groupby(rows, key=lambda row: row.start.date()):
        held = [row for row in group if row.value is not None]
        both = [row for row in held if row.start - DAY in values]
        covered = sum((row.step for row in both), timedelta())
        if (
            covered < WHOLE_DAY_SHARE * DAY
            or len({row.value for row in both}) < FEWEST_VALUES_COUNT
        ):
            continue
        if all(values[row.start - DAY] == row.value for row in both):
            days.append(day.isoformat())
    if days:
        yield Finding(
            code="FEED_STALE",
            path=path,
            value=", ".join(days[:5]),
            reason=f"{len(days)} days repeat the day before value for value: the source may give "
            "an old answer again",
            remedy="Compare these days with another source before a bill rests on them",
            severity="warning",
        )


def hourly_mean(series: FeedSeries) -> FeedSeries:
    """Return the series by the hour: the mean of an hour's intervals, weighted by their length.

    An hour that is not covered whole, or has a hole, has no value. The mean is right for a load
    that is even over the hour; a load that moves inside it pays the finer prices.

    Raises:
        FindingsError: FEED_STEP for intervals longer than an hour, or across its end.
    """
    path = series.name
    if all(row.step == HOUR for row in series.rows):
        return series
    rows = []
    for start, group in groupby(
        series.rows, key=lambda row: row.start.replace(minute=0, second=0, microsecond=0)
    ):
        parts = list(group)
        if any(part.start + part.step > start + HOUR for part in parts):
            refuse(
                "FEED_STEP",
                path=path,
                value=f"{max(part.step for part in parts)}",
                limit="1:00:00",
                reason=f"an interval crosses the end of the hour from {start.isoformat()}",
                remedy="Keep the native step",
            )
        rows.append(_mean_of(start, parts))
    kept = tuple(item for item in series.findings if item.code != "FEED_STEP_CHANGES")
    return replace(
        series,
        rows=tuple(rows),
        source=f"{series.source} (means of each hour)",
        findings=kept,
    )


def _mean_of(start: datetime, parts: Sequence[FeedRow]) -> FeedRow:
    covered = sum((part.step for part in parts), timedelta())
    weighed = [part.value * (part.step / HOUR) for part in parts if part.value is not None]
    whole = covered == HOUR and len(weighed) == len(parts)
    return FeedRow(
        start=start,
        step=HOUR,
        value=sum(weighed) if whole else None,
        published_at=max((p.published_at for p in parts if p.published_at), default=None),
        revision=max((p.revision for p in parts if p.revision is not None), default=None),
    )


def pieces(
    start: datetime, end: datetime, *, limit: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of a span, none longer than the limit."""
    while start < end:
        until = min(start + limit, end)
        yield start, until
        start = until


def check_unit(told: str, *, expected: str, path: str) -> None:
    """Refuse another currency or measure than the one that the column will say.

    Raises:
        FindingsError: FEED_UNIT.
    """
    if _plain(told) != _plain(expected):
        refuse(
            "FEED_UNIT",
            path=path,
            value=told[:40],
            limit=expected,
            reason="the source gives its values in another unit than was expected",
            remedy="Nothing is converted in silence: ask for a zone in that unit, or check the "
            "source",
        )


def _plain(unit: str) -> str:
    return "".join(unit.split()).upper().replace("€", "EUR").replace("$", "USD")


def _behind(rows: Sequence[FeedRow], ask: Ask, *, now: datetime, path: str) -> Iterable[Finding]:
    due = min(ask.end, now)
    if rows and rows[-1].start + 2 * rows[-1].step <= due:
        ends = rows[-1].start + rows[-1].step
        yield Finding(
            code="FEED_STALE",
            path=path,
            value=ends.isoformat(),
            limit=due.isoformat(),
            reason="the newest interval of the source ends before the span that was asked does",
            remedy="Ask again later; until then the rest is unknown, and no price stands in",
            severity="warning",
        )


def _step_changes(rows: Sequence[FeedRow], *, path: str) -> Iterable[Finding]:
    minutes = sorted({int(row.step.total_seconds() // 60) for row in rows})
    if len(minutes) > 1:
        changed = next(after for row, after in pairwise(rows) if row.step != after.step)
        yield Finding(
            code="FEED_STEP_CHANGES",
            path=path,
            value=", ".join(map(str, minutes)),
            unit="min",
            reason=f"the length of the intervals changes, first at {changed.start.isoformat()}",
            remedy="Ask for the parts on their own, or for means of each hour (--hourly)",
            severity="warning",
        )

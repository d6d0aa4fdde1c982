"""What is kept of the rows that came: each interval of the span once, the rest told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer
from tokenergy.feeds.series import Ask, FeedRow, FeedSeries, series_name

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a series is, beside its rows: see `FeedSeries`; `step` is its usual length."""

    feed: str
    unit: str
    column: str
    source: str
    step: timedelta


def series_of(
    ask: Ask,
    described: Described,
    *,
    rows: Iterable[FeedRow],
    answers: Sequence[Answer],
    findings: Iterable[Finding] = (),
) -> FeedSeries:
    """Return the series of an ask: its span, in order, each interval once.

    Of two versions of an interval the later published counts; two values without a publication
    time leave a hole, because nobody can tell which is right. Holes, doubled and revised
    intervals and copies that stand in for a silent source are findings; nothing is filled.

    Raises:
        FindingsError: FEED_EMPTY where no value lies in the span; FEED_STEP where two
            intervals overlap.
    """
    path = series_name(described.feed, ask.zone, ask.quantity)
    inside = sorted(
        (row for row in rows if ask.start <= row.start < ask.end), key=lambda row: row.start
    )
    kept: list[FeedRow] = []
    told = _Told(path=path, unit=described.unit)
    for _, versions in groupby(inside, key=lambda row: row.start):
        kept.append(_one_of(list(versions), told))
    if not any(row.value is not None for row in kept):
        refuse(
            "FEED_EMPTY",
            path=path,
            value=f"{ask.start.isoformat()} to {ask.end.isoformat()}",
            reason="the source has no value in this span",
            remedy="Ask for a span that the source covers, and check the zone",
        )
    _check_overlap(kept, path=path)
    return FeedSeries(
        feed=described.feed,
        zone=ask.zone,
        quantity=ask.quantity,
        unit=described.unit,
        column=described.column,
        rows=tuple(kept),
        source=described.source,
        fetched_at=min(answer.fetched_at for answer in answers),
        from_cache=any(answer.from_cache for answer in answers),
        findings=(
            *findings,
            *told.findings(),
            *_holes(kept, ask=ask, step=described.step, path=path),
            *_stale(answers),
        ),
    )


@dataclass(slots=True, kw_only=True)
class _Told:
    """How many intervals came more than once, in which way, and how far the values went."""

    path: str
    unit: str
    doubled_count: int = 0
    revised_count: int = 0
    torn_count: int = 0
    largest: tuple[float, datetime] | None = None

    def revise(self, versions: Sequence[FeedRow], newest: FeedRow) -> None:
        """Count an interval that was revised, and keep the largest way to its last value."""
        self.revised_count += 1
        for row in versions:
            if row.value is None or newest.value is None:
                continue
            change = newest.value - row.value
            if abs(change) > (0.0 if self.largest is None else abs(self.largest[0])):
                self.largest = (change, newest.start)

    def _change(self) -> str:
        if self.largest is None:
            return ""
        change, start = self.largest
        return f"; the largest change is {change:+.6g} {self.unit} at {start.isoformat()}"

    def findings(self) -> Iterable[Finding]:
        for code, count, reason, remedy in (
            ("FEED_DOUBLED", self.doubled_count, "intervals came twice with one value", "No need"),
            (
                "FEED_REVISED",
                self.revised_count,
                "intervals came in several versions; the later published was kept" + self._change(),
                "No need",
            ),
            (
                "FEED_TWO_VALUES",
                self.torn_count,
                "intervals came twice with two values and nothing says which is later: left empty",
                "Ask again later",
            ),
        ):
            if count:
                yield Finding(
                    code=code,
                    path=self.path,
                    value=f"{count}",
                    unit="intervals",
                    reason=reason,
                    remedy=remedy,
                    severity="warning",
                )


def _one_of(versions: list[FeedRow], told: _Told) -> FeedRow:
    """Return the version of one interval that counts."""
    newest = max(versions, key=_version)
    rivals = [row for row in versions if _version(row) == _version(newest)]
    if any(row.value != newest.value for row in rivals):
        told.torn_count += 1
        return replace(newest, value=None)
    if any(row.value != newest.value for row in versions):
        told.revise(versions, newest)
    elif len(versions) > 1:
        told.doubled_count += 1
    return newest


def _version(row: FeedRow) -> tuple[int, datetime]:
    return (
        -1 if row.revision is None else row.revision,
        LONG_AGO if row.published_at is None else row.published_at,
    )


def _check_overlap(kept: list[FeedRow], *, path: str) -> None:
    for row, after in pairwise(kept):
        if row.start + row.step > after.start:
            refuse(
                "FEED_STEP",
                path=f"{path} {after.start.isoformat()}",
                value=f"{(after.start - row.start).total_seconds() / 60:g}",
                limit=f"{row.step.total_seconds() / 60:g}",
                unit="min",
                reason="an interval begins before the one before it has ended",
                remedy="Ask for a span with one length of interval",
            )


def _holes(kept: list[FeedRow], *, ask: Ask, step: timedelta, path: str) -> Iterable[Finding]:
    """Tell the intervals without a value: absent ones in steps, and those that came empty."""
    missing: list[datetime] = []
    count, at = 0, ask.start
    for row in kept:
        if row.start > at:
            missing.append(at)
            count += -((at - row.start) // row.step)
        if row.value is None:
            missing.append(row.start)
            count += 1
        at = row.start + row.step
    if at < ask.end:
        missing.append(at)
        count += -((at - ask.end) // (kept[-1].step if kept else step))
    if missing:
        yield Finding(
            code="FEED_GAP",
            path=path,
            value=f"{count}",
            unit="intervals",
            reason=f"the source has no value for some intervals, first {missing[0].isoformat()}",
            remedy="Ask again later; a company file may fill them from the week before",
            severity="warning",
        )


def _stale(answers: Sequence[Answer]) -> Iterable[Finding]:
    """Tell the copies that stand in for a source that could not be read."""
    for answer in answers:
        if answer.failed:
            yield Finding(
                code="FEED_STALE",
                path=answer.url,
                value=answer.fetched_at.isoformat(),
                reason=f"the source cannot be read ({answer.failed}); a copy of that time "
                "stands in for it",
                remedy="Ask again later",
                severity="warning",
            )

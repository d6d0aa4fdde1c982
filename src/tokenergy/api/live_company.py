"""A company file opened for a gateway: around the present, or as it was recorded.

Around the present the horizon begins with this week, so that the same hours keep their places for
days; series that are synthetic, numbers or files that reach the present are read there, and live
feeds stand in the place of sites' prices. What a feed has not published yet is believed to be what
it was a week before, and the forecaster does not look at it earlier than at anything unpublished.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tokenergy.api.observed.company import HISTORY_DAYS, OUT_OF_REACH, present_of
from tokenergy.api.observed.prices import live_prices, price_file
from tokenergy.api.opened import OpenCompany
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.dispatch.explain import market_findings
from tokenergy.errors import FindingsError, InputError
from tokenergy.feeds.http import Http
from tokenergy.feeds.parquet import FIXED_COLUMNS, write_series
from tokenergy.feeds.series import FeedRow, FeedSeries
from tokenergy.files import company_file

LIVE_DAYS: Final = 10.0
"""A week from Monday on, and more than the 48 h that dispatch looks ahead from its last moment."""
WEEK: Final = timedelta(days=7)
NO_PRICE: Final = "PRICE_NOT_CURRENT"
DATED: Final = ("outages",)
"""What a file says of its own horizon's days, and of no others."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveCompany:
    """A company whose series hold the present.

    Attributes:
        opened: on a horizon that the present lies in.
        findings: what was assumed, warnings of the file and of the feeds.
    """

    opened: OpenCompany
    findings: tuple[Finding, ...]

    @property
    def lacks_price(self) -> bool:
        """Whether a feed has no price of the present: then nothing may be priced anew."""
        return any(finding.code == NO_PRICE for finding in self.findings)

    def index_at(self, now_s: float) -> int:
        """Return the index of the present interval in the company's world.

        Raises:
            InputError: if the horizon does not hold it.
        """
        world = self.opened.world
        now = datetime.fromtimestamp(now_s, tz=UTC)
        if not world.moment(world.first) <= now < world.moment(world.last):
            raise InputError(
                f"the moment {now:%Y-%m-%dT%H:%M:%SZ} lies outside the horizon, "
                f"{world.moment(world.first):%Y-%m-%dT%H:%MZ} to "
                f"{world.moment(world.last):%Y-%m-%dT%H:%MZ}"
            )
        return world.index_at(now)


def recorded_company(path: str | Path) -> LiveCompany:
    """Open a company on the horizon that its file states, to be played from some moment of it.

    Raises:
        FindingsError: with every error of the file.
    """
    opened = _opened(path, *company_file.load(path))
    return LiveCompany(opened=opened, findings=tuple(opened.warnings))


def live_company(
    path: str | Path, *, now: datetime, http: Http | None = None, folder: Path
) -> LiveCompany:
    """Open a company around the present.

    Args:
        path: the company file.
        now: this moment (aware).
        http: asks the feeds that the file names; None: nobody is asked, and what was kept of them
            stands.
        folder: where prices are written that reach beyond what feeds have published.

    Raises:
        FindingsError: with every error of the file, and every series that does not reach the
            present: SERIES_NOT_CURRENT.
    """
    stated, told = company_file.read_company(path)
    if stated is None:
        raise FindingsError(tuple(each for each in told if each.severity == "error"))
    start = week_of(stated, now)
    end = start + timedelta(days=LIVE_DAYS)
    prices, findings = _prices(stated, now=now, start=start, end=end, http=http, folder=folder)
    left = [name for name in DATED if getattr(stated, name)]
    findings += [_left_out(name) for name in left]

    def edit(tree: dict[str, Any]) -> dict[str, Any]:
        edited = {name: value for name, value in tree.items() if name not in left}
        edited["history_days"] = HISTORY_DAYS
        edited["sites"] = [
            site | {"market": site["market"] | {"price": prices[site["name"]]}}
            if site["name"] in prices
            else site
            for site in tree["sites"]
        ]
        return edited

    try:
        opened = _opened(path, *company_file.load(path, start=start, days=LIVE_DAYS, edit=edit))
    except FindingsError as error:
        raise FindingsError([_not_current(each, now) for each in error.findings]) from error
    return LiveCompany(opened=opened, findings=tuple(dict.fromkeys((*opened.warnings, *findings))))


def week_of(company: Company, now: datetime) -> datetime:
    """Return the Monday, midnight UTC, of the week that a moment lies in."""
    present = present_of(company, now.astimezone(UTC))
    midnight = present.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday())


def _opened(path: str | Path, company: Company, *rest: Any) -> OpenCompany:
    inputs, catalogue, warnings = rest
    opened = OpenCompany(
        path=Path(path), company=company, inputs=inputs, catalogue=catalogue, warnings=warnings
    )
    if unbounded := market_findings(opened.world):
        raise FindingsError(company_file.placed(unbounded, path))
    return opened


# ---- prices that feeds publish ---------------------------------------------------------


def _prices(
    company: Company,
    *,
    now: datetime,
    start: datetime,
    end: datetime,
    http: Http | None,
    folder: Path,
) -> tuple[Mapping[str, Mapping[str, Any]], list[Finding]]:
    """Return the prices of sites that have a feed, as the file would name them, by site."""
    observe = company.observe
    if observe is None or not observe.price_feeds:
        return {}, []
    before = start - timedelta(days=HISTORY_DAYS)
    kept = folder / "feeds"
    step = timedelta(hours=company.horizon.step_h)
    ahead = min(end, now + timedelta(days=2))
    findings: list[Finding] = []
    if http is not None:
        _, told = live_prices(
            observe, http, start=before, end=ahead, currency=company.currency, folder=kept
        )
        # A price of the hours to come may be missing: the present one has to be there.
        findings += [each for each in told if each.code != "PRICE_STALE"]
    found: dict[str, Mapping[str, Any]] = {}
    for feed in observe.price_feeds:
        site = feed.site
        column, rows = _read(price_file(kept, feed))
        laid = list(_reaching(rows, before, end))
        present = present_of(company, now)
        if not any(row.start <= now < row.start + row.step for row in rows if _known(row)):
            findings.append(_not_published(site, present, step))
            continue
        assumed = sum(_known(new) and not _known(old) for new, old in laid)
        if assumed:
            findings.append(_assumed(site, assumed))
        target = folder / f"{site}.parquet"
        target.unlink(missing_ok=True)
        write_series(_series(site, column, [new for new, _ in laid], now), target)
        found[site] = {
            "file": str(target.resolve()),
            "column": column,
            "usd_per_unit": feed.usd_per_unit,
            "rate_note": feed.rate_note,
        }
    return found, findings


def _read(path: Path) -> tuple[str, list[FeedRow]]:
    """Return what is kept of a feed: the name of its column, and its rows; nothing: none."""
    import polars as pl

    if not path.exists():
        return "", []
    table = pl.read_parquet(path).sort("utc")
    column = next(name for name in table.columns if name not in FIXED_COLUMNS)
    return column, [
        FeedRow(start=start, step=timedelta(minutes=minutes), value=value)
        for start, minutes, value in zip(
            table["utc"].to_list(),
            table["step_min"].to_list(),
            table[column].to_list(),
            strict=True,
        )
    ]


def _known(row: FeedRow) -> bool:
    return row.value is not None


def _reaching(
    rows: list[FeedRow], begin: datetime, end: datetime
) -> Iterator[tuple[FeedRow, FeedRow]]:
    """Yield every interval of a span as it is believed, and as it is known.

    What is missing is what it was a day, or up to a week, before; nothing before is nothing.
    """
    if not rows:
        return
    step = rows[-1].step
    held = {row.start: row.value for row in rows if _known(row)}
    first = rows[0].start
    at = begin + -((begin - first) // -step) * step if first < begin else first
    at = max(at, first)
    while at < end:
        known = held.get(at)
        value = known
        for days in () if value is not None else (7, 1, 2, 3, 4, 5, 6):
            value = held.get(at - timedelta(days=days))
            if value is not None:
                break
        if value is not None:
            held.setdefault(at, value)
        yield (
            FeedRow(start=at, step=step, value=value),
            FeedRow(start=at, step=step, value=known),
        )
        at += step


def _series(site: str, column: str, rows: list[FeedRow], now: datetime) -> FeedSeries:
    return FeedSeries(
        feed="live",
        zone=site,
        quantity="day_ahead_price",
        unit=column,
        column=column,
        rows=tuple(rows),
        source="a live feed, and last week's prices where it has not published yet",
        fetched_at=now,
    )


# ---- what there is to say --------------------------------------------------------------


def _not_current(finding: Finding, now: datetime) -> Finding:
    if finding.code not in OUT_OF_REACH:
        return finding
    return replace(
        finding,
        code="SERIES_NOT_CURRENT",
        reason=f"this series does not reach the week of {now:%Y-%m-%d}: {finding.reason}",
        remedy="Name a live price in observe.price_feeds, extend the file, or play the recorded "
        "horizon with --at",
    )


def _not_published(site: str, present: datetime, step: timedelta) -> Finding:
    return Finding(
        code=NO_PRICE,
        path=f"observe.price_feeds[{site}]",
        value=f"{present:%Y-%m-%dT%H:%MZ}",
        severity="warning",
        reason=f"its feed has no price of the present interval of {step / timedelta(hours=1):g} h",
        remedy="Look at the feed with `tokenergy fetch`; until then the last board grows stale",
    )


def _assumed(site: str, count: int) -> Finding:
    return Finding(
        code="PRICE_ASSUMED",
        path=f"observe.price_feeds[{site}]",
        value=f"{count}",
        unit="intervals",
        severity="warning",
        reason="so many intervals are not published yet or are missing: the price of the same hour "
        "of an earlier day stands in for each",
        remedy="Nothing: as they are published, they take their place",
    )


def _left_out(name: str) -> Finding:
    return Finding(
        code="DATED_LEFT_OUT",
        path=name,
        severity="warning",
        reason=f"{name} of the file are of its own horizon's days, and no part of the present",
        remedy="Play the recorded horizon with --at to have them",
    )

"""Live prices of sites: fetched, kept as files, and named as a company file would name them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tokenergy.company.currency import CORE
from tokenergy.company.finding import Finding
from tokenergy.company.observe import Observe, PriceFeed
from tokenergy.errors import FindingsError, InputError
from tokenergy.feeds.http import Http
from tokenergy.feeds.known import feed_of, price_quantity
from tokenergy.feeds.laid import laid
from tokenergy.feeds.parquet import write_series
from tokenergy.feeds.series import Ask, FeedSeries

FOLDER: Final = Path(".tokenergy") / "prices"
"""Where fetched prices are kept, beside the ledgers."""
_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


def live_prices(
    observe: Observe,
    http: Http,
    *,
    start: datetime,
    end: datetime,
    currency: str = CORE,
    folder: Path = FOLDER,
) -> tuple[Mapping[str, Mapping[str, Any]], list[Finding]]:
    """Return the live prices of a span, each as the company file would name it, by site.

    A feed that cannot be read is a warning: the price of the file stands in for it, if that
    reaches the present. One in another money than the company's is not used unless its rate is
    stated. One whose newest interval is too old is told as PRICE_STALE; what is missing stays
    missing.

    Args:
        observe: says which site has which feed.
        http: asks them.
        start, end: the span that is needed.
        currency: the company's money.
        folder: where the files are kept.
    """
    found: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for at, feed in enumerate(observe.price_feeds):
        path = f"observe.price_feeds[{at}]"
        try:
            series = _fetched(feed, http, start=start, end=end)
            if (money := _other_money(feed, series, currency)) is not None:
                findings.append(_without_rate(path, money, currency))
                continue
            file = price_file(folder, feed)
            findings += write_series(series, file).findings
        except FindingsError as error:
            findings += [
                replace(each, path=f"{path}: {each.path}", severity="warning")
                for each in error.findings
            ]
            continue
        except InputError as error:
            findings.append(_unreadable(path, feed, error))
            continue
        findings += [replace(each, path=f"{path}: {each.path}") for each in series.findings]
        findings += _stale(path, feed, series, end)
        found[feed.site] = {
            "file": str(file.resolve()),
            "column": series.column,
            "usd_per_unit": feed.usd_per_unit,
            "rate_note": feed.rate_note,
        }
    return found, findings


def price_file(folder: Path, feed: PriceFeed) -> Path:
    """Return where the prices of a feed are kept."""
    return folder / f"{feed.feed}-{_SAFE.sub('_', feed.zone)}.parquet"


def _fetched(feed: PriceFeed, http: Http, *, start: datetime, end: datetime) -> FeedSeries:
    source = feed_of(feed.feed, http, base_url=feed.base_url)
    ask = Ask(zone=feed.zone, quantity=price_quantity(source), start=start, end=end)
    return laid(source.fetch(ask), ask, now=http.now())


def _other_money(feed: PriceFeed, series: FeedSeries, currency: str) -> str | None:
    """Return the feed's money, if it is another one and nobody stated what it is worth."""
    money = series.unit.partition("/")[0].strip()
    stated = "usd_per_unit" in feed.model_fields_set
    return money if not stated and money.upper() != currency.upper() else None


def _without_rate(path: str, money: str, currency: str) -> Finding:
    return Finding(
        code="CURRENCY_WITHOUT_RATE",
        path=f"{path}.usd_per_unit",
        value=money,
        limit=currency,
        severity="warning",
        reason=f"the feed's prices are in {money} and the company's money is {currency}, and no "
        "rate is stated: they are not used",
        remedy="State usd_per_unit, with its date in rate_note",
    )


def _stale(path: str, feed: PriceFeed, series: FeedSeries, end: datetime) -> list[Finding]:
    known = [row.start + row.step for row in series.rows if row.value is not None]
    newest = max(known, default=None)
    age_h = None if newest is None else (end - newest).total_seconds() / 3600.0
    if age_h is not None and age_h <= feed.stale_after_h:
        return []
    return [
        Finding(
            code="PRICE_STALE",
            path=path,
            value="nothing" if newest is None else f"{newest:%Y-%m-%dT%H:%MZ}",
            limit=f"{feed.stale_after_h:g}",
            unit="h",
            severity="warning",
            reason=f"the newest interval that {feed.feed} has of {feed.zone} ends there",
            remedy="Wait for the feed, or look at what its service says",
        )
    ]


def _unreadable(path: str, feed: PriceFeed, error: InputError) -> Finding:
    return Finding(
        code="FEED_UNREADABLE",
        path=path,
        value=f"{feed.feed} {feed.zone}",
        severity="warning",
        reason=str(error),
        remedy="Correct the feed or its zone; `tokenergy fetch` tries it alone",
    )

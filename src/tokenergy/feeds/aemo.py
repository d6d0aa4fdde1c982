"""Prices and demand of the Australian National Electricity Market, from its operator's reports.

History comes from the monthly aggregated files `PRICE_AND_DEMAND_YYYYMM_REGION.csv`, chosen over
the zipped folders of NEMWeb because one file holds a month of one region at its settlement price.
The interval that has just ended comes from the JSON summary of the operator's dashboard.

Stamps are the ENDS of intervals in market time, UTC+10 all year without summer time: 5 minutes
since 2021-10-01, 30 minutes before. A file therefore holds the intervals that start in its month.
Prices are AUD/MWh without tax.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer, Refused
from tokenergy.feeds.answer_shape import moment, number, part
from tokenergy.feeds.http import Http
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.series import Ask, FeedQuantity, FeedRow, FeedSeries

REGIONS: Final = ("NSW1", "QLD1", "SA1", "TAS1", "VIC1")
MARKET_H: Final = 10.0
"""Hours that market time is ahead of UTC; the market has no summer time."""
FIVE_MINUTES_FROM: Final = datetime(2021, 9, 30, 14, 0, tzinfo=UTC)
"""Start of five-minute settlement: 2021-10-01 00:00 in market time."""
HALF_HOUR: Final = timedelta(minutes=30)
FIVE_MINUTES: Final = timedelta(minutes=5)
HISTORY: Final = "https://aemo.com.au"
DASHBOARD: Final = "https://visualisations.aemo.com.au"
SUMMARY: Final = "ELEC_NEM_SUMMARY"
SETTLED: Final = "TRADE"
"""The PERIODTYPE of a settled interval; everything else is a forecast."""
_COLUMNS: Final = ("REGION", "SETTLEMENTDATE", "TOTALDEMAND", "RRP", "PERIODTYPE")
_CELL: Final = {"real_time_price": "RRP", "load": "TOTALDEMAND"}
_UNIT: Final = {"real_time_price": "AUD/MWh", "load": "MW"}
_COLUMN: Final = {"real_time_price": "real_time_price_aud_per_mwh", "load": "load_mw"}


@dataclass(slots=True)
class _Read:
    """What has been read so far."""

    rows: list[FeedRow] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class Aemo:
    """Spot price and demand of a region of the Australian market, at its native step."""

    name: str = "aemo"
    quantities: tuple[FeedQuantity, ...] = ("real_time_price", "load")

    def __init__(
        self,
        http: Http,
        *,
        base_url: str = HISTORY,
        key: str | None = None,
        live_url: str | None = None,
    ) -> None:
        """Keep the door; the reports are public, so a key is never used.

        Args:
            http: how addresses are read.
            base_url: where the monthly files are.
            key: not needed.
            live_url: where the dashboard's summary is; None: its real address, or `base_url`
                where that one is not the real one.
        """
        self._http = http
        self._base_url = base_url.rstrip("/")
        live = DASHBOARD if self._base_url == HISTORY else self._base_url
        self._live_url = (live if live_url is None else live_url).rstrip("/")

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return the price or the demand of one region.

        Raises:
            InputError: for an unknown region, or if a report cannot be read.
        """
        if ask.zone not in REGIONS:
            refuse(
                "FEED_UNKNOWN_ZONE",
                path="zone",
                value=ask.zone,
                reason="the Australian market has no such region",
                remedy=f"Ask for one of {', '.join(REGIONS)}",
            )
        if ask.quantity not in self.quantities:
            refuse(
                "FEED_NO_QUANTITY",
                path="quantity",
                value=ask.quantity,
                reason=f"aemo gives no {ask.quantity}: the market has no day-ahead auction",
                remedy=f"Ask for one of {', '.join(self.quantities)}",
            )
        read = _Read()
        for month in months_of(ask):
            self._read_month(month, ask, read)
        now = self._http.now()
        if ask.start < now and ask.end > now - HALF_HOUR:
            self._read_live(ask, read)
        return series_of(
            ask,
            Described(
                feed=self.name,
                unit=_UNIT[ask.quantity],
                column=_COLUMN[ask.quantity],
                source=f"AEMO, aggregated price and demand of {ask.zone}: "
                f"{self._base_url}/aemo/data/nem/priceanddemand/",
                step=step_ending(ask.start + HALF_HOUR),
            ),
            rows=read.rows,
            answers=read.answers,
            findings=read.findings,
        )

    def _read_month(self, month: str, ask: Ask, read: _Read) -> None:
        """Read one monthly file; the running month need not be out yet."""
        url = (
            f"{self._base_url}/aemo/data/nem/priceanddemand/PRICE_AND_DEMAND_{month}_{ask.zone}.csv"
        )
        try:
            answer = self._http.get(url, accept="text/csv")
        except Refused as refused:
            market_now = self._http.now() + timedelta(hours=MARKET_H)
            if refused.status != 404 or month < f"{market_now:%Y%m}":
                raise
            read.findings.append(
                Finding(
                    code="FEED_NOT_PUBLISHED",
                    path=url,
                    value=month,
                    reason="the operator has not published this month yet",
                    remedy="Ask again later; the hours stay empty until then",
                    severity="warning",
                )
            )
            return
        read.answers.append(answer)
        rows, forecasts_count = rows_of(answer.text(), ask=ask, path=answer.url)
        read.rows += rows
        if forecasts_count:
            read.findings.append(
                Finding(
                    code="FEED_NOT_SETTLED",
                    path=answer.url,
                    value=f"{forecasts_count}",
                    unit="rows",
                    reason=f"rows that are not of type {SETTLED} are forecasts and were left out",
                    remedy="Ask again later for the settled prices",
                    severity="warning",
                )
            )

    def _read_live(self, ask: Ask, read: _Read) -> None:
        """Read the interval that has just ended, unless its settled row is there already."""
        answer = self._http.get(
            f"{self._live_url}/aemo/apps/api/report/{SUMMARY}", accept="application/json"
        )
        row, firm = live_row(answer.json(), ask=ask, path=answer.url)
        if not ask.start <= row.start < ask.end or any(row.start == o.start for o in read.rows):
            return
        read.answers.append(answer)
        read.rows.append(row)
        if not firm:
            read.findings.append(
                Finding(
                    code="FEED_NOT_SETTLED",
                    path=answer.url,
                    value="1",
                    unit="rows",
                    reason=f"the price of {row.start.isoformat()} is not firm yet",
                    remedy="Ask again in a few minutes",
                    severity="warning",
                )
            )


def months_of(ask: Ask) -> Iterator[str]:
    """Yield the months, `YYYYMM` of market time, in which intervals of the ask start."""
    first = ask.start + timedelta(hours=MARKET_H)
    last = ask.end + timedelta(hours=MARKET_H) - timedelta(microseconds=1)
    for index in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield f"{index // 12:04d}{index % 12 + 1:02d}"


def step_ending(end: datetime) -> timedelta:
    """Return the length of the interval that ends then: half an hour up to 2021-10-01."""
    return FIVE_MINUTES if end > FIVE_MINUTES_FROM else HALF_HOUR


def rows_of(text: str, *, ask: Ask, path: str) -> tuple[list[FeedRow], int]:
    """Return the settled intervals of one monthly file, and how many rows are forecasts.

    Raises:
        FindingsError: if a column is missing, or a row is no interval of the region.
    """
    # A cell longer than any report's line is cut, so that it fails as what it is below.
    reader = csv.DictReader(line[:1_000] for line in text.splitlines())
    names = [(name or "").strip() for name in reader.fieldnames or ()]
    lacking = [name for name in _COLUMNS if name not in names]
    if lacking:
        page = text.lstrip()[:1] == "<"
        refuse(
            "FEED_NO_COLUMN",
            path=path,
            value=" ".join(text[:80].split()),
            reason="the answer is a page, not a table"
            if page
            else f"the report came without the column {', '.join(lacking)}",
            remedy="The operator's site turns some automatic readers away: save the file with a "
            "browser and name it in the company file, or try another network"
            if page
            else "The operator may have changed the report: look at it",
        )
    reader.fieldnames = names
    rows, forecasts_count = [], 0
    for line, cells in enumerate(reader, start=2):
        where = f"{path} line {line}"
        if None in cells or any(cells[name] is None for name in _COLUMNS):
            refuse(
                "FEED_SHAPE",
                path=where,
                value=",".join(f"{value}" for value in cells.values())[:80],
                limit=f"{len(names)}",
                unit="cells",
                reason="a row does not have the columns of its header: half a file",
                remedy="Ask again",
            )
        if cells["PERIODTYPE"].strip() != SETTLED:
            forecasts_count += 1
            continue
        _check_region(cells["REGION"], ask=ask, path=where)
        rows.append(_row(cells["SETTLEMENTDATE"], cells[_CELL[ask.quantity]], path=where))
    return rows, forecasts_count


def live_row(answer: Any, *, ask: Ask, path: str) -> tuple[FeedRow, bool]:
    """Return the interval that the dashboard shows, and whether its price is firm.

    The settlement price stands in the second table (`RRP`), its time and status in the first.

    Raises:
        FindingsError: if the region, or a field, is not there.
    """
    told = _of_region(answer, SUMMARY, ask=ask, path=path)
    stamp = part(told, "SETTLEMENTDATE", str, path=path)
    if ask.quantity == "load":
        return _row(stamp, told.get("TOTALDEMAND"), path=f"{path} TOTALDEMAND"), True
    prices = _of_region(answer, f"{SUMMARY}_PRICES", ask=ask, path=path)
    firm = part(told, "PRICE_STATUS", str, path=path) == "FIRM"
    return _row(stamp, prices.get("RRP"), path=f"{path} RRP"), firm


def _of_region(answer: Any, table: str, *, ask: Ask, path: str) -> Any:
    for row in part(answer, table, list, path=path):
        if part(row, "REGIONID", str, path=f"{path} {table}") == ask.zone:
            return row
    refuse(
        "FEED_OTHER_ZONE",
        path=f"{path} {table}",
        limit=ask.zone,
        reason="the dashboard's summary does not hold this region",
        remedy="Ask for a span that ends half an hour ago",
    )


def _row(stamp: str, value: Any, *, path: str) -> FeedRow:
    end = moment(stamp.strip().replace("/", "-"), path=f"{path} SETTLEMENTDATE", zone_h=MARKET_H)
    step = step_ending(end)
    return FeedRow(start=end - step, step=step, value=number(value, path=path))


def _check_region(region: str, *, ask: Ask, path: str) -> None:
    if region.strip() != ask.zone:
        refuse(
            "FEED_OTHER_ZONE",
            path=path,
            value=region,
            limit=ask.zone,
            reason="the report holds another region than was asked",
            remedy="Check the address",
        )

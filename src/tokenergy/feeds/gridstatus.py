"""North American power prices, from the hosted API of Grid Status.

A zone is written `market/LOCATION`, e.g. `ercot/HB_WEST`, `caiso/TH_NP15_GEN-APND`, `pjm/DOM`,
`nyiso/N.Y.C.`; which data set of the service holds which market stands in
`catalogue/grid_datasets.csv`. Day-ahead prices are hourly, real-time prices of 5 or 15 minutes:
the native step stays. The API stamps in UTC, so the days of 23 and 25 hours need no care here.

The vendor's own client (`gridstatusio`) reads the same pages into pandas; it is not needed, and
not used, because it knows neither our cache nor our limits.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer, Secret
from tokenergy.feeds.answer_shape import moment, number, part
from tokenergy.feeds.http import Http
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.series import Ask, FeedQuantity, FeedRow, FeedSeries

TABLE: Final = "grid_datasets.csv"
PAGES_LIMIT_COUNT: Final = 1_100
"""A year of five-minute prices is 105,120 rows: pages of a hundred rows would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One data set of the service: prices of one market.

    Attributes:
        column: the price's column.
        step: its native step, held against every interval that comes.
    """

    market: str
    quantity: str
    name: str
    column: str
    step: timedelta
    currency: str


@cache
def load_datasets() -> Mapping[tuple[str, str], Dataset]:
    """Return the shipped data sets by market and quantity; read once per process."""
    text = (files("tokenergy") / "catalogue" / TABLE).read_text(encoding="utf-8")
    return MappingProxyType(
        {
            (row["market"], row["quantity"]): Dataset(
                market=row["market"],
                quantity=row["quantity"],
                name=row["dataset"],
                column=row["value_column"],
                step=timedelta(minutes=int(row["step_min"])),
                currency=row["currency"],
            )
            for row in csv.DictReader(text.splitlines())
        }
    )


class Gridstatus:
    """Day-ahead and real-time prices of seven North American markets, in USD/MWh."""

    name: str = "gridstatus"
    quantities: tuple[FeedQuantity, ...] = ("day_ahead_price", "real_time_price")

    def __init__(
        self, http: Http, *, base_url: str = "https://api.gridstatus.io", key: str | None = None
    ) -> None:
        """Keep the door and the key; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._key = key

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return the prices of one location, in the market's native step.

        Raises:
            InputError: for an unknown market, without a key, or if the service cannot be read.
        """
        dataset, location = dataset_of(ask)
        if not self._key:
            refuse(
                "FEED_NO_KEY",
                path=self.name,
                reason="the Grid Status API answers only with a key",
                remedy="Make one at the service, and set GRIDSTATUS_API_KEY in the environment",
            )
        secret = Secret("header", "x-api-key", self._key)
        answers: list[Answer] = []
        rows: list[FeedRow] = []
        for answer, page in self._pages(ask, dataset.name, location, secret):
            answers.append(answer)
            rows += rows_of(page, dataset=dataset, location=location, path=answer.url)
        return series_of(
            ask,
            Described(
                feed=self.name,
                unit=f"{dataset.currency}/MWh",
                column=f"{ask.quantity}_{dataset.currency.lower()}_per_mwh",
                source=f"Grid Status, data set {dataset.name}, location {location}: "
                f"{self._base_url}/v1/datasets/{dataset.name}/query",
                step=dataset.step,
            ),
            rows=rows,
            answers=answers,
        )

    def _pages(
        self, ask: Ask, name: str, location: str, secret: Secret
    ) -> Iterator[tuple[Answer, Any]]:
        """Read page after page; an empty cursor asks for the first."""
        cursor, seen = "", {""}
        for page_count in range(1, PAGES_LIMIT_COUNT + 1):
            answer = self._http.get(
                f"{self._base_url}/v1/datasets/{name}/query",
                params={
                    "start_time": ask.start.isoformat(),
                    "end_time": ask.end.isoformat(),
                    "filter_column": "location",
                    "filter_value": location,
                    "filter_operator": "=",
                    "return_format": "json",
                    "json_schema": "array-of-arrays",
                    "page": f"{page_count}",
                    "cursor": cursor,
                },
                secret=secret,
                accept="application/json",
            )
            page = answer.json()
            yield answer, page
            meta = part(page, "meta", dict, path=answer.url)
            if not part(meta, "hasNextPage", bool, path=f"{answer.url} meta"):
                return
            cursor = part(meta, "cursor", str, path=f"{answer.url} meta")
            if cursor in seen:
                break
            seen.add(cursor)
        refuse(
            "FEED_PAGES",
            path=f"{self._base_url}/v1/datasets/{name}/query",
            value=f"{len(seen)}",
            limit=f"{PAGES_LIMIT_COUNT}",
            unit="pages",
            reason="the service gives the same page again, or more pages than any span has",
            remedy="Ask for a shorter span",
        )


def dataset_of(ask: Ask) -> tuple[Dataset, str]:
    """Return the data set and the location that a zone such as `pjm/DOM` names.

    Raises:
        FindingsError: FEED_UNKNOWN_ZONE or FEED_NO_QUANTITY.
    """
    market, slash, location = ask.zone.partition("/")
    known = load_datasets()
    markets = sorted({name for name, _ in known})
    if not slash or not location.strip() or market.lower() not in markets:
        refuse(
            "FEED_UNKNOWN_ZONE",
            path="zone",
            value=ask.zone,
            reason="a zone of gridstatus is a market and one of its locations",
            remedy=f"Write e.g. ercot/HB_WEST; the markets are {', '.join(markets)}",
        )
    dataset = known.get((market.lower(), ask.quantity))
    if dataset is None:
        refuse(
            "FEED_NO_QUANTITY",
            path="quantity",
            value=ask.quantity,
            reason=f"gridstatus gives no {ask.quantity} of {market}",
            remedy=f"Ask for one of {', '.join(Gridstatus.quantities)}",
        )
    return dataset, location.strip()


def rows_of(page: Any, *, dataset: Dataset, location: str, path: str) -> list[FeedRow]:
    """Return the intervals of one page, as they stand there.

    A page is `{"data": [[names], [values], ...], "meta": {...}}`; the columns are
    `interval_start_utc`, `interval_end_utc`, `location`, the price, and in some data sets
    `publish_time_utc`.

    Raises:
        FindingsError: for a missing column, another location, or what is no number or moment.
    """
    table = part(page, "data", list, path=path)
    if not table:
        return []
    names = table[0]
    needed = ("interval_start_utc", "interval_end_utc", "location", dataset.column)
    texts = names if isinstance(names, list) and all(isinstance(n, str) for n in names) else []
    lacking = [name for name in needed if name not in texts]
    if lacking:
        refuse(
            "FEED_NO_COLUMN",
            path=path,
            value=f"{names}"[:160],
            reason=f"the data set {dataset.name} came without {', '.join(lacking)}",
            remedy="The service may have renamed it: catalogue/grid_datasets.csv says what we read",
        )
    return [
        _row(cells, names, dataset=dataset, location=location, path=f"{path} data[{index}]")
        for index, cells in enumerate(table[1:], start=1)
    ]


def _row(cells: Any, names: list[str], *, dataset: Dataset, location: str, path: str) -> FeedRow:
    if not isinstance(cells, list) or len(cells) != len(names):
        refuse(
            "FEED_SHAPE",
            path=path,
            value=f"{cells!r}"[:80],
            limit=f"{len(names)}",
            unit="cells",
            reason="a row does not have the columns of its header",
            remedy="Ask again; if it stays, the service has changed its answers",
        )
    row = dict(zip(names, cells, strict=True))
    if row["location"] != location:
        refuse(
            "FEED_OTHER_ZONE",
            path=path,
            value=f"{row['location']!r}"[:80],
            limit=location,
            reason="the service answered about another location than was asked",
            remedy="Check the spelling of the location in the service's own list",
        )
    start = moment(row["interval_start_utc"], path=f"{path} interval_start_utc")
    end = moment(row["interval_end_utc"], path=f"{path} interval_end_utc")
    _check_step(end - start, dataset=dataset, path=path)
    published: datetime | None = None
    if row.get("publish_time_utc") is not None:
        published = moment(row["publish_time_utc"], path=f"{path} publish_time_utc")
    return FeedRow(
        start=start,
        step=end - start,
        value=number(row[dataset.column], path=f"{path} {dataset.column}"),
        published_at=published,
    )


def _check_step(step: timedelta, *, dataset: Dataset, path: str) -> None:
    if step != dataset.step:
        refuse(
            "FEED_STEP",
            path=path,
            value=f"{step.total_seconds() / 60:g}",
            limit=f"{dataset.step.total_seconds() / 60:g}",
            unit="min",
            reason=f"an interval of {dataset.name} has another length than this data set has",
            remedy="The service may have changed the data set: look at its page there",
        )

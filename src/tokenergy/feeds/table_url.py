"""Any CSV or JSON address as a feed: a mapping says where time and value stand, and the unit."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.company.zones import known_zones
from tokenergy.feeds.address import without_keys
from tokenergy.feeds.http import Http
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.laid import HOUR, check_unit, steps_of, utc_of
from tokenergy.feeds.series import Ask, FeedQuantity, FeedRow, FeedSeries
from tokenergy.feeds.table_cells import Cells, cells_of, number_of, stamp_of

CURRENCIES: Final = frozenset(
    {
        *("AUD", "BGN", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HUF", "INR"),
        *("JPY", "KRW", "MXN", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "TRY", "USD", "ZAR"),
    }
)
PRICES: Final = ("day_ahead_price", "real_time_price")
UNITS: Final = {
    "carbon": "gCO2/kWh",
    "temperature": "degC",
    "wind": "MW",
    "solar": "MW",
    "load": "MW",
}
"""The one unit of each quantity that is no price; a price is a currency per MWh."""
_WORD: Final = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """Where time and value stand in the answer of an address, and how to read them.

    Attributes:
        url: the address; `{zone}`, `{start}` and `{end}` are filled in (start and end as
            `2026-03-01T00:00Z`).
        time: column of the stamps; in JSON a path such as `data.time`.
        value: column of the values; likewise.
        unit: unit of the values, stated: `EUR/MWh`, `gCO2/kWh`, `MW`, ...
        unit_at: path in JSON, or column in CSV, where the answer itself says the unit; it is
            held against `unit`.
        rows: path of the list of rows in JSON; "" if the answer is the list, or if `time` and
            `value` are paths of two lists of one length.
        time_zone: IANA zone of stamps that carry none; None refuses such stamps.
        stamp: whether a stamp names the start or the end of its interval.
        time_format: strptime pattern of the stamps; None: ISO 8601, or a number of seconds (or
            milliseconds) since 1970.
        step_min: minutes of an interval; None: as the stamps tell.
        delimiter: of a CSV; None: `;`, a tab or `,`, whichever the header has.
        decimal: the decimal mark of a CSV.
        published: column or path of the time of publication; None where there is none.
        format: `csv` or `json`; None: as the answer looks.
    """

    url: str = field(repr=False)
    time: str
    value: str
    unit: str
    unit_at: str | None = None
    rows: str = ""
    time_zone: str | None = None
    stamp: Literal["start", "end"] = "start"
    time_format: str | None = None
    step_min: int | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] = "."
    published: str | None = None
    format: Literal["csv", "json"] | None = None


class TableUrl:
    """A column of a CSV or JSON address."""

    name: str = "table"
    quantities: tuple[FeedQuantity, ...] = get_args(FeedQuantity)

    def __init__(self, http: Http, *, mapping: TableMapping) -> None:
        """Keep the door and the mapping; nothing is asked yet."""
        self._http = http
        self._mapping = mapping

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return the series that the mapping describes.

        Raises:
            InputError: for a unit other than the quantity's, a column that is not there, a
                stamp or a number that cannot be read, or if the address cannot be read.
        """
        mapping = self._mapping
        unit, column = unit_of(ask.quantity, mapping)
        zone = _zone(mapping)
        answer = self._http.get(
            filled(mapping.url, ask), accept="application/json, text/csv, text/plain, */*"
        )
        cells = cells_of(answer, mapping)
        for said in cells.units:
            check_unit(said, expected=unit, path=f"{answer.url} {mapping.unit_at}")
        stamps = [
            stamp_of(cell, mapping.time_format, path=f"{answer.url} row {at}")
            for at, cell in enumerate(cells.times, start=1)
        ]
        _refuse_naive(stamps, zone, cells, path=answer.url)
        moments, findings = utc_of(stamps, zone or ZoneInfo("UTC"), path=answer.url)
        rows = _rows(moments, cells, mapping, zone, path=answer.url)
        return series_of(
            ask,
            Described(
                feed=self.name,
                unit=unit,
                column=column,
                source=f"column {mapping.value} of {without_keys(mapping.url)}",
                step=rows[0].step if rows else HOUR,
            ),
            rows=rows,
            answers=[answer],
            findings=findings,
        )


def filled(url: str, ask: Ask) -> str:
    """Return the address with the zone and the span in it."""
    values = {
        "{zone}": quote(ask.zone, safe=""),
        "{start}": f"{ask.start:%Y-%m-%dT%H:%MZ}",
        "{end}": f"{ask.end:%Y-%m-%dT%H:%MZ}",
    }
    for name, value in values.items():
        url = url.replace(name, value)
    return url


def unit_of(quantity: FeedQuantity, mapping: TableMapping) -> tuple[str, str]:
    """Return the unit of a quantity and the name of its column.

    Raises:
        FindingsError: FEED_UNIT where the mapping states another unit, or the name of the
            column says another than the mapping does.
    """
    told = "".join(mapping.unit.split())
    if quantity not in PRICES:
        expected = UNITS[quantity]
        check_unit(told, expected=expected, path="unit")
        return expected, f"{quantity}_{expected.lower().replace('/', '_per_')}"
    currency = told[:3].upper().replace("€", "EUR")
    if currency not in CURRENCIES or told[3:].upper() != "/MWH":
        refuse(
            "FEED_UNIT",
            path="unit",
            value=mapping.unit[:40],
            limit="a currency per MWh, e.g. EUR/MWh",
            reason="the unit of a price is not one that a company file reads",
            remedy="Name a column of prices per MWh: nothing is converted in silence (a price "
            "per kWh is 1/1000 of one per MWh)",
        )
    words = {word.upper() for word in _WORD.findall(mapping.value.replace("_", " "))}
    others = (words & CURRENCIES) - {currency}
    if others or "KWH" in words:
        refuse(
            "FEED_UNIT",
            path="value",
            value=mapping.value[:60],
            limit=f"{currency}/MWh",
            reason="the name of the column says another unit than was stated",
            remedy="State the unit that the column has, or name another column",
        )
    return f"{currency}/MWh", f"{quantity}_{currency.lower()}_per_mwh"


def _zone(mapping: TableMapping) -> ZoneInfo | None:
    if mapping.time_zone is None:
        return None
    if mapping.time_zone not in known_zones():
        near = ", ".join(nearest_names(mapping.time_zone, known_zones())) or "none"
        refuse(
            "FEED_TIME_ZONE",
            path="time_zone",
            value=mapping.time_zone[:40],
            reason="this is no IANA time zone",
            remedy=f"Nearest: {near}",
        )
    return ZoneInfo(mapping.time_zone)


def _refuse_naive(
    stamps: list[datetime], zone: ZoneInfo | None, cells: Cells, *, path: str
) -> None:
    bare = [at for at, stamp in enumerate(stamps) if stamp.tzinfo is None]
    if bare and zone is None:
        refuse(
            "FEED_NAIVE_STAMP",
            path=f"{path} row {bare[0] + 1}",
            value=str(cells.times[bare[0]])[:40],
            reason=f"{len(bare)} stamps carry no time zone, and none is stated",
            remedy="State the time zone of the stamps, UTC or an IANA name",
        )


def _rows(
    moments: list[datetime | None],
    cells: Cells,
    mapping: TableMapping,
    zone: ZoneInfo | None,
    *,
    path: str,
) -> list[FeedRow]:
    """Return the intervals; a stamp at the end of one is moved by its length."""
    different = sorted({when for when in moments if when is not None})
    if mapping.step_min is None:
        steps = _lengths(different, stamp=mapping.stamp)
    else:
        steps = [timedelta(minutes=mapping.step_min)] * len(different)
    length = dict(zip(different, steps, strict=True))
    rows: list[FeedRow] = []
    for at, when in enumerate(moments):
        if when is None:
            continue
        where = f"{path} row {at + 1}"
        start = when - length[when] if mapping.stamp == "end" else when
        rows.append(
            FeedRow(
                start=start,
                step=length[when],
                value=number_of(cells.values[at], mapping.decimal, path=f"{where} {mapping.value}"),
                published_at=_published(cells.published[at], mapping, zone, path=where),
            )
        )
    return rows


def _lengths(different: list[datetime], *, stamp: Literal["start", "end"]) -> list[timedelta]:
    """Return the length of the interval of each stamp; ends are starts in a mirror."""
    if stamp == "start":
        return steps_of(different)
    origin = datetime(2000, 1, 1, tzinfo=UTC)
    mirrored = [origin + (origin - end) for end in reversed(different)]
    return steps_of(mirrored)[::-1]


def _published(
    cell: Any, mapping: TableMapping, zone: ZoneInfo | None, *, path: str
) -> datetime | None:
    if cell is None or cell == "":
        return None
    when = stamp_of(cell, mapping.time_format, path=f"{path} {mapping.published}")
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone or UTC)
    return when.astimezone(UTC)

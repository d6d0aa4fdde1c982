"""Temperature, wind and sun of a place, from Open-Meteo.

A zone is `latitude,longitude` in degrees, e.g. `52.52,13.41`. Days older than a week come from
the archive (a reanalysis, some days late), later ones from the forecast service, which also
keeps the last days; how many hours lie ahead is told. Times are asked in GMT.

Temperature and wind are instants on the hour, and stand for the hour that they begin; radiation
is the mean of the hour that ENDS at its stamp, so its interval begins an hour earlier. Wind and
sun become shares of a nameplate by the stated models of `energy.nameplate`: modelled.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.energy.nameplate import SOLAR_MODEL, WIND_MODEL, solar_share, wind_share
from tokenergy.feeds.answer import Answer, Secret
from tokenergy.feeds.answer_shape import moment, number, part
from tokenergy.feeds.http import Http
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.series import Ask, FeedQuantity, FeedRow, FeedSeries, check_quantity

HOUR: Final = timedelta(hours=1)
ARCHIVED_AFTER: Final = timedelta(days=7)
"""The reanalysis is up to five days late; two more for safety."""
FORECAST_DAYS: Final = 16
"""Days the forecast service gives, today among them."""
ARCHIVE: Final = "https://archive-api.open-meteo.com"
FORECAST: Final = "https://api.open-meteo.com"
CELL_LIMIT_DEG: Final = 1.0
"""Farthest that the answer's grid cell may lie from the place asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a quantity is asked for, and what is made of a number that comes.

    Attributes:
        archived, forecast: the variable's name in either service; the archive has wind at
            100 m, the forecast at 120 m.
        told_unit: the unit that the service must state.
        ends_at_stamp: whether the value is of the hour that ends at its stamp.
        made: what turns a number of `told_unit` into one of `unit`.
        note: what to say of it in the source.
    """

    archived: str
    forecast: str
    told_unit: str
    ends_at_stamp: bool
    unit: str
    column: str
    made: Callable[[float], float]
    note: str


READINGS: Final[dict[FeedQuantity, Reading]] = {
    "temperature": Reading(
        archived="temperature_2m",
        forecast="temperature_2m",
        told_unit="°C",
        ends_at_stamp=False,
        unit="degC",
        column="outdoor_c",
        made=lambda told: told,
        note="air at 2 m",
    ),
    "wind": Reading(
        archived="wind_speed_100m",
        forecast="wind_speed_120m",
        told_unit="m/s",
        ends_at_stamp=False,
        unit="share",
        column="wind_share",
        made=wind_share,
        note=WIND_MODEL,
    ),
    "solar": Reading(
        archived="shortwave_radiation",
        forecast="shortwave_radiation",
        told_unit="W/m²",
        ends_at_stamp=True,
        unit="share",
        column="solar_share",
        made=solar_share,
        note=SOLAR_MODEL,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request: a service, a variable, and the stamps `[first, until)` to keep of its days."""

    url: str
    variable: str
    first: datetime
    until: datetime


class OpenMeteo:
    """Weather of a place: outdoor temperature, and wind and sun as shares of a nameplate."""

    name: str = "open-meteo"
    quantities: tuple[FeedQuantity, ...] = ("temperature", "wind", "solar")

    def __init__(
        self,
        http: Http,
        *,
        base_url: str = ARCHIVE,
        key: str | None = None,
        forecast_url: str | None = None,
    ) -> None:
        """Keep the door; a key is only needed by who pays for the service.

        Args:
            http: how addresses are read.
            base_url: where the archive is.
            key: a customer's key, sent to the customers' addresses.
            forecast_url: where the forecast is; None: its real address, or `base_url` where
                that one is not the real one.
        """
        self._http = http
        self._key = key
        archive = base_url.rstrip("/")
        forecast = FORECAST if archive == ARCHIVE else archive
        self._archive_url = _for_customers(archive, key)
        self._forecast_url = _for_customers(
            forecast if forecast_url is None else forecast_url.rstrip("/"), key
        )

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return one quantity of one place, by hour.

        Raises:
            InputError: for what is no place, or if a service cannot be read.
        """
        check_quantity(ask.quantity, feed=self.name, known=self.quantities)
        reading = READINGS[ask.quantity]
        latitude_deg, longitude_deg = place_of(ask.zone)
        rows: list[FeedRow] = []
        answers: list[Answer] = []
        for call in self._calls(ask, reading):
            answer = self._get(call, latitude_deg=latitude_deg, longitude_deg=longitude_deg)
            told = answer.json()
            check_cell(
                told, latitude_deg=latitude_deg, longitude_deg=longitude_deg, path=answer.url
            )
            answers.append(answer)
            stamped = rows_of(told, reading=reading, variable=call.variable, path=answer.url)
            rows += [row for stamp, row in stamped if call.first <= stamp < call.until]
        names = sorted({reading.archived, reading.forecast})
        return series_of(
            ask,
            Described(
                feed=self.name,
                unit=reading.unit,
                column=reading.column,
                source=f"Open-Meteo (CC BY 4.0), {' and '.join(names)} at {ask.zone} "
                f"({reading.note}): {self._archive_url}/v1/archive, "
                f"{self._forecast_url}/v1/forecast",
                step=HOUR,
            ),
            rows=rows,
            answers=answers,
            findings=told_ahead(rows, now=self._http.now(), path=f"{self.name} {ask.zone}"),
        )

    def _calls(self, ask: Ask, reading: Reading) -> Iterator[_Call]:
        """Say who is asked for which days: the archive, then the forecast."""
        shift = HOUR if reading.ends_at_stamp else timedelta(0)
        first, until = ask.start + shift, ask.end + shift
        now = self._http.now()
        border = _midnight((now - ARCHIVED_AFTER).date())
        end = _midnight(now.date()) + timedelta(days=FORECAST_DAYS)
        if first < border:
            yield _Call(
                url=f"{self._archive_url}/v1/archive",
                variable=reading.archived,
                first=first,
                until=min(until, border),
            )
        if until > border and first < end:
            yield _Call(
                url=f"{self._forecast_url}/v1/forecast",
                variable=reading.forecast,
                first=max(first, border),
                until=min(until, end),
            )

    def _get(self, call: _Call, *, latitude_deg: float, longitude_deg: float) -> Answer:
        return self._http.get(
            call.url,
            params={
                "latitude": f"{latitude_deg:g}",
                "longitude": f"{longitude_deg:g}",
                "start_date": f"{call.first:%Y-%m-%d}",
                "end_date": f"{call.until - timedelta(microseconds=1):%Y-%m-%d}",
                "hourly": call.variable,
                "timezone": "GMT",
                "wind_speed_unit": "ms",
            },
            secret=Secret("param", "apikey", self._key) if self._key else None,
            accept="application/json",
        )


def place_of(zone: str) -> tuple[float, float]:
    """Return latitude and longitude in degrees.

    Raises:
        FindingsError: FEED_UNKNOWN_ZONE.
    """
    try:
        latitude_deg, longitude_deg = (float(text) for text in zone.split(","))
    except ValueError:
        latitude_deg = longitude_deg = float("nan")
    if not (abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0):
        refuse(
            "FEED_UNKNOWN_ZONE",
            path="zone",
            value=zone,
            limit="90 and 180",
            unit="degrees",
            reason="a zone of open-meteo is a latitude and a longitude",
            remedy="Write e.g. 52.52,13.41: north and east are positive",
        )
    return latitude_deg, longitude_deg


def check_cell(told: Any, *, latitude_deg: float, longitude_deg: float, path: str) -> None:
    """Refuse an answer about another place, or in another time than GMT."""
    offset_s = part(told, "utc_offset_seconds", int, path=path)
    if offset_s != 0:
        refuse(
            "FEED_BAD_STAMP",
            path=f"{path} utc_offset_seconds",
            value=f"{offset_s}",
            limit="0",
            unit="s",
            reason="the service answered in another time zone than GMT",
            remedy="Ask again; if it stays, the service has changed its answers",
        )
    north_deg, east_deg = (
        number(part(told, name, object, path=path), path=f"{path} {name}")
        for name in ("latitude", "longitude")
    )
    if (
        north_deg is None
        or east_deg is None
        or not _is_near((north_deg, east_deg), (latitude_deg, longitude_deg))
    ):
        refuse(
            "FEED_OTHER_ZONE",
            path=path,
            value=f"{north_deg},{east_deg}",
            limit=f"{latitude_deg:g},{longitude_deg:g}",
            unit="degrees",
            reason="the service answered about another place than was asked",
            remedy="Check the place: north and east are positive",
        )


def _is_near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether two places, in degrees, lie within a degree, also across the date line."""
    east_deg = abs(one[1] - other[1]) % 360.0
    return max(abs(one[0] - other[0]), min(east_deg, 360.0 - east_deg)) <= CELL_LIMIT_DEG


def rows_of(
    told: Any, *, reading: Reading, variable: str, path: str
) -> list[tuple[datetime, FeedRow]]:
    """Return the hours of an answer, each with its stamp.

    An answer is `{"hourly_units": {variable: unit}, "hourly": {"time": [...], variable: [...]}}`.

    Raises:
        FindingsError: for another unit, lists of unequal length, or what is no number or moment.
    """
    unit = part(part(told, "hourly_units", dict, path=path), variable, str, path=path)
    if unit != reading.told_unit:
        refuse(
            "FEED_UNIT",
            path=f"{path} hourly_units.{variable}",
            value=unit,
            limit=reading.told_unit,
            reason="the service answered in another unit than was asked",
            remedy="Ask again; if it stays, the service has changed its answers",
        )
    hourly = part(told, "hourly", dict, path=path)
    stamps = part(hourly, "time", list, path=path)
    values = part(hourly, variable, list, path=path)
    if len(stamps) != len(values):
        refuse(
            "FEED_SHAPE",
            path=f"{path} hourly.{variable}",
            value=f"{len(values)}",
            limit=f"{len(stamps)}",
            unit="values",
            reason="the answer has more times than values, or fewer",
            remedy="Ask again",
        )
    shift = HOUR if reading.ends_at_stamp else timedelta(0)
    rows = []
    for index, (stamp, value) in enumerate(zip(stamps, values, strict=True)):
        at = moment(stamp, path=f"{path} hourly.time[{index}]", zone_h=0.0)
        read = number(value, path=f"{path} hourly.{variable}[{index}]")
        made = None if read is None else reading.made(read)
        rows.append((at, FeedRow(start=at - shift, step=HOUR, value=made)))
    return rows


def told_ahead(rows: list[FeedRow], *, now: datetime, path: str) -> list[Finding]:
    """Say how many of the hours are a forecast, because they have not begun."""
    ahead_count = sum(row.start > now and row.value is not None for row in rows)
    if not ahead_count:
        return []
    return [
        Finding(
            code="FEED_FORECAST",
            path=path,
            value=f"{ahead_count}",
            limit=f"{len(rows)}",
            unit="hours",
            reason="hours that lie ahead are a weather forecast",
            remedy="Fetch them again once they are past",
            severity="warning",
        )
    ]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _for_customers(url: str, key: str | None) -> str:
    """Return the address that takes keys, where it is the service's own."""
    if key and url in (ARCHIVE, FORECAST):
        return url.replace("https://", "https://customer-")
    return url

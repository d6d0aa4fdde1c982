"""European day-ahead prices, wind, sun and load, from the API of Fraunhofer ISE's Energy-Charts.

A zone is a bidding zone in the service's words for prices (`DE-LU`, `FR`, `NO2`), always in
EUR/MWh; for power it is a country (`DE`, `FR`; `DE-LU` is read as Germany). Stamps are seconds
of UTC at the start of an interval, so days of 23 and 25 hours need no care. The step is not
told and follows from the stamps: 60 minutes, or 15 since 2025-10-01.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer
from tokenergy.feeds.answer_shape import number, part
from tokenergy.feeds.http import Http
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.laid import HOUR, check_unit, pieces, steps_of
from tokenergy.feeds.series import Ask, FeedQuantity, FeedRow, FeedSeries, check_quantity

SPAN_LIMIT: Final = timedelta(days=366)
PRICE_UNIT: Final = "EUR/MWh"
POWER_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "wind": ("Wind onshore", "Wind offshore"),
        "solar": ("Solar",),
        "load": ("Load",),
    }
)
"""Names of the service's production types whose sum is a quantity."""
STAMPS_FROM: Final = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
STAMPS_TO: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


class EnergyCharts:
    """Day-ahead prices of European bidding zones, and wind, solar and load of countries."""

    name: str = "energy-charts"
    quantities: tuple[FeedQuantity, ...] = ("day_ahead_price", "wind", "solar", "load")

    def __init__(
        self,
        http: Http,
        *,
        base_url: str = "https://api.energy-charts.info",
        key: str | None = None,
    ) -> None:
        """Keep the door; the service wants no key."""
        self._http = http
        self._base_url = base_url.rstrip("/")

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return the series of a zone, in its native step.

        Raises:
            InputError: if the service cannot be read, or answers in another unit.
        """
        check_quantity(ask.quantity, feed=self.name, known=self.quantities)
        price = ask.quantity == "day_ahead_price"
        call = "price" if price else "public_power"
        zone = {"bzn": ask.zone} if price else {"country": country_of(ask.zone)}
        answers: list[Answer] = []
        rows: list[FeedRow] = []
        licences: list[str] = []
        for start, end in pieces(ask.start, ask.end, limit=SPAN_LIMIT):
            answer = self._http.get(
                f"{self._base_url}/{call}",
                params={
                    **zone,
                    "start": f"{start:%Y-%m-%dT%H:%MZ}",
                    "end": f"{end:%Y-%m-%dT%H:%MZ}",
                },
                accept="application/json",
            )
            told = answer.json()
            answers.append(answer)
            came = prices_of(told, path=answer.url) if price else power_of(told, ask, answer.url)
            rows += [row for row in came if start <= row.start < end]
            licence = told.get("license_info")
            if isinstance(licence, str) and licence not in licences:
                licences.append(licence)
        unit = PRICE_UNIT if price else "MW"
        column = "day_ahead_price_eur_per_mwh" if price else f"{ask.quantity}_mw"
        licence_text = " ".join("; ".join(licences).split())[:300] or "none stated"
        return series_of(
            ask,
            Described(
                feed=self.name,
                unit=unit,
                column=column,
                source=f"Energy-Charts (Fraunhofer ISE), {call} of {ask.zone}: "
                f"{self._base_url}/{call}. Licence as told: {licence_text}",
                step=rows[0].step if rows else HOUR,
            ),
            rows=rows,
            answers=answers,
        )


def country_of(zone: str) -> str:
    """Return the country, in lower case, whose power stands for a zone.

    Raises:
        FindingsError: FEED_UNKNOWN_ZONE for a part of a country.
    """
    country = "de" if zone.upper() in ("DE-LU", "DE-AT-LU") else zone.lower()
    if not country.isalpha() or len(country) not in (2, 3):
        refuse(
            "FEED_UNKNOWN_ZONE",
            path="zone",
            value=zone,
            reason="energy-charts gives wind, solar and load by country",
            remedy="Write the country in two letters, e.g. DE",
        )
    return country


def prices_of(told: Any, *, path: str) -> list[FeedRow]:
    """Return the intervals of a `/price` answer.

    It is `{"license_info", "unix_seconds": [...], "price": [...], "unit": "EUR / MWh"}`.

    Raises:
        FindingsError: FEED_UNIT, FEED_SHAPE, FEED_NOT_A_NUMBER.
    """
    check_unit(part(told, "unit", str, path=path), expected=PRICE_UNIT, path=f"{path} unit")
    return _rows(told, part(told, "price", list, path=path), path=f"{path} price")


def power_of(told: Any, ask: Ask, path: str) -> list[FeedRow]:
    """Return the sum of the production types of a quantity, in MW.

    An answer is `{"unix_seconds": [...], "production_types": [{"name", "data": [...]}, ...]}`.
    An interval in which one of them has no value has none.

    Raises:
        FindingsError: FEED_SHAPE where no type of the quantity is there; FEED_NOT_A_NUMBER.
    """
    wanted = POWER_NAMES[ask.quantity]
    found: list[list[FeedRow]] = []
    for index, kind in enumerate(part(told, "production_types", list, path=path)):
        where = f"{path} production_types[{index}]"
        if part(kind, "name", str, path=where) in wanted:
            rows = _rows(told, part(kind, "data", list, path=where), path=where)
            # A country without a coast has a type of nothing but nulls, which adds nothing.
            if any(row.value is not None for row in rows):
                found.append(rows)
    if not found:
        refuse(
            "FEED_SHAPE",
            path=path,
            limit=" or ".join(wanted),
            reason=f"the answer holds no values of {ask.quantity}",
            remedy="Check the country: not each reports it",
        )
    return [
        FeedRow(
            start=parts[0].start,
            step=parts[0].step,
            value=_sum([row.value for row in parts]),
        )
        for parts in zip(*found, strict=True)
    ]


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _rows(told: Any, values: Sequence[Any], *, path: str) -> list[FeedRow]:
    """Join stamps and values; the same stamp twice stays twice, for the rules to judge."""
    seconds = part(told, "unix_seconds", list, path=path)
    if len(seconds) != len(values):
        refuse(
            "FEED_SHAPE",
            path=path,
            value=f"{len(values)}",
            limit=f"{len(seconds)}",
            unit="values",
            reason="the answer has another number of values than of stamps: half an answer",
            remedy="Ask again",
        )
    starts = [
        _start(second, path=f"{path} unix_seconds[{at}]") for at, second in enumerate(seconds)
    ]
    different = sorted(set(starts))
    steps = dict(zip(different, steps_of(different), strict=True))
    return [
        FeedRow(start=start, step=steps[start], value=number(value, path=f"{path}[{at}]"))
        for at, (start, value) in enumerate(zip(starts, values, strict=True))
    ]


def _start(second: Any, *, path: str) -> datetime:
    value = number(second, path=path)
    if value is None or not STAMPS_FROM <= value < STAMPS_TO:
        refuse(
            "FEED_BAD_STAMP",
            path=path,
            value=f"{second!r}"[:40],
            unit="s",
            reason="the answer has no seconds since 1970 as a time stamp",
            remedy="Ask again; if it stays, the service has changed its answers",
        )
    return datetime.fromtimestamp(value, tz=UTC)

"""A real HTTP server on loopback that speaks the shapes of four services; the values are made up.

Where the shapes were looked up (no text or code was copied):
- Grid Status: its open client `gridstatusio` (`gs_client.py`: pages of arrays, `meta.hasNextPage`
  and `meta.cursor`) and a public OpenAPI description of its query endpoint (401 with `detail`).
- AEMO: public readers of `PRICE_AND_DEMAND_YYYYMM_REGION.csv` and of the dashboard's
  `ELEC_NEM_SUMMARY` (two tables of one row per region).
- Open-Meteo: `openapi/historical-weather.yml` and `forecast.yml` of the service's own repository;
  errors are `{"error": true, "reason": ...}` with status 400 (`configure.swift`).
- Electricity Maps: public notes of version 4, verified against the live service in August 2026
  (`{"zone", "data": [...]}`; 401 with `error` and `message` where the plan denies a signal).
"""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tokenergy.errors import FindingsError
from tokenergy.feeds.http import Http


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Told:
    """What goes back; `cut` promises more bytes than it sends."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


Speaker = Callable[[Asked], Told]


class FeedServer:
    """Answers by the beginning of the path; the longest beginning wins. It keeps what was asked."""

    def __init__(self, **speakers: Speaker) -> None:
        self.speakers: dict[str, Speaker] = dict(speakers)
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                asked = Asked(
                    path=split.path,
                    query=dict(parse_qsl(split.query, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                )
                outer.asked.append(asked)
                outer._answer(self, outer.tell(asked))

            def log_message(self, *_: Any) -> None:
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def say(self, path: str, told: Told | Speaker) -> None:
        """Answer thus on every path that begins so."""
        self.speakers[path] = (lambda _: told) if isinstance(told, Told) else told

    def tell(self, asked: Asked) -> Told:
        fitting = [path for path in self.speakers if asked.path.startswith(path)]
        if not fitting:
            return Told(b"no such thing", status=404)
        return self.speakers[max(fitting, key=len)](asked)

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, told: Told) -> None:
        handler.send_response(told.status)
        for name, value in told.headers.items():
            handler.send_header(name, value)
        length = len(told.body) + (64 if told.cut else 0)
        handler.send_header("Content-Length", str(length))
        if told.cut:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        handler.wfile.write(told.body)


def in_json(value: Any, *, status: int = 200, **headers: str) -> Told:
    return Told(
        json.dumps(value, ensure_ascii=False).encode(),
        status=status,
        headers={"Content-Type": "application/json", **headers},
    )


def door(now: datetime, **more: Any) -> Http:
    """Return an Http whose clock stands still and whose waits take no time."""
    return Http(clock=lambda: now, sleep=lambda _: None, **more)


def code_of(error: FindingsError) -> str:
    """Return the code of the only finding."""
    (finding,) = error.findings
    return finding.code


HTML = Told(
    b"<!DOCTYPE html><html><body>Please sign in</body></html>",
    headers={"Content-Type": "text/html; charset=utf-8"},
)
LIMITED = in_json({"detail": "Rate limit exceeded"}, status=429)


def after(first: Iterable[Told], then: Speaker) -> Speaker:
    """Give the first answers once each, and then speak as usual."""
    waiting = list(first)
    return lambda asked: waiting.pop(0) if waiting else then(asked)


# ---- Grid Status ----------------------------------------------------------------------------

GRID_COLUMNS = ["interval_start_utc", "interval_end_utc", "market", "location", "location_type"]


def grid_rows(
    start: datetime, values: Iterable[float | None], *, location: str, step: timedelta
) -> list[list[Any]]:
    return [
        [
            (start + step * index).isoformat(),
            (start + step * (index + 1)).isoformat(),
            "DAY_AHEAD_HOURLY",
            location,
            "Trading Hub",
            value,
        ]
        for index, value in enumerate(values)
    ]


def grid_status(
    rows: list[list[Any]],
    *,
    column: str = "spp",
    columns: list[str] | None = None,
    page: int = 999,
) -> Speaker:
    """Speak as the query endpoint does: filter, then a page and the cursor of the next."""
    names = [*GRID_COLUMNS, column] if columns is None else columns

    def speak(asked: Asked) -> Told:
        if asked.headers.get("x-api-key") != "sesame":
            return in_json({"detail": "Invalid API Key."}, status=401)
        if asked.query["json_schema"] != "array-of-arrays":
            return in_json({"detail": [{"loc": ["query", "json_schema"]}]}, status=422)
        wanted = [
            row
            for row in rows
            if asked.query["start_time"] <= row[0] < asked.query["end_time"]
            and row[3] == asked.query["filter_value"]
        ]
        first = int(asked.query["cursor"] or "0")
        more = first + page < len(wanted)
        return in_json(
            {
                "status_code": 200,
                "data": [names, *wanted[first : first + page]],
                "meta": {
                    "page": int(asked.query["page"]),
                    "limit": None,
                    "pageSize": page,
                    "hasNextPage": more,
                    "cursor": str(first + page) if more else None,
                },
                "dataset_metadata": {
                    "id": asked.path.split("/")[-2],
                    "data_timezone": "US/Central",
                },
            }
        )

    return speak


# ---- AEMO -----------------------------------------------------------------------------------

AEMO_HEAD = "REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE"


def aemo_csv(
    first_end: str,
    prices: Iterable[object],
    *,
    region: str = "NSW1",
    minutes: int = 5,
    kind: str = "TRADE",
) -> str:
    """Write a monthly file whose first interval ends at `first_end` (market time)."""
    end = datetime.strptime(first_end, "%Y/%m/%d %H:%M:%S")
    lines = [
        f"{region},{end + timedelta(minutes=minutes * index):%Y/%m/%d %H:%M:%S},"
        f"{7000 + index},{price},{kind}"
        for index, price in enumerate(prices)
    ]
    return "\n".join([AEMO_HEAD, *lines, ""])


def in_csv(text: str) -> Told:
    return Told(text.encode(), headers={"Content-Type": "text/csv"})


def aemo_summary(end: str, rrp: float, *, region: str = "NSW1", status: str = "FIRM") -> Told:
    return in_json(
        {
            "ELEC_NEM_SUMMARY": [
                {
                    "SETTLEMENTDATE": end,
                    "REGIONID": name,
                    "PRICE": rrp + 0.4,
                    "PRICE_STATUS": status,
                    "APCFLAG": 0.0,
                    "MARKETSUSPENDEDFLAG": 0.0,
                    "TOTALDEMAND": 6603.05,
                    "INTERCONNECTORFLOWS": "[]",
                }
                for name in ("QLD1", region)
            ],
            "ELEC_NEM_SUMMARY_PRICES": [
                {"REGIONID": name, "RRP": rrp + extra, "RAISEREGRRP": 4.97}
                for name, extra in (("QLD1", 99.0), (region, 0.0))
            ],
            "ELEC_NEM_SUMMARY_MARKET_NOTICE": [],
        }
    )


# ---- Open-Meteo -----------------------------------------------------------------------------

WEATHER_UNITS = {
    "temperature_2m": "°C",
    "wind_speed_100m": "m/s",
    "wind_speed_120m": "m/s",
    "shortwave_radiation": "W/m²",
}


def open_meteo(value: Callable[[datetime], float | None], **changed: Any) -> Speaker:
    """Speak as archive and forecast do: whole days by hour, in GMT; `changed` overrides fields."""

    def speak(asked: Asked) -> Told:
        variable = asked.query["hourly"]
        start = datetime.fromisoformat(asked.query["start_date"])
        days = (datetime.fromisoformat(asked.query["end_date"]) - start).days + 1
        if days < 1:
            return in_json({"error": True, "reason": "End-date must be larger"}, status=400)
        hours = [start + timedelta(hours=index) for index in range(24 * days)]
        told = {
            "latitude": float(asked.query["latitude"]) + 0.06,
            "longitude": float(asked.query["longitude"]) - 0.05,
            "generationtime_ms": 0.2,
            "utc_offset_seconds": 0,
            "timezone": "GMT",
            "timezone_abbreviation": "GMT",
            "elevation": 38.0,
            "hourly_units": {"time": "iso8601", variable: WEATHER_UNITS[variable]},
            "hourly": {
                "time": [f"{hour:%Y-%m-%dT%H:%M}" for hour in hours],
                variable: [value(hour) for hour in hours],
            },
        }
        return in_json({**told, **changed})

    return speak


# ---- Electricity Maps -----------------------------------------------------------------------


def carbon_hour(start: datetime, value: object, **changed: Any) -> dict[str, Any]:
    told = {
        "datetime": f"{start:%Y-%m-%dT%H:%M:%S}.000Z",
        "updatedAt": f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}.123Z",
        "createdAt": f"{start - timedelta(hours=70):%Y-%m-%dT%H:%M:%S}.000Z",
        "carbonIntensity": value,
        "emissionFactorType": "lifecycle",
        "flowTraced": True,
        "isEstimated": False,
        "estimationMethod": None,
        "temporalGranularity": "hourly",
    }
    return {**told, **changed}


def electricity_maps(hours: list[dict[str, Any]], *, zone: str = "DE") -> Speaker:
    """Speak as `past-range` does: the hours between `start` and `end`, at most ten days."""

    def speak(asked: Asked) -> Told:
        if asked.headers.get("auth-token") != "sesame":
            return in_json({"error": "Invalid auth-token"}, status=401)
        start = datetime.fromisoformat(asked.query["start"])
        end = datetime.fromisoformat(asked.query["end"])
        if end - start > timedelta(days=10):
            return in_json({"error": "The range is too long"}, status=400)
        kept = [h for h in hours if start <= datetime.fromisoformat(h["datetime"]) < end]
        return in_json({"zone": zone, "temporalGranularity": "hourly", "data": kept})

    return speak


DENIED = in_json(
    {
        "error": "Request unauthorized for zoneKey=DE,requestType=past,dataType=carbon-intensity.",
        "message": "You do not have access to this specific endpoint for this specific zone.",
    },
    status=401,
)

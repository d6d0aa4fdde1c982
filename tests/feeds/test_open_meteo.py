"""Weather of a place: which hour a stamp means, which service gives it, and what is made of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_server_more import (
    HTML,
    LIMITED,
    FeedServer,
    Told,
    after,
    code_of,
    door,
    in_json,
    open_meteo,
)

from tokenergy.errors import FindingsError
from tokenergy.feeds.open_meteo import OpenMeteo
from tokenergy.feeds.series import Ask, FeedQuantity, FeedSeries

NOW = datetime(2025, 6, 20, 12, 30, tzinfo=UTC)
START = datetime(2025, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
BERLIN = "52.52,13.41"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        running.say("/v1/", open_meteo(lambda at: float(at.hour)))
        yield running


def fetch(
    server: FeedServer,
    *,
    quantity: FeedQuantity = "temperature",
    zone: str = BERLIN,
    start: datetime = START,
    hours: int = 3,
    key: str | None = None,
) -> FeedSeries:
    with door(NOW) as http:
        return OpenMeteo(http, base_url=server.url, key=key).fetch(
            Ask(zone=zone, quantity=quantity, start=start, end=start + hours * HOUR)
        )


def refused(server: FeedServer, **asked: Any) -> str:
    with pytest.raises(FindingsError) as caught:
        fetch(server, **asked)
    return code_of(caught.value)


def test_temperature_of_an_old_day_comes_from_the_archive(server: FeedServer) -> None:
    series = fetch(server)
    assert [(row.start, row.value) for row in series.rows] == [
        (START, 0.0),
        (START + HOUR, 1.0),
        (START + 2 * HOUR, 2.0),
    ]
    assert {row.step for row in series.rows} == {HOUR}
    assert (series.unit, series.column) == ("degC", "outdoor_c")
    assert series.findings == ()
    (asked,) = server.asked
    assert asked.path == "/v1/archive"
    assert asked.query == {
        "latitude": "52.52",
        "longitude": "13.41",
        "start_date": "2025-01-10",
        "end_date": "2025-01-10",
        "hourly": "temperature_2m",
        "timezone": "GMT",
        "wind_speed_unit": "ms",
    }


def test_radiation_is_of_the_hour_before_its_stamp(server: FeedServer) -> None:
    """0.86 x 100 h / 1000: the interval 00 to 01 has the value stamped 01:00, and so on.

    The last hour of a day needs the first stamp of the next.
    """
    server.say("/v1/archive", open_meteo(lambda at: 100.0 * at.hour))
    series = fetch(server, quantity="solar", start=START + 21 * HOUR)
    assert [row.start for row in series.rows] == [START + hour * HOUR for hour in (21, 22, 23)]
    assert [row.value for row in series.rows] == pytest.approx([1.0, 1.0, 0.0])
    (asked,) = server.asked
    assert (asked.query["start_date"], asked.query["end_date"]) == ("2025-01-10", "2025-01-11")
    morning = fetch(server, quantity="solar")
    assert [row.value for row in morning.rows] == pytest.approx([0.086, 0.172, 0.258])
    assert (morning.unit, morning.column) == ("share", "solar_share")
    assert "modelled" in morning.source and "NREL" in morning.source


def test_wind_is_a_share_of_nameplate_by_a_stated_curve(server: FeedServer) -> None:
    """At 8 m/s: (8^3 - 3^3) / (11.4^3 - 3^3) = 485 / 1454.544."""
    server.say("/v1/archive", open_meteo(lambda at: 8.0 if at.hour else 26.0))
    series = fetch(server, quantity="wind", hours=2)
    assert [row.value for row in series.rows] == pytest.approx([0.0, 485 / 1454.544])
    assert (series.unit, series.column) == ("share", "wind_share")
    assert "modelled" in series.source and "wind_speed_100m" in series.source


def test_a_span_over_the_border_asks_both_services(server: FeedServer) -> None:
    """Seven days before 2025-06-20 is 06-13: stamps before it are the archive's."""
    server.say("/v1/archive", open_meteo(lambda at: 8.0))
    server.say("/v1/forecast", open_meteo(lambda at: 12.0))
    border = datetime(2025, 6, 13, tzinfo=UTC)
    series = fetch(server, quantity="wind", start=border - 2 * HOUR, hours=4)
    assert [row.start for row in series.rows] == [border + h * HOUR for h in (-2, -1, 0, 1)]
    assert [row.value for row in series.rows] == pytest.approx([485 / 1454.544] * 2 + [1.0] * 2)
    assert [asked.path for asked in server.asked] == ["/v1/archive", "/v1/forecast"]
    assert [asked.query["hourly"] for asked in server.asked] == [
        "wind_speed_100m",
        "wind_speed_120m",
    ]
    assert server.asked[0].query["end_date"] == "2025-06-12"
    assert server.asked[1].query["start_date"] == "2025-06-13"


def test_a_forecast_is_told_as_one(server: FeedServer) -> None:
    """At 12:30, of the hours 11 to 15 those from 13 lie ahead: two of four."""
    series = fetch(server, start=datetime(2025, 6, 20, 11, tzinfo=UTC), hours=4)
    (finding,) = series.findings
    assert (finding.code, finding.value, finding.limit) == ("FEED_FORECAST", "2", "4")


def test_beyond_the_sixteen_days_there_is_a_hole(server: FeedServer) -> None:
    last = datetime(2025, 7, 5, 23, tzinfo=UTC)
    series = fetch(server, start=last, hours=2)
    assert [row.value for row in series.rows if row.value is not None] == [23.0]
    assert {f.code for f in series.findings} == {"FEED_FORECAST", "FEED_GAP"}
    assert server.asked[0].query["end_date"] == "2025-07-05"


def test_a_day_of_25_hours_of_local_clocks_is_whole(server: FeedServer) -> None:
    """Times are GMT: Berlin's day of 2024-10-27 is 22:00 to 23:00 GMT, 25 of them."""
    series = fetch(server, start=datetime(2024, 10, 26, 22, tzinfo=UTC), hours=25)
    assert len(series.rows) == 25
    assert series.findings == ()


def test_null_is_a_hole_not_zero(server: FeedServer) -> None:
    server.say("/v1/archive", open_meteo(lambda at: None if at.hour == 1 else 1.0))
    series = fetch(server)
    assert [row.value for row in series.rows] == [1.0, None, 1.0]
    assert [finding.code for finding in series.findings] == ["FEED_GAP"]


def times(*hours: int, unit: str = "°C") -> dict[str, Any]:
    return {
        "hourly_units": {"time": "iso8601", "temperature_2m": unit},
        "hourly": {
            "time": [f"2025-01-10T{hour:02d}:00" for hour in hours],
            "temperature_2m": [float(hour) for hour in hours],
        },
    }


def test_a_missing_hour_and_an_hour_twice_are_told(server: FeedServer) -> None:
    server.say("/v1/archive", open_meteo(lambda _: 0.0, **times(0, 1, 1, 3)))
    series = fetch(server, hours=4)
    values = {row.start: row.value for row in series.rows}
    assert values.get(START + 2 * HOUR) is None
    assert values[START + HOUR] == 1.0
    assert [finding.code for finding in series.findings] == ["FEED_DOUBLED", "FEED_GAP"]


def test_a_key_is_sent_and_never_told(server: FeedServer) -> None:
    series = fetch(server, key="open-barley")
    assert server.asked[0].query["apikey"] == "open-barley"
    assert "open-barley" not in repr(series)


def test_a_key_goes_to_the_customers_addresses() -> None:
    with door(NOW) as http:
        feed = OpenMeteo(http, key="open-barley")
        assert feed._archive_url == "https://customer-archive-api.open-meteo.com"
        assert feed._forecast_url == "https://customer-api.open-meteo.com"
        assert OpenMeteo(http)._forecast_url == "https://api.open-meteo.com"


def test_a_rate_limit_is_waited_for(server: FeedServer) -> None:
    server.say("/v1/archive", after([LIMITED], open_meteo(lambda at: 1.0)))
    assert len(fetch(server).rows) == 3


LIST = {"time": ["2025-01-10T00:00"], "temperature_2m": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (HTML, "FEED_NOT_JSON"),
        (Told(b'{"latitude": 52.5'), "FEED_NOT_JSON"),
        (
            in_json({"error": True, "reason": "Parameter 'hourly' invalid"}, status=400),
            "FEED_REFUSED",
        ),
        (open_meteo(lambda _: 1.0, **times(0, unit="°F")), "FEED_UNIT"),
        (open_meteo(lambda _: 1.0, hourly_units={"time": "iso8601"}), "FEED_SHAPE"),
        (open_meteo(lambda _: 1.0, hourly={"time": ["2025-01-10T00:00"]}), "FEED_SHAPE"),
        (open_meteo(lambda _: 1.0, hourly=LIST), "FEED_SHAPE"),
        (open_meteo(lambda _: 1.0, utc_offset_seconds=3600), "FEED_BAD_STAMP"),
        (open_meteo(lambda _: 1.0, latitude=-52.5), "FEED_OTHER_ZONE"),
        (open_meteo(lambda _: 1.0, longitude=None), "FEED_OTHER_ZONE"),
        (open_meteo(lambda _: 1.0, latitude="52.5 N"), "FEED_NOT_A_NUMBER"),
    ],
)
def test_what_is_no_weather_is_an_error(server: FeedServer, told: Any, code: str) -> None:
    server.say("/v1/archive", told)
    assert refused(server) == code


def test_a_cell_across_the_date_line_is_near() -> None:
    with FeedServer() as server, door(NOW) as http:
        server.say("/v1/archive", open_meteo(lambda _: 1.0, longitude=-179.95, latitude=-17.0))
        ask = Ask(zone="-17,179.99", quantity="temperature", start=START, end=START + HOUR)
        assert len(OpenMeteo(http, base_url=server.url).fetch(ask).rows) == 1


@pytest.mark.parametrize("zone", ["Berlin", "52.5", "91,0", "0,181", "nan,0", "1,2,3", ""])
def test_what_is_no_place_is_refused(server: FeedServer, zone: str) -> None:
    assert refused(server, zone=zone) == "FEED_UNKNOWN_ZONE"
    assert server.asked == []


def test_what_it_does_not_give_is_refused(server: FeedServer) -> None:
    assert refused(server, quantity="carbon") == "FEED_NO_QUANTITY"

"""Each feed, from its stand-in to a company file that `check` accepts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml
from commands import SMALL
from feed_server import day_ahead, document, energy_charts, entsoe, time_series
from feed_server_more import (
    FeedServer,
    aemo_csv,
    carbon_hour,
    door,
    electricity_maps,
    grid_rows,
    grid_status,
    in_csv,
    open_meteo,
)

import tokenergy as te

START = datetime(2026, 2, 22, tzinfo=UTC)
END = datetime(2026, 3, 4, tzinfo=UTC)
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNT = 240
KEYS = dict.fromkeys(("ENTSOE_API_KEY", "GRIDSTATUS_API_KEY", "ELECTRICITYMAPS_API_KEY"), "sesame")


def values(count: int) -> list[float]:
    return [40.0 + at % 23 for at in range(count)]


def say_energy_charts(server: FeedServer) -> None:
    server.say("/price", energy_charts(day_ahead(START, values(COUNT))))


def say_entsoe(server: FeedServer) -> None:
    points = {at + 1: value for at, value in enumerate(values(COUNT))}
    told = document(time_series(START, points, count=COUNT))
    server.say("/", entsoe(lambda _asked, _start, _end: told))


def say_gridstatus(server: FeedServer) -> None:
    rows = grid_rows(START, values(COUNT), location="HB_WEST", step=HOUR)
    server.say("/", grid_status(rows))


def say_aemo(server: FeedServer) -> None:
    """Stamps are ends in UTC+10: 22 February 10:05 is the first; a month's last is midnight."""
    february, march = 12 * 14 + 288 * 6, 12 * 82
    first = aemo_csv("2026/02/22 10:05:00", values(february))
    second = aemo_csv("2026/03/01 00:05:00", values(march))
    server.say("/", lambda asked: in_csv(first if "202602" in asked.path else second))


def say_open_meteo(server: FeedServer) -> None:
    server.say("/", open_meteo(lambda hour: 5.0 + hour.hour / 2))


def say_electricity_maps(server: FeedServer) -> None:
    hours = [carbon_hour(START + HOUR * at, 300 + at % 7) for at in range(COUNT)]
    server.say("/", electricity_maps(hours))


FEEDS: dict[str, tuple[str, Callable[[FeedServer], None], str]] = {
    "energy-charts": ("DE-LU", say_energy_charts, "price"),
    "entsoe": ("DE-LU", say_entsoe, "price"),
    "gridstatus": ("ercot/HB_WEST", say_gridstatus, "price"),
    "aemo": ("NSW1", say_aemo, "price"),
    "open-meteo": ("52.52,13.41", say_open_meteo, "outdoor_c"),
    "electricity-maps": ("DE", say_electricity_maps, ""),
}


@pytest.mark.parametrize("feed", FEEDS)
def test_what_a_feed_writes_is_accepted_by_check(
    feed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its printed line, with a rate where one is due, stands in the file; nothing is an error."""
    monkeypatch.chdir(tmp_path)
    zone, say, place = FEEDS[feed]
    with FeedServer() as server, door(NOW) as http:
        say(server)
        told = te.fetch(
            feed, zone, START, END, out="it.parquet", base_url=server.url, http=http, environ=KEYS
        )
    written = pl.read_parquet("it.parquet")
    assert written["utc"][0] == START and written["utc"].is_sorted()
    assert written[told.series.column].null_count() == 0
    if not place:  # carbon has no place in a company file yet
        return
    (line,) = [text for text in told.snippet.splitlines() if not text.startswith("#")]
    read = yaml.safe_load(line.replace("RATE", "1.08").replace("SOURCE, DATE", "made up"))
    tree = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    site = tree["sites"][0]
    if place == "price":
        site["market"]["price"] = read["price"]
    else:
        site["outdoor_c"] = read["outdoor_c"]
        site["pue"] = [{"outdoor_c": 0, "pue": 1.1}, {"outdoor_c": 30, "pue": 1.3}]
    tree["horizon"]["start"] = tree["horizon"]["start"].strftime("%Y-%m-%dT%H:%M:%SZ")
    Path("small.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    assert [str(finding) for finding in te.check("small.yaml").errors] == []

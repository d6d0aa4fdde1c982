"""`fetch`: from a feed to a file that `check` accepts, with everything that was odd told."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from commands import SMALL
from feed_server import (
    FeedServer,
    Told,
    day_ahead,
    document,
    door,
    energy_charts,
    entsoe,
    in_csv,
    time_series,
)

import tokenergy as te
from tokenergy.api.fetching import Fetched, fetch, snippet_of
from tokenergy.errors import InputError
from tokenergy.feeds.http import Http
from tokenergy.feeds.table_url import TableMapping

START = datetime(2026, 2, 22, tzinfo=UTC)
END = datetime(2026, 3, 4, tzinfo=UTC)
"""The small company's two days from 2 March, and its week of history."""
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
COUNT = 10 * 24


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture
def http() -> Iterator[Http]:
    with door(NOW) as opened:
        yield opened


def prices(count: int, *, first: float = 0.0) -> list[float]:
    return [first + 40.0 + at % 23 for at in range(count)]


def fetched(server: FeedServer, http: Http, **more: Any) -> Fetched:
    return fetch("energy-charts", "DE-LU", START, END, base_url=server.url, http=http, **more)


def company(folder: Path, snippet: str) -> Path:
    """Put the lines that `fetch` prints, with the rate stated, into the small company's file."""
    text = SMALL.read_text(encoding="utf-8")
    lines = snippet.replace("RATE", "1.08").replace("SOURCE, DATE", "ECB, 2026-03-02")
    (price,) = [line for line in lines.splitlines() if not line.startswith("#")]
    assert yaml.safe_load(price)["price"]["column"].startswith("day_ahead_price_")
    held = text.replace("price: {synthetic: germany}", price)
    assert held != text
    file = folder / "small.yaml"
    file.write_text(held, encoding="utf-8")
    return file


def codes(file: Path) -> list[str]:
    return [finding.code for finding in te.check(file).errors]


def test_a_written_file_is_accepted_by_check_once_the_rate_is_stated(
    server: FeedServer, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.say("/price", energy_charts(day_ahead(START, prices(COUNT))))
    told = fetched(server, http, out="de.parquet")
    assert told.findings == ()
    assert "price: {file: de.parquet, column: day_ahead_price_eur_per_mwh" in told.snippet
    assert "usd_per_unit: RATE" in told.snippet and told.snippet.startswith("# state the rate")
    file = company(tmp_path, told.snippet)
    assert codes(file) == []
    bare = told.snippet.replace(", usd_per_unit: RATE", "")
    assert "CURRENCY_WITHOUT_RATE" in codes(company(tmp_path, bare))


def test_quarters_are_accepted_too_and_hours_are_an_explicit_choice(
    server: FeedServer, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.say("/price", energy_charts(day_ahead(START, prices(4 * COUNT), step=QUARTER)))
    told = fetched(server, http, out="quarters.parquet")
    assert told.to_dict()["step_min"] == [15.0]
    assert codes(company(tmp_path, told.snippet)) == []
    hours = fetched(server, http, out="hours.parquet", hourly=True)
    assert hours.to_dict()["step_min"] == [60.0]
    assert hours.series.rows[0].value == (40 + 41 + 42 + 43) / 4
    assert codes(company(tmp_path, hours.snippet)) == []


def test_days_on_which_clocks_move_are_accepted(
    server: FeedServer, http: Http, tmp_path: Path
) -> None:
    """28 to 30 March in Berlin are 24 + 23 + 24 hours, 24 to 26 October 24 + 25 + 24: UTC rows."""
    for first, hours in (
        (datetime(2025, 3, 28, 23, tzinfo=UTC), 71),
        (datetime(2025, 10, 24, 22, tzinfo=UTC), 73),
    ):
        server.say("/price", energy_charts(day_ahead(first, prices(hours))))
        out = tmp_path / f"{first:%m}.parquet"
        told = fetch("energy-charts", "DE-LU", first, first + hours * HOUR,
                     base_url=server.url, http=http, out=out)  # fmt: skip
        assert told.findings == ()
        steps = pl.read_parquet(out)["utc"].diff().drop_nulls().unique().to_list()
        assert steps == [HOUR]


def test_a_hole_is_a_row_without_a_value_and_check_says_so(
    server: FeedServer, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = day_ahead(START, prices(COUNT))
    del values[START + 200 * HOUR]
    server.say("/price", energy_charts(values))
    told = fetched(server, http, out="de.parquet")
    assert [item.code for item in told.findings] == ["FEED_GAP"]
    assert told.to_dict()["missing_count"] == 1
    assert pl.read_parquet("de.parquet").height == COUNT
    assert codes(company(tmp_path, told.snippet)) == ["SERIES_GAP"]


def test_revisions_are_kept_and_counted(server: FeedServer, http: Http, tmp_path: Path) -> None:
    out = tmp_path / "de.parquet"
    values = day_ahead(START, prices(COUNT))
    server.say("/price", energy_charts(values))
    fetched(server, http, out=out)
    later = START + 50 * HOUR
    was = values[later]
    assert was is not None
    server.say("/price", energy_charts(values | {later: was - 100.0}))
    again = fetched(server, http, out=out)
    (finding,) = again.findings
    assert (finding.code, finding.value) == ("FEED_REVISED", "1")
    assert "-100 EUR/MWh" in finding.reason
    assert again.to_dict()["file"] == {
        "path": str(out),
        "rows_count": COUNT,
        "added_count": 0,
        "revised_count": 1,
    }


def test_yesterday_again_and_a_feed_that_stopped_are_told(server: FeedServer, http: Http) -> None:
    day = prices(24)
    server.say("/price", energy_charts(day_ahead(START, day * 9)))
    told = fetched(server, http)
    assert [item.code for item in told.findings] == ["FEED_GAP", "FEED_STALE", "FEED_STALE"]
    assert [row.value for row in told.series.rows[-24:]] == [None] * 24


def test_a_cached_copy_stands_in_and_says_so(server: FeedServer, tmp_path: Path) -> None:
    server.say("/price", energy_charts(day_ahead(START, prices(COUNT))))
    cache = {"cache_dir": tmp_path / "cache"}
    with door(NOW - HOUR, **cache) as http:
        fetched(server, http)
    server.say("/price", Told(b"", status=503))
    with door(NOW, **cache) as http:
        told = fetched(server, http, out=tmp_path / "de.parquet")
    assert told.series.from_cache
    assert [item.code for item in told.findings] == ["FEED_STALE"]
    assert "from the cache of 2026-03-04T11:00Z" in told.lines()[0]


def test_a_key_from_the_environment_is_in_no_result(
    server: FeedServer, http: Http, tmp_path: Path
) -> None:
    points = {place: value for place, value in enumerate(prices(COUNT), start=1)}
    server.say("/api", entsoe(lambda *_: document(time_series(START, points, count=COUNT))))
    out = tmp_path / "de.parquet"
    asked: dict[str, Any] = {"base_url": f"{server.url}/api", "http": http, "out": out}
    with pytest.raises(InputError, match="ENTSOE_API_KEY"):
        fetch("entsoe", "DE-LU", START, END, environ={}, **asked)
    assert server.asked == []
    told = fetch("entsoe", "DE-LU", START, END, environ={"ENTSOE_API_KEY": "sesame"}, **asked)
    assert told.findings == ()
    said = json.dumps(told.to_dict(), allow_nan=False) + str(told) + repr(told)
    assert "sesame" not in said and b"sesame" not in out.read_bytes()


def test_the_generic_feed_needs_its_mapping(server: FeedServer, http: Http) -> None:
    server.say("/t", in_csv("t;p\n2026-03-02T00:00Z;1,5\n2026-03-02T01:00Z;2\n"))
    mapping = TableMapping(url=f"{server.url}/t", time="t", value="p", unit="USD/MWh", decimal=",")
    start = datetime(2026, 3, 2, tzinfo=UTC)
    told = fetch("table", "", start, start + 2 * HOUR, mapping=mapping, http=http)
    assert [row.value for row in told.series.rows] == [1.5, 2.0]
    assert told.written is None and told.snippet == ""
    line = snippet_of(told.series, Path("p.parquet"))
    assert line == "price: {file: p.parquet, column: day_ahead_price_usd_per_mwh}"
    with pytest.raises(InputError, match="FEED_BAD_MAPPING"):
        fetch("table", "", start, start + HOUR, http=http)


@pytest.mark.parametrize(
    ("quantity", "unit", "begins"),
    [
        ("temperature", "degC", "outdoor_c: {"),
        ("wind", "share", "profile: {"),
        ("solar", "MW", "# state the installed MW"),
        ("carbon", "gCO2/kWh", "# no line"),
    ],
)
def test_each_quantity_has_its_line(
    server: FeedServer, http: Http, quantity: Any, unit: str, begins: str
) -> None:
    server.say("/price", energy_charts(day_ahead(START, prices(COUNT))))
    told = replace(fetched(server, http).series, quantity=quantity, unit=unit)
    assert snippet_of(told, Path("p.parquet")).startswith(begins)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"feed": "energy-chart"}, "energy-charts"),
        ({"zone": " "}, "zone"),
        ({"end": START}, "empty"),
        ({"end": START + timedelta(days=9999)}, "parts"),
        ({"start": datetime(2026, 3, 1)}, "time zone"),
        ({"quantity": "water"}, "day_ahead_price"),
        ({"out": "de.csv"}, ".parquet"),
        ({"out": "nowhere/de.parquet"}, "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    server: FeedServer, http: Http, changed: dict[str, Any], told: str
) -> None:
    asked = {"feed": "energy-charts", "zone": "DE-LU", "start": START, "end": END} | changed
    with pytest.raises(InputError, match=told):
        fetch(**asked, base_url=server.url, http=http)
    assert server.asked == []


def test_another_file_is_never_replaced(server: FeedServer, http: Http, tmp_path: Path) -> None:
    server.say("/price", energy_charts(day_ahead(START, prices(COUNT))))
    out = tmp_path / "mine.parquet"
    out.write_text("my notes")
    with pytest.raises(InputError, match="exists already"):
        fetched(server, http, out=out)
    pl.DataFrame({"a": [1]}).write_parquet(out)
    before = out.read_bytes()
    with pytest.raises(InputError, match="FEED_FILE"):
        fetched(server, http, out=out)
    assert out.read_bytes() == before


def test_what_is_missing_or_reversed_is_told_with_its_option(http: Http) -> None:
    with pytest.raises(InputError, match=r"\(--zone\), e\.g\. DE-LU"):
        fetch("energy-charts", " ", START, END, http=http)
    with pytest.raises(InputError, match=r"begins 2026-03-04T00:00Z and ends 2026-02-22T00:00Z"):
        fetch("energy-charts", "DE-LU", END, START, http=http)

"""`tokenergy fetch`, run as its user does, against a stand-in on loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import typer
from commands import strict
from feed_server import FeedServer, day_ahead, energy_charts, in_csv
from typer.testing import CliRunner

from tokenergy.cli.fetching import fetch
from tokenergy.errors import InputError

START = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = ("--from", "2026-03-01", "--to", "2026-03-02T00:00Z")


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def run(*words: str) -> str:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(fetch)
    done = CliRunner().invoke(app, words)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_file_is_written_and_named(
    server: FeedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.say("/price", energy_charts(day_ahead(START, [float(hour) for hour in range(25)])))
    words = ("energy-charts", "--zone", "DE-LU", *SPAN, "--base-url", server.url)
    told = run(*words, "--cache", "cache")
    assert "energy-charts DE-LU day_ahead_price: 24 intervals" in told
    assert "price: {file: energy-charts-DE-LU.parquet" in told
    assert pl.read_parquet("energy-charts-DE-LU.parquet").height == 24
    again = strict(run(*words, "--cache", "cache", "--json", "--out", "x.parquet"))
    assert (again["rows_count"], again["missing_count"], again["from_cache"]) == (24, 0, True)
    assert len(server.asked) == 1


def test_the_generic_feed_takes_its_mapping(server: FeedServer, tmp_path: Path) -> None:
    lines = "".join(f"01.03.2026 {hour:02}:00\t{hour},5\n" for hour in range(24))
    server.say("/t", in_csv(f"Zeit\tPreis\n{lines}"))
    out = tmp_path / "t.parquet"
    told = strict(
        run("table", *SPAN, "--url", f"{server.url}/t", "--time", "Zeit", "--value", "Preis",
            "--unit", "CHF/MWh", "--time-zone", "UTC", "--time-format", "%d.%m.%Y %H:%M",
            "--delimiter", "tab", "--decimal", ",", "--out", str(out), "--json")
    )  # fmt: skip
    assert (told["column"], told["findings"]) == ("day_ahead_price_chf_per_mwh", [])
    assert pl.read_parquet(out)[told["column"]].to_list() == [hour + 0.5 for hour in range(24)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("table", *SPAN, "--url", "http://host/"), "--time, --value, --unit must be stated"),
        (("aemo", *SPAN, "--zone", "NSW1", "--url", "http://host/"), "must be stated"),
        (("aemo", "--from", "2026-03-01T00:00", "--to", "2026-03-02"), "has no zone"),
        (("aemo", "--from", "yesterday", "--to", "2026-03-02"), "is not a time"),
    ],
)
def test_bad_words_are_refused(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        run(*words)

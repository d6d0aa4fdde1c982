"""A series in a file: whole or not at all, merged with its revisions, never over a stranger's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.errors import FindingsError
from tokenergy.feeds.parquet import FIXED_COLUMNS, write_series
from tokenergy.feeds.series import FeedRow, FeedSeries

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
COLUMN = "day_ahead_price_eur_per_mwh"


def series(
    values: Sequence[float | None],
    *,
    first: int = 0,
    fetched: int = 0,
    step: timedelta = HOUR,
    **row: Any,
) -> FeedSeries:
    start = START + first * HOUR
    return FeedSeries(
        feed="energy-charts",
        zone="DE-LU",
        quantity="day_ahead_price",
        unit="EUR/MWh",
        column=COLUMN,
        rows=tuple(
            FeedRow(start=start + at * step, step=step, value=value, **row)
            for at, value in enumerate(values)
        ),
        source=f"fetch {fetched}",
        fetched_at=START + fetched * HOUR,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices" / "de.parquet"


def held(file: Path) -> list[float | None]:
    return pl.read_parquet(file)[COLUMN].to_list()


def refused(told: FeedSeries, file: Path) -> str:
    before = file.read_bytes() if file.is_file() else None
    with pytest.raises(FindingsError) as caught:
        write_series(told, file)
    assert (file.read_bytes() if file.is_file() else None) == before
    assert [each.suffix for each in file.parent.iterdir()].count(".part") == 0
    (finding,) = caught.value.findings
    return finding.code


def test_a_file_holds_the_series_and_where_it_comes_from(file: Path) -> None:
    published = START - 5 * HOUR
    told = series([1.5, None, -3.0], published_at=published, revision=2)
    written = write_series(told, file)
    assert (written.rows_count, written.added_count, written.revised_count) == (3, 3, 0)
    table = pl.read_parquet(file)
    assert set(table.columns) == {COLUMN, *FIXED_COLUMNS}
    assert table.schema["utc"] == pl.Datetime("us", "UTC")
    assert table.row(0, named=True) == {
        "utc": START,
        COLUMN: 1.5,
        "step_min": 60,
        "published_utc": published,
        "revision": 2,
        "feed": "energy-charts",
        "zone": "DE-LU",
        "source": "fetch 0",
        "fetched_utc": START,
    }
    assert held(file) == [1.5, None, -3.0]


def test_a_later_fetch_extends_and_revises(file: Path) -> None:
    """Hours 1 and 2 come again, 2 with 30 in place of 3 (+27); hours 3 and 4 are new."""
    write_series(series([1, 2, 3]), file)
    written = write_series(series([2, 30, 4, 5], first=1, fetched=1), file)
    assert held(file) == [1, 2, 30, 4, 5]
    assert (written.rows_count, written.added_count, written.revised_count) == (5, 2, 1)
    (finding,) = written.findings
    assert (finding.code, finding.value) == ("FEED_REVISED", "1")
    assert "+27 EUR/MWh at 2026-03-02T02:00:00+00:00" in finding.reason
    assert pl.read_parquet(file)["source"].to_list() == ["fetch 0", *["fetch 1"] * 4]


def test_a_hole_never_erases_a_value_and_a_value_fills_a_hole(file: Path) -> None:
    write_series(series([1, None, 3]), file)
    written = write_series(series([None, 2, None], fetched=1), file)
    assert held(file) == [1, 2, 3]
    assert (written.added_count, written.revised_count) == (0, 0)


def test_an_older_revision_does_not_count(file: Path) -> None:
    write_series(series([5], revision=2), file)
    written = write_series(series([4], revision=1, fetched=1), file)
    assert (held(file), written.findings) == ([5], ())
    published = series([6], revision=2, published_at=START, fetched=2)
    assert write_series(published, file).revised_count == 1


def test_a_day_that_repeats_the_file_s_day_before_is_told(file: Path) -> None:
    day = [float(hour % 5) for hour in range(24)]
    assert write_series(series(day), file).findings == ()
    (finding,) = write_series(series(day, first=24, fetched=24), file).findings
    assert (finding.code, finding.value) == ("FEED_STALE", "2026-03-03")


def test_another_step_in_the_same_hours_is_refused_and_beside_them_is_kept(file: Path) -> None:
    write_series(series([1, 2]), file)
    quarters = series([9] * 4, first=1, step=HOUR / 4)
    assert refused(quarters, file) == "FEED_STEP"
    write_series(series([9] * 4, first=2, step=HOUR / 4), file)
    assert held(file) == [1, 2, 9, 9, 9, 9]


@pytest.mark.parametrize("name", ["feed", "zone", "column"])
def test_a_file_of_another_series_is_refused(file: Path, name: str) -> None:
    write_series(series([1]), file)
    assert refused(replace(series([1]), **{name: "other"}), file) == "FEED_FILE"


def test_a_stranger_s_file_is_refused(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("utc,price\n")
    assert refused(series([1]), file) == "FEED_FILE"
    pl.DataFrame({"utc": [START], COLUMN: [1.0]}).write_parquet(file)
    assert refused(series([1]), file) == "FEED_FILE"
    pl.DataFrame({name: ["x"] for name in (COLUMN, *FIXED_COLUMNS)}).write_parquet(file)
    assert refused(series([1]), file) == "FEED_FILE"
    assert refused(series([1]), file.parent) == "FEED_FILE"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FindingsError, match="FEED_FILE"):
        write_series(series([1]), tmp_path / "file" / "de.parquet")


PARTS = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.none() | st.integers(-9, 9), min_size=1, max_size=5)),
    min_size=1,
    max_size=5,
)


@given(PARTS)
def test_a_file_holds_the_last_known_value_of_every_interval(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, list[int | None]]]
) -> None:
    file = tmp_path_factory.mktemp("parts") / "de.parquet"
    expected: dict[datetime, float | None] = {}
    added = 0
    for fetched, (first, values) in enumerate(parts):
        told = series([None if v is None else float(v) for v in values], first=first,
                      fetched=fetched)  # fmt: skip
        for row in told.rows:
            if row.value is not None or row.start not in expected:
                expected[row.start] = row.value
        added += write_series(told, file).added_count
    table = pl.read_parquet(file)
    assert dict(zip(table["utc"].to_list(), table[COLUMN].to_list(), strict=True)) == expected
    assert table["utc"].is_sorted() and added == len(expected)


@pytest.mark.parametrize(
    ("column", "value"),
    [(COLUMN, "41.5"), ("published_utc", "yesterday"), ("revision", 1.5), ("source", 7)],
)
def test_a_table_written_by_hand_is_refused_by_its_column(
    file: Path, column: str, value: Any
) -> None:
    write_series(series([1.0, 2.0]), file)
    pl.read_parquet(file).with_columns(pl.lit(value).alias(column)).write_parquet(file)
    before = file.read_bytes()
    with pytest.raises(FindingsError, match=f"its column {column} holds"):
        write_series(series([3.0]), file)
    assert file.read_bytes() == before

"""Every option of a FileSeries by hand, on four or five rows, and every way a file can lie."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.finding import Finding
from tokenergy.company.series import FileSeries
from tokenergy.errors import FindingsError
from tokenergy.files.grid import US_PER_H, Grid, since_epoch_us
from tokenergy.files.series_file import Laid, read_file_series
from tokenergy.files.tables import Tables

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
PLAIN = (
    "utc,a\n2026-03-02T00:00Z,1\n2026-03-02T01:00Z,2\n2026-03-02T02:00Z,3\n2026-03-02T03:00Z,4\n"
)


def grid(count: int = 4, *, start: datetime = FIRST, step_h: float = 1.0) -> Grid:
    step_us = round(step_h * US_PER_H)
    return Grid(start_us=since_epoch_us(start), step_us=step_us, count=count, history_count=0)


def laid(folder: Path, text: str, on: Grid | None = None, **options: Any) -> Laid:
    (folder / "s.csv").write_text(text, encoding="utf-8")
    source = FileSeries.model_validate({"file": "s.csv", "column": "a", **options})
    return read_file_series(source, Tables(folder=folder), grid=on or grid(), path="p")


def fault(folder: Path, text: str, on: Grid | None = None, **options: Any) -> Finding:
    with pytest.raises(FindingsError) as caught:
        laid(folder, text, on, **options)
    (finding,) = caught.value.findings
    return finding


def rows(*cells: str, start: int = 0) -> str:
    lines = [f"2026-03-02T{start + at:02d}:00Z,{cell}" for at, cell in enumerate(cells)]
    return "\n".join(["utc,a", *lines]) + "\n"


def test_a_plain_file(tmp_path: Path) -> None:
    np.testing.assert_array_equal(laid(tmp_path, PLAIN).values, [1, 2, 3, 4])


# ---- conventions of time -------------------------------------------------------------------


def test_a_stamp_at_the_end_names_the_hour_before(tmp_path: Path) -> None:
    """Rows stamped 01:00 to 04:00 at the end of the hour are hours 0 to 3."""
    text = rows("1", "2", "3", "4", start=1)
    np.testing.assert_array_equal(laid(tmp_path, text, stamp="end").values, [1, 2, 3, 4])


def test_a_shift_moves_every_stamp(tmp_path: Path) -> None:
    text = rows("1", "2", "3", "4", start=3)
    np.testing.assert_array_equal(laid(tmp_path, text, shift_h=-3).values, [1, 2, 3, 4])


def test_a_shift_comes_after_the_end_stamp(tmp_path: Path) -> None:
    text = rows("1", "2", "3", "4", start=2)
    answer = laid(tmp_path, text, stamp="end", shift_h=-1)
    np.testing.assert_array_equal(answer.values, [1, 2, 3, 4])


def test_another_time_column_and_offsets(tmp_path: Path) -> None:
    text = "when,a\n2026-03-02T01:00+01:00,1\n2026-03-02 01:00:00Z,2\n2026-03-01T21:00-05:00,3\n"
    answer = laid(tmp_path, text, grid(3), time_column="when")
    np.testing.assert_array_equal(answer.values, [1, 2, 3])


def test_local_stamps_with_a_stated_zone(tmp_path: Path) -> None:
    text = "utc,a\n2026-03-02 01:00,1\n2026-03-02 02:00,2\n"
    answer = laid(tmp_path, text, grid(2), time_zone="Europe/Berlin")
    np.testing.assert_array_equal(answer.values, [1, 2])


def test_stated_utc_is_stated(tmp_path: Path) -> None:
    text = "utc,a\n2026-03-02 00:00:00.0000000,1\n2026-03-02 01:00:00.0000000,2\n"
    np.testing.assert_array_equal(laid(tmp_path, text, grid(2), time_zone="UTC").values, [1, 2])


def test_the_repeated_hour_of_autumn_comes_twice(tmp_path: Path) -> None:
    """Berlin, 25 October 2026: 02:00 is 00:00Z, then 01:00Z; the day has 25 hours."""
    text = "utc,a\n2026-10-25 01:00,1\n2026-10-25 02:00,2\n2026-10-25 02:00,3\n2026-10-25 03:00,4\n"
    on = grid(4, start=datetime(2026, 10, 24, 23, tzinfo=UTC))
    answer = laid(tmp_path, text, on, time_zone="Europe/Berlin")
    np.testing.assert_array_equal(answer.values, [1, 2, 3, 4])


def test_a_source_that_drops_the_repeated_hour_has_a_gap(tmp_path: Path) -> None:
    text = "utc,a\n2026-10-25 01:00,1\n2026-10-25 02:00,2\n2026-10-25 03:00,4\n"
    on = grid(4, start=datetime(2026, 10, 24, 23, tzinfo=UTC))
    finding = fault(tmp_path, text, on, time_zone="Europe/Berlin")
    assert finding.code == "SERIES_GAP"
    assert "2026-10-25T01:00Z" in finding.reason


def test_the_spring_day_has_23_hours(tmp_path: Path) -> None:
    """Berlin, 29 March 2026: 01:00 is 00:00Z and 03:00 is 01:00Z."""
    text = "utc,a\n2026-03-29 01:00,1\n2026-03-29 03:00,2\n2026-03-29 04:00,3\n"
    on = grid(3, start=datetime(2026, 3, 29, tzinfo=UTC))
    answer = laid(tmp_path, text, on, time_zone="Europe/Berlin")
    np.testing.assert_array_equal(answer.values, [1, 2, 3])


def test_an_hour_that_clocks_skip_is_refused(tmp_path: Path) -> None:
    text = "utc,a\n2026-03-29 01:00,1\n2026-03-29 02:00,2\n2026-03-29 03:00,3\n"
    on = grid(3, start=datetime(2026, 3, 29, tzinfo=UTC))
    finding = fault(tmp_path, text, on, time_zone="Europe/Berlin")
    assert (finding.code, finding.value) == ("STAMP_NOT_IN_ZONE", "2026-03-29 02:00")


def test_a_leap_day_is_a_day(tmp_path: Path) -> None:
    text = "utc,a\n2024-02-28,1\n2024-02-29,2\n2024-03-01,3\n"
    on = grid(3, start=datetime(2024, 2, 28, tzinfo=UTC), step_h=24.0)
    np.testing.assert_array_equal(laid(tmp_path, text, on, time_zone="UTC").values, [1, 2, 3])


def test_a_leap_year_does_not_lie_on_a_plain_year(tmp_path: Path) -> None:
    text = "utc,a\n2023-02-28,1\n2023-02-29,2\n2023-03-01,3\n"
    on = grid(3, start=datetime(2023, 2, 28, tzinfo=UTC), step_h=24.0)
    assert fault(tmp_path, text, on, time_zone="UTC").code == "BAD_STAMP"


def test_naive_stamps_without_a_stated_zone(tmp_path: Path) -> None:
    finding = fault(tmp_path, "utc,a\n2026-03-02T00:00,1\n")
    assert (finding.code, finding.value) == ("NAIVE_TIMESTAMP", "2026-03-02T00:00")


def test_an_unknown_zone(tmp_path: Path) -> None:
    finding = fault(tmp_path, PLAIN, time_zone="Europe/Berln")
    assert (finding.code, finding.path) == ("ZONE_UNKNOWN", "p.time_zone")
    assert "Europe/Berlin" in finding.remedy


@pytest.mark.parametrize("stamp", ["", "noon", "02/03/2026", "99999-01-01", "0001-01-01T00:00Z"])
def test_a_stamp_that_is_none(tmp_path: Path, stamp: str) -> None:
    finding = fault(tmp_path, f"utc,a\n2026-03-02T00:00Z,1\n{stamp},2\n")
    assert finding.code == "BAD_STAMP"
    assert "row 3" in finding.reason


def test_elapsed_seconds_count_from_a_moment(tmp_path: Path) -> None:
    text = "second,a\n0,1\n3600,2\n7200,3\n10800,4\n"
    answer = laid(tmp_path, text, time_column="second", elapsed_from="2026-03-02T00:00Z")
    np.testing.assert_array_equal(answer.values, [1, 2, 3, 4])


@pytest.mark.parametrize("second", ["-1", "x", "", "1e30", "nan", "inf"])
def test_elapsed_seconds_that_are_none(tmp_path: Path, second: str) -> None:
    text = f"second,a\n{second},1\n"
    finding = fault(tmp_path, text, time_column="second", elapsed_from="2026-03-02T00:00Z")
    assert finding.code == "BAD_STAMP"


# ---- repeating -----------------------------------------------------------------------------


def day(*, from_hour: int = 0, hours_count: int = 24) -> str:
    lines = [f"{3600 * h},{h}" for h in range(from_hour, from_hour + hours_count)]
    return "\n".join(["second,a", *lines]) + "\n"


def test_a_day_repeats_over_three(tmp_path: Path) -> None:
    answer = laid(
        tmp_path,
        day(),
        grid(72),
        time_column="second",
        elapsed_from="2026-03-03T00:00Z",
        repeat=True,
    )
    np.testing.assert_array_equal(answer.values, np.tile(np.arange(24.0), 3))


def test_a_repeated_span_starts_where_it_says(tmp_path: Path) -> None:
    """Second 0 is 06:00Z, so midnight is hour 18 of the span before."""
    answer = laid(
        tmp_path,
        day(),
        grid(24),
        time_column="second",
        elapsed_from="2026-03-02T06:00Z",
        repeat=True,
    )
    assert answer.values[0] == 18.0
    assert answer.values[6] == 0.0


def test_empty_ends_are_no_part_of_a_repeated_span(tmp_path: Path) -> None:
    text = day() + "".join(f"{3600 * h},\n" for h in range(24, 48))
    answer = laid(
        tmp_path,
        text,
        grid(48),
        time_column="second",
        elapsed_from="2026-03-02T00:00Z",
        repeat=True,
    )
    np.testing.assert_array_equal(answer.values, np.tile(np.arange(24.0), 2))


def test_half_a_day_does_not_repeat(tmp_path: Path) -> None:
    finding = fault(
        tmp_path,
        day(hours_count=12),
        grid(24),
        time_column="second",
        elapsed_from="2026-03-02T00:00Z",
        repeat=True,
    )
    assert (finding.code, finding.value, finding.unit) == ("REPEAT_NOT_WHOLE_DAYS", "12", "h")


# ---- steps ---------------------------------------------------------------------------------


def test_finer_is_averaged(tmp_path: Path) -> None:
    text = "utc,a\n" + "".join(
        f"2026-03-02T00:{minute:02d}Z,{value}\n"
        for minute, value in ((0, 1), (15, 2), (30, 3), (45, 6))
    )
    np.testing.assert_array_equal(laid(tmp_path, text, grid(1)).values, [3])


def test_coarser_is_held(tmp_path: Path) -> None:
    text = "utc,a\n2026-03-02T00:00Z,1\n2026-03-02T02:00Z,2\n"
    np.testing.assert_array_equal(laid(tmp_path, text).values, [1, 1, 2, 2])


def test_stamps_at_half_past_are_misaligned(tmp_path: Path) -> None:
    text = PLAIN.replace(":00Z", ":30Z")
    assert fault(tmp_path, text).code == "SERIES_MISALIGNED"
    on = grid(3, start=datetime(2026, 3, 2, 1, tzinfo=UTC))
    np.testing.assert_array_equal(laid(tmp_path, text, on, shift_h=0.5).values, [1, 2, 3])


def test_steps_that_do_not_keep_are_misaligned(tmp_path: Path) -> None:
    text = rows("1", "2", "3", "4") + "2026-03-02T04:20Z,5\n"
    finding = fault(tmp_path, text)
    assert finding.code == "SERIES_MISALIGNED"
    assert "row 6" in finding.reason


def test_events_are_no_intervals(tmp_path: Path) -> None:
    text = "utc,a\n" + "".join(f"2026-03-02T00:00:00.{i:03d}Z,1\n" for i in range(5))
    assert fault(tmp_path, text).code == "SERIES_TOO_FINE"


def test_a_stamp_that_stands_twice(tmp_path: Path) -> None:
    finding = fault(tmp_path, PLAIN + "2026-03-02T03:00Z,5\n")
    assert (finding.code, finding.value) == ("SERIES_DUPLICATE_STAMP", "2026-03-02T03:00Z")


def test_time_that_goes_back(tmp_path: Path) -> None:
    finding = fault(tmp_path, PLAIN + "2026-03-02T01:30Z,5\n")
    assert (finding.code, finding.value) == ("SERIES_UNSORTED", "2026-03-02T01:30Z")


# ---- missing -------------------------------------------------------------------------------


def test_an_empty_cell_is_missing_and_never_interpolated(tmp_path: Path) -> None:
    finding = fault(tmp_path, rows("1", "", "3", "4"))
    assert (finding.code, finding.severity, finding.value) == ("SERIES_GAP", "error", "1")
    assert "2026-03-02T01:00Z" in finding.reason


def test_a_row_that_is_not_there_is_missing(tmp_path: Path) -> None:
    text = PLAIN.replace("2026-03-02T02:00Z,3\n", "")
    finding = fault(tmp_path, text)
    assert finding.code == "SERIES_GAP"
    assert "2026-03-02T02:00Z" in finding.reason


def test_a_part_of_an_hour_missing_makes_it_missing(tmp_path: Path) -> None:
    text = (
        "utc,a\n2026-03-02T00:00Z,1\n2026-03-02T00:30Z,\n2026-03-02T01:00Z,1\n2026-03-02T01:30Z,1\n"
    )
    assert fault(tmp_path, text, grid(2)).value == "1"


def test_zero_may_mean_missing(tmp_path: Path) -> None:
    text = rows("1", "0", "0", "4")
    np.testing.assert_array_equal(laid(tmp_path, text).values, [1, 0, 0, 4])
    assert fault(tmp_path, text, zero_is_missing=True).value == "2"


def test_the_zero_of_another_column_may_mean_missing(tmp_path: Path) -> None:
    """Hour 1 has a total of 0 and hour 2 none: both are missing; hour 3 is a real 0."""
    text = "utc,a,total\n" + "".join(
        f"2026-03-02T0{h}:00Z,{a},{total}\n"
        for h, a, total in ((0, 1, 9), (1, 0, 0), (2, 5, ""), (3, 0, 9))
    )
    finding = fault(tmp_path, text, missing_if_zero_column="total")
    assert (finding.code, finding.value) == ("SERIES_GAP", "2")
    answer = laid(
        tmp_path, text, missing_if_zero_column="total", fill="zero", missing_limit_share=0.5
    )
    np.testing.assert_array_equal(answer.values, [1, 0, 0, 0])


def test_filling_is_limited_and_said(tmp_path: Path) -> None:
    text = rows("1", "", "3", "4")
    answer = laid(tmp_path, text, fill="zero", missing_limit_share=0.25)
    np.testing.assert_array_equal(answer.values, [1, 0, 3, 4])
    (warning,) = answer.warnings
    assert (warning.code, warning.severity, warning.value) == ("SERIES_GAP", "warning", "1")
    finding = fault(tmp_path, text, fill="zero", missing_limit_share=0.24)
    assert (finding.severity, "missing_limit_share" in finding.remedy) == ("error", True)


def test_a_limit_without_a_fill_fills_nothing(tmp_path: Path) -> None:
    assert fault(tmp_path, rows("1", "", "3", "4"), missing_limit_share=1).code == "SERIES_GAP"


def two_weeks(missing: set[int]) -> str:
    lines = [f"{h * 3600},{'' if h in missing else h}" for h in range(14 * 24)]
    return "\n".join(["second,a", *lines]) + "\n"


def test_the_week_before_stands_in_even_from_before_the_grid(tmp_path: Path) -> None:
    """The grid is the second week; its hour 5 takes hour 5 of the first."""
    answer = laid(
        tmp_path,
        two_weeks({168 + 5}),
        grid(168),
        time_column="second",
        elapsed_from="2026-02-23T00:00Z",
        fill="previous_week",
        missing_limit_share=0.01,
    )
    assert answer.values[5] == 5.0
    assert answer.values[6] == 168.0 + 6.0
    assert [finding.severity for finding in answer.warnings] == ["warning"]


def test_a_week_before_that_is_missing_too_is_a_gap(tmp_path: Path) -> None:
    finding = fault(
        tmp_path,
        two_weeks({5, 168 + 5}),
        grid(168),
        time_column="second",
        elapsed_from="2026-02-23T00:00Z",
        fill="previous_week",
        missing_limit_share=0.01,
    )
    assert (finding.code, "week before" in finding.remedy) == ("SERIES_GAP", True)


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-inf", "n/a", "1,5", "12 EUR"])
def test_a_cell_that_is_no_number_is_never_missing(tmp_path: Path, cell: str) -> None:
    finding = fault(tmp_path, rows("1", f'"{cell}"', "3", "4"))
    assert (finding.code, finding.value) == ("SERIES_NOT_A_NUMBER", cell)
    assert "2026-03-02T01:00Z" in finding.reason


def test_a_bad_cell_outside_the_grid_harms_nobody(tmp_path: Path) -> None:
    text = rows("1", "2", "3", "4", "n/a")
    np.testing.assert_array_equal(laid(tmp_path, text).values, [1, 2, 3, 4])


def test_short_files_say_which_end_is_short(tmp_path: Path) -> None:
    early = fault(tmp_path, rows("1", "2", "3"))
    assert (early.code, "ends before" in early.reason) == ("SERIES_SHORT", True)
    assert early.value == "2026-03-02T00:00Z to 2026-03-02T03:00Z"
    assert early.limit == "2026-03-02T00:00Z to 2026-03-02T04:00Z"
    late = fault(tmp_path, rows("1", "2", "3", start=1))
    assert (late.code, "begins after" in late.reason) == ("SERIES_SHORT", True)
    history = Grid(start_us=grid().start_us, step_us=US_PER_H, count=4, history_count=2)
    lacking = fault(tmp_path, rows("1", "2", "3", start=1), history)
    assert (lacking.code, "history" in lacking.reason) == ("SERIES_SHORT", True)
    assert "history_days" in lacking.remedy


# ---- files ---------------------------------------------------------------------------------


def test_an_unknown_column_names_the_nearest(tmp_path: Path) -> None:
    finding = fault(tmp_path, PLAIN.replace("utc,a", "utc,price_usd"), column="price_us")
    assert (finding.code, finding.path) == ("UNKNOWN_COLUMN", "p.column")
    assert "'price_usd'" in finding.remedy
    assert fault(tmp_path, PLAIN, time_column="time").path == "p.time_column"
    missing = fault(tmp_path, PLAIN, missing_if_zero_column="total")
    assert missing.path == "p.missing_if_zero_column"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    finding = fault(tmp_path, PLAIN, file="none.csv")
    assert (finding.code, finding.path, finding.value) == (
        "SERIES_FILE_MISSING",
        "p.file",
        "none.csv",
    )


def test_a_kind_of_file_that_we_do_not_read(tmp_path: Path) -> None:
    (tmp_path / "s.xlsx").write_bytes(b"PK")
    assert fault(tmp_path, PLAIN, file="s.xlsx").code == "SERIES_FORMAT"


@pytest.mark.parametrize("name", ["g.csv", "g.csv.gz", "g.parquet"])
@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00garbage\n" * 1000, b"\x1f\x8b\x08broken", b"PAR1"]
)
def test_garbage_is_a_finding(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    assert fault(tmp_path, PLAIN, file=name).code in ("SERIES_UNREADABLE", "UNKNOWN_COLUMN")


def test_a_header_alone(tmp_path: Path) -> None:
    assert fault(tmp_path, "utc,a\n").code == "SERIES_EMPTY"


def test_compressed(tmp_path: Path) -> None:
    (tmp_path / "g.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    answer = laid(tmp_path, "", file="g.csv.gz")
    np.testing.assert_array_equal(answer.values, [1, 2, 3, 4])


@pytest.mark.parametrize("zone", ["UTC", "America/Chicago"])
def test_parquet_with_zoned_stamps(tmp_path: Path, zone: str) -> None:
    hours = [datetime(2026, 3, 2, h, tzinfo=UTC) for h in range(4)]
    frame = pl.DataFrame({"utc": hours, "a": [1, 2, 3, 4]})
    frame = frame.with_columns(pl.col("utc").dt.convert_time_zone(zone))
    frame.write_parquet(tmp_path / "s.parquet")
    answer = laid(tmp_path, "", file="s.parquet")
    np.testing.assert_array_equal(answer.values, [1, 2, 3, 4])


def test_parquet_with_naive_stamps(tmp_path: Path) -> None:
    hours = [datetime(2026, 3, 2, h) for h in range(4)]
    pl.DataFrame({"utc": hours, "a": [1.0, 2.0, None, 4.0]}).write_parquet(tmp_path / "s.parquet")
    assert fault(tmp_path, "", file="s.parquet").code == "NAIVE_TIMESTAMP"
    gap = fault(tmp_path, "", file="s.parquet", time_zone="UTC")
    assert (gap.code, gap.value) == ("SERIES_GAP", "1")


def test_parquet_with_a_column_of_lists(tmp_path: Path) -> None:
    hours = [datetime(2026, 3, 2, h, tzinfo=UTC) for h in range(4)]
    pl.DataFrame({"utc": hours, "a": [[1], [2], [3], [4]]}).write_parquet(tmp_path / "s.parquet")
    assert fault(tmp_path, "", file="s.parquet").code == "SERIES_NOT_A_NUMBER"


def test_a_file_is_read_once_and_its_fault_told_once(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(PLAIN, encoding="utf-8")
    tables = Tables(folder=tmp_path)
    source = FileSeries(file="s.csv", column="a")
    read_file_series(source, tables, grid=grid(), path="p")
    (tmp_path / "s.csv").unlink()
    read_file_series(source, tables, grid=grid(), path="q")
    gone = FileSeries(file="gone.csv", column="a")
    told = []
    for _ in range(2):
        with pytest.raises(FindingsError) as caught:
            read_file_series(gone, tables, grid=grid(), path="p")
        told.append(len(caught.value.findings))
    assert told == [1, 0]


@given(text=st.text(alphabet='utc,a0123456789-:TZ.\n" ;', max_size=120))
def test_no_table_is_a_traceback(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        laid(folder, "utc,a\n" + text)
    except FindingsError as error:
        assert error.findings

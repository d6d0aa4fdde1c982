"""Windows of meters: whoever is killed between two steps goes on with the same words."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
import served_records

from tokenergy.company.serving.ports import StoreFault
from tokenergy.metering.reading import Reading
from tokenergy.store.kept_lives import kept_records, request_id_at
from tokenergy.store.meter_windows import KEEP_S, MeterWindows

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RECORDS = (served_records.metered(), served_records.metered("", microjoules=None, reason="reset"))


def reading(energy_j: float | None = 1.5, at_s: float = 0.0) -> Reading:
    start = NOON + timedelta(seconds=at_s)
    return Reading(
        start=start, end=start + timedelta(seconds=5), energy_j=energy_j, tier="measured",
        boundary="gpu", reason="" if energy_j else "reset",
    )  # fmt: skip


def test_read_divided_told(tmp_path) -> None:
    with_offset_s = NOON.timestamp() + 100.0
    windows = MeterWindows(tmp_path)
    made = windows.add("engine", reading(), offset_s=100.0)
    assert (made.number, made.microjoules, made.start_s) == (1, 1_500_000, with_offset_s)
    assert windows.undivided() == (made,)
    windows.divide(1, RECORDS)
    assert windows.undivided() == ()
    assert [(one.number, one.records) for one in windows.untold()] == [(1, RECORDS)]
    windows.tell(1)
    assert not list(windows.untold())
    assert windows.last_end_s("engine") == with_offset_s + 5.0
    assert windows.last_end_s("other") is None
    windows.close()


def test_another_life_tells_again_what_was_told_and_divides_nothing_twice(tmp_path) -> None:
    first = MeterWindows(tmp_path)
    for at in range(3):
        first.add("engine", reading(at_s=5.0 * at))
    first.divide(1, RECORDS)
    first.divide(2, RECORDS)
    first.tell(1)
    first.close()
    again = MeterWindows(tmp_path)
    assert [one.number for one in again.untold()] == [1, 2]
    assert [one.number for one in again.undivided()] == [3]
    again.divide(1, ())
    assert next(iter(again.untold())).records == RECORDS
    again.close()


def test_old_windows_are_let_go_and_numbers_are_never_given_again(tmp_path) -> None:
    windows = MeterWindows(tmp_path)
    for at_s in (0.0, 1.0, KEEP_S + 60.0):
        number = windows.add("engine", reading(None, at_s=at_s)).number
        windows.divide(number, ())
    for number in (1, 2, 3):
        windows.tell(number)
    windows.close()
    again = MeterWindows(tmp_path)
    assert [one.number for one in again.untold()] == [3]
    assert again.add("engine", reading()).number == 4
    again.close()


def test_a_file_that_is_none_is_a_fault(tmp_path) -> None:
    (tmp_path / "meters.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreFault, match="meters"):
        MeterWindows(tmp_path)


def test_nothing_is_kept_where_there_is_no_ledger(tmp_path) -> None:
    assert not list(kept_records(tmp_path / "none.sqlite", since_s=0.0))
    empty = tmp_path / "ledger.sqlite"
    sqlite3.connect(empty).close()
    assert not list(kept_records(empty, since_s=0.0))
    empty.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreFault, match="cannot be read"):
        list(kept_records(empty, since_s=0.0))


def test_ids_begin_with_the_moment() -> None:
    assert request_id_at(1_767_960_000.0) == "req-19ba2a0b600"
    assert request_id_at(9.0) < request_id_at(10.0) < request_id_at(served_records.AT_S)

"""The newest decisions and the sums of a day, out of a ledger that is there, empty, or locked."""

import math
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from served_records import AT_S, DECIDED, PRICE, closed, metered, opened, refused

from tokenergy.company.serving.live import NEWEST_COUNT, LiveRefused, LiveSum
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Closed, Opened, Refused
from tokenergy.metering.served_entries import closed_rows, metered_rows, moment_text, refused_rows
from tokenergy.store import live_rows
from tokenergy.store.kept_request import kept_body
from tokenergy.store.live_rows import SqliteLiveRows
from tokenergy.store.served_tables import INSERT_REQUEST, INSERT_ROW, opened_ledger
from tokenergy.store.sqlite import SqliteLedger

WRITER = msgspec.msgpack.Encoder()
HOUR_S = 3_600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def ran(number: int, *, at_s: float = AT_S, **more: Any) -> tuple[Opened, Closed]:
    begun = opened(f"req-{number:05d}", at_s)
    return begun, closed(f"req-{number:05d}", at_s + 3.0, **more)


def add(path: Path, *told: "tuple[Opened, Closed] | Refused") -> None:
    """Put requests into a ledger in this order, as the projector does."""
    held = opened_ledger(path)
    held.execute("BEGIN")
    for one in told:
        if isinstance(one, Refused):
            rows, begun, done = refused_rows("serve", one), None, one
        else:
            begun, done = one
            rows = closed_rows("serve", begun, done, PRICE)[0]
        held.executemany(INSERT_ROW, rows)
        first = one if isinstance(one, Refused) else one[0]
        body = kept_body(None if begun is None else WRITER.encode(begun), WRITER.encode(done))
        held.execute(
            INSERT_REQUEST,
            (first.request_id, "serve", first.tenant, moment_text(first.at_s), "k1", "", "", body),
        )
    held.execute("COMMIT")
    held.close()


def test_a_ledger_that_is_not_there_has_no_rows_and_stays_away(path: Path) -> None:
    rows = SqliteLiveRows(path)
    assert rows.decisions(None) == ((), 0, 0)
    assert rows.sums(now_s=AT_S) == ("2026-01-08T12:00:00Z", (), ())
    assert not path.exists()


def test_a_ledger_that_was_there_and_is_gone_is_no_empty_one(path: Path) -> None:
    rows = SqliteLiveRows(path)
    add(path, ran(1))
    assert len(rows.decisions(None).decisions) == 1
    path.unlink()
    with pytest.raises(StoreFault, match="gone"):
        rows.sums(now_s=AT_S)
    add(path, ran(2))
    assert len(rows.decisions(None).decisions) == 1


def test_an_empty_ledger_has_no_rows(path: Path) -> None:
    SqliteLedger(path).close()
    assert SqliteLiveRows(path).decisions(7) == ((), 0, 0)


def test_a_request_tells_what_it_came_to_and_what_it_was_decided_by(path: Path) -> None:
    """100,000 nano-dollars of cost are 0.0001 USD; its bill is 44,500 (`served_records`)."""
    add(path, ran(1))
    (one,) = SqliteLiveRows(path).decisions(None).decisions
    assert (one.request_id, one.tenant, one.tier, one.workload) == (
        "req-00001", "ann", "free", "chat",
    )  # fmt: skip
    assert (one.decision, one.reason, one.outcome, one.policy) == (
        "serve", "tie_by_share", "completed", "mpc",
    )  # fmt: skip
    assert (one.input_tokens, one.output_tokens) == (100, 50)
    assert (one.cost_usd, one.charged_usd, one.use_j) == (1e-4, 44_500e-9, 75.0)
    assert (one.marginal_usd_per_mtok, one.value_usd) == (2.0, 0.001)
    assert one.at == "2026-01-09T12:00:00.000000Z"


def test_a_refusal_tells_cost_value_and_the_next_interval_that_admits(path: Path) -> None:
    decided = msgspec.structs.replace(
        DECIDED, action="refuse", deployment="", cost_usd=0.003, value_usd=0.002,
        next_admitted_s=AT_S + HOUR_S,
    )  # fmt: skip
    add(path, refused("x1", decided=decided))
    (one,) = SqliteLiveRows(path).decisions(None).decisions
    assert (one.decision, one.reason, one.outcome) == (
        "refuse", "marginal_cost_exceeds_value", "refused",
    )  # fmt: skip
    assert (one.cost_usd, one.value_usd, one.next_admitted_s) == (0.003, 0.002, AT_S + HOUR_S)
    assert (one.output_tokens, one.use_j, one.marginal_usd_per_mtok) == (0, 0.0, None)


def test_what_is_not_known_of_a_refusal_is_missing_and_not_0(path: Path) -> None:
    """A record has no word for a cost that does not exist but 0."""
    nowhere = msgspec.structs.replace(DECIDED, action="refuse", deployment="", cost_usd=0.0)
    add(
        path,
        refused("x1", decided=None, asked=None, state=None, value_usd=0.0, reason="no_prices"),
        refused("x2", decided=nowhere, reason="no_capable_deployment"),
    )
    early, late = SqliteLiveRows(path).decisions(None).decisions
    assert (early.cost_usd, early.value_usd) == (None, None)
    assert (late.cost_usd, late.value_usd) == (None, 0.001)


def test_a_request_that_broke_off_says_how(path: Path) -> None:
    add(
        path,
        ran(1, outcome="cancelled", charge_nano_usd=0),
        ran(2, outcome="failed", input_tokens=0, cached_tokens=0, output_tokens=0,
            cost_nano_usd=0, charge_nano_usd=0, microjoules=0),
    )  # fmt: skip
    told = SqliteLiveRows(path).decisions(None).decisions
    assert [one.outcome for one in told] == ["cancelled", "failed"]


def test_a_cursor_goes_on_where_it_was_cut_off(path: Path) -> None:
    rows = SqliteLiveRows(path)
    add(path, ran(1), refused("x1"))
    first = rows.decisions(None)
    assert [one.request_id for one in first.decisions] == ["req-00001", "x1"]
    assert rows.decisions(first.cursor) == ((), first.cursor, 0)
    add(path, ran(2))
    more = rows.decisions(first.cursor)
    assert [one.request_id for one in more.decisions] == ["req-00002"]
    assert more.cursor > first.cursor


def test_of_many_the_newest_are_told_and_the_others_counted(path: Path) -> None:
    add(path, ran(0))
    rows = SqliteLiveRows(path)
    cursor = rows.decisions(None).cursor
    add(path, *(ran(number) for number in range(1, NEWEST_COUNT + 8)))
    told = rows.decisions(cursor)
    assert len(told.decisions) == NEWEST_COUNT
    assert told.decisions[-1].request_id == f"req-{NEWEST_COUNT + 7:05d}"
    assert told.left_out_count == 7
    assert rows.decisions(None).left_out_count == 0


def test_another_ledger_in_its_place_begins_anew(path: Path) -> None:
    rows = SqliteLiveRows(path)
    add(path, *(ran(number) for number in range(5)))
    cursor = rows.decisions(None).cursor
    assert sum(row.requests_count for row in rows.sums(now_s=AT_S + 10).rows) == 5
    path.unlink()
    add(path, ran(9))
    told = rows.decisions(cursor)
    assert [one.request_id for one in told.decisions] == ["req-00009"]
    assert told.cursor < cursor
    assert sum(row.requests_count for row in rows.sums(now_s=AT_S + 10).rows) == 1


def test_what_others_wrote_into_the_ledger_is_not_of_this_gateway(path: Path) -> None:
    """A simulation in the same file has no requests of clients."""
    add(path, ran(1))
    with sqlite3.connect(path) as file:
        file.execute("UPDATE ledger SET source = 'simulate'")
    rows = SqliteLiveRows(path)
    assert rows.decisions(None).decisions == ()
    assert rows.sums(now_s=AT_S).rows == ()


def test_a_ledger_that_somebody_holds_is_a_fault_and_comes_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_rows, "WAIT_S", 0.01)
    add(path, ran(1))
    rows = SqliteLiveRows(path)
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("PRAGMA journal_mode = DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreFault, match="locked"):
            rows.decisions(None)
        holder.execute("ROLLBACK")
    finally:
        holder.close()
    assert len(rows.decisions(None).decisions) == 1


def test_a_file_that_is_no_ledger_is_a_fault(path: Path) -> None:
    path.write_bytes(b"something else, and long enough to be looked at" * 40)
    with pytest.raises(StoreFault):
        SqliteLiveRows(path).decisions(None)


def test_a_question_under_way_can_be_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends waits for no day to be added up: here one that would take for ever."""
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        " WHERE ? + ? > 0 AND ? <> 'x'"
    )
    monkeypatch.setattr(live_rows, "SERVED_SUMS", endless)
    add(path, ran(1))
    rows = SqliteLiveRows(path)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(rows.sums, now_s=AT_S)
        while not asked.done():
            rows.interrupt()
            time.sleep(0.01)
        with pytest.raises(StoreFault, match="interrupted"):
            asked.result()
    assert len(rows.decisions(None).decisions) == 1


# ---- sums ----------------------------------------------------------------------------------


def test_sums_of_two_requests_one_of_them_metered(path: Path) -> None:
    """Twice 100 tokens read, 50 written, 100,000 nano-dollars, 44,500 charged, 75 J; 80 J seen."""
    add(path, ran(1), ran(2), refused("x1"), refused("x2"), refused("x3", reason="overloaded"))
    held = opened_ledger(path)
    held.executemany(INSERT_ROW, metered_rows("serve", metered("req-00001")))
    held.executemany(INSERT_ROW, metered_rows("serve", metered("", window=2)))  # idle: nobody's
    held.close()
    told = SqliteLiveRows(path).sums(now_s=AT_S + 60.0)
    assert told.since == "2026-01-08T12:00:00Z"
    assert told.rows == (
        LiveSum("ann", "free", "m", "a", 2, 200, 100, 2e-4, 89_000e-9, 150.0, 80.0),
    )
    assert told.refused == (
        LiveRefused("ann", "free", "marginal_cost_exceeds_value", 2),
        LiveRefused("ann", "free", "overloaded", 1),
    )


def test_without_meters_measured_joules_are_missing(path: Path) -> None:
    add(path, ran(1))
    assert SqliteLiveRows(path).sums(now_s=AT_S).rows[0].measured_j is None


def test_added_up_in_steps_they_are_what_they_are_at_once(path: Path) -> None:
    """Ten minutes are the grain; what is older than 24 h leaves as time goes on."""
    steps = SqliteLiveRows(path)
    for hour in range(0, 30, 3):
        at_s = AT_S + hour * HOUR_S
        add(path, *(ran(hour * 10 + each, at_s=at_s) for each in range(hour % 4 + 1)))
        by_steps = steps.sums(now_s=at_s + 60.0)
    at_once = SqliteLiveRows(path).sums(now_s=AT_S + 27 * HOUR_S + 60.0)
    assert by_steps == at_once
    kept = [hour for hour in range(0, 30, 3) if hour >= 3]  # from 15:00 of the first day on
    assert at_once.rows[0].requests_count == sum(hour % 4 + 1 for hour in kept)


def test_of_a_day_with_too_many_rows_the_sums_begin_later_and_say_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(path, *(ran(number, at_s=AT_S + number) for number in range(20)))
    width = Counter(_requests(path)).most_common(1)[0][1]
    monkeypatch.setattr(live_rows, "SUM_BACK_COUNT", 5 * width)
    told = SqliteLiveRows(path).sums(now_s=AT_S + 60.0)
    assert told.since == moment_text(AT_S + 15)
    assert told.rows[0].requests_count == 5


def _requests(path: Path) -> list[str]:
    with sqlite3.connect(path) as file:
        return [row[0] for row in file.execute("SELECT request_id FROM ledger")]


def test_sums_are_exact_to_the_nano_dollar(path: Path) -> None:
    add(path, *(ran(number, cost_nano_usd=333_333_333) for number in range(3)))
    cost_usd = SqliteLiveRows(path).sums(now_s=AT_S).rows[0].cost_usd
    assert math.isclose(cost_usd, 0.999999999, rel_tol=0.0, abs_tol=1e-15)

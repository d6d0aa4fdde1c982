"""The projector: every record once in the ledger, whoever dies in between; bills to the nano."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served_records import (
    AT_S,
    BUDGET,
    DAY_S,
    PRICE,
    SPEND,
    closed,
    held,
    marked,
    metered,
    opened,
    plan,
    refused,
)

from tokenergy.company.serving.plan import encoded_plan
from tokenergy.company.serving.ports import Remembered, StoreFault
from tokenergy.store.idempotency import SqliteIdempotency
from tokenergy.store.kept_request import kept_request
from tokenergy.store.lease_file import LeaseFile
from tokenergy.store.leases import SqliteLeases
from tokenergy.store.projector import Projector
from tokenergy.store.segment_form import segment_numbers, segment_path
from tokenergy.store.segments import SegmentJournal
from tokenergy.store.sqlite import SqliteLedger

EVERYTHING = (
    opened("r1"), marked("r1"), refused("x1"), opened("r2", stream=False), closed("r2"),
    marked("r1", 20), closed("r1"), metered("r1"), metered("r1", 2),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "serve"
    made.mkdir()
    (made / "plan.json").write_bytes(encoded_plan(plan()))
    return made


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def journal(folder: Path, worker: int = 1, epoch: int = 7, **more) -> SegmentJournal:
    return SegmentJournal(
        folder / "journal" / str(worker),
        **{"worker": worker, "epoch": epoch, "limit_bytes": 10**8} | more,
    )


def wrote(folder: Path, records, **more) -> None:
    with journal(folder, **more) as kept:
        for record in records:
            kept.write(record)


def projected(folder: Path, ledger: Path) -> Projector:
    """Project until nothing is new, and return the closed projector."""
    projector = Projector(folder, ledger)
    while projector.step():
        pass
    projector.close()
    return projector


def rows(ledger: Path, **only: str) -> list:
    with SqliteLedger(ledger, read_only=True) as kept:
        found = list(kept.entries())
    return [row for row in found if all(getattr(row, k) == v for k, v in only.items())]


def asked(path: Path, query: str) -> list:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(query).fetchall()


def test_a_day_in_the_ledger_by_hand(folder: Path, ledger: Path) -> None:
    """Two requests of 80 + 20 cached + 50 tokens, one refused worth 0.002, two meter windows.

    Each is charged 44,500 nano-dollars (see `served_records.closed`).
    """
    wrote(folder, EVERYTHING)
    projector = projected(folder, ledger)
    assert projector.findings == [] and projector.settled_count == 0
    found = Counter((row.kind, row.component) for row in rows(ledger))
    assert found == {
        ("request", "serve"): 2, ("request", "input"): 2, ("request", "cached_input"): 2,
        ("request", "refused"): 1, ("settlement", "charge_input"): 2,
        ("settlement", "charge_cached_input"): 2, ("settlement", "charge_output"): 2,
        ("settlement", "charge_request"): 2, ("meter", "request"): 2,
    }  # fmt: skip
    assert sum(row.amount_nano_usd for row in rows(ledger, kind="settlement")) == -2 * 44_500
    (lost,) = rows(ledger, component="refused")
    assert (lost.amount_nano_usd, lost.decision) == (2_000_000, "refuse")
    serve = rows(ledger, component="serve")[0]
    assert serve.start.timestamp() == AT_S and serve.end.timestamp() == AT_S + 3.0
    assert (serve.amount_nano_usd, serve.energy_microjoules) == (100_000, 75_000_000)
    assert {row.part for row in rows(ledger, kind="meter")} == {"1", "2"}
    assert segment_numbers(folder / "journal" / "1") == ()  # all of it is in the ledger
    (body,) = asked(ledger, "SELECT body FROM request WHERE request_id = 'r1'")[0]
    assert kept_request(body) == (EVERYTHING[0], EVERYTHING[6])


def test_a_journal_read_again_changes_nothing(folder: Path, ledger: Path) -> None:
    """Sheet, section 11, test 2: replay twice, the same sums; with the checkpoints lost too."""
    records = (*EVERYTHING, opened("r3", holdings=held(("spend:ann", 9_000))), marked("r3"))
    wrote(folder, records)
    kept = folder / "kept"
    kept.mkdir()
    for path in (folder / "journal" / "1").iterdir():
        (kept / path.name).write_bytes(path.read_bytes())
    projected(folder, ledger)
    once = rows(ledger)
    assert any(row.component == "interrupted" for row in once)
    for lose in ((), ("projected",), ("projected", "life")):
        with closing(sqlite3.connect(ledger)) as file, file:
            for table in lose:
                file.execute(f"DELETE FROM {table}")
        for path in kept.iterdir():
            (folder / "journal" / "1" / path.name).write_bytes(path.read_bytes())
        projected(folder, ledger)
        assert rows(ledger) == once
        assert asked(folder / "leases.sqlite", "SELECT spent, leased FROM account") == [(22_000, 0)]


def test_what_was_open_when_its_worker_died_is_settled_from_its_last_mark(
    folder: Path, ledger: Path
) -> None:
    """100 tokens read, 20 written: 100 x 150 + 20 x 600 + 1,000 = 28,000 nano-dollars.

    Cost: work = 20 + 0.1 (100 - 2 x 20) = 26 tokens at 2 USD/Mtok = 52,000 nano-dollars;
    26 x 1.5 J. One without a MARK is charged nothing; a held one used nothing for sure.
    """
    wrote(
        folder,
        [
            opened("r1", holdings=held(("spend:ann", 90_000), ("budget:power", 10**9))),
            marked("r1"), marked("r1", 20, at_s=AT_S + 4.0), opened("r2"),
            opened("r3", upstream=""), closed("r9"),
        ],
    )  # fmt: skip
    projector = projected(folder, ledger)
    assert projector.settled_count == 3
    (serve,) = rows(ledger, component="serve")
    assert (serve.amount_nano_usd, serve.energy_microjoules) == (52_000, 39_000_000)
    assert serve.end.timestamp() == AT_S + 4.0
    assert sum(row.amount_nano_usd for row in rows(ledger, kind="settlement")) == -28_000
    ends = {row.request_id: row for row in rows(ledger, component="interrupted")}
    assert set(ends) == {"r1", "r2", "r3"}
    (finding,) = rows(ledger, kind="finding")
    assert finding.component == "CLOSE_WITHOUT_OPEN"
    bodies = dict(asked(ledger, "SELECT request_id, body FROM request"))
    assert kept_request(bodies["r1"]).ended.usage_source == "estimated"
    assert kept_request(bodies["r3"]).ended.usage_source == "none"
    spent = LeaseFile(folder / "leases.sqlite", worker=0, epoch=0)
    assert spent.spent() == {
        ("spend:ann", DAY_S): (28_000, 0), ("budget:power", DAY_S): (39_000_000, 0)
    }  # fmt: skip
    spent.close()


def test_while_its_worker_lives_nothing_is_settled(folder: Path, ledger: Path) -> None:
    projector = Projector(folder, ledger)
    with journal(folder) as kept:
        kept.write(opened("r1"))
        assert projector.step() == 1 and projector.step() == 0
        kept.write(marked("r1"))
        assert projector.step() == 1 and projector.settle_dead(1) == 0
        assert asked(ledger, "SELECT state FROM life") == [("lives",)]
        assert projector.lag_bytes() == 0
        kept.write(opened("r2"))
        assert projector.lag_bytes() > 0
        kept.write(closed("r1"))
        assert projector.step() == 2
        assert [row.request_id for row in rows(ledger, component="serve")] == ["r1"]
    with journal(folder, epoch=8) as kept:  # it is started again before anybody looked
        kept.write(opened("r3"))
        assert projector.step() == 1 and projector.settled_count == 1
        assert [row.request_id for row in rows(ledger, component="interrupted")] == ["r2"]
        assert sorted(asked(ledger, "SELECT epoch, state FROM life")) == [
            (7, "over"), (8, "lives")
        ]  # fmt: skip
        kept.write(closed("r3"))
    assert projector.settle_dead() == 0
    projector.close()
    assert len(rows(ledger, component="serve")) == 2
    assert segment_numbers(folder / "journal" / "1") == ()


def test_a_second_open_takes_the_place_of_the_first(folder: Path, ledger: Path) -> None:
    first = opened("r1", holdings=held(("spend:ann", 70_000)), upstream="")
    again = opened("r1", site="b", holdings=held(("spend:ann", 60_000)))
    projector = Projector(folder, ledger)
    with journal(folder) as kept:
        kept.write(first)
        projector.step()
        kept.write(again)
        kept.write(closed("r1", site="b", settled=(44_500,)))
    while projector.step():
        pass
    projector.close()
    assert [row.site for row in rows(ledger, component="serve")] == ["b"]
    assert asked(folder / "leases.sqlite", "SELECT spent, leased FROM account") == [(44_500, 0)]


def test_segments_are_removed_when_they_are_left_and_in_the_ledger(
    folder: Path, ledger: Path
) -> None:
    projector = Projector(folder, ledger)
    with journal(folder, limit_bytes=8_000) as kept:
        for at in range(12):
            kept.write(opened(f"r{at}"))
            kept.write(closed(f"r{at}"))
            projector.step()
        assert len(segment_numbers(folder / "journal" / "1")) == 1
        assert kept.bytes_count < 4_000
    projector.close()
    assert len(rows(ledger, component="serve")) == 12


def test_a_segment_that_is_missing_is_told(folder: Path, ledger: Path) -> None:
    with journal(folder, segment_bytes=600) as kept:
        for at in range(9):
            kept.write(opened(f"r{at}"))
    numbers = segment_numbers(folder / "journal" / "1")
    segment_path(folder / "journal" / "1", numbers[1]).unlink()
    projector = projected(folder, ledger)
    assert [one.code for one in projector.findings] == ["SEGMENT_GAP"]
    assert [row.component for row in rows(ledger, kind="finding")] == ["SEGMENT_GAP"]


def test_a_bad_record_stops_its_segment_and_no_other(folder: Path, ledger: Path) -> None:
    with journal(folder, segment_bytes=1_500) as kept:
        for at in range(9):
            kept.write(opened(f"r{at}"))
            kept.write(closed(f"r{at}"))
    path = folder / "journal" / "1"
    numbers = segment_numbers(path)
    bad = segment_path(path, numbers[0])
    data = bytearray(bad.read_bytes())
    data[len(data) // 2] ^= 1
    bad.write_bytes(data)
    projector = projected(folder, ledger)
    assert [one.code for one in projector.findings] == ["SEGMENT_BAD_RECORD", "SEGMENT_GAP"]
    assert segment_numbers(path) == numbers[:1] and len(numbers) > 2
    once = rows(ledger)
    projected(folder, ledger)
    assert rows(ledger) == once
    (segment_path(path, 99)).write_bytes(b"no segment, but as long as the head of one is")
    assert [one.code for one in projected(folder, ledger).findings] == ["SEGMENT_HEAD"]


@pytest.mark.parametrize("cut", [0, 1, 17, 40, 300, 700, 1_200])
def test_a_torn_end_is_dropped_and_the_rest_is_there(
    folder: Path, ledger: Path, tmp_path: Path, cut: int
) -> None:
    """Sheet, section 11, test 4: the ledger of a cut journal is that of its whole records."""
    wrote(folder, EVERYTHING)
    path = segment_path(folder / "journal" / "1", 0)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - cut])
    other = tmp_path / "other"
    other.mkdir()
    (other / "plan.json").write_bytes(encoded_plan(plan()))
    sizes = [0]
    with journal(other) as kept:
        for record in EVERYTHING:
            before = kept.bytes_count
            if before + 1 > len(data) - cut:
                break
            kept.write(record)
            sizes.append(kept.bytes_count)
    whole = sum(size <= len(data) - cut for size in sizes[1:])
    again = tmp_path / "again"
    again.mkdir()
    (again / "plan.json").write_bytes(encoded_plan(plan()))
    wrote(again, EVERYTHING[:whole])
    assert projected(folder, ledger).findings == []
    projected(again, tmp_path / "again.sqlite")
    assert rows(ledger) == rows(tmp_path / "again.sqlite")
    assert rows(ledger)


def test_a_charge_that_the_prices_do_not_explain_is_told_and_summed_exactly(
    folder: Path, ledger: Path
) -> None:
    wrote(
        folder,
        [
            opened("r1"), closed("r1", charge_nano_usd=44_507),
            opened("r2", price_version="p0"), closed("r2"),
            opened("r3"), closed("r3", outcome="failed", charge_nano_usd=0),
        ],
    )  # fmt: skip
    projected(folder, ledger)
    rest = {row.request_id: row for row in rows(ledger, component="charge_difference")}
    assert {name: row.amount_nano_usd for name, row in rest.items()} == {"r1": -7, "r2": -44_500}
    told = rows(ledger, kind="finding")
    assert [row.component for row in told] == ["CHARGE_DIFFERS"] * 2
    assert not rows(ledger, kind="settlement", request_id="r3")


def test_boards_and_prices_are_kept_under_their_names(folder: Path, ledger: Path) -> None:
    (folder / "board.json").write_text('{"version": 1, "board_id": "b1", "made_at_s": 1767960000}')
    (folder / "board.next.json").write_text('{"board_id": "b2", "made_at_s": 1767960300}')
    projector = Projector(folder, ledger)
    projector.step()
    (folder / "board.json").write_text('{"board_id": "b3"')  # half of it
    projector.step()
    (folder / "board.json").write_text('{"board_id": "b3", "made_at_s": 1767960600.5}')
    projector.step()
    projector.close()
    with SqliteLedger(ledger, read_only=True) as kept:
        assert kept.board("b1")[1]["version"] == 1
        assert kept.board("b3")[0].timestamp() == 1767960600.5
        assert kept.board("b2") is not None
    assert asked(ledger, "SELECT price_version FROM price_sheet") == [("p1",)]
    # The prices of a former run are known to this one.
    (folder / "plan.json").write_bytes(encoded_plan(plan(prices=(), price_version="p2")))
    wrote(folder, EVERYTHING)
    projected(folder, ledger)
    assert sum(row.amount_nano_usd for row in rows(ledger, kind="settlement")) == -2 * 44_500


def test_requests_are_let_go_after_a_week(folder: Path, ledger: Path) -> None:
    (folder / "board.json").write_text('{"board_id": "b1", "made_at_s": 1767960000}')
    week_s = 7 * 86_400.0
    wrote(folder, [opened("r1"), closed("r1"), refused("x2", AT_S + week_s + 10.0)])
    projected(folder, ledger)
    assert asked(ledger, "SELECT request_id FROM request") == [("x2",)]
    assert asked(ledger, "SELECT board_id FROM board") == []
    assert len(rows(ledger, component="serve")) == 1


def test_two_projectors_write_nothing_twice(folder: Path, ledger: Path) -> None:
    """Both at once, while a worker writes: the sums are those of one."""
    faults: list[BaseException] = []
    stop = threading.Event()

    def project() -> None:
        projector = Projector(folder, ledger)
        try:
            while True:
                ending = stop.is_set()
                if not projector.step() and ending:
                    break
        except BaseException as fault:  # the thread's fault is the test's
            faults.append(fault)
        finally:
            projector.close()

    threads = [threading.Thread(target=project) for _ in range(2)]
    with journal(folder, segment_bytes=4_000) as kept:
        for thread in threads:
            thread.start()
        for at in range(300):
            kept.write(opened(f"r{at}", holdings=held(("spend:ann", 50_000))))
            if at % 3:
                kept.write(closed(f"r{at}", settled=(44_500,)))
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(rows(ledger, component="serve")) == 200
    assert len(rows(ledger, component="interrupted")) == 100
    assert sum(row.amount_nano_usd for row in rows(ledger, kind="settlement")) == -200 * 44_500
    spent = asked(folder / "leases.sqlite", "SELECT spent, leased FROM account")
    assert spent == [(200 * 44_500, 0)]


def test_a_ledger_that_is_locked_loses_nothing(
    folder: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sheet, section 11, test 11: serving goes on, nothing is lost afterwards."""
    monkeypatch.setattr("tokenergy.store.served_tables.WAIT_S", 0.01)
    projector = Projector(folder, ledger)
    lock = sqlite3.connect(ledger, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    wrote(folder, EVERYTHING)
    for _ in range(2):
        with pytest.raises(StoreFault, match="locked"):
            projector.step()
    lock.execute("ROLLBACK")
    lock.close()
    assert projector.step() == len(EVERYTHING)
    projector.close()
    assert sum(row.amount_nano_usd for row in rows(ledger, kind="settlement")) == -2 * 44_500


def test_a_crash_between_the_ledger_and_the_leases_is_made_good(
    folder: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = SqliteLeases(folder / "leases.sqlite", (SPEND, BUDGET), worker=1, epoch=7)
    told = leases.reserve([("spend:ann", 50_000)], now_s=AT_S)
    wrote(folder, [opened("r1", holdings=told.holdings), closed("r1", settled=(44_500,))])
    leases.close()
    keys = SqliteIdempotency(folder / "idempotency.sqlite", worker=1, epoch=7)
    keys.claim("ann", "k", digest="d", now_s=AT_S)
    keys.close()

    def dies(*_: object) -> None:
        raise StoreFault("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(LeaseFile, "replayed", dies)
        projector = Projector(folder, ledger)
        with pytest.raises(StoreFault, match="power"):
            projector.step()
        projector.close()
    query = "SELECT spent, leased FROM account"
    assert asked(folder / "leases.sqlite", query)[0][1] > 0
    for _ in range(2):
        projected(folder, ledger)
        assert asked(folder / "leases.sqlite", query) == [(44_500, 0)]
    assert asked(folder / "idempotency.sqlite", "SELECT * FROM claim") == []
    assert asked(ledger, "SELECT * FROM account_use") == []


def test_an_outcome_outlives_its_worker(folder: Path, ledger: Path) -> None:
    keys = SqliteIdempotency(folder / "idempotency.sqlite", worker=1, epoch=7)
    keys.claim("ann", "k", digest="d", now_s=AT_S)
    keys.keep("ann", "k", Remembered(200, "application/json", b"{}", "r1"))
    keys.close()
    wrote(folder, EVERYTHING)
    projected(folder, ledger)
    later = SqliteIdempotency(folder / "idempotency.sqlite", worker=2, epoch=9)
    claim = later.claim("ann", "k", digest="d", now_s=AT_S + 1.0)
    later.close()
    assert claim.outcome == Remembered(200, "application/json", b"{}", "r1")


CRASHER = """
    import sys
    from pathlib import Path
    from tokenergy.store.projector import Projector
    projector = Projector(Path(sys.argv[1]), Path(sys.argv[2]))
    while True:
        print(projector.step(), flush=True)
"""


def test_a_projector_that_is_killed_again_and_again_writes_everything_once(
    folder: Path, ledger: Path
) -> None:
    here = Path(__file__).resolve().parents[1]
    with journal(folder, segment_bytes=20_000) as kept:
        for round_at in range(3):
            child = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(CRASHER), str(folder), str(ledger)],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(here)},
            )
            assert child.stdout is not None
            child.stdout.readline()
            for at in range(40):
                name = f"r{round_at}-{at}"
                kept.write(opened(name, holdings=held(("spend:ann", 50_000))))
                kept.write(closed(name, settled=(44_500,)))
            child.stdout.readline()
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
    projected(folder, ledger)
    assert len(rows(ledger, component="serve")) == 120
    assert sum(row.amount_nano_usd for row in rows(ledger, kind="settlement")) == -120 * 44_500
    spent = asked(folder / "leases.sqlite", "SELECT spent, leased FROM account")
    assert spent == [(120 * 44_500, 0)]


@st.composite
def journals(draw: st.DrawFn) -> list:
    """Records of some requests in an order that a worker may write them in."""
    waiting: list[list] = []
    for at in range(draw(st.integers(1, 8))):
        name = f"r{at}"
        read = draw(st.integers(0, 10_000))
        usage = {
            "input_tokens": read, "cached_tokens": draw(st.integers(0, read)),
            "output_tokens": draw(st.integers(0, 5_000)),
        }  # fmt: skip
        charge = _bill(usage)
        steps = [opened(name, holdings=held(("spend:ann", 10**7)))]
        steps += [marked(name, at) for at in range(draw(st.integers(0, 2)))]
        if draw(st.booleans()):
            steps.append(closed(name, **usage, charge_nano_usd=charge, settled=(charge,)))
        waiting.append(steps)
    found = []
    while waiting:
        at = draw(st.integers(0, len(waiting) - 1))
        found.append(waiting[at].pop(0))
        if not waiting[at]:
            waiting.pop(at)
    return found


def _bill(usage: dict[str, int]) -> int:
    """Return a bill without our code: exact fractions, each line rounded half up."""
    from fractions import Fraction
    from math import floor

    lines = (
        (usage["input_tokens"] - usage["cached_tokens"], PRICE.input_nano_usd_per_mtok),
        (usage["cached_tokens"], PRICE.cached_input_nano_usd_per_mtok),
        (usage["output_tokens"], PRICE.output_nano_usd_per_mtok),
    )
    each = [Fraction(tokens * rate, 1_000_000) for tokens, rate in lines]
    return sum(floor(one + Fraction(1, 2)) for one in each) + PRICE.nano_usd_per_request


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=journals(), breaks=st.lists(st.integers(0, 30), max_size=1))
def test_a_bill_is_worked_out_again_from_the_ledger_to_the_nano_dollar(
    tmp_path_factory: pytest.TempPathFactory, records: list, breaks: list[int]
) -> None:
    """From the rows of tokens and the kept prices alone, wherever the projector stopped."""
    base = tmp_path_factory.mktemp("bill")
    folder, ledger = base / "serve", base / "ledger.sqlite"
    folder.mkdir()
    (folder / "plan.json").write_bytes(encoded_plan(plan()))
    with journal(folder) as kept:
        for at, record in enumerate(records):
            kept.write(record)
            if at in breaks:
                projected(folder, ledger)
    projected(folder, ledger)
    sheet = msgspec.json.decode(asked(ledger, "SELECT body FROM price_sheet")[0][0])
    assert sheet["prices"][0]["output_nano_usd_per_mtok"] == PRICE.output_nano_usd_per_mtok
    requests = {record.request_id for record in records}
    told = rows(ledger)
    bills: Counter[str] = Counter()
    for row in told:
        if row.kind == "settlement":
            bills[row.request_id] -= row.amount_nano_usd
            exact = round(row.quantity * 1e6) if row.unit == "Mtok" else 1_000_000
            assert -row.amount_nano_usd == (exact * row.rate_nano_usd + 500_000) // 1_000_000
    tokens = {
        (row.request_id, row.component): round(row.quantity * 1e6)
        for row in told if row.kind == "request"
    }  # fmt: skip
    assert requests == {name for name, component in tokens if component != "refused"}
    for name in requests:
        if (name, "serve") not in tokens:
            assert bills[name] == 0
            continue
        usage = {
            "input_tokens": tokens[name, "input"],
            "cached_tokens": tokens.get((name, "cached_input"), 0),
            "output_tokens": tokens[name, "serve"],
        }
        assert bills[name] == _bill(usage)
    spent = asked(folder / "leases.sqlite", "SELECT sum(spent), sum(leased) FROM account")
    assert spent in ([(sum(bills.values()), 0)], [(None, None)])


def test_whoever_listens_hears_every_record_and_what_was_settled(
    folder: Path, ledger: Path
) -> None:
    """OPEN and MARK as they come; of the one whose worker died OPEN again, and its CLOSE."""
    heard: list = []
    with journal(folder) as held:
        for record in (opened(), marked(), opened("r2"), closed("r2")):
            held.write(record)
        projector = Projector(folder, ledger, hear=heard.extend)
        projector.step()
        assert [type(each).__name__ for each in heard] == ["Opened", "Marked", "Opened", "Closed"]
        assert not projector.behind
    heard.clear()
    projector.step()
    projector.close()
    begun, ended = heard
    assert (begun.request_id, ended.request_id, ended.outcome) == ("r1", "r1", "interrupted")

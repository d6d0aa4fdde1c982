"""Meters of a gateway into its journal: with meters that say what a test wants."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import served_records
from served_records import closed, opened

from tokenergy.api.metered_servers import MeteredServers, overlapping
from tokenergy.api.metering import Metering
from tokenergy.company.observe import Engine
from tokenergy.company.serving.plan import MeterPlan, encoded_plan
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Metered
from tokenergy.errors import InputError
from tokenergy.metering.meter import MeterRule
from tokenergy.metering.reading import Reading
from tokenergy.store.meter_windows import MeterWindows
from tokenergy.store.projector import Projector
from tokenergy.store.segments import SegmentJournal
from tokenergy.store.sqlite import SqliteLedger

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENGINE = '{"name": "e", "metrics_url": "http://127.0.0.1:1/metrics", "fleet": "a", "model": "m"}'
PLAN = MeterPlan(
    name="e", engines=(ENGINE,), upstreams=("u",), site="a", model="m", accelerator="H100",
    idle_w=0.0, every_s=1.0,
)  # fmt: skip


class Meter:
    """Counts a joule a reading; `silent` is why it tells nothing."""

    def __init__(self, claims: str = "board", clock: Callable[[], datetime] | None = None) -> None:
        self.rule = MeterRule(tier="measured", boundary="gpu")
        self.claims = frozenset({claims})
        self.silent = ""
        self.looks_count = self.reads_count = 0
        self.closed = False
        self._clock = clock or (lambda: datetime.now(UTC))
        self._at = self._clock()

    def read(self) -> Reading:
        begin, self._at = self._at, self._clock()
        self.reads_count += 1
        known = not self.silent and self.reads_count > 1
        return Reading(
            start=begin, end=self._at, energy_j=1.000001 if known else None, tier="measured",
            boundary="gpu", reason=self.silent,
        )  # fmt: skip

    def look(self) -> None:
        self.looks_count += 1

    def close(self) -> None:
        self.closed = True


def servers(meter: Meter, plan: MeterPlan = PLAN) -> MeteredServers:
    return MeteredServers(plan, lambda _engine, _every_s: meter)


def test_a_meter_that_stays_silent_is_told_of_now_and_then() -> None:
    """A window each minute: told at once, then after ten minutes, then when it tells again."""
    now = NOON

    def clock() -> datetime:
        nonlocal now
        now += timedelta(minutes=1)
        return now

    meter = Meter(clock=clock)
    held = servers(meter)
    held.begin()
    assert [each.energy_j for each in held.read()] == [1.000001]
    meter.silent = "no permission"
    told = [held.read() for _ in range(12)]
    assert [len(each) for each in told] == [1, *[0] * 9, 1, 0]
    assert told[10][0].span_s == 600.0
    meter.silent = ""
    gap, known = held.read()
    assert (gap.energy_j, gap.span_s, gap.end, known.energy_j) == (
        None, 60.0, known.start, 1.000001,
    )  # fmt: skip
    meter.silent = "reset"
    held.read()
    held.read()
    assert [each.span_s for each in held.rest()] == [60.0]
    assert not held.rest()


def test_meters_of_the_same_joules_are_refused() -> None:
    two = MeterPlan(
        name="e+f", engines=(ENGINE, ENGINE.replace('"e"', '"f"')), upstreams=("u",), site="a",
        model="m", accelerator="H100", idle_w=0.0,
    )  # fmt: skip
    meter = Meter()
    with pytest.raises(InputError, match=r"'f' counts board"):
        servers(meter, two)
    assert meter.closed
    assert "meter 'e'" in overlapping([servers(Meter())], servers(Meter()))
    assert not overlapping([servers(Meter())], servers(Meter("other")))


def test_what_several_models_share_is_modelled() -> None:
    plan = MeterPlan(
        name="e", engines=(ENGINE,), upstreams=("u",), site="a", model="", accelerator="H100",
        idle_w=0.0,
    )  # fmt: skip
    held = servers(Meter(), plan)
    held.begin()
    (told,) = held.read()
    assert (told.tier, "several models" in told.reason) == ("modelled", True)


class Running:
    """Metering in a thread, with a projector that is stepped by hand."""

    def __init__(self, folder: Path, meter: Meter, *, refuses: str = "") -> None:
        self.lines: list[str] = []
        self.ends, self.projected = threading.Event(), threading.Event()

        def opened_meter(_engine: Engine, _every_s: float) -> Meter:
            if refuses:
                raise InputError(refuses)
            return meter

        plan = served_records.plan(meters=(PLAN,))
        self.ledger = folder / "ledger.sqlite"
        (folder / "plan.json").write_bytes(encoded_plan(plan))
        self.made = Metering(folder, self.ledger, plan, self.lines.append, open_meter=opened_meter)
        self._folder = folder
        self._thread = threading.Thread(target=self.made.run, args=(self.ends, self.projected))
        self._thread.start()

    def stop(self) -> None:
        self.ends.set()
        self.projected.set()
        self._thread.join(30.0)
        assert not self._thread.is_alive()

    def rows(self) -> list[tuple[str, str, int]]:
        projector = Projector(self._folder, self.ledger)
        while projector.step():
            pass
        projector.settle_dead()
        assert not projector.findings
        projector.close()
        with SqliteLedger(self.ledger, read_only=True) as held:
            return [
                (each.request_id, each.component, each.energy_microjoules)
                for each in held.entries()
            ]


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60.0
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_windows_are_divided_once_their_requests_are_known(tmp_path) -> None:
    """A request over all windows takes all joules; a second life adds none but its own."""
    meter = Meter()
    first = Running(tmp_path, meter)
    begun_s = time.time() - 5.0
    first.made.hear([opened(at_s=begun_s)])
    until(lambda: meter.reads_count >= 3)
    first.made.hear([closed(at_s=begun_s + 3_600.0, output_tokens=50_000)])
    first.stop()
    rows = first.rows()
    windows = meter.reads_count - 1
    assert sum(row[2] for row in rows) == windows * 1_000_001
    assert {row[:2] for row in rows} == {("r1", "request"), ("", "idle")}
    assert all(row[2] == 0 for row in rows if not row[0]), "it ran all the time"
    assert first.rows() == rows, "projected again"
    again = Running(tmp_path, Meter())
    until((tmp_path / "journal" / "0" / "alive").exists)
    again.stop()
    told = again.rows()
    assert told[: len(rows)] == rows
    assert {row[1] for row in told[len(rows) :]} <= {"idle", "METER_MISSING"}


def test_a_meter_that_cannot_be_opened_is_a_finding_and_no_joule(tmp_path) -> None:
    held = Running(tmp_path, Meter(), refuses="no library")
    until(lambda: bool(held.lines))
    held.stop()
    assert held.lines == ["meter e: no library; joules of its requests are modelled"]
    assert held.rows() == [("", "METER_MISSING", 0)]


class Beaten:
    """Metering whose beats a test makes by itself."""

    def __init__(self, folder: Path, meter: Meter, *, refuses: str = "") -> None:
        self.lines: list[str] = []
        self.refuses = refuses

        def opened_meter(_engine: Engine, _every_s: float) -> Meter:
            if self.refuses:
                raise InputError(self.refuses)
            return meter

        plan = served_records.plan(meters=(PLAN,))
        self.made = Metering(
            folder, folder / "ledger.sqlite", plan, self.lines.append, open_meter=opened_meter
        )
        self.windows = MeterWindows(folder)
        self.journal = SegmentJournal(folder / "journal" / "0", worker=0, limit_bytes=10**7)

    def beat(self, *, due: bool = True) -> None:
        if due:
            self.made._due_s = dict.fromkeys(self.made._due_s, 0.0)
        self.made._guarded(lambda: self.made._beat(self.windows, self.journal))

    def close(self) -> None:
        self.journal.close()
        self.windows.close()

    def spans(self) -> list[tuple[float, float, int | None]]:
        query = "SELECT start_s, end_s, microjoules FROM window ORDER BY number"
        return list(self.windows._held.execute(query))


def test_requests_of_a_meter_that_cannot_be_opened_are_let_go(tmp_path) -> None:
    held = Beaten(tmp_path, Meter(), refuses="no library")
    for beat in range(3):
        ended_s = time.time() + 10.0 * beat
        held.made.hear([opened(f"r{beat}", at_s=ended_s), closed(f"r{beat}", at_s=ended_s + 1.0)])
        held.made.known_until(ended_s + 5.0)
        held.beat()
    assert len(held.made._lives) == 0
    held.close()


def test_a_reading_that_the_store_refuses_is_kept_later(tmp_path, monkeypatch) -> None:
    """Three windows while the disk is full: no joule is lost, and what is heard is taken."""

    def full(*_: object, **__: object) -> None:
        raise StoreFault("disk full")

    meter = Meter()
    held = Beaten(tmp_path, meter)
    held.beat()
    with monkeypatch.context() as patched:
        patched.setattr(held.windows, "add", full)
        for _ in range(3):
            held.made.hear([opened()])
            held.beat()
            assert not held.made._heard
    assert held.lines == ["meters wait: disk full"]
    held.beat()
    told = held.spans()
    assert sum(each[2] or 0 for each in told) == (meter.reads_count - 1) * 1_000_001
    assert all(one[1] == two[0] for one, two in pairwise(told)), "nor is a moment"
    held.close()


def test_a_meter_that_fails_is_a_window_without_reading_and_not_the_end(
    tmp_path, monkeypatch
) -> None:
    def broken() -> Reading:
        raise OSError("a library's own")

    meter = Meter()
    held = Beaten(tmp_path, meter)
    held.beat(due=False)
    with monkeypatch.context() as patched:
        patched.setattr(meter, "read", broken)
        patched.setattr(meter, "look", broken)
        held.beat()
        held.beat(due=False)
    held.beat()
    assert held.lines == ["meter e: it could not be read: OSError: a library's own"]
    assert [each[2] for each in held.spans()] == [None, 1_000_001]
    held.close()


def test_a_window_that_cannot_be_divided_is_nobodys_and_says_so(tmp_path) -> None:
    """A request whose rates are no numbers: its joules are kept, and the next window is divided."""
    held = Beaten(tmp_path, Meter())
    held.beat()
    rates = (2.0, float("nan"), 2.0, 1.5)
    decided = msgspec.structs.replace(served_records.DECIDED, rates=rates)
    begun_s = time.time() - 1.0
    held.made.hear(
        [opened(at_s=begun_s, decided=decided), closed(at_s=begun_s + 60.0, output_tokens=10**7)]
    )
    held.beat()
    held.made.known_until(time.time() + 60.0)
    held.beat(due=False)
    (told,) = held.windows._held.execute("SELECT body FROM window").fetchone()
    (idle,) = msgspec.msgpack.decode(told, type=tuple[Metered, ...])
    assert (idle.request_id, idle.microjoules) == ("", 1_000_001)
    assert "not divided" in idle.reason
    assert not held.made._pending
    held.close()


def test_what_was_read_before_a_refusal_is_followed_by_a_gap(tmp_path) -> None:
    """One joule; then a start at which the meter refuses; then it opens: no span is untold."""
    first = Beaten(tmp_path, Meter())
    first.beat()
    first.beat()
    first.close()
    time.sleep(0.1)
    again = Beaten(tmp_path, Meter(), refuses="no library")
    again.beat()
    time.sleep(0.1)
    again.refuses, again.made._opened_s = "", 0.0
    again.beat()
    reasons = [row[0] for row in again.windows._held.execute("SELECT reason FROM window")]
    assert [each.removeprefix("meter e: ") for each in reasons[-3:]] == [
        "nobody read it: the gateway did not run", "no library",
        "nobody read it: it could not be opened",
    ]  # fmt: skip
    told = again.spans()
    assert all(one[1] == two[0] for one, two in pairwise(told[-3:]))
    again.close()


def test_a_window_is_as_long_as_its_meter_needs(tmp_path, monkeypatch) -> None:
    """An exporter that looks every 30 s has no figure of 5 s, and its end is not waited for."""
    meter = Meter()
    meter.rule = MeterRule(tier="measured", boundary="gpu", least_span_s=30.0)
    held = Beaten(tmp_path, meter)
    held.beat()
    assert held.made._due_s["e"] - held.made._began_s["e"] == pytest.approx(31.0)
    projected = threading.Event()
    projected.set()
    slept: list[float] = []
    monkeypatch.setattr("tokenergy.api.metering.time.sleep", slept.append)
    held.made._finish(held.windows, held.journal, projected)
    assert sum(slept) < 2.0
    held.close()


def test_who_stands_still_is_told_of_now_and_then_whatever_its_seconds() -> None:
    now = NOON

    def clock() -> datetime:
        nonlocal now
        now += timedelta(seconds=5.0)
        return now

    meter = Meter(clock=clock)
    held = servers(meter)
    held.begin()
    told = 0
    for at in range(20):
        meter.silent = f"d: its counter stood still for {5.0 + at / 10:.1f} s"
        told += len(held.read())
    assert told == 1


def test_nothing_is_heard_once_metering_has_ended(tmp_path) -> None:
    with SegmentJournal(tmp_path / "journal" / "0", worker=0, limit_bytes=10**7):
        held = Running(tmp_path, Meter())
        held.stop()
    assert "another process writes there" in held.lines[0]
    held.made.hear([opened()])
    assert not held.made._heard

"""Leases: no account is ever exceeded, whoever races or dies; what is left can be used."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from served_records import AT_S, DAY_S

from tokenergy.company.serving.plan import AccountPlan, TenantPlan
from tokenergy.company.serving.ports import StoreFault
from tokenergy.store.lease_file import LeaseFile
from tokenergy.store.leases import SqliteLeases

LIMIT = 1_000


def account(name: str = "spend:ann", limit: int = LIMIT, **more) -> AccountPlan:
    stated = {"unit": "nano_usd", "window": "day", "time_zone": "UTC"}
    return AccountPlan(name=name, limit=limit, **stated | more)


class Clock:
    """Company time and the clock that never steps, moved by the test."""

    def __init__(self) -> None:
        self.now_s, self.steady_s = AT_S, 100.0

    def passes(self, seconds: float) -> float:
        self.now_s += seconds
        self.steady_s += seconds
        return self.now_s


def worker(path: Path, number: int = 1, *accounts: AccountPlan, clock=None, **more):
    clock = clock or Clock()
    return SqliteLeases(
        path, accounts or (account(),), worker=number, epoch=10 + number,
        monotonic=lambda: clock.steady_s, **more,
    )  # fmt: skip


def sums(path: Path) -> dict[str, tuple[int, int]]:
    with sqlite3.connect(path) as held:
        rows = held.execute("SELECT name, sum(spent), sum(leased) FROM account GROUP BY name")
        found = {name: (spent, leased) for name, spent, leased in rows}
    held.close()
    return found


def test_a_request_is_reserved_and_settled_by_hand(tmp_path: Path) -> None:
    """Of 1,000 a request of 30 leases 30 (more than 1 %), uses 12 and leaves 18.

    The next one of 30 needs 12 more, wishes for 30 as its largest and gets 30: 48 in hand.
    """
    path = tmp_path / "l.sqlite"
    held = worker(path)
    first = held.reserve([("spend:ann", 30)], now_s=AT_S)
    assert first.lacking == "" and first.holdings[0].window_s == DAY_S
    assert sums(path) == {"spend:ann": (0, 30)}
    held.settle(first.holdings, (12,))
    assert held.spent("spend:ann", now_s=AT_S) == 12
    second = held.reserve([("spend:ann", 30)], now_s=AT_S)
    assert sums(path) == {"spend:ann": (12, 48)}
    held.settle(second.holdings, (0,))
    held.return_idle(now_s=AT_S)
    assert sums(path) == {"spend:ann": (12, 0)}
    held.close()


def test_all_of_the_accounts_are_reserved_or_none(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    held = worker(path, 1, account(), account("budget:b", 10))
    told = held.reserve([("spend:ann", 20), ("budget:b", 11)], now_s=AT_S)
    assert told == ((), "budget:b")
    held.return_idle(now_s=AT_S)
    assert sums(path) == {"spend:ann": (0, 0), "budget:b": (0, 0)}
    assert held.reserve([("spend:ann", 20), ("budget:b", 10)], now_s=AT_S).lacking == ""
    with pytest.raises(StoreFault, match="in no plan"):
        held.reserve([("spend:ann", 1), ("nobody", 1)], now_s=AT_S)
    held.close()


def test_the_file_is_asked_about_once_in_a_hundred_requests(tmp_path: Path) -> None:
    held = worker(tmp_path / "l.sqlite", 1, account(limit=10**9))
    for _ in range(10_000):
        told = held.reserve([("spend:ann", 1_000)], now_s=AT_S)
        held.settle(told.holdings, (1_000,))
    # A hundredth of 10^9 is 10^7, that is 10,000 requests; the first lease is all it takes.
    assert held.asked_count <= 2
    small = worker(tmp_path / "s.sqlite", 1, account(limit=100_000))
    for _ in range(1_000):
        told = small.reserve([("spend:ann", 10)], now_s=AT_S)
        small.settle(told.holdings, (10,))
    assert small.asked_count <= 12
    held.close()
    small.close()


def test_another_window_is_whole_again_and_the_last_one_is_settled_where_it_was(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "l.sqlite", Clock()
    held = worker(path, clock=clock)
    late = held.reserve([("spend:ann", LIMIT)], now_s=clock.now_s)
    assert held.reserve([("spend:ann", 1)], now_s=clock.now_s).lacking == "spend:ann"
    tomorrow = clock.passes(86_400.0)
    assert held.reserve([("spend:ann", LIMIT)], now_s=tomorrow).lacking == ""
    held.settle(late.holdings, (77,))
    held.keep_up(now_s=tomorrow)
    rows = LeaseFile(path, worker=0, epoch=0).spent()
    assert rows[("spend:ann", DAY_S)] == (77, 0)
    assert rows[("spend:ann", DAY_S + 86_400.0)] == (0, LIMIT)
    held.close()


def test_what_was_used_beyond_its_reserve_is_spent_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    held = worker(path)
    told = held.reserve([("spend:ann", 900)], now_s=AT_S)
    held.settle(told.holdings, (950,))
    held.return_idle(now_s=AT_S)
    assert sums(path) == {"spend:ann": (950, 0)} and held.overdrawn == 50
    assert held.reserve([("spend:ann", 51)], now_s=AT_S).lacking == "spend:ann"
    held.close()


def test_a_worker_gives_back_what_it_does_not_need(tmp_path: Path) -> None:
    path, clock = tmp_path / "l.sqlite", Clock()
    one, other = worker(path, 1, clock=clock), worker(path, 2, clock=clock)
    told = one.reserve([("spend:ann", 600)], now_s=clock.now_s)
    assert other.reserve([("spend:ann", 600)], now_s=clock.now_s).lacking == "spend:ann"
    one.settle(told.holdings, (100,))
    assert other.reserve([("spend:ann", 600)], now_s=clock.passes(0.1)).lacking == "spend:ann"
    one.keep_up(now_s=clock.passes(1.5))
    assert sums(path) == {"spend:ann": (100, 0)}
    assert other.reserve([("spend:ann", 600)], now_s=clock.now_s).lacking == ""
    one.close()
    other.close()


def test_a_worker_spends_what_it_holds_while_the_file_is_locked_and_then_stops(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "l.sqlite", Clock()
    held = worker(path, 1, account(limit=100_000), clock=clock)
    held.reserve([("spend:ann", 10)], now_s=clock.now_s)  # leases 1,000
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    for _ in range(99):
        assert held.reserve([("spend:ann", 10)], now_s=clock.now_s).lacking == ""
    with pytest.raises(StoreFault, match="locked"):
        held.reserve([("spend:ann", 10)], now_s=clock.now_s)
    assert held.keep_up(now_s=clock.passes(1.0)) is True  # there is nothing to say yet
    lock.execute("ROLLBACK")
    lock.close()
    assert held.reserve([("spend:ann", 10)], now_s=clock.passes(1.0)).lacking == ""
    held.close()


def test_a_lease_that_ran_out_is_not_spent(tmp_path: Path) -> None:
    path, clock = tmp_path / "l.sqlite", Clock()
    held = worker(path, 1, account(limit=100_000), clock=clock)
    held.reserve([("spend:ann", 10)], now_s=clock.now_s)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    assert held.reserve([("spend:ann", 10)], now_s=clock.passes(27.0)).lacking == ""
    assert held.keep_up(now_s=clock.now_s) is False
    with pytest.raises(StoreFault, match="locked"):
        held.reserve([("spend:ann", 10)], now_s=clock.passes(2.0))
    lock.execute("ROLLBACK")
    lock.close()
    assert held.reserve([("spend:ann", 10)], now_s=clock.passes(1.0)).lacking == ""
    held.close()


def test_a_clock_that_steps_makes_leases_void_and_is_told(tmp_path: Path) -> None:
    path, clock = tmp_path / "l.sqlite", Clock()
    held = worker(path, 1, account(limit=100_000), clock=clock)
    held.reserve([("spend:ann", 10)], now_s=clock.now_s)
    assert held.asked_count == 1
    held.reserve([("spend:ann", 10)], now_s=clock.passes(5.0))
    assert held.asked_count == 1
    clock.now_s -= 3.0
    held.reserve([("spend:ann", 10)], now_s=clock.now_s)
    assert held.asked_count == 2
    assert [one.code for one in held.findings] == ["CLOCK_STEP"]
    held.close()


def test_a_dead_worker_is_settled_by_its_journal_once(tmp_path: Path) -> None:
    """It leased 30, told 12, used 20 in all: 8 more are spent, what it held is free."""
    path = tmp_path / "l.sqlite"
    held = worker(path)
    told = held.reserve([("spend:ann", 30)], now_s=AT_S)
    held.settle(told.holdings, (12,))
    told = held.reserve([("spend:ann", 30)], now_s=AT_S)
    held.settle(told.holdings, (8,))
    assert sums(path) == {"spend:ann": (12, 48)}
    file = LeaseFile(path, worker=0, epoch=0)
    assert file.replayed(1, 11, {("spend:ann", DAY_S): 20}) == {("spend:ann", DAY_S): 8}
    assert sums(path) == {"spend:ann": (20, 0)}
    assert file.replayed(1, 11, {("spend:ann", DAY_S): 20}) == {}
    assert sums(path) == {"spend:ann": (20, 0)}
    # Were it a ghost, it may neither lease nor tell any more.
    with pytest.raises(StoreFault, match="declared over"):
        held.renew(now_s=AT_S)
    with pytest.raises(StoreFault, match="declared over"):
        held.reserve([("spend:ann", 100)], now_s=AT_S)
    file.close()
    held.close(now_s=AT_S)


def test_a_limit_of_another_plan_holds_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    held = worker(path)
    held.settle(held.reserve([("spend:ann", 500)], now_s=AT_S).holdings, (500,))
    held.close(now_s=AT_S)
    less = worker(path, 2, account(limit=499))
    assert less.reserve([("spend:ann", 1)], now_s=AT_S).lacking == "spend:ann"
    more = worker(path, 3, account(limit=501))
    assert more.reserve([("spend:ann", 1)], now_s=AT_S).lacking == ""
    less.close()
    more.close()


def test_a_limit_beyond_the_file_is_told(tmp_path: Path) -> None:
    held = worker(tmp_path / "l.sqlite", 1, account(limit=2**63))
    assert held.reserve([("spend:ann", 10**12)], now_s=AT_S).lacking == ""
    assert [one.code for one in held.findings] == ["ACCOUNT_LIMIT_TOO_LARGE"]
    held.close()


class Race(RuleBasedStateMachine):
    """Three workers on one file, one of which may die: no account is ever exceeded."""

    @initialize()
    def opened(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "l.sqlite"
        self.clock = Clock()
        self.epoch = {number: 10 + number for number in (1, 2, 3)}
        self.held = {number: worker(self.path, number, clock=self.clock) for number in (1, 2, 3)}
        self.open: list[tuple[int, tuple]] = []
        self.used: Counter[int] = Counter()
        self.told: Counter[tuple[int, int]] = Counter()

    @rule(number=st.integers(1, 3), quantity=st.integers(1, 300))
    def reserves(self, number: int, quantity: int) -> None:
        told = self.held[number].reserve([("spend:ann", quantity)], now_s=self.clock.now_s)
        if told.holdings:
            self.open.append((number, told.holdings))

    @rule(at=st.integers(0, 50), share=st.floats(0.0, 1.0))
    def settles(self, at: int, share: float) -> None:
        if self.open:
            number, holdings = self.open.pop(at % len(self.open))
            used = int(holdings[0].quantity * share)
            self.held[number].settle(holdings, (used,))
            self.used[number] += used

    @rule(number=st.integers(1, 3), seconds=st.floats(0.0, 20.0))
    def keeps_up(self, number: int, seconds: float) -> None:
        self.held[number].keep_up(now_s=self.clock.passes(seconds))

    @rule(number=st.integers(1, 3))
    def dies_and_is_replayed(self, number: int) -> None:
        self.held[number].close()
        self.open = [one for one in self.open if one[0] != number]
        file = LeaseFile(self.path, worker=0, epoch=0)
        life = self.used[number] - self.told[number, 0]
        file.replayed(number, self.epoch[number], {("spend:ann", DAY_S): life})
        file.close()
        self.told[number, 0] = self.used[number]
        self.epoch[number] += 10
        self.held[number] = SqliteLeases(
            self.path, (account(),), worker=number, epoch=self.epoch[number],
            monotonic=lambda: self.clock.steady_s,
        )  # fmt: skip

    @invariant()
    def nothing_is_exceeded(self) -> None:
        spent, leased = sums(self.path).get("spend:ann", (0, 0)) if self._made() else (0, 0)
        assert spent >= 0 and leased >= 0 and spent + leased <= LIMIT
        assert sum(self.used.values()) <= LIMIT

    def _made(self) -> bool:
        return hasattr(self, "path") and self.path.exists()

    def teardown(self) -> None:
        if not hasattr(self, "held"):
            return
        for number, held in self.held.items():
            for holder, holdings in self.open:
                if holder == number:
                    held.settle(holdings, (0,))
            held.return_idle(now_s=self.clock.now_s)
            held.close()
        if sums(self.path):
            assert sums(self.path)["spend:ann"] == (sum(self.used.values()), 0)
        self.folder.cleanup()


TestRace = Race.TestCase
TestRace.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


RACER = """
    import sys, time
    from pathlib import Path
    from served_records import AT_S
    from tokenergy.company.serving.plan import AccountPlan
    from tokenergy.company.serving.ports import StoreFault
    from tokenergy.store.leases import SqliteLeases

    path, number, limit, each = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    dies = sys.argv[5] == "dies"
    plan = AccountPlan(name="a", unit="nano_usd", limit=limit, window="day", time_zone="UTC")
    held = SqliteLeases(path, (plan,), worker=number, epoch=number, wait_s=2.0)
    base_s = AT_S - time.monotonic()
    admitted, under_way, lacked_at = 0, [], None
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        now_s = base_s + time.monotonic()
        told = held.reserve([("a", each)], now_s=now_s)
        if told.holdings:
            admitted += 1
            print("a", flush=dies)
            under_way.append(told.holdings)
            lacked_at = None
        elif not under_way:
            lacked_at = lacked_at or now_s
            if now_s - lacked_at > 0.4:
                break
            time.sleep(0.01)
        if len(under_way) >= 16 or not told.holdings:
            while under_way:
                held.settle(under_way.pop(), (each,))
            held.keep_up(now_s=now_s)
    held.close(now_s=now_s)
    print("done", held.asked_count, flush=True)
"""


def _racers(path: Path, *, limit: int, each: int, dies: int = 0) -> list[subprocess.Popen]:
    here = Path(__file__).resolve().parents[1]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(RACER), str(path), str(number), str(limit),
             str(each), "dies" if number == dies else ""],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(here)},
        )
        for number in (1, 2, 3, 4)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return children


def test_four_processes_race_for_a_budget_of_a_thousand_requests(tmp_path: Path) -> None:
    """Sheet, section 11, test 5: never over, and at least 97 % of it can be used."""
    path = tmp_path / "l.sqlite"
    children = _racers(path, limit=100_000, each=100)
    told = [child.communicate()[0].split("\n") for child in children]
    admitted = sum(lines.count("a") for lines in told)
    assert all(child.returncode == 0 for child in children)
    assert 970 <= admitted <= 1_000
    assert sums(path) == {"a": (100 * admitted, 0)}


def test_a_killed_racer_leaves_no_money_free_until_its_journal_is_read(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    children = _racers(path, limit=100_000, each=100, dies=1)
    first = children[0]
    assert first.stdout is not None
    used = 0
    for line in first.stdout:
        used += line == "a\n"
        if used >= 40:
            break
    first.send_signal(signal.SIGKILL)
    used += first.stdout.read().count("a\n")
    first.wait()
    for stream in (first.stdout, first.stdin):
        assert stream is not None
        stream.close()
    admitted = sum(child.communicate()[0].count("a\n") for child in children[1:])
    spent, leased = sums(path)["a"]
    assert spent + leased <= 100_000 and admitted + used <= 1_000
    # The journal says what it used: every request that was reserved had its OPEN and CLOSE.
    file = LeaseFile(path, worker=0, epoch=0, wait_s=2.0)
    file.replayed(1, 1, {("a", DAY_S): 100 * used})
    file.close()
    assert sums(path)["a"] == (100 * (admitted + used), 0)


def tenant(**more) -> TenantPlan:
    return TenantPlan(name="ann", tiers=("free",), origin="eu", **more)


def test_a_rate_is_a_bucket_of_a_minute(tmp_path: Path) -> None:
    """60 requests a minute: 60 at once, then one a second; refused ones cost nothing."""
    clock = Clock()
    held = SqliteLeases(
        tmp_path / "l.sqlite", (), (tenant(requests_per_min=60),), worker=1, epoch=1
    )
    took = [held.take("ann", requests_count=1, tokens_count=5, now_s=AT_S) for _ in range(61)]
    assert [one.taken for one in took] == [True] * 60 + [False]
    assert took[0].limit_requests == 60 and took[0].left_requests == 59
    assert took[0].limit_tokens is None and took[0].left_tokens is None
    assert 0.9 <= took[-1].wait_s <= 1.0
    later = clock.passes(10.0)
    took = [held.take("ann", requests_count=1, tokens_count=5, now_s=later) for _ in range(11)]
    assert [one.taken for one in took] == [True] * 10 + [False]
    assert held.take("bob", requests_count=1, tokens_count=5, now_s=AT_S).taken
    held.close()


def test_both_rates_are_taken_or_none(tmp_path: Path) -> None:
    plan = (tenant(requests_per_min=100, tokens_per_min=1_000),)
    held = SqliteLeases(tmp_path / "l.sqlite", (), plan, worker=1, epoch=1)
    assert held.take("ann", requests_count=1, tokens_count=900, now_s=AT_S).taken
    told = held.take("ann", requests_count=1, tokens_count=200, now_s=AT_S)
    assert not told.taken and told.left_tokens == 100 and told.left_requests == 99
    assert told.wait_s == pytest.approx(6.0)
    # More than a minute has: it passes when the bucket is full, and takes all of it.
    later = AT_S + 60.0
    assert held.take("ann", requests_count=1, tokens_count=5_000, now_s=later).taken
    assert not held.take("ann", requests_count=1, tokens_count=1, now_s=later).taken
    held.close()


def test_a_rate_is_shared_by_all_workers(tmp_path: Path) -> None:
    plan = (tenant(requests_per_min=1_000),)
    workers = [
        SqliteLeases(tmp_path / "l.sqlite", (), plan, worker=number, epoch=1) for number in (1, 2)
    ]
    taken = 0
    for _ in range(700):
        for held in workers:
            taken += held.take("ann", requests_count=1, tokens_count=0, now_s=AT_S).taken
    assert taken == 1_000
    idle = workers[0]
    idle.take("ann", requests_count=1, tokens_count=0, now_s=AT_S + 30.0)
    idle.keep_up(now_s=AT_S + 32.0)
    told = workers[1].take("ann", requests_count=1, tokens_count=0, now_s=AT_S + 32.0)
    assert told.taken and told.left_requests == 531  # 532 came back, one was taken, one is this
    for held in workers:
        held.close()

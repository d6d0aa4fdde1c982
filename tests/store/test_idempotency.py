"""Idempotency keys: one request for each, whichever worker has it, and its outcome for all."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from served_records import AT_S

from tokenergy.company.serving.ports import Claim, Remembered, StoreFault
from tokenergy.store.idempotency import SqliteIdempotency

OUTCOME = Remembered(200, "application/json", b'{"id":"r1"}', "r1")


def keys(path: Path, worker: int = 1, **more) -> SqliteIdempotency:
    return SqliteIdempotency(path, worker=worker, epoch=worker, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "idempotency.sqlite"


@pytest.fixture
def pair(path: Path) -> Iterator[tuple[SqliteIdempotency, SqliteIdempotency]]:
    one, other = keys(path), keys(path, 2)
    yield one, other
    one.close()
    other.close()


def test_the_first_one_runs_and_the_others_are_given_its_outcome(pair) -> None:
    one, other = pair
    assert one.claim("ann", "k", digest="d", now_s=AT_S) == Claim(True, True, None)
    assert other.claim("ann", "k", digest="d", now_s=AT_S) == Claim(False, True, None)
    assert one.claim("ann", "k", digest="d", now_s=AT_S) == Claim(False, True, None)
    one.keep("ann", "k", OUTCOME)
    assert other.claim("ann", "k", digest="d", now_s=AT_S + 9.0) == Claim(False, True, OUTCOME)
    # Another body under the same key is told apart; another tenant's key is another key.
    assert other.claim("ann", "k", digest="e", now_s=AT_S) == Claim(False, False, OUTCOME)
    assert other.claim("bob", "k", digest="d", now_s=AT_S).mine


def test_a_key_is_given_back_when_nothing_came_of_it(pair) -> None:
    one, other = pair
    one.claim("ann", "k", digest="d", now_s=AT_S)
    other.release("ann", "k")  # it is not its own
    assert not other.claim("ann", "k", digest="d", now_s=AT_S).mine
    one.release("ann", "k")
    assert other.claim("ann", "k", digest="e", now_s=AT_S).mine
    other.keep("ann", "k", OUTCOME)
    other.release("ann", "k")  # an outcome stays
    assert one.claim("ann", "k", digest="e", now_s=AT_S).outcome == OUTCOME


def test_a_late_outcome_of_a_lost_claim_is_not_kept(pair) -> None:
    one, other = pair
    one.claim("ann", "k", digest="d", now_s=AT_S)
    assert other.release_life(1, 1) == 1
    assert other.claim("ann", "k", digest="d", now_s=AT_S).mine
    one.keep("ann", "k", OUTCOME)
    assert one.claim("ann", "k", digest="d", now_s=AT_S).outcome is None


def test_keys_are_forgotten_when_they_are_old(path: Path) -> None:
    held = keys(path, keep_s=100.0)
    held.claim("ann", "k", digest="d", now_s=AT_S)
    held.keep("ann", "k", OUTCOME)
    assert held.claim("ann", "k", digest="d", now_s=AT_S + 99.0).outcome == OUTCOME
    assert held.claim("ann", "k", digest="e", now_s=AT_S + 100.0).mine
    held.close()
    later = keys(path, keep_s=100.0)
    later.claim("ann", "other", digest="d", now_s=AT_S + 300.0)
    later.close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM claim").fetchone() == (1,)


def test_neither_key_nor_file_is_for_others(path: Path) -> None:
    held = keys(path)
    held.claim("ann", "a-key-of-mine", digest="d", now_s=AT_S)
    held.close()
    assert path.stat().st_mode & 0o077 == 0
    assert b"a-key-of-mine" not in path.read_bytes()


def test_of_many_at_once_one_runs(path: Path) -> None:
    mine = []

    def claims(worker: int) -> None:
        held = keys(path, worker, wait_s=10.0)
        for at in range(20):
            if held.claim("ann", f"k{at}", digest="d", now_s=AT_S).mine:
                mine.append(at)
        held.close()

    threads = [threading.Thread(target=claims, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(mine) == list(range(20))


def test_a_file_that_is_locked_or_no_file_is_told(path: Path, tmp_path: Path) -> None:
    held = keys(path)
    held.claim("ann", "k", digest="d", now_s=AT_S)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFault, match="locked"):
        held.claim("ann", "k2", digest="d", now_s=AT_S)
    lock.execute("ROLLBACK")
    lock.close()
    assert held.claim("ann", "k2", digest="d", now_s=AT_S).mine
    held.close()
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreFault, match="version 9"):
        held.claim("ann", "k", digest="d", now_s=AT_S)
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database" * 100)
    with pytest.raises(StoreFault, match=r"broken\.sqlite"):
        keys(broken).claim("ann", "k", digest="d", now_s=AT_S)

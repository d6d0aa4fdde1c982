"""Files and batches in their database: leases, fences, pace, ends; and what a crash leaves."""

import json
import os
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.company.serving.batch import (
    Allowance,
    BatchFacts,
    BatchLine,
    BatchTokens,
    Claimed,
    FileFacts,
    LineAnswer,
    LineFault,
)
from tokenergy.company.serving.ports import StoreFault
from tokenergy.store.batch_files import folder_name
from tokenergy.store.batch_lines import LEASE_S
from tokenergy.store.batches import SqliteBatches

AT_S = 1_800_000_000.0
DAY_S = 86_400
GOOD = LineAnswer(True, b'{"ok":1}', BatchTokens(input_tokens=3, output_tokens=5))


@pytest.fixture
def store(tmp_path: Path) -> Any:
    held = opened(tmp_path)
    yield held
    held.close()


def opened(folder: Path) -> SqliteBatches:
    return SqliteBatches(folder / "batches.sqlite", folder / "files")


def a_file(store: SqliteBatches, name: str = "file-1", **more: Any) -> FileFacts:
    upload = store.files.upload("ann")
    upload.write(b"one\ntwo")
    stated = {"tenant": "ann", "purpose": "batch", "name": "in", "created_s": int(AT_S)} | more
    return upload.keep(FileFacts(file_id=name, bytes_count=0, **stated))


def a_batch(store: SqliteBatches, name: str = "1", *, lines: int = 3, **more: Any) -> BatchFacts:
    """Keep a batch of lines of ten expected tokens, checked and in progress."""
    stated: dict[str, Any] = {
        "batch_id": f"batch_{name}", "tenant": "ann", "key_id": "k", "tiers": (),
        "scopes": ("batches",), "tier": "batch", "endpoint": "/v1/chat/completions",
        "input_file_id": "file-1", "window": "24h", "metadata": {"a": "b"},
        "output_expires_s": None, "status": "validating", "created_s": int(AT_S),
        "expires_s": int(AT_S) + DAY_S,
    }  # fmt: skip
    store.add(BatchFacts(**stated | more))
    taken = store.take_unchecked("1", now_s=AT_S)
    assert taken is not None
    made = [BatchLine(at + 1, f"q{at}", 0, 3, "bulk", 10) for at in range(lines)]
    assert store.check_passed(taken, made, model="m", now_s=AT_S)
    found = store.find("ann", taken.batch_id)
    assert found is not None
    return found


def claims(
    store: SqliteBatches, owner: str = "1", *, limit: int = 9, now_s: float = AT_S,
    allowance: Allowance | None = None,
) -> list[Claimed]:  # fmt: skip
    found = store.claim(
        owner, limit_count=limit, now_s=now_s, allowances={"bulk": allowance}, rush_share=0.1
    )
    return [claimed for _, claimed in found]


def status(store: SqliteBatches, batch_id: str = "batch_1") -> BatchFacts:
    found = store.find("ann", batch_id)
    assert found is not None
    return found


def test_a_batch_comes_back_as_it_was_kept(store: SqliteBatches) -> None:
    facts = a_batch(store, output_expires_s=3_600, tiers=("batch",))
    assert facts.status == "in_progress"
    assert facts.metadata == {"a": "b"}
    assert facts.caller.scopes == {"batches"}
    assert (facts.tiers, facts.output_expires_s, facts.total_count) == (("batch",), 3_600, 3)
    assert store.find("bob", "batch_1") is None
    assert store.listed("bob", after=None, limit_count=9) == ()


def test_a_line_has_one_holder(store: SqliteBatches) -> None:
    a_batch(store)
    first = claims(store, "1", limit=2)
    second = claims(store, "2")
    assert [one.line.number for one in first] == [1, 2]
    assert [one.line.number for one in second] == [3]
    assert claims(store, "3") == []


def test_whoever_lost_a_line_cannot_answer_it(store: SqliteBatches) -> None:
    a_batch(store, lines=1)
    [slow] = claims(store, "1")
    later_s = AT_S + LEASE_S + 1.0
    assert store.waiting_workloads(now_s=later_s) == ("bulk",)
    [quick] = claims(store, "2", now_s=later_s)
    assert quick.epoch == slow.epoch + 1
    assert not store.answer(slow, GOOD)
    assert not store.put_back(slow, not_before_s=0.0, faulty=True, pause_s=None)
    assert store.answer(quick, GOOD)
    assert not store.answer(quick, GOOD)
    assert status(store).completed_count == 1
    assert status(store).tokens.output_tokens == 5


def test_a_lease_that_is_renewed_is_not_lost(store: SqliteBatches) -> None:
    a_batch(store, lines=1)
    [held] = claims(store, "1")
    assert store.renew("1", now_s=AT_S + LEASE_S - 1.0) == 1
    assert claims(store, "2", now_s=AT_S + LEASE_S + 1.0) == []
    assert store.answer(held, GOOD)


def test_a_worker_that_is_back_frees_its_lines(store: SqliteBatches) -> None:
    a_batch(store)
    claims(store, "1", limit=2)
    claims(store, "2", limit=1)
    assert store.free("1") == 2
    assert [one.line.number for one in claims(store, "1")] == [1, 2]


def test_batches_take_turns(store: SqliteBatches) -> None:
    """A long batch does not keep a short one waiting: the one with fewer running lines is next."""
    a_batch(store, "1", lines=50)
    a_batch(store, "2", lines=2)
    found = Counter(one.batch_id for one in claims(store, limit=6))
    assert found == {"batch_1": 4, "batch_2": 2}


def test_the_pace_counts_what_all_took(store: SqliteBatches) -> None:
    """Twenty-five tokens: two lines of ten, and the one that goes over."""
    a_batch(store, lines=9)
    allowance = Allowance(AT_S, 25.0)
    first = claims(store, "1", limit=2, allowance=allowance)
    assert len(first) == 2
    assert len(claims(store, "2", allowance=allowance)) == 1
    assert claims(store, "2", allowance=allowance) == []
    for one in first:  # each took five of its ten: ten are free again, of 30: 25 - 20 = 5
        assert store.answer(one, GOOD)
    assert len(claims(store, "1", allowance=allowance)) == 1
    assert len(claims(store, "1", allowance=Allowance(AT_S + 3_600.0, 5.0))) == 1


def test_a_line_put_back_gives_its_place_back(store: SqliteBatches) -> None:
    a_batch(store)
    allowance = Allowance(AT_S, 1.0)
    [one] = claims(store, allowance=allowance)
    assert store.put_back(one, not_before_s=AT_S, faulty=True, pause_s=None)
    [again] = claims(store, allowance=allowance)
    assert again.line == one.line
    assert again.faults_count == 1


def test_a_batch_that_rests_offers_nothing(store: SqliteBatches) -> None:
    a_batch(store)
    [one] = claims(store, limit=1)
    store.put_back(one, not_before_s=AT_S, faulty=False, pause_s=AT_S + 60.0)
    assert store.waiting_workloads(now_s=AT_S + 59.0) == ()
    assert claims(store, now_s=AT_S + 59.0) == []
    assert len(claims(store, now_s=AT_S + 60.0)) == 3


def test_cancelling_waits_for_what_runs(store: SqliteBatches) -> None:
    a_batch(store)
    [one] = claims(store, limit=1)
    told = store.cancel("ann", "batch_1", now_s=AT_S + 1.0)
    assert told is not None
    assert told.status == "cancelling"
    assert store.take_finished("2", now_s=AT_S + 1.0) is None
    assert claims(store) == []
    store.answer(one, GOOD)
    done = store.take_finished("2", now_s=AT_S + 1.0)
    assert done is not None
    assert store.finish(done, now_s=AT_S + 2.0)
    facts = status(store)
    assert (facts.status, facts.cancelled_s) == ("cancelled", int(AT_S) + 2)
    assert store.cancel("bob", "batch_1", now_s=AT_S) is None


def test_a_line_put_back_by_a_cancelled_batch_ends_with_it(store: SqliteBatches) -> None:
    a_batch(store, lines=1)
    [one] = claims(store)
    store.cancel("ann", "batch_1", now_s=AT_S)
    assert store.put_back(one, not_before_s=0.0, faulty=False, pause_s=None)
    done = store.take_finished("1", now_s=AT_S)
    assert done is not None
    store.finish(done, now_s=AT_S)
    assert status(store).output_file_id is None
    assert codes(store) == ["batch_cancelled"]


def test_a_batch_that_is_checked_may_be_cancelled(store: SqliteBatches) -> None:
    a_batch(store)
    store.add(_new("batch_9"))
    taken = store.take_unchecked("1", now_s=AT_S)
    assert taken is not None
    store.cancel("ann", "batch_9", now_s=AT_S)
    assert not store.check_passed(taken, [], model="", now_s=AT_S)
    assert not store.check_failed(taken, [], total_count=0, now_s=AT_S)


def _new(batch_id: str) -> BatchFacts:
    return BatchFacts(
        batch_id=batch_id, tenant="ann", key_id="k", tiers=(), scopes=(), tier="batch",
        endpoint="/v1/chat/completions", input_file_id="file-1", window="24h", metadata={},
        output_expires_s=None, status="validating", created_s=int(AT_S),
        expires_s=int(AT_S) + DAY_S,
    )  # fmt: skip


def test_a_check_that_was_lost_changes_nothing(store: SqliteBatches) -> None:
    store.add(_new("batch_1"))
    slow = store.take_unchecked("1", now_s=AT_S)
    assert store.take_unchecked("2", now_s=AT_S) is None
    quick = store.take_unchecked("2", now_s=AT_S + LEASE_S + 1.0)
    assert slow is not None
    assert quick is not None
    fault = LineFault(code="c", message="m", line=2)
    assert not store.check_failed(slow, [fault], total_count=1, now_s=AT_S)
    assert store.check_failed(quick, [fault], total_count=1, now_s=AT_S)
    assert status(store).faults == (fault,)
    assert status(store).status == "failed"


def test_an_expired_batch_ends_with_what_it_has(store: SqliteBatches) -> None:
    a_batch(store)
    first, second = claims(store, limit=2)
    store.answer(first, GOOD)
    late_s = AT_S + DAY_S
    assert store.expire(now_s=late_s - 1.0) == 0
    store.renew("1", now_s=late_s)
    assert store.expire(now_s=late_s) == 1
    assert store.take_finished("1", now_s=late_s) is None, "a line still runs"
    store.answer(second, GOOD)
    done = store.take_finished("1", now_s=late_s)
    assert done is not None
    store.finish(done, now_s=late_s)
    assert status(store).status == "expired"
    assert (status(store).completed_count, codes(store)) == (2, ["batch_expired"])


def codes(store: SqliteBatches) -> list[str]:
    facts = status(store)
    file = store.files.find("ann", facts.error_file_id or "", now_s=AT_S)
    assert file is not None
    text = store.files.read(file, offset_bytes=0, length_bytes=file.bytes_count)
    return [json.loads(line)["error"]["code"] for line in text.splitlines()]


def test_an_end_that_was_stopped_is_done_again(tmp_path: Path) -> None:
    """Whoever writes the files is killed before the last state: the next one writes them anew."""
    store = opened(tmp_path)
    a_file(store)
    a_batch(store, lines=1)
    store.answer(claims(store)[0], GOOD)
    assert store.take_finished("1", now_s=AT_S) is not None
    store.close()
    store = opened(tmp_path)
    assert store.take_finished("2", now_s=AT_S) is None, "its lease holds"
    store.free("1")
    done = store.take_finished("2", now_s=AT_S)
    assert done is not None
    assert store.finish(done, now_s=AT_S)
    assert not store.finish(done, now_s=AT_S)
    assert len(store.files.listed(
        "ann", now_s=AT_S, purpose="batch_output", after=None, limit_count=9, newest_first=True,
    )) == 1  # fmt: skip
    store.close()


def test_files_of_one_tenant_stay_in_its_folder(tmp_path: Path, store: SqliteBatches) -> None:
    assert folder_name("../b/..") == "%2E%2E%2Fb%2F%2E%2E"
    upload = store.files.upload("../b")
    upload.write(b"x")
    upload.keep(
        FileFacts(
            file_id="file-9", tenant="../b", purpose="batch", name="../../x", bytes_count=0,
            created_s=1,
        )
    )  # fmt: skip
    assert [path.name for path in (tmp_path / "files").iterdir()] == [folder_name("../b")]
    assert oct((tmp_path / "files" / folder_name("../b") / "file-9").stat().st_mode)[-3:] == "600"


def test_an_upload_that_is_dropped_leaves_nothing(tmp_path: Path, store: SqliteBatches) -> None:
    upload = store.files.upload("ann")
    upload.write(b"x" * 100_000)
    upload.drop()
    assert list((tmp_path / "files" / "ann").iterdir()) == []
    assert store.files.stored_bytes("ann") == 0


def test_lines_are_read_with_their_places(store: SqliteBatches) -> None:
    upload = store.files.upload("ann")
    upload.write(b"ab\n" + b"x" * 50 + b"\n\nlast")
    facts = upload.keep(FileFacts(file_id="f", tenant="ann", purpose="batch", name="n",
                                  bytes_count=0, created_s=1))  # fmt: skip
    found = list(store.files.lines(facts, most_bytes=10))
    assert [(at, length) for at, length, _ in found] == [(0, 3), (3, 51), (54, 1), (55, 4)]
    assert found[1][2] == b"x" * 11
    assert store.files.read(facts, offset_bytes=55, length_bytes=4) == b"last"


def test_expired_files_and_strays_are_swept(tmp_path: Path, store: SqliteBatches) -> None:
    a_file(store, expires_s=int(AT_S) + 5)
    folder = tmp_path / "files" / "ann"
    stray, fresh = folder / ".upload-1", folder / ".upload-2"
    for path in (stray, fresh):
        path.write_bytes(b"x")
    old_s = time.time() - 2 * DAY_S
    os.utime(stray, (old_s, old_s))
    assert store.files.find("ann", "file-1", now_s=AT_S + 5.0) is None
    assert store.files.sweep(now_s=AT_S + 5.0) == 1
    assert sorted(path.name for path in folder.iterdir()) == [".upload-2"]


def test_a_batch_under_way_keeps_its_file(store: SqliteBatches) -> None:
    a_file(store)
    batch = a_batch(store, lines=1)
    assert store.files.drop("ann", "file-1")
    assert not store.files.drop("ann", "file-1")
    file = store.input_of(batch)
    assert file is not None
    assert store.files.read(file, offset_bytes=0, length_bytes=3) == b"one"
    store.answer(claims(store)[0], GOOD)
    done = store.take_finished("1", now_s=AT_S)
    assert done is not None
    store.finish(done, now_s=AT_S)
    store.files.sweep(now_s=AT_S)
    assert store.input_of(batch) is None


def test_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "batches.sqlite") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(StoreFault, match="version 99"):
        opened(tmp_path)


def test_a_fault_of_the_disk_names_no_path(tmp_path: Path, store: SqliteBatches) -> None:
    facts = a_file(store)
    Path(store.files.path(facts)).unlink()
    with pytest.raises(StoreFault) as fault:
        store.files.read(facts, offset_bytes=0, length_bytes=1)
    assert str(tmp_path) not in str(fault.value)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "answer", "fail", "back", "lose", "free", "cancel", "finish"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_every_line_ends_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Whatever happens to its holders: in the end each of six lines stands in one file, once."""
    store = opened(tmp_path_factory.mktemp("batches"))
    a_file(store)
    a_batch(store, lines=6)
    now_s, held, accepted = AT_S, [], Counter[int]()  # type: ignore[var-annotated]
    for step, which in steps:
        owner = str(which % 3)
        one = held[which % len(held)] if held else None
        if step == "claim":
            held += claims(store, owner, limit=which, now_s=now_s)
        elif step in ("answer", "fail") and one is not None:
            accepted[one.line.number] += store.answer(one, GOOD._replace(good=step == "answer"))
        elif step == "back" and one is not None:
            store.put_back(one, not_before_s=now_s, faulty=True, pause_s=None)
        elif step == "lose":
            now_s += LEASE_S + 1.0
        elif step == "free":
            store.free(owner)
        elif step == "cancel" and which == 5:
            store.cancel("ann", "batch_1", now_s=now_s)
        elif step == "finish" and (done := store.take_finished(owner, now_s=now_s)):
            store.finish(done, now_s=now_s)
    for _ in range(9):
        now_s += LEASE_S + 1.0
        for one in claims(store, "9", now_s=now_s):
            accepted[one.line.number] += store.answer(one, GOOD)
        if done := store.take_finished("9", now_s=now_s):
            store.finish(done, now_s=now_s)
    facts = status(store)
    assert facts.status in ("completed", "cancelled")
    assert set(accepted.values()) <= {0, 1}
    assert facts.completed_count + facts.failed_count == sum(accepted.values())
    written = 0
    for file_id in (facts.output_file_id, facts.error_file_id):
        if file_id is not None:
            file = store.files.find("ann", file_id, now_s=now_s)
            assert file is not None
            text = store.files.read(file, offset_bytes=0, length_bytes=file.bytes_count)
            written += len(text.splitlines())
    assert written == 6
    store.close()

"""Who runs batches: at the board's pace, once each line, through kills and faults of the store."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import side_fake
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from side_fake import NOW_S, FakeSide, a_board, line, until

from tokenergy.company.serving.batch import BatchFacts, BatchLine, Claimed, FileFacts
from tokenergy.company.serving.ports import StoreFault
from tokenergy.serve.batch_answer import LONGEST_PAUSE_S, Later, judged
from tokenergy.serve.batch_runner import BatchRunner, allowance
from tokenergy.serve.side import Told
from tokenergy.store.batches import SqliteBatches

CLAIMED = Claimed("batch_1", BatchLine(1, "q", 0, 1, "bulk", 10), 1, 0, None)


def store(folder: Path) -> SqliteBatches:
    return SqliteBatches(folder / "batches.sqlite", folder / "files")


def kept(batches: SqliteBatches, lines: list[str], *, name: str = "1") -> BatchFacts:
    """Keep a file and a batch of it, as the API does."""
    upload = batches.files.upload("ann")
    upload.write("\n".join(lines).encode())
    facts = FileFacts(
        file_id=f"file-{name}", tenant="ann", purpose="batch", name="in", bytes_count=0,
        created_s=int(NOW_S),
    )  # fmt: skip
    upload.keep(facts)
    batch = BatchFacts(
        batch_id=f"batch_{name}", tenant="ann", key_id="key_ann", tiers=(), scopes=("batches",),
        tier="batch", endpoint="/v1/chat/completions", input_file_id=facts.file_id, window="24h",
        metadata={}, output_expires_s=None, status="validating", created_s=int(NOW_S),
        expires_s=int(NOW_S) + 86_400,
    )  # fmt: skip
    batches.add(batch)
    return batch


async def run_until(runners: list[BatchRunner], found: Any, *, wait_s: float = 20.0) -> None:
    """Run until something is so, then stop."""
    tasks = [asyncio.create_task(one.run()) for one in runners]
    try:
        async with asyncio.timeout(wait_s):
            while not found():
                await asyncio.sleep(0.005)
    finally:
        for one in runners:
            one.stop()
        await asyncio.gather(*tasks)


async def still(count: Any, wanted: int) -> None:
    """Wait until a count is reached, and see that it stays."""
    async with asyncio.timeout(20.0):
        while count() < wanted:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.15)
    assert count() == wanted


def test_two_workers_run_no_line_twice(tmp_path: Path) -> None:
    side = FakeSide()
    one, two = store(tmp_path), store(tmp_path)
    batch = kept(one, [line(f"q{at}", "slow") for at in range(60)])
    runners = [
        BatchRunner(side, each, owner=name, concurrent_count=4, poll_s=0.01)
        for name, each in (("1", one), ("2", two))
    ]

    def over() -> bool:
        found = one.find("ann", batch.batch_id)
        return found is not None and found.status == "completed"

    asyncio.run(run_until(runners, over))
    assert Counter(Counter(side.asked).values()) == {1: 60}
    found = one.find("ann", batch.batch_id)
    assert found is not None
    assert found.completed_count == 60
    one.close()
    two.close()


def test_no_more_lines_at_once_than_stated(tmp_path: Path) -> None:
    side, seen, batches = FakeSide(), [0], store(tmp_path)
    running = 0

    async def ask(**_: Any) -> Told:
        nonlocal running
        running += 1
        seen.append(running)
        await asyncio.sleep(0.005)
        running -= 1
        return Told(200, b"{}", "")

    side.ask = ask  # type: ignore[method-assign, assignment]
    batch = kept(batches, [line(f"q{at}", "x") for at in range(20)])
    runner = BatchRunner(side, batches, owner="1", concurrent_count=3, poll_s=0.01)
    asyncio.run(
        run_until([runner], lambda: batches.find("ann", batch.batch_id).status == "completed")  # type: ignore[union-attr]
    )
    assert max(seen) == 3
    batches.close()


def test_the_plan_sets_the_pace(tmp_path: Path) -> None:
    """0.0001 Mtok/h: half an hour releases 50 tokens, five lines of 10; the rest an hour's 100.

    Each line really makes 5 tokens, so what was not used is free for others: with 10 expected and
    5 used, a hundred tokens by the hour's end are 20 lines, as there are none running.
    """
    side = FakeSide(board=a_board(release_mtok_per_h=[0.0001]), ahead_s=1_800.0)
    batches = store(tmp_path)
    kept(batches, [line(f"q{at}", "x") for at in range(40)])
    runner = BatchRunner(side, batches, owner="1", concurrent_count=1, poll_s=0.01)

    async def played() -> None:
        task = asyncio.create_task(runner.run())
        for ahead_s, count in ((1_800.0, 10), (3_599.0, 20)):
            side.ahead_s = ahead_s
            await still(lambda: len(side.asked), count)
        runner.stop()
        await task

    asyncio.run(played())
    batches.close()


def test_near_its_end_a_batch_waits_for_no_plan(tmp_path: Path) -> None:
    side = FakeSide(board=a_board(release_mtok_per_h=[0.0] * 30))
    batches = store(tmp_path)
    batch = kept(batches, [line("q", "x")])
    runner = BatchRunner(side, batches, owner="1", poll_s=0.01)

    async def played() -> None:
        task = asyncio.create_task(runner.run())
        await still(lambda: len(side.asked), 0)
        side.ahead_s = 0.95 * 86_400
        await still(lambda: len(side.asked), 1)
        runner.stop()
        await task

    asyncio.run(played())
    found = batches.find("ann", batch.batch_id)
    assert found is not None
    batches.close()


def test_a_refused_line_rests_with_its_batch(tmp_path: Path) -> None:
    side, batches = FakeSide(), store(tmp_path)
    batch = kept(batches, [line("a", "status:429"), *(line(f"q{at}", "x") for at in range(9))])
    runner = BatchRunner(side, batches, owner="1", concurrent_count=1, poll_s=0.01)

    async def played() -> None:
        task = asyncio.create_task(runner.run())
        await still(lambda: len(side.asked), 1)  # the batch rests
        side.ahead_s = 20.0
        await still(lambda: len(side.asked), 2)  # the same line first: refused again
        runner.stop()
        await task

    asyncio.run(played())
    found = batches.find("ann", batch.batch_id)
    assert found is not None
    assert found.failed_count == 0
    batches.close()


def test_a_store_that_cannot_be_used_loses_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenergy.serve.batch_runner.FAULT_S", 0.02)
    side, batches = FakeSide(), store(tmp_path)
    batch = kept(batches, [line("q", "x")])
    real, faults = batches.answer, [3]

    def answer(*given: Any) -> bool:
        if faults[0]:
            faults[0] -= 1
            raise StoreFault("batches: disk I/O error")
        return real(*given)

    monkeypatch.setattr(batches, "answer", answer)
    runner = BatchRunner(side, batches, owner="1", poll_s=0.01)
    asyncio.run(
        run_until([runner], lambda: batches.find("ann", batch.batch_id).status == "completed")  # type: ignore[union-attr]
    )
    assert len(side.asked) == 1
    batches.close()


def test_a_fault_of_ours_is_tried_again_and_then_told(tmp_path: Path) -> None:
    batches = store(tmp_path)
    side = FakeSide()

    async def ask(**_: Any) -> Told:
        raise RuntimeError("secret prompt")

    side.ask = ask  # type: ignore[method-assign, assignment]
    batch = kept(batches, [line("q", "x")])
    runner = BatchRunner(side, batches, owner="1", poll_s=0.01)

    def over() -> bool:
        side.ahead_s += 50.0
        found = batches.find("ann", batch.batch_id)
        return found is not None and found.status == "completed"

    asyncio.run(run_until([runner], over))
    found = batches.find("ann", batch.batch_id)
    assert found is not None
    assert found.failed_count == 1
    assert "RuntimeError" in runner.fault or runner.fault == ""
    text = (tmp_path / "files" / "ann" / (found.error_file_id or "")).read_text()
    assert json.loads(text)["response"]["status_code"] == 500
    assert "secret" not in text
    batches.close()


def test_stopping_puts_back_what_runs(tmp_path: Path) -> None:
    side, batches = FakeSide(plan=side_fake.plan(), log=None), store(tmp_path)
    limits = side.plan.limits
    side.plan = side_fake.plan(limits=type(limits)(drain_s=0.05))

    async def ask(**_: Any) -> Told:
        await asyncio.sleep(60.0)
        raise AssertionError("never")

    side.ask = ask  # type: ignore[method-assign, assignment]
    batch = kept(batches, [line("q", "x")])
    runner = BatchRunner(side, batches, owner="1", poll_s=0.01)
    held = sqlite3.connect(tmp_path / "batches.sqlite")

    def states() -> list[str]:
        return [row[0] for row in held.execute("SELECT state FROM line")]

    asyncio.run(run_until([runner], lambda: states() == ["running"]))
    assert states() == ["queued"]
    assert batches.find("ann", batch.batch_id).status == "in_progress"  # type: ignore[union-attr]
    held.close()
    batches.close()


def test_a_kill_in_the_middle_loses_nothing_and_runs_nothing_twice(tmp_path: Path) -> None:
    """Kill -9 of a real process: what was answered is not asked again, the rest is."""
    asked = tmp_path / "asked.log"
    with started(tmp_path) as first:
        client = OpenAI(api_key="tk-ann", base_url=f"{first.url}/v1", max_retries=0)
        text = "\n".join(line(f"q{at}", "slow") for at in range(80)).encode()
        file = client.files.create(file=("in.jsonl", text), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        until(lambda: asked.exists() and len(asked.read_text().splitlines()) > 40)
        first.process.kill()
        client.close()
    rows = sqlite3.connect(tmp_path / "batches.sqlite")
    answered = [row[0] for row in rows.execute("SELECT custom_id FROM line WHERE state = 'done'")]
    running = rows.execute("SELECT count(*) FROM line WHERE state = 'running'").fetchone()[0]
    rows.close()
    assert 0 < len(answered) < 80
    with started(tmp_path) as second:
        with OpenAI(api_key="tk-ann", base_url=f"{second.url}/v1", max_retries=0) as client:
            batch = until(
                lambda: one if (one := client.batches.retrieve(batch.id)).completed_at else None
            )
            output = client.files.content(batch.output_file_id).text
        second.process.kill()
    names = [json.loads(each)["custom_id"] for each in output.splitlines()]
    assert names == [f"q{at}" for at in range(80)]
    times = Counter(each.rpartition("/")[2] for each in asked.read_text().splitlines())
    assert {times[name] for name in answered} == {1}
    assert sum(times.values()) <= 80 + running
    assert batch.request_counts.completed == 80


class started:  # noqa: N801 - reads as what it does
    """A process that serves a folder; killed by its pid at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port_file = folder / "url"
        self._port_file.unlink(missing_ok=True)

    def __enter__(self) -> "started":
        program = Path(side_fake.__file__)
        self.process = subprocess.Popen(
            [sys.executable, str(program), str(self._folder), str(self._port_file)],
            cwd=program.parent,
        )
        until(self._port_file.exists)
        self.url = self._port_file.read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def test_an_allowance_grows_with_the_interval() -> None:
    """2 Mtok/h in the second hour: a quarter of an hour into it that is half a million tokens."""
    board = a_board(release_mtok_per_h=[1.0, 2.0])
    assert allowance(board, "bulk", now_s=NOW_S + 3_600.0 + 900.0) == (NOW_S + 3_600.0, 500_000.0)
    assert allowance(board, "bulk", now_s=NOW_S + 7_200.0) is None
    assert allowance(board, "bulk", now_s=NOW_S - 1.0) is None
    assert allowance(a_board(), "bulk", now_s=NOW_S) is None
    assert allowance(board, "nobody", now_s=NOW_S) is None


@pytest.mark.parametrize(
    ("start", "pause_s"),
    [
        ("2027-01-15T08:02:00Z", 120.0),
        ("2027-01-15T12:00:00Z", LONGEST_PAUSE_S),
        ("2027-01-15T07:00:00Z", 5.0),
        ("tomorrow", 15.0),
        (None, 15.0),
    ],
)
def test_a_refusal_names_when_to_come_back(start: str | None, pause_s: float) -> None:
    """`NOW_S` is 2027-01-15T08:00:00Z."""
    error = {"error": {"tokenergy": {"next_admitted": {"start": start}}}}
    later = judged(Told(429, json.dumps(error).encode(), ""), CLAIMED, now_s=NOW_S)
    assert later == Later(NOW_S + pause_s, faulty=False, pause_s=NOW_S + pause_s)


@given(st.integers(0, 599), st.binary(max_size=60), st.integers(0, 6))
def test_every_answer_is_kept_as_one_line_of_json(status: int, body: bytes, faults: int) -> None:
    verdict = judged(Told(status, body, "req"), CLAIMED._replace(faults_count=faults), now_s=NOW_S)
    if isinstance(verdict, Later):
        assert status in (0, 408, 429, 499, 500, 502, 503, 504)
        assert verdict.not_before_s >= NOW_S
        return
    assert b"\n" not in verdict.text
    told = json.loads(verdict.text)
    assert told["response"]["status_code"] == status
    assert verdict.good == (200 <= status < 300)

"""Control, with workers that stand in: kept alive, started fast, ended in order."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tokenergy.api.serving import ServeAsk, serve
from tokenergy.api.serving_plan import prepared
from tokenergy.errors import FindingsError, InputError
from tokenergy.store.keys import SqliteKeys

TESTS = Path(__file__).parents[1]
SMALL = TESTS / "small.yaml"
WORKER = (sys.executable, str(TESTS / "standing_worker.py"))
WITHIN_S = 60.0


def until(true: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < end_s, f"never {what}"
        time.sleep(0.02)


class Running:
    """Control in a thread: what it said, and how to ask its workers."""

    def __init__(self, data: Path, workers_count: int) -> None:
        self.lines: list[str] = []
        self.status: int | None = None
        self.fault: BaseException | None = None
        self.stop = threading.Event()
        self._ask = ServeAsk(
            company=SMALL,
            data=data,
            ledger=data.parent / "ledger.sqlite",
            port=0,
            workers_count=workers_count,
            worker=WORKER,
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.status = serve(self._ask, tell=self.lines.append, stop=self.stop)
        except BaseException as fault:
            self.fault = fault

    @property
    def url(self) -> str:
        until(lambda: bool(self.lines) or not self.thread.is_alive(), "said where it listens")
        assert self.fault is None
        (address,) = (word for word in self.lines[0].split() if word.startswith("http"))
        return address.removesuffix("/v1")

    def ask(self, path: str = "/") -> tuple[int, str]:
        with urllib.request.urlopen(self.url + path, timeout=WITHIN_S) as answer:
            process, policy = answer.read().decode().split()
            return int(process), policy


@contextmanager
def running(data: Path, workers_count: int = 1) -> Iterator[Running]:
    control = Running(data, workers_count)
    try:
        yield control
    finally:
        control.stop.set()
        control.thread.join(WITHIN_S)
        assert not control.thread.is_alive()


def test_workers_are_kept_and_a_restart_has_the_last_board(tmp_path) -> None:
    """Two lives of one gateway: killed workers come back, and the second life is quick."""
    data = tmp_path / "data"
    with running(data, workers_count=2) as control:
        until(lambda: control.ask()[1] == "mpc", "priced")
        assert data.stat().st_mode & 0o777 == 0o700
        first = control.ask()[0]
        with pytest.raises((OSError, EOFError)):
            control.ask("/die")
        until(lambda: any("it is started again" in line for line in control.lines), "told")
        assert psutil.pid_exists(control.ask()[0])
        assert first > 0
        told = "\n".join(control.lines)
        assert "SIMULATED" in told
        assert "without a key" in told
        until(lambda: "next token chat-america" in "\n".join(control.lines), "told the price")
    assert control.status == 0
    with running(data) as again:
        assert again.ask()[1] in ("none", "mpc")
        until(lambda: again.ask()[1] == "mpc", "has the board of the first life")


def test_an_answer_under_way_is_not_cut_at_the_end(tmp_path) -> None:
    with running(tmp_path / "data") as control:
        control.ask()
        answers: list[tuple[int, str]] = []
        slow = threading.Thread(target=lambda: answers.append(control.ask("/slow")))
        slow.start()
        time.sleep(0.3)
        control.stop.set()
        slow.join(WITHIN_S)
        assert len(answers) == 1


def test_a_folder_and_a_port_belong_to_one_gateway(tmp_path) -> None:
    data = tmp_path / "data"
    with running(data) as control:
        port = int(control.url.rpartition(":")[2])
        ask = ServeAsk(company=SMALL, data=data, ledger=tmp_path / "l.sqlite", port=0)
        with pytest.raises(InputError, match="another gateway"):
            serve(ask, tell=print)
        other = ServeAsk(
            company=SMALL, data=tmp_path / "other", ledger=tmp_path / "l.sqlite", port=port
        )
        with pytest.raises(InputError, match="cannot listen"):
            serve(other, tell=print)


@pytest.mark.slow
def test_nobody_outlives_control(tmp_path) -> None:
    """Control is killed as by the system: worker and maker end by themselves. Slow: it waits."""
    words = [sys.executable, "-m", "tokenergy", "serve", str(SMALL), "--port", "0"]
    words += ["--data", str(tmp_path / "data"), "--ledger", str(tmp_path / "l.sqlite")]
    control = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process = psutil.Process(control.pid)
        until(lambda: len(process.children()) == 2, "started worker and maker")
        children = process.children()
        os.kill(control.pid, signal.SIGKILL)
        control.wait(WITHIN_S)
        gone, alive = psutil.wait_procs(children, timeout=WITHIN_S)
        assert (len(gone), alive) == (2, [])
    finally:
        control.kill()


# ---- the plan --------------------------------------------------------------------------


def plan(company: Path, folder: Path, **more):
    given = {"workers_count": 1, "at": None, "loopback": True, "keys_count": 0} | more
    return prepared(company, folder, **given)


def test_a_plan_is_made_once_and_anew_where_the_file_was_edited(tmp_path) -> None:
    company, folder = tmp_path / "small.yaml", tmp_path / "data"
    company.write_text(SMALL.read_text())
    folder.mkdir()
    first = plan(company, folder)
    assert not first.known
    assert first.plan.open_door
    (folder / "board.json").write_text("kept")
    again = plan(company, folder)
    assert again.known
    assert again.plan == first.plan
    company.write_text(SMALL.read_text().replace("gpu_count: 900", "gpu_count: 800"))
    edited = plan(company, folder)
    assert not edited.known
    assert (folder / "board.json").exists()  # the same places: it still says something
    company.write_text(SMALL.read_text().replace("frankfurt-h100", "frankfurt-gpus"))
    plan(company, folder)
    assert not (folder / "board.json").exists()


def test_the_door_is_open_on_this_machine_alone_and_until_there_is_a_key(tmp_path) -> None:
    assert plan(SMALL, tmp_path).plan.open_door
    assert not plan(SMALL, tmp_path, keys_count=1).plan.open_door
    assert not plan(SMALL, tmp_path, loopback=False).plan.open_door
    opened = plan(SMALL, tmp_path)
    assert opened.known
    assert opened.plan.open_door


def test_a_recorded_horizon_is_never_an_earlier_plan(tmp_path) -> None:
    from datetime import UTC, datetime

    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    played = plan(SMALL, tmp_path, at=at)
    assert played.plan.clock_offset_s == pytest.approx(at.timestamp() - time.time(), abs=60.0)
    (tmp_path / "board.json").write_text("of the recorded day")
    assert not plan(SMALL, tmp_path).known
    assert not (tmp_path / "board.json").exists()
    with pytest.raises(InputError, match="outside the horizon"):
        plan(SMALL, tmp_path, at=datetime(2027, 1, 1, tzinfo=UTC))


def test_a_broken_company_file_ends_the_start(tmp_path) -> None:
    company = tmp_path / "small.yaml"
    company.write_text(SMALL.read_text().replace("gpu_count: 900", "gpu_count: many"))
    ask = ServeAsk(company=company, data=tmp_path / "data", ledger=tmp_path / "l.sqlite", port=0)
    with pytest.raises(FindingsError, match="gpu_count"):
        serve(ask, tell=print)
    with SqliteKeys.in_folder(tmp_path / "data") as keys:
        assert keys.listed() == ()


def test_a_port_that_is_taken_by_somebody_else_is_told(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ask = ServeAsk(
            company=SMALL,
            data=tmp_path / "data",
            ledger=tmp_path / "l.sqlite",
            port=taken.getsockname()[1],
        )
        with pytest.raises(InputError, match="in use"):
            serve(ask, tell=print)

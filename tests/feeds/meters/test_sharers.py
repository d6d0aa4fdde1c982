"""Who works on a board, told from real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tokenergy.feeds.meters.sharers import shared_by

NAP = "import time; time.sleep(60)"
ENGINE = f"""
import subprocess, sys
workers = [subprocess.Popen([sys.executable, "-c", {NAP!r}]) for _ in range(2)]
print(*[each.pid for each in workers], flush=True)
sys.stdin.read()
for each in workers:
    each.kill()
    each.wait()
"""


@contextmanager
def engine() -> Iterator[tuple[int, int, int]]:
    """An engine that starts two workers; it ends them when its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        first, second = (int(pid) for pid in process.stdout.readline().split())
        try:
            yield process.pid, first, second
        finally:
            process.stdin.close()
            process.wait(10)


@contextmanager
def script() -> Iterator[tuple[int, int]]:
    """A shell that starts two programs of its own."""
    nap = f"{sys.executable} -c '{NAP}'"
    command = f"{nap} & echo $!; {nap} & echo $!; wait"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        first, second = (int(shell.stdout.readline()) for _ in range(2))
        try:
            yield first, second
        finally:
            for pid in (first, second):
                os.kill(pid, 9)
            shell.wait(10)


def test_nobody_and_one_share_nothing() -> None:
    assert shared_by(()) == shared_by((os.getpid(),)) == shared_by((os.getpid(),) * 2) == ""


def test_an_engine_and_its_workers_are_one_family() -> None:
    with engine() as (main, first, second):
        for pids in ((main, first), (first, second), (main, first, second)):
            assert shared_by(pids) == ""


def test_two_programs_of_a_shell_are_two() -> None:
    with script() as (first, second):
        told = shared_by((second, first))
        assert told.startswith("2 programs work on it")
        assert str(first) in told
        with engine() as (main, worker, _):
            assert shared_by((first, main, worker)).startswith("2 programs")


@pytest.mark.parametrize("unseen", [(2**30, 2**30 + 1), (1, 2**30)])
def test_processes_that_we_may_not_see_may_be_anybodys(unseen: tuple[int, int]) -> None:
    assert shared_by(unseen).startswith("2 programs")

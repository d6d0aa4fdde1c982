"""Processes that are kept alive: again at once, later if they keep failing, ended in order."""

import os
import signal
import sys
import time

import pytest

from tokenergy.api.children import Child, Lifeline, end_all, ended_by
from tokenergy.api.listening import address_of, listening
from tokenergy.errors import InputError

SLEEPS = "import time; time.sleep(60)"
DEAF = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
WITHIN_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def until(true, what: str) -> None:
    end_s = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < end_s, f"never {what}"
        time.sleep(0.01)


@pytest.fixture
def kept():
    """Return what makes children, and end them all."""
    made: list[Child] = []

    def child(
        code: str, *, ends=None, ticks=time.monotonic, fds=(), served=lambda _: False
    ) -> Child:
        told = [] if ends is None else ends
        one = Child(
            f"child {len(made)}",
            [sys.executable, "-c", code, *map(str, fds)],
            fds=fds,
            on_end=lambda which, status: told.append((which.name, status)),
            served=served,
            ticks=ticks,
        )
        made.append(one)
        return one

    yield child
    for one in made:
        one.kill()
    until(lambda: all(one.has_ended() for one in made), "ended")


def test_one_that_dies_is_started_again_at_once(kept) -> None:
    ends: list[tuple[str, int]] = []
    one = kept(SLEEPS, ends=ends)
    one.start()
    first = one.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(one.has_ended, "dead")
    one.look()
    assert ends == [("child 0", -signal.SIGKILL)]
    assert one.pid not in (None, first)


def test_one_that_keeps_failing_waits_twice_as_long_each_time(kept) -> None:
    """Failures in a row: at once, then 0.2, 0.4, 0.8 s; a long life counts from the start."""
    clock, waits = Clock(), []
    one = kept("raise SystemExit(7)", ticks=clock)
    one.start()
    for _ in range(4):
        until(one.has_ended, "failed")
        one.look()
        begun_s = clock.s
        while one.pid is None:
            clock.s += 0.05
            one.look()
        waits.append(round(clock.s - begun_s, 2))
    assert waits == pytest.approx([0.0, 0.2, 0.4, 0.8], abs=0.051)
    assert one.failed_count == 4
    until(one.has_ended, "failed")
    clock.s += 60.0
    one.look()
    assert one.failed_count == 0


@pytest.mark.parametrize(("served", "failed_count"), [(True, 0), (False, 5)])
def test_one_that_is_killed_while_it_serves_has_not_failed_at_its_start(
    kept, served: bool, failed_count: int
) -> None:
    """Each life lasts 2 s, which is soon; only one that never served has failed at its start."""
    clock = Clock()
    one = kept(SLEEPS, ticks=clock, served=lambda _: served)
    one.start()
    for _ in range(5):
        clock.s += 2.0
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        until(one.has_ended, "dead")
        one.look()
        while one.pid is None:
            clock.s += 0.05
            one.look()
    assert one.failed_count == failed_count


def test_a_start_may_be_put_off(kept) -> None:
    clock = Clock()
    one = kept(SLEEPS, ticks=clock)
    one.start_in(2.0)
    one.look()
    assert one.pid is None
    clock.s += 2.0
    one.look()
    assert one.pid is not None


def test_all_are_asked_and_the_deaf_are_killed(kept) -> None:
    good, deaf = kept(SLEEPS), kept(DEAF)
    good.start()
    deaf.start()
    time.sleep(0.5)  # until it has stopped its ears
    late = end_all([good, deaf], within_s=1.0, hurry=lambda: False)
    assert set(late) <= {"child 1"}
    assert good.has_ended()
    assert deaf.has_ended()
    good.look()
    assert good.pid is None


def test_a_lifeline_ends_with_whoever_holds_it() -> None:
    with Lifeline() as line:
        line.cut()
        ended_by(line.reading)  # returns


def test_several_sockets_listen_at_one_port() -> None:
    with listening("127.0.0.1", 0, 3) as doors:
        assert len({address_of(door) for door in doors}) == 1
        port = doors[0].getsockname()[1]
        with (
            pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port}"),
            listening("127.0.0.1", port, 3),
        ):
            pass

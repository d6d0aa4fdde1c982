"""kill -9 and SIGTERM under load, a few times; `make bench-serve` does it at length."""

from serve_bench import passes


def test_nothing_answered_is_lost_when_workers_are_killed() -> None:
    found = passes("kill_json")
    assert found.more["answered"] > 0


def test_every_begun_stream_is_accounted_for_when_workers_are_killed() -> None:
    found = passes("kill_streams")
    assert found.more["cut"] > 0


def test_sigterm_cuts_no_answer() -> None:
    found = passes("sigterm")
    assert found.more["drain_s"] < 10

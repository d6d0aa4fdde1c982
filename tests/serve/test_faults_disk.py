"""A full disk, a locked ledger, locked leases; `make bench-serve` does it at length."""

from serve_bench import passes


def test_a_full_disk_is_503_and_loses_nothing() -> None:
    found = passes("disk_full")
    assert found.more["told_503"] > 0


def test_a_locked_ledger_stops_nobody() -> None:
    found = passes("ledger_locked")
    assert found.more["told_503"] == 0


def test_locked_leases_lose_nothing() -> None:
    passes("leases_locked")

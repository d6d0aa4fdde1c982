"""A full disk, a locked ledger, locked leases; `make bench-serve` does it at length."""

import pytest
from serve_bench import passes

pytestmark = pytest.mark.slow  # a gateway each, under load while the disk fails it: 6 to 9 s


def test_a_full_disk_is_503_and_loses_nothing() -> None:
    found = passes("disk_full")
    assert found.more["told_503"] > 0


def test_a_locked_ledger_stops_nobody() -> None:
    found = passes("ledger_locked")
    assert found.more["told_503"] == 0


def test_locked_leases_lose_nothing() -> None:
    passes("leases_locked")

"""The fault table: every driver, short (as the tests call it) or long (as `make bench-serve` does).

A driver starts its own gateway and servers, is bounded in count and time, and returns `Found`:
tried, lost, and a verdict in words. What cannot be tried here says why (`skipped`).
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import serve_faults_backends as backends
import serve_faults_clients as clients
import serve_faults_disk as disk
import serve_faults_killed as killed
import serve_faults_money as money
from serve_fault import PASSED, Found

Driver = Callable[[Path], Found]


def drivers(*, long: bool) -> Mapping[str, Driver]:
    """Return every fault that is one run, by name, as long or as short as asked."""
    return {
        "kill_json": lambda folder: killed.killed(folder, times=20 if long else 2, streams=False),
        "kill_streams": lambda folder: killed.killed(
            folder,
            times=20 if long else 2,
            streams=True,
            connections=100 if long else 24,
        ),
        "sigterm": lambda folder: killed.ended(folder, connections=100 if long else 16),
        "budget_race": lambda folder: money.raced(
            folder, worth_count=1000 if long else 200, workers=4 if long else 2
        ),
        "lease_holder_killed": lambda folder: money.raced(
            folder,
            worth_count=1000 if long else 200,
            workers=4 if long else 2,
            kill_holder=True,
        ),
        "clients_leave": lambda folder: clients.left(folder, requests=5_000 if long else 150),
        "slow_readers": lambda folder: clients.slow_readers(
            folder, readers=200 if long else 20, seconds=10.0 if long else 1.0
        ),
        "big_bodies": lambda folder: clients.big_bodies(folder, count=50 if long else 2),
        "disk_full": lambda folder: disk.disk_full(folder, seconds=2.0 if long else 0.5),
        "ledger_locked": lambda folder: disk.locked(folder, seconds=15.0 if long else 1.0),
        "leases_locked": lambda folder: disk.locked(
            folder, seconds=15.0 if long else 1.0, of="leases"
        ),
    }


def tried(name: str, *, long: bool = False) -> Found:
    """Try one fault of `drivers` in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"tokenergy-{name}-") as folder:
        return drivers(long=long)[name](Path(folder))


def figures(*, long: bool = True, names: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield each fault's name and what came of it, as soon as it is known."""
    for name in drivers(long=long):
        if names and name not in names:
            continue
        try:
            yield name, tried(name, long=long).told()
        except disk.NoDisk as error:
            yield name, {"tried": 0, "lost": 0, "verdict": f"skipped: {error}"}
    if not names or "backends" in names:
        with tempfile.TemporaryDirectory(prefix="tokenergy-backends-") as folder:
            found = backends.broken(Path(folder), times=10 if long else 1)
        yield from ((f"backend_{name}", each.told()) for name, each in found.items())


def fell(found: Mapping[str, Any]) -> bool:
    """Return whether a fault's verdict is neither passed nor skipped."""
    verdict = str(found["verdict"])
    return verdict != PASSED and not verdict.startswith("skipped")

"""A disk that is full, a ledger that is locked: serving goes on or says 503, nothing is lost.

- `disk_full`: the gateway's folder lies on a small file system of its own (a tmpfs, where this
  user may mount one), which a ballast fills under load: answers from the room that the journal
  has already, then 503 with Retry-After, and answers again once there is room.
- `locked`: another program holds the ledger, or the leases: requests go on from what is held in
  journal and leases, and everything is in the ledger afterwards.
"""

import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from serve_fault import Found, body, lines_of, miscounted, told_bad, unrecorded
from serve_native import Load, upstreams
from serve_ours import Gateway, gateway, settled

DISK_MB = 32
AGAIN_WITHIN_S = 20.0
JOURNAL_BYTES = 1 << 20
"""Bound of the journal: its segments, which are the disk's before anything is in them, are a
quarter of it."""


class NoDisk(RuntimeError):
    """No small file system can be mounted here."""


@contextmanager
def small_disk(size_mb: int = DISK_MB) -> Iterator[Path]:
    """Mount a tmpfs of that size.

    Raises:
        NoDisk: if this user may not.
    """
    with tempfile.TemporaryDirectory(prefix="tokenergy-disk-") as folder:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", folder]
        try:
            made = subprocess.run(words, capture_output=True, text=True, check=False)
        except OSError as error:
            raise NoDisk("there is no mount here") from error
        if made.returncode:
            raise NoDisk(f"a tmpfs cannot be mounted: {made.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=False)


def fill(folder: Path) -> Path:
    """Write until nothing more fits; return the file."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as out:
        for size in (1 << 20, 4096, 512, 64, 8, 1):
            piece = bytes(size)
            try:
                while out.write(piece) == size:
                    pass
            except OSError:
                continue
    return ballast


def disk_full(folder: Path, *, seconds: float) -> Found:
    """Fill the disk of journal, leases and keys under load, and free it again."""
    log = folder / "clients.log"
    with (
        small_disk() as disk,
        upstreams(2) as servers,
        gateway(
            [server.url for server in servers],
            folder=disk,
            limits=f"journal_bytes: {JOURNAL_BYTES}",
        ) as running,
    ):
        key = running.key("acme")
        options: dict[str, Any] = {"connections": 8, "rate": 200, "key": key}
        load = Load(running.port, log=log, **options)
        time.sleep(seconds)
        ballast = fill(disk)
        _until(running, key, 503)
        time.sleep(seconds)
        refused = running.ask(key, body())
        ballast.unlink()
        back_s = _until(running, key, 200)
        time.sleep(seconds)
        seen = load.stop()
        settled(running)
        running.terminate()
        running.wait()
        lines = list(lines_of(log))
        lost = unrecorded(lines, running.ledger)
        off = miscounted(lines, running.ledger)
    odd = [line for line in lines if line.status not in (200, 503)]
    return Found(
        tried=len(lines),
        lost=len(lost),
        faults=(
            *told_bad("answered and not recorded", lost),
            *told_bad("counted or billed otherwise than told", off),
            *told_bad("neither served nor 503", odd),
            *((f"on a full disk: {refused.status}",) if refused.status != 503 else ()),
            *(("503 without Retry-After",) if "retry-after" not in refused.headers else ()),
            *(("it never served again",) if back_s is None else ()),
        ),
        more={
            "answered": seen["answered"],
            "told_503": seen["statuses"].get("503", 0),
            "back_after_s": None if back_s is None else round(back_s, 2),
        },
    )


def _until(running: Gateway, key: str, status: int) -> float | None:
    """Ask until it answers so; return how long it took, or None: it never did."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < AGAIN_WITHIN_S:
        if running.ask(key, body()).status == status:
            return time.monotonic() - began_s
        time.sleep(0.05)
    return None


def locked(folder: Path, *, seconds: float, of: str = "ledger") -> Found:
    """Hold the ledger, or the leases (`of`), for some seconds under load."""
    log = folder / "clients.log"
    with (
        upstreams(2) as servers,
        gateway([server.url for server in servers], folder=folder) as running,
    ):
        key = running.key("acme")
        load = Load(running.port, connections=8, rate=100, key=key, log=log)
        time.sleep(0.5)
        file = running.ledger if of == "ledger" else running.data / "leases.sqlite"
        with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as base:
            base.execute("begin immediate")
            time.sleep(seconds)
            base.execute("rollback")
        time.sleep(0.5)
        seen = load.stop()
        settled(running)
        running.terminate()
        running.wait()
        ledger = running.ledger
    lines = list(lines_of(log))
    lost = unrecorded(lines, ledger)
    fine = (200,) if of == "ledger" else (200, 503)
    odd = [line for line in lines if line.status not in fine]
    return Found(
        tried=len(lines),
        lost=len(lost),
        faults=(
            *told_bad("answered and not recorded", lost),
            *told_bad("counted or billed otherwise than told", miscounted(lines, ledger)),
            *told_bad("of an unexpected status", odd),
            *(("nothing was answered",) if not seen["answered"] else ()),
        ),
        more={"answered": seen["answered"], "told_503": seen["statuses"].get("503", 0)},
    )


def may_mount() -> bool:
    """Return whether a tmpfs can be mounted, without leaving one."""
    if os.geteuid() != 0:
        return False
    try:
        with small_disk(1):
            return True
    except NoDisk:
        return False

"""Killed and ended under load: nothing that was answered is lost, nothing begun is unaccounted for.

- `killed`: `kill -9` of the worker, again and again, JSON and streams; control starts it anew. At
  the end the whole gateway is killed, and its journal is projected twice: the same sums.
- `ended`: SIGTERM under load: whatever was begun is answered, within the drain.
"""

import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from serve_fault import (
    Found,
    begun_without_record,
    lines_of,
    miscounted,
    told_bad,
    unrecorded,
)
from serve_native import Load, upstreams
from serve_ours import Gateway, gateway

from tokenergy.store.projector import Projector

STREAM = {"stream": True, "tokens": 64, "gap_us": 5_000}
JSON = {"tokens": 64, "first_us": 2_000}
RESTARTS_WITHIN_S = 60.0


def killed(
    folder: Path, *, times: int, streams: bool, connections: int = 16, between_s: float = 0.6
) -> Found:
    """Kill the worker `times` times under load, then the whole gateway, and count."""
    drawn, log = random.Random(7), folder / "clients.log"
    with upstreams(2) as servers:
        urls = [server.url for server in servers]
        with gateway(urls, folder=folder) as running:
            load = Load(
                running.port,
                connections=connections,
                key=running.key("acme"),
                log=log,
                timeout_s=20,
                **(STREAM if streams else JSON),
            )
            down_s = []
            for _ in range(times):
                time.sleep(between_s * drawn.uniform(0.5, 1.5))
                down_s.append(_kill_worker(running))
            time.sleep(0.3)
            running.kill()  # all of it: the last second of journal is not projected
            seen = load.stop()
            ledger, data = running.ledger, running.data
            twice = _projected_twice(data, ledger)
    lines = list(lines_of(log))
    lost = unrecorded(lines, ledger)
    begun = [line for line in begun_without_record(lines, ledger)]
    return Found(
        tried=len(lines),
        lost=len(lost) + len(begun),
        faults=(
            *told_bad("answered and not recorded", lost),
            *told_bad("begun and not recorded", begun),
            *told_bad("counted or billed otherwise than told", miscounted(lines, ledger)),
            *told_bad("wrong answers", [line for line in lines if line.outcome == "wrong"]),
            *(("replay twice gives other sums",) if twice[0] != twice[1] else ()),
            *(("nothing was answered",) if not seen["answered"] else ()),
        ),
        more={
            "kills": times + 1,
            "answered": seen["answered"],
            "cut": seen["cut"],
            "down_s_worst": round(max(down_s, default=0.0), 3),
            "sums": twice[0],
        },
    )


def _kill_worker(running: Gateway) -> float:
    """Kill the worker; return the seconds until another one answers."""
    (worker,) = _workers(running, 1)
    worker.kill()
    began_s = time.monotonic()
    worker.wait(timeout=10)
    while time.monotonic() - began_s < RESTARTS_WITHIN_S:
        try:
            if running.ask(None, None, path="/healthz", timeout_s=5).status == 200:
                return time.monotonic() - began_s
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError(f"no worker within {RESTARTS_WITHIN_S:g} s of a kill")


def _workers(running: Gateway, count: int) -> list[psutil.Process]:
    until_s = time.monotonic() + RESTARTS_WITHIN_S
    while time.monotonic() < until_s:
        found = running.workers()
        if len(found) == count:
            return found
        time.sleep(0.02)
    raise RuntimeError(f"there are {len(running.workers())} workers, expected {count}")


def _projected_twice(data: Path, ledger: Path) -> tuple[Any, Any]:
    """Project what is left; then put the journal back and project it again: return both sums."""
    kept = data.with_name("journal-kept")
    shutil.copytree(data / "journal", kept)
    first = _project(data, ledger)
    shutil.rmtree(data / "journal")
    shutil.copytree(kept, data / "journal")
    return first, _project(data, ledger)


def _project(data: Path, ledger: Path) -> Any:
    projector = Projector(data, ledger)
    try:
        while projector.step():
            pass
        projector.settle_dead()
        while projector.step():
            pass
    finally:
        projector.close()
    with closing(sqlite3.connect(ledger)) as base:
        return base.execute(
            "select count(*), sum(amount_nano_usd), sum(energy_microjoules), "
            "count(distinct request_id) from ledger"
        ).fetchone()


def ended(folder: Path, *, connections: int = 32, seconds: float = 1.5) -> Found:
    """End the gateway by SIGTERM while JSON and streams are under way."""
    logs = [folder / "json.log", folder / "streams.log"]
    with (
        upstreams(2) as servers,
        gateway([server.url for server in servers], folder=folder) as running,
    ):
        loads = [
            Load(
                running.port,
                connections=connections,
                key=running.key("acme"),
                log=log,
                timeout_s=20,
                spread_us=500_000,
                **options,
            )
            for log, options in zip(
                logs, ({**JSON, "first_us": 200_000}, {**STREAM, "gap_us": 10_000}), strict=True
            )
        ]
        time.sleep(seconds)
        began_s = time.monotonic()
        running.terminate()
        status = running.wait()
        took_s = time.monotonic() - began_s
        seen = [load.stop() for load in loads]
        ledger = running.ledger
    lines = [line for log in logs for line in lines_of(log)]
    cut = [line for line in lines if line.outcome in ("cut", "late", "wrong")]
    lost = unrecorded(lines, ledger)
    return Found(
        tried=len(lines),
        lost=len(cut) + len(lost),
        faults=(
            *told_bad("cut within the drain", cut),
            *told_bad("answered and not recorded", lost),
            *told_bad("counted or billed otherwise than told", miscounted(lines, ledger)),
            *((f"control ended with {status}",) if status else ()),
            *(("nothing was answered",) if not sum(each["answered"] for each in seen) else ()),
        ),
        more={
            "answered": sum(each["answered"] for each in seen),
            "not_taken": sum(each["lost"] for each in seen),
            "drain_s": round(took_s, 2),
        },
    )

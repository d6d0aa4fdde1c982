"""What metering and budgets cost: CPU of a request with journal and leases, and without.

Two gateways in turns on one core: the real one, and one whose workers write nothing down and
reserve nothing (`serve_unmetered.py`). CPU is of all processes, the projector's too; `worker` is
what stands on the way of a request.
"""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from serve_native import cpu_s, load, upstreams
from serve_ours import Gateway, gateway, settled
from serve_speed import BODY_BYTES, CONNECTIONS, CORE_OF_LOAD, CORE_OF_PROXY, median

UNMETERED = str(Path(__file__).resolve().with_name("serve_unmetered.py"))


def figures(*, count: int = 3, seconds: float = 4.0) -> dict[str, Any]:
    """Return CPU per request with and without, and the share that metering and budgets have."""
    with ExitStack() as stack:
        urls = [server.url for server in stack.enter_context(upstreams(2, core=CORE_OF_LOAD))]
        both = {
            "on": stack.enter_context(gateway(urls, core=CORE_OF_PROXY)),
            "off": stack.enter_context(
                gateway(urls, core=CORE_OF_PROXY, command=(sys.executable, UNMETERED, "control"))
            ),
        }
        for running in both.values():
            _turn(running, 1.0)
        turns: dict[str, list[dict[str, float]]] = {name: [] for name in both}
        for _ in range(count):
            for name, running in both.items():
                turns[name].append(_turn(running, seconds))
                time.sleep(0.2)
    us = {
        f"{name}_{of}": median(found, lambda each, of=of: each[of])
        for name, found in turns.items()
        for of in ("all", "worker")
    }
    return {
        "cpu_us_per_request": us,
        "cpu_share": 1.0 - us["off_all"] / us["on_all"],
        "worker_cpu_share": 1.0 - us["off_worker"] / us["on_worker"],
        "cpu_ratio": us["on_all"] / us["off_all"],
        "worker_cpu_ratio": us["on_worker"] / us["off_worker"],
    }


def _turn(running: Gateway, seconds: float) -> dict[str, float]:
    workers = [each.pid for each in _workers(running)]
    everybody = [each.pid for each in running.processes()]
    before, before_worker = cpu_s(*everybody), cpu_s(*workers)
    found = load(
        running.port,
        core=CORE_OF_LOAD,
        key=running.key("acme"),
        connections=CONNECTIONS,
        body_bytes=BODY_BYTES,
        seconds=seconds,
    )
    used_worker = cpu_s(*workers) - before_worker
    settled(running)
    used = cpu_s(*everybody) - before
    return {"all": 1e6 * used / found["tried"], "worker": 1e6 * used_worker / found["tried"]}


def _workers(running: Gateway) -> list[psutil.Process]:
    return [each for each in running.processes() if "worker" in each.cmdline()] or running.workers()

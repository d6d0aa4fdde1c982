"""Memory of a worker: idle, after a first thousand requests, after very many; and its open files.

A worker is warm after some ten thousand requests (pools, caches, counters of every label are
made); growth is counted from there. `requests` is a million in the long form.
"""

from typing import Any

from serve_native import load, rss_mb, upstreams
from serve_ours import gateway

WARM_COUNT = 20_000
STREAM_SHARE = 0.02
TURN_COUNT = 100_000
"""Requests that one load generator asks: it has five minutes."""


def figures(*, requests: int = 1_000_000) -> dict[str, Any]:
    """Return MB idle, warm and after so many requests, and files before and after."""
    with (
        upstreams(2) as servers,
        gateway([server.url for server in servers]) as running,
    ):
        key, (worker,) = running.key("acme"), running.workers()
        idle_mb = rss_mb(worker.pid)
        common: dict[str, Any] = {"connections": 32, "key": key, "tokens": 16}
        load(running.port, requests=WARM_COUNT, **common)
        load(running.port, requests=WARM_COUNT // 50, stream=True, **common)
        warm_mb, files_before = rss_mb(worker.pid), worker.num_fds()
        turns = [
            load(
                running.port,
                requests=min(TURN_COUNT, requests - begun),
                start=WARM_COUNT + begun,
                **common,
            )
            for begun in range(0, requests, TURN_COUNT)
        ]
        plain = {name: sum(each[name] for each in turns) for name in ("tried", "answered")}
        streams = load(running.port, requests=round(STREAM_SHARE * requests), stream=True, **common)
        after_mb, files_after = rss_mb(worker.pid), worker.num_fds()
        alive = running.workers()[0].pid == worker.pid
        others = {
            (each.cmdline() or ["?"])[-1][-20:]: round(rss_mb(each.pid), 1)
            for each in running.processes()
            if each.pid != worker.pid
        }
    return {
        "idle": round(idle_mb, 1),
        "warm": round(warm_mb, 1),
        "growth": round(after_mb - warm_mb, 1),
        "requests_count": plain["answered"] + streams["answered"],
        "not_answered_count": plain["tried"] + streams["tried"]
        - plain["answered"] - streams["answered"],
        "files_growth_count": files_after - files_before,
        "same_worker": alive,
        "others_mb": others,
    }  # fmt: skip

"""Speed of the gateway beside direct, vllm-router and LiteLLM: in turns, one core each.

The proxy has one core, the load generator and the fake upstreams the other one. Every answer is
verified (own mark, tokens, usage, [DONE]); one wrong answer and nothing is printed. Three loads:

- saturation: 32 connections, 1 KB in, 0.4 KB out: requests/s of one core, CPU of a request;
- paced: 100 streams of 64 tokens, one per 10 ms, begun evenly: CPU of an event, time to first
  token, and how long an event takes to pass (each carries the moment at which it left);
- rate: 500 requests/s by the clock: time of an answer.

CPU is that of all processes of a proxy (ours: worker, control with its projector, board maker).
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from serve_native import cpu_s, load, upstreams
from serve_ours import as_proxy, gateway, settled
from serve_peers import Proxy, litellm, peer_python, vllm_router

CORE_OF_LOAD, CORE_OF_PROXY = 0, 1
CONNECTIONS, BODY_BYTES = 32, 1024
STREAMS, LITELLM_STREAMS, TOKENS, GAP_US = 100, 10, 64, 10_000
RATE_PER_S = 500
OURS, DIRECT, ROUTER, LITELLM = "tokenergy", "direct", "vllm-router", "litellm"
UNWANTED = ("refused", "cut", "lost", "late", "wrong")

Told = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is measured, by name, and what to wait for after each turn."""

    proxies: Mapping[str, Proxy]
    absent: Mapping[str, str]
    rest: Callable[[], object]


class WrongAnswer(RuntimeError):
    """A proxy answered something else than was asked, or not at all."""


@contextmanager
def bench() -> Iterator[Bench]:
    """Start the upstreams, ours and the peers that are here."""
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        servers = stack.enter_context(upstreams(2, core=CORE_OF_LOAD))
        urls = [server.url for server in servers]
        proxies = {DIRECT: Proxy(name=DIRECT, port=servers[0].port)}
        running = stack.enter_context(gateway(urls, core=CORE_OF_PROXY))
        proxies[OURS] = as_proxy(running)
        for name, start in ((ROUTER, vllm_router), (LITELLM, litellm)):
            python, reason = peer_python(name)
            if python is None:
                absent[name] = reason
                continue
            try:
                proxies[name] = stack.enter_context(start(python, urls, core=CORE_OF_PROXY))
            except (RuntimeError, OSError) as error:
                absent[name] = f"{name} did not start: {str(error)[:200]}"
        yield Bench(proxies=proxies, absent=absent, rest=lambda: settled(running))


def turn(bench: Bench, name: str, **options: Any) -> Told:
    """Let one proxy answer one load; return what the clients saw and what it used.

    Raises:
        WrongAnswer: if one answer was not the one asked for.
    """
    proxy = bench.proxies[name]
    before, worker_before = cpu_s(*proxy.pids), cpu_s(*proxy.pids[:1])
    found = load(proxy.port, core=CORE_OF_LOAD, key=proxy.key, **options)
    worker_s = cpu_s(*proxy.pids[:1]) - worker_before
    if name == OURS:
        bench.rest()
    used_s = cpu_s(*proxy.pids) - before
    if bad := {key: found[key] for key in UNWANTED if found[key]}:
        raise WrongAnswer(f"{name}: {bad} of {found['tried']}, statuses {found['statuses']}")
    return found | {"cpu_s": used_s, "worker_cpu_s": worker_s}


def rounds(bench: Bench, names: Sequence[str], count: int, **options: Any) -> dict[str, list[Told]]:
    """Let proxies answer in turns; `options` of a proxy's own stand under its name."""
    found: dict[str, list[Told]] = {name: [] for name in names}
    for _ in range(count):
        for name in names:
            own = {key: value for key, value in options.items() if key not in bench.proxies}
            found[name].append(turn(bench, name, **own | options.get(name, {})))
            time.sleep(0.2)
    return found


def median(turns: Sequence[Told], figure: Callable[[Told], float]) -> float:
    """Return the median of a figure over a proxy's turns."""
    return statistics.median(figure(each) for each in turns)


def saturation(bench: Bench, *, count: int, seconds: float) -> dict[str, Told]:
    """Return requests/s and CPU per request of each."""
    common: Told = {"connections": CONNECTIONS, "body_bytes": BODY_BYTES}
    for name in bench.proxies:  # what is made at first use is made
        turn(bench, name, **common, seconds=1.0)
    found = rounds(
        bench,
        list(bench.proxies),
        count,
        **common,
        seconds=seconds,
        litellm={"seconds": 2 * seconds},
    )
    return {
        name: {
            "requests_per_s": median(turns, lambda each: each["answers_per_s"]),
            "cpu_us_per_request": median(turns, lambda each: 1e6 * each["cpu_s"] / each["tried"]),
            "worker_cpu_us_per_request": median(
                turns, lambda each: 1e6 * each["worker_cpu_s"] / each["tried"]
            ),
            "p50_ms": median(turns, lambda each: each["answer"]["p50_ms"]),
            "p99_ms": median(turns, lambda each: each["answer"]["p99_ms"]),
            "requests_count": sum(each["tried"] for each in turns),
        }
        for name, turns in found.items()
    }


def paced(bench: Bench, *, count: int, seconds: float) -> dict[str, Told]:
    """Return CPU per event, time to first token and time of passing of each."""
    options: Told = {
        "stream": True,
        "connections": STREAMS,
        "tokens": TOKENS,
        "gap_us": GAP_US,
        "spread_us": TOKENS * GAP_US,
        "seconds": seconds,
    }
    few = {"litellm": {"connections": LITELLM_STREAMS}}
    found = rounds(bench, list(bench.proxies), count, **options, **few)
    return {
        name: {
            "streams_count": LITELLM_STREAMS if name == LITELLM else STREAMS,
            "cpu_us_per_event": median(turns, lambda each: 1e6 * each["cpu_s"] / each["events"]),
            "ttft_p50_ms": median(turns, lambda each: each["first"]["p50_ms"]),
            "ttft_p99_ms": median(turns, lambda each: each["first"]["p99_ms"]),
            "event_p50_ms": median(turns, lambda each: each["event"]["p50_ms"]),
            "event_p99_ms": median(turns, lambda each: each["event"]["p99_ms"]),
            "events_count": sum(each["events"] for each in turns),
        }
        for name, turns in found.items()
    }


def rate(bench: Bench, *, count: int, seconds: float) -> dict[str, Told]:
    """Return the time of an answer at 500 requests/s; LiteLLM's one core does not reach that."""
    names = [name for name in bench.proxies if name != LITELLM]
    found = rounds(
        bench, names, count, connections=64, rate=RATE_PER_S, body_bytes=BODY_BYTES, seconds=seconds
    )
    return {
        name: {
            "p50_ms": median(turns, lambda each: each["answer"]["p50_ms"]),
            "p99_ms": median(turns, lambda each: each["answer"]["p99_ms"]),
            "requests_count": sum(each["tried"] for each in turns),
        }
        for name, turns in found.items()
    }


def figures(*, count: int = 3, seconds: float = 4.0) -> Told:
    """Measure all three loads."""
    with bench() as running:
        found = {
            "saturation": saturation(running, count=count, seconds=seconds),
            "paced": paced(running, count=count, seconds=seconds),
            "rate": rate(running, count=count, seconds=seconds),
        }
        started = {name: each.started_s for name, each in running.proxies.items()}
        return found | {"absent": dict(running.absent), "started_s": started}

"""How fast is the gateway beside vllm-router and LiteLLM, and what becomes of it under faults?

Goals, in this order:
1. No silent wrong answers: every answer is verified, and what faults may not lose is not lost (kill
   -9, SIGTERM, a budget under a race, clients that leave, servers that fail, a full disk); else
   this exits with 1 and writes nothing.
2. Beside vllm-router: requests per second of one core >= 0.5 times; CPU of a paced event at most
   1.5 times; time to first token over the direct one at p99 at most 8 ms.
3. 500 requests/s: at most 0.5 ms (p50) and 1.0 ms (p99) more than direct.
4. CPU of a request at most 120 us; requests per second of one core >= 50 times LiteLLM's.
5. Memory: a worker at most 60 MB idle, growth at most 10 MB after a million requests; metering and
   budget at most 20 % of the CPU.
What misses one of the goals 2 to 5 is said, and this exits with 2. The parts:

| part | file | prints |
|---|---|---|
| speed | `serve_speed.py` | saturation, paced streams, a fixed rate, in turns with the peers |
| metering | `serve_metering.py` | CPU with journal and budget over CPU without |
| memory | `serve_memory.py` | MB idle and growth, open files |
| faults | `serve_faults.py` | the fault table, each fault with what was tried and lost |

The comparison favours LiteLLM on durability (it has no database here), and vllm-router does
neither tenants nor metering; both are of other makers and in environments of their own
(`serve_peers.py`), and where one is absent, that is printed, and no ratio to it. `--parts speed`
runs some parts; the others keep what the file holds. `--short` is a try of a few minutes that
writes nothing. Loopback, two cores, no TLS: read ratios; absolute figures want a quiet machine.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

import serve_faults
import serve_memory
import serve_metering
import serve_speed
from record import RESULTS, environment, show, write
from serve_speed import DIRECT, LITELLM, OURS, ROUTER

PARTS = ("speed", "metering", "memory", "faults")
GOALS = (
    ("ratio_to_vllm_router", ">=", 0.5),
    ("ratio_to_litellm", ">=", 50.0),
    ("cpu_us_per_request", "<=", 120.0),
    ("sse.cpu_ratio_to_vllm_router", "<=", 1.5),
    ("sse.added_ttft_p99_ms", "<=", 8.0),
    ("added_ms.p50", "<=", 0.5),
    ("added_ms.p99", "<=", 1.0),
    ("rss_mb.idle", "<=", 60.0),
    ("rss_mb.growth", "<=", 10.0),
    ("metering.cpu_share", "<=", 0.2),
)

Told = dict[str, Any]


def speed_keys(found: Told) -> Told:
    """Return the figures of `serve_speed` under the keys that the results are read by."""
    full, paced, rate = found["saturation"], found["paced"], found["rate"]
    ours, direct = full[OURS], rate[DIRECT]
    keys: Told = {
        "cpu_us_per_request": ours["cpu_us_per_request"],
        "worker_cpu_us_per_request": ours["worker_cpu_us_per_request"],
        "requests_per_s": ours["requests_per_s"],
        "sse": {
            "cpu_us_per_event": paced[OURS]["cpu_us_per_event"],
            "added_ttft_p50_ms": paced[OURS]["ttft_p50_ms"] - paced[DIRECT]["ttft_p50_ms"],
            "added_ttft_p99_ms": paced[OURS]["ttft_p99_ms"] - paced[DIRECT]["ttft_p99_ms"],
            "added_event_p99_ms": paced[OURS]["event_p99_ms"] - paced[DIRECT]["event_p99_ms"],
        },
        "added_ms": {of: rate[OURS][f"{of}_ms"] - direct[f"{of}_ms"] for of in ("p50", "p99")},
        "absent": found["absent"],
        "started_s": found["started_s"],
        "measured": {"saturation": full, "paced": paced, "rate": rate},
    }
    for name, word in ((ROUTER, "vllm_router"), (LITELLM, "litellm")):
        if name not in full:
            continue
        peer = full[name]
        keys[f"ratio_to_{word}"] = ours["requests_per_s"] / peer["requests_per_s"]
        keys[f"cpu_ratio_to_{word}"] = ours["cpu_us_per_request"] / peer["cpu_us_per_request"]
        keys["sse"][f"cpu_ratio_to_{word}"] = (
            paced[OURS]["cpu_us_per_event"] / paced[name]["cpu_us_per_event"]
        )
        if name in rate:
            keys["added_ms"][f"{word}_p50"] = rate[name]["p50_ms"] - direct["p50_ms"]
            keys["added_ms"][f"{word}_p99"] = rate[name]["p99_ms"] - direct["p99_ms"]
        keys["sse"][f"{word}_added_ttft_p99_ms"] = (
            paced[name]["ttft_p99_ms"] - paced[DIRECT]["ttft_p99_ms"]
        )
    return keys


def tell_speed(keys: Told) -> None:
    """Print a line a proxy."""
    full, paced, rate = (keys["measured"][of] for of in ("saturation", "paced", "rate"))
    rows = [
        (
            name,
            round(of["requests_per_s"]),
            round(of["cpu_us_per_request"]) or "",
            round(paced[name]["cpu_us_per_event"], 1) or "",
            paced[name]["ttft_p99_ms"],
            rate[name]["p50_ms"] if name in rate else "",
            rate[name]["p99_ms"] if name in rate else "",
            keys["started_s"][name] or "",
        )
        for name, of in full.items()
    ]
    head = ("", "req/s", "CPU us", "us/event", "TTFT p99 ms", "500/s p50 ms", "p99 ms", "start s")
    show("one core each; LiteLLM has 10 paced streams, the others 100", head, rows)
    for name, reason in keys["absent"].items():
        print(f"{name}: absent, no ratio ({reason})")


def measured(part: str, *, short: bool) -> Told:
    """Measure one part, print it, return it under the keys of the results."""
    if part == "speed":
        keys = speed_keys(serve_speed.figures(count=1 if short else 3, seconds=2 if short else 4))
        tell_speed(keys)
        return keys
    if part == "metering":
        found = serve_metering.figures(count=1 if short else 3, seconds=2 if short else 4)
        show("metering and budget", ("", "CPU us"), list(found["cpu_us_per_request"].items()))
        return {"metering": found}
    if part == "memory":
        memory = serve_memory.figures(requests=50_000 if short else 1_000_000)
        show("memory of a worker", ("", "figure"), [(k, v) for k, v in memory.items()])
        return {"rss_mb": memory}
    faults: Told = {}
    for name, found in serve_faults.figures(long=not short):
        faults[name] = found
        print(
            f"{name}: {found['tried']} tried, {found['lost']} lost: {found['verdict']}", flush=True
        )
    rows = [(name, each["tried"], each["lost"], each["verdict"]) for name, each in faults.items()]
    show("faults", ("", "tried", "lost", "verdict"), rows)
    return {"faults": faults}


def figure_at(results: Mapping[str, Any], path: str) -> Any:
    """Return the figure at a dotted path, or None."""
    found: Any = results
    for word in path.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def missed(results: Mapping[str, Any]) -> list[str]:
    """Return which goals are missed, in words."""
    said = []
    for path, sign, goal in GOALS:
        found = figure_at(results, path)
        if found is not None and not (found >= goal if sign == ">=" else found <= goal):
            said.append(f"{path}: {found:,.4g}, the goal is {sign} {goal:g}")
    return said


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--short", action="store_true", help="a try of minutes; writes nothing")
    asked = parser.parse_args()
    file = RESULTS / "serve.json"
    held = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    ran, results = held.get("ran", {}), {}
    for part in asked.parts:
        print(f"\n== {part} ==", flush=True)
        try:
            results |= measured(part, short=asked.short)
        except serve_speed.WrongAnswer as error:
            print(f"wrong answers: {error}", file=sys.stderr)
            return 1
        ran[part] = environment("uvicorn", "uvloop", "msgspec", "aiohttp")
    fallen = [name for name, each in results.get("faults", {}).items() if serve_faults.fell(each)]
    if fallen:
        print(f"faults that were not survived: {', '.join(fallen)}", file=sys.stderr)
        return 1
    if not asked.short:
        ours = {"command", "date", "processor", "system", "clock", "load_average", "versions"}
        kept = {key: value for key, value in held.items() if key not in ours | {"ran"}}
        write("serve", kept | results | {"ran": ran}, "uvicorn", "uvloop", "msgspec", "aiohttp")
    below = missed(results)
    for line in below:
        print(line, file=sys.stderr)
    return 2 if below else 0


if __name__ == "__main__":
    sys.exit(main())

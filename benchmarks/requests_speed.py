"""How fast are the request engines, and do they say what Vidur says?

`figures()` measures, `tell()` makes lines of it. Three parts:
1. Vidur, one replica, 5,000 requests at 6.45/s and saturated at 8/s, the same requests and tables
   on both sides: first token and end of every request, iterations, the most blocks in use and the
   distribution of batch sizes. Evictions do not happen in these cases: Vidur cuts an evicted
   prompt short, which is not copied here.
2. `leap` against `step`, on the same requests.
3. Two cores: 200 replicas with energy, batch histogram and gaps between tokens.

Parts 1 and 2 are processor time of one thread, best of all rounds, the sides taking turns; part 3
is time on the wall, with processor time beside it for a machine that is not idle. Compilation,
tables and the start of Vidur's process are outside. Vidur is slow: it gets fewer rounds than we
do, and the figures say how many.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import requests_case as case
from requests_case import Requests, Tables
from vidur_home import Vidur, vidurs

from tokenergy.simulate.replica import ReplicaRequests, ReplicaRuns, ReplicaSpec
from tokenergy.simulate.replicas import Spread, simulate_replicas

RATE_PER_S, SATURATED_PER_S = 6.45, 8.0
REQUESTS_COUNT = 5000
VIDUR_ROUNDS = {"on": 3, "off": 2}
OUR_ROUNDS = 5
REPLICAS_COUNT, EACH_COUNT = 200, 10_000
TWO_CORES_ROUNDS = 10
ENGINES: tuple[Literal["leap", "step"], ...] = ("leap", "step")


def figures() -> dict[str, Any]:
    """Measure everything; return what is kept."""
    began_load = load()
    requests = case.requests_at(RATE_PER_S, REQUESTS_COUNT)
    tables = case.roofline_tables(case.longest_tokens(requests))
    spec, asked = case.spec(tables), case.asked(requests)
    found, absent = vidurs()
    ours: dict[str, Rounds] = {engine: Rounds(spec, asked, engine) for engine in ENGINES}
    kept = {vidur.name: compared(vidur, requests, tables, ours) for vidur in found}
    engines = between_engines(ours)
    peers: dict[str, Any] = {"absent": absent, "peers": kept}
    if kept:
        peers |= {
            "ratio": min(peer["ratio"] for peer in kept.values()),
            "against": min(kept, key=lambda name: kept[name]["ratio"]),
            "max_abs_diff_s": max(peer["max_abs_diff_s"] for peer in kept.values()),
            "counts_equal": all(peer["counts_equal"] for peer in kept.values()),
        }
    return {
        "vidur": peers,
        **engines,
        **two_cores(tables),
        "parameters": parameters(requests),
        "load_average_at_start": began_load,
        "load_average_at_end": load(),
    }


class Rounds:
    """One engine on one replica, timed again and again; the best counts."""

    def __init__(
        self, spec: ReplicaSpec, asked: ReplicaRequests, engine: Literal["leap", "step"]
    ) -> None:
        self.run: Callable[[], ReplicaRuns] = lambda: simulate_replicas(spec, asked, engine=engine)
        self.runs = self.run()  # compiles, or loads what was compiled
        self.took_s: list[float] = []

    def take(self) -> None:
        """Time it once more."""
        began = time.process_time()
        self.runs = self.run()
        self.took_s.append(time.process_time() - began)

    @property
    def per_s(self) -> float:
        """Return requests per second in the best round."""
        return len(self.runs.first_token_s) / min(self.took_s)


def compared(
    vidur: Vidur, requests: Requests, tables: Tables, ours: dict[str, Rounds]
) -> dict[str, Any]:
    """Hold the engines to one Vidur at both rates, and time it at the first, in turns with us."""
    saturated = case.requests_at(SATURATED_PER_S, REQUESTS_COUNT)
    differences = {}
    for at in (requests, saturated):
        theirs = vidur.simulate(case.told(at, tables, metrics=False, watch=True))
        for engine in ENGINES:
            mine = simulate_replicas(case.spec(tables), case.asked(at), engine=engine)
            differences[f"{engine} at {at.rate_per_s:g}/s"] = difference(mine, theirs)
    per_s: dict[str, float] = {}
    batches: dict[str, float] = {}
    for metrics, rounds in VIDUR_ROUNDS.items():
        took_s = []
        told = case.told(requests, tables, metrics=metrics == "on", watch=False)
        for _ in range(rounds):
            theirs = vidur.simulate(told)
            took_s.append(theirs["took_cpu_s"])
            batches = theirs["batches"] or batches
            for timed in ours.values():
                for _ in range(OUR_ROUNDS):
                    timed.take()
        per_s[metrics] = REQUESTS_COUNT / min(took_s)
    leap = ours["leap"]
    counted = batch_counts(leap.runs)
    return {
        "requests_per_s": per_s,
        "ratio": leap.per_s / per_s["on"],
        "ratio_metrics_off": leap.per_s / per_s["off"],
        "step_ratio": ours["step"].per_s / per_s["on"],
        "max_abs_diff_s": max(each["max_abs_diff_s"] for each in differences.values()),
        "counts_equal": all(each["counts_equal"] for each in differences.values())
        and batches["count"] == counted["count"]
        and abs(batches["mean"] - counted["mean"]) <= 1e-9 * counted["mean"],
        "batches": {"theirs": batches, "ours": counted},
        "differences": differences,
    }


def difference(mine: ReplicaRuns, theirs: dict[str, Any]) -> dict[str, Any]:
    """Return how far two runs are apart: times of every request, and counts of the replica."""
    first = np.abs(mine.first_token_s - np.array(theirs["first_token_s"]))
    last = np.abs(mine.last_token_s - np.array(theirs["last_token_s"]))
    counts = {
        "iterations_count": [int(mine.iterations_count[0]), theirs["iterations_count"]],
        "kv_high_blocks_count": [int(mine.kv_high_blocks_count[0]), theirs["kv_high_blocks_count"]],
        "restarts_count": [int(mine.restarts_count.sum()), theirs["restarts_count"]],
    }
    return {
        "max_abs_diff_s": float(max(first.max(), last.max())),
        "ttft_max_abs_diff_s": float(first.max()),
        "e2e_max_abs_diff_s": float(last.max()),
        "counts_equal": all(mine == theirs for mine, theirs in counts.values()),
        "ours_and_theirs": counts,
    }


def batch_counts(runs: ReplicaRuns) -> dict[str, float]:
    """Return how many iterations there were, and their mean batch."""
    iterations = runs.batch_iterations_count[0]
    sizes = np.arange(len(iterations))
    return {
        "count": float(iterations.sum()),
        "mean": float(iterations @ sizes / iterations.sum()),
    }


def between_engines(ours: dict[str, Rounds]) -> dict[str, Any]:
    """Return both engines' speed on one thread, and how far apart they are."""
    for _ in range(OUR_ROUNDS):
        for engine in ours.values():
            engine.take()
    leap, step = ours["leap"], ours["step"]
    return {
        "leap_over_step": leap.per_s / step.per_s,
        "leap_requests_per_s": leap.per_s,
        "step_requests_per_s": step.per_s,
        "leap_step_max_abs_diff_s": float(
            np.abs(leap.runs.last_token_s - step.runs.last_token_s).max()
        ),
    }


def two_cores(tables: Tables) -> dict[str, Any]:
    """Return requests per second of many replicas on one and on two cores, on the wall."""
    asked = case.many(REPLICAS_COUNT, EACH_COUNT, RATE_PER_S)
    longest = int((asked.input_tokens + asked.output_tokens).max())
    spec = case.spec(case.roofline_tables(longest))
    took_s: dict[str, list[float]] = {"one": [], "two": []}
    spreads: dict[str, Spread] = {"one": map, "two": over_two_threads}
    both_s = []  # processor time of both threads
    tokens_count = int(asked.output_tokens.sum())
    for round_at in range(TWO_CORES_ROUNDS + 1):
        for name, times_s in took_s.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            simulate_replicas(spec, asked, engine="leap", spread=spreads[name])
            if round_at:  # the first one warms up
                times_s.append(time.perf_counter() - began)
                if name == "two":
                    both_s.append(time.process_time() - began_cpu)
    count = len(asked.arrival_s)
    return {
        "requests_per_s_two_cores": count / min(took_s["two"]),
        "requests_per_s_one_core": count / min(took_s["one"]),
        "requests_per_s_two_cores_by_processor_time": 2.0 * count / min(both_s),
        "output_tokens_per_s_two_cores": tokens_count / min(took_s["two"]),
        "cores_count": os.cpu_count(),
    }


def over_two_threads(function: Callable[[Any], Any], parts: Iterable[Any], /) -> Iterator[Any]:
    """Call a function on each part, on two threads."""
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(function, parts)


def parameters(requests: Requests) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "model": "Llama 3 8B, 1 x A100 80 GB, tables from a roofline: no measured A100",
        "requests": requests.source,
        "requests_count": REQUESTS_COUNT,
        "rate_per_s": RATE_PER_S,
        "saturated_per_s": SATURATED_PER_S,
        "max_batch_tokens": case.MAX_BATCH_TOKENS,
        "max_batch_count": case.MAX_BATCH_COUNT,
        "kv_blocks_count": case.KV_BLOCKS_COUNT,
        "watermark_blocks_count": case.WATERMARK_BLOCKS_COUNT,
        "vidur_rounds": VIDUR_ROUNDS,
        "our_rounds_per_vidur_round": OUR_ROUNDS,
        "two_cores_rounds": TWO_CORES_ROUNDS,
        "replicas_count": REPLICAS_COUNT,
        "requests_per_replica_count": EACH_COUNT,
        "seed": case.SEED,
    }


def load() -> float | None:
    """Return the load of the last minute, or None where the system does not say."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def tell(figures: dict[str, Any]) -> list[str]:
    """Return the table of speeds, and what stands beside it, as lines."""
    asked, peers = figures["parameters"], figures["vidur"]
    lines = [
        f"One replica, {asked['requests_count']:,} requests at {asked['rate_per_s']:g}/s, one "
        f"thread, processor time, best round ({asked['requests']})",
        f"{'engine':<42}{'requests/s':>13}{'ours / theirs':>15}",
    ]
    leap_per_s, step_per_s = figures["leap_requests_per_s"], figures["step_requests_per_s"]
    for name, peer in peers["peers"].items():
        for metrics, per_s in peer["requests_per_s"].items():
            text = f"Vidur ({name}), metrics {metrics}, {asked['vidur_rounds'][metrics]} rounds"
            lines.append(f"{text:<42}{per_s:>13,.0f}{leap_per_s / per_s:>15,.0f}")
    lines += [
        f"{'step, energy and distributions on':<42}{step_per_s:>13,.0f}",
        f"{'leap, energy and distributions on':<42}{leap_per_s:>13,.0f}",
        f"leap over step: {figures['leap_over_step']:.1f} times, last tokens at most "
        f"{figures['leap_step_max_abs_diff_s']:.1e} s apart",
    ]
    for name, peer in peers["peers"].items():
        same = "the same" if peer["counts_equal"] else "DIFFERENT"
        lines.append(
            f"Vidur ({name}), also saturated at {asked['saturated_per_s']:g}/s: first and last "
            f"tokens at most {peer['max_abs_diff_s']:.1e} s apart; iterations, blocks and batches "
            f"{same}"
        )
    lines += [f"Vidur ({name}) absent: {why}" for name, why in peers["absent"].items()]
    if not peers["peers"]:
        lines.append("no Vidur, no ratio")
    lines += [
        f"{asked['replicas_count']} replicas x {asked['requests_per_replica_count']:,} requests, "
        f"energy and distributions on, on the wall: "
        f"{figures['requests_per_s_two_cores'] / 1e6:.2f} million requests/s on 2 threads "
        f"({figures['cores_count']} cores), "
        f"{figures['requests_per_s_one_core'] / 1e6:.2f} on 1; "
        f"{figures['output_tokens_per_s_two_cores'] / 1e9:.2f} G output tokens/s; by processor "
        f"time, what two idle cores would give, "
        f"{figures['requests_per_s_two_cores_by_processor_time'] / 1e6:.2f} million requests/s",
        f"load of the machine: {figures['load_average_at_start']} at the start, "
        f"{figures['load_average_at_end']} at the end; equal engines are shown, not an A100",
    ]
    return lines

"""One replica under test: the same requests at any rate, and what became of them as a `Load`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tokenergy.simulate.rate_search import Load
from tokenergy.simulate.replica import ReplicaRequests, ReplicaRuns, ReplicaSpec
from tokenergy.simulate.replicas import simulate_replicas
from tokenergy.simulate.request_mix import DrawnRequests, FloatArray, IntArray

WARMUP_SHARE: Final = 0.10
"""First part of the requests, which find a replica emptier than it will be."""

TAIL_SHARE: Final = 0.025
"""Last part, which nobody follows: of 20,000 it is 500, twice the largest batch of the engine."""

STABLE_SHARE: Final = 1.1
"""Requests in the replica at the end, over those in the middle, up to which completions keep up."""

NOISE_SIGMAS_COUNT: Final = 3.0
"""On top of it, in standard deviations of a Poisson count: what chance alone may add."""


@dataclass(slots=True, kw_only=True)
class Bench:
    """A replica with its requests of every seed; what was simulated once is kept.

    Attributes:
        spec: the replica.
        drawn: its requests, by seed.
        parts_count: how many classes of request there are.
        percentile_share: part of the requests that a `Load` tells the slowest of.
        loads: by seed and rate, what was simulated.
    """

    spec: ReplicaSpec
    drawn: tuple[DrawnRequests, ...]
    parts_count: int
    percentile_share: float
    loads: dict[tuple[int, float], Load] = field(default_factory=dict)

    def simulate(self, pairs: Sequence[tuple[int, float]]) -> list[Load]:
        """Return the load of every (seed, rate); what is not known yet runs in parallel."""
        fresh = [pair for pair in dict.fromkeys(pairs) if pair not in self.loads]
        if fresh:
            runs = simulate_replicas(self.spec, _requests_at(self.drawn, fresh))
            begin = 0
            for at, (seed, rate_per_s) in enumerate(fresh):
                count = self.drawn[seed].count
                rows = slice(begin, begin + count)
                self.loads[seed, rate_per_s] = self._load(runs, at, rows, seed, rate_per_s)
                begin += count
        return [self.loads[pair] for pair in pairs]

    def at(self, rate_per_s: float) -> list[Load]:
        """Return the load at one rate, by seed."""
        return self.simulate([(seed, rate_per_s) for seed in range(len(self.drawn))])

    def _load(self, runs: ReplicaRuns, at: int, rows: slice, seed: int, rate_per_s: float) -> Load:
        """Measure one run: percentiles by class, power in the steady part, stability."""
        drawn = self.drawn[seed]
        kept = slice(int(WARMUP_SHARE * drawn.count), drawn.count - int(TAIL_SHARE * drawn.count))
        part = drawn.part[kept]
        ttft_s, tpot_s = runs.ttft_s[rows][kept], runs.tpot_s[rows][kept]
        arrival_s = drawn.unit_arrival_s / rate_per_s
        busy_s = float(runs.busy_s[at])
        batch_s = runs.batch_s[at]
        batch_count = np.arange(len(batch_s))
        busy_share = min(1.0, busy_s / float(runs.span_s[at]))
        # Joules per request times requests per second: what starts and ends a run, when the
        # replica fills and drains, is in neither.
        work_w = rate_per_s * float(runs.energy_j[rows][kept].mean())
        spec = self.spec
        fillable_count = spec.kv_blocks_count - spec.watermark_blocks_count
        return Load(
            rate_per_s=rate_per_s,
            ttft_s=self._percentiles(ttft_s, part),
            tpot_s=self._percentiles(tpot_s, part),
            stable=keeps_up(arrival_s, runs.last_token_s[rows]),
            busy_share=busy_share,
            mean_batch_count=float(batch_s @ batch_count) / busy_s,
            board_w=work_w + (1.0 - busy_share) * spec.energy.idle_w,
            prefill_w=rate_per_s
            * float(runs.computed_tokens[rows][kept].mean())
            * spec.energy.prefill_j,
            full_batch_share=float(batch_s[spec.max_batch_count]) / busy_s,
            cache_high_share=float(runs.kv_high_blocks_count[at]) / fillable_count,
            beyond_table_share=float(runs.beyond_table_count[at])
            / float(runs.iterations_count[at]),
        )

    def _percentiles(self, times_s: FloatArray, part: IntArray) -> tuple[float, ...]:
        found = []
        for one in range(self.parts_count):
            mine = times_s[(part == one) & ~np.isnan(times_s)]
            known = mine.size > 0
            found.append(float(np.quantile(mine, self.percentile_share)) if known else np.nan)
        return tuple(found)


def keeps_up(arrival_s: FloatArray, last_token_s: FloatArray) -> bool:
    """Tell whether completions keep up with arrivals, which have to be sorted.

    The requests that each arrival finds in the replica, over the last fifth of the arrivals,
    against the fifth in the middle: a queue that grows has more of them at the end.
    """
    count = len(arrival_s)
    done = np.searchsorted(np.sort(last_token_s), arrival_s, side="right")
    inside = np.arange(count) - done
    fifth = max(1, count // 5)
    middle = float(inside[2 * fifth : 3 * fifth].mean()) if count >= 5 else float(inside.mean())
    end = float(inside[-fifth:].mean())
    return end <= STABLE_SHARE * middle + NOISE_SIGMAS_COUNT * float(np.sqrt(middle + 1.0))


def _requests_at(
    drawn: Sequence[DrawnRequests], pairs: Sequence[tuple[int, float]]
) -> ReplicaRequests:
    """Lay the requests of every (seed, rate) side by side, one replica each."""
    chosen = [drawn[seed] for seed, _ in pairs]
    counts = [one.count for one in chosen]
    return ReplicaRequests(
        arrival_s=np.concatenate([drawn[seed].unit_arrival_s / rate for seed, rate in pairs]),
        input_tokens=np.concatenate([one.input_tokens for one in chosen]),
        output_tokens=np.concatenate([one.output_tokens for one in chosen]),
        cached_tokens=np.zeros(sum(counts), dtype=np.int64),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )

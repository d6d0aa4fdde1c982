"""A part of the replicas, from arrays of requests to arrays of results, in compiled code."""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from tokenergy.compiled import compiled, compiled_maker, compiled_part
from tokenergy.simulate.free_blocks import fill_queue
from tokenergy.simulate.gaps import GAP_BIN, GAP_BINS, GapBins
from tokenergy.simulate.handover import settle, to_leap, to_step
from tokenergy.simulate.law import TimeLaw
from tokenergy.simulate.leap import leap
from tokenergy.simulate.replica import FloatArray, IntArray
from tokenergy.simulate.replica_state import (
    BATCH,
    CALM,
    PRESSED,
    REPLICA,
    REQUEST,
    SLOT_ROWS,
    Batches,
    Requests,
    State,
)
from tokenergy.simulate.step import step

# columns of `facts`
BUSY_S: Final = 0
END_S: Final = 1
BUSY_J: Final = 2
HANDED_OVER_S: Final = 3
FACTS: Final = 4

# columns of `tallies`
STATUS: Final = 0
ITERATIONS: Final = 1
HIGH_BLOCKS: Final = 2
LEFT_BLOCKS: Final = 3
BEYOND: Final = 4
TALLIES: Final = 5


class Asked(NamedTuple):
    """Requests of all replicas; see `ReplicaRequests`. `previous` is -1 where there is none."""

    arrival_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    cached_tokens: IntArray
    previous: IntArray
    offsets: IntArray


class Told(NamedTuple):
    """Results of all replicas, to be filled in; see `ReplicaRuns`."""

    admitted_s: FloatArray
    first_token_s: FloatArray
    last_token_s: FloatArray
    queue_s: FloatArray
    energy_j: FloatArray
    restarts_count: IntArray
    computed_tokens: IntArray
    batch_iterations_count: IntArray
    batch_s: FloatArray
    gap_tokens_count: IntArray
    gap_total_s: FloatArray
    facts: FloatArray
    """[R, FACTS]"""
    tallies: IntArray
    """[R, TALLIES]"""


@compiled
def run_shard(
    shard: tuple[int, int],
    asked: Asked,
    given: State,
    base_j: FloatArray,
    law: TimeLaw,
    told: Told,
    leaps: bool,
    until_s: float,
) -> None:
    """Simulate the replicas from the first of two numbers up to the second, one after another.

    Each writes to its own part of all results, so others may run at the same time.
    """
    for place in range(shard[0], shard[1]):
        first, last = asked.offsets[place], asked.offsets[place + 1]
        state: Any = np.zeros(1, REPLICA)
        state[0] = given[0]
        state[0].requests_count = last - first
        each: Any = _requests(asked, first, last)
        most_count = max(1, min(last - first, state[0].max_batch_count))
        slots = np.zeros((SLOT_ROWS, max(most_count, state[0].block_tokens)), np.int64)
        batches: Any = np.zeros(len(base_j), BATCH)
        for size in range(len(base_j)):
            batches[size].base_j = base_j[size]
        gaps: Any = np.zeros(GAP_BINS, GAP_BIN)
        fill_queue(each, state)
        handed_over_s = math.nan
        status = CALM
        while status == CALM:
            if leaps:
                status = leap(each, state, slots, batches, gaps, law, until_s)
                if status != PRESSED:
                    settle(each, state, slots)
                    break
                if math.isnan(handed_over_s):
                    handed_over_s = state[0].now_s
                to_step(each, state, slots)
            status = step(each, state, slots, batches, gaps, law, until_s, leaps)
            if status == CALM:
                to_leap(each, state, slots)
        told.facts[place, HANDED_OVER_S] = handed_over_s
        told.tallies[place, STATUS] = status
        _write_requests(told, each, state, first)
        _write_replica(told, state, batches, gaps, place)


@compiled_maker
def _requests(asked: Asked, first: int, last: int) -> Requests:
    """Return the requests of one replica as records, none begun, and two records more."""
    each: Any = np.zeros(last - first + 2, REQUEST)
    for place in range(last - first):
        who = each[place]
        who.arrival_s = asked.arrival_s[first + place]
        who.input_tokens = asked.input_tokens[first + place]
        who.output_tokens = asked.output_tokens[first + place]
        who.cached_tokens = asked.cached_tokens[first + place]
        who.previous = max(-1, asked.previous[first + place] - first)
        who.prompt_tokens = who.input_tokens
        who.admitted_s = math.nan
        who.first_token_s = math.nan
        who.last_token_s = math.nan
        who.queue_s = math.nan
    return each  # type: ignore[no-any-return]


@compiled_part
def _write_requests(told: Told, each: Requests, state: State, first: int) -> None:
    """Write down what became of the requests of one replica."""
    for place in range(state[0].evicted_count):  # the time was up: they have waited until now
        who = each[each[place].evicted]
        who.queue_s += state[0].now_s - who.paused_s
    for place in range(state[0].requests_count):
        who = each[place]
        told.admitted_s[first + place] = who.admitted_s
        told.first_token_s[first + place] = who.first_token_s
        told.last_token_s[first + place] = who.last_token_s
        told.queue_s[first + place] = who.queue_s
        told.energy_j[first + place] = who.energy_j
        told.restarts_count[first + place] = who.restarts_count
        told.computed_tokens[first + place] = who.computed_tokens


@compiled_part
def _write_replica(told: Told, state: State, batches: Batches, gaps: GapBins, place: int) -> None:
    """Write down what a replica came to."""
    replica = state[0]
    for size in range(len(batches)):
        told.batch_iterations_count[place, size] = batches[size].iterations_count
        told.batch_s[place, size] = batches[size].total_s
    for bin_place in range(GAP_BINS):
        told.gap_tokens_count[place, bin_place] = gaps[bin_place].tokens_count
        told.gap_total_s[place, bin_place] = gaps[bin_place].total_s
    told.facts[place, BUSY_S] = replica.busy_s
    told.facts[place, END_S] = replica.now_s
    told.facts[place, BUSY_J] = replica.energy_j
    told.tallies[place, ITERATIONS] = replica.iteration
    told.tallies[place, HIGH_BLOCKS] = replica.kv_blocks_count - replica.least_free_count
    told.tallies[place, LEFT_BLOCKS] = replica.kv_blocks_count - replica.free_count
    told.tallies[place, BEYOND] = replica.beyond_count

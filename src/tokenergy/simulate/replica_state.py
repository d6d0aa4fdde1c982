"""The state of one replica while it runs, as records that both compiled engines write to.

Records of arrays of one element each would cost compiled code a count of references at every
access, and were ten times slower. So a request is one record, all of it side by side in memory,
and so is what changes of the replica. Functions take arrays of records and nothing else; the
classes here say what a record holds, once for the checker of types and for compiled code.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tokenergy.compiled import compiled_part
from tokenergy.simulate.boundary import added
from tokenergy.simulate.gaps import GapBins, add_gaps

# what a run came to
FINISHED: Final = 0
"""All requests are done, or the time is up."""
CALM: Final = 1
"""`step` stopped because no evicted request waits any more."""
PRESSED: Final = 2
"""`leap` stopped because the next iteration needs more blocks than are free."""
STUCK: Final = 3
"""Nothing runs and the next request is not admitted: a fault of ours, reported and not looped."""

# rows of `slots`, whole numbers in [SLOT_ROWS, as many as may run, or block_tokens]
RUNNING: Final = 0
"""Requests that hold blocks, in order of arrival; for `leap`, the prefills of the iteration."""
CHUNK: Final = 1
"""Tokens that each of them has in this iteration."""
ENDS: Final = 2
"""(leap) a heap of (iteration of the last decode, request)."""
ORDER: Final = 3
"""(leap) a heap of requests, to sort them."""
PHASE: Final = 4
"""(leap) decodes by the iteration, modulo a block, in which each needs a new block."""
SLOT_ROWS: Final = 5


class Request(Protocol):
    """One request: what it asks, where it stands, what is told of it; see `ReplicaRequests`.

    What each request needs comes first, so that it lies together in memory.
    """

    arrival_s: float
    input_tokens: int
    output_tokens: int
    cached_tokens: int

    prompt_tokens: int
    """Tokens to process before the next one comes out: the input and, after an eviction, all that
    had been made of the output."""
    processed_tokens: int
    """Tokens of prompt and output so far, the one to be read next included: above the prompt a
    request decodes. `leap` leaves it as it was when decoding began."""
    blocks_count: int
    """Blocks held. `leap` knows them from the length, and does not keep them up."""
    share_from_j: float
    """(leap) the replica's `share_j` when the request was last settled."""
    share_from_rest_j: float

    admitted_s: float
    first_token_s: float
    last_token_s: float
    queue_s: float
    energy_j: float
    computed_tokens: int

    restarts_count: int
    paused_s: float
    """When it was evicted last."""
    token_s: float
    """When its last token before that came."""
    evicted: int
    """Not of this request: as many places of the stack of evicted ones as there are requests."""

    previous: int
    """Counted from the replica's first request."""
    left_count: int
    full_count: int
    after: int
    before: int
    """An entry of the queue of free blocks, see `free_blocks`."""


class Replica(Protocol):
    """One replica: its limits, its energy, and where it stands."""

    kv_blocks_count: int
    block_tokens: int
    watermark_blocks_count: int
    max_batch_count: int
    max_batch_tokens: int
    reuses_blocks: int
    decode_j: float
    prefill_j: float

    requests_count: int
    next: int
    """The first request that was never admitted."""
    running_count: int
    """Requests that hold blocks."""
    evicted_count: int
    """Requests that wait after an eviction."""
    free_count: int
    """Blocks that nobody holds."""
    least_free_count: int
    iteration: int
    beyond_count: int
    """Iterations beyond a table's edge."""
    decodes_count: int
    """(leap) running requests that decode."""
    decode_tokens: int
    """(leap) tokens that they hold in all."""
    partial: int
    """(leap) the one request whose prompt is half done, -1: none."""

    now_s: float
    now_rest_s: float
    """What rounding left out of the sum before; so for the others."""
    busy_s: float
    busy_rest_s: float
    energy_j: float
    energy_rest_j: float
    share_j: float
    """What a request would have as its part of the base of every iteration so far."""
    share_rest_j: float

    chunks_count: int
    """Prefills of this iteration; then sums over them, as the law reads them."""
    chunk_tokens: int
    chunk_squares: int
    context_tokens: int
    context_buckets: int
    attended_twice: int


class Batch(Protocol):
    """What is known of iterations with one number of sequences."""

    base_j: float
    iterations_count: int
    total_s: float


Requests = Sequence[Request]
"""[n + 2] requests; the last two are entries of the queue of free blocks alone."""
State = Sequence[Replica]
"""[1] the replica."""
Batches = Sequence[Batch]
"""[max_batch_count + 1]"""
Slots = NDArray[np.int64]


def _record(kind: type) -> np.dtype[np.void]:
    """Return the type of a record that holds what a class says."""
    fields = [
        (name, np.float64 if one is float else np.int64)
        for name, one in kind.__annotations__.items()
    ]
    return np.dtype(fields, align=True)


REQUEST: Final = _record(Request)
REPLICA: Final = _record(Replica)
BATCH: Final = _record(Batch)


@compiled_part
def add_chunk(state: State, chunk_tokens: int, context_tokens: int, bucket_tokens: int) -> None:
    """Count a chunk of a prompt, over a context, among the prefills of this iteration."""
    replica = state[0]
    replica.chunks_count += 1
    replica.chunk_tokens += chunk_tokens
    replica.chunk_squares += chunk_tokens * chunk_tokens
    replica.context_tokens += context_tokens
    replica.context_buckets += (context_tokens + bucket_tokens - 1) // bucket_tokens
    replica.attended_twice += chunk_tokens * (2 * context_tokens + chunk_tokens)


@compiled_part
def clear_chunks(state: State) -> None:
    """Begin an iteration: no prefills yet."""
    replica = state[0]
    replica.chunks_count = 0
    replica.chunk_tokens = 0
    replica.chunk_squares = 0
    replica.context_tokens = 0
    replica.context_buckets = 0
    replica.attended_twice = 0


@compiled_part
def pass_time(
    state: State,
    batches: Batches,
    gaps: GapBins,
    iterations_count: int,
    iteration_s: float,
    beyond: int,
    decodes_count: int,
) -> None:
    """Let iterations go by: `decodes_count` decodes in each, and the prefills that are counted."""
    replica = state[0]
    batch = batches[decodes_count + replica.chunks_count]
    passed_s = iterations_count * iteration_s
    replica.now_s, replica.now_rest_s = added(replica.now_s, replica.now_rest_s, passed_s)
    replica.busy_s, replica.busy_rest_s = added(replica.busy_s, replica.busy_rest_s, passed_s)
    step_j = batch.base_j + replica.decode_j * decodes_count
    step_j += replica.prefill_j * replica.chunk_tokens
    replica.energy_j, replica.energy_rest_j = added(
        replica.energy_j, replica.energy_rest_j, iterations_count * step_j
    )
    share_j = batch.base_j / (decodes_count + replica.chunks_count)
    replica.share_j, replica.share_rest_j = added(
        replica.share_j, replica.share_rest_j, iterations_count * share_j
    )
    replica.iteration += iterations_count
    replica.beyond_count += beyond * iterations_count
    batch.iterations_count += iterations_count
    batch.total_s += passed_s
    add_gaps(gaps, iteration_s, iterations_count * decodes_count)

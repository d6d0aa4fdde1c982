"""What a replica is, what it is asked, and what became of each request."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenergy.simulate.law import TimeLaw

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

EngineName = Literal["leap", "leap+step", "step"]
"""Which engine made a result; `leap+step` where evictions made `leap` hand over."""


class StepEnergy(NamedTuple):
    """What one iteration of a replica draws, all its GPUs together.

    An iteration with B sequences draws `base_j[B] + decode_j x decodes + prefill_j x prompt
    tokens`. Energy curves that were measured over whole requests already hold the prefill: take
    `prefill_j = 0` with them, or it is counted twice.
    """

    base_j: FloatArray
    """[max_batch_count + 1] joules of one iteration by the number of sequences in it."""
    decode_j: float
    """Joules of each decode on top."""
    prefill_j: float
    """Joules of each prompt token that is computed on top."""
    idle_w: float
    """What the replica draws while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplicaSpec:
    """One copy of a model, with the limits that its engine keeps."""

    law: "TimeLaw"
    """Seconds of one iteration."""
    energy: StepEnergy
    kv_blocks_count: int
    """Blocks of cache. The most telling input of all: take the engine's own figure if known."""
    watermark_blocks_count: int
    """Blocks that an admission leaves free (Vidur: 1 % of all; vLLM: 0)."""
    block_tokens: int = 16
    max_batch_count: int = 256
    """Sequences that may run at a time."""
    max_batch_tokens: int = 2048
    """Tokens of one iteration: what decodes leave of it, prompts may take (chunks)."""
    reuses_blocks: bool = False
    """Whether freed blocks keep what they hold until they are taken, least recently freed first:
    an evicted request, and the next turn of a conversation, then find their full blocks again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplicaRequests:
    """What replicas are asked: requests as arrays [n], those of one replica side by side.

    The requests of replica r are those from `offsets[r]` up to `offsets[r + 1]`, by arrival.
    """

    arrival_s: FloatArray
    """Seconds from the moment at which every replica stands ready; never falling in a replica."""
    input_tokens: IntArray
    """Of the prompt, cached ones included; at least 1."""
    output_tokens: IntArray
    """At least 1."""
    cached_tokens: IntArray
    """Of the prompt, those that need no computing whenever the request is admitted. They need
    their blocks all the same: sharing blocks between running requests is not modelled."""
    offsets: IntArray
    """[R + 1] from 0 to n."""
    previous: IntArray | None = None
    """The request (by its place in these arrays) whose conversation this one continues, -1: none.
    Read where `reuses_blocks`: its input and output are the beginning of this prompt, and what is
    left of its blocks needs no computing. None: no conversations."""

    @property
    def replicas_count(self) -> int:
        """Return how many replicas are asked."""
        return len(self.offsets) - 1

    def of_replica(self, replica: int) -> slice:
        """Return where the requests of one replica lie."""
        return slice(int(self.offsets[replica]), int(self.offsets[replica + 1]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplicaRuns:
    """What became of each request, and of each replica.

    Times are seconds on the clock of `requests.arrival_s`. What had not happened when the run was
    stopped (`until_s`) is NaN. Arrays are [n] by request or [R] by replica.
    """

    requests: ReplicaRequests
    admitted_s: FloatArray
    """When it was first admitted."""
    first_token_s: FloatArray
    last_token_s: FloatArray
    queue_s: FloatArray
    """Waiting: until first admitted, and again after each eviction until admitted again."""
    energy_j: FloatArray
    """An equal part of the base of each iteration it took part in, and its own tokens' terms."""
    restarts_count: IntArray
    """How often it was evicted."""
    computed_tokens: IntArray
    """Prompt tokens computed for it: the input less what was cached, more after evictions."""
    busy_s: FloatArray
    span_s: FloatArray
    """From 0 to the end of the last iteration or, where the run was stopped, at least to there."""
    busy_energy_j: FloatArray
    idle_energy_j: FloatArray
    """A ledger line of the replica, in no request."""
    iterations_count: IntArray
    kv_high_blocks_count: IntArray
    """The most blocks that were in use at a time."""
    kv_left_blocks_count: IntArray
    """Blocks in use at the end: 0 unless the run was stopped."""
    beyond_table_count: IntArray
    """Iterations beyond the edge of the law's tables."""
    batch_iterations_count: IntArray
    """[R, max_batch_count + 1] iterations by the sequences in them; nothing at 0."""
    batch_s: FloatArray
    """[R, max_batch_count + 1] seconds of those iterations; their sum is `busy_s`."""
    gap_tokens_count: IntArray
    """[R, bins] tokens after the first, by the time since the token before (see `gaps`)."""
    gap_total_s: FloatArray
    """[R, bins] the sum of those times."""
    engine: tuple[EngineName, ...]
    """[R] which engine made the result."""
    handed_over_s: FloatArray
    """[R] when `leap` first handed over to `step`; NaN: never."""

    @property
    def ttft_s(self) -> FloatArray:
        """Return the time to the first token, from arrival."""
        return self.first_token_s - self.requests.arrival_s

    @property
    def e2e_s(self) -> FloatArray:
        """Return the time to the last token, from arrival."""
        return self.last_token_s - self.requests.arrival_s

    @property
    def tpot_s(self) -> FloatArray:
        """Return the time per output token after the first; NaN for one token alone."""
        later: FloatArray = (self.requests.output_tokens - 1).astype(np.float64)
        later[later == 0.0] = np.nan
        return (self.last_token_s - self.first_token_s) / later

    @property
    def finished(self) -> BoolArray:
        """Tell which requests have all their tokens."""
        return np.isfinite(self.last_token_s)

    @property
    def energy_total_j(self) -> FloatArray:
        """Return the joules of each replica, busy and idle [R]."""
        return self.busy_energy_j + self.idle_energy_j

    @property
    def mean_batch_count(self) -> FloatArray:
        """Return the mean sequences of a busy second [R]; NaN for a replica that was never busy."""
        sizes = np.arange(self.batch_s.shape[1], dtype=np.float64)
        busy_s = np.where(self.busy_s > 0.0, self.busy_s, np.nan)
        mean: FloatArray = (self.batch_s @ sizes) / busy_s
        return mean

"""Many replicas side by side: what they are asked, and what became of it.

Replicas do not know each other once requests are routed, so each is simulated alone, in memory of
its own, and writes to its own part of the results: no result depends on how they are spread, to
the last bit. The core starts no threads. Whoever calls passes in a `map` that does (compiled code
holds no lock), or processes with a part of the replicas each.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol, TypeVar, cast

import numpy as np

from tokenergy.company.finding import errors_of
from tokenergy.errors import FindingsError, InputError, UnexpectedError
from tokenergy.simulate.gaps import GAP_BINS
from tokenergy.simulate.replica import (
    EngineName,
    FloatArray,
    IntArray,
    ReplicaRequests,
    ReplicaRuns,
    ReplicaSpec,
)
from tokenergy.simulate.replica_findings import replica_findings
from tokenergy.simulate.replica_run import (
    BEYOND,
    BUSY_J,
    BUSY_S,
    END_S,
    FACTS,
    HANDED_OVER_S,
    HIGH_BLOCKS,
    ITERATIONS,
    LEFT_BLOCKS,
    STATUS,
    TALLIES,
    Asked,
    Told,
    run_shard,
)
from tokenergy.simulate.replica_state import FINISHED, REPLICA, State

_MOST_SHARDS: Final = 64

Shard = tuple[int, int]
T = TypeVar("T")
R = TypeVar("R")


class Spread(Protocol):
    """What `map` is: a function called on each part; results come in the order of the parts."""

    def __call__(self, function: Callable[[T], R], parts: Iterable[T], /) -> Iterable[R]:
        """Return the results as they are asked for."""
        ...


def simulate_replicas(
    spec: ReplicaSpec,
    requests: ReplicaRequests,
    *,
    engine: Literal["leap", "step"] = "leap",
    until_s: float | None = None,
    spread: Spread = map,
) -> ReplicaRuns:
    """Serve requests on replicas that are all alike, each from empty and ready at second 0.

    Args:
        spec: what each replica is.
        requests: what each is asked.
        engine: `leap` is fast, and hands over to `step` while evicted requests wait; `step` is
            the reference, with the same answer.
        until_s: stop here: no iteration begins at or after this second, and what has not happened
            is NaN. None: until all is done.
        spread: calls a function on parts of the replicas, as `map` does; one that does it on
            threads (`api.threads.over_threads`) uses all cores. No result depends on it.

    Raises:
        FindingsError: with all that is wrong with the replica and the requests, among them any
            request that could never fit.
        InputError: for a negative `until_s`, or one that is no number.
        UnexpectedError: if the engine came to a stand with work left, a fault of ours.
    """
    errors = errors_of(replica_findings(spec, requests))
    if errors:
        raise FindingsError(errors)
    if until_s is not None and not until_s >= 0.0:
        raise InputError(f"a run until {until_s} s: it must end at 0 s or later")
    told = _blank(len(requests.arrival_s), requests.replicas_count, spec)
    run = (
        _asked(requests), _given(spec), _floats(spec.energy.base_j), spec.law, told,
        engine == "leap", math.inf if until_s is None else float(until_s),
    )  # fmt: skip
    for _ in spread(lambda shard: run_shard(shard, *run), _shards(requests)):
        pass  # `map` does nothing until it is asked
    return _runs(spec, requests, told, engine, until_s)


def _shards(requests: ReplicaRequests) -> list[tuple[int, int]]:
    """Cut the replicas into at most `_MOST_SHARDS` runs of neighbours with as many requests each.

    The cut does not depend on the machine, and no result depends on the cut.
    """
    replicas_count = requests.replicas_count
    offsets = np.asarray(requests.offsets, dtype=np.int64)
    # a replica without requests is work too, if little
    load = offsets + np.arange(replicas_count + 1)
    goals = np.linspace(0, load[-1], min(replicas_count, _MOST_SHARDS) + 1)
    cuts = np.unique(np.searchsorted(load, goals))
    return [(int(first), int(last)) for first, last in itertools.pairwise(cuts)]


def _asked(requests: ReplicaRequests) -> Asked:
    """Return the requests as compiled code wants them."""
    n = len(requests.arrival_s)
    previous = np.full(n, -1) if requests.previous is None else requests.previous
    return Asked(
        _floats(requests.arrival_s), _integers(requests.input_tokens),
        _integers(requests.output_tokens), _integers(requests.cached_tokens),
        _integers(previous), _integers(requests.offsets),
    )  # fmt: skip


def _floats(values: FloatArray) -> FloatArray:
    return np.require(values, dtype=np.float64, requirements=["C", "A", "W"])


def _integers(values: IntArray) -> IntArray:
    return np.require(values, dtype=np.int64, requirements=["C", "A", "W"])


def _given(spec: ReplicaSpec) -> State:
    """Return a replica as a record [1], empty and at second 0."""
    given = np.zeros(1, REPLICA)
    for name in ("kv_blocks_count", "block_tokens", "watermark_blocks_count", "max_batch_count",
                 "max_batch_tokens", "reuses_blocks"):  # fmt: skip
        given[name] = getattr(spec, name)
    given["decode_j"] = spec.energy.decode_j
    given["prefill_j"] = spec.energy.prefill_j
    given["partial"] = -1
    return cast(State, given)


def _blank(n: int, replicas_count: int, spec: ReplicaSpec) -> Told:
    """Return results with nothing in them yet."""
    batches = spec.max_batch_count + 1
    return Told(
        admitted_s=np.empty(n),
        first_token_s=np.empty(n),
        last_token_s=np.empty(n),
        queue_s=np.empty(n),
        energy_j=np.empty(n),
        restarts_count=np.empty(n, dtype=np.int64),
        computed_tokens=np.empty(n, dtype=np.int64),
        batch_iterations_count=np.empty((replicas_count, batches), dtype=np.int64),
        batch_s=np.empty((replicas_count, batches)),
        gap_tokens_count=np.empty((replicas_count, GAP_BINS), dtype=np.int64),
        gap_total_s=np.empty((replicas_count, GAP_BINS)),
        facts=np.empty((replicas_count, FACTS)),
        tallies=np.empty((replicas_count, TALLIES), dtype=np.int64),
    )


def _runs(
    spec: ReplicaSpec,
    requests: ReplicaRequests,
    told: Told,
    engine: Literal["leap", "step"],
    until_s: float | None,
) -> ReplicaRuns:
    """Return the results as nouns.

    Raises:
        UnexpectedError: for a replica that came to a stand with work left.
    """
    columns = told._asdict()
    facts, tallies = columns.pop("facts"), columns.pop("tallies")
    stuck = np.flatnonzero(tallies[:, STATUS] != FINISHED)
    if stuck.size:
        raise UnexpectedError(
            f"replica {int(stuck[0])} stood still at {facts[stuck[0], END_S]:g} s with requests "
            f"left, and {stuck.size - 1} others did"
        )
    handed_over_s = facts[:, HANDED_OVER_S].copy()
    names: list[EngineName] = [
        "step" if engine == "step" else "leap" if math.isnan(moment_s) else "leap+step"
        for moment_s in handed_over_s
    ]
    span_s = np.maximum(facts[:, END_S], 0.0 if until_s is None else until_s)
    busy_s = facts[:, BUSY_S].copy()
    return ReplicaRuns(
        requests=requests,
        **columns,
        busy_s=busy_s,
        span_s=span_s,
        busy_energy_j=facts[:, BUSY_J].copy(),
        idle_energy_j=spec.energy.idle_w * np.maximum(0.0, span_s - busy_s),
        iterations_count=tallies[:, ITERATIONS].copy(),
        kv_high_blocks_count=tallies[:, HIGH_BLOCKS].copy(),
        kv_left_blocks_count=tallies[:, LEFT_BLOCKS].copy(),
        beyond_table_count=tallies[:, BEYOND].copy(),
        engine=tuple(names),
        handed_over_s=handed_over_s,
    )

"""Requests that were sent to deployments, played on replicas: how long each waits, what it draws.

Every request of a real trace is played on the whole replicas that were awake, each in its turn. Of
a sample, what a deployment gets in an interval is thinned to requests that stand for equally many
and played on as few replicas as receive them at the rate at which one awake replica really does:
their times are drawn together, the interval into a slice of that length. The slice is played over
and over for two minutes before it, so that nobody finds an empty replica, and its beginning once
after it; only the slice counts. What is thinned out draws what its like draw. A deployment with
too few requests in an interval is left out.
Replicas that are sent more than they can do fall behind for as long as it lasts: they are told,
and the times of their requests are those of the third minute, not of the hour's end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.dispatch.world import BoolArray, FloatArray, IntArray
from tokenergy.simulate.replica import ReplicaRequests, ReplicaRuns, ReplicaSpec
from tokenergy.simulate.replicas import Spread, simulate_replicas

LEAST_PLAYED_COUNT: Final = 30
"""Requests of a sample below which an interval of a deployment is not played."""
LEAD_S: Final = 120.0
"""What is played before a slice counts: longer than all but the longest answers take."""
TAIL_S: Final = 60.0
"""Most of a slice that is played once more after it."""
BEHIND_SHARE: Final = 0.02
"""Replicas are behind where more than this part of what they are sent piles up in them."""
CHANCE_SIGMAS: Final = 3.0
"""And, where no two moments are alike, than chance piles up."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """One replica of a deployment as the engine plays it, and what its host draws beside it."""

    spec: ReplicaSpec
    host_w: float
    law: str
    tier: str

    @property
    def idle_w(self) -> float:
        """What it draws while it waits, its host in it."""
        return self.spec.energy.idle_w + self.host_w

    @property
    def context_tokens(self) -> int:
        """Most tokens of one request, prompt and answer, that its cache ever holds."""
        blocks_count = self.spec.kv_blocks_count - self.spec.watermark_blocks_count
        return max(0, blocks_count) * self.spec.block_tokens


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sent:
    """Requests that went to deployments, by the moment they were sent [n].

    Attributes:
        deployment: where each went.
        interval: of the horizon, from 0, in which it was sent.
        sent_s: seconds from the horizon's start.
        input_tokens, cached_tokens: of the prompt, and what of it lay in a cache there.
        output_tokens: that it made, its cap applied.
        weight_ratio: how many it stands for.
    """

    deployment: IntArray
    interval: IntArray
    sent_s: FloatArray
    input_tokens: IntArray
    cached_tokens: IntArray
    output_tokens: IntArray
    weight_ratio: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedPlace:
    """What the replicas of one deployment did over the run.

    Attributes:
        deployment: its index.
        replicas_count: replicas that were simulated.
        requests_count: requests that were played, repeats before and after a slice included.
        requests_j, idle_j: joules of the requests, and of replicas awake for nobody, boards and
            host, as simulated: before weights.
        replicas_j: joules of those replicas; the sum of both.
        behind: intervals of the horizon in which replicas did not keep up with what was sent.
        engines: which engine made the results.
        beyond_table_share: iterations outside the law's tables.
    """

    deployment: int
    replicas_count: int
    requests_count: int
    requests_j: float
    idle_j: float
    replicas_j: float
    behind: tuple[int, ...]
    engines: tuple[str, ...]
    beyond_table_share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What became of the requests that were sent [n], and of the replicas [D, T].

    Attributes:
        ttft_s: from being sent to the first token, without the network; NaN: not played.
        tpot_s: NaN: not played, or one token alone.
        energy_j: at the racks, boards and host; NaN: not played.
        played: by deployment and interval, whether its requests were.
        idle_j: of awake replicas while they wait, at the racks, 0 where nothing was played.
        places: what was simulated, by deployment.
    """

    ttft_s: FloatArray
    tpot_s: FloatArray
    energy_j: FloatArray
    played: BoolArray
    idle_j: FloatArray
    places: tuple[PlayedPlace, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lot:
    """Requests of one deployment on replicas of their own: rows of `Sent`, and where they lie.

    `counts` tells the rows that count; of the others the times are dropped. Between the moments
    of `watched_s` nothing should pile up; they are `alike` where the same arrivals lie before both.
    """

    interval: int
    rows: IntArray
    replica: IntArray
    arrival_s: FloatArray
    counts: BoolArray
    replicas_count: int
    watched_s: tuple[float, float]
    alike: bool


def play(
    sent: Sent,
    awake_count: FloatArray,
    machines: Mapping[int, Machine],
    *,
    step_s: float,
    sampled: bool,
    seed: int,
    spread: Spread = map,
) -> Played:
    """Return how every request fared on the replicas of its deployment.

    Args:
        sent: the requests.
        awake_count: awake replicas [D, T]; whole where every request is played.
        machines: by deployment; those without one (media, other people's models) are left out,
            and so is a request whose answer came out longer than its replica's cache.
        step_s: length of an interval.
        sampled: whether requests are a sample.
        seed: of the thinning.
        spread: maps a function over parts of the replicas; the default uses one thread.
    """
    found = _Found.blank(sent.deployment.size, awake_count.shape)
    places = []
    for deployment, machine in sorted(machines.items()):
        fits = sent.input_tokens + sent.output_tokens <= machine.context_tokens
        mine = np.flatnonzero((sent.deployment == deployment) & fits)
        awake = awake_count[deployment]
        if sampled:
            lots = list(_slices(sent, mine, awake, step_s, (seed, deployment)))
        else:
            lots = list(_whole(sent, mine, awake))
        if not lots:
            continue
        runs = simulate_replicas(machine.spec, _requests_of(sent, lots), spread=spread)
        per_j = _with_host(runs, machine.host_w)
        found.note(lots, runs, per_j)
        found.played[deployment] = _played(lots, awake, sampled=sampled)
        idle_s = _idle_s(lots, runs, awake * step_s, sampled=sampled)
        found.idle_j[deployment] = idle_s * machine.idle_w
        idle_j = found.idle_j[deployment]
        places.append(_place(deployment, runs, lots, per_j, idle_j, machine, sampled))
    return Played(
        ttft_s=found.ttft_s,
        tpot_s=found.tpot_s,
        energy_j=found.energy_j,
        played=found.played,
        idle_j=found.idle_j,
        places=tuple(places),
    )


@dataclass(slots=True, kw_only=True, eq=False)
class _Found:
    """The arrays of a `Played` while they are filled in, deployment by deployment."""

    ttft_s: FloatArray
    tpot_s: FloatArray
    energy_j: FloatArray
    played: BoolArray
    idle_j: FloatArray

    @classmethod
    def blank(cls, count: int, shape: tuple[int, ...]) -> "_Found":
        times = [np.full(count, np.nan) for _ in range(3)]
        return cls(
            ttft_s=times[0], tpot_s=times[1], energy_j=times[2],
            played=np.zeros(shape, dtype=bool), idle_j=np.zeros(shape),
        )  # fmt: skip

    def note(self, lots: list[_Lot], runs: ReplicaRuns, per_j: FloatArray) -> None:
        """Take over the times and joules of the rows that count."""
        begin = 0
        for lot in lots:
            order = np.lexsort((lot.arrival_s, lot.replica))
            at = slice(begin, begin + lot.rows.size)
            kept, rows = lot.counts[order], lot.rows[order]
            self.ttft_s[rows[kept]] = runs.ttft_s[at][kept]
            self.tpot_s[rows[kept]] = runs.tpot_s[at][kept]
            self.energy_j[rows[kept]] = per_j[at][kept]
            begin += lot.rows.size


def _played(lots: list[_Lot], awake: FloatArray, *, sampled: bool) -> BoolArray:
    """Return in which intervals the requests of a deployment were played [T]."""
    if not sampled:
        return np.asarray(awake > 0.0)
    return np.isin(np.arange(awake.size), [lot.interval for lot in lots])


def _idle_s(
    lots: list[_Lot], runs: ReplicaRuns, awake_s: FloatArray, *, sampled: bool
) -> FloatArray:
    """Return the seconds that awake replicas wait, by interval [T].

    Of a sample: the part of its time that the simulated replica waits, of all that are awake. Of
    whole replicas what is not busy, spread over the intervals as they are awake.
    """
    idle_s = np.zeros(awake_s.size)
    if not sampled:
        whole_s = float(awake_s.sum())
        rest_s = max(0.0, whole_s - float(runs.busy_s.sum()))
        return np.asarray(rest_s * awake_s / whole_s) if whole_s > 0.0 else idle_s
    first = 0
    for lot in lots:
        own = slice(first, first + lot.replicas_count)
        busy = min(1.0, float(runs.busy_s[own].sum() / runs.span_s[own].sum()))
        idle_s[lot.interval] = (1.0 - busy) * awake_s[lot.interval]
        first += lot.replicas_count
    return idle_s


def _slices(
    sent: Sent, mine: IntArray, awake: FloatArray, step_s: float, seed: tuple[int, int]
) -> Iterator[_Lot]:
    """Yield what a deployment gets in each interval, drawn together to the rate of a replica."""
    for interval in np.unique(sent.interval[mine]).tolist():
        rows = mine[sent.interval[mine] == interval]
        weights = sent.weight_ratio[rows]
        if rows.size < LEAST_PLAYED_COUNT or awake[interval] <= 0.0:
            continue
        rng = np.random.default_rng((*seed, interval))
        kept = rng.random(rows.size) * weights.max() < weights
        rate_per_s = float(weights.sum()) / step_s / float(awake[interval])
        rows = rows[kept]
        if rows.size < LEAST_PLAYED_COUNT:
            continue
        slice_s = rows.size / rate_per_s
        replicas_count = max(1, int(np.ceil(slice_s / step_s - 1e-9)))
        slice_s /= replicas_count
        within_s = np.mod(sent.sent_s[rows], step_s) / step_s * slice_s
        order = np.argsort(within_s, kind="stable")
        rows, within_s = rows[order], within_s[order]
        replica = np.arange(rows.size) % replicas_count
        turns = int(np.ceil(LEAD_S / slice_s))
        times = np.arange(-turns, 2)[:, None]
        all_s = (within_s[None, :] + times * slice_s).ravel()
        counts = np.broadcast_to(times == 0, (times.size, rows.size)).ravel()
        kept = (all_s >= -LEAD_S) & (all_s < slice_s + min(TAIL_S, slice_s))
        yield _Lot(
            interval=interval,
            rows=np.tile(rows, times.size)[kept],
            replica=np.tile(replica, times.size)[kept],
            arrival_s=all_s[kept] + LEAD_S,
            counts=counts[kept],
            replicas_count=replicas_count,
            watched_s=(LEAD_S - np.floor(LEAD_S / 2.0 / slice_s) * slice_s, LEAD_S + slice_s),
            alike=True,
        )


def _whole(sent: Sent, mine: IntArray, awake: FloatArray) -> Iterator[_Lot]:
    """Yield all that a deployment gets over the run, on whole replicas, each in its turn."""
    there = np.maximum(1, np.rint(awake).astype(np.int64))
    if not mine.size:
        return
    order = mine[np.argsort(sent.sent_s[mine], kind="stable")]
    replica = np.arange(order.size) % there[sent.interval[order]]
    yield _Lot(
        interval=-1,
        rows=order,
        replica=replica,
        arrival_s=sent.sent_s[order],
        counts=np.ones(order.size, dtype=bool),
        replicas_count=int(there.max()),
        watched_s=(0.5 * float(sent.sent_s[order[-1]]), float(sent.sent_s[order[-1]])),
        alike=False,
    )


def _requests_of(sent: Sent, lots: list[_Lot]) -> ReplicaRequests:
    """Lay lots side by side, every replica's requests in the order of their arrival."""
    arrival, rows, counts = [], [], []
    for lot in lots:
        order = np.lexsort((lot.arrival_s, lot.replica))
        arrival.append(lot.arrival_s[order])
        rows.append(lot.rows[order])
        counts.append(np.bincount(lot.replica, minlength=lot.replicas_count))
    at = np.concatenate(rows)
    return ReplicaRequests(
        arrival_s=np.concatenate(arrival),
        input_tokens=sent.input_tokens[at],
        output_tokens=sent.output_tokens[at],
        cached_tokens=np.minimum(sent.cached_tokens[at], sent.input_tokens[at] - 1),
        offsets=np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64),
    )


def _with_host(runs: ReplicaRuns, host_w: float) -> FloatArray:
    """Return the joules of every request, its part of the host's while replicas are busy in it."""
    host_j = host_w * runs.busy_s
    ratio = np.divide(
        host_j, runs.busy_energy_j, out=np.zeros_like(host_j), where=runs.busy_energy_j > 0.0
    )
    sizes = np.diff(runs.requests.offsets)
    return np.asarray(runs.energy_j * (1.0 + np.repeat(ratio, sizes)))


def _place(
    deployment: int,
    runs: ReplicaRuns,
    lots: list[_Lot],
    per_j: FloatArray,
    idle_j: FloatArray,
    machine: Machine,
    sampled: bool,
) -> PlayedPlace:
    """Return what was simulated of a deployment."""
    own_idle_j = float((runs.span_s - runs.busy_s).clip(min=0.0).sum()) * machine.idle_w
    idle = own_idle_j if sampled else float(idle_j.sum())
    busy_j = float((runs.busy_energy_j + machine.host_w * runs.busy_s).sum())
    behind, begin = [], 0
    for lot in lots:
        at = slice(begin, begin + lot.rows.size)
        arrival, last = runs.requests.arrival_s[at], runs.last_token_s[at]
        if falls_behind(arrival, last, lot.watched_s, alike=lot.alike):
            behind.append(lot.interval)
        begin += lot.rows.size
    iterations = float(runs.iterations_count.sum())
    return PlayedPlace(
        deployment=deployment,
        replicas_count=runs.requests.replicas_count,
        requests_count=int(runs.requests.arrival_s.size),
        requests_j=float(per_j.sum()),
        idle_j=idle,
        replicas_j=busy_j + idle,
        behind=tuple(behind),
        engines=tuple(sorted(set(runs.engine))),
        beyond_table_share=float(runs.beyond_table_count.sum()) / max(1.0, iterations),
    )


def falls_behind(
    arrival_s: FloatArray,
    last_token_s: FloatArray,
    watched_s: tuple[float, float],
    *,
    alike: bool,
) -> bool:
    """Tell whether requests pile up in replicas between two moments.

    More than `BEHIND_SHARE` of what arrives between them; unless the same arrivals lie before
    both, also more than the numbers at both vary by chance.
    """
    left = [int((arrival_s < at).sum()) - int((last_token_s < at).sum()) for at in watched_s]
    asked = int(((arrival_s >= watched_s[0]) & (arrival_s < watched_s[1])).sum())
    chance = 1.0 if alike else CHANCE_SIGMAS * float(np.sqrt(left[0] + left[1] + 1.0))
    return left[1] - left[0] > BEHIND_SHARE * asked + chance

"""Requests that nobody sent: days, bursts, conversations, heavy users, from a seed.

A rate for each interval becomes a doubly stochastic Poisson process: in slots of some seconds
the rate is multiplied by a gamma variable of mean 1, and given that, requests are Poisson. What
arrives opens a conversation, whose next turns follow when the answer was read. Every interval
has a generator of its own, so a longer span begins with the same requests, to the bit (with one
version of numpy).
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.trace import NO_SESSION, RequestTrace
from tokenergy.errors import InputError
from tokenergy.synthetic.demand import demand_shape
from tokenergy.synthetic.request_lengths import RequestLengths
from tokenergy.synthetic.request_shape import Conversations, RequestShape
from tokenergy.synthetic.request_users import tail_sigma_ratio, user_shares

__all__ = [
    "Conversations",
    "RequestLengths",
    "RequestShape",
    "Sampled",
    "day_rates_per_s",
    "synthetic_requests",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
LEAD_CONVERSATIONS_COUNT: Final = 8.0
"""Mean lengths of a conversation by which they begin before second 0: what lasts longer (some
exp(-8) of them) is missing in the first minutes."""
NO_BURST_RATIO: Final = 1e-6
"""Bursts below this leave every rate as it is: a gamma of such a shape is a constant."""
REQUESTS_MOST_COUNT: Final = 100_000_000
"""Requests of one trace; at 64 bytes each they fill 6.4 GB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """A trace, and which part of each workload it is.

    A sample keeps the bursts of the rate in proportion and thins the requests: it is a smaller
    company. Its counts scatter more about their rate than those of the whole (sqrt of the
    count, as always), so a small sample overstates how uneven the load of a large fleet is.

    Attributes:
        trace: the requests.
        sample_share: part of the real requests that each of `trace.workloads` shows.
    """

    trace: RequestTrace
    sample_share: tuple[float, ...]

    @property
    def weight_ratio(self) -> FloatArray:
        """How many requests one of each workload stands for, [workloads]."""
        return 1.0 / np.array(self.sample_share)

    @property
    def request_weight_ratio(self) -> FloatArray:
        """How many requests each request of the trace stands for, [requests]."""
        weights: FloatArray = self.weight_ratio[self.trace.workload]
        return weights


def day_rates_per_s(
    mean_requests_per_s: float, *, start: datetime, hours_count: int, seed: int, utc_offset_h: float
) -> FloatArray:
    """Return hourly rates around a mean, [hours], with the day and week of `demand_shape`."""
    shape = demand_shape(start=start, hours_count=hours_count, seed=seed, utc_offset_h=utc_offset_h)
    return mean_requests_per_s * shape


def synthetic_requests(
    shapes: Sequence[RequestShape], *, start: datetime, interval_s: float, seed: int
) -> Sampled:
    """Return requests of several workloads over the intervals that their rates cover.

    Args:
        shapes: one for each workload, with rates over the same intervals.
        start: start of the first interval, in UTC.
        interval_s: length of an interval.
        seed: any integer from 0. A workload's requests depend on it and on their own shape
            alone, not on the other workloads.

    Raises:
        InputError: naming every figure that is out of its range.
    """
    _refuse_faults(shapes, start=start, interval_s=interval_s, seed=seed)
    parts = [
        _rows(shape, interval_s=interval_s, seed=seed, place=place, places_count=len(shapes))
        for place, shape in enumerate(shapes)
    ]
    tenants_before = np.cumsum([0, *(shape.users_count for shape in shapes)])
    trace = RequestTrace.of(
        start=start,
        span_s=shapes[0].requests_per_s.size * interval_s,
        source=f"synthetic requests, seed {seed}: {'; '.join(map(_told, shapes))}",
        workloads=[shape.workload for shape in shapes],
        arrival_s=np.concatenate([part.arrival_s for part in parts]),
        input_tokens=np.concatenate([part.input_tokens for part in parts]),
        output_tokens=np.concatenate([part.output_tokens for part in parts]),
        cached_tokens=np.concatenate([part.cached_tokens for part in parts]),
        workload=np.repeat(np.arange(len(parts)), [part.arrival_s.size for part in parts]),
        session=np.concatenate([part.session for part in parts]),
        tenants=[
            f"{shape.workload}-user-{user + 1}"
            for shape in shapes
            for user in range(shape.users_count)
        ],
        tenant=np.concatenate([part.user + tenants_before[at] for at, part in enumerate(parts)]),
        value_usd=np.concatenate([part.value_usd for part in parts]),
    )
    return Sampled(
        trace=trace.by_arrival(), sample_share=tuple(shape.sample_share for shape in shapes)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Requests of one workload, in no order; every array is [requests]."""

    arrival_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray
    cached_tokens: IntArray
    session: IntArray
    user: IntArray
    value_usd: FloatArray


def _refuse_faults(
    shapes: Sequence[RequestShape], *, start: datetime, interval_s: float, seed: int
) -> None:
    faults = [f"{shape.workload}: {fault}" for shape in shapes for fault in shape.faults()]
    names = [shape.workload for shape in shapes]
    if not shapes or len(set(names)) != len(names):
        faults.append(f"workloads are {', '.join(names) or 'none'}: each is stated once")
    if len({shape.requests_per_s.shape for shape in shapes}) > 1:
        faults.append("the rates of workloads are over different numbers of intervals")
    if start.utcoffset() != timedelta(0):
        faults.append(f"start {start.isoformat()} is not in UTC")
    if not 0.0 < interval_s < math.inf:
        faults.append(f"interval_s is {interval_s:g}, not above 0 s")
    if seed < 0:
        faults.append(f"seed {seed} is below 0")
    if not faults:
        expected_count = sum(
            float(shape.requests_per_s.sum()) * interval_s * shape.sample_share for shape in shapes
        )
        if expected_count > REQUESTS_MOST_COUNT:
            faults.append(
                f"about {expected_count:,.0f} requests would be made (limit "
                f"{REQUESTS_MOST_COUNT:,}): lower sample_share"
            )
    if faults:
        raise InputError(f"synthetic requests: {'; '.join(faults)}")


def _told(shape: RequestShape) -> str:
    """Return what was assumed of a workload, for the source of the trace."""
    told = (
        f"{shape.workload}: lognormal lengths (sigma {shape.input_lengths.sigma_ratio:g} and "
        f"{shape.output_lengths.sigma_ratio:g}), bursts of {shape.burst_ratio:g} in "
        f"{shape.burst_s:g} s"
    )
    if shape.conversations is not None:
        told += f", {shape.conversations.mean_turns_count:g} turns a conversation"
    if shape.sample_share < 1.0:
        told += f", {shape.sample_share:.3g} of the requests sampled"
    return told


def _rows(
    shape: RequestShape, *, interval_s: float, seed: int, place: int, places_count: int
) -> _Rows:
    """Return every request of a workload within the span."""
    turns_count = 1.0
    lead_intervals = 0
    if shape.conversations is not None and shape.conversations.mean_turns_count > 1.0:
        turns_count = shape.conversations.mean_turns_count
        gap_s = shape.conversations.gap_s(shape.output_lengths.mean_tokens)
        lead_intervals = math.ceil(LEAD_CONVERSATIONS_COUNT * turns_count * gap_s / interval_s)
    openings_per_s = shape.requests_per_s * (shape.sample_share / turns_count)
    cumulative = np.cumsum(user_shares(shape.users_count, top_tenth_share=shape.top_tenth_share))
    end_s = openings_per_s.size * interval_s
    parts, openings_count = [], 0
    for at in range(-lead_intervals, openings_per_s.size):
        # The stream of an interval knows its place from the start, never how many there are.
        rng = np.random.default_rng([seed, zlib.crc32(shape.workload.encode()), at < 0, abs(at)])
        opened_s = at * interval_s + _openings_s(
            shape, float(openings_per_s[max(at, 0)]), interval_s=interval_s, rng=rng
        )
        users = np.searchsorted(cumulative, rng.random(opened_s.size), side="right")
        for part in _turns(shape, opened_s, np.minimum(users, shape.users_count - 1), rng):
            kept = (part.arrival_s >= 0.0) & (part.arrival_s < end_s)
            parts.append(_kept(part, kept, openings_count, place, places_count))
        openings_count += opened_s.size
    return _joined(parts)


def _openings_s(
    shape: RequestShape, rate_per_s: float, *, interval_s: float, rng: np.random.Generator
) -> FloatArray:
    """Return when conversations open within an interval, in seconds from its start, sorted."""
    slots_count = max(1, round(interval_s / shape.burst_s))
    slot_s = interval_s / slots_count
    mean_count = np.full(slots_count, rate_per_s * slot_s)
    if shape.burst_ratio >= NO_BURST_RATIO:
        variance_ratio = shape.burst_ratio**2
        mean_count *= rng.gamma(1.0 / variance_ratio, variance_ratio, slots_count)
    slot = np.repeat(np.arange(slots_count), rng.poisson(mean_count))
    opened_s: FloatArray = np.sort((slot + rng.random(slot.size)) * slot_s)
    return opened_s


def _turns(
    shape: RequestShape, opened_s: FloatArray, users: IntArray, rng: np.random.Generator
) -> Iterator[_Rows]:
    """Yield the first turns of conversations, then their second turns, and so on."""
    talk = shape.conversations
    new = shape.input_lengths
    lengths = RequestLengths(
        mean_tokens=shape.new_tokens, sigma_ratio=new.sigma_ratio, most_tokens=new.most_tokens
    )
    left_count = np.ones(opened_s.size, dtype=np.int64)
    if talk is not None and talk.mean_turns_count > 1.0:
        cumulative = np.cumsum(talk.turns_share())[:-1]
        left_count = 1 + np.searchsorted(cumulative, rng.random(opened_s.size), side="right")
    number = np.arange(opened_s.size) if talk is not None else np.full(opened_s.size, NO_SESSION)
    arrival_s, before = opened_s, np.zeros(opened_s.size, dtype=np.int64)
    while arrival_s.size:
        added = lengths.drawn(rng, arrival_s.size)
        before = np.where(before + added > new.most_tokens, 0, before)
        made = shape.output_lengths.drawn(rng, arrival_s.size)
        yield _Rows(
            arrival_s=arrival_s,
            input_tokens=before + added,
            output_tokens=made,
            cached_tokens=before,
            session=number,
            user=users,
            value_usd=_values_usd(shape, arrival_s.size, rng),
        )
        left_count = left_count - 1
        going = left_count > 0
        if talk is None or not going.any():
            return
        arrival_s = arrival_s + talk.tpot_s * made + _thought_s(talk, made.size, rng)
        before = before + added + made
        arrival_s, before, left_count = arrival_s[going], before[going], left_count[going]
        number, users = number[going], users[going]


def _thought_s(talk: Conversations, count: int, rng: np.random.Generator) -> FloatArray:
    """Return lognormal times between an answer and the next turn, [count]."""
    sigma = talk.think_sigma_ratio
    thought_s: FloatArray = talk.think_s * np.exp(
        sigma * rng.standard_normal(count) - 0.5 * sigma**2
    )
    return thought_s


def _values_usd(shape: RequestShape, count: int, rng: np.random.Generator) -> FloatArray:
    """Return what requests are worth, [count]: NaN where the tier says."""
    if shape.value_usd is None:
        return np.full(count, np.nan)
    sigma = tail_sigma_ratio(shape.value_top_tenth_share)
    scatter = np.exp(sigma * rng.standard_normal(count) - 0.5 * sigma**2)
    return np.asarray(shape.value_usd * scatter)


def _kept(
    part: _Rows, kept: NDArray[np.bool_], before_count: int, place: int, places_count: int
) -> _Rows:
    """Return the rows within the span; sessions get numbers that no other workload uses."""
    number = part.session[kept]
    session = np.where(
        number == NO_SESSION, NO_SESSION, (number + before_count) * places_count + place
    )
    return _Rows(
        arrival_s=part.arrival_s[kept],
        input_tokens=part.input_tokens[kept],
        output_tokens=part.output_tokens[kept],
        cached_tokens=part.cached_tokens[kept],
        session=session,
        user=part.user[kept],
        value_usd=part.value_usd[kept],
    )


def _joined(parts: Sequence[_Rows]) -> _Rows:
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return _Rows(
            arrival_s=np.zeros(0),
            input_tokens=none,
            output_tokens=none,
            cached_tokens=none,
            session=none,
            user=none,
            value_usd=np.zeros(0),
        )
    names = _Rows.__dataclass_fields__
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return _Rows(**whole)

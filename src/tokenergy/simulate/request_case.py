"""The requests of a replay, laid on the intervals of a world, each with what it stands for.

Either every request of a real trace counts once, and the world's arrivals are the trace's own
tokens; or they are a sample of what the world says arrives, and each stands for as many as make
its workload's tokens of that interval whole (a ratio estimate: totals of tokens are exact).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.trace import RequestTrace
from tokenergy.dispatch.world import FloatArray, IntArray, World
from tokenergy.errors import FindingsError
from tokenergy.simulate.boards import Promise
from tokenergy.units import S_PER_H, TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestCase:
    """Requests on the intervals of a world, sorted by arrival.

    Attributes:
        trace: the requests; its workloads are the world's, in its order.
        weight_ratio: how many real requests each stands for [n]; 1 for a real trace.
        interval: in which interval of the horizon each arrives, from 0 [n].
        laid_s: seconds between the horizon's start and the trace's second 0, as it is played.
        moved_from: when the trace really began, where it is played at another time; else None.
        sampled: whether the requests are a sample.
        drawn_share: part of each workload's requests that the sample was drawn as [W]; 1: all.
    """

    trace: RequestTrace
    weight_ratio: FloatArray
    interval: IntArray
    laid_s: float
    moved_from: datetime | None
    sampled: bool
    drawn_share: FloatArray

    @property
    def count(self) -> int:
        """How many requests are decided."""
        return self.trace.requests_count

    def arrival_s(self, world: World) -> FloatArray:
        """Return when each request arrives, in seconds since the Unix epoch [n]."""
        start_s = world.moment(world.first).timestamp()
        return np.asarray(start_s + self.laid_s + self.trace.arrival_s)


def traced_case(
    world: World, trace: RequestTrace, promises: Sequence[Promise], *, path: str = "requests"
) -> tuple[World, RequestCase]:
    """Return a world whose arrivals are a trace's, and the trace on its intervals.

    A trace of another time than the horizon's is played from the horizon's start on. Before the
    trace, the company's own history stands, its level moved to that of the trace: a policy that
    forecasts knows about how much is asked for.

    Raises:
        FindingsError: with everything that is wrong, at once.
    """
    laid_s, moved_from = _laid(world, trace)
    found = [*trace.findings(path=path), *_case_findings(world, trace, promises, laid_s, path)]
    if errors_of(tuple(found)):
        raise FindingsError(errors_of(tuple(found)))
    names = [load.name for load in world.workloads]
    place = np.array([names.index(name) for name in trace.workloads], dtype=np.int64)
    own = replace(trace, workloads=tuple(names), workload=place[trace.workload])
    interval = _interval_of(world, own.arrival_s + laid_s)
    case = RequestCase(
        trace=own,
        weight_ratio=np.ones(own.requests_count),
        interval=interval,
        laid_s=laid_s,
        moved_from=moved_from,
        sampled=False,
        drawn_share=np.ones(len(names)),
    )
    return _with_arrivals(world, tokens_mtok(world, case)), case


def sampled_case(
    world: World,
    trace: RequestTrace,
    drawn_share: FloatArray,
    promises: Sequence[Promise],
    *,
    path: str = "requests",
) -> RequestCase:
    """Return a sample on the intervals of the world that it was drawn from.

    Args:
        world: the company as arrays.
        trace: the sample; it begins with the horizon.
        drawn_share: part of the requests that it was drawn as, by the trace's workloads.
        promises: of every workload.
        path: what the sample is called in findings.

    Raises:
        FindingsError: with everything that is wrong, at once; a workload that arrives in an
            interval of which the sample has nothing is an error.
    """
    found = [*trace.findings(path=path), *_case_findings(world, trace, promises, 0.0, path)]
    if errors_of(tuple(found)):
        raise FindingsError(errors_of(tuple(found)))
    names = [load.name for load in world.workloads]
    place = np.array([names.index(name) for name in trace.workloads], dtype=np.int64)
    shares = np.ones(len(names))
    shares[place] = drawn_share
    own = replace(trace, workloads=tuple(names), workload=place[trace.workload])
    case = RequestCase(
        trace=own,
        weight_ratio=np.ones(own.requests_count),
        interval=_interval_of(world, own.arrival_s),
        laid_s=0.0,
        moved_from=None,
        sampled=True,
        drawn_share=shares,
    )
    drawn_mtok = tokens_mtok(world, case)
    asked_mtok = world.arrivals_mtok[:, world.first : world.last]
    _refuse_gaps(world, asked_mtok, drawn_mtok, path)
    ratio = np.divide(asked_mtok, drawn_mtok, out=np.zeros_like(drawn_mtok), where=drawn_mtok > 0.0)
    return replace(case, weight_ratio=ratio[own.workload, case.interval])


def tokens_mtok(world: World, case: RequestCase) -> FloatArray:
    """Return the output tokens that the requests ask for, by workload and interval [W, T]."""
    total = np.zeros((len(world.workloads), world.count))
    tokens = case.weight_ratio * case.trace.output_tokens / TOKENS_PER_MTOK
    np.add.at(total, (case.trace.workload, case.interval), tokens)
    return total


def _interval_of(world: World, since_s: FloatArray) -> IntArray:
    found = np.floor(since_s / (world.step_h * S_PER_H)).astype(np.int64)
    return np.minimum(found, world.count - 1)  # a trace may end with the horizon's last moment


def _laid(world: World, trace: RequestTrace) -> tuple[float, datetime | None]:
    """Return where in the horizon a trace begins, s, and its own begin if that is elsewhere."""
    begin, end = world.moment(world.first), world.moment(world.last)
    if trace.start.tzinfo is not None and begin <= trace.start < end:
        return (trace.start - begin).total_seconds(), None
    return 0.0, trace.start


def _with_arrivals(world: World, asked_mtok: FloatArray) -> World:
    """Return the world with these arrivals in its horizon, and a history at their level."""
    arrivals = world.arrivals_mtok.copy()
    past = arrivals[:, : world.first]
    level = asked_mtok.mean(axis=1, keepdims=True)
    if past.size:
        mean = past.mean(axis=1, keepdims=True)
        scaled = np.divide(past * level, mean, out=np.zeros_like(past), where=mean > 0.0)
        arrivals[:, : world.first] = np.where(mean > 0.0, scaled, level)
    arrivals[:, world.first : world.last] = asked_mtok
    if arrivals.shape[1] > world.last:
        arrivals[:, world.last :] = level
    return replace(world, arrivals_mtok=arrivals)


def _case_findings(
    world: World,
    trace: RequestTrace,
    promises: Sequence[Promise],
    laid_s: float,
    path: str,
) -> Iterator[Finding]:
    """Yield what a world cannot do with a trace."""
    names = [load.name for load in world.workloads]
    served = {world.workloads[route.workload].name for route in world.routes}
    used = {trace.workloads[at] for at in np.unique(trace.workload).tolist()
            if 0 <= at < len(trace.workloads)}  # fmt: skip
    if not trace.requests_count:
        yield Finding(
            code="TRACE_EMPTY",
            path=path,
            reason="it holds no request",
            remedy="Name a file with requests, or let them be generated",
        )
    for name in trace.workloads:
        if name not in names:
            yield Finding(
                code="TRACE_WORKLOAD_UNKNOWN",
                path=f"{path}.workloads",
                value=name,
                limit=", ".join(names),
                reason=f"the company has no workload {name!r}",
                remedy="Say which workload of the company the requests are",
            )
        elif name in used and name not in served:
            yield Finding(
                code="UNREACHABLE_WORKLOAD",
                path=f"workloads[{names.index(name)}]",
                value=name,
                reason=f"no deployment can serve {name}: every request of it would be refused",
                remedy="Add a fleet nearer to its origin, or loosen its tier's limits",
            )
        if name in names:
            yield from _value_findings(world, promises, names.index(name), trace, name)
    horizon_s = world.count * world.step_h * S_PER_H
    if laid_s + trace.span_s > horizon_s * (1.0 + 1e-12):
        yield Finding(
            code="TRACE_BEYOND_HORIZON",
            path=f"{path}.span_s",
            value=f"{(laid_s + trace.span_s) / S_PER_H:.4g}",
            limit=f"{horizon_s / S_PER_H:.4g}",
            unit="h",
            reason="the requests reach beyond the hours that are replayed",
            remedy="Replay more hours, or cut the trace",
        )


def _value_findings(
    world: World, promises: Sequence[Promise], at: int, trace: RequestTrace, name: str
) -> Iterator[Finding]:
    """Yield that nobody says what the requests of a workload are worth."""
    promise = promises[at]
    stated = [promise.value_usd_per_mtok, promise.value_usd_per_request]
    if any(value is not None for value in stated):
        return
    mine = trace.workload == trace.workloads.index(name)
    if np.isnan(trace.value_usd[mine]).any():
        yield Finding(
            code="TIER_WITHOUT_VALUE",
            path=f"tiers[{world.workloads[at].tier_index}]",
            value=world.workloads[at].tier,
            unit="USD",
            reason=f"nobody says what a request of {name} is worth",
            remedy="State the tier's value; nothing is guessed about money",
        )


SAID_GAPS_COUNT: Final = 3


def _refuse_gaps(world: World, asked_mtok: FloatArray, drawn_mtok: FloatArray, path: str) -> None:
    """Refuse a sample that shows nothing of a workload in an interval in which it arrives."""
    gaps = (asked_mtok > 0.0) & (drawn_mtok <= 0.0)
    found = []
    for at in np.flatnonzero(gaps.any(axis=1)).tolist():
        hours = np.flatnonzero(gaps[at])[:SAID_GAPS_COUNT].tolist()
        when = ", ".join(f"{world.moment(world.first + t):%Y-%m-%dT%H:%MZ}" for t in hours)
        found.append(
            Finding(
                code="SAMPLE_TOO_SMALL",
                path=f"{path}.{world.workloads[at].name}",
                value=str(int(gaps[at].sum())),
                limit="0",
                unit="intervals",
                reason=f"the sample has no request of it where it arrives, e.g. at {when}",
                remedy="Draw a larger sample",
            )
        )
    if found:
        raise FindingsError(found)

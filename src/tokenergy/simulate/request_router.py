"""Requests through `decide`, one after another: the state they move, and what each came to.

It calls the very function that the gateway calls. Between two decisions time passes: answers end
and are settled, and what was deferred is decided again when its interval begins.

How full a place is, is counted in one of two ways. Where every request counts once, a request is
in flight until its expected end. Of a sample a place would see a handful at a time, and chance
would fill it that the many real ones do not see: there a place is as full as the requests that it
was sent in the interval so far, with the plan's for the rest of it, are of what its replicas serve
in an interval. A long request fills more of it than a short one: each counts as the part of the
place that it takes, and a workload sees that part in requests of its own.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.trace import NO_SESSION
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.routing.cost import Usage, usage_of
from tokenergy.routing.decide import decide
from tokenergy.routing.expected import Lengths
from tokenergy.routing.state import Counts, State
from tokenergy.simulate.bill import company_of
from tokenergy.simulate.boards import Promise
from tokenergy.simulate.request_case import RequestCase
from tokenergy.simulate.request_outcomes import Outcomes
from tokenergy.simulate.request_windows import BudgetWindows
from tokenergy.units import TOKENS_PER_MTOK

LATE_RATIO: Final = 2.5
"""95th percentile of an answer's length over its mean before any was seen: that of a lognormal
whose logarithm has a standard deviation of 0.68 is 2.4 (`synthetic/request_lengths`)."""
TICKS_COUNT: Final = 200
"""How often in an interval a sample's loads are counted anew."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """The columns of a case as plain lists: they are read one by one."""

    arrival_s: list[float]
    workload: list[int]
    interval: list[int]
    input_tokens: list[int]
    output_tokens: list[int]
    cached_tokens: list[int]
    session: list[int]
    tenant: list[int]
    value_usd: list[float]
    weight_ratio: list[float]
    knows_cache: bool

    @classmethod
    def of(cls, case: RequestCase, arrival_s: FloatArray) -> Self:
        trace = case.trace
        return cls(
            arrival_s=arrival_s.tolist(),
            workload=trace.workload.tolist(),
            interval=case.interval.tolist(),
            input_tokens=trace.input_tokens.tolist(),
            output_tokens=trace.output_tokens.tolist(),
            cached_tokens=trace.cached_tokens.tolist(),
            session=trace.session.tolist(),
            tenant=trace.tenant.tolist(),
            value_usd=trace.value_usd.tolist(),
            weight_ratio=case.weight_ratio.tolist(),
            knows_cache=bool((trace.cached_tokens > 0).any()),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Router:
    """The one who decides the requests of a case, interval by interval.

    Attributes:
        world: the company as arrays.
        case: its requests.
        promises: of every workload.
        outcomes: what each request came to; written as it goes.
        state: of `routing`; None before the first board.
        held: deferred requests: (release, arrival, number), a heap.
        ends: requests in flight: (expected end, number, what settles it), a heap.
        decisions: how often each (workload, action, reason) was decided, by weight.
        budgets: windows of the company's budgets.
    """

    world: World
    case: RequestCase
    promises: Sequence[Promise]
    outcomes: Outcomes
    state: State | None = None
    held: list[tuple[float, float, int]] = field(default_factory=list)
    ends: list[tuple[float, int, Usage]] = field(default_factory=list)
    decisions: defaultdict[tuple[int, str, str], float] = field(
        default_factory=lambda: defaultdict(float)
    )
    budgets: BudgetWindows = field(init=False)
    _payers: list[tuple[str, ...]] = field(init=False)
    _arrival_s: FloatArray = field(init=False)
    _start_s: float = field(init=False)
    _lengths: Lengths = field(default_factory=Lengths)
    _places: dict[str, int] = field(init=False)
    _routes: dict[tuple[int, int], int] = field(init=False)
    _slots: FloatArray = field(init=False)
    _planned_share: FloatArray = field(init=False)
    _sent_share: list[float] = field(default_factory=list)
    _busy: list[tuple[int, ...]] = field(default_factory=list)
    _tick_s: float = field(default=-math.inf)
    _rows: _Rows = field(init=False)

    def __post_init__(self) -> None:
        """Look up once what every request needs."""
        company = company_of(self.world)
        self.budgets = BudgetWindows(
            world=self.world,
            budgets=() if company is None else company.budgets,
            weight_ratio=1.0 / self.case.drawn_share,
        )
        self._payers = [self.budgets.names_for(load.tier) for load in self.world.workloads]
        self._arrival_s = self.case.arrival_s(self.world)
        self._start_s = self.world.moment(self.world.first).timestamp()
        self._places = {d.name: at for at, d in enumerate(self.world.deployments)}
        self._routes = {(r.workload, r.deployment): i for i, r in enumerate(self.world.routes)}
        self._rows = _Rows.of(self.case, self._arrival_s)
        self._slots = np.zeros((0, 0))
        self._planned_share = np.zeros(0)

    def begin(self, board: Board, planned_count: FloatArray) -> None:
        """Take the board of an interval.

        Args:
            board: the board.
            planned_count: requests of the case that the plan sends over each route in the
                interval [R]; read where the case is a sample.
        """
        if self.state is None:
            self.state = State.opened(board, now_s=board.start_s)
        else:
            self.state = self.state.at(board.start_s).refreshed(board)
        self.state = self.budgets.refreshed(self.state, board)
        self._slots = self._slots_of(board)
        self._planned_share = np.zeros(len(board.places))
        for route, count in zip(self.world.routes, planned_count.tolist(), strict=True):
            place = board.places.index(self.world.deployments[route.deployment].name)
            slots = self._slots[route.workload, place]
            if count > 0.0 and slots > 0.0:
                self._planned_share[place] += count / slots
        self._sent_share = [0.0] * len(board.places)
        self._tick_s = -math.inf

    def _slots_of(self, board: Board) -> FloatArray:
        """Return how many requests of each workload alone each place takes [W, places]."""
        slots = np.zeros((len(self.world.workloads), len(board.places)))
        for at, spec in enumerate(self.world.workloads):
            for rung in board.by_name[spec.name].rungs:
                for candidate in rung.candidates:
                    slots[at, candidate.place] = candidate.slots_count
        return slots

    def decide_interval(self, board: Board, interval: int, *, last: bool) -> None:
        """Decide what was held for this interval and what arrives in it, in the order of time.

        What was held is released evenly over the interval, as a plan of so much an hour says: all
        of it at once would find every place full.

        Args:
            board: the board that `begin` took.
            interval: of the horizon, from 0.
            last: whether the horizon ends with it: then nothing may wait.
        """
        end_s = board.start_s + board.interval_s
        due: list[int] = []
        while self.held and self.held[0][0] < end_s:
            due.append(heapq.heappop(self.held)[2])
        each_s = board.interval_s / max(1, len(due))
        released = [(board.start_s + (k + 0.5) * each_s, at) for k, at in enumerate(due)]
        first, after = np.searchsorted(self.case.interval, [interval, interval + 1]).tolist()
        arrived = zip(self._arrival_s[first:after].tolist(), range(first, after), strict=True)
        for now_s, at in heapq.merge(released, arrived):
            self._decide(at, now_s, board, interval, last=last)

    def finish(self) -> None:
        """Settle what is still in flight when the horizon has ended."""
        self._settle_until(math.inf)

    def backlog_mtok(self, next_interval: int) -> FloatArray:
        """Return the work that waits before an interval, by when it is due [W, Q].

        Column i is due by the end of the i-th interval ahead.
        """
        waits = [load.defer_count for load in self.world.workloads]
        queue = np.zeros((len(waits), max(1, *waits)))
        case = self.case
        for _, _, request in self.held:
            load = int(case.trace.workload[request])
            due = int(case.interval[request]) + waits[load] - next_interval
            column = min(max(due, 0), queue.shape[1] - 1)
            tokens = case.weight_ratio[request] * case.trace.output_tokens[request]
            queue[load, column] += tokens / TOKENS_PER_MTOK
        return queue

    def _decide(self, at: int, now_s: float, board: Board, interval: int, *, last: bool) -> None:
        """Decide one request and note what it came to."""
        rows, state = self._rows, self._state_at(now_s, board, self._rows.workload[at])
        request = self._request(at, interval, last=last)
        decision = decide(request, board, state)
        self.state = state.admitted(decision)
        load = rows.workload[at]
        self.decisions[load, decision.action, decision.reason] += rows.weight_ratio[at]
        if decision.action == "defer" and decision.release_s is not None:
            self.outcomes.deferred_count[at] += 1
            heapq.heappush(self.held, (decision.release_s, rows.arrival_s[at], at))
        elif decision.candidate is None:
            self.outcomes.refuse(at, decision, interval)
        else:
            lost_tokens = 0
            if request.session is not None:
                known = state.sessions.last(request.tenant, request.session)
                if known is not None and known.deployment != decision.deployment:
                    told = request.cached_tokens
                    held = known.prefix_tokens if told is None else told
                    lost_tokens = min(held, request.input_tokens)
            self._served(at, now_s, decision, interval, lost_tokens=lost_tokens, board=board)

    def _served(
        self,
        at: int,
        now_s: float,
        decision: Decision,
        interval: int,
        *,
        lost_tokens: int,
        board: Board,
    ) -> None:
        rows, place = self._rows, decision.candidate
        assert place is not None
        load, whole = rows.workload[at], rows.output_tokens[at]
        cap = decision.cap_tokens
        output = whole if cap is None else min(whole, cap)
        usage = usage_of(
            decision,
            board.by_name[decision.request.workload],
            input_tokens=rows.input_tokens[at],
            cached_tokens=decision.cached_tokens,
            output_tokens=output,
        )
        deployment = self._places[place.deployment]
        self.outcomes.serve(
            at, decision, interval, now_s - self._start_s,
            deployment=deployment, route=self._routes[load, deployment], output_tokens=output,
            lost_tokens=lost_tokens, cost_usd=usage.cost_usd,
        )  # fmt: skip
        slots = self._slots[load, place.place]
        self._sent_share[place.place] += 1.0 / slots if slots > 0.0 else 0.0
        heapq.heappush(self.ends, (now_s + place.ttft_s + place.tpot_s * output, at, usage))
        spec = self.world.workloads[load]
        self._lengths = self._lengths.seen(
            tenant=spec.name, model="", tier=spec.tier, text_bytes_count=0, text_tokens=0,
            output_tokens=output, capped=output < whole,
        )  # fmt: skip

    def _request(self, at: int, interval: int, *, last: bool) -> Request:
        """Return a request as its door would make it: it knows no answer's length."""
        rows, load = self._rows, self._rows.workload[at]
        spec, deadline_s = self.world.workloads[load], self.promises[load].deadline_s
        mean = max(1, round(spec.tokens_per_request_count))
        late = mean
        if spec.tokens_per_item_count is None:  # an item has as many as it has
            expected = self._lengths.output_tokens(
                tenant=spec.name, model="", tier=spec.tier, prior_mean_tokens=mean,
                prior_late_tokens=round(LATE_RATIO * mean), cap_tokens=None,
            )  # fmt: skip
            mean, late = expected.mean_tokens, expected.late_tokens
        arrival_s, session, value = rows.arrival_s[at], rows.session[at], rows.value_usd[at]
        due = interval >= rows.interval[at] + spec.defer_count
        return Request(
            request_id=str(at),
            tenant=self.case.trace.tenants[rows.tenant[at]],
            tier=spec.tier,
            workload=spec.name,
            origin=spec.origin,
            arrival_s=arrival_s,
            input_tokens=rows.input_tokens[at],
            output_tokens=mean,
            output_late_tokens=late,
            deadline_s=arrival_s + deadline_s if deadline_s > 0.0 else None,
            session=None if session == NO_SESSION else session,
            cached_tokens=rows.cached_tokens[at] if rows.knows_cache else None,
            may_defer=not (last or due),
            value_usd=None if value != value else value,  # not a number: as its tier says
            budgets=self._payers[load],
        )

    def _state_at(self, now_s: float, board: Board, load: int) -> State:
        """Return the state at a moment: ended answers settled, loads as a workload sees them."""
        assert self.state is not None
        if not self.case.sampled:
            self._settle_until(now_s)
            return self.state.at(now_s)
        if now_s - self._tick_s >= board.interval_s / TICKS_COUNT:
            self._settle_until(math.inf)
            gone = min(1.0, max(0.0, (now_s - board.start_s) / board.interval_s))
            share = np.array(self._sent_share) + (1.0 - gone) * self._planned_share
            # an API without a limit has endless slots, and is never full
            ends = np.where(np.isfinite(self._slots), self._slots, 0.0)
            self._busy = [tuple(row) for row in np.rint(share * ends).astype(int).tolist()]
            self._tick_s = now_s
        busy, state = self._busy[load], self.state
        _, scraped, _, served, held, wheels = state.counts
        # Built in one go, not by two times `_replace`: this is done for every request.
        self.state = State(
            now_s, state.places, state.workloads, state.start_s,
            Counts(busy, scraped, busy, served, held, wheels),
            state.sessions, state.pacers, state.leases, state.down, state.limited, state.safe_mode,
        )  # fmt: skip
        return self.state

    def _settle_until(self, now_s: float) -> None:
        """Settle the answers that have ended by a moment."""
        while self.ends and self.ends[0][0] <= now_s:
            usage = heapq.heappop(self.ends)[2]
            assert self.state is not None
            self.state = self.state.settled(usage)

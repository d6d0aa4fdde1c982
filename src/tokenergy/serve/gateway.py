"""The gateway of one worker: its board and state, and what a request asks of both.

One event loop owns one state, so that a check and what it moves stand between two awaits and no
lock is needed. What workers share goes through the counts file, the leases and the board.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.serving.plan import BUDGET, TenantPlan, WorkerPlan, WorkloadPlan
from tokenergy.company.serving.ports import (
    Idempotency,
    Journal,
    KeyFacts,
    Keys,
    Leases,
    RateTold,
    StoreFault,
)
from tokenergy.company.serving.record import Refused
from tokenergy.routing.affinity import LastPlace
from tokenergy.routing.cost import Usage
from tokenergy.routing.decide import decide
from tokenergy.routing.expected import Lengths
from tokenergy.routing.state import State
from tokenergy.serve import openai_error
from tokenergy.serve.admission import Admission
from tokenergy.serve.asked import Asked, Endpoint, read_asked
from tokenergy.serve.board_watch import BoardWatch
from tokenergy.serve.budget_owner import pacers_of
from tokenergy.serve.closing import Used
from tokenergy.serve.conversations import NOBODY, Conversations, lent
from tokenergy.serve.counting import Served
from tokenergy.serve.counts import SharedCounts, budget_names
from tokenergy.serve.flight import Flight
from tokenergy.serve.gateway_metrics import Tally
from tokenergy.serve.headers import read_head
from tokenergy.serve.holding import Holding
from tokenergy.serve.outlet import MemoryOutlet
from tokenergy.serve.passing import is_passed, read_other
from tokenergy.serve.pool import Pool
from tokenergy.serve.retry_budget import RetryBudget
from tokenergy.serve.room import Room
from tokenergy.serve.side import Told
from tokenergy.serve.telling import Telling

OPEN_DOOR: Final = KeyFacts("open", "", (), frozenset({"inference", "batches", "usage", "value"}))


class Gateway:
    """One worker's gateway; it implements `serve.side.Side`.

    Attributes:
        plan: what it knows of the company.
        admission: looks up tenants, rows, prices, payers.
        lengths: what was seen of texts and answers.
        tally: its counts.
        flights: requests under way.
        account_units: unit of each account.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        *,
        keys: Keys,
        journal: Journal,
        leases: Leases,
        idempotency: Idempotency,
        pool: Pool,
        counts: SharedCounts,
        watch: BoardWatch,
        secret: bytes,
        new_id: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Join the parts; nothing is read or sent yet."""
        self.plan, self.keys, self.journal, self.leases = plan, keys, journal, leases
        self.idempotency, self.pool, self.counts, self.watch = idempotency, pool, counts, watch
        self.new_id, self._clock, self._offset_s = new_id, clock, plan.clock_offset_s
        self.tick_s = time.perf_counter
        self.admission = Admission(plan, secret=secret)
        self.lengths = Lengths()
        self.tally = Tally()
        self.served = Served()
        self.learnt_count: dict[tuple[str, str, str], int] = {}
        self.retries = RetryBudget(plan.limits.retry_share, now=time.monotonic)
        self.holding = Holding(self)
        self.flights: set[Flight] = set()
        self.account_units = {one.name: one.unit for one in plan.accounts}
        self._budgets = {name: at for at, name in enumerate(budget_names(plan))}
        self._budget_names = tuple(self._budgets)
        self._at_once: dict[str, int] = {}
        self._state: State | None = None
        self._down: frozenset[str] | None = None
        self.conversations = Conversations()
        self._room = Room(len(plan.deployments))
        self.telling = Telling(plan, watch)
        self.stopping = False

    # ---- board and state ----

    @property
    def board(self) -> Board | None:
        """The board in force."""
        return self.watch.board

    @property
    def state(self) -> State | None:
        """The state of its loop."""
        return self._state

    def now_s(self) -> float:
        """Return company time, seconds since the Unix epoch."""
        return self._clock() + self._offset_s

    def tick(self) -> None:
        """Look around: a new board, servers that are down, what others run, who may go on.

        Called ten times a second by the worker's loop.
        """
        now_s = self.now_s()
        self.counts.beat(now_s)
        fresh = self.watch.poll(now_s)
        board = self.watch.board
        if board is None:
            return
        if self._state is None:
            self._state = State.opened(board, now_s=now_s, sessions=NOBODY)
            self._room.refreshed(board)
            self._down = None
        elif fresh:
            self._state = self._state.at(now_s).refreshed(board)
            self._room.refreshed(board)
            self._down = None
        down = self.pool.down_deployments()
        if down is not self._down:
            self._state, self._down = self._state.with_down(down), down
        if self._budget_names:
            pacers = pacers_of(self.watch.pacings, self._budget_names, self.counts.prices())
            self._state = self._state._replace(pacers=pacers)
        everywhere = self.counts.totals()
        engines = self.counts.scraped()
        told = {
            name: max(pair)
            for name, pair in zip(
                self.plan.deployments, zip(everywhere, engines, strict=True), strict=True
            )
        }
        self._state = self._state.with_scraped(told)
        self.holding.release(now_s)

    def decide(
        self, request: Request, last: LastPlace | None = None
    ) -> tuple[Board, State, Decision]:
        """Return the decision on a request, and the board and state it was made by.

        Args:
            request: to be decided.
            last: where its conversation was answered last; None: it is a new one.

        Raises:
            ApiError: 503 before the first board.
        """
        board = self.watch.board
        if board is None or self._state is None:
            self.tick()  # another worker may know prices since a moment ago, and be called ready
            board = self.watch.board
        if board is None or self._state is None:
            raise openai_error.unavailable("no_prices", "No prices are known yet.")
        state = self._state.at(self.now_s())
        load = board.by_name.get(request.workload)
        if load is not None:
            counts = self._room.seen_by(load.index, state.counts)
            if counts is not state.counts:
                state = state._replace(counts=counts)
        if last is not None:
            state = state._replace(sessions=lent(last))
        return board, state, decide(request, board, state)

    def advise(self, request: Request) -> Decision:
        """Return what would be done about a request, and move nothing."""
        return self.decide(request)[2]

    def admitted(self, flight: Flight, decision: Decision) -> None:
        """Move the state, and what others see of it, by a decision."""
        assert self._state is not None
        state = self._state
        if decision.request.budgets:  # lambda moves with the time that has passed
            state = state.at(self.now_s())
        self._state = state.admitted(decision)
        flight.moved = True
        place = decision.candidate
        if place is not None:
            self.counts.add(place.place, 1)
            flight.part = self._room.part(decision.workload_index, place.place)
            self._room.add(place.place, flight.part)
        for name in decision.request.budgets:
            self._use(name, decision, decision.cost_usd, decision.use_j, seen_count=1.0)

    def settle(self, flight: Flight, decision: Decision, used: Used) -> None:
        """Put what a request took in the place of what was expected; a second call does nothing."""
        if not flight.moved:
            return
        flight.moved = False
        assert self._state is not None
        place = decision.candidate
        if place is not None:
            self.counts.add(place.place, -1)
            self._room.add(place.place, -flight.part)
            usage = Usage(
                decision, used.input_tokens, used.cached_tokens, used.output_tokens,
                used.cost_usd, used.use_j,
            )  # fmt: skip
            self._state = self._state.settled(usage)
            if flight.head and used.output_tokens:
                here = LastPlace(place.deployment, used.input_tokens + used.output_tokens)
                self.conversations.remember(flight.tenant.name, flight.head, here)
        elif decision.release_s is not None:
            self._state = self._state.released(decision)
        if flight.holdings:
            actual = [used.of(one, self.account_units) for one in flight.holdings]
            self.leases.settle(flight.holdings, actual)
        for name in decision.request.budgets:
            more_usd, more_j = used.cost_usd - decision.cost_usd, used.use_j - decision.use_j
            self._use(name, decision, more_usd, more_j, seen_count=0.0)

    def _use(
        self, name: str, decision: Decision, usd: float, joules: float, *, seen_count: float
    ) -> None:
        """Tell the owner of a budget's price what was seen and used."""
        if decision.action == "defer" or (at := self._budgets.get(name)) is None:
            return
        money = self.account_units[BUDGET + name] == "nano_usd"
        self.counts.used(at, seen_count, usd if money else joules)

    def refuse_seen(self, decision: Decision) -> None:
        """Let a refused request be counted by the budgets that would have paid."""
        if self._state is not None:
            self._state = self._state.admitted(decision)
        for name in decision.request.budgets:
            self._use(name, decision, 0.0, 0.0, seen_count=1.0)

    def has_room(self, decision: Decision) -> bool:
        """Tell whether a place has room now for one more."""
        place = decision.candidate
        if place is None or self._state is None:
            return True
        counts = self._room.seen_by(decision.workload_index, self._state.counts)
        return counts.busy[place.place] + 1 <= place.slots_count

    # ---- what a request asks ----

    def tenant(self, caller: KeyFacts) -> TenantPlan:
        """Return the tenant of a key."""
        found = self.admission.tenants.get(caller.tenant)
        if found is None:
            raise openai_error.forbidden("The tenant of this key is not served any more.")
        return found

    def caller(self, headers: Sequence[tuple[bytes, bytes]], *, scope: str) -> KeyFacts:
        """Return who asks."""
        return self.caller_of(read_head(headers, self.plan.limits).key, scope=scope)

    def caller_of(self, key: bytes, *, scope: str) -> KeyFacts:
        """Return whose key it is; b"" is no key.

        Raises:
            ApiError: 401, 403 or 503.
        """
        if not key:
            if self.plan.open_door:
                return OPEN_DOOR._replace(tenant=self.plan.tenants[0].name)
            raise openai_error.no_key()
        try:
            found = self.keys.find(key)
        except StoreFault as fault:
            raise openai_error.unavailable(
                "keys_unavailable", "Keys cannot be looked up at the moment."
            ) from fault
        if found is None:
            if self.plan.open_door:
                return OPEN_DOOR._replace(tenant=self.plan.tenants[0].name)
            raise openai_error.wrong_key()
        if scope not in found.scopes:
            raise openai_error.forbidden(f"This key may not be used for {scope}.")
        return found

    def workload_of(
        self, *, tenant: TenantPlan, tier: str | None, model: str, origin: str | None
    ) -> WorkloadPlan:
        """Return the row of the board that a request belongs to."""
        nobody = KeyFacts("", tenant.name, (), frozenset())
        meant = self.admission.tier_of(tenant, nobody, tier, model=model)
        return self.admission.row(tier=meant, model=model, origin=origin or tenant.origin).workload

    async def read(self, endpoint: str, body: bytes) -> Asked:
        """Return what a body asks for; a long one is read in a thread."""
        known: Any = endpoint
        if is_passed(endpoint):
            return read_other(body, self.plan.limits)
        if len(body) > self.plan.limits.decode_apart_bytes:
            return await asyncio.to_thread(read_asked, known, body, self.plan.limits)
        return read_asked(known, body, self.plan.limits)

    def enter(self, tenant: TenantPlan) -> None:
        """Count a request of a tenant.

        Raises:
            ApiError: 429 beyond its requests at once; 503 while the gateway ends.
        """
        if self.stopping:
            raise openai_error.unavailable("stopping", "This gateway is about to end.")
        now = self._at_once.get(tenant.name, 0)
        most = tenant.concurrent_count
        if most is not None and now >= most:
            raise openai_error.rate_limited(
                f"Tenant {tenant.name!r} has {most} requests under way, its limit.", retry_s=1.0
            )
        self._at_once[tenant.name] = now + 1

    def leave(self, tenant: TenantPlan) -> None:
        """Count it off."""
        self._at_once[tenant.name] -= 1

    def take(self, tenant: str, *, tokens_count: int, now_s: float) -> RateTold:
        """Take from a tenant's rate limits."""
        try:
            return self.leases.take(
                tenant, requests_count=1, tokens_count=tokens_count, now_s=now_s
            )
        except StoreFault as fault:
            raise openai_error.unavailable(
                "limits_unavailable", "Rate limits cannot be asked at the moment."
            ) from fault

    async def ask(
        self,
        *,
        caller: KeyFacts,
        endpoint: Endpoint,
        body: bytes,
        tier: str | None = None,
        batch: str = "",
        deadline_s: float | None = None,
    ) -> Told:
        """Run one request to its whole answer, for a line of a batch."""
        outlet = MemoryOutlet()
        flight = Flight(
            self, outlet, caller=caller, endpoint=endpoint, body=body, request_id=self.new_id(),
            began_tick_s=self.tick_s(), tier=tier, batch=batch, deadline_s=deadline_s,
        )  # fmt: skip
        await self.run(flight)
        return Told(outlet.status, outlet.body, flight.request_id)

    async def run(self, flight: Flight) -> None:
        """Let a request fly, as one of those under way."""
        self.flights.add(flight)
        self.retries.asked()
        try:
            await flight.fly()
        finally:
            self.flights.discard(flight)

    def overdue(self) -> None:
        """End requests that have taken longer than a request may; called about once a second."""
        edge_s = self.now_s() - self.plan.limits.total_s
        for flight in [one for one in self.flights if one.seat is not None]:
            if 0.0 < flight.opened_s < edge_s and not flight.late:
                flight.overdue()

    async def synced(self, number: int) -> None:
        """Wait until the disk has a record (`durability: strict`).

        Raises:
            ApiError: 503 where it refuses it.
        """
        try:
            await self.journal.synced(number)
        except StoreFault as fault:
            raise openai_error.unavailable(
                "journal_full", "The answer could not be recorded, so it is not given."
            ) from fault

    # ---- what is counted ----

    def refused(self, record: Refused, decision: Decision | None) -> None:
        """Write down a refusal; where the journal is full the client is told all the same."""
        try:
            self.journal.write(record)
        except StoreFault:
            self.tally.add("tokenergy_errors", ("503", "journal_full"))
        if decision is not None and decision.action == "refuse":
            self.refuse_seen(decision)
        self.tally.add("tokenergy_requests", ("refused", record.reason))

"""One request's way through the gateway: decided, reserved, written down, sent, relayed, settled.

    admit -> decide -> (hold | queue) -> reserve -> OPEN -> upstream -> relay -> CLOSE -> last byte

Each step stands in the order of the gateway sheet's section 1. A step that ends it raises an
`ApiError`, and one REFUSED or CLOSE record tells how it ended.
"""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.serving.plan import TenantPlan
from tokenergy.company.serving.ports import JournalFull, KeyFacts
from tokenergy.company.serving.record import Holding, Outcome
from tokenergy.routing.affinity import LastPlace
from tokenergy.routing.state import State
from tokenergy.serve import openai_error
from tokenergy.serve.admission import Row
from tokenergy.serve.asked import Asked
from tokenergy.serve.breaker import verdict_of_status
from tokenergy.serve.closing import Used, closed_record, opened_record, verdict_of
from tokenergy.serve.counting import count
from tokenergy.serve.elsewhere import AnotherPlace, down_s, without_failed
from tokenergy.serve.ending import NO_USE, end_early, fail, tell, tell_stopping
from tokenergy.serve.headers import NO_WISHES, Header, Wishes
from tokenergy.serve.holding import queue
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.outlet import Outlet
from tokenergy.serve.pool import Seat
from tokenergy.serve.refusal import refusal_of
from tokenergy.serve.relay import relay
from tokenergy.serve.reserving import reserve, reserve_soon
from tokenergy.serve.sending import call_of
from tokenergy.serve.upstream import UpstreamFault

if TYPE_CHECKING:
    from tokenergy.company.board import Board
    from tokenergy.serve.answer_stream import Stream
    from tokenergy.serve.gateway import Gateway


class Flight:
    """One request under way.

    Attributes:
        request: as the decision sees it; None until it is admitted.
        decision: in force; None before the first one.
        holdings: reserved for it, in force.
        seat: at the upstream; None while there is none.
        gone: whether the client has left.
        opened_s: moment of the OPEN in force; 0 before, and after its CLOSE.
        moved: whether the state and the leases count it.
        keyed: whether it has an idempotency key: its answer is wanted though its client may leave.
        is_whole: whether its answer came to its end.
        closed_number: of its CLOSE in the journal.
        board: it was decided by; None before.
        stream: what reads the answer as it passes; None for a whole one.
    """

    def __init__(
        self,
        gateway: "Gateway",
        outlet: Outlet,
        *,
        caller: KeyFacts,
        endpoint: str,
        body: bytes,
        wishes: Wishes = NO_WISHES,
        inwards: tuple[Header, ...] = (),
        request_id: str,
        began_tick_s: float,
        tier: str | None = None,
        batch: str = "",
        deadline_s: float | None = None,
    ) -> None:
        """Take what came."""
        self.gateway, self.outlet = gateway, outlet
        self.caller, self.endpoint, self.body, self.wishes = caller, endpoint, body, wishes
        self.inwards = inwards
        self.request_id, self.began_tick_s = request_id, began_tick_s
        self.tier, self.batch, self.deadline_s = tier, batch, deadline_s
        self.tenant: TenantPlan = gateway.tenant(caller)
        self.asked: Asked | None = None
        self.row: Row | None = None
        self.request: Request | None = None
        self.decision: Decision | None = None
        self.snapshot: State | None = None
        self.holdings: tuple[Holding, ...] = ()
        self.seat: Seat | None = None
        self.upstream_name = self.served_model = ""
        self.board: Board | None = None
        self.head = b""
        self.last: LastPlace | None = None
        self.stream: Stream | None = None
        self.gone = self.stopping = self.late = self.moved = False
        self.keyed = self.is_whole = False
        self.held_count, self.part, self.closed_number = 0, 0.0, 0
        self.opened_s = self.first_s = self.marked_s = 0.0
        self.openings_count = self.retries_count = 0
        self.rate_headers: tuple[tuple[bytes, bytes], ...] = ()
        self._task: asyncio.Task[object] | None = None

    @property
    def rho_ratio(self) -> float:
        """Mean uncached input over mean output of its row: what the prices hold."""
        if self.board is None or self.request is None:
            return 0.0
        load = self.board.by_name.get(self.request.workload)
        return 0.0 if load is None else load.rho_ratio

    # ---- the way ----

    async def fly(self) -> None:
        """Answer the request, whatever comes; it never raises but for our own faults."""
        self._task = asyncio.current_task()
        try:
            try:
                await self._admit()
                await self._serve()
            except ApiError as error:
                await self._tell(error)
        except asyncio.CancelledError:
            if self.late and not self.gone:
                await self._tell(openai_error.upstream_timeout())
                return
            self._end_early()
            if self.stopping and not self.gone:
                await tell_stopping(self)
            elif not self.gone:
                raise
        except Exception as fault:  # one fault of ours must leave nothing reserved
            await fail(self, fault)

    async def _admit(self) -> None:
        """Read the body, find the row of the board, make the request, ask the rate limits."""
        gateway = self.gateway
        self.asked = asked = await gateway.read(self.endpoint, self.body)
        self.body = b""  # its fields are in `asked`
        now_s = gateway.now_s()
        word = self.tier or asked.service_tier
        tier = gateway.admission.tier_of(self.tenant, self.caller, word, model=asked.model)
        origin = self.wishes.region or self.tenant.origin
        self.row = row = gateway.admission.row(tier=tier, model=asked.model, origin=origin)
        self.request = request = gateway.admission.request(
            request_id=self.request_id,
            caller=self.caller,
            tenant=self.tenant,
            asked=asked,
            row=row,
            wishes=self.wishes,
            lengths=gateway.lengths,
            now_s=now_s,
            session=self._session(),
            deadline_s=self.deadline_s,
        )
        tenant = self.tenant
        if tenant.requests_per_min is not None or tenant.tokens_per_min is not None:
            tokens = request.input_tokens + request.output_tokens
            told = gateway.take(tenant.name, tokens_count=tokens, now_s=now_s)
            self.rate_headers = gateway.telling.rate_headers(told)
            if not told.taken:
                raise openai_error.rate_limited(
                    f"Tenant {tenant.name!r} is over its rate limit.", retry_s=told.wait_s
                )
        gateway.enter(self.tenant)

    def _session(self) -> str | None:
        """Return a hash of the conversation that this one goes on with; None: it is a new one."""
        assert self.asked is not None
        self.head = self.wishes.session or self.asked.head
        if not self.head:
            return None
        self.last = self.gateway.conversations.last(self.tenant.name, self.head)
        if self.last is None:
            return None
        return self.gateway.admission.session(self.tenant.name, self.head)

    async def _serve(self) -> None:
        """Decide until something is done: served, or refused by an error."""
        gateway = self.gateway
        try:
            while True:
                decision = await self._decided()
                if not reserve(self, decision):
                    await reserve_soon(self, decision)
                try:
                    await self._sent(decision)
                except AnotherPlace as failed:
                    self._try_elsewhere(decision, failed)
                    continue
                return
        finally:
            gateway.leave(self.tenant)

    async def _decided(self) -> Decision:
        """Return a decision to run now; whoever waits for an hour or for room waits here."""
        gateway = self.gateway
        while True:
            assert self.request is not None
            self.board, self.snapshot, decision = gateway.decide(self.request, self.last)
            self.decision = decision
            if decision.action == "refuse":
                again_s = down_s(gateway, self.request)
                raise refusal_of(decision, self.board, now_s=gateway.now_s(), down_s=again_s)
            if decision.action == "defer":
                if not await gateway.holding.hold(self, decision):
                    self.request = msgspec.structs.replace(self.request, may_defer=False)
                continue
            if decision.queue_s > 0.0 and not gateway.has_room(decision):
                await queue(self, decision)
                continue
            return decision

    def _open(self, decision: Decision, seat: Seat | None) -> None:
        """Write OPEN: from now on whoever replays the journal knows of it.

        Raises:
            ApiError: 503 where the journal takes no more.
        """
        gateway = self.gateway
        self.opened_s = self.marked_s = gateway.now_s()
        self.first_s = 0.0
        try:
            gateway.journal.write(opened_record(self, decision, seat))
        except JournalFull as fault:
            self._give_back(decision)
            if not self.openings_count:
                self.opened_s = 0.0
            raise openai_error.unavailable(
                "journal_full",
                "Nothing more can be recorded now, so nothing more is served.",
                retry_s=5.0,
            ) from fault
        self.openings_count += 1

    async def _sent(self, decision: Decision) -> None:
        """Send it to its place, and relay what comes.

        Raises:
            AnotherPlace: where the place failed before the first byte of its answer.
        """
        gateway = self.gateway
        seat = gateway.pool.pick(decision.deployment)
        if seat is None:
            raise AnotherPlace(
                openai_error.unavailable("place_down", "The servers of this model are out now.")
            )
        self.seat, self.upstream_name = seat, seat.upstream.name
        self.served_model = seat.upstream.served_model
        try:
            self._open(decision, seat)
        except ApiError:
            seat.done("left")
            self.seat = None
            raise
        assert self.asked is not None
        call = call_of(gateway, self, decision, seat)
        if self.openings_count == 1:  # else it was held, or another place has failed
            gateway.tally.observe(
                "tokenergy_gateway_overhead_seconds", (), gateway.tick_s() - self.began_tick_s
            )
        try:
            exchange = await seat.client.open(call)
        except UpstreamFault as fault:
            seat.done("fault")
            self.seat = None
            slow = fault.kind in ("timeout", "connect_timeout")
            error = openai_error.upstream_timeout() if slow else openai_error.upstream_failed()
            raise AnotherPlace(error) from fault
        self.first_s = gateway.now_s()
        if verdict_of_status(exchange.status) == "fault":
            seat.done("fault")
            self.seat = None
            exchange.close()
            raise AnotherPlace(openai_error.upstream_failed())
        try:
            await relay(self, decision, exchange)
        finally:
            exchange.close()

    def _try_elsewhere(self, decision: Decision, failed: AnotherPlace) -> None:
        """Take back what was moved for a place that failed, and leave it out from now on.

        Raises:
            ApiError: where nothing is left to try, or too many have tried already.
        """
        gateway = self.gateway
        self._give_back(decision)
        gateway.tally.add("tokenergy_retries", (self.upstream_name,))
        assert self.request is not None
        without = without_failed(gateway, self.request, decision.deployment)
        if without is None or not gateway.retries.take():
            raise failed.error
        self.retries_count += 1
        self.request = msgspec.structs.replace(self.request, without=without, may_defer=False)

    def _give_back(self, decision: Decision) -> None:
        """Settle a decision that came to nothing: no tokens, no cost."""
        self.gateway.settle(self, decision, NO_USE)
        self.holdings = ()

    # ---- held ----

    async def begin_hold(self, decision: Decision) -> None:
        """Reserve and write down that it is held; the decision keeps its place in the plan."""
        if not reserve(self, decision):
            await reserve_soon(self, decision)
        self._open(decision, None)
        self.held_count += 1

    def end_hold(self, decision: Decision) -> None:
        """Give back what was held; it is decided again."""
        self._give_back(decision)

    # ---- the end ----

    def close(self, used: Used, *, outcome: Outcome, status: int) -> None:
        """Settle, and write CLOSE; the last byte may go out after it."""
        decision, gateway = self.decision, self.gateway
        assert decision is not None
        record = closed_record(self, decision, used, outcome=outcome, status=status)
        self.is_whole = outcome in ("completed", "drained")
        self.opened_s = 0.0
        if self.seat is not None:
            self.seat.done(verdict_of(outcome, status))
            self.seat = None
        gateway.settle(self, decision, used)
        count(gateway, self, record)
        try:
            self.closed_number = gateway.journal.write(record)
        except JournalFull as fault:
            raise openai_error.unavailable(
                "journal_full", "The answer could not be recorded, so it is not given."
            ) from fault

    def left(self) -> None:
        """Take note that the client has left; what runs for it is stopped, or drained."""
        if self.gone:
            return
        self.gone = True
        if self.row is not None and self.seat is not None:
            policy = self.gateway.plan.when_client_leaves.get(self.row.tier, "cancel")
            if policy == "drain" or self.keyed:  # whoever comes again with its key gets the answer
                return
        if self._task is not None:
            self._task.cancel()

    def overdue(self) -> None:
        """End it because it has taken longer than a request may."""
        self.late = True
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """End it because the gateway ends."""
        self.stopping = True
        if self._task is not None:
            self._task.cancel()

    def _end_early(self) -> None:
        """Write down how far a request came that was cancelled."""
        end_early(self)

    async def _tell(self, error: ApiError) -> None:
        """Tell the client why not, and write it down."""
        await tell(self, error)

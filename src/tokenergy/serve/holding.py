"""Held requests: flex work that waits for a cheaper interval with its connection open.

JSON simply answers late. A stream gets its head and a comment line every fifteen seconds, and from
then on an error can only be an event of it. Whoever is held has its OPEN and its reservation; a
client that leaves the hold frees both and costs nothing. At the begin of an interval the held are
let go in the order in which they came, a few each look, so that they do not find every place full
at once.
"""

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tokenergy.company.decision import Decision
from tokenergy.serve import openai_error
from tokenergy.serve.refusal import moment

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight
    from tokenergy.serve.gateway import Gateway

POLL_S: Final = 0.02
"""How often a request that waits for room looks again."""
POLLED_COUNT: Final = 16
"""Requests that look again in one `POLL_S`: each is decided anew, a twentieth of a millisecond."""
KEPT_LEFT_COUNT: Final = 64
"""Requests that have left the hold and are remembered until their hour."""
RELEASED_AT_ONCE_COUNT: Final = 16
"""Held requests that are let go at one look; a guess. A look is a tick of the gateway."""


@dataclass(order=True, slots=True)
class _Held:
    release_s: float
    arrival_s: float
    number: int
    free: "asyncio.Future[None]" = field(compare=False)


class Holding:
    """The requests that one worker holds.

    Attributes:
        queued_count: requests that wait for room, which are not held.
    """

    def __init__(self, gateway: "Gateway") -> None:
        """Hold nothing yet."""
        self._gateway = gateway
        self._heap: list[_Held] = []
        self._number = self._left_count = 0
        self.queued_count = 0
        self._by_tier: dict[str, int] = {}

    @property
    def count(self) -> int:
        """Requests held now."""
        return sum(self._by_tier.values())

    def by_tier(self) -> dict[str, int]:
        """Return requests held now, by tier."""
        return dict(self._by_tier)

    async def hold(self, flight: "Flight", decision: Decision) -> bool:
        """Hold a request until the interval it was deferred to.

        Returns:
            Whether it was held; False if it was held before and cannot be any longer: then it is
            decided a last time, to run now or not at all.

        Raises:
            ApiError: 429 at once where it cannot be held so long, or too many are.
        """
        gateway, limits = self._gateway, self._gateway.plan.limits
        assert flight.request is not None
        assert decision.release_s is not None
        now_s = gateway.now_s()
        held_s = decision.release_s - flight.request.arrival_s
        full = self.count >= limits.held_count
        if held_s > limits.hold_s or full or flight.batch:  # a line of a batch waits in its queue
            if flight.held_count:
                return False
            extra = {
                "next_admitted": {"start": moment(decision.release_s), "forecast": True},
                "alternatives": [{"service_tier": "batch"}],
                "hold_s": limits.hold_s,
                "held": full,
            }
            raise openai_error.no_room_in_time(
                retry_s=max(1.0, decision.release_s - now_s), extra=extra
            )
        await flight.begin_hold(decision)
        tier = flight.request.tier
        self._by_tier[tier] = self._by_tier.get(tier, 0) + 1
        self._number += 1
        free: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = _Held(decision.release_s, flight.request.arrival_s, self._number, free)
        heapq.heappush(self._heap, entry)
        try:
            await self._wait(flight, decision, free)
        finally:
            self._by_tier[tier] -= 1
            if free.cancelled() or free.cancel():
                self._forget()
        flight.end_hold(decision)
        return True

    async def _wait(
        self, flight: "Flight", decision: Decision, free: "asyncio.Future[None]"
    ) -> None:
        """Wait to be let go; a stream is told that it is still held."""
        assert flight.asked is not None
        assert decision.release_s is not None
        if not flight.asked.stream:
            await free
            return
        if not flight.outlet.began:
            await flight.outlet.head(200, self._gateway.telling.stream_head(flight, decision))
        said = f": deferred until {moment(decision.release_s)}\n\n".encode()
        every_s = self._gateway.plan.limits.heartbeat_s
        while True:
            await flight.outlet.write(said)
            done, _ = await asyncio.wait([free], timeout=every_s)
            if done:
                return

    def _forget(self) -> None:
        """Let go of those who have left, once they are most: else they stay until their hour."""
        self._left_count += 1
        if self._left_count > KEPT_LEFT_COUNT and 2 * self._left_count > len(self._heap):
            self._heap = [one for one in self._heap if not one.free.done()]
            heapq.heapify(self._heap)
            self._left_count = 0

    def release(self, now_s: float) -> None:
        """Let those go whose interval has begun, in order, a few at once."""
        let_go = 0
        while self._heap and self._heap[0].release_s <= now_s:
            held = heapq.heappop(self._heap)
            if held.free.done():
                self._left_count -= 1
                continue
            held.free.set_result(None)
            let_go += 1
            if let_go >= RELEASED_AT_ONCE_COUNT:
                return


async def queue(flight: "Flight", decision: Decision) -> None:
    """Wait a moment for room where a request is to go, as long as its promise allows.

    Raises:
        ApiError: 429 once it has waited that long.
    """
    gateway, request = flight.gateway, flight.request
    assert request is not None
    limit_s = decision.queue_s
    if request.deadline_s is not None:
        limit_s = min(limit_s, gateway.plan.limits.default_wait_s)
    if gateway.now_s() - request.arrival_s > limit_s:
        raise openai_error.overloaded(retry_s=max(1.0, limit_s))
    holding = gateway.holding
    holding.queued_count += 1
    try:  # the longer the queue, the longer until one of it looks again: all of it would be decided
        await asyncio.sleep(POLL_S * max(1.0, holding.queued_count / POLLED_COUNT))
    finally:
        holding.queued_count -= 1

"""One video's way through the gateway: as any request's, but that its answer is a job.

The row of a media workload counts its items in latent tokens; a job is one item. Its place must be
a simulated one: it takes as long as the board says, and nothing is drawn.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from tokenergy.company.decision import Decision
from tokenergy.company.serving.ports import KeyFacts
from tokenergy.company.serving.record import Outcome
from tokenergy.serve import openai_error
from tokenergy.serve.closing import Used
from tokenergy.serve.elsewhere import AnotherPlace
from tokenergy.serve.flight import Flight
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.openai_usage import UsageSeen
from tokenergy.serve.outlet import HeaderList, MemoryOutlet
from tokenergy.serve.pool import Seat
from tokenergy.serve.sending import used_of

if TYPE_CHECKING:
    from tokenergy.serve.gateway import Gateway

PATH: Final = "/v1/videos"
ENDPOINT: Final = "video"


class JobOutlet(MemoryOutlet):
    """Keeps the error of a job that did not begin, with its headers."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        super().__init__()
        self.headers: HeaderList = []

    async def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Keep a whole answer."""
        self.headers = headers
        await super().whole(status, headers, body)


class VideoFlight(Flight):
    """A job under way.

    Attributes:
        service_s: how long it takes to be made, once that is decided.
        used: what it came to; None before.
    """

    __slots__ = ("_began", "_pace_ratio", "service_s", "used")

    def __init__(
        self,
        gateway: "Gateway",
        outlet: JobOutlet,
        *,
        caller: KeyFacts,
        model: str,
        tier: str | None,
        began: Callable[[Decision, Seat | None], None],
        pace_ratio: float = 1.0,
    ) -> None:
        """Take what is asked for.

        Args:
            gateway: it goes through.
            outlet: keeps why it did not begin, or broke.
            caller: who asks.
            model: a model, or a ladder.
            tier: of the company, or a service tier of the API.
            began: called with its decision when it is held (no seat) and when it runs.
            pace_ratio: how much faster than the board says it is made, for demonstrations.
        """
        super().__init__(
            gateway,
            outlet,
            caller=caller,
            endpoint=PATH,
            body=msgspec.json.encode({"model": model}),
            request_id=gateway.new_id(),
            began_tick_s=gateway.tick_s(),
            tier=tier,
        )
        self._began, self._pace_ratio = began, pace_ratio
        self.service_s = 0.0
        self.used: Used | None = None

    async def _admit(self) -> None:
        """Count it in latent tokens: those of one item, known before it runs."""
        await super()._admit()
        assert self.request is not None
        assert self.row is not None
        self.endpoint = ENDPOINT
        load = self.row.workload
        tokens = max(1, round(load.output_tokens / load.items_per_request))
        self.request = replace(
            self.request,
            input_tokens=0,
            output_tokens=tokens,
            output_late_tokens=tokens,
            output_most_tokens=tokens,
        )

    def _open(self, decision: Decision, seat: Seat | None) -> None:
        """Write OPEN, and tell that it has begun."""
        super()._open(decision, seat)
        self._began(decision, seat)

    async def _sent(self, decision: Decision) -> None:
        """Wait as long as it takes to be made.

        Raises:
            ApiError: 501 where the place is a real server.
            AnotherPlace: where the place is out.
        """
        gateway, place = self.gateway, decision.candidate
        assert place is not None
        seat = gateway.pool.pick(decision.deployment)
        if seat is None:
            raise AnotherPlace(
                openai_error.unavailable("place_down", "The servers of this model are out now.")
            )
        if seat.upstream.kind != "simulated":
            seat.done("left")
            self._give_back(decision)
            raise ApiError(
                501, "video_not_supported", "Videos are made by simulated servers only, so far."
            )
        self.seat, self.upstream_name = seat, seat.upstream.name
        self.served_model = seat.upstream.served_model
        self.service_s = place.ttft_s / self._pace_ratio  # of media: to the finished item
        try:
            self._open(decision, seat)
        except ApiError:
            seat.done("left")
            self.seat = None
            raise
        await asyncio.sleep(self.service_s)
        self.first_s = gateway.now_s()
        usage = UsageSeen(0, 0, decision.output_tokens, 0, "reported")
        used = used_of(gateway, self, decision, usage, "stop")
        self.close(used, outcome="completed", status=200)
        self.used = used

    def _end_early(self) -> None:
        """Write down what a job took that was stopped; a clip that is not whole is not charged."""
        if not self.opened_s:
            return
        used, decision = Used(), self.decision
        outcome: Outcome = "cancelled" if self.gone else "interrupted"
        if self.seat is None:
            outcome = "left_the_hold" if self.gone else outcome
        elif decision is not None:
            passed_s = self.gateway.now_s() - self.opened_s
            share = min(1.0, passed_s / self.service_s) if self.service_s > 0.0 else 1.0
            tokens = round(share * decision.output_tokens)
            usage = UsageSeen(0, 0, tokens, 0, "counted")
            used = used_of(self.gateway, self, decision, usage, "")._replace(charge_nano_usd=0)
        try:
            self.close(used, outcome=outcome, status=499)
        except ApiError:  # the journal is full: its OPEN is settled at replay
            self.gateway.tally.add("tokenergy_errors", ("499", "journal_full"))

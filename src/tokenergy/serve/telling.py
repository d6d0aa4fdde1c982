"""What a client is told beside its answer: where it ran, why, at which price, what it took."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tokenergy.company.decision import Decision
from tokenergy.company.serving.plan import WorkerPlan
from tokenergy.company.serving.ports import RateTold
from tokenergy.serve.board_watch import BoardWatch
from tokenergy.serve.closing import Used
from tokenergy.serve.headers import our_header
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.outlet import HeaderList
from tokenergy.serve.refusal import moment
from tokenergy.units import NANO_USD_PER_USD

if TYPE_CHECKING:
    from tokenergy.company.board import Board
    from tokenergy.serve.flight import Flight

EVENTS: Final = (b"content-type", b"text/event-stream; charset=utf-8")
SERVICE_WORDS: Final = {"default": "default", "priority": "priority", "flex": "flex"}
HEADS_COUNT: Final = 256
"""Heads that are kept ready: one for each row, rung, place, action and reason of a board."""


class Telling:
    """Makes the headers of answers."""

    def __init__(self, plan: WorkerPlan, watch: BoardWatch) -> None:
        """Take what they are made from."""
        self.plan, self.watch = plan, watch
        self._heads: dict[tuple[str | int, ...], HeaderList] = {}

    def service_word(self, flight: "Flight") -> str:
        """Return OpenAI's word for the tier that was really given."""
        assert flight.row is not None
        return SERVICE_WORDS.get(flight.row.workload.service_tier, "flex")

    def answer_head(self, flight: "Flight", decision: Decision, used: Used) -> HeaderList:
        """Return our headers of a whole answer."""
        head = self._head(flight, decision)
        head.append((b"x-tokenergy-cost-usd", b"%.9f" % used.cost_usd))
        head.append((b"x-tokenergy-joules", b"%.6g" % used.use_j))
        return head

    def stream_head(
        self,
        flight: "Flight",
        decision: Decision,
        _upstream: Sequence[tuple[bytes, bytes]] = (),
    ) -> HeaderList:
        """Return the headers of a stream: what it takes is not known yet."""
        head = self._head(flight, decision)
        head += [EVENTS, (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        return head

    def _head(self, flight: "Flight", decision: Decision) -> HeaderList:
        """Return what every answer says: who, what, why, where, at which price."""
        key = (
            decision.board_id, decision.policy, decision.workload_index, decision.rung,
            decision.deployment, decision.action, decision.reason,
        )  # fmt: skip
        held = self._heads.get(key)
        if held is None:
            if len(self._heads) >= HEADS_COUNT:
                self._heads.clear()
            held = self._heads[key] = self._said(decision, flight.board)
        head = [(b"x-tokenergy-request-id", flight.request_id.encode()), *held]
        head += flight.rate_headers
        return head

    def _said(self, decision: Decision, board: "Board | None") -> HeaderList:
        place = decision.candidate
        said: HeaderList = [
            (b"x-tokenergy-decision", decision.action.encode()),
            (b"x-tokenergy-reason", decision.reason.encode()),
            our_header("model", decision.model),
            (b"x-tokenergy-policy", decision.policy.encode()),
            (b"x-tokenergy-board-id", decision.board_id.encode()),
        ]
        if board is not None:
            start = moment(board.start_s).encode()
            said.append((b"x-tokenergy-interval", start))
        if place is not None:
            said += [
                (b"x-tokenergy-marginal-usd-per-mtok", b"%.6g" % place.high_usd_per_mtok),
                (b"x-tokenergy-meter-tier", place.energy_tier.encode()),
            ]
            if not self.plan.hide_site:
                said.append(our_header("site", place.site))
        return said

    def detail(self, flight: "Flight", decision: Decision, used: Used) -> dict[str, Any]:
        """Return the object `tokenergy` of an answer, for who sent `x-tokenergy-detail: 1`."""
        return {
            "request_id": flight.request_id,
            "decision": decision.action,
            "reason": decision.reason,
            "site": None if self.plan.hide_site else decision.site,
            "model": decision.model,
            "cost_usd": used.cost_usd,
            "parts_usd": decision.parts_usd(),
            "charge_usd": used.charge_nano_usd / NANO_USD_PER_USD,
            "joules": used.use_j,
            "meter_tier": "modelled" if decision.candidate is None
            else decision.candidate.energy_tier,
            "usage_source": used.source,
            "board_id": decision.board_id,
            "policy": decision.policy,
        }  # fmt: skip

    def rate_headers(self, told: RateTold) -> tuple[tuple[bytes, bytes], ...]:
        """Return `x-ratelimit-*`: this worker's view."""
        rows = (
            (b"x-ratelimit-limit-requests", told.limit_requests),
            (b"x-ratelimit-remaining-requests", told.left_requests),
            (b"x-ratelimit-limit-tokens", told.limit_tokens),
            (b"x-ratelimit-remaining-tokens", told.left_tokens),
        )
        return tuple((name, b"%d" % value) for name, value in rows if value is not None)

    async def tell(self, flight: "Flight", error: ApiError) -> None:
        """Tell a client why it gets no answer."""
        if flight.gone or flight.outlet.ended:
            return
        if flight.outlet.began:
            await flight.outlet.end(error.event(flight.endpoint))
            return
        head: HeaderList = [*error.head(), *flight.rate_headers]
        head.append((b"x-tokenergy-request-id", flight.request_id.encode()))
        if flight.decision is not None:
            head.append((b"x-tokenergy-decision", flight.decision.action.encode()))
            head.append((b"x-tokenergy-reason", flight.decision.reason.encode()))
        await flight.outlet.whole(error.status, head, error.body())

"""Health: whether the loop turns, and whether requests would be served, with every reason."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.serve.side import Side
from tokenergy.serve.side_http import json_answer

Standing = Literal["ok", "degraded", "failed"]
ORDER: Final[tuple[Standing, ...]] = ("ok", "degraded", "failed")
WORDS: Final[Mapping[Standing, str]] = {
    "ok": "ready",
    "degraded": "degraded",
    "failed": "not_ready",
}
RETRY_S: Final = 1


class Reason(NamedTuple):
    """How one thing that serving needs stands.

    Attributes:
        name: of the thing.
        text: what is wrong; for operators only, since it may name servers. "" where all is well.
    """

    name: str
    standing: Standing
    text: str = ""


Probe = Callable[[], Reason]
"""Looks at one more thing, e.g. keys or leases; it must not wait."""


def readiness(side: Side, probes: tuple[Probe, ...] = ()) -> tuple[Reason, ...]:
    """Return how everything stands that serving needs."""
    return (_board(side), _journal(side), _servers(side), *(probe() for probe in probes))


def standing_of(reasons: tuple[Reason, ...]) -> Standing:
    """Return the worst of them."""
    return max((reason.standing for reason in reasons), key=ORDER.index, default="ok")


def health_routes(side: Side, probes: tuple[Probe, ...]) -> list[Route]:
    """Return the two addresses that a load balancer asks, without a key and without details."""

    async def healthz(_: Request) -> Response:
        return json_answer({"status": "ok"})

    async def readyz(_: Request) -> Response:
        return ready_answer(readiness(side, probes), details=False)

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]


def ready_answer(
    reasons: tuple[Reason, ...], *, details: bool, more: Mapping[str, Any] | None = None
) -> Response:
    """Return readiness as an answer: 503 where requests would not be served."""
    worst = standing_of(reasons)
    told = [
        {"name": one.name, "status": one.standing} | ({"reason": one.text} if details else {})
        for one in reasons
    ]
    failed = worst == "failed"
    return json_answer(
        {"status": WORDS[worst], "checks": told, **(more or {})},
        503 if failed else 200,
        headers={"retry-after": str(RETRY_S)} if failed else None,
    )


def _board(side: Side) -> Reason:
    """Return how the prices stand: stale ones still serve, visibly."""
    board, state = side.board, side.state
    if board is None or state is None:
        return Reason("board", "failed", "no prices came since the start")
    now_s = side.now_s()
    age = f"made {now_s - board.made_at_s:.0f} s ago, policy {board.policy}"
    if board.is_stale(now_s):
        return Reason("board", "degraded", f"stale: {age}")
    if state.safe_mode:
        return Reason("board", "degraded", f"safe mode: prices are not trusted; {age}")
    if board.policy == "reserve":
        return Reason("board", "degraded", f"by the reserve: {age}")
    return Reason("board", "ok")


def _journal(side: Side) -> Reason:
    """Return how the journal stands: full, nothing more can be served."""
    limit = side.plan.limits.journal_bytes
    held = side.journal.bytes_count
    if held >= limit:
        return Reason("journal", "failed", f"{held} bytes wait for the projector, limit {limit}")
    if held >= limit // 2:
        return Reason("journal", "degraded", f"{held} bytes wait for the projector of {limit}")
    return Reason("journal", "ok")


def _servers(side: Side) -> Reason:
    """Return how the upstreams stand: each served model needs one that is not out.

    One model without a server is `degraded`: the others are served, and no load balancer should
    take them away too.
    """
    state = side.state
    if state is None:
        return Reason("upstreams", "ok")  # the board's reason says enough
    down = {state.places[at] for at in state.down if at < len(state.places)}
    alive: dict[str, bool] = {}
    for upstream in side.plan.upstreams:
        up = upstream.deployment not in down
        alive[upstream.model] = alive.get(upstream.model, False) or up
    out = sorted(model for model, up in alive.items() if not up)
    if not alive or len(out) == len(alive):
        return Reason("upstreams", "failed", "no server of any model can be reached")
    if out:
        return Reason("upstreams", "degraded", f"no server of {', '.join(out)} can be reached")
    return Reason("upstreams", "ok")

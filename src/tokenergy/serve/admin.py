"""The operators' application, on a port of its own: metrics, and readiness in full."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tokenergy.serve.health import Probe, health_routes, readiness, ready_answer
from tokenergy.serve.side import Side
from tokenergy.serve.side_http import App, caller_of, faults, guarded

SCOPE = "admin"


def admin_app(
    side: Side,
    *,
    metrics: Callable[[], bytes],
    content_type: str,
    probes: tuple[Probe, ...] = (),
) -> App:
    """Return the application; every address but `/healthz` wants a key with scope `admin`.

    Args:
        side: the gateway.
        metrics: makes the exposition, of all workers.
        content_type: of the exposition.
        probes: look at what else serving needs.
    """

    async def told(request: Request) -> Response:
        caller_of(side, request, scope=SCOPE)
        return Response(metrics(), headers={"content-type": content_type})

    async def readyz(request: Request) -> Response:
        caller_of(side, request, scope=SCOPE)
        board = side.board
        more = {
            "company": side.plan.company,
            "now_s": side.now_s(),
            "clock_offset_s": side.plan.clock_offset_s,
            "board_id": None if board is None else board.board_id,
            "board_made_at_s": None if board is None else board.made_at_s,
            "price_version": side.plan.price_version,
        }
        return ready_answer(readiness(side, probes), details=True, more=more)

    healthz = health_routes(side, probes)[0]
    routes = [
        healthz,
        Route("/metrics", guarded(told), methods=["GET"]),
        Route("/readyz", guarded(readyz), methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers=faults())
    app.router.redirect_slashes = False
    return app

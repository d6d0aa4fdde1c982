"""Where a request may still go after its place has failed, and when to ask again if nowhere."""

from typing import TYPE_CHECKING

from tokenergy.company.request import Request
from tokenergy.serve.openai_error import ApiError

if TYPE_CHECKING:
    from tokenergy.serve.gateway import Gateway


class AnotherPlace(Exception):
    """The place failed before the first byte went out: the request may try another one."""

    def __init__(self, error: ApiError) -> None:
        """Keep what the client is told if there is no other."""
        super().__init__(error.message)
        self.error = error


def down_s(gateway: "Gateway", request: Request) -> float:
    """Return when a server that is out may be asked again."""
    board = gateway.board
    load = None if board is None else board.by_name.get(request.workload)
    names = [] if load is None else [d for rung in load.rungs for d in rung.at_name]
    waits = [wait_s for name in names if (wait_s := gateway.pool.wait_s(name)) is not None]
    return max(1.0, min(waits, default=1.0))


def without_failed(gateway: "Gateway", request: Request, deployment: str) -> frozenset[str] | None:
    """Return what a retry leaves out, or None where there is nowhere left to try."""
    board = gateway.board
    load = None if board is None else board.by_name.get(request.workload)
    if load is None:
        return None
    without = request.without | {deployment}
    down = gateway.pool.down_deployments()
    names = {name for rung in load.rungs for name in rung.at_name}
    if names - without - down:
        return without
    return request.without if deployment not in down and not request.without else None

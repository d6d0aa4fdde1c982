"""Ends of requests that got no answer: stopped, too late, refused, or broken by a fault of ours.

Whoever had an OPEN gets a CLOSE, whatever happened; whoever had none gets a REFUSED. A client that
still listens is told; nobody is charged for an answer of which not one byte was given.
"""

import logging
from typing import TYPE_CHECKING, Final

from tokenergy.company.serving.record import Outcome
from tokenergy.serve import openai_error
from tokenergy.serve.closing import Used, refused_record
from tokenergy.serve.openai_error import ApiError
from tokenergy.serve.relay import so_far

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight

LATER: Final = (429, 503)
"""Statuses on which a line of a batch stays in its queue: it was not refused."""
NO_USE: Final = Used()
"""What a request took that came to nothing."""
_log: Final = logging.getLogger("tokenergy")


def taken(flight: "Flight") -> Used:
    """Return what a request took that ends by us, not by its client."""
    if flight.seat is None:
        return NO_USE
    used = so_far(flight)
    return used if flight.outlet.began else used._replace(charge_nano_usd=0)


def end_early(flight: "Flight") -> None:
    """Write down how far a request came that was cancelled."""
    if not flight.opened_s:
        return
    held = flight.seat is None
    outcome: Outcome = "interrupted"
    used, status = taken(flight), 503
    if flight.gone:
        outcome = "left_the_hold" if held else "cancelled"
        used, status = NO_USE if held else so_far(flight), 499
    try:
        flight.close(used, outcome=outcome, status=status)
    except ApiError:  # the journal is full: its OPEN is settled at replay
        flight.gateway.tally.add("tokenergy_errors", (str(status), "journal_full"))


async def tell_stopping(flight: "Flight") -> None:
    """Tell a client that its request ends because the gateway does; a line of a batch is silent."""
    if not flight.batch:
        stopping = openai_error.unavailable("stopping", "This gateway is about to end.")
        await flight.gateway.telling.tell(flight, stopping)


async def tell(flight: "Flight", error: ApiError) -> None:
    """Tell the client why not; a request that had an OPEN is closed, others are refused."""
    gateway = flight.gateway
    if flight.openings_count:
        if flight.opened_s:
            used = taken(flight) if flight.late else NO_USE
            try:
                flight.close(used, outcome="failed", status=error.status)
            except ApiError as full:
                error = full
    elif not (flight.batch and error.status in LATER):
        gateway.refused(refused_record(flight, error), flight.decision)
    gateway.tally.add("tokenergy_errors", (str(error.status), error.code or ""))
    await gateway.telling.tell(flight, error)


async def fail(flight: "Flight", fault: Exception) -> None:
    """End a request that a fault of ours broke: nothing of it stays reserved, or under way."""
    log_fault(f"request {flight.request_id}", fault)
    if flight.seat is not None:
        flight.seat.done("left")
        flight.seat = None
    if flight.moved and not flight.opened_s and flight.decision is not None:
        flight.gateway.settle(flight, flight.decision, NO_USE)
    await tell(flight, openai_error.unexpected())


def log_fault(what: str, fault: Exception) -> None:
    """Log where something broke; its text may hold what a client wrote, so that it is left out."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" in {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    _log.error("%s: %s%s", what, type(fault).__name__, where)

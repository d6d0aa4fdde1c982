"""Verb: reserve the worst case of a request, of every account that pays for it."""

import asyncio
from typing import TYPE_CHECKING, Final

from tokenergy.company.decision import Decision
from tokenergy.company.serving.ports import StoreFault
from tokenergy.serve import openai_error
from tokenergy.serve.sending import wants_of

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight

AGAIN_S: Final = 0.11
"""A little longer than leases are not asked after they could not be (`store.leases`)."""
AGAIN_COUNT: Final = 5


def reserve(flight: "Flight", decision: Decision) -> bool:
    """Hold the worst case of every account that pays; the state moves with it.

    Returns:
        Whether the leases could be asked; else nothing is held, and nothing has moved.

    Raises:
        ApiError: 429 where an account cannot hold it.
    """
    gateway = flight.gateway
    wants = wants_of(gateway, flight, decision)
    if wants:
        try:
            told = gateway.leases.reserve(wants, now_s=gateway.now_s())
        except StoreFault:
            return False
        if told.lacking:
            raise openai_error.spend_limit(
                f"{told.lacking} cannot hold the worst case of this request.",
                extra={"account": told.lacking},
            )
        flight.holdings = told.holdings
    gateway.admitted(flight, decision)
    return True


async def reserve_soon(flight: "Flight", decision: Decision) -> None:
    """Try a few times more: another worker is at the leases, or their disk is slow.

    Raises:
        ApiError: as `reserve`; 503 where the leases cannot be asked for half a second.
    """
    for _ in range(AGAIN_COUNT):
        await asyncio.sleep(AGAIN_S)
        if reserve(flight, decision):
            return
    raise openai_error.unavailable(
        "budgets_unavailable", "Budgets cannot be reserved at the moment."
    )

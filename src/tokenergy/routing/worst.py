"""The worst case of an action, and whether the hard budgets can hold it."""

from typing import NamedTuple

from tokenergy.company.board import Board, Candidate
from tokenergy.routing.cost import USD_PER_TOKEN, most_input_tokens, worst_work_tokens
from tokenergy.routing.restraint import NOWHERE, Ask, Key, Option, option_of
from tokenergy.routing.state import State


class Worst(NamedTuple):
    """What a request uses at most, where it goes."""

    usd: float
    j: float


def worst_of(ask: Ask, option: Option) -> Worst:
    """Return the most that an action uses; later, at that interval's price and any place."""
    request, rung = ask.request, ask.load.rungs[option.rung]
    most = request.output_most_tokens or request.output_tokens
    if rung.cap_tokens is not None and rung.cap_tokens < most:
        most = rung.cap_tokens
    if not rung.candidates:
        return Worst(0.0, 0.0)
    place: Candidate = rung.candidates[option.position if option.position != NOWHERE else 0]
    work = worst_work_tokens(
        place,
        rho_ratio=ask.load.rho_ratio,
        input_most_tokens=most_input_tokens(request),
        most_tokens=most,
    )
    price = place.high_usd_per_mtok
    if option.position == NOWHERE:
        price = rung.ahead_usd_per_mtok[option.interval]
    return Worst(max(0.0, price * work * USD_PER_TOKEN), place.j_per_token * work)


def affordable(ask: Ask, key: Key, board: Board, state: State) -> bool:
    """Tell whether every lease of a request can hold an action's worst case."""
    worst = worst_of(ask, option_of(ask, key, board, state))
    for name in ask.request.budgets:
        lease, pacer = state.leases.get(name), state.pacers.get(name)
        if lease is None or pacer is None:
            continue
        if not lease.holds(worst.usd if pacer.pacing.unit == "usd" else worst.j):
            return False
    return True

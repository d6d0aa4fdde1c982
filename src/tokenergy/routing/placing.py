"""Placing: which of the places that cost the same a request goes to.

First rung and interval are chosen by the lowest cost, then the place inside the tie: the members
with a share in the dispatch, turned by a wheel; where nobody has one, those within 1 % of the
lowest, by free capacity. The place of the session's prefix goes first while it is not too far
ahead of its share (gateway sheet, sections 3.2 to 3.4).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tokenergy.company.board import OPEN_SHARE, TIE_SHARE, Rung, tie_edge_usd_per_mtok
from tokenergy.routing.capacity import free_shares, load_share, tie_shares
from tokenergy.routing.cost import Size
from tokenergy.routing.restraint import (
    NOWHERE,
    Ask,
    Key,
    Option,
    can_answer,
    option_at,
    removed_by,
)
from tokenergy.routing.state import State
from tokenergy.routing.ties import Wheel, fresh_wheel, turn_of

AFFINITY_CREDIT_RATIO: Final = -2.0
"""Credit, in largest requests, down to which the place of a session's prefix goes first."""

Seat = tuple[int, int]
"""Rung and position of a candidate."""
Tie = tuple[tuple[Seat, ...], tuple[str, ...], tuple[float, ...]]
"""Who shares a request: seats, their deployments in the same order, and weights."""


class Placed(NamedTuple):
    """Where a request goes.

    Attributes:
        option: the action, with the numbers of that place.
        tied: deployments that shared it.
        tied_share: their weights.
        by_affinity: whether its session's prefix decided.
    """

    option: Option
    tied: tuple[str, ...]
    tied_share: tuple[float, ...]
    by_affinity: bool


def placed(ask: Ask, option: Option, offers: list[Key], state: State) -> Placed:
    """Return the place of an action that runs now.

    Args:
        ask: the request.
        option: the best action, at its rung's cheapest place.
        offers: what each rung offers now: where the dispatch splits a workload over models that
            score the same, they share it too.
        state: loads, wheels, sessions.
    """
    rung_index = option.rung
    rung = ask.load.rungs[rung_index]
    seats, names, shares = _tie(ask, rung_index, option.size, option.position, state)
    if ask.load.splits and rung.planned and rung.cap_tokens is None:
        also = [each for each in offers if _splits(ask, each, option)]
        if also:
            seats, names, shares = _joined(ask, option, also, state)
    if len(seats) == 1 and seats[0] == (rung_index, option.position):
        # A place that is not the first by price was cheapest for its prefix.
        leads = option.position > 0 and rung.candidates[option.position].deployment == ask.affine
        return Placed(option, names, shares, leads)
    tokens = float(option.size.output_tokens)
    wheel = state.counts.wheels[ask.load.index].get(names) or fresh_wheel(len(names))
    chosen, by_affinity = seats[turn_of(wheel, shares, tokens)], False
    if ask.affine:
        affine: Seat = (rung_index, rung.at_name.get(ask.affine, NOWHERE))
        if affine in seats:
            if _may_lead(wheel, seats.index(affine), tokens):
                chosen, by_affinity = affine, True
        elif affine == (rung_index, option.position):
            # Not in the tie, and still the cheapest: the prefix saves more than the place costs.
            return Placed(option, (ask.affine,), (1.0,), True)
    if chosen == (rung_index, option.position):
        return Placed(option, names, shares, by_affinity)
    there = option_at(ask, chosen[0], option.size, chosen[1])
    if there.score_usd < 0.0 <= option.score_usd and not ask.load.must_serve:
        # Worth it at the cheapest place, not at this one.
        cheapest = rung.candidates[option.position].deployment
        return Placed(option, (cheapest,), (1.0,), cheapest == ask.affine)
    return Placed(there, names, shares, by_affinity)


def _may_lead(wheel: Wheel, at: int, tokens_count: float) -> bool:
    largest = max(wheel.largest_tokens, tokens_count)
    return wheel.credits_tokens[at] > AFFINITY_CREDIT_RATIO * largest


def _splits(ask: Ask, other: Key, best: Option) -> bool:
    rung = ask.load.rungs[-other[3]]
    near = best.score_usd - other[0] <= TIE_SHARE * abs(best.cost_usd)
    return near and -other[3] != best.rung and bool(rung.planned) and rung.cap_tokens is None


def _tie(ask: Ask, rung_index: int, size: Size, cheapest: int, state: State) -> Tie:
    """Return who shares a rung's work: seats, their names in order, and weights."""
    rung, busy = ask.load.rungs[rung_index], state.counts.busy
    if ask.plain and rung.planned and _all_open(ask, rung, size, busy):
        return rung.planned_seats, rung.planned_names, rung.planned_share
    positions = [
        position
        for position in rung.planned
        if can_answer(ask, rung.candidates[position], size)
        and not removed_by(ask, rung.candidates[position], state)
    ]
    members: tuple[int, ...]
    if positions:
        loads = [
            load_share(rung.candidates[at], busy[rung.candidates[at].place]) for at in positions
        ]
        first = _first_open(ask, rung, size, state)
        members, shares = tie_shares(rung, positions, loads, first_open=first)
    else:
        members = tuple(_near(ask, rung, size, cheapest, state))
        if len(members) == 1:
            only = rung.candidates[members[0]].deployment
            return ((rung_index, members[0]),), (only,), (1.0,)
        flying = [busy[rung.candidates[at].place] for at in members]
        shares = free_shares(rung, members, flying)
    names = tuple(rung.candidates[at].deployment for at in members)
    return tuple((rung_index, at) for at in members), names, shares


def _all_open(ask: Ask, rung: Rung, size: Size, busy: Sequence[int]) -> bool:
    """Tell at a glance whether every planned place takes its whole share of a plain request."""
    if ask.request.input_tokens + size.output_tokens > rung.least_context_tokens:
        return False
    for place, open_below in rung.planned_rows:  # noqa: SIM110 - half the time of all()
        if busy[place] >= open_below:
            return False
    return True


def _first_open(ask: Ask, rung: Rung, size: Size, state: State) -> int:
    """Return the cheapest candidate with load below 0.9 that may answer; `NOWHERE`: none."""
    for position, candidate in enumerate(rung.candidates):
        if not can_answer(ask, candidate, size) or removed_by(ask, candidate, state):
            continue
        if load_share(candidate, state.counts.busy[candidate.place]) < OPEN_SHARE:
            return position
    return NOWHERE


def _near(ask: Ask, rung: Rung, size: Size, cheapest: int, state: State) -> list[int]:
    """Return the open candidates within 1 % of the lowest price, the cheapest one among them."""
    found: list[int] = []
    lowest: float | None = None
    for position, row in enumerate(rung.rows):
        price = row[0]
        if lowest is not None and price > tie_edge_usd_per_mtok(lowest):
            break
        candidate = rung.candidates[position]
        if not can_answer(ask, candidate, size) or removed_by(ask, candidate, state):
            continue
        lowest = price if lowest is None else lowest
        found.append(position)
    return found if cheapest in found else [cheapest]


def _joined(ask: Ask, best: Option, also: list[Key], state: State) -> Tie:
    """Return who shares a workload that the dispatch splits over several rungs."""
    seats: list[Seat] = []
    names: list[str] = []
    weights: list[float] = []
    for rung_index, at in [(best.rung, best.position), *((-each[3], each[4]) for each in also)]:
        rung = ask.load.rungs[rung_index]
        part = sum(rung.candidates[planned].share for planned in rung.planned)
        mine, called, shares = _tie(ask, rung_index, best.size, at, state)
        seats.extend(mine)
        names.extend(called)
        weights.extend(share * part for share in shares)
    whole = sum(weights)
    return tuple(seats), tuple(names), tuple(weight / whole for weight in weights)

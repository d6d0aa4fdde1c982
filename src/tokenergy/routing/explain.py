"""Explain: every action of a request with its score, worked out anew from request, board, state.

What `decide` compares is little; this walks through all of it, for a reader: each rung at each of
its places, each rung in each interval ahead, and to refuse. The decision is among them.
"""

from dataclasses import dataclass
from typing import Final

from tokenergy.company.board import Board
from tokenergy.company.request import Request
from tokenergy.routing.decide import asked, permitted_rungs
from tokenergy.routing.restraint import (
    DOWN,
    FULL,
    NOWHERE,
    SLOW,
    Ask,
    Option,
    can_answer,
    has_room,
    later_at,
    latest_interval,
    option_at,
    removed_by,
    size_on,
)
from tokenergy.routing.state import State

REMOVED_WORDS: Final = {0: "", FULL: "full", DOWN: "down", SLOW: "outside its latency class"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAction:
    """One action and its numbers.

    Attributes:
        rung: index of the rung; -1: to refuse.
        model: the model that would answer.
        deployment: where; "" later, or refused.
        interval: of the board; 0: now.
        score_usd: value x quality - (1 + lambda) cost - joules at their price - wait.
        worth_usd: value x quality.
        cost_usd: expected cost.
        wait_usd: cost of waiting.
        removed: why it was not to be had; "": it was.
    """

    rung: int
    model: str
    deployment: str
    interval: int
    score_usd: float
    worth_usd: float
    cost_usd: float
    wait_usd: float
    removed: str


def explained(request: Request, board: Board, state: State) -> tuple[ScoredAction, ...]:
    """Return every action that the ladder allows, best first; those that were not to be had last.

    A request of a workload that the board does not know has none but to be refused.
    """
    nothing = ScoredAction(
        rung=NOWHERE,
        model="",
        deployment="",
        interval=0,
        score_usd=0.0,
        worth_usd=0.0,
        cost_usd=0.0,
        wait_usd=0.0,
        removed="",
    )
    load = board.by_name.get(request.workload)
    if load is None:
        return (nothing,)
    ask = asked(request, load, board, state)
    found = [nothing]
    for index in permitted_rungs(request, load):
        found += _now(ask, index, state)
        found += _later(ask, index, board, state)
    return tuple(sorted(found, key=lambda one: (one.removed != "", -one.score_usd)))


def _now(ask: Ask, index: int, state: State) -> list[ScoredAction]:
    rung = ask.load.rungs[index]
    size = size_on(ask, rung)
    found = []
    for position, candidate in enumerate(rung.candidates):
        removed = REMOVED_WORDS[removed_by(ask, candidate, state)]
        if not can_answer(ask, candidate, size):
            removed = "lacks a feature or the context"
        found.append(_scored(ask, option_at(ask, index, size, position), removed))
    return found


def _later(ask: Ask, index: int, board: Board, state: State) -> list[ScoredAction]:
    rung = ask.load.rungs[index]
    if not ask.request.may_defer or ask.load.service_tier == "priority":
        return []
    found = []
    for interval in range(1, latest_interval(ask.request, rung, board) + 1):
        option = later_at(ask, index, board, state, interval)
        room = has_room(ask, option.size, board, state, interval)
        found.append(_scored(ask, option, "" if room else "its places are taken"))
    return found


def _scored(ask: Ask, option: Option, removed: str) -> ScoredAction:
    rung = ask.load.rungs[option.rung]
    here = option.position != NOWHERE
    return ScoredAction(
        rung=option.rung,
        model=rung.model,
        deployment=rung.candidates[option.position].deployment if here else "",
        interval=option.interval,
        score_usd=option.score_usd,
        worth_usd=ask.value_usd * option.quality_share,
        cost_usd=option.cost_usd,
        wait_usd=option.wait_usd,
        removed=removed,
    )

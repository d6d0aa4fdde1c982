"""The one decision: the same function answers a request in the simulator and in the gateway.

Bid-price control over the tier's ladder (gateway sheet, section 3): serve, cap, downgrade, defer
or refuse, whichever is worth most at the board's prices. It is pure: no clock, no chance; the
same request, board and state give the same decision.
"""

from collections.abc import Sequence
from typing import Final

from tokenergy.company.board import TIE_SHARE, Board, BoardWorkload
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.errors import UnexpectedError
from tokenergy.routing.chosen import decision_of, refused
from tokenergy.routing.cost import USD_PER_TOKEN, Size
from tokenergy.routing.glance import glance
from tokenergy.routing.placing import placed
from tokenergy.routing.restraint import (
    FULL,
    UNAFFORDABLE,
    Ask,
    Key,
    later_key,
    now_scan,
    option_of,
    quick_key,
)
from tokenergy.routing.state import State
from tokenergy.routing.waiting import next_admitted, queued, reserve_key
from tokenergy.routing.why import Offers, runner_up, why_later, why_not, why_now, why_nowhere
from tokenergy.routing.worst import affordable
from tokenergy.units import TOKENS_PER_MTOK

HYSTERESIS_SHARE: Final = 0.05
"""Part of the cost now that waiting has to gain at least; a guess of the gateway sheet."""


def decide(request: Request, board: Board, state: State) -> Decision:
    """Return what is done about a request.

    The work grows with the ladder and the places of a rung, not with the intervals ahead.

    Raises:
        UnexpectedError: if the state was not refreshed with this board: a fault of the caller.
    """
    if state.places is not board.places and state.places != board.places:
        raise UnexpectedError(f"board {board.board_id}: the state counts by other places")
    load = board.by_name.get(request.workload)
    if load is None:
        return refused(request, board, reason="no_capable_deployment")
    if (plain := glance(request, load, board, state)) is not None:
        return plain
    return decided_at_length(request, load, board, state)


def decided_at_length(
    request: Request, load: BoardWorkload, board: Board, state: State
) -> Decision:
    """Return the decision on any request, plain or not."""
    ask = asked(request, load, board, state)
    if request.tenant in state.limited:
        return refused(request, board, reason="rate_limited", ask=ask)
    rungs = permitted_rungs(request, load)
    offers = offered(ask, rungs, board, state)
    now = offers.now[0] if offers.now else None
    queue_s = 0.0
    if now is None and offers.removed & FULL and (queue := queued(ask, rungs, state)):
        now, queue_s = queue.option.key, queue.most_s
    later = offers.later[0] if offers.later else None
    must = load.must_serve or ask.stale
    serves = now is not None and (must or now[0] >= 0.0 or is_planned(ask, now, board, state))
    if later is not None and waits(ask, later, now if serves else None, board, state):
        return decision_of(
            ask,
            board,
            option_of(ask, later, board, state),
            reason=why_later(offers),
            placed=None,
            runner=runner_up(offers.later, offers.now, may_refuse=not must),
            queue_s=0.0,
        )
    if now is None or not serves:
        return _refusal(ask, rungs, board, state, offers)
    place = placed(ask, option_of(ask, now, board, state), offers.now, state)
    return decision_of(
        ask,
        board,
        place.option,
        reason="place_full" if queue_s else why_now(ask, rungs, offers, place),
        placed=place,
        runner=runner_up(offers.now, offers.later, may_refuse=not must),
        queue_s=queue_s,
    )


def asked(request: Request, load: BoardWorkload, board: Board, state: State) -> Ask:
    """Return a request with what is the same for every action of it."""
    output = request.output_tokens
    value = request.value_usd
    if value is None:
        value = load.value_usd_per_request
        if value is None:
            per_mtok = load.value_usd_per_mtok or 0.0  # the board was checked: one is stated
            value = per_mtok * output / TOKENS_PER_MTOK
    spend, joules = 1.0, 0.0
    for name in request.budgets:
        if (pacer := state.pacers.get(name)) is not None:
            if pacer.pacing.unit == "usd":
                spend += pacer.lambda_usd_per_unit
            else:
                joules += pacer.lambda_usd_per_unit
    affine, cached, whole = "", 0, request.input_tokens
    if request.session is None:
        # A prefix of everybody's, such as a system prompt: it is cached everywhere.
        whole -= min(whole, request.cached_tokens or 0)
    elif (last := state.sessions.last(request.tenant, request.session)) is not None:
        affine = last.deployment
        held = last.prefix_tokens if request.cached_tokens is None else request.cached_tokens
        cached = min(held, whole)
    mean_tokens = load.rho_ratio * output
    size = size_later = Size(output, whole, 0, whole - mean_tokens)
    if cached:
        size = Size(output, whole - cached, cached, whole - cached - mean_tokens)
    return Ask(
        request, load, value, spend, joules, affine, size, size_later,
        state.safe_mode or board.is_stale(state.now_s),
        not (state.down or request.without or request.needs),
    )  # fmt: skip


def permitted_rungs(request: Request, load: BoardWorkload) -> Sequence[int]:
    """Return the rungs that may answer, best first: a model asked by its name is not swapped."""
    rungs = load.rungs
    if request.model is None and request.may_downgrade and request.may_cap:
        return range(len(rungs))
    asked = request.model or rungs[0].model
    found: list[int] = []
    below = False
    for index, rung in enumerate(rungs):
        below = below or rung.model == asked
        swapped = rung.model != asked
        capped = rung.cap_tokens is not None
        if below and (request.may_downgrade or not swapped) and (request.may_cap or not capped):
            found.append(index)
    return found


def offered(ask: Ask, rungs: Sequence[int], board: Board, state: State) -> Offers:
    """Return the actions that are left after the impossible ones are removed."""
    now: list[Key] = []
    later: list[Key] = []
    top = every = 0
    load, busy = ask.load, state.counts.busy
    hard = bool(state.leases) and bool(ask.request.budgets)
    glance = ask.plain and not hard and ask.joule_usd_per_j == 0.0
    holds = _may_wait(ask.request, load) and not state.safe_mode
    find = reserve_key if ask.stale else later_key
    for index in rungs:
        capable = True
        key = quick_key(ask, load.rungs[index], index, busy) if glance else None
        if key is None:
            key, first, removed, capable = now_scan(ask, index, state)
            if hard and key is not None and not affordable(ask, key, board, state):
                key, first, removed = None, UNAFFORDABLE, removed | UNAFFORDABLE
            if index == rungs[0]:
                top = first
            every |= removed
        if key is not None:
            now.append(key)
        if holds and capable:
            waiting = find(ask, index, board, state)
            if waiting is not None and (not hard or affordable(ask, waiting, board, state)):
                later.append(waiting)
    now.sort(reverse=True)
    later.sort(reverse=True)
    return Offers(now, later, top, every)


def _may_wait(request: Request, load: BoardWorkload) -> bool:
    return request.deadline_s is not None and request.may_defer and load.service_tier != "priority"


def is_planned(ask: Ask, now: Key, board: Board, state: State) -> bool:
    """Tell whether the left end admits what the right one would not.

    While less than the plan has been served so far, a token of the plan costs the left end.
    """
    if board.admission == "right":
        return False
    rung = ask.load.rungs[-now[3]]
    option = option_of(ask, now, board, state)
    low = rung.candidates[now[4]].low_usd_per_mtok * option.work_tokens * USD_PER_TOKEN
    if option.score_usd + ask.spend_ratio * (option.cost_usd - low) < 0.0:
        return False
    planned_tokens = ask.load.planned_mtok * TOKENS_PER_MTOK * _passed_share(board, state)
    return state.counts.served_tokens[ask.load.index] <= planned_tokens


def _passed_share(board: Board, state: State) -> float:
    """Return how much of the board's interval has passed."""
    return min(1.0, max(0.0, (state.now_s - board.start_s) / board.interval_s))


def waits(ask: Ask, later: Key, now: Key | None, board: Board, state: State) -> bool:
    """Tell whether waiting gains enough over running now, or over nothing at all.

    Time ties like space: at an optimum the hours that work is meant for cost the same, and the
    plan says how much goes where. So while no more than the plan has been served of this interval
    so far, waiting has to gain more than the hysteresis; when it is ahead of its plan a tie is
    enough. On a stale board no prices are compared: the reservation price has spoken.
    """
    if ask.stale:
        return True
    if now is None:
        return ask.load.must_serve or later[0] >= 0.0
    gain, load = later[0] - now[0], ask.load
    least_share = HYSTERESIS_SHARE
    if load.places_tokens:
        planned_tokens = load.places_tokens[0] * _passed_share(board, state)
        if state.counts.served_tokens[load.index] > planned_tokens:
            least_share = -TIE_SHARE
    if gain <= 0.0 and least_share > 0.0:
        return False
    return gain > least_share * abs(option_of(ask, now, board, state).cost_usd)


def _refusal(
    ask: Ask, rungs: Sequence[int], board: Board, state: State, offers: Offers
) -> Decision:
    """Return the refusal: nothing is there, or nothing is worth what it costs."""
    keys = [*offers.now, *offers.later]
    if not offers.now and (not keys or offers.removed & FULL):
        return refused(ask.request, board, reason=why_nowhere(offers), ask=ask)
    options = [option_of(ask, key, board, state) for key in keys]
    return refused(
        ask.request,
        board,
        reason=why_not(ask, options),
        ask=ask,
        best=max(options, key=lambda option: option.key),
        next_interval=next_admitted(ask, rungs, board),
    )

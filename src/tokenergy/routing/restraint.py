"""The actions that a ladder allows, and their scores (gateway sheet, section 3.1).

    score = value x quality - (1 + lambda) x cost - sum of lambda_k x use_k - wait

Each rung has at most two actions: now, at its cheapest open place, and later, in the cheapest
interval before the deadline that has room. Refusing scores 0. So a decision compares a few
actions, however many places and intervals there are. While they are compared an action is no
more than a `Key`; the one that is chosen is worked out as an `Option`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tokenergy.company.board import (
    Board,
    BoardWorkload,
    Candidate,
    Rung,
    tie_edge_usd_per_mtok,
)
from tokenergy.company.request import Request
from tokenergy.routing.cost import (
    USD_PER_TOKEN,
    Size,
    least_work_tokens,
    most_work_tokens,
    work_tokens,
)
from tokenergy.routing.state import State
from tokenergy.units import S_PER_H

NOWHERE: Final = -1
FULL: Final = 1
DOWN: Final = 2
SLOW: Final = 4
UNAFFORDABLE: Final = 8
"""Why an action was removed before scoring, as bits."""

Key = tuple[float, float, int, int, int]
"""Score, quality, minus the interval, minus the rung, position of the candidate (`NOWHERE`: later).

Keys sort as actions do: by score, then higher quality, then earlier, then the ladder.
"""
Scan = tuple[Key | None, int, int, bool]
"""What looking through a rung found: the action at the cheapest open place (None: none is open);
why the cheapest that could answer was passed over (0: it was not); every such reason, as bits;
and whether any could answer, were it up, near and not full."""


class Ask(NamedTuple):
    """One request with all that is the same for every action of it.

    Attributes:
        request: the request.
        load: its workload on the board.
        value_usd: what serving it at full quality is worth.
        spend_ratio: 1 + lambda of its money budgets.
        joule_usd_per_j: sum of lambda over its joule budgets.
        affine: deployment that holds its session's prefix; "": none does.
        size: the request where no rung caps it.
        size_later: the same in a later interval, when no prefix may be left.
        stale: whether no price may refuse or defer it: a stale board, or safe mode.
        plain: whether no candidate can lack a feature, be down, or have been failed on.
    """

    request: Request
    load: BoardWorkload
    value_usd: float
    spend_ratio: float
    joule_usd_per_j: float
    affine: str
    size: Size
    size_later: Size
    stale: bool
    plain: bool


class Option(NamedTuple):
    """One action with its numbers.

    Attributes:
        score_usd: see the top of the file.
        quality_share: of its rung.
        interval: that it runs in; 0: now.
        rung: index of its rung.
        position: candidate of the rung that it runs at; `NOWHERE` where it runs later.
        cost_usd, work_tokens: expected cost and the work behind it.
        use_j: expected joules.
        wait_usd: cost of waiting.
        size: the request on this rung.
    """

    score_usd: float
    quality_share: float
    interval: int
    rung: int
    position: int
    cost_usd: float
    work_tokens: float
    use_j: float
    wait_usd: float
    size: Size

    @property
    def key(self) -> Key:
        """The action among others."""
        return self.score_usd, self.quality_share, -self.interval, -self.rung, self.position


def size_on(ask: Ask, rung: Rung) -> Size:
    """Return how large a request is under a rung's cap."""
    cap = rung.cap_tokens
    return ask.size if cap is None else capped(ask.size, cap, ask.load.rho_ratio)


def capped(size: Size, cap_tokens: int, rho_ratio: float) -> Size:
    """Return a size with its output capped."""
    output, uncached, cached, _ = size
    if cap_tokens >= output:
        return size
    return Size(cap_tokens, uncached, cached, uncached - rho_ratio * cap_tokens)


def can_answer(ask: Ask, candidate: Candidate, size: Size) -> bool:
    """Tell whether a model has the features and the context that a request needs."""
    request = ask.request
    tokens = request.input_tokens + size.output_tokens
    if tokens > candidate.context_limit_tokens:
        return False
    return not request.needs or request.needs <= candidate.features


def removed_by(ask: Ask, candidate: Candidate, state: State) -> int:
    """Return why a place that could answer does not now; 0: it is open."""
    if not ask.plain and (
        candidate.place in state.down or candidate.deployment in ask.request.without
    ):
        return DOWN
    if candidate.latency_s > ask.load.ttft_limit_s:
        return SLOW
    slots = candidate.slots_count
    if state.counts.busy[candidate.place] >= slots:
        return FULL if slots > 0.0 else DOWN
    return 0


def now_scan(ask: Ask, index: int, state: State) -> Scan:
    """Return the action at the cheapest open place of a rung.

    Candidates are sorted by price, so the search ends where even the least work at the next price
    would cost as much as what was found. Where joules have a price of their own all are looked at.
    """
    rung = ask.load.rungs[index]
    size = size_on(ask, rung)
    output, _, cached, excess = size
    spend, joule, busy = ask.spend_ratio, ask.joule_usd_per_j, state.counts.busy
    checked = not ask.plain or ask.request.input_tokens + output > rung.least_context_tokens
    best, at, least = float("inf"), NOWHERE, -1.0
    first = removed = 0
    capable = False
    affine = rung.at_name.get(ask.affine, NOWHERE) if ask.affine else NOWHERE
    if affine >= 0:
        held = rung.candidates[affine]
        if can_answer(ask, held, size) and not removed_by(ask, held, state):
            best, at = _charge_usd(ask, rung, size, affine), affine
    for position, (price, kappa, place, slots, slow, use_j) in enumerate(rung.rows):
        if at >= 0 and joule == 0.0:
            if price < 0.0:
                if spend * price * _most_tokens(size, rung) >= best:
                    break
            else:
                if least < 0.0:
                    least = _least_tokens(size, rung)
                if spend * price * least >= best:
                    break
        if checked or slow or busy[place] >= slots:
            candidate = rung.candidates[position]
            if not can_answer(ask, candidate, size):
                continue
            if gone := removed_by(ask, candidate, state):
                capable = True
                removed |= gone
                if at < 0:
                    first = first or gone
                continue
        work = output + kappa * excess
        if work < 0.0:
            work = 0.0
        if position != affine:
            work += kappa * cached
        charge = (spend * price + joule * use_j) * work
        if charge < best:
            best, at = charge, position
    if at < 0:
        return None, first, removed, capable
    quality = rung.quality_share
    key = (ask.value_usd * quality - best, quality, 0, -index, at)
    return key, first, removed, True


def quick_key(ask: Ask, rung: Rung, index: int, busy: Sequence[int]) -> Key | None:
    """Return the same at a glance where it can be told: the first place is open and cheapest."""
    size = ask.size
    output, _, cached, excess = size
    if cached or not rung.steady or rung.cap_tokens is not None:
        return None
    price, kappa, place, slots, slow, _ = rung.rows[0]
    if (
        slow
        or busy[place] >= slots
        or ask.request.input_tokens + output > rung.least_context_tokens
    ):
        return None
    work = output + kappa * excess
    quality = rung.quality_share
    if work <= 0.0:
        return ask.value_usd * quality, quality, 0, -index, 0
    return ask.value_usd * quality - ask.spend_ratio * price * work, quality, 0, -index, 0


def _charge_usd(ask: Ask, rung: Rung, size: Size, position: int) -> float:
    """Return what a request costs, shadow prices in it, where its session's prefix is."""
    price, kappa, _, _, _, use_j = rung.rows[position]
    work = work_tokens(size, kappa, lost_tokens=0)
    return (ask.spend_ratio * price + ask.joule_usd_per_j * use_j) * work


def _least_tokens(size: Size, rung: Rung) -> float:
    """Return a work that no candidate of a rung goes below."""
    return least_work_tokens(
        size, least_kappa_ratio=rung.least_kappa_ratio, most_kappa_ratio=rung.most_kappa_ratio
    )


def _most_tokens(size: Size, rung: Rung) -> float:
    """Return a work that none goes above: where a price is below 0 that costs least."""
    return most_work_tokens(
        size, least_kappa_ratio=rung.least_kappa_ratio, most_kappa_ratio=rung.most_kappa_ratio
    )


def option_at(ask: Ask, index: int, size: Size, position: int) -> Option:
    """Return the action of running at one candidate of a rung now."""
    rung = ask.load.rungs[index]
    price, kappa, _, _, _, j_per_token = rung.rows[position]
    affine = rung.candidates[position].deployment == ask.affine
    work = work_tokens(size, kappa, lost_tokens=0 if affine else size.cached_tokens)
    charge = (ask.spend_ratio * price + ask.joule_usd_per_j * j_per_token) * work
    quality = rung.quality_share
    return Option(
        ask.value_usd * quality - charge, quality, 0, index, position,
        price * work, work, j_per_token * work, 0.0, size,
    )  # fmt: skip


def later_key(ask: Ask, index: int, board: Board, state: State) -> Key | None:
    """Return the action of waiting for the best interval before the deadline; None: there is none.

    The running minimum answers at once where that interval has room and waiting costs nothing: of
    those that tie with the cheapest the earliest. Else the intervals are walked in the order of
    price, until not even waiting for nothing could make the next one better.

    Args:
        ask: the request.
        index: the rung.
        board: the prices ahead.
        state: what is held already.
    """
    rung = ask.load.rungs[index]
    load, ahead = ask.load, rung.ahead_usd_per_mtok
    latest = latest_interval(ask.request, rung, board)
    if latest < 1:
        return None
    size = ask.size_later
    if rung.cap_tokens is not None:
        size = capped(size, rung.cap_tokens, load.rho_ratio)
    work = size[0] + rung.ahead_kappa_ratio * size[3]
    if work < 0.0:
        work = 0.0
    quality = rung.quality_share
    worth = ask.value_usd * quality - ask.joule_usd_per_j * rung.ahead_j_per_token * work
    spend = ask.spend_ratio * work * USD_PER_TOKEN
    wait_usd_per_h = load.wait_usd_per_h
    least = rung.least_upto[latest]
    places, held = load.places_tokens, state.counts.held_tokens
    if not wait_usd_per_h and (
        (not held and (not places or size[0] <= places[least]))  # the same as it asks, at a glance
        or has_room(ask, size, board, state, least)
    ):
        return worth - spend * ahead[least], quality, -least, -index, NOWHERE
    if not wait_usd_per_h:
        first = _earliest(ask, rung, size, board, state, latest)
        return (
            None if not first else (worth - spend * ahead[first], quality, -first, -index, NOWHERE)
        )
    best: Key | None = None
    for interval in rung.ahead_order:
        if interval > latest or not has_room(ask, size, board, state, interval):
            continue
        free = worth - spend * ahead[interval]
        if best is not None and best[0] > free:
            break  # the rest is as dear as this one, and this one loses before it has waited
        wait_usd = wait_usd_per_h * _wait_h(board, state, interval)
        key = (free - wait_usd, quality, -interval, -index, NOWHERE)
        if best is None or key > best:
            best = key
    return best


def _earliest(ask: Ask, rung: Rung, size: Size, board: Board, state: State, latest: int) -> int:
    """Return the earliest interval with room that ties with the cheapest one that has; 0: none."""
    ahead, found, edge = rung.ahead_usd_per_mtok, 0, float("inf")
    for interval in rung.ahead_order:
        if ahead[interval] > edge:
            break
        if interval > latest or (found and interval > found):
            continue
        if has_room(ask, size, board, state, interval):
            edge = min(edge, tie_edge_usd_per_mtok(ahead[interval]))
            found = interval
    return found


def later_at(ask: Ask, index: int, board: Board, state: State, interval: int) -> Option:
    """Return the action of running on a rung in an interval ahead."""
    rung = ask.load.rungs[index]
    size = ask.size_later
    if rung.cap_tokens is not None:
        size = capped(size, rung.cap_tokens, ask.load.rho_ratio)
    work = work_tokens(size, rung.ahead_kappa_ratio, lost_tokens=0)
    use_j = rung.ahead_j_per_token * work
    worth = ask.value_usd * rung.quality_share - ask.joule_usd_per_j * rung.ahead_j_per_token * work
    spend = ask.spend_ratio * work * USD_PER_TOKEN
    price = rung.ahead_usd_per_mtok[interval]
    wait_usd = ask.load.wait_usd_per_h * _wait_h(board, state, interval)
    return Option(
        worth - spend * price - wait_usd, rung.quality_share, interval, index, NOWHERE,
        price * work * USD_PER_TOKEN, work, use_j, wait_usd, size,
    )  # fmt: skip


def _wait_h(board: Board, state: State, interval: int) -> float:
    return (board.start_s + interval * board.interval_s - state.now_s) / S_PER_H


def has_room(ask: Ask, size: Size, board: Board, state: State, interval: int) -> bool:
    """Tell whether an interval has a place left of the planned release for one request more."""
    places_tokens = ask.load.places_tokens
    if not places_tokens:
        return True
    if interval >= len(places_tokens):
        return False
    held_tokens = 0.0
    if held := state.counts.held_tokens:
        key = (ask.load.index, board.start_s + interval * board.interval_s)
        held_tokens = held.get(key, 0.0)
    return held_tokens + size[0] <= places_tokens[interval]


def latest_interval(request: Request, rung: Rung, board: Board) -> int:
    """Return the last interval of the board in which an answer still meets its deadline; 0: none.

    Its service is reckoned slow: the 95th percentile of tokens at the slowest place.
    """
    if request.deadline_s is None:
        return 0
    tokens = request.output_late_tokens or request.output_tokens
    if rung.cap_tokens is not None:
        tokens = min(tokens, rung.cap_tokens)
    service_s = rung.service_ttft_s + tokens * rung.service_tpot_s
    ahead_s = request.deadline_s - service_s - board.start_s
    if ahead_s < board.interval_s:
        return 0
    return min(int(ahead_s // board.interval_s), len(rung.ahead_usd_per_mtok) - 1)


def option_of(ask: Ask, key: Key, board: Board, state: State) -> Option:
    """Return an action with its numbers."""
    _, _, sooner, higher, position = key
    if position == NOWHERE:
        return later_at(ask, -higher, board, state, -sooner)
    return option_at(ask, -higher, size_on(ask, ask.load.rungs[-higher]), position)

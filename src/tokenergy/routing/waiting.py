"""Waiting: for room at a full place, for a price, or for the next admitted interval."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tokenergy.company.board import Board, Rung
from tokenergy.routing.capacity import DEFAULT_PATIENCE_S, wait_s
from tokenergy.routing.cost import work_tokens
from tokenergy.routing.restraint import (
    FULL,
    Ask,
    Key,
    Option,
    can_answer,
    capped,
    later_at,
    latest_interval,
    option_at,
    removed_by,
    size_on,
)
from tokenergy.routing.state import State
from tokenergy.units import TOKENS_PER_MTOK

HELD_TIERS: Final = frozenset({"flex", "batch"})
"""Tiers that never queue for room: they are deferred."""


class Queued(NamedTuple):
    """A full place that has room soon enough.

    Attributes:
        option: the action there.
        most_s: longest that the request may wait for room.
    """

    option: Option
    most_s: float


def queued(ask: Ask, rungs: Sequence[int], state: State) -> Queued | None:
    """Return the full place with the shortest wait, best rung first; None: none is soon enough.

    Priority waits up to its limit of the time to first token, default up to seconds; flex and
    batch do not wait in a queue at all.
    """
    if ask.load.service_tier in HELD_TIERS:
        return None
    busy = state.counts.busy
    for rung_index in rungs:
        rung = ask.load.rungs[rung_index]
        size = size_on(ask, rung)
        best: tuple[float, int] | None = None
        most_s = 0.0
        for position, candidate in enumerate(rung.candidates):
            if not can_answer(ask, candidate, size) or removed_by(ask, candidate, state) != FULL:
                continue
            patience_s = DEFAULT_PATIENCE_S
            if ask.load.service_tier == "priority":
                patience_s = ask.load.ttft_limit_s - candidate.latency_s
            service_s = candidate.ttft_s + size.output_tokens * candidate.tpot_s
            waits_s = wait_s(candidate, in_flight_count=busy[candidate.place], service_s=service_s)
            if waits_s <= patience_s and (best is None or waits_s < best[0]):
                best, most_s = (waits_s, position), patience_s
        if best is not None:
            option = option_at(ask, rung_index, size, best[1])
            if option.score_usd >= 0.0 or ask.load.must_serve or ask.stale:
                return Queued(option, most_s)
    return None


def reserve_key(ask: Ask, rung_index: int, board: Board, state: State) -> Key | None:
    """Return the action of waiting one interval where prices are stale; None: run now.

    Work with k intervals left runs if the price is at or under the 1/(k + 1) quantile of last
    week's cheapest places: it needs no forecast (simulator sheet, section 8).
    """
    rung = ask.load.rungs[rung_index]
    present = max(0, int((state.now_s - board.start_s) // board.interval_s))
    left = latest_interval(ask.request, rung, board) - present
    known = rung.reservation_usd_per_mtok
    ahead = rung.ahead_usd_per_mtok
    if left < 1 or not known or present + 1 >= len(ahead):
        return None
    if ahead[present] <= known[int((len(known) - 1) / (left + 1))]:
        return None
    return later_at(ask, rung_index, board, state, present + 1).key


def next_admitted(ask: Ask, rungs: Sequence[int], board: Board) -> int | None:
    """Return the first interval ahead in which some rung would score above 0; None: none does.

    A forecast: it stands on the prices ahead and on the shadow prices of now. The running minimum
    falls with every interval, so that the first one below a price is found by halving.
    """
    found: int | None = None
    for rung_index in rungs:
        rung = ask.load.rungs[rung_index]
        interval = _first_below(rung, _most_usd_per_mtok(ask, rung))
        if interval is not None and (found is None or interval < found):
            found = interval
    return found


def _most_usd_per_mtok(ask: Ask, rung: Rung) -> float:
    """Return the price at which a request on a rung would score 0."""
    size = ask.size_later
    if rung.cap_tokens is not None:
        size = capped(size, rung.cap_tokens, ask.load.rho_ratio)
    work = work_tokens(size, rung.ahead_kappa_ratio, lost_tokens=0)
    use_j = rung.ahead_j_per_token * work
    worth = ask.value_usd * rung.quality_share - ask.joule_usd_per_j * use_j
    spend = ask.spend_ratio * work
    if spend <= 0.0:
        return float("inf") if worth > 0.0 else float("-inf")
    return worth / spend * TOKENS_PER_MTOK


def _first_below(rung: Rung, price_usd_per_mtok: float) -> int | None:
    ahead, least = rung.ahead_usd_per_mtok, rung.least_upto
    low, high = 1, len(ahead)
    while low < high:
        middle = (low + high) // 2
        if ahead[least[middle]] < price_usd_per_mtok:
            high = middle
        else:
            low = middle + 1
    return low if low < len(ahead) else None

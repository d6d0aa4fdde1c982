"""Capacity inside the interval: a board is minutes old, queues are not (gateway sheet, 3.3).

`load = in flight / (awake replicas x SLO batch)`. Below 0.9 a place is open; up to 1 it takes a
falling part of its share; from 1 on it is closed. What a place gives up goes to the open ones in
the order of cost. Both thresholds are guesses to be checked.
"""

from collections.abc import Sequence
from typing import Final

from tokenergy.company.board import OPEN_SHARE, Candidate, Rung

FULL_SHARE: Final = 1.0
"""Load from which it takes nothing."""
DEFAULT_PATIENCE_S: Final = 5.0
"""Longest that a request of the default tier waits for room: seconds, and for capacity only."""


def load_share(candidate: Candidate, in_flight_count: int) -> float:
    """Return how full a place is; inf where all its replicas are asleep."""
    slots = candidate.slots_count
    return in_flight_count / slots if slots > 0.0 else float("inf")


def open_share(load_share: float) -> float:
    """Return which part of its share a place of that load still takes, 0 to 1."""
    if load_share < OPEN_SHARE:
        return 1.0
    if load_share >= FULL_SHARE:
        return 0.0
    return (FULL_SHARE - load_share) / (FULL_SHARE - OPEN_SHARE)


def wait_s(candidate: Candidate, *, in_flight_count: int, service_s: float) -> float:
    """Return how long a request waits for room at a full place.

    Everybody in flight is served for `service_s`, evenly spread, so that one slot becomes free
    every `service_s / slots`; as many must as are in flight beyond the slots, and one more.
    """
    slots = candidate.slots_count
    if slots <= 0.0:
        return float("inf")
    return max(0.0, in_flight_count + 1 - slots) * service_s / slots


def tie_shares(
    rung: Rung, positions: Sequence[int], loads_share: Sequence[float], *, first_open: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the places that share a request, and their weights, which sum to 1.

    Args:
        rung: whose candidates they are.
        positions: candidates with a share that may answer it and are not closed.
        loads_share: their loads.
        first_open: the cheapest candidate with load below 0.9 that may answer it; -1: none. It
            takes what the others give up, the closed ones' shares among it.
    """
    weights = [
        rung.candidates[at].share * open_share(load)
        for at, load in zip(positions, loads_share, strict=True)
    ]
    members = list(positions)
    total = sum(rung.candidates[at].share for at in rung.planned)
    if first_open >= 0:
        given_up = total - sum(weights)
        if first_open in members:
            weights[members.index(first_open)] += given_up
        elif given_up > 1e-12 * total:
            members.append(first_open)
            weights.append(given_up)
    whole = sum(weights)
    return tuple(members), tuple(weight / whole for weight in weights)


def free_shares(
    rung: Rung, positions: Sequence[int], in_flight_count: Sequence[int]
) -> tuple[float, ...]:
    """Return weights by free capacity, for a tie in which nobody has a share; they sum to 1."""
    free = [
        max(0.0, min(rung.candidates[at].slots_count, 1e12) - busy)
        for at, busy in zip(positions, in_flight_count, strict=True)
    ]
    whole = sum(free)
    if whole <= 0.0:
        return tuple(1.0 / len(free) for _ in free)
    return tuple(each / whole for each in free)

"""How full each place is, as each workload sees it.

A replica holds so many requests of one workload alone, and another number of another's: sixty long
ones or two hundred short ones. So a request fills the part `1 / slots` of its place, and a workload
sees the sum of the parts in requests of its own: a place that is half full of short ones looks half
full to the long ones too. Where a place serves one workload this is the plain count, and costs
nothing.
"""

from math import isfinite

from tokenergy.company.board import Board
from tokenergy.routing.state import Counts


class Room:
    """What fills the places of one worker's gateway."""

    def __init__(self, places_count: int) -> None:
        """Begin empty, without a board."""
        self._load = [0.0] * places_count
        self._slots: list[dict[int, float]] = []
        self._mixed = False

    def refreshed(self, board: Board) -> None:
        """Take the slots of another board; what is under way keeps the part it was let in with."""
        self._slots = []
        seen: dict[int, float] = {}
        self._mixed = False
        for load in board.workloads:
            mine: dict[int, float] = {}
            for rung in load.rungs:
                for one in rung.candidates:
                    mine[one.place] = one.slots_count
                    if seen.setdefault(one.place, one.slots_count) != one.slots_count:
                        self._mixed = True
            self._slots.append(mine)

    def part(self, workload: int, place: int) -> float:
        """Return the part of a place that a request of a workload fills; 0: it has no end."""
        slots = self._slots[workload].get(place, 0.0) if workload < len(self._slots) else 0.0
        return 1.0 / slots if slots > 0.0 and isfinite(slots) else 0.0

    def add(self, place: int, part: float) -> None:
        """Let a request in (part above 0) or out (below)."""
        self._load[place] = max(0.0, self._load[place] + part)

    def seen_by(self, workload: int, counts: Counts) -> Counts:
        """Return the counts as a workload sees them.

        What engines and other workers tell is a number of requests: they are taken to be such as
        ours are at the same place.
        """
        if not self._mixed or workload >= len(self._slots):
            return counts
        busy = list(counts.busy)
        for place, slots in self._slots[workload].items():
            mine = counts.in_flight[place]
            if mine and isfinite(slots):
                each = self._load[place] / mine
                busy[place] = round(counts.busy[place] * each * slots)
        return counts._replace(busy=tuple(busy))

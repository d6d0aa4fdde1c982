"""The best possible: what every policy is held against, and how it is known.

One program of the whole horizon is the clairvoyant. Where that is too large it is not solved:
windows with foresight, end to end, are a dispatch that nobody without it can be held to, and
the duals of their rows prove what no dispatch can go below (`dispatch/bound`).
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from tokenergy.dispatch.bound import (
    COMMIT_H,
    OVERLAP_H,
    Bound,
    Piece,
    clairvoyant_bound,
    foresight,
)
from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import Action, State, World

Method = Literal["whole_horizon_program", "certified_lower_bound"]
WHOLE_ROWS: Final = 400_000
"""Rows of the horizon's program above which it is not solved whole: half a year of ten sites.
90 days of Meridian (203 k rows) take 38 s by simplex, and the time grows faster than the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestPossible:
    """What a horizon costs at least, and how that was found.

    Attributes:
        method: the optimum of one program of the whole horizon, or a bound by duality.
        cost_usd: what regret is counted from; no dispatch costs less.
        gap_share: how far the dispatch that stands for the clairvoyant lies above it, of it.
        rows_count: rows of the whole horizon's program.
    """

    method: Method
    cost_usd: float
    gap_share: float
    rows_count: int


class Foresight:
    """Windows with perfect foresight, end to end: where one program would be too large."""

    name = "clairvoyant"
    plans_once = True

    def __init__(
        self, world: World, *, commit_h: float = COMMIT_H, overlap_h: float = OVERLAP_H
    ) -> None:
        """Solve every window once: each acts for `commit_h` and sees `overlap_h` further."""
        start = State.initial(world)
        self._world = world
        self.pieces: tuple[Piece, ...] = tuple(
            foresight(world, start, commit_h=commit_h, overlap_h=overlap_h)
        )
        self._begins = [piece.begin for piece in self.pieces]

    def bound(self) -> Bound:
        """Return between what limits the best possible lies, proved by duality."""
        return clairvoyant_bound(self._world, solved=self.pieces)

    def piece_at(self, at: int) -> Piece:
        """Return the window that acts in interval `at`."""
        return self.pieces[bisect_right(self._begins, at) - 1]

    def decide(self, at: int, state: State) -> Action:
        """Return what its window does in interval `at`, and its prices."""
        piece = self.piece_at(at)
        optimum, inside = piece.optimum, at - piece.begin
        return replace(
            optimum.action(inside, self.name),
            asked_usd_per_mtok=asked_usd_per_mtok(self._world, optimum, inside),
            mw_rent_usd_per_mwh=np.maximum(0.0, -optimum.reduced("meter_import", inside)),
        )


def horizon_rows(world: World) -> tuple[int, bool]:
    """Return the rows of the whole horizon's program, and whether contracts stand over all of it.

    Such a program falls into no windows: it is solved whole, however large.
    """
    window = true_window(world, begin=world.first, count=min(2, world.count))
    program = WindowModel(world, window, State.initial(world)).program
    blocks = (*program.columns.values(), *program.rows.values())
    return program.rows_per_slot * world.count, any(block.whole for block in blocks)


def too_large(world: World, *, most_rows: int = WHOLE_ROWS) -> bool:
    """Tell whether the clairvoyant of a horizon is bounded by windows instead of solved whole."""
    rows_count, coupled = horizon_rows(world)
    return rows_count > most_rows and not coupled


def best_possible(world: World, clairvoyant_usd: float, bound: Bound | None) -> BestPossible:
    """Return what regret is counted from.

    Args:
        world: the company on its horizon.
        clairvoyant_usd: what the run of the clairvoyant cost.
        bound: what was proved where the horizon is too large; None: it was solved whole.
    """
    rows_count, _ = horizon_rows(world)
    if bound is None:
        return BestPossible(
            method="whole_horizon_program",
            cost_usd=clairvoyant_usd,
            gap_share=0.0,
            rows_count=rows_count,
        )
    lower_usd = bound.lower_usd
    return BestPossible(
        method="certified_lower_bound",
        cost_usd=lower_usd,
        gap_share=(clairvoyant_usd - lower_usd) / max(1.0, abs(lower_usd)),
        rows_count=rows_count,
    )

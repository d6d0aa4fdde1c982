"""Whole steps and openings chosen by branching: each branch a warm re-solve, its bound a proof.

The relaxation bounds the cost from below. Branch on the whole column that is furthest from whole,
the branch with the least bound first; a branch whose bound reaches the best plan found is closed.
The first plans come from rounding: every step up, then every step to its nearest. It ends at the
gap that is asked, or after a count of branches: a count, no clock, so that the same program has
the same answer.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tokenergy.errors import InfeasibleProgram
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import FloatArray, IntArray
from tokenergy.lp.solution import Solution

WHOLE: Final = 1e-6
"""How far from whole a column may be and still be called so."""
MOST_BRANCHES: Final = 400
Told = Callable[[float, float], None]
"""Told (lower bound, best plan so far; infinite without one), USD."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branched:
    """The best plan with whole numbers that was found.

    Attributes:
        solution: with the whole numbers held.
        lower_usd: no plan with whole numbers costs less.
        branches_count: programs that were solved.
    """

    solution: Solution
    lower_usd: float
    branches_count: int


@dataclass(order=True, slots=True)
class _Branch:
    lower_usd: float
    number: int
    low: FloatArray = field(compare=False)
    high: FloatArray = field(compare=False)
    parts: FloatArray = field(compare=False)


class _Tree:
    """A model whose whole columns are held between other bounds, branch by branch."""

    def __init__(
        self,
        model: LinearModel,
        integers: IntArray,
        costs: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
    ) -> None:
        self._model, self._integers, self._costs = model, integers, costs
        self._lower, self._upper = lower, upper
        self.best: Solution | None = None
        self.solved_count = 0

    @property
    def upper_usd(self) -> float:
        """Cost of the best plan so far."""
        return float("inf") if self.best is None else self.best.objective_usd

    def solve(self, low: FloatArray, high: FloatArray) -> Solution | None:
        """Return the optimum between bounds of the whole columns; None: there is none."""
        if np.any(low > high):
            return None
        self.solved_count += 1
        lower, upper = self._lower.copy(), self._upper.copy()
        lower[self._integers], upper[self._integers] = low, high
        self._model.set_costs_and_bounds(self._costs, lower, upper)
        try:
            solution = self._model.solve()
        except InfeasibleProgram:
            return None
        parts = solution.columns[self._integers]
        whole = np.abs(parts - np.round(parts)).max(initial=0.0) <= WHOLE
        if whole and solution.objective_usd < self.upper_usd:
            self.best = solution
        return solution

    def release(self) -> None:
        """Give the columns their own bounds again."""
        self._model.set_costs_and_bounds(self._costs, self._lower, self._upper)


def choose_whole(
    model: LinearModel,
    integers: IntArray,
    *,
    costs: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    gap_share: float,
    most_branches: int = MOST_BRANCHES,
    told: Told | None = None,
) -> Branched:
    """Choose the whole numbers of a program that holds few of them.

    Args:
        model: the program without whole numbers, hot or cold.
        integers: numbers of the columns that are whole.
        costs: of all columns.
        lower: bounds of all columns.
        upper: likewise.
        gap_share: how far the best plan may lie above the bound, over its cost.
        most_branches: programs solved at most.
        told: told after each.

    Raises:
        InfeasibleProgram: if no plan was found, whole or not.
    """
    tree = _Tree(model, integers, costs, lower, upper)
    try:
        low, high = lower[integers], upper[integers]
        root = tree.solve(low, high)
        if root is None:
            raise InfeasibleProgram("no point satisfies the rows of the program")
        for rounding in (np.ceil, np.round):
            near = np.clip(rounding(root.columns[integers] - WHOLE), low, high)
            tree.solve(near, near)
        proved_usd = _searched(tree, root, integers, (low, high), gap_share, most_branches, told)
        if tree.best is None:
            raise InfeasibleProgram("no whole numbers satisfy the rows of the program")
        return Branched(
            solution=tree.best,
            lower_usd=min(proved_usd, tree.upper_usd),
            branches_count=tree.solved_count,
        )
    finally:
        tree.release()


def _searched(
    tree: _Tree,
    root: Solution,
    integers: IntArray,
    bounds: tuple[FloatArray, FloatArray],
    gap_share: float,
    most_branches: int,
    told: Told | None,
) -> float:
    """Search the tree; return what no plan in it costs less than."""
    parts = root.columns[integers]
    waiting = [_Branch(root.objective_usd, 0, bounds[0], bounds[1], parts)]
    while waiting:
        proved_usd = waiting[0].lower_usd
        if told is not None:
            told(proved_usd, tree.upper_usd)
        close_usd = gap_share * max(1.0, abs(tree.upper_usd)) if tree.best is not None else 0.0
        if tree.upper_usd - proved_usd <= close_usd or tree.solved_count >= most_branches:
            return proved_usd
        branch = heapq.heappop(waiting)
        apart = np.abs(branch.parts - np.round(branch.parts))
        at = int(np.argmax(apart))
        if apart[at] <= WHOLE:
            continue  # it was the best of its kind, and is kept
        for side in (0, 1):
            low, high = branch.low.copy(), branch.high.copy()
            if side == 0:
                high[at] = np.floor(branch.parts[at])
            else:
                low[at] = np.ceil(branch.parts[at])
            found = tree.solve(low, high)
            if found is not None and found.objective_usd < tree.upper_usd - WHOLE * close_usd:
                lower_usd = max(branch.lower_usd, found.objective_usd)
                fresh = _Branch(lower_usd, tree.solved_count, low, high, found.columns[integers])
                heapq.heappush(waiting, fresh)
    return tree.upper_usd

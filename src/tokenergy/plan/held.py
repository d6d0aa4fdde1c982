"""A solved program that is moved a little and solved again: how a plan's questions are answered.

Both ends of a worth come from here: the optimum a step further along a direction, and its duals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tokenergy.errors import InfeasibleProgram
from tokenergy.lp.highs import LinearModel, Solution
from tokenergy.lp.program import FloatArray, IntArray

KINK_SHARE: Final = 1e-3
"""Agreement at which no kink within the step can hide a move of 1 %."""
HALVINGS_MOST: Final = 10
BARRED_RATIO: Final = 1e-3
"""What is left of a step that has no plan: a proof of that takes longer than an optimum."""
LEAST_USD: Final = 1e-6
"""A worth below this, over the horizon and for one unit, is 0."""


def _none() -> IntArray:
    return np.zeros(0, dtype=np.int64)


def _nothing() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Direction:
    """What one unit more of something changes in a program.

    Attributes:
        columns, lower, upper: numbers of columns, and what is added to their bounds.
        rows, row_lower, row_upper: likewise of rows.
        held: numbers of the columns that are first held where the optimum has them: a size is
            chosen, and moved bounds alone would not move it.
        wholes, whole_steps: columns of whole numbers, and what is added to what they settled on.
        opens: columns of a yes or no that are yes on the whole way: what that costs is no part of
            a unit.
        fixed_usd: what it costs beside the columns.
    """

    columns: IntArray
    lower: FloatArray
    upper: FloatArray
    rows: IntArray = field(default_factory=_none)
    row_lower: FloatArray = field(default_factory=_nothing)
    row_upper: FloatArray = field(default_factory=_nothing)
    held: IntArray = field(default_factory=_none)
    wholes: IntArray = field(default_factory=_none)
    whole_steps: FloatArray = field(default_factory=_nothing)
    opens: IntArray = field(default_factory=_none)
    fixed_usd: float = 0.0

    @classmethod
    def of_size(cls, column: int, *, moved_sign: float = -1.0) -> "Direction":
        """Return the direction of a size that one column chooses.

        Args:
            column: number of the column.
            moved_sign: by how much it moves for one unit more: -1 where it counts what is not
                built.
        """
        moved, at = np.array([moved_sign]), np.array([column])
        return cls(columns=at, lower=moved, upper=moved, held=at)

    @classmethod
    def between(
        cls,
        before: Sequence[FloatArray],
        after: Sequence[FloatArray],
        *,
        units_quantity: float,
        fixed_usd: float = 0.0,
    ) -> "Direction":
        """Return the direction from one program's bounds to another's of the same form.

        Args:
            before: lower and upper bounds of columns, then of rows.
            after: those of the program with `units_quantity` units more.
            units_quantity: how many units lie between them.
            fixed_usd: what a unit costs beside the columns.
        """
        steps = [_apart(a, b) / units_quantity for a, b in zip(before, after, strict=True)]
        columns = ((steps[0] != 0.0) | (steps[1] != 0.0)).nonzero()[0]
        rows = ((steps[2] != 0.0) | (steps[3] != 0.0)).nonzero()[0]
        return cls(
            columns=columns,
            lower=steps[0][columns],
            upper=steps[1][columns],
            rows=rows,
            row_lower=steps[2][rows],
            row_upper=steps[3][rows],
            fixed_usd=fixed_usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a worth, over the horizon.

    Attributes:
        usd_per_unit: what a unit saves, its own annuity apart; None where the step cannot be
            taken at all.
        step_quantity: the step, below 0 where it was taken back.
        apart_share: how far the derivative there and the quotient of the optima differ.
    """

    usd_per_unit: float | None
    step_quantity: float = 0.0
    apart_share: float = 0.0


class Held:
    """A program that is solved and hot, to be moved a little and solved again."""

    def __init__(
        self, model: LinearModel, solution: Solution, *, integers: IntArray | None = None
    ) -> None:
        """Keep the optimum's bounds and basis.

        Args:
            model: the program, at the basis of its optimum.
            solution: the optimum.
            integers: numbers of columns of whole numbers, which stay as the optimum has them.
        """
        self.model, self.solution = model, solution
        if solution.integer:
            model.settle_integers(solution)
        self._basis = self._last = model.basis()
        posed = model.posed()
        bounds = (posed.lower, posed.upper, posed.row_lower, posed.row_upper)
        lower, upper, row_lower, row_upper = (each.copy() for each in bounds)
        if integers is not None:
            lower[integers] = upper[integers] = np.round(solution.columns[integers])
        self._bounds = (lower, upper, row_lower, row_upper)
        self.costs = posed.costs.copy()

    def moved(self, direction: Direction, units_quantity: float) -> Solution:
        """Solve with `units_quantity` units more (less, where below 0), and put all back.

        Raises:
            InfeasibleProgram: if there is no such point.
        """
        lower, upper, row_lower, row_upper = (each.copy() for each in self._bounds)
        lower[direction.held] = upper[direction.held] = self.solution.columns[direction.held]
        lower[direction.columns] += units_quantity * direction.lower
        upper[direction.columns] += units_quantity * direction.upper
        row_lower[direction.rows] += units_quantity * direction.row_lower
        row_upper[direction.rows] += units_quantity * direction.row_upper
        for bound in (lower, upper):
            bound[direction.wholes] += units_quantity * direction.whole_steps
            bound[direction.opens] = 1.0
        return self.solved(self.costs, (lower, upper, row_lower, row_upper))

    def solved(
        self,
        costs: FloatArray,
        bounds: Sequence[FloatArray] | None = None,
        *,
        onward: bool = False,
    ) -> Solution:
        """Solve with other costs, and other bounds where they are given, and put all back.

        Args:
            costs: of all columns.
            bounds: of columns and rows; None: those of the optimum.
            onward: whether to start where the last such solve ended, and not at the optimum.

        Raises:
            InfeasibleProgram: if there is no such point.
        """
        lower, upper, row_lower, row_upper = self._bounds if bounds is None else bounds
        try:
            self.model.set_costs_and_bounds(costs, lower, upper)
            self.model.set_row_bounds(row_lower, row_upper)
            self.model.restore(self._last if onward else self._basis)
            solution = self.model.solve()
            self._last = self.model.basis()
            return solution
        finally:
            self.put_back()

    def bounds(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return copies of the bounds of columns and rows."""
        lower, upper, row_lower, row_upper = (each.copy() for each in self._bounds)
        return lower, upper, row_lower, row_upper

    def put_back(self) -> None:
        """Restore costs, bounds and basis of the optimum."""
        lower, upper, row_lower, row_upper = self._bounds
        self.model.set_costs_and_bounds(self.costs, lower, upper)
        self.model.set_row_bounds(row_lower, row_upper)
        self.model.restore(self._basis)

    def end(self, direction: Direction, *, first_quantity: float, own_usd: float) -> End:
        """Return what a unit saves just beyond a step (below 0: before it), over the horizon.

        The step is halved until the derivative there agrees with the quotient of the two optima
        to 0.1 %: then no kink lies between. Whole steps are not halved, and have no derivative.

        Args:
            direction: what a unit more changes.
            first_quantity: the first step, in units.
            own_usd: what a unit costs itself: left out.
        """
        step, best = first_quantity, End(usd_per_unit=None)
        whole, from_usd = bool(direction.wholes.size), self.solution.objective_usd
        if direction.opens.size:
            try:
                from_usd = self.moved(direction, 0.0).objective_usd
            except InfeasibleProgram:
                return best
        for _ in range(1 if whole else HALVINGS_MOST):
            try:
                beyond = self.moved(direction, step)
            except InfeasibleProgram:
                if abs(step) < abs(first_quantity):
                    break  # neither this step nor one a thousand times as large
                step *= BARRED_RATIO
                continue
            quotient = (beyond.objective_usd - from_usd) / step
            quotient += direction.fixed_usd
            slope = quotient if whole else slope_usd(beyond, direction)
            size = max(abs(slope), abs(quotient), abs(own_usd), LEAST_USD)
            apart = abs(slope - quotient) / size
            if best.usd_per_unit is None or apart < best.apart_share:
                best = End(usd_per_unit=own_usd - slope, step_quantity=step, apart_share=apart)
            if apart <= KINK_SHARE:
                break
            step /= 2.0
        return best


def slope_usd(solution: Solution, direction: Direction) -> float:
    """Return the derivative of an optimum along a direction, by its own duals, USD a unit."""
    reduced = solution.reduced_costs[direction.columns]
    duals = solution.row_duals[direction.rows]
    by_columns = np.where(reduced > 0.0, direction.lower, direction.upper)
    by_rows = np.where(duals > 0.0, direction.row_lower, direction.row_upper)
    return float(reduced @ by_columns + duals @ by_rows) + direction.fixed_usd


def _apart(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return after - before, 0 where both are the same infinity."""
    same = before == after
    return np.where(same, 0.0, np.where(same, 0.0, after) - np.where(same, 0.0, before))

"""The one door to the solver: a HiGHS model that is changed in place and re-solved warm.

Signs, settled here once. The program is minimised. The dual of a row is the derivative of the
optimum by its right-hand side: one MWh more of demand raises the cost by the dual of its row.
The reduced cost of a column is its cost less the duals of its rows: at an upper bound it is
negative, and its absolute value is what one more unit of the bound is worth (a rent).
"""

from dataclasses import replace
from math import floor, log2
from typing import Any

import highspy
import numpy as np

from tokenergy.errors import InfeasibleProgram, SolverFailure, UnboundedProgram
from tokenergy.lp.certificate import Posed
from tokenergy.lp.check import (
    CHECK_TOLERANCE,
    activity_of,
    bound_value,
    excess,
    falls_along,
    priced_by,
    proves_infeasible,
)
from tokenergy.lp.ladder import (
    CHOOSING,
    RUNGS,
    SCALED_TO,
    STRICT,
    UNREDUCED,
    USUAL,
    Options,
    Rung,
)
from tokenergy.lp.program import FloatArray, IntArray, Matrix
from tokenergy.lp.solution import Solution

__all__ = ["RUNGS", "LinearModel", "Solution"]

TOLERANCE = 1e-9
"""Primal and dual feasibility asked of the solver (dispatch sheet, section 4)."""
TOLD_COLUMNS = 8
"""Columns of a ray that a message names."""
VERDICTS = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnbounded,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)
"""What is believed only with a proof: bad factors may call a sound program either."""


class LinearModel:
    """A minimisation held by HiGHS; bounds, costs and coefficients change in place."""

    def __init__(
        self,
        matrix: Matrix,
        *,
        costs: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
        row_lower: FloatArray,
        row_upper: FloatArray,
        offset_usd: float = 0.0,
        solver: str = "simplex",
        integers: IntArray | None = None,
    ) -> None:
        """Pass the whole program to the solver once.

        Args:
            matrix: coefficients, sorted by column.
            costs: USD per unit of each column.
            lower: lower bounds of the columns.
            upper: upper bounds of the columns.
            row_lower: lower bounds of the rows.
            row_upper: upper bounds of the rows.
            offset_usd: constant of the objective.
            solver: `simplex`, or `ipx` (interior point with crossover) for long horizons.
            integers: numbers of the columns that hold whole numbers; None: none does.
        """
        self._matrix = matrix
        self._values = matrix.values.copy()
        self._costs, self._lower, self._upper = costs.copy(), lower.copy(), upper.copy()
        self._row_lower, self._row_upper = row_lower.copy(), row_upper.copy()
        self.offset_usd = offset_usd
        self._places: dict[tuple[int, int], int] | None = None
        self._integers = np.zeros(0, dtype=np.int64) if integers is None else integers
        self._settled: FloatArray | None = None
        self._begin(solver, bound_ratio=1.0)

    def _as_highs_lp(self) -> Any:
        lp, ratio = highspy.HighsLp(), self._bound_ratio
        lp.num_col_, lp.num_row_ = self._matrix.columns_count, self._matrix.rows_count
        lp.col_cost_ = self._costs
        lp.col_lower_, lp.col_upper_ = ratio * self._lower, ratio * self._upper
        lp.row_lower_, lp.row_upper_ = ratio * self._row_lower, ratio * self._row_upper
        held = self._values != 0.0  # a broken link keeps its place with us, not in the solver
        counts = np.bincount(self._matrix.columns[held], minlength=self._matrix.columns_count)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        lp.a_matrix_.index_ = self._matrix.rows[held].astype(np.int32)
        lp.a_matrix_.value_ = self._values[held]
        return lp

    def set_costs_and_bounds(self, costs: FloatArray, lower: FloatArray, upper: FloatArray) -> None:
        """Change the costs and column bounds that differ from the present ones."""
        at = (costs != self._costs).nonzero()[0]
        if at.size:
            self._highs.changeColsCost(at.size, at.astype(np.int32), costs[at])
            self._costs[at] = costs[at]
        at = ((lower != self._lower) | (upper != self._upper)).nonzero()[0]
        if at.size:
            low, high = self._bound_ratio * lower[at], self._bound_ratio * upper[at]
            self._highs.changeColsBounds(at.size, at.astype(np.int32), low, high)
            self._lower[at], self._upper[at] = lower[at], upper[at]

    def set_row_bounds(self, lower: FloatArray, upper: FloatArray) -> None:
        """Change the row bounds that differ from the present ones."""
        at = ((lower != self._row_lower) | (upper != self._row_upper)).nonzero()[0]
        if at.size:
            low, high = self._bound_ratio * lower[at], self._bound_ratio * upper[at]
            self._highs.changeRowsBounds(at.size, at.astype(np.int32), low, high)
            self._row_lower[at], self._row_upper[at] = lower[at], upper[at]

    def shift_row(self, row: int, shift: float) -> None:
        """Move both bounds of one row by `shift` units of its right-hand side."""
        self._row_lower[row] += shift
        self._row_upper[row] += shift
        low, high = self._row_lower[row], self._row_upper[row]
        self._highs.changeRowBounds(row, self._bound_ratio * low, self._bound_ratio * high)

    def shift_upper(self, columns: IntArray, shift: float) -> None:
        """Move the upper bounds of some columns by `shift` of their units."""
        if columns.size:
            upper = self._upper.copy()
            upper[columns] += shift
            self.set_costs_and_bounds(self._costs, self._lower, upper)

    def set_coefficient(self, row: int, column: int, value: float) -> None:
        """Change one coefficient that the matrix already holds."""
        if self._places is None:
            pairs = zip(self._matrix.rows.tolist(), self._matrix.columns.tolist(), strict=True)
            self._places = {pair: place for place, pair in enumerate(pairs)}
        place = self._places[row, column]
        if self._values[place] != value:
            self._values[place] = value
            self._highs.changeCoeff(row, column, value)

    def posed(self) -> Posed:
        """Return the program as it stands, for arithmetic that asks no solver."""
        columns = {"costs": self._costs, "lower": self._lower, "upper": self._upper}
        rows = {"row_lower": self._row_lower, "row_upper": self._row_upper}
        return Posed(matrix=self._held(), **columns, **rows)

    def basis(self) -> Any:
        """Return the basis of the last solve, to be handed back to `restore`."""
        return self._highs.getBasis()

    def restore(self, basis: Any) -> None:
        """Start the next solve from `basis`."""
        self._highs.setBasis(basis)

    def solve(self) -> Solution:
        """Solve from where the last solve ended; where that gives no answer, climb `RUNGS`.

        With whole numbers: choose them, then solve the rest as a linear program around them.

        Raises:
            InfeasibleProgram: if no point satisfies the rows, which a ray proves.
            UnboundedProgram: if the cost falls without end, which a ray proves.
            SolverFailure: if no rung ends with an answer that passes our check.
        """
        return self._solved_whole() if self._integers.size else self._solved()

    def settle_integers(self, solution: Solution | None) -> None:
        """Keep the whole numbers of a solution in later solves; None: choose them again."""
        self._settled = None if solution is None else np.round(solution.columns[self._integers])

    def _solved_whole(self) -> Solution:
        lower, upper = self._lower.copy(), self._upper.copy()
        whole, bound_usd = self._settled, -np.inf
        if whole is None:
            if isinstance(found := self._chosen(), Solution):
                return found
            whole, bound_usd = found
        held_lower, held_upper = lower.copy(), upper.copy()
        held_lower[self._integers] = held_upper[self._integers] = whole
        self.set_costs_and_bounds(self._costs, held_lower, held_upper)
        try:
            solution = self._solved()
        finally:
            self.set_costs_and_bounds(self._costs, lower, upper)
        scale_usd = max(1.0, abs(solution.objective_usd))
        gap_share = max(0.0, solution.objective_usd - bound_usd) / scale_usd
        if self._settled is not None:
            gap_share = 0.0  # nothing was chosen
        return replace(solution, integer=True, integer_gap_share=gap_share)

    def _chosen(self) -> tuple[FloatArray, float] | Solution:
        """Return the whole numbers of the best point found, and what no point costs less than.

        Where the linear program without whole numbers has them by itself, it is the answer.

        Raises:
            InfeasibleProgram, UnboundedProgram: if that is so without whole numbers already.
            SolverFailure: if nothing found passes our check.
        """
        relaxed = self._solved()
        parts = relaxed.columns[self._integers]
        if np.abs(parts - np.round(parts)).max(initial=0.0) <= TOLERANCE:
            return replace(relaxed, integer=True)
        chooser = _quiet_highs("choose")
        for option, value in CHOOSING:
            chooser.setOptionValue(option, value)
        lp, self._bound_ratio, ratio = None, 1.0, self._bound_ratio
        try:
            lp = self._as_highs_lp()
        finally:
            self._bound_ratio = ratio
        kinds = [highspy.HighsVarType.kContinuous] * self._costs.size
        for at in self._integers.tolist():
            kinds[at] = highspy.HighsVarType.kInteger
        lp.integrality_ = kinds
        chooser.passModel(lp)
        chooser.run()
        status = chooser.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise InfeasibleProgram("no whole numbers satisfy the rows of the program")
        columns = np.asarray(chooser.getSolution().col_value, dtype=np.float64)
        if columns.size != self._costs.size:
            text = chooser.modelStatusToString(status)
            raise SolverFailure(f"no whole numbers were found: {text}")
        whole = np.round(columns[self._integers])
        apart = float(np.abs(columns[self._integers] - whole).max(initial=0.0))
        residual = self._residual(columns)
        if not (apart <= CHECK_TOLERANCE and residual <= CHECK_TOLERANCE):
            raise SolverFailure(
                f"the whole numbers do not hold: {apart:.3g} from whole, residual {residual:.3g}"
            )
        # The tree's bound is the solver's word; that of the relaxation is proved by its duals.
        bound_usd = float(chooser.getInfo().mip_dual_bound) + self.offset_usd
        return whole, max(bound_usd, relaxed.objective_usd)

    def _solved(self) -> Solution:
        """Solve the linear program that is in place."""
        self._highs.run()
        self._highs.setOptionValue("solver", "simplex")  # next time warm, from this basis
        solution, fault = self._answer((STRICT, UNREDUCED))
        if solution is not None:
            return solution
        faults = [f"warm: {fault}"]
        for rung in RUNGS:
            self._stand_on(rung)
            self._highs.run()
            for option, value in USUAL:
                self._highs.setOptionValue(option, value)
            solution, fault = self._answer((*rung.options, UNREDUCED))
            if solution is not None:
                return solution
            faults.append(f"{rung.name}: {fault}")
        self._begin("simplex", bound_ratio=1.0)  # nothing of what failed is carried on
        raise SolverFailure(f"no answer of the solver holds: {'; '.join(faults)}")

    def _begin(self, solver: str, *, bound_ratio: float) -> None:
        """Give the program to a solver that knows nothing of it, its bounds times a ratio."""
        self._bound_ratio = bound_ratio
        self._highs = _quiet_highs(solver)
        self._highs.passModel(self._as_highs_lp())

    def _stand_on(self, rung: Rung) -> None:
        """Make the solver ready for one more attempt."""
        if rung.keeps_basis:
            basis = self._highs.getBasis()
            self._highs.clearSolver()  # the factors too, which other pivots alone would leave
            if basis.valid:
                self._highs.setBasis(basis)
        else:
            self._begin(rung.solver, bound_ratio=self._fitting_ratio() if rung.scaled else 1.0)
        for option, value in rung.options:
            self._highs.setOptionValue(option, value)

    def _fitting_ratio(self) -> float:
        """Return the power of two that brings the largest bound to `SCALED_TO`, at most 1."""
        bounds = (self._lower, self._upper, self._row_lower, self._row_upper)
        largest = max(float(np.abs(b[np.isfinite(b)]).max(initial=0.0)) for b in bounds)
        return 1.0 if largest <= SCALED_TO else 2.0 ** floor(log2(SCALED_TO / largest))

    def _held(self) -> Matrix:
        """Return the matrix with its present coefficients."""
        return replace(self._matrix, values=self._values)

    def _answer(self, judged_by: Options) -> tuple[Solution | None, str]:
        """Return what the last run found if it holds, else why not.

        Raises:
            InfeasibleProgram, UnboundedProgram: if a solver with the options `judged_by` gives a
                ray that proves it.
        """
        status = self._highs.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return self._checked()
        text = self._highs.modelStatusToString(status)
        if status not in VERDICTS:
            return None, text
        self._raise_if_proved(judged_by)
        return None, f"{text} without a proof"

    def _raise_if_proved(self, options: Options) -> None:
        """Ask a solver of its own for a ray, so that ours keeps its basis; check the ray."""
        ratio = self._bound_ratio
        judge = _quiet_highs("simplex")
        judge.passModel(self._as_highs_lp())
        for option, value in options:
            judge.setOptionValue(option, value)
        judge.run()
        status = judge.getModelStatus()
        bounds = {
            "lower": self._lower,
            "upper": self._upper,
            "row_lower": self._row_lower,
            "row_upper": self._row_upper,
        }
        if status == highspy.HighsModelStatus.kInfeasible:
            _, found, ray = judge.getDualRay()
            if found and proves_infeasible(self._held(), np.asarray(ray), **bounds):
                raise InfeasibleProgram("no point satisfies the rows of the program")
        if status == highspy.HighsModelStatus.kUnbounded:
            _, found, ray = judge.getPrimalRay()
            if not found:
                return
            moving = falls_along(self._held(), np.asarray(ray), costs=self._costs, **bounds)
            every = np.arange(self._costs.size, dtype=np.int32)
            judge.changeColsCost(every.size, every, np.zeros(every.size))
            judge.run()
            point = np.asarray(judge.getSolution().col_value, dtype=np.float64) / ratio
            if moving.size and self._residual(point) <= CHECK_TOLERANCE:
                told = ", ".join(str(at) for at in moving[:TOLD_COLUMNS])
                raise UnboundedProgram(
                    f"the program is unbounded: its cost falls without end along {moving.size} "
                    f"columns ({told}{', ...' if moving.size > TOLD_COLUMNS else ''})"
                )

    def _residual(self, columns: FloatArray) -> float:
        """Return the largest violation of a bound of a column or a row."""
        activity = activity_of(self._held(), columns)
        return max(
            excess(columns, self._lower, self._upper),
            excess(activity, self._row_lower, self._row_upper),
        )

    def _checked(self) -> tuple[Solution | None, str]:
        """Return the answer if its residuals and its duality gap hold, else why not."""
        answer = self._highs.getSolution()
        x = np.asarray(answer.col_value, dtype=np.float64) / self._bound_ratio
        y = np.asarray(answer.row_dual, dtype=np.float64)
        reduced = self._costs - priced_by(self._held(), y)
        objective_usd = float(self._costs @ x) + self.offset_usd
        residual = self._residual(x)
        dual_usd = (
            bound_value(y, self._row_lower, self._row_upper)
            + bound_value(reduced, self._lower, self._upper)
            + self.offset_usd
        )
        gap_share = abs(objective_usd - dual_usd) / max(1.0, abs(objective_usd))
        if not residual <= CHECK_TOLERANCE or not gap_share <= CHECK_TOLERANCE:
            return None, f"residual {residual:.3g}, duality gap {gap_share:.3g}"
        info = self._highs.getInfo()
        return Solution(
            objective_usd=objective_usd,
            columns=x,
            row_duals=y,
            reduced_costs=reduced,
            iterations_count=int(info.simplex_iteration_count),
            gap_share=gap_share,
        ), ""


_Solver: Any = highspy.Highs.__bases__[0]
"""The compiled class: the Python one prints a banner before it can be told not to (1.16)."""


def _quiet_highs(solver: str) -> Any:
    highs = _Solver()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("primal_feasibility_tolerance", TOLERANCE)
    highs.setOptionValue("dual_feasibility_tolerance", TOLERANCE)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("random_seed", 0)
    highs.setOptionValue("solver", solver)
    highs.setOptionValue("run_crossover", "on")
    # Devex: exact edge weights would be computed anew after every changed coefficient, which
    # takes longer than the steps they save (measured on the 48-h window: 151 against 94 ms).
    highs.setOptionValue("simplex_dual_edge_weight_strategy", 1)
    return highs

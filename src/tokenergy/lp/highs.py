"""The one door to the solver: a HiGHS model that is changed in place and re-solved warm.

Signs, settled here once. The program is minimised. The dual of a row is the derivative of the
optimum by its right-hand side: one MWh more of demand raises the cost by the dual of its row.
The reduced cost of a column is its cost less the duals of its rows: at an upper bound it is
negative, and its absolute value is what one more unit of the bound is worth (a rent).
"""

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from tokenergy.errors import InfeasibleProgram, SolverFailure
from tokenergy.lp.program import FloatArray, IntArray, Matrix

TOLERANCE = 1e-9
"""Primal and dual feasibility asked of the solver (dispatch sheet, section 4)."""
CHECK_TOLERANCE = 1e-6
"""Residual and duality gap above which an answer is refused (dispatch sheet, section 6)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """An optimum that has passed our own check.

    Attributes:
        objective_usd: the optimum, constants included.
        columns: values of the columns.
        row_duals: derivative of the optimum by each row's right-hand side.
        reduced_costs: cost less the duals of its rows, by column.
        iterations_count: simplex iterations of this solve.
        gap_share: |primal - dual| over max(1, |primal|).
    """

    objective_usd: float
    columns: FloatArray
    row_duals: FloatArray
    reduced_costs: FloatArray
    iterations_count: int
    gap_share: float


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
        """
        self._matrix = matrix
        self._values = matrix.values.copy()
        self._costs, self._lower, self._upper = costs.copy(), lower.copy(), upper.copy()
        self._row_lower, self._row_upper = row_lower.copy(), row_upper.copy()
        self.offset_usd = offset_usd
        self._solver = solver
        self._places: dict[tuple[int, int], int] | None = None
        self._highs = _quiet_highs(solver)
        self._highs.passModel(self._as_highs_lp())

    def _as_highs_lp(self) -> Any:
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self._matrix.columns_count, self._matrix.rows_count
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self._costs, self._lower, self._upper
        lp.row_lower_, lp.row_upper_ = self._row_lower, self._row_upper
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
            self._highs.changeColsBounds(at.size, at.astype(np.int32), lower[at], upper[at])
            self._lower[at], self._upper[at] = lower[at], upper[at]

    def set_row_bounds(self, lower: FloatArray, upper: FloatArray) -> None:
        """Change the row bounds that differ from the present ones."""
        at = ((lower != self._row_lower) | (upper != self._row_upper)).nonzero()[0]
        if at.size:
            self._highs.changeRowsBounds(at.size, at.astype(np.int32), lower[at], upper[at])
            self._row_lower[at], self._row_upper[at] = lower[at], upper[at]

    def shift_row(self, row: int, shift: float) -> None:
        """Move both bounds of one row by `shift` units of its right-hand side."""
        self._row_lower[row] += shift
        self._row_upper[row] += shift
        self._highs.changeRowBounds(row, self._row_lower[row], self._row_upper[row])

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

    def basis(self) -> Any:
        """Return the basis of the last solve, to be handed back to `restore`."""
        return self._highs.getBasis()

    def restore(self, basis: Any) -> None:
        """Start the next solve from `basis`."""
        self._highs.setBasis(basis)

    def solve(self) -> Solution:
        """Solve from where the last solve ended.

        Raises:
            InfeasibleProgram: if no point satisfies the rows.
            SolverFailure: if the solver fails twice, or its answer fails our check twice.
        """
        self._highs.run()
        status = self._highs.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            solution, fault = self._checked()
            if solution is not None:
                return solution
        elif status == highspy.HighsModelStatus.kInfeasible:
            raise InfeasibleProgram("no point satisfies the rows of the program")
        else:
            fault = self._highs.modelStatusToString(status)
        return self._solve_cold(fault)

    def _solve_cold(self, first_fault: str) -> Solution:
        """Solve once more by simplex without any basis: the last resort."""
        self._highs = _quiet_highs("simplex")
        self._highs.passModel(self._as_highs_lp())
        self._highs.run()
        status = self._highs.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise InfeasibleProgram("no point satisfies the rows of the program")
        if status != highspy.HighsModelStatus.kOptimal:
            text = self._highs.modelStatusToString(status)
            raise SolverFailure(f"solver status {text!r} after a first {first_fault!r}")
        solution, fault = self._checked()
        if solution is None:
            raise SolverFailure(f"answer refused twice: {first_fault}; {fault}")
        return solution

    def _checked(self) -> tuple[Solution | None, str]:
        """Return the answer if its residuals and its duality gap hold, else why not."""
        answer = self._highs.getSolution()
        x = np.asarray(answer.col_value, dtype=np.float64)
        y = np.asarray(answer.row_dual, dtype=np.float64)
        matrix, values = self._matrix, self._values
        activity: FloatArray = np.bincount(
            matrix.rows, weights=values * x[matrix.columns], minlength=matrix.rows_count
        ).astype(np.float64)
        reduced = self._costs - np.bincount(
            matrix.columns, weights=values * y[matrix.rows], minlength=matrix.columns_count
        )
        objective_usd = float(self._costs @ x) + self.offset_usd
        residual = max(
            _excess(x, self._lower, self._upper),
            _excess(activity, self._row_lower, self._row_upper),
        )
        dual_usd = (
            _bound_value(y, self._row_lower, self._row_upper)
            + _bound_value(reduced, self._lower, self._upper)
            + self.offset_usd
        )
        gap_share = abs(objective_usd - dual_usd) / max(1.0, abs(objective_usd))
        if residual > CHECK_TOLERANCE or not gap_share <= CHECK_TOLERANCE:
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


def _excess(
    values: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> float:
    """Return the largest violation of bounds, relative to max(1, |bound|)."""
    low, high = np.isfinite(lower), np.isfinite(upper)
    below = (lower[low] - values[low]) / np.maximum(1.0, np.abs(lower[low]))
    above = (values[high] - upper[high]) / np.maximum(1.0, np.abs(upper[high]))
    return float(max(below.max(initial=0.0), above.max(initial=0.0)))


def _bound_value(
    duals: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> float:
    """Return the sum of dual x the bound it belongs to; infinite where there is none."""
    bound = np.where(duals > 0.0, lower, upper)
    tiny = np.abs(duals) <= CHECK_TOLERANCE
    finite = np.isfinite(bound)
    if bool(np.any(~finite & ~tiny)):
        return float("inf")
    return float(duals[finite] @ bound[finite])

"""What any duals prove of a program: no point of it costs less than this.

For the rows `low <= A x <= high` and the box of x, and for any weights y of the rows,
c x = y A x + (c - A'y) x is at least the least of y times the rows plus the least of what is left
over the box. Whoever found y, and however well, the sum holds; at the optimum's own duals it is the
optimum (weak and strong duality). Weights on a side that a row does not bound are left out.
"""

from dataclasses import dataclass, replace

import numpy as np

from tokenergy.lp.check import activity_of, excess, priced_by
from tokenergy.lp.program import FloatArray, Matrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posed:
    """A program as it stands: minimise costs x columns within bounds of columns and rows."""

    matrix: Matrix
    costs: FloatArray
    lower: FloatArray
    upper: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray

    def violation(self, columns: FloatArray) -> float:
        """Return the largest violation of a bound by a point, relative to max(1, |bound|)."""
        activity = activity_of(self.matrix, columns)
        return max(
            excess(columns, self.lower, self.upper),
            excess(activity, self.row_lower, self.row_upper),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proof:
    """A lower bound of a program's cost, row by row and column by column, USD.

    Attributes:
        rows_usd: weight of each row x the bound it rests on.
        columns_usd: the least of each column's reduced cost x the column within its bounds.
        reduced: cost of each column less the weights of its rows.
    """

    rows_usd: FloatArray
    columns_usd: FloatArray
    reduced: FloatArray

    @property
    def lower_usd(self) -> float:
        """No point of the program costs less; minus infinity where nothing is proved."""
        return float(self.rows_usd.sum() + self.columns_usd.sum())


def proof(posed: Posed, weights: FloatArray) -> Proof:
    """Return what weights of the rows prove."""
    up = np.where(np.isfinite(posed.row_lower), np.maximum(0.0, weights), 0.0)
    down = np.where(np.isfinite(posed.row_upper), np.minimum(0.0, weights), 0.0)
    held = up + down
    reduced = posed.costs - priced_by(posed.matrix, held)
    return Proof(
        rows_usd=least_usd(held, posed.row_lower, posed.row_upper),
        columns_usd=least_usd(reduced, posed.lower, posed.upper),
        reduced=reduced,
    )


def least_usd(price: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return the least of price x quantity over a box; minus infinity where it has no end."""
    rests_on = np.where(price > 0.0, lower, np.where(price < 0.0, upper, 0.0))
    return np.asarray(price * rests_on)


def bounded(posed: Posed) -> Posed:
    """Return the program with an upper bound on every column whose rows imply one.

    What a row leaves to a column, when all its other columns are at the bound that leaves most, no
    point of the program exceeds. Bounds that stand are kept; rows are asked again while they tell
    something new.
    """
    matrix, lower, upper = posed.matrix, posed.lower, posed.upper.copy()
    rows, columns, values = matrix.rows, matrix.columns, matrix.values
    while True:
        open_columns = np.isinf(upper)
        room = np.full(values.size, np.inf)
        # Once for `a x <= high`, once for `-a x <= -low`: what the other columns use at least.
        for sign, limit in ((1.0, posed.row_upper), (-1.0, -posed.row_lower)):
            a = sign * values
            least = np.where(a > 0.0, a * lower[columns], -np.inf)
            below = (a < 0.0) & np.isfinite(upper[columns])
            least[below] = a[below] * upper[columns[below]]
            least[a == 0.0] = 0.0
            endless = np.isinf(least)
            ends = np.bincount(rows, weights=endless, minlength=matrix.rows_count) == 0.0
            used = np.bincount(rows, weights=np.where(endless, 0.0, least), minlength=ends.size)
            told = (a > 0.0) & ends[rows] & np.isfinite(limit[rows]) & open_columns[columns]
            left = limit[rows[told]] - used[rows[told]] + least[told]
            room[told] = np.minimum(room[told], left / a[told])
        np.minimum.at(upper, columns, room)
        if np.array_equal(np.isinf(upper), open_columns):
            return replace(posed, upper=upper)

"""An interior point method for programs whose hours hang together by a few states.

Mehrotra's predictor and corrector on the normal equations, whose matrix falls apart into slots, a
chain and a border (`chain_factor`): the work grows with the hours, not with their square. It gives
a point and duals, near the optimum and inside its bounds; how near is for `lp/certificate` to
prove, by arithmetic that knows nothing of the method.
"""

from typing import Final

import numpy as np

from tokenergy.lp.chain_factor import ChainFactor, Each
from tokenergy.lp.chained import chained, largest, rescaled
from tokenergy.lp.interior_search import InteriorPoint, Scaled, Search, Seen, Told
from tokenergy.lp.program import FloatArray, Program

__all__ = ["Interior", "InteriorPoint", "Seen"]

SCALINGS: Final = 6
"""Rounds of dividing rows and columns by the root of their largest coefficient."""


class Interior:
    """A program laid out for the method once, and solved for one or several sets of bounds."""

    def __init__(self, program: Program, each: Each = map) -> None:
        """Lay out the coefficients, scale them, and work out the order of elimination."""
        self._each = each
        self._chain = chained(program)
        self._scale()
        self._factor = ChainFactor(self._chain, each)

    def _scale(self) -> None:
        chain = self._chain
        slots = chain.slots_count
        self._rows_by = np.ones((slots, chain.rows_count))
        self._columns_by = np.ones((slots, chain.columns_count))
        self._whole_rows_by = np.ones(chain.whole_rows_count)
        self._whole_columns_by = np.ones(chain.whole_columns_count)
        corner = np.abs(chain.corner)
        for _ in range(SCALINGS):
            found = (np.zeros_like(self._rows_by), np.zeros_like(self._columns_by),
                     corner.max(axis=1, initial=0.0), corner.max(axis=0, initial=0.0))  # fmt: skip
            entries = (chain.rows, chain.columns, chain.starts, chain.values)
            largest(0, slots, *entries, *found)
            by = [1.0 / np.sqrt(np.where(part > 0.0, part, 1.0)) for part in found]
            rescaled(0, slots, *entries, *by)
            corner *= by[2][:, None] * by[3][None, :]
            chain.corner[:] *= by[2][:, None] * by[3][None, :]
            self._rows_by *= by[0]
            self._columns_by *= by[1]
            self._whole_rows_by *= by[2]
            self._whole_columns_by *= by[3]

    def solve(
        self,
        *,
        costs: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
        row_lower: FloatArray,
        row_upper: FloatArray,
        gap_share: float,
        offset_usd: float = 0.0,
        told: Told | None = None,
    ) -> InteriorPoint:
        """Minimise until both objectives are within `gap_share`, or no step leads further.

        Args:
            costs: of all columns.
            lower: bounds of all columns.
            upper: likewise.
            row_lower: bounds of all rows.
            row_upper: likewise.
            gap_share: of the objective, its constant included.
            offset_usd: that constant.
            told: told after each step; ends the search by saying no.
        """
        scales = (self.column_scales(), self.row_scales())
        bounds = Scaled.of(*scales, costs, lower, upper, row_lower, row_upper)
        search = Search(self._chain, scales, self._factor, bounds, self._each)
        return search.run(gap_share, offset_usd, told)

    def column_scales(self) -> FloatArray:
        """Return by what each column's value is divided inside."""
        return np.concatenate((self._columns_by.ravel(), self._whole_columns_by))

    def row_scales(self) -> FloatArray:
        """Return by what each row is multiplied inside."""
        return np.concatenate((self._rows_by.ravel(), self._whole_rows_by))

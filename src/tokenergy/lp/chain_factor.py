"""The normal matrix of a chain of slots, factored: local rows, then the chain, then the border.

The chain is factored from both ends at once, so that two workers can share it; where it is cut
does not depend on who works, so that every machine has the same answer.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tokenergy.lp import chain_kernels as kernels
from tokenergy.lp.chain_order import order_of
from tokenergy.lp.chained import Chained, priced, times
from tokenergy.lp.program import FloatArray

Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Calls a function with each item, one after the other or side by side, as `map` does."""


class ChainFactor:
    """Factors of A theta A' + D, with whole columns and rows as its border."""

    def __init__(self, chain: Chained, each: Each = map) -> None:
        """Work out the order once; `each` may run two halves side by side."""
        self.chain, self.order, self._each = chain, order_of(chain), each
        slots, order = chain.slots_count, self.order
        size, border = order.chain.size, order.border.size
        self._half = slots // 2
        self.halves = ((0, self._half), (self._half, slots))
        self._inverse = np.empty((slots, order.pivots.size))
        self._factors = np.empty((slots, order.neighbours.shape[0]))
        self._packed = np.empty((slots, order.kept.shape[0]))
        self._lower = np.empty((slots, size, size))
        self._coupled = np.zeros((slots, size, size))
        self._own, self._after = np.empty((slots, size)), np.empty((slots, size))
        self._size, self._border = size, border
        self._schur = np.zeros((0, 0))
        self._theta = np.zeros((0, 0))
        self._whole_inverse: FloatArray = np.zeros(0)

    def factor(
        self,
        theta: FloatArray,
        slack: FloatArray,
        whole_slack: FloatArray,
        whole_inverse: FloatArray,
    ) -> None:
        """Factor the matrix anew.

        Args:
            theta: weight of each column [T, n].
            slack: added to the diagonal of each row [T, m].
            whole_slack: likewise of the whole rows [W].
            whole_inverse: 1 / weight of the whole columns [K].
        """
        chain, order = self.chain, self.order
        sums = [np.zeros(order.summed.shape[0]) for _ in self.halves]

        def eliminated(at: int) -> None:
            begin, end = self.halves[at]
            kernels.eliminate(
                begin, end, order.made, order.diagonal, order.placed, order.pivots,
                order.neighbours, order.neighbour_starts, order.updates, order.update_starts,
                order.kept, order.summed, order.scratch_count, chain.values, theta, slack,
                self._inverse, self._factors, self._packed, sums[at],
            )  # fmt: skip

        for _ in self._each(eliminated, (0, 1)):
            pass
        carries = [np.zeros((self._size, self._size)) for _ in self.halves]
        borders = [np.zeros((self._size, self._border)) for _ in self.halves]
        lost = [np.zeros((self._border, self._border)) for _ in range(3)]
        ends = ((0, self._half, 1), (chain.slots_count - 1, self._half, -1))

        def factored(at: int) -> None:
            kernels.factor_half(
                *ends[at], order.kept, self._packed, self._lower, self._coupled,
                carries[at], borders[at], lost[at],
            )  # fmt: skip

        for _ in self._each(factored, (0, 1)):
            pass
        kernels.factor_middle(
            self._half, order.kept, self._packed, self._lower, carries[0] + carries[1],
            borders[0] + borders[1], lost[2],
        )  # fmt: skip
        self._border_factored(sums[0] + sums[1], lost, whole_slack, whole_inverse)
        self._theta, self._whole_inverse = theta, whole_inverse

    def _border_factored(
        self,
        sums: FloatArray,
        lost: list[FloatArray],
        whole_slack: FloatArray,
        whole_inverse: FloatArray,
    ) -> None:
        rows = self.chain.whole_rows_count
        upper = -(lost[0] + lost[1] + lost[2])
        met = np.triu(upper) + np.triu(upper, 1).T
        for (_, i, j), value in zip(self.order.summed.tolist(), sums, strict=True):
            met[i, j] += value
            if i != j:
                met[j, i] += value
        count = rows + self.chain.whole_columns_count
        matrix = np.zeros((count, count))
        matrix[np.ix_(self.order.border, self.order.border)] = met
        matrix[:rows, rows:] += self.chain.corner
        matrix[rows:, :rows] += self.chain.corner.T
        at = np.arange(rows)
        matrix[at, at] += whole_slack
        at = np.arange(rows, count)
        matrix[at, at] -= whole_inverse
        scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(matrix)), kernels.LEAST_PIVOT))
        scaled = matrix * scale[:, None] * scale[None, :]
        self._schur = scale[:, None] * np.linalg.pinv(scaled, rcond=1e-15) * scale[None, :]

    def solve(
        self, rows: FloatArray, whole_rows: FloatArray, whole_columns: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return duals of slot rows [T, m], of whole rows [W], and the whole columns [K].

        They satisfy M dy + A_k dx = rows, and A_k' dy - dx / weight = whole_columns.
        """
        y = self._inner(rows)
        count = self.chain.whole_rows_count
        if not self._schur.size:
            return y, whole_rows, whole_columns
        asked = np.concatenate((whole_rows, whole_columns)) - self._met(y)
        border = self._schur @ asked
        y -= self._inner(self._spread(border))
        return y, border[:count], border[count:]

    def _inner(self, rows: FloatArray) -> FloatArray:
        """Return the slot rows' own matrix^-1 x rows."""
        order, y = self.order, rows.copy()
        own, after = self._own, self._after

        def reduced(at: int) -> None:
            kernels.reduce_rows(
                *self.halves[at], order.local, order.neighbours, order.neighbour_starts,
                self._factors, y, order.chain, own, after,
            )  # fmt: skip

        for _ in self._each(reduced, (0, 1)):
            pass
        self._chain_solved(own, after)

        def expanded(at: int) -> None:
            kernels.expand_rows(
                *self.halves[at], order.local, order.neighbours, order.neighbour_starts,
                self._factors, self._inverse, y, order.chain, own,
            )  # fmt: skip

        for _ in self._each(expanded, (0, 1)):
            pass
        return y

    def _chain_solved(self, own: FloatArray, after: FloatArray) -> None:
        if not self._size:
            return
        half, slots = self._half, self.chain.slots_count
        carries = [np.zeros(self._size) for _ in self.halves]
        ends = ((0, half, 1), (slots - 1, half, -1))

        def forward(at: int) -> None:
            kernels.forward_half(*ends[at], self._lower, self._coupled, own, after, carries[at])

        for _ in self._each(forward, (0, 1)):
            pass
        middle = own[half] - carries[0] - carries[1]
        if half > 0:
            middle += after[half - 1]
        lower = self._lower[half]
        for i in range(self._size):
            middle[i] = (middle[i] - lower[i, :i] @ middle[:i]) / lower[i, i]
        kernels.back_block(lower, middle)
        own[half] = middle
        outwards = ((half - 1, -1, -1), (half + 1, slots, 1))

        def back(at: int) -> None:
            kernels.back_half(*outwards[at], self._lower, self._coupled, own)

        for _ in self._each(back, (0, 1)):
            pass

    def _met(self, y: FloatArray) -> FloatArray:
        """Return what the border meets in duals of slot rows."""
        chain = self.chain
        x = np.empty((chain.slots_count, chain.columns_count))
        found = priced_into(chain, y, np.zeros(chain.whole_rows_count), x, self._each)
        x *= self._theta
        count = chain.whole_rows_count
        rows = np.zeros(count)
        first, last = chain.starts[3], chain.starts[4]
        for e in range(first, last):
            rows[chain.rows[e]] += chain.values[:, e] @ x[:, chain.columns[e]]
        return np.concatenate((rows, found))

    def _spread(self, border: FloatArray) -> FloatArray:
        """Return what numbers of the border are in slot rows."""
        chain, count = self.chain, self.chain.whole_rows_count
        x = np.zeros((chain.slots_count, chain.columns_count))
        for e in range(chain.starts[3], chain.starts[4]):
            x[:, chain.columns[e]] += chain.values[:, e] * border[chain.rows[e]]
        x *= self._theta
        y, _ = times_of(chain, x, border[count:], self._each)
        return y


def times_of(
    chain: Chained, x: FloatArray, whole: FloatArray, each: Each = map
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients x columns: of slot rows [T, m], and of whole rows [W]."""
    y = np.empty((chain.slots_count, chain.rows_count))
    half = chain.slots_count // 2
    halves = ((0, half), (half, chain.slots_count))
    sums = [np.zeros(chain.whole_rows_count) for _ in halves]

    def part(at: int) -> None:
        times(*halves[at], chain.rows, chain.columns, chain.starts, chain.values, x, whole, y,
              sums[at])  # fmt: skip

    for _ in each(part, (0, 1)):
        pass
    return y, sums[0] + sums[1] + chain.corner @ whole


def priced_into(
    chain: Chained, y: FloatArray, whole: FloatArray, x: FloatArray, each: Each = map
) -> FloatArray:
    """Write coefficients x rows of the slot columns to `x` [T, n]; return those of whole ones."""
    half = chain.slots_count // 2
    halves = ((0, half), (half, chain.slots_count))
    sums = [np.zeros(chain.whole_columns_count) for _ in halves]

    def part(at: int) -> None:
        priced(*halves[at], chain.rows, chain.columns, chain.starts, chain.values, y, whole, x,
               sums[at])  # fmt: skip

    for _ in each(part, (0, 1)):
        pass
    found: FloatArray = sums[0] + sums[1] + chain.corner.T @ whole
    return found

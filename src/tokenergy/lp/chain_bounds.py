# mypy: disable-error-code="no-untyped-def"
"""Upper bounds that the rows of a chain imply, and what duals prove of it, slot by slot.

The same arithmetic as `certificate`, for programs too long to be laid out as one sparse matrix.
"""

import numpy as np

from tokenergy.compiled import compiled
from tokenergy.lp.chain_factor import Each, priced_into, times_of
from tokenergy.lp.chained import Chained
from tokenergy.lp.check import excess
from tokenergy.lp.program import FloatArray

ROUNDS = 4
"""How often rows are asked again what they imply."""


@compiled
def _least(begin, end, rows, columns, starts, values, sign, lower, upper, whole_lower, whole_upper,
           used, ends):  # fmt: skip
    """Sum the least that each row's columns use, and count those without an end."""
    for t in range(begin, end):
        for r in range(used.shape[1]):
            used[t, r] = 0.0
            ends[t, r] = 0
        for e in range(starts[3]):
            r, c = rows[e], columns[e]
            if e < starts[1]:
                a, low, high = sign * values[t, e], lower[t, c], upper[t, c]
            elif e < starts[2]:
                if t == 0:
                    continue
                a, low, high = sign * values[t - 1, e], lower[t - 1, c], upper[t - 1, c]
            else:
                a, low, high = sign * values[t, e], whole_lower[c], whole_upper[c]
            if a > 0.0:
                if low == -np.inf:
                    ends[t, r] += 1
                else:
                    used[t, r] += a * low
            elif a < 0.0:
                if high == np.inf:
                    ends[t, r] += 1
                else:
                    used[t, r] += a * high


@compiled
def _tightened(begin, end, rows, columns, starts, values, sign, limit, lower, upper, used, ends):
    """Lower infinite upper bounds to what a row leaves when its other columns use their least."""
    changed = 0
    last = upper.shape[0] - 1
    for t in range(begin, end):
        for e in range(starts[2]):
            r, c = rows[e], columns[e]
            at = t if e < starts[1] else min(t + 1, last)
            if e >= starts[1] and t == last:
                continue
            a = sign * values[t, e]
            if a <= 0.0 or ends[at, r] > 0 or upper[t, c] != np.inf or limit[at, r] == np.inf:
                continue
            upper[t, c] = (limit[at, r] - used[at, r] + a * lower[t, c]) / a
            changed += 1
    return changed


class ChainProof:
    """A chain's bounds, tightened once; proves lower bounds and checks points."""

    def __init__(
        self,
        chain: Chained,
        *,
        costs: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
        row_lower: FloatArray,
        row_upper: FloatArray,
        pairs: tuple[tuple[slice, slice], ...] = (),
        each: Each = map,
    ) -> None:
        """Tighten what is open above.

        Args:
            chain: coefficients as they are, not scaled.
            costs: of all columns.
            lower: bounds of all columns.
            upper: likewise.
            row_lower: bounds of all rows.
            row_upper: likewise.
            pairs: columns of a slot that some optimum keeps below others (`wake`, `awake`).
            each: calls a function with each half.
        """
        self._chain, self._each = chain, each
        self._costs, self._lower = costs, lower
        self._row_lower, self._row_upper = row_lower, row_upper
        self.upper = self._boxed(upper.copy(), pairs)

    def _boxed(self, upper: FloatArray, pairs: tuple[tuple[slice, slice], ...]) -> FloatArray:
        chain, cut = self._chain, self._chain.slots_count * self._chain.columns_count
        shape = (chain.slots_count, chain.columns_count)
        low, high = self._lower[:cut].reshape(shape), upper[:cut].reshape(shape)
        rows = chain.slots_count * chain.rows_count
        by_row = (chain.slots_count, chain.rows_count)
        limits = (
            (1.0, self._row_upper[:rows].reshape(by_row)),
            (-1.0, -self._row_lower[:rows].reshape(by_row)),
        )
        used, ends = np.zeros(by_row), np.zeros(by_row, dtype=np.int64)
        entries = (chain.rows, chain.columns, chain.starts, chain.values)
        for _ in range(ROUNDS):
            changed = 0
            for sign, limit in limits:
                _least(0, chain.slots_count, *entries, sign, low, high, self._lower[cut:],
                       upper[cut:], used, ends)  # fmt: skip
                changed += _tightened(
                    0, chain.slots_count, *entries, sign, limit, low, high, used, ends
                )
            for kept, other in pairs:
                open_ends = np.isinf(high[:, kept])
                high[:, kept] = np.where(open_ends, high[:, other], high[:, kept])
            if not changed:
                break
        self._needed(upper, cut)
        return upper

    def _needed(self, upper: FloatArray, cut: int) -> None:
        """Cap whole columns that cost something, at the most that any row asks of them.

        Above that a column only costs: brought down to it, a point keeps every row and is no
        dearer. A row with one side alone asks as little as it likes; one that is held to a figure
        never lets the column above what it asks.
        """
        chain, open_ends = self._chain, True
        for _ in range(ROUNDS):
            if not open_ends:
                return
            open_ends = False
            for k in range(chain.whole_columns_count):
                if np.isfinite(upper[cut + k]) or self._costs[cut + k] < 0.0:
                    continue
                asked = self._asked_of(k, upper, cut)
                upper[cut + k] = max(asked, float(self._lower[cut + k]))
                open_ends = open_ends or bool(np.isinf(asked))

    def _asked_of(self, k: int, upper: FloatArray, cut: int) -> float:
        """Return the most that the rows of a whole column ask of it; infinite without an end."""
        chain, rows = self._chain, self._chain.slots_count * self._chain.rows_count
        by_row = (chain.slots_count, chain.rows_count)
        low_of, high_of = self._row_lower[:rows].reshape(by_row), self._row_upper[:rows]
        most, held = 0.0, np.inf
        for e in range(chain.starts[2], chain.starts[3]):
            if chain.columns[e] != k:
                continue
            r, a = int(chain.rows[e]), chain.values[:, e]
            least, largest = self._others(r, e, upper, cut)
            told = _asks(a, low_of[:, r], high_of.reshape(by_row)[:, r], least, largest)
            most, held = max(most, told[0]), min(held, told[1])
        for w in chain.corner[:, k].nonzero()[0].tolist():
            least_sum, largest_sum = self._others_of_whole(w, k, upper, cut)
            told = _asks(
                chain.corner[w, k : k + 1],
                self._row_lower[rows + w : rows + w + 1],
                self._row_upper[rows + w : rows + w + 1],
                np.array([least_sum]),
                np.array([largest_sum]),
            )
            most, held = max(most, told[0]), min(held, told[1])
        return min(most, held)

    def _others(
        self, row: int, entry: int, upper: FloatArray, cut: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return the least and the most of all else in a row, slot by slot [T]."""
        chain, count = self._chain, self._chain.slots_count
        shape = (count, chain.columns_count)
        low, high = self._lower[:cut].reshape(shape), upper[:cut].reshape(shape)
        least, largest = np.zeros(count), np.zeros(count)
        for f in (chain.rows[: chain.starts[3]] == row).nonzero()[0].tolist():
            c, a = int(chain.columns[f]), chain.values[:, f]
            if f == entry:
                continue
            if f < chain.starts[1]:
                ends = low[:, c], high[:, c]
            elif f < chain.starts[2]:
                a = np.append(0.0, a[:-1])
                ends = np.append(0.0, low[:-1, c]), np.append(0.0, high[:-1, c])
            else:
                ends = np.full(count, self._lower[cut + c]), np.full(count, upper[cut + c])
            part = _ends_of(a, *ends)
            least, largest = least + part[0], largest + part[1]
        return least, largest

    def _others_of_whole(
        self, row: int, column: int, upper: FloatArray, cut: int
    ) -> tuple[float, float]:
        """Return the least and the most of all else in a whole row."""
        chain = self._chain
        shape = (chain.slots_count, chain.columns_count)
        low, high = self._lower[:cut].reshape(shape), upper[:cut].reshape(shape)
        rest = chain.corner[row].copy()
        rest[column] = 0.0
        part = _ends_of(rest, self._lower[cut:], upper[cut:])
        least, largest = float(part[0].sum()), float(part[1].sum())
        for e in range(chain.starts[3], chain.starts[4]):
            if chain.rows[e] == row:
                c = int(chain.columns[e])
                part = _ends_of(chain.values[:, e], low[:, c], high[:, c])
                least, largest = least + float(part[0].sum()), largest + float(part[1].sum())
        return least, largest

    def lower_usd(
        self, duals: FloatArray, lower: FloatArray | None = None, upper: FloatArray | None = None
    ) -> float:
        """Return what no point costs less than; minus infinity where nothing is proved.

        Within tighter bounds of the columns, where they are given.
        """
        low = self._lower if lower is None else lower
        high = self.upper if upper is None else np.minimum(self.upper, upper)
        chain = self._chain
        up = np.where(np.isfinite(self._row_lower), np.maximum(0.0, duals), 0.0)
        held = up + np.where(np.isfinite(self._row_upper), np.minimum(0.0, duals), 0.0)
        cut = chain.slots_count * chain.rows_count
        x = np.empty((chain.slots_count, chain.columns_count))
        rows = np.ascontiguousarray(held[:cut].reshape(chain.slots_count, -1))
        whole = priced_into(chain, rows, held[cut:], x, self._each)
        reduced = self._costs - np.concatenate((x.ravel(), whole))
        low_high = np.where(held > 0.0, self._row_lower, self._row_upper)
        rests = np.where(reduced > 0.0, low, high)
        told_rows, told = held != 0.0, reduced != 0.0
        return float(held[told_rows] @ low_high[told_rows] + reduced[told] @ rests[told])

    def reduced_costs(self, duals: FloatArray) -> FloatArray:
        """Return cost of each column less the duals of its rows."""
        chain = self._chain
        cut = chain.slots_count * chain.rows_count
        x = np.empty((chain.slots_count, chain.columns_count))
        rows = np.ascontiguousarray(duals[:cut].reshape(chain.slots_count, -1))
        whole = priced_into(chain, rows, duals[cut:], x, self._each)
        found: FloatArray = self._costs - np.concatenate((x.ravel(), whole))
        return found

    def violation(self, columns: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
        """Return the largest violation of a bound by a point, relative to max(1, |bound|)."""
        chain = self._chain
        cut = chain.slots_count * chain.columns_count
        x = np.ascontiguousarray(columns[:cut].reshape(chain.slots_count, -1))
        y, sums = times_of(chain, x, columns[cut:], self._each)
        activity = np.concatenate((y.ravel(), sums))
        return max(
            excess(columns, lower, upper), excess(activity, self._row_lower, self._row_upper)
        )


def _ends_of(a: FloatArray, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the least and the most of coefficients x columns; 0 where a coefficient is 0."""
    with np.errstate(invalid="ignore"):
        one, other = np.where(a == 0.0, 0.0, a * low), np.where(a == 0.0, 0.0, a * high)
    return np.minimum(one, other), np.maximum(one, other)


def _asks(
    a: FloatArray, low: FloatArray, high: FloatArray, least: FloatArray, largest: FloatArray
) -> tuple[float, float]:
    """Return the most that rows ask of a column, and the most that rows held to a figure allow."""
    told = np.zeros(a.size)
    up, down = (a > 0.0) & np.isfinite(low), (a < 0.0) & np.isfinite(high)
    told[up] = (low[up] - least[up]) / a[up]
    told[down] = (high[down] - largest[down]) / a[down]
    held = (up | down) & (low == high)
    return float(told.max(initial=0.0)), float(told[held].min(initial=np.inf))

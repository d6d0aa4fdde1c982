# mypy: disable-error-code="no-untyped-def"
"""A program of slots as entries: what stands in each slot, for arithmetic that goes slot by slot.

Every slot has the same entries, with values of its own. An entry multiplies a column of its slot
into a row of the same slot, of the next slot (a lag), or of the rows beside the slots; or a column
beside the slots into a row of its slot. Vectors lie slot after slot, as the program numbers them.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.compiled import compiled
from tokenergy.lp.program import FloatArray, Program

SAME, NEXT, BORDER_COLUMN, BORDER_ROW = range(4)
"""Kinds of entries: within a slot, into the next one, of a whole column, into a whole row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chained:
    """A program's coefficients by slot.

    Attributes:
        slots_count, rows_count, columns_count: slots, and rows and columns of each.
        whole_rows_count, whole_columns_count: those beside the slots.
        rows, columns: place of each entry, within a slot or beside the slots [E].
        starts: where each kind of entry begins [5].
        values: by slot and entry [slots, E]; of a lag in the slot of its column.
        corner: coefficients between whole rows and whole columns [W, K].
    """

    slots_count: int
    rows_count: int
    columns_count: int
    whole_rows_count: int
    whole_columns_count: int
    rows: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    values: FloatArray
    corner: FloatArray

    def kind_of(self, entry: int) -> int:
        """Return the kind of an entry."""
        return int(np.searchsorted(self.starts, entry, side="right")) - 1


def chained(program: Program) -> Chained:
    """Return a program's coefficients by slot; its ring is open before slot 0."""
    slots = program.slots_count
    whole_rows = program.rows_count - slots * program.rows_per_slot
    whole_columns = program.columns_count - slots * program.columns_per_slot
    corner = np.zeros((whole_rows, whole_columns))
    found: list[dict[tuple[int, int], FloatArray]] = [{}, {}, {}, {}]
    for link in program.links:
        if link.row.whole and link.column.whole:
            np.add.at(corner, (link.rows, link.columns), link.values[0])
            continue
        kind = SAME
        if link.row.whole or link.column.whole:
            kind = BORDER_ROW if link.row.whole else BORDER_COLUMN
        elif link.lag:
            kind = NEXT
        for at, pair in enumerate(zip(link.rows.tolist(), link.columns.tolist(), strict=True)):
            series = np.array(link.values[:, at])
            if kind == NEXT:
                series = np.append(series[1:], 0.0)
            if series.any():
                held = found[kind].get(pair)
                found[kind][pair] = series if held is None else held + series
    pairs = [pair for group in found for pair in group]
    values = np.empty((slots, len(pairs)))
    for at, series in enumerate(series for group in found for series in group.values()):
        values[:, at] = series
    return Chained(
        slots_count=slots,
        rows_count=program.rows_per_slot,
        columns_count=program.columns_per_slot,
        whole_rows_count=whole_rows,
        whole_columns_count=whole_columns,
        rows=np.array([row for row, _ in pairs], dtype=np.int64),
        columns=np.array([column for _, column in pairs], dtype=np.int64),
        starts=np.cumsum([0, *(len(group) for group in found)]),
        values=values,
        corner=corner,
    )


@compiled
def times(begin, end, rows, columns, starts, values, x, whole, y, sums):
    """y[begin:end] = coefficients x columns of their slots; what whole rows get is in `sums`."""
    y[begin:end] = 0.0
    sums[:] = 0.0
    for t in range(begin, end):
        for e in range(starts[0], starts[1]):
            y[t, rows[e]] += values[t, e] * x[t, columns[e]]
        if t > 0:
            for e in range(starts[1], starts[2]):
                y[t, rows[e]] += values[t - 1, e] * x[t - 1, columns[e]]
        for e in range(starts[2], starts[3]):
            y[t, rows[e]] += values[t, e] * whole[columns[e]]
        for e in range(starts[3], starts[4]):
            sums[rows[e]] += values[t, e] * x[t, columns[e]]


@compiled
def priced(begin, end, rows, columns, starts, values, y, whole, x, sums):
    """x[begin:end] = coefficients x rows of their columns; what whole columns get is in `sums`."""
    x[begin:end] = 0.0
    sums[:] = 0.0
    last = y.shape[0] - 1
    for t in range(begin, end):
        for e in range(starts[0], starts[1]):
            x[t, columns[e]] += values[t, e] * y[t, rows[e]]
        if t < last:
            for e in range(starts[1], starts[2]):
                x[t, columns[e]] += values[t, e] * y[t + 1, rows[e]]
        for e in range(starts[2], starts[3]):
            sums[columns[e]] += values[t, e] * y[t, rows[e]]
        for e in range(starts[3], starts[4]):
            x[t, columns[e]] += values[t, e] * whole[rows[e]]


@compiled
def largest(
    begin, end, rows, columns, starts, values, by_row, by_column, whole_rows, whole_columns
):
    """Raise to the largest coefficient of each row and column; rows of the next slot, too."""
    for t in range(begin, end):
        for e in range(starts[4]):
            a = abs(values[t, e])
            r, c = rows[e], columns[e]
            if e < starts[1]:
                by_row[t, r] = max(by_row[t, r], a)
                by_column[t, c] = max(by_column[t, c], a)
            elif e < starts[2]:
                if t + 1 < by_row.shape[0]:
                    by_row[t + 1, r] = max(by_row[t + 1, r], a)
                by_column[t, c] = max(by_column[t, c], a)
            elif e < starts[3]:
                by_row[t, r] = max(by_row[t, r], a)
                whole_columns[c] = max(whole_columns[c], a)
            else:
                by_column[t, c] = max(by_column[t, c], a)
                whole_rows[r] = max(whole_rows[r], a)


@compiled
def rescaled(
    begin, end, rows, columns, starts, values, by_row, by_column, whole_rows, whole_columns
):
    """Multiply every coefficient by the scale of its row and of its column."""
    last = by_row.shape[0] - 1
    for t in range(begin, end):
        for e in range(starts[4]):
            r, c = rows[e], columns[e]
            if e < starts[1]:
                values[t, e] *= by_row[t, r] * by_column[t, c]
            elif e < starts[2]:
                values[t, e] *= by_row[min(t + 1, last), r] * by_column[t, c]
            elif e < starts[3]:
                values[t, e] *= by_row[t, r] * whole_columns[c]
            else:
                values[t, e] *= whole_rows[r] * by_column[t, c]

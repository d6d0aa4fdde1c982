"""A linear program in named blocks, repeated slot by slot, as sparse arrays.

A program has `slots_count` slots, one per interval. Every slot holds the same columns and the
same rows, so column `i` of block `b` in slot `k` is number `k * columns_per_slot + b.offset + i`.
A coefficient may link a row to a column of the slot before (`lag=1`); slots form a ring, and
the link across the ring's break is left out.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A run of like columns (or rows) inside every slot."""

    name: str
    offset: int
    size: int

    @property
    def span(self) -> slice:
        """Where the block lies within a slot."""
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Link:
    """Coefficients of one family: one for each pair of `rows` and `columns`, in every slot.

    Attributes:
        rows, columns: positions within a slot, same length m.
        values: coefficients [slots, m].
        lag: 0 for columns of the same slot, 1 for those of the slot before.
    """

    rows: IntArray
    columns: IntArray
    values: FloatArray
    lag: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """A sparse matrix in coordinates, sorted by column, each place once."""

    rows: IntArray
    columns: IntArray
    values: FloatArray
    rows_count: int
    columns_count: int


class Program:
    """A builder of blocks and links; `matrix` lays them out for the solver."""

    def __init__(self, slots_count: int) -> None:
        """Begin an empty program of `slots_count` slots."""
        self.slots_count = slots_count
        self.columns: dict[str, Block] = {}
        self.rows: dict[str, Block] = {}
        self.links: list[Link] = []

    @property
    def columns_per_slot(self) -> int:
        """Columns of one slot."""
        return sum(block.size for block in self.columns.values())

    @property
    def rows_per_slot(self) -> int:
        """Rows of one slot."""
        return sum(block.size for block in self.rows.values())

    def add_columns(self, name: str, size: int) -> Block:
        """Add a block of columns to every slot."""
        block = Block(name=name, offset=self.columns_per_slot, size=size)
        self.columns[name] = block
        return block

    def add_rows(self, name: str, size: int) -> Block:
        """Add a block of rows to every slot."""
        block = Block(name=name, offset=self.rows_per_slot, size=size)
        self.rows[name] = block
        return block

    def link(
        self,
        row: str,
        column: str,
        *,
        values: ArrayLike,
        row_at: ArrayLike | None = None,
        column_at: ArrayLike | None = None,
        lag: int = 0,
    ) -> int | None:
        """Put coefficients at (row block, column block), in every slot.

        Args:
            row: name of the block of rows.
            column: name of the block of columns.
            values: scalar, [m] or [slots, m].
            row_at: positions within the row block [m]; None: one after another.
            column_at: positions within the column block [m]; None: one after another.
            lag: 1 to take the columns of the slot before.

        Returns:
            The number of the link, to be given other values by `revalue`; None if it is empty.
        """
        row_block, column_block = self.rows[row], self.columns[column]
        rows = np.arange(row_block.size) if row_at is None else np.asarray(row_at, dtype=np.int64)
        columns = (
            np.arange(column_block.size)
            if column_at is None
            else np.asarray(column_at, dtype=np.int64)
        )
        if rows.size == 0 or columns.size == 0:
            return None
        spread = np.broadcast_to(np.asarray(values, float), (self.slots_count, rows.size))
        self.links.append(
            Link(
                rows=rows + row_block.offset,
                columns=columns + column_block.offset,
                values=spread,
                lag=lag,
            )
        )
        return len(self.links) - 1

    def revalue(self, link: int, values: FloatArray) -> None:
        """Give a link other coefficients [slots, m]."""
        self.links[link] = replace(self.links[link], values=values)

    def matrix(self, *, break_slot: int = 0) -> Matrix:
        """Lay the links out as one sparse matrix, the ring broken before `break_slot`.

        Links across the break keep their place with a value of 0, so that the break can move.
        """
        slots = np.arange(self.slots_count)[:, None]
        parts: list[tuple[IntArray, IntArray, FloatArray]] = []
        for link in self.links:
            column_slots, values = slots, link.values
            if link.lag:
                column_slots = (slots - 1) % self.slots_count
                values = np.where(slots == break_slot, 0.0, values)
            rows = slots * self.rows_per_slot + link.rows[None, :]
            columns = column_slots * self.columns_per_slot + link.columns[None, :]
            parts.append((rows.ravel(), columns.ravel(), values.ravel()))
        rows_all = np.concatenate([part[0] for part in parts])
        columns_all = np.concatenate([part[1] for part in parts])
        values_all = np.concatenate([part[2] for part in parts])
        order = np.lexsort((rows_all, columns_all))
        return _merged(
            rows_all[order],
            columns_all[order],
            values_all[order],
            rows_count=self.slots_count * self.rows_per_slot,
            columns_count=self.slots_count * self.columns_per_slot,
        )


def _merged(
    rows: IntArray,
    columns: IntArray,
    values: FloatArray,
    *,
    rows_count: int,
    columns_count: int,
) -> Matrix:
    """Add up coefficients that fall on one place; sorted input."""
    fresh = np.ones(rows.size, dtype=bool)
    fresh[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
    first = fresh.nonzero()[0]
    return Matrix(
        rows=rows[first],
        columns=columns[first],
        values=np.add.reduceat(values, first) if values.size else values,
        rows_count=rows_count,
        columns_count=columns_count,
    )

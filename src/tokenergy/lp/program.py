"""A linear program in named blocks, repeated slot by slot, as sparse arrays.

A program has `slots_count` slots, one per interval. Every slot holds the same columns and the
same rows, so column `i` of block `b` in slot `k` is number `k * columns_per_slot + b.offset + i`.
A coefficient may link a row to a column of the slot before (`lag=1`); slots form a ring, and
the link across the ring's break is left out. Beside the slots stand whole blocks, whose columns
and rows are about all slots at once (a month's peak, a year's energy); they come after the last
slot, column `i` of whole block `b` being number `slots_count * columns_per_slot + b.offset + i`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A run of like columns (or rows): inside every slot, or once, beside all slots (`whole`)."""

    name: str
    offset: int
    size: int
    whole: bool = False

    @property
    def span(self) -> slice:
        """Where the block lies within a slot."""
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Link:
    """Coefficients of one family: one for each pair of `rows` and `columns`, in every slot.

    Attributes:
        row, column: the blocks that are linked.
        rows, columns: positions within a slot (or beside the slots), same length m.
        values: coefficients [slots, m]; [1, m] between two whole blocks.
        lag: 0 for columns of the same slot, 1 for those of the slot before.
    """

    row: Block
    column: Block
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
    """A builder of blocks and links; `matrix` lays them out for the solver.

    Attributes:
        slots_count: intervals.
        columns, rows: the blocks, by name.
        links: the coefficients.
        columns_per_slot, rows_per_slot: of one slot; how many, as blocks are added.
    """

    def __init__(self, slots_count: int) -> None:
        """Begin an empty program of `slots_count` slots."""
        self.slots_count = slots_count
        self.columns: dict[str, Block] = {}
        self.rows: dict[str, Block] = {}
        self.links: list[Link] = []
        self.columns_per_slot = 0
        self.rows_per_slot = 0
        self._columns_beside = 0
        self._rows_beside = 0

    @property
    def columns_count(self) -> int:
        """All columns, those beside the slots included."""
        return self.slots_count * self.columns_per_slot + self._columns_beside

    @property
    def rows_count(self) -> int:
        """All rows, those beside the slots included."""
        return self.slots_count * self.rows_per_slot + self._rows_beside

    def add_columns(self, name: str, size: int, *, whole: bool = False) -> Block:
        """Add a block of columns to every slot, or once beside them.

        Raises:
            ValueError: if there is one of that name: it would take its place.
        """
        _refuse_second(name, self.columns)
        offset = self._columns_beside if whole else self.columns_per_slot
        self.columns[name] = Block(name=name, offset=offset, size=size, whole=whole)
        if whole:
            self._columns_beside += size
        else:
            self.columns_per_slot += size
        return self.columns[name]

    def add_rows(self, name: str, size: int, *, whole: bool = False) -> Block:
        """Add a block of rows to every slot, or once beside them; errors as `add_columns`."""
        _refuse_second(name, self.rows)
        offset = self._rows_beside if whole else self.rows_per_slot
        self.rows[name] = Block(name=name, offset=offset, size=size, whole=whole)
        if whole:
            self._rows_beside += size
        else:
            self.rows_per_slot += size
        return self.rows[name]

    def column_number(self, block: Block, slot: int, at: int) -> int:
        """Return the number of a column; of a whole block the slot says nothing."""
        slot = self.slots_count if block.whole else slot
        return slot * self.columns_per_slot + block.offset + at

    def row_number(self, block: Block, slot: int, at: int) -> int:
        """Return the number of a row; of a whole block the slot says nothing."""
        slot = self.slots_count if block.whole else slot
        return slot * self.rows_per_slot + block.offset + at

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

        A slot's columns may be summed by a row beside the slots, and a column beside the slots
        may stand in a row of every slot.

        Args:
            row: name of the block of rows.
            column: name of the block of columns.
            values: scalar, [m] or [slots, m]; between two whole blocks scalar, [m] or [1, m].
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
        times = 1 if row_block.whole and column_block.whole else self.slots_count
        self.links.append(
            Link(
                row=row_block,
                column=column_block,
                rows=rows + row_block.offset,
                columns=columns + column_block.offset,
                values=np.broadcast_to(np.asarray(values, float), (times, rows.size)),
                lag=lag,
            )
        )
        return len(self.links) - 1

    def revalue(self, link: int, values: FloatArray) -> None:
        """Give a link other coefficients [slots, m]."""
        self.links[link] = replace(self.links[link], values=values)

    def places(self, link: Link) -> tuple[IntArray, IntArray]:
        """Return row and column numbers of a link's coefficients, shaped as its values."""
        slots = np.arange(link.values.shape[0])[:, None]
        own = (slots - link.lag) % self.slots_count
        row_slots = np.full_like(slots, self.slots_count) if link.row.whole else slots
        column_slots = np.full_like(slots, self.slots_count) if link.column.whole else own
        rows = row_slots * self.rows_per_slot + link.rows[None, :]
        return rows, column_slots * self.columns_per_slot + link.columns[None, :]

    def matrix(self, *, break_slot: int = 0) -> Matrix:
        """Lay the links out as one sparse matrix, the ring broken before `break_slot`.

        Links across the break keep their place with a value of 0, so that the break can move.
        """
        parts: list[tuple[IntArray, IntArray, FloatArray]] = []
        for link in self.links:
            values = link.values
            if link.lag:
                slots = np.arange(self.slots_count)[:, None]
                values = np.where(slots == break_slot, 0.0, values)
            rows, columns = self.places(link)
            parts.append((rows.ravel(), columns.ravel(), values.ravel()))
        rows_all = np.concatenate([part[0] for part in parts])
        columns_all = np.concatenate([part[1] for part in parts])
        values_all = np.concatenate([part[2] for part in parts])
        order = np.lexsort((rows_all, columns_all))
        return _merged(
            rows_all[order],
            columns_all[order],
            values_all[order],
            rows_count=self.rows_count,
            columns_count=self.columns_count,
        )


def _refuse_second(name: str, blocks: dict[str, Block]) -> None:
    if name in blocks:
        raise ValueError(f"the program has a block {name!r} already")


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

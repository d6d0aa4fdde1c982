"""In which order the rows of a slot are eliminated, and which numbers that moves: worked out once.

The normal matrix couples rows that share a column. Rows without a lag meet only rows of their own
slot, the chain rows of their slot and of the next, and the border; so they are eliminated within
their slot, the least coupled first. What is left couples each slot's chain rows with the next
slot's: a chain of small dense blocks, with the border beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenergy.lp.chained import BORDER_COLUMN, BORDER_ROW, NEXT, SAME, Chained

Ints = NDArray[np.int64]
LOCAL, CHAIN, AFTER, BORDER = range(4)
"""What a node is: a row to be eliminated, a chain row of the slot, of the next, or the border."""
Node = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Order:
    """The work of one slot as lists of places in its scratch numbers.

    Attributes:
        local, chain: rows within a slot that are eliminated, and those of the chain.
        border: whole rows and whole columns that meet any slot, by their number among all of
            them, rows first [b]; the others meet only each other.
        scratch_count: numbers of the matrix that one slot touches.
        made: a column, two of its entries, and the place of their product [P, 4].
        diagonal: place and row of each slack and regularisation [m, 2].
        placed: place and entry of a whole column's coefficients [p, 2].
        pivots: place of each pivot, in order of elimination [l].
        neighbours: place, kind and index of what a pivot is coupled with [N, 3].
        neighbour_starts: where those of each pivot begin [l + 1].
        updates: place, and two neighbours whose product it loses [U, 3].
        update_starts: where those of each pivot begin [l + 1].
        kept: place, kind, and two indices of what the chain takes over [k, 4]: kinds see `KEPT`.
        summed: place, and two indices of the border that all slots add to [s, 3].
    """

    local: Ints
    chain: Ints
    border: Ints
    scratch_count: int
    made: Ints
    diagonal: Ints
    placed: Ints
    pivots: Ints
    neighbours: Ints
    neighbour_starts: Ints
    updates: Ints
    update_starts: Ints
    kept: Ints
    summed: Ints


KEPT: Mapping[tuple[int, int], int] = {
    (CHAIN, CHAIN): 0,
    (AFTER, AFTER): 1,
    (CHAIN, AFTER): 2,
    (CHAIN, BORDER): 3,
    (AFTER, BORDER): 4,
}


class _Places:
    """Numbers of a symmetric matrix between nodes, each with a place of its own."""

    def __init__(self) -> None:
        self.of: dict[tuple[Node, Node], int] = {}

    def at(self, one: Node, other: Node) -> int:
        pair = (one, other) if one <= other else (other, one)
        return self.of.setdefault(pair, len(self.of))


def order_of(chain: Chained) -> Order:
    """Return how the rows of each slot are eliminated."""
    lagging = np.unique(chain.rows[chain.starts[1] : chain.starts[2]])
    index = {row: at for at, row in enumerate(lagging.tolist())}
    local = [row for row in range(chain.rows_count) if row not in index]

    def node(row: int) -> Node:
        return (CHAIN, index[row]) if row in index else (LOCAL, row)

    wholes: dict[int, int] = {}

    def whole_node(number: int) -> Node:
        return (BORDER, wholes.setdefault(number, len(wholes)))

    by_column: dict[int, list[tuple[Node, int]]] = {}
    border: list[tuple[Node, Node, int]] = []
    for entry, (row, column) in enumerate(
        zip(chain.rows.tolist(), chain.columns.tolist(), strict=True)
    ):
        match chain.kind_of(entry):
            case kind if kind == SAME:
                by_column.setdefault(column, []).append((node(row), entry))
            case kind if kind == NEXT:
                by_column.setdefault(column, []).append(((AFTER, index[row]), entry))
            case kind if kind == BORDER_ROW:
                by_column.setdefault(column, []).append((whole_node(row), entry))
            case kind if kind == BORDER_COLUMN:
                whole = whole_node(chain.whole_rows_count + column)
                border.append((node(row), whole, entry))
    places, near = _Places(), dict[Node, set[Node]]()
    made = []
    for column, entries in by_column.items():
        for i, (one, first) in enumerate(entries):
            for other, second in entries[: i + 1]:
                made.append((places.at(one, other), column, first, second))
                _couple(near, one, other)
    placed = []
    for row_node, whole, entry in border:
        placed.append((places.at(row_node, whole), entry))
        _couple(near, row_node, whole)
    diagonal = [(places.at(node(row), node(row)), row) for row in range(chain.rows_count)]
    return _eliminated(
        list(wholes), local, lagging, places, near, made=made, diagonal=diagonal, placed=placed
    )


def _couple(near: dict[Node, set[Node]], one: Node, other: Node) -> None:
    if one != other:
        near.setdefault(one, set()).add(other)
        near.setdefault(other, set()).add(one)


def _eliminated(
    wholes: list[int],
    local: list[int],
    lagging: Ints,
    places: _Places,
    near: dict[Node, set[Node]],
    *,
    made: list[tuple[int, int, int, int]],
    diagonal: list[tuple[int, int]],
    placed: list[tuple[int, int]],
) -> Order:
    """Eliminate the local rows on paper, the least coupled first."""
    left = {(LOCAL, row) for row in local}
    pivots, order, neighbours, neighbour_starts = list[int](), list[int](), list[Node](), [0]
    at_pivot, updates, update_starts = list[int](), list[tuple[int, int, int]](), [0]
    while left:
        pivot = min(left, key=lambda each: (len(near.get(each, ())), each))
        left.remove(pivot)
        mine = sorted(near.pop(pivot, set()))
        pivots.append(places.at(pivot, pivot))
        order.append(pivot[1])
        first = len(neighbours)
        for i, one in enumerate(mine):
            near[one].discard(pivot)
            at_pivot.append(places.at(pivot, one))
            for j in range(i + 1):
                updates.append((places.at(one, mine[j]), first + i, first + j))
                _couple(near, one, mine[j])
        neighbours += mine
        neighbour_starts.append(len(neighbours))
        update_starts.append(len(updates))
    kept, summed = [], []
    for (one, other), place in places.of.items():
        if one[0] == BORDER and other[0] == BORDER:
            summed.append((place, one[1], other[1]))
        elif LOCAL not in (one[0], other[0]):
            kept.append((place, KEPT[one[0], other[0]], one[1], other[1]))
    return Order(
        local=np.array(order, dtype=np.int64),
        chain=lagging.astype(np.int64),
        border=np.array(wholes, dtype=np.int64),
        scratch_count=len(places.of),
        made=_table(made, 4),
        diagonal=_table(diagonal, 2),
        placed=_table(placed, 2),
        pivots=np.array(pivots, dtype=np.int64),
        neighbours=_table([(at, *each) for at, each in zip(at_pivot, neighbours, strict=True)], 3),
        neighbour_starts=np.array(neighbour_starts, dtype=np.int64),
        updates=_table(updates, 3),
        update_starts=np.array(update_starts, dtype=np.int64),
        kept=_table(kept, 4),
        summed=_table(summed, 3),
    )


def _table(rows: Sequence[tuple[int, ...]], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(-1, width)

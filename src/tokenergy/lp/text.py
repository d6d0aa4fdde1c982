"""A program as text that people can read: one line for each row and each column."""

from collections.abc import Callable, Mapping, Sequence
from math import isinf

from tokenergy.lp.program import Block, FloatArray, Program

Labels = Mapping[str, Sequence[str]]
"""What the members of a block are called, where a number would say less."""


def row_lines(
    program: Program,
    lower: FloatArray,
    upper: FloatArray,
    *,
    blocks: Sequence[str] | None = None,
    labels: Labels | None = None,
    break_slot: int = 0,
) -> list[str]:
    """Return each row as `name@slot: + 2 column@slot ... <= 3`, block by block.

    Args:
        program: the structure.
        lower: lower bounds of the rows [slots, rows per slot].
        upper: upper bounds, likewise.
        blocks: which blocks of rows; None: all of them.
        labels: names of members by block, of rows and of columns.
        break_slot: where the ring is broken; coefficients of 0 are left out.
    """
    names = _names(program.columns, program.slots_count, labels or {})
    matrix = program.matrix(break_slot=break_slot)
    terms: dict[int, list[str]] = {}
    entries = zip(
        matrix.rows.tolist(), matrix.columns.tolist(), matrix.values.tolist(), strict=True
    )
    for row, column, factor in entries:
        if factor:
            sign = "-" if factor < 0 else "+"
            terms.setdefault(row, []).append(f"{sign} {abs(factor):g} {names[column]}")
    lines = []
    row_names = _names(program.rows, program.slots_count, labels or {})
    for block in blocks if blocks is not None else tuple(program.rows):
        for row in _numbers(program.rows[block], program.slots_count, program.row_number):
            left = " ".join(terms.get(row, ["0"]))
            bounded = _bounded(left, (float(lower.flat[row]), float(upper.flat[row])))
            lines.append(f"{row_names[row]}: {bounded}")
    return lines


def column_lines(
    program: Program,
    costs: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    *,
    blocks: Sequence[str] | None = None,
    labels: Labels | None = None,
) -> list[str]:
    """Return each column as `cost 2: 0 <= name@slot <= 5`; arrays are [slots, columns]."""
    names = _names(program.columns, program.slots_count, labels or {})
    return [
        f"cost {costs.flat[at]:g}: "
        + _bounded(names[at], (float(lower.flat[at]), float(upper.flat[at])))
        for block in (blocks if blocks is not None else tuple(program.columns))
        for at in _numbers(program.columns[block], program.slots_count, program.column_number)
    ]


def _numbers(block: Block, slots_count: int, number: Callable[[Block, int, int], int]) -> list[int]:
    """Return the numbers of a block's members, slot by slot; of a whole block once."""
    slots = range(1 if block.whole else slots_count)
    return [number(block, slot, at) for slot in slots for at in range(block.size)]


def _names(blocks: Mapping[str, Block], slots_count: int, labels: Labels) -> list[str]:
    """Return the names of all rows or columns in the order of their numbers."""
    in_slot, beside = (
        [
            f"{block.name}[{labels[block.name][at] if block.name in labels else at}]"
            for block in blocks.values()
            if block.whole == whole
            for at in range(block.size)
        ]
        for whole in (False, True)
    )
    return [f"{name}@{slot}" for slot in range(slots_count) for name in in_slot] + beside


def _bounded(left: str, bounds: tuple[float, float]) -> str:
    low, high = (bound + 0.0 for bound in bounds)  # no -0
    if low == high:
        return f"{left} = {low:g}"
    if isinf(low) and isinf(high):
        return f"{left} free"
    if isinf(low):
        return f"{left} <= {high:g}"
    return f"{left} >= {low:g}" if isinf(high) else f"{low:g} <= {left} <= {high:g}"

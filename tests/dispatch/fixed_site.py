"""A program whose meters are given: only the columns of terms are left to choose."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenergy.dispatch.columns import column_rules
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Program


def charged_usd(
    world: World, window: Window, state: State, given: Mapping[str, Any]
) -> tuple[float, Program, Any]:
    """Return the least cost of a window whose blocks of columns hold these values.

    Args:
        world: the company as arrays.
        window: what is known.
        state: what the past left.
        given: values [n, m] by block of columns; the others are 0.

    Returns:
        Cost in USD of what is given and what the terms add, the program and its solution.
    """
    program = Program(window.count)
    rules = {}
    for name, (size, rule) in column_rules(world).items():
        program.add_columns(name, size)
        rules[name] = rule
    program.add_rows("held", 1)
    program.link("held", "it", row_at=[0], column_at=[0], values=1.0)
    rows, moving, own = {}, [], set()
    for term in world.terms:
        added = term.add(program, world, window, elastic=False)
        rules |= added.columns
        rows |= added.rows
        moving += added.moving
        own |= set(added.columns)
    for each in moving:
        program.revalue(each.link, each.values(window))
    costs, lower, upper = (np.zeros(program.columns_count) for _ in range(3))
    for name, rule in rules.items():
        block, numbers = program.columns[name], rule(window, state)
        low, high = numbers.lower, numbers.upper
        if name not in own:
            low = high = np.asarray(given.get(name, np.zeros((window.count, block.size))), float)
        at = _numbers(program.columns_per_slot, window.count, block)
        costs[at], lower[at], upper[at] = numbers.costs, low, high
    row_lower, row_upper = (np.zeros(program.rows_count) for _ in range(2))
    for name, rule in rows.items():
        block = program.rows[name]
        at = _numbers(program.rows_per_slot, window.count, block)
        row_lower[at], row_upper[at] = rule(window, state)
    model = LinearModel(
        program.matrix(), costs=costs, lower=lower, upper=upper,
        row_lower=row_lower, row_upper=row_upper,
    )  # fmt: skip
    solution = model.solve()
    return solution.objective_usd, program, solution


def block_value(program: Program, solution: Any, name: str) -> np.ndarray:
    """Return the values of a block of columns."""
    block = program.columns[name]
    return solution.columns[_numbers(program.columns_per_slot, program.slots_count, block)]


def _numbers(per_slot: int, count: int, block: Any) -> np.ndarray:
    """Return the numbers of a block's columns or rows, [n, m] or [1, m]."""
    within = block.offset + np.arange(block.size)
    if block.whole:
        return (count * per_slot + within)[None, :]
    return np.arange(count)[:, None] * per_slot + within[None, :]

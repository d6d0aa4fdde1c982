"""The program of windows that are cut alike, before any solver has it: blocks, links and rules.

The window is a ring: interval `t` of the world lives in slot `t mod n`, so that moving on by one
hour overwrites one slot. A window of unequal intervals is no ring: its slots keep their places.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.columns import ColumnRule, column_rules, elastic_rules
from tokenergy.dispatch.rows import Moving, RowRule, row_rules
from tokenergy.dispatch.terms.term import Added, Rent, Term
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, IntArray, State, World
from tokenergy.lp.program import Program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """Costs and bounds of all columns, and bounds of all rows, slot by slot."""

    costs: FloatArray
    lower: FloatArray
    upper: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray


class Structure:
    """Blocks and links of a world's program, and what gives them numbers, window by window.

    Attributes:
        world: the company as arrays.
        program: blocks and links; the coefficients are those of the window it was made for.
        moving: links whose coefficients follow the window.
        terms: what each term of a contract added.
        rent_links: links of terms on a site's meter, purchase or racks, by part of a price.
    """

    def __init__(
        self, world: World, window: Window, *, elastic: bool = False, ring: bool = True
    ) -> None:
        """Lay out the blocks of a program for windows that are cut like this one.

        With `elastic`, power may be missing or in excess at a site at a prohibitive price, so
        that an infeasible company can be told where it breaks (`explain`). Without `ring` the
        window will not move: its first interval lies in slot 0.
        """
        self.world = world
        self._ring = ring
        self.program = Program(window.count)
        self._column_rules: dict[str, ColumnRule] = {}
        blocks = column_rules(world) | (elastic_rules(world) if elastic else {})
        for name, (size, rule) in blocks.items():
            self.program.add_columns(name, size)
            self._column_rules[name] = rule
        self.moving: list[Moving] = []
        self._row_rules: dict[str, RowRule] = row_rules(self.program, world, self.moving)
        if elastic:
            self.program.link("balance", "missing", values=1.0)
            self.program.link("balance", "excess", values=-1.0)
        self.terms = {term: self._added(term, window, elastic=elastic) for term in world.terms}
        self.rent_links = self._links_of_rents()
        for moving in self.moving:
            self.program.revalue(moving.link, self.in_slots(window, moving))

    def _added(self, term: Term, window: Window, *, elastic: bool) -> Added:
        """Let a term add its blocks, and keep their rules."""
        added = term.add(self.program, self.world, window, elastic=elastic)
        self._column_rules |= added.columns
        self._row_rules |= added.rows
        self.moving += added.moving
        return added

    def _links_of_rents(self) -> dict[Rent, tuple[int, ...]]:
        found: dict[Rent, tuple[int, ...]] = {}
        for term, added in self.terms.items():
            mine = tuple(
                index
                for index, link in enumerate(self.program.links)
                if link.row.name in added.rows and link.column.name in ("meter_import", "it", "buy")
            )
            found[term.rent] = found.get(term.rent, ()) + mine
        return found

    def integers(self) -> IntArray | None:
        """Return the numbers of the columns that hold whole numbers; None: none does."""
        blocks = [self.program.columns[n] for added in self.terms.values() for n in added.integers]
        if not blocks:
            return None
        slots = np.arange(self.program.slots_count)[:, None]
        each = [
            self.program.column_number(block, 0, 0)
            + (0 if block.whole else slots * self.program.columns_per_slot)
            + np.arange(block.size)
            for block in blocks
        ]
        return np.sort(np.concatenate([np.ravel(numbers) for numbers in each]))

    def numbers(self, window: Window, state: State) -> Numbers:
        """Return costs and bounds of a window's columns and rows, in the order of the solver."""
        costs, lower, upper = self.column_numbers(window, state)
        row_lower, row_upper = self.row_numbers(window, state)
        return Numbers(
            costs=costs, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper
        )

    def column_numbers(
        self, window: Window, state: State
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return costs, lower and upper bounds of all columns."""
        costs, lower, upper = (np.zeros(self.program.columns_count) for _ in range(3))
        shape = (window.count, self.program.columns_per_slot)
        in_time = [np.zeros(shape) for _ in range(3)]
        beside = [values[shape[0] * shape[1] :] for values in (costs, lower, upper)]
        for name, rule in self._column_rules.items():
            block, numbers = self.program.columns[name], rule(window, state)
            for at, part in enumerate((numbers.costs, numbers.lower, numbers.upper)):
                if block.whole:
                    beside[at][block.span] = part
                else:
                    in_time[at][:, block.span] = part
        for values, ordered in zip((costs, lower, upper), in_time, strict=True):
            self._lay(window, ordered, values)
        return costs, lower, upper

    def row_numbers(self, window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper bounds of all rows."""
        lower, upper = (np.zeros(self.program.rows_count) for _ in range(2))
        shape = (window.count, self.program.rows_per_slot)
        in_time = [np.zeros(shape) for _ in range(2)]
        beside = [values[shape[0] * shape[1] :] for values in (lower, upper)]
        for name, rule in self._row_rules.items():
            block, parts = self.program.rows[name], rule(window, state)
            for at, part in enumerate(parts):
                if block.whole:
                    beside[at][block.span] = part
                else:
                    in_time[at][:, block.span] = part
        for values, ordered in zip((lower, upper), in_time, strict=True):
            self._lay(window, ordered, values)
        return lower, upper

    def in_slots(self, window: Window, moving: Moving) -> FloatArray:
        """Return a link's coefficients for a window, in the order of the slots."""
        values = moving.values(window)
        if values.shape[0] != window.count:
            return values  # between two blocks beside the slots
        by_slot = np.empty_like(values)
        by_slot[self.slots(window)] = values
        return by_slot

    def _lay(self, window: Window, ordered: FloatArray, values: FloatArray) -> None:
        """Write numbers in the order of time [n, m] into the solver's, slot by slot."""
        values[: ordered.size].reshape(ordered.shape)[self.slots(window)] = ordered

    def slots(self, window: Window) -> IntArray:
        """Return the slot of each interval: a ring, where all are as long as the world's own."""
        return (self.break_of(window) + np.arange(window.count)) % window.count

    def break_of(self, window: Window) -> int:
        """Return the slot of the window's first interval, before which its ring is open."""
        return window.begin % window.count if self._ring and window.even else 0

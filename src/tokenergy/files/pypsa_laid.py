"""A plan's program as the network reads it: bounds and right-hand sides as figures of the sizes.

The program holds what is not built of each candidate (`unbuilt`). A row of one other column tells
how that column's bound moves with a size; in any other row the right-hand side moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.lp.program import Block, Link
from tokenergy.plan.program import PlanProgram

UNBUILT: Final = "unbuilt"
"""Block of what is not built, in the order of the candidates."""
NOTHING: Final = 1e-12
"""A slope below this is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """A figure by interval [n], or one of the whole horizon [1]: `fixed + sum slope x size`."""

    fixed: FloatArray
    slopes: Mapping[int, FloatArray] = field(default_factory=dict)

    def times(self, ratio: float | FloatArray) -> "Affine":
        """Return it in other units."""
        slopes = {k: slope * ratio for k, slope in self.slopes.items()}
        return Affine(fixed=np.asarray(self.fixed * ratio), slopes=slopes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A coefficient of one row: of which column, in which slot, by slot [n] or [1]."""

    column: str
    at: int
    values: FloatArray
    lag: int


class Laid:
    """The program's figures by block and place.

    Attributes:
        posed: the program.
        count: intervals.
        step_h: their length.
        bound_rows: rows that are bounds of one column (block, place).
    """

    def __init__(self, posed: PlanProgram) -> None:
        """Read which rows hold what is not built."""
        self.posed, self.program, self.numbers = posed, posed.program, posed.numbers
        self.count, self.step_h = posed.program.slots_count, float(posed.window.lengths_h[0])
        self._by_row: dict[str, list[Link]] = {}
        for link in self.program.links:
            self._by_row.setdefault(link.row.name, []).append(link)
        self.most = np.array([candidate.most for candidate in posed.candidates])
        self.bound_rows: set[tuple[str, int]] = set()
        self._bounds: dict[tuple[str, int, str], Affine] = {}
        self._moved: dict[tuple[str, int], dict[int, FloatArray]] = {}
        for links in self._by_row.values():
            for link in links:
                if link.column.name == UNBUILT:
                    self._read(link)
        self._read_bounds()

    def _read(self, link: Link) -> None:
        """Note which rows move with which size."""
        for m, (row, column) in enumerate(
            zip(link.rows.tolist(), link.columns.tolist(), strict=True)
        ):
            slope = link.values[:, m]
            if np.abs(slope).max(initial=0.0) > NOTHING:
                at = (link.row.name, row - link.row.offset)
                moved = self._moved.setdefault(at, {})
                k = column - link.column.offset
                moved[k] = moved[k] + slope if k in moved else slope

    def _read_bounds(self) -> None:
        for (row, at), moved in self._moved.items():
            entries = [e for e in self.entries(row, at) if e.column != UNBUILT]
            if len(entries) != 1 or entries[0].lag:
                continue
            entry = entries[0]
            self.bound_rows.add((row, at))
            for side in ("lower", "upper"):
                held = self._row_side(row, at, side)
                if not np.isfinite(held).any():
                    continue
                given = self._moving(held, moved)
                flips = entry.values.max(initial=0.0) < 0.0
                name = {"lower": "upper", "upper": "lower"}[side] if flips else side
                self._bounds[entry.column, entry.at, name] = given.times(1.0 / entry.values)

    def _moving(self, held: FloatArray, moved: Mapping[int, FloatArray]) -> Affine:
        """Return a side of a row less what is unbuilt: `held - sum v (most - size)`."""
        fixed = held - sum((v * self.most[k] for k, v in moved.items()), np.zeros(1))
        return Affine(fixed=fixed, slopes=dict(moved))

    def entries(self, row: str, at: int) -> list[Entry]:
        """Return the coefficients of one row of a block, by slot."""
        place = self.program.rows[row].offset + at
        return [
            Entry(
                column=link.column.name,
                at=int(link.columns[m]) - link.column.offset,
                values=link.values[:, m],
                lag=link.lag,
            )
            for link in self._by_row.get(row, ())
            for m in np.flatnonzero(link.rows == place)
            if np.abs(link.values[:, m]).max(initial=0.0) > 0.0
        ]

    def _of(self, values: FloatArray, block: Block, at: int, per_slot: int) -> FloatArray:
        beside = self.count * per_slot
        if block.whole:
            return values[beside + block.offset + at : beside + block.offset + at + 1]
        return values[:beside].reshape(self.count, per_slot)[:, block.offset + at]

    def _column(self, values: FloatArray, block: str, at: int) -> FloatArray:
        per_slot = self.program.columns_per_slot
        return self._of(values, self.program.columns[block], at, per_slot)

    def _row_side(self, row: str, at: int, side: str) -> FloatArray:
        values = self.numbers.row_lower if side == "lower" else self.numbers.row_upper
        return self._of(values, self.program.rows[row], at, self.program.rows_per_slot)

    def cost(self, block: str, at: int) -> FloatArray:
        """Return what a unit of a column costs [n], of a whole one [1], USD."""
        return self._column(self.numbers.costs, block, at)

    def lower(self, block: str, at: int) -> Affine:
        """Return a column's lower bound."""
        found = self._bounds.get((block, at, "lower"))
        return found or Affine(fixed=self._column(self.numbers.lower, block, at))

    def upper(self, block: str, at: int) -> Affine:
        """Return a column's upper bound."""
        found = self._bounds.get((block, at, "upper"))
        return found or Affine(fixed=self._column(self.numbers.upper, block, at))

    def side(self, row: str, at: int, side: str) -> Affine:
        """Return the lower or upper side of a row, without what is unbuilt."""
        held = self._row_side(row, at, side)
        return self._moving(held, self._moved.get((row, at), {}))

    def rhs(self, row: str, at: int) -> Affine:
        """Return what an equation is held to."""
        return self.side(row, at, "lower")

    def values(self, row: str, row_at: int, column: str, column_at: int) -> FloatArray:
        """Return the coefficients of a column in a row [n]; 0 where it has none."""
        total = np.zeros(1 if self.program.rows[row].whole else self.count)
        for entry in self.entries(row, row_at):
            if (entry.column, entry.at, entry.lag) == (column, column_at, 0):
                total = total + entry.values
        return total

    def moved_by(self, k: int) -> set[str]:
        """Return the blocks of rows that a candidate moves."""
        return {row for (row, _), moved in self._moved.items() if k in moved}

    def unit_usd(self) -> FloatArray:
        """Return what a unit of each candidate costs over the horizon [K], USD."""
        if UNBUILT not in self.program.columns:
            return np.zeros(0)
        return np.array([-self.cost(UNBUILT, k)[0] for k in range(self.most.size)])

    def constant_usd(self) -> float:
        """Return what is paid whatever is built and done, USD."""
        return float(self.posed.offset_usd - self.unit_usd() @ self.most)

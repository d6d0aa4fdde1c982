"""The program of one window, kept in the solver and changed in place as time passes.

Moving on by one hour overwrites one slot of the ring (`structure`) and moves its break; the basis
stays, so that a re-solve takes a few simplex steps instead of a new start. Of a window of unequal
intervals all numbers change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.structure import Structure
from tokenergy.dispatch.terms.term import Rent
from tokenergy.dispatch.window import Window, true_window, waiting_intervals
from tokenergy.dispatch.world import Action, FloatArray, IntArray, State, World
from tokenergy.lp.highs import LinearModel, Solution
from tokenergy.lp.program import Block, Program

IPX_ROWS = 400_000
"""Rows above which a cold solve starts by interior point with crossover: 90 days of Meridian
(203 k rows) take 38 s by simplex and over 150 s by ipx, the same optimum."""

ALL = slice(None)
"""Every interval of a window."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimum:
    """A solved window in the order of time.

    `value`, `dual` and `reduced` return a block's numbers as [n, m], or those `at` some of the
    intervals, without copying the rest; those of a block beside the slots as [m]. Duals are USD
    per unit of the row; the length of the interval has to be divided out of those that are per MW
    or per GPU.
    """

    window: Window
    program: Program
    solution: Solution
    slots: IntArray
    deployments_count: int
    rent_links: Mapping[Rent, tuple[int, ...]]

    @property
    def objective_usd(self) -> float:
        """The optimum of the window."""
        return self.solution.objective_usd

    def value(self, block: str, at: int | slice = ALL) -> FloatArray:
        """Return the primal values of a block of columns [n, m], of one interval [m]."""
        per_slot = self.program.columns_per_slot
        return self._of(self.solution.columns, per_slot, self.program.columns[block], at)

    def reduced(self, block: str, at: int | slice = ALL) -> FloatArray:
        """Return the reduced costs of a block of columns [n, m], of one interval [m]."""
        per_slot = self.program.columns_per_slot
        return self._of(self.solution.reduced_costs, per_slot, self.program.columns[block], at)

    def dual(self, block: str, at: int | slice = ALL) -> FloatArray:
        """Return the duals of a block of rows [n, m], of one interval [m]."""
        per_slot = self.program.rows_per_slot
        return self._of(self.solution.row_duals, per_slot, self.program.rows[block], at)

    def rent_usd_per_mwh(self, rent: Rent, at: int, column: str) -> FloatArray:
        """Return what the rows of terms add to the cost of a MWh at each site's meter [S].

        Those on `meter_import` and on `buy` do so within the node price; those on the load, `it`,
        beside it.
        """
        total = np.zeros(self.window.pue.shape[0])
        slot = int(self.slots[at])
        for index in self.rent_links.get(rent, ()):
            link = self.program.links[index]
            if link.column.name != column:
                continue
            duals = self.dual(link.row.name) if link.row.whole else self.dual(link.row.name, at)
            charged = -link.values[slot] * duals[link.rows - link.row.offset]
            sites = link.columns - link.column.offset
            if column == "it":
                charged = charged / self.window.pue[sites, at]
            np.add.at(total, sites, charged)
        return total

    def _of(
        self, values: FloatArray, per_slot_count: int, block: Block, at: int | slice
    ) -> FloatArray:
        beside = self.program.slots_count * per_slot_count
        if block.whole:
            return values[beside:][block.span]
        by_slot = values[:beside].reshape(-1, per_slot_count)
        return by_slot[:, block.span][self.slots[at]]

    def action(self, at: int, source: str) -> Action:
        """Return what the optimum does in interval `at` of the window."""
        step_h = float(self.window.lengths_h[at])
        awake = np.zeros(self.deployments_count)
        own = self.value("awake", at)
        awake[: own.size] = np.maximum(0.0, own)
        return Action(
            serve_mtok=np.maximum(0.0, self.value("serve", at)),
            refused_mtok=np.maximum(0.0, self.value("refused", at)),
            awake=awake,
            take_mw=self.value("take", at) / step_h,
            charge_mw=np.maximum(0.0, self.value("charge", at)) / step_h,
            discharge_mw=np.maximum(0.0, self.value("discharge", at)) / step_h,
            generate_mw=np.maximum(0.0, self.value("generate", at)) / step_h,
            source=source,
        )


class WindowModel:
    """The program of a window of n intervals, persistent in the solver."""

    def __init__(
        self, world: World, window: Window, state: State, *, elastic: bool = False
    ) -> None:
        """Build the structure once and pass it to the solver; `elastic` as in `Structure`."""
        self.world = world
        self._structure = Structure(world, window, elastic=elastic)
        self.program, self.terms = self._structure.program, self._structure.terms
        self._break = self._structure.break_of(window)
        rows_count = self.program.rows_count
        numbers = self._structure.numbers(window, state)
        self._model = LinearModel(
            self.program.matrix(break_slot=self._break),
            costs=numbers.costs,
            lower=numbers.lower,
            upper=numbers.upper,
            row_lower=numbers.row_lower,
            row_upper=numbers.row_upper,
            solver="simplex" if rows_count < IPX_ROWS else "ipx",
            integers=self._structure.integers(),
        )
        self._chain = [
            (index, *self.program.places(link))
            for index, link in enumerate(self.program.links)
            if link.lag
        ]

    def solve(self, window: Window, state: State) -> Optimum:
        """Put a window's numbers in place and re-solve from the last basis.

        Raises:
            InfeasibleProgram: if fixed load, contract or state bounds cannot be met.
        """
        self.update(window, state)
        return self.solved(window)

    def solved(self, window: Window) -> Optimum:
        """Re-solve what is in place; `window` names the order of time."""
        return Optimum(
            window=window,
            program=self.program,
            solution=self._model.solve(),
            slots=self._structure.slots(window),
            deployments_count=len(self.world.deployments),
            rent_links=self._structure.rent_links,
        )

    def update(self, window: Window, state: State) -> None:
        """Change costs, bounds, right-hand sides and coefficients; nothing is rebuilt."""
        self._model.set_costs_and_bounds(*self._structure.column_numbers(window, state))
        self._model.set_row_bounds(*self._structure.row_numbers(window, state))
        for moving in self._structure.moving:
            self._write(moving.link, self._structure.in_slots(window, moving))
        self._move_break(self._structure.break_of(window))

    @property
    def model(self) -> LinearModel:
        """The solver's model, for perturbations by `duals`."""
        return self._model

    def demand_row(self, window: Window, *, at: int, workload: int) -> int:
        """Return the number of the demand row of a workload in interval `at` of the window."""
        slot = int(self._structure.slots(window)[at])
        return slot * self.program.rows_per_slot + self.program.rows["demand"].offset + workload

    def ask_more(self, window: Window, *, at: int, workload: int, more_mtok: float) -> None:
        """Let more of a workload arrive in interval `at`, and wait as long as its tier allows."""
        self._model.shift_row(self.demand_row(window, at=at, workload=workload), more_mtok)
        waits = waiting_intervals(self.world, window, at=at, workload=workload)
        slots = self._structure.slots(window)[waits.start : waits.stop]
        offset = self.program.columns["backlog"].offset + workload
        self._model.shift_upper(slots * self.program.columns_per_slot + offset, more_mtok)

    def _write(self, link: int, values: FloatArray) -> None:
        """Change the coefficients of a link that differ from the present ones."""
        held = self.program.links[link]
        changed = values != held.values
        if not changed.any():
            return
        rows, columns = self.program.places(held)
        for slot, at in zip(*changed.nonzero(), strict=True):
            if not (held.lag and slot == self._break):
                self._model.set_coefficient(
                    int(rows[slot, at]), int(columns[slot, at]), float(values[slot, at])
                )
        self.program.revalue(link, values)

    def _move_break(self, slot: int) -> None:
        """Open the ring before `slot` and close it where it was open."""
        if slot == self._break:
            return
        for at, closed in ((self._break, True), (slot, False)):
            for index, rows, columns in self._chain:
                values = self.program.links[index].values[at] if closed else np.zeros(rows.shape[1])
                for row, column, value in zip(
                    rows[at].tolist(), columns[at].tolist(), values.tolist(), strict=True
                ):
                    self._model.set_coefficient(row, column, value)
        self._break = slot


def solve_horizon(world: World, state: State | None = None) -> Optimum:
    """Solve the whole horizon with perfect foresight: the clairvoyant bound."""
    start = State.initial(world) if state is None else state
    window = true_window(world, begin=world.first, count=world.count)
    return WindowModel(world, window, start).solved(window)

"""The program of one window, kept in the solver and changed in place as time passes.

The window is a ring: interval `t` of the world lives in slot `t mod n`. Moving on by one hour
overwrites one slot and moves the ring's break; the basis stays, so that a re-solve takes a few
simplex steps instead of a new start.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.columns import ColumnRule, column_rules, elastic_rules
from tokenergy.dispatch.rows import Moving, RowRule, row_rules
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
    intervals, without copying the rest. Duals are USD per unit of the row; the window's `step_h`
    has to be divided out of those that are per MW or per GPU.
    """

    window: Window
    program: Program
    solution: Solution
    slots: IntArray
    deployments_count: int

    @property
    def objective_usd(self) -> float:
        """The optimum of the window."""
        return self.solution.objective_usd

    def value(self, block: str, at: int | slice = ALL) -> FloatArray:
        """Return the primal values of a block of columns [n, m], of one interval [m]."""
        return self._of(self.solution.columns, self.program.columns[block], at)

    def reduced(self, block: str, at: int | slice = ALL) -> FloatArray:
        """Return the reduced costs of a block of columns [n, m], of one interval [m]."""
        return self._of(self.solution.reduced_costs, self.program.columns[block], at)

    def dual(self, block: str, at: int | slice = ALL) -> FloatArray:
        """Return the duals of a block of rows [n, m], of one interval [m]."""
        return self._of(self.solution.row_duals, self.program.rows[block], at)

    def _of(self, values: FloatArray, block: Block, at: int | slice) -> FloatArray:
        by_slot = values.reshape(self.program.slots_count, -1)
        return by_slot[:, block.span][self.slots[at]]

    def action(self, at: int, source: str) -> Action:
        """Return what the optimum does in interval `at` of the window."""
        step_h = self.window.step_h
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
            source=source,
        )


class WindowModel:
    """The program of a window of n intervals, persistent in the solver."""

    def __init__(
        self, world: World, window: Window, state: State, *, elastic: bool = False
    ) -> None:
        """Build the structure once and pass it to the solver.

        With `elastic`, power may be missing or in excess at a site at a prohibitive price, so
        that an infeasible company can be told where it breaks (`explain`).
        """
        self.world = world
        self.program = Program(window.count)
        self._column_rules: dict[str, ColumnRule] = {}
        blocks = column_rules(world) | (elastic_rules(world) if elastic else {})
        for name, (size, rule) in blocks.items():
            self.program.add_columns(name, size)
            self._column_rules[name] = rule
        self._moving: list[Moving] = []
        self._row_rules: dict[str, RowRule] = row_rules(self.program, world, self._moving)
        if elastic:
            self.program.link("balance", "missing", values=1.0)
            self.program.link("balance", "excess", values=-1.0)
        self._break = window.begin % window.count
        for moving in self._moving:
            self.program.revalue(moving.link, self._in_slots(window, moving))
        rows_count = self.program.rows_per_slot * window.count
        columns = self._column_numbers(window, state)
        rows = self._row_numbers(window, state)
        self._model = LinearModel(
            self.program.matrix(break_slot=self._break),
            costs=columns[0],
            lower=columns[1],
            upper=columns[2],
            row_lower=rows[0],
            row_upper=rows[1],
            solver="simplex" if rows_count < IPX_ROWS else "ipx",
        )
        self._chain = self._chain_links()

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
            slots=self._slots(window),
            deployments_count=len(self.world.deployments),
        )

    def update(self, window: Window, state: State) -> None:
        """Change costs, bounds, right-hand sides and coefficients; nothing is rebuilt."""
        self._model.set_costs_and_bounds(*self._column_numbers(window, state))
        self._model.set_row_bounds(*self._row_numbers(window, state))
        for moving in self._moving:
            self._write(moving.link, self._in_slots(window, moving))
        self._move_break(window.begin % window.count)

    @property
    def model(self) -> LinearModel:
        """The solver's model, for perturbations by `duals`."""
        return self._model

    def demand_row(self, window: Window, *, at: int, workload: int) -> int:
        """Return the number of the demand row of a workload in interval `at` of the window."""
        slot = (window.begin + at) % window.count
        return slot * self.program.rows_per_slot + self.program.rows["demand"].offset + workload

    def ask_more(self, window: Window, *, at: int, workload: int, more_mtok: float) -> None:
        """Let more of a workload arrive in interval `at`, and wait as long as its tier allows."""
        self._model.shift_row(self.demand_row(window, at=at, workload=workload), more_mtok)
        waits = waiting_intervals(self.world, window, at=at, workload=workload)
        slots = (window.begin + np.arange(waits.start, waits.stop)) % window.count
        offset = self.program.columns["backlog"].offset + workload
        self._model.shift_upper(slots * self.program.columns_per_slot + offset, more_mtok)

    def _slots(self, window: Window) -> IntArray:
        return (window.begin + np.arange(window.count)) % window.count

    def _column_numbers(
        self, window: Window, state: State
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        shape = (window.count, self.program.columns_per_slot)
        costs, lower, upper = np.empty(shape), np.empty(shape), np.empty(shape)
        slots = self._slots(window)
        for name, rule in self._column_rules.items():
            span = self.program.columns[name].span
            numbers = rule(window, state)
            costs[slots, span] = numbers.costs
            lower[slots, span] = numbers.lower
            upper[slots, span] = numbers.upper
        return costs.ravel(), lower.ravel(), upper.ravel()

    def _row_numbers(self, window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        shape = (window.count, self.program.rows_per_slot)
        lower, upper = np.empty(shape), np.empty(shape)
        slots = self._slots(window)
        for name, rule in self._row_rules.items():
            span = self.program.rows[name].span
            lower[slots, span], upper[slots, span] = rule(window, state)
        return lower.ravel(), upper.ravel()

    def _in_slots(self, window: Window, moving: Moving) -> FloatArray:
        """Return a link's coefficients for a window, in the order of the slots."""
        values = moving.values(window)
        by_slot = np.empty_like(values)
        by_slot[self._slots(window)] = values
        return by_slot

    def _write(self, link: int, values: FloatArray) -> None:
        """Change the coefficients of a link that differ from the present ones."""
        held = self.program.links[link]
        for slot, at in zip(*(values != held.values).nonzero(), strict=True):
            self._model.set_coefficient(
                int(slot * self.program.rows_per_slot + held.rows[at]),
                int(slot * self.program.columns_per_slot + held.columns[at]),
                float(values[slot, at]),
            )
        self.program.revalue(link, values)

    def _chain_links(self) -> list[tuple[int, int, float]]:
        """Return (row, column, value) within a slot of every coefficient of the slot before."""
        return [
            (int(row), int(column), float(value))
            for link in self.program.links
            if link.lag
            for row, column, value in zip(link.rows, link.columns, link.values[0], strict=True)
        ]

    def _move_break(self, slot: int) -> None:
        """Open the ring before `slot` and close it where it was open."""
        if slot == self._break:
            return
        for at, closed in ((self._break, True), (slot, False)):
            before = (at - 1) % self.program.slots_count
            for row, column, value in self._chain:
                self._model.set_coefficient(
                    at * self.program.rows_per_slot + row,
                    before * self.program.columns_per_slot + column,
                    value if closed else 0.0,
                )
        self._break = slot


def solve_horizon(world: World, state: State | None = None) -> Optimum:
    """Solve the whole horizon with perfect foresight: the clairvoyant bound."""
    start = State.initial(world) if state is None else state
    window = true_window(world, begin=world.first, count=world.count)
    return WindowModel(world, window, start).solved(window)

"""Whether a plant on site runs: a yes or no by interval, its starts, and its permit's hours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.columns import (
    INFINITY,
    PROHIBITIVE_USD_PER_MWH,
    ColumnNumbers,
    ColumnRule,
)
from tokenergy.dispatch.rows import Moving, RowRule
from tokenergy.dispatch.supply import FloatArray, Generator
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.term import Added, Rent, block_name, following
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered

RUNS_SHARE = 1e-6
"""Share of its capacity above which a plant ran in an interval."""
IDLING_SHARE = 1e-3
"""Least share of its capacity that a plant gives while it runs, where none is stated: a meter must
tell an idling plant from one that is off, or its next start would cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Commitment:
    """The yes or no of a plant with a least output or a cost of starting.

    Attributes:
        plant: index of it in the world's generators.
        spec: the plant.
    """

    contract_id: str
    plant: int
    spec: Generator
    component: str = "start"
    rent: Rent = "energy"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """least x h x on <= generate <= capacity x h x on; start >= on[t] - on[t-1]."""
        on, start = block_name(self, "on"), block_name(self, "start")
        most, least, begun = (block_name(self, part) for part in ("most", "least", "begun"))
        program.add_columns(on, 1)
        program.add_columns(start, 1)
        for rows in (most, least, begun):
            program.add_rows(rows, 1)
        at = [self.plant]
        program.link(most, "generate", column_at=at, values=1.0)
        program.link(least, "generate", column_at=at, values=1.0)
        links = (program.link(most, on, values=-1.0), program.link(least, on, values=-1.0))
        program.link(begun, start, values=1.0)
        program.link(begun, on, values=-1.0)
        program.link(begun, on, values=1.0, lag=1)

        def capacity_mwh(seen: Window) -> FloatArray:
            return np.asarray((seen.mean(self.spec.capacity_mw) * seen.lengths_h)[:, None])

        least_share = max(self.spec.min_load_share, IDLING_SHARE)
        values = (
            lambda seen: -capacity_mwh(seen),
            lambda seen: -least_share * capacity_mwh(seen),
        )
        return Added(
            columns={on: self._yes_or_no(), start: self._start_rule()},
            rows={
                most: _no_more_than_0,
                least: _no_less_than_0,
                begun: self._begun_rule(),
            },
            moving=tuple(
                Moving(link=link, values=each)
                for link, each in zip(links, values, strict=True)
                if link is not None
            ),
            integers=(on,),
        )

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return the cost of starts in each interval [T], USD."""
        most_mwh = self.spec.capacity_mw[world.first : world.last] * world.step_h
        runs = metered.generate_mwh[self.plant] > RUNS_SHARE * most_mwh
        past = metered.before.get(self.contract_id, ContractState())
        before = np.concatenate(([past.on], runs[:-1]))
        return np.asarray(self.spec.start_usd * (runs & ~before), dtype=np.float64)

    def _yes_or_no(self) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            """on[t] is 0 or 1, and 0 where there is no capacity: a term begins with a start."""
            can_run = window.mean(self.spec.capacity_mw) > 0.0
            upper = (window.live() * can_run)[:, None]
            return ColumnNumbers(
                costs=np.zeros_like(upper), lower=np.zeros_like(upper), upper=upper
            )

        return numbers

    def _start_rule(self) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            """start[t] >= 0, at the cost of a start."""
            shape = (window.count, 1)
            return ColumnNumbers(
                costs=np.full(shape, self.spec.start_usd),
                lower=np.zeros(shape),
                upper=np.full(shape, INFINITY),
            )

        return numbers

    def _begun_rule(self) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            lower = np.zeros((window.count, 1))
            past = state.contracts.get(self.contract_id, ContractState())
            lower[0, 0] = -1.0 if past.on else 0.0
            return lower, np.full_like(lower, INFINITY)

        return rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PermitHours:
    """The hours that a plant's air permit lets it run in a calendar year.

    A plant that commits counts the hours in which it runs; one that does not counts its output
    over its capacity.

    Attributes:
        years: permit years.
    """

    contract_id: str
    plant: int
    spec: Generator
    years: Periods
    component: str = "permit"
    rent: Rent = "energy"

    @property
    def on_block(self) -> str:
        """Return the name of the plant's yes or no, where it commits."""
        return f"{self.contract_id}.start.on"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """sum over a year of h on <= permit - used before, h; or of generate <= that x capacity.

        So a plant that does not commit counts hours at capacity, in MWh: whatever its size, the
        coefficients are the same.
        """
        rows, short = block_name(self, "hours"), block_name(self, "short")
        count = self.years.most_in(window)
        program.add_rows(rows, count, whole=True)
        on = self.on_block
        commits = on in program.columns
        at = list(range(count))
        link = program.link(
            rows,
            on if commits else "generate",
            row_at=at,
            column_at=[0 if commits else self.plant] * count,
            values=1.0,
        )
        columns: dict[str, ColumnRule] = {}
        most_mw = 1.0 if commits else float(self.spec.capacity_mw.max(initial=0.0))
        if elastic:
            program.add_columns(short, count, whole=True)
            program.link(rows, short, values=-most_mw)
            columns[short] = _prohibitive(count)

        def hours(seen: Window) -> FloatArray:
            each = seen.lengths_h if commits else np.ones(seen.count)
            return self.years.parts(seen) * each[:, None]

        return Added(
            columns=columns,
            rows={rows: self._hours_rule(count, most_mw)},
            moving=(following(link, hours),),
            short={short: "h"} if elastic else None,
        )

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return nothing: a permit costs no money [T], USD."""
        return np.zeros(world.count)

    def _hours_rule(self, count: int, most_mw: float) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            upper = np.full(count, INFINITY)
            for row, number in enumerate(self.years.touched(window)):
                past = self.years.before(state, self.contract_id, number)
                upper[row] = most_mw * max(0.0, self.spec.permit_h - past.running_h)
            return np.full(count, -INFINITY), upper

        return rule


def _prohibitive(count: int) -> ColumnRule:
    def numbers(window: Window, state: State) -> ColumnNumbers:
        """short[y] >= 0 hours, at a prohibitive price."""
        return ColumnNumbers(
            costs=np.full((1, count), PROHIBITIVE_USD_PER_MWH),
            lower=np.zeros((1, count)),
            upper=np.full((1, count), INFINITY),
        )

    return numbers


def _no_more_than_0(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
    shape = (window.count, 1)
    return np.full(shape, -INFINITY), np.zeros(shape)


def _no_less_than_0(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
    shape = (window.count, 1)
    return np.zeros(shape), np.full(shape, INFINITY)

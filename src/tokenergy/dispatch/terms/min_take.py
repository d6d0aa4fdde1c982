"""Minimum take: an as-produced contract is paid for a least energy a contract year."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.columns import INFINITY, ColumnNumbers, ColumnRule
from tokenergy.dispatch.rows import RowRule
from tokenergy.dispatch.supply import FloatArray
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.term import Added, Rent, block_name, following
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MinimumTake:
    """strike x max(taken, minimum) of a contract year: what is taken pays its own part already.

    What is lacking is billed when the year ends (or the term, where it ends first): a year that
    goes on after the horizon asks for nothing.

    Attributes:
        take: index of the contract in the world's takes.
        years: contract years that end within the horizon.
        minimum_mwh: least energy of a contract year.
        strike_usd_per_mwh: in each of the years [years].
        counted: whether a MWh taken counts in an interval, 1 or 0 [T]: output that is paid anyway
            counts whether it is taken or not.
        paid_mw: such output [T].
        passed_share: part of its contract year that has passed after each interval [T].
    """

    contract_id: str
    take: int
    years: Periods
    minimum_mwh: float
    strike_usd_per_mwh: FloatArray
    counted: FloatArray
    paid_mw: FloatArray
    passed_share: FloatArray
    component: str = "minimum_take"
    rent: Rent = "energy"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """untaken[y] + sum over its intervals of take >= minimum - taken or paid before, MWh.

        In a window that ends before the contract year, the minimum counts as far as the year has
        passed by then: what the rest of the year takes, nobody knows yet.
        """
        untaken, rows = block_name(self, "untaken"), block_name(self, "year")
        count = self.years.most_in(window)
        program.add_columns(untaken, count, whole=True)
        program.add_rows(rows, count, whole=True)
        program.link(rows, untaken, values=1.0)
        at = [self.take] * count
        link = program.link(rows, "take", row_at=range(count), column_at=at, values=1.0)
        return Added(
            columns={untaken: self._untaken_rule(count)},
            rows={rows: self._year_rule(world, count)},
            moving=(following(link, self._counted_parts),),
        )

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return strike x what was not taken of the minimum, as its year ends [T], USD."""
        span = slice(world.first, world.last)
        taken = self.counted[span] * metered.take_mwh[self.take]
        taken_mwh = self.years.sums(taken + self.paid_mw[span] * world.step_h, world)
        past = metered.before.get(self.contract_id, ContractState())
        before_mwh = [past.taken_mwh if past.period == name else 0.0 for name in self.years.names]
        lacking_mwh = np.maximum(0.0, self.minimum_mwh - taken_mwh - before_mwh)
        return self.years.booked(self.strike_usd_per_mwh * lacking_mwh, world)

    def _counted_parts(self, window: Window) -> FloatArray:
        return self.years.parts(window) * window.mean(self.counted)[:, None]

    def _untaken_rule(self, count: int) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            """untaken[y] >= 0, at the strike of the year."""
            costs = np.zeros((1, count))
            touched = self.years.touched(window)
            costs[0, : len(touched)] = self.strike_usd_per_mwh[touched]
            upper = np.where(np.arange(count) < len(touched), INFINITY, 0.0)[None, :]
            return ColumnNumbers(costs=costs, lower=np.zeros((1, count)), upper=upper)

        return numbers

    def _year_rule(self, world: World, count: int) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            lower = np.full(count, -INFINITY)
            parts = self.years.parts(window)
            paid_mwh = (window.mean(self.paid_mw) * window.live_h()) @ parts
            for row, year in enumerate(self.years.touched(window)):
                least_mwh = self.minimum_mwh
                if self.years.goes_on(window, world, year):
                    least_mwh *= self.passed_share[window.live_end - 1]
                before = self.years.before(state, self.contract_id, year)
                lower[row] = least_mwh - before.taken_mwh - paid_mwh[row]
            return lower, np.full(count, INFINITY)

        return rule

"""Rates by the month's energy in the program: rising, so that the cheapest tier fills first.

    sum over tiers of tier[k,j] = imports of month k, each tier within its width, at its rate

What was imported so far has filled the first tiers; in a window that ends before the month does,
the rest of the month is counted as filled at the month's pace: a MWh now is one more of the
month, not one more of today.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.columns import INFINITY, ColumnNumbers
from tokenergy.dispatch.terms.metered import Metered
from tokenergy.dispatch.terms.months import Months
from tokenergy.dispatch.terms.term import Added, Rent, block_name, following
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.lp.program import Program
from tokenergy.units import H_PER_DAY

PACE_H = H_PER_DAY
"""Hours of a month from which on its pace says something; one day is an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tier:
    """The energy tiers of one tariff.

    Attributes:
        contract_id, component: tariff and item.
        site: index of the site.
        months: the billing months.
        thresholds_mwh: monthly energy at which each further rate begins.
        usd_per_mwh: one rate more than thresholds, rising.
    """

    contract_id: str
    component: str
    site: int
    months: Months
    thresholds_mwh: tuple[float, ...]
    usd_per_mwh: tuple[float, ...]
    rent: Rent = "energy"

    @property
    def key(self) -> str:
        """Return the name of its state."""
        return f"{self.contract_id}.{self.component}"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """Add each month's tiers, and the row that fills them."""
        size, tiers = self.months.ring_size(window, world.step_h), len(self.usd_per_mwh)
        filled, energy = block_name(self, "filled"), block_name(self, "energy")
        program.add_columns(filled, size * tiers, whole=True)
        program.add_rows(energy, size, whole=True)
        places = np.arange(size * tiers)
        program.link(energy, filled, values=1.0, row_at=places // tiers, column_at=places)
        link = program.link(
            energy,
            "meter_import",
            values=0.0,
            row_at=np.arange(size),
            column_at=np.full(size, self.site),
        )
        return Added(
            columns={filled: lambda window, state: self._numbers(world, window, state, size)},
            rows={energy: lambda window, state: (np.zeros((1, size)), np.zeros((1, size)))},
            moving=(
                following(
                    link, lambda window: -self.months.shares(window, self.months.touched, size)
                ),
            ),
        )

    def _numbers(self, world: World, window: Window, state: State, size: int) -> ColumnNumbers:
        """0 <= filled[k,j] <= what is left of the tier."""
        tiers = len(self.usd_per_mwh)
        costs, upper = np.zeros((size, tiers)), np.zeros((size, tiers))
        for month in self.months.within(window):
            taken_mwh = self._taken_mwh(world, window, state, month)
            upper[month % size] = self._widths_mwh(taken_mwh, INFINITY)
            costs[month % size] = self.usd_per_mwh
        return ColumnNumbers(
            costs=costs.reshape(1, -1),
            lower=np.zeros((1, size * tiers)),
            upper=upper.reshape(1, -1),
        )

    def _taken_mwh(self, world: World, window: Window, state: State, month: int) -> float:
        """Return the energy that the first tiers are filled with: so far, and past the window."""
        past = state.contracts.get(self.key, ContractState())
        if past.period != self.months.names[month]:
            return 0.0
        begin, end = self.months.span(month, first=world.first, last=world.last)
        passed_h = (window.begin - begin) * world.step_h
        left_h = max(0, end - window.live_end) * world.step_h
        pace_mw = past.energy_mwh / passed_h if passed_h >= PACE_H else 0.0
        return past.energy_mwh + pace_mw * left_h

    def _widths_mwh(self, from_mwh: float, to_mwh: float) -> FloatArray:
        """Return what of each tier lies between two sums of a month's energy."""
        bounds = np.array([0.0, *self.thresholds_mwh, INFINITY])
        below, above = np.maximum(bounds[:-1], from_mwh), np.minimum(bounds[1:], to_mwh)
        return np.asarray(np.maximum(0.0, above - below))

    def charged_usd(self, world: World, metered: Metered) -> FloatArray:
        """Return what each month's energy costs by tier, in its last interval [T], USD."""
        past = metered.before.get(self.key, ContractState())
        charged = np.zeros(world.count)
        for month, end in self.months.last_touched(first=world.first, last=world.last).items():
            begin, until = self.months.span(month, first=world.first, last=world.last)
            inside = self.months.touched[begin:until]
            energies = metered.import_mwh[self.site, begin - world.first : until - world.first]
            before_mwh = past.energy_mwh if past.period == self.months.names[month] else 0.0
            total_mwh = before_mwh + float(energies[inside].sum())
            widths_mwh = self._widths_mwh(before_mwh, total_mwh)
            charged[end - world.first] = widths_mwh @ np.array(self.usd_per_mwh)
        return charged

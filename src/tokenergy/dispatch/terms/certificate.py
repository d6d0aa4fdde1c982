"""Certificates: a share of a calendar year's load, whatever the hour; the dual is their price."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.columns import INFINITY, ColumnNumbers, ColumnRule
from tokenergy.dispatch.rows import Moving, RowRule
from tokenergy.dispatch.supply import FloatArray
from tokenergy.dispatch.terms.periods import Periods, believed
from tokenergy.dispatch.terms.term import Added, Rent, block_name
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificates:
    """Unbundled certificates of one contract.

    Attributes:
        price_usd_per_mwh: of a certificate of one MWh.
        load_share: share of the load that certificates must cover.
        years: calendar years.
        takes: indices of the world's takes that come with theirs.
        bundled_mw: what other contracts with theirs deliver [T].
    """

    contract_id: str
    site: int
    price_usd_per_mwh: float
    load_share: float
    years: Periods
    takes: tuple[int, ...]
    bundled_mw: FloatArray
    component: str = "certificates"
    rent: Rent = "cfe"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """rec[y] + bundled so far and in the window >= share x load, MWh, by calendar year."""
        rec, rows = block_name(self, "rec"), block_name(self, "year")
        count = self.years.most_in(window)
        program.add_columns(rec, count, whole=True)
        program.add_rows(rows, count, whole=True)
        program.link(rows, rec, values=1.0)
        at, site = list(range(count)), [self.site] * count
        links = [program.link(rows, "it", row_at=at, column_at=site, values=-1.0)]
        for take in self.takes:
            links.append(program.link(rows, "take", row_at=at, column_at=[take] * count, values=1))

        def load(seen: Window) -> FloatArray:
            pue = seen.pue[self.site][:, None]
            return np.asarray(-self.load_share * pue * self.years.parts(seen))

        values = (load, *(self.years.parts for _ in self.takes))
        return Added(
            columns={rec: self._rec_rule(count)},
            rows={rows: self._year_rule(world, count)},
            moving=tuple(
                Moving(link=link, values=each)
                for link, each in zip(links, values, strict=True)
                if link is not None
            ),
        )

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return what each year needs more than it did before the horizon [T], USD."""
        bundled_mwh = self.bundled_mw[world.first : world.last] * world.step_h
        for take in self.takes:
            bundled_mwh = bundled_mwh + metered.take_mwh[take]
        sums_mwh = self.years.sums(bundled_mwh, world)
        loads_mwh = self.years.sums(metered.load_mwh[self.site], world)
        past = metered.before.get(self.contract_id, ContractState())
        usd = np.zeros(len(self.years.names))
        for number, name in enumerate(self.years.names):
            before = past if past.period == name else ContractState()
            after_mwh = self._needed_mwh(
                before.load_mwh + loads_mwh[number], before.matched_mwh + sums_mwh[number]
            )
            before_mwh = self._needed_mwh(before.load_mwh, before.matched_mwh)
            usd[number] = self.price_usd_per_mwh * (after_mwh - before_mwh)
        return self.years.booked(usd, world)

    def constant_usd(self, world: World) -> float:
        """Return what years were charged before the horizon, below 0: it is in their columns."""
        past = world.before.get(self.contract_id, ContractState())
        begun = set(self.years.index[world.first : world.last].tolist())
        needed_mwh = self._needed_mwh(past.load_mwh, past.matched_mwh)
        return -sum(
            self.price_usd_per_mwh * needed_mwh
            for number, name in enumerate(self.years.names)
            if number in begun and name == past.period
        )

    def _needed_mwh(self, load_mwh: float, bundled_mwh: float) -> float:
        return max(0.0, self.load_share * load_mwh - bundled_mwh)

    def _rec_rule(self, count: int) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            """rec[y] >= 0, at its price."""
            touched = np.arange(count) < len(self.years.touched(window))
            return ColumnNumbers(
                costs=np.full((1, count), self.price_usd_per_mwh),
                lower=np.zeros((1, count)),
                upper=np.where(touched, INFINITY, 0.0)[None, :],
            )

        return numbers

    def _year_rule(self, world: World, count: int) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            lower = np.full(count, -INFINITY)
            bundled = believed(self.bundled_mw, window, world) * window.live_h()
            sums_mwh = bundled @ self.years.parts(window)
            for row, number in enumerate(self.years.touched(window)):
                past = self.years.before(state, self.contract_id, number)
                so_far_mwh = self.load_share * past.load_mwh - past.matched_mwh
                lower[row] = so_far_mwh - sums_mwh[row]
            return lower, np.full(count, INFINITY)

        return rule

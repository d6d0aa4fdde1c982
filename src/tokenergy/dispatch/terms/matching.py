"""24/7 clean power: a share of a period's load is matched, hour by hour, with clean power.

    matched[t] <= load[t]
    matched[t] <= clean[t] + grid share[t] x what is bought[t], net of what is sold (`netting`)
    billed <= sum over the period of matched
    billed + short = target x sum of load

What a window knows of its period decides what may be short:
- The window holds the period to its end, or to that of the horizon. What is short costs the
  contract's shortfall price. Without one nothing may be short, but in a window that begins within
  the period what is past cannot be mended: there it costs a prohibitive price, so that the
  program does what can still be done instead of failing.
- The period goes on after the window. One clean MWh more is one for the whole period, and what
  the rest of it will bring nobody knows: the target acts by a price mu alone. A MWh matched earns
  mu, a MWh of load costs target x mu. Without such a price it is as if the period ended with
  the window, and what is short costs the shortfall price, or the prohibitive one.
"""

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
from tokenergy.dispatch.rows import RowRule
from tokenergy.dispatch.supply import FloatArray
from tokenergy.dispatch.terms.netting import known_clean_mw, net_of_sales
from tokenergy.dispatch.terms.periods import Periods, believed
from tokenergy.dispatch.terms.term import Added, Rent, block_name, following
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matching:
    """One CFE contract.

    Attributes:
        target_share: share of a period's load that is matched in its own hour.
        premium_usd_per_mwh: on each matched MWh, up to the target.
        shortfall_usd_per_mwh: on each MWh short of it; None: nothing may be short.
        planned_usd_per_mwh: mu, what a matched MWh is worth while the period goes on; None: see
            above.
        periods: months or calendar years.
        takes: indices of the world's takes that are its sources.
        clean_mw: what its other sources deliver [T].
        grid_share: clean share of what is bought [T].
    """

    contract_id: str
    site: int
    target_share: float
    premium_usd_per_mwh: float
    shortfall_usd_per_mwh: float | None
    planned_usd_per_mwh: float | None
    periods: Periods
    takes: tuple[int, ...]
    clean_mw: FloatArray
    grid_share: FloatArray
    component: str = "matched"
    rent: Rent = "cfe"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """Add what is matched, its two bounds in each interval, and the target of each period."""
        matched, billed, short = (block_name(self, part) for part in ("matched", "billed", "short"))
        load, clean, covered, target = (
            block_name(self, part) for part in ("load", "clean", "covered", "target")
        )
        count = self.periods.most_in(window)
        program.add_columns(matched, 1)
        program.add_rows(load, 1)
        program.add_rows(clean, 1)
        for column in (billed, short):
            program.add_columns(column, count, whole=True)
        for row in (covered, target):
            program.add_rows(row, count, whole=True)
            program.link(row, billed, values=1.0)
        program.link(load, matched, values=1.0)
        program.link(clean, matched, values=1.0)
        takes = list(self.takes)
        program.link(clean, "take", row_at=[0] * len(takes), column_at=takes, values=-1.0)
        program.link(target, short, values=1.0)
        rows, site = list(range(count)), [self.site]
        links = (
            program.link(load, "it", column_at=site, values=-1.0),
            program.link(clean, "buy", column_at=site, values=-1.0),
            program.link(covered, matched, row_at=rows, column_at=[0] * count, values=-1.0),
            program.link(target, "it", row_at=rows, column_at=site * count, values=-1.0),
        )
        values = (
            lambda seen: -seen.pue[self.site][:, None],
            lambda seen: -self.bought_share(seen, world)[:, None],
            lambda seen: -self.periods.parts(seen),
            lambda seen: (
                -self.target_share * seen.pue[self.site][:, None] * self.periods.parts(seen)
            ),
        )
        netted = net_of_sales(self, program, world)
        return Added(
            columns={
                matched: self._matched_rule(),
                billed: self._billed_rule(count),
                short: self._short_rule(world, count, elastic),
                **netted.columns,
            },
            rows={
                load: self._load_rule(),
                clean: self._clean_rule(world),
                covered: self._covered_rule(count),
                target: self._target_rule(count),
                **netted.rows,
            },
            moving=(*map(following, links, values), *netted.moving),
            integers=netted.integers,
            short={short: "MWh"},
        )

    def bought_share(self, window: Window, world: World) -> FloatArray:
        """Return the share of what is bought that counts as clean, 0 outside the term [n]."""
        inside = self.periods.parts(window).sum(axis=1)
        return np.asarray(believed(self.grid_share, window, world) * inside)

    def constant_usd(self, world: World) -> float:
        """Return what periods were charged before the horizon, below 0: it is in their columns."""
        past = world.before.get(self.contract_id, ContractState())
        begun = set(self.periods.index[world.first : world.last].tolist())
        return -sum(
            self._charge_usd(past.matched_mwh, past.load_mwh)
            for number, name in enumerate(self.periods.names)
            if number in begun and name == past.period
        )

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return what each period charges more than it had before the horizon [T], USD."""
        span = slice(world.first, world.last)
        load_mwh = metered.load_mwh[self.site]
        clean_mwh = self.clean_mw[span] * world.step_h
        clean_mwh = clean_mwh + self.grid_share[span] * metered.bought_mwh[self.site]
        for take in self.takes:
            clean_mwh = clean_mwh + metered.take_mwh[take]
        matched_mwh = self.periods.sums(np.minimum(load_mwh, clean_mwh), world)
        loads_mwh = self.periods.sums(load_mwh, world)
        usd = np.zeros(len(self.periods.names))
        past = metered.before.get(self.contract_id, ContractState())
        for number, name in enumerate(self.periods.names):
            before = past if past.period == name else ContractState()
            after_usd = self._charge_usd(
                before.matched_mwh + matched_mwh[number], before.load_mwh + loads_mwh[number]
            )
            usd[number] = after_usd - self._charge_usd(before.matched_mwh, before.load_mwh)
        return self.periods.booked(usd, world)

    def _charge_usd(self, matched_mwh: float, load_mwh: float) -> float:
        """Return what a period with these sums is charged."""
        target_mwh = self.target_share * load_mwh
        short_usd = (self.shortfall_usd_per_mwh or 0.0) * max(0.0, target_mwh - matched_mwh)
        return self.premium_usd_per_mwh * min(matched_mwh, target_mwh) + short_usd

    def _matched_rule(self) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            """matched[t] >= 0, within the term."""
            inside = self.periods.parts(window).sum(axis=1)[:, None]
            none = np.zeros((window.count, 1))
            return ColumnNumbers(
                costs=none, lower=none, upper=np.where(inside > 0.0, INFINITY, 0.0)
            )

        return numbers

    def _billed_rule(self, count: int) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            """billed[p] >= 0, at the premium: what is matched of the target."""
            touched = np.arange(count) < len(self.periods.touched(window))
            return ColumnNumbers(
                costs=np.full((1, count), self.premium_usd_per_mwh),
                lower=np.zeros((1, count)),
                upper=np.where(touched, INFINITY, 0.0)[None, :],
            )

        return numbers

    def _short_rule(self, world: World, count: int, elastic: bool) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            """short[p]: at the shortfall price, or free in sign at mu while the period goes on."""
            costs, lower, upper = (np.zeros((1, count)) for _ in range(3))
            for row, number in enumerate(self.periods.touched(window)):
                price = self._going_on_usd_per_mwh(window, world, number)
                if price is not None:
                    costs[0, row] = price
                    lower[0, row], upper[0, row] = -INFINITY, INFINITY
                    continue
                stated = self.shortfall_usd_per_mwh
                costs[0, row] = PROHIBITIVE_USD_PER_MWH if stated is None else stated
                past = self.periods.before(state, self.contract_id, number)
                mends = window.known_at is not None and past.load_mwh > 0.0
                going_on = self.periods.goes_on(window, world, number)
                may = stated is not None or elastic or mends or going_on
                upper[0, row] = INFINITY if may else 0.0
            return ColumnNumbers(costs=costs, lower=lower, upper=upper)

        return numbers

    def _going_on_usd_per_mwh(self, window: Window, world: World, number: int) -> float | None:
        """Return mu where a period goes on after the window and there is one, else None."""
        return self.planned_usd_per_mwh if self.periods.goes_on(window, world, number) else None

    def _load_rule(self) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            none = np.zeros((window.count, 1))
            return np.full_like(none, -INFINITY), none

        return rule

    def _clean_rule(self, world: World) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            upper = (known_clean_mw(self, window, world) * window.live_h())[:, None]
            return np.full_like(upper, -INFINITY), upper

        return rule

    def _covered_rule(self, count: int) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            upper = np.full(count, INFINITY)
            for row, number in enumerate(self.periods.touched(window)):
                upper[row] = self.periods.before(state, self.contract_id, number).matched_mwh
            return np.full(count, -INFINITY), upper

        return rule

    def _target_rule(self, count: int) -> RowRule:
        def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
            lower, upper = np.full(count, -INFINITY), np.full(count, INFINITY)
            for row, number in enumerate(self.periods.touched(window)):
                past = self.periods.before(state, self.contract_id, number)
                lower[row] = upper[row] = self.target_share * past.load_mwh
            return lower, upper

        return rule

"""A tariff's least bill of a calendar month in the program.

    topup[k] >= minimum - everything that the tariff charges in month k

In a window that ends before the month does, the part of the minimum that falls on the rest of the
month is left out: what is charged so far is held against the minimum of the days so far.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.columns import INFINITY, ColumnNumbers
from tokenergy.dispatch.rows import Moving
from tokenergy.dispatch.terms.metered import Metered
from tokenergy.dispatch.terms.months import Months
from tokenergy.dispatch.terms.peak import Peak
from tokenergy.dispatch.terms.term import Added, Rent, Term, block_name, following
from tokenergy.dispatch.terms.tier import Tier
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, MeterRate, State, World
from tokenergy.lp.program import Program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Minimum:
    """The minimum bill of one tariff.

    Attributes:
        contract_id, component: tariff and item.
        site: index of the site.
        months: the billing months.
        usd_per_month: the least bill.
        rates: the tariff's rates on the meter that count; those on coincident peaks are billed
            later and do not.
        sunk_usd: its fixed charges that count, in the intervals they are booked in [T].
        supply_usd_per_mwh: what it asks for a MWh bought, and gives for one sold [2, T]; 0 where
            a spot contract settles them.
        peaks, tiers: its other terms; they come before it in the world.
    """

    contract_id: str
    component: str
    site: int
    months: Months
    usd_per_month: float
    rates: tuple[MeterRate, ...]
    sunk_usd: FloatArray
    supply_usd_per_mwh: FloatArray
    peaks: tuple[Peak, ...]
    tiers: tuple[Tier, ...]
    rent: Rent = "energy"

    @property
    def key(self) -> str:
        """Return the name of its state."""
        return f"{self.contract_id}.{self.component}"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """Add each month's `topup`, and the row that holds it up."""
        size = self.months.ring_size(window, world.step_h)
        topup, bill = block_name(self, "topup"), block_name(self, "bill")
        program.add_columns(topup, size, whole=True)
        program.add_rows(bill, size, whole=True)
        program.link(bill, topup, values=1.0)
        moving = []
        for column, values in (
            ("meter_import", self._import_usd_per_mwh),
            ("meter_export", self._export_usd_per_mwh),
            ("buy", lambda window: window.mean(self.supply_usd_per_mwh[0])),
            ("sell", lambda window: -window.mean(self.supply_usd_per_mwh[1])),
        ):
            moving.append(self._linked(program, bill, column, values, size))
        for peak in self.peaks:
            billed = block_name(peak, "billed")
            link = program.link(bill, billed, values=0.0)
            moving.append(following(link, self._rates_of(peak, size)))
        for tier in self.tiers:
            count = len(tier.usd_per_mwh)
            program.link(
                bill,
                block_name(tier, "filled"),
                values=np.tile(tier.usd_per_mwh, size),
                row_at=np.arange(size * count) // count,
                column_at=np.arange(size * count),
            )
        return Added(
            columns={topup: lambda window, state: self._numbers(window, size)},
            rows={bill: lambda window, state: self._least(world, window, state, size)},
            moving=tuple(moving),
        )

    def _linked(
        self,
        program: Program,
        bill: str,
        column: str,
        usd_per_mwh: Callable[[Window], FloatArray],
        size: int,
    ) -> Moving:
        """Count what each MWh of a column is charged in its month."""
        places = np.arange(size)
        link = program.link(
            bill, column, values=0.0, row_at=places, column_at=np.full(size, self.site)
        )
        return following(
            link,
            lambda window: (
                usd_per_mwh(window)[:, None] * self.months.shares(window, self.months.touched, size)
            ),
        )

    def _rates_of(self, peak: Peak, size: int) -> Callable[[Window], FloatArray]:
        def values(window: Window) -> FloatArray:
            rates = np.zeros((1, size))
            for month in self.months.within(window):
                rates[0, month % size] = peak.usd_per_mw * peak.charged[month]
            return rates

        return values

    def _import_usd_per_mwh(self, window: Window) -> FloatArray:
        total = np.zeros(window.count)
        for rate in self.rates:
            total += window.mean(rate.import_usd_per_mwh)
        return total

    def _export_usd_per_mwh(self, window: Window) -> FloatArray:
        total = np.zeros(window.count)
        for rate in self.rates:
            total += window.mean(rate.export_usd_per_mwh)
        return total

    def _numbers(self, window: Window, size: int) -> ColumnNumbers:
        """topup[k] >= 0, in USD."""
        upper = np.zeros((1, size))
        for month in self.months.within(window):
            upper[0, month % size] = INFINITY
        return ColumnNumbers(costs=np.ones((1, size)), lower=np.zeros((1, size)), upper=upper)

    def _least(
        self, world: World, window: Window, state: State, size: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return what is missing of each month's minimum before the window's own charges."""
        past = state.contracts.get(self.key, ContractState())
        lower = np.full((1, size), -INFINITY)
        for month in self.months.within(window):
            begin, end = self.months.span(month, first=world.first, last=world.last)
            seen_share = (min(end, window.live_end) - begin) / (end - begin)
            least_usd = self.usd_per_month * seen_share
            ahead = slice(max(begin, window.begin), min(end, window.live_end))
            least_usd -= float(self.sunk_usd[ahead].sum())
            # A peak's column holds the whole month: what was booked before is no new charge.
            least_usd += sum(peak.booked_usd(state, month) for peak in self.peaks)
            if past.period == self.months.names[month]:
                least_usd -= past.charged_usd
            lower[0, month % size] = least_usd
        return lower, np.full((1, size), INFINITY)

    def charged_usd(self, world: World, metered: Metered) -> FloatArray:
        """Return what each month's charges lack of the minimum, in its last interval [T], USD."""
        past = metered.before.get(self.key, ContractState())
        usd = self._counted_usd(world, metered)
        charged = np.zeros(world.count)
        for month, end in self.months.last_touched(first=world.first, last=world.last).items():
            begin, until = self.months.span(month, first=world.first, last=world.last)
            sum_usd = float(usd[begin - world.first : until - world.first].sum())
            booked_usd = 0.0
            if past.period == self.months.names[month]:
                sum_usd += past.charged_usd
                booked_usd = max(0.0, self.usd_per_month - past.charged_usd)
            lack_usd = max(0.0, self.usd_per_month - sum_usd)
            charged[end - world.first] = lack_usd - booked_usd
        return charged

    def _counted_usd(self, world: World, metered: Metered) -> FloatArray:
        """Return everything else that the tariff charges [T], USD."""
        span, site = slice(world.first, world.last), self.site
        usd = self.sunk_usd[span].copy()
        for rate in self.rates:
            usd += rate.import_usd_per_mwh[span] * metered.import_mwh[site]
            usd += rate.export_usd_per_mwh[span] * metered.export_mwh[site]
        usd += self.supply_usd_per_mwh[0, span] * metered.bought_mwh[site]
        usd -= self.supply_usd_per_mwh[1, span] * metered.sold_mwh[site]
        others: tuple[Term, ...] = (*self.peaks, *self.tiers)
        for term in others:
            usd += term.charged_usd(world, metered)
        return np.asarray(usd)

"""A demand charge in the program: the month's highest average import, its ratchet, its minimum.

    peak[k] >= average import of each demand interval of month k that counts
    billed[k] >= peak[k], ratchet x earlier months, contracted minimum; at the rate

Past months and the peak so far are bounds; months within the window are columns of each other
(contracts sheet, sections 5 and 6). In a window that ends before the month does, a target holds
the peak up: power below it is free of this charge, and only what is above costs money now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.columns import INFINITY, ColumnNumbers
from tokenergy.dispatch.rows import Moving
from tokenergy.dispatch.terms.metered import Metered
from tokenergy.dispatch.terms.months import Months, month_number
from tokenergy.dispatch.terms.term import Added, Rent, block_name, following
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import BoolArray, FloatArray, State, World
from tokenergy.lp.program import Program
from tokenergy.units import H_PER_DAY, KW_PER_MW

FADE_H = 5.0 * H_PER_DAY
"""Over the last hours of a month that a window does not see, a target fades to what was metered:
5 days are an assumption."""
SAME_H = 1e-9
"""Lengths that differ by less are one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peak:
    """One demand charge of one tariff.

    Attributes:
        contract_id, component: tariff and item.
        site: index of the site.
        months: the billing months.
        counts: intervals in whose hours a peak counts [T].
        begins: intervals that begin a demand interval [T].
        charged: whether a month is charged [M].
        floor_mw: least that a month is billed [M]: a share of the contracted megawatts.
        season: calendar months that the ratchet remembers.
        target_mw: peak that is planned for anyway [M]; 0 without a plan.
        usd_per_kw_month: the rate.
        demand_interval_h: length over which the meter averages.
        peak_ratio: peak of a demand interval over the average of a longer interval.
        ratchet_share: what of an earlier month is billed at least.
        lookback_months: how far it looks back.
        remembers_billed: whether it remembers what was billed, or the peak.
    """

    contract_id: str
    component: str
    site: int
    months: Months
    counts: BoolArray
    begins: BoolArray
    charged: BoolArray
    floor_mw: FloatArray
    season: tuple[int, ...]
    target_mw: FloatArray
    usd_per_kw_month: float
    demand_interval_h: float
    peak_ratio: float
    ratchet_share: float
    lookback_months: int
    remembers_billed: bool
    rent: Rent = "demand_peak"

    @property
    def key(self) -> str:
        """Return the name of its state."""
        return f"{self.contract_id}.{self.component}"

    @property
    def usd_per_mw(self) -> float:
        """Return what a MW costs in a month that is charged."""
        return self.usd_per_kw_month * KW_PER_MW

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """Add `peak` and `billed` of each month, and what holds them up."""
        size = self.months.ring_size(window, world.step_h)
        names = {each: block_name(self, each) for each in ("peak", "billed", "over", "ratchet")}
        for name in ("peak", "billed"):
            program.add_columns(names[name], size, whole=True)
        columns = {
            names["peak"]: lambda window, state: self._peak_numbers(world, window, state, size),
            names["billed"]: lambda window, state: self._billed_numbers(window, state, size),
        }
        program.add_rows(names["over"], 1)
        rows = {names["over"]: lambda window, state: _at_least_0(window.count, 1)}
        places = np.arange(size)
        link = program.link(
            names["over"], names["peak"], values=0.0, row_at=0 * places, column_at=places
        )
        moving = [following(link, lambda window: self._counted(window, size).astype(np.float64))]
        averaged = bool(window.lengths_h.min() < self.demand_interval_h - SAME_H)
        load, load_at = "meter_import", self.site
        if averaged:
            load, load_at = block_name(self, "so_far"), 0
            program.add_columns(load, 1)
            columns[load] = _so_far_numbers
            moving += self._averaged(program, load)
            rows[load] = self._so_far_rows
        link = program.link(names["over"], load, values=0.0, row_at=[0], column_at=[load_at])
        moving.append(following(link, lambda window: self._per_mwh(window, size)))
        holds = block_name(self, "holds")
        program.add_rows(holds, size, whole=True)
        program.link(holds, names["billed"], values=1.0)
        program.link(holds, names["peak"], values=-1.0)
        rows[holds] = lambda window, state: _at_least_0(1, size)
        if self.ratchet_share and size > 1:
            moving.append(self._ratchet(program, names, size))
            rows[names["ratchet"]] = lambda window, state: _at_least_0(1, size * size)
        return Added(columns=columns, rows=rows, moving=tuple(moving))

    def _averaged(self, program: Program, load: str) -> list[Moving]:
        """so_far[t] = so_far[t-1] within a demand interval + import[t], MWh."""
        program.add_rows(load, 1)
        program.link(load, load, values=1.0)
        program.link(load, "meter_import", values=-1.0, row_at=[0], column_at=[self.site])
        carried = program.link(load, load, values=-1.0, lag=1)
        return [following(carried, lambda window: -self._continues(window))]

    def _so_far_rows(self, window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        rhs = np.zeros((window.count, 1))
        past = state.contracts.get(self.key, ContractState())
        rhs[0] = past.interval_mwh * self._continues(window)[0]
        return rhs, rhs

    def _continues(self, window: Window) -> FloatArray:
        """Return 1 where an interval goes on with a demand interval [n, 1]."""
        firsts = np.minimum(window.edges[:-1], self.begins.size - 1)
        short = window.lengths_h < self.demand_interval_h - SAME_H
        return (short & ~self.begins[firsts]).astype(float)[:, None]

    def _counted(self, window: Window, size: int) -> BoolArray:
        """Return whether some of an interval counts for a month, by place [n, size]."""
        used = self.charged[self.months.month] | self._remembered()
        mask = self.counts & self.months.touched & used
        counted: BoolArray = self.months.shares(window, mask, size) > 0.0
        return counted

    def _remembered(self) -> BoolArray:
        """Return the intervals whose month the ratchet remembers [T]."""
        if not self.ratchet_share:
            return np.zeros(self.counts.size, dtype=bool)
        kept = [month_number(name) % 12 + 1 in self.season for name in self.months.names]
        return np.array(kept)[self.months.month]

    def _per_mwh(self, window: Window, size: int) -> FloatArray:
        """Return minus the MW of a demand interval that a MWh makes [n, 1]."""
        lengths_h = window.lengths_h
        longer = lengths_h > self.demand_interval_h + SAME_H
        per_mwh = np.where(longer, self.peak_ratio, 1.0)
        per_mwh = per_mwh / np.maximum(lengths_h, self.demand_interval_h)
        return np.asarray(-(per_mwh * self._counted(window, size).any(axis=1))[:, None])

    def _ratchet(self, program: Program, names: Mapping[str, str], size: int) -> Moving:
        """billed[k] >= ratchet x peak (or billed) of an earlier month j of the window."""
        program.add_rows(names["ratchet"], size * size, whole=True)
        pairs = np.arange(size * size)
        program.link(
            names["ratchet"], names["billed"], values=1.0, row_at=pairs, column_at=pairs // size
        )
        looked_at = names["billed" if self.remembers_billed else "peak"]
        link = program.link(
            names["ratchet"], looked_at, values=0.0, row_at=pairs, column_at=pairs % size
        )
        return following(link, lambda window: -self._looks_back(window, size))

    def _looks_back(self, window: Window, size: int) -> FloatArray:
        """Return the ratchet's share for each pair of places (k, j) [1, size x size]."""
        found = np.zeros((size, size))
        months = self.months.within(window)
        for later in months:
            for earlier in months:
                if self._seen(month_number(self.months.names[earlier]), later):
                    found[later % size, earlier % size] = self.ratchet_share
        return found.reshape(1, size * size)

    def _seen(self, number: int, month: int) -> bool:
        """Return whether a month looks back on the month of that number."""
        before = month_number(self.months.names[month]) - number
        return 0 < before <= self.lookback_months and number % 12 + 1 in self.season

    def _peak_numbers(self, world: World, window: Window, state: State, size: int) -> ColumnNumbers:
        """peak[k] >= the highest so far, or the target that is left in the month."""
        past = state.contracts.get(self.key, ContractState())
        lower, upper = np.zeros((1, size)), np.zeros((1, size))
        for month in self.months.within(window):
            so_far_mw = past.peak_mw if past.period == self.months.names[month] else 0.0
            target_mw = max(0.0, float(self.target_mw[month]) - so_far_mw)
            lower[0, month % size] = so_far_mw + self._unseen(world, window, month) * target_mw
            upper[0, month % size] = INFINITY
        return ColumnNumbers(costs=np.zeros((1, size)), lower=lower, upper=upper)

    def _unseen(self, world: World, window: Window, month: int) -> float:
        """Return how much of a target holds: 0 once the window sees the month's last hour."""
        _, end = self.months.span(month, first=world.first, last=world.last)
        return min(1.0, max(0, end - window.live_end) * world.step_h / FADE_H)

    def _billed_numbers(self, window: Window, state: State, size: int) -> ColumnNumbers:
        """billed[k] >= what past months and the contracted minimum bill anyway, at the rate."""
        past = state.contracts.get(self.key, ContractState())
        costs, lower, upper = (np.zeros((1, size)) for _ in range(3))
        months = self.months.within(window)
        known = self.known_mw(past, months)
        for month in months:
            so_far_mw = past.billed_mw if past.period == self.months.names[month] else 0.0
            lower[0, month % size] = max(so_far_mw, self._least_mw(month, known))
            upper[0, month % size] = INFINITY
            costs[0, month % size] = self.usd_per_mw * self.charged[month]
        return ColumnNumbers(costs=costs, lower=lower, upper=upper)

    def known_mw(self, past: ContractState, months: Sequence[int]) -> list[tuple[int, float]]:
        """Return (month's number, MW) of the months before `months` that a ratchet remembers."""
        known = [(month_number(name), mw) for name, mw in past.past_peaks]
        if past.period and months and past.period < self.months.names[months[0]]:
            running_mw = past.billed_mw if self.remembers_billed else past.peak_mw
            known.append((month_number(past.period), running_mw))
        return known

    def _least_mw(self, month: int, known: Sequence[tuple[int, float]]) -> float:
        """Return what a month is billed at least, whatever is imported in it."""
        seen = [mw for number, mw in known if self._seen(number, month)]
        return max(float(self.floor_mw[month]), self.ratchet_share * max(seen, default=0.0))

    def booked_usd(self, state: State, month: int) -> float:
        """Return what the running month has been charged so far, USD."""
        past = state.contracts.get(self.key, ContractState())
        if past.period != self.months.names[month] or not self.charged[month]:
            return 0.0
        return self.usd_per_mw * past.billed_mw

    def constant_usd(self, world: World) -> float:
        """Return minus what the running month was charged before the horizon, USD."""
        month = int(self.months.month[world.first])
        if not self.months.touched[world.first : world.last].any():
            return 0.0
        return -self.booked_usd(State.initial(world), month)

    def charged_usd(self, world: World, metered: Metered) -> FloatArray:
        """Return the rate on each month's billed megawatts, in its last interval [T], USD."""
        past = metered.before.get(self.key, ContractState())
        ends = self.months.last_touched(first=world.first, last=world.last)
        known = self.known_mw(past, list(ends))
        peaks = self._peaks_mw(world, metered, past)
        charged = np.zeros(world.count)
        for month, end in ends.items():
            name = self.months.names[month]
            least_mw = self._least_mw(month, known)
            before_mw = past.peak_mw if past.period == name else 0.0
            booked_mw = past.billed_mw if past.period == name else 0.0
            billed_mw = max(float(peaks[month]), before_mw, booked_mw, least_mw)
            if self.charged[month]:
                charged[end - world.first] += self.usd_per_mw * (billed_mw - booked_mw)
            peak_mw = max(float(peaks[month]), before_mw)
            known.append((month_number(name), billed_mw if self.remembers_billed else peak_mw))
        return charged

    def _peaks_mw(self, world: World, metered: Metered, past: ContractState) -> FloatArray:
        """Return the highest demand interval of each month of the horizon [M]."""
        span = slice(world.first, world.last)
        mwh = metered.import_mwh[self.site]
        if world.step_h < self.demand_interval_h - SAME_H:
            of = np.cumsum(self.begins[span])
            carried_mwh = 0.0 if self.begins[world.first] else past.interval_mwh
            sums_mwh = np.bincount(of, weights=mwh)
            sums_mwh[0] += carried_mwh if of[0] == 0 else 0.0
            demand_mw = sums_mwh[of] / self.demand_interval_h
        else:
            longer = world.step_h > self.demand_interval_h + SAME_H
            demand_mw = mwh / world.step_h * (self.peak_ratio if longer else 1.0)
        peaks = np.zeros(len(self.months.names))
        mask = (self.counts & self.months.touched)[span]
        np.maximum.at(peaks, self.months.month[span][mask], demand_mw[mask])
        return peaks


def _so_far_numbers(window: Window, state: State) -> ColumnNumbers:
    """so_far[t] >= 0: energy so far in a demand interval."""
    zeros = np.zeros((window.count, 1))
    return ColumnNumbers(costs=zeros, lower=zeros, upper=np.full_like(zeros, INFINITY))


def _at_least_0(count: int, size: int) -> tuple[FloatArray, FloatArray]:
    return np.zeros((count, size)), np.full((count, size), INFINITY)

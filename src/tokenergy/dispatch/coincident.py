"""Coincident peaks as rates on the meter: what they turned out to be, and what is believed.

A peak interval is charged on the own average import in it, so that every MWh in it pays
rate / (number of peaks x length). Which intervals those are nobody knows before the month is
over; what a dispatcher believes is last week's system load at its recent level.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from tokenergy.company.inputs import Inputs
from tokenergy.company.tariff import CoincidentPeak
from tokenergy.dispatch.forecast import LEVEL_FADE_PER_H, LEVEL_RANGE
from tokenergy.dispatch.local_time import LocalTime, begins_of
from tokenergy.dispatch.supply import BoolArray, FloatArray, IntArray, MeterRate
from tokenergy.units import H_PER_DAY, H_PER_WEEK, KW_PER_MW

BELIEVED_H = 3.0 * H_PER_DAY
"""How far ahead peaks are believed at all."""


def coincident_rate(
    tariff_id: str,
    site: int,
    item: CoincidentPeak,
    inputs: Inputs,
    local: LocalTime,
    inside: BoolArray,
) -> MeterRate:
    """Return the charge of one item as a rate on the imports of its peak intervals.

    Args:
        tariff_id: name in the bill.
        site: index of the site.
        item: the charge.
        inputs: the series, the system's load among them.
        local: the tariff's calendar.
        inside: intervals of the tariff's term [T].
    """
    usd_per_mwh, believed = np.zeros(inside.size), None
    if item.system_load is None:
        for event in item.events:
            usd_per_mwh += _of_event(item, event.start, event.end, inputs, local, inside)
    else:
        peaks = SystemPeaks(
            item=item,
            load_mw=inputs.series[f"{tariff_id}.{item.name}.system_load"][: inside.size],
            local=local,
            block=np.cumsum(begins_of(local, inputs.step_h, item.interval_h)) - 1,
            inside=inside & np.isin(local.month_of_year[local.month], item.months),
            step_h=inputs.step_h,
        )
        usd_per_mwh = peaks.realised_usd_per_mwh(inputs.history_count)
        believed = peaks.believed_usd_per_mwh
    return MeterRate(
        contract_id=tariff_id,
        component=item.name,
        site=site,
        kind="demand_peak",
        import_usd_per_mwh=usd_per_mwh,
        export_usd_per_mwh=np.zeros(inside.size),
        believed_usd_per_mwh=believed,
    )


def usd_per_mw_of(item: CoincidentPeak, year: int) -> float:
    """Return what a MW in one of the peaks of a year costs: the rate over their number."""
    if item.usd_per_kw_year is not None:
        whole_usd = item.usd_per_kw_year * KW_PER_MW
    else:
        assert item.usd_per_mw_day is not None  # the noun has exactly one of them
        billed = year + item.lag_years
        days = datetime(billed + 1, 1, 1) - datetime(billed, 1, 1)
        whole_usd = item.usd_per_mw_day * days.days
    return whole_usd * item.scaling_ratio / item.n_count


def _of_event(
    item: CoincidentPeak,
    start: datetime,
    end: datetime,
    inputs: Inputs,
    local: LocalTime,
    inside: BoolArray,
) -> FloatArray:
    """Return the rate of one known peak on each interval, by how much of it lies in it [T]."""
    begin = (start - inputs.start) / timedelta(hours=inputs.step_h)
    until = (end - inputs.start) / timedelta(hours=inputs.step_h)
    at = np.arange(inside.size, dtype=float)
    part = np.clip(np.minimum(at + 1.0, until) - np.maximum(at, begin), 0.0, 1.0) * inside
    its_month = local.month[min(max(int(begin), 0), inside.size - 1)]
    per_mw = usd_per_mw_of(item, int(local.month_names[its_month][:4]))
    return np.asarray(part * per_mw / ((until - begin) * inputs.step_h))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SystemPeaks:
    """The peaks of a system whose load is data.

    Attributes:
        item: the charge.
        load_mw: the system's load [T].
        local: the tariff's calendar.
        block: peak interval that each interval belongs to [T], rising.
        inside: intervals of the term in the item's months [T].
        step_h: length of an interval.
    """

    item: CoincidentPeak
    load_mw: FloatArray
    local: LocalTime
    block: IntArray
    inside: BoolArray
    step_h: float

    @property
    def length_h(self) -> float:
        """Return the length that a peak is averaged over."""
        return max(self.item.interval_h, self.step_h)

    def realised_usd_per_mwh(self, first: int) -> FloatArray:
        """Return the rate on each interval, as the peaks from interval `first` on were [T]."""
        counted = self.inside & (np.arange(self.inside.size) >= first)
        rate = np.zeros(self.inside.size)
        for block in self._peaks(self.load_mw, counted):
            hit = self.block == block
            rate[hit] = self._usd_per_mwh(int(hit.argmax()))
        return rate

    def believed_usd_per_mwh(self, now: int) -> FloatArray:
        """Return the rate that dispatch believes in, known at interval `now` [T].

        The believed highest interval of each day carries `probability_share` of the rate if it
        is believed above what the month has had so far (of a season: above the least of the
        highest days so far).
        """
        rate = np.zeros(self.inside.size)
        until = min(self.inside.size, now + round(BELIEVED_H / self.step_h))
        load_mw = self.believed_mw(now, until)
        ahead = np.arange(self.inside.size) < until
        for day, month in _days(self.local, now, until):
            today = ahead & (self.local.day == day) & self.inside
            if not today.any():
                continue
            means = self._means(load_mw, today)
            block, mean_mw = max(means, key=lambda found: found[1])
            hit = self.block == block
            if hit.nonzero()[0][-1] < now or mean_mw <= self._so_far_mw(now, day, month):
                continue
            rate[hit] = self.item.probability_share * self._usd_per_mwh(int(hit.argmax()))
        rate[:now] = 0.0
        return rate

    def believed_mw(self, now: int, until: int) -> FloatArray:
        """Return the load as known at `now`: last week's x its recent level from then on [T]."""
        week = max(1, round(H_PER_WEEK / self.step_h))
        believed = self.load_mw.copy()
        believed[until:] = 0.0
        if now < week:
            believed[now + 1 : until] = self.load_mw[now]
            return believed
        ahead = np.arange(now + 1, until)
        back = ahead - week * (-(-(ahead - now) // week))
        then_mw = max(float(self.load_mw[now - week]), 1e-12)
        level = float(np.clip(self.load_mw[now] / then_mw, *LEVEL_RANGE))
        fade = LEVEL_FADE_PER_H ** ((ahead - now) * self.step_h)
        believed[now + 1 : until] = self.load_mw[back] * (1.0 + (level - 1.0) * fade)
        return believed

    def _so_far_mw(self, now: int, day: int, month: int) -> float:
        """Return what a new peak has to exceed: of the days before this one, up to `now`."""
        known = (np.arange(self.inside.size) <= now) & self.inside & (self.local.day < day)
        if self.item.one_a_month:
            known &= self.local.month == month
            needed = 1
        else:
            known &= self._year() == self._year_of(month)
            needed = self.item.n_count
        highest: dict[int, float] = {}
        for block, mean_mw in self._means(self.load_mw, known):
            its_day = int(self.local.day[np.searchsorted(self.block, block)])
            highest[its_day] = max(highest.get(its_day, 0.0), mean_mw)
        ranked = sorted(highest.values(), reverse=True)
        return ranked[needed - 1] if len(ranked) >= needed else 0.0

    def _peaks(self, load_mw: FloatArray, counted: BoolArray) -> list[int]:
        """Return the blocks of the peaks among the intervals that count."""
        peaks: list[int] = []
        groups = self.local.month if self.item.one_a_month else self._year()
        for group in np.unique(groups[counted]):
            means = self._means(load_mw, counted & (groups == group))
            if self.item.one_a_month:
                peaks.append(max(means, key=lambda found: found[1])[0])
                continue
            best: dict[int, tuple[float, int]] = {}
            for block, mean_mw in means:
                day = int(self.local.day[np.searchsorted(self.block, block)])
                if day not in best or mean_mw > best[day][0]:
                    best[day] = (mean_mw, block)
            ranked = sorted(best.values(), key=lambda found: -found[0])
            peaks += [block for _, block in ranked[: self.item.n_count]]
        return peaks

    def _means(self, load_mw: FloatArray, counted: BoolArray) -> list[tuple[int, float]]:
        """Return (block, MW averaged over its length) of the intervals that count."""
        at = counted.nonzero()[0]
        if not at.size:
            return []
        blocks, places = np.unique(self.block[at], return_inverse=True)
        sums = np.bincount(places, weights=load_mw[at]) * (self.step_h / self.length_h)
        return list(zip(blocks.tolist(), sums.tolist(), strict=True))

    def _usd_per_mwh(self, at: int) -> float:
        year = self._year_of(int(self.local.month[at]))
        return usd_per_mw_of(self.item, year) / self.length_h

    def _year(self) -> IntArray:
        years = np.array([int(name[:4]) for name in self.local.month_names])
        return np.asarray(years[self.local.month])

    def _year_of(self, month: int) -> int:
        return int(self.local.month_names[month][:4])


def _days(local: LocalTime, now: int, until: int) -> list[tuple[int, int]]:
    """Return (day, its month) of each local day from `now` on."""
    days, firsts = np.unique(local.day[now:until], return_index=True)
    return [(int(day), int(local.month[now + at])) for day, at in zip(days, firsts, strict=True)]

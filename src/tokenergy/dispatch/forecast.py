"""What a dispatcher may believe about the next hours, from what is public now.

Prices: as published, then 0.6 x the last known day and 0.4 x the last known same weekday; in a
market without day-ahead a ridge regression on lagged days, with the present error fading.
Demand: last week x its recent level. Wind and sun: the usual hour, with the present departure
fading. The weather behind PUE is taken as known (forecasts of a day ahead err by a degree or
two). Formulas and weights: dispatch sheet, section 5; simulator sheet, section 8.
"""

from dataclasses import replace

import numpy as np

from tokenergy.dispatch.coarse import coarsened
from tokenergy.dispatch.ridge import Ridge
from tokenergy.dispatch.window import Window, as_known, mean_stored_usd_per_mwh, true_window
from tokenergy.dispatch.world import FloatArray, IntArray, World
from tokenergy.units import H_PER_DAY

YESTERDAY_SHARE = 0.6
LAST_WEEK_SHARE = 0.4
ERROR_FADE_PER_H = 0.7
ERROR_LIMIT_USD_PER_MWH = 60.0
ERROR_REACH_H = 5.0
LEVEL_FADE_PER_H = 0.9
LEVEL_RANGE = (0.5, 2.0)
USUAL_DAYS = 7


class Forecaster:
    """Makes the window that a policy without foresight sees at an interval."""

    def __init__(self, world: World, *, perfect_day_ahead: bool = False) -> None:
        """Remember the world; nothing after the present is read but what is published.

        With `perfect_day_ahead` all day-ahead prices of a window and its demand are known, and
        prices in real time are believed as ever: what a better forecast could be worth at most.
        """
        self.world = world
        self._perfect = perfect_day_ahead
        self._day = max(1, round(H_PER_DAY / world.step_h))
        self._ridges: dict[int, Ridge] = {}

    def window(self, at: int, count: int) -> Window:
        """Return a window of `count` intervals that begins at `at`, as believed at `at`."""
        world = self.world
        known = true_window(world, begin=at, count=count)
        span = np.minimum(np.arange(at, at + count), world.last - 1)
        spot = np.array([self._spot(site, at, span) for site in range(world.sites_count)])
        available = np.array([self._output_mw(take.available_mw, at, span) for take in world.takes])
        curtailable = [bool(np.any(t.floor_mw < t.available_mw)) for t in world.takes]
        strike = np.array(
            [np.full(count, take.take_usd_per_mwh[: at + 1].max()) for take in world.takes]
        )
        for row, take in enumerate(world.takes):
            strike[row, 0] = take.take_usd_per_mwh[at]
        empty = np.zeros((0, count))
        buy = world.buy_usd_per_mwh(spot, span)
        window = replace(
            as_known(world, known, at=at),
            buy_usd_per_mwh=buy,
            # A believed price may lie below all true ones: nobody believes in money for nothing.
            sell_usd_per_mwh=np.minimum(world.sell_usd_per_mwh(spot, span), buy),
            available_mw=available if world.takes else empty,
            floor_mw=_floors(available, curtailable) if world.takes else empty,
            take_usd_per_mwh=strike if world.takes else empty,
            arrivals_mtok=self._arrivals_mtok(at, span),
        )
        if self._perfect:
            window = replace(window, arrivals_mtok=known.arrivals_mtok)
        if at + count >= world.last:
            return window  # the end valuation is a rule that everybody knows
        return replace(window, stored_usd_per_mwh=mean_stored_usd_per_mwh(world, window))

    def window_on(self, at: int, edges: IntArray) -> Window:
        """Return a window on the edges of `coarse.growing_edges`, as believed at `at`."""
        fine = self.window(at, int(edges[-1]) - at)
        return fine if fine.count == edges.size - 1 else coarsened(fine, edges)

    def _spot(self, site: int, at: int, span: IntArray) -> FloatArray:
        """Return the prices that are believed at `at` for the intervals of `span` [n]."""
        prices = self.world.spot_usd_per_mwh[site]
        public = max(at + 1, int(self.world.published_until[site, at]))
        if public > at + 1:
            known = public if not self._perfect else self.world.last
            return self._blend(prices, known, span)
        believed = self._in_real_time(site, at, span)
        if span.size > 1 and at >= 1:
            miss = prices[at] - self._in_real_time(site, at - 1, np.array([at]))[0]
            miss = np.clip(miss, -ERROR_LIMIT_USD_PER_MWH, ERROR_LIMIT_USD_PER_MWH)
            ahead_h = (span[1:] - at) * self.world.step_h
            believed[1:] += miss * np.where(
                ahead_h <= ERROR_REACH_H, ERROR_FADE_PER_H**ahead_h, 0.0
            )
        return np.asarray(believed)

    def _in_real_time(self, site: int, at: int, span: IntArray) -> FloatArray:
        """Return what is believed at `at` where only the present is public, the error apart [n]."""
        prices = self.world.spot_usd_per_mwh[site]
        ridge = self._ridges.setdefault(site, Ridge(prices, self.world.step_h))
        ahead = span > at
        if not ahead.any():
            return np.asarray(prices[span])
        learnt = ridge.predict(at, span[ahead])
        if learnt is None:
            return self._blend(prices, at + 1, span)
        believed = prices[np.minimum(span, at)]
        believed[ahead] = learnt
        return np.asarray(believed)

    def _blend(self, values: FloatArray, known: int, span: IntArray) -> FloatArray:
        """Return known values, then a blend of the last known day and the same weekday."""
        believed = YESTERDAY_SHARE * values[_back(span, known, self._day)]
        believed += LAST_WEEK_SHARE * values[_back(span, known, 7 * self._day)]
        return np.where(span < known, values[span], believed)

    def _output_mw(self, output: FloatArray, at: int, span: IntArray) -> FloatArray:
        """Return the usual output of the hour, the present departure from it fading [n]."""
        days = [d for d in range(1, USUAL_DAYS + 1) if at - d * self._day >= 0]
        if not days:
            return np.full(span.size, output[at])
        hour = (span - at) % self._day
        usual = np.mean([output[at - d * self._day + hour] for d in days], axis=0)
        fade = LEVEL_FADE_PER_H ** ((span - at) * self.world.step_h)
        top = float(output[: at + 1].max(initial=0.0))
        believed = np.clip(usual + (output[at] - usual[0]) * fade, 0.0, top)
        # What the sun does not give at this hour on any day it will not give tomorrow.
        never = np.max([output[at - d * self._day + hour] for d in days], axis=0) <= 0.0
        believed = np.where(never, 0.0, believed)
        believed[0] = output[at]
        return np.asarray(believed)

    def _arrivals_mtok(self, at: int, span: IntArray) -> FloatArray:
        """Return last week's arrivals x their recent level [W, n]."""
        arrivals = self.world.arrivals_mtok
        week = 7 * self._day if at >= 7 * self._day else self._day
        if at < week:
            return np.repeat(arrivals[:, at : at + 1], span.size, axis=1)
        before = arrivals[:, _back(span, at + 1, week)]
        present, then = arrivals[:, at], arrivals[:, at - week]
        level = np.clip(np.where(then > 0.0, present / np.maximum(then, 1e-12), 1.0), *LEVEL_RANGE)
        fade = LEVEL_FADE_PER_H ** ((span - at) * self.world.step_h)
        believed = before * (1.0 + (level[:, None] - 1.0) * fade[None, :])
        believed[:, 0] = present
        return np.asarray(believed)


def _back(span: IntArray, known: int, period: int) -> IntArray:
    """Return the latest index below `known` that is whole periods before each of `span`.

    Where the series does not reach back that far, the oldest same place stands in.
    """
    short = np.maximum(0, span - known + 1)
    back = span - period * (-(-short // period))
    return np.asarray(np.where(back >= 0, back, span % period if period <= known else 0))


def _floors(available_mw: FloatArray, curtailable: list[bool]) -> FloatArray:
    """Return the least that must be taken: all of it where the buyer may not curtail."""
    return np.where(np.array(curtailable)[:, None], 0.0, available_mw)

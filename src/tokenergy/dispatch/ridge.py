"""Prices of a market in real time, from four lagged days of 24 hours each.

A ridge regression in asinh of the scaled price, one for each place in the day at which it is
asked: the next day's intervals on the hours of the last day, the two before it and the one a week
ago, all counted back from the present. Mean absolute error against the blend that stands in for
it, 24 h ahead on five series of 2023 from the 75th day on: 0.80 (0.55 in the first hour); with
the present error fading on top, 0.79 and 0.51.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.world import FloatArray, IntArray
from tokenergy.units import H_PER_DAY

LAG_DAYS = (1, 2, 3, 7)
PENALTY = 100.0
"""At 50, 100, 200 and 400 the error against the blend is 0.81, 0.80, 0.80 and 0.81."""
LEAST_DAYS = 14
MOST_DAYS = 365
KEPT_FITS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    """One regression: how prices were scaled, and weights of features less their means."""

    centre_usd_per_mwh: float
    scale_usd_per_mwh: float
    mean_features: FloatArray
    mean_targets: FloatArray
    weights: FloatArray


class Ridge:
    """The regressions of one site's prices; nothing after the moment that asks is read."""

    def __init__(self, prices_usd_per_mwh: FloatArray, step_h: float) -> None:
        """Remember the series."""
        self._prices = prices_usd_per_mwh
        self._day = max(1, round(H_PER_DAY / step_h))
        self._per_hour = max(1, round(1.0 / step_h))
        self._fits: dict[int, _Fit | None] = {}

    def predict(self, at: int, span: IntArray) -> FloatArray | None:
        """Return prices of `span` [n] as believed at `at`; None where it has learnt too little.

        Args:
            at: index of the last interval whose price is known.
            span: indices after it.
        """
        fit = self._fit(at)
        if fit is None:
            return None
        last = int(span.max()) + 1
        begin = at + 1 - (max(LAG_DAYS) + 1) * self._day
        scaled = np.zeros(max(last, at + 1) + self._day - begin)
        scaled[: at + 1 - begin] = _scaled(self._prices[begin : at + 1], fit)
        for origin in range(at, last - 1, self._day):
            # A day at once: the hours that it leans on are known or were predicted before.
            features = self._features(scaled, origin - begin) - fit.mean_features
            ahead = slice(origin + 1 - begin, origin + 1 - begin + self._day)
            scaled[ahead] = fit.mean_targets + features @ fit.weights
        believed = np.sinh(scaled[span - begin]) * fit.scale_usd_per_mwh
        return np.asarray(believed + fit.centre_usd_per_mwh)

    def _fit(self, at: int) -> _Fit | None:
        if at not in self._fits:
            while len(self._fits) >= KEPT_FITS:
                self._fits.pop(next(iter(self._fits)))
            self._fits[at] = self._fitted(at)
        return self._fits[at]

    def _fitted(self, at: int) -> _Fit | None:
        """Fit on the same place of all days before, as far as their next day is known."""
        reach = (max(LAG_DAYS) + 1) * self._day
        origins = np.arange(at - self._day, reach - 2, -self._day)[:MOST_DAYS]
        if origins.size < LEAST_DAYS:
            return None
        begin = int(origins[-1]) - reach + 1
        known = self._prices[begin : at + 1]
        centre = float(np.median(known))
        scale = max(1.0, float(np.median(np.abs(known - centre))))
        scaled = np.arcsinh((known - centre) / scale)
        features = np.array([self._features(scaled, int(o) - begin) for o in origins])
        targets = scaled[origins[:, None] - begin + 1 + np.arange(self._day)]
        mean_features, mean_targets = features.mean(axis=0), targets.mean(axis=0)
        centred = features - mean_features
        gram = centred.T @ centred + PENALTY * np.eye(features.shape[1])
        return _Fit(
            centre_usd_per_mwh=centre,
            scale_usd_per_mwh=scale,
            mean_features=mean_features,
            mean_targets=mean_targets,
            weights=np.linalg.solve(gram, centred.T @ (targets - mean_targets)),
        )

    def _features(self, scaled: FloatArray, origin: int) -> FloatArray:
        """Return the hours of the lagged days, the last one of which ends with `origin` [96]."""
        hours = []
        for lag in LAG_DAYS:
            end = origin + 1 - (lag - 1) * self._day
            day = scaled[end - self._day : end]
            hours.append(day.reshape(-1, self._per_hour).mean(axis=1))
        return np.concatenate(hours)


def _scaled(prices_usd_per_mwh: FloatArray, fit: _Fit) -> FloatArray:
    return np.arcsinh((prices_usd_per_mwh - fit.centre_usd_per_mwh) / fit.scale_usd_per_mwh)

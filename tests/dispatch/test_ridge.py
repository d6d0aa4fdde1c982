"""The regression on four lagged days."""

import numpy as np
import pytest

from tokenergy.dispatch.ridge import LEAST_DAYS, Ridge

DAY = 24


def test_it_says_when_it_has_learnt_too_little():
    """Its lags reach eight days back and its targets a day ahead: 14 days of both take 23 days."""
    prices = np.random.default_rng(0).normal(50.0, 10.0, 40 * DAY)
    ridge, ahead = Ridge(prices, 1.0), np.arange(1, 4)
    enough = (8 + LEAST_DAYS) * DAY - 1
    assert ridge.predict(enough - 1, enough - 1 + ahead) is None
    assert ridge.predict(enough, enough + ahead) is not None


@pytest.mark.parametrize(("step_h", "day"), [(0.25, 96), (1.0, 24), (2.0, 12)])
def test_a_pattern_that_comes_back_is_learnt_at_any_step(step_h, day):
    """A week of days that differ, eight weeks long: two days ahead, to 15 % of its spread."""
    rng = np.random.default_rng(1)
    week = rng.normal(50.0, 20.0, 7).repeat(day)
    week = week + np.tile(10.0 * np.sin(2 * np.pi * np.arange(day) / day), 7)
    prices = np.tile(week, 20)
    at = 130 * day + day // 3
    believed = Ridge(prices, step_h).predict(at, np.arange(at + 1, at + 1 + 2 * day))
    assert believed is not None
    missed = np.abs(believed - prices[at + 1 : at + 1 + 2 * day]).mean()
    assert missed < 0.15 * week.std()


def test_nothing_after_the_moment_is_read():
    rng = np.random.default_rng(2)
    prices = rng.normal(50.0, 10.0, 60 * DAY)
    at, span = 40 * DAY + 7, np.arange(40 * DAY + 8, 43 * DAY)
    changed = np.where(np.arange(prices.size) > at, 1e6, prices)
    ours, theirs = Ridge(prices, 1.0).predict(at, span), Ridge(changed, 1.0).predict(at, span)
    assert np.array_equal(ours, theirs)


def test_what_was_fitted_before_does_not_matter():
    """A regression is made of its moment alone: no order of asking changes it."""
    prices = np.random.default_rng(3).normal(50.0, 10.0, 60 * DAY)
    span = np.arange(41 * DAY, 42 * DAY)
    walked = Ridge(prices, 1.0)
    for at in range(40 * DAY, 41 * DAY - 1):
        walked.predict(at, np.array([at + 1]))
    ours, theirs = (
        walked.predict(41 * DAY - 1, span),
        Ridge(prices, 1.0).predict(41 * DAY - 1, span),
    )
    assert np.array_equal(ours, theirs)

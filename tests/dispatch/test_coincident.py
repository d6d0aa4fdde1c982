"""Coincident peaks as rates: what they were, and what may be believed of them before."""

from datetime import UTC, datetime

import numpy as np
import pytest
from worlds import company_of, inputs_of

from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.window import as_known, true_window
from tokenergy.dispatch.world import World
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
DAY = 24


def four_cp(**changes) -> dict:
    return {
        "name": "4cp", "usd_per_kw_year": 66.0, "n_count": 4, "months": [6, 7, 8, 9],
        "interval_h": 1.0, "system_load": 1.0, **changes,
    }  # fmt: skip


def built(load_mw, *, item=None, start="2026-07-01T00:00:00Z", history_days=0, step_h=1.0) -> World:
    """Make a world whose series of the system begins `history_days` before `start`, in UTC."""
    history = round(history_days * 24 / step_h)
    days = (len(load_mw) - history) * step_h / 24.0
    company = company_of(
        horizon={"start": start, "days": days, "step_h": step_h},
        tariffs=[{"id": "grid", "site": "texas", "time_zone": "UTC",
                  "coincident": [item or four_cp()]}],
    )  # fmt: skip
    series = {f"grid.{(item or four_cp())['name']}.system_load": np.asarray(load_mw, float)}
    return build_world(company, inputs_of(company, history=history, series=series), CATALOGUE)


def flat(days: int, *, level=50_000.0) -> np.ndarray:
    """Return days that are highest at 17 UTC."""
    hour = np.arange(days * DAY) % DAY
    return level + 1_000.0 * (hour == 17)


def rates(made: World) -> dict[int, float]:
    usd = made.rates[0].import_usd_per_mwh
    return {int(at): float(usd[at]) for at in usd.nonzero()[0]}


# ---- what they turned out to be ----------------------------------------------------------


def test_one_peak_a_month_pays_a_quarter_of_the_rate():
    """66,000 / 4 = 16,500 USD for a MW in the hour: one in July, one in August."""
    load = flat(4)
    load[2 * DAY + 17] += 500.0
    made = built(load, start="2026-07-30T00:00:00Z")
    assert rates(made) == {17: 16_500.0, 2 * DAY + 17: 16_500.0}


def test_the_first_of_equal_peaks_counts_and_other_months_are_free():
    assert rates(built(flat(3))) == {17: 16_500.0}
    assert rates(built(flat(3), start="2026-05-01T00:00:00Z")) == {}


def test_a_peak_within_the_horizon_is_what_is_billed():
    """The history's higher peak is no import of this horizon's bill."""
    load = flat(4)
    load[17] += 9_000.0
    assert rates(built(load, start="2026-07-03T00:00:00Z", history_days=2)) == {
        2 * DAY + 17: 16_500.0
    }


def test_the_season_has_its_highest_days():
    """Capacity: 329.17 x 365 / 2 on the two highest days, one hour each; 1.1 for reserves."""
    load = flat(5)
    load[1 * DAY + 16] += 5_000.0
    load[1 * DAY + 17] += 4_000.0
    load[3 * DAY + 18] += 3_000.0
    item = {
        "name": "plc", "usd_per_mw_day": 329.17, "scaling_ratio": 1.1, "n_count": 2,
        "one_a_month": False, "months": [6, 7, 8, 9], "interval_h": 1.0, "system_load": 1.0,
    }  # fmt: skip
    usd = 329.17 * 365 * 1.1 / 2
    found = rates(built(load, item=item))
    assert found == {1 * DAY + 16: pytest.approx(usd), 3 * DAY + 18: pytest.approx(usd)}


def test_a_peak_interval_of_half_an_hour_is_two_quarters():
    """16,500 USD a MW over half an hour: 33,000 USD a MWh in both of its quarters."""
    load = np.full(96, 50_000.0)
    load[70:72] = [50_900.0, 50_500.0]  # 17:30 and 17:45: together above 50,800 alone
    load[40] = 50_800.0
    made = built(load, item=four_cp(interval_h=0.5), step_h=0.25)
    assert rates(made) == {70: 33_000.0, 71: 33_000.0}


def test_known_events_are_public_and_split_by_overlap():
    """17:30 to 19:00: 16,500 / 1.5 h = 11,000 USD/MWh, and half of it in the first hour."""
    event = {"start": "2026-07-01T17:30:00Z", "end": "2026-07-01T19:00:00Z"}
    item = {"name": "known", "usd_per_kw_year": 66.0, "events": [event]}
    made = built(flat(2), item=item)
    assert rates(made) == {17: pytest.approx(5_500.0), 18: pytest.approx(11_000.0)}
    assert made.rates[0].believed_usd_per_mwh is None


# ---- what may be believed ----------------------------------------------------------------


def believed(made: World, now: int) -> dict[int, float]:
    usd = made.rates[0].believed_usd_per_mwh(now)
    return {int(at) - made.first: float(usd[at]) for at in usd.nonzero()[0]}


def test_the_highest_hour_of_a_day_is_feared_if_it_beats_the_month_so_far():
    """Half of 16,500 at 17 h of today and of the days that are looked at, 72 h from 10 h on."""
    made = built(flat(21), start="2026-07-01T00:00:00Z", history_days=14)
    found = believed(made, made.first + 10)
    assert found == {17: 8_250.0, DAY + 17: 8_250.0, 2 * DAY + 17: 8_250.0}


def test_a_day_below_the_months_peak_is_feared_by_nobody():
    """On 2 July at 10: the 1st was hotter than last week says of any day to come."""
    load = flat(21)
    load[14 * DAY + 17] += 3_000.0
    made = built(load, start="2026-07-01T00:00:00Z", history_days=14)
    assert believed(made, made.first + DAY + 10) == {}
    assert set(rates(made)) == {14 * DAY + 17}


def test_a_hot_morning_raises_what_is_feared():
    """4 % above last week at 15 h: 51,000 (1 + 0.04 x 0.9^2) = 52,652 at 17, above 51,500."""
    load = flat(21)
    load[14 * DAY + 17] += 500.0
    load[15 * DAY + 15] *= 1.04
    made = built(load, start="2026-07-01T00:00:00Z", history_days=14)
    assert believed(made, made.first + DAY + 14) == {}
    assert believed(made, made.first + DAY + 15) == {DAY + 17: 8_250.0}


def test_nothing_after_now_is_read():
    load = flat(21)
    other = load.copy()
    other[15 * DAY + 11 :] *= 2.0
    one = built(load, history_days=14)
    two = built(other, history_days=14)
    now = one.first + DAY + 10
    assert np.array_equal(
        one.rates[0].believed_usd_per_mwh(now), two.rates[0].believed_usd_per_mwh(now)
    )


def test_a_window_that_does_not_know_carries_the_belief():
    made = built(flat(21), history_days=14)
    window = true_window(made, begin=made.first, count=24)
    assert window.rate_usd_per_mwh[1, 0].max() == 16_500.0
    known = as_known(made, window, at=made.first)
    assert known.rate_usd_per_mwh[1, 0].max() == 8_250.0
    assert datetime(2026, 7, 1, tzinfo=UTC) == made.moment(made.first)

"""Coincident peaks: from events, from the system's load, a month at a time or a season."""

from datetime import UTC, datetime, timedelta

import pytest
from company.settle.metered import at, charged, event, meter, peaks, tariff

from tokenergy.company.settle import settle_tariff

KEY = "grid.4cp"


def one(**terms):
    return tariff(coincident=(peaks(**terms),))


def quarter(moment: datetime) -> dict[str, datetime]:
    return event(moment, moment + timedelta(minutes=15))


def days(start, mwh, system_mw, **terms):
    """Return whole days; the peak interval of a day is then its mean."""
    return meter(
        count=len(mwh), step_h=24.0, start=start, import_mwh=[24.0 * each for each in mwh],
        series={"4cp.system_load": system_mw}, **terms,
    )  # fmt: skip


def test_four_peaks_known_as_events() -> None:
    """Own load 30 12 0 18 MW: mean 15 x 66,000 = 990,000, billed next year."""
    hours = [datetime(2026, 3, 2, number, 30, tzinfo=UTC) for number in range(4)]
    words = one(events=tuple(quarter(hour) for hour in hours))
    settled = settle_tariff(words, meter(import_mwh=(30.0, 12.0, 0.0, 18.0)), {})
    assert settled.amount_usd == pytest.approx(990_000.0)
    assert {line.component for line in settled.lines} == {"4cp.billed_2027"}
    assert charged(one(events=words.coincident[0].events, lag_years=0), meter(import_mwh=15)) == (
        pytest.approx(990_000.0)
    )


def test_an_event_across_an_edge_counts_pro_rata() -> None:
    """0:50 to 1:05: 10 min of 12 MW and 5 min of 30 MW are 18 MW; a quarter of 66,000 x 18."""
    start = datetime(2026, 3, 2, 0, 50, tzinfo=UTC)
    words = one(events=(quarter(start),))
    series = meter(import_mwh=(12.0, 30.0, 0.0, 0.0))
    assert charged(words, series) == pytest.approx(66_000.0 * 18.0 / 4.0)


def test_the_months_highest_system_load_counts_and_the_first_of_equals() -> None:
    """June: 70 on the 2nd, again on the 3rd; own 5. July: 90, own 8. (5 + 8) / 4 x 66,000."""
    start = at("America/Chicago", 2026, 6, 1)
    mwh, system = [9.0] * 60, [50.0] * 60
    mwh[1], system[1], mwh[2], system[2] = 5.0, 70.0, 20.0, 70.0
    mwh[40], system[40] = 8.0, 90.0
    settled = settle_tariff(one(), days(start, mwh, system, zone="America/Chicago"), {})
    assert [line.quantity for line in settled.lines] == pytest.approx([5.0 / 4.0, 8.0 / 4.0])
    assert settled.amount_usd == pytest.approx(214_500.0)
    state = settled.states[KEY]
    assert (state.period, state.system_peak_mw, state.own_then_mw) == ("2026-07", 90.0, 8.0)


def test_other_months_have_no_peak() -> None:
    assert charged(one(), days(at("UTC", 2026, 5, 1), [9.0] * 31, [50.0] * 31)) == 0.0


def test_a_peak_interval_is_averaged_over_the_quarter() -> None:
    """5-min system loads 60 60 99 | 80 80 80: means 73 and 80; own 12 x (1 + 2 + 3) / 3 = 24."""
    series = meter(
        count=6, step_h=1.0 / 12.0, start=at("UTC", 2026, 7, 1), import_mwh=(9, 9, 9, 1, 2, 3),
        series={"4cp.system_load": (60.0, 60.0, 99.0, 80.0, 80.0, 80.0)},
    )  # fmt: skip
    assert charged(one(), series) == pytest.approx(24.0 / 4.0 * 66_000.0)


def test_five_highest_on_different_days() -> None:
    """2 of a season: day 1 has 90 and 95, day 2 85, day 3 92: days 1 (95) and 3 count.

    Own 4 then and 10: mean 7 x 66,000, while day 2 was booked before day 3 came.
    """
    start = at("UTC", 2026, 7, 1)
    system = (90.0, 95.0, 85.0, 60.0, 92.0, 70.0)
    series = meter(
        count=6, step_h=12.0, start=start, import_mwh=[12.0 * mw for mw in (3, 4, 50, 0, 10, 0)],
        series={"4cp.system_load": system},
    )  # fmt: skip
    words = one(one_a_month=False, n_count=2)
    settled = settle_tariff(words, series, {})
    assert settled.amount_usd == pytest.approx(7.0 * 66_000.0)
    peaks_then = settled.states[KEY].system_peaks
    assert peaks_then == (("2026-07-01", 95.0, 4.0), ("2026-07-03", 92.0, 10.0))
    assert settled.states[KEY].system_peak_mw == 92.0
    early = meter(
        count=2, step_h=12.0, start=start, import_mwh=(36.0, 48.0),
        series={"4cp.system_load": system[:2]},
    )  # fmt: skip
    assert settle_tariff(words, early, {}).states[KEY].system_peak_mw == 0.0


def test_a_season_is_of_a_calendar_year() -> None:
    """August 2026 has 99; June 2027 has 50: the new year's only peak all the same."""
    words = one(one_a_month=False, n_count=1)
    first = days(at("UTC", 2026, 8, 1), [6.0], [99.0])
    settled = settle_tariff(words, first, {})
    later = settle_tariff(words, days(at("UTC", 2027, 6, 1), [7.0], [50.0]), settled.states)
    assert later.amount_usd == pytest.approx(7.0 * 66_000.0)
    assert later.lines[0].component == "4cp.billed_2028"


def test_capacity_is_charged_by_the_day() -> None:
    """329.17 x 365 x 20 = 2,402,941; of peaks of 2027, billed in 2028, 366 days; 1.2 as much."""
    terms = {"usd_per_kw_year": None, "usd_per_mw_day": 329.17, "n_count": 1, "months": (7,)}
    series = days(at("UTC", 2026, 7, 1), [20.0], [50.0])
    assert charged(one(**terms), series) == pytest.approx(2_402_941.0)
    series = days(at("UTC", 2027, 7, 1), [20.0], [50.0])
    assert charged(one(**terms), series) == pytest.approx(329.17 * 366 * 20)
    assert charged(one(**terms, scaling_ratio=1.2), series) == pytest.approx(
        1.2 * 329.17 * 366 * 20
    )


def test_a_load_of_the_system_below_0_can_be_its_highest() -> None:
    series = days(at("UTC", 2026, 7, 1), [20.0, 8.0], [-50.0, -40.0])
    assert charged(one(), series) == pytest.approx(8.0 / 4.0 * 66_000.0)


def test_a_series_that_cuts_across_peak_intervals_books_each_once() -> None:
    """Peaks of 20 min on a series of 15: they end at 0:20, 0:40 and 1:00, inside and at an edge.

    System loads 70 50 40 90: means (15 x 70 + 5 x 50) / 20 = 65, 47.5 and (5 x 40 + 15 x 90) / 20
    = 77.5, the highest; own then (5 x 8 + 15 x 20) / 20 = 17 MW.
    """
    series = meter(
        count=4, step_h=0.25, start=at("UTC", 2026, 7, 1),
        import_mwh=[0.25 * mw for mw in (4.0, 6.0, 8.0, 20.0)],
        series={"4cp.system_load": (70.0, 50.0, 40.0, 90.0)},
    )  # fmt: skip
    settled = settle_tariff(one(interval_h=1.0 / 3.0), series, {})
    assert settled.amount_usd == pytest.approx(17.0 / 4.0 * 66_000.0)
    state = settled.states[KEY]
    assert (state.period, state.system_peak_mw) == ("2026-07", pytest.approx(77.5))

"""Demand charges: the sheet's figures, meters finer and coarser than the series, and memory."""

from datetime import date, timedelta

import pytest
from company.settle.metered import LOAD, START, at, charged, demand, meter, tariff

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import settle_tariff
from tokenergy.company.settle.demand import contracted_mw
from tokenergy.company.tariff import LargeLoad

KEY = "grid.demand"


def one(item=None, **terms):
    return tariff(demand=(demand() if item is None else item,), **terms)


def settled(words, series, state=None):
    return settle_tariff(words, series, {} if state is None else {KEY: state})


def test_the_months_peak() -> None:
    """12 USD/kW-month x 30 MW = 360,000."""
    (line,) = settled(one(), meter(import_mwh=LOAD)).lines
    assert (line.component, line.quantity, line.unit) == ("demand", 30.0, "MW-month")
    assert line.amount_usd == pytest.approx(360_000.0)
    assert (line.start, line.end) == (START, START + timedelta(hours=4))


def test_a_ratchet_on_a_past_peak() -> None:
    """0.85 of 40 MW: billed max(30, 34) = 34 x 12,000 = 408,000."""
    state = ContractState(period="2025-12", past_peaks=(("2025-07", 40.0),))
    assert settled(one(demand(ratchet_share=0.85)), meter(import_mwh=LOAD), state).amount_usd == (
        pytest.approx(408_000.0)
    )


def test_a_minimum_on_contracted_megawatts() -> None:
    """85 % of 50 MW: 42.5 x 12,000 = 510,000, 1.42 times the 30 MW used."""
    words = one(demand(min_bill_share=0.85, contract_mw=50.0))
    assert charged(words, meter(import_mwh=LOAD)) == pytest.approx(510_000.0)
    assert pytest.approx(1.42, abs=0.005) == 510.0 / 360.0
    large = one(large_load={"contract_mw": 50.0, "min_take_share": 0.85})
    assert charged(large, meter(import_mwh=LOAD)) == pytest.approx(510_000.0)
    shared = one(demand(min_bill_share=0.85), large_load={"contract_mw": 50.0})
    assert charged(shared, meter(import_mwh=LOAD)) == pytest.approx(510_000.0)


def test_so_far_28_window_needs_30() -> None:
    """12,000 x 2 = 24,000 for those 2 MW, and nothing below 28."""
    before = ContractState(period="2026-03", peak_mw=28.0, billed_mw=28.0)
    after = settled(one(), meter(import_mwh=LOAD), before)
    assert after.amount_usd == pytest.approx(24_000.0)
    assert (after.states[KEY].peak_mw, after.states[KEY].billed_mw) == (30.0, 30.0)
    assert settled(one(), meter(import_mwh=28), before).amount_usd == 0.0


def test_a_finer_meter_averages_over_aligned_demand_intervals() -> None:
    """5-min MWh of 1 2 3 | 0 0 6 | 0 ...: 24 MW in each of two quarters, 12 MW in the hour.

    Moved by 5 min they are 0 1 2 | 3 0 0 | 6 0 0: 12, 12 and 24 MW.
    """
    mwh = (1.0, 2.0, 3.0, 0.0, 0.0, 6.0) + (0.0,) * 6
    series = meter(count=12, step_h=1.0 / 12.0, import_mwh=mwh)
    assert charged(one(), series) == pytest.approx(24.0 * 12_000.0)
    hourly = one(demand(demand_interval_h=1.0))
    assert charged(hourly, series) == pytest.approx(12.0 * 12_000.0)
    later = meter(count=13, step_h=1.0 / 12.0, import_mwh=(0.0, *mwh))
    assert charged(one(), later) == pytest.approx(24.0 * 12_000.0)
    spread = meter(count=6, step_h=1.0 / 12.0, import_mwh=(0.0, 1.0, 2.0, 3.0, 0.0, 0.0))
    assert charged(one(), spread) == pytest.approx(12.0 * 12_000.0)


def test_intervals_that_do_not_fit_the_meter_are_cut() -> None:
    """10-min energies 6 6 0: the quarter from 0:00 holds 6 + 3 MWh, 36 MW; of 0 6 0 it is 3."""
    series = meter(count=3, step_h=1.0 / 6.0, import_mwh=(6.0, 6.0, 0.0))
    assert charged(one(), series) == pytest.approx(36.0 * 12_000.0)
    series = meter(count=3, step_h=1.0 / 6.0, import_mwh=(0.0, 6.0, 0.0))
    assert charged(one(), series) == pytest.approx(12.0 * 12_000.0)


def test_a_demand_interval_that_is_cut_off_counts_what_it_has() -> None:
    """Two of three 5-min intervals of 1 MWh: 2 MWh in a quarter of an hour are 8 MW."""
    series = meter(count=2, step_h=1.0 / 12.0, import_mwh=1)
    cut_off = settled(one(), series)
    assert cut_off.amount_usd == pytest.approx(8.0 * 12_000.0)
    whole = settle_tariff(
        one(),
        meter(count=1, step_h=1.0 / 12.0, start=START + timedelta(minutes=10), import_mwh=1),
        cut_off.states,
    )
    assert whole.amount_usd == pytest.approx(4.0 * 12_000.0)


def test_a_coarser_series_is_raised_by_the_stated_ratio() -> None:
    """Hours against a 15-min meter: 30 x 1.1; quarters need no ratio."""
    words = one(demand(peak_ratio=1.1))
    assert charged(words, meter(import_mwh=LOAD)) == pytest.approx(33.0 * 12_000.0)
    quarters = meter(step_h=0.25, import_mwh=tuple(mwh / 4.0 for mwh in LOAD))
    assert charged(words, quarters) == pytest.approx(30.0 * 12_000.0)


def test_the_window_is_of_local_hours_and_days() -> None:
    """16 to 20 h in Berlin on weekdays: Friday's 19 h counts, its 20 h and Saturday do not."""
    start = at("Europe/Berlin", 2026, 3, 6, 18)
    words = one(demand(from_hour=16, to_hour=20, weekdays_only=True))
    mwh = (1.0, 7.0, 90.0, *(80.0 for _ in range(24)))
    series = meter(count=27, start=start, zone="Europe/Berlin", import_mwh=mwh)
    assert charged(words, series) == pytest.approx(7.0 * 12_000.0)


def test_the_hour_that_comes_twice_has_its_own_demand_intervals() -> None:
    """25 October 2026, Berlin: quarters of 1 MWh at 2:00 of each of the two hours are 4 MW."""
    start = at("Europe/Berlin", 2026, 10, 25, 2)
    quarters = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    halves = tuple(mwh / 2.0 for mwh in quarters for _ in range(2))
    series = meter(count=16, step_h=0.125, start=start, zone="Europe/Berlin", import_mwh=halves)
    assert charged(one(), series) == pytest.approx(4.0 * 12_000.0)


def test_each_month_has_its_peak_and_edges_are_local() -> None:
    """Hours from 22 h on 31 March in Chicago: 10 20 | 30 20: 20 + 30 MW."""
    start = at("America/Chicago", 2026, 3, 31, 22)
    words = one(time_zone="America/Chicago")  # the tariff's zone wins over the market's
    lines = settled(words, meter(start=start, zone="Europe/Berlin", import_mwh=LOAD)).lines
    assert [line.quantity for line in lines] == [20.0, 30.0]
    leap = at("UTC", 2028, 2, 29, 22)
    lines = settled(one(), meter(start=leap, import_mwh=LOAD)).lines
    assert [line.quantity for line in lines] == [20.0, 30.0]


def days(months: int, peaks_mw, **terms):
    """Return daily means that make each month's peak, from January 2026 on."""
    start = at("UTC", 2026, 1, 1)
    ends = [at("UTC", 2026 + number // 12, number % 12 + 1, 1) for number in range(1, months + 1)]
    count = (ends[-1] - start).days
    mwh = [
        24.0 * peaks_mw[next(at for at, end in enumerate(ends) if start + timedelta(d) < end)]
        for d in range(count)
    ]
    return meter(count=count, step_h=24.0, start=start, import_mwh=mwh, **terms)


def test_a_ratchet_forgets_after_its_lookback() -> None:
    """Half of the highest of 2 months before: peaks 40 10 10 10 bill 40, 20, 20, 10."""
    item = demand(ratchet_share=0.5, lookback_months=2)
    lines = settled(one(item), days(4, (40.0, 10.0, 10.0, 10.0))).lines
    assert [line.quantity for line in lines] == pytest.approx([40.0, 20.0, 20.0, 10.0])


def test_a_ratchet_on_billed_demand_remembers_what_was_billed() -> None:
    """Lookback 1: 40, then 0.5 x 40 = 20, then half of the billed 20, against half of 4."""
    words = demand(ratchet_share=0.5, lookback_months=1, ratchet_on="billed")
    lines = settled(one(words), days(3, (40.0, 4.0, 4.0))).lines
    assert [line.quantity for line in lines] == pytest.approx([40.0, 20.0, 10.0])
    words = demand(ratchet_share=0.5, lookback_months=1)
    lines = settled(one(words), days(3, (40.0, 4.0, 4.0))).lines
    assert [line.quantity for line in lines] == pytest.approx([40.0, 20.0, 4.0])


def test_a_ratchet_remembers_its_season_alone() -> None:
    """Only January's 30 counts, not February's 40: March is billed 0.8 x 30 = 24."""
    words = demand(ratchet_share=0.8, lookback_season=(1,))
    lines = settled(one(words), days(3, (30.0, 40.0, 10.0))).lines
    assert [line.quantity for line in lines] == pytest.approx([30.0, 40.0, 24.0])


def test_months_left_out_are_free_and_remembered() -> None:
    """Charged in March alone, half of January's 40: 20; February bills nothing."""
    words = demand(ratchet_share=0.5, months=(3,))
    (line,) = settled(one(words), days(3, (40.0, 30.0, 10.0))).lines
    assert (line.quantity, line.start.month) == (20.0, 3)


def test_the_minimum_follows_the_ramp() -> None:
    """85 % of 20, then of 40 MW from 15 February: 17, 34, 34; nothing before the first step."""
    ramp = ({"start": date(2026, 1, 1), "mw": 20.0}, {"start": date(2026, 2, 15), "mw": 40.0})
    large = {"contract_mw": 60.0, "min_take_share": 0.85, "ramp": ramp}
    lines = settled(one(large_load=large), days(3, (10.0, 10.0, 10.0))).lines
    assert [line.quantity for line in lines] == pytest.approx([17.0, 34.0, 34.0])
    words = LargeLoad.model_validate({**large, "energised_on": date(2026, 2, 20)})
    assert contracted_mw(words, date(2026, 2, 19)) == 0.0
    assert contracted_mw(words, date(2026, 2, 20)) == 40.0
    assert contracted_mw(LargeLoad.model_validate(large), date(2025, 12, 31)) == 0.0


def test_a_month_without_an_hour_in_the_window_is_billed_its_floor() -> None:
    words = one(demand(from_hour=12, ratchet_share=0.5))
    state = ContractState(period="2026-02", past_peaks=(("2025-07", 40.0),))
    assert settled(words, meter(import_mwh=30), state).amount_usd == pytest.approx(240_000.0)

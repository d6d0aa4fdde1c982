"""Matched by the hour, certified by the year: two ledgers, never mixed."""

from dataclasses import replace
from datetime import date

import pytest
from company.settle.metered import LOAD, OURS, at, billed, by_component, cfe, cut, meter, rec

from tokenergy.company.settle import settle


def ours(**changes):
    return replace(meter(load_mwh=LOAD, delivered_mwh={"wind": OURS}), **changes)


def test_the_sheets_example() -> None:
    """Matched 10 5 0 20 = 35 of 80 MWh = 43.75 %; the target of 50 % lacks 5 MWh; 35 x 12 = 420.

    5 unbundled certificates at 3: 15 USD. (sG is 40 MWh in all: bundled, a REC needs none.)
    """
    settled = settle(cfe(shortfall_usd_per_mwh=100.0), ours())
    assert settled.state.matched_mwh == 35.0
    assert by_component(settled.lines) == {"premium": 420.0, "shortfall": 500.0}
    assert billed(rec(load_share=5.0 / 80.0), meter(load_mwh=LOAD)) == pytest.approx(15.0)
    assert billed(rec(bundled=("wind",)), ours()) == 0.0


def test_a_shortfall_without_a_price_is_told_and_costs_nothing() -> None:
    settled = settle(cfe(), ours())
    (line,) = [x for x in settled.lines if x.component == "shortfall"]
    assert (line.quantity, line.amount_usd) == (5.0, 0.0)
    assert settled.amount_usd == 420.0


def test_no_more_is_billed_than_the_target() -> None:
    """Target 25 % of 80 MWh: 20 x 12 = 240, though 35 were matched."""
    assert billed(cfe(target_share=0.25), ours()) == pytest.approx(240.0)


def test_the_grids_clean_share_counts_by_the_hour() -> None:
    """Bought 0 15 30 0, half of it clean: matched 10, 5 + 7.5, 15, 20 = 57.5; target 40: 480."""
    series = ours(bought_mwh=(0.0, 15.0, 30.0, 0.0))
    settled = settle(cfe(grid_cfe_share=0.5), series)
    assert settled.state.matched_mwh == pytest.approx(57.5)
    assert settled.amount_usd == pytest.approx(480.0)
    by_hour = replace(series, series={"grid_cfe_share": (0.0, 0.0, 1.0, 0.0)})
    assert settle(cfe(grid_cfe_share=0.5), by_hour).state.matched_mwh == 65.0


def test_each_month_stands_alone_and_a_year_does_not() -> None:
    """Two hours on each side of 1 April: matched 15 of 30 MWh, then 20 of 50.

    By month, 15 and 20 of targets 15 and 25; by year 35 of 40: both lack 5, at 12 and 100.
    """
    start = at("Europe/Berlin", 2026, 3, 31, 22)
    series = ours(start=start, time_zone=meter(zone="Europe/Berlin").time_zone)
    monthly = settle(cfe(period="month", shortfall_usd_per_mwh=100.0), series)
    lines = [(x.component, x.quantity) for x in monthly.lines]
    assert lines == [("premium", 15.0), ("premium", 20.0), ("shortfall", 5.0)]
    yearly = settle(cfe(shortfall_usd_per_mwh=100.0), series)
    assert [(x.component, x.quantity) for x in yearly.lines] == [
        ("premium", 35.0),
        ("shortfall", 5.0),
    ]


def test_a_shortfall_that_is_made_up_is_paid_back() -> None:
    """First half: 15 of a target of 15; hour 3 lacks 15; hour 4 brings 20 and needs 10: -10."""
    contract = cfe(shortfall_usd_per_mwh=100.0)
    state, amounts = settle(contract, cut(ours(), 0, 2)).state, []
    for hour in (2, 3):
        settled = settle(contract, cut(ours(), hour, hour + 1), state)
        state = settled.state
        amounts.append(by_component(settled.lines).get("shortfall", 0.0))
    assert amounts == pytest.approx([1500.0, -1000.0])


def test_certificates_are_of_the_calendar_year_of_the_market() -> None:
    """New Year in Chicago after two hours: 50 % of 30, then of 50 MWh, 15 + 0 bundled first.

    2025: 15 - 15 = 0; 2026: 25 - 20 = 5 certificates x 3.
    """
    series = ours(
        start=at("America/Chicago", 2025, 12, 31, 22),
        time_zone=meter(zone="America/Chicago").time_zone,
        delivered_mwh={"wind": (15.0, 0.0, 0.0, 20.0)},
    )
    settled = settle(rec(bundled=("wind",)), series)
    assert settled.amount_usd == pytest.approx(15.0)
    assert settled.state.period == "2026"
    ended = rec(bundled=("wind",), end=date(2026, 1, 1))
    assert billed(ended, series) == 0.0

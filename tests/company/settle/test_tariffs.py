"""Tariffs item by item: the sheet's figures, tables of hours, months that are never prorated."""

from dataclasses import replace
from datetime import date

import pytest
from company.settle.metered import LOAD, at, by_component, charged, demand, meter, tariff

from tokenergy.company.settle import settle_tariff

PERIODS = ({"name": "low", "usd_per_mwh": 50.0}, {"name": "peak", "usd_per_mwh": 120.0})


def table(*hours: int, months=tuple(range(1, 13))):
    """Return a table in which those hours of those months are in period 1."""
    return [[int(m in months and h in hours) for h in range(24)] for m in range(1, 13)]


def test_time_of_use() -> None:
    """50 x 50 + 30 x 120 = 6,100."""
    words = tariff(energy={"periods": PERIODS, "weekday": table(2)})
    settled = settle_tariff(words, meter(import_mwh=LOAD), {})
    assert by_component(settled.lines) == {"energy.low": 2500.0, "energy.peak": 3600.0}
    assert len(settled.lines) == 2  # a line a month and period, not an hour


def test_tiers() -> None:
    """60 to 50 MWh, 80 above: 3,000 + 2,400 = 5,400."""
    words = tariff(tiers={"thresholds_mwh": (50.0,), "usd_per_mwh": (60.0, 80.0)})
    settled = settle_tariff(words, meter(import_mwh=LOAD), {})
    assert by_component(settled.lines) == pytest.approx({"tier_1": 3000.0, "tier_2": 2400.0})


def test_tiers_begin_anew_each_month_and_one_interval_may_climb_several() -> None:
    """Two hours on each side of 1 April: 30 MWh and 50 MWh in tiers 10, 20, 30 at 1, 2, 3, 4."""
    words = tariff(
        tiers={"thresholds_mwh": (10.0, 20.0, 30.0), "usd_per_mwh": (1.0, 2.0, 3.0, 4.0)}
    )
    series = meter(start=at("UTC", 2026, 3, 31, 22), import_mwh=LOAD)
    assert charged(words, series) == pytest.approx(60.0 + (60.0 + 20 * 4.0))


def test_the_table_is_of_local_hours_months_and_kinds_of_day() -> None:
    """16 h in July on weekdays in Chicago; weekends have their own; other months none."""
    words = tariff(
        energy={
            "periods": PERIODS,
            "weekday": table(16, months=(7,)),
            "weekend": table(10, months=(7,)),
        },
        time_zone="America/Chicago",
    )  # fmt: skip
    cases = [
        ((2026, 7, 3, 16), 120.0), ((2026, 7, 3, 10), 50.0), ((2026, 7, 4, 16), 50.0),
        ((2026, 7, 4, 10), 120.0), ((2026, 8, 3, 16), 50.0),
    ]  # fmt: skip
    for moment, usd in cases:
        series = meter(count=1, start=at("America/Chicago", *moment), import_mwh=1)
        assert charged(words, series) == usd
    same = tariff(energy={"periods": PERIODS, "weekday": table(16)})
    saturday = meter(count=1, start=at("UTC", 2026, 7, 4, 16), import_mwh=1)
    assert charged(same, saturday) == 120.0
    flat = tariff(energy={"periods": PERIODS})
    assert charged(flat, saturday) == 50.0


def test_hours_that_the_clock_skips_or_repeats() -> None:
    """2 h at 120 in Berlin: none on 29 March 2026, two on 25 October."""
    words = tariff(energy={"periods": PERIODS, "weekday": table(2)})
    for day, count, usd in (((3, 29), 23, 23 * 50.0), ((10, 25), 25, 23 * 50.0 + 2 * 120.0)):
        start = at("Europe/Berlin", 2026, *day)
        series = meter(count=count, start=start, zone="Europe/Berlin", import_mwh=1)
        assert charged(words, series) == usd


def test_exports_earn() -> None:
    words = tariff(energy={"periods": PERIODS, "export_usd_per_mwh": 30.0, "settles": "supply"})
    series = meter(import_mwh=LOAD, export_mwh=(0.0, 5.0, 0.0, 0.0))
    assert by_component(settle_tariff(words, series, {}).lines)["export"] == -150.0


def test_months_are_charged_whole_and_within_the_term() -> None:
    """100 + 20 MW x 3,000 a month; 9 % of 2.4 M a year of collateral is 18,000 a month.

    Three months touched, two of them in the term.
    """
    words = {
        "fixed_usd_per_month": 100.0, "standby_mw": 20.0, "standby_usd_per_kw_month": 3.0,
        "large_load": {"contract_mw": 50.0, "collateral_usd": 2.4e6},
    }  # fmt: skip
    series = meter(count=30, step_h=24.0, start=at("UTC", 2026, 1, 31), import_mwh=0)
    settled = settle_tariff(tariff(**words), series, {}, wacc_share=0.09)
    assert by_component(settled.lines) == pytest.approx(
        {"fixed": 300.0, "standby": 180_000.0, "collateral": 54_000.0}
    )
    assert len(settled.lines) == 9
    ended = tariff(**words, end=date(2026, 3, 1))
    assert charged(ended, series, wacc_share=0.09) == pytest.approx(2 * (100 + 60_000 + 18_000))


def test_a_tariff_begins_at_its_own_midnight() -> None:
    words = tariff(energy={"periods": PERIODS}, start=date(2026, 3, 3), time_zone="America/Chicago")
    settled = settle_tariff(words, meter(count=48, import_mwh=1), {})
    assert settled.lines[0].start == at("America/Chicago", 2026, 3, 3)
    assert settled.amount_usd == 18 * 50.0


def test_the_least_bill_of_a_month() -> None:
    """At least 3,000: March's 30 x 50 + 100 lacks 1,400, April's 50 x 50 + 100 lacks 400."""
    words = tariff(
        energy={"periods": PERIODS}, fixed_usd_per_month=100.0, minimum_usd_per_month=3000.0
    )
    series = meter(start=at("UTC", 2026, 3, 31, 22), import_mwh=LOAD)
    settled = settle_tariff(words, series, {})
    tops = [line.amount_usd for line in settled.lines if line.component == "minimum"]
    assert tops == pytest.approx([1400.0, 400.0])
    assert settled.amount_usd == pytest.approx(6000.0)
    assert charged(words, replace(series, import_mwh=(30.0,) * 4)) == pytest.approx(
        2 * (100 + 60 * 50.0)
    )


def test_collateral_is_no_part_of_the_least_bill() -> None:
    words = tariff(
        minimum_usd_per_month=500.0,
        large_load={"contract_mw": 50.0, "collateral_usd": 1.2e6},
    )
    settled = settle_tariff(words, meter(import_mwh=1), {}, wacc_share=0.1)
    assert by_component(settled.lines) == pytest.approx({"collateral": 10_000.0, "minimum": 500.0})


def test_every_line_is_quantity_times_rate() -> None:
    words = tariff(
        energy={"periods": PERIODS, "weekday": table(2), "export_usd_per_mwh": 7.0},
        tiers={"thresholds_mwh": (50.0,), "usd_per_mwh": (60.0, 80.0)},
        demand=(demand(), demand(name="night", from_hour=0, to_hour=2)),
        fixed_usd_per_month=9.0,
        minimum_usd_per_month=1e6,
    )
    settled = settle_tariff(words, meter(import_mwh=LOAD, export_mwh=1), {})
    assert all(line.amount_usd == line.quantity * line.rate_usd for line in settled.lines)
    keys = [(line.component, line.start) for line in settled.lines]
    assert len(keys) == len(set(keys))
    assert settled.amount_usd == pytest.approx(1e6)

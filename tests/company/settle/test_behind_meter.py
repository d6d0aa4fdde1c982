"""Power behind the meter: the sheet's co-location and gas examples, and the permit's hours."""

from dataclasses import replace
from datetime import date

import pytest
from company.settle.metered import (
    LOAD,
    NODE,
    at,
    billed,
    by_component,
    colocation,
    meter,
    on_site,
    spot,
)

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import delivered_mwh, settle
from tokenergy.errors import InfeasiblePower

GENERATOR = (1.0, 1.0, 1.0, 0.0)
"""Of 25 MW."""


def beside(**changes):
    """Return series A beside a generator of 25 25 25 0, 10 MW of which may leave.

    Load 10 20 30 20: in hour 1, 5 of 25 MWh are curtailed; 10 and 5 are sold, 5 and 20 bought.
    """
    made = meter(
        spot_usd_per_mwh=NODE,
        profile_share=GENERATOR,
        taken_mwh=(20.0, 25.0, 25.0, 0.0),
        import_mwh=(0.0, 0.0, 5.0, 20.0),
        bought_mwh=(0.0, 0.0, 5.0, 20.0),
        sold_mwh=(10.0, 5.0, 0.0, 0.0),
    )
    return replace(made, **changes)


def test_colocation_with_its_residual() -> None:
    """Energy 75 x 50 = 3,750; sold 10 x 40 + 5 x 60 = 700; backup 5 x 120 + 20 x 10 = 800.

    3,750 - 700 + 800 = 3,850, and 20 MW x 8,000 USD = 160,000 of standing by for the month.
    """
    settled = settle(colocation(), beside())
    sums = by_component(settled.lines)
    assert sums["delivery"] + sums["take_or_pay"] == pytest.approx(3750.0)
    assert (sums["take_or_pay"], sums["backup"]) == pytest.approx((250.0, 500.0))
    assert sums["standby"] == pytest.approx(160_000.0)
    energy = settled.amount_usd - sums["standby"] + billed(spot(), beside())
    assert energy == pytest.approx(3850.0)


def test_without_take_or_pay_only_what_is_taken_costs() -> None:
    """70 of 75 MWh x 50 = 3,500."""
    sums = by_component(settle(colocation(take_or_pay=False), beside()).lines)
    assert sums["delivery"] == pytest.approx(3500.0)
    assert "take_or_pay" not in sums


def test_standing_by_is_billed_whole_for_each_month_touched() -> None:
    """Four hours across midnight of 1 April in Berlin touch two months; term from April: one."""
    start = at("Europe/Berlin", 2026, 3, 31, 22)
    series = replace(meter(start=start, zone="Europe/Berlin"), **{
        name: getattr(beside(), name) for name in ("profile_share", "taken_mwh", "import_mwh")
    })  # fmt: skip
    assert by_component(settle(colocation(), series).lines)["standby"] == 2 * 160_000.0
    from_april = colocation(start=date(2026, 4, 1))
    series = replace(series, taken_mwh=(0.0, 0.0, 25.0, 0.0))
    settled = settle(from_april, series)
    assert by_component(settled.lines)["standby"] == 160_000.0
    assert settle(from_april, series, settled.state).amount_usd == pytest.approx(
        settled.amount_usd - 160_000.0
    )


def test_no_more_is_taken_than_the_neighbour_makes() -> None:
    with pytest.raises(InfeasiblePower, match="'next-door' at 2026-03-02T03:00Z: 1 MWh taken"):
        settle(colocation(), beside(taken_mwh=(20.0, 25.0, 25.0, 1.0)))


def test_gas_with_one_start() -> None:
    """9.5 x 4 = 38, + 4 = 42 USD/MWh: 20 MW in hours 2 and 3 with one start: 2,180.

    It replaces 20 x 60 + 20 x 100 = 3,200: a gain of 1,020.
    """
    series = meter(generate_mwh=(0.0, 20.0, 20.0, 0.0))
    settled = settle(on_site(), series)
    assert by_component(settled.lines) == {"fuel": 1520.0, "running": 160.0, "start": 500.0}
    assert settled.amount_usd == pytest.approx(2180.0)
    bought = meter(spot_usd_per_mwh=NODE, bought_mwh=LOAD, sold_mwh=0)
    less = replace(bought, bought_mwh=(10.0, 0.0, 10.0, 20.0))
    gain = billed(spot(), bought) - billed(spot(), less) - settled.amount_usd
    assert gain == pytest.approx(1020.0)
    assert delivered_mwh(on_site(), series) == [0.0, 20.0, 20.0, 0.0]


def test_starts_are_counted_from_what_ran_before() -> None:
    """On, off, on, off: 2 starts from cold, 1 where it ran already; 1e-9 MWh is not running."""
    series = meter(generate_mwh=(20.0, 1e-9, 20.0, 0.0))
    for on, count in ((False, 2.0), (True, 1.0)):
        settled = settle(on_site(), series, ContractState(on=on))
        (line,) = {x.rate_usd: x for x in settled.lines if x.component == "start"}.values()
        starts = [x for x in settled.lines if x.component == "start"]
        assert len(starts) == count and line.rate_usd == 500.0
        assert not settled.state.on


def test_fuel_follows_its_own_series() -> None:
    """95 MMBtu x 2, then 190 x 8: 190 + 1,520 = 1,710, and 4 x 30 = 120."""
    series = meter(
        generate_mwh=(10.0, 20.0, 0.0, 0.0), series={"fuel_usd_per_mmbtu": (2.0, 8.0, 1.0, 1.0)}
    )
    assert billed(on_site(start_usd=0.0), series) == pytest.approx(1830.0)


def test_permit_hours_are_those_of_the_calendar_year() -> None:
    """Half-hours of 10 of 20 MW across New Year: 2 in each year; 0.5 h on, or 0.25 of full load."""
    start = at("America/Chicago", 2025, 12, 31, 23)
    series = meter(start=start, zone="America/Chicago", step_h=0.5, generate_mwh=5)
    before = ContractState(period="2025", running_h=7.0)
    committed = settle(on_site(), series, before).state
    assert (committed.period, committed.running_h, committed.on) == ("2026", 1.0, True)
    one = replace(series, lengths_h=(0.5,), generate_mwh=(5.0,))
    assert settle(on_site(), one, before).state.running_h == 7.5
    assert settle(on_site(start_usd=0.0), one, before).state.running_h == 7.25


def test_a_plant_makes_no_more_than_its_capacity_and_nothing_out_of_term() -> None:
    with pytest.raises(InfeasiblePower, match="21 MWh made, its capacity gives 20 MWh"):
        settle(on_site(), meter(generate_mwh=21))
    with pytest.raises(InfeasiblePower, match="20 MWh made, its capacity gives 0 MWh"):
        settle(on_site(end=date(2026, 3, 2)), meter(generate_mwh=20))

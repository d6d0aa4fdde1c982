"""What a battery moves in one interval, by hand on a curve of three steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import battery

from tokenergy.dispatch.energy_cost import FLOW, SiteCurve
from tokenergy.dispatch.storage import StoredWorth, charge_mw, discharge_mw


def curve(*steps: tuple[float, float], least=0.0) -> SiteCurve:
    """Make a curve of (USD/MWh, MW up to which it holds)."""
    return SiteCurve(
        least_mw=least,
        ends_mw=tuple(end for _, end in steps),
        slopes_usd_per_mwh=tuple(price for price, _ in steps),
        sources=(FLOW,) * len(steps),
        export_mw=0.0,
        sure_mw=0.0,
        meter_floors=(),
        plant_floors=(),
        grid_takes=(),
        taken_first_count=0,
    )


def flat(worth: float) -> StoredWorth:
    return StoredWorth(empty_usd_per_mwh=worth, full_usd_per_mwh=worth)


STEPS = curve((10.0, 4.0), (50.0, 6.0), (90.0, 20.0))
STORE = battery(power=5.0, capacity=20.0, efficiency=0.8)


def charged(worth: StoredWorth, *, energy=0.0, load=0.0, limit=5.0) -> float:
    return charge_mw(
        STORE, worth, STEPS, energy_mwh=energy, load_mw=load, limit_mw=limit, step_h=1.0
    )


def given_mw(worth: StoredWorth, *, energy=20.0, load=8.0, limit=5.0, wear=0.0) -> float:
    spec = battery(power=5.0, capacity=20.0, efficiency=0.8, wear=wear)
    return discharge_mw(
        spec, worth, STEPS, energy_mwh=energy, load_mw=load, limit_mw=limit, step_h=1.0
    )


def test_it_charges_up_the_curve_as_long_as_that_pays():
    """A stored MWh costs price / 0.8: 12.5 on the first 4 MW, 62.5 on the next two."""
    assert charged(flat(12.0)) == 0.0
    assert charged(flat(13.0)) == pytest.approx(4.0)
    assert charged(flat(62.0), load=1.0) == pytest.approx(3.0)
    assert charged(flat(63.0)) == pytest.approx(5.0)  # its own power


def test_it_charges_until_the_next_mwh_is_worth_no_more_than_it_costs():
    """100 USD empty, 0 full: 12.5 is its worth at 17.5 MWh; from 15 that takes 2.5 / 0.8 MW."""
    worth = StoredWorth(empty_usd_per_mwh=100.0, full_usd_per_mwh=0.0)
    assert charged(worth, energy=15.0) == pytest.approx(2.5 / 0.8)
    assert charged(worth, energy=17.5) == 0.0


def test_it_gives_down_the_curve_as_long_as_that_saves():
    """A stored MWh saves price x 0.8: 72 on the load above 6 MW, 40 on the next two."""
    assert given_mw(flat(73.0)) == 0.0
    assert given_mw(flat(71.0)) == pytest.approx(2.0)
    assert given_mw(flat(39.0)) == pytest.approx(4.0)
    assert given_mw(flat(7.0)) == pytest.approx(5.0)
    assert given_mw(flat(71.0), load=20.0) == pytest.approx(5.0)


def test_wear_is_paid_for_each_mwh_that_comes_out():
    """With 5 USD of wear 90 saves 85 x 0.8 = 68."""
    assert given_mw(flat(67.0), wear=5.0) == pytest.approx(2.0)
    assert given_mw(flat(69.0), wear=5.0) == 0.0


def test_it_gives_until_what_is_left_is_worth_more_than_it_saves():
    """100 USD empty, 0 full: 72 is its worth at 5.6 MWh; from 6.6 on 1 MWh, 0.8 at the site."""
    worth = StoredWorth(empty_usd_per_mwh=100.0, full_usd_per_mwh=0.0)
    assert given_mw(worth, energy=6.6) == pytest.approx(0.8)
    assert given_mw(worth, energy=5.6) == 0.0


def test_nothing_is_given_below_the_least_load():
    steps = curve((10.0, 4.0), (50.0, 6.0), least=3.0)
    moved = discharge_mw(
        STORE, flat(1.0), steps, energy_mwh=20.0, load_mw=5.0, limit_mw=5.0, step_h=1.0
    )
    assert moved == pytest.approx(2.0)


@given(
    empty=st.floats(-50, 150),
    full=st.floats(-50, 150),
    energy=st.floats(0, 20),
    load=st.floats(0, 20),
    step_h=st.sampled_from([0.25, 1.0, 2.0]),
)
def test_it_never_moves_more_than_it_may_nor_both_ways(empty, full, energy, load, step_h):
    """Within its power, what it holds, and the curve; and what pays one way does not pay back."""
    worth = StoredWorth(empty_usd_per_mwh=max(empty, full), full_usd_per_mwh=min(empty, full))
    into = charge_mw(
        STORE, worth, STEPS, energy_mwh=energy, load_mw=load, limit_mw=5.0, step_h=step_h
    )
    out = discharge_mw(
        STORE, worth, STEPS, energy_mwh=energy, load_mw=load, limit_mw=5.0, step_h=step_h
    )
    assert 0.0 <= into <= min(5.0, max(0.0, 20.0 - load)) + 1e-9
    assert 0.0 <= out <= min(5.0, load) + 1e-9
    assert energy + 0.8 * into * step_h <= 20.0 + 1e-9
    assert energy - out / 0.8 * step_h >= -1e-9
    assert min(into, out) == 0.0

"""The bill of a window by the MWh, on paper: 80 Mtok an hour draw 8 MWh an hour at 30 USD/MWh."""

from dataclasses import replace

import numpy as np
import pytest
from economics.crowd import HOURS, crowd

from tokenergy.api.pricing import window_full_cost
from tokenergy.dispatch.carbon import CARBON_PRICE
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.supply import Generator, MeterRate, Sunk
from tokenergy.dispatch.terms.steps import PriceSteps
from tokenergy.dispatch.world import World
from tokenergy.economics.books import BookKeeper, Size
from tokenergy.economics.window_power import left_out, moved_power_usd, sunk_usd
from tokenergy.units import H_PER_YEAR


def rate(contract_id: str, kind: str, usd_per_mwh: float) -> MeterRate:
    return MeterRate(
        contract_id=contract_id,
        component=kind,
        site=0,
        kind=kind,
        import_usd_per_mwh=np.full(HOURS, usd_per_mwh),
        export_usd_per_mwh=np.zeros(HOURS),
    )


def sunk(component: str, usd: float) -> Sunk:
    """Return a charge in the first interval alone."""
    return Sunk(contract_id="deal", component=component, usd=np.eye(1, HOURS)[0] * usd)


def contracted() -> World:
    """Return the crowd with a wire, a plant, import in steps, and money that nothing moves.

    An hour: the plant makes 2 MWh at 20 USD; 6 are bought at 30, with 5 of the wire on each, and
    4 of the second step on the last of them: 2 x 20 + 6 x 35 + 1 x 4 = 254 USD.
    """
    plant = Generator(
        contract_id="plant",
        site=0,
        capacity_mw=np.full(HOURS, 2.0),
        usd_per_mwh=np.full(HOURS, 20.0),
        min_load_share=0.0,
        start_usd=0.0,
        permit_h=np.inf,
        permit_year=np.zeros(HOURS, dtype=np.int64),
    )
    steps = PriceSteps(
        contract_id="spot",
        site=0,
        widths_mw=(5.0, np.inf),
        adder_usd_per_mwh=(0.0, 4.0),
    )
    return replace(
        crowd(),
        rates=(rate("wire", "energy", 5.0), rate(CARBON_PRICE, "cfe", 1.0)),
        generators=(plant,),
        terms=(steps,),
        sunk=(sunk("difference", 16.0), sunk("fixed", 1000.0)),
    )


def test_what_moves_is_charged_by_the_mwh_and_carbon_is_no_bill():
    world = contracted()
    optimum = solve_horizon(world)
    assert moved_power_usd(world, optimum) == pytest.approx(254.0 * HOURS)
    assert window_full_cost(world, optimum).power_usd == pytest.approx(254.0 * HOURS + 16.0)


def test_a_year_holds_rates_plants_steps_and_what_every_interval_owes():
    """A window of 8 h owes 16 USD: 2 an hour."""
    keeper = BookKeeper(contracted())
    books = keeper.books(Size())
    assert books.power_usd_per_year == pytest.approx((254.0 + 2.0) * H_PER_YEAR)
    assert "deal fixed" in keeper.basis


def test_a_charge_by_the_month_is_left_out_and_named():
    world = replace(
        crowd(), rates=(rate("wire", "demand_peak", 5.0),), sunk=(sunk("standby", 1000.0),)
    )
    assert moved_power_usd(world, solve_horizon(world)) == pytest.approx(240.0 * HOURS)
    assert sunk_usd(world, slice(0, HOURS)) == 0.0
    assert left_out(world) == ("wire demand_peak", "deal standby")
    assert left_out(crowd()) == ()

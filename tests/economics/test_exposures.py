"""The five exposures: the sheet's series by hand, and the sum for any series."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulate.played import Optimal, random_company

from tokenergy.economics.exposures import (
    Position,
    exposures,
    mean_price_usd_per_mwh,
    positions_of,
)
from tokenergy.simulate.account import account
from tokenergy.simulate.replay import replay


def series_a(strike: float = 45.0) -> Position:
    """Series A of the contracts sheet: half of a project, in 4 intervals of 1 h."""
    contracted = np.array([15.0, 5.0, 0.0, 20.0])
    return Position(
        load_mwh=np.array([10.0, 20.0, 30.0, 20.0]),
        contracted_mwh=contracted,
        contract_usd=strike * contracted,
        zone_usd_per_mwh=np.array([35.0, 50.0, 90.0, -20.0]),
        node_usd_per_mwh=np.array([40.0, 60.0, 100.0, -10.0]),
        cells=np.array([0, 0, 1, 1]),
    )


def test_series_a_by_hand() -> None:
    """Q = 80, V = 40, K = 45, F = 50, mean price 38.75.

    volume 40 x (45 - 50) + 80 x 50 = 3,800; price (80 - 40)(38.75 - 50) = -450;
    x = -5 15 30 0, cells 5 and 15, hats -5 and 5; price cells 42.5 and 35, hats 3.75 and -3.75:
    shape 2(-5 x 3.75) + 2(5 x -3.75) = -75; residuals of x -10 10 15 -15, of the price -7.5 7.5
    55 -55: covariance 75 + 75 + 825 + 825 = 1,800; basis 10x5 + 20x10 + 30x10 + 20x10 = 750.
    Spot 4,400 and 40 x 45 - 375 for the contract: 5,825.
    """
    found = exposures([series_a()], budget_usd_per_mwh=50.0, bill_usd=6000.0)
    assert list(found.five().values()) == pytest.approx([3800.0, -450.0, -75.0, 1800.0, 750.0])
    assert found.total_usd == pytest.approx(5825.0)
    assert found.charges_usd == pytest.approx(175.0)
    assert found.hedge_share == pytest.approx(0.5)
    assert found.overhedged_mwh == pytest.approx(5.0)
    assert found.capture_usd_per_mwh == pytest.approx(375.0 / 40.0)
    assert [finding.code for finding in found.findings] == ["EXPOSURE_CELL_THIN"]


def test_the_mean_price_by_hand() -> None:
    """80 MWh at a mean of 38.75 and 40 at 10: (80 x 38.75 + 40 x 10) / 120 = 29.1667.

    Without load both count alike: 24.375.
    """
    far = replace(series_a(), load_mwh=np.full(4, 10.0), zone_usd_per_mwh=np.full(4, 10.0))
    assert mean_price_usd_per_mwh([series_a(), far]) == pytest.approx(29.16667, abs=1e-5)
    idle = [replace(each, load_mwh=np.zeros(4)) for each in (series_a(), far)]
    assert mean_price_usd_per_mwh(idle) == pytest.approx(24.375)


@given(st.integers(0, 200), st.floats(-50.0, 200.0, allow_nan=False))
def test_the_five_sum_to_the_cost_whatever_the_budget(seed: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    held = [
        Position(
            load_mwh=rng.uniform(0.0, 50.0, 96),
            contracted_mwh=rng.uniform(0.0, 60.0, 96),
            contract_usd=rng.normal(500.0, 400.0, 96),
            zone_usd_per_mwh=rng.normal(60.0, 80.0, 96),
            node_usd_per_mwh=rng.normal(60.0, 80.0, 96),
            cells=rng.integers(0, 24, 96),
        )
        for _ in range(3)
    ]
    found = exposures(held, budget_usd_per_mwh=budget)
    assert sum(found.five().values()) == pytest.approx(found.total_usd, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_a_runs_exposures_and_its_charges_are_its_bill(seed: int) -> None:
    made = random_company(seed)
    run = replay(made, Optimal(made))
    held = positions_of(made, run)
    bill_usd = account(made, run).bill_usd
    found = exposures(held, budget_usd_per_mwh=mean_price_usd_per_mwh(held), bill_usd=bill_usd)
    assert sum(found.five().values()) + found.charges_usd == pytest.approx(bill_usd, rel=1e-9)
    assert found.load_mwh == pytest.approx(float(run.load_mwh.sum()))
    assert found.basis_usd == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_a_sites_contracts_cost_what_their_own_bills_say(seed: int) -> None:
    """The bills are settled by the contracts' own words, site by site; volumes by the run."""
    made = random_company(seed)
    run = replay(made, Optimal(made))
    bills = account(made, run).power_usd
    taken_mwh = run.take_mwh.sum(axis=1)
    for at, (site, held) in enumerate(
        zip(made.company.sites, positions_of(made, run), strict=True)
    ):
        signed = [c.id for c in made.company.contracts if c.site == site.name and c.kind != "spot"]
        usd = sum(bills[name] for name in signed)
        assert held.contract_usd.sum() == pytest.approx(usd, rel=1e-9, abs=1e-9)
        mwh = sum(taken_mwh[k] for k, take in enumerate(made.takes) if take.site == at)
        for block in made.blocks:
            if block.site == at:
                mwh += block.delivery_mw[made.first : made.last].sum() * made.step_h
        assert held.contracted_mwh.sum() == pytest.approx(mwh)
        assert np.array_equal(held.load_mwh, run.load_mwh[at])

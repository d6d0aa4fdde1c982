"""The five exposures of one contract: by hand, and the sum for any series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tokenergy.api.plan_exposures import ContractExposures, of_flow
from tokenergy.plan.exposures import ContractFlow

CELLS = np.array([0, 0, 1, 1])
LOAD = np.array([10.0, 20.0, 30.0, 20.0])


def told(
    mwh: np.ndarray, usd: np.ndarray, settled: np.ndarray, node: np.ndarray, *, budget: float = 50.0
) -> ContractExposures:
    flow = ContractFlow(contract_id="wind", site=0, mwh=mwh, usd=usd, settled_usd_per_mwh=settled)
    return of_flow(
        flow,
        site="texas",
        node_usd_per_mwh=node,
        load_mwh=LOAD,
        cells=CELLS,
        budget_usd_per_mwh=budget,
    )


def test_a_contract_by_hand() -> None:
    """40 MWh at 45 where the price is 35 50 90 -20: 1,800 paid, power worth 375: 1,425 more.

    volume 40 x (45 - 50) = -200; price -40 x (38.75 - 50) = 450; delivered 15 5 0 20, cells 10
    and 10: no shape; residuals 5 -5 -10 10 against -7.5 7.5 55 -55 of the price, with the sign of
    what is sold: -(-37.5 - 37.5 - 550 - 550) = 1,175. Sum 1,425. Hub and node are one: no basis.
    """
    mwh, price = np.array([15.0, 5.0, 0.0, 20.0]), np.array([35.0, 50.0, 90.0, -20.0])
    found = told(mwh, 45.0 * mwh, price, price)
    parts = (found.volume_usd, found.price_usd, found.shape_usd, found.covariance_usd)
    assert parts == pytest.approx((-200.0, 450.0, 0.0, 1175.0))
    assert found.basis_usd == 0.0
    assert found.total_usd == pytest.approx(1425.0)
    assert found.strike_usd_per_mwh == pytest.approx(45.0)
    assert found.capture_usd_per_mwh == pytest.approx(375.0 / 40.0)
    assert found.hedge_share == pytest.approx(0.5)
    assert found.overhedged_mwh == pytest.approx(5.0)


SERIES = arrays(np.float64, 4, elements=st.floats(-500.0, 500.0))


@given(arrays(np.float64, 4, elements=st.floats(0.0, 50.0)), SERIES, SERIES, SERIES)
def test_the_five_sum_to_what_the_contract_costs_beyond_its_market(
    mwh: np.ndarray, usd: np.ndarray, settled: np.ndarray, node: np.ndarray
) -> None:
    """Whatever the series: paid, less what it was worth where it settles."""
    found = told(mwh, usd, settled, node)
    five = (found.volume_usd, found.price_usd, found.shape_usd, found.covariance_usd,
            found.basis_usd)  # fmt: skip
    assert sum(five) == pytest.approx(found.total_usd, abs=1e-6)
    assert found.total_usd == pytest.approx(float(usd.sum() - mwh @ settled), abs=1e-6)

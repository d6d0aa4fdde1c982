"""The energy curve: average, step and step marginal."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.curve import EnergyCurve
from tokenergy.errors import InputError

DENSE = EnergyCurve(token_j=0.06, shared_step_j=3.0)
MOE = EnergyCurve(token_j=0.02, shared_step_j=1.0, experts_step_j=8.0, routed_share=0.25)

batches = st.floats(1.0, 4096.0)


def test_dense_by_hand() -> None:
    """.06 + 3 / 50 = .12 J; a step of 50 costs .06 x 50 + 3 = 6 J, 10 ms at 600 W."""
    assert DENSE.average_j_per_token(50) == pytest.approx(0.12)
    assert DENSE.step_j(50) == 3.0
    assert DENSE.step_marginal_j_per_token(50) == 0.06
    assert DENSE.step_s(50, power_w=600.0) == pytest.approx(0.01)


def test_mixture_by_hand() -> None:
    """Two sequences touch 1 - .75^2 = .4375 of the experts: 1 + 8 x .4375 = 4.5 J."""
    assert MOE.step_j(2) == pytest.approx(4.5)
    assert MOE.average_j_per_token(2) == pytest.approx(2.27)
    marginal = 0.02 + 8.0 * -math.log(0.75) * 0.75**2
    assert MOE.step_marginal_j_per_token(2) == pytest.approx(marginal)


@given(batch=batches)
def test_the_marginal_is_the_slope_of_the_step(batch: float) -> None:
    eps = 1e-4 * batch
    slope = (MOE.step_j(batch + eps) - MOE.step_j(batch - eps)) / (2 * eps)
    assert MOE.step_marginal_j_per_token(batch) - MOE.token_j == pytest.approx(slope, abs=1e-6)
    assert MOE.step_marginal_j_per_token(batch) >= MOE.token_j


@given(batch=batches, more=st.floats(1.01, 4.0))
def test_a_larger_batch_is_cheaper_per_token_and_longer_per_step(batch: float, more: float) -> None:
    for curve in (DENSE, MOE):
        assert curve.average_j_per_token(batch * more) < curve.average_j_per_token(batch)
        assert curve.step_s(batch * more, power_w=500.0) > curve.step_s(batch, power_w=500.0)


@given(batch=batches)
def test_no_experts_and_all_experts_are_dense(batch: float) -> None:
    none = EnergyCurve(token_j=0.02, shared_step_j=9.0)
    every = EnergyCurve(token_j=0.02, shared_step_j=1.0, experts_step_j=8.0, routed_share=1.0)
    assert every.step_j(batch) == pytest.approx(none.step_j(batch))
    assert every.step_marginal_j_per_token(batch) == none.step_marginal_j_per_token(batch)


@pytest.mark.parametrize("batch", [0.0, -1.0, math.nan, math.inf])
def test_a_batch_that_is_none_is_refused(batch: float) -> None:
    for ask in (MOE.average_j_per_token, MOE.step_j, MOE.step_marginal_j_per_token):
        with pytest.raises(InputError, match="batch"):
            ask(batch)

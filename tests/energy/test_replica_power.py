"""The power of an awake replica: the exact slope, the straight line, and its clamps."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.calibrate import Correction
from tokenergy.energy.calibrated_curve import CalibratedCurve
from tokenergy.energy.curve import EnergyCurve
from tokenergy.energy.replica_power import (
    ReplicaCurve,
    awake_marginal_j_per_token,
    power_line,
    slope_ratio,
)
from tokenergy.errors import InputError

DENSE = ReplicaCurve(
    joules=CalibratedCurve(curve=EnergyCurve(token_j=0.06, shared_step_j=3.0)), usual_w=560.0
)
MOE = ReplicaCurve(
    joules=CalibratedCurve(
        curve=EnergyCurve(token_j=0.02, shared_step_j=1.0, experts_step_j=8.0, routed_share=0.0625)
    ),
    usual_w=560.0,
)
POINTED = ReplicaCurve(
    joules=CalibratedCurve(
        curve=MOE.joules.curve,
        stack_ratio=1.5,
        joules=Correction(batches_count=(8.0, 128.0), factors_ratio=(0.8, 1.3)),
    ),
    usual_w=560.0,
)


def straight_s(batch_count: float) -> float:
    """Step time tau0 + tau1 B."""
    return 0.006 + 2e-5 * batch_count


def bent_s(batch_count: float) -> float:
    """Step time that grows faster than a straight line."""
    return 0.006 + 2e-5 * batch_count + 1e-8 * batch_count**2


def test_a_constant_step_energy_makes_a_straight_line() -> None:
    """b = 3 J, tau = 6 ms + 20 us B: base b/tau0 = 500 W, slope a - b tau1/tau0 = .05 J."""
    for batch in (8.0, 50.0, 200.0):
        slope_j = DENSE.awake_marginal_j_per_token(
            batch, step_s=straight_s, step_slope_s=lambda _: 2e-5
        )
        assert slope_j == pytest.approx(0.05)
    line = DENSE.replica_power(200.0, step_s=straight_s)
    assert line.base_w == pytest.approx(500.0)
    assert line.marginal_j_per_token == pytest.approx(0.05)
    assert line.rate_tokens_per_s == pytest.approx(200.0 / 0.01)
    assert line.power_w(line.rate_tokens_per_s) == pytest.approx((0.06 * 200 + 3.0) / 0.01)


@given(batch=st.floats(8.0, 250.0))
def test_the_exact_slope_agrees_with_differences_of_power_over_rate(batch: float) -> None:
    for curve in (DENSE, MOE, POINTED):
        for step_s in (straight_s, bent_s):
            steps = (batch * (1 - 1e-5), batch * (1 + 1e-5))
            powers = [curve.step_j(one) / step_s(one) for one in steps]
            rates = [one / step_s(one) for one in steps]
            seen_j = (powers[1] - powers[0]) / (rates[1] - rates[0])
            exact_j = curve.awake_marginal_j_per_token(batch, step_s=step_s)
            near_a_kink = any(abs(batch / kink - 1) < 1e-3 for kink in (8.0, 128.0))
            if not near_a_kink:
                assert exact_j == pytest.approx(seen_j, rel=1e-3, abs=1e-4)


@given(batch=st.floats(8.0, 1000.0))
def test_the_step_marginal_is_the_slope_of_a_steps_joules(batch: float) -> None:
    for curve in (DENSE, MOE):
        slope_j = slope_ratio(curve.step_j, batch)
        assert curve.step_marginal_j_per_token(batch) == pytest.approx(slope_j, rel=1e-4)


def test_it_is_the_step_marginal_only_if_a_step_never_gets_longer() -> None:
    exact_j = MOE.awake_marginal_j_per_token(32.0, step_s=lambda _: 0.01, step_slope_s=lambda _: 0)
    assert exact_j == pytest.approx(MOE.step_marginal_j_per_token(32.0))


def test_a_rate_that_does_not_rise_has_no_next_token() -> None:
    with pytest.raises(InputError, match="does not rise"):
        awake_marginal_j_per_token(
            batch_count=10.0,
            step_energy_j=5.0,
            step_energy_slope_j=0.1,
            step_s=0.01,
            step_slope_s=0.001,
        )


@given(
    batch=st.floats(1.0, 1000.0),
    tau0_s=st.floats(1e-3, 1e-1),
    tau1_s=st.floats(0.0, 1e-2),
)
def test_the_line_is_exact_at_the_operating_point(
    batch: float, tau0_s: float, tau1_s: float
) -> None:
    """Whatever the chord says: slope between 0 and the average, base what is left."""
    for curve in (DENSE, MOE, POINTED):
        for step_s in (None, lambda b: tau0_s + tau1_s * b):
            line = curve.replica_power(batch, step_s=step_s)
            average_j = curve.average_j_per_token(batch)
            watts = 560.0 if step_s is None else curve.step_j(batch) / step_s(batch)
            assert 0.0 <= line.marginal_j_per_token <= average_j * (1 + 1e-12)
            assert line.base_w >= -1e-9 * watts
            assert line.power_w(line.rate_tokens_per_s) == pytest.approx(watts)
            assert line.rate_tokens_per_s * average_j == pytest.approx(watts)


def test_without_step_times_three_quarters_are_base() -> None:
    line = DENSE.replica_power(50.0)
    assert line.base_w == pytest.approx(0.75 * 560.0)
    assert line.marginal_j_per_token == pytest.approx(0.25 * 0.12)


def test_measured_powers_make_their_line() -> None:
    rates = (500.0, 1000.0, 2000.0, 4000.0)
    line = power_line(rates, [300.0 + 0.05 * rate for rate in rates], average_j=0.125)
    assert (line.base_w, line.marginal_j_per_token) == pytest.approx((300.0, 0.05))
    falling = power_line(rates, (420.0, 415.0, 410.0, 405.0), average_j=0.1)
    assert (falling.base_w, falling.marginal_j_per_token) == (405.0, 0.0)
    with pytest.raises(InputError, match="two rates"):
        power_line((1.0, 1.0), (5.0, 6.0), average_j=1.0)
    with pytest.raises(InputError, match="rate"):
        line.power_w(4001.0)
    with pytest.raises(InputError, match="rate"):
        line.power_w(-1.0)


def test_a_step_takes_time() -> None:
    for broken_s in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="step"):
            DENSE.replica_power(64.0, step_s={64.0: broken_s}.__getitem__)

"""The power of one awake replica against its rate: a straight line, and the exact slope of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tokenergy.energy.calibrated_curve import CalibratedCurve
from tokenergy.energy.curve import SMALLEST_MEASURED_BATCH_COUNT
from tokenergy.energy.operating_point import BASE_SHARE
from tokenergy.errors import InputError

StepTime = Callable[[float], float]
"""Seconds of a step by its batch: tau(B), from a simulator or a benchmark."""

SLOPE_STEP_SHARE: Final = 1e-4
"""Of a batch, to either side: where a slope is taken from two values of a function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPower:
    """`P(r) = base + marginal r` of one awake replica, boards only, up to the rate of its limits.

    Attributes:
        base_w: there at any load above a batch of about 8.
        marginal_j_per_token: what one more token costs while the replica stays awake anyway.
        rate_tokens_per_s: at the operating point, where the line is exact.
        how: which of the three ways made it.
    """

    base_w: float
    marginal_j_per_token: float
    rate_tokens_per_s: float
    how: str

    def power_w(self, rate_tokens_per_s: float) -> float:
        """Return the power at a rate.

        Raises:
            InputError: if the rate is negative or beyond the operating point.
        """
        most_tokens_per_s = self.rate_tokens_per_s * (1.0 + 1e-9)
        if not 0.0 <= rate_tokens_per_s <= most_tokens_per_s:
            raise InputError(
                f"a rate of {rate_tokens_per_s:g} tokens/s: one replica has between 0 and "
                f"{self.rate_tokens_per_s:g}"
            )
        return self.base_w + self.marginal_j_per_token * rate_tokens_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaCurve:
    """Joules of a model on a replica by its batch, with stack and calibration in them.

    Three marginals, never to be mixed: the average is for reports and for the price of waking a
    replica; the step marginal forgets that a step gets longer; the awake marginal is what a token
    more costs a replica that stays awake.

    Attributes:
        joules: the curve, corrected by points where there are any.
        usual_w: power of all boards where nothing says otherwise: the median share of their TDP.
    """

    joules: CalibratedCurve
    usual_w: float

    def average_j_per_token(self, batch_count: float) -> float:
        """Return e(B): joules per output token, J.

        Raises:
            InputError: if the batch is not a positive number.
        """
        return self.joules.average_j_per_token(batch_count)

    def step_j(self, batch_count: float) -> float:
        """Return all joules of a step, `B e(B)`, J."""
        return self.joules.step_j(batch_count)

    def step_marginal_j_per_token(self, batch_count: float) -> float:
        """Return the slope of `step_j`: joules that one more sequence adds to one step, J.

        Exact where the factor on the curve is a constant, from two values where points make it
        change with the batch.
        """
        if self.joules.joules is None or self.joules.joules.points_count == 1:
            ratio = self.joules.factor_ratio(batch_count)
            return ratio * self.joules.curve.step_marginal_j_per_token(batch_count)
        return slope_ratio(self.step_j, batch_count)

    def awake_marginal_j_per_token(
        self, batch_count: float, *, step_s: StepTime, step_slope_s: StepTime | None = None
    ) -> float:
        """Return dP/dr: joules of one more token on a replica that stays awake anyway, J.

        Args:
            step_s: tau(B).
            step_slope_s: its slope, s per sequence; None: taken from two values of it.

        Raises:
            InputError: if the rate does not rise with the batch: then there is no more to serve.
        """
        slope_s = step_slope_s or (lambda batch_count: slope_ratio(step_s, batch_count))
        return awake_marginal_j_per_token(
            batch_count=batch_count,
            step_energy_j=self.step_j(batch_count),
            step_energy_slope_j=self.step_marginal_j_per_token(batch_count),
            step_s=step_s(batch_count),
            step_slope_s=slope_s(batch_count),
        )

    def replica_power(
        self, batch_slo_count: float, *, step_s: StepTime | None = None
    ) -> ReplicaPower:
        """Return the line through the operating point, whose batch is the largest within limits.

        With step times its slope is the chord from the smallest batch that anybody measured; with
        points that say their power, their least squares line; with neither, a quarter of the
        average. Always between 0 and the average, so the line is exact at the operating point.

        Raises:
            InputError: if the batch, or a step time, is not a positive number.
        """
        average_j = self.average_j_per_token(batch_slo_count)
        if step_s is None:
            slo_w = self.joules.board_w(batch_slo_count, usual_w=self.usual_w)
            slope_j = self.joules.marginal_j_per_token(
                batch_slo_count, usual_w=self.usual_w, base_share=BASE_SHARE
            )
            how = "no step times: usual board power, slope of measured powers or 1/4 of the average"
            return _through(slo_w, average_j, slope_j, how)
        slo_w = self.step_j(batch_slo_count) / _positive(step_s(batch_slo_count))
        low_count = SMALLEST_MEASURED_BATCH_COUNT
        if batch_slo_count <= low_count:
            slope_j = (1.0 - BASE_SHARE) * average_j
            how = f"a batch not above {low_count:g}: slope 1/4 of the average"
            return _through(slo_w, average_j, slope_j, how)
        low_s = _positive(step_s(low_count))
        gained_w = slo_w - self.step_j(low_count) / low_s
        gained_tokens_per_s = slo_w / average_j - low_count / low_s
        slope_j = gained_w / gained_tokens_per_s if gained_tokens_per_s > 0.0 else 0.0
        return _through(slo_w, average_j, slope_j, f"the chord from a batch of {low_count:g}")


def awake_marginal_j_per_token(
    *,
    batch_count: float,
    step_energy_j: float,
    step_energy_slope_j: float,
    step_s: float,
    step_slope_s: float,
) -> float:
    """Return dP/dr of a replica that stays awake, joules per token (energy sheet, section 5).

        dP/dr = [ E' tau - E tau' ] / (tau - B tau'),   E = a B + b(B) the joules of a step

    from P = E / tau and r = B / tau, both by B. It is the step marginal only if a step takes as
    long however many share it. With b constant and tau = tau0 + tau1 B it is a constant,
    a - b tau1 / tau0.

    Raises:
        InputError: if the rate does not rise with the batch.
    """
    rising_s = step_s - batch_count * step_slope_s
    if not rising_s > 0.0:
        raise InputError(
            f"at a batch of {batch_count:g} a longer step takes all that a larger batch brings "
            f"({step_s:g} s, and {step_slope_s:g} s more a sequence): the rate does not rise"
        )
    return (step_energy_slope_j * step_s - step_energy_j * step_slope_s) / rising_s


def power_line(
    rates_tokens_per_s: Sequence[float], powers_w: Sequence[float], *, average_j: float
) -> ReplicaPower:
    """Return the line of least relative errors through measured powers of one replica.

    Its slope is kept between 0 and `average_j`; then the line passes through the highest rate.

    Args:
        rates_tokens_per_s: output of the replica at each point.
        powers_w: of all its boards.
        average_j: joules per output token at the highest rate.

    Raises:
        InputError: if there are fewer than two rates, or a figure is not positive.
    """
    pairs = sorted(zip(rates_tokens_per_s, powers_w, strict=True))
    if len({rate for rate, _ in pairs}) < 2 or not min(min(pair) for pair in pairs) > 0.0:
        raise InputError(f"{len(pairs)} points make no line: it takes two rates, all above 0")
    weights = [1.0 / watts**2 for _, watts in pairs]
    total = math.fsum(weights)
    mean_r = math.fsum(w * r for w, (r, _) in zip(weights, pairs, strict=True)) / total
    mean_p = math.fsum(w * p for w, (_, p) in zip(weights, pairs, strict=True)) / total
    moved = [(w, r - mean_r, p - mean_p) for w, (r, p) in zip(weights, pairs, strict=True)]
    slope_j = math.fsum(w * r * p for w, r, p in moved) / math.fsum(w * r * r for w, r, _ in moved)
    slo_tokens_per_s, slo_w = pairs[-1]
    kept_j = min(max(slope_j, 0.0), average_j)
    return ReplicaPower(
        base_w=slo_w - kept_j * slo_tokens_per_s,
        marginal_j_per_token=kept_j,
        rate_tokens_per_s=slo_tokens_per_s,
        how=f"least relative squares through {len(pairs)} measured powers",
    )


def slope_ratio(of: Callable[[float], float], at_count: float) -> float:
    """Return the slope of a function of the batch there, from its values on both sides."""
    step_count = SLOPE_STEP_SHARE * at_count
    return (of(at_count + step_count) - of(at_count - step_count)) / (2.0 * step_count)


def _through(slo_w: float, average_j: float, slope_j: float, how: str) -> ReplicaPower:
    kept_j = min(max(slope_j, 0.0), average_j)
    rate_tokens_per_s = slo_w / average_j
    return ReplicaPower(
        base_w=slo_w - kept_j * rate_tokens_per_s,
        marginal_j_per_token=kept_j,
        rate_tokens_per_s=rate_tokens_per_s,
        how=how,
    )


def _positive(figure_s: float) -> float:
    if not (figure_s > 0.0 and math.isfinite(figure_s)):
        raise InputError(f"a step of {figure_s} s: it must be above 0 and finite")
    return figure_s

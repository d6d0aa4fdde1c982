"""Joules of a decode step as a function of how many sequences share it."""

import math
from dataclasses import dataclass

from tokenergy.errors import InputError

SMALLEST_MEASURED_BATCH_COUNT = 7.45
"""Below this every figure is extrapolation (smallest mean batch of the data)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyCurve:
    """`e(B) = a + b(B) / B` of one model on one replica, boards only, prefill included.

    `token_j` is a: what every output token pays for itself. A step costs `shared_step_j`
    whoever is in it, plus the experts that its sequences touch: `experts_step_j` if all of
    them are touched, and each sequence touches a share `routed_share` of them at random
    (independent uniform routing, an idealisation). Dense models have no experts.

    Own form, fitted to the ML.ENERGY benchmark v3; `energy.predict` gives its numbers.
    """

    token_j: float
    shared_step_j: float
    experts_step_j: float = 0.0
    routed_share: float = 0.0

    def average_j_per_token(self, batch_count: float) -> float:
        """Return e(B): joules per output token, J.

        Raises:
            InputError: if the batch is not a positive number.
        """
        return self.token_j + self.step_j(batch_count) / _positive(batch_count)

    def step_j(self, batch_count: float) -> float:
        """Return b(B): joules of one step beside what each token pays for itself, J.

        Raises:
            InputError: if the batch is not a positive number.
        """
        touched_share = 1.0 - self._untouched_share(_positive(batch_count))
        return self.shared_step_j + self.experts_step_j * touched_share

    def step_marginal_j_per_token(self, batch_count: float) -> float:
        """Return a + b'(B): joules that one more sequence adds to one step, J.

        It ignores that the step gets longer, so it overstates what one more token costs a
        replica that is awake anyway, about threefold (median
        of 103 configurations).

        Raises:
            InputError: if the batch is not a positive number.
        """
        untouched_share = self._untouched_share(_positive(batch_count))
        if not 0.0 < self.routed_share < 1.0:
            return self.token_j
        decay_ratio = -math.log1p(-self.routed_share)
        return self.token_j + self.experts_step_j * decay_ratio * untouched_share

    def step_s(self, batch_count: float, *, power_w: float) -> float:
        """Return tau(B): how long a step lasts at that board power, s.

        Raises:
            InputError: if the batch is not a positive number.
        """
        return (self.token_j * batch_count + self.step_j(batch_count)) / power_w

    def _untouched_share(self, batch_count: float) -> float:
        return math.pow(1.0 - self.routed_share, batch_count)


def _positive(batch_count: float) -> float:
    if not (batch_count > 0 and math.isfinite(batch_count)):
        raise InputError(f"a batch of {batch_count} sequences; it must be above 0 and finite")
    return batch_count

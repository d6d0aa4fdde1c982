"""The annuity: what a dollar of capital costs per year."""

import math


def annuity_share(*, wacc_share: float, life_y: float) -> float:
    """Return the capital recovery factor: what a dollar of capital costs per year, 1/y.

    `w / (1 - (1 + w)^-n)`, exact however small the interest, and `1 / n` without any.
    """
    if wacc_share == 0.0:
        return 1.0 / life_y
    return wacc_share / -math.expm1(-life_y * math.log1p(wacc_share))

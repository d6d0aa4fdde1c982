"""Who asks: users of whom the heaviest tenth asks for a stated part of all requests."""

from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.errors import InputError

FloatArray = NDArray[np.float64]
TENTH_SHARE: Final = 0.1
USERS_MOST_COUNT: Final = 1_000_000
_NORMAL: Final = NormalDist()


def tail_sigma_ratio(top_tenth_share: float) -> float:
    """Return sigma of the lognormal whose top tenth holds this part; 0 at 0.1, which is even.

    A lognormal's largest part s holds Phi(sigma - z) of the whole, with z the point that s lies
    above; at s = 0.1 that gives sigma (economics sheet, section 4).

    Raises:
        InputError: if the share is not in [0.1, 1).
    """
    if not TENTH_SHARE <= top_tenth_share < 1.0:
        raise InputError(
            f"top_tenth_share is {top_tenth_share:g}: the top tenth holds from 0.1 (even) to "
            "below 1"
        )
    if top_tenth_share == TENTH_SHARE:
        return 0.0
    return _NORMAL.inv_cdf(1.0 - TENTH_SHARE) + _NORMAL.inv_cdf(top_tenth_share)


def user_shares(users_count: int, *, top_tenth_share: float) -> FloatArray:
    """Return the part of all requests that each user asks for, [users], the heaviest first.

    They are the means of a lognormal's equal parts and no draws, so the heaviest tenth of them
    holds exactly what is stated (where the users can be divided by ten).

    Raises:
        InputError: if there are no users or too many, or the share is not in [0.1, 1).
    """
    if not 1 <= users_count <= USERS_MOST_COUNT:
        raise InputError(f"users_count is {users_count}, not from 1 to {USERS_MOST_COUNT:,} users")
    sigma_ratio = tail_sigma_ratio(top_tenth_share)
    if sigma_ratio == 0.0:
        return np.full(users_count, 1.0 / users_count)
    held = [0.0]
    for above in range(1, users_count):
        z_ratio = _NORMAL.inv_cdf(1.0 - above / users_count)
        held.append(_NORMAL.cdf(sigma_ratio - z_ratio))
    shares: FloatArray = np.diff(np.array([*held, 1.0]))
    return shares

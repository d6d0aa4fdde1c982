"""The loops of the controllers, compiled: one pass over the requests, in the order they come.

Arrays are `BudgetDay`'s: gain and use [n, A], actions best first. What is chosen is an action, or
`REFUSED`, whose score is 0 and whose use is 0.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.compiled import compiled
from tokenergy.routing.pacing import PacingLaw, target_quantity
from tokenergy.simulate.budget_world import FloatArray

IntArray = NDArray[np.int64]
REFUSED: Final = -1
EXACTLY: Final = 1e-12
"""To what part of itself the clairvoyant price is found."""

target = compiled(target_quantity)


@compiled
def best_action(
    gain: FloatArray, use: FloatArray, price_usd_per_unit: float, left_quantity: float
) -> int:
    """Return the action of the highest score that the budget still holds; refuse scores 0."""
    best, best_usd = REFUSED, 0.0
    for action in range(gain.size):
        if use[action] <= left_quantity:
            score_usd = gain[action] - price_usd_per_unit * use[action]
            if score_usd > best_usd:
                best, best_usd = action, score_usd
    return best


@compiled
def total_use(gain: FloatArray, use: FloatArray, price_usd_per_unit: float) -> float:
    """Return what the requests would use at a price, without a limit."""
    spent = 0.0
    for at in range(gain.shape[0]):
        action = best_action(gain[at], use[at], price_usd_per_unit, np.inf)
        if action != REFUSED:
            spent += use[at, action]
    return spent


@compiled
def least_price(gain: FloatArray, use: FloatArray, left_quantity: float) -> float:
    """Return the least price at which the requests use no more than is left: by bisection."""
    if total_use(gain, use, 0.0) <= left_quantity:
        return 0.0
    low, high = 0.0, EXACTLY
    while total_use(gain, use, high) > left_quantity:
        low, high = high, 2.0 * high
    while high - low > EXACTLY * high:
        middle = 0.5 * (low + high)
        if total_use(gain, use, middle) > left_quantity:
            low = middle
        else:
            high = middle
    return high


@compiled
def envelope_steps(gain: FloatArray, use: FloatArray) -> FloatArray:
    """Return every step that is worth taking as (gain per use, use, request) [steps, 3].

    From nothing a request goes to the action that gains most for each unit, from there to the one
    that gains most for each further unit, and so on: its upper envelope.
    """
    steps = np.empty((gain.size, 3))
    count = 0
    for at in range(gain.shape[0]):
        at_gain, at_use = 0.0, 0.0
        for action in range(gain.shape[1]):
            if use[at, action] <= 0.0:
                at_gain = max(at_gain, gain[at, action])
        while True:
            next_action, most = REFUSED, 0.0
            for action in range(gain.shape[1]):
                if use[at, action] > at_use and gain[at, action] > at_gain:
                    ratio = (gain[at, action] - at_gain) / (use[at, action] - at_use)
                    if ratio > most:
                        next_action, most = action, ratio
            if next_action == REFUSED:
                break
            steps[count, 0], steps[count, 1] = most, use[at, next_action] - at_use
            steps[count, 2] = at
            count += 1
            at_gain, at_use = gain[at, next_action], use[at, next_action]
    return steps[:count]


@compiled
def price_from(steps: FloatArray, first: int, left_quantity: float) -> float:
    """Return the least price at which the requests from `first` on use no more than is left.

    The steps are sorted, the best first: the first one that no longer fits sets the price.
    """
    for at in range(steps.shape[0]):
        if steps[at, 2] >= first:
            left_quantity -= steps[at, 1]
            if left_quantity < 0.0:
                return float(steps[at, 0])
    return 0.0


@compiled
def in_full_choices(use: FloatArray, keeps: NDArray[np.bool_], left_quantity: float) -> IntArray:
    """Serve in full what is kept, as long as the budget holds it."""
    choices = np.full(use.shape[0], REFUSED)
    for at in range(use.shape[0]):
        if keeps[at] and use[at, 0] <= left_quantity:
            choices[at] = 0
            left_quantity -= use[at, 0]
    return choices


@compiled
def rate_limited_choices(
    arrival_s: FloatArray,
    use: FloatArray,
    left_quantity: float,
    per_s: float,
    most_quantity: float,
) -> IntArray:
    """Serve the best action that a bucket holds, which is filled evenly and begins full."""
    choices = np.full(use.shape[0], REFUSED)
    bucket, last_s = most_quantity, 0.0
    for at in range(use.shape[0]):
        bucket = min(most_quantity, bucket + (arrival_s[at] - last_s) * per_s)
        last_s = arrival_s[at]
        for action in range(use.shape[1]):
            if use[at, action] <= bucket and use[at, action] <= left_quantity:
                choices[at] = action
                bucket -= use[at, action]
                left_quantity -= use[at, action]
                break
    return choices


@compiled
def at_price_choices(
    gain: FloatArray, use: FloatArray, price_usd_per_unit: float, left_quantity: float
) -> IntArray:
    """Serve the best action at one price all day."""
    choices = np.full(use.shape[0], REFUSED)
    for at in range(use.shape[0]):
        action = best_action(gain[at], use[at], price_usd_per_unit, left_quantity)
        if action != REFUSED:
            choices[at] = action
            left_quantity -= use[at, action]
    return choices


@compiled
def re_solved_choices(
    arrival_s: FloatArray,
    gain: FloatArray,
    use: FloatArray,
    past_arrival_s: FloatArray,
    steps: FloatArray,
    left_quantity: float,
    every_s: float,
) -> IntArray:
    """Serve at the dual of what is left over yesterday's remainder, asked again now and then."""
    choices = np.full(use.shape[0], REFUSED)
    next_s, price, first = 0.0, 0.0, 0
    for at in range(use.shape[0]):
        if arrival_s[at] >= next_s:
            while first < past_arrival_s.size and past_arrival_s[first] < arrival_s[at]:
                first += 1
            price = price_from(steps, first, left_quantity)
            next_s += every_s
        action = best_action(gain[at], use[at], price, left_quantity)
        if action != REFUSED:
            choices[at] = action
            left_quantity -= use[at, action]
    return choices


@compiled
def paced_choices(
    arrival_s: FloatArray,
    gain: FloatArray,
    use: FloatArray,
    law: PacingLaw,
    step_usd_per_unit: float,
    price_usd_per_unit: float,
    left_quantity: float,
) -> IntArray:
    """Serve at a price that moves after every request: `Pacer.admitted`, without the noun."""
    choices = np.full(use.shape[0], REFUSED)
    for at in range(use.shape[0]):
        action = best_action(gain[at], use[at], price_usd_per_unit, left_quantity)
        used = 0.0
        if action != REFUSED:
            choices[at] = action
            used = use[at, action]
        rho = target(law, left_quantity, float(at), arrival_s[at])
        price_usd_per_unit = max(0.0, price_usd_per_unit + step_usd_per_unit * (used - rho))
        left_quantity -= used
    return choices

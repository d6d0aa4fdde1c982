# mypy: disable-error-code="no-untyped-def"
"""The long vectors of an interior point method, compiled: one pass each over their numbers."""

import numpy as np

from tokenergy.compiled import compiled

FIXED, FREE, BELOW, ABOVE, BOTH = range(5)
"""What bounds a number: itself, nothing, a lower bound, an upper bound, or both."""


@compiled
def weighed(begin, end, kind, x, lower, upper, below, above, cost, priced, ridge, theta, dual):
    """Write each weight and how far its dual is off; return what a step is judged by.

    Returns:
        sum of complementarity, largest dual residual, primal and dual objective.
    """
    gap = 0.0
    worst = 0.0
    primal = 0.0
    dual_objective = 0.0
    for i in range(begin, end):
        primal += cost[i] * x[i]
        if kind[i] == FIXED:
            theta[i] = 0.0
            dual[i] = 0.0
            dual_objective += (cost[i] - priced[i]) * x[i]
            continue
        off = cost[i] - priced[i]
        inverse = ridge
        if kind[i] == BELOW or kind[i] == BOTH:
            room = x[i] - lower[i]
            gap += below[i] * room
            off -= below[i]
            inverse += below[i] / room
            dual_objective += below[i] * lower[i]
        if kind[i] == ABOVE or kind[i] == BOTH:
            room = upper[i] - x[i]
            gap += above[i] * room
            off += above[i]
            inverse += above[i] / room
            dual_objective -= above[i] * upper[i]
        theta[i] = 1.0 / inverse
        dual[i] = off
        worst = max(worst, abs(off))
    return gap, worst, primal, dual_objective


@compiled
def aimed(
    begin, end, kind, x, lower, upper, below, above, dual, target, step_x, step_below, step_above,
    goal,
):  # fmt: skip
    """goal = what the weight multiplies beside A'dy, aiming at `target`, corrected by a step."""
    for i in range(begin, end):
        if kind[i] == FIXED:
            goal[i] = 0.0
            continue
        value = -dual[i]
        if kind[i] == BELOW or kind[i] == BOTH:
            room = x[i] - lower[i]
            value += (target - step_x[i] * step_below[i]) / room - below[i]
        if kind[i] == ABOVE or kind[i] == BOTH:
            room = upper[i] - x[i]
            value -= (target + step_x[i] * step_above[i]) / room - above[i]
        goal[i] = value


@compiled
def stepped(
    begin, end, kind, x, lower, upper, below, above, target, made_x, step_x, step_below,
    step_above,
):  # fmt: skip
    """Write the steps of the bounds' duals; return how far primal and dual steps may go.

    The three steps hold the earlier direction, whose products correct this one, and are
    overwritten: `made_x` is the new step of x.
    """
    primal = 1.0
    dual = 1.0
    for i in range(begin, end):
        move = made_x[i]
        if kind[i] == BELOW or kind[i] == BOTH:
            room = x[i] - lower[i]
            change = (target - step_x[i] * step_below[i] - below[i] * move) / room - below[i]
            step_below[i] = change
            if move < 0.0:
                primal = min(primal, -room / move)
            if change < 0.0:
                dual = min(dual, -below[i] / change)
        if kind[i] == ABOVE or kind[i] == BOTH:
            room = upper[i] - x[i]
            change = (target + step_x[i] * step_above[i] + above[i] * move) / room - above[i]
            step_above[i] = change
            if move > 0.0:
                primal = min(primal, room / move)
            if change < 0.0:
                dual = min(dual, -above[i] / change)
        step_x[i] = move
    return primal, dual


@compiled
def gap_after(
    begin, end, kind, x, lower, upper, below, above, step_x, step_below, step_above, primal, dual
):
    """Return the sum of complementarity after a step."""
    gap = 0.0
    for i in range(begin, end):
        if kind[i] == BELOW or kind[i] == BOTH:
            room = x[i] + primal * step_x[i] - lower[i]
            gap += (below[i] + dual * step_below[i]) * room
        if kind[i] == ABOVE or kind[i] == BOTH:
            room = upper[i] - x[i] - primal * step_x[i]
            gap += (above[i] + dual * step_above[i]) * room
    return gap


@compiled
def moved(begin, end, kind, x, below, above, step_x, step_below, step_above, primal, dual):
    """Take a step."""
    for i in range(begin, end):
        if kind[i] == FIXED:
            continue
        x[i] += primal * step_x[i]
        if kind[i] == BELOW or kind[i] == BOTH:
            below[i] += dual * step_below[i]
        if kind[i] == ABOVE or kind[i] == BOTH:
            above[i] += dual * step_above[i]


@compiled
def started(begin, end, kind, x, lower, upper, below, above, reduced, push, price):
    """Put a first point within its bounds by `push`, and its duals above 0 by `price`."""
    for i in range(begin, end):
        below[i] = 0.0
        above[i] = 0.0
        if kind[i] == BOTH:
            near = min(push, 0.25 * (upper[i] - lower[i]))
            x[i] = min(max(x[i], lower[i] + near), upper[i] - near)
        elif kind[i] == BELOW:
            x[i] = max(x[i], lower[i] + push)
        elif kind[i] == ABOVE:
            x[i] = min(x[i], upper[i] - push)
        if kind[i] == BELOW or kind[i] == BOTH:
            below[i] = max(reduced[i], 0.0) + price
        if kind[i] == ABOVE or kind[i] == BOTH:
            above[i] = max(-reduced[i], 0.0) + price


@compiled
def recentred(
    begin, end, kind, x, lower, upper, below, above, step_x, step_below, step_above, primal, dual,
    target, lift_below, lift_above, goal,
):  # fmt: skip
    """Aim outliers of a longer step back between a tenth and ten times the target (Gondzio)."""
    least = 0.1 * target
    most = 10.0 * target
    for i in range(begin, end):
        goal[i] = 0.0
        lift_below[i] = 0.0
        lift_above[i] = 0.0
        if kind[i] == BELOW or kind[i] == BOTH:
            room = x[i] - lower[i]
            product = (room + primal * step_x[i]) * (below[i] + dual * step_below[i])
            lift = min(max(product, least), most) - product
            lift_below[i] = max(lift, -most)
            goal[i] += lift_below[i] / room
        if kind[i] == ABOVE or kind[i] == BOTH:
            room = upper[i] - x[i]
            product = (room - primal * step_x[i]) * (above[i] + dual * step_above[i])
            lift = min(max(product, least), most) - product
            lift_above[i] = max(lift, -most)
            goal[i] -= lift_above[i] / room


@compiled
def tried(
    begin, end, kind, x, lower, upper, below, above, step_x, step_below, step_above, more_x,
    lift_below, lift_above,
):  # fmt: skip
    """Turn lifts into the bounds' duals' further steps; return how far all together may go."""
    primal = 1.0
    dual = 1.0
    for i in range(begin, end):
        move = step_x[i] + more_x[i]
        if kind[i] == BELOW or kind[i] == BOTH:
            room = x[i] - lower[i]
            lift_below[i] = (lift_below[i] - below[i] * more_x[i]) / room
            change = step_below[i] + lift_below[i]
            if move < 0.0:
                primal = min(primal, -room / move)
            if change < 0.0:
                dual = min(dual, -below[i] / change)
        if kind[i] == ABOVE or kind[i] == BOTH:
            room = upper[i] - x[i]
            lift_above[i] = (lift_above[i] + above[i] * more_x[i]) / room
            change = step_above[i] + lift_above[i]
            if move > 0.0:
                primal = min(primal, room / move)
            if change < 0.0:
                dual = min(dual, -above[i] / change)
    return primal, dual


def kinds_of(lower: np.ndarray, upper: np.ndarray, dead: np.ndarray) -> np.ndarray:
    """Return what bounds each number; `dead` ones are fixed whatever their bounds say."""
    low, high = np.isfinite(lower), np.isfinite(upper)
    kind = np.full(lower.shape, FREE, dtype=np.int8)
    kind[low & ~high], kind[high & ~low], kind[low & high] = BELOW, ABOVE, BOTH
    near = np.where(low & high, upper, 0.0) - np.where(low & high, lower, 1.0)
    scale = np.maximum(1.0, np.abs(np.where(low, lower, 0.0)))
    kind[(low & high & (near <= 1e-12 * scale)) | dead] = FIXED
    return kind

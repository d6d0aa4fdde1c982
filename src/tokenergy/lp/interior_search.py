"""One search of the interior point method: a point, its duals, and steps that bring them together.

Predictor, corrector, and further corrections that cost a solve each with factors that are there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.lp import interior_kernels as kernels
from tokenergy.lp.chain_factor import ChainFactor, Each, priced_into, times_of
from tokenergy.lp.chained import Chained
from tokenergy.lp.interior_kernels import FIXED, kinds_of
from tokenergy.lp.program import FloatArray

RIDGE: Final = 1e-10
"""Added to every weight's inverse, so that a number without bounds has a weight."""
DELTA: Final = 1e-9
"""Added to the diagonal of the normal matrix: rows that others imply have a pivot."""
MOST_STEPS: Final = 200
PRIMAL_NEAR: Final = 1e-8
"""Largest primal residual, over 1 + the largest right-hand side, at which a point will do."""
KEPT_SHARE: Final = 0.9995
"""How much of the way to the nearest bound a step goes at most, near the end."""
CORRECTORS: Final = 3
"""Corrections a step at most: each costs a solve with the factors that are there."""
LONGER_SHARE: Final = 0.3
"""How much further a corrected step tries to go."""
WORTH_SHARE: Final = 0.02
"""How much longer, primal and dual together, a correction has to make a step."""

Seen = Callable[[], tuple[FloatArray, FloatArray]]
"""Returns the columns and the duals of the rows as they are."""
Told = Callable[[int, Seen], bool]
"""Told (steps, what there is) before each step; whether to go on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InteriorPoint:
    """Where the method stopped.

    Attributes:
        columns: values of all columns, within their bounds.
        row_duals: duals of all rows.
        steps_count: steps that were taken.
        gap_share: difference of its own two objectives, over the primal one.
        residual_share: largest primal residual, over 1 + the largest right-hand side.
    """

    columns: FloatArray
    row_duals: FloatArray
    steps_count: int
    gap_share: float
    residual_share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaled:
    """The program in one vector: columns, then what each row comes to; scaled.

    `sides` are what rows without room of their own are held to, 0 for the others.
    """

    costs: FloatArray
    lower: FloatArray
    upper: FloatArray
    kind: np.ndarray
    sides: FloatArray
    unit_usd: float

    @classmethod
    def of(
        cls,
        by_column: FloatArray,
        by_row: FloatArray,
        costs: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
        row_lower: FloatArray,
        row_upper: FloatArray,
    ) -> "Scaled":
        """Scale a program's costs and bounds; rows with room get a number of their own."""
        low, high = row_lower * by_row, row_upper * by_row
        held = row_lower == row_upper
        scaled = costs * by_column
        told = np.abs(scaled[scaled != 0.0])
        unit_usd = float(np.median(told)) if told.size else 1.0
        lowers = np.concatenate((lower / by_column, np.where(held, 0.0, low)))
        uppers = np.concatenate((upper / by_column, np.where(held, 0.0, high)))
        dead = np.concatenate((np.zeros(lower.size, dtype=bool), held))
        return cls(
            costs=np.concatenate((scaled / unit_usd, np.zeros(low.size))),
            lower=lowers,
            upper=uppers,
            kind=kinds_of(lowers, uppers, dead),
            sides=np.where(held, low, 0.0),
            unit_usd=unit_usd,
        )


def cuts_of(chain: Chained) -> FloatArray:
    """Return where slot columns, whole columns, slot slacks and whole slacks begin and end [5]."""
    sizes = (
        chain.slots_count * chain.columns_count,
        chain.whole_columns_count,
        chain.slots_count * chain.rows_count,
        chain.whole_rows_count,
    )
    found: FloatArray = np.cumsum((0, *sizes))
    return found


class Search:
    """One search: a point, its duals, and the steps that bring them together."""

    def __init__(
        self,
        chain: Chained,
        scales: tuple[FloatArray, FloatArray],
        factor: ChainFactor,
        bounds: Scaled,
        each: Each,
    ) -> None:
        self._scales, self._factor, self._b, self._each = scales, factor, bounds, each
        self._chain, self._cuts = chain, cuts_of(chain)
        size = bounds.kind.size
        half = size // 2
        self._halves = ((0, half), (half, size))
        self._held = bounds.kind[int(self._cuts[2]) :] == FIXED
        self.x, self.below, self.above = (np.zeros(size) for _ in range(3))
        self.step_x, self.step_below, self.step_above = (np.zeros(size) for _ in range(3))
        self.theta, self.dual, self.goal = (np.zeros(size) for _ in range(3))
        self.lift_below, self.lift_above = np.zeros(size), np.zeros(size)
        self._work = tuple(np.zeros(size) for _ in range(4))  # kept: the system's take time to make
        self.y = np.zeros(bounds.sides.size)
        both = int(np.count_nonzero(bounds.kind == kernels.BOTH))
        self._bounded = max(1, int(np.count_nonzero(bounds.kind >= kernels.BELOW)) + both)

    def _parts(self, vector: FloatArray) -> list[FloatArray]:
        """Return views: slot columns [T, n], whole columns, slot slacks [T, m], whole slacks."""
        cuts, chain = self._cuts.astype(int), self._chain
        shapes = (
            (chain.slots_count, chain.columns_count),
            (chain.whole_columns_count,),
            (chain.slots_count, chain.rows_count),
            (chain.whole_rows_count,),
        )
        return [vector[cuts[at] : cuts[at + 1]].reshape(shape) for at, shape in enumerate(shapes)]

    def _rows(self, vector: FloatArray) -> FloatArray:
        """Return coefficients x columns less slacks, of all rows."""
        x, whole, _, _ = self._parts(vector)
        y, sums = times_of(self._chain, x, whole, self._each)
        slack = vector[int(self._cuts[2]) :]
        return np.concatenate((y.ravel(), sums)) - np.where(self._held, 0.0, slack)

    def _priced(self, y: FloatArray, found: FloatArray) -> FloatArray:
        """Write coefficients x duals, of all columns and slacks, to `found`, and return it."""
        parts, chain = self._parts(found), self._chain
        rows = y[: chain.slots_count * chain.rows_count].reshape(chain.slots_count, -1)
        whole = y[rows.size :]
        parts[1][:] = priced_into(chain, rows, whole, parts[0], self._each)
        slacks = found[int(self._cuts[2]) :]
        np.negative(y, out=slacks)
        slacks[self._held] = 0.0
        return found

    def _factored(self) -> None:
        theta, whole, slack, whole_slack = self._parts(self.theta)
        inverse = 1.0 / np.maximum(whole, 1e-30)
        self._factor.factor(theta, slack + DELTA, whole_slack + DELTA, inverse)

    def _direction(self, asked: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return steps of x and y: A dx = asked, dx = theta (A'dy + goal)."""
        dx, dy = self._once(asked, self.goal, self._work[1])
        scale = max(1e-12, float(np.abs(asked).max(initial=0.0)))
        left = asked - self._rows(dx)
        if float(np.abs(left).max(initial=0.0)) > 1e-3 * scale:
            self._work[2][:] = 0.0
            more_x, more_y = self._once(left, self._work[2], self._work[3])
            dx += more_x
            dy = dy + more_y
        return dx, dy

    def _once(
        self, asked: FloatArray, goal: FloatArray, dx: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Write a step of x to `dx`; return it and that of y, without refinement."""
        weighted = np.multiply(self.theta, goal, out=self._work[0])
        whole_goal = self._parts(goal)[1]
        open_whole = self._parts(self.theta)[1] > 0.0
        self._parts(weighted)[1][:] = 0.0
        rest = asked - self._rows(weighted)
        chain = self._chain
        count = chain.slots_count * chain.rows_count
        y, whole_y, whole_x = self._factor.solve(
            rest[:count].reshape(chain.slots_count, -1),
            rest[count:],
            np.where(open_whole, -whole_goal, 0.0),
        )
        dy = np.concatenate((y.ravel(), whole_y))
        self._priced(dy, dx)
        dx += goal
        dx *= self.theta
        self._parts(dx)[1][:] = np.where(open_whole, whole_x, 0.0)
        return dx, dy

    def _start(self) -> None:
        """Begin near the least-norm point and duals, pushed within the bounds."""
        b = self._b
        low = np.where(np.isfinite(b.lower), b.lower, 0.0)
        high = np.where(np.isfinite(b.upper), b.upper, 0.0)
        room = np.where(np.isfinite(b.lower) & np.isfinite(b.upper), high - low, np.inf)
        near = np.where(np.isfinite(b.lower), low + np.minimum(1.0, 0.5 * room), high - 1.0)
        near = np.where(np.isfinite(b.lower) | np.isfinite(b.upper), near, 0.0)
        self.x[:] = np.where(b.kind == FIXED, low, near)
        self.theta[:] = np.where(b.kind == FIXED, 0.0, 1.0)
        self._factored()
        self.goal[:] = 0.0
        step, _ = self._direction(b.sides - self._rows(self.x))
        self.x += np.where(b.kind == FIXED, 0.0, step)
        self.goal[:] = -b.costs
        _, self.y = self._direction(np.zeros_like(b.sides))
        reduced = b.costs - self._priced(self.y, self._work[0])
        outside = max(0.0, *((low - self.x)[np.isfinite(b.lower)].max(initial=0.0),
                             (self.x - high)[np.isfinite(b.upper)].max(initial=0.0)))  # fmt: skip
        push = min(1e3, max(1e-2, 1.5 * outside))
        price = max(1e-2, float(np.abs(reduced).mean()))
        kernels.started(0, b.kind.size, b.kind, self.x, b.lower, b.upper, self.below, self.above,
                        reduced, push, price)  # fmt: skip

    def _weighed(self) -> tuple[float, float, float, float]:
        """Set weights and dual residuals; return mean gap, worst residual, both objectives."""
        b, priced = self._b, self._priced(self.y, self._work[0])

        def part(at: int) -> tuple[float, float, float, float]:
            found = kernels.weighed(
                *self._halves[at], b.kind, self.x, b.lower, b.upper, self.below, self.above,
                b.costs, priced, RIDGE, self.theta, self.dual,
            )  # fmt: skip
            return found[0], found[1], found[2], found[3]

        told = list(self._each(part, (0, 1)))
        gap = (told[0][0] + told[1][0]) / self._bounded
        dual = told[0][3] + told[1][3] + float(b.sides @ self.y)
        return gap, max(told[0][1], told[1][1]), told[0][2] + told[1][2], dual

    def run(self, gap_share: float, offset_usd: float, told: Told | None) -> InteriorPoint:
        """Step until both objectives meet."""
        b = self._b
        self._start()
        largest_side = 1.0 + float(np.abs(b.sides).max(initial=0.0))
        near, apart, steps = np.inf, np.inf, 0
        while True:
            asked = b.sides - self._rows(self.x)
            mean_usd, _, primal_usd, dual_usd = self._weighed()
            near = float(np.abs(asked).max(initial=0.0)) / largest_side
            cost_usd = primal_usd + offset_usd / b.unit_usd
            apart = abs(primal_usd - dual_usd) / max(1e-9, abs(cost_usd))
            done = apart <= gap_share and near <= PRIMAL_NEAR
            if done or (told is not None and not told(steps, self._seen)):
                break
            if steps >= MOST_STEPS or not np.isfinite(apart):
                break
            self._factored()
            if not self._step(asked, mean_usd):
                break
            steps += 1
        columns, duals = self._seen()
        return InteriorPoint(
            columns=columns,
            row_duals=duals,
            steps_count=steps,
            gap_share=apart,
            residual_share=near,
        )

    def _seen(self) -> tuple[FloatArray, FloatArray]:
        """Return columns and duals of the rows, not scaled."""
        cut = int(self._cuts[2])
        columns = self.x[:cut] * self._scales[0]
        return columns, self.y * self._scales[1] * self._b.unit_usd

    def _step(self, asked: FloatArray, mean_usd: float) -> bool:
        """Predict, correct, and move; tell whether that led anywhere."""
        for vector in (self.step_x, self.step_below, self.step_above):
            vector[:] = 0.0
        self._aim(0.0)
        dx, _ = self._direction(asked)
        primal_share, dual_share = self._stepped(dx, 0.0)
        after = self._gap_after(primal_share, dual_share) / self._bounded
        target_usd = mean_usd * min(1.0, max(1e-6, (after / mean_usd) ** 3))
        self._aim(target_usd)
        dx, dy = self._direction(asked)
        primal_share, dual_share = self._stepped(dx, target_usd)
        for _ in range(CORRECTORS):
            more = self._corrected(target_usd, primal_share, dual_share)
            if more is None:
                break
            more_y, primal_share, dual_share = more
            dy = dy + more_y
        kept = min(KEPT_SHARE, max(0.9, 1.0 - mean_usd))
        primal_share, dual_share = min(1.0, kept * primal_share), min(1.0, kept * dual_share)
        finite = np.isfinite(dy).all() and np.isfinite(self.step_x).all()
        if not finite or max(primal_share, dual_share) < 1e-9:
            return False  # rounding has the last word: what there is stands
        b = self._b

        def part(at: int) -> None:
            kernels.moved(
                *self._halves[at], b.kind, self.x, self.below, self.above, self.step_x,
                self.step_below, self.step_above, primal_share, dual_share,
            )  # fmt: skip

        for _ in self._each(part, (0, 1)):
            pass
        self.y = self.y + dual_share * dy
        return True

    def _corrected(
        self, target_usd: float, primal_share: float, dual_share: float
    ) -> tuple[FloatArray, float, float] | None:
        """Add a correction that lets the step go further; None: it would not."""
        b = self._b
        longer = min(1.0, primal_share + LONGER_SHARE), min(1.0, dual_share + LONGER_SHARE)

        def aimed(at: int) -> None:
            kernels.recentred(
                *self._halves[at], b.kind, self.x, b.lower, b.upper, self.below, self.above,
                self.step_x, self.step_below, self.step_above, *longer, target_usd,
                self.lift_below, self.lift_above, self.goal,
            )  # fmt: skip

        for _ in self._each(aimed, (0, 1)):
            pass
        more_x, more_y = self._once(np.zeros_like(b.sides), self.goal, self._work[1])

        def tried(at: int) -> tuple[float, float]:
            found = kernels.tried(
                *self._halves[at], b.kind, self.x, b.lower, b.upper, self.below, self.above,
                self.step_x, self.step_below, self.step_above, more_x, self.lift_below,
                self.lift_above,
            )  # fmt: skip
            return found[0], found[1]

        told = list(self._each(tried, (0, 1)))
        new = min(t[0] for t in told), min(t[1] for t in told)
        if new[0] + new[1] < primal_share + dual_share + WORTH_SHARE:
            return None
        self.step_x += more_x
        self.step_below += self.lift_below
        self.step_above += self.lift_above
        return more_y, new[0], new[1]

    def _aim(self, target_usd: float) -> None:
        b = self._b

        def part(at: int) -> None:
            kernels.aimed(
                *self._halves[at], b.kind, self.x, b.lower, b.upper, self.below, self.above,
                self.dual, target_usd, self.step_x, self.step_below, self.step_above, self.goal,
            )  # fmt: skip

        for _ in self._each(part, (0, 1)):
            pass

    def _stepped(self, dx: FloatArray, target_usd: float) -> tuple[float, float]:
        b = self._b

        def part(at: int) -> tuple[float, float]:
            found = kernels.stepped(
                *self._halves[at], b.kind, self.x, b.lower, b.upper, self.below, self.above,
                target_usd, dx, self.step_x, self.step_below, self.step_above,
            )  # fmt: skip
            return found[0], found[1]

        told = list(self._each(part, (0, 1)))
        return min(t[0] for t in told), min(t[1] for t in told)

    def _gap_after(self, primal_share: float, dual_share: float) -> float:
        b = self._b

        def part(at: int) -> float:
            found = kernels.gap_after(
                *self._halves[at], b.kind, self.x, b.lower, b.upper, self.below, self.above,
                self.step_x, self.step_below, self.step_above, primal_share, dual_share,
            )  # fmt: skip
            return float(found)

        return sum(self._each(part, (0, 1)))

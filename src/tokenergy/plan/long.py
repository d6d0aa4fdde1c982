"""A plan too long for simplex: solved from the inside, its bounds proved by duals of our own.

The interior point method gives a point and duals. The point, clipped to its bounds, is a plan: what
it costs bounds the optimum from above if it keeps every row. The duals bound it from below,
whatever they are (`lp/chain_bounds`). Neither rests on the method's word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.dispatch.solve import Optimum
from tokenergy.errors import SolverFailure
from tokenergy.lp.chain_bounds import ChainProof
from tokenergy.lp.chain_factor import Each
from tokenergy.lp.chained import chained
from tokenergy.lp.check import CHECK_TOLERANCE
from tokenergy.lp.interior import Interior, Seen
from tokenergy.lp.program import FloatArray
from tokenergy.lp.solution import Solution
from tokenergy.plan.program import PlanProgram

INNER_SHARE: Final = 0.1
"""The method's own gap at which it ends whatever is proved, over the gap that is asked."""
HELD_GAP_SHARE: Final = 3e-7
"""How near the cost of held sizes is found."""
SNAPPED_SHARE: Final = 2e-3
"""A size below this share of its most is none: an interior point leaves a trace of everything."""

PROVED_EVERY: Final = 3
"""Steps between two proofs: a proof costs a tenth of a step."""

Told = Callable[[float, float], bool]
"""Told (lower, upper) as proved so far, USD, infinite where nothing is; whether to go on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LongAnswer:
    """A plan between proved bounds.

    Attributes:
        plan: the program.
        solution: a point, its duals and reduced costs.
        sizes: every candidate's size at the point.
        lower_usd: no sizes cost less.
        upper_usd: what the point costs, which keeps every limit.
        steps_count: of the interior point method.
    """

    plan: PlanProgram
    solution: Solution
    sizes: Mapping[str, float]
    lower_usd: float
    upper_usd: float
    steps_count: int

    @property
    def gap_share(self) -> float:
        """How far apart the bounds are, of the cost."""
        return (self.upper_usd - self.lower_usd) / max(1.0, abs(self.upper_usd))

    @property
    def optimum(self) -> Optimum:
        """The point in the order of time."""
        return self.plan.optimum(self.solution)


class LongPlan:
    """A plan's program laid out for the interior point method, to be solved more than once."""

    def __init__(self, plan: PlanProgram, each: Each = map) -> None:
        """Lay out the program; `each` may run two halves of the work side by side."""
        numbers = plan.numbers
        self.plan = plan
        self._interior = Interior(plan.program, each)
        self._proof = ChainProof(
            chained(plan.program),
            costs=numbers.costs,
            lower=numbers.lower,
            upper=numbers.upper,
            row_lower=numbers.row_lower,
            row_upper=numbers.row_upper,
            pairs=((plan.program.columns["wake"].span, plan.program.columns["awake"].span),),
            each=each,
        )

    def solve(self, *, gap_share: float, told: Told | None = None) -> LongAnswer:
        """Find a plan within a gap of the best, whole steps and openings left aside.

        Raises:
            SolverFailure: if no point that keeps every limit is reached.
        """
        numbers = self.plan.numbers
        return self._answer(numbers.lower, numbers.upper, gap_share, told)

    def held(self, sizes: Mapping[str, float], told: Told | None = None) -> LongAnswer:
        """Find what exactly these sizes cost; its lower bound is that of these sizes alone.

        Raises:
            SolverFailure: if these sizes cannot carry fixed load, contracts or targets.
        """
        lower, upper = self.plan.held_at(sizes)
        return self._answer(lower, upper, HELD_GAP_SHARE, told)

    def _answer(
        self, lower: FloatArray, upper: FloatArray, gap_share: float, told: Told | None
    ) -> LongAnswer:
        plan, numbers = self.plan, self.plan.numbers
        best = _Bounds()

        def told_here(steps: int, seen: Seen) -> bool:
            if steps % PROVED_EVERY:
                return True
            self._prove(best, *seen(), lower, upper)
            going_on = told is None or told(best.lower_usd, best.upper_usd)
            return going_on and not best.gap_share <= gap_share

        point = self._interior.solve(
            costs=numbers.costs,
            lower=lower,
            upper=upper,
            row_lower=numbers.row_lower,
            row_upper=numbers.row_upper,
            gap_share=INNER_SHARE * gap_share,
            offset_usd=plan.offset_usd,
            told=told_here,
        )
        self._prove(best, point.columns, point.row_duals, lower, upper)
        if best.columns is None:
            raise SolverFailure(
                f"after {point.steps_count} steps no point keeps every limit (the last one misses "
                f"one by {best.missed_share:.3g} of it): perhaps nothing does"
            )
        columns, duals = best.columns, point.row_duals
        upper_usd, lower_usd = best.upper_usd, best.lower_usd
        reduced = self._proof.reduced_costs(duals)
        solution = Solution(
            objective_usd=upper_usd,
            columns=columns,
            row_duals=duals,
            reduced_costs=reduced,
            iterations_count=point.steps_count,
            gap_share=(upper_usd - lower_usd) / max(1.0, abs(upper_usd)),
        )
        return LongAnswer(
            plan=plan,
            solution=solution,
            sizes=plan.sizes(columns),
            lower_usd=lower_usd,
            upper_usd=upper_usd,
            steps_count=point.steps_count,
        )

    def _prove(
        self,
        best: "_Bounds",
        columns: FloatArray,
        duals: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
    ) -> None:
        """Keep what a point and duals prove, where it is better than what was proved before."""
        offset_usd = self.plan.offset_usd
        best.lower_usd = max(
            best.lower_usd, self._proof.lower_usd(duals, lower, upper) + offset_usd
        )
        clipped = np.clip(columns, lower, upper)
        best.missed_share = self._proof.violation(clipped, lower, upper)
        upper_usd = float(self.plan.numbers.costs @ clipped) + offset_usd
        if best.missed_share <= CHECK_TOLERANCE and upper_usd < best.upper_usd:
            best.upper_usd, best.columns = upper_usd, clipped


@dataclass(slots=True)
class _Bounds:
    """What is proved so far."""

    lower_usd: float = -np.inf
    upper_usd: float = np.inf
    columns: FloatArray | None = None
    missed_share: float = np.inf

    @property
    def gap_share(self) -> float:
        """How far apart they are, of the upper one; not a number where nothing is proved."""
        return (self.upper_usd - self.lower_usd) / max(1.0, abs(self.upper_usd))


def snapped(plan: PlanProgram, sizes: Mapping[str, float]) -> dict[str, float]:
    """Return sizes that can be built: traces dropped, whole GPUs, whole steps.

    Steps are rounded to the nearest, GPUs up, or down where a budget may bind.
    """
    assert plan.company.plan is not None
    capped = plan.company.plan.budget_usd is not None
    found = {}
    for each in plan.candidates:
        size = sizes[each.name]
        if size - each.least <= SNAPPED_SHARE * each.most:
            size = each.least
        elif each.most - size <= SNAPPED_SHARE * each.most:
            size = each.most
        if each.step is not None:
            size = each.least + each.step * round((size - each.least) / each.step)
        if each.unit == "GPU":
            size = float(np.floor(size + 1e-6) if capped else np.ceil(size - 1e-6))
        found[each.name] = min(each.most, max(each.least, size))
    return found

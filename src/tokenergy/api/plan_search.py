"""The search for a plan: by simplex where it is small, from the inside where it is not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

from tokenergy.errors import InfeasibleProgram, SolverFailure
from tokenergy.lp.solution import Solution
from tokenergy.plan.candidates import annual_usd, capital_usd
from tokenergy.plan.capital import capital_usd_per_year, standing_usd_per_year
from tokenergy.plan.program import PlanProgram
from tokenergy.plan.whole import WholeAnswer, settle, solve_whole

if TYPE_CHECKING:  # what is compiled is imported where a long plan is solved, and nowhere else
    from tokenergy.lp.chain_factor import Each
    from tokenergy.plan.long import LongAnswer, LongPlan

Method = Literal["whole", "interior"]
OnBounds = Callable[[float, float], None]
"""Told the lower and the upper bound of the cost, USD over the horizon."""
WHOLE_ROWS: Final = 30_000
"""Rows up to which simplex solves the program (plan sheet, section 2)."""
SIMPLEX_MOST_ROWS: Final = 100_000
"""Rows up to which simplex is asked where the interior point method finds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """One step of a search: both bounds after it, and when that was."""

    lower_usd: float
    upper_usd: float
    seconds_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The best plan of a search.

    Attributes:
        program: what was solved.
        method: `whole` by simplex, `interior` by interior points.
        sizes: every candidate's size, in its unit; GPUs are whole numbers.
        cost_usd: what exactly these sizes cost over the horizon, all capital in it.
        lower_usd: no sizes cost less: proved.
        iterations: the bounds on the way.
        stopped: whether it was stopped before it was done.
        whole: the model behind it, kept hot for questions; None by interior points.
        held: the dispatch of exactly these sizes; None by interior points.
    """

    program: PlanProgram
    method: Method
    sizes: Mapping[str, float]
    cost_usd: float
    lower_usd: float
    iterations: tuple[Iteration, ...]
    stopped: bool = False
    whole: WholeAnswer | None = None
    held: Solution | None = None

    @property
    def gap_share(self) -> float:
        """How far the bounds lie apart, of the cost (of 1 USD where that is less)."""
        return max(0.0, self.cost_usd - self.lower_usd) / max(1.0, abs(self.cost_usd))

    @property
    def annuities_usd(self) -> dict[str, float]:
        """What each candidate costs over the horizon whether it is used or not."""
        yearly = annual_usd(self.program.candidates, self.sizes)
        return {name: usd * self.program.years for name, usd in yearly.items()}

    @property
    def standing_usd(self) -> float:
        """What the capital costs over the horizon whose size is not open."""
        program = self.program
        return standing_usd_per_year(program.company, program.candidates) * program.years

    @property
    def annuity_usd(self) -> float:
        """What all capital costs over the horizon."""
        return sum(self.annuities_usd.values()) + self.standing_usd

    @property
    def capital_usd(self) -> float:
        """What the sizes take of the budget."""
        return sum(capital_usd(self.program.candidates, self.sizes).values())

    def capacities(self) -> list[dict[str, Any]]:
        """Return every candidate with its size, JSON-ready."""
        annuities = self.annuities_usd
        capital = capital_usd(self.program.candidates, self.sizes)
        return [
            {
                "name": each.name,
                "kind": each.kind,
                "site": each.site,
                "unit": each.unit,
                "size": self.sizes[each.name],
                "least": each.least,
                "most": each.most,
                "step": each.step,
                "as_written": each.nominal,
                "built": self.sizes[each.name] > 0.0,
                "usd_per_unit_year": each.usd_per_unit_year,
                "capital_usd": capital[each.name],
                "annuity_usd": annuities[each.name],
            }
            for each in self.program.candidates
        ]

    def standing(self) -> list[dict[str, Any]]:
        """Return the capital whose size is not open, by noun, JSON-ready."""
        open_nouns = {f"{each.kind} {each.noun}" for each in self.program.candidates}
        yearly = capital_usd_per_year(self.program.company)
        return [
            {"noun": noun, "annuity_usd": usd * self.program.years}
            for noun, usd in yearly.items()
            if noun not in open_nouns and usd
        ]


def from_inside(program: PlanProgram) -> bool:
    """Tell whether a program is for interior points: long, and without plants that commit."""
    return program.program.rows_count > WHOLE_ROWS and program.structure.integers() is None


def search(
    program: PlanProgram,
    *,
    gap_share: float,
    clock: Callable[[], float],
    processes: int = 2,
    stop: Callable[[], bool] | None = None,
    on_bounds: OnBounds | None = None,
) -> Found:
    """Find the cheapest plan, or one that is proved to lie within a gap of it.

    Args:
        program: what may be built, laid out.
        gap_share: bounds this close, as a share of the cost, end the search.
        clock: seconds since something, for the record.
        processes: threads that share an interior point's work; what is found does not depend on
            how many there are.
        stop: asked between steps whether to end at once with what there is.
        on_bounds: told of both bounds after each step.

    Raises:
        InfeasibleProgram: if nothing carries the company's own limits.
        SolverFailure: if no answer of the solver passes our check.
    """
    began_s = clock()
    if from_inside(program):
        from tokenergy.api.side_by_side import side_by_side

        simplex_may = program.program.rows_count <= SIMPLEX_MOST_ROWS
        try:
            with side_by_side(processes) as each:
                found = _inside(program, each, gap_share, clock, stop, on_bounds)
            if found.stopped or found.gap_share <= gap_share or not simplex_may:
                return found
        except (InfeasibleProgram, SolverFailure):  # nothing keeps every limit, or it was not found
            if not simplex_may:
                raise
    answer = solve_whole(program, gap_share=gap_share, told=on_bounds)
    settled = settle(answer)
    sizes, held = settled.sizes, settled.solution
    if on_bounds is not None:
        on_bounds(answer.lower_usd, held.objective_usd)
    step = Iteration(
        lower_usd=answer.lower_usd,
        upper_usd=held.objective_usd,
        seconds_s=clock() - began_s,
    )
    return Found(
        program=program,
        method="whole",
        sizes=sizes,
        cost_usd=held.objective_usd,
        lower_usd=min(answer.lower_usd, held.objective_usd),
        iterations=(step,),
        stopped=stop is not None and stop(),
        whole=answer,
        held=held,
    )


def _inside(
    program: PlanProgram,
    each: "Each",
    gap_share: float,
    clock: Callable[[], float],
    stop: Callable[[], bool] | None,
    on_bounds: OnBounds | None,
) -> Found:
    """Solve a long program by interior points; then what exactly the built sizes cost."""
    from tokenergy.plan.long import LongPlan, snapped

    began_s, laid, steps = clock(), LongPlan(program, each), list[Iteration]()
    stopped = False

    def told(lower_usd: float, upper_usd: float) -> bool:
        nonlocal stopped
        if on_bounds is not None:
            on_bounds(lower_usd, upper_usd)
        if isfinite(lower_usd) and isfinite(upper_usd):
            seconds_s = clock() - began_s
            steps.append(Iteration(lower_usd=lower_usd, upper_usd=upper_usd, seconds_s=seconds_s))
        stopped = stopped or (stop is not None and stop() and isfinite(upper_usd))
        return not stopped

    try:
        answer = laid.solve(gap_share=gap_share, told=told)
    except SolverFailure as error:
        raise InfeasibleProgram(str(error)) from error
    held = None if stopped else _held(laid, answer, snapped(program, answer.sizes))
    if held is not None:
        steps.append(
            Iteration(
                lower_usd=answer.lower_usd,
                upper_usd=held[1].upper_usd,
                seconds_s=clock() - began_s,
            )
        )
    cost_usd = answer.upper_usd if held is None else held[1].upper_usd
    return Found(
        program=program,
        method="interior",
        sizes=answer.sizes if held is None else held[0],
        cost_usd=cost_usd,
        lower_usd=min(answer.lower_usd, cost_usd),
        iterations=tuple(steps),
        stopped=stopped,
        held=None if held is None else held[1].solution,
    )


def _held(
    laid: "LongPlan", answer: "LongAnswer", sizes: Mapping[str, float]
) -> tuple[Mapping[str, float], "LongAnswer"]:
    """Return sizes and what they cost: as they can be built, or as they were found."""
    try:
        return sizes, laid.held(sizes)
    except SolverFailure:  # a trace that was dropped was needed
        kept = {each.name for each in laid.plan.candidates if each.unit == "GPU" or each.step}
        whole = {**answer.sizes, **{name: sizes[name] for name in kept}}
        return whole, laid.held(whole)

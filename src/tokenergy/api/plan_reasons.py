"""Why a plan is as it is: sites in order, the runner-up, tokens by cost, places, make or buy.

Every answer comes from solving again, never from guessing. A program that is too large for so many
solves is asked about by the plan of its first hours, and a finding says of how many.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tokenergy.api.plan_search import Found
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.errors import InfeasibleProgram
from tokenergy.plan.curve import PlanCurve, plan_curve
from tokenergy.plan.make_or_buy import MakeOrBuy, make_or_buy
from tokenergy.plan.program import PlanProgram, plan_program
from tokenergy.plan.ranking import Ranking, ranking
from tokenergy.plan.resilience import (
    Concentration,
    PlanPremium,
    concentration_of,
    survival_premium_of,
)
from tokenergy.plan.values import Worth
from tokenergy.plan.whole import WholeAnswer, solve_whole
from tokenergy.units import H_PER_DAY

ASKED: Final = ("sites in order", "supply curve", "make or buy", "places", "any one site")
"""What is asked, one after the other."""
EXPLAINED_ROWS: Final = 16_000
"""Rows up to which a plan answers for itself: 11,000 take half a minute of processor time."""
Told = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reasons:
    """What explains a plan; None where a question was not asked, or has no answer.

    Attributes:
        hours_h: length of the horizon that was asked about.
        ranking: sites in order, and what the runner-up would need.
        curve: the token supply curve, marginal and full.
        concentration: effective number of sites, with and without contracts, latency, cheap power.
        premium: what surviving the loss of any one site costs; None: nobody promises it.
        make_or_buy: what is bought as a service, and the price at which that turns.
        findings: what could not be told.
    """

    hours_h: float
    ranking: Ranking | None = None
    curve: PlanCurve | None = None
    concentration: Concentration | None = None
    premium: PlanPremium | None = None
    make_or_buy: MakeOrBuy | None = None
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return every answer as a JSON-ready mapping, by name."""
        names = ("ranking", "curve", "concentration", "premium", "make_or_buy")
        held = {name: getattr(self, name) for name in names}
        told = {name: None if each is None else each.to_dict() for name, each in held.items()}
        return told | {"explained_hours_h": self.hours_h}


def asked_of(found: Found, *, most_rows: int = EXPLAINED_ROWS) -> WholeAnswer | None:
    """Return the answer that questions are asked of: the plan's own, or that of its first hours.

    None where the plan of the first hours alone has no answer.

    Args:
        found: the plan.
        most_rows: rows up to which so many solves are bearable.
    """
    program = found.program
    rows_count = program.program.rows_count
    if found.whole is not None and rows_count <= most_rows:
        return found.whole
    days = max(1.0, program.hours_h * min(1.0, most_rows / rows_count) // H_PER_DAY)
    try:
        return solve_whole(
            plan_program(
                program.company,
                program.inputs,
                program.catalogue,
                hours=min(days * H_PER_DAY, program.hours_h),
            )
        )
    except InfeasibleProgram:
        return None


def short_finding(found: Found, asked: WholeAnswer | None) -> Iterator[Finding]:
    """Tell that worths and reasons are those of less than the plan's horizon."""
    if asked is found.whole and asked is not None:
        return
    yield Finding(
        code="PLAN_EXPLAINED_SHORT",
        path="plan",
        value="0" if asked is None else f"{asked.plan.hours_h:g}",
        limit=f"{found.program.hours_h:g}",
        unit="h",
        severity="warning",
        reason="worths and reasons take hundreds of solves: they are those of the plan of the "
        "first hours alone",
        remedy="Read sizes, bounds, cost and bill as those of the whole horizon; plan fewer "
        "--hours to see worths of just that plan",
    )


def reasons(
    answer: WholeAnswer,
    worths: Sequence[Worth],
    *,
    stop: Callable[[], bool] | None = None,
    told: Told | None = None,
) -> Reasons:
    """Return what explains a plan that was solved whole.

    Args:
        answer: the plan, hot.
        worths: of its sizes.
        stop: asked between questions whether to leave the rest unasked.
        told: told how many questions are answered.

    Raises:
        SolverFailure: if no answer of the solver passes our check.
    """
    plan, found = answer.plan, dict[str, Any]()
    questions: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("ranking", lambda: ranking(answer, worths, replan=lambda each: _replanned(plan, each))),
        ("curve", lambda: plan_curve(answer)),
        ("make_or_buy", lambda: make_or_buy(answer)),
        ("concentration", lambda: concentration_of(answer)),
        ("premium", lambda: _premium(answer)),
    )
    findings = []
    for done, (name, ask) in enumerate(questions, start=1):
        if stop is not None and stop():
            break
        try:
            found[name] = ask()
        except InfeasibleProgram as error:
            findings.append(_unanswered(ASKED[done - 1], error))
        if told is not None:
            told(done, len(questions))
    return Reasons(hours_h=plan.hours_h, findings=tuple(findings), **found)


def _replanned(plan: PlanProgram, company: Company) -> WholeAnswer:
    return solve_whole(plan_program(company, plan.inputs, plan.catalogue))


def _premium(answer: WholeAnswer) -> PlanPremium | None:
    plan = answer.plan
    if all(tier.survives is None for tier in plan.company.tiers):
        return None
    free = plan_program(plan.company, plan.inputs, plan.catalogue, survives=False)
    return survival_premium_of(answer, solve_whole(free))


def _unanswered(what: str, error: InfeasibleProgram) -> Finding:
    return Finding(
        code="PLAN_NOT_EXPLAINED",
        path="plan",
        value=what,
        severity="warning",
        reason=f"a question beside the plan has no answer: in one of the worlds that it asks of, "
        f"nothing carries the company's limits ({error})",
        remedy="Allow more (most_mw, most_count), or read the plan without it",
    )

"""Sites ranked by what they add to a plan, with the reason, and what the runner-up would need.

What a built site adds is what the plan would cost more without it, everything else chosen again.
A site that is not built is ranked by how near its first megawatt or GPU comes to paying for itself.
The runner-up is the best site that is left out; where none is, the second of those that are built,
and it wins when it serves more than the first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np

from tokenergy.company.company import Company
from tokenergy.errors import InfeasibleProgram
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.solution import Solution
from tokenergy.plan.held import Held
from tokenergy.plan.levers import Needed, in_slots, levers_of, needed
from tokenergy.plan.program import PlanProgram
from tokenergy.plan.reasons import candidates_at, nearest, reason
from tokenergy.plan.values import NOTHING_SHARE, Worth
from tokenergy.plan.whole import WholeAnswer

ENTERS_SHARE: Final = 1e-4
"""A site is in a plan from this share of its most on."""
REPLANS_MOST: Final = 5
"""How often a date is halved: each asks for a whole plan."""

Replan = Callable[[Company], WholeAnswer]
"""Plans a company on the same series and horizon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSite:
    """One site and what it is to the plan.

    Attributes:
        name, rank_count: rank 1 is the best.
        built: whether the plan holds any of it.
        adds_usd_per_year: what the plan would cost more a year without it; 0 where it is left out;
            None where the company's own limits need it, or nothing there is for choice.
        short_share: by how much its nearest own price, of a megawatt or a GPU, would have to fall
            for a first unit to pay; None where it is built, or nothing of it has a price.
        built_mw, most_mw, reach_mw: of its connection; what delivers within the horizon at most.
        gpus_count: GPUs in the plan.
        served_mtok: work done there over the horizon.
        power_usd_per_mwh: mean price of power from its market.
        reached_count, workloads_count: workloads within their latency, of all.
        reason: in words.
    """

    name: str
    rank_count: int
    built: bool
    adds_usd_per_year: float | None
    short_share: float | None
    built_mw: float
    most_mw: float
    reach_mw: float
    gpus_count: float
    served_mtok: float
    power_usd_per_mwh: float
    reached_count: int
    workloads_count: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the site as a JSON-ready mapping."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The sites in order, and what would have to change for the runner-up to win.

    Attributes:
        sites: best first.
        runner_up: its name; None: there is one site only.
        wins_when: what winning means for it, in words.
        needed: one for each input that was asked about.
    """

    sites: tuple[RankedSite, ...]
    runner_up: str | None
    wins_when: str
    needed: tuple[Needed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the ranking as a JSON-ready mapping."""
        return {
            "sites": [each.to_dict() for each in self.sites],
            "runner_up": self.runner_up,
            "wins_when": self.wins_when,
            "needed": [each.to_dict() for each in self.needed],
        }


def ranking(
    answer: WholeAnswer, worths: Sequence[Worth], *, replan: Replan | None = None
) -> Ranking:
    """Rank the sites of a plan that was solved whole.

    Whole steps and openings may be broken numbers here: what is asked is how near sites are.

    Args:
        answer: the plan.
        worths: of its candidates (`plan_worths`).
        replan: plans the company with another date; None: dates are not asked about.

    Raises:
        SolverFailure: if no answer of the solver passes our check.
    """
    plan, held = answer.plan, relaxed_held(answer)
    names = plan.world.site_names
    facts = {name: _facts(plan, held.solution, name) for name in names}
    adds = {name: _adds_usd_per_year(plan, held, name) for name in names}
    short = {name: _short(worths, name) for name in names}
    order = sorted(names, key=lambda name: _order(facts[name], adds[name], short[name]))
    sites = tuple(
        RankedSite(
            name=name,
            rank_count=rank,
            adds_usd_per_year=adds[name],
            short_share=short[name],
            reason=reason(plan, name, facts, worths),
            **facts[name],
        )
        for rank, name in enumerate(order, start=1)
    )
    if len(sites) < 2:
        return Ranking(sites=sites, runner_up=None, wins_when="", needed=())
    runner = next((each for each in sites if not each.built), sites[1])
    words = f"{runner.name} is built"
    if runner.built:
        words = f"{runner.name} serves more than {sites[0].name}"
    wins = _wins(plan, runner, sites[0])
    found = [
        needed(held, lever, wins=wins, displaced=_displaced(plan, held.solution, runner.name))
        for lever in levers_of(plan, runner.name)
    ]
    if replan is not None:
        found += list(_earlier(answer, runner, wins_of=wins, replan=replan))
    return Ranking(sites=sites, runner_up=runner.name, wins_when=words, needed=tuple(found))


def relaxed_held(answer: WholeAnswer) -> Held:
    """Return the plan's program without whole numbers, solved from the optimum's basis."""
    plan, numbers = answer.plan, answer.plan.numbers
    model = LinearModel(
        plan.program.matrix(),
        costs=numbers.costs,
        lower=numbers.lower,
        upper=numbers.upper,
        row_lower=numbers.row_lower,
        row_upper=numbers.row_upper,
        offset_usd=plan.offset_usd,
    )
    model.restore(answer.model.basis())
    return Held(model, model.solve())


def _built(plan: PlanProgram, solution: Solution, site: str, kind: str) -> float:
    """Return how much of one kind a plan builds at a site, in its unit, and what stands there."""
    sizes, mine = plan.sizes(solution.columns), candidates_at(plan, site, kind)
    if mine:
        return sum(sizes[plan.candidates[at].name] for at in mine)
    if kind == "site":
        return next(each.import_limit_mw for each in plan.company.sites if each.name == site)
    return sum(float(each.gpu_count) for each in plan.company.fleets if each.site == site)


def served_mtok(plan: PlanProgram, solution: Solution, site: str) -> float:
    """Return the work done at a site over the horizon."""
    world = plan.world
    routes = [
        at
        for at, route in enumerate(world.routes)
        if not world.deployments[route.deployment].external
        and world.site_names[world.deployments[route.deployment].site] == site
    ]
    return float(sum(solution.columns[in_slots(plan, "serve", at)].sum() for at in routes))


def _facts(plan: PlanProgram, solution: Solution, site: str) -> dict[str, Any]:
    world, at = plan.world, plan.world.site_names.index(site)
    most = [plan.candidates[each].most for each in candidates_at(plan, site, "site")]
    built_mw = _built(plan, solution, site, "site")
    served = served_mtok(plan, solution, site)
    reached = {
        route.workload
        for route in world.routes
        if not world.deployments[route.deployment].external
        and world.deployments[route.deployment].site == at
    }
    gpus = _built(plan, solution, site, "fleet")
    least = ENTERS_SHARE * max(1e-9, sum(most) or built_mw)
    return {
        "built": built_mw > least and gpus > 0.0,
        "built_mw": built_mw,
        "most_mw": sum(most) or built_mw,
        "reach_mw": float(world.import_limit_mw[at, world.first : world.last].max()),
        "gpus_count": gpus,
        "served_mtok": served,
        "power_usd_per_mwh": float(plan.window.buy_usd_per_mwh[at].mean()),
        "reached_count": len(reached),
        "workloads_count": len(world.workloads),
    }


def _adds_usd_per_year(plan: PlanProgram, held: Held, site: str) -> float | None:
    """Return what the plan costs more a year with nothing that is for choice at a site."""
    mine = candidates_at(plan, site)
    if not mine:
        return None
    lower, upper, row_lower, row_upper = held.bounds()
    columns = plan.columns_of("unbuilt")[mine]
    lower[columns] = upper[columns] = [plan.candidates[at].most for at in mine]
    if "steps" in plan.program.columns:
        upper[plan.columns_of("steps")] = np.inf
        lower[plan.columns_of("steps")] = -np.inf
    try:
        without = held.solved(held.costs, (lower, upper, row_lower, row_upper))
    except InfeasibleProgram:
        return None
    more = without.objective_usd - held.solution.objective_usd
    tiny = NOTHING_SHARE * max(1.0, abs(held.solution.objective_usd))
    return 0.0 if more <= tiny else more / plan.years


def _short(worths: Sequence[Worth], site: str) -> float | None:
    """Return by how much the nearest price of a site that is not built would have to fall."""
    mine = [each for each in worths if each.kind == "site" and each.site == site]
    if any(each.built for each in mine):
        return None
    lacking = nearest(worths, site)
    return None if lacking is None else lacking[0]


def _order(
    facts: Mapping[str, Any], adds_usd_per_year: float | None, short_share: float | None
) -> tuple[bool, float, float]:
    adds = np.inf if adds_usd_per_year is None else adds_usd_per_year
    return not facts["built"], -adds, np.inf if short_share is None else short_share


def _wins(plan: PlanProgram, runner: RankedSite, first: RankedSite) -> Callable[[Solution], bool]:
    if runner.built:
        return lambda found: (
            served_mtok(plan, found, runner.name) > served_mtok(plan, found, first.name)
        )
    if not candidates_at(plan, runner.name, "site"):
        return lambda found: _built(plan, found, runner.name, "fleet") >= 1.0
    least_mw = ENTERS_SHARE * runner.most_mw
    return lambda found: _built(plan, found, runner.name, "site") > least_mw


def _displaced(
    plan: PlanProgram, before: Solution, runner: str
) -> Callable[[Solution], tuple[str, ...]]:
    def found(after: Solution) -> tuple[str, ...]:
        others = [name for name in plan.world.site_names if name != runner]
        less = {
            name: served_mtok(plan, before, name) - served_mtok(plan, after, name)
            for name in others
        }
        total = sum(max(0.0, each) for each in less.values())
        kept = [name for name in others if total > 0.0 and less[name] > 0.1 * total]
        return tuple(sorted(kept, key=lambda name: -less[name]))

    return found


def _earlier(
    answer: WholeAnswer,
    runner: RankedSite,
    *,
    wins_of: Callable[[Solution], bool],
    replan: Replan,
) -> Iterator[Needed]:
    """Yield from which day on a connection would have to deliver for the site to win."""
    company = answer.plan.company
    site = next(each for each in company.sites if each.name == runner.name)
    begin = company.horizon.start.date()
    if site.energised_on is None or site.energised_on <= begin:
        return
    span = (site.energised_on - begin).days

    def asked(days: int) -> bool:
        moved = site.model_copy(update={"energised_on": begin + timedelta(days=days)})
        sites = tuple(moved if each.name == site.name else each for each in company.sites)
        other = replan(company.model_copy(update={"sites": sites}))
        return wins_of(other.solution)

    low, high, enough = 0, span, asked(0)
    for _ in range(REPLANS_MOST if enough else 0):
        middle = (low + high) // 2
        if middle in (low, high):
            break
        low, high = (middle, high) if asked(middle) else (low, middle)
    yield Needed(
        lever=f"connection of {runner.name}, first day",
        unit="days into the horizon",
        stated_quantity=float(span),
        needed_quantity=float(low) if enough else None,
        end_quantity=0.0,
    )

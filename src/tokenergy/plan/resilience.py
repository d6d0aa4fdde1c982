"""How concentrated a plan is, what surviving the loss of a site costs, and make or buy.

Does cheap power decentralise or concentrate? Asked by planning again: without contracts, without
latency limits, and with power at one price everywhere. The effective number of sites is 1 / HHI,
the sum of squared shares: of work served, and of megawatts at the meter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.contract import Spot
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.survival import surviving_workloads
from tokenergy.dispatch.terms.survival import SHORT, Survival, short_usd_per_mtok
from tokenergy.plan.levers import in_slots
from tokenergy.plan.program import plan_program
from tokenergy.plan.sized_company import LEAST_BUILT
from tokenergy.plan.whole import WholeAnswer, solve_whole

CLOSE_SHARE: Final = 0.02
"""Effective numbers of sites that lie nearer together count as the same."""
NO_LIMIT_S: Final = 3600.0
"""Time to first token that no network misses."""

Variant = Literal["as planned", "without contracts", "without latency limits", "power alike"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a plan puts its work.

    Attributes:
        variant: what was changed before planning.
        cost_usd: of the plan over the horizon.
        served_mtok: by site, and by external API under its own name.
        built_mw: megawatts of connection by site.
    """

    variant: str
    cost_usd: float
    served_mtok: Mapping[str, float]
    built_mw: Mapping[str, float]

    @property
    def served_sites_count(self) -> float:
        """Effective number of sites by work served, APIs counting as one each."""
        return effective_count(tuple(self.served_mtok.values()))

    @property
    def built_sites_count(self) -> float:
        """Effective number of sites by megawatts."""
        return effective_count(tuple(self.built_mw.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the places as a JSON-ready mapping, effective numbers included."""
        return {
            "variant": self.variant,
            "cost_usd": self.cost_usd,
            "served_mtok": dict(self.served_mtok),
            "built_mw": dict(self.built_mw),
            "served_sites_count": self.served_sites_count,
            "built_sites_count": self.built_sites_count,
        }


def effective_count(amounts_quantity: Sequence[float]) -> float:
    """Return 1 / sum of squared shares: n alike count n, one that has nearly all counts 1.

    Nothing at all counts 0; what is below 0 is rounding and counts as nothing.
    """
    held = [max(0.0, amount) for amount in amounts_quantity]
    total = sum(held)
    return total**2 / sum(amount**2 for amount in held) if total > 0.0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """The plan beside those of other worlds: what spreads its work, and what gathers it."""

    placed: tuple[Placed, ...]

    def of(self, variant: Variant) -> Placed | None:
        """Return one of the plans; None where it was not made."""
        return next((each for each in self.placed if each.variant == variant), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the plans and the sentences as a JSON-ready mapping."""
        return {
            "variants": [each.to_dict() for each in self.placed],
            "sentences": list(self.sentences()),
        }

    def sentences(self) -> Iterator[str]:
        """Say what cheap power, contracts and latency limits each do to the number of sites."""
        planned = self.of("as planned")
        if planned is None:
            return
        yield (
            f"The plan serves from {planned.served_sites_count:.2f} effective sites "
            f"({planned.built_sites_count:.2f} by megawatts)."
        )
        for variant, subject in _SUBJECTS:
            if (other := self.of(variant)) is None:
                continue
            here, there = planned.served_sites_count, other.served_sites_count
            verb = "changes little about where work is done"
            if here < there * (1.0 - CLOSE_SHARE):
                verb = "concentrates work"
            elif here > there * (1.0 + CLOSE_SHARE):
                verb = "decentralises work"
            usd = other.cost_usd - planned.cost_usd
            yield (
                f"{subject} {verb}: {there:.2f} effective sites {variant} against {here:.2f}, "
                f"at a cost that is {abs(usd):,.0f} USD {'higher' if usd >= 0.0 else 'lower'}."
            )


_SUBJECTS: Final[tuple[tuple[Variant, str], ...]] = (
    ("power alike", "That power is cheaper in some places"),
    ("without contracts", "What the contracts offer"),
    ("without latency limits", "The promise of latency"),
)


def without_contracts(company: Company) -> Company:
    """Return the company without any contract but the market's, signed or on offer."""
    kept = tuple(each for each in company.contracts if isinstance(each, Spot))
    planning = company.plan
    if planning is not None:
        planning = planning.model_copy(update={"contracts": ()})
    return company.model_copy(update={"contracts": kept, "plan": planning})


def without_latency_limits(company: Company) -> Company:
    """Return the company whose tiers wait an hour for a first token: every site is in reach."""
    tiers = tuple(
        tier.model_copy(update={"ttft_limit_s": max(NO_LIMIT_S, tier.ttft_limit_s)})
        for tier in company.tiers
    )
    return company.model_copy(update={"tiers": tiers})


def power_alike(inputs: Inputs) -> Inputs:
    """Return series in which every site pays the mean price of its hour.

    Contracts keep their strikes; what is left is geography by latency, GPUs and facilities.
    """
    prices = inputs.price_usd_per_mwh
    mean = np.asarray(np.mean(list(prices.values()), axis=0), dtype=np.float64)
    return replace(inputs, price_usd_per_mwh=dict.fromkeys(prices, mean))


def concentration(
    company: Company,
    inputs: Inputs,
    *,
    place: Callable[[Company, Inputs, Variant], Placed],
    planned: Placed | None = None,
) -> Concentration:
    """Plan again without contracts, without latency limits, and with power alike.

    Args:
        company: what the file says.
        inputs: its series.
        place: plans a company and tells where it puts its work.
        planned: the plan itself, where it has been made; None: it is made here.

    Raises:
        InfeasibleProgram: if one of the worlds has no plan at all.
    """
    found = [place(company, inputs, "as planned") if planned is None else planned]
    planning = company.plan
    others = planning is not None and (planning.sites or planning.fleets or planning.batteries)
    if others and any(not isinstance(each, Spot) for each in company.contracts):
        found.append(place(without_contracts(company), inputs, "without contracts"))
    found.append(place(without_latency_limits(company), inputs, "without latency limits"))
    if len(company.sites) > 1:
        found.append(place(company, power_alike(inputs), "power alike"))
    return Concentration(placed=tuple(found))


def concentration_of(answer: WholeAnswer) -> Concentration:
    """Return a plan beside those without contracts, without latency limits, with power alike.

    Raises:
        InfeasibleProgram: if one of the worlds has no plan at all.
        SolverFailure: if no answer of the solver passes our check.
    """
    plan = answer.plan
    survives = any(isinstance(term, Survival) for term in plan.world.terms)

    def place(company: Company, inputs: Inputs, variant: Variant) -> Placed:
        program = plan_program(company, inputs, plan.catalogue, survives=survives)
        return placed_of(solve_whole(program), variant)

    planned = placed_of(answer, "as planned")
    return concentration(plan.company, plan.inputs, place=place, planned=planned)


def placed_of(answer: WholeAnswer, variant: str) -> Placed:
    """Return where a plan puts its work, and its megawatts of connection."""
    plan, world = answer.plan, answer.plan.world
    served: dict[str, float] = dict.fromkeys(world.site_names, 0.0)
    for at, route in enumerate(world.routes):
        deployment = world.deployments[route.deployment]
        name = deployment.name if deployment.external else world.site_names[deployment.site]
        mtok = float(answer.solution.columns[in_slots(plan, "serve", at)].sum())
        served[name] = served.get(name, 0.0) + max(0.0, mtok)
    built = {}
    for site in plan.company.sites:
        mine = [e.name for e in plan.candidates if e.kind == "site" and e.site == site.name]
        size_mw = sum(answer.sizes[name] for name in mine)
        built[site.name] = size_mw if mine else site.import_limit_mw
    return Placed(
        variant=variant,
        cost_usd=answer.solution.objective_usd,
        served_mtok=served,
        built_mw=built,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPremium:
    """What it costs that tiers survive the loss of any one site, sizes chosen for it.

    Attributes:
        tiers: those that promise it.
        with_usd, without_usd: cost of both plans over the horizon, without what is not covered.
        short_mtok: promised work that no size within the limits covers.
        hours_h: length of the horizon.
        more: what is built beside the plan that does not promise it, by candidate and unit.
    """

    tiers: tuple[str, ...]
    with_usd: float
    without_usd: float
    short_mtok: float
    hours_h: float
    more: Mapping[str, float]

    @property
    def premium_usd(self) -> float:
        """What the promise costs over the horizon."""
        return self.with_usd - self.without_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the premium as a JSON-ready mapping."""
        return asdict(self) | {"premium_usd": self.premium_usd, "sentence": self.sentence()}

    def sentence(self) -> str:
        """Say it in a sentence, in USD."""
        names = " and ".join(self.tiers)
        share = self.premium_usd / max(1e-9, abs(self.without_usd))
        text = (
            f"That {names} can be served with any one site dark costs {self.premium_usd:,.0f} USD "
            f"over {self.hours_h:g} h, {share:.2%} of the plan"
        )
        built = [f"{size:+,.0f} {name}" for name, size in self.more.items() if abs(size) >= 0.5]
        text += f" ({', '.join(built)})" if built else ""
        if self.short_mtok > 0.0:
            text += f"; {self.short_mtok:,.4g} Mtok cannot be covered within the limits"
        return text + "."


def survival_premium_of(promised: WholeAnswer, free: WholeAnswer) -> PlanPremium | None:
    """Return what the promise costs, from the plan with it and the plan without it.

    None where no tier promises to survive the loss of a site.

    Args:
        promised: the plan of `plan_program(..., survives=True)`.
        free: the plan of the same company with `survives=False`.
    """
    plan, world = promised.plan, promised.plan.world
    loads = surviving_workloads(world)
    if not loads or SHORT not in plan.program.columns:
        return None
    short = float(promised.optimum.value(SHORT).sum())
    penalty_usd = short_usd_per_mtok(world) * short
    more = {
        f"{each.unit} {each.name}": promised.sizes[each.name] - free.sizes[each.name]
        for each in plan.candidates
    }
    return PlanPremium(
        tiers=tuple(dict.fromkeys(world.workloads[at].tier for at in loads)),
        with_usd=promised.solution.objective_usd - penalty_usd,
        without_usd=free.solution.objective_usd,
        short_mtok=short if short > 1e-9 * float(plan.window.arrivals_mtok.sum()) else 0.0,
        hours_h=plan.hours_h,
        more={name: size for name, size in more.items() if abs(size) > LEAST_BUILT},
    )

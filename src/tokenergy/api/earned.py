"""What a run earned: margins by tier and user, levers, savings with their band, exposures."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokenergy.api.opened import OpenCompany
from tokenergy.api.simulating import (
    Simulation,
    at_limit_h,
    mw_rent_usd_per_mwh,
    used_gpu_share,
)
from tokenergy.api.used import ledger_findings, usage_of
from tokenergy.company.currency import all_in_currency, in_currency
from tokenergy.company.finding import Finding
from tokenergy.dispatch.world import World
from tokenergy.economics.attribution import WorkloadCost, attribute, bill_by_site
from tokenergy.economics.bootstrap import Band, band
from tokenergy.economics.exposures import (
    Exposures,
    exposures,
    mean_price_usd_per_mwh,
    positions_of,
)
from tokenergy.economics.levers import Lever, company_levers
from tokenergy.economics.margin import CompanyMargin, TierMargin, company_margin, margin_by_tier
from tokenergy.economics.negative_scale import BreakEven, break_even_conversion
from tokenergy.economics.reconcile import Reconciliation, invoices_of, reconcile
from tokenergy.economics.users import UserMargins, user_margins
from tokenergy.economics.waterfall import Waterfall, waterfalls
from tokenergy.simulate.account import account, cost_usd_by_interval
from tokenergy.simulate.run import Run
from tokenergy.simulate.scorecard import BASELINE, BOUND

LEVER_SHARE = 0.5
"""How far each lever of the tornado is moved either way."""
SHORT_CODE = "BOOTSTRAP_SHORT"


@dataclass(frozen=True, kw_only=True)
class Savings:
    """What the shown policy saves against a named baseline, and how sure that is.

    Attributes:
        policy, baseline: who saves, against whom.
        saving: the saving with its band; None where the horizon is too short for one.
        saving_usd: the saving.
        of_cost_share: over the baseline's cost; None where that is <= 0.
        of_full_share: over the full cost of the tokens.
        regret_usd, regret_share: the distance to clairvoyant that is left.
    """

    policy: str
    baseline: str
    saving: Band | None
    saving_usd: float
    of_cost_share: float | None
    of_full_share: float | None
    regret_usd: float | None
    regret_share: float | None

    def saves_text(self) -> str:
        """Say how much is saved, or lost."""
        if _whole(self.saving_usd) == "0":
            return "saves nothing"
        word = "saves" if self.saving_usd > 0.0 else "loses"
        return f"{word} {_whole(abs(self.saving_usd))} USD"

    def left_text(self) -> str:
        """Say how far the best possible is away."""
        if self.regret_usd is None:
            return "clairvoyant was not run, so what is left to save is not known"
        if _whole(self.regret_usd) == "0":
            return "as cheap as clairvoyant, nobody can do better"
        text = f"{_whole(abs(self.regret_usd))} USD"
        if self.regret_usd < 0.0:
            return f"{text} below clairvoyant, which served other work"
        share = "" if self.regret_share is None else f" ({self.regret_share:.2%})"
        return f"{text}{share} above clairvoyant, nobody can do better"

    def to_dict(self) -> dict[str, Any]:
        """Return the savings as a JSON-ready mapping."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Earned:
    """What the shown run earned, panel by panel (economics sheet, section 7).

    Attributes:
        costs: what each workload's tokens cost.
        tiers, company: margins.
        users: margins by user.
        waterfalls: revenue to margin, company first.
        levers: the tornado, strongest first.
        bills: whether every invoice was charged to somebody.
        savings: None where no baseline was run.
        cost: the cost of the run with its P10 and P90; None in a short horizon.
        risk: the five exposures.
        break_even: the conversion at which a user brings what its tokens used, capital in it;
            None where all users pay, or none.
        mw_binds_h: site-hours in which a connection is at its limit.
        mw_rent_usd_per_mwh: what one MWh more is worth there beside its price, on the mean; None
            where none binds, or the policy prices nothing.
        gpu_used_share: GPUs awake over all that are paid for, weighted by rent.
        currency: of all money.
        marginal_usd_per_mtok: mean price of asking; None where the policy prices nothing.
        price_usd_per_mtok: revenue over tokens; None without tokens.
    """

    costs: tuple[WorkloadCost, ...]
    tiers: tuple[TierMargin, ...]
    company: CompanyMargin
    users: UserMargins
    waterfalls: tuple[Waterfall, ...]
    levers: tuple[Lever, ...]
    bills: Reconciliation
    savings: Savings | None
    cost: Band | None
    risk: Exposures
    break_even: BreakEven | None
    mw_binds_h: float
    mw_rent_usd_per_mwh: float | None
    gpu_used_share: float
    currency: str
    marginal_usd_per_mtok: float | None
    price_usd_per_mtok: float | None
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the panels as a JSON-ready mapping."""
        told: dict[str, Any] = all_in_currency(self._panels(), self.currency)
        return told

    def _panels(self) -> dict[str, Any]:
        return {
            "company_margin": self.company.to_dict(),
            "cost_by_workload": [cost.to_dict() for cost in self.costs],
            "waterfalls": [each.to_dict() for each in self.waterfalls],
            "users": self.users.to_dict(),
            "levers": [lever.to_dict() for lever in self.levers],
            "reconciliation": self.bills.to_dict(),
            "savings": None if self.savings is None else self.savings.to_dict(),
            "cost_band": None if self.cost is None else self.cost.to_dict(),
            "exposures": self.risk.to_dict(),
            "break_even_usage": None if self.break_even is None else self.break_even.to_dict(),
        }

    def cost_line(self, shown: Simulation) -> str:
        """Say what a token costs on each basis, and what it brings."""
        text = shown.message
        if self.marginal_usd_per_mtok is not None and self.price_usd_per_mtok is not None:
            text += (
                f" One Mtok more costs {self.marginal_usd_per_mtok:.3g} {self.currency} at the "
                f"margin and brings {self.price_usd_per_mtok:.3g}."
            )
        return text

    def users_line(self, shown: Simulation) -> str:
        """Say who earns, who loses, and what nobody used."""
        margin = self.company
        word = "earns" if margin.margin_usd >= 0.0 else "loses"
        text = (
            f"In {shown.full.hours_h:g} h the company {word} {_whole(abs(margin.margin_usd))} "
            f"{self.currency} on {_whole(margin.revenue_usd)} of revenue; unused capacity costs "
            f"{_whole(margin.unused_capacity_usd)}."
        )
        lose = self.users.unprofitable_share
        at_margin = self.users.marginal_unprofitable_share
        if not any(tier.users_count for tier in self.users.tiers):
            return f"{text} No tier says who holds it, so nothing is told of users."
        if lose is None:
            return f"{text} Which users lose money is not known: see the findings."
        text += f" {lose:.1%} of its users cost more than they bring, by what their tokens use"
        text += "." if at_margin is None else f"; {at_margin:.1%} at the margin."
        if margin.conversion_value_usd:
            text += (
                f" The {_whole(margin.conversion_value_usd)} {self.currency} of subscriptions that "
                "free requests are believed to bring are in no margin."
            )
        return text

    def levers_line(self) -> str:
        """Say which lever moves the full cost most, and where the price of power stands."""
        costs = [lever for lever in self.levers if lever.metric == "full_cost"]
        if not costs:
            return "Levers: no token was served, so nothing moves its cost."
        first = costs[0]
        power = next(lever for lever in costs if lever.name == "power_price")
        place = 1 + costs.index(power)
        return (
            f"Of {len(costs)} levers {first.name.replace('_', ' ')} moves full cost most "
            f"({_ends(first)} at -/+{LEVER_SHARE:.0%}); the price of power is number {place} "
            f"({_ends(power)}): {self._binds_text()}."
        )

    def _binds_text(self) -> str:
        if self.mw_binds_h == 0.0:
            return "no megawatt binds"
        text = f"megawatts bind in {self.mw_binds_h:.0f} site-hours, and there their rent decides"
        if self.mw_rent_usd_per_mwh is None:
            return text
        return f"{text} ({self.mw_rent_usd_per_mwh:,.0f} {self.currency}/MWh beside the price)"

    def saving_line(self) -> str:
        """Say what dispatch saves, against whom, how sure that is, and how much is left."""
        held = self.savings
        if held is None:
            return "Saving: no baseline was run, so none is told."
        text = f"Dispatch ({held.policy}) {held.saves_text()} against {held.baseline}"
        if _whole(held.saving_usd) == "0":
            return f"{text}; {held.left_text()}."
        if held.saving is not None:
            low, high = _whole(held.saving.low_usd), _whole(held.saving.high_usd)
            text += f" (90 % band {low} to {high})"
        shares = ((held.of_cost_share, "its cost"), (held.of_full_share, "full cost"))
        known = [f"{abs(share):.2%} of {of}" for share, of in shares if share is not None]
        text = f"{text}{': ' if known else ''}{', '.join(known)}; {held.left_text()}."
        return in_currency(text, self.currency)


def earned(
    company: OpenCompany,
    shown: Simulation,
    *,
    usage_ledger: str | Path | None = None,
    new_revenue_usd_per_year: float | None = None,
) -> Earned:
    """Return what the shown run of a simulation earned.

    Args:
        company: an opened company.
        shown: its runs.
        usage_ledger: a ledger whose requests tell tokens by user.
        new_revenue_usd_per_year: what a year of growth adds to a year's revenue; None: growth is
            not known.

    Raises:
        InputError: if the ledger cannot be read.
    """
    world, run, full = company.world, shown.runs[shown.shown], shown.full
    spent = account(world, run)
    costs = attribute(
        world, run, full, power_usd_by_site=bill_by_site(company.company, spent.power_usd)
    )
    tiers = margin_by_tier(world, full, costs)
    usage = usage_of(usage_ledger)
    users = user_margins(company.company, tiers, {} if usage is None else usage.mtok_by_tier)
    bills = reconcile(invoices_of(world, run, spent.power_usd), full, tiers)
    by_interval = cost_usd_by_interval(world, run)
    seed = company.company.seed
    cost = band(by_interval, step_h=world.step_h, seed=seed)
    risk = _risk(world, run, bill_usd=spent.bill_usd)
    margin = company_margin(full, tiers, new_revenue_usd_per_year=new_revenue_usd_per_year)
    served = full.served_mtok
    return Earned(
        costs=costs,
        tiers=tiers,
        company=margin,
        users=users,
        waterfalls=waterfalls(full, tiers),
        levers=_levers(company, shown, margin.revenue_usd),
        bills=bills,
        savings=_savings(world, shown, by_interval, seed),
        cost=cost,
        risk=risk,
        break_even=_break_even(company, tiers),
        mw_binds_h=at_limit_h(world, run),
        mw_rent_usd_per_mwh=mw_rent_usd_per_mwh(world, run),
        gpu_used_share=used_gpu_share(world, run),
        currency=company.company.currency,
        marginal_usd_per_mtok=mean_marginal_usd_per_mtok(costs, served),
        price_usd_per_mtok=margin.revenue_usd / served if served > 0.0 else None,
        findings=(
            *users.findings,
            *ledger_findings(company.company, usage, users),
            *bills.findings,
            *risk.findings,
            *_short(cost),
        ),
    )


def _levers(company: OpenCompany, shown: Simulation, revenue_usd: float) -> tuple[Lever, ...]:
    """Return the tornado of the shown run, strongest first."""
    world, run = company.world, shown.runs[shown.shown]
    spent = account(world, run)
    return company_levers(
        company.company,
        shown.full,
        awake_lease_usd=spent.lease_usd,
        api_usd=spent.api_usd,
        network_usd=spent.network_usd,
        revenue_usd=revenue_usd,
        power_fixed_share=_fixed_share(world, run),
        gpu_used_share=used_gpu_share(world, run),
        move_share=LEVER_SHARE,
    )


def _risk(world: World, run: Run, *, bill_usd: float) -> Exposures:
    """Return the exposures of a run against the mean price of its own horizon."""
    positions = positions_of(world, run)
    budget = mean_price_usd_per_mwh(positions)
    return exposures(positions, budget_usd_per_mwh=budget, bill_usd=bill_usd)


def mean_marginal_usd_per_mtok(costs: tuple[WorkloadCost, ...], served_mtok: float) -> float | None:
    """Return the mean price of asking; None where nothing was served, or anything not priced."""
    priced = [cost.marginal_usd for cost in costs if cost.marginal_usd is not None]
    if served_mtok <= 0.0 or len(priced) < len(costs):
        return None
    return sum(priced) / served_mtok


def _break_even(company: OpenCompany, tiers: tuple[TierMargin, ...]) -> BreakEven | None:
    """Return the conversion at which a user brings what its tokens used, USD per month."""
    held = list(zip(company.company.tiers, tiers, strict=True))
    free = [margin for tier, margin in held if tier.users is not None and tier.is_free]
    paid = [margin for tier, margin in held if tier.users is not None and not tier.is_free]
    if not free or not paid:
        return None

    def per_user(margins: list[TierMargin], name: str) -> float:
        users = sum((margin.users_count or 0) * margin.months for margin in margins)
        return float(sum(getattr(margin, name) for margin in margins)) / users

    return break_even_conversion(
        price_usd_per_user=per_user(paid, "revenue_usd"),
        free_revenue_usd_per_user=per_user(free, "revenue_usd"),
        paid_cost_usd_per_user=per_user(paid, "usage_usd"),
        free_cost_usd_per_user=per_user(free, "usage_usd"),
    )


def _fixed_share(world: World, run: Run) -> float:
    """Return the part of the load that no work draws: standing load, and replicas for nobody."""
    load_mwh = float(run.load_mwh.sum())
    return max(0.0, 1.0 - float(run.route_mwh(world).sum()) / load_mwh) if load_mwh > 0.0 else 0.0


def _savings(world: World, shown: Simulation, by_interval: np.ndarray, seed: int) -> Savings | None:
    """Return what the shown policy saves against the baseline, if that was run."""
    if BASELINE not in shown.runs or shown.shown == BASELINE:
        return None
    before = cost_usd_by_interval(world, shown.runs[BASELINE])
    less = before - by_interval
    before_usd, saving_usd = float(before.sum()), float(less.sum())
    score = shown.card.policies[shown.shown]
    full_usd = shown.full.allocation_usd
    bounded = BOUND in shown.runs
    return Savings(
        policy=shown.shown,
        baseline=BASELINE,
        saving=band(less, step_h=world.step_h, seed=seed),
        saving_usd=saving_usd,
        of_cost_share=saving_usd / before_usd if before_usd > 0.0 else None,
        of_full_share=saving_usd / full_usd if full_usd > 0.0 else None,
        regret_usd=score.regret_usd if bounded else None,
        regret_share=score.regret_share if bounded else None,
    )


def _short(cost: Band | None) -> tuple[Finding, ...]:
    """Warn where no weeks were drawn behind the bands."""
    if cost is not None and cost.by_week:
        return ()
    drawn = "nothing could be drawn" if cost is None else "days were drawn instead of weeks"
    return (
        Finding(
            code=SHORT_CODE,
            path="horizon.days",
            value="" if cost is None else f"{cost.blocks_count}",
            limit="28",
            unit="days",
            severity="warning",
            reason=f"bands of savings and cost need at least four weeks; {drawn}",
            remedy="Lengthen the horizon to 28 days or more",
        ),
    )


def _whole(usd: float) -> str:
    """Write an amount in whole units, never -0."""
    return f"{round(usd):,}"


def _ends(lever: Lever) -> str:
    pair = (lever.low_change_share, lever.high_change_share)
    return " / ".join("-" if share is None else f"{share:+z.1%}" for share in pair)
